//! Random formulas on random pages against [`naive`](super::naive).

use super::naive::{Ast, Naive, Value};
use super::*;
use crate::stdx::prng::Prng;

/// Makes formulas that fit some pages.
struct Maker<'a> {
    prng: &'a mut Prng,
    dtype: DType,
    /// Sizes of the parents, bytes.
    sizes: &'a [usize],
    /// Elements of each parent, if all have as many: then what takes all parents can be asked for.
    folds: Option<usize>,
}

impl Maker<'_> {
    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.prng.below(items.len() as u64) as usize]
    }

    fn semiring(&mut self) -> Semiring {
        let last = if self.dtype.is_signed() { 5 } else { 4 };
        self.one_of(&Semiring::ALL[..last])
    }

    /// An expression of `len` elements, or of one number.
    ///
    /// - `is_plain`: it is to be computed element by element.
    /// - `below`: no parent from that on is named.
    fn expr(&mut self, depth: u32, len: Option<usize>, is_plain: bool, below: usize) -> Ast {
        if depth == 0 || self.prng.one_in(6) {
            return self.leaf(len, below);
        }
        let depth = depth - 1;
        // An operand may be one number where many are wanted, but not all of them.
        let part = |maker: &mut Self, must: bool| {
            let len = if !must && maker.prng.one_in(3) { None } else { len };
            maker.expr(depth, len, is_plain, below)
        };
        match self.prng.below(if is_plain { 9 } else { 13 }) {
            0 => Ast::Neg(Box::new(part(self, true))),
            1 => Ast::Abs(Box::new(part(self, true))),
            2..=5 => {
                let op = self
                    .one_of(&["+", "-", "*", "/", "min", "max", "<", "<=", ">", ">=", "==", "!="]);
                let mut parts = [part(self, true), part(self, false)];
                if self.prng.coin() {
                    parts.reverse();
                }
                Ast::Binary(op, Box::new(parts))
            }
            6 => {
                let mut parts = [part(self, true), part(self, false), part(self, false)];
                let at = self.prng.below(3) as usize;
                parts.swap(0, at);
                Ast::Select(Box::new(parts))
            }
            7 | 8 if len.is_none() => self.reduction(depth, below),
            9 | 10 => {
                let values = self.view(None, below);
                let index = self.index(depth, len, below);
                Ast::Gather(Box::new([values, index]))
            }
            11 => self.matvec(depth, len, below),
            12 => self.over_all(depth, len, below),
            _ => part(self, true),
        }
    }

    fn leaf(&mut self, len: Option<usize>, below: usize) -> Ast {
        match len {
            Some(_) => self.view(len, below),
            None => self.literal(),
        }
    }

    fn literal(&mut self) -> Ast {
        let texts: &[&str] = match self.dtype {
            DType::F32 | DType::F64 => &[
                "0",
                "1",
                "2.5",
                "1e-3",
                "1e30",
                "inf",
                "-0",
                "-7",
                "0.1",
                "3.4028234663852886e38",
            ],
            dtype if dtype.is_signed() => &["0", "1", "2", "7", "100", "127", "-1", "-128", "-3"],
            _ => &["0", "1", "2", "7", "100", "255"],
        };
        Ast::Literal(self.one_of(texts).to_owned())
    }

    /// A view of `len` elements, or of any number of them.
    fn view(&mut self, len: Option<usize>, below: usize) -> Ast {
        for _ in 0..100 {
            let dtype = if self.prng.coin() { self.dtype } else { self.one_of(&DType::ALL) };
            let parent = self.prng.below(below as u64) as usize;
            let all = self.sizes[parent] / dtype.size();
            let whole = self.sizes[parent].is_multiple_of(dtype.size());
            if !whole || all == 0 || len.is_some_and(|len| len > all) {
                continue;
            }
            let len = len.unwrap_or(all);
            let from = self.prng.below((all - len) as u64 + 1) as usize;
            return Ast::View { dtype, parent, from, to: from + len };
        }
        let len = len.unwrap_or(1);
        Ast::View { dtype: self.dtype, parent: 0, from: 0, to: len }
    }

    fn reduction(&mut self, depth: u32, below: usize) -> Ast {
        let len = self.some_len();
        let len = if self.prng.one_in(8) { None } else { Some(len) };
        let a = self.expr(depth, len, false, below);
        match self.prng.below(9) {
            0 => Ast::Accumulate(self.semiring(), Box::new(a)),
            1 => {
                let mut parts = [a, self.expr(depth, len, false, below)];
                if self.prng.one_in(4) {
                    parts[self.prng.below(2) as usize] = self.expr(depth, None, false, below);
                }
                Ast::Dot(Box::new(parts))
            }
            _ => {
                let name = self.one_of(&["sum", "mean", "min", "max", "count", "argmin", "argmax"]);
                Ast::Reduce(name, Box::new(a))
            }
        }
    }

    fn some_len(&mut self) -> usize {
        let all = self.sizes[0] / self.dtype.size();
        1 + self.prng.below(all as u64) as usize
    }

    /// Parent 1 holds small bytes.
    fn index(&mut self, depth: u32, len: Option<usize>, below: usize) -> Ast {
        let len = match len {
            None if self.prng.coin() => {
                return Ast::Reduce("argmax", Box::new(self.view(None, below)));
            }
            None => return self.literal(),
            Some(len) => len,
        };
        let most = self.sizes.get(1).copied().unwrap_or(0);
        if below > 1 && len <= most && !self.prng.one_in(10) {
            let from = self.prng.below((most - len) as u64 + 1) as usize;
            let view = Ast::View { dtype: DType::U8, parent: 1, from, to: from + len };
            if self.prng.coin() {
                return view;
            }
            return Ast::Binary("+", Box::new([view, Ast::Literal("1".to_owned())]));
        }
        self.expr(depth, Some(len), false, below)
    }

    fn matvec(&mut self, depth: u32, len: Option<usize>, below: usize) -> Ast {
        let Some(rows) = len else {
            return self.literal();
        };
        let most = (self.sizes[0] / self.dtype.size() / rows).max(1);
        let columns = 1 + self.prng.below(most as u64) as usize;
        let matrix = self.expr(depth.min(1), Some(rows * columns), true, below);
        let vector = self.expr(depth.min(1), Some(columns), true, below);
        Ast::MatVec(self.semiring(), Box::new([matrix, vector]))
    }

    fn over_all(&mut self, depth: u32, len: Option<usize>, below: usize) -> Ast {
        let count = self.sizes.len();
        if self.folds.is_none() || self.folds != len || below < count {
            return self.leaf(len, below);
        }
        let semiring = self.semiring();
        if self.prng.coin() || count < 2 {
            return Ast::Fold(self.one_of(&["fold", "fold_mul"]), semiring);
        }
        let fits = self.sizes[0] / self.dtype.size() >= count - 1;
        // Weights name one parent, or none.
        let weights = if fits && self.prng.coin() {
            let view = View::whole(self, count - 1);
            match self.prng.coin() {
                true => view,
                false => Ast::Binary("/", Box::new([view, self.expr(depth.min(2), None, true, 1)])),
            }
        } else {
            self.literal()
        };
        Ast::Weighted(semiring, Box::new(weights))
    }
}

