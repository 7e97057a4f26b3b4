//! What a client remembers from the answers it got: revisions, its last lease, copies of keys, locks.
//!
//! A plan is made before any answer is known, so its requests have placeholders such as "the newest revision
//! I have seen". [`Memory::resolve`] replaces them just before a request is sent. Clients that are parts of
//! one program share a memory (`plan::Client::part_of`).

use std::collections::BTreeMap;

use api::etcdserverpb::compare::{CompareTarget, TargetUnion};
use api::etcdserverpb::{RangeResponse, TxnRequest, request_op, response_op};
use api::mvccpb::Event;
use api::mvccpb::event::EventType;
use api::v3electionpb::LeaderKey;
use api::{Request, Response};
use bytes::Bytes;
use plan::LAST;
use plan::act::Keys;

/// The memory of one client, or of several that are one program.
#[derive(Default)]
pub(crate) struct Memory {
    /// The newest revision in an answer; 0 before the first one.
    newest: i64,
    /// The last modification revision seen of each key.
    seen: BTreeMap<Bytes, i64>,
    /// The lease that was granted last; 0 before the first one.
    lease: i64,
    /// Copies of parts of the store.
    pub(crate) copies: BTreeMap<Keys, Copy>,
    /// Whether lists read pages only, because a member does not stream ranges.
    pub(crate) pages_only: bool,
    /// Locks and leaderships that the client believes it holds, by the name of the lock or election.
    pub(crate) held: BTreeMap<Bytes, Ownership>,
    /// Leases that it renews, oldest first.
    pub(crate) alive: Vec<i64>,
    /// For a Kubernetes compactor: the version of its key, and the revision at its last round.
    pub(crate) compactor: (i64, i64),
}

/// A copy of a part of the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copy {
    /// It contains everything up to this revision.
    pub(crate) revision: i64,
    /// Modification revisions by key.
    pub(crate) pairs: BTreeMap<Bytes, i64>,
    /// Whether the copy may be wrong, because a write since the last list failed or has an unknown outcome.
    pub(crate) doubtful: bool,
}

/// A lock or a leadership that the client believes it has.
#[derive(Clone, Debug)]
pub(crate) struct Ownership {
    /// The key that the lock or election service created for it.
    pub(crate) key: Bytes,
    /// The create revision of that key, which is the fencing token; 0 while it is not known.
    pub(crate) revision: i64,
    pub(crate) lease: i64,
    /// For a leadership: the proof of it, which the client must send to the election service with each later request.
    pub(crate) leader: Option<LeaderKey>,
}

impl Memory {
    /// The newest revision seen; 1 before the first answer.
    pub(crate) fn newest(&self) -> i64 {
        self.newest.max(1)
    }

    /// The request with its placeholders replaced: [`LAST`] and negative revisions.
    pub(crate) fn resolve(&self, mut request: Request) -> Request {
        match &mut request {
            Request::Range(range) => self.relative(&mut range.revision),
            Request::Compact(compact) => self.relative(&mut compact.revision),
            Request::HashKv(hash) => self.relative(&mut hash.revision),
            Request::Put(put) => self.last_lease(&mut put.lease),
            Request::LeaseRevoke(revoke) => self.last_lease(&mut revoke.id),
            Request::LeaseKeepAlive(alive) => self.last_lease(&mut alive.id),
            Request::LeaseTimeToLive(ask) => self.last_lease(&mut ask.id),
            Request::Txn(txn) => self.resolve_txn(txn),
            _ => {}
        }
        request
    }

    /// Replaces a placeholder for a revision: [`LAST`] is the newest revision seen; `-n` is `n` revisions before it.
    fn relative(&self, revision: &mut i64) {
        if *revision == LAST {
            *revision = self.newest();
        } else if *revision < 0 {
            *revision = self.newest().saturating_add(*revision).max(1);
        }
    }

    /// Replaces a placeholder for a lease: [`LAST`] is the lease that was granted last.
    fn last_lease(&self, id: &mut i64) {
        if *id == LAST {
            *id = self.lease;
        }
    }

    /// Replaces the placeholders in a transaction. In a compare, a negative modification revision is the last one
    /// seen of that key.
    fn resolve_txn(&self, txn: &mut TxnRequest) {
        for compare in &mut txn.compare {
            let seen = self.seen.get(&compare.key).copied().unwrap_or(0);
            if compare.target == CompareTarget::Mod as i32
                && let Some(TargetUnion::ModRevision(revision)) = &mut compare.target_union
                && *revision < 0
            {
                *revision = seen;
            }
        }
        for op in txn.success.iter_mut().chain(&mut txn.failure) {
            match &mut op.request {
                Some(request_op::Request::RequestRange(range)) => self.relative(&mut range.revision),
                Some(request_op::Request::RequestPut(put)) => self.last_lease(&mut put.lease),
                Some(request_op::Request::RequestTxn(nested)) => self.resolve_txn(nested),
                _ => {}
            }
        }
    }

