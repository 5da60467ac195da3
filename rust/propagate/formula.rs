//! Formulas: expressions as they are evaluated, and which pages they fit.
//!
//! ```text
//!   f64: (p0 - mean(p0)) / max(u32(p1), 1)
//!
//!   step 0    mean of p0
//!   result    p0, then - step 0, then / (u32(p1), then max 1)
//! ```
//!
//! - Whatever is one number, but for literals, is a [`Step`] of its own: done once, before what needs
//!   it. So an operand of something with many elements is never a calculation of one.
//! - An expression is a source and what is done to it, one thing after the other: `a + b + c + …` is
//!   as deep as `a`.

use super::element::{DType, Element, with_dtype};
use super::eval;
use super::parse;
use super::semiring::Semiring;
use crate::bail;
use crate::error::Result;

/// What a derived page is: a function of its parents' contents, told in a line of text. The
/// language is that of `docs/formulas.md`.
///
/// A formula is parsed once and evaluated often, by any number of threads. The same text and the
/// same contents give the same bytes wherever and whenever.
///
/// ```
/// use mmsb::Formula;
/// let mean = Formula::parse("f64: p0 / max(u32(p1), 1)")?;
/// let sums = [2.5f64, 10.0].map(f64::to_le_bytes).concat();
/// let counts = [2u32, 0].map(u32::to_le_bytes).concat();
///
/// mean.check(&[16, 8], 16)?;
/// let mut means = [0; 16];
/// mean.eval(&[&sums, &counts], &mut means)?;
/// assert_eq!(means[..8], 1.25f64.to_le_bytes());
/// assert_eq!(means[8..], 10f64.to_le_bytes());
/// # Ok::<(), mmsb::Error>(())
/// ```
#[derive(Debug)]
pub struct Formula {
    text: Box<str>,
    dtype: DType,
    pub(super) steps: Vec<Step>,
    pub(super) result: Expr,
    /// What the largest step, or the result, needs.
    pub(super) blocks: usize,
}

impl Formula {
    /// The formula that `text` tells.
    ///
    /// Cost: linear in the text; microseconds.
    ///
    /// # Errors
    /// `TooLong` beyond [`FORMULA_BYTES_MAX`](crate::limits::FORMULA_BYTES_MAX); `InvalidArgument`,
    /// with the place in the text and what was expected there.
    pub fn parse(text: &str) -> Result<Formula> {
        parse::formula(text)
    }

    pub(super) fn new(text: &str, builder: Builder, result: Expr) -> Formula {
        let blocks = builder.blocks.max(result.facts.blocks);
        Formula { text: text.into(), dtype: builder.dtype, steps: builder.steps, result, blocks }
    }

    /// The text, as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What everything is computed in, and the result's elements are.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Whether the result is the whole content of the first parent, as it is.
    pub fn is_copy(&self) -> bool {
        self.result.as_view().is_some_and(|view| {
            view.parent == 0 && view.dtype == self.dtype && view.from == 0 && view.to.is_none()
        })
    }

    /// Whether parents of these sizes and a result of that size fit the formula.
    ///
    /// - `parents`: sizes in the order of the data edges, bytes.
    /// - `out`: size of the derived page, bytes.
    ///
    /// Cost: tens of nanoseconds; linear in the parents if the formula takes all of them.
    ///
    /// # Errors
    /// `RangeOutOfBounds` if it names a parent or elements that are not there; `LengthMismatch` if
    /// lengths do not fit each other, or sizes are no whole number of elements;
    /// `InvalidArgument` if it takes all parents and there are none.
    pub fn check(&self, parents: &[usize], out: usize) -> Result<()> {
        self.fits(&parents, out)
    }

    /// Computes the result.
    ///
    /// - `parents`: contents in the order of the data edges.
    /// - `out`: every byte of it is written; what it holds after an error means nothing.
    ///
    /// Cost: about a nanosecond for 16 to 32 bytes of each operation's operands. Allocates for
    /// formulas with many parentheses, and for bytes that are not aligned for their elements;
    /// pages always are.
    ///
    /// # Errors
    /// `RangeOutOfBounds` for an index of `gather`; what [`check`](Self::check) refuses.
    pub fn eval(&self, parents: &[&[u8]], out: &mut [u8]) -> Result<()> {
        self.fits(&parents, out.len())?;
        if self.is_copy() {
            out.copy_from_slice(parents[0]);
            return Ok(());
        }
        if eval::is_aligned(parents, out) {
            with_dtype!(self.dtype, T => eval::run::<T>(self, parents, out))
        } else {
            eval::realigned(self, parents, out)
        }
    }

