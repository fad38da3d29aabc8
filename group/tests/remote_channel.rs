//! Channels between threads.

use futures_util::FutureExt;
use homing::error::RuntimeError;
use homing::sync::channel::{ChannelClosed, RecvRefused, SendRefused};
use homing::sync::remote_channel::{self, Receiver, Sender};
use homing::{Error, Result, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

fn in_virtual_time<T>(main: impl Future<Output = Result<T>>) -> T {
    homing::Builder::new().virtual_time().build().run(main).unwrap()
}

async fn turns(count: u32) -> Result<()> {
    for _ in 0..count {
        yield_now().await?;
    }
    Ok(())
}

fn is_closed(error: &Error) -> bool {
    error.is::<ChannelClosed>()
}

#[test]
fn items_cross_from_one_runtime_to_another_in_their_order() {
    for capacity in [1, 2, 100] {
        let (sender, receiver) = remote_channel::bounded(capacity);
        let sending = thread::spawn(move || {
            homing::run(async move {
                for item in 0..3000 {
                    sender.send(item).await?;
                }
                Ok(())
            })
        });
        let received = homing::run(async {
            let mut received = Vec::new();
            while let Some(item) = receiver.recv().await? {
                received.push(item);
            }
            Ok(received)
        });
        sending.join().unwrap().unwrap();
        assert_eq!(received.unwrap(), (0..3000).collect::<Vec<_>>());
    }
}

#[test]
fn a_sleeping_runtime_is_woken_by_an_item_and_by_the_end() {
    let (sender, receiver) = remote_channel::unbounded();
    let receiving = thread::spawn(move || {
        homing::run(async move {
            let first = receiver.recv().await?;
            let last = receiver.recv().await?;
            Ok((first, last))
        })
    });
    // Long enough for it to fall asleep, most of the time; right either way.
    thread::sleep(Duration::from_millis(5));
    sender.try_send("item").unwrap();
    thread::sleep(Duration::from_millis(5));
    drop(sender);
    assert_eq!(receiving.join().unwrap().unwrap(), (Some("item"), None));
}

#[test]
fn who_sends_more_than_there_is_room_for_waits_and_who_came_first_is_served_first() {
    in_virtual_time(async {
        let (sender, receiver) = remote_channel::bounded(1);
        let senders: Vec<_> = (0..4)
            .map(|number| {
                let sender = sender.clone();
                spawn(async move { sender.send(number).await })
            })
            .collect();
        turns(2).await?;
        assert_eq!((sender.len(), senders[0].is_finished(), senders[1].is_finished()), (1, true, false));
        assert!(matches!(sender.try_send(9), Err(SendRefused::Full(9))));
        for number in 0..4 {
            assert_eq!(receiver.try_recv().unwrap(), number);
            // The room is kept for the next in line: a newcomer does not overtake it.
            if number < 3 {
                assert!(matches!(sender.try_send(9), Err(SendRefused::Full(9))));
            }
            turns(1).await?;
        }
        assert!(matches!(receiver.try_recv(), Err(RecvRefused::Empty)));
        Ok(())
    });
}

#[test]
fn an_item_goes_to_the_receiver_that_waits_longest_and_no_newcomer_gets_it() {
    in_virtual_time(async {
        let (sender, receiver) = remote_channel::unbounded();
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let receiver = receiver.clone();
                spawn(async move { receiver.recv().await })
            })
            .collect();
        turns(1).await?;
        for number in 0..3 {
            sender.try_send(number).unwrap();
        }
        assert_eq!(receiver.try_recv(), Err(RecvRefused::Empty));
        for (number, task) in receivers.into_iter().enumerate() {
            assert_eq!(task.await?, Some(number));
        }
        Ok(())
    });
}

