//! An order takes three steps at once: the stock, the card, the courier. All succeed, or none has happened.
//!
//! ```text
//! cargo run --example all_or_nothing
//!
//! stock: reserved
//! card: stopped midway, and released
//! stock: given back
//! no order: /courier answered 503 Service Unavailable
//! ```

use homing::{Except, Result, task_group};
use std::{cell::RefCell, rc::Rc};
use support::{HttpError, Web};

// ANCHOR: lesson
/// What has succeeded, and would have to be undone.
type Done = Rc<RefCell<Vec<&'static str>>>;

async fn step(web: Web, name: &'static str, path: &'static str, done: Done) -> Result<()> {
    match web.get(path).await {
        Ok(_) => {
            println!("{name}: reserved");
            done.borrow_mut().push(name);
            Ok(())
        }
        Err(error) if error.is_cancelled() => {
            // Asked to stop, once. Awaits work again: to clean up, and then to go.
            web.get("/release").await?;
            println!("{name}: stopped midway, and released");
            Err(error)
        }
        Err(error) => Err(error),
    }
}

async fn lesson(web: Web) -> Result<()> {
    let done = Done::default();
    let order = task_group(async |tg| {
        tg.spawn(step(web.clone(), "stock", "/stock?ms=10", done.clone()));
        tg.spawn(step(web.clone(), "card", "/card?ms=5000", done.clone()));
        tg.spawn(step(web.clone(), "courier", "/courier?ms=200&status=503", done.clone()));
        Ok("ordered")
    })
    .await;
    // Here all three have ended, each in its own way: nothing can still change.
    if order.is_err() {
        for name in done.take().iter().rev() {
            web.get("/give-back").await?;
            println!("{name}: given back");
        }
    }
    order.except::<HttpError>(|caught| println!("no order: {}", caught.errors()[0])).end()?;
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
