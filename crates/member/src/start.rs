//! Starts a member: for the first time, with an empty store, or again, from what its disk holds.
//!
//! A restart reads the write-ahead log, the snapshot files and the backend. If a snapshot file is newer than
//! the backend, the member crashed while it installed a leader's snapshot, and the snapshot's content
//! replaces the backend's. The log is read from its newest marker that the backend has reached; raft gets the
//! entries after that marker.
//!
//! A start uses the disk synchronously, in one section (see [`crate::disk`]): until the driver reports its end
//! ([`contract::Input::Recovered`]), the member must get no other input but the ends of disk jobs.

use std::sync::Arc;

use contract::{Boot, Now};
use protobuf::Message as _;
use raft::eraftpb::{ConfState, HardState};
use record::{EtcdFact as Fact, MemberId, Probe};

use crate::auth::AuthStore;
use crate::backend::{Backend, Ledger, Loaded};
use crate::cluster::Cluster;
use crate::compactor::Compactor;
use crate::config::Config;
use crate::configuration;
use crate::disk::{Disk, DiskOp};
use crate::flaw::Flaws;
use crate::forwarded::Forwarded;
use crate::ids::Ids;
use crate::image::{Image, decode_rest, encode_rest};
use crate::inner;
use crate::io::{Effects, Etcd};
use crate::leadership::Leadership;
use crate::leases::Leases;
use crate::log::Log;
use crate::logins::Logins;
use crate::maintenance::{Comparison, Transfers};
use crate::member::Member;
use crate::membership::Membership;
use crate::mvcc::{Compaction, Damaged, Saved, Store};
use crate::node::{Node, log_entry};
use crate::out::Out;
use crate::peers::Calls;
use crate::pending::Pending;
use crate::persist::{OnDisk, Persistence, meta_of};
use crate::proposals::Proposals;
use crate::range_stream::RangeStreams;
use crate::reads::Reads;
use crate::refusal::StartError;
use crate::replica::Replica;
use crate::require_leader::RequireLeader;
use crate::round::Round;
use crate::services::Services;
use crate::snapshot_file::Snapshots;
use crate::wal::{self, Marker, Replay, Wal, WalError};
use crate::watch::Hub;

/// Name of the backend file.
const BACKEND: &str = "backend.redb";
/// The term of the initial configuration. etcd's log begins with one entry in this term for each initial
/// member; our log begins after those entries, at the same index.
const BOOTSTRAP_TERM: u64 = 1;

/// The state of a member as found on disk, or as made at its first start.
struct Found {
    wal: Wal,
    backend: Backend,
    ledger: Ledger,
    store: Store,
    cluster: Cluster,
    auth: AuthStore,
    log: Log,
    /// Index and term of the last entry whose effects the store holds.
    applied: (u64, u64),
    /// The index of the marker from which the log was read.
    marker: u64,
    files: Snapshots,
    /// Probes that recovery reached.
    probes: Vec<Probe>,
}

