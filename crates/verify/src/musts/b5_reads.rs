//! B5, of ReadIndex: a member that does not lead asks for one only if a request waits for it.
//!
//! Derivation. A ReadIndex costs a message to the leader, a round of heartbeats and an answer. A follower needs one for
//! what it must answer from a state that is new enough: linearizable reads, logins, what the lock and election services
//! read, downgrades. It needs none for what it proposes, for what it asks the leader (renewals and times of leases:
//! etcd, `v3_server.go`, `LeaseRenew`), nor for what it answers at once.
//!
//! A read waits on if its client has closed the stream for which it was made.
//!
//! Premises: for a request timeout, no fault of the member, its disk or its clock was active, and it neither led nor leads
//! now. A leader confirms by ReadIndex that it may
//! renew and end leases, and what it has asked as a leader may be asked again.

use api::Request;
use record::{MemberId, Members, Nanos, Operation, Record};

use super::b6_answers::is_at_once;
use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::requests::Requests;
use super::setup::Setup;
use crate::describe::time;
use crate::k1::place::is_write;
use crate::{Oracle, Sheet, Violation};

/// When members asked for a ReadIndex.
#[derive(Clone, Debug)]
pub(super) struct ReadsAsked {
    members: Members<Vec<Nanos>>,
}

impl ReadsAsked {
    pub fn new(members: u32) -> ReadsAsked {
        ReadsAsked { members: Members::new(members, |_| Vec::new()) }
    }

    /// A member asks for a ReadIndex.
    #[inline]
    pub fn asks(&mut self, at: Nanos, member: MemberId) {
        if let Some(asked) = self.members.get_mut(member) {
            asked.push(at);
        }
    }

    /// Judges all of them.
    pub fn judge(
        &self,
        record: &Record,
        requests: &Requests,
        (setup, cluster): (&Setup, &Cluster),
        tally: &mut Tally,
        sheet: &mut Sheet,
    ) {
        let lately = setup.longest_of(setup.request_timeout);
        let mut wrong = None;
        for (member, asked) in self.members.iter().filter(|(_, asked)| !asked.is_empty()) {
            let waits = waits(record, requests, member, lately);
            for at in asked.iter().copied() {
                let since = at.saturating_sub(lately);
                let led = cluster.led(member, since) || cluster.changes_of_lead(member, since, at) > 0;
                if led || !cluster.was_free(member, since, at) {
                    tally.skipped(Premise::Health);
                } else if is_waited_for(&waits, at) {
                    tally.judged();
                } else {
                    tally.judged();
                    wrong.get_or_insert_with(|| violation(member, at));
                }
            }
        }
        sheet.add_all(wrong);
    }
}

/// When a request that needs ReadIndex waited at a member: spans in order, none of which touches the next. The read of a
/// streamed range waits for as long as `patience`, also if its client has closed the stream.
fn waits(record: &Record, requests: &Requests, member: MemberId, patience: Nanos) -> Vec<(Nanos, Nanos)> {
    let span = |(number, operation): (usize, &Operation)| {
        let taken = requests.get(number).filter(|taken| taken.member == member)?;
        let over = taken.over.unwrap_or(Nanos::MAX);
        let to = if operation.streamed { over.max(taken.at + patience) } else { over };
        needs_read_index(operation).then_some((taken.at, to))
    };
    let operations = record.history.operations.iter().enumerate();
    let mut all: Vec<(Nanos, Nanos)> = operations.filter_map(span).collect();
    all.sort_unstable();
    let mut spans: Vec<(Nanos, Nanos)> = Vec::new();
    for (from, to) in all {
        match spans.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => spans.push((from, to)),
        }
    }
    spans
}

/// Whether a time lies in one of these spans.
fn is_waited_for(spans: &[(Nanos, Nanos)], at: Nanos) -> bool {
    let next = spans.partition_point(|(from, _)| *from <= at);
    next.checked_sub(1).is_some_and(|last| spans[last].1 >= at)
}

/// Whether a follower may need ReadIndex for an operation.
fn needs_read_index(operation: &Operation) -> bool {
    let asks_leader = matches!(operation.request, Request::LeaseKeepAlive(_) | Request::LeaseTimeToLive(_));
    !asks_leader && !is_write(&operation.request) && !is_at_once(operation)
}

fn violation(member: MemberId, at: Nanos) -> Violation {
    let sentence = format!(
        "Member {member}, which did not lead, asked its leader for a ReadIndex at {}. None of the requests that it worked on \
         needs one.",
        time(at)
    );
    Violation::new(Oracle::B5, at, format!("member {member} asks for a ReadIndex that nobody needs"))
        .say(sentence)
}