#[test]
fn a_receiver_that_is_cancelled_when_its_item_was_there_hands_it_on() {
    in_virtual_time(async {
        let (sender, receiver) = remote_channel::unbounded();
        let waits = |receiver: &Receiver<&'static str>| {
            let receiver = receiver.clone();
            spawn(async move { receiver.recv().await })
        };
        let (first, second) = (waits(&receiver), waits(&receiver));
        turns(1).await?;
        sender.try_send("kept for the first").unwrap();
        first.cancel();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(second.await?, Some("kept for the first"));
        // With nobody else in line it is there for whoever comes.
        let third = waits(&receiver);
        turns(1).await?;
        sender.try_send("again").unwrap();
        third.abort();
        assert_eq!(receiver.try_recv().unwrap(), "again");
        Ok(())
    });
}

/// The last item is kept for the first, who does not take it: so it is not over yet for the others.
#[test]
fn nobody_hears_of_the_end_while_an_item_is_kept_for_one_that_may_be_cancelled() {
    in_virtual_time(async {
        let (sender, receiver) = remote_channel::unbounded();
        let waits = |receiver: &Receiver<&'static str>| {
            let receiver = receiver.clone();
            spawn(async move { receiver.recv().await })
        };
        let (first, second, third) = (waits(&receiver), waits(&receiver), waits(&receiver));
        turns(1).await?;
        sender.try_send("the last").unwrap();
        // Before anybody is polled: the second and third look while the item is the first one's.
        drop(sender);
        assert!(matches!(receiver.try_recv(), Err(RecvRefused::Empty)));
        let mut newcomer = receiver.recv();
        assert!((&mut newcomer).now_or_never().is_none());
        first.cancel();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(second.await?, Some("the last"));
        // Now it is over, and whoever waits is told.
        assert_eq!((third.await?, newcomer.await?), (None, None));
        assert!(matches!(receiver.try_recv(), Err(RecvRefused::Closed)));
        Ok(())
    });
}

#[test]
fn a_sender_that_is_cancelled_when_there_was_room_sends_nothing_and_hands_the_room_on() {
    in_virtual_time(async {
        let (sender, receiver) = remote_channel::bounded(1);
        sender.try_send(0).unwrap();
        let sends = |number| {
            let sender = sender.clone();
            spawn(async move { sender.send(number).await })
        };
        let (first, second) = (sends(1), sends(2));
        turns(1).await?;
        assert_eq!(receiver.try_recv().unwrap(), 0);
        first.cancel();
        assert!(first.await.unwrap_err().is_cancelled());
        second.await?;
        assert_eq!(receiver.recv().await?, Some(2));
        assert!(receiver.is_empty());
        Ok(())
    });
}

#[test]
fn what_is_left_is_received_after_the_last_sender_has_gone() {
    in_virtual_time(async {
        let (sender, receiver) = remote_channel::unbounded();
        let other = sender.clone();
        sender.try_send(1).unwrap();
        other.try_send(2).unwrap();
        drop((sender, other));
        assert_eq!(
            (receiver.recv().await?, receiver.recv().await?, receiver.recv().await?),
            (Some(1), Some(2), None)
        );
        assert_eq!(receiver.try_recv(), Err(RecvRefused::Closed));
        Ok(())
    });
}

#[test]
fn who_sends_is_told_that_nobody_receives_and_what_was_sent_is_dropped() {
    in_virtual_time(async {
        let (sender, receiver) = remote_channel::bounded(1);
        let item = Arc::new(());
        sender.try_send(item.clone()).unwrap();
        let waits = sender.clone();
        let late = item.clone();
        let waiting = spawn(async move { waits.send(late).await });
        turns(1).await?;
        drop(receiver);
        assert!(is_closed(&waiting.await.unwrap_err()));
        assert!(sender.is_closed());
        assert!(is_closed(&sender.send(item.clone()).await.unwrap_err()));
        let refused = sender.try_send(item.clone());
        assert!(matches!(refused, Err(SendRefused::Closed(_))));
        drop(refused);
        assert_eq!(Arc::strong_count(&item), 1);
        Ok(())
    });
}

