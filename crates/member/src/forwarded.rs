//! Detects forwarded requests that have arrived before.
//!
//! A follower forwards proposals to its leader, and a network may deliver a message twice. raft treats every
//! copy as a new proposal, so the request would be applied twice (flaw R37). etcd's peers use TCP, which
//! drops copies; the simulated network does not, and another transport might not either. Every copy goes to
//! the same process, so it is enough that this process remembers.
//!
//! Ids are a prefix (member and incarnation) and a counter. For each prefix we keep a window of the newest
//! counters, as IPsec does against replay (RFC 4303, section 3.4.3). Anything older than the window is
//! refused: the request times out, and its client does not learn the outcome.
//!
//! Invariant: bounded by one window per member and incarnation.

use std::collections::BTreeMap;

/// Counters remembered below the highest one seen.
const WINDOW: u64 = 1024;

/// The windows, by the ids' prefix.
#[derive(Debug, Default)]
pub(crate) struct Forwarded {
    windows: BTreeMap<u64, Window>,
}

#[derive(Debug)]
struct Window {
    highest: u64,
    /// One bit per counter modulo the window's length.
    seen: [u64; (WINDOW / 64) as usize],
}

impl Forwarded {
    /// Whether this id arrives for the first time; it counts as seen from now on.
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
