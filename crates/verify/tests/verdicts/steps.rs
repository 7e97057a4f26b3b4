//! What S says of a step of which one value is changed, and of the steps after it.

use etcdsim::record::step::{
    Call, Configuration, Context, Entries, EntryKind, Message, Mode, Progress, Read, Ready, State, Step,
};
use etcdsim::record::{MemberId, MessageKind, Role};
use etcdsim_verify::{Monitor, Sheet};

use super::stream::{Shown, Stream};
use super::values::{another, less, more, turned};
use super::*;

/// The runs: short plans of the swarm.
const SEEDS: std::ops::Range<u64> = 0..6;
/// How many of the next things that the run shows are shown after the changed step.
const AFTERWARDS: usize = 300;

/// A change of a step; false if the step has no such value.
type Change = Box<dyn Fn(&mut Step) -> bool>;

/// Changes a call of one kind.
macro_rules! changed {
    ($call:expr, $pattern:pat => $change:expr) => {
        match $call {
            $pattern => $change,
            _ => false,
        }
    };
}

/// All changes, by name.
fn changes() -> Vec<(String, Change)> {
    let mut all: Vec<(String, Change)> = Vec::new();
    macro_rules! add {
        ($name:expr, $change:expr) => {
            all.push(($name.to_string(), Box::new($change)))
        };
    }
    add!("not accepted", |step| {
        step.accepted = !step.accepted;
        true
    });
    macro_rules! state {
        ($($field:ident)*) => {$(
            add!(concat!("state: ", stringify!($field), " + 1"), |step| { step.after.$field += 1; true });
            add!(concat!("state: ", stringify!($field), " - 1"), |step| less(&mut step.after.$field));
        )*};
    }
    state!(term first handed_over snapshot commit persisted applied elapsed since_heartbeat timeout pending_change
        wanted_snapshot uncommitted);
    for (name, which) in [("vote", 0), ("leader", 1), ("transferee", 2)] {
        add!(format!("state: another {name}"), move |step| {
            let State { vote, leader, transferee, .. } = &mut step.after;
            another([vote, leader, transferee][which])
        });
        add!(format!("state: no {name}"), move |step| {
            let State { vote, leader, transferee, .. } = &mut step.after;
            none([vote, leader, transferee][which])
        });
    }
    for role in [Role::Follower, Role::PreCandidate, Role::Candidate, Role::Leader] {
        add!(format!("state: {role:?}"), move |step| std::mem::replace(&mut step.after.role, role) != role);
    }
    add!("state: last index", |step| {
        step.after.last.0 += 1;
        true
    });
    add!("state: last term", |step| {
        step.after.last.1 += 1;
        true
    });
    add!("log: an entry less", |step| fewer(&mut step.changed.entries));
    add!("log: another term", |step| other_term(&mut step.changed.entries));
    add!("log: other kinds", |step| other_kinds(&mut step.changed.entries));
    add!("log: other bytes", |step| {
        let some = !step.changed.entries.is_empty();
        step.changed.entries.bytes += 1;
        some
    });
    type OfProgress = fn(&mut Progress) -> bool;
    let of_progress: [(&str, OfProgress); 14] = [
        ("matched + 1", |one| more(&mut one.matched)),
        ("matched - 1", |one| less(&mut one.matched)),
        ("next + 1", |one| more(&mut one.next)),
        ("next - 1", |one| less(&mut one.next)),
        ("probe", |one| std::mem::replace(&mut one.mode, Mode::Probe) != Mode::Probe),
        ("replicate", |one| std::mem::replace(&mut one.mode, Mode::Replicate) != Mode::Replicate),
        ("snapshot", |one| std::mem::replace(&mut one.mode, Mode::Snapshot) != Mode::Snapshot),
        ("paused", |one| turned(&mut one.paused)),
        ("active", |one| turned(&mut one.active)),
        ("its snapshot", |one| more(&mut one.snapshot)),
        ("wanted snapshot", |one| more(&mut one.wanted_snapshot)),
        ("in flight + 1", |one| more(&mut one.inflight)),
        ("in flight - 1", |one| less(&mut one.inflight)),
        ("full", |one| turned(&mut one.full)),
    ];
    for (name, change) in of_progress {
        add!(format!("progress: {name}"), move |step| {
            step.changed.progress.iter_mut().any(|(_, progress)| change(progress))
        });
    }
    add!("progress: not reported", |step| step.changed.progress.pop().is_some());
    add!("votes: not reported", |step| step.changed.votes.take().is_some());
    add!("votes: another", |step| {
        step.changed.votes.iter_mut().flatten().any(|(_, granted)| turned(granted))
    });
    add!("votes: one less", |step| step.changed.votes.as_mut().is_some_and(|votes| votes.pop().is_some()));
    add!("reads: not reported", |step| step.changed.reads.take().is_some());
    add!("reads: one less", |step| step.changed.reads.as_mut().is_some_and(|reads| reads.pop().is_some()));
    add!("reads: index", |step| {
        step.changed.reads.iter_mut().flatten().any(|read: &mut Read| more(&mut read.index))
    });
    add!("reads: from another", |step| {
        step.changed.reads.iter_mut().flatten().any(|read: &mut Read| another(&mut read.from))
    });
    add!("configuration: not reported", |step| step.changed.configuration.take().is_some());
    add!("configuration: a voter less", |step| {
        step.changed.configuration.as_mut().is_some_and(|now| fewer_voters(now))
    });
    type OfMessage = fn(&mut Message) -> bool;
    let of_message: [(&str, OfMessage); 19] = [
        ("to another", |one| another(&mut one.to)),
        ("from another", |one| another(&mut one.from)),
        ("term + 1", |one| more(&mut one.term)),
        ("term - 1", |one| less(&mut one.term)),
        ("index + 1", |one| more(&mut one.index)),
        ("index - 1", |one| less(&mut one.index)),
        ("log term", |one| more(&mut one.log_term)),
        ("commit + 1", |one| more(&mut one.commit)),
        ("commit - 1", |one| less(&mut one.commit)),
        ("commit term", |one| more(&mut one.commit_term)),
        ("reject", |one| turned(&mut one.reject)),
        ("hint + 1", |one| more(&mut one.hint)),
        ("hint - 1", |one| less(&mut one.hint)),
        ("wanted snapshot", |one| more(&mut one.wanted_snapshot)),
        ("context", |one| {
            let now = if one.context == Context::None { Context::Transfer } else { Context::None };
            std::mem::replace(&mut one.context, now) != now
        }),
        ("an entry less", |one| fewer(&mut one.entries)),
        ("entries of another term", |one| other_term(&mut one.entries)),
        ("snapshot", |one| one.snapshot.as_mut().is_some_and(|head| more(&mut head.index))),
        ("another kind", |one| {
            one.kind = match one.kind {
                MessageKind::Append => MessageKind::Heartbeat,
                MessageKind::RequestVote => MessageKind::RequestPreVote,
                MessageKind::AppendResponse => MessageKind::HeartbeatResponse,
                MessageKind::RequestVoteResponse => MessageKind::RequestPreVoteResponse,
                _ => MessageKind::Append,
            };
            true
        }),
    ];
    for (name, change) in of_message {
        add!(format!("sent: {name}"), move |step| step.out.first_mut().is_some_and(change));
        add!(format!("received: {name}"), move |step| match &mut step.call {
            Call::Receive(message) => change(message),
            _ => false,
        });
    }
    add!("sent: one less", |step| step.out.pop().is_some());
    add!("sent: one twice", |step| {
        let one = step.out.first().cloned();
        step.out.extend(one);
        !step.out.is_empty()
    });
    add!("sent: in another order", |step| {
        step.out.reverse();
        step.out.len() > 1
    });
    type OfReady = fn(&mut Ready) -> bool;
    let of_ready: [(&str, OfReady); 18] = [
        ("number", |ready| more(&mut ready.number)),
        ("no job", |ready| ready.job.take().is_some()),
        ("another job", |ready| ready.job.as_mut().is_some_and(more)),
        ("no hard state", |ready| ready.hard_state.take().is_some()),
        ("hard state: term", |ready| ready.hard_state.as_mut().is_some_and(|state| more(&mut state.0))),
        ("hard state: vote", |ready| ready.hard_state.as_mut().is_some_and(|state| another(&mut state.1))),
        ("hard state: commit", |ready| ready.hard_state.as_mut().is_some_and(|state| more(&mut state.2))),
        ("an entry less", |ready| fewer(&mut ready.entries)),
        ("snapshot", |ready| ready.snapshot.take().is_some()),
        ("must sync", |ready| turned(&mut ready.must_sync)),
        ("committed: first", |ready| ready.committed.as_mut().is_some_and(|range| more(&mut range.0))),
        ("committed: last", |ready| ready.committed.as_mut().is_some_and(|range| more(&mut range.1))),
        ("committed: nothing", |ready| ready.committed.take().is_some()),
        ("reads", |ready| ready.reads.pop().is_some()),
        ("messages", |ready| more(&mut ready.messages)),
        ("at once", |ready| turned(&mut ready.at_once)),
        ("durable", |ready| turned(&mut ready.durable)),
        ("left", |ready| ready.left.pop().is_some()),
    ];
    for (name, change) in of_ready {
        add!(format!("ready: {name}"), move |step| match &mut step.call {
            Call::Ready(ready) => change(ready),
            _ => false,
        });
    }
    type OfCall = fn(&mut Call) -> bool;
    let of_call: [(&str, OfCall); 12] = [
        ("kind", |call| {
            changed!(call, Call::Propose { kind, .. } => {
                *kind = if *kind == EntryKind::Data { EntryKind::Change } else { EntryKind::Data };
                true
            })
        }),
        ("bytes", |call| changed!(call, Call::Propose { bytes, .. } => more(bytes))),
        ("a change less", |call| changed!(call, Call::ApplyChange(change) => change.changes.pop().is_some())),
        ("another member", |call| match call {
            Call::ApplyChange(change) => change.changes.iter_mut().any(|(_, member)| another(member)),
            Call::TransferLeader { to } | Call::ReportSnapshot { to, .. } => another(to),
            _ => false,
        }),
        ("context", |call| changed!(call, Call::ReadIndex { context } => more(context))),
        ("arrived", |call| changed!(call, Call::ReportSnapshot { arrived, .. } => turned(arrived))),
        ("applied", |call| changed!(call, Call::Applied { index } => more(index))),
        ("persisted", |call| changed!(call, Call::Persisted { number } => more(number))),
        ("released", |call| changed!(call, Call::Release { numbers, .. } => numbers.pop().is_some())),
        ("released before", |call| changed!(call, Call::Release { durable, .. } => less(durable))),
        ("settings", |call| changed!(call, Call::Start(start) => more(&mut start.settings.election))),
        ("before", |call| changed!(call, Call::Start(start) => more(&mut start.before.0))),
    ];
    for (name, change) in of_call {
        add!(format!("call: {name}"), move |step| change(&mut step.call));
    }
    add!("call: a tick", |step| std::mem::replace(&mut step.call, Call::Tick) != Call::Tick);
    add!("call: a campaign", |step| std::mem::replace(&mut step.call, Call::Campaign) != Call::Campaign);
    add!("start: an entry less", |step| {
        changed!(&mut step.call, Call::Start(start) => fewer(&mut start.entries))
    });
    add!("start: a voter less", |step| {
        changed!(&mut step.call, Call::Start(start) => fewer_voters(&mut start.configuration))
    });
    all
}

