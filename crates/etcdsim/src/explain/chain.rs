//! What leads from the first wrong step to what a client saw, and what was around it: faults, leaders, the other
//! violations, the meaning of the ids.

use std::collections::BTreeMap;

use plan::{ClockFault, FaultKind, NetworkFault, Plan, RuleAction};
use record::inner::{LeaseDeed, WatcherCause};
use record::{EtcdFact, Fact, Inner, MemberId, Nanos, Stop};
use verify::{Severity, describe};

use super::evidence::{Evidence, Happened, What};
use super::rules;
use super::wrong::{Subject, Wrong, time};
use super::{Paragraph, Sentence};
use crate::report::{Failure, ViolationReport};
use crate::show::numbers;

/// How many steps of a chain are shown: those nearest to its ends.
const SHOWN: usize = 24;
/// How many other wrong steps a chain has.
const WRONG_SHOWN: usize = 6;
/// How many faults before the first wrong step are shown, and how many after it.
const FAULTS_SHOWN: usize = 4;
/// How long the values of a fault may be.
const VALUES_SHOWN: usize = 160;
/// How many leaders before the first wrong step are shown, and how many after it.
const LEADERS_SHOWN: usize = 4;
/// How long before the first wrong step the chain of a watcher or a lease may begin.
const AROUND: Nanos = 60_000_000_000;

/// The chain from the first wrong step to what a client saw, in the order of time.
pub(super) fn of(evidence: &Evidence, failure: &Failure, wrong: &[Wrong]) -> Vec<Sentence> {
    let Some(first) = wrong.first() else { return Vec::new() };
    let end = failure.violations.iter().map(|violation| violation.time_ns).max().unwrap_or(first.time);
    let end = end.max(first.time);
    let mut steps = Vec::new();
    subject(evidence, first, end, &mut steps);
    steps.extend(restarts(evidence, first, end));
    let mut known = vec![first.by];
    for other in &wrong[1..] {
        let again = known.contains(&other.by) || other.time == first.time && other.member == first.member;
        if again || known.len() > WRONG_SHOWN {
            continue;
        }
        known.push(other.by);
        steps.push(Sentence::new(other.says.clone()).at(other.time).of(other.member));
    }
    if let Some(story) = &failure.story {
        for sentence in &story.sentences {
            steps.push(Sentence {
                operation: Some(story.operation as usize),
                ..Sentence::new(sentence.clone()).at(story_time(evidence, story.operation, first))
            });
        }
    }
    for violation in failure.violations.iter().filter(|one| one.severity < Severity::Inside) {
        let text = format!("Seen from outside: {} ({}).", violation.title, violation.oracle);
        let operation = violation.numbers.first().copied();
        steps.push(Sentence { operation, ..Sentence::new(text).at(violation.time_ns) });
    }
    steps.sort_by_key(|step| step.time);
    steps.dedup_by(|one, other| one.text == other.text);
    shorten(steps)
}

/// When the operation of a story was answered.
fn story_time(evidence: &Evidence, operation: u64, first: &Wrong) -> Nanos {
    let operation = evidence.history().operations.get(operation as usize);
    operation.and_then(record::Operation::returned).unwrap_or(first.time)
}

/// Leaves out the middle of a chain that is too long.
fn shorten(mut steps: Vec<Sentence>) -> Vec<Sentence> {
    if steps.len() > SHOWN {
        let half = SHOWN / 2;
        let left = steps.len() - 2 * half;
        let gap = Sentence::new(format!("({left} steps of {} are left out here.)", steps.len()));
        let gap = Sentence { time: steps[half].time, ..gap };
        steps.splice(half..half + left, [gap]);
    }
    steps
}

/// What happened to the subject of the wrong step.
fn subject(evidence: &Evidence, first: &Wrong, end: Nanos, steps: &mut Vec<Sentence>) {
    let from = first.time.saturating_sub(AROUND);
    let around = || evidence.all.iter().filter(move |happened| (from..=end).contains(&happened.time));
    match first.subject {
        Subject::Member | Subject::Operation(_) => {}
        Subject::Watcher(stream, id) => {
            let own = around().filter(|happened| happened.member == first.member);
            steps.extend(own.filter_map(|happened| watcher(evidence, happened, stream, id)));
        }
        Subject::Lease(lease) => {
            steps.extend(around().filter_map(|happened| self::lease(evidence, happened, lease)))
        }
        Subject::Entry(index) => steps.extend(entry(evidence, index)),
        Subject::Revision(revision) => steps.extend(self::revision(evidence, first, revision, end)),
    }
}

