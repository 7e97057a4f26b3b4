//! Every kind of fact enters the trace hash as it always has: a changed line of `tests/data/fact-hashes.txt` means that
//! the hashes of all old runs are worth nothing.
//!
//! `UPDATE_HASHES=1 cargo test -p etcdsim-record --test fact_hashes` writes the file again, for a new kind of fact.

use std::fmt::Write;

use etcdsim_record::{
    DropReason, EtcdFact, Event, Fact, Failpoint, FaultEffect, LogEntry, MemberId, MessageHead, MessageKind,
    Phase, Probe, Role, Stop, TraceHasher,
};

const FILE: &str = "tests/data/fact-hashes.txt";

#[test]
fn every_kind_of_fact_has_the_hash_written_down() {
    let mut now = String::new();
    for (name, facts) in facts() {
        let mut hasher = TraceHasher::default();
        for fact in facts {
            // A member whose id reaches into the bits of the tag, as ids made from URLs do.
            let member = MemberId::from_raft(0x1_0000_0003);
            Event { time: 1_234_567_890, member, fact }.absorb_into(&mut hasher);
        }
        writeln!(now, "{name} {}", hasher.hash()).expect("a String takes everything");
    }
    if std::env::var_os("UPDATE_HASHES").is_some() {
        return std::fs::write(FILE, now).expect("a folder of the repository");
    }
    let before = std::fs::read_to_string(FILE).expect("the hashes written down");
    assert_eq!(now, before);
}

