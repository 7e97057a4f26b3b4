//! The reasons why the operations of a container have no linearization: each as the rows that are in conflict, and as
//! a sentence for the report. The head of [`super`] defines the words.

use crate::history::History;
use crate::model::{ContainerOp, Model};

use super::elements::{Element, NONE, Rows};

/// The put and the take of an element, as rows; [`NONE`] if none is known.
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

/// A contradiction. Its numbers are rows, except `element`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// An element was taken that nothing put in.
    NeverPut { take: u32 },
    /// An element was put in only after it had been taken.
    TooEarly { put: u32, take: u32 },
    /// An element was put in once and taken twice.
    Twice { put: u32, takes: [u32; 2] },
    /// In a queue, the second element was put in after the first, but taken before it.
    Overtaken { first: Pair, second: Pair },
    /// A take found nothing, but all the time some element was in the container. `pairs` are these elements.
    NotEmpty { empty: u32, pairs: Vec<Pair> },
    /// An element was taken from a priority queue, but all the time some lesser element was in it. `pairs` are these
    /// elements.
    Lesser { taken: Pair, pairs: Vec<Pair> },
    /// Elements of a stack that were in it at the same time, one overlapping the next, but none of which can have
    /// been put in first and taken last.
    Crossed { pairs: Vec<Pair> },
    /// Too few takes of unknown outcome: the elements `lost` must have been taken by them, as the rows `shown` show.
    TooFew { lost: Vec<Pair>, shown: Vec<u32> },
    /// Of a set: the row `found` found an element that nothing added.
    NeverAdded { element: u32, found: u32 },
    /// Of a set: two rows removed an element that was added once.
    RemovedTwice { element: u32, removes: [u32; 2] },
    /// Of a set: the element had been found before it was added.
    FoundEarly { element: u32, add: u32, found: u32 },
    /// Of a set: the element was found after it had been removed.
    FoundLate { element: u32, add: u32, remove: u32, found: u32 },
    /// Of a set: the row `absent` did not find an element that was in the set all the time, as the rows `shown` show:
    /// by the return of the first the element was there, and at the call of the second it still was. The second is
    /// [`NONE`] if no row removed the element.
    There { element: u32, add: u32, remove: u32, shown: [u32; 2], absent: u32 },
    /// Of a set: a read shows two elements, one of which was removed before the other was added.
    NeverTogether { add: u32, remove: u32, read: u32 },
    /// Of a set from which nothing is removed: neither read shows all that the other one shows.
    Unlike { reads: [u32; 2] },
    /// Of a set from which nothing is removed: `later` must come after `earlier`, because it shows or adds an element
    /// that `earlier` does not show. But `later` was over before `earlier` was called, as the two rows `shown` show.
    /// If both are adds, the read `between` shows which comes first.
    Backwards { earlier: u32, later: u32, shown: [u32; 2], between: u32 },
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
            Reason::NeverAdded { found, .. } => vec![*found],
            Reason::RemovedTwice { removes, .. } => removes.to_vec(),
            Reason::FoundEarly { add, found, .. } => vec![*add, *found],
            Reason::FoundLate { add, remove, found, .. } => vec![*add, *remove, *found],
            Reason::There { add, remove, shown, absent, .. } => {
                vec![*add, *remove, shown[0], shown[1], *absent]
            }
            Reason::NeverTogether { add, remove, read } => vec![*add, *remove, *read],
            Reason::Unlike { reads } => reads.to_vec(),
            Reason::Backwards { earlier, later, shown, between } => {
                vec![*earlier, *later, shown[0], shown[1], *between]
            }
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
        name: &dyn Fn(u32) -> String,
    ) -> Option<String> {
        Words { model, history, rows, element: name }.sentence(self)
    }
}

/// How many elements a sentence names.
const NAMED_MAX: usize = 6;

/// Writes the sentence of a contradiction.
struct Words<'a, M: Model> {
    model: &'a M,
    history: &'a History<M::Input, M::Output>,
    rows: &'a Rows,
    /// The name of an element, by its number.
    element: &'a dyn Fn(u32) -> String,
}

