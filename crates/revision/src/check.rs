//! Judges a history in one pass over the revisions, in ascending order. The head of the crate says why this is enough.
//!
//! At each revision the pass first carries out the change that made it: that of the operation that was answered with
//! the revision (its *maker*), or, if there is none, of the operation of unknown outcome that fits the evidence
//! ([`crate::unknown`]). Then it checks the answers of all operations that saw this revision without changing anything
//! (its *readers*).
//!
//! If a revision has no maker and no evidence, the pass does not know what it did. From there on it is *blind*: it
//! only reports contradictions that no unknown change can explain.
//!
//! The functions that nearly every operation passes through are small and without branches. They hand whatever looks
//! wrong to the slow functions named `doubtful_…`, which check exactly.

use crate::evidence::{Change, Evidence};
use crate::execute::Past;
use crate::history::{History, Kind, Operation, Seen};
use crate::links::{Links, NONE};
use crate::prefetch::Prefetch;
use crate::several::may_make;
use crate::unknown::{Found, May, Unknowns};
use crate::verdict::{Reason, Undecided, Verdict, Violation, Witness};

/// Judges a history.
///
/// `evidence` shows what revisions did. It is needed for revisions that no answer acknowledged. If it shows one that an
/// answer did acknowledge, both must agree.
///
/// Every write must be in the history. A change that no operation can have made is a violation, unless the evidence
/// says that the store made it itself.
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
    let unknowns = Unknowns::new(std::mem::take(&mut links.unknown));
    let before = evidence.changes().partition_point(|change| change.revision <= history.base());
    let keys = history.keys().max(evidence.keys()) as usize;
    let pass = Pass {
        history,
        evidence,
        shown: &evidence.changes()[before..],
        unknowns,
        keys: vec![Seen::ABSENT; keys],
        past: Past::new(keys, history.reads_past()),
        latest_call: 0,
        witness: Witness::default(),
        ambiguous: Vec::new(),
        undecided: Undecided::default(),
    };
    pass.run(&links)
}

/// A contradiction that the pass found.
pub(crate) struct Contradiction {
    pub(crate) violation: Violation,
    /// Whether the contradiction might not exist if the pass had chosen another operation of unknown outcome for some
    /// revision. If so, the verdict is undecided.
    pub(crate) avoidable: bool,
}

/// The result of a part of the pass. The error is a contradiction.
pub(crate) type Checked<T> = Result<T, Box<Contradiction>>;

impl Contradiction {
    pub(crate) fn new(operations: Vec<u32>, reason: Reason) -> Box<Contradiction> {
        Box::new(Contradiction { violation: Violation { operations, reason }, avoidable: false })
    }

    fn into_verdict(self) -> Verdict {
        Verdict::Violation(Box::new(self.violation))
    }
}

/// The state of the pass: the store at the current revision, and what was decided so far.
pub(crate) struct Pass<'a> {
    pub(crate) history: &'a History,
    pub(crate) evidence: &'a Evidence,
    /// The evidence of the revisions that are still to come.
    pub(crate) shown: &'a [Change],
    pub(crate) unknowns: Unknowns,
    /// What each key holds at the current revision.
    pub(crate) keys: Vec<Seen>,
    /// What each key held before, if some operation reads an old revision.
    pub(crate) past: Past,
    /// The latest call of the operations so far. An operation that returned before it comes too late in the order.
    pub(crate) latest_call: u64,
    /// Which operations of unknown outcome were taken for which revisions.
    pub(crate) witness: Witness,
    /// Operations of unknown outcome that were taken for a revision although another one with a different request could
    /// have made it.
    pub(crate) ambiguous: Vec<u32>,
    /// Why the verdict may be undecided.
    pub(crate) undecided: Undecided,
}

impl<'a> Pass<'a> {
    /// Goes through all revisions.
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

    /// Carries out the change that made a revision.
    #[inline]
    fn make(&mut self, revision: u32, maker: u32) -> Checked<()> {
        let shown = self.take_shown(revision);
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
        let is_plain = (operation.returned >= self.latest_call) & is_shown & is_allowed(operation, holds);
        if !is_plain && self.doubtful_change(maker, revision, shown)? {
            return Ok(());
        }
        self.latest_call = self.latest_call.max(operation.call);
        self.set(revision, operation.key, value);
        Ok(())
    }