/// A step of a watcher.
fn watcher(evidence: &Evidence, happened: &Happened, stream: u64, id: i64) -> Option<Sentence> {
    let text = match &happened.what {
        What::Inner(Inner::Watcher(moved)) if (moved.stream, moved.id) == (stream, id) => {
            let (from, to) = (rules::watchers::place(moved.from), rules::watchers::place(moved.to));
            let member = happened.member;
            match moved.why {
                WatcherCause::Created => format!(
                    "Member {member} creates {} at store revision {}: {to}.",
                    rules::watchers::name(evidence, moved),
                    moved.current
                ),
                // One for each change of its keys.
                WatcherCause::Notified => return None,
                WatcherCause::NoRoom => format!("Its stream has no room for its response: {from} → {to}."),
                WatcherCause::Served => format!("A pass serves it from the history: {from} → {to}."),
                WatcherCause::Compacted => format!(
                    "It needs revision {}, and the history is compacted to {}: {from} → {to}.",
                    moved.from.1, moved.compacted
                ),
                WatcherCause::CompactedWithoutRoom => format!(
                    "It needs revision {}, the history is compacted to {}, and its stream has no room for that news: {from} → {to}.",
                    moved.from.1, moved.compacted
                ),
                WatcherCause::SnapshotInstalled => {
                    format!(
                        "A snapshot from the leader replaces the store (revision {}): {from} → {to}.",
                        moved.current
                    )
                }
                WatcherCause::Retried => {
                    format!("Its stream has room again for its response: {from} → {to}.")
                }
                WatcherCause::Ended => {
                    "It is gone: its client cancelled it, or its stream ended.".to_string()
                }
            }
        }
        What::Inner(Inner::HandedOut(sent)) if (sent.stream, sent.id) == (stream, id) => {
            format!(
                "Member {} sends it {}, header revision {}.",
                happened.member,
                rules::watchers::events(&sent.what),
                sent.revision
            )
        }
        _ => return None,
    };
    Some(Sentence::new(text).at(happened.time).of(happened.member))
}

/// A step of a lease.
fn lease(evidence: &Evidence, happened: &Happened, lease: i64) -> Option<Sentence> {
    let member = happened.member;
    let text = match &happened.what {
        What::Inner(Inner::Lease { id, what, .. }) if *id == lease => match what {
            LeaseDeed::Granted { ttl } => {
                format!("Member {member}, the lessor, starts the time of lease {lease}: {ttl} s.")
            }
            LeaseDeed::Renewed { ttl } => format!("Member {member} renews lease {lease} for {ttl} s."),
            LeaseDeed::TakenOver { ttl, checkpoint, left } => format!(
                "Member {member} leads now and takes over lease {lease} of {ttl} s with {left} s left (last checkpoint: {}).",
                if *checkpoint > 0 { format!("{checkpoint} s") } else { "none".to_string() }
            ),
            LeaseDeed::Expired { .. } => format!("Member {member} finds lease {lease} expired."),
            LeaseDeed::Confirmed => {
                format!("A quorum confirms that member {member} still leads; it may revoke lease {lease}.")
            }
            LeaseDeed::Revokes => format!("Member {member} proposes to revoke lease {lease}."),
            LeaseDeed::Answered { ttl: 0 } => {
                format!("Member {member} tells a client that there is no lease {lease}.")
            }
            LeaseDeed::Answered { ttl } => {
                format!("Member {member} tells a client that lease {lease} has {ttl} s.")
            }
            LeaseDeed::Timed { .. }
            | LeaseDeed::Checkpoints { .. }
            | LeaseDeed::Created { .. }
            | LeaseDeed::Recorded { .. } => return None,
        },
        What::Inner(Inner::Applied(entry))
            if entry.mine || entry.request == 0 || is_own(evidence, entry.request) =>
        {
            let record::inner::Command::Request(request) = &entry.command else { return None };
            let concerns = match &**request {
                api::Request::LeaseGrant(request) => request.id == lease,
                api::Request::LeaseRevoke(request) => request.id == lease,
                _ => false,
            };
            if !concerns || describe::proposer(entry.request) != Some(member) {
                return None;
            }
            format!("Member {member} applies {}.", evidence.name(entry))
        }
        _ => return None,
    };
    Some(Sentence::new(text).at(happened.time).of(member))
}

/// Whether no client asked for a request.
fn is_own(evidence: &Evidence, request: u64) -> bool {
    evidence.operation_of(request).is_none()
}

