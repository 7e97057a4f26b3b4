//! Judges a history with one of the two engines, and describes the verdict in text.
//!
//! The engine `revision` judges histories of etcd by the revisions in the answers, together with all oracles. The
//! general engine (`linear`) judges any history with a model, by a search if nothing else decides. Its verdicts are
//! validated by separate code before they are shown.

use histories::edn::Indices;
use histories::{Operations, Recorded, RegisterValue, Value};
use linear::models::bag::Bag;
use linear::models::counter::Counter;
use linear::models::keyed::Keyed;
use linear::models::list::List;
use linear::models::lock::Lock;
use linear::models::priority_queue::PriorityQueue;
use linear::models::queue::Queue;
use linear::models::register::Register;
use linear::models::set::Set;
use linear::models::stack::Stack;
use linear::models::text::Text;
use linear::models::versioned::Versioned;
use linear::{Budget, History, Limit, Model, Outcome, Verdict, validate};
use record::Record;
use serde::Serialize;
use verify::Expectations;
use verify::general::etcd::{Asked, Etcd};

use super::any::{self, AnyModel, AnyOperations, Key, KeyedHistory, Listed};
use super::file::Content;
use super::hints;
use crate::report::Failure;
use crate::stopwatch::Stopwatch;

/// If a conflict has more operations than this, a smaller one is searched for: people can follow a few operations.
const SMALL: usize = 6;
/// The most characters shown of an answer and of a reason, because values can be long.
const ANSWER_SHOWN: usize = 120;
const REASON_SHOWN: usize = 240;

/// The result for one history.
#[derive(Debug, Serialize)]
pub(super) struct Judgement {
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
    /// What besides a bug of the system may explain the violation, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hints: Vec<String>,
    /// Histories of etcd: what was checked.
    pub(super) checks: Vec<verify::Check>,
    /// Histories of etcd: what was not judged, and why.
    pub(super) not_judged: Vec<verify::NotJudged>,
    /// The number of independent parts of the history, which are judged separately.
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
    /// The budget was used up, or the history does not show enough.
    Undecided,
}

/// Operations that contradict each other, as text.
#[derive(Debug, Default, Serialize)]
pub(super) struct Conflict {
    /// What the conflict is.
    pub(super) title: String,
    /// The operations, one line each, with their numbers in the file (from 0).
    pub(super) operations: Vec<String>,
    /// The numbers of `operations`.
    #[serde(skip)]
    pub(super) numbers: Vec<u32>,
    /// Whether every operation is needed for the conflict.
    pub(super) minimal: bool,
    /// For each order of the operations, why it fails.
    pub(super) excluded: Vec<String>,
    /// How many operations can be put in order before the return that makes it impossible.
    pub(super) prefix: usize,
    /// The time of that return.
    pub(super) prefix_until: Option<u64>,
}

impl Judgement {
    pub(super) fn new(model: &'static str, engine: &'static str, operations: usize) -> Judgement {
        Judgement {
            model,
            engine,
            operations,
            verdict: End::Held,
            failure: None,
            conflict: None,
            undecided: Vec::new(),
            hints: Vec::new(),
            checks: Vec::new(),
            not_judged: Vec::new(),
            components: 0,
            steps: 0,
        }
    }
}

impl Judgement {
    /// Adds violations that the clients of the test reported themselves.
    pub(super) fn report(&mut self, reported: &[String]) {
        if reported.is_empty() {
            return;
        }
        self.verdict = End::Violation;
        let conflict = self.conflict.get_or_insert_with(|| Conflict {
            title: "a client of the test saw this itself".to_string(),
            ..Conflict::default()
        });
        conflict.excluded.extend(reported.iter().cloned());
    }
}

/// The general engine with its options.
#[derive(Clone, Copy, Debug)]
pub(super) struct General<'a> {
    pub(super) budget: &'a Budget<'a>,
    /// Whether keys are judged together, as one component.
    pub(super) together: bool,
    /// Whether the balance of an account may be negative.
    pub(super) negative: bool,
    /// For each operation of a Jepsen history, the numbers of its events there; empty for other histories.
    pub(super) indices: &'a [Indices],
}

