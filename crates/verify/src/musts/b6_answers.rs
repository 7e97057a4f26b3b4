//! B6: every request that a member takes is answered, once, in time, and not with "not now" while nothing is broken.
//!
//! The world shows which requests a member takes and which it answers (`requests`). So it does not matter whether the
//! client still waits, or how long its packets are under way. There are four rules.
//!
//! **Once.** A process answers each request at most once.
//!
//! **In peace.** Derivation: A write goes to the leader (2 d and l, as in B7), leaves it beside its next ready's save
//! (d, l), waits for the followers' save under way and their own (2 d), is acknowledged (l), committed at the leader's
//! next ready (d), announced (l) and applied at the member's next ready (d): 4 l + 7 d. A linearizable read waits for the
//! ReadIndex under way and its own (B7): twice 4 l + 7 d. What takes both (such as the renewal of a lease, which the
//! leader confirms by a ReadIndex, and whose checkpoint may have to be written) takes the sum and a way to the leader and
//! back, 14 l + 21 d, plus a tick, because what a full window of appends left behind goes on with the next heartbeat's
//! answer. A narrow window (`max-inflight-messages`) sends a queue of at most as many entries as there are requests under
//! way in several round trips: each takes 2 l + 2 d. A keep-alive of a lease that has expired waits until the lease is
//! revoked (etcd, `Renew` of the lessor). The primary lessor looks for expired leases every 500 ms, confirms that it leads
//! (B7: 4 l + 7 d) and proposes the revocation (4 l + 7 d): with two such intervals, one second and 8 l + 14 d more.
//!
//! Premises: links between members lose nothing; the member serves (`cluster`): it is well, has caught up and is in the
//! base of a steady cluster, from when it takes the request until the answer is due, and for `read-index-retry` before: a
//! ReadIndex that a new leader dropped is asked again only then, and the next one waits for it. Not judged, because they
//! may take long by their nature: locks and elections, physical compactions, defragmentations, transfers of leadership
//! (B2), changes of the membership, requests with a forged token.
//!
//! A member that begins to serve later asks again for the ReadIndex of its reads (`read-index-retry`), and asks the leader
//! again for what only a leader knows, such as the renewal of a lease (within 0.5 s, our choice). Then the bound begins.
//! Writes are not proposed again.
//!
//! **In the end.** Whatever happens to the others, a member gives a request up after a request timeout by its own clock
//! (etcd, `ReqTimeout`), and says so. Some requests wait several times: a login for ReadIndex and for its entry, and again
//! for each change of users meanwhile; a keep-alive for the leader, or on a leader for ReadIndex and for the lease's
//! revocation or its checkpoint, and again each time that the member begins to lead or to lead no more; a request with a token also for the entry that issued it.
//! A physical compaction then waits until its rows are removed in batches and a commit says so, a defragmentation for
//! three commits. How long those take depends on the disk and on what there is to write; 5 s and 20 d are our choice.
//! Locks and campaigns wait for ever.
//!
//! Premises: the process runs and is not paused, and no fault is active on it, its disk or its clock.
//!
//! **At once.** A serializable read, and what a member says of itself, is answered in the step that takes it: nobody else
//! is asked, so it does not matter whether there is a leader. The premises are those of "in the end", and that the request
//! has no token, for whose entry it might wait.
//!
//! **Not now.** While the member serves, it has a leader and what it needs; so an error that says otherwise is wrong.
//! Until raft knows a leader, it takes no proposal (etcd's raft blocks `Propose`). So a write that it gives up then
//! ended with its context, and no proposal of it is late.
//! "Too many requests" is right if the member has more committed entries to apply than `max-apply-gap` (etcd,
//! `maxGapBetweenApplyAndCommitIndex`); judged while the member serves. A new member is refused as "unhealthy" or for "not enough started members" if
//! without it fewer voters than a quorum of the new size have said their names, or have been connected for 5 s
//! (`HealthInterval`; `mayAddMember` in `server.go`). The names of the cluster's first members are known from the beginning;
//! another has said its name once it has been well for a request timeout and 2 e while the member serves. A voter is
//! connected if for 5.1 s its process and the member's own have run and have not been paused, and no fault was active on
//! them, their disks, their clocks or their links. It is not if either process did not run all of the last 5 s. Additions are judged with
//! `strict-reconfig-check`. Not judged: removals and promotions, requests with a token.

