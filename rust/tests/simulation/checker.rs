//! Whether a run was right:
//!
//! - what was promised is there: every acknowledged group in `sync`, what an explicit flush, sync or
//!   checkpoint covered in all durabilities, and in `buffered` everything older than the window;
//! - what is there is a prefix of the groups in LSN order, each whole, with the content, epochs and
//!   metadata that the model has, under the label that it was asked for with;
//! - damage is reported with place and reason and never returned as data; what is undamaged is
//!   never refused, and no call fails without a cause;
//! - what was seen while writers worked (snapshots, views, replays, queries) is what the model had;
//! - a derived page is what its rule makes of its parents as of the same LSN, or known as stale, in
//!   every state that was opened, replayed or seen, as computed anew by the model (`derived.rs`,
//!   `rules.rs`); reading the log calls no callback;
//! - a page is changed by whom it belongs to, and nobody is refused what is everybody's; edges make no
//!   cycle, lead to pages that are there, and stand in the order that the index tells;
//! - a private page shows and changes to nobody without its key, or with another one; no two contents
//!   are sealed with one nonce (`seals.rs`); nothing is computed of what is private;
//! - there is one order of groups, transactions and snapshots in which each saw what it was told
//!   (`order.rs`), and no transaction meets another that is not there.
//!
//! Progress is checked by the scheduler: a wait that nobody ends, and a run without an end, fail.
//!
//! Not checked: whether a cycle or a child was there that an edge, or a free, was refused for; memory that is lost, how long anything takes, and weak memory orders.

use crate::history::{History, Named, Naming, between};
use crate::model::{Bonds, Effect, Fate, Group, Model, Observation, Page, Seen, Shown};
use crate::workload::{Setup, groups_of};
use mmsb::env::sim::{SimClock, SimStorage};
use mmsb::{
    Durability, EdgeKind, Error, ErrorKind, Lsn, Note, Ownership, PageId, Propagation, Query,
    Staleness, State,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// The key of private pages, and one that is not.
pub const KEY: [u8; 32] = [0x51; 32];
const OTHER_KEY: [u8; 32] = [0x52; 32];

/// Opens the state of a disk, without a key.
pub fn open(disk: &SimStorage, clock: &SimClock, setup: &Setup) -> mmsb::Result<State> {
    State::open_in(Arc::new(disk.clone()), Arc::new(clock.clone()), setup.config())
}

/// Opens the state of a disk, and its private pages.
fn open_all(disk: &SimStorage, clock: &SimClock, setup: &Setup) -> mmsb::Result<State> {
    let state = open(disk, clock, setup)?;
    if setup.private {
        state.unlock(&KEY)?;
    }
    Ok(state)
}

/// What a disk that was left may have lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// What was not promised up to this LSN.
    Above(Lsn),
    /// Anything: a sync lied. What is left is a prefix all the same, or reported as damage.
    Anything,
    /// Bits flipped. What is left is right, or reported as damage, or as a torn tail after what
    /// the manifest says was durable.
    Rotten { promised: Lsn, proven: Lsn },
}

/// What was found on a disk.
pub struct Survivors {
    /// The state.
    pub model: Model,
    /// Every group at or below it is in the state.
    pub reach: Lsn,
    /// The groups that make it, with what only the log could tell of them.
    pub groups: Vec<Group>,
    /// The named checkpoints that are kept.
    pub names: BTreeMap<String, Lsn>,
}

