//! The meaning of formulas, written as plainly as possible: numbers are bits, arithmetic is that of
//! `i128` and `f64`, and there is one element at a time.
//!
//! (Of two `f32`, sum, difference, product and quotient are the same computed in `f64` and rounded.)

use crate::propagate::{DType, Semiring};

#[derive(Clone, Debug)]
pub enum Ast {
    Literal(String),
    View { dtype: DType, parent: usize, from: usize, to: usize },
    Neg(Box<Ast>),
    Abs(Box<Ast>),
    Binary(&'static str, Box<[Ast; 2]>),
    Select(Box<[Ast; 3]>),
    Reduce(&'static str, Box<Ast>),
    Accumulate(Semiring, Box<Ast>),
    Dot(Box<[Ast; 2]>),
    Gather(Box<[Ast; 2]>),
    Fold(&'static str, Semiring),
    MatVec(Semiring, Box<[Ast; 2]>),
    Weighted(Semiring, Box<Ast>),
}

/// Bits of elements, and whether they are one number that fits any length.
#[derive(Clone, Debug)]
pub struct Value {
    pub bits: Vec<u64>,
    pub is_one: bool,
}

pub struct Naive<'a> {
    pub dtype: DType,
    pub parents: &'a [Vec<u8>],
}

/// An element of a type, as what it is compared and calculated with.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64)
}

fn range(dtype: DType) -> (i128, i128) {
    let bits = 8 * dtype.size() as u32;
    match dtype.name().starts_with('i') {
        true => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        false => (0, (1 << bits) - 1),
    }
}

fn number(dtype: DType, bits: u64) -> Number {
    match dtype {
        DType::F32 => Number::Float(f64::from(f32::from_bits(bits as u32))),
        DType::F64 => Number::Float(f64::from_bits(bits)),
        _ => {
            let (lowest, highest) = range(dtype);
            let n = i128::from(bits);
            Number::Int(if n > highest { n - highest - 1 + lowest } else { n })
        }
    }
}

/// The bits of a result: integers wrap, floats are rounded, and every NaN is the same.
fn bits(dtype: DType, number: Number) -> u64 {
    match (dtype, number) {
        (DType::F32, Number::Float(x)) if x.is_nan() => 0x7fc0_0000,
        (DType::F64, Number::Float(x)) if x.is_nan() => 0x7ff8_0000_0000_0000,
        (DType::F32, Number::Float(x)) => u64::from((x as f32).to_bits()),
        (DType::F64, Number::Float(x)) => x.to_bits(),
        (DType::F32, Number::Int(n)) => u64::from((n as f32).to_bits()),
        (DType::F64, Number::Int(n)) => (n as f64).to_bits(),
        (_, Number::Int(n)) => (n as u64) & (u64::MAX >> (64 - 8 * dtype.size())),
        (_, Number::Float(x)) => {
            let (lowest, highest) = range(dtype);
            bits(dtype, Number::Int((x as i128).clamp(lowest, highest)))
        }
    }
}

impl Naive<'_> {
    /// The value, or nothing if an index is beyond the values.
    pub fn value(&self, ast: &Ast) -> Option<Value> {
        Some(match ast {
            Ast::Literal(text) => one(self.literal(text)),
            Ast::View { dtype, parent, from, to } => {
                let all = self.view(*dtype, *parent);
                many((*from..*to).map(|at| self.convert(*dtype, all[at])).collect())
            }
            Ast::Neg(a) => self.value(a)?.map(|a| match self.number(a) {
                Number::Int(a) => self.bits(Number::Int(-a)),
                Number::Float(a) => self.bits(Number::Float(-a)),
            }),
            Ast::Abs(a) => self.value(a)?.map(|a| match self.number(a) {
                Number::Int(a) => self.bits(Number::Int(a.abs())),
                Number::Float(a) => self.bits(Number::Float(a.abs())),
            }),
            Ast::Binary(op, parts) => {
                let [a, b] = self.values(&parts[..])?;
                let len = a.bits.len().max(b.bits.len());
                let each = (0..len).map(|i| self.binary(op, a.at(i), b.at(i))).collect();
                Value { bits: each, is_one: a.is_one && b.is_one }
            }
            Ast::Select(parts) => {
                let [c, a, b] = self.values(&parts[..])?;
                let len = c.bits.len().max(a.bits.len()).max(b.bits.len());
                let pick = |i| if self.truth(c.at(i)) { a.at(i) } else { b.at(i) };
                let is_one = c.is_one && a.is_one && b.is_one;
                Value { bits: (0..len).map(pick).collect(), is_one }
            }
            Ast::Reduce(name, a) => one(self.reduce(name, &self.value(a)?.bits)),
            Ast::Accumulate(semiring, a) => one(self.accumulate(*semiring, &self.value(a)?.bits)),
            Ast::Dot(parts) => {
                let product = Ast::Binary("*", parts.clone());
                one(self.accumulate(Semiring::Real, &self.value(&product)?.bits))
            }
            Ast::Gather(parts) => self.gather(&parts[0], &parts[1])?,
            Ast::Fold(name, semiring) => {
                let (zero, one) = self.zero_one(*semiring);
                let start = if *name == "fold" { zero } else { one };
                let mut sums = vec![start; self.view(self.dtype, 0).len()];
                for parent in 0..self.parents.len() {
                    for (sum, &x) in sums.iter_mut().zip(&self.view(self.dtype, parent)) {
                        *sum = match *name {
                            "fold" => self.plus(*semiring, *sum, x),
                            _ => self.times(*semiring, *sum, x),
                        };
                    }
                }
                many(sums)
            }
            Ast::MatVec(semiring, parts) => {
                let [matrix, vector] = self.values(&parts[..])?;
                let row = |row: &[u64]| {
                    let products = row.iter().zip(&vector.bits);
                    let products: Vec<u64> =
                        products.map(|(&a, &b)| self.times(*semiring, a, b)).collect();
                    self.accumulate(*semiring, &products)
                };
                many(matrix.bits.chunks(vector.bits.len()).map(row).collect())
            }
            Ast::Weighted(semiring, weights) => {
                let first = parents_named(weights);
                let weights = self.value(weights)?;
                let (zero, _) = self.zero_one(*semiring);
                let mut sums = vec![zero; self.view(self.dtype, first).len()];
                for (j, parent) in (first..self.parents.len()).enumerate() {
                    for (sum, &x) in sums.iter_mut().zip(&self.view(self.dtype, parent)) {
                        let product = self.times(*semiring, weights.at(j), x);
                        *sum = self.plus(*semiring, *sum, product);
                    }
                }
                many(sums)
            }
        })
    }

