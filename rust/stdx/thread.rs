//! Threads that a simulation can run in turns, and a small number for each thread, reused after the
//! thread ends, that picks its lane.

use super::sched;
use parking_lot::Mutex;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ffi::c_void;
use std::io;
use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A started thread. Dropped without [`join`](JoinHandle::join), it goes on by itself.
pub struct JoinHandle(Handle);

enum Handle {
    Own(std::thread::JoinHandle<()>),
    Simulated(sched::Joined),
}

/// Starts a thread; in a simulation ([`sched`]) one that takes turns with the caller.
///
/// # Errors
/// What the operating system says.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle> {
    let mut body: Option<sched::Body> = Some(Box::new(body));
    if let Some(simulated) = sched::spawn(name, &mut body)? {
        return Ok(JoinHandle(Handle::Simulated(simulated)));
    }
    let run = move || body.into_iter().for_each(|body| body());
    let own = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(JoinHandle(Handle::Own(own)))
}

impl JoinHandle {
    /// Waits for the thread's end; `Err` holds what it panicked with.
    pub fn join(self) -> std::thread::Result<()> {
        match self.0 {
            Handle::Own(own) => own.join(),
            Handle::Simulated(simulated) => simulated.join(),
        }
    }
}

/// Sleeps; in a simulation until its clock says so.
pub fn sleep(time: Duration) {
    match sched::is_simulated() {
        true => sched::sleep(time),
        false => std::thread::sleep(time),
    }
}

/// Keeps the core busy for so many short rounds, tens of nanoseconds each; in a simulation lets
/// others go on.
pub fn pause(rounds: u32) {
    if sched::is_simulated() {
        return sched::point();
    }
    (0..rounds).for_each(|_| std::hint::spin_loop());
}

/// A number that no other living thread has. Unlike the standard library's it takes no memory,
/// which a host's thread would never give back.
pub fn identity() -> usize {
    thread_local! {
        static HERE: Cell<u8> = const { Cell::new(0) };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// What a thread calls when it ends. A key of the system's, not a local with a destructor: locals are
/// over when destructors of other keys make their first call, and one registered by then would never
/// run. `build.rs` has the shared library never unloaded, so the call stays valid.
pub struct AtEnd {
    key: OnceLock<Option<libc::pthread_key_t>>,
    call: extern "C" fn(*mut c_void),
}

impl AtEnd {
    /// `call` gets what [`set`](AtEnd::set) was given.
    pub const fn new(call: extern "C" fn(*mut c_void)) -> AtEnd {
        AtEnd { key: OnceLock::new(), call }
    }

    /// Has the calling thread call it with `value` when it ends; `false` where the system has no room
    /// for that.
    #[must_use]
    pub fn set(&'static self, value: NonNull<c_void>) -> bool {
        let key = self.key.get_or_init(|| {
            let mut key = 0;
            // SAFETY: `key` is valid for a write.
            let status = unsafe { libc::pthread_key_create(&mut key, Some(self.call)) };
            (status == 0).then_some(key)
        });
        // SAFETY: the key is never deleted.
        key.is_some_and(|key| unsafe { libc::pthread_setspecific(key, value.as_ptr()) } == 0)
    }
}

struct Free {
    returned: BinaryHeap<Reverse<u32>>,
    next: u32,
}

/// Numbers from here on were never given out.
static GIVEN: AtomicU32 = AtomicU32::new(0);

static FREE: Mutex<Free> = Mutex::new(Free { returned: BinaryHeap::new(), next: 0 });

/// A thread that has no number yet.
const UNSET: u32 = u32::MAX - 1;

thread_local! {
    static HELD: Cell<u32> = const { Cell::new(UNSET) };
}

/// What all threads get that are ending: they run destructors.
pub const LEAVING: u32 = u32::MAX;

/// The calling thread's number: the smallest that no living thread has, from 0; [`LEAVING`] for
/// all threads that are about to be none.
///
/// Cost: about 1 ns after the first call of a thread.
#[inline]
pub fn index() -> u32 {
    match HELD.get() {
        UNSET => assign(),
        index => index,
    }
}

#[cold]
fn assign() -> u32 {
    static GIVE_BACK: AtEnd = AtEnd::new(give_back);
    let mut free = FREE.lock();
    let index = free.returned.pop().map_or(free.next, |Reverse(index)| index);
    free.next = free.next.max(index + 1);
    GIVEN.fetch_max(free.next, Ordering::Relaxed);
    // Counted from 1, as no value is null.
    if !GIVE_BACK
        .set(NonNull::without_provenance(NonZero::<usize>::MIN.saturating_add(index as usize)))
    {
        free.returned.push(Reverse(index));
        return LEAVING;
    }
    HELD.set(index);
    index
}

extern "C" fn give_back(number: *mut c_void) {
    HELD.set(LEAVING);
    FREE.lock().returned.push(Reverse((number.addr() - 1) as u32));
}

/// All numbers that were ever given out are below it, but for [`LEAVING`].
pub fn numbers() -> u32 {
    GIVEN.load(Ordering::Relaxed)
}

/// Gives the calling thread a number that [`index`] did not give out: a simulation numbers its own.
pub(super) fn lend_index(index: u32) {
    GIVEN.fetch_max(index + 1, Ordering::Relaxed);
    HELD.set(index);
}

/// Takes that number back, so that it is not given to others when the thread ends.
pub(super) fn take_back_index() {
    HELD.set(UNSET);
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_is_itself_and_no_other() {
        let mine = super::identity();
        assert_eq!(mine, super::identity());
        assert_ne!(mine, std::thread::spawn(super::identity).join().unwrap());
    }

    #[test]
    fn living_threads_have_distinct_numbers_and_numbers_come_back() {
        let mine = super::index();
        assert_eq!(mine, super::index());
        let other = std::thread::spawn(super::index).join().unwrap();
        assert_ne!(mine, other);
        let many: Vec<u32> =
            (0..50).map(|_| std::thread::spawn(super::index).join().unwrap()).collect();
        assert!(many.iter().all(|&index| index < 64), "{many:?}");
    }
}