/// The path of an entry: who proposed it, who appended it, who committed it, who applied it and with which result.
fn entry(evidence: &Evidence, index: u64) -> Vec<Sentence> {
    let Some(applied) = evidence.entry(index) else { return Vec::new() };
    let mut steps = Vec::new();
    let mut appended = BTreeMap::new();
    for happened in &evidence.all {
        let member = happened.member;
        let mut add = |text: String, operation: Option<usize>| {
            let step = Sentence::new(text).at(happened.time).of(member);
            steps.push(Sentence { operation, ..step });
        };
        match &happened.what {
            What::Fact(Fact::Own(EtcdFact::Proposed { operation, request }))
                if *request == applied.request =>
            {
                let at = *operation as usize;
                add(
                    format!(
                        "Member {member} proposes client operation #{at} as request {}.",
                        describe::number(*request)
                    ),
                    Some(at),
                );
            }
            What::Fact(Fact::Own(EtcdFact::ProposedInternal { request, what }))
                if *request == applied.request =>
            {
                add(format!("Member {member} proposes `{}` of its own.", describe::request(what)), None);
            }
            What::Fact(Fact::Own(EtcdFact::Appended(entries))) => {
                if let Some(entry) = entries.iter().find(|entry| entry.index == index)
                    && appended.insert(member, entry.term) != Some(entry.term)
                {
                    add(format!("Member {member} appends entry {index} (term {}).", entry.term), None);
                }
            }
            What::Inner(Inner::Executes(_)) => {}
            What::Inner(Inner::Applied(entry)) if entry.index == index => {
                let what = match entry.error {
                    Some(error) => format!("refuses it: \"{error}\""),
                    None if entry.revisions.0 == entry.revisions.1 => {
                        format!("carries it out without a change at revision {}", entry.revisions.1)
                    }
                    None => format!("carries it out: revision {} → {}", entry.revisions.0, entry.revisions.1),
                };
                add(format!("Member {member} applies entry {index} and {what}."), None);
            }
            _ => {}
        }
    }
    steps
}

/// What made a revision, what compacted it, and which watchers need it.
fn revision(evidence: &Evidence, first: &Wrong, revision: i64, end: Nanos) -> Vec<Sentence> {
    let mut steps = Vec::new();
    let mut keys = Vec::new();
    for happened in evidence.all.iter().filter(|happened| happened.time <= end) {
        let member = happened.member;
        let text = match &happened.what {
            What::Inner(Inner::Applied(entry)) if member == first.member => {
                let rows: Vec<_> = entry.rows.iter().filter(|row| row.at.0 == revision).collect();
                if let Some(row) = rows.first() {
                    keys.extend(rows.iter().map(|row| row.key.clone()));
                    format!("Member {member} applies {}: {}.", evidence.name(entry), rules::state::row(row))
                } else if let record::inner::Command::Request(request) = &entry.command
                    && let api::Request::Compact(compact) = &**request
                    && compact.revision >= revision
                    && compact.revision <= revision + 1
                {
                    format!("Member {member} applies {}.", evidence.name(entry))
                } else {
                    continue;
                }
            }
            What::Inner(Inner::Watcher(moved))
                if moved.why == WatcherCause::Created
                    && (1..=revision).contains(&moved.start)
                    && happened.time >= first.time
                    && member == first.member =>
            {
                format!(
                    "Member {member} creates {} at store revision {}.",
                    rules::watchers::name(evidence, moved),
                    moved.current
                )
            }
            _ => continue,
        };
        steps.push(Sentence::new(text).at(happened.time).of(member));
    }
    steps
}

