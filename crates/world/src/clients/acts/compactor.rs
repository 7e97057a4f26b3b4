//! One round of a Kubernetes compactor (`apiserver/pkg/storage/etcd3/compact.go`): the compactor that
//! advances the key from the version it knows compacts to the revision of its previous round; the others
//! adopt the version they find.

use api::Response;
use api::etcdserverpb::CompactionRequest;
use api::etcdserverpb::compare::{CompareTarget, TargetUnion};
use bytes::Bytes;
use record::Probe;

use super::{Context, Heard, Script, Step, compare, op_get, op_put, put, ranges, revision, txn};

/// A round under way.
pub(super) struct Compacting {
    key: Bytes,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Begun,
    Racing,
    Compacting,
}

impl Compacting {
    pub(super) fn new(key: Bytes) -> Compacting {
        Compacting { key, state: State::Begun }
    }
}

impl Script for Compacting {
    fn next(&mut self, heard: Heard<'_>, context: &mut Context<'_>) -> Step {
        let (version, last) = context.memory.compactor;
        match (self.state, heard) {
            (State::Begun, _) => {
                self.state = State::Racing;
                let known = compare(&self.key, CompareTarget::Version, TargetUnion::Version(version));
                let value = Bytes::from(last.to_string());
                txn(known, op_put(put(&self.key, value)), vec![op_get(&self.key)])
            }
            (State::Racing, Heard::Answer(response @ Response::Txn(answer))) => {
                let now = revision(response);
                if !answer.succeeded {
                    context.reached(Probe::CompactorsBeaten);
                    let found = ranges(answer).find_map(|range| range.kvs.first());
                    context.memory.compactor = (found.map_or(0, |kv| kv.version), now);
                    return Step::Done;
                }
                context.memory.compactor = (version + 1, now);
                if last == 0 {
                    return Step::Done;
                }
                self.state = State::Compacting;
                Step::Ask(CompactionRequest { revision: last, physical: false }.into())
            }
            (State::Compacting, Heard::Answer(_)) => {
                context.count("compactions");
                Step::Done
            }
            _ => Step::Done,
        }
    }
}