struct View;

impl View {
    /// The first `len` elements of the first parent.
    fn whole(maker: &Maker<'_>, len: usize) -> Ast {
        Ast::View { dtype: maker.dtype, parent: 0, from: 0, to: len }
    }
}

/// How strongly the expression's outermost operation binds.
fn strength(ast: &Ast) -> u32 {
    match ast {
        Ast::Binary("<" | "<=" | ">" | ">=" | "==" | "!=", _) => 0,
        Ast::Binary("+" | "-", _) => 1,
        Ast::Binary("*" | "/", _) => 2,
        Ast::Neg(_) => 3,
        _ => 4,
    }
}

/// The text of an expression, with no more parentheses than needed, and no more spaces than some.
fn text(ast: &Ast, formula: DType, sizes: &[usize], prng: &mut Prng) -> String {
    let mut of = |ast: &Ast, at_least: u32| {
        let inner = text(ast, formula, sizes, prng);
        if strength(ast) < at_least { format!("({inner})") } else { inner }
    };
    match ast {
        Ast::Literal(number) => number.clone(),
        Ast::Neg(a) => format!("-{}", of(a, 3)),
        Ast::Abs(a) => format!("abs({})", of(a, 0)),
        Ast::Binary(op @ ("min" | "max"), parts) => {
            format!("{op}({}, {})", of(&parts[0], 0), of(&parts[1], 0))
        }
        Ast::Binary(op, parts) => {
            let own = strength(ast);
            // What stands left may be as strong; comparisons do not chain.
            let left = of(&parts[0], if own == 0 { 1 } else { own });
            let right = of(&parts[1], own + 1);
            if prng.coin() { format!("{left} {op} {right}") } else { format!("{left}{op}{right}") }
        }
        Ast::Select(parts) => {
            format!("select({}, {},{})", of(&parts[0], 0), of(&parts[1], 0), of(&parts[2], 0))
        }
        Ast::Reduce(name, a) => format!("{name}({})", of(a, 0)),
        Ast::Accumulate(semiring, a) => format!("accumulate({}, {})", semiring.name(), of(a, 0)),
        Ast::Dot(parts) => format!("dot({}, {})", of(&parts[0], 0), of(&parts[1], 0)),
        Ast::Gather(parts) => format!("gather({}, {})", of(&parts[0], 0), of(&parts[1], 0)),
        Ast::Fold(name, semiring) => format!("{name}({})", semiring.name()),
        Ast::MatVec(semiring, parts) => {
            format!("matvec({}, {}, {})", semiring.name(), of(&parts[0], 0), of(&parts[1], 0))
        }
        Ast::Weighted(semiring, a) => format!("weighted({}, {})", semiring.name(), of(a, 0)),
        &Ast::View { dtype, parent, from, to } => {
            let all = sizes[parent] / dtype.size();
            let range = match (from, to == all) {
                (0, true) => String::new(),
                (0, false) => format!("[:{to}]"),
                (from, true) => format!("[{from}:]"),
                (from, false) => format!("[{from}:{to}]"),
            };
            match dtype == formula && prng.coin() {
                true => format!("p{parent}{range}"),
                false => format!("{}(p{parent}{range})", dtype.name()),
            }
        }
    }
}

