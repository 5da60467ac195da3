//! What Python passes in, as the engine's words: ids, sizes, LSNs, times, settings.

use crate::allocator::ScratchPage;
use crate::buffer::class_name;
use crate::delta::Delta;
use crate::errors::{Failure, error, raise};
use crate::executor::Program;
use crate::page::Page;
use crate::state::State;
use mmsb::{Config, Durability, Error, ErrorKind, Location, Lsn, Note, PageId, limits};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyString};
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Calls on pages or data of at least so many bytes let other threads run meanwhile. Below,
/// unlocking the interpreter and getting it back would cost as much as the call.
pub const DETACH_BYTES: usize = 16 << 10;

/// A note of who acts and why.
#[inline]
pub fn note<'a>(source: &'a str, intent: Option<&'a str>) -> Note<'a> {
    Note { source, intent }
}

/// A number from 0 to 2^64 - 1.
///
/// - `kind`: the error for one that is not.
/// - `what`: how its message calls the number.
#[inline]
pub fn unsigned(number: &Bound<'_, PyAny>, kind: ErrorKind, what: &str) -> PyResult<u64> {
    match number.extract() {
        Ok(number) => Ok(number),
        Err(cause) => Err(no_unsigned(number, kind, what, (0, u64::MAX), cause)),
    }
}

#[cold]
fn no_unsigned(
    number: &Bound<'_, PyAny>,
    kind: ErrorKind,
    what: &str,
    range: (u64, u64),
    cause: PyErr,
) -> PyErr {
    if !cause.is_instance_of::<PyOverflowError>(number.py()) {
        let name = class_name(number);
        return PyTypeError::new_err(format!("{what} must be an integer, not {name}"));
    }
    out_of(number, kind, what, range)
}

/// The error for a number that no type of the engine's holds: it names what is allowed.
#[cold]
pub fn out_of(
    number: &Bound<'_, PyAny>,
    kind: ErrorKind,
    what: &str,
    (least, most): (impl Display, impl Display),
) -> PyErr {
    let shown = number.str().map_or_else(|_| "such".to_owned(), |shown| shown.to_string());
    error(kind, format!("{what} of {shown}; it must lie in {least} to {most}"))
}

/// A number of the engine's type `N`.
///
/// - `range`: what the engine allows, for the message. Of what `N` holds, the engine refuses the rest.
fn counted<N: TryFrom<u64>>(
    number: &Bound<'_, PyAny>,
    kind: ErrorKind,
    what: &str,
    range: (u64, u64),
) -> PyResult<N> {
    match number.extract::<u64>() {
        Ok(n) => N::try_from(n).map_err(|_| out_of(number, kind, what, range)),
        Err(cause) => Err(no_unsigned(number, kind, what, range, cause)),
    }
}

/// How many events to take.
pub fn limit(number: &Bound<'_, PyAny>) -> PyResult<usize> {
    counted(number, ErrorKind::InvalidArgument, "limit", (0, u64::MAX))
}

/// How many events may wait.
pub fn capacity(number: &Bound<'_, PyAny>) -> PyResult<usize> {
    counted(number, ErrorKind::SizeOutOfRange, "capacity", (1, limits::EVENTS_MAX as u64))
}

/// Threads that compute pages.
pub fn propagation_threads(number: &Bound<'_, PyAny>) -> PyResult<usize> {
    counted(
        number,
        ErrorKind::InvalidArgument,
        "propagation_threads",
        (1, limits::PROPAGATION_THREADS_MAX as u64),
    )
}

/// Workers of an executor; `None` is one per core.
pub fn workers(number: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    let workers =
        || counted(number, ErrorKind::SizeOutOfRange, "workers", (1, limits::WORKERS_MAX as u64));
    (!number.is_none()).then(workers).transpose()
}

/// How much may wait for one worker.
pub fn queue_max(number: &Bound<'_, PyAny>) -> PyResult<usize> {
    counted(number, ErrorKind::SizeOutOfRange, "queue_max", (1, u64::MAX))
}

/// How often to try.
pub fn tries(number: &Bound<'_, PyAny>) -> PyResult<u32> {
    counted(number, ErrorKind::InvalidArgument, "tries", (1, u32::MAX.into()))
}

/// What a sequence holds; text is none here, though Python has it as one of characters.
///
/// - `what`, `of`: how messages call the sequence, and what is in it.
fn items<'py, T>(sequence: &Bound<'py, PyAny>, what: &str, of: &str) -> PyResult<Vec<T>>
where
    T: FromPyObjectOwned<'py>,
{
    let refused = || {
        let name = class_name(sequence);
        PyTypeError::new_err(format!("{what} must be a sequence of {of}, not {name}"))
    };
    if sequence.is_instance_of::<PyString>() {
        return Err(refused());
    }
    let Ok(items) = sequence.extract::<Vec<Bound<'_, PyAny>>>() else { return Err(refused()) };
    let item = |item: Bound<'py, PyAny>| {
        item.extract::<T>().map_err(|_| {
            let name = class_name(&item);
            PyTypeError::new_err(format!("{what} must be a sequence of {of}; {name} is in it"))
        })
    };
    items.into_iter().map(item).collect()
}

