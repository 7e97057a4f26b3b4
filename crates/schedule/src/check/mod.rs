//! Checks of a whole file: fields that do not fit together, such as a fault on member 5 of a cluster of three.
//!
//! Some checks are for scenarios only. People shorten plans and remove members from them to find out what a
//! failure needs. So a plan may have faults that cannot strike any more; they simply do not strike.

mod faults;

use trace::MemberId;

use crate::choice::{Choice, Value};
use crate::field::{Field, Form, HOUR, Section};
use crate::part::{Checked, Part};
use crate::plan::MOST_MACHINES;
use crate::read::Reader;
use crate::scenario::{FaultEntry, Sections};
use crate::sections::MOST_TIMES;
use crate::{Cluster, Phases};

/// Checks a file that was read without mistakes in its single fields.
pub(crate) fn check<P: Part>(reader: &mut Reader, sections: &Sections, text: &str) {
    let off = |swarm: &Section| swarm.choice("config").is_some_and(|config| config.bounds() == (0, 0));
    let swarm = sections.swarm.as_ref().filter(|swarm| !off(swarm)).and_then(|_| P::swarm());
    let swarm = swarm.map(|swarm| &swarm.scenario.sections);
    let own = swarm.map_or_else(|| sections.own.clone(), |swarm| sections.own.or(&swarm.own));
    let by_clients = sections.clients.iter().filter_map(machines_added::<P>).max();
    let checks = Checks::new(sections, swarm, P::how_many_clients(&own), by_clients);
    checks.numbers(reader);
    checks.run(reader);
    let (clients, load) = (checks.clients, checks.load());
    let run_is_valid = sections.run.unread.is_empty();
    let given = Checked { text, written: &sections.own, own: &own, clients, load, run_is_valid };
    P::check(&given, &mut reader.mistakes);
    checks.clients(reader);
    checks.faults(reader);
}

/// The highest machine that the operations of an explicit client name as a new member.
fn machines_added<P: Part>(client: &Section) -> Option<MemberId> {
    let mut alone = P::Client::default();
    let is_operations = |field: &&Field<P::Client>| matches!(field.key.form, Form::Operations { .. });
    for field in P::client().iter().filter(is_operations) {
        if let Some(Choice::Fixed(lines)) = client.choice(field.key.name) {
            field.set(&mut alone, lines.clone());
        }
    }
    P::machines(std::slice::from_ref(&alone)).max()
}

/// The data for the checks. It includes what the swarm (the seed's own choice of faults and settings) may add to the
/// scenario. Pairs of numbers are the smallest and the largest value that a seed can draw.
struct Checks<'a> {
    sections: &'a Sections,
    members: (i128, i128),
    /// The most members there can be at any time: initial ones and those that join.
    machines: i128,
    /// The highest member id that the file may name: a member that exists from the start, or one that may join.
    nameable: i128,
    clients: (i128, i128),
    /// The length of the chaos phase.
    chaos: (i128, i128),
    /// The length of the calm phase.
    calm: (i128, i128),
}