use api::etcdserverpb::RangeRequest;
use api::{Error, Part, Request, Response};
use record::{MemberId, Nanos, Operation, Outcome, Record, Served};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::requests::{Requests, Taken};
use super::setup::{Set, Setup};
use super::speed::{Speed, Worst};
use crate::describe::time;
use crate::k1::place::is_write;
use crate::locks::is_service;
use crate::model::{is_read_only, is_serializable};
use crate::{Oracle, Sheet, Violation};

/// The most violations reported per run; as a rule, the others have the same cause.
const MOST: usize = 3;

/// Two of the intervals at which the lessor looks for expired leases.
pub(super) const SCANS: Nanos = 1_000_000_000;

/// What a deadline may be late: our choice. A member is woken at its deadlines.
const LATE: Nanos = 500_000_000;

/// How long the commits may take that a compaction or a defragmentation waits for, besides so many saves: our choice.
const STORE: Nanos = 5_000_000_000;
const SAVES: Nanos = 20;

/// When a member repeats what it asks the leader for, at the latest: our choice (etcd repeats a renewal after 50 ms).
const CALLED_AGAIN: Nanos = 500_000_000;

/// What is well while a member serves.
const ALL_WELL: &str = "The member, a leader with a quorum and all links between them were well all the time";

/// How long a member must have been connected to count as healthy (etcd, `HealthInterval`).
const HEALTHY: Nanos = 5_000_000_000;
/// How much longer it is connected when it is counted as healthy here: our choice.
const MARGIN: Nanos = 100_000_000;

/// How long the revocation of an expired lease takes.
pub(super) fn revocation(setup: &Setup, worst: Worst) -> Nanos {
    setup.longest_of(SCANS) + 8 * worst.peers + 14 * worst.saves
}

/// What is known of a run.
#[derive(Clone, Copy)]
struct Known<'a> {
    record: &'a Record,
    /// How many windows of appends hold one request of each client.
    rounds: u64,
    setup: &'a Setup,
    cluster: &'a Cluster,
    speed: &'a Speed,
}

/// How a request was not served as it must be.
enum Broken {
    /// It was not answered by this time. The text says what was well.
    Late(Nanos, &'static str),
    /// It was refused or taken, although that cannot be right; a sentence.
    Wrong(String),
}

/// Judges all operations of a run.
///
/// `rounds` is how many windows of appends hold one request of each client.
pub(super) fn judge(
    record: &Record,
    requests: &Requests,
    rounds: u64,
    (setup, cluster, speed): (&Setup, &Cluster, &Speed),
    tally: &mut Tally,
    sheet: &mut Sheet,
) {
    let known = Known { record, rounds, setup, cluster, speed };
    let mut reported = 0;
    for (number, operation) in record.history.operations.iter().enumerate() {
        let Some(taken) = requests.get(number) else { continue };
        match known.look(operation, taken) {
            Ok(None) => tally.judged(),
            Ok(Some(broken)) => {
                tally.judged();
                reported += 1;
                if reported <= MOST {
                    sheet.add(violation(number, operation, taken, broken));
                }
            }
            Err(premise) => tally.skipped(premise),
        }
    }
}

impl Known<'_> {
    /// Looks at an operation.
    fn look(self, operation: &Operation, taken: Taken) -> Result<Option<Broken>, Premise> {
        // What a service does for a client that has gone ends without an answer.
        let taken = match taken.cancelled {
            Some(at) if is_service(&operation.request) => {
                Taken { over: Some(taken.over.map_or(at, |over| over.min(at))), ..taken }
            }
            _ => taken,
        };
        if let Some(wrong) = self.refusal(operation, taken) {
            return Ok(Some(Broken::Wrong(wrong)));
        }
        if is_at_once(operation) {
            return self.at_once(taken);
        }
        let soon =
            self.in_peace(operation, taken).or_else(|premise| self.in_later_peace(operation, taken, premise));
        soon.or_else(|premise| self.in_the_end(operation, taken).or(Err(premise)))
    }

    /// Until when a request is watched, if something holds until `until`: until it is over for its member. Returns
    /// whether it was over by then.
    fn watched(self, taken: Taken, until: Nanos) -> (bool, Nanos) {
        match taken.over {
            Some(over) if over <= until => (true, over),
            _ => (false, until.min(self.record.stats.virtual_ns)),
        }
    }

