//! How a server starts, and how it ends.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use api::etcdserverpb::Member as Listed;
use contract::{Boot, End, Node as _};
use member::config::Peer;
use member::io::Effects;
use member::{Config, Member};
use record::MemberId;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::app::App;
use crate::clock::Clock;
use crate::connections::{self, Keeping, Whom};
use crate::corruption;
use crate::data_dir::{DataDir, Identity};
use crate::disk::RealDisk;
use crate::driver::{Driver, Surroundings};
use crate::forced;
use crate::handle::{Event, Handle};
use crate::metrics::Metrics;
use crate::net::Listener;
use crate::passwords::Bcrypt;
use crate::peers::{self, Dialling, Peers, Removed};
use crate::setup::{Setup, cluster_id};
use crate::snapshot;
use crate::tls::{ClientTls, Files, ServerTls};

/// How long answers may take to leave after the member has stopped.
const GRACE: Duration = Duration::from_millis(200);

/// Runs a server until it ends.
///
/// # Errors
/// Why it did not start, or why it could not go on.
pub fn run(setup: Setup) -> Result<(), String> {
    if let Some(file) = &setup.flags.restore {
        return restore(&setup, file);
    }
    let runtime = Runtime::new().map_err(|error| format!("threads: {error}"))?;
    let result = runtime.block_on(serve(setup));
    runtime.shutdown_timeout(GRACE);
    result
}

/// Makes a data directory from a snapshot (`etcdutl snapshot restore`).
fn restore(setup: &Setup, file: &Path) -> Result<(), String> {
    let at = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    if setup.data_dir.exists() {
        return Err(format!("data-dir {:?} exists: a snapshot is restored into a new one", setup.data_dir));
    }
    let bytes = std::fs::read(file).map_err(|error| at(&error))?;
    let mut content =
        snapshot::read(&bytes.into(), !setup.flags.skip_hash_check).map_err(|error| at(&error))?;
    if let Some(by) = setup.flags.bump_revision {
        let bumped = content.bump(by).ok_or_else(|| {
            at(&format!(
                "its newest revision cannot be made larger by {by}: choose a smaller --bump-revision"
            ))
        })?;
        tracing::info!(revision = bumped, "the newest revision was made larger");
    }
    let image = content.image().map_err(|error| at(&error))?;
    let mut data_dir = DataDir::open(&setup.data_dir).map_err(|error| error.to_string())?;
    let Founded { mut identity, peers, .. } = founded(setup);
    let disk = RealDisk::new(data_dir.files().to_path_buf()).map_err(|error| error.to_string())?;
    identity.starts = 1;
    let config = Config {
        cluster_id: identity.cluster,
        restore: Some(image),
        settings: setup.settings.clone(),
        ..Config::new(identity.member, peers)
    };
    let boot = Boot {
        id: identity.member,
        config,
        incarnation: identity.starts,
        first: true,
        now: Clock::new().now(),
        armed: None,
        steps: false,
        inner: false,
    };
    // A first start writes everything and syncs it before it returns.
    Member::start(boot, Arc::new(disk), &mut Effects::default()).map_err(|error| error.to_string())?;
    identity.started = true;
    data_dir.save(identity).map_err(|error| error.to_string())?;
    println!("restored {} to {}", file.display(), setup.data_dir.display());
    Ok(())
}

