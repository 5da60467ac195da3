//! Little-endian cursor codec over byte slices: [`Enc`] writes, [`Dec`] reads.
//!
//! ```text
//!   u8 u16 u32 u64    fixed width, little-endian on every host
//!   varint            LEB128: 7 bits a byte, low ones first, bit 7 says that more follow; 1..=10 B
//!   bytes             as they are; their length is the caller's to encode
//! ```
//!
//! - What [`Enc`] wrote, [`Dec`] reads back equal.
//! - [`Dec`] never panics and never allocates, whatever the bytes: each read gives a value or
//!   `None`, and after `None` the cursor stands where it stood.
//! - A number has one varint. Longer spellings of it are refused, so that equal values are equal
//!   bytes and a checksum of a record is a function of its content.
//!
//! Neither type knows what a record is.

use std::mem;

/// Longest varint, bytes: what a `u64` above 2^63 takes.
pub const VARINT_BYTES_MAX: usize = 10;

/// Bytes that [`Enc::varint`] writes for `value`, 1..=10.
///
/// ```
/// use mmsb::stdx::codec::varint_len;
/// assert_eq!([0, 127, 128, u64::MAX].map(varint_len), [1, 1, 2, 10]);
/// ```
#[inline]
pub const fn varint_len(value: u64) -> usize {
    // ceil(bits / 7) without a division: 9/64 is near enough to 1/7 for up to 64 bits.
    let log2 = 63 - (value | 1).leading_zeros() as usize;
    (log2 * 9 + 73) / 64
}

/// Writes into a slice, front to back.
///
/// The caller sizes the slice. To write past its end is a bug in the caller and panics as a slice
/// index does; each write costs one such check.
///
/// ```
/// use mmsb::stdx::codec::{Dec, Enc};
/// let mut buf = [0; 16];
/// let mut enc = Enc::new(&mut buf);
/// enc.u32(7);
/// enc.varint(300);
/// let len = enc.pos();
/// let mut dec = Dec::new(&buf[..len]);
/// assert_eq!((dec.u32(), dec.varint(), dec.u8()), (Some(7), Some(300), None));
/// ```
#[derive(Debug)]
pub struct Enc<'a> {
    /// What is not written yet. A shrinking slice needs one bounds check a write where a slice
    /// and a position need two.
    rest: &'a mut [u8],
    /// Length of the whole slice, bytes.
    len: usize,
}

impl<'a> Enc<'a> {
    /// An encoder that stands at the start of `buf`.
    #[inline]
    pub fn new(buf: &'a mut [u8]) -> Enc<'a> {
        Enc { len: buf.len(), rest: buf }
    }

    /// Bytes written so far.
    #[inline]
    pub fn pos(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Bytes that can still be written.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Takes the next `n` bytes for the caller to fill in place; they hold what the slice held.
    #[inline]
    pub fn space(&mut self, n: usize) -> &'a mut [u8] {
        debug_assert!(n <= self.rest.len(), "{n} bytes into {}", self.rest.len());
        let (head, tail) = mem::take(&mut self.rest).split_at_mut(n);
        self.rest = tail;
        head
    }

    /// As [`space`](Self::space), for a number of bytes that is known when the code is compiled.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> &'a mut [u8; N] {
        let (head, tail) = match mem::take(&mut self.rest).split_first_chunk_mut::<N>() {
            Some(split) => split,
            None => out_of_space(N),
        };
        self.rest = tail;
        head
    }

    /// Writes one byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.space(1)[0] = value;
    }

    /// Writes 2 bytes.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.space(2).copy_from_slice(&value.to_le_bytes());
    }

    /// Writes 4 bytes.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.space(4).copy_from_slice(&value.to_le_bytes());
    }

    /// Writes 8 bytes.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        self.space(8).copy_from_slice(&value.to_le_bytes());
    }

    /// Writes `bytes` as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.space(bytes.len()).copy_from_slice(bytes);
    }

    /// Writes `value` as a varint, [`varint_len`] bytes.
    #[inline]
    pub fn varint(&mut self, value: u64) {
        if value < 0x80 {
            return self.u8(value as u8);
        }
        self.varint_long(value);
    }

    #[inline]
    fn varint_long(&mut self, mut value: u64) {
        for byte in self.space(varint_len(value)) {
            *byte = value as u8 | 0x80;
            value >>= 7;
            if value == 0 {
                *byte &= 0x7f;
            }
        }
    }
}

