//! How answers are written.

use std::io::Write as _;

use api::Response;
use api::etcdserverpb::response_op::Response as Answer;
use api::etcdserverpb::{DeleteRangeResponse, PutResponse, RangeResponse, ResponseHeader, TxnResponse};
use api::mvccpb::KeyValue;
use serde_json::{Map, Value};

use crate::args::{Form, Global};

/// Fields that hold text or bytes in the JSON of an answer. All other strings there are numbers.
const TEXTS: &[&str] = &[
    "key",
    "value",
    "range_end",
    "blob",
    "name",
    "peerURLs",
    "clientURLs",
    "version",
    "errors",
    "storageVersion",
    "token",
    "type",
    "alarm",
    "targetVersion",
];

/// Writes an answer as JSON, as Go would: integers are numbers, not strings.
pub fn json(answer: &Response) {
    println!("{}", with_numbers(answer.to_json(), answer.rpc_name() == "Status"));
}

/// The JSON of an answer, with its integers as numbers.
pub fn with_numbers(value: Value, is_status: bool) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| {
                // The version of a key is a number; that of a server is a text.
                let is_text = TEXTS.contains(&&*name) && (name != "version" || is_status);
                let value = match value {
                    Value::String(text) if !is_text => text
                        .parse::<i64>()
                        .map(Value::from)
                        .or_else(|_| text.parse::<u64>().map(Value::from))
                        .unwrap_or(Value::String(text)),
                    value if is_text => value,
                    value => with_numbers(value, is_status),
                };
                (name, value)
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(|item| with_numbers(item, is_status)).collect(),
        value => value,
    }
}

/// Bytes for people.
fn text_of(bytes: &[u8], global: &Global) -> Vec<u8> {
    match global.hex {
        true => bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>().into_bytes(),
        false => bytes.to_vec(),
    }
}

/// Writes bytes as a line.
fn line(bytes: &[u8], global: &Global) {
    let mut out = std::io::stdout().lock();
    // If the reader has gone, the next write ends the command.
    let _ = out.write_all(&text_of(bytes, global)).and_then(|()| out.write_all(b"\n"));
}

/// Writes a pair: its key, then its value.
pub fn pair(pair: &KeyValue, only_value: bool, global: &Global) {
    if !only_value {
        line(&pair.key, global);
    }
    line(&pair.value, global);
}

/// Writes the answer to a put.
pub fn put(answer: &PutResponse, global: &Global) {
    println!("OK");
    if let Some(before) = &answer.prev_kv {
        pair(before, false, global);
    }
}

/// Writes the answer to a get.
pub fn range(answer: &RangeResponse, only_values: bool, global: &Global) {
    answer.kvs.iter().for_each(|kv| pair(kv, only_values, global));
}

/// Writes the answer to a removal.
pub fn del(answer: &DeleteRangeResponse, global: &Global) {
    println!("{}", answer.deleted);
    answer.prev_kvs.iter().for_each(|kv| pair(kv, false, global));
}

/// Writes the answer to a transaction.
pub fn txn(answer: &TxnResponse, global: &Global) {
    println!("{}", if answer.succeeded { "SUCCESS" } else { "FAILURE" });
    for response in &answer.responses {
        println!();
        match &response.response {
            Some(Answer::ResponseRange(answer)) => range(answer, false, global),
            Some(Answer::ResponsePut(answer)) => put(answer, global),
            Some(Answer::ResponseDeleteRange(answer)) => del(answer, global),
            Some(Answer::ResponseTxn(answer)) => txn(answer, global),
            None => {}
        }
    }
}

/// Writes a header, one field a line.
fn header_fields(header: Option<&ResponseHeader>) {
    let header = header.copied().unwrap_or_default();
    println!("\"ClusterID\" : {}", header.cluster_id);
    println!("\"MemberID\" : {}", header.member_id);
    println!("\"Revision\" : {}", header.revision);
    println!("\"RaftTerm\" : {}", header.raft_term);
}

fn pair_fields(before: &str, kv: &KeyValue) {
    println!("\"{before}Key\" : {:?}", String::from_utf8_lossy(&kv.key));
    println!("\"{before}CreateRevision\" : {}", kv.create_revision);
    println!("\"{before}ModRevision\" : {}", kv.mod_revision);
    println!("\"{before}Version\" : {}", kv.version);
    println!("\"{before}Value\" : {:?}", String::from_utf8_lossy(&kv.value));
    println!("\"{before}Lease\" : {}", kv.lease);
}

/// Writes the answer about keys in the form that was asked for.
pub fn answer(answer: &Response, only_values: bool, global: &Global) {
    match (global.write_out, answer) {
        (Form::Json, answer) => json(answer),
        (Form::Simple, Response::Range(answer)) => range(answer, only_values, global),
        (Form::Simple, Response::Put(answer)) => put(answer, global),
        (Form::Simple, Response::DeleteRange(answer)) => del(answer, global),
        (Form::Simple, Response::Txn(answer)) => txn(answer, global),
        (Form::Fields, Response::Range(answer)) => {
            header_fields(answer.header.as_ref());
            answer.kvs.iter().for_each(|kv| pair_fields("", kv));
            println!("\"More\" : {}\n\"Count\" : {}", answer.more, answer.count);
        }
        (Form::Fields, Response::Put(answer)) => {
            header_fields(answer.header.as_ref());
            if let Some(kv) = &answer.prev_kv {
                pair_fields("Prev", kv);
            }
        }
        (Form::Fields, Response::DeleteRange(answer)) => {
            header_fields(answer.header.as_ref());
            println!("\"Deleted\" : {}", answer.deleted);
            answer.prev_kvs.iter().for_each(|kv| pair_fields("Prev", kv));
        }
        (_, answer) => json(answer),
    }
}
