//! What can be wrong with a file: a mistake says where it is, what was expected, what was found and how to mend it.

/// A place in a file that is not as its format requires.
///
/// Lines and columns count from 1. Columns count bytes, so that they agree with tools that cut by bytes and are
/// defined even where a line is not UTF-8. A column is at most one past the end of its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: expected {expected}, found {found}\n  hint: {hint}")]
pub struct Mistake {
    /// The name of the file that its reader was given. Empty until the reader adds it.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column, in bytes.
    pub column: usize,
    /// What was expected there.
    pub expected: String,
    /// What is there instead.
    pub found: String,
    /// How to mend it.
    pub hint: String,
}

/// The result of scanning. The mistake is boxed because there is a result for each token.
pub type Scan<T> = Result<T, Box<Mistake>>;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system could not read it.
    #[error("{file}: {source}\n  hint: check that the file exists and that you may read it")]
    Io {
        /// The file.
        file: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// It is not as its format requires.
    #[error(transparent)]
    Mistake(Box<Mistake>),
}

impl Error {
    /// An error of the operating system, with the name of the file.
    pub fn io(file: &str, source: std::io::Error) -> Self {
        Error::Io { file: file.to_owned(), source }
    }

    /// A mistake, with the name of the file.
    pub fn in_file(mut mistake: Box<Mistake>, file: &str) -> Self {
        mistake.file = file.to_owned();
        Error::Mistake(mistake)
    }

    /// The mistake in the file, unless the operating system could not read it.
    pub fn mistake(&self) -> Option<&Mistake> {
        match self {
            Error::Mistake(mistake) => Some(mistake),
            Error::Io { .. } => None,
        }
    }
}

/// The hint for a last line that ends too early.
pub(crate) const CUT_LINE: &str = "the file ends in the middle of this line, so it was cut off: remove the line, or record the history again";

/// The hint for a file that ends within brackets or a string.
pub(crate) const CUT_FILE: &str = "the file was cut off: a bracket or a string is still open at its end";

/// How many characters of an unexpected token an error shows.
const SHOWN_MAX: usize = 24;

/// The text at `at`, as an error shows it: the character there and, if it begins a word, the rest of the word.
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
        // Quotes are shown as they are in the file. Only other characters are escaped.
        None => format!("`{}`", shown.escape_debug().to_string().replace("\\\"", "\"")),
    }
}
