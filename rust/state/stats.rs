//! What a state counts, as a struct and as JSON.

use super::State;
use crate::error::Result;
use crate::memory::{self, MemoryStats};
use crate::stdx::hist::Latency;
use crate::txn::TransactionStats;
use crate::types::Lsn;
use std::sync::atomic::Ordering;

/// Counts, bytes, log positions and latencies of a state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Live pages.
    pub pages: u64,
    /// Bytes of live pages. Pages that still stand untouched in an image count once they are
    /// asked for.
    pub page_bytes: u64,
    /// Bytes of frames in memory, older versions included.
    pub frame_bytes: u64,
    /// Older versions of pages, kept for snapshots and views.
    pub versions: u64,
    /// Bytes of their content.
    pub version_bytes: u64,
    /// Open snapshots.
    pub snapshots: u64,
    /// LSN of the oldest open snapshot, zero for none.
    pub oldest_snapshot_lsn: Lsn,
    /// Bytes that snapshots hold, as [`Config::version_bytes_max`](crate::Config) counts them.
    pub snapshot_bytes: u64,
    /// Snapshots that were ended because they held more than that.
    pub snapshots_too_old: u64,
    /// The next page id.
    pub next_page_id: u64,
    /// Records written since the state was opened.
    pub records: u64,
    /// Bytes of those records.
    pub record_bytes: u64,
    /// Bytes that wait in lanes.
    pub pending_bytes: u64,
    /// Bytes handed to the operating system and not synced.
    pub unsynced_bytes: u64,
    /// Lanes in use.
    pub lanes: u64,
    /// Log segments kept.
    pub segments: u64,
    /// Bytes of log kept.
    pub log_bytes: u64,
    /// History is kept above this LSN.
    pub history_floor: Lsn,
    /// Everything at or below was handed to the operating system.
    pub written_lsn: Lsn,
    /// Everything at or below is on stable storage.
    pub durable_lsn: Lsn,
    /// LSN of the newest checkpoint, zero for none.
    pub checkpoint_lsn: Lsn,
    /// Checkpoints kept.
    pub checkpoints: u64,
    /// Records that opening replayed.
    pub recovered_records: u64,
    /// Bytes of a torn tail that opening cut off.
    pub torn_bytes: u64,
    /// What transactions came to.
    pub transactions: TransactionStats,
    /// Time of a flush.
    pub flush: Latency,
    /// Time of a sync.
    pub sync: Latency,
    /// Time that an update waited for its sync, in `Durability::Sync`.
    pub commit: Latency,
    /// Time of a checkpoint.
    pub checkpoint: Latency,
    /// The heap that all states and allocators of the process share.
    pub memory: MemoryStats,
}

/// Calls `visit` with each number: its name, whether it only grows while the state is open (a counter) or
/// not (a gauge), and its value.
macro_rules! for_each_number {
    ($stats:expr, $visit:expr) => {{
        let (stats, visit) = ($stats, $visit);
        visit("pages", "gauge", stats.pages);
        visit("page_bytes", "gauge", stats.page_bytes);
        visit("frame_bytes", "gauge", stats.frame_bytes);
        visit("versions", "gauge", stats.versions);
        visit("version_bytes", "gauge", stats.version_bytes);
        visit("snapshots", "gauge", stats.snapshots);
        visit("oldest_snapshot_lsn", "gauge", stats.oldest_snapshot_lsn.0);
        visit("snapshot_bytes", "gauge", stats.snapshot_bytes);
        visit("snapshots_too_old", "counter", stats.snapshots_too_old);
        visit("next_page_id", "gauge", stats.next_page_id);
        visit("records", "counter", stats.records);
        visit("record_bytes", "counter", stats.record_bytes);
        visit("pending_bytes", "gauge", stats.pending_bytes);
        visit("unsynced_bytes", "gauge", stats.unsynced_bytes);
        visit("lanes", "gauge", stats.lanes);
        visit("segments", "gauge", stats.segments);
        visit("log_bytes", "gauge", stats.log_bytes);
        visit("history_floor", "gauge", stats.history_floor.0);
        visit("written_lsn", "gauge", stats.written_lsn.0);
        visit("durable_lsn", "gauge", stats.durable_lsn.0);
        visit("checkpoint_lsn", "gauge", stats.checkpoint_lsn.0);
        visit("checkpoints", "gauge", stats.checkpoints);
        visit("recovered_records", "gauge", stats.recovered_records);
        visit("torn_bytes", "gauge", stats.torn_bytes);
        visit("transactions_owned", "counter", stats.transactions.owned);
        visit("transactions_shared", "counter", stats.transactions.shared);
        visit("transactions_sealed", "counter", stats.transactions.sealed);
        visit("transaction_conflicts", "counter", stats.transactions.conflicts);
        visit("transactions_exhausted", "counter", stats.transactions.exhausted);
    }};
}

