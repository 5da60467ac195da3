//! The simulated disk: what it holds, and what of that a power loss leaves.
//!
//! ```text
//!   names   live  -> what calls see          durable -> what a power loss leaves for certain
//!             \__ changes since the last sync of the directory, in order __/
//!
//!   file    cache -> what reads see          durable -> as above
//!             \__ changes since the last sync of the file, in order _______/
//! ```
//!
//! While no sync has failed, `cache` is `durable` with the changes applied; the same holds for
//! names. A failed sync parts the two, as on real disks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fault::Fired;
use super::image::Image;
use crate::stdx::prng::Prng;

/// What a disk writes whole or not at all, bytes.
const SECTOR_BYTES: u64 = 512;

/// A file, whatever its name is.
pub(super) type NodeId = u64;

/// A change of a file that is not durable yet.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    Extend { len: u64 },
}

impl Change {
    fn apply(&self, image: &mut Image) {
        match self {
            Change::Write { offset, bytes } => image.write(*offset, bytes),
            Change::Extend { len } => image.extend(*len),
        }
    }

    /// Inverts the bits of `mask` in the file's byte at `offset`, if this change writes it.
    fn flip(&mut self, offset: u64, mask: u8) {
        let Change::Write { offset: start, bytes } = self else { return };
        let inside = offset.checked_sub(*start).and_then(|at| usize::try_from(at).ok());
        if let Some(at) = inside.filter(|&at| at < bytes.len()) {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= mask;
            *bytes = flipped.into();
        }
    }
}

/// A change of the directory that is not durable yet. It is about a file more than a name: what
/// is kept of several changes is always a state in which each file has one name at most.
#[derive(Clone, Debug)]
enum NameChange {
    /// The file has this name and no other, whoever had it before: a creation or a rename.
    Link { name: String, node: NodeId },
    /// The file has no name.
    Unlink { node: NodeId },
}

type Names = BTreeMap<String, NodeId>;

impl NameChange {
    fn apply(&self, names: &mut Names) {
        let node = self.node();
        names.retain(|_, named| *named != node);
        if let NameChange::Link { name, node } = self {
            names.insert(name.clone(), *node);
        }
    }

    /// Whether it is about the same file or the same name.
    fn clashes(&self, other: &NameChange) -> bool {
        let name = |change: &NameChange| match change {
            NameChange::Link { name, .. } => Some(name.clone()),
            NameChange::Unlink { .. } => None,
        };
        self.node() == other.node() || (name(self).is_some() && name(self) == name(other))
    }

    fn node(&self) -> NodeId {
        match self {
            NameChange::Link { node, .. } | NameChange::Unlink { node } => *node,
        }
    }
}

/// What happens to an unsynced change when a sync fails.
enum SyncFate {
    /// It was written.
    Durable,
    /// It was not, and the cache holds it as if it had been: no later sync will write it.
    CacheOnly,
    /// It was not, and the cache dropped it.
    Gone,
}

/// A change that waits for a sync, by its number among all changes of its file or directory.
#[derive(Clone, Debug)]
struct Waiting<C> {
    number: u64,
    change: C,
}

/// Changes that wait for a sync, in order.
#[derive(Clone, Debug)]
struct Unsynced<C> {
    changes: Vec<Waiting<C>>,
    next: u64,
}

impl<C> Default for Unsynced<C> {
    fn default() -> Unsynced<C> {
        Unsynced { changes: Vec::new(), next: 0 }
    }
}

impl<C> Unsynced<C> {
    fn push(&mut self, change: C) {
        self.changes.push(Waiting { number: self.next, change });
        self.next += 1;
    }

    fn len(&self) -> usize {
        self.changes.len()
    }

