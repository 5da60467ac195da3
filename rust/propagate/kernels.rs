//! Loops over elements: everything that takes time. No shapes, no expressions.
//!
//! A reduction has [`LANES`] partial results: element i goes to that of `i % LANES`, in order, and
//! they are combined as a tree whose shape is fixed. So a sum has the same rounding errors wherever and however
//! it is computed, and the processor has enough to do at once.

use super::element::Element;
use super::formula::Op;
use super::semiring::{Semiring, with_semiring};

/// Partial results of a reduction.
pub const LANES: usize = 16;
pub type Lanes<T> = [T; LANES];

/// Runs an expression with a name standing for the function of an [`Op`].
macro_rules! with_op {
    ($op:expr, $T:ident, $f:ident => $body:expr) => {
        match $op {
            Op::Add => with_op!(@ $f, $T::add, $body),
            Op::Sub => with_op!(@ $f, $T::sub, $body),
            Op::Mul => with_op!(@ $f, $T::mul, $body),
            Op::Div => with_op!(@ $f, $T::div, $body),
            Op::Minimum => with_op!(@ $f, $T::minimum, $body),
            Op::Maximum => with_op!(@ $f, $T::maximum, $body),
            Op::Less => with_op!(@ $f, |a: $T, b: $T| $T::flag(a < b), $body),
            Op::LessEqual => with_op!(@ $f, |a: $T, b: $T| $T::flag(a <= b), $body),
            Op::Greater => with_op!(@ $f, |a: $T, b: $T| $T::flag(a > b), $body),
            Op::GreaterEqual => with_op!(@ $f, |a: $T, b: $T| $T::flag(a >= b), $body),
            Op::Equal => with_op!(@ $f, |a: $T, b: $T| $T::flag(a == b), $body),
            Op::NotEqual => with_op!(@ $f, |a: $T, b: $T| $T::flag(a != b), $body),
        }
    };
    (@ $f:ident, $function:expr, $body:expr) => {{
        let $f = $function;
        $body
    }};
}

/// `dst[i] = dst[i] op b[i]`.
pub fn apply<T: Element>(op: Op, dst: &mut [T], b: &[T]) {
    with_op!(op, T, f => zip(dst, b, |a, b| f(a, b).canonical()));
}

/// `dst[i] = dst[i] op b`.
pub fn apply_number<T: Element>(op: Op, dst: &mut [T], b: T) {
    with_op!(op, T, f => map(dst, |a| f(a, b).canonical()));
}

/// `dst[i] = -dst[i]`.
pub fn negate<T: Element>(dst: &mut [T]) {
    map(dst, |a| a.neg().canonical());
}

/// `dst[i] = |dst[i]|`.
pub fn absolute<T: Element>(dst: &mut [T]) {
    map(dst, |a| a.abs().canonical());
}

/// All NaNs the same one.
pub fn canonical<T: Element>(dst: &mut [T]) {
    map(dst, T::canonical);
}

#[inline(always)]
fn map<T: Element>(dst: &mut [T], f: impl Fn(T) -> T) {
    dst.iter_mut().for_each(|a| *a = f(*a));
}

#[inline(always)]
fn zip<T: Element>(dst: &mut [T], b: &[T], f: impl Fn(T, T) -> T) {
    dst.iter_mut().zip(b).for_each(|(a, &b)| *a = f(*a, b));
}

/// `dst[i] = a[i] if dst[i] != 0 else b[i]`.
pub fn select<T: Element>(dst: &mut [T], a: &[T], b: &[T]) {
    for ((c, &a), &b) in dst.iter_mut().zip(a).zip(b) {
        *c = if c.truth() { a } else { b };
    }
}

/// `dst[i] = dst[i] ⊕ b[i]`; NaNs are left as they come.
pub fn fold_add<T: Element>(semiring: Semiring, dst: &mut [T], b: &[T]) {
    with_semiring!(semiring, T, add, _mul => zip(dst, b, add));
}

