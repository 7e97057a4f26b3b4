//! Reads Jepsen's events and pairs each call with the event that ends it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::parse::{Form, Node, Parser};
use crate::error::{Mistake, Scan};

/// The `:type` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An operation begins.
    Invoke,
    /// It was answered.
    Ok,
    /// It had no effect.
    Fail,
    /// Its outcome is unknown.
    Info,
}

impl Kind {
    /// The kind with this name.
    pub(super) fn of(name: &str) -> Option<Kind> {
        match name {
            "invoke" => Some(Kind::Invoke),
            "ok" => Some(Kind::Ok),
            "fail" => Some(Kind::Fail),
            "info" => Some(Kind::Info),
            _ => None,
        }
    }
}

/// An event of a client.
#[derive(Clone, Debug)]
pub(super) struct Event<'a> {
    /// Where the event begins in the file, in bytes.
    pub(super) at: usize,
    pub(super) process: u32,
    pub(super) kind: Kind,
    /// Jepsen's `:f`: the name of what the operation does.
    pub(super) f: &'a str,
    pub(super) key: Option<Node<'a>>,
    pub(super) value: Node<'a>,
    pub(super) error: Option<Node<'a>>,
    /// Jepsen's `:index`, if the event has one.
    pub(super) index: Option<i64>,
}

/// A call and the event that ended it.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) invoke: Event<'a>,
    /// The time of the call.
    pub(super) call: u64,
    /// The event that ended it, and its time; `None` if it never ended.
    pub(super) end: Option<(Event<'a>, u64)>,
}

/// Pairs events that come one after the other. The pairs are in the order of their calls.
#[derive(Debug, Default)]
pub(super) struct Pairing<'a> {
    pub(super) pairs: Vec<Pair<'a>>,
    /// By process: the pair in flight.
    open: BTreeMap<u32, usize>,
    /// The time of the last event. Each event takes one tick or more, see [`ticks`].
    now: u64,
    /// The `:index` of the last event that has one.
    last_index: Option<i64>,
}

impl<'a> Pairing<'a> {
    /// Adds the event that a map describes, unless it belongs to the nemesis.
    pub(super) fn form(&mut self, parser: &Parser<'a>, node: Node<'a>) -> Scan<()> {
        match event(parser, node)? {
            Some(event) => self.event(parser, event),
            None => {
                self.skip();
                Ok(())
            }
        }
    }

    /// Counts the time of an event of the nemesis (Jepsen's process that injects faults), which is skipped.
    pub(super) fn skip(&mut self) {
        self.now += 1;
    }

    /// Adds an event.
    pub(super) fn event(&mut self, parser: &Parser<'a>, event: Event<'a>) -> Scan<()> {
        self.now += ticks(&event);
        let (at, process) = (event.at, event.process);
        if let Some(index) = event.index {
            if self.last_index.is_some_and(|last| last >= index) {
                return Err(parser.mistake(at, "a larger index", "events are in the order of :index"));
            }
            self.last_index = Some(index);
        }
        if event.kind == Kind::Invoke {
            if self.open.insert(process, self.pairs.len()).is_some() {
                let hint = "a process has one operation at a time, and none after an :info";
                let expected = format!("the end of the operation of process {process}");
                return Err(parser.mistake(at, expected, hint));
            }
            self.pairs.push(Pair { invoke: event, call: self.now, end: None });
            return Ok(());
        }
        let Some(index) = self.open.remove(&process) else {
            let hint = "only an :invoke begins an operation; any other event ends the one in flight";
            return Err(parser.mistake(at, format!("an :invoke of process {process} before this"), hint));
        };
        let pair = &mut self.pairs[index];
        if pair.invoke.f != event.f {
            let hint = format!("the operation in flight of process {process} is :{}", pair.invoke.f);
            return Err(parser.mistake(at, format!("the end of :{}", pair.invoke.f), hint));
        }
        pair.end = Some((event, self.now));
        Ok(())
    }
}

/// How much time an event takes: a drain takes one tick for each element, so that they can leave one by one.
fn ticks(event: &Event<'_>) -> u64 {
    if event.f != "drain" || event.kind != Kind::Ok {
        return 1;
    }
    let elements = match &event.value.form {
        Form::Sequence(items) => match &items[..] {
            // A key and its elements.
            [_, Node { form: Form::Sequence(items), .. }] => items.len(),
            items => items.len(),
        },
        _ => 1,
    };
    elements.max(1) as u64
}

