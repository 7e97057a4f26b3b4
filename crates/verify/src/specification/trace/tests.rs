//! A trace that the Go library wrote, as it is and with one line wrong.
//!
//! `tests/data/raft-trace.ndjson` is of etcd-io/raft 3.7.0, built with `-tags with_tla`: three members and a fourth that
//! joins, over a network that loses, doubles and reorders, with restarts and a snapshot.

use std::io::Cursor;

use super::line::{TracedKind, TracedRole};
use super::*;

const RECORDED: &str = include_str!("../../../tests/data/raft-trace.ndjson");

fn recorded() -> Vec<Line> {
    let line = |(nth, text)| Line::read("recorded", nth, text).expect("a line of a trace");
    (1..).zip(RECORDED.lines()).filter_map(line).collect()
}

fn judged(lines: &[Line]) -> Judged {
    let text: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).expect("JSON")).collect();
    judge("changed", Cursor::new(text.join("\n"))).expect("a trace")
}

/// Changes the last line for which this is possible, and returns the rules that are broken.
fn broken(change: impl Fn(&mut TracedEvent) -> bool) -> Vec<&'static str> {
    let mut lines = recorded();
    assert!(lines.iter_mut().rev().any(|line| change(&mut line.event)), "no line fits");
    judged(&lines).breaches.iter().map(|breach| breach.rule).collect()
}

/// Leaves out the first line of a kind that is followed by another event of its member, and returns the rules that are
/// broken.
fn broken_without(fits: impl Fn(&TracedEvent) -> bool) -> Vec<&'static str> {
    let mut lines = recorded();
    let at = lines.iter().position(|line| fits(&line.event)).expect("a line fits");
    lines.remove(at);
    judged(&lines).breaches.iter().map(|breach| breach.rule).collect()
}

/// A message to another member, of this kind.
fn other(event: &TracedEvent, kind: TracedKind) -> bool {
    event.msg.as_ref().is_some_and(|message| message.kind == kind && message.from != message.to)
}

#[test]
fn what_the_library_writes_holds() {
    let judged = judge("recorded", RECORDED.as_bytes()).expect("a trace");
    assert_eq!((judged.breaches, judged.members), (Vec::new(), 4));
    assert!(judged.events > 400);
    for rule in [
        "CommitQuorum",
        "CommitOwnTerm",
        "WonByQuorum",
        "AppendConsistent",
        "SnapshotTaken",
        "ConfigurationApplied",
    ] {
        assert!(judged.judged[rule] > 0, "{rule}");
    }
}

#[test]
fn a_line_is_written_as_the_library_writes_it() {
    for (text, line) in RECORDED.lines().zip(recorded()) {
        let (one, other): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(text).expect("JSON"), serde_json::to_value(&line).expect("JSON"));
        assert_eq!(one["event"], other["event"]);
    }
}

#[test]
fn every_rule_is_judged_or_said_not_to_be_seen() {
    let judged = judged(&recorded());
    let silent: Vec<&str> = Rule::ALL
        .iter()
        .map(|rule| rule.name())
        .filter(|rule| !judged.judged.contains_key(rule) && !judged.not_seen.contains_key(rule))
        .collect();
    // Nothing of this happens in the recorded trace; the other tests break them.
    assert_eq!(silent, ["StaleChangesNothing", "FollowsLeader", "CommitByVote", "HeartbeatAnswered"]);
}

#[test]
fn a_commit_without_a_quorum_is_found() {
    let commits = |event: &mut TracedEvent| {
        let open = event.name == Name::Commit && event.state.commit < event.log;
        event.state.commit = if open { event.log } else { event.state.commit };
        open
    };
    assert!(broken(commits).contains(&"CommitQuorum"));
    // The line is named.
    let mut lines = recorded();
    let at = lines.iter_mut().position(|line| commits(&mut line.event)).expect("a line fits");
    let first = &judged(&lines).breaches[0];
    assert_eq!((first.line, first.rule), (at + 1, "CommitQuorum"));
}

