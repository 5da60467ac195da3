//! Derived pages: formulas, Python functions that compute pages, what a page was made of; semirings.

use crate::args::{note, page_in};
use crate::buffer::with_bytes;
use crate::errors::{Failure, keep_cause, raise};
use crate::page::Page;
use crate::shared::call_back;
use crate::state::State;
use mmsb::{ErrorKind, PageId, Propagation, Recompute, Rule, Staleness};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

/// A Python function that computes pages.
pub struct Function {
    /// Is given the parents' contents in a list, and returns the new one.
    call: Py<PyAny>,
    /// Which function it is, and of what dtype.
    identity: String,
}

impl Function {
    /// What computes pages by a function that is given arrays of `dtype`.
    pub fn new(
        function: &Bound<'_, PyAny>,
        dtype: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Function> {
        let py = function.py();
        let bytes = PyString::new(py, "u1").into_any();
        let dtype = dtype.unwrap_or(&bytes);
        let call = py.import("mmsb._derive")?.call_method1("function", (function, dtype))?;
        let kind = py.import("numpy")?.call_method1("dtype", (dtype,))?.str()?;
        let identity = format!("{:p} {}", function.as_ptr(), kind.to_str()?);
        Ok(Function { call: call.unbind(), identity })
    }
}

impl Recompute for Function {
    fn compute(&self, page: PageId, parents: &[&[u8]], out: &mut [u8]) -> mmsb::Result<()> {
        let called = call_back(|py| {
            let parents = PyList::new(py, parents.iter().map(|bytes| PyBytes::new(py, bytes)))?;
            let made = self.call.bind(py).call1((parents,))?;
            with_bytes(&made, "what a callback returns", |bytes| {
                if bytes.len() != out.len() {
                    let (n, size) = (bytes.len(), out.len());
                    raise!(LengthMismatch, "it returned {n} bytes for {page}, which has {size}")
                }
                out.copy_from_slice(bytes);
                Ok(())
            })
        });
        called.map_err(|error| {
            let said = Python::attach(|py| {
                let value = error.value(py);
                let text = value.str().map(|text| text.to_string()).unwrap_or_default();
                let class = error.get_type(py);
                let class = class.name().map(|name| name.to_string()).unwrap_or_default();
                if text.is_empty() { class } else { format!("{class}: {text}") }
            });
            keep_cause(error);
            mmsb::Error::new(ErrorKind::CallbackFailed, said)
        })
    }

    fn identity(&self) -> Option<&str> {
        Some(&self.identity)
    }
}

/// What a page is derived by.
pub enum By {
    Formula(String),
    /// A function, and the name that it is registered under.
    Function(String, Function),
}

/// What `State.derive` and its kin do.
pub fn derive(
    state: &Bound<'_, State>,
    page: &Bound<'_, PyAny>,
    parents: &[Bound<'_, PyAny>],
    by: By,
    (source, intent): (&str, Option<&str>),
) -> PyResult<Option<u64>> {
    let py = state.py();
    let page = page_in(state, page)?;
    let parents: Vec<PageId> =
        parents.iter().map(|parent| page_in(state, parent)).collect::<PyResult<_>>()?;
    let lsn = state.get().shared.long(py, |state| {
        let note = note(source, intent);
        Ok(match by {
            By::Formula(text) => state.derive(page, &parents, &text, note)?,
            By::Function(name, function) => {
                state.derive_with(page, &parents, &name, function, note)?
            }
        })
    })?;
    Ok(lsn.map(|lsn| lsn.0))
}

/// Registers a Python function under a name.
pub fn register(state: &Bound<'_, State>, name: &str, function: Function) -> Result<(), Failure> {
    state.get().shared.long(state.py(), move |state| Ok(state.register(name, function)?))
}

/// The mode of propagation of that name.
pub fn mode_of(name: &str) -> PyResult<Propagation> {
    match name {
        "immediate" => Ok(Propagation::Immediate),
        "deferred" => Ok(Propagation::Deferred),
        _ => raise!(
            InvalidArgument,
            "a mode of propagation {name:?}; there are immediate and deferred"
        ),
    }
}

/// The name of a mode of propagation.
pub fn mode_name(mode: Propagation) -> &'static str {
    match mode {
        Propagation::Immediate => "immediate",
        Propagation::Deferred => "deferred",
    }
}

/// The name of a staleness.
pub fn staleness_name(staleness: Staleness) -> &'static str {
    match staleness {
        Staleness::Fresh => "fresh",
        Staleness::Behind => "behind",
        Staleness::Stale => "stale",
    }
}

