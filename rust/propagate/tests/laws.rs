//! The laws of semirings, on numbers that are exact.

use super::*;
use element::Element;
use std::fmt::Debug;

fn laws<T: Element>(semiring: Semiring, numbers: &[T]) {
    let add = |a: T, b: T| kernels::add(semiring, a, b);
    let mul = |a: T, b: T| kernels::mul(semiring, a, b);
    let (zero, one): (T, T) = (semiring.zero_of(), semiring.one_of());
    fn same<T: Debug + Element>(left: T, right: T, of: &dyn Debug) {
        assert!(left == right, "{left:?} and {right:?}, of {of:?}");
    }
    for &a in numbers {
        let truth = |x: T| if semiring == Semiring::Boolean { T::flag(x.truth()) } else { x };
        same(add(a, zero), truth(a), &(semiring, a));
        same(mul(a, one), truth(a), &(semiring, a));
        same(mul(one, a), truth(a), &(semiring, a));
        same(mul(a, zero), zero, &(semiring, a));
        same(mul(zero, a), zero, &(semiring, a));
        for &b in numbers {
            same(add(a, b), add(b, a), &(semiring, a, b));
            for &c in numbers {
                let of = (semiring, a, b, c);
                same(add(add(a, b), c), add(a, add(b, c)), &of);
                same(mul(mul(a, b), c), mul(a, mul(b, c)), &of);
                same(mul(a, add(b, c)), add(mul(a, b), mul(a, c)), &of);
                same(mul(add(a, b), c), add(mul(a, c), mul(b, c)), &of);
            }
        }
    }
}

#[test]
fn semirings_of_floats() {
    let numbers = [0.0, 1.0, 2.0, 3.0, 0.5, 1024.0, 7.0];
    let signed = [numbers.as_slice(), &[-1.0, -2.5, -64.0]].concat();
    laws(Semiring::Real, &signed);
    laws(Semiring::Counting, &numbers);
    laws(Semiring::Boolean, &[numbers.as_slice(), &[f64::NAN, f64::INFINITY, -1.0]].concat());
    laws(Semiring::MinPlus, &[signed.as_slice(), &[f64::INFINITY]].concat());
    laws(Semiring::MaxPlus, &[signed.as_slice(), &[f64::NEG_INFINITY]].concat());
    laws::<f32>(Semiring::Real, &[0.0, 1.0, -2.0, 3.5, 64.0]);
}

#[test]
fn semirings_of_integers() {
    let all: Vec<u8> = (0..=255).step_by(15).chain([1, 2, 3, 254]).collect();
    for semiring in [Semiring::Real, Semiring::Counting, Semiring::Boolean, Semiring::MinPlus] {
        laws(semiring, &all);
    }
    let wide = [0, 1, 2, u64::MAX, u64::MAX - 1, 1 << 32, 1 << 63];
    laws(Semiring::Counting, &wide);
    laws(Semiring::MinPlus, &wide);
    laws(Semiring::Real, &wide);
    laws(Semiring::Real, &[0, 1, -1, i32::MIN, i32::MAX, 65536]);
    // Below zero, as long as no sum but infinity is at an end.
    laws(Semiring::MinPlus, &[0, 1, -1, 20, -20, i8::MAX]);
    laws(Semiring::MaxPlus, &[0, 1, -1, 20, -20, i8::MIN]);
}

#[test]
fn folds_of_numbers() {
    for semiring in Semiring::ALL {
        assert_eq!(semiring.fold_add(&[]), semiring.zero());
        assert_eq!(semiring.fold_mul(&[]), semiring.one());
        let values: Vec<f64> = (1..50).map(f64::from).collect();
        let add = values.iter().fold(semiring.zero(), |sum, &x| semiring.add(sum, x));
        assert_eq!(semiring.fold_add(&values), add, "{semiring:?}");
        let values = &values[..10];
        let mul = values.iter().fold(semiring.one(), |sum, &x| semiring.mul(sum, x));
        assert_eq!(semiring.fold_mul(values), mul, "{semiring:?}");
    }
}

#[test]
fn names_and_numbers_are_kept() {
    let names = Semiring::ALL.map(Semiring::name);
    assert_eq!(names, ["real", "counting", "boolean", "min_plus", "max_plus"]);
    for (n, semiring) in Semiring::ALL.into_iter().enumerate() {
        assert_eq!(Semiring::from_u8(n as u8), Some(semiring));
        assert_eq!(Semiring::from_name(semiring.name()), Some(semiring));
    }
    let names = DType::ALL.map(DType::name);
    assert_eq!(names, ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64"]);
    for (n, dtype) in DType::ALL.into_iter().enumerate() {
        assert_eq!(DType::from_u8(n as u8), Some(dtype));
        assert_eq!(DType::from_name(dtype.name()), Some(dtype));
        assert_eq!(dtype.size() * 8, dtype.name()[1..].parse::<usize>().unwrap());
    }
    assert_eq!((Semiring::from_u8(5), DType::from_u8(10)), (None, None));
    assert_eq!((Semiring::from_name("REAL"), DType::from_name("float")), (None, None));
}
