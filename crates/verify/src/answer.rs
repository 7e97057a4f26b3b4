//! Compares an answer with the model's, field by field.
//!
//! Not compared: cluster, member and term of a header; the remaining time of a lease and the time it is granted for,
//! which depend on the server's settings (only the answer to a keep-alive is compared with the model's grant); the
//! order where etcd defines none ([`Ties`], a lease's keys, alarms, permissions); the headers of the Auth service,
//! whose revision etcd may read later; tokens.

use api::Response;
use api::authpb::Permission;
use api::authpb::permission::Type;
use api::etcdserverpb::response_op::Response as Op;
use api::etcdserverpb::{
    AlarmMember, AlarmType, DeleteRangeResponse, PutResponse, RangeResponse, ResponseHeader, ResponseOp,
    TxnResponse,
};
use api::mvccpb::KeyValue;
use bytes::Bytes;

use crate::describe;
use crate::model::Ties;

/// The value of a revision, version or lease that the recorder did not keep. It is not compared with anything; etcd
/// never answers with it.
pub const NOT_RECORDED: i64 = i64::MIN;

/// The value of a create revision of which the recorder kept only that it is below the pair's mod revision.
pub const CREATED_BEFORE: i64 = i64::MIN + 1;

/// The first difference, as text; `None` if the model allows the answer.
#[inline]
pub fn difference(expected: &Response, observed: &Response, ties: &Ties) -> Option<String> {
    let mut range = 0;
    match (expected, observed) {
        // etcd reads the revision in a Compact's header after the compaction, so nothing can be compared with it.
        (Response::Compact(_), Response::Compact(_)) => None,
        (Response::Put(expected), Response::Put(observed)) => put("", expected, observed),
        (Response::Range(expected), Response::Range(observed)) => {
            ranges("", expected, observed, ties, &mut range)
        }
        (Response::DeleteRange(expected), Response::DeleteRange(observed)) => delete("", expected, observed),
        (Response::Txn(expected), Response::Txn(observed)) => txn("", expected, observed, ties, &mut range),
        (Response::LeaseGrant(expected), Response::LeaseGrant(observed)) => {
            header("", expected.header, observed.header)
                .or_else(|| number("", "ID", expected.id, observed.id))
                .or_else(|| different("", "error", &expected.error, &observed.error))
        }
        (Response::LeaseRevoke(expected), Response::LeaseRevoke(observed)) => {
            header("", expected.header, observed.header)
        }
        (Response::LeaseTimeToLive(expected), Response::LeaseTimeToLive(observed)) => {
            let sorted = |keys: &[bytes::Bytes]| {
                let mut keys = keys.to_vec();
                keys.sort();
                keys
            };
            header("", expected.header, observed.header)
                .or_else(|| number("", "ID", expected.id, observed.id))
                .or_else(|| different("", "whether it exists", &(expected.ttl >= 0), &(observed.ttl >= 0)))
                .or_else(|| different("", "keys", &sorted(&expected.keys), &sorted(&observed.keys)))
        }
        (Response::LeaseLeases(expected), Response::LeaseLeases(observed)) => {
            let sorted = |leases: &[api::etcdserverpb::LeaseStatus]| {
                let mut ids: Vec<i64> = leases.iter().map(|lease| lease.id).collect();
                ids.sort_unstable();
                ids
            };
            different("", "leases", &sorted(&expected.leases), &sorted(&observed.leases))
        }
        (Response::LeaseKeepAlive(expected), Response::LeaseKeepAlive(observed)) => {
            number("", "ID", expected.id, observed.id)
                .or_else(|| number("", "TTL", expected.ttl, observed.ttl))
        }
        (Response::Alarm(expected), Response::Alarm(observed)) => {
            different("", "alarms", &sorted(&expected.alarms), &sorted(&observed.alarms))
        }
        (expected, observed) => auth(expected, observed),
    }
}

