//! `test_tools.py`.
//!
//! The data are CPython's: tables as it reads them out of another process.

use homing::introspect::{AwaitedBy, Frame, Marks, TableRow, TaskEntry, TaskTable, ThreadTasks};

/// The frames of an await, the innermost first, and who awaits.
type By<'a> = (&'a [&'a str], u64);
/// A task: its id, its name, and who awaits it.
type Entry<'a> = (u64, &'a str, &'a [By<'a>]);

/// `awaiter /path/to/app.py:110`, or only a name.
fn frame(text: &str) -> Frame {
    match text.split_once(' ').and_then(|(name, place)| Some((name, place.rsplit_once(':')?))) {
        Some((name, (file, line))) => Frame::function(name).at(file, line.parse().unwrap()),
        None => Frame::function(text),
    }
}

fn entry(&(id, name, awaited_by): &Entry<'_>) -> TaskEntry {
    let by = |&(stack, awaiter): &By<'_>| AwaitedBy {
        awaiter,
        stack: stack.iter().map(|text| frame(text)).collect(),
        one_of_several: false,
    };
    let awaited_by = awaited_by.iter().map(by).collect();
    TaskEntry { id, name: Some(name.into()), awaited_by, ..TaskEntry::default() }
}

fn table(threads: &[(u64, &[Entry<'_>])]) -> TaskTable {
    let thread = |&(thread, tasks): &(u64, &[Entry<'_>])| ThreadTasks {
        thread,
        name: String::new(),
        tasks: tasks.iter().map(entry).collect(),
    };
    TaskTable { threads: threads.iter().map(thread).collect() }
}

fn cycles(table: &TaskTable) -> Vec<Vec<u64>> {
    table.tree().unwrap_err().cycles().to_vec()
}

/// A row as CPython has it: thread, task, name, frames, awaiter, awaiter's id.
fn short(row: &TableRow) -> (u64, &str, &str, &str, &str, &str) {
    (row.thread, &row.task_id, &row.task_name, &row.awaiter_stack, &row.awaiter_name, &row.awaiter_id)
}

/// Both have tasks of a group in a group, and a task that four of them await.
fn timer_awaited_by_four<'a>(
    first: &'a [&'a str],
    second: &'a [&'a str],
    exit: &'a [&'a str],
    inner_exit: &'a [&'a str],
) -> TaskTable {
    table(&[
        (
            1,
            &[
                (2, "Task-1", &[]),
                (3, "timer", &[(first, 4), (second, 5), (second, 6), (first, 7)]),
                (8, "root1", &[(exit, 2)]),
                (9, "root2", &[(exit, 2)]),
                (4, "child1_1", &[(inner_exit, 8)]),
                (6, "child2_1", &[(inner_exit, 8)]),
                (7, "child1_2", &[(inner_exit, 9)]),
                (5, "child2_2", &[(inner_exit, 9)]),
            ],
        ),
        (0, &[]),
    ])
}

const EXIT: &[&str] = &["_aexit", "__aexit__", "main"];
const INNER_EXIT: &[&str] = &["_aexit", "__aexit__", "blocho_caller", "bloch"];

fn two_roots() -> TaskTable {
    table(&[
        (
            9,
            &[
                (5, "Task-5", &[]),
                (6, "Task-6", &[(&["main2"], 5)]),
                (7, "Task-7", &[(&["main2"], 5)]),
                (8, "Task-8", &[(&["main2"], 5)]),
            ],
        ),
        (
            10,
            &[
                (1, "Task-1", &[]),
                (2, "Task-2", &[(&["main"], 1)]),
                (3, "Task-3", &[(&["main"], 1)]),
                (4, "Task-4", &[(&["main"], 1)]),
            ],
        ),
        (11, &[]),
        (0, &[]),
    ])
}

