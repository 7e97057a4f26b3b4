//! A small strict parser of EDN (<https://github.com/edn-format/edn>), one form at a time.

use std::borrow::Cow;

use crate::error::{self, Mistake, Scan};
use crate::scan::byte_order_mark;

/// How deep forms may be nested.
pub const DEPTH_MAX: u32 = 64;

/// A form and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    /// Where it begins, in bytes from the beginning of the file.
    pub at: usize,
    /// The form.
    pub form: Form<'a>,
}

/// The forms of EDN. Tags are dropped, and the forms they tag are kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Form<'a> {
    /// `nil`
    Nil,
    /// `true`, `false`
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// `"…"`
    Text(Cow<'a, str>),
    /// `:…`, without the colon.
    Keyword(&'a str),
    /// A symbol, a character or a fraction, as it is written: no history needs its meaning.
    Other(&'a str),
    /// `[…]` or `(…)`
    Sequence(Vec<Node<'a>>),
    /// `#{…}`
    Set(Vec<Node<'a>>),
    /// `{…}`
    Map(Vec<(Node<'a>, Node<'a>)>),
}

/// A parser of EDN that reads a file form by form.
#[derive(Clone, Debug)]
pub struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Parser<'a> {
    /// A parser at the start of a file.
    ///
    /// # Errors
    ///
    /// If the file is not UTF-8.
    pub fn new(bytes: &'a [u8]) -> Scan<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Parser { text, at: byte_order_mark(text) }),
            Err(error) => {
                let at = error.valid_up_to();
                let (line, column) = place(bytes, at);
                let found = format!("the byte 0x{:02x}", bytes[at]);
                let hint = "is this file compressed or of another encoding?".to_owned();
                let expected = "UTF-8".to_owned();
                Err(Box::new(Mistake { file: String::new(), line, column, expected, found, hint }))
            }
        }
    }

    /// Whether the file ends within a bracket or a string, and the mistake is in its last line.
    pub(super) fn is_cut_at(&self, mistake: &Mistake) -> bool {
        let bytes = self.text.trim_end().as_bytes();
        if mistake.line < memchr::memchr_iter(b'\n', bytes).count() + 1 {
            return false;
        }
        let (mut depth, mut quoted, mut at) = (0i64, false, 0);
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'[' | b'(' | b'{' => depth += 1,
                b']' | b')' | b'}' => depth -= 1,
                b';' => at += memchr::memchr(b'\n', &bytes[at..]).unwrap_or(bytes.len() - at),
                _ => {}
            }
            at += 1;
        }
        quoted || depth > 0
    }

    /// A mistake at a place, in bytes from the beginning of the file.
    #[cold]
    pub fn mistake(&self, at: usize, expected: impl Into<String>, hint: impl Into<String>) -> Box<Mistake> {
        let (line, column) = place(self.text.as_bytes(), at);
        let found = error::found(self.text, at, "the end of the file");
        Box::new(Mistake {
            file: String::new(),
            line,
            column,
            expected: expected.into(),
            found,
            hint: hint.into(),
        })
    }

    /// Where the parser is.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next byte.
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips blanks, commas, comments and discarded forms. Returns the byte after them; `None` at the end.
    ///
    /// # Errors
    ///
    /// If a discarded form has a mistake.
    pub fn next_byte(&mut self) -> Scan<Option<u8>> {
        self.blanks(0)
    }

    /// As [`Parser::next_byte`], within forms nested `depth` levels deep.
    fn blanks(&mut self, depth: u32) -> Scan<Option<u8>> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xc) => self.at += 1,
                Some(b';') => {
                    let rest = &self.text.as_bytes()[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                Some(b'#') if self.text[self.at..].starts_with("#_") => {
                    self.at += 2;
                    self.node(depth + 1)?;
                }
                other => return Ok(other),
            }
        }
    }

    /// Skips `byte` if it is next; returns whether it was.
    ///
    /// # Errors
    ///
    /// As [`next_byte`](Parser::next_byte).
    pub fn accept(&mut self, byte: u8) -> Scan<bool> {
        let next = self.next_byte()? == Some(byte);
        self.at += usize::from(next);
        Ok(next)
    }

    /// Reads the next form.
    ///
    /// # Errors
    ///
    /// If there is no form, or it has a mistake.
    pub fn form(&mut self) -> Scan<Node<'a>> {
        self.node(0)
    }

    /// Reads the next form, which is nested `depth` levels deep.
    fn node(&mut self, depth: u32) -> Scan<Node<'a>> {
        if depth > DEPTH_MAX {
            let hint = "this is not a history: nothing in one is nested that deep";
            return Err(self.mistake(self.at, format!("at most {DEPTH_MAX} levels"), hint));
        }
        let byte = self.blanks(depth)?;
        let at = self.at;
        let form = match byte {
            Some(b'[') => Form::Sequence(self.many(1, b']', depth)?),
            Some(b'(') => Form::Sequence(self.many(1, b')', depth)?),
            Some(b'{') => Form::Map(self.map(depth)?),
            Some(b'"') => Form::Text(self.text()?),
            Some(b'#') if self.text[at..].starts_with("#{") => Form::Set(self.many(2, b'}', depth)?),
            Some(b'#') => {
                self.at += 1;
                if self.token().is_empty() {
                    return Err(self.mistake(at, "a tag, `#{` or `#_`", "a tag is # and a name"));
                }
                return self.node(depth + 1);
            }
            Some(b':') => {
                self.at += 1;
                let name = self.token();
                if name.is_empty() {
                    return Err(self.mistake(at, "a keyword", "a keyword is : and a name"));
                }
                Form::Keyword(name)
            }
            Some(b'\\') => {
                self.at += 1;
                let first = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
                self.at += first;
                self.token();
                if first == 0 {
                    return Err(self.mistake(self.at, "a character", "a character is \\ and itself"));
                }
                Form::Other(&self.text[at..self.at])
            }
            Some(_) => self.atom()?,
            None => return Err(self.mistake(at, "a form", "is the file cut off? A bracket is still open")),
        };
        Ok(Node { at, form })
    }

    /// Reads forms up to a closing bracket. The opening bracket has `opening` bytes.
    fn many(&mut self, opening: usize, close: u8, depth: u32) -> Scan<Vec<Node<'a>>> {
        self.at += opening;
        let mut nodes = Vec::new();
        while self.blanks(depth)? != Some(close) {
            nodes.push(self.node(depth + 1)?);
        }
        self.at += 1;
        Ok(nodes)
    }

    /// Reads a map.
    fn map(&mut self, depth: u32) -> Scan<Vec<(Node<'a>, Node<'a>)>> {
        let nodes = self.many(1, b'}', depth)?;
        let mut pairs: Vec<(Node<'a>, Node<'a>)> = Vec::with_capacity(nodes.len() / 2);
        let mut nodes = nodes.into_iter();
        while let Some(key) = nodes.next() {
            let Some(value) = nodes.next() else {
                return Err(self.mistake(self.at - 1, "a value", "a map holds keys and values in pairs"));
            };
            // Only keyword keys are checked for repeats, and a map in a history has about ten.
            if matches!(key.form, Form::Keyword(_)) && pairs.iter().any(|(other, _)| other.form == key.form) {
                return Err(self.mistake(key.at, "every key once", "leave one of the two out"));
            }
            pairs.push((key, value));
        }
        Ok(pairs)
    }

    /// Skips the characters of a name or a number, and returns them.
    fn token(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let ends =
            |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '(' | ')' | '[' | ']' | '{' | '}');
        let token = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += token.len();
        token
    }

    /// Reads nil, a boolean, a number or a symbol.
    fn atom(&mut self) -> Scan<Form<'a>> {
        let at = self.at;
        let token = self.token();
        let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
        match token {
            "" => {
                return Err(self.mistake(
                    at,
                    "a form",
                    "this bracket was never opened, or was opened by one of another kind",
                ));
            }
            "nil" => return Ok(Form::Nil),
            "true" => return Ok(Form::Boolean(true)),
            "false" => return Ok(Form::Boolean(false)),
            _ if !unsigned.starts_with(|c: char| c.is_ascii_digit()) => return Ok(Form::Other(token)),
            _ => {}
        }
        // `N` marks a number of any size.
        let digits = unsigned.strip_suffix('N').unwrap_or(unsigned);
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = token.strip_suffix('N').unwrap_or(token).parse();
            let number =
                number.map_err(|_| self.mistake(at, "a number of 64 bits", "larger ones are not read"))?;
            return Ok(Form::Integer(number));
        }
        // A decimal, with `M` at its end if it is exact, or a fraction.
        if unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eEM+-/".contains(&byte)) {
            return Ok(Form::Other(token));
        }
        Err(self.mistake(at, "a number", "a name does not begin with a digit"))
    }

    /// Reads a string.
    fn text(&mut self) -> Scan<Cow<'a, str>> {
        let start = self.at + 1;
        let mut from = start;
        let mut owned: Option<String> = None;
        loop {
            let Some(found) = memchr::memchr2(b'"', b'\\', &self.text.as_bytes()[from..]) else {
                let hint = "a quote is missing; is the file cut off?";
                return Err(self.mistake(self.text.len(), "the end of the string", hint));
            };
            let stop = from + found;
            if self.text.as_bytes()[stop] == b'"' {
                self.at = stop + 1;
                return Ok(match owned {
                    None => Cow::Borrowed(&self.text[start..stop]),
                    Some(owned) => Cow::Owned(owned + &self.text[from..stop]),
                });
            }
            let Some((length, character)) = escape(&self.text[stop..]) else {
                return Err(self.mistake(stop, "an escape that EDN has", "write a backslash as \\\\"));
            };
            let owned = owned.get_or_insert_default();
            owned.push_str(&self.text[from..stop]);
            owned.push(character);
            from = stop + length;
        }
    }
}

/// The escape that `rest` begins with: how many bytes it has and what it means.
fn escape(rest: &str) -> Option<(usize, char)> {
    let simple = match rest.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => {
            let digits =
                rest.get(2..6).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            return Some((6, char::from_u32(u32::from_str_radix(digits, 16).ok()?)?));
        }
        _ => return None,
    };
    Some((2, simple))
}

/// Line and column, from 1, of a place in a file.
fn place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at.min(bytes.len())];
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |end| end + 1) + 1;
    (line, column)
}
