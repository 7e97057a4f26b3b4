//! Keeps track of linearizable reads until they can be answered (etcd's `v3_server.go`,
//! `linearizableReadLoop`). Other requests that need a confirmed leader wait here, too: logins, keep-alives,
//! revocations of expired leases.
//!
//! The member requests a ReadIndex from raft for all reads that wait. The leader returns its commit index
//! after a quorum has confirmed that it still leads; the reads are answered when this member has applied that
//! index. Reads that arrive while a ReadIndex is in progress wait for the next one.
//!
//! If there is no response for a while, the member tries again, each time with a new *context*, a number that
//! comes back with the response. With the same context, a heartbeat response that was delayed since before
//! the leader lost its leadership could confirm a later read (etcd issue 20418). A response to an earlier
//! attempt for the same reads is accepted, because that attempt, too, was made after they arrived. Otherwise,
//! reads would never be answered where a round trip takes longer than the time between two attempts.
//!
//! Invariants: an operation is in exactly one of `waiting`, `current` and `confirmed`; in each list the
//! deadlines never decrease, since all reads have the same timeout.

use std::collections::VecDeque;

use api::Request;

use crate::auth::Credential;
use crate::keeps::{self, Count, count};
use crate::punctual;
use crate::want::NOBODY;

/// A read that is not answered yet.
#[derive(Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) operation: u64,
    pub(crate) request: Request,
    /// The client's credential. The user is looked up only when the read is answered, as in etcd (`doSerialize`),
    /// since authentication may be enabled meanwhile.
    pub(crate) credential: Option<Credential>,
    /// When it times out inside the server, on the member's clock.
    pub(crate) deadline: u64,
}

/// The ReadIndex in progress and the reads that wait for it.
#[derive(Debug)]
struct Current {
    /// The contexts of all attempts for these reads, newest last.
    contexts: Vec<u64>,
    /// When to try again with a new context.
    retry_at: u64,
    /// The reads that wait for it.
    reads: Vec<Read>,
}

/// All reads that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// Reads that wait for the next ReadIndex.
    waiting: Vec<Read>,
    /// The ReadIndex in progress.
    current: Option<Current>,
    /// Reads with a confirmed index, which wait until it is applied; and the context of the attempt that was confirmed.
    confirmed: VecDeque<(u64, u64, Vec<Read>)>,
    /// The context of the last attempt. Only the flaw M-20418b uses it, if it is switched on.
    last: Option<u64>,
}

impl Reads {
    /// Adds a read.
    pub(crate) fn push(&mut self, read: Read) {
        self.waiting.push(read);
    }

    /// Whether a ReadIndex should be requested now: not for reads that end now.
    pub(crate) fn wants_index(&self, now: u64) -> bool {
        match &self.current {
            Some(current) => now >= current.retry_at && current.reads.iter().any(|read| read.deadline > now),
            None => !self.waiting.is_empty(),
        }
    }

    /// The context of the last attempt.
    pub(crate) fn last_context(&self) -> Option<u64> {
        self.last
    }

    /// A ReadIndex was requested with this new context: another attempt for the current reads or, if there
    /// are none, the first attempt for all that wait.
    pub(crate) fn asked(&mut self, context: u64, retry_at: u64) {
        // At 0 it is due at once: the leader can answer now.
        if let Some(Current { retry_at: at @ 1.., .. }) = self.current {
            punctual::was_due("another attempt for a ReadIndex", at);
        }
        let waiting = &mut self.waiting;
        let current = self.current.get_or_insert_with(|| Current {
            contexts: Vec::new(),
            retry_at,
            reads: std::mem::take(waiting),
        });
        current.contexts.push(context);
        self.last = Some(context);
        current.retry_at = retry_at;
    }

    /// Raft returned an index for this context. Returns whether reads waited for it: a response may also be
    /// for reads that have ended, or for an earlier incarnation of this member.
    pub(crate) fn confirm(&mut self, context: u64, index: u64) -> bool {
        let waited_for = self.current.take_if(|current| current.contexts.contains(&context));
        let accepted = waited_for.is_some();
        self.confirmed.extend(waited_for.map(|current| (index, context, current.reads)));
        accepted
    }

    /// Removes and returns reads whose index is applied, with the context of the attempt that was confirmed for them.
    pub(crate) fn ready(&mut self, applied: u64) -> Option<(u64, Vec<Read>)> {
        let at = self.confirmed.iter().position(|(index, ..)| *index <= applied)?;
        self.confirmed.remove(at).map(|(_, context, reads)| (context, reads))
    }

    /// The leader changed: removes and returns the reads of the ReadIndex in progress. They fail, as in etcd.
    pub(crate) fn leader_changed(&mut self) -> Vec<Read> {
        self.current.take().map(|current| current.reads).unwrap_or_default()
    }

    /// The leader's first entry is committed, so it can now answer: the next attempt is due at once.
    pub(crate) fn retry_now(&mut self) {
        if let Some(current) = &mut self.current {
            current.retry_at = 0;
        }
    }

    /// Removes and returns the reads that have timed out.
    pub(crate) fn expired(&mut self, now: u64) -> Vec<Read> {
        let mut timed_out = Vec::new();
        if now < self.expires_at() {
            return timed_out;
        }
        punctual::was_due("the end of a read", self.expires_at());
        let mut sweep =
            |reads: &mut Vec<Read>| timed_out.extend(reads.extract_if(.., |read| read.deadline <= now));
        sweep(&mut self.waiting);
        if let Some(current) = &mut self.current {
            sweep(&mut current.reads);
        }
        self.confirmed.iter_mut().for_each(|(.., reads)| sweep(reads));
        self.confirmed.retain(|(.., reads)| !reads.is_empty());
        if self.current.as_ref().is_some_and(|current| current.reads.is_empty()) {
            self.current = None;
        }
        timed_out
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Count> {
        let current = self.current.iter().flat_map(|current| &current.reads);
        let confirmed = self.confirmed.iter().flat_map(|(.., reads)| reads);
        let all = self.waiting.iter().chain(current).chain(confirmed).map(|read| read.operation);
        let attempts = self.current.as_ref().map_or(0, |current| current.contexts.len());
        let reads = keeps::by_asker(("reads", "own-reads"), NOBODY, all);
        reads.into_iter().chain([count("read-attempts", attempts)])
    }

    /// Removes all reads and returns their operations.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        let Reads { waiting, current, confirmed, .. } = std::mem::take(self);
        let current = current.into_iter().flat_map(|current| current.reads);
        let confirmed = confirmed.into_iter().flat_map(|(.., reads)| reads);
        waiting.into_iter().chain(current).chain(confirmed).map(|read| read.operation).collect()
    }

    /// When the next attempt is due or the next read times out, on the member's clock.
    pub(crate) fn wake_at(&self) -> u64 {
        let retry_at = self.current.as_ref().map_or(u64::MAX, |current| current.retry_at);
        self.expires_at().min(retry_at)
    }

    /// The earliest deadline.
    pub(crate) fn expires_at(&self) -> u64 {
        let first = |reads: &Vec<Read>| reads.first().map_or(u64::MAX, |read| read.deadline);
        let current = self.current.as_ref().map_or(u64::MAX, |current| first(&current.reads));
        let confirmed = self.confirmed.iter().map(|(.., reads)| first(reads)).min().unwrap_or(u64::MAX);
        first(&self.waiting).min(current).min(confirmed)
    }
}
