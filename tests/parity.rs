//! CPython's traces, replayed: every scenario of the corpus goes as it does with asyncio.

#[path = "parity/corpus.rs"]
mod corpus;
#[path = "parity/interpreter.rs"]
mod interpreter;

use interpreter::Verdict;

#[test]
fn every_scenario_gives_the_traces_that_cpython_gives() {
    replay(None);
}

#[test]
fn no_scenario_depends_on_the_order_of_things_at_one_instant() {
    (1..=3).for_each(|seed| replay(Some(seed)));
}

fn replay(seed: Option<u64>) {
    let scenarios = corpus::read("tests/parity/visible.jsonl.gz".as_ref()).unwrap();
    assert!(scenarios.len() > 2000, "the corpus is there");
    let mut failed = 0;
    for scenario in &scenarios {
        if let Verdict::Different(tasks) = interpreter::check(scenario, seed) {
            failed += 1;
            println!("{}", scenario["name"]);
            for (task, expected, actual) in tasks {
                println!("  {task}\n    CPython {expected}\n    homing  {actual}");
            }
        }
    }
    assert_eq!(failed, 0, "of {} scenarios, with seed {seed:?}", scenarios.len());
}
