//! The act `Compactor`: one round of Kubernetes' compactor (`apiserver/pkg/storage/etcd3/compact.go`).
//!
//! Several compactors share a key. In each round, every one of them tries to put the key on the condition that the
//! key still has the version that the compactor knows. The one that succeeds compacts to the revision that it saw in
//! its previous round. The others remember the version that they find, for the next round.

use api::Response;
use api::etcdserverpb::CompactionRequest;
use api::etcdserverpb::compare::{CompareTarget, TargetUnion};
use bytes::Bytes;
use record::Probe;

use super::{ActInput, Context, RunningAct, Step, compare, op_get, op_put, put, ranges, revision, txn};

/// A round under way.
pub(super) struct RunningCompactor {
    key: Bytes,
    state: State,
}

/// The request whose outcome the act waits for.
#[derive(Clone, Copy)]
enum State {
    NotStarted,
    AdvanceKey,
    Compact,
}

impl RunningCompactor {
    pub(super) fn new(key: Bytes) -> RunningCompactor {
        RunningCompactor { key, state: State::NotStarted }
    }
}

impl RunningAct for RunningCompactor {
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step {
        let (version, last) = context.memory.compactor;
        match (self.state, input) {
            (State::NotStarted, _) => {
                self.state = State::AdvanceKey;
                let known = compare(&self.key, CompareTarget::Version, TargetUnion::Version(version));
                let value = Bytes::from(last.to_string());
                txn(known, op_put(put(&self.key, value)), vec![op_get(&self.key)])
            }
            (State::AdvanceKey, ActInput::Answer(response @ Response::Txn(answer))) => {
                let current = revision(response);
                if !answer.succeeded {
                    context.reached(Probe::CompactorsBeaten);
                    let found = ranges(answer).find_map(|range| range.kvs.first());
                    context.memory.compactor = (found.map_or(0, |kv| kv.version), current);
                    return Step::Done;
                }
                context.memory.compactor = (version + 1, current);
                // The first round: there is no revision of a previous round to compact to.
                if last == 0 {
                    return Step::Done;
                }
                self.state = State::Compact;
                Step::Ask(CompactionRequest { revision: last, physical: false }.into())
            }
            (State::Compact, ActInput::Answer(_)) => {
                context.count("compactions");
                Step::Done
            }
            _ => Step::Done,
        }
    }
}
