//! One direction of a watch stream, with the guarantees of TCP. Items are numbered and delivered in order,
//! retransmitted until they are acknowledged, and never delivered twice.
//!
//! The retransmission time-out doubles from 200 ms up to 120 s (`TCP_RTO_MIN` and `TCP_RTO_MAX` of Linux). It
//! starts over whenever an acknowledgement brings something new. An acknowledgement says how many items have
//! arrived, and how many of them the application has taken. If all have arrived but some are not taken, the
//! sender asks again from time to time, as TCP probes a closed window.
//!
//! Three acknowledgements that bring nothing new say that later items arrive and the first does not: it is sent again at
//! once (RFC 5681, section 3.2). Without this, an item that is lost after a long cut would wait for as long again.
//!
//! Not modelled: the estimate of the round-trip time, congestion control. The sender never gives up; the keepalive of the
//! stream does (`streams`).

use std::collections::{BTreeMap, VecDeque};

use record::Nanos;

/// First retransmission time-out (`TCP_RTO_MIN` of Linux).
const TIMEOUT_MIN: Nanos = 200_000_000;
/// Longest retransmission time-out (`TCP_RTO_MAX` of Linux).
const TIMEOUT_MAX: Nanos = 120_000_000_000;
/// How many acknowledgements that bring nothing new make the sender send again (RFC 5681, section 3.2).
const DUPLICATES: u32 = 3;
/// The most items that are retransmitted at once. The number is our choice.
const RESEND_MAX: usize = 16;

/// The sending end.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    /// Sent and not yet known to have arrived, oldest first.
    under_way: VecDeque<T>,
    /// How many were sent; items are numbered from 1.
    sent: u64,
    /// How many are known to have arrived.
    received: u64,
    /// How many are known to have been taken.
    taken: u64,
    /// The retransmission time-out that is in force.
    timeout: Nanos,
    /// When the time-out fires; `Nanos::MAX` while everything sent has been taken.
    due: Nanos,
    /// How many acknowledgements in a row have brought nothing new; below [`DUPLICATES`].
    duplicates: u32,
}

/// What an acknowledgement brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged<T> {
    /// How many items were taken since the last acknowledgement.
    pub(crate) taken: u64,
    /// An item to send again, with its number.
    pub(crate) again: Option<(u64, T)>,
}

/// What a sender does when its time-out fires.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TimeoutAction<T> {
    /// The time-out has not fired yet.
    Nothing,
    /// Retransmit these items, with their numbers.
    Resend(Vec<(u64, T)>),
    /// Ask how many items have been taken.
    Probe,
}

impl<T: Clone> Sender<T> {
    pub(crate) fn new() -> Sender<T> {
        Sender {
            under_way: VecDeque::new(),
            sent: 0,
            received: 0,
            taken: 0,
            timeout: TIMEOUT_MIN,
            due: Nanos::MAX,
            duplicates: 0,
        }
    }

    /// Takes an item to send, and returns its number.
    pub(crate) fn push(&mut self, now: Nanos, item: T) -> u64 {
        self.sent += 1;
        self.under_way.push_back(item);
        if self.due == Nanos::MAX {
            self.due = now + self.timeout;
        }
        self.sent
    }

    /// When the time-out fires; `Nanos::MAX` for never.
    pub(crate) fn due(&self) -> Nanos {
        self.due
    }

    /// Takes an acknowledgement: how many items have arrived in order, and how many of them were taken.
    pub(crate) fn take_ack(&mut self, now: Nanos, received: u64, taken: u64) -> Acknowledged<T> {
        let (received, taken) = (received.min(self.sent), taken.min(self.sent));
        let newly_taken = taken.saturating_sub(self.taken);
        if received > self.received || newly_taken > 0 {
            let arrived = received.saturating_sub(self.received);
            self.under_way.drain(..arrived as usize);
            self.received = self.received.max(received);
            self.taken += newly_taken;
            self.timeout = TIMEOUT_MIN;
            self.due = if self.taken == self.sent { Nanos::MAX } else { now + self.timeout };
            self.duplicates = 0;
        } else if received == self.received && !self.under_way.is_empty() {
            self.duplicates = (self.duplicates + 1) % DUPLICATES;
            if self.duplicates == 0 {
                let again = self.under_way.front().map(|item| (received + 1, item.clone()));
                return Acknowledged { taken: 0, again };
            }
        }
        Acknowledged { taken: newly_taken, again: None }
    }

