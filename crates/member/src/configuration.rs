//! Carries out membership changes through raft, and ends a member that was removed.
//!
//! A change is one entry in the log. The entry has raft's configuration change (who votes, who learns) and,
//! in its context field, the request id and the whole membership change with names and URLs
//! ([`crate::cluster::Change`]). Every member checks the change again when it applies the entry; a change
//! that is no longer valid has no effect (etcd's `membership/cluster.go`, `ValidateConfigurationChange`).
//!
//! One change at a time uses raft's simple rule. Several at once use a joint configuration, which the leader
//! leaves automatically.
//!
//! A member that applies its own removal continues for a second, so that other members can learn of the
//! removal from it, and then ends.

use api::Response;
use api::etcdserverpb::{
    Member as Listed, MemberAddResponse, MemberPromoteResponse, MemberRemoveResponse, MemberUpdateResponse,
    ResponseHeader,
};
use bytes::{Buf as _, Bytes};
use protobuf::Message as _;
use raft::eraftpb::{ConfChange, ConfChangeSingle, ConfChangeType, ConfChangeV2, Entry, EntryType};
use record::{EtcdFact as Fact, MemberId};

use crate::cluster::{Change, id_of_member};
use crate::failpoint::Failpoint;
use crate::io::{Effects, PeerMessage};
use crate::member::Member;

/// How long a removed member continues, in nanoseconds (`server.go`, `stopWithDelay`: ten times 100 ms).
const STOP_DELAY: u64 = 1_000_000_000;

/// A configuration change as raft expects it in a proposal.
pub(crate) enum Proposed {
    /// By the simple rule.
    One(ConfChange),
    /// By a joint configuration.
    Several(ConfChangeV2),
}

/// Converts a membership change to raft's configuration change. `id` is the request id.
pub(crate) fn for_raft(id: u64, change: &Change, is_learner: impl Fn(MemberId) -> bool) -> Proposed {
    let mut context = id.to_be_bytes().to_vec();
    context.extend(change.encode());
    let context = Bytes::from(context);
    let mut singles = Vec::new();
    collect(change, &is_learner, &mut singles);
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
fn collect(change: &Change, is_learner: &impl Fn(MemberId) -> bool, singles: &mut Vec<ConfChangeSingle>) {
    let (id, change_type) = match change {
        Change::Add(member) if member.is_learner => (id_of_member(member), ConfChangeType::AddLearnerNode),
        Change::Add(member) => (id_of_member(member), ConfChangeType::AddNode),
        Change::Promote(id) => (*id, ConfChangeType::AddNode),
        Change::Remove(id) => (*id, ConfChangeType::RemoveNode),
        // An update of names or URLs changes nothing in raft, but raft has no empty change. So it adds the
        // member again, in the role that it has.
        Change::Update(id, _) if is_learner(*id) => (*id, ConfChangeType::AddLearnerNode),
        Change::Update(id, _) => (*id, ConfChangeType::AddNode),
        Change::Joint(all) => {
            all.iter().for_each(|change| collect(change, is_learner, singles));
            return;
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

impl Member {
    /// Applies an entry that changes the configuration. Returns its request id; 0 if there is none.
    pub(crate) fn apply_configuration(&mut self, entry: &Entry, effects: &mut Effects) -> u64 {
        self.pass(Failpoint::BeforeApplyOneConfChange, effects);
        let (mut change, mut context) = parts(entry);
        if context.len() < 8 {
            // The entry has no request id: with it, the leader leaves a joint configuration.
            self.node.apply_change(&change);
            self.report_configuration(effects);
            self.note_removal();
            return 0;
        }
        let id = context.get_u64();
        let wanted = Change::decode(context).unwrap_or_else(|error| {
            panic!("entry {} does not hold a membership change ({error}): it was encoded wrong", entry.index)
        });
        let result = self.cluster.apply_change(entry.index, &wanted);
        if result.is_err() {
            // The change is no longer valid. Raft must still learn that its entry was applied, so it gets a change of
            // nothing.
            change = simple(ConfChangeSingle::default());
        }
        self.node.apply_change(&change);
        self.report_configuration(effects);
        self.note_removal();
        if let Some(operation) = self.proposals.applied(id) {
            let answer = result.map(|members| answer(&wanted, members));
            self.reply(operation, self.with_header(answer), effects);
        }
        id
    }

    /// Reports the current configuration as a fact.
    pub(crate) fn report_configuration(&mut self, effects: &mut Effects) {
        let conf_state = self.node.log().conf_state();
        let sorted = |ids: &[u64]| {
            let mut ids: Vec<MemberId> = ids.iter().copied().map(MemberId::from_raft).collect();
            ids.sort_unstable();
            ids
        };
        effects.facts.push(Fact::Configuration {
            index: self.applied.0,
            voters: sorted(&conf_state.voters),
            outgoing: sorted(&conf_state.voters_outgoing),
            learners: sorted(&conf_state.learners),
        });
    }

    /// Whether this member is a learner.
    pub(crate) fn is_learner(&self) -> bool {
        self.node.log().conf_state().learners.contains(&self.config.id.raft_id())
    }

    /// Whether a member was removed from the cluster and has no part in raft's configuration any more. A
    /// member of the outgoing half of a joint configuration still has a part: its vote counts until the joint
    /// configuration is left.
    pub(crate) fn has_left(&self, id: MemberId) -> bool {
        let conf_state = self.node.log().conf_state();
        let takes_part = [&conf_state.voters, &conf_state.voters_outgoing, &conf_state.learners]
            .iter()
            .any(|part| part.contains(&id.raft_id()));
        self.cluster.is_removed(id) && !takes_part
    }

    /// If this member was removed from the cluster: schedules its end.
    fn note_removal(&mut self) {
        if self.has_left(self.config.id) {
            self.end_at.get_or_insert(self.now + STOP_DELAY);
        }
    }

    /// Whether a raft message comes from a removed member. If so, that member is told of its removal, and the
    /// caller must drop the message.
    pub(crate) fn is_from_removed(&self, from: MemberId, effects: &mut Effects) -> bool {
        let removed = self.has_left(from);
        if removed {
            effects.peers.push((from, PeerMessage::Removed));
        }
        removed
    }

    /// Ends this member when the time scheduled after its removal has come.
    pub(crate) fn look_after_removal(&mut self, effects: &mut Effects) {
        if self.end_at.is_some_and(|at| at <= self.now) {
            self.finished = true;
            effects.removed = true;
        }
    }

    /// This member learned of its removal from another member or from a snapshot: it ends in this step.
    pub(crate) fn learned_of_removal(&mut self) {
        self.end_at.get_or_insert(self.now);
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
fn answer(change: &Change, members: Vec<Listed>) -> Response {
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
