//! How the operations and answers of sets, locks and lists are written in a line. [`Form`] is the trait that does this
//! for every model.

use linear::models::{list, lock, set};

use super::fields::Fields;
use super::write::{Line, Unwritable};
use crate::error::{Mistake, Scan};
use crate::recorded::Value;
use crate::scan::Cursor;

/// How the operations and answers of one model are written as fields.
///
/// When a line is read, `input` and `output` take out of [`Fields`] the fields that they use. The caller reports a
/// field that is left over, because the operation does not have it. A cursor is only needed to report where a mistake
/// is.
pub(super) trait Form {
    /// An operation of the model, with its arguments.
    type Input;
    /// An answer of the model.
    type Output;

    /// The operation with the name `op`, with its arguments from the fields.
    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input>;

    /// The answer to `input`, from the fields.
    fn output(&self, input: &Self::Input, fields: &mut Fields<'_>, cursor: &Cursor<'_>)
    -> Scan<Self::Output>;

    /// Writes the name and the arguments of an operation.
    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable>;

    /// Writes the answer to `input`.
    fn write_output(
        &self,
        input: &Self::Input,
        output: &Self::Output,
        line: &mut Line,
    ) -> Result<(), Unwritable>;
}

/// The mistake to report if the model has no such operation. `known` lists its operations.
pub(super) fn unknown<T>(known: &str, fields: &Fields<'_>, cursor: &Cursor<'_>) -> Scan<T> {
    let at = fields.op.as_ref().map_or(0, |op| op.at);
    Err::<T, Box<Mistake>>(cursor.mistake(at, known, "check \"op\", or the model that line 1 names"))
}

/// The model `set`.
pub(super) struct Set;

impl Form for Set {
    type Input = set::Input<Value>;
    type Output = set::Output<Value>;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        match op {
            "add" => Ok(set::Input::Add(fields.value(cursor)?)),
            "remove" => Ok(set::Input::Remove(fields.value(cursor)?)),
            "read" => Ok(set::Input::Read),
            _ => unknown("\"add\", \"remove\" or \"read\"", fields, cursor),
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        if *input != set::Input::Read {
            return Ok(set::Output::Changed(fields.flag(cursor)?));
        }
        Ok(set::Output::of(fields.many(cursor)?.value))
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        let (op, value) = match input {
            set::Input::Add(value) => ("add", Some(value)),
            set::Input::Remove(value) => ("remove", Some(value)),
            set::Input::Read => ("read", None),
        };
        line.text("op", op);
        if let Some(value) = value {
            line.value("value", value);
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
            (set::Input::Read, set::Output::Elements(elements)) => line.many("result", elements),
            (set::Input::Read, set::Output::Repeated(elements)) => line.many("result", elements),
            (set::Input::Add(_) | set::Input::Remove(_), set::Output::Changed(changed)) => {
                line.flag("result", *changed);
            }
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}

/// The model `lock`.
pub(super) struct Lock;

impl Form for Lock {
    type Input = lock::Input;
    type Output = lock::Output;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        let input = match op {
            "acquire" => lock::Input::Acquire,
            "release" => lock::Input::Release,
            _ => return unknown("\"acquire\" or \"release\"", fields, cursor),
        };
        let owner = fields.owner.take().ok_or_else(|| fields.missing(cursor, "owner"))?;
        Ok(input(owner.value))
    }

    fn output(&self, _: &Self::Input, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Output> {
        Ok(lock::Output(fields.flag(cursor)?))
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        let (op, owner) = match *input {
            lock::Input::Acquire(owner) => ("acquire", owner),
            lock::Input::Release(owner) => ("release", owner),
        };
        line.text("op", op);
        line.number("owner", owner);
        Ok(())
    }

    fn write_output(
        &self,
        _: &Self::Input,
        output: &Self::Output,
        line: &mut Line,
    ) -> Result<(), Unwritable> {
        line.flag("result", output.0);
        Ok(())
    }
}

/// The model `list`.
pub(super) struct List;

impl Form for List {
    type Input = list::Input<Value>;
    type Output = list::Output<Value>;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        match op {
            "append" => Ok(list::Input::Append(fields.value(cursor)?)),
            "read" => Ok(list::Input::Read),
            _ => unknown("\"append\" or \"read\"", fields, cursor),
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        Ok(match input {
            list::Input::Append(_) => list::Output::Appended,
            list::Input::Read => list::Output::Elements(fields.many(cursor)?.value),
        })
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        match input {
            list::Input::Read => line.text("op", "read"),
            list::Input::Append(value) => {
                line.text("op", "append");
                line.value("value", value);
            }
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
            (list::Input::Append(_), list::Output::Appended) => {}
            (list::Input::Read, list::Output::Elements(elements)) => line.many("result", elements),
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}
