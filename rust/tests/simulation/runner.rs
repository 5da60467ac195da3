//! Many seeds on all cores.
//!
//! Each core has a process of its own, since states of one process share a pool, and since a run
//! that hangs or crashes takes its process along. A process keeps to its core: only one thread of
//! a run has the turn at any time, and passing it on within a core costs a tenth. The processes
//! tell of each seed in a line; the first that failed is run here again, and shrunk.

use crate::faults::{Kind, Tally};
use crate::run::{self, Plan};
use crate::settings::{CANARY, Settings};
use crate::shrink;
use mmsb::stdx::canary::Canary;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// Which of how many processes this one is, "1/2".
const WORKER: &str = "MMSB_SIMULATION_WORKER";
/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What came of all seeds that were run.
#[derive(Clone, Default)]
pub struct Totals {
    pub seeds: u64,
    operations: u64,
    turns: u64,
    observations: u64,
    unjudged: u64,
    pub tally: Tally,
}

impl Totals {
    fn add(&mut self, line: &Line) {
        self.seeds += 1;
        self.operations += line.operations;
        self.turns += line.turns;
        self.observations += line.observations;
        self.unjudged += line.unjudged;
        self.tally.add(&line.tally);
    }

    fn rates(&self, time: Duration) -> String {
        let per_second = |count: u64| count as f64 / time.as_secs_f64().max(1e-9);
        format!(
            "{} seeds, {} operations in {:.0} s: {:.0} seeds/s, {:.0} operations/s",
            self.seeds,
            self.operations,
            time.as_secs_f64(),
            per_second(self.seeds),
            per_second(self.operations)
        )
    }
}

/// A seed that failed, and what is known of it before it is run again.
pub struct Failed {
    pub seed: u64,
    /// What was wrong; `None` if its process ended without a word.
    pub wrong: Option<String>,
}

/// If this process is to run a share of the seeds for another one, does so.
pub fn work(settings: &Settings) -> bool {
    let Ok(share) = std::env::var(WORKER) else { return false };
    let (worker, workers) = share.split_once('/').unwrap();
    let (worker, workers) = (worker.parse::<u64>().unwrap(), workers.parse::<u64>().unwrap());
    keep_to_core(worker);
    choose(settings.canary);
    let mut seeds = settings.seeds.clone().skip(worker as usize).step_by(workers as usize);
    let failed = seeds.any(|seed| {
        let report = run::run(&Plan::draw(seed, &settings.faults), false);
        println!("{}", Line::of(seed, &report).write());
        report.result.is_err()
    });
    // What a failed run left behind is left there.
    std::process::exit(i32::from(failed));
}

/// Has the engine of this process make a mistake.
fn choose(canary: Option<Canary>) {
    #[cfg(canaries)]
    mmsb::stdx::canary::choose(canary);
    let _ = canary;
}

/// Lets this process run on the core that comes to it, and no other, if the system allows that.
pub fn keep_to_core(worker: u64) {
    // SAFETY: both calls get a set of their own, and its size; a set is plain bits.
    unsafe {
        let mut all: libc::cpu_set_t = std::mem::zeroed();
        let mut own: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        if libc::sched_getaffinity(0, size, &mut all) == 0 {
            let cores: Vec<usize> = (0..libc::CPU_SETSIZE as usize)
                .filter(|&core| libc::CPU_ISSET(core, &all))
                .collect();
            libc::CPU_SET(cores[worker as usize % cores.len()], &mut own);
            libc::sched_setaffinity(0, size, &own);
        }
    }
}

/// Runs the seeds until one fails.
pub fn run_all(settings: &Settings, talk: bool) -> (Totals, Option<Failed>) {
    let (start, mut told) = (Instant::now(), Instant::now());
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let workers = workers.min(settings.seeds.end - settings.seeds.start);
    let (tell, lines) = mpsc::channel();
    let mut children: Vec<Child> =
        (0..workers).map(|worker| spawn(settings, worker, workers, tell.clone())).collect();
    drop(tell);
    let mut totals = Totals::default();
    let mut next: Vec<u64> = (0..workers).map(|worker| settings.seeds.start + worker).collect();
    let failed = loop {
        match lines.recv_timeout(PROGRESS_EVERY.saturating_sub(told.elapsed())) {
            Ok((worker, Some(line))) => {
                totals.add(&line);
                next[worker as usize] = line.seed.saturating_add(workers);
                if line.wrong.is_some() {
                    break Some(Failed { seed: line.seed, wrong: line.wrong });
                }
            }
            Ok((worker, None)) => {
                let seed = next[worker as usize];
                if seed < settings.seeds.end {
                    break Some(Failed { seed, wrong: None });
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break None,
        }
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            if talk {
                println!("{}", totals.rates(start.elapsed()));
            }
        }
    };
    for child in &mut children {
        let _ = child.kill();
        let _ = child.wait();
    }
    if talk {
        println!("{}", totals.rates(start.elapsed()));
    }
    (totals, failed)
}

/// Starts a process, and a thread that passes on what it says; `None` when it has ended.
fn spawn(
    settings: &Settings,
    worker: u64,
    workers: u64,
    tell: Sender<(u64, Option<Line>)>,
) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["seeds", "--exact", "--nocapture"])
        .env(WORKER, format!("{worker}/{workers}"))
        .env(CANARY, settings.canary.map_or("", Canary::name))
        .env("MMSB_SEED", settings.seeds.start.to_string())
        .env("MMSB_SEEDS", (settings.seeds.end - settings.seeds.start).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        // The test harness says things, too.
        for line in said.map_while(Result::ok).filter_map(|line| Line::read(&line)) {
            let _ = tell.send((worker, Some(line)));
        }
        let _ = tell.send((worker, None));
    });
    child
}