fn two_roots_one_alone() -> TaskTable {
    table(&[
        (1, &[(2, "Task-5", &[])]),
        (
            3,
            &[
                (4, "Task-1", &[]),
                (5, "Task-2", &[(&["main"], 4)]),
                (6, "Task-3", &[(&["main"], 4)]),
                (7, "Task-4", &[(&["main"], 4)]),
            ],
        ),
        (8, &[]),
        (0, &[]),
    ])
}

fn one_cycle() -> TaskTable {
    table(&[
        (
            1,
            &[
                (2, "Task-1", &[]),
                (3, "a", &[(&["awaiter2"], 4), (&["main"], 2)]),
                (4, "b", &[(&["awaiter"], 3)]),
            ],
        ),
        (0, &[]),
    ])
}

fn two_cycles() -> TaskTable {
    table(&[
        (
            1,
            &[
                (2, "Task-1", &[]),
                (3, "A", &[(&["nested", "nested", "task_b"], 4)]),
                (4, "B", &[(&["nested", "nested", "task_c"], 5), (&["nested", "nested", "task_a"], 3)]),
                (5, "C", &[(&["nested", "nested"], 6)]),
                (6, "Task-2", &[(&["nested", "nested", "task_b"], 4)]),
            ],
        ),
        (0, &[]),
    ])
}

mod test_asyncio_tools_tree {
    use super::*;

    /// Trees of groups in groups, and of several threads (CG-11).
    #[test]
    fn test_asyncio_utils() {
        let first =
            ["awaiter3 /path/to/app.py:130", "awaiter2 /path/to/app.py:120", "awaiter /path/to/app.py:110"];
        let second = [
            "awaiterB3 /path/to/app.py:190",
            "awaiterB2 /path/to/app.py:180",
            "awaiterB /path/to/app.py:170",
        ];
        let expected = "\
└── (T) Task-1
    └──  main
        └──  __aexit__
            └──  _aexit
                ├── (T) root1
                │   └──  bloch
                │       └──  blocho_caller
                │           └──  __aexit__
                │               └──  _aexit
                │                   ├── (T) child1_1
                │                   │   └──  awaiter /path/to/app.py:110
                │                   │       └──  awaiter2 /path/to/app.py:120
                │                   │           └──  awaiter3 /path/to/app.py:130
                │                   │               └── (T) timer
                │                   └── (T) child2_1
                │                       └──  awaiterB /path/to/app.py:170
                │                           └──  awaiterB2 /path/to/app.py:180
                │                               └──  awaiterB3 /path/to/app.py:190
                │                                   └── (T) timer
                └── (T) root2
                    └──  bloch
                        └──  blocho_caller
                            └──  __aexit__
                                └──  _aexit
                                    ├── (T) child1_2
                                    │   └──  awaiter /path/to/app.py:110
                                    │       └──  awaiter2 /path/to/app.py:120
                                    │           └──  awaiter3 /path/to/app.py:130
                                    │               └── (T) timer
                                    └── (T) child2_2
                                        └──  awaiterB /path/to/app.py:170
                                            └──  awaiterB2 /path/to/app.py:180
                                                └──  awaiterB3 /path/to/app.py:190
                                                    └── (T) timer";
        let table = timer_awaited_by_four(&first, &second, EXIT, INNER_EXIT);
        assert_eq!(table.tree().unwrap(), [expected.lines().collect::<Vec<_>>()]);

        let five = [
            "└── (T) Task-5",
            "    └──  main2",
            "        ├── (T) Task-6",
            "        ├── (T) Task-7",
            "        └── (T) Task-8",
        ];
        let one = [
            "└── (T) Task-1",
            "    └──  main",
            "        ├── (T) Task-2",
            "        ├── (T) Task-3",
            "        └── (T) Task-4",
        ];
        assert_eq!(two_roots().tree().unwrap(), [five, one]);
        assert_eq!(two_roots_one_alone().tree().unwrap(), [&["└── (T) Task-5"][..], &one[..]]);
    }

