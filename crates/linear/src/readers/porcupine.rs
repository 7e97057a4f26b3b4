//! Histories of a key-value store with get, put and append as Porcupine publishes them.
//!
//! A line is `{:process 0, :type :invoke, :f :append, :key "0", :value "x"}`; the `:value` of a get's
//! `:invoke` is `nil`. An absent key reads as the empty text.

use super::{Cursor, Pairing, ReadError};
use crate::history::{History, Outcome};
use crate::models::keyed;
use crate::models::text::{Input, Output};

/// A question to the store.
pub type KeyedInput = keyed::Input<String, Input>;

/// Reads a history. Its model is [`keyed::Keyed`] of [`Text`](crate::models::text::Text).
pub fn read(text: &str) -> Result<History<KeyedInput, Output>, ReadError> {
    let mut pairing = Pairing::new();
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            event(&mut pairing, &mut Cursor::new(index + 1, line))?;
        }
    }
    Ok(pairing.history())
}

fn event(pairing: &mut Pairing<KeyedInput, Output>, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
    cursor.expect("{:process ")?;
    let client = cursor.number()?;
    cursor.expect(", :type ")?;
    let invoke = cursor.accept(":invoke");
    if !invoke && !cursor.accept(":ok") {
        return Err(cursor.error("`:invoke` or `:ok`"));
    }
    cursor.expect(", :f ")?;
    let function = [":get", ":put", ":append"].into_iter().find(|name| cursor.accept(name));
    let function = function.ok_or_else(|| cursor.error("`:get`, `:put` or `:append`"))?;
    cursor.expect(", :key ")?;
    let key = quoted(cursor)?;
    cursor.expect(", :value ")?;
    if invoke {
        let input = match function {
            ":get" => {
                cursor.expect("nil")?;
                Input::Get
            }
            ":put" => Input::Put(quoted(cursor)?),
            _ => Input::Append(quoted(cursor)?),
        };
        cursor.expect("}")?;
        cursor.end()?;
        return pairing.call(cursor, client, keyed::Input { key, input });
    }
    let value = quoted(cursor)?;
    cursor.expect("}")?;
    cursor.end()?;
    pairing.end(cursor, client, |asked, at| {
        let output = match &asked.input {
            _ if asked.key != key => None,
            Input::Get if function == ":get" => Some(Output::Text(value)),
            Input::Put(put) if function == ":put" && *put == value => Some(Output::Done),
            Input::Append(put) if function == ":append" && *put == value => Some(Output::Done),
            _ => None,
        };
        let output = output.ok_or_else(|| cursor.error("the end of what was called"))?;
        Ok(Outcome::Answered { output, at })
    })
}

/// A text in quotes. None of these files has an escape in one, so none is accepted.
fn quoted(cursor: &mut Cursor<'_>) -> Result<String, ReadError> {
    cursor.expect("\"")?;
    let length = cursor.rest().find(['"', '\\']).unwrap_or(cursor.rest().len());
    let text = cursor.rest()[..length].to_owned();
    cursor.at += length;
    cursor.expect("\"")?;
    Ok(text)
}