/// `dst[i] = dst[i] ⊗ b[i]`; NaNs are left as they come.
pub fn fold_mul<T: Element>(semiring: Semiring, dst: &mut [T], b: &[T]) {
    with_semiring!(semiring, T, _add, mul => zip(dst, b, mul));
}

/// `dst[i] = dst[i] ⊕ (weight ⊗ b[i])`; NaNs are left as they come.
pub fn fold_weighted<T: Element>(semiring: Semiring, dst: &mut [T], weight: T, b: &[T]) {
    with_semiring!(semiring, T, add, mul => zip(dst, b, |a, b| add(a, mul(weight, b))));
}

/// `lanes = lanes ⊕ block`.
///
/// - `block`: begins at an element whose number is a multiple of [`LANES`].
pub fn accumulate<T: Element>(semiring: Semiring, lanes: &mut Lanes<T>, block: &[T]) {
    with_semiring!(semiring, T, add, _mul => into_lanes(lanes, block, add));
}

/// `lanes = lanes ⊗ block`. As [`accumulate`].
pub fn accumulate_mul<T: Element>(semiring: Semiring, lanes: &mut Lanes<T>, block: &[T]) {
    with_semiring!(semiring, T, _add, mul => into_lanes(lanes, block, mul));
}

#[inline(always)]
fn into_lanes<T: Element>(lanes: &mut Lanes<T>, block: &[T], f: impl Fn(T, T) -> T) {
    let (rows, rest) = block.as_chunks::<LANES>();
    let mut sums = *lanes;
    for row in rows {
        zip(&mut sums, row, &f);
    }
    zip(&mut sums, rest, &f);
    *lanes = sums;
}

/// `lanes = lanes ⊕ (a ⊗ b)`. As [`accumulate`].
pub fn accumulate_products<T: Element>(semiring: Semiring, lanes: &mut Lanes<T>, a: &[T], b: &[T]) {
    with_semiring!(semiring, T, add, mul => {
        let (a_rows, a_rest) = a.as_chunks::<LANES>();
        let (b_rows, b_rest) = b.as_chunks::<LANES>();
        let mut sums = *lanes;
        let row = |sums: &mut Lanes<T>, a: &[T], b: &[T]| {
            for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                *sum = add(*sum, mul(a, b));
            }
        };
        for (a, b) in a_rows.iter().zip(b_rows) {
            row(&mut sums, a, b);
        }
        row(&mut sums, a_rest, b_rest);
        *lanes = sums;
    });
}

/// ⊕ over the lanes.
pub fn combine<T: Element>(semiring: Semiring, lanes: Lanes<T>) -> T {
    with_semiring!(semiring, T, add, _mul => tree(lanes, add))
}

/// a ⊕ b.
pub fn add<T: Element>(semiring: Semiring, a: T, b: T) -> T {
    with_semiring!(semiring, T, add, _mul => add(a, b)).canonical()
}

/// a ⊗ b.
pub fn mul<T: Element>(semiring: Semiring, a: T, b: T) -> T {
    with_semiring!(semiring, T, _add, mul => mul(a, b)).canonical()
}

/// ⊗ over the lanes.
pub fn combine_mul<T: Element>(semiring: Semiring, lanes: Lanes<T>) -> T {
    with_semiring!(semiring, T, _add, mul => tree(lanes, mul))
}

/// Lane i with i + 8, then with i + 4, i + 2, i + 1.
#[inline(always)]
fn tree<T: Element>(mut lanes: Lanes<T>, f: impl Fn(T, T) -> T) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        let (low, high) = lanes.split_at_mut(half);
        zip(low, high, &f);
        half /= 2;
    }
    lanes[0].canonical()
}

/// How many elements are not 0.
pub fn count<T: Element>(block: &[T]) -> u64 {
    block.iter().map(|x| u64::from(x.truth())).sum()
}