    /// A read that needs nobody else is answered in the step that takes it.
    fn at_once(self, taken: Taken) -> Result<Option<Broken>, Premise> {
        let until = self.cluster.free_until(taken.member, taken.at).ok_or(Premise::Health)?;
        let (over, end) = self.watched(taken, until);
        match end > taken.at {
            true => Ok(Some(Broken::Late(taken.at, "The member ran and needed nobody else"))),
            false if over => Ok(None),
            false => Err(Premise::Health),
        }
    }

    /// While the member serves, it answers within a few round trips and saves.
    fn in_peace(self, operation: &Operation, taken: Taken) -> Result<Option<Broken>, Premise> {
        let Known { setup, cluster, .. } = self;
        // A member waits for the entry that a token names before it calls the token unknown. A forged token may name
        // any entry.
        if operation.is_forged() || takes_long(&operation.request) {
            return Err(Premise::Nature);
        }
        if !setup.peers_keep {
            return Err(Premise::Links);
        }
        let before = taken.at.saturating_sub(setup.longest_of(setup.read_index_retry));
        let until = cluster.served_until(taken.member, before, taken.at).ok_or(Premise::Health)?;
        let until = until.min(taken.at + setup.longest_of(setup.request_timeout));
        let (over, end) = self.watched(taken, until);
        if over
            && let Outcome::Error { error, .. } = operation.outcome
            && says_not_now(error)
            // Whether it can do this depends on its version.
            && !matches!(operation.request, Request::Downgrade(_))
        {
            return Ok(Some(Broken::Wrong(format!(
                "It said \"{error}\", but it, a leader with a quorum and all links between them were well all the time."
            ))));
        }
        let bound = self.soon(operation, taken.at, end);
        match end - taken.at {
            took if took > bound => Ok(Some(Broken::Late(taken.at + bound, ALL_WELL))),
            _ if over => Ok(None),
            _ if end == self.record.stats.virtual_ns => Err(Premise::Patience),
            _ => Err(Premise::Health),
        }
    }

    /// What a member asks others again and again until its patience ends is answered soon after it has begun to serve.
    /// `premise` is why the request was not judged by [`Known::in_peace`].
    fn in_later_peace(
        self,
        operation: &Operation,
        taken: Taken,
        premise: Premise,
    ) -> Result<Option<Broken>, Premise> {
        if premise != Premise::Health || !is_asked_again(&operation.request) {
            return Err(premise);
        }
        let again = self.setup.longest_of(self.setup.read_index_retry + CALLED_AGAIN);
        for (since, until) in self.cluster.served_after(taken.member, taken.at.saturating_sub(again)) {
            let from = taken.at.max(since + again);
            let (_, end) =
                self.watched(taken, until.min(from + self.setup.longest_of(self.setup.request_timeout)));
            let bound = self.soon(operation, from, end);
            if end.saturating_sub(from) > bound {
                return Ok(Some(Broken::Late(from + bound, ALL_WELL)));
            }
        }
        Err(premise)
    }

    /// How long a request may take while its member serves, in this time.
    fn soon(self, operation: &Operation, from: Nanos, to: Nanos) -> Nanos {
        let Known { setup, speed, rounds, .. } = self;
        let worst = speed.worst(from, to);
        let once = (14 + 2 * rounds) * worst.peers + (21 + 2 * rounds) * worst.saves + setup.longest(1);
        match operation.request {
            Request::LeaseKeepAlive(_) => once + revocation(setup, worst),
            // A login begins anew when users change.
            Request::Authenticate(_) => once * (1 + self.changes_of_users(from, to)),
            _ => once,
        }
    }

    /// Whatever happens to the cluster, a member that runs freely answers when its patience ends.
    fn in_the_end(self, operation: &Operation, taken: Taken) -> Result<Option<Broken>, Premise> {
        let until = self.cluster.free_until(taken.member, taken.at).ok_or(Premise::Health)?;
        let (over, end) = self.watched(taken, until);
        let bound = self.patience(operation, taken, end).ok_or(Premise::Nature)?;
        match end - taken.at {
            took if took > bound => {
                Ok(Some(Broken::Late(taken.at + bound, "The member ran freely all the time")))
            }
            _ if over => Ok(None),
            _ => Err(Premise::Health),
        }
    }

