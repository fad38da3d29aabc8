//! The format of the header: what a reader has to know beforehand.
//!
//! ```text
//!   Fixed                 magic, version, sizes, addresses of the tables
//!   Field, Field, …       "row.state" is at 48 and 1 byte wide
//!   Label, Label, …       of `await`, 2 is called "timer", and its operand is a deadline
//! ```
//!
//! Numbers are in the byte order of the machine, pointers as wide as its.

use std::sync::atomic::AtomicU32;

/// The first bytes of each header: nothing that is in a program by accident.
pub const MAGIC: [u8; 16] = *b"\x7fhoming\xe2\x86\xa9tasks\n";

/// The version of the format. It has nothing to do with the version of the crate.
pub const VERSION: u32 = 1;

/// The name of the ELF section that the header is in.
pub const SECTION: &str = ".homing";

/// The owner of the ELF note that points to the header: its contents are the distance from them to the header, as a signed
/// number of 64 bits.
pub const NOTE_NAME: &[u8] = b"homing";

/// The address of something in the program: in memory, a pointer.
#[derive(Debug)]
#[repr(transparent)]
pub struct Address(*const ());

// SAFETY: it is a number to those who use it; nothing is done through it.
unsafe impl Sync for Address {}

impl Address {
    pub(crate) const fn of<T>(something: *const T) -> Address {
        Address(something.cast())
    }
}

/// The beginning of a header.
#[derive(Debug)]
#[repr(C)]
pub struct Fixed {
    /// [`MAGIC`].
    pub magic: [u8; 16],
    /// [`VERSION`].
    pub version: u32,
    /// The size of this part; the fields come right after it.
    pub fixed_size: u32,
    /// How many [`Field`]s there are.
    pub field_count: u32,
    /// How many [`Label`]s, which come after the fields.
    pub label_count: u32,
    /// Where the header is: whatever else begins with the magic is a copy, or none.
    pub address: Address,
    /// The crate's version, as text, with zeros after it.
    pub release: [u8; 16],
    /// The address of a table of pointers to pages of rows.
    pub pages: Address,
    /// The address of the number of pages (as wide as a pointer). A pointer of the table may still be null.
    pub page_count: Address,
    /// The address of a pointer to the first record of a type's name.
    pub types: Address,
    /// The address of a pointer to the first runtime (its outpost).
    pub runtimes: Address,
    /// Rows in a page.
    pub page_rows: u32,
    /// The size of a pointer.
    pub pointer_size: u32,
    /// How `core::panic::Location` is laid out.
    pub location: LocationLayout,
    /// The address of the origin of the runtimes' clock: a number of 64 bits, in nanoseconds of `CLOCK_MONOTONIC`; 0 if it
    /// is not known.
    pub clock_origin: Address,
}

/// How `core::panic::Location` is laid out: the compiler does not promise anything, so it is found out when the first page
/// is made. All zero before that, and where it cannot be found out.
#[derive(Debug)]
#[repr(C)]
pub struct LocationLayout {
    /// Its size.
    pub size: AtomicU32,
    /// Where the pointer to the file's name is.
    pub file: AtomicU32,
    /// Where the length of that is (as wide as a pointer).
    pub length: AtomicU32,
    /// Where the line is (32 bits).
    pub line: AtomicU32,
    /// Where the column is (32 bits).
    pub column: AtomicU32,
    /// Nothing.
    pub reserved: AtomicU32,
}

/// Where in its structure a field is.
///
/// A name without a dot is a structure's: its offset is 0, and its size is the structure's.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Field {
    /// Such as `row.state`, with zeros after it.
    pub name: [u8; 24],
    /// Where it begins.
    pub offset: u32,
    /// How many bytes it has. Texts and lists are an address and a length, as wide as a pointer each.
    pub size: u32,
}

/// What a number in a field means.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Label {
    /// What it is called, with zeros after it.
    pub name: [u8; 24],
    /// The number; of a flag, its bit.
    pub value: u32,
    /// In which kind of field: a [`LabelKind`].
    pub kind: u16,
    /// For what is awaited, what its operand is: a [`Meaning`].
    pub meaning: u16,
}

/// Which numbers a [`Label`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum LabelKind {
    /// Of `row.state`.
    State = 1,
    /// Of `row.flags`.
    Flag = 2,
    /// Of `row.awaiting.kind` and `node.kind`.
    Await = 3,
    /// Of `core.clock.kind`.
    Clock = 4,
    /// Of `holder.hold`.
    Hold = 5,
}

/// What the operand of an await is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Meaning {
    /// Nothing is awaited.
    Nothing = 0,
    /// It has none.
    Plain = 1,
    /// The id of a task.
    Task = 2,
    /// The address of a list of ids, which begins with their number; all of 64 bits.
    Tasks = 3,
    /// A deadline, in nanoseconds of the runtime's clock.
    Deadline = 4,
    /// A descriptor.
    Descriptor = 5,
    /// How many are left.
    Left = 6,
    /// The address of a thing that others may wait for as well.
    Thing = 7,
    /// Nothing is awaited: the task has been asked to cancel, and the place is that of who has asked.
    Request = 8,
    /// A number.
    Number = 9,
    /// The address of a lock's board, which says who holds it (fields `board.…` and `holder.…`); or of something else, if
    /// the board that would be there does not give it as its own.
    Lock = 10,
}

impl Meaning {
    /// The meaning with this number; one that is not known is a thing.
    pub fn from_number(number: u16) -> Meaning {
        let known = [
            Meaning::Nothing,
            Meaning::Plain,
            Meaning::Task,
            Meaning::Tasks,
            Meaning::Deadline,
            Meaning::Descriptor,
            Meaning::Left,
            Meaning::Thing,
            Meaning::Request,
            Meaning::Number,
            Meaning::Lock,
        ];
        known.get(usize::from(number)).copied().unwrap_or(Meaning::Thing)
    }
}

impl Field {
    pub(crate) const fn new(text: &str, offset: usize, size: usize) -> Field {
        Field { name: name(text), offset: offset as u32, size: size as u32 }
    }
}

impl Label {
    pub(crate) const fn new(kind: LabelKind, value: u32, text: &str, meaning: Meaning) -> Label {
        Label { name: name(text), value, kind: kind as u16, meaning: meaning as u16 }
    }
}

pub(super) const fn name<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    assert!(bytes.len() <= N, "a name is too long");
    let mut name = [0; N];
    let mut at = 0;
    while at < bytes.len() {
        name[at] = bytes[at];
        at += 1;
    }
    name
}
