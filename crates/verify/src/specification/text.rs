//! Messages, members and configurations in sentences.

use record::step::{Change, Configuration, MemberChange, Message};
use record::{MemberId, MessageKind, Role};

/// "member 2", or "nobody".
pub(super) fn who(member: MemberId) -> String {
    if member.is_none() { "nobody".to_string() } else { format!("member {member}") }
}

/// A sentence about "it", with the member's name in place of that.
pub(super) fn of_member(member: MemberId, sentence: &str) -> String {
    match sentence.split_once([' ', ',']) {
        Some(("Its", rest)) => format!("Member {member}'s {rest}"),
        Some(("It", _)) => format!("Member {member}{}", &sentence[2..]),
        _ => format!("Member {member}: {sentence}"),
    }
}

/// A change of the configuration.
pub(super) fn change(change: &Change) -> String {
    let one = |(what, member): &(MemberChange, MemberId)| match what {
        MemberChange::Voter => format!("member {member} votes"),
        MemberChange::Learner => format!("member {member} learns"),
        MemberChange::Remove => format!("member {member} leaves"),
    };
    let changes: Vec<String> = change.changes.iter().map(one).collect();
    if changes.is_empty() { "leaves the joint configuration".to_string() } else { changes.join(", ") }
}

/// A role.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Follower => "a follower",
        Role::PreCandidate => "a pre-candidate",
        Role::Candidate => "a candidate",
        Role::Leader => "the leader",
    }
}

/// A configuration.
pub(super) fn configuration(configuration: &Configuration) -> String {
    let list = |ids: &[MemberId]| ids.iter().map(MemberId::to_string).collect::<Vec<_>>().join(", ");
    let mut text = format!("voters {}", list(&configuration.voters));
    let others = [
        ("outgoing voters", &configuration.outgoing),
        ("learners", &configuration.learners),
        ("learners next", &configuration.learners_next),
    ];
    for (name, ids) in others.into_iter().filter(|(_, ids)| !ids.is_empty()) {
        text.push_str(&format!(", {name} {}", list(ids)));
    }
    if configuration.auto_leave {
        text.push_str(", to be left at once");
    }
    text
}

/// A message, with the fields that its kind has.
pub(super) fn message(message: &Message) -> String {
    let (term, index, commit) = (message.term, message.index, message.commit);
    let what = match message.kind {
        MessageKind::Append => {
            let runs: Vec<_> = (message.entries.runs())
                .map(|run| format!("{} to {} of term {}", run.first, run.last(), run.term))
                .collect();
            let entries = if runs.is_empty() {
                "no entries".to_string()
            } else {
                format!("entries {}", runs.join(", "))
            };
            format!(
                "an append of term {term} with {entries} after entry {index} of term {} and commit index {commit}",
                message.log_term
            )
        }
        MessageKind::AppendResponse if message.reject => format!(
            "a refusal of term {term} of entry {index}, with the hint {} of term {} and commit index {commit}",
            message.hint, message.log_term
        ),
        MessageKind::AppendResponse => {
            format!("an acknowledgement of term {term} up to entry {index} with commit index {commit}")
        }
        MessageKind::RequestVote => format!(
            "a request for a vote in term {term} with last entry {index} of term {}, commit index {commit} of term {}",
            message.log_term, message.commit_term
        ),
        MessageKind::RequestPreVote => format!(
            "a request for a pre-vote in term {term} with last entry {index} of term {}, commit index {commit} of term {}",
            message.log_term, message.commit_term
        ),
        MessageKind::RequestVoteResponse | MessageKind::RequestPreVoteResponse => {
            let pre = if message.kind == MessageKind::RequestPreVoteResponse { "pre-" } else { "" };
            let given = if message.reject { "refusal" } else { "grant" };
            format!(
                "the {given} of a {pre}vote in term {term} with commit index {commit} of term {}",
                message.commit_term
            )
        }
        MessageKind::Heartbeat => format!("a heartbeat of term {term} with commit index {commit}"),
        MessageKind::HeartbeatResponse => {
            format!("the answer to a heartbeat of term {term} with commit index {commit}")
        }
        MessageKind::Snapshot => {
            let configuration =
                message.snapshot.as_ref().map(|snapshot| configuration(&snapshot.configuration));
            format!(
                "a snapshot of term {term} up to entry {index} of term {} with {}",
                message.log_term,
                configuration.unwrap_or_else(|| "no configuration".to_string())
            )
        }
        MessageKind::Propose => format!("a proposal of {} entries", message.entries.len()),
        MessageKind::TransferLeader => format!("the request of term {term} to transfer the leadership"),
        MessageKind::TimeoutNow => format!("the TimeoutNow of term {term}"),
        MessageKind::ReadIndex => format!("the read {:?}", message.context),
        MessageKind::ReadIndexResponse => {
            format!("the answer of term {term} to the read {:?} with index {index}", message.context)
        }
        other => format!("a message of kind {other:?}"),
    };
    format!("{what} from member {} to {}", message.from, who(message.to))
}
