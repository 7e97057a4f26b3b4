//! How the operations of counters and banks are written in a line.

use std::collections::BTreeMap;

use linear::models::{bank, counter};

use super::fields::Fields;
use super::forms::{Form, unknown};
use super::write::{Line, Unwritable};
use crate::error::Scan;
use crate::recorded::Value;
use crate::scan::Cursor;

/// The model `counter`.
pub(super) struct Counter;

impl Form for Counter {
    type Input = counter::Input;
    type Output = counter::Output;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        match op {
            "add" => {
                let value = fields.value.take().ok_or_else(|| fields.missing(cursor, "value"))?;
                Ok(counter::Input::Add(value.number(cursor)?))
            }
            "read" => Ok(counter::Input::Read),
            _ => unknown("\"add\" or \"read\"", fields, cursor),
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        Ok(match input {
            counter::Input::Add(_) => counter::Output::Added,
            counter::Input::Read => counter::Output::Value(fields.counted(cursor)?),
        })
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        match input {
            counter::Input::Read => line.text("op", "read"),
            counter::Input::Add(number) => {
                line.text("op", "add");
                line.number("value", number);
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
            (counter::Input::Add(_), counter::Output::Added) => {}
            (counter::Input::Read, counter::Output::Value(seen)) => line.number("result", seen),
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}

/// The model `bank`.
pub(super) struct Bank;

impl Form for Bank {
    type Input = bank::Input<Value>;
    type Output = bank::Output<Value>;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        match op {
            "transfer" => {
                let from = fields.from.take().ok_or_else(|| fields.missing(cursor, "from"))?;
                let to = fields.to.take().ok_or_else(|| fields.missing(cursor, "to"))?;
                let amount = fields.amount.take().ok_or_else(|| fields.missing(cursor, "amount"))?;
                let (from, to) = (from.value(cursor)?, to.value(cursor)?);
                Ok(bank::Input::Transfer { from, to, amount: amount.value })
            }
            "read" => Ok(bank::Input::Read),
            _ => unknown("\"transfer\" or \"read\"", fields, cursor),
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        if *input != bank::Input::Read {
            return Ok(bank::Output::Transferred);
        }
        let shown = fields.balances(cursor)?;
        let mut balances = BTreeMap::new();
        for (account, balance) in shown.value {
            if balances.insert(account, balance).is_some() {
                return Err(cursor.mistake(shown.at, "every account once", "leave one of the two out"));
            }
        }
        Ok(bank::Output::Balances(balances))
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        match input {
            bank::Input::Read => line.text("op", "read"),
            bank::Input::Transfer { from, to, amount } => {
                line.text("op", "transfer");
                line.value("from", from);
                line.value("to", to);
                line.number("amount", amount);
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
            (bank::Input::Transfer { .. }, bank::Output::Transferred) => {}
            (bank::Input::Read, bank::Output::Balances(balances)) => line.balances("result", balances),
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}
