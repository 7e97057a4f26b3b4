//! What the host does with raft's work: it takes a ready (*Ready*), reports it as durable (*PersistState*), and lets
//! messages go (*SendPendingMessages*).
//!
//! Etcd-io/raft `doc.go`; thesis, section 10.2.1: a leader may send while it writes, and counts its own copy only once
//! that is durable; all others send only what is durable. Which disk jobs are durable is a fact of the disk, and not what
//! the host says.
//!
//! The host is etcd's raft loop (`server/etcdserver/raft.go`, `start`). It takes a ready. If the member leads, it sends
//! the ready's messages, before it saves the ready; otherwise it sends them as soon as the ready is durable. So a message
//! may neither leave earlier nor stay. One thing is different, and stricter: a leader whose vote is not durable, which only
//! a sole voter can be, holds its messages back (`docs/findings.md`). If the loop is etcd's (`raft-loop = "blocking"`), it
//! does nothing else until the save is durable: no tick, no campaign of its own, no further ready. Messages that arrive
//! are stepped meanwhile, and so are proposals.
//!
//! An acknowledgement of an earlier term may leave although its entries were replaced before they were durable: nothing
//! can be committed by it. The argument is in `invariants/i6_durable_before_promised.rs`, which has the same rule.
//!
//! Not checked: whether the term is durable before any other answer names it.

use record::step::{Entries, Ready, Run, State};
use record::{MessageKind, Role};

use super::act::{Act, Field};
use super::node::{Handed, Waiting};
use super::reached::Reached;
use super::rule::Rule;
use super::text;

