//! One opaque [`Error`] and one numbered table of kinds, the source for C, Julia and Python.
//!
//! Numbers are permanent and grouped by hundreds: 1xx argument, 2xx transaction, 3xx capacity,
//! 4xx input and output, 5xx corruption, 6xx internal. A retired number stays reserved.

use std::fmt;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $retryable:literal, $fatal:literal;)+) => {
        /// What went wrong, as a stable number.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $name = $code,)+
        }

        impl ErrorKind {
            /// Every kind, in the order of its number.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name,)+];

            /// The kind's name, the same in all languages.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorKind::$name => stringify!($name),)+ }
            }

            /// One sentence of what the kind means.
            pub fn meaning(self) -> &'static str {
                match self { $(ErrorKind::$name => concat!($($doc,)+).trim_start(),)+ }
            }

            /// Whether the same call may succeed later without the caller changing it.
            pub const fn is_retryable(self) -> bool {
                match self { $(ErrorKind::$name => $retryable,)+ }
            }

            /// Whether the state it came from should be closed and opened again.
            pub const fn is_fatal(self) -> bool {
                match self { $(ErrorKind::$name => $fatal,)+ }
            }

            /// The kind with this number.
            pub fn from_code(code: i32) -> Option<ErrorKind> {
                Self::ALL.iter().copied().find(|kind| kind.code() == code)
            }

            /// The kind's permanent number.
            pub const fn code(self) -> i32 {
                self as i32
            }
        }
    };
}

kinds! {
    /// A handle or a required pointer is null.
    NullHandle = 101, false, false;
    /// A handle was freed or closed before this call.
    StaleHandle = 102, false, false;
    /// A handle is of another kind than the call takes, or was never given out.
    WrongHandle = 103, false, false;
    /// An argument has no meaning here.
    InvalidArgument = 104, false, false;
    /// A page size, segment size or count is outside its limits.
    SizeOutOfRange = 105, false, false;
    /// A buffer's length differs from what the call needs.
    LengthMismatch = 106, false, false;
    /// A byte range does not lie inside its page.
    RangeOutOfBounds = 107, false, false;
    /// Runs of a delta are unsorted, overlapping or empty.
    RunsInvalid = 108, false, false;
    /// Bytes that must be UTF-8 are not.
    NotUtf8 = 109, false, false;
    /// A label, intent, key or value is longer than its limit.
    TooLong = 110, false, false;
    /// No page of that id was ever created.
    PageNotFound = 111, false, false;
    /// The page was freed.
    PageFreed = 112, false, false;
    /// The state is a read-only one.
    ReadOnly = 113, false, false;
    /// The state, view or log was closed.
    Closed = 114, false, false;
    /// An LSN lies after the last record.
    LsnInFuture = 115, false, false;
    /// History at that LSN is no longer kept.
    HistoryDropped = 116, false, false;
    /// The page has no metadata under that key.
    KeyNotFound = 117, false, false;
    /// No checkpoint of that name is kept.
    CheckpointNotFound = 118, false, false;
    /// The call's own progress callback asked it to stop: nothing was changed.
    Cancelled = 119, false, false;
    /// The snapshot was ended, as snapshots held more memory than they may: take a new one.
    SnapshotTooOld = 120, true, false;
    /// The state went back past the soft checkpoint, which ended it.
    CheckpointPassed = 121, false, false;
    /// The edge would close a cycle: pages cannot derive from themselves.
    Cycle = 123, false, false;
    /// Other pages derive from the page.
    HasChildren = 124, false, false;
    /// There is no such edge.
    EdgeNotFound = 125, false, false;
    /// The page is private, and the key that opens it was not given.
    Sealed = 126, false, false;
    /// The page was sealed with another key than the one that was given.
    WrongKey = 127, false, false;
    /// The page is computed from others: nobody writes it by hand.
    Derived = 131, false, false;
    /// The page is not computed from others.
    NotDerived = 132, false, false;
    /// No callback is registered under the name by which a page is computed.
    NoCallback = 133, false, false;
    /// A callback that computes a page failed: nothing was changed.
    CallbackFailed = 134, false, false;
    /// A callback made two contents of the same parents: nothing was changed.
    Impure = 135, false, false;
    /// A callback that computes a page called its state.
    Reentered = 136, false, false;
    /// Another thread computes a page by a callback, and callers are not to wait for that.
    Busy = 137, true, false;

    /// Another transaction changed what this one read: nothing was changed, it is to be tried again.
    Conflict = 201, true, false;
    /// A transaction met others in every one of its tries.
    RetriesExhausted = 202, true, false;
    /// The transaction was committed or given up.
    TransactionFinished = 203, false, false;
    /// The page belongs to a partition, which alone changes it.
    NotOwner = 204, false, false;
    /// The page was frozen: nobody changes it any more.
    Immutable = 205, false, false;
    /// The partition is held by somebody else.
    PartitionInUse = 206, true, false;
    /// A condition of an encoded transaction did not hold: nothing was changed.
    ConditionFailed = 207, false, false;

    /// Memory could not be had, or a memory limit is reached.
    OutOfMemory = 301, true, false;
    /// The disk is full: nothing was changed.
    NoSpace = 302, true, false;
    /// A group, delta or metadata map is larger than its limit.
    TooLarge = 303, false, false;
    /// All handles of the C interface are in use.
    TooManyHandles = 304, true, false;

    /// The operating system refused to read or write.
    Io = 401, false, true;
    /// A file or directory does not exist.
    FileNotFound = 402, false, false;
    /// Permission to a file or directory is denied, or it is on a read-only medium.
    PermissionDenied = 403, false, false;
    /// The directory is open already, in this process or another.
    Locked = 404, true, false;
    /// The path is not a directory or an image of this engine.
    Foreign = 405, false, false;

    /// Stored bytes are damaged: a checksum, a link or a length does not fit.
    Corrupt = 501, false, true;
    /// A file has a format version that this build does not know.
    UnknownFormat = 502, false, true;

    /// A panic was caught at the boundary; the state refuses writes.
    Panic = 601, false, true;
    /// The state refuses writes since an earlier failed sync or panic.
    Poisoned = 602, false, true;
    /// A broken promise inside the engine.
    Internal = 603, false, true;
}

