//! Operations on several keys: ranges, removals of ranges, transactions.
//!
//! All of them are transactions here: a range is one without a condition whose only step reads. What etcd sorts or
//! filters differently, an answer can leave unchecked.

use crate::history::{Seen, UNKNOWN};

/// The keys from one number to another, which does not belong to them.
///
/// Keys are numbered in the order in which the store sorts them, so that a range is an interval. The end may lie
/// beyond the last key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keys {
    /// The first.
    pub from: u32,
    /// The first that does not belong to them. No keys at all if it is not above `from`.
    pub to: u32,
}

impl Keys {
    /// A single one.
    pub fn one(key: u32) -> Keys {
        Keys { from: key, to: key.saturating_add(1) }
    }

    /// From one to another, which does not belong to them.
    pub fn range(from: u32, to: u32) -> Keys {
        Keys { from, to }
    }

    /// Every key.
    pub fn all() -> Keys {
        Keys { from: 0, to: u32::MAX }
    }

    /// Whether a key belongs to them.
    pub fn contains(self, key: u32) -> bool {
        self.from <= key && key < self.to
    }
}

/// What a transaction asks: the steps of `success` if all compares hold of the store before it, else those of
/// `failure`. A step sees what those before it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transaction {
    /// All must hold. They are held against the store before the transaction, even in a nested one.
    pub compares: Vec<Compare>,
    /// What to do if they do.
    pub success: Vec<Step>,
    /// What to do if they do not.
    pub failure: Vec<Step>,
}

/// A condition on each of some keys. Where there is none of them, it is held against a key that is 0 in all respects;
/// only a condition on its value never holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compare {
    /// The keys it must hold for.
    pub keys: Keys,
    /// What is compared, and with what.
    pub target: Target,
    /// How.
    pub relation: Relation,
}

/// What of a key is compared, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Its value. Less and greater go by the numbers of values, so that values must be numbered in the store's order
    /// where they are used.
    Value(u32),
    /// The number of its changes since its creation.
    Version(u32),
    /// The revision of its creation.
    Created(u32),
    /// The revision of its last change.
    Modified(u32),
}

/// How what a key holds relates to what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `>`
    Greater,
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Reads keys.
    Range(Range),
    /// Sets a key; answered with [`Answer::Put`].
    Put {
        /// The key.
        key: u32,
        /// The value; `None` keeps the one it has (etcd's `ignore_value`), which is refused if there is no such key.
        value: Option<u32>,
    },
    /// Removes keys; answered with [`Answer::Delete`].
    Delete(Keys),
    /// A transaction within the transaction. Which way it goes is decided before anything is done.
    Nested(Transaction),
}

/// A read of several keys; answered with [`Answer::Range`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Which keys.
    pub keys: Keys,
    /// The revision to read; `None` for the newest. Not checked if it lies before the history's base.
    pub at: Option<u32>,
    /// How many pairs to return at most, the first in the order of keys; 0 for all.
    pub limit: u32,
    /// Whether to return no pairs at all.
    pub count_only: bool,
    /// Whether to leave out the values: those of the answer's pairs are not looked at.
    pub keys_only: bool,
}

impl Range {
    /// All that the newest revision holds of these keys.
    pub fn new(keys: Keys) -> Range {
        Range { keys, at: None, limit: 0, count_only: false, keys_only: false }
    }
}

/// The answer to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What a range showed.
    Range {
        /// Keys and what they hold, in any order.
        pairs: Vec<(u32, Seen)>,
        /// Whether these are all that were to be shown. If not, each must be held, but others may be: for a range that
        /// was filtered, or sorted by something else than keys and limited.
        complete: bool,
        /// How many keys there are, shown or not; `None` is not checked.
        count: Option<u32>,
        /// Whether the limit left out any; `None` is not checked.
        more: Option<bool>,
    },
    /// What a put showed: what the key held before, [`Seen::ABSENT`] if nothing; `None` if it was not asked for.
    Put(Option<Seen>),
    /// What a removal showed.
    Delete {
        /// How many keys were removed.
        deleted: u32,
        /// What they held, in any order; `None` if it was not asked for.
        previous: Option<Vec<(u32, Seen)>>,
    },
    /// What a nested transaction showed.
    Nested(Response),
}

/// The answer to a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Whether all compares held.
    pub succeeded: bool,
    /// One for each step of the branch taken.
    pub answers: Vec<Answer>,
}

