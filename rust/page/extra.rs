//! What few pages have beside content, in one word of a slot.
//!
//! ```text
//!   0           nothing
//!   p           metadata: an Arc<Meta>
//!   p | FULL    a Box<Full>: metadata, if there are any, and older versions
//! ```
//!
//! Most pages that have anything have metadata alone, as edges are: that costs one allocation, not two,
//! and none of the room that versions take.

use super::meta::Meta;
use super::slot::Chain;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

const FULL: usize = 1;
const _: () = assert!(align_of::<Meta>() > FULL && align_of::<Full>() > FULL);

/// Metadata and older versions of a page. All bytes zero is neither.
#[derive(Default)]
pub struct Extra {
    /// Of [`meta_word`] or [`full_word`].
    word: Option<NonNull<()>>,
    owned: PhantomData<(Arc<Meta>, Box<Full>)>,
}

#[derive(Default)]
struct Full {
    meta: Option<Arc<Meta>>,
    chain: Chain,
}

/// What the word points to.
enum At {
    Nothing,
    Meta(NonNull<Meta>),
    Full(NonNull<Full>),
}

fn meta_word(meta: Option<Arc<Meta>>) -> Option<NonNull<()>> {
    let meta = meta.map_or(ptr::null(), Arc::into_raw);
    NonNull::new(meta.cast_mut().cast())
}

fn full_word(full: Box<Full>) -> Option<NonNull<()>> {
    let full = Box::into_raw(full).cast::<()>();
    NonNull::new(full.map_addr(|at| at | FULL))
}

impl Extra {
    #[inline]
    fn at(&self) -> At {
        let Some(word) = self.word else { return At::Nothing };
        match NonNull::new(word.as_ptr().map_addr(|at| at & !FULL)) {
            Some(full) if full != word => At::Full(full.cast()),
            _ => At::Meta(word.cast()),
        }
    }

    /// The metadata.
    #[inline]
    pub fn meta(&self) -> Option<&Meta> {
        match self.at() {
            At::Nothing => None,
            // SAFETY: `meta_word` had it of an `Arc`, whose count this holds.
            At::Meta(meta) => Some(unsafe { meta.as_ref() }),
            // SAFETY: `full_word` had it of a `Box`, which is this one's.
            At::Full(full) => unsafe { full.as_ref() }.meta.as_deref(),
        }
    }

    /// The metadata, to be kept as they are.
    pub fn share_meta(&self) -> Option<Arc<Meta>> {
        match self.at() {
            At::Nothing => None,
            // SAFETY: as above; the count that is taken over is the one that is added.
            At::Meta(meta) => Some(unsafe {
                Arc::increment_strong_count(meta.as_ptr());
                Arc::from_raw(meta.as_ptr())
            }),
            // SAFETY: as above.
            At::Full(full) => unsafe { full.as_ref() }.meta.clone(),
        }
    }

    /// Takes the metadata out.
    pub fn take_meta(&mut self) -> Option<Arc<Meta>> {
        match self.at() {
            At::Nothing => None,
            At::Meta(meta) => {
                self.word = None;
                // SAFETY: `meta_word` had it of an `Arc`, whose count goes to the caller.
                Some(unsafe { Arc::from_raw(meta.as_ptr()) })
            }
            // SAFETY: `full_word` had it of a `Box`, which is borrowed alone.
            At::Full(mut full) => unsafe { full.as_mut() }.meta.take(),
        }
    }

    /// Replaces the metadata.
    pub fn set_meta(&mut self, meta: Option<Arc<Meta>>) {
        match self.at() {
            // SAFETY: as above.
            At::Full(mut full) => unsafe { full.as_mut() }.meta = meta,
            _ => {
                self.take_meta();
                self.word = meta_word(meta);
            }
        }
    }

    /// The older versions.
    pub fn chain(&self) -> Option<&Chain> {
        match self.at() {
            // SAFETY: `full_word` had it of a `Box`, which is this one's.
            At::Full(full) => Some(&unsafe { full.as_ref() }.chain),
            _ => None,
        }
    }

    /// The older versions, to change.
    pub fn chain_mut(&mut self) -> Option<&mut Chain> {
        match self.at() {
            // SAFETY: as above; it is borrowed alone.
            At::Full(mut full) => Some(&mut unsafe { full.as_mut() }.chain),
            _ => None,
        }
    }

    /// The older versions, to add to.
    pub fn chain_or_new(&mut self) -> &mut Chain {
        let full = match self.at() {
            At::Full(full) => full,
            _ => {
                let meta = self.take_meta();
                self.word = full_word(Box::new(Full { meta, ..Full::default() }));
                return self.chain_or_new();
            }
        };
        // SAFETY: as above.
        &mut unsafe { &mut *full.as_ptr() }.chain
    }

    /// Takes the older versions out.
    pub fn take_chain(&mut self) -> Option<Chain> {
        let At::Full(full) = self.at() else { return None };
        // SAFETY: `full_word` had it of a `Box`, and the word is replaced.
        let full = unsafe { Box::from_raw(full.as_ptr()) };
        self.word = meta_word(full.meta);
        Some(full.chain)
    }
}

impl Drop for Extra {
    fn drop(&mut self) {
        drop((self.take_chain(), self.take_meta()));
    }
}

// SAFETY: it is an `Arc` or a `Box` of what may go to other threads.
unsafe impl Send for Extra {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::prng::Prng;

    /// Metadata that are told apart by a key.
    fn named(n: u8) -> Arc<Meta> {
        let mut meta = Meta::default();
        meta.set(&[n], Some(b"is here"));
        Arc::new(meta)
    }

    #[test]
    fn metadata_and_chain_come_and_go_in_any_order() {
        let mut prng = Prng::new(7);
        let all: Vec<_> = (0..4).map(named).collect();
        let mut kept = Vec::new();
        let (mut extra, mut meta, mut chained) = (Extra::default(), None, false);
        for _ in 0..10_000 {
            match prng.below(6) {
                0 => {
                    meta = all.get(prng.below(5) as usize).cloned();
                    extra.set_meta(meta.clone());
                }
                1 => assert_eq!(extra.take_meta(), meta.take()),
                2 => kept.extend(extra.share_meta()),
                3 => {
                    extra.chain_or_new();
                    chained = true;
                }
                4 => assert_eq!(extra.take_chain().is_some(), std::mem::take(&mut chained)),
                _ => kept.clear(),
            }
            assert_eq!(extra.meta(), meta.as_deref());
            assert_eq!((extra.chain().is_some(), extra.chain_mut().is_some()), (chained, chained));
        }
        drop((extra, meta, kept));
        assert!(all.iter().all(|meta| Arc::strong_count(meta) == 1));
    }
}
