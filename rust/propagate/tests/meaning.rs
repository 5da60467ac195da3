//! What is written in `docs/formulas.md`, example by example.

use super::*;

fn f64s(text: &str, parents: &[&[f64]], len: usize) -> Vec<f64> {
    let pages: Vec<Vec<u8>> = parents.iter().map(|page| bytes_of(page)).collect();
    value(text, &pages.iter().map(Vec::as_slice).collect::<Vec<_>>(), len)
}

/// The one number that a formula is without parents.
fn number(text: &str) -> f64 {
    f64s(&format!("f64: {text}"), &[], 1)[0]
}

fn int<T: element::Element>(text: &str) -> T {
    value(&format!("{}: {text}", T::DTYPE.name()), &[], 1)[0]
}

#[test]
fn operators_bind_as_usual() {
    for (text, expected) in [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("7 - 2 - 1", 4.0),
        ("8 / 4 / 2", 1.0),
        ("2 - -1", 3.0),
        ("--2", 2.0),
        ("-2 * 3", -6.0),
        ("1 + 1 < 3", 1.0),
        ("1 < 1 + 0", 0.0),
        ("(3 > 2) == (2 > 1)", 1.0),
        ("2 != 2", 0.0),
        ("abs(-3) + min(1, 2) + max(1, 2)", 6.0),
        ("select(2, 3, 4)", 3.0),
        ("select(0, 3, 4)", 4.0),
        ("1.5e2 + 1E-1", 150.1),
        ("inf - 1", f64::INFINITY),
    ] {
        assert_eq!(number(text), expected, "{text}");
    }
}

#[test]
fn space_does_not_matter() {
    let text = "\n f64\t:\r\n max ( p0 [ 1 : ] , 2 )  ";
    assert_eq!(f64s(text, &[&[9.0, 1.0, 3.0]], 2), [2.0, 3.0]);
    assert_eq!(Formula::parse(text).unwrap().text(), text);
    assert_eq!(f64s("f64:max(p0[1:],2)", &[&[9.0, 1.0, 3.0]], 2), [2.0, 3.0]);
}

#[test]
fn integers_wrap() {
    assert_eq!(int::<u8>("200 + 100"), 44);
    assert_eq!(int::<u8>("-1"), 255);
    assert_eq!(int::<u8>("1 - 2"), 255);
    assert_eq!(int::<i8>("-128"), -128);
    assert_eq!(int::<i8>("-(-128)"), -128);
    assert_eq!(int::<i8>("abs(-128)"), -128);
    assert_eq!(int::<i8>("-128 / -1"), -128);
    assert_eq!(int::<i64>("-9223372036854775808 / -1"), i64::MIN);
    assert_eq!(int::<u64>("18446744073709551615 + 1"), 0);
    assert_eq!(int::<i32>("65536 * 65536 + 7"), 7);
    assert_eq!(int::<i32>("7 / 0") + int::<i32>("-7 / 2"), -3);
    assert_eq!(int::<u16>("5 / 0"), 0);
}

#[test]
fn floats_are_ieee_754() {
    assert_eq!(number("1 / 0"), f64::INFINITY);
    assert_eq!(number("-1 / 0"), f64::NEG_INFINITY);
    assert_eq!(number("0.1 + 0.2").to_bits(), 0.300_000_000_000_000_04_f64.to_bits());
    assert_eq!(number("5e-324 / 2").to_bits(), 0);
    assert_eq!(number("5e-324 * 1").to_bits(), 1);
    // Computed in the type: f32 rounds each result.
    assert_eq!(int::<f32>("16777216 + 1"), 16_777_216.0);
    // And no product keeps digits for the sum.
    let (a, b) = (1.0 + f64::EPSILON, 1.0 - f64::EPSILON);
    assert_eq!(f64s("f64: p0 * p1 - 1", &[&[a; 40], &[b; 40]], 40), [0.0; 40]);
    assert_eq!(f64s("f64: dot(p0[0:1], p1[0:1]) - 1", &[&[a; 40], &[b; 40]], 1), [0.0]);
    assert_ne!(a.mul_add(b, -1.0), 0.0);
}

