//! Makes the page of a run or of a history: turns plans, records and failures into what the crate `page` shows.
//!
//! A page needs all events of a run. A run that did not keep them is repeated; it takes the same steps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use api::Response;
use api::etcdserverpb::WatchResponse;
use api::etcdserverpb::watch_request::RequestUnion;
use api::mvccpb::Event;
use api::mvccpb::event::EventType;
use page::{ClockChange, Ending, Fault, Input, Lease, Operation, Paragraph, Sentence, Violation, Watch};
use plan::{ClockFault, FaultKind, OperatorTask, Plan};
use record::{Fact, History, MemberId, Nanos, Record, StreamEnd};
use schedule::field::Names;
use schedule::kinds::{self, Lasts};
use verify::describe;

use crate::additions::OwnOracles;
use crate::case::Case;
use crate::execute::{HarnessFailure, Outcome, run_plan_with};
use crate::explain;
use crate::flaws;
use crate::report::Failure;

/// How many watchers of a stream are named.
const WATCHERS_SHOWN: usize = 3;
/// How many changes of a watch response are named.
const CHANGES_SHOWN: usize = 4;

/// Runs a seed again and writes its page. `failure` is what the run was found to violate.
pub(crate) fn write_again(
    file: &Path,
    case: &Case,
    seed: u64,
    replay: &str,
    failure: Option<&Failure>,
    undecided: &[String],
) -> io::Result<()> {
    let plan = case.plan(seed);
    let options = world::Options { keep_events: true };
    let outcome = run_plan_with(&plan, &mut (), OwnOracles::none(true), options)
        .map_err(|HarnessFailure(said)| io::Error::other(said))?;
    fs::write(file, of_run(&plan, &case.file, replay, &outcome.record, failure, undecided))
}

/// The page of a run, as the text of an HTML file (`docs/page.md`). Run the plan with `keep_events`: without its
/// events, a page shows only what the clients saw. `replay` is the command line that it shows for replaying the run; it
/// may be empty.
///
/// ```
/// use etcdsim::{Options, page_of_run, run_plan_observed};
///
/// let text = "title = \"Quiet\"\nrun = { chaos = \"1s\" }";
/// let plan = etcdsim::Case::parse("quiet.toml", text)?.plan(0);
/// let outcome = run_plan_observed(&plan, &mut (), Options { keep_events: true })?;
/// let page = page_of_run(&plan, &outcome, "");
/// assert!(page.starts_with("<!DOCTYPE html>") && page.len() <= 2_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn page_of_run(plan: &Plan, outcome: &Outcome, replay: &str) -> String {
    let Outcome { record, verdict, .. } = outcome;
    let failure = Failure::of(verdict, &record.history);
    of_run(plan, &plan.scenario, replay, record, failure.as_ref(), &verdict.undecided)
}

/// The page of a run whose events were kept.
pub(crate) fn of_run(
    plan: &Plan,
    file: &str,
    replay: &str,
    record: &Record,
    failure: Option<&Failure>,
    undecided: &[String],
) -> String {
    let flaws: Vec<String> = plan.flaws.iter().map(flaws::name).collect();
    let mut about = vec![
        ("scenario", file.to_string()),
        ("seed", plan.seed.to_string()),
        ("trace hash", record.trace_hash.to_string()),
        ("virtual time", describe::time(record.stats.virtual_ns)),
        ("operations", format!("{}, {} answered", record.stats.operations, record.stats.answered)),
        ("messages", record.stats.messages.to_string()),
        ("elections", record.stats.elections.to_string()),
    ];
    if !flaws.is_empty() {
        about.insert(2, ("flaws", flaws.join(", ")));
    }
    let instant = instant_kinds();
    let faults = plan.faults.iter().zip(fault_texts(plan)).map(|(fault, text)| {
        let kind = fault.kind.name();
        Fault { kind, text, at_once: instant.contains(kind) }
    });
    page::page(Input {
        title: format!("{}, seed {}", plan.title, plan.seed),
        about,
        replay: replay.to_string(),
        members: plan.cluster.members,
        end: record.stats.virtual_ns,
        violations: violations(failure),
        undecided: undecided.to_vec(),
        story: story(failure),
        faults: faults.collect(),
        operations: operations(&record.history),
        watches: watches(&record.history),
        leases: leases(record),
        clocks: clocks(plan, record),
        events: &record.events,
        describe: &describe::fact,
    })
}

