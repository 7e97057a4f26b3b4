//! A leader's snapshot at a follower (*HandleSnapshotRequest*), and the transport's report on it at the leader.
//!
//! Paper, section 7 and figure 13. Not every snapshot replaces the log: one from below the commit index does not, nor
//! does one that does not name its receiver; one whose last entry is already in the log only moves the commit index
//! (etcd-io/raft `raft.go`, `restore`). The answer names the last index that agrees.

use record::step::{Message, Mode};
use record::{MemberId, MessageKind, Role};

use super::act::{Act, Field};
use super::log::Log;
use super::reached::Reached;
use super::rule::Rule;

impl Act<'_> {
    /// A snapshot of the current term.
    pub fn snapshot(&mut self, message: &Message) {
        if !self.follow(message, Reached::AppendEndsCandidacy) {
            return;
        }
        for field in [Field::Log, Field::Commit, Field::Configuration, Field::Persisted] {
            self.governs(field, Rule::SnapshotTaken);
        }
        let mut answer = self.message(MessageKind::AppendResponse, message.from);
        let (index, term) = (message.index, message.log_term);
        let state = &mut self.node.state;
        let names_it =
            message.snapshot.as_ref().is_some_and(|snapshot| snapshot.configuration.has(self.node.id));
        if index < state.commit {
            self.reached(Reached::SnapshotBelowCommit);
        } else if !names_it {
            self.reached(Reached::SnapshotOfOthers);
        } else if self.node.log.has(index, term) {
            state.commit = state.commit.max(index);
            self.reached(Reached::SnapshotKnown);
        } else {
            state.persisted = state.persisted.min(state.commit);
            let keep = state.commit;
            (state.commit, state.last) = (index, (index, term));
            (state.snapshot, state.handed_over) = (index, index);
            self.node.disk.cut(keep + 1);
            self.node.log = Log::after(index, term);
            if let Some(snapshot) = &message.snapshot {
                self.node.configuration.clone_from(&snapshot.configuration);
            }
            self.node.changed = self.node.changed.max(index);
            self.node.votes.clear();
            self.reached(Reached::SnapshotRestored);
        }
        answer.index = self.node.state.commit;
        self.must_send(&answer, Rule::SnapshotAnswered);
    }

    /// The transport reports what became of a snapshot.
    pub fn report_snapshot(&mut self, to: MemberId, arrived: bool) {
        let leads = self.node.state.role == Role::Leader;
        let waiting = |flow: &&mut super::node::Flow| leads && flow.progress.mode == Mode::Snapshot;
        let Some(flow) = self.node.flow(to).filter(waiting) else {
            return self.reached(Reached::SnapshotStatusLate);
        };
        if !arrived {
            flow.progress.snapshot = 0;
        }
        // Probing goes on after the snapshot if it arrived, and waits for an answer.
        flow.probe();
        flow.progress.paused = true;
        flow.progress.wanted_snapshot = 0;
        self.reached(if arrived { Reached::SnapshotArrived } else { Reached::SnapshotFailed });
    }
}
