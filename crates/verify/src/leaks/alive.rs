//! What is alive at a moment, as the judge knows it: from the history, from what the members applied, and from the
//! settings.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{WatchRequest, WatchResponse};
use api::{Request, Response};
use record::{Applied, Kept, KeptByMember, Nanos, Operation, Outcome, StreamEnd, WatchStream};

use super::Limits;
use crate::Context;
use crate::clocks::true_time;
use crate::k4;
use crate::leases::corrupt_from;
use crate::locks::is_service;
use crate::truth::{Compaction, Keys};

const SECOND: Nanos = 1_000_000_000;

/// How long the news that a client has gone, and whatever else follows a request, may be under way: our choice.
const GRACE: Nanos = 3 * SECOND;
/// How long a member may take to save what it has applied and to drop what it no longer needs: our choice.
const CLEAN_UP: Nanos = 2 * SECOND;

/// What is alive at a moment, for one member.
pub struct Alive<'a, 'b> {
    context: &'b Context<'a>,
    /// The moment.
    pub moment: &'a Kept,
    /// The member.
    pub member: &'a KeptByMember,
    /// The requests that clients gave up before this time are over.
    since: Nanos,
    /// The requests that are not over, of all clients.
    waiting: Vec<&'a Operation>,
    requests: OnceCell<u64>,
    service_calls: OnceCell<u64>,
    leases: OnceCell<Leases>,
    store: OnceCell<Option<Rows>>,
}

/// The leases after the entries that a member has applied.
struct Leases {
    /// Those that were granted and have not ended.
    alive: BTreeSet<i64>,
    /// How many ended lately.
    ended_lately: u64,
}

/// The rows that a store may have.
struct Rows {
    all: u64,
    keys: u64,
}

/// All keys.
const EVERYTHING: Keys<'static> = Keys { key: &[], end: &[0] };

impl<'a, 'b> Alive<'a, 'b> {
    pub(super) fn new(context: &'b Context<'a>, moment: &'a Kept, member: &'a KeptByMember) -> Alive<'a, 'b> {
        let limits = &context.expectations.bounds;
        let (slowest, _) = context.expectations.clock_rates;
        let patience = true_time(limits.request_timeout, slowest) + GRACE;
        let healed = context.record.healed;
        let since = |patience: Nanos| match limits.clocks_stop && moment.time < healed + patience {
            true => 0,
            false => may_wait_since(moment, moment.time.saturating_sub(patience)),
        };
        let twice = since(2 * patience);
        let since = since(patience);
        let may_wait = |one: &&Operation| {
            let since = if waits_twice(&one.request) { twice } else { since };
            may_wait(one, moment.time, since)
        };
        let waiting = context.record.history.operations.iter().filter(may_wait).collect();
        Alive {
            context,
            moment,
            member,
            since,
            waiting,
            requests: OnceCell::new(),
            service_calls: OnceCell::new(),
            leases: OnceCell::new(),
            store: OnceCell::new(),
        }
    }

