//! From the plan's words to the members' configuration.

use std::sync::Arc;

use member::config::{AutoCompaction, Peer};
use member::{Config, Flaw};
use plan::Plan;

/// One configuration a member.
///
/// # Panics
/// If the plan names a flaw that does not exist: whoever made the plan checks that.
pub(crate) fn configs(plan: &Plan) -> Vec<Config> {
    let cluster = &plan.cluster;
    let peers: Arc<[Peer]> = (1..=cluster.members).map(peer).collect();
    (1..=plan.most_members())
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
                client_urls: Arc::new([format!("http://m{id}:2379")]),
                strict_reconfig: cluster.strict_reconfig,
                watch_window: cluster.watch_window,
                watch_buffer: cluster.watch_buffer,
                watch_sync_interval: cluster.watch_sync_interval,
                watch_sync_batch: cluster.watch_sync_batch,
                watch_batch_revisions: cluster.watch_batch_revisions,
                watch_progress_interval: cluster.watch_progress_interval,
                watch_fragment_bytes: cluster.watch_fragment_bytes,
                lease_checkpoint_interval: given(cluster.lease_checkpoint_interval),
                quota_bytes: cluster.quota,
                auto_compaction: given(cluster.auto_compaction_period)
                    .map(AutoCompaction::Periodic)
                    .or(given(cluster.auto_compaction_revisions)
                        .map(|revisions| AutoCompaction::Revision(revisions as i64))),
                corrupt_check_interval: given(cluster.corrupt_check_interval),
                auth_token_ttl: cluster.auth_token_ttl,
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

/// 0 stands for never.
fn given(interval: u64) -> Option<u64> {
    (interval != 0).then_some(interval)
}

/// A member as others are told of it.
pub(crate) fn peer(id: u32) -> Peer {
    let peer_urls = [crate::operators::peer_url(id as usize - 1)].into();
    Peer { id: u64::from(id), name: format!("m{id}").into(), peer_urls }
}
