//! Checks the operations whose answer has no revision, so that they are loose in the order of revisions: compactions,
//! and errors that depend on the state of the store.
//!
//! Besides its keys, the store has a compacted revision, which only grows and appears in no answer. Each compaction,
//! each read at a revision and each error claims something about it, for example that it was below 5 at that moment.
//! These operations are the nodes of a graph. An edge says that its first node comes before its second:
//!
//! * every operation comes before those that were called after it had returned;
//! * each compaction comes before the next higher one;
//! * a read at revision R that was answered comes before the first compaction beyond R, and before every operation
//!   that was refused because R was compacted;
//! * the first compaction beyond R comes before every operation that was refused because R was compacted.
//!
//! Following the edges, every node gets the earliest position in the order of revisions that it can have. A cycle, or
//! a node whose earliest position is later than real time allows, is a violation. Otherwise the order of the graph is
//! a linearization.

use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::response_op::Response as OpResponse;
use api::etcdserverpb::{RequestOp, ResponseOp, TxnRequest, TxnResponse};
use api::{Error, Part, Request, Response};
use record::{History, Nanos, Outcome};

use super::order::{NOBODY, Order};
use super::place::{Place, Position, is_write};
use super::realtime::{Bound, Window};
use crate::definite::{is_modelled, over_at};
use crate::model::{self, Model};
use crate::{Oracle, Violation, describe};

/// What an operation claims about the state of the store by its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// The compacted revision is at most this.
    NotCompacted(i64),
    /// The compacted revision is more than this.
    Compacted(i64),
    /// The operation is a compaction: it moves the compacted revision to this one.
    Compacts(i64),
    /// The newest revision is less than this. The error was that the request names a revision of the future.
    Future(i64),
    /// The model must give this error at some position of the node.
    Refused(Error),
}

/// An operation without a revision, or a compaction that a member proposed itself.
struct Node {
    /// The operation's number; [`NOBODY`] for a compaction that a member proposed itself.
    operation: u32,
    /// What its answer says about the store.
    claim: Claim,
    /// The lowest position that real time and the claim allow.
    floor: Bound,
    /// The highest position that real time and the claim allow.
    ceiling: Bound,
    /// When it was called. It cannot come before anything that returned earlier.
    call: Nanos,
    /// When it was certainly over; `None` if it may still take effect.
    over: Option<Nanos>,
}

/// What may have happened to the store although the order of revisions does not have it.
#[derive(Clone, Copy, Debug)]
pub struct OutsideOrder {
    /// Operations without an answer may have taken effect, because there is no evidence.
    pub open: bool,
    /// Other clients may have made revisions.
    pub wrote: bool,
    /// Other clients may have compacted.
    pub compacted: bool,
}

/// Checks all operations that the order of revisions does not place, and returns how many there are. `somewhere` are
/// those with an answer, `open` those without. `model` has every revision and was never compacted.
pub fn check(
    history: &History,
    order: &Order,
    somewhere: &[Window],
    open: &[Window],
    outside: OutsideOrder,
    model: &Model,
    violations: &mut Vec<Violation>,
) -> usize {
    let possible = if outside.open { open } else { &[] };
    let mut graph = Graph::new(history, order, somewhere, open, possible, violations);
    graph.others = outside.compacted;
    graph.settle(model, !possible.is_empty() || outside.wrote, violations);
    graph.nodes.len()
}

/// The graph that the head of this file describes.
struct Graph<'a> {
    history: &'a History,
    nodes: Vec<Node>,
    /// The compactions that took effect, by revision: the revision and the node.
    compactions: Vec<(i64, usize)>,
    /// Compactions without an answer, which may have taken effect: the revision that each compacts to, and when it
    /// was called.
    possible: Vec<(i64, Nanos)>,
    /// Whether clients or members may have compacted without an operation in the history.
    others: bool,
}

