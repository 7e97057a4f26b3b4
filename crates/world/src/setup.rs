//! Makes the configuration of each member (`member::Config`) from the plan: its peers, URLs, settings and flaws.

use std::sync::Arc;

use member::config::Peer;
use member::{Config, Flaw};
use plan::Plan;
use record::MemberId;

/// The members that the cluster begins with.
pub(crate) fn peers(plan: &Plan) -> Arc<[Peer]> {
    MemberId::first(plan.cluster.members).map(peer).collect()
}

/// The configuration of one member, at the start or later.
///
/// # Panics
/// If the plan names a flaw that does not exist: the code that makes the plan checks that.
pub(crate) fn config(plan: &Plan, peers: &Arc<[Peer]>, id: MemberId) -> Config {
    let mut config = Config {
        seed: plan.seed,
        client_urls: Arc::new([format!("http://m{id}:2379")]),
        settings: plan.cluster.settings.clone(),
        ..Config::new(id, Arc::clone(peers))
    };
    for switched in plan.flaws.iter().filter(|flaw| flaw.member.is_none_or(|member| member == id)) {
        let flaw: Flaw = switched.flaw.parse().unwrap_or_else(|error| panic!("{error}"));
        config.flaws.insert(flaw);
    }
    config
}

/// A member as other members know it.
pub(crate) fn peer(id: MemberId) -> Peer {
    Peer { id, name: format!("m{id}").into(), peer_urls: [crate::operators::peer_url(id)].into() }
}
