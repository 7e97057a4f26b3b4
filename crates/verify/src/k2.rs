//! K2: a serializable read returns a state of the past, never going back on one member.
//!
//! That what it returns is the state at its revision is part of K1's replay; here is what time says of it. What it
//! has shown was committed, so no linearizable operation called later may be of an older state; and a member's
//! store only moves forward while its process lives, so neither may a later serializable read of the same member.
//! What a watcher was told of was committed just so, and is held against everyone in the same way.
//!
//! Not checked: how old the state may be (as old as it likes); a read that a restart of its member falls into; going
//! back over a restart, which is allowed (a member comes back with what is durable); without the times of the
//! restarts, going back on one member at all.

use api::Request;
use record::{History, MemberId, Nanos, Operation};

use crate::describe;
use crate::k1::place::{Place, Position, is_local, place};
use crate::{Oracle, Severity, Violation};

/// Whether the oracle judges answers to this.
pub fn is_judged(request: &Request) -> bool {
    is_local(request)
}

/// What was found.
#[derive(Debug, Default)]
pub struct Finding {
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// How many serializable answers there are.
    pub reads: usize,
    /// How many of them were held against earlier answers of the same process.
    pub compared: usize,
}

/// Checks a history. `starts` are the starts of all processes, in any order; none means that they are not known.
pub fn check(history: &History, starts: &[(MemberId, Nanos)]) -> Finding {
    let mut finding = Finding::default();
    against_the_told(history, &mut finding);
    if !history.operations.iter().any(|operation| is_judged(&operation.request)) {
        return finding;
    }
    against_everyone(history, &mut finding);
    if !starts.is_empty() {
        against_the_member(history, starts, &mut finding);
    }
    finding
}

fn against_everyone(history: &History, finding: &mut Finding) {
    let mut shown: Vec<(Nanos, Position, usize)> = Vec::new();
    for (number, operation) in history.operations.iter().enumerate() {
        if let (Place::Shows(position), Some(at)) = (place(operation), operation.returned()) {
            shown.push((at, position, number));
        }
    }
    finding.reads = shown.len();
    shown.sort_unstable();
    let mut next = shown.iter().peekable();
    let mut newest: Option<(Position, usize)> = None;
    for (number, operation) in history.operations.iter().enumerate() {
        while let Some((_, position, by)) = next.next_if(|(at, ..)| *at < operation.call) {
            if newest.is_none_or(|(newest, _)| *position > newest) {
                newest = Some((*position, *by));
            }
        }
        if let (Place::At(position), Some((floor, by))) = (place(operation), newest)
            && position < floor
        {
            finding.violations.push(behind_what_was_shown(history, by, number));
        }
    }
}

/// No linearizable operation is of an older state than a watcher had been told of before its call.
fn against_the_told(history: &History, finding: &mut Finding) {
    let mut told: Vec<(Nanos, i64, usize)> = Vec::new();
    for (stream, watch) in history.watches.iter().enumerate() {
        for (at, response) in &watch.received {
            let revisions = response.events.iter().filter_map(|event| Some(event.kv.as_ref()?.mod_revision));
            told.extend(revisions.max().map(|newest| (*at, newest, stream)));
        }
    }
    told.sort_unstable();
    let mut next = told.iter().peekable();
    let mut newest: Option<(i64, Nanos, usize)> = None;
    for (number, operation) in history.operations.iter().enumerate() {
        while let Some((at, revision, stream)) = next.next_if(|(at, ..)| *at < operation.call) {
            if newest.is_none_or(|(newest, ..)| *revision > newest) {
                newest = Some((*revision, *at, *stream));
            }
        }
        if let (Place::At(position), Some((revision, at, stream))) = (place(operation), newest)
            && position < Position::during(revision)
        {
            finding.violations.push(behind_what_was_told(history, (revision, at, stream), number));
        }
    }
}

fn against_the_member(history: &History, starts: &[(MemberId, Nanos)], finding: &mut Finding) {
    for (later, earlier) in newest_before(history, starts) {
        if let (Place::Shows(shown), Some(newest)) =
            (place(&history.operations[later]), shown(&history.operations[earlier]))
        {
            finding.compared += 1;
            if shown < newest {
                finding.violations.push(went_back(history, earlier, later));
            }
        }
    }
}