/// The page of a history of etcd that was recorded elsewhere.
pub(crate) fn of_history(
    file: &str,
    replay: &str,
    record: &Record,
    failure: Option<&Failure>,
    undecided: &[String],
) -> String {
    let operations = operations(&record.history);
    page::page(Input {
        violations: violations(failure),
        story: story(failure),
        watches: watches(&record.history),
        leases: leases(record),
        ..of_operations(file, replay, operations, undecided)
    })
}

/// A page with nothing but operations.
pub(crate) fn of_operations(
    file: &str,
    replay: &str,
    operations: Vec<Operation>,
    undecided: &[String],
) -> Input<'static> {
    let ends = operations.iter().map(|operation| match operation.outcome {
        page::Outcome::Answered { at, .. } | page::Outcome::Failed { at, .. } => at,
        page::Outcome::Unknown { gave_up } => gave_up.unwrap_or(operation.call),
    });
    Input {
        title: file.to_string(),
        about: vec![("history", file.to_string()), ("operations", operations.len().to_string())],
        replay: replay.to_string(),
        members: 0,
        end: ends.max().unwrap_or(0),
        violations: Vec::new(),
        undecided: undecided.to_vec(),
        story: Vec::new(),
        faults: Vec::new(),
        operations,
        watches: Vec::new(),
        leases: Vec::new(),
        clocks: Vec::new(),
        events: &[],
        describe: &describe::fact,
    }
}

/// The names of the kinds of faults that have no duration.
fn instant_kinds() -> BTreeSet<&'static str> {
    let kinds = kinds::shapes::<OperatorTask>(Names::NONE).into_iter().map(|shape| shape.kind);
    kinds.filter(|kind| kind.lasts == Lasts::Instant).map(|kind| kind.name).collect()
}

/// What the plan says about each of its faults, without kind and time, which the page shows anyway.
fn fault_texts(plan: &Plan) -> Vec<String> {
    let text = Plan { clients: Vec::new(), ..plan.clone() }.to_toml();
    let known = |line: &&str| !["kind = ", "id = ", "at = "].iter().any(|field| line.starts_with(field));
    let lines = |section: &str| {
        let lines: Vec<&str> = section.lines().filter(|line| !line.is_empty()).filter(known).collect();
        lines.join(", ")
    };
    text.split("\n[[fault]]\n").skip(1).map(lines).collect()
}

fn violations(failure: Option<&Failure>) -> Vec<Violation> {
    let Some(failure) = failure else { return Vec::new() };
    let first = failure.first();
    let others = failure.violations.iter().filter(|violation| violation.oracle != first.oracle);
    let shown = std::iter::once(first).chain(others).map(|violation| Violation {
        oracle: violation.oracle.id().to_string(),
        title: violation.title.clone(),
        time: Some(violation.time_ns),
        sentences: violation.sentences.clone(),
        operations: violation.numbers.clone(),
        events: violation.events.clone(),
        others: violation.others,
    });
    shown.collect()
}

/// The explanation of a failure.
fn story(failure: Option<&Failure>) -> Vec<Paragraph> {
    let Some(failure) = failure else { return Vec::new() };
    if let Some(explained) = &failure.explanation {
        let headline = Paragraph { heading: String::new(), sentences: vec![sentence(&explained.headline)] };
        let explained = explained.paragraphs.iter().map(|paragraph| Paragraph {
            heading: paragraph.heading.to_string(),
            sentences: paragraph.sentences.iter().map(of_explanation).collect(),
        });
        return std::iter::once(headline).chain(explained).collect();
    }
    let first = failure.first();
    let paragraph = |heading: String, sentences: &[String]| Paragraph {
        heading,
        sentences: sentences.iter().map(|text| sentence(text)).collect(),
    };
    let mut story = vec![paragraph("What happened".to_string(), &first.sentences)];
    if let Some(lost) = &failure.story {
        story.push(paragraph(format!("How operation #{} was lost", lost.operation), &lost.sentences));
    }
    if let Some(cause) = failure.cause().filter(|cause| cause.oracle != first.oracle) {
        let mut broke = paragraph("What broke first inside the cluster".to_string(), &cause.sentences);
        let text = format!("{}: {}.", cause.oracle.id(), cause.title);
        broke.sentences.insert(0, Sentence { time: Some(cause.time_ns), ..sentence(&text) });
        story.push(broke);
    }
    story
}

fn of_explanation(explained: &explain::Sentence) -> Sentence {
    Sentence {
        text: explained.text.clone(),
        time: explained.time,
        member: explained.member,
        operation: explained.operation,
    }
}

