//! Prints operations as lines of a file. The head of [`super`] has the grammar. `acts` prints the acts that are not
//! single requests.

use api::Request;
use api::etcdserverpb::compare::TargetUnion;
use api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
    request_op,
};
use bytes::Bytes;

use super::acts::{RANGE_STREAM, print as print_act};
use super::parse::request as request_of;
use super::{COMPARES, RESULTS, SORTS, is_bare};
use crate::{LAST, PlannedOperation, SEEN};
use schedule::units::Unit;

/// Writes an operation.
pub(crate) fn print(operation: &PlannedOperation) -> String {
    format!("{} {}", Unit::Time.print(operation.at.into()), print_act(&operation.act))
}

/// A request as it is written in a plan.
pub(super) fn print_request(request: &Request) -> String {
    let short = match request {
        Request::Range(range) => print_range(range),
        Request::Put(put) => print_put(put),
        Request::DeleteRange(delete) => print_delete(delete),
        Request::Txn(txn) => print_txn(txn),
        Request::Compact(compact) => print_compact(compact),
        Request::LeaseGrant(grant) => format!("grant {} ttl={}", grant.id, grant.ttl),
        Request::LeaseRevoke(revoke) => format!("revoke {}", print_lease(revoke.id)),
        Request::LeaseKeepAlive(alive) => format!("keep-alive {}", print_lease(alive.id)),
        Request::LeaseTimeToLive(ask) => {
            format!("time-to-live {}{}", print_lease(ask.id), if ask.keys { " keys" } else { "" })
        }
        Request::LeaseLeases(_) => "leases".into(),
        _ => String::new(), // no short form; an empty text cannot be read back, so `call` is used below
    };
    match request_of(&short) {
        Ok(read) if read == *request => short,
        // The short form cannot express everything, such as an unknown enum value. `call` can.
        _ => format!("call {} {}", request.rpc_name(), request.to_json()),
    }
}

/// The id of a lease, or a revision; either may be the placeholder [`LAST`].
pub(super) fn print_lease(id: i64) -> String {
    if id == LAST { "seen".into() } else { id.to_string() }
}

/// A range that is requested in chunks, as it is written in a plan.
pub(super) fn print_stream(range: &RangeRequest) -> String {
    // The short form is that of a range, with another verb.
    match print_request(&range.clone().into()).strip_prefix("get ") {
        Some(short) => format!("stream {short}"),
        None => format!("call {RANGE_STREAM} {}", Request::from(range.clone()).to_json()),
    }
}

fn print_range(range: &RangeRequest) -> String {
    let mut text = format!("get {}", print_keys(&range.key, &range.range_end));
    if range.revision != 0 {
        text += &format!(" @{}", print_lease(range.revision));
    }
    for (word, on) in [
        ("serializable", range.serializable),
        ("keys-only", range.keys_only),
        ("count-only", range.count_only),
    ] {
        if on {
            text += &format!(" {word}");
        }
    }
    if range.sort_order != 0 || range.sort_target != 0 {
        let order = ["by", "ascend", "descend"].get(range.sort_order as usize).unwrap_or(&"");
        let target = SORTS.iter().find(|sort| sort.1 as i32 == range.sort_target).map_or("", |sort| sort.0);
        text += &format!(" {order}={target}");
    }
    for (name, number) in [
        ("limit", range.limit),
        ("min-mod", range.min_mod_revision),
        ("max-mod", range.max_mod_revision),
        ("min-create", range.min_create_revision),
        ("max-create", range.max_create_revision),
    ] {
        if number != 0 {
            text += &format!(" {name}={number}");
        }
    }
    text
}

fn print_put(put: &PutRequest) -> String {
    let mut text = format!("put {} {}", print_piece(&put.key), print_value(&put.value));
    for (word, on) in
        [("prev", put.prev_kv), ("ignore-value", put.ignore_value), ("ignore-lease", put.ignore_lease)]
    {
        if on {
            text += &format!(" {word}");
        }
    }
    if put.lease != 0 {
        text += &format!(" lease={}", print_lease(put.lease));
    }
    text
}

fn print_delete(delete: &DeleteRangeRequest) -> String {
    let prev = if delete.prev_kv { " prev" } else { "" };
    format!("delete {}{prev}", print_keys(&delete.key, &delete.range_end))
}

fn print_compact(compact: &CompactionRequest) -> String {
    let physical = if compact.physical { " physical" } else { "" };
    format!("compact {}{physical}", print_lease(compact.revision))
}

fn print_txn(txn: &TxnRequest) -> String {
    let compares: Vec<String> = txn.compare.iter().map(print_compare).collect();
    let branch = |ops: &[RequestOp]| ops.iter().map(print_op).collect::<Vec<_>>().join(", ");
    format!(
        "txn if [{}] then [{}] else [{}]",
        compares.join(", "),
        branch(&txn.success),
        branch(&txn.failure)
    )
}

fn print_op(op: &RequestOp) -> String {
    match &op.request {
        Some(request_op::Request::RequestRange(range)) => print_range(range),
        Some(request_op::Request::RequestPut(put)) => print_put(put),
        Some(request_op::Request::RequestDeleteRange(delete)) => print_delete(delete),
        Some(request_op::Request::RequestTxn(txn)) => print_txn(txn),
        None => String::new(),
    }
}

fn print_compare(compare: &Compare) -> String {
    let target = COMPARES.iter().find(|known| known.1 as i32 == compare.target).map_or("", |known| known.0);
    let result = RESULTS.iter().find(|known| known.1 as i32 == compare.result).map_or("", |known| known.0);
    let with = match &compare.target_union {
        Some(TargetUnion::Value(value)) => print_value(value),
        Some(TargetUnion::ModRevision(SEEN)) => "seen".into(),
        Some(
            TargetUnion::Version(number)
            | TargetUnion::CreateRevision(number)
            | TargetUnion::ModRevision(number)
            | TargetUnion::Lease(number),
        ) => number.to_string(),
        None => String::new(),
    };
    format!("{target} {} {result} {with}", print_keys(&compare.key, &compare.range_end))
}

/// A key or a range of keys.
pub(super) fn print_keys(key: &Bytes, end: &Bytes) -> String {
    if end.is_empty() {
        print_piece(key)
    } else if key == "\0" && end == "\0" {
        "*".into()
    } else if *end == api::key_range::prefix_end(key) && !key.is_empty() {
        format!("{}*", print_piece(key))
    } else if end == "\0" {
        format!("{}..", print_piece(key))
    } else {
        format!("{}..{}", print_piece(key), print_piece(end))
    }
}

/// A value; if it ends in dots, in the short form.
pub(super) fn print_value(value: &Bytes) -> String {
    let stem = value.iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1);
    if stem == value.len() {
        print_piece(value)
    } else {
        format!("{}*{}", print_piece(&value[..stem]), value.len())
    }
}

/// A key or a value, in quotes if it needs them.
pub(super) fn print_piece(bytes: &[u8]) -> String {
    if !bytes.is_empty() && bytes.iter().all(|byte| is_bare(*byte)) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut text = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            other => text += &format!("\\x{other:02x}"),
        }
    }
    text + "\""
}
