use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::env::conformance;

const SEEDS: std::ops::Range<u64> = 0..200;

fn create(disk: &SimStorage, name: &str) -> Arc<dyn File> {
    disk.open(name, OpenMode::Create).unwrap()
}

fn put(file: &dyn File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_at(offset, &[IoSlice::new(bytes)])
}

/// A file that is durable, name and all.
fn synced_file(disk: &SimStorage, name: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = create(disk, name);
    put(&*file, 0, bytes).unwrap();
    file.sync().unwrap();
    disk.sync_dir().unwrap();
    file
}

fn code_of<T>(result: io::Result<T>) -> Option<i32> {
    result.map(|_| ()).unwrap_err().raw_os_error()
}

fn is_crash<T>(result: io::Result<T>) -> bool {
    let error = result.map(|_| ()).unwrap_err();
    error.kind() == io::ErrorKind::Other && error.to_string() == "simulated crash"
}

fn contents(disk: &SimStorage) -> BTreeMap<String, Vec<u8>> {
    let names = disk.world().disk.names().cloned().collect::<Vec<_>>();
    names.into_iter().map(|name| (name.clone(), disk.read_file(&name).unwrap())).collect()
}

/// A few hundred calls that depend on `seed` alone. Errors are part of what happens.
fn workload(disk: &SimStorage, seed: u64, steps: usize) {
    let mut prng = Prng::new(seed);
    let names = ["a", "b", "c", "d"];
    for _ in 0..steps {
        let name = names[prng.below(4) as usize];
        let other = names[prng.below(4) as usize];
        let open = disk.open(name, OpenMode::Write).or_else(|_| disk.open(name, OpenMode::Create));
        let Ok(file) = open else { continue };
        let _ = match prng.below(8) {
            0 => disk.rename(name, other),
            1 => disk.remove(name),
            2 => disk.sync_dir(),
            3 => file.sync(),
            4 => file.allocate(prng.below(10_000)),
            _ => {
                let bytes = vec![prng.next_u64() as u8; prng.below(3_000) as usize];
                put(&*file, prng.below(8_000), &bytes)
            }
        };
    }
}

#[test]
fn conforms() {
    conformance::check(&SimStorage::new(0));
}

#[test]
fn a_killed_process_loses_nothing_that_returned() {
    let disk = SimStorage::new(0);
    synced_file(&disk, "old", b"old");
    put(&*create(&disk, "file"), 0, b"never synced").unwrap();
    disk.remove("old").unwrap();
    let killed = disk.crash(PowerLoss::KeepAll);
    assert_eq!(killed.list().unwrap(), ["file"]);
    assert_eq!(killed.read_file("file").unwrap(), b"never synced");
    // The operating system has it, the disk has not.
    assert!(killed.unsynced() > 0);
    let cut = killed.crash(PowerLoss::DropUnsynced);
    assert_eq!(contents(&cut), BTreeMap::from([("old".to_owned(), b"old".to_vec())]));
    // The next process can make it durable.
    killed.open("file", OpenMode::Write).unwrap().sync().unwrap();
    killed.sync_dir().unwrap();
    assert_eq!(killed.unsynced(), 0);
    let cut = killed.crash(PowerLoss::DropUnsynced);
    assert_eq!(contents(&cut), contents(&killed));
}

#[test]
fn only_what_was_synced_survives_the_plain_power_cut() {
    let disk = SimStorage::new(0);
    let file = synced_file(&disk, "file", b"synced");
    put(&*file, 0, b"SYN").unwrap();
    put(&*file, 6, b" and more").unwrap();
    file.allocate(4_000).unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"synced");
    file.sync().unwrap();
    let cut = disk.crash(PowerLoss::DropUnsynced);
    assert_eq!(cut.read_file("file"), disk.read_file("file"));
    assert_eq!(cut.read_file("file").unwrap().len(), 4_000);
}

