//! The counts of what a member keeps: one row each, with its bound and the reason for it. `docs/leaks.md` is made from
//! this table.
//!
//! A new count is a row here and a number under its name in the member's part that keeps it (`kept` there), or a number
//! that follows from the files on its disk.

use record::{KeptByMember, Operation};

use api::Request;

use super::alive::Alive;

/// How many snapshot files etcd keeps (`--max-snapshots`).
const SNAPSHOT_FILES: u64 = 5;
/// How many hashes of compactions etcd keeps (`mvcc/hash.go`, `hashStorageMaxSize`).
const KEPT_HASHES: u64 = 10;
/// What a member proposes at most beyond what leases need: its name, the cluster version, a compaction, an alarm, each
/// perhaps once more while the first is under way, and a checkpoint at each scan within the request timeout: our choice.
const OWN_PROPOSALS: u64 = 32;

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// Its name.
    pub name: &'static str,
    /// What is counted.
    pub what: &'static str,
    /// How many a member keeps at a moment; `None` if it does not say.
    pub kept: fn(&Alive<'_, '_>) -> Option<u64>,
    /// How many may be alive; `None` if it is not known.
    pub bound: fn(&Alive<'_, '_>) -> Option<u64>,
    /// The bound and its reason.
    pub why: &'static str,
}

macro_rules! counts {
    ($($name:literal $what:literal $(from $kept:expr)?, $bound:expr, $why:literal;)+) => {
        /// All counts.
        pub const COUNTS: &[Count] = &[$(Count {
            name: $name,
            what: $what,
            kept: counts!(@kept $name $(, $kept)?),
            bound: $bound,
            why: $why,
        },)+];
    };
    (@kept $name:literal, $kept:expr) => { $kept };
    (@kept $name:literal) => { |alive| alive.member.count($name) };
}

