//! The exception tree, made from the engine's table of errors.
//!
//! ```text
//!   Error(Exception)                    .code .kind .retryable .fatal
//!     ArgumentError(…, ValueError)        one subclass per kind 1xx
//!     TransactionError                    2xx
//!     CapacityError                       3xx
//!     IoError(…, OSError)                 4xx
//!     CorruptionError                     5xx
//!     InternalError                       6xx
//! ```
//!
//! Some kinds are one of Python's own exceptions, too, so that `except KeyError` finds what it
//! should.

use mmsb::{Error, ErrorKind};
use pyo3::exceptions::{PyBaseException, PyException};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use std::cell::Cell;
use std::error::Error as _;

/// What a call into the engine can end with: its error, or an exception of a callback.
pub enum Failure {
    /// The engine's.
    Engine(Error),
    /// Python's.
    Python(PyErr),
}

impl From<Error> for Failure {
    #[cold]
    fn from(error: Error) -> Failure {
        Failure::Engine(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Failure {
        Failure::Python(error)
    }
}

impl From<Failure> for PyErr {
    #[cold]
    fn from(failure: Failure) -> PyErr {
        match failure {
            Failure::Engine(error) => Python::attach(|py| raised(py, &error)),
            Failure::Python(error) => error,
        }
    }
}

/// The exception for an error of `kind` that says `message`.
#[cold]
pub fn error(kind: ErrorKind, message: impl Into<String>) -> PyErr {
    Failure::Engine(Error::new(kind, message)).into()
}

/// Returns early with the exception for a kind and a formatted sentence.
macro_rules! raise {
    ($kind:ident, $($arg:tt)+) => {
        return Err($crate::errors::error(mmsb::ErrorKind::$kind, format!($($arg)+)).into())
    };
}
pub(crate) use raise;

struct Family {
    hundred: i32,
    name: &'static str,
    doc: &'static str,
    also: Option<&'static str>,
}

const fn family(
    hundred: i32,
    name: &'static str,
    doc: &'static str,
    also: Option<&'static str>,
) -> Family {
    Family { hundred, name, doc, also }
}

const FAMILIES: [Family; 6] = [
    family(1, "ArgumentError", "The call makes no sense as it is.", Some("ValueError")),
    family(2, "TransactionError", "A transaction could not be committed.", None),
    family(3, "CapacityError", "Memory, disk or a limit is exhausted.", None),
    family(4, "IoError", "The operating system or the file system refused.", Some("OSError")),
    family(5, "CorruptionError", "Stored bytes are damaged or unknown.", None),
    family(6, "InternalError", "Something broke inside the engine.", None),
];

/// Python's own exception that a kind also is.
fn also(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::PageNotFound
        | ErrorKind::PageFreed
        | ErrorKind::KeyNotFound
        | ErrorKind::CheckpointNotFound => Some("KeyError"),
        ErrorKind::RangeOutOfBounds => Some("IndexError"),
        ErrorKind::OutOfMemory => Some("MemoryError"),
        ErrorKind::FileNotFound => Some("FileNotFoundError"),
        ErrorKind::PermissionDenied => Some("PermissionError"),
        _ => None,
    }
}

fn family_of(kind: ErrorKind) -> &'static Family {
    let hundred = kind.code() / 100;
    FAMILIES.iter().find(|family| family.hundred == hundred).unwrap_or(&FAMILIES[5])
}

/// All exception types, by the code that they have.
struct Tree(Vec<(i32, Py<PyType>)>);

static TREE: PyOnceLock<Tree> = PyOnceLock::new();

impl Tree {
    fn get(&self, code: i32) -> Option<&Py<PyType>> {
        self.0.iter().find(|(found, _)| *found == code).map(|(_, class)| class)
    }
}

struct Class<'a, 'py> {
    name: &'a str,
    doc: String,
    bases: Vec<Bound<'py, PyAny>>,
    code: i32,
    retryable: bool,
    fatal: bool,
}

fn make<'py>(py: Python<'py>, class: Class<'_, 'py>) -> PyResult<Bound<'py, PyType>> {
    let body = PyDict::new(py);
    body.set_item("__doc__", class.doc)?;
    body.set_item("__module__", "mmsb")?;
    body.set_item("code", class.code)?;
    body.set_item("kind", class.name)?;
    body.set_item("retryable", class.retryable)?;
    body.set_item("fatal", class.fatal)?;
    // The message as it is: KeyError would show it in quotes, OSError as numbers.
    body.set_item("__str__", py.get_type::<PyBaseException>().getattr("__str__")?)?;
    let bases = PyTuple::new(py, class.bases)?;
    Ok(py.get_type::<PyType>().call1((class.name, bases, body))?.cast_into()?)
}

