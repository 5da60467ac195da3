//! Formulas: any text, of parents of any size and content.
//!
//! ```text
//!   u8 parents, u16 size of each; u16 size of the result; u16 length of the text, text
//!   what is left, over and over, is the parents' content
//! ```

use super::input::Input;
use mmsb::limits::FORMULA_BYTES_MAX;
use mmsb::{ErrorKind, Formula};

const PARENTS_MAX: usize = 5;
/// More than a block of 1 KiB, which formulas are computed by.
const SIZE_MAX: usize = 2_100;

pub fn formula(data: &[u8]) {
    let mut input = Input::new(data);
    let count = input.below(PARENTS_MAX + 1);
    let sizes: Vec<usize> = (0..count).map(|_| input.u16() as usize % SIZE_MAX).collect();
    let out = input.u16() as usize % SIZE_MAX;
    let len = input.u16() as usize;
    let text = String::from_utf8_lossy(input.bytes(len)).into_owned();
    match Formula::parse(&text) {
        Ok(formula) => {
            is_the_same_again(&formula, &text);
            computes(&formula, &contents(&sizes, input.rest()), out);
        }
        Err(error) if text.len() > FORMULA_BYTES_MAX => {
            assert_eq!(error.kind(), ErrorKind::TooLong);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().contains("formula, character "), "{error}");
        }
    }
}

/// Log and images keep the text alone: it gives the same formula. So it does with other space.
fn is_the_same_again(formula: &Formula, text: &str) {
    assert_eq!(formula.text(), text);
    let told = |formula: &Formula, text: &str| format!("{formula:?}").replace(text, "");
    let again = Formula::parse(formula.text()).unwrap();
    assert_eq!(format!("{again:?}"), format!("{formula:?}"));
    let spaced = format!(" \n{text}\t ");
    if spaced.len() <= FORMULA_BYTES_MAX {
        let again = Formula::parse(&spaced).unwrap();
        let shape = |formula: &Formula| (formula.dtype(), formula.is_copy());
        assert_eq!(shape(&again), shape(formula));
        let escaped = format!("{spaced:?}");
        assert_eq!(told(&again, &escaped), told(formula, &format!("{text:?}")));
    }
}

fn contents(sizes: &[usize], bytes: &[u8]) -> Vec<Vec<u8>> {
    let bytes = if bytes.is_empty() { &[0] } else { bytes };
    let mut bytes = bytes.iter().copied().cycle();
    sizes.iter().map(|&size| bytes.by_ref().take(size).collect()).collect()
}

/// What fits is computed, all of it, to the same bits whatever stood there before and wherever
/// everything stands; of gather's indexes alone it is not known before.
fn computes(formula: &Formula, parents: &[Vec<u8>], out: usize) {
    let parents: Vec<&[u8]> = parents.iter().map(Vec::as_slice).collect();
    let sizes: Vec<usize> = parents.iter().map(|parent| parent.len()).collect();
    let fits = formula.check(&sizes, out).map_err(|error| error.kind());
    let done = eval(formula, &parents, &mut vec![0; out]);
    match (fits, &done) {
        (Err(fits), done) => {
            use ErrorKind::{InvalidArgument, LengthMismatch, RangeOutOfBounds};
            assert!(matches!(fits, RangeOutOfBounds | LengthMismatch | InvalidArgument));
            assert_eq!(done.as_ref().unwrap_err(), &fits);
        }
        (Ok(()), Err(kind)) => {
            assert_eq!(*kind, ErrorKind::RangeOutOfBounds);
            assert!(formula.text().contains("gather"), "{}", formula.text());
        }
        (Ok(()), Ok(_)) => {}
    }
    assert_eq!(eval(formula, &parents, &mut vec![0xA5; out]), done);
    // One byte off, nothing is aligned.
    let shifted: Vec<Vec<u8>> = parents.iter().map(|parent| [&[0], *parent].concat()).collect();
    let shifted: Vec<&[u8]> = shifted.iter().map(|parent| &parent[1..]).collect();
    assert_eq!(eval(formula, &shifted, &mut vec![0; out + 1][1..]), done);
}

fn eval(formula: &Formula, parents: &[&[u8]], out: &mut [u8]) -> Result<Vec<u8>, ErrorKind> {
    formula.eval(parents, out).map_err(|error| error.kind())?;
    Ok(out.to_vec())
}
