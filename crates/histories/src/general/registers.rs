//! How the operations of registers, with and without versions, are written in a line.

use linear::models::{register, versioned};

use super::fields::Fields;
use super::forms::{Form, unknown};
use super::write::{Line, Unwritable};
use crate::error::Scan;
use crate::recorded::RegisterValue;
use crate::scan::Cursor;

/// The models `register` and `cas-register`.
pub(super) struct Register {
    /// Whether there are compare-and-sets.
    pub(super) cas: bool,
}

impl Form for Register {
    type Input = register::Input<RegisterValue>;
    type Output = register::Output<RegisterValue>;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        match op {
            "read" => Ok(register::Input::Read),
            "write" => Ok(register::Input::Write(fields.held(cursor)?)),
            "cas" if self.cas => {
                let expected = fields.compared(cursor)?.held(cursor)?;
                Ok(register::Input::Cas(expected, fields.held(cursor)?))
            }
            _ if self.cas => unknown("\"read\", \"write\" or \"cas\"", fields, cursor),
            _ => unknown("\"read\" or \"write\"", fields, cursor),
        }
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        Ok(match input {
            register::Input::Read => register::Output::Value(fields.answered(cursor)?),
            register::Input::Write(_) => register::Output::Written,
            register::Input::Cas(..) => register::Output::Set(fields.flag(cursor)?),
        })
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        match input {
            register::Input::Read => line.text("op", "read"),
            register::Input::Write(value) => {
                line.text("op", "write");
                line.held("value", value);
            }
            register::Input::Cas(..) if !self.cas => return Err(Unwritable),
            register::Input::Cas(expected, value) => {
                line.text("op", "cas");
                line.held("expected", expected);
                line.held("value", value);
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
            (register::Input::Read, register::Output::Value(value)) => line.held("result", value),
            (register::Input::Write(_), register::Output::Written) => {}
            (register::Input::Cas(..), register::Output::Set(set)) => line.flag("result", *set),
            _ => return Err(Unwritable),
        }
        Ok(())
    }
}

/// The model `versioned-register`.
pub(super) struct Versioned;

/// Versions are only in answers, so operations are written as those of a register without versions.
const REGISTER: Register = Register { cas: true };

impl Form for Versioned {
    type Input = versioned::Input<RegisterValue>;
    type Output = versioned::Output<RegisterValue>;

    fn input(&self, op: &str, fields: &mut Fields<'_>, cursor: &Cursor<'_>) -> Scan<Self::Input> {
        REGISTER.input(op, fields, cursor)
    }

    fn output(
        &self,
        input: &Self::Input,
        fields: &mut Fields<'_>,
        cursor: &Cursor<'_>,
    ) -> Scan<Self::Output> {
        let version = match input {
            versioned::Input::Cas(..) if !fields.flag(cursor)? => return Ok(versioned::Output::NotEqual),
            _ => fields.version.take().map(|version| version.value),
        };
        Ok(match input {
            versioned::Input::Read => versioned::Output::Value(version, fields.answered(cursor)?),
            versioned::Input::Write(_) | versioned::Input::Cas(..) => versioned::Output::Updated(version),
        })
    }

    fn write_input(&self, input: &Self::Input, line: &mut Line) -> Result<(), Unwritable> {
        REGISTER.write_input(input, line)
    }

    fn write_output(
        &self,
        input: &Self::Input,
        output: &Self::Output,
        line: &mut Line,
    ) -> Result<(), Unwritable> {
        let version = match (input, output) {
            (versioned::Input::Read, versioned::Output::Value(version, value)) => {
                line.held("result", value);
                version
            }
            (versioned::Input::Write(_), versioned::Output::Updated(version)) => version,
            (versioned::Input::Cas(..), versioned::Output::Updated(version)) => {
                line.flag("result", true);
                version
            }
            (versioned::Input::Cas(..), versioned::Output::NotEqual) => {
                line.flag("result", false);
                &None
            }
            _ => return Err(Unwritable),
        };
        if let Some(version) = version {
            line.number("version", version);
        }
        Ok(())
    }
}