    fn fits(&self, parents: &impl Parents, out: usize) -> Result<()> {
        for step in &self.steps {
            match step {
                Step::Alone(expr) | Step::Count(expr) => self.shape(expr, parents)?,
                Step::Reduce(_, expr) | Step::Place(_, expr) => self.shape(expr, parents)?,
                Step::Dot(a, b) => self.shape(a, parents)?.join(self.shape(b, parents)?, "dot")?,
            };
        }
        let len = self.shape(&self.result, parents)?.len();
        let size = self.dtype.size();
        if len.checked_mul(size) != Some(out) {
            bail!(
                LengthMismatch,
                "the formula gives {len} elements of {}, {size} bytes each; the page has {out} bytes",
                self.dtype.name()
            );
        }
        Ok(())
    }

    /// What shape an expression has with these parents. It has been found to fit if it is a step's.
    pub(super) fn shape(&self, expr: &Expr, parents: &impl Parents) -> Result<Shape> {
        let mut shape = self.source_shape(&expr.source, parents)?;
        for stage in &expr.stages {
            shape = match stage {
                Stage::Neg | Stage::Abs => shape,
                Stage::Binary(op, b) => shape.join(self.shape(b, parents)?, op.name())?,
                Stage::Select(a, b) => shape
                    .join(self.shape(a, parents)?, "select")?
                    .join(self.shape(b, parents)?, "select")?,
            };
        }
        Ok(shape)
    }

    fn source_shape(&self, source: &Source, parents: &impl Parents) -> Result<Shape> {
        match source {
            Source::Literal(_) | Source::Step(_) => Ok(Shape::One),
            Source::View(view) => view.range(parents).map(|(from, to)| Shape::Many(to - from)),
            Source::Gather(values, index) => {
                values.range(parents)?;
                self.shape(index, parents)
            }
            Source::Fold(..) => self.all_from(0, parents),
            Source::MatVec(_, matrix, vector) => {
                let cells = self.shape(matrix, parents)?.len();
                let columns = self.shape(vector, parents)?.len();
                if !cells.is_multiple_of(columns) {
                    bail!(
                        LengthMismatch,
                        "matvec: {cells} elements are no whole number of rows of {columns}, as \
                         the vector has"
                    );
                }
                Ok(Shape::Many(cells / columns))
            }
            Source::Weighted(_, weights) => {
                let shape = self.all_from(weights.facts.parents, parents)?;
                let others = parents.count() - weights.facts.parents;
                match self.shape(weights, parents)? {
                    Shape::Many(len) if len != others => bail!(
                        LengthMismatch,
                        "weighted: {len} weights for {others} parents, those from p{} on",
                        weights.facts.parents
                    ),
                    _ => Ok(shape),
                }
            }
        }
    }

    /// The shape that all parents from number `first` on have.
    fn all_from(&self, first: usize, parents: &impl Parents) -> Result<Shape> {
        if first >= parents.count() {
            bail!(
                InvalidArgument,
                "the formula takes all parents from p{first} on, but there are {}",
                parents.count()
            );
        }
        let (_, len) = View::whole(self.dtype, first).range(parents)?;
        for parent in first + 1..parents.count() {
            if parents.bytes(parent) != parents.bytes(first) {
                bail!(
                    LengthMismatch,
                    "p{first} has {} bytes and p{parent} has {}; all must have the same",
                    parents.bytes(first),
                    parents.bytes(parent)
                );
            }
        }
        Ok(Shape::Many(len))
    }
}

/// Parents, as far as sizes go.
pub(super) trait Parents {
    fn count(&self) -> usize;
    /// Size of one that is there.
    fn bytes(&self, parent: usize) -> usize;
}

impl Parents for &[usize] {
    fn count(&self) -> usize {
        self.len()
    }

    fn bytes(&self, parent: usize) -> usize {
        self[parent]
    }
}

impl Parents for &[&[u8]] {
    fn count(&self) -> usize {
        self.len()
    }

    fn bytes(&self, parent: usize) -> usize {
        self[parent].len()
    }
}

