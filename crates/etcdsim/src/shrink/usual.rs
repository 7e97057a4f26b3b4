//! The fields of a plan that differ from their defaults, and how to put them back. This file goes through the same
//! tables of fields as the reader and the writer of plans, so a new field needs nothing here.

use plan::{Client, Disk, Fault, Link, Network, Phases, Plan, Settings, Spread};
use schedule::choice::Value;
use schedule::field::{Field, Form, Key};
use schedule::kinds::{Kinds, Row, Usual};
use schedule::{FaultKind, Part, sections};

use super::size::digits;

/// A place in a plan whose fields have usual values: those that they have where a file leaves them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Settings,
    Network,
    Peers,
    Clients,
    Disk,
    Run,
    Expect,
    Client(usize),
    Fault(usize),
}

/// A field of a plan: the place, and the field's index in the table of that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At(Place, usize);

/// A field that differs from its default.
#[derive(Clone, Debug)]
pub(super) struct Deviation {
    /// Which field.
    pub at: At,
    /// The form of its values.
    pub form: Form,
    /// Its value.
    pub value: Value,
    /// The value that it has where a file leaves it out; `None` if it has none then.
    pub usual: Option<Value>,
}

/// What is done with a field: it gets its key, its value and its usual value, and may return another value.
type Visit<'a> = &'a mut dyn FnMut(At, &Key, Option<Value>, Option<Value>) -> Option<Value>;

/// The fields that shrinking leaves alone or that have passes of their own. Changing what must hold beyond the oracles
/// would make it another failure, and so would changing the limit of the settle phase.
const LEFT_ALONE: &[&str] =
    &["operations", "endpoints", "part-of", "chaos", "settle", "refusals", "progress"];

/// All fields of a plan that differ from their defaults.
pub(super) fn deviations(plan: &Plan) -> Vec<Deviation> {
    let mut found = Vec::new();
    walk(&mut plan.clone(), &mut |at, key, value, usual| {
        if let Some(value) = value.filter(|value| Some(value) != usual.as_ref())
            && !LEFT_ALONE.contains(&key.name)
        {
            found.push(Deviation { at, form: key.form, value, usual });
        }
        None
    });
    found
}

/// The plan with other values in these fields.
pub(super) fn with(plan: &Plan, values: &[(At, Value)]) -> Plan {
    let mut plan = plan.clone();
    walk(&mut plan, &mut |at, _, _, _| {
        values.iter().find(|(here, _)| *here == at).map(|(_, value)| value.clone())
    });
    plan
}

impl Deviation {
    /// The digits of its numbers.
    pub(super) fn digits(&self) -> usize {
        let of_amount = |number: i128| digits(u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX));
        match &self.value {
            Value::Number(number) => of_amount(*number),
            Value::Spread(Spread::Constant(value)) => digits(*value),
            Value::Spread(
                Spread::Uniform { low: one, high: other } | Spread::Exponential { floor: one, mean: other },
            ) => digits(*one) + digits(*other),
            Value::Spread(Spread::HeavyTail { usual, worst, ratio }) => {
                digits(*usual) + digits(*worst) + digits(ratio.parts().into())
            }
            _ => 1,
        }
    }
}

/// Goes through a table of fields of `it`; `usual` has the values of a file that leaves them out.
fn table<T: Clone>(place: Place, fields: &[Field<T>], it: &mut T, usual: &T, visit: Visit<'_>) {
    for (field, row) in fields.iter().enumerate() {
        let (is, would) = (row.get(it), row.get(usual));
        if let Some(value) = visit(At(place, field), &row.key, is, would) {
            row.set(it, value);
        }
    }
}

/// Goes through all fields of a plan that have usual values.
fn walk(plan: &mut Plan, visit: Visit<'_>) {
    let settings = <plan::Etcd as Part>::settings();
    table(Place::Settings, settings, &mut plan.cluster.settings, &Settings::default(), visit);
    let network = Network::default();
    table(Place::Network, sections::NETWORK, &mut plan.network, &network, visit);
    table(Place::Peers, sections::LINK, &mut plan.network.peers, &network.peers, visit);
    table(Place::Clients, sections::LINK, &mut plan.network.clients, &network.clients, visit);
    table(Place::Disk, sections::DISK, &mut plan.disk, &Disk::default(), visit);
    table(Place::Run, sections::RUN, &mut plan.phases, &Phases::default(), visit);
    table(Place::Expect, sections::EXPECT, &mut plan.expect, &plan::Expect::default(), visit);
    for (nth, client) in plan.clients.iter_mut().enumerate() {
        table(Place::Client(nth), <plan::Etcd as Part>::client(), client, &Client::default(), visit);
    }
    let links = [plan.network.peers, plan.network.clients];
    for (nth, fault) in plan.faults.iter_mut().enumerate() {
        of_fault(nth, fault, links, visit);
    }
}

/// Goes through the fields that only the kind of a fault has.
fn of_fault(nth: usize, fault: &mut Fault, links: [Link; 2], visit: Visit<'_>) {
    let at_client = matches!(fault.target, plan::Target::Clients(_));
    let usual = Usual { link: links[usize::from(at_client)], point: <plan::Etcd as Part>::NAMES.usual_point };
    fn own<F: Kinds>(nth: usize, fault: &mut F, usual: Usual, visit: Visit<'_>) {
        let row: &'static Row<F> = fault.row();
        let plain = (row.new)(usual);
        table(Place::Fault(nth), row.fields, fault, &plain, visit);
    }
    match &mut fault.kind {
        FaultKind::Network(fault) => own(nth, fault, usual, visit),
        FaultKind::Disk(fault) => own(nth, fault, usual, visit),
        FaultKind::Clock(fault) => own(nth, fault, usual, visit),
        FaultKind::Process(fault) => own(nth, fault, usual, visit),
        FaultKind::Task(task) => own(nth, task, usual, visit),
    }
}