    /// What to do at `now`, if the time-out has fired by then.
    pub(crate) fn on_timeout(&mut self, now: Nanos) -> TimeoutAction<T> {
        if now < self.due {
            return TimeoutAction::Nothing;
        }
        self.timeout = (self.timeout * 2).min(TIMEOUT_MAX);
        self.due = now + self.timeout;
        if self.under_way.is_empty() {
            return TimeoutAction::Probe;
        }
        let again = self.under_way.iter().take(RESEND_MAX).cloned();
        TimeoutAction::Resend((self.received + 1..).zip(again).collect())
    }

    /// The other end is gone: nothing is retransmitted any more.
    pub(crate) fn stop(&mut self) {
        self.under_way.clear();
        (self.received, self.taken) = (self.sent, self.sent);
        self.due = Nanos::MAX;
    }
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    /// How many have arrived in order.
    received: u64,
    /// How many of them the application has taken.
    taken: u64,
    /// Items that arrived before an earlier one, by number.
    ahead: BTreeMap<u64, T>,
}

impl<T> Receiver<T> {
    pub(crate) fn new() -> Receiver<T> {
        Receiver { received: 0, taken: 0, ahead: BTreeMap::new() }
    }

    /// Takes an item that arrived. Returns the items that can be delivered now, in order.
    pub(crate) fn arrive(&mut self, number: u64, item: T) -> Vec<T> {
        let mut in_order = Vec::new();
        if number > self.received {
            self.ahead.insert(number, item);
            while let Some(item) = self.ahead.remove(&(self.received + 1)) {
                self.received += 1;
                in_order.push(item);
            }
        }
        in_order
    }

    /// The application has taken `more` of what arrived.
    pub(crate) fn take(&mut self, more: u64) {
        self.taken += more;
        debug_assert!(
            self.taken <= self.received,
            "{} were taken of {} that arrived",
            self.taken,
            self.received
        );
    }

    /// The numbers for an acknowledgement: how many items have arrived, and how many were taken.
    pub(crate) fn acknowledged(&self) -> (u64, u64) {
        (self.received, self.taken)
    }
}

#[cfg(test)]
mod tests {
    use keyed::{Domain, Keyed, Ratio};

    use super::*;

    const TEST: Domain = Domain::new("test of the transport of watch streams");

    /// Sends 200 items over a link that loses, duplicates and reorders. Returns what came out, how many items
    /// the sender knows to be taken, and when it had nothing left to wait for.
    fn run(seed: u64, loss: Ratio, cut: std::ops::Range<Nanos>) -> (Vec<u64>, u64, Nanos) {
        let keyed = Keyed::new(seed, TEST);
        let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
        // Items with their numbers, and acknowledgements. The number 0 stands for a probe.
        type Wire = BTreeMap<(Nanos, u64), Result<(u64, u64), (u64, u64)>>;
        let mut wire = Wire::new();
        let (mut out, mut taken, mut packets, mut now) = (Vec::new(), 0, 0, 0);
        let mut send = |wire: &mut Wire, now: Nanos, what| {
            packets += 1;
            let draw = keyed.draw(0, packets);
            if cut.contains(&now) || draw.happens(loss) {
                return;
            }
            for copy in 0..1 + draw.then(1).below(2) {
                let at = now + 1_000_000 + draw.then(2 + copy).below(50_000_000);
                wire.insert((at, packets * 2 + copy), what);
            }
        };
        let mut next = 0;
        loop {
            let push_at = if next < 200 { next * 10_000_000 } else { Nanos::MAX };
            let arrive_at = wire.first_key_value().map_or(Nanos::MAX, |((at, _), _)| *at);
            let first = push_at.min(arrive_at).min(sender.due());
            if first == Nanos::MAX {
                return (out, taken, now);
            }
            now = first.max(now);
            if now == push_at {
                let number = sender.push(now, next);
                send(&mut wire, now, Ok((number, next)));
                next += 1;
            } else if now == arrive_at {
                let (_, packet) = wire.pop_first().unwrap();
                match packet {
                    Ok((number, item)) => {
                        let more = if number == 0 { Vec::new() } else { receiver.arrive(number, item) };
                        receiver.take(more.len() as u64);
                        out.extend(more);
                        send(&mut wire, now, Err(receiver.acknowledged()));
                    }
                    Err((received, known)) => {
                        let acknowledged = sender.take_ack(now, received, known);
                        taken += acknowledged.taken;
                        if let Some(again) = acknowledged.again {
                            send(&mut wire, now, Ok(again));
                        }
                    }
                }
            } else {
                match sender.on_timeout(now) {
                    TimeoutAction::Nothing => {}
                    TimeoutAction::Resend(items) => {
                        items.into_iter().for_each(|(number, item)| send(&mut wire, now, Ok((number, item))));
                    }
                    TimeoutAction::Probe => send(&mut wire, now, Ok((0, 0))),
                }
            }
        }
    }

