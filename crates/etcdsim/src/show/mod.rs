//! The result of a batch as text: for people, for programs, for CI.

pub mod github;
pub mod human;
pub mod json;
pub mod junit;
pub mod numbers;
pub mod scope;
