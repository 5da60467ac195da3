//! Views: a page's content without a copy.

use super::pointer::Out;
use super::status::{MmsbStatus, call};
use super::{AnyView, MmsbView, handle, take};
use std::ops::Deref;

impl Deref for AnyView {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            AnyView::State(view) => view,
            AnyView::Scratch(view) => view,
        }
    }
}

/// Frees a view. `*view` becomes zero; its data must no longer be used. Null and zero are fine.
///
/// # Safety
/// `view` is null or valid for a read and a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_view_free(view: *mut MmsbView) -> MmsbStatus {
    // SAFETY: a handle is one u64; the caller's promise.
    call(|| unsafe { take::<AnyView>(view.cast()) }.map(drop))
}

/// Start and length of a view's data, valid until the view is freed.
///
/// # Safety
/// `data` and `len` are null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_view_data(
    view: MmsbView,
    data: *mut *const u8,
    len: *mut usize,
) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let (data, len) = unsafe { (Out::new(data, "data")?, Out::new(len, "len")?) };
        handle::with::<AnyView, _>(view.id, |view| {
            data.set(view.as_ptr());
            len.set(view.len());
            Ok(())
        })
    })
}

/// Epoch of a view's content.
///
/// # Safety
/// `out` is null or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rust_view_epoch(view: MmsbView, out: *mut u64) -> MmsbStatus {
    call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(out, "out") }?;
        handle::with::<AnyView, _>(view.id, |view| {
            out.set(match view {
                AnyView::State(view) => view.epoch(),
                AnyView::Scratch(view) => view.epoch(),
            });
            Ok(())
        })
    })
}
