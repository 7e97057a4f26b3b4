//! Runs jobs without and with mutants, and says what became of each mutant.
//!
//! First every job runs as it is, and once more as a record: which mutants does it reach, and which of them would have
//! had another value? A mutant then runs only with the jobs that can notice it, until one does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use etcdsim_mutants_switch::Ending;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::harness::{Ended, Harness, Ran, Session, Turn};
use crate::mutant::Mutant;

/// The limit of a job without a mutant.
const ORIGINAL_LIMIT: Duration = Duration::from_secs(1800);

/// A job may take this many times as long with a mutant as without. A mutant may make a run longer; it may not make it
/// endless.
const TIMES_AS_LONG: u32 = 10;

/// What a mutant is compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// It is part of the system: caught if something is found that is not found without it, and it makes a difference
    /// if the trace differs.
    Trace,
    /// It is part of the code that judges, or runs in tests: caught if the verdict of a job differs.
    Verdict,
}

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// No job reaches it.
    NotReached,
    /// Jobs reach it, but none takes a different step because of it.
    NoDifference,
    /// It makes a difference, and nothing notices.
    Lived,
    /// A verdict.
    Caught,
    /// A panic, as a real process would end.
    Panicked,
    /// A job did not end in time.
    Hung,
    /// The process died: out of memory or stack, or aborted.
    Died,
    /// The code that runs or judges broke, and nothing else noticed.
    Broken,
}

impl Fate {
    /// Whether it counts as caught.
    pub const fn is_caught(self) -> bool {
        matches!(self, Fate::Caught | Fate::Panicked | Fate::Hung | Fate::Died)
    }
}

/// A mutant and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The mutant.
    #[serde(flatten)]
    pub mutant: Mutant,
    /// What became of it.
    pub fate: Fate,
    /// Who noticed: an oracle, a test.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// The job in which it was noticed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub job: String,
    /// What was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// How many jobs reach it.
    pub reached: usize,
    /// How many jobs ran with it.
    pub runs: usize,
    /// In how many of them it made a difference.
    pub differed: usize,
}

/// A job without a mutant.
#[derive(Clone, Debug)]
pub struct Original {
    /// Its number.
    pub job: usize,
    ran: Ran,
    /// The mutants that it reaches, and whether their values would have differed.
    reached: BTreeMap<u32, bool>,
    /// How long it may take with a mutant.
    limit: Duration,
}

/// How mutants are tried.
#[derive(Clone, Copy, Debug)]
pub struct Trials<'h> {
    /// What runs the jobs.
    pub harness: &'h Harness,
    /// How many threads.
    pub threads: usize,
    /// The time that a job may take with a mutant, on top of ten times its time without.
    pub time_limit: Duration,
    /// What a mutant is compared by.
    pub compare: Compare,
}

impl Original {
    /// Whether it reaches any mutant.
    pub fn reaches_some(&self) -> bool {
        !self.reached.is_empty()
    }
}

