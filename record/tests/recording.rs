//! What is recorded, in each of the formats.

use homing::record::{Format, Record, Recorder};
use homing::{Builder, Error, Result, TaskGroup, sleep, spawn, task, task_group, timeout, yield_now};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A directory that goes when the test does.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("homing-record-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// A page of two parts, of which one fails and the other is cancelled for it, within a time limit.
async fn failing_page() -> Result<()> {
    let page = TaskGroup::builder().name("page").run(async |tg| {
        tg.task(sleep(1000 * MILLISECOND)).name("user").spawn();
        tg.task(async {
            sleep(MILLISECOND).await?;
            Err::<(), _>(Error::msg("the <database> is gone"))
        })
        .name("orders")
        .spawn();
        Ok(())
    });
    let outcome = timeout(100 * MILLISECOND, page).await;
    assert!(outcome.unwrap_err().as_group().is_some());
    Ok(())
}

/// Runs it with a recorder, and gives what that has written.
fn recorded(
    test: &str,
    recorder: impl FnOnce(Recorder) -> Recorder,
    main: impl Future<Output = Result<()>>,
) -> String {
    let directory = Directory::new(test);
    let recorder = recorder(Recorder::new(directory.file("trace")));
    Builder::new().virtual_time().observe(recorder).build().run(main).unwrap();
    directory.read("trace")
}

/// The data of a page: what its script shows.
fn data(page: &str) -> Value {
    let begin = page.find(r#"<script id="data" type="application/json">"#).unwrap();
    let rest = &page[begin..];
    let from = rest.find('>').unwrap() + 1;
    let to = rest.find("</script>").unwrap();
    serde_json::from_str(&rest[from..to]).unwrap()
}

fn in_steps(test: &str, main: impl Future<Output = Result<()>>) -> Value {
    data(&recorded(test, |recorder| recorder.format(Format::Page).steps(), main))
}

fn names(value: &Value) -> Vec<&str> {
    value["lanes"].as_array().unwrap().iter().map(|lane| lane["name"].as_str().unwrap()).collect()
}

fn lane<'a>(value: &'a Value, name: &str) -> &'a Value {
    value["lanes"].as_array().unwrap().iter().find(|lane| lane["name"] == name).unwrap()
}

fn text<'a>(value: &'a Value, number: &Value) -> &'a str {
    value["strings"][number.as_u64().unwrap() as usize].as_str().unwrap()
}

/// What a lane does, stretch by stretch.
fn doings(value: &Value, name: &str) -> Vec<String> {
    let segments = lane(value, name)["segments"].as_array().unwrap();
    segments
        .iter()
        .map(|segment| match segment["what"].is_null() {
            true => segment["kind"].as_str().unwrap().to_owned(),
            false => format!("wait for {}", text(value, &segment["what"])),
        })
        .collect()
}

#[test]
fn a_lane_tells_a_tasks_life_stretch_by_stretch() {
    let value = in_steps("stretches", async {
        let nap = task(async {
            yield_now().await?;
            sleep(MILLISECOND).await
        })
        .name("nap")
        .spawn();
        nap.await
    });
    assert_eq!(names(&value), ["main", "nap"]);
    assert_eq!(doings(&value, "main"), ["ready", "poll", "wait for task 'nap'", "ready", "poll"]);
    assert_eq!(
        doings(&value, "nap"),
        ["ready", "poll", "ready", "poll", "wait for a timer", "ready", "poll"]
    );
    assert_eq!(lane(&value, "nap")["outcome"], "value");
    let waits = lane(&value, "nap")["segments"][4].clone();
    assert!(text(&value, &waits["place"]).contains("recording.rs"), "the place of the await: {waits}");
}

#[test]
fn stretches_follow_one_another_and_blocks_are_around_their_lanes() {
    let value = in_steps("blocks", failing_page());
    assert_eq!(names(&value), ["main", "user", "orders"]);
    for lane in value["lanes"].as_array().unwrap() {
        let mut end = lane["from"].as_u64().unwrap();
        for segment in lane["segments"].as_array().unwrap() {
            assert!(
                segment["from"].as_u64().unwrap() >= end && segment["to"].as_u64() > segment["from"].as_u64()
            );
            end = segment["to"].as_u64().unwrap();
        }
        assert!(lane["to"].as_u64().unwrap() >= end);
    }
    let blocks = value["blocks"].as_array().unwrap();
    let kinds: Vec<&str> = blocks.iter().map(|block| text(&value, &block["kind"])).collect();
    assert_eq!(kinds, ["timeout", "group"]);
    assert_eq!(
        (&blocks[1]["lane"], &blocks[1]["last"]),
        (&Value::from(0), &Value::from(2)),
        "around both children"
    );
    assert_eq!(blocks[1]["parent"], 0, "the group is within the timeout");
    assert_eq!(text(&value, &blocks[1]["name"]), "page");
}

