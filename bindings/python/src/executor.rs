//! `Executor`, `Program` and `Tickets`: workers, what they are given, and what came of it.

use crate::args::{self, Home, unsigned};
use crate::buffer::with_bytes;
use crate::delta::Delta;
use crate::errors::{Failure, raise};
use crate::shared::drop_detached;
use crate::state::State;
use crate::transaction::Trying;
use mmsb::{Error, ErrorKind, ExecutorConfig, Lsn, PageId, Place, Relation};
use parking_lot::Mutex;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyList};
use std::sync::Arc;
use std::time::Duration;

/// A transaction whose steps are done in order, all or none, by the workers of an `Executor`.
///
/// A place is a page, as `Page` or id, and an offset in it. All steps return the program. With a
/// `Page` it becomes a program for that page's state alone: pages of others are refused, and so is it
/// by their executors. `bytes` hold ids.
///
/// >>> import mmsb
/// >>> program = mmsb.Program().add((1, 0), 5).require((1, 0), "<=", 100)
/// >>> mmsb.Program(bytes(program)) == program
/// True
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Program {
    inner: Mutex<Steps>,
}

struct Steps {
    program: mmsb::Program,
    /// The first page that was not given as an id, and where it is at home.
    first: Option<(PageId, Home)>,
}

impl Steps {
    /// Adds a step at `places`, none of which may be in another state than those before.
    fn add<const N: usize>(
        &mut self,
        places: [Given; N],
        step: impl FnOnce(&mut mmsb::Program, [Place; N]) -> mmsb::Result<()>,
    ) -> mmsb::Result<()> {
        let mut first = self.first;
        for Given { place, home } in &places {
            match first {
                Some((_, state)) => state.check(place.page, *home)?,
                None => first = home.map(|home| (place.page, home)),
            }
        }
        step(&mut self.program, places.map(|given| given.place))?;
        self.first = first;
        Ok(())
    }

    /// What is to be done in `home`; refused if it was made with pages of another.
    fn at(&self, home: Home) -> mmsb::Result<mmsb::Program> {
        if let Some((page, of)) = self.first {
            home.check(page, Some(of))?;
        }
        Ok(self.program.clone())
    }
}

/// A place, and where its page is at home if it is not given as an id.
struct Given {
    place: Place,
    home: Option<Home>,
}

fn place(place: &Bound<'_, PyAny>) -> PyResult<Given> {
    let (page, offset): (Bound<'_, PyAny>, Bound<'_, PyAny>) = place.extract()?;
    let (page, home) = args::page_of(&page)?;
    Ok(Given { place: Place { page, offset: args::offset(&offset)? }, home })
}

impl Program {
    fn step<const N: usize>(
        slf: &Bound<'_, Self>,
        places: [Given; N],
        step: impl FnOnce(&mut mmsb::Program, [Place; N]) -> mmsb::Result<()>,
    ) -> PyResult<Py<Self>> {
        // Unlocked again before an exception is made, which may run anything.
        let added = slf.get().inner.lock().add(places, step);
        added.map_err(Failure::from)?;
        Ok(slf.clone().unbind())
    }
}

#[pymethods]
impl Program {
    #[new]
    #[pyo3(signature = (steps = None))]
    fn new(steps: Option<&Bound<'_, PyAny>>) -> PyResult<Program> {
        let program = match steps {
            None => mmsb::Program::new(),
            Some(steps) => with_bytes(steps, "steps", |bytes| {
                Ok(mmsb::Program::from_bytes(bytes).map_err(Failure::from)?)
            })?,
        };
        Ok(Program { inner: Mutex::new(Steps { program, first: None }) })
    }

