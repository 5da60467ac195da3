//! A log by itself: deltas appended in order, durable, read back, without a state that they change.

use super::core::{log_options, wall};
use super::history::{Change, Changes, Query};
use super::op::{self, kind};
use super::{check_config, lock_directory, open_directory, refuse_others, take_over};
use crate::checkpoint::Manifest;
use crate::checkpoint::manifest::Kind;
use crate::config::{Config, Durability};
use crate::env::{Clock, Storage};
use crate::error::{Error, Result};
use crate::log::recovery::Known;
use crate::log::{Background, EntryHead, Log, LogStats, Recovered, record};
use crate::page::Delta;
use crate::stdx::sync::Mutex;
use crate::types::{Epoch, Lsn, PageId};
use dashmap::DashMap;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A log of deltas in a directory of its own. Shared by reference between threads.
///
/// ```
/// # use mmsb::{Config, Delta, PageId, Query, TLog};
/// # fn main() -> mmsb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// let log = TLog::open(Config::durable(dir.path().join("log")))?;
/// let lsn = log.append(&Delta::dense(PageId(1), b"abcd")?.with_source("demo")?)?;
/// let read: Vec<_> = log.query(Query::default())?.collect::<Result<_, _>>()?;
/// assert_eq!((read.len(), read[0].lsn), (1, lsn));
/// log.close()
/// # }
/// ```
pub struct TLog {
    /// Stopped before the log is shut.
    background: Mutex<Option<Background>>,
    log: Arc<Log>,
    /// Each page's last record and epoch. A page's entry is locked while its delta is appended,
    /// so that links and epochs follow LSN order.
    heads: DashMap<u64, (Lsn, Epoch)>,
    storage: Arc<dyn Storage>,
    wall: Arc<dyn Clock>,
    manifest: Mutex<Manifest>,
    durability: Durability,
    recovered: Recovered,
    _lock: Box<dyn Send + Sync>,
}

/// What a log holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TLogSummary {
    /// Deltas.
    pub deltas: u64,
    /// Pages that they change.
    pub pages: u64,
    /// Bytes of new content.
    pub payload_bytes: u64,
    /// Bytes of the records that hold them.
    pub record_bytes: u64,
    /// First and last LSN; zero if there is none.
    pub first: Lsn,
    /// Last LSN.
    pub last: Lsn,
    /// Wall clock of the first and last record, milliseconds.
    pub first_ms: u64,
    /// Wall clock of the last record.
    pub last_ms: u64,
    /// Deltas per source label.
    pub sources: BTreeMap<String, u64>,
}

impl TLog {
    /// Opens or creates the log in the directory `config.path`.
    ///
    /// # Errors
    /// As [`State::open`](crate::State::open); `InvalidArgument` without a path.
    pub fn open(config: Config) -> Result<TLog> {
        check_config(&config)?;
        let Some(path) = config.path.as_deref() else {
            crate::bail!(InvalidArgument, "a log by itself needs a path");
        };
        let storage = Arc::new(open_directory(Path::new(path), config.must_exist)?);
        TLog::open_in(storage, wall(), config)
    }

    /// As [`open`](TLog::open), over any storage.
    pub fn open_in(
        storage: Arc<dyn Storage>,
        wall: Arc<dyn Clock>,
        config: Config,
    ) -> Result<TLog> {
        refuse_others(&*storage, config.must_exist)?;
        let lock = lock_directory(&*storage)?;
        let (manifest, clean) = take_over(&*storage, Kind::Log, config.must_exist)?;
        let known = Known {
            identity: manifest.identity,
            first: manifest.first,
            after: Lsn::ZERO,
            must: manifest.durable,
            clean,
        };
        let heads = DashMap::new();
        let options = log_options(&config);
        let (log, recovered) =
            Log::open(storage.clone(), wall.clone(), known, options, |record| {
                for entry in record.entries().flatten() {
                    heads.insert(entry.head.object, (record.lsn, entry.head.epoch));
                }
                Ok(())
            })?;
        let log = Arc::new(log);
        let background = match config.durability {
            Durability::Buffered => Some(
                Background::start(&log, config.flush_every, config.sync_every, None)
                    .map_err(|error| Error::io("start the flusher", error))?,
            ),
            _ => None,
        };
        Ok(TLog {
            background: Mutex::new(background),
            log,
            heads,
            storage,
            wall,
            manifest: Mutex::new(manifest),
            durability: config.durability,
            recovered,
            _lock: lock,
        })
    }

