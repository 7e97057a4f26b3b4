//! The pass over the revisions.

use crate::history::{Change, Evidence, History, Kind, Operation, Seen};
use crate::unknown::{Found, Unknowns};
use crate::verdict::{Reason, Undecided, Verdict, Violation, Witness};

/// No operation.
const NONE: u32 = u32::MAX;

/// Judges a history. `evidence` is what is known of revisions that nobody acknowledged, and is itself held against those
/// that somebody did.
///
/// Every writer must be in the history: a change that none of them can have asked for is a violation.
pub fn check(history: &History, evidence: &Evidence) -> Verdict {
    let mut links = match Links::new(history, evidence) {
        Ok(links) => links,
        Err(violation) => return Verdict::Violation(Box::new(violation)),
    };
    let unknowns = Unknowns::new(history, std::mem::take(&mut links.unknown));
    let before = evidence.changes().partition_point(|change| change.revision <= history.base());
    let pass = Pass {
        history,
        evidence: &evidence.changes()[before..],
        unknowns,
        keys: vec![Seen::ABSENT; history.keys().max(evidence_keys(evidence)) as usize],
        latest: Latest::NOBODY,
        witness: Witness::default(),
        undecided: Undecided::default(),
    };
    pass.run(&links)
}

fn evidence_keys(evidence: &Evidence) -> u32 {
    evidence.changes().iter().map(|change| change.key.saturating_add(1)).max().unwrap_or(0)
}

/// The operations of each revision.
struct Links {
    /// Who made the revision, by revisions after the base.
    makers: Vec<u32>,
    /// The last of those who saw it without changing anything; the others follow by `next`.
    readers: Vec<u32>,
    next: Vec<u32>,
    /// Changes without an answer.
    unknown: Vec<u32>,
}

impl Links {
    fn new(history: &History, evidence: &Evidence) -> Result<Links, Violation> {
        let operations = history.operations();
        let base = history.base();
        // The revisions there can be, lest a broken answer asks for memory without bound.
        let named = operations.iter().filter(|operation| operation.is_answered());
        let newest = named.map(|operation| operation.revision).max().unwrap_or(base);
        let shown = evidence.changes().last().map_or(base, |change| change.revision);
        let most = base.saturating_add(operations.len() as u32).max(shown);
        if newest > most {
            let number = operations.iter().position(|operation| operation.revision == newest);
            return Err(out_of_range(number.unwrap_or(0) as u32, newest));
        }
        let count = (newest.max(shown).max(base) - base) as usize + 1;
        let mut links = Links {
            makers: vec![NONE; count],
            readers: vec![NONE; count],
            next: vec![NONE; operations.len()],
            unknown: Vec::new(),
        };
        for (number, operation) in (0..).zip(operations) {
            if !operation.is_answered() {
                if operation.is_write() {
                    links.unknown.push(number);
                }
                continue;
            }
            let Some(at) = operation.revision.checked_sub(base).map(|at| at as usize) else {
                return Err(out_of_range(number, operation.revision));
            };
            if operation.changed && operation.is_write() {
                if at == 0 {
                    return Err(out_of_range(number, operation.revision));
                }
                let before = std::mem::replace(&mut links.makers[at], number);
                if before != NONE {
                    let reason = Reason::MadeTwice { revision: operation.revision };
                    return Err(Violation { operations: vec![before, number], reason });
                }
            } else {
                links.next[number as usize] = std::mem::replace(&mut links.readers[at], number);
            }
        }
        Ok(links)
    }
}

fn out_of_range(number: u32, revision: u32) -> Violation {
    Violation { operations: vec![number], reason: Reason::OutOfRange { revision } }
}

/// Who was asked last of all that stands before, as one number: the call, whether another could have stood there, and
/// the operation. Which one it is cannot be foreseen, and a maximum needs no branch.
#[derive(Clone, Copy)]
struct Latest(u128);

impl Latest {
    const NOBODY: Latest = Latest(0);

    #[inline]
    fn of(call: u64, number: u32, mixed: bool) -> Latest {
        Latest(u128::from(call) << 33 | u128::from(mixed) << 32 | u128::from(number))
    }

    #[inline]
    fn or(self, other: Latest) -> Latest {
        Latest(self.0.max(other.0))
    }

    #[inline]
    fn call(self) -> u64 {
        (self.0 >> 33) as u64
    }
}

