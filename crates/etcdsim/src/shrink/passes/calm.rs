//! Takes noise away: links and disks get constant times, and no message is lost, doubled or overtaken. In a calm run
//! nothing depends on draws but the election timeouts, so that what is left out later changes nothing else.

use keyed::Ratio;
use plan::{DiskFault, FaultKind, Link, NetworkFault, Plan, Spread};

use super::draws::SEEDS;
use crate::shrink::trial::Trial;

/// Changes that make a plan calmer, the largest first.
const CHANGES: &[fn(&mut Plan)] = &[
    |plan| {
        usual_links(plan);
        still_links(plan);
        usual_disk(plan);
        still_disk(plan);
        still_clients(plan);
        still_faults(plan);
    },
    |plan| {
        still_links(plan);
        still_disk(plan);
        still_clients(plan);
    },
    |plan| {
        still_links(plan);
        still_clients(plan);
    },
    still_disk,
    |plan| still(&mut plan.network.peers),
    |plan| still(&mut plan.network.clients),
    |plan| plan.network.peers.latency = constant(plan.network.peers.latency),
    |plan| plan.network.clients.latency = constant(plan.network.clients.latency),
    |plan| (plan.network.peers.loss, plan.network.clients.loss) = (Ratio::NEVER, Ratio::NEVER),
    |plan| (plan.network.peers.duplicate, plan.network.clients.duplicate) = (Ratio::NEVER, Ratio::NEVER),
    |plan| (plan.network.peers.reorder, plan.network.clients.reorder) = (Ratio::NEVER, Ratio::NEVER),
    |plan| (plan.network.peers.corrupt, plan.network.clients.corrupt) = (Ratio::NEVER, Ratio::NEVER),
    |plan| plan.disk.sync = constant(plan.disk.sync),
    |plan| plan.disk.write = constant(plan.disk.write),
    |plan| plan.disk.read = constant(plan.disk.read),
    still_clients,
    still_faults,
];

/// Times of links and of syncs that are tried for a run without noise, in microseconds. The longer a sync takes, the more
/// can happen meanwhile.
const CONSTANTS: &[(u64, u64)] =
    &[(500, 1_000), (500, 5_000), (1_000, 20_000), (5_000, 1_000), (5_000, 50_000)];

pub(super) fn calm(trial: &mut Trial<'_>) {
    if trial.size().noise == 0 {
        return;
    }
    for change in CHANGES {
        let mut candidate = trial.best().clone();
        change(&mut candidate);
        trial.accepts(candidate);
    }
    // All of it, at the price of other draws.
    trial.first(CONSTANTS.len() * SEEDS, &|plan, nth| {
        let mut plan = plan.clone();
        let (latency, sync) = CONSTANTS[nth % CONSTANTS.len()];
        still_links(&mut plan);
        still_disk(&mut plan);
        still_clients(&mut plan);
        for link in [&mut plan.network.peers, &mut plan.network.clients] {
            link.latency = Spread::Constant(latency * 1_000);
        }
        plan.disk.sync = Spread::Constant(sync * 1_000);
        plan.seed = plan.seed.wrapping_add((nth / CONSTANTS.len()) as u64);
        Some(plan)
    });
}

/// The value that a distribution most often gives, or one near it.
pub(super) fn constant(spread: Spread) -> Spread {
    Spread::Constant(match spread {
        Spread::Constant(value) => value,
        Spread::Uniform { low, high } => low + (high - low) / 2,
        Spread::Exponential { floor, mean } => floor.saturating_add(mean),
        Spread::HeavyTail { usual, .. } => usual,
    })
}

fn still(link: &mut Link) {
    let latency = constant(link.latency);
    let never = Ratio::NEVER;
    *link = Link { latency, loss: never, duplicate: never, reorder: never, corrupt: never, ..*link };
}

fn still_links(plan: &mut Plan) {
    still(&mut plan.network.peers);
    still(&mut plan.network.clients);
}

fn usual_links(plan: &mut Plan) {
    (plan.network.peers, plan.network.clients) = (Link::default(), Link::default());
}

fn usual_disk(plan: &mut Plan) {
    plan.disk = plan::Disk { capacity: plan.disk.capacity, ..plan::Disk::default() };
}

fn still_disk(plan: &mut Plan) {
    for spread in [&mut plan.disk.read, &mut plan.disk.write, &mut plan.disk.sync] {
        *spread = constant(*spread);
    }
}

/// What links do while a fault affects them: their times become constant, and what may happen to a message happens to
/// every message.
fn still_faults(plan: &mut Plan) {
    let always = |share: &mut Ratio| {
        if *share != Ratio::NEVER {
            *share = Ratio::ALWAYS;
        }
    };
    for fault in &mut plan.faults {
        match &mut fault.kind {
            FaultKind::Network(NetworkFault::Link { link, .. }) => {
                link.latency = constant(link.latency);
                always(&mut link.duplicate);
                always(&mut link.reorder);
            }
            FaultKind::Disk(DiskFault::SlowDisk { extra, .. }) => *extra = constant(*extra),
            _ => {}
        }
    }
}

fn still_clients(plan: &mut Plan) {
    for client in &mut plan.clients {
        client.watch_processing = constant(client.watch_processing);
    }
}
