//! One link, that is, one direction between two parties: it draws the latency, loss, duplication, corruption and
//! reordering of each message, and models its bandwidth.
//!
//! Every draw is keyed by the link and by how many messages it carried before (rule R2 of ARCHITECTURE.md).
//! So what happens to message 17 from member 2 to member 3 does not depend on any other link.

use keyed::{Domain, Keyed};
use schedule::Link;
use trace::Nanos;

/// The domain of all random draws for links, see the crate `keyed`.
const LINK: Domain = Domain::new("world network link");

/// The state of one link: of one ordered pair of parties.
pub(crate) struct LinkState {
    keyed: Keyed,
    /// Messages sent so far.
    sent: u64,
    /// When everything sent before has left, if bandwidth is limited.
    free_at: Nanos,
    /// Behaviours that faults put in place of the usual one; the last one is in force.
    overlays: Vec<(u32, Link)>,
}

/// What a link does with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Lost on the way.
    Lost,
    /// Dropped, because the queue in front of the link is full.
    Overflow,
    /// Arrives.
    Arrives {
        at: Nanos,
        /// When a duplicate arrives, if there is one.
        again: Option<Nanos>,
        /// A bit is flipped; this draw decides which one.
        corrupt: Option<u64>,
        /// Whether it got an extra delay that lets later messages overtake it.
        late: bool,
    },
}

impl LinkState {
    pub(crate) fn new(seed: u64, pair: u64) -> LinkState {
        let keyed = Keyed::new(seed, LINK).split(pair);
        LinkState { keyed, sent: 0, free_at: 0, overlays: Vec::new() }
    }

    /// From now on, this link draws with another seed.
    pub(crate) fn reseed(&mut self, seed: u64, pair: u64) {
        self.keyed = Keyed::new(seed, LINK).split(pair);
    }

    /// Puts a fault's behaviour in place of the usual one.
    pub(crate) fn overlay(&mut self, fault: u32, link: Link) {
        self.overlays.push((fault, link));
    }

    /// Removes a fault's behaviour.
    pub(crate) fn remove_overlay(&mut self, fault: u32) {
        self.overlays.retain(|(other, _)| *other != fault);
    }

    /// The behaviour in force.
    #[inline]
    pub(crate) fn behaviour<'a>(&'a self, usual: &'a Link) -> &'a Link {
        self.overlays.last().map_or(usual, |(_, link)| link)
    }

    /// Decides what becomes of one message. `size` is called only if bandwidth is limited.
    #[inline]
    pub(crate) fn send(&mut self, usual: &Link, now: Nanos, size: impl FnOnce() -> u64) -> Fate {
        self.sent += 1;
        let draw = self.keyed.draw(0, self.sent);
        let link = *self.behaviour(usual);
        if draw.then(1).happens(link.loss) {
            return Fate::Lost;
        }
        let mut at = now + link.latency.sample(draw);
        if link.bandwidth > 0 {
            let takes = |bytes: u64| (u128::from(bytes) * 1_000_000_000 / u128::from(link.bandwidth)) as u64;
            let took = takes(size()); // the time that this message occupies the link
            // The limit of the queue is a number of messages. All are taken to be as large as this one, which
            // is close enough and needs no list.
            let waiting = self.free_at.saturating_sub(now);
            if link.queue > 0 && waiting > took.saturating_mul(u64::from(link.queue)) {
                return Fate::Overflow;
            }
            self.free_at = self.free_at.max(now) + took;
            at += self.free_at - now;
        }
        let late = draw.then(2).happens(link.reorder);
        if late {
            at += link.reorder_by.sample(draw.then(3));
        }
        let again = draw.then(4).happens(link.duplicate).then(|| at + link.latency.sample(draw.then(5)));
        let corrupt = draw.then(6).happens(link.corrupt).then(|| draw.then(7).0);
        Fate::Arrives { at, again, corrupt, late }
    }

    /// When a message arrives if it was held and is sent now.
    pub(crate) fn release(&mut self, usual: &Link, now: Nanos) -> Nanos {
        self.sent += 1;
        now + self.behaviour(usual).latency.sample(self.keyed.draw(1, self.sent))
    }
}
