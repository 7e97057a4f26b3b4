//! How many steps, and how much memory and time, a check may take, and the meter that enforces it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The limits of one check. Whatever the history, the check ends within them, undecided if it has to.
#[derive(Clone, Debug)]
pub struct Budget<'a> {
    /// How many configurations (a set of operations already in order, with the state they lead to) the searches of all
    /// components together may visit.
    pub steps_max: u64,
    /// How many bytes the searches may use at a time: for the configurations that they remember, for states, and for
    /// values between appends. States and values count with the bytes that they own according to
    /// [`Model::owned_bytes`](crate::Model::owned_bytes) and [`Model::value_bytes`](crate::Model::value_bytes).
    /// Components that are searched at the same time share them evenly. Every check also needs up to 140 bytes for each
    /// operation of the history, which do not count.
    pub bytes_max: usize,
    /// How long the check may take on the wall clock. A verdict that depends on it is not reproducible.
    pub wall_max: Option<Duration>,
    /// Whether to explain a violation by a small conflict. If not, the conflict in the report may be the whole
    /// component. That is enough to find out whether a smaller run still fails. A violation found by a search
    /// is confirmed by a second search in any case.
    pub explain: bool,
    /// How many configurations the explanation of a violation may visit, on top of the number that the verdict took.
    pub explain_steps_max: u64,
    /// How many components to check at a time.
    pub threads: usize,
    /// Another thread may set this flag to end the check early.
    pub cancel: Option<&'a AtomicBool>,
}

impl Default for Budget<'_> {
    fn default() -> Self {
        Budget {
            steps_max: 20_000_000,
            bytes_max: 1 << 30,
            wall_max: None,
            explain: true,
            explain_steps_max: 200_000,
            threads: 1,
            cancel: None,
        }
    }
}

/// The limit at which a check ended without a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Budget::steps_max`].
    Steps,
    /// [`Budget::bytes_max`].
    Bytes,
    /// [`Budget::wall_max`].
    Wall,
    /// [`Budget::cancel`].
    Cancelled,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Limit::Steps => "it used up its steps",
            Limit::Bytes => "it used up its memory",
            Limit::Wall => "its time was up",
            Limit::Cancelled => "it was cancelled",
        })
    }
}

/// Counts the steps that the searches of all components of one check have taken together, and knows their limits.
#[derive(Debug)]
pub(crate) struct Ledger<'a> {
    /// Steps taken by all searches, and those that a [`Meter`] has drawn and not yet used.
    spent: AtomicU64,
    steps_max: u64,
    deadline: Option<Instant>,
    cancel: Option<&'a AtomicBool>,
    bytes_max: usize,
    /// How many searches share the bytes.
    threads: usize,
}

impl<'a> Ledger<'a> {
    /// The ledger of up to `threads` searches at a time.
    pub(crate) fn new(budget: &Budget<'a>, threads: usize) -> Self {
        Ledger {
            spent: AtomicU64::new(0),
            steps_max: budget.steps_max,
            deadline: budget.wall_max.and_then(|wall| Instant::now().checked_add(wall)),
            cancel: budget.cancel,
            bytes_max: budget.bytes_max,
            threads: threads.max(1),
        }
    }

    /// Divides the bytes among this many searches from now on.
    pub(crate) fn share_among(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    /// A separate ledger for the explanation of a violation.
    pub(crate) fn for_explanation(&self, steps_max: u64) -> Ledger<'a> {
        Ledger {
            spent: AtomicU64::new(0),
            steps_max,
            deadline: self.deadline,
            cancel: self.cancel,
            bytes_max: self.bytes_max,
            threads: 1,
        }
    }

    pub(crate) fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }
}

/// Counts the steps of one search. It takes steps from the [`Ledger`] in batches, so that threads seldom wait
/// for each other, and reads the clock once for each batch.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    ledger: &'a Ledger<'a>,
    /// The rest of the current batch.
    left: u64,
    /// How many more steps the current piece of work may take; unlimited outside of [`Meter::within`].
    quota: u64,
    /// How many bytes the steps have read since [`Meter::work`] last checked the limits.
    worked: u64,
}

/// Steps in a batch.
const BATCH: u64 = 1024;

/// The clock is also read after this many bytes, because some steps read large states.
const BYTES_PER_LOOK: u64 = 1 << 22;

impl<'a> Meter<'a> {
    pub(crate) fn new(ledger: &'a Ledger<'a>) -> Self {
        Meter { ledger, left: 0, quota: u64::MAX, worked: 0 }
    }

    pub(crate) fn bytes_max(&self) -> usize {
        self.ledger.bytes_max / self.ledger.threads
    }

    /// Counts one step. The error is the limit that it would exceed.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<(), Limit> {
        if self.left == 0 {
            self.draw()?;
        }
        if self.quota == 0 {
            return Err(Limit::Steps);
        }
        self.quota -= 1;
        self.left -= 1;
        Ok(())
    }

    /// Records that a step has read this many bytes. Checks the limits now and then.
    #[inline]
    pub(crate) fn work(&mut self, bytes: u64) -> Result<(), Limit> {
        self.worked += bytes;
        if self.worked >= BYTES_PER_LOOK {
            self.worked = 0;
            return self.look();
        }
        Ok(())
    }

    /// Does a piece of work that may take at most this many steps.
    pub(crate) fn within<T>(&mut self, steps_max: u64, work: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.quota, steps_max);
        let result = work(self);
        let taken = steps_max - self.quota;
        self.quota = outer.saturating_sub(taken);
        result
    }

    /// Takes a batch of steps from the ledger.
    fn draw(&mut self) -> Result<(), Limit> {
        self.look()?;
        let before = self.ledger.spent.fetch_add(BATCH, Ordering::Relaxed);
        self.left = BATCH.min(self.ledger.steps_max.saturating_sub(before));
        self.ledger.spent.fetch_sub(BATCH - self.left, Ordering::Relaxed);
        if self.left == 0 { Err(Limit::Steps) } else { Ok(()) }
    }

    /// Checks the limits: the flag, the clock and the steps.
    pub(crate) fn look(&self) -> Result<(), Limit> {
        if self.ledger.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(Limit::Cancelled);
        }
        if self.ledger.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Limit::Wall);
        }
        if self.ledger.spent() > self.ledger.steps_max {
            return Err(Limit::Steps);
        }
        Ok(())
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        // Only steps that were taken count.
        self.ledger.spent.fetch_sub(self.left, Ordering::Relaxed);
    }
}
