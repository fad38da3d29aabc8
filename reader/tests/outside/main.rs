//! Tasks read out of other processes: healthy ones, hung ones, stopped ones, dead ones.
//!
//! The programs that are looked into are this very file, run with a name in the environment (see `programs`).

mod commands;
mod programs;
mod target;

#[cfg(target_os = "linux")]
mod boxes;
#[cfg(target_os = "linux")]
mod tests;

#[cfg(target_os = "linux")]
fn main() {
    if let Ok(program) = std::env::var(target::VARIABLE) {
        return programs::run(&program);
    }
    tests::run_all();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("NOT TESTED: the memory of other processes can be read on Linux only");
}
