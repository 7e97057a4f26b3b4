//! Tries candidates: smaller plans, which are kept if they fail in the same way. Candidates run on all cores; which one is
//! kept does not depend on how long each takes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use plan::Plan;
use record::TraceHash;
use verify::Violation;

use super::size::Size;
use crate::additions::OwnOracles;
use crate::execute::run_plan_with;
use crate::report::{Failure, ViolationReport};
use crate::signature::Signature;
use crate::stopwatch::Stopwatch;

/// How a candidate ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It fails in the same way.
    Same(TraceHash),
    /// Its first violation is another one, but the wanted one is among the later ones.
    Among(TraceHash, Signature),
    /// It fails in another way.
    Other(Signature),
    /// Nothing is violated.
    Held,
    /// Nothing is violated, but something was left undecided, or the plan cannot be run.
    Unclear,
}

impl Ending {
    /// Whether a candidate that ended like this is kept: what must remain may be any of its violations (`anywhere`), or
    /// only the first.
    fn is_kept(&self, anywhere: bool) -> bool {
        match self {
            Ending::Same(_) => true,
            Ending::Among(..) => anywhere,
            Ending::Other(_) | Ending::Held | Ending::Unclear => false,
        }
    }
}

/// How long shrinking may go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits<'a> {
    /// The number of threads.
    pub jobs: usize,
    /// No candidate starts after this much real time.
    pub time_budget: Option<Duration>,
    /// Once it is true, no candidate starts.
    pub interrupted: &'a AtomicBool,
}

/// How far shrinking has come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Step<'a> {
    /// What is tried: the name of a pass.
    pub pass: &'static str,
    /// How many candidates were run.
    pub runs: usize,
    /// The smallest plan so far.
    pub plan: &'a Plan,
    /// Its size.
    pub size: Size,
    /// Whether this plan is new.
    pub smaller: bool,
}

/// What one run of a plan showed.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub ending: Ending,
    pub hash: TraceHash,
    /// The time of the violation, in virtual nanoseconds.
    pub time: u64,
    pub oracles: String,
    pub title: String,
    pub sentences: Vec<String>,
}

/// A failure of another kind that was met on the way.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OtherFinding {
    /// What fails.
    pub signature: Signature,
    /// How many candidates failed like this.
    pub times: usize,
    /// The smallest of them.
    pub plan: Plan,
}

/// A plan that fails in the same way, its size, and what its run showed.
pub(super) type Reached = (Plan, Size, Seen);

/// The smallest plan so far, and what is known of candidates.
pub(super) struct Trial<'a> {
    /// The smallest plan so far.
    best: Plan,
    size: Size,
    /// What its last run showed.
    seen: Seen,
    signature: Signature,
    /// Whether candidates run without oracle S, which costs a third of a run. An accepted plan always runs with it.
    without_specification: bool,
    limits: Limits<'a>,
    stopwatch: Stopwatch,
    /// How candidates ended, by the hash of their text.
    known: BTreeMap<u64, Ending>,
    others: BTreeMap<Signature, OtherFinding>,
    runs: usize,
    /// Whether what must remain may be any violation of a candidate, not only the first.
    anywhere: bool,
    /// The smallest plan so far whose first violation is what must remain.
    strict: Reached,
    /// Into how many pieces a list may be cut at the moment.
    pieces_max: usize,
    pass: &'static str,
    /// Set if a plan took different steps when it was run again.
    diverged: bool,
    progress: &'a mut dyn FnMut(Step<'_>),
}

