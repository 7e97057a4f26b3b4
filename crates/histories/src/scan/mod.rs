//! A scanner for JSON lines: one value on each line, read token by token, without an allocation for each line.
//! [`Values`] reads JSON values one after another whose line breaks can be anywhere.
//!
//! ```
//! use histories::scan::Cursor;
//!
//! let mut cursor = Cursor::new(1, br#"{"client": 3, "tags": [1, 2], "name": "a\nb"}"#)?;
//! let (mut client, mut name) = (0, String::new());
//! cursor.object()?;
//! while let Some(field) = cursor.next_field()? {
//!     match field {
//!         "client" => client = cursor.unsigned()?,
//!         "name" => name = cursor.string()?.to_string(),
//!         _ => cursor.skip_value()?,
//!     }
//! }
//! cursor.end()?;
//! assert_eq!((client, name.as_str()), (3, "a\nb"));
//! # Ok::<(), Box<histories::Mistake>>(())
//! ```
//!
//! # What you can rely on
//!
//! 1. Everything accepted is JSON (RFC 8259) and UTF-8, whether it is read or skipped. The scanner is stricter than
//!    JSON in two ways: names of fields that are read have no escapes, and nesting ends at [`DEPTH_MAX`].
//! 2. No input makes it panic. Every [`Mistake`](crate::Mistake) has a place within the input.
//! 3. Memory is bounded by the longest line ([`Lines`]), or by the longest value that is read as a whole ([`Values`]).
//!    The buffer grows only for one that is longer than all before.
//!
//! # What is not done
//!
//! Fractions can be skipped but not read, as no format here has any. Finding a field that occurs twice is up to the
//! reader of the format.

mod cursor;
mod lines;
mod number;
mod string;
mod values;

pub(crate) use cursor::byte_order_mark;
pub use cursor::{Cursor, DEPTH_MAX, Kind};
pub use lines::{Line, Lines, SliceLines, each_line, each_line_of};
pub use string::JsonString;
pub use values::Values;
