//! The pass over the revisions.

use crate::evidence::{Change, Evidence};
use crate::execute::Past;
use crate::history::{History, Kind, Operation, Seen};
use crate::links::{Links, NONE};
use crate::prefetch::Prefetch;
use crate::several::may_make;
use crate::unknown::{Found, May, Unknowns};
use crate::verdict::{Reason, Undecided, Verdict, Violation, Witness};

/// Judges a history. `evidence` shows what revisions did; it fills in those that no answer acknowledged, and must agree
/// with those that an answer did.
///
/// Every writer must be in the history: a change that no operation can have made is a violation, unless the evidence says
/// that the store made it itself.
pub fn check(history: &History, evidence: &Evidence) -> Verdict {
    let mut links = match Links::new(history, evidence) {
        Ok(links) => links,
        Err(violation) => return Verdict::Violation(Box::new(violation)),
    };
    let acknowledged = |revision: &&u32| links.maker(history.base(), **revision) != NONE;
    if let Some(revision) = evidence.store_made().iter().find(acknowledged) {
        let (maker, revision) = (links.maker(history.base(), *revision), *revision);
        return Contradiction::new(vec![maker], Reason::MadeByStore { revision }).into_verdict();
    }
    let unknowns = Unknowns::new(std::mem::take(&mut links.lost));
    let before = evidence.changes().partition_point(|change| change.revision <= history.base());
    let keys = history.keys().max(evidence.keys()) as usize;
    let pass = Pass {
        history,
        evidence,
        shown: &evidence.changes()[before..],
        unknowns,
        keys: vec![Seen::ABSENT; keys],
        past: Past::new(keys, history.reads_past()),
        latest: 0,
        witness: Witness::default(),
        mixed: Vec::new(),
        undecided: Undecided::default(),
    };
    pass.run(&links)
}

/// A contradiction. It is avoidable if it may depend on a choice among unknown operations.
pub(crate) struct Contradiction {
    pub(crate) violation: Violation,
    pub(crate) avoidable: bool,
}

pub(crate) type Checked<T> = Result<T, Box<Contradiction>>;

impl Contradiction {
    pub(crate) fn new(operations: Vec<u32>, reason: Reason) -> Box<Contradiction> {
        Box::new(Contradiction { violation: Violation { operations, reason }, avoidable: false })
    }

    fn into_verdict(self) -> Verdict {
        Verdict::Violation(Box::new(self.violation))
    }
}

pub(crate) struct Pass<'a> {
    pub(crate) history: &'a History,
    pub(crate) evidence: &'a Evidence,
    /// The evidence of revisions that are still to come.
    pub(crate) shown: &'a [Change],
    pub(crate) unknowns: Unknowns,
    /// What each key holds.
    pub(crate) keys: Vec<Seen>,
    pub(crate) past: Past,
    /// The latest call of all operations before the current one in the order.
    pub(crate) latest: u64,
    pub(crate) witness: Witness,
    /// Unknown operations that were chosen although others on different conditions were possible.
    pub(crate) mixed: Vec<u32>,
    pub(crate) undecided: Undecided,
}

impl<'a> Pass<'a> {
    fn run(mut self, links: &Links<'_>) -> Verdict {
        let base = self.history.base();
        let mut ahead = Prefetch::new(self.history.operations());
        for (at, [maker, reader]) in links.heads.iter().copied().enumerate() {
            let revision = base + at as u32;
            if maker != NONE {
                ahead.reach(maker);
            }
            let made = if revision == base { Ok(()) } else { self.make(revision, maker) };
            if let Err(contradiction) = made.and_then(|()| self.read(revision, reader, &links.next)) {
                return self.contradicted_verdict(*contradiction);
            }
        }
        if self.undecided == Undecided::default() {
            Verdict::Linearizable(self.witness)
        } else {
            Verdict::Undecided(self.undecided)
        }
    }

    /// The verdict on a contradiction. If another choice might have avoided it, it is no violation.
    fn contradicted_verdict(mut self, contradiction: Contradiction) -> Verdict {
        if contradiction.avoidable {
            self.undecided.ambiguous = true;
            return Verdict::Undecided(self.undecided);
        }
        contradiction.into_verdict()
    }

