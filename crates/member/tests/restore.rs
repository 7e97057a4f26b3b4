//! A snapshot of one cluster initializes another one, with everything except its members.

use std::sync::Arc;

use api::etcdserverpb::{LeaseGrantRequest, PutRequest, RangeRequest};
use api::{Request, Response};
use bytes::Bytes;
use contract::Store as _;
use etcdsim_member::backend::Backend;
use etcdsim_member::config::Peer;
use etcdsim_member::io::{Effects, Input};
use etcdsim_member::{Config, Member, SnapshotStream};
use record::MemberId;

use crate::storage::disk::TestDisk;

/// A cluster of one with a disk that answers at once.
struct Alone {
    member: Member,
    backend: Backend,
    now: u64,
    operations: u64,
}

impl Alone {
    fn start(id: MemberId, restore: Option<Bytes>) -> Alone {
        let peers: Arc<[Peer]> =
            [Peer { id, name: "one".into(), peer_urls: [format!("http://m{id}:2380")].into() }].into();
        let config = Config { restore, ..Config::new(id, peers) };
        let mut effects = Effects::default();
        let (member, backend) = Member::start(config, 0, TestDisk::new(), &mut effects).expect("a good disk");
        let mut alone = Alone { member, backend, now: 0, operations: 0 };
        alone.settle(Input::Recovered);
        alone
    }

    /// Handles an input and all that follows from it; returns the effects for clients.
    fn settle(&mut self, input: Input) -> Effects {
        let mut collected = Effects::default();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut effects = Effects::default();
            self.now += 1_000_000;
            self.member.step(self.now, 0, input, &mut effects);
            inputs.extend(effects.jobs.iter().map(|job| Input::JobDone { job: job.id, result: Ok(()) }));
            if let Some(job) = effects.backend {
                inputs.insert(0, Input::BackendDone(self.backend.perform(&job)));
            }
            collected.replies.extend(effects.replies);
            collected.snapshots.extend(effects.snapshots);
        }
        collected
    }

    fn ask(&mut self, request: impl Into<Request>) -> Response {
        self.operations += 1;
        let operation = self.operations;
        let collected = self.settle(Input::Request { operation, request: request.into(), token: None });
        let (answered, result) =
            collected.replies.into_iter().next().expect("a cluster of one answers at once");
        assert_eq!(answered, operation);
        result.expect("a good request")
    }

    fn everything(&mut self) -> Vec<api::mvccpb::KeyValue> {
        let all = Bytes::from_static(b"\0");
        let range = RangeRequest { key: all.clone(), range_end: all, ..RangeRequest::default() };
        match self.ask(range) {
            Response::Range(range) => range.kvs,
            other => panic!("a range was answered by {other:?}"),
        }
    }
}

#[test]
fn a_snapshot_initializes_a_new_cluster() {
    let mut first = Alone::start(MemberId::new(1), None);
    first.ask(LeaseGrantRequest { id: 7, ttl: 60 });
    for nth in 0..1_000 {
        let (key, value) = (format!("k{}", nth % 300).into(), Bytes::from(vec![b'v'; nth]));
        first.ask(PutRequest { key, value, lease: 7, ..PutRequest::default() });
    }
    let collected = first.settle(Input::Snapshot { stream: 1, token: None });
    let (_, stream) = collected.snapshots.into_iter().next().expect("a snapshot");
    let pieces: Vec<_> = stream.expect("it is permitted").collect();
    assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.blob.len() <= 32 << 10));
    assert_eq!((pieces[pieces.len() - 1].blob.len(), pieces[pieces.len() - 2].remaining_bytes), (32, 0));

    let image = SnapshotStream::collect(pieces.iter().cloned()).expect("nothing is missing");
    let mut second = Alone::start(MemberId::new(2), Some(image));
    assert_eq!(second.everything(), first.everything());
    assert_eq!(second.member.leases().collect::<Vec<_>>(), [(7, 60)]);
    assert_eq!(second.member.configuration().0, [MemberId::new(2)]);
    let put = PutRequest { key: "k0".into(), value: "new".into(), ..PutRequest::default() };
    let Response::Put(response) = second.ask(put) else { panic!("a put is answered as one") };
    assert_eq!(response.header.map(|header| header.revision), Some(1_002));

    let cut = pieces[1..].iter().cloned();
    assert!(SnapshotStream::collect(cut).is_err(), "a piece is missing");
}
