use record::fact::{DropReason, MessageHead};
use record::{Event, Fact, LogEntry, MemberId, MessageKind, Nanos, Role, Stop};

/// An event on one line: `12.301234 s  member 3  applied index 41 of term 2 as revision 40`.
pub fn event(event: &Event) -> String {
    let who = match event.member {
        0 => "the world".to_string(),
        member => format!("member {member}"),
    };
    format!("{}  {who}  {}", micros(event.time), fact(&event.fact))
}

/// Events are told to the microsecond: what matters is often which came first.
fn micros(at: Nanos) -> String {
    let micros = at / 1000;
    format!("{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
}

/// What happened, in words that follow the name of whose fact it is.
pub fn fact(fact: &Fact) -> String {
    match fact {
        Fact::Started { incarnation } => format!("starts, for the {incarnation}. time"),
        Fact::Stopped(stop) => stopped(stop),
        Fact::Paused => "is paused".to_string(),
        Fact::Resumed => "goes on".to_string(),
        Fact::Fault { fault, what, begins, .. } => {
            format!("fault {fault} ({what}) {}", if *begins { "begins" } else { "ends" })
        }
        Fact::Phase(phase) => format!("phase: {}", phase.name()),
        Fact::Recovered { term, vote, commit, before, entries, consistent_index, revision, .. } => format!(
            "recovers term {term}, vote {}, commit {commit}, log {}, store at index {consistent_index} and revision {revision}",
            member(*vote),
            log(before.0, entries)
        ),
        Fact::State { term, vote, role, leader } => {
            let role = match role {
                Role::Follower => "follower",
                Role::PreCandidate => "pre-candidate",
                Role::Candidate => "candidate",
                Role::Leader => "leader",
            };
            format!("is {role} in term {term}, vote {}, leader {}", member(*vote), member(*leader))
        }
        Fact::Appended(entries) => format!("appends {}", entry_list(entries)),
        Fact::LogCompacted { index, term } => format!("drops its log up to index {index} of term {term}"),
        Fact::SnapshotInstalled { index, term, revision, state_hash } => format!(
            "installs a snapshot of index {index}, term {term}, revision {revision}, hash {state_hash:016x}"
        ),
        Fact::Saving { job, term, vote, commit, last_index } => format!(
            "saves term {term}, vote {}, commit {commit}, log up to {last_index} (job {job})",
            member(*vote)
        ),
        Fact::Committed { index, term } => format!("commits up to index {index} of term {term}"),
        Fact::Applied { index, term, revision, state_hash, mutated, executed, .. } => {
            let how = match (executed, mutated) {
                (false, _) => "passes again over",
                (true, true) => "applies, with a new revision,",
                (true, false) => "applies",
            };
            format!("{how} index {index} of term {term}: revision {revision}, hash {state_hash:016x}")
        }
        Fact::BackendDurable { consistent_index } => {
            format!("has its store durable up to index {consistent_index}")
        }
        Fact::ReadIndexAsked { context } => format!("asks for a read index, context {context}"),
        Fact::ReadIndexConfirmed { context, index } => format!("gets read index {index}, context {context}"),
        Fact::Proposed { operation, request } => {
            format!("proposes operation {operation} as request {request:x}")
        }
        Fact::JobDone { job, synced, failed } => {
            let how = if *failed {
                "failed"
            } else if *synced {
                "is done and durable"
            } else {
                "is done"
            };
            format!("disk job {job} {how}")
        }
        Fact::Sent { to, head } => format!("sends {} {}", party(*to), message(head)),
        Fact::Delivered { from, head } => format!("hears from {} {}", party(*from), message(head)),
        Fact::Dropped { to, kind, why } => format!("{kind:?} to {} is lost: {}", party(*to), reason(*why)),
        Fact::Called { operation, client, .. } => format!("client {client} calls operation {operation}"),
        Fact::Returned { operation, answered: true, .. } => format!("operation {operation} is answered"),
        Fact::Returned { operation, answered: false, .. } => format!("operation {operation} is given up"),
        Fact::ProposedInternal { request, what } => {
            format!("proposes a {} of its own as request {request:x}", what.rpc_name())
        }
        Fact::Configuration { index, voters, outgoing, learners } => {
            let mut text = format!("has voters {voters:?} from index {index} on");
            if !outgoing.is_empty() {
                text += &format!(", jointly with {outgoing:?}");
            }
            if !learners.is_empty() {
                text += &format!(", learners {learners:?}");
            }
            text
        }
        Fact::Lessor { primary: true } => "looks after the leases".to_string(),
        Fact::Lessor { primary: false } => "no longer looks after the leases".to_string(),
        Fact::Failpoint { point } => format!("is struck at {point}"),
        Fact::Probe { probe } => format!("reaches \"{probe}\""),
        Fact::WatchOpened { stream, client, to } => {
            format!("client {client} opens watch stream {stream} to member {to}")
        }
        Fact::WatchReceived { stream, revision, events, .. } => {
            format!("watch stream {stream} brings {events} events, revision {revision}")
        }
        Fact::WatchEnded { stream } => format!("watch stream {stream} is over"),
    }
}

fn stopped(stop: &Stop) -> String {
    match stop {
        Stop::Graceful => "stops".to_string(),
        Stop::Crash => "crashes".to_string(),
        Stop::PowerLoss => "loses power".to_string(),
        Stop::Fatal(why) => format!("ends itself: {why}"),
        Stop::Panic(why) => format!("panics: {why}"),
        Stop::Refused(why) => format!("refuses to start: {why}"),
        Stop::Removed => "leaves the cluster, which removed it".to_string(),
    }
}

fn log(before: u64, entries: &[LogEntry]) -> String {
    match entries {
        [] => format!("empty after {before}"),
        entries => format!("after {before}: {}", entry_list(entries)),
    }
}

fn entry_list(entries: &[LogEntry]) -> String {
    match entries {
        [] => "nothing".to_string(),
        [one] => format!("index {} of term {}", one.index, one.term),
        [first, .., last] => {
            format!("indexes {} to {} of terms {} to {}", first.index, last.index, first.term, last.term)
        }
    }
}

fn member(id: u64) -> String {
    if id == 0 { "nobody".to_string() } else { id.to_string() }
}

fn party(id: MemberId) -> String {
    if id == 0 { "a client".to_string() } else { format!("member {id}") }
}

fn message(head: &MessageHead) -> String {
    let MessageHead { kind, term, index, log_term, commit, reject, entries } = head;
    let reject = if *reject { ", rejected" } else { "" };
    match kind {
        MessageKind::ClientRequest | MessageKind::ClientResponse => format!("{kind:?}"),
        _ => format!(
            "{kind:?} of term {term}, index {index} of term {log_term}, commit {commit}, {entries} entries{reject}"
        ),
    }
}

fn reason(why: DropReason) -> &'static str {
    match why {
        DropReason::Loss => "by chance",
        DropReason::CutAtSend => "the link was cut",
        DropReason::CutAtArrival => "the link was cut before it arrived",
        DropReason::Corrupt => "it was damaged",
        DropReason::Rule => "a rule dropped it",
        DropReason::Dead => "its receiver is gone",
        DropReason::Overflow => "the link's queue was full",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let line =
            event(&Event { time: 12_301_234_567, member: 3, fact: Fact::Committed { index: 41, term: 2 } });
        assert_eq!(line, "12.301234 s  member 3  commits up to index 41 of term 2");
    }
}
