//! Arguments of calls, as an input asks for them, and the places that calls write to.

use super::super::input::Input;
use mmsb::ffi::MmsbNote;
use mmsb::ffi::delta::MmsbRun;
use mmsb::ffi::events::MmsbEventFilter;
use mmsb::ffi::executor::{MmsbExecutorConfig, MmsbPlace};
use mmsb::ffi::state::{MmsbConfig, MmsbQuery, rust_config_default, rust_query_default};
use mmsb::ffi::status::MmsbStatus;
use mmsb::ffi::transact::MmsbRetry;
use mmsb::ffi::{MmsbAllocator, MmsbBatch, MmsbDelta, MmsbPage, MmsbReader, MmsbSnapshot};
use mmsb::ffi::{
    MmsbComparison, MmsbEvents, MmsbExplanation, MmsbSoftCheckpoint, MmsbState, MmsbTLog, MmsbView,
};
use mmsb::ffi::{MmsbExecutor, MmsbPartition, MmsbProgram, MmsbTickets, MmsbTransaction};
use mmsb::stdx::crc::crc32c;
use std::collections::HashMap;
use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Mutex;

// What stands in a handle's highest byte.
pub const STATE: u8 = 1;
pub const ALLOCATOR: u8 = 2;
pub const DELTA: u8 = 3;
pub const VIEW: u8 = 4;
pub const SNAPSHOT: u8 = 5;
pub const BATCH: u8 = 6;
pub const TLOG: u8 = 7;
pub const READER: u8 = 8;
pub const COMPARISON: u8 = 9;
pub const SOFT_CHECKPOINT: u8 = 10;
pub const TRANSACTION: u8 = 11;
pub const PARTITION: u8 = 12;
pub const PROGRAM: u8 = 13;
pub const EXECUTOR: u8 = 14;
pub const TICKETS: u8 = 15;
pub const EVENTS: u8 = 16;
pub const EXPLANATION: u8 = 17;

/// Sizes of pages: in their limits and small, or out of them.
const SIZES: [u64; 10] = [16, 1, 64, 65, 300, 1024, 5000, 0, (1 << 30) + 1, u64::MAX];
/// Open objects of one kind; more are not made.
const LIVE_MAX: usize = 12;

/// What the threads of one program share.
pub struct Shared {
    live: Mutex<Vec<u64>>,
    seen: Mutex<Vec<u64>>,
    dir: tempfile::TempDir,
}

impl Shared {
    pub fn new() -> Shared {
        // In memory where that can be: this is not about durability.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
        let dir = tempfile::tempdir_in(parent).unwrap();
        Shared { live: Mutex::default(), seen: Mutex::default(), dir }
    }

    /// Handles of a kind that are open, oldest first.
    pub fn live(&self, kind: u8) -> Vec<u64> {
        let live = self.live.lock().unwrap();
        live.iter().copied().filter(|handle| (handle >> 56) as u8 == kind).collect()
    }

    fn begin(&self, handle: u64) {
        assert!(handle != 0, "a call gave out a null handle");
        let mut live = self.live.lock().unwrap();
        assert!(!live.contains(&handle), "a handle was given out twice");
        live.push(handle);
        self.seen.lock().unwrap().push(handle);
    }

    fn end(&self, handle: u64) {
        self.live.lock().unwrap().retain(|&live| live != handle);
    }
}

/// A place that a call may write to.
struct Place {
    at: usize,
    len: usize,
    role: Role,
}

#[derive(PartialEq)]
enum Role {
    /// Written only by a call that succeeds.
    Out,
    /// Told also when a buffer is too small.
    Needed,
    /// Held a handle; a call that takes what it stands for zeroes it.
    Handle(u64),
}

/// Memory of a caller, filled with `UNTOUCHED`.
#[repr(align(64))]
struct Memory([u8; 32 << 10]);
const UNTOUCHED: u8 = 0xA5;

