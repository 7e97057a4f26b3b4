//! Checks of a fault: whether its times and its target make sense, and whether another fault strikes the same
//! member at the same time where that is impossible.
//!
//! The target and the times are fields of all faults: they are in a fault's `frame`. The fields of its kind
//! alone are in `fields`. A field is *unread* if its value is invalid, which is reported elsewhere: `has` counts
//! it as present, and `find` does not find it.

use std::ops::Range;

use trace::MemberId;

use super::{Checks, many};
use crate::Target;
use crate::choice::{Choice, Value, Who};
use crate::kinds::{Alone, Lasts, Whom};
use crate::mistakes::Mistake;
use crate::read::Reader;
use crate::scenario::FaultEntry;
use crate::units::Unit;

impl Checks<'_> {
    /// Reports times of a fault that make no sense.
    pub(super) fn timing(&self, reader: &mut Reader, fault: &FaultEntry) {
        // Only fields with a valid value; `has` below is also true of unread ones.
        let find = |name: &str| fault.frame.find(name);
        let timed: Vec<&str> =
            ["at", "every", "about-every"].into_iter().filter(|name| find(name).is_some()).collect();
        if let [first, second, ..] = timed.as_slice() {
            let message = format!("`{first}` and `{second}` exclude each other");
            reader.mistakes.push(
                Mistake::at(fault.place(second), message, "and here")
                    .other(fault.place(first), "it is set here")
                    .help("`at` strikes once, `every` and `about-every` repeatedly"),
            );
        } else if !["at", "every", "about-every", "when"].into_iter().any(|name| fault.frame.has(name)) {
            let help =
                "add `at = \"10s\"`, `every = \"5s..10s\"`, `about-every = \"10s\"` or `when = \"leader\"`";
            reader.report(
                fault.span.clone(),
                format!("the fault `{}` has no time", fault.kind.name),
                "when?",
                help,
            );
        }
        if let (Some(at), Some(when)) = (find("at"), find("when")) {
            reader.mistakes.push(
                Mistake::at(at.span.clone(), "`at` and `when` exclude each other", "and here")
                    .other(when.span.clone(), "it is set here")
                    .help("`from` is the time before which the condition does not count"),
            );
        }
        let has = |name: &str| fault.frame.has(name);
        let repeats = has("every") || has("about-every");
        for (name, needs, met) in [
            ("after", "`when`", has("when")),
            ("from", "`when`, `every` or `about-every`", has("when") || repeats),
            ("until", "`every` or `about-every`", repeats),
            ("times", "`at`, `every` or `about-every`", repeats || has("at")),
        ] {
            if let (Some(field), false) = (find(name), met) {
                reader.report(
                    field.span.clone(),
                    format!("`{name}` has no effect here"),
                    format!("needs {needs}"),
                    format!("add {needs}, or remove it"),
                );
            }
        }
        for name in ["at", "from"] {
            // The earliest time that can be drawn is after the longest chaos phase that can be drawn.
            if let (Some(field), Some((least, _))) = (find(name), fault.time(name))
                && least > self.chaos.1
                && !reader.plan
            {
                let message = format!("the fault `{}` comes after the chaos phase", fault.kind.name);
                let help = format!(
                    "the chaos phase ends at {}, set by `chaos` in `[run]`",
                    Unit::Time.print(self.chaos.1)
                );
                reader.report(field.span.clone(), message, "never strikes", help);
            }
        }
        if let (Some((from, _)), Some((_, until))) = (fault.time("from"), fault.time("until"))
            && from > until
        {
            reader.report(fault.place("until"), "`until` is before `from`", "never strikes", "");
        }
        if let (Lasts::Instant, Some(lasts), false) = (fault.kind.lasts, find("for"), reader.plan) {
            let message = format!("the fault `{}` is over at once", fault.kind.name);
            reader.report(lasts.span.clone(), message, "has no effect here", "remove it");
        }
    }

    /// Reports a target that makes no sense for the kind or the cluster.
    pub(super) fn target(&self, reader: &mut Reader, fault: &FaultEntry) {
        let (kind, span) = (fault.kind, fault.place("target"));
        // Members that join during the run count as well.
        if self.machines < kind.members.into() && !reader.plan {
            let message = format!("the fault `{}` needs {}", kind.name, many(kind.members.into(), "member"));
            let help = format!("the cluster has {}", many(self.members.1, "member"));
            reader.report(fault.span.clone(), message, "cannot happen", help);
            return;
        }
        match (kind.whom, fault.frame.find("target")) {
            (Whom::Nobody, Some(target)) if !reader.plan => {
                reader.report(
                    target.span.clone(),
                    format!("the fault `{}` has no target", kind.name),
                    "has no effect here",
                    "remove it: the fault affects all members",
                );
            }
            (Whom::Nobody, _) => return,
            (_, None) if fault.frame.is_unread("target") => return,
            (_, None) => {
                reader.report(
                    span,
                    format!("the fault `{}` has no target", kind.name),
                    "whom?",
                    format!("add `target`: {}", crate::words::TARGET_HELP),
                );
                return;
            }
            _ => {}
        }
        if self.has_one_end(fault) && !reader.plan {
            let message = format!("the fault `{}` has the same member at both ends", kind.name);
            let help = "name another member in `to`, or clients: `to = \"clients\"`";
            reader.report(fault.place("to"), message, "no link lies between", help);
        }
        let target = fault.frame.find("target").map(|set| (set, kind.whom));
        let to = fault
            .fields
            .find("to")
            .map(|set| (set, if kind.whom == Whom::Ends { Whom::Ends } else { Whom::Members }));
        for (set, whom) in target.into_iter().chain(to) {
            for value in set.choice.values() {
                let Value::Who(who) = value else { continue };
                if let Some((label, help)) = self.nonsense(whom, who) {
                    let message = format!("the fault `{}` cannot have this target", kind.name);
                    reader.report(set.span.clone(), message, label, help);
                }
            }
        }
    }

    /// Whether a fault between two ends has a single member at both, whatever the seed draws: no link is affected.
    fn has_one_end(&self, fault: &FaultEntry) -> bool {
        if fault.fields.is_unread("to") || !fault.has_to {
            return false;
        }
        // The member at an end, if there can be only one; `None` if there can be several, or clients.
        let only = |choice: Option<&Choice>| -> Option<MemberId> {
            let first = MemberId::new(1);
            let Some(choice) = choice else { return (self.machines == 1).then_some(first) };
            let mut only = None;
            for value in choice.values() {
                let member = match value {
                    Value::Who(Who::AllClients | Who::Target(Target::Clients(_))) => return None,
                    Value::Who(Who::Target(Target::Members(members))) => match members.as_slice() {
                        [member] => *member,
                        _ => return None,
                    },
                    _ if self.machines == 1 => first,
                    _ => return None,
                };
                if only.is_some_and(|other| other != member) {
                    return None;
                }
                only = Some(member);
            }
            only
        };
        let ends = (only(fault.frame.choice("target")), only(fault.fields.choice("to")));
        matches!(ends, (Some(from), Some(to)) if from == to)
    }

    /// Why a fault whose kind may have the targets `whom` cannot have the target `who`: label and help of a
    /// mistake.
    fn nonsense(&self, whom: Whom, who: &Who) -> Option<(&'static str, &'static str)> {
        let clients = matches!(who, Who::AllClients | Who::Target(Target::Clients(_)));
        let named = match who {
            Who::Target(Target::Members(members)) => Some(members.len() as i128),
            _ => None,
        };
        let all =
            matches!(who, Who::Target(Target::All)) || named.is_some_and(|named| named >= self.members.1);
        let minority = (self.members.1 - 1) / 2;
        let needs_others = matches!(
            who,
            Who::Target(Target::Follower | Target::Followers | Target::Minority)
                | Who::FixedMember
                | Who::FixedMinority
        );
        let one =
            matches!(who, Who::Target(Target::Leader | Target::Follower | Target::Random) | Who::FixedMember)
                || named == Some(1);
        let few = one
            || matches!(who, Who::Target(Target::Minority) | Who::FixedMinority)
            || named.is_some_and(|named| named <= minority);
        match whom {
            _ if needs_others && self.machines == 1 => Some((
                "the only member is none of these",
                "a cluster of one has neither followers nor a minority; write `all` or `member 1`",
            )),
            Whom::Members | Whom::One | Whom::Part | Whom::Minority if clients => {
                Some(("clients", "only `link`, `cut` and `clog` can target clients"))
            }
            Whom::One if !one => Some((
                "more than one member",
                "write one member: `leader`, `follower`, `random`, `fixed-member` or `member 3`",
            )),
            Whom::Part if all => Some((
                "all members",
                "the target is one of two sides; write `minority`, `leader` or `members 1, 2`",
            )),
            Whom::Minority if !few => Some((
                "more than a minority",
                "a cluster that loses more than a minority of its disks cannot keep what it promised; write `random`, `fixed-member` or `member 3`",
            )),
            _ => None,
        }
    }

    /// Reports faults that cannot affect the same member at the same time. It reports only those that overlap
    /// with every seed: both name the member, and their times overlap whatever is drawn.
    pub(super) fn overlaps(&self, reader: &mut Reader) {
        let faults = &self.sections.faults;
        for (place, second) in faults.iter().enumerate() {
            self.overlaps_itself(reader, second);
            for first in &faults[..place] {
                let Some(member) = shared(first, second) else { continue };
                // In the order of their times, which may differ from the order in the file.
                for (earlier, later) in [(first, second), (second, first)] {
                    if excludes(earlier.kind.alone, later.kind.alone, earlier.kind.name == later.kind.name)
                        && self.surely_within(earlier, later)
                    {
                        reader.mistakes.push(overlap(earlier, later, member, later.place("at")));
                        break;
                    }
                }
            }
        }
    }

    /// Reports a fault that strikes again before it is over.
    fn overlaps_itself(&self, reader: &mut Reader, fault: &FaultEntry) {
        if fault.frame.is_unread("for") {
            return;
        }
        let lasts = fault.time("for").map_or(i128::MAX, |lasts| lasts.0);
        let (Some((_, gap)), Some(member)) = (fault.time("every"), members(fault).first().copied()) else {
            return;
        };
        if fault.kind.alone != Alone::No
            && gap < lasts
            && fault.kind.lasts != Lasts::Instant
            && fault.frame.find("when").is_none()
        {
            let message = format!("`{}` of member {member} strikes again before it is over", fault.kind.name);
            reader.mistakes.push(
                Mistake::at(fault.place("every"), message, "strikes again within this time")
                    .other(fault.place("for"), "lasts at least this long")
                    .help("make the gap longer than the fault"),
            );
        }
    }

    /// Whether `later` strikes while `earlier` lasts, whatever the seed draws.
    fn surely_within(&self, earlier: &FaultEntry, later: &FaultEntry) -> bool {
        let (Some(start), Some(strike)) = (earlier.time("at"), later.time("at")) else { return false };
        let end = match earlier.time("for") {
            Some(lasts) => start.0 + lasts.0,
            None if earlier.frame.has("for") => return false,
            None => self.chaos.0,
        };
        let certain = [earlier, later].iter().all(|fault| fault.frame.find("chance").is_none());
        certain && start.1 <= strike.0 && strike.1 < end
    }
}

