//! Subscriptions to what happens.

use super::pointer::{Out, optional_out, reference, slice, slice_mut};
use super::state::set;
use super::status::{MmsbStatus, call, call_state};
use super::{MmsbEvents, MmsbState, handle, take};
use crate::error::Result;
use crate::events::{Event, EventFilter, Subscription};
use crate::types::PageId;
use std::mem::MaybeUninit;
use std::time::Duration;

/// What happened. A kind's bit in a mask is 1 << kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum MmsbEventKind {
    /// A page came into being, or came back.
    Created = 1,
    /// A page's content changed.
    Changed = 2,
    /// A page was freed.
    Freed = 3,
    /// A derived page is no longer what its parents make of it.
    Stale = 4,
    /// A page derives from another from now on.
    EdgeAdded = 5,
    /// A page derives from another no longer.
    EdgeRemoved = 6,
    /// A metadata key of a page changed.
    Metadata = 7,
    /// A page belongs to somebody else.
    Ownership = 8,
    /// A group is complete: what it did stands before.
    Committed = 9,
    /// A checkpoint was made.
    Checkpoint = 10,
    /// The state refuses writes from now on.
    Poisoned = 11,
    /// Events are missing here: the subscription was full.
    Lost = 12,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbEvent {
    /// The group that did it. Of a checkpoint: where it stands. Of a poisoned state: what is
    /// durable. Of lost events: the least of the groups that are missing.
    pub lsn: u64,
    /// The page that it happened to, the child of an edge; 0 for none.
    pub page: u64,
    /// The parent of an edge; 0 for other kinds.
    pub other: u64,
    /// The page's epoch afterwards; 0 where there is none.
    pub epoch: u64,
    /// Of a committed group: the events that stand before it, if nothing was filtered out. Of lost
    /// ones: how many. 0 for other kinds.
    pub count: u64,
    /// An `MmsbEventKind`.
    pub kind: u32,
    /// An `MmsbEdgeKind`; of no meaning for other kinds than edges.
    pub edge: u32,
}

/// Which events a subscription wants, and how many of them may wait for it. Zeros are defaults.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbEventFilter {
    /// Bits 1 << `MmsbEventKind`; 0 for all. Lost events are always told of.
    pub kinds: u64,
    /// Ids of pages, `page_count` of them; null for all pages. Of an edge either end counts, a
    /// committed group is told if it did anything to one of them, and what is not of a page is told
    /// always.
    pub pages: *const u64,
    /// Number of pages, at most 1,048,576.
    pub page_count: usize,
    /// Events that may wait: up to 16,777,216; 0 for 65,536. Each takes 48 bytes.
    pub capacity: usize,
}

impl From<Event> for MmsbEvent {
    fn from(event: Event) -> MmsbEvent {
        let Event { lsn, kind, edge, page, other, epoch, count } = event;
        let (kind, edge) = (kind as u32, edge as u32);
        MmsbEvent { lsn: lsn.0, page: page.0, other: other.0, epoch, count, kind, edge }
    }
}

/// # Safety
/// `at` is null or valid, with its pages.
unsafe fn filter_at(at: *const MmsbEventFilter) -> Result<EventFilter> {
    let mut filter = EventFilter::default();
    if at.is_null() {
        return Ok(filter);
    }
    // SAFETY: the caller's promise, here and below.
    let &MmsbEventFilter { kinds, pages, page_count, capacity } =
        unsafe { reference(at, "filter") }?;
    if kinds > 0 {
        filter.kinds = kinds;
    }
    if capacity > 0 {
        filter.capacity = capacity;
    }
    if !pages.is_null() || page_count > 0 {
        // Before so much is taken for an array.
        EventFilter::check_pages(page_count)?;
        // SAFETY: as above.
        let pages = unsafe { slice(pages, page_count, "pages") }?;
        filter.pages = Some(pages.iter().map(|&id| PageId(id)).collect());
    }
    Ok(filter)
}

/// Tells of everything that happens from now on and passes the filter; null is everything.
///
/// A group's events come together, in the order of its entries in the log, its MMSB_EVENT_KIND_COMMITTED
/// last. They tell of what can be read; `rust_state_sync` says what is durable. Each page's events
/// ascend by LSN. Groups that have no page in common may come in another order than their LSNs, the
/// same for all subscriptions of a state. Writers never wait for a subscription: a group that does
/// not fit is dropped whole, and an event of the kind MMSB_EVENT_KIND_LOST stands there instead.
///
/// Ownership: `out` is freed with `rust_events_free`. It may outlive its state.
/// Errors: InvalidArgument, SizeOutOfRange, TooLarge for the filter, OutOfMemory.
///
/// # Safety
/// `filter` is null or valid with its pages, `out` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_events_subscribe(
    state: MmsbState,
    filter: *const MmsbEventFilter,
    out: *mut MmsbEvents,
) -> MmsbStatus {
    call_state(state.id, |state| {
        // SAFETY: the caller's promise.
        let (out, filter) = unsafe { (Out::new(out, "out")?, filter_at(filter)?) };
        out.set(MmsbEvents { id: handle::insert(state.subscribe(filter)?)? });
        Ok(())
    })
}

