//! Reads the fields of an operation's line, whatever the model. After that, the model takes the fields that its
//! operation has ([`super::forms::Form`]), and each field that is left over is a mistake.

use crate::error::{Mistake, Scan};
use crate::recorded::{RegisterValue, Value};
use crate::scan::{Cursor, JsonString, Kind};

/// A value that is neither an object nor an array.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Null,
    Number(i64),
    Text(JsonString<'a>),
    Flag(bool),
}

/// The balance of each account; `None` for one that is listed without a balance.
type Balances = Vec<(Value, Option<i64>)>;

/// The `result` of an operation.
#[derive(Clone, Debug)]
pub(super) enum Answer<'a> {
    Scalar(Scalar<'a>),
    /// An array of values.
    Many(Vec<Value>),
    /// An array of pairs of an account and its balance.
    Balances(Balances),
}

/// A field's value and its place in the line.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    /// The offset of the value in the line, in bytes.
    pub(super) at: usize,
    pub(super) value: T,
}

/// All fields that an operation can have, of any model. The names are those of the file, except `compared`
/// (`expected`) and `returned` (`return`).
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    /// Where the object of the line ends.
    end: usize,
    pub(super) client: Option<Placed<u32>>,
    pub(super) op: Option<Placed<&'a str>>,
    pub(super) key: Option<Placed<Scalar<'a>>>,
    pub(super) value: Option<Placed<Scalar<'a>>>,
    pub(super) compared: Option<Placed<Scalar<'a>>>,
    pub(super) owner: Option<Placed<u32>>,
    pub(super) from: Option<Placed<Scalar<'a>>>,
    pub(super) to: Option<Placed<Scalar<'a>>>,
    pub(super) amount: Option<Placed<i64>>,
    pub(super) version: Option<Placed<u64>>,
    pub(super) call: Option<Placed<u64>>,
    pub(super) returned: Option<Placed<Option<u64>>>,
    pub(super) result: Option<Placed<Answer<'a>>>,
    pub(super) failed: Option<Placed<bool>>,
}

/// The names of all fields, for an error message.
const KNOWN: &str =
    "client, op, key, value, expected, owner, from, to, amount, call, return, result, version or failed";

impl<'a> Fields<'a> {
    /// Reads a line into this value, which must be empty. (It is too large to be returned for every line.)
    pub(super) fn read(&mut self, cursor: &mut Cursor<'a>) -> Scan<()> {
        cursor.object()?;
        while let Some(name) = cursor.next_field()? {
            match name {
                "client" => once(&mut self.client, name, cursor, Cursor::small)?,
                "op" => once(&mut self.op, name, cursor, Cursor::plain_string)?,
                "key" => once(&mut self.key, name, cursor, scalar)?,
                "value" => once(&mut self.value, name, cursor, scalar)?,
                "expected" => once(&mut self.compared, name, cursor, scalar)?,
                "owner" => once(&mut self.owner, name, cursor, Cursor::small)?,
                "from" => once(&mut self.from, name, cursor, scalar)?,
                "to" => once(&mut self.to, name, cursor, scalar)?,
                "amount" => once(&mut self.amount, name, cursor, Cursor::integer)?,
                "version" => once(&mut self.version, name, cursor, Cursor::unsigned)?,
                "call" => once(&mut self.call, name, cursor, Cursor::unsigned)?,
                "return" => once(&mut self.returned, name, cursor, |cursor| {
                    Ok(if cursor.null() { None } else { Some(cursor.unsigned()?) })
                })?,
                "result" => once(&mut self.result, name, cursor, answer)?,
                "failed" => once(&mut self.failed, name, cursor, Cursor::boolean)?,
                _ => {
                    return Err(cursor.mistake(
                        cursor.name_offset(),
                        KNOWN,
                        format!("an operation has no field `{name}`"),
                    ));
                }
            }
        }
        self.end = cursor.offset();
        Ok(())
    }

    /// The mistake of a missing field.
    #[cold]
    pub(super) fn missing(&self, cursor: &Cursor<'_>, name: &str) -> Box<Mistake> {
        // A missing field is reported at the closing brace, because it can be added before that.
        let hint = format!("add \"{name}\" before the closing brace");
        cursor.mistake(self.end.saturating_sub(1), format!("the field \"{name}\""), hint)
    }

    /// The argument `value`, which cannot be null.
    pub(super) fn value(&mut self, cursor: &Cursor<'_>) -> Scan<Value> {
        let value = self.value.take().ok_or_else(|| self.missing(cursor, "value"))?;
        value.value(cursor)
    }

