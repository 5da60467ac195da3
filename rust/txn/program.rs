//! Transactions as bytes: for callers whose code cannot run on a worker's thread.
//!
//! ```text
//!   one step after the other; all numbers little-endian
//!   1 add       u64 page, u64 offset, u64 by: a 64-bit integer grows, wrapping (negative numbers as
//!               two's complements)
//!   2 add f64   u64 page, u64 offset, f64 by
//!   3 swap      u64 page, u64 offset, u32 n, n bytes that must be there, n bytes that replace them
//!   4 transfer  u64 page, u64 offset, u64 page, u64 offset, u64 amount: from the first u64, which
//!               must hold as much, to the second
//!   5 write     u64 page, u64 offset, u32 n, n bytes
//!   6 require   u64 page, u64 offset, u8 relation, u64 value: what the u64 there must be; relations
//!               0 =, 1 ≠, 2 <, 3 ≤, 4 >, 5 ≥
//! ```

use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::stdx::codec::Dec;
use crate::types::PageId;

/// Where something stands: a page and an offset in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The page.
    pub page: PageId,
    /// Bytes from its start.
    pub offset: u64,
}

/// How two numbers compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Relation {
    /// Equal.
    Equal = 0,
    /// Not equal.
    NotEqual = 1,
    /// The first is smaller.
    Less = 2,
    /// The first is not larger.
    LessOrEqual = 3,
    /// The first is larger.
    Greater = 4,
    /// The first is not smaller.
    GreaterOrEqual = 5,
}

impl Relation {
    const ALL: [Relation; 6] = [
        Relation::Equal,
        Relation::NotEqual,
        Relation::Less,
        Relation::LessOrEqual,
        Relation::Greater,
        Relation::GreaterOrEqual,
    ];

    /// The relation with this number, as programs carry it.
    pub fn from_u32(n: u32) -> Option<Relation> {
        Relation::ALL.get(n as usize).copied()
    }

    fn holds(self, a: u64, b: u64) -> bool {
        match self {
            Relation::Equal => a == b,
            Relation::NotEqual => a != b,
            Relation::Less => a < b,
            Relation::LessOrEqual => a <= b,
            Relation::Greater => a > b,
            Relation::GreaterOrEqual => a >= b,
        }
    }

    fn sign(self) -> &'static str {
        ["=", "≠", "<", "≤", ">", "≥"][self as usize]
    }
}

/// A transaction as bytes.
///
/// ```
/// use mmsb::{PageId, Place, Program, Relation};
/// let account = |page| Place { page: PageId(page), offset: 0 };
/// let mut program = Program::new();
/// program.require(account(3), Relation::Less, 100).transfer(account(1), account(2), 5);
/// assert_eq!(Program::from_bytes(program.as_bytes())?, program);
/// # Ok::<(), mmsb::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Program {
    bytes: Vec<u8>,
}

/// One step.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Add { at: Place, by: u64 },
    AddFloat { at: Place, by: f64 },
    Swap { at: Place, expected: &'a [u8], new: &'a [u8] },
    Transfer { from: Place, to: Place, amount: u64 },
    Write { at: Place, bytes: &'a [u8] },
    Require { at: Place, relation: Relation, value: u64 },
}

/// What a program does its steps with.
pub trait Machine {
    /// Copies bytes out of a page.
    fn read(&mut self, at: Place, buf: &mut [u8]) -> Result<()>;
    /// Puts bytes into a page.
    fn write(&mut self, at: Place, bytes: &[u8]) -> Result<()>;
}

impl Program {
    /// A program of no steps.
    pub fn new() -> Program {
        Program::default()
    }

    /// A program as it was encoded.
    ///
    /// # Errors
    /// `InvalidArgument` for bytes that are none, with the place of the step.
    pub fn from_bytes(bytes: &[u8]) -> Result<Program> {
        let mut dec = Dec::new(bytes);
        while !dec.rest().is_empty() {
            let at = bytes.len() - dec.rest().len();
            if step(&mut dec).is_none() {
                bail!(InvalidArgument, "the bytes from {at} on are no step of a program");
            }
        }
        Ok(Program { bytes: bytes.to_vec() })
    }

