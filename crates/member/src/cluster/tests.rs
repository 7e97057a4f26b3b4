//! The rules for the membership, one test each.

use std::sync::Arc;

use api::Error::*;
use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmType, CompactionRequest, DeleteRangeRequest, LeaseGrantRequest,
    LeaseRevokeRequest, MemberAddRequest, MemberPromoteRequest, MemberRemoveRequest, MemberUpdateRequest,
    PutRequest, RangeRequest, RequestOp, TxnRequest,
};
use api::{Error, Request};
use proptest::prelude::*;
use record::{MemberId, Probe};

use super::*;
use crate::flaw::{Flaw, Flaws};

const SECOND: u64 = 1_000_000_000;

/// Index of the entries that carry changes; no change depends on it.
const INDEX: u64 = 7;

fn config() -> Config {
    Config::new(id_of(1), Arc::new([]))
}

fn flawed(flaw: Flaw) -> Config {
    let mut config = config();
    config.flaws.insert(flaw);
    config
}

fn id_of(number: u64) -> MemberId {
    MemberId::from_raft(number)
}

fn ids(numbers: &[u64]) -> Vec<MemberId> {
    numbers.iter().copied().map(MemberId::from_raft).collect()
}

fn url(id: u64) -> String {
    format!("http://m{id}:2380")
}

/// Members 1 to `size`, all started.
fn cluster(size: u64, config: Config) -> Cluster {
    let peer = |id| Peer { id: id_of(id), name: format!("m{id}").into(), peer_urls: Arc::new([url(id)]) };
    Cluster::bootstrap(&(1..=size).map(peer).collect::<Vec<_>>(), &config)
}

fn new_member(id: u64, is_learner: bool) -> Change {
    Change::Add(Member { id, peer_urls: vec![url(id)], is_learner, ..Member::default() })
}

/// Member 1, a minute after its start, connected since then to these members.
fn health(connected: &[u64]) -> Health {
    Health {
        own: id_of(1),
        now: 60 * SECOND,
        connected: connected.iter().map(|id| (id_of(*id), 0)).collect(),
    }
}

fn add(id: u64, is_learner: bool) -> MemberAddRequest {
    MemberAddRequest { peer_urls: vec![url(id)], is_learner }
}

/// The cluster after these changes, which must succeed.
fn after(mut cluster: Cluster, changes: &[Change]) -> Cluster {
    for change in changes {
        cluster.apply_change(INDEX, change).unwrap_or_else(|error| panic!("{change:?}: {error}"));
    }
    cluster
}

