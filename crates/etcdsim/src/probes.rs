//! The states that a search should have reached, by name: what is counted in a run, and the list it is counted by.
//!
//! Most are told by members (`Fact::Probe`, `Fact::Failpoint`), by the monitors of the invariants
//! ([`verify::invariants::Probes`]), which know the facts, or by the programs of the clients. What only the history
//! shows is counted here.
//!
//! `docs/coverage.md` is this list; a test keeps it so. Not here: how often is enough. One seed in which a state was
//! reached shows that it can be.

use std::collections::BTreeMap;
use std::fmt::Write;

use api::Error;
use record::{Failpoint, Outcome, Record, StreamEnd};
use verify::invariants::Probes;

/// A state worth reaching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name, in kebab case; that of a failpoint with `at-` before it.
    pub name: &'static str,
    /// What has happened when it is counted.
    pub means: &'static str,
    /// Why it is worth reaching.
    pub why: &'static str,
}

/// Probes about one thing.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// What they are about.
    pub name: &'static str,
    /// The same in a sentence.
    pub about: &'static str,
    /// The probes, in the order in which they are documented.
    pub probes: &'static [Probe],
}

const fn probe(name: &'static str, means: &'static str, why: &'static str) -> Probe {
    Probe { name, means, why }
}

/// Counters of the clients' programs that are states worth reaching, too.
const WORK: &[&str] =
    &["watches-resumed", "watches-compacted", "relists", "compactors-beaten", "fenced-off", "sessions-lost"];

/// Errors whose telling is worth reaching.
const TOLD: &[(Error, &str)] = &[
    (Error::InvalidAuthToken, "told-invalid-auth-token"),
    (Error::AuthFailed, "told-authentication-failed"),
    (Error::UserEmpty, "told-user-name-is-empty"),
    (Error::NoSpace, "told-no-space"),
    (Error::Compacted, "told-compacted"),
    (Error::FutureRev, "told-future-revision"),
    (Error::LeaseNotFound, "told-lease-not-found"),
    (Error::LeaderChanged, "told-leader-changed"),
    (Error::Timeout, "told-request-timed-out"),
    (Error::TimeoutDueToLeaderFail, "told-timed-out-after-leader-failure"),
    (Error::Stopped, "told-server-stopped"),
    (Error::NotSupportedForLearner, "told-not-supported-for-learner"),
];

/// Why each failpoint is worth reaching.
const CUT_OFF_THERE: &str = "A crash there leaves what comes before it done and what comes after it undone.";