    /// A revision was seen in a header.
    pub(crate) fn sees(&mut self, revision: i64) {
        self.newest = self.newest.max(revision);
    }

    /// Remembers what an answer shows.
    pub(crate) fn learn(&mut self, request: &Request, response: &Response) {
        let revision = response.header().map_or(0, |header| header.revision);
        self.sees(revision);
        match (request, response) {
            (Request::Put(put), Response::Put(_)) => {
                self.seen.insert(put.key.clone(), revision);
            }
            (_, Response::Range(range)) => self.learn_range(range),
            (_, Response::Txn(txn)) => {
                for op in &txn.responses {
                    if let Some(response_op::Response::ResponseRange(range)) = &op.response {
                        self.learn_range(range);
                    }
                }
            }
            (_, Response::LeaseGrant(granted)) => self.lease = granted.id,
            _ => {}
        }
    }

    /// Remembers the modification revisions that a range shows.
    fn learn_range(&mut self, range: &RangeResponse) {
        for kv in &range.kvs {
            self.seen.insert(kv.key.clone(), kv.mod_revision);
        }
    }

    /// The modification revision of a key in a copy that covers it: 0 if it is absent there, `None` if there
    /// is no such copy.
    pub(crate) fn copied(&self, key: &Bytes) -> Option<i64> {
        let mut copies = self.copies.iter().filter(|(keys, _)| keys.contains(key));
        copies.next().map(|(_, copy)| copy.pairs.get(key).copied().unwrap_or(0))
    }

    /// The client no longer renews this lease.
    pub(crate) fn stop_renewing(&mut self, lease: i64) {
        self.alive.retain(|other| *other != lease);
    }
}

impl Copy {
    /// Applies the events of a watch. It skips events older than the list from which the copy was made.
    pub(crate) fn apply(&mut self, events: &[Event]) {
        for event in events {
            let Some(kv) = &event.kv else { continue };
            // An event at the copy's own revision counts: several events of a transaction share one revision.
            if kv.mod_revision < self.revision {
                continue;
            }
            self.revision = kv.mod_revision;
            if event.r#type == EventType::Delete as i32 {
                self.pairs.remove(&kv.key);
            } else {
                self.pairs.insert(kv.key.clone(), kv.mod_revision);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use api::etcdserverpb::{
        LeaseGrantResponse, LeaseRevokeRequest, PutRequest, PutResponse, RangeRequest, ResponseHeader,
    };
    use api::mvccpb::KeyValue;

    use super::*;

    fn put(memory: &mut Memory, key: &'static str, revision: i64) {
        let request = PutRequest { key: key.into(), ..PutRequest::default() }.into();
        let header = Some(ResponseHeader { revision, ..ResponseHeader::default() });
        memory.learn(&request, &Response::Put(PutResponse { header, ..PutResponse::default() }));
    }

    #[test]
    fn revisions_and_leases_that_only_the_run_knows() {
        let mut memory = Memory::default();
        put(&mut memory, "a", 7);
        memory.learn(
            &Request::LeaseGrant(Default::default()),
            &Response::LeaseGrant(LeaseGrantResponse { id: 42, ..LeaseGrantResponse::default() }),
        );
        let at = |revision| RangeRequest { revision, ..RangeRequest::default() };
        assert_eq!(memory.resolve(at(LAST).into()), at(7).into());
        assert_eq!(memory.resolve(at(-2).into()), at(5).into());
        assert_eq!(memory.resolve(at(-20).into()), at(1).into());
        let revoke = |id| Request::LeaseRevoke(LeaseRevokeRequest { id });
        assert_eq!(memory.resolve(revoke(LAST)), revoke(42));
        assert_eq!(memory.resolve(revoke(-3)), revoke(-3));
    }

    #[test]
    fn a_copy_skips_what_its_list_held_already() {
        let event = |kind: EventType, key: &'static str, mod_revision| Event {
            r#type: kind as i32,
            kv: Some(KeyValue { key: key.into(), mod_revision, ..KeyValue::default() }),
            ..Event::default()
        };
        let mut copy = Copy { revision: 10, ..Copy::default() };
        copy.pairs.insert("a".into(), 10);
        copy.apply(&[
            event(EventType::Delete, "a", 9),
            event(EventType::Put, "b", 11),
            event(EventType::Delete, "a", 12),
        ]);
        assert_eq!(copy.revision, 12);
        assert_eq!(copy.pairs.into_iter().collect::<Vec<_>>(), [("b".into(), 11)]);
    }
}
