//! The act `Append`: reads lists and appends to lists, as one transaction, as Jepsen's test `append` does. Each list
//! is stored in one key. Jepsen calls the reads and appends of such a transaction micro-operations; here each is a
//! [`Micro`].
//!
//! etcd cannot append, so the act sends two transactions of etcd. The first reads the lists that are appended to. The
//! second does all reads of the plan and writes the longer lists, on the condition that the modification revisions of
//! these lists have not changed.

use std::collections::BTreeMap;

use api::Response;
use api::etcdserverpb::TxnRequest;
use bytes::Bytes;
use plan::act::Micro;

use super::{ActInput, Context, RunningAct, Step, longer, op_get, op_put, put, ranges, unchanged};

/// An append under way.
pub(super) struct RunningAppend {
    micros: Vec<Micro>,
    state: State,
}

/// The transaction of etcd whose outcome the act waits for.
#[derive(Clone, Copy)]
enum State {
    NotStarted,
    ReadLists,
    WriteLists,
}

impl RunningAppend {
    pub(super) fn new(micros: Vec<Micro>) -> RunningAppend {
        RunningAppend { micros, state: State::NotStarted }
    }

    /// The keys that are appended to, without duplicates, in order.
    fn written(&self) -> Vec<Bytes> {
        let mut keys: Vec<Bytes> = Vec::new();
        for micro in &self.micros {
            if let Micro::Append(key, _) = micro
                && !keys.contains(key)
            {
                keys.push(key.clone());
            }
        }
        keys
    }

    /// Sends the second transaction. `lists` has, for each key that is appended to, its list and its modification
    /// revision. (If the plan appends to one key twice, the transaction puts the key twice, which etcd refuses.)
    fn write(&mut self, lists: BTreeMap<Bytes, (Bytes, i64)>) -> Step {
        self.state = State::WriteLists;
        let compare = lists.iter().map(|(key, (_, revision))| unchanged(key, *revision)).collect();
        let mut lists = lists;
        let op = |micro: &Micro| match micro {
            Micro::Get(key) => op_get(key),
            Micro::Append(key, value) => {
                let (list, _) = lists.entry(key.clone()).or_default();
                *list = longer(list, value);
                op_put(put(key, list.clone()))
            }
        };
        let success = self.micros.iter().map(op).collect();
        Step::Ask(TxnRequest { compare, success, failure: Vec::new() }.into())
    }
}

impl RunningAct for RunningAppend {
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step {
        match (self.state, input) {
            (State::NotStarted, _) => {
                let keys = self.written();
                if keys.is_empty() {
                    return self.write(BTreeMap::new());
                }
                self.state = State::ReadLists;
                let success = keys.iter().map(op_get).collect();
                Step::Ask(TxnRequest { success, ..TxnRequest::default() }.into())
            }
            (State::ReadLists, ActInput::Answer(Response::Txn(answer))) => {
                let read = |range: &api::etcdserverpb::RangeResponse| {
                    range.kvs.first().map_or((Bytes::new(), 0), |kv| (kv.value.clone(), kv.mod_revision))
                };
                let lists = self.written().into_iter().zip(ranges(answer).map(read)).collect();
                self.write(lists)
            }
            (State::WriteLists, ActInput::Answer(Response::Txn(answer))) => {
                context.count(if answer.succeeded { "appends" } else { "conflicts" });
                Step::Done
            }
            _ => Step::Done,
        }
    }
}
