//! A cache in front of the web: what is in it is there at once, without a turn of the loop.
//!
//! ```text
//! cargo run --example eager_cache
//!
//! cold: 0 of 3 were there at once; <user> <orders> <news>
//! warm: 3 of 3 were there at once; <user> <orders> <news>
//! ```

use homing::{Result, gather_iter, task};
use std::{cell::RefCell, collections::HashMap, rc::Rc};
use support::Web;

// ANCHOR: lesson
#[derive(Clone)]
struct CachedWeb {
    web: Web,
    pages: Rc<RefCell<HashMap<&'static str, String>>>,
}

impl CachedWeb {
    async fn get(self, path: &'static str) -> Result<String> {
        let cached = self.pages.borrow().get(path).cloned();
        if let Some(page) = cached {
            return Ok(page);
        }
        let page = self.web.get(path).await?;
        self.pages.borrow_mut().insert(path, page.clone());
        Ok(page)
    }
}

async fn lesson(web: Web) -> Result<()> {
    let web = CachedWeb { web, pages: Rc::default() };
    for cache in ["cold", "warm"] {
        // Eager: the first poll happens inside `spawn`. Whoever finds a page in the cache has ended then.
        let tasks = ["/user", "/orders", "/news"].map(|path| task(web.clone().get(path)).eager().spawn());
        let at_once = tasks.iter().filter(|task| task.is_finished()).count();
        let pages = gather_iter(tasks).await?;
        println!("{cache}: {at_once} of {} were there at once; {}", pages.len(), pages.join(" "));
    }
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