#[test]
fn an_addition_is_proposed_only_if_a_quorum_of_the_larger_cluster_is_started_and_connected() {
    // Number of started members, of all members, connected members, learner; and the answer.
    type Row = (u64, u64, &'static [u64], bool, Result<(), Error>);
    let table: &[Row] = &[
        (1, 1, &[], false, Ok(())),
        (3, 3, &[2, 3], false, Ok(())),
        (3, 3, &[2], false, Err(Unhealthy)),
        (3, 3, &[2], true, Err(Unhealthy)),
        (3, 3, &[2, 3], true, Ok(())),
        (4, 4, &[2, 3], false, Ok(())),
        (5, 5, &[2, 3, 4], false, Ok(())),
        (5, 5, &[2, 3], false, Err(Unhealthy)),
        (1, 2, &[2], false, Err(NotEnoughStartedMembers)),
        (2, 3, &[2, 3], false, Err(NotEnoughStartedMembers)),
        (2, 3, &[2, 3], true, Ok(())),
        (2, 2, &[2], false, Ok(())),
    ];
    for &(started, size, connected, is_learner, answer) in table {
        let added: Vec<_> = (started + 1..=size).map(|id| new_member(id, false)).collect();
        let cluster = after(cluster(started, config()), &added);
        let what = cluster.check_add(&add(9, is_learner), 0, &health(connected));
        let row = format!("{started} of {size} started, {connected:?} connected, learner: {is_learner}");
        assert_eq!(what, answer.map(|()| new_member(9, is_learner)), "{row}");
    }
}

#[test]
fn a_connection_counts_after_five_seconds() {
    let mut cluster = cluster(3, config());
    let mut health =
        Health { own: id_of(1), now: 6 * SECOND, connected: [(id_of(2), 0), (id_of(3), SECOND)].into() };
    assert_eq!(cluster.check_add(&add(4, false), 0, &health), Err(Unhealthy));
    assert!(cluster.take_probes().contains(&Probe::ChangeRefusedUnhealthy));
    health.now += 1;
    assert_eq!(cluster.check_add(&add(4, false), 0, &health), Ok(new_member(4, false)));
}

#[test]
fn without_strictness_only_urls_are_checked() {
    let mut lax = config();
    lax.settings.strict_reconfig = false;
    let cluster = cluster(3, lax);
    assert_eq!(cluster.check_add(&add(4, false), 0, &health(&[])), Ok(new_member(4, false)));
    assert_eq!(
        cluster.check_remove(&MemberRemoveRequest { id: 2 }, &health(&[])),
        Ok(Change::Remove(id_of(2)))
    );
    let none = MemberAddRequest::default();
    assert_eq!(cluster.check_add(&none, 0, &health(&[])), Err(MemberBadUrls));
    let update = MemberUpdateRequest { id: 2, peer_urls: vec!["m2".to_string()] };
    assert_eq!(cluster.check_update(&update), Err(MemberBadUrls));
}

#[test]
fn a_removal_leaves_a_quorum_that_is_started_and_connected() {
    // Number of started members, of all members, connected members, the removed one; and the answer.
    type Row = (u64, u64, &'static [u64], u64, Result<(), Error>);
    let table: &[Row] = &[
        (3, 3, &[2, 3], 3, Ok(())),
        (3, 3, &[2, 3], 1, Ok(())),
        // The removed member is not connected, so there are as many healthy voters without it.
        (3, 3, &[2], 3, Ok(())),
        (3, 3, &[2], 2, Err(Unhealthy)),
        (3, 3, &[2], 1, Err(Unhealthy)),
        (5, 5, &[2, 3], 2, Err(Unhealthy)),
        (5, 5, &[2, 3, 4], 2, Ok(())),
        (1, 1, &[], 1, Err(NotEnoughStartedMembers)),
        (1, 2, &[2], 1, Err(NotEnoughStartedMembers)),
        (1, 2, &[], 2, Ok(())),
        // There is no such member: the error comes when the change is applied.
        (3, 3, &[2, 3], 8, Ok(())),
    ];
    for &(started, size, connected, id, answer) in table {
        let added: Vec<_> = (started + 1..=size).map(|id| new_member(id, false)).collect();
        let cluster = after(cluster(started, config()), &added);
        let what = cluster.check_remove(&MemberRemoveRequest { id }, &health(connected));
        assert_eq!(
            what,
            answer.map(|()| Change::Remove(id_of(id))),
            "{id} of {started}/{size}, {connected:?}"
        );
    }
    let cluster = after(cluster(3, config()), &[new_member(4, true)]);
    assert_eq!(
        cluster.check_remove(&MemberRemoveRequest { id: 4 }, &health(&[])),
        Ok(Change::Remove(id_of(4)))
    );
}

#[test]
fn a_learner_is_promoted_by_a_leader_that_knows_it_has_caught_up() {
    let cluster = after(cluster(3, config()), &[new_member(4, true)]);
    let request = MemberPromoteRequest { id: 4 };
    let progress = |member| Some(Progress { leader: 1_000, member });
    let check = |progress| cluster.check_promote(&request, progress);
    assert_eq!(check(None), Err(NotLeader));
    assert_eq!(check(progress(None)), Err(MemberNotFound), "raft does not know it");
    assert_eq!(check(progress(Some(0))), Err(LearnerNotReady), "it never started");
    assert_eq!(check(progress(Some(899))), Err(LearnerNotReady));
    assert_eq!(check(progress(Some(900))), Ok(Change::Promote(id_of(4))));

    // With the learner, two started voters of three are a quorum of the future four; one is not.
    for (started, answer) in [(2, Ok(Change::Promote(id_of(4)))), (1, Err(NotEnoughStartedMembers))] {
        let others = (started + 1..=3).map(|id| new_member(id, false));
        let changes: Vec<_> = others.chain([new_member(4, true)]).collect();
        let few = after(self::cluster(started, config()), &changes);
        assert_eq!(few.check_promote(&request, progress(Some(1_000))), answer);
    }
}

#[test]
fn changes_are_checked_again_when_they_are_applied() {
    let urls = |id| vec![url(id)];
    let taken = Change::Add(Member { id: 6, peer_urls: urls(1), ..Member::default() });
    let table = [
        (new_member(3, false), MemberExists),
        (new_member(5, false), MemberNotFound),
        (taken, PeerUrlExists),
        (new_member(6, true), TooManyLearners),
        (Change::Remove(id_of(6)), MemberNotFound),
        (Change::Remove(id_of(5)), MemberNotFound),
        (Change::Update(id_of(6), urls(6)), MemberNotFound),
        (Change::Update(id_of(5), urls(5)), MemberNotFound),
        (Change::Update(id_of(2), urls(1)), PeerUrlExists),
        (Change::Promote(id_of(3)), MemberNotLearner),
        (Change::Promote(id_of(6)), MemberNotFound),
        (Change::Promote(id_of(5)), MemberNotFound),
        (Change::Joint(vec![new_member(6, false), Change::Remove(id_of(7))]), MemberNotFound),
        (
            Change::Joint(vec![Change::Remove(id_of(1)), Change::Remove(id_of(2)), Change::Remove(id_of(3))]),
            NotEnoughStartedMembers,
        ),
    ];
    let start = || {
        let changes = [new_member(4, true), new_member(5, false), Change::Remove(id_of(5))];
        after(cluster(3, config()), &changes)
    };
    for (change, error) in table {
        let mut cluster = start();
        cluster.take_probes();
        assert_eq!(cluster.apply_change(INDEX, &change), Err(error), "{change:?}");
        assert_eq!(cluster, start(), "{change:?} had an effect");
        assert_eq!(cluster.hash(), start().hash());
        assert_eq!(cluster.take_probes(), [Probe::ChangeRefusedAtApply].into());
    }
}

#[test]
fn what_changes_do() {
    let mut cluster = cluster(3, config());
    let list = cluster.apply_change(INDEX, &new_member(4, true)).unwrap();
    let learner = Member { id: 4, peer_urls: vec![url(4)], is_learner: true, ..Member::default() };
    assert_eq!(list.last(), Some(&learner), "no name until it published one");
    assert_eq!((cluster.voters(), cluster.learners()), (ids(&[1, 2, 3]), ids(&[4])));

    cluster.apply_change(INDEX, &Change::Update(id_of(4), vec![url(40)])).unwrap();
    let member = Member { peer_urls: vec![url(40)], ..learner };
    assert_eq!(cluster.member(id_of(4)), Some(&member), "it still learns");
    cluster.apply_change(INDEX, &Change::Update(id_of(4), vec![url(40)])).unwrap();

    assert!(cluster.apply_attributes(id_of(4), "m4", &["http://m4:2379".to_string()]));
    cluster.apply_change(INDEX, &Change::Promote(id_of(4))).unwrap();
    assert_eq!((cluster.voters(), cluster.learners()), (ids(&[1, 2, 3, 4]), vec![]));
    let member = cluster.member(id_of(4)).unwrap();
    assert_eq!((member.name.as_str(), member.client_urls.len()), ("m4", 1));

    cluster.apply_change(INDEX, &Change::Remove(id_of(4))).unwrap();
    assert!(cluster.is_removed(id_of(4)) && cluster.member(id_of(4)).is_none());
    assert!(!cluster.apply_attributes(id_of(4), "m4", &[]), "a late publication by a removed member");

    let again = Change::Add(Member { id: 7, peer_urls: vec![url(40)], ..Member::default() });
    cluster.apply_change(INDEX, &again).unwrap();
    let probes = cluster.take_probes();
    for probe in [Probe::LearnerAdded, Probe::LearnerPromoted, Probe::MemberRemoved, Probe::MemberReAddedUrl]
    {
        assert!(probes.contains(&probe), "{probe} is not among {probes:?}");
    }
    assert!(cluster.take_probes().is_empty());
}

#[test]
fn a_joint_change_is_one_change() {
    let steps =
        vec![new_member(4, false), new_member(5, false), Change::Remove(id_of(1)), Change::Remove(id_of(2))];
    let mut joint = cluster(3, config());
    joint.apply_change(INDEX, &Change::Joint(steps.clone())).unwrap();
    assert_eq!(joint.voters(), ids(&[3, 4, 5]));
    assert_eq!(joint, after(cluster(3, config()), &steps));
    assert!(joint.take_probes().contains(&Probe::JointChangeApplied));
}

#[test]
fn the_hash_covers_everything_that_is_replicated() {
    let base = || after(cluster(3, config()), &[new_member(4, true)]);
    let nospace =
        AlarmRequest { action: AlarmAction::Activate as i32, member_id: 1, alarm: AlarmType::Nospace as i32 };
    let changes: [fn(&mut Cluster); 6] = [
        |cluster| assert!(cluster.apply_attributes(id_of(4), "m4", &[])),
        |cluster| assert!(cluster.apply_attributes(id_of(3), "m3", &["http://m3:2379".to_string()])),
        |cluster| cluster.set_version("3.6.0"),
        |cluster| cluster.set_downgrade("3.6.0"),
        |cluster| assert!(cluster.apply_change(INDEX, &Change::Promote(id_of(4))).is_ok()),
        |cluster| assert!(cluster.apply_change(INDEX, &Change::Remove(id_of(4))).is_ok()),
    ];
    let mut seen = BTreeSet::from([base().hash()]);
    for change in changes {
        let mut cluster = base();
        change(&mut cluster);
        assert_ne!(cluster, base());
        assert!(seen.insert(cluster.hash()));
    }
    let mut alarmed = base();
    alarmed.alarm(&nospace);
    assert!(seen.insert(alarmed.hash()));
    alarmed.alarm(&AlarmRequest { action: AlarmAction::Deactivate as i32, ..nospace });
    assert_eq!((alarmed.hash(), &alarmed), (base().hash(), &base()));
}

#[test]
fn alarms_as_etcd_answers() {
    use AlarmAction::{Activate, Deactivate, Get};
    let mut cluster = cluster(3, config());
    let mut ask = |action: AlarmAction, member_id, alarm: AlarmType| {
        let request = AlarmRequest { action: action as i32, member_id, alarm: alarm as i32 };
        let answer = cluster.alarm(&request).alarms;
        answer.iter().map(|on: &AlarmMember| (on.member_id, on.alarm)).collect::<Vec<_>>()
    };
    assert_eq!(ask(Get, 0, AlarmType::None), []);
    assert_eq!(ask(Deactivate, 1, AlarmType::Nospace), []);
    assert_eq!(ask(Activate, 1, AlarmType::None), []);
    assert_eq!(ask(Activate, 2, AlarmType::Nospace), [(2, 1)]);
    assert_eq!(ask(Activate, 2, AlarmType::Nospace), [(2, 1)]);
    assert_eq!(ask(Activate, 1, AlarmType::Corrupt), [(1, 2)]);
    assert_eq!(ask(Get, 0, AlarmType::None), [(2, 1), (1, 2)]);
    assert_eq!(ask(Get, 3, AlarmType::Corrupt), [(1, 2)], "a get ignores the member id");
    assert_eq!(ask(Deactivate, 0, AlarmType::Nospace), [], "disarming does not");
    assert_eq!(ask(Deactivate, 2, AlarmType::Nospace), [(2, 1)]);
    assert!(!cluster.is_on(AlarmType::Nospace) && cluster.is_on(AlarmType::Corrupt));
    assert_eq!(cluster.take_probes(), [Probe::AlarmDisarmed, Probe::AlarmRaised].into());
}

fn put(key: &'static str, value: &'static str) -> PutRequest {
    PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }
}

fn op(put: PutRequest) -> RequestOp {
    RequestOp { request: Some(Op::RequestPut(put)) }
}

fn txn(success: Vec<RequestOp>, failure: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success, failure, ..TxnRequest::default() }
}