    /// How long a member waits before it gives a request up; `None` for ever.
    fn patience(self, operation: &Operation, taken: Taken, end: Nanos) -> Option<Nanos> {
        let Known { setup, cluster, .. } = self;
        let leads = || cluster.changes_of_lead(taken.member, taken.at, end);
        let commits = || STORE + SAVES * self.speed.worst(taken.at, end).saves;
        let (waits, extra) = match &operation.request {
            Request::Lock(_) | Request::Campaign(_) => return None,
            // The grant of a lease, if the client has none, and the transaction.
            Request::Proclaim(_) | Request::Resign(_) => (2, 0),
            // ReadIndex and the entry, once more if users change meanwhile.
            Request::Authenticate(_) => (2 + 2 * self.changes_of_users(taken.at, end), 0),
            Request::Downgrade(_) => (2, 0),
            // A leader: ReadIndex, and the revocation of an expired lease or its checkpoint. Another member asks the
            // leader.
            Request::LeaseKeepAlive(_) if cluster.led(taken.member, taken.at) => (2 + 2 * leads(), 0),
            Request::LeaseKeepAlive(_) => (1 + 2 * leads(), 0),
            Request::LeaseTimeToLive(_) => (1 + leads(), 0),
            Request::MemberPromote(_) => (2 + leads(), 0),
            Request::Compact(compact) if compact.physical => (1, self.scrub() + commits()),
            Request::Defragment(_) => (0, commits()),
            _ => (1, 0),
        };
        // Each request with a token may first wait for the entry that issued it.
        let waits = match operation.user {
            None => waits,
            // The entry that a forged token names has not issued it.
            Some(_) if operation.is_forged() => 1,
            Some(_) if is_service(&operation.request) => 2 * waits + 1,
            Some(_) => waits + 1,
        };
        Some(setup.longest_of(waits * setup.request_timeout) + extra + LATE)
    }

    /// How many changes of users and roles may have been applied in this time.
    fn changes_of_users(self, from: Nanos, to: Nanos) -> u64 {
        let changes = |one: &&Operation| {
            is_about_users(&one.request) && one.call <= to && one.returned().is_none_or(|at| at >= from)
        };
        self.record.history.operations.iter().filter(changes).count() as u64
    }

    /// How long a member may take to remove the rows of a compaction: at most two rows for each put, in batches.
    fn scrub(self) -> Nanos {
        let (batch, pause) = self.setup.scrub;
        let operations = &self.record.history.operations;
        let puts =
            |request: &Request| request.parts().filter(|part| matches!(part, Part::Put(_))).count() as u64;
        let of_entry = |entry: &record::Applied| match (entry.operation, &entry.internal) {
            (Some(number), _) => operations.get(number as usize).map_or(0, |one| puts(&one.request)),
            (None, Some(internal)) => puts(internal),
            (None, None) => 0,
        };
        let rows = 2 * self.record.applied.iter().map(of_entry).sum::<u64>();
        self.setup.longest_of((rows / batch.max(1) + 2) * pause)
    }

