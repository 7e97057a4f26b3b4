//! The part of a history that is judged at one time, and the decision about it. An engine is what judges it: the
//! search, or one of the fast paths.
//!
//! A [`Slice`] is some operations of one component (a part of the history that can be judged on its own, such as the
//! operations on one key). To find out which operations are in conflict, an explanation judges slices that leave out
//! something: some answers, or everything after a certain time.

use crate::history::{History, Outcome};
use crate::model::{Model, changes_nothing};
use crate::order::sort_by_key;

/// Some operations of one component.
#[derive(Clone, Copy)]
pub(crate) struct Slice<'a> {
    /// Their indices in the history.
    pub(crate) operations: &'a [u32],
    /// By place in `operations`: false if the operation's outcome is forgotten, so that it counts as unknown.
    /// `None` if no outcome is forgotten.
    pub(crate) kept: Option<&'a [bool]>,
    /// The history ends just before this time: operations called later are left out, and those that return
    /// later have an unknown outcome.
    pub(crate) until: Option<u64>,
}

/// An operation's outcome as a slice shows it.
pub(crate) enum Seen<'h, O> {
    /// It was answered, at this time.
    Answered { output: &'h O, at: u64 },
    /// It may not have taken effect, but if it did, then with this answer.
    Optional { output: &'h O },
    /// It may not have taken effect, and its answer is not known.
    Unknown,
    /// It cannot matter to any other operation.
    Absent,
}

impl<'a> Slice<'a> {
    /// These operations as recorded: nothing is forgotten.
    pub(crate) fn whole(operations: &'a [u32]) -> Slice<'a> {
        Slice { operations, kept: None, until: None }
    }

    /// What this slice shows of the operation at `place`.
    pub(crate) fn seen<'h, M: Model>(
        &self,
        model: &M,
        history: &'h History<M::Input, M::Output>,
        place: usize,
    ) -> Seen<'h, M::Output> {
        let operation = history.operation(self.operations[place]);
        let in_time = |at: u64| self.until.is_none_or(|until| at < until);
        if !in_time(operation.call) {
            return Seen::Absent;
        }
        let kept = self.kept.is_none_or(|kept| kept[place]);
        match &operation.outcome {
            Outcome::Failed { .. } => Seen::Absent,
            Outcome::Answered { output, at } if kept && in_time(*at) => Seen::Answered { output, at: *at },
            // An operation that changed nothing still changes nothing when its outcome is forgotten.
            Outcome::Answered { output, .. } if changes_nothing(model, &operation.input, Some(output)) => {
                Seen::Absent
            }
            // An operation of a container keeps its answer even if it is outside a conflict, see `validate`.
            Outcome::Answered { output, at } if in_time(*at) && model.container().is_some() => {
                Seen::Optional { output }
            }
            Outcome::Answered { .. } | Outcome::Unknown if changes_nothing(model, &operation.input, None) => {
                Seen::Absent
            }
            Outcome::Answered { .. } | Outcome::Unknown => Seen::Unknown,
        }
    }

    /// The places of the operations, in the order of calls.
    ///
    /// The operations of one component are far apart in a large history. This reads all of them at once, and no
    /// read depends on another one. So the processor can load them at the same time, which makes later accesses
    /// cheap.
    pub(crate) fn by_call<I, O>(&self, history: &History<I, O>) -> Vec<u32> {
        let mut last = (0, 0);
        let mut sorted = true;
        for &index in self.operations {
            let operation = history.operation(index);
            let times = (operation.call, operation.returned().unwrap_or(0));
            sorted &= last.0 <= times.0;
            last = (times.0, last.1 | times.1 | u64::from(operation.client));
        }
        // Without a use of `last`, the compiler would leave out the reads.
        std::hint::black_box(last);
        let mut places: Vec<u32> = (0..self.operations.len() as u32).collect();
        if !sorted {
            sort_by_key(&mut places, &|place| (history.operation(self.operations[place as usize]).call, 0));
        }
        places
    }
}

/// How hard an engine should try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Only what takes nearly linear time.
    Quick,
    /// With a search, if needed. This is the seed of the search, see [`crate::search::Problem`].
    Search(u64),
}

/// What an engine found out about a slice. Operations are indices in the history.
pub(crate) enum Decision {
    Linearizable(crate::report::Linearization),
    Violation {
        /// A few operations that are a conflict by themselves, if the engine knows any.
        core: Option<Vec<u32>>,
        /// The longest order that the engine built.
        deepest: Vec<u32>,
    },
    /// It needs a search, and [`Effort::Quick`] allows none.
    Deferred,
    /// The engine reached a limit.
    Undecided {
        limit: crate::budget::Limit,
        deepest: Vec<u32>,
    },
}
