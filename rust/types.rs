//! The words that every room uses: newtypes over plain integers, no logic beyond their layout.

use std::fmt;
use std::sync::Arc;

/// Names a page. Dense from 1 in each state, never reused in a state's life; 0 is no page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct PageId(pub u64);

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}", self.0)
    }
}

/// Content version of one page: 0 at creation, +1 per delta that changes its content.
pub type Epoch = u64;

/// Log sequence number, the order of groups in the log and the id of a delta: a tick in the high
/// 56 bits and the lane that wrote the group in the low 8. Unique and totally ordered, not dense.
/// 0 stands before every record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before the first record of any log.
    pub const ZERO: Lsn = Lsn(0);
    /// After every record.
    pub const MAX: Lsn = Lsn(u64::MAX);
    /// Above every LSN that a log reaches: half of all numbers, so that what comes after an LSN
    /// that was read from a file is always a number, too.
    pub const LIMIT: Lsn = Lsn(1 << 63);
    /// Low bits that hold the lane.
    pub const LANE_BITS: u32 = 8;

    /// The LSN of `tick` in `lane`.
    #[inline]
    pub const fn new(tick: u64, lane: u8) -> Lsn {
        Lsn(tick << Self::LANE_BITS | lane as u64)
    }

    /// The last LSN that a tick can have: the natural place to close a log at.
    #[inline]
    pub const fn end_of(tick: u64) -> Lsn {
        Lsn::new(tick, u8::MAX)
    }

    /// The tick, which grows along every chain of dependent records.
    #[inline]
    pub const fn tick(self) -> u64 {
        self.0 >> Self::LANE_BITS
    }

    /// The lane that wrote the record.
    #[inline]
    pub const fn lane(self) -> u8 {
        self.0 as u8
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a page's bytes may live. Placement is not content: it never changes a digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Location {
    /// Main memory.
    #[default]
    Cpu = 0,
    /// Device memory, where a device room is present; main memory elsewhere.
    Gpu = 1,
    /// Either, as the engine sees fit.
    Unified = 2,
}

impl Location {
    /// The location with this number, as files and the C interface carry it.
    pub const fn from_u8(n: u8) -> Option<Location> {
        match n {
            0 => Some(Location::Cpu),
            1 => Some(Location::Gpu),
            2 => Some(Location::Unified),
            _ => None,
        }
    }
}

/// Who may change a page: its content, its metadata, its existence, and its ownership.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Ownership {
    /// Anybody; transactions see to it that nothing is lost.
    #[default]
    Shared = 0,
    /// Nobody, ever again.
    Immutable = 1,
    /// One partition: whoever holds it.
    Owned(u16) = 2,
}

impl Ownership {
    /// As files and the C interface carry it: 0 for shared, 1 for immutable, else 2 and the
    /// partition's number.
    pub const fn code(self) -> u32 {
        match self {
            Ownership::Shared => 0,
            Ownership::Immutable => 1,
            Ownership::Owned(partition) => 2 + partition as u32,
        }
    }

    /// The ownership with this number.
    pub const fn from_code(code: u32) -> Option<Ownership> {
        match code {
            0 => Some(Ownership::Shared),
            1 => Some(Ownership::Immutable),
            2..=0x1_0001 => Some(Ownership::Owned((code - 2) as u16)),
            _ => None,
        }
    }
}

/// What an edge from one page to another says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum EdgeKind {
    /// The child is made of the parent's content.
    #[default]
    Data = 0,
    /// The child comes after the parent.
    Control = 1,
    /// The child's device work comes after the parent's.
    Device = 2,
    /// A compiler found that the child depends on the parent.
    Compiler = 3,
}

impl EdgeKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [EdgeKind; 4] =
        [EdgeKind::Data, EdgeKind::Control, EdgeKind::Device, EdgeKind::Compiler];

    /// The kind with this number, as files and the C interface carry it.
    pub const fn from_u8(n: u8) -> Option<EdgeKind> {
        match n {
            0 => Some(EdgeKind::Data),
            1 => Some(EdgeKind::Control),
            2 => Some(EdgeKind::Device),
            3 => Some(EdgeKind::Compiler),
            _ => None,
        }
    }

    /// The kind's name, the same in all languages.
    pub const fn name(self) -> &'static str {
        match self {
            EdgeKind::Data => "data",
            EdgeKind::Control => "control",
            EdgeKind::Device => "device",
            EdgeKind::Compiler => "compiler",
        }
    }
}

/// What the content of a derived page is made of its parents by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rule {
    /// A formula, as it was written (docs/formulas.md).
    Formula(Arc<str>),
    /// A function of the program's, by the name under which it is registered.
    Callback(Arc<str>),
}

impl Rule {
    /// The number of its kind, as files carry it, and the formula or name.
    pub fn parts(&self) -> (u8, &str) {
        match self {
            Rule::Formula(text) => (1, text),
            Rule::Callback(name) => (2, name),
        }
    }

    /// The rule of that kind.
    pub fn from_parts(kind: u8, text: &str) -> Option<Rule> {
        match kind {
            1 => Some(Rule::Formula(text.into())),
            2 => Some(Rule::Callback(text.into())),
            _ => None,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Formula(text) => f.write_str(text),
            Rule::Callback(name) => write!(f, "callback {name}"),
        }
    }
}

/// Whether a derived page is what its rule makes of its parents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Staleness {
    /// It is.
    #[default]
    Fresh = 0,
    /// A page further up is stale: it may change when that is computed.
    Behind = 1,
    /// A parent changed since it was computed.
    Stale = 2,
}

impl Staleness {
    /// The staleness with this number, as files and the C interface carry it.
    pub const fn from_u8(n: u8) -> Option<Staleness> {
        match n {
            0 => Some(Staleness::Fresh),
            1 => Some(Staleness::Behind),
            2 => Some(Staleness::Stale),
            _ => None,
        }
    }
}

/// An edge as one of its ends sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Link {
    /// The page at the other end.
    pub page: PageId,
    /// What the edge says.
    pub kind: EdgeKind,
}

/// Who changes something, and why: kept with every record and queryable later.
///
/// - `source`: label of who acts, UTF-8, at most [`SOURCE_BYTES_MAX`] bytes; may be empty.
/// - `intent`: why, UTF-8, at most [`INTENT_BYTES_MAX`] bytes.
///
/// [`SOURCE_BYTES_MAX`]: crate::limits::SOURCE_BYTES_MAX
/// [`INTENT_BYTES_MAX`]: crate::limits::INTENT_BYTES_MAX
///
/// ```
/// let note = mmsb::Note::from("feed").because("quote 17 was late");
/// assert_eq!(note.source, "feed");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Note<'a> {
    /// Label of who acts.
    pub source: &'a str,
    /// Why, if the caller says so.
    pub intent: Option<&'a str>,
}

impl<'a> Note<'a> {
    /// A note of nobody in particular.
    pub const NONE: Note<'static> = Note { source: "", intent: None };

    /// The same source with an intent.
    pub const fn because(self, intent: &'a str) -> Note<'a> {
        Note { source: self.source, intent: Some(intent) }
    }
}

impl<'a> From<&'a str> for Note<'a> {
    fn from(source: &'a str) -> Note<'a> {
        Note { source, intent: None }
    }
}
