//! Evaluation: steps first, then the result, block by block.
//!
//! A block is [`BLOCK_BYTES`] of elements. An expression is computed for a range of elements into
//! `dst`; its operands stand in the pages themselves, or in scratch blocks, of which the formula
//! knows how many it needs. So what is computed stays in the first-level cache, however large the
//! pages are.
//!
//! Sizes have been checked: whatever is sliced here is there.

use super::element::{BLOCK_BYTES, DType, Element, view, view_mut, with_dtype};
use super::formula::{Expr, Extreme, Fold, Formula, Reduction, Source, Stage, Step, View};
use super::kernels::{self, LANES, Lanes, TOGETHER};
use super::semiring::Semiring;
use crate::bail;
use crate::error::Result;
use crate::stdx::prefetch;
use smallvec::SmallVec;

/// What elements are aligned to at most.
const ALIGN: usize = align_of::<u64>();
/// Indexes that are looked at together.
const INDEXES: usize = 64;

const _: () = assert!((BLOCK_BYTES / size_of::<u64>()).is_multiple_of(LANES));

/// Whether all elements can be used where they are.
pub(super) fn is_aligned(parents: &[&[u8]], out: &[u8]) -> bool {
    let places =
        parents.iter().fold(out.as_ptr() as usize, |places, p| places | p.as_ptr() as usize);
    places.is_multiple_of(ALIGN)
}

/// [`Formula::eval`] on copies that are aligned.
#[cold]
pub(super) fn realigned(formula: &Formula, parents: &[&[u8]], out: &mut [u8]) -> Result<()> {
    let copies: Vec<(Vec<u8>, usize)> = parents.iter().map(|bytes| aligned(bytes)).collect();
    let parents: Vec<&[u8]> = copies.iter().map(|(copy, at)| &copy[*at..]).collect();
    let (mut copy, at) = aligned(out);
    with_dtype!(formula.dtype(), T => run::<T>(formula, &parents, &mut copy[at..]))?;
    out.copy_from_slice(&copy[at..]);
    Ok(())
}

/// A copy of `bytes`, and where in it they begin: at an aligned place.
fn aligned(bytes: &[u8]) -> (Vec<u8>, usize) {
    let mut copy = Vec::with_capacity(bytes.len() + ALIGN);
    let start = (copy.as_ptr() as usize).wrapping_neg() % ALIGN;
    copy.resize(start, 0);
    copy.extend_from_slice(bytes);
    (copy, start)
}

/// Evaluates a formula whose type of elements is `T`.
pub(super) fn run<T: Element>(formula: &Formula, parents: &[&[u8]], out: &mut [u8]) -> Result<()> {
    let out = view_mut::<T>(out);
    let mut run = Run { formula, parents, steps: SmallVec::new() };
    match formula.blocks {
        0 => run.all(out, &mut []),
        1 => run.all(out, &mut [T::BLOCK; 1]),
        2 => run.all(out, &mut [T::BLOCK; 2]),
        3 | 4 => run.all(out, &mut [T::BLOCK; 4]),
        more => run.all(out, &mut vec![T::BLOCK; more]),
    }
}

/// One evaluation.
struct Run<'p, T> {
    formula: &'p Formula,
    parents: &'p [&'p [u8]],
    /// Results of the steps so far.
    steps: SmallVec<[T; 8]>,
}

impl<'p, T: Element> Run<'p, T> {
    const BLOCK: usize = BLOCK_BYTES / size_of::<T>();

    fn all(&mut self, out: &mut [T], scratch: &mut [T::Block]) -> Result<()> {
        let formula = self.formula;
        for step in &formula.steps {
            let number = self.step(step, scratch)?;
            self.steps.push(number);
        }
        if let Some(number) = self.number(&formula.result) {
            out.fill(number);
            return Ok(());
        }
        if let Some(elements) = self.in_place(&formula.result) {
            out.copy_from_slice(elements);
            return Ok(());
        }
        for (n, block) in out.chunks_mut(Self::BLOCK).enumerate() {
            self.block(&formula.result, n * Self::BLOCK, block, scratch)?;
        }
        Ok(())
    }

