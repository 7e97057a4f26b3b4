//! A client of any node: a closed loop over its operations.

use std::fmt::Debug;

use keyed::Ratio;
use trace::{MemberId, Nanos};

use crate::field::{Field, Form, HOUR, Line, MS, fields, time};
use crate::part::ClientPart;
use crate::sections::CLOCK_RATE;
use crate::units::Unit;
use crate::words::{BadWords, bad};

/// What a client asks a node for.
pub trait Operation: Clone + Debug + PartialEq + 'static {
    /// The operation in one line of text, which [`Operation::parse`] reads back.
    fn print(&self) -> String;
    /// Reads an operation.
    ///
    /// # Errors
    /// What is wrong with the text.
    fn parse(text: &str) -> Result<Self, BadWords>;
}

/// A client that sends one operation after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Client<O> {
    /// The members it knows, in the order in which it tries them.
    pub endpoints: Vec<MemberId>,
    /// How long it waits for an answer, by its own clock.
    pub timeout: Nanos,
    /// How fast its clock runs, in parts per million of true time (1 000 000 is exact).
    pub clock_rate: u32,
    /// What it does, in order.
    pub operations: Vec<Planned<O>>,
}

/// An operation, with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned<O> {
    /// It begins at this time, or when the previous one has ended, if that is later.
    pub at: Nanos,
    /// What to do.
    pub what: O,
}

impl<O: Operation> Client<O> {
    /// The fields of `[[client]]`.
    pub const FIELDS: &'static [Field<Client<O>>] = &fields! {
        "endpoints" Form::Members => endpoints, "The members it knows, in the order in which it tries them.";
        "timeout" time(MS, HOUR) => timeout, "How long it waits for an answer, by its own clock.";
        "clock" CLOCK_RATE => clock_rate, "How fast its clock runs; `100%` is exact.";
        "operations" Form::operations::<Planned<O>>() => operations, "What it does, in order, one line per operation.";
    };
}

impl<O> Default for Client<O> {
    fn default() -> Client<O> {
        Client {
            endpoints: Vec::new(),
            timeout: 2_000 * MS as Nanos,
            clock_rate: Ratio::WHOLE,
            operations: Vec::new(),
        }
    }
}

impl<O: Operation> ClientPart for Client<O> {
    type Operation = Planned<O>;

    fn new(endpoints: Vec<MemberId>, clock_rate: u32) -> Client<O> {
        Client { endpoints, clock_rate, ..Client::default() }
    }

    fn operations(&self) -> &[Planned<O>] {
        &self.operations
    }

    fn operations_mut(&mut self) -> &mut Vec<Planned<O>> {
        &mut self.operations
    }

    fn asks_at(operation: &Planned<O>) -> Option<Nanos> {
        Some(operation.at)
    }
}

/// An operation is written after its time: `1.25s read`.
impl<O: Operation> Line for Planned<O> {
    fn print(&self) -> String {
        format!("{} {}", Unit::Time.print(self.at.into()), self.what.print())
    }

    fn parse(line: &str) -> Result<Planned<O>, BadWords> {
        let (time, what) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let at = Unit::Time.parse(time).ok().and_then(|at| u64::try_from(at).ok());
        let at = at.ok_or_else(|| {
            bad(format!("an operation begins with its time, not {time:?}"), "write it as in `1.25s read`")
        })?;
        Ok(Planned { at, what: O::parse(what.trim())? })
    }
}
