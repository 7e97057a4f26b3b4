//! Lets faults strike fewer members.

use plan::{Plan, Target};
use record::MemberId;

use crate::shrink::trial::Trial;

pub(super) fn targets(trial: &mut Trial<'_>) {
    while trial
        .first(candidates(trial.best()).len(), &|plan, nth| {
            let (fault, target) = candidates(plan).swap_remove(nth);
            let mut plan = plan.clone();
            plan.faults[fault].target = target;
            Some(plan)
        })
        .is_some()
    {}
}

/// Smaller targets: the fault's index and its new target.
fn candidates(plan: &Plan) -> Vec<(usize, Target)> {
    let members = 1..=plan.cluster.members;
    let mut all = Vec::new();
    for (nth, fault) in plan.faults.iter().enumerate() {
        match &fault.target {
            Target::Members(listed) if listed.len() > 1 => {
                for one in listed {
                    let others = listed.iter().copied().filter(|other| other != one).collect();
                    all.push((nth, Target::Members(others)));
                }
            }
            Target::Clients(listed) if listed.len() > 1 => {
                for one in listed {
                    let others = listed.iter().copied().filter(|other| other != one).collect();
                    all.push((nth, Target::Clients(others)));
                }
            }
            Target::Members(_) | Target::Clients(_) | Target::Leader => {}
            Target::Follower | Target::Random => {
                all.push((nth, Target::Leader));
                all.extend(members.clone().map(|member| (nth, Target::Members(vec![MemberId::new(member)]))));
            }
            Target::Followers
            | Target::Majority
            | Target::LeaderMajority
            | Target::Minority
            | Target::All => {
                all.push((nth, Target::Leader));
                all.extend(members.clone().map(|member| (nth, Target::Members(vec![MemberId::new(member)]))));
                let but = |gone: u32| {
                    let rest = members.clone().filter(|member| *member != gone).map(MemberId::new);
                    Target::Members(rest.collect())
                };
                all.extend(members.clone().map(|member| (nth, but(member))));
            }
        }
    }
    all
}
