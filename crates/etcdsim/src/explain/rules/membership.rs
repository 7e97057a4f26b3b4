//! The membership: members become learners or voters only through a membership change that says so.

use std::collections::BTreeMap;

use record::inner::{AppliedEntry, Command, MembershipDeed};
use record::{EtcdFact, Fact, Inner, MemberId};

use crate::explain::evidence::{Evidence, What};
use crate::explain::wrong::{Subject, Wrong, time};

/// A member's role changes only by its addition, its promotion or its removal.
pub(super) fn roles(evidence: &Evidence) -> Vec<Wrong> {
    let mut known: BTreeMap<MemberId, BTreeMap<MemberId, bool>> = BTreeMap::new();
    let mut applied: BTreeMap<MemberId, &AppliedEntry> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        match &happened.what {
            What::Inner(Inner::Applied(entry)) => _ = applied.insert(happened.member, entry),
            // Another rule checks what a load finds.
            What::Inner(Inner::Loaded(_)) => _ = known.remove(&happened.member),
            What::Inner(Inner::State(state)) => {
                let now: BTreeMap<MemberId, bool> = state.members.iter().copied().collect();
                let Some(before) = known.insert(happened.member, now.clone()) else { continue };
                let entry = applied.get(&happened.member).filter(|entry| entry.index == state.index);
                let deeds = match entry.map(|entry| &entry.command) {
                    Some(Command::Membership(deeds)) => &deeds[..],
                    _ => &[],
                };
                for (id, learner) in &now {
                    let was = before.get(id);
                    let asked = |wanted: &[MembershipDeed]| {
                        deeds.iter().any(|(of, deed)| of == id && wanted.contains(deed))
                    };
                    use MembershipDeed::{AddLearner, AddVoter, Promote};
                    let right = match (was, learner) {
                        (Some(was), now) if was == now => true,
                        (Some(true), false) => asked(&[Promote, AddVoter]),
                        (None, _) => asked(&[AddLearner, AddVoter]) || deeds.is_empty(),
                        (Some(_), _) => asked(&[AddLearner]),
                    };
                    if right {
                        continue;
                    }
                    let role = |learner: bool| if learner { "a learner" } else { "a voter" };
                    let what =
                        entry.map_or_else(|| format!("entry {}", state.index), |entry| evidence.name(entry));
                    let says = format!(
                        "Applying {what} made member {id}, which was {}, {}, though the change does not say so.",
                        was.map_or("no member", |was| role(*was)),
                        role(*learner)
                    );
                    found.push(
                        Wrong::new(happened.time, happened.member, says)
                            .rule("A learner becomes a voter only by its promotion; no other change touches the role of a member.")
                            .change(
                                format!("member {id} is {}", was.map_or("no member", |was| role(*was))),
                                format!("member {id} is {}", role(*learner)),
                            )
                            .about(Subject::Entry(state.index)),
                    );
                }
            }
            _ => {}
        }
    }
    found
}

/// A leader puts a change of the membership into its log only once it has applied the one before.
pub(super) fn one_at_a_time(evidence: &Evidence) -> Vec<Wrong> {
    let changes: Vec<&AppliedEntry> =
        evidence.entries().filter(|entry| matches!(entry.command, Command::Membership(_))).collect();
    let mut found = Vec::new();
    for pair in changes.windows(2) {
        let [before, change] = pair else { continue };
        // The first that has the entry is the leader that made it.
        let mut applied: BTreeMap<MemberId, u64> = BTreeMap::new();
        let made = evidence.all.iter().find_map(|happened| match &happened.what {
            What::Fact(Fact::Own(EtcdFact::Applied { index, .. })) => {
                applied.insert(happened.member, *index);
                None
            }
            What::Fact(Fact::Own(EtcdFact::Recovered { consistent_index: index, .. }))
            | What::Fact(Fact::Own(EtcdFact::SnapshotInstalled { index, .. })) => {
                applied.insert(happened.member, *index);
                None
            }
            What::Fact(Fact::Own(EtcdFact::Appended(entries)))
                if entries.iter().any(|entry| entry.index == change.index) =>
            {
                Some((happened.time, happened.member))
            }
            _ => None,
        });
        let Some((at, member)) = made else { continue };
        let has = applied.get(&member).copied().unwrap_or_default();
        if has >= before.index {
            continue;
        }
        let says = format!(
            "Member {member}, the leader, put a second change of the membership into the log at {}, {}, while the one before it, {}, was not applied yet (it had applied up to entry {has}).",
            time(at),
            evidence.name(change),
            evidence.name(before)
        );
        found.push(
            Wrong::new(at, member, says)
                .rule("One change of the membership is under way at a time: a leader takes the next one only once it has applied the one before, or else quorums need not have a member in common.")
                .change(
                    format!("entry {} with a change is in the log and not applied", before.index),
                    format!("so is entry {}", change.index),
                )
                .about(Subject::Entry(change.index)),
        );
    }
    found
}