impl<'a> Checks<'a> {
    /// `drawn` are the least and the most clients of the part's own sections, `by_clients` the highest member that
    /// other clients add.
    fn new(
        sections: &'a Sections,
        swarm: Option<&Sections>,
        drawn: (i128, i128),
        by_clients: Option<MemberId>,
    ) -> Checks<'a> {
        let cluster = match swarm {
            Some(swarm) => &sections.cluster.clone().or(&swarm.cluster),
            None => &sections.cluster,
        };
        let explicit = sections.clients.len() as i128;
        let members = cluster.bounds("members", Cluster::<()>::default().members.into(), 9);
        let most = i128::from(MOST_MACHINES);
        let by_faults: i128 = sections.faults.iter().map(most_added).sum();
        let by_clients = by_clients.map_or(0, |member| member.raft_id().into());
        let may_join = by_faults > 0 || by_clients > 0 || sections.swarm.is_some();
        Checks {
            sections,
            members,
            machines: if may_join { most } else { members.1 },
            nameable: (members.0 + by_faults).max(by_clients),
            clients: (explicit + drawn.0, explicit + drawn.1),
            chaos: sections.run.bounds("chaos", Phases::default().chaos, 24 * HOUR),
            calm: sections.run.bounds("calm", Phases::default().calm, 24 * HOUR),
        }
    }

    /// For how long clients begin operations.
    fn load(&self) -> (i128, i128) {
        (self.chaos.0 + self.calm.0, self.chaos.1 + self.calm.1)
    }

    /// Reports members and clients that do not exist.
    fn numbers(&self, reader: &mut Reader) {
        for named in std::mem::take(&mut reader.named) {
            for number in named.numbers.iter().map(|number| i128::from(*number)) {
                if named.clients && number >= self.clients.0 {
                    let help = match self.clients.0 {
                        0 => "there may be no client at all; clients come from `[workload]` and `[[client]]`"
                            .to_string(),
                        most => format!("there are {most} clients, numbered from 0 to {}", most - 1),
                    };
                    reader.report(
                        named.span.clone(),
                        format!("there is no client {number}"),
                        "does not exist",
                        help,
                    );
                } else if !named.clients && !(1..=self.nameable).contains(&number) {
                    let help = match self.members {
                        (least, most) if least == most => format!("the cluster has {}", many(most, "member")),
                        (least, _) => format!("the cluster may have only {}", many(least, "member")),
                    };
                    let help = format!("{help}, numbered from 1; `members` in `[cluster]` sets how many");
                    reader.report(
                        named.span.clone(),
                        format!("there is no member {number}"),
                        "does not exist",
                        help,
                    );
                }
            }
        }
    }

    /// Checks the section `[run]`.
    fn run(&self, reader: &mut Reader) {
        let Some(core) =
            self.sections.run.find("core").filter(|_| !self.sections.cluster.is_unread("members"))
        else {
            return;
        };
        let (least, most) = core.choice.bounds();
        let quorum = self.members.1 / 2 + 1;
        if most > self.members.0 {
            let help = format!("leave `core` out to heal all {}", many(self.members.0, "member"));
            reader.report(
                core.span.clone(),
                format!("a core of {most} is more than the cluster has"),
                "too many",
                help,
            );
        } else if least < quorum {
            let help = format!(
                "a quorum of {} is {quorum}; a smaller core can never have a leader",
                many(self.members.1, "member")
            );
            reader.report(core.span.clone(), format!("a core of {least} is not a quorum"), "too few", help);
        }
    }

    /// Reports clients that know no member.
    fn clients(&self, reader: &mut Reader) {
        for endpoints in self.sections.clients.iter().filter_map(|client| client.find("endpoints")) {
            if matches!(&endpoints.choice, Choice::Fixed(Value::Members(members)) if members.is_empty()) {
                let help = "list at least one member, or leave `endpoints` out for all of them";
                reader.report(endpoints.span.clone(), "a client without endpoints", "no member to ask", help);
            }
        }
    }

    /// Reports faults that make no sense.
    fn faults(&self, reader: &mut Reader) {
        for fault in &self.sections.faults {
            self.timing(reader, fault);
            self.target(reader, fault);
            if reader.plan {
                faults::decided(reader, fault);
            } else if let Some(id) = fault.frame.find("id") {
                reader.report(
                    id.span.clone(),
                    "`id` belongs to a plan",
                    "not in a scenario",
                    "remove it; `name` gives a fault draws of its own",
                );
            }
        }
        if !reader.plan {
            self.overlaps(reader);
        }
    }
}

/// The most members that a fault of a scenario adds.
fn most_added(fault: &FaultEntry) -> i128 {
    if !fault.kind.effect.adds_member {
        return 0;
    }
    let repeats = fault.frame.has("every") || fault.frame.has("about-every");
    let once = if repeats { MOST_TIMES } else { 1 };
    fault.frame.choice("times").map_or(once, |times| times.bounds().1)
}

/// A number with its noun: `1 member`, `3 members`.
fn many(count: i128, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
