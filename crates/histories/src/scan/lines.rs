//! Splits a file into lines, in memory or piece by piece.

use std::io::{self, Read};

use super::Cursor;
use crate::error::{CUT_LINE, Error, Scan};

/// A line without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Its text.
    pub bytes: &'a [u8],
    /// Whether a line end follows. Only the last line of a file may have none.
    pub ended: bool,
}

impl Line<'_> {
    /// Whether the line holds only blanks.
    pub fn is_blank(&self) -> bool {
        self.bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
    }

    /// A hint if the file ends within this line, where a bracket or a string is still open.
    pub fn cut_hint(&self) -> Option<&'static str> {
        self.is_cut().then_some(CUT_LINE)
    }

    /// Whether the file ends within this line, where a bracket or a string is still open.
    fn is_cut(&self) -> bool {
        if self.ended {
            return false;
        }
        let (mut depth, mut quoted, mut escaped) = (0i64, false, false);
        for &byte in self.bytes {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => depth -= 1,
                _ => {}
            }
        }
        quoted || depth > 0
    }
}

/// The lines of a file in memory.
#[derive(Clone, Debug)]
pub struct SliceLines<'a> {
    rest: Option<&'a [u8]>,
    number: usize,
}

impl<'a> SliceLines<'a> {
    /// All lines of `bytes`. The rest after the last line end is a line too, unless it is empty.
    pub fn new(bytes: &'a [u8]) -> Self {
        SliceLines { rest: Some(bytes), number: 0 }
    }
}

impl<'a> Iterator for SliceLines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = self.rest.filter(|rest| !rest.is_empty())?;
        self.number += 1;
        let (bytes, rest) = match memchr::memchr(b'\n', rest) {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        };
        self.rest = rest;
        Some(Line { number: self.number, bytes, ended: rest.is_some() })
    }
}

/// How many bytes are read at once: 256 KiB, enough that the cost of system calls does not matter.
const CHUNK_BYTES: usize = 256 * 1024;

/// The lines of anything that can be read, in a buffer of at most about twice the longest line.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    /// Invariant: `start <= searched <= end <= buffer.len()`. The bytes from `start` to `end` were not returned yet.
    buffer: Vec<u8>,
    start: usize,
    /// No line ends between `start` and here.
    searched: usize,
    end: usize,
    number: usize,
    finished: bool,
}

impl<R: Read> Lines<R> {
    /// The lines of `reader`, which needs no buffer of its own.
    pub fn new(reader: R) -> Self {
        Lines { reader, buffer: Vec::new(), start: 0, searched: 0, end: 0, number: 0, finished: false }
    }

    /// The next line; `None` after the last.
    ///
    /// # Errors
    ///
    /// Those of the reader, except interruptions.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) {
                let (from, to) = (self.start, self.searched + found);
                self.start = to + 1;
                self.searched = self.start;
                return Ok(Some(self.line(from, to, true)));
            }
            self.searched = self.end;
            if self.finished {
                let (from, to) = (self.start, self.end);
                self.start = to;
                return Ok((from < to).then(|| self.line(from, to, false)));
            }
            self.fill()?;
        }
    }

    /// The next line, which is this part of the buffer.
    fn line(&mut self, from: usize, to: usize, ended: bool) -> Line<'_> {
        self.number += 1;
        Line { number: self.number, bytes: &self.buffer[from..to], ended }
    }

    /// Reads more of the file into the buffer.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.searched -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize((2 * self.end).max(CHUNK_BYTES), 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.finished = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

/// Scans every line of `reader` that is not blank. `file` is its name in errors.
///
/// # Errors
///
/// The first error of `line`, that a line does not end where its cursor does, or that the file cannot be read.
pub fn each_line<R: Read>(
    file: &str,
    reader: R,
    mut line: impl FnMut(&mut Cursor<'_>) -> Scan<()>,
) -> Result<(), Error> {
    let mut lines = Lines::new(reader);
    while let Some(one) = lines.next_line().map_err(|error| Error::io(file, error))? {
        scan(one, &mut line).map_err(|mistake| Error::in_file(mistake, file))?;
    }
    Ok(())
}

/// As [`each_line`], for a file that is in memory.
///
/// # Errors
///
/// As [`each_line`].
pub fn each_line_of<'a>(
    file: &str,
    bytes: &'a [u8],
    mut line: impl FnMut(&mut Cursor<'a>) -> Scan<()>,
) -> Result<(), Error> {
    for one in SliceLines::new(bytes) {
        scan(one, &mut line).map_err(|mistake| Error::in_file(mistake, file))?;
    }
    Ok(())
}

/// Gives one line to a reader.
fn scan<'a>(line: Line<'a>, with: &mut impl FnMut(&mut Cursor<'a>) -> Scan<()>) -> Scan<()> {
    if line.is_blank() {
        return Ok(());
    }
    let mut cursor = Cursor::new(line.number, line.bytes)?;
    with(&mut cursor).and_then(|()| cursor.end()).map_err(|mut mistake| {
        if let Some(hint) = line.cut_hint() {
            mistake.hint = hint.to_owned();
        }
        mistake
    })
}
