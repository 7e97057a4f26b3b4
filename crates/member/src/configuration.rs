//! Configuration changes on their way through raft.
//!
//! A change is one entry in the log. Its context carries the request id and the membership change
//! ([`crate::cluster::Change`]); raft's part follows from that. Every member checks the change again when it
//! applies it, as etcd does (`membership/cluster.go`, `ValidateConfigurationChange`): one that is no longer
//! valid has no effect.
//!
//! A single change uses raft's simple rule; several at once use a joint configuration, which the leader
//! leaves automatically.
//!
//! A member that learns of its own removal continues for a second, so that it can pass the removal on to
//! others, and then ends.

use api::Response;
use api::etcdserverpb::{
    Member as Listed, MemberAddResponse, MemberPromoteResponse, MemberRemoveResponse, MemberUpdateResponse,
    ResponseHeader,
};
use bytes::{Buf as _, Bytes};
use protobuf::Message as _;
use raft::eraftpb::{ConfChange, ConfChangeSingle, ConfChangeType, ConfChangeV2, Entry, EntryType};
use record::{Fact, MemberId};

use crate::cluster::{Change, id_of_member};
use crate::failpoint::Failpoint;
use crate::io::{Effects, PeerMessage};
use crate::member::Member;

/// How long a removed member continues (`server.go`, `stopWithDelay`): ten times 100 ms.
const STOP_DELAY: u64 = 1_000_000_000;

/// A change in raft's form.
pub(crate) enum Proposed {
    /// By the simple rule.
    One(ConfChange),
    /// By a joint configuration.
    Several(ConfChangeV2),
}

/// Converts a membership change to raft's configuration change.
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

fn collect(change: &Change, is_learner: &impl Fn(MemberId) -> bool, singles: &mut Vec<ConfChangeSingle>) {
    let (id, change_type) = match change {
        Change::Add(member) if member.is_learner => (id_of_member(member), ConfChangeType::AddLearnerNode),
        Change::Add(member) => (id_of_member(member), ConfChangeType::AddNode),
        Change::Promote(id) => (*id, ConfChangeType::AddNode),
        Change::Remove(id) => (*id, ConfChangeType::RemoveNode),
        // raft cannot express an empty change: the member is added again as what it is.
        Change::Update(id, _) if is_learner(*id) => (*id, ConfChangeType::AddLearnerNode),
        Change::Update(id, _) => (*id, ConfChangeType::AddNode),
        Change::Joint(all) => {
            all.iter().for_each(|change| collect(change, is_learner, singles));
            return;
        }
    };
    singles.push(ConfChangeSingle { node_id: id.raft_id(), change_type, ..ConfChangeSingle::default() });
}

/// The request id in an entry that changes the configuration; `None` if it came from no request.
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
            // The leader leaves a joint configuration.
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
            // raft must learn that the change is over, although nothing changes.
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

    /// Whether this member has no vote.
    pub(crate) fn is_learner(&self) -> bool {
        self.node.log().conf_state().learners.contains(&self.config.id.raft_id())
    }

    /// Whether a member was removed and is no longer in the configuration. The outgoing half of a joint
    /// configuration still counts: its members are needed until it is left.
    pub(crate) fn has_left(&self, id: MemberId) -> bool {
        let conf_state = self.node.log().conf_state();
        let takes_part = [&conf_state.voters, &conf_state.voters_outgoing, &conf_state.learners]
            .iter()
            .any(|part| part.contains(&id.raft_id()));
        self.cluster.is_removed(id) && !takes_part
    }

    /// Notes whether this member has left the cluster.
    fn note_removal(&mut self) {
        if self.has_left(self.config.id) {
            self.end_at.get_or_insert(self.now + STOP_DELAY);
        }
    }

    /// Whether a raft message comes from a removed member; if so, that member is notified and the message is
    /// dropped.
    pub(crate) fn is_from_removed(&self, from: MemberId, effects: &mut Effects) -> bool {
        let removed = self.has_left(from);
        if removed {
            effects.peers.push((from, PeerMessage::Removed));
        }
        removed
    }

    /// Ends this member if it was removed and has continued for long enough.
    pub(crate) fn look_after_removal(&mut self, effects: &mut Effects) {
        if self.end_at.is_some_and(|at| at <= self.now) {
            self.finished = true;
            effects.removed = true;
        }
    }

    /// Another member reports that this one was removed.
    pub(crate) fn learned_of_removal(&mut self) {
        self.end_at.get_or_insert(self.now);
    }
}

/// One change by the simple rule; for member 0, which does not exist, if there is nothing to change.
fn simple(single: ConfChangeSingle) -> ConfChangeV2 {
    ConfChangeV2 { changes: vec![single].into(), ..ConfChangeV2::default() }
}

/// raft's part of the change, and the context.
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

/// The answer to the request for the change.
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
