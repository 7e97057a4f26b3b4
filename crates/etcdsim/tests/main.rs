//! The command and the library, from end to end, as one program.

mod check;
mod command;
mod common;
mod determinism;
mod engines;
mod examples;
mod simulation;
mod verdict_lines;