impl Stats {
    /// The stats as one JSON object: numbers by name, an object per latency,
    /// and `memory`, an object as of [`MemoryStats::to_json`].
    pub fn to_json(&self) -> String {
        let mut json = serde_json::Map::new();
        for_each_number!(self, &mut |name: &str, _, value: u64| {
            json.insert(name.to_owned(), value.into());
        });
        for (name, latency) in self.latencies() {
            let Latency { count, mean_ns, p50_ns, p99_ns, max_ns } = latency;
            let figures = serde_json::json!({
                "count": count, "mean_ns": mean_ns, "p50_ns": p50_ns, "p99_ns": p99_ns,
                "max_ns": max_ns,
            });
            json.insert(name.to_owned(), figures);
        }
        json.insert("memory".to_owned(), self.memory.to_json());
        serde_json::Value::Object(json).to_string()
    }

    /// The stats in the text format that Prometheus reads: a counter or gauge for each number, named
    /// `mmsb_` and its name, those of the heap `mmsb_memory_…`; and for each latency a summary in
    /// seconds, `mmsb_…_seconds`, with the longest beside it, `mmsb_…_seconds_max`. `labels` are added to
    /// each line.
    ///
    /// # Source
    /// Prometheus' text-based exposition format, version 0.0.4.
    ///
    /// ```
    /// # use mmsb::{Config, State};
    /// # fn main() -> mmsb::Result<()> {
    /// let text = State::open(Config::memory())?.stats()?.to_prometheus(&[("state", "demo")]);
    /// assert!(text.contains("# TYPE mmsb_pages gauge\nmmsb_pages{state=\"demo\"} 0\n"));
    /// # Ok(()) }
    /// ```
    pub fn to_prometheus(&self, labels: &[(&str, &str)]) -> String {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labelled = |more: Option<&str>| {
            let all: Vec<&str> = labels.iter().map(String::as_str).chain(more).collect();
            if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
        };
        let (plain, mut text) = (labelled(None), String::new());
        let mut add = |name: &str, kind: &str, value: u64| {
            text += &format!("# TYPE mmsb_{name} {kind}\nmmsb_{name}{plain} {value}\n");
        };
        for_each_number!(self, &mut add);
        for (name, value) in self.memory.numbers() {
            add(&format!("memory_{name}"), "gauge", value);
        }
        for (name, latency) in self.latencies() {
            let name = format!("mmsb_{name}_seconds");
            let seconds = |ns: u64| ns as f64 / 1e9;
            text += &format!("# TYPE {name} summary\n");
            for (quantile, ns) in [("0.5", latency.p50_ns), ("0.99", latency.p99_ns)] {
                let labels = labelled(Some(&format!("quantile=\"{quantile}\"")));
                text += &format!("{name}{labels} {}\n", seconds(ns));
            }
            let sum = seconds(latency.mean_ns) * latency.count as f64;
            text += &format!("{name}_sum{plain} {sum}\n{name}_count{plain} {}\n", latency.count);
            let max = seconds(latency.max_ns);
            text += &format!("# TYPE {name}_max gauge\n{name}_max{plain} {max}\n");
        }
        text
    }

    fn latencies(&self) -> [(&'static str, Latency); 5] {
        [
            ("flush", self.flush),
            ("sync", self.sync),
            ("commit", self.commit),
            ("checkpoint", self.checkpoint),
            ("transaction", self.transactions.time),
        ]
    }
}

/// A label's value as Prometheus wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl State {
    /// Counts, bytes, log positions and latencies.
    ///
    /// Cost: as [`memory::stats`](crate::memory::stats), tens of microseconds.
    pub fn stats(&self) -> Result<Stats> {
        self.check_open()?;
        let core = self.core();
        let (log, table) = (core.log.stats(), &core.table);
        Ok(Stats {
            pages: table.live(),
            page_bytes: table.live_bytes(),
            frame_bytes: table.memory.bytes_in_use(),
            versions: table.versions(),
            version_bytes: table.version_bytes(),
            snapshots: core.snapshots.count() as u64,
            oldest_snapshot_lsn: core.snapshots.watermark(),
            snapshot_bytes: core.snapshots.bytes(),
            snapshots_too_old: core.snapshots.too_old(),
            next_page_id: table.next_id(),
            records: log.records,
            record_bytes: log.record_bytes,
            pending_bytes: log.pending_bytes,
            unsynced_bytes: log.unsynced_bytes,
            lanes: log.lanes,
            segments: log.segments,
            log_bytes: log.segment_bytes,
            history_floor: log.history_floor,
            written_lsn: log.written,
            durable_lsn: log.durable,
            checkpoint_lsn: Lsn(core.counters.checkpoint.load(Ordering::Relaxed)),
            checkpoints: core.catalog.lock().manifest.images.len() as u64,
            recovered_records: core.recovered.records,
            torn_bytes: core.recovered.torn.as_ref().map_or(0, |torn| torn.bytes),
            flush: log.flush,
            sync: log.sync,
            commit: core.counters.commit_ns.read(),
            checkpoint: core.counters.checkpoint_ns.read(),
            transactions: core.meter.read(),
            memory: memory::stats(),
        })
    }
}