/// A sentence with the moment, the member and the operation that it names first.
pub(crate) fn sentence(text: &str) -> Sentence {
    let number = |text: &str| -> Option<u64> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().ok()
    };
    let after = |word: &str| text.split(word).skip(1).find_map(number);
    Sentence {
        text: text.to_string(),
        time: moment(text),
        member: after("ember ").and_then(|id| u32::try_from(id).ok()).map(MemberId::new),
        operation: after("#").map(|number| number as usize),
    }
}

/// The first moment in a text, as [`describe::time`] writes it: `3.204 s`.
fn moment(text: &str) -> Option<Nanos> {
    let mut words = text.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        let is_time =
            words.peek().is_some_and(|unit| unit.trim_end_matches([',', '.', ';', ':', ')']) == "s");
        let (seconds, millis) = match word.split_once('.') {
            Some((seconds, millis)) if is_time && millis.len() == 3 => (seconds, millis),
            _ => continue,
        };
        if let (Ok(seconds), Ok(millis)) = (seconds.parse::<u64>(), millis.parse::<u64>()) {
            return seconds.checked_mul(1_000)?.checked_add(millis)?.checked_mul(1_000_000);
        }
    }
    None
}

/// The operations of a history of etcd.
pub(crate) fn operations(history: &History) -> Vec<Operation> {
    let one = |operation: &record::Operation| Operation {
        client: operation.client,
        member: operation.member,
        request: describe::request(&operation.request),
        call: operation.call,
        outcome: match &operation.outcome {
            record::Outcome::Answer { at, response } => {
                page::Outcome::Answered { at: *at, answer: describe::response(response) }
            }
            record::Outcome::Error { at, error } => {
                page::Outcome::Failed { at: *at, error: error.to_string() }
            }
            record::Outcome::Unknown { gave_up } => page::Outcome::Unknown { gave_up: Some(*gave_up) },
        },
    };
    history.operations.iter().map(one).collect()
}

fn watches(history: &History) -> Vec<Watch> {
    let one = |watch: &record::WatchStream| {
        let created = watch.sent.iter().filter_map(|(_, request)| match &request.request_union {
            Some(RequestUnion::CreateRequest(create)) => Some(describe::watcher(create)),
            _ => None,
        });
        let mut watched: Vec<String> = created.collect();
        if let Some(more @ 1..) = watched.len().checked_sub(WATCHERS_SHOWN) {
            watched.truncate(WATCHERS_SHOWN);
            watched.push(format!("{more} more"));
        }
        let how = |end: StreamEnd| match end {
            StreamEnd::Closed => "closed by the client".to_string(),
            StreamEnd::Broken => "the connection broke".to_string(),
            StreamEnd::Refused(error) => error.to_string(),
        };
        let received = watch.received.iter().map(|(at, response)| {
            let revision = response.header.as_ref().map_or(0, |header| header.revision);
            (*at, revision, response.events.len() as u32, delivered(response))
        });
        Watch {
            client: watch.client,
            member: watch.member,
            watched: watched.join("; "),
            opened: watch.opened,
            ended: watch.ended.map(|(at, end)| Ending { at, how: how(end) }),
            received: received.collect(),
        }
    };
    history.watches.iter().map(one).collect()
}

/// What a watch response brings, shorter than [`describe::watch_response`]: there may be very many.
fn delivered(response: &WatchResponse) -> String {
    let change = |event: &Event| {
        let (key, revision) =
            event.kv.as_ref().map_or((String::new(), 0), |kv| (describe::key(&kv.key), kv.mod_revision));
        let verb = if event.r#type == EventType::Delete as i32 { "delete" } else { "put" };
        format!("{verb} {key} at {revision}")
    };
    let mut parts: Vec<String> = response.events.iter().take(CHANGES_SHOWN).map(change).collect();
    if let Some(more @ 1..) = response.events.len().checked_sub(CHANGES_SHOWN) {
        parts.push(format!("{more} more"));
    }
    for (set, what) in [(response.created, "created"), (response.canceled, "cancelled")] {
        if set {
            parts.push(what.to_string());
        }
    }
    if response.compact_revision != 0 {
        parts.push(format!("compacted at {}", response.compact_revision));
    }
    if !response.cancel_reason.is_empty() {
        parts.push(response.cancel_reason.clone());
    }
    let what = if parts.is_empty() { "progress".to_string() } else { parts.join(", ") };
    format!("watcher {}: {what}", response.watch_id)
}

