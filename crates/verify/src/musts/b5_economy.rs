//! B5: in peace, a leader sends no more than the protocol needs, and streams to followers that have caught up. What a
//! member proposes on its own is in `b5_own`.
//!
//! Messages. To a follower, a leader sends an append for each entry that is added to its log, one for each time that
//! its commit index moves, one for each answer to a heartbeat that comes while entries are under way, and one for each
//! answer to an append that opens a full window (raft 0.7.0, `handle_heartbeat_response`, and `old_paused` in
//! `handle_append_response`; etcd-io/raft does so, too); a heartbeat for each tick and for each ReadIndex that any
//! member asks. Its followers answer each message once. So between two checks it sends at most (entries + commits +
//! heartbeats) appends and (ticks + reads) heartbeats to each follower, and the appends for the windows. A batch that
//! was put out before the first check may leave after it; to allow for that, one more of each kind may leave, for each
//! follower and each save under way.
//!
//! Streaming. A follower whose log agrees is sent entries as a stream (`Replicate`). Its leader may fall back to
//! probing, because messages overtake each other and the follower refuses one; after a snapshot it always does. As long
//! as there is nothing to send, no probe leaves. Otherwise the next one leaves at once or with the answer to the next
//! heartbeat, and its answer ends the probing: 2 h + 4 l + 6 d, where two probes in a row are allowed for.
//!
//! Premises: links between members neither lose, double nor reorder messages; the cluster is steady, and all members of
//! the leader's configuration serve: for messages, from one check to the next; for streaming, since the probing began.
//! Messages that leave within a little of each other may still overtake each other. A follower then refuses an append,
//! and its leader rightly sends again what was under way: messages are not compared in a span with a refusal in it or
//! shortly before.
//!
//! What a single step may send, the limits of the window and of a message, and that nothing acknowledged is sent again, are
//! rules of S (FlowControl, AppendSize, UncommittedCounted, NextAboveMatch, SnapshotDue), which counts them at every step.

use record::step::{Call, Mode, Step};
use record::{MemberId, Members, MessageHead, MessageKind, Nanos, Role};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use super::speed::Speed;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// How long messages are counted before they are compared.
const SPAN: Nanos = 500_000_000;

/// What a leader does in a span.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    entries: u64,
    commits: u64,
    ticks: u64,
    reads: u64,
    /// Answers to appends that came while the window of their follower was full.
    opened: u64,
    appends: u64,
    heartbeats: u64,
}

/// The leader that is watched.
#[derive(Clone, Copy, Debug)]
struct Span {
    leader: MemberId,
    term: u64,
    since: Nanos,
    count: Count,
}

/// A member that is probed, though there are entries that it lacks.
#[derive(Clone, Copy, Debug)]
struct Probed {
    since: Nanos,
    by: MemberId,
    /// The index up to which it is known to have the leader's entries.
    matched: u64,
}

/// The must.
#[derive(Clone, Debug)]
pub(super) struct Economy {
    span: Option<Span>,
    /// The last index and the commit index of each member, as of its last step.
    last: Members<(u64, u64)>,
    /// The leader whose window to this member is full, if any.
    full: Members<Option<MemberId>>,
    /// The members that a leader probes.
    probed: Members<Option<Probed>>,
    /// When a leader last received a refusal of an append.
    refused: Option<Nanos>,
    pub tally: Tally,
    reported: [bool; 2],
}

impl Economy {
    pub fn new(members: u32) -> Economy {
        Economy {
            span: None,
            last: Members::new(members, |_| (0, 0)),
            full: Members::new(members, |_| None),
            probed: Members::new(members, |_| None),
            refused: None,
            tally: Tally::default(),
            reported: [false; 2],
        }
    }

    /// A message leaves.
    #[inline]
    pub fn sent(&mut self, from: MemberId, kind: MessageKind) {
        if let Some(span) = &mut self.span
            && span.leader == from
        {
            match kind {
                MessageKind::Append => span.count.appends += 1,
                MessageKind::Heartbeat => span.count.heartbeats += 1,
                _ => {}
            }
        }
    }

    /// A message arrives.
    #[inline]
    pub fn delivered(&mut self, time: Nanos, head: &MessageHead) {
        if head.reject && head.kind == MessageKind::AppendResponse {
            self.refused = Some(time);
        }
    }

    /// Some member asks for a read index.
    pub fn asks(&mut self) {
        if let Some(span) = &mut self.span {
            span.count.reads += 1;
        }
    }

