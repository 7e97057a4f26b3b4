//! The replicated state: members with the same applied index have the same state, and a restart or a snapshot restores
//! all of it.

use std::collections::{BTreeMap, BTreeSet};

use record::inner::{Command, Loaded, Row, State};
use record::{EtcdFact, Fact, Inner, MemberId, MessageKind, Nanos, Stop};
use verify::describe;

use crate::explain::evidence::{Evidence, What};
use crate::explain::wrong::{Subject, Wrong, time};

/// Members with the same applied index have the same state.
pub(super) fn agrees(evidence: &Evidence) -> Vec<Wrong> {
    let mut first: BTreeMap<u64, (MemberId, Nanos, &State)> = BTreeMap::new();
    let mut apart: BTreeSet<MemberId> = BTreeSet::new();
    let mut loads: BTreeMap<MemberId, &Loaded> = BTreeMap::new();
    let mut last: BTreeMap<MemberId, &State> = BTreeMap::new();
    let mut found = Vec::new();
    for (place, happened) in evidence.all.iter().enumerate() {
        let member = happened.member;
        match &happened.what {
            What::Inner(Inner::Loaded(loaded)) => {
                apart.remove(&member);
                loads.insert(member, loaded);
            }
            What::Inner(Inner::State(state)) => {
                let load = loads.remove(&member);
                let own = last.insert(member, state);
                let Some((other, at, before)) = first.get(&state.index) else {
                    first.insert(state.index, (member, happened.time, state));
                    continue;
                };
                if state.hashes == before.hashes || !apart.insert(member) {
                    continue;
                }
                let parts = differences(before, state);
                let how = match load {
                    Some(load) if load.by_start => format!("restarted at {} with", time(happened.time)),
                    Some(_) => format!(
                        "received with the leader's snapshot of entry {}, at {},",
                        state.index,
                        time(happened.time)
                    ),
                    None => format!("has after applying {}", evidence.name_of(state.index)),
                };
                let there = if *other == member { "it had itself" } else { "member" };
                let there = if *other == member { there.to_string() } else { format!("{there} {other} had") };
                let list = |which: fn(&(String, String)) -> &String| {
                    parts.iter().map(|part| which(part).as_str()).collect::<Vec<_>>().join(", ")
                };
                let (was, now) = (list(|part| &part.0), list(|part| &part.1));
                let says = format!(
                    "Member {member} {how} {now}, where {there} {was} after the same entry {} (at {}).",
                    state.index,
                    time(*at)
                );
                let changed =
                    if state.members == before.members { None } else { last_change(evidence, state.index) };
                // The two states are one member's only if it compares with itself.
                let (was, now) = if *other == member {
                    (was, now)
                } else {
                    (format!("member {other} had {was}"), format!("member {member} has {now}"))
                };
                let mut wrong = Wrong::new(happened.time, member, says)
                    .rule("Members that have applied the same entries have the same state, also after a restart and after a snapshot.")
                    .change(was, now)
                    .about(Subject::Entry(changed.unwrap_or(state.index)));
                if let Some(changed) = changed {
                    wrong = wrong.say(format!(
                        "The last change of the membership up to there was {}; what is saved does not have it.",
                        evidence.name_of(changed)
                    ));
                }
                let by_snapshot = load.is_some_and(|load| !load.by_start);
                if by_snapshot && state.users != before.users {
                    let sent = sender(evidence, place, member);
                    let sent = sent.and_then(|from| Some((from, *last.get(&from)?)));
                    wrong.more.extend(users_around(own, sent, member));
                }
                found.push(wrong);
            }
            _ => {}
        }
    }
    found
}

/// The member whose snapshot a member has received last before this place.
fn sender(evidence: &Evidence, place: usize, member: MemberId) -> Option<MemberId> {
    evidence.before(place).filter(|happened| happened.member == member).find_map(|happened| {
        match &happened.what {
            What::Fact(Fact::Delivered { from, head, .. }) if head.kind == MessageKind::Snapshot => {
                Some(*from)
            }
            _ => None,
        }
    })
}

