//! Faults of the network: bad links, partitions, and rules on single messages. The head of [`super`] says what
//! a row contains. (VOPR, in the sources, is TigerBeetle's simulator.)

use trace::{FaultEffect, Nanos};

use super::{Alone, LATE, Lasts, SPAN, Whom};
use crate::field::{Field, FieldType, Form, HOUR, Key, SECOND, SHARE, count, time};
use crate::sections::{BANDWIDTH, LATENCY, QUEUE, link_fields};
use crate::units::Unit;
use crate::{Link, Target};

/// A rule on messages between members. It looks at the messages that match, lets the first `skip` of them pass,
/// and acts on the next `count`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRule {
    /// Only messages of the kind with this number match; `None` for any. Each kind of node has kinds of its own.
    pub kind: Option<u16>,
    /// The receivers of messages that match. The senders are the target of the fault.
    pub to: Target,
    /// Only messages of this term match; `None` for any.
    pub term: Option<u64>,
    /// Only messages whose index is in this range match, both ends included; `None` for any.
    pub index: Option<(u64, u64)>,
    /// How many messages that match pass unchanged first.
    pub skip: u32,
    /// How many it then acts on; 0 for all.
    pub count: u32,
    /// What it does with these.
    pub action: RuleAction,
}

/// What a rule does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// Drops it.
    Drop,
    /// Delays it by this much.
    Delay(Nanos),
    /// Sends it twice, the second copy delayed by this much.
    Duplicate(Nanos),
    /// Holds it until the fault ends. Held messages are then released in order.
    Hold,
    /// Flips a bit of it that the transport's checksums miss and only a checksum of the node's own can detect. A
    /// message without such a checksum passes unchanged.
    Damage,
}

/// What a rule does with messages, by name.
const ACTIONS: &[&str] = &["drop", "delay", "duplicate", "hold", "damage"];
/// A raft index or term.
const INDEX: Form = count(0, u64::MAX as i128);

macro_rules! of_link {
    ($($name:literal $form:expr => $field:ident, $about:literal;)+) => {
        of! {
            "to" Form::Who => NetworkFault::Link { to, .. } => *to, "The other end. Left out: `all`.";
            "both" Form::Switch => NetworkFault::Link { both, .. } => *both, "Whether the links back do the same. Left out: true.";
            $($name $form => NetworkFault::Link { link, .. } => link.$field, $about;)+
        }
    };
}

/// A field of a rule: name, form, field of [`MessageRule`], meaning.
macro_rules! of_rule {
    ($name:literal $form:expr => $field:ident, $about:literal) => {
        Field {
            key: Key { name: $name, form: $form, about: $about },
            get: |it, _| FieldType::value(&rule(it).$field),
            set: |it, _, value| rule_mut(it).$field = FieldType::of(value),
        }
    };
}

/// The rule of a fault of the kind `rule`.
fn rule(fault: &NetworkFault) -> &MessageRule {
    match fault {
        NetworkFault::Rule(rule) => rule,
        other => unreachable!("{other:?} is no rule"),
    }
}

/// The same rule, to change it.
fn rule_mut(fault: &mut NetworkFault) -> &mut MessageRule {
    match fault {
        NetworkFault::Rule(rule) => rule,
        other => unreachable!("{other:?} is no rule"),
    }
}