#[test]
fn every_nan_that_is_a_result_is_the_same_one() {
    let odd = f64::from_bits(0xfff0_0000_dead_beef);
    for text in [
        "nan",
        "-nan",
        "0 / 0",
        "inf - inf",
        "-(0 / 0)",
        "0 * inf",
        "abs(nan)",
        "min(nan, 1)",
        "max(1, nan)",
        "sum(nan)",
        "mean(nan)",
        "inf + -inf",
    ] {
        assert_eq!(number(text).to_bits(), 0x7ff8_0000_0000_0000, "{text}");
        assert_eq!(int::<f32>(text).to_bits(), 0x7fc0_0000, "{text}");
    }
    let page = [odd; 33];
    for text in [
        "p0 + 1",
        "-p0",
        "abs(p0)",
        "p0 * p0",
        "min(p0, 1)",
        "fold(real)",
        "fold_mul(max_plus)",
        "weighted(real, 2)",
    ] {
        for x in f64s(&format!("f64: {text}"), &[&page], 33) {
            assert_eq!(x.to_bits(), 0x7ff8_0000_0000_0000, "{text}");
        }
    }
    for text in
        ["sum(p0)", "min(p0)", "max(p0)", "mean(p0)", "dot(p0, p0)", "accumulate(min_plus, p0)"]
    {
        let x = f64s(&format!("f64: {text}"), &[&page], 1)[0];
        assert_eq!(x.to_bits(), 0x7ff8_0000_0000_0000, "{text}");
    }
    let narrow: Vec<f32> = value("f32: f64(p0)", &[&bytes_of(&page)], 33);
    assert!(narrow.iter().all(|x| x.to_bits() == 0x7fc0_0000));
}

#[test]
fn what_is_not_computed_keeps_its_bits() {
    let odd = f64::from_bits(0xfff0_0000_dead_beef);
    let index = 0u8;
    for text in ["p0", "p0[0:1]", "select(p0, p0, 1)", "select(0, 1, p0)", "f64(p0)"] {
        assert_eq!(
            f64s(&format!("f64: {text}"), &[&[odd]], 1)[0].to_bits(),
            odd.to_bits(),
            "{text}"
        );
    }
    let parents: [&[u8]; 2] = [&bytes_of(&[odd]), &[index]];
    assert_eq!(value::<f64>("f64: gather(p0, u8(p1))", &parents, 1)[0].to_bits(), odd.to_bits());
    assert_eq!(value::<u8>("u8: p0", &[&[1, 2, 3]], 3), [1, 2, 3]);
}

#[test]
fn nan_and_zeros_in_comparisons_and_extremes() {
    for text in ["nan < 1", "nan <= nan", "nan > 1", "nan >= 1", "nan == nan", "-0 != 0", "-0 < 0"]
    {
        assert_eq!(number(text).to_bits(), 0, "{text}");
    }
    for text in ["nan != nan", "-0 == 0", "select(nan, 1, 2)", "count(nan)"] {
        assert_eq!(number(text), 1.0, "{text}");
    }
    for (text, expected) in [
        ("min(0, -0)", -0.0f64),
        ("min(-0, 0)", -0.0),
        ("max(-0, 0)", 0.0),
        ("max(0, -0)", 0.0),
        ("min(-0, -0)", -0.0),
        ("max(-0, -0)", -0.0),
        ("sum(-0)", 0.0),
        ("abs(-0)", 0.0),
        ("-(0)", -0.0),
    ] {
        assert_eq!(number(text).to_bits(), expected.to_bits(), "{text}");
    }
    let page = [3.0, -0.0, 0.0, f64::NAN, -1.0, f64::NAN];
    assert_eq!(f64s("f64: argmax(p0)", &[&page], 1), [3.0]);
    assert_eq!(f64s("f64: argmin(p0)", &[&page], 1), [3.0]);
    assert_eq!(f64s("f64: argmin(p0[:3])", &[&page], 1), [1.0]);
    assert_eq!(f64s("f64: argmax(p0[1:3])", &[&page], 1), [1.0]);
    assert_eq!(f64s("f64: argmax(abs(p0[1:3]))", &[&page], 1), [0.0]);
}

