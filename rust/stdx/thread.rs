//! Threads that a simulation can run in turns, and a small number for each thread, reused after the
//! thread ends, that picks its lane.

use super::sched;
use parking_lot::Mutex;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

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

/// A number that no other living thread has. Unlike the standard library's it takes no memory,
/// which a host's thread would never give back.
pub fn identity() -> usize {
    thread_local! {
        static HERE: Cell<u8> = const { Cell::new(0) };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

struct Free {
    returned: BinaryHeap<Reverse<u32>>,
    next: u32,
}

static FREE: Mutex<Option<Free>> = Mutex::new(None);

struct Held(Cell<u32>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(free) = FREE.lock().as_mut()
            && self.0.get() != UNSET
        {
            free.returned.push(Reverse(self.0.get()));
        }
    }
}

const UNSET: u32 = u32::MAX;

thread_local! {
    static HELD: Held = const { Held(Cell::new(UNSET)) };
}

/// What a thread gets whose locals are already gone: it runs destructors.
pub const LEAVING: u32 = u32::MAX;

/// The calling thread's number: the smallest that no living thread has, from 0; [`LEAVING`] for
/// all threads that are about to be none.
///
/// Cost: about 1 ns after the first call of a thread.
#[inline]
pub fn index() -> u32 {
    HELD.try_with(|held| match held.0.get() {
        UNSET => assign(held),
        index => index,
    })
    .unwrap_or(LEAVING)
}

#[cold]
fn assign(held: &Held) -> u32 {
    let mut free = FREE.lock();
    let free = free.get_or_insert_with(|| Free { returned: BinaryHeap::new(), next: 0 });
    let index = free.returned.pop().map_or_else(
        || {
            free.next += 1;
            free.next - 1
        },
        |Reverse(index)| index,
    );
    held.0.set(index);
    index
}

/// Gives the calling thread a number that [`index`] did not give out: a simulation numbers its own.
pub(super) fn lend_index(index: u32) {
    HELD.with(|held| held.0.set(index));
}

/// Takes that number back, so that it is not given to others when the thread ends.
pub(super) fn take_back_index() {
    HELD.with(|held| held.0.set(UNSET));
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
