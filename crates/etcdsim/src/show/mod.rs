//! Turns the report of a batch into text. There is a module for each format, and two for parts that several formats
//! share: `numbers` and `scope`.

pub mod github;
pub mod human;
pub mod json;
pub mod junit;
pub mod musts;
pub mod numbers;
pub mod scope;
pub mod why;
