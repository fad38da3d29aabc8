//! What channels promise, and oneshots, each as a test that can fail.

mod common;

use common::{Alive, Log, in_every_mode, in_every_order, ms, nap, shown, started};
use futures_util::future::FutureExt;
use homing::sync::channel::{self, ChannelClosed, ChannelEmpty, ChannelFull, RecvRefused, SendRefused};
use homing::sync::oneshot::{self, SenderDropped};
use homing::{Error, current, spawn, task_group, timeout};
use std::rc::Rc;

mod many {
    use super::*;

    #[test]
    fn items_arrive_in_the_order_of_sending_and_then_the_end() {
        in_every_order(async |_| {
            for capacity in [1, 3, 100] {
                let (sender, receiver) = channel::bounded(capacity);
                let task = spawn(async move {
                    for item in 0..10 {
                        sender.send(item).await?;
                    }
                    Ok(())
                });
                for item in 0..10 {
                    assert_eq!(receiver.recv().await?, Some(item));
                }
                assert_eq!(receiver.recv().await?, None);
                assert_eq!(receiver.recv().await?, None);
                task.await?;
            }
            Ok(())
        });
    }

    #[test]
    fn a_full_channel_makes_who_sends_wait() {
        in_every_order(async |_| {
            let (sender, receiver) = channel::bounded(1);
            sender.send(1).await?;
            assert!(sender.send(2).now_or_never().is_none());
            assert_eq!(sender.try_send(2), Err(SendRefused::Full(2)));
            assert!(timeout(ms(1), sender.send(2)).await.unwrap_err().is_timeout());
            assert_eq!((receiver.recv().await?, receiver.len()), (Some(1), 0));
            Ok(())
        });
    }

    #[test]
    fn an_unbounded_channel_is_never_full() {
        let (sender, receiver) = channel::unbounded();
        (0..1000).for_each(|item| sender.try_send(item).unwrap());
        assert_eq!((sender.len(), receiver.is_empty()), (1000, false));
    }

    #[test]
    #[should_panic(expected = "there is no rendezvous channel")]
    fn a_channel_without_room_is_refused() {
        let _ = channel::bounded::<()>(0);
    }

    #[test]
    fn when_the_receivers_are_gone_sending_fails_and_what_is_left_is_dropped() {
        in_every_order(async |_| {
            let alive = Alive::default();
            let (sender, receiver) = channel::bounded(1);
            let other = receiver.clone();
            sender.send(alive.guard()).await?;
            let (waiting, watcher) = {
                let (one, two, guard) = (sender.clone(), sender.clone(), alive.guard());
                (
                    started(async move { one.send(guard).await }).await,
                    started(async move { two.closed().await }).await,
                )
            };
            drop(receiver);
            assert!(!sender.is_closed());
            drop(other);
            assert!(sender.is_closed());
            assert!(waiting.await.unwrap_err().is::<ChannelClosed>());
            watcher.await?;
            assert!(sender.closed().now_or_never().is_some());
            assert!(matches!(sender.try_send(alive.guard()), Err(SendRefused::Closed(_))));
            assert!(sender.send(alive.guard()).await.unwrap_err().is::<ChannelClosed>());
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }

    #[test]
    fn each_item_goes_to_one_receiver_and_all_see_the_end() {
        in_every_order(async |_| {
            let (sender, receiver) = channel::bounded(2);
            let log = Log::new();
            task_group(async |tg| {
                for _ in 0..3 {
                    let (receiver, log) = (receiver.clone(), log.clone());
                    tg.spawn(async move {
                        while let Some(item) = receiver.recv().await? {
                            log.push(format!("{item:02}"));
                            nap(1).await?;
                        }
                        Ok(())
                    });
                }
                for item in 0..20 {
                    sender.send(item).await?;
                }
                drop(sender);
                Ok(())
            })
            .await?;
            let mut got = log.take();
            got.sort();
            assert_eq!(got, (0..20).map(|item| format!("{item:02}")).collect::<Vec<_>>());
            Ok(())
        });
    }

    #[test]
    fn an_item_kept_for_a_cancelled_receiver_goes_to_the_next() {
        in_every_order(async |_| {
            let (sender, receiver) = channel::unbounded();
            let get = || {
                let receiver = receiver.clone();
                started(async move { receiver.recv().await })
            };
            let (a, b) = (get().await, get().await);
            sender.try_send(1)?;
            a.cancel();
            assert_eq!(b.await?, Some(1));
            assert_eq!(shown(&a.await), "cancelled");
            Ok(())
        });
    }

    #[test]
    fn room_that_was_reserved_and_not_used_goes_to_the_next() {
        in_every_order(async |_| {
            let (sender, receiver) = channel::bounded(1);
            let room = sender.reserve().await?;
            assert_eq!(format!("{room:?}"), "channel::Reservation");
            let waiting = started({
                let sender = sender.clone();
                async move { sender.send(2).await }
            })
            .await;
            assert_eq!(sender.try_send(3), Err(SendRefused::Full(3)));
            drop(room);
            waiting.await?;
            assert_eq!(receiver.recv().await?, Some(2));
            sender.reserve().await?.send(4);
            assert_eq!(receiver.try_recv(), Ok(4));
            let room = sender.reserve().await?;
            drop(receiver);
            room.send(5);
            assert_eq!(sender.len(), 0);
            Ok(())
        });
    }

    /// CX-11
    #[test]
    fn what_can_be_done_at_once_is_no_delivery_point() {
        in_every_mode(async |_| {
            let task = spawn(async {
                let (sender, receiver) = channel::bounded(1);
                current().expect("a task").cancel();
                sender.send(1).await?;
                assert_eq!(receiver.recv().await?, Some(1));
                receiver.recv().await
            });
            assert_eq!(shown(&task.await), "cancelled");
            Ok(())
        });
    }

    #[test]
    fn refusals_become_errors_without_the_item() {
        assert!(Error::from(SendRefused::Full(Rc::new(()))).is::<ChannelFull>());
        assert!(Error::from(SendRefused::Closed(Rc::new(()))).is::<ChannelClosed>());
        assert!(Error::from(RecvRefused::Empty).is::<ChannelEmpty>());
        assert!(Error::from(RecvRefused::Closed).is::<ChannelClosed>());
        assert_eq!(SendRefused::Full(7).into_item(), 7);
        let (sender, receiver) = channel::bounded::<i32>(1);
        assert_eq!(format!("{sender:?}"), "channel::Sender [items: 0, senders: 1, receivers: 1]");
        assert_eq!(receiver.try_recv(), Err(RecvRefused::Empty));
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(RecvRefused::Closed));
    }
}

mod one {
    use super::*;

