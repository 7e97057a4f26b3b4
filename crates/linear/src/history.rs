//! What clients did and saw: operations with the interval in which each was under way.

/// How an operation ended, as far as its client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<O> {
    /// It took effect between its call and `at`, and returned `output`.
    Answered {
        /// What the client was told.
        output: O,
        /// When the client was told, on the clock of `call`.
        at: u64,
    },
    /// It definitely had no effect, and what it returned says nothing of the state.
    Failed {
        /// When the client was told.
        at: u64,
    },
    /// It may have taken effect at any time after its call, or never will.
    Unknown,
}

/// One operation of one client.
///
/// The interval is closed: `a` precedes `b` only if `a` returned strictly before `b` was called. A clock too
/// coarse to order two events can therefore hide a violation but never invent one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<I, O> {
    /// Who called it. Used in explanations only: a client may well have several operations under way.
    pub client: u32,
    /// What was asked.
    pub input: I,
    /// When it was called, on any clock that all clients share.
    pub call: u64,
    /// How it ended.
    pub outcome: Outcome<O>,
}

impl<I, O> Operation<I, O> {
    /// When the client learned how it ended, `None` if it never did.
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

    /// Whether it definitely had no effect and says nothing.
    pub fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }
}

/// The operations of one run, in any order. Reports name them by their index here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<I, O> {
    /// Invariants: no operation returns before it was called; there are at most [`History::LENGTH_MAX`].
    operations: Vec<Operation<I, O>>,
}

impl<I, O> Default for History<I, O> {
    fn default() -> Self {
        History { operations: Vec::new() }
    }
}

impl<I, O> History<I, O> {
    /// How many operations a history may hold: twice as many events still fit in 32 bits.
    pub const LENGTH_MAX: usize = (u32::MAX / 4) as usize;

    /// A history without operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an operation and gives its index.
    ///
    /// # Panics
    ///
    /// If it returns before its call, or if the history is full.
    pub fn push(&mut self, operation: Operation<I, O>) -> u32 {
        let index = self.operations.len();
        assert!(index < Self::LENGTH_MAX, "a history holds at most {} operations", Self::LENGTH_MAX);
        if let Some(at) = operation.returned() {
            let call = operation.call;
            assert!(call <= at, "operation {index} returns at {at}, before its call at {call}: two clocks?");
        }
        self.operations.push(operation);
        index as u32
    }

    /// All operations, by index.
    pub fn operations(&self) -> &[Operation<I, O>] {
        &self.operations
    }

    /// The operation of an index that a report named.
    ///
    /// # Panics
    ///
    /// If the index is of another history.
    pub fn operation(&self, index: u32) -> &Operation<I, O> {
        &self.operations[index as usize]
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

impl<I, O> FromIterator<Operation<I, O>> for History<I, O> {
    fn from_iter<T: IntoIterator<Item = Operation<I, O>>>(operations: T) -> Self {
        let mut history = History::new();
        for operation in operations {
            history.push(operation);
        }
        history
    }
}