/// Opens a disk that was left and compares everything on it with what must be there. `None` where
/// damage was reported, as it may be.
pub fn examine(
    disk: &SimStorage,
    clock: &SimClock,
    setup: &Setup,
    history: &History,
    loss: Loss,
) -> Result<Option<Survivors>, String> {
    let state = match open_all(disk, clock, setup) {
        Ok(state) => state,
        Err(error) => return reported(&error, loss).map(|()| None),
    };
    match compare(&state, history, loss) {
        Ok(survivors) => {
            let promised = promised(history, loss, &state)?;
            if promised > survivors.reach {
                let reach = survivors.reach;
                return Err(format!("promised up to {promised}, there up to {reach}"));
            }
            check_names(history, &survivors.names, loss)?;
            drop(state);
            if matches!(loss, Loss::Above(_)) {
                check_sealed(disk, clock, setup, &survivors.model)?;
            }
            Ok(Some(survivors))
        }
        Err(Wrong::Answer(error)) => reported(&error, loss).map(|()| None),
        Err(Wrong::Content(what)) => Err(what),
    }
}

/// Whether what is private shows and changes to nobody without the key, or with another one.
fn check_sealed(
    disk: &SimStorage,
    clock: &SimClock,
    setup: &Setup,
    model: &Model,
) -> Result<(), String> {
    let private = |(_, page): &(&u64, &Arc<Page>)| page.is_private();
    let pages: Vec<_> = model.pages.iter().filter(private).collect();
    if pages.is_empty() {
        return Ok(());
    }
    let said = |error: Error| format!("without the key: {error:?}");
    let state = open(disk, clock, setup).map_err(said)?;
    let before = state.digest().map_err(said)?;
    for why in [ErrorKind::Sealed, ErrorKind::WrongKey] {
        for &(id, page) in &pages {
            check_refused(&state, PageId(*id), page, why)?;
        }
        state.unlock(&OTHER_KEY).map_err(said)?;
    }
    match state.digest().map_err(said)? == before {
        true => Ok(()),
        false => Err("what was refused changed something".to_owned()),
    }
}

/// Whether all that would open a page is refused for that reason.
fn check_refused(state: &State, id: PageId, page: &Page, why: ErrorKind) -> Result<(), String> {
    let other: Vec<u8> = page.bytes.iter().map(|byte| byte ^ 1).collect();
    let mut answers = vec![
        state.read_all(id).map(drop),
        state.snapshot().and_then(|snapshot| snapshot.read_all(id)).map(drop),
        state.begin().and_then(|mut transaction| transaction.read_all(id)).map(drop),
    ];
    if page.ownership == Ownership::Shared {
        let note = Note::from("refused");
        answers.push(state.write(id, 0, &other[..1], note).map(drop));
        answers.push(state.update(id, &other, note).map(drop));
    }
    let told: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|e| e.kind())).collect();
    match told.iter().all(|answer| *answer == Err(why)) {
        true => Ok(()),
        false => Err(format!("{id} is private, {why:?}, and answers {told:?}")),
    }
}

/// Whether an error may come of a disk that lost that.
fn reported(error: &Error, loss: Loss) -> Result<(), String> {
    let corrupt = error.kind() == ErrorKind::Corrupt;
    match loss {
        Loss::Above(_) => Err(format!("an undamaged state is refused: {error:?}")),
        Loss::Anything if corrupt => Ok(()),
        Loss::Rotten { .. } if corrupt => {
            let message = error.message();
            let placed = message.contains("sim:") && message.contains("offset");
            if placed { Ok(()) } else { Err(format!("damage without a place: {error:?}")) }
        }
        _ => Err(format!("damage is reported as something else: {error:?}")),
    }
}

/// The last group that must be there.
fn promised(history: &History, loss: Loss, state: &State) -> Result<Lsn, String> {
    let bound = match loss {
        Loss::Anything => return Ok(Lsn::ZERO),
        // What was written last cannot be told from a torn tail; but it must be told of.
        Loss::Rotten { proven, .. } if state.recovered().torn.is_some() => proven,
        Loss::Above(bound) | Loss::Rotten { promised: bound, .. } => bound,
    };
    let known = history.known_groups()?;
    Ok(known.range(..=bound).next_back().map_or(Lsn::ZERO, |(&lsn, _)| lsn))
}