/// The auth revisions that a member had before it installed a snapshot, and that the sender of the snapshot had, as far
/// as they are known; a sentence.
fn users_around(own: Option<&State>, sent: Option<(MemberId, &State)>, member: MemberId) -> Option<String> {
    let had = |who: String, state: &State| {
        format!("{who} had auth revision {} after entry {}", state.users, state.index)
    };
    let own = own.map(|own| had(format!("before the snapshot, member {member}"), own));
    let sent = sent.map(|(from, state)| had(format!("member {from}, which sent the snapshot,"), state));
    let both: Vec<String> = own.into_iter().chain(sent).collect();
    (!both.is_empty()).then(|| format!("The auth revisions around it: {}.", both.join("; ")))
}

/// The last entry up to an index that changed the membership.
fn last_change(evidence: &Evidence, index: u64) -> Option<u64> {
    let is_change = |index: &u64| {
        evidence.entry(*index).is_some_and(|entry| matches!(entry.command, Command::Membership(_)))
    };
    (1..=index).rev().find(is_change)
}

/// What differs between two states, each in words; never empty.
fn differences(one: &State, other: &State) -> Vec<(String, String)> {
    let mut parts = Vec::new();
    let members = |state: &State| -> Vec<String> {
        let role = |(id, learner): &(MemberId, bool)| {
            format!("member {id} as a {}", if *learner { "learner" } else { "voter" })
        };
        state.members.iter().map(role).collect()
    };
    if one.members != other.members {
        let (mut was, mut now) = (members(one), members(other));
        let same: Vec<String> = was.iter().filter(|part| now.contains(part)).cloned().collect();
        was.retain(|part| !same.contains(part));
        now.retain(|part| !same.contains(part));
        let list = |parts: Vec<String>| {
            if parts.is_empty() { "no such member".to_string() } else { parts.join(" and ") }
        };
        parts.push((list(was), list(now)));
    } else if one.hashes[1] != other.hashes[1] {
        parts.push((
            "another list of members or alarms".to_string(),
            "a list of members and alarms".to_string(),
        ));
    }
    if one.users != other.users {
        parts.push((
            format!("auth revision {} for its users and roles", one.users),
            format!("auth revision {} for its users and roles", other.users),
        ));
    } else if one.hashes[2] != other.hashes[2] {
        parts.push(("other users and roles".to_string(), "users and roles".to_string()));
    }
    if one.revision != other.revision {
        parts.push((format!("revision {}", one.revision), format!("a store at revision {}", other.revision)));
    } else if one.compacted != other.compacted {
        parts.push((
            format!("{} as the compact revision", one.compacted),
            format!("{} as the compact revision", other.compacted),
        ));
    } else if one.leases != other.leases {
        parts.push((format!("{} leases", one.leases), format!("{} leases", other.leases)));
    } else if one.hashes[0] != other.hashes[0] {
        parts.push((
            format!("other keys at revision {}", one.revision),
            format!("keys at revision {}", other.revision),
        ));
    }
    parts
}

/// A restart or a snapshot restores every row that the entries up to its index made, and no other.
pub(super) fn loads(evidence: &Evidence) -> Vec<Wrong> {
    // The rows of each entry, and those that a cluster began with.
    let mut made: BTreeMap<u64, &[Row]> = BTreeMap::new();
    let mut revisions: BTreeMap<u64, i64> = BTreeMap::new();
    let mut base: Option<(u64, &[Row])> = None;
    let mut found = Vec::new();
    for (place, happened) in evidence.all.iter().enumerate() {
        match &happened.what {
            What::Inner(Inner::Applied(entry)) => {
                made.entry(entry.index).or_insert(&entry.rows);
            }
            What::Inner(Inner::State(state)) => _ = revisions.entry(state.index).or_insert(state.revision),
            What::Inner(Inner::Loaded(loaded)) => {
                // The first start of a member that joins has nothing.
                if loaded.index == 0 {
                    continue;
                }
                let Some((begun, rows)) = base else {
                    base = Some((loaded.index, &loaded.rows));
                    continue;
                };
                let last_known = made.last_key_value().map_or(begun, |(index, _)| *index);
                if loaded.index <= begun || loaded.index > last_known {
                    continue;
                }
                let due: BTreeSet<&Row> = rows
                    .iter()
                    .chain(made.range(begun + 1..=loaded.index).flat_map(|(_, rows)| rows.iter()))
                    .collect();
                let wrong = compare(evidence, place, loaded, &due, revisions.get(&loaded.index).copied());
                found.extend(wrong);
            }
            _ => {}
        }
    }
    found
}