    /// Returns the evidence of a revision, and removes it from the evidence that is still to come.
    #[inline]
    fn take_shown(&mut self, revision: u32) -> &'a [Change] {
        let is_other = |change: &Change| change.revision != revision;
        let count = self.shown.iter().position(is_other).unwrap_or(self.shown.len());
        let (shown, rest) = self.shown.split_at(count);
        self.shown = rest;
        shown
    }

    /// Checks a change that seems too late, different from the evidence, or not allowed by its condition, or that is on
    /// several keys. Returns whether it carried the change out already.
    #[cold]
    fn doubtful_change(&mut self, maker: u32, revision: u32, shown: &[Change]) -> Checked<bool> {
        let history = self.history;
        let operation = &history.operations()[maker as usize];
        self.check_time(operation, maker, revision)?;
        if let Some(wide) = history.wide(operation) {
            self.make_wide(wide, maker, shown)?;
            self.latest_call = self.latest_call.max(operation.call);
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

    /// Carries out the changes of a revision that no answer acknowledged.
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
        let (history, is_blind) = (self.history, self.is_blind());
        let (keys, past) = (&self.keys, &self.past);
        let found = self.unknowns.take(history, shown, |operation| match history.wide(operation) {
            Some(wide) => may_make(keys, past, is_blind, wide, shown),
            None if shown.len() == 1 && (is_blind || is_allowed(operation, keys[operation.key as usize])) => {
                May::Yes
            }
            None => May::No,
        });
        let avoidable = match found {
            Found::One { number, ambiguous } => {
                self.latest_call = self.latest_call.max(history.operations()[number as usize].call);
                self.witness.made.push((revision, number));
                if ambiguous {
                    self.ambiguous.push(number);
                }
                return Ok(());
            }
            Found::None { ambiguous } => ambiguous,
            Found::TooMany => true,
        };
        Err(Box::new(Contradiction {
            avoidable,
            ..*Contradiction::new(Vec::new(), Reason::Phantom { revision })
        }))
    }

    /// Checks the operations that saw a revision without changing anything: `last`, and those to which `next` leads
    /// from it ([`Links`]).
    #[inline]
    fn read(&mut self, revision: u32, last: u32, next: &[u32]) -> Checked<()> {
        let mut latest = self.latest_call;
        let mut number = last;
        while number != NONE {
            let operation = &self.history.operations()[number as usize];
            let holds = self.keys[operation.key as usize];
            let is_shown = (holds == operation.seen) & !would_change(operation, holds);
            if !((operation.returned >= self.latest_call) & is_shown) {
                self.doubtful_answer(operation, number, revision)?;
            }
            latest = latest.max(if operation.is_bound() { operation.call } else { 0 });
            number = next[number as usize];
        }
        self.latest_call = latest;
        Ok(())
    }

    /// Checks an answer that seems too late or different from what the store holds, or that is about several keys.
    #[cold]
    fn doubtful_answer(&self, operation: &Operation, number: u32, revision: u32) -> Checked<()> {
        self.check_time(operation, number, revision)?;
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

    /// Records what a key holds after a change.
    #[inline]
    fn set(&mut self, revision: u32, key: u32, value: Option<u32>) {
        let holds = &mut self.keys[key as usize];
        *holds = holds.after(revision, value);
        self.past.push(revision, key, *holds);
    }

    /// Whether it is unknown what some earlier revision did, so that it is also unknown what keys hold now.
    #[inline]
    pub(crate) fn is_blind(&self) -> bool {
        self.undecided.count > 0
    }
}

/// Whether a write changes a key that holds `holds`. False for operations on several keys, which are checked
/// separately.
///
/// There are no branches, because processors predict the kind of an operation badly.
#[inline]
pub(crate) fn is_allowed(operation: &Operation, holds: Seen) -> bool {
    let is_delete = operation.kind == Kind::Delete;
    let is_update = operation.kind == Kind::Update;
    !operation.is_wide()
        & !(is_delete & holds.is_absent())
        & !(is_update & (holds.modified != operation.expected))
}

/// Whether an operation whose answer says that it changed nothing would have changed a key that holds `holds`. True for
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

/// Whether an answer is wrong whatever the unknown revisions did. `holds` is the last known change of the key. The
/// answer is wrong if it shows another value for that change, or an older change, or one after its own revision.
fn is_wrong_anyway(operation: &Operation, holds: Seen, revision: u32) -> bool {
    let shows = operation.seen;
    let is_read = matches!(operation.kind, Kind::Get | Kind::GetSerializable | Kind::Update);
    let other_value = shows.modified == holds.modified && shows.value != holds.value;
    let too_old = shows.modified < holds.modified;
    is_read && !shows.is_absent() && (other_value || too_old || shows.modified > revision)
}