    /// The members' settings.
    pub fn limits(&self) -> &'b Limits {
        &self.context.expectations.bounds
    }

    fn operations(&self) -> impl Iterator<Item = &'a Operation> {
        self.context.record.history.operations.iter()
    }

    /// Whether a request was sent to the process that runs now.
    fn is_here(&self, operation: &Operation) -> bool {
        operation.member == self.member.member && operation.call >= self.member.started
    }

    /// How many of the client requests for which `of` is true this member may still work on.
    pub fn asked(&self, of: impl Fn(&Operation) -> bool) -> u64 {
        self.waiting.iter().filter(|one| self.is_here(one) && of(one)).count() as u64
    }

    /// The same for all members together: a member may ask another to serve its clients.
    pub fn asked_anywhere(&self, of: impl Fn(&Operation) -> bool) -> u64 {
        self.waiting.iter().filter(|one| of(one)).count() as u64
    }

    /// How many calls of the lock and election services this member may still serve. A call goes on until its client
    /// has an answer, because the news that the client has gone may be lost.
    pub fn service_calls(&self) -> u64 {
        let unanswered = |one: &&Operation| {
            self.is_here(one)
                && is_service(&one.request)
                && one.returned().is_none_or(|at| at > self.moment.time)
                && one.call <= self.moment.time
        };
        *self.service_calls.get_or_init(|| self.operations().filter(unanswered).count() as u64)
    }

    /// The requests of clients, of the services, and of other members' clients that this member may still work on.
    pub fn requests(&self) -> u64 {
        *self.requests.get_or_init(|| {
            // A call that was given up leaves a request behind, which deletes the call's key.
            2 * self.service_calls()
                + self.asked(|_| true)
                + self.asked_anywhere(may_be_forwarded)
                + self.copies_under_way()
                + 2 * self.recent_promotions()
        })
    }

    /// How many requests that a member may ask another one to serve were answered lately. The asking member sends its
    /// call again until the answer comes, and the last copy may arrive after the answer has left.
    fn copies_under_way(&self) -> u64 {
        let lately = self.moment.time.saturating_sub(GRACE)..=self.moment.time;
        let answered =
            |one: &&Operation| may_be_forwarded(one) && one.returned().is_some_and(|at| lately.contains(&at));
        self.operations().filter(answered).count() as u64
    }

    /// How many promotions were asked for within a request timeout. If a promotion is refused when its entry is
    /// applied, its request still waits until its deadline.
    fn recent_promotions(&self) -> u64 {
        let recent = |one: &&Operation| {
            matches!(one.request, Request::MemberPromote(_))
                && one.call <= self.moment.time
                && one.returned().is_none_or(|at| at >= self.since)
        };
        self.operations().filter(recent).count() as u64
    }

    /// The watch streams of clients that may be open at this member. The client's end may have broken without the member
    /// being told.
    pub fn streams(&self) -> impl Iterator<Item = &'a WatchStream> {
        let (member, now, since) = (self.member, self.moment.time, self.since);
        // The member may not have learned that the client closed it.
        let unsure = if self.limits().links_break { self.context.record.healed } else { 0 };
        let may_be_open = move |stream: &&WatchStream| {
            stream.member == member.member
                && stream.opened >= member.started
                && stream.opened <= now
                && match stream.ended {
                    None | Some((_, StreamEnd::Broken)) => true,
                    Some((at, StreamEnd::Closed | StreamEnd::Refused(_))) => at >= since || at <= unsure,
                }
        };
        self.context.record.history.watches.iter().filter(may_be_open)
    }

    /// How many watch streams may be open at this member, with those of the services.
    pub fn stream_count(&self) -> u64 {
        self.streams().count() as u64 + self.service_calls()
    }

    /// How many watchers may exist on the streams of clients: those that were asked for, without those whose end the
    /// client has seen.
    pub fn watchers(&self) -> u64 {
        let now = self.moment.time;
        let asked_for = |(at, request): &&(Nanos, WatchRequest)| {
            *at <= now && matches!(request.request_union, Some(RequestUnion::CreateRequest(_)))
        };
        // A watcher that a compaction has cancelled stays until its client cancels it, too.
        let ended = |(at, response): &&(Nanos, WatchResponse)| {
            *at <= now && response.canceled && response.compact_revision == 0
        };
        let on = |stream: &WatchStream| {
            let asked_for = stream.sent.iter().filter(asked_for).count();
            asked_for.saturating_sub(stream.received.iter().filter(ended).count()) as u64
        };
        self.streams().map(on).sum()
    }

    /// How many of the watchers that may exist were asked for with progress.
    pub fn watchers_with_progress(&self) -> u64 {
        let wants = |(_, request): &&(Nanos, WatchRequest)| matches!(&request.request_union, Some(RequestUnion::CreateRequest(create)) if create.progress_notify);
        let wanted =
            self.streams().map(|stream| stream.sent.iter().filter(wants).count() as u64).sum::<u64>();
        wanted.min(self.watchers())
    }

    /// How many requests were sent on streams that may be open.
    pub fn watch_requests(&self) -> u64 {
        self.streams().map(|stream| stream.sent.len() as u64).sum()
    }

    /// The entries that this member has applied.
    fn applied(&self) -> &'a [Applied] {
        let applied = &self.context.record.applied;
        &applied[..applied.partition_point(|entry| entry.index <= self.member.applied)]
    }

    /// The request of an entry, if it took effect as far as is known.
    fn request_of(&self, entry: &'a Applied) -> Option<&'a Request> {
        if let Some(internal) = &entry.internal {
            return Some(internal);
        }
        let operation = self.context.record.history.operations.get(entry.operation? as usize)?;
        matches!(operation.outcome, Outcome::Answer { .. }).then_some(&operation.request)
    }

    fn lease_state(&self) -> &Leases {
        self.leases.get_or_init(|| {
            let mut state = Leases { alive: BTreeSet::new(), ended_lately: 0 };
            let corrupt = corrupt_from(self.context.history(), &self.context.record.applied);
            for entry in self.applied() {
                match self.request_of(entry) {
                    Some(Request::LeaseGrant(grant)) => {
                        state.alive.insert(grant.id);
                    }
                    // While the alarm CORRUPT is on, an entry that revokes a lease is refused when it is applied.
                    Some(Request::LeaseRevoke(revoke)) => {
                        if entry.time < corrupt {
                            state.alive.remove(&revoke.id);
                        }
                        state.ended_lately += u64::from(entry.time >= self.since);
                    }
                    _ => {}
                }
            }
            state
        })
    }

    /// How many leases were granted and have not ended.
    pub fn leases(&self) -> u64 {
        self.lease_state().alive.len() as u64
    }

    /// How many leases the member may be about to end, or has ended lately.
    pub fn leases_to_end(&self) -> u64 {
        self.leases() + self.lease_state().ended_lately
    }

    /// How many keys had a lease in the last read of everything, at the end of a run that has settled. `None` if something
    /// was written after the read.
    pub fn keys_with_lease(&self) -> Option<u64> {
        let history = &self.context.record.history;
        let Some(Response::Range(read)) = history.operations[k4::quiet_read(history)?].response() else {
            return None;
        };
        let newest = self.context.record.applied.iter().map(|entry| entry.revision).max();
        let shows_all = read.header.as_ref().is_some_and(|header| Some(header.revision as u64) >= newest);
        (self.moment.settled && shows_all).then(|| read.kvs.iter().filter(|kv| kv.lease != 0).count() as u64)
    }

    /// How many entries were applied lately.
    pub fn recent_entries(&self) -> u64 {
        self.applied().iter().filter(|entry| entry.time >= self.since).count() as u64
    }

    /// How many requests this member was sent lately.
    pub fn recent_requests(&self) -> u64 {
        self.operations().filter(|one| self.is_here(one) && one.call >= self.since).count() as u64
    }

    /// How many entries the member may have in its log beyond what its settings say: those that were applied lately. `None`
    /// if nothing was written after the cluster was healed, because only a write makes a member look at its log.
    pub fn entries_not_saved(&self) -> Option<u64> {
        let quiet = self.moment.time.saturating_sub(CLEAN_UP);
        let healed = self.context.record.healed + CLEAN_UP.max(GRACE);
        let written = self.applied().iter().any(|entry| (healed..quiet).contains(&entry.time));
        let well = self.moment.all_healed && self.all_members_run() && self.member.started < quiet;
        let recent = self.applied().iter().filter(|entry| entry.time >= quiet).count() as u64;
        (written && well).then_some(recent)
    }

    /// How many entries that left the log the member may not have freed yet. `longest` is the longest log that the settings
    /// allow once the cluster is well.
    pub fn entries_not_freed(&self, longest: u64) -> u64 {
        let applied = self.member.applied;
        if !self.moment.all_healed || !self.all_members_run() {
            return applied;
        }
        let well = self.may_catch_up() + CLEAN_UP.max(GRACE);
        let since = self.applied().iter().filter(|entry| entry.time >= well).count() as u64;
        // Either all entries of that time have been freed, or each entry applied since then has reduced their number by
        // one.
        longest.saturating_add(since).max(applied.saturating_sub(2 * since))
    }

    /// From when on the member could catch up: it was running and healed, there was a leader to send it what it lacked,
    /// and a leader's snapshot, if it needed one, had come.
    fn may_catch_up(&self) -> Nanos {
        let reached = self.member.started.max(self.member.installed_at);
        self.context.record.healed.max(reached).max(self.moment.leader_since)
    }

    /// How many members the cluster has. `None` if this member has not applied the newest configuration.
    pub fn configured(&self) -> Option<u64> {
        let known = self.member.applied >= self.moment.configured_at;
        known.then_some(self.moment.configured.len() as u64)
    }

    /// Whether the process of each member of the cluster runs, so that no member is sent one snapshot after another.
    pub fn all_members_run(&self) -> bool {
        self.moment.configured.iter().all(|id| self.moment.members.iter().any(|one| one.member == *id))
    }

    /// How many of the issued tokens may be valid, or may have been valid at the last login.
    pub fn tokens(&self) -> u64 {
        let operations = &self.context.record.history.operations;
        let mut issued: Vec<(Nanos, &str)> = Vec::new();
        for entry in self.applied() {
            match self.request_of(entry) {
                // A snapshot of a leader brings users and roles, but changes no tokens (etcd, `Recover` of the auth store).
                Some(Request::AuthDisable(_) | Request::UserDelete(_) | Request::UserChangePassword(_))
                    if entry.index <= self.member.installed => {}
                // Nobody has a token while authentication is off.
                Some(Request::AuthDisable(_)) => issued.clear(),
                Some(Request::UserDelete(gone)) => issued.retain(|(_, user)| *user != gone.name),
                Some(Request::UserChangePassword(changed)) => {
                    issued.retain(|(_, user)| *user != changed.name)
                }
                _ => {
                    let operation = entry.operation.and_then(|number| operations.get(number as usize));
                    if let Some(Request::Authenticate(login)) = operation.map(|one| &one.request) {
                        issued.push((entry.time, &login.name));
                    }
                }
            }
        }
        let ttl = true_time(self.limits().token_ttl, self.context.expectations.clock_rates.0) + GRACE;
        let Some((last, _)) = issued.last().copied() else { return 0 };
        // A member that was cut off or down issues them when it catches up.
        let catches_up = self.may_catch_up();
        let is_fresh =
            |(at, _): &&(Nanos, &str)| self.limits().clocks_stop || catches_up.max(*at) + ttl >= last;
        let fresh = issued.iter().filter(is_fresh).count();
        // Use extends a token, and each client uses one.
        let clients = || self.operations().filter(|one| one.user.is_some()).map(|one| one.client);
        let users = if fresh == issued.len() { 0 } else { clients().collect::<BTreeSet<u32>>().len() };
        (fresh + users) as u64
    }

    /// How long the removal of compacted rows may take.
    fn scrub_time(&self) -> Nanos {
        let changes = self.context.truth().map_or(0, |truth| truth.change_count() as u64);
        let batches = changes / self.limits().compaction_batch.max(1) + 1;
        CLEAN_UP + 2 * batches * self.limits().compaction_pause
    }

    /// Whether this member must have removed all rows of a compaction. The member begins when it applies the
    /// compaction, which may be late while there are faults, and goes on after a restart.
    fn is_done(&self, compaction: &Compaction) -> bool {
        let Some(latest) = compaction.latest else { return false };
        // A member of the core may be cut off from a leader outside of it, so that it has not applied it.
        if self.applied().last().is_none_or(|last| last.time < latest) {
            return false;
        }
        let begun = latest.max(self.may_catch_up());
        begun + self.scrub_time() < self.moment.time
    }

    /// How many compactions may be unfinished.
    pub fn compactions_not_done(&self) -> Option<u64> {
        Some(self.context.truth()?.compactions().iter().filter(|one| !self.is_done(one)).count() as u64)
    }

    fn store(&self) -> Option<&Rows> {
        let store = self.store.get_or_init(|| {
            let truth = self.context.truth()?;
            let newest = truth.newest()?;
            let done = truth.compactions().iter().filter(|one| self.is_done(one));
            let compacted = done.map(|one| one.revision).max().unwrap_or(0);
            let pairs = truth.pairs(EVERYTHING, compacted).map(|pair| &pair.key);
            // A change at the compact revision itself stays, because a watch may start there.
            let after = truth.between(EVERYTHING, compacted, newest);
            let changed = after.iter().map(|number| &truth.event(*number).kv.key);
            let of_all: Vec<_> = pairs.chain(changed).collect();
            let all = of_all.len() as u64;
            Some(Rows { all, keys: of_all.into_iter().collect::<BTreeSet<_>>().len() as u64 })
        });
        store.as_ref()
    }

    /// How many rows the store may have: the pairs at the last compaction that must be done, and all changes after it.
    pub fn rows(&self) -> Option<u64> {
        self.store().map(|rows| rows.all)
    }

    /// How many keys those rows have.
    pub fn keys(&self) -> Option<u64> {
        self.store().map(|rows| rows.keys)
    }

    /// How many users were added.
    pub fn users(&self) -> u64 {
        self.operations().filter(|one| matches!(one.request, Request::UserAdd(_))).count() as u64
    }

    /// How often processes were started: code that tells messages apart takes each start for a new sender.
    pub fn starts(&self) -> u64 {
        self.context.starts().len() as u64
    }
}

