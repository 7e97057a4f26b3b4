//! N3: changes of the members that must be refused, and what a learner must not answer.
//!
//! A member checks a change by what it knows itself, which may be old. So a change is compared with a list that the
//! same process had answered before: it knew at least that list. Nobody else may have asked for a change since then,
//! and apart from the change, its answer must have the same members.
//!
//! A learner that has just joined does not know yet that it is one. So it is judged only once the same process has
//! shown that it has a part of the log: by a revision, or by a refusal as a learner.
//!
//! Not checked: how far a learner has caught up, except that a learner that never ran has not; how many members are
//! healthy.

use std::collections::BTreeMap;

use api::etcdserverpb::Member;
use api::{Error, Request, Response};
use record::{History, MemberId, Nanos, Operation, Outcome};

use super::{Limits, ended, ended_so, violation};
use crate::model::FIRST_REVISION;
use crate::{Context, Oracle, Sheet, answer, definite, describe};

/// The title of most violations.
const TAKEN: &str = "a change of the members is acknowledged that must be refused";

/// Judges a record by N3.
pub(super) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let learners = learners(context.history());
    let limits = context.expectations.limits.as_ref();
    let mut known: BTreeMap<MemberId, Known<'_>> = BTreeMap::new();
    let aware = aware(context, &learners);
    let others: Vec<Other> = Other::all(context.history());
    let (mut changes, mut asked, mut lists) = (0, 0, 0);
    for (number, operation) in ended(context) {
        let of = |title, sentence| violation(Oracle::N3, number, operation, title, sentence);
        let taken = |reason: String| {
            of(TAKEN, format!("{}, although it must be refused: {reason}.", ended_so(operation)))
        };
        let promoted = learners.get(&operation.member);
        if promoted.is_some_and(|promoted| operation.returned() < Some(*promoted))
            && is_aware(context, &aware, operation)
        {
            asked += 1;
            if let Some(title) = wrong_for_a_learner(operation) {
                let wrong = of(title, of_a_learner(operation));
                sheet.add(wrong.say("Nobody had asked for its promotion."));
            }
        }
        if let Some(reason) = given_too_much(context, &learners, operation) {
            sheet.add(taken(reason));
        }
        let (Some(list), Some(limits)) = (listed(operation), limits) else { continue };
        lists += 1;
        if let Some(reason) = impossible(list, limits) {
            let sentence =
                format!("{} with members as no change can make them: {reason}.", ended_so(operation));
            sheet.add(of("the members are as no change can make them", sentence));
        }
        if let Some(before) = known.get(&operation.member)
            && before.still_known(context, operation)
            && !others.iter().any(|other| other.is_besides(number, before.call, operation))
            && let Some(refusal) = compare(operation, before.list, list, limits)
        {
            changes += 1;
            if let Some(reason) = refusal {
                sheet.add(taken(reason));
            }
        }
        let Some(at) = operation.returned() else { continue };
        known.insert(operation.member, Known { call: operation.call, at, list });
    }
    sheet.checked(Oracle::N3, "changes of the members compared with their rules", changes);
    sheet.checked(Oracle::N3, "lists of the members compared with the limits", lists);
    sheet.checked(Oracle::N3, "answers and errors of learners", asked);
}

/// For each learner, the times at which operations ended that show that it has a part of the log, in order.
fn aware(context: &Context<'_>, learners: &BTreeMap<MemberId, Nanos>) -> BTreeMap<MemberId, Vec<Nanos>> {
    let mut aware: BTreeMap<MemberId, Vec<Nanos>> = BTreeMap::new();
    for (_, operation) in ended(context).filter(|(_, operation)| learners.contains_key(&operation.member)) {
        let shows = match &operation.outcome {
            Outcome::Answer { response, .. } => answer::revision(response.header()) > FIRST_REVISION,
            Outcome::Error { error, .. } => *error == Error::NotSupportedForLearner,
            Outcome::Unknown { .. } => false,
        };
        if let Some(at) = operation.returned().filter(|_| shows) {
            aware.entry(operation.member).or_default().push(at);
        }
    }
    aware.values_mut().for_each(|times| times.sort_unstable());
    aware
}

/// Whether the process that ended the operation had shown before that it has a part of the log.
fn is_aware(context: &Context<'_>, aware: &BTreeMap<MemberId, Vec<Nanos>>, operation: &Operation) -> bool {
    let until = operation.returned().unwrap_or(operation.call);
    let starts = context.starts().iter().filter(|(member, at)| *member == operation.member && *at <= until);
    let Some(start) = starts.map(|(_, at)| *at).max() else { return false };
    aware.get(&operation.member).is_some_and(|times| {
        let after = times.partition_point(|at| *at < start);
        times.get(after).is_some_and(|at| *at < operation.call)
    })
}

