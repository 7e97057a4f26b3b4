//! A scanner for JSON lines: one value a line, pulled token by token, without an allocation a line.
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
//! # What can be relied on
//!
//! 1. What is accepted is JSON (RFC 8259) and UTF-8, of what is read and of what is skipped alike. Stricter
//!    than JSON: names of fields that are read have no escapes, and nesting ends at [`DEPTH_MAX`].
//! 2. No input panics. Every [`Mistake`](crate::Mistake) has a place within the input.
//! 3. Memory is bounded by the longest line ([`Lines`]), and none is allocated once that line was seen.
//!
//! # What is not done
//!
//! Fractions are skipped over but never read: no format here has any. A field that comes twice is for the
//! reader of the format to notice.

mod cursor;
mod lines;
mod number;
mod string;

pub use cursor::{Cursor, DEPTH_MAX, Kind};
pub use lines::{Line, Lines, SliceLines, each_line, each_line_of};
pub use string::JsonString;