    /// Takes a step.
    #[inline]
    pub fn step(&mut self, time: Nanos, member: MemberId, step: &Step) {
        if step.after.role != Role::Leader {
            return;
        }
        if let Call::Receive(message) = &step.call
            && message.kind == MessageKind::AppendResponse
            && self.full.get(message.from) == Some(&Some(member))
            && let Some(span) = &mut self.span
        {
            span.count.opened += 1;
        }
        for (follower, progress) in &step.changed.progress {
            if let Some(full) = self.full.get_mut(*follower) {
                *full = progress.full.then_some(member);
            }
            let Some(probed) = self.probed.get_mut(*follower) else { continue };
            let since = probed.filter(|probed| probed.by == member).map_or(time, |probed| probed.since);
            let found = Probed { since, by: member, matched: progress.matched };
            *probed = (progress.mode == Mode::Probe).then_some(found);
        }
        let Some(last) = self.last.get_mut(member) else { return };
        let (index, commit) = (step.after.last.0, step.after.commit);
        if let Some(span) = &mut self.span
            && span.leader == member
        {
            span.count.entries += index.saturating_sub(last.0);
            span.count.commits += u64::from(commit > last.1);
            span.count.ticks += u64::from(matches!(step.call, Call::Tick));
        }
        *last = (index, commit);
    }

    /// Checks how much was sent, and who is probed.
    pub fn poll(&mut self, now: Nanos, known: (&Setup, &Cluster, &Speed), sheet: &mut Sheet) {
        let (setup, cluster, speed) = known;
        match self.premises(setup, cluster) {
            Ok((leader, term, followers)) => {
                self.streams(now, leader, known, sheet);
                if let Some(span) = self.span
                    && (span.leader, span.term) == (leader, term)
                {
                    if now - span.since < SPAN {
                        return;
                    }
                    let saves = speed.worst_now(span.since, now, cluster).saves;
                    let in_order = self.refused.is_none_or(|at| at + 2 * saves < span.since);
                    if in_order {
                        self.compare(now, span, followers, saves, sheet);
                    }
                    self.tally.time(now - span.since, in_order.then_some(()).ok_or(Premise::Links));
                }
            }
            Err(premise) => {
                self.span = None;
                self.probed.values_mut().flatten().for_each(|probed| probed.since = now);
                return self.tally.time(super::LOOK, Err(premise));
            }
        }
        let steady = cluster.steady;
        self.span = steady.map(|steady| Span {
            leader: steady.leader,
            term: steady.term,
            since: now,
            count: Count::default(),
        });
    }

    /// The leader, its term and the number of its followers, if economy is owed.
    fn premises(&self, setup: &Setup, cluster: &Cluster) -> Result<(MemberId, u64, u64), Premise> {
        if !setup.peers_in_order {
            return Err(Premise::Links);
        }
        let steady = cluster.steady.ok_or(Premise::Leader)?;
        let configuration = &cluster.members[steady.leader].configuration;
        let voters = cluster.members.ids().filter(|id| configuration.voters.has(*id));
        if !configuration.learners.is_empty() {
            return Err(Premise::Membership);
        }
        if voters.clone().any(|id| cluster.serves_since(id).is_none()) {
            return Err(Premise::Health);
        }
        Ok((steady.leader, steady.term, voters.count() as u64 - 1))
    }

    /// Compares what a leader sent in a span with what it had to.
    fn compare(&mut self, now: Nanos, span: Span, followers: u64, saves: Nanos, sheet: &mut Sheet) {
        let Count { entries, commits, ticks, reads, opened, appends, heartbeats } = span.count;
        // What was put out before the span leaves once the save before it is done.
        let carried = 4 + saves / 10_000_000;
        let most_heartbeats = followers * (ticks + reads + carried);
        let most_appends = followers * (entries + commits + carried) + heartbeats + opened;
        if (appends <= most_appends && heartbeats <= most_heartbeats) || self.reported[0] {
            return;
        }
        self.reported[0] = true;
        let sentence = format!(
            "From {} to {} member {} led {followers} followers that had caught up. Its log grew by {entries} entries, \
             its commit index moved {commits} times, it took {ticks} ticks, {reads} reads were asked for, and {opened} answers \
             opened a full window. That takes at most {most_appends} appends and {most_heartbeats} heartbeats; it sent {appends} and {heartbeats}.",
            time(span.since),
            time(now),
            span.leader
        );
        let title = format!("member {} sends more than it needs to", span.leader);
        sheet.add(Violation::new(Oracle::B5, now, title).say(sentence));
    }

    /// Checks whether followers that have caught up are probed for too long.
    fn streams(
        &mut self,
        now: Nanos,
        leader: MemberId,
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
        sheet: &mut Sheet,
    ) {
        for member in self.probed.ids() {
            let probed = self.probed[member].as_mut();
            let Some(probed) = probed.filter(|probed| probed.by == leader && member != leader) else {
                continue;
            };
            if probed.matched >= self.last[leader].0 {
                probed.since = now;
            }
            let since = probed.since;
            let Some(serves) = cluster.serves_since(member) else { continue };
            let since = since.max(serves);
            let worst = speed.worst_now(since, now, cluster);
            let bound = setup.longest(2) + super::LOOK + 4 * worst.peers + 6 * worst.saves;
            if now - since > bound && !self.reported[1] {
                self.reported[1] = true;
                let sentence = format!(
                    "Member {leader} has probed member {member} since {}, though its log agrees and it answers. A probe \
                     and its answer take at most {}.",
                    time(since),
                    time(bound)
                );
                let title = format!("member {leader} does not stream to member {member}");
                sheet.add(Violation::new(Oracle::B5, now, title).say(sentence));
            }
        }
    }
}