    #[test]
    fn everything_arrives_once_and_in_order_over_a_bad_link() {
        for seed in 0..20 {
            let (out, taken, _) = run(seed, Ratio::percent(30), 0..0);
            assert_eq!(out, (0..200).collect::<Vec<_>>(), "seed {seed}");
            assert_eq!(taken, 200, "seed {seed}");
        }
    }

    #[test]
    fn a_cut_costs_at_most_as_long_again() {
        const CUT: Nanos = 20_000_000_000;
        let (out, _, over) = run(1, Ratio::NEVER, 500_000_000..CUT);
        assert_eq!(out.len(), 200);
        assert!(over > CUT && over < 2 * CUT + TIMEOUT_MAX / 100, "{over}");
    }

    #[test]
    fn an_item_that_others_overtake_is_sent_again_at_once() {
        let mut sender = Sender::new();
        for item in "abcde".chars() {
            sender.push(0, item);
        }
        let again: Vec<_> = (1..=6).map(|at| sender.take_ack(at, 0, 0).again).collect();
        assert_eq!(again, [None, None, Some((1, 'a')), None, None, Some((1, 'a'))]);
        // An acknowledgement of the first item begins the count anew.
        assert_eq!(sender.take_ack(7, 0, 0).again, None);
        assert_eq!(sender.take_ack(8, 1, 1), Acknowledged { taken: 1, again: None });
        let again: Vec<_> = (9..=11).map(|at| sender.take_ack(at, 1, 1).again).collect();
        assert_eq!(again, [None, None, Some((2, 'b'))]);
        // With nothing under way, there is nothing to send again.
        sender.take_ack(12, 5, 5);
        assert!((13..=20).all(|at| sender.take_ack(at, 5, 5).again.is_none()));
    }

    #[test]
    fn what_is_not_taken_is_asked_for_again_and_again() {
        let nothing = Acknowledged { taken: 0, again: None };
        let mut sender = Sender::new();
        assert_eq!(sender.push(0, 'a'), 1);
        assert_eq!(sender.take_ack(10, 1, 0), nothing);
        assert_eq!(sender.on_timeout(11), TimeoutAction::Nothing);
        let due = sender.due();
        assert_eq!(sender.on_timeout(due), TimeoutAction::Probe);
        assert!(sender.due() - due > due, "probes back off");
        assert_eq!(sender.take_ack(due + 5, 1, 1), Acknowledged { taken: 1, again: None });
        assert_eq!(sender.due(), Nanos::MAX);
        // An old acknowledgement changes nothing.
        assert_eq!(sender.take_ack(due + 6, 1, 0), nothing);
        // Nor does one that comes after the other end is gone.
        sender.push(due + 7, 'b');
        sender.stop();
        assert_eq!(sender.take_ack(due + 8, 2, 2), nothing);
        assert_eq!(sender.due(), Nanos::MAX);
    }
}