/// Reads all events of a file of EDN.
pub(super) fn of_edn<'a>(parser: &mut Parser<'a>) -> Scan<Vec<Pair<'a>>> {
    let close = if parser.accept(b'[')? {
        Some(b']')
    } else if parser.accept(b'(')? {
        Some(b')')
    } else {
        None
    };
    let mut pairing = Pairing::default();
    while parser.next_byte()? != close {
        let node = parser.form()?;
        pairing.form(parser, node)?;
    }
    if let Some(close) = close {
        parser.accept(close)?;
        if parser.next_byte()?.is_some() {
            let hint = "a file holds one history";
            return Err(parser.mistake(parser.offset(), "the end of the file", hint));
        }
    }
    Ok(pairing.pairs)
}

/// A keyword of EDN, or a string of JSON, which has no keywords.
pub(super) fn name<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    match &node.form {
        Form::Keyword(name) => Some(name),
        Form::Text(text) => Some(text),
        _ => None,
    }
}

/// As [`name`], with the lifetime of the file's text.
fn borrowed<'a>(form: &Form<'a>) -> Option<&'a str> {
    match form {
        Form::Keyword(name) => Some(name),
        Form::Text(Cow::Borrowed(text)) => Some(text),
        _ => None,
    }
}

/// The hint for a field with a wrong value.
const FIELDS: &str =
    ":type is :invoke, :ok, :fail or :info; :f a keyword; :process a number from 0 or :nemesis";

/// The event that a map describes; `None` if it belongs to the nemesis.
fn event<'a>(parser: &Parser<'a>, node: Node<'a>) -> Scan<Option<Event<'a>>> {
    let at = node.at;
    let Form::Map(pairs) = node.form else {
        let hint = "a history is a vector of maps, or maps alone";
        return Err(parser.mistake(at, "an event, `{:type …}`", hint));
    };
    let (mut kind, mut f, mut process, mut value, mut key) = (None, None, None, None, None);
    let (mut error, mut index) = (None, None);
    for (field, form) in pairs {
        let wrong = |field: &str| parser.mistake(form.at, format!("a :{field}"), FIELDS);
        match name(&field) {
            Some("process") => match &form.form {
                Form::Integer(number) => {
                    let number = u32::try_from(*number).map_err(|_| {
                        parser.mistake(form.at, "a :process from 0 to 4294967295, or :nemesis", FIELDS)
                    })?;
                    process = Some(number);
                }
                _ if name(&form) == Some("nemesis") => return Ok(None),
                _ => return Err(wrong("process")),
            },
            Some("type") => {
                kind = Some(name(&form).and_then(Kind::of).ok_or_else(|| wrong("type"))?);
            }
            Some("f") if form.form == Form::Nil => {}
            Some("f") => f = Some(borrowed(&form.form).ok_or_else(|| wrong("f"))?),
            Some("index") => match form.form {
                Form::Integer(number) => index = Some(number),
                Form::Nil => {}
                _ => return Err(wrong("index")),
            },
            Some("value") => value = Some(form),
            Some("key") => key = Some(form),
            Some("error") => error = Some(form),
            _ => {}
        }
    }
    let missing = |name: &str| missing(parser, at, name);
    let value = value.unwrap_or(Node { at, form: Form::Nil });
    // Elle's own histories leave out `:f`.
    let f = f.or_else(|| is_transaction(&value).then_some("txn"));
    Ok(Some(Event {
        at,
        process: process.ok_or_else(|| missing("process"))?,
        kind: kind.ok_or_else(|| missing("type"))?,
        f: f.ok_or_else(|| missing("f"))?,
        key,
        value,
        error,
        index,
    }))
}

/// The mistake to report if an event lacks a field.
#[cold]
fn missing(parser: &Parser<'_>, at: usize, name: &str) -> Box<Mistake> {
    let hint = "an event has at least :type, :f, :process and :value";
    parser.mistake(at, format!("an event with :{name}"), hint)
}

/// Whether a value is steps of a transaction, such as `[[:r 1 nil]]`.
fn is_transaction(value: &Node<'_>) -> bool {
    let Form::Sequence(steps) = &value.form else { return false };
    let step = |step: &Node<'_>| matches!(&step.form, Form::Sequence(parts) if parts.first().is_some_and(|f| name(f).is_some()));
    !steps.is_empty() && steps.iter().all(step)
}