/// Ends and starts of the member of the wrong step, and snapshots that it installs; the last ones before the end.
fn restarts(evidence: &Evidence, first: &Wrong, end: Nanos) -> Vec<Sentence> {
    let mut steps = Vec::new();
    for happened in evidence.all.iter().filter(|happened| happened.member == first.member) {
        if happened.time < first.time || happened.time > end {
            continue;
        }
        let What::Fact(fact) = &happened.what else { continue };
        let member = happened.member;
        let text = match fact {
            Fact::Stopped(stop) => match stop {
                Stop::Graceful => format!("Member {member} is stopped."),
                Stop::Crash => format!("Member {member} is killed."),
                Stop::PowerLoss => format!("Member {member} loses power."),
                Stop::Fatal(why) => format!("Member {member} ends itself: {why}."),
                Stop::Panic(said) => format!("Member {member} panics: {said}."),
                Stop::Refused(why) => format!("Member {member} refuses to start: {why}."),
                Stop::Removed => format!("Member {member} leaves the cluster."),
            },
            Fact::Own(EtcdFact::Recovered { consistent_index, revision, before, entries, .. }) => format!(
                "Member {member} restarts: its store has consistent index {consistent_index} and revision {revision}, its log ends at {}.",
                entries.last().map_or(before.0, |entry| entry.index)
            ),
            Fact::Own(EtcdFact::SnapshotInstalled { index, revision, .. }) => {
                format!(
                    "Member {member} installs the leader's snapshot of entry {index} (revision {revision})."
                )
            }
            Fact::Paused => format!("Member {member} is paused."),
            Fact::Resumed => format!("Member {member} runs on."),
            _ => continue,
        };
        steps.push(Sentence::new(text).at(happened.time).of(member));
    }
    let from = steps.len().saturating_sub(SHOWN / 3);
    steps.split_off(from)
}

/// What a violation says, and the operations and events that prove it.
pub(super) fn happened(evidence: &Evidence, seen: &ViolationReport, first: Option<&Wrong>) -> Vec<Sentence> {
    // If this is the first wrong step itself, its paragraph has said the rest.
    let said = first.filter(|first| seen.sentences.contains(&first.says));
    let (sentences_of, events_of): (&[String], &[String]) = match said {
        Some(_) => Default::default(),
        None => (&seen.sentences[..], &seen.events[..]),
    };
    let mut sentences: Vec<Sentence> = std::iter::once(
        Sentence::new(format!("{} ({}).", capitalized(&seen.title), seen.oracle)).at(seen.time_ns),
    )
    .chain(sentences_of.iter().map(Sentence::new))
    .collect();
    let operations = seen.numbers.iter().zip(&seen.operations).map(|(number, line)| {
        let call = evidence.history().operations.get(*number).map_or(0, |operation| operation.call);
        Sentence { operation: Some(*number), ..Sentence::new(line.clone()).at(call) }
    });
    let mut proof: Vec<Sentence> = operations.chain(events_of.iter().map(|event| timed(event))).collect();
    proof.sort_by_key(|sentence| sentence.time);
    sentences.extend(proof);
    if seen.others > 0 {
        sentences.push(Sentence::new(format!(
            "In all, {} reports {} in this run.",
            seen.oracle,
            numbers::counted(seen.others + 1, "violation")
        )));
    }
    sentences
}

/// A line that may begin with a time, such as `  1.005654346  m3   …` or `2.314 s  watcher 0: …`, as a sentence with that
/// time.
pub(super) fn timed(line: &str) -> Sentence {
    let line = line.trim();
    let parsed = line.split_once("  ").and_then(|(first, rest)| {
        let (seconds, part) = first.trim_end_matches(" s").split_once('.')?;
        let nanos = format!("{part:0<9}").parse::<Nanos>().ok().filter(|_| part.len() <= 9)?;
        Some((seconds.parse::<Nanos>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)?, rest))
    });
    match parsed {
        Some((at, rest)) => Sentence::new(rest.trim_start()).at(at),
        None => Sentence::new(line),
    }
}