/// All probes but those of the failpoints, which [`names`] adds.
pub const AREAS: &[Area] = &[
    Area {
        name: "raft",
        about: "Elections, logs and messages of Raft.",
        probes: &[
            probe(
                "leaders-elected",
                "A member began to lead.",
                "Without elections nothing else here means much.",
            ),
            probe(
                "two-leaders-at-once",
                "A member began to lead while another, of an older term, still thought that it did.",
                "Stale reads, writes of a deposed leader, leases revoked by the wrong one.",
            ),
            probe(
                "leaders-stepped-down",
                "A leader gave up leading in its own term: it heard no quorum, or was removed.",
                "The check of the quorum is what ends a leader that nobody hears.",
            ),
            probe(
                "leaders-without-a-commit",
                "A leader ended before anything was committed under it.",
                "It may have put entries into some logs that the next leader has to replace or to take over.",
            ),
            probe(
                "leaders-without-power",
                "A leader lost power.",
                "Its own copy must not have counted before it was durable.",
            ),
            probe(
                "leaders-paused",
                "A leader was paused.",
                "It wakes up and does not know yet that there is another one.",
            ),
            probe(
                "elections-without-a-winner",
                "A candidate had to begin again.",
                "Split votes; terms grow without leaders.",
            ),
            probe(
                "pre-votes-given-up",
                "A member that thought of campaigning went back to following.",
                "Pre-vote is meant to keep such members from disturbing a leader.",
            ),
            probe(
                "votes-refused",
                "A vote was refused.",
                "Terms, earlier votes and the freshness of logs are compared.",
            ),
            probe("appends-refused", "An append was refused.", "The leader has to find where the logs part."),
            probe(
                "logs-cut",
                "An append replaced entries.",
                "What was not committed goes; what was committed must stay.",
            ),
            probe(
                "leaderships-handed-over",
                "A leader told another member to campaign at once.",
                "Transfer passes by pre-vote and by the wait for a time-out.",
            ),
            probe(
                "proposals-forwarded",
                "A follower sent a proposal on to its leader.",
                "Forwarded proposals can be lost, or arrive twice.",
            ),
            probe(
                "reads-forwarded",
                "A follower asked its leader for a read index.",
                "An answer can come after the leader was deposed.",
            ),
            probe("reads-confirmed", "A read index was confirmed.", "Linearizable reads rest on it."),
            probe(
                "peers-called",
                "A member handed a request to another one.",
                "Keep-alives and time-to-live go to the leader, and may miss it.",
            ),
            probe("commits", "The highest commit index moved.", "Without commits nothing is at stake."),
            probe(
                "committed-by-bare-quorum",
                "It moved where exactly a quorum had the entry on disk.",
                "One lie more about a disk and I5 breaks.",
            ),
            probe("promises", "A message left that promises something.", "I6 looks at each of them."),
            probe(
                "stores-compared",
                "A store was compared with another member's, or an earlier life's, at the same index.",
                "I8 has nothing to say otherwise.",
            ),
            probe("snapshots-sent", "A snapshot was sent.", "A follower was too far behind for the log."),
            probe(
                "snapshots-lost",
                "A snapshot was lost on its way.",
                "The leader must notice, and send another.",
            ),
            probe(
                "snapshots-installed",
                "A snapshot was installed.",
                "Log, store, watchers, leases, users and configuration are replaced at once.",
            ),
            probe(
                "two-members-receiving-snapshots",
                "A second member was sent a snapshot before the first had dealt with its own.",
                "The log must not be compacted under either of them.",
            ),
            probe(
                "ended-while-receiving-snapshots",
                "A process ended after a snapshot was delivered to it and before it had dealt with it.",
                "Snapshot file, log and backend are changed one after another; the end may come between.",
            ),
        ],
    },
    Area {
        name: "disk and recovery",
        about: "Writes that fail, and lives after the first.",
        probes: &[
            probe("restarts", "A process began another life.", "Everything it promised must be there."),
            probe(
                "restarts-with-shorter-log",
                "A process recovered without the end of the log that had been in memory.",
                "Only what nobody was promised may be missing.",
            ),
            probe(
                "executed-again",
                "An entry was executed anew because the store had not been durable.",
                "The outcome must be the same as the first time.",
            ),
            probe(
                "killed-while-saving",
                "A process was killed while a write of raft state was under way.",
                "The write may be there or not.",
            ),
            probe(
                "power-lost-while-saving",
                "The machine lost power while a write of raft state was under way.",
                "The write may be there in part.",
            ),
            probe(
                "killed-before-their-first-step",
                "A process was killed after it had recovered and before it had done anything.",
                "Recovery writes, too, and must bear being cut off.",
            ),
            probe(
                "log-tail-repaired",
                "A torn tail of the log was cut off.",
                "A torn tail is mended, damage in the middle is not.",
            ),
            probe(
                "recovered-from-snapshot-file",
                "A process recovered from a snapshot file that the backend did not hold yet.",
                "The end came after the snapshot was marked and before the backend took it over.",
            ),
            probe(
                "disk-jobs-failed",
                "A disk job failed.",
                "A failed sync must not be taken for a success, nor tried again.",
            ),
            probe(
                "ended-by-their-disk",
                "A process ended because its disk failed.",
                "It must not go on with what it does not have.",
            ),
            probe(
                "disks-damaged",
                "The plan took back what a disk had confirmed.",
                "The member is excused, the cluster is not.",
            ),
            probe(
                "refused-to-start",
                "A start was refused because of what is on the disk.",
                "Better no member than one that has forgotten its vote.",
            ),
            probe(
                "quorums-down",
                "The end of a process left fewer than a quorum running.",
                "Nothing may be committed then.",
            ),
            probe(
                "all-members-down",
                "The end of a process left none running.",
                "Everything must come back from the disks.",
            ),
        ],
    },
    Area {
        name: "membership",
        about: "Members that come, go, learn and change their address.",
        probes: &[
            probe(
                "configurations-changed",
                "A configuration came into force that nobody had gone by before.",
                "Quorums change.",
            ),
            probe(
                "joint-configurations",
                "A joint configuration came into force.",
                "Two quorums are needed.",
            ),
            probe(
                "joint-change-applied",
                "A change of several members at once was applied.",
                "It has to be checked as one.",
            ),
            probe(
                "leaders-elected-in-joint",
                "A leader was elected that goes by a joint configuration.",
                "It needs both halves, and has to bring the cluster out of it.",
            ),
            probe(
                "leaders-elected-while-change-pending",
                "A change was made under one leader and first applied under another.",
                "A second change may be under way at the same time.",
            ),
            probe(
                "leaders-removed-by-themselves",
                "A leader applied its own removal from the voters.",
                "It must not count itself, and has to step down.",
            ),
            probe(
                "restarts-in-joint",
                "A process began that goes by a joint configuration.",
                "The configuration must be durable with what was committed by it.",
            ),
            probe(
                "failpoints-struck-in-joint",
                "A failpoint struck while the newest configuration was joint.",
                "The way into and out of it can be cut off at every step.",
            ),
            probe(
                "failpoints-struck-on-leaders",
                "A failpoint struck a leader.",
                "What it was about to send or to apply is decided by the next one.",
            ),
            probe(
                "snapshots-installed-in-joint",
                "A snapshot was installed while the newest configuration was joint.",
                "The snapshot carries both halves.",
            ),
            probe(
                "snapshots-installed-by-learners",
                "A learner installed a snapshot.",
                "Learners begin with nothing.",
            ),
            probe("learner-added", "A learner was added.", "It must count in no quorum."),
            probe("learners-promoted", "A learner became a voter.", "It must be in step when it counts."),
            probe(
                "learner-promoted",
                "A member applied the promotion of a learner.",
                "Store and configuration must agree about it.",
            ),
            probe("voters-removed", "A voter left.", "Quorums shrink."),
            probe("member-removed", "A member applied a removal.", "Its id must never come back."),
            probe(
                "removed-members-stopped",
                "A process ended because its member had been removed.",
                "One that goes on disturbs the others, or answers clients.",
            ),
            probe(
                "members-joined",
                "A member started for the first time after somebody had led.",
                "It has no log, no snapshot and no configuration.",
            ),
            probe(
                "members-joined-without-leader",
                "It did so while nobody led.",
                "It must wait, and not vote by itself.",
            ),
            probe(
                "change-refused-unhealthy",
                "A change was refused because too few voters are connected or started.",
                "Strict reconfiguration keeps operators from losing the quorum.",
            ),
            probe(
                "change-refused-at-apply",
                "A change was refused when it was applied, because of a change in between.",
                "All members must refuse it.",
            ),
            probe(
                "promotion-refused-not-ready",
                "A promotion was refused because the learner lags.",
                "A voter that lags stops the cluster.",
            ),
        ],
    },
    Area {
        name: "watches",
        about: "Watchers that lag, are cut off, or are asked where they are.",
        probes: &[
            probe(
                "watch-victim",
                "A response did not fit into its stream's buffer: the watcher became a victim.",
                "etcd's own watch bugs lived there.",
            ),
            probe(
                "watch-victim-still-lags",
                "A victim was served, and more had happened meanwhile.",
                "It has to go on as one that lags, without a gap.",
            ),
            probe(
                "watch-victim-at-snapshot",
                "A snapshot was installed while there were victims.",
                "What they wait for is of a store that is gone.",
            ),
            probe(
                "watch-unsynced-at-snapshot",
                "A snapshot was installed while watchers lagged behind.",
                "They may need revisions that the new store has compacted.",
            ),
            probe(
                "watch-future-at-snapshot",
                "A snapshot was installed while watchers waited for a revision to come.",
                "The snapshot may pass by it.",
            ),
            probe(
                "watch-future-reached",
                "The revision came for which a watcher had waited.",
                "The first event must be of exactly that one.",
            ),
            probe(
                "watch-several-batches",
                "A watcher that lagged needed several batches.",
                "Other changes come between two of them.",
            ),
            probe(
                "watch-several-passes",
                "More watchers lagged than one pass serves.",
                "Nobody may be left out.",
            ),
            probe(
                "watch-cancelled-by-compaction",
                "A watcher was cancelled because what it needs was compacted.",
                "It must be told, and must be told the revision.",
            ),
            probe(
                "watch-compaction-cancel-delayed",
                "There was no room on the stream to say so.",
                "It must be said later.",
            ),
            probe("watch-fragmented", "A response was split.", "The parts belong together."),
            probe(
                "watch-prev-kv-compacted",
                "The pair before a change had been compacted.",
                "The event comes without it, and nothing else changes.",
            ),
            probe(
                "watch-dropped-after-cancel",
                "What had been waiting for a watcher was dropped as it was cancelled.",
                "Nothing may come after the cancellation.",
            ),
            probe(
                "watch-progress-held-back",
                "A progress request was not answered at once, because a watcher lags.",
                "An answer would pass by events that are still to come.",
            ),
            probe(
                "watch-progress-before-start",
                "Progress was asked of a watcher whose first revision is still to come.",
                "There is nothing to promise yet.",
            ),
            probe(
                "watch-progress-periodic",
                "A watcher was told of progress because nothing had happened for long.",
                "The revision told becomes the client's bookmark.",
            ),
            probe(
                "watch-streams-broken",
                "A stream broke for its client.",
                "The client goes on elsewhere, from what it has seen.",
            ),
            probe(
                "watches-resumed",
                "A client went on with a watcher on another stream.",
                "Nothing may be missed or come twice.",
            ),
            probe(
                "watches-compacted",
                "A client learnt that its watcher needs revisions that were compacted.",
                "It has to list anew.",
            ),
            probe(
                "relists",
                "A client listed anew to mend its copy.",
                "Between list and watch nothing may be missed.",
            ),
        ],
    },
    Area {
        name: "leases",
        about: "Time that runs out, on clocks that do not agree.",
        probes: &[
            probe(
                "lease-expired",
                "A lessor found a lease whose time is over.",
                "It must confirm that it leads before it revokes it.",
            ),
            probe(
                "leases-due",
                "A member asked the cluster to end a lease whose time was over.",
                "L1 and L2 judge when.",
            ),
            probe(
                "leases-due-while-an-old-lessor-is-paused",
                "It did so while another member that thought it looked after leases was paused.",
                "The old one wakes up with old times, and must not act by them.",
            ),
            probe(
                "lessors-paused",
                "A member was paused while it looked after leases.",
                "Time goes on without it.",
            ),
            probe(
                "lessors-changed",
                "Another member than the last began to look after leases.",
                "It extends them: it does not know when they were renewed.",
            ),
            probe(
                "two-lessors-at-once",
                "A member began to look after leases while another thought that it did.",
                "Only one of them can confirm that it leads.",
            ),
            probe(
                "leader-lost-while-revoking-leases",
                "A lessor ceased to lead while revocations were under way.",
                "They may be applied, or never.",
            ),
            probe(
                "lease-extended-by-new-leader",
                "A new leader extended a lease.",
                "No lease may end early because the leader changed.",
            ),
            probe(
                "lease-continued-from-checkpoint",
                "A new leader went on from a checkpoint.",
                "Without checkpoints a long lease begins anew with each leader.",
            ),
            probe(
                "lease-checkpoint-taken",
                "A checkpoint of the time left was proposed.",
                "It must not shorten a lease.",
            ),
            probe(
                "lease-checkpoint-undone",
                "A renewal undid a checkpoint.",
                "Else the next leader would go on from an old one.",
            ),
            probe(
                "lease-renewed-late",
                "A lease was renewed after its time, before it was revoked.",
                "Renewal and revocation race.",
            ),
            probe(
                "expired-lease-renewed",
                "A keep-alive came for a lease that is being revoked.",
                "Whoever asks must wait for the outcome.",
            ),
            probe(
                "expired-lease-offered-again",
                "A revocation that did not come about was tried again.",
                "A lease must not stay for ever because one proposal was lost.",
            ),
            probe(
                "lease-revocations-wait-for-others",
                "Revocations waited because enough were under way.",
                "etcd bounds them.",
            ),
        ],
    },
    Area {
        name: "compaction and defragmentation",
        about: "History that goes, and files that are rewritten.",
        probes: &[
            probe(
                "compaction-interrupted",
                "A process began and found a compaction that had not been finished.",
                "It must be resumed, or hashes differ for good.",
            ),
            probe(
                "compaction-in-several-batches",
                "A compaction needed several batches.",
                "Requests come between two of them.",
            ),
            probe(
                "auto-compaction",
                "A leader compacted by itself.",
                "The revision to keep is remembered from earlier.",
            ),
            probe(
                "auto-compaction-left-to-the-leader",
                "A member that does not lead left it to the one that does.",
                "It keeps its memory for when it leads.",
            ),
            probe("auto-compaction-failed", "An automatic compaction failed.", "It has to be tried again."),
            probe(
                "compactions-of-their-own",
                "A member asked the cluster to compact.",
                "Clients did not ask, and watchers are behind.",
            ),
            probe(
                "compactors-beaten",
                "Of two compactors of clients one came too late.",
                "Exactly one may move the revision on.",
            ),
            probe(
                "backend-defragmented",
                "A backend was copied and replaced by its copy.",
                "What is committed meanwhile must not be lost.",
            ),
            probe(
                "snapshot-during-defragmentation",
                "A snapshot was installed while a defragmentation was under way.",
                "The copy must not replace the snapshot's file.",
            ),
        ],
    },
    Area {
        name: "users and roles",
        about: "Who may do what, and until when.",
        probes: &[
            probe("auth-enabled", "Auth was enabled.", "From then on every request needs a token."),
            probe(
                "permission-denied",
                "A request was refused for want of permission.",
                "The refusal is decided where it is applied, by the same rows on all members.",
            ),
            probe(
                "auth-old-revision",
                "A request was refused because users or roles had changed after it was admitted.",
                "Rights are checked twice, and may change between.",
            ),
            probe(
                "auth-token-expired",
                "A token's time was over.",
                "Tokens live in each member's memory, by its own clock.",
            ),
            probe(
                "auth-changed-by-snapshot",
                "A snapshot replaced users or roles.",
                "Caches of rights must go with them.",
            ),
            probe(
                "told-invalid-auth-token",
                "A client was told that its token is no good.",
                "It has to log in again, here and perhaps elsewhere.",
            ),
            probe("told-authentication-failed", "A login failed.", "Passwords change while clients work."),
            probe(
                "told-user-name-is-empty",
                "A client without a token was refused.",
                "Auth may be on here and not yet there.",
            ),
        ],
    },
    Area {
        name: "locks and elections",
        about: "Waiting for somebody else's lease.",
        probes: &[
            probe(
                "lock-waited",
                "A lock was given to one that had waited.",
                "Whoever is first in the queue must have gone first.",
            ),
            probe(
                "waiter-gone",
                "A client that waits for a lock or an election broke off.",
                "Its place in the queue must not block it.",
            ),
            probe(
                "lock-session-expired-while-waiting",
                "The lease of one that waits for a lock ended.",
                "It must not be given the lock.",
            ),
            probe("campaign-waited", "An election was won by one that had waited.", "As with a lock."),
            probe(
                "campaign-again-with-another-value",
                "Somebody campaigned again with another value.",
                "The value changes, the place in the queue does not.",
            ),
            probe(
                "steps-for-locks-and-elections",
                "A member asked for a step on behalf of the lock and election services.",
                "They are made of ordinary requests, which can fail one by one.",
            ),
            probe(
                "fenced-off",
                "A write was refused because the lock it rests on had been lost.",
                "That is what fencing tokens are for.",
            ),
            probe(
                "sessions-lost",
                "A client learnt that the lease of its lock or leadership was gone.",
                "It may have acted on it meanwhile.",
            ),
        ],
    },
    Area {
        name: "quota and alarms",
        about: "Space that runs out.",
        probes: &[
            probe(
                "alarm-raised",
                "An alarm was raised.",
                "Writes are refused from then on, on all members at the same entry.",
            ),
            probe("alarm-disarmed", "An alarm was disarmed.", "Writes are taken again."),
            probe(
                "told-no-space",
                "A client was refused for want of space.",
                "Reads, deletions and compactions must still work.",
            ),
        ],
    },
    Area {
        name: "answers",
        about: "What clients were told.",
        probes: &[
            probe(
                "told-nothing",
                "A client gave up without an answer.",
                "The operation stays open to the end of the history.",
            ),
            probe(
                "told-compacted",
                "A client was told that a revision is compacted.",
                "A wrong one is a violation (K3).",
            ),
            probe("told-future-revision", "A client was told that a revision is yet to come.", "The same."),
            probe(
                "told-lease-not-found",
                "A client was told that there is no such lease.",
                "It may have ended a moment ago.",
            ),
            probe(
                "told-leader-changed",
                "A read was refused because the leader changed.",
                "Its read index was void.",
            ),
            probe(
                "told-request-timed-out",
                "A request took too long inside the server.",
                "It may still take effect.",
            ),
            probe(
                "told-timed-out-after-leader-failure",
                "The same, and the leader was lost meanwhile.",
                "The text differs, the outcome is as open.",
            ),
            probe(
                "told-server-stopped",
                "A client asked a member that stops.",
                "What was proposed may still be applied.",
            ),
            probe(
                "told-not-supported-for-learner",
                "A learner refused a request.",
                "Learners lag, and must not answer.",
            ),
        ],
    },
];