fn with(events: MmsbEvents, body: impl FnOnce(&Subscription) -> Result<()>) -> MmsbStatus {
    call(|| handle::with::<Subscription, _>(events.id, body))
}

/// Takes the oldest events that wait, `capacity` at most, without waiting: `*count` receives how many
/// were written to `buf`, 0 if none wait.
///
/// Errors: Closed once nothing is left of a subscription that was closed, or whose state was.
/// Cost: about 5 ns an event.
///
/// # Safety
/// `buf` is valid for `capacity` writes, `count` null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_events_poll(
    events: MmsbEvents,
    buf: *mut MmsbEvent,
    capacity: usize,
    count: *mut usize,
) -> MmsbStatus {
    with(events, |events| {
        // SAFETY: the caller's promise.
        let count = unsafe { Out::new(count, "count") }?;
        // SAFETY: likewise; what may be uninitialised needs no initial value.
        let places = unsafe { slice_mut(buf.cast::<MaybeUninit<MmsbEvent>>(), capacity, "buf") }?;
        let told = events.poll(capacity)?;
        count.set(told.len());
        for (place, event) in places.iter_mut().zip(told) {
            place.write(event.into());
        }
        Ok(())
    })
}

/// Waits until an event waits, for `timeout_us` microseconds at most, UINT64_MAX for as long as it
/// takes. `*ready` receives whether one does.
///
/// Errors: Closed, as for `rust_events_poll`; whoever waits is woken by it.
///
/// # Safety
/// `ready` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_events_wait(
    events: MmsbEvents,
    timeout_us: u64,
    ready: *mut bool,
) -> MmsbStatus {
    with(events, |events| {
        // SAFETY: the caller's promise.
        let ready = unsafe { Out::new(ready, "ready") }?;
        let timeout = (timeout_us < u64::MAX).then(|| Duration::from_micros(timeout_us));
        ready.set(events.wait(timeout)?);
        Ok(())
    })
}

/// The closed LSN that a subscription begins at: it is told of every group above, and of none at or
/// below.
///
/// # Safety
/// `lsn` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_events_since(events: MmsbEvents, lsn: *mut u64) -> MmsbStatus {
    with(events, |events| {
        // SAFETY: the caller's promise.
        unsafe { Out::new(lsn, "lsn") }?.set(events.since().0);
        Ok(())
    })
}

/// How many events, and groups, a subscription was not told so far, as it was full. `lost` and
/// `groups` may be null.
///
/// # Safety
/// `lost` and `groups` are null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_events_lost(
    events: MmsbEvents,
    lost: *mut u64,
    groups: *mut u64,
) -> MmsbStatus {
    with(events, |events| {
        // SAFETY: the caller's promise.
        let (lost, of) = unsafe { (optional_out(lost, "lost")?, optional_out(groups, "groups")?) };
        let missing = events.lost();
        set(lost, missing.events);
        set(of, missing.groups);
        Ok(())
    })
}

/// Ends a subscription and wakes whoever waits for it, who gets Closed; what waits is dropped. The
/// handle is still to be freed. Again changes nothing.
#[unsafe(no_mangle)]
pub extern "C" fn rust_events_close(events: MmsbEvents) -> MmsbStatus {
    with(events, |events| {
        events.close();
        Ok(())
    })
}

/// Ends a subscription, as `rust_events_close`, and frees it. `*events` becomes zero. Null and zero
/// are fine.
///
/// # Safety
/// `events` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_events_free(events: *mut MmsbEvents) -> MmsbStatus {
    call(|| {
        if !events.is_null() && events.is_aligned() {
            // SAFETY: the caller's promise.
            let id = unsafe { events.read() }.id;
            // Whoever waits for it uses it: that has to end first. What is no subscription is
            // refused below.
            let _ = handle::with::<Subscription, _>(id, |events| {
                events.close();
                Ok(())
            });
        }
        // SAFETY: a handle is one u64; the caller's promise.
        unsafe { take::<Subscription>(events.cast()) }.map(drop)
    })
}