/// Numbers as they come, small ones, and those at which something changes.
fn page(prng: &mut Prng, dtype: DType, size: usize) -> Vec<u8> {
    let special: &[u64] = match dtype {
        DType::F64 => &[
            0,
            0x8000_0000_0000_0000,
            0x7ff0_0000_0000_0000,
            0xfff0_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0xfff8_0000_0000_0123,
            0x7ff0_0000_0000_0001,
            0x7fef_ffff_ffff_ffff,
            1,
        ],
        DType::F32 => &[
            0,
            0x8000_0000,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0xffc0_0123,
            0x7f80_0001,
            0x7f7f_ffff,
            1,
        ],
        _ => &[0, 1, u64::MAX, 0x8080_8080_8080_8080, 0x7f7f_7f7f_7f7f_7f7f, 1 << 63, !(1 << 63)],
    };
    let (odd, small) = (prng.below(3), prng.below(2) == 0);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        let number = match dtype {
            _ if odd > 0 && prng.one_in(if odd == 1 { 4 } else { 100 }) => {
                special[prng.below(special.len() as u64) as usize]
            }
            DType::F64 => (prng.below(2000) as f64 / 8.0 - 100.0).to_bits(),
            DType::F32 => u64::from((prng.below(2000) as f32 / 7.0 - 100.0).to_bits()),
            _ if small => prng.below(10),
            _ => prng.next_u64(),
        };
        bytes.extend_from_slice(&number.to_le_bytes()[..dtype.size()]);
    }
    bytes.truncate(size);
    bytes
}

fn as_bytes(value: &Value, dtype: DType) -> Vec<u8> {
    value.bits.iter().flat_map(|x| x.to_le_bytes()[..dtype.size()].to_vec()).collect()
}

/// The bytes in memory that is their own, `skew` bytes off an aligned place, and where.
fn placed(bytes: &[u8], skew: usize) -> (Vec<u8>, usize) {
    let mut memory = Vec::with_capacity(bytes.len() + 16);
    let at = (memory.as_ptr() as usize).wrapping_neg() % 8 + skew;
    memory.resize(at, 0xAA);
    memory.extend_from_slice(bytes);
    (memory, at)
}

