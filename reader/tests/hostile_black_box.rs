//! Black boxes that are cut off, damaged, or made to do harm: whatever is in them, the reader comes back, and soon.
#![cfg(target_os = "linux")]

use homing::{Builder, gather, sleep, task, task_group, timeout};
use homing_executor::outside::file::{CONTENTS_AT, FileHeader, SEGMENT_LIMIT, SEGMENTS_AT, Segment};
use homing_reader::{BlackBoxFile, Error, Reader};
use proptest::prelude::*;
use std::fs;
use std::mem::offset_of;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

/// The black box of a runtime in the middle of its work.
fn specimen() -> &'static [u8] {
    static SPECIMEN: OnceLock<Vec<u8>> = OnceLock::new();
    SPECIMEN.get_or_init(|| {
        let file = Scratch::new("specimen");
        let runtime = Builder::new().black_box(&file.0).on_unhandled(|_| {}).build();
        let copy = runtime.run(async {
            task_group(async |tg| {
                let one = tg.task(timeout(HOUR, sleep(HOUR))).name("one").spawn().share();
                let two = one.clone();
                tg.task(async move { gather((one, two)).await.map(drop) }).name("gathers").spawn();
                task(sleep(HOUR)).name("alone").spawn();
                for _ in 0..1200 {
                    tg.spawn(sleep(HOUR));
                }
                homing::yield_now().await?;
                homing::yield_now().await?;
                let copy = fs::read(&file.0).unwrap();
                tg.cancel();
                Ok(copy)
            })
            .await
        });
        copy.unwrap()
    })
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("homing-hostile-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Reads all there is, and writes it in all ways that there are. How many tasks there were, if it could be read at all.
fn look(name: &str, bytes: &[u8]) -> Result<usize, Error> {
    let file = Scratch::new(name);
    fs::write(&file.0, bytes).unwrap();
    let begin = Instant::now();
    let looked = || {
        let mut reader = Reader::new(Box::new(BlackBoxFile::open(&file.0)?))?;
        let reading = reader.read()?;
        let (table, _) = (reading.table(), reader.busy());
        let _ = (reader.story(), table.tree(), table.to_json(), table.to_dot(), table.to_string());
        Ok(reading.task_count())
    };
    let looked = looked();
    // Usually it is milliseconds.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    looked
}

fn with_word(bytes: &[u8], at: usize, word: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    bytes
}

#[test]
fn a_copy_of_a_black_box_is_as_good() {
    assert_eq!(look("copy", specimen()).unwrap(), 1204);
}

#[test]
fn a_black_box_that_is_cut_off_shows_what_there_is_and_says_so() {
    let whole = specimen();
    let mut counts = Vec::new();
    for length in
        (0..40).map(|part| whole.len() * part / 40).chain([1, 15, 16, 17, 500, SEGMENTS_AT, CONTENTS_AT])
    {
        let count = look("cut-off", &whole[..length]);
        counts.extend(count.ok());
    }
    assert!(counts.iter().any(|count| (1..1204).contains(count)), "{counts:?}");
    let file = Scratch::new("cut-off-story");
    fs::write(&file.0, &whole[..whole.len() / 2]).unwrap();
    let told = homing_reader::open(file.0.to_str().unwrap()).unwrap().story().join("\n");
    assert!(told.contains("the file is shorter than it says"), "{told}");
}

#[test]
fn what_is_no_black_box_is_told() {
    let whole = specimen();
    assert!(matches!(look("empty", &[]), Err(Error::NotABlackBox(..))));
    assert!(matches!(look("zeros", &[0; 65_536]), Err(Error::NotABlackBox(..))));
    let version = offset_of!(FileHeader, version);
    let newer = with_word(whole, version, u64::from_ne_bytes([9, 0, 0, 0, 4, 3, 2, 1]));
    match look("newer", &newer) {
        Err(error @ Error::Version { version: 9, .. }) => {
            assert!(error.to_string().contains("format 9"), "{error}")
        }
        other => panic!("{other:?}"),
    }
    let swapped = with_word(whole, version, u64::from_ne_bytes([1, 0, 0, 0, 1, 2, 3, 4]));
    assert!(matches!(look("swapped", &swapped), Err(Error::NotABlackBox(..))));
    assert!(matches!(
        look("headless", &with_word(whole, offset_of!(FileHeader, header), 1)),
        Err(Error::NoHoming(_))
    ));
}

#[test]
fn segments_that_overlap_or_lie_beyond_all_bounds_do_no_harm() {
    let whole = specimen();
    for words in [
        [0, u64::MAX, 0],
        [u64::MAX, u64::MAX, u64::MAX],
        [1, u64::MAX - 1, u64::MAX - 5],
        [0, u64::MAX / 2, CONTENTS_AT as u64],
    ] {
        // In the place of each of the first, and of all.
        for number in 0..8 {
            let mut bytes = whole.to_vec();
            for (word, value) in words.iter().enumerate() {
                bytes = with_word(&bytes, SEGMENTS_AT + number * size_of::<Segment>() + 8 * word, *value);
            }
            let _ = look("segments", &bytes);
        }
        let count = offset_of!(FileHeader, segment_count);
        let mut bytes = whole.to_vec();
        bytes[count..count + 4].fill(0xFF);
        for number in 8..SEGMENT_LIMIT {
            for (word, value) in words.iter().enumerate() {
                let at = SEGMENTS_AT + number * size_of::<Segment>() + 8 * word;
                bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes());
            }
        }
        let _ = look("all-segments", &bytes);
    }
}

#[test]
fn a_fifo_with_the_name_of_a_black_box_is_not_waited_for() {
    let fifo = Scratch::new("fifo");
    let name = std::ffi::CString::new(fifo.0.to_str().unwrap()).unwrap();
    // SAFETY: the name ends with a zero, and lives until the call has returned.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let begin = Instant::now();
    let made = Builder::new().black_box(&fifo.0).try_build();
    assert!(made.is_err() && begin.elapsed() < Duration::from_secs(5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 64 } else { 512 }))]
    #[test]
    fn bytes_that_are_others_in_its_tables_do_no_harm(
        changes in prop::collection::vec(
            (prop_oneof![0..512_usize, SEGMENTS_AT..SEGMENTS_AT + 256, CONTENTS_AT..500_000], prop_oneof![
                Just(0_u8), Just(1), Just(0x7F), Just(0xFF), any::<u8>(),
            ]),
            1..60,
        )
    ) {
        let mut bytes = specimen().to_vec();
        for (at, value) in changes {
            let at = at % bytes.len();
            // Otherwise it is none at all, and that is seen to elsewhere.
            if at >= 24 {
                bytes[at] = value;
            }
        }
        let _ = look("changed", &bytes);
    }

    #[test]
    fn words_that_point_elsewhere_do_no_harm(
        changes in prop::collection::vec((CONTENTS_AT / 8..500_000_usize / 8, any::<u64>(), any::<prop::sample::Index>()), 1..40)
    ) {
        let whole = specimen();
        let mut bytes = whole.to_vec();
        for (at, random, like) in changes {
            // Some point into the file, where a word at random does not.
            let from = CONTENTS_AT + 8 * like.index((whole.len() - CONTENTS_AT) / 8 - 1);
            let known = u64::from_ne_bytes(whole[from..from + 8].try_into().unwrap());
            let value = if random % 2 == 0 { known } else { random };
            bytes[8 * at..8 * at + 8].copy_from_slice(&value.to_ne_bytes());
        }
        let _ = look("words", &bytes);
    }
}