/// What is wrong with a state.
#[derive(Debug)]
pub enum Wrong {
    Answer(Error),
    Content(String),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Wrong {
        Wrong::Answer(error)
    }
}

impl From<String> for Wrong {
    fn from(what: String) -> Wrong {
        Wrong::Content(what)
    }
}

/// Reads everything and compares it with the model of the groups that are there.
fn compare(state: &State, history: &History, loss: Loss) -> Result<Survivors, Wrong> {
    let records = groups_of(state, Query::default())?;
    let checkpoints = state.checkpoints()?;
    let imaged = checkpoints.iter().map(|info| info.lsn).max().unwrap_or(Lsn::ZERO);
    let logged = records.last().map_or(Lsn::ZERO, |(lsn, ..)| *lsn);
    let reach = imaged.max(logged);
    let found = identify(history, &records, loss)?;
    let (model, groups) = survived(history, found, imaged, reach)?;
    let digest = check_content(state, &model)?;
    model.check_derived()?;
    check_ids(state, &model)?;
    check_edges(state, &model)?;
    check_stale(state, &model)?;
    let verified = state.verify()?;
    if verified.digest != digest {
        return Err("verify tells another digest".to_owned().into());
    }
    let names = checkpoints.into_iter().filter(|info| !info.name.is_empty());
    let names = names.map(|info| (info.name, info.lsn)).collect();
    Ok(Survivors { model, reach, groups, names })
}

/// The groups of a log.
#[derive(Default)]
struct Found {
    groups: BTreeMap<Lsn, Group>,
    /// There are some that an earlier life ended without.
    ghosts: bool,
}

/// Whose the records are. A record that nobody asked for, or that was refused, or that has another
/// LSN than the one that was told, is wrong.
///
/// One that was not there when a life began stays away, but for this: recovery cut it off as part
/// of a torn tail, and the sync of that cut lied. Then the next power cut brings it back.
fn identify(
    history: &History,
    records: &[(Lsn, String, Vec<PageId>)],
    loss: Loss,
) -> Result<Found, String> {
    let living = history.past.iter().chain(&history.groups).map(|group| (group, false));
    let ghosts = history.ghosts.iter().map(|group| (group, true));
    let by_tag: BTreeMap<&str, (&Group, bool)> =
        living.chain(ghosts).map(|(group, ghost)| (&*group.tag, (group, ghost))).collect();
    let mut found = Found::default();
    for (lsn, tag, pages) in records {
        let Some(&(group, ghost)) = by_tag.get(&**tag) else {
            return Err(format!("the record {lsn} ({tag:?}) was asked for by nobody"));
        };
        if ghost && loss != Loss::Anything {
            return Err(format!("{tag} did not survive, and is there again at {lsn}"));
        }
        match (group.fate, group.lsn) {
            (Fate::Undone, _) => return Err(format!("{tag} was refused, its record is {lsn}")),
            (_, Some(told)) if told != *lsn => {
                return Err(format!("{tag} was told {told}, its record is {lsn}"));
            }
            _ => {}
        }
        let effects = with_page(&group.effects, pages);
        found.groups.insert(*lsn, Group { lsn: Some(*lsn), effects, ..group.clone() });
        found.ghosts |= ghost;
    }
    Ok(found)
}

/// The effects of a group whose creation did not return: its record knows the page.
fn with_page(effects: &[Effect], pages: &[PageId]) -> Vec<Effect> {
    let mut effects = effects.to_vec();
    if let ([Effect::Create { page, .. }], [id, ..]) = (&mut effects[..], pages) {
        *page = Some(id.0);
    }
    effects
}

