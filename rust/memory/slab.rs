//! A slab's free blocks, and who looks after it: a bit for each block, and one word.
//!
//! ```text
//!              hold (central lock)                      retire
//!   Listed ───────────────────────> Held by a thread ────────────> Idle: nothing free
//!      ^                              │ give up                      │
//!      └──────────────────────────────┴──────────────────────────────┘ push: a block came back
//! ```
//!
//! Any thread gives blocks back without a lock: it sets their bits, then adds to the word's count.
//! The holder alone takes bits. Whoever makes a slab `Listed` enters it into the list of its class.
//!
//! Nothing is written into free blocks: giving back memory that has left the caches does not fetch
//! it, and a write to a freed block cannot break the heap.
//!
//! Between setting bits and adding to the count, a holder may take them and subtract first: the count
//! is a number modulo 2^32 that may be below zero for a moment. It says that all blocks are back
//! only when they are.

use crate::stdx::sync::{AtomicU64, Ordering};

/// Who looks after a slab.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeper {
    /// Nobody: it has no free block, or belongs to no class.
    Idle,
    /// One thread, which carves it and takes its free blocks.
    Held,
    /// The central list of its class, or somebody who is about to enter it there.
    Listed,
}

/// What the word says at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word {
    /// Free blocks.
    pub free: i32,
    /// Who looks after the slab.
    pub keeper: Keeper,
}

impl Word {
    fn pack(self) -> u64 {
        u64::from(self.free as u32) << 32 | self.keeper as u64
    }

    fn unpack(word: u64) -> Word {
        let keeper = match word as u32 {
            0 => Keeper::Idle,
            1 => Keeper::Held,
            _ => Keeper::Listed,
        };
        Word { free: (word >> 32) as i32, keeper }
    }
}

/// The word of a slab. All bytes zero is one of an idle slab without free blocks.
#[derive(Debug)]
pub struct Custody(AtomicU64);

impl Default for Custody {
    fn default() -> Custody {
        Custody(AtomicU64::new(0))
    }
}

impl Custody {
    /// What it says now.
    pub fn read(&self) -> Word {
        Word::unpack(self.0.load(Ordering::Acquire))
    }

    /// Changes the word to what `change` makes of it, unless that is `None`. Returns the old word
    /// and whether it was changed.
    fn update(&self, mut change: impl FnMut(Word) -> Option<Word>) -> (Word, bool) {
        let mut old = self.0.load(Ordering::Acquire);
        loop {
            let word = Word::unpack(old);
            let Some(new) = change(word) else { return (word, false) };
            match self.0.compare_exchange(old, new.pack(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return (word, true),
                Err(now) => old = now,
            }
        }
    }

    /// Counts `n` blocks whose bits the caller has set. An idle slab is `Listed` after it. Returns
    /// what the word said before and says now.
    pub fn add(&self, n: u32) -> (Word, Word) {
        let added = |old: Word| Word {
            free: old.free.wrapping_add(n as i32),
            keeper: if old.keeper == Keeper::Idle { Keeper::Listed } else { old.keeper },
        };
        let (old, _) = self.update(|old| Some(added(old)));
        (old, added(old))
    }

    /// Counts `n` blocks less, whose bits the caller took. For the holder.
    pub fn sub(&self, n: u32) {
        self.update(|old| Some(Word { free: old.free.wrapping_sub(n as i32), ..old }));
    }

    /// Lets go of a slab that has nothing free; `false` if something came back. For the holder.
    pub fn retire(&self) -> bool {
        self.update(|old| (old.free <= 0).then_some(Word { keeper: Keeper::Idle, ..old })).1
    }

    /// Makes `keeper` look after it. For the holder, or for who has the central lock and finds it
    /// `Listed` or unused.
    pub fn pass_to(&self, keeper: Keeper) {
        self.update(|old| Some(Word { keeper, ..old }));
    }

    /// Makes it the word of an idle slab. For who has the central lock and knows that all blocks came
    /// back.
    pub fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }
}

/// Sets `bits` in a word of a slab's map; returns those that were set already, which are blocks that
/// were freed twice.
#[inline]
pub fn set_bits(map: &AtomicU64, bits: u64) -> u64 {
    map.fetch_or(bits, Ordering::AcqRel) & bits
}

