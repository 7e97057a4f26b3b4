//! What can be wrong with a file, said so that a person can mend it.

use std::fmt;

/// A place in a file that is not as it should be.
///
/// Lines and columns count from 1; columns count bytes, so that they agree with tools that cut by bytes
/// and stay defined where a line is not UTF-8. A column lies at most one past the end of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as its reader was told to call it. Empty until the reader adds it.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column, in bytes.
    pub column: usize,
    /// What was expected there.
    pub expected: String,
    /// What stands there instead.
    pub found: String,
    /// How to mend it.
    pub hint: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { file, line, column, expected, found, hint } = self;
        write!(f, "{file}:{line}:{column}: expected {expected}, found {found}\n  hint: {hint}")
    }
}

impl std::error::Error for Mistake {}

/// What scanning gives: a mistake is boxed, because results are returned once a token.
pub type Scan<T> = Result<T, Box<Mistake>>;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system would not give it.
    #[error("{file}: {source}\n  hint: check that the file exists and may be read")]
    Io {
        /// The file.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It is not as its format says.
    #[error(transparent)]
    Mistake(Box<Mistake>),
}

impl Error {
    /// The operating system's trouble with a file.
    pub fn io(file: &str, source: std::io::Error) -> Self {
        Error::Io { file: file.to_owned(), source }
    }

    /// A mistake, with the file that has it.
    pub fn in_file(mut mistake: Box<Mistake>, file: &str) -> Self {
        mistake.file = file.to_owned();
        Error::Mistake(mistake)
    }

    /// The mistake, if it is one.
    pub fn mistake(&self) -> Option<&Mistake> {
        match self {
            Error::Mistake(mistake) => Some(mistake),
            Error::Io { .. } => None,
        }
    }
}

/// How many characters of a strange token an error shows.
const SHOWN_MAX: usize = 24;

/// What stands at `at`, for an error: the character there and, if it begins a word, the rest of the word.
pub(crate) fn found(text: &str, at: usize, end: &str) -> String {
    let rest = text.get(at..).unwrap_or("");
    let Some(first) = rest.chars().next() else { return end.to_owned() };
    if matches!(first, '\n' | '\r') {
        return "the end of the line".to_owned();
    }
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let shown = if first == '"' {
        let inside = rest[1..].find('"').map_or(rest.len(), |length| length + 2);
        &rest[..inside]
    } else if word(first) {
        rest.split(|c| !word(c)).next().unwrap_or(rest)
    } else {
        &rest[..first.len_utf8()]
    };
    match shown.char_indices().nth(SHOWN_MAX) {
        Some((cut, _)) => format!("`{}…`", shown[..cut].escape_debug()),
        // Quotes are what a text looks like: only other characters are escaped.
        None => format!("`{}`", shown.escape_debug().to_string().replace("\\\"", "\"")),
    }
}