    fn iter(&self) -> impl Iterator<Item = &C> {
        self.changes.iter().map(|waiting| &waiting.change)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut C> {
        self.changes.iter_mut().map(|waiting| &mut waiting.change)
    }

    fn retain(&mut self, keep: impl Fn(&C) -> bool) {
        self.changes.retain(|waiting| keep(&waiting.change));
    }

    /// Takes out the changes that `takes` picks.
    fn take(&mut self, mut takes: impl FnMut(&Waiting<C>) -> bool) -> Vec<Waiting<C>> {
        self.changes.extract_if(.., |waiting| takes(waiting)).collect()
    }

    /// Takes out those that came before `mark`.
    fn take_to(&mut self, mark: Mark) -> Vec<C> {
        let done = self.take(|waiting| waiting.number < mark.0);
        done.into_iter().map(|waiting| waiting.change).collect()
    }

    fn mark(&self) -> Mark {
        Mark(self.next)
    }
}

/// What a sync covers: the changes of its file or directory that were there when it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark(u64);

impl Mark {
    /// All changes.
    pub(super) const ALL: Mark = Mark(u64::MAX);
}

/// A file.
#[derive(Clone, Default)]
struct Node {
    cache: Image,
    durable: Image,
    changes: Unsynced<Change>,
    /// Handles. Space is given back when there are none and no name.
    opens: u64,
}

impl Node {
    /// A file that is durable as it is.
    fn settled(image: Image) -> Node {
        Node { cache: image.clone(), durable: image, ..Node::default() }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.cache);
        self.changes.push(change);
    }

    fn sync(&mut self, mark: Mark) {
        for change in self.changes.take_to(mark) {
            change.apply(&mut self.durable);
        }
    }

    fn fail_sync(&mut self, prng: &mut Prng) {
        let mut cache = self.durable.clone();
        for change in self.changes.take_to(Mark::ALL) {
            match fate_in_sync(prng) {
                SyncFate::Durable => {
                    change.apply(&mut self.durable);
                    change.apply(&mut cache);
                }
                SyncFate::CacheOnly => change.apply(&mut cache),
                SyncFate::Gone => {}
            }
        }
        self.cache = cache;
    }

    /// What a power loss leaves: each change kept, dropped or torn.
    fn after_power_loss(&self, luck: &mut Luck<'_>) -> Image {
        let mut image = self.durable.clone();
        let mut lost = false;
        for change in self.changes.iter() {
            match change {
                _ if luck.keeps() => {
                    luck.fired.changes_kept += 1;
                    luck.fired.changes_reordered += u64::from(lost);
                    change.apply(&mut image);
                    continue;
                }
                Change::Write { offset, bytes } if luck.prng.coin() => {
                    luck.fired.writes_torn += 1;
                    tear(&mut image, *offset, bytes, luck.prng);
                }
                _ => luck.fired.changes_dropped += 1,
            }
            lost = true;
        }
        image
    }
}

fn fate_in_sync(prng: &mut Prng) -> SyncFate {
    match prng.below(3) {
        0 => SyncFate::Durable,
        1 => SyncFate::CacheOnly,
        _ => SyncFate::Gone,
    }
}

/// Writes some sectors of `bytes`: the first so many, or any. Where that reaches past the end, the
/// file may have grown for all of them: lengths and bytes are not written together.
fn tear(image: &mut Image, offset: u64, bytes: &[u8], prng: &mut Prng) {
    let end = offset + bytes.len() as u64;
    let sectors = end.div_ceil(SECTOR_BYTES) - offset / SECTOR_BYTES;
    let first = prng.coin().then(|| prng.below(sectors));
    for sector in 0..sectors {
        let start = (offset / SECTOR_BYTES + sector) * SECTOR_BYTES;
        let (from, to) = (start.max(offset), (start + SECTOR_BYTES).min(end));
        if first.map_or_else(|| prng.coin(), |count| sector < count) {
            image.write(from, &bytes[(from - offset) as usize..(to - offset) as usize]);
        }
    }
    if prng.coin() {
        image.extend(end);
    }
}

/// How a power loss decides.
struct Luck<'a> {
    prng: &'a mut Prng,
    fired: &'a mut Fired,
    /// Changes of 8 that are kept. Drawn for each power loss: were it always half of them, no loss
    /// would ever spare or take almost everything.
    kept_of_8: u64,
}

impl Luck<'_> {
    fn keeps(&mut self) -> bool {
        self.prng.below(8) < self.kept_of_8
    }
}

/// The disk was full.
pub(super) struct NoSpace;

