//! Bytes of a simulated file: sparse, and cheap to copy.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Bytes that are stored, or absent, together.
const BLOCK_BYTES: usize = 4_096;

type Block = [u8; BLOCK_BYTES];

/// A file's bytes. A clone shares all blocks until one of the two changes them, so that a copy of
/// the disk for every step of a test costs little. Bytes of absent blocks, and those at and after
/// `len`, are 0.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Image {
    len: u64,
    blocks: BTreeMap<u64, Arc<Block>>,
}

impl Image {
    pub(super) fn of(bytes: &[u8]) -> Image {
        let mut image = Image::default();
        image.write(0, bytes);
        image
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Reads what there is of `buf.len()` bytes from `offset` on; returns how many.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let n = self.len.saturating_sub(offset).min(buf.len() as u64) as usize;
        let mut rest = &mut buf[..n];
        let mut at = offset;
        while !rest.is_empty() {
            let (index, from) = locate(at);
            let (now, later) = rest.split_at_mut(rest.len().min(BLOCK_BYTES - from));
            match self.blocks.get(&index) {
                Some(block) => now.copy_from_slice(&block[from..from + now.len()]),
                None => now.fill(0),
            }
            at += now.len() as u64;
            rest = later;
        }
        n
    }

    /// Writes `bytes` at `offset`, extending the file where they reach past its end. No bytes
    /// change nothing.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let (index, from) = locate(at);
            let (now, later) = rest.split_at(rest.len().min(BLOCK_BYTES - from));
            self.block_mut(index)[from..from + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            rest = later;
        }
        self.extend(at);
    }

    /// Makes the file at least `len` bytes long.
    pub(super) fn extend(&mut self, len: u64) {
        self.len = self.len.max(len);
    }

    /// Inverts the bits of `mask` in the byte at `offset`, if there is one.
    pub(super) fn flip(&mut self, offset: u64, mask: u8) {
        if offset < self.len {
            let (index, at) = locate(offset);
            self.block_mut(index)[at] ^= mask;
        }
    }

    pub(super) fn to_vec(&self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.resize(len, 0);
        self.read(0, &mut bytes);
        Ok(bytes)
    }

    fn block_mut(&mut self, index: u64) -> &mut Block {
        let block = self.blocks.entry(index).or_insert_with(|| Arc::new([0; BLOCK_BYTES]));
        Arc::make_mut(block)
    }
}

/// The block that holds the byte at `offset`, and where in it.
fn locate(offset: u64) -> (u64, usize) {
    (offset / BLOCK_BYTES as u64, (offset % BLOCK_BYTES as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaves_like_a_vector() {
        let (mut image, mut model) = (Image::default(), Vec::new());
        let mut prng = crate::stdx::prng::Prng::new(11);
        for round in 0..500u32 {
            let (at, n) = (prng.below(20_000) as usize, prng.below(9_000) as usize);
            let bytes = vec![round as u8 | 1; n];
            image.write(at as u64, &bytes);
            if n > 0 {
                model.resize(model.len().max(at + n), 0);
                model[at..at + n].copy_from_slice(&bytes);
            }
            let (from, mut some) = (prng.below(20_000) as usize, vec![0xEE; 5_000]);
            let read = image.read(from as u64, &mut some);
            let expected = &model[from.min(model.len())..(from + 5_000).min(model.len())];
            assert_eq!(some[..read], *expected);
        }
        assert!(image.to_vec().unwrap() == model);
    }

    #[test]
    fn clones_are_independent() {
        let mut one = Image::of(b"abc");
        let two = one.clone();
        one.write(1, b"X");
        one.flip(2, 1);
        assert_eq!(one.to_vec().unwrap(), b"aXb");
        assert_eq!(two.to_vec().unwrap(), b"abc");
    }

    #[test]
    fn space_that_was_never_written_is_free() {
        let mut image = Image::default();
        image.extend(1 << 60);
        image.write(1 << 59, b"x");
        assert_eq!(image.blocks.len(), 1);
        let mut buf = [0xEE; 3];
        assert_eq!(image.read((1 << 59) - 1, &mut buf), 3);
        assert_eq!(&buf, b"\0x\0");
    }

    #[test]
    fn writing_nothing_extends_nothing() {
        let mut image = Image::of(b"abc");
        image.write(10, b"");
        assert_eq!(image.len(), 3);
    }

    #[test]
    fn a_flip_past_the_end_does_nothing() {
        let mut image = Image::of(b"abc");
        image.flip(3, 0xFF);
        image.extend(4);
        assert_eq!(image.to_vec().unwrap(), b"abc\0");
    }
}