#[test]
fn what_requests_cost() {
    let nested = RequestOp { request: Some(Op::RequestTxn(txn(vec![op(put("a", "b"))], vec![]))) };
    let table: [(Request, u64); 7] = [
        (put("key", "value").into(), 264),
        (LeaseGrantRequest::default().into(), 64),
        (txn(vec![op(put("a", "b"))], vec![op(put("a", "")), op(put("b", ""))]).into(), 514),
        (txn(vec![op(put("a", "")), nested.clone()], vec![]).into(), 515),
        (txn(vec![], vec![]).into(), 0),
        (DeleteRangeRequest::default().into(), 0),
        (RangeRequest::default().into(), 0),
    ];
    for (request, bytes) in table {
        assert_eq!(cost(&request, Flaws::NONE), bytes, "{request:?}");
    }
    let flawed = Flaws::NONE.with(Flaw::NestedTxnCostsNothing);
    assert_eq!(cost(&txn(vec![nested], vec![]).into(), flawed), 0);
}

#[test]
fn what_alarms_refuse() {
    // A request, and whether NOSPACE and CORRUPT block it.
    let table: [(Request, bool, bool); 11] = [
        (put("a", "").into(), true, true),
        (txn(vec![], vec![op(put("a", ""))]).into(), true, true),
        (txn(vec![], vec![]).into(), false, true),
        (LeaseGrantRequest::default().into(), true, true),
        (LeaseRevokeRequest::default().into(), false, true),
        (DeleteRangeRequest::default().into(), false, true),
        (CompactionRequest::default().into(), false, true),
        (RangeRequest::default().into(), false, true),
        (AlarmRequest::default().into(), false, false),
        (api::etcdserverpb::AuthUserAddRequest::default().into(), false, false),
        (MemberRemoveRequest::default().into(), false, false),
    ];
    let with = |alarm: AlarmType| {
        let mut cluster = cluster(1, config());
        let action = AlarmAction::Activate as i32;
        cluster.alarm(&AlarmRequest { action, member_id: 1, alarm: alarm as i32 });
        cluster
    };
    for (request, no_space, corrupt) in table {
        assert_eq!(cluster(1, config()).refuses(&request, Flaws::NONE), None);
        assert_eq!(
            with(AlarmType::Nospace).refuses(&request, Flaws::NONE),
            no_space.then_some(NoSpace),
            "{request:?}"
        );
        assert_eq!(
            with(AlarmType::Corrupt).refuses(&request, Flaws::NONE),
            corrupt.then_some(Corrupt),
            "{request:?}"
        );
    }
}