/// The fields of a rule for messages.
static RULE: &[Field<NetworkFault>] = &[
    of_rule!("message" Form::Message => kind, "Only raft messages of this kind. Left out: any."),
    of_rule!("to" Form::Who => to, "The receivers; the target is the senders. Left out: `all`."),
    of_rule!("term" INDEX => term, "Only messages of this term. Left out: any."),
    Field {
        key: Key { name: "from-index", form: INDEX, about: "Only messages whose index is at least this." },
        get: |it, _| rule(it).index.map(|index| index.0).value(),
        set: |it, _, value| rule_mut(it).index.get_or_insert((0, u64::MAX)).0 = u64::of(value),
    },
    Field {
        key: Key { name: "to-index", form: INDEX, about: "Only messages whose index is at most this." },
        get: |it, _| rule(it).index.map(|index| index.1).value(),
        set: |it, _, value| rule_mut(it).index.get_or_insert((0, u64::MAX)).1 = u64::of(value),
    },
    of_rule!("skip" count(0, u32::MAX as i128) => skip, "How many matches pass unchanged first."),
    of_rule!("count" Form::Number { unit: Unit::Count, low: 0, high: u32::MAX as i128, zero: Some("all") } => count, "How many matches the rule acts on. Left out: all."),
    Field {
        key: Key {
            name: "do",
            form: Form::Word(ACTIONS),
            about: "What happens to a match: it is dropped, delayed, duplicated, held until the fault ends, or damaged: a bit flips that the transport's checksums miss, but only in data with a checksum of its own (the state in a snapshot); other messages pass unchanged. Left out: `drop`.",
        },
        get: |it, _| {
            let at = match rule(it).action {
                RuleAction::Drop => 0_u32,
                RuleAction::Delay(_) => 1,
                RuleAction::Duplicate(_) => 2,
                RuleAction::Hold => 3,
                RuleAction::Damage => 4,
            };
            at.value()
        },
        set: |it, _, value| {
            rule_mut(it).action = match u32::of(value) {
                0 => RuleAction::Drop,
                1 => RuleAction::Delay(LATE),
                2 => RuleAction::Duplicate(LATE),
                3 => RuleAction::Hold,
                _ => RuleAction::Damage,
            };
        },
    },
    Field {
        key: Key {
            name: "by",
            form: time(0, HOUR),
            about: "The delay, for `delay` and `duplicate`. Left out: 100ms.",
        },
        get: |it, _| match rule(it).action {
            RuleAction::Delay(by) | RuleAction::Duplicate(by) => by.value(),
            RuleAction::Drop | RuleAction::Hold | RuleAction::Damage => None,
        },
        set: |it, _, value| {
            if let RuleAction::Delay(by) | RuleAction::Duplicate(by) = &mut rule_mut(it).action {
                *by = u64::of(value);
            }
        },
    },
];

