//! Where two runs of one plan diverge.
//!
//! Two runs of a plan take the same steps until something differs: a flaw, a fault that is left out, a changed line of
//! code in another build. The first event that differs is the first effect of that difference that the trace shows.
//! Everything before it is the same, so the state of the members at that moment is the same on both sides, too.

use std::borrow::Cow;

use record::Event;
use verify::describe;

use crate::show::numbers;

/// How many events after the parting the other side is searched for the same event.
const SEARCHED: usize = 20_000;

/// The trace of one side.
#[derive(Clone, Debug)]
pub(crate) enum Trace {
    /// Of a run of this build.
    Events(Vec<Event>),
    /// Of another build: the lines of `replay --trace-file`.
    Lines(Vec<String>),
}

impl Trace {
    fn len(&self) -> usize {
        match self {
            Trace::Events(events) => events.len(),
            Trace::Lines(lines) => lines.len(),
        }
    }

    /// An event as a line; `None` past the end.
    pub fn line(&self, nth: usize) -> Option<Cow<'_, str>> {
        match self {
            Trace::Events(events) => events.get(nth).map(|event| describe::event(event).into()),
            Trace::Lines(lines) => lines.get(nth).map(|line| line[..].into()),
        }
    }

    fn same(&self, other: &Trace, nth: usize) -> bool {
        match (self, other) {
            (Trace::Events(one), Trace::Events(other)) => one[nth] == other[nth],
            // Only what the lines show of an event can be compared.
            _ => self.line(nth) == other.line(nth),
        }
    }
}

/// Where two traces diverge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    /// How many events at the start of both are equal.
    pub shared: usize,
    /// Where each side has the other side's next event, if it comes later: how many events after the parting.
    pub later: [Option<usize>; 2],
}

/// The first difference of two traces; `None` if they are equal.
pub(crate) fn parting(left: &Trace, right: &Trace) -> Option<Parting> {
    let least = left.len().min(right.len());
    let shared = (0..least).find(|nth| !left.same(right, *nth)).unwrap_or(least);
    if shared == least && left.len() == right.len() {
        return None;
    }
    let later = [find(left, right.line(shared), shared), find(right, left.line(shared), shared)];
    Some(Parting { shared, later })
}

/// Where a trace has an event from `from` on, whatever its time.
fn find(trace: &Trace, wanted: Option<Cow<'_, str>>, from: usize) -> Option<usize> {
    let wanted = wanted?;
    let what = without_time(&wanted);
    let mut near = (from..trace.len()).take(SEARCHED);
    near.find(|nth| trace.line(*nth).is_some_and(|line| without_time(&line) == what)).map(|nth| nth - from)
}

/// A line without its time.
fn without_time(line: &str) -> &str {
    line.trim_start().split_once(' ').map_or("", |(_, rest)| rest.trim_start())
}

/// What differs at the parting, in a sentence or two.
pub(crate) fn sentences(left: &Trace, right: &Trace, parting: &Parting) -> Vec<String> {
    let (one, other) = (left.line(parting.shared), right.line(parting.shared));
    let (Some(one), Some(other)) = (&one, &other) else {
        let side = if one.is_some() { "right" } else { "left" };
        return vec![format!("The {side} run ends here, the other one goes on.")];
    };
    let mut sentences = Vec::new();
    if one == other {
        // Only events of this build are compared by more than their lines.
        let (Trace::Events(left), Trace::Events(right)) = (left, right) else { return sentences };
        sentences.push("They differ in what the line does not show:".to_string());
        sentences.extend([left, right].map(|events| format!("{:?}", events[parting.shared].fact)));
        return sentences;
    }
    if without_time(one) == without_time(other) {
        sentences.push("The same happens at another time.".to_string());
    }
    let sides = [("left", "right", parting.later[1]), ("right", "left", parting.later[0])];
    for (side, other, later) in sides {
        match later {
            Some(0) => {}
            Some(later) => sentences.push(format!(
                "What the {side} run does here, the {other} one does {} later.",
                numbers::counted(later, "event")
            )),
            None => sentences.push(format!(
                "What the {side} run does here, the {other} one does not do in its next events."
            )),
        }
    }
    sentences
}

#[cfg(test)]
mod tests {
    use record::{EtcdFact, Fact, MemberId};

    use super::*;

    fn lines(all: &[&str]) -> Trace {
        Trace::Lines(all.iter().map(|line| (*line).to_string()).collect())
    }

    #[test]
    fn equal_traces_do_not_part() {
        let one = lines(&["1.0  m1  sends", "2.0  m2  receives"]);
        assert_eq!(parting(&one, &one.clone()), None);
    }

    #[test]
    fn the_first_difference_is_found_and_what_comes_later() {
        let left = lines(&["1.0  m1  sends", "2.0  m2  acknowledges", "3.0  m1  commits"]);
        let right = lines(&["1.0  m1  sends", "2.5  m2  writes", "4.0  m2  acknowledges"]);
        let found = parting(&left, &right).expect("they differ");
        assert_eq!(found, Parting { shared: 1, later: [None, Some(1)] });
        assert_eq!(
            sentences(&left, &right, &found),
            [
                "What the left run does here, the right one does 1 event later.",
                "What the right run does here, the left one does not do in its next events."
            ]
        );
    }

    #[test]
    fn what_a_line_does_not_show_is_shown() {
        let received = |digest| {
            let fact = Fact::Own(EtcdFact::WatchReceived { stream: 1, revision: 4, events: 0, digest });
            Trace::Events(vec![Event { time: 5, member: MemberId::NONE, fact }])
        };
        let (left, right) = (received(1), received(2));
        let found = parting(&left, &right).expect("they differ");
        let sentences = sentences(&left, &right, &found);
        assert!(sentences[1].contains("digest: 1") && sentences[2].contains("digest: 2"), "{sentences:?}");
    }

    #[test]
    fn a_run_that_ends_early_and_another_time_are_said() {
        let left = lines(&["1.0  m1  sends", "2.0  m2  writes"]);
        let short = lines(&["1.0  m1  sends"]);
        let found = parting(&left, &short).expect("they differ");
        assert_eq!(sentences(&left, &short, &found), ["The right run ends here, the other one goes on."]);
        let late = lines(&["1.0  m1  sends", "2.5  m2  writes"]);
        let found = parting(&left, &late).expect("they differ");
        assert_eq!(sentences(&left, &late, &found), ["The same happens at another time."]);
    }
}