/// The model of every group at or below `reach`, and these groups. With ghosts among them, the log
/// is another one than was written last: what is above the newest image is what it says.
fn survived(
    history: &History,
    found: Found,
    imaged: Lsn,
    reach: Lsn,
) -> Result<(Model, Vec<Group>), String> {
    let Found { groups: mut there, ghosts } = found;
    history.known_groups()?;
    for group in history.past.iter().chain(&history.groups) {
        if let Some(lsn) = group.lsn.filter(|&lsn| lsn <= if ghosts { imaged } else { reach }) {
            there.insert(lsn, group.clone());
        }
    }
    let mut model = match history.base.at <= reach && !ghosts {
        true => history.base.clone(),
        false => Model::default(),
    };
    for (&lsn, group) in there.range((Bound::Excluded(model.at), Bound::Unbounded)) {
        model.apply(group, lsn)?;
    }
    Ok((model, there.into_values().collect()))
}

/// Whether a state is the model's, page by page where the digest cannot be foretold. Returns that.
pub fn check_content(state: &State, model: &Model) -> Result<[u8; 32], Wrong> {
    let (digest, must) = (state.digest()?, model.digest());
    if must == Some(digest) {
        return Ok(digest);
    }
    let said = difference(state, model)?;
    match must.is_none() && said.is_empty() {
        true => Ok(digest),
        false => Err(format!("the state is not the model's of {}:{said}", model.at).into()),
    }
}

/// Content, or nothing if it may be sealed and is.
pub fn opened(read: mmsb::Result<Vec<u8>>, sealed: bool) -> mmsb::Result<Option<Vec<u8>>> {
    match read {
        Err(error) if sealed && error.kind() == ErrorKind::Sealed => Ok(None),
        read => read.map(Some),
    }
}

/// Where a state differs from the model.
fn difference(state: &State, model: &Model) -> Result<String, Error> {
    let (mut said, sealed) = (String::new(), !state.is_unlocked());
    let there = state.list_pages()?;
    for id in &there {
        let (bytes, epoch) = (opened(state.read_all(*id), sealed)?, state.epoch(*id)?);
        let meta: BTreeMap<_, _> = state.meta_list(*id)?.into_iter().collect();
        let Some(page) = model.pages.get(&id.0) else {
            said += &format!(" {id} is there and must not be;");
            continue;
        };
        if let Some(bytes) = bytes.filter(|bytes| *bytes != page.bytes) {
            let at = bytes.iter().zip(&page.bytes).position(|(a, b)| a != b);
            said += &format!(" {id} differs from byte {at:?} on;");
        }
        if epoch != page.epoch {
            said += &format!(" {id} has epoch {epoch}, not {};", page.epoch);
        }
        if meta != page.meta {
            said += &format!(" {id} has other metadata;");
        }
        let (found, must) = (bonds(state, *id)?, page.bonds());
        if found != must {
            said += &format!(" {id} has {found:?}, not {must:?};");
        }
    }
    for id in model.pages.keys().filter(|id| !there.contains(&PageId(**id))) {
        said += &format!(" page {id} is missing;");
    }
    Ok(said)
}

/// Who may change a page, and what it derives from, and how.
pub fn bonds(state: &State, id: PageId) -> mmsb::Result<Bonds> {
    let parents = state.parents(id)?.into_iter().map(|link| (link.page.0, link.kind)).collect();
    let (ownership, rule, staleness) =
        (state.ownership(id)?, state.rule(id)?, state.staleness(id)?);
    Ok(Bonds { ownership, parents, rule, staleness, private: state.is_private(id)? })
}

/// The index of edges has those of the pages, and an order in which none goes backwards.
fn check_edges(state: &State, model: &Model) -> Result<(), Wrong> {
    let order = state.topological_order()?;
    let height: BTreeMap<u64, u32> = order.iter().map(|(id, height)| (id.0, *height)).collect();
    let edges: BTreeSet<(u64, u64, EdgeKind)> = model.edges().collect();
    let told = |id: &u64| -> Result<Vec<(u64, u64, EdgeKind)>, Error> {
        let children = state.children(PageId(*id))?;
        Ok(children.iter().map(|link| (*id, link.page.0, link.kind)).collect())
    };
    let children: Vec<_> = model.pages.keys().map(told).collect::<Result<_, _>>()?;
    let linked: BTreeSet<u64> = edges.iter().flat_map(|&(a, b, _)| [a, b]).collect();
    let forward =
        |&(parent, child, _): &(u64, u64, EdgeKind)| height.get(&parent) < height.get(&child);
    let right = children.concat().into_iter().collect::<BTreeSet<_>>() == edges
        && state.edge_count()? == edges.len() as u64
        && height.keys().eq(&linked)
        && edges.iter().all(forward);
    match right {
        true => Ok(()),
        false => Err(format!("edges in the order {order:?}, must be {edges:?}").into()),
    }
}

