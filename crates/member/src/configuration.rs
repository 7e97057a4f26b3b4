//! Translates membership changes for raft and back.
//!
//! A change is one entry in the log. The entry has raft's configuration change (who votes, who learns) and,
//! in its context field, the request id and the whole membership change with names and URLs
//! ([`crate::cluster::Change`]). Every member checks the change again when it applies the entry; a change
//! that is no longer valid has no effect (etcd's `membership/cluster.go`, `ValidateConfigurationChange`).
//!
//! One change at a time uses raft's simple rule. Several at once use a joint configuration, which the leader
//! leaves automatically.

use api::Response;
use api::etcdserverpb::{
    Member as Listed, MemberAddResponse, MemberPromoteResponse, MemberRemoveResponse, MemberUpdateResponse,
    ResponseHeader,
};
use bytes::{Buf as _, Bytes};
use protobuf::Message as _;
use raft::eraftpb::{
    ConfChange, ConfChangeSingle, ConfChangeType, ConfChangeV2, ConfState, Entry, EntryType,
};
use record::inner::{Command, MembershipDeed};
use record::{EtcdFact as Fact, MemberId};

use crate::cluster::{Change, id_of_member};
use crate::config::Config;

/// The initial configuration of the cluster. It is empty for a member that joins an existing cluster.
pub(crate) fn first(config: &Config) -> ConfState {
    let voters =
        if config.join { Vec::new() } else { config.peers.iter().map(|peer| peer.id.raft_id()).collect() };
    ConfState { voters, ..ConfState::default() }
}

/// A configuration change as raft expects it in a proposal.
pub(crate) enum Proposed {
    /// By the simple rule.
    One(ConfChange),
    /// By a joint configuration.
    Several(ConfChangeV2),
}

/// Converts a membership change to raft's configuration change. `id` is the request id. With flaw M-21737
/// (`update_votes`), an update of a member's URLs makes it a voter.
pub(crate) fn for_raft(id: u64, change: &Change, update_votes: bool) -> Proposed {
    let mut context = id.to_be_bytes().to_vec();
    context.extend(change.encode());
    let context = Bytes::from(context);
    let mut singles = Vec::new();
    collect(change, update_votes, &mut singles);
    match (change, &singles[..]) {
        (Change::Joint(_), _) => {
            Proposed::Several(ConfChangeV2 { changes: singles.into(), context, ..ConfChangeV2::default() })
        }
        (_, [single]) => Proposed::One(ConfChange {
            change_type: single.change_type,
            node_id: single.node_id,
            context,
            ..ConfChange::default()
        }),
        (change, singles) => {
            panic!(
                "{change:?} became {} changes of raft's configuration: only a joint one may",
                singles.len()
            )
        }
    }
}

/// Collects the single changes of raft's configuration that a membership change consists of.
fn collect(change: &Change, update_votes: bool, singles: &mut Vec<ConfChangeSingle>) {
    let (id, change_type) = match change {
        Change::Add(member) if member.is_learner => (id_of_member(member), ConfChangeType::AddLearnerNode),
        Change::Add(member) => (id_of_member(member), ConfChangeType::AddNode),
        Change::Promote(id) => (*id, ConfChangeType::AddNode),
        Change::Remove(id) => (*id, ConfChangeType::RemoveNode),
        Change::Update(id, _) if update_votes => (*id, ConfChangeType::AddNode),
        // An update of names or URLs changes nothing in raft. The role that the member has is not named here: a
        // proposer that has just joined does not know it yet, or it changes before the entry is applied.
        Change::Update(..) => return singles.push(ConfChangeSingle::default()),
        Change::Joint(all) => {
            return all.iter().for_each(|change| collect(change, update_votes, singles));
        }
    };
    singles.push(ConfChangeSingle { node_id: id.raft_id(), change_type, ..ConfChangeSingle::default() });
}

/// The id of the request that an entry with a configuration change came from. `None` for the entry with which
/// a leader leaves a joint configuration.
pub(crate) fn id_of(entry: &Entry) -> Option<u64> {
    let context = match entry.get_entry_type() {
        EntryType::EntryConfChange => ConfChange::parse_from_bytes(&entry.data).ok()?.context,
        EntryType::EntryConfChangeV2 => ConfChangeV2::parse_from_bytes(&entry.data).ok()?.context,
        EntryType::EntryNormal => return None,
    };
    (context.len() >= 8).then(|| (&context[..]).get_u64())
}

