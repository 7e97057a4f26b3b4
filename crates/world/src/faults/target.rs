//! Resolves the target of a fault, such as `leader` or `minority`, to the members it means at this moment.

use keyed::Draw;
use schedule::Target;
use trace::MemberId;

use crate::network::Party;
use crate::strike::Reach;
use crate::system::System;

impl<S: System> Reach<'_, S> {
    /// The members a target means now.
    pub(super) fn resolve(&self, target: &Target, draw: Draw) -> Vec<MemberId> {
        let all = self.members();
        let quorum = all.len() / 2 + 1;
        let leader = || self.progress.leader().unwrap_or_else(|| *draw.then(1).pick(&all));
        let mut shuffled = all.clone();
        draw.then(2).shuffle(&mut shuffled);
        match target {
            Target::Members(members) => {
                members.iter().copied().filter(|member| all.contains(member)).collect()
            }
            Target::Leader => vec![leader()],
            Target::Followers => {
                let leader = leader();
                all.into_iter().filter(|member| *member != leader).collect()
            }
            Target::Follower => {
                let leader = leader();
                let followers: Vec<MemberId> =
                    all.iter().copied().filter(|member| *member != leader).collect();
                if followers.is_empty() { all } else { vec![*draw.pick(&followers)] }
            }
            Target::Random => vec![*draw.pick(&all)],
            Target::Majority => shuffled[..quorum].to_vec(),
            Target::Minority => shuffled[..all.len() - quorum].to_vec(),
            Target::LeaderMajority => {
                let leader = leader();
                shuffled.retain(|member| *member != leader);
                shuffled.insert(0, leader);
                shuffled[..quorum].to_vec()
            }
            Target::All => all,
            Target::Clients(_) => Vec::new(),
        }
    }

    /// The members or clients a target means now.
    pub(super) fn resolve_parties(&self, target: &Target, draw: Draw) -> Vec<Party> {
        match target {
            Target::Clients(clients) => {
                clients.iter().map(|client| Party::Client(*client as usize)).collect()
            }
            other => self.resolve(other, draw).into_iter().map(Party::Member).collect(),
        }
    }
}