    /// Makes a revision.
    #[inline]
    fn make(&mut self, revision: u32, maker: u32) -> Checked<()> {
        let shown = self.shown_at(revision);
        if maker == NONE {
            return self.fill(revision, shown);
        }
        let operation = &self.history.operations()[maker as usize];
        let value = operation.sets();
        let is_shown = match shown {
            [] => true,
            [change] => (change.key == operation.key) & (change.value == value),
            _ => false,
        };
        let holds = self.keys[operation.key as usize];
        let is_plain = (operation.returned >= self.latest) & is_shown & is_allowed(operation, holds);
        if !is_plain && self.doubtful_change(maker, revision, shown)? {
            return Ok(());
        }
        self.latest = self.latest.max(operation.call);
        self.set(revision, operation.key, value);
        Ok(())
    }

    /// Takes the evidence of the next revision.
    #[inline]
    fn shown_at(&mut self, revision: u32) -> &'a [Change] {
        let is_other = |change: &Change| change.revision != revision;
        let count = self.shown.iter().position(is_other).unwrap_or(self.shown.len());
        let (shown, rest) = self.shown.split_at(count);
        self.shown = rest;
        shown
    }

    /// Checks a change that is late, differs from the evidence, is not allowed, or is on several keys. Returns whether
    /// it carried the change out.
    #[cold]
    fn doubtful_change(&mut self, maker: u32, revision: u32, shown: &[Change]) -> Checked<bool> {
        let history = self.history;
        let operation = &history.operations()[maker as usize];
        self.in_time(operation, maker, revision)?;
        if let Some(wide) = history.wide(operation) {
            self.make_wide(wide, maker, shown)?;
            self.latest = self.latest.max(operation.call);
            return Ok(true);
        }
        let is_shown =
            shown.iter().all(|change| (change.key, change.value) == (operation.key, operation.sets()));
        if !is_shown {
            return Err(Contradiction::new(vec![maker], Reason::Evidence { revision }));
        }
        let holds = self.keys[operation.key as usize];
        if !is_allowed(operation, holds) && !self.is_blind() {
            return Err(self.contradicted(maker, Reason::Condition { revision, holds }));
        }
        Ok(false)
    }

    /// Makes a revision that no answer acknowledged.
    fn fill(&mut self, revision: u32, shown: &[Change]) -> Checked<()> {
        if shown.is_empty() {
            self.undecided.add(revision);
            return Ok(());
        }
        let keys = self.keys.len();
        let is_possible = shown.iter().all(|change| (change.key as usize) < keys)
            && shown.windows(2).all(|pair| pair[0].key != pair[1].key);
        if !is_possible {
            return Err(Contradiction::new(Vec::new(), Reason::Phantom { revision }));
        }
        if self.evidence.is_store_made(revision) {
            self.fill_by_store(revision, shown)?;
        } else {
            self.fill_by_unknown(revision, shown)?;
        }
        for change in shown {
            self.set(revision, change.key, change.value);
        }
        Ok(())
    }

    /// Checks a revision that the store made itself. The store deletes only keys that exist.
    fn fill_by_store(&self, revision: u32, shown: &[Change]) -> Checked<()> {
        let is_idle = |change: &Change| change.value.is_none() && self.keys[change.key as usize].is_absent();
        if !self.is_blind() && shown.iter().any(is_idle) {
            return Err(Contradiction::new(Vec::new(), Reason::Phantom { revision }));
        }
        Ok(())
    }

    /// Finds the unknown operation that made a revision.
    fn fill_by_unknown(&mut self, revision: u32, shown: &[Change]) -> Checked<()> {
        let (history, blind) = (self.history, self.is_blind());
        let (keys, past) = (&self.keys, &self.past);
        let found = self.unknowns.take(history, shown, |operation| match history.wide(operation) {
            Some(wide) => may_make(keys, past, blind, wide, shown),
            None if shown.len() == 1 && (blind || is_allowed(operation, keys[operation.key as usize])) => {
                May::Yes
            }
            None => May::No,
        });
        let avoidable = match found {
            Found::One { number, mixed } => {
                self.latest = self.latest.max(history.operations()[number as usize].call);
                self.witness.made.push((revision, number));
                if mixed {
                    self.mixed.push(number);
                }
                return Ok(());
            }
            Found::None { mixed } => mixed,
            Found::TooMany => true,
        };
        Err(Box::new(Contradiction {
            avoidable,
            ..*Contradiction::new(Vec::new(), Reason::Phantom { revision })
        }))
    }

    /// Checks the operations that saw a revision without changing anything.
    #[inline]
    fn read(&mut self, revision: u32, last: u32, next: &[u32]) -> Checked<()> {
        let mut latest = self.latest;
        let mut number = last;
        while number != NONE {
            let operation = &self.history.operations()[number as usize];
            let holds = self.keys[operation.key as usize];
            let is_shown = (holds == operation.seen) & !would_change(operation, holds);
            if !((operation.returned >= self.latest) & is_shown) {
                self.doubtful_answer(operation, number, revision)?;
            }
            latest = latest.max(if operation.is_bound() { operation.call } else { 0 });
            number = next[number as usize];
        }
        self.latest = latest;
        Ok(())
    }

    /// Checks an answer that is late, differs from what the store holds, or is about several keys.
    #[cold]
    fn doubtful_answer(&self, operation: &Operation, number: u32, revision: u32) -> Checked<()> {
        self.in_time(operation, number, revision)?;
        if let Some(wide) = self.history.wide(operation) {
            return self.read_wide(wide, number, revision);
        }
        let (holds, shows) = (self.keys[operation.key as usize], operation.seen);
        let reason = if self.is_blind() {
            if !is_wrong_anyway(operation, holds, revision) {
                return Ok(());
            }
            Reason::Wrong { revision, holds, shows }
        } else if would_change(operation, holds) {
            Reason::Condition { revision, holds }
        } else if holds != shows {
            Reason::Wrong { revision, holds, shows }
        } else {
            return Ok(());
        };
        Err(self.contradicted(number, reason))
    }

    #[inline]
    fn set(&mut self, revision: u32, key: u32, value: Option<u32>) {
        let holds = &mut self.keys[key as usize];
        *holds = holds.after(revision, value);
        self.past.push(revision, key, *holds);
    }

    /// Whether an earlier revision is missing, so that it is not known what keys hold.
    #[inline]
    pub(crate) fn is_blind(&self) -> bool {
        self.undecided.count > 0
    }
}

