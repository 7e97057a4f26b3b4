//! Writes rows as text. A page has many similar rows, so the text has columns: the times, the shapes, the numbers and
//! the words of all rows, each one string.
//!
//! * A number is written as digits to the base 32, the lowest first. A digit is a character of [`DIGITS`]; 32 is added to
//!   all but the last. A number that may be negative is doubled first, and 1 is added if it is negative.
//! * A row's *shape* is what repeats: its table, its key, and which of its numbers changed since the last row with the
//!   same table and the same first three parts of the key. Shapes are listed once.
//! * Of the numbers that changed, the differences are written.
//! * A text is a *template* with gaps, and the numbers in the gaps, each as its difference from the one in the last
//!   text with this template. Templates are listed once.
//!
//! `assets/data.js` reads this text.

use std::collections::BTreeMap;

use serde::Serialize;

/// The digits: 64 characters that JSON and HTML leave as they are.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The most numbers of a row.
pub(crate) const NUMBERS: usize = 7;
/// A gap in a template. No text that is shown contains it.
const GAP: char = '\u{1}';
/// The most digits of a number in a text that are taken out of it. More are not exact in JavaScript.
const GAP_DIGITS_MAX: usize = 15;

/// One row: something with a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    /// When, in the page's units.
    pub time: u64,
    /// What it is: a number of `rows::Table`.
    pub table: u32,
    /// What it has in common with many others, such as its member.
    pub key: [u32; 4],
    /// The rest. What a table does not use is 0.
    pub numbers: [i64; NUMBERS],
    /// Its texts. All rows of a table have equally many.
    pub texts: Vec<String>,
    /// Whether it must not be left out.
    pub pinned: bool,
}

/// Rows as text.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Block {
    /// Table, key, and a bit for each number that changed.
    shapes: Vec<[u32; 6]>,
    /// Templates of texts.
    templates: Vec<String>,
    /// The difference between each row's time and that of the row before.
    times: String,
    /// Each row's shape, by its place in the list.
    kinds: String,
    /// The numbers that changed.
    numbers: String,
    /// How many texts each row has, their templates and the numbers in their gaps.
    words: String,
}

/// A row's table and the first three parts of its key.
type Series = [u32; 4];

/// Writes rows, which must be in the order of time.
#[derive(Default)]
struct Writer {
    block: Block,
    time: u64,
    shapes: BTreeMap<[u32; 6], u64>,
    last: BTreeMap<Series, [i64; NUMBERS]>,
    /// Each template's place in the list, and the numbers of the last text with it.
    templates: BTreeMap<String, (u64, Vec<i64>)>,
}

impl Block {
    /// The text of these rows, which must be in the order of time.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Block {
        let mut writer = Writer::default();
        rows.for_each(|row| writer.row(row));
        writer.block
    }

    /// About how many bytes it takes in a page.
    pub(crate) fn bytes(&self) -> usize {
        let columns = self.times.len() + self.kinds.len() + self.numbers.len() + self.words.len();
        columns + crate::document::json(&(&self.shapes, &self.templates)).len()
    }
}

impl Writer {
    fn row(&mut self, row: &Row) {
        let block = &mut self.block;
        digits(&mut block.times, row.time - self.time);
        self.time = row.time;

        let [a, b, c, d] = row.key;
        let last = self.last.entry([row.table, a, b, c]).or_default();
        let mut changed = 0;
        for (at, (number, last)) in row.numbers.iter().zip(&mut *last).enumerate() {
            let difference = number.wrapping_sub(*last);
            if difference != 0 {
                changed |= 1 << at;
                signed(&mut block.numbers, difference);
            }
            *last = *number;
        }
        let shape = [row.table, a, b, c, d, changed];
        let place = *self.shapes.entry(shape).or_insert_with(|| {
            block.shapes.push(shape);
            block.shapes.len() as u64 - 1
        });
        digits(&mut block.kinds, place);
        row.texts.iter().for_each(|text| self.text(text));
    }

    fn text(&mut self, text: &str) {
        let (template, numbers) = split(text);
        let known = self.templates.len() as u64;
        let (place, last) = self.templates.entry(template).or_insert_with_key(|template| {
            self.block.templates.push(template.clone());
            (known, vec![0; numbers.len()])
        });
        digits(&mut self.block.words, *place);
        for (number, last) in numbers.iter().zip(last) {
            signed(&mut self.block.words, number - *last);
            *last = *number;
        }
    }
}

/// Writes a number.
fn digits(out: &mut String, mut number: u64) {
    loop {
        let digit = (number & 31) as usize;
        number >>= 5;
        let more = if number > 0 { 32 } else { 0 };
        out.push(DIGITS[digit | more].into());
        if number == 0 {
            return;
        }
    }
}

/// Writes a number that may be negative.
fn signed(out: &mut String, number: i64) {
    let magnitude = number.unsigned_abs().min(u64::MAX >> 1);
    digits(out, magnitude << 1 | u64::from(number < 0));
}

/// A text as a template and the numbers in its gaps. What could not be put back exactly stays in the template: a number
/// with a leading zero, or with many digits.
fn split(text: &str) -> (String, Vec<i64>) {
    let (mut template, mut numbers) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(from) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(from);
        let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (run, after) = digits.split_at(length);
        template.extend(before.chars().map(printable));
        let exact = run.len() <= GAP_DIGITS_MAX && (run == "0" || !run.starts_with('0'));
        match run.parse().ok().filter(|_| exact) {
            Some(number) => {
                template.push(GAP);
                numbers.push(number);
            }
            None => template.push_str(run),
        }
        rest = after;
    }
    template.extend(rest.chars().map(printable));
    (template, numbers)
}

/// The character, or a replacement for one that stands for a gap.
fn printable(c: char) -> char {
    if c == GAP { char::REPLACEMENT_CHARACTER } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn numbers_have_few_digits() {
        assert_eq!(written(|out| digits(out, 0)), "A");
        assert_eq!(written(|out| digits(out, 31)), "f");
        assert_eq!(written(|out| digits(out, 32)), "gB");
        assert_eq!(written(|out| signed(out, -1)), "D");
        assert_eq!(written(|out| signed(out, 1)), "C");
    }

    #[test]
    fn a_text_is_split_so_that_it_can_be_put_together_again() {
        assert_eq!(split(r#"put k3="c1o20""#), ("put k\u{1}=\"c\u{1}o\u{1}\"".to_string(), vec![3, 1, 20]));
        assert_eq!(split("0.007 s"), ("\u{1}.007 s".to_string(), vec![0]));
        assert_eq!(split("1234567890123456").1, Vec::<i64>::new());
        assert_eq!(split("\u{1}"), ("\u{fffd}".to_string(), vec![]));
    }

    #[test]
    fn rows_alike_share_a_shape_and_a_template() {
        let row = |time, number, text: &str| Row {
            time,
            table: 2,
            key: [1, 0, 0, 0],
            numbers: [number, 0, 0, 0, 0, 0, 0],
            texts: vec![text.to_string()],
            pinned: false,
        };
        let rows = [row(5, 7, "put k1"), row(5, 8, "put k2"), row(9, 8, "put k2")];
        let block = Block::of(rows.iter());
        assert_eq!(block.shapes, [[2, 1, 0, 0, 0, 1], [2, 1, 0, 0, 0, 0]]);
        assert_eq!(block.templates, ["put k\u{1}"]);
        assert_eq!((&block.times[..], &block.kinds[..]), ("FAE", "AAB"));
        assert_eq!((&block.numbers[..], &block.words[..]), ("OC", "ACACAA"));
    }
}
