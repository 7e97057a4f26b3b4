//! Reads JSON strings. Their ends are found eight bytes at a time, and only strings with escapes are unescaped.

use std::borrow::Cow;
use std::fmt;

use super::Cursor;
use crate::error::Scan;

/// A string as it is written in its line, with valid escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonString<'a> {
    raw: &'a str,
    /// Whether there is a backslash in `raw`. If not, `raw` is the string.
    escaped: bool,
}

impl<'a> JsonString<'a> {
    /// The string, if it is written without escapes.
    pub fn plain(self) -> Option<&'a str> {
        (!self.escaped).then_some(self.raw)
    }

    /// The string, unescaped into `scratch` if it has escapes. Then the old content of `scratch` is lost.
    pub fn read<'s>(self, scratch: &'s mut String) -> &'s str
    where
        'a: 's,
    {
        if !self.escaped {
            return self.raw;
        }
        scratch.clear();
        self.unescape(scratch);
        scratch
    }

    /// The string, borrowed if it has no escapes.
    pub fn to_cow(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(self.to_string()) } else { Cow::Borrowed(self.raw) }
    }

    /// Adds the text of the string, with its escapes replaced.
    fn unescape(self, into: &mut String) {
        let mut rest = self.raw;
        while let Some(backslash) = memchr::memchr(b'\\', rest.as_bytes()) {
            into.push_str(&rest[..backslash]);
            // The scanner has checked the escapes, so the default is never used.
            let (length, character) = escape(&rest[backslash..]).unwrap_or((1, '\\'));
            into.push(character);
            rest = &rest[backslash + length..];
        }
        into.push_str(rest);
    }
}

impl fmt::Display for JsonString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.escaped {
            return f.write_str(self.raw);
        }
        let mut unescaped = String::with_capacity(self.raw.len());
        self.unescape(&mut unescaped);
        f.write_str(&unescaped)
    }
}

/// The escape at the beginning of `rest`: how many bytes it has, and the character it means.
fn escape(rest: &str) -> Option<(usize, char)> {
    let simple = match rest.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(rest),
        _ => return None,
    };
    Some((2, simple))
}

/// `\uXXXX`, or two of them that form a surrogate pair.
fn unicode(rest: &str) -> Option<(usize, char)> {
    let unit = |at: usize| {
        let digits = rest.get(at..at + 6)?.strip_prefix("\\u")?;
        // `from_str_radix` alone would accept a sign.
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let first = unit(0)?;
    match char::from_u32(u32::from(first)) {
        Some(character) => Some((6, character)),
        None => {
            let character = char::decode_utf16([first, unit(6)?]).next()?.ok()?;
            Some((12, character))
        }
    }
}

/// The first byte from `at` on that is special in a string: a quote, a backslash or a control character.
///
/// It looks at eight bytes at a time, as one integer. Subtracting a number from each byte sets the byte's top bit if
/// the byte is lower than the number. The number is 0x20 for control characters, and 1 for quotes and backslashes,
/// which an xor turns into 0 first. The borrow can set that bit wrongly in a byte above such a byte, but only the
/// lowest byte found is used, and that one is always right.
#[inline]
fn special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    while let Some(word) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let hit = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hit = hit & TOPS;
        if hit != 0 {
            return at + hit.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let found = bytes[at..].iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    found.map_or(bytes.len(), |found| at + found)
}

impl<'a> Cursor<'a> {
    /// Reads a string.
    ///
    /// # Errors
    ///
    /// If the next value is not a string, or has an invalid escape.
    #[inline]
    pub fn string(&mut self) -> Scan<JsonString<'a>> {
        if self.next_byte() != b'"' {
            return Err(self.expected("a string", "put it in double quotes"));
        }
        let start = self.at + 1;
        let stop = special(self.text.as_bytes(), start);
        if self.text.as_bytes().get(stop) == Some(&b'"') {
            self.at = stop + 1;
            return Ok(JsonString { raw: &self.text[start..stop], escaped: false });
        }
        self.escaped_string(start, stop)
    }

    /// The rest of a string that has an escape, or something wrong, at `at`.
    #[cold]
    fn escaped_string(&mut self, start: usize, mut at: usize) -> Scan<JsonString<'a>> {
        loop {
            match self.text.as_bytes().get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(JsonString { raw: &self.text[start..at], escaped: true });
                }
                Some(b'\\') => match escape(&self.text[at..]) {
                    Some((length, _)) => at = special(self.text.as_bytes(), at + length),
                    None => {
                        let hint = "write a backslash as \\\\, and both halves of a surrogate pair";
                        return Err(self.mistake(at, "an escape that JSON has", hint));
                    }
                },
                Some(_) => {
                    let hint = "write control characters as escapes, such as \\n or \\u0000";
                    return Err(self.mistake(at, "a character that a string may hold", hint));
                }
                None => {
                    let hint = "a string ends on the line it begins on; is the file cut off?";
                    return Err(self.mistake(at, "the end of the string", hint));
                }
            }
        }
    }

    /// Reads a string without escapes, such as a name.
    ///
    /// # Errors
    ///
    /// If the next value is not a string, or has escapes.
    #[inline]
    pub fn plain_string(&mut self) -> Scan<&'a str> {
        let string = self.string()?;
        match string.plain() {
            Some(plain) => Ok(plain),
            None => {
                self.at -= string.raw.len() + 2;
                Err(self.expected("a name without escapes", "write its characters as they are"))
            }
        }
    }
}