/// What a process says of a seed.
#[derive(Clone, PartialEq, Debug)]
struct Line {
    seed: u64,
    wrong: Option<String>,
    operations: u64,
    turns: u64,
    observations: u64,
    unjudged: u64,
    tally: Tally,
}

impl Line {
    fn of(seed: u64, report: &run::Report) -> Line {
        let wrong = report.result.as_ref().err().map(|wrong| wrong.replace('\n', " / "));
        let run::Report { operations, turns, observations, unjudged, tally, .. } = *report;
        Line { seed, wrong, operations, turns, observations, unjudged, tally }
    }

    fn write(&self) -> String {
        let Line { seed, wrong, operations, turns, observations, unjudged, tally } = self;
        let head = [*seed, *operations, *turns, *observations, *unjudged];
        let numbers: Vec<_> = head.into_iter().chain(tally.numbers()).collect();
        let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
        format!("seed: {}; {}", numbers.join(" "), wrong.as_deref().unwrap_or_default())
    }

    fn read(line: &str) -> Option<Line> {
        // The harness does not end its line before a test that is not captured.
        let (numbers, wrong) = line.split_once("seed: ")?.1.split_once("; ")?;
        let wrong = (!wrong.is_empty()).then(|| wrong.to_owned());
        let mut numbers = numbers.split(' ').map(|number| number.parse::<u64>().unwrap());
        let mut next = || numbers.next();
        let (seed, operations, turns) = (next()?, next()?, next()?);
        let (observations, unjudged) = (next()?, next()?);
        let tally = Tally::from_numbers(numbers)?;
        Some(Line { seed, wrong, operations, turns, observations, unjudged, tally })
    }
}

/// Runs the seeds, tells of them, and fails if one failed or if a kind of fault never struck.
pub fn check(settings: &Settings) {
    println!(
        "{} seeds from {} on, commit {}",
        settings.seeds.end - settings.seeds.start,
        settings.seeds.start,
        commit()
    );
    let (totals, failed) = run_all(settings, true);
    if let Some(failed) = failed {
        panic!("{}", explain(settings, &failed));
    }
    println!(
        "{} turns; {} of {} observations not judged, since the sync before them failed",
        totals.turns, totals.unjudged, totals.observations
    );
    println!("{}", totals.tally.table());
    if settings.covers() {
        for &kind in Kind::ALL {
            let count = totals.tally.of(kind);
            let name = kind.name();
            assert!(count.fired > 0 && count.survived > 0, "{name} was never survived: {count:?}");
        }
    }
}

/// Runs a failed seed again, prints its shortest history, and says how to see it once more.
fn explain(settings: &Settings, failed: &Failed) -> String {
    let seed = failed.seed;
    let (commit, again) = (commit(), settings.again(seed));
    let head = format!("seed {seed} fails at commit {commit}; again: {again}\n");
    if failed.wrong.is_none() {
        return head + "its process ended without a word; it is not run again here";
    }
    keep_to_core(0);
    choose(settings.canary);
    let plan = Plan::draw(seed, &settings.faults);
    let Err(wrong) = run::run(&plan, false).result else {
        return head + "it does not fail again: something outside the seed decides";
    };
    println!("{head}{wrong}\nlooking for a shorter history ...");
    let (short, tries) = shrink::shrink(&plan, &|plan| run::run(plan, false).result.is_err());
    let told = run::run(&short, true);
    println!("{}", short.describe());
    told.story.iter().for_each(|line| println!("{line}"));
    let wrong_at_last = told.result.err().unwrap_or_default();
    let (from, to) = (plan.size(), short.size());
    format!(
        "{head}{wrong}\nat its shortest, {to} parts of {from}, after {tries} tries: {wrong_at_last}"
    )
}

/// What was tested: the commit where there is one to ask for, else the version.
fn commit() -> String {
    let asked = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match asked {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => concat!("of version ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

#[test]
fn a_line_is_read_as_it_was_written() {
    let mut tally = Tally::default();
    tally.fired(Kind::ClockStep, 7);
    tally.planned(Kind::Crash);
    tally.survive();
    let mut line = Line {
        seed: 5,
        wrong: Some("it; x: 2".into()),
        operations: 1,
        turns: 2,
        observations: 4,
        unjudged: 3,
        tally,
    };
    assert_eq!(Line::read(&format!("test seeds ... {}", line.write())).as_ref(), Some(&line));
    line.wrong = None;
    assert_eq!(Line::read(&line.write()), Some(line));
    assert_eq!(Line::read("running 1 test"), None);
}
