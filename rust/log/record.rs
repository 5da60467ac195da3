//! The record: one group, checksummed, with a link from each entry to the record that changed the
//! same object before.
//!
//! ```text
//!  0  u32  length      of the whole record, bytes
//!  4  u32  checksum    CRC-32C of bytes 8..length
//!  8  u64  LSN
//! 16  u48  wall clock  milliseconds since 1970-01-01 UTC
//! 22  u8   flags       1: an intent follows the source, 2: an entry count follows the note
//! 23  u8   source      length in bytes
//! 24       source      UTF-8
//!          [u16 length, intent in UTF-8]
//!          [u32 entries; 1 where it is left out]
//!          entries, 17 bytes and their body; 29 where a number needs more than 32 bits:
//!             u8        kind, plus 0x80 if the next three are u64
//!             u32       body length, bytes
//!             u32/u64   object
//!             u32/u64   distance to the previous record of this object: LSN - previous LSN, 0
//!                       for none
//!             u32/u64   epoch of the object after the entry
//!                       body
//! ```
//!
//! Fields have fixed places because encoding them as varints took longer than checking and
//! copying a small change: 25 ns of 78 for 16 bytes.
//!
//! The log knows objects by number and bodies as bytes; what a kind means is the state's business.

use crate::error::{Error, ErrorKind, Result};
use crate::limits::{INTENT_BYTES_MAX, RECORD_BYTES_MAX, SOURCE_BYTES_MAX};
use crate::stdx::canary::{Canary, sings};
use crate::stdx::codec::{Dec, Enc};
use crate::stdx::crc::{Crc, crc32c};
use crate::stdx::prefetch;
use crate::types::{Epoch, Lsn, Note};
use smallvec::SmallVec;

/// Bytes before the source label.
pub const HEADER_BYTES: usize = 24;
/// The shortest record: no note, one entry with an empty body.
pub const RECORD_BYTES_MIN: usize = HEADER_BYTES + ENTRY_BYTES;

const FLAG_INTENT: u8 = 1;
const FLAG_COUNT: u8 = 2;
const SHORT: &str = "a record shorter than its fields";
/// Milliseconds that 48 bits hold: until the year 10889.
const TIME_MAX: u64 = (1 << 48) - 1;
/// An entry's head whose numbers fit 32 bits.
const ENTRY_BYTES: usize = 1 + 4 * 4;
/// An entry's head otherwise.
const ENTRY_BYTES_WIDE: usize = 1 + 4 + 3 * 8;
/// Set in the kind of a wide entry.
const WIDE: u8 = 0x80;

/// What stands before an entry's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryHead {
    /// What the entry does; the state's numbers.
    pub kind: u8,
    /// The object that it changes: a page id.
    pub object: u64,
    /// The record that changed the object before, [`Lsn::ZERO`] for none.
    pub prev: Lsn,
    /// The object's epoch after the entry.
    pub epoch: Epoch,
}

/// Refuses a note that a record cannot hold.
#[inline]
pub fn check_note(note: Note<'_>) -> Result<()> {
    let intent = note.intent.map_or(0, str::len);
    if note.source.len() > SOURCE_BYTES_MAX || intent > INTENT_BYTES_MAX {
        return Err(note_too_long(note.source.len(), intent));
    }
    Ok(())
}

#[cold]
fn note_too_long(source: usize, intent: usize) -> Error {
    Error::new(
        ErrorKind::TooLong,
        format!(
            "a source label of {source} bytes with an intent of {intent}: the limits are \
             {SOURCE_BYTES_MAX} and {INTENT_BYTES_MAX}"
        ),
    )
}

/// The most bytes that a record with `entries` entries and `bodies` bytes of bodies can take.
#[inline]
pub fn len_max(note: Note<'_>, entries: usize, bodies: usize) -> usize {
    HEADER_BYTES
        + note.source.len()
        + note.intent.map_or(0, |intent| 2 + intent.len())
        + 4
        + entries * ENTRY_BYTES_WIDE
        + bodies
}

/// Content at least this long gets its checksum where it comes from. The buffer, a lane, is seldom
/// in the core's caches: what was just written there is slow to be read again.
const LONG_BYTES_MIN: usize = 256;