    #[test]
    fn the_value_arrives_whoever_comes_first() {
        in_every_order(async |_| {
            let (sender, receiver) = oneshot::channel();
            sender.send(1).unwrap();
            assert_eq!(receiver.await?, 1);
            let (sender, receiver) = oneshot::channel();
            let waiting = started(receiver).await;
            assert_eq!(format!("{sender:?}"), "oneshot::Sender [open]");
            sender.send(2).unwrap();
            assert_eq!(waiting.await?, 2);
            Ok(())
        });
    }

    #[test]
    fn a_sender_that_goes_without_sending_is_an_error() {
        in_every_order(async |_| {
            let (sender, mut receiver) = oneshot::channel::<()>();
            assert_eq!(receiver.try_recv(), Ok(None));
            let waiting = started(receiver).await;
            drop(sender);
            let error = waiting.await.unwrap_err();
            assert!(error.is::<SenderDropped>());
            assert_eq!(error.to_string(), "there is nothing to receive: the sender is gone");
            Ok(())
        });
    }

    #[test]
    fn a_value_that_nobody_wants_comes_back() {
        in_every_order(async |_| {
            let (mut sender, receiver) = oneshot::channel();
            assert!(sender.closed().now_or_never().is_none());
            let watching = started(async move {
                sender.closed().await?;
                Ok(sender.send("unwanted").unwrap_err())
            })
            .await;
            drop(receiver);
            assert_eq!(watching.await?, "unwanted");
            Ok(())
        });
    }

    #[test]
    fn after_close_what_was_sent_before_can_still_be_received() {
        let (sender, mut receiver) = oneshot::channel();
        sender.send(1).unwrap();
        receiver.close();
        assert_eq!(receiver.try_recv(), Ok(Some(1)));
        assert_eq!(receiver.try_recv(), Err(SenderDropped));
        let (sender, mut receiver) = oneshot::channel();
        receiver.close();
        assert!(sender.is_closed());
        assert_eq!(sender.send(1), Err(1));
    }

    /// CX-7
    #[test]
    fn a_cancelled_await_leaves_the_value_for_the_next() {
        in_every_order(async |_| {
            let (sender, mut receiver) = oneshot::channel();
            let task = started(async move {
                let outcome = (&mut receiver).await;
                assert!(outcome.unwrap_err().is_cancelled());
                receiver.await
            })
            .await;
            sender.send(1).unwrap();
            task.cancel();
            assert_eq!(task.await?, 1);
            Ok(())
        });
    }

    #[test]
    fn a_value_that_is_never_seen_is_dropped_with_the_receiver() {
        let alive = Alive::default();
        let (sender, receiver) = oneshot::channel();
        sender.send(alive.guard()).ok().unwrap();
        assert_eq!(alive.get(), 1);
        drop(receiver);
        assert_eq!(alive.get(), 0);
    }
}