    /// Why it was wrong to refuse a request, or to carry it out, as "not now".
    fn refusal(self, operation: &Operation, taken: Taken) -> Option<String> {
        if let Outcome::Error { error: error @ Error::ProposalDropped, .. } = operation.outcome {
            let over = taken.over?;
            let leaderless = self.cluster.was_leaderless(taken.member, taken.at, over);
            return leaderless.then(|| {
                format!("It said \"{error}\", but it knew no leader all the time: until it knows one, it keeps proposals.")
            });
        }
        // The member decides in the step that takes the request, unless it waits for a token.
        if operation.user.is_some() {
            return None;
        }
        if let Outcome::Error { error, .. } = operation.outcome
            && says_proposal_is_late(error)
            && is_write(&operation.request)
        {
            let leaderless = self.cluster.was_leaderless(taken.member, taken.at, taken.over?);
            return leaderless.then(|| {
                format!(
                    "It said \"{error}\", but it knew no leader all the time, so it had proposed nothing that could be late; \
                     it must say \"{}\".",
                    Error::ContextDeadlineExceeded
                )
            });
        }
        let at_once = taken.over == Some(taken.at);
        match (&operation.request, &operation.outcome) {
            (_, Outcome::Error { error: Error::TooManyRequests, .. }) => {
                // What raft has committed becomes a fact only when no save holds it up.
                let before = taken.at.saturating_sub(self.setup.longest_of(self.setup.read_index_retry));
                let serves = self.cluster.served_until(taken.member, before, taken.at).is_some();
                (at_once && serves && taken.gap <= self.setup.max_apply_gap).then(|| {
                    format!(
                        "It said \"{}\", but only {} committed entries were not applied, and up to {} may wait.",
                        Error::TooManyRequests,
                        taken.gap,
                        self.setup.max_apply_gap
                    )
                })
            }
            (
                Request::MemberAdd(add),
                Outcome::Error { error: error @ Error::NotEnoughStartedMembers, .. },
            ) if at_once => {
                let (voters, started) = self.least_started(taken)?;
                let enough = add.is_learner || started >= quorum_with(voters) || (voters, started) == (1, 1);
                enough.then(|| format!("It said \"{error}\", but of {voters} voters {started} had started."))
            }
            (Request::MemberAdd(_), Outcome::Error { error: error @ Error::Unhealthy, .. }) if at_once => {
                let (voters, connected) = self.least_connected(taken)?;
                let enough = voters == 1 || connected >= quorum_with(voters);
                enough.then(|| {
                    let long = time(HEALTHY + MARGIN);
                    format!("It said \"{error}\", but of {voters} voters {connected} had been connected for {long}.")
                })
            }
            (Request::MemberAdd(_), Outcome::Answer { response: Response::MemberAdd(_), .. }) => {
                let (voters, most) = self.most_connected(taken)?;
                (self.setup.strict_reconfig && voters > 1 && most < quorum_with(voters)).then(|| {
                    format!(
                        "It took it, but of {voters} voters at most {most} can have been connected for {}, and with the \
                         new one the quorum is {}.",
                        time(HEALTHY),
                        quorum_with(voters)
                    )
                })
            }
            _ => None,
        }
    }

    /// The voters that a member knows when it takes a request; `None` if they are changing.
    fn voters(self, taken: Taken) -> Option<Set> {
        let known = self.cluster.configuration_at(taken.member, taken.at)?;
        known.outgoing.is_empty().then_some(known.voters)
    }

    /// How many voters the member knows, and how many of them have started at least: the first members of the cluster,
    /// whose names are known from the beginning, and those that have been well and said their names meanwhile. A member
    /// says its name when it has a leader, and again after a request timeout.
    fn least_started(self, taken: Taken) -> Option<(u32, u32)> {
        let Known { setup, cluster, .. } = self;
        let voters = self.voters(taken)?;
        let since = taken.at.saturating_sub(setup.longest_of(setup.request_timeout) + setup.grace());
        let told = cluster.served_until(taken.member, since, taken.at).is_some();
        let named = |voter: &MemberId| {
            voter.raft_id() <= u64::from(setup.first_members)
                || told && cluster.was_well(*voter, since, taken.at)
        };
        Some((voters.len(), voters.members().filter(named).count() as u32))
    }

    /// How many voters the member knows, and how many of them have been connected to it for long enough at least.
    fn least_connected(self, taken: Taken) -> Option<(u32, u32)> {
        let voters = self.voters(taken)?;
        let since = taken.at.checked_sub(HEALTHY + MARGIN)?;
        let cluster = self.cluster;
        let linked = |member: MemberId| {
            cluster.was_linked(member, since, taken.at) && cluster.was_free(member, since, taken.at)
        };
        let connected = |voter: &MemberId| *voter == taken.member || linked(taken.member) && linked(*voter);
        Some((voters.len(), voters.members().filter(connected).count() as u32))
    }

    /// How many voters the member knows, and how many of them can have been connected to it for long enough. `None` if
    /// the voters are changing, or if it did not run freely: after a pause it knows what was before.
    fn most_connected(self, taken: Taken) -> Option<(u32, u32)> {
        let cluster = self.cluster;
        let voters = self.voters(taken)?;
        let since = taken.at.checked_sub(HEALTHY)?;
        if !cluster.was_free(taken.member, since, taken.at) {
            return None;
        }
        let ran = |member: MemberId| cluster.ran(member, since, taken.at);
        let connected = |voter: &MemberId| *voter == taken.member || ran(taken.member) && ran(*voter);
        Some((voters.len(), voters.members().filter(connected).count() as u32))
    }
}

