//! What the entries of a record do to a page: the state's half of the log format.
//!
//! ```text
//! kind 1 create    u32 size, u8 location
//! kind 2 free      nothing
//! kind 3 write     u32 runs; per run u32 offset, u32 length; then the bytes of all runs
//! kind 4 metadata  u8 key length, key, u8 1 and the value, or u8 0 to take the key away
//! kind 5 restore   as create, of a page that was freed: all zero
//! kind 6 own       u32 ownership: 0 shared, 1 immutable, else 2 and the partition
//! kind 7 edge      u64 parent, u8 kind of edge: the page derives from the parent from now on
//! kind 8 no edge   as edge: no longer
//! kind 9 rule      u8 kind: 1 a formula, 2 a callback, 0 none; its text in UTF-8: the content is
//!                  computed by it from now on
//! kind 10 derive   nothing: the content is what the rule, a formula, makes of the parents
//! kind 11 result   as write: the content is what the rule, a callback, made of the parents
//! kind 12 stale    u8 staleness: 0 it is what the rule makes, 1 a page further up is stale, 2 a parent
//!                  changed since
//! kind 13 seal     as write: the page is private from its beginning on, the content sealed
//! ```
//!
//! After 10 and 11 the page is not stale.

use crate::log::record::EntryEnc;
use crate::log::{Entry, EntryHead};
use crate::stdx::codec::{Dec, Enc};
use crate::types::{EdgeKind, Link, Location, Ownership, PageId, Rule, Staleness};
use smallvec::SmallVec;

/// Entry kinds; permanent numbers.
pub mod kind {
    /// A page begins.
    pub const CREATE: u8 = 1;
    /// A page ends.
    pub const FREE: u8 = 2;
    /// Content changes.
    pub const WRITE: u8 = 3;
    /// A metadata key changes.
    pub const META: u8 = 4;
    /// A page that ended begins again.
    pub const RESTORE: u8 = 5;
    /// A page belongs to somebody else.
    pub const OWN: u8 = 6;
    /// An edge from a parent is added.
    pub const EDGE: u8 = 7;
    /// An edge from a parent is taken away.
    pub const NO_EDGE: u8 = 8;
    /// Content is computed in another way.
    pub const RULE: u8 = 9;
    /// Content is computed anew by a formula.
    pub const DERIVE: u8 = 10;
    /// Content was computed anew by a callback.
    pub const RESULT: u8 = 11;
    /// Content becomes stale, or is found not to be.
    pub const STALE: u8 = 12;
    /// Sealed content changes.
    pub const SEAL: u8 = 13;
}

/// Pieces of new content: offset in the page, bytes. Ascending, not overlapping, none empty.
pub type Pieces<'a> = SmallVec<[(u32, &'a [u8]); 4]>;

