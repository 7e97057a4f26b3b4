//! Entries of the log: all members execute what is in them, with the same result, once.

use std::collections::BTreeMap;

use api::Error;
use record::inner::{AppliedEntry, Command};
use record::{EtcdFact, Fact, Inner, MemberId, MessageKind, Nanos};
use verify::describe;

use crate::explain::evidence::{Evidence, What};
use crate::explain::wrong::{Subject, Wrong, time};

/// A member gives its store the request that is in the entry.
pub(super) fn executed(evidence: &Evidence) -> Vec<Wrong> {
    let mut given: BTreeMap<MemberId, &api::Request> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        match &happened.what {
            What::Inner(Inner::Executes(request)) => _ = given.insert(happened.member, request),
            What::Inner(Inner::Applied(entry)) => {
                let Some(given) = given.remove(&happened.member) else { continue };
                let Command::Request(request) = &entry.command else { continue };
                if **request == *given {
                    continue;
                }
                let role = if entry.mine { "its proposer" } else { "which did not propose it" };
                let says = format!(
                    "Member {}, {role}, executed `{}` in place of what is in {}.",
                    happened.member,
                    describe::request(given),
                    evidence.name(entry)
                );
                found.push(
                    Wrong::new(happened.time, happened.member, says)
                        .rule("Every member executes the request of an entry as it is, whoever proposed it.")
                        .about(Subject::Entry(entry.index)),
                );
            }
            _ => {}
        }
    }
    found
}

/// Members that apply an entry to the same revision come to the same result.
pub(super) fn alike(evidence: &Evidence) -> Vec<Wrong> {
    let mut first: BTreeMap<u64, (MemberId, &AppliedEntry)> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let What::Inner(Inner::Applied(entry)) = &happened.what else { continue };
        let Some((other, before)) = first.get(&entry.index) else {
            first.insert(entry.index, (happened.member, entry));
            continue;
        };
        // A proposer without space answers with an error, although the request takes effect.
        let error = |entry: &AppliedEntry| entry.error.filter(|error| *error != Error::NoSpace);
        let result = |entry: &AppliedEntry| (error(entry), entry.revisions.1, entry.rows.clone());
        if entry.revisions.0 != before.revisions.0 || result(entry) == result(before) {
            continue;
        }
        let says = format!(
            "Members {other} and {} applied {} differently: {}; {}.",
            happened.member,
            evidence.name(entry),
            outcome(*other, before),
            outcome(happened.member, entry)
        );
        found.push(
            Wrong::new(happened.time, happened.member, says)
                .rule("Applying an entry depends only on the entry and on the replicated state.")
                .about(Subject::Entry(entry.index)),
        );
    }
    found
}

/// The outcome of an entry on a member.
fn outcome(member: MemberId, entry: &AppliedEntry) -> String {
    let role = if entry.mine { ", its proposer," } else { "" };
    let (before, after) = entry.revisions;
    match entry.error {
        Some(error) => format!("member {member}{role} refused it with \"{error}\""),
        None if before == after => {
            format!("member {member}{role} carried it out without a change at revision {after}")
        }
        None => format!("member {member}{role} carried it out as revision {after}"),
    }
}

/// A request is proposed once, however often the network delivers the message with it.
pub(super) fn once(evidence: &Evidence) -> Vec<Wrong> {
    let mut seen: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        let What::Fact(Fact::Own(EtcdFact::Applied { index, request, digest, .. })) = &happened.what else {
            continue;
        };
        if *request == 0 {
            continue;
        }
        let (before, _) = *seen.entry(*request).or_insert((*index, *digest));
        if before == *index || found.iter().any(|wrong: &Wrong| wrong.subject == Subject::Entry(*index)) {
            continue;
        }
        let (at, leader) = appended(evidence, *index, *digest).unwrap_or((happened.time, happened.member));
        let twice = delivered_twice(evidence, at, leader);
        let why = match twice {
            Some((one, other, from)) => format!(
                " when member {from}'s message with it arrived for the second time: the network delivered that message at {} and again at {}",
                time(one),
                time(other)
            ),
            None => String::new(),
        };
        let says = format!(
            "Member {leader} put the request of {} into the log a second time, as entry {index},{why}.",
            evidence.name_of(before)
        )
        .replace(",.", ".");
        found.push(
            Wrong::new(at, leader, says)
                .rule(
                    "A leader proposes a request that another member forwards once, and drops copies of it.",
                )
                .about(Subject::Entry(*index)),
        );
    }
    found
}

/// Who put the entry with this digest at this index into its log first, and when.
fn appended(evidence: &Evidence, index: u64, digest: u64) -> Option<(Nanos, MemberId)> {
    evidence.all.iter().find_map(|happened| match &happened.what {
        What::Fact(Fact::Own(EtcdFact::Appended(entries)))
            if entries.iter().any(|entry| (entry.index, entry.digest) == (index, digest)) =>
        {
            Some((happened.time, happened.member))
        }
        _ => None,
    })
}

/// The last message with a proposal that a member had received twice by a given time: when first, when again, and from
/// whom.
fn delivered_twice(evidence: &Evidence, by: Nanos, member: MemberId) -> Option<(Nanos, Nanos, MemberId)> {
    let mut times: BTreeMap<u64, Nanos> = BTreeMap::new();
    let mut last = None;
    for happened in evidence.all.iter().take_while(|happened| happened.time <= by) {
        match &happened.what {
            What::Fact(Fact::Delivered { from, packet, head })
                if happened.member == member && head.kind == MessageKind::Propose =>
            {
                if let Some(before) = times.insert(*packet, happened.time) {
                    last = Some((before, happened.time, *from));
                }
            }
            _ => {}
        }
    }
    last
}