async fn serve(setup: Setup) -> Result<(), String> {
    let mut data_dir = DataDir::open(&setup.data_dir).map_err(|error| error.to_string())?;
    if setup.flags.force_new_cluster {
        data_dir = forced::new_cluster(&setup, data_dir)?;
    }
    let client_tls = server_tls(&setup.client_tls, "--cert-file")?;
    let peer_tls = server_tls(&setup.peer_tls, "--peer-cert-file")?;
    let dial_tls = match setup.peer_tls.trusted_ca {
        Some(_) => Some(
            ClientTls::new(setup.peer_tls.clone()).map_err(|error| format!("--peer-cert-file: {error}"))?,
        ),
        None => None,
    };
    let mut listeners = Vec::new();
    for (urls, whom, tls) in [
        (&setup.listen_peer, Whom::Members, &peer_tls),
        (&setup.listen_client, Whom::Clients, &client_tls),
        (&setup.listen_metrics, Whom::Observers, &client_tls),
    ] {
        for url in urls {
            let listener = Listener::bind(url, tls.as_ref()).await;
            listeners.push((listener.map_err(|error| format!("cannot listen at {url}: {error}"))?, whom));
        }
    }
    let founded = found(&setup, data_dir.identity.as_ref(), dial_tls.as_ref()).await?;
    let Founded { mut identity, peers, join } = founded;
    let first = !identity.started;
    identity.starts += 1;
    data_dir.save(identity.clone()).map_err(|error| error.to_string())?;
    tracing::info!(
        member = format!("{:x}", identity.member.raft_id()),
        cluster = format!("{:x}", identity.cluster),
        start = identity.starts,
        data_dir = %setup.data_dir.display(),
        "starting"
    );

    let config = Config {
        cluster_id: identity.cluster,
        incarnation: identity.starts,
        seed: identity.member.raft_id(),
        client_urls: setup.advertise_client.as_slice().into(),
        join,
        settings: setup.settings.clone(),
        passwords: Arc::new(Bcrypt { cost: setup.flags.bcrypt_cost }),
        ..Config::new(identity.member, Arc::clone(&peers))
    };
    let metrics = Arc::new(Metrics::new(member::VERSION, identity.member.raft_id(), setup.settings.quota));
    let (handle, events) = Handle::new();
    let runtime = tokio::runtime::Handle::current();
    let dialling = Dialling {
        own: identity.member,
        cluster: identity.cluster,
        tls: dial_tls.clone(),
        handle: handle.clone(),
        runtime: runtime.clone(),
        clock: Clock::new(),
    };
    let removed = Removed::default();
    let mut links = Peers::new(dialling, Arc::clone(&removed));
    for Peer { id, peer_urls, .. } in &peers[..] {
        links.reach(*id, peer_urls.to_vec());
    }
    let disk = RealDisk::new(data_dir.files().to_path_buf()).map_err(|error| format!("{error}"))?;
    let around = Surroundings {
        disk: Arc::new(disk),
        events,
        handle: handle.clone(),
        peers: links,
        metrics: Arc::clone(&metrics),
        runtime,
        record: setup.flags.record.clone(),
    };
    let (ended, end) = oneshot::channel();
    let (started, start) = oneshot::channel();
    // The member is made in its own thread, and never leaves it.
    #[allow(clippy::disallowed_methods, reason = "a server has threads")]
    thread::Builder::new()
        .name("member".into())
        .spawn(move || {
            let driver = match Driver::start(config, first, around) {
                Ok(driver) => driver,
                Err(error) => return drop(started.send(Err(error.to_string()))),
            };
            let _ = started.send(Ok(()));
            let _ = ended.send(driver.run());
        })
        .map_err(|error| format!("threads: {error}"))?;
    start.await.unwrap_or_else(|_| Err("the member ended with a panic while it started".into()))?;
    if first {
        identity.started = true;
        data_dir.save(identity.clone()).map_err(|error| error.to_string())?;
    }

    if setup.initial_corrupt_check && !first {
        corruption::check(&handle, identity.member, &peers, dial_tls.as_ref()).await?;
    }
    let app = Arc::new(App {
        handle: handle.clone(),
        own: identity.member,
        cluster: identity.cluster,
        max_request_bytes: setup.flags.max_request_bytes as usize,
        metrics,
        removed,
    });
    let keeping = Keeping {
        ping: Some(setup.flags.grpc_keepalive_interval.0).filter(|time| !time.is_zero()),
        pong: setup.flags.grpc_keepalive_timeout.0,
        streams: setup.flags.max_concurrent_streams,
    };
    for (listener, whom) in listeners {
        tracing::info!(url = %listener.url, ?whom, "serving");
        tokio::spawn(connections::accept(Arc::clone(&app), listener, whom, keeping.clone()));
    }
    let is_stopping = Arc::new(AtomicBool::new(false));
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        tokio::spawn(stop_on(kind, handle.clone(), Arc::clone(&is_stopping)));
    }
    let end = end.await.map_err(|_| "the member ended with a panic".to_string())?;
    // Whoever waits for an answer gets it, or learns that the server has stopped.
    sleep(GRACE).await;
    match end {
        End::Finished => Ok(()),
        End::Removed => {
            tracing::warn!("this member was removed from the cluster");
            Ok(())
        }
        End::Fatal(why) => Err(why),
    }
}

