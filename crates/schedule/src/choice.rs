//! The values of a scenario's fields. A [`Value`] is decided. A [`Choice`] may be a range or a list from which the seed chooses;
//! [`Choice::draw`] decides it with a draw.

use keyed::{Domain, Draw, Keyed};
use trace::MemberId;
use trace::hash::digest;

use crate::{Condition, FlawAt, Spread, Target};

/// A decided value of any field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number in the field's smallest unit; a switch, as 0 or 1; one of several words, as its index in their
    /// list.
    Number(i128),
    /// A text.
    Text(String),
    /// A distribution.
    Spread(Spread),
    /// A target.
    Who(Who),
    /// Members.
    Members(Vec<MemberId>),
    /// A condition.
    Condition(Condition),
    /// Operations, one line of text each.
    Lines(Vec<String>),
    /// Flaws.
    Flaws(Vec<FlawAt>),
}

/// A target as a scenario names it. All variants except the first become lists of members or clients when a
/// plan is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A target that plans can have too.
    Target(Target),
    /// Every client.
    AllClients,
    /// One member, drawn once for the whole run.
    FixedMember,
    /// A minority of the members, drawn once for the whole run. The fixed member is one of them.
    FixedMinority,
}

/// A value, or how a draw decides it.
#[derive(Clone, Debug)]
pub enum Choice {
    /// This value.
    Fixed(Value),
    /// Uniform in `low..=high`, or in its logarithm.
    Range {
        /// The minimum.
        low: i128,
        /// The maximum.
        high: i128,
        /// Whether each doubling is equally likely.
        log: bool,
    },
    /// One of these, with equal probability.
    Any(Vec<Choice>),
    /// A value, such as a distribution, that a function makes from several numbers. Each number is itself a choice.
    Made(fn(&[i128]) -> Value, Vec<Choice>),
}

/// What values may depend on besides their draws.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// How many clients there are.
    pub clients: u32,
    /// The fixed minority of the members, in random order; empty if the cluster is too small for one.
    pub minority: Vec<MemberId>,
}

impl Choice {
    /// This number and no other.
    pub fn number(value: i128) -> Choice {
        Choice::Fixed(Value::Number(value))
    }

    /// The value that this draw gives.
    pub fn draw(&self, draw: Draw, context: &Context) -> Value {
        match self {
            Choice::Fixed(Value::Who(who)) => Value::Who(Who::Target(who.resolve(context))),
            Choice::Fixed(value) => value.clone(),
            Choice::Range { low, high, log } => {
                let drawn = match log {
                    true => draw.log_within(*low as u64, *high as u64).into(),
                    false => low + i128::from(draw.within(0, (high - low) as u64)),
                };
                Value::Number(readable(drawn).clamp(*low, *high))
            }
            Choice::Any(choices) => draw.pick(choices).draw(draw.then(0), context),
            Choice::Made(make, parts) => {
                let drawn = parts.iter().enumerate().map(|(at, part)| part.draw_number(draw.then(at as u64)));
                make(&drawn.collect::<Vec<_>>())
            }
        }
    }

    /// The number that this draw gives; 0 if it is not a number.
    pub fn draw_number(&self, draw: Draw) -> i128 {
        match self.draw(draw, &Context::default()) {
            Value::Number(number) => number,
            _ => 0,
        }
    }

    /// Whether nothing is left to the seed.
    pub fn is_decided(&self) -> bool {
        match self {
            Choice::Fixed(Value::Who(Who::FixedMember | Who::FixedMinority)) => false,
            Choice::Fixed(_) => true,
            Choice::Range { .. } | Choice::Any(_) => false,
            Choice::Made(_, parts) => parts.iter().all(Choice::is_decided),
        }
    }

    /// The smallest and the largest number it can give; 0 and 0 if it does not give numbers.
    pub fn bounds(&self) -> (i128, i128) {
        match self {
            Choice::Fixed(Value::Number(number)) => (*number, *number),
            Choice::Range { low, high, .. } => (*low, *high),
            Choice::Any(choices) => {
                let all = choices.iter().map(Choice::bounds);
                all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 0))
            }
            Choice::Fixed(_) | Choice::Made(..) => (0, 0),
        }
    }

    /// The fixed values that it may give. A range or a made value has none.
    pub fn values(&self) -> Vec<&Value> {
        match self {
            Choice::Fixed(value) => vec![value],
            Choice::Any(choices) => choices.iter().flat_map(Choice::values).collect(),
            Choice::Range { .. } | Choice::Made(..) => Vec::new(),
        }
    }
}

/// Cuts a drawn number to six significant digits (the others become 0), because people read plans.
fn readable(drawn: i128) -> i128 {
    let unit = 10_i128.pow(drawn.unsigned_abs().checked_ilog10().unwrap_or(0).saturating_sub(5));
    drawn / unit * unit
}

impl Who {
    /// The members or clients that this stands for in the given cluster and workload.
    fn resolve(&self, context: &Context) -> Target {
        match self {
            Who::Target(target) => target.clone(),
            Who::AllClients => Target::Clients((0..context.clients).collect()),
            Who::FixedMember => Target::Members(context.minority.iter().copied().take(1).collect()),
            Who::FixedMinority => {
                let mut members = context.minority.clone();
                members.sort_unstable();
                Target::Members(members)
            }
        }
    }
}

/// The source of draws for one part of a scenario. Every field has its own draw, keyed by its name, so a
/// decision does not depend on what else the scenario contains.
#[derive(Clone, Copy, Debug)]
pub struct Dice(Keyed);

impl Dice {
    /// All draws of a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(Keyed::new(seed, Domain::new("plan")))
    }

    /// The draws of a named part.
    pub fn part(self, name: &str) -> Dice {
        Dice(self.0.split(digest(name.as_bytes())))
    }

    /// The draws of part number `nth` of several.
    pub fn nth(self, nth: u64) -> Dice {
        Dice(self.0.split(nth))
    }

    /// The draw of a field.
    pub fn field(self, name: &str) -> Draw {
        self.0.draw(digest(name.as_bytes()), 0)
    }
}
