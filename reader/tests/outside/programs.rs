//! The programs that are looked into.

use homing::introspect::Framed;
use homing::sync::{Mutex, Queue, Semaphore};
use homing::{Result, gather, sleep, spawn, task, task_group, timeout, yield_now};
use std::rc::Rc;
use std::time::Duration;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Tasks in the program `many`.
pub(crate) const MANY: usize = 100_000;

/// Names the file of its black box, if it is to have one.
pub(crate) const BOX: &str = "HOMING_LOOKED_INTO_BOX";
/// Tasks in the program `crowd` that never end; each has others one after the other.
pub(crate) const CROWD: usize = 10_000;
/// Tasks in the program `no room`.
pub(crate) const NO_ROOM_FOR: usize = 60_000;

pub(crate) fn run(program: &str) {
    match program {
        "healthy" => runtime().run(async { everything(async || say_ready()).await }).unwrap(),
        "stuck" => runtime().run(stuck()).unwrap(),
        "threads" => threads(),
        "churn" => runtime().run(churn()).unwrap(),
        "crowd" => runtime().run(crowd()).unwrap(),
        "many" => runtime().run(many(MANY, false)).unwrap(),
        "many named" => runtime().run(many(MANY, true)).unwrap(),
        #[cfg(target_os = "linux")]
        "no room" => {
            limit_files(4 << 20);
            runtime().run(many(NO_ROOM_FOR, false)).unwrap();
        }
        #[cfg(target_os = "linux")]
        "no room at all" => {
            // Enough to begin with, and not for any constants.
            limit_files((512 << 10) + 4096);
            say_ready();
            let error = builder().try_build().unwrap_err();
            assert!(error.to_string().contains("could not be made"), "{error}");
            println!("no room");
            std::thread::sleep(HOUR);
        }
        "in use" => {
            say_ready();
            let error = builder().try_build().unwrap_err();
            println!(
                "{}",
                if error.to_string().contains("another runtime") { "in use" } else { "something else" }
            );
            std::thread::sleep(HOUR);
        }
        "kept" => {
            homing::run(async { task(sleep(Duration::from_millis(1))).spawn().await }).unwrap();
            say_ready();
            std::thread::sleep(HOUR);
        }
        other => panic!("no program {other}"),
    }
}

fn builder() -> homing::Builder {
    match std::env::var_os(BOX) {
        Some(path) => homing::Builder::new().black_box(path),
        None => homing::Builder::new(),
    }
}

fn runtime() -> homing::Runtime {
    builder().build()
}

/// Files of this process shall not become larger.
#[cfg(target_os = "linux")]
fn limit_files(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: it reads the limit, which is there.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
}

fn say_ready() {
    println!("ready");
}

async fn fetch(cache: Rc<Mutex<u32>>) -> Result<u32> {
    sleep(HOUR).await?;
    Ok(*cache.lock().await?)
}