    fn step(&self, step: &Step, scratch: &mut [T::Block]) -> Result<T> {
        match step {
            Step::Alone(expr) => {
                let mut number = [T::ZERO];
                self.block(expr, 0, &mut number, scratch)?;
                Ok(number[0])
            }
            Step::Reduce(Reduction::Over(semiring), expr) => {
                self.reduce(*semiring, expr, scratch).map(|(sum, _)| sum)
            }
            Step::Reduce(Reduction::Mean, expr) => {
                let (sum, len) = self.reduce(Semiring::Real, expr, scratch)?;
                Ok(sum.div(T::from_count(len as u64)).canonical())
            }
            Step::Count(expr) => {
                let mut count = 0;
                self.blocks(expr, scratch, |_, block| count += kernels::count(block))?;
                Ok(T::from_count(count))
            }
            Step::Dot(a, b) => {
                let len = self.len(a)?.max(self.len(b)?);
                self.products(Semiring::Real, (a, 0), (b, 0), len, scratch)
            }
            Step::Place(extreme, expr) => self.place(*extreme, expr, scratch),
        }
    }

    /// ⊕ over the elements, and their number.
    fn reduce(
        &self,
        semiring: Semiring,
        expr: &Expr,
        scratch: &mut [T::Block],
    ) -> Result<(T, usize)> {
        if let Some(elements) = self.in_place(expr) {
            return Ok((kernels::total(semiring, elements), elements.len()));
        }
        let mut lanes: Lanes<T> = [semiring.zero_of(); LANES];
        let len = self.blocks(expr, scratch, |_, block| {
            kernels::accumulate(semiring, &mut lanes, block);
        })?;
        Ok((kernels::combine(semiring, lanes), len))
    }

    /// ⊕ over `len` products of elements, from one on of each expression.
    fn products(
        &self,
        semiring: Semiring,
        (a, a_start): (&Expr, usize),
        (b, b_start): (&Expr, usize),
        len: usize,
        scratch: &mut [T::Block],
    ) -> Result<T> {
        if let (Some(a), Some(b)) = (self.in_place(a), self.in_place(b)) {
            let (a, b) = (&a[a_start..a_start + len], &b[b_start..b_start + len]);
            return Ok(kernels::total_of_products(semiring, a, b));
        }
        let mut lanes: Lanes<T> = [semiring.zero_of(); LANES];
        for at in (0..len).step_by(Self::BLOCK) {
            let part = Self::BLOCK.min(len - at);
            let (a, scratch) = self.operand(a, a_start + at, part, scratch)?;
            let (b, _) = self.operand(b, b_start + at, part, scratch)?;
            kernels::accumulate_products(semiring, &mut lanes, a, b);
        }
        Ok(kernels::combine(semiring, lanes))
    }

    /// The number of the first extreme element.
    fn place(&self, extreme: Extreme, expr: &Expr, scratch: &mut [T::Block]) -> Result<T> {
        let semiring = extreme.semiring();
        let mut best: Option<(T, usize)> = None;
        self.blocks(expr, scratch, |start, block| {
            let found = kernels::total(semiring, block);
            let is_better = best.is_none_or(|(best, _)| {
                !found.same(best) && kernels::add(semiring, found, best).same(found)
            });
            if let Some(at) = block.iter().position(|x| x.same(found)).filter(|_| is_better) {
                best = Some((found, start + at));
            }
        })?;
        Ok(T::from_count(best.map_or(0, |(_, at)| at as u64)))
    }

    /// Calls `each` with the elements, in order, and the number of the first one of each call:
    /// all at once where they stand in a page, else a block at a time. Returns how many there are.
    fn blocks(
        &self,
        expr: &Expr,
        scratch: &mut [T::Block],
        mut each: impl FnMut(usize, &[T]),
    ) -> Result<usize> {
        if let Some(elements) = self.in_place(expr) {
            each(0, elements);
            return Ok(elements.len());
        }
        let len = self.len(expr)?;
        for at in (0..len).step_by(Self::BLOCK) {
            let (block, _) = self.operand(expr, at, Self::BLOCK.min(len - at), scratch)?;
            each(at, block);
        }
        Ok(len)
    }

