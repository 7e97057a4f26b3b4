//! Oracle M1 without evidence: finds contradictions among the answers of the lock and election services.
//!
//! The services write keys that no request names. So without the entries that the members applied, the queues (see
//! `locks`) are not known. But an answer can claim two things about a candidate (a key in a queue, with its create
//! revision):
//!
//! * the candidate was in the queue at some revision;
//! * the candidate was first in the queue at some revision. Then every candidate that entered earlier had left by
//!   that revision.
//!
//! A candidate leaves the queue only if a client asks for that (unlock, resign, delete, revoke) or its lease ends. So
//! answers contradict each other if one candidate was in the queue, a later one was first, and nothing can have
//! removed the earlier one in between. Two things are wrong by themselves: a key that belongs to another queue, and a
//! leader for whom nobody campaigned.
//!
//! Not checked: that the key of an answered `Unlock` is gone; locks against elections of the same name; when a lease
//! ends if the history does not have its `LeaseGrant`.

use std::collections::{BTreeMap, BTreeSet};

use api::v3electionpb::LeaderKey;
use api::{Error, Part, Request, Response};
use bytes::Bytes;
use record::{History, Nanos, Operation, Outcome};

use super::removals::{Removals, Stay, was_refused};
use crate::{Oracle, Sheet, Violation, answer, describe};

/// How many answers there are.
#[derive(Default)]
pub(super) struct Counts {
    /// Answers and errors that were judged.
    pub(super) judged: usize,
    /// Answers to `Unlock` and `Resign`.
    pub(super) releases: usize,
}

/// Judges a history that has every client. `fastest` is the rate of the fastest clock, in millionths of true time;
/// `from_start` says whether the store was empty when the history began.
pub(super) fn check(history: &History, fastest: u32, from_start: bool, sheet: &mut Sheet) -> Counts {
    let mut queues: BTreeMap<&Bytes, Queue<'_>> = BTreeMap::new();
    let mut counts = Counts::default();
    for (number, operation) in history.operations.iter().enumerate() {
        if matches!(operation.request, Request::Unlock(_) | Request::Resign(_)) {
            counts.releases += usize::from(operation.response().is_some());
        }
        let Some(name) = name(&operation.request) else { continue };
        queues.entry(name).or_default().take(number, operation);
    }
    if queues.is_empty() {
        return counts;
    }
    let (removals, writers) = (Removals::new(history, fastest), Writers::new(history));
    let judge = Judge { history, from_start, removals, writers };
    for (name, queue) in &queues {
        counts.judged += queue.locks.len() + queue.claims.len() + queue.refusals.len();
        let mut wrong = Vec::new();
        judge.keys(name, queue, &mut wrong);
        judge.locks(queue, &mut wrong);
        judge.elections(queue, &mut wrong);
        judge.refusals(queue, &mut wrong);
        // One cause can contradict many answers, so only the first violation of each kind in a queue is reported.
        let mut titles = BTreeSet::new();
        for wrong in wrong {
            if titles.insert(wrong.title) {
                sheet.add(wrong.violation(history));
            }
        }
    }
    counts
}

/// The queue that a request names. An `Unlock` names only a key.
fn name(request: &Request) -> Option<&Bytes> {
    match request {
        Request::Lock(request) => Some(&request.name),
        Request::Campaign(request) => Some(&request.name),
        Request::Leader(request) => Some(&request.name),
        Request::Proclaim(request) => request.leader.as_ref().map(|leader| &leader.name),
        Request::Resign(request) => request.leader.as_ref().map(|leader| &leader.name),
        _ => None,
    }
}

/// An answer that gave a lock to a client.
#[derive(Clone, Copy)]
struct LockAnswer<'a> {
    /// The number of the operation.
    number: usize,
    key: &'a Bytes,
    /// The lease of the request; 0 if the service made its own.
    lease: i64,
    /// The revision of the answer, at which `key` was the first in the queue.
    at: i64,
    call: Nanos,
    returned: Nanos,
}

/// A candidate: a key and the revision that created it. Candidates sort in the order in which they entered their queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate<'a> {
    /// The revision that created the key.
    entered: i64,
    key: &'a Bytes,
}

/// What an answer says about a candidate.
struct Claim<'a> {
    /// The number of the operation.
    number: usize,
    candidate: Candidate<'a>,
    /// For a candidate that an answered campaign names, the lease of the campaign's request; 0 if the service made its
    /// own.
    campaigned: Option<i64>,
    /// A revision at which it was in the queue.
    at: i64,
    /// When it was first in the queue.
    first_at: FirstAt,
    call: Nanos,
    returned: Nanos,
}

