//! Reads `operations.json`.

use std::io::Read;

use super::{Answer, Condition, Found, KeyValue, Op, OpResult, Operation, Range, Request, Response, Value};
use crate::error::{Error, Scan};
use crate::scan::{Cursor, each_line, each_line_of};

/// Reads the operations of a client. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file.
pub fn read(file: &str, bytes: &[u8]) -> Result<Vec<Operation>, Error> {
    let mut operations = Vec::new();
    each_line_of(file, bytes, |cursor| {
        operations.push(operation(cursor)?);
        Ok(())
    })?;
    Ok(operations)
}

/// As [`read`], for a file that is read piece by piece.
///
/// # Errors
///
/// The first mistake in the file, or that it cannot be read.
pub fn read_from(file: &str, from: impl Read) -> Result<Vec<Operation>, Error> {
    let mut operations = Vec::new();
    each_line(file, from, |cursor| {
        operations.push(operation(cursor)?);
        Ok(())
    })?;
    Ok(operations)
}

/// Reads an object whose fields all have one of the names in `known`. A field that is `null` counts as missing.
pub(super) fn object<'a>(
    cursor: &mut Cursor<'a>,
    known: &[&str],
    mut field: impl FnMut(&mut Cursor<'a>, &str) -> Scan<()>,
) -> Scan<()> {
    cursor.object()?;
    let mut seen = 0u32;
    while let Some(name) = cursor.next_field()? {
        let Some(index) = known.iter().position(|one| *one == name) else {
            let hint = format!("no known version of the report has `{name}`");
            return Err(cursor.mistake(cursor.name_offset(), format!("one of {}", known.join(", ")), hint));
        };
        if seen >> index & 1 == 1 {
            return Err(cursor.mistake(
                cursor.name_offset(),
                format!("\"{name}\" only once"),
                "leave one of the two out",
            ));
        }
        seen |= 1 << index;
        if !cursor.null() {
            field(cursor, name)?;
        }
    }
    Ok(())
}

pub(super) fn array<'a, T>(
    cursor: &mut Cursor<'a>,
    mut item: impl FnMut(&mut Cursor<'a>) -> Scan<T>,
) -> Scan<Vec<T>> {
    let mut items = Vec::new();
    cursor.array()?;
    while cursor.next_item()? {
        items.push(item(cursor)?);
    }
    Ok(items)
}

pub(super) fn text(cursor: &mut Cursor<'_>) -> Scan<String> {
    Ok(cursor.string()?.to_cow().into_owned())
}

/// An error's text. Go writes the empty text for no error.
pub(super) fn error(cursor: &mut Cursor<'_>) -> Scan<Option<String>> {
    Ok(Some(text(cursor)?).filter(|text| !text.is_empty()))
}

fn operation(cursor: &mut Cursor<'_>) -> Scan<Operation> {
    let (mut client, mut call, mut returned) = (None, None, None);
    let (mut request, mut response) = (None, None);
    let mut return_at = 0;
    object(cursor, &["ClientId", "Input", "Call", "Output", "Return", "Metadata"], |cursor, name| {
        match name {
            "ClientId" => client = Some(cursor.integer()?),
            "Input" => request = Some(self::request(cursor)?),
            "Call" => call = Some(cursor.integer()?),
            "Output" => response = Some(self::response(cursor)?),
            "Return" => {
                return_at = cursor.offset();
                returned = Some(cursor.integer()?);
            }
            _ => cursor.skip_value()?,
        }
        Ok(())
    })?;
    let missing = |name: &str| {
        let hint =
            format!("an operation has \"{name}\"; is this an operations.json of the robustness tests?");
        cursor.mistake(cursor.offset() - 1, format!("the field \"{name}\""), hint)
    };
    let read = Operation {
        client: client.ok_or_else(|| missing("ClientId"))?,
        request: request.ok_or_else(|| missing("Input"))?,
        call: call.ok_or_else(|| missing("Call"))?,
        response: response.ok_or_else(|| missing("Output"))?,
        returned: returned.ok_or_else(|| missing("Return"))?,
    };
    // Without an answer the time of the return means nothing.
    let answered = read.response.error.is_none() && read.response.persisted.is_none();
    if answered && read.returned < read.call {
        let hint = "both are times of one clock; an unknown outcome has an \"Error\"";
        return Err(cursor.mistake(return_at, format!("a return at {} or later", read.call), hint));
    }
    Ok(read)
}

const REQUESTS: [&str; 7] = ["Type", "LeaseGrant", "LeaseRevoke", "Range", "Txn", "Defragment", "Compact"];

