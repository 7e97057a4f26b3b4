//! Judges a history with an engine and describes the result in text.

use std::fmt::Debug;

use histories::{Operations, Recorded, RegisterValue, Value};
use linear::cycles;
use linear::models::bag::Bag;
use linear::models::keyed::Keyed;
use linear::models::list::List;
use linear::models::lock::Lock;
use linear::models::priority_queue::PriorityQueue;
use linear::models::queue::Queue;
use linear::models::register::Register;
use linear::models::set::Set;
use linear::models::stack::Stack;
use linear::models::text::Text;
use linear::{Budget, History, Limit, Model, Outcome, Verdict, validate};
use record::Record;
use serde::Serialize;
use verify::Expectations;
use verify::general::etcd::Asked;

use super::file::Content;
use crate::report::Failure;
use crate::stopwatch::Stopwatch;

/// If a conflict has more operations than this, a smaller one is searched for, because people read it.
const SMALL: usize = 6;
/// Longer answers and reasons are cut, because values can be long.
const ANSWER_SHOWN: usize = 120;
const REASON_SHOWN: usize = 240;

/// The result for one history.
#[derive(Debug, Serialize)]
pub(super) struct Judged {
    /// The model it was checked against.
    pub(super) model: &'static str,
    /// The engine that checked it.
    pub(super) engine: &'static str,
    /// The number of operations.
    pub(super) operations: usize,
    /// How it ended.
    pub(super) verdict: End,
    /// Histories of etcd: which oracles are violated, and how.
    pub(super) failure: Option<Failure>,
    /// Other models and the general engine: operations that contradict each other.
    pub(super) conflict: Option<Conflict>,
    /// The reasons why there is no verdict, one sentence each.
    pub(super) undecided: Vec<String>,
    /// Histories of etcd: what was checked.
    pub(super) checks: Vec<verify::Check>,
    /// Histories of etcd: what was not judged, and why.
    pub(super) not_judged: Vec<verify::NotJudged>,
    /// The number of independent parts, which are judged one by one.
    pub(super) components: usize,
    /// The number of configurations searched; 0 if no search was needed.
    pub(super) steps: u64,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum End {
    /// Everything holds.
    Held,
    /// There is a violation.
    Violation,
    /// The budget or the evidence did not suffice.
    Undecided,
}

/// Operations that contradict each other, as text.
#[derive(Debug, Default, Serialize)]
pub(super) struct Conflict {
    /// What the conflict is.
    pub(super) title: String,
    /// The operations, one line each, with their numbers in the file (from 0).
    pub(super) operations: Vec<String>,
    /// Whether every operation is needed for the conflict.
    pub(super) minimal: bool,
    /// For each order of the operations, why it fails.
    pub(super) excluded: Vec<String>,
    /// How many operations can be put in order before the return that makes it impossible.
    pub(super) prefix: usize,
    /// The time of that return.
    pub(super) prefix_until: Option<u64>,
}

impl Judged {
    fn new(model: &'static str, engine: &'static str, operations: usize) -> Judged {
        Judged {
            model,
            engine,
            operations,
            verdict: End::Held,
            failure: None,
            conflict: None,
            undecided: Vec::new(),
            checks: Vec::new(),
            not_judged: Vec::new(),
            components: 0,
            steps: 0,
        }
    }
}

/// The general engine; transactions on lists are judged by their cycles.
#[derive(Clone, Copy, Debug)]
pub(super) struct General<'a> {
    pub(super) budget: &'a Budget<'a>,
    /// Whether keys are judged together, as one component.
    pub(super) together: bool,
}

/// Judges a history of etcd by all oracles.
pub(super) fn by_oracles(record: &Record, expectations: &Expectations) -> Judged {
    let verdict = verify::judge(record, expectations);
    let mut judged = Judged::new("etcd", "revision", record.history.operations.len());
    judged.failure = Failure::of(&verdict, &record.history);
    let nothing = verdict.is_empty() && !verdict.not_judged.is_empty();
    (judged.undecided, judged.checks, judged.not_judged) =
        (verdict.undecided, verdict.checks, verdict.not_judged);
    if nothing && judged.undecided.is_empty() {
        judged.undecided.push("Nothing in it could be judged.".to_string());
    }
    judged.verdict = match (&judged.failure, judged.undecided.is_empty()) {
        (Some(_), _) => End::Violation,
        (None, true) => End::Held,
        (None, false) => End::Undecided,
    };
    judged
}

