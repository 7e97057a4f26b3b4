//! A log for ShiViz: one lane for each member, each client and the faults, with vector clocks.
//!
//! The file's first line is the regular expression with which ShiViz reads it. The second line, which would separate
//! several runs, is empty. An event is two lines: the lane with its clock as JSON, and what happened. A clock says how
//! many events of each lane this event can know of: an event advances the number of its own lane, and a received packet
//! brings the numbers that its sender had. So it is exact for what goes through the network, whatever the times say.
//!
//! Left out: disks, probes and failpoints, which concern one member alone, and what a packet carries besides its head.

use std::collections::BTreeMap;
use std::io;

use record::{Etcd, EtcdFact, Event, Fact, MemberId, Observer};
use serde_json::Map;
use verify::describe;

use super::{Out, Viewer};
use crate::execute::Outcome;

/// How many events each lane has, as far as a lane knows.
type Clock = BTreeMap<String, u64>;

/// The lane of whatever no member and no known client does.
const OTHERS: &str = "clients";
/// The lane of faults and phases.
const FAULTS: &str = "faults";

/// How ShiViz reads an event.
const PARSER: &str = r"(?<host>\S+) (?<clock>\{.*\})\n(?<time>\S+) (?<event>.*)";

/// The observer.
pub(super) struct ShiViz {
    out: Out,
    clocks: BTreeMap<String, Clock>,
    /// The clock with which each packet left. One that the network duplicates arrives twice.
    packets: BTreeMap<u64, Clock>,
    /// The client that has just called: its packet comes next.
    calling: Option<u32>,
    /// The client of each operation that has no answer yet.
    operations: BTreeMap<u64, u32>,
    /// A packet that has just reached a client: only the operation that returns next shows which client.
    arrived: Option<(u64, Event)>,
}

impl ShiViz {
    pub(super) fn new(mut out: Out) -> ShiViz {
        out.put(format_args!("{PARSER}\n\n"));
        ShiViz {
            out,
            clocks: BTreeMap::new(),
            packets: BTreeMap::new(),
            calling: None,
            operations: BTreeMap::new(),
            arrived: None,
        }
    }

    /// Writes an event of a lane, which may have received a packet. Returns the clock after it.
    fn write(&mut self, lane: &str, received: Option<u64>, event: &Event) -> Clock {
        let brought = received.and_then(|packet| self.packets.get(&packet));
        let clock = self.clocks.entry(lane.to_string()).or_default();
        for (other, count) in brought.into_iter().flatten() {
            let known = clock.entry(other.clone()).or_default();
            *known = (*known).max(*count);
        }
        *clock.entry(lane.to_string()).or_default() += 1;
        let clock = clock.clone();
        let json: Map<_, _> = clock.iter().map(|(lane, count)| (lane.clone(), (*count).into())).collect();
        let (json, time) = (serde_json::Value::Object(json), describe::moment(event.time));
        self.out.put(format_args!("{lane} {json}\n{time} {}\n", describe::fact(&event.fact)));
        clock
    }

    /// Writes a packet that reached a client, in the lane of this client.
    fn flush(&mut self, client: Option<u32>) {
        if let Some((packet, event)) = self.arrived.take() {
            let lane = client.map_or_else(|| OTHERS.to_string(), lane_of);
            self.write(&lane, Some(packet), &event);
        }
    }
}

/// The lane of a client.
fn lane_of(client: u32) -> String {
    format!("c{client}")
}

/// Whether the log shows a fact.
fn is_shown(fact: &Fact) -> bool {
    let hidden = matches!(
        fact,
        Fact::JobDone { .. }
            | Fact::Own(
                EtcdFact::Saving { .. }
                    | EtcdFact::BackendDurable { .. }
                    | EtcdFact::Failpoint { .. }
                    | EtcdFact::Probe { .. }
            )
    );
    !hidden
}

impl Observer<Etcd> for ShiViz {
    fn event(&mut self, event: &Event) {
        if !is_shown(&event.fact) {
            return;
        }
        let returning = match &event.fact {
            Fact::Returned { operation, .. } => self.operations.remove(operation),
            _ => None,
        };
        self.flush(returning);
        let member = event.member;
        let own = describe::actor(member);
        match &event.fact {
            Fact::Delivered { packet, .. } if member.is_none() => {
                self.arrived = Some((*packet, event.clone()));
            }
            Fact::Delivered { packet, .. } => _ = self.write(&own, Some(*packet), event),
            Fact::Sent { packet, .. } => {
                let client = self.calling.take().filter(|_| member.is_none());
                let lane = match (member.is_none(), client) {
                    (false, _) => own,
                    (true, Some(client)) => lane_of(client),
                    (true, None) => OTHERS.to_string(),
                };
                let clock = self.write(&lane, None, event);
                self.packets.insert(*packet, clock);
            }
            Fact::Called { operation, client, .. } => {
                self.operations.insert(*operation, *client);
                self.calling = Some(*client);
                self.write(&lane_of(*client), None, event);
            }
            Fact::Returned { .. } => {
                let lane = returning.map_or_else(|| OTHERS.to_string(), lane_of);
                self.write(&lane, None, event);
            }
            Fact::Own(EtcdFact::WatchOpened { client, .. }) => _ = self.write(&lane_of(*client), None, event),
            Fact::Fault { .. } | Fact::Phase(_) => _ = self.write(FAULTS, None, event),
            // A packet of a client is lost.
            _ if member == MemberId::NONE => _ = self.write(OTHERS, None, event),
            _ => _ = self.write(&own, None, event),
        }
    }
}

impl Viewer for ShiViz {
    fn end(&mut self, _: Option<&Outcome>) -> io::Result<()> {
        self.flush(None);
        self.out.end()
    }
}
