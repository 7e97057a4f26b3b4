//! Why elements of a container cannot be put in order, as rows and in words.

use crate::history::History;
use crate::model::{ContainerOp, Model};

use super::elements::{Element, NONE, Rows};

/// What put an element in, and what took it out; [`NONE`] if nothing is known to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) put: u32,
    pub(super) gone: u32,
}

impl Pair {
    pub(super) fn of(element: &Element) -> Pair {
        Pair { put: element.put, gone: element.gone }
    }
}

/// A contradiction, in rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Nothing put it in.
    NeverPut { take: u32 },
    /// What put it in was called after it had been taken.
    TooEarly { put: u32, take: u32 },
    /// It was put in once and taken twice.
    Twice { put: u32, takes: [u32; 2] },
    /// In a queue the second was put in behind the first, and left before it.
    Overtaken { first: Pair, second: Pair },
    /// All the time some element was there.
    NotEmpty { empty: u32, pairs: Vec<Pair> },
    /// All the time some lesser element was there.
    Lesser { taken: Pair, pairs: Vec<Pair> },
    /// None of these can have been put into a stack first and left it last, and none can be apart.
    Crossed { pairs: Vec<Pair> },
    /// Elements that only takes of unknown outcome can have taken, as the other rows show.
    TooFew { lost: Vec<Pair>, shown: Vec<u32> },
    /// Of a set: what these found of one element, and what was done to it.
    Element { rows: Vec<u32> },
    /// Of a set: what these found of several elements.
    Reads { rows: Vec<u32> },
}

impl Reason {
    /// The rows that are in conflict.
    pub(super) fn rows(&self) -> Vec<u32> {
        let both = |pair: &Pair| [pair.put, pair.gone];
        let mut rows: Vec<u32> = match self {
            Reason::NeverPut { take } => vec![*take],
            Reason::TooEarly { put, take } => vec![*put, *take],
            Reason::Twice { put, takes } => vec![*put, takes[0], takes[1]],
            Reason::Overtaken { first, second } => [both(first), both(second)].concat(),
            Reason::NotEmpty { empty, pairs } => pairs.iter().flat_map(both).chain([*empty]).collect(),
            Reason::Lesser { taken, pairs } => pairs.iter().chain([taken]).flat_map(both).collect(),
            Reason::Crossed { pairs } => pairs.iter().flat_map(both).collect(),
            Reason::TooFew { lost, shown } => {
                lost.iter().flat_map(both).chain(shown.iter().copied()).collect()
            }
            Reason::Element { rows } | Reason::Reads { rows } => rows.clone(),
        };
        rows.retain(|&row| row != NONE);
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The contradiction in a sentence.
    pub(super) fn sentence<M: Model>(
        &self,
        model: &M,
        history: &History<M::Input, M::Output>,
        rows: &Rows,
    ) -> Option<String> {
        Words { model, history, rows }.sentence(self)
    }
}

/// How many elements a sentence names.
const NAMED_MAX: usize = 6;

struct Words<'a, M: Model> {
    model: &'a M,
    history: &'a History<M::Input, M::Output>,
    rows: &'a Rows,
}

impl<M: Model> Words<'_, M> {
    fn sentence(&self, reason: &Reason) -> Option<String> {
        Some(match reason {
            Reason::NeverPut { take } => format!("{} was never put in", self.answered(*take)),
            Reason::TooEarly { put, take } => {
                format!(
                    "{} at {}, but {} was called at {}",
                    self.answered(*take),
                    self.ret(*take),
                    self.asked(*put),
                    self.call(*put)
                )
            }
            Reason::Twice { put, takes: [one, other] } => {
                format!(
                    "{}, and so did {}, but only {} put it in",
                    self.answered(*one),
                    self.name(*other),
                    self.asked(*put)
                )
            }
            Reason::Overtaken { first, second } => {
                let left = match first.gone {
                    NONE => "which was still there".to_owned(),
                    gone => format!("which {} took no earlier than {}", self.name(gone), self.call(gone)),
                };
                format!(
                    "{} had returned by {} when {} was called at {}; but {} by {}, before that of {}, {left}",
                    self.asked(first.put),
                    self.put_by(first),
                    self.asked(second.put),
                    self.call(second.put),
                    self.answered(second.gone),
                    self.ret(second.gone),
                    self.name(first.put),
                )
            }
            Reason::NotEmpty { empty, pairs } => {
                format!(
                    "{} found nothing between {} and {}, but all that time something was there: {}",
                    self.name(*empty),
                    self.call(*empty),
                    self.ret(*empty),
                    self.spans(pairs)
                )
            }
            Reason::Lesser { taken, pairs } => {
                format!(
                    "{} between {} and {}, but all that time something less was there: {}",
                    self.answered(taken.gone),
                    self.call(taken.gone),
                    self.ret(taken.gone),
                    self.spans(pairs)
                )
            }
            Reason::Crossed { pairs } => format!(
                "the elements {} were there at the same time, one after the other, and none of them can have been put in first and taken last",
                self.spans(pairs)
            ),
            Reason::TooFew { .. } | Reason::Element { .. } | Reason::Reads { .. } => return None,
        })
    }

    fn operation(&self, row: u32) -> &crate::history::Operation<M::Input, M::Output> {
        self.history.operation(self.rows.op[row as usize])
    }

    fn name(&self, row: u32) -> String {
        format!("#{}", self.rows.op[row as usize])
    }

    fn asked(&self, row: u32) -> String {
        format!("{} {}", self.name(row), self.model.describe_input(&self.operation(row).input))
    }

    fn answered(&self, row: u32) -> String {
        let operation = self.operation(row);
        let output = operation.output().map(|output| self.model.describe_output(&operation.input, output));
        format!("{} answered {}", self.name(row), output.unwrap_or_default())
    }

    fn call(&self, row: u32) -> u64 {
        self.operation(row).call
    }

    fn ret(&self, row: u32) -> String {
        self.operation(row).returned().map_or("never".to_owned(), |at| at.to_string())
    }

    /// By when an element was put in: when that returned, or when it was taken.
    fn put_by(&self, pair: &Pair) -> String {
        let returned = |row: u32| match row {
            NONE => None,
            row => self.operation(row).returned(),
        };
        let by = returned(pair.put).into_iter().chain(returned(pair.gone)).min();
        by.map_or("never".to_owned(), |at| at.to_string())
    }

    /// From when to when elements are certain to be there.
    fn spans(&self, pairs: &[Pair]) -> String {
        let span = |pair: &Pair| {
            let operation = self.operation(pair.put);
            let element = match self.model.as_container(&operation.input, operation.output()) {
                Some(ContainerOp::Insert(_)) => self.model.describe_input(&operation.input),
                _ => String::new(),
            };
            let until = match pair.gone {
                NONE => "on".to_owned(),
                gone => format!("to {} (#{})", self.call(gone), self.rows.op[gone as usize]),
            };
            format!("that of {element} from {} ({}) {until}", self.put_by(pair), self.name(pair.put))
        };
        let mut spans: Vec<String> = pairs.iter().take(NAMED_MAX).map(span).collect();
        if pairs.len() > NAMED_MAX {
            spans.push(format!("and {} more", pairs.len() - NAMED_MAX));
        }
        spans.join(", ")
    }
}
