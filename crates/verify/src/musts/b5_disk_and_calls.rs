//! B5, the disk and calls: a member commits its backend no more often than it has to, and a follower calls its leader
//! once for each request that needs it.
//!
//! Commits (etcd, `batch_tx.go` and `backend.go`: `batchInterval`, `batchLimit`). A commit begins because the oldest
//! change that it takes is `backend-interval` old; because `backend-limit` entries are not committed; because the log is
//! to be cut, once for more than `snapshot-count` entries; or because somebody waits for it. The oldest change came after
//! the commit before had begun, so of the first kind at most T / `backend-interval` + 1 begin in a time T, by the fastest
//! clock. Of the second and third kind, one begins for each `backend-limit` and `snapshot-count` entries applied, and one
//! more of each for those that were applied before. One that began before may end in that time, and two more are allowed
//! for snapshots that were begun and not sent, each of which may have kept the log from being cut.
//!
//! Calls. A follower sends the renewal of a lease, a question for a lease's time and the promotion of a learner to its
//! leader (etcd, `v3_server.go`). While the leader leads and no message is lost, it sends a call again only when it had
//! no answer for 200 ms (`member/src/peers.rs`). So while a request is under way for a time t, it sends at most 1 + t /
//! 200 ms.
//!
//! Premises. Commits: the member is well. No snapshot is sent or installed. No client waits for a physical compaction or
//! a defragmentation: both commit at once. Calls: links between members neither lose, double nor reorder messages; the
//! member serves and does not lead.

use api::Request;
use record::{MemberId, Members, MessageKind, Nanos, Operation, Outcome, Record};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::setup::Setup;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// How long commits and calls are counted before they are compared.
const SPAN: Nanos = 2_000_000_000;

/// How long a member waits for an answer to a call before it sends the call again.
const AGAIN: Nanos = 200_000_000;

/// What a member does in a span in which it is well.
#[derive(Clone, Copy, Debug)]
struct Span {
    member: MemberId,
    since: Nanos,
    until: Nanos,
    /// Whether it led at the beginning or at the end.
    leads: bool,
    commits: u64,
    entries: u64,
    calls: u64,
}

/// The must.
#[derive(Clone, Debug)]
pub(super) struct DiskAndCalls {
    members: Members<Option<Span>>,
    over: Vec<Span>,
}

impl DiskAndCalls {
    pub fn new(members: u32) -> DiskAndCalls {
        DiskAndCalls { members: Members::new(members, |_| None), over: Vec::new() }
    }

    fn of(&mut self, member: MemberId, change: impl FnOnce(&mut Span)) {
        if let Some(Some(span)) = self.members.get_mut(member) {
            change(span);
        }
    }

    /// A commit of the backend is durable.
    #[inline]
    pub fn committed(&mut self, member: MemberId) {
        self.of(member, |span| span.commits += 1);
    }

    /// A member has applied an entry.
    #[inline]
    pub fn applied(&mut self, member: MemberId) {
        self.of(member, |span| span.entries += 1);
    }

    /// A message leaves.
    #[inline]
    pub fn sent(&mut self, from: MemberId, to: MemberId, kind: MessageKind, cluster: &Cluster) {
        match kind {
            // A greeting, and the news that a member was removed, are calls, too, but go to other members.
            MessageKind::PeerCall if cluster.steady.is_some_and(|steady| steady.leader == to) => {
                self.of(from, |span| span.calls += 1)
            }
            MessageKind::Snapshot => self.disturbed(from),
            _ => {}
        }
    }

    /// What a member does now is no measure.
    pub fn disturbed(&mut self, member: MemberId) {
        if let Some(span) = self.members.get_mut(member) {
            *span = None;
        }
    }

    /// Begins and ends spans.
    pub fn poll(&mut self, now: Nanos, cluster: &Cluster) {
        for member in self.members.ids() {
            let (span, known) = (&mut self.members[member], &cluster.members[member]);
            let Some(well) = known.well_since else {
                *span = None;
                continue;
            };
            if let Some(span) = span.filter(|span| span.since >= well) {
                if now - span.since < SPAN {
                    continue;
                }
                self.over.push(Span { until: now, leads: span.leads || known.leads, ..span });
            }
            let (since, leads) = (now, known.leads);
            *span = Some(Span { member, since, until: now, leads, commits: 0, entries: 0, calls: 0 });
        }
    }

