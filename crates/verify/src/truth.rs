//! What really was in the store: every change at its revision, and the compactions with their times.
//!
//! It is built from K1's replay ([`Known`]), so it has what the answers and the evidence prove, and never what a
//! watcher says. Up to [`Truth::until`] every change is known. Later changes are not known, except that there are
//! none if the history is complete.
//!
//! Times are those of the first member to apply an entry. When the other members applied it is not known; they may be
//! arbitrarily late.
//!
//! Invariant: `events` is in the order in which the changes were made, so that event numbers can be compared.

use std::collections::BTreeMap;

use api::Request;
use api::mvccpb::KeyValue;
use bytes::Bytes;
use record::{Applied, History, Nanos, Outcome};

use crate::definite::is_definite;
use crate::k1::Known;
use crate::model::FIRST_REVISION;

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether it deleted the key.
    pub deleted: bool,
    /// The pair after the change; of a deletion only the key and the revision.
    pub kv: KeyValue,
    /// The number of the event that made the pair as it was one revision before; `None` if the key did not exist.
    previous: Option<u32>,
}

impl Event {
    /// Whether it created the key.
    pub fn is_create(&self) -> bool {
        !self.deleted && self.kv.create_revision == self.kv.mod_revision
    }
}

/// A compaction that took effect, or may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// Revisions below this one can no longer be read.
    pub revision: i64,
    /// The earliest time at which a member can have carried it out.
    pub earliest: Nanos,
    /// The time by which the first member had carried it out; `None` if it may never have happened.
    pub latest: Option<Nanos>,
    /// If known: the newest revision when it was carried out, or without evidence perhaps a later one. All higher
    /// revisions were made after the compaction.
    pub after: Option<i64>,
}

/// A range of keys, as a request gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys<'a> {
    /// The first key.
    pub key: &'a [u8],
    /// Empty for that one key, one zero byte for no end.
    pub end: &'a [u8],
}

impl Keys<'_> {
    /// Whether the key is in the range.
    pub fn contain(&self, key: &[u8]) -> bool {
        match self.end {
            [] => key == self.key,
            [0] => key >= self.key,
            end => key >= self.key && key < end,
        }
    }

    /// Whether the range is empty, because its end is not above its first key.
    pub fn are_none(&self) -> bool {
        !matches!(self.end, [] | [0]) && self.end <= self.key
    }
}

/// The store over a whole history.
#[derive(Debug)]
pub struct Truth {
    events: Vec<Event>,
    /// The numbers of the events of each key, in order.
    keys: BTreeMap<Bytes, Vec<u32>>,
    /// The revision at which the history begins.
    start: i64,
    /// The revision up to which the store is known.
    until: i64,
    /// Whether that is the newest revision of the whole history.
    complete: bool,
    /// Whether the list has every compaction that can have happened.
    sure_of_compactions: bool,
    /// Ordered by `earliest`.
    compactions: Vec<Compaction>,
    /// Revisions and the operations that made them.
    makers: Vec<(i64, u32)>,
    /// When the first member had each revision; empty without evidence.
    times: Vec<(i64, Nanos)>,
}

impl Truth {
    /// Built from what K1 found. `start` is the revision at which the history began; `closed` says that the history
    /// has every client that wrote or compacted.
    pub fn new(
        history: &History,
        applied: Option<&[Applied]>,
        known: &Known,
        start: i64,
        closed: bool,
    ) -> Truth {
        let mut truth = Truth {
            events: Vec::new(),
            keys: BTreeMap::new(),
            start,
            until: known.explained,
            complete: known.complete,
            sure_of_compactions: closed || applied.is_some(),
            compactions: compactions(history, applied),
            makers: known.makers.clone(),
            times: Vec::new(),
        };
        for (kv, deleted) in known.model.changes().take_while(|(kv, _)| kv.mod_revision <= known.explained) {
            truth.take(kv, deleted);
        }
        for entry in applied.unwrap_or_default().iter().filter(|entry| entry.mutated) {
            truth.times.push((entry.revision as i64, entry.time));
        }
        truth.times.sort_unstable();
        truth
    }

