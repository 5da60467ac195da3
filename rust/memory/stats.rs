//! What the heap counts, as a struct, as JSON and as a table.

use super::arena::{Arena, ArenaStats};
use super::class::{CLASSES, SLAB_BYTES};

/// One size class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClassStats {
    /// Bytes of a block.
    pub bytes: u64,
    /// Slabs.
    pub slabs: u64,
    /// Blocks that somebody has.
    pub in_use: u64,
    /// Free blocks in threads' magazines.
    pub cached: u64,
    /// Free blocks that stand in slabs.
    pub free: u64,
    /// Blocks that were given out at least once.
    pub(super) carved: u64,
}

impl ClassStats {
    pub(super) fn new(bytes: usize) -> ClassStats {
        ClassStats { bytes: bytes as u64, ..ClassStats::default() }
    }
}

/// The process's heap. Counted while others allocate, figures of the same moment differ by what
/// was on its way.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemoryStats {
    /// Bytes of addresses.
    pub reserved: u64,
    /// Bytes of slabs that are used or retained.
    pub committed: u64,
    /// Bytes of blocks and spans that somebody has.
    pub in_use: u64,
    /// Bytes of free blocks in threads' magazines.
    pub cached: u64,
    /// Bytes of slabs that are kept though nothing stands in them.
    pub retained: u64,
    /// Most bytes that may be committed.
    pub limit: u64,
    /// Slabs of classes.
    pub slabs: u64,
    /// Blocks above the largest class.
    pub spans: u64,
    /// Blocks that were freed by a thread that did not hold their slab.
    pub remote_frees: u64,
    /// Calls of the kernel since the process began.
    pub kernel_calls: u64,
    /// Mappings that the kernel keeps for the heap.
    pub mappings: u64,
    /// Classes that have slabs, ascending.
    pub classes: Vec<ClassStats>,
}

impl MemoryStats {
    pub(super) fn new(
        arena: &Arena,
        counts: ArenaStats,
        classes: &[ClassStats; CLASSES],
        remote_frees: u64,
    ) -> MemoryStats {
        let slab_bytes = |slabs: u32| u64::from(slabs) * SLAB_BYTES as u64;
        let with_slabs = classes.iter().filter(|class| class.slabs > 0);
        let classes: Vec<ClassStats> = with_slabs
            .map(|class| ClassStats {
                in_use: class.carved.saturating_sub(class.free + class.cached),
                ..*class
            })
            .collect();
        let bytes = |blocks: fn(&ClassStats) -> u64| -> u64 {
            classes.iter().map(|class| class.bytes * blocks(class)).sum()
        };
        MemoryStats {
            reserved: slab_bytes(counts.slabs),
            committed: slab_bytes(counts.used + counts.retained),
            in_use: bytes(|class| class.in_use) + counts.span_bytes,
            cached: bytes(|class| class.cached),
            retained: slab_bytes(counts.retained),
            limit: slab_bytes(counts.limit),
            slabs: classes.iter().map(|class| class.slabs).sum(),
            spans: counts.spans,
            remote_frees,
            kernel_calls: arena.kernel_calls(),
            mappings: arena.range.mappings(),
            classes,
        }
    }

    /// The part of the slabs in use that nobody has: 0 for none, towards 1 where a few blocks keep
    /// many slabs.
    pub fn fragmentation(&self) -> f64 {
        match self.committed - self.retained {
            0 => 0.0,
            used => 1.0 - self.in_use.min(used) as f64 / used as f64,
        }
    }

    /// The figures by name, without the classes.
    pub fn numbers(&self) -> [(&'static str, u64); 11] {
        [
            ("reserved", self.reserved),
            ("committed", self.committed),
            ("in_use", self.in_use),
            ("cached", self.cached),
            ("retained", self.retained),
            ("limit", self.limit),
            ("slabs", self.slabs),
            ("spans", self.spans),
            ("remote_frees", self.remote_frees),
            ("kernel_calls", self.kernel_calls),
            ("mappings", self.mappings),
        ]
    }

    /// The figures as one JSON value: numbers by name, `fragmentation`, and a list of `classes`.
    pub fn to_json(&self) -> serde_json::Value {
        let numbers = self.numbers().into_iter().map(|(name, n)| (name.to_owned(), n.into()));
        let mut json: serde_json::Map<_, _> = numbers.collect();
        json.insert("fragmentation".to_owned(), self.fragmentation().into());
        let class = |class: &ClassStats| {
            serde_json::json!({
                "bytes": class.bytes, "slabs": class.slabs, "in_use": class.in_use,
                "cached": class.cached, "free": class.free,
            })
        };
        json.insert("classes".to_owned(), self.classes.iter().map(class).collect());
        json.into()
    }
}

/// A number of bytes for people.
fn human(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => format!("{:.1} {unit}", bytes as f64 / (1u64 << shift) as f64),
        None => format!("{bytes} B"),
    }
}

/// The heap as a table: totals, then a row for each class with a bar of what its slabs hold.
impl std::fmt::Display for MemoryStats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const BAR: u64 = 24;
        writeln!(
            f,
            "{} in use, {} cached, {} retained; {} committed of {} reserved",
            human(self.in_use),
            human(self.cached),
            human(self.retained),
            human(self.committed),
            human(self.reserved),
        )?;
        writeln!(
            f,
            "{} slabs, {} spans, fragmentation {:.2}; {} remote frees, {} kernel calls, {} mappings",
            self.slabs,
            self.spans,
            self.fragmentation(),
            self.remote_frees,
            self.kernel_calls,
            self.mappings,
        )?;
        writeln!(
            f,
            "{:>10} {:>6} {:>10} {:>8} {:>8}  used # cached + free -",
            "block", "slabs", "in use", "cached", "free"
        )?;
        for class in &self.classes {
            let blocks = (class.slabs * SLAB_BYTES as u64 / class.bytes).max(1);
            let part = |n: u64| (n * BAR).div_ceil(blocks).min(BAR) as usize;
            let (used, cached, free) = (part(class.in_use), part(class.cached), part(class.free));
            let bar = ["#".repeat(used), "+".repeat(cached), "-".repeat(free)].concat();
            writeln!(
                f,
                "{:>10} {:>6} {:>10} {:>8} {:>8}  [{:<24.24}]",
                human(class.bytes),
                class.slabs,
                class.in_use,
                class.cached,
                class.free,
                bar
            )?;
        }
        Ok(())
    }
}
