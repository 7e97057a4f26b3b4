//! A snapshot of one cluster initializes another one, with everything except its members.

use api::Response;
use api::etcdserverpb::{LeaseGrantRequest, PutRequest, RangeRequest};
use api::mvccpb::KeyValue;
use bytes::Bytes;
use etcdsim_member::io::{Ask, Down, Input, Up};
use etcdsim_member::{Config, SnapshotStream};
use record::MemberId;

use crate::alone::{self, Alone};
use crate::storage::disk::TestDisk;

/// All keys of a member.
fn everything(member: &mut Alone) -> Vec<KeyValue> {
    let all = Bytes::from_static(b"\0");
    let range = RangeRequest { key: all.clone(), range_end: all, ..RangeRequest::default() };
    match member.ask(range) {
        Response::Range(range) => range.kvs,
        other => panic!("a range was answered by {other:?}"),
    }
}

#[test]
fn a_snapshot_initializes_a_new_cluster() {
    let mut first = Alone::start(alone::config(MemberId::new(1)), TestDisk::new(), 1);
    first.ask(LeaseGrantRequest { id: 7, ttl: 60 });
    for nth in 0..1_000 {
        let (key, value) = (format!("k{}", nth % 300).into(), Bytes::from(vec![b'v'; nth]));
        first.ask(PutRequest { key, value, lease: 7, ..PutRequest::default() });
    }
    let collected = first.settle(Input::Item { stream: 1, item: Ask::with_token(Up::Snapshot, None) });
    let Some((1, Down::Snapshot(stream))) = collected.items.into_iter().next() else {
        panic!("it is permitted");
    };
    let pieces: Vec<_> = stream.collect();
    assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.blob.len() <= 32 << 10));
    assert_eq!((pieces[pieces.len() - 1].blob.len(), pieces[pieces.len() - 2].remaining_bytes), (32, 0));

    let image = SnapshotStream::collect(pieces.iter().cloned()).expect("nothing is missing");
    let config = Config { restore: Some(image), ..alone::config(MemberId::new(2)) };
    let mut second = Alone::start(config, TestDisk::new(), 1);
    assert_eq!(everything(&mut second), everything(&mut first));
    assert_eq!(second.member.leases().collect::<Vec<_>>(), [(7, 60)]);
    assert_eq!(second.member.configuration().0, [MemberId::new(2)]);
    let put = PutRequest { key: "k0".into(), value: "new".into(), ..PutRequest::default() };
    let Response::Put(response) = second.ask(put) else { panic!("a put is answered as one") };
    assert_eq!(response.header.map(|header| header.revision), Some(1_002));

    let cut = pieces[1..].iter().cloned();
    assert!(SnapshotStream::collect(cut).is_err(), "a piece is missing");
}
