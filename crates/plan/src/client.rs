//! etcd's clients, and the section `[[client]]`.

use api::Request;
use keyed::Ratio;
use record::{MemberId, Nanos};
use schedule::ClientPart;
use schedule::field::{Field, Form, HOUR, MS, Words, count, time};
use schedule::sections::{CLOCK_RATE, LATENCY};
use schedule::units::Unit;
use schedule::{MOST_MACHINES, fields, words};

use crate::{Act, Spread};

const MILLISECOND: Nanos = MS as Nanos;

/// One client: a closed loop over its operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// The members it knows, in the order in which it tries them.
    pub endpoints: Vec<MemberId>,
    /// How often it asks for the member list and takes its endpoints from the answer, by its own clock; 0: never.
    pub auto_sync: Nanos,
    /// When it switches to the next endpoint.
    pub failover: Failover,
    /// How long it waits for an answer, by its own clock.
    pub timeout: Nanos,
    /// How fast its clock runs, in parts per million of true time (1 000 000 is exact).
    pub clock_rate: u32,
    /// The client whose memory it uses. Clients with one memory stand for a program that has several requests
    /// under way at once. `None`: it has a memory of its own. The other client must have one of its own.
    pub part_of: Option<u32>,
    /// The user it logs in as, `name:password`; `None` if it does not log in.
    pub user: Option<String>,
    /// How long it takes to process one response of a watch stream. Slow consumers make the server hold back
    /// what it cannot send.
    pub watch_processing: Spread,
    /// A watch stream on which nothing came for this long is tested with a ping.
    pub keepalive: Nanos,
    /// If the ping is not answered for this long, the stream counts as broken.
    pub keepalive_timeout: Nanos,
    /// What it does, in order.
    pub operations: Vec<PlannedOperation>,
}

/// When a client switches to its next endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// Never: it stays with its first endpoint.
    Pinned,
    /// After an error or an unknown outcome.
    OnTrouble,
    /// After every operation.
    RoundRobin,
}

/// One act of a client, with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedOperation {
    /// The act begins at this time, or when the previous act has ended, if that is later.
    pub at: Nanos,
    /// What to do.
    pub act: Act,
}

/// The fields of `[[client]]`.
pub(crate) static CLIENT: &[Field<Client>] = &fields! {
    "endpoints" Form::Members => endpoints, "The members it knows, in the order in which it tries them. They may be members that join later.";
    "auto-sync" AUTO_SYNC => auto_sync, "How often it asks for the member list and takes its endpoints from the answer (started members that are no learners), as etcd's Go client does with `AutoSyncInterval`.";
    "failover" FAILOVER => failover, "When it switches to the next endpoint: never, after an error or an unknown outcome, after every operation.";
    "timeout" time(MS, HOUR) => timeout, "How long it waits for an answer, by its own clock.";
    "clock" CLOCK_RATE => clock_rate, "How fast its clock runs; `100%` is exact.";
    "part-of" count(0, 100_000) => part_of, "The client whose memory it uses: two clients of one program, which has several requests under way at once. Left out: a memory of its own.";
    "user" Form::Text => user, "The user it logs in as, `name:password`. Left out: it does not log in.";
    "watch-processing" LATENCY => watch_processing, "How long it takes to process one response of a watch stream. A slow consumer makes the server hold back what it cannot send.";
    "keepalive" time(MS, HOUR) => keepalive, "A watch stream on which nothing came for this long is tested with a ping.";
    "keepalive-timeout" time(MS, HOUR) => keepalive_timeout, "Without an answer to the ping for this long, the stream counts as broken.";
    "operations" Form::operations::<PlannedOperation>() => operations, "What it does, in order, one line per act.";
};

/// How often a client takes its endpoints from the member list.
pub(crate) const AUTO_SYNC: Form = Form::Number { unit: Unit::Time, low: 0, high: HOUR, zero: Some("never") };

/// When a client switches to the next endpoint.
pub(crate) const FAILOVER: Form = Form::Word(Failover::NAMES);

words!(Failover: "pinned" = Failover::Pinned, "on-trouble" = Failover::OnTrouble, "round-robin" = Failover::RoundRobin);

/// A client as Kubernetes configures etcd's Go library: a ping after 30 s of silence, and a stream counts as
/// broken if the ping is not answered for 10 s (`apiserver/pkg/storage/storagebackend/factory/etcd3.go`).
impl Default for Client {
    fn default() -> Client {
        Client {
            endpoints: Vec::new(),
            auto_sync: 0,
            failover: Failover::OnTrouble,
            timeout: 2_000 * MILLISECOND,
            clock_rate: Ratio::WHOLE,
            part_of: None,
            user: None,
            watch_processing: Spread::Constant(0),
            keepalive: 30_000 * MILLISECOND,
            keepalive_timeout: 10_000 * MILLISECOND,
            operations: Vec::new(),
        }
    }
}

impl ClientPart for Client {
    type Operation = PlannedOperation;

    fn new(endpoints: Vec<MemberId>, clock_rate: u32) -> Client {
        Client { endpoints, clock_rate, ..Client::default() }
    }

    fn operations(&self) -> &[PlannedOperation] {
        &self.operations
    }

    fn operations_mut(&mut self) -> &mut Vec<PlannedOperation> {
        &mut self.operations
    }

    fn asks_at(operation: &PlannedOperation) -> Option<Nanos> {
        (!matches!(operation.act, Act::Rest(_))).then_some(operation.at)
    }
}

/// The machines that these operations name as new members, with a peer URL such as `http://m4:2380`, up to
/// [`MOST_MACHINES`]. A member that a client adds with any other URL has no machine: it never starts.
pub(crate) fn machines_added(operations: &[PlannedOperation]) -> impl Iterator<Item = MemberId> {
    let requests = operations.iter().filter_map(|planned| match &planned.act {
        Act::Request(Request::MemberAdd(request)) => request.peer_urls.first(),
        _ => None,
    });
    let machine =
        |url: &String| url.strip_prefix("http://m")?.strip_suffix(":2380")?.parse::<MemberId>().ok();
    requests.filter_map(machine).filter(|machine| machine.is_among_first(MOST_MACHINES))
}