fn evaluated(
    formula: &Formula,
    pages: &[Vec<u8>],
    len: usize,
    skew: usize,
) -> crate::Result<Vec<u8>> {
    let copies: Vec<(Vec<u8>, usize)> = pages.iter().map(|page| placed(page, skew)).collect();
    let parents: Vec<&[u8]> = copies.iter().map(|(copy, at)| &copy[*at..]).collect();
    let (mut out, at) = placed(&vec![0xAA; len], skew);
    formula.check(&pages.iter().map(Vec::len).collect::<Vec<_>>(), len)?;
    formula.eval(&parents, &mut out[at..])?;
    Ok(out[at..].to_vec())
}

/// One formula of the type on pages of its own. Returns whether it had a value.
fn compare(prng: &mut Prng, dtype: DType) -> bool {
    // Blocks are of 1 KiB: shorter, some, and a last one that is not whole.
    let most = [4, 40, 300, 1500][prng.below(4) as usize] / if dtype.size() > 2 { 2 } else { 1 };
    let len = 1 + prng.below(most) as usize;
    let folds = prng.coin();
    // What folds takes parents in groups: none that is whole, some, and a last one that is not.
    let parents_max = if folds && prng.one_in(3) { 3 * kernels::TOGETHER as u64 } else { 6 };
    let sizes: Vec<usize> = (0..1 + prng.below(parents_max))
        .map(|_| len * if folds { dtype.size() } else { 8 * (1 + prng.below(3) as usize) })
        .collect();
    let mut pages: Vec<Vec<u8>> = sizes
        .iter()
        .map(|&size| {
            let other = if prng.one_in(3) { DType::ALL[prng.below(10) as usize] } else { dtype };
            page(prng, other, size)
        })
        .collect();
    if let Some(indexes) = pages.get_mut(1) {
        let below = (len as u64).min(120);
        indexes.iter_mut().for_each(|byte| *byte = prng.below(below) as u8);
    }
    let mut maker = Maker { prng, dtype, sizes: &sizes, folds: folds.then_some(len) };
    let wanted = if maker.prng.one_in(4) { None } else { Some(len) };
    let depth = 1 + maker.prng.below(5) as u32;
    let ast = maker.expr(depth, wanted, false, sizes.len());
    let text = format!("{}: {}", dtype.name(), text(&ast, dtype, &sizes, prng));

    let formula = Formula::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let expected = Naive { dtype, parents: &pages }.value(&ast);
    let expected = expected.map(|value| as_bytes(&value, dtype));
    let len = wanted.unwrap_or(1) * dtype.size();
    for (skew, is_portable) in [(0, false), (0, true), (1 + prng.below(7) as usize, false)] {
        kernels::tests::PORTABLE.set(is_portable);
        let found = evaluated(&formula, &pages, len, skew);
        if let Err(error) = &found {
            assert_eq!(error.kind(), ErrorKind::RangeOutOfBounds, "{text}: {error}");
            assert!(error.message().contains("gather"), "{text}: {error}");
        }
        assert_eq!(
            found.ok(),
            expected,
            "{text}\nof {pages:?}, {skew} bytes off, portable: {is_portable}"
        );
    }
    expected.is_some()
}

fn compare_many(dtype: DType) {
    let mut prng = Prng::new(dtype as u64);
    let formulas = 1500;
    let values = (0..formulas).filter(|_| compare(&mut prng, dtype)).count();
    assert!(values > formulas * 2 / 3, "{values}");
}

macro_rules! types {
    ($($name:ident $dtype:ident;)+) => {$(
        #[test]
        fn $name() {
            compare_many(DType::$dtype);
        }
    )+};
}

types! {
    formulas_in_u8_mean_what_they_say U8;
    formulas_in_u16_mean_what_they_say U16;
    formulas_in_u32_mean_what_they_say U32;
    formulas_in_u64_mean_what_they_say U64;
    formulas_in_i8_mean_what_they_say I8;
    formulas_in_i16_mean_what_they_say I16;
    formulas_in_i32_mean_what_they_say I32;
    formulas_in_i64_mean_what_they_say I64;
    formulas_in_f32_mean_what_they_say F32;
    formulas_in_f64_mean_what_they_say F64;
}
