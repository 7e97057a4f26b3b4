//! [`Values`]: reads JSON values one after another, piece by piece, with line breaks anywhere.
//!
//! A value is read as a whole, with a [`Cursor`]. A large one is read part by part: [`Values::object`] and
//! [`Values::array`] open it, and the values inside it are again read in one of the two ways.

use std::io::{ErrorKind, Read};

use super::Cursor;
use super::cursor::BYTE_ORDER_MARK_BYTES;
use crate::error::{CUT_FILE, Error, Mistake, Scan};

/// How many bytes are read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How many bytes may be given to the reader of a value whose end is not known. All of them are checked to be text, so
/// they should not be many more than the value has.
const GUESS_MAX: usize = 8 * 1024;

/// The values of anything that can be read, in a buffer of at most about twice the longest value that is read as a
/// whole.
///
/// ```
/// use histories::scan::Values;
///
/// let mut values = Values::new("file.json", &b"{\n  \"a\": [1,\n 2]\n} {}"[..]);
/// let mut numbers = Vec::new();
/// values.object(|values, name| {
///     assert_eq!(name, "a");
///     values.array(|values| {
///         numbers.push(values.value(|cursor| cursor.integer())?);
///         Ok(())
///     })
/// })?;
/// assert_eq!(numbers, [1, 2]);
/// values.value(|cursor| cursor.skip_value())?;
/// assert!(values.are_over()?);
/// # Ok::<(), histories::Error>(())
/// ```
#[derive(Debug)]
pub struct Values<'f, R> {
    /// The file's name in errors.
    file: &'f str,
    reader: R,
    buffer: Vec<u8>,
    /// Invariant: `start <= end <= buffer.len()`. The bytes from `start` to `end` were read and not taken yet.
    start: usize,
    end: usize,
    /// Whether the end of the file was read.
    finished: bool,
    /// The line that `start` is in, from 1, and how many bytes of it come before.
    place: (usize, usize),
    /// How many objects and arrays that are read part by part are open.
    depth: usize,
    /// How many bytes most likely hold the next value that is read as a whole; 0 for no guess.
    guess: usize,
}

impl<'f, R: Read> Values<'f, R> {
    /// The values of `reader`, which needs no buffer of its own. `file` is its name in errors.
    pub fn new(file: &'f str, reader: R) -> Self {
        Values {
            file,
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            finished: false,
            place: (1, 0),
            depth: 0,
            guess: 0,
        }
    }

    /// Whether nothing but blanks is left.
    ///
    /// # Errors
    ///
    /// That the file cannot be read.
    pub fn are_over(&mut self) -> Result<bool, Error> {
        Ok(self.next_byte()?.is_none())
    }

