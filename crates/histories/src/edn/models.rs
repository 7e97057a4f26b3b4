//! How Jepsen writes the values of each model.

use std::cell::RefCell;
use std::collections::BTreeSet;

use linear::Invalid;
use linear::models::{bank, counter, lock, queue, register, set, versioned};

use super::events::{self, Event, Kind, Pair};
use super::parse::{Form, Node, Parser};
use super::read::tuple;
use crate::error::{Mistake, Scan};
use crate::recorded::{RegisterValue, Value};

/// How one of Jepsen's models writes its values, without keys.
pub(super) trait Model {
    /// What an operation asks, in `linear`'s types.
    type Input;
    /// What it is answered, in `linear`'s types.
    type Output;

    /// The operation that an event calls. `value` is its value without the key.
    fn input(
        &self,
        parser: &Parser<'_>,
        event: &Event<'_>,
        key: Option<&Value>,
        value: &Node<'_>,
    ) -> Scan<Self::Input>;

    /// The answer of an event that ends an operation. `value` is its value without the key.
    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output>;
}

/// A number, a text, or a keyword, which becomes the text `:name`.
pub(super) fn scalar(parser: &Parser<'_>, node: &Node<'_>) -> Scan<Value> {
    match &node.form {
        Form::Integer(number) => Ok(Value::Number(*number)),
        Form::Text(text) => Ok(Value::Text(text.as_ref().into())),
        Form::Keyword(name) => Ok(Value::Text(format!(":{name}").into())),
        _ => Err(parser.mistake(
            node.at,
            "a number, a string or a keyword",
            "this cannot be nil or have parts",
        )),
    }
}

/// The content of a register: a value, or nil if it is empty.
pub(super) fn held(parser: &Parser<'_>, node: &Node<'_>) -> Scan<RegisterValue> {
    if node.form == Form::Nil {
        Ok(RegisterValue(None))
    } else {
        Ok(RegisterValue(Some(scalar(parser, node)?)))
    }
}

/// Makes sure that an answer repeats the value of the call.
pub(super) fn repeats(parser: &Parser<'_>, node: &Node<'_>, same: bool) -> Scan<()> {
    if same {
        return Ok(());
    }
    Err(parser.mistake(
        node.at,
        "the value of the call",
        "an :ok repeats the value of its :invoke, except for reads",
    ))
}

/// Registers with reads, writes and compare-and-sets.
pub(super) struct Register;

impl Register {
    /// The two values of a compare-and-set.
    fn cas(parser: &Parser<'_>, node: &Node<'_>) -> Scan<register::Input<RegisterValue>> {
        match &node.form {
            Form::Sequence(items) if items.len() == 2 => {
                Ok(register::Input::Cas(held(parser, &items[0])?, held(parser, &items[1])?))
            }
            _ => Err(parser.mistake(node.at, "[old new]", "a compare-and-set has two values")),
        }
    }
}

impl Model for Register {
    type Input = register::Input<RegisterValue>;
    type Output = register::Output<RegisterValue>;

    fn input(
        &self,
        parser: &Parser<'_>,
        event: &Event<'_>,
        _: Option<&Value>,
        value: &Node<'_>,
    ) -> Scan<Self::Input> {
        match event.f {
            "read" => Ok(register::Input::Read),
            "write" => Ok(register::Input::Write(held(parser, value)?)),
            _ => Self::cas(parser, value),
        }
    }

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output> {
        match input {
            register::Input::Read => Ok(register::Output::Value(held(parser, value)?)),
            register::Input::Write(written) => {
                repeats(parser, value, held(parser, value)? == *written)?;
                Ok(register::Output::Written)
            }
            register::Input::Cas(..) => {
                repeats(parser, value, Self::cas(parser, value)? == *input)?;
                Ok(register::Output::Set(true))
            }
        }
    }
}

/// Queues.
pub(super) struct Queue;

impl Model for Queue {
    type Input = queue::Input<Value>;
    type Output = queue::Output<Value>;

    fn input(
        &self,
        parser: &Parser<'_>,
        event: &Event<'_>,
        _: Option<&Value>,
        value: &Node<'_>,
    ) -> Scan<Self::Input> {
        match event.f {
            "enqueue" => Ok(queue::Input::Insert(scalar(parser, value)?)),
            _ => Ok(queue::Input::Take),
        }
    }

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output> {
        match input {
            queue::Input::Insert(element) => {
                repeats(parser, value, scalar(parser, value)? == *element)?;
                Ok(queue::Output::Inserted)
            }
            queue::Input::Take => Ok(queue::Output::Taken(held(parser, value)?.0)),
        }
    }
}