/// Whether a fault of the kind `later` cannot strike a member while one of the kind `earlier` affects it.
/// `same` says whether they are the same kind.
fn excludes(earlier: Alone, later: Alone, same: bool) -> bool {
    match (earlier, later) {
        (Alone::Down, Alone::Down | Alone::Running) => true,
        (Alone::Running, Alone::Running) | (Alone::Itself, Alone::Itself) => same,
        _ => false,
    }
}

/// The mistake to report if two faults affect a member at the same time.
fn overlap(earlier: &FaultEntry, later: &FaultEntry, member: MemberId, span: Range<usize>) -> Mistake {
    let (first, second) = (earlier.kind.name, later.kind.name);
    let (message, help) = if earlier.kind.alone == Alone::Down {
        let ends = if earlier.frame.find("for").is_some() {
            "it starts again"
        } else {
            "the chaos phase ends (the first has no `for`)"
        };
        (
            format!("`{second}` strikes member {member} while it is down"),
            format!(
                "member {member} is down from `{first}` until {ends}; let the second come later, or take another member"
            ),
        )
    } else {
        (
            format!("two faults `{second}` hold member {member} at the same time"),
            "let the second come after the first is over, or take another member".to_string(),
        )
    };
    Mistake::at(span, message, "the second strikes here")
        .other(earlier.place("at"), "the first strikes here")
        .help(help)
}

/// The members a fault is certain to strike; none if the run or the seed decides whom it strikes.
fn members(fault: &FaultEntry) -> &[MemberId] {
    match fault.frame.choice("target") {
        Some(Choice::Fixed(Value::Who(Who::Target(Target::Members(members))))) => members,
        _ => &[],
    }
}

/// A member that both are certain to strike.
fn shared(a: &FaultEntry, b: &FaultEntry) -> Option<MemberId> {
    members(a).iter().copied().find(|member| members(b).contains(member))
}

/// Reports fields that a fault of a plan must not have: a plan lists each strike separately.
pub(super) fn decided(reader: &mut Reader, fault: &FaultEntry) {
    for name in ["every", "about-every", "times", "until", "chance"] {
        if let Some(set) = fault.frame.find(name) {
            reader.report(
                set.span.clone(),
                format!("`{name}` in a plan"),
                "not decided",
                "a plan lists each strike as a fault of its own",
            );
        }
    }
}
