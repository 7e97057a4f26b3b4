//! Converts one request of etcd, with its answer, into an operation of the crate `revision` (the *engine*), which
//! judges histories of a key-value store with revisions.
//!
//! Parts of an answer that the engine does not know are left out (the head of `by_revision` lists them).

use api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use api::etcdserverpb::range_request::{SortOrder, SortTarget};
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as OpAnswer;
use api::etcdserverpb::*;
use api::mvccpb::KeyValue;
use api::{Request, Response as Reply};
use revision::{Answer, Keys, Operation, Range, Relation, Response, Seen, Step, Target, Transaction, Wide};

use super::numbers::Numbers;
use super::{NotConvertible, fits};
use crate::answer::NOT_RECORDED;
use crate::model;

/// An operation in the engine's form, without its times and its revision.
pub(super) enum EngineOperation {
    /// On one key.
    Point(Operation),
    /// On several keys, or on one key if the answer does not fit into one word.
    Wide(Box<Wide>),
}

/// The number in 32 bits, if it fits.
pub(super) fn number(number: i64) -> Result<u32, NotConvertible> {
    u32::try_from(number).map_err(|_| NotConvertible::Numbers(format!("{number} is beyond 32 bits")))
}

/// Converts a request with its answer; `None` if its outcome is unknown.
pub(super) fn convert(
    request: &Request,
    reply: Option<&Reply>,
    numbers: &Numbers<'_>,
) -> Result<EngineOperation, NotConvertible> {
    if reply.is_some_and(|reply| !fits(request, reply)) {
        return Err(NotConvertible::Numbers("an answer to another request".to_string()));
    }
    if let Some(point) = point(request, reply, numbers)? {
        return Ok(EngineOperation::Point(point));
    }
    let one = |step, answer: Option<Result<Answer, NotConvertible>>| -> Result<Wide, NotConvertible> {
        Ok(Wide::step(step, answer.transpose()?))
    };
    let wide = match (request, reply) {
        (Request::Range(range), reply) => {
            let answer = match reply {
                Some(Reply::Range(answer)) => Some(self::range_answer(range, answer, numbers)),
                _ => None,
            };
            let wide = one(Step::Range(self::range(range, numbers)?), answer)?;
            if range.serializable { wide.serializable() } else { wide }
        }
        (Request::Put(put), reply) => {
            let answer = match reply {
                Some(Reply::Put(answer)) => Some(put_answer(put, answer, numbers)),
                _ => None,
            };
            one(self::put(put, numbers)?, answer)?
        }
        (Request::DeleteRange(delete), reply) => {
            let answer = match reply {
                Some(Reply::DeleteRange(answer)) => Some(delete_answer(delete, answer, numbers)),
                _ => None,
            };
            one(Step::Delete(numbers.span(&delete.key, &delete.range_end)), answer)?
        }
        (Request::Txn(txn), reply) => {
            let answer = match reply {
                Some(Reply::Txn(answer)) => Some(txn_answer(txn, answer, numbers)?),
                _ => None,
            };
            let wide = Wide::transaction(self::txn(txn, numbers)?, answer);
            if model::is_serializable(txn) { wide.serializable() } else { wide }
        }
        _ => return Err(NotConvertible::Numbers("a request that the engine does not know".to_string())),
    };
    Ok(EngineOperation::Wide(Box::new(wide)))
}

/// Converts a request on one key without special options, which nearly all requests are; `None` for any other.
fn point(
    request: &Request,
    reply: Option<&Reply>,
    numbers: &Numbers<'_>,
) -> Result<Option<Operation>, NotConvertible> {
    Ok(match (request, reply) {
        (Request::Range(range), Some(Reply::Range(answer))) => {
            let plain = RangeRequest {
                key: range.key.clone(),
                serializable: range.serializable,
                ..RangeRequest::default()
            };
            let seen_pair = match &answer.kvs[..] {
                [] => Some(Seen::ABSENT),
                [pair] if pair.key == range.key => seen(pair, numbers)?,
                _ => None,
            };
            match seen_pair {
                Some(seen_pair)
                    if *range == plain && answer.count == answer.kvs.len() as i64 && !answer.more =>
                {
                    let key = numbers.key(&range.key)?;
                    let get = if range.serializable { Operation::get_serializable } else { Operation::get };
                    Some(get(key, seen_pair))
                }
                _ => None,
            }
        }
        (Request::Put(put), _) if !put.prev_kv && !put.ignore_value => {
            Some(Operation::put(numbers.key(&put.key)?, numbers.value(&put.value)?))
        }
        (Request::DeleteRange(delete), reply) if !delete.prev_kv && delete.range_end.is_empty() => {
            let key = numbers.key(&delete.key)?;
            match reply {
                Some(Reply::DeleteRange(answer)) if answer.deleted <= 1 => {
                    Some(Operation::delete(key, answer.deleted == 1))
                }
                Some(_) => None,
                None => Some(Operation::delete(key, true)),
            }
        }
        _ => None,
    })
}