    /// Takes over the next change.
    fn take(&mut self, kv: KeyValue, deleted: bool) {
        let number = u32::try_from(self.events.len()).expect("a run makes fewer changes than that");
        let of_key = self.keys.entry(kv.key.clone()).or_default();
        let earlier = |number: &&u32| self.events[**number as usize].kv.mod_revision < kv.mod_revision;
        let previous = of_key.iter().rev().find(earlier).copied();
        let previous = previous.filter(|number| !self.events[*number as usize].deleted);
        of_key.push(number);
        self.events.push(Event { deleted, kv, previous });
    }

    /// The last revision up to which everything is known.
    pub fn until(&self) -> i64 {
        self.until
    }

    /// The newest revision, if known.
    pub fn newest(&self) -> Option<i64> {
        self.complete.then_some(self.until)
    }

    /// Whether the changes of a revision are known: those after the start and up to `until` are. If the history is
    /// complete, so are later ones, because there are none. Revision 1 is the empty store and has no changes either.
    pub fn knows(&self, revision: i64) -> bool {
        (revision > self.start || revision <= FIRST_REVISION) && (revision <= self.until || self.complete)
    }

    /// The changes of one revision, in the order in which they were made.
    pub fn events(&self, revision: i64) -> &[Event] {
        let from = self.events.partition_point(|event| event.kv.mod_revision < revision);
        let count = self.events[from..].partition_point(|event| event.kv.mod_revision == revision);
        &self.events[from..from + count]
    }

    /// The event with this number.
    pub fn event(&self, number: u32) -> &Event {
        &self.events[number as usize]
    }

    /// The pair as it was one revision before an event.
    pub fn before(&self, event: &Event) -> Option<&KeyValue> {
        event.previous.map(|number| &self.events[number as usize].kv)
    }

    /// The numbers of the events of one revision, key and kind. There can be two: a transaction can delete a key, put
    /// it and delete it again.
    pub fn find(&self, key: &[u8], revision: i64, deleted: bool) -> impl Iterator<Item = u32> + Clone {
        let of_key = self.keys.get(key).map_or(&[][..], Vec::as_slice);
        let from = of_key.partition_point(|number| self.event(*number).kv.mod_revision < revision);
        let there = of_key[from..].iter().copied();
        there
            .take_while(move |number| self.event(*number).kv.mod_revision == revision)
            .filter(move |number| self.event(*number).deleted == deleted)
    }

    /// How many changes are known.
    pub fn change_count(&self) -> usize {
        self.events.len()
    }

    /// The numbers of the events of some keys from one revision to another, both included, in order.
    pub fn between(&self, keys: Keys<'_>, from: i64, to: i64) -> Vec<u32> {
        let mut found = Vec::new();
        for (_, of_key) in self.range(keys) {
            let first = of_key.partition_point(|number| self.event(*number).kv.mod_revision < from);
            let after = of_key.partition_point(|number| self.event(*number).kv.mod_revision <= to);
            found.extend_from_slice(of_key.get(first..after).unwrap_or_default());
        }
        found.sort_unstable();
        found
    }

    /// The pairs of some keys at a revision, in key order.
    pub fn pairs(&self, keys: Keys<'_>, at: i64) -> impl Iterator<Item = &KeyValue> {
        self.range(keys).filter_map(move |(_, of_key)| {
            let after = of_key.partition_point(|number| self.event(*number).kv.mod_revision <= at);
            let last = self.event(of_key[after.checked_sub(1)?]);
            (!last.deleted).then_some(&last.kv)
        })
    }

