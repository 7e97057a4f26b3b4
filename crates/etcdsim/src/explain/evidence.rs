//! The evidence: everything that happened in a run, in order, kept so that the rules and the chain can look at it from
//! both ends.

use std::collections::BTreeMap;

use plan::Plan;
use record::inner::{AppliedEntry, Command};
use record::{Etcd, EtcdFact, Event, Fact, History, Inner, MemberId, Nanos, Observer, Record, Role};
use verify::{Verdict, describe};

use crate::execute::{HarnessFailure, run_plan_observed};

/// One thing that happened: a fact of the trace, or an inner event.
#[derive(Clone, Debug)]
pub(super) enum What {
    Fact(Fact),
    Inner(Inner),
}

/// The same with its time and its member.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub time: Nanos,
    pub member: MemberId,
    pub what: What,
}

/// Keeps what happens.
#[derive(Debug, Default)]
struct Keeper {
    all: Vec<Happened>,
}

impl Observer<Etcd> for Keeper {
    fn event(&mut self, event: &Event) {
        let what = What::Fact(event.fact.clone());
        self.all.push(Happened { time: event.time, member: event.member, what });
    }

    fn wants_inner(&self) -> bool {
        true
    }

    fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner) {
        self.all.push(Happened { time, member, what: What::Inner(inner.clone()) });
    }
}

/// All that is known of a run.
#[derive(Debug)]
pub(super) struct Evidence {
    /// What happened, in order.
    pub all: Vec<Happened>,
    pub record: Record,
    pub verdict: Verdict,
    /// The client operation behind each request id.
    operations: BTreeMap<u64, usize>,
    /// Where in `all` each entry was first applied.
    entries: BTreeMap<u64, usize>,
    /// Who led which term, and from when on.
    leaders: BTreeMap<u64, (Nanos, MemberId)>,
}

impl Evidence {
    /// Runs a plan, and keeps everything.
    pub fn gather(plan: &Plan) -> Result<Evidence, HarnessFailure> {
        let mut keeper = Keeper::default();
        let outcome = run_plan_observed(plan, &mut keeper, world::Options::default())?;
        Ok(Evidence::of(keeper.all, outcome.record, outcome.verdict))
    }

    /// The evidence of what happened.
    pub fn of(all: Vec<Happened>, record: Record, verdict: Verdict) -> Evidence {
        let (mut operations, mut entries, mut leaders) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (place, happened) in all.iter().enumerate() {
            match &happened.what {
                What::Fact(Fact::Own(EtcdFact::Proposed { operation, request })) => {
                    operations.insert(*request, *operation as usize);
                }
                What::Fact(Fact::Own(EtcdFact::State { term, role: Role::Leader, .. })) => {
                    leaders.entry(*term).or_insert((happened.time, happened.member));
                }
                What::Inner(Inner::Applied(entry)) => _ = entries.entry(entry.index).or_insert(place),
                _ => {}
            }
        }
        Evidence { all, record, verdict, operations, entries, leaders }
    }

    /// What clients did and saw.
    pub fn history(&self) -> &History {
        &self.record.history
    }

    /// The client operation behind a request id.
    pub fn operation_of(&self, request: u64) -> Option<usize> {
        self.operations.get(&request).copied()
    }

    /// The entry at this index, as the first member to apply it reported it.
    pub fn entry(&self, index: u64) -> Option<&AppliedEntry> {
        match &self.all[*self.entries.get(&index)?].what {
            What::Inner(Inner::Applied(entry)) => Some(entry),
            _ => None,
        }
    }

    /// All entries, in order, each as the first member to apply it reported it.
    pub fn entries(&self) -> impl Iterator<Item = &AppliedEntry> {
        self.entries.keys().filter_map(|index| self.entry(*index))
    }

    /// Who led which term, from when on: in the order of terms.
    pub fn leaders(&self) -> impl Iterator<Item = (u64, Nanos, MemberId)> {
        self.leaders.iter().map(|(term, (since, member))| (*term, *since, *member))
    }

    /// The newest leader at a time: its term, since when, and who.
    pub fn leader_at(&self, time: Nanos) -> Option<(u64, Nanos, MemberId)> {
        self.leaders().filter(|(_, since, _)| *since <= time).last()
    }

    /// An entry in words, to be a part of a sentence: "entry 14 (client 2's `put k="v"`, proposed by member 1)".
    pub fn name(&self, entry: &AppliedEntry) -> String {
        let proposer = describe::proposer(entry.request);
        let what = match self.operation_of(entry.request).and_then(|at| self.history().operations.get(at)) {
            Some(operation) => {
                format!("client {}'s `{}`", operation.client, self::command(&entry.command))
            }
            None => format!("`{}`", self::command(&entry.command)),
        };
        match proposer {
            Some(proposer) => format!("entry {} ({what}, proposed by member {proposer})", entry.index),
            None => format!("entry {} ({what})", entry.index),
        }
    }

    /// The entry at an index in words.
    pub fn name_of(&self, index: u64) -> String {
        self.entry(index).map_or_else(|| format!("entry {index}"), |entry| self.name(entry))
    }

    /// What happened before this place, the last first.
    pub fn before(&self, place: usize) -> impl Iterator<Item = &Happened> {
        self.all[..place].iter().rev()
    }
}

/// What an entry asks for, in words.
pub(super) fn command(command: &Command) -> String {
    match command {
        Command::Request(request) => describe::request(request),
        Command::Checkpoint(left) => {
            let left: Vec<String> =
                left.iter().map(|(id, seconds)| format!("lease {id}: {seconds} s")).collect();
            format!("checkpoint of the time left of leases ({})", left.join(", "))
        }
        Command::Membership(deeds) => {
            let deeds: Vec<String> =
                deeds.iter().map(|(id, deed)| describe::membership_deed(*id, *deed)).collect();
            deeds.join(", ")
        }
        Command::Other(name) => (*name).to_string(),
    }
}
