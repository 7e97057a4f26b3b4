//! The configuration that a member uses: who votes, who only learns.

use record::{MemberId, Members, Role};

use super::member::Member;

/// A configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Index of the entry or snapshot it comes from.
    pub index: u64,
    /// Sorted; in a joint configuration the incoming half.
    pub voters: Vec<MemberId>,
    /// The outgoing half of a joint configuration, else empty.
    pub outgoing: Vec<MemberId>,
    /// Sorted.
    pub learners: Vec<MemberId>,
}

impl Configuration {
    /// Whether both halves have to agree.
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether the member votes in it.
    pub fn has_voter(&self, id: MemberId) -> bool {
        self.voters.contains(&id) || self.outgoing.contains(&id)
    }

    /// Whether the member is the only voter.
    pub fn is_only_voter(&self, id: MemberId) -> bool {
        self.voters == [id] && self.outgoing.is_empty()
    }

    /// Whether the two have the same members; their indexes may differ.
    pub fn equals(&self, other: &Configuration) -> bool {
        (&self.voters, &self.outgoing, &self.learners) == (&other.voters, &other.outgoing, &other.learners)
    }

    /// The members, for a sentence.
    pub fn describe(&self) -> String {
        let list = |ids: &[MemberId]| ids.iter().map(MemberId::to_string).collect::<Vec<_>>().join(", ");
        let mut text = format!("voters {}", list(&self.voters));
        for (name, ids) in [("outgoing voters", &self.outgoing), ("learners", &self.learners)] {
            if !ids.is_empty() {
                text.push_str(&format!(", {name} {}", list(ids)));
            }
        }
        text
    }
}

/// The groups of voters that each need a quorum for what `member` commits: one, or the two halves of a joint
/// configuration. The configuration is the one that the member uses or, if it is not the leader, that its leader uses.
/// If none was reported, all members vote.
pub(super) fn halves<'a>(member: &Member, members: &'a Members<Member>) -> Vec<Vec<&'a Member>> {
    let leads = member.state.role == Role::Leader;
    let leader = if leads { None } else { members.get(member.state.leader) };
    let Some(configuration) =
        leader.and_then(|one| one.configuration.as_ref()).or(member.configuration.as_ref())
    else {
        return vec![members.values().collect()];
    };
    let half = |ids: &[MemberId]| ids.iter().filter_map(|id| members.get(*id)).collect::<Vec<_>>();
    let mut halves = vec![half(&configuration.voters)];
    if configuration.is_joint() {
        halves.push(half(&configuration.outgoing));
    }
    halves
}
