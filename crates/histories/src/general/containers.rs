//! How the inputs and outputs of stacks, priority queues and bags are written in a line.

use linear::models::{bag, priority_queue, stack};

use super::fields::Fields;
use super::forms::{Form, unknown};
use super::write::{Line, Unwritable};
use crate::error::Scan;
use crate::recorded::{RegisterValue, Value};
use crate::scan::Cursor;

pub(super) struct Stack;

impl Form for Stack {
    type Input = stack::Input<Value>;
    type Output = stack::Output<Value>;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        match op {
            "push" => Ok(stack::Input::Push(fields.value(cursor)?)),
            "pop" => Ok(stack::Input::Pop),
            _ => unknown("\"push\" or \"pop\"", fields, cursor),
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        Ok(match input {
            stack::Input::Push(_) => stack::Output::Pushed,
            stack::Input::Pop => stack::Output::Popped(fields.answered(cursor)?.0),
        })
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        match input {
            stack::Input::Pop => line.text("op", "pop"),
            stack::Input::Push(value) => {
                line.text("op", "push");
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
            (stack::Input::Push(_), stack::Output::Pushed) => {}
            (stack::Input::Pop, stack::Output::Popped(Some(value))) => line.value("result", value),
            (stack::Input::Pop, stack::Output::Popped(None)) => line.held("result", &RegisterValue(None)),
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}

pub(super) struct PriorityQueue;

impl Form for PriorityQueue {
    type Input = priority_queue::Input<Value>;
    type Output = priority_queue::Output<Value>;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        match op {
            "insert" => Ok(priority_queue::Input::Insert(fields.value(cursor)?)),
            "delete-min" => Ok(priority_queue::Input::DeleteMin),
            _ => unknown("\"insert\" or \"delete-min\"", fields, cursor),
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        Ok(match input {
            priority_queue::Input::Insert(_) => priority_queue::Output::Inserted,
            priority_queue::Input::DeleteMin => priority_queue::Output::Deleted(fields.answered(cursor)?.0),
        })
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        match input {
            priority_queue::Input::DeleteMin => line.text("op", "delete-min"),
            priority_queue::Input::Insert(value) => {
                line.text("op", "insert");
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
            (priority_queue::Input::Insert(_), priority_queue::Output::Inserted) => {}
            (priority_queue::Input::DeleteMin, priority_queue::Output::Deleted(Some(value))) => {
                line.value("result", value)
            }
            (priority_queue::Input::DeleteMin, priority_queue::Output::Deleted(None)) => {
                line.held("result", &RegisterValue(None))
            }
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}

pub(super) struct Bag;

impl Form for Bag {
    type Input = bag::Input<Value>;
    type Output = bag::Output<Value>;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        match op {
            "add" => Ok(bag::Input::Add(fields.value(cursor)?)),
            "take" => Ok(bag::Input::Take),
            _ => unknown("\"add\" or \"take\"", fields, cursor),
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        Ok(match input {
            bag::Input::Add(_) => bag::Output::Added,
            bag::Input::Take => bag::Output::Taken(fields.answered(cursor)?.0),
        })
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        match input {
            bag::Input::Take => line.text("op", "take"),
            bag::Input::Add(value) => {
                line.text("op", "add");
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
            (bag::Input::Add(_), bag::Output::Added) => {}
            (bag::Input::Take, bag::Output::Taken(Some(value))) => line.value("result", value),
            (bag::Input::Take, bag::Output::Taken(None)) => line.held("result", &RegisterValue(None)),
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}
