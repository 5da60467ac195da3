//! Propagate: what a derived page is computed by, and how.
//!
//! ```text
//!   text ──parse──▶ Formula ──check(sizes)──▶ fits ──eval(parents, out)──▶ bytes
//!
//!   parse      lexer and grammar            kernels    loops over blocks of elements
//!   formula    expressions, shapes          element    types of elements, their arithmetic
//!   eval       steps, blocks, scratch       semiring   ⊕ and ⊗
//! ```
//!
//! Bytes in, bytes out. The language is told in `docs/formulas.md`. Texts stand in logs and are parsed
//! by every later version: what a text means never changes, it can only be that a text which was
//! refused gets a meaning.
//!
//! Invariants:
//! - The same text and the same bytes give the same bytes, on every machine and in every build.
//! - Evaluation reads nothing but the parents, does not allocate for an ordinary formula, and its
//!   recursion is as deep as the text is nested, which is limited.
//! - What has been checked for some sizes can fail later in one way alone: an index of `gather`.
//!
//! It knows no pages, ids, locks, files or threads. It calls `error` and `config` alone.

mod element;
mod eval;
mod formula;
mod kernels;
mod parse;
mod semiring;
#[cfg(test)]
mod tests;

pub use element::DType;
pub use formula::Formula;
pub use semiring::Semiring;
