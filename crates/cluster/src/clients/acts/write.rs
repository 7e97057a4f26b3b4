//! The act `Write`: creates, updates or removes an object, as Kubernetes does
//! (`apiserver/pkg/storage/etcd3/store.go`, `GuaranteedUpdate`). An object is one key with its value.
//!
//! The plan names the object in one of two ways ([`Which`]): by its key, or as the nth object in the copy of a key
//! range that the client keeps. The copy has, for each key, the modification revision that the client last saw.
//!
//! The act sends a transaction on the condition that the object still has that modification revision. If the
//! condition fails, another client changed the object: the transaction returns it as it is now, and the act tries
//! again with the revision it has now.
//!
//! After a write that failed or has an unknown outcome, the copy may be wrong. The next write from this copy
//! therefore first lists the keys again, as the traffic of etcd's robustness tests does
//! (`tests/robustness/traffic/kubernetes.go`).

use api::Response;
use bytes::Bytes;
use plan::act::{Verb, Which, Write};

use super::list::List;
use super::{
    ActInput, Context, RunningAct, Step, get, op_delete, op_get, op_put, put, ranges, txn, unchanged,
};

/// A write under way.
pub(super) struct RunningWrite {
    plan: Write,
    /// How many transactions it has sent.
    attempts: u32,
    state: State,
}

/// What the act waits for.
enum State {
    NotStarted,
    /// The list of all keys. It is read first if there is no copy or the copy may be wrong.
    ListKeys(List),
    /// The read of an object that the plan gives by its key and that is in no copy.
    ReadObject,
    /// The answer to the transaction, which does this to the object with this key.
    WriteObject(Verb, Bytes),
}

impl RunningWrite {
    pub(super) fn new(plan: Write) -> RunningWrite {
        RunningWrite { plan, attempts: 0, state: State::NotStarted }
    }

    /// Decides which object to write, and whether to create, update or remove it.
    ///
    /// If the plan gives the object by its key, the plan also says what to do. If the plan gives it by its number in
    /// a copy, the number of objects in the copy is kept near the plan's `about`: if there are fewer than half as
    /// many, the act always creates an object; if there are more than one and a half times as many, it always removes
    /// one.
    fn decide(&mut self, context: &mut Context<'_>) -> Step {
        match self.plan.which.clone() {
            Which::Key(key) => match context.memory.copied(&key) {
                Some(revision) => self.write(self.plan.verb, key, revision),
                None => {
                    self.state = State::ReadObject;
                    Step::Ask(get(&key).into())
                }
            },
            Which::Nth { keys, pick } => {
                let Some(copy) = context.memory.copies.get(&keys) else { return Step::Done };
                let count = copy.pairs.len() as u64;
                let about = u64::from(self.plan.about);
                let verb = match self.plan.verb {
                    _ if count < about / 2 => Verb::Create,
                    _ if about > 0 && count * 2 > about * 3 => Verb::Remove,
                    verb => verb,
                };
                if verb == Verb::Create {
                    return match self.plan.new.is_empty() {
                        true => Step::Done,
                        false => self.write(verb, self.plan.new.clone(), 0),
                    };
                }
                let picked = copy.pairs.iter().nth((pick % count.max(1)) as usize);
                match picked.map(|(key, revision)| (key.clone(), *revision)) {
                    Some((key, revision)) => self.write(verb, key, revision),
                    None => Step::Done,
                }
            }
        }
    }

    /// Sends the transaction. `revision` is the modification revision that the object is expected to have; 0 means
    /// that it is expected not to exist. An update with 0 creates the object. Each attempt writes another value, so
    /// that no two requests write the same one.
    fn write(&mut self, verb: Verb, key: Bytes, revision: i64) -> Step {
        if verb == Verb::Remove && revision == 0 {
            return Step::Done;
        }
        let revision = if verb == Verb::Create { 0 } else { revision };
        self.attempts += 1;
        let mut value = self.plan.value.clone();
        if self.attempts > 1 {
            value = [&value[..], format!("~{}", self.attempts).as_bytes()].concat().into();
        }
        let success = match verb {
            Verb::Remove => op_delete(&key),
            Verb::Create | Verb::Update => {
                let mut put = put(&key, value);
                put.lease = self.plan.lease;
                op_put(put)
            }
        };
        let failure = if verb == Verb::Create { Vec::new() } else { vec![op_get(&key)] };
        self.state = State::WriteObject(verb, key.clone());
        txn(unchanged(&key, revision), success, failure)
    }

    /// Takes the answer to the transaction. If its condition failed, tries again if the plan allows another try.
    fn txn_answered(
        &mut self,
        verb: Verb,
        key: Bytes,
        response: &Response,
        context: &mut Context<'_>,
    ) -> Step {
        let Response::Txn(answer) = response else { return Step::Done };
        if answer.succeeded {
            context.count(match verb {
                Verb::Create => "objects-created",
                Verb::Update => "objects-updated",
                Verb::Remove => "objects-removed",
            });
            return Step::Done;
        }
        context.count("conflicts");
        if verb == Verb::Create || self.attempts >= self.plan.tries {
            return Step::Done;
        }
        let found = ranges(answer).find_map(|range| range.kvs.first());
        match (found, &self.plan.which) {
            (Some(kv), _) => self.write(verb, key, kv.mod_revision),
            (None, Which::Key(_)) => self.write(verb, key, 0),
            // Another client removed the object, and an object that was picked from a copy is not created anew.
            (None, Which::Nth { .. }) => Step::Done,
        }
    }

    /// The transaction was answered with an error or not at all. The object may have changed, so the copy may be
    /// wrong.
    fn failed(&self, context: &mut Context<'_>) -> Step {
        if let Which::Nth { keys, .. } = &self.plan.which
            && let Some(copy) = context.memory.copies.get_mut(keys)
        {
            copy.doubtful = true;
        }
        Step::Done
    }
}

impl RunningAct for RunningWrite {
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step {
        match std::mem::replace(&mut self.state, State::NotStarted) {
            State::NotStarted => {
                let Which::Nth { keys, .. } = &self.plan.which else { return self.decide(context) };
                if context.memory.copies.get(keys).is_some_and(|copy| !copy.doubtful) {
                    return self.decide(context);
                }
                let mut list = List::new(keys.clone(), 0, false);
                let step = list.next(ActInput::Begin, context);
                self.state = State::ListKeys(list);
                step
            }
            State::ListKeys(mut list) => match list.next(input, context) {
                Step::Done => match &self.plan.which {
                    Which::Nth { keys, .. }
                        if context.memory.copies.get(keys).is_some_and(|copy| !copy.doubtful) =>
                    {
                        self.decide(context)
                    }
                    _ => Step::Done,
                },
                step => {
                    self.state = State::ListKeys(list);
                    step
                }
            },
            State::ReadObject => match (input, &self.plan.which) {
                (ActInput::Answer(Response::Range(range)), Which::Key(key)) => {
                    let revision = range.kvs.first().map_or(0, |kv| kv.mod_revision);
                    let key = key.clone();
                    self.write(self.plan.verb, key, revision)
                }
                _ => Step::Done,
            },
            State::WriteObject(verb, key) => match input {
                ActInput::Answer(response) => self.txn_answered(verb, key, response, context),
                _ => self.failed(context),
            },
        }
    }
}
