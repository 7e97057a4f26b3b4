//! Judges histories of counters and banks. Some violations show in the sums alone, without a search: a read that no
//! additions can sum up to, or a total that no transfer can change. Only if there is none, the general engine searches.

use std::collections::BTreeMap;

use histories::{Operations, Value};
use linear::models::bank::{self, Bank};
use linear::models::counter::{self, Counter};
use linear::{Budget, History, Operation, validate};

use super::any::{self, Listed};
use super::engine::{Conflict, End, General, Judgement, assert_valid, conflict_title, operation_line};
use crate::stopwatch::Stopwatch;

impl General<'_> {
    /// Judges counters.
    pub(super) fn counter(
        &self,
        model: Counter,
        operations: &Operations<counter::Input, counter::Output>,
    ) -> Judgement {
        for (history, numbers) in by_key(operations) {
            let Some(contradiction) = counter::contradiction(&model, &history) else { continue };
            let line = |index: u32| self.line(&model, &history, index, &numbers);
            let conflict = match contradiction {
                counter::Contradiction::OutOfRange { read, least, most } => Conflict {
                    title: "this read shows what the additions cannot sum up to".to_string(),
                    operations: vec![line(read)],
                    // It contradicts all additions together, so there is no small part of the history to name.
                    excluded: vec![format!(
                        "from the call of #{} to its return, the counter showed at least {least} and at most {most}, whichever additions in flight took effect",
                        numbers[read as usize]
                    )],
                    ..Conflict::default()
                },
                counter::Contradiction::Backwards { earlier, later } => Conflict {
                    title: conflict_title(2),
                    operations: vec![line(earlier), line(later)],
                    numbers: vec![numbers[earlier as usize], numbers[later as usize]],
                    minimal: true,
                    excluded: vec![format!(
                        "nothing negative is added, but #{}, which was called after #{} had returned, shows less",
                        numbers[later as usize], numbers[earlier as usize]
                    )],
                    ..Conflict::default()
                },
            };
            return violation("counter", operations.len(), conflict);
        }
        let mut judged = self.operations("counter", model, operations);
        if judged.verdict == End::Undecided {
            let sums = "Every read shows what the additions in flight or answered can sum up to.";
            judged.undecided.push(sums.to_string());
        }
        judged
    }

    /// Judges banks.
    pub(super) fn bank(&self, operations: &Operations<bank::Input<Value>, bank::Output<Value>>) -> Judgement {
        let model = Bank { initial: None, negative: self.negative };
        for (history, numbers) in by_key(operations) {
            let Some(contradiction) = bank::contradiction(&model, &history) else { continue };
            let line = |index: u32| self.line(&model, &history, index, &numbers);
            let number = |index: u32| numbers[index as usize];
            let (reads, reason) = match contradiction {
                bank::Contradiction::Totals { earlier, had, later, has } => (
                    vec![earlier, later],
                    format!(
                        "#{} shows {had} in all and #{} shows {has}, but no transfer changes that",
                        number(earlier),
                        number(later)
                    ),
                ),
                bank::Contradiction::Negative { read, account, balance } => (
                    vec![read],
                    format!(
                        "#{} shows {balance} in account {account:?}; if accounts may hold less than nothing, --negative-balances says so",
                        number(read)
                    ),
                ),
                bank::Contradiction::NoBalance { read, account } => {
                    (vec![read], format!("#{} shows account {account:?} without a balance", number(read)))
                }
            };
            let title = conflict_title(reads.len());
            let conflict = Conflict {
                title,
                operations: reads.iter().map(|read| line(*read)).collect(),
                numbers: reads.into_iter().map(number).collect(),
                minimal: true,
                excluded: vec![reason],
                ..Conflict::default()
            };
            return violation("bank", operations.len(), conflict);
        }
        let watch = Stopwatch::start();
        if let Some(judged) = self.starting_with_the_first_read(&model, operations) {
            return judged;
        }
        let wall_max = self.budget.wall_max.map(|wall| wall.saturating_sub(watch.elapsed()));
        let budget = Budget { wall_max, ..self.budget.clone() };
        General { budget: &budget, ..*self }.operations("bank", model, operations)
    }

    /// Judges the history with the balances of its first read as the initial ones, which is faster than to search for
    /// some initial balances. Returns a verdict only if the history is linearizable that way.
    fn starting_with_the_first_read(
        &self,
        model: &Bank<Value>,
        operations: &Operations<bank::Input<Value>, bank::Output<Value>>,
    ) -> Option<Judgement> {
        let Operations::Single(history) = operations else { return None };
        let reads = history
            .operations()
            .iter()
            .filter(|operation| matches!(operation.output(), Some(bank::Output::Balances(_))));
        let first = reads.min_by_key(|operation| operation.returned())?;
        let model = model.starting_with(first.output()?)?;
        // It gets half of the time. The other half is for all other initial balances.
        let wall_max = self.budget.wall_max.map(|wall| wall / 2);
        let budget = Budget { explain: false, wall_max, ..self.budget.clone() };
        let (model, any_history) = (model.any(), any::single::<Bank<Value>>(history));
        let report = linear::check(&model, &any_history, &budget);
        let linear::Verdict::Linearizable(order) = report.verdict else { return None };
        assert_valid(validate::linearization(&model, &any_history, &order), "order");
        let mut judged = Judgement::new("bank", "general", history.len());
        (judged.components, judged.steps) = (report.components, report.steps);
        Some(judged)
    }

    pub(super) fn line<M: linear::Model>(
        &self,
        model: &M,
        history: &History<M::Input, M::Output>,
        index: u32,
        numbers: &[u32],
    ) -> String {
        operation_line(model, history, index, &self.cited(numbers[index as usize]))
    }
}

fn violation(model: &'static str, operations: usize, conflict: Conflict) -> Judgement {
    let mut judged = Judgement::new(model, "sums", operations);
    judged.verdict = End::Violation;
    judged.conflict = Some(conflict);
    judged
}

/// Operations of one key, and the number of each in the file.
type Numbered<I, O> = (Vec<Operation<I, O>>, Vec<u32>);

/// The operations of every key, each with its number in the file.
pub(super) fn by_key<I: Clone, O: Clone>(operations: &Operations<I, O>) -> Vec<(History<I, O>, Vec<u32>)> {
    let mut keys: BTreeMap<Option<&Value>, Numbered<I, O>> = BTreeMap::new();
    match operations {
        Operations::Single(history) => {
            let all = (0..).zip(history.operations());
            let (numbers, operations) = all.map(|(number, operation)| (number, operation.clone())).unzip();
            keys.insert(None, (operations, numbers));
        }
        Operations::Keyed(history) => {
            for (number, operation) in (0..).zip(history.operations()) {
                let (operations, numbers) = keys.entry(Some(&operation.input.key)).or_default();
                operations.push(Operation {
                    client: operation.client,
                    input: operation.input.input.clone(),
                    call: operation.call,
                    outcome: operation.outcome.clone(),
                });
                numbers.push(number);
            }
        }
    }
    let history = |(operations, numbers)| {
        let history = History::from_operations(operations).expect("operations of a history are valid");
        (history, numbers)
    };
    keys.into_values().map(history).collect()
}
