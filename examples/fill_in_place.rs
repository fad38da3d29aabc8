//! Three pages at once, each written where it belongs: the tasks borrow from the function that waits for them.
//!
//! ```text
//! cargo run --example fill_in_place
//!
//! cocoa: <cocoa>
//! coffee: <coffee>
//! tea: <tea>
//! ```

use homing::{Result, scope};
use std::collections::BTreeMap;
use support::Web;

// ANCHOR: lesson
async fn lesson(web: Web) -> Result<()> {
    let mut pages = BTreeMap::from(["tea", "coffee", "cocoa"].map(|drink| (drink, String::new())));
    scope(async |s| {
        let web = &web;
        for (drink, page) in &mut pages {
            s.spawn(async move {
                // Nothing is cloned or locked: this task has `page` to itself until the scope ends.
                *page = web.get(&format!("/{drink}?ms=5")).await?;
                Ok(())
            });
        }
        Ok(())
    })
    .await?;
    for (drink, page) in &pages {
        println!("{drink}: {page}");
    }
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