    /// The number at a place grows: a 64-bit integer, wrapping, by an `int`; a double by a `float`.
    /// Example: see the class.
    fn add(
        slf: &Bound<'_, Self>,
        at: &Bound<'_, PyAny>,
        by: &Bound<'_, PyAny>,
    ) -> PyResult<Py<Self>> {
        let at = place(at)?;
        if by.is_instance_of::<PyFloat>() {
            let by = by.extract()?;
            return Program::step(slf, [at], |program, [at]| {
                program.add_float(at, by);
                Ok(())
            });
        }
        let by = by.extract().map_err(|cause: PyErr| {
            if !cause.is_instance_of::<PyOverflowError>(by.py()) {
                return cause;
            }
            let range = (i64::MIN, i64::MAX);
            args::out_of(by, ErrorKind::InvalidArgument, "an amount to add", range)
        })?;
        Program::step(slf, [at], |program, [at]| {
            program.add(at, by);
            Ok(())
        })
    }

    /// Bytes go to a place.
    ///
    /// >>> import mmsb
    /// >>> len(bytes(mmsb.Program().write((1, 0), b"abc")))
    /// 24
    fn write(
        slf: &Bound<'_, Self>,
        at: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
    ) -> PyResult<Py<Self>> {
        let at = place(at)?;
        with_bytes(data, "data", |bytes| {
            Program::step(slf, [at], |program, [at]| {
                program.write(at, bytes);
                Ok(())
            })
        })
    }

    /// Bytes become others of the same length, if they are as expected; else the program fails with
    /// `ConditionFailed`. Raises `LengthMismatch`.
    ///
    /// >>> import mmsb
    /// >>> len(bytes(mmsb.Program().compare_and_swap((1, 0), b"a", b"b")))
    /// 23
    fn compare_and_swap(
        slf: &Bound<'_, Self>,
        at: &Bound<'_, PyAny>,
        expected: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
    ) -> PyResult<Py<Self>> {
        let at = place(at)?;
        with_bytes(expected, "expected", |expected| {
            with_bytes(data, "data", |bytes| {
                Program::step(slf, [at], |program, [at]| {
                    program.compare_and_swap(at, expected, bytes)?;
                    Ok(())
                })
            })
        })
    }

    /// An amount goes from the unsigned 64-bit integer at one place to that at another; the program
    /// fails with `ConditionFailed` if there is less. Example: see `Executor`.
    fn transfer(
        slf: &Bound<'_, Self>,
        origin: &Bound<'_, PyAny>,
        to: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyAny>,
    ) -> PyResult<Py<Self>> {
        let (from, to) = (place(origin)?, place(to)?);
        let amount = unsigned(amount, ErrorKind::InvalidArgument, "an amount")?;
        Program::step(slf, [from, to], |program, [from, to]| {
            program.transfer(from, to, amount);
            Ok(())
        })
    }

    /// The program fails with `ConditionFailed` unless the unsigned 64-bit integer at a place relates
    /// to `value` like that: "==", "!=", "<", "<=", ">", ">=". Example: see the class.
    fn require(
        slf: &Bound<'_, Self>,
        at: &Bound<'_, PyAny>,
        relation: &str,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<Py<Self>> {
        let relation = match relation {
            "==" => Relation::Equal,
            "!=" => Relation::NotEqual,
            "<" => Relation::Less,
            "<=" => Relation::LessOrEqual,
            ">" => Relation::Greater,
            ">=" => Relation::GreaterOrEqual,
            _ => raise!(InvalidArgument, "a relation {relation:?}; there are == != < <= > >="),
        };
        let at = place(at)?;
        let value = unsigned(value, ErrorKind::InvalidArgument, "a value")?;
        Program::step(slf, [at], |program, [at]| {
            program.require(at, relation, value);
            Ok(())
        })
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.lock().program.as_bytes())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        let Ok(other) = other.cast_exact::<Program>() else { return false };
        let other = other.get().inner.lock().program.clone();
        self.inner.lock().program == other
    }

    fn __repr__(&self) -> String {
        format!("<mmsb.Program of {} bytes>", self.inner.lock().program.as_bytes().len())
    }
}