/// The index of derived pages has those of the pages, and knows which are stale.
fn check_stale(state: &State, model: &Model) -> Result<(), Wrong> {
    let derived = model.pages.values().filter(|page| page.way.is_some()).count();
    let stale = model.pages.iter().filter(|(_, page)| page.staleness != Staleness::Fresh);
    let stale: Vec<u64> = stale.map(|(id, _)| *id).collect();
    let found: Vec<u64> = state.stale_pages()?.into_iter().map(|id| id.0).collect();
    let counted = state.propagation_stats()?.derived;
    match found == stale && counted == derived as u64 {
        true => Ok(()),
        false => {
            let what = format!("{counted} derived, stale {found:?}; must be {derived}, {stale:?}");
            Err(what.into())
        }
    }
}

fn check_ids(state: &State, model: &Model) -> Result<(), Wrong> {
    let there: Vec<u64> = state.list_pages()?.into_iter().map(|id| id.0).collect();
    if !there.iter().eq(model.pages.keys()) || state.page_count() != there.len() as u64 {
        let count = state.page_count();
        let keys: Vec<_> = model.pages.keys().collect();
        return Err(format!("pages {there:?}, {count} in all, must be {keys:?}").into());
    }
    for (id, page) in &model.pages {
        if state.location(PageId(*id))? != page.location {
            return Err(format!("page {id} is to live elsewhere").into());
        }
    }
    for id in model.freed.keys() {
        match state.page_size(PageId(*id)) {
            Err(error) if error.kind() == ErrorKind::PageFreed => {}
            other => return Err(format!("page {id} was freed, and answers {other:?}").into()),
        }
    }
    Ok(())
}

fn check_names(history: &History, found: &BTreeMap<String, Lsn>, loss: Loss) -> Result<(), String> {
    if loss == Loss::Anything {
        return Ok(());
    }
    for (name, Naming { named, .. }) in &history.names {
        let there = found.get(name);
        let right = match named {
            Named::Kept(lsn) => there == Some(lsn),
            Named::Gone => there.is_none(),
            Named::Unsure => true,
        };
        if !right {
            return Err(format!("the checkpoint {name:?} is {named:?}, found at {there:?}"));
        }
    }
    Ok(())
}

/// A state that was left goes on: it takes changes, and gives them back.
pub fn goes_on(disk: &SimStorage, clock: &SimClock, setup: &Setup) -> Result<(), String> {
    let work = || -> mmsb::Result<[u8; 32]> {
        let state = open(disk, clock, setup)?;
        let page = state.create_page(8, Note::from("goes on"))?;
        state.update(page, &[1; 8], Note::from("goes on"))?;
        let digest = state.digest()?;
        state.close()?;
        Ok(digest)
    };
    let digest = work().map_err(|error| format!("it does not go on: {error:?}"))?;
    let state =
        open(disk, clock, setup).map_err(|error| format!("not after a close: {error:?}"))?;
    let found = state.digest().map_err(|error| format!("not after a close: {error:?}"))?;
    if found == digest { Ok(()) } else { Err("a close and an open lose something".to_owned()) }
}

