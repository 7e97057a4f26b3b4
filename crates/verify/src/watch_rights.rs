//! The rule of oracle K1 for watchers: a watcher is created only if its user may read all the keys that it asks for.
//! (etcd's security advisory GHSA-xg4h-6gfc-h4m8: a permission on one key gave access to all keys from there on.)
//!
//! The member checks this when it creates the watcher, by the users and rights of the entries that it has applied so
//! far. These are at least the entries that its earlier answers showed, unless it was restarted since. The history does
//! not record the user of a stream, so the watcher is accepted if any user that its client ever was may read the keys,
//! or an anonymous client may.
//!
//! Without evidence, the order of the changes of users and rights must follow from their times. Without the times of
//! restarts, a watcher that its user may not have is undecided.
//!
//! Not checked: that a watcher is *not* refused (W12 has a part of that); what a watcher receives after a right was
//! taken away, which etcd does not check; clients of which the history has no other operation.

use std::collections::{BTreeMap, BTreeSet};

use api::Request;
use api::etcdserverpb::RangeRequest;
use bytes::Bytes;
use record::{Applied, History, MemberId, Nanos, Operation, Outcome};

use crate::model::FIRST_REVISION;
use crate::model::auth::{self, Auth};
use crate::watch::stream::{self, Watcher};
use crate::{Context, Missing, Oracle, Sheet, Violation, answer, definite, describe};

/// What is checked, or left undecided, for the verdict.
const WHAT: &str = "watchers of users who may have no right to read the keys";

/// Judges the watchers of a record, if users or rights were ever changed.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let history = context.history();
    let changes = history.operations.iter().any(|operation| auth::changes_auth(&operation.request));
    if !changes || history.watches.is_empty() {
        return;
    }
    let transcripts = history.watches.iter().enumerate().map(|(number, one)| stream::read(number, one));
    let watchers: Vec<Watcher<'_>> = transcripts.flat_map(|transcript| transcript.watchers).collect();
    let closed = context.is_closed() && context.expectations.start_revision == FIRST_REVISION;
    let Some(timeline) = Timeline::new(history, context.applied()).filter(|_| closed) else {
        let missing = if closed { Missing::OrderOfRights } else { Missing::OtherClients };
        return sheet.not_judged(Oracle::K1, WHAT, watchers.len(), missing);
    };
    let users = users(history);
    let (mut judged, mut open) = (0, 0);
    for watcher in &watchers {
        let Some(users) = users.get(&watcher.stream.client) else {
            open += 1;
            continue;
        };
        judged += 1;
        let window = timeline.window(context, watcher);
        if timeline.permits(users, watcher, window) {
            continue;
        }
        if context.starts().is_empty() {
            let (client, member) = (watcher.stream.client, watcher.stream.member);
            let what = describe::watcher(watcher.request);
            sheet.leave_open(format!(
                "Client {client} watched {what} by member {member}, and its user had no right to (K1). Only a restart of the member would excuse that, and the history does not say when members were started."
            ));
        } else {
            sheet.add(forbidden(watcher, users, timeline.stores[window.1 - 1].made_by));
        }
    }
    sheet.checked(Oracle::K1, "watchers checked against the rights of their users", judged);
    sheet.not_judged(Oracle::K1, WHAT, open, Missing::User);
}

/// For each client, the users as which it made requests or logged in, and `None`, because it may also be anonymous.
fn users(history: &History) -> BTreeMap<u32, BTreeSet<Option<&str>>> {
    let mut users: BTreeMap<u32, BTreeSet<Option<&str>>> = BTreeMap::new();
    for operation in &history.operations {
        let of_client = users.entry(operation.client).or_default();
        of_client.insert(None);
        of_client.insert(operation.user.as_deref());
        let refused = matches!(operation.outcome, Outcome::Error { .. });
        if let Request::Authenticate(asked) = &operation.request
            && !refused
        {
            of_client.insert(Some(&asked.name));
        }
    }
    users
}