/// One operation on several keys.
#[derive(Clone, Debug)]
pub struct Wide {
    /// When it was asked, as in [`Operation`](crate::Operation).
    pub call: u64,
    /// When it was answered; [`UNKNOWN`] if it never was.
    pub ret: u64,
    /// The revision of the answer: the one it made, or else the newest it saw. 0 without an answer.
    pub revision: u32,
    /// Whether it read one member's own state, which may be an old one. Only for what writes nothing.
    pub serializable: bool,
    /// What it asks.
    pub request: Transaction,
    /// What it was answered; not looked at without an answer.
    pub response: Response,
}

impl Wide {
    /// A transaction. `None` for the response if the outcome is unknown.
    pub fn transaction(request: Transaction, response: Option<Response>) -> Wide {
        let response = response.unwrap_or_default();
        Wide { call: 0, ret: UNKNOWN, revision: 0, serializable: false, request, response }
    }

    /// A single step without a condition: a range, a put that shows what was there, a removal of several keys.
    pub fn step(step: Step, answer: Option<Answer>) -> Wide {
        let request = Transaction { success: vec![step], ..Transaction::default() };
        Wide::transaction(request, answer.map(|answer| Response { succeeded: true, answers: vec![answer] }))
    }

    /// Reads one member's own state.
    pub fn serializable(self) -> Wide {
        Wide { serializable: true, ..self }
    }

    /// Answered with this revision.
    pub fn at(self, revision: u32) -> Wide {
        Wide { revision, ..self }
    }

    /// Asked and answered at these times.
    pub fn during(self, call: u64, ret: u64) -> Wide {
        Wide { call, ret, ..self }
    }
}

impl Transaction {
    /// The steps of the branch that is taken if the compares hold, or do not.
    pub fn branch(&self, succeeded: bool) -> &[Step] {
        if succeeded { &self.success } else { &self.failure }
    }

    /// All steps of both branches, and of nested transactions.
    pub(crate) fn each(&self, see: &mut dyn FnMut(&Step)) {
        for step in self.success.iter().chain(&self.failure) {
            see(step);
            if let Step::Nested(nested) = step {
                nested.each(see);
            }
        }
    }

    /// Whether it may change the store.
    pub fn is_write(&self) -> bool {
        let mut writes = false;
        self.each(&mut |step| writes |= matches!(step, Step::Put { .. } | Step::Delete(_)));
        writes
    }

    /// Whether it reads an old revision somewhere.
    pub(crate) fn reads_past(&self) -> bool {
        let mut past = false;
        self.each(&mut |step| past |= matches!(step, Step::Range(Range { at: Some(_), .. })));
        past
    }
}

impl Response {
    /// Whether the answers are of the kinds that the steps of the branch ask for.
    pub(crate) fn fits(&self, request: &Transaction) -> bool {
        let steps = request.branch(self.succeeded);
        let fits = |(step, answer): (&Step, &Answer)| match (step, answer) {
            (Step::Nested(request), Answer::Nested(response)) => response.fits(request),
            (step, answer) => matches!(
                (step, answer),
                (Step::Range(_), Answer::Range { .. })
                    | (Step::Put { .. }, Answer::Put(_))
                    | (Step::Delete(_), Answer::Delete { .. })
            ),
        };
        steps.len() == self.answers.len() && steps.iter().zip(&self.answers).all(fits)
    }

    /// Whether it says that something was changed.
    pub fn changed(&self) -> bool {
        self.answers.iter().any(|answer| match answer {
            Answer::Range { .. } => false,
            Answer::Put(_) => true,
            Answer::Delete { deleted, .. } => *deleted > 0,
            Answer::Nested(response) => response.changed(),
        })
    }

    /// The highest number of a key that it shows.
    pub(crate) fn highest_key(&self) -> Option<u32> {
        let highest = |pairs: &[(u32, Seen)]| pairs.iter().map(|(key, _)| *key).max();
        let of = |answer: &Answer| match answer {
            Answer::Range { pairs, .. } => highest(pairs),
            Answer::Put(_) => None,
            Answer::Delete { previous, .. } => previous.as_deref().and_then(highest),
            Answer::Nested(response) => response.highest_key(),
        };
        self.answers.iter().filter_map(of).max()
    }
}