#[test]
fn conversions() {
    let floats = bytes_of(&[-1.5, 300.7, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2.9]);
    assert_eq!(value::<u8>("u8: f64(p0)", &[&floats], 6), [0, 255, 0, 255, 0, 2]);
    assert_eq!(value::<i8>("i8: f64(p0)", &[&floats], 6), [-1, 127, 0, 127, -128, 2]);
    let ints = bytes_of(&[-1i16, 257, 128]);
    assert_eq!(value::<u8>("u8: i16(p0)", &[&ints], 3), [255, 1, 128]);
    assert_eq!(value::<i8>("i8: i16(p0)", &[&ints], 3), [-1, 1, -128]);
    assert_eq!(value::<u64>("u64: i16(p0)", &[&ints], 3), [u64::MAX, 257, 128]);
    assert_eq!(value::<f32>("f32: i16(p0)", &[&ints], 3), [-1.0, 257.0, 128.0]);
    let wide = bytes_of(&[(1u64 << 53) + 1, u64::MAX]);
    assert_eq!(value::<f64>("f64: u64(p0)", &[&wide], 2), [9_007_199_254_740_992.0, 2f64.powi(64)]);
    let high = bytes_of(&[1e300, -1e300, 1e-300]);
    assert_eq!(value::<f32>("f32: f64(p0)", &[&high], 3), [f32::INFINITY, f32::NEG_INFINITY, 0.0]);
}

#[test]
fn reductions() {
    let page = [4.0, 0.0, 2.0, -2.0, 4.0];
    for (text, expected) in [
        ("sum(p0)", 8.0),
        ("mean(p0)", 1.6),
        ("min(p0)", -2.0),
        ("max(p0)", 4.0),
        ("count(p0)", 4.0),
        ("count(p0 > 0)", 3.0),
        ("dot(p0, p0)", 40.0),
        ("dot(p0, 2)", 16.0),
        ("argmin(p0)", 3.0),
        ("argmax(p0)", 0.0),
        ("sum(p0 - mean(p0))", 0.0),
        ("accumulate(real, p0)", 8.0),
        ("accumulate(boolean, p0)", 1.0),
        ("accumulate(min_plus, p0)", -2.0),
        ("accumulate(max_plus, p0)", 4.0),
        ("sum(7)", 7.0),
    ] {
        assert!((f64s(&format!("f64: {text}"), &[&page], 1)[0] - expected).abs() < 1e-15, "{text}");
    }
    // In the type of the formula: they wrap as all else does.
    assert_eq!(value::<u8>("u8: sum(p0)", &[&[200, 100]], 1), [44]);
    assert_eq!(value::<u8>("u8: mean(p0)", &[&[200, 100]], 1), [22]);
    assert_eq!(value::<f64>("f64: mean(u8(p0))", &[&[200, 100]], 1), [150.0]);
    assert_eq!(value::<u8>("u8: count(p0)", &[&[1; 257]], 1), [1]);
    assert_eq!(value::<u8>("u8: argmax(p0)", &[&[vec![0; 300], vec![9]].concat()], 1), [44]);
}

#[test]
fn sums_have_one_order() {
    let page: Vec<f64> = (0..1000).map(|i| 1.0 / f64::from(i + 1)).collect();
    let mut lanes = [0.0; 16];
    page.iter().enumerate().for_each(|(i, x)| lanes[i % 16] += x);
    for apart in [8, 4, 2, 1] {
        (0..apart).for_each(|i| lanes[i] += lanes[i + apart]);
    }
    for text in
        ["sum(p0)", "sum(p0 + 0)", "accumulate(real, p0)", "dot(p0, 1)", "matvec(real, p0, p1)"]
    {
        let found = f64s(&format!("f64: {text}"), &[&page, &[1.0; 1000]], 1)[0];
        assert_eq!(found.to_bits(), lanes[0].to_bits(), "{text}");
    }
    assert_eq!(Semiring::Real.fold_add(&page).to_bits(), lanes[0].to_bits());
}