/// A text with a capital first letter.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// The faults that struck before the first wrong step, and between it and what was seen, as far as they concern the
/// members in the story.
pub(super) fn faults(plan: &Plan, evidence: &Evidence, failure: &Failure, wrong: &[Wrong]) -> Vec<Sentence> {
    /// A fault, from its begin to its end.
    struct Struck {
        id: u32,
        what: &'static str,
        members: Vec<MemberId>,
        from: Nanos,
        to: Option<Nanos>,
    }
    let seen = failure.first().time_ns;
    let (turn, members) = match wrong.first() {
        Some(first) => {
            let chain = wrong.iter().take(WRONG_SHOWN).map(|wrong| wrong.member);
            (first.time, chain.filter(|member| !member.is_none()).collect::<Vec<_>>())
        }
        None => (seen, Vec::new()),
    };
    let mut struck: Vec<Struck> = Vec::new();
    for happened in &evidence.all {
        let What::Fact(Fact::Fault { fault, what, begins, .. }) = &happened.what else { continue };
        let open = struck.iter_mut().rev().find(|one| one.id == *fault && one.to.is_none());
        match open {
            Some(open) if !begins => open.to = Some(happened.time),
            Some(open) if open.from == happened.time => open.members.push(happened.member),
            _ if *begins => struck.push(Struck {
                id: *fault,
                what,
                members: vec![happened.member],
                from: happened.time,
                to: None,
            }),
            _ => {}
        }
    }
    // A plan with few faults needs each of them.
    let few = plan.faults.len() <= 2 * FAULTS_SHOWN;
    let concerns = |one: &&Struck| {
        few || members.is_empty()
            || one.members.iter().any(|member| member.is_none() || members.contains(member))
    };
    let until = seen.max(turn);
    let shown_of_each = if few { struck.len() } else { FAULTS_SHOWN };
    let before = struck.iter().filter(|one| one.from <= turn).filter(concerns);
    let after = struck.iter().filter(|one| one.from > turn && one.from <= until).filter(concerns);
    let (before, after): (Vec<&Struck>, Vec<&Struck>) = (before.collect(), after.collect());
    let all = before.len() + after.len();
    let shown = before[before.len().saturating_sub(shown_of_each)..]
        .iter()
        .chain(&after[after.len().saturating_sub(shown_of_each)..]);
    let mut sentences: Vec<Sentence> = shown
        .map(|one| {
            let who: Vec<String> = one
                .members
                .iter()
                .filter(|member| !member.is_none())
                .map(|member| format!("member {member}"))
                .collect();
            let of = if who.is_empty() { String::new() } else { format!(" of {}", who.join(" and ")) };
            let until = match one.to {
                Some(to) if to > one.from => format!(" until {}", time(to)),
                _ => String::new(),
            };
            let when =
                if one.from <= turn { "before the first wrong step" } else { "after the first wrong step" };
            let text =
                format!("{}{of}{}{until} (fault {}), {when}.", one.what, details(plan, one.id), one.id);
            let member = one.members.iter().find(|member| !member.is_none()).copied().unwrap_or_default();
            Sentence::new(text).at(one.from).of(member)
        })
        .collect();
    if all > sentences.len() {
        sentences.push(Sentence::new(format!(
            "In all, {} struck {} up to this point.",
            numbers::counted(all, "fault"),
            if members.is_empty() { "the cluster" } else { "these members or the network" }
        )));
    }
    sentences
}

/// The values of a fault besides its kind and its target: how far a clock is set, where a link leads and what it does,
/// to which revision the store is compacted. `at` is its place in the plan, by which the trace names it.
fn details(plan: &Plan, at: u32) -> String {
    let Some(fault) = plan.faults.get(at as usize) else { return String::new() };
    match &fault.kind {
        FaultKind::Clock(ClockFault::Rate { rate }) => format!(" to {} %", rate / 10_000),
        FaultKind::Clock(ClockFault::Step { by }) => {
            let sign = if *by < 0 { "back" } else { "forward" };
            format!(" {sign} by {}", time(by.unsigned_abs()))
        }
        FaultKind::Network(NetworkFault::Rule(rule)) => {
            let does = match rule.action {
                RuleAction::Drop => "drops",
                RuleAction::Delay(_) => "delays",
                RuleAction::Duplicate(_) => "duplicates",
                RuleAction::Hold => "holds back",
                RuleAction::Damage => "damages",
            };
            acts(does, &plan.values_of(fault))
        }
        _ => match plan.values_of(fault) {
            values if values.is_empty() || values.len() > VALUES_SHOWN => String::new(),
            values => format!(" with {values}"),
        },
    }
}

/// What a rule does, to messages of which kind, and its other values.
fn acts(does: &str, values: &str) -> String {
    let (mut kind, mut others) = ("messages".to_string(), Vec::new());
    for value in values.split(", ").filter(|value| !value.is_empty()) {
        match value.split_once(" = ") {
            Some(("message", name)) => kind = format!("{} messages", name.trim_matches('"')),
            Some(("do", _)) => {}
            _ => others.push(value),
        }
    }
    let others = others.join(", ");
    match others.len() {
        1..=VALUES_SHOWN => format!(" that {does} {kind}, with {others}"),
        _ => format!(" that {does} {kind}"),
    }
}