/// What propagation did, as a dict.
pub fn stats<'py>(state: &Bound<'py, State>) -> PyResult<Bound<'py, PyDict>> {
    let py = state.py();
    let stats = state.get().shared.long(py, |state| Ok(state.propagation_stats()?))?;
    let dict = PyDict::new(py);
    dict.set_item("derived", stats.derived)?;
    dict.set_item("stale", stats.stale)?;
    dict.set_item("computed", stats.computed)?;
    dict.set_item("cut_off", stats.cut_off)?;
    dict.set_item("shared", stats.shared)?;
    Ok(dict)
}

/// The pages that are stale, or may be.
pub fn stale_pages<'py>(state: &Bound<'py, State>) -> PyResult<Bound<'py, PyList>> {
    let py = state.py();
    let ids = state.get().shared.long(py, |state| Ok(state.stale_pages()?))?;
    PyList::new(py, ids.into_iter().map(|id| Page::unsized_of(state, id)))
}

/// What made a page's content: one of those that an `Explanation` tells of.
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Origin {
    inner: mmsb::Origin,
}

#[pymethods]
impl Origin {
    /// The page's id.
    #[getter]
    fn page(&self) -> u64 {
        self.inner.page.0
    }

    /// Epoch of the content.
    #[getter]
    fn epoch(&self) -> u64 {
        self.inner.epoch
    }

    /// LSN of the record that made it.
    #[getter]
    fn lsn(&self) -> u64 {
        self.inner.lsn.0
    }

    /// Wall clock, milliseconds since 1970-01-01 UTC.
    #[getter]
    fn time_ms(&self) -> u64 {
        self.inner.time_ms
    }

    /// Label of who acted.
    #[getter]
    fn source(&self) -> &str {
        &self.inner.source
    }

    /// Why, if they said so.
    #[getter]
    fn intent(&self) -> Option<&str> {
        self.inner.intent.as_deref()
    }

    /// The formula, or "callback" and its name; `None` where the content was written.
    #[getter]
    fn rule(&self) -> Option<String> {
        self.inner.rule.as_ref().map(Rule::to_string)
    }

    /// What it was computed of, in order: indexes of the explanation.
    #[getter]
    fn parents(&self) -> Vec<usize> {
        self.inner.parents.clone()
    }

    fn __repr__(&self) -> String {
        let mmsb::Origin { page, epoch, lsn, .. } = &self.inner;
        format!("<mmsb.Origin page {}, epoch {epoch}, at {lsn}>", page.0)
    }
}

/// What a page's content was made of, back to what was written by hand: a sequence of `Origin`, the
/// page's own first. Made by `Page.explain`; as text, a line for each.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     a, b = state.create_page(8), state.create_page(8)
/// ...     lsn = state.derive(b, [a], "u8: p0")
/// ...     lsn = a.write(0, b"quote", source="feed", intent="tick 17")
/// ...     told = b.explain()
/// ...     len(told), told[0].parents, told[1].intent
/// (2, [1], 'tick 17')
#[pyclass(frozen, sequence, module = "mmsb", weakref)]
pub struct Explanation {
    inner: mmsb::Explanation,
}

impl Explanation {
    pub fn of(state: &Bound<'_, State>, page: PageId) -> Result<Explanation, Failure> {
        let explain = |state: &mmsb::State| Ok(state.explain(page)?);
        Ok(Explanation { inner: state.get().shared.long(state.py(), explain)? })
    }
}

#[pymethods]
impl Explanation {
    /// Contents that are left out, as they were made before history begins.
    #[getter]
    fn dropped(&self) -> u64 {
        self.inner.dropped
    }