/// Worker threads of the engine that each hold a partition, from 0 on, and run what they are given
/// while Python goes on. Made by `State.executor`. `close`, or the end of a `with` block, does all that
/// was submitted first; `stop` does not.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state:
/// ...     a, b = (state.create_page(8) for _ in range(2))
/// ...     lsns = a.transfer(0), b.transfer(1)
/// ...     with state.executor(workers=2) as workers:
/// ...         deposit = mmsb.Program().add((a, 0), 7)
/// ...         moves = [mmsb.Program().transfer((a, 0), (b, 0), n) for n in (3, 5)]
/// ...         tickets = workers.submit([deposit, *moves], source="demo")
/// ...         results = tickets.wait()
/// ...     a.read()[0], b.read()[0], type(results[2]).__name__
/// (4, 3, 'ConditionFailed')
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Executor {
    state: Py<State>,
    inner: Mutex<Option<Arc<mmsb::Executor>>>,
}

impl Executor {
    pub fn start(
        state: &Bound<'_, State>,
        workers: Option<usize>,
        pin: bool,
        queue_max: usize,
        trying: Trying<'_>,
    ) -> PyResult<Executor> {
        let mut config = ExecutorConfig { pin, queue_max, ..ExecutorConfig::default() };
        config.retry = trying.retry()?;
        config.workers = workers.unwrap_or(config.workers);
        let inner = state.get().shared.long(state.py(), |state| Ok(state.executor(config)?))?;
        Ok(Executor { state: state.clone().unbind(), inner: Mutex::new(Some(Arc::new(inner))) })
    }

    fn get(&self) -> Result<Arc<mmsb::Executor>, Failure> {
        match &*self.inner.lock() {
            Some(inner) => Ok(inner.clone()),
            None => Err(Error::new(ErrorKind::Closed, "the executor was closed").into()),
        }
    }

    fn submit_with(
        &self,
        py: Python<'_>,
        submit: impl FnOnce(&mmsb::Executor) -> mmsb::Result<mmsb::Tickets<Option<Lsn>>> + Send,
    ) -> PyResult<Tickets> {
        let inner = self.get()?;
        // It may wait for room.
        let tickets = py.detach(move || submit(&inner)).map_err(Failure::from)?;
        Ok(Tickets { inner: Mutex::new(Some(tickets)) })
    }
}

#[pymethods]
impl Executor {
    /// Has workers run programs: those of one partition in the order in which they stand here, those
    /// whose pages belong to several across them. Waits for room in the queues. Example: see the class.
    #[pyo3(signature = (programs, *, source = ""))]
    fn submit(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = args::programs)] programs: Vec<Py<Program>>,
        source: &str,
    ) -> PyResult<Tickets> {
        let home = self.state.get().home;
        let copy = |program: &Py<Program>| program.get().inner.lock().at(home);
        let programs: mmsb::Result<Vec<_>> = programs.iter().map(copy).collect();
        let programs = programs.map_err(Failure::from)?;
        self.submit_with(py, |executor| executor.submit_programs(programs, source))
    }

    /// Has workers apply deltas: those of one page in their order, different pages at the same time.
    /// Each is a group of its own, with the note that it carries. A few deltas to shared pages that
    /// nothing derives from are applied by the caller while the workers have nothing to do. Where
    /// groups wait for a sync, a worker's wait together for one; if that fails, it is the error of
    /// each of them.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state, state.executor(workers=2) as workers:
    /// ...     pages = [state.create_page(4) for _ in range(10)]
    /// ...     deltas = [mmsb.Delta.dense(page, b"done") for page in pages]
    /// ...     lsns = workers.apply(deltas).wait()
    /// ...     {page.read() for page in pages}
    /// {b'done'}
    fn apply(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = args::deltas)] deltas: Vec<Py<Delta>>,
    ) -> PyResult<Tickets> {
        let home = self.state.get().home;
        let copy = |delta: &Py<Delta>| delta.get().at(home).cloned();
        let deltas = deltas.iter().map(copy).collect::<mmsb::Result<Vec<_>>>();
        let deltas = deltas.map_err(Failure::from)?;
        self.submit_with(py, |executor| executor.submit_deltas(deltas))
    }

    /// How many workers there are.
    #[getter]
    fn workers(&self) -> Result<usize, Failure> {
        Ok(self.get()?.workers())
    }

    /// How many of them are bound to a core of their own.
    #[getter]
    fn pinned(&self) -> Result<usize, Failure> {
        Ok(self.get()?.pinned())
    }

    /// The state.
    #[getter]
    fn state(&self, py: Python<'_>) -> Py<State> {
        self.state.clone_ref(py)
    }

    /// Does all that was submitted, and ends the workers. Nothing if that was done.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     workers = state.executor(workers=1)
    /// ...     workers.close()
    /// ...     workers.closed
    /// True
    fn close(&self, py: Python<'_>) {
        let inner = self.inner.lock().take();
        py.detach(move || drop(inner));
    }

    /// Ends the workers after what they are at. What waits is not begun, its results are `Cancelled`;
    /// returns how much that was. Raises `InvalidArgument` while another thread submits.
    ///
    /// >>> import mmsb
    /// >>> with mmsb.State() as state:
    /// ...     state.executor(workers=1).stop()
    /// 0
    fn stop(&self, py: Python<'_>) -> PyResult<usize> {
        let Some(inner) = self.inner.lock().take() else { return Ok(0) };
        match Arc::try_unwrap(inner) {
            Ok(inner) => Ok(py.detach(move || inner.stop())),
            Err(inner) => {
                *self.inner.lock() = Some(inner);
                raise!(InvalidArgument, "another thread is submitting to the executor")
            }
        }
    }

    /// Whether the workers were ended.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.lock().is_none()
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        slf.get().get()?;
        Ok(slf.clone().unbind())
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        match self.get() {
            Ok(inner) => format!("<mmsb.Executor of {} workers>", inner.workers()),
            Err(_) => "<mmsb.Executor closed>".to_owned(),
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.get_mut().take() {
            drop_detached(inner);
        }
    }
}

