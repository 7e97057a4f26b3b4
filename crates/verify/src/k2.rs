//! K2: a serializable read returns a state of the past, and never goes back on one member.
//!
//! A serializable read is answered from one member's store, which may be old. K1's replay checks that the answer is
//! the state at its revision. This file compares that revision with real time:
//!
//! * The state that a read returned was committed. So no linearizable operation called later may be of an older
//!   state. The same is true for the events that a watcher received.
//! * A member's store only moves forward while its process runs. So a later serializable read of the same member may
//!   not be of an older state either.
//!
//! If the history does not have the times at which members started, a read that goes back on its member is undecided,
//! because a restart would explain it.
//!
//! Not checked: how old the state is; a read during which its member restarts; going back across a restart, which is
//! allowed, because a member comes back with what is durable.

use api::Request;
use record::{History, MemberId, Nanos, Operation};

use crate::describe;
use crate::k1::place::{Place, Position, is_local, place};
use crate::{Context, Oracle, Sheet, Violation};

/// Whether the oracle judges answers to this request.
pub fn is_judged(request: &Request) -> bool {
    is_local(request)
}

/// Judges a record by K2.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let (history, starts) = (context.history(), context.starts());
    against_watchers(history, sheet);
    let (mut reads, mut compared) = (0, 0);
    if history.operations.iter().any(|operation| is_judged(&operation.request)) {
        reads = against_everyone(history, sheet);
        compared = against_the_member(history, starts, sheet);
    }
    sheet.checked(Oracle::K2, "serializable answers", reads);
    sheet.checked(Oracle::K2, "compared with earlier answers of their member", compared);
}

/// Compares linearizable operations with the states that serializable reads had returned before. Returns how many
/// serializable answers there are.
fn against_everyone(history: &History, sheet: &mut Sheet) -> usize {
    let mut states: Vec<(Nanos, Position, usize)> = Vec::new();
    for (number, operation) in history.operations.iter().enumerate() {
        if let (Place::Shows(position), Some(at)) = (place(operation), operation.returned()) {
            states.push((at, position, number));
        }
    }
    let reads = states.len();
    states.sort_unstable();
    let mut next = states.iter().peekable();
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
            sheet.add(behind_a_read(history, by, number));
        }
    }
    reads
}

/// No linearizable operation is of an older state than a watcher had seen before its call.
fn against_watchers(history: &History, sheet: &mut Sheet) {
    let mut seen: Vec<(Nanos, i64, usize)> = Vec::new();
    for (stream, watch) in history.watches.iter().enumerate() {
        for (at, response) in &watch.received {
            let revisions = response.events.iter().filter_map(|event| Some(event.kv.as_ref()?.mod_revision));
            seen.extend(revisions.max().map(|newest| (*at, newest, stream)));
        }
    }
    seen.sort_unstable();
    let mut next = seen.iter().peekable();
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
            sheet.add(behind_a_watcher(history, (revision, at, stream), number));
        }
    }
}

/// Compares serializable reads with earlier answers of their member. Returns how many were compared.
fn against_the_member(history: &History, starts: &[(MemberId, Nanos)], sheet: &mut Sheet) -> usize {
    let mut compared = 0;
    let mut back = Vec::new();
    for (later, earlier) in newest_before(history, starts) {
        if let (Place::Shows(read), Some(newest)) =
            (place(&history.operations[later]), store_position(&history.operations[earlier]))
        {
            compared += 1;
            if read < newest {
                back.push((earlier, later));
            }
        }
    }
    if !starts.is_empty() {
        sheet.add_all(back.iter().map(|(earlier, later)| went_back(history, *earlier, *later)));
    } else if let Some((earlier, later)) = back.first() {
        compared -= back.len();
        sheet.leave_open(unless_restarted(history, *earlier, *later, back.len()));
    }
    compared
}