const PAGES: &str = "pages or their ids";

/// The pages that one is derived from.
pub fn parents<'py>(sequence: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    items(sequence, "parents", PAGES)
}

/// The pages that a subscription tells of; `None` is all.
pub fn pages<'py>(sequence: &Bound<'py, PyAny>) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
    (!sequence.is_none()).then(|| items(sequence, "pages", PAGES)).transpose()
}

/// The kinds of events that it tells of; `None` is all.
pub fn kinds(sequence: &Bound<'_, PyAny>) -> PyResult<Option<Vec<String>>> {
    (!sequence.is_none()).then(|| items(sequence, "kinds", "names of kinds")).transpose()
}

/// What an executor is to run.
pub fn programs(sequence: &Bound<'_, PyAny>) -> PyResult<Vec<Py<Program>>> {
    items(sequence, "programs", "Program")
}

/// What an executor is to apply.
pub fn deltas(sequence: &Bound<'_, PyAny>) -> PyResult<Vec<Py<Delta>>> {
    items(sequence, "deltas", "Delta")
}

/// An LSN.
pub fn lsn(number: &Bound<'_, PyAny>) -> PyResult<Lsn> {
    unsigned(number, ErrorKind::InvalidArgument, "an LSN").map(Lsn)
}

/// An offset in a page.
#[inline]
pub fn offset(number: &Bound<'_, PyAny>) -> PyResult<u64> {
    unsigned(number, ErrorKind::RangeOutOfBounds, "an offset")
}

/// A size of a page, or of a part of it.
#[inline]
pub fn size(number: &Bound<'_, PyAny>) -> PyResult<u64> {
    unsigned(number, ErrorKind::SizeOutOfRange, "a size")
}

/// A state or an allocator of this process, by a number that none of the others has: what is made
/// with its pages knows it, and keeps nothing alive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Home {
    State(u64),
    Allocator(u64),
}

impl Home {
    fn number() -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        LAST.fetch_add(1, Ordering::Relaxed)
    }

    /// That of a new state.
    pub fn state() -> Home {
        Home::State(Home::number())
    }

    /// That of a new allocator.
    pub fn allocator() -> Home {
        Home::Allocator(Home::number())
    }

    /// Refuses page `id` if it was given as one that is at home elsewhere.
    #[inline]
    pub fn check(self, id: PageId, of: Option<Home>) -> mmsb::Result<()> {
        match of {
            Some(other) if other != self => Err(self.stranger(id, other)),
            _ => Ok(()),
        }
    }

    #[cold]
    fn stranger(self, id: PageId, other: Home) -> Error {
        let message = match (self, other) {
            (Home::State(_), Home::State(_)) => format!("{id} of another state"),
            (Home::State(_), Home::Allocator(_)) => format!("{id} of an allocator, not of a state"),
            (Home::Allocator(_), _) => format!("{id} is not one of this allocator's"),
        };
        Error::new(ErrorKind::InvalidArgument, message)
    }
}

/// A page's id, and its home if it is given as a [`Page`] or a [`ScratchPage`], not as a number.
#[inline]
pub fn page_of(page: &Bound<'_, PyAny>) -> PyResult<(PageId, Option<Home>)> {
    if let Ok(page) = page.cast_exact::<Page>() {
        return Ok((page.get().id()?, Some(page.get().home())));
    }
    if let Ok(page) = page.cast_exact::<ScratchPage>() {
        return Ok((page.get().id(), Some(page.get().home())));
    }
    Ok((PageId(unsigned(page, ErrorKind::PageNotFound, "a page id")?), None))
}

/// A page's id, whosever it is.
pub fn page_id(page: &Bound<'_, PyAny>) -> PyResult<PageId> {
    Ok(page_of(page)?.0)
}

/// A page's id; what is given as a page must be one of `home`.
#[inline]
pub fn page_at(home: Home, page: &Bound<'_, PyAny>) -> PyResult<PageId> {
    let (id, of) = page_of(page)?;
    home.check(id, of).map_err(Failure::from)?;
    Ok(id)
}

/// As [`page_at`], of a state.
#[inline]
pub fn page_in(state: &Bound<'_, State>, page: &Bound<'_, PyAny>) -> PyResult<PageId> {
    page_at(state.get().home, page)
}

/// A location by its name.
pub fn location(name: &str) -> PyResult<Location> {
    match name {
        "cpu" => Ok(Location::Cpu),
        "gpu" => Ok(Location::Gpu),
        "unified" => Ok(Location::Unified),
        _ => raise!(InvalidArgument, "a location {name:?}; there are cpu, gpu and unified"),
    }
}

/// The name of a location.
pub fn location_name(location: Location) -> &'static str {
    match location {
        Location::Cpu => "cpu",
        Location::Gpu => "gpu",
        Location::Unified => "unified",
    }
}

/// The name of a durability.
pub fn durability_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory",
        Durability::Buffered => "buffered",
        Durability::Sync => "sync",
    }
}

