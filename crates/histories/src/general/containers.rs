//! How the operations and answers of queues, stacks, priority queues and bags are written as fields of a line
//! ([`Form`]). All four have one operation that inserts an element and one that takes an element; only the names
//! differ ([`Words`]).

use linear::models::container::{Input, Output, Words};

use super::fields::Fields;
use super::forms::{Form, unknown};
use super::write::{Line, Unwritable};
use crate::error::Scan;
use crate::recorded::{RegisterValue, Value};
use crate::scan::Cursor;

impl Form for Words {
    type Input = Input<Value>;
    type Output = Output<Value>;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        if op == self.insert {
            Ok(Input::Insert(fields.value(cursor)?))
        } else if op == self.take {
            Ok(Input::Take)
        } else {
            unknown(&format!("{:?} or {:?}", self.insert, self.take), fields, cursor)
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        Ok(match input {
            Input::Insert(_) => Output::Inserted,
            Input::Take => Output::Taken(fields.answered(cursor)?.0),
        })
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        match input {
            Input::Take => line.text("op", self.take),
            Input::Insert(value) => {
                line.text("op", self.insert);
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
            (Input::Insert(_), Output::Inserted) => {}
            (Input::Take, Output::Taken(Some(value))) => line.value("result", value),
            (Input::Take, Output::Taken(None)) => line.held("result", &RegisterValue(None)),
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}
