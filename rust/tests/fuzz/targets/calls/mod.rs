//! The C interface: any call, in any order, with handles that are good, stale, null, of another
//! noun or made up, with pointers that are good, null or misaligned, on one thread or three.
//!
//! - No call crashes, panics or says `INTERNAL`.
//! - A call that fails leaves its message, no mark on any state or allocator, and nothing in the
//!   caller's places but a needed length.
//! - What is then still open verifies and closes.
//!
//! What a caller has to promise and the library cannot check is kept: pointers that are not null
//! are valid, and nobody uses a view's data after the view is freed.

mod args;
mod table;

use super::input::Input;
use args::{Args, Shared};
use mmsb::ffi::page::{rust_page_epoch, rust_page_read, rust_page_size};
use mmsb::ffi::status::{MmsbStatus, rust_error_info, rust_error_message};
use mmsb::ffi::{MmsbPage, MmsbState, allocator, state};
use std::ffi::CStr;
use std::ptr;

pub use table::CALLS;

/// Calls that one thread makes of one input.
const CALLS_MAX: usize = 150;
const THREADS: usize = 3;

pub fn calls(data: &[u8]) {
    let Some((&flags, program)) = data.split_first() else { return };
    let shared = Shared::new();
    // One in eight: what a call left as it was can only be said on one thread.
    if flags % 8 == 7 {
        std::thread::scope(|scope| {
            let parts = program.chunks(program.len().div_ceil(THREADS).max(1));
            let run_part = |part| run(Args::new(&shared, Input::new(part), false), false);
            let threads: Vec<_> = parts.map(|part| scope.spawn(move || run_part(part))).collect();
            // A scope waits for what its threads do, joining for their end: what they still hold
            // in their locals would look lost.
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    } else {
        run(Args::new(&shared, Input::new(program), true), true);
    }
    finish(&shared);
}

fn run(mut args: Args<'_>, alone: bool) {
    let mut before = Fingerprint::default();
    for _ in 0..CALLS_MAX {
        if args.input.is_empty() {
            return;
        }
        let (name, call) = table::CALLS[args.input.below(table::CALLS.len())];
        set_sentinel();
        args.begin();
        let status = call(&mut args);
        check_status(name, status);
        args.check_places(name, status);
        if alone {
            let after = Fingerprint::of(args.shared);
            if status != MmsbStatus::Ok {
                after.check_same(&before, name, status);
            }
            before = after;
        }
    }
}

/// Makes the thread's last error one that no call of a program has.
fn set_sentinel() {
    // SAFETY: null is refused.
    let status = unsafe { rust_error_info(usize::MAX, ptr::null_mut()) };
    assert_eq!(status, MmsbStatus::InvalidArgument);
    assert!(message().contains(&usize::MAX.to_string()));
}

fn message() -> String {
    // SAFETY: terminated, and this thread makes no other call meanwhile.
    unsafe { CStr::from_ptr(rust_error_message()) }.to_str().unwrap().to_owned()
}

fn check_status(name: &str, status: MmsbStatus) {
    use MmsbStatus::{Internal, Ok, Panic, Poisoned};
    if status != Ok {
        let message = message();
        assert!(!matches!(status, Panic | Internal | Poisoned), "{name}: {status:?}: {message}");
        assert!(!message.is_empty(), "{name}: {status:?} without a message");
        // Some repeat the message of the call before, which a caller's function may pass on.
        let repeats =
            ["rust_transact", "rust_partition_transact", "rust_transaction_after_conflict"];
        let own = name != "rust_error_info" && !repeats.contains(&name);
        assert!(!own || !message.contains("error table"), "{name}: {status:?}, message: {message}");
    }
}

/// What can be seen of all states and allocators.
#[derive(Default)]
struct Fingerprint(Vec<(u64, [u8; 32])>);

impl Fingerprint {
    fn of(shared: &Shared) -> Fingerprint {
        let states = shared.live(args::STATE).into_iter().map(|id| (id, state_digest(id)));
        let others = shared.live(args::ALLOCATOR).into_iter().map(|id| (id, allocator_digest(id)));
        Fingerprint(states.chain(others).collect())
    }

    fn check_same(&self, before: &Fingerprint, name: &str, status: MmsbStatus) {
        for (id, digest) in &self.0 {
            let old = before.0.iter().find(|(old, _)| old == id);
            assert!(
                old.is_none_or(|(_, old)| old == digest),
                "{name} failed with {status:?} and changed {id:#x}"
            );
        }
    }
}

fn state_digest(id: u64) -> [u8; 32] {
    let mut digest = [0; 32];
    // SAFETY: the place is valid.
    let status = unsafe { state::rust_state_digest(MmsbState { id }, &mut digest) };
    assert_eq!(status, MmsbStatus::Ok, "{}", message());
    digest
}

/// Sizes, epochs and contents of an allocator's pages, hashed.
fn allocator_digest(owner: u64) -> [u8; 32] {
    let (mut ids, mut len) = ([0; 1024], 0);
    let allocator = mmsb::ffi::MmsbAllocator { id: owner };
    let mut hasher = blake3::Hasher::new();
    // SAFETY: all places are valid, and a page's size is asked for first.
    unsafe {
        let at = ids.as_mut_ptr();
        let status = allocator::rust_allocator_list_pages(allocator, at, ids.len(), &mut len);
        assert_eq!(status, MmsbStatus::Ok, "{}", message());
        for &id in &ids[..len] {
            let (page, mut size, mut epoch) = (MmsbPage { owner, id }, 0, 0);
            assert_eq!(rust_page_size(page, &mut size), MmsbStatus::Ok);
            assert_eq!(rust_page_epoch(page, &mut epoch), MmsbStatus::Ok);
            let mut bytes = vec![0; size as usize];
            let status = rust_page_read(page, 0, bytes.as_mut_ptr(), bytes.len());
            assert_eq!(status, MmsbStatus::Ok);
            for number in [id, size, epoch] {
                hasher.update(&number.to_le_bytes());
            }
            hasher.update(&bytes);
        }
    }
    *hasher.finalize().as_bytes()
}

/// Everything that is still open is sound, and closes.
fn finish(shared: &Shared) {
    for id in shared.live(args::STATE) {
        let (state, mut past) = (MmsbState { id }, false);
        // SAFETY: the place is valid; a null one is fine, and a null callback too.
        let status = unsafe {
            assert_eq!(state::rust_state_is_read_only(state, &mut past), MmsbStatus::Ok);
            state::rust_state_verify(state, None, ptr::null_mut(), ptr::null_mut())
        };
        let sound = if past { MmsbStatus::HistoryDropped } else { MmsbStatus::Ok };
        assert_eq!(status, sound, "{}", message());
    }
    for (kind, free) in table::FREES {
        for mut id in shared.live(*kind) {
            let status = free(&mut id);
            assert_eq!((status, id), (MmsbStatus::Ok, 0), "{}", message());
        }
    }
}