fn with_builtin<'py>(
    base: &Bound<'py, PyType>,
    also: Option<&str>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut bases = vec![base.clone().into_any()];
    if let Some(name) = also {
        bases.push(base.py().import("builtins")?.getattr(name)?);
    }
    Ok(bases)
}

fn grow(py: Python<'_>) -> PyResult<Tree> {
    let mut classes = Vec::new();
    let (retryable, fatal) = (false, false);
    let bases = vec![py.get_type::<PyException>().into_any()];
    let doc = "Everything that goes wrong in MMSB. The subclass tells what.".to_owned();
    let root = make(py, Class { name: "Error", doc, bases, code: 0, retryable, fatal })?;
    for family in &FAMILIES {
        let (name, code) = (family.name, family.hundred * 100);
        let doc = format!("{} Its kinds have the codes {code} to {}.", family.doc, code + 99);
        let bases = with_builtin(&root, family.also)?;
        let class = make(py, Class { name, doc, bases, code, retryable, fatal })?;
        classes.push((code, class));
    }
    for &kind in ErrorKind::ALL {
        let family = family_of(kind).hundred * 100;
        let base = classes.iter().find(|(code, _)| *code == family).map_or(&root, |(_, c)| c);
        let class = Class {
            name: kind.name(),
            doc: format!("{} Code {}.", kind.meaning(), kind.code()),
            bases: with_builtin(base, also(kind))?,
            code: kind.code(),
            retryable: kind.is_retryable(),
            fatal: kind.is_fatal(),
        };
        let class = make(py, class)?;
        classes.push((kind.code(), class));
    }
    classes.insert(0, (0, root));
    Ok(Tree(classes.into_iter().map(|(code, class)| (code, class.unbind())).collect()))
}

/// Adds every exception to the module.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    for (_, class) in &TREE.get_or_try_init(py, || grow(py))?.0 {
        let class = class.bind(py);
        module.add(class.name()?.to_string(), class)?;
    }
    module.add_function(wrap_pyfunction!(error_table, module)?)
}

/// The Python exception of an engine's error.
#[cold]
fn raised(py: Python<'_>, error: &Error) -> PyErr {
    let Some(class) = TREE.get(py).and_then(|tree| tree.get(error.kind().code())) else {
        return PyException::new_err(error.message().to_owned());
    };
    let exception = match class.bind(py).call1((error.message(),)) {
        Ok(exception) => exception,
        Err(other) => return other,
    };
    let errno = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    if let Some(errno) = errno.and_then(std::io::Error::raw_os_error)
        && let Err(other) = exception.setattr("errno", errno)
    {
        return other;
    }
    let exception = PyErr::from_value(exception);
    if let Some(cause) = CAUSE.take().filter(|_| error.kind() == ErrorKind::CallbackFailed) {
        // Ctrl-C and `sys.exit` end the program, not this call alone: nobody is to take them for a
        // failure of the callback.
        if !cause.is_instance_of::<PyException>(py) {
            return cause;
        }
        exception.set_cause(py, Some(cause));
    }
    exception
}

thread_local! {
    /// What a callback raised last on this thread.
    static CAUSE: Cell<Option<PyErr>> = const { Cell::new(None) };
}

/// Keeps an exception of a callback, as the cause of the error that its group ends with.
pub fn keep_cause(error: PyErr) {
    CAUSE.set(Some(error));
}

/// Every kind of error that the engine has: code, name, family, meaning, retryable, fatal.
#[pyfunction]
fn error_table() -> Vec<(i32, &'static str, &'static str, &'static str, bool, bool)> {
    let row = |&kind: &ErrorKind| {
        let family = family_of(kind).name;
        (kind.code(), kind.name(), family, kind.meaning(), kind.is_retryable(), kind.is_fatal())
    };
    ErrorKind::ALL.iter().map(row).collect()
}

/// Whether an exception is the one of `kind`.
pub fn is(error: &PyErr, py: Python<'_>, kind: ErrorKind) -> bool {
    let class = TREE.get(py).and_then(|tree| tree.get(kind.code()));
    class.is_some_and(|class| error.is_instance(py, class.bind(py)))
}