impl Trials<'_> {
    /// Runs every job without a mutant. If mutants are compared by traces, leaves out the jobs in which something is
    /// found already, and reports them to `warn`. `done` is called after each job.
    ///
    /// # Errors
    /// If a job does not end, or takes other steps when it runs again.
    pub fn originals(
        &self,
        warn: &mut dyn FnMut(String),
        done: &mut dyn FnMut(),
    ) -> Result<Vec<Original>, Error> {
        let names = self.harness.names();
        let original = |session: &mut Session<'_>, job: usize| {
            let ran = session.run(Turn::Original, job, ORIGINAL_LIMIT)?;
            let record = session.run(Turn::Record, job, ORIGINAL_LIMIT)?;
            if (ran.ended, &ran.trace, &ran.verdict) != (record.ended, &record.trace, &record.verdict) {
                return Err(Error::Runner(format!(
                    "{}: two runs without a mutant differ, so nothing can be compared: {ran:?} and {record:?}",
                    names[job]
                )));
            }
            let limit = self.time_limit + ran.took.max(record.took) * TIMES_AS_LONG;
            Ok(Original { job, ran, limit, reached: record.reached.into_iter().collect() })
        };
        let mut originals = Vec::new();
        self.each(names.len(), original, &mut |original| {
            done();
            let ended = original.ran.ended;
            let usable = match self.compare {
                Compare::Trace => ended == Ended::As(Ending::Held),
                Compare::Verdict => {
                    matches!(ended, Ended::As(Ending::Held | Ending::Caught | Ending::Panicked))
                }
            };
            if usable {
                originals.push(original);
            } else {
                let Ran { ended, by, says, .. } = &original.ran;
                warn(format!(
                    "{} is left out, because it does not hold without a mutant: {ended:?} {by} {says}",
                    names[original.job]
                ));
            }
            Ok(())
        })?;
        if originals.is_empty() {
            return Err(Error::Runner("no job holds without a mutant, so none can notice one".into()));
        }
        originals.sort_by_key(|original| original.job);
        Ok(originals)
    }

    /// Tries mutants. `done` gets each outcome, in any order.
    ///
    /// # Errors
    /// If a process cannot be started, or `done` fails.
    pub fn mutants(
        &self,
        originals: &[Original],
        mutants: &[&Mutant],
        done: &mut dyn FnMut(Outcome) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let try_one = |session: &mut Session<'_>, nth: usize| self.mutant(session, originals, mutants[nth]);
        self.each(mutants.len(), try_one, done)
    }

    /// Tries one mutant.
    fn mutant(
        &self,
        session: &mut Session<'_>,
        originals: &[Original],
        mutant: &Mutant,
    ) -> Result<Outcome, Error> {
        let reached: Vec<(&Original, bool)> = (originals.iter())
            .filter_map(|original| Some((original, *original.reached.get(&mutant.number)?)))
            .collect();
        let empty = String::new;
        let mut outcome = Outcome {
            mutant: mutant.clone(),
            fate: if reached.is_empty() { Fate::NotReached } else { Fate::NoDifference },
            by: empty(),
            job: empty(),
            says: empty(),
            reached: reached.len(),
            runs: 0,
            differed: 0,
        };
        for (original, _) in reached.into_iter().filter(|(_, would_differ)| *would_differ) {
            let ran = session.run(Turn::Mutant(mutant.number), original.job, original.limit)?;
            outcome.runs += 1;
            let fate = self.fate(&original.ran, &ran);
            outcome.differed += usize::from(fate != Fate::NoDifference);
            if fate.is_caught() || fate == Fate::Broken {
                outcome.by = self.by(&original.ran, &ran);
                outcome.job = self.harness.names()[original.job].clone();
                outcome.says = ran.says;
            }
            if fate.is_caught() {
                outcome.fate = fate;
                break;
            }
            outcome.fate = outcome.fate.max(fate);
        }
        Ok(outcome)
    }

    /// What one run says of a mutant.
    fn fate(&self, original: &Ran, ran: &Ran) -> Fate {
        let differs = match self.compare {
            Compare::Trace => ran.trace != original.trace,
            Compare::Verdict => ran.verdict != original.verdict || ran.ended != original.ended,
        };
        match (ran.ended, self.compare) {
            (Ended::Hung, _) => Fate::Hung,
            (Ended::Died, _) => Fate::Died,
            (Ended::As(Ending::Broken), _) => Fate::Broken,
            (Ended::As(Ending::Caught), Compare::Trace) => Fate::Caught,
            (Ended::As(Ending::Panicked), Compare::Trace) => Fate::Panicked,
            (Ended::As(Ending::Held), Compare::Trace) if differs => Fate::Lived,
            (Ended::As(Ending::Held), Compare::Trace) => Fate::NoDifference,
            (Ended::As(_), Compare::Verdict) if differs => Fate::Caught,
            // Its value differed, as the record says, but the verdict is the same.
            (Ended::As(_), Compare::Verdict) => Fate::Lived,
        }
    }

    /// Who noticed a mutant.
    fn by(&self, original: &Ran, ran: &Ran) -> String {
        let words = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        let (before, now) = (words(&original.verdict), words(&ran.verdict));
        let differing = |from: &[String], other: &[String]| {
            from.iter().find(|word| !word.is_empty() && !other.contains(word)).cloned()
        };
        match self.compare {
            Compare::Trace => ran.by.clone(),
            // An oracle that was heard only before, or one that is heard only now; or a test.
            Compare::Verdict => differing(&before, &now)
                .or_else(|| differing(&now, &before))
                .unwrap_or_else(|| ran.by.clone()),
        }
    }

    /// Does `count` pieces of work on all threads, each with its own processes. `done` gets the results on this one.
    fn each<T: Send>(
        &self,
        count: usize,
        work: impl Fn(&mut Session<'_>, usize) -> Result<T, Error> + Sync,
        done: &mut dyn FnMut(T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            for _ in 0..self.threads.clamp(1, count.max(1)) {
                let (send, next, stopped, work) = (send.clone(), &next, &stopped, &work);
                scope.spawn(move || {
                    let mut session = Session::new(self.harness);
                    while !stopped.load(Ordering::Relaxed) {
                        let nth = next.fetch_add(1, Ordering::Relaxed);
                        if nth >= count || send.send(work(&mut session, nth)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(send);
            let result = receive.iter().try_for_each(|result| done(result?));
            stopped.store(true, Ordering::Relaxed);
            result
        })
    }
}
