//! From flags to what a start needs: addresses, the members of the cluster, the member's settings. Mistakes are
//! reported in etcd's words where clients or operators know them (`embed/config.go`, `etcdserver/config.go`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use member::cluster::member_id;
use member::config::{Ids, Peer, Settings};
use record::MemberId;
use sha1::{Digest as _, Sha1};

use crate::duration::Retention;
use crate::flags::{Flags, Given};
use crate::tls::Files;
use crate::url::Url;

/// How long a request may take, not counting two election timeouts (`config/config.go`, `ReqTimeout`).
const REQUEST_NANOS: u64 = 5_000_000_000;
/// The size of a database for which no quota is given.
const QUOTA: u64 = 2 << 30;
/// The time between two checkpoints of a lease (`lease/lessor.go`, `defaultLeaseCheckpointInterval`).
const CHECKPOINT_NANOS: u64 = 300_000_000_000;
const MILLISECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600_000_000_000;

/// The switches that `--feature-gates` knows, and whether each is on by default.
const GATES: &[(&str, bool)] = &[
    ("AllAlpha", false),
    ("AllBeta", false),
    ("CompactHashCheck", false),
    ("FastLeaseKeepAlive", true),
    ("InitialCorruptCheck", false),
    ("LeaseCheckpoint", false),
    ("LeaseCheckpointPersist", false),
    ("PriorityRequest", false),
    ("SetMemberLocalAddr", false),
    ("StopGRPCServiceOnDefrag", false),
    ("TxnModeWriteWithSharedBuffer", true),
];

/// What a start needs.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The data directory.
    pub data_dir: PathBuf,
    /// Where it listens for clients.
    pub listen_client: Vec<Url>,
    /// Where it listens for other members.
    pub listen_peer: Vec<Url>,
    /// Where it listens for those who monitor it.
    pub listen_metrics: Vec<Url>,
    /// Where clients reach it.
    pub advertise_client: Vec<String>,
    /// The members of the cluster at its beginning: name and addresses.
    pub initial: BTreeMap<String, Vec<String>>,
    /// Whether it joins a cluster that exists.
    pub joins: bool,
    /// Certificates for clients.
    pub client_tls: Files,
    /// Certificates for other members.
    pub peer_tls: Files,
    /// The member's settings.
    pub settings: Settings,
    /// Whether it compares its data with the other members' before it serves.
    pub initial_corrupt_check: bool,
    /// The flags, for values that are used as they are.
    pub flags: Flags,
}

impl Setup {
    /// Reads flags.
    ///
    /// # Errors
    /// They contradict each other, or one of them says nothing that makes sense.
    pub fn new(given: Given) -> Result<Setup, String> {
        let Given { flags, listens_where_told, advertises_where_told, .. } = given;
        if listens_where_told && !advertises_where_told {
            return Err(
                "--advertise-client-urls is required when --listen-client-urls is set explicitly".into()
            );
        }
        let advertise_peer = strings(&flags.initial_advertise_peer_urls, "initial-advertise-peer-urls")?;
        let initial = match &flags.initial_cluster {
            Some(text) => initial_cluster(text)?,
            None => BTreeMap::from([(flags.name.clone(), advertise_peer.clone())]),
        };
        let own = initial.get(&flags.name).ok_or_else(|| {
            format!("couldn't find local name {:?} in the initial cluster configuration", flags.name)
        })?;
        if sorted(own) != sorted(&advertise_peer) {
            return Err(format!(
                "--initial-cluster has {}={} but --initial-advertise-peer-urls is {}: both must name the same addresses",
                flags.name,
                own.join(","),
                advertise_peer.join(",")
            ));
        }
        let gates = feature_gates(&flags.feature_gates)?;
        Ok(Setup {
            data_dir: flags.data_dir.clone().unwrap_or_else(|| format!("{}.etcd", flags.name).into()),
            listen_client: urls(&flags.listen_client_urls, "listen-client-urls")?,
            listen_peer: urls(&flags.listen_peer_urls, "listen-peer-urls")?,
            listen_metrics: match &*flags.listen_metrics_urls {
                "" => Vec::new(),
                text => urls(text, "listen-metrics-urls")?,
            },
            advertise_client: strings(&flags.advertise_client_urls, "advertise-client-urls")?,
            initial,
            joins: flags.initial_cluster_state == "existing",
            client_tls: Files {
                cert: flags.cert_file.clone(),
                key: flags.key_file.clone(),
                trusted_ca: flags.trusted_ca_file.clone(),
                client_cert_auth: flags.client_cert_auth,
            },
            peer_tls: Files {
                cert: flags.peer_cert_file.clone(),
                key: flags.peer_key_file.clone(),
                trusted_ca: flags.peer_trusted_ca_file.clone(),
                client_cert_auth: flags.peer_client_cert_auth,
            },
            settings: settings(&flags, &gates)?,
            initial_corrupt_check: is_on(&gates, "InitialCorruptCheck"),
            flags,
        })
    }