/// Compares what was seen in a life with what the model had. Returns how many observations could
/// not be judged. Only one kind is not: where a sync failed, a group is in the state at an LSN that
/// nobody was told, and what was seen later may show it.
pub fn check_seen(history: &History) -> Result<u64, String> {
    let unknown = history.groups.iter().filter(|group| group.fate == Fate::Unknown);
    let unknown: Vec<&Group> = unknown.collect();
    let may_show = |observation: &Observation, group: &Group| may_show(history, observation, group);
    let mut seen: Vec<&Observation> = history.seen.iter().collect();
    seen.sort_by_key(|observation| observation.lsn);
    let mut unjudged = 0;
    let known = history.known_groups()?;
    let mut model = match seen.first() {
        Some(first) if first.lsn >= history.base.at => history.base.clone(),
        _ => Model::default(),
    };
    let mut reached = model.at;
    for observation in seen {
        if unknown.iter().any(|group| may_show(observation, group)) {
            unjudged += 1;
            continue;
        }
        let lsn = observation.lsn;
        for (&at, group) in between(&known, reached, lsn) {
            model.apply(group, at)?;
        }
        reached = lsn;
        let right = is_right(observation, &model, &known, history)?;
        if !right {
            let (what, seen) = (&observation.what, brief(&observation.seen));
            return Err(format!("{what} at {lsn} shows what the model does not have: {seen}"));
        }
    }
    Ok(unjudged)
}

/// Whether an observation depends on a group.
fn may_show(history: &History, observation: &Observation, group: &Group) -> bool {
    let page = match &observation.seen {
        Seen::Page { page, .. }
        | Seen::Meta { page, .. }
        | Seen::Bonds { page, .. }
        | Seen::Absent { page } => Some(*page),
        Seen::Unchanged { effect, .. } | Seen::Refused { effect, .. } => effect.page(),
        Seen::Digest(_) | Seen::Pages(_) | Seen::Differing { .. } | Seen::Groups { .. } => None,
    };
    observation.when > group.asked && history.may_touch(group, page)
}

fn is_right(
    observation: &Observation,
    model: &Model,
    known: &BTreeMap<Lsn, &Group>,
    history: &History,
) -> Result<bool, String> {
    let page_of = |page: &u64| model.pages.get(page);
    Ok(match &observation.seen {
        Seen::Digest(digest) => model.digest().is_none_or(|must| must == *digest),
        Seen::Pages(shown) => {
            let same = |id: &u64, shown: &Shown| page_of(id).is_some_and(|page| shown.is_of(page));
            shown.keys().eq(model.pages.keys()) && shown.iter().all(|(id, shown)| same(id, shown))
        }
        Seen::Page { page, bytes, epoch } => {
            page_of(page).is_some_and(|page| page.bytes == *bytes && page.epoch == *epoch)
        }
        Seen::Meta { page, meta } => page_of(page).is_some_and(|page| page.meta == *meta),
        Seen::Bonds { page, bonds } => page_of(page).is_some_and(|page| page.bonds() == *bonds),
        Seen::Absent { page } => page_of(page).is_none(),
        Seen::Differing { from, pages } => *pages == differing(&history.model_at(*from)?, model),
        Seen::Groups { after, found } => {
            let mut range = between(known, *after, observation.lsn);
            let same = found.iter().all(|(lsn, _)| range.next().is_some_and(|(at, _)| at == lsn));
            let tagged = found.iter().all(|(lsn, tag)| {
                let group = history.groups.iter().find(|group| group.lsn == Some(*lsn));
                group.is_none_or(|group| group.tag == *tag)
            });
            same && range.next().is_none() && tagged
        }
        Seen::Unchanged { from, effect, mode } => {
            let changes_nothing = |model: &Model| changes_nothing(model, effect, *mode);
            was_ever(history, *from, observation.lsn, changes_nothing)?
        }
        Seen::Refused { from, effect, why } => {
            let is_refused = |model: &Model| {
                let page = effect.page().and_then(|page| model.pages.get(&page));
                page.is_some_and(|page| match why {
                    ErrorKind::Derived => page.way.is_some(),
                    ErrorKind::Sealed => page.is_private(),
                    _ => page.ownership != Ownership::Shared,
                })
            };
            was_ever(history, *from, observation.lsn, is_refused)?
        }
    })
}

