//! Reads `operations.json`, the operations of one client.

use std::io::Read;

use super::fields::{Fields, array, error, object, text};
use super::{
    Answer, Condition, Found, KeyValue, Op, OpResult, Operation, Range, Reader, Request, Response, Value,
};
use crate::error::{Error, Scan};
use crate::scan::{Kind, Values};

/// Reads the operations of a client. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file. A field with an unknown name is no mistake; a [`Reader`] lists such fields.
pub fn read(file: &str, bytes: &[u8]) -> Result<Vec<Operation>, Error> {
    read_from(file, bytes)
}

/// As [`read`], for a file that is read piece by piece.
///
/// # Errors
///
/// The first mistake in the file, or that it cannot be read.
pub fn read_from(file: &str, from: impl Read) -> Result<Vec<Operation>, Error> {
    let mut operations = Vec::new();
    Reader::default().operations(file, from, |operation| operations.push(operation))?;
    Ok(operations)
}

impl Reader {
    /// Reads the operations of a client, piece by piece. `file` is its name in errors, and `each` takes the
    /// operations.
    ///
    /// # Errors
    ///
    /// The first mistake in the file, or that it cannot be read.
    pub fn operations(
        &mut self,
        file: &str,
        from: impl Read,
        mut each: impl FnMut(Operation),
    ) -> Result<(), Error> {
        let mut values = Values::new(file, from);
        while !values.are_over()? {
            let unknown = &mut self.unknown;
            each(values.value(|cursor| operation(&mut Fields { cursor, unknown, file }))?);
        }
        Ok(())
    }
}

/// Reads an operation.
fn operation(cursor: &mut Fields<'_, '_>) -> Scan<Operation> {
    let (mut client, mut call, mut returned) = (None, None, None);
    let (mut request, mut response) = (None, None);
    let mut return_at = 0;
    // `object` skips fields of other names. So in the `match` of this function and of those below, `_` is the last name
    // of the list.
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

/// The names of all kinds of requests.
const KINDS: [&str; 6] = ["leaseGrant", "leaseRevoke", "range", "txn", "defragment", "compact"];
/// The fields of a request.
const REQUESTS: [&str; 7] = ["Type", "LeaseGrant", "LeaseRevoke", "Range", "Txn", "Defragment", "Compact"];

/// Reads a request.
fn request(cursor: &mut Fields<'_, '_>) -> Scan<Request> {
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
        None if !kind.is_empty() && !KINDS.contains(&kind) => Ok(Request::Other(kind.to_owned())),
        _ => Err(cursor.mistake(at, "the type of the one request that is not null", hint)),
    }
}

/// An object with one number.
fn number(cursor: &mut Fields<'_, '_>, name: &str) -> Scan<i64> {
    let mut value = 0;
    object(cursor, &[name], |cursor, _| {
        value = cursor.integer()?;
        Ok(())
    })?;
    Ok(value)
}

/// Reads a range, and its revision if `revisions` is true.
fn range(cursor: &mut Fields<'_, '_>, revisions: bool) -> Scan<(Range, i64)> {
    let known = ["Start", "End", "Limit", "KeysOnly", "CountOnly", "Revision"];
    let (mut range, mut revision) = (Range::default(), 0);
    object(cursor, &known[..if revisions { 6 } else { 5 }], |cursor, name| {
        match name {
            "Start" => range.start = text(cursor)?,
            "End" => range.end = text(cursor)?,
            "Limit" => range.limit = cursor.integer()?,
            "KeysOnly" => range.keys_only = cursor.boolean()?,
            "CountOnly" => range.count_only = cursor.boolean()?,
            _ => revision = cursor.integer()?,
        }
        Ok(())
    })?;
    Ok((range, revision))
}

/// Reads a transaction.
fn txn(cursor: &mut Fields<'_, '_>) -> Scan<Request> {
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

/// Reads a condition of a transaction.
fn condition(cursor: &mut Fields<'_, '_>) -> Scan<Condition> {
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

/// Reads an operation of a transaction.
fn op(cursor: &mut Fields<'_, '_>) -> Scan<Op> {
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
pub(super) fn value(cursor: &mut Fields<'_, '_>) -> Scan<Value> {
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

/// The fields of a response.
const RESPONSES: [&str; 14] = [
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
    "member-id",
    "MemberID",
];

/// Reads a response.
fn response(cursor: &mut Fields<'_, '_>) -> Scan<Response> {
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
                    "PartialResponse" => partial = cursor.boolean()?,
                    _ => response.member = member(cursor)?,
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

/// Reads the answer to a transaction.
fn answer_txn(cursor: &mut Fields<'_, '_>) -> Scan<Answer> {
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

/// Reads the answer to an operation of a transaction.
fn result(cursor: &mut Fields<'_, '_>, known: &[&str]) -> Scan<OpResult> {
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

/// Reads a key and its value.
fn key_value(cursor: &mut Fields<'_, '_>) -> Scan<KeyValue> {
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

/// A member's id: a number, or a text with one. 0 if there was no header.
fn member(cursor: &mut Fields<'_, '_>) -> Scan<Option<String>> {
    let id = match cursor.kind() {
        Kind::String => text(cursor)?,
        _ => cursor.unsigned()?.to_string(),
    };
    Ok(Some(id).filter(|id| !id.is_empty() && id != "0"))
}
