//! Turns operations, keys, values and times into text for people, each on one line.

mod event;
mod watch;

use std::fmt::Write;

use api::etcdserverpb::compare::TargetUnion;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as OpResponse;
use api::etcdserverpb::*;
use api::mvccpb::KeyValue;
use api::{Request, Response};
use record::inner::MembershipDeed;
use record::{MemberId, Nanos, Operation, Outcome};

use crate::answer::{CREATED_BEFORE, NOT_RECORDED};
pub use event::{actor, event, fact, moment};
pub use watch::{change, watch_response, watcher};

/// How many bytes of a key or value are printed; longer ones are cut.
const BYTES_SHOWN: usize = 40;
/// The most pairs of an answer that are printed; if there are more, only their number is.
const KEYS_SHOWN: usize = 4;

/// An operation on one line:
/// `client 2  put k3="v17"  -> revision 41   12.301 s .. 12.322 s  via member 3`.
pub fn operation(operation: &Operation) -> String {
    let Operation { client, member, call, outcome, .. } = operation;
    let (result, until) = match outcome {
        Outcome::Answer { at, response } => (self::response(response), time(*at)),
        Outcome::Error { at, error } => (format!("error \"{error}\""), time(*at)),
        Outcome::Unknown { .. } => ("no answer".to_string(), "?".to_string()),
    };
    format!(
        "client {client}  {}  -> {result}   {} .. {until}{}",
        asked(operation),
        time(*call),
        by_member("  via", *member)
    )
}

/// The member after a word such as ` by`; nothing if it was not recorded.
pub fn by_member(word: &str, member: MemberId) -> String {
    if member.is_none() { String::new() } else { format!("{word} member {member}") }
}

/// The client and its request, to begin a sentence with.
pub fn who(operation: &Operation) -> String {
    format!("Client {}'s `{}`", operation.client, asked(operation))
}

/// The client and its request, inside a sentence.
pub fn whose(operation: &Operation) -> String {
    format!("client {}'s `{}`", operation.client, asked(operation))
}

/// The request of an operation, and whether it was answered in chunks.
fn asked(operation: &Operation) -> String {
    request(&operation.request) + if operation.streamed { " streamed" } else { "" }
}