impl General<'_> {
    /// Judges any history with its model.
    pub(super) fn judge(&self, content: &Content) -> Judged {
        match content {
            Content::Etcd(etcd) => self.etcd(&etcd.0, &etcd.1),
            Content::Recorded(recorded) => self.recorded(recorded),
            Content::Lists(transactions) => lists(transactions),
        }
    }

    /// A history of etcd as a whole: the store and the leases are one state.
    fn etcd(&self, record: &Record, expectations: &Expectations) -> Judged {
        let history = &record.history;
        let beyond = Asked::beyond(history).or(expectations
            .open_world
            .then_some("other clients wrote, too, and their operations are not in the file"));
        if let Some(why) = beyond {
            let mut judged = Judged::new("etcd", "general", history.operations.len());
            judged.verdict = End::Undecided;
            judged.undecided.push(format!("The general engine cannot judge this history: {why}."));
            return judged;
        }
        let asked = Asked::new(history, expectations.start_revision);
        let name = |index: u32| asked.numbers[index as usize];
        let mut judged = self.linear("etcd", &asked.model, &asked.history, name);
        judged.operations = history.operations.len();
        judged.not_judged = Asked::left_out(history);
        if judged.verdict != End::Undecided {
            let (what, count) = ("operations put in order", asked.numbers.len() as u64);
            judged.checks.push(verify::Check { oracle: verify::Oracle::K1, what, count });
        }
        judged
    }

    fn recorded(&self, recorded: &Recorded) -> Judged {
        match recorded {
            Recorded::Register { cas, initial, operations } => {
                let model = Register { initial: initial.clone() };
                let name = if *cas { "cas-register" } else { "register" };
                self.operations::<Register<RegisterValue>>(name, model, operations)
            }
            Recorded::KeyValue(history) if self.together => {
                self.linear("key-value", &Keyed::together(Text), history, |index| index)
            }
            Recorded::KeyValue(history) => {
                self.linear("key-value", &Keyed::new(Text), history, |index| index)
            }
            Recorded::Queue(operations) => self.operations("queue", Queue::<Value>::new(), operations),
            Recorded::Stack(operations) => self.operations("stack", Stack::<Value>::new(), operations),
            Recorded::PriorityQueue(operations) => {
                self.operations("priority-queue", PriorityQueue::<Value>::new(), operations)
            }
            Recorded::Bag(operations) => self.operations("bag", Bag::<Value>::new(), operations),
            Recorded::Set(operations) => self.operations("set", Set::<Value>::new(), operations),
            Recorded::Lock(operations) => self.operations("lock", Lock, operations),
            Recorded::List(operations) => self.operations("list", List::<Value>::new(), operations),
        }
    }

    fn operations<M>(
        &self,
        name: &'static str,
        model: M,
        operations: &Operations<M::Input, M::Output>,
    ) -> Judged
    where
        M: Model + Sync,
        M::Input: Sync,
        M::Output: Sync,
    {
        match operations {
            Operations::Single(history) => self.linear(name, &model, history, |index| index),
            Operations::Keyed(history) if self.together => {
                self.linear(name, &Keyed::together(model), history, |index| index)
            }
            Operations::Keyed(history) => self.linear(name, &Keyed::new(model), history, |index| index),
        }
    }

    /// Judges with `linear` and validates its evidence independently.
    fn linear<M>(
        &self,
        name: &'static str,
        model: &M,
        history: &History<M::Input, M::Output>,
        number: impl Fn(u32) -> u32,
    ) -> Judged
    where
        M: Model + Sync,
        M::Input: Sync,
        M::Output: Sync,
    {
        let watch = Stopwatch::start();
        let report = linear::check(model, history, self.budget);
        let mut judged = Judged::new(name, "general", history.len());
        (judged.components, judged.steps) = (report.components, report.steps);
        match report.verdict {
            Verdict::Linearizable(witness) => {
                confirmed(validate::linearization(model, history, &witness), "order");
            }
            Verdict::NotLinearizable(mut violation) => {
                judged.verdict = End::Violation;
                if violation.conflict.operations.len() > SMALL {
                    // What is left of the time is all there is.
                    let wall_max = self.budget.wall_max.map(|wall| wall.saturating_sub(watch.elapsed()));
                    let budget = Budget { wall_max, ..self.budget.clone() };
                    violation.conflict = violation.least_conflict(model, history, &budget);
                }
                let conflict = &violation.conflict;
                match validate::conflict(model, history, &conflict.operations) {
                    Err(validate::WrongVerdict::TooLarge) => {}
                    checked => confirmed(checked, "conflict"),
                }
                let said = |index: &u32| said(model, history, *index, number(*index));
                judged.conflict = Some(Conflict {
                    title: match conflict.operations.len() {
                        1 => "this operation cannot be put in order, whatever happened to all others"
                            .to_string(),
                        some => {
                            format!(
                                "these {some} operations cannot be put in order, whatever happened to all others"
                            )
                        }
                    },
                    operations: conflict.operations.iter().map(said).collect(),
                    minimal: conflict.minimal,
                    excluded: match violation.reason(model, history) {
                        Some(reason) => vec![cut(&reason, REASON_SHOWN * 2)],
                        None => reasons(&violation.excluded(model, history), &conflict.operations, &number),
                    },
                    prefix: violation.prefix.len(),
                    prefix_until: (violation.prefix_until > 0).then_some(violation.prefix_until),
                });
            }
            Verdict::Undecided(undecided) => {
                judged.verdict = End::Undecided;
                judged.undecided.push(missing(&undecided, report.components));
            }
        }
        judged
    }
}