/// The pages that are not the same in both.
fn differing(from: &Model, to: &Model) -> Vec<u64> {
    let ids: BTreeSet<u64> = from.pages.keys().chain(to.pages.keys()).copied().collect();
    let same = |id: &u64| match (from.pages.get(id), to.pages.get(id)) {
        (Some(before), Some(after)) => before.is_as(after),
        _ => false,
    };
    ids.into_iter().filter(|id| !same(id)).collect()
}

/// Whether there was a moment, from the page's record `from` on and up to `to`, at which it was so.
fn was_ever(
    history: &History,
    from: Lsn,
    to: Lsn,
    is_so: impl Fn(&Model) -> bool,
) -> Result<bool, String> {
    let mut model = history.model_at(from)?;
    let known = history.known_groups()?;
    let mut later = between(&known, from, to);
    loop {
        if is_so(&model) {
            return Ok(true);
        }
        match later.next() {
            Some((&lsn, group)) => model.apply(group, lsn)?,
            None => return Ok(false),
        }
    }
}

/// Whether the effect leaves its page as it is.
fn changes_nothing(model: &Model, effect: &Effect, mode: Propagation) -> bool {
    let (mut after, page) = (model.clone(), effect.page().unwrap_or(0));
    after.at = Lsn::ZERO;
    let applied = after.apply_effects(std::slice::from_ref(effect), mode, Lsn::MAX);
    match (applied, after.pages.get(&page), model.pages.get(&page)) {
        (Ok(()), Some(after), Some(before)) => after.is_as(before),
        (Ok(()), None, None) => true,
        _ => false,
    }
}

fn brief(seen: &Seen) -> String {
    match seen {
        Seen::Page { page, bytes, epoch } => {
            format!("page {page}, epoch {epoch}, {} bytes", bytes.len())
        }
        Seen::Meta { page, .. } => format!("metadata of page {page}"),
        Seen::Bonds { .. } | Seen::Differing { .. } => format!("{seen:?}"),
        Seen::Digest(_) => "a digest".to_owned(),
        Seen::Pages(shown) => format!("pages {:?}", shown.keys()),
        Seen::Absent { page } => format!("no page {page}"),
        Seen::Groups { after, found } => format!("groups after {after}: {found:?}"),
        Seen::Unchanged { from, effect, mode } => {
            format!("{effect:?}, {mode:?}, changes nothing since {from}")
        }
        Seen::Refused { from, effect, why } => format!("{effect:?} is {why:?} since {from}"),
    }
}

/// What a death of the process, and a power cut, at `now_ns` may take in `buffered`: nothing that
/// was answered a window before. The window is what the settings say, and time for what the disk
/// takes. Returns LSNs up to which all must survive the one and the other.
pub fn buffered_promise(
    history: &History,
    setup: &Setup,
    now_ns: u64,
    stalled_ns: u64,
) -> (Lsn, Lsn) {
    if setup.durability != Durability::Buffered {
        return (Lsn::ZERO, Lsn::ZERO);
    }
    /// For the disk's own time, and for turns that others had.
    const SLACK_NS: u64 = 60_000_000;
    let flush_ns = setup.flush_every.as_nanos() as u64 + SLACK_NS + stalled_ns;
    let sync_ns = flush_ns + setup.sync_every.as_nanos() as u64;
    let older = |window_ns: u64| {
        let old = history
            .groups
            .iter()
            .filter(|group| group.fate == Fate::Done && group.answered_ns + window_ns <= now_ns);
        old.filter_map(|group| group.lsn).max().unwrap_or(Lsn::ZERO)
    };
    (older(flush_ns), older(sync_ns))
}