/// The first difference in an answer of the Auth service.
fn auth(expected: &Response, observed: &Response) -> Option<String> {
    match (expected, observed) {
        (Response::AuthStatus(expected), Response::AuthStatus(observed)) => {
            different("", "enabled", &expected.enabled, &observed.enabled)
                .or_else(|| different("", "authRevision", &expected.auth_revision, &observed.auth_revision))
        }
        (Response::UserGet(expected), Response::UserGet(observed)) => {
            different("", "roles", &expected.roles, &observed.roles)
        }
        (Response::UserList(expected), Response::UserList(observed)) => {
            different("", "users", &expected.users, &observed.users)
        }
        (Response::RoleGet(expected), Response::RoleGet(observed)) => {
            different("", "perm", &sorted(&expected.perm), &sorted(&observed.perm))
        }
        (Response::RoleList(expected), Response::RoleList(observed)) => {
            different("", "roles", &expected.roles, &observed.roles)
        }
        (expected, observed) => (expected.rpc_name() != observed.rpc_name())
            .then(|| format!("it is the answer to a {}", observed.rpc_name())),
    }
}

/// A sorted copy, for lists whose order etcd does not define.
fn sorted<T: Clone + std::fmt::Debug>(things: &[T]) -> Vec<T> {
    let mut things = things.to_vec();
    things.sort_by_key(|thing| format!("{thing:?}"));
    things
}

/// The revision in a header; 0 if there is no header.
#[inline]
pub fn revision(header: Option<&ResponseHeader>) -> i64 {
    header.map_or(0, |header| header.revision)
}

/// The first difference between two headers.
fn header(path: &str, expected: Option<ResponseHeader>, observed: Option<ResponseHeader>) -> Option<String> {
    number(path, "header.revision", revision(expected.as_ref()), revision(observed.as_ref()))
}

/// The first difference between two numbers of a field.
#[inline]
fn number(path: &str, field: &str, expected: i64, observed: i64) -> Option<String> {
    (expected != observed).then(|| format!("{path}{field} should be {expected}, not {observed}"))
}

/// The difference between two values of a field.
fn different<T: PartialEq + Said>(path: &str, field: &str, expected: &T, observed: &T) -> Option<String> {
    (expected != observed)
        .then(|| format!("{path}{field} should be {}, not {}", expected.said(), observed.said()))
}

/// The value of a field, as part of a sentence.
trait Said {
    /// The value as a report writes it.
    fn said(&self) -> String;
}

impl Said for bool {
    fn said(&self) -> String {
        self.to_string()
    }
}

impl Said for u64 {
    fn said(&self) -> String {
        self.to_string()
    }
}