// A row: name and what is counted, perhaps how it follows from what is known of the member, the bound, and why.
counts! {
    "proposals" "requests that wait until their entry is applied",
        |alive| Some(alive.requests()),
        "the requests that clients wait for at this member or gave up within a request timeout, those of the lock and election services, and those of other members' clients";
    "own-proposals" "proposals of the member itself",
        |alive| Some(OWN_PROPOSALS + 2 * alive.leases_to_end()),
        "two for each lease that is alive or ended within a request timeout, and 32 for everything else";
    "proposals-not-given-to-raft" "proposals that raft does not have",
        |alive| Some(alive.requests() + OWN_PROPOSALS + 2 * alive.leases_to_end()),
        "all proposals";
    "proposal-deadlines" "deadlines of proposals",
        |alive| Some(alive.requests() + OWN_PROPOSALS + 2 * alive.leases_to_end() + alive.recent_entries() + alive.recent_requests()),
        "all proposals, and the entries that were applied and the requests that were answered within a request timeout: a deadline stays until it is the earliest";
    "reads" "linearizable reads",
        |alive| Some(alive.requests()),
        "the same requests as for `proposals`";
    "own-reads" "leases whose end waits for ReadIndex",
        |alive| Some(alive.leases_to_end()),
        "the leases that are alive or ended within a request timeout";
    "read-attempts" "contexts of the ReadIndex in progress",
        |alive| Some(alive.limits().request_timeout / alive.limits().read_index_retry.max(1) + 2),
        "one for each `read-index-retry` in a request timeout, after which the reads are given up";
    "read-index-contexts" "ReadIndex requests that raft has not answered",
        |alive| {
            let each = alive.limits().request_timeout / alive.limits().read_index_retry.max(1) + 2;
            Some(each * (alive.moment.configured.len() as u64 + 1))
        },
        "the attempts of each member within a request timeout: the next heartbeat carries the last context, and its answers confirm all before";
    "calls-to-members" "requests to other members",
        |alive| Some(alive.requests() + hashes_awaited(alive)),
        "the same requests as for `proposals`, and one to each member for each comparison of hashes within a request timeout: that is how long a request to a member that is down waits";
    "calls-of-members" "requests of other members",
        |alive| Some(alive.requests() + alive.asked_anywhere(|_| true) + alive.moment.configured.len() as u64),
        "the requests that clients wait for anywhere, and one of each member for a hash";
    "windows-of-forwarded" "windows of the proposals that others forwarded",
        |alive| Some(alive.starts()),
        "one for each start of a process: the proposals of each start have a prefix of their own";
    "logins" "logins whose entry is not applied",
        |alive| Some(alive.asked(|one| matches!(one.request, Request::Authenticate(_)))),
        "the logins that clients wait for at this member, or gave up within two request timeouts: one for ReadIndex, one for the entry";
    "requests-ahead-of-their-login" "requests whose token is not known here yet",
        |alive| Some(alive.requests()),
        "the same requests as for `proposals`";
    "service-calls" "calls of the lock and election services",
        |alive| Some(alive.service_calls()),
        "the calls without an answer since the process was started: the member may never learn that a client has gone";
    "service-waits" "what those calls wait for",
        |alive| Some(alive.service_calls()),
        "one for each of them";
    "streamed-ranges" "streamed ranges",
        |alive| Some(alive.asked(|one| one.streamed)),
        "the ranges that clients wait for at this member, or gave up within a request timeout";
    "streams-that-want-a-leader" "streams that end without a leader",
        |alive| Some(alive.stream_count() + alive.asked(|one| one.streamed)),
        "the streams of clients";
    "work" "work outside of the steps",
        |alive| Some(alive.requests() + alive.moment.configured.len() as u64 + 2),
        "a password for each request of a client, and images: one for each member, one that came and one that is freed";
    "transfers" "transfers of leadership",
        |alive| Some(alive.asked(|one| matches!(one.request, Request::MoveLeader(_)))),
        "the transfers that operators wait for, or gave up within a request timeout";
    "hashes-asked-for" "members whose hash was asked for",
        |alive| Some(alive.moment.configured.len() as u64),
        "one for each member: the next comparison forgets the last";
    "compactions" "compactions whose clients wait for the disk",
        |alive| (alive.compactions_not_done()? == 0).then(|| alive.asked(is_physical)),
        "once no compaction has rows left to remove: the compactions that clients wait for at this member, or gave up within a request timeout. Until then each is kept, as in etcd, which waits for the rows whether the client does or not";
    "defragmentations" "defragmentations whose clients wait",
        |alive| Some(alive.asked(|one| matches!(one.request, Request::Defragment(_)))),
        "the defragmentations that clients wait for at this member, or gave up within a request timeout";
    "members-heard" "members with the time at which they were last heard from",
        |alive| Some(alive.configured()? + 1),
        "the members of the cluster, and the last leader; known once the member has applied the newest configuration";
    "progress" "members whose progress raft tracks",
        |alive| alive.configured(),
        "the members of the cluster, once the member has applied the newest configuration";
    "leases" "leases",
        |alive| Some(alive.leases()),
        "the leases that were granted and not revoked in the entries that the member has applied";
    "keys-of-leases" "keys that go with a lease",
        |alive| alive.keys_with_lease(),
        "the keys that had a lease in the last read of everything";
    "timed-leases" "leases whose time is tracked",
        |alive| Some(alive.leases()),
        "the leases that are alive";
    "expiries" "expiries of leases",
        |alive| Some(alive.leases()),
        "one for each lease that is alive";
    "checkpoints-due" "checkpoints of leases that are scheduled",
        |alive| Some(alive.leases()),
        "one for each lease that is alive";
    "revocations" "leases that are being revoked",
        |alive| Some(alive.leases_to_end()),
        "the leases that are alive or ended within a request timeout";
    "checkpoints-in-the-log" "leases with a checkpoint in the log",
        |alive| Some(alive.leases()),
        "the leases that are alive";
    "checkpoints-undone" "leases whose checkpoint is undone before they are renewed",
        |alive| Some(alive.leases()),
        "the leases that are alive";
    "renewals" "renewals that wait for a revocation or a checkpoint",
        |alive| Some(alive.asked_anywhere(|one| matches!(one.request, Request::LeaseKeepAlive(_)))),
        "the renewals that clients wait for, or gave up within two request timeouts: one for ReadIndex, one for what comes then";
    "watch-streams" "watch streams",
        |alive| Some(alive.stream_count()),
        "the streams that clients have not closed, or closed within a request timeout, and one for each call of the services; a stream that broke at the client's end counts, because nobody tells the member, and so does one that was closed while links were broken: the news may have been given up";
    "streams-to-drain" "watch streams with something to send",
        |alive| Some(alive.stream_count()),
        "the watch streams";
    "watchers" "watchers",
        |alive| Some(alive.watchers() + alive.service_calls()),
        "the watchers that were asked for on those streams, without those whose end the client has seen, and one for each call of the services";
    "watchers-in-groups" "watchers that are synced, unsynced or victims",
        |alive| Some(alive.watchers() + alive.service_calls()),
        "the watchers";
    "watched-ranges" "keys and ranges that are watched",
        |alive| Some(alive.watchers() + alive.service_calls()),
        "one for each watcher";
    "progress-timers" "timers of progress notifications",
        |alive| Some(alive.watchers_with_progress()),
        "one for each watcher that was asked for with progress, without those whose end the client has seen";
    "notices" "notices that wait for a watch stream",
        |alive| Some(alive.stream_count() * alive.limits().watch_buffer.max(1)),
        "the streams times `watch-buffer`";
    "control-responses" "answers and fragments that wait for a watch stream",
        |alive| {
            let changes = alive.rows()?.saturating_add(1);
            Some(alive.watch_requests() + alive.service_calls() + alive.stream_count() * changes)
        },
        "one for each request on those streams, and for each stream a response in as many parts as there are changes";
    "responses-in-flight" "responses under way to clients",
        |alive| Some(alive.stream_count() * alive.limits().watch_window.max(1)),
        "the streams times `watch-window`";
    "unstable-entries" "entries that raft has not handed out to be saved",
        |alive| Some(alive.recent_entries() + alive.requests() + OWN_PROPOSALS + 2 * alive.leases_to_end()),
        "the proposals, and the entries that were applied within a request timeout";
    "readies-not-durable" "readies that are being saved",
        |alive| Some(alive.recent_entries() + alive.requests() + OWN_PROPOSALS),
        "one for each of those entries";
    "positions-of-the-log" "positions up to which the log is being saved",
        |alive| Some(alive.recent_entries() + alive.requests() + OWN_PROPOSALS),
        "one for each ready that is being saved";
    "log-entries" "entries of the log in memory",
        |alive| Some(longest_log(alive) + alive.entries_not_saved()?),
        "`snapshot-count` and `catch-up-entries`, and what was applied in the last 2 s. Judged only if something was written after the cluster was healed and the process of every member runs";
    "log-entries-gone" "entries that left the log and are not freed yet",
        |alive| Some(alive.entries_not_freed(longest_log(alive))),
        "the longest log that the settings allow and the entries applied since the cluster was healed, because each entry that is appended frees two: these and the log together do not grow until all are freed. Or, if the log was longer while there were faults, the entries applied before the cluster was healed, less those applied since";
    "log-segments-not-needed" "segments of the log before the one in which the last snapshot begins"
        from |alive| Some(segments(alive.member).len() as u64),
        |alive| {
            let limits = alive.limits();
            // A crash may undo the removal of segments that the previous snapshot had made useless.
            let snapshots = if alive.member.incarnation > 1 { 2 } else { 1 };
            let behind = limits.snapshot_count.saturating_mul(snapshots) + alive.entries_not_saved()?;
            let replayed = alive.member.applied.saturating_sub(behind);
            let segments = segments(alive.member);
            Some((segments.len() - segments.partition_point(|(first, _)| *first <= replayed).saturating_sub(1)) as u64)
        },
        "those that begin at most N entries before the last applied entry, and the one before them; N is `snapshot-count` (twice that after a restart) plus what was applied in the last 2 s";
    "log-segments-not-full" "segments of the log that another one follows before they are full"
        from |alive| Some(short_segments(alive.member, alive.limits().wal_segment_bytes)),
        |_| Some(0),
        "none: a segment ends when it is `wal-segment-bytes` long";
    "snapshot-files" "files of snapshots"
        from |alive| Some(files(alive.member, "snap/", ".snap")),
        |alive| Some(SNAPSHOT_FILES + u64::from(alive.member.incarnation > 1)),
        "five, as etcd keeps; one more after a crash, which may undo a removal";
    "temporary-files" "files that are being made"
        from |alive| Some(files(alive.member, "", ".tmp")),
        |alive| Some(2 + alive.asked(|one| matches!(one.request, Request::Defragment(_)))),
        "a snapshot, a segment of the log, and a copy for each defragmentation that clients wait for";
    "snapshots-being-sent" "snapshots on their way to other members",
        |alive| {
            let others = alive.moment.configured.len().saturating_sub(1) as u64;
            let idle = alive.moment.settled && alive.moment.all_healed && alive.all_members_run();
            Some(if idle { alive.member.receipts } else { 2 * others })
        },
        "at the end of a run in which every member was healed, those that are still on their way or were lost, and whose sender does not know it yet; otherwise two for each other member";
    "snapshots-being-installed" "snapshots from a leader",
        |alive| Some(if alive.moment.settled { 0 } else { 2 }),
        "none at the end of a run, because all have applied the same; otherwise one that is accepted and one that is written";
    "tokens" "tokens",
        |alive| Some(alive.tokens()),
        "the logins since the member itself last applied an entry that turned authentication off (a snapshot of a leader changes no tokens) or deleted their user or changed its password, if their tokens had not expired at the last login (the TTL counts from when the member was well again), and one for each client with a user, whose requests extend it";
    "cached-permissions" "users with cached permissions",
        |alive| Some(alive.users()),
        "the users that were added";
    "rows" "rows of the store",
        |alive| alive.rows(),
        "the pairs at the last compaction that must be done by now, and the changes from there on";
    "keys-with-rows" "keys with rows",
        |alive| alive.keys(),
        "the keys of those rows";
    "rows-of-the-backend" "rows of the backend",
        |alive| Some(alive.rows()? + alive.leases()),
        "the rows of the store and the leases";
    "hashes-of-compactions" "hashes of compactions",
        |alive| Some(KEPT_HASHES + alive.compactions_not_done()?),
        "ten, as in etcd, and one for each compaction that is not done";
    "scrubs" "compactions whose rows are being removed",
        |alive| alive.compactions_not_done(),
        "the compactions that came, or whose member was healed or started, within the time that their batches and pauses take, plus 2 s";
    "inbox" "inputs that wait for the process"
        from |alive| Some(alive.member.inbox),
        |alive| Some(alive.requests() + 64 * (alive.moment.configured.len() as u64 + 1)),
        "the requests, and 64 messages of each member: a process that runs takes its inputs at once unless it is slow";
    "held-packets" "packets that a fault of the network holds"
        from |alive| Some(alive.moment.held_packets),
        |alive| (alive.moment.settled && alive.moment.all_healed).then_some(0),
        "none at the end of a run in which every member was healed: the end of the fault lets them go";
}