family! {
    /// Faults of the network: links, partitions, rules on messages.
    Network: NetworkFault {
        "Links from the target to `to` behave as the fields say; fields that are left out stay as in `[network]`."
        Link { to: Target, both: bool, link: Link } => {
            number: 1,
            name: "link",
            whom: Whom::Ends,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "TigerBeetle's VOPR: delay of up to 30 ms plus an exponential of up to 100 ms, loss 0 to 30 %, duplicates 0 to 50 %, queues of 2 to 20 packets. FoundationDB: 0.1 to 0.8 ms for 99.9 %, a tail to 100 ms.",
            fields: link_fields!(of_link),
            new: |usual| NetworkFault::Link { to: Target::All, both: true, link: usual.link },
        }

        "Nothing passes from the target to `to`; with `both`, nothing passes back either."
        Cut { to: Target, both: bool } => {
            number: 2,
            name: "cut",
            whom: Whom::Ends,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Jepsen's nemesis; VOPR: partitions strike with up to 3 % a tick and hold for at least 1 to 2 s.",
            fields: of! {
                "to" Form::Who => NetworkFault::Cut { to, .. } => *to, "The other end. Left out: `all`.";
                "both" Form::Switch => NetworkFault::Cut { both, .. } => *both, "Whether nothing passes back either. Left out: true.";
            },
            new: |_| NetworkFault::Cut { to: Target::All, both: true },
        }

        "The target is cut off from all other members; clients still reach it."
        Isolate => {
            number: 3,
            name: "isolate",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::Itself,
            members: 2,
            effect: FaultEffect::NONE,
            source: "VOPR's partition mode isolate_single.",
            fields: &[],
            new: |_| NetworkFault::Isolate,
        }

        "The target receives nothing, or nothing it sends arrives."
        OneWay { inbound: bool } => {
            number: 4,
            name: "one-way",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 2,
            effect: FaultEffect::NONE,
            source: "VOPR's asymmetric partitions; the Cloudflare outage of November 2020 (an etcd leader that one member could not reach).",
            fields: of! {
                "inbound" Form::Switch => NetworkFault::OneWay { inbound } => *inbound, "True: it receives nothing. False: nothing it sends arrives. Left out: true.";
            },
            new: |_| NetworkFault::OneWay { inbound: true },
        }

        "Two sides that do not hear each other: the target and the rest."
        Split => {
            number: 5,
            name: "split",
            whom: Whom::Part,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 2,
            effect: FaultEffect::NONE,
            source: "VOPR's uniform partitions; Jepsen's partition-random-halves.",
            fields: &[],
            new: |_| NetworkFault::Split,
        }

        "Members in a ring: each hears a majority of nearest neighbours, and no two hear the same one."
        MajoritiesRing => {
            number: 6,
            name: "majorities-ring",
            whom: Whom::Nobody,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 3,
            effect: FaultEffect::NONE,
            source: "Jepsen's partition-majorities-ring.",
            fields: &[],
            new: |_| NetworkFault::MajoritiesRing,
        }

        "Two halves, connected only by one member, the target."
        Bridge => {
            number: 7,
            name: "bridge",
            whom: Whom::One,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 3,
            effect: FaultEffect::NONE,
            source: "Jepsen's bridge.",
            fields: &[],
            new: |_| NetworkFault::Bridge,
        }

        "The target is isolated and rejoined repeatedly."
        Flapping { down: Nanos, up: Nanos } => {
            number: 8,
            name: "flapping",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::Itself,
            members: 2,
            effect: FaultEffect::NONE,
            source: "FoundationDB's swizzle-clog, made regular.",
            fields: of! {
                "down" SPAN => NetworkFault::Flapping { down, .. } => *down, "How long each isolation lasts. Left out: 1s.";
                "up" SPAN => NetworkFault::Flapping { up, .. } => *up, "How long it stays joined in between. Left out: 1s.";
            },
            new: |_| NetworkFault::Flapping { down: SECOND as u64, up: SECOND as u64 },
        }

        "Clients cannot reach the target."
        CutClients => {
            number: 9,
            name: "cut-clients",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::Itself,
            members: 1,
            effect: FaultEffect::NONE,
            source: "None: VOPR never cuts its clients, which hides how a client handles an unknown outcome.",
            fields: &[],
            new: |_| NetworkFault::CutClients,
        }

        "Messages from the target to `to` wait until the fault ends."
        Clog { to: Target } => {
            number: 10,
            name: "clog",
            whom: Whom::Ends,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "VOPR: up to 2 % a path a tick, for a mean of up to 5 s. FoundationDB: 10·e^(−10u) s.",
            fields: of! {
                "to" Form::Who => NetworkFault::Clog { to } => *to, "The other end. Left out: `all`.";
            },
            new: |_| NetworkFault::Clog { to: Target::All },
        }

        "Matching raft messages from the target are dropped, delayed, duplicated, held or damaged."
        Rule(MessageRule) => {
            number: 11,
            name: "rule",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 2,
            effect: FaultEffect::NONE,
            source: "turmoil's packet rules; etcd issue 20418 (a heartbeat answer held back until it confirms the wrong read).",
            fields: RULE,
            new: |_| NetworkFault::Rule(MessageRule {
                kind: None,
                to: Target::All,
                term: None,
                index: None,
                skip: 0,
                count: 0,
                action: RuleAction::Drop,
            }),
        }
    }
}

impl NetworkFault {
    /// The other end, if there is one.
    pub(crate) fn to(&self) -> Option<&Target> {
        match self {
            NetworkFault::Link { to, .. } | NetworkFault::Cut { to, .. } | NetworkFault::Clog { to } => {
                Some(to)
            }
            NetworkFault::Rule(rule) => Some(&rule.to),
            NetworkFault::Isolate
            | NetworkFault::OneWay { .. }
            | NetworkFault::Split
            | NetworkFault::MajoritiesRing
            | NetworkFault::Bridge
            | NetworkFault::Flapping { .. }
            | NetworkFault::CutClients => None,
        }
    }
}
