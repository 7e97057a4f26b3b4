//! Makes a page: one HTML file that shows a run, or a history from elsewhere, as a picture with time running across.
//!
//! [`page`] takes plain values ([`Input`]) and returns the text of the file. A browser opens it from disk. It has its
//! program, its styles and its data inside, and loads nothing.
//!
//! * `input`: what is shown.
//! * `rows`: makes rows of it. Everything with a time is a row: an operation, a message, a step of a member.
//! * `block`: writes rows as text: columns of small numbers. `assets/data.js` reads them.
//! * `fit`: leaves rows out until the page is small enough, those farthest from the violation first.
//! * `document`: the HTML around the data, in which the story is text, so that it can be read without the picture.
//!
//! A page never has more than [`BYTES_MAX`] bytes, and says what it leaves out.
//!
//! Architecture invariant: it judges nothing and reads no file. What a text says is decided by its caller: operations,
//! answers and sentences come as text. Text of people is data, never code: the HTML is written by a template that
//! escapes, the data cannot end its element, and the program puts text nowhere but into text nodes and onto the canvas.

mod block;
mod document;
mod fit;
mod input;
mod rows;

pub use input::{
    ClockChange, Ending, Fault, Input, Lease, Operation, Outcome, Paragraph, Sentence, Violation, Watch,
};

/// The most bytes that a page may have.
pub const BYTES_MAX: usize = 2_000_000;

/// The page, as the text of an HTML file.
pub fn page(input: Input<'_>) -> String {
    let input = &input.bounded();
    let rows = rows::Rows::of(input);
    let frame = document::document(input, &fit::Data::default()).len();
    let data = fit::fit(input, rows, BYTES_MAX.saturating_sub(frame));
    let page = document::document(input, &data);
    assert!(
        page.len() <= BYTES_MAX,
        "a page of {} bytes: what is around the data was measured wrong",
        page.len()
    );
    page
}