    /// The encoded steps.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it has no steps.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn begin(&mut self, code: u8, at: Place) -> &mut Program {
        self.bytes.push(code);
        self.place(at)
    }

    fn place(&mut self, at: Place) -> &mut Program {
        self.number(at.page.0).number(at.offset)
    }

    fn number(&mut self, n: u64) -> &mut Program {
        self.bytes.extend(n.to_le_bytes());
        self
    }

    fn length(&mut self, n: usize) -> &mut Program {
        self.bytes.extend(u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
        self
    }

    /// Lets the 64-bit integer at a place grow by `by`, wrapping.
    pub fn add(&mut self, at: Place, by: i64) -> &mut Program {
        self.begin(1, at).number(by as u64)
    }

    /// Lets the double at a place grow.
    pub fn add_float(&mut self, at: Place, by: f64) -> &mut Program {
        self.begin(2, at).number(by.to_bits())
    }

    /// Replaces bytes, if they are as expected; else the program fails.
    ///
    /// # Errors
    /// `LengthMismatch` if the two differ in length.
    pub fn compare_and_swap(
        &mut self,
        at: Place,
        expected: &[u8],
        new: &[u8],
    ) -> Result<&mut Program> {
        if expected.len() != new.len() {
            let (a, b) = (expected.len(), new.len());
            bail!(LengthMismatch, "{a} bytes are expected, {b} are to replace them");
        }
        self.begin(3, at).length(new.len());
        self.bytes.extend(expected.iter().chain(new));
        Ok(self)
    }

    /// Takes an amount from the unsigned integer of 8 bytes at one place and adds it to another; the
    /// program fails if there is less.
    pub fn transfer(&mut self, from: Place, to: Place, amount: u64) -> &mut Program {
        self.begin(4, from).place(to).number(amount)
    }

    /// Writes bytes.
    pub fn write(&mut self, at: Place, bytes: &[u8]) -> &mut Program {
        self.begin(5, at).length(bytes.len());
        self.bytes.extend(bytes);
        self
    }

    /// Fails unless the unsigned integer of 8 bytes at a place relates to `value` like that.
    pub fn require(&mut self, at: Place, relation: Relation, value: u64) -> &mut Program {
        self.begin(6, at).bytes.push(relation as u8);
        self.number(value)
    }

    /// Does the steps.
    ///
    /// # Errors
    /// `ConditionFailed`, and those of the machine.
    pub fn run(&self, machine: &mut impl Machine) -> Result<()> {
        let mut dec = Dec::new(&self.bytes);
        while let Some(step) = step(&mut dec) {
            step.run(machine)?;
        }
        match dec.rest().len() {
            0 => Ok(()),
            // A step with more bytes than a page has.
            left => bail!(TooLarge, "the last {left} bytes of the program are no step"),
        }
    }

    /// The pages that its steps name, with repetitions.
    pub fn pages(&self) -> Vec<PageId> {
        let mut dec = Dec::new(&self.bytes);
        let steps = std::iter::from_fn(|| step(&mut dec));
        steps.flat_map(|step| step.places()).flatten().map(|at| at.page).collect()
    }
}

fn step<'a>(dec: &mut Dec<'a>) -> Option<Step<'a>> {
    let code = dec.u8()?;
    let mut place = || Some(Place { page: PageId(dec.u64()?), offset: dec.u64()? });
    let at = place()?;
    Some(match code {
        1 => Step::Add { at, by: dec.u64()? },
        2 => Step::AddFloat { at, by: f64::from_bits(dec.u64()?) },
        3 => {
            let n = dec.u32()? as usize;
            Step::Swap { at, expected: dec.bytes(n)?, new: dec.bytes(n)? }
        }
        4 => Step::Transfer { from: at, to: place()?, amount: dec.u64()? },
        5 => {
            let n = dec.u32()? as usize;
            Step::Write { at, bytes: dec.bytes(n)? }
        }
        6 => {
            let relation = Relation::from_u32(dec.u8()?.into())?;
            Step::Require { at, relation, value: dec.u64()? }
        }
        _ => return None,
    })
}

impl Step<'_> {
    fn places(&self) -> [Option<Place>; 2] {
        match *self {
            Step::Transfer { from, to, .. } => [Some(from), Some(to)],
            Step::Add { at, .. }
            | Step::AddFloat { at, .. }
            | Step::Swap { at, .. }
            | Step::Write { at, .. }
            | Step::Require { at, .. } => [Some(at), None],
        }
    }

    fn run(self, machine: &mut impl Machine) -> Result<()> {
        match self {
            Step::Add { at, by } => {
                let n = read_u64(machine, at)?;
                machine.write(at, &n.wrapping_add(by).to_le_bytes())
            }
            Step::AddFloat { at, by } => {
                let n = f64::from_bits(read_u64(machine, at)?);
                machine.write(at, &(n + by).to_le_bytes())
            }
            Step::Swap { at, expected, new } => {
                let mut there = vec![0; expected.len()];
                machine.read(at, &mut there)?;
                match there == expected {
                    true => machine.write(at, new),
                    false => Err(failed(at, "other bytes stand there than expected")),
                }
            }
            Step::Transfer { from, to, amount } => transfer(machine, from, to, amount),
            Step::Write { at, bytes } => machine.write(at, bytes),
            Step::Require { at, relation, value } => {
                let n = read_u64(machine, at)?;
                match relation.holds(n, value) {
                    true => Ok(()),
                    false => Err(failed(at, &format!("{n} {} {value} is false", relation.sign()))),
                }
            }
        }
    }
}

