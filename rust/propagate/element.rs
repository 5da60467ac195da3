//! The types of elements: what a page's bytes are viewed as, and the arithmetic of each.
//!
//! - Integers wrap; what is divided by zero is zero.
//! - Floats are IEEE 754, rounded to nearest, without fused operations. An operation here may give
//!   any NaN; whoever stores a result passes it through [`Element::canonical`], once is enough as
//!   no operation loses a NaN on the way.
//! - Nothing here depends on the machine.

use std::fmt::{Debug, Display};

// Pages are viewed in place, and their elements are little-endian.
const _: () = assert!(cfg!(target_endian = "little"), "a little-endian machine is needed");

/// What a block of elements takes, bytes: as much as an ordinary page.
pub const BLOCK_BYTES: usize = 1024;

/// The type of a page's elements, as formulas name it.
///
/// ```
/// use mmsb::DType;
/// assert_eq!(DType::from_name("f64"), Some(DType::F64));
/// assert_eq!((DType::I16.name(), DType::I16.size()), ("i16", 2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DType {
    /// Unsigned, 8 bits.
    U8 = 0,
    /// Unsigned, 16 bits.
    U16 = 1,
    /// Unsigned, 32 bits.
    U32 = 2,
    /// Unsigned, 64 bits.
    U64 = 3,
    /// Signed, 8 bits.
    I8 = 4,
    /// Signed, 16 bits.
    I16 = 5,
    /// Signed, 32 bits.
    I32 = 6,
    /// Signed, 64 bits.
    I64 = 7,
    /// IEEE 754, 32 bits.
    F32 = 8,
    /// IEEE 754, 64 bits.
    F64 = 9,
}

impl DType {
    /// Every type, in the order of its number.
    pub const ALL: [DType; 10] = [
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::F32,
        DType::F64,
    ];

    /// The name in formulas, the same in all languages.
    pub const fn name(self) -> &'static str {
        match self {
            DType::U8 => "u8",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::F32 => "f32",
            DType::F64 => "f64",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// The type with that number.
    pub fn from_u8(n: u8) -> Option<DType> {
        DType::ALL.get(usize::from(n)).copied()
    }

    /// Size of an element, bytes.
    pub const fn size(self) -> usize {
        match self {
            DType::U8 | DType::I8 => 1,
            DType::U16 | DType::I16 => 2,
            DType::U32 | DType::I32 | DType::F32 => 4,
            DType::U64 | DType::I64 | DType::F64 => 8,
        }
    }

    /// Whether numbers below zero exist.
    pub(super) const fn is_signed(self) -> bool {
        !matches!(self, DType::U8 | DType::U16 | DType::U32 | DType::U64)
    }
}

/// Runs an expression with the name of a type standing for the type of a [`DType`].
macro_rules! with_dtype {
    ($dtype:expr, $name:ident => $body:expr) => {{
        use $crate::propagate::element::DType;
        macro_rules! body {
            ($type:ident) => {{
                type $name = $type;
                $body
            }};
        }
        match $dtype {
            DType::U8 => body!(u8),
            DType::U16 => body!(u16),
            DType::U32 => body!(u32),
            DType::U64 => body!(u64),
            DType::I8 => body!(i8),
            DType::I16 => body!(i16),
            DType::I32 => body!(i32),
            DType::I64 => body!(i64),
            DType::F32 => body!(f32),
            DType::F64 => body!(f64),
        }
    }};
}
pub(super) use with_dtype;

/// A type of elements. Every pattern of bits is one, and none has padding.
pub trait Element: Copy + PartialEq + PartialOrd + Debug + Display + 'static {
    /// [`BLOCK_BYTES`] of elements.
    type Block: Copy + AsRef<[Self]> + AsMut<[Self]>;

    /// Which type it is.
    const DTYPE: DType;
    /// A block of zeros.
    const BLOCK: Self::Block;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// No element lies below it.
    const LOWEST: Self;
    /// No element lies above it.
    const HIGHEST: Self;

    /// The number that a text spells, its sign apart; or what is wrong with it.
    fn literal(text: &str, is_negative: bool) -> Result<Self, String>;
    /// The element with these bits; those beyond its size are ignored.
    fn from_bits(bits: u64) -> Self;
    /// The element's bits.
    fn bits(self) -> u64;
    /// A number of things, wrapped or rounded to fit.
    fn from_count(count: u64) -> Self;
    /// The element as a place in an array, if it is a whole number and not below zero.
    fn index(self) -> Option<usize>;
    /// Reads `dst.len()` elements of another type from `bytes` and converts them.
    fn load(from: DType, bytes: &[u8], dst: &mut [Self]);

