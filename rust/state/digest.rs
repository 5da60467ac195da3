//! The digest: BLAKE3 over the content, the same for every way that leads to it.
//!
//! ```text
//!   "MMSB state digest 1\n", then per page, ascending by id:
//!   u64 id, u64 epoch, u32 size, u32 ownership, plus 2^31 of a private page, u32 metadata keys,
//!   per key: u32 length, key, u32 length, value; first a key of no bytes, if the page has
//!   parents: per parent, in their order, u64 id, u8 kind of edge
//!   content
//! ```
//!
//! Of private pages, size and content as they are sealed. All numbers little-endian. Placement, LSNs and freed pages are not content.

use super::State;
use super::snapshot::Snapshot;
use crate::error::Result;
use crate::page::meta::Meta;
use crate::page::slot::Seen;
use crate::types::PageId;

const DOMAIN: &[u8] = b"MMSB state digest 1\n";
/// BLAKE3 is fast on long input: pages are collected first.
const BUFFER_BYTES: usize = 128 << 10;

struct Digester {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Digester {
    fn push(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
        if bytes.len() > BUFFER_BYTES {
            self.hasher.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    fn page(&mut self, id: PageId, seen: &Seen, bytes: &[u8]) {
        self.push(&id.0.to_le_bytes());
        self.push(&seen.epoch.to_le_bytes());
        self.push(&seen.size.to_le_bytes());
        self.push(&(seen.ownership.code() | u32::from(seen.private) << 31).to_le_bytes());
        match &seen.meta {
            Some(meta) => self.meta(meta),
            None => self.push(&0u32.to_le_bytes()),
        }
        self.push(bytes);
    }

    fn meta(&mut self, meta: &Meta) {
        let stored = meta.stored();
        self.push(&(stored.len() as u32).to_le_bytes());
        for (key, value) in stored {
            for bytes in [key, &*value] {
                self.push(&(bytes.len() as u32).to_le_bytes());
                self.push(bytes);
            }
        }
    }

    fn finish(mut self) -> [u8; 32] {
        self.hasher.update(&self.buffer);
        self.hasher.finalize().into()
    }
}

/// The digest of what a snapshot shows. `step` is told the bytes of each page; its error ends it.
pub fn digest_of(snapshot: &Snapshot, step: impl FnMut(u64) -> Result<()>) -> Result<[u8; 32]> {
    let mut digester = Digester { hasher: blake3::Hasher::new(), buffer: Vec::new() };
    digester.push(DOMAIN);
    let each = |id, seen: &Seen, bytes: &[u8]| {
        digester.page(id, seen, bytes);
        Ok(())
    };
    snapshot.for_each(each, step)?;
    Ok(digester.finish())
}

impl State {
    /// 256-bit digest of the content: pages with their ids, epochs, sizes, bytes, ownership, metadata and
    /// parents. Two
    /// states that applied the same records have the same digest, whatever the threads, lanes,
    /// page locations and pool reuse.
    ///
    /// Taken from a snapshot, so that writers may go on. Cost: one pass over all pages.
    ///
    /// # Errors
    /// `Corrupt` for a page that stands damaged in an image.
    ///
    /// # Source
    /// BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020).
    pub fn digest(&self) -> Result<[u8; 32]> {
        self.snapshot()?.digest()
    }
}
