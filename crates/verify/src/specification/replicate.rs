//! A leader sends entries or a snapshot to a member (*AppendEntries*, *SendSnapshot*).
//!
//! Paper, sections 5.3 and 7; etcd-io/raft's design of the progress and `tracker/state.go` for the flow: a member is
//! probed with one message at a time until its log agrees, then gets as many as its window holds, and nothing while a
//! snapshot is on its way.
//!
//! The specification says to whom something must be sent and from which entry on; how many entries a message has is the
//! leader's choice, within the limit of bytes. A single entry may exceed the limit. Whether a probe without entries
//! pauses is open: raft 0.7.0 goes on, etcd's raft waits since 3.6. A snapshot may not be at hand; then nothing is sent.

use record::step::{Message, Mode, State};
use record::{MemberId, MessageKind};

use super::act::Act;
use super::reached::Reached;
use super::rule::Rule;
use super::text;

impl Act<'_> {
    /// A leader sends every other member what it lacks, and tells it the commit index.
    pub fn broadcast(&mut self) {
        for at in 0..self.node.flows.len() {
            let to = self.node.flows[at].0;
            if to != self.node.id {
                self.send_append(to, true);
            }
        }
    }

    /// A leader sends a member as much as it may get.
    pub fn send_all(&mut self, to: MemberId) {
        while self.send_append(to, false) {}
    }

    /// A leader sends a member one message with the entries that it lacks. If it lacks none, a message without
    /// entries is sent if `empty`. Returns whether one was sent.
    pub fn send_append(&mut self, to: MemberId, empty: bool) -> bool {
        let (max_inflight, first) = (self.node.settings.max_inflight, self.node.state.first);
        let last = self.node.log.last().0;
        let Some(flow) = self.node.flow(to) else { return false };
        if flow.is_paused(max_inflight) {
            self.reached(Reached::ReplicatePaused);
            return false;
        }
        let (next, active) = (flow.progress.next, flow.progress.active);
        let needs_snapshot = next < first || flow.progress.wanted_snapshot != 0;
        if !empty && (needs_snapshot || next > last) {
            return false;
        }
        let sent = self.take(to, [MessageKind::Append, MessageKind::Snapshot]);
        match sent {
            Some(sent) if sent.kind == MessageKind::Snapshot => {
                if !needs_snapshot || !active {
                    self.broke(Rule::SnapshotDue, || {
                        format!(
                            "It sent {}; its log begins at {first}, entry {next} is due, and member {to} is {}.",
                            text::message(sent),
                            if active { "active" } else { "not active" }
                        )
                    });
                }
                self.sends_snapshot(to, sent);
                true
            }
            Some(sent) => {
                self.sends_append(to, next, sent);
                true
            }
            None if needs_snapshot => {
                self.reached(Reached::SnapshotNotAtHand);
                false
            }
            None => {
                let due = self.append_from(to, next);
                self.lacks(Rule::AppendDue, due);
                false
            }
        }
    }

    /// An append with all entries from `next` on.
    fn append_from(&self, to: MemberId, next: u64) -> Message {
        let mut append = self.message(MessageKind::Append, to);
        append.index = next.saturating_sub(1);
        append.log_term = self.node.log.term_at(append.index).unwrap_or(0);
        append.commit = self.node.state.commit;
        append.entries = self.node.log.entries_from(next);
        append
    }

    /// An append that was due leaves.
    fn sends_append(&mut self, to: MemberId, next: u64, sent: &Message) {
        let State { term, commit, last, .. } = self.node.state;
        let entries = &sent.entries;
        let true_entry = sent.index + 1 == next && self.node.log.has(sent.index, sent.log_term);
        let true_entries = entries.is_empty() || entries.first() == next && self.node.log.contains(entries);
        let due = self.node.log.last().0 >= next && entries.is_empty();
        if !true_entry || !true_entries || due || (sent.term, sent.commit) != (term, commit) {
            let before = self.node.log.term_at(next.saturating_sub(1));
            self.broke(Rule::AppendTrue, || {
                format!(
                    "It sent {}, where entry {next} is due; its term is {term}, its commit index {commit}, its log has term \
                     {before:?} before that entry and ends at {}.",
                    text::message(sent),
                    last.0
                )
            });
        }
        let max_size = self.node.settings.max_size;
        if entries.bytes > max_size && entries.len() > 1 {
            self.broke(Rule::AppendSize, || {
                format!(
                    "It sent member {to} {} entries with {} bytes; {max_size} are allowed.",
                    entries.len(),
                    entries.bytes
                )
            });
        }
        self.reached(if entries.is_empty() { Reached::ReplicateEmpty } else { Reached::ReplicateSent });
        let Some(flow) = self.node.flow(to) else { return };
        match (flow.progress.mode, entries.last()) {
            (Mode::Replicate, Some(run)) => {
                flow.progress.next = run.last() + 1;
                flow.window.push_back(run.last());
            }
            (Mode::Probe, Some(_)) => flow.progress.paused = true,
            (Mode::Probe, None) => {
                let paused = self.reported(to).is_some_and(|reported| reported.paused);
                if let Some(flow) = self.node.flow(to) {
                    flow.progress.paused = paused;
                }
            }
            _ => {}
        }
    }

    /// A snapshot leaves.
    fn sends_snapshot(&mut self, to: MemberId, sent: &Message) {
        self.reached(Reached::SnapshotSent);
        let state = self.node.state;
        let (index, term) = (sent.index, sent.log_term);
        let fits = index <= state.applied && index + 1 >= state.first && self.node.log.has(index, term);
        let known = self.shared.configuration_at(index);
        let configuration = sent.snapshot.as_ref().map(|snapshot| &snapshot.configuration);
        if !fits || sent.term != state.term || known.is_some_and(|known| Some(known) != configuration) {
            let known = known.map_or_else(|| "unknown".to_string(), text::configuration);
            self.broke(Rule::SnapshotTrue, || {
                let with = configuration.map_or("no configuration".to_string(), text::configuration);
                format!(
                    "It sent member {to} a snapshot up to entry {index} of term {term} that carries the configuration \
                     {with}, where the configuration at that entry is {known}; it has applied up to {}, and its log \
                     begins at {}.",
                    state.applied, state.first
                )
            });
        }
        if let Some(flow) = self.node.flow(to) {
            flow.snapshot(index);
        }
    }
}