/// Why there is no verdict, and which option may help.
fn missing(undecided: &linear::Undecided, components: usize) -> String {
    let more = match undecided.limit {
        Limit::Steps => " More --steps may decide it.",
        Limit::Bytes => " More --memory may decide it.",
        Limit::Wall => " A longer --time-budget, or none, may decide it.",
        Limit::Cancelled => "",
    };
    format!(
        "{} of {components} parts could not be decided: {}. In the first of them, the longest order had {} of the {} answered operations.{more}",
        undecided.undecided_components,
        undecided.limit,
        undecided.deepest.len(),
        undecided.answered,
    )
}

/// Invalid evidence is a bug of ours.
fn confirmed(checked: Result<(), validate::WrongVerdict>, what: &str) {
    if let Err(why) = checked {
        panic!("the engine's {what} is invalid: {why}. Either the engine or `linear::validate` is wrong");
    }
}

fn said<M: Model>(model: &M, history: &History<M::Input, M::Output>, index: u32, number: u32) -> String {
    let operation = history.operation(index);
    let (answer, until) = match &operation.outcome {
        Outcome::Answered { output, at } => {
            (cut(&model.describe_output(&operation.input, output), ANSWER_SHOWN), at.to_string())
        }
        Outcome::Failed { at } => ("failed".to_string(), at.to_string()),
        Outcome::Unknown => ("no answer".to_string(), "?".to_string()),
    };
    let asked = model.describe_input(&operation.input);
    format!("#{number}  client {}  {asked}  -> {answer}   {} .. {until}", operation.client, operation.call)
}

/// Why orders fail, one sentence each. Operations outside the conflict can stand between its operations in many ways,
/// which all fail: they are left out, and one of these ways gives the reason.
fn reasons(excluded: &[linear::Excluded], inside: &[u32], number: &impl Fn(u32) -> u32) -> Vec<String> {
    let mut listed: Vec<(Vec<u32>, u32, &str)> = Vec::new();
    for linear::Excluded { order, next, reason, .. } in excluded {
        let order: Vec<u32> = order.iter().copied().filter(|index| inside.contains(index)).collect();
        if !listed.iter().any(|(other, after, _)| (other, after) == (&order, next)) {
            listed.push((order, *next, reason));
        }
    }
    let sentence = |(order, next, reason): (Vec<u32>, u32, &str)| {
        let order: Vec<String> = order.iter().map(|index| format!("#{}", number(*index))).collect();
        let after =
            if order.is_empty() { "at first".to_string() } else { format!("after {}", order.join(", ")) };
        format!("{after}, #{} cannot be next: {}", number(next), cut(reason, REASON_SHOWN))
    };
    listed.into_iter().map(sentence).collect()
}

/// The text, or its beginning and end if it is too long.
fn cut(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_string();
    }
    let begins: String = text.chars().take(most / 2).collect();
    let ends: String = text.chars().skip(length - most / 2).collect();
    format!("{begins} … {ends}")
}

fn lists<K, V>(transactions: &[cycles::Transaction<K, V>]) -> Judged
where
    K: Clone + Eq + std::hash::Hash + Debug,
    V: Clone + Eq + std::hash::Hash + Debug,
{
    let mut judged = Judged::new("list-append", "cycles", transactions.len());
    let named = |indices: &[u32]| {
        let line = |index: &u32| {
            let transaction = &transactions[*index as usize];
            format!("#{index}  client {}  {:?}", transaction.client, transaction.steps)
        };
        indices.iter().map(line).collect()
    };
    let verdict = cycles::check(transactions).expect("the time of an event is its position in the file");
    let conflict = match verdict {
        cycles::Verdict::Serializable(_) => return judged,
        // Not the system's fault: if a value is appended twice, a read does not show which append it saw.
        cycles::Verdict::Anomalies(anomalies)
            if anomalies.iter().all(|one| one.kind == cycles::AnomalyKind::AppendedTwice) =>
        {
            judged.verdict = End::Undecided;
            judged.undecided.extend(anomalies.first().map(|one| {
                format!("Only lists to which no value is appended twice can be judged, but {}.", one.sentence)
            }));
            return judged;
        }
        cycles::Verdict::Anomalies(anomalies) => Conflict {
            title: "no order explains what a transaction read or left".to_string(),
            operations: anomalies.first().map(|anomaly| named(&anomaly.transactions)).unwrap_or_default(),
            excluded: anomalies.into_iter().map(|anomaly| anomaly.sentence).collect(),
            ..Conflict::default()
        },
        cycles::Verdict::Cycle(edges) => Conflict {
            title: format!("{} transactions must each come before the next, in a circle", edges.len()),
            operations: named(&edges.iter().map(|edge| edge.from).collect::<Vec<_>>()),
            minimal: true,
            excluded: edges.into_iter().map(|edge| edge.sentence).collect(),
            ..Conflict::default()
        },
    };
    judged.verdict = End::Violation;
    judged.conflict = Some(conflict);
    judged
}