#[test]
fn a_failure_its_cancel_and_all_ends_are_to_be_seen() {
    let value = in_steps("ends", failing_page());
    assert_eq!(lane(&value, "orders")["outcome"], "failed");
    assert_eq!(text(&value, &lane(&value, "orders")["error"]), "the <database> is gone");
    assert_eq!(lane(&value, "user")["outcome"], "cancelled");
    let why = &lane(&value, "user")["requests"][0][1];
    assert!(text(&value, why).contains("page"), "who has asked: {}", text(&value, why));
}

#[test]
fn arrows_lead_from_who_did_it_to_the_poll_that_came_of_it() {
    let value = in_steps("arrows", async {
        let (sender, receiver) = homing::sync::oneshot::channel();
        let waiter = task(receiver).name("waiter").spawn();
        yield_now().await?;
        assert!(sender.send(()).is_ok());
        waiter.await
    });
    let (main, waiter) = (Value::from(0), Value::from(1));
    let arrows: Vec<(&str, &Value, &Value)> = value["arrows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arrow| (arrow["kind"].as_str().unwrap(), &arrow["lane"], &arrow["to_lane"]))
        .collect();
    assert_eq!(
        arrows,
        [("spawn", &main, &waiter), ("wake", &main, &waiter), ("wake", &waiter, &main)],
        "spawned; sent to; and its end wakes main"
    );
    for arrow in value["arrows"].as_array().unwrap() {
        let target = &value["lanes"][arrow["to_lane"].as_u64().unwrap() as usize];
        let polls = target["segments"].as_array().unwrap().iter().filter(|segment| segment["kind"] == "poll");
        assert!(
            polls.clone().any(|poll| poll["from"] == arrow["to"]),
            "it ends where a poll begins: {arrow}"
        );
    }
}

#[test]
fn children_of_nested_groups_stand_below_their_own_parents() {
    let value = in_steps("nested", async {
        task_group(async |outer| {
            outer.task(sleep(MILLISECOND)).name("first").spawn();
            outer
                .task(async {
                    task_group(async |inner| {
                        inner.task(sleep(MILLISECOND)).name("grandchild").spawn();
                        Ok(())
                    })
                    .await
                })
                .name("second")
                .spawn();
            task_group(async |inner| {
                inner.task(sleep(MILLISECOND)).name("inner child").spawn();
                Ok(())
            })
            .await?;
            outer.task(sleep(MILLISECOND)).name("last").spawn();
            Ok(())
        })
        .await
    });
    assert_eq!(names(&value), ["main", "first", "second", "grandchild", "last", "inner child"]);
    let depths: Vec<u64> =
        value["lanes"].as_array().unwrap().iter().map(|lane| lane["depth"].as_u64().unwrap()).collect();
    assert_eq!(depths, [0, 1, 1, 2, 1, 1]);
}

#[test]
fn a_task_that_has_not_ended_is_drawn_to_the_end() {
    let directory = Directory::new("unended");
    let runtime = Builder::new().on_unhandled(|_| {}).record(directory.file("trace.html")).build();
    runtime
        .block_on(async {
            task(std::future::pending::<Result<()>>()).name("stays").spawn();
            yield_now().await?;
            yield_now().await
        })
        .unwrap();
    drop(runtime);
    let value = data(&directory.read("trace.html"));
    let stays = lane(&value, "stays");
    // Dropped with its runtime, it ended cancelled; before that, it waited for something unknown.
    assert_eq!(stays["outcome"], "cancelled");
    assert_eq!(doings(&value, "stays"), ["ready", "poll", "wait for a future of another library"]);
}

#[test]
fn beyond_the_limit_events_are_counted_and_the_program_goes_on() {
    let page = recorded("limit", |recorder| recorder.format(Format::Page).limit(100), async {
        for _ in 0..1000 {
            spawn(async { Ok(()) }).await?;
        }
        Ok(())
    });
    let value = data(&page);
    let left_out = value["left_out"].as_u64().unwrap();
    assert!(left_out > 3000, "{left_out}");
    assert!(value["lanes"].as_array().unwrap().len() < 100);
}

#[test]
fn two_thousand_tasks_are_a_page_of_some_megabytes_and_each_has_its_lane() {
    let begin = Instant::now();
    let page = recorded("crowd", |recorder| recorder.format(Format::Page), async {
        task_group(async |crowd| {
            for number in 0..100 {
                let team = TaskGroup::builder().name(format!("team {number}"));
                let members = team.run(async move |team| {
                    for member in 0..19 {
                        let nap = timeout(1000 * MILLISECOND, sleep((number + member) * MILLISECOND));
                        team.task(nap).name(format!("member {number}.{member}")).spawn();
                    }
                    Ok(())
                });
                crowd.task(members).name(format!("leader {number}")).spawn();
            }
            Ok(())
        })
        .await
    });
    // Usually it is a part of a second; something quadratic would be minutes.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert!(page.len() < 4 << 20, "{} bytes", page.len());
    let value = data(&page);
    assert_eq!(value["left_out"], 0);
    let leaders = (0..100).map(|number| format!("leader {number}"));
    let members = (0..100).flat_map(|number| (0..19).map(move |member| format!("member {number}.{member}")));
    let expected: BTreeSet<String> = leaders.chain(members).chain(["main".to_owned()]).collect();
    let lanes: BTreeSet<String> = names(&value).into_iter().map(str::to_owned).collect();
    assert_eq!((lanes.len(), names(&value).len()), (2001, 2001), "each has one, and only one");
    assert_eq!(lanes, expected);
    let ended = |lane: &Value| lane["outcome"] == "value" && !lane["segments"].as_array().unwrap().is_empty();
    assert!(value["lanes"].as_array().unwrap().iter().all(ended), "and is seen from its spawn to its end");
    let groups =
        value["blocks"].as_array().unwrap().iter().filter(|block| text(&value, &block["kind"]) == "group");
    assert_eq!(groups.count(), 101);
}

#[test]
fn the_trace_is_what_perfetto_reads() {
    let trace = recorded("perfetto", |recorder| recorder.format(Format::Perfetto), failing_page());
    let value: Value = serde_json::from_str(&trace).unwrap();
    let events = value["traceEvents"].as_array().unwrap();
    let mut by_phase: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events {
        *by_phase.entry(event["ph"].as_str().unwrap()).or_default() += 1;
        assert_eq!(event["pid"], 1, "{event}");
        if event["ph"] != "M" {
            assert!(event["ts"].is_number(), "{event}");
        }
    }
    let phases: Vec<&str> = by_phase.keys().copied().collect();
    assert_eq!(phases, ["M", "X", "b", "e", "f", "i", "s"]);
    assert_eq!((by_phase["b"], by_phase["s"]), (by_phase["e"], by_phase["f"]), "what begins also ends");
    let names: BTreeSet<&str> = events
        .iter()
        .filter(|event| event["name"] == "thread_name")
        .map(|event| event["args"]["name"].as_str().unwrap().trim())
        .collect();
    assert_eq!(names, ["main", "orders", "the runtime", "user"].into());
    // Slices of one thread must not overlap, or they are not shown.
    let mut ends: BTreeMap<u64, f64> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let (thread, at) = (event["tid"].as_u64().unwrap(), event["ts"].as_f64().unwrap());
        let end = ends.entry(thread).or_default();
        assert!(at >= *end - 1e-6, "{event} begins before {end}");
        *end = at + event["dur"].as_f64().unwrap();
    }
}