    /// The keys of an interval, with the numbers of their changes.
    fn range(&self, keys: Keys<'_>) -> impl Iterator<Item = (&Bytes, &Vec<u32>)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let end = match keys.end {
            [] => Included(keys.key),
            [0] => Unbounded,
            // A range that ends before it begins is empty. The map would panic at it.
            end => Excluded(end.max(keys.key)),
        };
        self.keys.range::<[u8], _>((Included(keys.key), end))
    }

    /// Whether a compaction can have removed a change by the time `at`, although its revision can still be watched.
    /// This happens if the same revision changed the key again: a compaction to that revision keeps only the last
    /// change.
    pub fn may_be_dropped(&self, number: u32, at: Nanos) -> bool {
        let event = self.event(number);
        let revision = event.kv.mod_revision;
        let of_key = self.keys.get(&event.kv.key).map_or(&[][..], Vec::as_slice);
        let next = of_key.get(of_key.partition_point(|other| *other <= number));
        next.is_some_and(|next| self.event(*next).kv.mod_revision == revision)
            && (!self.sure_of_compactions
                || self.compactions_by(at).any(|compaction| compaction.revision == revision))
    }

    /// The client operation that made a revision, if one did.
    pub fn maker(&self, revision: i64) -> Option<usize> {
        let at = self.makers.binary_search_by_key(&revision, |(revision, _)| *revision).ok()?;
        Some(self.makers[at].1 as usize)
    }

    /// When the first member made a revision; `None` without evidence.
    pub fn made_at(&self, revision: i64) -> Option<Nanos> {
        let at = self.times.partition_point(|(made, _)| *made < revision);
        self.times.get(at).filter(|(made, _)| *made == revision).map(|(_, time)| *time)
    }

    /// The compactions, in the order in which they may have happened.
    pub fn compactions(&self) -> &[Compaction] {
        &self.compactions
    }

    /// Whether the list has every compaction that can have happened.
    pub fn is_sure_of_compactions(&self) -> bool {
        self.sure_of_compactions
    }

    /// The compactions that can have happened by a moment.
    pub fn compactions_by(&self, at: Nanos) -> impl Iterator<Item = &Compaction> {
        self.compactions.iter().take_while(move |compaction| compaction.earliest <= at)
    }

    /// Whether a revision can have been compacted away by a moment.
    pub fn may_be_compacted(&self, revision: i64, at: Nanos) -> bool {
        !self.sure_of_compactions || self.compactions_by(at).any(|compaction| compaction.revision > revision)
    }
}

/// All compactions of a history that took effect, or may have.
fn compactions(history: &History, applied: Option<&[Applied]>) -> Vec<Compaction> {
    let mut found = match applied {
        Some(applied) => by_evidence(history, applied),
        None => by_answers(history),
    };
    found.sort_by_key(|compaction| compaction.earliest);
    found
}

/// The compactions that the applied entries show.
fn by_evidence(history: &History, applied: &[Applied]) -> Vec<Compaction> {
    let mut found = Vec::new();
    // Before the first compaction, even 0 can be compacted to.
    let mut compacted = -1;
    for entry in applied {
        let asked = entry.operation.and_then(|number| history.operations.get(number as usize));
        let request = asked.map(|operation| &operation.request).or(entry.internal.as_deref());
        let Some(Request::Compact(request)) = request else { continue };
        let newest = entry.revision as i64;
        if request.revision > compacted && request.revision <= newest {
            compacted = request.revision;
            let (revision, time) = (request.revision, entry.time);
            found.push(Compaction { revision, earliest: time, latest: Some(time), after: Some(newest) });
        }
    }
    found
}