/// Writes the entries of a record; see [`write`]. Long content comes from memory that lives for
/// `'s`.
pub struct EntryEnc<'a, 's> {
    enc: Enc<'a>,
    lsn: Lsn,
    /// Where in the record long content was copied to, and from where.
    long: SmallVec<[(usize, &'s [u8]); 2]>,
}

impl<'a, 's> EntryEnc<'a, 's> {
    /// Writes an entry's head; exactly `body_len` bytes of body go into what it returns.
    #[inline]
    pub fn entry(&mut self, head: EntryHead, body_len: usize) -> &mut Enc<'a> {
        let EntryHead { kind, object, prev, epoch } = head;
        let distance = if prev == Lsn::ZERO { 0 } else { self.lsn.0 - prev.0 };
        if (object | distance | epoch) >> 32 == 0 {
            let place = self.enc.array::<ENTRY_BYTES>();
            place[0] = kind;
            place[1..9].copy_from_slice(&(body_len as u64 | object << 32).to_le_bytes());
            place[9..].copy_from_slice(&(distance | epoch << 32).to_le_bytes());
        } else {
            self.enc.u8(kind | WIDE);
            self.enc.u32(body_len as u32);
            self.enc.u64(object);
            self.enc.u64(distance);
            self.enc.u64(epoch);
        }
        &mut self.enc
    }

    /// Writes content, part of the body of the entry that was begun last.
    #[inline]
    pub fn content(&mut self, bytes: &'s [u8]) {
        if bytes.len() >= LONG_BYTES_MIN {
            self.long.push((self.enc.pos(), bytes));
        }
        self.enc.bytes(bytes);
    }
}

/// The checksum of a record, taken of `long` content where it came from.
#[inline]
fn checksum(record: &[u8], long: &[(usize, &[u8])]) -> u32 {
    let Some((_, last)) = long.last() else { return crc32c(&record[8..]) };
    // The next record is likely to be as long.
    prefetch::for_write(record.as_ptr_range().end, last.len());
    let (mut crc, mut at) = (Crc::default(), 8);
    for (start, bytes) in long {
        crc.update(&record[at..*start]);
        crc.update(bytes);
        at = start + bytes.len();
    }
    crc.update(&record[at..]);
    crc.finish()
}

/// Writes one record of `entries` entries, as `body` gives them, into `buf`, which holds at least
/// [`len_max`] bytes; `note` has passed [`check_note`]. Returns the record's length.
#[inline]
pub fn write<'s>(
    buf: &mut [u8],
    lsn: Lsn,
    time_ms: u64,
    note: Note<'_>,
    entries: usize,
    body: impl FnOnce(&mut EntryEnc<'_, 's>),
) -> usize {
    let mut enc = Enc::new(buf);
    let intent = if note.intent.is_some() { FLAG_INTENT } else { 0 };
    let count = if entries != 1 { FLAG_COUNT } else { 0 };
    let word = u64::from(intent | count) << 48 | (note.source.len() as u64) << 56;
    let header = enc.array::<HEADER_BYTES>(); // length and checksum come last
    header[8..16].copy_from_slice(&lsn.0.to_le_bytes());
    header[16..].copy_from_slice(&(time_ms.min(TIME_MAX) | word).to_le_bytes());
    if !note.source.is_empty() {
        enc.bytes(note.source.as_bytes());
    }
    if let Some(intent) = note.intent {
        enc.u16(intent.len() as u16);
        enc.bytes(intent.as_bytes());
    }
    if entries != 1 {
        enc.u32(entries as u32);
    }
    let mut entries = EntryEnc { enc, lsn, long: SmallVec::new() };
    body(&mut entries);
    let (len, long) = (entries.enc.pos(), entries.long);
    let crc = checksum(&buf[..len], &long);
    buf[..8].copy_from_slice(&(len as u64 | u64::from(crc) << 32).to_le_bytes());
    len
}

/// Length and LSN of the record that starts at `bytes`, unchecked; zeros where `bytes` are too few.
#[inline]
pub fn peek(bytes: &[u8]) -> (usize, Lsn) {
    let Some(head) = bytes.first_chunk() else { return (0, Lsn::ZERO) };
    (word(head, 0) as u32 as usize, Lsn(word(head, 8)))
}

