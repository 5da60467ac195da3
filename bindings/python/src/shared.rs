//! Sharing one engine object (a state, a log, an allocator) between Python objects and threads, and
//! closing it while others use it.
//!
//! ```text
//!   short   the interpreter stays locked; the object is borrowed in place
//!   long    the interpreter goes on; a lease keeps the object until the call is over
//!   close   takes the object away, waits for leases, closes
//! ```
//!
//! - After `close` began, nobody gets the object any more: every call says `Closed`.
//! - Whoever gives up the last lease closes; `close` waits for that and tells how it went.
//! - A panic in a call becomes the error `Panic`, and the object, if it records, is poisoned.
//! - An object with files belongs to the process that opened it, not to what is forked from it.

use crate::args::DETACH_BYTES;
use crate::errors::Failure;
use mmsb::{Error, ErrorKind};
use parking_lot::Mutex;
use pyo3::prelude::*;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

/// How often this process was forked from another.
static FORKS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// Callbacks into Python that this thread is inside of.
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
}

/// What can be shared and closed.
pub trait Closable: Send + Sync + Sized {
    /// How messages call it.
    const NAME: &'static str;
    /// Whether it has files, which a forked process must not touch.
    fn has_files(&self) -> bool;
    /// Whether the next change may take long, however little it changes.
    fn may_wait(&self) -> bool {
        false
    }
    /// Refuses writes from now on.
    fn poison(&self, reason: &str);
    /// Ends it.
    fn shut(self) -> mmsb::Result<()>;
}

struct Held<T> {
    value: T,
    forks: Option<u32>,
    /// Where `close` waits, once it has to.
    closing: OnceLock<Sender<mmsb::Result<()>>>,
}

impl<T: Closable> Held<T> {
    /// Whether it may be used: not by a forked process, if it has files.
    #[inline]
    fn is_here(&self) -> bool {
        self.forks.is_none_or(|forks| forks == FORKS.load(Ordering::Relaxed))
    }

    fn shut(self) {
        if !self.is_here() {
            // The files and threads are the other process's.
            std::mem::forget(self);
            return;
        }
        let result = self.value.shut();
        if let Some(closing) = self.closing.get() {
            // `close` may have been interrupted; then nobody asks.
            let _ = closing.send(result);
        }
    }
}

/// Keeps an object from being closed under a call.
pub struct Lease<T: Closable>(Option<Arc<Held<T>>>);

impl<T: Closable> std::ops::Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(held) => &held.value,
            None => unreachable!("taken on drop alone"),
        }
    }
}

impl<T: Closable> Drop for Lease<T> {
    fn drop(&mut self) {
        if let Some(held) = self.0.take().and_then(Arc::into_inner) {
            held.shut();
        }
    }
}

/// The object's place: full until it is closed.
pub struct Shared<T: Closable>(Mutex<Option<Arc<Held<T>>>>);

impl<T: Closable> Shared<T> {
    /// Shares `value`.
    pub fn new(value: T) -> Shared<T> {
        let forks = value.has_files().then(|| FORKS.load(Ordering::Relaxed));
        let held = Held { value, forks, closing: OnceLock::new() };
        Shared(Mutex::new(Some(Arc::new(held))))
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.0.lock().is_none()
    }

    /// Says `Closed` if it was closed.
    pub fn check_open(&self) -> Result<(), Failure> {
        match &*self.0.lock() {
            Some(held) if held.is_here() => Ok(()),
            other => Err(refuse::<T>(other.is_none())),
        }
    }

    /// Calls `call` with the interpreter locked. For what is over in a few microseconds.
    #[inline]
    pub fn short<R>(
        &self,
        _py: Python<'_>,
        call: impl FnOnce(&T) -> mmsb::Result<R>,
    ) -> Result<R, Failure> {
        let place = self.0.lock();
        match &*place {
            Some(held) if held.is_here() => guard(&held.value, || Ok(call(&held.value)?)),
            other => Err(refuse::<T>(other.is_none())),
        }
    }