#[test]
fn the_page_needs_nothing_else_and_no_name_breaks_out_of_its_data() {
    let evil = "</script><script>alert(1)</script><!--";
    let page = recorded("evil", |recorder| recorder.format(Format::Page), async {
        task(async { Ok(()) }).name(evil).spawn().await
    });
    assert_eq!(names(&data(&page)), ["main", evil]);
    assert!(!page.contains("alert(1)</script>"), "the only script ends are the page's own");
    assert_eq!(page.matches("</script>").count(), 2);
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "nothing is fetched: {outside}");
    }
}

#[test]
fn a_drawing_is_the_same_each_time_and_well_formed() {
    let draw = || recorded("drawing", |recorder| recorder.format(Format::Drawing).steps(), failing_page());
    let drawing = draw();
    assert!(drawing.starts_with("<svg") && drawing.ends_with("</svg>\n"));
    assert_eq!(drawing, draw());
    assert!(drawing.contains("the &lt;database&gt; is gone"));
    for (tag, what) in
        [("rect class=\"poll\"", "polls"), ("class=\"cancel\"", "cancels"), ("group 'page'", "names")]
    {
        assert!(drawing.contains(tag), "{what} are drawn");
    }
    let opened = drawing.matches("<text").count();
    assert_eq!(opened, drawing.matches("</text>").count());
}

#[test]
fn the_files_name_says_the_format() {
    let directory = Directory::new("formats");
    for (name, begins) in [("a.json", "{"), ("b.html", "<!doctype html>"), ("c.svg", "<svg"), ("d", "{")] {
        Builder::new().record(directory.file(name)).build().block_on(async { Ok(()) }).unwrap();
        assert!(directory.read(name).starts_with(begins), "{name}");
    }
}

#[test]
fn a_file_that_cannot_be_written_does_not_fail_the_program() {
    let nowhere = PathBuf::from("/nonexistent/directory/trace.json");
    let outcome = Builder::new().record(&nowhere).build().block_on(async { Ok(7) });
    assert_eq!(outcome.unwrap(), 7);
    assert!(!nowhere.exists());
}
