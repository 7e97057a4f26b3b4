//! How the operations and answers of a key-value store of texts are written as fields of a line ([`Form`]).

use linear::models::text;

use super::fields::{Answer, Fields, Placed, Scalar};
use super::forms::{Form, unknown};
use super::write::{Line, Unwritable};
use crate::error::Scan;
use crate::scan::Cursor;

/// The model `key-value`. The key of an operation is read and written elsewhere.
pub(super) struct Store;

/// The argument `value`, which must be a text.
fn value(fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<String> {
    let value = fields.value.take().ok_or_else(|| fields.missing(cursor, "value"))?;
    value.text(cursor)
}

impl Form for Store {
    type Input = text::Input;
    type Output = text::Output;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        match op {
            "get" => Ok(text::Input::Get),
            "put" => Ok(text::Input::Put(value(fields, cursor)?)),
            "append" => Ok(text::Input::Append(value(fields, cursor)?)),
            "cas" => {
                let expected = fields.compared(cursor)?.text(cursor)?;
                Ok(text::Input::Cas(expected, value(fields, cursor)?))
            }
            "delete" => Ok(text::Input::Delete),
            _ => unknown("\"get\", \"put\", \"append\", \"cas\" or \"delete\"", fields, cursor),
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        match input {
            text::Input::Get => {
                let result = fields.result(cursor)?;
                let value = match result.value {
                    Answer::Scalar(value) => value,
                    // An array is not a text. Null stands in for it, so that `text` below reports that a text was
                    // expected.
                    Answer::Many(_) | Answer::Balances(_) => Scalar::Null,
                };
                Ok(text::Output::Text(Placed { at: result.at, value }.text(cursor)?))
            }
            text::Input::Cas(..) => Ok(text::Output::Set(fields.flag(cursor)?)),
            text::Input::Put(_) | text::Input::Append(_) | text::Input::Delete => Ok(text::Output::Done),
        }
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        match input {
            text::Input::Get => line.text("op", "get"),
            text::Input::Put(value) => {
                line.text("op", "put");
                line.text("value", value);
            }
            text::Input::Append(value) => {
                line.text("op", "append");
                line.text("value", value);
            }
            text::Input::Cas(expected, value) => {
                line.text("op", "cas");
                line.text("expected", expected);
                line.text("value", value);
            }
            text::Input::Delete => line.text("op", "delete"),
        }
        Ok(())
    }

    fn write_output(
        &self,
        input: &Self::Input,
        output: &Self::Output,
        line: &mut Line,
    ) -> Result<(), Unwritable> {
        match (input, output) {
            (text::Input::Get, text::Output::Text(value)) => line.text("result", value),
            (text::Input::Cas(..), text::Output::Set(set)) => line.flag("result", *set),
            (text::Input::Put(_) | text::Input::Append(_) | text::Input::Delete, text::Output::Done) => {}
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}