/// What is wrong with a loaded store, which should hold the rows in `due`.
fn compare(
    evidence: &Evidence,
    place: usize,
    loaded: &Loaded,
    due: &BTreeSet<&Row>,
    revision: Option<i64>,
) -> Option<Wrong> {
    let happened = &evidence.all[place];
    let member = happened.member;
    let there: BTreeSet<&Row> = loaded.rows.iter().collect();
    let (compacted, _) = loaded.compaction;
    // The newest row of each key up to the compact revision must stay, unless it is a tombstone below it.
    let mut newest: BTreeMap<&[u8], (i64, i64)> = BTreeMap::new();
    for row in due.iter().filter(|row| row.at.0 <= compacted) {
        let at = newest.entry(&row.key).or_insert(row.at);
        *at = row.at.max(*at);
    }
    let may_be_gone = |row: &Row| {
        row.at.0 <= compacted
            && (newest.get(&row.key[..]).is_some_and(|newest| *newest > row.at)
                || row.tombstone && row.at.0 < compacted)
    };
    let missing: Vec<&Row> =
        due.iter().filter(|row| !there.contains(**row) && !may_be_gone(row)).copied().collect();
    let extra: Vec<&Row> = there.iter().filter(|row| !due.contains(**row)).copied().collect();
    let how = if loaded.by_start { "restart" } else { "installation of a leader's snapshot" };
    let index = loaded.index;
    let ended = last_end(evidence, place, member);
    let mut made_later: BTreeSet<i64> = BTreeSet::new();
    if !extra.is_empty() {
        let entries = evidence.entries().filter(|entry| entry.index > index);
        made_later.extend(entries.flat_map(|entry| &entry.rows).map(|row| row.at.0));
    }
    let later: Vec<&Row> = extra.iter().filter(|row| made_later.contains(&row.at.0)).copied().collect();
    let all =
        "A restart and a snapshot bring the state that the entries up to the index have made: all of it";
    let rule = if later.is_empty() && !extra.is_empty() {
        format!("{all}, and as they made it.")
    } else {
        format!("{all}, and nothing of later entries.")
    };
    let says = if let Some(first) = later.first() {
        let by = maker(evidence, first.at.0);
        format!(
            "Member {member}'s {how} at {} found a store that says it holds the entries up to {index}, but that already has {}, which {by} made.",
            time(happened.time),
            rows(&later)
        )
    } else if !extra.is_empty() {
        format!(
            "Member {member}'s {how} at {} found a store of entry {index} that differs from what the entries up to there have made: it has {}.",
            time(happened.time),
            changed(&extra, &missing)
        )
    } else if let Some(first) = missing.first() {
        let by = maker(evidence, first.at.0);
        format!(
            "Member {member}'s {how} at {} left out {} of the store of entry {index}, which {by} had made{}.",
            time(happened.time),
            rows(&missing),
            lone(first, &there)
        )
    } else {
        return None;
    };
    let mut wrong = Wrong::new(happened.time, member, says)
        .rule(rule)
        .change(
            format!(
                "the store of entry {index} has {} at revision {}",
                counted(due.iter().filter(|row| !may_be_gone(row)).count()),
                revision.map_or("?".to_string(), |revision| revision.to_string())
            ),
            format!("{} at revision {}", counted(loaded.rows.len()), loaded.revision),
        )
        .about(
            later
                .first()
                .or(extra.first())
                .or(missing.first())
                .map_or(Subject::Entry(index), |row| Subject::Revision(row.at.0)),
        );
    if let Some(ended) = ended {
        wrong = wrong.say(ended);
    }
    Some(wrong)
}

