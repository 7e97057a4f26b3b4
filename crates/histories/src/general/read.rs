//! Reads a file of the format `etcdsim-general-1`. Line 1 names the model, which decides which operations the other
//! lines can have.

use std::io::Read;

use linear::models::{bag, keyed, priority_queue, queue, stack};
use linear::{History, Invalid, Operation, Outcome};

use super::fields::{Fields, Placed, scalar};
use super::forms::{self, Form};
use super::store::Store;
use super::{FORMAT, MODELS, registers, sums};
use crate::error::{Error, Mistake, Scan};
use crate::recorded::{Operations, Recorded, RegisterValue, StoreHistory};
use crate::scan::{Cursor, each_line, each_line_of};

/// Reads a file that is in memory. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file.
pub fn read(file: &str, bytes: &[u8]) -> Result<Recorded, Error> {
    let mut reader = Reader::new();
    each_line_of(file, bytes, |cursor| reader.line(cursor))?;
    reader.finish().map_err(|mistake| Error::in_file(mistake, file))
}

/// Reads a file piece by piece. `file` is its name in errors.
///
/// # Errors
///
/// The first mistake in the file, or that it cannot be read.
pub fn read_from(file: &str, from: impl Read) -> Result<Recorded, Error> {
    let mut reader = Reader::new();
    each_line(file, from, |cursor| reader.line(cursor))?;
    reader.finish().map_err(|mistake| Error::in_file(mistake, file))
}

/// Reads a file whose lines are passed to it one after another.
#[derive(Debug, Default)]
pub struct Reader {
    /// The history so far; `None` before line 1.
    recorded: Option<Recorded>,
}

impl Reader {
    /// A reader that expects line 1.
    pub fn new() -> Self {
        Reader::default()
    }

    /// Reads the next line. It does not check that nothing follows the object; the caller does, with [`Cursor::end`].
    ///
    /// # Errors
    ///
    /// The first mistake in the line.
    pub fn line(&mut self, cursor: &mut Cursor<'_>) -> Scan<()> {
        let Some(recorded) = &mut self.recorded else {
            self.recorded = Some(header(cursor)?);
            return Ok(());
        };
        let mut fields = Fields::default();
        fields.read(cursor)?;
        let cursor = &*cursor;
        match recorded {
            Recorded::Register { cas, operations, .. } => {
                operation(&registers::Register { cas: *cas }, operations, &mut fields, cursor)
            }
            Recorded::Versioned { operations, .. } => {
                operation(&registers::Versioned, operations, &mut fields, cursor)
            }
            Recorded::Counter { operations, .. } => {
                operation(&sums::Counter, operations, &mut fields, cursor)
            }
            Recorded::Bank(operations) => operation(&sums::Bank, operations, &mut fields, cursor),
            Recorded::KeyValue(history) => store(history, &mut fields, cursor),
            Recorded::Queue(operations) => operation(&queue::WORDS, operations, &mut fields, cursor),
            Recorded::Stack(operations) => operation(&stack::WORDS, operations, &mut fields, cursor),
            Recorded::PriorityQueue(operations) => {
                operation(&priority_queue::WORDS, operations, &mut fields, cursor)
            }
            Recorded::Bag(operations) => operation(&bag::WORDS, operations, &mut fields, cursor),
            Recorded::Set(operations) => operation(&forms::Set, operations, &mut fields, cursor),
            Recorded::Lock(operations) => operation(&forms::Lock, operations, &mut fields, cursor),
            Recorded::List(operations) => operation(&forms::List, operations, &mut fields, cursor),
        }
    }

    /// Ends the file and returns its history.
    ///
    /// # Errors
    ///
    /// If there was no line at all.
    pub fn finish(self) -> Scan<Recorded> {
        self.recorded.ok_or_else(|| {
            let hint = format!("line 1 is {{\"format\": \"{FORMAT}\", \"model\": …}}");
            Box::new(Mistake {
                file: String::new(),
                line: 1,
                column: 1,
                expected: "a header".to_owned(),
                found: "no line at all".to_owned(),
                hint,
            })
        })
    }
}

