//! Which answers count as the same.

use std::collections::BTreeMap;

use api::etcdserverpb::range_request::SortTarget;
use api::etcdserverpb::{Member, RangeRequest, RangeResponse};
use api::mvccpb::KeyValue;
use api::{Request, Response};
use bytes::Bytes;
use plan::EtcdVersion;
use record::{Operation, Outcome};

use super::recording::Answer;

/// Up to this length, Go's sort keeps the order of what is equal.
const STABLE_MAX: i64 = 12;

/// The ids of members, which depend on addresses and on the time: pairs of etcd's and ours.
#[derive(Default)]
pub struct Ids {
    /// etcd's id of the member that answers.
    pub own: u64,
    pairs: BTreeMap<u64, u64>,
}

impl Ids {
    /// Those of a recording of which only the member itself is known.
    pub fn new(own: u64) -> Ids {
        Ids { own, pairs: BTreeMap::new() }
    }

    /// Notes which members two answers to the same request are about. Returns whether that is new.
    pub fn learn(&mut self, ours: &Answer, etcds: &Answer) -> bool {
        let mut pairs = Vec::new();
        if let (Ok(ours), Ok(etcds)) = (ours, etcds) {
            pairs.extend(ours.header().map(|header| (self.own, header.member_id)));
            if let (Response::MemberAdd(ours), Response::MemberAdd(etcds)) = (ours, etcds) {
                let id = |member: &Option<Member>| member.as_ref().map(|member| member.id);
                pairs.extend(id(&etcds.member).zip(id(&ours.member)));
            }
        }
        let mut new = false;
        for (etcds, ours) in pairs {
            if etcds != 0 && ours != 0 {
                new |= self.pairs.insert(etcds, ours) != Some(ours);
            }
        }
        new
    }

    /// A request of the recording, with our ids.
    pub fn ours_in(&self, mut request: Request) -> Request {
        let id = match &mut request {
            Request::MemberRemove(request) => &mut request.id,
            Request::MemberUpdate(request) => &mut request.id,
            Request::MemberPromote(request) => &mut request.id,
            Request::MoveLeader(request) => &mut request.target_id,
            _ => return request,
        };
        *id = self.pairs.get(id).copied().unwrap_or(*id);
        request
    }

    /// An answer of ours, with etcd's ids.
    pub fn etcds_in(&self, mut answer: Answer) -> Answer {
        let Ok(response) = &mut answer else { return answer };
        let etcds = |id: &mut u64| {
            let pair = self.pairs.iter().find(|(_, ours)| *ours == id);
            *id = pair.map_or(*id, |(etcds, _)| *etcds);
        };
        if let Response::Status(status) = response {
            etcds(&mut status.leader);
        }
        if let Response::MemberAdd(response) = response {
            response.member.iter_mut().for_each(|member| etcds(&mut member.id));
        }
        if let Some(members) = members(response) {
            members.iter_mut().for_each(|member| etcds(&mut member.id));
        }
        answer
    }
}

fn members(response: &mut Response) -> Option<&mut Vec<Member>> {
    match response {
        Response::MemberAdd(response) => Some(&mut response.members),
        Response::MemberRemove(response) => Some(&mut response.members),
        Response::MemberUpdate(response) => Some(&mut response.members),
        Response::MemberList(response) => Some(&mut response.members),
        Response::MemberPromote(response) => Some(&mut response.members),
        _ => None,
    }
}

/// What a client was answered by a member that answers as this version does.
pub fn answer(operation: &Operation, version: EtcdVersion) -> Option<Answer> {
    match &operation.outcome {
        Outcome::Answer { response, .. } => Some(Ok(response.clone())),
        Outcome::Error { error, .. } => {
            let code = match version {
                EtcdVersion::V3_4 => error.code_in_3_4(),
                _ => error.code_of(operation.request.method()),
            };
            Some(Err((code.number().into(), error.text().to_string())))
        }
        Outcome::Unknown { .. } => None,
    }
}

/// Whether two answers are the same, except for what may differ. `own` is the member that answers; the remaining time of
/// a lease may differ by `slack` seconds.
pub fn same(request: &Request, ours: &Answer, etcds: &Answer, own: u64, slack: u64) -> bool {
    match (ours, etcds) {
        (Ok(ours), Ok(etcds)) => {
            let near = time_left(ours)
                .zip(time_left(etcds))
                .is_none_or(|(ours, etcds)| ours.abs_diff(etcds) <= slack && (ours < 0) == (etcds < 0));
            near && comparable(request, ours.clone(), own) == comparable(request, etcds.clone(), own)
        }
        (ours, etcds) => ours == etcds,
    }
}

/// The remaining seconds of a lease in an answer.
fn time_left(response: &Response) -> Option<i64> {
    match response {
        Response::LeaseTimeToLive(response) => Some(response.ttl),
        _ => None,
    }
}