impl<'a> Trial<'a> {
    /// Starts with a plan that fails in this way, as it was `seen`.
    pub fn new(
        best: Plan,
        (signature, seen): (Signature, Seen),
        limits: Limits<'a>,
        progress: &'a mut dyn FnMut(Step<'_>),
    ) -> Trial<'a> {
        let without = run(&best, &signature, true);
        // S may see the failure first, or be the only one that sees it.
        let without_specification = matches!(without.ending, Ending::Same(_));
        let size = Size::of(&best);
        let known = BTreeMap::from([(hash(&best), seen.ending.clone())]);
        let strict = (best.clone(), size, seen.clone());
        Trial {
            anywhere: false,
            strict,
            best,
            size,
            seen,
            signature,
            without_specification,
            limits,
            stopwatch: Stopwatch::start(),
            known,
            others: BTreeMap::new(),
            runs: 0,
            pieces_max: usize::MAX,
            pass: "",
            diverged: false,
            progress,
        }
    }

    /// The smallest plan so far.
    pub fn best(&self) -> &Plan {
        &self.best
    }

    /// Its size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// What its last run showed.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Names what is tried from now on.
    pub fn begin(&mut self, pass: &'static str) {
        self.pass = pass;
    }

    /// Into how many pieces a list may be cut at the moment.
    pub fn pieces_max(&self) -> usize {
        self.pieces_max
    }

    /// Lists may be cut into this many pieces from now on.
    pub fn cut_into(&mut self, pieces_max: usize) {
        self.pieces_max = pieces_max;
    }

    /// From now on, what must remain may be any violation of a candidate, or only the first.
    pub fn accept_anywhere(&mut self, anywhere: bool) {
        self.anywhere = anywhere;
    }

    /// Whether what must remain is the first violation of the smallest plan so far.
    pub fn is_first(&self) -> bool {
        matches!(self.seen.ending, Ending::Same(_))
    }

    /// Goes back to the smallest plan whose first violation is what must remain, if the smallest plan has another first
    /// violation.
    pub fn back_to_first(&mut self) {
        if !self.is_first() {
            self.return_to(self.strict.clone());
        }
    }

    /// The smallest plan so far, to come back to.
    pub fn reached(&self) -> Reached {
        (self.best.clone(), self.size, self.seen.clone())
    }

    /// Goes on from a plan that was reached before.
    pub fn return_to(&mut self, (best, size, seen): Reached) {
        (self.best, self.size, self.seen) = (best, size, seen);
    }

    /// Whether to stop.
    pub fn over(&self) -> bool {
        self.diverged || over(&self.limits, &self.stopwatch)
    }

    /// Whether it stopped because a plan took different steps when it was run again.
    pub fn diverged(&self) -> bool {
        self.diverged
    }

    /// How many candidates were run.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Whether the user pressed Ctrl-C.
    pub fn interrupted(&self) -> bool {
        self.limits.interrupted.load(Ordering::Relaxed)
    }

    /// The smallest plan, what its last run showed, and the failures of other kinds that were met.
    pub fn into_result(self) -> (Plan, Seen, Vec<OtherFinding>) {
        (self.best, self.seen, self.others.into_values().collect())
    }

    /// Tries one candidate.
    pub fn accepts(&mut self, candidate: Plan) -> bool {
        self.first(1, &|_, _| Some(candidate.clone())).is_some()
    }

    /// Tries up to `count` candidates and keeps the first in their order that is smaller and fails in the same way. `make`
    /// makes candidate number `nth` from the smallest plan; `None` if there is no such candidate. Returns its number.
    pub fn first(
        &mut self,
        count: usize,
        make: &(dyn Fn(&Plan, usize) -> Option<Plan> + Sync),
    ) -> Option<usize> {
        // Each candidate runs as it would be read back from a file.
        let make = &|best: &Plan, nth| make(best, nth).map(Plan::in_order);
        let mut from = 0;
        while let Some(nth) = self.first_that_fails(from..count, make) {
            let candidate = make(&self.best, nth).expect("a candidate is made in the same way again");
            if self.confirm(candidate) {
                return Some(nth);
            }
            from = nth + 1;
        }
        None
    }

    /// The first candidate with one of these numbers that fails in the same way, judged by a single run, without oracle
    /// S if the failure shows without it.
    fn first_that_fails(
        &mut self,
        numbers: std::ops::Range<usize>,
        make: &(dyn Fn(&Plan, usize) -> Option<Plan> + Sync),
    ) -> Option<usize> {
        let next = AtomicUsize::new(numbers.start);
        let found = AtomicUsize::new(usize::MAX);
        let workers = self.limits.jobs.clamp(1, numbers.len().max(1));
        let (limits, stopwatch, without) = (self.limits, self.stopwatch, self.without_specification);
        let (best, size, known, signature) = (&self.best, &self.size, &self.known, &self.signature);
        let anywhere = self.anywhere;
        let work = |send: mpsc::Sender<(usize, u64, Plan, Ending)>| {
            while !over(&limits, &stopwatch) {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                // Candidates after the one that was found are not wanted; all those before it must be tried.
                if nth >= numbers.end || nth > found.load(Ordering::Relaxed) {
                    return;
                }
                let Some(candidate) = make(best, nth).filter(|plan| Size::of(plan) < *size) else { continue };
                let key = hash(&candidate);
                let ending = match known.get(&key) {
                    Some(ending) => ending.clone(),
                    None => run(&candidate, signature, without).ending,
                };
                if ending.is_kept(anywhere) {
                    found.fetch_min(nth, Ordering::Relaxed);
                }
                if !known.contains_key(&key) && send.send((nth, key, candidate, ending)).is_err() {
                    return;
                }
            }
        };
        let (mut ended, mut runs) = (Vec::new(), self.runs);
        thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            for _ in 0..workers {
                let (send, work) = (send.clone(), &work);
                scope.spawn(move || work(send));
            }
            drop(send);
            for one in receive {
                runs += 1;
                let step = Step { pass: self.pass, runs, plan: best, size: *size, smaller: false };
                (self.progress)(step);
                ended.push(one);
            }
        });
        self.runs = runs;
        let found = found.into_inner();
        for (nth, key, plan, ending) in ended {
            // Which candidates after the one that was found were run depends on how long others took.
            if nth <= found {
                self.learn(key, plan, ending);
            }
        }
        Some(found).filter(|nth| *nth != usize::MAX)
    }

    /// Remembers how a candidate ended.
    fn learn(&mut self, key: u64, plan: Plan, ending: Ending) {
        if let Ending::Other(signature) | Ending::Among(_, signature) = &ending {
            match self.others.get_mut(signature) {
                Some(known) => {
                    known.times += 1;
                    if Size::of(&plan) < Size::of(&known.plan) {
                        known.plan = plan;
                    }
                }
                None => {
                    let signature = signature.clone();
                    self.others.insert(signature.clone(), OtherFinding { signature, times: 1, plan });
                }
            }
        }
        self.known.insert(key, ending);
    }

    /// Runs a candidate a second time, with all oracles, and keeps it if it fails in the same way.
    fn confirm(&mut self, candidate: Plan) -> bool {
        let key = hash(&candidate);
        // A plan that no file can express cannot be replayed.
        if candidate.validate().is_err() {
            self.known.insert(key, Ending::Unclear);
            return false;
        }
        let seen = run(&candidate, &self.signature, false);
        self.runs += 1;
        if let Some(Ending::Same(hash) | Ending::Among(hash, _)) = self.known.get(&key)
            && *hash != seen.hash
        {
            self.diverged = true;
            return false;
        }
        if !seen.ending.is_kept(self.anywhere) {
            self.learn(key, candidate, seen.ending);
            return false;
        }
        self.size = Size::of(&candidate);
        self.best = candidate;
        self.known.insert(key, seen.ending.clone());
        self.seen = seen;
        if matches!(self.seen.ending, Ending::Same(_)) && self.size < self.strict.1 {
            self.strict = self.reached();
        }
        let step =
            Step { pass: self.pass, runs: self.runs, plan: &self.best, size: self.size, smaller: true };
        (self.progress)(step);
        true
    }

    /// How plans end, in their order, without keeping any: to say what happens without a part of the plan. They run
    /// even if the time budget is used up, but not if the user pressed Ctrl-C: then those that are not known yet are
    /// `None`.
    pub fn endings(&mut self, plans: Vec<Plan>) -> Vec<Option<Ending>> {
        let mut all = Vec::new();
        for plan in plans {
            let key = hash(&plan);
            if !self.known.contains_key(&key) && !self.interrupted() {
                let ending = run(&plan, &self.signature, self.without_specification).ending;
                self.runs += 1;
                self.learn(key, plan, ending);
            }
            all.push(self.known.get(&key).cloned());
        }
        all
    }
}

