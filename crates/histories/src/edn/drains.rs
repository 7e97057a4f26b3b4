//! Splits a drain of a queue into dequeues. In Jepsen, one `:drain` event takes all elements of a queue.

use super::events::{Event, Kind, Pair};
use super::parse::{Form, Node, Parser};
use super::read::tuple;
use crate::error::Scan;

/// The same pairs, with dequeues in place of each drain.
pub(super) fn expanded<'a>(parser: &Parser<'a>, pairs: Vec<Pair<'a>>) -> Scan<Vec<Pair<'a>>> {
    if pairs.iter().all(|pair| pair.invoke.f != "drain") {
        return Ok(pairs);
    }
    let enqueues = pairs.iter().filter(|pair| pair.invoke.f == "enqueue" && !failed(pair)).count();
    let mut expanded = Vec::with_capacity(pairs.len());
    for pair in pairs {
        match &pair.end {
            _ if pair.invoke.f != "drain" => expanded.push(pair),
            // The drain may have taken every element that was ever in the queue.
            None | Some((Event { kind: Kind::Info, .. }, _)) => {
                expanded.extend((0..enqueues).map(|_| dequeue(&pair, pair.call, None)));
            }
            Some((Event { kind: Kind::Fail, .. }, _)) => {}
            Some((end, at)) => {
                let keyed = tuple(&pair.invoke.value).is_some();
                let (elements, key) = elements(parser, end, keyed)?;
                let count = elements.len() as u64;
                // `events` counts one tick of time for each element of a drain. If no other event came between its
                // call and its end, these ticks are all that passed in between.
                let alone = *at == pair.call + count.max(1);
                for (tick, element) in (1..).zip(elements) {
                    let (call, at) =
                        if alone { (pair.call + tick, pair.call + tick) } else { (pair.call, *at) };
                    let value = match key {
                        Some(key) => {
                            let form = Form::Sequence(vec![key.clone(), element.clone()]);
                            Node { at: element.at, form }
                        }
                        None => element.clone(),
                    };
                    expanded.push(dequeue(&pair, call, Some((value, end, at))));
                }
            }
        }
    }
    // The order of calls is kept: the dequeues of a drain get ticks between its call and its end only if no other
    // event came in between.
    Ok(expanded)
}

/// Whether the operation failed.
fn failed(pair: &Pair<'_>) -> bool {
    matches!(&pair.end, Some((Event { kind: Kind::Fail, .. }, _)))
}

/// The elements that a drain returned, and the key of its queue.
fn elements<'n, 'a>(
    parser: &Parser<'_>,
    end: &'n Event<'a>,
    keyed: bool,
) -> Scan<(&'n [Node<'a>], Option<&'n Node<'a>>)> {
    let (value, key) = match tuple(&end.value) {
        Some((key, value)) if keyed => (value, Some(key)),
        _ => (&end.value, None),
    };
    match &value.form {
        Form::Sequence(items) => Ok((items, key)),
        // Jepsen's own clients log the dequeues of a drain as events of their own.
        Form::Nil | Form::Keyword("exhausted") => Ok((&[], key)),
        _ => {
            let hint = "a drain answers all elements that it took, in a vector";
            Err(parser.mistake(value.at, "the elements", hint))
        }
    }
}

/// One dequeue of a drain. `answer` is its value, the event of the answer, and its time.
fn dequeue<'a>(drain: &Pair<'a>, call: u64, answer: Option<(Node<'a>, &Event<'a>, u64)>) -> Pair<'a> {
    let invoke = Event { f: "dequeue", ..drain.invoke.clone() };
    let end = answer.map(|(value, end, at)| (Event { f: "dequeue", value, ..end.clone() }, at));
    Pair { invoke, call, end }
}