impl Said for String {
    fn said(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Said for Bytes {
    fn said(&self) -> String {
        describe::key(self)
    }
}

impl Said for i64 {
    fn said(&self) -> String {
        self.to_string()
    }
}

impl Said for AlarmMember {
    fn said(&self) -> String {
        let name = AlarmType::try_from(self.alarm).map_or("unknown", |alarm| alarm.as_str_name());
        format!("{name} of member {}", self.member_id)
    }
}

impl Said for Permission {
    fn said(&self) -> String {
        let kind = Type::try_from(self.perm_type).map_or("unknown", |kind| kind.as_str_name());
        format!("{kind} on {}", describe::span(&self.key, &self.range_end))
    }
}

impl<T: Said> Said for Vec<T> {
    fn said(&self) -> String {
        let all: Vec<String> = self.iter().map(Said::said).collect();
        if all.is_empty() { "none".to_string() } else { all.join(", ") }
    }
}

fn put(path: &str, expected: &PutResponse, observed: &PutResponse) -> Option<String> {
    header(path, expected.header, observed.header)
        .or_else(|| key_value(path, "prev_kv", expected.prev_kv.as_ref(), observed.prev_kv.as_ref()))
}

fn delete(path: &str, expected: &DeleteRangeResponse, observed: &DeleteRangeResponse) -> Option<String> {
    header(path, expected.header, observed.header)
        .or_else(|| number(path, "deleted", expected.deleted, observed.deleted))
        .or_else(|| key_values(path, "prev_kvs", &expected.prev_kvs, &observed.prev_kvs))
}

/// The first difference between the answers to two ranges. `ordinal` counts the ranges of an answer, for `ties`.
fn ranges(
    path: &str,
    expected: &RangeResponse,
    observed: &RangeResponse,
    ties: &Ties,
    ordinal: &mut usize,
) -> Option<String> {
    let this = *ordinal;
    *ordinal += 1;
    let kvs = || {
        key_values(path, "kvs", &expected.kvs, &observed.kvs)
            .filter(|_| !ties.allow(this, &expected.kvs, &observed.kvs))
    };
    header(path, expected.header, observed.header)
        .or_else(kvs)
        .or_else(|| number(path, "count", expected.count, observed.count))
        .or_else(|| different(path, "more", &expected.more, &observed.more))
}

/// Compares the responses to a transaction. Its branches can be nested, so `path` says where in the response this is.
fn txn(
    path: &str,
    expected: &TxnResponse,
    observed: &TxnResponse,
    ties: &Ties,
    ordinal: &mut usize,
) -> Option<String> {
    // If another branch ran, that is the difference to report; the responses differ because of it.
    let found = different(path, "succeeded", &expected.succeeded, &observed.succeeded)
        .or_else(|| header(path, expected.header, observed.header))
        .or_else(|| {
            number(
                path,
                "number of responses",
                expected.responses.len() as i64,
                observed.responses.len() as i64,
            )
        });
    if found.is_some() {
        return found;
    }
    let mut pairs = expected.responses.iter().zip(&observed.responses).enumerate();
    pairs.find_map(|(at, (expected, observed))| nested(path, at, expected, observed, ties, ordinal))
}

/// The first difference between the answers to one request of a transaction.
fn nested(
    path: &str,
    at: usize,
    expected: &ResponseOp,
    observed: &ResponseOp,
    ties: &Ties,
    ordinal: &mut usize,
) -> Option<String> {
    let path = || format!("{path}responses[{at}].");
    match (expected.response.as_ref()?, observed.response.as_ref()) {
        (Op::ResponseRange(expected), Some(Op::ResponseRange(observed))) => {
            ranges(&path(), expected, observed, ties, ordinal)
        }
        (Op::ResponsePut(expected), Some(Op::ResponsePut(observed))) => {
            if expected == observed {
                return None;
            }
            put(&path(), expected, observed)
        }
        (Op::ResponseDeleteRange(expected), Some(Op::ResponseDeleteRange(observed))) => {
            delete(&path(), expected, observed)
        }
        (Op::ResponseTxn(expected), Some(Op::ResponseTxn(observed))) => {
            txn(&path(), expected, observed, ties, ordinal)
        }
        _ => Some(format!("{} is the answer to another operation", path().trim_end_matches('.'))),
    }
}

#[inline]
fn key_values(path: &str, field: &str, expected: &[KeyValue], observed: &[KeyValue]) -> Option<String> {
    if expected == observed {
        return None;
    }
    let differ = |at: &usize| !is_same_pair(expected.get(*at), observed.get(*at));
    let at = (0..expected.len().max(observed.len())).find(differ)?;
    let name = format!("{field}[{at}]");
    key_value(path, &name, expected.get(at), observed.get(at))
}

/// Whether a pair is as expected, as far as it was recorded.
pub fn is_same_pair(expected: Option<&KeyValue>, observed: Option<&KeyValue>) -> bool {
    let (Some(expected), Some(observed)) = (expected, observed) else { return expected == observed };
    expected.key == observed.key
        && expected.value == observed.value
        && expected.mod_revision == observed.mod_revision
        && is_same_creation(expected, observed)
        && is_same_number(expected.version, observed.version)
        && is_same_number(expected.lease, observed.lease)
}

/// Whether a number is as expected, or was not recorded.
pub fn is_same_number(expected: i64, observed: i64) -> bool {
    expected == observed || observed == NOT_RECORDED
}

/// Whether the create revision of a pair is as expected, as far as it was recorded.
pub fn is_same_creation(expected: &KeyValue, observed: &KeyValue) -> bool {
    match observed.create_revision {
        CREATED_BEFORE => expected.create_revision < expected.mod_revision,
        observed => is_same_number(expected.create_revision, observed),
    }
}

#[inline]
fn key_value(
    path: &str,
    field: &str,
    expected: Option<&KeyValue>,
    observed: Option<&KeyValue>,
) -> Option<String> {
    if is_same_pair(expected, observed) {
        return None;
    }
    let text = |kv: Option<&KeyValue>| kv.map_or("nothing".to_string(), describe::key_value);
    Some(format!("{path}{field} should be {}, not {}", text(expected), text(observed)))
}
