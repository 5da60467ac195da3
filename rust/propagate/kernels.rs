//! Loops over elements: everything that takes time. No shapes, no expressions.
//!
//! A reduction has [`LANES`] partial results: element i goes to that of `i % LANES`, in order, and
//! they are combined as a tree whose shape is fixed. So a sum has the same rounding errors wherever
//! and however it is computed, and the processor has enough to do at once.
//!
//! Each loop is compiled twice, for any processor and for one with AVX2; which one to take is asked
//! each time. What they compute is the same to the bit, as there is one text, and nothing in it that a
//! compiler may reorder; the tests run both.

use super::element::{DType, Element};
use super::formula::Op;
use super::semiring::{Semiring, with_semiring};

/// Partial results of a reduction.
pub const LANES: usize = 16;
pub type Lanes<T> = [T; LANES];

/// Operands that are taken at a time where there are many: so many places are read at once, and a
/// result is written once for all.
pub const TOGETHER: usize = 8;

/// Makes a function of each that chooses between two compilations of its body.
macro_rules! kernels {
    ($(
        $(#[$doc:meta])+
        pub fn $name:ident($($arg:ident: $type:ty),+ $(,)?) $(-> $result:ty)? $body:block
    )+) => {$(
        $(#[$doc])+
        pub fn $name<T: Element>($($arg: $type),+) $(-> $result)? {
            #[inline(always)]
            fn portable<T: Element>($($arg: $type),+) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide<T: Element>($($arg: $type),+) $(-> $result)? {
                    portable($($arg),+)
                }

                if has_avx2() {
                    // SAFETY: the processor has what the function needs.
                    return unsafe { wide($($arg),+) };
                }
            }
            portable($($arg),+)
        }
    )+};
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn has_avx2() -> bool {
    #[cfg(test)]
    if tests::PORTABLE.get() {
        return false;
    }
    is_x86_feature_detected!("avx2")
}

/// Runs an expression with a name standing for the function of an [`Op`]: what is calculated, or
/// what is compared.
macro_rules! with_op {
    ($op:expr, $T:ident, calculated $f:ident => $calculated:expr, compared $g:ident => $compared:expr) => {
        match $op {
            Op::Add => with_op!(@ $f = $T::add, $calculated),
            Op::Sub => with_op!(@ $f = $T::sub, $calculated),
            Op::Mul => with_op!(@ $f = $T::mul, $calculated),
            Op::Div => with_op!(@ $f = $T::div, $calculated),
            Op::Minimum => with_op!(@ $f = $T::minimum, $calculated),
            Op::Maximum => with_op!(@ $f = $T::maximum, $calculated),
            Op::Less => with_op!(@ $g = |a: &$T, b: &$T| a < b, $compared),
            Op::LessEqual => with_op!(@ $g = |a: &$T, b: &$T| a <= b, $compared),
            Op::Greater => with_op!(@ $g = |a: &$T, b: &$T| a > b, $compared),
            Op::GreaterEqual => with_op!(@ $g = |a: &$T, b: &$T| a >= b, $compared),
            Op::Equal => with_op!(@ $g = |a: &$T, b: &$T| a == b, $compared),
            Op::NotEqual => with_op!(@ $g = |a: &$T, b: &$T| a != b, $compared),
        }
    };
    (@ $f:ident = $function:expr, $body:expr) => {{
        let $f = $function;
        $body
    }};
}

kernels! {
    /// The elements of another type that `bytes` begin with, converted.
    pub fn load(from: DType, bytes: &[u8], dst: &mut [T]) {
        T::load(from, bytes, dst);
    }

    /// `dst[i] = dst[i] op b[i]`.
    pub fn apply(op: Op, dst: &mut [T], b: &[T]) {
        with_op!(op, T,
            calculated f => zip_canonical(dst, b, f),
            compared g => zip(dst, b, |a, b| T::flag(g(&a, &b)))
        );
    }

    /// `dst[i] = dst[i] op b`.
    pub fn apply_number(op: Op, dst: &mut [T], b: T) {
        with_op!(op, T,
            calculated f => map_canonical(dst, |a| f(a, b)),
            compared g => map(dst, |a| T::flag(g(&a, &b)))
        );
    }

    /// `dst[i] = -dst[i]`.
    pub fn negate(dst: &mut [T]) {
        map_canonical(dst, T::neg);
    }

    /// `dst[i] = |dst[i]|`.
    pub fn absolute(dst: &mut [T]) {
        map_canonical(dst, T::abs);
    }

    /// All NaNs the same one.
    pub fn canonical(dst: &mut [T]) {
        map_canonical(dst, |a| a);
    }

    /// `dst[i] = a[i] if dst[i] != 0 else b[i]`.
    pub fn select(dst: &mut [T], a: &[T], b: &[T]) {
        for ((c, &a), &b) in dst.iter_mut().zip(a).zip(b) {
            *c = if c.truth() { a } else { b };
        }
    }

    /// `dst[i] = dst[i] ⊕ each[0][i] ⊕ each[1][i] …`, in this order; NaNs are left as they come.
    pub fn fold_add(semiring: Semiring, dst: &mut [T], each: &[&[T]]) {
        with_semiring!(semiring, T, add, _mul => zip_each(dst, each, add));
    }

    /// `dst[i] = dst[i] ⊗ each[0][i] ⊗ each[1][i] …`, as [`fold_add`].
    pub fn fold_mul(semiring: Semiring, dst: &mut [T], each: &[&[T]]) {
        with_semiring!(semiring, T, _add, mul => zip_each(dst, each, mul));
    }

    /// `dst[i] = dst[i] ⊕ (weight ⊗ b[i])`; NaNs are left as they come.
    pub fn fold_weighted(semiring: Semiring, dst: &mut [T], weight: T, b: &[T]) {
        with_semiring!(semiring, T, add, mul => zip(dst, b, |a, b| add(a, mul(weight, b))));
    }

    /// `lanes = lanes ⊕ block`.
    ///
    /// - `block`: begins at an element whose number is a multiple of [`LANES`].
    pub fn accumulate(semiring: Semiring, lanes: &mut Lanes<T>, block: &[T]) {
        match semiring {
            Semiring::MinPlus => lanes[0] = lanes[0].minimum(lowest(block)),
            Semiring::MaxPlus => lanes[0] = lanes[0].maximum(highest(block)),
            _ => with_semiring!(semiring, T, add, _mul => *lanes = into_lanes(*lanes, block, add)),
        }
    }

    /// `lanes = lanes ⊕ (a ⊗ b)`. As [`accumulate`].
    pub fn accumulate_products(semiring: Semiring, lanes: &mut Lanes<T>, a: &[T], b: &[T]) {
        with_semiring!(semiring, T, add, mul => {
            *lanes = products_into_lanes(*lanes, a, b, |sum, a, b| add(sum, mul(a, b)));
        });
    }

    /// ⊕ over the lanes.
    pub fn combine(semiring: Semiring, lanes: Lanes<T>) -> T {
        with_semiring!(semiring, T, add, _mul => tree(lanes, add))
    }

    /// ⊕ over all elements at once.
    pub fn total(semiring: Semiring, elements: &[T]) -> T {
        match semiring {
            Semiring::MinPlus => lowest(elements),
            Semiring::MaxPlus => highest(elements),
            _ => with_semiring!(semiring, T, add, _mul => {
                tree(into_lanes([semiring.zero_of(); LANES], elements, add), add)
            }),
        }
    }

    /// ⊗ over all elements at once.
    pub fn total_mul(semiring: Semiring, elements: &[T]) -> T {
        with_semiring!(semiring, T, _add, mul => {
            tree(into_lanes([semiring.one_of(); LANES], elements, mul), mul)
        })
    }

    /// ⊕ over all products at once.
    pub fn total_of_products(semiring: Semiring, a: &[T], b: &[T]) -> T {
        with_semiring!(semiring, T, add, mul => {
            let lanes = [semiring.zero_of(); LANES];
            tree(products_into_lanes(lanes, a, b, |sum, a, b| add(sum, mul(a, b))), add)
        })
    }

    /// How many elements are not 0.
    pub fn count(block: &[T]) -> u64 {
        if size_of::<T>() > 2 {
            return block.iter().map(|x| u64::from(x.truth())).sum();
        }
        // In as few bits as the elements have.
        let few = |part: &[T]| part.iter().map(|x| u8::from(x.truth())).sum::<u8>();
        block.chunks(128).map(|part| u64::from(few(part))).sum()
    }

    /// `places[i]` is the place that `index[i]` means. Returns whether all are below `len`.
    pub fn places(index: &[T], len: usize, places: &mut [usize]) -> bool {
        let mut are_below = true;
        for (place, index) in places.iter_mut().zip(index) {
            *place = index.place();
            are_below &= *place < len;
        }
        are_below
    }
}

/// a ⊕ b.
pub fn add<T: Element>(semiring: Semiring, a: T, b: T) -> T {
    with_semiring!(semiring, T, add, _mul => add(a, b)).canonical()
}

/// a ⊗ b.
pub fn mul<T: Element>(semiring: Semiring, a: T, b: T) -> T {
    with_semiring!(semiring, T, _add, mul => mul(a, b)).canonical()
}

#[inline(always)]
fn map<T: Element>(dst: &mut [T], f: impl Fn(T) -> T) {
    dst.iter_mut().for_each(|a| *a = f(*a));
}

#[inline(always)]
fn zip<T: Element>(dst: &mut [T], b: &[T], f: impl Fn(T, T) -> T) {
    dst.iter_mut().zip(b).for_each(|(a, &b)| *a = f(*a, b));
}

/// As [`zip`] with one after the other; with [`TOGETHER`] of them at a time, as far as there are.
#[inline(always)]
fn zip_each<T: Element>(dst: &mut [T], each: &[&[T]], f: impl Fn(T, T) -> T) {
    let (groups, rest) = each.as_chunks::<TOGETHER>();
    for group in groups {
        let (rows, last) = dst.as_chunks_mut::<LANES>();
        let group = group.map(|b| b.as_chunks::<LANES>());
        for (at, row) in rows.iter_mut().enumerate() {
            let mut results = *row;
            group.iter().for_each(|(b, _)| zip(&mut results, &b[at], &f));
            *row = results;
        }
        group.iter().for_each(|(_, b)| zip(last, b, &f));
    }
    rest.iter().for_each(|b| zip(dst, b, &f));
}

/// As [`map`], and all NaNs are the same one.
#[inline(always)]
fn map_canonical<T: Element>(dst: &mut [T], f: impl Fn(T) -> T) {
    if !T::HAS_NAN {
        return map(dst, f);
    }
    let mut sums = [T::ZERO; LANES];
    let (rows, rest) = dst.as_chunks_mut::<LANES>();
    for row in rows {
        map(row, &f);
        zip(&mut sums, row, T::add);
    }
    map(rest, &f);
    zip(&mut sums, rest, T::add);
    mend(sums, dst);
}

/// As [`zip`], and all NaNs are the same one.
#[inline(always)]
fn zip_canonical<T: Element>(dst: &mut [T], b: &[T], f: impl Fn(T, T) -> T) {
    if !T::HAS_NAN {
        return zip(dst, b, f);
    }
    let mut sums = [T::ZERO; LANES];
    let (rows, rest) = dst.as_chunks_mut::<LANES>();
    let (b_rows, b_rest) = b.as_chunks::<LANES>();
    for (row, b) in rows.iter_mut().zip(b_rows) {
        zip(row, b, &f);
        zip(&mut sums, row, T::add);
    }
    zip(rest, b_rest, &f);
    zip(&mut sums, rest, T::add);
    mend(sums, dst);
}

/// Makes all NaNs the same one, if the sums show that there is any; infinities of both signs show
/// it, too. Adding takes half the time of looking at each result, and there is hardly ever a NaN.
#[inline(always)]
fn mend<T: Element>(sums: Lanes<T>, results: &mut [T]) {
    if tree(sums, T::add).is_nan() {
        map(results, T::canonical);
    }
}

#[inline(always)]
fn lowest<T: Element>(block: &[T]) -> T {
    extreme(block, T::HIGHEST, T::ZERO.neg(), |a, b| a < b)
}

#[inline(always)]
fn highest<T: Element>(block: &[T]) -> T {
    extreme(block, T::LOWEST, T::ZERO, |a, b| a > b)
}

/// The element that none of the block beats; what [`Element::minimum`] or `maximum` makes of all of
/// them, in any order. It is found without a thought of NaNs and signs of zero, of which the sums of
/// all, and the result, tell that one may have to be looked for.
///
/// - `last`: what is beaten by all others.
/// - `zero`: the zero that comes before the other.
#[inline(always)]
fn extreme<T: Element>(block: &[T], last: T, zero: T, beats: impl Fn(&T, &T) -> bool) -> T {
    let pick = |a: T, b: T| if beats(&b, &a) { b } else { a };
    let found = tree(into_lanes([last; LANES], block, pick), pick);
    if !T::HAS_NAN {
        return found;
    }
    let sum = tree(into_lanes([T::ZERO; LANES], block, T::add), T::add);
    if sum.is_nan() && has(block, T::is_nan) {
        sum
    } else if found == T::ZERO && has(block, |x| x.bits() == zero.bits()) {
        zero
    } else {
        found
    }
}

/// Whether `is` holds for some element. (It looks at all of them: many at once.)
#[inline(always)]
fn has<T: Element>(block: &[T], is: impl Fn(T) -> bool) -> bool {
    block.iter().fold(false, |found, &x| found | is(x))
}

#[inline(always)]
fn into_lanes<T: Element>(lanes: Lanes<T>, block: &[T], f: impl Fn(T, T) -> T) -> Lanes<T> {
    let (rows, rest) = block.as_chunks::<LANES>();
    let mut sums = lanes;
    for row in rows {
        zip(&mut sums, row, &f);
    }
    zip(&mut sums, rest, &f);
    sums
}

#[inline(always)]
fn products_into_lanes<T: Element>(
    lanes: Lanes<T>,
    a: &[T],
    b: &[T],
    f: impl Fn(T, T, T) -> T,
) -> Lanes<T> {
    let (a_rows, a_rest) = a.as_chunks::<LANES>();
    let (b_rows, b_rest) = b.as_chunks::<LANES>();
    let mut sums = lanes;
    let row = |sums: &mut Lanes<T>, a: &[T], b: &[T]| {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum = f(*sum, a, b);
        }
    };
    for (a, b) in a_rows.iter().zip(b_rows) {
        row(&mut sums, a, b);
    }
    row(&mut sums, a_rest, b_rest);
    sums
}

/// Lane i with i + 8, then with i + 4, i + 2, i + 1.
#[inline(always)]
fn tree<T: Element>(lanes: Lanes<T>, f: impl Fn(T, T) -> T) -> T {
    let lanes = halved::<T, 16, 8>(lanes, &f);
    let lanes = halved::<T, 8, 4>(lanes, &f);
    let lanes = halved::<T, 4, 2>(lanes, &f);
    let [lane] = halved::<T, 2, 1>(lanes, &f);
    lane.canonical()
}

/// The lower half with the upper half. (Sizes that the compiler knows: all in registers.)
#[inline(always)]
fn halved<T: Element, const N: usize, const H: usize>(
    lanes: [T; N],
    f: impl Fn(T, T) -> T,
) -> [T; H] {
    std::array::from_fn(|i| f(lanes[i], lanes[i + H]))
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// Whether this thread does without what its processor has.
        pub static PORTABLE: Cell<bool> = const { Cell::new(false) };
    }
}