/// The sentence for reads that went back, if the history does not say when members started.
fn unless_restarted(history: &History, earlier: usize, later: usize, count: usize) -> String {
    let (one, other) = (answered(history, earlier), answered(history, later));
    let member = history.operations[later].member;
    let others = match count - 1 {
        0 => String::new(),
        1 => " One more read went back like this.".to_string(),
        more => format!(" {more} more reads went back like this."),
    };
    format!(
        "A serializable read went back (K2): {one} {other} Only a restart of member {member} in between would excuse that, and the history does not say when members were started: add a line {{\"fault\": \"restart\", \"member\": {member}, \"at\": …}} for each start, the first included.{others}"
    )
}

/// A state that the member's store had reached when it made this answer: the one that the answer shows.
pub(crate) fn store_position(operation: &Operation) -> Option<Position> {
    match place(operation) {
        Place::At(position) | Place::Shows(position) => Some(Position::during(position.revision())),
        _ => None,
    }
}

/// For each serializable operation, and each request for a member's hash, the earlier answer of the same process with
/// the newest revision. Both are numbers of operations: the later one, then the earlier one.
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
    // By process, still in the order of calls.
    of_processes.sort_by_key(|(process, _)| *process);
    let mut found = Vec::new();
    for of_process in of_processes.chunk_by(|a, b| a.0 == b.0) {
        let mut answers: Vec<(Nanos, Position, usize)> = of_process
            .iter()
            .map(|(_, number)| &history.operations[*number])
            .zip(of_process)
            .filter_map(|(operation, (_, number))| {
                Some((operation.returned()?, store_position(operation)?, *number))
            })
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

/// Which process of the member gave the answer of an operation from `call` to `at`, as an index into `starts`; `None`
/// if the member was started in between.
fn process(starts: &[(MemberId, Nanos)], member: MemberId, call: Nanos, at: Nanos) -> Option<usize> {
    let at_call = starts.partition_point(|start| *start <= (member, call));
    let at_return = starts.partition_point(|start| *start <= (member, at));
    (at_call == at_return).then_some(at_call)
}

/// The violation that a member returned an older state than before.
fn went_back(history: &History, earlier: usize, later: usize) -> Violation {
    let operation = &history.operations[later];
    let time = operation.returned().unwrap_or(operation.call);
    let title = "a serializable read went back behind what its member had shown";
    Violation::new(Oracle::K2, time, title)
        .say(answered(history, earlier))
        .say(format!("{} The member was not restarted in between.", answered(history, later)))
        .shown_by([earlier, later])
}

/// The violation that a linearizable operation is of an older state than a serializable read before it.
fn behind_a_read(history: &History, earlier: usize, later: usize) -> Violation {
    let operation = &history.operations[later];
    let time = operation.returned().unwrap_or(operation.call);
    let title = "an operation is of an older state than a serializable read had shown";
    Violation::new(Oracle::K2, time, title)
        .say(answered(history, earlier))
        .say(format!(
            "{} It was called at {}, after that.",
            answered(history, later),
            describe::time(operation.call)
        ))
        .shown_by([earlier, later])
}

/// The violation that a linearizable operation is of an older state than a watcher had seen before it.
fn behind_a_watcher(
    history: &History,
    (revision, at, stream): (i64, Nanos, usize),
    later: usize,
) -> Violation {
    let operation = &history.operations[later];
    let time = operation.returned().unwrap_or(operation.call);
    let title = "an operation is of an older state than a watcher had seen";
    let client = history.watches[stream].client;
    Violation::new(Oracle::K2, time, title)
        .say(format!(
            "Client {client} received a change of revision {revision} at {}, on stream {stream}.",
            describe::time(at)
        ))
        .say(format!(
            "{} It was called at {}, after that.",
            answered(history, later),
            describe::time(operation.call)
        ))
        .shown_by([later])
}

/// The sentence that says how an operation was answered.
fn answered(history: &History, number: usize) -> String {
    let operation = &history.operations[number];
    let revision =
        operation.response().and_then(|response| response.header()).map_or(0, |header| header.revision);
    let time = describe::time(operation.returned().unwrap_or(operation.call));
    format!(
        "{} was answered{} with revision {revision} at {time}.",
        describe::who(operation),
        describe::by_member(" by", operation.member)
    )
}