/// Jepsen does not record whether an add changed anything. It adds every element once, so each add did. A second
/// add of an element is refused, because either answer could be right.
#[derive(Default)]
pub(super) struct Set {
    /// The elements that were added so far, each with its key.
    added: RefCell<BTreeSet<(Option<Value>, Value)>>,
}

impl Model for Set {
    type Input = set::Input<Value>;
    type Output = set::Output<Value>;

    fn input(
        &self,
        parser: &Parser<'_>,
        event: &Event<'_>,
        key: Option<&Value>,
        value: &Node<'_>,
    ) -> Scan<Self::Input> {
        if event.f == "read" {
            return Ok(set::Input::Read);
        }
        let element = scalar(parser, value)?;
        if !self.added.borrow_mut().insert((key.cloned(), element.clone())) {
            let hint = "this format does not record whether a second :add of an element changed anything";
            return Err(parser.mistake(value.at, "an element that was not added before", hint));
        }
        Ok(set::Input::Add(element))
    }

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output> {
        if let set::Input::Add(element) | set::Input::Remove(element) = input {
            repeats(parser, value, scalar(parser, value)? == *element)?;
            return Ok(set::Output::Changed(true));
        }
        let items = match &value.form {
            Form::Sequence(items) | Form::Set(items) => &items[..],
            // The set does not exist yet, so it is empty.
            Form::Nil => &[],
            _ => {
                let hint = "a read of a set answers #{1 2} or [1 2]";
                return Err(parser.mistake(value.at, "all elements", hint));
            }
        };
        let elements = items.iter().map(|item| scalar(parser, item)).collect::<Scan<Vec<Value>>>()?;
        Ok(set::Output::of(elements))
    }
}

/// The mistake of a file whose history `linear` cannot hold.
pub(super) fn too_many(parser: &Parser<'_>, at: usize, invalid: Invalid) -> Box<Mistake> {
    parser.mistake(at, "the end of the file", format!("{invalid}; split the file"))
}

/// Whether an event calls a versioned register: its value is a `[version value]` whose version is nil, alone or after a
/// key.
pub(super) fn is_versioned(event: &Event<'_>) -> bool {
    versioned_value(event, &event.value) || versioned_key(event).is_some()
}

/// The key of a call of a versioned register.
pub(super) fn versioned_key<'n, 'a>(event: &'n Event<'a>) -> Option<&'n Node<'a>> {
    let (key, value) = tuple(&event.value)?;
    (key.form != Form::Nil && versioned_value(event, value)).then_some(key)
}

/// Whether this is a `[version value]` whose version is nil.
fn versioned_value(event: &Event<'_>, value: &Node<'_>) -> bool {
    match tuple(value) {
        // The old and the new value of a compare-and-set are a pair, too.
        Some((version, value)) => version.form == Form::Nil && (event.f != "cas" || tuple(value).is_some()),
        None => false,
    }
}

/// `[version value]`, where the version is the one that an update made or a read saw.
pub(super) struct Versioned;

impl Versioned {
    /// The version, if it is known, and the value.
    fn parts<'n, 'a>(parser: &Parser<'_>, node: &'n Node<'a>) -> Scan<(Option<u64>, &'n Node<'a>)> {
        let hint = "the first value of this file is a [version value], so all are";
        let Some((version, value)) = tuple(node) else {
            return Err(parser.mistake(node.at, "a [version value]", hint));
        };
        let version = match version.form {
            Form::Nil => None,
            Form::Integer(version) if version >= 0 => Some(version.unsigned_abs()),
            _ => return Err(parser.mistake(version.at, "a version from 0, or nil", hint)),
        };
        Ok((version, value))
    }
}

impl Model for Versioned {
    type Input = versioned::Input<RegisterValue>;
    type Output = versioned::Output<RegisterValue>;

    fn input(
        &self,
        parser: &Parser<'_>,
        event: &Event<'_>,
        key: Option<&Value>,
        value: &Node<'_>,
    ) -> Scan<Self::Input> {
        let (_, value) = Self::parts(parser, value)?;
        Register.input(parser, event, key, value)
    }

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output> {
        let (version, answered) = Self::parts(parser, value)?;
        let same = match input {
            versioned::Input::Read => {
                let seen = held(parser, answered)?;
                // Jepsen writes nil as the version of a register that was never written. In `linear`, that is 0.
                let version = version.or((seen == RegisterValue(None)).then_some(0));
                return Ok(versioned::Output::Value(version, seen));
            }
            versioned::Input::Write(new) => held(parser, answered)? == *new,
            versioned::Input::Cas(..) => Register::cas(parser, answered)? == *input,
        };
        repeats(parser, answered, same)?;
        Ok(versioned::Output::Updated(version))
    }
}

/// Counters.
pub(super) struct Counter;

