//! Reads Jepsen histories in JSON: an array of events, or one event after the other.
//!
//! JSON has no keywords, so they are strings here. The keys of a map are always strings; a key of digits is read as a
//! number.

use super::events::{Pair, Pairing};
use super::parse::{DEPTH_MAX, Form, Node, Parser};
use crate::error::Scan;
use crate::scan::{Cursor, Kind};

/// Reads all events of a file of JSON.
pub(super) fn of_json<'a>(parser: &Parser<'a>) -> Scan<Vec<Pair<'a>>> {
    let mut json = Json { cursor: Cursor::new(1, parser.text.as_bytes())?, parser };
    let mut pairing = Pairing::default();
    if json.cursor.kind() == Kind::Array {
        json.cursor.array()?;
        while json.cursor.next_item()? {
            let node = json.node(0)?;
            pairing.form(parser, node)?;
        }
        json.cursor.kind();
        if json.cursor.offset() < parser.text.len() {
            let hint = "a file holds one history";
            return Err(parser.mistake(json.cursor.offset(), "the end of the file", hint));
        }
        return Ok(pairing.pairs);
    }
    loop {
        json.cursor.kind();
        if json.cursor.offset() == parser.text.len() {
            return Ok(pairing.pairs);
        }
        let node = json.node(0)?;
        pairing.form(parser, node)?;
    }
}

/// Reads JSON into the same nodes as the parser of EDN.
struct Json<'p, 'a> {
    cursor: Cursor<'a>,
    parser: &'p Parser<'a>,
}

impl<'a> Json<'_, 'a> {
    /// Reads the next value, which is nested `depth` levels deep.
    fn node(&mut self, depth: u32) -> Scan<Node<'a>> {
        let kind = self.cursor.kind();
        let at = self.cursor.offset();
        if depth > DEPTH_MAX {
            let hint = "this is not a history: nothing in one is nested that deep";
            return Err(self.parser.mistake(at, format!("at most {DEPTH_MAX} levels"), hint));
        }
        let form = match kind {
            Kind::Object => {
                self.cursor.object()?;
                let mut fields: Vec<(Node<'a>, Node<'a>)> = Vec::new();
                while let Some(name) = self.cursor.next_field()? {
                    let at = self.cursor.name_offset();
                    let form = match name.parse() {
                        Ok(number) => Form::Integer(number),
                        Err(_) => Form::Text(name.into()),
                    };
                    if fields.iter().any(|(other, _)| other.form == form) {
                        return Err(self.parser.mistake(at, "every key once", "leave one of the two out"));
                    }
                    fields.push((Node { at, form }, self.node(depth + 1)?));
                }
                Form::Map(fields)
            }
            Kind::Array => {
                self.cursor.array()?;
                let mut items = Vec::new();
                while self.cursor.next_item()? {
                    items.push(self.node(depth + 1)?);
                }
                Form::Sequence(items)
            }
            Kind::String => Form::Text(self.cursor.string()?.to_cow()),
            Kind::Number => {
                // A fraction can be skipped, not read.
                let mut ahead = self.cursor.clone();
                ahead.skip_value()?;
                let text = &self.parser.text[at..ahead.offset()];
                self.cursor = ahead;
                if text.contains(['.', 'e', 'E']) {
                    Form::Other(text)
                } else {
                    let hint = "larger ones are not read";
                    let wrong = |_| self.parser.mistake(at, "a number of 64 bits", hint);
                    Form::Integer(text.parse().map_err(wrong)?)
                }
            }
            Kind::Boolean => Form::Boolean(self.cursor.boolean()?),
            Kind::Null if self.cursor.null() => Form::Nil,
            Kind::Null | Kind::Other => {
                let hint = "null, true, false, a number, \"…\", [ or {";
                return Err(self.parser.mistake(at, "a value", hint));
            }
        };
        Ok(Node { at, form })
    }
}