#[test]
fn flaw_21737_an_update_makes_a_learner_vote() {
    let voters = |config| {
        let changes = [new_member(4, true), Change::Update(id_of(4), vec![url(40)])];
        after(cluster(3, config), &changes).voters()
    };
    assert_eq!(voters(config()), ids(&[1, 2, 3]));
    assert_eq!(voters(flawed(Flaw::MemberUpdatePromotesLearner)), ids(&[1, 2, 3, 4]));
}

#[test]
fn flaw_20797_a_promotion_is_forgotten() {
    let reloaded = |config: Config| {
        let before = after(cluster(3, config.clone()), &[new_member(4, true), Change::Promote(id_of(4))]);
        let loaded = Cluster::decode(before.encode(), &config).unwrap();
        assert_eq!(before.voters(), ids(&[1, 2, 3, 4]));
        (loaded == before, loaded.learners())
    };
    assert_eq!(reloaded(config()), (true, vec![]));
    assert_eq!(reloaded(flawed(Flaw::PromotionNotPersisted)), (false, ids(&[4])));
}

#[test]
fn damaged_rows_are_refused() {
    let good = cluster(3, config()).encode();
    assert!(Cluster::decode(good.clone(), &config()).is_ok());
    assert!(Cluster::decode(Bytes::new(), &config()).is_err());
    assert!(Cluster::decode(good.slice(..good.len() - 1), &config()).is_err());
    assert!(
        Cluster::decode([&good[..], &good[..]].concat().into(), &config()).is_err(),
        "members occur twice"
    );
    // A member without an id; one that was removed; an alarm that is active twice.
    for bad in [
        &b"\x08\x01\x12\x00"[..],
        b"\x08\x01\x12\x02\x08\x05\x1a\x01\x05",
        b"\x08\x01\x22\x02\x10\x01\x22\x02\x10\x01",
    ] {
        assert!(Cluster::decode(Bytes::from_static(bad), &config()).is_err(), "{bad:?}");
    }
    for bad in [&b""[..], b"\x08\x02", b"\x08\x01", b"\x08\x01\x1a\x00"] {
        assert!(Change::decode(bad).is_err(), "{bad:?}");
    }
}

