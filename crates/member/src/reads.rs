//! Linearizable reads: etcd's read loop (`v3_server.go`, `linearizableReadLoop`).
//!
//! One ReadIndex is in progress at a time; reads that arrive meanwhile wait for the next one. Once an index
//! is confirmed, its reads are answered when that index is applied. Every attempt uses a fresh context: if a
//! context were used twice, a heartbeat response delayed since before the leader was deposed could confirm a
//! later read (etcd issue 20418). A response to an earlier attempt for the same reads is as good as one to
//! the last: that attempt, too, was made after they arrived. Without this rule, reads would starve wherever a
//! round trip takes longer than the time between two attempts.
//!
//! Invariants: an operation is in exactly one of `waiting`, `current` and `confirmed`; in each list the
//! deadlines never decrease, since all reads have the same time-out.

use std::collections::VecDeque;

use api::Request;
use bytes::Bytes;

/// A pending read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) operation: u64,
    pub(crate) request: Request,
    /// Its token. The user is looked up when the read is answered, as in etcd (`doSerialize`), since
    /// authentication may be enabled meanwhile.
    pub(crate) token: Option<Bytes>,
    /// When it times out inside the server, on the member's clock.
    pub(crate) deadline: u64,
}

#[derive(Debug)]
struct Current {
    /// The contexts of all attempts for these reads, newest last.
    contexts: Vec<u64>,
    /// When to retry with a fresh context.
    retry_at: u64,
    reads: Vec<Read>,
}

/// All pending reads.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    waiting: Vec<Read>,
    current: Option<Current>,
    confirmed: VecDeque<(u64, Vec<Read>)>,
    /// The context of the last attempt.
    last: Option<u64>,
}

impl Reads {
    pub(crate) fn push(&mut self, read: Read) {
        self.waiting.push(read);
    }

    /// Whether a ReadIndex should be requested now.
    pub(crate) fn wants_index(&self, now: u64) -> bool {
        match &self.current {
            Some(current) => now >= current.retry_at,
            None => !self.waiting.is_empty(),
        }
    }

    /// The context of the last attempt, for any reads.
    pub(crate) fn last_context(&self) -> Option<u64> {
        self.last
    }

    /// A ReadIndex was requested with this fresh context: another attempt for the current reads, or the first
    /// one for those that wait.
    pub(crate) fn asked(&mut self, context: u64, retry_at: u64) {
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

    /// An index was confirmed; returns whether a read waited for it. Responses to abandoned contexts, or to
    /// those of an earlier incarnation, match no read.
    pub(crate) fn confirm(&mut self, context: u64, index: u64) -> bool {
        let waited_for = self.current.take_if(|current| current.contexts.contains(&context));
        let accepted = waited_for.is_some();
        self.confirmed.extend(waited_for.map(|current| (index, current.reads)));
        accepted
    }

    /// The reads whose index is applied.
    pub(crate) fn ready(&mut self, applied: u64) -> Option<Vec<Read>> {
        let at = self.confirmed.iter().position(|(index, _)| *index <= applied)?;
        self.confirmed.remove(at).map(|(_, reads)| reads)
    }

    /// The leader changed: the current attempt is void, and etcd answers its reads with an error.
    pub(crate) fn leader_changed(&mut self) -> Vec<Read> {
        self.current.take().map(|current| current.reads).unwrap_or_default()
    }

    /// The leader can answer now (its first entry is committed): retry at once.
    pub(crate) fn retry_now(&mut self) {
        if let Some(current) = &mut self.current {
            current.retry_at = 0;
        }
    }

    /// Reads that have timed out.
    pub(crate) fn expired(&mut self, now: u64) -> Vec<Read> {
        let mut over = Vec::new();
        if now < self.deadline() {
            return over;
        }
        let mut sweep =
            |reads: &mut Vec<Read>| over.extend(reads.extract_if(.., |read| read.deadline <= now));
        sweep(&mut self.waiting);
        if let Some(current) = &mut self.current {
            sweep(&mut current.reads);
        }
        self.confirmed.iter_mut().for_each(|(_, reads)| sweep(reads));
        self.confirmed.retain(|(_, reads)| !reads.is_empty());
        if self.current.as_ref().is_some_and(|current| current.reads.is_empty()) {
            self.current = None;
        }
        over
    }

    /// Removes everything and returns the operations that were in progress.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        let Reads { waiting, current, confirmed, .. } = std::mem::take(self);
        let current = current.into_iter().flat_map(|current| current.reads);
        let confirmed = confirmed.into_iter().flat_map(|(_, reads)| reads);
        waiting.into_iter().chain(current).chain(confirmed).map(|read| read.operation).collect()
    }

    /// When to check again, on the member's clock.
    pub(crate) fn wake_at(&self) -> u64 {
        let retry_at = self.current.as_ref().map_or(u64::MAX, |current| current.retry_at);
        self.deadline().min(retry_at)
    }

    /// The earliest deadline.
    fn deadline(&self) -> u64 {
        let first = |reads: &Vec<Read>| reads.first().map_or(u64::MAX, |read| read.deadline);
        let current = self.current.as_ref().map_or(u64::MAX, |current| first(&current.reads));
        let confirmed = self.confirmed.iter().map(|(_, reads)| first(reads)).min().unwrap_or(u64::MAX);
        first(&self.waiting).min(current).min(confirmed)
    }
}
