//! The flags of the server: those of etcd that mean something here, one row each.
//!
//! As in etcd, a flag is also an environment variable (`--data-dir` is `ETCD_DATA_DIR`), a flag takes precedence over
//! its variable, and with `--config-file` neither counts. One dash works as well as two.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, CommandFactory as _, Parser};

use crate::duration::{GoDuration, Retention};

/// An etcd server: the member that etcdsim tortures, on real sockets and real files.
///
/// Without flags it is a single member on 127.0.0.1:2379 that keeps its data in default.etcd.
#[derive(Clone, Debug, Parser)]
#[command(name = "etcdsim-server", version, disable_help_subcommand = true)]
pub struct Flags {
    /// Human-readable name of this member.
    #[arg(long, env = "ETCD_NAME", default_value = "default", help_heading = "Member")]
    pub name: String,
    /// The data directory; ${name}.etcd if it is not given.
    #[arg(long, env = "ETCD_DATA_DIR", help_heading = "Member")]
    pub data_dir: Option<PathBuf>,
    /// After how many entries a snapshot of the log is made.
    #[arg(long, env = "ETCD_SNAPSHOT_COUNT", default_value_t = 10_000, help_heading = "Member")]
    pub snapshot_count: u64,
    /// Entries that stay in the log for slow followers after a snapshot.
    #[arg(long, env = "ETCD_SNAPSHOT_CATCHUP_ENTRIES", default_value_t = 5_000, help_heading = "Member")]
    pub snapshot_catchup_entries: u64,
    /// Milliseconds between a leader's heartbeats.
    #[arg(long, env = "ETCD_HEARTBEAT_INTERVAL", default_value_t = 100, help_heading = "Member")]
    pub heartbeat_interval: u64,
    /// Milliseconds without a leader before an election.
    #[arg(long, env = "ETCD_ELECTION_TIMEOUT", default_value_t = 1000, help_heading = "Member")]
    pub election_timeout: u64,
    /// Addresses for the other members, separated by commas.
    #[arg(
        long,
        env = "ETCD_LISTEN_PEER_URLS",
        default_value = "http://localhost:2380",
        help_heading = "Member"
    )]
    pub listen_peer_urls: String,
    /// Addresses for clients, separated by commas.
    #[arg(
        long,
        env = "ETCD_LISTEN_CLIENT_URLS",
        default_value = "http://localhost:2379",
        help_heading = "Member"
    )]
    pub listen_client_urls: String,
    /// Addresses for /metrics and /health alone, separated by commas.
    #[arg(long, env = "ETCD_LISTEN_METRICS_URLS", default_value = "", help_heading = "Member")]
    pub listen_metrics_urls: String,
    /// The size of the database at which writes are refused, in bytes; 0 for 2 GiB, negative for no limit.
    #[arg(
        long,
        env = "ETCD_QUOTA_BACKEND_BYTES",
        default_value_t = 0,
        allow_negative_numbers = true,
        help_heading = "Member"
    )]
    pub quota_backend_bytes: i64,
    /// The maximum time between two commits of the database.
    #[arg(long, env = "ETCD_BACKEND_BATCH_INTERVAL", default_value = "100ms", help_heading = "Member")]
    pub backend_batch_interval: GoDuration,
    /// The maximum number of changes in a commit of the database; 0 for 10000.
    #[arg(long, env = "ETCD_BACKEND_BATCH_LIMIT", default_value_t = 0, help_heading = "Member")]
    pub backend_batch_limit: u64,
    /// How many operations a transaction may have.
    #[arg(long, env = "ETCD_MAX_TXN_OPS", default_value_t = 128, help_heading = "Member")]
    pub max_txn_ops: u32,
    /// The largest request, in bytes.
    #[arg(long, env = "ETCD_MAX_REQUEST_BYTES", default_value_t = 1_572_864, help_heading = "Member")]
    pub max_request_bytes: u32,
    /// How many streams a client may have open on a connection.
    #[arg(long, env = "ETCD_MAX_CONCURRENT_STREAMS", default_value_t = u32::MAX, help_heading = "Member")]
    pub max_concurrent_streams: u32,
    /// The time between two pings to an idle client; 0 for none.
    #[arg(long, env = "ETCD_GRPC_KEEPALIVE_INTERVAL", default_value = "2h", help_heading = "Member")]
    pub grpc_keepalive_interval: GoDuration,
    /// How long a client may take to answer a ping.
    #[arg(long, env = "ETCD_GRPC_KEEPALIVE_TIMEOUT", default_value = "20s", help_heading = "Member")]
    pub grpc_keepalive_timeout: GoDuration,
    /// Switches, such as InitialCorruptCheck=true, separated by commas.
    #[arg(long, env = "ETCD_FEATURE_GATES", default_value = "", help_heading = "Member")]
    pub feature_gates: String,

    /// Addresses at which the other members reach this one, separated by commas.
    #[arg(
        long,
        env = "ETCD_INITIAL_ADVERTISE_PEER_URLS",
        default_value = "http://localhost:2380",
        help_heading = "Clustering"
    )]
    pub initial_advertise_peer_urls: String,
    /// The members of a new cluster: name=address,name=address.
    #[arg(long, env = "ETCD_INITIAL_CLUSTER", help_heading = "Clustering")]
    pub initial_cluster: Option<String>,
    /// "new", or "existing" for a member that was added to a cluster.
    #[arg(long, env = "ETCD_INITIAL_CLUSTER_STATE", default_value = "new", value_parser = ["new", "existing"], help_heading = "Clustering")]
    pub initial_cluster_state: String,
    /// A text that keeps members of different clusters apart.
    #[arg(
        long,
        env = "ETCD_INITIAL_CLUSTER_TOKEN",
        default_value = "etcd-cluster",
        help_heading = "Clustering"
    )]
    pub initial_cluster_token: String,
    /// Addresses at which clients reach this member, separated by commas.
    #[arg(
        long,
        env = "ETCD_ADVERTISE_CLIENT_URLS",
        default_value = "http://localhost:2379",
        help_heading = "Clustering"
    )]
    pub advertise_client_urls: String,
    /// Whether changes of the membership that endanger the quorum are refused.
    #[arg(long, env = "ETCD_STRICT_RECONFIG_CHECK", default_value = "true", help_heading = "Clustering",
        action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub strict_reconfig_check: bool,
    /// Whether a member asks for pre-votes before it campaigns.
    #[arg(long, env = "ETCD_PRE_VOTE", default_value = "true", help_heading = "Clustering",
        action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub pre_vote: bool,
    /// How many learners a cluster may have.
    #[arg(long, env = "ETCD_MAX_LEARNERS", default_value_t = 1, help_heading = "Clustering")]
    pub max_learners: u32,
    /// How much history automatic compaction keeps: a time or hours, or a number of revisions. 0 switches it off.
    #[arg(long, env = "ETCD_AUTO_COMPACTION_RETENTION", default_value = "0", help_heading = "Clustering")]
    pub auto_compaction_retention: Retention,
    /// What the retention is: "periodic" or "revision".
    #[arg(long, env = "ETCD_AUTO_COMPACTION_MODE", default_value = "periodic", value_parser = ["periodic", "revision"], help_heading = "Clustering")]
    pub auto_compaction_mode: String,

    /// The certificate for clients.
    #[arg(long, env = "ETCD_CERT_FILE", help_heading = "Security")]
    pub cert_file: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, env = "ETCD_KEY_FILE", help_heading = "Security")]
    pub key_file: Option<PathBuf>,
    /// Whether clients must show a certificate.
    #[arg(long, env = "ETCD_CLIENT_CERT_AUTH", default_value = "false", help_heading = "Security",
        action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub client_cert_auth: bool,
    /// The CA certificates that certificates of clients are checked against.
    #[arg(long, env = "ETCD_TRUSTED_CA_FILE", help_heading = "Security")]
    pub trusted_ca_file: Option<PathBuf>,
    /// The certificate for other members.
    #[arg(long, env = "ETCD_PEER_CERT_FILE", help_heading = "Security")]
    pub peer_cert_file: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, env = "ETCD_PEER_KEY_FILE", help_heading = "Security")]
    pub peer_key_file: Option<PathBuf>,
    /// Whether other members must show a certificate.
    #[arg(long, env = "ETCD_PEER_CLIENT_CERT_AUTH", default_value = "false", help_heading = "Security",
        action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub peer_client_cert_auth: bool,
    /// The CA certificates that certificates of members are checked against.
    #[arg(long, env = "ETCD_PEER_TRUSTED_CA_FILE", help_heading = "Security")]
    pub peer_trusted_ca_file: Option<PathBuf>,

    /// The kind of tokens. Only "simple" is known; JSON web tokens ("jwt,...") are not.
    #[arg(long, env = "ETCD_AUTH_TOKEN", default_value = "simple", value_parser = token_kind, help_heading = "Auth")]
    pub auth_token: String,
    /// The cost of hashing a password.
    #[arg(long, env = "ETCD_BCRYPT_COST", default_value_t = 10, value_parser = clap::value_parser!(u32).range(4..=31), help_heading = "Auth")]
    pub bcrypt_cost: u32,
    /// Seconds for which an unused token stays valid.
    #[arg(long, env = "ETCD_AUTH_TOKEN_TTL", default_value_t = 300, help_heading = "Auth")]
    pub auth_token_ttl: u64,

    /// How much is logged.
    #[arg(long, env = "ETCD_LOG_LEVEL", default_value = "info", value_parser = ["debug", "info", "warn", "error", "panic", "fatal"], help_heading = "Logging")]
    pub log_level: String,

    /// The time between two comparisons of all members' hashes; 0 for none.
    #[arg(long, env = "ETCD_CORRUPT_CHECK_TIME", default_value = "0s", help_heading = "Features")]
    pub corrupt_check_time: GoDuration,
    /// How many revisions a compaction goes through at once.
    #[arg(long, env = "ETCD_COMPACTION_BATCH_LIMIT", default_value_t = 1_000, help_heading = "Features")]
    pub compaction_batch_limit: u32,
    /// The pause between two batches of a compaction.
    #[arg(long, env = "ETCD_COMPACTION_SLEEP_INTERVAL", default_value = "10ms", help_heading = "Features")]
    pub compaction_sleep_interval: GoDuration,
    /// The time between two notifications of progress to a watcher without events.
    #[arg(
        long,
        env = "ETCD_WATCH_PROGRESS_NOTIFY_INTERVAL",
        default_value = "10m",
        help_heading = "Features"
    )]
    pub watch_progress_notify_interval: GoDuration,

    /// Makes a data directory of this snapshot, and ends.
    #[arg(long, value_name = "SNAPSHOT", help_heading = "Snapshots")]
    pub restore: Option<PathBuf>,
    /// Accepts a file without the hash at its end: a database that was copied from a data directory of etcd.
    #[arg(long, requires = "restore", help_heading = "Snapshots")]
    pub skip_hash_check: bool,
    /// How much to increase the newest revision, so that it is one that no client has seen.
    #[arg(long, requires_all = ["restore", "mark_compacted"], value_parser = clap::value_parser!(u64).range(1..), help_heading = "Snapshots")]
    pub bump_revision: Option<u64>,
    /// Compacts everything up to the newest revision after the restoration; --bump-revision needs it.
    #[arg(long, requires_all = ["restore", "bump_revision"], help_heading = "Snapshots")]
    pub mark_compacted: bool,
    /// Makes a cluster of this member alone, with the data that it has. For a cluster that has permanently lost most of
    /// its members.
    #[arg(long, env = "ETCD_FORCE_NEW_CLUSTER", default_value = "false", conflicts_with = "restore", help_heading = "Snapshots",
        action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub force_new_cluster: bool,

    /// Appends everything that goes into the member, and what comes out of it, to this file: for `etcdsim check` and
    /// `etcdsim step`. It contains all values, tokens and passwords.
    #[arg(long, value_name = "FILE", help_heading = "Record")]
    pub record: Option<PathBuf>,

    /// A file with flags, in YAML. All other flags and all variables are then ignored.
    #[arg(long, env = "ETCD_CONFIG_FILE")]
    pub config_file: Option<PathBuf>,
}

