//! Tests the flaws of the store. For each, a test has the shortest sequence of calls that shows it, and compares with
//! the store without the flaw.

use std::collections::BTreeMap;

use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{PutRequest, RangeRequest, RequestOp, TxnRequest};
use api::{Error, Request};
use bytes::Bytes;
use etcdsim_member::apply::{apply, apply_as};
use etcdsim_member::mvcc::{Changes, Compaction, KeyRange, Saved, Store};
use etcdsim_member::{Flaw, Flaws};

fn only(flaw: Flaw) -> Flaws {
    let mut flaws = Flaws::default();
    flaws.insert(flaw);
    flaws
}

fn put(store: &mut Store, key: &'static str) {
    store.write().put(&key.into(), "v".into(), 0);
}

fn delete(store: &mut Store, key: &'static str) {
    assert_eq!(store.write().delete(KeyRange::Single(key.as_bytes())), 1);
}

/// A store's rows in the backend.
#[derive(Clone, Default)]
struct Backend {
    rows: BTreeMap<Bytes, Bytes>,
    compaction: Compaction,
}

impl Backend {
    fn write(&mut self, changes: Changes) {
        for (key, value) in changes.rows {
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        self.compaction = changes.compaction.unwrap_or(self.compaction);
    }

    fn read(&self, flaws: Flaws) -> Store {
        let saved = Saved { rows: self.rows.clone(), leases: Vec::new(), compaction: self.compaction };
        Store::from_rows_with(saved, flaws).unwrap()
    }
}

/// Revisions and keys of all changes from `from` on.
fn changes(store: &Store, from: i64) -> Vec<(i64, &[u8])> {
    store.history(from).map(|(at, row)| (at.main, &row.key[..])).collect()
}

/// Puts and deletes a key, compacts to the deletion, and crashes after the compaction's first batch: returns
/// what a restart finds.
fn restarted_within_a_compaction_to_the_last_deletion(flaws: Flaws) -> Store {
    let (mut store, mut backend) = (Store::new(), Backend::default());
    store.set_flaws(flaws);
    put(&mut store, "a");
    delete(&mut store, "a");
    store.compact(3).unwrap();
    store.scrub_step(2);
    backend.write(store.take_changes());
    backend.read(flaws)
}

#[test]
fn a_restart_within_a_compaction_may_go_back_in_revisions() {
    let restarted = restarted_within_a_compaction_to_the_last_deletion;
    assert_eq!(restarted(Flaws::default()).revision(), 3);
    let flawed = restarted(only(Flaw::RestoreRevFromIndex));
    assert_eq!((flawed.revision(), flawed.compact_revision()), (1, -1));
    // Half of this flaw is another flaw, which alone does not make the revision decrease.
    assert_eq!(restarted(only(Flaw::TombstoneDroppedAtCompactRev)).revision(), 3);
}

#[test]
fn a_compaction_may_forget_the_deletion_at_its_revision() {
    let compacted = |flaws| {
        let mut store = Store::new();
        store.set_flaws(flaws);
        put(&mut store, "a");
        put(&mut store, "b");
        delete(&mut store, "a");
        store.compact(4).unwrap();
        while store.scrub_step(1) {}
        store
    };
    assert_eq!(changes(&compacted(Flaws::default()), 4), [(4, &b"a"[..])]);
    let flawed = compacted(only(Flaw::TombstoneDroppedAtCompactRev));
    assert_eq!(changes(&flawed, 4), []);
    assert_eq!(changes(&flawed, 0), [(3, &b"b"[..])]);
    assert_eq!(flawed.revision(), 4);
}

#[test]
fn a_restart_may_lose_the_deletion_at_the_compact_revision() {
    let (mut store, mut backend) = (Store::new(), Backend::default());
    put(&mut store, "a");
    delete(&mut store, "a");
    put(&mut store, "b");
    // The put is removed, the deletion stays alone.
    store.compact(3).unwrap();
    while store.scrub_step(1) {}
    backend.write(store.take_changes());

    let flaws = only(Flaw::LoneTombstoneNotRestored);
    let restarted = backend.read(Flaws::default());
    assert_eq!(changes(&restarted, 3), [(3, &b"a"[..]), (4, b"b")]);
    assert_eq!(restarted.state_hash(), store.state_hash());
    assert_eq!(changes(&backend.read(flaws), 3), [(4, &b"b"[..])]);
    let installed = Store::decode_snapshot_with(store.encode_snapshot(), flaws).unwrap();
    assert_eq!(changes(&installed, 3), [(4, &b"b"[..])]);
}

#[test]
fn a_commit_may_show_its_first_row_twice() {
    let mut store = Store::new();
    put(&mut store, "a");
    put(&mut store, "b");
    let mut flawed = store.clone();
    flawed.set_flaws(only(Flaw::WritebackDedupeBroken));
    for store in [&mut store, &mut flawed] {
        store.take_changes();
    }
    assert_eq!(changes(&store, 2), [(2, &b"a"[..]), (3, b"b")]);
    assert_eq!(changes(&flawed, 2), [(2, &b"a"[..]), (2, b"a"), (3, b"b")]);
    assert_eq!(changes(&flawed, 3), [(3, &b"b"[..])]);
    put(&mut flawed, "c");
    flawed.take_changes();
    assert_eq!(changes(&flawed, 2), [(2, &b"a"[..]), (3, b"b"), (4, b"c"), (4, b"c")]);
}

#[test]
fn members_may_strip_the_ranges_of_a_transaction_they_did_not_propose() {
    let mut store = Store::new();
    put(&mut store, "a");
    put(&mut store, "a");
    store.compact(3).unwrap();
    let range = RangeRequest { key: "a".into(), revision: 2, ..RangeRequest::default() };
    let put = PutRequest { key: "b".into(), ..PutRequest::default() };
    let ops = [Op::RequestRange(range), Op::RequestPut(put)];
    let success = ops.map(|op| RequestOp { request: Some(op) }).to_vec();
    let txn: Request = TxnRequest { success, ..TxnRequest::default() }.into();

    let mut flawed = store.clone();
    flawed.set_flaws(only(Flaw::TxnStripRangesNonProposer));
    assert_eq!(apply(&mut store, &txn).result, Err(Error::Compacted));
    assert_eq!(apply_as(&mut store, &txn, false).result, Err(Error::Compacted));
    assert_eq!(apply_as(&mut flawed, &txn, true).result, Err(Error::Compacted));
    assert_eq!(store.state_hash(), flawed.state_hash());
    assert!(apply_as(&mut flawed, &txn, false).mutated);
    assert_eq!((store.revision(), flawed.revision()), (3, 4));
}
