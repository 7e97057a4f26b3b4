//! V1, V2 and the end of I8: how a run ended.
//!
//! * V1: after healing there is a leader, every operation ends, the members agree, and enough operations were
//!   answered for the run to count. (`world/src/settle.rs` checks most of that during the run and records what
//!   failed.)
//! * V2: no process panicked, refused to start or ended by itself unless the plan expects it; and if space is not
//!   bounded, no write was refused because space ran out.
//! * I8: members that applied up to the same index have equal state.
//!
//! Not checked: how long anything took within the bound of the settle phase; memory (the runner bounds that); members
//! whose applied indexes differ at the end, which I8 compares during the run.

use api::{Error, Request};
use record::{MemberEnd, Operation, Outcome, Record, Stop};

use crate::describe;
use crate::k1::is_service;
use crate::model::Model;
use crate::model::alarm::takes_space;
use crate::{Context, Oracle, Severity, Sheet, Violation};

/// Judges a record by V1, V2 and the end of I8.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    liveness(context.record, context.expectations.answered, sheet);
    space(context.record, context.expectations.quota, sheet);
    surprises(context.record, sheet);
    equal_ends(context.record, sheet);
}

/// Checks V1.
fn liveness(record: &Record, answered_at_least: u64, sheet: &mut Sheet) {
    let end = record.stats.virtual_ns;
    sheet.checked(Oracle::V1, "members that had to settle", record.members.len());
    if !record.unsettled.is_empty() {
        let mut violation = Violation::new(Oracle::V1, end, "the cluster did not settle after healing");
        violation.sentences.clone_from(&record.unsettled);
        sheet.add(violation);
    }
    let answered =
        record.history.operations.iter().filter(|operation| operation.response().is_some()).count() as u64;
    if answered < answered_at_least {
        let violation = Violation::new(Oracle::V1, end, "too little was answered").say(format!(
            "Of {} operations {answered} were answered; the scenario expects at least {answered_at_least}.",
            record.history.operations.len()
        ));
        sheet.add(violation);
    }
}

/// Checks V2.
fn surprises(record: &Record, sheet: &mut Sheet) {
    sheet.checked(Oracle::V2, "ends of processes that the plan does not expect", record.surprises.len());
    for (time, member, stop) in &record.surprises {
        let (title, message) = match stop {
            Stop::Panic(message) => ("a member panicked", Some(message)),
            Stop::Refused(message) => ("a member refused to start", Some(message)),
            Stop::Fatal(message) => ("a member ended itself", Some(message)),
            Stop::Graceful | Stop::Crash | Stop::PowerLoss | Stop::Removed => ("a member ended", None),
        };
        let violation = Violation::new(Oracle::V2, *time, title)
            .say(format!("Member {member} at {}: {title}.", describe::time(*time)));
        sheet.add(match message {
            Some(message) => violation.say(message.clone()),
            None => violation,
        });
    }
}

/// Checks, for V2, that no request is wrongly refused because space ran out: no write if space is not bounded (`quota`
/// says whether it is), and never a request that takes no space.
fn space(record: &Record, quota: bool, sheet: &mut Sheet) {
    let refused =
        |operation: &&Operation| matches!(operation.outcome, Outcome::Error { error: Error::NoSpace, .. });
    let operations = || record.history.operations.iter();
    let asked = operations().any(|one| matches!(one.request, Request::Alarm(_)));
    if let Some(operation) = operations().find(refused).filter(|_| !quota && !asked) {
        let title = "a write was refused because space ran out";
        let time = operation.returned().unwrap_or(operation.call);
        let violation = Violation::new(Oracle::V2, time, title)
            .of_severity(Severity::Wrong)
            .say(format!("It was refused: {}.", describe::operation(operation)))
            .say("No member's space is bounded, and no client raised an alarm.");
        sheet.add(violation);
    }
    let needless = |operation: &&Operation| {
        let request = &operation.request;
        Model::covers(request) && !is_service(request) && !takes_space(request)
    };
    if let Some(operation) = operations().filter(refused).find(needless) {
        let title = "a request that takes no space was refused for lack of it";
        let time = operation.returned().unwrap_or(operation.call);
        let violation = Violation::new(Oracle::V2, time, title)
            .of_severity(Severity::Wrong)
            .say(format!("It was refused: {}.", describe::operation(operation)))
            .say("Only puts and grants take space.");
        sheet.add(violation);
    }
}

/// Checks the end of I8.
fn equal_ends(record: &Record, sheet: &mut Sheet) {
    let running: Vec<&MemberEnd> = record.members.iter().filter(|member| member.running).collect();
    sheet.checked(Oracle::I8, "members at the end", running.len());
    for (at, one) in running.iter().enumerate() {
        let differs = |other: &&&MemberEnd| {
            other.applied == one.applied
                && (other.revision, other.state_hash) != (one.revision, one.state_hash)
        };
        let Some(other) = running[..at].iter().find(differs) else { continue };
        let state = |member: &MemberEnd| {
            format!(
                "member {} is at revision {}, hash {:016x}",
                member.member, member.revision, member.state_hash
            )
        };
        let title = "members that applied the same differ";
        let violation = Violation::new(Oracle::I8, record.stats.virtual_ns, title)
            .say(format!("Both have applied everything up to index {}.", one.applied))
            .say(format!("At the end {}, and {}.", state(other), state(one)));
        sheet.add(violation);
    }
}
