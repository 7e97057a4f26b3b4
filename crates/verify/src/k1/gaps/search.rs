//! The search for an explanation: a replay of the order of revisions that stops at each gap (a revision that no
//! answer acknowledges) and chooses what made it.
//!
//! If the replay then contradicts an answer, the search goes back to a gap that can have caused the contradiction,
//! and tries its next choice. A gap can be the cause if one of its choices writes a key that the answer depends on;
//! such gaps are called culprits, and the search goes back to the last of them. (Constraint solving knows this as
//! conflict-directed backjumping.) If no choice can remove a contradiction, the history is wrong whatever happened.
//! The search continues after the contradiction, and the oracles report it.

use std::collections::{BTreeMap, BTreeSet};

use api::Request;
use bytes::Bytes;
use record::History;

use super::super::order::{NOBODY, Step};
use super::super::place::Position;
use super::super::replay::Replay;
use super::choice::{Choice, Pool, Source, Span};
use super::observations::{Observations, ReadPairs};
use super::{BUDGET, SearchEnd, SearchInput};
use crate::model::Leases;

/// How much of the budget one try of a choice costs; the replay of one step costs 1. A try rewinds the model key by
/// key, which takes longer than a step.
const TRIAL: u64 = 20;

/// A revision that no answer acknowledges, with the choices for it.
struct Gap {
    revision: i64,
    /// The index in `Search::steps` of the step before which the revision must have been made.
    at: usize,
    /// What may have made the revision, in the order in which the search tries them.
    choices: Vec<Choice>,
    /// The index of the next choice to try.
    next: usize,
    /// The index of the choice that fills the gap now.
    chosen: Option<usize>,
    /// The earlier gaps, by index, in which another choice may let this one be filled.
    culprits: BTreeSet<usize>,
    /// Whether some choice made the revision without a contradiction there, and was contradicted only later.
    fitted: bool,
    /// The leases of the model before the revision, to restore them when another choice is tried.
    leases: Leases,
}

/// The search, with its choices so far.
pub struct Search<'a> {
    history: &'a History,
    /// The operations with an answer, in the order of revisions.
    steps: &'a [Step],
    /// What may have made revisions that no answer acknowledges.
    pool: &'a Pool<'a>,
    /// What reads showed of such revisions.
    read_pairs: ReadPairs,
    /// What others saw of such revisions.
    observations: Observations<'a>,
    /// The revision at which the history begins.
    start: i64,
    /// Whether the history has every client that wrote.
    closed: bool,
    /// The model, at the revision that the search has reached.
    replay: Replay<'a>,
    /// The index of the next step to replay.
    at: usize,
    /// The gaps so far, in the order of their revisions. Each but the last has a choice.
    gaps: Vec<Gap>,
    /// The indexes of steps whose answer is wrong whatever is chosen.
    wrong: BTreeSet<usize>,
    /// Revisions that nothing can have made, as ranges from a first to a last revision.
    impossible: BTreeMap<i64, i64>,
    /// The first revision that is above those of all answers (only observations name it) and that no choice
    /// explained. Cleared when the search stops believing something.
    beyond: Option<i64>,
    /// Revisions at which an observation excluded a choice. Cleared when the search stops believing something.
    in_the_way: BTreeSet<i64>,
    /// The index of the last step whose answer excluded a choice.
    farthest: Option<usize>,
    /// The last revision to explain; it may be above those that answers name, because a watcher names it.
    until: i64,
    /// What is left of [`BUDGET`].
    budget: u64,
}

/// What the search does next.
enum Next {
    /// Nothing is left to do, or the budget ran out.
    Done,
    /// Fill the gap at this revision.
    Missing(i64),
    /// Go back: one of these gaps needs another choice.
    Back(BTreeSet<usize>),
}