/// An error: its kind, one sentence that names the value and the limit, and the operating
/// system's own error where there is one.
///
/// Small (one pointer), so that results stay cheap on the paths where nothing goes wrong.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<std::io::Error>,
    signal: Signal,
}

/// What an error says within the engine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    None,
    Held,
    Bound,
}

impl Error {
    /// An error of `kind` that says `message`.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, message: message.into(), source: None, signal: Signal::None }))
    }

    /// The log lets one group go alone: the one that would begin is to come again. Never leaves the
    /// engine.
    #[cold]
    pub(crate) fn held() -> Error {
        Error::signal(Signal::Held, "another group goes alone")
    }

    /// A page takes part in propagation: its change is to come again, with the edges held. Never
    /// leaves the engine.
    #[cold]
    pub(crate) fn bound() -> Error {
        Error::signal(Signal::Bound, "a page changes that others are computed from")
    }

    fn signal(signal: Signal, message: &str) -> Error {
        let mut error = Error::new(ErrorKind::Internal, message);
        error.0.signal = signal;
        error
    }

    /// Whether it is [`held`](Self::held).
    pub(crate) fn is_held(&self) -> bool {
        self.0.signal == Signal::Held
    }

    /// Whether it is [`bound`](Self::bound).
    pub(crate) fn is_bound(&self) -> bool {
        self.0.signal == Signal::Bound
    }

    /// What the operating system's `error` means for `what` (a verb and a path).
    #[cold]
    pub fn io(what: impl fmt::Display, error: std::io::Error) -> Error {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::FileNotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::NoSpace,
            Io::OutOfMemory => ErrorKind::OutOfMemory,
            // A directory where a file is wanted, or the other way round; a pipe or a socket.
            Io::NotADirectory | Io::IsADirectory | Io::NotSeekable => ErrorKind::Foreign,
            _ => ErrorKind::Io,
        };
        let message = format!("{what}: {error}");
        Error(Box::new(Inner { kind, message, source: Some(error), signal: Signal::None }))
    }

    /// The same error as one after which the state is in doubt: `NoSpace` for one says that nothing
    /// was changed and that the call may be tried again.
    #[cold]
    pub(crate) fn fatal(mut self) -> Error {
        if !self.is_fatal() {
            self.0.kind = ErrorKind::Io;
        }
        self
    }

    /// What went wrong, as a stable number.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence that names the value and the limit.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether stored bytes are damaged.
    pub fn is_corrupt(&self) -> bool {
        matches!(self.kind(), ErrorKind::Corrupt | ErrorKind::UnknownFormat)
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// Whether the state should be closed and opened again.
    pub fn is_fatal(&self) -> bool {
        self.kind().is_fatal()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.kind().name(), self.kind().code(), self.message())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

/// Returns early with an error of a kind and a formatted sentence.
#[macro_export]
#[doc(hidden)]
macro_rules! bail {
    ($kind:ident, $($arg:tt)+) => {
        return Err($crate::Error::new($crate::ErrorKind::$kind, format!($($arg)+)))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ascending_and_round_trip() {
        for pair in ErrorKind::ALL.windows(2) {
            assert!(pair[0].code() < pair[1].code());
        }
        for &kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_code(kind.code()), Some(kind));
            assert!(kind.meaning().ends_with('.'), "{}", kind.name());
        }
        assert_eq!(ErrorKind::from_code(0), None);
    }
}