#[test]
fn a_synced_file_without_a_synced_name_is_lost() {
    let disk = SimStorage::new(0);
    let file = create(&disk, "file");
    put(&*file, 0, b"abc").unwrap();
    file.sync().unwrap();
    assert!(disk.crash(PowerLoss::DropUnsynced).list().unwrap().is_empty());
    disk.sync_dir().unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"abc");
}

#[test]
fn a_synced_name_does_not_make_bytes_durable() {
    let disk = SimStorage::new(0);
    put(&*create(&disk, "file"), 0, b"abc").unwrap();
    disk.sync_dir().unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"");
}

#[test]
fn removals_and_renames_wait_for_the_directory() {
    let disk = SimStorage::new(0);
    synced_file(&disk, "a", b"1");
    synced_file(&disk, "b", b"2");
    disk.remove("a").unwrap();
    disk.rename("b", "c").unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).list().unwrap(), ["a", "b"]);
    disk.sync_dir().unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).list().unwrap(), ["c"]);
}

#[test]
fn a_rename_is_old_or_new_and_never_between() {
    let disk = SimStorage::new(0);
    synced_file(&disk, "file", b"old");
    synced_file(&disk, "next", b"new");
    disk.rename("next", "file").unwrap();
    let outcomes: BTreeSet<_> = SEEDS
        .map(|seed| contents(&disk.crash(PowerLoss::Random(seed))).into_iter().collect::<Vec<_>>())
        .collect();
    let file = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    let old = vec![file("file", b"old"), file("next", b"new")];
    let new = vec![file("file", b"new")];
    assert_eq!(outcomes, BTreeSet::from([old, new]));
}

#[test]
fn random_power_loss_keeps_drops_and_tears_without_order() {
    let disk = SimStorage::new(0);
    let file = synced_file(&disk, "file", &[b'.'; 3 * 4_096]);
    for i in 0..3 {
        put(&*file, i * 4_096, &[b'a' + i as u8; 4_096]).unwrap();
    }
    let (mut states, mut total) = (BTreeSet::new(), Fired::default());
    for seed in SEEDS {
        let cut = disk.crash(PowerLoss::Random(seed));
        let bytes = cut.read_file("file").unwrap();
        assert_eq!(bytes.len(), 3 * 4_096);
        let state: Vec<char> = (0..3).map(|i| state_of(&bytes, i)).collect();
        states.insert(state.into_iter().collect::<String>());
        let fired = cut.fired();
        assert_eq!(fired.changes_kept + fired.changes_dropped + fired.writes_torn, 3);
        total.changes_kept += fired.changes_kept;
        total.changes_dropped += fired.changes_dropped;
        total.writes_torn += fired.writes_torn;
    }
    for state in ["...", "abc", "..c", "a..", ".b.", "ab."] {
        assert!(states.contains(state), "{state} is not among {states:?}");
    }
    assert!(states.iter().any(|state| state.contains('~')));
    assert!(total.changes_kept.min(total.changes_dropped).min(total.writes_torn) > 50);
}

/// What happened to the `i`th 4,096 bytes: the write's letter, `.` as before, `~` torn.
fn state_of(bytes: &[u8], i: usize) -> char {
    let block = &bytes[i * 4_096..(i + 1) * 4_096];
    let letter = b'a' + i as u8;
    assert!(block.iter().all(|&byte| byte == letter || byte == b'.'));
    let uniform = block.iter().all(|&byte| byte == block[0]);
    if uniform { block[0] as char } else { '~' }
}

