//! The judge: every oracle, the sequential model of etcd, the linearizability engines.

pub mod answer;
pub mod definite;
pub mod describe;
pub mod ends;
pub mod history_file;
pub mod invariants;
mod judge;
pub mod k1;
pub mod k2;
pub mod k3;
pub mod k4;
pub mod model;
pub mod search;
mod verdict;

pub use judge::{Expectations, judge};
pub use verdict::{Check, Oracle, Severity, Verdict, Violation};
