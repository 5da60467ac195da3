//! A small number for each thread, reused after the thread ends: picks its lane.

use parking_lot::Mutex;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

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

#[cfg(test)]
mod tests {
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
