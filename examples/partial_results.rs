//! A dashboard shows what it can get: one service fails, one is too slow, and the page is there all the same.
//!
//! ```text
//! cargo run --example partial_results
//!
//! user      <user>
//! orders    /orders answered 503 Service Unavailable
//! settings  <settings>
//! news      too late
//! ```

use homing::{Result, gather_iter, timeout};
use std::time::Duration;
use support::Web;

// ANCHOR: lesson
async fn lesson(web: Web) -> Result<()> {
    let services = ["/user?ms=20", "/orders?ms=10&status=503", "/settings?ms=40", "/news?ms=5000"];
    // Each has its own limit, and all of them run at once.
    let limit = Duration::from_millis(500);
    let fetches = services.map(|service| timeout(limit, web.get(service)));
    let outcomes = gather_iter(fetches).return_exceptions().await?;

    for (service, outcome) in services.iter().zip(outcomes) {
        let name = service[1..].split('?').next().unwrap();
        match outcome {
            Ok(page) => println!("{name:<9} {page}"),
            Err(error) if error.is_timeout() => println!("{name:<9} too late"),
            Err(error) => println!("{name:<9} {error}"),
        }
    }
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