#[test]
fn random_power_loss_takes_names_and_lengths_apart() {
    let disk = SimStorage::new(0);
    synced_file(&disk, "old", b"1");
    let file = synced_file(&disk, "long", b"");
    file.allocate(9_000).unwrap();
    disk.remove("old").unwrap();
    create(&disk, "new");
    let mut seen = BTreeSet::new();
    for seed in SEEDS {
        let cut = disk.crash(PowerLoss::Random(seed));
        let there = |name| cut.read_file(name).is_some();
        seen.insert((there("old"), there("new"), cut.read_file("long").unwrap().len()));
        let fired = cut.fired();
        assert_eq!((fired.names_kept + fired.names_dropped), 2);
        assert_eq!((fired.changes_kept + fired.changes_dropped), 1);
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[test]
fn synced_bytes_survive_every_power_loss() {
    for seed in SEEDS {
        let disk = SimStorage::new(seed);
        workload(&disk, seed, 60);
        for name in disk.list().unwrap() {
            disk.open(&name, OpenMode::Read).unwrap().sync().unwrap();
        }
        disk.sync_dir().unwrap();
        let before = contents(&disk);
        // Unsynced changes elsewhere.
        put(&*create(&disk, "other"), 0, b"x").unwrap();
        let mut after = contents(&disk.crash(PowerLoss::Random(seed)));
        after.remove("other");
        assert_eq!(after, before, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed: u64| {
        let disk = SimStorage::new(seed);
        disk.plan(Fault::failing_sync(10).lasting());
        disk.plan(Fault::short_write(40, libc::ENOSPC));
        disk.plan(Fault::crash(90));
        workload(&disk, 5, 300);
        let cut = disk.crash(PowerLoss::Random(seed));
        let again = cut.crash(PowerLoss::Random(seed + 1));
        (contents(&disk), contents(&cut), contents(&again), disk.fired(), disk.op_count())
    };
    let runs: Vec<_> = (0..20).map(run).collect();
    for (seed, first) in runs.iter().enumerate() {
        assert!(run(seed as u64) == *first, "seed {seed}");
    }
    assert!(runs.iter().any(|other| *other != runs[0]), "the seed matters");
    let fired = runs[0].3;
    assert!(fired.failed_syncs > 1 && (fired.short_writes, fired.crashes) == (1, 1), "{fired:?}");
}

#[test]
fn each_life_of_a_disk_has_choices_of_its_own() {
    let disk = SimStorage::new(1);
    let styles = [PowerLoss::KeepAll, PowerLoss::DropUnsynced, PowerLoss::Random(1)];
    let mut seeds: BTreeSet<u64> = styles.map(|style| disk.crash(style).world().seed).into();
    seeds.insert(disk.crash(PowerLoss::Random(2)).world().seed);
    seeds.insert(disk.crash(PowerLoss::KeepAll).crash(PowerLoss::KeepAll).world().seed);
    seeds.insert(1);
    assert_eq!(seeds.len(), 6);
}

#[test]
fn looking_at_a_crash_changes_nothing() {
    let disk = SimStorage::new(1);
    workload(&disk, 1, 100);
    let first = contents(&disk.crash(PowerLoss::Random(9)));
    disk.crash(PowerLoss::DropUnsynced);
    disk.crash(PowerLoss::Random(10));
    assert_eq!(contents(&disk.crash(PowerLoss::Random(9))), first);
}

#[test]
fn operations_are_counted_and_other_calls_are_not() {
    let disk = SimStorage::new(0);
    let file = create(&disk, "a");
    put(&*file, 0, b"x").unwrap();
    file.allocate(10).unwrap();
    file.sync().unwrap();
    disk.sync_dir().unwrap();
    disk.rename("a", "b").unwrap();
    disk.remove("b").unwrap();
    assert_eq!(disk.op_count(), 7);
    file.read_at(0, &mut [0]).unwrap();
    file.map_private(1).unwrap();
    file.len().unwrap();
    disk.list().unwrap();
    drop(disk.lock().unwrap());
    assert!(disk.open("none", OpenMode::Write).is_err());
    assert!(disk.remove("none").is_err());
    assert!(disk.open("a/b", OpenMode::Create).is_err());
    assert_eq!(disk.op_count(), 7);
}

#[test]
fn after_a_crash_every_call_fails() {
    let disk = SimStorage::new(0);
    let file = synced_file(&disk, "file", b"abc");
    disk.plan(Fault::crash(disk.op_count()));
    assert!(is_crash(put(&*file, 0, b"X")));
    let ops = disk.op_count();
    assert!(is_crash(put(&*file, 0, b"X")));
    assert!(is_crash(file.read_at(0, &mut [0])));
    assert!(is_crash(file.len()));
    assert!(is_crash(file.allocate(9)));
    assert!(is_crash(file.sync()));
    assert!(is_crash(file.map_private(1)));
    assert!(is_crash(disk.open("file", OpenMode::Read)));
    assert!(is_crash(disk.open("new", OpenMode::Create)));
    assert!(is_crash(disk.list()));
    assert!(is_crash(disk.rename("file", "to")));
    assert!(is_crash(disk.remove("file")));
    assert!(is_crash(disk.sync_dir()));
    assert!(is_crash(disk.lock()));
    assert_eq!((disk.op_count(), disk.fired().crashes), (ops, 1));
    let after = disk.crash(PowerLoss::DropUnsynced);
    assert_eq!(after.read_file("file").unwrap(), b"abc");
    assert_eq!(after.op_count(), 0);
    put(&*after.open("file", OpenMode::Write).unwrap(), 0, b"Y").unwrap();
}

#[test]
fn the_write_that_a_crash_interrupts_may_be_there_in_part() {
    let mut lens = BTreeSet::new();
    for seed in SEEDS {
        let disk = SimStorage::new(seed);
        let file = synced_file(&disk, "file", b"");
        disk.plan(Fault::crash(0));
        assert!(is_crash(put(&*file, 0, b"abcd")));
        let bytes = disk.crash(PowerLoss::KeepAll).read_file("file").unwrap();
        assert!(b"abcd".starts_with(&bytes));
        lens.insert(bytes.len());
        let cut = disk.crash(PowerLoss::DropUnsynced);
        assert_eq!(cut.read_file("file").unwrap(), b"");
    }
    assert_eq!(lens, BTreeSet::from([0, 1, 2, 3, 4]));
}

#[test]
fn the_rename_that_a_crash_interrupts_happened_or_not() {
    let mut seen = BTreeSet::new();
    for seed in SEEDS {
        let disk = SimStorage::new(seed);
        synced_file(&disk, "a", b"");
        disk.plan(Fault::crash(0));
        assert!(is_crash(disk.rename("a", "b")));
        seen.insert(disk.crash(PowerLoss::KeepAll).list().unwrap());
    }
    assert_eq!(seen, BTreeSet::from([vec!["a".to_owned()], vec!["b".to_owned()]]));
}

/// A crash at each operation of one workload: what was synced before it is there.
#[test]
fn crash_at_every_operation() {
    let steps = |disk: &SimStorage, synced: &mut u8| -> io::Result<()> {
        let file = disk.open("log", OpenMode::Create)?;
        file.allocate(8_192)?;
        disk.sync_dir()?;
        for value in 1..=5u8 {
            put(&*file, u64::from(value) * 600, &[value; 600])?;
            file.sync()?;
            *synced = value;
        }
        disk.rename("log", "old")
    };
    let whole = SimStorage::new(0);
    steps(&whole, &mut 0).unwrap();
    assert_eq!(whole.op_count(), 14);
    for at in 0..whole.op_count() {
        for seed in 0..20 {
            let (disk, mut synced) = (SimStorage::new(seed), 0);
            disk.plan(Fault::crash(at));
            assert!(is_crash(steps(&disk, &mut synced)));
            for style in [PowerLoss::KeepAll, PowerLoss::DropUnsynced, PowerLoss::Random(seed)] {
                let after = disk.crash(style);
                let bytes = after.read_file("log").or_else(|| after.read_file("old"));
                for value in 1..=synced {
                    let bytes = bytes.as_ref().unwrap();
                    let range = value as usize * 600..(value as usize + 1) * 600;
                    assert!(
                        bytes[range].iter().all(|&byte| byte == value),
                        "{at} {seed} {style:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn planned_failures_do_nothing_and_pass() {
    let disk = SimStorage::new(0);
    let file = synced_file(&disk, "file", b"abc");
    let next = disk.op_count();
    disk.plan(Fault::failing(next, libc::EIO));
    disk.plan(Fault::failing(next + 1, libc::ENOSPC));
    disk.plan(Fault::failing(next + 2, io::ErrorKind::TimedOut));
    disk.plan(Fault::failing(next + 3, libc::EIO));
    assert_eq!(code_of(put(&*file, 0, b"X")), Some(libc::EIO));
    let full = file.allocate(100).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.remove("file").unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(code_of(disk.open("new", OpenMode::Create)), Some(libc::EIO));
    assert_eq!(contents(&disk), BTreeMap::from([("file".to_owned(), b"abc".to_vec())]));
    assert_eq!(disk.fired().failures, 4);
    put(&*file, 0, b"X").unwrap();
    assert_eq!(disk.read_file("file").unwrap(), b"Xbc");
}

#[test]
fn a_plain_sync_failure_leaves_it_to_the_next_sync() {
    let disk = SimStorage::new(0);
    let file = synced_file(&disk, "file", b"abc");
    put(&*file, 0, b"X").unwrap();
    disk.plan(Fault::failing(0, libc::EIO));
    assert_eq!(code_of(file.sync()), Some(libc::EIO));
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"abc");
    file.sync().unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"Xbc");
}

#[test]
fn lasting_failures_stay() {
    let disk = SimStorage::new(0);
    let file = create(&disk, "file");
    disk.plan(Fault::failing(2, libc::EIO).lasting());
    put(&*file, 0, b"a").unwrap();
    for _ in 0..5 {
        assert_eq!(code_of(put(&*file, 0, b"b")), Some(libc::EIO));
    }
    assert_eq!(disk.fired().failures, 5);
    assert_eq!(file.read_at(0, &mut [0]).unwrap(), 1, "reads go on");
}

#[test]
fn short_writes_land_a_prefix_and_fail() {
    let mut lens = BTreeSet::new();
    for seed in SEEDS {
        let disk = SimStorage::new(seed);
        let file = create(&disk, "file");
        disk.plan(Fault::short_write(0, libc::ENOSPC));
        file.sync().unwrap();
        file.write_at(0, &[]).unwrap();
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(code_of(file.write_at(0, &parts)), Some(libc::ENOSPC));
        let bytes = disk.read_file("file").unwrap();
        assert!(b"abcd".starts_with(&bytes) && bytes.len() < 4);
        lens.insert(bytes.len());
        assert_eq!(disk.fired().short_writes, 1);
        put(&*file, 0, b"abcd").unwrap();
        assert_eq!(disk.read_file("file").unwrap(), b"abcd");
    }
    assert_eq!(lens.len(), 4, "any number of bytes but all");
}

#[test]
fn a_failing_sync_forgets() {
    let mut seen = BTreeSet::new();
    for seed in SEEDS {
        let disk = SimStorage::new(seed);
        let file = synced_file(&disk, "file", b"old");
        disk.plan(Fault::failing_sync(0));
        put(&*file, 0, b"new").unwrap();
        assert_eq!(code_of(file.sync()), Some(libc::EIO));
        // The next sync has nothing left to do and says that all is well.
        file.sync().unwrap();
        let cached = disk.read_file("file").unwrap();
        let durable = disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap();
        seen.insert((cached == b"new", durable == b"new"));
        assert_eq!((disk.fired().failed_syncs, disk.unsynced()), (1, 0));
        // What is written and synced from then on is durable.
        put(&*file, 0, b"xyz").unwrap();
        file.sync().unwrap();
        assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"xyz");
    }
    assert_eq!(seen, BTreeSet::from([(true, true), (true, false), (false, false)]));
}

#[test]
fn a_failing_sync_of_the_directory_keeps_some_names() {
    let mut seen = BTreeSet::new();
    for seed in SEEDS {
        let disk = SimStorage::new(seed);
        create(&disk, "a");
        create(&disk, "b");
        disk.plan(Fault::failing_sync(0));
        assert_eq!(code_of(disk.sync_dir()), Some(libc::EIO));
        assert_eq!(disk.list().unwrap(), ["a", "b"]);
        seen.insert(disk.crash(PowerLoss::DropUnsynced).list().unwrap().concat());
        disk.sync_dir().unwrap();
        assert_eq!(disk.crash(PowerLoss::DropUnsynced).list().unwrap(), ["a", "b"]);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["", "a", "ab", "b"]);
}

/// A rename that became durable is not undone by the creation before it, which did not.
#[test]
fn a_failing_sync_of_the_directory_keeps_the_order_of_a_files_names() {
    let mut seen = BTreeSet::new();
    for seed in SEEDS {
        let disk = SimStorage::new(seed);
        synced_file(&disk, "file", b"old");
        put(&*create(&disk, "aside"), 0, b"new").unwrap();
        disk.rename("aside", "file").unwrap();
        disk.plan(Fault::failing_sync(0));
        assert_eq!(code_of(disk.sync_dir()), Some(libc::EIO));
        for style in [PowerLoss::DropUnsynced, PowerLoss::Random(seed), PowerLoss::KeepAll] {
            let names = disk.crash(style).list().unwrap().join(" ");
            assert!(names.contains("file"), "seed {seed}, {style:?}: {names}");
            seen.insert(names);
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["aside file", "file"]);
}

#[test]
fn a_lying_sync_makes_nothing_durable() {
    let disk = SimStorage::new(0);
    let file = create(&disk, "file");
    put(&*file, 0, b"abc").unwrap();
    disk.plan(Fault::lying_sync(0));
    disk.plan(Fault::lying_sync(0));
    file.sync().unwrap();
    disk.sync_dir().unwrap();
    assert_eq!(disk.fired().lying_syncs, 2);
    assert!(disk.crash(PowerLoss::DropUnsynced).list().unwrap().is_empty());
    disk.sync_dir().unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"");
    file.sync().unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"abc");
}

#[test]
fn a_late_sync_is_durable_later() {
    let disk = SimStorage::new(0);
    let file = create(&disk, "file");
    put(&*file, 0, b"abc").unwrap();
    disk.plan(Fault::late_sync(0, 3));
    disk.plan(Fault::late_sync(0, 3));
    file.sync().unwrap();
    disk.sync_dir().unwrap();
    put(&*file, 3, b"later").unwrap();
    assert!(disk.crash(PowerLoss::DropUnsynced).list().unwrap().is_empty());
    create(&disk, "other");
    put(&*file, 3, b"late?").unwrap();
    assert!(disk.crash(PowerLoss::DropUnsynced).list().unwrap().is_empty());
    put(&*file, 3, b"later").unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).list().unwrap(), ["file"]);
    let cut = disk.crash(PowerLoss::DropUnsynced);
    assert_eq!(cut.read_file("file").unwrap(), b"abc", "what was there when it began");
    assert_eq!(disk.fired().late_syncs, 2);
}

#[test]
fn reads_fail_as_planned_and_go_on() {
    let disk = SimStorage::new(0);
    let file = synced_file(&disk, "file", b"abcdef");
    let next = disk.read_count();
    disk.plan(Fault::failing_read(next, libc::EIO));
    disk.plan(Fault::failing_read(next + 1, libc::EIO));
    disk.plan(Fault::failing_read(next + 2, libc::EIO));
    disk.plan(Fault::short_read(next + 3, libc::EIO));
    assert_eq!(code_of(disk.open("file", OpenMode::Read)), Some(libc::EIO));
    assert_eq!(code_of(disk.list()), Some(libc::EIO));
    assert_eq!(code_of(file.read_at(0, &mut [0; 6])), Some(libc::EIO));
    assert_eq!(file.len().unwrap(), 6);
    let mut buf = [b'.'; 6];
    assert_eq!(code_of(file.read_at(0, &mut buf)), Some(libc::EIO));
    let arrived = buf.iter().position(|&byte| byte == b'.').unwrap();
    assert_eq!(buf[..arrived], b"abcdef"[..arrived]);
    assert_eq!(file.read_at(0, &mut buf).unwrap(), 6);
    assert_eq!((&buf, disk.read_count()), (b"abcdef", next + 6));
    assert_eq!((disk.fired().failed_reads, disk.fired().short_reads), (3, 1));
}

/// On simulated threads: time passes, a sync covers what was there when it began, the trace knows
/// every byte, and a stall takes its time.
#[test]
fn simulated_threads_share_a_disk_in_turns() {
    let work = |seed: u64, byte: u8| {
        let time_max = Duration::from_secs(60);
        let settings = sched::Settings { seed, turns_max: 10_000, time_max, watch: None };
        sched::run(settings, move || {
            let disk = SimStorage::new(1);
            disk.plan(Fault::stall(5, Duration::from_secs(2)));
            let (file, clock) = (synced_file(&disk, "file", b""), SimClock::new(0));
            let writers: Vec<_> = (0..2u64)
                .map(|writer| {
                    let file = file.clone();
                    let body = move || {
                        for i in 0..4 {
                            put(&*file, i * 2 + writer, &[byte]).unwrap();
                            file.sync().unwrap();
                        }
                    };
                    crate::stdx::thread::spawn("writer", body).unwrap()
                })
                .collect();
            let cuts: Vec<_> = (0..30)
                .map(|_| {
                    sched::sleep(Duration::from_micros(200));
                    let cut = disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap();
                    (cut, disk.read_file("file").unwrap())
                })
                .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), [byte; 8]);
            assert!(clock.monotonic_ns() > 2_000_000_000, "{}", clock.monotonic_ns());
            assert_eq!(disk.fired().stalls, 1);
            cuts
        })
    };
    let (one, two, other) = (work(1, 7), work(1, 7), work(1, 8));
    let cuts = one.result.unwrap();
    assert_eq!(two.result.unwrap(), cuts);
    assert_eq!((one.trace, one.turns, one.time), (two.trace, two.turns, two.time));
    assert_ne!(one.trace, other.trace, "bytes are part of the trace");
    assert_ne!(one.trace, work(2, 7).trace);
    assert!(cuts.iter().any(|(durable, written)| durable.len() < written.len()));
}

#[test]
fn a_full_disk_refuses_to_grow_and_takes_overwrites() {
    let disk = SimStorage::new(0);
    disk.plan(Fault::capacity(1_000));
    let (one, two) = (create(&disk, "one"), create(&disk, "two"));
    one.allocate(600).unwrap();
    put(&*two, 0, &[1; 400]).unwrap();
    assert_eq!(code_of(put(&*two, 399, b"xy")), Some(libc::ENOSPC));
    assert_eq!(code_of(one.allocate(601)), Some(libc::ENOSPC));
    assert_eq!(disk.read_file("two").unwrap(), [1; 400]);
    assert_eq!(disk.fired().no_space, 2);
    put(&*one, 0, &[2; 600]).unwrap();
    one.allocate(600).unwrap();
    // A removed file takes its space until it is closed.
    disk.remove("two").unwrap();
    assert_eq!(code_of(one.allocate(601)), Some(libc::ENOSPC));
    drop(two);
    one.allocate(1_000).unwrap();
    let after = disk.crash(PowerLoss::KeepAll);
    let file = after.open("one", OpenMode::Write).unwrap();
    assert_eq!(code_of(put(&*file, 1_000, b"x")), Some(libc::ENOSPC));
    after.plan(Fault::capacity(u64::MAX));
    put(&*file, 1_000, b"x").unwrap();
}

#[test]
fn bits_flip_at_rest() {
    let disk = SimStorage::new(0);
    let file = synced_file(&disk, "file", b"abc");
    put(&*file, 2, b"cd").unwrap();
    disk.flip("file", 1, 0b11).unwrap();
    disk.flip("file", 3, 1).unwrap();
    assert_eq!(disk.read_file("file").unwrap(), b"aace");
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"aac");
    file.sync().unwrap();
    assert_eq!(disk.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"aace");
    assert_eq!(disk.flip("file", 4, 1).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(disk.flip("none", 0, 1).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(disk.fired().flips, 2);
}

#[test]
fn planted_files_are_durable() {
    let disk = SimStorage::new(0);
    let file = create(&disk, "file");
    put(&*file, 0, b"unsynced").unwrap();
    disk.plan(Fault::failing(0, libc::EIO).lasting());
    disk.write_file("file", b"planted").unwrap();
    disk.write_file("other", b"too").unwrap();
    let mut buf = [0; 7];
    file.read_at(0, &mut buf).unwrap();
    assert_eq!(&buf, b"planted");
    for style in [PowerLoss::DropUnsynced, PowerLoss::Random(1), PowerLoss::Random(2)] {
        assert_eq!(contents(&disk.crash(style)), contents(&disk));
    }
    assert_eq!(disk.op_count(), 2);
    assert!(disk.write_file("a/b", b"").is_err());
    drop(file);
    assert_eq!(disk.read_file("file").unwrap(), b"planted");
}

#[test]
fn snapshots_go_their_own_way() {
    let disk = SimStorage::new(3);
    let file = synced_file(&disk, "file", b"abc");
    put(&*file, 0, b"X").unwrap();
    disk.plan(Fault::crash(disk.op_count() + 1));
    let copy = disk.snapshot();
    put(&*file, 0, b"YY").unwrap();
    assert_eq!(copy.read_file("file").unwrap(), b"Xbc");
    assert_eq!(copy.crash(PowerLoss::DropUnsynced).read_file("file").unwrap(), b"abc");
    assert_eq!(copy.op_count() + 1, disk.op_count());
    // Both have the crash ahead, and take it alike.
    let other = copy.open("file", OpenMode::Write).unwrap();
    put(&*other, 0, b"YY").unwrap();
    assert!(is_crash(put(&*other, 0, b"1234567")) && is_crash(put(&*file, 0, b"1234567")));
    assert_eq!(contents(&copy), contents(&disk));
}

#[test]
fn clones_are_one_disk_and_the_lock_ends_with_the_process() {
    let disk = SimStorage::new(0);
    let same = disk.clone();
    let _guard = disk.lock().unwrap();
    assert_eq!(same.lock().map(|_| ()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    create(&same, "file");
    assert_eq!(disk.list().unwrap(), ["file"]);
    disk.crash(PowerLoss::KeepAll).lock().unwrap();
}

#[test]
fn the_clock_moves_when_told() {
    let clock = SimClock::new(5_000);
    assert_eq!((clock.wall_ms(), clock.monotonic_ns()), (5_000, 0));
    clock.clone().advance(Duration::from_micros(1_500));
    assert_eq!((clock.wall_ms(), clock.monotonic_ns()), (5_001, 1_500_000));
    clock.step_wall(-2_000);
    assert_eq!((clock.wall_ms(), clock.monotonic_ns()), (3_001, 1_500_000));
    clock.step_wall(-10_000);
    assert_eq!(clock.wall_ms(), 0);
}