/// A moment, in seconds to the millisecond. A moment below a millisecond is in µs or ns: histories whose times are mere
/// sequence numbers have such moments.
pub fn time(at: Nanos) -> String {
    match at {
        0 => return "0.000 s".to_string(),
        1..1_000 => return format!("{at} ns"),
        1_000..1_000_000 => return format!("{}.{:03} µs", at / 1_000, at % 1_000),
        _ => {}
    }
    let millis = at.saturating_add(500_000) / 1_000_000;
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

/// A number that a member gave out (the id of a request, or the context of a ReadIndex), decoded: `1.8.122` is the 122nd
/// of member 1 after its 8th start.
pub fn number(id: u64) -> String {
    format!("{}.{}.{}", id >> 48, id >> 32 & 0xffff, id & 0xffff_ffff)
}

/// The member that gave out a number; `None` for 0, which is none.
pub fn proposer(id: u64) -> Option<MemberId> {
    u32::try_from(id >> 48).ok().filter(|member| *member > 0).map(MemberId::new)
}

/// What a change of the membership does with a member: `promote member 4`.
pub fn membership_deed(member: MemberId, deed: MembershipDeed) -> String {
    match deed {
        MembershipDeed::AddVoter => format!("add member {member} as a voter"),
        MembershipDeed::AddLearner => format!("add member {member} as a learner"),
        MembershipDeed::Remove => format!("remove member {member}"),
        MembershipDeed::Update => format!("give member {member} other addresses"),
        MembershipDeed::Promote => format!("promote learner {member} to a voter"),
    }
}

/// A key: unquoted if it is plain, otherwise in quotes with escapes.
pub fn key(key: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_-.:".contains(byte);
    if !key.is_empty() && key.len() <= BYTES_SHOWN && key.iter().all(plain) {
        key.escape_ascii().to_string()
    } else {
        value(key)
    }
}

/// A value, in quotes, with escapes, and cut if it is long.
pub fn value(value: &[u8]) -> String {
    match value.get(..BYTES_SHOWN) {
        Some(start) if value.len() > BYTES_SHOWN => {
            format!("\"{}…\" ({} bytes)", start.escape_ascii(), value.len())
        }
        _ => format!("\"{}\"", value.escape_ascii()),
    }
}

/// The keys of a request: `k3`, `a..b`, `a..` or `all keys`.
pub fn span(from: &[u8], end: &[u8]) -> String {
    match (from, end) {
        (from, []) => key(from),
        ([0], [0]) => "all keys".to_string(),
        (from, [0]) => format!("{}..", key(from)),
        (from, end) => format!("{}..{}", key(from), key(end)),
    }
}

/// A key with its value and revisions, as far as they were recorded.
pub fn key_value(kv: &KeyValue) -> String {
    let mut parts = Vec::new();
    match kv.create_revision {
        NOT_RECORDED => {}
        CREATED_BEFORE => parts.push("created before".to_string()),
        revision => parts.push(format!("create {revision}")),
    }
    let numbers = [("mod", kv.mod_revision), ("version", kv.version), ("lease", kv.lease)];
    for (name, number) in numbers {
        if number != NOT_RECORDED && (number != 0 || name != "lease") {
            parts.push(format!("{name} {number}"));
        }
    }
    format!("{}={} ({})", key(&kv.key), value(&kv.value), parts.join(", "))
}

/// A revision in a sentence or a line, after the text `before`; nothing if the revision was not recorded, or if it is
/// 0, which means that the answer has none.
pub fn with_revision(before: &str, revision: i64) -> String {
    if [NOT_RECORDED, 0].contains(&revision) { String::new() } else { format!("{before}revision {revision}") }
}

/// A request, without its client.
pub fn request(request: &Request) -> String {
    match request {
        Request::Range(request) => range(request),
        Request::Put(request) => put(request),
        Request::DeleteRange(request) => delete(request),
        Request::Txn(request) => txn(request),
        Request::Compact(request) => format!("compact {}", request.revision),
        Request::LeaseGrant(request) => format!("grant lease {} for {} s", request.id, request.ttl),
        Request::LeaseRevoke(request) => format!("revoke lease {}", request.id),
        Request::LeaseKeepAlive(request) => format!("keep lease {} alive", request.id),
        Request::LeaseTimeToLive(request) => format!("time left of lease {}", request.id),
        Request::HashKv(request) => format!("hash of the keys at revision {}", request.revision),
        Request::Lock(request) => format!("lock {} with lease {}", key(&request.name), request.lease),
        Request::Unlock(request) => format!("unlock {}", key(&request.key)),
        Request::Campaign(request) => {
            format!("campaign for {} with lease {}", key(&request.name), request.lease)
        }
        Request::Leader(request) => format!("leader of {}", key(&request.name)),
        Request::MemberAdd(request) if request.is_learner => "MemberAdd as a learner".to_string(),
        Request::MemberPromote(request) => format!("MemberPromote {}", request.id),
        Request::MemberUpdate(request) => {
            format!("MemberUpdate {} to the addresses {}", request.id, request.peer_urls.join(", "))
        }
        Request::MemberRemove(request) => format!("MemberRemove {}", request.id),
        other => other.rpc_name().to_string(),
    }
}

fn range(request: &RangeRequest) -> String {
    let mut text = if request.count_only { "count " } else { "get " }.to_string();
    text.push_str(&span(&request.key, &request.range_end));
    let mut option = |set: bool, option: String| {
        if set {
            text.push(' ');
            text.push_str(&option);
        }
    };
    option(request.revision > 0, format!("at revision {}", request.revision));
    option(request.limit > 0, format!("limit {}", request.limit));
    option(request.keys_only, "keys only".to_string());
    option(request.sort_order != 0 || request.sort_target != 0, "sorted".to_string());
    let filters = [
        ("mod >=", request.min_mod_revision),
        ("mod <=", request.max_mod_revision),
        ("create >=", request.min_create_revision),
        ("create <=", request.max_create_revision),
    ];
    for (name, bound) in filters {
        option(bound != 0, format!("{name} {bound}"));
    }
    option(request.serializable, "serializable".to_string());
    text
}

fn put(request: &PutRequest) -> String {
    let mut text = format!("put {}={}", key(&request.key), value(&request.value));
    if request.lease != 0 {
        write!(text, " lease {}", request.lease).expect("a String takes everything");
    }
    for (set, name) in
        [(request.ignore_value, " keeping the value"), (request.ignore_lease, " keeping the lease")]
    {
        if set {
            text.push_str(name);
        }
    }
    text
}

fn delete(request: &DeleteRangeRequest) -> String {
    format!("delete {}", span(&request.key, &request.range_end))
}

fn txn(request: &TxnRequest) -> String {
    let mut text = "txn".to_string();
    if !request.compare.is_empty() {
        let compares = listed(request.compare.iter().map(compare), " and ");
        write!(text, " if {compares}").expect("a String takes everything");
    }
    for (name, ops) in [("then", &request.success), ("else", &request.failure)] {
        if !ops.is_empty() {
            let ops = listed(ops.iter().map(op), ", ");
            write!(text, " {name} {ops}").expect("a String takes everything");
        }
    }
    text
}

/// Several texts in a row. More than three equal ones are said once, with their number.
fn listed(texts: impl Iterator<Item = String>, separator: &str) -> String {
    let mut groups: Vec<(String, usize)> = Vec::new();
    for text in texts {
        match groups.last_mut() {
            Some((last, count)) if *last == text => *count += 1,
            _ => groups.push((text, 1)),
        }
    }
    let said = groups.into_iter().map(|(text, count)| match count {
        1..=3 => vec![text; count].join(separator),
        _ => format!("{count} times {text}"),
    });
    said.collect::<Vec<_>>().join(separator)
}

fn op(op: &RequestOp) -> String {
    match &op.request {
        Some(Op::RequestRange(request)) => range(request),
        Some(Op::RequestPut(request)) => put(request),
        Some(Op::RequestDeleteRange(request)) => delete(request),
        Some(Op::RequestTxn(request)) => format!("({})", txn(request)),
        None => "nothing".to_string(),
    }
}

fn compare(compare: &Compare) -> String {
    let relation = ["=", ">", "<", "!="].get(compare.result as usize).copied().unwrap_or("?");
    let target =
        ["version", "create", "mod", "value", "lease"].get(compare.target as usize).copied().unwrap_or("?");
    let bound = match &compare.target_union {
        Some(TargetUnion::Version(number) | TargetUnion::CreateRevision(number)) => number.to_string(),
        Some(TargetUnion::ModRevision(number) | TargetUnion::Lease(number)) => number.to_string(),
        Some(TargetUnion::Value(bytes)) => value(bytes),
        None => "0".to_string(),
    };
    format!("{target}({}){relation}{bound}", span(&compare.key, &compare.range_end))
}

/// An answer, without its operation.
pub fn response(response: &Response) -> String {
    let revision = response.header().map_or(0, |header| header.revision);
    let detail = match response {
        Response::Range(range) => found(range),
        Response::Put(put) => {
            put.prev_kv.as_ref().map_or(String::new(), |kv| format!("was {}", key_value(kv)))
        }
        Response::DeleteRange(delete) => format!("deleted {}", delete.deleted),
        Response::Txn(txn) => branch(txn),
        Response::LeaseGrant(grant) => format!("lease {}", grant.id),
        Response::LeaseKeepAlive(answer) => format!("{} s", answer.ttl),
        Response::LeaseTimeToLive(answer) => format!("{} of {} s", answer.ttl, answer.granted_ttl),
        Response::Lock(answer) => format!("held by {}", key(&answer.key)),
        Response::Leader(answer) => {
            answer.kv.as_ref().map_or(String::new(), |kv| format!("leader is {}", key_value(kv)))
        }
        _ => String::new(),
    };
    let parts = [with_revision("", revision), detail];
    let shown: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if shown.is_empty() { "done".to_string() } else { shown.join(": ") }
}

/// Which branch of a transaction ran, and the answers to its steps.
fn branch(txn: &TxnResponse) -> String {
    let ops = txn.responses.iter().map(|op| match &op.response {
        Some(OpResponse::ResponseRange(range)) => found(range),
        Some(OpResponse::ResponsePut(_)) => "put".to_string(),
        Some(OpResponse::ResponseDeleteRange(delete)) => format!("deleted {}", delete.deleted),
        Some(OpResponse::ResponseTxn(txn)) => format!("({})", branch(txn)),
        None => "nothing".to_string(),
    });
    let name = if txn.succeeded { "then" } else { "else" };
    format!("{name} {}", listed(ops, ", ")).trim_end().to_string()
}

/// What a range found.
fn found(range: &RangeResponse) -> String {
    match &range.kvs[..] {
        [] if range.count > 0 => format!("{} keys", range.count),
        [] => "nothing".to_string(),
        kvs if kvs.len() <= KEYS_SHOWN => {
            let kvs = kvs
                .iter()
                .map(|kv| format!("{}={} (mod {})", key(&kv.key), value(&kv.value), kv.mod_revision));
            kvs.collect::<Vec<_>>().join(", ")
        }
        kvs => format!("{} keys", kvs.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Error;
    use bytes::Bytes;

    fn put_k3(outcome: Outcome) -> Operation {
        let request = PutRequest {
            key: Bytes::from_static(b"k3"),
            value: Bytes::from_static(b"v17"),
            ..Default::default()
        };
        Operation {
            client: 2,
            member: record::MemberId::new(3),
            user: None,
            request: request.into(),
            streamed: false,
            call: 12_301_000_000,
            outcome,
        }
    }

    #[test]
    fn an_operation_is_one_line() {
        let header = Some(ResponseHeader { revision: 41, ..Default::default() });
        let response = PutResponse { header, prev_kv: None }.into();
        let lines = [
            operation(&put_k3(Outcome::Answer { at: 12_322_400_000, response })),
            operation(&put_k3(Outcome::Error { at: 12_322_400_000, error: Error::Timeout })),
            operation(&put_k3(Outcome::Unknown { gave_up: 17_301_000_000 })),
        ];
        assert_eq!(
            lines,
            [
                r#"client 2  put k3="v17"  -> revision 41   12.301 s .. 12.322 s  via member 3"#,
                r#"client 2  put k3="v17"  -> error "etcdserver: request timed out"   12.301 s .. 12.322 s  via member 3"#,
                r#"client 2  put k3="v17"  -> no answer   12.301 s .. ?  via member 3"#,
            ]
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_escaped_and_long_ones_cut() {
        assert_eq!(key(b"/registry/pods/a-1"), "/registry/pods/a-1");
        assert_eq!(key(b"\xff"), r#""\xff""#);
        assert_eq!(value(&[b'x'; 50]), format!("\"{}…\" (50 bytes)", "x".repeat(40)));
        assert_eq!(
            [span(b"a", b""), span(b"a", b"b"), span(b"a", b"\0"), span(b"\0", b"\0")],
            ["a", "a..b", "a..", "all keys"]
        );
    }

    #[test]
    fn what_was_not_recorded_is_not_shown() {
        let key = Bytes::from_static(b"a");
        let (version, lease) = (NOT_RECORDED, NOT_RECORDED);
        let mut kv = KeyValue {
            key,
            mod_revision: 4,
            create_revision: NOT_RECORDED,
            version,
            lease,
            ..Default::default()
        };
        assert_eq!(key_value(&kv), r#"a="" (mod 4)"#);
        kv.create_revision = CREATED_BEFORE;
        assert_eq!(key_value(&kv), r#"a="" (created before, mod 4)"#);
        (kv.version, kv.lease) = (2, 7);
        assert_eq!(key_value(&kv), r#"a="" (created before, mod 4, version 2, lease 7)"#);
        (kv.version, kv.lease) = (0, 0);
        assert_eq!(key_value(&kv), r#"a="" (created before, mod 4, version 0)"#);
        let header = Some(ResponseHeader { revision: NOT_RECORDED, ..Default::default() });
        assert_eq!(response(&CompactionResponse { header }.into()), "done");
        let mut put = put_k3(Outcome::Unknown { gave_up: 0 });
        put.member = MemberId::NONE;
        assert_eq!(operation(&put), r#"client 2  put k3="v17"  -> no answer   12.301 s .. ?"#);
    }

    #[test]
    fn a_transaction_shows_what_it_asked_and_which_branch_ran() {
        let compare = Compare {
            target: 2,
            key: Bytes::from_static(b"k"),
            target_union: Some(TargetUnion::ModRevision(4)),
            ..Default::default()
        };
        let put = PutRequest {
            key: Bytes::from_static(b"k"),
            value: Bytes::from_static(b"v"),
            ..Default::default()
        };
        let get = RangeRequest { key: Bytes::from_static(b"k"), ..Default::default() };
        let txn = TxnRequest {
            compare: vec![compare],
            success: vec![RequestOp { request: Some(Op::RequestPut(put)) }],
            failure: vec![RequestOp { request: Some(Op::RequestRange(get)) }],
        };
        assert_eq!(request(&txn.into()), r#"txn if mod(k)=4 then put k="v" else get k"#);
        let header = Some(ResponseHeader { revision: 9, ..Default::default() });
        let nothing = ResponseOp { response: Some(OpResponse::ResponseRange(RangeResponse::default())) };
        let answer = TxnResponse { header, succeeded: false, responses: vec![nothing] };
        assert_eq!(response(&answer.into()), "revision 9: else nothing");
        let gets = |count| listed(std::iter::repeat_n("get k".to_string(), count), ", ");
        assert_eq!((gets(2), gets(129)), ("get k, get k".to_string(), "129 times get k".to_string()));
    }
}
