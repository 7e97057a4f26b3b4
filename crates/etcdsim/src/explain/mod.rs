//! Explains a failure: what was promised, what happened, the first wrong step inside the cluster, and the chain that
//! leads from it to what a client saw.
//!
//! A verdict says what broke, and shows what proves it. Often that is far from the cause: a client misses a change
//! seconds after a member dropped it. To find the cause, the plan runs again with an observer that keeps every fact and
//! every inner event ([`evidence`]); the run takes the same steps. The [`rules`] search what happened inside the
//! members for steps that no correct member takes; what S and the invariants report counts as a wrong step, too. The
//! earliest of these is the *first wrong step*, and the headline. The others that follow, restarts, and what the story
//! of a lost entry ([`story`]) tells are the chain.
//!
//! Nothing here knows of any flaw. A rule says what a correct member does, and is a row in [`rules`].
//!
//! Not here: which fault was necessary (that needs other runs).

mod chain;
mod evidence;
mod rules;
mod story;
mod wrong;

use plan::Plan;
use record::{MemberId, Nanos};
use serde::Serialize;
use verify::Severity;

use crate::execute::{HarnessFailure, catch_panics};
use crate::report::Failure;
use evidence::Evidence;
pub use story::Story;
use wrong::Wrong;

/// Why a run failed, in sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The first wrong step in one sentence; what a client saw if nothing wrong was found before it.
    pub headline: String,
    /// The rest, in the order of a story.
    pub paragraphs: Vec<Paragraph>,
}

/// Sentences about one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Paragraph {
    /// The question: "promised", "happened", "first wrong step", …
    pub heading: &'static str,
    /// The sentences; never empty.
    pub sentences: Vec<Sentence>,
}

/// One sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sentence {
    /// The text.
    pub text: String,
    /// When it happened, if it is about an event.
    #[serde(rename = "time_ns", skip_serializing_if = "Option::is_none")]
    pub time: Option<Nanos>,
    /// The member that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// The operation of the history that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<usize>,
}

impl Sentence {
    fn new(text: impl Into<String>) -> Sentence {
        Sentence { text: text.into(), ..Sentence::default() }
    }

    fn at(self, time: Nanos) -> Sentence {
        Sentence { time: Some(time), ..self }
    }

    fn of(self, member: MemberId) -> Sentence {
        Sentence { member: (!member.is_none()).then_some(member), ..self }
    }
}

/// Explains a failure of a plan, by running it again, and finds the story of the write that it lost. `replay` is the
/// command line that replays the run; it is not in the explanation if there is none. Changes nothing if the run cannot be
/// repeated, for example because an oracle panics.
pub fn explain(plan: &Plan, failure: &mut Failure, replay: Option<&str>) {
    let Ok(evidence) = Evidence::gather(plan) else { return };
    failure.story = story::of(&evidence, failure);
    // The oracles' findings matter more than their explanation: a bug here must not hide them.
    let explained = catch_panics(|| explanation(plan, failure, &evidence, replay));
    failure.explanation = explained.ok();
}

/// What the rules of correct members find in a run of a plan, a sentence each: nothing, unless a flaw is on. For the
/// tests of the rules.
///
/// # Errors
/// If the simulator or an oracle panicked.
#[doc(hidden)]
pub fn wrong_steps(plan: &Plan) -> Result<Vec<String>, HarnessFailure> {
    Ok(rules::look(&Evidence::gather(plan)?)
        .into_iter()
        .map(|wrong| format!("{}: {}", wrong.by, wrong.says))
        .collect())
}

/// The explanation by the evidence.
fn explanation(plan: &Plan, failure: &Failure, evidence: &Evidence, replay: Option<&str>) -> Explanation {
    let wrong = wrong::steps(evidence, failure);
    // A step after the last violation did not lead to any of them.
    let seen = failure.violations.iter().map(|violation| violation.time_ns).max();
    let wrong: Vec<Wrong> = wrong.into_iter().filter(|wrong| Some(wrong.time) <= seen).collect();
    let first = wrong.first();
    let shown = failure.first();
    let headline = match first {
        Some(first) if first.says.contains(&wrong::time(first.time)) => first.says.clone(),
        Some(first) => format!("At {}: {}", wrong::time(first.time), first.says),
        None => shown.sentences.first().cloned().unwrap_or_else(|| format!("{}.", shown.title)),
    };
    let mut paragraphs = Vec::new();
    let mut add = |heading: &'static str, sentences: Vec<Sentence>| {
        if !sentences.is_empty() {
            paragraphs.push(Paragraph { heading, sentences });
        }
    };
    let worst = failure.worst();
    let mut promised = vec![Sentence::new(format!("{}: {}.", shown.oracle, shown.oracle.holds()))];
    if let Some(Wrong { rule: Some(rule), .. }) = first
        && promised[0].text != *rule
    {
        promised.push(Sentence::new(rule.clone()));
    }
    add("promised", promised);
    if let Some(first) = first {
        let mut sentences = first.sentences();
        // The headline has already said the first sentence; it is repeated only if there is no other.
        if sentences.len() > 1 {
            let said = sentences.remove(0);
            sentences[0].time = sentences[0].time.or(said.time);
        }
        add("first wrong step", sentences);
    }
    add("chain", chain::of(evidence, failure, &wrong));
    let seen = if worst.severity <= Severity::Wrong || first.is_none() { worst } else { shown };
    add("happened", chain::happened(evidence, seen, first));
    add("open at the end", evidence.record.unsettled.iter().map(Sentence::new).collect());
    add("faults", chain::faults(plan, evidence, failure, &wrong));
    add("leaders", chain::leaders(evidence, failure, first));
    add("also violated", chain::others(failure, seen));
    let ids = chain::legend(&paragraphs);
    let replay: Vec<Sentence> = replay.map(Sentence::new).into_iter().collect();
    let last = [("ids", ids), ("replay", replay)].into_iter();
    let last = last.filter(|(_, sentences)| !sentences.is_empty());
    paragraphs.extend(last.map(|(heading, sentences)| Paragraph { heading, sentences }));
    Explanation { headline, paragraphs }
}
