//! What a page shows, as plain values.

use std::borrow::Cow;

use record::{Event, Fact, MemberId, Nanos};

/// The most characters of a text. Longer ones are cut.
const TEXT_MAX: usize = 400;
/// The most operations that prove a violation.
const PROOF_MAX: usize = 120;
/// The most bytes that all sentences together take in HTML. A person reads a hundredth of it.
const TOLD_MAX: usize = 600_000;
/// About how many bytes the HTML around a sentence takes.
const AROUND: usize = 120;

/// A run or a history, and what was found in it.
pub struct Input<'a> {
    /// What was run: the title of a scenario, or the name of a file.
    pub title: String,
    /// What a reader may want to know about the run, such as its seed and its trace hash: name and value.
    pub about: Vec<(&'static str, String)>,
    /// The command that shows it again.
    pub replay: String,
    /// How many members the cluster began with; 0 if nothing is known about members.
    pub members: u32,
    /// When the run or the history ended.
    pub end: Nanos,
    /// The violations; the one to show first comes first.
    pub violations: Vec<Violation>,
    /// Why there is no verdict, a sentence each.
    pub undecided: Vec<String>,
    /// The explanation of the first violation.
    pub story: Vec<Paragraph>,
    /// The faults of the plan, by their numbers in the events.
    pub faults: Vec<Fault>,
    /// What the clients did. An operation's number is its index.
    pub operations: Vec<Operation>,
    /// The watch streams. A stream's number is its index.
    pub watches: Vec<Watch>,
    /// The leases.
    pub leases: Vec<Lease>,
    /// How far the members' wall clocks were off.
    pub clocks: Vec<ClockChange>,
    /// The events of the run, in their order; empty for a history from elsewhere.
    pub events: &'a [Event],
    /// Says what an event is, as text that follows the name of the member.
    pub describe: &'a dyn Fn(&Fact) -> String,
}

/// A violation.
#[derive(Clone, Debug, Default)]
pub struct Violation {
    /// The oracle: `K1`.
    pub oracle: String,
    /// A short title.
    pub title: String,
    /// When it became visible, if that is known.
    pub time: Option<Nanos>,
    /// What happened.
    pub sentences: Vec<String>,
    /// The operations that prove it.
    pub operations: Vec<usize>,
    /// The events that prove it, a line each.
    pub events: Vec<String>,
    /// How many more violations of this oracle there are.
    pub others: usize,
}

/// A part of the explanation.
#[derive(Clone, Debug, Default)]
pub struct Paragraph {
    /// What it is about.
    pub heading: String,
    /// Its sentences.
    pub sentences: Vec<Sentence>,
}

/// A sentence of the explanation, and what it is about.
#[derive(Clone, Debug, Default)]
pub struct Sentence {
    /// The sentence.
    pub text: String,
    /// The moment it is about.
    pub time: Option<Nanos>,
    /// The member it is about.
    pub member: Option<MemberId>,
    /// The operation it is about, by its number.
    pub operation: Option<usize>,
}

/// A fault of the plan.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The name of its kind.
    pub kind: &'static str,
    /// What the plan says of it, such as `target = leader, for = 2s`.
    pub text: String,
    /// Whether it is over as soon as it has struck.
    pub at_once: bool,
}

/// An operation of a client.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The client.
    pub client: u32,
    /// The member that was asked; none if that is not known.
    pub member: MemberId,
    /// What was asked.
    pub request: String,
    /// When.
    pub call: Nanos,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an operation ended for its client.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With an answer.
    Answered {
        /// When.
        at: Nanos,
        /// The answer.
        answer: String,
    },
    /// With an error.
    Failed {
        /// When.
        at: Nanos,
        /// The error.
        error: String,
    },
    /// Nobody knows: it may have taken effect, may still do so, or may never do so.
    Unknown {
        /// When the client gave up; `None` if that is not known.
        gave_up: Option<Nanos>,
    },
}