/// One row for each kind of fact, with a fact for each role, kind of message, reason and way to stop.
fn facts() -> Vec<(&'static str, Vec<Fact>)> {
    let id = MemberId::new;
    let text = || "a text, which stays outside the hash".to_string();
    let entries =
        || vec![LogEntry { index: 8, term: 3, digest: 81 }, LogEntry { index: 9, term: 4, digest: 91 }];
    vec![
        ("Started", vec![Fact::Started { incarnation: 2 }]),
        (
            "Stopped",
            vec![
                Fact::Stopped(Stop::Graceful),
                Fact::Stopped(Stop::Crash),
                Fact::Stopped(Stop::PowerLoss),
                Fact::Stopped(Stop::Fatal(text())),
                Fact::Stopped(Stop::Panic(text())),
                Fact::Stopped(Stop::Refused(text())),
                Fact::Stopped(Stop::Removed),
            ],
        ),
        ("Paused", vec![Fact::Paused]),
        ("Resumed", vec![Fact::Resumed]),
        (
            "Fault",
            vec![Fact::Fault {
                fault: 7,
                what: "crash",
                kind: 12,
                effect: FaultEffect::DAMAGE,
                begins: true,
            }],
        ),
        ("Phase", [Phase::Chaos, Phase::Heal, Phase::Settle, Phase::End].map(Fact::Phase).to_vec()),
        (
            "Recovered",
            vec![Fact::Own(EtcdFact::Recovered {
                term: 4,
                vote: id(2),
                commit: 9,
                before: (7, 3),
                entries: entries(),
                consistent_index: 6,
                revision: 5,
                state_hash: 77,
            })],
        ),
        (
            "State",
            [Role::Follower, Role::PreCandidate, Role::Candidate, Role::Leader]
                .map(|role| Fact::Own(EtcdFact::State { term: 4, vote: id(2), role, leader: id(3) }))
                .to_vec(),
        ),
        ("Appended", vec![Fact::Own(EtcdFact::Appended(entries()))]),
        ("LogCompacted", vec![Fact::Own(EtcdFact::LogCompacted { index: 7, term: 3 })]),
        (
            "SnapshotInstalled",
            vec![Fact::Own(EtcdFact::SnapshotInstalled { index: 7, term: 3, revision: 5, state_hash: 77 })],
        ),
        (
            "Saving",
            vec![Fact::Own(EtcdFact::Saving { job: 11, term: 4, vote: id(2), commit: 9, last_index: 10 })],
        ),
        ("Committed", vec![Fact::Own(EtcdFact::Committed { index: 9, term: 4 })]),
        (
            "Applied",
            [(true, false), (false, true)]
                .map(|(mutated, executed)| {
                    Fact::Own(EtcdFact::Applied {
                        index: 9,
                        term: 4,
                        digest: 91,
                        request: 15,
                        revision: 6,
                        state_hash: 78,
                        mutated,
                        executed,
                    })
                })
                .to_vec(),
        ),
        ("BackendDurable", vec![Fact::Own(EtcdFact::BackendDurable { consistent_index: 9 })]),
        ("ReadIndexAsked", vec![Fact::Own(EtcdFact::ReadIndexAsked { context: 21 })]),
        ("ReadIndexConfirmed", vec![Fact::Own(EtcdFact::ReadIndexConfirmed { context: 21, index: 9 })]),
        ("Proposed", vec![Fact::Own(EtcdFact::Proposed { operation: 31, request: 15 })]),
        (
            "ProposedInternal",
            vec![Fact::Own(EtcdFact::ProposedInternal {
                request: 16,
                what: Box::new(api::Request::Compact(api::etcdserverpb::CompactionRequest::default())),
            })],
        ),
        (
            "Configuration",
            vec![Fact::Own(EtcdFact::Configuration {
                index: 9,
                voters: vec![id(1), id(2), id(3)],
                outgoing: vec![id(1), id(2)],
                learners: vec![id(4)],
            })],
        ),
        ("Lessor", vec![Fact::Own(EtcdFact::Lessor { primary: true })]),
        ("Failpoint", vec![Fact::Own(EtcdFact::Failpoint { point: Failpoint::RaftAfterSave })]),
        ("Probe", vec![Fact::Own(EtcdFact::Probe { probe: Probe::DeposedBySlowDisk })]),
        (
            "JobDone",
            [(true, false), (false, true)]
                .map(|(synced, failed)| Fact::JobDone { job: 11, synced, failed })
                .to_vec(),
        ),
        ("Sent", KINDS.map(|kind| Fact::Sent { to: id(2), packet: 1, head: head(kind) }).to_vec()),
        (
            "Delivered",
            KINDS.map(|kind| Fact::Delivered { from: id(1), packet: 1, head: head(kind) }).to_vec(),
        ),
        (
            "Dropped",
            [
                DropReason::Loss,
                DropReason::CutAtSend,
                DropReason::CutAtArrival,
                DropReason::Corrupt,
                DropReason::Rule,
                DropReason::Dead,
                DropReason::Overflow,
            ]
            .map(|why| Fact::Dropped { to: id(2), packet: 1, kind: MessageKind::Snapshot, why })
            .to_vec(),
        ),
        ("Called", vec![Fact::Called { operation: 31, client: 5, digest: 41 }]),
        ("Returned", vec![Fact::Returned { operation: 31, answered: true, digest: 42 }]),
        ("WatchOpened", vec![Fact::Own(EtcdFact::WatchOpened { stream: 3, client: 5, to: id(2) })]),
        (
            "WatchReceived",
            vec![Fact::Own(EtcdFact::WatchReceived { stream: 3, revision: 6, events: 2, digest: 43 })],
        ),
        ("WatchEnded", vec![Fact::Own(EtcdFact::WatchEnded { stream: 3 })]),
    ]
}

fn head(kind: MessageKind) -> MessageHead {
    MessageHead { kind, term: 4, index: 9, log_term: 3, commit: 8, reject: true, entries: 2 }
}

const KINDS: [MessageKind; 21] = [
    MessageKind::Append,
    MessageKind::AppendResponse,
    MessageKind::RequestVote,
    MessageKind::RequestVoteResponse,
    MessageKind::RequestPreVote,
    MessageKind::RequestPreVoteResponse,
    MessageKind::Heartbeat,
    MessageKind::HeartbeatResponse,
    MessageKind::Snapshot,
    MessageKind::Propose,
    MessageKind::TransferLeader,
    MessageKind::TimeoutNow,
    MessageKind::ReadIndex,
    MessageKind::ReadIndexResponse,
    MessageKind::ClientRequest,
    MessageKind::ClientResponse,
    MessageKind::WatchRequest,
    MessageKind::WatchResponse,
    MessageKind::PeerCall,
    MessageKind::PeerAnswer,
    MessageKind::Other,
];
