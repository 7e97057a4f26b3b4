//! The lock and election services, on a server that answers their requests at once.

use std::sync::Arc;

use api::etcdserverpb::{DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest};
use api::mvccpb::Event;
use api::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, ProclaimRequest, ResignRequest,
};
use api::v3lockpb::{LockRequest, UnlockRequest};
use record::Probe;

use super::*;
use crate::apply::{apply, check_request};
use crate::flaw::Flaw;
use crate::mvcc::{KeyRange, Store};

/// A server that answers requests at once, and its clients.
struct Server {
    store: Store,
    services: Services,
    /// Streams, their keys, and the last revision sent on each.
    watches: BTreeMap<u64, (Bytes, i64)>,
    /// The answers to calls that the test has not looked at yet.
    answers: Vec<(u64, Result<Response, Error>)>,
    /// The error with which the next request of a call ends.
    fails: Option<Error>,
    next_lease: i64,
}

impl Server {
    fn new(flaws: &[Flaw]) -> Server {
        let mut config = Config::new(record::MemberId::new(1), Arc::new([]));
        flaws.iter().for_each(|flaw| config.flaws.insert(*flaw));
        Server {
            store: Store::new(),
            services: Services::new(&config),
            watches: BTreeMap::new(),
            answers: Vec::new(),
            fails: None,
            next_lease: 1_000,
        }
    }

    /// A server with leases 1, 2 and 3.
    fn with_leases(flaws: &[Flaw]) -> Server {
        let mut server = Server::new(flaws);
        (1..=3).for_each(|id| server.store.grant(id, 60).unwrap());
        server
    }

    fn request(&mut self, request: &Request) -> Result<Response, Error> {
        check_request(request, 128)?;
        let request = match request {
            Request::LeaseGrant(LeaseGrantRequest { id: 0, ttl }) => {
                self.next_lease += 1;
                LeaseGrantRequest { id: self.next_lease, ttl: *ttl }.into()
            }
            request => request.clone(),
        };
        apply(&mut self.store, &request).result
    }

    /// A client calls; returns its answer, if it need not wait.
    fn call(&mut self, operation: u64, request: impl Into<Request>) -> Option<Result<Response, Error>> {
        let mut wants = Vec::new();
        self.services.begin(operation, request.into(), Some(Credential::Token("token".into())), &mut wants);
        self.serve(wants);
        self.answer_to(operation)
    }

    fn answer_to(&mut self, operation: u64) -> Option<Result<Response, Error>> {
        let index = self.answers.iter().position(|(of, _)| *of == operation)?;
        Some(self.answers.remove(index).1)
    }

    /// Another client changes the store.
    fn change(&mut self, request: impl Into<Request>) {
        self.request(&request.into()).unwrap();
        self.serve(Vec::new());
    }

    /// Serves requests until none are left.
    fn serve(&mut self, mut wants: Wants) {
        loop {
            while !wants.is_empty() {
                let mut more = Vec::new();
                wants.into_iter().for_each(|want| self.serve_one(want, &mut more));
                wants = more;
            }
            self.tell_watchers(&mut wants);
            if wants.is_empty() {
                return;
            }
        }
    }

    fn serve_one(&mut self, want: Want, more: &mut Wants) {
        match want {
            Want::Request { operation: inner, request, credential } => {
                assert_eq!(credential, Some(Credential::Token("token".into())));
                assert!(self.services.owns_request(inner) && !self.services.owns_request(inner - OWN));
                let result = self.fails.take().map_or_else(|| self.request(&request), Err);
                self.services.answered(inner, result, more);
            }
            Want::Watch { stream, request, credential } => {
                assert_eq!(credential, Some(Credential::Token("token".into())));
                assert!(self.services.owns_stream(stream) && !self.services.owns_stream(stream - OWN));
                let Some(RequestUnion::CreateRequest(create)) = request.request_union else {
                    panic!("{request:?} does not create a watcher")
                };
                self.watches.insert(stream, (create.key, create.start_revision));
                let created = WatchResponse { created: true, ..WatchResponse::default() };
                self.services.watched(stream, created, more);
            }
            Want::CloseWatch(stream) => {
                self.watches.remove(&stream).expect("an open stream is closed");
            }
            Want::Answer(operation, result) => self.answers.push((operation, result)),
            other => panic!("the services do not want {other:?}"),
        }
    }