/// The compactions that clients requested and that were not refused.
fn by_answers(history: &History) -> Vec<Compaction> {
    let compaction = |operation: &record::Operation| {
        let Request::Compact(request) = &operation.request else { return None };
        let (latest, after) = match &operation.outcome {
            // etcd fills in the header after the compaction, so no higher revision had been made when it was applied.
            Outcome::Answer { at, response } => (Some(*at), response.header().map(|header| header.revision)),
            Outcome::Error { error, .. } if is_definite(*error) => return None,
            Outcome::Error { .. } | Outcome::Unknown { .. } => (None, None),
        };
        let after = after.filter(|revision| *revision > 0);
        Some(Compaction { revision: request.revision, earliest: operation.call, latest, after })
    };
    history.operations.iter().filter_map(compaction).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k1::{self, Premises};
    use api::etcdserverpb::request_op::Request as Op;
    use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
    use record::Operation;

    fn put(key: &'static str, value: &'static str) -> PutRequest {
        PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }
    }

    /// The requests, all applied by the cluster and none answered.
    fn truth(requests: Vec<Request>) -> Truth {
        let outcome = Outcome::Unknown { gave_up: 9 };
        let operation = |request| Operation {
            client: 1,
            member: record::MemberId::new(1),
            user: None,
            request,
            streamed: false,
            call: 0,
            outcome: outcome.clone(),
        };
        let operations: Vec<Operation> = requests.into_iter().map(operation).collect();
        let mut revision = 1;
        let mut applied = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            let mutated = !matches!(operation.request, Request::Compact(_));
            revision += u64::from(mutated);
            let (index, time) = (number as u64 + 1, 10 * (number as u64 + 1));
            let operation = Some(number as u64);
            applied.push(Applied { index, operation, internal: None, revision, mutated, time });
        }
        let history = History { operations, ..History::default() };
        let premises = Premises { applied: Some(&applied), ..Premises::default() };
        let known = k1::check(&history, &premises).known.expect("it was replayed");
        Truth::new(&history, Some(&applied), &known, FIRST_REVISION, true)
    }

    #[test]
    fn changes_of_a_transaction_are_in_the_order_of_its_operations() {
        let op = |op| RequestOp { request: Some(op) };
        let delete = DeleteRangeRequest { key: "b".into(), range_end: "\0".into(), prev_kv: false };
        let success = vec![
            op(Op::RequestPut(put("z", "1"))),
            op(Op::RequestDeleteRange(delete)),
            op(Op::RequestPut(put("c", "2"))),
        ];
        let txn = TxnRequest { success, ..TxnRequest::default() };
        let truth = truth(vec![put("c", "1").into(), put("a", "1").into(), txn.into()]);
        let events = truth.events(4);
        let seen: Vec<(&[u8], bool)> =
            events.iter().map(|event| (&event.kv.key[..], event.deleted)).collect();
        assert_eq!(
            seen,
            [(&b"z"[..], false), (&b"c"[..], true), (&b"z"[..], true), (&b"c"[..], false)],
            "put z, delete c and z, put c again"
        );
        // One revision before, c existed, and the keys that the transaction itself made did not.
        let before: Vec<Option<i64>> =
            events.iter().map(|event| Some(truth.before(event)?.mod_revision)).collect();
        assert_eq!(before, [None, Some(2), None, Some(2)]);
        assert!(events[3].is_create() && !events[1].is_create());
        let everything = Keys { key: b"\0", end: b"\0" };
        let pairs: Vec<i64> = truth.pairs(everything, 4).map(|kv| kv.mod_revision).collect();
        assert_eq!(pairs, [3, 4]);
        assert_eq!(truth.between(Keys { key: b"c", end: b"" }, 3, 9).len(), 2);
        assert_eq!((truth.newest(), truth.maker(4), truth.made_at(4)), (Some(4), Some(2), Some(30)));
    }

    #[test]
    fn a_compaction_counts_from_when_it_was_carried_out() {
        let compact = |revision| api::etcdserverpb::CompactionRequest { revision, physical: false }.into();
        // The last compaction is not above the first.
        let truth = truth(vec![put("a", "1").into(), put("a", "2").into(), compact(3), compact(2)]);
        assert_eq!(truth.compactions().len(), 1);
        assert!(truth.may_be_compacted(2, 30) && !truth.may_be_compacted(2, 29));
        assert!(!truth.may_be_compacted(3, 30));
    }

    #[test]
    fn a_range_is_as_in_a_request() {
        let keys = |key: &'static str, end: &'static str| Keys { key: key.as_bytes(), end: end.as_bytes() };
        assert!(keys("a", "").contain(b"a") && !keys("a", "").contain(b"ab"));
        assert!(keys("a", "c").contain(b"b") && !keys("a", "c").contain(b"c"));
        assert!(keys("b", "\0").contain(b"z") && !keys("b", "\0").contain(b"a"));
        assert!(keys("b", "b").are_none() && !keys("b", "").are_none() && !keys("b", "\0").are_none());
    }
}
