//! What Z counts and allows, if a member kept something else, if other things were alive, or with other settings.

use std::collections::BTreeSet;

use etcdsim::expectations_of;
use etcdsim::record::{Kept, KeptByMember, MemberId, Record};
use etcdsim_verify::{Context, Expectations, leaks};

use super::*;

/// The runs: short plans of the swarm.
const SEEDS: std::ops::Range<u64> = 0..4;
const SECOND: u64 = 1_000_000_000;

/// What Z compares, added up for each count: how many comparisons, how many are kept, how many may be.
fn compared(record: &Record, expectations: &Expectations) -> BTreeMap<&'static str, (u64, u64, u64)> {
    let mut sums = BTreeMap::new();
    for one in leaks::compare(&Context::new(record, expectations)) {
        let sum: &mut (u64, u64, u64) = sums.entry(one.count.name).or_default();
        *sum = (sum.0 + 1, sum.1 + one.kept, sum.2.wrapping_add(one.bound));
    }
    sums
}

/// One change of what is known.
type Change = Box<dyn Fn(&mut Record, &mut Expectations)>;

/// All changes, by name.
fn changes() -> Vec<(&'static str, Change)> {
    let mut all: Vec<(&'static str, Change)> = Vec::new();
    macro_rules! moments {
        ($($name:literal $change:expr;)*) => {
            $(all.push(($name, Box::new(|record, _| record.kept.iter_mut().for_each(|moment: &mut Kept| ($change)(moment)))));)*
        };
    }
    macro_rules! members {
        ($($name:literal $change:expr;)*) => {
            $(all.push(($name, Box::new(|record, _| {
                let members = record.kept.iter_mut().flat_map(|moment| &mut moment.members);
                members.for_each(|member: &mut KeptByMember| ($change)(member));
            })));)*
        };
    }
    macro_rules! limits {
        ($($name:literal $change:expr;)*) => {
            $(all.push(($name, Box::new(|_, expectations| ($change)(&mut expectations.bounds))));)*
        };
    }
    moments! {
        "the cluster has not settled" |moment: &mut Kept| moment.settled = false;
        "the cluster has settled" |moment: &mut Kept| moment.settled = true;
        "not all is healed" |moment: &mut Kept| moment.all_healed = false;
        "all is healed" |moment: &mut Kept| moment.all_healed = true;
        "one member more" |moment: &mut Kept| moment.configured.push(MemberId::new(9));
        "one member less" |moment: &mut Kept| _ = moment.configured.pop();
        "the configuration is newer" |moment: &mut Kept| moment.configured_at += 1_000_000;
        "no leader" |moment: &mut Kept| moment.leader_since = moment.time;
        "packets are held" |moment: &mut Kept| moment.held_packets += 1;
        "5 s earlier" |moment: &mut Kept| moment.time -= 5 * SECOND;
        "20 s earlier" |moment: &mut Kept| moment.time = moment.time.saturating_sub(20 * SECOND);
        "a minute later" |moment: &mut Kept| moment.time += 60 * SECOND;
        "one member's process does not run" |moment: &mut Kept| _ = moment.members.pop();
    }
    members! {
        "outside of the core" |member: &mut KeptByMember| member.core = false;
        "the first process" |member: &mut KeptByMember| member.incarnation = 1;
        "the second process" |member: &mut KeptByMember| member.incarnation = 2;
        "from the beginning" |member: &mut KeptByMember| member.started = 0;
        "started 15 s later" |member: &mut KeptByMember| member.started += 15 * SECOND;
        "applied 50 entries less" |member: &mut KeptByMember| member.applied = member.applied.saturating_sub(50);
        "applied 50 entries more" |member: &mut KeptByMember| member.applied += 50;
        "a snapshot of the leader" |member: &mut KeptByMember| {
            (member.installed, member.installed_at) = (member.applied / 2, 20 * SECOND);
        };
        "a newer snapshot of the leader" |member: &mut KeptByMember| {
            (member.installed, member.installed_at) = (member.applied, 40 * SECOND);
        };
        "inputs wait" |member: &mut KeptByMember| member.inbox += 1_000;
        "inputs waited" |member: &mut KeptByMember| member.behind.push((10 * SECOND, 40 * SECOND));
        "inputs waited for long" |member: &mut KeptByMember| member.behind.push((0, 1_000 * SECOND));
        "a receipt more" |member: &mut KeptByMember| member.receipts += 1;
        "more files" |member: &mut KeptByMember| {
            for name in ["snap/1-1.snap", "a.tmp", "wal/0000000000000000-0000000000000000.wal"] {
                member.files.insert(0, (name.to_string(), 1));
            }
        };
        "twice as much" |member: &mut KeptByMember| member.counts.iter_mut().for_each(|count| count.1 = 2 * count.1 + 1);
        "nothing" |member: &mut KeptByMember| member.counts.clear();
    }
    limits! {
        "request timeout" |limits: &mut leaks::Limits| limits.request_timeout *= 4;
        "read index retry" |limits: &mut leaks::Limits| limits.read_index_retry /= 4;
        "corrupt check" |limits: &mut leaks::Limits| limits.corrupt_check = Some(SECOND);
        "no corrupt check" |limits: &mut leaks::Limits| limits.corrupt_check = None;
        "token ttl" |limits: &mut leaks::Limits| limits.token_ttl = SECOND;
        "long token ttl" |limits: &mut leaks::Limits| limits.token_ttl = 1_000 * SECOND;
        "compaction pause" |limits: &mut leaks::Limits| limits.compaction_pause += 10 * SECOND;
        "compaction batch" |limits: &mut leaks::Limits| (limits.compaction_batch, limits.compaction_pause) = (1, SECOND);
        "snapshot count" |limits: &mut leaks::Limits| limits.snapshot_count = limits.snapshot_count / 2 + 1;
        "catch-up entries" |limits: &mut leaks::Limits| limits.catch_up_entries += 7;
        "segment" |limits: &mut leaks::Limits| limits.wal_segment_bytes = 100_000;
        "watch window" |limits: &mut leaks::Limits| limits.watch_window += 1;
        "watch buffer" |limits: &mut leaks::Limits| limits.watch_buffer = 0;
        "clocks stop" |limits: &mut leaks::Limits| limits.clocks_stop = !limits.clocks_stop;
        "links break" |limits: &mut leaks::Limits| limits.links_break = !limits.links_break;
    }
    let others: Vec<(&'static str, Change)> = vec![
        ("healed from the beginning", Box::new(|record, _| record.healed = 0)),
        ("healed later", Box::new(|record, _| record.healed += 15 * SECOND)),
        ("slow clocks", Box::new(|_, expectations| expectations.clock_rates.0 /= 2)),
        (
            "no client had an answer",
            Box::new(|record, _| {
                for operation in &mut record.history.operations {
                    let gave_up = operation.call + 5 * SECOND;
                    operation.outcome = etcdsim::record::Outcome::Unknown { gave_up };
                }
            }),
        ),
        (
            "no client gave up",
            Box::new(|record, _| {
                for operation in &mut record.history.operations {
                    if let etcdsim::record::Outcome::Unknown { gave_up } = &mut operation.outcome {
                        *gave_up = u64::MAX;
                    }
                }
            }),
        ),
        (
            "no stream ended",
            Box::new(|record, _| {
                record.history.watches.iter_mut().for_each(|stream| stream.ended = None);
            }),
        ),
        (
            "all streams ended",
            Box::new(|record, _| {
                for stream in &mut record.history.watches {
                    stream.ended = Some((stream.opened + 1, etcdsim::record::StreamEnd::Closed));
                }
            }),
        ),
        (
            "no entry of a client was applied",
            Box::new(|record, _| {
                record.applied.retain(|entry| entry.operation.is_none());
            }),
        ),
        (
            "all entries were applied late",
            Box::new(|record, _| {
                record.applied.iter_mut().for_each(|entry| entry.time += 20 * SECOND);
            }),
        ),
    ];
    all.extend(others);
    all
}

#[test]
fn of_what_may_be_kept() {
    let case = short_swarm();
    let changes = changes();
    let mut text = String::new();
    for seed in SEEDS {
        let plan = case.plan(seed);
        let record = run(&plan).record;
        let expectations = expectations_of(&plan);
        let usual = compared(&record, &expectations);
        for (name, (times, kept, bound)) in &usual {
            writeln!(text, "{seed} {name}: {times} times, {kept} of {bound}")
                .expect("a String takes everything");
        }
        for (change, make) in &changes {
            let (mut record, mut expectations) = (record.clone(), expectations.clone());
            make(&mut record, &mut expectations);
            let now = compared(&record, &expectations);
            let names: BTreeSet<&str> = usual.keys().chain(now.keys()).copied().collect();
            writeln!(text, "{seed} {change}").expect("a String takes everything");
            for name in names.into_iter().filter(|name| usual.get(name) != now.get(name)) {
                match now.get(name) {
                    Some((times, kept, bound)) => {
                        writeln!(text, "    {name}: {times} times, {kept} of {bound}")
                    }
                    None => writeln!(text, "    {name}: not compared"),
                }
                .expect("a String takes everything");
            }
        }
    }
    compare("kept", &text);
}