#[cold]
#[inline(never)]
fn out_of_space(n: usize) -> ! {
    unreachable!("{n} bytes beyond the end: the caller sized the buffer")
}

/// Reads from a slice, front to back. Every method is total: `None` means that the bytes end too
/// early or spell no value, and leaves the cursor where it was.
///
/// ```
/// use mmsb::stdx::codec::Dec;
/// let mut dec = Dec::new(&[1, 0xff, 0x80]);
/// assert_eq!(dec.u16(), Some(0xff01));
/// assert_eq!(dec.varint(), None); // says that more follow, and nothing does
/// assert_eq!((dec.pos(), dec.remaining()), (2, 1));
/// ```
#[derive(Clone, Debug)]
pub struct Dec<'a> {
    /// What is not read yet.
    rest: &'a [u8],
    /// Length of the whole slice, bytes.
    len: usize,
}

impl<'a> Dec<'a> {
    /// A decoder that stands at the start of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Dec<'a> {
        Dec { rest: bytes, len: bytes.len() }
    }

    /// Bytes read so far.
    #[inline]
    pub fn pos(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Bytes that are not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything is read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is not read yet; the cursor stays.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    /// Reads one byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// Reads 2 bytes.
    #[inline]
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Reads 4 bytes.
    #[inline]
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Reads 8 bytes.
    #[inline]
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads `n` bytes as they are, borrowed from the slice.
    #[inline]
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        self.rest = tail;
        Some(head)
    }

    /// Reads a varint. `None` also for a spelling that is not the shortest of its value, is
    /// longer than [`VARINT_BYTES_MAX`] or stands for 2^64 and more.
    #[inline]
    pub fn varint(&mut self) -> Option<u64> {
        match self.rest {
            [byte, tail @ ..] if *byte < 0x80 => {
                self.rest = tail;
                Some(*byte as u64)
            }
            _ => self.varint_long(),
        }
    }

    fn varint_long(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for (i, &byte) in self.rest.iter().take(VARINT_BYTES_MAX).enumerate() {
            value |= ((byte & 0x7f) as u64) << (7 * i);
            if byte < 0x80 {
                // A last byte of 0 adds nothing, so a shorter spelling exists; the tenth byte
                // holds bit 63 alone.
                if byte == 0 && i > 0 || byte > 1 && i == VARINT_BYTES_MAX - 1 {
                    return None;
                }
                self.rest = &self.rest[i + 1..];
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn varint_bytes(value: u64) -> Vec<u8> {
        let mut buf = [0xAA; VARINT_BYTES_MAX + 1];
        let mut enc = Enc::new(&mut buf);
        enc.varint(value);
        let len = enc.pos();
        assert_eq!(buf[len], 0xAA, "wrote past varint_len");
        buf[..len].to_vec()
    }

    #[test]
    fn fixed_widths_are_little_endian() {
        let mut buf = [0; 18];
        let mut enc = Enc::new(&mut buf);
        enc.u8(1);
        enc.u16(0x0302);
        enc.u32(0x0706_0504);
        enc.u64(0x0f0e_0d0c_0b0a_0908);
        enc.bytes(&[16, 17]);
        assert_eq!((enc.pos(), enc.remaining()), (17, 1));
        enc.space(1)[0] = 18;
        let want: Vec<u8> = (1..=18).collect();
        assert_eq!(buf.to_vec(), want);
    }

    #[test]
    fn varints_at_every_width() {
        assert_eq!(varint_bytes(0), [0]);
        assert_eq!(varint_bytes(300), [0xac, 0x02]);
        for bits in 0..64 {
            for value in [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1] {
                let bytes = varint_bytes(value);
                let naive = (64 - value.leading_zeros() as usize).div_ceil(7).max(1);
                assert_eq!((bytes.len(), varint_len(value)), (naive, naive), "{value}");
                assert_eq!(Dec::new(&bytes).varint(), Some(value));
            }
        }
        assert_eq!(varint_bytes(u64::MAX).len(), VARINT_BYTES_MAX);
    }

    #[test]
    fn long_overflowing_and_cut_varints_are_refused() {
        let refused: [&[u8]; 7] = [
            &[],
            &[0x80],
            &[0x80, 0x00],
            &[0xff, 0x80, 0x00],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x00],
            &[0x80; 16],
        ];
        for bytes in refused {
            let mut dec = Dec::new(bytes);
            assert_eq!((dec.varint(), dec.pos()), (None, 0), "{bytes:?}");
        }
    }

    #[test]
    fn a_refused_read_leaves_the_cursor() {
        let mut dec = Dec::new(&[1, 2, 3]);
        assert_eq!((dec.u64(), dec.u32(), dec.bytes(4), dec.pos()), (None, None, None, 0));
        assert_eq!((dec.u16(), dec.u16(), dec.rest()), (Some(0x0201), None, &[3][..]));
        assert_eq!((dec.bytes(usize::MAX), dec.u8(), dec.is_empty()), (None, Some(3), true));
    }

    #[test]
    #[should_panic]
    fn writing_past_the_end_is_a_bug() {
        Enc::new(&mut [0; 3]).u32(1);
    }

    #[derive(Clone, Debug, PartialEq)]
    enum Item {
        U8(u8),
        U16(u16),
        U32(u32),
        U64(u64),
        Varint(u64),
        Bytes(Vec<u8>),
    }

    impl Item {
        fn len(&self) -> usize {
            match self {
                Item::U8(_) => 1,
                Item::U16(_) => 2,
                Item::U32(_) => 4,
                Item::U64(_) => 8,
                Item::Varint(v) => varint_len(*v),
                Item::Bytes(b) => b.len(),
            }
        }

        fn write(&self, enc: &mut Enc<'_>) {
            match self {
                Item::U8(v) => enc.u8(*v),
                Item::U16(v) => enc.u16(*v),
                Item::U32(v) => enc.u32(*v),
                Item::U64(v) => enc.u64(*v),
                Item::Varint(v) => enc.varint(*v),
                Item::Bytes(b) => enc.bytes(b),
            }
        }

        fn read_like(&self, dec: &mut Dec<'_>) -> Option<Item> {
            Some(match self {
                Item::U8(_) => Item::U8(dec.u8()?),
                Item::U16(_) => Item::U16(dec.u16()?),
                Item::U32(_) => Item::U32(dec.u32()?),
                Item::U64(_) => Item::U64(dec.u64()?),
                Item::Varint(_) => Item::Varint(dec.varint()?),
                Item::Bytes(b) => Item::Bytes(dec.bytes(b.len())?.to_vec()),
            })
        }
    }

    /// Numbers of every width, not only wide ones.
    fn number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0u32..64).prop_map(|(value, shift)| value >> shift)
    }

    fn item() -> impl Strategy<Value = Item> {
        prop_oneof![
            any::<u8>().prop_map(Item::U8),
            any::<u16>().prop_map(Item::U16),
            any::<u32>().prop_map(Item::U32),
            any::<u64>().prop_map(Item::U64),
            number().prop_map(Item::Varint),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Item::Bytes),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(items in prop::collection::vec(item(), 0..20)) {
            let len = items.iter().map(Item::len).sum();
            let mut buf = vec![0; len];
            let mut enc = Enc::new(&mut buf);
            for item in &items {
                item.write(&mut enc);
            }
            prop_assert_eq!(enc.remaining(), 0);
            let mut dec = Dec::new(&buf);
            for item in &items {
                prop_assert_eq!(item.read_like(&mut dec), Some(item.clone()));
            }
            prop_assert!(dec.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            shape in prop::collection::vec(item(), 0..20),
        ) {
            let mut dec = Dec::new(&bytes);
            for item in &shape {
                let before = dec.pos();
                match item.read_like(&mut dec) {
                    Some(read) => prop_assert_eq!(dec.pos(), before + read.len()),
                    None => prop_assert_eq!(dec.pos(), before),
                }
            }
        }

        #[test]
        fn a_varint_that_is_read_is_the_only_spelling(
            bytes in prop::collection::vec(prop_oneof![Just(0x80), Just(0xff), any::<u8>()], 0..12),
        ) {
            let mut dec = Dec::new(&bytes);
            if let Some(value) = dec.varint() {
                prop_assert_eq!(varint_bytes(value), &bytes[..dec.pos()]);
            }
        }
    }
}
