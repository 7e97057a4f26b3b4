//! What the monitors say of a run of which one thing is kept from them, or told twice, late or wrongly, or if they think
//! that a setting was another one.

use etcdsim::record::{EtcdFact, Event, Fact, MemberId, Role, Stop};
use etcdsim::{Ratio, monitors_of};

use super::stream::{Shown, Stream, Watch};
use super::values::{another, less, more, turned};
use super::*;

/// The runs: short plans of the swarm. `steps` is about steps.
const SEEDS: std::ops::Range<u64> = 0..5;
/// The facts that S looks at.
const OF_S: [&str; 2] = ["JobDone", "Stopped Crash"];
/// How late something is told.
const LATE: u64 = 2_000_000_000;

/// A fact with one of its values changed, with the name of the value.
fn changed(fact: &Fact) -> Vec<(&'static str, Fact)> {
    let mut all = Vec::new();
    let mut add = |name, change: &dyn Fn(&mut Fact)| {
        let mut fact = fact.clone();
        change(&mut fact);
        all.push((name, fact));
    };
    macro_rules! values {
        ($variant:path: $($field:ident $change:expr),*) => {{
            $(add(stringify!($field), &|fact| if let $variant { $field, .. } = fact { ($change)($field); });)*
        }};
    }
    match fact {
        Fact::JobDone { .. } => values!(Fact::JobDone: job more, synced turned, failed turned),
        Fact::Started { .. } => values!(Fact::Started: incarnation |number: &mut u32| *number += 1),
        Fact::Stopped(_) => add("why", &|fact| *fact = Fact::Stopped(Stop::Fatal("a test".to_string()))),
        Fact::Fault { .. } => values!(Fact::Fault: begins turned, fault |number: &mut u32| *number += 1),
        Fact::Sent { .. } => values!(Fact::Sent: packet more, to another),
        Fact::Delivered { .. } => values!(Fact::Delivered: packet more, from another),
        Fact::Dropped { .. } => values!(Fact::Dropped: packet more, to another),
        Fact::Own(own) => own_changes(own, &mut all),
        _ => {}
    }
    all
}