/// Reads line 1. Returns an empty history of the model that it names.
fn header(cursor: &mut Cursor<'_>) -> Scan<Recorded> {
    cursor.object()?;
    let (mut format, mut model, mut initial, mut keyed) = (None, None, None, None);
    while let Some(name) = cursor.next_field()? {
        cursor.kind();
        let at = cursor.offset();
        let twice = match name {
            "format" => format.replace(Placed { at, value: cursor.plain_string()? }).is_some(),
            "model" => model.replace(Placed { at, value: cursor.plain_string()? }).is_some(),
            "initial" => initial.replace(Placed { at, value: scalar(cursor)? }).is_some(),
            "keyed" => keyed.replace(Placed { at, value: cursor.boolean()? }).is_some(),
            "note" => {
                cursor.skip_value()?;
                false
            }
            _ => {
                let hint = format!("line 1 has no field `{name}`; remarks go into \"note\"");
                return Err(cursor.mistake(
                    cursor.name_offset(),
                    "format, model, keyed, initial or note",
                    hint,
                ));
            }
        };
        if twice {
            return Err(cursor.mistake(at, format!("\"{name}\" only once"), "leave one of the two out"));
        }
    }
    let end = cursor.offset() - 1;
    let missing = |name: &str, hint: String| cursor.mistake(end, format!("the field \"{name}\""), hint);
    let format = format.ok_or_else(|| missing("format", format!("add \"format\": \"{FORMAT}\"")))?;
    if format.value != FORMAT {
        let hint = "this reader knows no other format; a newer version may";
        return Err(cursor.mistake(format.at, format!("\"{FORMAT}\""), hint));
    }
    let model = model.ok_or_else(|| missing("model", format!("one of {}", MODELS.join(", "))))?;
    if !MODELS.contains(&model.value) {
        let hint = format!("the models are {}", MODELS.join(", "));
        return Err(cursor.mistake(model.at, "a known model", hint));
    }
    // Whether the model has an initial value.
    let begins = ["register", "cas-register", "versioned-register", "counter"].contains(&model.value);
    if let Some(initial) = initial.as_ref().filter(|_| !begins) {
        let hint = format!("a {} has no initial value; only registers and counters have one", model.value);
        return Err(cursor.mistake(initial.at, "no \"initial\" here", hint));
    }
    let counted = match initial.as_ref().filter(|_| model.value == "counter") {
        Some(initial) => Placed { ..*initial }.number(cursor)?,
        None => 0,
    };
    let initial = initial.map_or(Ok(RegisterValue(None)), |initial| initial.held(cursor))?;
    if let Some(keyed) = keyed.as_ref().filter(|keyed| model.value == "key-value" && !keyed.value) {
        return Err(cursor.mistake(keyed.at, "true, or no \"keyed\"", "a key-value store always has keys"));
    }
    let keyed = keyed.is_some_and(|keyed| keyed.value);
    Ok(match model.value {
        "register" => Recorded::Register { cas: false, initial, operations: Operations::new(keyed) },
        "cas-register" => Recorded::Register { cas: true, initial, operations: Operations::new(keyed) },
        "versioned-register" => Recorded::Versioned { initial, operations: Operations::new(keyed) },
        "counter" => Recorded::Counter { initial: counted, operations: Operations::new(keyed) },
        "bank" => Recorded::Bank(Operations::new(keyed)),
        "key-value" => Recorded::KeyValue(History::new()),
        "queue" => Recorded::Queue(Operations::new(keyed)),
        "stack" => Recorded::Stack(Operations::new(keyed)),
        "priority-queue" => Recorded::PriorityQueue(Operations::new(keyed)),
        "bag" => Recorded::Bag(Operations::new(keyed)),
        "set" => Recorded::Set(Operations::new(keyed)),
        "lock" => Recorded::Lock(Operations::new(keyed)),
        // "list": all other names were refused above.
        _ => Recorded::List(Operations::new(keyed)),
    })
}

/// Adds the operation of a line to the history, with its key if the file is keyed.
fn operation<F: Form>(
    form: &F,
    operations: &mut Operations<F::Input, F::Output>,
    fields: &mut Fields<'_>,
    cursor: &Cursor<'_>,
) -> Scan<()> {
    let key = if operations.is_keyed() {
        let key = fields.key.take().ok_or_else(|| fields.missing(cursor, "key"))?;
        Some(key.value(cursor)?)
    } else {
        None
    };
    let operation = interpret(form, fields, cursor)?;
    operations.push(key, operation).map_err(|invalid| too_many(cursor, invalid))?;
    Ok(())
}

/// The mistake of a line whose operation the history cannot hold.
#[cold]
fn too_many(cursor: &Cursor<'_>, invalid: Invalid) -> Box<Mistake> {
    cursor.mistake(0, "the end of the file", format!("{invalid}; split the file"))
}

/// Adds the operation of a line to the history of a key-value store.
fn store(history: &mut StoreHistory, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<()> {
    let key = fields.key.take().ok_or_else(|| fields.missing(cursor, "key"))?.text(cursor)?;
    let Operation { client, input, call, outcome } = interpret(&Store, fields, cursor)?;
    let operation = Operation { client, input: keyed::Input { key, input }, call, outcome };
    history.push(operation).map_err(|invalid| too_many(cursor, invalid))?;
    Ok(())
}

/// The operation that the fields of a line describe, without its key. It is a mistake if a field is left over.
fn interpret<F: Form>(
    form: &F,
    fields: &mut Fields<'_>,
    cursor: &Cursor<'_>,
) -> Scan<Operation<F::Input, F::Output>> {
    let client = fields.client.as_ref().ok_or_else(|| fields.missing(cursor, "client"))?.value;
    let op = fields.op.as_ref().ok_or_else(|| fields.missing(cursor, "op"))?.value;
    let call = fields.call.as_ref().ok_or_else(|| fields.missing(cursor, "call"))?.value;
    let Placed { at, value: returned } =
        fields.returned.clone().ok_or_else(|| fields.missing(cursor, "return"))?;
    let input = form.input(op, fields, cursor)?;
    let failed = fields.failed.as_ref().is_some_and(|failed| failed.value);
    let outcome = match returned {
        Some(returned) if returned < call => {
            let hint = "both are times of one clock; an unknown outcome has \"return\": null";
            return Err(cursor.mistake(at, format!("a return at {call} or later"), hint));
        }
        Some(at) if failed => Outcome::Failed { at },
        Some(at) => Outcome::Answered { output: form.output(&input, fields, cursor)?, at },
        None if failed => {
            let hint =
                "a failed operation has returned; one that may still take effect is unknown, not failed";
            return Err(cursor.mistake(at, "a time", hint));
        }
        None => Outcome::Unknown,
    };
    fields.nothing_left(cursor)?;
    Ok(Operation { client, input, call, outcome })
}