/// Judges a history of etcd by all oracles.
pub(super) fn by_oracles(record: &Record, expectations: &Expectations) -> Judgement {
    of_verdict(verify::judge(record, expectations), record)
}

/// The judgement that a verdict on a record amounts to.
pub(super) fn of_verdict(verdict: verify::Verdict, record: &Record) -> Judgement {
    let mut judged = Judgement::new("etcd", "revision", record.history.operations.len());
    judged.failure = Failure::of(&verdict, &record.history);
    let nothing = verdict.is_empty();
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
    pub(super) fn judge(&self, content: &Content) -> Judgement {
        match content {
            Content::Etcd(etcd) => self.etcd(&etcd.0, &etcd.1),
            Content::Recorded(recorded) => self.recorded(recorded),
            Content::Lists(transactions) => self.lists(transactions),
            Content::Registers(transactions, initial) => self.registers(transactions, initial),
        }
    }

    /// The name of an operation in texts: its number, and for Jepsen the numbers of its events.
    pub(super) fn cited(&self, number: u32) -> String {
        match self.indices.get(number as usize) {
            Some(Indices { invoke: Some(invoke), end: Some(end) }) => {
                format!("#{number} (:index {invoke}, {end})")
            }
            Some(Indices { invoke: Some(invoke), end: None }) => format!("#{number} (:index {invoke})"),
            _ => format!("#{number}"),
        }
    }

    /// A history of etcd as a whole: the store and the leases are one state.
    fn etcd(&self, record: &Record, expectations: &Expectations) -> Judgement {
        let history = &record.history;
        let beyond = Asked::beyond(history).or(expectations
            .open_world
            .then_some("other clients wrote, too, and their operations are not in the file"));
        if let Some(why) = beyond {
            let mut judged = Judgement::new("etcd", "general", history.operations.len());
            judged.verdict = End::Undecided;
            judged.undecided.push(format!("The general engine cannot judge this history: {why}."));
            return judged;
        }
        let asked = Asked::new(history, expectations.start_revision);
        let name = |index: u32| asked.numbers[index as usize];
        let history_of_any = any::single::<Etcd>(&asked.history);
        let mut judged = self.linear("etcd", &asked.model.any(), &history_of_any, name);
        judged.operations = history.operations.len();
        judged.not_judged = Asked::left_out(history);
        if judged.verdict != End::Undecided {
            let (what, count) = ("operations put in order", asked.numbers.len() as u64);
            judged.checks.push(verify::Check { oracle: verify::Oracle::K1, what, count });
        }
        judged
    }

    fn recorded(&self, recorded: &Recorded) -> Judgement {
        match recorded {
            Recorded::Register { cas, initial, operations } => {
                let model = Register { initial: initial.clone() };
                let name = if *cas { "cas-register" } else { "register" };
                self.operations::<Register<RegisterValue>>(name, model, operations)
            }
            Recorded::Versioned { initial, operations } => {
                self.operations("versioned-register", Versioned { initial: initial.clone() }, operations)
            }
            Recorded::Counter { initial, operations } => {
                self.counter(Counter { initial: *initial }, operations)
            }
            Recorded::Bank(operations) => self.bank(operations),
            Recorded::KeyValue(history) => {
                let history = any::keyed::<Text, String>(history, |key| Key::Text(key));
                self.keyed("key-value", Text.any(), &history)
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

    pub(super) fn operations<M: Listed>(
        &self,
        name: &'static str,
        model: M,
        operations: &Operations<M::Input, M::Output>,
    ) -> Judgement {
        match any::operations::<M>(operations) {
            AnyOperations::Single(history) => self.linear(name, &model.any(), &history, |index| index),
            AnyOperations::Keyed(history) => self.keyed(name, model.any(), &history),
        }
    }

    fn keyed<'a>(&self, name: &'static str, model: AnyModel<'a>, history: &KeyedHistory<'a>) -> Judgement {
        let model = if self.together { Keyed::together(model) } else { Keyed::new(model) };
        self.linear(name, &model, history, |index| index)
    }

    /// Judges with `linear` and validates its evidence independently.
    pub(super) fn linear<M>(
        &self,
        name: &'static str,
        model: &M,
        history: &History<M::Input, M::Output>,
        number: impl Fn(u32) -> u32,
    ) -> Judgement
    where
        M: Model + Sync,
        M::Input: Sync,
        M::Output: Sync,
    {
        let watch = Stopwatch::start();
        let report = linear::check(model, history, self.budget);
        let mut judged = Judgement::new(name, "general", history.len());
        (judged.components, judged.steps) = (report.components, report.steps);
        match report.verdict {
            Verdict::Linearizable(order) => {
                assert_valid(validate::linearization(model, history, &order), "order");
            }
            Verdict::NotLinearizable(mut violation) => {
                judged.verdict = End::Violation;
                if violation.conflict.operations.len() > SMALL {
                    // The search for a smaller conflict gets what is left of the time.
                    let wall_max = self.budget.wall_max.map(|wall| wall.saturating_sub(watch.elapsed()));
                    let budget = Budget { wall_max, ..self.budget.clone() };
                    violation.conflict = violation.least_conflict(model, history, &budget);
                }
                let conflict = &violation.conflict;
                match validate::conflict(model, history, &conflict.operations) {
                    Err(validate::WrongVerdict::TooLarge) => {}
                    checked => assert_valid(checked, "conflict"),
                }
                let line = |index: &u32| operation_line(model, history, *index, &self.cited(number(*index)));
                judged.hints.extend(hints::failed_writes(model, history, &violation, &|index| {
                    self.cited(number(index))
                }));
                judged.conflict = Some(Conflict {
                    title: conflict_title(conflict.operations.len()),
                    operations: conflict.operations.iter().map(line).collect(),
                    numbers: conflict.operations.iter().map(|index| number(*index)).collect(),
                    minimal: conflict.minimal,
                    excluded: match violation.reason(model, history) {
                        Some(reason) => vec![shorten(&reason, REASON_SHOWN * 2)],
                        None => reasons(&violation.excluded(model, history), &conflict.operations, &number),
                    },
                    prefix: violation.prefix.len(),
                    prefix_until: (violation.prefix_until > 0).then_some(violation.prefix_until),
                });
            }
            Verdict::Undecided(undecided) => {
                judged.verdict = End::Undecided;
                judged.undecided.push(why_undecided(&undecided, report.components));
            }
        }
        judged
    }
}

/// Why there is no verdict, and which option may help.
fn why_undecided(undecided: &linear::Undecided, components: usize) -> String {
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

/// Panics if the proof of a verdict is invalid: that is a bug of ours.
pub(super) fn assert_valid(checked: Result<(), validate::WrongVerdict>, what: &str) {
    if let Err(why) = checked {
        panic!("the engine's {what} is invalid: {why}. Either the engine or `linear::validate` is wrong");
    }
}

/// The title of a conflict of this many operations.
pub(super) fn conflict_title(operations: usize) -> String {
    match operations {
        1 => "this operation cannot be put in order, whether or not the others took effect".to_string(),
        some => {
            format!("these {some} operations cannot be put in order, whether or not the others took effect")
        }
    }
}

/// A line about an operation; `cited` is its name.
pub(super) fn operation_line<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    index: u32,
    cited: &str,
) -> String {
    let operation = history.operation(index);
    let (answer, until) = match &operation.outcome {
        Outcome::Answered { output, at } => {
            (shorten(&model.describe_output(&operation.input, output), ANSWER_SHOWN), at.to_string())
        }
        Outcome::Failed { at } => ("failed".to_string(), at.to_string()),
        Outcome::Unknown => ("no answer".to_string(), "?".to_string()),
    };
    let asked = model.describe_input(&operation.input);
    format!("{cited}  client {}  {asked}  -> {answer}   {} .. {until}", operation.client, operation.call)
}

/// Why each order of the conflict's operations fails, one sentence each. The search also tried to place other
/// operations between them. All those attempts fail, too; the sentence says why one of them fails, without the other
/// operations.
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
        format!("{after}, #{} cannot be next: {}", number(next), shorten(reason, REASON_SHOWN))
    };
    listed.into_iter().map(sentence).collect()
}

/// The text; if it is too long, its beginning and its end.
fn shorten(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_string();
    }
    let begins: String = text.chars().take(most / 2).collect();
    let ends: String = text.chars().skip(length - most / 2).collect();
    format!("{begins} … {ends}")
}
