//! The kinds of fault: their fields, whom they can strike, how long they last, where their ranges
//! come from.

use record::{Failpoint, MessageKind};

use crate::field::{Field, FieldType, Form, HOUR, Key, MS, SECOND, SHARE, Words, count, number, time, words};
use crate::sections::{BANDWIDTH, CLOCK_RATE, LATENCY, QUEUE, link_fields};
use crate::units::Unit;
use crate::{DiskCall, FaultKind, Files, Link, MessageRule, PointAction, RuleAction, Spread, Target};

/// One kind of fault.
pub(crate) struct Kind {
    /// The number by which the trace hash knows it; never used twice, never changed.
    pub number: u64,
    pub name: &'static str,
    pub family: Family,
    pub whom: Whom,
    pub lasts: Lasts,
    /// Two of these cannot be over one member at a time.
    pub alone: Alone,
    /// The smallest cluster in which it means anything.
    pub members: u32,
    pub about: &'static str,
    /// Where the ranges that scenarios and the swarm draw from come from.
    pub source: &'static str,
    pub fields: &'static [Field<FaultKind>],
    /// The fault with its defaults. The link is the one that a `link` fault begins with.
    pub new: fn(Link) -> FaultKind,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A group of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Network,
    Disk,
    Clocks,
    Process,
    Operators,
}

/// Whom a kind can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Any members.
    Members,
    /// One member.
    One,
    /// Some members, but not all.
    Part,
    /// At most a minority.
    Minority,
    /// Members or clients.
    Ends,
    /// It has no target.
    Nobody,
}

/// What `for` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// The fault's length.
    Span,
    /// The time until the restart.
    Down,
    /// Nothing: it is over at once.
    Instant,
}

/// What cannot be over one member twice at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// It can.
    No,
    /// A fault that ends the process: it must run to be ended.
    Down,
    /// A fault that needs a running process, and not itself.
    Running,
    /// A fault that cannot be over itself.
    Itself,
}

/// The kind of that name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl FaultKind {
    pub(crate) fn kind(&self) -> &'static Kind {
        kind(self.name()).unwrap_or_else(|| panic!("the table of kinds lacks {:?}", self.name()))
    }

    /// The number by which the trace hash knows the kind.
    pub fn number(&self) -> u64 {
        self.kind().number
    }

    /// The other end, where there is one.
    pub(crate) fn to(&self) -> Option<&Target> {
        match self {
            FaultKind::Link { to, .. } | FaultKind::Cut { to, .. } | FaultKind::Clog { to } => Some(to),
            FaultKind::Rule(rule) => Some(&rule.to),
            _ => None,
        }
    }
}

words!(Files: "wal" = Files::Wal, "snapshot" = Files::Snapshot, "backend" = Files::Backend, "all" = Files::All);
words!(DiskCall: "read" = DiskCall::Read, "write" = DiskCall::Write, "sync" = DiskCall::Sync);
words!(PointAction: "crash" = PointAction::Crash, "power-loss" = PointAction::PowerLoss, "pause" = PointAction::Pause);

impl Words for Failpoint {
    const NAMES: &'static [&'static str] = Failpoint::NAMES;
    const ALL: &'static [Failpoint] = Failpoint::ALL;
}

words!(MessageKind:
    "append" = MessageKind::Append,
    "append-response" = MessageKind::AppendResponse,
    "vote" = MessageKind::RequestVote,
    "vote-response" = MessageKind::RequestVoteResponse,
    "pre-vote" = MessageKind::RequestPreVote,
    "pre-vote-response" = MessageKind::RequestPreVoteResponse,
    "heartbeat" = MessageKind::Heartbeat,
    "heartbeat-response" = MessageKind::HeartbeatResponse,
    "snapshot" = MessageKind::Snapshot,
    "propose" = MessageKind::Propose,
    "transfer-leader" = MessageKind::TransferLeader,
    "timeout-now" = MessageKind::TimeoutNow,
    "read-index" = MessageKind::ReadIndex,
    "read-index-response" = MessageKind::ReadIndexResponse,
    "other" = MessageKind::Other,
);

const ACTIONS: &[&str] = &["drop", "delay", "duplicate", "hold"];
const CALL: Form = Form::Word(DiskCall::NAMES);
const FILES: Form = Form::Word(Files::NAMES);
const TIMES: Form = count(1, 1_000_000);
const SPAN: Form = time(MS, 24 * HOUR);
const INDEX: Form = count(0, u64::MAX as i128);