/// States that members tell of and that a search at the swarm's price does not reach: tests of their own do.
pub const BEYOND: Area = Area {
    name: "beyond the swarm",
    about: "Told by members, and reached by tests of their own: a seed that came here would be too dear, or needs clients that the simulator does not have. `--require-coverage` does not ask for them.",
    probes: &[
        probe(
            "more-leases-due-than-one-scan-takes",
            "More than 500 leases were due at once.",
            "The others are due at the next scan.",
        ),
        probe(
            "first-start-begun-again",
            "A first start that a crash had cut off within its first write was begun again.",
            "What it left behind promised nothing.",
        ),
    ],
};

/// The name of a failpoint's probe.
fn at(point: Failpoint) -> String {
    format!("at-{point}")
}

/// The names of all, in the order of the documentation.
pub fn names() -> Vec<String> {
    let listed = AREAS.iter().flat_map(|area| area.probes).map(|probe| probe.name.to_string());
    listed.chain(Failpoint::ALL.iter().map(|point| at(*point))).collect()
}

/// Adds what a run's record and its monitors show to what its members told.
pub fn count(record: &mut Record, monitors: &Probes) {
    let mut counts = std::mem::take(&mut record.stats.probes);
    let mut add = |name: &str, times: u64| {
        if times > 0 {
            *counts.entry(name.to_string()).or_default() += times;
        }
    };
    monitors.named().for_each(|(name, times)| add(&name, times));
    for name in WORK {
        add(name, record.stats.work.get(*name).copied().unwrap_or_default());
    }
    let mut told: BTreeMap<&str, u64> = BTreeMap::new();
    for operation in &record.history.operations {
        let name = match operation.outcome {
            Outcome::Answer { .. } => None,
            Outcome::Unknown { .. } => Some("told-nothing"),
            Outcome::Error { error, .. } => {
                TOLD.iter().find(|(known, _)| *known == error).map(|(_, name)| *name)
            }
        };
        if let Some(name) = name {
            *told.entry(name).or_default() += 1;
        }
    }
    told.into_iter().for_each(|(name, times)| add(name, times));
    let broken = |end: &Option<_>| matches!(end, Some((_, StreamEnd::Broken)));
    let streams = record.history.watches.iter().filter(|stream| broken(&stream.ended)).count();
    add("watch-streams-broken", streams as u64);
    record.stats.probes = counts;
}