/// One entry, understood.
#[derive(Clone, Debug)]
pub enum Op<'a> {
    Create { size: u32, location: Location },
    Restore { size: u32, location: Location },
    Free,
    Write(Written<'a>),
    Meta { key: &'a [u8], value: Option<&'a [u8]> },
    Own(Ownership),
    Edge { link: Link, there: bool },
    Rule(Option<Rule>),
    Derive,
    Result(Written<'a>),
    Stale(Staleness),
    Seal(Written<'a>),
}

/// The runs of a write.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// 8 bytes each: ascending, not overlapping, none empty.
    runs: &'a [u8],
    bytes: &'a [u8],
    end: u64,
}

impl<'a> Op<'a> {
    /// What the entry does; the reason if that cannot be told.
    #[inline]
    pub fn decode(entry: &Entry<'a>) -> Result<Op<'a>, &'static str> {
        const SHORT: &str = "an entry's body is too short";
        let mut dec = Dec::new(entry.body);
        let op = match entry.head.kind {
            begin @ (kind::CREATE | kind::RESTORE) => {
                let size = dec.u32().ok_or(SHORT)?;
                let location = dec.u8().and_then(Location::from_u8).ok_or(SHORT)?;
                let size =
                    super::check_size(size.into()).map_err(|_| "a page size out of its limits")?;
                match begin {
                    kind::CREATE => Op::Create { size, location },
                    _ => Op::Restore { size, location },
                }
            }
            kind::FREE => Op::Free,
            kind::OWN => {
                let code = dec.u32().ok_or(SHORT)?;
                Op::Own(Ownership::from_code(code).ok_or("an ownership that there is not")?)
            }
            edge @ (kind::EDGE | kind::NO_EDGE) => {
                let page = PageId(dec.u64().ok_or(SHORT)?);
                let of = dec.u8().and_then(EdgeKind::from_u8).ok_or(SHORT)?;
                Op::Edge { link: Link { page, kind: of }, there: edge == kind::EDGE }
            }
            kind::WRITE => return Written::decode(dec).map(Op::Write),
            kind::RESULT => return Written::decode(dec).map(Op::Result),
            kind::SEAL => return Written::decode(dec).map(Op::Seal),
            kind::DERIVE => Op::Derive,
            kind::STALE => {
                let staleness = dec.u8().and_then(Staleness::from_u8);
                Op::Stale(staleness.ok_or("a staleness that there is not")?)
            }
            kind::RULE => {
                let kind = dec.u8().ok_or(SHORT)?;
                let text = std::str::from_utf8(dec.rest());
                let text = text.map_err(|_| "a rule that is not UTF-8")?;
                return match (kind, Rule::from_parts(kind, text)) {
                    (0, _) if text.is_empty() => Ok(Op::Rule(None)),
                    (_, Some(rule)) => Ok(Op::Rule(Some(rule))),
                    _ => Err("a rule of unknown kind"),
                };
            }
            kind::META => {
                let len = dec.u8().ok_or(SHORT)?;
                let key = dec.bytes(len.into()).ok_or(SHORT)?;
                let value = (dec.u8().ok_or(SHORT)? == 1).then(|| dec.rest());
                return Ok(Op::Meta { key, value });
            }
            _ => return Err("an entry of unknown kind"),
        };
        if dec.rest().is_empty() { Ok(op) } else { Err("an entry's body is too long") }
    }
}

const RUN_BYTES: usize = 8;

impl<'a> Written<'a> {
    #[inline]
    fn decode(mut dec: Dec<'a>) -> Result<Written<'a>, &'static str> {
        const BAD: &str = "a write's runs do not fit its body";
        let count = dec.u32().ok_or(BAD)? as usize;
        let runs = count.checked_mul(RUN_BYTES).and_then(|len| dec.bytes(len)).ok_or(BAD)?;
        let bytes = dec.rest();
        let (mut total, mut end) = (0, 0);
        for run in runs.chunks_exact(RUN_BYTES) {
            let (offset, len) = split_run(run);
            if len == 0 || u64::from(offset) < end {
                return Err(BAD);
            }
            end = u64::from(offset) + u64::from(len);
            total += u64::from(len);
        }
        if total != bytes.len() as u64 {
            return Err(BAD);
        }
        Ok(Written { runs, bytes, end })
    }

    /// One past the last byte written.
    pub fn end(&self) -> u64 {
        self.end
    }
}

#[inline]
fn split_run(run: &[u8]) -> (u32, u32) {
    let word = run.first_chunk().map_or(0, |run| u64::from_le_bytes(*run));
    (word as u32, (word >> 32) as u32)
}

/// Offset in the page and bytes of each run.
impl<'a> Iterator for Written<'a> {
    type Item = (u32, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        let (run, runs) = self.runs.split_at_checked(RUN_BYTES)?;
        let (offset, len) = split_run(run);
        let (bytes, rest) = self.bytes.split_at_checked(len as usize)?;
        (self.runs, self.bytes) = (runs, rest);
        Some((offset, bytes))
    }
}

/// Bytes of the body of a write of `runs` runs with `payload` bytes in all.
#[inline]
pub fn write_len(runs: usize, payload: usize) -> usize {
    4 + runs * RUN_BYTES + payload
}

/// The kind of entry that writes content by hand.
#[inline]
pub fn write_kind(private: bool) -> u8 {
    if private { kind::SEAL } else { kind::WRITE }
}

/// Writes a write, with a body of [`write_len`] bytes.
#[inline]
pub fn encode_write<'s>(
    entries: &mut EntryEnc<'_, 's>,
    head: EntryHead,
    body_len: usize,
    pieces: impl ExactSizeIterator<Item = (u32, &'s [u8])> + Clone,
) {
    let enc = entries.entry(head, body_len);
    enc.u32(pieces.len() as u32);
    for (offset, bytes) in pieces.clone() {
        enc.u64(u64::from(offset) | (bytes.len() as u64) << 32);
    }
    for (_, bytes) in pieces {
        entries.content(bytes);
    }
}

/// Bytes of the body of a creation or a restoration.
pub const CREATE_LEN: usize = 5;

/// Writes the body of a creation or a restoration.
pub fn encode_create(enc: &mut Enc<'_>, size: u32, location: Location) {
    enc.u32(size);
    enc.u8(location as u8);
}

/// Bytes of the body of a change of ownership.
pub const OWN_LEN: usize = 4;

/// Bytes of the body of a change of an edge.
pub const EDGE_LEN: usize = 9;

/// The kind of entry that adds an edge or takes it away.
pub fn edge_kind(there: bool) -> u8 {
    if there { kind::EDGE } else { kind::NO_EDGE }
}

/// Writes the body of a change of an edge.
pub fn encode_edge(enc: &mut Enc<'_>, link: Link) {
    enc.u64(link.page.0);
    enc.u8(link.kind as u8);
}

/// Bytes of the body of a change of rule.
pub fn rule_len(rule: Option<&Rule>) -> usize {
    1 + rule.map_or(0, |rule| rule.parts().1.len())
}

/// Writes the body of a change of rule.
pub fn encode_rule(enc: &mut Enc<'_>, rule: Option<&Rule>) {
    let (kind, text) = rule.map_or((0, ""), Rule::parts);
    enc.u8(kind);
    enc.bytes(text.as_bytes());
}

/// Bytes of the body of a change of staleness.
pub const STALE_LEN: usize = 1;

/// Bytes of a metadata change's body.
pub fn meta_len(key: &[u8], value: Option<&[u8]>) -> usize {
    2 + key.len() + value.map_or(0, <[u8]>::len)
}

/// Writes a metadata change's body; the key has passed `Meta::check`.
pub fn encode_meta(enc: &mut Enc<'_>, key: &[u8], value: Option<&[u8]>) {
    enc.u8(key.len() as u8);
    enc.bytes(key);
    enc.u8(value.is_some().into());
    enc.bytes(value.unwrap_or(&[]));
}
