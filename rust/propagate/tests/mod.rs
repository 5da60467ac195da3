//! `naive` says what a formula's value is, one element at a time; `random` makes formulas.

mod laws;
mod meaning;
mod naive;
mod random;
mod refused;

use super::*;
use crate::error::ErrorKind;

/// Elements as a page's bytes.
fn bytes_of<T: element::Element>(elements: &[T]) -> Vec<u8> {
    elements.iter().flat_map(|x| x.bits().to_le_bytes()[..size_of::<T>()].to_vec()).collect()
}

/// The elements of a page.
fn elements_of<T: element::Element>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks(size_of::<T>()).map(|bytes| T::from_bits(bits_of(bytes))).collect()
}

fn bits_of(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |bits, &byte| bits << 8 | u64::from(byte))
}

fn value<T: element::Element>(text: &str, parents: &[&[u8]], len: usize) -> Vec<T> {
    let formula = Formula::parse(text).unwrap();
    let mut out = vec![0xAA; len * size_of::<T>()];
    formula.eval(parents, &mut out).unwrap();
    elements_of(&out)
}
