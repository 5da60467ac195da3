//! Applying records to a table: what recovery, replay and followers do. The live path reaches the
//! same state through `commit`; tests compare the two by digest.
//!
//! Each entry is checked against the page that it changes: the record before must be the page's
//! last, the epoch must follow, ranges must lie inside. A record that does not fit is damage.

use super::op::Op;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Entry, EntryHead, Record};
use crate::page::slot::{Body, Status};
use crate::page::table::Table;
use crate::stdx::canary::{Canary, sings};
use crate::types::{Location, Lsn, PageId};

/// Applies one record.
#[inline]
pub fn apply(table: &mut Table, record: &Record<'_>) -> Result<()> {
    for entry in record.entries() {
        let entry = entry.map_err(|reason| broken(record.lsn, reason))?;
        apply_entry(table, record.lsn, &entry)?;
        if sings(Canary::HalfAGroup) {
            break;
        }
    }
    Ok(())
}

#[inline]
fn apply_entry(table: &mut Table, lsn: Lsn, entry: &Entry<'_>) -> Result<()> {
    let id = PageId(entry.head.object);
    let op = Op::decode(entry).map_err(|reason| broken(lsn, reason))?;
    match op {
        Op::Create { size, location } => return create(table, lsn, &entry.head, size, location),
        Op::Restore { size, location } => return restore(table, lsn, &entry.head, size, location),
        _ => {}
    }
    if let Op::Edge { link, there: true } = op {
        table.note_linked();
        if link.page == id || link.page.0 >= table.next_id() {
            return Err(broken(lsn, &format!("it derives {id} from {}", link.page)));
        }
    }
    let page = table.live_mut(id).map_err(|error| match error.kind() {
        ErrorKind::PageNotFound | ErrorKind::PageFreed => broken(lsn, error.message()),
        _ => error,
    })?;
    check_link(page, lsn, &entry.head, matches!(op, Op::Write(_)))?;
    page.lsn = lsn;
    match op {
        Op::Write(runs) => {
            if runs.end() > u64::from(page.size) {
                return Err(broken(lsn, &format!("it writes beyond the end of {id}")));
            }
            overwrite(page.bytes_mut(), runs);
            page.epoch += 1;
        }
        Op::Meta { key, value } => {
            let mut meta = page.meta().map(|meta| (**meta).clone()).unwrap_or_default();
            meta.set(key, value);
            page.set_meta(meta);
        }
        Op::Own(ownership) => page.ownership = ownership,
        Op::Edge { link, there } => {
            if !page.set_parent(link, there) {
                let reason = format!("it changes an edge from {} to {id} to what it is", link.page);
                return Err(broken(lsn, &reason));
            }
        }
        Op::Free => {
            let mut page = table.lock(id)?;
            table.free_page(&mut page, lsn, false);
        }
        Op::Create { .. } | Op::Restore { .. } => {}
    }
    Ok(())
}

fn restore(
    table: &mut Table,
    lsn: Lsn,
    head: &EntryHead,
    size: u32,
    location: Location,
) -> Result<()> {
    let id = PageId(head.object);
    match table.freed_mut(id)? {
        None => return Err(broken(lsn, &format!("it brings {id} back, which was not freed"))),
        Some(page) if page.status == Status::Freed => check_link(page, lsn, head, true)?,
        // An image does not tell of pages that were freed before.
        Some(_) => {}
    }
    let frame = table.frame(size)?;
    if let Some(page) = table.freed_mut(id)? {
        page.restore((size, location), (lsn, head.epoch), frame);
        table.note_created(size);
    }
    Ok(())
}

fn create(
    table: &mut Table,
    lsn: Lsn,
    head: &EntryHead,
    size: u32,
    location: Location,
) -> Result<()> {
    let id = PageId(head.object);
    let mut page = table.lock_vacant(id)?;
    table.note_id(id);
    if page.status != Status::Vacant || head.prev != Lsn::ZERO || head.epoch != 0 {
        return Err(broken(lsn, &format!("it creates {id}, which exists")));
    }
    page.create(size, location, lsn, table.frame(size)?);
    table.note_created(size);
    Ok(())
}

/// Entries of one record on one page share their link.
#[inline]
fn check_link(page: &Body, lsn: Lsn, head: &EntryHead, write: bool) -> Result<()> {
    let follows = page.lsn == head.prev || page.lsn == lsn;
    if !follows || head.epoch != page.epoch + u64::from(write) {
        return Err(does_not_follow(page, lsn, head));
    }
    Ok(())
}

#[cold]
fn does_not_follow(page: &Body, lsn: Lsn, head: &EntryHead) -> Error {
    let reason = format!(
        "it follows record {} and makes epoch {} of page {}, which stands at record {}, epoch {}",
        head.prev, head.epoch, head.object, page.lsn, page.epoch
    );
    broken(lsn, &reason)
}

/// Copies runs into a page's bytes; the runs lie inside.
#[inline]
pub fn overwrite<'a>(page: &mut [u8], runs: impl IntoIterator<Item = (u32, &'a [u8])>) {
    for (offset, bytes) in runs {
        let offset = offset as usize;
        page[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

#[cold]
fn broken(lsn: Lsn, reason: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the record {lsn} cannot be applied: {reason}"))
}
