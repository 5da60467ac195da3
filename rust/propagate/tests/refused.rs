//! What is no formula, and what does not fit one.

use super::*;
use crate::limits::{FORMULA_BYTES_MAX, FORMULA_DEPTH_MAX};
use crate::stdx::prng::Prng;

fn refusal(text: &str) -> String {
    let error = Formula::parse(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}: {error}");
    error.message().to_owned()
}

#[test]
fn texts_are_refused_with_a_place_and_a_reason() {
    for (text, place, reason) in [
        ("", 1, "expected a type of elements (u8 to u64, i8 to i64, f32, f64), found the end"),
        ("p0", 1, "expected a type of elements"),
        ("f16: p0", 1, "found \"f16\""),
        ("F64: p0", 1, "found \"F64\""),
        ("f64 p0", 5, "expected \":\", found \"p0\""),
        ("f64:", 5, "expected a number, a parent such as p0, a function or \"(\", found the end"),
        ("f64: p0 p1", 9, "expected an operator or the end, found \"p1\""),
        ("f64: 2p0", 7, "found \"p0\""),
        ("f64: p0 +", 10, "found the end"),
        ("f64: p0 + * p1", 11, "found \"*\""),
        ("f64: (p0", 9, "expected \")\", found the end"),
        ("f64: p0)", 8, "found \")\""),
        ("f64: p0 = p1", 9, "'=' has no meaning"),
        ("f64: p0 % 2", 9, "'%' has no meaning"),
        ("f64: p0 × 2", 9, "'×' has no meaning"),
        ("f64: p0 \0", 9, "'\\0' has no meaning"),
        ("f64: p", 6, "there is no function \"p\""),
        ("f64: q0", 6, "there is no function \"q0\""),
        ("f64: p0x", 6, "there is no function \"p0x\""),
        ("f64: sqrt(p0)", 6, "there is no function \"sqrt\""),
        ("f64: sum p0", 10, "expected \"(\", found \"p0\""),
        ("f64: sum()", 10, "found \")\""),
        ("f64: sum(p0, p1)", 6, "sum takes one argument"),
        ("f64: min(p0, p1, p2)", 6, "min takes one argument, or two"),
        ("f64: select(p0, p1)", 6, "select takes three arguments"),
        ("f64: max(p0", 12, "expected an operator, \",\" or \")\", found the end"),
        ("f64: p0 < p1 < p2", 14, "needs parentheses"),
        ("f64: p0 == p1 != p2", 15, "needs parentheses"),
        ("f64: p0[", 9, "expected \":\", found the end"),
        ("f64: p0[1]", 10, "expected \":\", found \"]\""),
        ("f64: p0[-1:]", 9, "expected \":\", found \"-\""),
        ("f64: p0[1.5:]", 9, "expected a whole number below 2^32, found \"1.5\""),
        ("f64: p0[3:3]", 9, "a range needs an element"),
        ("f64: p0[4:3]", 9, "a range needs an element"),
        ("f64: p0[0:99999999999]", 11, "a whole number below 2^32"),
        ("f64: p99999999999", 6, "a whole number below 2^32"),
        ("f64: (p0)[1:]", 10, "found \"[\""),
        ("f64: u32(p1)[1:]", 13, "found \"[\""),
        ("f64: u32(p1 + 1)", 13, "expected \")\", found \"+\""),
        ("f64: u32(1)", 10, "expected a parent such as p0, found \"1\""),
        ("f64: 1.", 8, "expected a digit"),
        ("f64: 1.e3", 8, "expected a digit"),
        ("f64: 1e", 8, "expected a digit"),
        ("f64: 1e+", 9, "expected a digit"),
        ("f64: .5", 6, "'.' has no meaning"),
        ("f64: 1e999", 6, "1e999 is beyond what f64 can hold"),
        ("f32: 1e39", 6, "1e39 is beyond what f32 can hold"),
        ("f64: 0x10", 7, "found \"x10\""),
        ("u8: 256", 5, "256 does not fit u8, which goes from 0 to 255"),
        ("i8: 128", 5, "128 does not fit i8, which goes from -128 to 127"),
        ("i8: -129", 6, "129 does not fit i8"),
        ("i64: 9223372036854775808", 6, "does not fit i64"),
        ("u64: 18446744073709551616", 6, "does not fit u64"),
        ("i32: 1.5", 6, "1.5 is not written as an integer, as i32 needs it"),
        ("i32: 1e3", 6, "1e3 is not written as an integer"),
        ("u8: inf", 5, "inf is not written as an integer"),
        ("f64: fold()", 11, "expected a semiring (real, counting, boolean, min_plus, max_plus)"),
        ("f64: fold(tropical)", 11, "found \"tropical\""),
        ("f64: fold(real, p0)", 6, "fold takes a semiring alone"),
        ("f64: accumulate(real)", 6, "accumulate takes a semiring and one argument"),
        ("f64: matvec(real, p0)", 6, "matvec takes a semiring and two arguments"),
        ("u8: fold(max_plus)", 5, "max_plus needs numbers below zero, u8 has none"),
        ("u32: accumulate(max_plus, p0)", 6, "max_plus needs numbers below zero"),
        ("f64: gather(p0 + 1, p1)", 6, "gather takes its values from a parent"),
        ("f64: matvec(real, p0, 2)", 6, "matvec takes a matrix and a vector"),
        ("f64: matvec(real, p0, gather(p1, p2))", 6, "computed element by element"),
        ("f64: matvec(real, fold(real), p0)", 6, "computed element by element"),
        ("f64: weighted(real, matvec(real, p0, p1))", 6, "computed element by element"),
        ("f64: weighted(real, sum(fold(real)))", 6, "none is left to be weighted"),
    ] {
        let message = refusal(text);
        assert!(message.starts_with(&format!("formula, character {place}: ")), "{text}: {message}");
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn texts_have_a_longest() {
    let text = format!("f64: p0{}", " ".repeat(FORMULA_BYTES_MAX - 7));
    assert!(Formula::parse(&text).is_ok());
    let error = Formula::parse(&format!("{text} ")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLong);
    assert_eq!(error.message(), "a formula of 4097 bytes; the limit is 4096");
}

#[test]
fn nesting_has_a_deepest() {
    let deepest = FORMULA_DEPTH_MAX;
    for (open, close) in
        [("(", ")"), ("-", ""), ("abs(", ")"), ("min(1, ", ")"), ("1 + 2 * (", ")")]
    {
        let of = |depth: usize| format!("f64: {}p0{}", open.repeat(depth), close.repeat(depth));
        let formula = Formula::parse(&of(deepest)).unwrap();
        let mut out = [0; 2400];
        formula.eval(&[&[1; 2400]], &mut out).unwrap();
        let message = refusal(&of(deepest + 1));
        assert!(message.ends_with("nested deeper than 64"), "{message}");
    }
}

/// As long as a text can be, and as deep as its operands can need.
#[test]
fn long_chains_are_not_deep() {
    for (first, next) in
        [("p0", "+p0"), ("p0", "*2"), ("1", "-1"), ("sum(p0)", "/count(p0)"), ("p0", "-(p0*p0)")]
    {
        let chain = next.repeat((FORMULA_BYTES_MAX - 20) / next.len());
        let formula = Formula::parse(&format!("f64: {first}{chain}")).unwrap();
        let mut out = [0; 800];
        let len = if formula.check(&[800], 8).is_ok() { 8 } else { 800 };
        formula.eval(&[&[1; 800]], &mut out[..len]).unwrap();
    }
    let level = "p0 == p0 + p0 * select(p0, p0, -";
    let deep = format!("f64: {}p0{}", level.repeat(20), ")".repeat(20));
    let value = Formula::parse(&deep).unwrap();
    value.eval(&[&[0; 80]], &mut [0; 80]).unwrap();
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    use ErrorKind::{InvalidArgument, LengthMismatch, RangeOutOfBounds};
    let cases: &[(&str, &[usize], usize, ErrorKind, &str)] = &[
        ("u8: p1", &[8], 8, RangeOutOfBounds, "the formula names p1, but there are 1 parents"),
        ("u8: 1", &[], 2, LengthMismatch, "gives 1 elements of u8, 1 bytes each; the page has 2"),
        (
            "f64: p0",
            &[12],
            12,
            LengthMismatch,
            "p0 has 12 bytes, no whole number of f64 of 8 bytes",
        ),
        ("u8: u32(p0)", &[6], 1, LengthMismatch, "p0 has 6 bytes, no whole number of u32"),
        (
            "f64: p0",
            &[16],
            8,
            LengthMismatch,
            "gives 2 elements of f64, 8 bytes each; the page has 8",
        ),
        ("f64: sum(p0)", &[16], 16, LengthMismatch, "gives 1 elements"),
        ("u8: p0", &[0], 0, RangeOutOfBounds, "elements 0 to 0 of p0, which has 0 of u8"),
        ("u8: p0[2:9]", &[8], 7, RangeOutOfBounds, "elements 2 to 9 of p0, which has 8 of u8"),
        ("u8: p0[8:]", &[8], 1, RangeOutOfBounds, "elements 8 to 8 of p0, which has 8 of u8"),
        ("u8: p0 + p1", &[8, 4], 8, LengthMismatch, "operands of + have 8 and 4 elements"),
        ("u8: p0 < p1[1:]", &[8, 8], 8, LengthMismatch, "operands of < have 8 and 7 elements"),
        ("u8: max(p0, p1)", &[8, 4], 8, LengthMismatch, "operands of max"),
        ("u8: select(p0, 1, p1)", &[8, 4], 8, LengthMismatch, "operands of select"),
        ("u8: dot(p0, p1)", &[8, 4], 1, LengthMismatch, "operands of dot"),
        ("u8: sum(p0 * p1)", &[8, 4], 1, LengthMismatch, "operands of *"),
        ("u8: sum(p0 * p1) - 1 + p0", &[8, 4], 8, LengthMismatch, "operands of *"),
        ("u8: gather(p2, p0)", &[8, 8], 8, RangeOutOfBounds, "names p2"),
        (
            "u8: matvec(real, p0, p1)",
            &[8, 3],
            2,
            LengthMismatch,
            "8 elements are no whole number of rows of 3",
        ),
        ("u8: matvec(real, p0, p1)", &[2, 3], 1, LengthMismatch, "no whole number of rows"),
        (
            "u8: fold(real)",
            &[],
            1,
            InvalidArgument,
            "takes all parents from p0 on, but there are 0",
        ),
        ("u8: fold(real)", &[8, 8, 4], 8, LengthMismatch, "p0 has 8 bytes and p2 has 4"),
        ("u16: fold(real)", &[3, 3], 3, LengthMismatch, "p0 has 3 bytes, no whole number"),
        (
            "u8: weighted(real, p0)",
            &[2],
            2,
            InvalidArgument,
            "all parents from p1 on, but there are 1",
        ),
        (
            "u8: weighted(real, p0)",
            &[3, 8, 8],
            8,
            LengthMismatch,
            "3 weights for 2 parents, those from p1 on",
        ),
        ("u8: weighted(real, p0)", &[2, 8, 4], 8, LengthMismatch, "p1 has 8 bytes and p2 has 4"),
        ("u8: weighted(real, 1)", &[8, 4], 8, LengthMismatch, "p0 has 8 bytes and p1 has 4"),
    ];
    for &(text, parents, out, kind, reason) in cases {
        let formula = Formula::parse(text).unwrap();
        let error = formula.check(parents, out).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.message().contains(reason), "{text}: {error}");
        // Evaluation refuses it, too: it writes and reads nothing beyond what it was given.
        let pages: Vec<Vec<u8>> = parents.iter().map(|&size| vec![1; size]).collect();
        let pages: Vec<&[u8]> = pages.iter().map(Vec::as_slice).collect();
        assert_eq!(formula.eval(&pages, &mut vec![0; out]).unwrap_err().kind(), kind, "{text}");
    }
}

#[test]
fn indexes_beyond_the_values_are_refused() {
    let values = bytes_of(&[1.0; 100]);
    let of = |text: &str, index: &[u8], len: usize| {
        let error = Formula::parse(text).unwrap().eval(&[&values, index], &mut vec![0; 8 * len]);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RangeOutOfBounds);
        error.message().to_owned()
    };
    let mut index = vec![0u32; 300];
    index[200] = 100;
    let message = of("f64: gather(p0, u32(p1))", &bytes_of(&index), 300);
    assert_eq!(message, "gather: index number 200 is 100; there are 100 values");
    let message = of("f64: gather(p0, i8(p1))", &[1, 255], 2);
    assert_eq!(message, "gather: index number 1 is -1; there are 100 values");
    for index in [0.5, -1.0, 1e300, f64::NAN, f64::INFINITY] {
        let message = of("f64: gather(p0, p1)", &bytes_of(&[index]), 1);
        assert_eq!(message, format!("gather: index number 0 is {index}; there are 100 values"));
    }
    let message = of("f64: sum(gather(p0, p1 + 98)) + p0[:1]", &bytes_of(&[1.0, 2.0]), 1);
    assert_eq!(message, "gather: index number 1 is 100; there are 100 values");
}