/// When a candidate was first in its queue, according to an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstAt {
    /// The answer does not say that it was first.
    NotClaimed,
    /// At the revision of the claim.
    Revision,
    /// At some revision up to the return of the answer.
    ByReturn,
}

/// What answers say about one queue.
#[derive(Default)]
struct Queue<'a> {
    /// The answers that gave its lock.
    locks: Vec<LockAnswer<'a>>,
    /// What answers say about its candidates.
    claims: Vec<Claim<'a>>,
    /// Answered resignations: the candidate, the revision at which it was gone, and the operation.
    resigned: BTreeMap<Candidate<'a>, (i64, usize)>,
    /// Errors that say that there is no leader, or that a candidate does not lead: the operation, the candidate, the
    /// call and the return.
    refusals: Vec<(usize, Option<Candidate<'a>>, Nanos, Nanos)>,
}

/// The candidate that an answer names as leader.
fn candidate(leader: &LeaderKey) -> Candidate<'_> {
    Candidate { entered: leader.rev, key: &leader.key }
}

impl<'a> Queue<'a> {
    /// Adds what an operation says about the queue.
    fn take(&mut self, number: usize, operation: &'a Operation) {
        let (response, returned) = match &operation.outcome {
            Outcome::Answer { at, response } => (response, *at),
            Outcome::Error { at, error } => return self.refused(number, operation, *at, *error),
            Outcome::Unknown { .. } => return,
        };
        let (at, call) = (answer::revision(response.header()), operation.call);
        // An answer without a revision does not say when its claim was true.
        if at <= 0 {
            return;
        }
        let claim = |candidate, campaigned, at, first_at| Claim {
            number,
            candidate,
            campaigned,
            at,
            first_at,
            call,
            returned,
        };
        match (&operation.request, response) {
            (Request::Lock(request), Response::Lock(response)) => {
                let (key, lease) = (&response.key, request.lease);
                self.locks.push(LockAnswer { number, key, lease, at, call, returned });
            }
            (Request::Campaign(request), Response::Campaign(response)) => {
                let Some(leader) = &response.leader else { return };
                let campaigned = Some(request.lease);
                self.claims.push(claim(candidate(leader), campaigned, leader.rev, FirstAt::ByReturn));
            }
            (Request::Leader(_), Response::Leader(response)) => {
                let Some(kv) = &response.kv else { return };
                let named = Candidate { entered: kv.create_revision, key: &kv.key };
                self.claims.push(claim(named, None, at, FirstAt::Revision));
            }
            (Request::Proclaim(request), Response::Proclaim(_)) => {
                let Some(leader) = &request.leader else { return };
                self.claims.push(claim(candidate(leader), None, at, FirstAt::NotClaimed));
            }
            (Request::Resign(request), Response::Resign(_)) => {
                let Some(leader) = &request.leader else { return };
                let first = self.resigned.entry(candidate(leader)).or_insert((at, number));
                *first = (*first).min((at, number));
            }
            _ => {}
        }
    }

    /// Adds what an error says about the queue.
    fn refused(&mut self, number: usize, operation: &'a Operation, at: Nanos, error: Error) {
        let of = match (&operation.request, error) {
            (Request::Leader(_), Error::ElectionNoLeader) => None,
            (Request::Proclaim(request), Error::ElectionNotLeader) => match &request.leader {
                Some(leader) => Some(candidate(leader)),
                None => return,
            },
            _ => return,
        };
        self.refusals.push((number, of, operation.call, at));
    }
}

/// A violation being written.
struct Wrong {
    title: &'static str,
    /// Why it is one, in a sentence.
    reason: String,
    /// The operations that prove it.
    shown_by: Vec<usize>,
}

impl Wrong {
    fn new(title: &'static str, reason: String, shown_by: impl IntoIterator<Item = usize>) -> Wrong {
        Wrong { title, reason, shown_by: shown_by.into_iter().collect() }
    }

    /// Reports it.
    fn violation(self, history: &History) -> Violation {
        let last = self.shown_by.iter().copied().max_by_key(|number| history.operations[*number].returned());
        let operation = &history.operations[last.expect("an operation shows it")];
        let time = operation.returned().unwrap_or(operation.call);
        Violation::new(Oracle::M1, time, self.title)
            .say(format!("The operation: {}.", describe::operation(operation)))
            .say(self.reason)
            .shown_by(self.shown_by)
    }
}

