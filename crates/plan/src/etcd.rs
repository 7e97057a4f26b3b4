//! What plans of etcd have that those of other nodes have not: the names of its kinds of messages and of its failpoints.

use record::{Failpoint, MessageKind};

use crate::field::Names;

/// The names for the numbers in a plan of etcd.
pub(crate) const NAMES: Names =
    Names { messages: MESSAGES, points: POINTS, usual_point: Failpoint::RaftBeforeSave.number() as u16 };

/// Only raft's messages have names: a rule cannot match others.
const MESSAGES: &[&str] = &{
    let mut names = [""; MessageKind::Other as usize + 1];
    names[MessageKind::Append as usize] = "append";
    names[MessageKind::AppendResponse as usize] = "append-response";
    names[MessageKind::RequestVote as usize] = "vote";
    names[MessageKind::RequestVoteResponse as usize] = "vote-response";
    names[MessageKind::RequestPreVote as usize] = "pre-vote";
    names[MessageKind::RequestPreVoteResponse as usize] = "pre-vote-response";
    names[MessageKind::Heartbeat as usize] = "heartbeat";
    names[MessageKind::HeartbeatResponse as usize] = "heartbeat-response";
    names[MessageKind::Snapshot as usize] = "snapshot";
    names[MessageKind::Propose as usize] = "propose";
    names[MessageKind::TransferLeader as usize] = "transfer-leader";
    names[MessageKind::TimeoutNow as usize] = "timeout-now";
    names[MessageKind::ReadIndex as usize] = "read-index";
    names[MessageKind::ReadIndexResponse as usize] = "read-index-response";
    names[MessageKind::Other as usize] = "other";
    names
};

/// The numbers of failpoints begin at 1.
const POINTS: &[&str] = &{
    let mut names = [""; Failpoint::ALL.len() + 1];
    let mut at = 0;
    while at < Failpoint::ALL.len() {
        names[Failpoint::ALL[at].number() as usize] = Failpoint::ALL[at].name();
        at += 1;
    }
    names
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_at_the_place_of_its_number() {
        for point in Failpoint::ALL {
            let number = u16::from(*point);
            assert_eq!(POINTS[usize::from(number)], point.name());
            assert_eq!(Failpoint::try_from(number), Ok(*point));
        }
        assert_eq!(MESSAGES.iter().filter(|name| !name.is_empty()).count(), 15);
        assert_eq!(MESSAGES[MessageKind::ReadIndex as usize], "read-index");
    }
}
