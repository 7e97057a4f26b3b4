//! A fast reader for the lines that make up nearly all of a history: requests to the store, answered or without an
//! answer.
//!
//! It accepts a part of what the readers derived with serde accept, in the spelling that recorders write, and returns
//! the same values. Every other line, and every line with a mistake, it leaves to the derived readers, which have the
//! error messages (`tests/history_file.rs` compares the two).

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::request_op::Request as AskedOp;
use api::etcdserverpb::response_op::Response as AnsweredOp;
use api::etcdserverpb::*;
use api::mvccpb::KeyValue;
use api::{Request, Response};
use bytes::Bytes;
use histories::scan::{Cursor, Kind};
use record::{MemberId, Operation, Outcome};

/// How deep transactions may be nested here; deeper ones are left to the derived reader.
const NESTED_MAX: u32 = 8;

/// The operation on a line, if this reader knows its form.
pub(super) fn operation(line: &str) -> Option<Operation> {
    let mut cursor = Cursor::new(1, line.as_bytes()).ok()?;
    let cursor = &mut cursor;
    let (mut client, mut member, mut user) = (None, None, None);
    let (mut call, mut returned, mut gave_up) = (None, None, None);
    let (mut rpc, mut request, mut response) = (None, None, None);
    fields(cursor, |cursor, name| {
        Some(match name {
            "client" => {
                client = Some(cursor.small().ok()?);
                0
            }
            "member" => {
                member = Some(MemberId::new(cursor.small().ok()?));
                1
            }
            "user" => {
                user = Some(cursor.string().ok()?.to_cow());
                2
            }
            "rpc" => {
                rpc = Some(Rpc::named(cursor.plain_string().ok()?)?);
                3
            }
            "request" => {
                request = Some(self::request(rpc?, cursor)?);
                4
            }
            "response" => {
                response = Some(self::response(rpc?, cursor)?);
                5
            }
            "call" => {
                call = Some(cursor.unsigned().ok()?);
                6
            }
            "return" => {
                returned = Some(cursor.unsigned().ok()?);
                7
            }
            "gave_up" => {
                gave_up = Some(cursor.unsigned().ok()?);
                8
            }
            _ => return None,
        })
    })?;
    cursor.end().ok()?;
    let call = call?;
    let outcome = match (returned, response) {
        (Some(at), Some(response)) if at >= call => Outcome::Answer { at, response },
        (None, None) => Outcome::Unknown { gave_up: gave_up.unwrap_or(call) },
        _ => return None,
    };
    let user = user.map(|user| user.as_ref().into());
    Some(Operation {
        client: client?,
        member: member?,
        user,
        request: request?,
        streamed: false,
        call,
        outcome,
    })
}

/// The calls that this reader knows.
#[derive(Clone, Copy)]
enum Rpc {
    Range,
    Put,
    DeleteRange,
    Txn,
}

impl Rpc {
    /// The RPC with this name, if it is one that this parser knows.
    fn named(name: &str) -> Option<Rpc> {
        Some(match name {
            "Range" => Rpc::Range,
            "Put" => Rpc::Put,
            "DeleteRange" => Rpc::DeleteRange,
            "Txn" => Rpc::Txn,
            _ => return None,
        })
    }
}

/// Reads an object. `field` reads the value of the field with that name and returns a number that no other field has;
/// this shows when a field comes twice. A field that is `null` counts as absent.
fn fields<'a>(
    cursor: &mut Cursor<'a>,
    mut field: impl FnMut(&mut Cursor<'a>, &'a str) -> Option<u32>,
) -> Option<()> {
    cursor.object().ok()?;
    let mut seen = 0_u32;
    while let Some(name) = cursor.next_field().ok()? {
        if cursor.null() {
            continue;
        }
        let bit = 1 << field(cursor, name)?;
        if seen & bit != 0 {
            return None;
        }
        seen |= bit;
    }
    Some(())
}