/// What clients wrote into queues, or may have written.
struct Writers<'a> {
    /// Puts and proclamations, by their key.
    puts: BTreeMap<&'a [u8], Vec<WrittenValue<'a>>>,
    /// Campaigns and locks that can have created a key, by the name of their queue.
    candidacies: BTreeMap<&'a [u8], Vec<&'a Operation>>,
}

/// A value that a client gave a key, or may have given it.
struct WrittenValue<'a> {
    call: Nanos,
    value: &'a Bytes,
    /// Whether the write creates the key if it does not exist. A proclamation does not.
    creates: bool,
}

impl<'a> Writers<'a> {
    fn new(history: &'a History) -> Writers<'a> {
        let mut writers = Writers { puts: BTreeMap::new(), candidacies: BTreeMap::new() };
        for operation in history.operations.iter().filter(|operation| !was_refused(operation)) {
            let written = |value, creates| WrittenValue { call: operation.call, value, creates };
            match &operation.request {
                Request::Campaign(campaign) => {
                    writers.candidacies.entry(&campaign.name).or_default().push(operation);
                }
                Request::Lock(lock) => writers.candidacies.entry(&lock.name).or_default().push(operation),
                Request::Proclaim(proclaim) => {
                    if let Some(leader) = &proclaim.leader {
                        writers.puts.entry(&leader.key).or_default().push(written(&proclaim.value, false));
                    }
                }
                request => {
                    for part in request.parts() {
                        if let Part::Put(put) = part {
                            writers.puts.entry(&put.key).or_default().push(written(&put.value, true));
                        }
                    }
                }
            }
        }
        writers
    }

    /// The values that clients may have given a key in operations called at `by` or earlier.
    fn values_written(&self, key: &[u8], by: Nanos) -> impl Iterator<Item = &WrittenValue<'a>> {
        self.puts.get(key).into_iter().flatten().filter(move |written| written.call <= by)
    }

    /// The campaigns and locks of a queue that were called at `by` or earlier.
    fn candidacies(&self, name: &[u8], by: Nanos) -> impl Iterator<Item = &'a Operation> {
        self.candidacies.get(name).into_iter().flatten().copied().filter(move |one| one.call <= by)
    }

    /// Whether some operation called at `by` or earlier can have created the candidate.
    fn can_have_made(&self, name: &[u8], candidate: Candidate<'_>, by: Nanos) -> bool {
        let candidacy = |operation: &Operation| match (&operation.request, operation.response()) {
            (_, Some(Response::Campaign(response))) => {
                response.leader.as_ref().is_some_and(|leader| self::candidate(leader) == candidate)
            }
            (_, Some(Response::Lock(response))) => response.key == *candidate.key,
            (Request::Campaign(request), _) => may_be_of(name, request.lease, candidate.key),
            (Request::Lock(request), _) => may_be_of(name, request.lease, candidate.key),
            _ => false,
        };
        self.values_written(candidate.key, by).any(|written| written.creates)
            || self.candidacies(name, by).any(candidacy)
    }

    /// Whether a campaign, a lock, a proclamation or a put called at `by` or earlier can have given the key this value.
    fn can_have_written(&self, name: &[u8], key: &[u8], value: &[u8], by: Nanos) -> bool {
        let candidacy = |operation: &Operation| match &operation.request {
            Request::Campaign(campaign) => campaign.value[..] == *value,
            _ => value.is_empty(),
        };
        self.values_written(key, by).any(|written| written.value[..] == *value)
            || self.candidacies(name, by).any(candidacy)
    }
}

/// Whether this can be the key of a candidate in the queue `name`, for a request with this lease (0 if the service
/// makes one).
fn may_be_of(name: &[u8], lease: i64, key: &[u8]) -> bool {
    let Some(rest) = key.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"/")) else { return false };
    lease == 0 || rest == hexadecimal(lease).as_bytes()
}

/// A lease as the services write it into a key.
fn hexadecimal(lease: i64) -> String {
    let sign = if lease < 0 { "-" } else { "" };
    format!("{sign}{:x}", lease.unsigned_abs())
}

/// The history, prepared for the checks of queues.
struct Judge<'a> {
    history: &'a History,
    /// Whether the history begins with an empty store.
    from_start: bool,
    /// What may have removed keys from queues.
    removals: Removals<'a>,
    /// What may have put keys into queues.
    writers: Writers<'a>,
}

