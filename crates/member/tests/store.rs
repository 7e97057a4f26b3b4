//! Tests that commits of the backend, scrubs, restarts and snapshots at any moment do not change a store: it equals a
//! store that applied the same requests without them.

use std::collections::BTreeMap;

use api::Request;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest, RequestOp,
    TxnRequest,
};
use api::mvccpb::KeyValue;
use bytes::Bytes;
use etcdsim_member::apply::{apply, check_request};
use etcdsim_member::mvcc::{Changes, Compaction, KeyRange, Lease, Revision, Saved, Store};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What happens to a member's store.
#[derive(Clone, Debug)]
enum Step {
    Apply(Request),
    /// The leader's checkpoint of a lease: its id and the seconds left.
    Checkpoint(i64, i64),
    /// A compaction, that many revisions before the current one.
    Compact(i64),
    /// The backend commits.
    Save,
    /// A scrub batch of that many rows.
    Scrub(u32),
    /// The process dies, reads its backend and applies the log from there on.
    Restart,
    /// The store is replaced by its own snapshot.
    Snapshot,
}

fn key() -> impl Strategy<Value = Bytes> {
    select(vec!["a", "b", "ba", "c"]).prop_map(Bytes::from)
}

/// Mostly one key; often all from a key on, after which etcd does not check for duplicates.
fn range_end() -> impl Strategy<Value = Bytes> {
    select(vec!["", "", "b", "c", "\0", "\0"]).prop_map(Bytes::from)
}

fn put() -> impl Strategy<Value = PutRequest> {
    (key(), select(vec!["", "x", "yz"]), select(vec![0, 0, 0, 1, 2]), any::<bool>(), 0..8_u8).prop_map(
        |(key, value, lease, prev_kv, flags)| {
            let (ignore_value, ignore_lease) = (flags == 1, flags == 2);
            let value = Bytes::from(if ignore_value { "" } else { value });
            let lease = if ignore_lease { 0 } else { lease };
            PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease }
        },
    )
}

fn delete_range() -> impl Strategy<Value = DeleteRangeRequest> {
    (key(), range_end()).prop_map(|(key, range_end)| DeleteRangeRequest { key, range_end, prev_kv: true })
}

fn txn() -> impl Strategy<Value = TxnRequest> {
    let op = prop_oneof![
        2 => put().prop_map(Op::RequestPut),
        1 => delete_range().prop_map(Op::RequestDeleteRange),
    ];
    let op = op.prop_map(|op| RequestOp { request: Some(op) });
    vec(op, 0..4).prop_map(|success| TxnRequest { success, ..TxnRequest::default() })
}

fn step() -> impl Strategy<Value = Step> {
    let request = prop_oneof![
        6 => put().prop_map(Request::from),
        3 => delete_range().prop_map(Request::from),
        3 => txn().prop_map(Request::from),
        2 => (1..3_i64).prop_map(|id| LeaseGrantRequest { id, ttl: 10 * id }.into()),
        1 => (1..3_i64).prop_map(|id| LeaseRevokeRequest { id }.into()),
    ];
    prop_oneof![
        12 => request.prop_map(Step::Apply),
        2 => (0..6_i64).prop_map(Step::Compact),
        1 => (1..3_i64, 0..3_i64).prop_map(|(id, remaining)| Step::Checkpoint(id, remaining)),
        2 => Just(Step::Save),
        2 => (1..4_u32).prop_map(Step::Scrub),
        1 => Just(Step::Restart),
        1 => Just(Step::Snapshot),
    ]
}

/// A store's rows in the backend.
#[derive(Default)]
struct Backend {
    rows: BTreeMap<Bytes, Bytes>,
    leases: BTreeMap<Bytes, Bytes>,
    compaction: Compaction,
}

impl Backend {
    fn write(&mut self, changes: Changes) {
        if changes.replaces {
            *self = Backend::default();
        }
        for (table, rows) in [(&mut self.rows, changes.rows), (&mut self.leases, changes.leases)] {
            for (key, value) in rows {
                match value {
                    Some(value) => table.insert(key, value),
                    None => table.remove(&key),
                };
            }
        }
        self.compaction = changes.compaction.unwrap_or(self.compaction);
    }