/// Users and rights after a change of them.
struct Stage {
    auth: Auth,
    /// The index of the change among all entries, from 1; 0 for the state at the beginning.
    rank: u32,
    /// The earliest time at which a member can have applied the change.
    time: Nanos,
    /// The operation that changed them.
    made_by: Option<usize>,
}

/// Users and rights over the history.
struct Timeline {
    /// The state at the beginning, and after each change.
    stores: Vec<Stage>,
    /// The rank of each operation that was applied.
    ranks: BTreeMap<usize, u32>,
    /// Which entry made each revision: revision and rank, in order.
    makers: Vec<(i64, u32)>,
}

impl Timeline {
    /// Computes the users and rights over the history; `None` if the order of their changes is not known.
    fn new(history: &History, applied: &[Applied]) -> Option<Timeline> {
        let entries = if applied.is_empty() { by_time(history)? } else { by_evidence(applied) };
        let begin = Stage { auth: Auth::default(), rank: 0, time: 0, made_by: None };
        let mut timeline = Timeline { stores: vec![begin], ranks: BTreeMap::new(), makers: Vec::new() };
        for (rank, (number, time)) in (1..).zip(entries) {
            let Some(operation) = number.and_then(|number| history.operations.get(number)) else { continue };
            let number = number.expect("it has an operation");
            timeline.ranks.entry(number).or_insert(rank);
            if changed_nothing(operation) {
                continue;
            }
            let mut auth = timeline.stores[timeline.stores.len() - 1].auth.clone();
            let permitted = auth.permits(operation.user.as_deref(), &operation.request, &|_| Vec::new());
            if permitted.is_ok() && auth.apply(&operation.request, 0).is_ok() {
                timeline.stores.push(Stage { auth, rank, time, made_by: Some(number) });
            }
        }
        let making = (1..).zip(applied).filter(|(_, entry)| entry.mutated);
        timeline.makers = making.map(|(rank, entry)| (entry.revision as i64, rank)).collect();
        let acknowledged = |(_, operation): &(usize, &Operation)| {
            auth::changes_auth(&operation.request) && operation.response().is_some()
        };
        let mut changes = history.operations.iter().enumerate().filter(acknowledged);
        changes.all(|(number, _)| timeline.ranks.contains_key(&number)).then_some(timeline)
    }

    /// The range of auth stores, by index, that the member can have had when it created the watcher.
    fn window(&self, context: &Context<'_>, watcher: &Watcher<'_>) -> (usize, usize) {
        let until = self.stores.partition_point(|stage| stage.time <= watcher.created);
        let floor = self.floor(context, watcher).max(self.maker(watcher.revision));
        let from = self.stores.partition_point(|stage| stage.rank <= floor) - 1;
        (from.min(until - 1), until)
    }

    /// The rank of the last entry that the member had certainly applied, by its answers since its last start.
    fn floor(&self, context: &Context<'_>, watcher: &Watcher<'_>) -> u32 {
        let member = watcher.stream.member;
        let sent = watcher.stream.sent.iter().find(|(_, request)| asks_for(request, watcher));
        let sent = sent.map_or(watcher.stream.opened, |(at, _)| *at);
        let started = last_start(context.starts(), member, watcher.created);
        let operations = context.history().operations.iter().enumerate();
        let before = operations.take_while(|(_, operation)| operation.call < sent);
        let shown = before.filter(|(_, operation)| {
            operation.member == member
                && started.is_none_or(|started| started < operation.call)
                && operation.returned().is_some_and(|at| at < sent)
        });
        let rank = |(number, operation): (usize, &Operation)| {
            let response = operation.response()?;
            let own = self.ranks.get(&number).copied().unwrap_or(0);
            Some(own.max(self.maker(answer::revision(response.header()))))
        };
        shown.filter_map(rank).max().unwrap_or(0)
    }

    /// The rank of the entry that made this revision or, if none did, the last one before it; 0 if there is none.
    fn maker(&self, revision: i64) -> u32 {
        let after = self.makers.partition_point(|(made, _)| *made <= revision);
        after.checked_sub(1).map_or(0, |last| self.makers[last].1)
    }

