//! Reads and prints the targets of faults, such as `leader` or `members 1, 3`, and the conditions that faults wait
//! for, such as `election 2`.

use std::fmt;

use trace::MemberId;

use crate::choice::{Choice, Value, Who};
use crate::mistakes::nearest;
use crate::{Condition, Target};

/// Why a text is not a target, a condition or an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadWords {
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub help: String,
}

/// An error about words of a file, with advice.
pub fn bad(message: impl Into<String>, help: impl Into<String>) -> BadWords {
    BadWords { message: message.into(), help: help.into() }
}

/// Targets that are one word: how they are written, what they are, and their meaning for the documentation.
pub(crate) static GROUPS: &[(&str, Who, &str)] = &[
    (
        "leader",
        Who::Target(Target::Leader),
        "the leader of the highest term when the fault strikes; a random member if there is none",
    ),
    ("followers", Who::Target(Target::Followers), "all but the leader"),
    ("follower", Who::Target(Target::Follower), "one of the followers"),
    ("random", Who::Target(Target::Random), "one member, drawn when the fault strikes"),
    ("majority", Who::Target(Target::Majority), "a random majority"),
    (
        "minority",
        Who::Target(Target::Minority),
        "a random minority: as many members as possible that leave a quorum",
    ),
    ("leader-majority", Who::Target(Target::LeaderMajority), "a random majority that includes the leader"),
    ("all", Who::Target(Target::All), "every member"),
    ("fixed-member", Who::FixedMember, "one member, drawn once and the same for the whole run"),
    (
        "fixed-minority",
        Who::FixedMinority,
        "a minority, drawn once and the same for the whole run; it includes the fixed member",
    ),
    ("clients", Who::AllClients, "every client"),
];

/// How a target is written, for help.
pub(crate) const TARGET_HELP: &str = "a target is `leader`, `follower`, `followers`, `random`, `majority`, `minority`, `leader-majority`, `all`, `fixed-member`, `fixed-minority`, `member 3`, `members 1, 3`, `clients` or `client 0`";

/// Reads a target.
pub(crate) fn parse_who(text: &str) -> Result<Who, BadWords> {
    let text = text.trim();
    if let Some((_, who, _)) = GROUPS.iter().find(|group| group.0 == text) {
        return Ok(who.clone());
    }
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let numbered = matches!(word, "member" | "members" | "client" | "clients");
    if !numbered {
        let near = nearest(word, GROUPS.iter().map(|group| group.0).chain(["member", "client"]));
        let help = near.map_or(TARGET_HELP.into(), |near| format!("did you mean `{near}`? {TARGET_HELP}"));
        return Err(bad(format!("{text:?} is not a target"), help));
    }
    let mut numbers = Vec::new();
    for number in rest.split(',') {
        match number.trim().parse::<u32>() {
            Ok(number) => numbers.push(number),
            Err(_) => {
                let example = if word.starts_with('m') {
                    "`member 3` or `members 1, 3`"
                } else {
                    "`client 0` or `clients 0, 2`"
                };
                return Err(bad(format!("{text:?} names no number"), format!("write {example}")));
            }
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(Who::Target(if word.starts_with('m') { Target::members(numbers) } else { Target::Clients(numbers) }))
}

/// Writes a scenario's target so that [`parse_who`] reads it back.
pub(crate) fn print_who(who: &Who) -> String {
    match who {
        Who::Target(target) => print_target(target),
        open => {
            let named = GROUPS.iter().find(|group| group.1 == *open);
            named.unwrap_or_else(|| panic!("the table of groups lacks {open:?}")).0.to_string()
        }
    }
}

/// Writes a target so that [`parse_who`] reads it back.
pub(crate) fn print_target(target: &Target) -> String {
    match target {
        Target::Members(members) => numbered("member", members),
        Target::Clients(clients) => numbered("client", clients),
        group => {
            let named = GROUPS.iter().find(|(_, who, _)| matches!(who, Who::Target(named) if named == group));
            named.unwrap_or_else(|| panic!("the table of groups lacks {group:?}")).0.to_string()
        }
    }
}

/// As in a file.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&print_target(self))
    }
}

