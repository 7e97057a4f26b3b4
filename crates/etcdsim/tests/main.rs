//! The command and the library, from end to end, as one program.

mod cases;
mod check;
mod check_formats;
mod command;
mod common;
mod determinism;
mod diff;
mod engines;
mod examples;
mod instructions;
mod leaks;
mod reports;
mod shrink;
mod simulation;
mod steps;
mod traces;
mod verdict_lines;
mod why;
