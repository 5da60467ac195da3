//! From text to formula: a lexer, and one function per rule of the grammar.
//!
//! ```text
//!   formula  = dtype ":" expr
//!   expr     = sum [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum ]
//!   sum      = product { ( "+" | "-" ) product }
//!   product  = unary { ( "*" | "/" ) unary }
//!   unary    = "-" unary | primary
//!   primary  = number | "inf" | "nan" | parent | dtype "(" parent ")"
//!            | function "(" expr { "," expr } ")" | "(" expr ")"
//!   parent   = "p" digits [ "[" [ digits ] ":" [ digits ] "]" ]
//! ```
//!
//! A function on a semiring has its name as the first argument. Recursion is limited by
//! [`FORMULA_DEPTH_MAX`].

use super::element::DType;
use super::formula::{Builder, Built, Expr, Extreme, Fold, Formula, Op, Reduction, Stage, View};
use super::semiring::Semiring;
use crate::bail;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{FORMULA_BYTES_MAX, FORMULA_DEPTH_MAX};

/// The formula that `text` tells; see [`Formula::parse`].
pub(super) fn formula(text: &str) -> Result<Formula> {
    if text.len() > FORMULA_BYTES_MAX {
        bail!(TooLong, "a formula of {} bytes; the limit is {FORMULA_BYTES_MAX}", text.len());
    }
    let mut lexer = Lexer { text, at: 0 };
    let token = lexer.token()?;
    let dtype = match token.kind {
        Kind::Name(name) => DType::from_name(name),
        _ => None,
    };
    let Some(dtype) = dtype else {
        return Err(expected(token, "a type of elements (u8 to u64, i8 to i64, f32, f64)"));
    };
    let token = lexer.token()?;
    let mut parser = Parser { lexer, token, depth: 0, builder: Builder::new(dtype) };
    parser.take(":")?;
    let result = parser.expr()?;
    match parser.token.kind {
        Kind::End => Ok(Formula::new(text, parser.builder, result)),
        _ => Err(expected(parser.token, "an operator or the end")),
    }
}

