//! Generated histories of containers (queues, stacks, bags, sets) for `etcdsim check --bench`.

pub(super) use linear::generate::containers::Wrong;
use linear::generate::containers::{self, Elements, Shape};
use linear::models::{bag, priority_queue, queue, set, stack};
use linear::{Budget, History, Model, Verdict, check};

/// A history in memory.
pub(super) enum ContainerHistory {
    Queue(Elements),
    Stack(Elements),
    PriorityQueue(Elements),
    Bag(Elements),
    Set(History<set::Input<u32>, set::Output<u32>>),
}

impl ContainerHistory {
    pub(super) fn queue(shape: &Shape) -> ContainerHistory {
        ContainerHistory::Queue(containers::queue(shape))
    }

    pub(super) fn stack(shape: &Shape) -> ContainerHistory {
        ContainerHistory::Stack(containers::stack(shape))
    }

    pub(super) fn priority_queue(shape: &Shape) -> ContainerHistory {
        ContainerHistory::PriorityQueue(containers::priority_queue(shape))
    }

    pub(super) fn bag(shape: &Shape) -> ContainerHistory {
        ContainerHistory::Bag(containers::bag(shape))
    }

    pub(super) fn set(shape: &Shape) -> ContainerHistory {
        ContainerHistory::Set(containers::set(shape))
    }

    /// Judges, and explains if asked to.
    pub(super) fn check(&self, explain: bool) -> CheckResult {
        match self {
            ContainerHistory::Queue(history) => judge(&queue::Queue::new(), history, explain),
            ContainerHistory::Stack(history) => judge(&stack::Stack::new(), history, explain),
            ContainerHistory::PriorityQueue(history) => {
                judge(&priority_queue::PriorityQueue::new(), history, explain)
            }
            ContainerHistory::Bag(history) => judge(&bag::Bag::new(), history, explain),
            ContainerHistory::Set(history) => judge(&set::Set::new(), history, explain),
        }
    }
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckResult {
    Order,
    /// This many operations contradict each other.
    Conflict(usize),
    Undecided,
}

impl From<Verdict> for CheckResult {
    fn from(verdict: Verdict) -> CheckResult {
        match verdict {
            Verdict::Linearizable(_) => CheckResult::Order,
            Verdict::NotLinearizable(violation) => CheckResult::Conflict(violation.conflict.operations.len()),
            Verdict::Undecided(_) => CheckResult::Undecided,
        }
    }
}

fn judge<M>(model: &M, history: &History<M::Input, M::Output>, explain: bool) -> CheckResult
where
    M: Model + Sync,
    M::Input: Sync,
    M::Output: Sync,
{
    check(model, history, &Budget { explain, ..Budget::default() }).verdict.into()
}