    fn read(&self) -> Store {
        let (rows, leases) = (self.rows.clone(), self.leases.clone());
        Store::from_rows(Saved { rows, leases, compaction: self.compaction }).unwrap()
    }
}

/// All that can be read from `from` on: each revision's pairs, and the changes between them.
fn visible(store: &Store, from: i64) -> (Vec<Vec<KeyValue>>, Vec<(Revision, KeyValue)>) {
    let pairs = |at| store.live(KeyRange::From(b""), at).map(|at| store.row(at).clone()).collect();
    let changes = store.history(from).map(|(at, row)| (at, row.clone()));
    ((from..=store.revision()).map(pairs).collect(), changes.collect())
}

/// The leases with their TTLs, the time left of those, and their keys.
fn leases(store: &Store) -> Vec<(i64, i64, i64, Vec<Bytes>)> {
    let all = |(id, lease): (i64, &Lease)| (id, lease.ttl, lease.remaining, lease.keys().cloned().collect());
    store.leases().map(all).collect()
}

/// Replicated operations.
#[derive(Clone, Debug)]
enum Entry {
    Request(Request),
    Checkpoint(i64, i64),
}

/// The store under test, and two reference stores.
#[derive(Default)]
struct Trial {
    store: Store,
    backend: Backend,
    /// What was applied since the backend last committed.
    log: Vec<Entry>,
    /// Has applied the same requests without any disturbance.
    undisturbed: Store,
    /// The same without compactions.
    uncompacted: Store,
}

impl Trial {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Apply(request) => self.apply(request),
            Step::Compact(back) => {
                let revision = self.store.revision() - back;
                self.apply(&CompactionRequest { revision, physical: false }.into());
            }
            Step::Checkpoint(id, remaining) => {
                for store in [&mut self.store, &mut self.undisturbed, &mut self.uncompacted] {
                    store.checkpoint(*id, *remaining);
                }
                self.log.push(Entry::Checkpoint(*id, *remaining));
            }
            Step::Save => {
                self.backend.write(self.store.take_changes());
                self.log.clear();
            }
            Step::Scrub(batch) => {
                self.store.scrub_step(*batch);
            }
            Step::Restart => {
                self.store = self.backend.read();
                for entry in &self.log {
                    match entry {
                        Entry::Request(request) => drop(apply(&mut self.store, request)),
                        Entry::Checkpoint(id, remaining) => self.store.checkpoint(*id, *remaining),
                    }
                }
            }
            Step::Snapshot => self.store = Store::decode_snapshot(self.store.encode_snapshot()).unwrap(),
        }
    }

    fn apply(&mut self, request: &Request) {
        if check_request(request, 128).is_err() {
            return;
        }
        let applied = apply(&mut self.store, request);
        assert_eq!(applied, apply(&mut self.undisturbed, request));
        if !matches!(request, Request::Compact(_)) {
            assert_eq!(applied, apply(&mut self.uncompacted, request));
        }
        self.log.push(Entry::Request(request.clone()));
    }

    fn judge(&self) {
        let Trial { store, undisturbed, uncompacted, .. } = self;
        assert_eq!(store.state_hash(), undisturbed.state_hash());
        assert_eq!(store.encode_snapshot(), undisturbed.encode_snapshot());
        assert_eq!(leases(store), leases(uncompacted));
        let from = store.compact_revision();
        assert_eq!(visible(store, from), visible(uncompacted, from));
    }
}

fn after(steps: &[Step]) -> Store {
    let mut trial = Trial::default();
    steps.iter().for_each(|step| trial.take(step));
    trial.store
}

/// The backend may hold a put whose tombstone is compacted before it was ever saved. Without the tombstone,
/// the key would exist again after a restart.
#[test]
fn a_tombstone_reaches_the_backend_even_if_compacted_at_once() {
    let key = Bytes::from("a");
    let put = PutRequest { key: key.clone(), ..PutRequest::default() };
    let delete = DeleteRangeRequest { key, ..DeleteRangeRequest::default() };
    let other = PutRequest { key: "b".into(), ..PutRequest::default() };
    let mut trial = Trial::default();
    trial.take(&Step::Apply(put.into()));
    trial.take(&Step::Save);
    trial.take(&Step::Apply(delete.into()));
    trial.take(&Step::Apply(other.into()));
    trial.take(&Step::Compact(0));
    trial.take(&Step::Save);
    trial.take(&Step::Restart);
    trial.judge();
}