    fn __len__(&self) -> usize {
        self.inner.origins.len()
    }

    fn __getitem__(&self, index: isize) -> PyResult<Origin> {
        let len = self.inner.origins.len();
        let at = if index < 0 { index + len as isize } else { index };
        match usize::try_from(at).ok().and_then(|at| self.inner.origins.get(at)) {
            Some(origin) => Ok(Origin { inner: origin.clone() }),
            None => raise!(RangeOutOfBounds, "origin {index} of an explanation that has {len}"),
        }
    }

    fn __str__(&self) -> String {
        self.inner.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<mmsb.Explanation of {} contents>", self.inner.origins.len())
    }
}

/// Two operations, ⊕ and ⊗, that formulas fold with, over numbers of one's own: "real", "counting",
/// "boolean", "min_plus" or "max_plus" (docs/formulas.md).
///
/// >>> import mmsb
/// >>> shortest = mmsb.Semiring("min_plus")
/// >>> shortest.add(shortest.mul(2.0, 3.0), 4.0), shortest.fold_add([3.0, 1.0, 2.0]), shortest.zero
/// (4.0, 1.0, inf)
#[pyclass(frozen, eq, hash, module = "mmsb")]
#[derive(PartialEq, Eq, Hash)]
pub struct Semiring {
    inner: mmsb::Semiring,
}

/// Numbers: any sequence of them, or an array.
fn numbers(values: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    values.extract().or_else(|_| values.try_iter()?.map(|value| value?.extract()).collect())
}

#[pymethods]
impl Semiring {
    #[new]
    fn new(name: &str) -> PyResult<Semiring> {
        let Some(inner) = mmsb::Semiring::from_name(name) else {
            let names: Vec<_> =
                mmsb::Semiring::ALL.iter().map(|semiring| semiring.name()).collect();
            raise!(InvalidArgument, "a semiring {name:?}; there are {}", names.join(", "))
        };
        Ok(Semiring { inner })
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    /// What changes nothing under ⊕.
    #[getter]
    fn zero(&self) -> f64 {
        self.inner.zero()
    }

    /// What changes nothing under ⊗.
    #[getter]
    fn one(&self) -> f64 {
        self.inner.one()
    }

    /// `a` ⊕ `b`. Example: see the class.
    fn add(&self, a: f64, b: f64) -> f64 {
        self.inner.add(a, b)
    }

    /// `a` ⊗ `b`. Example: see the class.
    fn mul(&self, a: f64, b: f64) -> f64 {
        self.inner.mul(a, b)
    }

    /// ⊕ over all values; `zero` over none. Example: see the class.
    fn fold_add(&self, values: &Bound<'_, PyAny>) -> PyResult<f64> {
        Ok(self.inner.fold_add(&numbers(values)?))
    }

    /// ⊗ over all values; `one` over none.
    ///
    /// >>> import mmsb
    /// >>> mmsb.Semiring("max_plus").fold_mul([1.0, 2.0]), mmsb.Semiring("boolean").fold_mul([])
    /// (3.0, 1.0)
    fn fold_mul(&self, values: &Bound<'_, PyAny>) -> PyResult<f64> {
        Ok(self.inner.fold_mul(&numbers(values)?))
    }

    /// `total` ⊕ (⊕ over all values): goes on with a sum that was begun before.
    ///
    /// >>> import mmsb
    /// >>> mmsb.Semiring("real").accumulate(10.0, [1.0, 2.0])
    /// 13.0
    fn accumulate(&self, total: f64, values: &Bound<'_, PyAny>) -> PyResult<f64> {
        Ok(self.inner.add(total, self.inner.fold_add(&numbers(values)?)))
    }

    fn __repr__(&self) -> String {
        format!("mmsb.Semiring({:?})", self.inner.name())
    }
}

/// Whether a rule was given as a formula.
pub fn formula(rule: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    match rule.cast::<PyString>() {
        Ok(text) => Ok(Some(text.extract()?)),
        Err(_) => Ok(None),
    }
}