pub struct Args<'a> {
    pub shared: &'a Shared,
    pub input: Input<'a>,
    memory: Box<Memory>,
    used: usize,
    places: Vec<Place>,
    /// What pointers into a call lead to.
    bytes: Vec<Vec<u8>>,
    texts: Vec<CString>,
    note: Option<Box<MmsbNote>>,
    config: Option<Box<MmsbConfig>>,
    query: Option<Box<MmsbQuery>>,
    runs: Vec<Vec<MmsbRun>>,
    retry: Option<Box<MmsbRetry>>,
    executor: Option<Box<MmsbExecutorConfig>>,
    filter: Option<Box<MmsbEventFilter>>,
    handles: Vec<Vec<u64>>,
    lsns: Vec<u64>,
    /// Checksums of what views showed first; nobody else may free them.
    views: Option<HashMap<u64, u32>>,
}

impl<'a> Args<'a> {
    /// `alone`: no other thread uses the same handles.
    pub fn new(shared: &'a Shared, input: Input<'a>, alone: bool) -> Args<'a> {
        Args {
            shared,
            input,
            memory: Box::new(Memory([UNTOUCHED; 32 << 10])),
            used: 0,
            places: Vec::new(),
            bytes: Vec::new(),
            texts: Vec::new(),
            note: None,
            config: None,
            query: None,
            runs: Vec::new(),
            retry: None,
            executor: None,
            filter: None,
            handles: Vec::new(),
            lsns: Vec::new(),
            views: alone.then(HashMap::new),
        }
    }

    /// Forgets the arguments of the last call.
    pub fn begin(&mut self) {
        self.memory.0[..self.used].fill(UNTOUCHED);
        self.used = 0;
        self.places.clear();
        self.bytes.clear();
        self.texts.clear();
        self.runs.clear();
        self.handles.clear();
    }

    /// A call that failed wrote nothing, but for what its kind of place allows.
    pub fn check_places(&self, name: &str, status: MmsbStatus) {
        for place in &self.places {
            let bytes = &self.memory.0[place.at..place.at + place.len];
            match place.role {
                Role::Handle(handle) => {
                    let now = u64::from_le_bytes(*bytes.first_chunk().unwrap());
                    assert!(
                        now == 0 || now == handle && status != MmsbStatus::Ok,
                        "{name}: {now:#x}"
                    );
                    if now == 0 {
                        self.shared.end(handle);
                    }
                }
                Role::Needed if status == MmsbStatus::LengthMismatch => {}
                _ if status == MmsbStatus::Ok => {}
                _ => {
                    let untouched = bytes.iter().all(|&byte| byte == UNTOUCHED);
                    assert!(untouched, "{name} failed with {status:?} and wrote {bytes:?}");
                }
            }
        }
    }

    fn place(&mut self, len: usize, role: Role) -> *mut u8 {
        let at = self.used.next_multiple_of(16);
        // Room for a place that begins one byte later.
        self.used = at + len + 1;
        assert!(self.used <= self.memory.0.len());
        self.places.push(Place { at, len: len + 1, role });
        self.memory.0[at..].as_mut_ptr()
    }

    fn any_place<T>(&mut self, role: Role) -> *mut T {
        match self.input.u8() % 32 {
            31 => ptr::null_mut(),
            // One byte off: refused, unless the type stands anywhere.
            30 => self.place(size_of::<T>(), role).wrapping_add(1).cast(),
            _ => self.place(size_of::<T>(), role).cast(),
        }
    }

    /// A place for a result.
    pub fn out<T>(&mut self) -> *mut T {
        self.any_place(Role::Out)
    }

    /// A place for a length.
    pub fn len(&mut self) -> *mut usize {
        self.any_place(Role::Needed)
    }

    /// A buffer, and for how many values it has room.
    pub fn buffer<T>(&mut self) -> (*mut T, usize) {
        let capacity = self.input.below(40) * self.input.below(20);
        let capacity = capacity.min((8 << 10) / size_of::<T>());
        match self.input.u8() % 32 {
            31 => (ptr::null_mut(), capacity),
            _ => (self.place(capacity * size_of::<T>(), Role::Out).cast(), capacity),
        }
    }

    /// What a call that succeeded wrote to a place.
    pub fn value<T: Copy>(&self, at: *const T) -> Option<T> {
        // SAFETY: `at` is null or a place of this caller's, which the call filled.
        if at.is_null() { None } else { Some(unsafe { at.read_unaligned() }) }
    }

    /// Notes what a call that made an object gave out.
    pub fn made(&mut self, status: MmsbStatus, handle: *const u64) -> MmsbStatus {
        if status == MmsbStatus::Ok {
            self.shared.begin(self.value(handle).unwrap());
        }
        status
    }

    /// Notes an LSN that a call told.
    pub fn told(&mut self, status: MmsbStatus, lsn: *const u64) -> MmsbStatus {
        if status == MmsbStatus::Ok {
            self.lsns.extend(self.value(lsn));
        }
        status
    }

    /// Reads `len` bytes at `at`, while they are known to be there.
    pub fn look(&self, at: *const u8, len: usize) -> u32 {
        if len == 0 || self.views.is_none() {
            return 0;
        }
        // SAFETY: the call said so, and no other thread can have freed them.
        crc32c(unsafe { std::slice::from_raw_parts(at, len) })
    }

    /// A view shows what it showed at first.
    pub fn check_view(&mut self, view: u64, data: *const u8, len: usize) {
        let now = self.look(data, len);
        if let Some(views) = &mut self.views {
            assert_eq!(*views.entry(view).or_insert(now), now, "a view changed");
        }
    }

    /// Whether one more object of a kind may be made.
    pub fn has_room(&self, kind: u8) -> bool {
        self.shared.live(kind).len() < LIVE_MAX
    }

    fn handle(&mut self, kind: u8) -> u64 {
        let any = self.input.u8();
        let live = self.shared.live(kind);
        let pick = |handles: &[u64], at: usize| handles.get(at % handles.len().max(1)).copied();
        match any % 32 {
            31 => 0,
            30 => self.input.u64(),
            29 => live.last().map_or(1, |last| last ^ 1 << (any % 64)),
            26..29 => {
                let at = self.input.u8() as usize;
                pick(&self.shared.seen.lock().unwrap(), at).unwrap_or(0)
            }
            _ => pick(&live, any as usize / 32).unwrap_or(0),
        }
    }

    /// The place of a handle, for a call that ends what it stands for.
    pub fn handle_place(&mut self, kind: u8) -> *mut u64 {
        let handle = self.handle(kind);
        if self.input.once_in(32) {
            return ptr::null_mut();
        }
        if self.input.once_in(64) {
            // One byte off: refused.
            return self.place(size_of::<u64>(), Role::Out).wrapping_add(1).cast();
        }
        let at = self.place(size_of::<u64>(), Role::Handle(handle)).cast::<u64>();
        // SAFETY: the place is this caller's and aligned.
        unsafe { at.write(handle) };
        at
    }

    pub fn state(&mut self) -> MmsbState {
        MmsbState { id: self.handle(STATE) }
    }

    pub fn allocator(&mut self) -> MmsbAllocator {
        MmsbAllocator { id: self.handle(ALLOCATOR) }
    }

    pub fn delta(&mut self) -> MmsbDelta {
        MmsbDelta { id: self.handle(DELTA) }
    }

    pub fn view(&mut self) -> MmsbView {
        MmsbView { id: self.handle(VIEW) }
    }

    pub fn snapshot(&mut self) -> MmsbSnapshot {
        MmsbSnapshot { id: self.handle(SNAPSHOT) }
    }

    pub fn batch(&mut self) -> MmsbBatch {
        MmsbBatch { id: self.handle(BATCH) }
    }

    pub fn tlog(&mut self) -> MmsbTLog {
        MmsbTLog { id: self.handle(TLOG) }
    }

    pub fn reader(&mut self) -> MmsbReader {
        MmsbReader { id: self.handle(READER) }
    }

    pub fn explanation(&mut self) -> MmsbExplanation {
        MmsbExplanation { id: self.handle(EXPLANATION) }
    }

    /// Numbers to compute with.
    pub fn numbers(&mut self) -> (*const f64, usize) {
        let (at, len) = self.bytes();
        match at.cast::<f64>() {
            numbers if numbers.is_aligned() => (numbers, len / 8),
            _ => (ptr::null(), len / 8),
        }
    }

    /// Parents of a page that is to be derived.
    pub fn page_ids(&mut self) -> (*const u64, usize) {
        let count = usize::from(self.input.u8() % 4);
        let ids: Vec<u64> = (0..count).map(|_| self.page_id()).collect();
        self.handles.push(ids);
        (self.handles[self.handles.len() - 1].as_ptr(), count)
    }

    /// A formula: mostly one that fits pages of some size.
    pub fn formula(&mut self) -> *const c_char {
        const FORMULAS: [&str; 8] = [
            "u8: p0",
            "u8: fold(real)",
            "u8: max(p0, p1)",
            "u8: p0[1:]",
            "u8: gather(p0, p1)",
            "f64: sum(p0)",
            "u8: (p0",
            "u64: p7",
        ];
        match self.input.u8() as usize % 16 {
            n if n < 8 => self.keep(FORMULAS[n]),
            n if n < 12 => self.keep(FORMULAS[0]),
            _ => self.text(),
        }
    }

    pub fn comparison(&mut self) -> MmsbComparison {
        MmsbComparison { id: self.handle(COMPARISON) }
    }

    pub fn soft_checkpoint(&mut self) -> MmsbSoftCheckpoint {
        MmsbSoftCheckpoint { id: self.handle(SOFT_CHECKPOINT) }
    }

    pub fn transaction(&mut self) -> MmsbTransaction {
        MmsbTransaction { id: self.handle(TRANSACTION) }
    }

    pub fn partition(&mut self) -> MmsbPartition {
        MmsbPartition { id: self.handle(PARTITION) }
    }

    pub fn program(&mut self) -> MmsbProgram {
        MmsbProgram { id: self.handle(PROGRAM) }
    }

    pub fn executor(&mut self) -> MmsbExecutor {
        MmsbExecutor { id: self.handle(EXECUTOR) }
    }

    pub fn events(&mut self) -> MmsbEvents {
        MmsbEvents { id: self.handle(EVENTS) }
    }

    /// What a subscription asks for; null now and then.
    pub fn event_filter(&mut self) -> *const MmsbEventFilter {
        if self.input.once_in(4) {
            return ptr::null();
        }
        let kinds = if self.input.once_in(3) { 0 } else { self.input.u64() & 0x3FFF };
        let pages: Vec<u64> = (0..self.input.below(4)).map(|_| self.page_id()).collect();
        let capacity = [0, 1, 3, 100, 1 << 30][self.input.below(5)];
        self.handles.push(pages);
        let pages = self.handles.last().map_or(&[][..], |pages| pages);
        let at = if pages.is_empty() { ptr::null() } else { pages.as_ptr() };
        let filter = MmsbEventFilter { kinds, pages: at, page_count: pages.len(), capacity };
        &raw const **self.filter.insert(Box::new(filter))
    }

    pub fn tickets(&mut self) -> MmsbTickets {
        MmsbTickets { id: self.handle(TICKETS) }
    }

    /// Some handles of a kind, one after the other.
    pub fn handles<T>(&mut self, kind: u8) -> (*const T, usize) {
        let count = self.input.below(4);
        let handles = (0..count).map(|_| self.handle(kind)).collect();
        self.handles.push(handles);
        (self.handles[self.handles.len() - 1].as_ptr().cast(), count)
    }

    pub fn place_in_page(&mut self) -> MmsbPlace {
        MmsbPlace { page: self.page_id(), offset: self.offset() }
    }

    pub fn ownership(&mut self) -> u32 {
        match self.input.u8() {
            255 => u32::MAX,
            254 => 0x1_0002,
            n if n < 16 => 1,
            n if n < 128 => 0,
            n => 2 + u32::from(n) % 3,
        }
    }

    /// How often something is tried; null for once in a while. Never long.
    pub fn retry(&mut self) -> *const MmsbRetry {
        if self.input.once_in(8) {
            return ptr::null();
        }
        let (tries, pause_max_us) = (1 + u32::from(self.input.u8()) % 4, 1);
        &raw const **self.retry.insert(Box::new(MmsbRetry { tries, pause_max_us }))
    }

    /// Settings of an executor of few workers, or of too many.
    pub fn executor_config(&mut self) -> *const MmsbExecutorConfig {
        let workers = match self.input.u8() {
            255 => 65,
            254 => u32::MAX,
            n => 1 + u32::from(n) % 2,
        };
        let (unpinned, queue_max) = (self.input.once_in(2), u32::from(self.input.u8()) % 4);
        let retry = MmsbRetry { tries: 3, pause_max_us: 1 };
        let config = MmsbExecutorConfig { workers, unpinned, queue_max, retry };
        &raw const **self.executor.insert(Box::new(config))
    }

    /// A handle of what holds pages.
    pub fn owner(&mut self) -> u64 {
        let kind = if self.input.once_in(4) { ALLOCATOR } else { STATE };
        self.handle(kind)
    }

    pub fn page(&mut self) -> MmsbPage {
        MmsbPage { owner: self.owner(), id: self.page_id() }
    }

    pub fn page_id(&mut self) -> u64 {
        match self.input.u8() {
            255 => u64::MAX,
            254 => self.input.u64(),
            253 => 1 << 42,
            252 => 0,
            n => 1 + u64::from(n) % 6,
        }
    }

    pub fn size(&mut self) -> u64 {
        self.input.pick(&SIZES)
    }

    pub fn location(&mut self) -> u32 {
        match self.input.u8() {
            255 => u32::MAX,
            254 => 3,
            n => u32::from(n) % 3,
        }
    }

    pub fn offset(&mut self) -> u64 {
        match self.input.u8() {
            255 => u64::MAX,
            254 => self.input.u64(),
            253 => self.input.u16().into(),
            n => u64::from(n) % 70,
        }
    }

    pub fn lsn(&mut self) -> u64 {
        match self.input.u8() {
            255 => u64::MAX,
            254 => self.input.u64(),
            253 => 0,
            n => self.lsns.get(n as usize % self.lsns.len().max(1)).copied().unwrap_or(0),
        }
    }

    /// `len` bytes, for lengths that fit a page or are any.
    pub fn bytes(&mut self) -> (*const u8, usize) {
        let len = match self.input.u8() {
            255 => 70_000,
            254 => self.input.u16() as usize,
            n if n >= 128 => SIZES[n as usize % 7] as usize,
            n => n as usize % 70,
        };
        (self.bytes_of(len), len)
    }

    /// Bytes of a given length; null for once in a while.
    pub fn bytes_of(&mut self, len: usize) -> *const u8 {
        if self.input.once_in(64) {
            return ptr::null();
        }
        let seed = self.input.bytes(4);
        let bytes: Vec<u8> = match seed {
            [] => vec![0; len],
            _ => (0..len).map(|i| seed[i % seed.len()].wrapping_add((i / 16) as u8)).collect(),
        };
        self.bytes.push(bytes);
        self.bytes[self.bytes.len() - 1].as_ptr()
    }

    /// Bytes and a length that no slice can have, once in a while.
    pub fn any_bytes(&mut self) -> (*const u8, usize) {
        match self.bytes() {
            (at, _) if self.input.once_in(64) && !at.is_null() => (at, usize::MAX),
            bytes => bytes,
        }
    }

    /// A key of metadata: mostly one of few.
    pub fn key(&mut self) -> (*const u8, usize) {
        match self.input.u8() {
            255 => (ptr::null(), 3),
            254 => (self.bytes_of(256), 256),
            253 => (self.bytes_of(0), 0),
            n => {
                self.bytes.push(vec![n % 4; 3]);
                (self.bytes[self.bytes.len() - 1].as_ptr(), 3)
            }
        }
    }

    /// The bytes of the runs made last, or too few or many.
    pub fn payload(&mut self) -> (*const u8, usize) {
        let sum = self.runs.last().map_or(0, |runs| runs.iter().map(|run| run.len).sum::<u64>());
        let len = if self.input.once_in(16) { self.input.below(100) } else { sum as usize };
        (self.bytes_of(len), len)
    }

    pub fn runs(&mut self) -> (*const MmsbRun, usize) {
        let count = self.input.below(6);
        let mut end = 0u64;
        let runs: Vec<MmsbRun> = (0..count)
            .map(|_| {
                let step = self.offset();
                let offset =
                    if self.input.once_in(16) { step } else { end.saturating_add(step % 8) };
                let len = self.offset() % 16;
                end = offset.saturating_add(len);
                MmsbRun { offset, len }
            })
            .collect();
        self.runs.push(runs);
        (self.runs[self.runs.len() - 1].as_ptr(), count)
    }

    fn keep(&mut self, text: impl Into<Vec<u8>>) -> *const c_char {
        self.texts.push(CString::new(text).unwrap());
        self.texts[self.texts.len() - 1].as_ptr()
    }

    /// A label: mostly short, or null, too long, or no UTF-8.
    pub fn text(&mut self) -> *const c_char {
        match self.input.u8() % 32 {
            31 => self.keep("x".repeat(256)),
            30 => self.keep("y".repeat(65_536)),
            29 => self.keep(*b"\xffno text"),
            28 => self.keep("z".repeat(65)),
            n if n < 8 => ptr::null(),
            n => self.keep(["", "a", "b", "label"][n as usize % 4]),
        }
    }

    pub fn note(&mut self) -> *const MmsbNote {
        if self.input.once_in(2) {
            return ptr::null();
        }
        let note = MmsbNote { source: self.text(), intent: self.text() };
        &raw const **self.note.insert(Box::new(note))
    }

    /// A path: of a directory for states or logs, of an image, or of what is neither.
    pub fn path(&mut self) -> *const c_char {
        let dir: PathBuf = self.shared.dir.path().into();
        let at = |name: &str| dir.join(name).as_os_str().as_bytes().to_vec();
        match self.input.u8() % 32 {
            31 => ptr::null(),
            30 => self.keep(""),
            29 => self.keep(*b"\xff\xfe"),
            28 => self.keep(at("missing/below")),
            27 => self.keep(at("a/MANIFEST")),
            26 => self.keep(at(".")),
            n => self.keep(at(["a", "b", "log", "x.image", "y.image"][n as usize % 5])),
        }
    }

    /// Settings of a state or log; null for once in a while.
    pub fn config(&mut self) -> *const MmsbConfig {
        if self.input.once_in(8) {
            return ptr::null();
        }
        let mut config = std::mem::MaybeUninit::uninit();
        let durable = self.input.once_in(2);
        // SAFETY: the place is valid and filled.
        let mut config = unsafe {
            assert_eq!(rust_config_default(durable, config.as_mut_ptr()), MmsbStatus::Ok);
            config.assume_init()
        };
        if durable {
            config.path = self.path();
            config.durability = self.input.u8() as u32 % 3;
        }
        config.segment_bytes = 64 << 10;
        match self.input.u8() {
            255 => config.durability = self.input.u64() as u32,
            254 => config.segment_bytes = self.input.u64(),
            253 => config.flush_every_us = 0,
            252 => config.sync_every_us = self.input.u64(),
            251 => config.pending_bytes_max = self.input.u64(),
            248 => config.version_bytes_max = self.input.u64() % 10_000,
            250 => config.history_bytes = self.input.u64(),
            249 => config.must_exist = true,
            _ => {}
        }
        &raw const **self.config.insert(Box::new(config))
    }

    pub fn query(&mut self) -> *const MmsbQuery {
        if self.input.once_in(4) {
            return ptr::null();
        }
        let mut query = std::mem::MaybeUninit::uninit();
        // SAFETY: the place is valid and filled.
        let mut query = unsafe {
            assert_eq!(rust_query_default(query.as_mut_ptr()), MmsbStatus::Ok);
            query.assume_init()
        };
        match self.input.below(8) {
            0 => query.page = self.page_id(),
            1 => query.after = self.lsn(),
            2 => query.to = self.lsn(),
            3 => query.source = self.text(),
            4 => query.limit = self.offset(),
            5 => query.from_ms = self.input.u64(),
            6 => query.to_ms = self.input.u64(),
            _ => {}
        }
        &raw const **self.query.insert(Box::new(query))
    }
}
