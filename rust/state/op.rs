//! What the entries of a record do to a page: the state's half of the log format.
//!
//! ```text
//! kind 1 create    varint size, u8 location
//! kind 2 free      nothing
//! kind 3 write     varint runs; per run varint gap from the last run's end, varint length; then
//!                  the bytes of all runs
//! kind 4 metadata  u8 key length, key, u8 1 and the value, or u8 0 to take the key away
//! ```

use crate::log::Entry;
use crate::stdx::codec::{Dec, Enc, varint_len};
use crate::types::Location;
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
}

/// Pieces of new content: offset in the page, bytes. Ascending, not overlapping, none empty.
pub type Pieces<'a> = SmallVec<[(u32, &'a [u8]); 4]>;

/// One entry, understood.
#[derive(Clone, Debug)]
pub enum Op<'a> {
    Create { size: u32, location: Location },
    Free,
    Write(Written<'a>),
    Meta { key: &'a [u8], value: Option<&'a [u8]> },
}

/// The runs of a write.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    runs: Dec<'a>,
    left: u64,
    at: u64,
    bytes: &'a [u8],
}

impl<'a> Op<'a> {
    /// What the entry does; the reason if that cannot be told.
    pub fn decode(entry: &Entry<'a>) -> Result<Op<'a>, &'static str> {
        const SHORT: &str = "an entry's body is too short";
        let mut dec = Dec::new(entry.body);
        let op = match entry.head.kind {
            kind::CREATE => {
                let size = dec.varint().ok_or(SHORT)?;
                let location = dec.u8().and_then(Location::from_u8).ok_or(SHORT)?;
                let size = super::check_size(size).map_err(|_| "a page size out of its limits")?;
                Op::Create { size, location }
            }
            kind::FREE => Op::Free,
            kind::WRITE => return Written::decode(dec).map(Op::Write),
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

impl<'a> Written<'a> {
    fn decode(mut dec: Dec<'a>) -> Result<Written<'a>, &'static str> {
        const BAD: &str = "a write's runs do not fit its body";
        let count = dec.varint().ok_or(BAD)?;
        let runs = dec.clone();
        let mut total = 0u64;
        let mut end = 0u64;
        for _ in 0..count {
            let (gap, len) = (dec.varint().ok_or(BAD)?, dec.varint().ok_or(BAD)?);
            end = end.checked_add(gap).and_then(|at| at.checked_add(len)).ok_or(BAD)?;
            total += len;
            if len == 0 || end > crate::limits::PAGE_BYTES_MAX {
                return Err(BAD);
            }
        }
        let bytes = dec.rest();
        if total != bytes.len() as u64 {
            return Err(BAD);
        }
        Ok(Written { runs, left: count, at: 0, bytes })
    }

    /// One past the last byte written.
    pub fn end(&self) -> u64 {
        self.clone().last().map_or(0, |(offset, bytes)| u64::from(offset) + bytes.len() as u64)
    }
}

/// Offset in the page and bytes of each run.
impl<'a> Iterator for Written<'a> {
    type Item = (u32, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        self.left = self.left.checked_sub(1)?;
        let (gap, len) = (self.runs.varint()?, self.runs.varint()?);
        let offset = self.at + gap;
        self.at = offset + len;
        let (run, rest) = self.bytes.split_at_checked(len as usize)?;
        self.bytes = rest;
        Some((offset as u32, run))
    }
}

/// Bytes of a write's body.
#[inline]
pub fn write_len(pieces: &[(u32, &[u8])]) -> usize {
    let mut len = varint_len(pieces.len() as u64);
    let mut end = 0;
    for (offset, bytes) in pieces {
        len += varint_len(u64::from(offset - end)) + varint_len(bytes.len() as u64) + bytes.len();
        end = offset + bytes.len() as u32;
    }
    len
}

/// Writes a write's body, [`write_len`] bytes.
#[inline]
pub fn encode_write(enc: &mut Enc<'_>, pieces: &[(u32, &[u8])]) {
    enc.varint(pieces.len() as u64);
    let mut end = 0;
    for (offset, bytes) in pieces {
        enc.varint(u64::from(offset - end));
        enc.varint(bytes.len() as u64);
        end = offset + bytes.len() as u32;
    }
    for (_, bytes) in pieces {
        enc.bytes(bytes);
    }
}

/// Bytes of a creation's body.
pub fn create_len(size: u32) -> usize {
    varint_len(size.into()) + 1
}

/// Writes a creation's body.
pub fn encode_create(enc: &mut Enc<'_>, size: u32, location: Location) {
    enc.varint(size.into());
    enc.u8(location as u8);
}

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