/// Whether a write can change a key that holds this. False for operations on several keys, which are checked separately.
/// Without branches, as the kind is hard to predict.
#[inline]
pub(crate) fn is_allowed(operation: &Operation, holds: Seen) -> bool {
    let is_delete = operation.kind == Kind::Delete;
    let is_update = operation.kind == Kind::Update;
    !operation.is_wide()
        & !(is_delete & holds.is_absent())
        & !(is_update & (holds.modified != operation.expected))
}

/// Whether an operation whose answer says that it changed nothing would have changed a key that holds this. True for
/// operations on several keys, which are checked separately.
#[inline]
pub(crate) fn would_change(operation: &Operation, holds: Seen) -> bool {
    let is_delete = operation.kind == Kind::Delete;
    let is_update = operation.kind == Kind::Update;
    operation.is_wide()
        | (operation.kind == Kind::Put)
        | (is_delete & !holds.is_absent())
        | (is_update & (holds.modified == operation.expected))
}

/// Whether an answer is wrong although an earlier revision is missing. Only acknowledged changes count then: an answer
/// cannot show another value for a known change, an older change, or a later one.
fn is_wrong_anyway(operation: &Operation, holds: Seen, revision: u32) -> bool {
    let shows = operation.seen;
    let is_read = matches!(operation.kind, Kind::Get | Kind::GetSerializable | Kind::Update);
    let other_value = shows.modified == holds.modified && shows.value != holds.value;
    let too_old = shows.modified < holds.modified;
    is_read && !shows.is_absent() && (other_value || too_old || shows.modified > revision)
}