#[test]
fn a_state_that_changes_without_a_cause_is_found() {
    let ready = |event: &TracedEvent| event.name == Name::Ready && event.state.commit > 4;
    let rules = broken(|event| {
        event.state.term += u64::from(ready(event));
        ready(event)
    });
    assert_eq!(rules[0], "TermMoves");
    let rules = broken(|event| {
        event.state.vote = if ready(event) { MemberId::new(9) } else { event.state.vote };
        ready(event)
    });
    assert_eq!(rules[0], "VoteOnce");
    let rules = broken(|event| {
        let follows = ready(event) && event.role == TracedRole::Follower;
        event.role = if follows { TracedRole::Leader } else { event.role };
        follows
    });
    assert_eq!(rules[0], "RoleChanges");
    let rules = broken(|event| {
        event.log += u64::from(ready(event));
        ready(event)
    });
    assert_eq!(rules[0], "Frame");
    let rules = broken(|event| {
        event.state.commit -= u64::from(ready(event));
        ready(event)
    });
    assert_eq!(rules[0], "CommitNeverBack");
    let rules = broken(|event| {
        if ready(event) {
            event.conf[0].push(MemberId::new(9));
        }
        ready(event)
    });
    assert_eq!(rules[0], "ConfigurationApplied");
}

#[test]
fn a_message_that_is_not_true_is_found() {
    type Change = fn(&mut TracedMessage);
    let changed = |kind: TracedKind, name: Name, change: Change| {
        broken(|event| {
            let fits = event.name == name && other(event, kind);
            if let Some(message) = event.msg.as_mut().filter(|_| fits) {
                change(message);
            }
            fits
        })
    };
    let requests = Name::SendAppendEntriesRequest;
    let answers = Name::SendAppendEntriesResponse;
    let rules = changed(TracedKind::MsgApp, requests, |message| message.log_term += 1);
    assert!(rules.contains(&"AppendTrue"), "{rules:?}");
    let rules = changed(TracedKind::MsgApp, requests, |message| message.commit += 1);
    assert!(rules.contains(&"AppendTrue"), "{rules:?}");
    let rules = changed(TracedKind::MsgHeartbeat, requests, |message| message.commit += 100);
    assert!(rules.contains(&"HeartbeatTrue"), "{rules:?}");
    let rules = changed(TracedKind::MsgSnap, requests, |message| message.entries += 100);
    assert!(rules.contains(&"SnapshotTrue"), "{rules:?}");
    let rules = changed(TracedKind::MsgAppResp, answers, |message| message.index += 1);
    assert!(rules.contains(&"AppendAnswered"), "{rules:?}");
    let rules = changed(TracedKind::MsgVote, Name::SendRequestVoteRequest, |message| message.index += 1);
    assert!(rules.contains(&"CampaignAsks"), "{rules:?}");
    let rules = changed(TracedKind::MsgVoteResp, Name::SendRequestVoteResponse, |message| message.term += 1);
    assert!(rules.contains(&"VoteAnswered"), "{rules:?}");
    let rules =
        changed(TracedKind::MsgAppResp, Name::ReceiveAppendEntriesResponse, |message| message.index = 900);
    assert!(rules.contains(&"Unasked"), "{rules:?}");
}

#[test]
fn what_is_left_out_is_found() {
    let granted = |event: &TracedEvent| {
        event.name == Name::ReceiveRequestVoteResponse
            && event.msg.as_ref().is_some_and(|message| !message.reject)
    };
    // Every vote of the candidate that wins first.
    let mut lines = recorded();
    let won = lines.iter().position(|line| line.event.name == Name::BecomeLeader).expect("somebody leads");
    let (leader, term) = (lines[won].event.nid, lines[won].event.state.term);
    lines.retain(|line| !(granted(&line.event) && line.event.nid == leader && line.event.state.term == term));
    assert!(judged(&lines).breaches.iter().any(|breach| breach.rule == "WonByQuorum"));

    let rules = broken_without(|event| {
        event.name == Name::SendRequestVoteResponse && other(event, TracedKind::MsgVoteResp)
    });
    assert!(rules.contains(&"VoteAnswered"), "{rules:?}");
    let rules = broken_without(|event| {
        event.name == Name::SendAppendEntriesResponse && other(event, TracedKind::MsgAppResp)
    });
    assert!(rules.contains(&"AppendAnswered"), "{rules:?}");
    let rules = broken_without(|event| {
        event.name == Name::SendAppendEntriesResponse && other(event, TracedKind::MsgHeartbeatResp)
    });
    assert!(rules.contains(&"HeartbeatAnswered"), "{rules:?}");
    let rules = broken_without(|event| event.name == Name::Replicate);
    assert!(rules.contains(&"LeaderBegins") || rules.contains(&"LeaderAppends"), "{rules:?}");
    let rules = broken_without(|event| event.name == Name::BecomeFollower && event.state.term > 1);
    assert!(rules.contains(&"TermMoves"), "{rules:?}");
}