    /// Circles are told, and nothing is drawn (CG-13).
    #[test]
    fn test_asyncio_utils_cycles() {
        assert_eq!(cycles(&one_cycle()), [[4, 3, 4]]);
        assert_eq!(cycles(&two_cycles()), [vec![4, 3, 4], vec![4, 6, 5, 4]]);
        let told = two_cycles().tree().unwrap_err().to_string();
        assert!(told.ends_with("cycle: B → A → B\ncycle: B → Task-2 → C → B"), "{told}");
    }
}

mod test_asyncio_tools_table {
    use super::*;

    /// Rows of all of them, circles or not (CG-12).
    #[test]
    fn test_asyncio_utils() {
        let first = ["awaiter3", "awaiter2", "awaiter"];
        let second = ["awaiter1_3", "awaiter1_2", "awaiter1"];
        let table = timer_awaited_by_four(&first, &second, EXIT, INNER_EXIT);
        let exit = "_aexit -> __aexit__ -> main";
        let inner = "_aexit -> __aexit__ -> blocho_caller -> bloch";
        assert_eq!(
            table.rows().iter().map(short).collect::<Vec<_>>(),
            [
                (1, "0x2", "Task-1", "", "", "0x0"),
                (1, "0x3", "timer", "awaiter3 -> awaiter2 -> awaiter", "child1_1", "0x4"),
                (1, "0x3", "timer", "awaiter1_3 -> awaiter1_2 -> awaiter1", "child2_2", "0x5"),
                (1, "0x3", "timer", "awaiter1_3 -> awaiter1_2 -> awaiter1", "child2_1", "0x6"),
                (1, "0x3", "timer", "awaiter3 -> awaiter2 -> awaiter", "child1_2", "0x7"),
                (1, "0x8", "root1", exit, "Task-1", "0x2"),
                (1, "0x9", "root2", exit, "Task-1", "0x2"),
                (1, "0x4", "child1_1", inner, "root1", "0x8"),
                (1, "0x6", "child2_1", inner, "root1", "0x8"),
                (1, "0x7", "child1_2", inner, "root2", "0x9"),
                (1, "0x5", "child2_2", inner, "root2", "0x9"),
            ]
        );
        assert_eq!(
            two_roots().rows().iter().map(short).collect::<Vec<_>>(),
            [
                (9, "0x5", "Task-5", "", "", "0x0"),
                (9, "0x6", "Task-6", "main2", "Task-5", "0x5"),
                (9, "0x7", "Task-7", "main2", "Task-5", "0x5"),
                (9, "0x8", "Task-8", "main2", "Task-5", "0x5"),
                (10, "0x1", "Task-1", "", "", "0x0"),
                (10, "0x2", "Task-2", "main", "Task-1", "0x1"),
                (10, "0x3", "Task-3", "main", "Task-1", "0x1"),
                (10, "0x4", "Task-4", "main", "Task-1", "0x1"),
            ]
        );
        assert_eq!(
            two_roots_one_alone().rows().iter().map(short).collect::<Vec<_>>(),
            [
                (1, "0x2", "Task-5", "", "", "0x0"),
                (3, "0x4", "Task-1", "", "", "0x0"),
                (3, "0x5", "Task-2", "main", "Task-1", "0x4"),
                (3, "0x6", "Task-3", "main", "Task-1", "0x4"),
                (3, "0x7", "Task-4", "main", "Task-1", "0x4"),
            ]
        );
        assert_eq!(
            one_cycle().rows().iter().map(short).collect::<Vec<_>>(),
            [
                (1, "0x2", "Task-1", "", "", "0x0"),
                (1, "0x3", "a", "awaiter2", "b", "0x4"),
                (1, "0x3", "a", "main", "Task-1", "0x2"),
                (1, "0x4", "b", "awaiter", "a", "0x3"),
            ]
        );
        assert_eq!(
            two_cycles().rows().iter().map(short).collect::<Vec<_>>(),
            [
                (1, "0x2", "Task-1", "", "", "0x0"),
                (1, "0x3", "A", "nested -> nested -> task_b", "B", "0x4"),
                (1, "0x4", "B", "nested -> nested -> task_c", "C", "0x5"),
                (1, "0x4", "B", "nested -> nested -> task_a", "A", "0x3"),
                (1, "0x5", "C", "nested -> nested", "Task-2", "0x6"),
                (1, "0x6", "Task-2", "nested -> nested -> task_b", "B", "0x4"),
            ]
        );
    }
}