/// A request that was given up at this time or later may still be worked on. If no process was behind, that is `since`;
/// but the timeout of a request that waited for a paused or slow process begins only when that process takes it.
fn may_wait_since(moment: &Kept, since: Nanos) -> Nanos {
    let behind = moment.members.iter().flat_map(|member| &member.behind);
    behind
        .filter(|(_, until)| *until >= since)
        .map(|(from, _)| *from)
        .min()
        .map_or(since, |from| from.min(since))
}

/// Whether, at a moment, a member may still work on a request: its client waits for it, or gave it up at the time
/// `since` or later.
fn may_wait(operation: &Operation, now: Nanos, since: Nanos) -> bool {
    let over = match operation.outcome {
        Outcome::Answer { at, .. } | Outcome::Error { at, .. } => at <= now,
        // At the end of a run, this is what the history says of a request that is still under way.
        Outcome::Unknown { gave_up } if gave_up == operation.call => false,
        Outcome::Unknown { gave_up } => gave_up < since,
    };
    operation.call <= now && !over
}

/// Whether a request first waits for ReadIndex, up to a request timeout, and then for its entry or for the leader, up to
/// another one.
fn waits_twice(request: &Request) -> bool {
    matches!(request, Request::Authenticate(_) | Request::LeaseKeepAlive(_) | Request::LeaseTimeToLive(_))
}

/// Whether a member may ask another one to serve such a request: only a leader knows the time of leases, and how far a
/// learner has caught up.
fn may_be_forwarded(operation: &Operation) -> bool {
    matches!(
        operation.request,
        Request::LeaseKeepAlive(_) | Request::LeaseTimeToLive(_) | Request::MemberPromote(_)
    )
}