#[test]
fn a_vote_that_must_not_be_given_is_found() {
    let rules = broken(|event| {
        let refuses = event.name == Name::SendRequestVoteResponse
            && event.msg.as_ref().is_some_and(|message| message.reject);
        if let Some(message) = event.msg.as_mut().filter(|_| refuses) {
            message.reject = false;
        }
        refuses
    });
    assert!(rules.contains(&"VoteUpToDate") || rules.contains(&"VoteOnce"), "{rules:?}");
}

#[test]
fn an_entry_of_an_earlier_term_is_not_committed_by_counting() {
    // The third event of the paper's figure 8: the leader of term 4 has an entry of term 2 on a quorum.
    let text = r#"
{"event":{"name":"InitState","nid":"1","state":{"term":0,"vote":"0","commit":0},"role":"StateFollower","log":0,"conf":[[],[]]}}
{"event":{"name":"ApplyConfChange","nid":"1","state":{"term":0,"vote":"0","commit":0},"role":"StateFollower","log":0,"conf":[[],[]],"prop":{"cc":{"newconf":["1"]}}}}
{"event":{"name":"BecomeFollower","nid":"1","state":{"term":2,"vote":"0","commit":0},"role":"StateFollower","log":1,"conf":[["1"],[]]}}
{"event":{"name":"BecomeCandidate","nid":"1","state":{"term":3,"vote":"1","commit":0},"role":"StateCandidate","log":1,"conf":[["1"],[]]}}
{"event":{"name":"SendRequestVoteResponse","nid":"1","state":{"term":3,"vote":"1","commit":0},"role":"StateCandidate","log":1,"conf":[["1"],[]],"msg":{"type":"MsgVoteResp","term":3,"from":"1","to":"1","entries":0,"logTerm":0,"index":0,"commit":0,"vote":"0","reject":false,"rejectHint":0}}}
{"event":{"name":"ReceiveRequestVoteResponse","nid":"1","state":{"term":3,"vote":"1","commit":0},"role":"StateCandidate","log":1,"conf":[["1"],[]],"msg":{"type":"MsgVoteResp","term":3,"from":"1","to":"1","entries":0,"logTerm":0,"index":0,"commit":0,"vote":"0","reject":false,"rejectHint":0}}}
{"event":{"name":"BecomeLeader","nid":"1","state":{"term":3,"vote":"1","commit":0},"role":"StateLeader","log":1,"conf":[["1"],[]]}}
{"event":{"name":"Commit","nid":"1","state":{"term":3,"vote":"1","commit":1},"role":"StateLeader","log":1,"conf":[["1"],[]]}}
"#;
    let judged = judge("by hand", text.as_bytes()).expect("a trace");
    let rules: Vec<_> = judged.breaches.iter().map(|breach| (breach.line, breach.rule)).collect();
    assert_eq!(rules, [(9, "CommitOwnTerm")]);
}

#[test]
fn mistakes_name_their_line() {
    let mistake = |text: &str| match judge("t.ndjson", text.as_bytes()) {
        Err(TraceError::Line(error)) => (error.line, error.what),
        other => panic!("{text}: {other:?}"),
    };
    let good = RECORDED.lines().next().expect("a line");
    assert_eq!(mistake(&format!("{good}\n\n{{\"event\"")).0, 3);
    let (line, what) = mistake(&format!("{good}\n{}", good.replace("InitState", "Initial")));
    assert!(line == 2 && what.contains("Initial"), "{what}");
    let (_, what) = mistake(&good.replace("\"nid\":\"1\"", "\"nid\":1"));
    assert!(what.contains("an id as a text in decimal"), "{what}");
    let (_, what) = mistake(&good.replace("InitState", "SendSnapshot"));
    assert!(what.contains("needs the message"), "{what}");
    let (_, what) = mistake("{\"level\":\"info\"}\n");
    assert!(what.contains("no event of raft"), "{what}");
    assert!(mistake("").1.contains("no event of raft"));
    // Lines of other logs are skipped.
    let mixed = format!("{{\"tag\":\"other\",\"event\":1}}\n{good}\n");
    assert_eq!(judge("t", mixed.as_bytes()).expect("a trace").events, 1);
}
