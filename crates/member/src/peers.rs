//! Requests from one member to another outside raft, named *calls* below. A member calls the leader to renew
//! a lease, to read a lease's time left, or to promote a learner, and it calls any member to compare hashes.
//! etcd uses HTTP on the peer port for these.
//!
//! A call is resent at intervals until it is answered or times out (`v3_server.go`, `LeaseRenew`), so the
//! called member may execute it more than once. Only the answer can show this, and only for a promotion: if
//! the first copy promoted the learner, a second may be answered "can only promote a learner", as in etcd.
//!
//! Invariant: the tables are bounded, because every call ends after the request timeout.

use std::collections::BTreeMap;

use api::{Error, Request, Response};
use record::MemberId;

use crate::config::Config;
use crate::io::PeerMessage;
use crate::keeps::{Count, count};
use crate::out::Out;
use crate::punctual;
use crate::want::{Want, Wants};

/// The bit of operation numbers that serve another member's call.
const CALLED: u64 = 1 << 62;
/// How long to wait before resending a call that was refused, in nanoseconds (`v3_server.go`: 50 ms).
const RETRY: u64 = 50_000_000;

/// All calls in progress, from this member and to it. Times are on the member's clock.
#[derive(Debug)]
pub(crate) struct Calls {
    own: MemberId,
    /// The calls that this member makes, by its number for them.
    outgoing: BTreeMap<u64, Outgoing>,
    /// The calls that this member serves, by operation: the caller and the caller's number for the call.
    serving: BTreeMap<u64, (MemberId, u64)>,
    /// The last number used, for a call or for an operation that serves one. No other incarnation uses the same: a late
    /// answer to a call of the one before must not be taken for that of a new call.
    last: u64,
    request_timeout: u64,
}

/// A call that this member makes.
#[derive(Debug)]
struct Outgoing {
    /// The operation that waits for the answer.
    operation: u64,
    request: Request,
    /// The revision of this member's store when it made the call.
    revision: i64,
    /// When the call times out.
    deadline: u64,
    /// When to send the call, or to resend it.
    send_at: u64,
    /// The member to call; `None` for whichever member leads.
    to: Option<MemberId>,
}

impl Calls {
    /// No calls.
    pub(crate) fn new(config: &Config) -> Calls {
        Calls {
            own: config.id,
            outgoing: BTreeMap::new(),
            serving: BTreeMap::new(),
            last: u64::from(config.incarnation) << 32,
            request_timeout: config.settings.request_timeout,
        }
    }

    /// When the next call must be sent or times out.
    pub(crate) fn wake_at(&self) -> u64 {
        self.outgoing.values().map(|call| call.send_at.min(call.deadline)).min().unwrap_or(u64::MAX)
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 2] {
        [count("calls-to-members", self.outgoing.len()), count("calls-of-members", self.serving.len())]
    }