/// A kind of token.
fn token_kind(text: &str) -> Result<String, String> {
    match text.split(',').next() {
        Some("simple") => Ok("simple".to_string()),
        Some("jwt") => {
            Err("JSON web tokens are not supported here: leave the flag out, or say \"simple\"".to_string())
        }
        _ => Err("unknown token type: the only one here is \"simple\"".to_string()),
    }
}

/// Flags of etcd that change nothing here. They are accepted, so that a manifest or a unit for etcd need not be edited.
const WITHOUT_EFFECT: &[&str] = &[
    "backend-bbolt-freelist-type",
    "bootstrap-defrag-threshold-megabytes",
    "compact-hash-check-time",
    "cors",
    "downgrade-check-time",
    "enable-grpc-gateway",
    "enable-log-rotation",
    "enable-pprof",
    "grpc-keepalive-min-time",
    "host-whitelist",
    "initial-election-tick-advance",
    "log-format",
    "log-outputs",
    "log-rotation-config-json",
    "logger",
    "max-snapshots",
    "max-wals",
    "memory-mlock",
    "metrics",
    "raft-read-timeout",
    "raft-write-timeout",
    "socket-reuse-address",
    "socket-reuse-port",
    "v2-deprecation",
    "warning-apply-duration",
    "warning-unary-request-duration",
];