/// The same for what members report.
fn own_changes(own: &EtcdFact, all: &mut Vec<(&'static str, Fact)>) {
    let mut add = |name, change: &dyn Fn(&mut EtcdFact)| {
        let mut own = own.clone();
        change(&mut own);
        all.push((name, Fact::Own(own)));
    };
    macro_rules! values {
        ($variant:path: $($field:ident $change:expr),*) => {{
            $(add(stringify!($field), &|own| if let $variant { $field, .. } = own { ($change)($field); });)*
        }};
    }
    let lose = |members: &mut Vec<MemberId>| _ = members.pop();
    match own {
        EtcdFact::Recovered { .. } => {
            values!(EtcdFact::Recovered: term more, vote another, commit more, consistent_index more, revision more,
            state_hash more, entries |entries: &mut Vec<_>| _ = entries.pop(),
            before |before: &mut (u64, u64)| before.0 += 1)
        }
        EtcdFact::State { .. } => {
            values!(EtcdFact::State: term more, term less, vote another, leader another,
            role |role: &mut Role| *role = if *role == Role::Leader { Role::Follower } else { Role::Leader })
        }
        EtcdFact::Appended(_) => {
            add("one entry less", &|own| {
                if let EtcdFact::Appended(entries) = own {
                    _ = entries.pop()
                }
            });
            for (name, change) in [("index", 0), ("term", 1), ("digest", 2)] {
                add(name, &|own| {
                    let EtcdFact::Appended(entries) = own else { return };
                    let Some(entry) = entries.first_mut() else { return };
                    more([&mut entry.index, &mut entry.term, &mut entry.digest][change]);
                });
            }
        }
        EtcdFact::LogCompacted { .. } => values!(EtcdFact::LogCompacted: index more, index less, term more),
        EtcdFact::SnapshotInstalled { .. } => {
            values!(EtcdFact::SnapshotInstalled: index more, index less, term more,
            revision more, state_hash more)
        }
        EtcdFact::Saving { .. } => {
            values!(EtcdFact::Saving: job more, term more, term less, vote another, commit more,
            commit less, last_index more, last_index less)
        }
        EtcdFact::Committed { .. } => {
            values!(EtcdFact::Committed: index more, index less, term more, term less)
        }
        EtcdFact::Applied { .. } => {
            values!(EtcdFact::Applied: index more, index less, term more, digest more,
            request more, revision more, revision less, state_hash more, mutated turned, executed turned)
        }
        EtcdFact::BackendDurable { .. } => {
            values!(EtcdFact::BackendDurable: consistent_index more, consistent_index less);
        }
        EtcdFact::ReadIndexAsked { .. } => values!(EtcdFact::ReadIndexAsked: context more),
        EtcdFact::ReadIndexConfirmed { .. } => {
            values!(EtcdFact::ReadIndexConfirmed: context more, index more, index less);
        }
        EtcdFact::Proposed { .. } => values!(EtcdFact::Proposed: operation more, request more),
        EtcdFact::ProposedInternal { .. } => values!(EtcdFact::ProposedInternal: request more),
        EtcdFact::Configuration { .. } => {
            values!(EtcdFact::Configuration: index more, index less, voters lose,
            outgoing lose, learners lose)
        }
        EtcdFact::Lessor { .. } => values!(EtcdFact::Lessor: primary turned),
        EtcdFact::WatchReceived { .. } => {
            values!(EtcdFact::WatchReceived: stream more, revision more, digest more);
        }
        _ => {}
    }
}

/// What is told instead of one thing, by the name of the change.
fn instead(shown: &Shown) -> Vec<(String, Vec<Shown>)> {
    let mut all = vec![
        ("kept back".to_string(), Vec::new()),
        ("told twice".to_string(), vec![shown.clone(), shown.clone()]),
    ];
    if let Shown::Event(event) = shown {
        all.extend(changed(&event.fact).into_iter().map(|(name, fact)| {
            (format!("another {name}"), vec![Shown::Event(Event { fact, ..event.clone() })])
        }));
    }
    all
}

#[test]
fn of_what_monitors_are_shown() {
    let case = short_swarm();
    let mut text = String::new();
    for seed in SEEDS {
        let plan = case.plan(seed);
        let (stream, outcome) = Stream::of(&plan);
        let (all, record) = (&stream.0, &outcome.record);
        let mut say = |what: &str, said: String| {
            writeln!(text, "{seed} {what}: {said}").expect("a String takes everything");
        };
        say("as it was", Watch::new(&plan).said(all, record));
        let kinds = stream.kinds();
        let mut middles: Vec<(usize, &str)> =
            kinds.iter().map(|(kind, places)| (places[places.len() / 2], kind.as_str())).collect();
        middles.retain(|(at, _)| !matches!(all[*at], Shown::Step(..)));
        middles.sort_unstable();
        // S knows nothing of most of what is no step.
        let mut so_far = Watch::new(&plan).without_specification();
        let mut shown = 0;
        for (at, kind) in middles {
            so_far.show(&all[shown..at]);
            shown = at;
            for (name, now) in instead(&all[at]) {
                let rest = now.iter().chain(&all[at + 1..]);
                say(&format!("{kind} {name}"), so_far.clone().said(rest, record));
            }
            let late = all[at].time() + LATE;
            let until = at + all[at..].iter().take_while(|one| one.time() <= late).count();
            let moved = [all[at].clone().at(late)];
            let rest = all[at + 1..until].iter().chain(&moved).chain(&all[until..]);
            say(&format!("{kind} late"), so_far.clone().said(rest, record));
            let second: Vec<usize> = kinds[kind].iter().copied().skip(1).step_by(2).collect();
            let kept = all.iter().enumerate().filter(|(at, _)| second.binary_search(at).is_err());
            let watch = Watch::new(&plan).without_specification();
            say(&format!("{kind} every second one kept back"), watch.said(kept.map(|(_, one)| one), record));
        }
        for (kind, places) in kinds.iter().filter(|(kind, _)| OF_S.contains(&kind.as_str())) {
            let at = places[places.len() / 2];
            let rest = all[..at].iter().chain(&all[at + 1..]);
            say(&format!("{kind} kept back, with S"), Watch::new(&plan).said(rest, record));
        }
        for (name, other) in with_other_settings(&plan) {
            say(&format!("with {name}"), Watch::new(&other).without_specification().said(all, record));
        }
    }
    compare("facts", &text);
}

/// The plan with one setting changed, by the name of the setting.
fn with_other_settings(plan: &Plan) -> Vec<(String, Plan)> {
    let mut plans = Vec::new();
    for row in settings::ROWS {
        let number = row.get(&plan.cluster.settings);
        for other in [number / 4, number.saturating_mul(4).max(1)] {
            let mut changed = plan.clone();
            let other = match row.form {
                settings::Form::Number { .. } => other,
                settings::Form::Switch | settings::Form::Word(_) => u64::from(number == 0),
            };
            row.set(&mut changed.cluster.settings, other);
            plans.push((format!("{} {other}", row.name), changed));
        }
    }
    let mut without_faults = plan.clone();
    without_faults.faults.clear();
    plans.push(("no faults".to_string(), without_faults));
    let mut with_loss = plan.clone();
    with_loss.network.peers.loss = Ratio::percent(1);
    plans.push(("loss between members".to_string(), with_loss));
    let mut with_loss = plan.clone();
    with_loss.network.clients.loss = Ratio::percent(1);
    plans.push(("loss between clients and members".to_string(), with_loss));
    // Most settings are none of the monitors' business.
    let usual = format!("{:?}", monitors_of(plan));
    plans.retain(|(_, plan)| format!("{:?}", monitors_of(plan)) != usual);
    plans.dedup_by(|one, other| one.0 == other.0);
    plans
}
