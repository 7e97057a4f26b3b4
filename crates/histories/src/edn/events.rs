//! Events, and how they pair up: a call and the event that ends it.

use std::collections::BTreeMap;

use super::parse::{Form, Node, Parser};
use crate::error::Scan;

/// The `:type` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// An event of a client.
#[derive(Clone, Debug)]
pub(super) struct Event<'a> {
    pub(super) at: usize,
    pub(super) process: u32,
    pub(super) kind: Kind,
    pub(super) f: &'a str,
    pub(super) key: Option<Node<'a>>,
    pub(super) value: Node<'a>,
}

/// A call and the event that ended it.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) invoke: Event<'a>,
    pub(super) call: u64,
    /// The event that ended it, and its time; `None` if it never ended.
    pub(super) end: Option<(Event<'a>, u64)>,
}

/// Reads all events and pairs them, in the order of their calls.
pub(super) fn pairs<'a>(parser: &mut Parser<'a>) -> Scan<Vec<Pair<'a>>> {
    let close = if parser.accept(b'[')? {
        Some(b']')
    } else if parser.accept(b'(')? {
        Some(b')')
    } else {
        None
    };
    let (mut pairs, mut open, mut now) = (Vec::<Pair<'a>>::new(), BTreeMap::new(), 0u64);
    let mut last_index = None;
    while parser.next_byte()? != close {
        let node = parser.form()?;
        now += 1;
        let Some(event) = event(parser, node, &mut last_index)? else { continue };
        let (at, process) = (event.at, event.process);
        if event.kind == Kind::Invoke {
            if open.insert(process, pairs.len()).is_some() {
                let hint = "a process has one operation at a time, and none after an :info";
                return Err(parser.mistake(
                    at,
                    format!("the end of the operation of process {process}"),
                    hint,
                ));
            }
            pairs.push(Pair { invoke: event, call: now, end: None });
            continue;
        }
        let Some(index) = open.remove(&process) else {
            let hint = "only an :invoke begins an operation; any other event ends the one in flight";
            return Err(parser.mistake(at, format!("an :invoke of process {process} before this"), hint));
        };
        let pair = &mut pairs[index];
        if pair.invoke.f != event.f {
            let hint = format!("the operation in flight of process {process} is :{}", pair.invoke.f);
            return Err(parser.mistake(at, format!("the end of :{}", pair.invoke.f), hint));
        }
        pair.end = Some((event, now));
    }
    if close.is_some() {
        parser.accept(close.unwrap_or(b']'))?;
        if parser.next_byte()?.is_some() {
            let hint = "one history a file";
            return Err(parser.mistake(parser.offset(), "the end of the file", hint));
        }
    }
    Ok(pairs)
}

fn event<'a>(parser: &Parser<'a>, node: Node<'a>, last_index: &mut Option<i64>) -> Scan<Option<Event<'a>>> {
    let at = node.at;
    let Form::Map(pairs) = node.form else {
        return Err(parser.mistake(
            at,
            "an event, `{:type …}`",
            "a history is a vector of maps, or maps alone",
        ));
    };
    let (mut kind, mut f, mut process, mut value, mut key) = (None, None, None, None, None);
    for (name, form) in pairs {
        let Form::Keyword(name) = name.form else { continue };
        match (name, form.form) {
            ("process", Form::Keyword("nemesis")) => return Ok(None),
            ("process", Form::Integer(number)) => process = u32::try_from(number).ok(),
            ("type", Form::Keyword("invoke")) => kind = Some(Kind::Invoke),
            ("type", Form::Keyword("ok")) => kind = Some(Kind::Ok),
            ("type", Form::Keyword("fail")) => kind = Some(Kind::Fail),
            ("type", Form::Keyword("info")) => kind = Some(Kind::Info),
            ("f", Form::Keyword(name)) => f = Some(name),
            ("value", inner) => value = Some(Node { at: form.at, form: inner }),
            ("key", inner) => key = Some(Node { at: form.at, form: inner }),
            ("index", Form::Integer(index)) => {
                if last_index.is_some_and(|last| last >= index) {
                    return Err(parser.mistake(
                        form.at,
                        "a larger index",
                        "events are in the order of :index",
                    ));
                }
                *last_index = Some(index);
            }
            // Other events may lack these fields, so only a wrong value is a mistake here.
            ("process" | "type" | "f" | "index", _) => {
                let hint = ":type is :invoke, :ok, :fail or :info; :f a keyword; :process a number from 0 or :nemesis";
                return Err(parser.mistake(form.at, format!("a :{name}"), hint));
            }
            _ => {}
        }
    }
    let missing = |name: &str| {
        parser.mistake(
            at,
            format!("an event with :{name}"),
            "an event has at least :type, :f, :process and :value",
        )
    };
    Ok(Some(Event {
        at,
        process: process.ok_or_else(|| missing("process"))?,
        kind: kind.ok_or_else(|| missing("type"))?,
        f: f.ok_or_else(|| missing("f"))?,
        key,
        value: value.unwrap_or(Node { at, form: Form::Nil }),
    }))
}
