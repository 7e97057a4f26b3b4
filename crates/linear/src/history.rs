//! Histories: what clients asked and what they got back, with the times of each call and return.

/// How an operation ended, as far as its client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<O> {
    /// It took effect between its call and `at`, and returned `output`.
    Answered {
        /// What the client got back.
        output: O,
        /// When the client got it, on the clock of `call`.
        at: u64,
    },
    /// It had no effect, and its error says nothing about the state.
    Failed {
        /// When the client got the error, on the clock of `call`.
        at: u64,
    },
    /// It took effect at some time after its call, or never.
    Unknown,
}

/// One operation of one client.
///
/// Operation `a` precedes operation `b` only if `a` returned strictly before `b` was called. So a clock that is
/// too coarse to tell two times apart can hide a violation, but cannot cause a false one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<I, O> {
    /// Who called it. Used in explanations only: a client may have several operations in flight.
    pub client: u32,
    /// What was asked.
    pub input: I,
    /// When it was called, on any clock that all clients share. The unit does not matter.
    pub call: u64,
    /// How it ended.
    pub outcome: Outcome<O>,
}

impl<I, O> Operation<I, O> {
    /// When it returned to the client; `None` if its outcome is unknown.
    pub fn returned(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Answered { at, .. } | Outcome::Failed { at } => Some(at),
            Outcome::Unknown => None,
        }
    }

    /// The answer, if there was one.
    pub fn output(&self) -> Option<&O> {
        match &self.outcome {
            Outcome::Answered { output, .. } => Some(output),
            Outcome::Failed { .. } | Outcome::Unknown => None,
        }
    }

    /// Whether it is known to have had no effect.
    pub fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }
}

/// Why an operation cannot be part of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// It returns before its call.
    #[error(
        "operation {index} returns at {returned}, before its call at {call}: do the times come from two clocks?"
    )]
    ReturnBeforeCall {
        /// The index that the operation would have had.
        index: u32,
        /// When it was called.
        call: u64,
        /// When it returned.
        returned: u64,
    },
    /// The history is full.
    #[error("a history holds at most {LENGTH_MAX} operations")]
    TooManyOperations,
}

/// The maximum number of operations. The positions of their calls and returns fit into 32 bits.
const LENGTH_MAX: usize = (u32::MAX / 4) as usize;

/// The operations of one run, in any order. Reports name them by their index here, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<I, O> {
    /// Invariants: no operation returns before its call; there are at most [`History::LENGTH_MAX`].
    operations: Vec<Operation<I, O>>,
}

impl<I, O> Default for History<I, O> {
    fn default() -> Self {
        History { operations: Vec::new() }
    }
}

impl<I, O> History<I, O> {
    /// How many operations a history may hold: about a billion.
    pub const LENGTH_MAX: usize = LENGTH_MAX;

    /// A history without operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// A history of these operations, in this order.
    ///
    /// # Errors
    ///
    /// As [`push`](History::push), for the first operation that is invalid.
    pub fn from_operations(operations: impl IntoIterator<Item = Operation<I, O>>) -> Result<Self, Invalid> {
        let operations = operations.into_iter();
        let mut history = History { operations: Vec::with_capacity(operations.size_hint().0) };
        for operation in operations {
            history.push(operation)?;
        }
        Ok(history)
    }

    /// Adds an operation and returns its index.
    ///
    /// # Errors
    ///
    /// If the operation returns before its call, or the history is full. The history is then as it was.
    pub fn push(&mut self, operation: Operation<I, O>) -> Result<u32, Invalid> {
        if self.operations.len() >= LENGTH_MAX {
            return Err(Invalid::TooManyOperations);
        }
        let index = self.operations.len() as u32;
        check_times(index, operation.call, operation.returned())?;
        self.operations.push(operation);
        Ok(index)
    }

    /// The same history with other inputs and outputs, made of these or referring to them.
    pub fn map<'a, J, P>(
        &'a self,
        mut input: impl FnMut(&'a I) -> J,
        mut output: impl FnMut(&'a O) -> P,
    ) -> History<J, P> {
        let operation = |operation: &'a Operation<I, O>| Operation {
            client: operation.client,
            input: input(&operation.input),
            call: operation.call,
            outcome: match &operation.outcome {
                Outcome::Answered { output: answer, at } => {
                    Outcome::Answered { output: output(answer), at: *at }
                }
                Outcome::Failed { at } => Outcome::Failed { at: *at },
                Outcome::Unknown => Outcome::Unknown,
            },
        };
        History { operations: self.operations.iter().map(operation).collect() }
    }

    /// All operations, by index.
    pub fn operations(&self) -> &[Operation<I, O>] {
        &self.operations
    }

    /// The operation with an index that a report of this history names.
    ///
    /// # Panics
    ///
    /// If there is no such index, because the report is about another history.
    pub fn operation(&self, index: u32) -> &Operation<I, O> {
        &self.operations[index as usize]
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are no operations.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

/// Refuses an operation that returns before its call.
pub(crate) fn check_times(index: u32, call: u64, returned: Option<u64>) -> Result<(), Invalid> {
    match returned {
        Some(returned) if returned < call => Err(Invalid::ReturnBeforeCall { index, call, returned }),
        _ => Ok(()),
    }
}