fn server_tls(files: &Files, flag: &str) -> Result<Option<Arc<ServerTls>>, String> {
    if !files.is_set() {
        return Ok(None);
    }
    let tls = ServerTls::new(files.clone()).map_err(|error| format!("{flag}: {error}"))?;
    Ok(Some(Arc::new(tls)))
}

/// Who the member is, and who the others are.
struct Founded {
    identity: Identity,
    peers: Arc<[Peer]>,
    join: bool,
}

/// Finds out who the member is: from its data directory, from the flags, or from the cluster that it joins.
async fn found(setup: &Setup, known: Option<&Identity>, tls: Option<&ClientTls>) -> Result<Founded, String> {
    let peers = setup.peers();
    let is_own = |peer: &Peer| *peer.name == *setup.flags.name;
    if let Some(known) = known {
        // What the flags say about the cluster counted only once, at the first start. The member knows the others, but
        // not its own name.
        let named =
            |peer: &Peer| if is_own(peer) { Peer { id: known.member, ..peer.clone() } } else { peer.clone() };
        return Ok(Founded {
            identity: known.clone(),
            peers: peers.iter().map(named).collect(),
            join: setup.joins,
        });
    }
    if !setup.joins {
        return Ok(founded(setup));
    }
    let (cluster, peers) = existing(&peers, &setup.flags.name, tls).await?;
    let member = peers.iter().find(|peer| is_own(peer)).map_or(MemberId::NONE, |peer| peer.id);
    Ok(Founded { identity: Identity { member, cluster, ..Identity::default() }, peers, join: true })
}

/// A member of a new cluster.
fn founded(setup: &Setup) -> Founded {
    let peers = setup.peers();
    let own = peers.iter().find(|peer| *peer.name == *setup.flags.name);
    let member = own.map_or(MemberId::NONE, |peer| peer.id);
    Founded {
        identity: Identity { member, cluster: cluster_id(&peers), ..Identity::default() },
        peers,
        join: false,
    }
}

/// Asks the members of a cluster for its id, and for the ids of all members (`etcdserver/cluster_util.go`,
/// `GetClusterFromRemotePeers`; `membership/cluster.go`, `ValidateClusterAndAssignIDs`).
async fn existing(peers: &[Peer], own: &str, tls: Option<&ClientTls>) -> Result<(u64, Arc<[Peer]>), String> {
    let mut why = "there are no other members in --initial-cluster".to_string();
    for url in peers.iter().filter(|peer| &*peer.name != own).flat_map(|peer| &peer.peer_urls[..]) {
        let url = url.parse().map_err(|error| format!("--initial-cluster: {error}"))?;
        match peers::members_of(&url, tls).await {
            Ok((cluster, members)) => return Ok((cluster, with_ids(peers, &members)?)),
            Err(error) => why = format!("{url}: {error}"),
        }
    }
    Err(format!(
        "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs: {why}"
    ))
}

/// The members of the flags, with the ids that they have in the cluster.
fn with_ids(peers: &[Peer], members: &[Listed]) -> Result<Arc<[Peer]>, String> {
    if members.len() != peers.len() {
        return Err(format!(
            "error validating peerURLs: member count is unequal: --initial-cluster has {}, the cluster has {}",
            peers.len(),
            members.len()
        ));
    }
    let sorted = |urls: &[String]| {
        let mut urls = urls.to_vec();
        urls.sort_unstable();
        urls
    };
    let id_of = |peer: &Peer| {
        let wanted = sorted(&peer.peer_urls);
        let found = members.iter().find(|member| sorted(&member.peer_urls) == wanted);
        let id = found.map(|member| MemberId::from_raft(member.id));
        id.map(|id| Peer { id, ..peer.clone() }).ok_or_else(|| {
            format!(
                "error validating peerURLs: the cluster has no member at {}; add it first",
                wanted.join(",")
            )
        })
    };
    peers.iter().map(id_of).collect()
}

/// Stops the member at the first of these signals, and the process at the second.
async fn stop_on(kind: SignalKind, handle: Handle, is_stopping: Arc<AtomicBool>) {
    let Ok(mut signals) = signal(kind) else { return tracing::warn!(?kind, "signals cannot be received") };
    while signals.recv().await.is_some() {
        if is_stopping.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
        tracing::info!("stopping");
        handle.send(Event::Stop);
    }
}
