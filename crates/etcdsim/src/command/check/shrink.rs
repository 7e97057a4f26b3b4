//! `--shrink`: the smallest part of a history that still has the violation, as a history of its own.
//!
//! A recorded history cannot run again, but its evidence can be cut down. A part that is wrong on its own need not show
//! a violation of the whole: without the write of a value, the read of that value is wrong, too. So an operation is
//! left out in two steps. First its answer is *forgotten*: it may have taken effect at any time after its call, or
//! never. Any order that explains the whole history also explains the one with forgotten answers, so a violation that
//! is still there is one of the whole history. Only then is the operation left out, which says that it never took
//! effect; that is one of the cases in which the violation was just found to remain. Reads change nothing and are left
//! out at once, as are watch streams and copies.
//!
//! * Histories of etcd, judged by all oracles: what is left must have the same [`Signature`], shown by the same operations.
//! * All others: the conflict of the general engine is such a part. `linear` searches for the smallest one.

use std::path::Path;
use std::time::Duration;

use api::Request;
use record::{Outcome, Record};
use serde::Serialize;
use verify::Expectations;

use super::engine::{End, Judgement, by_oracles};
use super::file::Content;
use crate::signature::Signature;
use crate::stopwatch::Stopwatch;

/// The longest real time, unless the user gives one.
pub(super) const USUAL_TIME: Duration = Duration::from_secs(60);
/// How many configurations the search for a small conflict may visit.
pub(super) const EXPLAIN_STEPS: u64 = 2_000_000;

/// The result of shrinking a history.
#[derive(Debug, Serialize)]
pub(super) struct Shrunk {
    /// How many operations it had.
    pub(super) from: usize,
    /// The numbers of those that are left, in the file that was read.
    pub(super) operations: Vec<usize>,
    /// How many of these have lost their answer.
    pub(super) forgotten: usize,
    /// Whether it is known that the violation disappears if any one of them loses its answer.
    pub(super) minimal: bool,
    /// The file of the smaller history, if it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
}

/// The smaller history for a violation; `None` if the verdict names no operations.
pub(super) fn smaller(
    content: &Content,
    judged: &Judgement,
    wall: Duration,
) -> Option<(Option<Content>, Shrunk)> {
    let from = content.len();
    if judged.verdict != End::Violation {
        return None;
    }
    if let (Content::Etcd(etcd), Some(failure)) = (content, &judged.failure) {
        let signature = Signature::of(failure);
        let parts =
            Parts { record: &etcd.0, expectations: &etcd.1, signature, watch: Stopwatch::start(), wall };
        return parts.shrink(&failure.first().numbers);
    }
    let conflict = judged.conflict.as_ref().filter(|conflict| !conflict.numbers.is_empty())?;
    let operations: Vec<usize> = conflict.numbers.iter().map(|number| *number as usize).collect();
    let shrunk = Shrunk { from, operations, forgotten: 0, minimal: conflict.minimal, file: None };
    let content = match content {
        Content::Recorded(recorded) => Some(Content::Recorded(recorded.only(&conflict.numbers))),
        Content::Etcd(etcd) => {
            let answers = |number: usize| shrunk.operations.contains(&number).then_some(Answer::Kept);
            let record = part(&etcd.0, &answers, &|_| false, false);
            Some(Content::Etcd(Box::new((record, etcd.1.clone()))))
        }
        // They have no format of this project's own.
        Content::Lists(_) | Content::Registers(..) => None,
    };
    Some((content, shrunk))
}

/// How much of an operation a part of a history keeps, unless it leaves the operation out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// All of it.
    Kept,
    /// Only that it was called.
    Forgotten,
}

/// The parts of a history of etcd, and what each must have.
struct Parts<'a> {
    record: &'a Record,
    expectations: &'a Expectations,
    signature: Signature,
    watch: Stopwatch,
    wall: Duration,
}

impl Parts<'_> {
    /// The smallest part that is found. `named` are the operations that the violation names.
    fn shrink(&self, named: &[usize]) -> Option<(Option<Content>, Shrunk)> {
        let history = &self.record.history;
        let (all, views) = (history.operations.len(), history.watches.len() + history.caches.len());
        // Streams and copies are numbered after the operations.
        let everything: Vec<usize> = (0..all + views).collect();
        let evidence = !self.holds(&everything, false);
        // What the violation names may be enough.
        let mut few: Vec<usize> = named.iter().copied().chain(all..all + views).collect();
        few.sort_unstable();
        let begin = if self.holds(&few, evidence) { few } else { everything };
        let kept = reduce(begin, &mut |kept| self.holds(kept, evidence));
        let (record, minimal) = (self.forgetful(&kept, evidence), !self.over());
        // Now what is forgotten can go, as long as the same operations show the same violation.
        let shown = self.shown_by(&record, &|number| number)?;
        let is_kept = |number: usize| kept.binary_search(&number).is_ok();
        let forgotten: Vec<usize> = (0..all)
            .filter(|number| !is_kept(*number) && !is_read(&history.operations[*number].request))
            .collect();
        let with = |forgotten: &[usize]| {
            let answer = |number: usize| match (is_kept(number), forgotten.binary_search(&number)) {
                (true, _) => Some(Answer::Kept),
                (false, Ok(_)) => Some(Answer::Forgotten),
                (false, Err(_)) => None,
            };
            let left: Vec<usize> = (0..all).filter(|number| answer(*number).is_some()).collect();
            (part(self.record, &answer, &|view| is_kept(all + view), evidence), left)
        };
        let same = |forgotten: &[usize]| {
            let (record, left) = with(forgotten);
            self.shown_by(&record, &|number| left[number]).as_ref() == Some(&shown)
        };
        let forgotten = if same(&[]) { Vec::new() } else { reduce(forgotten, &mut |some| same(some)) };
        let (record, operations) = with(&forgotten);
        let shrunk = Shrunk { from: all, operations, forgotten: forgotten.len(), minimal, file: None };
        Some((Some(Content::Etcd(Box::new((record, self.expectations.clone())))), shrunk))
    }

    fn over(&self) -> bool {
        self.watch.elapsed() >= self.wall
    }

    /// Whether the violation is there if all answers but these are forgotten.
    fn holds(&self, kept: &[usize], evidence: bool) -> bool {
        !self.over() && self.shown_by(&self.forgetful(kept, evidence), &|number| number).is_some()
    }

    /// The history with the answers of these operations only. All operations keep their numbers.
    fn forgetful(&self, kept: &[usize], evidence: bool) -> Record {
        let all = self.record.history.operations.len();
        let is_kept = |number: usize| kept.binary_search(&number).is_ok();
        let answer = |number: usize| Some(if is_kept(number) { Answer::Kept } else { Answer::Forgotten });
        part(self.record, &answer, &|view| is_kept(all + view), evidence)
    }

    /// The operations that show the violation in a part of the history; `None` if it is not there. `original` is the number
    /// of an operation of the part in the whole history.
    fn shown_by(&self, record: &Record, original: &dyn Fn(usize) -> usize) -> Option<Vec<usize>> {
        let failure = by_oracles(record, self.expectations).failure?;
        let mut shown: Vec<usize> = failure.first().numbers.iter().map(|number| original(*number)).collect();
        shown.sort_unstable();
        (Signature::of(&failure) == self.signature).then_some(shown)
    }
}