    fn len(&self, expr: &Expr) -> Result<usize> {
        self.formula.shape(expr, &self.parents).map(|shape| shape.len())
    }

    /// The bytes that a view shows.
    fn bytes(&self, view: &View) -> &'p [u8] {
        let (bytes, size) = (self.parents[view.parent], view.dtype.size());
        &bytes[view.from * size..view.to.map_or(bytes.len(), |to| to * size)]
    }

    /// All elements of an expression, if they stand in a page.
    fn in_place(&self, expr: &Expr) -> Option<&'p [T]> {
        let view_of = expr.as_view().filter(|view| view.dtype == T::DTYPE)?;
        Some(view(self.bytes(view_of)))
    }

    /// The number that an expression is, if it need not be calculated.
    fn number(&self, expr: &Expr) -> Option<T> {
        match expr.source {
            Source::Literal(bits) if expr.stages.is_empty() => Some(T::from_bits(bits)),
            Source::Step(step) if expr.stages.is_empty() => Some(self.steps[step]),
            _ => None,
        }
    }

    /// `len` elements of an expression, at most a block unless they stand in a page; and the
    /// scratch that is left.
    fn operand<'s>(
        &self,
        expr: &Expr,
        start: usize,
        len: usize,
        scratch: &'s mut [T::Block],
    ) -> Result<(&'s [T], &'s mut [T::Block])>
    where
        'p: 's,
    {
        if let Some(elements) = self.in_place(expr) {
            return Ok((&elements[start..start + len], scratch));
        }
        let Some((block, rest)) = scratch.split_first_mut() else {
            bail!(Internal, "a formula needs more blocks than it said: {}", self.formula.text());
        };
        let block = &mut block.as_mut()[..len];
        self.block(expr, start, block, rest)?;
        Ok((block, rest))
    }

    /// Computes the elements from `start` on into `dst`, which is no longer than a block.
    fn block(
        &self,
        expr: &Expr,
        start: usize,
        dst: &mut [T],
        scratch: &mut [T::Block],
    ) -> Result<()> {
        self.source(&expr.source, start, dst, scratch)?;
        for stage in &expr.stages {
            match stage {
                Stage::Neg => kernels::negate(dst),
                Stage::Abs => kernels::absolute(dst),
                Stage::Binary(op, b) => match self.number(b) {
                    Some(b) => kernels::apply_number(*op, dst, b),
                    None => {
                        let (b, _) = self.operand(b, start, dst.len(), scratch)?;
                        kernels::apply(*op, dst, b);
                    }
                },
                Stage::Select(a, b) => {
                    let (a, scratch) = self.operand(a, start, dst.len(), scratch)?;
                    let (b, _) = self.operand(b, start, dst.len(), scratch)?;
                    kernels::select(dst, a, b);
                }
            }
        }
        Ok(())
    }

    fn source(
        &self,
        source: &Source,
        start: usize,
        dst: &mut [T],
        scratch: &mut [T::Block],
    ) -> Result<()> {
        match source {
            Source::Literal(bits) => dst.fill(T::from_bits(*bits)),
            Source::Step(step) => dst.fill(self.steps[*step]),
            Source::View(view) => {
                kernels::load(view.dtype, &self.bytes(view)[start * view.dtype.size()..], dst);
            }
            Source::Gather(values, index) => {
                return self.gather(values, index, start, dst, scratch);
            }
            Source::Fold(semiring, fold) => self.fold(*semiring, *fold, start, dst),
            Source::MatVec(semiring, matrix, vector) => {
                let columns = self.len(vector)?;
                for (row, sum) in dst.iter_mut().enumerate() {
                    let from = (start + row) * columns;
                    *sum =
                        self.products(*semiring, (matrix, from), (vector, 0), columns, scratch)?;
                }
            }
            Source::Weighted(semiring, weights) => {
                return self.weighted(*semiring, weights, start, dst, scratch);
            }
        }
        Ok(())
    }

    fn gather(
        &self,
        values: &View,
        index: &Expr,
        start: usize,
        dst: &mut [T],
        scratch: &mut [T::Block],
    ) -> Result<()> {
        let values = (values.dtype, self.bytes(values));
        if let Some(index) = index.as_view() {
            return with_dtype!(index.dtype, I => {
                let index = &view::<I>(self.bytes(index))[start..start + dst.len()];
                gather(values, index, start, dst)
            });
        }
        let (index, _) = self.operand(index, start, dst.len(), scratch)?;
        gather(values, index, start, dst)
    }

    fn fold(&self, semiring: Semiring, fold: Fold, start: usize, dst: &mut [T]) {
        let range = start..start + dst.len();
        dst.fill(match fold {
            Fold::Add => semiring.zero_of(),
            Fold::Mul => semiring.one_of(),
        });
        let elements = |parent: &&'p [u8]| &view::<T>(parent)[range.clone()];
        let mut rest = self.parents;
        while !rest.is_empty() {
            let (group, after) = rest.split_at(TOGETHER.min(rest.len()));
            rest = after;
            for next in rest.iter().take(TOGETHER).map(elements) {
                prefetch::for_read(next.as_ptr().cast(), size_of_val(next));
            }
            let group: SmallVec<[&[T]; TOGETHER]> = group.iter().map(elements).collect();
            match fold {
                Fold::Add => kernels::fold_add(semiring, dst, &group),
                Fold::Mul => kernels::fold_mul(semiring, dst, &group),
            }
        }
        kernels::canonical(dst);
    }

    fn weighted(
        &self,
        semiring: Semiring,
        weights: &Expr,
        start: usize,
        dst: &mut [T],
        scratch: &mut [T::Block],
    ) -> Result<()> {
        let range = start..start + dst.len();
        let others = &self.parents[weights.facts.parents..];
        dst.fill(semiring.zero_of());
        let mut add = |weight, parent| {
            let elements = &view::<T>(parent)[range.clone()];
            kernels::fold_weighted(semiring, dst, weight, elements);
        };
        for (n, others) in others.chunks(Self::BLOCK).enumerate() {
            match self.number(weights) {
                Some(weight) => others.iter().for_each(|parent| add(weight, parent)),
                None => {
                    let first = n * Self::BLOCK;
                    let (weights, _) = self.operand(weights, first, others.len(), scratch)?;
                    weights.iter().zip(others).for_each(|(&weight, parent)| add(weight, parent));
                }
            }
        }
        kernels::canonical(dst);
        Ok(())
    }
}