#[test]
fn gather_takes_elements_by_number() {
    let (values, places) = (bytes_of(&[10.0, 11.0, 12.0]), bytes_of(&[2u32, 0, 1, 2]));
    let parents: [&[u8]; 2] = [&values, &places];
    assert_eq!(value::<f64>("f64: gather(p0, u32(p1))", &parents, 4), [12.0, 10.0, 11.0, 12.0]);
    assert_eq!(value::<f64>("f64: gather(p0[1:], u32(p1[1:3]))", &parents, 2), [11.0, 12.0]);
    assert_eq!(value::<f64>("f64: gather(p0, argmin(-u32(p1)))", &parents, 1), [10.0]);
    assert_eq!(value::<f64>("f64: p0 - gather(p0, 0)", &parents, 3), [0.0, 1.0, 2.0]);
    assert_eq!(value::<f64>("f64: gather(p0, 2 - u32(p1))", &parents, 4), [10.0, 12.0, 11.0, 10.0]);
    // Indexes are not converted to the formula's type, which could not hold them.
    let (many, far) = ([vec![0; 300], vec![7]].concat(), bytes_of(&[300u16]));
    assert_eq!(value::<u8>("u8: gather(p0, u16(p1))", &[&many, &far], 1), [7]);
}

#[test]
fn folds_and_weights() {
    let pages: [&[f64]; 3] = [&[1.0, 2.0], &[3.0, 0.0], &[5.0, 6.0]];
    for (text, expected) in [
        ("fold(real)", [9.0, 8.0]),
        ("fold(real)", [9.0, 8.0]),
        ("fold(boolean)", [1.0, 1.0]),
        ("fold(min_plus)", [1.0, 0.0]),
        ("fold(max_plus)", [5.0, 6.0]),
        ("fold_mul(real)", [15.0, 0.0]),
        ("fold_mul(boolean)", [1.0, 0.0]),
        ("fold_mul(min_plus)", [9.0, 8.0]),
        ("fold(real) / 2", [4.5, 4.0]),
        ("weighted(real, p0)", [1.0 * 3.0 + 2.0 * 5.0, 0.0 + 2.0 * 6.0]),
        ("weighted(min_plus, p0)", [4.0, 1.0]),
        ("weighted(max_plus, p0)", [7.0, 8.0]),
        ("weighted(boolean, p0)", [1.0, 1.0]),
        ("weighted(real, p0 / sum(p0))", [13.0 / 3.0, 4.0]),
        ("weighted(real, 2)", [18.0, 16.0]),
        ("weighted(real, p0[0:1] * p1[0:1])", [15.0, 18.0]),
    ] {
        let found = f64s(&format!("f64: {text}"), &pages, 2);
        assert!(
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn matrices_times_vectors() {
    let pages: [&[f64]; 2] = [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[10.0, 100.0, 1000.0]];
    for (text, expected) in [
        ("matvec(real, p0, p1)", [3210.0, 6540.0]),
        ("matvec(min_plus, p0, p1)", [11.0, 14.0]),
        ("matvec(max_plus, p0, p1)", [1003.0, 1006.0]),
        ("matvec(boolean, p0 > 3, p1)", [0.0, 1.0]),
        ("matvec(real, p0, p1 / 10) + 1", [322.0, 655.0]),
    ] {
        assert_eq!(f64s(&format!("f64: {text}"), &pages, 2), expected, "{text}");
    }
}

#[test]
fn a_copy_is_known_as_one() {
    for text in ["u8: p0", "f64: p0", "i16: (p0)", "i16: i16(p0[0:])", "f64: p0[:]"] {
        assert!(Formula::parse(text).unwrap().is_copy(), "{text}");
    }
    for text in ["u8: p1", "u8: p0[1:]", "u8: p0[:4]", "f64: u64(p0)", "f64: -p0", "f64: sum(p0)"] {
        assert!(!Formula::parse(text).unwrap().is_copy(), "{text}");
    }
}

#[test]
fn formulas_are_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Formula>();
}