mod test_asyncio_tools_basic {
    use super::*;

    /// No tasks, no trees (CG-11).
    #[test]
    fn test_empty_input_tree() {
        assert_eq!(TaskTable::default().tree().unwrap(), Vec::<Vec<String>>::new());
    }

    /// No tasks, no rows (CG-12).
    #[test]
    fn test_empty_input_table() {
        assert_eq!(TaskTable::default().rows(), []);
    }

    /// A tree each (CG-11).
    #[test]
    fn test_only_independent_tasks_tree() {
        let table = table(&[(1, &[(10, "taskA", &[]), (11, "taskB", &[])])]);
        assert_eq!(table.tree().unwrap(), [["└── (T) taskA"], ["└── (T) taskB"]]);
    }

    /// A row each (CG-12).
    #[test]
    fn test_only_independent_tasks_table() {
        let rows = table(&[(1, &[(10, "taskA", &[]), (11, "taskB", &[])])]).rows();
        assert_eq!(
            rows.iter().map(short).collect::<Vec<_>>(),
            [(1, "0xa", "taskA", "", "", "0x0"), (1, "0xb", "taskB", "", "", "0x0")]
        );
    }

    /// One task is a tree of a line (CG-11).
    #[test]
    fn test_single_task_tree() {
        assert_eq!(table(&[(1, &[(2, "Task-1", &[])])]).tree().unwrap(), [["└── (T) Task-1"]]);
    }

    /// One task is a row (CG-12).
    #[test]
    fn test_single_task_table() {
        let rows = table(&[(1, &[(2, "Task-1", &[])])]).rows();
        assert_eq!(rows.iter().map(short).collect::<Vec<_>>(), [(1, "0x2", "Task-1", "", "", "0x0")]);
    }

    /// Two tasks that await one another (CG-13).
    #[test]
    fn test_cycle_detection() {
        let table = table(&[(1, &[(2, "Task-1", &[(&["main"], 3)]), (3, "Task-2", &[(&["main"], 2)])])]);
        assert_eq!(cycles(&table), [[3, 2, 3]]);
    }

    fn complex() -> TaskTable {
        table(&[(
            1,
            &[(2, "Task-1", &[]), (3, "Task-2", &[(&["main"], 2)]), (4, "Task-3", &[(&["main"], 3)])],
        )])
    }

    /// A chain of three (CG-11).
    #[test]
    fn test_complex_tree() {
        assert_eq!(
            complex().tree().unwrap(),
            [[
                "└── (T) Task-1",
                "    └──  main",
                "        └── (T) Task-2",
                "            └──  main",
                "                └── (T) Task-3",
            ]]
        );
    }

    /// The same in rows (CG-12).
    #[test]
    fn test_complex_table() {
        assert_eq!(
            complex().rows().iter().map(short).collect::<Vec<_>>(),
            [
                (1, "0x2", "Task-1", "", "", "0x0"),
                (1, "0x3", "Task-2", "main", "Task-1", "0x2"),
                (1, "0x4", "Task-3", "main", "Task-2", "0x3"),
            ]
        );
    }

