//! Leaves out members. Those that stay are numbered from 1.

use plan::{Condition, FaultKind, NetworkFault, Plan, Target, Trigger};
use record::MemberId;

use crate::shrink::trial::Trial;

pub(super) fn members(trial: &mut Trial<'_>) {
    loop {
        let count = trial.best().cluster.members;
        let groups = groups(count);
        let found = trial.first(groups.len(), &|plan, nth| only(plan, &groups[nth]));
        if found.is_none() {
            return;
        }
    }
}

/// All non-empty proper subsets of the members 1 to `count`, the smallest first.
fn groups(count: u32) -> Vec<Vec<u32>> {
    let parts = 1..(1_u32 << count) - 1;
    let members = |part: u32| (1..=count).filter(|member| part & (1 << (member - 1)) != 0).collect();
    let mut groups: Vec<Vec<u32>> = parts.map(members).collect();
    groups.sort_by_key(Vec::len);
    groups
}

/// The plan with these members only. `None` if its meaning would change: a flaw or a condition names a member that is
/// gone.
fn only(plan: &Plan, kept: &[u32]) -> Option<Plan> {
    let before = plan.cluster.members;
    let gone = before - kept.len() as u32;
    let number = |member: MemberId| -> Option<MemberId> {
        if member.is_none() {
            return Some(member);
        }
        if !member.is_among_first(before) {
            // It joins later.
            return Some(MemberId::new(u32::try_from(member.raft_id()).ok()? - gone));
        }
        let place = kept.iter().position(|kept| MemberId::new(*kept) == member)?;
        Some(MemberId::new(place as u32 + 1))
    };
    let mut plan = plan.clone();
    plan.cluster.members = kept.len() as u32;
    for flaw in &mut plan.flaws {
        if let Some(member) = flaw.member {
            flaw.member = Some(number(member)?);
        }
    }
    for client in &mut plan.clients {
        client.endpoints = client.endpoints.iter().copied().filter_map(number).collect();
        if client.endpoints.is_empty() {
            client.endpoints = (1..=plan.cluster.members).map(MemberId::new).collect();
        }
    }
    plan.expect.refusals = plan.expect.refusals.iter().copied().filter_map(number).collect();
    for fault in &mut plan.faults {
        if let Trigger::When { condition, .. } = &mut fault.when
            && let Condition::Applied { member, .. } | Condition::Snapshot { member, .. } = condition
        {
            *member = number(*member)?;
        }
    }
    let stays = |target: &mut Target| match target {
        Target::Members(listed) => {
            *listed = listed.iter().copied().filter_map(number).collect();
            !listed.is_empty()
        }
        _ => true,
    };
    plan.faults.retain_mut(|fault| {
        let other_end = match &mut fault.kind {
            FaultKind::Network(
                NetworkFault::Link { to, .. } | NetworkFault::Cut { to, .. } | NetworkFault::Clog { to },
            ) => stays(to),
            FaultKind::Network(NetworkFault::Rule(rule)) => stays(&mut rule.to),
            _ => true,
        };
        stays(&mut fault.target) && other_end
    });
    Some(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_clusters_come_first() {
        assert_eq!(groups(3), [vec![1], vec![2], vec![3], vec![1, 2], vec![1, 3], vec![2, 3]]);
        assert!(groups(1).is_empty());
    }

    #[test]
    fn the_members_that_stay_are_numbered_from_1() {
        let text = "title = \"x\"\nseed = 1\nflaws = [\"R2@3\"]\n[cluster]\nmembers = 3\n\
                    [[fault]]\nkind = \"crash\"\nid = 1\nat = \"1s\"\ntarget = \"members 2, 3\"\n\
                    [[fault]]\nkind = \"crash\"\nid = 2\nat = \"1s\"\ntarget = \"member 2\"\n";
        let plan = Plan::parse("x.toml", text).unwrap();
        let smaller = only(&plan, &[1, 3]).unwrap();
        assert_eq!(smaller.cluster.members, 2);
        assert_eq!(smaller.flaws[0].member, Some(MemberId::new(2)));
        assert_eq!(smaller.faults.len(), 1, "a fault without a target is gone");
        assert_eq!(smaller.faults[0].target, Target::members([2_u32]));
        assert!(only(&plan, &[1, 2]).is_none(), "the flaw's member is gone");
    }
}