/// Whether the time budget is used up, or the user pressed Ctrl-C.
fn over(limits: &Limits<'_>, stopwatch: &Stopwatch) -> bool {
    limits.interrupted.load(Ordering::Relaxed)
        || limits.time_budget.is_some_and(|budget| stopwatch.elapsed() >= budget)
}

/// A hash of everything that a plan says.
fn hash(plan: &Plan) -> u64 {
    record::hash::digest(plan.to_toml().as_bytes())
}

/// Runs a plan and compares its failure with what must remain.
pub(super) fn run(plan: &Plan, signature: &Signature, without_specification: bool) -> Seen {
    let own = OwnOracles::none(without_specification);
    let Ok(outcome) = run_plan_with(plan, &mut (), own, world::Options::default()) else {
        return Seen::without_failure(Ending::Unclear, TraceHash::default());
    };
    let hash = outcome.record.trace_hash;
    let Some(failure) = Failure::of(&outcome.verdict, &outcome.record.history) else {
        let ending = if outcome.verdict.undecided.is_empty() { Ending::Held } else { Ending::Unclear };
        return Seen::without_failure(ending, hash);
    };
    let this = Signature::of(&failure);
    let history = &outcome.record.history;
    let is_wanted = |violation: &Violation| {
        violation.oracle == signature.oracle
            && Signature::of_violation(&ViolationReport::of(violation, history)) == *signature
    };
    let ending = if this == *signature {
        Ending::Same(hash)
    } else if outcome.verdict.violations.iter().any(is_wanted) {
        Ending::Among(hash, this)
    } else {
        Ending::Other(this)
    };
    Seen::of(&failure, ending, hash)
}

impl Seen {
    /// Of a run that failed.
    pub fn of(failure: &Failure, ending: Ending, hash: TraceHash) -> Seen {
        let first = failure.first();
        let (title, sentences) = (first.title.clone(), first.sentences.clone());
        Seen { ending, hash, time: first.time_ns, oracles: failure.oracles(), title, sentences }
    }

    /// Of a run without a violation.
    fn without_failure(ending: Ending, hash: TraceHash) -> Seen {
        let (oracles, title, sentences) = (String::new(), String::new(), Vec::new());
        Seen { ending, hash, time: 0, oracles, title, sentences }
    }
}
