//! Finds out whether a proposal that a follower forwarded has arrived before.
//!
//! A follower forwards proposals to its leader, and the simulated network may deliver a message twice. Raft
//! treats each copy as a new proposal, so the request would be applied twice (flaw R37). etcd does not have
//! this problem, because its peers use TCP. All copies of a message go to the same process, so it suffices
//! that each process remembers what it has received.
//!
//! A request id is a prefix (member and incarnation) and a counter ([`crate::ids::Ids`]). For
//! each prefix we remember which of the newest 1,024 counters have arrived, as IPsec does against replayed
//! packets (RFC 4303, section 3.4.3). A proposal with an older counter is refused, since it may be a copy:
//! its request times out, and the client does not learn the outcome.
//!
//! Invariant: memory is bounded by one window of counters for each member and incarnation.

use std::collections::BTreeMap;

use crate::keeps::{Count, count};

/// How many counters are remembered, up to the highest that arrived. Our choice.
const WINDOW: u64 = 1024;

/// The windows of arrived counters, by the prefix of the ids.
#[derive(Debug, Default)]
pub(crate) struct Forwarded {
    /// By the upper 32 bits of an id; the lower 32 bits are its counter.
    windows: BTreeMap<u64, Window>,
}

/// Which counters have arrived, up to the highest.
#[derive(Debug)]
struct Window {
    /// The highest counter that has arrived.
    highest: u64,
    /// One bit for each remembered counter, at the counter modulo [`WINDOW`].
    seen: [u64; (WINDOW / 64) as usize],
}

impl Forwarded {
    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 1] {
        [count("windows-of-forwarded", self.windows.len())]
    }

    /// Whether this id arrives for the first time. Remembers that it has arrived.
    pub(crate) fn is_new(&mut self, id: u64) -> bool {
        let (prefix, counter) = (id >> 32, id & 0xffff_ffff);
        let window =
            self.windows.entry(prefix).or_insert(Window { highest: 0, seen: [0; (WINDOW / 64) as usize] });
        if counter + WINDOW <= window.highest {
            return false;
        }
        while window.highest < counter {
            window.highest += 1;
            window.set(window.highest, false);
        }
        !window.set(counter, true)
    }
}

impl Window {
    /// Sets a counter's bit and returns the old value.
    fn set(&mut self, counter: u64, to: bool) -> bool {
        let place = counter % WINDOW;
        let (word, bit) = (&mut self.seen[(place / 64) as usize], 1 << (place % 64));
        let was = *word & bit != 0;
        if to {
            *word |= bit
        } else {
            *word &= !bit
        }
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_new_once() {
        let mut forwarded = Forwarded::default();
        assert!([5, 3, 4, 1030, 7].iter().all(|counter| forwarded.is_new(1 << 32 | counter)));
        assert!([5, 3, 4, 1030, 7].iter().all(|counter| !forwarded.is_new(1 << 32 | counter)));
        assert!(forwarded.is_new(2 << 32 | 5), "another incarnation has its own window");
        assert!(!forwarded.is_new(1 << 32 | 2), "older than the window, so it may have arrived before");
        assert!(forwarded.is_new(1 << 32 | 8));
    }
}