/// A field of one kind: name, form, pattern of the kind, place in it, meaning.
macro_rules! one {
    ($name:literal $form:expr => $pattern:pat => $place:expr, $about:literal) => {
        Field {
            key: Key { name: $name, form: $form, about: $about },
            get: |it, _| match it {
                $pattern => FieldType::value(&$place),
                other => unreachable!("{:?} has no field {:?}", other.name(), $name),
            },
            set: |it, _, value| match it {
                $pattern => $place = FieldType::of(value),
                other => unreachable!("{:?} has no field {:?}", other.name(), $name),
            },
        }
    };
}

macro_rules! of {
    ($($name:literal $form:expr => $pattern:pat => $place:expr, $about:literal;)*) => {
        &[$(one!($name $form => $pattern => $place, $about),)*]
    };
}

macro_rules! of_link {
    ($($name:literal $form:expr => $field:ident, $about:literal;)+) => {
        of! {
            "to" Form::Who => FaultKind::Link { to, .. } => *to, "The other end. Left out: `all`.";
            "both" Form::Switch => FaultKind::Link { both, .. } => *both, "Whether the links back behave so too. Left out: true.";
            $($name $form => FaultKind::Link { link, .. } => link.$field, $about;)+
        }
    };
}

fn rule(kind: &FaultKind) -> &MessageRule {
    match kind {
        FaultKind::Rule(rule) => rule,
        other => unreachable!("{:?} is no rule", other.name()),
    }
}

fn rule_mut(kind: &mut FaultKind) -> &mut MessageRule {
    match kind {
        FaultKind::Rule(rule) => rule,
        other => unreachable!("{:?} is no rule", other.name()),
    }
}

static RULE: &[Field<FaultKind>] = &[
    one!("message" Form::Word(MessageKind::NAMES) => FaultKind::Rule(rule) => rule.kind, "Only raft messages of this kind. Left out: any."),
    one!("to" Form::Who => FaultKind::Rule(rule) => rule.to, "The receivers; the target are the senders. Left out: `all`."),
    one!("term" INDEX => FaultKind::Rule(rule) => rule.term, "Only messages of this term. Left out: any."),
    Field {
        key: Key { name: "from-index", form: INDEX, about: "Only messages whose index is at least this." },
        get: |it, _| rule(it).index.map(|index| index.0).value(),
        set: |it, _, value| rule_mut(it).index.get_or_insert((0, u64::MAX)).0 = u64::of(value),
    },
    Field {
        key: Key { name: "to-index", form: INDEX, about: "Only messages whose index is at most this." },
        get: |it, _| rule(it).index.map(|index| index.1).value(),
        set: |it, _, value| rule_mut(it).index.get_or_insert((0, u64::MAX)).1 = u64::of(value),
    },
    one!("skip" count(0, u32::MAX as i128) => FaultKind::Rule(rule) => rule.skip, "How many matches pass untouched first."),
    one!("count" Form::Number { unit: Unit::Count, low: 0, high: u32::MAX as i128, zero: Some("all") } => FaultKind::Rule(rule) => rule.count, "How many matches are acted on. Left out: all."),
    Field {
        key: Key {
            name: "do",
            form: Form::Word(ACTIONS),
            about: "What happens to a match: it is dropped, comes late, comes twice, or waits until the fault ends. Left out: `drop`.",
        },
        get: |it, _| {
            let at = match rule(it).action {
                RuleAction::Drop => 0_u32,
                RuleAction::Delay(_) => 1,
                RuleAction::Duplicate(_) => 2,
                RuleAction::Hold => 3,
            };
            at.value()
        },
        set: |it, _, value| {
            rule_mut(it).action = match u32::of(value) {
                0 => RuleAction::Drop,
                1 => RuleAction::Delay(LATE),
                2 => RuleAction::Duplicate(LATE),
                _ => RuleAction::Hold,
            };
        },
    },
    Field {
        key: Key {
            name: "by",
            form: time(0, HOUR),
            about: "How late, for `delay` and `duplicate`. Left out: 100ms.",
        },
        get: |it, _| match rule(it).action {
            RuleAction::Delay(by) | RuleAction::Duplicate(by) => by.value(),
            RuleAction::Drop | RuleAction::Hold => None,
        },
        set: |it, _, value| {
            if let RuleAction::Delay(by) | RuleAction::Duplicate(by) = &mut rule_mut(it).action {
                *by = u64::of(value);
            }
        },
    },
];

