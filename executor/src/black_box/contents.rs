//! What a black box leads to: a header as every process has one, of this runtime alone.
//!
//! ```text
//!   FileHeader.header ──► Header ──► pages, as far as they are in the file
//!                                ──► types ──► records in the arena
//!                                ──► runtimes ──► a copy of the outpost, told as being where the outpost is
//! ```

use super::file::BoxFile;
use crate::clock;
use crate::outpost::{self, RuntimeOutpost};
use crate::outside::file::{BYTE_ORDER, CONTENTS_AT, FILE_MAGIC, FILE_VERSION, FileHeader};
use crate::outside::{self, Address, Header, Tables};
use crate::runtime::core::Core;
use crate::task::types::TypeRecord;
use std::mem::offset_of;
use std::os::unix::ffi::OsStrExt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The most pages of rows in a file: some two million tasks alive at once, and no reader takes more.
pub(super) const MAX_PAGES: usize = 2048;

/// The first thing in a file's contents.
#[repr(C)]
pub(super) struct Contents {
    header: Header,
    pages: [AtomicUsize; MAX_PAGES],
    page_count: AtomicUsize,
    pub(super) types: AtomicPtr<TypeRecord>,
    /// The address that rows have as their owner.
    runtimes: AtomicUsize,
    clock_origin: AtomicU64,
    outpost: outpost::Image,
}

impl Contents {
    /// Fills in the beginning of a file, and makes it one.
    pub(super) fn write(file: &BoxFile, memory: NonNull<Contents>) {
        let contents = memory.as_ptr();
        // SAFETY: only addresses are taken.
        let tables = unsafe {
            Tables {
                address: Address::of(&raw const (*contents).header),
                pages: Address::of(&raw const (*contents).pages),
                page_count: Address::of(&raw const (*contents).page_count),
                types: Address::of(&raw const (*contents).types),
                runtimes: Address::of(&raw const (*contents).runtimes),
                clock_origin: Address::of(&raw const (*contents).clock_origin),
            }
        };
        // SAFETY: the memory is mapped, has room for it, and nobody else knows it. What is not written is zero, which is a
        // value of everything else in it.
        let contents = unsafe {
            (&raw mut (*contents).header).write(Header::new(tables));
            &*contents
        };
        contents.clock_origin.store(clock::ORIGIN_NANOS.load(Ordering::Relaxed), Ordering::Relaxed);
        contents.header.find_layout();
        let header = file.header().as_ptr();
        let program = std::env::current_exe().unwrap_or_default();
        // SAFETY: the same, of the file's header. Nobody looks at it before it has its magic.
        unsafe {
            (*header).version = FILE_VERSION;
            (*header).byte_order = BYTE_ORDER;
            (*header).release = fitting(env!("CARGO_PKG_VERSION").as_bytes());
            (*header).header = (&raw const contents.header).addr() as u64;
            (*header).process = std::process::id().into();
            (*header).thread = outside::thread_id();
            (*header).began = seconds_since_1970();
            (*header).thread_name = thread_name();
            (*header).program = fitting(program.as_os_str().as_bytes());
            std::sync::atomic::fence(Ordering::Release);
            (&raw mut (*header).magic).write_volatile(FILE_MAGIC);
        }
    }

    /// Tells of the runtime.
    pub(super) fn tell_of(
        &self,
        file: &BoxFile,
        outpost: &'static RuntimeOutpost,
        core: &Core,
    ) -> std::io::Result<()> {
        let start = ptr::from_ref(outpost).addr();
        self.outpost.tell(outpost, ptr::from_ref(core).addr());
        let offset = CONTENTS_AT + offset_of!(Contents, outpost);
        file.list(start, size_of::<outpost::Image>(), offset as u64)?;
        self.runtimes.store(start, Ordering::Release);
        Ok(())
    }

    /// Whether there is room in the table for another page.
    pub(super) fn takes_page(&self) -> bool {
        self.page_count.load(Ordering::Relaxed) < MAX_PAGES
    }

    pub(super) fn enter_page(&self, page: usize) {
        let number = self.page_count.load(Ordering::Relaxed);
        self.pages[number].store(page, Ordering::Relaxed);
        self.page_count.store(number + 1, Ordering::Release);
    }
}

/// The runtime has ended, and nothing in the file changes any more.
pub(super) fn note_end(header: &FileHeader, contents: &Contents) {
    contents.runtimes.store(0, Ordering::Relaxed);
    header.ended.store(seconds_since_1970(), Ordering::Release);
}

/// What the system calls the thread, as other programs see it.
fn thread_name() -> [u8; 16] {
    let mut name = [0; 16];
    // SAFETY: it writes so many bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

fn seconds_since_1970() -> u64 {
    // A clock that stands at 1970, or before, is one that was not set; 0 would say that there is no such time.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs().max(1))
}

/// As much of it as there is room for.
fn fitting<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let length = text.len().min(N);
    bytes[..length].copy_from_slice(&text[..length]);
    bytes
}