fn request(cursor: &mut Cursor<'_>) -> Scan<Request> {
    let (mut kind, mut requests) = (None, Vec::with_capacity(1));
    object(cursor, &REQUESTS, |cursor, name| {
        let request = match name {
            "Type" => {
                kind = Some((cursor.offset(), cursor.plain_string()?));
                return Ok(());
            }
            "LeaseGrant" => ("leaseGrant", Request::LeaseGrant(number(cursor, "LeaseID")?)),
            "LeaseRevoke" => ("leaseRevoke", Request::LeaseRevoke(number(cursor, "LeaseID")?)),
            "Range" => {
                let (range, revision) = range(cursor, true)?;
                ("range", Request::Range { range, revision })
            }
            "Txn" => ("txn", txn(cursor)?),
            "Defragment" => {
                object(cursor, &[], |_, _| Ok(()))?;
                ("defragment", Request::Defragment)
            }
            _ => ("compact", Request::Compact(number(cursor, "Revision")?)),
        };
        requests.push(request);
        Ok(())
    })?;
    let end = cursor.offset() - 1;
    let Some((at, kind)) = kind else {
        return Err(cursor.mistake(end, "the field \"Type\"", "it says which of the requests this is"));
    };
    let hint = "\"Type\" must match the one request that is not null: range, txn, leaseGrant, leaseRevoke, \
                defragment or compact";
    match requests.pop() {
        Some((present, request)) if present == kind && requests.is_empty() => Ok(request),
        _ => Err(cursor.mistake(at, "the type of the one request that is not null", hint)),
    }
}

/// An object with one number.
fn number(cursor: &mut Cursor<'_>, name: &str) -> Scan<i64> {
    let mut value = 0;
    object(cursor, &[name], |cursor, _| {
        value = cursor.integer()?;
        Ok(())
    })?;
    Ok(value)
}

fn range(cursor: &mut Cursor<'_>, revisions: bool) -> Scan<(Range, i64)> {
    let known = ["Start", "End", "Limit", "Revision"];
    let (mut range, mut revision) = (Range::default(), 0);
    object(cursor, &known[..if revisions { 4 } else { 3 }], |cursor, name| {
        match name {
            "Start" => range.start = text(cursor)?,
            "End" => range.end = text(cursor)?,
            "Limit" => range.limit = cursor.integer()?,
            _ => revision = cursor.integer()?,
        }
        Ok(())
    })?;
    Ok((range, revision))
}

fn txn(cursor: &mut Cursor<'_>) -> Scan<Request> {
    let (mut conditions, mut success, mut failure) = (Vec::new(), Vec::new(), Vec::new());
    object(cursor, &["Conditions", "OperationsOnSuccess", "OperationsOnFailure"], |cursor, name| {
        match name {
            "Conditions" => conditions = array(cursor, condition)?,
            "OperationsOnSuccess" => success = array(cursor, op)?,
            _ => failure = array(cursor, op)?,
        }
        Ok(())
    })?;
    Ok(Request::Txn { conditions, success, failure })
}

fn condition(cursor: &mut Cursor<'_>) -> Scan<Condition> {
    let mut condition = Condition::default();
    object(cursor, &["Key", "ExpectedRevision", "ExpectedVersion"], |cursor, name| {
        match name {
            "Key" => condition.key = text(cursor)?,
            "ExpectedRevision" => condition.expected_revision = cursor.integer()?,
            _ => condition.expected_version = cursor.integer()?,
        }
        Ok(())
    })?;
    Ok(condition)
}

fn op(cursor: &mut Cursor<'_>) -> Scan<Op> {
    let mut kind = None;
    let (mut ranged, mut deleted) = (Range::default(), String::new());
    let (mut key, mut value, mut lease) = (String::new(), Value::default(), 0);
    object(cursor, &["Type", "Range", "Put", "Delete"], |cursor, name| {
        match name {
            "Type" => kind = Some((cursor.offset(), cursor.plain_string()?)),
            "Range" => (ranged, _) = range(cursor, false)?,
            "Put" => object(cursor, &["Key", "Value", "LeaseID"], |cursor, name| {
                match name {
                    "Key" => key = text(cursor)?,
                    "Value" => value = self::value(cursor)?,
                    _ => lease = cursor.integer()?,
                }
                Ok(())
            })?,
            _ => object(cursor, &["Key"], |cursor, _| {
                deleted = text(cursor)?;
                Ok(())
            })?,
        }
        Ok(())
    })?;
    match kind {
        Some((_, "range-operation")) => Ok(Op::Range(ranged)),
        Some((_, "put-operation")) => Ok(Op::Put { key, value, lease }),
        Some((_, "delete-operation")) => Ok(Op::Delete(deleted)),
        other => {
            let at = other.map_or(cursor.offset() - 1, |(at, _)| at);
            let hint = "\"Type\" is range-operation, put-operation or delete-operation";
            Err(cursor.mistake(at, "the type of an operation", hint))
        }
    }
}