/// Whether the request changes nothing, whatever its outcome.
fn is_read(request: &Request) -> bool {
    matches!(
        request,
        Request::Range(_) | Request::HashKv(_) | Request::LeaseTimeToLive(_) | Request::LeaseLeases(_)
    )
}

/// A part of a history: the operations that have an answer according to `answers`, the streams and copies with these
/// numbers, and the entries that the members applied if there is to be `evidence`.
fn part(
    record: &Record,
    answers: &dyn Fn(usize) -> Option<Answer>,
    views: &dyn Fn(usize) -> bool,
    evidence: bool,
) -> Record {
    let mut part =
        Record { applied: if evidence { record.applied.clone() } else { Vec::new() }, ..Record::default() };
    let mut numbers = vec![None; record.history.operations.len()];
    for (number, operation) in record.history.operations.iter().enumerate() {
        let Some(answer) = answers(number) else { continue };
        let mut operation = operation.clone();
        if answer == Answer::Forgotten {
            let gave_up = operation.returned().unwrap_or(operation.call);
            if !matches!(operation.outcome, Outcome::Unknown { .. }) {
                operation.outcome = Outcome::Unknown { gave_up };
            }
        }
        numbers[number] = Some(part.history.operations.len() as u64);
        part.history.operations.push(operation);
    }
    for entry in &mut part.applied {
        entry.operation =
            entry.operation.and_then(|number| numbers.get(usize::try_from(number).ok()?).copied().flatten());
    }
    let streams = record.history.watches.len();
    let (watches, caches) = (&record.history.watches, &record.history.caches);
    part.history.watches =
        (watches.iter().enumerate()).filter(|(nth, _)| views(*nth)).map(|(_, it)| it.clone()).collect();
    part.history.caches = (caches.iter().enumerate())
        .filter(|(nth, _)| views(streams + nth))
        .map(|(_, it)| it.clone())
        .collect();
    part
}

/// The fewest of these numbers, in order, with which it still holds: by delta debugging, large pieces first.
pub(super) fn reduce(mut kept: Vec<usize>, holds: &mut dyn FnMut(&[usize]) -> bool) -> Vec<usize> {
    kept.sort_unstable();
    kept.dedup();
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let before = kept.len();
        let mut end = kept.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            let without = [&kept[..start], &kept[end..]].concat();
            if holds(&without) {
                kept = without;
            }
            end = start;
        }
        // What was needed before may no longer be needed after later removals.
        if size > 1 {
            size = size.div_ceil(2);
        } else if kept.len() == before {
            break;
        }
    }
    kept
}

impl Shrunk {
    /// The result, as lines.
    pub(super) fn describe(&self, path: &Path) -> String {
        let left = self.operations.len();
        let numbers: Vec<String> =
            self.operations.iter().take(SHOWN).map(|number| format!("#{number}")).collect();
        let more = if left > SHOWN { ", …" } else { "" };
        let forgotten = match self.forgotten {
            0 => String::new(),
            some => format!(", {some} of them without their answers"),
        };
        let needed = match (self.minimal, left) {
            (true, 1) => "no smaller part can show it",
            (true, _) => "without the answer of any one of them, nothing shows it",
            (false, _) => "no smaller part was found",
        };
        let file = self.file.as_ref().map_or(String::new(), |file| format!("   written to {file}\n"));
        format!(
            "   shrunk from {} operations to {left}{forgotten}: {}{more} of {}; {needed}\n{file}",
            self.from,
            numbers.join(", "),
            path.display()
        )
    }
}

/// How many numbers of operations are shown.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays() {
        let mut trials = 0;
        let kept = reduce((0..100).collect(), &mut |kept| {
            trials += 1;
            [17, 18, 80].iter().all(|needed| kept.contains(needed))
        });
        assert_eq!(kept, [17, 18, 80]);
        assert!(trials < 60, "{trials} trials");
        assert_eq!(reduce(vec![3, 1], &mut |_| true), Vec::<usize>::new());
        assert_eq!(reduce(vec![3, 1], &mut |_| false), [1, 3]);
    }
}