    /// Judges all spans.
    pub fn judge(
        &self,
        record: &Record,
        (setup, cluster): (&Setup, &Cluster),
        tally: &mut Tally,
        sheet: &mut Sheet,
    ) {
        let under_way = |of: fn(&Request) -> bool| -> Vec<UnderWay> {
            let operations = record.history.operations.iter().filter(|operation| of(&operation.request));
            operations.map(|operation| UnderWay::of(operation, setup)).collect()
        };
        let (hurried, asked) = (under_way(is_hurried), under_way(is_asked_of_leader));
        let mut reported = [false; 2];
        for span in &self.over {
            let judged = [commits(span, &hurried, setup), calls(span, &asked, setup, cluster)];
            for (violation, reported) in judged.into_iter().zip(&mut reported) {
                match violation {
                    Ok(None) => tally.judged(),
                    Ok(Some(violation)) => {
                        tally.judged();
                        if !std::mem::replace(reported, true) {
                            sheet.add(violation);
                        }
                    }
                    Err(premise) => tally.skipped(premise),
                }
            }
        }
    }
}

/// When a member worked on a request.
struct UnderWay {
    member: MemberId,
    from: Nanos,
    to: Nanos,
}

impl UnderWay {
    fn of(operation: &Operation, setup: &Setup) -> UnderWay {
        let to = match operation.outcome {
            Outcome::Answer { at, .. } | Outcome::Error { at, .. } => at,
            // The member may go on until its own timeout, and begin late.
            Outcome::Unknown { gave_up } => {
                gave_up.saturating_add(2 * setup.longest_of(setup.request_timeout))
            }
        };
        UnderWay { member: operation.member, from: operation.call, to }
    }

    /// How long it was under way within a span, if it was.
    fn within(&self, span: &Span) -> Option<Nanos> {
        let (from, to) = (self.from.max(span.since), self.to.min(span.until));
        to.checked_sub(from)
    }
}

/// Whether a commit is made for a request at once.
fn is_hurried(request: &Request) -> bool {
    matches!(request, Request::Compact(compact) if compact.physical)
        || matches!(request, Request::Defragment(_))
}

/// Whether a follower asks its leader to serve a request.
fn is_asked_of_leader(request: &Request) -> bool {
    matches!(request, Request::LeaseKeepAlive(_) | Request::LeaseTimeToLive(_) | Request::MemberPromote(_))
}

/// Compares the commits of a span with what they are for.
fn commits(span: &Span, hurried: &[UnderWay], setup: &Setup) -> Result<Option<Violation>, Premise> {
    if hurried.iter().any(|one| one.within(span).is_some()) {
        return Err(Premise::Nature);
    }
    let intervals = (span.until - span.since) / setup.shortest_of(setup.backend_interval).max(1);
    let full = span.entries / setup.backend_limit.max(1);
    let snapshots = span.entries / (setup.snapshot_count + 1);
    let most = (intervals + 1) + (full + 1) + (snapshots + 1) + 1 + 2;
    if span.commits <= most {
        return Ok(None);
    }
    let (since, until) = (time(span.since), time(span.until));
    let sentence = format!(
        "From {since} to {until} member {} applied {} entries, and nobody waited for its backend. That takes at most {most} \
         commits of the backend; it made {}.",
        span.member, span.entries, span.commits
    );
    let title = format!("member {} commits its backend more often than it needs to", span.member);
    Ok(Some(Violation::new(Oracle::B5, span.until, title).say(sentence)))
}

/// Compares the calls of a span with the requests that they are for.
fn calls(
    span: &Span,
    asked: &[UnderWay],
    setup: &Setup,
    cluster: &Cluster,
) -> Result<Option<Violation>, Premise> {
    if !setup.peers_in_order {
        return Err(Premise::Links);
    }
    if span.leads || !cluster.served(span.member, span.since, span.until) {
        return Err(Premise::Health);
    }
    let here = asked.iter().filter(|one| one.member == span.member);
    let times: Vec<Nanos> = here.filter_map(|one| one.within(span)).collect();
    let most: u64 = times.iter().map(|time| 1 + time / setup.shortest_of(AGAIN).max(1)).sum();
    if span.calls <= most {
        return Ok(None);
    }
    let (since, until) = (time(span.since), time(span.until));
    let sentence = format!(
        "From {since} to {until} member {} worked on {} requests that its leader must serve. That takes at most {most} calls \
         to the leader; it sent {}.",
        span.member,
        times.len(),
        span.calls
    );
    let title = format!("member {} calls its leader more often than it needs to", span.member);
    Ok(Some(Violation::new(Oracle::B5, span.until, title).say(sentence)))
}