/// How many elements an expression has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// One number, which fits any number of elements.
    One,
    Many(usize),
}

impl Shape {
    pub(super) fn len(self) -> usize {
        match self {
            Shape::One => 1,
            Shape::Many(len) => len,
        }
    }

    fn join(self, other: Shape, name: &str) -> Result<Shape> {
        match (self, other) {
            (Shape::One, shape) | (shape, Shape::One) => Ok(shape),
            (Shape::Many(a), Shape::Many(b)) if a == b => Ok(self),
            (Shape::Many(a), Shape::Many(b)) => bail!(
                LengthMismatch,
                "operands of {name} have {a} and {b} elements; they need as many, or to be one \
                 number"
            ),
        }
    }
}

/// Elements of a parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct View {
    pub dtype: DType,
    pub parent: usize,
    /// The first element, and the first after the last one; the page's end if there is none.
    pub from: usize,
    pub to: Option<usize>,
}

impl View {
    pub fn whole(dtype: DType, parent: usize) -> View {
        View { dtype, parent, from: 0, to: None }
    }

    /// The first element, and the first after the last one.
    fn range(&self, parents: &impl Parents) -> Result<(usize, usize)> {
        let View { dtype, parent, from, .. } = *self;
        if parent >= parents.count() {
            bail!(
                RangeOutOfBounds,
                "the formula names p{parent}, but there are {} parents",
                parents.count()
            );
        }
        let bytes = parents.bytes(parent);
        if !bytes.is_multiple_of(dtype.size()) {
            bail!(
                LengthMismatch,
                "p{parent} has {bytes} bytes, no whole number of {} of {} bytes",
                dtype.name(),
                dtype.size()
            );
        }
        let len = bytes / dtype.size();
        let to = self.to.unwrap_or(len);
        if to > len || from >= to {
            bail!(
                RangeOutOfBounds,
                "elements {from} to {to} of p{parent}, which has {len} of {}",
                dtype.name()
            );
        }
        Ok((from, to))
    }
}

/// Operations on two elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Minimum,
    Maximum,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

impl Op {
    fn name(self) -> &'static str {
        match self {
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::Div => "/",
            Op::Minimum => "min",
            Op::Maximum => "max",
            Op::Less => "<",
            Op::LessEqual => "<=",
            Op::Greater => ">",
            Op::GreaterEqual => ">=",
            Op::Equal => "==",
            Op::NotEqual => "!=",
        }
    }
}