/// Reads an object whose fields are named as those of the message.
macro_rules! message {
    ($cursor:expr, $message:ident { $($field:ident: $read:expr),+ $(,)? }) => {{
        let mut message = $message::default();
        fields($cursor, |cursor, name| {
            let mut bit = 0;
            $(
                if name == stringify!($field) {
                    message.$field = $read(cursor)?.into();
                    return Some(bit);
                }
                bit += 1;
            )+
            let _ = bit;
            None
        })?;
        Some(message)
    }};
}

/// Reads an array whose items `item` reads.
fn list<'a, T>(
    cursor: &mut Cursor<'a>,
    mut item: impl FnMut(&mut Cursor<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    cursor.array().ok()?;
    let mut items = Vec::new();
    while cursor.next_item().ok()? {
        items.push(item(cursor)?);
    }
    Some(items)
}

/// A number of 64 bits, with quotes or without.
#[inline]
fn number(cursor: &mut Cursor<'_>) -> Option<i64> {
    match cursor.kind() {
        Kind::String => cursor.quoted_integer().ok(),
        _ => cursor.integer().ok(),
    }
}

#[inline]
fn unsigned(cursor: &mut Cursor<'_>) -> Option<u64> {
    match cursor.kind() {
        Kind::String => cursor.quoted_unsigned().ok(),
        _ => cursor.unsigned().ok(),
    }
}

#[inline]
fn bytes(cursor: &mut Cursor<'_>) -> Option<Bytes> {
    api::decode_base64(cursor.plain_string().ok()?).ok()
}

#[inline]
fn boolean(cursor: &mut Cursor<'_>) -> Option<bool> {
    cursor.boolean().ok()
}

/// Reads the request of an RPC.
fn request(rpc: Rpc, cursor: &mut Cursor<'_>) -> Option<Request> {
    Some(match rpc {
        Rpc::Range => Request::Range(range_request(cursor)?),
        Rpc::Put => Request::Put(put_request(cursor)?),
        Rpc::DeleteRange => Request::DeleteRange(delete_request(cursor)?),
        Rpc::Txn => Request::Txn(txn_request(cursor, NESTED_MAX)?),
    })
}

/// Reads the response of an RPC.
fn response(rpc: Rpc, cursor: &mut Cursor<'_>) -> Option<Response> {
    Some(match rpc {
        Rpc::Range => Response::Range(range_response(cursor)?),
        Rpc::Put => Response::Put(put_response(cursor)?),
        Rpc::DeleteRange => Response::DeleteRange(delete_response(cursor)?),
        Rpc::Txn => Response::Txn(txn_response(cursor, NESTED_MAX)?),
    })
}

fn range_request(cursor: &mut Cursor<'_>) -> Option<RangeRequest> {
    message!(
        cursor,
        RangeRequest {
            key: bytes,
            range_end: bytes,
            limit: number,
            revision: number,
            serializable: boolean,
            keys_only: boolean,
            count_only: boolean,
        }
    )
}

fn put_request(cursor: &mut Cursor<'_>) -> Option<PutRequest> {
    message!(
        cursor,
        PutRequest {
            key: bytes,
            value: bytes,
            lease: number,
            prev_kv: boolean,
            ignore_value: boolean,
            ignore_lease: boolean,
        }
    )
}

fn delete_request(cursor: &mut Cursor<'_>) -> Option<DeleteRangeRequest> {
    message!(cursor, DeleteRangeRequest { key: bytes, range_end: bytes, prev_kv: boolean })
}

fn txn_request(cursor: &mut Cursor<'_>, deeper: u32) -> Option<TxnRequest> {
    let deeper = deeper.checked_sub(1)?;
    let ops = |cursor: &mut Cursor<'_>| list(cursor, |cursor| request_op(cursor, deeper));
    let compares = |cursor: &mut Cursor<'_>| list(cursor, compare);
    message!(cursor, TxnRequest { compare: compares, success: ops, failure: ops })
}