/// A list in a member's answer.
struct Known<'a> {
    call: Nanos,
    at: Nanos,
    list: &'a [Member],
}

impl Known<'_> {
    /// Whether the process that answers the operation is the one that gave this list before.
    fn still_known(&self, context: &Context<'_>, operation: &Operation) -> bool {
        let until = operation.returned().unwrap_or(operation.call);
        let restarted =
            |(member, at): &(MemberId, Nanos)| *member == operation.member && self.call < *at && *at <= until;
        self.at < operation.call && !context.starts().is_empty() && !context.starts().iter().any(restarted)
    }
}

/// A change of the members that may have been made.
struct Other {
    number: usize,
    call: Nanos,
    /// When it was answered; the end of time, if it was not.
    until: Nanos,
}

impl Other {
    /// All changes of a history.
    fn all(history: &History) -> Vec<Other> {
        let other = |(number, operation): (usize, &Operation)| {
            let changes = matches!(
                operation.request,
                Request::MemberAdd(_) | Request::MemberRemove(_) | Request::MemberPromote(_)
            );
            let refused =
                matches!(operation.outcome, Outcome::Error { error, .. } if definite::is_definite(error));
            let until = operation.response().and_then(|_| operation.returned()).unwrap_or(Nanos::MAX);
            (changes && !refused).then_some(Other { number, call: operation.call, until })
        };
        history.operations.iter().enumerate().filter_map(other).collect()
    }

    /// Whether it is not this operation, and may have been made after `since` and before the operation's end.
    fn is_besides(&self, number: usize, since: Nanos, operation: &Operation) -> bool {
        let end = operation.returned().unwrap_or(Nanos::MAX);
        self.number != number && self.call <= end && self.until >= since
    }
}

/// The members in an answer.
fn listed(operation: &Operation) -> Option<&[Member]> {
    match operation.response()? {
        Response::MemberAdd(response) => Some(&response.members),
        Response::MemberRemove(response) => Some(&response.members),
        Response::MemberUpdate(response) => Some(&response.members),
        Response::MemberPromote(response) => Some(&response.members),
        Response::MemberList(response) => Some(&response.members),
        _ => None,
    }
}

/// Why no change can make these members.
fn impossible(list: &[Member], limits: &Limits) -> Option<String> {
    let learners = list.iter().filter(|member| member.is_learner).count();
    if learners as u64 > u64::from(limits.max_learners) {
        return Some(format!("there are {learners} learners, and at most {} may be", limits.max_learners));
    }
    let mut urls: Vec<(&String, u64)> =
        list.iter().flat_map(|member| member.peer_urls.iter().map(|url| (url, member.id))).collect();
    urls.sort_unstable();
    let twice = urls.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1)?;
    Some(format!("two members have the peer URL {}", twice[0].0))
}

/// The members that joined as learners, each with the time at which its promotion or its removal was requested first;
/// the end of time, if never. A member that applied its own removal is no learner either, until its process ends.
fn learners(history: &History) -> BTreeMap<MemberId, Nanos> {
    let added = |operation: &Operation| match (&operation.request, operation.response()) {
        (Request::MemberAdd(add), Some(Response::MemberAdd(response))) if add.is_learner => {
            Some((MemberId::from_raft(response.member.as_ref()?.id), Nanos::MAX))
        }
        _ => None,
    };
    let mut learners: BTreeMap<MemberId, Nanos> = history.operations.iter().filter_map(added).collect();
    for operation in &history.operations {
        let member = match &operation.request {
            Request::MemberPromote(promote) => promote.id,
            Request::MemberRemove(remove) => remove.id,
            _ => continue,
        };
        let refused = matches!(operation.outcome, Outcome::Error { error, .. }
            if definite::is_definite(error) && !definite::leaves_promotion_open(error));
        if let Some(first) = learners.get_mut(&MemberId::from_raft(member)).filter(|_| !refused) {
            *first = operation.call.min(*first);
        }
    }
    learners
}