/// A value or its hash. The recorder writes 0 or the empty text for the one it does not set.
pub(super) fn value(cursor: &mut Cursor<'_>) -> Scan<Value> {
    let (mut plain, mut hash) = (String::new(), 0);
    object(cursor, &["Value", "Hash"], |cursor, name| {
        match name {
            "Value" => plain = text(cursor)?,
            _ => hash = cursor.small()?,
        }
        Ok(())
    })?;
    Ok(if hash == 0 { Value::Text(plain) } else { Value::Hash(hash) })
}

const RESPONSES: [&str; 12] = [
    "Txn",
    "Range",
    "LeaseGrant",
    "LeaseRevoke",
    "Defragment",
    "Compact",
    "ClientError",
    "Revision",
    "Error",
    "Persisted",
    "PersistedRevision",
    "PartialResponse",
];

fn response(cursor: &mut Cursor<'_>) -> Scan<Response> {
    let start = cursor.offset();
    let mut response = Response::default();
    let (mut answers, mut persisted, mut persisted_revision, mut partial) = (0, false, 0, false);
    object(cursor, &RESPONSES, |cursor, name| {
        let answer = match name {
            "Txn" => answer_txn(cursor)?,
            "Range" => {
                let found = result(cursor, &["KVs", "Count"])?.found;
                Answer::Range(found)
            }
            "LeaseGrant" => Answer::LeaseGrant(number(cursor, "LeaseID")?),
            "LeaseRevoke" | "Defragment" | "Compact" => {
                object(cursor, &[], |_, _| Ok(()))?;
                match name {
                    "LeaseRevoke" => Answer::LeaseRevoke,
                    "Defragment" => Answer::Defragment,
                    _ => Answer::Compact,
                }
            }
            _ => {
                match name {
                    "ClientError" => response.client_error = error(cursor)?,
                    "Error" => response.error = error(cursor)?,
                    "Revision" => response.revision = cursor.integer()?,
                    "Persisted" => persisted = cursor.boolean()?,
                    "PersistedRevision" => persisted_revision = cursor.integer()?,
                    _ => partial = cursor.boolean()?,
                }
                return Ok(());
            }
        };
        answers += 1;
        response.answer = Some(answer);
        Ok(())
    })?;
    if answers > 1 {
        return Err(cursor.mistake(start, "a response of one kind", "all other kinds are null"));
    }
    // Older reports have `PartialResponse` for what later ones call `Persisted`.
    response.persisted = match (persisted, partial) {
        (true, _) => Some(persisted_revision),
        (false, true) => Some(response.revision),
        (false, false) => None,
    };
    Ok(response)
}

fn answer_txn(cursor: &mut Cursor<'_>) -> Scan<Answer> {
    let (mut failure, mut results) = (false, Vec::new());
    object(cursor, &["Failure", "Results"], |cursor, name| {
        match name {
            "Failure" => failure = cursor.boolean()?,
            _ => results = array(cursor, |cursor| result(cursor, &["KVs", "Count", "Deleted"]))?,
        }
        Ok(())
    })?;
    Ok(Answer::Txn { failure, results })
}

fn result(cursor: &mut Cursor<'_>, known: &[&str]) -> Scan<OpResult> {
    let mut result = OpResult { found: Found::default(), deleted: 0 };
    object(cursor, known, |cursor, name| {
        match name {
            "KVs" => result.found.kvs = array(cursor, key_value)?,
            "Count" => result.found.count = cursor.integer()?,
            _ => result.deleted = cursor.integer()?,
        }
        Ok(())
    })?;
    Ok(result)
}

fn key_value(cursor: &mut Cursor<'_>) -> Scan<KeyValue> {
    let mut pair = KeyValue::default();
    object(cursor, &["Key", "Value", "ModRevision", "Version"], |cursor, name| {
        match name {
            "Key" => pair.key = text(cursor)?,
            "Value" => pair.value = value(cursor)?,
            "ModRevision" => pair.mod_revision = cursor.integer()?,
            _ => pair.version = cursor.integer()?,
        }
        Ok(())
    })?;
    Ok(pair)
}
