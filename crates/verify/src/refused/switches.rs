//! When authentication can be on, and when it must be: from the requests that switch it on and off.

use api::Request;
use record::{History, Nanos, Operation, Outcome};

use crate::definite;

/// The requests that switch authentication on and off, without those that were refused.
pub(super) struct Switches {
    on: Vec<Switch>,
    off: Vec<Switch>,
}

/// A request that may have switched authentication.
struct Switch {
    call: Nanos,
    /// When it was answered.
    answered: Option<Nanos>,
}

impl Switches {
    pub(super) fn of(history: &History) -> Switches {
        let all = |is_meant: fn(&Request) -> bool| -> Vec<Switch> {
            let meant = history.operations.iter().filter(|operation| is_meant(&operation.request));
            meant.filter_map(Switch::of).collect()
        };
        Switches {
            on: all(|request| matches!(request, Request::AuthEnable(_))),
            off: all(|request| matches!(request, Request::AuthDisable(_))),
        }
    }

    /// Whether authentication may have been on in some member by this time, if it was off when the history began.
    pub(super) fn can_be_on(&self, by: Nanos) -> bool {
        self.on.iter().any(|on| on.call <= by)
    }

    /// Whether authentication was on for everything that took effect between these times.
    pub(super) fn must_be_on(&self, from: Nanos, until: Nanos) -> bool {
        let holds = |on: &Switch| {
            let before = |off: &Switch| off.answered.is_some_and(|at| at < on.call);
            let mut others = self.off.iter().filter(|off| off.call <= until);
            on.answered.is_some_and(|at| at < from) && others.all(before)
        };
        self.on.iter().any(holds)
    }
}

impl Switch {
    fn of(operation: &Operation) -> Option<Switch> {
        match operation.outcome {
            Outcome::Error { error, .. } if definite::is_definite(error) => None,
            _ => Some(Switch {
                call: operation.call,
                answered: operation.response().and_then(|_| operation.returned()),
            }),
        }
    }
}
