//! Where a scan is in its line, and the structure of values.

use crate::error::{self, Mistake, Scan};

/// How deep objects and arrays may lie in one another.
pub const DEPTH_MAX: u32 = 128;

/// What kind of value comes next.
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

/// A line of JSON, read from left to right.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    pub(super) text: &'a str,
    /// Invariant: at a boundary of characters, at most the length of `text`.
    pub(super) at: usize,
    line: usize,
    /// An object or array has just been opened, so that no comma stands before what comes next.
    fresh: bool,
    /// Where the name of the last field stands.
    name_at: usize,
}

impl<'a> Cursor<'a> {
    /// The start of a line.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    #[inline]
    pub fn new(line: usize, bytes: &'a [u8]) -> Scan<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cursor { text, at: 0, line, fresh: false, name_at: 0 }),
            Err(error) => Err(Self::not_text(line, bytes, error.valid_up_to())),
        }
    }

    #[cold]
    fn not_text(line: usize, bytes: &[u8], at: usize) -> Box<Mistake> {
        Box::new(Mistake {
            file: String::new(),
            line,
            column: at + 1,
            expected: "UTF-8".to_owned(),
            found: format!("the byte 0x{:02x}", bytes[at]),
            hint: "is this file compressed or of another encoding? Bytes that are no text go into base64"
                .to_owned(),
        })
    }

    /// The number of the line.
    pub fn line(&self) -> usize {
        self.line
    }

    /// How many bytes of the line are behind.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Where the name stands that [`Cursor::next_field`] gave last, from 0 in bytes.
    pub fn name_offset(&self) -> usize {
        self.name_at
    }

    /// A mistake at a place of this line, from 0 in bytes.
    #[cold]
    pub fn mistake(&self, at: usize, expected: impl Into<String>, hint: impl Into<String>) -> Box<Mistake> {
        Box::new(Mistake {
            file: String::new(),
            line: self.line,
            column: at + 1,
            expected: expected.into(),
            found: error::found(self.text, at, "the end of the line"),
            hint: hint.into(),
        })
    }

    /// A mistake at what comes next.
    #[cold]
    pub fn expected(&self, expected: impl Into<String>, hint: impl Into<String>) -> Box<Mistake> {
        self.mistake(self.at, expected, hint)
    }

    /// The byte here, 0 at the end. JSON has no 0, so that one in the input is a mistake either way.
    #[inline]
    pub(super) fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Goes past blanks, to the byte that is given.
    #[inline]
    pub(super) fn next_byte(&mut self) -> u8 {
        loop {
            match self.byte() {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// What comes next.
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

    /// Opens an object. [`Cursor::next_field`] goes on.
    #[inline]
    pub fn object(&mut self) -> Scan<()> {
        if self.next_byte() != b'{' {
            return Err(self.expected("an object, `{`", "put one JSON object on each line"));
        }
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    /// Opens an array. [`Cursor::next_item`] goes on.
    #[inline]
    pub fn array(&mut self) -> Scan<()> {
        if self.next_byte() != b'[' {
            return Err(self.expected("an array, `[`", "several values go into brackets, [1, 2]"));
        }
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    /// The name of the object's next field; its value comes next. `None` if the object has ended.
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

    /// Whether the array has a next item, which then comes next.
    #[inline]
    pub fn next_item(&mut self) -> Scan<bool> {
        self.more(b']')
    }

    #[inline]
    fn colon(&mut self) -> Scan<()> {
        if self.next_byte() != b':' {
            return Err(self.expected("`:`", "a field is a name, a colon and a value"));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether anything comes before `close`. Goes past the comma, or past `close`.
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

    #[cold]
    fn unclosed(&self, close: u8) -> Box<Mistake> {
        self.expected(
            format!("`,` or `{}`", close as char),
            "a comma is missing, or the line is cut off or holds more than one value",
        )
    }

    /// `true` or `false`.
    #[inline]
    pub fn boolean(&mut self) -> Scan<bool> {
        self.next_byte();
        if self.accept("true") {
            Ok(true)
        } else if self.accept("false") {
            Ok(false)
        } else {
            Err(self.expected("`true` or `false`", "without quotes, in small letters"))
        }
    }

    /// Goes past `null` if it is next, and says whether it was.
    #[inline]
    pub fn null(&mut self) -> bool {
        self.next_byte() == b'n' && self.accept("null")
    }

    /// Goes past a word if it is next and ends there.
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

    /// Goes past a value of any kind, which is checked all the same.
    pub fn skip_value(&mut self) -> Scan<()> {
        // A bit a level: 1 in an object, 0 in an array. No recursion, so that no input overflows the stack.
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
                    let hint = "this is no history: nothing in one lies that deep";
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

    /// Makes sure that nothing comes next.
    #[inline]
    pub fn end(&mut self) -> Scan<()> {
        self.next_byte();
        if self.at == self.text.len() {
            return Ok(());
        }
        Err(self.expected("the end of the line", "put one JSON object on each line"))
    }
}