/// Whether `len` can be a record's length.
pub fn is_len(len: usize) -> bool {
    len >= RECORD_BYTES_MIN && len as u64 <= RECORD_BYTES_MAX
}

/// A record that stands in a reader's buffer, its checksum verified. Small: readers hand millions
/// of them around.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its place in the order of groups; the id of its deltas.
    pub lsn: Lsn,
    bytes: &'a [u8],
    /// Where the entries begin.
    entries: u32,
    count: u32,
}

impl<'a> Record<'a> {
    /// The record that `bytes` hold, exactly; the reason if they hold none.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Record<'a>, &'static str> {
        let record = Record::just_written(bytes)?;
        let checksum = bytes.first_chunk().map_or(0, |head| word(head, 0) >> 32);
        let sound = checksum == u64::from(crc32c(&bytes[8..]));
        if !sound && !sings(Canary::UncheckedRecord) {
            return Err("a record's checksum does not match");
        }
        Ok(record)
    }

    /// As [`parse`](Self::parse), of bytes that nobody can have damaged yet: without a look at the
    /// checksum.
    #[inline]
    pub fn just_written(bytes: &'a [u8]) -> Result<Record<'a>, &'static str> {
        let head: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(SHORT)?;
        let (len, lsn) = peek(head);
        if len != bytes.len() || !is_len(len) {
            return Err("a record's length does not fit");
        }
        let flags = (word(head, 16) >> 48) as u8;
        let mut record = Record { lsn, bytes, entries: HEADER_BYTES as u32, count: 1 };
        if word(head, 16) >> 48 != 0 {
            record.skip_note(flags)?;
        }
        Ok(record)
    }

    /// Finds the entries behind labels and count.
    fn skip_note(&mut self, flags: u8) -> Result<(), &'static str> {
        if flags & !(FLAG_INTENT | FLAG_COUNT) != 0 {
            return Err("a record with unknown flags");
        }
        let mut dec = Dec::new(&self.bytes[HEADER_BYTES..]);
        dec.bytes(self.source_len()).ok_or(SHORT)?;
        if flags & FLAG_INTENT != 0 {
            let len = dec.u16().ok_or(SHORT)?;
            dec.bytes(len.into()).ok_or(SHORT)?;
        }
        if flags & FLAG_COUNT != 0 {
            self.count = dec.u32().ok_or(SHORT)?;
        }
        self.entries = (self.bytes.len() - dec.rest().len()) as u32;
        Ok(())
    }

    fn note_word(&self) -> u64 {
        self.bytes.first_chunk().map_or(0, |head: &[u8; HEADER_BYTES]| word(head, 16))
    }

    fn source_len(&self) -> usize {
        (self.note_word() >> 56) as usize
    }

    /// Wall clock when it was written, milliseconds since 1970-01-01 UTC.
    pub fn time_ms(&self) -> u64 {
        self.note_word() & TIME_MAX
    }

    /// Label of who acted.
    pub fn source(&self) -> &'a str {
        let label = &self.bytes[HEADER_BYTES..][..self.source_len()];
        std::str::from_utf8(label).unwrap_or("\u{fffd}")
    }

    /// Why, if the writer said so.
    pub fn intent(&self) -> Option<&'a str> {
        if (self.note_word() >> 48) as u8 & FLAG_INTENT == 0 {
            return None;
        }
        let mut dec = Dec::new(&self.bytes[HEADER_BYTES + self.source_len()..]);
        let label = dec.u16().and_then(|len| dec.bytes(len.into())).unwrap_or_default();
        Some(std::str::from_utf8(label).unwrap_or("\u{fffd}"))
    }

    /// Its entries, in the order of apply.
    #[inline]
    pub fn entries(&self) -> Entries<'a> {
        let dec = Dec::new(&self.bytes[self.entries as usize..]);
        Entries { dec, left: self.count, lsn: self.lsn }
    }

    /// Bytes that it takes in the log.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The record as it stands in the log, copied.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// Never: a record has a header.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// The 8 bytes at `at` of a header, little-endian.
#[inline]
fn word(head: &[u8; HEADER_BYTES], at: usize) -> u64 {
    head[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// One change to one object.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Kind, object, link and epoch.
    pub head: EntryHead,
    /// What to do, as the kind says.
    pub body: &'a [u8],
}

/// The entries of a record. Ends early, with one error, if they do not fit their record.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    dec: Dec<'a>,
    left: u32,
    lsn: Lsn,
}