/// One of each: a group with a name, timeouts, a lock, a queue, tasks that wait for one or several; several leaves in one
/// task. When all stand, `look` is called.
pub(crate) async fn everything(look: impl AsyncFnOnce()) -> Result<()> {
    let cache = Rc::new(Mutex::new(7));
    let queue: Rc<Queue<u32>> = Rc::new(Queue::unbounded());
    homing::TaskGroup::builder()
        .name("pages")
        .run(async |tg| {
            let user = tg.task(fetch(cache.clone())).name("user").spawn().share();
            let theirs = user.clone();
            tg.task(timeout(HOUR, async move { theirs.await.map(drop) })).name("orders").spawn();
            let holds = cache.clone();
            tg.task(async move {
                let _held = holds.lock().await?;
                sleep(2 * HOUR).await
            })
            .name("holds the lock")
            .spawn();
            let wants = cache.clone();
            tg.task(async move { wants.lock().await.map(drop) }).name("wants the lock").spawn();
            let framed = async { sleep(HOUR).frame("reading").await }.frame("GET /orders");
            tg.task(framed).name("framed").spawn();
            let semaphore = Rc::new(Semaphore::new(7));
            let mut permits = Vec::new();
            for number in [1, 2, 1, 3] {
                permits.push(semaphore.acquire_owned(number).await?);
            }
            tg.task(async move { semaphore.acquire().await.map(drop) }).name("wants permits").spawn();
            let lost = Rc::new(Mutex::new(()));
            let theirs = lost.clone();
            tg.spawn(async move {
                std::mem::forget(theirs.lock().await?);
                Ok(())
            });
            tg.task(async move {
                yield_now().await?;
                lost.lock().await.map(drop)
            })
            .name("wants what was forgotten")
            .spawn();
            let empty = queue.clone();
            tg.task(async move { empty.get().await.map(drop) }).name("größer 'als' \"sonst\"\n").spawn();
            let (one, two) = (user.clone(), user.clone());
            tg.task(async move { gather((one, two)).await.map(drop) }).name("gathers").spawn();
            tg.task(async {
                let several = [1, 2, 3, 4, 5, 6].map(|hours| sleep(hours * HOUR));
                futures_util::future::join_all(several).await.into_iter().collect::<Result<()>>()
            })
            .name("several")
            .spawn();
            tg.task(async {
                timeout(
                    HOUR,
                    task_group(async |inner| {
                        inner.task(std::future::pending::<Result<()>>()).name("foreign").spawn();
                        timeout(2 * HOUR, sleep(3 * HOUR)).await
                    }),
                )
                .await
            })
            .name("nests")
            .spawn();
            spawn(async { sleep(HOUR).await });
            let asked = task(async {
                let _ = sleep(HOUR).await;
                sleep(5 * HOUR).await
            })
            .name("asked to cancel")
            .spawn();
            for _ in 0..3 {
                yield_now().await?;
            }
            asked.cancel();
            yield_now().await?;
            look().await;
            sleep(HOUR).await?;
            drop(permits);
            Ok(())
        })
        .await
}

async fn stuck() -> Result<()> {
    everything(async || {
        task(async {
            say_ready();
            spin()
        })
        .name("busy")
        .spawn();
    })
    .await
}

/// Never returns, and never looks at anything.
fn spin() -> Result<()> {
    let mut number = 1_u64;
    loop {
        number = std::hint::black_box(number.wrapping_mul(3));
    }
}

fn threads() {
    let threads = ["one", "two", "three"].map(|name| {
        let run = move || {
            homing::run(async {
                task(sleep(HOUR)).name(format!("of {name}")).spawn();
                sleep(HOUR).await
            })
            .unwrap();
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(run).unwrap()
    });
    std::thread::sleep(Duration::from_millis(300));
    say_ready();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Some tasks that never change, among very many that do all the time.
async fn churn() -> Result<()> {
    for number in 0..100 {
        task(timeout(HOUR, sleep(HOUR))).name(format!("steady {number}")).spawn();
    }
    yield_now().await?;
    say_ready();
    loop {
        task_group(async |tg| {
            for number in 0..20 {
                tg.task(async move {
                    timeout(HOUR, async {
                        let (a, b) = futures_util::future::join(yield_now(), yield_now()).await;
                        a.and(b)
                    })
                    .await
                })
                .name(format!("quick {number}"))
                .spawn();
            }
            Ok(())
        })
        .await?;
    }
}

async fn crowd() -> Result<()> {
    task_group(async |tg| {
        for number in 0..CROWD {
            let member = tg.task(async {
                loop {
                    let child = task(timeout(HOUR, yield_now())).name("child").spawn();
                    child.await?;
                    sleep(Duration::from_millis(1)).await?;
                }
                #[expect(unreachable_code, reason = "it says of which type this is")]
                Ok(())
            });
            member.name(format!("member {number}")).spawn();
        }
        tg.task(async {
            let listener = homing::net::TcpListener::bind("127.0.0.1:0")?;
            listener.accept().await?;
            Ok(())
        })
        .name("listens")
        .spawn();
        sleep(Duration::from_millis(100)).await?;
        say_ready();
        sleep(HOUR).await
    })
    .await
}

/// Idle tasks in groups, a thousand in each.
async fn many(count: usize, named: bool) -> Result<()> {
    task_group(async |outer| {
        for number in 0..count / 1000 {
            outer.spawn(task_group(async move |tg| {
                for rank in 0..1000 - 1 {
                    let nap = tg.task(sleep(HOUR));
                    if named {
                        nap.name(format!("nap {number}.{rank}")).spawn()
                    } else {
                        nap.spawn()
                    };
                }
                sleep(HOUR).await
            }));
        }
        yield_now().await?;
        yield_now().await?;
        say_ready();
        println!("still here");
        sleep(HOUR).await
    })
    .await
}
