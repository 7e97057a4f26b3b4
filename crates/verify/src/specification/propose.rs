//! Proposals (*ClientRequest*, *AddNewServer*, *AddLearner*, *DeleteServer*).
//!
//! Paper, section 8; thesis, sections 3.10 and 4.1. A leader takes every proposal, unless it transfers its leadership, has
//! left the configuration, or has too much uncommitted. A change of the configuration is taken only if all earlier ones
//! are applied and it fits; otherwise an empty entry takes its place (etcd-io/raft `raft.go`, `stepLeader`). A follower
//! passes proposals on.
//!
//! Not known: the bytes that count if one of several proposed entries is replaced.

use record::step::{Entries, EntryKind, Message};
use record::{MemberId, MessageKind, Role};

use super::act::{Act, Field};
use super::reached::Reached;
use super::rule::Rule;

impl Act<'_> {
    /// The host proposes an entry.
    pub fn propose(&mut self, kind: EntryKind, bytes: u64) {
        let mut entries = Entries::default();
        entries.push(0, 0, kind, bytes);
        self.propose_entries(MemberId::NONE, &entries);
    }

    /// Another member passes a proposal on.
    pub fn propose_forwarded(&mut self, message: &Message) {
        self.propose_entries(message.from, &message.entries);
    }

    fn propose_entries(&mut self, from: MemberId, entries: &Entries) {
        for field in [Field::Log, Field::Uncommitted] {
            self.governs(field, Rule::ProposalTaken);
        }
        let state = self.node.state;
        match state.role {
            Role::Leader => self.propose_at_leader(entries),
            Role::Follower if !state.leader.is_none() => {
                self.reached(Reached::ProposalForwarded);
                let from = if from.is_none() { self.node.id } else { from };
                let entries = entries.clone();
                let passed_on = Message { entries, ..Message::new(MessageKind::Propose, from, state.leader) };
                self.must_send(&passed_on, Rule::ProposalTaken);
            }
            Role::Follower | Role::PreCandidate | Role::Candidate => {
                self.accepted = false;
                self.reached(Reached::ProposalNoLeader);
            }
        }
    }

    /// A leader takes a proposal, or drops it.
    fn propose_at_leader(&mut self, entries: &Entries) {
        let state = self.node.state;
        let dropped = if !self.node.configuration.has(self.node.id) {
            Some(Reached::ProposalRemoved)
        } else if !state.transferee.is_none() {
            Some(Reached::ProposalInTransfer)
        } else {
            None
        };
        if let Some(why) = dropped {
            self.accepted = false;
            return self.reached(why);
        }
        // What enters the log, and how much of it counts.
        let (mut kinds, mut bytes) = (Vec::new(), entries.bytes);
        let count = entries.len();
        let joint = self.node.configuration.is_joint();
        for kind in entries.runs().flat_map(|run| (0..run.count).map(move |_| run.kind)) {
            if !kind.is_change() {
                kinds.push(kind);
                continue;
            }
            self.governs(Field::Log, Rule::OneChangeAtATime);
            let state = &mut self.node.state;
            if state.pending_change > state.applied || joint != (kind == EntryKind::Leave) {
                self.reached(Reached::ChangeRefused);
                kinds.push(EntryKind::Empty);
                // What remains to be counted is known if there was only this one.
                (bytes, self.uncommitted_known) = (0, self.uncommitted_known && count == 1);
            } else {
                state.pending_change = state.last.0 + kinds.len() as u64 + 1;
                self.reached(Reached::ChangeProposed);
                kinds.push(kind);
            }
        }
        let max = self.node.settings.max_uncommitted;
        if max != u64::MAX && bytes > 0 && state.uncommitted > 0 && state.uncommitted + bytes > max {
            self.accepted = false;
            return self.reached(Reached::ProposalTooMuch);
        }
        if max != u64::MAX {
            self.node.state.uncommitted += bytes;
        }
        self.reached(Reached::Proposed);
        kinds.into_iter().for_each(|kind| self.append_own(kind, 1));
        self.broadcast();
    }
}