/// A metadata key: text, or the bytes themselves.
pub fn meta_key(key: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(key) = key.cast::<PyString>() {
        return Ok(key.to_str()?.as_bytes().to_vec());
    }
    match key.extract::<&[u8]>() {
        Ok(key) => Ok(key.to_vec()),
        Err(_) => {
            let name = class_name(key);
            Err(PyTypeError::new_err(format!("a metadata key must be str or bytes, not {name}")))
        }
    }
}

/// Milliseconds since 1970-01-01 UTC: a number of them, or a datetime (naive is local time).
///
/// - `up`: a time between two milliseconds counts as the later one.
pub fn time_ms(time: &Bound<'_, PyAny>, up: bool) -> PyResult<u64> {
    let Ok(time) = time.cast::<PyDateTime>() else {
        return unsigned(time, ErrorKind::InvalidArgument, "a time in milliseconds");
    };
    let seconds: f64 = time.call_method0("timestamp")?.extract()?;
    // A float has room for microseconds until the year 2255.
    let micros = (seconds * 1e6).round();
    if micros < 0.0 {
        raise!(InvalidArgument, "the time {time}; the clock begins at 1970-01-01 UTC");
    }
    let micros = micros as u64;
    Ok(if up { micros.div_ceil(1000) } else { micros / 1000 })
}

/// A time span in milliseconds.
fn millis(number: &Bound<'_, PyAny>, what: &str) -> PyResult<Duration> {
    let refused = || out_of(number, ErrorKind::InvalidArgument, what, (0, u64::MAX));
    match number.extract() {
        Ok(ms) => return Ok(Duration::from_millis(ms)),
        Err(cause) if cause.is_instance_of::<PyOverflowError>(number.py()) => return Err(refused()),
        Err(_) => {}
    }
    let Ok(ms) = number.extract::<f64>() else {
        let name = class_name(number);
        return Err(PyTypeError::new_err(format!("{what} must be a number, not {name}")));
    };
    // Beyond all numbers that are integers, too.
    if ms > u64::MAX as f64 {
        return Err(refused());
    }
    Duration::try_from_secs_f64(ms / 1e3).map_err(|_| refused())
}

/// The longest pause between two tries, in milliseconds.
pub fn pause_max_ms(number: &Bound<'_, PyAny>) -> PyResult<f64> {
    Ok(millis(number, "pause_max_ms")?.as_secs_f64() * 1e3)
}

/// The number of a partition.
pub fn partition(number: &Bound<'_, PyAny>) -> PyResult<u16> {
    counted(number, ErrorKind::InvalidArgument, "a partition", (0, u16::MAX.into()))
}

/// The settings of a state or log, as keyword arguments carry them; `None` is the default.
#[derive(Default)]
pub struct Settings<'a, 'py> {
    pub path: Option<PathBuf>,
    pub durability: Option<&'a str>,
    pub must_exist: bool,
    pub flush_every_ms: Option<&'a Bound<'py, PyAny>>,
    pub sync_every_ms: Option<&'a Bound<'py, PyAny>>,
    pub segment_bytes: Option<&'a Bound<'py, PyAny>>,
    pub pending_bytes_max: Option<&'a Bound<'py, PyAny>>,
    pub history_bytes: Option<&'a Bound<'py, PyAny>>,
    pub memory_bytes_max: Option<&'a Bound<'py, PyAny>>,
    pub version_bytes_max: Option<&'a Bound<'py, PyAny>>,
}

impl Settings<'_, '_> {
    /// The configuration that they make.
    #[inline]
    pub fn config(self) -> PyResult<Config> {
        let mut config = match self.path {
            Some(path) => Config::durable(path),
            None => Config::memory(),
        };
        config.must_exist = self.must_exist;
        if let Some(name) = self.durability {
            config.durability = durability(name)?;
        }
        if let Some(span) = self.flush_every_ms {
            config.flush_every = millis(span, "flush_every_ms")?;
        }
        if let Some(span) = self.sync_every_ms {
            config.sync_every = millis(span, "sync_every_ms")?;
        }
        let counts = [
            (&mut config.segment_bytes, self.segment_bytes, "segment_bytes"),
            (&mut config.pending_bytes_max, self.pending_bytes_max, "pending_bytes_max"),
            (&mut config.history_bytes, self.history_bytes, "history_bytes"),
            (&mut config.memory_bytes_max, self.memory_bytes_max, "memory_bytes_max"),
            (&mut config.version_bytes_max, self.version_bytes_max, "version_bytes_max"),
        ];
        for (setting, given, what) in counts {
            if let Some(given) = given {
                *setting = unsigned(given, ErrorKind::SizeOutOfRange, what)?;
            }
        }
        Ok(config)
    }
}

fn durability(name: &str) -> PyResult<Durability> {
    match name {
        "memory" => Ok(Durability::Memory),
        "buffered" => Ok(Durability::Buffered),
        "sync" => Ok(Durability::Sync),
        _ => raise!(InvalidArgument, "a durability {name:?}; there are memory, buffered and sync"),
    }
}