fn request_op(cursor: &mut Cursor<'_>, deeper: u32) -> Option<RequestOp> {
    let mut request = None;
    fields(cursor, |cursor, name| {
        request = Some(match name {
            "request_range" => AskedOp::RequestRange(range_request(cursor)?),
            "request_put" => AskedOp::RequestPut(put_request(cursor)?),
            "request_delete_range" => AskedOp::RequestDeleteRange(delete_request(cursor)?),
            "request_txn" => AskedOp::RequestTxn(txn_request(cursor, deeper)?),
            _ => return None,
        });
        Some(0)
    })?;
    Some(RequestOp { request })
}

/// Reads a compare. The field of the value to compare with has another name for each target.
fn compare(cursor: &mut Cursor<'_>) -> Option<Compare> {
    let mut compare = Compare::default();
    fields(cursor, |cursor, name| {
        compare.target_union = Some(match name {
            "result" => {
                compare.result = CompareResult::from_str_name(cursor.plain_string().ok()?)? as i32;
                return Some(0);
            }
            "target" => {
                compare.target = CompareTarget::from_str_name(cursor.plain_string().ok()?)? as i32;
                return Some(1);
            }
            "key" => {
                compare.key = bytes(cursor)?;
                return Some(2);
            }
            "range_end" => {
                compare.range_end = bytes(cursor)?;
                return Some(3);
            }
            "version" => TargetUnion::Version(number(cursor)?),
            "create_revision" => TargetUnion::CreateRevision(number(cursor)?),
            "mod_revision" => TargetUnion::ModRevision(number(cursor)?),
            "value" => TargetUnion::Value(bytes(cursor)?),
            "lease" => TargetUnion::Lease(number(cursor)?),
            _ => return None,
        });
        Some(4)
    })?;
    Some(compare)
}

fn header(cursor: &mut Cursor<'_>) -> Option<ResponseHeader> {
    message!(
        cursor,
        ResponseHeader { cluster_id: unsigned, member_id: unsigned, revision: number, raft_term: unsigned }
    )
}

fn pair(cursor: &mut Cursor<'_>) -> Option<KeyValue> {
    message!(
        cursor,
        KeyValue {
            key: bytes,
            create_revision: number,
            mod_revision: number,
            version: number,
            value: bytes,
            lease: number,
        }
    )
}

fn pairs(cursor: &mut Cursor<'_>) -> Option<Vec<KeyValue>> {
    list(cursor, pair)
}

fn range_response(cursor: &mut Cursor<'_>) -> Option<RangeResponse> {
    message!(cursor, RangeResponse { header: header, kvs: pairs, more: boolean, count: number })
}

fn put_response(cursor: &mut Cursor<'_>) -> Option<PutResponse> {
    message!(cursor, PutResponse { header: header, prev_kv: pair })
}

fn delete_response(cursor: &mut Cursor<'_>) -> Option<DeleteRangeResponse> {
    message!(cursor, DeleteRangeResponse { header: header, deleted: number, prev_kvs: pairs })
}

fn txn_response(cursor: &mut Cursor<'_>, deeper: u32) -> Option<TxnResponse> {
    let deeper = deeper.checked_sub(1)?;
    let ops = |cursor: &mut Cursor<'_>| list(cursor, |cursor| response_op(cursor, deeper));
    message!(cursor, TxnResponse { header: header, succeeded: boolean, responses: ops })
}