    /// Removes all calls and returns the operations that waited for those of this member.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        self.serving.clear();
        std::mem::take(&mut self.outgoing).into_values().map(|call| call.operation).collect()
    }

    // ---- calls of this member ---------------------------------------------------------------------

    /// Calls a member, or whichever one leads. The operation is answered with that member's answer. `revision` is that
    /// of this member's store now.
    pub(crate) fn ask(
        &mut self,
        to: Option<MemberId>,
        operation: u64,
        request: Request,
        (now, revision): (u64, i64),
    ) {
        self.last += 1;
        let deadline = now + self.request_timeout;
        self.outgoing
            .insert(self.last, Outgoing { operation, request, revision, deadline, send_at: now, to });
    }

    /// A call was answered. `revision` is that of this member's store now: an answer names the revision of the member that
    /// gives it to the client, for a renewal the one from before it (`v3rpc/lease.go`).
    pub(crate) fn answered(
        &mut self,
        id: u64,
        mut result: Result<Response, Error>,
        (now, revision): (u64, i64),
        wants: &mut Wants,
    ) {
        let Some(call) = self.outgoing.get_mut(&id) else { return };
        // These errors mean that the called member does not lead any more, or is handing its leadership over: a later
        // attempt may reach the current leader.
        let not_now = [
            Error::NotLeader,
            Error::NotPrimaryLessor,
            Error::LeaderChanged,
            Error::ProposalDropped,
            Error::Stopped,
        ];
        if call.to.is_none() && matches!(&result, Err(error) if not_now.contains(error)) {
            call.send_at = now + RETRY;
            return;
        }
        let call = self.outgoing.remove(&id).expect("it was there a moment ago");
        let own_revision = match &result {
            Ok(Response::LeaseKeepAlive(_)) => Some(call.revision),
            Ok(Response::LeaseTimeToLive(_)) => Some(revision),
            _ => None,
        };
        if let (Some(revision), Ok(response)) = (own_revision, &mut result)
            && let Some(header) = response.header_mut()
        {
            header.revision = revision;
        }
        wants.push(Want::Answer(call.operation, result));
    }

    /// Ends the calls that timed out. Do what this wants before [`Calls::due`]: it may lead to another call.
    pub(crate) fn timed_out(&mut self, now: u64, wants: &mut Wants) {
        let timed_out = self.outgoing.extract_if(.., |_, call| call.deadline <= now);
        wants.extend(timed_out.map(|(_, call)| {
            punctual::was_due("the end of a call to a member", call.deadline);
            Want::Reply(call.operation, Err(Error::Timeout))
        }));
    }

    /// Sends the calls that are due. `leader` is the current one, or none; `serves` says whether this member
    /// can serve what only a leader can.
    pub(crate) fn due(&mut self, leader: MemberId, serves: bool, out: &mut Out<'_>, wants: &mut Wants) {
        let now = out.now.clock;
        let mut serve_here = Vec::new();
        for (id, call) in &mut self.outgoing {
            if call.send_at > now {
                continue;
            }
            punctual::was_due("a call to a member", call.send_at);
            // The wait for a lost message (200 ms) is longer than the pause after a refusal (50 ms).
            call.send_at = now + 4 * RETRY;
            match call.to.unwrap_or(leader) {
                MemberId::NONE => call.send_at = now + RETRY,
                // By now, this member leads, and serves the call itself as soon as it can.
                to if to == self.own && serves => serve_here.push(*id),
                to if to == self.own => call.send_at = now + RETRY,
                to => {
                    let request = call.request.clone();
                    out.send_peer(to, PeerMessage::Call { id: *id, request });
                }
            }
        }
        let serve_here = serve_here.into_iter().filter_map(|id| self.outgoing.remove(&id));
        wants.extend(serve_here.map(|call| Want::Serve(call.operation, call.request)));
    }

    // ---- calls to this member ---------------------------------------------------------------------

    /// A member calls this one. Returns the number of the operation that serves the call; `None` if one serves it
    /// already: a call is sent again while there is no answer.
    pub(crate) fn arrived(&mut self, from: MemberId, id: u64) -> Option<u64> {
        if self.serving.values().any(|call| *call == (from, id)) {
            return None;
        }
        self.last += 1;
        let operation = CALLED | self.last;
        self.serving.insert(operation, (from, id));
        Some(operation)
    }

    /// Whether an operation serves another member's call.
    pub(crate) fn owns(&self, operation: u64) -> bool {
        operation & CALLED != 0
    }

    /// Answers the call that an operation serves, if it is still in progress.
    pub(crate) fn answer(&mut self, operation: u64, result: Result<Response, Error>, out: &mut Out<'_>) {
        if let Some((to, id)) = self.serving.remove(&operation) {
            out.send_peer(to, PeerMessage::Answer { id, result });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::etcdserverpb::{
        LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseTimeToLiveResponse, ResponseHeader,
    };

    use super::*;
    use crate::io::{Effects, Message};
    use contract::Now;

    const OWN: MemberId = MemberId::new(1);
    const OTHER: MemberId = MemberId::new(2);
    /// The number of the first call of a first incarnation.
    const FIRST: u64 = 1 << 32 | 1;

    fn calls() -> Calls {
        Calls::new(&Config::new(OWN, Arc::new([])))
    }

    fn request() -> Request {
        LeaseKeepAliveRequest { id: 7 }.into()
    }

    fn sent(effects: Effects) -> Vec<(MemberId, PeerMessage)> {
        let messages = effects.messages.into_iter().map(|(to, message)| match message {
            Message::Peer(message) => (to, *message),
            Message::Raft(message) => panic!("raft sends {message:?}"),
        });
        messages.collect()
    }

    /// What is sent at `now`, and what is served here.
    fn due(
        calls: &mut Calls,
        now: u64,
        leader: MemberId,
        serves: bool,
    ) -> (Vec<(MemberId, PeerMessage)>, Wants) {
        let (mut effects, mut armed, mut wants) = (Effects::default(), None, Wants::new());
        let mut out = Out::new(&mut effects, &mut armed, Now { clock: now, wall: 0 });
        calls.due(leader, serves, &mut out, &mut wants);
        (sent(effects), wants)
    }

    #[test]
    fn a_call_is_resent_until_a_leader_answers() {
        let mut calls = calls();
        calls.ask(None, 5, request(), (0, 1));
        let call = |id| vec![(OTHER, PeerMessage::Call { id, request: request() })];
        assert_eq!(due(&mut calls, 0, OTHER, false), (call(FIRST), vec![]));
        assert_eq!(due(&mut calls, 1, OTHER, false), (vec![], vec![]));
        let mut wants = Wants::new();
        for error in [Error::NotLeader, Error::ProposalDropped] {
            calls.answered(FIRST, Err(error), (10, 1), &mut wants);
        }
        assert_eq!(
            (calls.wake_at(), due(&mut calls, 10 + RETRY, OTHER, false)),
            (10 + RETRY, (call(FIRST), vec![]))
        );
        calls.answered(FIRST, Err(Error::LeaseNotFound), (11, 1), &mut wants);
        calls.answered(FIRST, Err(Error::LeaseNotFound), (12, 1), &mut wants);
        assert_eq!(wants, [Want::Answer(5, Err(Error::LeaseNotFound))]);
    }

    #[test]
    fn an_answer_names_the_revision_of_the_member_that_gives_it() {
        let named = |answer: Response| {
            let mut calls = calls();
            calls.ask(None, 5, request(), (0, 3));
            let mut wants = Wants::new();
            calls.answered(FIRST, Ok(answer), (10, 7), &mut wants);
            let [Want::Answer(5, Ok(answer))] = &wants[..] else { panic!("{wants:?}") };
            answer.header().map(|header| header.revision)
        };
        let header = Some(ResponseHeader { revision: 99, ..ResponseHeader::default() });
        let renewed = LeaseKeepAliveResponse { header, ..LeaseKeepAliveResponse::default() };
        assert_eq!(named(renewed.into()), Some(3));
        let left = LeaseTimeToLiveResponse { header, ..LeaseTimeToLiveResponse::default() };
        assert_eq!(named(left.into()), Some(7));
    }

    #[test]
    fn a_new_leader_serves_its_own_call_once_it_can() {
        let mut calls = calls();
        calls.ask(None, 5, request(), (0, 1));
        assert_eq!(due(&mut calls, 0, OWN, false), (vec![], vec![]));
        assert_eq!(due(&mut calls, RETRY, OWN, true), (vec![], vec![Want::Serve(5, request())]));
        assert_eq!(calls.wake_at(), u64::MAX);
    }

    #[test]
    fn a_call_times_out() {
        let mut calls = calls();
        calls.ask(Some(OTHER), 5, request(), (0, 1));
        let mut wants = Wants::new();
        calls.timed_out(calls.request_timeout - 1, &mut wants);
        assert_eq!(wants, []);
        calls.timed_out(calls.request_timeout, &mut wants);
        assert_eq!(wants, [Want::Reply(5, Err(Error::Timeout))]);
    }

    #[test]
    fn a_call_to_this_member_is_answered_once() {
        let mut calls = calls();
        let operation = calls.arrived(OTHER, 9).expect("it is new");
        assert!(calls.owns(operation) && !calls.owns(9));
        assert_eq!(calls.arrived(OTHER, 9), None, "it was sent again");
        let (mut effects, mut armed) = (Effects::default(), None);
        let mut out = Out::new(&mut effects, &mut armed, Now::default());
        calls.answer(operation, Err(Error::Stopped), &mut out);
        calls.answer(operation, Err(Error::Stopped), &mut out);
        assert_eq!(sent(effects), [(OTHER, PeerMessage::Answer { id: 9, result: Err(Error::Stopped) })]);
    }
}
