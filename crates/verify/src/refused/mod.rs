//! N1 to N3: what must be refused is refused, by etcd's own error, and nothing is refused by an error that it cannot
//! earn.
//!
//! | file | what it judges |
//! |---|---|
//! | `form` | N1: requests that are refused whatever the state is, because of their form or their size |
//! | `earned` | N1: which requests can earn which error |
//! | `tokens` | N2: tokens that no login has issued, tokens that have expired, and tokens that are valid |
//! | `members` | N3: changes of the members that would cost the quorum or that are refused for another reason, and what a learner must not answer |
//! | `switches` | when authentication can be on, and when it must be |
//!
//! Only what is certain counts: a request without an answer proves nothing, and where a member may have looked at an
//! older state, both outcomes are right. Passwords, rights and all errors that depend on keys, leases and compactions
//! are K1's; watchers are W12's.
//!
//! Not checked: which of two reasons comes first, if the state decides one of them; errors because of load, alarms and
//! time-outs; that a change of the members is refused although it is
//! allowed.

mod earned;
mod form;
mod members;
mod switches;
mod tokens;

use record::{Nanos, Operation, Outcome};

use crate::{Context, Oracle, Sheet, Violation, describe};
use switches::Switches;

/// The settings on which a refusal depends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--max-request-bytes`.
    pub max_request_bytes: u64,
    /// `--max-learners`.
    pub max_learners: u32,
    /// `--strict-reconfig-check`.
    pub strict_reconfig: bool,
    /// How long a token lives after its last use; `None` if a clock of a member may stand still.
    pub token_ttl: Option<Nanos>,
}

/// Judges a record by N1 to N3.
pub(crate) fn judge(context: &Context<'_>, sheet: &mut Sheet) {
    let switches = Switches::of(context.history());
    form::judge(context, sheet);
    earned::judge(context, &switches, sheet);
    tokens::judge(context, &switches, sheet);
    members::judge(context, sheet);
}

/// A violation that one operation shows. The sentence says what happened and why that is wrong: it is the headline if
/// nothing inside the cluster explains more.
fn violation(
    oracle: Oracle,
    number: usize,
    operation: &Operation,
    title: &str,
    sentence: String,
) -> Violation {
    let time = operation.returned().unwrap_or(operation.call);
    Violation::new(oracle, time, title).say(sentence).shown_by([number])
}

/// How an operation ended, to begin a sentence with.
fn ended_so(operation: &Operation) -> String {
    let who = describe::who(operation);
    let by = describe::by_member(" by", operation.member);
    let at = describe::time(operation.returned().unwrap_or(operation.call));
    match operation.outcome {
        Outcome::Error { error, .. } => format!("{who} was answered with \"{error}\"{by} at {at}"),
        _ => format!("{who} was answered{by} at {at}"),
    }
}

/// The operations that have ended with an answer or an error, with their numbers.
fn ended<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (usize, &'a Operation)> {
    let operations = context.history().operations.iter().enumerate();
    operations.filter(|(_, operation)| !matches!(operation.outcome, Outcome::Unknown { .. }))
}
