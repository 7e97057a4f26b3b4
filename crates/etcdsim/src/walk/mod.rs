//! A run that can be walked: its events, and the state of every member after any of them, forwards and back.
//!
//! A [`Walk`] stands between two events. It knows nothing of how it is shown: `command/step` draws it, `replay --until`
//! and `diff` print its states.
//!
//! States are made from the events alone. Some are kept on the way, so that a step back need not begin at the start.

mod state;

#[cfg(test)]
mod tests;

use record::{EtcdFact, Event, Fact, Nanos, Role};
use verify::Violation;

pub(crate) use state::{MemberState, ROWS, States};

/// After how many events the states are kept. A step back replays at most this many events.
const KEPT_EVERY: usize = 4096;

/// A run, and a position in it.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    events: Vec<Event>,
    /// Where each violation was seen: how many events had happened, and its title, in this order.
    violations: Vec<(usize, String)>,
    /// The states after each `KEPT_EVERY` events, from the start on.
    kept: Vec<States>,
    /// How many events have happened.
    position: usize,
    states: States,
}

/// What a walk can go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Any event.
    Event,
    /// A member begins to lead.
    Election,
    /// A commit index moves.
    Commit,
    /// A fault begins or ends, or a process does.
    Fault,
    /// An oracle saw a violation.
    Violation,
}

impl Goal {
    /// All goals.
    pub const ALL: [Goal; 5] = [Goal::Event, Goal::Election, Goal::Commit, Goal::Fault, Goal::Violation];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Goal::Event => "event",
            Goal::Election => "election",
            Goal::Commit => "commit",
            Goal::Fault => "fault",
            Goal::Violation => "violation",
        }
    }
}

impl Walk {
    /// A walk through a run with at most this many members, at its start.
    pub fn new(events: Vec<Event>, violations: &[Violation], members: u32) -> Walk {
        let mut states = States::new(members);
        let mut kept = vec![states.clone()];
        for (nth, event) in events.iter().enumerate() {
            states.advance(event);
            if (nth + 1) % KEPT_EVERY == 0 {
                kept.push(states.clone());
            }
        }
        // What an oracle saw at a time, it saw from the events up to that time.
        let place = |violation: &Violation| {
            let until = events.partition_point(|event| event.time <= violation.time);
            (until, format!("{}: {}", violation.oracle, violation.title))
        };
        let mut violations: Vec<_> = violations.iter().map(place).collect();
        violations.sort();
        let states = kept[0].clone();
        Walk { events, violations, kept, position: 0, states }
    }

    /// The events of the run.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events have happened.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The event that happened last.
    pub fn last(&self) -> Option<&Event> {
        self.position.checked_sub(1).map(|last| &self.events[last])
    }

    /// The time of the event that happened last; 0 at the start.
    pub fn time(&self) -> Nanos {
        self.last().map_or(0, |event| event.time)
    }

    /// The members' states now.
    pub fn states(&self) -> &States {
        &self.states
    }

    /// The violations that were seen exactly here.
    pub fn violations_here(&self) -> impl Iterator<Item = &str> {
        self.violations.iter().filter(|(at, _)| *at == self.position).map(|(_, title)| &title[..])
    }

    /// Goes to the position after this many events, at most to the end.
    pub fn go_to(&mut self, position: usize) {
        let position = position.min(self.events.len());
        if position < self.position || position - self.position > KEPT_EVERY {
            let nth = position / KEPT_EVERY;
            (self.position, self.states) = (nth * KEPT_EVERY, self.kept[nth].clone());
        }
        for event in &self.events[self.position..position] {
            self.states.advance(event);
        }
        self.position = position;
    }

    /// Goes to the last event at or before a time.
    pub fn go_to_time(&mut self, time: Nanos) {
        self.go_to(self.events.partition_point(|event| event.time <= time));
    }

    /// Goes on to the next event of a kind. Returns whether there is one; if not, it stays.
    pub fn next(&mut self, goal: Goal) -> bool {
        let found = (self.position + 1..=self.events.len()).find(|position| self.is_at(*position, goal));
        found.inspect(|position| self.go_to(*position)).is_some()
    }

    /// Goes back to the last event of a kind before this one. Returns whether there is one; if not, it stays.
    pub fn previous(&mut self, goal: Goal) -> bool {
        let found = (0..self.position)
            .rev()
            .find(|position| *position == 0 && goal == Goal::Event || self.is_at(*position, goal));
        found.inspect(|position| self.go_to(*position)).is_some()
    }

    /// Whether what happens last before this position is of this kind.
    fn is_at(&self, position: usize, goal: Goal) -> bool {
        if goal == Goal::Violation {
            return self.violations.iter().any(|(at, _)| *at == position);
        }
        let Some(event) = position.checked_sub(1).map(|last| &self.events[last]) else { return false };
        match goal {
            Goal::Event => true,
            Goal::Election => {
                matches!(event.fact, Fact::Own(EtcdFact::State { role: Role::Leader, .. }))
            }
            Goal::Commit => matches!(event.fact, Fact::Own(EtcdFact::Committed { .. })),
            Goal::Fault => matches!(
                event.fact,
                Fact::Fault { .. } | Fact::Started { .. } | Fact::Stopped(_) | Fact::Paused | Fact::Resumed
            ),
            Goal::Violation => false,
        }
    }
}
