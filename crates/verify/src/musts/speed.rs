//! How long messages and writes really took, for bounds that depend on it.
//!
//! Times are kept by slices of the run: the longest of each kind that was under way in that slice. A message that is
//! dropped counts for the time until it was dropped. A save of a member that ends counts for as long as the member was
//! well.

use std::collections::VecDeque;

use record::{MemberId, Members, Nanos};

use super::cluster::Cluster;

/// The length of a slice.
const SLICE: Nanos = 200_000_000;

/// The longest times within a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Worst {
    /// From member to member: l.
    pub peers: Nanos,
    /// Between clients and members.
    pub clients: Nanos,
    /// From the order of a save until it is durable: d.
    pub saves: Nanos,
}

impl Worst {
    fn max(self, other: Worst) -> Worst {
        Worst {
            peers: self.peers.max(other.peers),
            clients: self.clients.max(other.clients),
            saves: self.saves.max(other.saves),
        }
    }
}

/// A message under way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    sent: Nanos,
    /// The two ends; `u16::MAX` for a client. Both are 0 when it has arrived.
    ends: (u16, u16),
}

const CLIENT: u16 = u16::MAX;
const LANDED: (u16, u16) = (0, 0);

/// The messages and the saves of a run.
#[derive(Clone, Debug)]
pub(super) struct Speed {
    /// The messages from number `first` on.
    flights: VecDeque<Flight>,
    first: u64,
    /// The saves under way of each member: job and time.
    saves: Members<VecDeque<(u64, Nanos)>>,
    slices: Vec<Worst>,
}

/// An end of a message as a small number.
fn end(member: MemberId) -> u16 {
    if member.is_none() { CLIENT } else { member.raft_id() as u16 }
}

impl Speed {
    pub fn new(members: u32) -> Speed {
        let saves = Members::new(members, |_| VecDeque::new());
        Speed { flights: VecDeque::new(), first: 1, saves, slices: Vec::new() }
    }

    /// A message leaves.
    #[inline]
    pub fn sent(&mut self, packet: u64, time: Nanos, from: MemberId, to: MemberId) {
        if self.flights.is_empty() {
            self.first = packet;
        }
        if packet == self.first + self.flights.len() as u64 {
            self.flights.push_back(Flight { sent: time, ends: (end(from), end(to)) });
        }
    }

    /// A message has arrived, or is lost. The second arrival of a doubled one changes nothing.
    #[inline]
    pub fn landed(&mut self, packet: u64, time: Nanos) {
        let Some(at) = packet.checked_sub(self.first) else { return };
        let Some(flight) = self.flights.get_mut(at as usize) else { return };
        if flight.ends == LANDED {
            return;
        }
        let landed = *flight;
        flight.ends = LANDED;
        if at == 0 {
            while self.flights.front().is_some_and(|flight| flight.ends == LANDED) {
                self.flights.pop_front();
                self.first += 1;
            }
        }
        self.note_flight(landed, time);
    }

    /// A message was under way until now.
    #[inline]
    fn note_flight(&mut self, flight: Flight, now: Nanos) {
        let took = now - flight.sent;
        let worst = match flight.ends {
            (CLIENT, _) | (_, CLIENT) => Worst { clients: took, ..Worst::default() },
            _ => Worst { peers: took, ..Worst::default() },
        };
        self.note(flight.sent, now, worst);
    }

    /// A member orders a save.
    pub fn saving(&mut self, member: MemberId, job: u64, time: Nanos) {
        if let Some(saves) = self.saves.get_mut(member) {
            saves.push_back((job, time));
        }
    }

    /// A job of a member's disk is done; saves are done in their order.
    pub fn saved(&mut self, member: MemberId, job: u64, time: Nanos) {
        let Some(saves) = self.saves.get_mut(member) else { return };
        let mut first = None;
        while let Some((earlier, since)) = saves.front().copied() {
            if earlier > job {
                break;
            }
            saves.pop_front();
            first = first.or(Some(since));
        }
        if let Some(since) = first {
            self.note(since, time, Worst { saves: time - since, ..Worst::default() });
        }
    }

    /// A process has ended, and its saves with it. `cluster` does not know that yet.
    pub fn ended(&mut self, now: Nanos, member: MemberId, cluster: &Cluster) {
        let Some(saves) = self.saves.get_mut(member) else { return };
        let oldest = saves.front().copied();
        saves.clear();
        let well =
            oldest.and_then(|(_, since)| cluster.well_until(member, since).map(|until| (since, until)));
        if let Some((since, until)) = well {
            let until = until.min(now);
            self.note(since, until, Worst { saves: until - since, ..Worst::default() });
        }
    }

    /// Notes how long something took.
    #[inline]
    fn note(&mut self, from: Nanos, to: Nanos, worst: Worst) {
        let (from, to) = ((from / SLICE) as usize, (to / SLICE) as usize);
        if self.slices.len() <= to {
            self.slices.resize(to + 1, Worst::default());
        }
        for slice in &mut self.slices[from..=to] {
            *slice = slice.max(worst);
        }
    }

    /// The longest times of what was under way at some time from `from` to `to` and is over.
    pub fn worst(&self, from: Nanos, to: Nanos) -> Worst {
        let (from, to) = ((from / SLICE) as usize, (to / SLICE) as usize);
        let slices = self.slices.iter().skip(from).take(to.saturating_sub(from) + 1);
        slices.fold(Worst::default(), |worst, slice| worst.max(*slice))
    }

    /// As [`Speed::worst`], until now, with what is still under way between members that are well.
    pub fn worst_now(&self, from: Nanos, now: Nanos, cluster: &Cluster) -> Worst {
        let mut worst = self.worst(from, now);
        let is_well = |end: u16| end == CLIENT || cluster.is_well(MemberId::new(u32::from(end)));
        // Messages left in the order of their numbers, so the first one of a kind is the oldest.
        for flight in &self.flights {
            let (from, to) = flight.ends;
            if flight.ends == LANDED || !is_well(from) || !is_well(to) {
                continue;
            }
            let took = now - flight.sent;
            if took <= worst.peers.min(worst.clients) {
                break;
            }
            let kind = if from == CLIENT || to == CLIENT { &mut worst.clients } else { &mut worst.peers };
            *kind = took.max(*kind);
        }
        for (member, saves) in self.saves.iter() {
            if let Some((_, since)) = saves.front().filter(|_| cluster.is_well(member)) {
                worst.saves = worst.saves.max(now - since);
            }
        }
        worst
    }

    /// The run is over: what is still under way between members that are well counts until now.
    pub fn end(&mut self, now: Nanos, cluster: &Cluster) {
        let is_well = |end: u16| end == CLIENT || cluster.is_well(MemberId::new(u32::from(end)));
        for flight in std::mem::take(&mut self.flights) {
            let (from, to) = flight.ends;
            if flight.ends != LANDED && is_well(from) && is_well(to) {
                self.note_flight(flight, now);
            }
        }
        let members: Vec<MemberId> = self.saves.ids().filter(|member| cluster.is_well(*member)).collect();
        members.into_iter().for_each(|member| self.saved(member, u64::MAX, now));
    }
}