impl Counter {
    /// A whole number.
    fn number(parser: &Parser<'_>, node: &Node<'_>) -> Scan<i64> {
        match node.form {
            Form::Integer(number) => Ok(number),
            _ => Err(parser.mistake(node.at, "a whole number", "a counter adds and shows whole numbers")),
        }
    }
}

impl Model for Counter {
    type Input = counter::Input;
    type Output = counter::Output;

    fn input(
        &self,
        parser: &Parser<'_>,
        event: &Event<'_>,
        _: Option<&Value>,
        value: &Node<'_>,
    ) -> Scan<Self::Input> {
        match event.f {
            "add" => Ok(counter::Input::Add(Self::number(parser, value)?)),
            _ => Ok(counter::Input::Read),
        }
    }

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output> {
        match input {
            counter::Input::Add(number) => {
                repeats(parser, value, Self::number(parser, value)? == *number)?;
                Ok(counter::Output::Added)
            }
            counter::Input::Read => Ok(counter::Output::Value(Self::number(parser, value)?)),
        }
    }
}

/// A lock. The process is the owner, so the values of its events are not read.
pub(super) struct Lock {
    /// Whether each process releases only what it acquired.
    pub(super) owned: bool,
}

impl Model for Lock {
    type Input = lock::Input;
    type Output = lock::Output;

    fn input(&self, _: &Parser<'_>, event: &Event<'_>, _: Option<&Value>, _: &Node<'_>) -> Scan<Self::Input> {
        // If all processes count as one owner, any process may release the lock, and none may acquire it while it is
        // held.
        let owner = if self.owned { event.process } else { 0 };
        Ok(match event.f {
            "acquire" => lock::Input::Acquire(owner),
            _ => lock::Input::Release(owner),
        })
    }

    fn output(&self, _: &Parser<'_>, _: &Self::Input, _: &Node<'_>) -> Scan<Self::Output> {
        Ok(lock::Output(true))
    }
}

/// Whether every release, unless it failed, follows an acquisition of the same process and key.
pub(super) fn owned(pairs: &[Pair<'_>]) -> bool {
    let mut holds = BTreeSet::new();
    pairs.iter().all(|pair| {
        if matches!(&pair.end, Some((Event { kind: Kind::Fail, .. }, _))) {
            return true;
        }
        let key = tuple(&pair.invoke.value).map(|(key, _)| format!("{:?}", key.form));
        let holder = (pair.invoke.process, key);
        if pair.invoke.f == "acquire" { holds.insert(holder) } else { holds.remove(&holder) }
    })
}

/// Banks.
pub(super) struct Bank;

impl Bank {
    /// What a transfer moves.
    fn transfer(parser: &Parser<'_>, node: &Node<'_>) -> Scan<bank::Input<Value>> {
        let hint = "a transfer is {:from 1, :to 2, :amount 3}";
        let Form::Map(fields) = &node.form else {
            return Err(parser.mistake(node.at, "a transfer", hint));
        };
        let field = |field: &str| {
            let found = fields.iter().find(|(key, _)| events::name(key) == Some(field));
            found
                .map(|(_, value)| value)
                .ok_or_else(|| parser.mistake(node.at, format!("a transfer with :{field}"), hint))
        };
        let (from, to) = (scalar(parser, field("from")?)?, scalar(parser, field("to")?)?);
        let amount = Counter::number(parser, field("amount")?)?;
        Ok(bank::Input::Transfer { from, to, amount })
    }
}

impl Model for Bank {
    type Input = bank::Input<Value>;
    type Output = bank::Output<Value>;

    fn input(
        &self,
        parser: &Parser<'_>,
        event: &Event<'_>,
        _: Option<&Value>,
        value: &Node<'_>,
    ) -> Scan<Self::Input> {
        match event.f {
            "transfer" => Self::transfer(parser, value),
            _ => Ok(bank::Input::Read),
        }
    }

    fn output(&self, parser: &Parser<'_>, input: &Self::Input, value: &Node<'_>) -> Scan<Self::Output> {
        if *input != bank::Input::Read {
            repeats(parser, value, Self::transfer(parser, value)? == *input)?;
            return Ok(bank::Output::Transferred);
        }
        let Form::Map(fields) = &value.form else {
            let hint = "a read of a bank answers all accounts, {0 100, 1 0}";
            return Err(parser.mistake(value.at, "a map of balances", hint));
        };
        let balance = |(account, balance): &(Node<'_>, Node<'_>)| {
            let balance = match balance.form {
                Form::Nil => None,
                _ => Some(Counter::number(parser, balance)?),
            };
            Ok((scalar(parser, account)?, balance))
        };
        Ok(bank::Output::Balances(fields.iter().map(balance).collect::<Scan<_>>()?))
    }
}