/// What an entry with a configuration change holds: raft's change; and the request id with the whole membership change,
/// `None` in the entry with which a leader leaves a joint configuration.
pub(crate) fn read(entry: &Entry) -> (ConfChangeV2, Option<(u64, Change)>) {
    let (change, mut context) = parts(entry);
    if context.len() < 8 {
        return (change, None);
    }
    let id = context.get_u64();
    let wanted = Change::decode(context).unwrap_or_else(|error| {
        panic!("entry {} does not hold a membership change ({error}): it was encoded wrong", entry.index)
    });
    (change, Some((id, wanted)))
}

/// The change as it is shown to the code that explains a run.
pub(crate) fn reported(change: &Change) -> Command {
    fn deeds(change: &Change) -> Vec<(MemberId, MembershipDeed)> {
        match change {
            Change::Add(member) if member.is_learner => {
                vec![(id_of_member(member), MembershipDeed::AddLearner)]
            }
            Change::Add(member) => vec![(id_of_member(member), MembershipDeed::AddVoter)],
            Change::Remove(id) => vec![(*id, MembershipDeed::Remove)],
            Change::Update(id, _) => vec![(*id, MembershipDeed::Update)],
            Change::Promote(id) => vec![(*id, MembershipDeed::Promote)],
            Change::Joint(changes) => changes.iter().flat_map(deeds).collect(),
        }
    }
    Command::Membership(deeds(change))
}

/// The change that raft gets instead of one that is no longer valid: raft must still learn that the entry was
/// applied.
pub(crate) fn nothing() -> ConfChangeV2 {
    simple(ConfChangeSingle::default())
}

/// The fact that reports a configuration, which holds from the entry `index` on.
pub(crate) fn report(index: u64, conf_state: &ConfState) -> Fact {
    let sorted = |ids: &[u64]| {
        let mut ids: Vec<MemberId> = ids.iter().copied().map(MemberId::from_raft).collect();
        ids.sort_unstable();
        ids
    };
    Fact::Configuration {
        index,
        voters: sorted(&conf_state.voters),
        outgoing: sorted(&conf_state.voters_outgoing),
        learners: sorted(&conf_state.learners),
    }
}

/// A change of one member by the simple rule. With a default `single` it concerns member 0, which does not
/// exist, so it changes nothing.
fn simple(single: ConfChangeSingle) -> ConfChangeV2 {
    ConfChangeV2 { changes: vec![single].into(), ..ConfChangeV2::default() }
}

/// The two parts of an entry with a configuration change: raft's change and the context.
fn parts(entry: &Entry) -> (ConfChangeV2, Bytes) {
    let damaged = |error: protobuf::ProtobufError| -> ! {
        panic!("entry {} is not a configuration change ({error}): its checksum is right", entry.index)
    };
    match entry.get_entry_type() {
        EntryType::EntryConfChange => {
            let change = ConfChange::parse_from_bytes(&entry.data).unwrap_or_else(|error| damaged(error));
            let context = change.context.clone();
            let single = ConfChangeSingle {
                change_type: change.change_type,
                node_id: change.node_id,
                ..ConfChangeSingle::default()
            };
            (simple(single), context)
        }
        _ => {
            let change = ConfChangeV2::parse_from_bytes(&entry.data).unwrap_or_else(|error| damaged(error));
            let context = change.context.clone();
            (change, context)
        }
    }
}

/// The response to the request for a change that was applied.
pub(crate) fn answer(change: &Change, members: Vec<Listed>) -> Response {
    let header = Some(ResponseHeader::default());
    match change {
        Change::Add(added) => {
            let member = members.iter().find(|member| member.id == added.id).cloned();
            MemberAddResponse { header, member, members }.into()
        }
        Change::Remove(_) | Change::Joint(_) => MemberRemoveResponse { header, members }.into(),
        Change::Update(..) => MemberUpdateResponse { header, members }.into(),
        Change::Promote(_) => MemberPromoteResponse { header, members }.into(),
    }
}