/// Where the results of what was submitted arrive. Made by `Executor.submit` and `Executor.apply`.
/// Example: see `Executor`.
///
/// >>> import mmsb
/// >>> with mmsb.State() as state, state.executor(workers=1) as workers:
/// ...     workers.submit([]).wait()
/// []
#[pyclass(frozen, module = "mmsb", weakref)]
pub struct Tickets {
    /// Taken out by `wait`.
    inner: Mutex<Option<mmsb::Tickets<Option<Lsn>>>>,
}

/// How often a wait looks for signals.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[pymethods]
impl Tickets {
    /// Whether all results are there. Example: see `Executor`.
    #[getter]
    fn ready(&self) -> Result<bool, Failure> {
        match &*self.inner.lock() {
            Some(inner) => Ok(inner.is_ready()),
            None => Err(waited()),
        }
    }

    /// Waits for all results, and returns them in the order of what was submitted: the LSN of its
    /// record, `None` if it changed nothing, or the exception that it failed with. Once. Example: see
    /// `Executor`.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut pause = Duration::from_micros(20);
        while !self.ready()? {
            py.detach(|| std::thread::sleep(pause));
            pause = (pause * 2).min(LOOK_EVERY);
            py.check_signals()?;
        }
        let Some(inner) = self.inner.lock().take() else { return Err(waited().into()) };
        let results = py.detach(move || inner.wait());
        let shown = |result: mmsb::Result<Option<Lsn>>| -> PyResult<Py<PyAny>> {
            match result {
                Ok(lsn) => Ok(lsn.map(|lsn| lsn.0).into_pyobject(py)?.into_any().unbind()),
                Err(error) => Ok(PyErr::from(Failure::from(error)).into_value(py).into_any()),
            }
        };
        PyList::new(py, results.into_iter().map(shown).collect::<PyResult<Vec<_>>>()?)
    }

    fn __len__(&self) -> Result<usize, Failure> {
        match &*self.inner.lock() {
            Some(inner) => Ok(inner.len()),
            None => Err(waited()),
        }
    }
}

#[cold]
fn waited() -> Failure {
    Error::new(ErrorKind::Closed, "the results were taken").into()
}