/// The leases, as the answers of clients and the applied revocations show them.
fn leases(record: &Record) -> Vec<Lease> {
    let mut leases: BTreeMap<i64, Lease> = BTreeMap::new();
    let mut ends: Vec<(i64, Ending)> = Vec::new();
    for operation in &record.history.operations {
        let Some((at, response)) = operation.returned().zip(operation.response()) else { continue };
        match (response, &operation.request) {
            (Response::LeaseGrant(grant), _) => {
                let lease = Lease {
                    id: grant.id,
                    client: operation.client,
                    seconds: grant.ttl,
                    granted: at,
                    renewed: Vec::new(),
                    ended: None,
                };
                leases.insert(grant.id, lease);
            }
            (Response::LeaseKeepAlive(kept), _) if kept.ttl > 0 => {
                if let Some(lease) = leases.get_mut(&kept.id) {
                    lease.renewed.push(at);
                }
            }
            (Response::LeaseKeepAlive(kept), _) => {
                ends.push((
                    kept.id,
                    Ending { at, how: "a renewal was answered that it is gone".to_string() },
                ));
            }
            (Response::LeaseRevoke(_), api::Request::LeaseRevoke(revoke)) => {
                let how = format!("revoked by client {}", operation.client);
                ends.push((revoke.id, Ending { at, how }));
            }
            _ => {}
        }
    }
    for entry in &record.applied {
        if let Some(api::Request::LeaseRevoke(revoke)) = entry.internal.as_deref() {
            let how = "expired, revoked by the lessor".to_string();
            ends.push((revoke.id, Ending { at: entry.time, how }));
        }
    }
    // The earliest of these ended the lease.
    ends.sort_by_key(|(_, end)| end.at);
    for (id, end) in ends {
        if let Some(lease) = leases.get_mut(&id) {
            lease.ended.get_or_insert(end);
        }
    }
    leases.into_values().collect()
}

/// How far faults moved the wall clock of each member. Periodic faults are not included: they are shown as faults only.
fn clocks(plan: &Plan, record: &Record) -> Vec<ClockChange> {
    let mut last: BTreeMap<MemberId, ClockChange> = BTreeMap::new();
    let mut changes = Vec::new();
    for event in &record.events {
        let Fact::Fault { fault, begins, .. } = event.fact else { continue };
        let Some(FaultKind::Clock(kind)) = plan.faults.get(fault as usize).map(|fault| &fault.kind) else {
            continue;
        };
        let before = last.get(&event.member).copied().unwrap_or(ClockChange {
            at: 0,
            member: event.member,
            ahead: 0,
            gains: 0,
        });
        let gained = i128::from(event.time - before.at) * i128::from(before.gains) / 1_000_000;
        let ahead = before.ahead.saturating_add(i64::try_from(gained).unwrap_or(i64::MAX));
        let at = event.time;
        let change = match *kind {
            ClockFault::Step { by } if begins => {
                ClockChange { at, ahead: ahead.saturating_add(by), ..before }
            }
            ClockFault::Rate { .. } | ClockFault::Freeze if !begins => {
                ClockChange { at, ahead, gains: 0, ..before }
            }
            ClockFault::Rate { rate } => {
                ClockChange { at, ahead, gains: i64::from(rate) - 1_000_000, ..before }
            }
            ClockFault::Freeze => ClockChange { at, ahead, gains: -1_000_000, ..before },
            ClockFault::Step { .. } | ClockFault::Strobe { .. } | ClockFault::Sine { .. } => continue,
        };
        last.insert(event.member, change);
        changes.push(change);
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_knows_what_it_is_about() {
        let said = sentence("Member 2 acknowledged #17 to member 3 at 0.012 s, before it was on disk.");
        assert_eq!(
            (said.time, said.member, said.operation),
            (Some(12_000_000), Some(MemberId::new(2)), Some(17))
        );
        let said = sentence("It lasted 5 s, and 3.25 s more; key#x of a member.");
        assert_eq!((said.time, said.member, said.operation), (None, None, None));
        assert_eq!(moment("from 61.500 s on"), Some(61_500_000_000));
    }

    #[test]
    fn a_fault_is_described_by_its_fields() {
        let text = "title = \"t\"\nrun = { chaos = \"9s\" }\n[[fault]]\nkind = \"crash\"\nat = \"1s\"\nfor = \"2s\"\ntarget = \"leader\"\n[[fault]]\nkind = \"link\"\nat = \"2s\"\nloss = \"10%\"\ntarget = \"all\"\n";
        let case = Case::parse("t.toml", text).expect("a scenario without mistakes");
        let texts = fault_texts(&case.plan(0));
        assert_eq!(texts[0], r#"for = "2s", target = "leader""#);
        assert!(texts[1].contains(r#"loss = "10%""#), "{texts:?}");
    }
}
