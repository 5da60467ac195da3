//! A full memory barrier between two sides, paid by one of them.
//!
//! Two threads that each store to one place and then load the other's need a barrier in between
//! (Dekker). Where one side does so millions of times a second and the other a thousand times,
//! the frequent side gets a barrier for the compiler alone ([`light`]) and the rare side makes the
//! kernel run a barrier on every core that runs this process ([`heavy`]; `membarrier(2)`,
//! `MEMBARRIER_CMD_PRIVATE_EXPEDITED`, Linux 4.14). That saves a locked instruction, 8 ns of an
//! update.
//!
//! Only where [`is_available`] says so; elsewhere both sides use sequentially consistent
//! read-modify-writes.

#[cfg(all(target_os = "linux", not(loom), not(miri)))]
mod os {
    use std::sync::LazyLock;

    static REGISTERED: LazyLock<bool> =
        LazyLock::new(|| call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));

    fn call(command: libc::c_int) -> bool {
        // SAFETY: the call takes numbers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    pub fn is_available() -> bool {
        *REGISTERED
    }

    pub fn heavy() {
        // A registration holds as long as the process. `GLOBAL` needs none and takes milliseconds.
        let done =
            call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) || call(libc::MEMBARRIER_CMD_GLOBAL);
        assert!(done, "membarrier was there when the process began and now is not");
    }
}

#[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
mod os {
    pub fn is_available() -> bool {
        false
    }

    pub fn heavy() {}
}

/// Whether [`heavy`] does what it says here.
pub fn is_available() -> bool {
    os::is_available()
}

/// The frequent side's barrier: keeps the compiler from moving accesses across.
#[inline(always)]
pub fn light() {
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}

/// The rare side's barrier: every thread of the process has passed a full barrier when it returns.
///
/// Cost: about a microsecond, more with more running threads.
pub fn heavy() {
    os::heavy();
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Store, barrier, load on both sides: at least one sees the other's store.
    #[test]
    fn one_side_sees_the_other() {
        if !super::is_available() {
            return;
        }
        const ROUNDS: usize = 2_000;
        let (mine, yours) = (AtomicU32::new(0), AtomicU32::new(0));
        let meet = Barrier::new(2);
        let round = |own: &AtomicU32, other: &AtomicU32, barrier: fn()| {
            meet.wait();
            own.store(1, Ordering::Relaxed);
            barrier();
            let seen = other.load(Ordering::Relaxed);
            meet.wait();
            own.store(0, Ordering::Relaxed);
            seen
        };
        std::thread::scope(|scope| {
            let rare = scope.spawn(|| {
                (0..ROUNDS).map(|_| round(&mine, &yours, super::heavy)).collect::<Vec<_>>()
            });
            let frequent: Vec<_> =
                (0..ROUNDS).map(|_| round(&yours, &mine, super::light)).collect();
            for (a, b) in frequent.into_iter().zip(rare.join().unwrap()) {
                assert!(a == 1 || b == 1);
            }
        });
    }
}