    /// All frames between two tasks, the outermost first (CG-11).
    #[test]
    fn test_deep_coroutine_chain() {
        let chain: &[&str] = &["c1", "c2", "c3", "c4", "c5"];
        let table = table(&[(1, &[(10, "leaf", &[(chain, 11)]), (11, "root", &[])])]);
        assert_eq!(
            table.tree().unwrap(),
            [[
                "└── (T) root",
                "    └──  c5",
                "        └──  c4",
                "            └──  c3",
                "                └──  c2",
                "                    └──  c1",
                "                        └── (T) leaf",
            ]]
        );
    }

    /// A circle of three in which there is one of two (CG-13).
    #[test]
    fn test_multiple_cycles_same_node() {
        let table = table(&[(
            1,
            &[
                (1, "Task-A", &[(&["call1"], 2)]),
                (2, "Task-B", &[(&["call2"], 3)]),
                (3, "Task-C", &[(&["call3"], 1), (&["call4"], 2)]),
            ],
        )]);
        let all_three = |cycle: &Vec<u64>| [1, 2, 3].iter().all(|task| cycle.contains(task));
        assert!(cycles(&table).iter().any(all_three));
    }

    /// What the columns hold (CG-12).
    ///
    /// Stands in: fields with types of their own for the elements of a list.
    #[test]
    fn test_table_output_format() {
        let table = table(&[(1, &[(1, "Task-A", &[(&["foo"], 2)]), (2, "Task-B", &[])])]);
        for row in table.rows() {
            assert_eq!(row.thread, 1);
            assert!(row.task_id.starts_with("0x") && row.awaiter_id.starts_with("0x"), "{row:?}");
        }
        let text = table.to_string();
        let columns: Vec<_> =
            text.lines().next().unwrap().split("  ").filter(|head| !head.is_empty()).collect();
        assert_eq!(columns.len(), 7, "{text}");
    }
}

mod test_asyncio_tools_edge_cases {
    use super::*;

    /// A circle of one (CG-13).
    #[test]
    fn test_task_awaits_self() {
        let table = table(&[(1, &[(1, "Self-Awaiter", &[(&["loopback"], 1)])])]);
        assert_eq!(cycles(&table), [[1, 1]]);
    }

    /// An awaiter that the table does not have (CG-12); the tree has it as a root, so that nothing is lost from sight.
    #[test]
    fn test_task_with_missing_awaiter_id() {
        let table = table(&[(1, &[(1, "Task-A", &[(&["coro"], 999)])])]);
        let rows = table.rows();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].awaiter_name, "Unknown");
        assert_eq!(table.tree().unwrap()[0][0], "└── (T) Unknown 0x3e7");
    }

    /// The same frame below two tasks is two (CG-11).
    #[test]
    fn test_duplicate_coroutine_frames() {
        let table = table(&[(
            1,
            &[(1, "Task-1", &[(&["frameA"], 2), (&["frameA"], 3)]), (2, "Task-2", &[]), (3, "Task-3", &[])],
        )]);
        let tree = table.tree().unwrap();
        assert_eq!(tree[0], ["└── (T) Task-2", "    └──  frameA", "        └── (T) Task-1"]);
        assert_eq!(tree[1], ["└── (T) Task-3", "    └──  frameA", "        └── (T) Task-1"]);
    }

    /// A task whose name is not known (CG-11).
    #[test]
    fn test_task_with_no_name() {
        let mut table = table(&[(1, &[(1, "root", &[(&["f1"], 2)]), (2, "", &[])])]);
        table.threads[0].tasks[1].name = None;
        assert_eq!(table.tree().unwrap()[0][0], "└── (T) None");
    }

    /// Other marks (CG-11).
    #[test]
    fn test_tree_rendering_with_custom_emojis() {
        let table = table(&[(1, &[(1, "MainTask", &[(&["f1", "f2"], 2)]), (2, "SubTask", &[])])]);
        let tree = table.tree_with(Marks { task: "🧵", frame: "🔁" }).unwrap();
        assert_eq!(
            tree,
            [["└── 🧵 SubTask", "    └── 🔁 f2", "        └── 🔁 f1", "            └── 🧵 MainTask",]]
        );
    }
}