/// Who led around the first wrong step, or around what was seen.
pub(super) fn leaders(evidence: &Evidence, failure: &Failure, first: Option<&Wrong>) -> Vec<Sentence> {
    let seen = failure.first().time_ns;
    let turn = first.map_or(seen, |first| first.time);
    let (before, after): (Vec<_>, Vec<_>) = evidence.leaders().partition(|(_, since, _)| *since <= turn);
    let after: Vec<_> = after.into_iter().filter(|(_, since, _)| *since <= seen.max(turn)).collect();
    let all = before.len() + after.len();
    let shown = before[before.len().saturating_sub(LEADERS_SHOWN)..]
        .iter()
        .chain(&after[after.len().saturating_sub(LEADERS_SHOWN)..]);
    let mut sentences: Vec<Sentence> = shown
        .map(|(term, since, member)| {
            Sentence::new(format!("Member {member} leads term {term}.")).at(*since).of(*member)
        })
        .collect();
    if all > sentences.len() {
        sentences.push(Sentence::new(format!(
            "In all, {} had been elected up to this point.",
            numbers::counted(all, "leader")
        )));
    }
    sentences
}

/// The other violations, each with its oracle's rule and how many there are.
pub(super) fn others(failure: &Failure, seen: &ViolationReport) -> Vec<Sentence> {
    let mut others: Vec<&ViolationReport> =
        failure.violations.iter().filter(|violation| violation.oracle != seen.oracle).collect();
    others.sort_by_key(|violation| violation.time_ns);
    let line = |violation: &ViolationReport| {
        let text = format!(
            "{}: {} ({} in all). The rule: {}.",
            violation.oracle,
            violation.title,
            numbers::count(violation.others as u64 + 1),
            violation.oracle.holds()
        );
        Sentence::new(text).at(violation.time_ns)
    };
    others.into_iter().map(line).collect()
}

/// What the ids in these paragraphs mean.
pub(super) fn legend(paragraphs: &[Paragraph]) -> Vec<Sentence> {
    let text: Vec<&str> = paragraphs
        .iter()
        .flat_map(|paragraph| &paragraph.sentences)
        .map(|sentence| &sentence.text[..])
        .collect();
    let has = |what: &dyn Fn(&str) -> bool| text.iter().any(|text| what(text));
    let digit_after = |text: &str, before: &str| {
        text.match_indices(before)
            .any(|(at, _)| text[at + before.len()..].starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut rows = Vec::new();
    let mut row = |there: bool, text: &str| {
        if there {
            rows.push(Sentence::new(text));
        }
    };
    row(
        has(&|text| digit_after(text, "#")),
        "#12: the client operation with the number 12, counted from 0 in the order of calls.",
    );
    row(has(&|text| digit_after(text, " m")), "m2: member 2.");
    row(
        has(&|text| digit_after(text, "request ") || digit_after(text, "context ")),
        "request 1.8.122, context 1.8.122: the number 122 that member 1 gave out after its 8th start.",
    );
    row(
        has(&|text| text.contains("entry ") || text.contains("entries ")),
        "entry 57: the entry with index 57 of the raft log. The consistent index of a store is the last entry whose effects it holds.",
    );
    row(
        has(&|text| digit_after(text, "revision ")),
        "revision: the store's count of changes, from 1; mod is the revision of a key's last change.",
    );
    row(
        has(&|text| text.contains("next revision")),
        "next revision: the first revision whose changes a watcher has not been sent (etcd's minRev). synced, unsynced, victim: the groups of etcd's watchers: up to date; lagging and served from the history by passes; waiting with a response for which its stream had no room.",
    );
    row(
        has(&|text| digit_after(text, "job ")),
        "job 7: a write that a member gave its disk; it is durable when it is synced.",
    );
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_time_become_sentences_with_it() {
        let of = |line| (timed(line).time, timed(line).text);
        assert_eq!(of("  1.005654346  m3   is killed"), (Some(1_005_654_346), "m3   is killed".to_string()));
        assert_eq!(
            of("2.314 s  watcher 0: progress"),
            (Some(2_314_000_000), "watcher 0: progress".to_string())
        );
        assert_eq!(of("It is 1.5  or more"), (None, "It is 1.5  or more".to_string()));
    }

    #[test]
    fn a_rule_says_what_it_does() {
        let said = acts("damages", r#"message = "snapshot", count = 1, do = "damage""#);
        assert_eq!(said, " that damages snapshot messages, with count = 1");
        assert_eq!(acts("drops", ""), " that drops messages");
    }

    #[test]
    fn a_long_chain_loses_its_middle() {
        let steps = (0..40).map(|nth| Sentence::new(nth.to_string()).at(nth)).collect();
        let short = shorten(steps);
        assert_eq!(short.len(), SHOWN + 1);
        assert_eq!(short[12].text, "(16 steps of 40 are left out here.)");
        assert_eq!(short.last().map(|step| step.text.as_str()), Some("39"));
    }
}
