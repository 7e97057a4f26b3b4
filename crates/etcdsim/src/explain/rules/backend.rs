//! The backend: a commit holds the effects of entries together with the consistent index that covers them, and no
//! commit goes back.

use std::collections::BTreeMap;

use contract::disk::DiskErrorKind;
use record::inner::CommitCause;
use record::{Fact, Inner, MemberId, Nanos, Stop};

use crate::explain::evidence::{Evidence, What};
use crate::explain::wrong::{Wrong, time};

/// A commit is one transaction, with rows and consistent index together.
pub(super) fn commits(evidence: &Evidence) -> Vec<Wrong> {
    let mut found = Vec::new();
    for happened in &evidence.all {
        let What::Inner(Inner::Commits { applied, before, transactions, why }) = &happened.what else {
            continue;
        };
        let has_rows = transactions.iter().any(|(rows, _)| *rows > 0);
        let right = matches!(transactions[..], [(_, index)] if index == *applied);
        if right || !has_rows || before == applied {
            continue;
        }
        let member = happened.member;
        let cause = match why {
            CommitCause::Due => "",
            CommitCause::Defragmentation => " before a defragmentation",
            CommitCause::Snapshot => " for a leader's snapshot",
        };
        let what = match transactions[..] {
            [(rows, index)] => format!(
                "wrote the effects of the entries up to {applied} ({rows} rows), but left the consistent index at {index}: a restart applies the entries from {} on again",
                index + 1
            ),
            [(rows, first), ..] if rows > 0 => format!(
                "wrote the effects of the entries up to {applied} ({rows} rows) in one transaction, with the consistent index still at {first}, and the index in a later one: a restart between the two applies the entries from {} on again",
                first + 1
            ),
            _ => format!(
                "wrote the consistent index {applied} in a transaction of its own, ahead of the effects of the entries {} to {applied}: a restart between the two skips these entries",
                before + 1
            ),
        };
        let says = format!("Member {member}'s backend commit{cause} at {} {what}.", time(happened.time));
        let list = |(rows, index): &(usize, u64)| format!("{rows} rows with consistent index {index}");
        let transactions: Vec<String> = transactions.iter().map(list).collect();
        found.push(
            Wrong::new(happened.time, member, says)
                .rule("A backend commit is one transaction with the rows and the consistent index of the last applied entry.")
                .change(format!("consistent index {before}"), transactions.join(", then ")),
        );
    }
    found
}

/// The copy of a defragmentation does not replace newer content.
pub(super) fn replaced(evidence: &Evidence) -> Vec<Wrong> {
    let mut found = Vec::new();
    for (place, happened) in evidence.all.iter().enumerate() {
        let What::Inner(Inner::ReplacesByCopy { held, holds }) = &happened.what else { continue };
        if holds >= held {
            continue;
        }
        let member = happened.member;
        let mut began = None;
        let mut installed = None;
        for earlier in evidence.before(place).filter(|earlier| earlier.member == member) {
            match &earlier.what {
                What::Inner(Inner::Copies { .. }) => {
                    began = Some(earlier.time);
                    break;
                }
                What::Fact(record::Fact::Own(record::EtcdFact::SnapshotInstalled { index, .. })) => {
                    installed.get_or_insert((earlier.time, *index));
                }
                _ => {}
            }
        }
        let since = began.map_or(String::new(), |at| format!(" (made at {})", time(at)));
        let lost = installed.map_or(String::new(), |(at, index)| {
            format!(" The snapshot of entry {index}, which the leader sent and member {member} installed at {}, is lost from its disk.", time(at))
        });
        let says = format!(
            "Member {member} replaced its backend, which held the entries up to {held}, by the copy of a defragmentation{since} that holds only those up to {holds}, although a snapshot from the leader had replaced the content meanwhile.",
        );
        found.push(
            Wrong::new(happened.time, member, says)
                .rule("A defragmentation and the installation of a snapshot exclude each other: a copy replaces only the content of which it is a copy.")
                .change(format!("the backend holds the entries up to {held}"), format!("up to {holds}"))
                .say(lost.trim_start().to_string()),
        );
    }
    for wrong in &mut found {
        wrong.more.retain(|sentence| !sentence.is_empty());
    }
    found
}

/// A start finds the backend as the commits before it left it, unless a fault damaged the disk.
pub(super) fn found(evidence: &Evidence) -> Vec<Wrong> {
    // The commits of each member since its last start: time, rows, consistent index.
    let mut commits: BTreeMap<MemberId, Vec<(Nanos, usize, u64)>> = BTreeMap::new();
    let mut damaged = Vec::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let (at, member) = (happened.time, happened.member);
        match &happened.what {
            What::Fact(Fact::Fault { effect, .. }) if effect.damages => damaged.push(member),
            What::Inner(Inner::Loaded(loaded)) if loaded.by_start => _ = commits.remove(&member),
            What::Inner(Inner::Commits { transactions, .. }) => {
                let rows = transactions.iter().map(|(rows, _)| rows).sum();
                let index = transactions.last().map_or(0, |(_, index)| *index);
                commits.entry(member).or_default().push((at, rows, index));
            }
            What::Fact(Fact::Stopped(Stop::Refused(why))) => {
                let Some(all) = commits.get(&member) else { continue };
                let (Some(first), Some(last)) = (all.first(), all.last()) else { continue };
                if damaged.iter().any(|of| of.is_none() || *of == member) || is_disk_error(why) {
                    continue;
                }
                let lost = match missing_rows(why) {
                    Some(rows) if rows == first.1 => format!(
                        ": {rows} rows are missing, as many as the first of these commits, at {}, had written",
                        time(first.0)
                    ),
                    Some(1) => ": 1 row that they wrote is missing".to_string(),
                    Some(rows) => format!(": {rows} rows that they wrote are missing"),
                    None => String::new(),
                };
                let says = format!(
                    "Member {member}'s backend file was brought up to date wrongly with the {} commits since its last start (of {} to {}, the last with consistent index {}){lost}. No fault damaged its disk, and yet its start at {} refused the file: {}.",
                    all.len(),
                    time(first.0),
                    time(last.0),
                    last.2,
                    time(at),
                    why.trim_end_matches('.')
                );
                found.push(
                    Wrong::new(at, member, says)
                        .rule("What a start finds in the backend is what the commits before it have written: every row, and the consistent index of the last one. (The simulator keeps commits and writes them into the file together, when somebody can see it.)")
                        .change(
                            format!("{} commits, the last with consistent index {}", all.len(), last.2),
                            format!("a file that the start refused: {}", why.trim_end_matches('.')),
                        ),
                );
            }
            _ => {}
        }
    }
    found
}

/// Whether a start failed because a disk operation did, which says nothing about the file.
fn is_disk_error(why: &str) -> bool {
    [DiskErrorKind::Io, DiskErrorKind::Full].iter().any(|kind| why.contains(&kind.to_string()))
}

/// How many rows are missing, if the reason for which a start refuses a file says so: "over 112 rows … over 125 rows".
fn missing_rows(why: &str) -> Option<usize> {
    let mut counts = why.split("over ").skip(1).filter_map(|part| {
        let (number, rest) = part.split_once(' ')?;
        rest.starts_with("rows").then(|| number.parse::<usize>().ok())?
    });
    let (there, recorded) = (counts.next()?, counts.next()?);
    recorded.checked_sub(there).filter(|missing| *missing > 0)
}