    /// The same number; of all NaNs the quiet one without a sign or payload.
    fn canonical(self) -> Self;
    /// a + b.
    fn add(self, b: Self) -> Self;
    /// a - b.
    fn sub(self, b: Self) -> Self;
    /// a × b.
    fn mul(self, b: Self) -> Self;
    /// a / b.
    fn div(self, b: Self) -> Self;
    /// -a.
    fn neg(self) -> Self;
    /// |a|.
    fn abs(self) -> Self;
    /// The lower of both; NaN if either is; -0 is below 0.
    fn minimum(self, b: Self) -> Self;
    /// The higher of both; NaN if either is; -0 is below 0.
    fn maximum(self, b: Self) -> Self;
    /// a + b, where integers stop at their ends.
    fn add_counts(self, b: Self) -> Self;
    /// a × b, where integers stop at their ends.
    fn mul_counts(self, b: Self) -> Self;
    /// a + b, where the highest integer stands for infinity.
    fn add_below_infinity(self, b: Self) -> Self;
    /// a + b, where the lowest integer stands for minus infinity.
    fn add_above_infinity(self, b: Self) -> Self;

    /// Whether it is not 0.
    #[inline(always)]
    fn truth(self) -> bool {
        self != Self::ZERO
    }

    /// 1 or 0.
    #[inline(always)]
    fn flag(truth: bool) -> Self {
        if truth { Self::ONE } else { Self::ZERO }
    }

    /// Whether one of both is not 0.
    #[inline(always)]
    fn or(self, b: Self) -> Self {
        Self::flag(self.truth() | b.truth())
    }

    /// Whether both are not 0.
    #[inline(always)]
    fn and(self, b: Self) -> Self {
        Self::flag(self.truth() & b.truth())
    }

    /// Whether both are the same number: -0 and 0 are not, a NaN and a NaN are.
    #[inline(always)]
    fn same(self, b: Self) -> bool {
        self.canonical().bits() == b.canonical().bits()
    }
}

/// The elements that `bytes` are.
///
/// - `bytes`: aligned for `T`, a whole number of elements.
#[inline(always)]
pub fn view<T: Element>(bytes: &[u8]) -> &[T] {
    // SAFETY: every pattern of bits is an element, by the trait's contract, which is implemented
    // for primitive numbers alone.
    let (head, elements, tail) = unsafe { bytes.align_to::<T>() };
    debug_assert!(head.is_empty() && tail.is_empty(), "not aligned");
    elements
}

/// The elements that `bytes` are, to be written. As [`view`].
#[inline(always)]
pub fn view_mut<T: Element>(bytes: &mut [u8]) -> &mut [T] {
    // SAFETY: as in `view`; and what is written are bytes without padding.
    let (head, elements, tail) = unsafe { bytes.align_to_mut::<T>() };
    debug_assert!(head.is_empty() && tail.is_empty(), "not aligned");
    elements
}

/// What integers and floats have in common.
macro_rules! common {
    ($t:ident, $dtype:ident, $zero:literal, $one:literal) => {
        type Block = [$t; BLOCK_BYTES / size_of::<$t>()];

        const DTYPE: DType = DType::$dtype;
        const BLOCK: Self::Block = [$zero; BLOCK_BYTES / size_of::<$t>()];
        const ZERO: $t = $zero;
        const ONE: $t = $one;

        #[inline(always)]
        fn from_count(count: u64) -> $t {
            count as $t
        }

        fn load(from: DType, bytes: &[u8], dst: &mut [$t]) {
            if from == Self::DTYPE {
                return dst.copy_from_slice(&view::<$t>(bytes)[..dst.len()]);
            }
            with_dtype!(from, From => {
                for (d, &s) in dst.iter_mut().zip(view::<From>(bytes)) {
                    *d = Element::canonical(s as $t);
                }
            })
        }
    };
}