/// The longest log that the settings allow.
fn longest_log(alive: &Alive<'_, '_>) -> u64 {
    // Between two snapshots, the log is compacted once in a hundred entries.
    alive.limits().snapshot_count.saturating_add(alive.limits().catch_up_entries) + 1
}

/// How many requests for hashes may wait for other members.
fn hashes_awaited(alive: &Alive<'_, '_>) -> u64 {
    let comparisons =
        alive.limits().corrupt_check.map_or(0, |every| alive.limits().request_timeout / every.max(1) + 1);
    comparisons * (alive.moment.configured.len() as u64).saturating_sub(1)
}

/// Whether an operation is a compaction that waits for the disk.
fn is_physical(operation: &Operation) -> bool {
    matches!(&operation.request, Request::Compact(request) if request.physical)
}

/// How many files of a directory have this ending.
fn files(member: &KeptByMember, directory: &str, ending: &str) -> u64 {
    let counted = |(path, _): &&(String, u64)| path.starts_with(directory) && path.ends_with(ending);
    member.files.iter().filter(counted).count() as u64
}

/// For each segment of the log on the disk, in order, the index before which it begins, and its length. Its name is
/// `wal/NUMBER-INDEX.wal`, both in hexadecimal, as etcd's.
fn segments(member: &KeptByMember) -> Vec<(u64, u64)> {
    let segment = |(path, length): &(String, u64)| {
        let (_, index) = path.strip_prefix("wal/")?.strip_suffix(".wal")?.split_once('-')?;
        Some((u64::from_str_radix(index, 16).ok()?, *length))
    };
    member.files.iter().filter_map(segment).collect()
}

/// How many segments of the log another one follows, although they are shorter than a segment should be.
fn short_segments(member: &KeptByMember, segment_bytes: u64) -> u64 {
    let segments = segments(member);
    let followed = segments.split_last().map_or(&[][..], |(_, followed)| followed);
    followed.iter().filter(|(_, length)| *length < segment_bytes).count() as u64
}