fn counted(rows: usize) -> String {
    if rows == 1 { "1 row".to_string() } else { format!("{rows} rows") }
}

/// What a store has in place of what it should have, if it has nothing of later entries.
fn changed(extra: &[&Row], missing: &[&Row]) -> String {
    match (extra, missing) {
        ([one, ..], [other, ..]) if row(one) == row(other) => {
            format!("{} as change {} of that revision, and not as change {}", row(one), one.at.1, other.at.1)
        }
        (_, [_, ..]) => format!("{} in place of {}", rows(extra), rows(missing)),
        (_, []) => format!("{}, which none of them made", rows(extra)),
    }
}

/// Says so if a missing row is a deletion and no put of its key is left.
fn lone(row: &Row, there: &BTreeSet<&Row>) -> &'static str {
    let has_puts = there.iter().any(|other| other.key == row.key && other.at < row.at);
    if row.tombstone && !has_puts { ": a deletion whose puts a compaction has removed" } else { "" }
}

/// The first of some rows, and how many more there are.
fn rows(rows: &[&Row]) -> String {
    let first = rows.first().map_or(String::new(), |row| self::row(row));
    match rows.len() {
        0 | 1 => first,
        2 => format!("{first} and 1 more"),
        many => format!("{first} and {} more", many - 1),
    }
}

/// A row in words.
pub(in crate::explain) fn row(row: &Row) -> String {
    let what = if row.tombstone { "deletion" } else { "put" };
    format!("the {what} of {} at revision {}", describe::key(&row.key), row.at.0)
}

/// The entry that made a revision, in words.
fn maker(evidence: &Evidence, revision: i64) -> String {
    let entry = evidence.all.iter().find_map(|happened| match &happened.what {
        What::Inner(Inner::Applied(entry)) if entry.rows.iter().any(|row| row.at.0 == revision) => {
            Some(entry)
        }
        _ => None,
    });
    entry.map_or_else(|| "an entry".to_string(), |entry| evidence.name(entry))
}

/// A restart or a snapshot restores the revision that the entries up to its index made.
pub(super) fn revisions(evidence: &Evidence) -> Vec<Wrong> {
    let mut known: BTreeMap<u64, i64> = BTreeMap::new();
    let mut found = Vec::new();
    for (place, happened) in evidence.all.iter().enumerate() {
        let loaded = match &happened.what {
            What::Inner(Inner::State(state)) => {
                known.entry(state.index).or_insert(state.revision);
                continue;
            }
            What::Inner(Inner::Loaded(loaded)) => loaded,
            _ => continue,
        };
        let Some(revision) = known.get(&loaded.index).copied() else { continue };
        let last = loaded.rows.last().map_or(0, |row| row.at.0);
        // A revision that is too high follows from rows of later entries, which `loads` reports.
        if loaded.revision >= revision {
            continue;
        }
        let member = happened.member;
        let how = if loaded.by_start { "restart" } else { "installation of a leader's snapshot" };
        let (scheduled, finished) = loaded.compaction;
        let compaction = if scheduled >= revision {
            format!(
                ", for the compaction to {scheduled} has removed the newer ones, and the revision of a compaction that is scheduled (the last finished one is to {finished}) was not taken into account"
            )
        } else {
            format!(" (compaction: {scheduled} scheduled, {finished} finished)")
        };
        let says = format!(
            "Member {member}'s {how} at {} set the store's revision back from {revision}, where entry {} had left it, to {}: it derived the revision from the newest row that is left, of revision {last}{compaction}.",
            time(happened.time),
            loaded.index,
            loaded.revision
        );
        let mut wrong = Wrong::new(happened.time, member, says)
            .rule("A restart and a snapshot bring the revision that the entries up to the index have made, whatever a compaction has removed.")
            .change(format!("revision {revision}"), format!("revision {}", loaded.revision))
            .about(Subject::Entry(loaded.index));
        if let Some(ended) = last_end(evidence, place, member) {
            wrong = wrong.say(ended);
        }
        found.push(wrong);
    }
    found
}