/// A pair of an answer in the engine's form; `None` if the recorder left fields out.
fn seen(pair: &KeyValue, numbers: &Numbers<'_>) -> Result<Option<Seen>, NotConvertible> {
    if pair.create_revision == NOT_RECORDED || pair.version == NOT_RECORDED {
        return Ok(None);
    }
    let value = numbers.value(&pair.value)?;
    let (modified, created) = (number(pair.mod_revision)?, number(pair.create_revision)?);
    Ok(Some(Seen::new(value, modified, created, number(pair.version)?)))
}

/// Converts pairs of keys and values. `None` if the recorder left fields out.
fn pairs(pairs: &[KeyValue], numbers: &Numbers<'_>) -> Result<Option<Vec<(u32, Seen)>>, NotConvertible> {
    let mut converted = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let Some(seen) = seen(pair, numbers)? else { return Ok(None) };
        converted.push((numbers.key(&pair.key)?, seen));
    }
    Ok(Some(converted))
}

/// Converts a range.
fn range(range: &RangeRequest, numbers: &Numbers<'_>) -> Result<Range, NotConvertible> {
    Ok(Range {
        keys: numbers.span(&range.key, &range.range_end),
        at: if range.revision > 0 { Some(number(range.revision)?) } else { None },
        limit: number(range.limit.max(0))?,
        count_only: range.count_only,
        keys_only: range.keys_only,
    })
}

/// Whether the answer to a range has the first pairs in key order, up to its limit, without filters.
fn is_plain(range: &RangeRequest) -> bool {
    let filters = [
        range.min_mod_revision,
        range.max_mod_revision,
        range.min_create_revision,
        range.max_create_revision,
    ];
    let by_key = range.sort_target == SortTarget::Key as i32 && range.sort_order != SortOrder::Descend as i32;
    filters.iter().all(|filter| *filter == 0) && (by_key || range.limit <= 0)
}

/// Converts the answer to a range.
fn range_answer(
    range: &RangeRequest,
    answer: &RangeResponse,
    numbers: &Numbers<'_>,
) -> Result<Answer, NotConvertible> {
    let plain = is_plain(range);
    let (count, more) = (number(answer.count)?, answer.more);
    Ok(match pairs(&answer.kvs, numbers)? {
        Some(pairs) => Answer::Range {
            pairs,
            complete: plain,
            count: plain.then_some(count),
            more: plain.then_some(more),
        },
        None => {
            Answer::Range { pairs: Vec::new(), complete: false, count: plain.then_some(count), more: None }
        }
    })
}

/// Converts a put into a step of a transaction.
fn put(put: &PutRequest, numbers: &Numbers<'_>) -> Result<Step, NotConvertible> {
    let value = if put.ignore_value { None } else { Some(numbers.value(&put.value)?) };
    Ok(Step::Put { key: numbers.key(&put.key)?, value })
}

/// Converts the answer to a put.
fn put_answer(
    put: &PutRequest,
    answer: &PutResponse,
    numbers: &Numbers<'_>,
) -> Result<Answer, NotConvertible> {
    if !put.prev_kv {
        return Ok(Answer::Put(None));
    }
    Ok(Answer::Put(match &answer.prev_kv {
        Some(pair) => seen(pair, numbers)?,
        None => Some(Seen::ABSENT),
    }))
}

