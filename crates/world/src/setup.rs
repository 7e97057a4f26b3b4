//! Turns the plan's settings into the members' configuration.

use std::sync::Arc;

use member::config::Peer;
use member::{Config, Flaw};
use plan::Plan;

/// One configuration for each member.
///
/// # Panics
/// If the plan names a flaw that does not exist: the code that makes the plan checks that.
pub(crate) fn configs(plan: &Plan) -> Vec<Config> {
    let cluster = &plan.cluster;
    let peers: Arc<[Peer]> = (1..=cluster.members).map(peer).collect();
    (1..=plan.most_members())
        .map(|id| {
            let mut config = Config {
                seed: plan.seed,
                client_urls: Arc::new([format!("http://m{id}:2379")]),
                settings: cluster.settings.clone(),
                ..Config::new(u64::from(id), Arc::clone(&peers))
            };
            for switched in plan.flaws.iter().filter(|flaw| flaw.member.is_none_or(|member| member == id)) {
                let flaw: Flaw = switched.flaw.parse().unwrap_or_else(|error| panic!("{error}"));
                config.flaws.insert(flaw);
            }
            config
        })
        .collect()
}

/// A member as other members know it.
pub(crate) fn peer(id: u32) -> Peer {
    let peer_urls = [crate::operators::peer_url(id as usize - 1)].into();
    Peer { id: u64::from(id), name: format!("m{id}").into(), peer_urls }
}