impl Member {
    /// Starts a member on `disk`. Returns it and its backend, which the driver keeps.
    pub(crate) fn boot(
        boot: Boot<Etcd>,
        disk: Arc<dyn Disk>,
        effects: &mut Effects,
    ) -> Result<(Member, Backend), StartError> {
        let Boot { id, mut config, incarnation, first, now: Now { clock: now, wall }, armed, steps, inner } =
            boot;
        debug_assert_eq!(id, config.id, "the configuration is that of another member");
        config.incarnation = incarnation;
        let tells = match (inner, steps) {
            (true, _) => inner::Asked::All,
            (false, true) => inner::Asked::Deeds,
            (false, false) => inner::Asked::Nothing,
        };
        inner::begin(tells);
        let mut found = match Replay::read_with(&*disk, config.flaws) {
            Ok(replay) => recover(&config, &disk, replay)?,
            Err(WalError::Empty) if first => bootstrap(&config, &disk)?,
            Err(WalError::Empty) => return Err(StartError::LostDisk),
            // An earlier first start crashed before its end. The member has not voted or acknowledged
            // anything yet, so it may start over.
            Err(WalError::Damaged(_)) if first => {
                let mut found = bootstrap(&config, &disk)?;
                found.probes.push(Probe::FirstStartBegunAgain);
                found
            }
            Err(error) => return Err(error.into()),
        };
        let conf_state = found.log.conf_state();
        let takes_part = [&conf_state.voters, &conf_state.voters_outgoing]
            .iter()
            .any(|half| half.contains(&config.id.raft_id()));
        if found.cluster.is_removed(config.id) && !takes_part {
            return Err(StartError::Removed);
        }
        // The backend holds the whole store already, so none of it counts as a change to commit.
        let _ = found.store.take_changes();
        let replica = Replica::new(&config, found.store, found.cluster, found.auth, found.applied);
        let hard_state = found.log.hard_state().clone();
        let before = found.log.before();
        effects.facts.push(Fact::Recovered {
            term: hard_state.term,
            vote: MemberId::from_raft(hard_state.vote),
            commit: hard_state.commit,
            before,
            entries: found.log.all().iter().map(log_entry).collect(),
            consistent_index: found.applied.0,
            revision: replica.store.revision() as u64,
            state_hash: replica.hash(),
        });
        let compaction = replica.store.compaction();
        let scrubbing = compaction.scheduled != compaction.finished;
        effects.facts.extend(found.probes.drain(..).map(|probe| Fact::Probe { probe }));
        if scrubbing {
            effects.facts.push(Fact::Probe { probe: Probe::CompactionInterrupted });
        }
        let conf_state = found.log.conf_state().clone();
        let mut node = Node::new(&config, found.log, replica.applied());
        let mut unarmed = None;
        let mut out = Out::new(effects, &mut unarmed, Now { clock: now, wall });
        if steps {
            node.watch(&config, &mut out);
        }
        let on_disk = OnDisk {
            wal: found.wal,
            ledger: found.ledger,
            files: found.files,
            durable: (replica.applied(), conf_state),
            marker: found.marker,
        };
        let persistence = Persistence::new(&config, on_disk, scrubbing);
        // A sole voter has no other member to wait for.
        if node.is_only_voter() {
            node.campaign(&mut out);
        }
        let mut member = Member {
            next_tick: now + config.settings.heartbeat_interval,
            missed_ticks: 0,
            asked: 0,
            version_look_at: 0,
            report_at: now,
            armed,
            tells,
            round: Round::new(),
            wants: Vec::new(),
            leases: Leases::new(&config),
            compactor: Compactor::new(&config),
            hub: Hub::new(&config),
            pending: Pending::default(),
            services: Services::new(&config),
            calls: Calls::new(&config),
            transfers: Transfers::new(&config),
            comparison: Comparison::new(&config),
            logins: Logins::default(),
            membership: Membership::new(&config, now),
            ids: Ids::new(&config),
            leadership: Leadership::new(&config, now),
            require_leader: RequireLeader::new(&config, now),
            config,
            node,
            replica,
            persistence,
            proposals: Proposals::default(),
            reads: Reads::default(),
            range_streams: RangeStreams::default(),
            forwarded: Forwarded::default(),
            now,
            stopping: None,
            leaving: false,
            finished: false,
        };
        member.round.set_alarm(member.slow_clocks());
        member.report_configuration(&mut out);
        inner::tell(|| member.replica.loaded(true));
        inner::tell(|| member.replica.state());
        inner::end(&mut effects.inner);
        found.backend.set_flaws(member.config.flaws);
        Ok((member, found.backend))
    }
}

/// Makes the files of a first start: an empty store, or a restored one, and a log that begins after the
/// initial configuration.
fn bootstrap(config: &Config, disk: &Arc<dyn Disk>) -> Result<Found, StartError> {
    for dir in [wal::DIR, crate::snapshot_file::DIR, crate::backend::DIR] {
        for name in disk.list(dir)? {
            disk.perform(&DiskOp::Remove { path: format!("{dir}/{name}").into() })?;
        }
        disk.perform(&DiskOp::SyncDir { path: dir.into() })?;
    }
    let conf_state = configuration::first(config);
    // A member that joins starts at index 0, so the leader sends it a snapshot first.
    let (index, term, peers) = if config.join {
        (0, 0, &[][..])
    } else {
        (config.peers.len() as u64, BOOTSTRAP_TERM, &config.peers[..])
    };
    let marker = Marker { index, term, conf_state: conf_state.clone() };
    let hard_state = HardState { term, commit: marker.index, ..HardState::default() };
    let cluster = Cluster::bootstrap(peers, config);
    let (mut store, auth) = match &config.restore {
        Some(image) => {
            let image = Image::decode(image.clone(), config)?;
            (image.store, image.auth)
        }
        None => (Store::new(), AuthStore::new(config)),
    };
    store.set_flaws(config.flaws);
    let (mut backend, Loaded { mut ledger, .. }) = Backend::open(Arc::clone(disk), BACKEND)?;
    let meta = meta_of(&store, encode_rest(&cluster, &auth), (marker.index, marker.term), &conf_state);
    store.take_rows().for_each(|change| ledger.stage(change));
    backend.commit(&ledger.commit(meta))?;
    // The log is created last. If a later start finds it, the other files are complete.
    let mut ops = Vec::new();
    let (wal, _) = Wal::create(&marker, &hard_state, config.settings.wal_segment_bytes, &mut ops);
    for op in &ops {
        disk.perform(op)?;
    }
    let before = (marker.index, marker.term);
    let log = Log::new(before, Vec::new(), hard_state, conf_state);
    let (applied, marker, files) = (before, marker.index, Snapshots::default());
    Ok(Found { wal, backend, ledger, store, cluster, auth, log, applied, marker, files, probes: Vec::new() })
}

