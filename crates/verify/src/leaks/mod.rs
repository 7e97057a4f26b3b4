//! Z: what a member keeps is bounded by what is alive.
//!
//! At the end of the calm phase, if there is one, and when a run is over, each member whose process runs is asked what
//! it keeps: how many proposals, watchers, leases, entries of the log and so on. Each count has a row in [`counts`]
//! with its bound, which is derived from what the judge knows by itself: which calls clients may still wait for, which
//! watchers they hold, which leases were granted and have not ended, who is a member. Whatever is kept beyond that has
//! leaked: it grows with what a server has ever done, until it runs out of memory or space.
//!
//! Not checked: how long anything is kept while it is alive; members outside of the core, whose faults go on; what is kept
//! while the cluster has not settled, except at the end of the calm phase.

mod alive;
pub mod counts;

use std::collections::BTreeMap;

use record::{Kept, KeptByMember, Nanos};

use self::alive::Alive;
use self::counts::{COUNTS, Count};
use crate::{Context, Oracle, Sheet, Violation, describe};

/// The settings of the members on which bounds depend, with etcd's defaults. Times are in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// How long a member works on a request.
    pub request_timeout: Nanos,
    /// How long it waits for an answer to ReadIndex before it asks again.
    pub read_index_retry: Nanos,
    /// The time between two comparisons of hashes; `None` if there are none.
    pub corrupt_check: Option<Nanos>,
    /// How long an unused token is valid.
    pub token_ttl: Nanos,
    /// The pause between two batches of a compaction.
    pub compaction_pause: Nanos,
    /// How many rows a batch of a compaction has.
    pub compaction_batch: u64,
    /// After how many entries there is a snapshot of the log.
    pub snapshot_count: u64,
    /// How many entries stay in the log before a snapshot.
    pub catch_up_entries: u64,
    /// How long a segment of the log becomes, in bytes, before the next one begins.
    pub wal_segment_bytes: u64,
    /// How many responses may be in flight on a watch stream.
    pub watch_window: u64,
    /// How many notices may wait for a watch stream.
    pub watch_buffer: u64,
    /// Whether a fault stops clocks. If so, the times of members mean nothing before the cluster is healed.
    pub clocks_stop: bool,
    /// Whether a fault breaks links. If so, a member may not learn that a client has closed a stream.
    pub links_break: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        const MS: Nanos = 1_000_000;
        Limits {
            request_timeout: 7_000 * MS,
            read_index_retry: 500 * MS,
            corrupt_check: None,
            token_ttl: 300_000 * MS,
            compaction_pause: 10 * MS,
            compaction_batch: 1_000,
            snapshot_count: 10_000,
            catch_up_entries: 5_000,
            wal_segment_bytes: 64_000_000,
            watch_window: 16,
            watch_buffer: 128,
            clocks_stop: false,
            links_break: false,
        }
    }
}

/// One comparison of what a member keeps with what is alive.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// What is counted.
    pub count: &'static Count,
    /// When.
    pub moment: &'a Kept,
    /// Who keeps it.
    pub member: &'a KeptByMember,
    /// How many there are.
    pub kept: u64,
    /// How many there may be.
    pub bound: u64,
}

/// Compares all counts of a record with what was alive. Counts whose bound is not known are left out.
pub fn compare<'a>(context: &Context<'a>) -> Vec<Comparison<'a>> {
    let mut comparisons = Vec::new();
    for moment in &context.record.kept {
        // If the cluster has not settled when the run is over, V1 reports that.
        if !moment.settled && moment.time >= context.record.stats.virtual_ns {
            continue;
        }
        for member in moment.members.iter().filter(|member| member.core) {
            let alive = Alive::new(context, moment, member);
            for count in COUNTS {
                let (Some(kept), Some(bound)) = ((count.kept)(&alive), (count.bound)(&alive)) else {
                    continue;
                };
                comparisons.push(Comparison { count, moment, member, kept, bound });
            }
        }
    }
    comparisons
}

/// Judges a record by Z.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let comparisons = compare(context);
    let mut compared: BTreeMap<&'static str, usize> = BTreeMap::new();
    comparisons.iter().for_each(|one| *compared.entry(one.count.name).or_default() += 1);
    compared.into_iter().for_each(|(name, times)| sheet.checked(Oracle::Z, name, times));
    let mut reported: Vec<&str> = Vec::new();
    for Comparison { count, moment, member, kept, bound } in comparisons {
        if kept <= bound || reported.contains(&count.name) {
            continue;
        }
        reported.push(count.name);
        let when = if moment.settled { "when the run was over" } else { "at the end of the calm phase" };
        let title = format!("a member keeps more than is alive: {}", count.what);
        let violation = Violation::new(Oracle::Z, moment.time, title)
            .say(format!(
                "Member {} kept {kept} of `{}` at {}, {when}; at most {bound} can have been alive.",
                member.member,
                count.name,
                describe::time(moment.time),
            ))
            .say(format!("The bound: {}.", count.why));
        sheet.add(violation);
    }
}
