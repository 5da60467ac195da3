//! Semirings: what ⊕ and ⊗ are.

use super::element::Element;
use super::kernels::{self, LANES};

/// Two operations, ⊕ and ⊗, under which sums over paths, best paths, counts of paths and
/// reachability are one computation.
///
/// ⊕ and ⊗ are associative, ⊕ commutes, ⊗ distributes over ⊕, [`zero`](Semiring::zero) changes
/// nothing under ⊕ and gives zero under ⊗, [`one`](Semiring::one) changes nothing under ⊗: exactly for
/// integers and what the table says, for floats but for rounding.
///
/// | name | elements | ⊕ | ⊗ | zero | one |
/// |---|---|---|---|---|---|
/// | `real` | numbers; integers wrap | a + b | a × b | 0 | 1 |
/// | `counting` | numbers not below 0; integers stop at the highest | a + b | a × b | 0 | 1 |
/// | `boolean` | 0 is false, all else true | a or b | a and b | 0 | 1 |
/// | `min_plus` | numbers and ∞; the highest integer is ∞ | min | a + b | ∞ | 0 |
/// | `max_plus` | signed numbers and -∞; the lowest integer is -∞ | max | a + b | -∞ | 0 |
///
/// ```
/// use mmsb::Semiring;
/// let shortest = Semiring::MinPlus;
/// assert_eq!(shortest.add(shortest.mul(2.0, 3.0), 4.0), 4.0);
/// assert_eq!(shortest.fold_add(&[]), f64::INFINITY);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Semiring {
    /// Sums of products.
    Real = 0,
    /// How many ways there are.
    Counting = 1,
    /// Whether there is a way.
    Boolean = 2,
    /// The shortest way (tropical).
    MinPlus = 3,
    /// The longest way (tropical).
    MaxPlus = 4,
}

/// Runs an expression with names standing for the ⊕ and ⊗ of a semiring.
macro_rules! with_semiring {
    ($semiring:expr, $T:ident, $add:ident, $mul:ident => $body:expr) => {
        match $semiring {
            Semiring::Real => with_semiring!(@ $add = $T::add, $mul = $T::mul, $body),
            Semiring::Counting => {
                with_semiring!(@ $add = $T::add_counts, $mul = $T::mul_counts, $body)
            }
            Semiring::Boolean => with_semiring!(@ $add = $T::or, $mul = $T::and, $body),
            Semiring::MinPlus => {
                with_semiring!(@ $add = $T::minimum, $mul = $T::add_below_infinity, $body)
            }
            Semiring::MaxPlus => {
                with_semiring!(@ $add = $T::maximum, $mul = $T::add_above_infinity, $body)
            }
        }
    };
    (@ $add:ident = $plus:expr, $mul:ident = $times:expr, $body:expr) => {{
        let ($add, $mul) = ($plus, $times);
        $body
    }};
}
pub(super) use with_semiring;

impl Semiring {
    /// Every semiring, in the order of its number.
    pub const ALL: [Semiring; 5] = [
        Semiring::Real,
        Semiring::Counting,
        Semiring::Boolean,
        Semiring::MinPlus,
        Semiring::MaxPlus,
    ];

    /// The name in formulas, the same in all languages.
    pub const fn name(self) -> &'static str {
        match self {
            Semiring::Real => "real",
            Semiring::Counting => "counting",
            Semiring::Boolean => "boolean",
            Semiring::MinPlus => "min_plus",
            Semiring::MaxPlus => "max_plus",
        }
    }

    /// The semiring of that name.
    pub fn from_name(name: &str) -> Option<Semiring> {
        Semiring::ALL.into_iter().find(|semiring| semiring.name() == name)
    }

    /// The semiring with that number.
    pub fn from_u8(n: u8) -> Option<Semiring> {
        Semiring::ALL.get(usize::from(n)).copied()
    }

    /// What changes nothing under ⊕.
    pub fn zero(self) -> f64 {
        self.zero_of()
    }

    /// What changes nothing under ⊗.
    pub fn one(self) -> f64 {
        self.one_of()
    }

    /// a ⊕ b.
    pub fn add(self, a: f64, b: f64) -> f64 {
        kernels::add(self, a, b)
    }

    /// a ⊗ b.
    pub fn mul(self, a: f64, b: f64) -> f64 {
        kernels::mul(self, a, b)
    }

    /// ⊕ over all values, in the order of the formula `accumulate`; zero over none.
    pub fn fold_add(self, values: &[f64]) -> f64 {
        let mut lanes = [self.zero(); LANES];
        kernels::accumulate(self, &mut lanes, values);
        kernels::combine(self, lanes)
    }

    /// ⊗ over all values, in the same order; one over none.
    pub fn fold_mul(self, values: &[f64]) -> f64 {
        let mut lanes = [self.one(); LANES];
        kernels::accumulate_mul(self, &mut lanes, values);
        kernels::combine_mul(self, lanes)
    }

    /// What changes nothing under ⊕, among elements of any type.
    pub(super) fn zero_of<T: Element>(self) -> T {
        match self {
            Semiring::Real | Semiring::Counting | Semiring::Boolean => T::ZERO,
            Semiring::MinPlus => T::HIGHEST,
            Semiring::MaxPlus => T::LOWEST,
        }
    }

    /// What changes nothing under ⊗, among elements of any type.
    pub(super) fn one_of<T: Element>(self) -> T {
        match self {
            Semiring::Real | Semiring::Counting | Semiring::Boolean => T::ONE,
            Semiring::MinPlus | Semiring::MaxPlus => T::ZERO,
        }
    }
}
