//! Checkpoints of a live state, retention, and verification of everything that is stored.

use super::State;
use super::core::{Catalog, Core, EAGER_FLUSH_BYTES};
use super::digest::digest_of;
use super::ending;
use super::snapshot::Snapshot;
use crate::bail;
use crate::checkpoint::{Image, ImagePage, ImageRef, ImageWriter};
use crate::config::Durability;
use crate::env::{OsStorage, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::events::EventKind;
use crate::limits::CHECKPOINT_NAME_BYTES_MAX;
use crate::page::slot::Seen;
use crate::stdx::canary::{Canary, sings};
use crate::types::Lsn;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A checkpoint that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointInfo {
    /// The closed LSN that it stands at.
    pub lsn: Lsn,
    /// Its name; empty if it has none.
    pub name: String,
    /// Bytes of its file.
    pub bytes: u64,
}

/// What [`State::verify`] looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Records whose checksums, links and order were checked.
    pub records: u64,
    /// Bytes of them.
    pub record_bytes: u64,
    /// Images whose every byte was checked.
    pub images: u64,
    /// The closed LSN of the comparison.
    pub lsn: Lsn,
    /// Digest of the live state and of its replay, which are equal.
    pub digest: [u8; 32],
}

impl State {
    /// Makes a durable image of the state as of now, without stopping writers. Log that neither
    /// recovery, nor [`Config::history_bytes`](crate::Config::history_bytes), nor a named
    /// checkpoint needs is recycled.
    ///
    /// - `name`: keeps this checkpoint, and history back to it, until
    ///   [`drop_checkpoint`](State::drop_checkpoint); at most 64 bytes. `None` for one that later
    ///   ones replace.
    ///
    /// # Errors
    /// `InvalidArgument` for a name in use, `TooLong`, `ReadOnly` for a state that shows the past
    /// ([`export_checkpoint`](State::export_checkpoint) takes that), `Poisoned`, and what the
    /// storage says. Then the state and what is kept of it are as before.
    ///
    /// Cost: writing all pages once, and a few syncs.
    pub fn checkpoint(&self, name: Option<&str>) -> Result<CheckpointInfo> {
        self.checkpoint_with(name, |_| ControlFlow::Continue(()))
    }

