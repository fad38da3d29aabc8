//! Files: that what is read and written is all there, whoever is cancelled.

mod support;

use futures_util::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, FutureExt, StreamExt};
use homing::blocking::BlockingOptions;
use homing::fs::{self, File, OpenOptions};
use homing::{Builder, Error, Result, spawn_blocking, timeout};
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use support::Reports;

/// A directory of its own, gone in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("homing-fs-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    homing::run(timeout(Duration::from_secs(30), main))
}

fn kind(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().unwrap_or_else(|| panic!("{error:#}")).kind()
}

/// Bytes in which each place tells where it is.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place.wrapping_mul(31) ^ (place >> 8)) as u8).collect()
}

async fn open_both(path: &Path) -> Result<File> {
    File::open_with(OpenOptions::new().read(true).write(true).create(true).truncate(true), path).await
}

#[test]
fn the_functions_do_what_the_standard_librarys_do() {
    let scratch = Scratch::new();
    run(async {
        let (file, copy, moved) = (scratch.path("file"), scratch.path("copy"), scratch.path("moved"));
        fs::write(&file, b"text").await?;
        assert_eq!(
            (fs::read(&file).await?, fs::read_to_string(&file).await?),
            (b"text".to_vec(), "text".into())
        );
        assert_eq!(fs::copy(&file, &copy).await?, 4);
        fs::rename(&copy, &moved).await?;
        assert_eq!((fs::try_exists(&copy).await?, fs::try_exists(&moved).await?), (false, true));
        fs::hard_link(&file, &copy).await?;
        let meta = fs::metadata(&copy).await?;
        assert!(meta.is_file() && meta.len() == 4);
        let mut permissions = meta.permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&moved, permissions).await?;
        assert!(fs::metadata(&moved).await?.permissions().readonly());
        let deep = scratch.path("a/b/c");
        fs::create_dir_all(&deep).await?;
        fs::create_dir(deep.join("d")).await?;
        fs::remove_dir(deep.join("d")).await?;
        fs::remove_dir_all(scratch.path("a")).await?;
        assert!(!fs::try_exists(scratch.path("a")).await?);
        #[cfg(unix)]
        {
            fs::symlink(&file, scratch.path("link")).await?;
            assert_eq!(fs::read_link(scratch.path("link")).await?, file);
            assert!(fs::symlink_metadata(scratch.path("link")).await?.is_symlink());
            assert_eq!(fs::canonicalize(scratch.path("link")).await?, file.canonicalize()?);
        }
        fs::remove_file(&file).await
    })
    .unwrap();
}