/// Flags, and warnings about them.
#[derive(Debug)]
pub struct Given {
    /// The flags.
    pub flags: Flags,
    /// Warnings for the log.
    pub warnings: Vec<String>,
    /// Whether addresses for clients were given, and not taken from the default.
    pub listens_where_told: bool,
    /// Whether the addresses at which clients reach the member were given.
    pub advertises_where_told: bool,
}

/// Reads a command line. `with_variables` says whether the environment counts.
///
/// # Errors
/// What clap says: a mistake, or the help that was asked for.
pub fn parse(args: impl IntoIterator<Item = OsString>, with_variables: bool) -> Result<Given, clap::Error> {
    let (args, warnings) = sort(args);
    let mut command = Flags::command();
    if !with_variables {
        let flags: Vec<String> = command.get_arguments().map(|flag| flag.get_id().to_string()).collect();
        for flag in flags {
            command = command.mut_arg(flag, |flag| flag.env(None::<&str>));
        }
    }
    let matches = command.try_get_matches_from_mut(args)?;
    let is_told = |flag: &str| {
        matches.value_source(flag).is_some_and(|source| source != clap::parser::ValueSource::DefaultValue)
    };
    let (listens, advertises) = (is_told("listen_client_urls"), is_told("advertise_client_urls"));
    let flags = <Flags as clap::FromArgMatches>::from_arg_matches(&matches)
        .map_err(|error| error.format(&mut command))?;
    Ok(Given { flags, warnings, listens_where_told: listens, advertises_where_told: advertises })
}

/// Turns a single dash into two, and takes out the flags without effect.
fn sort(args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<String>) {
    let (mut kept, mut warnings) = (Vec::new(), Vec::new());
    let mut args = args.into_iter();
    kept.extend(args.next());
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        let Some(name) = arg.to_str().and_then(|text| text.strip_prefix('-')) else {
            kept.push(arg);
            continue;
        };
        let name = name.strip_prefix('-').unwrap_or(name).to_string();
        let (flag, value) = match name.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (&*name, None),
        };
        if WITHOUT_EFFECT.contains(&flag) {
            warnings.push(format!("--{flag} has no effect here"));
            // Its value is the next word, unless that is a flag.
            if value.is_none() && args.peek().is_some_and(|next| !next.to_string_lossy().starts_with('-')) {
                args.next();
            }
            continue;
        }
        kept.push(if name.len() > 1 { format!("--{name}").into() } else { arg });
    }
    (kept, warnings)
}

/// The names of all flags, as they are written.
pub fn names() -> Vec<String> {
    let names = Flags::command();
    let names = names.get_arguments().filter_map(|flag| flag.get_long().map(str::to_string));
    names.chain(WITHOUT_EFFECT.iter().map(|name| name.to_string())).collect()
}
