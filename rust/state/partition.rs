//! Partitions: who holds one changes its pages, and nobody else does.

use super::State;
use super::commit::Authority;
use super::core::Core;
use super::transact::{Holder, Transaction};
use crate::bail;
use crate::error::Result;
use crate::stdx::sync::Mutex;
use crate::txn::Retry;
use crate::types::{Lsn, Note};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The partitions that are held.
#[derive(Default)]
pub struct Partitions(Mutex<BTreeSet<u16>>);

impl Partitions {
    /// Forgets all. Nobody holds any.
    pub fn reset(&mut self) {
        self.0.get_mut().clear();
    }
}

/// One of the partitions, held as long as this lives.
pub(super) struct Hold {
    core: Arc<Core>,
    number: u16,
}

impl Hold {
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.core.partitions.0.lock().remove(&self.number);
    }
}

/// The right to change the pages of one partition, one transaction at a time; given back on drop.
///
/// Pages become a partition's by [`State::set_ownership`], and it alone gives them away. As nobody
/// else changes them meanwhile, its transactions conflict over shared pages only.
///
/// ```
/// # use mmsb::{Config, ErrorKind, Note, Ownership, Retry, State};
/// # fn main() -> mmsb::Result<()> {
/// let state = State::open(Config::memory())?;
/// let page = state.create_page(8, Note::NONE)?;
/// state.set_ownership(page, Ownership::Owned(3), Note::NONE)?;
/// let mut partition = state.partition(3)?;
/// partition.transact(Note::NONE, Retry::default(), |transaction| transaction.write(page, 0, b"mine"))?;
/// assert_eq!(state.write(page, 0, b"no", Note::NONE).unwrap_err().kind(), ErrorKind::NotOwner);
/// # Ok(()) }
/// ```
pub struct Partition {
    hold: Arc<Hold>,
}

impl State {
    /// Takes the partition `number`, until what is returned is dropped, and all that was begun in it is
    /// over.
    ///
    /// # Errors
    /// `PartitionInUse`, `Closed`.
    pub fn partition(&self, number: u16) -> Result<Partition> {
        self.check_open()?;
        let core = self.core();
        if !core.partitions.0.lock().insert(number) {
            bail!(PartitionInUse, "partition {number} is held already");
        }
        Ok(Partition { hold: Arc::new(Hold { core: core.clone(), number }) })
    }
}

impl Partition {
    /// Its number.
    pub fn number(&self) -> u16 {
        self.hold.number
    }

    fn core(&self) -> &Arc<Core> {
        &self.hold.core
    }

    fn authority(&self) -> Authority {
        Authority::Partition(self.number())
    }

    /// Begins a transaction that may change the partition's pages, and shared ones.
    ///
    /// # Errors
    /// As [`State::begin`].
    pub fn begin(&mut self) -> Result<Transaction<'_>> {
        self.core().check_writable()?;
        Ok(Transaction::new(Holder::Borrowed(self.core()), self.authority(), false))
    }

    /// As [`begin`](Partition::begin), of a transaction that keeps the state's memory and the partition
    /// itself: for other languages. Two at a time may conflict.
    pub fn begin_held(&self) -> Result<Transaction<'static>> {
        self.core().check_writable()?;
        Ok(Transaction::new(Holder::Partition(self.hold.clone()), self.authority(), false))
    }

    /// As [`State::try_until_done`].
    pub(crate) fn try_until_done<R>(
        &self,
        retry: Retry,
        attempt: impl FnMut() -> Result<R>,
    ) -> Result<R> {
        self.core().try_until_done(retry, attempt)
    }

    /// As [`State::transact`], for the partition.
    ///
    /// # Errors
    /// As [`State::transact`].
    #[inline]
    pub fn transact<R>(
        &mut self,
        note: Note<'_>,
        retry: Retry,
        body: impl FnMut(&mut Transaction<'_>) -> Result<R>,
    ) -> Result<(R, Option<Lsn>)> {
        self.core().check_writable()?;
        self.core().transact(self.authority(), note, retry, body)
    }
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Partition({})", self.number())
    }
}
