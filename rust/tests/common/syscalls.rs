//! Counts the system calls of a piece of work: it runs in a child that is traced.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

fn trace(request: libc::c_uint, child: libc::pid_t) {
    let none = ptr::null_mut::<libc::c_void>();
    // SAFETY: neither request reads or writes memory of ours.
    let done = unsafe { libc::ptrace(request as _, child, none, none) };
    assert!(done >= 0, "ptrace: {}", std::io::Error::last_os_error());
}

/// What stopped the child: a signal, or `None` at its end.
fn stop(child: libc::pid_t) -> Option<i32> {
    let mut status = 0;
    // SAFETY: `status` is valid for a write.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    if libc::WIFEXITED(status) {
        assert_eq!(libc::WEXITSTATUS(status), 0, "the traced work failed");
        return None;
    }
    assert!(libc::WIFSTOPPED(status), "the traced work ended with {status:x}");
    Some(libc::WSTOPSIG(status))
}

/// System calls that `work` makes after it called what it is given, up to its end; what it returns is
/// not dropped.
pub fn count<R>(work: impl FnOnce(&dyn Fn()) -> R) -> u64 {
    // SAFETY: this process has one thread; the child runs `work` and leaves.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        trace(libc::PTRACE_TRACEME, 0);
        // SAFETY: takes nothing, returns a number.
        let own = unsafe { libc::getpid() };
        // One call, where `raise` makes several.
        // SAFETY: stops this process until its tracer lets it go on.
        let begin = || assert_eq!(unsafe { libc::kill(own, libc::SIGSTOP) }, 0);
        let kept = catch_unwind(AssertUnwindSafe(|| work(&begin)));
        // SAFETY: leaves without running what the parent registered, after a panic, too.
        unsafe { libc::_exit(kept.is_err().into()) };
    }
    // Untraced until the work asks for it.
    assert_eq!(stop(child), Some(libc::SIGSTOP));
    let mut stops = 0u64;
    loop {
        trace(libc::PTRACE_SYSCALL, child);
        match stop(child) {
            Some(libc::SIGTRAP) => stops += 1,
            Some(signal) => panic!("the traced work got signal {signal}"),
            None => break,
        }
    }
    // Each call stops twice, at its begin and its end; the one that the child leaves by has no end.
    (stops - 1) / 2
}