/// A watch stream.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The client.
    pub client: u32,
    /// The member at the other end.
    pub member: MemberId,
    /// What is watched.
    pub watched: String,
    /// When it was opened.
    pub opened: Nanos,
    /// When and how it ended; `None` if it was open to the end.
    pub ended: Option<Ending>,
    /// What was delivered, and when: revision, number of events, text.
    pub received: Vec<(Nanos, i64, u32, String)>,
}

/// A lease.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Its id.
    pub id: i64,
    /// The client that was granted it.
    pub client: u32,
    /// The seconds that it lasts without a renewal.
    pub seconds: i64,
    /// When its grant was answered, by the client's account.
    pub granted: Nanos,
    /// When renewals were answered.
    pub renewed: Vec<Nanos>,
    /// When and how it ended; `None` if it lasted to the end.
    pub ended: Option<Ending>,
}

/// The end of something.
#[derive(Clone, Debug)]
pub struct Ending {
    /// When.
    pub at: Nanos,
    /// How.
    pub how: String,
}

/// A change of a member's wall clock. Between two changes its offset grows evenly.
#[derive(Clone, Copy, Debug)]
pub struct ClockChange {
    /// When.
    pub at: Nanos,
    /// The member.
    pub member: MemberId,
    /// How far it is ahead of true time now, in nanoseconds.
    pub ahead: i64,
    /// How much it gains from now on, in parts per million; negative if it loses.
    pub gains: i64,
}

impl Input<'_> {
    /// The moment that the page opens at.
    pub(crate) fn focus(&self) -> Nanos {
        let violation = self.violations.first();
        let of = |number: &usize| self.operations.get(*number).map(|operation| operation.call);
        let proof = violation.and_then(|violation| violation.operations.iter().filter_map(of).max());
        let said =
            self.story.iter().flat_map(|part| &part.sentences).filter_map(|sentence| sentence.time).max();
        violation.and_then(|violation| violation.time).or(proof).or(said).unwrap_or(0)
    }

    /// The numbers of the operations that the story is about; these are never left out.
    pub(crate) fn proof(&self) -> Vec<usize> {
        let sentences = self.story.iter().flat_map(|paragraph| &paragraph.sentences);
        let said = sentences.filter_map(|sentence| sentence.operation);
        let proven = self.violations.iter().flat_map(|violation| violation.operations.iter().copied());
        let mut numbers: Vec<usize> =
            said.chain(proven).filter(|number| *number < self.operations.len()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The same input with its sentences cut to a length that a person reads, so that they fit whatever the run is.
    pub(crate) fn bounded(mut self) -> Self {
        let mut left = TOLD_MAX;
        for text in [&mut self.title, &mut self.replay] {
            fits(text, &mut left);
        }
        for paragraph in &mut self.story {
            fits(&mut paragraph.heading, &mut left);
            paragraph.sentences.retain_mut(|sentence| fits(&mut sentence.text, &mut left));
        }
        self.undecided.retain_mut(|text| fits(text, &mut left));
        self.about.retain_mut(|(_, value)| fits(value, &mut left));
        self.violations.retain_mut(|violation| {
            violation.operations.truncate(PROOF_MAX);
            violation.sentences.retain_mut(|text| fits(text, &mut left));
            violation.events.retain_mut(|text| fits(text, &mut left));
            fits(&mut violation.title, &mut left)
        });
        self
    }
}

/// Cuts a text that nobody would read to its end. Returns whether there is room for it.
fn fits(text: &mut String, left: &mut usize) -> bool {
    if let Cow::Owned(cut) = shortened(text) {
        *text = cut;
    }
    let bytes =
        AROUND + text.chars().map(|c| if "<>&\"".contains(c) { 6 } else { c.len_utf8() }).sum::<usize>();
    let fits = bytes <= *left;
    if fits {
        *left -= bytes;
    } else {
        text.clear();
    }
    fits
}

/// The text, cut if it is long.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(TEXT_MAX) {
        Some((at, _)) => Cow::Owned(format!("{}…", &text[..at])),
        None => Cow::Borrowed(text),
    }
}