/// One directory of files.
#[derive(Clone)]
pub(super) struct Disk {
    nodes: BTreeMap<NodeId, Node>,
    next: NodeId,
    live: Names,
    durable: Names,
    changes: Unsynced<NameChange>,
    capacity: u64,
}

impl Disk {
    pub(super) fn new() -> Disk {
        Disk {
            nodes: BTreeMap::new(),
            next: 0,
            live: Names::new(),
            durable: Names::new(),
            changes: Unsynced::default(),
            capacity: u64::MAX,
        }
    }

    pub(super) fn set_capacity(&mut self, bytes: u64) {
        self.capacity = bytes;
    }

    // Names.

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.live.keys()
    }

    pub(super) fn find(&self, name: &str) -> Option<NodeId> {
        self.live.get(name).copied()
    }

    /// Makes the file `name`, which must not exist.
    pub(super) fn create(&mut self, name: &str) {
        let node = self.add(Node::default());
        self.change_name(NameChange::Link { name: name.to_owned(), node });
    }

    /// Names the file `node`, which is called something else, `to`.
    pub(super) fn rename(&mut self, node: NodeId, to: &str) {
        self.change_name(NameChange::Link { name: to.to_owned(), node });
    }

    pub(super) fn remove(&mut self, node: NodeId) {
        self.change_name(NameChange::Unlink { node });
    }

    /// What a sync of the directory that begins now covers.
    pub(super) fn mark_dir(&self) -> Mark {
        self.changes.mark()
    }

    pub(super) fn sync_dir(&mut self, mark: Mark) {
        for change in self.changes.take_to(mark) {
            change.apply(&mut self.durable);
        }
        if self.changes.len() == 0 {
            // After a failed sync some were durable out of order.
            self.durable.clone_from(&self.live);
        }
        self.collect();
    }

    /// Some changes become durable, the others stay unsynced.
    pub(super) fn fail_sync_dir(&mut self, prng: &mut Prng) {
        for done in self.changes.take(|_| prng.coin()) {
            done.change.apply(&mut self.durable);
            // What it replaces does not come after it.
            self.changes.changes.retain(|waiting| {
                waiting.number > done.number || !waiting.change.clashes(&done.change)
            });
        }
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.live);
        self.changes.push(change);
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        id
    }

    /// Frees the files that nothing can reach any more, after a power loss neither.
    fn collect(&mut self) {
        let Disk { nodes, live, durable, changes, .. } = self;
        let named = |id: &NodeId| live.values().chain(durable.values()).any(|named| named == id);
        let changed = |id: &NodeId| changes.iter().any(|change| change.node() == *id);
        nodes.retain(|id, node| node.opens > 0 || named(id) || changed(id));
    }

    // Files. A handle's node exists, because open ones are not collected; what is asked of
    // another is answered as for an empty file.

    pub(super) fn opened(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.opens += 1;
        }
    }

    pub(super) fn closed(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.opens -= 1;
        }
        self.collect();
    }

    /// What reads of the file see.
    pub(super) fn image(&self, id: NodeId) -> Option<&Image> {
        self.nodes.get(&id).map(|node| &node.cache)
    }

    pub(super) fn write(
        &mut self,
        id: NodeId,
        offset: u64,
        bytes: Arc<[u8]>,
    ) -> Result<(), NoSpace> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.check_space(id, offset + bytes.len() as u64)?;
        self.change(id, Change::Write { offset, bytes });
        Ok(())
    }

    pub(super) fn extend(&mut self, id: NodeId, len: u64) -> Result<(), NoSpace> {
        self.check_space(id, len)?;
        if self.image(id).is_some_and(|image| image.len() < len) {
            self.change(id, Change::Extend { len });
        }
        Ok(())
    }

    /// What a sync of the file that begins now covers.
    pub(super) fn mark(&self, id: NodeId) -> Mark {
        self.nodes.get(&id).map_or(Mark(0), |node| node.changes.mark())
    }

    pub(super) fn sync(&mut self, id: NodeId, mark: Mark) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.sync(mark);
        }
    }

    pub(super) fn fail_sync(&mut self, id: NodeId, prng: &mut Prng) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.fail_sync(prng);
        }
    }

    fn change(&mut self, id: NodeId, change: Change) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.change(change);
        }
    }

    /// Whether the file `id` may be `len` bytes long.
    fn check_space(&self, id: NodeId, len: u64) -> Result<(), NoSpace> {
        let have = self.image(id).map_or(0, Image::len);
        let used = self.used();
        // A disk that is over a lowered limit can still be overwritten.
        let fits = len <= have || used.saturating_add(len - have) <= self.capacity;
        if fits { Ok(()) } else { Err(NoSpace) }
    }

    /// Bytes of the files that have a name or are open.
    fn used(&self) -> u64 {
        let counts = |id: &NodeId, node: &Node| {
            node.opens > 0 || self.live.values().any(|named| named == id)
        };
        let lens = self.nodes.iter().filter(|(id, node)| counts(id, node));
        lens.fold(0, |sum, (_, node)| sum.saturating_add(node.cache.len()))
    }

    // Tests' own access.

    /// Puts a durable file there, with a durable name; replaces what a file of that name held.
    pub(super) fn plant(&mut self, name: &str, bytes: &[u8]) {
        let image = Image::of(bytes);
        let id = match self.find(name) {
            Some(id) => id,
            None => self.add(Node::default()),
        };
        let opens = self.nodes.get(&id).map_or(0, |node| node.opens);
        self.nodes.insert(id, Node { opens, ..Node::settled(image) });
        let link = NameChange::Link { name: name.to_owned(), node: id };
        // What is unsynced about this file or name must not undo it later.
        self.changes.retain(|change| match change {
            NameChange::Link { name: linked, node } => *node != id && linked != name,
            NameChange::Unlink { node } => *node != id,
        });
        link.apply(&mut self.live);
        link.apply(&mut self.durable);
    }

    /// Flips bits of a byte wherever it stands; whether there is such a byte.
    pub(super) fn flip(&mut self, id: NodeId, offset: u64, mask: u8) -> bool {
        let Some(node) = self.nodes.get_mut(&id) else { return false };
        if offset >= node.cache.len() {
            return false;
        }
        node.cache.flip(offset, mask);
        node.durable.flip(offset, mask);
        node.changes.iter_mut().for_each(|change| change.flip(offset, mask));
        true
    }

    /// Changes of files and names that are not durable.
    pub(super) fn unsynced(&self) -> usize {
        self.nodes.values().map(|node| node.changes.len()).sum::<usize>() + self.changes.len()
    }

    // What is left.

    /// The disk as the next process finds it: what was unsynced still is, handles are gone.
    pub(super) fn after_process_kill(&self) -> Disk {
        let mut disk = self.clone();
        disk.nodes.values_mut().for_each(|node| node.opens = 0);
        disk.collect();
        disk
    }

    /// Only what was synced.
    pub(super) fn synced(&self) -> Disk {
        self.rebuilt(self.durable.clone(), |node| node.durable.clone())
    }

    /// What was synced and some of the rest.
    pub(super) fn after_power_loss(&self, prng: &mut Prng, fired: &mut Fired) -> Disk {
        let kept_of_8 = 1 + prng.below(7);
        let mut luck = Luck { prng, fired, kept_of_8 };
        let mut names = self.durable.clone();
        for change in self.changes.iter() {
            if luck.keeps() {
                luck.fired.names_kept += 1;
                change.apply(&mut names);
            } else {
                luck.fired.names_dropped += 1;
            }
        }
        self.rebuilt(names, |node| node.after_power_loss(&mut luck))
    }

    /// A disk of the files that `names` names, each as `image_of` says, all durable.
    fn rebuilt(&self, names: Names, mut image_of: impl FnMut(&Node) -> Image) -> Disk {
        let settle = |(&id, node): (&NodeId, &Node)| (id, Node::settled(image_of(node)));
        let nodes = self.nodes.iter().map(settle).collect();
        let (live, durable) = (names.clone(), names);
        let mut disk = Disk { nodes, live, durable, changes: Unsynced::default(), ..*self };
        disk.collect();
        disk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pairs: &[(&str, NodeId)]) -> Names {
        pairs.iter().map(|&(name, node)| (name.to_owned(), node)).collect()
    }

    fn link(name: &str, node: NodeId) -> NameChange {
        NameChange::Link { name: name.to_owned(), node }
    }

    /// Every subset of some unsynced changes of names leaves each file with one name at most.
    #[test]
    fn kept_name_changes_never_double_a_file() {
        let changes = [
            link("tmp", 1),
            link("file", 1),
            link("old", 1),
            link("tmp", 2),
            link("file", 2),
            NameChange::Unlink { node: 1 },
            link("old", 0),
        ];
        for kept in 0..1u32 << changes.len() {
            let mut left = names(&[("file", 0)]);
            for (i, change) in changes.iter().enumerate() {
                if kept & (1 << i) != 0 {
                    change.apply(&mut left);
                }
            }
            let mut nodes: Vec<_> = left.values().collect();
            nodes.sort_unstable();
            nodes.dedup();
            assert_eq!(nodes.len(), left.len(), "{kept:b}: {left:?}");
        }
    }

    #[test]
    fn torn_writes_keep_whole_sectors() {
        let (offset, bytes) = (700u64, [7u8; 2_000]);
        let (mut seen_grown, mut seen_sectors) = (false, std::collections::BTreeSet::new());
        for seed in 0..300 {
            let mut image = Image::of(&[1; 1_000]);
            tear(&mut image, offset, &bytes, &mut Prng::new(seed));
            let mut after = image.to_vec().unwrap();
            seen_grown |= after.len() == 2_700 && after[2_699] == 0;
            after.resize(2_700, 0);
            let mut kept = Vec::new();
            for (sector, range) in
                [700..1_024, 1_024..1_536, 1_536..2_048, 2_048..2_560, 2_560..2_700]
                    .into_iter()
                    .enumerate()
            {
                let sevens = after[range.clone()].iter().filter(|&&byte| byte == 7).count();
                assert!(sevens == 0 || sevens == range.len(), "seed {seed}, sector {sector}");
                kept.push(sevens > 0);
            }
            assert!(after[..700].iter().all(|&byte| byte == 1));
            seen_sectors.insert(kept);
        }
        assert!(seen_grown, "a length survives without its bytes");
        assert!(seen_sectors.len() > 20, "{} subsets of five sectors", seen_sectors.len());
        assert!(seen_sectors.contains(&vec![true, true, false, false, false]));
        assert!(seen_sectors.contains(&vec![false, false, false, false, true]));
    }

    #[test]
    fn a_sync_covers_what_was_there_when_it_began() {
        let mut disk = Disk::new();
        disk.create("a");
        let a = disk.find("a").unwrap();
        let put =
            |disk: &mut Disk, at, bytes: &[u8]| assert!(disk.write(a, at, bytes.into()).is_ok());
        put(&mut disk, 0, b"one");
        let (mark, mark_dir) = (disk.mark(a), disk.mark_dir());
        put(&mut disk, 3, b"two");
        disk.create("b");
        disk.sync(a, mark);
        disk.sync_dir(mark_dir);
        let cut = disk.synced();
        assert_eq!(cut.names().collect::<Vec<_>>(), ["a"]);
        assert_eq!(cut.image(a).unwrap().to_vec().unwrap(), b"one");
        assert_eq!(disk.unsynced(), 2);
        disk.sync(a, Mark::ALL);
        disk.sync_dir(Mark::ALL);
        assert_eq!(disk.synced().image(a).unwrap().to_vec().unwrap(), b"onetwo");
    }

    #[test]
    fn files_that_nothing_reaches_are_freed() {
        let mut disk = Disk::new();
        disk.create("a");
        let a = disk.find("a").unwrap();
        disk.opened(a);
        disk.sync_dir(Mark::ALL);
        disk.remove(a);
        disk.closed(a);
        assert!(disk.nodes.contains_key(&a), "its durable name could come back");
        disk.sync_dir(Mark::ALL);
        assert!(disk.nodes.is_empty());
        disk.create("b");
        let b = disk.find("b").unwrap();
        disk.remove(b);
        disk.opened(b);
        disk.sync_dir(Mark::ALL);
        assert!(disk.nodes.contains_key(&b), "it is open");
        disk.closed(b);
        assert!(disk.nodes.is_empty());
    }
}
