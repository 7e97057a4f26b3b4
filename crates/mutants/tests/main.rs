//! The tool, from end to end on a small workspace, and its parts.

mod find;
mod list;
mod toy;
