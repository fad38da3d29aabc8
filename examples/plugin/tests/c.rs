//! A program in C loads the plugin, and hosts it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where Cargo has put the library for this test.
fn library_folder() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_program_in_c_hosts_it() {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    if Command::new(&compiler).arg("--version").output().is_err() {
        eprintln!(
            "\n!!! NOT TESTED: there is no C compiler ({compiler}) here to build a host for the plugin with. !!!\n"
        );
        return;
    }
    let (folder, here) = (library_folder(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let program = folder.join("homing_plugin_host");
    let mut rpath = std::ffi::OsString::from("-Wl,-rpath,");
    rpath.push(&folder);
    run(Command::new(&compiler)
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror", "-I"])
        .arg(here.join("include"))
        .arg(here.join("tests/host.c"))
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(&folder)
        .args(["-lhoming_plugin".as_ref(), rpath.as_os_str()]));

    let output = run(&mut Command::new(&program));
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = printed.lines().collect();
    // Which of those that are left is cancelled first, is not said anywhere.
    lines[4..6].sort_unstable();
    assert_eq!(
        lines,
        [
            "first: cancelled",
            "second: answer 'you said hello'",
            "third: answer 'you said from a callback'",
            "fourth: timed out",
            "fifth: cancelled",
            "sixth: cancelled",
            "6 answers",
        ]
    );
    let turns = String::from_utf8(output.stderr).unwrap();
    let turns: u32 = turns.trim().strip_suffix(" turns").unwrap().parse().unwrap();
    assert!((4..100).contains(&turns), "{turns} turns");
}
