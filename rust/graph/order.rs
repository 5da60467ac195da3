//! An order of places that can be changed anywhere: a list whose labels grow.
//!
//! ```text
//!   first ⇄ … ⇄ a (label 40) ⇄ b (label 72) ⇄ … ⇄ last        is a before b: 40 < 72
//! ```
//!
//! Who is put between two gets a label between theirs. Where there is none, the smallest
//! surrounding range of labels that is thin enough is spread anew, so that n insertions change
//! O(n log n) labels wherever they happen.

/// No place.
const NONE: u32 = u32::MAX;
/// The first place's label; there is room on both sides.
const MIDDLE: u64 = 1 << 63;
/// Between neighbours at the ends.
const STEP: u64 = 1 << 20;
/// A range of 2^n labels may hold this to the n-th places.
const FILL: f64 = 1.4;
/// The widest range that is spread: a quarter of all labels.
const RANGE_BITS_MAX: u32 = 62;

#[derive(Clone, Copy)]
struct Seat {
    label: u64,
    before: u32,
    after: u32,
}

const UNSEATED: Seat = Seat { label: 0, before: NONE, after: NONE };

/// The order.
pub struct Order {
    seats: Vec<Seat>,
    first: u32,
    last: u32,
}

impl Default for Order {
    fn default() -> Order {
        Order { seats: Vec::new(), first: NONE, last: NONE }
    }
}

impl Order {
    /// The label of a place: grows along the order.
    #[inline]
    pub fn label(&self, place: u32) -> u64 {
        self.seats[place as usize].label
    }

    /// Whether `a` comes before `b`.
    #[inline]
    pub fn is_before(&self, a: u32, b: u32) -> bool {
        self.label(a) < self.label(b)
    }

    /// All places, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let real = |place: u32| (place != NONE).then_some(place);
        std::iter::successors(real(self.first), move |&place| {
            real(self.seats[place as usize].after)
        })
    }

    fn seat(&mut self, place: u32) -> &mut Seat {
        let at = place as usize;
        if at >= self.seats.len() {
            self.seats.resize(at + 1, UNSEATED);
        }
        &mut self.seats[at]
    }

    /// Puts a new place last.
    pub fn append(&mut self, place: u32) {
        let label = self.seats.get(self.last as usize).map_or(MIDDLE, |last| last.label + STEP);
        self.put(place, label, self.last, NONE);
    }

    /// Puts a new place first.
    pub fn prepend(&mut self, place: u32) {
        let label = self.seats.get(self.first as usize).map_or(MIDDLE, |first| first.label - STEP);
        self.put(place, label, NONE, self.first);
    }

    fn put(&mut self, place: u32, label: u64, before: u32, after: u32) {
        *self.seat(place) = Seat { label, before, after };
        match before {
            NONE => self.first = place,
            _ => self.seats[before as usize].after = place,
        }
        match after {
            NONE => self.last = place,
            _ => self.seats[after as usize].before = place,
        }
    }

    /// Takes a place out.
    pub fn remove(&mut self, place: u32) {
        let Seat { before, after, .. } = self.seats[place as usize];
        match before {
            NONE => self.first = after,
            _ => self.seats[before as usize].after = after,
        }
        match after {
            NONE => self.last = before,
            _ => self.seats[after as usize].before = before,
        }
        self.seats[place as usize] = UNSEATED;
    }

    /// Moves places right behind `place`, in the order in which they are given.
    pub fn move_after(&mut self, place: u32, moved: &[u32]) {
        moved.iter().for_each(|&place| self.remove(place));
        self.insert_after(place, moved);
    }

    /// Moves places right before `place`, in the order in which they are given.
    pub fn move_before(&mut self, place: u32, moved: &[u32]) {
        moved.iter().for_each(|&place| self.remove(place));
        match self.seats[place as usize].before {
            NONE => moved.iter().rev().for_each(|&place| self.prepend(place)),
            before => self.insert_after(before, moved),
        }
    }

    fn insert_after(&mut self, place: u32, moved: &[u32]) {
        let after = self.seats[place as usize].after;
        if after == NONE {
            moved.iter().for_each(|&place| self.append(place));
            return;
        }
        let wanted = moved.len() as u64 + 1;
        if self.label(after) - self.label(place) < wanted {
            self.spread(place, wanted);
        }
        let from = self.label(place);
        let gap = (self.label(after) - from) / wanted;
        let mut before = place;
        for (i, &place) in moved.iter().enumerate() {
            self.put(place, from + gap * (i as u64 + 1), before, after);
            before = place;
        }
    }

    /// Spreads the labels around a place until neighbours are `wanted` apart.
    fn spread(&mut self, place: u32, wanted: u64) {
        let (mut first, mut last, mut count) = (place, place, 1u64);
        for bits in 1..=RANGE_BITS_MAX {
            let low = self.label(place) >> bits << bits;
            let high = low + ((1 << bits) - 1);
            loop {
                let before = self.seats[first as usize].before;
                if before == NONE || self.label(before) < low {
                    break;
                }
                (first, count) = (before, count + 1);
            }
            loop {
                let after = self.seats[last as usize].after;
                if after == NONE || self.label(after) > high {
                    break;
                }
                (last, count) = (after, count + 1);
            }
            let gap = (1u64 << bits) / count;
            // The last of the range is at least half a gap from the next range's first.
            if gap >= 2 * wanted && count as f64 <= FILL.powi(bits as i32) {
                let mut at = first;
                for i in 0..count {
                    let seat = &mut self.seats[at as usize];
                    seat.label = low + gap / 2 + gap * i;
                    at = seat.after;
                }
                return;
            }
        }
    }

    /// Checks that labels grow and the list is whole: for tests.
    #[cfg(test)]
    pub fn check(&self) {
        let mut before = NONE;
        for place in self.iter() {
            assert_eq!(self.seats[place as usize].before, before);
            assert!(before == NONE || self.is_before(before, place), "labels do not grow");
            before = place;
        }
        assert_eq!(self.last, before);
    }
}