/// The response without what may differ: who answered, sizes and positions that depend on the files, the addresses of the
/// member itself, hashes (the simulator's members have one of their own).
fn comparable(request: &Request, mut response: Response, own: u64) -> Response {
    if let Some(header) = response.header_mut() {
        (header.cluster_id, header.member_id, header.raft_term) = (0, 0, 0);
    }
    if let Some(members) = members(&mut response) {
        members.sort_by_key(|member| member.id);
        for member in members.iter_mut().filter(|member| member.id == own) {
            *member = Member { id: own, is_learner: member.is_learner, ..Member::default() };
        }
    }
    match &mut response {
        Response::LeaseTimeToLive(response) => {
            response.ttl = 0;
            response.keys.sort();
        }
        Response::LeaseLeases(response) => response.leases.sort_by_key(|lease| lease.id),
        Response::Alarm(response) => response.alarms.sort_by_key(|alarm| (alarm.alarm, alarm.member_id)),
        Response::Authenticate(response) => response.token.clear(),
        Response::HashKv(response) => response.hash = 0,
        Response::Range(response) if response.count > STABLE_MAX => order_ties(request, response),
        Response::RoleGet(response) if response.perm.len() as i64 > STABLE_MAX => {
            response.perm.sort_by_key(|permission| format!("{permission:?}"));
        }
        Response::Status(status) => {
            (status.db_size, status.db_size_in_use) = (0, 0);
            (status.raft_index, status.raft_applied_index, status.raft_term) = (0, 0, 0);
            status.version.clear();
            // Go's library draws when it is compiled whether one space or two are between the fields of a message.
            status.errors.iter_mut().for_each(|error| *error = error.replace("  ", " "));
        }
        _ => {}
    }
    response
}

/// Puts the ties of a sorted range into the order of their keys, and leaves out those of which a limit shows only some.
fn order_ties(request: &Request, answer: &mut RangeResponse) {
    let Request::Range(range) = request else { return };
    let sorted_by = |pair: &KeyValue| match range.sort_target() {
        SortTarget::Key => None,
        SortTarget::Version => Some((pair.version, Bytes::new())),
        SortTarget::Create => Some((pair.create_revision, Bytes::new())),
        SortTarget::Mod => Some((pair.mod_revision, Bytes::new())),
        SortTarget::Value => Some((0, pair.value.clone())),
    };
    let tied =
        |one: &KeyValue, other: &KeyValue| sorted_by(one).is_some() && sorted_by(one) == sorted_by(other);
    for ties in answer.kvs.chunk_by_mut(tied) {
        ties.sort_by(|one, other| one.key.cmp(&other.key));
    }
    if answer.more
        && let Some(last) = answer.kvs.pop()
    {
        answer.kvs.retain(|pair| !tied(pair, &last));
    }
}

pub fn only_what_may_differ_may_differ() {
    use api::etcdserverpb::{LeaseTimeToLiveResponse, PutResponse, ResponseHeader};
    let request = RangeRequest { sort_target: SortTarget::Version as i32, ..Default::default() }.into();
    let same = |ours: &Answer, etcds: &Answer| same(&request, ours, etcds, 0, 1);
    let lease = |ttl, keys: [&'static str; 2]| {
        let keys = keys.map(Into::into).to_vec();
        Ok(Response::LeaseTimeToLive(LeaseTimeToLiveResponse { ttl, keys, ..Default::default() }))
    };
    assert!(same(&lease(5000, ["a", "b"]), &lease(4999, ["b", "a"])));
    assert!(!same(&lease(5000, ["a", "b"]), &lease(4998, ["a", "b"])));
    assert!(!same(&lease(0, ["a", "b"]), &lease(-1, ["a", "b"])), "one has ended, one has not");
    assert!(!same(&lease(5000, ["a", "b"]), &lease(5000, ["a", "c"])));
    let put = |revision, raft_term| {
        let header = ResponseHeader { revision, raft_term, ..Default::default() };
        Ok(Response::Put(PutResponse { header: Some(header), ..Default::default() }))
    };
    assert!(same(&put(7, 2), &put(7, 3)));
    assert!(!same(&put(7, 2), &put(8, 2)));
    assert!(!same(&put(7, 2), &Err((5, "no".into()))));
    let range = |keys: &[&'static str], count, more| {
        let pair = |key: &&'static str| KeyValue { key: (*key).into(), version: 1, ..Default::default() };
        let kvs = keys.iter().map(pair).collect();
        Ok(Response::Range(RangeResponse { kvs, count, more, ..Default::default() }))
    };
    assert!(!same(&range(&["a", "b"], 12, false), &range(&["b", "a"], 12, false)));
    assert!(same(&range(&["a", "b"], 13, false), &range(&["b", "a"], 13, false)));
    assert!(!same(&range(&["a", "b"], 13, false), &range(&["c", "a"], 13, false)));
    assert!(same(&range(&["a", "b"], 13, true), &range(&["c", "a"], 13, true)));
}
