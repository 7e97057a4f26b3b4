//! Judges a history by brute force: a sequential specification of the store, tried in every order of the operations. It
//! shares no code with the crate's `execute`.

use linear::{History as Plain, Model, Outcome};
use revision::{
    Answer, Change, Compare, Evidence, History, Keys, Kind, Operation, Relation, Response, Seen, Step,
    Target, Transaction, UNKNOWN, Wide,
};

/// How many keys there are at most.
pub const KEYS: usize = 4;

type Rows = [Seen; KEYS];

/// The store. It takes only steps that agree with the evidence.
struct Store {
    base: u32,
    evidence: Evidence,
}

/// One step of the store.
#[derive(Clone, Debug)]
enum Input {
    /// An operation on one key.
    Point(Operation),
    /// An operation on several keys.
    Wide(Wide),
    /// A revision that the store makes itself.
    StoreMade(u32),
    /// The end of the history, at which all revisions in the evidence must have been made.
    End,
}

/// Revision, whether it changed something, and what it shows.
type Output = (u32, bool, Seen, Response);

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    revision: u32,
    /// What the keys held at each revision, from the base on.
    past: Vec<Rows>,
}

impl State {
    fn rows(&self) -> Rows {
        *self.past.last().expect("the first state is there")
    }
}

impl Model for Store {
    type Input = Input;
    type Output = Output;
    type State = State;
    type Value = ();

    fn initial(&self) -> State {
        State { revision: self.base, past: vec![[Seen::ABSENT; KEYS]] }
    }

    fn step(&self, state: &State, input: &Input, output: Option<&Output>) -> Option<State> {
        match input {
            Input::End => {
                let shown = self.evidence.changes().last().map_or(0, |change| change.revision);
                (state.revision >= shown).then(|| state.clone())
            }
            Input::StoreMade(revision) => {
                let changes: Vec<(u32, Option<u32>)> =
                    self.evidence.of(*revision).iter().map(|change| (change.key, change.value)).collect();
                let absent = |change: &(u32, Option<u32>)| {
                    change.1.is_none() && state.rows()[change.0 as usize] == Seen::ABSENT
                };
                if state.revision + 1 != *revision || changes.iter().any(absent) {
                    return None;
                }
                self.changed(state, &changes, true)
            }
            Input::Point(operation) if operation.kind == Kind::GetSerializable => {
                // A serializable read may show any revision made so far.
                let Some((revision, false, shows, _)) = output else {
                    return output.is_none().then(|| state.clone());
                };
                let then = revision.checked_sub(self.base).and_then(|at| state.past.get(at as usize));
                then.filter(|rows| rows[operation.key as usize] == *shows).map(|_| state.clone())
            }
            Input::Point(operation) => {
                let (changes, shows) = point(operation, &state.rows());
                let after = self.changed(state, &changes, false)?;
                let made = (after.revision, !changes.is_empty(), shows);
                let is_right =
                    output.is_none_or(|(revision, changed, shows, _)| (*revision, *changed, *shows) == made);
                is_right.then_some(after)
            }
            Input::Wide(wide) => self.wide(state, wide, output),
        }
    }
}

impl Store {
    fn wide(&self, state: &State, wide: &Wide, output: Option<&Output>) -> Option<State> {
        let at = match output {
            Some((revision, ..)) if wide.serializable => *revision,
            _ => state.revision,
        };
        let upto = at.checked_sub(self.base).map(|at| at as usize + 1)?;
        let mut run = Run { base: self.base, past: state.past.get(..upto)?, now: [None; KEYS], at };
        run.transaction(&wide.request, output.map(|(.., response)| response)).ok()?;
        let changes: Vec<(u32, Option<u32>)> =
            (0..).zip(run.now).filter_map(|(key, now)| now.map(|now| (key, now))).collect();
        let after = self.changed(state, &changes, false)?;
        let revision = if wide.serializable { at } else { after.revision };
        let is_right =
            output.is_none_or(|(made, changed, ..)| (*made, *changed) == (revision, !changes.is_empty()));
        is_right.then_some(after)
    }

