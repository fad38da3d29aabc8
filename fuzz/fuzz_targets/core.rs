//! Core files of any contents, and what is read out of the memory that they say they are of.
#![no_main]

#[path = "../../reader/tests/hostile/made_up.rs"]
mod made_up;

use homing_reader::CoreFile;
use libfuzzer_sys::fuzz_target;
use made_up::{core_of, look, piece};
use std::path::PathBuf;
use std::sync::LazyLock;

/// The file that is read, again and again another one.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("homing-fuzz-{}", std::process::id())));

// What the input says is not in place of a core file that is in order, but on top of it (exclusive or): so an input of zeros
// is one, and what is kept of the corpus does not depend on where the header's fields happen to be.
fuzz_target!(|input: &[u8]| {
    let mut file = core_of(&piece(&[0; 256]));
    if input.len() > file.len() {
        file.resize(input.len(), 0);
    }
    file.iter_mut().zip(input).for_each(|(byte, change)| *byte ^= change);
    if std::fs::write(&*FILE, &file).is_ok()
        && let Ok(core) = CoreFile::open(&FILE)
    {
        look(core);
    }
});
