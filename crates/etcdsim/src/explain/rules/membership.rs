//! The membership: who is a learner and who votes changes only by a change that says so.

use std::collections::BTreeMap;

use record::inner::{AppliedEntry, Command, MembershipDeed};
use record::{Inner, MemberId};

use crate::explain::evidence::{Evidence, What};
use crate::explain::wrong::{Subject, Wrong};

/// A member's part changes only by its addition, its promotion or its removal.
pub(super) fn roles(evidence: &Evidence) -> Vec<Wrong> {
    let mut known: BTreeMap<MemberId, BTreeMap<MemberId, bool>> = BTreeMap::new();
    let mut applied: BTreeMap<MemberId, &AppliedEntry> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &evidence.all {
        match &happened.what {
            What::Inner(Inner::Applied(entry)) => _ = applied.insert(happened.member, entry),
            // What a load finds is the matter of another rule.
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
                            .rule("A learner becomes a voter only by its promotion; no other change touches the part of a member.")
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
