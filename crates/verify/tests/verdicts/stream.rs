//! What a run shows to its monitors, kept, so that they can be shown it once more with something changed.

use etcdsim::monitors_of;
use etcdsim::record::{Etcd, Event, Inner, MemberId, Nanos, Observer, Record, Served, Step};
use etcdsim_verify::{Monitor, Monitors, Sheet};

use super::*;

/// One thing that a monitor is shown.
#[derive(Clone, Debug)]
pub enum Shown {
    Event(Event),
    Step(Nanos, MemberId, Box<Step>),
    Inner(Nanos, MemberId, Box<Inner>),
    Served(Nanos, MemberId, Served),
}

impl Shown {
    /// Its kind: the names of a fact, a call into raft, a deed. With the kind of a message.
    pub fn kind(&self) -> String {
        match self {
            Shown::Event(event) => {
                let text = format!("{:?}", event.fact);
                let mut names = Vec::new();
                for name in text.split(|at: char| !at.is_alphanumeric()) {
                    match name.chars().next() {
                        Some(first) if first.is_uppercase() => names.push(name),
                        _ => break,
                    }
                }
                if let Some((_, rest)) = text.split_once("kind: ") {
                    let name = rest.split(|at: char| !at.is_alphanumeric()).next();
                    names.extend(name.filter(|name| name.starts_with(char::is_uppercase)));
                }
                names.join(" ")
            }
            Shown::Step(_, _, step) => match &step.call {
                etcdsim::record::step::Call::Receive(message) => {
                    format!("Receive {:?} {:?}", message.kind, step.after.role)
                }
                call => format!("{} {:?}", call.name(), step.after.role),
            },
            Shown::Inner(_, _, inner) => {
                let text = format!("{inner:?}");
                text.split(|at: char| !at.is_alphanumeric()).next().unwrap_or("").to_string()
            }
            Shown::Served(_, _, served) => format!("{served:?}").split('(').next().unwrap_or("").to_string(),
        }
    }

    /// When.
    pub fn time(&self) -> Nanos {
        match self {
            Shown::Event(event) => event.time,
            Shown::Step(time, ..) | Shown::Inner(time, ..) | Shown::Served(time, ..) => *time,
        }
    }

    /// The same at another time.
    pub fn at(mut self, at: Nanos) -> Shown {
        match &mut self {
            Shown::Event(event) => event.time = at,
            Shown::Step(time, ..) | Shown::Inner(time, ..) | Shown::Served(time, ..) => *time = at,
        }
        self
    }

    /// Shows it.
    pub fn show(&self, monitors: &mut impl Monitor, sheet: &mut Sheet) {
        match self {
            Shown::Event(event) => monitors.event(event, sheet),
            Shown::Step(time, member, step) => monitors.step(*time, *member, step, sheet),
            Shown::Inner(time, member, inner) => monitors.inner(*time, *member, inner, sheet),
            Shown::Served(time, member, served) => monitors.served(*time, *member, *served, sheet),
        }
    }
}

/// All that a run shows.
#[derive(Default)]
pub struct Stream(pub Vec<Shown>);

impl Observer<Etcd> for Stream {
    fn event(&mut self, event: &Event) {
        self.0.push(Shown::Event(event.clone()));
    }

    fn wants_steps(&self) -> bool {
        true
    }

    fn step(&mut self, time: Nanos, member: MemberId, step: &Step) {
        self.0.push(Shown::Step(time, member, Box::new(step.clone())));
    }

    fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner) {
        self.0.push(Shown::Inner(time, member, Box::new(inner.clone())));
    }

    fn served(&mut self, time: Nanos, member: MemberId, served: Served) {
        self.0.push(Shown::Served(time, member, served));
    }
}

impl Stream {
    /// What a run of this plan shows, and its record.
    pub fn of(plan: &Plan) -> (Stream, Outcome) {
        let mut stream = Stream::default();
        let outcome = etcdsim::run_plan_observed(plan, &mut stream, etcdsim::Options::default());
        (stream, outcome.expect("the simulator does not panic"))
    }

    /// For each kind, where it stands.
    pub fn kinds(&self) -> BTreeMap<String, Vec<usize>> {
        let mut kinds: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, shown) in self.0.iter().enumerate() {
            kinds.entry(shown.kind()).or_default().push(number);
        }
        kinds
    }
}

/// The monitors of a run, and what they have said so far.
#[derive(Clone)]
pub struct Watch {
    monitors: Monitors,
    sheet: Sheet,
}

impl Watch {
    /// The monitors of this plan.
    pub fn new(plan: &Plan) -> Watch {
        Watch { monitors: monitors_of(plan), sheet: Sheet::default() }
    }

    /// The same without S.
    pub fn without_specification(mut self) -> Watch {
        self.monitors.specification.switch_off();
        self
    }

    /// Shows them something.
    pub fn show<'a>(&mut self, shown: impl IntoIterator<Item = &'a Shown>) {
        shown.into_iter().for_each(|shown| shown.show(&mut self.monitors, &mut self.sheet));
    }

    /// What they say in all, if this is shown to them as well, and is the rest of the run.
    pub fn said<'a>(mut self, rest: impl IntoIterator<Item = &'a Shown>, record: &Record) -> String {
        self.show(rest);
        let Watch { mut monitors, mut sheet } = self;
        let counts =
            format!("{:?} {:?}", monitors.specification.counts_by_name(), monitors.invariants.probes());
        monitors.end(record, &mut sheet);
        let musts = monitors.musts.counts();
        format!("{} {:08x}", in_brief(&sheet.into_verdict()), digest(&format!("{counts} {musts:?}")))
    }
}