macro_rules! integers {
    ($($t:ident $dtype:ident, |$a:ident| $abs:expr;)+) => {$(
        impl Element for $t {
            common!($t, $dtype, 0, 1);
            const LOWEST: $t = $t::MIN;
            const HIGHEST: $t = $t::MAX;

            fn literal(text: &str, is_negative: bool) -> Result<$t, String> {
                if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(format!("{text} is not written as an integer, as {} needs it", Self::DTYPE.name()));
                }
                let beyond = is_negative && Self::DTYPE.is_signed();
                let limit = $t::MAX as u64 + u64::from(beyond);
                match text.parse::<u64>() {
                    Ok(n) if n <= limit && is_negative => Ok((n as $t).wrapping_neg()),
                    Ok(n) if n <= limit => Ok(n as $t),
                    _ => Err(format!(
                        "{text} does not fit {}, which goes from {} to {}",
                        Self::DTYPE.name(), $t::MIN, $t::MAX
                    )),
                }
            }

            #[inline(always)]
            fn from_bits(bits: u64) -> $t {
                bits as $t
            }

            #[inline(always)]
            fn bits(self) -> u64 {
                self as u64
            }

            #[inline(always)]
            fn index(self) -> Option<usize> {
                usize::try_from(self).ok()
            }

            #[inline(always)]
            fn canonical(self) -> $t {
                self
            }

            #[inline(always)]
            fn add(self, b: $t) -> $t {
                self.wrapping_add(b)
            }

            #[inline(always)]
            fn sub(self, b: $t) -> $t {
                self.wrapping_sub(b)
            }

            #[inline(always)]
            fn mul(self, b: $t) -> $t {
                self.wrapping_mul(b)
            }

            #[inline(always)]
            fn div(self, b: $t) -> $t {
                if b == 0 { 0 } else { self.wrapping_div(b) }
            }

            #[inline(always)]
            fn neg(self) -> $t {
                self.wrapping_neg()
            }

            #[inline(always)]
            fn abs(self) -> $t {
                let $a = self;
                $abs
            }

            #[inline(always)]
            fn minimum(self, b: $t) -> $t {
                Ord::min(self, b)
            }

            #[inline(always)]
            fn maximum(self, b: $t) -> $t {
                Ord::max(self, b)
            }

            #[inline(always)]
            fn add_counts(self, b: $t) -> $t {
                self.saturating_add(b)
            }

            #[inline(always)]
            fn mul_counts(self, b: $t) -> $t {
                self.saturating_mul(b)
            }

            #[inline(always)]
            fn add_below_infinity(self, b: $t) -> $t {
                let is_infinite = self == $t::MAX || b == $t::MAX;
                if is_infinite { $t::MAX } else { self.saturating_add(b) }
            }

            #[inline(always)]
            fn add_above_infinity(self, b: $t) -> $t {
                let is_infinite = self == $t::MIN || b == $t::MIN;
                if is_infinite { $t::MIN } else { self.saturating_add(b) }
            }
        }
    )+};
}

integers! {
    u8 U8, |a| a;
    u16 U16, |a| a;
    u32 U32, |a| a;
    u64 U64, |a| a;
    i8 I8, |a| a.wrapping_abs();
    i16 I16, |a| a.wrapping_abs();
    i32 I32, |a| a.wrapping_abs();
    i64 I64, |a| a.wrapping_abs();
}

macro_rules! floats {
    ($($t:ident $dtype:ident, $bits:ident, $nan:literal;)+) => {$(
        impl Element for $t {
            common!($t, $dtype, 0.0, 1.0);
            const LOWEST: $t = $t::NEG_INFINITY;
            const HIGHEST: $t = $t::INFINITY;

            fn literal(text: &str, is_negative: bool) -> Result<$t, String> {
                let number = match text {
                    "nan" => return Ok($t::from_bits($nan)),
                    "inf" => $t::INFINITY,
                    _ => match text.parse::<$t>() {
                        Ok(number) if number.is_finite() => number,
                        _ => return Err(format!("{text} is beyond what {} can hold", Self::DTYPE.name())),
                    },
                };
                Ok(if is_negative { -number } else { number })
            }

            #[inline(always)]
            fn from_bits(bits: u64) -> $t {
                $t::from_bits(bits as $bits)
            }

            #[inline(always)]
            fn bits(self) -> u64 {
                u64::from(self.to_bits())
            }

            #[inline(always)]
            fn index(self) -> Option<usize> {
                let index = self as u64;
                if index as $t == self { usize::try_from(index).ok() } else { None }
            }

            #[inline(always)]
            fn canonical(self) -> $t {
                if self.is_nan() { $t::from_bits($nan) } else { self }
            }

            #[inline(always)]
            fn add(self, b: $t) -> $t {
                self + b
            }

            #[inline(always)]
            fn sub(self, b: $t) -> $t {
                self - b
            }

            #[inline(always)]
            fn mul(self, b: $t) -> $t {
                self * b
            }

            #[inline(always)]
            fn div(self, b: $t) -> $t {
                self / b
            }

            #[inline(always)]
            fn neg(self) -> $t {
                -self
            }

            #[inline(always)]
            fn abs(self) -> $t {
                $t::abs(self)
            }

            // Equal numbers have the same bits but for the sign of zero.
            #[inline(always)]
            fn minimum(self, b: $t) -> $t {
                let equal = $t::from_bits(self.to_bits() | b.to_bits());
                let either = if self == b { equal } else { $t::from_bits($nan) };
                let lower = if b < self { b } else { either };
                if self < b { self } else { lower }
            }

            #[inline(always)]
            fn maximum(self, b: $t) -> $t {
                let equal = $t::from_bits(self.to_bits() & b.to_bits());
                let either = if self == b { equal } else { $t::from_bits($nan) };
                let higher = if b > self { b } else { either };
                if self > b { self } else { higher }
            }

            #[inline(always)]
            fn add_counts(self, b: $t) -> $t {
                self + b
            }

            #[inline(always)]
            fn mul_counts(self, b: $t) -> $t {
                self * b
            }

            #[inline(always)]
            fn add_below_infinity(self, b: $t) -> $t {
                self + b
            }

            #[inline(always)]
            fn add_above_infinity(self, b: $t) -> $t {
                self + b
            }
        }
    )+};
}

floats! {
    f32 F32, u32, 0x7fc0_0000;
    f64 F64, u64, 0x7ff8_0000_0000_0000;
}
