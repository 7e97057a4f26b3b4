//! Generated histories of containers (queues, stacks, bags, sets) for `etcdsim check --bench`.

use histories::Value;
use linear::History;
pub(super) use linear::generate::containers::Wrong;
use linear::generate::containers::{self, Elements, Shape};
use linear::models::bag::Bag;
use linear::models::container;
use linear::models::priority_queue::PriorityQueue;
use linear::models::queue::Queue;
use linear::models::set::{self, Set};
use linear::models::stack::Stack;

use super::any::{self, AnyHistory, AnyModel, Listed};

/// Operations that put elements in and take some out.
type Taken = History<container::Input<Value>, container::Output<Value>>;

/// A history in memory with its model, of the types that a history from a file has.
pub(super) enum ContainerHistory {
    Queue(Queue<Value>, Taken),
    Stack(Stack<Value>, Taken),
    PriorityQueue(PriorityQueue<Value>, Taken),
    Bag(Bag<Value>, Taken),
    Set(Set<Value>, History<set::Input<Value>, set::Output<Value>>),
}

impl ContainerHistory {
    pub(super) fn queue(shape: &Shape) -> ContainerHistory {
        ContainerHistory::Queue(Queue::new(), taken(&containers::queue(shape)))
    }

    pub(super) fn stack(shape: &Shape) -> ContainerHistory {
        ContainerHistory::Stack(Stack::new(), taken(&containers::stack(shape)))
    }

    pub(super) fn priority_queue(shape: &Shape) -> ContainerHistory {
        ContainerHistory::PriorityQueue(PriorityQueue::new(), taken(&containers::priority_queue(shape)))
    }

    pub(super) fn bag(shape: &Shape) -> ContainerHistory {
        ContainerHistory::Bag(Bag::new(), taken(&containers::bag(shape)))
    }

    pub(super) fn set(shape: &Shape) -> ContainerHistory {
        let input = |input: &set::Input<u32>| match input {
            set::Input::Add(element) => set::Input::Add(value(element)),
            set::Input::Remove(element) => set::Input::Remove(value(element)),
            set::Input::Read => set::Input::Read,
        };
        let output = |output: &set::Output<u32>| match output {
            set::Output::Elements(elements) => set::Output::Elements(elements.iter().map(value).collect()),
            set::Output::Changed(changed) => set::Output::Changed(*changed),
            set::Output::Repeated(elements) => set::Output::Repeated(elements.iter().map(value).collect()),
        };
        ContainerHistory::Set(Set::new(), containers::set(shape).map(input, output))
    }

    /// The model and the history as the command judges them.
    pub(super) fn prepared(&self) -> (AnyModel<'_>, AnyHistory<'_>) {
        match self {
            ContainerHistory::Queue(model, history) => (model.any(), any::single::<Queue<Value>>(history)),
            ContainerHistory::Stack(model, history) => (model.any(), any::single::<Stack<Value>>(history)),
            ContainerHistory::PriorityQueue(model, history) => {
                (model.any(), any::single::<PriorityQueue<Value>>(history))
            }
            ContainerHistory::Bag(model, history) => (model.any(), any::single::<Bag<Value>>(history)),
            ContainerHistory::Set(model, history) => (model.any(), any::single::<Set<Value>>(history)),
        }
    }
}

fn value(element: &u32) -> Value {
    Value::Number(i64::from(*element))
}

fn taken(history: &Elements) -> Taken {
    let input = |input: &container::Input<u32>| match input {
        container::Input::Insert(element) => container::Input::Insert(value(element)),
        container::Input::Take => container::Input::Take,
    };
    let output = |output: &container::Output<u32>| match output {
        container::Output::Inserted => container::Output::Inserted,
        container::Output::Taken(element) => container::Output::Taken(element.as_ref().map(value)),
    };
    history.map(input, output)
}
