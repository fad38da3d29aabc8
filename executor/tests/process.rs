//! Other processes: how they begin and end, what goes to and fro, and that none stays behind.
#![cfg(unix)]

mod support;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use homing::process::{Child, Command, OnDrop, Stdio};
use homing::signal::SignalKind;
use homing::{Error, Result, timeout};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use support::millis;

fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    homing::run(timeout(Duration::from_secs(30), main))
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// One that ends when it is told to, and not before.
fn endless() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000");
    command
}

/// Whether there is such a process, be it a zombie.
fn exists(id: u32) -> bool {
    // SAFETY: sends nothing, asks only.
    unsafe { libc::kill(id as libc::pid_t, 0) == 0 }
}

/// Soon there is no such process, not even a zombie.
async fn is_gone(id: u32) -> Result<()> {
    let begin = Instant::now();
    while exists(id) {
        assert!(begin.elapsed() < Duration::from_secs(10), "process {id} is still there");
        homing::sleep(millis(2)).await?;
    }
    Ok(())
}

fn kind(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().unwrap_or_else(|| panic!("{error:#}")).kind()
}

#[test]
fn a_child_that_ends_is_heard_of_and_gone() {
    run(async {
        let mut child = shell("exit 7").spawn()?;
        let id = child.id();
        assert_eq!(child.wait().await?.code(), Some(7));
        assert!(!exists(id));
        // As often as you like.
        assert_eq!(child.wait().await?.code(), Some(7));
        assert_eq!(child.try_wait()?.unwrap().code(), Some(7));
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_that_has_ended_before_anybody_waits_is_heard_of_as_well() {
    run(async {
        let mut child = shell("exit 3").spawn()?;
        std::thread::sleep(millis(50));
        assert_eq!(child.wait().await?.code(), Some(3));
        Ok(())
    })
    .unwrap();
}

#[test]
fn other_tasks_go_on_while_one_waits() {
    run(async {
        let mut child = endless().spawn()?;
        assert!(child.try_wait()?.is_none());
        let id = child.id();
        let waiter = homing::spawn(async move { child.wait().await });
        homing::sleep(millis(2)).await?;
        let graph = homing::introspect::format_call_graph_of(&waiter);
        assert!(graph.contains(&format!("process {id}")), "{graph}");
        // SAFETY: the child has not been waited for.
        unsafe { libc::kill(id as libc::pid_t, libc::SIGTERM) };
        assert_eq!(waiter.await?.signal(), Some(libc::SIGTERM));
        Ok(())
    })
    .unwrap();
}

#[test]
fn output_is_all_that_it_wrote_however_much() {
    run(async {
        let script =
            "i=0; while [ $i -lt 20000 ]; do echo 0123456789; echo abcdefghij >&2; i=$((i+1)); done; exit 4";
        let output = shell(script).output().await?;
        assert_eq!((output.stdout.len(), output.stderr.len()), (220_000, 220_000));
        assert_eq!(output.status.code(), Some(4));
        Ok(())
    })
    .unwrap();
}

#[test]
fn output_gives_it_nothing_to_read_unless_told_otherwise() {
    run(async {
        assert_eq!(Command::new("cat").output().await?.stdout, b"");
        let file = std::fs::File::open("Cargo.toml")?;
        let mut command = Command::new("cat");
        assert!(!command.stdin(file).output().await?.stdout.is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_is_said_and_what_is_heard_go_on_at_once() {
    run(async {
        let input: Vec<u8> = (0..1_000_000_u32).map(|place| place as u8).collect();
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.communicate(&input).await?;
        assert!(output.stdout == input && output.status.success());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_child_that_does_not_want_to_hear_it_all_is_no_error() {
    run(async {
        let mut child =
            shell("exec <&-; echo enough").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.communicate(&vec![0; 1_000_000]).await?;
        assert_eq!(output.stdout, b"enough\n");
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_pipes_are_what_the_ecosystem_reads_and_writes() {
    run(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        stdin.write_all(b"hello").await?;
        let mut heard = [0; 5];
        stdout.read_exact(&mut heard).await?;
        assert_eq!(&heard, b"hello");
        stdin.close().await?;
        assert_eq!(
            kind(&AsyncWriteExt::write(&mut stdin, b"more").await.unwrap_err().into()),
            io::ErrorKind::BrokenPipe
        );
        let mut rest = Vec::new();
        AsyncReadExt::read_to_end(&mut stdout, &mut rest).await?;
        assert!(rest.is_empty() && child.wait().await?.success());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_pipe_that_is_full_makes_its_writer_wait_and_one_that_nobody_reads_is_broken() {
    run(async {
        let mut child = endless().stdin(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take().unwrap();
        let error = timeout(millis(20), stdin.write_all(&vec![0; 10_000_000])).await.unwrap_err();
        assert!(error.is_timeout());
        child.kill()?;
        child.wait().await?;
        assert_eq!(kind(&stdin.write(b"x").await.unwrap_err()), io::ErrorKind::BrokenPipe);
        Ok(())
    })
    .unwrap();
}

#[test]
fn waiting_closes_its_stdin_so_that_it_may_end() {
    run(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        assert!(child.wait().await?.success());
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_childs_output_may_be_the_next_ones_input() {
    run(async {
        let mut first = shell("echo pear; echo apple").stdout(Stdio::piped()).spawn()?;
        let between = first.stdout.take().unwrap().into_blocking()?;
        let output = Command::new("sort").stdin(between).output().await?;
        assert_eq!(output.stdout, b"apple\npear\n");
        first.wait().await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_read_has_read_nothing() {
    run(async {
        let mut child = shell("sleep 0.05; echo late").stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().unwrap();
        let mut buffer = [0; 16];
        assert!(timeout(millis(1), stdout.read(&mut buffer)).await.unwrap_err().is_timeout());
        assert_eq!(stdout.read(&mut buffer).await?, 5);
        child.wait().await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_program_that_is_not_there_says_which() {
    run(async {
        let error = Command::new("/no/such/program").spawn().unwrap_err();
        assert_eq!(kind(&error), io::ErrorKind::NotFound);
        assert!(error.notes().any(|note| note.contains("/no/such/program")), "{error:#}");
        assert!(Command::new("/no/such/program").output().await.is_err());
        assert!(Command::new("/no/such/program").status().await.is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn surroundings_are_as_told() {
    run(async {
        let mut command = shell("echo $WORD $PWD");
        command.env_clear().env("WORD", "here").env("PATH", "/usr/bin:/bin").current_dir("/");
        assert_eq!(command.output().await?.stdout, b"here /\n");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_child_that_is_dropped_is_killed_and_leaves_no_zombie() {
    run(async {
        let child = endless().spawn()?;
        let id = child.id();
        drop(child);
        is_gone(id).await
    })
    .unwrap();
}

#[test]
fn the_end_of_run_waits_for_children_that_were_killed_by_a_drop() {
    let id = run(async {
        let child = endless().spawn()?;
        Ok(child.id())
    })
    .unwrap();
    assert!(!exists(id), "neither a process nor a zombie");
}

#[test]
fn dropped_outside_of_a_runtime_it_is_killed_and_reaped_as_well() {
    let child = endless().spawn().unwrap();
    let id = child.id();
    drop(child);
    assert!(!exists(id));
}

#[test]
fn one_that_is_to_be_left_goes_on_and_is_reaped_when_it_ends() {
    run(async {
        let child = endless().on_drop(OnDrop::Leave).spawn()?;
        let id = child.id();
        drop(child);
        homing::sleep(millis(20)).await?;
        assert!(exists(id));
        // SAFETY: it runs, and nobody but its reaper waits for it.
        unsafe { libc::kill(id as libc::pid_t, libc::SIGKILL) };
        is_gone(id).await
    })
    .unwrap();
}

#[test]
fn one_that_is_left_when_its_runtime_ends_is_reaped_by_the_next() {
    let id = run(async { Ok(endless().on_drop(OnDrop::Leave).spawn()?.id()) }).unwrap();
    assert!(exists(id));
    // SAFETY: as above.
    unsafe { libc::kill(id as libc::pid_t, libc::SIGKILL) };
    run(async {
        let begin = Instant::now();
        while exists(id) && begin.elapsed() < Duration::from_secs(10) {
            Command::new("true").status().await?;
        }
        Ok(assert!(!exists(id)))
    })
    .unwrap();
}

#[test]
fn a_cancelled_wait_leaves_the_child_as_it_was() {
    run(async {
        let mut child = endless().spawn()?;
        assert!(timeout(millis(5), async { child.wait().await }).await.unwrap_err().is_timeout());
        assert!(child.try_wait()?.is_none());
        child.kill()?;
        assert_eq!(child.wait().await?.signal(), Some(libc::SIGKILL));
        child.kill() // nobody is there, and nobody else has its id
    })
    .unwrap();
}

/// A shell that says it is ready, and then does as it likes with SIGTERM.
async fn ready(script: &str) -> Result<Child> {
    let mut command = shell(script);
    // Its own group: the shell's `sleep` would otherwise keep the pipe open when the shell is gone.
    command.as_std_mut().process_group(0);
    let child = command.stdout(Stdio::piped()).spawn()?;
    let mut word = [0; 6];
    let mut stdout = child.stdout.as_ref().unwrap();
    stdout.read_exact(&mut word).await?;
    Ok(child)
}

#[test]
fn stop_asks_first_and_kills_what_does_not_listen() {
    run(async {
        let mut polite = ready("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done").await?;
        assert_eq!(polite.stop(Duration::from_secs(20)).await?.code(), Some(5));
        let mut deaf = ready("trap '' TERM; echo ready; while :; do sleep 0.01; done").await?;
        assert_eq!(deaf.stop(millis(30)).await?.signal(), Some(libc::SIGKILL));
        let mut surprised = ready("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done").await?;
        assert_eq!(surprised.stop(Duration::ZERO).await?.signal(), Some(libc::SIGKILL));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_stop_that_is_cancelled_kills_at_once_and_waits_all_the_same() {
    run(async {
        let mut deaf = ready("trap '' TERM; echo ready; while :; do sleep 0.01; done").await?;
        let id = deaf.id();
        let stopping = homing::spawn(async move { deaf.stop(Duration::from_secs(1000)).await });
        homing::sleep(millis(10)).await?;
        assert!(exists(id));
        stopping.cancel();
        assert!(stopping.await.unwrap_err().is_cancelled());
        assert!(!exists(id));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_status_or_output_sees_the_child_home_first() {
    run(async {
        for grace in [Duration::from_secs(20), Duration::ZERO] {
            let mut command = endless();
            command.grace(grace).stdout(Stdio::piped());
            for future in [0, 1] {
                let before = children().unwrap_or_default();
                let task = match future {
                    0 => {
                        let status = command.status();
                        homing::spawn(async { status.await.map(drop) })
                    }
                    _ => {
                        let output = command.output();
                        homing::spawn(async { output.await.map(drop) })
                    }
                };
                homing::sleep(millis(5)).await?;
                let mut started = children();
                started.iter_mut().for_each(|ids| ids.retain(|id| !before.contains(id)));
                assert!(started.as_ref().is_none_or(|ids| !ids.is_empty()));
                task.cancel();
                assert!(task.await.unwrap_err().is_cancelled());
                let left = children().unwrap_or_default();
                assert!(
                    started.into_iter().flatten().all(|id| !left.contains(&id)),
                    "a process or a zombie is left"
                );
            }
        }
        Ok(())
    })
    .unwrap();
}

/// The children of this thread, which are those that it has started; `None` where the kernel does not tell.
fn children() -> Option<Vec<u32>> {
    match std::fs::read_to_string("/proc/thread-self/children") {
        Ok(text) => Some(text.split_whitespace().filter_map(|id| id.parse().ok()).collect()),
        Err(_) => {
            eprintln!("!!! NOT CHECKED: this kernel does not list a thread's children !!!");
            None
        }
    }
}

/// A future whose task is asked to cancel at one of its polls: before it, so that the request is pending then, or after it,
/// so that it finds what the poll has parked.
struct CancelledAt<F> {
    future: Pin<Box<F>>,
    polls_left: usize,
    moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Before,
    After,
}

impl<F: Future> Future for CancelledAt<F> {
    type Output = (F::Output, usize);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let is_due = |this: &Self, moment| this.moment == moment && this.polls_left == 0;
        let cancel = || homing::current().unwrap().cancel();
        if is_due(this, Moment::Before) {
            cancel();
        }
        let polled = this.future.as_mut().poll(cx);
        if is_due(this, Moment::After) && polled.is_pending() {
            cancel();
        }
        // Wrapped around, it is due no more.
        this.polls_left = this.polls_left.wrapping_sub(1);
        polled.map(|output| (output, this.polls_left))
    }
}

/// At whichever poll of an exchange the cancel comes, the child has ended, and been waited for, when the task has.
#[test]
fn a_cancel_at_every_await_of_an_exchange_leaves_no_process() {
    let input = vec![b'x'; 300_000];
    for moment in [Moment::Before, Moment::After] {
        for polls_left in 0.. {
            let said = input.clone();
            let was_cancelled = run(async move {
                let mut child = Command::new("cat")
                    .grace(millis(200))
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()?;
                let id = child.id();
                let task = homing::spawn(async move {
                    let exchange = Box::pin(child.communicate(&said));
                    let (outcome, _) = CancelledAt { future: exchange, polls_left, moment }.await;
                    // Before the handle is gone: by what the exchange itself does.
                    assert!(!exists(id), "the child is still there");
                    outcome
                });
                match task.await {
                    Ok(output) => Ok(assert_eq!(output.stdout.len(), 300_000)).map(|()| false),
                    Err(error) if error.is_cancelled() => Ok(true),
                    Err(error) => Err(error),
                }
            })
            .unwrap();
            if !was_cancelled {
                assert!(polls_left > 2, "{moment:?}: it was over after {polls_left} polls");
                break;
            }
        }
    }
}

#[test]
fn an_aborted_exchange_kills_the_child() {
    run(async {
        for turns in 0..6 {
            let mut child = endless().stdout(Stdio::piped()).spawn()?;
            let id = child.id();
            let task = homing::spawn(async move { child.communicate(b"").await });
            support::yields(turns).await?;
            task.abort();
            is_gone(id).await?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn two_hundred_children_that_end_at_once_are_all_heard_of() {
    run(async {
        let before = children();
        let codes = homing::task_group(async |tg| {
            let mut tasks = Vec::new();
            for number in 0..200 {
                let script = format!("read line; exit {}", number % 100);
                let mut child = shell(&script).stdin(Stdio::piped()).spawn()?;
                tasks.push(tg.spawn(async move { child.wait().await }));
            }
            // Their input was closed by the waits: they all end now.
            let mut codes = Vec::new();
            for task in tasks {
                codes.push(task.await?.code().unwrap());
            }
            Ok(codes)
        })
        .await?;
        assert_eq!(codes, (0..200).map(|number| number % 100).collect::<Vec<_>>());
        assert_eq!(children(), before, "none of them is left, as a process or as a zombie");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_listener_to_sigchld_and_the_waits_do_not_disturb_each_other() {
    run(async {
        let mut any_child = homing::signal::unix(SignalKind::CHILD)?;
        let status = shell("exit 9").status().await?;
        any_child.recv().await?;
        assert_eq!(status.code(), Some(9));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_child_of_somebody_elses_in_this_program_is_left_alone() {
    run(async {
        let mut others = std::process::Command::new("true").spawn()?;
        Command::new("true").status().await?;
        homing::sleep(millis(20)).await?;
        assert!(others.wait()?.success());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_wait_outside_of_a_runtime_is_an_error_if_it_would_have_to_wait() {
    let mut child = endless().spawn().unwrap();
    let polled = support::poll_once(Pin::new(&mut child.wait()));
    let Poll::Ready(Err(error)) = polled else { panic!() };
    assert_eq!(error.downcast_ref(), Some(&homing::RuntimeError::NoRuntime));
}