/// `dst[i] = values[index[i]]`.
///
/// - `values`: their type, and their bytes.
/// - `start`: the number of the first index, which an error names.
fn gather<T: Element, I: Element>(
    values: (DType, &[u8]),
    index: &[I],
    start: usize,
    dst: &mut [T],
) -> Result<()> {
    let len = values.1.len() / values.0.size();
    let mut places = [0; INDEXES];
    for (n, (index, dst)) in index.chunks(INDEXES).zip(dst.chunks_mut(INDEXES)).enumerate() {
        if !kernels::places(index, len, &mut places) {
            let at = places.iter().position(|&place| place >= len).unwrap_or_default();
            bail!(
                RangeOutOfBounds,
                "gather: index number {} is {}; there are {len} values",
                start + n * INDEXES + at,
                index[at]
            );
        }
        pick(values, &places, dst);
    }
    Ok(())
}

/// `dst[i] = values[places[i]]`.
fn pick<T: Element>((dtype, bytes): (DType, &[u8]), places: &[usize], dst: &mut [T]) {
    if dtype == T::DTYPE {
        let values = view::<T>(bytes);
        dst.iter_mut().zip(places).for_each(|(d, &place)| *d = values[place]);
        return;
    }
    for (d, &place) in dst.iter_mut().zip(places) {
        kernels::load(dtype, &bytes[place * dtype.size()..], std::slice::from_mut(d));
    }
}
