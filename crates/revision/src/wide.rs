//! Operations on several keys: ranges, deletions of ranges, transactions.
//!
//! All of them are transactions here. A range, for example, is a transaction without a condition whose only step is a
//! read. If a range was sorted or filtered in a way that cannot be expressed here, its answer can be marked as
//! incomplete.

use crate::history::{Seen, UNKNOWN};

/// The keys from one number up to, but not including, another.
///
/// Keys are numbered in the order in which the store sorts them, so a range is an interval. It may end after the last
/// key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keys {
    /// The first key.
    pub from: u32,
    /// The key after the last one. If it is not above `from`, the interval is empty.
    pub to: u32,
}

impl Keys {
    /// A single key.
    pub fn one(key: u32) -> Keys {
        Keys { from: key, to: key.saturating_add(1) }
    }

    /// The keys from `from` up to, but not including, `to`.
    pub fn range(from: u32, to: u32) -> Keys {
        Keys { from, to }
    }

    /// Every key.
    pub fn all() -> Keys {
        Keys { from: 0, to: u32::MAX }
    }

    /// Whether a key is one of them.
    pub fn contains(self, key: u32) -> bool {
        self.from <= key && key < self.to
    }
}

/// The request of a transaction. If all compares hold, the store executes the steps of `success`, otherwise those of
/// `failure`. A step sees what the steps before it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transaction {
    /// The conditions. They are checked on the store before the whole transaction, even in a nested one.
    pub compares: Vec<Compare>,
    /// The steps if all compares hold.
    pub success: Vec<Step>,
    /// The steps if one does not.
    pub failure: Vec<Step>,
}

/// A condition that must hold for each of some keys. Keys that do not exist are left out. If none of them exists, the
/// condition is checked once, on a key whose fields are all 0; a condition on the value then never holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compare {
    /// The keys for which it must hold.
    pub keys: Keys,
    /// What is compared, and with what.
    pub target: Target,
    /// How it is compared.
    pub relation: Relation,
}

/// Which field of a key is compared, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Its value. For [`Relation::Less`] and [`Relation::Greater`], values must be numbered in the order in which the
    /// store sorts them.
    Value(u32),
    /// The number of its changes since its creation.
    Version(u32),
    /// The revision of its creation.
    Created(u32),
    /// The revision of its last change.
    Modified(u32),
}

/// How the field of a key relates to what it is compared with.
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
        /// The value; `None` keeps the current one (etcd's `ignore_value`), which is refused if the key does not exist.
        value: Option<u32>,
    },
    /// Deletes keys; answered with [`Answer::Delete`].
    Delete(Keys),
    /// A transaction within the transaction. Its branch is chosen before any step is done.
    Nested(Transaction),
}

/// A read of several keys; answered with [`Answer::Range`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// The keys to read.
    pub keys: Keys,
    /// The revision to read; `None` for the newest. Not checked if it is before the history's base.
    pub at: Option<u32>,
    /// The maximum number of pairs to return, in the order of keys; 0 for all.
    pub limit: u32,
    /// Whether to return only the count and no pairs.
    pub count_only: bool,
    /// Whether the answer has no values. The values in its pairs are ignored then.
    pub keys_only: bool,
}

impl Range {
    /// Reads all pairs of these keys at the newest revision.
    pub fn new(keys: Keys) -> Range {
        Range { keys, at: None, limit: 0, count_only: false, keys_only: false }
    }
}

/// The answer to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The answer to a range.
    Range {
        /// Keys and what they hold, in any order.
        pairs: Vec<(u32, Seen)>,
        /// Whether these must be all pairs of the range, up to its limit. If not, only the pairs shown are checked: use
        /// that for a range that was filtered, or limited after sorting by something other than keys.
        complete: bool,
        /// How many keys there are, shown or not; `None` if that is not to be checked.
        count: Option<u32>,
        /// Whether the limit left out some keys; `None` if that is not to be checked.
        more: Option<bool>,
    },
    /// The answer to a put: what the key held before, [`Seen::ABSENT`] if it did not exist; `None` if the request did
    /// not ask for it.
    Put(Option<Seen>),
    /// The answer to a deletion.
    Delete {
        /// How many keys were deleted.
        deleted: u32,
        /// What they held, in any order; `None` if the request did not ask for it.
        previous: Option<Vec<(u32, Seen)>>,
    },
    /// The answer to a nested transaction.
    Nested(Response),
}

/// The answer to a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Whether all compares held.
    pub succeeded: bool,
    /// One answer for each step of the branch taken.
    pub answers: Vec<Answer>,
}

/// One operation on several keys.
#[derive(Clone, Debug)]
pub struct Wide {
    /// When it was called, as in [`Operation`](crate::Operation).
    pub call: u64,
    /// When it returned; [`UNKNOWN`] if its outcome is unknown.
    pub returned: u64,
    /// The revision of the answer: the one that the operation made, or the newest that it saw. 0 without an answer.
    pub revision: u32,
    /// Whether it read one member's own state, which may be old. Only if it writes nothing.
    pub serializable: bool,
    /// The request.
    pub request: Transaction,
    /// The response. Ignored if the outcome is unknown.
    pub response: Response,
}

impl Wide {
    /// A transaction. `None` for the response if the outcome is unknown.
    pub fn transaction(request: Transaction, response: Option<Response>) -> Wide {
        let response = response.unwrap_or_default();
        Wide { call: 0, returned: UNKNOWN, revision: 0, serializable: false, request, response }
    }

    /// A single step without a condition: a range, a put that shows the previous value, a deletion of several keys.
    pub fn step(step: Step, answer: Option<Answer>) -> Wide {
        let request = Transaction { success: vec![step], ..Transaction::default() };
        Wide::transaction(request, answer.map(|answer| Response { succeeded: true, answers: vec![answer] }))
    }

    /// The same operation, but it reads one member's own state, which may be old.
    pub fn serializable(self) -> Wide {
        Wide { serializable: true, ..self }
    }

    /// The operation, answered with this revision.
    pub fn at(self, revision: u32) -> Wide {
        Wide { revision, ..self }
    }

    /// The operation, with these times.
    pub fn during(self, call: u64, returned: u64) -> Wide {
        Wide { call, returned, ..self }
    }
}

impl Transaction {
    /// The steps that are executed if the compares hold, or if they do not.
    pub fn branch(&self, succeeded: bool) -> &[Step] {
        if succeeded { &self.success } else { &self.failure }
    }

    /// Calls `see` with all steps of both branches, and of nested transactions.
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

    /// Whether a step reads an old revision.
    pub(crate) fn reads_past(&self) -> bool {
        let mut past = false;
        self.each(&mut |step| past |= matches!(step, Step::Range(Range { at: Some(_), .. })));
        past
    }
}

impl Response {
    /// Whether the answers are of the right kinds for the steps of the branch.
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