fn response_op(cursor: &mut Cursor<'_>, deeper: u32) -> Option<ResponseOp> {
    let mut response = None;
    fields(cursor, |cursor, name| {
        response = Some(match name {
            "response_range" => AnsweredOp::ResponseRange(range_response(cursor)?),
            "response_put" => AnsweredOp::ResponsePut(put_response(cursor)?),
            "response_delete_range" => AnsweredOp::ResponseDeleteRange(delete_response(cursor)?),
            "response_txn" => AnsweredOp::ResponseTxn(txn_response(cursor, deeper)?),
            _ => return None,
        });
        Some(0)
    })?;
    Some(ResponseOp { response })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operation that the derived reader returns for a line.
    fn derived(line: &str) -> Option<Operation> {
        crate::history_file::operation("a history", 0, line).ok()
    }

    #[test]
    fn reads_what_the_derived_reader_reads() {
        for line in [
            r#"{"client": 1, "member": 2, "rpc": "Put", "request": {"key": "azM=", "value": "NC0x", "lease": "7", "prev_kv": true}, "call": 5, "return": 9, "response": {"header": {"cluster_id": "5", "member_id": "16", "revision": "2", "raft_term": "2"}, "prev_kv": {"key": "azM=", "create_revision": "1", "mod_revision": "1", "version": "1", "value": "YQ"}}}"#,
            r#"{"client": 1, "member": 0, "user": "r\u00f6ot", "rpc": "Range", "request": {"key": "azM", "range_end": "AA==", "limit": 3, "revision": "4", "serializable": true, "keys_only": null}, "call": 5, "return": 9, "response": {"header": {"revision": 2}, "kvs": [], "count": "8", "more": true}}"#,
            r#"{"client":1,"member":2,"rpc":"DeleteRange","request":{"key":"_-8="},"call":5,"return":null}"#,
            r#"{"client":1,"member":2,"rpc":"DeleteRange","request":{},"call":5,"return":null,"gave_up":17}"#,
            r#"{"client": 7, "member": 1, "rpc": "Txn", "request": {"compare": [{"key": "azA=", "target": "MOD", "result": "EQUAL", "mod_revision": "0"}, {"target": "VALUE", "result": "GREATER", "value": "YQ=="}], "success": [{"request_put": {"key": "azA="}}, {"request_txn": {"failure": [{"request_delete_range": {"key": "YQ=="}}]}}], "failure": [{"request_range": {"key": "azA="}}, {}]}, "call": 1, "return": 1, "response": {"header": {"revision": "4"}, "succeeded": true, "responses": [{"response_put": {"header": {"revision": "4"}}}, {"response_txn": {"responses": [{"response_delete_range": {"deleted": "1"}}]}}, {}]}}"#,
        ] {
            let quick = operation(line);
            assert!(quick.is_some(), "{line}");
            assert_eq!(quick, derived(line), "{line}");
        }
    }

    #[test]
    fn leaves_to_the_derived_reader_what_it_does_not_know() {
        for line in [
            // Known to the other reader: another spelling, an error, another call, the call's name after its request.
            r#"{"client": 1, "member": 2, "rpc": "Range", "request": {"key": "azM=", "rangeEnd": "AA=="}, "call": 5, "return": null}"#,
            r#"{"client": 1, "member": 2, "rpc": "Put", "request": {}, "call": 5, "return": 9, "error": {"message": "etcdserver: key is not provided", "code": 3}}"#,
            r#"{"client": 1, "member": 2, "rpc": "Compact", "request": {"revision": "3"}, "call": 5, "return": null}"#,
            r#"{"client": 1, "member": 2, "request": {"key": "YQ=="}, "rpc": "Put", "call": 5, "return": null}"#,
            // Wrong: a field twice, an unknown field, a return before the call, invalid base64.
            r#"{"client": 1, "client": 1, "member": 2, "rpc": "Put", "request": {}, "call": 5, "return": null}"#,
            r#"{"client": 1, "member": 2, "rpc": "Put", "request": {"kee": "YQ=="}, "call": 5, "return": null}"#,
            r#"{"client": 1, "member": 2, "rpc": "Put", "request": {}, "call": 5, "return": 4, "response": {}}"#,
            r#"{"client": 1, "member": 2, "rpc": "Put", "request": {"key": "!"}, "call": 5, "return": null}"#,
            r#"{"client": 1, "member": 2, "rpc": "Put", "request": {}, "call": 5, "return": null} x"#,
            r#"{"client": 1, "member": 2, "rpc": "Put", "call": 5, "return": null}"#,
        ] {
            assert_eq!(operation(line), None, "{line}");
        }
    }
}