/// Members whose leases differ only in a checkpoint are not equal: either may be the next leader.
#[test]
fn a_checkpoint_is_part_of_the_state() {
    let mut store = Store::new();
    store.grant(7, 100).unwrap();
    let before = store.state_hash();
    store.checkpoint(7, 40);
    store.checkpoint(8, 40);
    assert_ne!(store.state_hash(), before);
    assert_eq!(leases(&store), [(7, 100, 40, Vec::new())]);
    store.checkpoint(7, 0);
    assert_eq!(store.state_hash(), before);
}

#[test]
fn whether_a_compaction_is_scrubbed() {
    let mut store = Store::new();
    for _ in 0..3 {
        store.write().put(&"a".into(), "".into(), 0);
    }
    assert!(!store.is_scrubbed(3));
    store.compact(3).unwrap();
    assert!(!store.is_scrubbed(3));
    while store.scrub_step(1) {}
    assert!(store.is_scrubbed(3));
    assert!(!store.is_scrubbed(4));
}

proptest! {
    #[test]
    fn nothing_but_requests_changes_what_is_read(steps in vec(step(), 0..60)) {
        let mut trial = Trial::default();
        for step in &steps {
            trial.take(step);
            trial.judge();
        }
    }

    #[test]
    fn the_backend_ends_with_no_more_rows_than_the_store(steps in vec(step(), 0..60)) {
        let mut trial = Trial::default();
        steps.iter().for_each(|step| trial.take(step));
        while trial.store.scrub_step(1) {}
        trial.take(&Step::Save);
        prop_assert_eq!(trial.backend.rows.len(), trial.store.history(0).count());
        prop_assert_eq!(trial.backend.compaction, trial.store.compaction());
        prop_assert_eq!(trial.store.compaction().finished, trial.store.compact_revision());
        prop_assert!(trial.store.take_changes().is_empty());
    }

    #[test]
    fn a_damaged_snapshot_is_refused(
        steps in vec(step(), 0..30),
        place in any::<prop::sample::Index>(),
        bit in 0..8_u32,
        cut in any::<bool>(),
    ) {
        let mut bytes = after(&steps).encode_snapshot().to_vec();
        let place = place.index(bytes.len());
        match cut {
            true => bytes.truncate(place),
            false => bytes[place] ^= 1 << bit,
        }
        prop_assert!(Store::decode_snapshot(bytes.into()).is_err());
    }

    /// A checksum can be right for the wrong bytes: those of another version, or of a flawed member.
    #[test]
    fn no_bytes_make_it_panic(
        steps in vec(step(), 0..30),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut store = after(&steps);
        let snapshot = store.encode_snapshot();
        let mut bytes = snapshot[..snapshot.len() - 4].to_vec();
        for (place, value) in &changes {
            let place = place.index(bytes.len());
            bytes[place] = *value;
        }
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        let _ = Store::decode_snapshot(bytes.into());

        let mut backend = Backend::default();
        store = Store::decode_snapshot(snapshot).unwrap();
        backend.write(store.take_changes());
        let mut rows: Vec<(Bytes, Bytes)> = backend.rows.into_iter().collect();
        for (place, value) in changes {
            if let Some((key, row)) = (!rows.is_empty()).then(|| place.get(&rows).clone()) {
                let at = place.index(rows.len());
                let damage = |bytes: Bytes| {
                    let mut bytes = bytes.to_vec();
                    let place = usize::from(value) % bytes.len();
                    bytes[place] = value.wrapping_mul(31);
                    Bytes::from(bytes)
                };
                rows[at] = if value % 2 == 0 { (damage(key), row) } else { (key, damage(row)) };
            }
        }
        let _ = Store::from_rows(Saved { rows, leases: backend.leases, compaction: backend.compaction });
    }
}