const LATE: u64 = 100 * MS as u64;

/// Every kind, in the order of the documentation.
pub(crate) static KINDS: &[Kind] = &[
    Kind {
        number: 1,
        name: "link",
        family: Family::Network,
        whom: Whom::Ends,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "Links from the target to `to` behave as the fields say; what is left out stays as in `[network]`.",
        source: "TigerBeetle's VOPR: delay of up to 30 ms plus an exponential of up to 100 ms, loss 0 to 30 %, duplicates 0 to 50 %, queues of 2 to 20 packets. FoundationDB: 0.1 to 0.8 ms for 99.9 %, a tail to 100 ms.",
        fields: link_fields!(of_link),
        new: |link| FaultKind::Link { to: Target::All, both: true, link },
    },
    Kind {
        number: 2,
        name: "cut",
        family: Family::Network,
        whom: Whom::Ends,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "Nothing passes from the target to `to`; with `both`, nothing passes back either.",
        source: "Jepsen's nemesis; VOPR: partitions strike with up to 3 % a tick and hold for at least 1 to 2 s.",
        fields: of! {
            "to" Form::Who => FaultKind::Cut { to, .. } => *to, "The other end. Left out: `all`.";
            "both" Form::Switch => FaultKind::Cut { both, .. } => *both, "Whether nothing passes back either. Left out: true.";
        },
        new: |_| FaultKind::Cut { to: Target::All, both: true },
    },
    Kind {
        number: 3,
        name: "isolate",
        family: Family::Network,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::Itself,
        members: 2,
        about: "The target is cut from all other members; clients still reach it.",
        source: "VOPR's partition mode isolate_single.",
        fields: &[],
        new: |_| FaultKind::Isolate,
    },
    Kind {
        number: 4,
        name: "one-way",
        family: Family::Network,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 2,
        about: "The target hears nobody, or is heard by nobody.",
        source: "VOPR's asymmetric partitions; the Cloudflare outage of November 2020 (an etcd leader that one member could not reach).",
        fields: of! {
            "inbound" Form::Switch => FaultKind::OneWay { inbound } => *inbound, "True: it hears nobody. False: nobody hears it. Left out: true.";
        },
        new: |_| FaultKind::OneWay { inbound: true },
    },
    Kind {
        number: 5,
        name: "split",
        family: Family::Network,
        whom: Whom::Part,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 2,
        about: "Two sides that do not hear each other: the target and the rest.",
        source: "VOPR's uniform partitions; Jepsen's partition-random-halves.",
        fields: &[],
        new: |_| FaultKind::Split,
    },
    Kind {
        number: 6,
        name: "majorities-ring",
        family: Family::Network,
        whom: Whom::Nobody,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 3,
        about: "Members in a ring: each hears a majority, its nearest neighbours, and no two the same one.",
        source: "Jepsen's partition-majorities-ring.",
        fields: &[],
        new: |_| FaultKind::MajoritiesRing,
    },
    Kind {
        number: 7,
        name: "bridge",
        family: Family::Network,
        whom: Whom::One,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 3,
        about: "Two halves that only one member, the target, connects.",
        source: "Jepsen's bridge.",
        fields: &[],
        new: |_| FaultKind::Bridge,
    },
    Kind {
        number: 8,
        name: "flapping",
        family: Family::Network,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::Itself,
        members: 2,
        about: "The target is isolated and joined again, over and over.",
        source: "FoundationDB's swizzle-clog, made regular.",
        fields: of! {
            "down" SPAN => FaultKind::Flapping { down, .. } => *down, "How long it is isolated each time. Left out: 1s.";
            "up" SPAN => FaultKind::Flapping { up, .. } => *up, "How long it is joined each time. Left out: 1s.";
        },
        new: |_| FaultKind::Flapping { down: SECOND as u64, up: SECOND as u64 },
    },
    Kind {
        number: 9,
        name: "cut-clients",
        family: Family::Network,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::Itself,
        members: 1,
        about: "Clients do not reach the target.",
        source: "None: VOPR never cuts its clients, which hides what a client makes of an unknown outcome.",
        fields: &[],
        new: |_| FaultKind::CutClients,
    },
    Kind {
        number: 10,
        name: "clog",
        family: Family::Network,
        whom: Whom::Ends,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "Messages from the target to `to` wait until the fault ends.",
        source: "VOPR: up to 2 % a path a tick, for a mean of up to 5 s. FoundationDB: 10·e^(−10u) s.",
        fields: of! {
            "to" Form::Who => FaultKind::Clog { to } => *to, "The other end. Left out: `all`.";
        },
        new: |_| FaultKind::Clog { to: Target::All },
    },
    Kind {
        number: 11,
        name: "rule",
        family: Family::Network,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 2,
        about: "Raft messages from the target that match are dropped, delayed, doubled or held.",
        source: "turmoil's packet rules; etcd issue 20418 (a heartbeat answer held back until it confirms the wrong read).",
        fields: RULE,
        new: |_| {
            FaultKind::Rule(MessageRule {
                kind: None,
                to: Target::All,
                term: None,
                index: None,
                skip: 0,
                count: 0,
                action: RuleAction::Drop,
            })
        },
    },
    Kind {
        number: 12,
        name: "slow-disk",
        family: Family::Disk,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "Operations of the disk take `factor` times as long, plus `extra`.",
        source: "VOPR: reads of up to 100 ms, writes of up to a second in the mean.",
        fields: of! {
            "call" CALL => FaultKind::SlowDisk { call, .. } => *call, "Only these calls. Left out: all.";
            "factor" TIMES => FaultKind::SlowDisk { factor, .. } => *factor, "How many times as long. Left out: 10.";
            "extra" LATENCY => FaultKind::SlowDisk { extra, .. } => *extra, "How much longer besides. Left out: nothing.";
        },
        new: |_| FaultKind::SlowDisk { call: None, factor: 10, extra: Spread::Constant(0) },
    },
    Kind {
        number: 13,
        name: "stalled-disk",
        family: Family::Disk,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::Itself,
        members: 1,
        about: "No operation of the disk ends before the fault does.",
        source: "Ours: from a hiccup of 100 ms to a controller that resets for 10 s.",
        fields: &[],
        new: |_| FaultKind::StalledDisk,
    },
    Kind {
        number: 14,
        name: "disk-error",
        family: Family::Disk,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "The next `count` such calls fail with EIO. A sync that fails drops what was not written, as Linux does.",
        source: "FoundationDB's InjectFaults; “Can Applications Recover from fsync Failures?” (ATC'20).",
        fields: of! {
            "call" CALL => FaultKind::DiskError { call, .. } => *call, "Which calls. Left out: `sync`.";
            "files" FILES => FaultKind::DiskError { files, .. } => *files, "Of which files. Left out: `all`.";
            "count" TIMES => FaultKind::DiskError { count, .. } => *count, "How many. Left out: 1.";
        },
        new: |_| FaultKind::DiskError { call: DiskCall::Sync, files: Files::All, count: 1 },
    },
    Kind {
        number: 15,
        name: "disk-full",
        family: Family::Disk,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::Itself,
        members: 1,
        about: "So many bytes are left on the disk; what needs more fails with ENOSPC.",
        source: "FoundationDB's InjectFaults. Left: nothing to 64 KiB, so that it runs out within a write as well as between two.",
        fields: of! {
            "left" number(Unit::Size, 0, 1 << 50) => FaultKind::DiskFull { left } => *left, "Bytes that are left. Left out: none.";
        },
        new: |_| FaultKind::DiskFull { left: 0 },
    },
    Kind {
        number: 16,
        name: "bit-rot",
        family: Family::Disk,
        whom: Whom::Members,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 1,
        about: "A bit of durable content flips in `count` places and stays so, where a checksum can tell. The world keeps a quorum of members undamaged.",
        source: "VOPR's fault atlas: sticky, at most replication quorum − 1 copies of anything.",
        fields: of! {
            "files" FILES => FaultKind::BitRot { files, .. } => *files, "Of which files. Left out: `wal`.";
            "count" TIMES => FaultKind::BitRot { count, .. } => *count, "In how many places. Left out: 1.";
        },
        new: |_| FaultKind::BitRot { files: Files::Wal, count: 1 },
    },
    Kind {
        number: 17,
        name: "lost-write",
        family: Family::Disk,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "The next `count` synced writes never reach the medium although the sync succeeds.",
        source: "VOPR: write faults of 0 to 10 %, within its atlas. The world spares the log, in which such a loss cannot be told from a write that was never synced.",
        fields: of! {
            "files" FILES => FaultKind::LostWrite { files, .. } => *files, "Of which files. Left out: `all`.";
            "count" TIMES => FaultKind::LostWrite { count, .. } => *count, "How many. Left out: 1.";
        },
        new: |_| FaultKind::LostWrite { files: Files::All, count: 1 },
    },
    Kind {
        number: 18,
        name: "misdirected-write",
        family: Family::Disk,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "The next `count` writes land at another place of the same file.",
        source: "VOPR: at most one a disk, within its atlas. The world spares the log here too.",
        fields: of! {
            "files" FILES => FaultKind::MisdirectedWrite { files, .. } => *files, "Of which files. Left out: `all`.";
            "count" TIMES => FaultKind::MisdirectedWrite { count, .. } => *count, "How many. Left out: 1.";
        },
        new: |_| FaultKind::MisdirectedWrite { files: Files::All, count: 1 },
    },
    Kind {
        number: 19,
        name: "short-read",
        family: Family::Disk,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "The next `count` reads return fewer bytes than asked for, which is an error to the caller.",
        source: "FoundationDB's short reads.",
        fields: of! {
            "files" FILES => FaultKind::ShortRead { files, .. } => *files, "Of which files. Left out: `all`.";
            "count" TIMES => FaultKind::ShortRead { count, .. } => *count, "How many. Left out: 1.";
        },
        new: |_| FaultKind::ShortRead { files: Files::All, count: 1 },
    },
    Kind {
        number: 20,
        name: "lost-disk",
        family: Family::Disk,
        whom: Whom::Minority,
        lasts: Lasts::Down,
        alone: Alone::Down,
        members: 3,
        about: "The process ends, and its disk is empty when it starts again under its old identity. Its votes and acknowledgements are gone, so it must refuse to serve.",
        source: "VOPR: 30 % of restarts reformat, while a quorum stays recoverable.",
        fields: &[],
        new: |_| FaultKind::LostDisk,
    },
    Kind {
        number: 21,
        name: "clock-rate",
        family: Family::Clocks,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "The clock runs at this rate of true time.",
        source: "Crystals drift by 10 to 200 ppm; a virtual machine's clock by much more. VOPR's tests: up to 10 %.",
        fields: of! {
            "rate" CLOCK_RATE => FaultKind::ClockRate { rate } => *rate, "`100%` is exact. Left out: 110%.";
        },
        new: |_| FaultKind::ClockRate { rate: 1_100_000 },
    },
    Kind {
        number: 22,
        name: "clock-step",
        family: Family::Clocks,
        whom: Whom::Members,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 1,
        about: "The wall clock jumps.",
        source: "Jepsen's bump: powers of two from 4 ms to 262 s, both ways. VOPR's tests: −5 days.",
        fields: of! {
            "by" time(-10_000 * HOUR, 10_000 * HOUR) => FaultKind::ClockStep { by } => *by, "How far; below 0 is back. Left out: 1s.";
        },
        new: |_| FaultKind::ClockStep { by: SECOND as i64 },
    },
    Kind {
        number: 23,
        name: "clock-strobe",
        family: Family::Clocks,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "The wall clock jumps forth and back every `period`.",
        source: "Jepsen's strobe: by 4 ms to 262 s, every 1 ms to 1 s, for up to 32 s.",
        fields: of! {
            "by" time(1, HOUR) => FaultKind::ClockStrobe { by, .. } => *by, "How far. Left out: 1s.";
            "period" SPAN => FaultKind::ClockStrobe { period, .. } => *period, "How often. Left out: 100ms.";
        },
        new: |_| FaultKind::ClockStrobe { by: SECOND as u64, period: LATE },
    },
    Kind {
        number: 24,
        name: "clock-sine",
        family: Family::Clocks,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "The wall clock swings around true time.",
        source: "VOPR's periodic offset: ±1 s.",
        fields: of! {
            "by" time(1, HOUR) => FaultKind::ClockSine { by, .. } => *by, "How far to each side. Left out: 1s.";
            "period" SPAN => FaultKind::ClockSine { period, .. } => *period, "How long a swing takes. Left out: 10s.";
        },
        new: |_| FaultKind::ClockSine { by: SECOND as u64, period: 10 * SECOND as u64 },
    },
    Kind {
        number: 25,
        name: "clock-freeze",
        family: Family::Clocks,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::Itself,
        members: 1,
        about: "The monotonic clock stands still while the process runs on.",
        source: "Ours: a virtual machine whose time source stops.",
        fields: &[],
        new: |_| FaultKind::ClockFreeze,
    },
    Kind {
        number: 26,
        name: "graceful-restart",
        family: Family::Process,
        whom: Whom::Members,
        lasts: Lasts::Down,
        alone: Alone::Down,
        members: 1,
        about: "The process is asked to stop, finishes what it must, and is started again.",
        source: "Ours: a rolling restart.",
        fields: &[],
        new: |_| FaultKind::GracefulRestart,
    },
    Kind {
        number: 27,
        name: "crash",
        family: Family::Process,
        whom: Whom::Members,
        lasts: Lasts::Down,
        alone: Alone::Down,
        members: 1,
        about: "The process is killed (kill -9) and started again. What it wrote to files stays.",
        source: "VOPR: a crash in 14 simulated hours a replica, ten times as often while it writes; ours are far more frequent, because long runs with few crashes find little.",
        fields: &[],
        new: |_| FaultKind::Crash,
    },
    Kind {
        number: 28,
        name: "power-loss",
        family: Family::Process,
        whom: Whom::Members,
        lasts: Lasts::Down,
        alone: Alone::Down,
        members: 1,
        about: "The machine loses power and starts again. Any subset of what was not synced is lost, by sector.",
        source: "FoundationDB's AsyncFileNonDurable: per 4 KiB page and 512 B sector. VOPR: 80 to 100 % of crashes tear a write.",
        fields: &[],
        new: |_| FaultKind::PowerLoss,
    },
    Kind {
        number: 29,
        name: "pause",
        family: Family::Process,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::Running,
        members: 1,
        about: "The process is stopped (SIGSTOP) and continued. Its clocks go on.",
        source: "VOPR: a paused replica's clock still ticks, as in a migration of a virtual machine.",
        fields: &[],
        new: |_| FaultKind::Pause,
    },
    Kind {
        number: 30,
        name: "slow-cpu",
        family: Family::Process,
        whom: Whom::Members,
        lasts: Lasts::Span,
        alone: Alone::No,
        members: 1,
        about: "Every step of the process takes this long.",
        source: "Ours: a noisy neighbour, 0.1 to 50 ms a step.",
        fields: of! {
            "step" time(1, 60 * SECOND) => FaultKind::SlowCpu { step } => *step, "How long. Left out: 1ms.";
        },
        new: |_| FaultKind::SlowCpu { step: MS as u64 },
    },
    Kind {
        number: 31,
        name: "crash-at-disk-op",
        family: Family::Process,
        whom: Whom::Members,
        lasts: Lasts::Down,
        alone: Alone::No,
        members: 1,
        about: "The process crashes at the `nth` operation of its disk from now on.",
        source: "etcd's gofail points around WAL and backend; SQLite's crash tests.",
        fields: of! {
            "nth" TIMES => FaultKind::CrashAtDiskOp { nth, .. } => *nth, "Which operation, from 1. Left out: 1.";
            "power" Form::Switch => FaultKind::CrashAtDiskOp { power, .. } => *power, "Whether it loses power. Left out: false.";
        },
        new: |_| FaultKind::CrashAtDiskOp { nth: 1, power: false },
    },
    Kind {
        number: 32,
        name: "crash-in-recovery",
        family: Family::Process,
        whom: Whom::Members,
        lasts: Lasts::Down,
        alone: Alone::Down,
        members: 1,
        about: "The process crashes, and crashes again at the `nth` operation of its disk while it recovers.",
        source: "Ours: recovery is the code that runs least.",
        fields: of! {
            "nth" TIMES => FaultKind::CrashInRecovery { nth, .. } => *nth, "Which operation, from 1. Left out: 1.";
            "power" Form::Switch => FaultKind::CrashInRecovery { power, .. } => *power, "Whether it loses power. Left out: false.";
        },
        new: |_| FaultKind::CrashInRecovery { nth: 1, power: false },
    },
    Kind {
        number: 33,
        name: "failpoint",
        family: Family::Process,
        whom: Whom::Members,
        lasts: Lasts::Down,
        alone: Alone::No,
        members: 1,
        about: "The process crashes, loses power or pauses at a named point of its code. The names are etcd's own.",
        source: "etcd's gofail points (tests/robustness/failpoint/gofail.go): panic and sleep at each.",
        fields: of! {
            "point" Form::Word(Failpoint::NAMES) => FaultKind::Failpoint { point, .. } => *point, "Where. Left out: raftBeforeSave.";
            "skip" count(0, 1_000_000) => FaultKind::Failpoint { skip, .. } => *skip, "How many times the point is passed first. Left out: 0.";
            "do" Form::Word(PointAction::NAMES) => FaultKind::Failpoint { does, .. } => *does, "What happens there. Left out: `crash`.";
        },
        new: |_| FaultKind::Failpoint { point: Failpoint::RaftBeforeSave, skip: 0, does: PointAction::Crash },
    },
    Kind {
        number: 34,
        name: "add-member",
        family: Family::Operators,
        whom: Whom::Nobody,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 1,
        about: "An operator adds a member on a new machine and starts it.",
        source: "etcd's robustness suite (memberAdd); Jepsen's etcd test (nemesis: grow).",
        fields: of! {
            "learner" Form::Switch => FaultKind::AddMember { learner, .. } => *learner, "Whether it joins as a learner. Left out: true.";
            "promote" Form::Switch => FaultKind::AddMember { promote, .. } => *promote, "Whether a learner is promoted once it is in step. Left out: true.";
        },
        new: |_| FaultKind::AddMember { learner: true, promote: true },
    },
    Kind {
        number: 35,
        name: "remove-member",
        family: Family::Operators,
        whom: Whom::One,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 2,
        about: "An operator removes the target from the cluster, for good.",
        source: "Jepsen's etcd test (nemesis: shrink).",
        fields: &[],
        new: |_| FaultKind::RemoveMember,
    },
    Kind {
        number: 36,
        name: "replace-member",
        family: Family::Operators,
        whom: Whom::One,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 2,
        about: "An operator removes the target and adds a member on a new machine in its place.",
        source: "etcd's robustness suite (memberReplace). The joint change is ours.",
        fields: of! {
            "joint" Form::Switch => FaultKind::ReplaceMember { joint } => *joint, "Whether both happen in one change, by a joint configuration. Left out: false.";
        },
        new: |_| FaultKind::ReplaceMember { joint: false },
    },
    Kind {
        number: 37,
        name: "update-member",
        family: Family::Operators,
        whom: Whom::One,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 1,
        about: "An operator changes the target's peer URL to another name of the same machine.",
        source: "Ours; etcd issue 21737.",
        fields: &[],
        new: |_| FaultKind::UpdateMember,
    },
    Kind {
        number: 38,
        name: "move-leader",
        family: Family::Operators,
        whom: Whom::One,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 2,
        about: "An operator asks whoever leads to hand leadership to the target.",
        source: "Ours: what `etcdctl move-leader` does before maintenance.",
        fields: &[],
        new: |_| FaultKind::MoveLeader,
    },
    Kind {
        number: 39,
        name: "defragment",
        family: Family::Operators,
        whom: Whom::Members,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 1,
        about: "An operator has the target defragment its backend.",
        source: "etcd's robustness suite (traffic: Defragment).",
        fields: &[],
        new: |_| FaultKind::Defragment,
    },
    Kind {
        number: 40,
        name: "compact",
        family: Family::Operators,
        whom: Whom::Nobody,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 1,
        about: "An operator compacts the store.",
        source: "etcd's robustness suite (traffic: Compact); Kubernetes compacts every five minutes.",
        fields: of! {
            "keep" count(0, 1_000_000_000) => FaultKind::Compact { keep, .. } => *keep, "How many revisions below the newest. Left out: 10.";
            "physical" Form::Switch => FaultKind::Compact { physical, .. } => *physical, "Whether it waits until the old revisions are gone from the disk. Left out: false.";
        },
        new: |_| FaultKind::Compact { keep: 10, physical: false },
    },
    Kind {
        number: 41,
        name: "reclaim-space",
        family: Family::Operators,
        whom: Whom::Nobody,
        lasts: Lasts::Instant,
        alone: Alone::No,
        members: 1,
        about: "An operator compacts, defragments one member after another and disarms all alarms.",
        source: "etcd's documentation of the space quota.",
        fields: &[],
        new: |_| FaultKind::ReclaimSpace,
    },
];
