//! Turns an event of the trace into one line: when, who, what. All code that prints events uses this form.

use super::number;
use record::{
    DropReason, EtcdFact, Event, Fact, LogEntry, MemberId, MessageHead, MessageKind, Nanos, Role, Stop,
};

/// An event on one line: ` 3.204118042  m2   sends an append response to m1, term 2, index 57`.
pub fn event(event: &Event) -> String {
    format!("{:>13}  {:<3}  {}", moment(event.time), actor(event.member), fact(&event.fact))
}

/// A moment in seconds, to the nanosecond: close events may differ in nothing else.
pub fn moment(at: Nanos) -> String {
    format!("{}.{:09}", at / 1_000_000_000, at % 1_000_000_000)
}

/// The member that reported the fact: `m2`; a dash for 0, which is no member.
pub fn actor(member: MemberId) -> String {
    if member.is_none() { "-".to_string() } else { format!("m{member}") }
}

/// What happened, as text that follows the name of the member.
pub fn fact(fact: &Fact) -> String {
    match fact {
        Fact::Started { incarnation } => format!("starts, start {incarnation}"),
        Fact::Stopped(stop) => stopped(stop),
        Fact::Paused => "is paused".to_string(),
        Fact::Resumed => "resumes".to_string(),
        Fact::Fault { fault, what, begins, .. } => {
            format!("fault {fault}, {what}, {}", if *begins { "begins" } else { "ends" })
        }
        Fact::Phase(phase) => format!("phase: {}", phase.name()),
        Fact::Own(EtcdFact::Recovered {
            term,
            vote,
            commit,
            before,
            entries,
            consistent_index,
            revision,
            state_hash,
        }) => {
            format!(
                "recovers {} after {}, term {term}, vote {}, commit {commit}; store at index {consistent_index}, revision {revision}, hash {state_hash:016x}",
                entries_of(entries, "no entries"),
                place(*before),
                member(*vote),
            )
        }
        Fact::Own(EtcdFact::State { term, vote, role, leader }) => {
            format!("{} in term {term}, vote {}, leader {}", role_of(*role), member(*vote), member(*leader))
        }
        Fact::Own(EtcdFact::Appended(entries)) => format!("appends {}", entries_of(entries, "nothing")),
        Fact::Own(EtcdFact::LogCompacted { index, term }) => {
            format!("drops its log up to {}", place((*index, *term)))
        }
        Fact::Own(EtcdFact::SnapshotInstalled { index, term, revision, state_hash }) => format!(
            "installs the snapshot of {}; store at revision {revision}, hash {state_hash:016x}",
            place((*index, *term))
        ),
        Fact::Own(EtcdFact::Saving { job, term, vote, commit, last_index }) => format!(
            "writes job {job}: log up to {last_index}, term {term}, vote {}, commit {commit}",
            member(*vote)
        ),
        Fact::Own(EtcdFact::Committed { index, term }) => format!("commits up to {}", place((*index, *term))),
        Fact::Own(EtcdFact::Applied {
            index,
            term,
            digest,
            request,
            revision,
            state_hash,
            mutated,
            executed,
        }) => {
            let how = match (executed, mutated) {
                (false, _) => "skips (its store has it)",
                (true, true) => "applies",
                (true, false) => "applies, changing nothing,",
            };
            let at = place((*index, *term));
            format!(
                "{how} {at}, digest {digest:016x}, request {}; revision {revision}, hash {state_hash:016x}",
                number(*request)
            )
        }
        Fact::Own(EtcdFact::BackendDurable { consistent_index }) => {
            format!("has its store on disk up to index {consistent_index}")
        }
        Fact::Own(EtcdFact::ReadIndexAsked { context }) => {
            format!("asks for a read index, context {}", number(*context))
        }
        Fact::Own(EtcdFact::ReadIndexConfirmed { context, index }) => {
            format!("has read index {index} confirmed, context {}", number(*context))
        }
        Fact::Own(EtcdFact::Proposed { operation, request }) => {
            format!("proposes operation #{operation} as request {}", number(*request))
        }
        Fact::JobDone { job, synced, failed } => {
            let how = match (synced, failed) {
                (true, false) => "is on disk",
                (false, false) => "is written, not synced",
                (_, true) => "failed",
            };
            format!("job {job} {how}")
        }
        Fact::Sent { to, head, .. } => format!("sends {}", message(head, "to", *to)),
        Fact::Delivered { from, head, .. } => format!("receives {}", message(head, "from", *from)),
        Fact::Dropped { to, kind, why, .. } => {
            format!("loses {} to {}: {}", message_kind(*kind), peer(*to), reason(*why))
        }
        Fact::Called { operation, client, digest } => {
            format!("client {client} calls operation #{operation}, digest {digest:016x}")
        }
        Fact::Returned { operation, answered: true, digest } => {
            format!("operation #{operation} is answered, digest {digest:016x}")
        }
        Fact::Returned { operation, answered: false, .. } => format!("operation #{operation} is given up"),
        Fact::Own(EtcdFact::ProposedInternal { request, what }) => {
            format!("proposes `{}` of its own as request {}", super::request(what), number(*request))
        }
        Fact::Own(EtcdFact::Configuration { index, voters, outgoing, learners }) => {
            let mut text = format!("has voters {} from index {index} on", members(voters));
            if !outgoing.is_empty() {
                text += &format!("; jointly with {}", members(outgoing));
            }
            if !learners.is_empty() {
                text += &format!("; learners {}", members(learners));
            }
            text
        }
        Fact::Own(EtcdFact::Lessor { primary: true }) => "is the lessor".to_string(),
        Fact::Own(EtcdFact::Lessor { primary: false }) => "is no longer the lessor".to_string(),
        Fact::Own(EtcdFact::Failpoint { point }) => format!("reaches failpoint {point}"),
        Fact::Own(EtcdFact::Probe { probe }) => format!("reaches probe {probe}"),
        Fact::Own(EtcdFact::WatchOpened { stream, client, to }) => {
            format!("client {client} opens watch stream {stream} to member {to}")
        }
        Fact::Own(EtcdFact::WatchReceived { stream, revision, events, .. }) => {
            format!("watch stream {stream} brings {events} events, revision {revision}")
        }
        Fact::Own(EtcdFact::WatchEnded { stream }) => format!("watch stream {stream} is over"),
    }
}