    /// The state after a revision with these changes; `None` if they contradict the evidence.
    fn changed(&self, state: &State, changes: &[(u32, Option<u32>)], by_store: bool) -> Option<State> {
        let mut state = state.clone();
        if changes.is_empty() {
            return Some(state);
        }
        state.revision += 1;
        let revision = state.revision;
        let shown: Vec<&Change> =
            self.evidence.changes().iter().filter(|shown| shown.revision == revision).collect();
        let is_shown = |(key, value): &(u32, Option<u32>)| {
            shown.iter().any(|shown| (shown.key, shown.value) == (*key, *value))
        };
        let is_as_shown = shown.is_empty() || shown.len() == changes.len() && changes.iter().all(is_shown);
        if !is_as_shown || self.evidence.store_made().contains(&revision) != by_store {
            return None;
        }
        let mut rows = state.rows();
        let mut changed = [false; KEYS];
        for (key, value) in changes {
            if std::mem::replace(&mut changed[*key as usize], true) {
                return None;
            }
            rows[*key as usize] = set(rows[*key as usize], *value, revision);
        }
        state.past.push(rows);
        Some(state)
    }
}

fn set(holds: Seen, value: Option<u32>, revision: u32) -> Seen {
    let created = if holds.version == 0 { revision } else { holds.created };
    value.map_or(Seen::ABSENT, |value| Seen::new(value, revision, created, holds.version + 1))
}

fn point(operation: &Operation, rows: &Rows) -> (Vec<(u32, Option<u32>)>, Seen) {
    let holds = rows[operation.key as usize];
    let put = vec![(operation.key, Some(operation.value))];
    match operation.kind {
        Kind::Put => (put, Seen::ABSENT),
        Kind::Delete if holds.version > 0 => (vec![(operation.key, None)], Seen::ABSENT),
        Kind::Update if holds.modified == operation.expected => (put, Seen::ABSENT),
        _ => (vec![], holds),
    }
}

/// A transaction that is being executed.
struct Run<'a> {
    base: u32,
    /// What the keys held at each revision, from the base to `at`.
    past: &'a [Rows],
    /// By key: what the transaction has done to it so far. The inner `None` is a deletion.
    now: [Option<Option<u32>>; KEYS],
    /// The revision that it is executed at.
    at: u32,
}

/// An error: the store would not have given this answer.
struct Wrong;

fn demand(holds: bool) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(Wrong) }
}

impl Run<'_> {
    fn before(&self) -> Rows {
        self.past[self.past.len() - 1]
    }

    fn rows(&self) -> Rows {
        let mut rows = self.before();
        for (row, now) in rows.iter_mut().zip(self.now) {
            if let Some(value) = now {
                *row = set(*row, value, self.at + 1);
            }
        }
        rows
    }

    fn transaction(&mut self, request: &Transaction, response: Option<&Response>) -> Result<(), Wrong> {
        let succeeded = request.compares.iter().all(|compare| satisfied(compare, &self.before()));
        demand(response.is_none_or(|response| response.succeeded == succeeded))?;
        for (at, step) in request.branch(succeeded).iter().enumerate() {
            self.step(step, response.map(|response| &response.answers[at]))?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, answer: Option<&Answer>) -> Result<(), Wrong> {
        match (step, answer) {
            (Step::Nested(request), Some(Answer::Nested(response))) => {
                self.transaction(request, Some(response))
            }
            (Step::Nested(request), _) => self.transaction(request, None),
            (Step::Put { key, value }, answer) => {
                let holds = self.rows()[*key as usize];
                demand(value.is_some() || holds.version > 0)?;
                self.now[*key as usize] = Some(Some(value.unwrap_or(holds.value)));
                let Some(Answer::Put(Some(shows))) = answer else { return Ok(()) };
                demand(*shows == holds)
            }
            (Step::Delete(keys), answer) => {
                let gone = pairs(*keys, &self.rows());
                for (key, _) in &gone {
                    self.now[*key as usize] = Some(None);
                }
                let Some(Answer::Delete { deleted, previous }) = answer else { return Ok(()) };
                demand(*deleted as usize == gone.len())?;
                demand(previous.as_ref().is_none_or(|previous| sorted(previous) == gone))
            }
            (Step::Range(range), answer) => {
                let rows = match range.at {
                    None => self.rows(),
                    Some(at) if at > self.at => return Err(Wrong),
                    Some(at) if at < self.base => return Ok(()),
                    Some(at) => self.past[(at - self.base) as usize],
                };
                let Some(Answer::Range { pairs: shown, complete, count, more }) = answer else {
                    return Ok(());
                };
                let blank = |(key, seen): &(u32, Seen)| {
                    (*key, Seen { value: if range.keys_only { 0 } else { seen.value }, ..*seen })
                };
                let all: Vec<_> = pairs(range.keys, &rows).iter().map(blank).collect();
                let shown: Vec<_> = sorted(shown).iter().map(blank).collect();
                let limit = if range.limit > 0 { range.limit as usize } else { usize::MAX };
                demand(count.is_none_or(|count| count as usize == all.len()))?;
                demand(more.is_none_or(|more| more == (!range.count_only && all.len() > limit)))?;
                let first = if range.count_only { 0 } else { all.len().min(limit) };
                let is_part = shown.iter().all(|pair| all.contains(pair));
                demand(if *complete { shown == all[..first] } else { is_part })
            }
        }
    }
}