fn any_step() -> impl Strategy<Value = Change> {
    let id = || 1_u64..8;
    prop_oneof![
        (id(), any::<bool>()).prop_map(|(id, is_learner)| new_member(id, is_learner)),
        id().prop_map(|id| Change::Remove(id_of(id))),
        (id(), id()).prop_map(|(id, other)| Change::Update(id_of(id), vec![url(other)])),
        id().prop_map(|id| Change::Promote(id_of(id))),
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![any_step(), prop::collection::vec(any_step(), 0..4).prop_map(Change::Joint)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_the_invariants_hold_and_rows_come_back(
        changes in prop::collection::vec(any_change(), 0..20),
    ) {
        let mut cluster = cluster(3, config());
        let mut removed = BTreeSet::new();
        for change in changes {
            prop_assert_eq!(&Change::decode(&change.encode()[..]).unwrap(), &change);
            let _ = cluster.apply_change(INDEX, &change);
            removed.extend((1..8).filter(|id| cluster.is_removed(id_of(*id))));
            prop_assert!(cluster.list().iter().all(|member| !removed.contains(&member.id)));
            prop_assert!(!cluster.voters().is_empty() && cluster.learners().len() <= 1);
            let urls: Vec<_> = cluster.list().into_iter().flat_map(|member| member.peer_urls).collect();
            prop_assert_eq!(urls.iter().collect::<BTreeSet<_>>().len(), urls.len());
            let loaded = Cluster::decode(cluster.encode(), &config()).unwrap();
            prop_assert_eq!(loaded.hash(), cluster.hash());
            prop_assert_eq!(&loaded, &cluster);
        }
    }
}