    /// Reads the next value as a whole. `with` must read all of it. It may be called twice.
    ///
    /// # Errors
    ///
    /// That of `with`, that it does not end where the value does, or that the file cannot be read.
    pub fn value<T>(&mut self, mut with: impl FnMut(&mut Cursor<'_>) -> Scan<T>) -> Result<T, Error> {
        if matches!(self.next_byte()?, Some(b'{' | b'['))
            && let Some(value) = self.guessed(&mut with)
        {
            return Ok(value);
        }
        let (length, is_cut) = self.length()?;
        let text = &self.buffer[self.start..self.start + length];
        let mut read = |text| {
            let mut cursor = Cursor::inside(self.place.0, self.place.1, text)?;
            let end = cursor.clone();
            let read = with(&mut cursor).and_then(|value| cursor.end().map(|()| value));
            read.map_err(|mut mistake| {
                // In the middle of a file that goes on, something else is wrong.
                let last = end.place(text.trim_ascii_end().len());
                if is_cut && (!text.ends_with(b"\n") || (mistake.line, mistake.column) >= last) {
                    mistake.hint = CUT_FILE.to_owned();
                }
                mistake
            })
        };
        let value = read(text).map_err(|mistake| Error::in_file(mistake, self.file))?;
        self.take(length);
        let guess = length + length / 4;
        self.guess = if guess > GUESS_MAX { 0 } else { self.guess.max(guess) };
        Ok(value)
    }

    /// Reads the next value, an object or array, without a search for its end: it is where the value was read. `None`
    /// if that does not work, because more than the guessed number of bytes is needed or something is wrong.
    fn guessed<T>(&mut self, with: impl FnOnce(&mut Cursor<'_>) -> Scan<T>) -> Option<T> {
        let text = self.buffer[self.start..self.end].get(..self.guess)?;
        if text.is_empty() {
            return None;
        }
        let mut cursor = Cursor::inside(self.place.0, self.place.1, text).ok()?;
        let value = with(&mut cursor).ok()?;
        let length = cursor.offset();
        self.take(length);
        Some(value)
    }

    /// Reads an object part by part: `field` reads the value of each field, and gets the name.
    ///
    /// # Errors
    ///
    /// Those of `field`, that the next value is not an object, or that the file cannot be read.
    pub fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, &str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.open(b'{', "an object, `{`", "a file of JSON has one object after another")?;
        let mut fresh = true;
        while self.has_more(b'}', &mut fresh)? {
            let name = self.value(|cursor| cursor.plain_string().map(str::to_owned))?;
            self.open(b':', "`:`", "a field is a name, a colon and a value")?;
            field(self, &name)?;
        }
        Ok(())
    }

    /// Reads an array part by part: `item` reads each value in it.
    ///
    /// # Errors
    ///
    /// Those of `item`, that the next value is not an array, or that the file cannot be read.
    pub fn array(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        self.open(b'[', "an array, `[`", "several values go into brackets, [1, 2]")?;
        let mut fresh = true;
        while self.has_more(b']', &mut fresh)? {
            item(self)?;
        }
        Ok(())
    }

    /// Skips `null` if it is next; returns whether it was.
    ///
    /// # Errors
    ///
    /// If something else begins with an `n`, or the file cannot be read.
    pub fn null(&mut self) -> Result<bool, Error> {
        if self.next_byte()? != Some(b'n') {
            return Ok(false);
        }
        self.value(|cursor| cursor.skip_value())?;
        Ok(true)
    }

    /// A mistake at the next token.
    ///
    /// # Errors
    ///
    /// That the file cannot be read.
    #[cold]
    pub fn expected(&mut self, expected: &str, hint: &str) -> Result<Error, Error> {
        let is_over = self.next_byte()?.is_none();
        let hint = if is_over && self.depth > 0 { CUT_FILE } else { hint };
        let (length, _) = self.length()?;
        Ok(self.mistake(length, |cursor| cursor.expected(expected, hint)))
    }

    /// Something is missing in the object that was read last.
    #[cold]
    pub fn missing(&self, expected: &str, hint: &str) -> Error {
        let (line, taken) = self.place;
        let mistake = Mistake {
            file: String::new(),
            line,
            column: taken.max(1),
            expected: expected.to_owned(),
            found: "`}`".to_owned(),
            hint: hint.to_owned(),
        };
        Error::in_file(Box::new(mistake), self.file)
    }

    #[cold]
    fn mistake(&self, length: usize, with: impl FnOnce(&Cursor<'_>) -> Box<Mistake>) -> Error {
        let text = &self.buffer[self.start..self.start + length];
        let mistake = match Cursor::inside(self.place.0, self.place.1, text) {
            Ok(cursor) => with(&cursor),
            Err(not_text) => not_text,
        };
        Error::in_file(mistake, self.file)
    }

    /// Takes a brace or bracket.
    fn open(&mut self, byte: u8, expected: &str, hint: &str) -> Result<(), Error> {
        if self.next_byte()? != Some(byte) {
            return Err(self.expected(expected, hint)?);
        }
        self.take(1);
        self.depth += usize::from(byte != b':');
        Ok(())
    }

    /// Whether anything comes before `close`. Takes the comma, or `close`.
    fn has_more(&mut self, close: u8, fresh: &mut bool) -> Result<bool, Error> {
        let next = self.next_byte()?;
        if next == Some(close) {
            self.take(1);
            self.depth -= 1;
            return Ok(false);
        }
        if !std::mem::replace(fresh, false) {
            if next != Some(b',') {
                let expected = format!("`,` or `{}`", close as char);
                return Err(self.expected(&expected, "a comma is missing, or the file is cut off")?);
            }
            self.take(1);
        }
        Ok(true)
    }

    /// Skips blanks. Returns the byte after them.
    fn next_byte(&mut self) -> Result<Option<u8>, Error> {
        self.skip_mark()?;
        loop {
            let untaken = &self.buffer[self.start..self.end];
            let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\r' | b'\n');
            let blanks = untaken.iter().take_while(is_blank).count();
            let next = untaken.get(blanks).copied();
            self.take(blanks);
            if next.is_some() || !self.fill()? {
                return Ok(next);
            }
        }
    }

    /// Skips the mark at the beginning of the file, if there is one.
    fn skip_mark(&mut self) -> Result<(), Error> {
        let mark = &BYTE_ORDER_MARK_BYTES;
        while self.place == (1, 0) {
            let untaken = &self.buffer[self.start..self.end];
            if untaken.starts_with(mark) {
                self.take(mark.len());
            } else if !mark.starts_with(untaken) || !self.fill()? {
                break;
            }
        }
        Ok(())
    }

    /// The length of the value that begins here, or of the rest of the file if the value does not end; and whether, in
    /// that case, something is still open.
    fn length(&mut self) -> Result<(usize, bool), Error> {
        let mut end = End::default();
        let mut searched = 0;
        loop {
            let untaken = &self.buffer[self.start + searched..self.end];
            if let Some(more) = end.find(untaken) {
                return Ok((searched + more, false));
            }
            searched = self.end - self.start;
            if !self.fill()? {
                return Ok((searched, self.depth > 0 || end.is_open()));
            }
        }
    }

    /// Takes bytes, and keeps count of lines.
    fn take(&mut self, count: usize) {
        let taken = &self.buffer[self.start..self.start + count];
        let (line, before) = self.place;
        self.place = match memchr::memrchr(b'\n', taken) {
            None => (line, before + count),
            Some(last) => (line + memchr::memchr_iter(b'\n', taken).count(), count - last - 1),
        };
        self.start += count;
    }

    /// Reads more; returns whether there was any.
    fn fill(&mut self) -> Result<bool, Error> {
        if self.finished {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize((2 * self.end).max(CHUNK_BYTES), 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.finished = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::io(self.file, error)),
            }
            return Ok(!self.finished);
        }
    }
}

/// The first byte that matters to the search between the tokens of an object or array: a quote, a brace or a bracket. It
/// looks at nothing else there, because nearly half of a large file is such text.
///
/// It looks at eight bytes at a time, as one integer, as the scanner of strings does (`string`). A bracket is a brace without
/// the bit 0x20.
fn structure(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let lower = word | (ONES * 0x20);
        let hit = is_zero(word ^ (ONES * b'"' as u64))
            | is_zero(lower ^ (ONES * b'{' as u64))
            | is_zero(lower ^ (ONES * b'}' as u64));
        let hit = hit & TOPS;
        if hit != 0 {
            return Some(at + hit.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let found = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'));
    found.map(|found| at + found)
}

/// The search for the end of a value. It continues where the last piece of the file ended. The content of the value
/// need not be valid JSON.
#[derive(Default)]
struct End {
    /// How many braces and brackets are open.
    depth: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    /// Before the first byte of the value.
    #[default]
    Start,
    /// Between tokens, in an object or array.
    Structure,
    /// In a string.
    String,
    /// In a string, after a backslash.
    Escape,
    /// In a word or a number outside of any object or array.
    Word,
}

impl End {
    /// Whether a brace, a bracket or a string is open.
    fn is_open(&self) -> bool {
        self.depth > 0 || matches!(self.kind, Kind::String | Kind::Escape)
    }

    /// How many bytes of the next piece belong to the value; `None` if all do and it goes on.
    fn find(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < piece.len() {
            let byte = piece[at];
            match self.kind {
                Kind::String => {
                    at += memchr::memchr2(b'"', b'\\', &piece[at..])?;
                    self.kind = if piece[at] == b'\\' { Kind::Escape } else { Kind::Structure };
                    if self.kind == Kind::Structure && self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                Kind::Escape => self.kind = Kind::String,
                Kind::Word => {
                    if matches!(byte, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']')
                        || byte.is_ascii_whitespace()
                    {
                        return Some(at);
                    }
                }
                Kind::Structure => {
                    at += structure(&piece[at..])?;
                    match piece[at] {
                        b'"' => self.kind = Kind::String,
                        b'{' | b'[' => self.depth += 1,
                        _ if self.depth > 1 => self.depth -= 1,
                        _ => return Some(at + 1),
                    }
                }
                Kind::Start => match byte {
                    b'"' => self.kind = Kind::String,
                    b'{' | b'[' => {
                        self.depth += 1;
                        self.kind = Kind::Structure;
                    }
                    // A comma, colon or closing bracket instead of a value. The reader of the value reports the
                    // mistake.
                    b'}' | b']' | b',' | b':' => return Some(at + 1),
                    _ => self.kind = Kind::Word,
                },
            }
            at += 1;
        }
        None
    }
}
