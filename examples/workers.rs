//! Three workers share a queue of pages. When there is no more work, they go home.
//!
//! ```text
//! cargo run --example workers
//!
//! 30 pages fetched by 3 workers, 3 at a time at most
//! a worker has failed, and nobody waits for it: /9 answered 503 Service Unavailable
//! ```

use homing::sync::{Queue, QueueShutDown, Shutdown};
use homing::{Except, Result, gather, task_group};
use std::rc::Rc;
use support::{HttpError, Web};

// ANCHOR: lesson
async fn worker(web: Web, queue: Rc<Queue<String>>) -> Result<usize> {
    let mut fetched = 0;
    loop {
        match queue.get().await {
            Ok(path) => web.get(&path).await?,
            Err(error) if error.is::<QueueShutDown>() => return Ok(fetched), // no more work
            Err(error) => return Err(error),
        };
        fetched += 1;
    }
}

async fn fetch_all(web: &Web, paths: impl Iterator<Item = String>) -> Result<[usize; 3]> {
    task_group(async |tg| {
        let queue = Rc::new(Queue::new(5)); // who puts a sixth waits
        let workers = [(); 3].map(|()| tg.spawn(worker(web.clone(), queue.clone())));
        for path in paths {
            queue.put(path).await?;
        }
        queue.shutdown(Shutdown::Drain);
        gather(workers).await
    })
    .await
}

async fn lesson(web: Web) -> Result<()> {
    let fetched = fetch_all(&web, (0..30).map(|page| format!("/{page}?ms=5"))).await?;
    let (pages, workers) = (fetched.iter().sum::<usize>(), fetched.len());
    println!("{pages} pages fetched by {workers} workers, {} at a time at most", web.busiest());

    // One that fails takes the others with it, and whoever waits to put more into the queue.
    let all = (0..).map(|page| format!("/{page}?ms=5{}", if page == 9 { "&status=503" } else { "" }));
    let failed = |caught: homing::ExceptionGroup| {
        println!("a worker has failed, and nobody waits for it: {}", caught.leaves().next().unwrap());
    };
    fetch_all(&web, all).await.except::<HttpError>(failed).end()?;
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
