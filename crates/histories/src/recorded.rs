//! [`Recorded`]: a history of any format, for one of the models that `linear` includes.

use std::fmt;

use linear::models::{
    bag, bank, counter, keyed, list, lock, priority_queue, queue, register, set, stack, text, versioned,
};
use linear::{History, Invalid, Operation};

/// A value, an element or a key: a number or a text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Box<str>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            // A keyword of Jepsen's, as it writes it.
            Value::Text(text) if is_keyword(text) => f.write_str(text),
            Value::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// Whether a text is a keyword: a colon and a name.
fn is_keyword(text: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || "-_.*+!?/<>=&$%".contains(c);
    text.strip_prefix(':').is_some_and(|name| !name.is_empty() && name.chars().all(part))
}

/// The content of a register: a value, or `None` if it is empty.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterValue(pub Option<Value>);

impl fmt::Debug for RegisterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// Operations on one instance of a model, or on an instance for every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operations<I, O> {
    /// On one instance.
    Single(History<I, O>),
    /// On an instance for every key. Judge them with [`keyed::Keyed`] of the model.
    Keyed(History<keyed::Input<Value, I>, O>),
}

impl<I, O> Operations<I, O> {
    /// No operations yet.
    pub fn new(keyed: bool) -> Self {
        if keyed { Operations::Keyed(History::new()) } else { Operations::Single(History::new()) }
    }

    /// Whether every operation has a key.
    pub fn is_keyed(&self) -> bool {
        matches!(self, Operations::Keyed(_))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Operations::Single(history) => history.len(),
            Operations::Keyed(history) => history.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Only the operations with these numbers, in their order.
    pub fn only(&self, numbers: &[u32]) -> Self
    where
        I: Clone,
        O: Clone,
    {
        match self {
            Operations::Single(history) => Operations::Single(only(history, numbers)),
            Operations::Keyed(history) => Operations::Keyed(only(history, numbers)),
        }
    }

    /// Adds an operation. There must be a key exactly if the operations have keys.
    pub(crate) fn push(&mut self, key: Option<Value>, operation: Operation<I, O>) -> Result<u32, Invalid> {
        match (self, key) {
            (Operations::Single(history), None) => history.push(operation),
            (Operations::Keyed(history), Some(key)) => {
                let Operation { client, input, call, outcome } = operation;
                history.push(Operation { client, input: keyed::Input { key, input }, call, outcome })
            }
            (Operations::Single(_), Some(_)) | (Operations::Keyed(_), None) => {
                unreachable!("a reader passed a key where there is none, or none where there is one")
            }
        }
    }
}

/// Only the operations with these numbers, in their order.
fn only<I: Clone, O: Clone>(history: &History<I, O>, numbers: &[u32]) -> History<I, O> {
    let kept = history.operations().iter().zip(0_u32..).filter(|(_, number)| numbers.contains(number));
    let kept = History::from_operations(kept.map(|(operation, _)| operation.clone()));
    kept.expect("operations of a history are valid in another one, too")
}

/// Operations on registers.
pub type RegisterOperations = Operations<register::Input<RegisterValue>, register::Output<RegisterValue>>;
/// A history of a store of texts. Its model is [`keyed::Keyed`] of [`text::Text`].
pub type StoreHistory = History<keyed::Input<String, text::Input>, text::Output>;

/// A history, in the form of the model that judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// A history for [`register::Register`].
    Register {
        /// Whether compare-and-sets are allowed.
        cas: bool,
        /// The content of each register before the first write.
        initial: RegisterValue,
        /// The operations.
        operations: RegisterOperations,
    },
    /// A history for [`versioned::Versioned`].
    Versioned {
        /// The content of each register before the first update.
        initial: RegisterValue,
        /// The operations.
        operations: Operations<versioned::Input<RegisterValue>, versioned::Output<RegisterValue>>,
    },
    /// A history for [`counter::Counter`].
    Counter {
        /// The value of each counter before the first addition.
        initial: i64,
        /// The operations.
        operations: Operations<counter::Input, counter::Output>,
    },
    /// A history for [`bank::Bank`].
    Bank(Operations<bank::Input<Value>, bank::Output<Value>>),
    /// A history for [`keyed::Keyed`] of [`text::Text`].
    KeyValue(StoreHistory),
    /// A history for [`queue::Queue`].
    Queue(Operations<queue::Input<Value>, queue::Output<Value>>),
    /// A history for [`stack::Stack`].
    Stack(Operations<stack::Input<Value>, stack::Output<Value>>),
    /// A history for [`priority_queue::PriorityQueue`]; numbers leave it before texts.
    PriorityQueue(Operations<priority_queue::Input<Value>, priority_queue::Output<Value>>),
    /// A history for [`bag::Bag`].
    Bag(Operations<bag::Input<Value>, bag::Output<Value>>),
    /// A history for [`set::Set`].
    Set(Operations<set::Input<Value>, set::Output<Value>>),
    /// A history for [`lock::Lock`].
    Lock(Operations<lock::Input, lock::Output>),
    /// A history for [`list::List`].
    List(Operations<list::Input<Value>, list::Output<Value>>),
}

impl Recorded {
    /// How many operations there are.
    pub fn len(&self) -> usize {
        match self {
            Recorded::Register { operations, .. } => operations.len(),
            Recorded::Versioned { operations, .. } => operations.len(),
            Recorded::Counter { operations, .. } => operations.len(),
            Recorded::Bank(operations) => operations.len(),
            Recorded::KeyValue(history) => history.len(),
            Recorded::Queue(operations) => operations.len(),
            Recorded::Stack(operations) => operations.len(),
            Recorded::PriorityQueue(operations) => operations.len(),
            Recorded::Bag(operations) => operations.len(),
            Recorded::Set(operations) => operations.len(),
            Recorded::Lock(operations) => operations.len(),
            Recorded::List(operations) => operations.len(),
        }
    }

    /// The history with only the operations that have these numbers.
    #[must_use]
    pub fn only(&self, numbers: &[u32]) -> Recorded {
        match self {
            Recorded::Register { cas, initial, operations } => Recorded::Register {
                cas: *cas,
                initial: initial.clone(),
                operations: operations.only(numbers),
            },
            Recorded::Versioned { initial, operations } => {
                Recorded::Versioned { initial: initial.clone(), operations: operations.only(numbers) }
            }
            Recorded::Counter { initial, operations } => {
                Recorded::Counter { initial: *initial, operations: operations.only(numbers) }
            }
            Recorded::Bank(operations) => Recorded::Bank(operations.only(numbers)),
            Recorded::KeyValue(history) => Recorded::KeyValue(only(history, numbers)),
            Recorded::Queue(operations) => Recorded::Queue(operations.only(numbers)),
            Recorded::Stack(operations) => Recorded::Stack(operations.only(numbers)),
            Recorded::PriorityQueue(operations) => Recorded::PriorityQueue(operations.only(numbers)),
            Recorded::Bag(operations) => Recorded::Bag(operations.only(numbers)),
            Recorded::Set(operations) => Recorded::Set(operations.only(numbers)),
            Recorded::Lock(operations) => Recorded::Lock(operations.only(numbers)),
            Recorded::List(operations) => Recorded::List(operations.only(numbers)),
        }
    }

    /// Whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
