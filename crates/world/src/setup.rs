//! From the plan's words to the members' configuration.

use std::sync::Arc;

use member::config::Peer;
use member::{Config, Flaw};
use plan::Plan;

/// One configuration a member.
///
/// # Panics
/// If the plan names a flaw that does not exist: whoever made the plan checks that.
pub(crate) fn configs(plan: &Plan) -> Vec<Config> {
    let cluster = &plan.cluster;
    let peers: Arc<[Peer]> = (1..=cluster.members).map(peer).collect();
    (1..=cluster.members)
        .map(|id| {
            let mut config = Config {
                seed: plan.seed,
                heartbeat_interval: cluster.heartbeat_interval,
                election_ticks: cluster.election_ticks,
                pre_vote: cluster.pre_vote,
                check_quorum: cluster.check_quorum,
                snapshot_count: cluster.snapshot_count,
                catch_up_entries: cluster.catch_up_entries,
                wal_segment_bytes: cluster.wal_segment_bytes,
                backend_interval: cluster.backend_interval,
                backend_limit: cluster.backend_limit,
                request_timeout: cluster.request_timeout,
                read_index_retry: cluster.read_index_retry,
                max_size_per_message: cluster.max_size_per_message,
                max_inflight_messages: cluster.max_inflight_messages as usize,
                compaction_batch: cluster.compaction_batch,
                compaction_pause: cluster.compaction_pause,
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

fn peer(id: u32) -> Peer {
    let peer_urls = [format!("http://m{id}:2380")].into();
    Peer { id: u64::from(id), name: format!("m{id}").into(), peer_urls }
}