#[test]
fn an_error_says_which_path_it_is_about() {
    let scratch = Scratch::new();
    run(async {
        let path = scratch.path("nowhere");
        let errors = [
            fs::read(&path).await.map(drop).unwrap_err(),
            fs::remove_dir_all(&path).await.unwrap_err(),
            fs::rename(&path, scratch.path("x")).await.unwrap_err(),
            File::open(&path).await.map(drop).unwrap_err(),
            fs::read_dir(&path).next().await.unwrap().map(drop).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(kind(&error), io::ErrorKind::NotFound);
            assert!(error.notes().any(|note| note.contains("nowhere")), "{error:#}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_directory_is_read_to_its_end() {
    let scratch = Scratch::new();
    run(async {
        for count in [0, 1, 127, 128, 129, 400] {
            let directory = scratch.path(&format!("with {count}"));
            std::fs::create_dir(&directory)?;
            for number in 0..count {
                std::fs::write(directory.join(number.to_string()), [])?;
            }
            let names: Vec<_> =
                fs::read_dir(&directory).map(|entry| entry.unwrap().file_name()).collect().await;
            assert_eq!(names.len(), count);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_is_written_in_pieces_is_read_in_other_pieces() {
    let scratch = Scratch::new();
    run(async {
        let all = pattern(1_000_000);
        let path = scratch.path("file");
        let mut file = File::create(&path).await?;
        for piece in all.chunks(77_777) {
            file.write_all(piece).await?;
        }
        file.flush().await?;
        assert_eq!(file.metadata().await?.len(), 1_000_000);
        let mut file = File::open(&path).await?;
        let (mut read, mut buffer) = (Vec::new(), vec![0; 300_000]);
        for length in [1, 2, 999, 300_000].into_iter().cycle() {
            match file.read(&mut buffer[..length]).await? {
                0 => break,
                length => read.extend_from_slice(&buffer[..length]),
            }
        }
        assert!(read == all);
        assert_eq!(file.read(&mut buffer).await?, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn reading_writing_and_seeking_agree_on_where_they_are() {
    let scratch = Scratch::new();
    run(async {
        let mut file = open_both(&scratch.path("file")).await?;
        file.write_all(b"0123456789").await?;
        assert_eq!(file.stream_position().await?, 10);
        assert_eq!(file.seek(SeekFrom::Start(2)).await?, 2);
        let mut three = [0; 3];
        file.read_exact(&mut three).await?;
        assert_eq!((&three, file.stream_position().await?), (b"234", 5));
        file.write_all(b"xx").await?;
        assert_eq!(file.seek(SeekFrom::Current(1)).await?, 8);
        assert_eq!(file.seek(SeekFrom::End(-10)).await?, 0);
        let mut all = String::new();
        file.read_to_string(&mut all).await?;
        assert_eq!(all, "01234xx789");
        assert_eq!(
            kind(&file.seek(SeekFrom::Current(-100)).await.unwrap_err().into()),
            io::ErrorKind::InvalidInput
        );
        file.set_len(3).await?;
        file.sync_all().await?;
        assert_eq!(file.into_std().await?.metadata()?.len(), 3);
        Ok(())
    })
    .unwrap();
}

#[cfg(unix)]
#[test]
fn places_can_be_read_and_written_without_moving_anything() {
    let scratch = Scratch::new();
    run(async {
        let file = open_both(&scratch.path("file")).await?;
        file.write_all_at(5, *b"hello").await?;
        let (first, second) = (file.read_at(0, 7), file.read_at(7, 100));
        assert_eq!((first.await?, second.await?), (b"\0\0\0\0\0he".to_vec(), b"llo".to_vec()));
        Ok(assert!(file.read_at(100, 1).await?.is_empty()))
    })
    .unwrap();
}

/// Whatever the moment of the cancel, each byte is read once.
#[test]
fn cancelled_reads_lose_no_byte_and_have_none_twice() {
    let scratch = Scratch::new();
    run(async {
        let all = pattern(200_000);
        let path = scratch.path("file");
        fs::write(&path, all.clone()).await?;
        let mut file = File::open(&path).await?;
        let (mut read, mut cancels) = (Vec::new(), 0);
        for round in 0_u64.. {
            let mut buffer = [0; 1000];
            // Often no time at all: on a quick machine a thread has read before the smallest limit is over.
            let limit = Duration::from_micros(if round % 2 == 0 { 0 } else { round % 60 });
            match timeout(limit, async { Ok(file.read(&mut buffer).await?) }).await {
                Ok(0) => break,
                Ok(length) => read.extend_from_slice(&buffer[..length]),
                Err(error) => {
                    assert!(error.is_timeout(), "{error:#}");
                    cancels += 1;
                }
            }
        }
        assert!(read == all, "{} bytes", read.len());
        assert!(cancels > 0);
        Ok(())
    })
    .unwrap();
}

/// Polls an operation once, while the only thread for jobs is busy, so that it cannot be over; and drops it.
async fn begun_and_dropped(operation: impl Future) -> Result<()> {
    let (ends, busy) = mpsc::channel::<()>();
    let held = spawn_blocking(move || Ok(busy.recv().is_err()));
    assert!(operation.now_or_never().is_none());
    drop(ends);
    held.await.map(|ended| assert!(ended))
}

fn run_with_one_thread<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    let one = BlockingOptions::new().threads(1);
    Builder::new().blocking(one).build().run(timeout(Duration::from_secs(20), main))
}

/// A dropped read has read 4096 bytes ahead. They are the next one's, also after a seek that could not be.
#[test]
fn a_seek_that_fails_loses_no_byte_that_was_read_ahead() {
    let scratch = Scratch::new();
    run_with_one_thread(async {
        let all = pattern(10_000);
        let path = scratch.path("file");
        fs::write(&path, all.clone()).await?;
        let too_far = SeekFrom::Current(-20_000);

        let mut file = File::open(&path).await?;
        begun_and_dropped(file.read(&mut [0; 4096])).await?;
        let error = Error::from(file.seek(too_far).await.unwrap_err());
        assert_eq!(kind(&error), io::ErrorKind::InvalidInput);
        let mut read = Vec::new();
        file.read_to_end(&mut read).await?;
        assert!(read == all, "{} bytes", read.len());

        // The seek is dropped as well: the next operation tells of it.
        let mut file = File::open(&path).await?;
        begun_and_dropped(file.read(&mut [0; 4096])).await?;
        file.flush().await?;
        begun_and_dropped(file.seek(too_far)).await?;
        let error = Error::from(file.read(&mut [0; 1]).await.unwrap_err());
        assert_eq!(kind(&error), io::ErrorKind::InvalidInput);
        assert_eq!(file.stream_position().await?, 0);

        // One that is dropped and succeeds takes the read along with it.
        begun_and_dropped(file.read(&mut [0; 4096])).await?;
        file.flush().await?;
        begun_and_dropped(file.seek(SeekFrom::Start(5000))).await?;
        let mut ten = [0; 10];
        file.read_exact(&mut ten).await?;
        assert_eq!(ten, all[5000..5010]);
        Ok(())
    })
    .unwrap();
}

/// Likewise written: a write that was cancelled has taken nothing over.
#[test]
fn cancelled_writes_have_not_happened() {
    let scratch = Scratch::new();
    run(async {
        let path = scratch.path("file");
        let mut file = File::create(&path).await?;
        let (mut expected, mut cancels) = (Vec::new(), 0);
        for round in 0..600_u64 {
            let piece = [round as u8; 500];
            let limit = Duration::from_micros(round % 40);
            match timeout(limit, async { Ok(file.write(&piece).await?) }).await {
                Ok(length) => expected.extend_from_slice(&piece[..length]),
                Err(error) => {
                    assert!(error.is_timeout(), "{error:#}");
                    cancels += 1;
                }
            }
        }
        file.close().await?;
        assert!(fs::read(&path).await? == expected);
        assert!(cancels > 0 && !expected.is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_file_that_is_dropped_still_writes_what_it_has_taken_over() {
    let scratch = Scratch::new();
    let path = scratch.path("file");
    run(async {
        let mut file = File::create(&path).await?;
        file.write_all(&pattern(100_000)).await?;
        drop(file);
        Ok(())
    })
    .unwrap();
    assert!(std::fs::read(&path).unwrap() == pattern(100_000));
}

#[test]
fn a_write_that_fails_is_told_by_the_next_operation_or_else_reported() {
    let scratch = Scratch::new();
    let path = scratch.path("file");
    std::fs::write(&path, b"text").unwrap();
    let reports = Reports::default();
    Builder::new()
        .on_unhandled(reports.hook())
        .build()
        .run(async {
            // It may only be read.
            let mut file = File::open(&path).await?;
            file.write_all(b"more").await?;
            assert!(file.flush().await.is_err());
            file.flush().await?; // told once
            reports.assert_none();
            file.write_all(b"more").await?;
            drop(file);
            Ok(())
        })
        .unwrap();
    reports.assert_one(&["blocking job begun at", "failed"]);
}

#[test]
fn without_threads_every_operation_says_so() {
    let scratch = Scratch::new();
    let file = File::from_std(std::fs::File::create(scratch.path("file")).unwrap());
    Builder::new()
        .blocking(BlockingOptions::new().stack_size(usize::MAX / 2))
        .build()
        .run(async {
            let mut file = file;
            assert!(fs::read("Cargo.toml").await.is_err());
            file.write_all(b"text").await?;
            assert!(file.flush().await.is_err());
            assert!(file.read(&mut [0; 4]).await.is_err());
            assert!(file.seek(SeekFrom::Start(0)).await.is_err());
            assert!(fs::read_dir(".").next().await.unwrap().is_err());
            Ok(())
        })
        .unwrap();
}
