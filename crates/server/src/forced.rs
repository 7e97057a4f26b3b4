//! A new cluster from the data of one member (`--force-new-cluster`), for a cluster that has permanently lost most of
//! its members.
//!
//! What the member has applied, and what it knows to be committed, becomes the initial state of a cluster in which it
//! is alone. Keys, leases, users and roles stay, with their revisions. In etcd, the new cluster has the id of the old
//! one, and the others are removed from it. Here it has an id of its own, so that it never listens to members of the
//! old one.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use contract::disk::Disk;
use contract::{Boot, Input, Node as _, Store as _, Work as _};
use member::config::Peer;
use member::io::Effects;
use member::{Config, Member};
use record::MemberId;

use crate::clock::Clock;
use crate::data_dir::{DataDir, Identity, write_identity};
use crate::disk::{RealDisk, perform_all};
use crate::setup::{Setup, cluster_id};

/// Replaces the files of a member by those of a cluster in which it is alone. A member without data is left as it is.
pub fn new_cluster(setup: &Setup, data_dir: DataDir) -> Result<DataDir, String> {
    let Some(known) = data_dir.identity.clone().filter(|known| known.started) else { return Ok(data_dir) };
    let failed = |error: &dyn std::fmt::Display| format!("--force-new-cluster: {error}");
    let peers = setup.peers();
    let own = peers.iter().find(|peer| *peer.name == *setup.flags.name);
    let own = own.ok_or_else(|| failed(&"--initial-cluster does not name this member"))?;
    let own = Peer { id: known.member, ..own.clone() };
    // An id that follows from the old one, so that a start that was interrupted makes the same cluster again.
    let old = Peer { id: MemberId::from_raft(known.cluster), ..own.clone() };
    let identity =
        Identity { cluster: cluster_id(&[own.clone(), old]), starts: known.starts + 2, ..known.clone() };
    let disk = RealDisk::new(data_dir.files().to_path_buf()).map_err(|error| failed(&error))?;
    let config = Config {
        cluster_id: known.cluster,
        settings: setup.settings.clone(),
        ..Config::new(known.member, peers)
    };
    let image =
        last_state(boot(config, known.starts + 1, false), Arc::new(disk)).map_err(|error| failed(&error))?;

    let new = data_dir.beside().map_err(|error| failed(&error))?;
    let disk = RealDisk::new(new.clone()).map_err(|error| failed(&error))?;
    let config = Config {
        cluster_id: identity.cluster,
        restore: Some(image),
        settings: setup.settings.clone(),
        ..Config::new(known.member, Arc::new([own]))
    };
    // A first start writes everything and syncs it before it returns.
    Member::start(boot(config, identity.starts, true), Arc::new(disk), &mut Effects::default())
        .map_err(|error| failed(&error))?;
    write_identity(&new, &identity).map_err(|error| failed(&error))?;
    tracing::warn!(cluster = format!("{:x}", identity.cluster), "this member is a cluster of its own now");
    data_dir.replace(&setup.data_dir).map_err(|error| failed(&error))
}

fn boot(config: Config, incarnation: u32, first: bool) -> Boot<member::io::Etcd> {
    Boot {
        id: config.id,
        config: Config { incarnation, ..config },
        incarnation,
        first,
        now: Clock::new().now(),
        armed: None,
        steps: false,
        inner: false,
    }
}

/// Starts a member that hears from no other, lets it apply what it knows to be committed, and returns its state.
fn last_state(boot: Boot<member::io::Etcd>, disk: Arc<dyn Disk>) -> Result<Bytes, String> {
    let (clock, mut effects) = (Clock::new(), Effects::default());
    let (mut member, mut store) =
        Member::start(boot, Arc::clone(&disk), &mut effects).map_err(|error| error.to_string())?;
    let mut inputs = VecDeque::from([Input::Recovered]);
    loop {
        for job in effects.jobs.drain(..) {
            let (id, result) = (job.id, perform_all(&*disk, &[job]));
            inputs.push_back(Input::JobDone { job: id, result });
        }
        if let Some(job) = effects.store.take() {
            inputs.push_back(Input::StoreDone(store.perform(&job)));
        }
        for (work, what) in effects.work.drain(..) {
            inputs.push_back(Input::WorkDone { work, done: what.perform() });
        }
        if let Some(end) = effects.end.take() {
            return Err(format!("the member ends: {end:?}"));
        }
        let Some(input) = inputs.pop_front() else { return Ok(member.image()) };
        effects = Effects::default();
        member.step(clock.now(), input, &mut effects);
    }
}