/// Why a process stopped.
fn stopped(stop: &Stop) -> String {
    match stop {
        Stop::Graceful => "stops, as it was asked to".to_string(),
        Stop::Crash => "is killed".to_string(),
        Stop::PowerLoss => "loses power".to_string(),
        Stop::Fatal(why) => format!("ends itself: {why}"),
        Stop::Panic(said) => format!("panics: {said}"),
        Stop::Refused(why) => format!("refuses to start: {why}"),
        Stop::Removed => "leaves the cluster, which removed it".to_string(),
    }
}

/// A raft message that a member sends or receives.
fn message(head: &MessageHead, direction: &str, with: MemberId) -> String {
    let MessageHead { kind, term, index, log_term, commit, reject, entries } = head;
    let mut text = format!("{} {direction} {}", message_kind(*kind), peer(with));
    let mut add = |set: bool, part: String| {
        if set {
            text.push_str(", ");
            text.push_str(&part);
        }
    };
    add(*term != 0, format!("term {term}"));
    add(*kind == MessageKind::Append || *index != 0, format!("index {index}"));
    add(*log_term != 0, format!("of term {log_term}"));
    add(*entries != 0, format!("{entries} entries"));
    add(*commit != 0, format!("commit {commit}"));
    add(*reject, "rejects".to_string());
    text
}

/// A message of this kind.
fn message_kind(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Append => "an append",
        MessageKind::AppendResponse => "an append response",
        MessageKind::RequestVote => "a vote request",
        MessageKind::RequestVoteResponse => "a vote response",
        MessageKind::RequestPreVote => "a pre-vote request",
        MessageKind::RequestPreVoteResponse => "a pre-vote response",
        MessageKind::Heartbeat => "a heartbeat",
        MessageKind::HeartbeatResponse => "a heartbeat response",
        MessageKind::Snapshot => "a snapshot",
        MessageKind::Propose => "a proposal",
        MessageKind::TransferLeader => "a request to transfer leadership",
        MessageKind::TimeoutNow => "an order to campaign now",
        MessageKind::ReadIndex => "a read-index request",
        MessageKind::ReadIndexResponse => "a read-index response",
        MessageKind::ClientRequest => "a request",
        MessageKind::ClientResponse => "an answer",
        MessageKind::WatchRequest => "a watch request",
        MessageKind::WatchResponse => "a watch response",
        MessageKind::PeerCall => "a call",
        MessageKind::PeerAnswer => "an answer to a call",
        MessageKind::Other => "another message",
    }
}

