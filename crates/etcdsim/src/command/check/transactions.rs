//! Judges histories of transactions on lists or registers. Each transaction depends on others: it read what they wrote,
//! or overwrote it. A cycle of such dependencies is a violation. For registers the dependencies may be unclear; then
//! the general engine searches for an order.

use std::fmt::Debug;

use histories::edn::{RegisterTransaction, Transaction};
use histories::{RegisterValue, Value};
use linear::cycles::{self, Anomaly, AnomalyKind, Edge, Step, registers};
use linear::models::transactions::{Step as Part, Transactions};
use linear::{History, Operation, Outcome};

use super::any::{self, Listed};
use super::engine::{Conflict, End, General, Judgement};

impl General<'_> {
    /// Judges transactions that append to lists.
    pub(super) fn lists(&self, transactions: &[Transaction]) -> Judgement {
        let mut judged = Judgement::new("list-append", "cycles", transactions.len());
        let line = |index: u32| {
            let Transaction { client, steps, .. } = &transactions[index as usize];
            self.transaction(index, *client, steps.iter().map(list_step))
        };
        let verdict = cycles::check(transactions).expect("the time of an event is its position in the file");
        let conflict = match verdict {
            cycles::Verdict::Serializable(_) => return judged,
            // A mistake of the test: if a value is appended twice, a read does not show which append it saw.
            cycles::Verdict::Anomalies(anomalies)
                if anomalies.iter().all(|one| one.kind == AnomalyKind::AppendedTwice) =>
            {
                judged.verdict = End::Undecided;
                judged.undecided.extend(anomalies.first().map(|one| {
                    format!(
                        "Only lists to which no value is appended twice can be judged, but {}.",
                        one.sentence
                    )
                }));
                return judged;
            }
            cycles::Verdict::Anomalies(anomalies) => wrong(anomalies, line),
            cycles::Verdict::Cycle(edges) => circle(edges, line),
        };
        judged.verdict = End::Violation;
        judged.conflict = Some(conflict);
        judged
    }

    /// Judges transactions that write registers.
    pub(super) fn registers(
        &self,
        transactions: &[RegisterTransaction],
        initial: &RegisterValue,
    ) -> Judgement {
        let mut judged = Judgement::new("rw-register", "cycles", transactions.len());
        let line = |index: u32| {
            let RegisterTransaction { client, steps, .. } = &transactions[index as usize];
            self.transaction(index, *client, steps.iter().map(register_step))
        };
        let verdict = registers::check(transactions, initial)
            .expect("the time of an event is its position in the file");
        let conflict = match verdict {
            registers::Verdict::Serializable(_) => return judged,
            registers::Verdict::Anomalies(anomalies) => wrong(anomalies, line),
            registers::Verdict::Cycle(edges) => circle(edges, line),
            registers::Verdict::Unclear(why) => {
                let history = History::from_operations(transactions.iter().map(operation))
                    .expect("the time of an event is its position in the file");
                let model = Transactions::new(initial.clone());
                let any_history = any::single::<Transactions<Value, RegisterValue>>(&history);
                let mut judged = self.linear("rw-register", &model.any(), &any_history, |index| index);
                if judged.verdict == End::Undecided {
                    judged.undecided.insert(0, format!("The dependencies alone do not decide it: {why}."));
                }
                return judged;
            }
        };
        judged.verdict = End::Violation;
        judged.conflict = Some(conflict);
        judged
    }

    fn transaction(&self, index: u32, client: u32, steps: impl Iterator<Item = String>) -> String {
        format!("{}  client {client}  {}", self.cited(index), steps.collect::<Vec<_>>().join(", "))
    }
}

/// A step of a transaction on lists, in words.
pub(super) fn list_step(step: &Step<Value, Value>) -> String {
    match step {
        Step::Append(key, value) => format!("append {value:?} to {key:?}"),
        Step::Read(key, seen) => read(key, seen.as_ref()),
    }
}

/// A step of a transaction on registers, in words.
pub(super) fn register_step(step: &registers::Step<Value, RegisterValue>) -> String {
    match step {
        registers::Step::Write(key, value) => format!("write {value:?} to {key:?}"),
        registers::Step::Read(key, seen) => read(key, seen.as_ref()),
    }
}

fn read<V: Debug>(key: &Value, seen: Option<&V>) -> String {
    match seen {
        Some(seen) => format!("read {key:?} -> {seen:?}"),
        None => format!("read {key:?} -> no answer"),
    }
}

fn wrong(anomalies: Vec<Anomaly>, line: impl Fn(u32) -> String) -> Conflict {
    let first =
        anomalies.first().map(|anomaly| anomaly.transactions.iter().map(|&index| line(index)).collect());
    Conflict {
        title: "no order explains what a transaction read or left".to_string(),
        operations: first.unwrap_or_default(),
        excluded: anomalies.into_iter().map(|anomaly| anomaly.sentence).collect(),
        ..Conflict::default()
    }
}

fn circle(edges: Vec<Edge>, line: impl Fn(u32) -> String) -> Conflict {
    Conflict {
        title: format!("{} transactions must each come before the next, in a circle", edges.len()),
        operations: edges.iter().map(|edge| line(edge.from)).collect(),
        minimal: true,
        excluded: edges.into_iter().map(|edge| edge.sentence).collect(),
        ..Conflict::default()
    }
}

/// A transaction in the form that the general engine reads.
fn operation(
    transaction: &RegisterTransaction,
) -> Operation<Vec<Part<Value, RegisterValue>>, Vec<RegisterValue>> {
    let RegisterTransaction { client, call, outcome, steps } = transaction;
    let (mut input, mut output) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            registers::Step::Write(key, value) => input.push(Part::Write(key.clone(), value.clone())),
            registers::Step::Read(key, seen) => {
                input.push(Part::Read(key.clone()));
                output.extend(seen.clone());
            }
        }
    }
    let outcome = match outcome {
        Outcome::Answered { at, .. } => Outcome::Answered { output, at: *at },
        Outcome::Failed { at } => Outcome::Failed { at: *at },
        Outcome::Unknown => Outcome::Unknown,
    };
    Operation { client: *client, input, call: *call, outcome }
}