    /// The members of a new cluster, with their ids.
    pub fn peers(&self) -> Arc<[Peer]> {
        let token = &self.flags.initial_cluster_token;
        let peer = |(name, urls): (&String, &Vec<String>)| Peer {
            id: MemberId::from_raft(member_id(urls, token, None)),
            name: name.as_str().into(),
            peer_urls: urls.as_slice().into(),
        };
        self.initial.iter().map(peer).collect()
    }
}

/// The id of a new cluster: the first eight bytes, big endian, of a SHA-1 over its members' ids in order
/// (`membership/cluster.go`, `genID`).
pub fn cluster_id(peers: &[Peer]) -> u64 {
    let mut ids: Vec<u64> = peers.iter().map(|peer| peer.id.raft_id()).collect();
    ids.sort_unstable();
    let bytes: Vec<u8> = ids.into_iter().flat_map(u64::to_be_bytes).collect();
    let digest = Sha1::digest(&bytes);
    u64::from_be_bytes(digest[..8].try_into().expect("a SHA-1 has twenty bytes"))
}

fn sorted(urls: &[String]) -> Vec<&String> {
    let mut urls: Vec<&String> = urls.iter().collect();
    urls.sort_unstable();
    urls
}

/// Addresses separated by commas.
fn urls(text: &str, flag: &str) -> Result<Vec<Url>, String> {
    text.split(',').map(|url| url.parse().map_err(|error| format!("--{flag}: {error}"))).collect()
}

/// The same, as they were written: they are hashed and shown that way.
fn strings(text: &str, flag: &str) -> Result<Vec<String>, String> {
    urls(text, flag)?;
    Ok(text.split(',').map(|url| url.trim().to_string()).collect())
}

/// Reads `name=address,name=address`. A name may come several times, with an address each.
fn initial_cluster(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let Some((name, url)) = pair.split_once('=') else {
            return Err(format!("--initial-cluster: {pair:?} does not have the form name=address"));
        };
        url.parse::<Url>().map_err(|error| format!("--initial-cluster: {error}"))?;
        members.entry(name.trim().to_string()).or_default().push(url.trim().to_string());
    }
    let mut all: Vec<&String> = members.values().flatten().collect();
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("--initial-cluster has the address {} twice", pair[0])),
        None => Ok(members),
    }
}

/// Reads `Name=true,Name=false`.
fn feature_gates(text: &str) -> Result<BTreeMap<&'static str, bool>, String> {
    let mut gates: BTreeMap<&'static str, bool> = GATES.iter().copied().collect();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
        let known = GATES.iter().find(|(known, _)| *known == name.trim());
        let Some((known, _)) = known else {
            let all: Vec<&str> = GATES.iter().map(|(known, _)| *known).collect();
            return Err(format!("unrecognized feature gate: {name}; there are {}", all.join(", ")));
        };
        let value = value
            .trim()
            .parse()
            .map_err(|_| format!("--feature-gates: {pair:?} is neither true nor false"))?;
        gates.insert(known, value);
    }
    Ok(gates)
}

fn is_on(gates: &BTreeMap<&'static str, bool>, name: &str) -> bool {
    gates.get(name).copied().unwrap_or_default()
}