    fn tell_watchers(&mut self, wants: &mut Wants) {
        for (stream, (key, from)) in &mut self.watches {
            let rows = self.store.history(*from).filter(|(_, row)| row.key == *key);
            let event = |row: &api::mvccpb::KeyValue| {
                let r#type = if row.version == 0 { EventType::Delete } else { EventType::Put } as i32;
                Event { r#type, kv: Some(row.clone()), prev_kv: None }
            };
            let events = rows.map(|(_, row)| event(row)).collect();
            *from = self.store.revision() + 1;
            self.services.watched(*stream, WatchResponse { events, ..WatchResponse::default() }, wants);
        }
    }

    fn reached(&mut self, probe: Probe) -> bool {
        self.services.take_probes().contains(&probe)
    }
}

fn lock(lease: i64) -> LockRequest {
    LockRequest { name: "l".into(), lease }
}

fn campaign(lease: i64, value: &'static str) -> CampaignRequest {
    CampaignRequest { name: "e".into(), lease, value: value.into() }
}

fn locked(answer: Option<Result<Response, Error>>) -> (Bytes, i64) {
    match answer {
        Some(Ok(Response::Lock(locked))) => (locked.key, locked.header.unwrap().revision),
        other => panic!("no lock: {other:?}"),
    }
}

fn elected(answer: Option<Result<Response, Error>>) -> (LeaderKey, i64) {
    match answer {
        Some(Ok(Response::Campaign(CampaignResponse { header, leader: Some(leader) }))) => {
            (leader, header.unwrap().revision)
        }
        other => panic!("not elected: {other:?}"),
    }
}

#[test]
fn a_free_lock_is_granted_at_once() {
    let mut server = Server::with_leases(&[]);
    assert_eq!(locked(server.call(1, lock(2))), ("l/2".into(), 2));
    assert_eq!(server.store.get(b"l/2").map(|kv| kv.lease), Some(2));
    // The holder may ask again.
    assert_eq!(locked(server.call(2, lock(2))), ("l/2".into(), 2));
    let unlock = UnlockRequest { key: "l/2".into() };
    let Some(Ok(Response::Unlock(unlocked))) = server.call(3, unlock) else { panic!("no answer") };
    assert_eq!((unlocked.header.unwrap().revision, server.store.get(b"l/2")), (3, None));
    assert!(!server.reached(Probe::LockWaited));
}

#[test]
fn a_lock_without_a_lease_gets_one_of_a_minute() {
    let mut server = Server::new(&[]);
    // The lease is 1001, in hexadecimal digits 3e9.
    assert_eq!(locked(server.call(1, lock(0))).0, "l/3e9");
    assert_eq!(server.store.leases().map(|(id, lease)| (id, lease.ttl)).collect::<Vec<_>>(), [(1_001, 60)]);
}

#[test]
fn keys_are_named_as_go_writes_numbers() {
    let mut server = Server::new(&[]);
    for (id, key) in [(255, "l/ff"), (-16, "l/-10"), (i64::MIN, "l/-8000000000000000")] {
        server.store.grant(id, 60).unwrap();
        assert_eq!(locked(server.call(1, lock(id))).0, key);
        server.change(LeaseRevokeRequest { id });
    }
}

#[test]
fn a_lock_is_granted_in_the_order_of_requests() {
    let mut server = Server::with_leases(&[]);
    locked(server.call(1, lock(3)));
    assert_eq!(server.call(2, lock(2)), None);
    assert_eq!(server.call(3, lock(1)), None);
    assert!(server.reached(Probe::LockWaited));
    // The last one waits for the second, not for the first.
    let awaited: Vec<&[u8]> = server.watches.values().map(|(key, _)| &key[..]).collect();
    assert_eq!(awaited, [b"l/3", b"l/2"]);
    // A change that is not a deletion wakes no waiter.
    server.change(PutRequest { key: "l/3".into(), lease: 3, ..PutRequest::default() });
    assert_eq!(server.answers, []);

    server.change(DeleteRangeRequest { key: "l/3".into(), ..DeleteRangeRequest::default() });
    assert_eq!(locked(server.answer_to(2)), ("l/2".into(), 6));
    assert_eq!(server.answer_to(3), None);
    server.change(LeaseRevokeRequest { id: 2 });
    assert_eq!(locked(server.answer_to(3)), ("l/1".into(), 7));
    assert_eq!((server.watches.len(), server.services.calls.len()), (0, 0));
    assert_eq!(server.services.waiting_for.len(), 0);
}

#[test]
fn a_waiter_in_the_middle_that_leaves_lets_no_other_pass() {
    let mut server = Server::with_leases(&[]);
    (1..=3).for_each(|id| drop(server.call(id, lock(id as i64))));
    server.answers.clear();
    server.change(LeaseRevokeRequest { id: 2 });
    assert_eq!(server.answer_to(3), None);
    let awaited: Vec<&[u8]> = server.watches.values().map(|(key, _)| &key[..]).collect();
    assert_eq!(awaited, [b"l/1", b"l/1"], "one whose own key is gone notices only at the end");
    server.change(LeaseRevokeRequest { id: 1 });
    assert_eq!(locked(server.answer_to(3)).0, "l/3");
    assert_eq!(server.answer_to(2), Some(Err(Error::SessionExpired)));
    assert!(server.reached(Probe::LockSessionExpiredWhileWaiting));
}

/// Flaw M-lock-expired.
#[test]
fn a_lock_may_be_reported_as_held_although_its_key_expired() {
    let mut server = Server::with_leases(&[Flaw::LockHeldAfterExpiry]);
    locked(server.call(1, lock(1)));
    assert_eq!(server.call(2, lock(2)), None);
    server.change(LeaseRevokeRequest { id: 2 });
    server.change(LeaseRevokeRequest { id: 1 });
    assert_eq!(locked(server.answer_to(2)), ("l/2".into(), 5));
    assert_eq!(server.store.get(b"l/2"), None);
}

#[test]
fn a_caller_that_cannot_wait_leaves_the_queue() {
    let mut server = Server::with_leases(&[]);
    locked(server.call(1, lock(1)));
    assert_eq!(server.call(2, lock(2)), None);
    let stream = *server.watches.keys().next().unwrap();
    let mut wants = Vec::new();
    let cancelled = WatchResponse { canceled: true, compact_revision: 9, ..WatchResponse::default() };
    server.services.watched(stream, cancelled, &mut wants);
    server.serve(wants);
    assert_eq!(server.answer_to(2), Some(Err(Error::Compacted)));
    assert_eq!(server.store.get(b"l/2"), None);

    assert_eq!(server.call(3, lock(3)), None);
    let stream = *server.watches.keys().next().unwrap();
    let mut wants = Vec::new();
    server.services.watch_ended(stream, Error::NoLeader, &mut wants);
    server.serve(wants);
    assert_eq!(server.answer_to(3), Some(Err(Error::NoLeader)));
    assert_eq!(server.store.get(b"l/3"), None);
}

#[test]
fn why_a_watcher_was_cancelled() {
    let cancelled = |cancel_reason: &str| {
        let cancel_reason = cancel_reason.to_string();
        reason(&WatchResponse { canceled: true, cancel_reason, ..WatchResponse::default() })
    };
    assert_eq!(cancelled(Error::PermissionDenied.text()), Error::PermissionDenied);
    let of_rights = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    assert_eq!(cancelled(of_rights), Error::PermissionDenied);
    assert_eq!(cancelled(""), Error::WatchCanceled);
}

#[test]
fn errors_on_the_way_to_a_lock() {
    let mut server = Server::with_leases(&[]);
    assert_eq!(server.call(1, lock(77)), Some(Err(Error::LeaseNotFound)));
    server.fails = Some(Error::Timeout);
    assert_eq!(server.call(2, lock(0)), Some(Err(Error::Timeout)));
    server.fails = Some(Error::NoSpace);
    assert_eq!(server.call(3, lock(1)), Some(Err(Error::NoSpace)));
    let unlock = UnlockRequest { key: Bytes::new() };
    assert_eq!(server.call(4, unlock), Some(Err(Error::EmptyKey)));

    // Once it is in the queue, its key is deleted before the error is returned.
    locked(server.call(5, lock(1)));
    assert_eq!(server.call(6, lock(2)), None);
    server.fails = Some(Error::LeaderChanged);
    server.change(LeaseRevokeRequest { id: 1 });
    assert_eq!(server.answer_to(6), Some(Err(Error::LeaderChanged)));
    assert_eq!(server.store.get(b"l/2"), None);
}

#[test]
fn a_client_that_goes_gives_up_its_position_in_the_queue() {
    let mut server = Server::with_leases(&[]);
    locked(server.call(1, lock(1)));
    assert_eq!(server.call(2, lock(2)), None);
    assert_eq!(server.call(3, lock(3)), None);
    let mut wants = Vec::new();
    server.services.abandon(2, &mut wants);
    server.services.abandon(2, &mut wants);
    server.serve(wants);
    assert_eq!((server.answer_to(2), server.store.get(b"l/2")), (None, None));
    assert!(server.reached(Probe::WaiterGone));
    server.change(LeaseRevokeRequest { id: 1 });
    assert_eq!(locked(server.answer_to(3)).0, "l/3");

    // The client that has the lock was answered already, so its call does not exist any more.
    server.services.abandon(3, &mut Vec::new());
    assert!(server.store.get(b"l/3").is_some());
}

#[test]
fn a_member_that_stops_reports_who_waits() {
    let mut server = Server::with_leases(&[]);
    locked(server.call(1, lock(1)));
    assert_eq!(server.call(2, lock(2)), None);
    elected(server.call(3, campaign(1, "a")));
    assert_eq!(server.call(4, campaign(2, "b")), None);
    assert_eq!(server.services.take_all(), [2, 4]);
    server.change(LeaseRevokeRequest { id: 1 });
    assert_eq!(server.answers, []);
}

#[test]
fn campaigns_are_won_in_order() {
    let mut server = Server::with_leases(&[]);
    let (first, revision) = elected(server.call(1, campaign(1, "a")));
    assert_eq!((first.key.clone(), first.rev, first.lease, revision), ("e/1".into(), 2, 1, 2));
    assert_eq!(server.call(2, campaign(2, "b")), None);
    assert!(server.reached(Probe::CampaignWaited));
    let Some(Ok(Response::Leader(leader))) = server.call(3, LeaderRequest { name: "e".into() }) else {
        panic!("there is no leader")
    };
    assert_eq!(leader.kv.unwrap().value, "a");

    let resign = ResignRequest { leader: Some(first) };
    assert!(matches!(server.call(4, resign), Some(Ok(Response::Resign(_)))));
    let (second, revision) = elected(server.answer_to(2));
    assert_eq!((second.key.clone(), second.rev), ("e/2".into(), 3));
    assert_eq!((&second.name[..], revision), (&b"e"[..], 3), "the header is from when it entered the queue");
    server.change(LeaseRevokeRequest { id: 2 });
    assert_eq!(server.call(5, LeaderRequest { name: "e".into() }), Some(Err(Error::ElectionNoLeader)));
}

#[test]
fn a_leader_proclaims_while_it_leads() {
    let mut server = Server::with_leases(&[]);
    let (leader, _) = elected(server.call(1, campaign(1, "a")));
    let proclaim = |leader: &LeaderKey| ProclaimRequest { leader: Some(leader.clone()), value: "z".into() };
    assert!(matches!(server.call(2, proclaim(&leader)), Some(Ok(Response::Proclaim(_)))));
    let kv = server.store.get(b"e/1").unwrap();
    assert_eq!((&kv.value[..], kv.create_revision, kv.lease), (&b"z"[..], 2, 1));

    let other = LeaderKey { rev: 1, ..leader.clone() };
    assert_eq!(server.call(3, proclaim(&other)), Some(Err(Error::ElectionNotLeader)));
    // Resigning without holding the key changes nothing and is not an error.
    let resign = ResignRequest { leader: Some(other) };
    assert!(matches!(server.call(4, resign), Some(Ok(Response::Resign(_)))));
    assert!(server.store.get(b"e/1").is_some());
    let missing = ProclaimRequest { leader: None, value: "z".into() };
    assert_eq!(server.call(5, missing), Some(Err(Error::MissingLeaderKey)));
    assert_eq!(server.call(6, ResignRequest { leader: None }), Some(Err(Error::MissingLeaderKey)));

    // Without a lease the key moves to a new one.
    let without = LeaderKey { lease: 0, ..leader };
    assert!(matches!(server.call(7, proclaim(&without)), Some(Ok(Response::Proclaim(_)))));
    assert_eq!(server.store.get(b"e/1").map(|kv| kv.lease), Some(1_001));
}

#[test]
fn a_campaign_with_a_lease_that_campaigned_before_changes_the_value() {
    let mut server = Server::with_leases(&[]);
    elected(server.call(1, campaign(1, "a")));
    let (again, _) = elected(server.call(2, campaign(1, "a")));
    assert_eq!((again.rev, server.store.get(b"e/1").map(|kv| kv.version)), (2, Some(1)));
    let (again, _) = elected(server.call(3, campaign(1, "b")));
    assert_eq!(again.rev, 2);
    assert!(server.reached(Probe::CampaignAgainWithAnotherValue));
    assert_eq!(server.store.get(b"e/1").map(|kv| &kv.value[..]), Some(&b"b"[..]));
}

#[test]
fn a_campaign_that_cannot_wait_stays_in_the_queue() {
    let mut server = Server::with_leases(&[]);
    elected(server.call(1, campaign(1, "a")));
    assert_eq!(server.call(2, campaign(2, "b")), None);
    let stream = *server.watches.keys().next().unwrap();
    let mut wants = Vec::new();
    server.services.watch_ended(stream, Error::NoLeader, &mut wants);
    server.serve(wants);
    assert_eq!(server.answer_to(2), Some(Err(Error::NoLeader)));
    assert!(server.store.get(b"e/2").is_some());

    // Unless its client is gone.
    assert_eq!(server.call(3, campaign(3, "c")), None);
    let mut wants = Vec::new();
    server.services.abandon(3, &mut wants);
    server.serve(wants);
    assert_eq!((server.answer_to(3), server.store.get(b"e/3")), (None, None));
    assert_eq!(server.store.write().delete(KeyRange::From(b"e/")), 2);
}

/// If a proclamation within a campaign ends in an error, its key is deleted; if its key was already gone,
/// there is none to delete.
#[test]
fn a_campaign_that_cannot_proclaim() {
    // What is asked last, and whether the key is there, if the proclamation has this result.
    let step = |result: Result<Response, Error>| {
        let mut server = Server::with_leases(&[]);
        elected(server.call(1, campaign(1, "a")));
        let mut wants = Vec::new();
        server.services.begin(2, campaign(1, "b").into(), None, &mut wants);
        let [Want::Request { operation: inner, request, .. }] = &wants[..] else { panic!("{wants:?}") };
        let (inner, entered) = (*inner, server.request(request));
        wants.clear();
        server.services.answered(inner, entered, &mut wants);
        let [Want::Request { operation: inner, .. }] = &wants[..] else { panic!("{wants:?}") };
        let inner = *inner;
        wants.clear();
        server.services.answered(inner, result, &mut wants);
        if let [Want::Request { operation: inner, request, .. }] = &wants[..] {
            let (inner, left) = (*inner, server.request(request));
            wants.clear();
            server.services.answered(inner, left, &mut wants);
        }
        (wants, server.store.get(b"e/1").is_some())
    };
    let failed = |error| vec![Want::Answer(2, Err(error))];
    // A transaction whose compare failed: the key is gone.
    let lost = api::etcdserverpb::TxnResponse::default().into();
    assert_eq!(step(Err(Error::Timeout)), (failed(Error::Timeout), false));
    assert_eq!(step(Ok(lost)), (failed(Error::ElectionNotLeader), true));
}
