//! Makes operations simpler: a single request instead of a transaction or a write of Kubernetes, no option, a value that is
//! not padded.

use api::Request;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{DeleteRangeRequest, RequestOp, TxnRequest};
use plan::act::{Verb, Which, Write};
use plan::{Act, PlannedOperation};

use crate::shrink::trial::Trial;

pub(super) fn simpler(trial: &mut Trial<'_>) {
    for (client, number) in super::operations::in_order(trial.best()) {
        loop {
            let candidates = candidates(&trial.best().clients[client].operations[number]);
            let found = trial.first(candidates.len(), &|plan, nth| {
                let mut plan = plan.clone();
                plan.clients[client].operations[number] = candidates[nth].clone();
                Some(plan)
            });
            if found.is_none() {
                break;
            }
        }
        if trial.over() {
            return;
        }
    }
}

/// Simpler forms of an operation, the simplest first.
fn candidates(operation: &PlannedOperation) -> Vec<PlannedOperation> {
    let mut all = Vec::new();
    if let Act::Request(Request::Txn(txn)) = &operation.act {
        all.extend(of_txn(txn).into_iter().map(|request| Act::Request(request).at(operation.at)));
    }
    if let Act::Write(write) = &operation.act {
        all.push(of_write(write).at(operation.at));
    }
    if let Act::Append(micros) = &operation.act {
        let without = |gone: usize| {
            let mut micros = micros.clone();
            micros.remove(gone);
            Act::Append(micros).at(operation.at)
        };
        all.extend((0..micros.len()).filter(|_| micros.len() > 1).map(without));
    }
    let text = operation.to_string();
    let words: Vec<&str> = text.split(' ').collect();
    // The padding of a value, `TEXT*N`; a key with a star is a prefix and has no number after it.
    for (nth, word) in words.iter().enumerate() {
        if let Some((value, length)) = word.rsplit_once('*')
            && length.trim_end_matches([',', ']']).parse::<u64>().is_ok()
        {
            let rest = length.trim_start_matches(|c: char| c.is_ascii_digit());
            let mut words = words.clone();
            let short = format!("{value}{rest}");
            words[nth] = &short;
            all.extend(words.join(" ").parse::<PlannedOperation>().ok());
        }
    }
    // A word that can be left out is an option; time, verb, key and value cannot.
    for nth in if VALUED.contains(&words[1]) { 4 } else { 3 }..words.len() {
        let mut words = words.clone();
        words.remove(nth);
        all.extend(words.join(" ").parse::<PlannedOperation>().ok());
    }
    all.retain(|simpler| simpler != operation);
    all
}

/// Verbs whose key is followed by a value.
const VALUED: &[&str] = &["put", "create", "update", "remove", "add", "campaign", "proclaim"];

/// A single request that does what a write of Kubernetes might do.
fn of_write(write: &Write) -> Act {
    let key = match &write.which {
        _ if !write.new.is_empty() => write.new.clone(),
        Which::Key(key) => key.clone(),
        Which::Nth { keys, pick } => [&keys.key[..], pick.to_string().as_bytes()].concat().into(),
    };
    match (write.verb, &write.which) {
        (Verb::Remove, Which::Nth { keys, .. }) => {
            let (key, range_end) = (keys.key.clone(), keys.end.clone());
            Act::Request(DeleteRangeRequest { key, range_end, prev_kv: false }.into())
        }
        (Verb::Remove, Which::Key(_)) => Act::delete(key),
        (Verb::Create | Verb::Update, _) => Act::put(key, write.value.clone()),
    }
}

/// The requests in a transaction, one by one, and the transaction without one of its parts.
fn of_txn(txn: &TxnRequest) -> Vec<Request> {
    let request = |op: &RequestOp| {
        Some(match op.request.clone()? {
            Op::RequestRange(request) => Request::Range(request),
            Op::RequestPut(request) => Request::Put(request),
            Op::RequestDeleteRange(request) => Request::DeleteRange(request),
            Op::RequestTxn(request) => Request::Txn(request),
        })
    };
    let mut all: Vec<Request> = txn.success.iter().chain(&txn.failure).filter_map(request).collect();
    let without = |change: &dyn Fn(&mut TxnRequest)| {
        let mut txn = txn.clone();
        change(&mut txn);
        Request::Txn(txn)
    };
    all.push(without(&|txn| txn.failure.clear()));
    all.push(without(&|txn| txn.success.clear()));
    all.extend((0..txn.compare.len()).map(|nth| without(&|txn| drop(txn.compare.remove(nth)))));
    all.extend((0..txn.success.len()).map(|nth| without(&|txn| drop(txn.success.remove(nth)))));
    all.extend((0..txn.failure.len()).map(|nth| without(&|txn| drop(txn.failure.remove(nth)))));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_padding_and_transactions_go() {
        let simpler = |text: &str| -> Vec<String> {
            let all = candidates(&text.parse().unwrap());
            all.iter().map(PlannedOperation::to_string).collect()
        };
        assert_eq!(simpler("1s put k v*100 prev"), ["1s put k v prev", "1s put k v*100"]);
        let txn = simpler("1s txn if [mod k = 4] then [put k v] else [get k]");
        assert!(txn.contains(&"1s put k v".to_string()), "{txn:?}");
        assert!(txn.contains(&"1s txn if [] then [put k v] else [get k]".to_string()), "{txn:?}");
        assert_eq!(simpler("1s get k"), Vec::<String>::new());
    }
}
