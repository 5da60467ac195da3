//! Semirings by themselves: the ⊕ and ⊗ that formulas fold with, over numbers of the caller's.

use super::pointer::{Out, slice};
use super::status::{MmsbStatus, call};
use crate::bail;
use crate::error::Result;
use crate::propagate::Semiring;

/// Two operations, ⊕ and ⊗ (docs/formulas.md).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum MmsbSemiring {
    /// Sums of products.
    Real = 0,
    /// How many ways there are.
    Counting = 1,
    /// Whether there is a way: ⊕ is or, ⊗ is and; 0 is false, all else true.
    Boolean = 2,
    /// The shortest way (tropical): ⊕ is min, ⊗ is +.
    MinPlus = 3,
    /// The longest way (tropical): ⊕ is max, ⊗ is +.
    MaxPlus = 4,
}

fn semiring_of(semiring: u32) -> Result<Semiring> {
    match u8::try_from(semiring).ok().and_then(Semiring::from_u8) {
        Some(semiring) => Ok(semiring),
        None => bail!(InvalidArgument, "{semiring} is no semiring; 0 to 4 are"),
    }
}

/// # Safety
/// `out` is null or valid for a write.
unsafe fn give(
    semiring: u32,
    out: *mut f64,
    compute: impl FnOnce(Semiring) -> Result<f64>,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(compute(semiring_of(semiring)?)?);
        Ok(())
    })
}

/// a ⊕ b of an `MmsbSemiring`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_semiring_add(
    semiring: u32,
    a: f64,
    b: f64,
    out: *mut f64,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { give(semiring, out, |semiring| Ok(semiring.add(a, b))) }
}

/// a ⊗ b of an `MmsbSemiring`.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_semiring_mul(
    semiring: u32,
    a: f64,
    b: f64,
    out: *mut f64,
) -> MmsbStatus {
    // SAFETY: the caller's promise.
    unsafe { give(semiring, out, |semiring| Ok(semiring.mul(a, b))) }
}

/// ⊕ over the `count` numbers at `values`, as the formula `accumulate` computes it; what changes
/// nothing under ⊕ over none.
///
/// # Safety
/// `values` is null or points to `count` numbers, `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_semiring_fold_add(
    semiring: u32,
    values: *const f64,
    count: usize,
    out: *mut f64,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe {
        give(semiring, out, |semiring| Ok(semiring.fold_add(slice(values, count, "values")?)))
    }
}

/// ⊗ over the `count` numbers at `values`; what changes nothing under ⊗ over none.
///
/// # Safety
/// As `rust_semiring_fold_add`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_semiring_fold_mul(
    semiring: u32,
    values: *const f64,
    count: usize,
    out: *mut f64,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe {
        give(semiring, out, |semiring| Ok(semiring.fold_mul(slice(values, count, "values")?)))
    }
}

/// `total` ⊕ (⊕ over the `count` numbers at `values`): goes on with a sum that was begun before.
///
/// # Safety
/// As `rust_semiring_fold_add`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_semiring_accumulate(
    semiring: u32,
    total: f64,
    values: *const f64,
    count: usize,
    out: *mut f64,
) -> MmsbStatus {
    // SAFETY: the caller's promise, here and below.
    unsafe {
        give(semiring, out, |semiring| {
            Ok(semiring.add(total, semiring.fold_add(slice(values, count, "values")?)))
        })
    }
}
