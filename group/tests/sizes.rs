//! What the futures of blocks take in memory: the body once, and little more.

use homing::{Result, TaskGroup, TimeoutScope, sleep, task_group, timeout, timeout_scope};
use std::time::Duration;

/// What a block needs beside its body, at most: the steps of its exit, its scope and deadline.
const BLOCK: usize = 160;

fn captured() -> [u8; 1000] {
    [1; 1000]
}

/// A body that has captured a kilobyte, and keeps it across an await.
macro_rules! body {
    ($state:ident) => {
        async move |_| {
            sleep(Duration::ZERO).await?;
            Ok($state[0])
        }
    };
}

fn sleeping() -> usize {
    size_of_val(&sleep(Duration::ZERO))
}

#[test]
fn a_groups_future_is_its_body_and_a_constant() {
    let state = captured();
    let at_most = size_of_val(&state) + sleeping() + BLOCK;
    assert!(size_of_val(&task_group(body!(state))) <= at_most);
    assert!(size_of_val(&TaskGroup::new().run(body!(state))) <= at_most);
    assert!(size_of_val(&TaskGroup::new().run_until_cancelled(body!(state))) <= at_most);
    assert!(size_of_val(&TaskGroup::builder().limit(1).run(body!(state))) <= at_most);
}

#[test]
fn a_timeouts_future_is_its_body_and_a_constant() {
    let state = captured();
    let at_most = size_of_val(&state) + sleeping() + BLOCK;
    let future = async move {
        sleep(Duration::ZERO).await?;
        Ok(state[0])
    };
    assert!(size_of_val(&timeout(Duration::ZERO, future)) <= at_most);
    assert!(size_of_val(&timeout_scope(Duration::ZERO, body!(state))) <= at_most);
    assert!(size_of_val(&TimeoutScope::new(None).run(body!(state))) <= at_most);
}

/// Each level adds itself, and does not double what is in it.
#[test]
fn blocks_in_blocks_add_up() {
    let state = captured();
    let one = task_group(async |_| {
        sleep(Duration::ZERO).await?;
        Ok(state[0])
    });
    let four = task_group(async |_| {
        timeout(
            Duration::ZERO,
            task_group(async |_| {
                timeout_scope(Duration::ZERO, async |_| {
                    sleep(Duration::ZERO).await?;
                    Ok(state[0])
                })
                .await
            }),
        )
        .await
    });
    let (one, four) = (size_of_val(&one), size_of_val(&four));
    assert!(four <= one + 3 * (BLOCK + 64), "{one} bytes for one block, {four} for four");
}

/// A value has its room in the exit, and a place in the body; and it is not kept anywhere else.
#[test]
fn a_value_is_in_it_once_more() {
    let value = size_of_val(&task_group(async |_| -> Result<[u8; 1000]> { Ok(captured()) }));
    assert!(value <= 2 * 1000 + BLOCK, "{value} bytes");
}