impl<M: Model> Words<'_, M> {
    /// The contradiction in one sentence, if there is a sentence for it.
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
                    "{} found nothing between {} and {}, but all that time some element was there: {}",
                    self.name(*empty),
                    self.call(*empty),
                    self.ret(*empty),
                    self.spans(pairs)
                )
            }
            Reason::Lesser { taken, pairs } => {
                format!(
                    "{} between {} and {}, but all that time a lesser element was there: {}",
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
            Reason::TooFew { .. } => return None,
            of_set => return self.of_set(of_set),
        })
    }

    /// The sentence of a contradiction of a set.
    fn of_set(&self, reason: &Reason) -> Option<String> {
        Some(match *reason {
            Reason::NeverAdded { element, found } => {
                format!("{}, but nothing had added {} by then", self.answered(found), (self.element)(element))
            }
            Reason::RemovedTwice { element, removes: [one, other] } => format!(
                "{} answered that it removed {}, and so did {}, but it was added only once",
                self.name(one),
                (self.element)(element),
                self.name(other)
            ),
            Reason::FoundEarly { element, add, found } => format!(
                "{} answered by {} that {} was there, but {} was called at {}",
                self.name(found),
                self.ret(found),
                (self.element)(element),
                self.asked(add),
                self.call(add)
            ),
            Reason::FoundLate { element, add, remove, found } => format!(
                "{} had removed {} by {}, and only {} added it; but {}, called at {}, found it there",
                self.name(remove),
                (self.element)(element),
                self.ret(remove),
                self.name(add),
                self.name(found),
                self.call(found)
            ),
            Reason::There { element, add, remove, shown: [from, to], absent } => {
                let element = (self.element)(element);
                let until = match remove {
                    NONE => "and nothing had removed it by then".to_owned(),
                    remove if to == remove => {
                        format!(
                            "and {}, which removed it, was called at {}",
                            self.name(remove),
                            self.call(to)
                        )
                    }
                    remove => format!(
                        "and {} removed it only after {} had found it, called at {}",
                        self.name(remove),
                        self.name(to),
                        self.call(to)
                    ),
                };
                let since = match from == add {
                    true => format!("{} had added it by {}", self.name(add), self.ret(from)),
                    false => format!("{} had found it by {}", self.name(from), self.ret(from)),
                };
                format!(
                    "{} did not find {element} between {} and {}; but {since}, {until}",
                    self.name(absent),
                    self.call(absent),
                    self.ret(absent)
                )
            }
            Reason::NeverTogether { add, remove, read } => format!(
                "{} shows what {} added and what {} removed; but that removal had returned at {}, and that add was called at {}",
                self.name(read),
                self.asked(add),
                self.asked(remove),
                self.ret(remove),
                self.call(add)
            ),
            Reason::Unlike { reads: [one, other] } => format!(
                "{}, and {}: neither shows all that the other one shows, and nothing was removed",
                self.answered(one),
                self.answered(other)
            ),
            Reason::Backwards { earlier, later, shown: [by, from], between } => {
                let tell = match between {
                    NONE => String::new(),
                    between if between == later || between == earlier => String::new(),
                    between => format!(", as {} shows", self.name(between)),
                };
                format!(
                    "{} took effect before {}{tell}; but that was over by {} ({}), and {} was called only at {}",
                    self.asked(earlier),
                    self.asked(later),
                    self.ret(by),
                    self.name(by),
                    self.name(from),
                    self.call(from)
                )
            }
            _ => return None,
        })
    }

    /// The operation of a row.
    fn operation(&self, row: u32) -> &crate::history::Operation<M::Input, M::Output> {
        self.history.operation(self.rows.op[row as usize])
    }

    /// The operation's number.
    fn name(&self, row: u32) -> String {
        format!("#{}", self.rows.op[row as usize])
    }

    /// The operation's number and its request.
    fn asked(&self, row: u32) -> String {
        format!("{} {}", self.name(row), self.model.describe_input(&self.operation(row).input))
    }

    /// The operation's number and its answer.
    fn answered(&self, row: u32) -> String {
        let operation = self.operation(row);
        let output = operation.output().map(|output| self.model.describe_output(&operation.input, output));
        format!("{} answered {}", self.name(row), output.unwrap_or_default())
    }

    /// When the operation of a row was called.
    fn call(&self, row: u32) -> u64 {
        self.operation(row).call
    }

    /// When the operation of a row returned, in words.
    fn ret(&self, row: u32) -> String {
        self.operation(row).returned().map_or("never".to_owned(), |at| at.to_string())
    }

    /// By when an element was put in: the return of its put or of its take, whichever is earlier.
    fn put_by(&self, pair: &Pair) -> String {
        let returned = |row: u32| match row {
            NONE => None,
            row => self.operation(row).returned(),
        };
        let by = returned(pair.put).into_iter().chain(returned(pair.gone)).min();
        by.map_or("never".to_owned(), |at| at.to_string())
    }

    /// For each of these elements: from when to when it was certainly in the container.
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