struct Pass<'a> {
    history: &'a History,
    /// What is still to come.
    evidence: &'a [Change],
    unknowns: Unknowns,
    /// What each key holds.
    keys: Vec<Seen>,
    /// The latest call of all that stands before.
    latest: Latest,
    witness: Witness,
    undecided: Undecided,
}

impl Pass<'_> {
    fn run(mut self, links: &Links) -> Verdict {
        for at in 0..links.makers.len() {
            let revision = self.history.base() + at as u32;
            let made = if at == 0 { Ok(()) } else { self.make(revision, links.makers[at]) };
            if let Err(violation) = made.and_then(|()| self.read(revision, links.readers[at], &links.next)) {
                return self.refused(*violation);
            }
        }
        if self.undecided == Undecided::default() {
            Verdict::Linearizable(self.witness)
        } else {
            Verdict::Undecided(self.undecided)
        }
    }

    /// A contradiction that another choice might have avoided is none.
    fn refused(mut self, (violation, avoidable): (Violation, bool)) -> Verdict {
        if avoidable {
            self.undecided.ambiguous = true;
            return Verdict::Undecided(self.undecided);
        }
        Verdict::Violation(Box::new(violation))
    }

    /// A revision is made.
    fn make(&mut self, revision: u32, maker: u32) -> Result<(), Box<(Violation, bool)>> {
        let shown = self.evidence.first().filter(|change| change.revision == revision).copied();
        if shown.is_some() {
            self.evidence = &self.evidence[1..];
        }
        if maker == NONE {
            return match shown {
                Some(change) => self.fill(change),
                None => {
                    self.undecided.count += 1;
                    if self.undecided.missing.len() < Undecided::SHOWN {
                        self.undecided.missing.push(revision);
                    }
                    Ok(())
                }
            };
        }
        let operation = &self.history.operations()[maker as usize];
        self.in_time(operation, maker, revision)?;
        self.latest = self.latest.or(Latest::of(operation.call, maker, false));
        let value = (operation.kind != Kind::Delete).then_some(operation.value);
        if shown.is_some_and(|change| (change.key, change.value) != (operation.key, value)) {
            return refuse([maker], Reason::Evidence { revision });
        }
        let holds = self.keys[operation.key as usize];
        let allowed = match operation.kind {
            Kind::Delete => holds != Seen::ABSENT,
            Kind::Update => holds.modified == operation.expected,
            _ => true,
        };
        if !allowed && !self.is_blind() {
            return self.contradicted(maker, operation.key, Reason::Condition { revision, holds });
        }
        self.apply(revision, operation.key, value);
        Ok(())
    }

    /// A revision that nobody acknowledged, but which was shown.
    fn fill(&mut self, change: Change) -> Result<(), Box<(Violation, bool)>> {
        let Change { revision, key, value } = change;
        let (holds, blind) = (self.keys[key as usize], self.is_blind());
        let may = |operation: &Operation| match operation.kind {
            Kind::Delete => blind || holds != Seen::ABSENT,
            Kind::Update => blind || holds.modified == operation.expected,
            _ => true,
        };
        match self.unknowns.take(self.history, key, value, may) {
            Found::One { number, mixed } => {
                let call = self.history.operations()[number as usize].call;
                self.latest = self.latest.or(Latest::of(call, number, mixed));
                self.witness.made.push((revision, number));
                self.apply(revision, key, value);
                Ok(())
            }
            Found::None { mixed } => Err(Box::new((
                Violation { operations: Vec::new(), reason: Reason::Phantom { revision } },
                mixed,
            ))),
            Found::TooMany => Err(Box::new((
                Violation { operations: Vec::new(), reason: Reason::Phantom { revision } },
                true,
            ))),
        }
    }

    /// Those who saw a revision without changing anything.
    fn read(&mut self, revision: u32, last: u32, next: &[u32]) -> Result<(), Box<(Violation, bool)>> {
        let mut latest = self.latest;
        let mut number = last;
        while number != NONE {
            let operation = &self.history.operations()[number as usize];
            self.in_time(operation, number, revision)?;
            let is_bound = operation.kind != Kind::GetSerializable;
            latest = latest.or(Latest::of(if is_bound { operation.call } else { 0 }, number, false));
            self.shown(operation, number, revision)?;
            number = next[number as usize];
        }
        self.latest = latest;
        Ok(())
    }

    /// Whether the answer shows what the store holds.
    #[inline]
    fn shown(&self, operation: &Operation, number: u32, revision: u32) -> Result<(), Box<(Violation, bool)>> {
        let (holds, shows) = (self.keys[operation.key as usize], operation.seen);
        if self.is_blind() {
            return self.shown_blind(operation, number, revision);
        }
        match operation.kind {
            Kind::Delete if holds == Seen::ABSENT => return Ok(()),
            Kind::Delete => {}
            Kind::Update if holds.modified == operation.expected => {}
            Kind::Update | Kind::Get | Kind::GetSerializable | Kind::Put => {
                if holds == shows {
                    return Ok(());
                }
                let reason = Reason::Wrong { revision, holds, shows };
                return self.contradicted(number, operation.key, reason);
            }
        }
        self.contradicted(number, operation.key, Reason::Condition { revision, holds })
    }

    /// The same where some revision before is missing: only what was acknowledged is held against the answer.
    #[cold]
    fn shown_blind(
        &self,
        operation: &Operation,
        number: u32,
        revision: u32,
    ) -> Result<(), Box<(Violation, bool)>> {
        let (holds, shows) = (self.keys[operation.key as usize], operation.seen);
        let is_read = !matches!(operation.kind, Kind::Delete | Kind::Put);
        let other_value = shows.modified == holds.modified && shows.value != holds.value;
        let too_old = shows != Seen::ABSENT && shows.modified < holds.modified;
        if is_read && shows != Seen::ABSENT && (other_value || too_old || shows.modified > revision) {
            return self.contradicted(number, operation.key, Reason::Wrong { revision, holds, shows });
        }
        Ok(())
    }

    /// Something stands here that was answered at `ret`; nothing before it may have been asked after that.
    #[inline]
    fn in_time(&self, operation: &Operation, number: u32, newer: u32) -> Result<(), Box<(Violation, bool)>> {
        if operation.ret >= self.latest.call() {
            return Ok(());
        }
        self.stale(number, newer)
    }

    #[cold]
    fn stale(&self, number: u32, newer: u32) -> Result<(), Box<(Violation, bool)>> {
        let (late, mixed) = (self.latest.0 as u32, self.latest.0 >> 32 & 1 == 1);
        let stood = self.witness.made.iter().rev().find(|(_, made)| *made == late);
        let revision =
            stood.map_or(self.history.operations()[late as usize].revision, |(revision, _)| *revision);
        let reason = Reason::Stale { revision, newer };
        Err(Box::new((Violation { operations: vec![late, number], reason }, mixed)))
    }

    #[inline]
    fn apply(&mut self, revision: u32, key: u32, value: Option<u32>) {
        let holds = &mut self.keys[key as usize];
        *holds = match value {
            None => Seen::ABSENT,
            Some(value) if *holds == Seen::ABSENT => Seen::new(value, revision, revision, 1),
            Some(value) => Seen::new(value, revision, holds.created, holds.version + 1),
        };
    }

    /// Whether some revision before is missing, so that it is not known what keys hold.
    #[inline]
    fn is_blind(&self) -> bool {
        self.undecided.count > 0
    }

    /// An answer against the store: with whoever made the store so.
    #[cold]
    fn contradicted(&self, number: u32, key: u32, reason: Reason) -> Result<(), Box<(Violation, bool)>> {
        let made = |revision: u32| {
            let is_maker = |operation: &Operation| {
                operation.is_answered()
                    && operation.is_write()
                    && operation.changed
                    && operation.revision == revision
            };
            let acknowledged = self.history.operations().iter().position(is_maker).map(|at| at as u32);
            acknowledged.or_else(|| {
                self.witness.made.iter().find(|(other, _)| *other == revision).map(|(_, number)| *number)
            })
        };
        let holds = self.keys[key as usize].modified;
        let shows = self.history.operations()[number as usize].seen.modified;
        let mut operations = vec![number];
        operations.extend([holds, shows].into_iter().filter(|revision| *revision > 0).filter_map(made));
        operations.sort_unstable();
        operations.dedup();
        Err(Box::new((Violation { operations, reason }, false)))
    }
}

fn refuse<const N: usize>(operations: [u32; N], reason: Reason) -> Result<(), Box<(Violation, bool)>> {
    Err(Box::new((Violation { operations: operations.to_vec(), reason }, false)))
}