    /// As [`checkpoint`](State::checkpoint); `progress` is told the bytes of pages written so far,
    /// and may give the checkpoint up. It may use the state, but for making another checkpoint
    /// (`InvalidArgument`).
    ///
    /// # Errors
    /// `Cancelled` if `progress` breaks: what is kept is as before.
    pub fn checkpoint_with(
        &self,
        name: Option<&str>,
        progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<CheckpointInfo> {
        self.check_open()?;
        let name = name.unwrap_or("");
        if name.len() > CHECKPOINT_NAME_BYTES_MAX {
            let (n, max) = (name.len(), CHECKPOINT_NAME_BYTES_MAX);
            bail!(TooLong, "a checkpoint name of {n} bytes; the limit is {max}");
        }
        self.core().checkpoint(name, ending(progress))
    }

    /// Whether the next change may be the one that makes the checkpoint that the log's growth asks
    /// for ([`Config::history_bytes`](crate::Config::history_bytes)), and so takes as long as
    /// writing all pages: one is due, or will be with the next flush. In
    /// [`Durability::Buffered`] a background thread makes them, and a change waits only where that
    /// is left far behind. For callers that hold a lock of their own around changes.
    ///
    /// Cost: about 1 ns.
    #[inline]
    pub fn is_checkpoint_due(&self) -> bool {
        let core = self.core();
        match core.config.durability {
            Durability::Buffered => core.log.is_checkpoint_overdue(),
            _ => core.log.is_checkpoint_near(EAGER_FLUSH_BYTES),
        }
    }

    /// Gives a named checkpoint up. Its files go with the next checkpoint.
    ///
    /// # Errors
    /// `CheckpointNotFound`.
    pub fn drop_checkpoint(&self, name: &str) -> Result<()> {
        self.check_open()?;
        let core = self.core();
        let mut catalog = core.catalog.lock();
        let images = &mut catalog.manifest.images;
        match images.iter_mut().find(|image| !name.is_empty() && image.name == name) {
            Some(image) => image.name.clear(),
            None => bail!(CheckpointNotFound, "no checkpoint named {name:?} is kept"),
        }
        core.write_manifest(&mut catalog)
    }

    /// The checkpoints that are kept, oldest first.
    pub fn checkpoints(&self) -> Result<Vec<CheckpointInfo>> {
        self.check_open()?;
        let catalog = self.core().catalog.lock();
        Ok(catalog.manifest.images.iter().map(CheckpointInfo::from).collect())
    }

    /// Writes an image of the state as of now to the file `path`, which must not exist: a backup
    /// that [`load_checkpoint`](State::load_checkpoint) opens. Returns the LSN that it stands at.
    ///
    /// # Errors
    /// `InvalidArgument` if something of that name exists (it is left alone), or for a path without
    /// a file's name; `FileNotFound` if its directory does not exist; `NotUtf8` for the name; what
    /// the storage says. The state is as before, and no file stays.
    ///
    /// Cost: writing all pages once, and two syncs.
    pub fn export_checkpoint(&self, path: impl AsRef<Path>) -> Result<Lsn> {
        self.export_checkpoint_with(path, |_| ControlFlow::Continue(()))
    }

    /// As [`export_checkpoint`](State::export_checkpoint); `progress` is told the bytes of pages
    /// written so far, and may give the export up.
    ///
    /// # Errors
    /// `Cancelled` if `progress` breaks: no file stays.
    pub fn export_checkpoint_with(
        &self,
        path: impl AsRef<Path>,
        progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Lsn> {
        self.snapshot()?.export_with(path, progress)
    }

    /// Opens the image in the file `path` as a new state in memory. The file is mapped
    /// copy-on-write: it never changes, and pages are read when they are first asked for.
    ///
    /// # Errors
    /// `FileNotFound`; `Foreign` for a directory or a file that never was an image; `Corrupt` with
    /// place and reason; `UnknownFormat`. A page that stands damaged in it is `Corrupt` when it is
    /// asked for.
    ///
    /// Cost: about a millisecond, whatever the size.
    pub fn load_checkpoint(path: impl AsRef<Path>) -> Result<State> {
        let (storage, name) = split_path(path.as_ref())?;
        let image = Image::open_any(&storage, &name)?;
        let mut core = Core::take();
        let inner = super::exclusive(&mut core)?;
        inner.origin = Some((Arc::new(storage), name, image.lsn));
        inner.base_on(Arc::new(image));
        Ok(State::from_core(core))
    }

    /// Checks everything that is stored: each record of the kept log, each byte of the images, and
    /// that a replay of the log gives the live state.
    ///
    /// # Errors
    /// `Corrupt` with file, offset and reason. `HistoryDropped` for a state that shows the past: it
    /// has no log of its own to be compared with; verify the state that it was replayed from.
    ///
    /// Cost: one pass over images and log, a replay, and two digests.
    pub fn verify(&self) -> Result<Verified> {
        self.verify_with(|_| ControlFlow::Continue(()))
    }

    /// As [`verify`](State::verify); `progress` is told the bytes of images and log checked so far
    /// (the number stands still while the state is replayed and compared), and may end the check.
    ///
    /// # Errors
    /// `Cancelled` if `progress` breaks.
    pub fn verify_with(&self, progress: impl FnMut(u64) -> ControlFlow<()>) -> Result<Verified> {
        self.check_open()?;
        let core = self.core();
        if self.is_read_only() {
            let at = core.log.history_floor();
            bail!(HistoryDropped, "the state as of {at} has no log of its own to be verified by");
        }
        let mut snapshot = self.snapshot()?;
        self.flush()?;
        let (mut done, mut progress) = (0, ending(progress));
        let mut step = |bytes| {
            done += bytes;
            progress(done)
        };
        let images = core.open_images()?;
        for image in &images {
            image.verify(&mut step)?;
        }
        let mut reader = core.log.reader_of_kept(Lsn::MAX)?;
        let (mut records, mut record_bytes) = (0, 0);
        while let Some(record) = reader.next_record()? {
            records += 1;
            record_bytes += record.len() as u64;
            step(record.len() as u64)?;
        }
        let (digest, replayed) = loop {
            let digest = digest_of(&snapshot, |_| step(0))?;
            match core.replay_to(snapshot.lsn(), |_| step(0)) {
                // A checkpoint was made meanwhile, and what leads to the snapshot is gone.
                Err(error) if error.kind() == ErrorKind::HistoryDropped => {
                    snapshot = self.snapshot()?;
                    self.flush()?;
                }
                past => break (digest, past?),
            }
        };
        if digest_of(&replayed.snapshot()?, |_| step(0))? != digest {
            bail!(Corrupt, "a replay up to {} does not give the live state", snapshot.lsn());
        }
        let images = images.len() as u64;
        Ok(Verified { records, record_bytes, images, lsn: snapshot.lsn(), digest })
    }
}

impl Snapshot {
    /// Writes what the snapshot shows to the file `path`, which must not exist: an image that
    /// [`State::load_checkpoint`] opens. Returns the LSN that it stands at.
    ///
    /// # Errors
    /// `SnapshotTooOld`, and those of [`State::export_checkpoint`]. No file stays.
    ///
    /// Cost: writing all pages once, and two syncs.
    pub fn export(&self, path: impl AsRef<Path>) -> Result<Lsn> {
        self.export_with(path, |_| ControlFlow::Continue(()))
    }

    /// As [`export`](Snapshot::export); `progress` is told the bytes of pages written so far, and
    /// may give the export up.
    ///
    /// # Errors
    /// `Cancelled` if `progress` breaks: no file stays.
    pub fn export_with(
        &self,
        path: impl AsRef<Path>,
        progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Lsn> {
        let (storage, name) = split_path(path.as_ref())?;
        let identity = self.core().catalog.lock().manifest.identity;
        write_image(&storage, &name, identity, self, ending(progress))?;
        let fail = |error| Error::io(format_args!("sync {:?}", storage.describe("")), error);
        storage.sync_dir().map_err(fail)?;
        Ok(self.lsn())
    }
}

impl From<&ImageRef> for CheckpointInfo {
    fn from(image: &ImageRef) -> CheckpointInfo {
        CheckpointInfo { lsn: image.lsn, name: image.name.clone(), bytes: image.bytes }
    }
}

fn split_path(path: &Path) -> Result<(OsStorage, String)> {
    let name = match path.file_name().map(|name| name.to_str()) {
        Some(Some(name)) => name.to_owned(),
        Some(None) => bail!(NotUtf8, "the name of the file {path:?} is not UTF-8"),
        None => bail!(InvalidArgument, "{path:?} does not name a file"),
    };
    super::check_path(path)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let fail = |error| Error::io(format_args!("open {path:?}"), error);
    Ok((OsStorage::new(parent).map_err(fail)?, name))
}

fn write_image(
    storage: &dyn Storage,
    name: &str,
    identity: [u8; 16],
    snapshot: &Snapshot,
    mut progress: impl FnMut(u64) -> Result<()>,
) -> Result<u64> {
    let mut writer = ImageWriter::create(storage, name, identity)?;
    let each = |id, seen: &Seen, bytes: &[u8]| {
        let &Seen { epoch, lsn, location, ownership, private, .. } = seen;
        let meta = seen.meta.as_deref();
        writer.add(&ImagePage { id, epoch, lsn, location, ownership, private, bytes, meta })
    };
    let mut done = 0;
    let pages = snapshot.for_each(each, |bytes| {
        done += bytes;
        progress(done)
    });
    let written = pages.and_then(|()| writer.finish(snapshot.next_id(), snapshot.lsn()));
    written.inspect_err(|_| {
        // What went wrong is the error to report, not that the half-made file stays.
        let _ = storage.remove(name);
    })
}

/// Whether no record was published since the newest image was begun, and it can take the name.
fn is_reusable(catalog: &Catalog, published: u64, name: &str) -> bool {
    let can_take = |image: &ImageRef| name.is_empty() || image.name.is_empty();
    catalog.imaged == Some(published) && catalog.manifest.images.last().is_some_and(can_take)
}

/// Gives the newest image the name, if there is one to give.
fn take_name(catalog: &mut Catalog, name: &str) -> Result<CheckpointInfo> {
    let Some(image) = catalog.manifest.images.last_mut() else {
        bail!(Internal, "the image that was just made is not in the manifest");
    };
    if !name.is_empty() {
        image.name = name.to_owned();
    }
    Ok(CheckpointInfo::from(&*image))
}

impl Core {
    pub(super) fn checkpoint(
        self: &Arc<Core>,
        name: &str,
        progress: impl FnMut(u64) -> Result<()>,
    ) -> Result<CheckpointInfo> {
        let Some(_making) = self.making.enter() else {
            bail!(InvalidArgument, "this thread is making a checkpoint of this state already");
        };
        let named = |image: &ImageRef| !name.is_empty() && image.name == name;
        if self.catalog.lock().manifest.images.iter().any(named) {
            bail!(InvalidArgument, "a checkpoint named {name:?} is kept already");
        }
        let start = self.wall.monotonic_ns();
        self.check_open()?;
        self.check_writable()?;
        let published = self.log.records();
        let snapshot = Snapshot::take(self.clone(), true);
        // The log first: an image must never be ahead of what the log can tell.
        self.log.sync()?;
        let reuse = is_reusable(&self.catalog.lock(), published, name);
        let made = if reuse { None } else { Some(self.make_image(&snapshot, progress)?) };
        drop(snapshot);
        let mut catalog = self.catalog.lock();
        // A background checkpoint may come late: what was closed in order stays so.
        if let Err(closed) = self.check_open() {
            made.inspect(|image| drop(self.storage.remove(&image.file_name())));
            return Err(closed);
        }
        if let Some(image) = made {
            catalog.manifest.images.push(image);
            catalog.imaged = Some(published);
        }
        let info = take_name(&mut catalog, name)?;
        let dropped = self.prune(&mut catalog);
        let first = self.log.first_needed(self.needed(&catalog));
        catalog.manifest.first = first;
        self.write_manifest(&mut catalog)?;
        for image in dropped {
            let _ = self.storage.remove(&image.file_name());
        }
        self.log.note_image(info.bytes);
        self.log.retire(first)?;
        self.counters.checkpoint.store(info.lsn.0, Ordering::Relaxed);
        self.events.tell(EventKind::Checkpoint, info.lsn);
        self.counters.checkpoint_ns.add(self.wall.monotonic_ns().saturating_sub(start));
        Ok(info)
    }

    /// Every image that a replay may begin with, mapped: those kept, and the file that the state
    /// was loaded from.
    fn open_images(&self) -> Result<Vec<Image>> {
        let catalog = self.catalog.lock();
        let kept = catalog.manifest.images.iter();
        let kept = kept.map(|image| Image::open(&*self.storage, &image.file_name()));
        let origin = self.origin.iter().map(|(storage, name, _)| Image::open(&**storage, name));
        origin.chain(kept).collect()
    }

    fn make_image(
        &self,
        snapshot: &Snapshot,
        progress: impl FnMut(u64) -> Result<()>,
    ) -> Result<ImageRef> {
        let storage = &*self.storage;
        let identity = self.catalog.lock().manifest.identity;
        let mut image = ImageRef { lsn: snapshot.lsn(), bytes: 0, name: String::new() };
        let (file, aside) = (image.file_name(), format!("{}.new", image.file_name()));
        // One that was left half made and could not be removed when the state was opened.
        let _ = storage.remove(&aside);
        image.bytes = write_image(storage, &aside, identity, snapshot, progress)?;
        let fail =
            |error| Error::io(format_args!("rename to {:?}", storage.describe(&file)), error);
        storage.rename(&aside, &file).map_err(fail)?;
        // Durable under its name before a manifest says so: renames may survive in any order.
        storage.sync_dir().map_err(fail)?;
        Ok(image)
    }

    pub(super) fn write_manifest(&self, catalog: &mut Catalog) -> Result<()> {
        let manifest = &mut catalog.manifest;
        (manifest.clean, manifest.durable) = (false, self.log.synced());
        if sings(Canary::BoldManifest) {
            manifest.durable = self.log.written();
        }
        manifest.write(&*self.storage)
    }

    /// Takes images out of the manifest that the history setting does not ask for.
    fn prune(&self, catalog: &mut Catalog) -> Vec<ImageRef> {
        let keep = self.history_begin(catalog);
        let gone = |image: &mut ImageRef| image.name.is_empty() && image.lsn < keep;
        catalog.manifest.images.extract_if(.., gone).collect()
    }

    /// The newest image that has as much log after it as the history setting asks for.
    fn history_begin(&self, catalog: &Catalog) -> Lsn {
        let enough =
            |image: &&ImageRef| self.log.bytes_after(image.lsn) >= self.config.history_bytes;
        let images = &catalog.manifest.images;
        images.iter().rev().find(enough).map_or(Lsn::ZERO, |image| image.lsn)
    }

    /// The LSN above which log is needed: by recovery, history or a named checkpoint.
    fn needed(&self, catalog: &Catalog) -> Lsn {
        let named = catalog.manifest.images.iter().filter(|image| !image.name.is_empty());
        let oldest = named.map(|image| image.lsn).min().unwrap_or(Lsn::MAX);
        self.history_begin(catalog).min(oldest)
    }

    /// A checkpoint that the log's growth asks for. What goes wrong is told to whoever asks for
    /// one; the log only grows longer.
    #[cold]
    pub(super) fn checkpoint_when_due(self: &Arc<Core>) {
        let ours = match self.config.durability {
            // The background sees to it, unless it is left behind: then writers wait for it.
            Durability::Buffered => self.log.is_checkpoint_overdue(),
            // Nobody waits for one that is being made; after it, the next change asks again.
            _ => !self.making.is_busy(),
        };
        if ours && self.log.take_checkpoint_due() {
            let _ = self.checkpoint("", |_| Ok(()));
        }
    }

    /// Begins a state in memory with an image instead of nothing.
    fn base_on(&mut self, image: Arc<Image>) {
        let lsn = image.lsn;
        self.table.back(image);
        if let Some(log) = Arc::get_mut(&mut self.log) {
            log.rebase(lsn);
        }
    }
}
