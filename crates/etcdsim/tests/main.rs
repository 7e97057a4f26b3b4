//! The command and the library, from end to end, as one program.

mod cases;
mod check;
mod check_formats;
mod command;
mod common;
mod determinism;
mod engines;
mod examples;
mod instructions;
mod reports;
mod simulation;
mod steps;
mod verdict_lines;
mod why;