fn none(member: &mut MemberId) -> bool {
    std::mem::replace(member, MemberId::NONE) != MemberId::NONE
}

fn fewer_voters(configuration: &mut Configuration) -> bool {
    configuration.voters.pop().is_some()
}

/// The entries once more, each as `change` makes it, without those of which it makes nothing.
fn remade(entries: &mut Entries, change: impl Fn(u64, u64, EntryKind) -> Option<(u64, EntryKind)>) -> bool {
    let bytes = entries.bytes;
    let runs: Vec<_> = entries.runs().copied().collect();
    entries.clear();
    for run in &runs {
        for index in run.first..=run.last() {
            if let Some((term, kind)) = change(index, run.term, run.kind) {
                entries.push(index, term, kind, 0);
            }
        }
    }
    entries.bytes = bytes;
    !runs.is_empty()
}

fn fewer(entries: &mut Entries) -> bool {
    let last = entries.last().map_or(0, |run| run.last());
    remade(entries, |index, term, kind| (index < last).then_some((term, kind)))
}

fn other_term(entries: &mut Entries) -> bool {
    remade(entries, |_, term, kind| Some((term + 1, kind)))
}

fn other_kinds(entries: &mut Entries) -> bool {
    remade(entries, |_, term, kind| {
        Some((term, if kind == EntryKind::Data { EntryKind::Change } else { EntryKind::Data }))
    })
}

