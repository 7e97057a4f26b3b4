//! The passes of shrinking, one file each. A pass tries one sort of change and keeps what makes the plan smaller and lets
//! it fail in the same way. All of them run in the order of the table, again and again, until none finds anything.
//!
//! To add one, add its file, with a function that takes the trial, and its row.

mod calm;
mod clients;
mod cut;
mod draws;
mod faults;
mod few;
mod groups;
mod members;
mod names;
mod operations;
mod pairs;
mod settings;
mod simpler;
mod targets;
mod ties;
mod times;

use plan::Plan;

use super::trial::Trial;

/// One pass.
pub struct Pass {
    /// What it tries, as progress shows it.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    pub(super) run: fn(&mut Trial<'_>),
    /// Whether it leaves faults out and nothing else.
    pub(super) drops_faults: bool,
}

macro_rules! passes {
    ($($name:literal $run:path, $about:literal;)+) => {
        /// All passes, in their order.
        pub const PASSES: &[Pass] = &[$(Pass {
            name: $name,
            about: $about,
            run: $run,
            drops_faults: matches!($name.as_bytes(), b"families" | b"faults"),
        }),+];
    };
}

passes! {
    "few" few::few,
        "Keeps one, two or three faults and operations, if few are left.";
    "cut" cut::cut,
        "Ends the chaos phase soon after the violation, and leaves out what would come later.";
    "calm" calm::calm,
        "Gives links and disks constant times, and takes losses, duplicates and reordering away: all at once, then one by one.";
    "families" groups::families,
        "Leaves out whole families of fault, then all faults of one kind.";
    "clients" clients::clients,
        "Leaves out all operations of a client.";
    "groups" groups::operations,
        "Leaves out all operations of one kind, then all on one key.";
    "faults" faults::faults,
        "Leaves out faults, each with its end.";
    "operations" operations::operations,
        "Leaves out operations.";
    "members" members::members,
        "Leaves out members.";
    "settings" settings::settings,
        "Puts settings back to what they are if left out: all at once, then one by one; otherwise makes them small or round.";
    "targets" targets::targets,
        "Lets faults strike fewer members.";
    "times" times::times,
        "Shortens waiting times and durations, then rounds them.";
    "ties" ties::ties,
        "Lets a fault strike at an event, such as an election, instead of at a time.";
    "simpler" simpler::simpler,
        "Makes operations simpler: a put instead of a transaction, a short value, no option.";
    "pairs" pairs::pairs,
        "Leaves out two faults or operations at once, if few are left.";
    "draws" draws::draws,
        "Leaves out faults and operations in a run with other draws.";
    "names" names::names,
        "Renumbers members, clients and faults, and renames keys and values.";
}

/// The plan without this fault.
pub(super) fn without_fault(plan: &Plan, nth: usize) -> Plan {
    let mut plan = plan.clone();
    plan.faults.remove(nth);
    plan
}

/// The plan without each of its operations, one after the other.
pub(super) fn without_operation(plan: &Plan) -> Vec<Plan> {
    let without = |gone: usize| {
        let mut plan = plan.clone();
        (operations::OPERATIONS.retain)(&mut plan, &|number| number != gone);
        plan
    };
    (0..(operations::OPERATIONS.count)(plan)).map(without).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (nth, pass) in PASSES.iter().enumerate() {
            assert!(PASSES[nth + 1..].iter().all(|other| other.name != pass.name), "{}", pass.name);
            assert!(pass.about.ends_with('.'), "{}", pass.name);
        }
    }
}