impl Act<'_> {
    /// The host takes a ready.
    pub fn ready(&mut self, ready: &Ready) {
        let State { term, vote, commit, handed_over, snapshot, .. } = self.node.state;
        self.reached(match (ready.snapshot.is_some(), ready.must_sync) {
            (true, _) => Reached::ReadyWithSnapshot,
            (false, true) => Reached::ReadySaved,
            (false, false) => Reached::ReadyTaken,
        });
        let (last, last_term) = self.node.log.last();
        let now = (term, vote, commit);
        let before = std::mem::replace(&mut self.node.hard_state, now);
        let new_vote = (before.0, before.1) != (now.0, now.1);
        self.loop_goes_on("took a ready");
        self.hand_over_messages(ready.number, new_vote);
        let snapshot = (snapshot != 0).then_some(snapshot);
        let entries = &ready.entries;
        let complete = ready.number == self.node.ready + 1
            && ready.hard_state == (now != before).then_some(now)
            && covers(entries, handed_over, last)
            && (entries.is_empty() || self.node.log.contains(entries))
            && ready.snapshot.map(|(index, _)| index) == snapshot
            && ready.messages == self.node.outbox
            && ready.must_sync == (new_vote || snapshot.is_some() || last > handed_over)
            && ready.job.is_some() == ready.must_sync;
        if !complete {
            let (outbox, number) = (self.node.outbox, self.node.ready + 1);
            self.broke(Rule::ReadyComplete, || {
                format!(
                    "{ready:?} was taken; due were number {number}, term, vote and commit index {now:?} after {before:?}, the \
                     entries after {handed_over} up to {last}, the snapshot {snapshot:?}, and {outbox} messages."
                )
            });
        }
        if ready.reads != self.node.answers {
            let answers = std::mem::take(&mut self.node.answers);
            self.broke(Rule::ReadByQuorum, || {
                format!("It gave out the read indexes {:?}, where {answers:?} were confirmed.", ready.reads)
            });
        }
        self.node.answers.clear();
        self.hand_to_apply(ready, snapshot);
        self.node.ready = ready.number;
        self.node.outbox = 0;
        (self.node.state.handed_over, self.node.state.snapshot) = (last, 0);
        if let Some(job) = ready.job {
            self.node.disk.saving(job, term, vote, last);
        }
        let last = (!entries.is_empty()).then_some((last, last_term));
        let handed = Handed { number: ready.number, job: ready.job, last, snapshot, vote: new_vote };
        if !ready.durable {
            self.node.readies.push_back(handed);
            self.note_owed();
        } else if handed.saves_nothing() && self.node.readies.is_empty() {
            // Most readies: there is nothing to wait for, and what is durable stays the same.
            self.node.durable = self.node.durable.max(ready.number);
            self.node.owes_release = true;
            self.reached(Reached::NothingPersisted);
            self.release(&ready.left);
        } else {
            self.node.readies.push_back(handed);
            self.persisted(ready.number);
            self.release(&ready.left);
        }
        if let Some(index) = snapshot
            && let Some(other) = self.shared.found(index, &self.node.configuration)
        {
            let other = text::configuration(other);
            self.broke(Rule::ConfigurationsAgree, || {
                format!("After its snapshot up to {index} it has another configuration than others, who have {other}.")
            });
        }
    }

    /// The raft loop does something that waits for the save under way, if it waits.
    #[inline]
    pub fn loop_goes_on(&mut self, did: &'static str) {
        if !self.node.blocking {
            return;
        }
        if let Some(ready) = self.node.readies.front().map(|ready| ready.number) {
            self.broke(Rule::LoopWaits, || {
                format!("It {did} while ready {ready} was being saved, for which its raft loop waits.")
            });
        }
    }

    /// A ready hands messages over, which leave at once if this member leads and its vote is durable.
    #[inline]
    fn hand_over_messages(&mut self, number: u64, new_vote: bool) {
        let node = &mut *self.node;
        if node.outbox == 0 {
            return;
        }
        let beside = node.state.role == Role::Leader && !new_vote && !node.readies.iter().any(|one| one.vote);
        for message in node.waiting.iter_mut().rev().take(node.outbox as usize) {
            (message.ready, message.beside) = (number, beside);
        }
    }

    /// Notes whether messages may leave now, and so must.
    #[inline]
    fn note_owed(&mut self) {
        let durable = self.node.durable;
        self.node.owes_release = self.node.waiting.iter().any(|message| message.may_leave(durable));
    }

    /// The host does something else than to let the messages go that may leave.
    #[cold]
    pub fn keeps_messages(&mut self) {
        let durable = self.node.durable;
        let kept = self.node.waiting.iter().find(|message| message.may_leave(durable)).copied();
        self.node.owes_release = false;
        if let Some(message) = kept {
            let why = if message.beside { "which leaves beside the save" } else { "which is durable" };
            self.broke(Rule::MessagesLeave, || {
                format!(
                    "It kept a message of kind {:?} to member {} of ready {}, {why}.",
                    message.kind, message.to, message.ready
                )
            });
        }
    }

    /// Entries are handed over to be applied.
    #[inline]
    fn hand_to_apply(&mut self, ready: &Ready, snapshot: Option<u64>) {
        let State { commit, persisted, uncommitted, last, .. } = self.node.state;
        let from = snapshot.unwrap_or(self.node.to_apply).max(self.node.to_apply);
        let to = commit.min(persisted);
        let due = (to > from).then_some((from + 1, to));
        if ready.committed != due {
            self.broke(Rule::AppliedWhenCommitted, || {
                format!(
                    "Entries {:?} were handed over to be applied, and not {due:?}; {commit} is committed, {persisted} is \
                     durable.",
                    ready.committed
                )
            });
        }
        self.node.to_apply = ready.committed.map_or(from, |(_, last)| last);
        // The sizes of entries are not known here. Once all are handed over, nothing is left to count.
        let after = self.step.after.uncommitted;
        self.governs(Field::Uncommitted, Rule::UncommittedCounted);
        if ready.committed.is_some() && after <= uncommitted {
            let all = self.node.to_apply == last.0;
            self.node.state.uncommitted = if all { 0 } else { after };
        }
    }

    /// The host says that readies are durable.
    pub fn persisted(&mut self, number: u64) {
        self.node.durable = self.node.durable.max(number);
        self.note_owed();
        let (mut entries, mut snapshot) = (None, None);
        while let Some(ready) = self.node.readies.pop_front_if(|ready| ready.number <= number) {
            if let Some(job) = ready.job.filter(|job| !self.node.disk.has(*job)) {
                let (role, term) = (text::role(self.node.state.role), self.node.state.term);
                self.broke(Rule::PersistedWhenDurable, || {
                    let what = ready.last.map_or("its vote".to_string(), |(last, _)| {
                        format!("its own copy of the log up to entry {last}")
                    });
                    format!(
                        "It, {role} of term {term}, counted {what} as durable before it was on its disk: disk job {job}, \
                         which writes it, is not synced."
                    )
                });
            }
            if ready.snapshot.is_some() {
                (snapshot, entries) = (ready.snapshot, None);
            }
            entries = ready.last.or(entries);
        }
        let state = &mut self.node.state;
        if let Some(index) = snapshot.filter(|index| *index > state.persisted) {
            state.persisted = index;
            self.counts.count(Reached::SnapshotPersisted);
        }
        // Entries that were replaced meanwhile are not in the log any more.
        let replaced_from = if state.snapshot != 0 { state.snapshot } else { state.handed_over + 1 };
        let log = &self.node.log;
        // Until the host has taken over a snapshot, the storage still has the log from before it, and raft counts that
        // log if the storage has the entry with its term. Whether the storage has it is not known here.
        let counted = self.step.after.persisted;
        let waits = state.snapshot != 0;
        let moves = entries.filter(|(index, term)| {
            let stored = log.has(*index, *term) || waits && counted == *index;
            *index > state.persisted && *index < replaced_from && stored
        });
        let Some((index, _)) = moves else {
            return self.reached(Reached::NothingPersisted);
        };
        state.persisted = index;
        self.reached(Reached::EntriesPersisted);
        if self.node.state.role != Role::Leader {
            return;
        }
        let own = self.node.id;
        let Some(flow) = self.node.flow(own) else { return };
        if flow.acknowledge(index) && self.advance_commit() {
            self.reached(Reached::OwnCopyCommits);
            self.broadcast();
        }
    }

    /// The host lets messages go.
    #[inline]
    pub fn release(&mut self, numbers: &[u64]) {
        if !numbers.is_empty() {
            self.reached(Reached::Released);
        }
        for number in numbers {
            match self.node.stops_waiting(*number) {
                Some(message) if message.may_leave(self.node.durable) => self.leaves(&message),
                Some(message) => {
                    let message = self.overtaken(message);
                    self.leaves(&message);
                }
                None => self.broke(Rule::ReleasedOnce, || {
                    format!("Message {number} left, which raft has not put out or which left before.")
                }),
            }
        }
        if self.node.owes_release {
            self.note_owed();
            if self.node.owes_release {
                self.keeps_messages();
            }
        }
    }

    /// Numbers are given out in order for each kind of message and receiver. In an asynchronous raft loop, what a sole
    /// voter put out before its vote was durable may be overtaken by what it put out later. Then the number is that of the
    /// one overtaken, which must still wait: it changes places with one that may leave.
    #[cold]
    fn overtaken(&mut self, message: Waiting) -> Waiting {
        let durable = self.node.durable;
        let like_it = |other: &&mut Waiting| {
            (other.kind, other.to) == (message.kind, message.to) && other.may_leave(durable)
        };
        match self.node.waiting.iter_mut().find(like_it) {
            Some(other) => {
                let number = other.number;
                std::mem::replace(other, Waiting { number, ..message })
            }
            None => message,
        }
    }

    /// A message leaves: what it promises must be durable.
    #[inline]
    fn leaves(&mut self, message: &Waiting) {
        use MessageKind::{
            Append, AppendResponse, Heartbeat, RequestVote, RequestVoteResponse, Snapshot, TimeoutNow,
        };
        if !message.may_leave(self.node.durable) {
            self.broke(Rule::MessagesWait, || {
                format!(
                    "It let a message of kind {:?} to member {} go, of ready {}, which is not durable.",
                    message.kind, message.to, message.ready
                )
            });
        }
        let (own, disk, to) = (self.node.id, &self.node.disk, message.to);
        let (rule, candidate) = match message.kind {
            RequestVote => (Rule::DurableBeforeSent, own),
            RequestVoteResponse if !message.reject => (Rule::DurableBeforeSent, to),
            Append | Heartbeat | Snapshot | TimeoutNow => (Rule::LeaderDurable, own),
            AppendResponse if !message.reject && message.index > 0 => {
                return self.acknowledgement_leaves(message);
            }
            _ => return,
        };
        if !disk.has_vote(message.term, candidate) {
            let (term, vote) = (disk.term, text::who(disk.vote));
            self.broke(rule, || {
                let what = match message.kind {
                    RequestVote => "asked for the vote of",
                    RequestVoteResponse => "gave its vote to",
                    _ => "sent as the leader to",
                };
                format!(
                    "It {what} member {to} (a message of kind {:?}, term {}) before its vote of that term was durable: on \
                     its disk are term {term} and a vote for {vote}.",
                    message.kind, message.term
                )
            });
        }
    }

    /// An acknowledgement leaves.
    fn acknowledgement_leaves(&mut self, message: &Waiting) {
        let Waiting { to, term, index, .. } = *message;
        let (disk, log) = (&self.node.disk, &self.node.log);
        let (matched, disk_term) = (disk.matched, disk.term);
        let of_old_term = term < self.node.state.term;
        let replaced = || log.term_at(matched).is_some_and(|on_disk| on_disk > term);
        // A leader's snapshot that came meanwhile covers the entry, and has replaced the log that was durable.
        let in_snapshot = index < self.node.state.first || index <= self.node.state.snapshot;
        let durable =
            index <= matched || disk.had(index) && (of_old_term || in_snapshot) || of_old_term && replaced();
        if !durable || term > disk_term {
            self.broke(Rule::DurableBeforeSent, || {
                format!(
                    "It acknowledged to member {to}, in term {term}, that it has the entries up to {index}, before they \
                     were durable: on its disk are term {disk_term} and the log up to {matched}."
                )
            });
        }
    }
}

/// Whether these are all entries after `after` up to `last`.
#[inline]
fn covers(entries: &Entries, after: u64, last: u64) -> bool {
    if last <= after {
        return entries.is_empty();
    }
    entries.first() == after + 1 && entries.last().map(Run::last) == Some(last)
}