/// The title of the violation, if a learner must not end the operation like this.
fn wrong_for_a_learner(operation: &Operation) -> Option<&'static str> {
    let serves = match &operation.request {
        Request::Status(_) => true,
        // The history has several changes at once as a removal, because etcd's API has no request for them.
        Request::MemberRemove(_) => true,
        Request::Range(range) => range.serializable && !operation.streamed,
        _ => false,
    };
    match operation.outcome {
        _ if serves => None,
        Outcome::Answer { .. } => Some("a learner answered what it must refuse"),
        Outcome::Error { error, .. } => {
            let own = matches!(
                error,
                Error::NotSupportedForLearner | Error::Stopped | Error::NoLeader | Error::NoRangeStream
            );
            (!own).then_some("a learner refused by another error what it does not serve")
        }
        Outcome::Unknown { .. } => None,
    }
}

/// What a learner answered and what it must answer; a sentence.
fn of_a_learner(operation: &Operation) -> String {
    let how = match operation.outcome {
        Outcome::Error { error, .. } => format!(" with \"{error}\""),
        _ => String::new(),
    };
    format!(
        "Member {}, a learner, answered {}{how} at {}; a learner must refuse it with \"{}\".",
        operation.member,
        describe::whose(operation),
        describe::time(operation.returned().unwrap_or(operation.call)),
        Error::NotSupportedForLearner
    )
}

/// Why an acknowledged operation gave a member a role that it cannot have: a vote to one that never ran, or leadership
/// to one that is no voter.
fn given_too_much(
    context: &Context<'_>,
    learners: &BTreeMap<MemberId, Nanos>,
    operation: &Operation,
) -> Option<String> {
    operation.response()?;
    let at = operation.returned()?;
    let never_ran = |member: MemberId| {
        let mut starts = context.starts().iter();
        !context.starts().is_empty() && !starts.any(|(other, start)| *other == member && *start <= at)
    };
    match &operation.request {
        Request::MemberPromote(promote) => {
            let member = MemberId::from_raft(promote.id);
            never_ran(member).then(|| format!("member {member} had never run, so it has nothing of the log"))
        }
        Request::MoveLeader(transfer) => {
            let member = MemberId::from_raft(transfer.target_id);
            let learns = learners.get(&member).is_some_and(|promoted| at < *promoted);
            (learns || never_ran(member)).then(|| format!("member {member} was no voter"))
        }
        _ => None,
    }
}

/// The size of a majority.
fn quorum(members: usize) -> usize {
    members / 2 + 1
}

/// Compares a change with the members before and after it. `None` if it is no change that is checked here, or if
/// something else changed too; otherwise why it must be refused, if it must.
#[expect(clippy::option_option, reason = "not checked; checked and right")]
fn compare(
    operation: &Operation,
    before: &[Member],
    after: &[Member],
    limits: &Limits,
) -> Option<Option<String>> {
    let roles = |list: &[Member]| -> BTreeMap<u64, bool> {
        list.iter().map(|member| (member.id, member.is_learner)).collect()
    };
    let (mut expected, after_roles) = (roles(before), roles(after));
    // Names only ever become known: a member without a name after the change had none when the change was checked.
    let started =
        |id: u64| after.iter().chain(before).any(|member| member.id == id && !member.name.is_empty());
    let voters = |without: u64| -> Vec<u64> {
        let votes = before.iter().filter(|member| !member.is_learner && member.id != without);
        votes.map(|member| member.id).collect()
    };
    let strict = |refusal: Option<String>| refusal.filter(|_| limits.strict_reconfig);
    let refusal = match (&operation.request, operation.response()?) {
        (Request::MemberAdd(add), Response::MemberAdd(response)) => {
            let id = response.member.as_ref()?.id;
            expected.insert(id, add.is_learner);
            let voters = voters(0);
            let begun = voters.iter().filter(|id| started(**id)).count();
            let grows_from_one = voters.len() == 1 && begun == 1;
            let too_few = !add.is_learner && !grows_from_one && begun < quorum(voters.len() + 1);
            strict(too_few.then(|| {
                format!(
                    "of {} voters {begun} had started; with one more, {} must have",
                    voters.len(),
                    quorum(voters.len() + 1)
                )
            }))
        }
        (Request::MemberRemove(remove), Response::MemberRemove(_)) => match expected.remove(&remove.id) {
            None | Some(true) => None,
            Some(false) => {
                let others = voters(remove.id);
                let begun = others.iter().filter(|id| started(**id)).count();
                strict((begun < quorum(others.len())).then(|| {
                    format!(
                        "of the {} other voters {begun} had started; {} must have",
                        others.len(),
                        quorum(others.len())
                    )
                }))
            }
        },
        _ => return None,
    };
    (expected == after_roles).then_some(refusal)
}