fn settings(flags: &Flags, gates: &BTreeMap<&'static str, bool>) -> Result<Settings, String> {
    if flags.heartbeat_interval == 0 {
        return Err("--heartbeat-interval must be >0 (set to 0ms)".into());
    }
    let (election, heartbeat) = (flags.election_timeout, flags.heartbeat_interval);
    if 5 * heartbeat > election {
        return Err(format!(
            "--election-timeout[{election}ms] should be at least as 5 times as --heartbeat-interval[{heartbeat}ms]"
        ));
    }
    if election > 50_000 {
        return Err(format!(
            "--election-timeout[{election}ms] is too long, and should be set less than 50000ms"
        ));
    }
    let election_ticks =
        u32::try_from(election / heartbeat).map_err(|_| "--heartbeat-interval is too short")?;
    let mut settings = Settings {
        heartbeat_interval: heartbeat * MILLISECOND,
        election_ticks,
        pre_vote: flags.pre_vote,
        snapshot_count: flags.snapshot_count.max(1),
        catch_up_entries: flags.snapshot_catchup_entries,
        backend_interval: flags.backend_batch_interval.nanos(),
        request_timeout: REQUEST_NANOS + 2 * election * MILLISECOND,
        max_request_bytes: flags.max_request_bytes.into(),
        max_txn_ops: flags.max_txn_ops,
        compaction_batch: flags.compaction_batch_limit,
        compaction_pause: flags.compaction_sleep_interval.nanos(),
        quota: match flags.quota_backend_bytes {
            0 => QUOTA,
            bytes => u64::try_from(bytes).unwrap_or(0),
        },
        corrupt_check_interval: flags.corrupt_check_time.nanos(),
        strict_reconfig: flags.strict_reconfig_check,
        max_learners: flags.max_learners,
        ids: Ids::Hashed,
        watch_progress_interval: flags.watch_progress_notify_interval.nanos(),
        watch_fragment_bytes: u64::from(flags.max_request_bytes) + (512 << 10),
        auth_token_ttl: flags.auth_token_ttl * 1_000 * MILLISECOND,
        ..Settings::etcd()
    };
    if flags.backend_batch_limit > 0 {
        settings.backend_limit = flags.backend_batch_limit;
    }
    if is_on(gates, "LeaseCheckpoint") {
        settings.lease_checkpoint_interval = CHECKPOINT_NANOS;
    }
    match (&*flags.auto_compaction_mode, flags.auto_compaction_retention) {
        ("revision", Retention::Number(revisions)) => settings.auto_compaction_revisions = revisions,
        ("revision", Retention::Time(_)) => {
            return Err("--auto-compaction-retention must be a number in the mode \"revision\"".into());
        }
        (_, Retention::Number(hours)) => settings.auto_compaction_period = hours * HOUR,
        (_, Retention::Time(time)) => settings.auto_compaction_period = time.as_nanos() as u64,
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags;

    fn setup(args: &[&str]) -> Result<Setup, String> {
        let args = std::iter::once("etcdsim-server").chain(args.iter().copied()).map(Into::into);
        Setup::new(flags::parse(args, false).map_err(|error| error.to_string())?)
    }

    #[test]
    fn ids_are_those_of_etcd() {
        // From a real etcd 3.7.3 without flags.
        let setup = setup(&[]).expect("etcd starts without flags");
        let peers = setup.peers();
        assert_eq!(peers.iter().map(|peer| peer.id.raft_id()).collect::<Vec<_>>(), [0x8e9e_05c5_2164_694d]);
        assert_eq!(cluster_id(&peers), 0xcdf8_1819_4e3a_8c32);
        assert_eq!(setup.data_dir.to_str(), Some("default.etcd"));
    }

    #[test]
    fn one_dash_does_as_well_as_two() {
        let one = setup(&[
            "-name",
            "x",
            "-initial-cluster=x=http://localhost:2380",
            "-pre-vote=false",
            "--logger=zap",
        ]);
        let one = one.expect("the flags fit together");
        assert_eq!((&*one.flags.name, one.settings.pre_vote), ("x", false));
        assert_eq!(one.data_dir.to_str(), Some("x.etcd"));
    }

    #[test]
    fn contradictions_are_refused() {
        for (args, says) in [
            (&["--election-timeout", "400"][..], "at least as 5 times"),
            (&["--initial-cluster", "a=http://h:1"], "couldn't find local name"),
            (&["--initial-cluster", "default=http://h:1"], "must name the same addresses"),
            (&["--feature-gates", "Nothing=true"], "unrecognized feature gate"),
            (&["--auto-compaction-mode=revision", "--auto-compaction-retention=5m"], "must be a number"),
            (&["--listen-peer-urls", "h:1"], "URL scheme must be"),
            (&["--nothing"], "unexpected argument"),
        ] {
            let refusal = setup(args).expect_err("it contradicts itself");
            assert!(refusal.contains(says), "{args:?}: {refusal}");
        }
    }
}