/// A word of the text, and at which byte it begins.
#[derive(Clone, Copy)]
struct Token<'t> {
    kind: Kind<'t>,
    at: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind<'t> {
    Number(&'t str),
    Name(&'t str),
    Sign(&'static str),
    End,
}

/// Signs; the longer of two that begin alike comes first.
const SIGNS: [&str; 16] =
    ["<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", ":"];

#[cold]
fn error(at: usize, what: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("formula, character {}: {what}", at + 1))
}

#[cold]
fn expected(token: Token<'_>, what: &str) -> Error {
    let found = match token.kind {
        Kind::Number(text) | Kind::Name(text) => text,
        Kind::Sign(sign) => sign,
        Kind::End => return error(token.at, &format!("expected {what}, found the end")),
    };
    error(token.at, &format!("expected {what}, found {found:?}"))
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn token(&mut self) -> Result<Token<'t>> {
        self.skip(|byte| byte.is_ascii_whitespace());
        let at = self.at;
        let rest = &self.text[at..];
        let kind = match rest.bytes().next() {
            None => Kind::End,
            Some(byte) if byte.is_ascii_digit() => Kind::Number(self.number()?),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                Kind::Name(self.skip(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            }
            Some(_) => match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Kind::Sign(sign)
                }
                None => {
                    let found = rest.chars().next().unwrap_or_default();
                    return Err(error(at, &format!("{found:?} has no meaning in a formula")));
                }
            },
        };
        Ok(Token { kind, at })
    }

    /// Digits, then perhaps a fraction, then perhaps an exponent.
    fn number(&mut self) -> Result<&'t str> {
        let start = self.at;
        self.digits()?;
        if self.take(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.take(|byte| byte == b'e' || byte == b'E') {
            self.take(|byte| byte == b'-' || byte == b'+');
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<()> {
        if self.skip(|byte| byte.is_ascii_digit()).is_empty() {
            return Err(error(self.at, "expected a digit, to go on with the number"));
        }
        Ok(())
    }

    /// The bytes from here on for which `is` holds. They are ASCII.
    fn skip(&mut self, is: impl Fn(u8) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let len = rest.bytes().take_while(|&byte| is(byte)).count();
        self.at += len;
        &rest[..len]
    }

    fn take(&mut self, is: impl Fn(u8) -> bool) -> bool {
        let found = self.text.as_bytes().get(self.at).is_some_and(|&byte| is(byte));
        self.at += usize::from(found);
        found
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The next one.
    token: Token<'t>,
    depth: usize,
    builder: Builder,
}

impl<'t> Parser<'t> {
    fn advance(&mut self) -> Result<Token<'t>> {
        let next = self.lexer.token()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Whether the sign was next; then it no longer is.
    fn took(&mut self, sign: &str) -> Result<bool> {
        let found = matches!(self.token.kind, Kind::Sign(found) if found == sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn take(&mut self, sign: &str) -> Result<()> {
        if self.took(sign)? { Ok(()) } else { Err(expected(self.token, &format!("{sign:?}"))) }
    }

    /// The operation whose sign is next; then it no longer is.
    fn took_op(&mut self, ops: &[(&str, Op)]) -> Result<Option<Op>> {
        for &(sign, op) in ops {
            if self.took(sign)? {
                return Ok(Some(op));
            }
        }
        Ok(None)
    }

    /// What `parse` gives, one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == FORMULA_DEPTH_MAX {
            let what = format!("nested deeper than {FORMULA_DEPTH_MAX}");
            return Err(error(self.token.at, &what));
        }
        self.depth += 1;
        let result = parse(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn expr(&mut self) -> Result<Expr> {
        const OPS: [(&str, Op); 6] = [
            ("<", Op::Less),
            ("<=", Op::LessEqual),
            (">", Op::Greater),
            (">=", Op::GreaterEqual),
            ("==", Op::Equal),
            ("!=", Op::NotEqual),
        ];
        let a = self.sum()?;
        let Some(op) = self.took_op(&OPS)? else {
            return Ok(a);
        };
        let b = self.sum()?;
        let at = self.token.at;
        if self.took_op(&OPS)?.is_some() {
            return Err(error(at, "a comparison of a comparison needs parentheses"));
        }
        Ok(self.builder.binary(op, a, b))
    }

    fn sum(&mut self) -> Result<Expr> {
        let mut a = self.product()?;
        while let Some(op) = self.took_op(&[("+", Op::Add), ("-", Op::Sub)])? {
            let b = self.product()?;
            a = self.builder.binary(op, a, b);
        }
        Ok(a)
    }

    fn product(&mut self) -> Result<Expr> {
        let mut a = self.unary()?;
        while let Some(op) = self.took_op(&[("*", Op::Mul), ("/", Op::Div)])? {
            let b = self.unary()?;
            a = self.builder.binary(op, a, b);
        }
        Ok(a)
    }

    fn unary(&mut self) -> Result<Expr> {
        if !self.took("-")? {
            return self.primary();
        }
        // The lowest integer has no positive of its type.
        if let Kind::Number(_) = self.token.kind {
            return self.literal(true);
        }
        let a = self.nested(Self::unary)?;
        Ok(self.builder.unary(Stage::Neg, a))
    }

    fn primary(&mut self) -> Result<Expr> {
        let Token { kind, at } = self.token;
        match kind {
            Kind::Number(_) | Kind::Name("inf" | "nan") => self.literal(false),
            Kind::Sign("(") => {
                self.advance()?;
                let a = self.nested(Self::expr)?;
                self.take(")")?;
                Ok(a)
            }
            Kind::Name(name) => {
                if parent_number(name).is_some() {
                    let view = self.parent(self.builder.dtype)?;
                    return Ok(self.builder.view(view));
                }
                self.advance()?;
                if let Some(dtype) = DType::from_name(name) {
                    self.take("(")?;
                    let view = self.parent(dtype)?;
                    self.take(")")?;
                    return Ok(self.builder.view(view));
                }
                self.nested(|parser| parser.call(name, at))
            }
            _ => Err(expected(self.token, "a number, a parent such as p0, a function or \"(\"")),
        }
    }

    fn literal(&mut self, is_negative: bool) -> Result<Expr> {
        let Token { kind, at } = self.advance()?;
        let (Kind::Number(text) | Kind::Name(text)) = kind else {
            return Err(error(at, "expected a number"));
        };
        self.builder.literal(text, is_negative).map_err(|what| error(at, &what))
    }

    fn parent(&mut self, dtype: DType) -> Result<View> {
        let number = match self.token.kind {
            Kind::Name(name) => parent_number(name),
            _ => None,
        };
        let Some(digits) = number else {
            return Err(expected(self.token, "a parent such as p0"));
        };
        let parent = self.whole(digits)?;
        self.advance()?;
        let mut view = View::whole(dtype, parent);
        if self.took("[")? {
            let at = self.token.at;
            view.from = self.bound()?.unwrap_or(0);
            self.take(":")?;
            view.to = self.bound()?;
            self.take("]")?;
            if view.to.is_some_and(|to| view.from >= to) {
                return Err(error(at, "a range needs an element: it ends before it begins"));
            }
        }
        Ok(view)
    }

    /// The bound of a range, if it is not left out.
    fn bound(&mut self) -> Result<Option<usize>> {
        let Kind::Number(digits) = self.token.kind else {
            return Ok(None);
        };
        let bound = self.whole(digits)?;
        self.advance()?;
        Ok(Some(bound))
    }

    /// The whole number that is next, or a part of what is next. (Wider than any page.)
    fn whole(&self, digits: &str) -> Result<usize> {
        match digits.parse::<u32>() {
            Ok(number) => Ok(number as usize),
            Err(_) => Err(expected(self.token, "a whole number below 2^32")),
        }
    }

    /// What stands in the parentheses of a function, and its meaning.
    fn call(&mut self, name: &str, at: usize) -> Result<Expr> {
        let is_known = FUNCTIONS.iter().any(|&(known, ..)| known == name);
        if !is_known {
            return Err(error(at, &format!("there is no function {name:?}")));
        }
        self.take("(")?;
        let built = if matches!(name, "fold" | "fold_mul" | "accumulate" | "matvec" | "weighted") {
            let semiring = self.semiring()?;
            let arguments = self.arguments(Vec::new())?;
            self.on_semiring(name, semiring, arguments)
        } else {
            let first = self.expr()?;
            let arguments = self.arguments(vec![first])?;
            self.on_elements(name, arguments)
        };
        built.map_err(|what| error(at, &what))
    }

    fn semiring(&mut self) -> Result<Semiring> {
        let semiring = match self.token.kind {
            Kind::Name(name) => Semiring::from_name(name),
            _ => None,
        };
        let Some(semiring) = semiring else {
            let what = "a semiring (real, counting, boolean, min_plus, max_plus)";
            return Err(expected(self.token, what));
        };
        self.advance()?;
        Ok(semiring)
    }

    /// All further arguments.
    fn arguments(&mut self, mut arguments: Vec<Expr>) -> Result<Vec<Expr>> {
        while self.took(",")? {
            arguments.push(self.expr()?);
        }
        if !self.took(")")? {
            return Err(expected(self.token, "an operator, \",\" or \")\""));
        }
        Ok(arguments)
    }

    fn on_elements(&mut self, name: &str, arguments: Vec<Expr>) -> Built {
        let builder = &mut self.builder;
        let mut arguments = arguments.into_iter();
        let mut next = || arguments.next();
        let built = match (name, next(), next(), next(), next()) {
            ("abs", Some(a), None, ..) => builder.unary(Stage::Abs, a),
            ("min", Some(a), None, ..) => builder.extreme(Extreme::Lowest, a),
            ("max", Some(a), None, ..) => builder.extreme(Extreme::Highest, a),
            ("min", Some(a), Some(b), None, _) => builder.binary(Op::Minimum, a, b),
            ("max", Some(a), Some(b), None, _) => builder.binary(Op::Maximum, a, b),
            ("select", Some(c), Some(a), Some(b), None) => builder.select(c, a, b),
            ("sum", Some(a), None, ..) => builder.reduce(Reduction::Over(Semiring::Real), a)?,
            ("mean", Some(a), None, ..) => builder.reduce(Reduction::Mean, a)?,
            ("count", Some(a), None, ..) => builder.count(a),
            ("argmin", Some(a), None, ..) => builder.place(Extreme::Lowest, a),
            ("argmax", Some(a), None, ..) => builder.place(Extreme::Highest, a),
            ("dot", Some(a), Some(b), None, _) => builder.dot(a, b),
            ("gather", Some(values), Some(index), None, _) => builder.gather(values, index)?,
            _ => return Err(wrong_arguments(name)),
        };
        Ok(built)
    }

    fn on_semiring(&mut self, name: &str, semiring: Semiring, arguments: Vec<Expr>) -> Built {
        let builder = &mut self.builder;
        let mut arguments = arguments.into_iter();
        match (name, arguments.next(), arguments.next(), arguments.next()) {
            ("fold", None, ..) => builder.fold(semiring, Fold::Add),
            ("fold_mul", None, ..) => builder.fold(semiring, Fold::Mul),
            ("accumulate", Some(a), None, _) => builder.reduce(Reduction::Over(semiring), a),
            ("matvec", Some(matrix), Some(vector), None) => {
                builder.matvec(semiring, matrix, vector)
            }
            ("weighted", Some(weights), None, _) => builder.weighted(semiring, weights),
            _ => Err(wrong_arguments(name)),
        }
    }
}

/// The digits of a parent's name.
fn parent_number(name: &str) -> Option<&str> {
    let digits = name.strip_prefix('p')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(digits)
}

/// Functions, and what they take.
const FUNCTIONS: [(&str, &str); 16] = [
    ("abs", "one argument"),
    ("min", "one argument, or two"),
    ("max", "one argument, or two"),
    ("select", "three arguments: a condition, and what is taken where it is not 0 and where it is"),
    ("sum", "one argument"),
    ("mean", "one argument"),
    ("count", "one argument"),
    ("argmin", "one argument"),
    ("argmax", "one argument"),
    ("dot", "two arguments"),
    ("gather", "two arguments: values and indexes"),
    ("fold", "a semiring alone"),
    ("fold_mul", "a semiring alone"),
    ("accumulate", "a semiring and one argument"),
    ("matvec", "a semiring and two arguments: a matrix and a vector"),
    ("weighted", "a semiring and one argument: weights"),
];

fn wrong_arguments(name: &str) -> String {
    let taken = FUNCTIONS.iter().find(|&&(known, _)| known == name).map_or("", |&(_, what)| what);
    format!("{name} takes {taken}")
}
