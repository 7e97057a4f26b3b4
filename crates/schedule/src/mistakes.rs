//! Mistakes in a scenario or plan file: what is wrong, where, and how to fix it.
//!
//! A user's mistake never makes this crate panic. Readers collect [`Mistake`]s and go on, so that a user sees
//! all of them at once.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};

/// The maximum number of mistakes that are shown. The first ones usually cause the others.
const SHOWN_MAX: usize = 20;

/// All mistakes of one file. Renders with `miette`, each position underlined.
pub struct ScenarioErrors {
    source: NamedSource<String>,
    mistakes: Vec<Mistake>,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong, in one sentence.
    pub message: String,
    /// The label at the position.
    pub label: String,
    /// The position, in bytes of the file. `None` for the whole file.
    pub span: Option<Range<usize>>,
    /// A second, related position, and its label.
    pub other: Option<(Range<usize>, String)>,
    /// How to fix it.
    pub help: String,
}

impl Mistake {
    /// A mistake at a place in the file. `label` stands below the marked text.
    pub fn at(span: Range<usize>, message: impl Into<String>, label: impl Into<String>) -> Mistake {
        let (message, label) = (message.into(), label.into());
        Mistake { message, label, span: Some(span), other: None, help: String::new() }
    }

    /// The same mistake, with advice.
    pub fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = help.into();
        self
    }

    /// The same mistake, with a second place that is marked.
    pub fn other(mut self, span: Range<usize>, label: impl Into<String>) -> Mistake {
        self.other = Some((span, label.into()));
        self
    }
}

impl ScenarioErrors {
    /// `name` is the file's name as given, `text` its content.
    pub(crate) fn new(name: &str, text: &str, mut mistakes: Vec<Mistake>) -> ScenarioErrors {
        // In the order of the file. Mistakes about the whole file come first.
        mistakes.sort_by_key(|mistake| mistake.span.as_ref().map(|span| span.start));
        if mistakes.len() > SHOWN_MAX {
            let more = mistakes.len() - SHOWN_MAX;
            mistakes.truncate(SHOWN_MAX);
            let message = format!("{more} more mistakes are not shown");
            mistakes.push(Mistake {
                message,
                label: String::new(),
                span: None,
                other: None,
                help: String::new(),
            });
        }
        ScenarioErrors { source: NamedSource::new(name, text.to_string()).with_language("TOML"), mistakes }
    }

    /// A file that could not be read at all.
    pub(crate) fn unreadable(name: &str, why: &str) -> ScenarioErrors {
        let message = format!("cannot read the file: {why}");
        let mistake = Mistake { message, label: String::new(), span: None, other: None, help: String::new() };
        ScenarioErrors::new(name, "", vec![mistake])
    }

    /// The file's name, as given.
    pub fn file(&self) -> &str {
        self.source.name()
    }

    /// The mistakes, in the order of the file.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Line and column of a mistake, both from 1. A mistake about the whole file is at 1, 1.
    pub fn place(&self, mistake: &Mistake) -> (usize, usize) {
        let Some(span) = &mistake.span else { return (1, 1) };
        let before = &self.source.inner().as_bytes()[..span.start.min(self.source.inner().len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        (before.iter().filter(|byte| **byte == b'\n').count() + 1, column)
    }
}

/// The name among `names` that is closest to `text`, if any is close enough.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    let distance_if_close = |name: &&str| {
        let distance = strsim::damerau_levenshtein(&text, &name.to_lowercase());
        let begins = name.len() > 1 && text.starts_with(&name.to_lowercase())
            || text.len() > 2 && name.starts_with(&text);
        (distance <= (name.len().max(text.len()) / 3).max(1) || begins).then_some(distance)
    };
    let close =
        names.into_iter().filter_map(|name| distance_if_close(&name).map(|distance| (distance, name)));
    close.min_by_key(|(distance, name)| (*distance, name.len().abs_diff(text.len()))).map(|(_, name)| name)
}

/// "did you mean" with the closest of `names`. If none is close enough: the list of all of them.
pub fn suggest<'a>(text: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let all: Vec<String> = names.clone().into_iter().map(|name| format!("`{name}`")).collect();
    match nearest(text, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of {}", all.join(", ")),
    }
}

impl fmt::Display for ScenarioErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.as_slice() {
            [only] => write!(f, "{}: {}", self.file(), only.message),
            all => write!(f, "{} has {} mistakes", self.file(), all.len()),
        }
    }
}

impl fmt::Debug for ScenarioErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{self}")?;
        for mistake in &self.mistakes {
            let (line, column) = self.place(mistake);
            writeln!(f, "  {line}:{column}: {} ({}); {}", mistake.message, mistake.label, mistake.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for ScenarioErrors {}

/// One mistake is shown alone, several as a list.
impl Diagnostic for ScenarioErrors {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let [only] = self.mistakes.as_slice() else { return None };
        only.help()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let [only] = self.mistakes.as_slice() else { return None };
        only.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let [_, _, ..] = self.mistakes.as_slice() else { return None };
        Some(Box::new(self.mistakes.iter().map(|mistake| mistake as &dyn Diagnostic)))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.help.is_empty()).then(|| Box::new(&self.help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = |(span, text): (&Range<usize>, &str)| {
            LabeledSpan::new_with_span(Some(text.to_string()), SourceSpan::from(span.clone()))
        };
        let first = self.span.as_ref().map(|span| (span, self.label.as_str()));
        let other = self.other.as_ref().map(|(span, text)| (span, text.as_str()));
        Some(Box::new(first.into_iter().chain(other).map(label)))
    }
}