/// `docs/coverage.md`.
pub fn document() -> String {
    let mut text = HEAD.replace("COUNT", &names().len().to_string());
    let mut table = |name: &str, about: &str, rows: &mut dyn Iterator<Item = (String, &str, &str)>| {
        let mut heading = name.to_string();
        heading[..1].make_ascii_uppercase();
        write!(
            text,
            "\n## {heading}\n\n{about}\n\n| probe | what happened | why it is worth reaching |\n|---|---|---|\n"
        )?;
        for (name, means, why) in rows {
            writeln!(text, "| `{name}` | {means} | {why} |")?;
        }
        std::fmt::Result::Ok(())
    };
    let tables = AREAS.iter().chain([&BEYOND]).try_for_each(|area| {
        let mut rows = area.probes.iter().map(|probe| (probe.name.to_string(), probe.means, probe.why));
        table(area.name, area.about, &mut rows)
    });
    let mut points = Failpoint::ALL.iter().map(|point| (at(*point), point.about(), CUT_OFF_THERE));
    tables.and_then(|()| table("failpoints", FAILPOINTS, &mut points)).expect("a String takes everything");
    text
}

const FAILPOINTS: &str = "A member crashed, lost power or was paused at the point. The names are etcd's own.";

const HEAD: &str = "\
# Coverage