impl<'a> Search<'a> {
    pub fn new(
        history: &'a History,
        steps: &'a [Step],
        pool: &'a Pool<'a>,
        read_pairs: ReadPairs,
        observations: Observations<'a>,
        input: &SearchInput<'_>,
    ) -> Search<'a> {
        let last = steps.last().map_or(input.start, |step| step.position.revision());
        // A watcher that is wrong may name any revision, but no more revisions can have been made than there are
        // sources.
        let most = last.saturating_add(i64::try_from(pool.len()).unwrap_or(i64::MAX));
        let until = observations.newest(most).max(read_pairs.newest());
        Search {
            history,
            steps,
            pool,
            read_pairs,
            observations,
            start: input.start,
            closed: input.closed && pool.all_service_writes,
            replay: Replay::new(history, input.start).by_answers(),
            at: 0,
            gaps: Vec::new(),
            wrong: BTreeSet::new(),
            impossible: BTreeMap::new(),
            beyond: None,
            in_the_way: BTreeSet::new(),
            farthest: None,
            until,
            budget: BUDGET,
        }
    }

    /// Searches until everything is explained, or no explanation is left, or the budget is used up.
    pub fn run(&mut self) -> SearchEnd {
        loop {
            let next = self.go_on();
            if self.budget == 0 {
                return SearchEnd::OutOfBudget;
            }
            let going = match next {
                Next::Done => return SearchEnd::Done,
                Next::Missing(revision) => self.open_gap(revision),
                Next::Back(culprits) => self.back_to(culprits),
            };
            if !going {
                return if self.budget == 0 { SearchEnd::OutOfBudget } else { SearchEnd::Open };
            }
        }
    }

    /// The source that is chosen for each gap.
    pub fn made(&self) -> Vec<(i64, Source)> {
        let made = |gap: &Gap| Some((gap.revision, gap.choices[gap.chosen?].source));
        self.gaps.iter().filter_map(made).collect()
    }

    /// Replays steps until a revision is missing or a step contradicts the choices made so far.
    fn go_on(&mut self) -> Next {
        while let Some(step) = self.steps.get(self.at) {
            if let Some(revision) = self.replay.missing(step) {
                if let Some(last) = self.impossible_until(revision) {
                    self.replay.model.skip_to(last);
                    continue;
                }
                return Next::Missing(revision);
            }
            self.budget = self.budget.saturating_sub(1);
            if self.budget == 0 {
                return Next::Done;
            }
            if let Some(culprits) = self.take(*step) {
                return Next::Back(culprits);
            }
            self.at += 1;
        }
        let revision = self.replay.model.revision();
        if revision < self.until && self.impossible_until(revision + 1).is_none() {
            return Next::Missing(revision + 1);
        }
        Next::Done
    }

    /// Replays one step. If it contradicts the choices made so far, returns the gaps to go back to.
    fn take(&mut self, step: Step) -> Option<BTreeSet<usize>> {
        let makes = step.position.makes_revision();
        // This step is a revocation that was chosen to fill a gap. It is already replayed there.
        if !makes && self.is_taken(Source::Operation(step.operation)) {
            return None;
        }
        let wrong = self.replay.take(&step).is_err();
        if self.gaps.is_empty() {
            return None;
        }
        let request = &self.history.operations[step.operation as usize].request;
        if wrong && !self.wrong.contains(&self.at) {
            let culprits = self.culprits(&Span::of(request), of_leases(request));
            if !culprits.is_empty() {
                self.farthest = self.farthest.max(Some(self.at));
                return Some(culprits);
            }
            self.wrong.insert(self.at);
        }
        if makes {
            let revision = step.position.revision();
            let call = self.history.operations[step.operation as usize].call;
            let against = self.observations.against(&self.replay.model, revision, call);
            if !against.is_empty() {
                let culprits = self.culprits_of(&against.keys, against.all);
                if culprits.is_empty() {
                    self.observations.doubt(&BTreeSet::from([revision]));
                } else {
                    self.in_the_way.insert(revision);
                    return Some(culprits);
                }
            }
        }
        None
    }

    /// If nothing can have made this revision, the last revision of its range in `impossible`.
    fn impossible_until(&self, revision: i64) -> Option<i64> {
        let (_, last) = self.impossible.range(..=revision).next_back()?;
        (*last >= revision).then_some(*last)
    }

    /// Whether the source already fills a gap.
    fn is_taken(&self, source: Source) -> bool {
        self.gaps.iter().any(|gap| gap.chosen.is_some_and(|chosen| gap.choices[chosen].source == source))
    }

    /// The gaps that can have caused a contradiction about these keys: a choice of theirs writes one of them or, if
    /// `leases`, ends a lease.
    fn culprits(&self, spans: &[Span], leases: bool) -> BTreeSet<usize> {
        let ends_lease = |choice: &Choice| match choice.source {
            Source::Lease(_) => true,
            source => matches!(&*self.pool.request(source), Request::LeaseRevoke(_)),
        };
        let matters = |gap: &Gap| {
            let mut choices = gap.choices.iter();
            choices.any(|choice| choice.touches(spans) || leases && ends_lease(choice))
        };
        (0..self.gaps.len()).filter(|gap| matters(&self.gaps[*gap])).collect()
    }

    /// The gaps that can have caused a contradiction about these keys or, if `all`, all gaps.
    fn culprits_of(&self, keys: &[Bytes], all: bool) -> BTreeSet<usize> {
        if all {
            return (0..self.gaps.len()).collect();
        }
        let spans: Vec<Span> = keys.iter().map(|key| Span(key.clone(), Bytes::new())).collect();
        self.culprits(&spans, false)
    }

    /// Opens a gap at this revision and fills it. Returns whether the search continues.
    fn open_gap(&mut self, revision: i64) -> bool {
        let mut culprits = BTreeSet::new();
        let believed = self.observations.believes(revision);
        let mut choices = self.pool.choices(revision, &self.replay, &self.observations);
        choices.retain(|choice| {
            let taken = self
                .gaps
                .iter()
                .position(|gap| gap.chosen.is_some_and(|chosen| gap.choices[chosen].source == choice.source));
            culprits.extend(taken);
            taken.is_none()
        });
        if believed && choices.iter().any(|choice| choice.doubtful) {
            self.in_the_way.insert(revision);
            choices.retain(|choice| !choice.doubtful);
        }
        let leases = self.replay.model.leases();
        let (at, next) = (self.at, 0);
        self.gaps.push(Gap { revision, at, choices, next, chosen: None, culprits, fitted: false, leases });
        self.choose()
    }

    /// Fills the last gap with its next choice, or goes back. Returns whether the search continues.
    fn choose(&mut self) -> bool {
        let number = self.gaps.len() - 1;
        loop {
            let gap = &mut self.gaps[number];
            (gap.chosen, self.at) = (None, gap.at);
            let Some(choice) = gap.choices.get(gap.next).cloned() else { return self.exhausted() };
            gap.next += 1;
            let (revision, chosen) = (gap.revision, gap.next - 1);
            self.budget = self.budget.saturating_sub(TRIAL);
            if self.budget == 0 {
                return false;
            }
            match self.make(number, &choice) {
                Ok(()) => {
                    let gap = &mut self.gaps[number];
                    (gap.chosen, gap.fitted) = (Some(chosen), true);
                    debug_assert_eq!(self.replay.model.revision(), revision, "a choice makes its revision");
                    return true;
                }
                Err(culprits) => self.gaps[number].culprits.extend(culprits),
            }
        }
    }

    /// Executes a choice as the source of a gap's revision. If it contradicts something, the error has the earlier
    /// gaps that may be the cause.
    fn make(&mut self, number: usize, choice: &Choice) -> Result<(), BTreeSet<usize>> {
        let (revision, leases) = (self.gaps[number].revision, self.gaps[number].leases.clone());
        self.replay.model.rewind(revision - 1);
        self.replay.model.set_leases(leases);
        let earlier = |mut culprits: BTreeSet<usize>| {
            culprits.remove(&number);
            culprits
        };
        if !self.carry_out(choice.source, revision) {
            let request = self.pool.request(choice.source);
            return Err(earlier(self.culprits(&Span::of(&request), of_leases(&request))));
        }
        let seen = self.read_pairs.against(&self.replay, revision);
        if !seen.is_empty() {
            return Err(earlier(self.culprits_of(&seen, false)));
        }
        let against = self.observations.against(&self.replay.model, revision, self.pool.call(choice.source));
        if !against.is_empty() {
            self.in_the_way.insert(revision);
            return Err(earlier(self.culprits_of(&against.keys, against.all)));
        }
        Ok(())
    }

    /// Executes a source on the model. Returns whether it makes the revision and agrees with its answer.
    fn carry_out(&mut self, source: Source, revision: i64) -> bool {
        match source {
            Source::Operation(operation) => {
                let step = Step { position: Position::making(revision), rank: 0, operation };
                self.replay.take(&step).is_ok()
            }
            source => self.replay.make(&self.pool.request(source), revision),
        }
    }

    /// Handles the last gap if it has no choice left. Returns whether the search continues.
    fn exhausted(&mut self) -> bool {
        let Some(gap) = self.gaps.pop() else { return false };
        if gap.at >= self.steps.len() {
            self.beyond.get_or_insert(gap.revision);
        }
        if !gap.culprits.is_empty() {
            return self.back_to(gap.culprits);
        }
        // No earlier choice can help: something in the history is wrong whatever happened. The code below gives up, one
        // after another: revisions that only observations name, the observations that excluded a choice, the answer
        // that excluded one, and last the gap itself.
        self.replay.model.rewind(gap.revision - 1);
        self.replay.model.set_leases(gap.leases);
        self.at = gap.at;
        // No answer names the revisions from `beyond` on. The oracles of watchers judge them; the search does not
        // explain them.
        if let Some(beyond) = self.beyond.take().filter(|beyond| *beyond > gap.revision) {
            self.impossible.insert(beyond, i64::MAX);
            return self.open_gap(gap.revision);
        }
        let in_the_way = std::mem::take(&mut self.in_the_way);
        if self.observations.doubt(&in_the_way) {
            return self.open_gap(gap.revision);
        }
        if gap.fitted
            && let Some(step) = self.farthest.take()
            && self.wrong.insert(step)
        {
            return self.open_gap(gap.revision);
        }
        if !self.closed && gap.at < self.steps.len() {
            return false;
        }
        let last = if gap.choices.is_empty() { self.none_until(gap.revision, gap.at) } else { gap.revision };
        self.impossible.insert(gap.revision, last);
        true
    }

    /// If this revision has no choice: the last revision up to which those after it have none either. `at` is the next
    /// step. Before that step, a further choice appears only at a revision that the answer to a revocation or service
    /// call names.
    fn none_until(&self, revision: i64, at: usize) -> i64 {
        let Some(step) = self.steps.get(at) else { return revision };
        let last = step.position.revision() - i64::from(step.position.makes_revision());
        let next = self.pool.next_known(revision).unwrap_or(i64::MAX);
        last.min(next.saturating_sub(1)).max(revision)
    }

    /// Goes back to the last of these gaps and tries its next choice. Returns whether the search continues.
    fn back_to(&mut self, mut culprits: BTreeSet<usize>) -> bool {
        let Some(last) = culprits.pop_last() else { return false };
        self.gaps.truncate(last + 1);
        self.gaps[last].culprits.extend(culprits);
        self.choose()
    }

    /// The last revision up to which the choices are the only ones that agree with all answers and observations.
    pub fn sure(&mut self) -> i64 {
        let mut sure = self.impossible.first_key_value().map_or(i64::MAX, |(revision, _)| revision - 1);
        let made: Vec<(i64, Source)> = self.made();
        // Clients that the history lacks can have made any gap's revision, so nothing is certain from the first gap on.
        if let Some(gap) = self.gaps.first().filter(|_| !self.closed) {
            return sure.min(gap.revision - 1);
        }
        // Replays everything once more, and tries at each gap whether another choice fits there, too.
        self.replay = Replay::new(self.history, self.start).by_answers();
        self.at = 0;
        let gaps = std::mem::take(&mut self.gaps);
        for (gap, (revision, source)) in gaps.iter().filter(|gap| gap.chosen.is_some()).zip(&made) {
            if *revision > sure {
                break;
            }
            self.walk_to(gap.at, &made);
            let taken: BTreeSet<Source> =
                made.iter().filter(|one| one.0 < *revision).map(|one| one.1).collect();
            let leases = self.replay.model.leases();
            let choices = self.pool.choices(*revision, &self.replay, &self.observations);
            let mut others =
                choices.iter().filter(|choice| choice.source != *source && !taken.contains(&choice.source));
            let believed = self.observations.believes(*revision);
            let fits = others.any(|choice| {
                if believed && choice.doubtful {
                    return false;
                }
                let fits = self.carry_out(choice.source, *revision)
                    && self.read_pairs.against(&self.replay, *revision).is_empty()
                    && (self.observations.against(
                        &self.replay.model,
                        *revision,
                        self.pool.call(choice.source),
                    ))
                    .is_empty();
                self.replay.model.rewind(*revision - 1);
                self.replay.model.set_leases(leases.clone());
                fits
            });
            if fits {
                sure = sure.min(*revision - 1);
                break;
            }
            self.carry_out(*source, *revision);
        }
        // If the budget ran out, nothing is certain from the last gap on.
        if self.budget == 0 {
            sure = sure.min(gaps.last().map_or(sure, |gap| gap.revision - i64::from(gap.chosen.is_none())));
        }
        self.gaps = gaps;
        sure
    }

    /// Replays the steps up to the one with index `at`, without any check.
    fn walk_to(&mut self, at: usize, made: &[(i64, Source)]) {
        while self.at < at {
            let step = self.steps[self.at];
            // A revocation that fills a gap is executed there.
            let replaced = made.iter().any(|(_, source)| *source == Source::Operation(step.operation));
            if step.position.makes_revision() || !replaced || step.operation == NOBODY {
                drop(self.replay.take(&step));
            }
            self.at += 1;
        }
    }
}

/// Whether the request depends on which leases exist.
fn of_leases(request: &Request) -> bool {
    matches!(request, Request::LeaseGrant(_) | Request::LeaseRevoke(_))
        || request.parts().any(|part| match part {
            api::Part::Put(put) => put.lease != 0,
            _ => false,
        })
}
