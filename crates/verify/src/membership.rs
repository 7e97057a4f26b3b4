//! M2: what the Cluster service says about the members is true.
//!
//! Each answer lists the members: the answer to a change as they are right after it, a linearizable list as they are
//! at some moment between its call and its return, any other list as they once were. The first two are called fresh.
//! The answers are compared with each other and with the changes, in real time:
//!
//! * An answer shows the change that it acknowledges.
//! * A fresh answer has every member that an answer had shown before, unless a client asked for its removal, and no
//!   member whose removal was known before: member ids are not used again.
//! * A learner stays one until a client asks for its promotion (etcd issue 21737), and no voter becomes a learner
//!   again (etcd issue 20797).
//! * Peer URLs are those of an update, or of the addition, unless another update certainly replaced them.
//! * Of two removals or two promotions of one member, only one is acknowledged; and no change of a member that is gone
//!   is acknowledged.
//! * An update of a member that was there all along does not fail with "member not found".
//!
//! An operation without an answer may take effect at any time after its call, or never.
//!
//! Not checked: "can only promote a learner", because a promotion that was forwarded to the leader twice may get it;
//! names and client URLs, which members publish themselves; errors because members are not healthy or not started, or
//! because a learner lags too far; "not found" for a promotion, which a leader answers if it has not applied the
//! addition yet, and for a removal, for which a joint change of the simulator relies on a member's own view; members
//! whose addition the history does not show, because a joint change is in it only as its removal; that lists which are
//! not linearizable never go back in time; raft's configurations (I10) and the members' stores (I8).

use std::collections::BTreeMap;

use api::etcdserverpb::Member;
use api::{Error, Request, Response};
use record::{History, MemberId, Nanos, Operation, Outcome};

use crate::definite::{is_definite, leaves_promotion_open};
use crate::{Context, Oracle, Sheet, Violation, describe};

/// Judges a record by M2.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let history = context.history();
    let answers = Answers::of(history);
    let acknowledged = answers.changes.iter().filter(|change| change.acknowledged.is_some()).count();
    sheet.checked(Oracle::M2, "answers that list the members", answers.views.len());
    sheet.checked(Oracle::M2, "changes of the members that were acknowledged", acknowledged);
    // Only the first violation of each kind about each member is kept.
    let mut found = BTreeMap::new();
    let mut add = |id: MemberId, at: Nanos, wrong: Wrong| {
        let number = wrong.shown_by[0];
        let violation = Violation::new(Oracle::M2, at, wrong.title)
            .say(format!("The operation: {}.", describe::operation(&history.operations[number])))
            .say(wrong.reason)
            .shown_by(wrong.shown_by);
        found.entry((wrong.title, id)).or_insert(violation);
    };
    for view in &answers.views {
        answers.judge_view(view, &mut |id, wrong| add(id, view.at, wrong));
    }
    for change in &answers.changes {
        if let Some((at, wrong)) = answers.twice_or_too_late(change) {
            add(change.id, at, wrong);
        }
    }
    for (number, operation) in history.operations.iter().enumerate() {
        if let Some((id, at, wrong)) = answers.refused(number, operation) {
            add(id, at, wrong);
        }
    }
    sheet.add_all(found.into_values());
}

/// A violation: its title, its reason, and the operations that prove it.
struct Wrong {
    title: &'static str,
    reason: String,
    shown_by: Vec<usize>,
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Add,
    Remove,
    Update,
    Promote,
}

/// A change that was not refused.
struct Change<'a> {
    kind: Kind,
    id: MemberId,
    /// The peer URLs that the request names.
    urls: Vec<&'a str>,
    /// The number of the operation.
    number: usize,
    call: Nanos,
    /// When its answer arrived.
    acknowledged: Option<Nanos>,
}

/// The members, as an answer lists them.
struct View<'a> {
    /// The number of the operation.
    number: usize,
    call: Nanos,
    /// When it was answered.
    at: Nanos,
    /// Whether the list was true at some moment between call and return.
    fresh: bool,
    members: BTreeMap<MemberId, &'a Member>,
}

/// For each member id, the earliest time by which something was true, and the operation that proves it.
type Since = BTreeMap<MemberId, (Nanos, usize)>;

/// What the operations of a history say about the members.
#[derive(Default)]
struct Answers<'a> {
    changes: Vec<Change<'a>>,
    views: Vec<View<'a>>,
    /// The first return of an answer that lists this member.
    present: Since,
    /// The first return of an answer that lists the member as a voter.
    votes: Since,
    /// The first return of an answer that lists the member as a learner.
    learns: Since,
    /// The first return of an answer that proves that the member is gone.
    gone: Since,
}

