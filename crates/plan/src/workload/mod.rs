//! Workloads: what the clients of a scenario do. There is one file for each, and a scenario chooses one by
//! name.
//!
//! A workload is a function that returns *lanes*: clients with all their operations. The first lanes are the
//! scenario's `clients`. After them come others that the workload needs: watchers, compactors, lanes that renew
//! leases. Each act is drawn by the numbers of its client and of the act, so it does not depend on other acts.
//!
//! Every value that is written names the act that writes it: `c2o17` is from client 2, act 17, and further puts
//! of the same transaction are `c2o17-1` and so on. So wherever a value is seen, it is clear which act wrote
//! it.
//!
//! Weights of kinds of operations are those of the test suite that a workload is taken from; its row names the
//! source.
//!
//! To add a workload, write its file, and name it here as a module and as a row of the table.

mod append;
mod etcd;
mod kubernetes;
mod kubernetes_cluster;
mod lane;
mod leader_election_app;
mod lock;
mod lock_etcd_set;
mod lock_set;
mod make;
mod mixed;
mod named;
mod refused;
mod register;
mod section;
mod set;
mod users;
mod watch;
mod wr;

use record::Nanos;
use schedule::field::{Field, Form, HOUR, MS, SECOND, Words, count, time};
use schedule::sections::{CLOCK_RATE, LATENCY};
use schedule::units::Unit;
use schedule::{fields, words};

use crate::client::{AUTO_SYNC, FAILOVER};
use crate::{Failover, Spread};

pub(crate) use lane::{Lane, Setup};
pub(crate) use mixed::{MIX, Mix};
pub use named::NamedWorkload;
pub(crate) use section::{SECTIONS, check, clients, how_many_clients};

/// The section `[workload]` of a scenario, after the seed has decided it. The table below says what the fields
/// mean, and which of them are drawn for each client.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub name: Name,
    pub clients: u32,
    /// Acts per hour of all clients together. 0: each act follows the last answer at once.
    pub rate: u64,
    pub traffic: Option<Traffic>,
    pub operations: u64,
    pub keys: u32,
    pub key_prefix: String,
    pub value_bytes: Spread,
    pub lease_ttl: Option<Spread>,
    pub endpoints: Endpoints,
    pub auto_sync: Nanos,
    pub failover: Failover,
    pub timeout: Nanos,
    pub clock: Option<u32>,
    pub user: Option<String>,
    pub watchers: Option<u32>,
    pub watch_processing: Spread,
    pub keepalive: Nanos,
    pub keepalive_timeout: Nanos,
    pub api_servers: u32,
    pub nodes: u32,
    pub speed: u32,
}

/// The members a client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoints {
    All,
    One,
    Some,
    Joined,
}

words!(Endpoints: "all" = Endpoints::All, "one" = Endpoints::One, "some" = Endpoints::Some, "joined" = Endpoints::Joined);

/// The maximum number of clients of a scenario.
pub(crate) const MOST_CLIENTS: i128 = 1_000;

pub(crate) static WORKLOAD: &[Field<Workload>] = &fields! {
    "name" Form::Word(Name::NAMES) => name, "Which workload.";
    "clients" count(0, MOST_CLIENTS) => clients, "How many clients. Client `n` starts with member `n` modulo the number of members, plus 1.";
    "rate" Form::Number { unit: Unit::Rate, low: 0, high: 3_600_000_000, zero: Some("unthrottled") } => rate, "Operations of all clients together; each client sends its share, but never before its last answer. `\"unthrottled\"`: the next operation follows the answer at once.";
    "traffic" Form::Word(Traffic::NAMES) => traffic, "The rate as a word: 10, 50, 200 or 1000 operations per second. It replaces `rate`.";
    "operations" Form::Number { unit: Unit::Count, low: 0, high: 10_000_000, zero: Some("unlimited") } => operations, "Maximum number of operations of one client; an unthrottled workload needs it.";
    "keys" count(1, 1_000_000) => keys, "How many keys; for `mixed` and `register`, the other workloads have their own. Few keys are hot and cause conflicts.";
    "key-prefix" Form::Text => key_prefix, "The prefix of every key of `mixed` and `register`; the key's number follows.";
    "value-bytes" Form::Spread { unit: Unit::Size, high: 2 << 20 } => value_bytes, "Length of a value, drawn for each; never shorter than the name of its operation.";
    "lease-ttl" LATENCY => lease_ttl, "Time to live of the leases of `mixed`, drawn for each and rounded up to seconds. Left out: 1 to 10 s.";
    "endpoints" Form::Word(Endpoints::NAMES) => endpoints, "Which members a client knows: all, one or some of the initial ones, or only those that join later (all, if none does). Drawn for each client.";
    "auto-sync" AUTO_SYNC => auto_sync, "How often a client takes its endpoints from the member list. Drawn for each client.";
    "failover" FAILOVER => failover, "When a client switches to its next endpoint. Drawn for each client.";
    "timeout" time(MS, HOUR) => timeout, "How long a client waits for an answer, by its own clock. Drawn for each client.";
    "clock" CLOCK_RATE => clock, "How fast a client's clock runs. Drawn for each client. Left out: as in `[clocks]`.";
    "user" Form::Text => user, "The user a client logs in as, `name:password`. Drawn for each client. Left out: clients do not log in.";
    "watchers" count(0, 100) => watchers, "Clients that only watch, in the workloads that have them. Left out: one per member.";
    "watch-processing" LATENCY => watch_processing, "How long a client takes to process one response of a watch stream. Drawn for each client.";
    "keepalive" time(MS, HOUR) => keepalive, "A watch stream on which nothing came for this long is tested with a ping. Drawn for each client.";
    "keepalive-timeout" time(MS, HOUR) => keepalive_timeout, "Without an answer to the ping for this long, the stream counts as broken. Drawn for each client.";
    "api-servers" count(1, 9) => api_servers, "API servers of `kubernetes-cluster`.";
    "nodes" count(1, 100) => nodes, "Nodes of `kubernetes-cluster`.";
    "speed" count(1, 100) => speed, "How many times faster than a real cluster `kubernetes-cluster` is: heartbeats, compactions, leases.";
};

