//! [`Cursor`]: reads JSON token by token, in one line or in a value of several lines. This file has objects, arrays
//! and literals; `string` and `number` have the rest.

use crate::error::{self, Mistake, Scan};

/// How deep objects and arrays may be nested.
pub const DEPTH_MAX: u32 = 128;

/// The kind of the next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// A digit or a minus sign.
    Number,
    /// `true` or `false`, by its first letter.
    Boolean,
    /// `null`, by its first letter.
    Null,
    /// Anything else, or nothing.
    Other,
}

/// The mark that some editors put at the beginning of a file; it has no meaning.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// The same in bytes.
pub(crate) const BYTE_ORDER_MARK_BYTES: [u8; 3] = [0xef, 0xbb, 0xbf];

/// How long the mark at the beginning of a file is, if there is one.
pub(crate) fn byte_order_mark(text: &str) -> usize {
    if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 }
}

/// A line of JSON, or a value of several lines, read from left to right.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    pub(super) text: &'a str,
    /// Invariant: at a boundary of characters, at most the length of `text`.
    pub(super) at: usize,
    line: usize,
    /// How many bytes of the first line come before the text.
    indent: usize,
    /// An object or array has just been opened, so no comma comes before its first item.
    fresh: bool,
    /// Where the name of the last field begins.
    name_at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of a line, which has this number.
    ///
    /// # Errors
    ///
    /// If the line is not UTF-8.
    #[inline]
    pub fn new(line: usize, bytes: &'a [u8]) -> Scan<Self> {
        Cursor::inside(line, 0, bytes)
    }

    /// A cursor at the start of a text that begins `indent` bytes into a line, and may go on in the lines after it.
    ///
    /// # Errors
    ///
    /// If the text is not UTF-8.
    #[inline]
    pub(crate) fn inside(line: usize, indent: usize, bytes: &'a [u8]) -> Scan<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let at = if (line, indent) == (1, 0) { byte_order_mark(text) } else { 0 };
                Ok(Cursor { text, at, line, indent, fresh: false, name_at: 0 })
            }
            Err(error) => Err(Self::not_text(line, indent, bytes, error.valid_up_to())),
        }
    }

    /// The mistake to report if a line is not UTF-8.
    #[cold]
    fn not_text(line: usize, indent: usize, bytes: &[u8], at: usize) -> Box<Mistake> {
        let (line, column) = place((line, indent), bytes, at);
        Box::new(Mistake {
            file: String::new(),
            line,
            column,
            expected: "UTF-8".to_owned(),
            found: format!("the byte 0x{:02x}", bytes[at]),
            hint: "is this file compressed, or in another encoding? Write bytes that are not text as base64"
                .to_owned(),
        })
    }

    /// The number of the line, the first one if there are several.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The line and the column of a place in the text, which is given in bytes from 0. Both count from 1.
    pub fn place(&self, at: usize) -> (usize, usize) {
        place((self.line, self.indent), self.text.as_bytes(), at)
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Where the name that [`Cursor::next_field`] returned last begins, in bytes from 0.
    pub fn name_offset(&self) -> usize {
        self.name_at
    }

    /// A mistake at a place in the text, in bytes from 0.
    #[cold]
    pub fn mistake(&self, at: usize, expected: impl Into<String>, hint: impl Into<String>) -> Box<Mistake> {
        let (line, column) = self.place(at);
        Box::new(Mistake {
            file: String::new(),
            line,
            column,
            expected: expected.into(),
            found: error::found(self.text, at, "the end of the line"),
            hint: hint.into(),
        })
    }

    /// A mistake at the next token.
    #[cold]
    pub fn expected(&self, expected: impl Into<String>, hint: impl Into<String>) -> Box<Mistake> {
        self.mistake(self.at, expected, hint)
    }

    /// The byte here, 0 at the end. JSON has no byte 0, so one in the input is a mistake anyway.
    #[inline]
    pub(super) fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Skips blanks. Returns the byte after them.
    #[inline]
    pub(super) fn next_byte(&mut self) -> u8 {
        loop {
            match self.byte() {
                b'\n' => {
                    self.at += 1;
                    // What is indented is indented deep, so eight bytes at a time.
                    while let Some(word) = self.text.as_bytes()[self.at..].first_chunk::<8>() {
                        let others = u64::from_le_bytes(*word) ^ u64::from_le_bytes(*b"        ");
                        self.at += others.trailing_zeros() as usize / 8;
                        if others != 0 {
                            break;
                        }
                    }
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Skips blanks. Returns the kind of the next value.
    #[inline]
    pub fn kind(&mut self) -> Kind {
        match self.next_byte() {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b'0'..=b'9' | b'-' => Kind::Number,
            b't' | b'f' => Kind::Boolean,
            b'n' => Kind::Null,
            _ => Kind::Other,
        }
    }

    /// Opens an object. [`Cursor::next_field`] reads its fields.
    ///
    /// # Errors
    ///
    /// If the next value is not an object.
    #[inline]
    pub fn object(&mut self) -> Scan<()> {
        if self.next_byte() != b'{' {
            return Err(self.expected("an object, `{`", "put one JSON object on each line"));
        }
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    /// Opens an array. [`Cursor::next_item`] goes through its items.
    ///
    /// # Errors
    ///
    /// If the next value is not an array.
    #[inline]
    pub fn array(&mut self) -> Scan<()> {
        if self.next_byte() != b'[' {
            return Err(self.expected("an array, `[`", "several values go into brackets, [1, 2]"));
        }
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    /// Reads the name of the object's next field; its value comes next. `None` if the object has ended.
    ///
    /// # Errors
    ///
    /// If there is neither a field nor the end, or the name has escapes.
    #[inline]
    pub fn next_field(&mut self) -> Scan<Option<&'a str>> {
        if !self.more(b'}')? {
            return Ok(None);
        }
        self.next_byte();
        self.name_at = self.at;
        let name = self.plain_string()?;
        self.colon()?;
        Ok(Some(name))
    }

    /// Whether the array has another item, which then comes next.
    ///
    /// # Errors
    ///
    /// If there is neither a comma nor the end.
    #[inline]
    pub fn next_item(&mut self) -> Scan<bool> {
        self.more(b']')
    }

    /// Reads the colon after a field's name.
    #[inline]
    fn colon(&mut self) -> Scan<()> {
        if self.next_byte() != b':' {
            return Err(self.expected("`:`", "a field is a name, a colon and a value"));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether anything comes before `close`. Skips the comma, or `close`.
    #[inline]
    fn more(&mut self, close: u8) -> Scan<bool> {
        let fresh = std::mem::replace(&mut self.fresh, false);
        let byte = self.next_byte();
        if byte == close {
            self.at += 1;
            return Ok(false);
        }
        if !fresh {
            if byte != b',' {
                return Err(self.unclosed(close));
            }
            self.at += 1;
        }
        Ok(true)
    }

    /// The mistake to report if an object or array is not closed.
    #[cold]
    fn unclosed(&self, close: u8) -> Box<Mistake> {
        // If the text ends in the middle of a value, the mistake is at the end of the text and not on the next line.
        let read = self.text[..self.at].trim_end().len();
        let at = if self.text[read..self.at].contains('\n') { read } else { self.at };
        self.mistake(
            at,
            format!("`,` or `{}`", close as char),
            "a comma is missing, or the line is cut off or holds more than one value",
        )
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    ///
    /// If the next value is neither.
    #[inline]
    pub fn boolean(&mut self) -> Scan<bool> {
        self.next_byte();
        if self.accept("true") {
            Ok(true)
        } else if self.accept("false") {
            Ok(false)
        } else {
            Err(self.expected("`true` or `false`", "write it without quotes, in lower case"))
        }
    }

    /// Skips `null` if it is next; returns whether it was.
    #[inline]
    pub fn null(&mut self) -> bool {
        self.next_byte() == b'n' && self.accept("null")
    }

    /// Skips a word if it is next and ends there; returns whether it was.
    #[inline]
    fn accept(&mut self, word: &str) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        let ends = rest.get(word.len()).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let next = ends && rest.starts_with(word.as_bytes());
        if next {
            self.at += word.len();
        }
        next
    }

    /// Skips a value of any kind, and checks that it is JSON.
    ///
    /// # Errors
    ///
    /// If the value is not JSON, or is nested deeper than [`DEPTH_MAX`].
    pub fn skip_value(&mut self) -> Scan<()> {
        // One bit for each level: 1 in an object, 0 in an array. No recursion, so no input overflows the stack.
        let (mut depth, mut objects) = (0u32, 0u128);
        loop {
            let opened = match self.kind() {
                Kind::Object => self.object().map(|()| Some(1))?,
                Kind::Array => self.array().map(|()| Some(0))?,
                Kind::String => self.string().map(|_| None)?,
                Kind::Number => self.skip_number().map(|()| None)?,
                Kind::Boolean => self.boolean().map(|_| None)?,
                Kind::Null if self.null() => None,
                Kind::Null | Kind::Other => {
                    return Err(self.expected("a value", "null, true, false, a number, \"…\", [ or {"));
                }
            };
            if let Some(bit) = opened {
                if depth == DEPTH_MAX {
                    let hint = "this is not a history: nothing in one is nested that deep";
                    return Err(self.mistake(self.at - 1, format!("at most {DEPTH_MAX} levels"), hint));
                }
                depth += 1;
                objects = objects << 1 | bit;
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                if self.more(if object { b'}' } else { b']' })? {
                    if object {
                        self.string()?;
                        self.colon()?;
                    }
                    break;
                }
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    /// Makes sure that the line ends here.
    ///
    /// # Errors
    ///
    /// If anything but blanks follows.
    #[inline]
    pub fn end(&mut self) -> Scan<()> {
        self.next_byte();
        if self.at == self.text.len() {
            return Ok(());
        }
        Err(self.expected("the end of the line", "put one JSON object on each line"))
    }
}

/// The line and the column of the byte `at` of `text`, which begins `indent` bytes into the line `line`.
fn place((line, indent): (usize, usize), text: &[u8], at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    match memchr::memrchr(b'\n', before) {
        None => (line, indent + at + 1),
        Some(end) => (line + memchr::memchr_iter(b'\n', before).count(), at - end),
    }
}
