//! Pointers from C, checked once and then used as references.

use crate::bail;
use crate::error::Result;
use crate::types::Note;
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A place for a result, written only when the call succeeds.
pub struct Out<'a, T> {
    at: NonNull<T>,
    _caller: PhantomData<&'a mut T>,
}

impl<T> Out<'_, T> {
    /// # Safety
    /// `at` is null or valid for a write of a `T` during the call.
    pub unsafe fn new(at: *mut T, name: &str) -> Result<Self> {
        match NonNull::new(at) {
            Some(at) if at.is_aligned() => Ok(Out { at, _caller: PhantomData }),
            Some(_) => bail!(InvalidArgument, "{name} is not aligned"),
            None => bail!(NullHandle, "{name} is null"),
        }
    }

    /// Writes the result.
    pub fn set(self, value: T) {
        // SAFETY: `new`'s contract.
        unsafe { self.at.as_ptr().write(value) }
    }
}

/// # Safety
/// `at` is null or valid for a write of a `T` during the call.
pub unsafe fn optional_out<'a, T>(at: *mut T, name: &str) -> Result<Option<Out<'a, T>>> {
    if at.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { Out::new(at, name) }.map(Some)
}

/// # Safety
/// `at` is null or points to `len` values of `T` that nobody writes during the call.
pub unsafe fn slice<'a, T>(at: *const T, len: usize, name: &str) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    check_slice(at, len, name)?;
    // SAFETY: not null, aligned, not too long; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(at, len) })
}

/// # Safety
/// `at` is null or points to `len` initialised values of `T` that nobody else uses during the
/// call.
pub unsafe fn slice_mut<'a, T>(at: *mut T, len: usize, name: &str) -> Result<&'a mut [T]> {
    if len == 0 {
        return Ok(&mut []);
    }
    check_slice(at, len, name)?;
    // SAFETY: not null, aligned, not too long; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts_mut(at, len) })
}

#[inline]
fn check_slice<T>(at: *const T, len: usize, name: &str) -> Result<()> {
    if at.is_null() {
        bail!(NullHandle, "{name} is null but has {len} elements");
    }
    if !at.is_aligned() {
        bail!(InvalidArgument, "{name} is not aligned");
    }
    if len > isize::MAX as usize / size_of::<T>() {
        bail!(InvalidArgument, "{name} of {len} elements is longer than memory");
    }
    Ok(())
}

/// # Safety
/// `at` is null or points to a value of `T` that nobody writes during the call.
pub unsafe fn reference<'a, T>(at: *const T, name: &str) -> Result<&'a T> {
    if at.is_null() {
        bail!(NullHandle, "{name} is null");
    }
    if !at.is_aligned() {
        bail!(InvalidArgument, "{name} is not aligned");
    }
    // SAFETY: not null, aligned; the rest is the caller's promise.
    Ok(unsafe { &*at })
}

/// The text at `at`; `None` if it is null.
///
/// # Safety
/// `at` is null or points to a zero-terminated string that nobody writes during the call.
pub unsafe fn optional_text<'a>(at: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if at.is_null() {
        return Ok(None);
    }
    // SAFETY: not null; the rest is the caller's promise.
    let text = unsafe { CStr::from_ptr(at) };
    match text.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(error) => bail!(NotUtf8, "{name} is not UTF-8 at byte {}", error.valid_up_to()),
    }
}

/// As [`optional_text`]; null is an error.
///
/// # Safety
/// As [`optional_text`].
pub unsafe fn text<'a>(at: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    match unsafe { optional_text(at, name) }? {
        Some(text) => Ok(text),
        None => bail!(NullHandle, "{name} is null"),
    }
}

/// Who changes something, and why.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MmsbNote {
    /// Label of who acts: UTF-8, zero-terminated, at most 255 bytes; null is empty.
    pub source: *const c_char,
    /// Why: UTF-8, zero-terminated, at most 65,535 bytes; null for none.
    pub intent: *const c_char,
}

/// The note at `at`; null is an empty one.
///
/// # Safety
/// `at` is null or points to a note whose strings are as [`optional_text`] wants them.
pub unsafe fn note_at<'a>(at: *const MmsbNote) -> Result<Note<'a>> {
    if at.is_null() {
        return Ok(Note::NONE);
    }
    // SAFETY: the caller's promise, here and below.
    let note = unsafe { reference(at, "note") }?;
    // SAFETY: as above.
    let source = unsafe { optional_text(note.source, "source") }?.unwrap_or("");
    // SAFETY: as above.
    let intent = unsafe { optional_text(note.intent, "intent") }?;
    Ok(Note { source, intent })
}

/// Copies `bytes` to a caller's buffer and says how many there are.
///
/// # Errors
/// `LengthMismatch` if the buffer is too small; the length is told all the same.
///
/// # Safety
/// `buf` is null or valid for writes of `capacity` bytes, `len` null or valid for a write.
pub unsafe fn copy_out(bytes: &[u8], buf: *mut u8, capacity: usize, len: *mut usize) -> Result<()> {
    // SAFETY: the caller's promise, here and below.
    unsafe { copy_items(bytes, buf, capacity, len, "bytes") }
}

/// As [`copy_out`], for any plain values.
///
/// # Safety
/// As [`copy_out`].
pub unsafe fn copy_items<T: Copy>(
    items: &[T],
    buf: *mut T,
    capacity: usize,
    len: *mut usize,
    what: &str,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let len = unsafe { Out::new(len, "len") }?;
    if items.len() > capacity {
        let n = items.len();
        len.set(n);
        bail!(LengthMismatch, "a buffer for {capacity} {what}; there are {n}");
    }
    if items.is_empty() {
        len.set(0);
        return Ok(());
    }
    check_slice(buf, items.len(), "buf")?;
    len.set(items.len());
    // SAFETY: `buf` has room for `capacity` items, and `items` is not the caller's memory.
    unsafe { buf.copy_from_nonoverlapping(items.as_ptr(), items.len()) };
    Ok(())
}

/// Copies metadata keys to a caller's buffer as u16 length (little-endian) and key, one after the
/// other, and says how many bytes that are.
///
/// # Errors
/// As [`copy_out`].
///
/// # Safety
/// As [`copy_out`].
pub unsafe fn copy_keys(
    pairs: &[(Vec<u8>, Vec<u8>)],
    buf: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> Result<()> {
    let mut keys = Vec::new();
    for (key, _) in pairs {
        keys.extend_from_slice(&(key.len() as u16).to_le_bytes());
        keys.extend_from_slice(key);
    }
    // SAFETY: the caller's promise.
    unsafe { copy_out(&keys, buf, capacity, len) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_null_or_misaligned_struct_is_called_what_it_is() {
        let words = [7u64; 2];
        // SAFETY: null, misaligned within `words`, and `words` itself.
        let (null, odd, whole) = unsafe {
            let odd = words.as_ptr().byte_add(1);
            (
                reference(std::ptr::null::<u64>(), "config").unwrap_err(),
                reference(odd, "config").unwrap_err(),
                *reference(words.as_ptr(), "config").unwrap(),
            )
        };
        assert_eq!((null.kind(), null.message()), (ErrorKind::NullHandle, "config is null"));
        let expected = (ErrorKind::InvalidArgument, "config is not aligned");
        assert_eq!((odd.kind(), odd.message()), expected);
        assert_eq!(whole, 7);
    }
}