impl Judge<'_> {
    /// Reports keys that cannot be those of a candidate of the queue.
    fn keys(&self, name: &[u8], queue: &Queue<'_>, wrong: &mut Vec<Wrong>) {
        let belongs = |key: &[u8], lease| may_be_of(name, lease, key);
        let expected = |lease: i64| match lease {
            0 => format!("begins with {}", describe::key(&[name, b"/"].concat())),
            lease => format!("is {}", describe::key(&[name, b"/", hexadecimal(lease).as_bytes()].concat())),
        };
        for held in queue.locks.iter().filter(|held| !belongs(held.key, held.lease)) {
            let reason = format!(
                "The key in the answer is {}; a key of this lock {}.",
                describe::key(held.key),
                expected(held.lease)
            );
            wrong.push(Wrong::new("a lock was given with a key of another queue", reason, [held.number]));
        }
        for claim in &queue.claims {
            let key = claim.candidate.key;
            let lease = claim.campaigned.unwrap_or(0);
            if belongs(key, lease) {
                wrong.extend(self.check_candidacy(name, claim).filter(|_| self.from_start));
            } else if claim.first_at != FirstAt::NotClaimed {
                // A proclamation proves nothing: the client itself names the key and the queue.
                let reason = format!(
                    "The key in the answer is {}; a key of this election {}.",
                    describe::key(key),
                    expected(lease)
                );
                let title = "an election has a leader with a key of another queue";
                wrong.push(Wrong::new(title, reason, [claim.number]));
            }
        }
    }

    /// Checks that somebody campaigned with the key of a named leader, and that a client gave it its value.
    fn check_candidacy(&self, name: &[u8], claim: &Claim<'_>) -> Option<Wrong> {
        let Candidate { key, entered } = claim.candidate;
        // The claim comes from the candidate's own campaign, so somebody campaigned.
        if claim.campaigned.is_some() {
            return None;
        }
        if !self.writers.can_have_made(name, claim.candidate, claim.returned) {
            let reason = format!(
                "Nobody who had campaigned for {} before this answer can have created {} at revision {entered}.",
                describe::key(name),
                describe::key(key)
            );
            return Some(Wrong::new(
                "a leader is named who never stood for election",
                reason,
                [claim.number],
            ));
        }
        let Some(Response::Leader(response)) = self.history.operations[claim.number].response() else {
            return None;
        };
        let value = &response.kv.as_ref()?.value;
        (!self.writers.can_have_written(name, key, value, claim.returned)).then(|| {
            let reason = format!(
                "Nobody had given {} the value {} before this answer.",
                describe::key(key),
                describe::value(value)
            );
            Wrong::new("a leader is named with a value that nobody gave it", reason, [claim.number])
        })
    }

    /// Checks that between two answers that give a lock with different keys, the first key can have been removed.
    fn locks(&self, queue: &Queue<'_>, wrong: &mut Vec<Wrong>) {
        let mut held: Vec<&LockAnswer<'_>> = queue.locks.iter().collect();
        held.sort_by_key(|held| (held.at, held.number));
        for pair in held.windows(2) {
            let [one, other] = pair else { unreachable!("windows of two") };
            let stay = Stay {
                key: one.key,
                lease: Some(one.lease),
                since: one.call,
                after: one.at,
                until: Some(other.at),
                before: other.returned,
            };
            if one.key == other.key || one.at < other.at && self.removals.can_end(&stay) {
                continue;
            }
            let reason = format!(
                "{} held it with the key {} at revision {}; nothing can have removed that key by revision {}.",
                describe::who(&self.history.operations[one.number]),
                describe::key(one.key),
                one.at,
                other.at
            );
            let title = "a lock was given while it was still held";
            wrong.push(Wrong::new(title, reason, [one.number, other.number]));
        }
    }

    /// Checks that when a candidate was first, all candidates that had entered earlier can have left.
    fn elections(&self, queue: &Queue<'_>, wrong: &mut Vec<Wrong>) {
        let mut candidates: BTreeMap<Candidate<'_>, Vec<&Claim<'_>>> = BTreeMap::new();
        for claim in &queue.claims {
            candidates.entry(claim.candidate).or_default().push(claim);
        }
        // Among the candidates that entered later: of the claims to be first at a revision, the one with the lowest
        // revision (`there`); of the claims to be first by their return, the one with the earliest return
        // (`returned`).
        let mut there: Option<&Claim<'_>> = None;
        let mut returned: Option<&Claim<'_>> = None;
        for (candidate, claims) in candidates.iter().rev() {
            let last = claims.iter().copied().max_by_key(|claim| claim.at).expect("each has a claim");
            if let Some((gone, by)) = queue.resigned.get(candidate)
                && last.at >= *gone
            {
                let reason = format!(
                    "{} had resigned by revision {gone}; the answer is of revision {}.",
                    describe_candidate(*candidate),
                    last.at
                );
                let title = "a leader resigned and is still in the queue";
                wrong.push(Wrong::new(title, reason, [last.number, *by]));
            }
            for later in [there, returned].into_iter().flatten() {
                if !self.can_have_left(claims, last, later) {
                    wrong.push(self.two_leaders(*candidate, last, later));
                }
            }
            for claim in claims {
                let earliest = match claim.first_at {
                    FirstAt::NotClaimed => continue,
                    FirstAt::Revision => &mut there,
                    FirstAt::ByReturn => &mut returned,
                };
                let when = |claim: &Claim<'_>| match claim.first_at {
                    FirstAt::Revision => claim.at as u64,
                    _ => claim.returned,
                };
                if earliest.is_none_or(|earliest| when(claim) < when(earliest)) {
                    *earliest = Some(claim);
                }
            }
        }
    }

    /// Whether a candidate can have left between the last claim that it was in the queue and the claim that a later
    /// candidate was first.
    fn can_have_left(&self, claims: &[&Claim<'_>], last: &Claim<'_>, later: &Claim<'_>) -> bool {
        let until = (later.first_at == FirstAt::Revision).then_some(later.at);
        let too_late = until.is_some_and(|until| last.at >= until) || last.call > later.returned;
        !too_late && self.removals.can_end(&stay(claims, last, until, later.returned))
    }

    /// The violation that a later candidate was first while an earlier one was still in the queue.
    fn two_leaders(&self, earlier: Candidate<'_>, last: &Claim<'_>, later: &Claim<'_>) -> Wrong {
        let reason = format!(
            "{} entered the queue before {} and was there at revision {}; nothing can have removed it before the other one led.",
            describe_candidate(earlier),
            describe_candidate(later.candidate),
            last.at
        );
        let title = "an election has a new leader while an earlier one is still in the queue";
        Wrong::new(title, reason, [last.number, later.number])
    }

    /// Reports errors that there is no leader, or that a candidate does not lead, although the candidate cannot have
    /// left the queue.
    fn refusals(&self, queue: &Queue<'_>, wrong: &mut Vec<Wrong>) {
        let mut candidates: BTreeMap<Candidate<'_>, Vec<&Claim<'_>>> = BTreeMap::new();
        for claim in queue.claims.iter().filter(|_| !queue.refusals.is_empty()) {
            candidates.entry(claim.candidate).or_default().push(claim);
        }
        for (number, of, call, at) in &queue.refusals {
            for (candidate, claims) in &candidates {
                if of.is_some_and(|of| of != *candidate) {
                    continue;
                }
                let before = claims.iter().copied().filter(|claim| claim.returned < *call);
                let Some(last) = before.max_by_key(|claim| claim.at) else { continue };
                if self.removals.can_end(&stay(claims, last, None, *at)) {
                    continue;
                }
                let reason = format!(
                    "{} was in the queue at revision {}, and nothing can have removed it before this error.",
                    describe_candidate(*candidate),
                    last.at
                );
                let title = match of {
                    Some(_) => "a leader was refused as if it did not lead",
                    None => "no leader is named where there was a leader",
                };
                wrong.push(Wrong::new(title, reason, [*number, last.number]));
            }
        }
    }
}

/// The time in which a candidate must have left, after the last claim that it was in the queue.
fn stay<'a>(claims: &[&Claim<'a>], last: &Claim<'a>, until: Option<i64>, before: Nanos) -> Stay<'a> {
    let own = claims.iter().find_map(|claim| Some((claim.campaigned?, claim.call)));
    Stay {
        key: last.candidate.key,
        lease: own.map(|(lease, _)| lease),
        since: own.map_or(last.call, |(_, call)| call),
        after: last.at,
        until,
        before,
    }
}

/// A candidate in words.
fn describe_candidate(candidate: Candidate<'_>) -> String {
    format!("{} of revision {}", describe::key(candidate.key), candidate.entered)
}