/// Takes up to `most` of the set bits of a word, the lowest first. For the holder.
#[inline]
pub fn take_bits(map: &AtomicU64, most: u32) -> u64 {
    let there = map.load(Ordering::Acquire);
    if there == 0 {
        return 0;
    }
    let mut rest = there;
    for _ in 0..most.min(there.count_ones()) {
        rest &= rest - 1;
    }
    let taken = there & !rest;
    // Others only set bits.
    map.fetch_and(!taken, Ordering::AcqRel);
    taken
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn words_are_packed_without_loss() {
        for free in [-131_072, -1, 0, 1, 131_072] {
            for keeper in [Keeper::Idle, Keeper::Held, Keeper::Listed] {
                let word = Word { free, keeper };
                assert_eq!(Word::unpack(word.pack()), word);
            }
        }
    }

    #[test]
    fn a_block_that_comes_back_lists_its_slab() {
        let custody = Custody::default();
        let (old, new) = custody.add(3);
        assert_eq!((old.keeper, new.keeper, new.free), (Keeper::Idle, Keeper::Listed, 3));
        custody.pass_to(Keeper::Held);
        assert!(!custody.retire());
        custody.sub(3);
        assert!(custody.retire());
        assert_eq!(custody.read(), Word { free: 0, keeper: Keeper::Idle });
    }

    #[test]
    fn bits_are_taken_lowest_first_and_set_once() {
        let map = AtomicU64::new(0);
        assert_eq!(set_bits(&map, 0b1011_0000), 0);
        assert_eq!(set_bits(&map, 0b0001_0001), 0b0001_0000);
        assert_eq!(take_bits(&map, 2), 0b0001_0001);
        assert_eq!(take_bits(&map, 64), 0b1010_0000);
        assert_eq!(take_bits(&map, 64), 0);
    }
}

/// Schedules of two freeing threads and a holder.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    #[derive(Default)]
    struct Model {
        custody: Custody,
        map: MapWord,
        /// How often the slab stands in the central list.
        listed: Mutex<u32>,
    }

    struct MapWord(AtomicU64);

    impl Default for MapWord {
        fn default() -> MapWord {
            MapWord(AtomicU64::new(0))
        }
    }

    impl Model {
        fn held() -> Arc<Model> {
            let model = Model::default();
            model.custody.pass_to(Keeper::Held);
            Arc::new(model)
        }

        fn free(&self, block: u32) {
            assert_eq!(set_bits(&self.map.0, 1 << block), 0);
            let (old, _) = self.custody.add(1);
            if old.keeper == Keeper::Idle {
                *self.listed.lock().unwrap() += 1;
            }
        }

        fn take(&self) -> u64 {
            let taken = take_bits(&self.map.0, 64);
            self.custody.sub(taken.count_ones());
            taken
        }
    }

    /// Every schedule in which threads are interrupted at most three times between them.
    fn explore(schedule: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(schedule);
    }

    fn freeing(model: &Arc<Model>, block: u32) -> thread::JoinHandle<()> {
        let model = model.clone();
        thread::spawn(move || model.free(block))
    }

    #[test]
    fn loom_no_freed_block_is_lost_or_taken_twice() {
        explore(|| {
            let model = Model::held();
            let frees = [freeing(&model, 0), freeing(&model, 1)];
            let first = model.take();
            frees.into_iter().for_each(|free| free.join().unwrap());
            let second = model.take();
            assert_eq!((first & second, first | second), (0, 0b11));
            assert_eq!(model.custody.read(), Word { free: 0, keeper: Keeper::Held });
            assert_eq!(*model.listed.lock().unwrap(), 0);
        });
    }

    /// The holder lets go while blocks come back: the slab is listed once, by somebody, or still
    /// held with blocks in it.
    #[test]
    fn loom_a_slab_with_free_blocks_is_never_forgotten() {
        explore(|| {
            let model = Model::held();
            let frees = [freeing(&model, 0), freeing(&model, 1)];
            let taken = model.take();
            let retired = model.custody.retire();
            frees.into_iter().for_each(|free| free.join().unwrap());
            let word = model.custody.read();
            assert_eq!(word.free as u32, 2 - taken.count_ones());
            let listed = *model.listed.lock().unwrap();
            match (retired, word.free) {
                // Both taken; whoever counted its block after that listed a slab without one.
                (true, 0) => assert!(listed <= 1),
                (true, _) => assert_eq!((word.keeper, listed), (Keeper::Listed, 1)),
                (false, _) => assert_eq!((word.keeper, listed), (Keeper::Held, 0)),
            }
        });
    }

    /// Handed on through the central list: the next holder gets every block.
    #[test]
    fn loom_the_next_holder_gets_what_came_back() {
        explore(|| {
            let model = Model::held();
            model.free(2);
            let free = freeing(&model, 0);
            let next = {
                let model = model.clone();
                thread::spawn(move || {
                    let mut listed = model.listed.lock().unwrap();
                    if *listed == 0 {
                        return 0;
                    }
                    *listed -= 1;
                    model.custody.pass_to(Keeper::Held);
                    drop(listed);
                    model.take()
                })
            };
            {
                let mut listed = model.listed.lock().unwrap();
                model.custody.pass_to(Keeper::Listed);
                *listed += 1;
            }
            free.join().unwrap();
            let taken = next.join().unwrap();
            let rest = model.take();
            assert_eq!((taken & rest, taken | rest), (0, 0b101));
            assert_eq!(model.custody.read().free, 0);
        });
    }
}