/// How far an answer shows its member's store to have been, while the answer was made.
pub(crate) fn shown(operation: &Operation) -> Option<Position> {
    match place(operation) {
        Place::At(position) | Place::Shows(position) => Some(Position::during(position.revision())),
        _ => None,
    }
}

/// For each serializable operation, and each for a member's hash, the earlier answer of the same process that shows the newest revision.
pub(crate) fn newest_before(history: &History, starts: &[(MemberId, Nanos)]) -> Vec<(usize, usize)> {
    let mut starts = starts.to_vec();
    starts.sort_unstable();
    let mut of_processes: Vec<((MemberId, usize), usize)> = Vec::new();
    for (number, operation) in history.operations.iter().enumerate() {
        if let Some(at) = operation.returned()
            && let Some(process) = process(&starts, operation.member, operation.call, at)
        {
            of_processes.push(((operation.member, process), number));
        }
    }
    // Of one process, still in the order of calls.
    of_processes.sort_by_key(|(process, _)| *process);
    let mut found = Vec::new();
    for of_process in of_processes.chunk_by(|a, b| a.0 == b.0) {
        let mut answers: Vec<(Nanos, Position, usize)> = of_process
            .iter()
            .map(|(_, number)| &history.operations[*number])
            .zip(of_process)
            .filter_map(|(operation, (_, number))| Some((operation.returned()?, shown(operation)?, *number)))
            .collect();
        answers.sort_unstable();
        let mut next = answers.iter().peekable();
        let mut newest: Option<(Position, usize)> = None;
        for (_, number) in of_process {
            let operation = &history.operations[*number];
            while let Some((_, position, by)) = next.next_if(|(at, ..)| *at < operation.call) {
                if newest.is_none_or(|(newest, _)| *position > newest) {
                    newest = Some((*position, *by));
                }
            }
            if let Some((_, by)) = newest
                && (is_local(&operation.request) || matches!(operation.request, Request::HashKv(_)))
            {
                found.push((*number, by));
            }
        }
    }
    found
}

/// Which process of the member, counted over all starts, surely gave an answer between `call` and `at`.
fn process(starts: &[(MemberId, Nanos)], member: MemberId, call: Nanos, at: Nanos) -> Option<usize> {
    let at_call = starts.partition_point(|start| *start <= (member, call));
    let at_return = starts.partition_point(|start| *start <= (member, at));
    (at_call == at_return).then_some(at_call)
}

fn went_back(history: &History, earlier: usize, later: usize) -> Violation {
    let operation = &history.operations[later];
    let time = operation.returned().unwrap_or(operation.call);
    let title = "a serializable read went back behind what its member had shown";
    Violation::new(Oracle::K2, Severity::Wrong, time, title)
        .say(answered(history, earlier))
        .say(format!("{} The member was not restarted in between.", answered(history, later)))
        .shown_by([earlier, later])
}

fn behind_what_was_shown(history: &History, shown: usize, later: usize) -> Violation {
    let operation = &history.operations[later];
    let time = operation.returned().unwrap_or(operation.call);
    let title = "an operation is of an older state than a serializable read had shown";
    Violation::new(Oracle::K2, Severity::Wrong, time, title)
        .say(answered(history, shown))
        .say(format!(
            "{} It was called at {}, after that.",
            answered(history, later),
            describe::time(operation.call)
        ))
        .shown_by([shown, later])
}

fn behind_what_was_told(
    history: &History,
    (revision, at, stream): (i64, Nanos, usize),
    later: usize,
) -> Violation {
    let operation = &history.operations[later];
    let time = operation.returned().unwrap_or(operation.call);
    let title = "an operation is of an older state than a watcher had been told of";
    let client = history.watches[stream].client;
    Violation::new(Oracle::K2, Severity::Wrong, time, title)
        .say(format!(
            "Client {client} was told of a change at revision {revision} at {}, on stream {stream}.",
            describe::time(at)
        ))
        .say(format!(
            "{} It was called at {}, after that.",
            answered(history, later),
            describe::time(operation.call)
        ))
        .shown_by([later])
}

fn answered(history: &History, number: usize) -> String {
    let operation = &history.operations[number];
    let revision =
        operation.response().and_then(|response| response.header()).map_or(0, |header| header.revision);
    let time = describe::time(operation.returned().unwrap_or(operation.call));
    let member = operation.member;
    format!(
        "{} was answered by member {member} with revision {revision} at {time}.",
        describe::who(operation)
    )
}