A search that finds nothing says little unless it has been where bugs live. The COUNT states below are counted in every
run (`stats.probes` of a record). `etcdsim run --coverage` shows at its end how often each was reached, and in how many
seeds; `--require-coverage` ends with 1 if one was never reached. In JSON every scenario has `probes`.

```sh
cargo run --release -- run scenarios/swarm.toml --seeds 5000 --require-coverage
```

is the check: none is zero. A state that a change makes unreachable shows there.

This page is made from `crates/etcdsim/src/probes.rs` (`UPDATE_DOCS=1 cargo test -p etcdsim --lib probes`).
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_probe_has_one_name_and_a_meaning() {
        let names = names();
        let different: BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        let kebab = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        for probe in AREAS.iter().chain([&BEYOND]).flat_map(|area| area.probes) {
            assert!(kebab(probe.name), "{probe:?}");
            assert!(probe.means.ends_with('.') && probe.why.ends_with('.'), "{probe:?}");
        }
    }

    #[test]
    fn what_is_counted_is_listed() {
        let names = names();
        let counts = Probes::default();
        let counted = counts.named().map(|(name, _)| name);
        let told = WORK.iter().copied().chain(TOLD.iter().map(|(_, name)| *name)).map(String::from);
        let missing: Vec<String> = counted.chain(told).filter(|name| !names.contains(name)).collect();
        assert_eq!(missing, Vec::<String>::new(), "these are counted, and not in the list");
    }

    #[test]
    fn the_page_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/coverage.md");
        let made = document();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            page == made,
            "docs/coverage.md is out of date: UPDATE_DOCS=1 cargo test -p etcdsim --lib probes"
        );
    }
}