    /// The argument `value` of a register, which can be null.
    pub(super) fn held(&mut self, cursor: &Cursor<'_>) -> Scan<RegisterValue> {
        let value = self.value.take().ok_or_else(|| self.missing(cursor, "value"))?;
        value.held(cursor)
    }

    /// The argument `expected` of a compare-and-set.
    pub(super) fn compared(&mut self, cursor: &Cursor<'_>) -> Scan<Placed<Scalar<'a>>> {
        self.compared.take().ok_or_else(|| self.missing(cursor, "expected"))
    }

    /// The result of an operation, which must have one.
    pub(super) fn result(&mut self, cursor: &Cursor<'_>) -> Scan<Placed<Answer<'a>>> {
        self.result.take().ok_or_else(|| self.missing(cursor, "result"))
    }

    /// The result, which must be true or false.
    pub(super) fn flag(&mut self, cursor: &Cursor<'_>) -> Scan<bool> {
        let result = self.result(cursor)?;
        match result.value {
            Answer::Scalar(Scalar::Flag(flag)) => Ok(flag),
            _ => Err(cursor.mistake(
                result.at,
                "true or false",
                "the result says whether the operation succeeded",
            )),
        }
    }

    /// The result, which must be several elements.
    pub(super) fn many(&mut self, cursor: &Cursor<'_>) -> Scan<Placed<Vec<Value>>> {
        let result = self.result(cursor)?;
        match result.value {
            Answer::Many(value) => Ok(Placed { at: result.at, value }),
            Answer::Scalar(_) | Answer::Balances(_) => {
                Err(cursor.mistake(result.at, "an array", "the result holds all elements, as [1, 2] or []"))
            }
        }
    }

    /// The result, which must be a number.
    pub(super) fn counted(&mut self, cursor: &Cursor<'_>) -> Scan<i64> {
        let result = self.result(cursor)?;
        match result.value {
            Answer::Scalar(Scalar::Number(number)) => Ok(number),
            _ => Err(cursor.mistake(result.at, "a whole number", "the result is what the counter shows")),
        }
    }

    /// The result, which must be balances.
    pub(super) fn balances(&mut self, cursor: &Cursor<'_>) -> Scan<Placed<Balances>> {
        let result = self.result(cursor)?;
        match result.value {
            Answer::Balances(value) => Ok(Placed { at: result.at, value }),
            Answer::Many(value) if value.is_empty() => Ok(Placed { at: result.at, value: Vec::new() }),
            Answer::Many(_) | Answer::Scalar(_) => Err(cursor.mistake(
                result.at,
                "an array of accounts with balances",
                "the result holds all balances, as [[0, 100], [1, 0]]",
            )),
        }
    }

    /// The result, which must be a single value or null.
    pub(super) fn answered(&mut self, cursor: &Cursor<'_>) -> Scan<RegisterValue> {
        let result = self.result(cursor)?;
        match result.value {
            Answer::Scalar(value) => Placed { at: result.at, value }.held(cursor),
            Answer::Many(_) | Answer::Balances(_) => Err(cursor.mistake(
                result.at,
                "a number, a string or null",
                "the result is one value, not an array",
            )),
        }
    }

    /// Makes sure that the line has no field that its operation does not use.
    pub(super) fn nothing_left(&self, cursor: &Cursor<'_>) -> Scan<()> {
        let left = [
            self.key.as_ref().map(|key| (key.at, "key")),
            self.value.as_ref().map(|value| (value.at, "value")),
            self.compared.as_ref().map(|value| (value.at, "expected")),
            self.owner.as_ref().map(|owner| (owner.at, "owner")),
            self.from.as_ref().map(|from| (from.at, "from")),
            self.to.as_ref().map(|to| (to.at, "to")),
            self.amount.as_ref().map(|amount| (amount.at, "amount")),
            self.version.as_ref().map(|version| (version.at, "version")),
            self.result.as_ref().map(|result| (result.at, "result")),
        ];
        match left.into_iter().flatten().next() {
            None => Ok(()),
            Some((at, name)) => {
                let hint = match name {
                    "key" => "leave \"key\" out, or add \"keyed\": true to line 1".to_owned(),
                    "result" | "version" => {
                        format!("leave \"{name}\" out: this operation has none, failed, or did not return")
                    }
                    _ => format!("leave \"{name}\" out, or check \"op\""),
                };
                Err(cursor.mistake(at, format!("no \"{name}\" here"), hint))
            }
        }
    }
}

impl Placed<Scalar<'_>> {
    /// The value as a number; any other is a mistake.
    pub(super) fn number(self, cursor: &Cursor<'_>) -> Scan<i64> {
        match self.value {
            Scalar::Number(number) => Ok(number),
            _ => Err(cursor.mistake(self.at, "a whole number", "write numbers without quotes, as 12")),
        }
    }

    /// The value as a number or a text; any other is a mistake.
    pub(super) fn value(self, cursor: &Cursor<'_>) -> Scan<Value> {
        match self.value {
            Scalar::Number(number) => Ok(Value::Number(number)),
            Scalar::Text(text) => Ok(Value::Text(text.to_cow().into())),
            Scalar::Null | Scalar::Flag(_) => {
                Err(cursor.mistake(self.at, "a number or a string", "this cannot be null, true or false"))
            }
        }
    }

    /// The value as what a register can hold: a number, a text or null. Any other is a mistake.
    pub(super) fn held(self, cursor: &Cursor<'_>) -> Scan<RegisterValue> {
        match self.value {
            Scalar::Null => Ok(RegisterValue(None)),
            _ => Ok(RegisterValue(Some(self.value(cursor)?))),
        }
    }

    /// The value as a text; any other is a mistake.
    pub(super) fn text(self, cursor: &Cursor<'_>) -> Scan<String> {
        match self.value {
            Scalar::Text(text) => Ok(text.to_cow().into_owned()),
            _ => Err(cursor.mistake(self.at, "a string", "a key-value store holds texts: add quotes")),
        }
    }
}

/// Reads a field into `slot`. It is a mistake if the line had this field before.
#[inline]
fn once<'a, T>(
    slot: &mut Option<Placed<T>>,
    name: &str,
    cursor: &mut Cursor<'a>,
    read: impl FnOnce(&mut Cursor<'a>) -> Scan<T>,
) -> Scan<()> {
    cursor.kind(); // Skips blanks, so that the place is that of the value.
    let at = cursor.offset();
    if slot.is_some() {
        return Err(cursor.mistake(at, format!("\"{name}\" only once"), "leave one of the two out"));
    }
    *slot = Some(Placed { at, value: read(cursor)? });
    Ok(())
}

/// Reads a number, a string, null, true or false.
pub(super) fn scalar<'a>(cursor: &mut Cursor<'a>) -> Scan<Scalar<'a>> {
    match cursor.kind() {
        Kind::Number => Ok(Scalar::Number(cursor.integer()?)),
        Kind::String => Ok(Scalar::Text(cursor.string()?)),
        Kind::Boolean => Ok(Scalar::Flag(cursor.boolean()?)),
        Kind::Null if cursor.null() => Ok(Scalar::Null),
        _ => Err(cursor
            .expected("a number, a string, true, false or null", "objects and arrays are not allowed here")),
    }
}