/// Words of the language in any order, and bytes in any: an answer, and never a panic.
#[test]
fn any_text_is_parsed_or_refused() {
    const WORDS: [&str; 52] = [
        "p0",
        "p1",
        "p2",
        "p9",
        "[",
        "]",
        ":",
        "1",
        "0",
        "2.5",
        "1e3",
        "inf",
        "nan",
        "+",
        "-",
        "*",
        "/",
        "<",
        "<=",
        ">",
        ">=",
        "==",
        "!=",
        "(",
        ")",
        "(",
        ")",
        ",",
        "u8",
        "u32(",
        "f64(",
        "min(",
        "max(",
        "abs(",
        "select(",
        "sum(",
        "mean(",
        "count(",
        "dot(",
        "argmax(",
        "gather(",
        "fold(real)",
        "fold_mul(counting)",
        "accumulate(boolean,",
        "matvec(min_plus,",
        "weighted(real,",
        "real",
        " ",
        "é",
        "\0",
        "=",
        ".",
    ];
    let mut prng = Prng::new(6);
    let mut pages: Vec<Vec<u8>> = (0..3).map(|_| vec![0; 48]).collect();
    pages.iter_mut().flatten().for_each(|byte| *byte = prng.below(20) as u8);
    let parents: Vec<&[u8]> = pages.iter().map(Vec::as_slice).collect();
    let (mut parsed, mut computed) = (0, 0);
    for _ in 0..60_000 {
        let mut text = format!("{}:", DType::ALL[prng.below(10) as usize].name());
        for _ in 0..1 + prng.below(9) {
            if prng.one_in(40) {
                text.push(char::from(prng.below(256) as u8));
            }
            text.push_str(WORDS[prng.below(WORDS.len() as u64) as usize]);
        }
        let Ok(formula) = Formula::parse(&text) else { continue };
        parsed += 1;
        for len in [48, 24, formula.dtype().size()] {
            let fits = formula.check(&[48, 48, 48], len);
            let found = formula.eval(&parents, &mut vec![0; len]);
            computed += u32::from(found.is_ok());
            match (fits, found) {
                (Err(fits), Err(found)) => assert_eq!(fits.message(), found.message()),
                (Ok(()), Err(found)) => assert!(found.message().starts_with("gather"), "{text}"),
                (fits, Ok(())) => assert!(fits.is_ok(), "{text}"),
            }
        }
    }
    assert!(parsed > 1000 && computed > 800, "{parsed} {computed}");
    for _ in 0..60_000 {
        let bytes: Vec<u8> = (0..prng.below(20)).map(|_| prng.next_u64() as u8).collect();
        let _ = Formula::parse(&String::from_utf8_lossy(&bytes));
        let _ = Formula::parse(&format!("f64: {}", String::from_utf8_lossy(&bytes)));
    }
}