#[test]
fn of_steps_with_a_change() {
    let case = short_swarm();
    let changes = changes();
    let mut said: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for seed in SEEDS {
        let plan = case.plan(seed);
        let (stream, _) = Stream::of(&plan);
        let mut wanted: BTreeMap<usize, String> = BTreeMap::new();
        for (kind, places) in stream.kinds() {
            if matches!(stream.0[places[0]], Shown::Step(..)) {
                wanted.insert(places[places.len() / 2], kind);
            }
        }
        let mut specification = etcdsim::monitors_of(&plan).specification;
        for (at, shown) in stream.0.iter().enumerate() {
            if let (Some(kind), Shown::Step(time, member, step)) = (wanted.get(&at), shown) {
                for (name, change) in &changes {
                    let mut changed = step.as_ref().clone();
                    if !change(&mut changed) {
                        continue;
                    }
                    let (mut specification, mut sheet) = (specification.clone(), Sheet::default());
                    specification.step(*time, *member, &changed, &mut sheet);
                    let next = stream.0[at + 1..].iter().take(AFTERWARDS);
                    next.for_each(|shown| shown.show(&mut specification, &mut sheet));
                    let verdict = sheet.into_verdict();
                    let rule = |one: &Violation| one.title.rsplit(' ').next().unwrap_or("").to_string();
                    let rules: Vec<String> = verdict.violations.iter().map(rule).collect();
                    let known = digest(&format!("{:?}", specification.counts_by_name()));
                    let all = digest(&format!("{:?}", verdict.violations)) ^ known;
                    let rules = if rules.is_empty() { "holds".to_string() } else { rules.join(" ") };
                    said.entry((kind.clone(), name)).or_default().push(format!("{rules} ({all:08x})"));
                }
            }
            shown.show(&mut specification, &mut Sheet::default());
        }
    }
    let mut text = String::new();
    for ((kind, change), said) in said {
        writeln!(text, "{kind}, {change}: {}", said.join("; ")).expect("a String takes everything");
    }
    compare("steps", &text);
}
