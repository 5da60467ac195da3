//! Private pages: sealed wherever they stand, opened for a caller who gave the key.
//!
//! The engine moves sealed content as it moves any other. Only who reads or writes a private page needs
//! the key: a read opens a copy, a write opens a copy, changes it and seals the whole anew.

use super::State;
use super::batch::{Begin, Change, Group};
use super::commit::check_range;
use super::core::Core;
use crate::bail;
use crate::env;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::log::record::check_note;
use crate::page::seal::{Plain, Sealer};
use crate::page::slot::Body;
use crate::page::table::check_private_size;
use crate::stdx::canary::{Canary, sings};
use crate::types::{Location, Note, PageId};
use std::sync::Arc;

impl State {
    /// Gives the state the key that private pages are sealed with, for as long as it is open. States that
    /// [`replay_to`](State::replay_to) makes have it, too. Nothing of it is stored, so that a key that was
    /// mistyped shows when a private page is read: `WrongKey`.
    ///
    /// - `key`: 32 bytes, random or made of a password by a function for that. To give it again is fine.
    ///
    /// # Errors
    /// `LengthMismatch`; `WrongKey` if the state has another one already.
    ///
    /// ```
    /// # use mmsb::{Config, ErrorKind, Location, Note, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let state = State::open(Config::memory())?;
    /// state.unlock(&[7; 32])?;
    /// let page = state.create_private_page(16, Location::Cpu, Note::NONE)?;
    /// state.write(page, 4, b"account", Note::NONE)?;
    /// assert_eq!(&state.read_all(page)?[4..11], b"account");
    /// // In memory as in files it is sealed: what would show that is refused.
    /// assert_eq!(state.view(page).unwrap_err().kind(), ErrorKind::InvalidArgument);
    /// # Ok(()) }
    /// ```
    pub fn unlock(&self, key: &[u8]) -> Result<()> {
        self.check_open()?;
        let mut salt = [0; 16];
        if !sings(Canary::KeptSalt) {
            env::random(&mut salt).map_err(|error| Error::io("get randomness", error))?;
        }
        let sealer = Arc::new(Sealer::new(key, salt)?);
        let present = self.core().sealer.get_or_init(|| sealer.clone());
        match present.is_same_key(&sealer) {
            true => Ok(()),
            false => bail!(WrongKey, "the state was given another key already"),
        }
    }

    /// Whether the state has a key for private pages.
    pub fn is_unlocked(&self) -> bool {
        self.core().sealer.get().is_some()
    }

    /// Creates a private page of `size` bytes, all zero. Its content is sealed wherever it stands: in
    /// memory, in the log, in images. Its metadata are not.
    ///
    /// Private pages are read and written as others. What they cannot have is views, and pages that are
    /// computed from them, as both would show what is sealed.
    ///
    /// - `size`: 1 B to 1 GiB less the 48 bytes of a seal, else `SizeOutOfRange`.
    ///
    /// Cost: each read opens the whole page, about 0.3 µs and 1 ns per byte; each write opens and seals it,
    /// and records all of it, about 1 µs and 2.5 ns per byte.
    ///
    /// # Errors
    /// `Sealed` without a key.
    pub fn create_private_page(
        &self,
        size: u64,
        location: Location,
        note: Note<'_>,
    ) -> Result<PageId> {
        check_note(note)?;
        let size = check_private_size(size)?;
        let core = self.core();
        let id = core.table.reserve_id();
        let begin = Some(Begin { size, location, private: true, again: false });
        let changes = [Change { begin, ..Change::nothing(id) }];
        let group = Group { changes: &changes, note, listed: None };
        let created = core.in_turn(|| core.commit_batch(group, Log::begin));
        let lsn = created.inspect_err(|_| core.table.return_id(id))?;
        core.acknowledged(lsn)?;
        Ok(id)
    }

    /// Whether a page is private.
    ///
    /// # Errors
    /// `PageNotFound`, `PageFreed`.
    pub fn is_private(&self, id: PageId) -> Result<bool> {
        Ok(self.core().lock_page(id)?.private)
    }
}

impl Core {
    /// What seals and opens the private page `id`.
    pub(super) fn sealer(&self, id: PageId) -> Result<&Sealer> {
        match self.sealer.get() {
            Some(sealer) => Ok(sealer),
            None => bail!(Sealed, "{id} is private, and the state was not given a key"),
        }
    }

    /// The content of a private page, of which `sealed` is what stands in its frame.
    pub(super) fn open_sealed(&self, id: PageId, sealed: &[u8]) -> Result<Plain> {
        self.sealer(id)?.open(id, sealed)
    }

    /// Copies what a locked page holds from `offset` on.
    #[inline]
    pub(super) fn copy_out(
        &self,
        id: PageId,
        page: &Body,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<()> {
        check_range(id, page.open_size(), offset, buf.len())?;
        self.copy_open((id, page.private), page.bytes(), offset, buf)
    }

    /// Copies a part, which lies inside, of a page's content, as it stands in a frame.
    #[inline]
    pub(super) fn copy_open(
        &self,
        (id, private): (PageId, bool),
        bytes: &[u8],
        offset: u64,
        buf: &mut [u8],
    ) -> Result<()> {
        let range = offset as usize..offset as usize + buf.len();
        match private {
            false => buf.copy_from_slice(&bytes[range]),
            true => buf.copy_from_slice(&self.open_sealed(id, bytes)?[range]),
        }
        Ok(())
    }

    /// All of a page's content, as it stands in a frame.
    pub(super) fn copy_all(&self, id: PageId, private: bool, bytes: &[u8]) -> Result<Vec<u8>> {
        match private {
            false => Ok(bytes.to_vec()),
            true => Ok(std::mem::take(&mut *self.open_sealed(id, bytes)?)),
        }
    }
}

/// Refuses to show a private page's frame.
#[inline]
pub(super) fn check_shown(id: PageId, page: &Body) -> Result<()> {
    match page.private {
        false => Ok(()),
        true => Err(not_shown(id)),
    }
}

#[cold]
fn not_shown(id: PageId) -> Error {
    let message = format!("{id} is private: a view would show it sealed; read a copy");
    Error::new(ErrorKind::InvalidArgument, message)
}

/// Refuses to compute a page from a private one, or a private one.
pub(super) fn check_computable(id: PageId, page: &Body) -> Result<()> {
    match page.private {
        false => Ok(()),
        true => bail!(InvalidArgument, "{id} is private: it is not computed, nor anything from it"),
    }
}