    /// Calls `call` while the interpreter runs other threads.
    pub fn long<R: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&T) -> Result<R, Failure> + Send,
    ) -> Result<R, Failure> {
        let lease = self.lease()?;
        py.detach(move || guard(&*lease, || call(&lease)))
    }

    /// `long` if `detach`, else `short`.
    #[inline]
    pub fn call<R: Send>(
        &self,
        py: Python<'_>,
        detach: bool,
        call: impl FnOnce(&T) -> mmsb::Result<R> + Send,
    ) -> Result<R, Failure> {
        if detach { self.long(py, |value| Ok(call(value)?)) } else { self.short(py, call) }
    }

    /// As `call`, for what changes the object: `long` also where that may have to wait.
    #[inline]
    pub fn change<R: Send>(
        &self,
        py: Python<'_>,
        detach: bool,
        change: impl FnOnce(&T) -> mmsb::Result<R> + Send,
    ) -> Result<R, Failure> {
        if !detach {
            let place = self.0.lock();
            match &*place {
                Some(held) if held.is_here() && held.value.may_wait() => {}
                Some(held) if held.is_here() => {
                    return guard(&held.value, || Ok(change(&held.value)?));
                }
                other => return Err(refuse::<T>(other.is_none())),
            }
        }
        self.long(py, |value| Ok(change(value)?))
    }

    /// A lease on the object.
    pub fn lease(&self) -> Result<Lease<T>, Failure> {
        match &*self.0.lock() {
            Some(held) if held.is_here() => Ok(Lease(Some(held.clone()))),
            other => Err(refuse::<T>(other.is_none())),
        }
    }

    /// Closes the object, after the calls that use it now. Nothing if it was closed.
    pub fn close(&self, py: Python<'_>) -> Result<(), Failure> {
        let Some(held) = self.0.lock().take() else { return Ok(()) };
        let durable = held.forks.is_some();
        let close = move || close_when_unused(held);
        // What has no files is closed in less time than it takes to unlock the interpreter.
        let left = if durable { py.detach(close) } else { close() };
        match left {
            Ok(result) => Ok(result?),
            Err(held) if CALLBACKS.get() > 0 => {
                *self.0.lock() = Some(held);
                // Of progress or of a page: the call around it would wait for itself.
                let message = format!(
                    "a callback cannot close the {} that calls it, nor one in use",
                    T::NAME
                );
                Err(Error::new(ErrorKind::Reentered, message).into())
            }
            Err(held) => py.detach(|| wait_until_unused(held)),
        }
    }
}

impl<T: Closable> Drop for Shared<T> {
    fn drop(&mut self) {
        let Some(held) = self.0.get_mut().take() else { return };
        // Closing may take long.
        drop_detached(Lease(Some(held)));
    }
}

/// Calls `call`, while the interpreter runs other threads if it handles many bytes.
#[inline]
pub fn detach_if_many<R: Send>(py: Python<'_>, bytes: usize, call: impl FnOnce() -> R + Send) -> R {
    if bytes >= DETACH_BYTES { py.detach(call) } else { call() }
}

/// Drops what may take long to drop while the interpreter runs other threads.
pub fn drop_detached(value: impl Send) {
    let mut value = Some(value);
    Python::try_attach(|py| {
        let value = value.take();
        py.detach(move || drop(value));
    });
}

/// Closes what nobody else uses; gives it back otherwise.
fn close_when_unused<T: Closable>(held: Arc<Held<T>>) -> Result<mmsb::Result<()>, Arc<Held<T>>> {
    let held = Arc::try_unwrap(held)?;
    if held.is_here() {
        return Ok(held.value.shut());
    }
    std::mem::forget(held);
    Ok(Ok(()))
}

fn wait_until_unused<T: Closable>(held: Arc<Held<T>>) -> Result<(), Failure> {
    let (sender, closed) = channel();
    let _ = held.closing.set(sender);
    drop(Lease(Some(held)));
    // Nobody sends in a forked process, where the object is forgotten.
    Ok(closed.recv().unwrap_or(Ok(()))?)
}

#[cold]
fn refuse<T: Closable>(closed: bool) -> Failure {
    let name = T::NAME;
    let message = match closed {
        true => format!("the {name} is closed"),
        false => format!("the {name} belongs to the process that opened it; open it again here"),
    };
    Error::new(ErrorKind::Closed, message).into()
}

/// Turns a panic of `call` into an error and poisons the object.
#[inline]
fn guard<T: Closable, R>(
    value: &T,
    call: impl FnOnce() -> Result<R, Failure>,
) -> Result<R, Failure> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(caught(value, panic)))
}

#[cold]
fn caught<T: Closable>(value: &T, panic: Box<dyn Any + Send>) -> Failure {
    let reason = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(reason), _) => reason,
        (_, Some(reason)) => reason.as_str(),
        _ => "for no stated reason",
    };
    value.poison(&format!("a panic: {reason}"));
    let message = format!("the engine panicked: {reason}; close the {}", T::NAME);
    Error::new(ErrorKind::Panic, message).into()
}

/// Runs `callback` in a call that `long` made.
pub fn call_back(callback: impl FnOnce(Python<'_>) -> PyResult<()>) -> PyResult<()> {
    CALLBACKS.set(CALLBACKS.get() + 1);
    let result = Python::attach(callback);
    CALLBACKS.set(CALLBACKS.get() - 1);
    result
}

/// Counts this process as forked.
#[pyfunction]
pub fn _forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