impl<'a> Entries<'a> {
    #[inline]
    fn parse(&mut self) -> Option<Entry<'a>> {
        let kind = self.dec.u8()?;
        let len = self.dec.u32()? as usize;
        let mut number = || match kind & WIDE {
            0 => self.dec.u32().map(u64::from),
            _ => self.dec.u64(),
        };
        let (object, distance, epoch) = (number()?, number()?, number()?);
        let prev = match distance {
            0 => Lsn::ZERO,
            _ => Lsn(self.lsn.0.checked_sub(distance).filter(|&prev| prev != 0)?),
        };
        let body = self.dec.bytes(len)?;
        // An epoch counts records, each with an LSN of its own.
        if epoch > self.lsn.0 {
            return None;
        }
        Some(Entry { head: EntryHead { kind: kind & !WIDE, object, prev, epoch }, body })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, &'static str>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return match self.dec.rest().is_empty() {
                true => None,
                false => {
                    self.dec = Dec::new(&[]);
                    Some(Err("bytes after a record's last entry"))
                }
            };
        }
        self.left -= 1;
        let entry = self.parse();
        if entry.is_none() {
            (self.left, self.dec) = (0, Dec::new(&[]));
        }
        Some(entry.ok_or("an entry does not fit its record"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(buf: &mut [u8]) -> usize {
        let note = Note::from("feed").because("late quote");
        write(buf, Lsn(5000), 1_700_000_000_123, note, 2, |entries| {
            let head = EntryHead { kind: 3, object: 7, prev: Lsn(4000), epoch: 9 };
            entries.entry(head, 5).bytes(b"hello");
            entries.entry(EntryHead { kind: 1, object: 8, prev: Lsn::ZERO, epoch: 0 }, 0);
        })
    }

    #[test]
    fn round_trip() {
        let mut buf = [0; 200];
        let len = sample(&mut buf);
        assert!(len <= len_max(Note::from("feed").because("late quote"), 2, 5));
        assert_eq!(peek(&buf), (len, Lsn(5000)));
        let record = Record::parse(&buf[..len]).unwrap();
        assert_eq!((record.lsn, record.time_ms()), (Lsn(5000), 1_700_000_000_123));
        assert_eq!((record.source(), record.intent()), ("feed", Some("late quote")));
        let entries: Vec<_> = record.entries().map(Result::unwrap).collect();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].body, b"hello");
        assert_eq!(entries[0].head, EntryHead { kind: 3, object: 7, prev: Lsn(4000), epoch: 9 });
        assert_eq!(entries[1].head.prev, Lsn::ZERO);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut buf = [0; 200];
        let len = sample(&mut buf);
        for at in 0..len {
            for bit in 0..8 {
                let mut bytes = buf[..len].to_vec();
                bytes[at] ^= 1 << bit;
                assert!(Record::parse(&bytes).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    /// Pins the sizes that docs/file_format.md promises.
    #[test]
    fn a_ten_byte_change_is_small() {
        let mut buf = [0; 200];
        let lsn = Lsn::new(3_000_000, 0);
        let head = EntryHead { kind: 3, object: 700, prev: Lsn::new(2_999_000, 0), epoch: 1000 };
        let len = write(&mut buf, lsn, 1_700_000_000_123, Note::NONE, 1, |entries| {
            entries.entry(head, 22).bytes(&[0; 22]);
        });
        assert_eq!(len, 24 + 17 + 4 + 8 + 10);
    }

    #[test]
    fn numbers_beyond_32_bits_come_back() {
        let mut buf = [0; 200];
        let lsn = Lsn(1 << 60);
        let head = EntryHead { kind: 3, object: 1 << 33, prev: Lsn(5), epoch: 1 << 40 };
        let len = write(&mut buf, lsn, 0, Note::NONE, 1, |entries| {
            entries.entry(head, 1).u8(7);
        });
        assert_eq!(len, 24 + 29 + 1);
        let record = Record::parse(&buf[..len]).unwrap();
        let entry = record.entries().next().unwrap().unwrap();
        assert_eq!((entry.head, entry.body), (head, &[7][..]));
    }
}