    fn values<const N: usize>(&self, asts: &[Ast]) -> Option<[Value; N]> {
        let values: Option<Vec<Value>> = asts.iter().map(|ast| self.value(ast)).collect();
        values?.try_into().ok()
    }

    fn view(&self, dtype: DType, parent: usize) -> Vec<u64> {
        self.parents[parent].chunks_exact(dtype.size()).map(super::bits_of).collect()
    }

    fn number(&self, bits: u64) -> Number {
        number(self.dtype, bits)
    }

    fn bits(&self, number: Number) -> u64 {
        bits(self.dtype, number)
    }

    fn convert(&self, from: DType, x: u64) -> u64 {
        if from == self.dtype { x } else { self.bits(number(from, x)) }
    }

    fn literal(&self, text: &str) -> u64 {
        match self.dtype {
            DType::F32 => u64::from(text.parse::<f32>().unwrap().to_bits()),
            DType::F64 => text.parse::<f64>().unwrap().to_bits(),
            _ => self.bits(Number::Int(text.parse().unwrap())),
        }
    }

    fn truth(&self, x: u64) -> bool {
        match self.number(x) {
            Number::Int(x) => x != 0,
            Number::Float(x) => x != 0.0,
        }
    }

    fn flag(&self, truth: bool) -> u64 {
        self.bits(Number::Int(i128::from(truth)))
    }