/// Converts the answer to a deletion.
fn delete_answer(
    delete: &DeleteRangeRequest,
    answer: &DeleteRangeResponse,
    numbers: &Numbers<'_>,
) -> Result<Answer, NotConvertible> {
    let previous = if delete.prev_kv { pairs(&answer.prev_kvs, numbers)? } else { None };
    Ok(Answer::Delete { deleted: number(answer.deleted)?, previous })
}

/// Converts a transaction.
fn txn(txn: &TxnRequest, numbers: &Numbers<'_>) -> Result<Transaction, NotConvertible> {
    let compares =
        txn.compare.iter().map(|compare| self::compare(compare, numbers)).collect::<Result<_, _>>()?;
    let steps = |ops: &[RequestOp]| ops.iter().filter_map(|op| step(op, numbers)).collect::<Result<_, _>>();
    Ok(Transaction { compares, success: steps(&txn.success)?, failure: steps(&txn.failure)? })
}

/// Converts one step of a transaction. `None` if it is empty.
fn step(op: &RequestOp, numbers: &Numbers<'_>) -> Option<Result<Step, NotConvertible>> {
    Some(match op.request.as_ref()? {
        Op::RequestRange(range) => self::range(range, numbers).map(Step::Range),
        Op::RequestPut(put) => self::put(put, numbers),
        Op::RequestDeleteRange(delete) => Ok(Step::Delete(numbers.span(&delete.key, &delete.range_end))),
        Op::RequestTxn(txn) => self::txn(txn, numbers).map(Step::Nested),
    })
}

/// Converts a condition of a transaction.
fn compare(compare: &Compare, numbers: &Numbers<'_>) -> Result<revision::Compare, NotConvertible> {
    let at = |at: i64| number(at);
    // The engine has no leases, and no compares without the operand of their target (etcd compares with 0 then). The
    // error `Leases` stands for both.
    let target = match (CompareTarget::try_from(compare.target), &compare.target_union) {
        (Ok(CompareTarget::Value), Some(TargetUnion::Value(value))) => Target::Value(numbers.value(value)?),
        (Ok(CompareTarget::Version), Some(TargetUnion::Version(version))) => Target::Version(at(*version)?),
        (Ok(CompareTarget::Create), Some(TargetUnion::CreateRevision(revision))) => {
            Target::Created(at(*revision)?)
        }
        (Ok(CompareTarget::Mod), Some(TargetUnion::ModRevision(revision))) => {
            Target::Modified(at(*revision)?)
        }
        _ => return Err(NotConvertible::Leases),
    };
    let relation = match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => Relation::Equal,
        Ok(CompareResult::NotEqual) => Relation::NotEqual,
        Ok(CompareResult::Less) => Relation::Less,
        Ok(CompareResult::Greater) => Relation::Greater,
        Err(_) => return Err(NotConvertible::Numbers("a comparison that has no name".to_string())),
    };
    let keys: Keys = numbers.span(&compare.key, &compare.range_end);
    Ok(revision::Compare { keys, target, relation })
}

/// Converts the answer to a transaction.
fn txn_answer(
    txn: &TxnRequest,
    answer: &TxnResponse,
    numbers: &Numbers<'_>,
) -> Result<Response, NotConvertible> {
    let branch = if answer.succeeded { &txn.success } else { &txn.failure };
    let ops = branch.iter().filter_map(|op| op.request.as_ref());
    let one = |(op, answer): (&Op, &ResponseOp)| -> Result<Answer, NotConvertible> {
        match (op, answer.response.as_ref()) {
            (Op::RequestRange(range), Some(OpAnswer::ResponseRange(answer))) => {
                range_answer(range, answer, numbers)
            }
            (Op::RequestPut(put), Some(OpAnswer::ResponsePut(answer))) => put_answer(put, answer, numbers),
            (Op::RequestDeleteRange(delete), Some(OpAnswer::ResponseDeleteRange(answer))) => {
                delete_answer(delete, answer, numbers)
            }
            (Op::RequestTxn(txn), Some(OpAnswer::ResponseTxn(answer))) => {
                txn_answer(txn, answer, numbers).map(Answer::Nested)
            }
            _ => Err(NotConvertible::Numbers("an answer to another part of a transaction".to_string())),
        }
    };
    let answers = ops.zip(&answer.responses).map(one).collect::<Result<_, _>>()?;
    Ok(Response { succeeded: answer.succeeded, answers })
}