/// What makes one number, before what needs it.
#[derive(Debug)]
pub(super) enum Step {
    /// An expression of one number.
    Alone(Expr),
    /// ⊕ over all elements.
    Reduce(Reduction, Expr),
    /// Elements that are not 0.
    Count(Expr),
    /// ⊕ over all a[i] ⊗ b[i] of the real numbers.
    Dot(Expr, Expr),
    /// Where the first of the extreme elements is.
    Place(Extreme, Expr),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reduction {
    Over(Semiring),
    Mean,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extreme {
    Lowest,
    Highest,
}

impl Extreme {
    /// Whose ⊕ it is.
    pub fn semiring(self) -> Semiring {
        match self {
            Extreme::Lowest => Semiring::MinPlus,
            Extreme::Highest => Semiring::MaxPlus,
        }
    }
}

/// A source, and what is done to it.
#[derive(Debug)]
pub(super) struct Expr {
    pub source: Source,
    pub stages: Vec<Stage>,
    pub facts: Facts,
}

/// Where an expression begins.
#[derive(Debug)]
pub(super) enum Source {
    /// The bits of a number.
    Literal(u64),
    /// The result of a step.
    Step(usize),
    View(View),
    /// Elements of the view, by numbers: those of a bare view as they are, whatever its type.
    Gather(View, Box<Expr>),
    /// All parents, by ⊕ or by ⊗.
    Fold(Semiring, Fold),
    /// Rows of the first times the second.
    MatVec(Semiring, Box<Expr>, Box<Expr>),
    /// The parents behind those that the weights name, each times its weight.
    Weighted(Semiring, Box<Expr>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fold {
    Add,
    Mul,
}

/// What is done to the elements so far.
#[derive(Debug)]
pub(super) enum Stage {
    Neg,
    Abs,
    Binary(Op, Expr),
    /// The first where they are not 0, else the second.
    Select(Expr, Expr),
}

/// What is known of an expression without sizes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// It is one number.
    pub is_one: bool,
    /// It can be computed from any element on, and again, at no more than its operations cost.
    pub is_plain: bool,
    /// It names no parent of that number or above; `usize::MAX` if it takes all.
    pub parents: usize,
    /// How many blocks it needs for what it holds meanwhile.
    pub blocks: usize,
}

impl Expr {
    /// The view that the expression is, if it is nothing else.
    pub fn as_view(&self) -> Option<&View> {
        match &self.source {
            Source::View(view) if self.stages.is_empty() => Some(view),
            _ => None,
        }
    }

    /// Whether its elements need not be computed but stand somewhere.
    fn is_bare(&self) -> bool {
        let is_source = matches!(self.source, Source::Literal(_) | Source::Step(_));
        is_source && self.stages.is_empty()
    }
}

/// Puts expressions together. What it refuses it says in a sentence; the parser adds where.
pub(super) struct Builder {
    pub dtype: DType,
    steps: Vec<Step>,
    blocks: usize,
}

/// An expression, or what is wrong with it.
pub(super) type Built = Result<Expr, String>;

impl Builder {
    pub fn new(dtype: DType) -> Builder {
        Builder { dtype, steps: Vec::new(), blocks: 0 }
    }

    pub fn literal(&self, text: &str, is_negative: bool) -> Built {
        let bits = with_dtype!(self.dtype, T => {
            <T as Element>::literal(text, is_negative).map(Element::bits)
        })?;
        let facts = Facts { is_one: true, is_plain: true, parents: 0, blocks: 0 };
        Ok(Expr { source: Source::Literal(bits), stages: Vec::new(), facts })
    }

    pub fn view(&self, view: View) -> Expr {
        let facts = Facts { is_one: false, is_plain: true, parents: view.parent + 1, blocks: 0 };
        Expr { source: Source::View(view), stages: Vec::new(), facts }
    }

    pub fn unary(&self, stage: Stage, mut a: Expr) -> Expr {
        a.stages.push(stage);
        a
    }

    pub fn binary(&mut self, op: Op, mut a: Expr, mut b: Expr) -> Expr {
        if a.facts.is_one != b.facts.is_one {
            (a, b) = (self.once(a), self.once(b));
        }
        let blocks = if b.facts.is_one && b.is_bare() { 0 } else { self.needs(&[&b]) };
        a.facts = a.facts.join(b.facts, blocks);
        a.stages.push(Stage::Binary(op, b));
        a
    }

    pub fn select(&mut self, c: Expr, a: Expr, b: Expr) -> Expr {
        let mut parts = [c, a, b];
        if parts.iter().any(|part| !part.facts.is_one) {
            parts = parts.map(|part| self.once(part));
        }
        let [mut c, a, b] = parts;
        let blocks = self.needs(&[&a, &b]);
        c.facts = c.facts.join(a.facts, blocks).join(b.facts, blocks);
        c.stages.push(Stage::Select(a, b));
        c
    }

    pub fn reduce(&mut self, reduction: Reduction, a: Expr) -> Built {
        if let Reduction::Over(semiring) = reduction {
            self.exists(semiring)?;
        }
        Ok(self.extreme_or_sum(reduction, a))
    }

    /// The lowest or highest element: ⊕ of the tropical semirings, which only lack a ⊗ for some
    /// types.
    pub fn extreme(&mut self, extreme: Extreme, a: Expr) -> Expr {
        self.extreme_or_sum(Reduction::Over(extreme.semiring()), a)
    }

    fn extreme_or_sum(&mut self, reduction: Reduction, a: Expr) -> Expr {
        let blocks = self.needs(&[&a]);
        let facts = a.facts;
        self.step(Step::Reduce(reduction, a), facts, blocks)
    }

    pub fn count(&mut self, a: Expr) -> Expr {
        let (facts, blocks) = (a.facts, self.needs(&[&a]));
        self.step(Step::Count(a), facts, blocks)
    }

    pub fn place(&mut self, extreme: Extreme, a: Expr) -> Expr {
        let (facts, blocks) = (a.facts, self.needs(&[&a]));
        self.step(Step::Place(extreme, a), facts, blocks)
    }

    pub fn dot(&mut self, mut a: Expr, mut b: Expr) -> Expr {
        if a.facts.is_one != b.facts.is_one {
            (a, b) = (self.once(a), self.once(b));
        }
        let blocks = self.needs(&[&a, &b]);
        let facts = a.facts.join(b.facts, 0);
        self.step(Step::Dot(a, b), facts, blocks)
    }

    pub fn gather(&self, values: Expr, index: Expr) -> Built {
        let Some(&view) = values.as_view() else {
            return Err("gather takes its values from a parent, not from an expression".into());
        };
        let blocks = if index.as_view().is_some() { 0 } else { 1 + index.facts.blocks };
        let mut facts = values.facts.join(index.facts, blocks);
        (facts.is_one, facts.is_plain) = (index.facts.is_one, false);
        Ok(Expr { source: Source::Gather(view, Box::new(index)), stages: Vec::new(), facts })
    }

    pub fn fold(&self, semiring: Semiring, fold: Fold) -> Built {
        self.exists(semiring)?;
        let facts = Facts { is_one: false, is_plain: false, parents: usize::MAX, blocks: 0 };
        Ok(Expr { source: Source::Fold(semiring, fold), stages: Vec::new(), facts })
    }

    pub fn matvec(&self, semiring: Semiring, matrix: Expr, vector: Expr) -> Built {
        self.exists(semiring)?;
        if matrix.facts.is_one || vector.facts.is_one {
            return Err("matvec takes a matrix and a vector, not one number".into());
        }
        if !matrix.facts.is_plain || !vector.facts.is_plain {
            return Err(self.not_plain("matvec"));
        }
        let blocks = self.needs(&[&matrix, &vector]);
        let facts = Facts { is_plain: false, ..matrix.facts.join(vector.facts, blocks) };
        let source = Source::MatVec(semiring, Box::new(matrix), Box::new(vector));
        Ok(Expr { source, stages: Vec::new(), facts })
    }

    pub fn weighted(&mut self, semiring: Semiring, weights: Expr) -> Built {
        self.exists(semiring)?;
        if !weights.facts.is_plain {
            return Err(self.not_plain("weighted"));
        }
        if weights.facts.parents == usize::MAX {
            return Err("the weights take all parents, so that none is left to be weighted".into());
        }
        let weights = if weights.facts.is_one { self.once(weights) } else { weights };
        let blocks = self.needs(&[&weights]);
        let facts = Facts { is_one: false, is_plain: false, parents: usize::MAX, blocks };
        let source = Source::Weighted(semiring, Box::new(weights));
        Ok(Expr { source, stages: Vec::new(), facts })
    }

    fn not_plain(&self, name: &str) -> String {
        format!(
            "{name} takes what is computed element by element; gather, fold, matvec and weighted \
             need a page of their own there"
        )
    }

    fn exists(&self, semiring: Semiring) -> Result<(), String> {
        if semiring == Semiring::MaxPlus && !self.dtype.is_signed() {
            return Err(format!(
                "max_plus needs numbers below zero, {} has none",
                self.dtype.name()
            ));
        }
        Ok(())
    }

    /// The expression, as a step if it is a calculation of one number.
    fn once(&mut self, a: Expr) -> Expr {
        if !a.facts.is_one || a.is_bare() {
            return a;
        }
        let facts = a.facts;
        self.step(Step::Alone(a), facts, facts.blocks)
    }

    fn step(&mut self, step: Step, facts: Facts, blocks: usize) -> Expr {
        self.steps.push(step);
        self.blocks = self.blocks.max(blocks);
        let facts = Facts { is_one: true, is_plain: true, parents: facts.parents, blocks: 0 };
        Expr { source: Source::Step(self.steps.len() - 1), stages: Vec::new(), facts }
    }

    /// How many blocks it takes to have the elements of all of these at once.
    fn needs(&self, operands: &[&Expr]) -> usize {
        let (mut held, mut most) = (0, 0);
        for operand in operands {
            if !operand.as_view().is_some_and(|view| view.dtype == self.dtype) {
                held += 1;
                most = most.max(held + operand.facts.blocks);
            }
        }
        most
    }
}

impl Facts {
    /// Of something made of both, which needs `blocks`.
    fn join(self, other: Facts, blocks: usize) -> Facts {
        Facts {
            is_one: self.is_one && other.is_one,
            is_plain: self.is_plain && other.is_plain,
            parents: self.parents.max(other.parents),
            blocks: self.blocks.max(blocks),
        }
    }
}