impl Default for Workload {
    fn default() -> Workload {
        Workload {
            name: Name::Mixed,
            clients: 5,
            rate: 20 * 3_600,
            traffic: None,
            operations: 0,
            keys: 5,
            key_prefix: "k".into(),
            value_bytes: Spread::Constant(0),
            lease_ttl: None,
            endpoints: Endpoints::All,
            auto_sync: 0,
            failover: Failover::OnTrouble,
            timeout: 2 * SECOND as Nanos,
            clock: None,
            user: None,
            watchers: None,
            watch_processing: Spread::Constant(0),
            keepalive: 30 * SECOND as Nanos,
            keepalive_timeout: 10 * SECOND as Nanos,
            api_servers: 2,
            nodes: 5,
            speed: 10,
        }
    }
}

/// The function that makes the clients of a workload.
type Make = fn(&Setup<'_>) -> Vec<Lane>;

/// A row of the table of workloads.
pub(crate) struct WorkloadRow {
    /// Its name in files.
    pub word: &'static str,
    /// What it does, for the documentation.
    pub about: &'static str,
    make: Make,
}

macro_rules! workloads {
    ($($word:literal $name:ident, $make:path, $about:expr;)+) => {
        /// A workload by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Name {
            $($name,)+
        }

        words!(Name: $($word = Name::$name),+);

        /// Every workload, at the place of its variant in [`Name`].
        pub(crate) static WORKLOADS: &[WorkloadRow] = &[$(WorkloadRow { word: $word, about: $about, make: $make },)+];
    };
}

// A row is: the name in a scenario, the name here, the function that makes the clients, the description with
// its source.
workloads! {
    "mixed" Mixed, mixed::lanes, mixed::ABOUT;
    "etcd-put" EtcdPut, etcd::put, etcd::PUT;
    "etcd-put-delete-lease" EtcdPutDeleteLease, etcd::put_delete_lease, etcd::PUT_DELETE_LEASE;
    "etcd-delete" EtcdDelete, etcd::delete, etcd::DELETE;
    "kubernetes" Kubernetes, kubernetes::lanes, kubernetes::ABOUT;
    "kubernetes-create-delete" KubernetesCreateDelete, kubernetes::create_delete, kubernetes::ABOUT_CREATE_DELETE;
    "register" Register, register::lanes, register::ABOUT;
    "set" Set, set::lanes, set::ABOUT;
    "append" Append, append::lanes, append::ABOUT;
    "wr" Wr, wr::lanes, wr::ABOUT;
    "watch" Watch, watch::lanes, watch::ABOUT;
    "lock" Lock, lock::lanes, lock::ABOUT;
    "lock-set" LockSet, lock_set::lanes, lock_set::ABOUT;
    "lock-etcd-set" LockEtcdSet, lock_etcd_set::lanes, lock_etcd_set::ABOUT;
    "kubernetes-cluster" KubernetesCluster, kubernetes_cluster::lanes, kubernetes_cluster::ABOUT;
    "leader-election-app" LeaderElectionApp, leader_election_app::lanes, leader_election_app::ABOUT;
    "users" Users, users::lanes, users::ABOUT;
    "refused" Refused, refused::lanes, refused::ABOUT;
}

/// The rate, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    VeryLow,
    Low,
    Medium,
    High,
}

words!(Traffic: "very-low" = Traffic::VeryLow, "low" = Traffic::Low, "medium" = Traffic::Medium, "high" = Traffic::High);

impl Traffic {
    /// Acts per hour. `medium` and `high` are the maximum queries per second of etcd's `LowTraffic` (200) and
    /// `HighTrafficProfile` (1000; `tests/robustness/traffic/traffic.go`). The two slower ones are our own: a
    /// run with few acts takes little time to compute, so there can be many runs.
    pub const fn rate(self) -> u64 {
        3_600
            * match self {
                Traffic::VeryLow => 10,
                Traffic::Low => 50,
                Traffic::Medium => 200,
                Traffic::High => 1_000,
            }
    }
}

impl Workload {
    /// Acts per hour of all clients together; 0: each act follows the last answer at once.
    pub fn rate(&self) -> u64 {
        self.traffic.map_or(self.rate, Traffic::rate)
    }

    /// All clients with all their operations.
    pub fn lanes(&self, setup: &Setup<'_>) -> Vec<Lane> {
        (WORKLOADS[self.name as usize].make)(setup)
    }
}
