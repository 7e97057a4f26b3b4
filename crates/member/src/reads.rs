//! Linearizable reads: etcd's read loop (`v3_server.go`, `linearizableReadLoop`).
//!
//! One ReadIndex is under way at a time; reads that come meanwhile wait for the next one. Once an
//! index is confirmed its reads are answered when that index is applied. Every attempt uses a fresh
//! context: with a context used twice, a heartbeat answer that was delayed since before the leader
//! was deposed could confirm a later read (etcd issue 20418). An answer to an earlier attempt of the
//! same reads is as good as one to the last: it was asked for after they came. Without that, reads
//! would starve wherever a round trip takes longer than the time between two attempts.
//!
//! Invariants: an operation is in exactly one of `waiting`, `current` and `confirmed`; in each list the deadlines never
//! go back, since all reads have the same time.

use std::collections::VecDeque;

use api::Request;
use bytes::Bytes;

/// A read that waits.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) operation: u64,
    pub(crate) request: Request,
    /// The token it came with: whose it is is found out when the read is answered, as etcd does it
    /// (`doSerialize`), since this member may learn meanwhile that users are told apart.
    pub(crate) token: Option<Bytes>,
    /// When its time inside the server is over, on the member's clock.
    pub(crate) deadline: u64,
}

#[derive(Debug)]
struct Current {
    /// The contexts of all attempts for these reads, newest last.
    contexts: Vec<u64>,
    /// They are asked for again, with a fresh context, at this time.
    retry_at: u64,
    reads: Vec<Read>,
}

/// All reads that wait.
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

    /// Whether a ReadIndex should be asked for now.
    pub(crate) fn wants_index(&self, now: u64) -> bool {
        match &self.current {
            Some(current) => now >= current.retry_at,
            None => !self.waiting.is_empty(),
        }
    }

    /// The context of the last attempt, for whichever reads it was.
    pub(crate) fn last_context(&self) -> Option<u64> {
        self.last
    }

    /// A ReadIndex with this fresh context is asked for: another attempt for the reads under way, or
    /// the first one for those that wait.
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

    /// An index was confirmed; whether somebody waited for it. Answers to contexts given up meanwhile,
    /// or asked for by an earlier incarnation, are nobody's.
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

    /// The leader changed: the attempt under way is void, and etcd answers its reads with an error.
    pub(crate) fn leader_changed(&mut self) -> Vec<Read> {
        self.current.take().map(|current| current.reads).unwrap_or_default()
    }

    /// The leader may answer now (its first entry is committed): ask again at once.
    pub(crate) fn retry_now(&mut self) {
        if let Some(current) = &mut self.current {
            current.retry_at = 0;
        }
    }

    /// Reads whose time is over.
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

    /// Empties everything; the operations that were under way.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        let Reads { waiting, current, confirmed, .. } = std::mem::take(self);
        let current = current.into_iter().flat_map(|current| current.reads);
        let confirmed = confirmed.into_iter().flat_map(|(_, reads)| reads);
        waiting.into_iter().chain(current).chain(confirmed).map(|read| read.operation).collect()
    }

    /// When to look again, on the member's clock.
    pub(crate) fn wake_at(&self) -> u64 {
        let retry_at = self.current.as_ref().map_or(u64::MAX, |current| current.retry_at);
        self.deadline().min(retry_at)
    }

    /// The first of all deadlines.
    fn deadline(&self) -> u64 {
        let first = |reads: &Vec<Read>| reads.first().map_or(u64::MAX, |read| read.deadline);
        let current = self.current.as_ref().map_or(u64::MAX, |current| first(&current.reads));
        let confirmed = self.confirmed.iter().map(|(_, reads)| first(reads)).min().unwrap_or(u64::MAX);
        first(&self.waiting).min(current).min(confirmed)
    }
}