    /// Appends a delta as it is; nothing is compared, nothing applied. Returns its LSN, which is
    /// its id.
    ///
    /// Cost: as a logged update; in [`Durability::Sync`] it waits for stable storage.
    pub fn append(&self, delta: &Delta) -> Result<Lsn> {
        let pieces: op::Pieces<'_> =
            delta.runs().map(|(offset, bytes)| (offset as u32, bytes)).collect();
        let (note, time_ms) = (delta.note(), self.wall.wall_ms());
        let body_len = op::write_len(pieces.len(), delta.payload_len());
        let mut head = self.heads.entry(delta.page().0).or_insert((Lsn::ZERO, 0));
        let (prev, epoch) = (head.0, head.1 + 1);
        let mut append = self.log.begin(record::len_max(note, 1, body_len))?;
        let lsn = append.stamp(prev);
        let entry = EntryHead { kind: kind::WRITE, object: delta.page().0, prev, epoch };
        let len = record::write(append.buf(), lsn, time_ms, note, 1, |entries| {
            op::encode_write(entries, entry, body_len, pieces.iter().copied());
        });
        append.publish(len);
        *head = (lsn, epoch);
        drop(head);
        if self.durability == Durability::Sync {
            self.log.commit(lsn)?;
        }
        Ok(lsn)
    }

    /// Refuses appends from now on, as after a failed sync: something that the caller knows of
    /// made the log doubtful. Reads go on.
    pub fn poison(&self, reason: &str) {
        self.log.poison(reason);
    }

    /// Hands everything appended before the call to the operating system.
    pub fn flush(&self) -> Result<Lsn> {
        self.log.flush()
    }

    /// Makes everything appended before the call durable.
    pub fn sync(&self) -> Result<Lsn> {
        self.log.sync()
    }

    /// What opening found.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// Counts and positions.
    pub fn stats(&self) -> LogStats {
        self.log.stats()
    }

    /// Reads deltas back, in LSN order. Flushes first.
    pub fn query(&self, query: Query) -> Result<Changes> {
        let written = self.flush()?;
        let floor = self.log.history_floor();
        let (after, to) = (query.after.unwrap_or(floor), query.to.unwrap_or(written));
        Ok(Changes::of_range(self.log.reader(after, to)?, query))
    }

    /// Reads the whole log, checking every record, and counts.
    ///
    /// Cost: one pass over the log.
    pub fn summary(&self) -> Result<TLogSummary> {
        let mut summary = TLogSummary::default();
        let mut pages = std::collections::HashSet::new();
        for changed in self.query(Query::default())? {
            let changed = changed?;
            if summary.deltas == 0 {
                (summary.first, summary.first_ms) = (changed.lsn, changed.time_ms);
            }
            (summary.last, summary.last_ms) = (changed.lsn, changed.time_ms);
            summary.deltas += 1;
            if let Change::Written(delta) = &changed.change {
                summary.payload_bytes += delta.payload_len() as u64;
            }
            pages.insert(changed.page);
            *summary.sources.entry(changed.source).or_default() += 1;
        }
        summary.pages = pages.len() as u64;
        let segments = self.log.segments();
        summary.record_bytes = segments.iter().map(|segment| segment.end()).sum();
        Ok(summary)
    }

    /// The last record of a page, [`Lsn::ZERO`] if there is none.
    pub fn last_of(&self, page: PageId) -> Lsn {
        self.heads.get(&page.0).map_or(Lsn::ZERO, |head| head.0)
    }

    /// Closes the log: flushes, syncs, says so in the manifest.
    ///
    /// # Errors
    /// What the last flush and sync say; the log is closed all the same.
    pub fn close(self) -> Result<()> {
        self.shut()
    }

    fn shut(&self) -> Result<()> {
        let stopped = self.background.lock().take();
        let durable = self.log.shut();
        drop(stopped);
        let durable = durable?;
        self.log.remove_spares();
        let mut manifest = self.manifest.lock();
        if manifest.clean && manifest.durable == durable {
            return Ok(());
        }
        (manifest.clean, manifest.durable) = (true, durable);
        manifest.write(&*self.storage)
    }
}

impl Drop for TLog {
    fn drop(&mut self) {
        let _ = self.shut();
    }
}

impl std::fmt::Debug for TLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TLog({})", self.storage.describe(""))
    }
}
