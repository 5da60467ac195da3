//! Mistakes that a build can be made to make, for the tests' own sake: what finds none of these
//! finds no other either.
//!
//! A build with `RUSTFLAGS="--cfg canaries"` has all of them, and [`choose`] lets one of them sing.
//! In any other build [`sings`] is `false` for the compiler, too, and nothing of them is left.

/// Declares the mistakes, each with the name that a test chooses it by.
macro_rules! canaries {
    ($($(#[doc = $doc:literal])+ $canary:ident = $name:literal;)+) => {
        /// A mistake.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Canary { $($(#[doc = $doc])+ $canary,)+ }

        impl Canary {
            /// All of them.
            pub const ALL: &[Canary] = &[$(Canary::$canary,)+];

            /// What it is called.
            pub fn name(self) -> &'static str {
                match self { $(Canary::$canary => $name,)+ }
            }
        }
    };
}

canaries! {
    /// The log's files are not synced.
    SkippedSync = "skipped-sync";
    /// The directory is not synced after a segment was made.
    ForgottenNames = "forgotten-names";
    /// Groups are acknowledged when they are written, before the sync.
    EarlyAcknowledgement = "early-acknowledgement";
    /// Who waits for somebody else's sync is not woken.
    LostWakeUp = "lost-wake-up";
    /// A failed sync poisons nothing.
    ForgivenSync = "forgiven-sync";
    /// The syncer is not told of what was written.
    ForgottenWindow = "forgotten-window";
    /// No space is reserved before a record is accepted.
    UnreservedSpace = "unreserved-space";
    /// A record's checksum is not looked at.
    UncheckedRecord = "unchecked-record";
    /// The checksum of an image's page is not looked at.
    UncheckedImage = "unchecked-image";
    /// Recovery passes over a bad record and goes on.
    PassedOver = "passed-over";
    /// Recovery cuts off damage to what was durable as it does a torn tail.
    CutDamage = "cut-damage";
    /// Recovery leaves a torn tail where it is.
    LeftTail = "left-tail";
    /// Recovery does not write again what a failed sync may have left.
    NotWrittenAgain = "not-written-again";
    /// A record's first entry alone is applied at recovery.
    HalfAGroup = "half-a-group";
    /// Segments that are still needed are retired.
    EarlyRetirement = "early-retirement";
    /// A manifest gets its name before it is synced.
    UnsyncedManifest = "unsynced-manifest";
    /// An image gets its name before it is synced.
    UnsyncedImage = "unsynced-image";
    /// A manifest says that all that is written was synced.
    BoldManifest = "bold-manifest";
    /// A commit does not compare what it read with what is there.
    UncheckedRead = "unchecked-read";
    /// A transaction does not look whether what it read earlier still holds.
    StaleRead = "stale-read";
    /// Writers change frames that a snapshot may read.
    ForgottenSnapshot = "forgotten-snapshot";
    /// What derives from a derived page does not follow it.
    ForgottenChild = "forgotten-child";
    /// A page is computed of what its parents were before the group.
    OldParent = "old-parent";
    /// Deferred, what derives from a stale page is not marked.
    ForgottenMark = "forgotten-mark";
    /// A group does not look whether anything is computed from its pages.
    UnfollowedGroup = "unfollowed-group";
    /// A flush asks for the lanes once more, and takes what was closed of each by its place.
    LanesAnew = "lanes-anew";
    /// Each life seals with the same salt, from the first count on.
    KeptSalt = "kept-salt";
    /// A private page that is gone back to has open content in the log.
    OpenReturn = "open-return";
}

/// Whether the mistake is to be made.
#[cfg(not(canaries))]
#[inline(always)]
pub const fn sings(_: Canary) -> bool {
    false
}

#[cfg(canaries)]
static CHOSEN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// Whether the mistake is to be made.
#[cfg(canaries)]
#[inline]
pub fn sings(canary: Canary) -> bool {
    CHOSEN.load(std::sync::atomic::Ordering::Relaxed) == canary as usize
}

/// Lets a mistake be made from now on, and no other.
#[cfg(canaries)]
pub fn choose(canary: Option<Canary>) {
    let chosen = canary.map_or(usize::MAX, |canary| canary as usize);
    CHOSEN.store(chosen, std::sync::atomic::Ordering::Relaxed);
}
