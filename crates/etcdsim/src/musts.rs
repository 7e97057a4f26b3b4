//! What the monitors of a run must know of its plan: settings, links, clocks, and what each fault touches.

use keyed::Ratio;
use plan::{ClockFault, Fault, FaultKind, NetworkFault, Plan, ProcessFault, RaftLoop};
use record::step::Settings;
use schedule::{Link, PointAction, Spread, Trigger};
use verify::musts::{Setup, Touches};
use verify::specification::Configured;

use crate::execute::EXACT;

/// What the musts must know of this plan.
pub(crate) fn setup(plan: &Plan) -> Setup {
    let settings = &plan.cluster.settings;
    let usual = plan.faults.iter().filter_map(usual_rate);
    let keeps =
        |link: &Link| link.loss == Ratio::NEVER && link.corrupt == Ratio::NEVER && link.bandwidth == 0;
    let peers = &plan.network.peers;
    Setup {
        tick: settings.heartbeat_interval,
        election_ticks: u64::from(settings.election_ticks),
        pre_vote: settings.pre_vote,
        check_quorum: settings.check_quorum,
        max_inflight: u64::from(settings.max_inflight_messages),
        backend_interval: settings.backend_interval,
        backend_limit: settings.backend_limit,
        snapshot_count: settings.snapshot_count,
        read_index_retry: settings.read_index_retry,
        request_timeout: settings.request_timeout,
        first_members: plan.cluster.members,
        max_apply_gap: settings.max_apply_gap,
        strict_reconfig: settings.strict_reconfig,
        scrub: (u64::from(settings.compaction_batch), settings.compaction_pause),
        peers_keep: keeps(peers),
        peers_in_order: keeps(peers) && peers.duplicate == Ratio::NEVER && peers.reorder == Ratio::NEVER,
        clients_keep: keeps(&plan.network.clients),
        rates: usual.fold((EXACT, EXACT), |(slowest, fastest), rate| (slowest.min(rate), fastest.max(rate))),
        watchers_are_quick: plan.clients.iter().all(|client| client.watch_processing == Spread::Constant(0)),
        watch_window: u64::from(settings.watch_window.min(settings.watch_buffer)),
        watch_sync: settings.watch_sync_interval,
        watch_batch: u64::from(settings.watch_sync_batch),
        watch_batch_revisions: u64::from(settings.watch_batch_revisions),
        watch_progress: settings.watch_progress_interval,
        checkpoint: settings.lease_checkpoints(),
        faults: plan.faults.iter().map(touches).collect(),
    }
}

/// What S must know of this plan. A leader sends a heartbeat each tick, as in etcd (`HeartbeatTick` is 1).
pub(crate) fn raft(plan: &Plan) -> Configured {
    let settings = &plan.cluster.settings;
    Configured {
        settings: Settings {
            election: u64::from(settings.election_ticks),
            heartbeat: 1,
            pre_vote: settings.pre_vote,
            check_quorum: settings.check_quorum,
            max_inflight: u64::from(settings.max_inflight_messages),
            max_size: settings.max_size_per_message,
            max_uncommitted: settings.max_uncommitted_size,
        },
        blocking: settings.raft_loop == RaftLoop::Blocking,
    }
}

/// The rate that a member's clock has while no fault is on, if that is what a fault of the plan sets: the expansion of a
/// scenario writes it as a fault from the beginning to the end.
fn usual_rate(fault: &Fault) -> Option<u32> {
    match fault.kind {
        FaultKind::Clock(ClockFault::Rate { rate })
            if rate > 0 && fault.when == Trigger::At(0) && fault.duration.is_none() =>
        {
            Some(rate)
        }
        _ => None,
    }
}

/// What a fault touches while it is active.
fn touches(fault: &Fault) -> Touches {
    if usual_rate(fault).is_some() {
        return Touches::Nothing;
    }
    match &fault.kind {
        FaultKind::Network(NetworkFault::MajoritiesRing | NetworkFault::Bridge) => Touches::AllLinks,
        FaultKind::Network(NetworkFault::CutClients) => Touches::ClientLinks,
        FaultKind::Network(_) => Touches::Links,
        FaultKind::Disk(_) if fault.kind.effect().damages => Touches::Damages,
        FaultKind::Disk(_) => Touches::Members,
        FaultKind::Clock(ClockFault::Rate { .. } | ClockFault::Freeze) => Touches::Members,
        // The members' monotonic clocks go on as they were.
        FaultKind::Clock(ClockFault::Step { .. } | ClockFault::Strobe { .. } | ClockFault::Sine { .. }) => {
            Touches::Nothing
        }
        // A process that has ended reports that itself, and one that has not ended is unaffected.
        FaultKind::Process(
            ProcessFault::Crash
            | ProcessFault::PowerLoss
            | ProcessFault::CrashAtDiskOp { .. }
            | ProcessFault::CrashInRecovery { .. }
            | ProcessFault::Failpoint { does: PointAction::Crash | PointAction::PowerLoss, .. },
        ) => Touches::Nothing,
        FaultKind::Process(_) => Touches::Members,
        FaultKind::Task(_) => Touches::Nothing,
    }
}
