//! The page of a history that was recorded elsewhere: its operations, whatever the model is, and the verdict.

use histories::{Operations, Recorded, RegisterValue, Value, edn};
use linear::models::bag::Bag;
use linear::models::bank::Bank;
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
use linear::{History, Model, Outcome as Ended};
use page::{Operation, Outcome, Paragraph, Sentence, Violation};
use record::MemberId;

use super::any::{self, AnyOperations, Key, Listed};
use super::engine::Judgement;
use super::file::Content;
use super::transactions::{list_step, register_step};
use crate::page as shown;

/// The page of a history and its verdict.
pub(super) fn of(file: &str, replay: &str, content: &Content, judged: &Judgement) -> String {
    if let (Content::Etcd(etcd), None) = (content, &judged.conflict) {
        return shown::of_history(file, replay, &etcd.0, judged.failure.as_ref(), &judged.undecided);
    }
    let input = shown::of_operations(file, replay, operations(content), &judged.undecided);
    let Some(conflict) = &judged.conflict else { return page::page(input) };
    // Each line begins with the number of its operation.
    let numbers = conflict.operations.iter().filter_map(|line| shown::sentence(line).operation).collect();
    let about_one = |text: &String| Sentence {
        text: text.clone(),
        operation: shown::sentence(text).operation,
        ..Sentence::default()
    };
    let paragraph = |heading: &str, texts: &[String]| Paragraph {
        heading: heading.to_string(),
        sentences: texts.iter().map(about_one).collect(),
    };
    let violation = Violation {
        oracle: "linearizability".to_string(),
        title: conflict.title.clone(),
        time: conflict.prefix_until,
        operations: numbers,
        ..Violation::default()
    };
    let story = [
        paragraph("Operations that contradict each other", &conflict.operations),
        paragraph("Why no order is possible", &conflict.excluded),
        paragraph("Hints", &judged.hints),
    ];
    let story = story.into_iter().filter(|paragraph| !paragraph.sentences.is_empty()).collect();
    page::page(page::Input { violations: vec![violation], story, ..input })
}

/// The operations of a history, in the order of their numbers.
fn operations(content: &Content) -> Vec<Operation> {
    match content {
        Content::Etcd(etcd) => shown::operations(&etcd.0.history),
        Content::Recorded(recorded) => match recorded {
            Recorded::Register { initial, operations, .. } => {
                all::<Register<RegisterValue>>(&Register { initial: initial.clone() }, operations)
            }
            Recorded::Versioned { initial, operations } => {
                all(&Versioned { initial: initial.clone() }, operations)
            }
            Recorded::Counter { initial, operations } => all(&Counter { initial: *initial }, operations),
            Recorded::Bank(operations) => {
                // Which balances may be negative makes no difference for the texts.
                all(&Bank { initial: None, negative: true }, operations)
            }
            Recorded::KeyValue(history) => {
                let history = any::keyed::<Text, String>(history, |key| Key::Text(key));
                each(&Keyed::new(Text.any()), &history)
            }
            Recorded::Queue(operations) => all(&Queue::<Value>::new(), operations),
            Recorded::Stack(operations) => all(&Stack::<Value>::new(), operations),
            Recorded::PriorityQueue(operations) => all(&PriorityQueue::<Value>::new(), operations),
            Recorded::Bag(operations) => all(&Bag::<Value>::new(), operations),
            Recorded::Set(operations) => all(&Set::<Value>::new(), operations),
            Recorded::Lock(operations) => all(&Lock, operations),
            Recorded::List(operations) => all(&List::<Value>::new(), operations),
        },
        Content::Lists(transactions) => {
            let one = |one: &edn::Transaction| {
                transaction(one.client, one.call, &one.outcome, one.steps.iter().map(list_step))
            };
            transactions.iter().map(one).collect()
        }
        Content::Registers(transactions, _) => {
            let one = |one: &edn::RegisterTransaction| {
                transaction(one.client, one.call, &one.outcome, one.steps.iter().map(register_step))
            };
            transactions.iter().map(one).collect()
        }
    }
}

/// The operations of a history of one model, with keys or without.
fn all<M: Listed>(model: &M, operations: &Operations<M::Input, M::Output>) -> Vec<Operation> {
    match any::operations::<M>(operations) {
        AnyOperations::Single(history) => each(&model.any(), &history),
        AnyOperations::Keyed(history) => each(&Keyed::new(model.any()), &history),
    }
}

/// The operations of a history, in the words of its model.
fn each<M: Model>(model: &M, history: &History<M::Input, M::Output>) -> Vec<Operation> {
    let one = |operation: &linear::Operation<M::Input, M::Output>| {
        let answer = |output: &M::Output| model.describe_output(&operation.input, output);
        let outcome = ended(&operation.outcome, answer);
        let request = model.describe_input(&operation.input);
        Operation { client: operation.client, member: MemberId::NONE, request, call: operation.call, outcome }
    };
    history.operations().iter().map(one).collect()
}

/// A transaction; what it read is in its steps.
fn transaction(
    client: u32,
    call: u64,
    outcome: &Ended<()>,
    steps: impl Iterator<Item = String>,
) -> Operation {
    let request = steps.collect::<Vec<_>>().join(", ");
    let outcome = ended(outcome, |()| "committed".to_string());
    Operation { client, member: MemberId::NONE, request, call, outcome }
}

fn ended<O>(outcome: &Ended<O>, answer: impl Fn(&O) -> String) -> Outcome {
    match outcome {
        Ended::Answered { output, at } => Outcome::Answered { at: *at, answer: answer(output) },
        Ended::Failed { at } => Outcome::Failed { at: *at, error: "failed".to_string() },
        Ended::Unknown => Outcome::Unknown { gave_up: None },
    }
}