    /// Whether any of these stores allows any of these users to watch.
    fn permits(&self, users: &BTreeSet<Option<&str>>, watcher: &Watcher<'_>, window: (usize, usize)) -> bool {
        let keys = watcher.keys();
        let key = Bytes::copy_from_slice(keys.key);
        let range_end = watcher.request.range_end.clone();
        let request = Request::from(RangeRequest { key, range_end, ..RangeRequest::default() });
        let may =
            |auth: &Auth| users.iter().any(|user| auth.permits(*user, &request, &|_| Vec::new()).is_ok());
        self.stores[window.0..window.1].iter().rev().any(|stage| may(&stage.auth))
    }
}

/// Each entry's operation, and when it was applied first.
type Entries = Vec<(Option<usize>, Nanos)>;

/// The applied entries.
fn by_evidence(applied: &[Applied]) -> Entries {
    applied.iter().map(|entry| (entry.operation.map(|number| number as usize), entry.time)).collect()
}

/// The changes of users and rights in the order of their times; `None` if two overlap, or if the outcome of one is not
/// known.
fn by_time(history: &History) -> Option<Entries> {
    let mut entries = Entries::new();
    let mut over = None;
    for (number, operation) in history.operations.iter().enumerate() {
        if !auth::changes_auth(&operation.request) || was_refused(operation) {
            continue;
        }
        let Outcome::Answer { at, .. } = operation.outcome else { return None };
        if over.is_some_and(|over| operation.call <= over) {
            return None;
        }
        over = Some(at);
        entries.push((Some(number), operation.call));
    }
    Some(entries)
}

/// Whether the operation was certainly refused.
fn was_refused(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_definite(error))
}

/// Whether the operation certainly changed no users or rights.
fn changed_nothing(operation: &Operation) -> bool {
    !auth::changes_auth(&operation.request) || was_refused(operation)
}

/// Whether the request is the creation of this watcher.
fn asks_for(request: &api::etcdserverpb::WatchRequest, watcher: &Watcher<'_>) -> bool {
    use api::etcdserverpb::watch_request::RequestUnion;
    matches!(&request.request_union, Some(RequestUnion::CreateRequest(create)) if std::ptr::eq(create, watcher.request))
}

/// When the member's process was last started, up to `by`; `None` if it has run since the beginning.
fn last_start(starts: &[(MemberId, Nanos)], member: MemberId, by: Nanos) -> Option<Nanos> {
    let of_member = starts.iter().filter(|(of, at)| *of == member && *at <= by);
    of_member.map(|(_, at)| *at).max().filter(|at| *at > 0)
}

/// The violation for a watcher that its user may not have.
fn forbidden(watcher: &Watcher<'_>, users: &BTreeSet<Option<&str>>, change: Option<usize>) -> Violation {
    let names: Vec<String> = users.iter().flatten().map(|name| describe::key(name.as_bytes())).collect();
    let who = match &names[..] {
        [] => "which is not logged in".to_string(),
        [name] => format!("which is user {name}"),
        names => format!("which is one of the users {}", names.join(", ")),
    };
    let title = "a watcher was created for keys that its user may not read";
    let created =
        watcher.stream.received.iter().find(|(at, response)| {
            *at == watcher.created && response.created && response.watch_id == watcher.id
        });
    Violation::new(Oracle::K1, watcher.created, title)
        .say(format!(
            "Client {}, {who}, watched {} by member {} (stream {}, watcher {}, created at {}).",
            watcher.stream.client,
            describe::watcher(watcher.request),
            watcher.stream.member,
            watcher.number,
            watcher.id,
            describe::time(watcher.created)
        ))
        .say("By all users and rights that the member can have known then, it had to answer \"etcdserver: permission denied\".")
        .shown_by(change)
        .seen_in(created.map(|(at, response)| describe::watch_response(*at, response)))
}