fn transfer(machine: &mut impl Machine, from: Place, to: Place, amount: u64) -> Result<()> {
    let has = read_u64(machine, from)?;
    let Some(left) = has.checked_sub(amount) else {
        return Err(failed(from, &format!("{has} is less than the {amount} to be transferred")));
    };
    machine.write(from, &left.to_le_bytes())?;
    let has = read_u64(machine, to)?;
    let Some(sum) = has.checked_add(amount) else {
        return Err(failed(
            to,
            &format!("{has} and the {amount} to be transferred exceed 64 bits"),
        ));
    };
    machine.write(to, &sum.to_le_bytes())
}

fn read_u64(machine: &mut impl Machine, at: Place) -> Result<u64> {
    let mut bytes = [0; 8];
    machine.read(at, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cold]
fn failed(at: Place, what: &str) -> Error {
    let Place { page, offset } = at;
    Error::new(ErrorKind::ConditionFailed, format!("{page} at offset {offset}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One page.
    struct Bytes([u8; 64]);

    impl Machine for Bytes {
        fn read(&mut self, at: Place, buf: &mut [u8]) -> Result<()> {
            buf.copy_from_slice(&self.0[at.offset as usize..][..buf.len()]);
            Ok(())
        }

        fn write(&mut self, at: Place, bytes: &[u8]) -> Result<()> {
            self.0[at.offset as usize..][..bytes.len()].copy_from_slice(bytes);
            Ok(())
        }
    }

    fn at(offset: u64) -> Place {
        Place { page: PageId(1), offset }
    }

    fn run(bytes: &mut Bytes, build: impl FnOnce(&mut Program)) -> Result<()> {
        let mut program = Program::new();
        build(&mut program);
        Program::from_bytes(program.as_bytes())?.run(bytes)
    }

    #[test]
    fn steps_do_what_they_say() {
        let mut bytes = Bytes([0; 64]);
        run(&mut bytes, |program| {
            program.add(at(0), 10).add(at(0), -3).add_float(at(8), 1.5).write(at(16), b"abc");
            program.transfer(at(0), at(24), 2).compare_and_swap(at(16), b"ab", b"xy").unwrap();
            program.require(at(0), Relation::Equal, 5).require(at(24), Relation::LessOrEqual, 2);
        })
        .unwrap();
        assert_eq!((bytes.0[0], bytes.0[24], &bytes.0[16..19]), (5, 2, &b"xyc"[..]));
        assert_eq!(f64::from_le_bytes(bytes.0[8..16].try_into().unwrap()), 1.5);
    }

    #[test]
    fn conditions_that_fail_are_named() {
        let mut bytes = Bytes([0; 64]);
        let message = |result: Result<()>| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConditionFailed);
            error.message().to_owned()
        };
        let poor = message(run(&mut bytes, |program| {
            program.transfer(at(0), at(8), 1);
        }));
        assert_eq!(poor, "page 1 at offset 0: 0 is less than the 1 to be transferred");
        let wrong = message(run(&mut bytes, |program| {
            program.require(at(8), Relation::Greater, 7);
        }));
        assert_eq!(wrong, "page 1 at offset 8: 0 > 7 is false");
        message(run(&mut bytes, |program| {
            program.compare_and_swap(at(8), b"a", b"b").unwrap();
        }));
        bytes.0[..16].fill(0xff);
        let much = message(run(&mut bytes, |program| {
            program.transfer(at(0), at(8), 1);
        }));
        assert!(much.contains("exceed 64 bits"), "{much}");
    }

    #[test]
    fn bytes_that_are_no_program_are_refused_where_they_begin() {
        let mut program = Program::new();
        program.add(at(0), 1).write(at(0), b"abc");
        for cut in (1..25).chain(26..program.as_bytes().len()) {
            let error = Program::from_bytes(&program.as_bytes()[..cut]).unwrap_err();
            let from = if cut < 25 { "from 0" } else { "from 25" };
            assert!(error.message().contains(from), "{cut}: {error}");
        }
        assert!(Program::from_bytes(&[9; 30]).is_err());
        assert!(Program::new().compare_and_swap(at(0), b"a", b"bc").is_err());
    }
}