#[test]
fn plain_threads_send_and_receive_too() {
    let (sender, receiver) = remote_channel::bounded(1);
    let (answers, answered) = remote_channel::bounded(1);
    let plain = thread::spawn(move || {
        while let Some(item) = receiver.recv_blocking().unwrap() {
            answers.send_blocking(item * 2).unwrap();
        }
    });
    homing::run(async move {
        for item in 0..100 {
            sender.send(item).await?;
            assert_eq!(answered.recv().await?, Some(item * 2));
        }
        Ok(())
    })
    .unwrap();
    plain.join().unwrap();
}

#[test]
fn to_block_the_thread_of_a_runtime_is_refused() {
    let (sender, receiver) = remote_channel::bounded(1);
    homing::run(async {
        for refused in [sender.send_blocking(1).unwrap_err(), receiver.recv_blocking().unwrap_err()] {
            assert_eq!(refused.downcast_ref(), Some(&RuntimeError::NestedRuntime));
        }
        Ok(assert!(sender.is_empty()))
    })
    .unwrap();
}

#[test]
fn a_future_of_it_may_be_polled_outside_of_homing_and_dropped_at_any_point() {
    let (sender, receiver) = remote_channel::unbounded();
    {
        let mut waits = receiver.recv();
        assert!((&mut waits).now_or_never().is_none());
        sender.try_send(1).unwrap();
    }
    assert_eq!(receiver.recv().now_or_never().unwrap().unwrap(), Some(1));
}

#[test]
#[should_panic(expected = "no rendezvous")]
fn a_channel_without_room_is_refused() {
    drop(remote_channel::bounded::<()>(0));
}

#[test]
fn the_ends_may_go_anywhere_and_say_what_is_in_the_channel() {
    fn anywhere<T: Send + Sync>(_: &T) {}
    let (sender, receiver) = remote_channel::bounded(3);
    anywhere(&sender);
    anywhere(&receiver);
    sender.try_send(1).unwrap();
    let other = sender.clone();
    assert_eq!(format!("{sender:?}"), "remote_channel::Sender [items: 1, senders: 2, receivers: 1]");
    drop(other);
    assert_eq!(format!("{receiver:?}"), "remote_channel::Receiver [items: 1, senders: 1, receivers: 1]");
}

/// Sends `count` items, some of them with sends that are cancelled. Says how many have been sent.
async fn send_some(sender: Sender<usize>, count: usize) -> Result<usize> {
    let mut sent = 0;
    for item in 0..count {
        let sender = sender.clone();
        let task = spawn(async move { sender.send(1).await });
        if item % 3 == 0 {
            turns(item as u32 % 5).await?;
            task.cancel();
        }
        sent += usize::from(task.await.is_ok());
    }
    Ok(sent)
}

/// Receives until the end, now and then with a receive that is cancelled.
async fn receive_all(receiver: Receiver<usize>) -> Result<usize> {
    let mut received = 0;
    for round in 0_u32.. {
        let this = receiver.clone();
        let task = spawn(async move { this.recv().await });
        if round % 4 == 0 {
            turns(round % 7).await?;
            task.cancel();
        }
        match task.await {
            Ok(Some(item)) => received += item,
            Ok(None) => break,
            Err(error) => assert!(error.is_cancelled()),
        }
    }
    Ok(received)
}

#[test]
fn with_several_threads_on_both_sides_and_cancels_everywhere_nothing_is_lost_or_doubled() {
    for capacity in [1, 3, usize::MAX] {
        let (sender, receiver) = remote_channel::bounded(capacity);
        let (sent, received) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..2 {
                let (sender, receiver) = (sender.clone(), receiver.clone());
                scope.spawn(|| {
                    sent.fetch_add(homing::run(send_some(sender, 1000)).unwrap(), Ordering::Relaxed)
                });
                scope.spawn(|| {
                    received.fetch_add(homing::run(receive_all(receiver)).unwrap(), Ordering::Relaxed)
                });
            }
            drop((sender, receiver));
        });
        let sent = sent.into_inner();
        assert!(sent >= 1000);
        assert_eq!(sent, received.into_inner());
    }
}
