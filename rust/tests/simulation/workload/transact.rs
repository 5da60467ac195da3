//! Transactions: reads and writes over several pages, of anybody, of a partition, and by workers.

use super::{Actor, KEYS, SURE_BYTES, Steps, delta, pieces, shorten, wait};
use crate::history::{Read, Reader};
use crate::model::Effect;
use mmsb::stdx::sched;
use mmsb::{
    ErrorKind, ExecutorConfig, Lsn, Ownership, PageId, Result, Retry, Savepoint, Transaction,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Partitions that pages may belong to; the executor's workers hold the first two.
const PARTITIONS: u64 = 3;
const WORKERS: usize = 2;

/// Whose a page may become: some partition's, mostly; nobody's, rarely.
pub fn ownership(actor: &mut Actor<'_>) -> Ownership {
    match actor.dice.below(12) {
        0 => Ownership::Immutable,
        1..4 => Ownership::Shared,
        _ => Ownership::Owned(actor.dice.below(PARTITIONS) as u16),
    }
}

pub fn transaction(actor: &mut Actor<'_>) -> Result<()> {
    let transaction = actor.state().begin()?;
    Body::new(actor, Vec::new(), true).live(actor, transaction)
}

pub fn read_only(actor: &mut Actor<'_>) -> Result<()> {
    let transaction = actor.state().begin_read()?;
    Body::new(actor, Vec::new(), false).live(actor, transaction)
}

pub fn of_a_partition(actor: &mut Actor<'_>) -> Result<()> {
    let number = actor.dice.below(PARTITIONS) as u16;
    let mut partition = actor.state().partition(number)?;
    for _ in 0..1 + actor.dice.below(3) {
        let transaction = partition.begin()?;
        Body::new(actor, vec![number], true).live(actor, transaction)?;
    }
    Ok(())
}

/// What a transaction has done so far, and so what it must see.
struct Body {
    partitions: Vec<u16>,
    writes: bool,
    began: u64,
    /// When it was told something last.
    ended: u64,
    /// What it does to pages.
    pages: BTreeMap<PageId, Steps>,
    /// What it was told of pages, without its own changes.
    bytes: BTreeMap<PageId, Vec<u8>>,
    meta: BTreeMap<(PageId, &'static [u8]), Option<Vec<u8>>>,
    reads: Vec<Read>,
    saved: Option<(Savepoint, BTreeMap<PageId, Steps>)>,
}

impl Body {
    fn new(actor: &Actor<'_>, partitions: Vec<u16>, writes: bool) -> Body {
        let began = actor.history().event();
        Body {
            partitions,
            writes,
            began,
            ended: began,
            pages: BTreeMap::new(),
            bytes: BTreeMap::new(),
            meta: BTreeMap::new(),
            reads: Vec::new(),
            saved: None,
        }
    }

    fn live(mut self, actor: &mut Actor<'_>, mut transaction: Transaction<'_>) -> Result<()> {
        for _ in 0..1 + actor.dice.below(8) {
            match self.step(actor, &mut transaction) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    return self.meets(actor, Some(&mut transaction));
                }
                // What is refused changes nothing: it may go on.
                Err(error) if actor.operation.may.contains(&error.kind()) && actor.dice.coin() => {}
                Err(error) => {
                    self.note(actor, None);
                    return Err(error);
                }
            }
            self.pause(actor);
        }
        if actor.dice.one_in(8) {
            // Given up: as if it had never been.
            transaction.abort();
            self.note(actor, None);
            return Ok(());
        }
        self.commit(actor, transaction)
    }

    /// Lets others change what was read.
    fn pause(&self, actor: &mut Actor<'_>) {
        match actor.dice.below(16) {
            0 => wait(actor),
            1..8 => sched::sleep(Duration::from_micros(actor.dice.below(200))),
            _ => {}
        }
    }

    fn told(&mut self, actor: &Actor<'_>, read: Read) {
        let mut history = actor.history();
        self.ended = history.event();
        history.observations += 1;
        self.reads.push(read);
    }

    /// Keeps what it was told: it was of one moment, whatever became of it.
    fn note(self, actor: &Actor<'_>, group: Option<usize>) {
        let Body { began, ended, reads, .. } = self;
        if !reads.is_empty() || group.is_some() {
            let what = format!("w{}'s {}", actor.writer, actor.operation.name);
            actor.tell(|| {
                format!("{} told from {began} to {ended}: {}", actor.operation.name, short(&reads))
            });
            actor.history().readers.push(Reader { what, group, began, ended, reads });
        }
    }

    /// It met another: one that there was, and it stays lost.
    fn meets(self, actor: &Actor<'_>, transaction: Option<&mut Transaction<'_>>) -> Result<()> {
        actor.tell(|| format!("{}: a conflict", actor.operation.name));
        let began = self.began;
        let met = |answered| answered == 0 || answered > began;
        let others = actor.history().groups.iter().filter(|group| met(group.answered)).count();
        let own = usize::from(transaction.is_none());
        actor.expect(others > own, || "a conflict with nobody".to_owned());
        if let Some(transaction) = transaction {
            let again = transaction.check().map_err(|error| error.kind());
            let lost = transaction.is_lost() && again == Err(ErrorKind::Conflict);
            actor.expect(lost, || format!("after a conflict it goes on: {again:?}"));
        }
        self.note(actor, None);
        Ok(())
    }

    fn commit(self, actor: &mut Actor<'_>, transaction: Transaction<'_>) -> Result<()> {
        let is = |steps: &Steps, created, freed| {
            (steps.create.is_some(), steps.free) == (created, freed)
        };
        let that_are = |created, freed| -> Vec<PageId> {
            let those = self.pages.iter().filter(|(_, steps)| is(steps, created, freed));
            those.map(|(id, _)| *id).collect()
        };
        let (made, freed) = (that_are(true, false), that_are(false, true));
        let mut effects = Vec::new();
        for (id, steps) in &self.pages {
            steps.clone().into_effects(id.0, &mut effects);
        }
        if !self.partitions.is_empty() {
            effects.insert(0, Effect::For { partitions: self.partitions.clone() });
        }
        let at = actor.history().groups.len();
        match actor.ask(effects, |_, note| transaction.commit(note)) {
            Ok(lsn) => {
                if lsn.is_some() {
                    let pages = &mut actor.history().pages;
                    pages.retain(|page| !freed.contains(page));
                    pages.extend(made);
                }
                let ended = actor.history().event();
                Body { ended, ..self }.note(actor, lsn.map(|_| at));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Conflict => self.meets(actor, None),
            Err(error) => {
                self.note(actor, None);
                Err(error)
            }
        }
    }

    fn step(&mut self, actor: &mut Actor<'_>, transaction: &mut Transaction<'_>) -> Result<()> {
        let Some(page) = self.page(actor) else { return Ok(()) };
        let kinds = if self.writes { 20 } else { 9 };
        match actor.dice.below(kinds) {
            0..5 => self.read(actor, transaction, page),
            5 => self.read_meta(actor, transaction, page),
            6 => self.list(actor, transaction),
            7 => self.look(actor, transaction),
            8 => transaction.check(),
            9 => self.create(actor, transaction),
            10 => self.save(actor, transaction),
            // A page that goes shows nothing any more.
            _ if self.is_freed(page) => {
                let refused = transaction.write(page, 0, b"x").map_err(|error| error.kind());
                let right = matches!(refused, Err(ErrorKind::PageFreed | ErrorKind::Conflict));
                actor.expect(right, || format!("{page}, which it freed: {refused:?}"));
                Ok(())
            }
            // It is refused, sooner or later; so that not all transactions are, it goes on reading.
            14.. if self.is_computed(actor, page) && !actor.dice.one_in(6) => {
                self.read(actor, transaction, page)
            }
            11 => self.free(transaction, page),
            12 => self.own(actor, transaction, page),
            13 | 14 => self.change_meta(actor, transaction, page),
            _ => self.write(actor, transaction, page),
        }
    }

    /// A page that it has touched, or another one; of a partition, one that belongs to it.
    fn page(&self, actor: &mut Actor<'_>) -> Option<PageId> {
        let known: Vec<PageId> = self.pages.keys().chain(self.bytes.keys()).copied().collect();
        let at = actor.dice.below(2 * known.len() as u64 + 1) as usize;
        if let Some(page) = known.get(at) {
            return Some(*page);
        }
        let mine = |page: &PageId| match actor.world.state.ownership(*page) {
            Ok(Ownership::Owned(owner)) => self.partitions.contains(&owner),
            _ => self.partitions.is_empty(),
        };
        let pages = actor.history().pages.clone();
        let mine: Vec<PageId> = pages.into_iter().filter(mine).collect();
        let at = actor.dice.below(mine.len() as u64 + 1) as usize;
        mine.get(at).copied().or_else(|| actor.page())
    }

    fn is_freed(&self, page: PageId) -> bool {
        self.pages.get(&page).is_some_and(|steps| steps.free)
    }

    fn is_computed(&self, actor: &Actor<'_>, page: PageId) -> bool {
        matches!(actor.state().rule(page), Ok(Some(_)))
    }

    fn is_created(&self, page: PageId) -> bool {
        self.pages.get(&page).is_some_and(|steps| steps.create.is_some())
    }

    /// Its own changes on top of what the page showed.
    fn overlay(&self, page: PageId, bytes: &mut [u8]) {
        for (at, piece) in self.pages.get(&page).iter().flat_map(|steps| &steps.pieces) {
            bytes[*at as usize..*at as usize + piece.len()].copy_from_slice(piece);
        }
    }

    /// What the page shows without its own changes, if it was told.
    fn base(&self, page: PageId) -> Option<Vec<u8>> {
        match self.pages.get(&page).and_then(|steps| steps.create) {
            Some((size, ..)) => Some(vec![0; size as usize]),
            None => self.bytes.get(&page).cloned(),
        }
    }

    fn read(
        &mut self,
        actor: &mut Actor<'_>,
        transaction: &mut Transaction<'_>,
        page: PageId,
    ) -> Result<()> {
        if self.is_freed(page) {
            let refused = transaction.read_all(page).map_err(|error| error.kind());
            let right = matches!(refused, Err(ErrorKind::PageFreed | ErrorKind::Conflict));
            actor.expect(right, || format!("{page}, which it freed, shows {refused:?}"));
            return Ok(());
        }
        let bytes = transaction.read_all(page)?;
        let base = self.base(page);
        let is_new = base.is_none() && !self.pages.contains_key(&page);
        let mut must = base.unwrap_or_else(|| bytes.clone());
        self.overlay(page, &mut must);
        actor.expect(bytes == must, || format!("{page} is not what it was, and what it wrote"));
        if is_new {
            self.told(actor, Read::Bytes { page: page.0, bytes: bytes.clone() });
            self.bytes.insert(page, bytes.clone());
        }
        if actor.dice.one_in(3) {
            let at = actor.dice.below(bytes.len() as u64);
            let len = 1 + actor.dice.below((bytes.len() as u64 - at).min(300));
            let mut part = vec![0; len as usize];
            transaction.read(page, at, &mut part)?;
            let same = bytes[at as usize..].starts_with(&part);
            actor.expect(same, || format!("{page} differs at {at}, read in part"));
        }
        Ok(())
    }

    fn read_meta(
        &mut self,
        actor: &mut Actor<'_>,
        transaction: &mut Transaction<'_>,
        page: PageId,
    ) -> Result<()> {
        let key = KEYS[actor.dice.below(3) as usize];
        if self.is_freed(page) {
            return Ok(());
        }
        let value = match transaction.meta(page, key) {
            Ok(value) => Some(value),
            Err(error) if error.kind() == ErrorKind::KeyNotFound => None,
            Err(error) => return Err(error),
        };
        let own = self.pages.get(&page).and_then(|steps| steps.own_value(key));
        let must = match own {
            Some(own) => Some(own.cloned()),
            None if self.is_created(page) => Some(None),
            None => self.meta.get(&(page, key)).cloned(),
        };
        match must {
            Some(must) => {
                actor.expect(value == must, || format!("{page} has another value of a key"));
            }
            None => {
                self.meta.insert((page, key), value.clone());
                self.told(actor, Read::Meta { page: page.0, key: key.to_vec(), value });
            }
        }
        Ok(())
    }

    fn list(&mut self, actor: &Actor<'_>, transaction: &mut Transaction<'_>) -> Result<()> {
        let listed = transaction.list_pages()?;
        for (page, steps) in &self.pages {
            let must = !steps.free;
            let right =
                listed.binary_search(page).is_ok() == must || (must && !self.is_created(*page));
            actor.expect(right, || format!("it lists {listed:?}, with or without its own {page}"));
        }
        let others = listed.iter().filter(|page| !self.is_created(**page)).map(|page| page.0);
        let without = self.pages.keys().map(|page| page.0).collect();
        self.told(actor, Read::Listed { pages: others.collect(), without });
        Ok(())
    }

    fn look(&mut self, actor: &mut Actor<'_>, transaction: &mut Transaction<'_>) -> Result<()> {
        let page = PageId(1 + actor.dice.below(24));
        let there = transaction.contains(page)?;
        match self.pages.get(&page) {
            Some(steps) if steps.free => {
                actor.expect(!there, || format!("{page} is there, which it freed"));
            }
            Some(steps) if steps.create.is_some() => {
                actor.expect(there, || format!("{page} is not there, which it created"));
            }
            _ => self.told(actor, Read::Exists { page: page.0, there }),
        }
        Ok(())
    }

    fn create(&mut self, actor: &mut Actor<'_>, transaction: &mut Transaction<'_>) -> Result<()> {
        let (size, location, private) = actor.begin_page();
        let id = match private {
            true => transaction.create_private_page(size, location)?,
            false => transaction.create_page(size, location)?,
        };
        let create = Some((size, location, private));
        self.pages.insert(id, Steps { size, create, ..Steps::default() });
        Ok(())
    }

    /// Makes a savepoint, or goes back to it.
    fn save(&mut self, actor: &mut Actor<'_>, transaction: &mut Transaction<'_>) -> Result<()> {
        match self.saved.take().filter(|_| !actor.dice.one_in(3)) {
            Some((savepoint, pages)) => {
                transaction.rollback(savepoint)?;
                self.pages = pages;
            }
            None => self.saved = Some((transaction.savepoint(), self.pages.clone())),
        }
        Ok(())
    }

    fn free(&mut self, transaction: &mut Transaction<'_>, page: PageId) -> Result<()> {
        transaction.free_page(page)?;
        self.steps(transaction, page)?.free = true;
        Ok(())
    }

    fn steps(&mut self, transaction: &mut Transaction<'_>, page: PageId) -> Result<&mut Steps> {
        let size = match self.is_freed(page) {
            true => 0,
            false => transaction.page_size(page).unwrap_or(0),
        };
        Ok(self.pages.entry(page).or_insert_with(|| Steps { size, ..Steps::default() }))
    }

    /// Gives the page to somebody else than it belongs to. What it belongs to is known only of a page
    /// that was read, and then stays so up to the commit.
    fn own(
        &mut self,
        actor: &mut Actor<'_>,
        transaction: &mut Transaction<'_>,
        page: PageId,
    ) -> Result<()> {
        let now = match self.is_created(page) {
            true => Ownership::Shared,
            false => actor.state().ownership(page)?,
        };
        let ownership = ownership(actor);
        let given = self.pages.get(&page).is_some_and(|steps| steps.own.is_some());
        if ownership == now || given || self.base(page).is_none() {
            return self.read(actor, transaction, page);
        }
        transaction.set_ownership(page, ownership)?;
        self.steps(transaction, page)?.own = Some(ownership);
        Ok(())
    }

    fn change_meta(
        &mut self,
        actor: &mut Actor<'_>,
        transaction: &mut Transaction<'_>,
        page: PageId,
    ) -> Result<()> {
        let key = KEYS[actor.dice.below(3) as usize];
        let own = self.pages.get(&page).and_then(|steps| steps.own_value(key));
        let there = match own {
            Some(own) => own.is_some(),
            None => matches!(self.meta.get(&(page, key)), Some(Some(_))),
        };
        let value = (!there || actor.dice.coin()).then(|| actor.bytes(5));
        match &value {
            Some(value) => transaction.set_meta(page, key, value)?,
            None => transaction.remove_meta(page, key)?,
        }
        self.steps(transaction, page)?.meta.push((key.to_vec(), value));
        Ok(())
    }

    /// Writes what is not there already: a page that a group leaves as it is stands in no record of
    /// it, so that nothing orders the two.
    fn write(
        &mut self,
        actor: &mut Actor<'_>,
        transaction: &mut Transaction<'_>,
        page: PageId,
    ) -> Result<()> {
        let size = transaction.page_size(page)?;
        if size < 2 * SURE_BYTES {
            let Some(mut content) = self.base(page) else {
                return self.read(actor, transaction, page);
            };
            content[0] ^= 1 + actor.dice.below(255) as u8;
            transaction.update(page, &content)?;
            self.steps(transaction, page)?.pieces.push((0, content));
            return Ok(());
        }
        let at = actor.dice.below(size - SURE_BYTES);
        let len = (SURE_BYTES + actor.dice.below(50)).min(size - at);
        let mut written = vec![(at, actor.bytes(len as usize))];
        match actor.dice.below(6) {
            0 => {
                written = vec![(0, actor.bytes(size as usize))];
                transaction.update(page, &written[0].1)?;
            }
            1 => {
                written = pieces(actor, size);
                let end = written.last().map_or(0, |(at, bytes)| at + bytes.len() as u64);
                if end + SURE_BYTES > size {
                    return Ok(());
                }
                written.push((end, actor.bytes(SURE_BYTES as usize)));
                transaction.apply(&delta(page, &written)?)?;
            }
            _ => transaction.write(page, at, &written[0].1)?,
        }
        self.steps(transaction, page)?.pieces.extend(written);
        Ok(())
    }
}

/// What was read, in one line.
fn short(reads: &[Read]) -> String {
    let one = |read: &Read| match read {
        Read::Bytes { page, .. } => format!("page {page}"),
        Read::Meta { page, key, .. } => format!("page {page} key {}", String::from_utf8_lossy(key)),
        Read::Exists { page, there: true } => format!("{page} is there"),
        Read::Exists { page, there: false } => format!("{page} is not there"),
        Read::Listed { pages, .. } => format!("all pages {pages:?}"),
    };
    reads.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Adds one to a number, again until nobody was in the way.
pub fn increment(actor: &mut Actor<'_>) -> Result<()> {
    let Some((page, size)) = actor.sized_input()? else { return Ok(()) };
    if size < 8 {
        return Ok(());
    }
    let pause = Duration::from_micros(actor.dice.below(400));
    let (world, mut reader) = (actor.world, None);
    let at = actor.history().groups.len();
    let answer = actor.ask(Vec::new(), |state, note| {
        let done = state.transact(note, Retry::default(), |transaction| {
            let began = world.history.lock().event();
            let bytes = transaction.read_all(page)?;
            sched::sleep(pause);
            let number = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            let more = number.wrapping_add(1).to_le_bytes();
            transaction.write(page, 0, &more)?;
            let mut history = world.history.lock();
            let pieces = vec![(0, more.to_vec())];
            history.groups[at].effects = vec![Effect::Write { page: page.0, pieces }];
            reader = Some((began, Read::Bytes { page: page.0, bytes }));
            Ok(())
        });
        done.map(|((), lsn)| lsn)
    });
    if let (Ok(Some(_)), Some((began, read))) = (&answer, reader) {
        let what = format!("w{}'s {}", actor.writer, actor.operation.name);
        let mut history = actor.history();
        let ended = history.event();
        history.readers.push(Reader { what, group: Some(at), began, ended, reads: vec![read] });
    }
    answer.map(drop)
}

/// One piece of work of an executor: where it stands in the history, and what answers it.
type Submitted = (usize, Option<usize>, mmsb::Ticket<((), Option<Lsn>)>);

/// Workers write for their partitions, and across them.
pub fn executor(actor: &mut Actor<'_>) -> Result<()> {
    let queue_max = 1 + actor.dice.below(4) as usize;
    let config =
        ExecutorConfig { workers: WORKERS, pin: false, queue_max, retry: Retry::default() };
    let executor = actor.state().executor(config)?;
    let mut submitted: Vec<Submitted> = Vec::new();
    for _ in 0..1 + actor.dice.below(8) {
        let across = actor.dice.one_in(3);
        let worker = actor.dice.below(WORKERS as u64) as usize;
        let mut writes: BTreeMap<PageId, (u64, Vec<u8>)> = BTreeMap::new();
        for _ in 0..1 + actor.dice.below(3) {
            let Ok(Some((page, size))) = actor.sized_input() else { continue };
            if size >= 2 * SURE_BYTES {
                let at = actor.dice.below(size - SURE_BYTES);
                writes.insert(page, (at, actor.bytes(SURE_BYTES as usize)));
            }
        }
        let mine: Vec<usize> = if across { (0..WORKERS).collect() } else { vec![worker] };
        let partitions = mine.iter().map(|&worker| worker as u16).collect();
        let mut effects = vec![Effect::For { partitions }];
        for (page, piece) in &writes {
            effects.push(Effect::Write { page: page.0, pieces: vec![piece.clone()] });
        }
        let (at, tag) = actor.history().ask(actor.writer, effects);
        let body = move |transaction: &mut Transaction<'_>| {
            writes.iter().try_for_each(|(page, (at, bytes))| transaction.write(*page, *at, bytes))
        };
        let ticket = match across {
            true => executor.submit_across(&mine, tag, body),
            false => executor.submit(worker, tag, body),
        };
        submitted.push((at, (!across).then_some(worker), ticket?));
    }
    if actor.dice.one_in(4) {
        executor.stop();
    } else if actor.dice.coin() {
        drop(executor);
    }
    answer_all(actor, submitted)
}

/// Takes all answers in. What one partition was given has LSNs in the order in which it was.
fn answer_all(actor: &mut Actor<'_>, submitted: Vec<Submitted>) -> Result<()> {
    let (mut last, mut failed) = ([Lsn::ZERO; WORKERS], Ok(()));
    for (at, worker, ticket) in submitted {
        let answer = ticket.wait().map(|((), lsn)| lsn);
        actor.history().answer(at, &answer);
        actor.tell(|| {
            let (tag, effects) = {
                let group = &actor.history().groups[at];
                (group.tag.clone(), shorten(&group.effects))
            };
            format!("worked: {tag}: {effects} -> {answer:?}")
        });
        match answer {
            Ok(Some(lsn)) => {
                if let Some(worker) = worker {
                    let before = std::mem::replace(&mut last[worker], lsn);
                    actor.expect(lsn > before, || format!("{lsn} follows {before} of a worker"));
                }
            }
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::Cancelled => {}
            Err(error) => failed = failed.and(Err(error)),
        }
    }
    failed
}