/// The quorum of so many voters and a new one.
fn quorum_with(voters: u32) -> u32 {
    voters.div_ceil(2) + 1
}

/// Whether a request is one that a member answers from what it has, without anybody else and without waiting.
pub(super) fn is_at_once(operation: &Operation) -> bool {
    // A request with a token may wait for the entry that issued it.
    operation.user.is_none()
        && match &operation.request {
            Request::Range(RangeRequest { serializable, .. }) => *serializable,
            Request::Txn(txn) => is_read_only(txn) && is_serializable(txn),
            Request::MemberList(list) => !list.linearizable,
            Request::LeaseLeases(_) | Request::Status(_) | Request::Hash(_) | Request::HashKv(_) => true,
            _ => false,
        }
}

/// Whether a member asks again and again for what it needs to answer a request: for a ReadIndex, or the leader for what
/// only a leader knows.
fn is_asked_again(request: &Request) -> bool {
    match request {
        Request::Range(_)
        | Request::MemberList(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_) => true,
        Request::Txn(txn) => is_read_only(txn),
        _ => false,
    }
}

/// Whether an error says that the request was not served in time, or that there was nobody to serve it.
fn says_not_now(error: Error) -> bool {
    matches!(
        error,
        Error::Timeout
            | Error::TimeoutDueToLeaderFail
            | Error::TimeoutDueToConnectionLost
            | Error::ContextDeadlineExceeded
            | Error::NoLeader
            | Error::LeaderChanged
            | Error::NotCapable
    )
}

/// Whether an error says that a proposal was not applied in time.
fn says_proposal_is_late(error: Error) -> bool {
    matches!(error, Error::Timeout | Error::TimeoutDueToLeaderFail | Error::TimeoutDueToConnectionLost)
}

/// Whether a request may take long by its nature.
fn takes_long(request: &Request) -> bool {
    match request {
        Request::Compact(compact) => compact.physical,
        Request::Defragment(_)
        | Request::MoveLeader(_)
        | Request::MemberAdd(_)
        | Request::MemberRemove(_)
        | Request::MemberUpdate(_)
        | Request::MemberPromote(_) => true,
        request => is_service(request),
    }
}

/// Whether a request changes users or roles, or switches authentication on or off.
fn is_about_users(request: &Request) -> bool {
    matches!(
        request,
        Request::AuthEnable(_)
            | Request::AuthDisable(_)
            | Request::UserAdd(_)
            | Request::UserDelete(_)
            | Request::UserChangePassword(_)
            | Request::UserGrantRole(_)
            | Request::UserRevokeRole(_)
            | Request::RoleAdd(_)
            | Request::RoleDelete(_)
            | Request::RoleGrantPermission(_)
            | Request::RoleRevokePermission(_)
    )
}

/// A member answers what it has answered, or what nobody has asked it.
pub(super) fn twice(at: Nanos, member: MemberId, served: Served) -> Violation {
    let Served::Answers(call) = served else { unreachable!("only answers may come twice") };
    let title = format!("member {member} answered a request twice");
    let sentence =
        format!("At {} it answered request {call}, which was over or which it never got.", time(at));
    Violation::new(Oracle::B6, at, title).say(sentence).shown_by([call as usize])
}

fn violation(number: usize, operation: &Operation, taken: Taken, broken: Broken) -> Violation {
    let Taken { member, at, over, .. } = taken;
    let asked = format!("Member {member} took a request of client {} at {}.", operation.client, time(at));
    let (title, at, sentence) = match broken {
        Broken::Late(due, well) => {
            let was = match over {
                Some(over) => format!("it was over at {}", time(over)),
                None => "it never answered".to_string(),
            };
            let sentence = format!("{well}, so an answer was due at {}; {was}.", time(due));
            (format!("member {member} did not answer in time, though nothing was broken"), due, sentence)
        }
        Broken::Wrong(sentence) => {
            (format!("member {member} said \"not now\" at the wrong time"), at, sentence)
        }
    };
    Violation::new(Oracle::B6, at, title).say(asked).say(sentence).shown_by([number])
}