/// A noun with numbers: `member 1`, `members 1, 2`.
fn numbered<T: ToString>(word: &str, numbers: &[T]) -> String {
    let plural = if numbers.len() == 1 { "" } else { "s" };
    let numbers: Vec<String> = numbers.iter().map(T::to_string).collect();
    format!("{word}{plural} {}", numbers.join(", "))
}

/// How a condition is written, for help.
pub(crate) const CONDITION_HELP: &str = "a condition is `leader`, `no leader`, `election 2`, `applied 500`, `member 2 applied 500`, `snapshot 2`, `member 2 snapshot 2` or `operations 100`";

/// Reads a condition. Its number may be a range; `number` reads it.
pub(crate) fn parse_condition(
    text: &str,
    number: impl Fn(&str) -> Result<Choice, BadWords>,
) -> Result<Choice, BadWords> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (member, words) = match words.as_slice() {
        ["member", member, rest @ ..] => match member.parse::<u32>() {
            Ok(member) => (i128::from(member), rest),
            Err(_) => return Err(bad(format!("{member:?} is not a member's number"), CONDITION_HELP)),
        },
        words => (0, words),
    };
    let fixed = |condition| Ok(Choice::Fixed(Value::Condition(condition)));
    // A condition with a number. `make` gets the member's number, 0 if there is none, and the condition's number.
    let made = |make: fn(&[i128]) -> Value, rest: &[&str]| {
        let parts = vec![Choice::number(member), number(&rest.join(" "))?];
        let decided = parts.iter().all(Choice::is_decided);
        if decided {
            let numbers: Vec<i128> = parts.iter().map(|part| part.bounds().0).collect();
            return Ok(Choice::Fixed(make(&numbers)));
        }
        Ok(Choice::Made(make, parts))
    };
    match words {
        ["leader"] if member == 0 => fixed(Condition::Leader),
        ["no", "leader"] if member == 0 => fixed(Condition::NoLeader),
        ["election", rest @ ..] if member == 0 => {
            made(|n| Value::Condition(Condition::Election(n[1] as u32)), rest)
        }
        ["operations", rest @ ..] if member == 0 => {
            made(|n| Value::Condition(Condition::Operations(n[1] as u64)), rest)
        }
        ["applied", rest @ ..] => made(
            |n| Value::Condition(Condition::Applied { member: plan_member(n[0]), index: n[1] as u64 }),
            rest,
        ),
        ["snapshot", rest @ ..] => made(
            |n| Value::Condition(Condition::Snapshot { member: plan_member(n[0]), nth: n[1] as u32 }),
            rest,
        ),
        words => {
            let first = words.first().copied().unwrap_or("");
            let near =
                nearest(first, ["leader", "no leader", "election", "applied", "snapshot", "operations"]);
            let help =
                near.map_or(CONDITION_HELP.into(), |near| format!("did you mean `{near}`? {CONDITION_HELP}"));
            Err(bad(format!("{text:?} is not a condition"), help))
        }
    }
}

/// The member of a condition; `None` if it has none.
pub(crate) fn member_of(choice: &Choice) -> Option<MemberId> {
    let named = match choice {
        Choice::Fixed(Value::Condition(
            Condition::Applied { member, .. } | Condition::Snapshot { member, .. },
        )) => Some(*member),
        Choice::Made(_, parts) => parts.first().map(|id| plan_member(id.bounds().0)),
        _ => None,
    };
    named.filter(|member| !member.is_none())
}

/// The member with this number, which was read as a `u32`.
fn plan_member(number: i128) -> MemberId {
    MemberId::new(number as u32)
}

/// Writes a condition so that [`parse_condition`] reads it back.
pub(crate) fn print_condition(condition: &Condition) -> String {
    let of = |member: MemberId| if member.is_none() { String::new() } else { format!("member {member} ") };
    match *condition {
        Condition::Leader => "leader".into(),
        Condition::NoLeader => "no leader".into(),
        Condition::Election(nth) => format!("election {nth}"),
        Condition::Applied { member, index } => format!("{}applied {index}", of(member)),
        Condition::Snapshot { member, nth } => format!("{}snapshot {nth}", of(member)),
        Condition::Operations(count) => format!("operations {count}"),
    }
}