impl<'a> Answers<'a> {
    /// Collects the answers about members.
    fn of(history: &'a History) -> Answers<'a> {
        let mut answers = Answers::default();
        for (number, operation) in history.operations.iter().enumerate() {
            answers.changes.extend(change(number, operation));
            answers.views.extend(view(number, operation));
        }
        let since = |since: &mut Since, id: MemberId, at: Nanos, number: usize| {
            let first = since.entry(id).or_insert((at, number));
            *first = (*first).min((at, number));
        };
        for view in &answers.views {
            for (id, member) in &view.members {
                since(&mut answers.present, *id, view.at, view.number);
                let role = if member.is_learner { &mut answers.learns } else { &mut answers.votes };
                since(role, *id, view.at, view.number);
            }
        }
        for change in &answers.changes {
            if let (Kind::Remove, Some(at)) = (change.kind, change.acknowledged) {
                since(&mut answers.gone, change.id, at, change.number);
            }
        }
        for view in answers.views.iter().filter(|view| view.fresh) {
            for (id, (present, _)) in &answers.present {
                let missing = *present < view.call && !view.members.contains_key(id);
                if missing && answers.may_have(Kind::Remove, *id, view.at) {
                    since(&mut answers.gone, *id, view.at, view.number);
                }
            }
        }
        answers
    }

    /// Whether a change of this kind may have taken effect by `at`.
    fn may_have(&self, kind: Kind, id: MemberId, at: Nanos) -> bool {
        self.changes.iter().any(|change| (change.kind, change.id) == (kind, id) && change.call < at)
    }

    /// Compares an answer's list of members with what else is known.
    fn judge_view(&self, view: &View<'_>, add: &mut impl FnMut(MemberId, Wrong)) {
        if let Some(own) = self.changes.iter().find(|change| change.number == view.number)
            && !shows(view, own)
        {
            let reason = format!("Its own list of the members has {}.", listed(view, own.id));
            let title = "a change of the members is acknowledged but not shown";
            add(own.id, Wrong { title, reason, shown_by: vec![view.number] });
            return;
        }
        let before = |since: &Since, id: MemberId| {
            since.get(&id).copied().filter(|(at, _)| view.fresh && *at < view.call)
        };
        for (id, (at, by)) in &self.present {
            let there = view.members.contains_key(id);
            if before(&self.present, *id).is_some() && !there && !self.may_have(Kind::Remove, *id, view.at) {
                let title = "a member is gone though nobody removed it";
                let reason = format!("Member {id} was there by {}.", describe::time(*at));
                add(*id, Wrong { title, reason, shown_by: vec![view.number, *by] });
            }
        }
        for (id, member) in &view.members {
            if let Some((at, by)) = before(&self.gone, *id) {
                let title = "a removed member is a member again";
                let reason = format!("Member {id} was gone by {}.", describe::time(at));
                add(*id, Wrong { title, reason, shown_by: vec![view.number, by] });
                continue;
            }
            let voted = before(&self.votes, *id).filter(|_| member.is_learner);
            if let Some((at, by)) = voted {
                let title = "a member that voted is a learner";
                let reason =
                    format!("Member {id} voted by {}; nothing takes a vote back.", describe::time(at));
                add(*id, Wrong { title, reason, shown_by: vec![view.number, by] });
            }
            // A voter never becomes a learner. So a member that is a learner in any answer was one from its addition
            // on, and votes only after a promotion.
            let learnt = self.learns.get(id).filter(|_| !member.is_learner);
            if let Some((_, by)) = learnt
                && !self.may_have(Kind::Promote, *id, view.at)
            {
                let title = "a learner votes though nobody promoted it";
                let reason = format!("Member {id} is a learner by {}.", by_number(*by));
                add(*id, Wrong { title, reason, shown_by: vec![view.number, *by] });
            }
            if let Some(allowed) = self.urls(*id, view)
                && !allowed.contains(&urls(&member.peer_urls))
            {
                let title = "a member has peer URLs that nobody gave it, or that were replaced";
                let allowed: Vec<String> = allowed.iter().map(|urls| urls.join(", ")).collect();
                let reason = format!(
                    "Member {id} has {}; it can have {}.",
                    member.peer_urls.join(", "),
                    allowed.join(" or ")
                );
                add(*id, Wrong { title, reason, shown_by: vec![view.number] });
            }
        }
    }

    /// The peer URLs that a member can have in an answer; `None` where they are not known.
    fn urls(&self, id: MemberId, view: &View<'_>) -> Option<Vec<Vec<&str>>> {
        let replaced = |since: Option<Nanos>| {
            let over = |update: &Change<'_>| {
                update.acknowledged.is_some_and(|at| at < view.call)
                    && since.is_some_and(|at| at < update.call)
            };
            view.fresh && self.of_kind(Kind::Update, id).any(over)
        };
        let updates = self.of_kind(Kind::Update, id).filter(|update| update.call < view.at);
        let mut allowed: Vec<_> = updates
            .filter(|update| !replaced(update.acknowledged))
            .map(|update| update.urls.clone())
            .collect();
        let added = self.of_kind(Kind::Add, id).next();
        // A member that was there from the beginning was added before all updates.
        if !replaced(added.map_or(Some(0), |added| added.acknowledged)) {
            allowed.push(added?.urls.clone());
        }
        Some(allowed)
    }