/// Reads the state of an earlier incarnation from the disk.
fn recover(config: &Config, disk: &Arc<dyn Disk>, replay: Replay) -> Result<Found, StartError> {
    let (files, snapshot) = Snapshots::load_with(&**disk, replay.markers(), config.flaws)?;
    let (mut backend, mut loaded) = Backend::open(Arc::clone(disk), BACKEND)?;
    let mut ledger = std::mem::take(&mut loaded.ledger);
    let mut applied = (loaded.meta.consistent_index, loaded.meta.term);
    let mut conf_state = ConfState::parse_from_bytes(&loaded.meta.conf_state).unwrap_or_default();
    let (mut cluster, mut auth) = decode_rest(loaded.meta.state.clone(), config)?;
    let mut store = store_of(loaded, config.flaws)?;
    let mut probes = Vec::new();
    // The snapshot's file and marker were written, but the member crashed before the snapshot's content
    // replaced the backend's.
    if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.marker.index > applied.0) {
        probes.push(Probe::RecoveredFromSnapshotFile);
        let image = Image::decode(snapshot.data, config)?;
        (store, cluster) = (image.store, image.cluster);
        store.set_flaws(config.flaws);
        auth.replace(image.auth);
        applied = (snapshot.marker.index, snapshot.marker.term);
        conf_state = snapshot.marker.conf_state;
        let rest = encode_rest(&cluster, &auth);
        let meta = meta_of(&store, rest, applied, &conf_state);
        backend.install(&ledger.install(rows_of(&mut store), meta))?;
    }
    let usable = replay.markers().iter().filter(|marker| marker.index <= applied.0);
    let Some(marker) = usable.max_by_key(|marker| marker.index).cloned() else {
        let what =
            format!("can be replayed from {:?} at the earliest", replay.markers().first().map(|m| m.index));
        return Err(StartError::Apart { backend: applied.0, what });
    };
    let recovered = replay.finish(&**disk, &marker, config.settings.wal_segment_bytes)?;
    if let Some(repair) = &recovered.repaired {
        tracing::warn!(?repair, "the log's torn tail was cut off");
        probes.push(Probe::LogTailRepaired);
    }
    let last = marker.index + recovered.entries.len() as u64;
    if last < applied.0 {
        return Err(StartError::Apart { backend: applied.0, what: format!("ends at entry {last}") });
    }
    let mut hard_state = recovered.hard_state;
    // The saved commit index may be old, because a new one alone is not saved. But all that the store holds
    // was committed.
    hard_state.commit = hard_state.commit.max(applied.0);
    let log = Log::new((marker.index, marker.term), recovered.entries, hard_state, conf_state);
    let (wal, marker) = (recovered.wal, marker.index);
    Ok(Found { wal, backend, ledger, store, cluster, auth, log, applied, marker, files, probes })
}

/// Builds the store from the rows of the backend.
fn store_of(loaded: Loaded, flaws: Flaws) -> Result<Store, Damaged> {
    let compaction =
        Compaction { scheduled: loaded.meta.scheduled_compact, finished: loaded.meta.finished_compact };
    // The row of a lease has a key of 8 bytes, the row of a revision one of at least 17.
    let (leases, rows): (Vec<_>, Vec<_>) = loaded.rows.into_iter().partition(|(key, _)| key.len() == 8);
    Store::from_rows_with(Saved { rows, leases, compaction }, flaws)
}

/// All rows of a store. The store must be new, so that all its rows count as changes.
fn rows_of(store: &mut Store) -> Vec<crate::backend::Row> {
    let changes = store.take_changes();
    let rows = changes.rows.into_iter().chain(changes.leases);
    rows.filter_map(|(key, value)| Some((key, value?))).collect()
}
