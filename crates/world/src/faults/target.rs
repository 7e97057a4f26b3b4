//! Which members a target means at the moment.

use keyed::Draw;
use plan::Target;

use crate::world::World;

impl World<'_> {
    /// The members (by index) a target means now.
    pub(super) fn resolve(&self, target: &Target, draw: Draw) -> Vec<usize> {
        let all = self.members();
        let quorum = all.len() / 2 + 1;
        let leader = || self.progress.leader().unwrap_or_else(|| *draw.then(1).pick(&all));
        let mut shuffled = all.clone();
        draw.then(2).shuffle(&mut shuffled);
        match target {
            Target::Members(members) => {
                let indices = members.iter().map(|member| *member as usize - 1);
                indices.filter(|member| all.contains(member)).collect()
            }
            Target::Leader => vec![leader()],
            Target::Followers => {
                let leader = leader();
                all.into_iter().filter(|member| *member != leader).collect()
            }
            Target::Follower => {
                let leader = leader();
                let followers: Vec<usize> = all.iter().copied().filter(|member| *member != leader).collect();
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

    /// The processes (members or clients, by index) a target means now.
    pub(super) fn resolve_processes(&self, target: &Target, draw: Draw) -> Vec<usize> {
        match target {
            Target::Clients(clients) => {
                clients.iter().map(|client| self.processes.len() + *client as usize).collect()
            }
            other => self.resolve(other, draw),
        }
    }
}