impl<'a> Graph<'a> {
    fn new(
        history: &'a History,
        order: &Order,
        somewhere: &[Window],
        open: &[Window],
        possible: &[Window],
        violations: &mut Vec<Violation>,
    ) -> Graph<'a> {
        let mut graph = Graph {
            history,
            nodes: Vec::new(),
            compactions: Vec::new(),
            possible: Vec::new(),
            others: false,
        };
        for window in somewhere {
            graph.take_unplaced(window, violations);
        }
        for window in open {
            let Request::Compact(request) = &history.operations[window.operation as usize].request else {
                continue;
            };
            if order.compactions.iter().any(|compaction| compaction.operation == window.operation) {
                graph.add(window, Claim::Compacts(request.revision));
            } else if !possible.is_empty() {
                graph.possible.push((request.revision, history.operations[window.operation as usize].call));
            }
        }
        for compaction in order.compactions.iter().filter(|compaction| compaction.operation == NOBODY) {
            graph.nodes.push(Node {
                operation: NOBODY,
                claim: Claim::Compacts(compaction.revision),
                floor: Bound { position: compaction.position.settled(), by: NOBODY },
                ceiling: Bound { position: compaction.position.settled(), by: NOBODY },
                call: compaction.time,
                over: None,
            });
        }
        // Reads at a revision have a place already. They are needed here only if something was compacted.
        let compacted = |node: &Node| matches!(node.claim, Claim::Compacted(_) | Claim::Compacts(_));
        if graph.nodes.iter().any(compacted) {
            graph.take_reads_of_the_past(order);
        }
        graph.nodes.sort_by_key(|node| node.call);
        graph.order_compactions(violations);
        graph
    }

    /// Adds a node for an operation. Its claim narrows the window that real time allows.
    fn add(&mut self, window: &Window, claim: Claim) {
        let (mut floor, mut ceiling) = (window.floor, window.ceiling);
        match claim {
            Claim::Compacts(revision) => {
                let least = Position::during(revision);
                if least > floor.position {
                    floor = Bound { position: least, by: NOBODY };
                }
            }
            Claim::Future(revision) => {
                let most = Position::making(revision).settled_before();
                if most < ceiling.position {
                    ceiling = Bound { position: most, by: NOBODY };
                }
            }
            _ => {}
        }
        floor.position = floor.position.settled();
        ceiling.position = ceiling.position.settled_before();
        let operation = window.operation;
        let (call, over) = self.times(operation);
        self.nodes.push(Node { operation, claim, floor, ceiling, call, over });
    }

    /// When the operation was called, and when it was certainly over.
    fn times(&self, operation: u32) -> (Nanos, Option<Nanos>) {
        let operation = &self.history.operations[operation as usize];
        (operation.call, over_at(operation))
    }

    /// Adds a node for an operation that has an answer without a revision, or reports at once that the answer is
    /// wrong.
    fn take_unplaced(&mut self, window: &Window, violations: &mut Vec<Violation>) {
        let operation = &self.history.operations[window.operation as usize];
        let claim = match (&operation.request, &operation.outcome) {
            // Revisions below 0 count as compacted from the beginning.
            (Request::Compact(request), Outcome::Answer { .. }) if request.revision < 0 => {
                violations.push(compacted_to_nothing(self.history, window.operation));
                return;
            }
            (Request::Compact(request), Outcome::Answer { .. }) => Claim::Compacts(request.revision),
            (_, Outcome::Error { error, .. }) if !is_modelled(*error) => return,
            // `model::check` returns the error that the request always gets, whatever the store holds.
            (request, Outcome::Error { at, error }) => match (request, *error, model::check(request)) {
                (_, error, Err(expected)) if error == expected => return,
                (_, error, Err(expected)) => {
                    violations.push(wrong_error(self.history, window.operation, *at, error, Some(expected)));
                    return;
                }
                // A streamed range stays at the revision of its first chunk, which may be compacted before the last one.
                (Request::Range(request), Error::Compacted, _)
                    if operation.streamed && request.revision <= 0 =>
                {
                    return;
                }
                (Request::Range(request), Error::Compacted, _) if request.revision > 0 => {
                    Claim::Compacted(request.revision)
                }
                (Request::Range(request), Error::FutureRev, _) if request.revision > 0 => {
                    Claim::Future(request.revision)
                }
                // A compaction to the compacted revision itself is refused too. So the refusal only says that the
                // compacted revision is more than the one before.
                (Request::Compact(request), Error::Compacted, _) => {
                    Claim::Compacted(request.revision.saturating_sub(1))
                }
                (Request::Compact(request), Error::FutureRev, _) => Claim::Future(request.revision),
                (Request::Txn(request), Error::Compacted, _) => match oldest_read(request) {
                    Some(revision) => Claim::Compacted(revision),
                    None => {
                        violations.push(wrong_error(self.history, window.operation, *at, *error, None));
                        return;
                    }
                },
                (Request::Put(_), Error::KeyNotFound, _)
                | (Request::Txn(_), Error::KeyNotFound | Error::FutureRev, _) => Claim::Refused(*error),
                // With evidence these operations have a place and are checked by the replay. Without it, the order of
                // lease operations is not known, so these errors cannot be checked.
                (Request::Put(_) | Request::Txn(_), Error::LeaseNotFound, _)
                | (Request::LeaseGrant(_), Error::LeaseExists, _)
                | (Request::LeaseRevoke(_), Error::LeaseNotFound, _) => return,
                (_, error, _) => {
                    violations.push(wrong_error(self.history, window.operation, *at, error, None));
                    return;
                }
            },
            _ => return,
        };
        self.add(window, claim);
    }

    /// Adds a node for each answered operation that read at a given revision: at that moment it was not compacted.
    fn take_reads_of_the_past(&mut self, order: &Order) {
        for (number, operation) in self.history.operations.iter().enumerate() {
            let Place::At(position) = order.places[number] else { continue };
            let revision = match (&operation.request, operation.response()) {
                (Request::Range(request), Some(_)) if request.revision > 0 => Some(request.revision),
                (Request::Txn(request), Some(Response::Txn(response))) => oldest_read_done(request, response),
                _ => None,
            };
            if let Some(revision) = revision {
                let here = Bound { position, by: number as u32 };
                let operation = number as u32;
                let claim = Claim::NotCompacted(revision);
                let (call, over) = self.times(operation);
                self.nodes.push(Node { operation, claim, floor: here, ceiling: here, call, over });
            }
        }
    }

    /// Sorts the compactions by revision. Reports a revision to which the store was compacted twice.
    fn order_compactions(&mut self, violations: &mut Vec<Violation>) {
        for (at, node) in self.nodes.iter().enumerate() {
            if let Claim::Compacts(revision) = node.claim {
                self.compactions.push((revision, at));
            }
        }
        self.compactions.sort_unstable();
        let (history, nodes) = (self.history, &self.nodes);
        self.compactions.dedup_by(|next, kept| {
            let duplicate = next.0 == kept.0;
            if duplicate {
                violations.push(compacted_twice(history, nodes[kept.1].operation, nodes[next.1].operation));
            }
            duplicate
        });
    }

    /// The node of the first compaction beyond `revision`.
    fn first_beyond(&self, revision: i64) -> Option<usize> {
        let at = self.compactions.partition_point(|(compacted, _)| *compacted <= revision);
        self.compactions.get(at).map(|(_, node)| *node)
    }

    /// The edges of the graph: for each node, the nodes that come after it.
    ///
    /// One edge for each pair of operations that real time orders would be too many edges. Instead, every call is a
    /// node of its own, too. It leads to the next call and to its operation, and each operation leads to the first call
    /// after its return.
    fn edges(&self, violations: &mut Vec<Violation>) -> Vec<Vec<usize>> {
        let count = self.nodes.len();
        // Nodes are numbered in the order of calls. The call of node `at` is node `count + at`.
        let mut edges: Vec<Vec<usize>> = vec![Vec::new(); 2 * count];
        for (at, node) in self.nodes.iter().enumerate() {
            edges[count + at].push(at);
            if at + 1 < count {
                edges[count + at].push(count + at + 1);
            }
            if let Some(returned) = node.over {
                let next = self.nodes.partition_point(|other| other.call <= returned);
                if next < count {
                    edges[at].push(count + next);
                }
            }
            match node.claim {
                Claim::NotCompacted(revision) => edges[at].extend(self.first_beyond(revision)),
                Claim::Compacted(revision) => match self.first_beyond(revision) {
                    Some(compaction) if !self.may_be_compacted(node, revision) => edges[compaction].push(at),
                    None if !self.may_be_compacted(node, revision) => {
                        violations.push(never_compacted(self.history, node.operation, revision));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        for pair in self.compactions.windows(2) {
            edges[pair[0].1].push(pair[1].1);
        }
        self.refusals(&mut edges);
        edges
    }

    /// Adds edges to the operations that were refused because a revision was compacted (refusals). A refusal of
    /// revision R comes after all reads that still returned R or an earlier revision, even if it is not known what
    /// compacted R. Each refused revision gets an extra node: those reads lead to it, and it leads to the refusals of
    /// that revision and to the extra node of the next higher refused revision.
    fn refusals(&self, edges: &mut Vec<Vec<usize>>) {
        let mut refused: Vec<(i64, usize)> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            if let Claim::Compacted(revision) = node.claim {
                refused.push((revision, at));
            }
        }
        refused.sort_unstable();
        let first = edges.len();
        let mut revisions: Vec<i64> = Vec::new();
        for of_revision in refused.chunk_by(|one, next| one.0 == next.0) {
            if !revisions.is_empty() {
                edges[first + revisions.len() - 1].push(first + revisions.len());
            }
            revisions.push(of_revision[0].0);
            edges.push(of_revision.iter().map(|(_, at)| *at).collect());
        }
        for (at, node) in self.nodes.iter().enumerate() {
            if let Claim::NotCompacted(revision) | Claim::Compacts(revision) = node.claim {
                let next = revisions.partition_point(|refused| *refused < revision);
                if next < revisions.len() {
                    edges[at].push(first + next);
                }
            }
        }
    }

    /// Whether the error "compacted" may have another reason than a compaction in the graph: the revision is below
    /// -1, which counts as the compacted revision of an empty store; or a compaction may have taken effect that has
    /// no answer or is not in the history.
    fn may_be_compacted(&self, node: &Node, revision: i64) -> bool {
        let explains = |(to, call): &(i64, Nanos)| *to > revision && node.over.is_none_or(|at| *call <= at);
        revision < -1 || self.others || self.possible.iter().any(explains)
    }

    /// Gives every node its earliest position, in topological order, and reports nodes that have none. `more` says
    /// that revisions may have been made that the model does not have.
    fn settle(&mut self, model: &Model, more: bool, violations: &mut Vec<Violation>) {
        let edges = self.edges(violations);
        let count = self.nodes.len();
        let mut waiting = vec![0_u32; edges.len()];
        edges.iter().flatten().for_each(|to| waiting[*to] += 1);
        let mut earliest: Vec<Bound> = vec![Bound { position: Position::START, by: NOBODY }; edges.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            earliest[at] = node.floor;
        }
        let mut ready: Vec<usize> = (0..edges.len()).filter(|at| waiting[*at] == 0).collect();
        while let Some(at) = ready.pop() {
            if at < count {
                self.place(at, &mut earliest[at], model, more, violations);
            }
            for to in &edges[at] {
                if earliest[at].position > earliest[*to].position {
                    let by = if at < count { self.nodes[at].operation } else { earliest[at].by };
                    earliest[*to] = Bound { position: earliest[at].position, by };
                }
                waiting[*to] -= 1;
                if waiting[*to] == 0 {
                    ready.push(*to);
                }
            }
        }
        let stuck: Vec<u32> =
            (0..count).filter(|at| waiting[*at] > 0).map(|at| self.nodes[at].operation).collect();
        if !stuck.is_empty() {
            let own = self.nodes.iter().filter(|node| node.operation == NOBODY);
            violations.push(cycle(self.history, &stuck, own.map(|node| node.call).max()));
        }
    }

    /// Raises the earliest position of one node until its claim holds there, or reports that there is no such
    /// position.
    fn place(
        &self,
        at: usize,
        earliest: &mut Bound,
        model: &Model,
        more: bool,
        violations: &mut Vec<Violation>,
    ) {
        let node = &self.nodes[at];
        if let Claim::Refused(error) = node.claim {
            let operation = &self.history.operations[node.operation as usize];
            // After the last known revision, any operation without an answer may have taken effect, and any error may
            // be right.
            let last = Position::during(model.revision());
            let unknown = more && node.ceiling.position > last;
            let until = node.ceiling.position.min(last).revision();
            // Only the revisions of changes are tried, because the model's answer stays the same until the next
            // change. Trying every revision could take very long, because a wrong answer can name a very high one.
            let from = earliest.position.revision();
            let mut revisions = std::iter::once(from).chain(model.changed_after(from));
            let fits = |revision: &i64| {
                *revision <= until && model.refused_at(&operation.request, *revision) == Err(error)
            };
            match revisions.find(fits) {
                Some(revision) => earliest.position = Position::during(revision).max(earliest.position),
                None if unknown => {}
                None => {
                    let time = operation.returned().unwrap_or(operation.call);
                    violations.push(wrong_error(self.history, node.operation, time, error, None));
                }
            }
        } else if earliest.position > node.ceiling.position {
            violations.push(no_place(self.history, node, earliest));
        } else if let Claim::Compacts(revision) = node.claim
            && revision > model.revision()
            && !more
        {
            violations.push(no_place(self.history, node, earliest));
        }
    }
}

/// The lowest revision that a transaction may read at, in any of its branches. (A Range on its own treats a negative
/// revision as the newest; a Range in a transaction does not.)
fn oldest_read(txn: &TxnRequest) -> Option<i64> {
    let revision = |part: Part<'_>| match part {
        Part::Range(range) if range.revision != 0 => Some(range.revision),
        _ => None,
    };
    txn.parts().filter_map(revision).min()
}

/// The lowest revision that a transaction did read at, by the branches that ran.
fn oldest_read_done(txn: &TxnRequest, response: &TxnResponse) -> Option<i64> {
    let branch = if response.succeeded { &txn.success } else { &txn.failure };
    let of_op = |(op, response): (&RequestOp, &ResponseOp)| match (&op.request, &response.response) {
        (Some(Op::RequestRange(range)), _) if range.revision != 0 => Some(range.revision),
        (Some(Op::RequestTxn(nested)), Some(OpResponse::ResponseTxn(response))) => {
            oldest_read_done(nested, response)
        }
        _ => None,
    };
    branch.iter().zip(&response.responses).filter_map(of_op).min()
}

/// The oracle that a wrong answer to this operation violates.
fn oracle(history: &History, operation: u32) -> Oracle {
    let operation = &history.operations[operation as usize];
    let compaction = matches!(operation.request, Request::Compact(_));
    let past = matches!(operation.outcome, Outcome::Error { error: Error::Compacted | Error::FutureRev, .. });
    if compaction || past || !is_write(&operation.request) { Oracle::K3 } else { Oracle::K1 }
}

/// A sentence that says how and when the operation was answered.
fn answered(history: &History, operation: u32) -> String {
    let Some(operation) = history.operations.get(operation as usize) else {
        return "A member compacted on its own.".to_string();
    };
    let who = describe::who(operation);
    match &operation.outcome {
        Outcome::Answer { at, .. } => format!("{who} was answered at {}.", describe::time(*at)),
        Outcome::Error { at, error } => {
            format!("{who} was answered with \"{error}\" at {}.", describe::time(*at))
        }
        Outcome::Unknown { .. } => format!("{who} was called at {}.", describe::time(operation.call)),
    }
}

/// The violation that an operation was refused with an error that does not fit the store.
fn wrong_error(
    history: &History,
    operation: u32,
    at: Nanos,
    error: Error,
    expected: Option<Error>,
) -> Violation {
    Violation::new(oracle(history, operation), at, "an error without a reason")
        .say(format!(
            "{} was answered with \"{error}\" at {}.",
            describe::who(&history.operations[operation as usize]),
            describe::time(at)
        ))
        .say(match expected {
            Some(expected) => format!("etcd answers such a request with \"{expected}\"."),
            None => "There was no reason for that error at any moment between its call and its answer."
                .to_string(),
        })
        .shown_by([operation as usize])
}

/// The violation that an operation was refused because of a compaction that nobody had asked for.
fn never_compacted(history: &History, operation: u32, revision: i64) -> Violation {
    let time = history.operations[operation as usize].returned().unwrap_or(0);
    Violation::new(Oracle::K3, time, "a revision is said to be compacted, but never was")
        .say(answered(history, operation))
        .say(format!("No compaction beyond revision {revision} had been asked for by then."))
        .shown_by([operation as usize])
}

/// The violation that two compactions to the same revision were accepted.
fn compacted_twice(history: &History, one: u32, other: u32) -> Violation {
    let both = || [one, other].into_iter().filter(|number| *number != NOBODY).map(|number| number as usize);
    let time = both().filter_map(|number| history.operations[number].returned()).max().unwrap_or(0);
    Violation::new(Oracle::K3, time, "the same compaction was accepted twice")
        .say(answered(history, one))
        .say(answered(history, other))
        .say("The second should have been refused: that revision was compacted already.")
        .shown_by(both())
}

/// The violation that a compaction to a negative revision was accepted.
fn compacted_to_nothing(history: &History, operation: u32) -> Violation {
    let time = history.operations[operation as usize].returned().unwrap_or(0);
    Violation::new(Oracle::K3, time, "a compaction to a revision below 0 was accepted")
        .say(answered(history, operation))
        .say("It should have been refused: nothing is below what an empty store is compacted to.")
        .shown_by([operation as usize])
}

/// The violation for a cycle. `stuck` are the operations on it or after it; `own` is the time at which a member last
/// compacted on its own, if one did.
fn cycle(history: &History, stuck: &[u32], own: Option<Nanos>) -> Violation {
    let returned = |number: &u32| history.operations.get(*number as usize).and_then(|one| one.returned());
    let time = stuck.iter().filter_map(returned).max().unwrap_or(0);
    let mut violation =
        Violation::new(Oracle::K3, time, "compactions and reads of the past contradict each other");
    let mut sorted = stuck.to_vec();
    if let Some(own) = own {
        violation = violation.say(format!("A member compacted on its own at {}.", describe::time(own)));
    }
    sorted.retain(|number| *number != NOBODY);
    sorted.sort_by_key(returned);
    for number in sorted.iter().take(2) {
        violation = violation.say(answered(history, *number));
    }
    violation
        .say("No order of these operations agrees both with real time and with what was compacted when.")
        .shown_by(sorted.iter().take(6).map(|number| *number as usize))
}

/// The violation for a node whose earliest position is later than its ceiling.
fn no_place(history: &History, node: &Node, earliest: &Bound) -> Violation {
    let operation = history.operations.get(node.operation as usize);
    let time = operation.map_or(node.call, |operation| operation.returned().unwrap_or(operation.call));
    let title = match node.claim {
        Claim::Future(_) => "a revision is said to lie in the future, but was known already",
        // The place of a member's own compaction is known, so what contradicts it is a read that must come before it.
        Claim::Compacts(_) if operation.is_none() => "a read returned a revision that was compacted already",
        Claim::Compacts(_) => "a compaction to a revision that did not exist yet was accepted",
        Claim::NotCompacted(_) => "a read returned a revision that was compacted already",
        Claim::Compacted(_) | Claim::Refused(_) => "an answer came too early or too late",
    };
    let oracle = operation.map_or(Oracle::K3, |_| oracle(history, node.operation));
    let mut violation = Violation::new(oracle, time, title).say(match (operation, node.claim) {
        (None, Claim::Compacts(revision)) => format!(
            "A member compacted to revision {revision} on its own, when the newest was {}.",
            node.ceiling.position.revision()
        ),
        _ => answered(history, node.operation),
    });
    violation = violation.shown_by(operation.map(|_| node.operation as usize));
    for (bound, when) in [(earliest, "It comes after"), (&node.ceiling, "It comes before")] {
        if bound.by != NOBODY && bound.by != node.operation {
            let other = describe::operation(&history.operations[bound.by as usize]);
            violation = violation.say(format!("{when} {other}.")).shown_by([bound.by as usize]);
        }
    }
    violation
}

#[cfg(test)]
mod tests {
    use api::etcdserverpb::{RangeRequest, RangeResponse};

    use super::*;

    fn read(revision: i64) -> RequestOp {
        let range = RangeRequest { revision, ..RangeRequest::default() };
        RequestOp { request: Some(Op::RequestRange(range)) }
    }

    #[test]
    fn a_transaction_reads_at_the_lowest_revision_of_the_branch_that_ran() {
        let inner =
            TxnRequest { failure: vec![read(3), read(2)], success: vec![read(1)], ..TxnRequest::default() };
        let nested = RequestOp { request: Some(Op::RequestTxn(inner)) };
        let txn = TxnRequest {
            success: vec![read(9), read(0), read(7), nested],
            failure: vec![read(5)],
            ..TxnRequest::default()
        };
        assert_eq!(oldest_read(&txn), Some(1));
        let of_range = || ResponseOp { response: Some(OpResponse::ResponseRange(RangeResponse::default())) };
        let of_txn = |succeeded, responses| TxnResponse { succeeded, responses, ..TxnResponse::default() };
        let inner = of_txn(false, vec![of_range(), of_range()]);
        let inner = ResponseOp { response: Some(OpResponse::ResponseTxn(inner)) };
        let ran = of_txn(true, vec![of_range(), of_range(), of_range(), inner]);
        assert_eq!(oldest_read_done(&txn, &ran), Some(2));
        assert_eq!(oldest_read_done(&txn, &of_txn(false, vec![of_range()])), Some(5));
    }
}