/// How the process before this start ended, as a sentence.
fn last_end(evidence: &Evidence, place: usize, member: MemberId) -> Option<String> {
    let mut own = evidence.before(place).filter(|happened| happened.member == member);
    own.find_map(|happened| match &happened.what {
        What::Fact(Fact::Stopped(stop)) => {
            let how = match stop {
                Stop::PowerLoss => "lost power",
                Stop::Crash => "was killed",
                Stop::Graceful => "was stopped",
                Stop::Fatal(_) | Stop::Panic(_) | Stop::Refused(_) | Stop::Removed => "had ended",
            };
            Some(format!("Member {member} {how} at {}.", time(happened.time)))
        }
        _ => None,
    })
}

/// The revisions of each key on each member.
type Revisions<'a> = BTreeMap<(MemberId, &'a [u8]), BTreeSet<(i64, i64)>>;

/// A compaction removes only what no read and no watcher from its revision on can need.
pub(super) fn compaction(evidence: &Evidence) -> Vec<Wrong> {
    let mut keys: Revisions<'_> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let member = happened.member;
        match &happened.what {
            What::Inner(Inner::Applied(entry)) => {
                for row in &entry.rows {
                    keys.entry((member, &row.key)).or_default().insert(row.at);
                }
            }
            What::Inner(Inner::Loaded(loaded)) => {
                keys.retain(|(of, _), _| *of != member);
                for row in &loaded.rows {
                    keys.entry((member, &row.key)).or_default().insert(row.at);
                }
            }
            What::Inner(Inner::Removed { compacted, rows }) => {
                for row in rows {
                    let all = keys.entry((member, &row.key)).or_default();
                    let newer = all.iter().any(|at| *at > row.at && at.0 <= *compacted);
                    let right = if row.tombstone { row.at.0 < *compacted } else { newer };
                    all.remove(&row.at);
                    if right {
                        continue;
                    }
                    let says = format!(
                        "Member {member}'s compaction to revision {compacted} removed {} itself, which {} made{}.",
                        self::row(row),
                        maker(evidence, row.at.0),
                        if row.at.0 == *compacted {
                            ": a watch from the compact revision must still find it"
                        } else {
                            ""
                        }
                    );
                    found.push(
                        Wrong::new(happened.time, member, says)
                            .rule("A compaction to a revision removes only what no read and no watch from that revision on can need; changes at that revision itself stay.")
                            .change(
                                format!("the history from revision {compacted} on has {}", self::row(row)),
                                "it begins after it".to_string(),
                            )
                            .about(Subject::Revision(row.at.0)),
                    );
                }
            }
            _ => {}
        }
    }
    found
}

/// The permissions in use are those of the users and roles.
pub(super) fn permissions(evidence: &Evidence) -> Vec<Wrong> {
    let mut found = Vec::new();
    let mut before: BTreeMap<MemberId, u64> = BTreeMap::new();
    for (place, happened) in evidence.all.iter().enumerate() {
        let member = happened.member;
        match &happened.what {
            What::Inner(Inner::State(state)) => _ = before.insert(member, state.users),
            What::Inner(Inner::UsersReplaced { revision, permissions_follow: false }) => {
                let was = before.get(&member).copied().unwrap_or_default();
                let step = evidence.before(place).take_while(|earlier| earlier.time == happened.time);
                let index = step.into_iter().find_map(|earlier| match &earlier.what {
                    What::Fact(Fact::Own(EtcdFact::SnapshotInstalled { index, .. })) => Some(*index),
                    _ => None,
                });
                let snapshot = index.map_or(String::new(), |index| format!(" of entry {index}"));
                let says = format!(
                    "Member {member} installed the leader's snapshot{snapshot} at {} with users and roles of auth revision {revision}, but still checks permissions by its cache from auth revision {was}: the cache was not computed anew.",
                    time(happened.time)
                );
                found.push(
                    Wrong::new(happened.time, member, says)
                        .rule("The cached permissions are always those of the users and roles.")
                        .change(
                            format!("users and roles of auth revision {was}, permissions of {was}"),
                            format!("users and roles of auth revision {revision}, permissions of {was}"),
                        ),
                );
            }
            _ => {}
        }
    }
    found
}