fn reason(why: DropReason) -> &'static str {
    match why {
        DropReason::Loss => "lost on the link",
        DropReason::CutAtSend => "the link was cut when it was sent",
        DropReason::CutAtArrival => "the link was cut when it should have arrived",
        DropReason::Corrupt => "damaged",
        DropReason::Rule => "a rule of the plan",
        DropReason::Dead => "its receiver was gone",
        DropReason::Overflow => "the link's queue was full",
    }
}

fn role_of(role: Role) -> &'static str {
    match role {
        Role::Follower => "is a follower",
        Role::PreCandidate => "is a pre-candidate",
        Role::Candidate => "is a candidate",
        Role::Leader => "leads",
    }
}

/// Whom a member votes for or follows.
fn member(id: MemberId) -> String {
    if id.is_none() { "nobody".to_string() } else { format!("m{id}") }
}

/// A list of members: `m1, m2`.
fn members(ids: &[MemberId]) -> String {
    ids.iter().map(|id| format!("m{id}")).collect::<Vec<_>>().join(", ")
}

/// The other end of a message.
fn peer(member: MemberId) -> String {
    if member.is_none() { "a client".to_string() } else { format!("m{member}") }
}

/// The index and the term of an entry.
fn place((index, term): (u64, u64)) -> String {
    format!("{index} (term {term})")
}

/// Each run of entries of one term: `entries 50 to 56 (term 1), 57 (term 2)`.
fn entries_of(entries: &[LogEntry], none: &str) -> String {
    let runs = entries.chunk_by(|one, next| one.term == next.term && one.index + 1 == next.index);
    let parts: Vec<String> = runs
        .map(|run| match run {
            [only] => place((only.index, only.term)),
            [first, .., last] => format!("{} to {} (term {})", first.index, last.index, first.term),
            [] => String::new(),
        })
        .collect();
    match (parts.is_empty(), entries.len()) {
        (true, _) => none.to_string(),
        (false, 1) => format!("entry {}, digest {:016x}", parts[0], entries[0].digest),
        (false, _) => format!("entries {}", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64) -> LogEntry {
        LogEntry { index, term, digest: 7 }
    }

    #[test]
    fn an_event_is_one_line() {
        let head = MessageHead {
            kind: MessageKind::AppendResponse,
            term: 2,
            index: 57,
            log_term: 0,
            commit: 0,
            reject: false,
            entries: 0,
        };
        let event = Event {
            time: 3_204_118_042,
            member: MemberId::new(2),
            fact: Fact::Sent { to: MemberId::new(1), packet: 1, head },
        };
        assert_eq!(
            super::event(&event),
            "  3.204118042  m2   sends an append response to m1, term 2, index 57"
        );
        let event = Event { time: 0, member: MemberId::NONE, fact: Fact::Phase(record::Phase::Chaos) };
        assert_eq!(super::event(&event), "  0.000000000  -    phase: chaos");
    }

    #[test]
    fn messages_and_members_are_said_in_words() {
        let lost = Fact::Dropped {
            to: MemberId::new(3),
            packet: 1,
            kind: MessageKind::RequestPreVoteResponse,
            why: DropReason::Loss,
        };
        assert_eq!(fact(&lost), "loses a pre-vote response to m3: lost on the link");
        let ids = |numbers: &[u32]| numbers.iter().copied().map(MemberId::new).collect::<Vec<_>>();
        let configuration = |outgoing: &[u32], learners: &[u32]| {
            Fact::Own(EtcdFact::Configuration {
                index: 7,
                voters: ids(&[1, 2]),
                outgoing: ids(outgoing),
                learners: ids(learners),
            })
        };
        assert_eq!(fact(&configuration(&[], &[])), "has voters m1, m2 from index 7 on");
        assert_eq!(
            fact(&configuration(&[1, 3], &[4])),
            "has voters m1, m2 from index 7 on; jointly with m1, m3; learners m4"
        );
    }

    #[test]
    fn entries_are_shown_in_runs_of_one_term() {
        let entries = [entry(50, 1), entry(51, 1), entry(52, 1), entry(53, 2), entry(55, 2)];
        assert_eq!(entries_of(&entries, ""), "entries 50 to 52 (term 1), 53 (term 2), 55 (term 2)");
        assert_eq!(entries_of(&entries[..1], ""), "entry 50 (term 1), digest 0000000000000007");
        assert_eq!(entries_of(&[], "nothing"), "nothing");
    }
}
