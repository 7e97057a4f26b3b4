//! Begins and ends the faults of the network: other latency, loss or bandwidth of links; partitions; clogs, which
//! hold all packets of a link until they end; and rules on single messages.

use schedule::NetworkFault;
use trace::{MemberId, Nanos};

use super::undo::{Scope, Undo};
use crate::clock::MILLISECOND;
use crate::happening::Happening;
use crate::network::{Packet, Pair, Party, between, bridge, majorities_ring};
use crate::strike::{Reach, Strike};
use crate::system::System;

/// A partition that comes and goes.
#[derive(Debug)]
pub(super) struct FlappingPartition {
    /// The pairs that are cut now; empty while they are joined.
    pub cut: Vec<Pair>,
    /// Whether they are cut now.
    is_down: bool,
    /// How long they are cut each time.
    down: Nanos,
    /// How long they are joined each time.
    up: Nanos,
}

impl<S: System> Reach<'_, S> {
    /// Begins a fault of the network.
    pub(super) fn begin_network(&mut self, kind: &NetworkFault, strike: &Strike<'_>) -> Undo {
        let Strike { fault, members, targets, draw } = *strike;
        let members = &parties(members)[..];
        let everyone = &self.everyone()[..];
        match kind {
            NetworkFault::Link { to, both, link } => {
                let to = self.resolve_parties(to, draw.then(7));
                self.network.overlay(fault, &between(targets, &to, *both), *link);
                Undo::Links
            }
            NetworkFault::Cut { to, both } => {
                let to = self.resolve_parties(to, draw.then(7));
                self.cut(between(targets, &to, *both))
            }
            NetworkFault::Isolate => self.cut(between(members, everyone, true)),
            NetworkFault::OneWay { inbound: true } => self.cut(between(everyone, members, false)),
            NetworkFault::OneWay { inbound: false } => self.cut(between(members, everyone, false)),
            NetworkFault::Split => {
                let rest: Vec<Party> =
                    everyone.iter().copied().filter(|member| !members.contains(member)).collect();
                self.cut(between(members, &rest, true))
            }
            NetworkFault::MajoritiesRing => self.cut(majorities_ring(everyone, draw.then(8))),
            NetworkFault::Bridge => self.cut(bridge(everyone, members[0], draw.then(8))),
            NetworkFault::Flapping { down, up } => {
                self.at(self.now, Happening::Flap { fault: fault as usize });
                Undo::Flapping(FlappingPartition { cut: Vec::new(), is_down: false, down: *down, up: *up })
            }
            NetworkFault::CutClients => {
                let clients: Vec<Party> = self.network.clients().collect();
                self.cut(between(&clients, members, true))
            }
            NetworkFault::Clog { to } => {
                let to = self.resolve_parties(to, draw.then(7));
                self.network.clog(fault, between(targets, &to, false));
                Undo::Packets
            }
            NetworkFault::Rule(rule) => {
                let to = self.resolve_parties(&rule.to, draw.then(7));
                self.network.add_rule(fault, rule.clone(), targets.to_vec(), to);
                Undo::Packets
            }
        }
    }

    /// All hosts, also those whose members do not belong to the cluster now.
    fn everyone(&self) -> Vec<Party> {
        self.processes.ids().map(Party::Member).collect()
    }

    /// Cuts these pairs.
    fn cut(&mut self, pairs: Vec<Pair>) -> Undo {
        self.network.cut(&pairs, self.now);
        Undo::Cut(pairs)
    }

    /// Cuts or joins a flapping partition around these members.
    pub(super) fn flap(&mut self, fault: usize, flapping: &mut FlappingPartition, members: &[MemberId]) {
        if flapping.is_down {
            self.network.heal(&std::mem::take(&mut flapping.cut), self.now);
        } else {
            flapping.cut = between(&parties(members), &self.everyone(), true);
            self.network.cut(&flapping.cut, self.now);
        }
        flapping.is_down = !flapping.is_down;
        let next = if flapping.is_down { flapping.down } else { flapping.up };
        self.at(self.now + next.max(MILLISECOND), Happening::Flap { fault });
    }

    /// Joins the cut pairs whose two parties are both in the scope; the others stay cut.
    pub(super) fn join(&mut self, pairs: &mut Vec<Pair>, scope: &Scope<'_>) {
        let within =
            |(from, to): &Pair| scope.among.is_none_or(|healed| healed.contains(from) && healed.contains(to));
        let joined: Vec<Pair> = pairs.extract_if(.., |pair| within(pair)).collect();
        self.network.heal(&joined, self.now);
    }

    /// Ends a fault's change of links.
    pub(super) fn restore_links(&mut self, fault: u32, scope: &Scope<'_>) {
        match scope.among {
            None => self.network.remove_overlay(fault),
            Some(healed) => self.network.remove_overlay_among(fault, healed),
        }
    }

    /// Ends a clog or a rule, and sends the packets that it held.
    pub(super) fn release_packets(&mut self, fault: u32, scope: &Scope<'_>) {
        let now = self.now;
        let released: Vec<(Nanos, Box<Packet<S>>)> = match scope.among {
            None => self.network.release(fault, now),
            Some(healed) => self.network.release_among(fault, healed, now),
        };
        for (arrival, packet) in released {
            self.at(arrival, Happening::Arrive(packet));
        }
    }
}

/// Members as parties.
fn parties(members: &[MemberId]) -> Vec<Party> {
    members.iter().copied().map(Party::Member).collect()
}