fn pairs(keys: Keys, rows: &Rows) -> Vec<(u32, Seen)> {
    let pairs = (0..).zip(rows.iter().copied());
    pairs.filter(|(key, seen)| keys.from <= *key && *key < keys.to && seen.version > 0).collect()
}

fn sorted(pairs: &[(u32, Seen)]) -> Vec<(u32, Seen)> {
    let mut pairs = pairs.to_vec();
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}

fn satisfied(compare: &Compare, rows: &Rows) -> bool {
    let mut rows: Vec<Seen> = pairs(compare.keys, rows).into_iter().map(|(_, seen)| seen).collect();
    if rows.is_empty() {
        rows.push(Seen::ABSENT);
    }
    rows.iter().all(|seen| {
        let order = match compare.target {
            Target::Value(_) if seen.version == 0 => return false,
            Target::Value(other) => seen.value.cmp(&other),
            Target::Version(other) => seen.version.cmp(&other),
            Target::Created(other) => seen.created.cmp(&other),
            Target::Modified(other) => seen.modified.cmp(&other),
        };
        match compare.relation {
            Relation::Equal => order.is_eq(),
            Relation::NotEqual => order.is_ne(),
            Relation::Less => order.is_lt(),
            Relation::Greater => order.is_gt(),
        }
    })
}

/// Whether some order of the operations explains all answers and the evidence.
pub fn by_brute_force(history: &History, evidence: &Evidence) -> bool {
    let mut plain = Plain::new();
    let mut add = |input, call, outcome| {
        let client = plain.len() as u32;
        plain.push(linear::Operation { client, input, call, outcome }).expect("no return before a call");
    };
    for operation in history.operations() {
        let wide = history.wide(operation);
        let response = wide.map(|wide| wide.response.clone()).unwrap_or_default();
        let outcome = match operation.returned {
            UNKNOWN => Outcome::Unknown,
            at => {
                let output = (operation.revision, operation.changed, operation.seen, response);
                Outcome::Answered { output, at }
            }
        };
        let input = wide.map_or(Input::Point(*operation), |wide| Input::Wide(wide.clone()));
        add(input, operation.call, outcome);
    }
    let done = |at| Outcome::Answered { output: (0, false, Seen::ABSENT, Response::default()), at };
    for revision in evidence.store_made().iter().filter(|revision| **revision > history.base()) {
        add(Input::StoreMade(*revision), 0, done(u64::MAX - 1));
    }
    add(Input::End, u64::MAX - 2, done(u64::MAX - 1));
    linear::brute::linearizable(&Store { base: history.base(), evidence: evidence.clone() }, &plain)
}