/// Reads the value of the field `result`.
fn answer<'a>(cursor: &mut Cursor<'a>) -> Scan<Answer<'a>> {
    if cursor.kind() != Kind::Array {
        return Ok(Answer::Scalar(scalar(cursor)?));
    }
    let (mut values, mut balances) = (Vec::new(), Vec::new());
    cursor.array()?;
    while cursor.next_item()? {
        if cursor.kind() == Kind::Array && values.is_empty() {
            balances.push(balance(cursor)?);
        } else if balances.is_empty() {
            values.push(element(cursor)?);
        } else {
            return Err(cursor.expected("an account with its balance", "as [0, 100], like the others"));
        }
    }
    Ok(if balances.is_empty() { Answer::Many(values) } else { Answer::Balances(balances) })
}

/// Reads a number or a text.
fn element(cursor: &mut Cursor<'_>) -> Scan<Value> {
    cursor.kind();
    let at = cursor.offset();
    Placed { at, value: scalar(cursor)? }.value(cursor)
}

/// Reads an account and its balance, `[0, 100]` or `[0, null]`.
fn balance(cursor: &mut Cursor<'_>) -> Scan<(Value, Option<i64>)> {
    /// How an account is written, for messages.
    const HINT: &str = "an account and its balance are [0, 100]";
    cursor.array()?;
    if !cursor.next_item()? {
        return Err(cursor.expected("an account", HINT));
    }
    let account = element(cursor)?;
    if !cursor.next_item()? {
        return Err(cursor.expected("a balance", HINT));
    }
    let balance = if cursor.null() { None } else { Some(cursor.integer()?) };
    if cursor.next_item()? {
        return Err(cursor.expected("`]`", HINT));
    }
    Ok((account, balance))
}
