use super::super::lock::Lock;
use super::super::sync::{Backoff, Condvar, Mutex};
use super::super::thread;
use super::*;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

fn settings(seed: u64) -> Settings {
    Settings { seed, turns_max: 100_000, time_max: Duration::from_secs(600), watch: None }
}

fn spawn(body: impl FnOnce() + Send + 'static) -> thread::JoinHandle {
    thread::spawn("worker", body).unwrap()
}

/// Three threads that append their number to a list with a point in between.
fn race() -> Vec<u64> {
    let list = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let list = list.clone();
            spawn(move || {
                for _ in 0..5 {
                    list.lock().push(number);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    list.lock().clone()
}

#[test]
fn the_same_seed_gives_the_same_run_and_seeds_differ() {
    let mut orders = BTreeSet::new();
    for seed in 0..200 {
        let (one, two) = (run(settings(seed), race), run(settings(seed), race));
        let order = one.result.unwrap();
        assert_eq!(order.len(), 15);
        assert_eq!(two.result.unwrap(), order);
        assert_eq!((one.trace, one.turns, one.time), (two.trace, two.turns, two.time));
        orders.insert(order);
    }
    assert!(orders.len() > 50, "{}", orders.len());
}

#[test]
fn a_lock_excludes_and_a_read_between_two_locks_races() {
    let mut lost = 0;
    for seed in 0..100 {
        let outcome = run(settings(seed), || {
            let (sum, torn) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (sum, torn) = (sum.clone(), torn.clone());
                    spawn(move || {
                        for _ in 0..3 {
                            *sum.lock() += 1;
                            let read = *torn.lock();
                            *torn.lock() = read + 1;
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            (*sum.lock(), *torn.lock())
        });
        let (sum, torn) = outcome.result.unwrap();
        assert_eq!(sum, 6);
        lost += u32::from(torn < 6);
    }
    assert!(lost > 20, "{lost} of 100 schedules lose an increment");
}

#[test]
fn a_sleeper_holding_locks_is_waited_for() {
    let outcome = run(settings(1), || {
        let (mutex, lock) = (Arc::new(Mutex::new(())), Arc::new(Lock::<()>::new(())));
        let (held, spun) = (mutex.clone(), lock.clone());
        let holder = spawn(move || {
            let _both = (held.lock(), spun.lock());
            sleep(Duration::from_secs(5));
        });
        while now_ns().unwrap() < 10_000 {
            point();
        }
        drop(mutex.lock());
        drop(lock.lock());
        holder.join().unwrap();
        now_ns().unwrap()
    });
    let now = outcome.result.unwrap();
    assert!((5_000_000_000..5_001_000_000).contains(&now), "{now}");
    assert!(outcome.turns < 200, "{} turns", outcome.turns);
}

#[test]
fn a_notice_wakes_and_a_deadline_does() {
    for seed in 0..50 {
        let outcome = run(settings(seed), || {
            let shared = Arc::new((Mutex::new(0), Condvar::new()));
            let other = shared.clone();
            let waiter = spawn(move || {
                let mut value = other.0.lock();
                while *value == 0 {
                    other.1.wait(&mut value);
                }
                *value = 2;
            });
            sleep(Duration::from_millis(1));
            *shared.0.lock() = 1;
            shared.1.notify_one();
            waiter.join().unwrap();
            let mut value = shared.0.lock();
            let before = now_ns().unwrap();
            shared.1.wait_for(&mut value, Duration::from_millis(30));
            (*value, now_ns().unwrap() - before)
        });
        let (value, waited) = outcome.result.unwrap();
        assert_eq!(value, 2);
        assert!((30_000_000..30_100_000).contains(&waited), "{waited}");
    }
}

#[test]
fn a_lost_notice_is_a_failure_that_says_who_waits_where() {
    let outcome = run(settings(3), || {
        let shared = Arc::new((Mutex::new(()), Condvar::new()));
        let other = shared.clone();
        shared.1.notify_all();
        let waiter = spawn(move || other.1.wait(&mut other.0.lock()));
        waiter.join().unwrap();
    });
    let said = outcome.result.unwrap_err();
    assert!(said.starts_with("nobody can go on"), "{said}");
    assert!(said.contains("thread 1 (worker) waits for a notice, at rust/stdx/sched"), "{said}");
    assert!(said.contains("thread 0 (main) joins thread 1"), "{said}");
}

#[test]
fn a_deadlock_and_an_endless_run_are_failures() {
    let deadlock = run(settings(4), || {
        let (a, b) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
        let (c, d) = (a.clone(), b.clone());
        let first = a.lock();
        let other = spawn(move || {
            let _second = d.lock();
            drop(c.lock());
        });
        sleep(Duration::from_secs(1));
        drop(b.lock());
        drop(first);
        other.join().unwrap();
    });
    let said = deadlock.result.unwrap_err();
    assert_eq!(said.matches("wants what another holds").count(), 2, "{said}");

    let endless = run(settings(5), || {
        loop {
            point();
        }
    });
    let said = endless.result.unwrap_err();
    assert!(said.starts_with("no end after 100000 turns"), "{said}");

    let alone = run(settings(6), || {
        let mut backoff = Backoff::default();
        loop {
            backoff.wait();
        }
    });
    let said = alone.result.unwrap_err();
    assert!(said.starts_with("nobody can go on"), "{said}");
}

#[test]
fn panics_are_failures_also_when_they_are_caught() {
    let thrown = run(settings(7), || {
        let other = spawn(|| panic!("on purpose"));
        assert!(other.join().is_err());
    });
    let said = thrown.result.unwrap_err();
    assert!(said.contains("on purpose") && said.contains("sched"), "{said}");
    let caught = run(settings(8), || {
        let _ = catch_unwind(|| panic!("on purpose, too"));
    });
    assert!(caught.result.unwrap_err().contains("on purpose, too"));
}

#[test]
fn numbers_time_and_randomness_are_the_runs_own() {
    let look = || {
        let counter = Arc::new(AtomicU64::new(0));
        let mine = (task().unwrap(), thread::index());
        let first: Vec<_> = (0..3)
            .map(|_| {
                let counter = counter.clone();
                spawn(move || {
                    let bit = 1u64 << thread::index();
                    counter.fetch_add(bit, Ordering::Relaxed);
                    // All alive at once.
                    while counter.load(Ordering::Relaxed).count_ones() < 3 {
                        point();
                    }
                })
            })
            .collect();
        first.into_iter().for_each(|thread| thread.join().unwrap());
        // Numbers come back.
        spawn(|| assert_eq!(thread::index(), 1)).join().unwrap();
        let mut bytes = [0; 13];
        assert!(random(&mut bytes));
        (mine, counter.load(Ordering::Relaxed), bytes, now_ns().unwrap())
    };
    let (one, two) = (run(settings(9), look).result.unwrap(), run(settings(9), look));
    assert_eq!((one.0, one.1), ((0, 0), 0b1110));
    assert_eq!(two.result.unwrap(), one);
    assert_ne!(run(settings(10), look).result.unwrap().2, one.2);
    assert!(!is_simulated() && task().is_none() && now_ns().is_none() && !random(&mut [0]));
    point();
    sleep(Duration::from_secs(1_000));
}

#[test]
fn what_is_noted_is_part_of_the_trace() {
    let trace = |text: &'static str, number, bytes: &'static [u8]| {
        run(settings(1), move || note(text, &[number], bytes)).trace
    };
    let traces =
        [trace("a", 1, b"x"), trace("b", 1, b"x"), trace("a", 2, b"x"), trace("a", 1, b"y")];
    assert_eq!(BTreeSet::from(traces).len(), 4);
    assert_eq!(traces[0], trace("a", 1, b"x"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let saw = seen.clone();
    let watch: Watch = Arc::new(move |what, numbers, bytes| {
        saw.lock().push((what.to_owned(), numbers.to_vec(), bytes.to_vec(), now_ns().is_some()));
    });
    let watched = run(Settings { watch: Some(watch), ..settings(1) }, || note("a", &[1], b"x"));
    assert_eq!(watched.trace, traces[0]);
    assert_eq!(*seen.lock(), [("a".to_owned(), vec![1], b"x".to_vec(), true)]);
}
