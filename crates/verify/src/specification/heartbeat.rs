//! A heartbeat at a follower (*HandleAppendEntriesRequest* of the subtype heartbeat), and its answer at the leader.
//!
//! Paper, section 5.2; thesis, section 6.4 for reads. A heartbeat names a commit index that its receiver is known to
//! have, so the receiver takes it as it is. Its answer confirms the leader for the read that the heartbeat carried, and
//! with it for all reads before that (etcd-io/raft `read_only.go`).

use record::step::{Context, Message, Mode};
use record::{MessageKind, Role};

use super::act::{Act, Field};
use super::quorum;
use super::reached::Reached;
use super::rule::Rule;

impl Act<'_> {
    /// A heartbeat of the current term.
    #[inline]
    pub fn heartbeat(&mut self, heartbeat: &Message) {
        if !self.follow(heartbeat, Reached::HeartbeatEndsCandidacy) {
            return;
        }
        self.governs(Field::Commit, Rule::FollowerCommit);
        let state = &mut self.node.state;
        let moves = heartbeat.commit > state.commit;
        state.commit = state.commit.max(heartbeat.commit);
        let commit = state.commit;
        self.reached(if moves { Reached::HeartbeatCommits } else { Reached::HeartbeatOnly });
        let last = self.node.log.last().0;
        if commit > last {
            self.broke(Rule::CommitKnown, || {
                format!(
                    "The heartbeat of member {} commits up to {commit}, but its log ends at {last}.",
                    heartbeat.from
                )
            });
        }
        let mut answer = self.message(MessageKind::HeartbeatResponse, heartbeat.from);
        (answer.context, answer.commit) = (heartbeat.context, commit);
        self.must_send(&answer, Rule::HeartbeatAnswered);
    }

    /// The answer to a heartbeat, of the current term, by a member of the configuration.
    #[inline]
    pub fn heartbeat_response(&mut self, answer: &Message) {
        if self.node.state.role != Role::Leader {
            return;
        }
        let (from, max_inflight) = (answer.from, self.node.settings.max_inflight);
        let last = self.node.log.last().0;
        let Some(flow) = self.node.flow(from) else { return };
        flow.progress.active = true;
        flow.progress.paused = false;
        let full = flow.progress.mode == Mode::Replicate && flow.window.len() as u64 >= max_inflight;
        if full {
            flow.window.pop_front();
        }
        let behind = flow.progress.matched < last || flow.progress.wanted_snapshot != 0;
        self.reached(if full { Reached::HeartbeatFreesWindow } else { Reached::HeartbeatAcked });
        if behind {
            self.send_append(from, true);
        }
        if answer.context != Context::None {
            self.confirm_read(answer);
        }
    }

    /// A member confirms the leader for a read.
    fn confirm_read(&mut self, answer: &Message) {
        let node = &mut *self.node;
        let Some(at) = node.reads.iter().position(|read| read.context == answer.context) else { return };
        let acks = &mut node.reads[at].acks;
        if let Err(place) = acks.binary_search(&answer.from) {
            acks.insert(place, answer.from);
        }
        if quorum::has(&node.configuration, |member| node.reads[at].acks.contains(&member)) {
            self.reached(Reached::ReadConfirmed);
            self.answer_reads(at + 1);
        } else {
            self.reached(Reached::ReadOneMore);
        }
    }

    /// A leader gives out the indexes of the oldest reads.
    pub fn answer_reads(&mut self, count: usize) {
        let confirmed: Vec<_> = self.node.reads.drain(..count).collect();
        for read in confirmed {
            self.give_read_index(read.from, read.context, read.index);
        }
    }
}