    fn binary(&self, op: &str, a: u64, b: u64) -> u64 {
        let numbers = (self.number(a), self.number(b));
        let order = match numbers {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b),
            _ => unreachable!(),
        };
        let is = |test: fn(std::cmp::Ordering) -> bool| self.flag(order.is_some_and(test));
        match op {
            "min" | "max" => self.extreme(op, a, b),
            "<" => is(|order| order.is_lt()),
            "<=" => is(|order| order.is_le()),
            ">" => is(|order| order.is_gt()),
            ">=" => is(|order| order.is_ge()),
            "==" => is(|order| order.is_eq()),
            "!=" => self.flag(order.is_none_or(|order| order.is_ne())),
            _ => self.bits(match numbers {
                (Number::Int(a), Number::Int(b)) => Number::Int(match op {
                    "+" => a + b,
                    "-" => a - b,
                    "*" => (a as u128).wrapping_mul(b as u128) as i128,
                    _ if b == 0 => 0,
                    _ => a / b,
                }),
                (Number::Float(a), Number::Float(b)) => Number::Float(match op {
                    "+" => a + b,
                    "-" => a - b,
                    "*" => a * b,
                    _ => a / b,
                }),
                _ => unreachable!(),
            }),
        }
    }

    /// The lower or the higher: no NaN is passed over, and zero's sign counts.
    fn extreme(&self, op: &str, a: u64, b: u64) -> u64 {
        let (Number::Float(x), Number::Float(y)) = (self.number(a), self.number(b)) else {
            let first = self.binary(if op == "min" { "<=" } else { ">=" }, a, b) == 1;
            return if first { a } else { b };
        };
        if x.is_nan() || y.is_nan() {
            return self.bits(Number::Float(f64::NAN));
        }
        let first = if op == "min" { x.total_cmp(&y).is_le() } else { x.total_cmp(&y).is_ge() };
        if first { a } else { b }
    }

    fn zero_one(&self, semiring: Semiring) -> (u64, u64) {
        let (lowest, highest) = match is_float(self.dtype) {
            true => (Number::Float(f64::NEG_INFINITY), Number::Float(f64::INFINITY)),
            false => (Number::Int(range(self.dtype).0), Number::Int(range(self.dtype).1)),
        };
        match semiring {
            Semiring::MinPlus => (self.bits(highest), self.flag(false)),
            Semiring::MaxPlus => (self.bits(lowest), self.flag(false)),
            _ => (self.flag(false), self.flag(true)),
        }
    }

    fn plus(&self, semiring: Semiring, a: u64, b: u64) -> u64 {
        match semiring {
            Semiring::Real => self.binary("+", a, b),
            Semiring::Counting => self.stopped("+", a, b),
            Semiring::Boolean => self.flag(self.truth(a) || self.truth(b)),
            Semiring::MinPlus => self.extreme("min", a, b),
            Semiring::MaxPlus => self.extreme("max", a, b),
        }
    }

    fn times(&self, semiring: Semiring, a: u64, b: u64) -> u64 {
        let (zero, _) = self.zero_one(semiring);
        match semiring {
            Semiring::Real => self.binary("*", a, b),
            Semiring::Counting => self.stopped("*", a, b),
            Semiring::Boolean => self.flag(self.truth(a) && self.truth(b)),
            _ if !is_float(self.dtype) && (a == zero || b == zero) => zero,
            _ => self.stopped("+", a, b),
        }
    }

    /// An operation where integers stop at their ends.
    fn stopped(&self, op: &str, a: u64, b: u64) -> u64 {
        match (self.number(a), self.number(b)) {
            (Number::Int(x), Number::Int(y)) => {
                let (lowest, highest) = range(self.dtype);
                let exact = if op == "+" { Some(x + y) } else { x.checked_mul(y) };
                self.bits(Number::Int(exact.unwrap_or(i128::MAX).clamp(lowest, highest)))
            }
            _ => self.binary(op, a, b),
        }
    }

    fn accumulate(&self, semiring: Semiring, elements: &[u64]) -> u64 {
        let (zero, _) = self.zero_one(semiring);
        self.tree(zero, elements, |a, b| self.plus(semiring, a, b))
    }

    /// Sixteen partial results, then those eight apart, four, two, one.
    fn tree(&self, zero: u64, elements: &[u64], plus: impl Fn(u64, u64) -> u64) -> u64 {
        let mut lanes = [zero; 16];
        for (i, &x) in elements.iter().enumerate() {
            lanes[i % 16] = plus(lanes[i % 16], x);
        }
        for apart in [8, 4, 2, 1] {
            for i in 0..apart {
                lanes[i] = plus(lanes[i], lanes[i + apart]);
            }
        }
        lanes[0]
    }

    fn reduce(&self, name: &str, elements: &[u64]) -> u64 {
        let count = |n: usize| self.bits(Number::Int(n as i128));
        match name {
            "sum" => self.accumulate(Semiring::Real, elements),
            "mean" => {
                self.binary("/", self.accumulate(Semiring::Real, elements), count(elements.len()))
            }
            "count" => count(elements.iter().filter(|&&x| self.truth(x)).count()),
            "min" | "max" => self.extreme_of(name, elements),
            _ => {
                let best = self.extreme_of(&name[3..], elements);
                let same = |&x: &u64| self.extreme("min", x, x) == best;
                count(elements.iter().position(same).unwrap())
            }
        }
    }

    fn extreme_of(&self, name: &str, elements: &[u64]) -> u64 {
        let first = self.extreme(name, elements[0], elements[0]);
        elements.iter().fold(first, |best, &x| self.extreme(name, best, x))
    }

    fn gather(&self, values: &Ast, index: &Ast) -> Option<Value> {
        let values = self.value(values)?.bits;
        let (dtype, index) = match index {
            &Ast::View { dtype, parent, from, to } => {
                (dtype, many(self.view(dtype, parent)[from..to].to_vec()))
            }
            _ => (self.dtype, self.value(index)?),
        };
        let pick = |&x: &u64| match number(dtype, x) {
            Number::Int(n) => values.get(usize::try_from(n).ok()?).copied(),
            Number::Float(x) if x == x.trunc() && (0.0..1e15).contains(&x) => {
                values.get(x as usize).copied()
            }
            Number::Float(_) => None,
        };
        let picked: Option<Vec<u64>> = index.bits.iter().map(pick).collect();
        Some(Value { bits: picked?, is_one: index.is_one })
    }
}

fn one(bits: u64) -> Value {
    Value { bits: vec![bits], is_one: true }
}

fn many(bits: Vec<u64>) -> Value {
    Value { bits, is_one: false }
}

impl Value {
    fn at(&self, i: usize) -> u64 {
        self.bits[if self.is_one { 0 } else { i }]
    }

    fn map(mut self, f: impl Fn(u64) -> u64) -> Value {
        self.bits.iter_mut().for_each(|x| *x = f(*x));
        self
    }
}

/// One more than the highest number of a parent that it names.
fn parents_named(ast: &Ast) -> usize {
    match ast {
        Ast::Literal(_) | Ast::Fold(..) => 0,
        Ast::View { parent, .. } => parent + 1,
        Ast::Neg(a) | Ast::Abs(a) | Ast::Reduce(_, a) => parents_named(a),
        Ast::Accumulate(_, a) | Ast::Weighted(_, a) => parents_named(a),
        Ast::Binary(_, parts) | Ast::Dot(parts) | Ast::Gather(parts) | Ast::MatVec(_, parts) => {
            parts.iter().map(parents_named).max().unwrap_or(0)
        }
        Ast::Select(parts) => parts.iter().map(parents_named).max().unwrap_or(0),
    }
}