    /// The changes of a member that are of this kind.
    fn of_kind(&self, kind: Kind, id: MemberId) -> impl Iterator<Item = &Change<'a>> {
        self.changes.iter().filter(move |change| (change.kind, change.id) == (kind, id))
    }

    /// Checks an acknowledged change: of two removals or two promotions of a member, only one can have succeeded; and
    /// no change of a member that was gone can have succeeded.
    fn twice_or_too_late(&self, change: &Change<'_>) -> Option<(Nanos, Wrong)> {
        let at = change.acknowledged?;
        let once = matches!(change.kind, Kind::Remove | Kind::Promote);
        let mut others = self.of_kind(change.kind, change.id).filter(|other| other.acknowledged.is_some());
        if let Some(other) = others.find(|other| once && other.number < change.number) {
            let title = "two changes are acknowledged of which the second changes nothing";
            let reason = format!("The same was done by {}.", by_number(other.number));
            return Some((at, Wrong { title, reason, shown_by: vec![change.number, other.number] }));
        }
        let (gone, by) = self.gone.get(&change.id).copied().filter(|(gone, _)| *gone < change.call)?;
        let title = "a change of a removed member is acknowledged";
        let reason = format!("Member {} was gone by {}.", change.id, describe::time(gone));
        Some((at, Wrong { title, reason, shown_by: vec![change.number, by] }))
    }

    /// Checks an error: a member that was there all along is not "not found".
    fn refused(&self, number: usize, operation: &Operation) -> Option<(MemberId, Nanos, Wrong)> {
        let Outcome::Error { at, error } = operation.outcome else { return None };
        let (id, by, title, reason) = match (&operation.request, error) {
            (Request::MemberUpdate(request), Error::MemberNotFound) => {
                let id = MemberId::from_raft(request.id);
                let (there, by) = self.present.get(&id).filter(|(there, _)| *there < operation.call)?;
                if self.may_have(Kind::Remove, id, at) {
                    return None;
                }
                let reason =
                    format!("Member {id} was there by {}, and nobody removed it.", describe::time(*there));
                (id, *by, "an existing member is said not to exist", reason)
            }
            _ => return None,
        };
        Some((id, at, Wrong { title, reason, shown_by: vec![number, by] }))
    }
}

/// The change that an operation asks for; `None` for others, and for one that had no effect.
fn change(number: usize, operation: &Operation) -> Option<Change<'_>> {
    let acknowledged = match &operation.outcome {
        Outcome::Answer { at, .. } => Some(*at),
        Outcome::Error { error, .. } if leaves_promotion_open(*error) => None,
        Outcome::Error { error, .. } if is_definite(*error) => return None,
        _ => None,
    };
    let (kind, id, new) = match &operation.request {
        Request::MemberAdd(request) => {
            // Without an answer, the new member's id is not known.
            let Some(Response::MemberAdd(response)) = operation.response() else { return None };
            (Kind::Add, response.member.as_ref()?.id, &request.peer_urls[..])
        }
        Request::MemberRemove(request) => (Kind::Remove, request.id, &[][..]),
        Request::MemberUpdate(request) => (Kind::Update, request.id, &request.peer_urls[..]),
        Request::MemberPromote(request) => (Kind::Promote, request.id, &[][..]),
        _ => return None,
    };
    let id = MemberId::from_raft(id);
    Some(Change { kind, id, urls: urls(new), number, call: operation.call, acknowledged })
}

/// What an answer says about the members.
fn view(number: usize, operation: &Operation) -> Option<View<'_>> {
    let at = operation.returned()?;
    let (members, fresh) = match (operation.response()?, &operation.request) {
        (Response::MemberAdd(response), _) => (&response.members, true),
        (Response::MemberRemove(response), _) => (&response.members, true),
        (Response::MemberUpdate(response), _) => (&response.members, true),
        (Response::MemberPromote(response), _) => (&response.members, true),
        (Response::MemberList(response), Request::MemberList(request)) => {
            (&response.members, request.linearizable)
        }
        _ => return None,
    };
    let members = members.iter().map(|member| (MemberId::from_raft(member.id), member)).collect();
    Some(View { number, call: operation.call, at, fresh, members })
}

/// Whether the answer to a change shows it.
fn shows(view: &View<'_>, change: &Change<'_>) -> bool {
    let member = view.members.get(&change.id);
    match change.kind {
        Kind::Remove => member.is_none(),
        Kind::Promote => member.is_some_and(|member| !member.is_learner),
        Kind::Add | Kind::Update => member.is_some_and(|member| urls(&member.peer_urls) == change.urls),
    }
}

/// A sentence that says how the answer lists the member.
fn listed(view: &View<'_>, id: MemberId) -> String {
    let Some(member) = view.members.get(&id) else { return format!("no member {id}") };
    let role = if member.is_learner { "learner" } else { "voter" };
    format!("{role} {id} at {}", member.peer_urls.join(", "))
}

/// The number of an operation, as text.
fn by_number(number: usize) -> String {
    format!("operation #{number}")
}

/// URLs as members store them: trimmed and sorted.
fn urls(urls: &[String]) -> Vec<&str> {
    let mut urls: Vec<&str> = urls.iter().map(|url| url.trim()).collect();
    urls.sort_unstable();
    urls
}
