//! Which mutants caused an error of the compiler.
//!
//! Most errors are inside a mutant. Others show up elsewhere in the function: if a mutant leaves out a `return`, the
//! code below it may use a value that was moved above it. So there are several guesses, from narrow to wide, and each
//! error that is still there in the next round gets a wider one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;

use crate::mutant::{Kind, Site};

/// An error as rustc writes it in JSON.
#[derive(Clone, Debug, Deserialize)]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// "error" or "warning", among others.
    pub level: String,
    /// Its number.
    pub code: Option<Code>,
    /// Where.
    pub spans: Vec<Place>,
    /// Notes and helps.
    #[serde(default)]
    pub children: Vec<Diagnostic>,
    /// The text for people.
    pub rendered: Option<String>,
}

/// The number of an error.
#[derive(Clone, Debug, Deserialize)]
pub struct Code {
    /// The number, such as E0308.
    pub code: String,
}

/// A place in a source.
#[derive(Clone, Debug, Deserialize)]
pub struct Place {
    /// The file.
    pub file_name: String,
    byte_start: usize,
    byte_end: usize,
    line_start: usize,
    line_end: usize,
    is_primary: bool,
    label: Option<String>,
}

impl Place {
    /// Whether the error points here only to show where the name in question comes from.
    fn is_origin(&self) -> bool {
        let label = self.label.as_deref().unwrap_or("");
        label.starts_with("move occurs because") || label.starts_with("binding declared here")
    }
}

/// A rewritten file, and where its mutants are in it.
#[derive(Clone, Debug)]
pub struct Written<'s> {
    /// All mutants of the file that are still in it.
    pub sites: Vec<&'s Site>,
    /// Where each stands, in bytes of the rewritten file.
    pub places: BTreeMap<u32, Range<usize>>,
}

impl Diagnostic {
    /// Its number; empty if it has none.
    fn number(&self) -> &str {
        self.code.as_ref().map_or("", |code| code.code.as_str())
    }
}

/// Remembers how often each error has come up.
#[derive(Debug, Default)]
pub struct Blame {
    guesses: BTreeMap<(String, usize, String), usize>,
}

/// Errors caused by a path through the function that the source does not have: on it, a value was moved, borrowed or
/// assigned before.
const OF_OTHER_WAYS: &[&str] = &["E0381", "E0382", "E0384", "E0499", "E0502", "E0505", "E0506"];

impl Blame {
    /// The mutants to leave out because of an error; none if no mutant can be the reason. `file` finds the file of a
    /// place.
    pub fn of<'w, 's: 'w>(
        &mut self,
        error: &Diagnostic,
        file: impl Fn(&str) -> Option<&'w Written<'s>>,
    ) -> BTreeSet<u32> {
        let mut places: Vec<(&Place, &Written<'_>)> = Vec::new();
        // The place of the error itself first, then those of its labels and notes.
        for primary in [true, false] {
            let all = error.spans.iter().chain(error.children.iter().flat_map(|child| &child.spans));
            let ones = all.filter(|place| place.is_primary == primary);
            places.extend(ones.filter_map(|place| Some((place, file(&place.file_name)?))));
        }
        let Some((first, _)) = places.first() else { return BTreeSet::new() };
        let key = (first.file_name.clone(), first.line_start, error.number().to_string());
        let guess = self.guesses.entry(key).or_default();
        while *guess < GUESSES.len() {
            let blamed = GUESSES[*guess](error, &places);
            *guess += 1;
            if !blamed.is_empty() {
                return blamed;
            }
        }
        // The error came again although no mutant is left in its whole function.
        BTreeSet::new()
    }
}

type Guess = fn(&Diagnostic, &[(&Place, &Written<'_>)]) -> BTreeSet<u32>;

/// The guesses, from narrow to wide.
const GUESSES: &[Guess] = &[assignments, jumps_between, innermost, labels, lines, jumps, functions];

/// For a name without a value: the assignments to it.
fn assignments(error: &Diagnostic, places: &[(&Place, &Written<'_>)]) -> BTreeSet<u32> {
    let name = error.message.split('`').nth(1).filter(|_| error.number() == "E0381");
    let assigns = |what: &str| name.is_some_and(|name| what.starts_with(&format!("{name} = ")));
    left_out_in_function(error, places, |_, what| assigns(what))
}

/// For another path through the function: the jumps between the places that the error names.
fn jumps_between(error: &Diagnostic, places: &[(&Place, &Written<'_>)]) -> BTreeSet<u32> {
    // Not the places of notes, which may be in other functions.
    let on_the_way = || error.spans.iter().filter(|place| !place.is_origin());
    let first = on_the_way().map(|place| place.line_start).min().unwrap_or(0);
    let last = on_the_way().map(|place| place.line_end).max().unwrap_or(0);
    let other_way = OF_OTHER_WAYS.contains(&error.number());
    let between = |site: &Site| other_way && (first..=last).contains(&site.mutant.line);
    left_out_in_function(error, places, |site, what| between(site) && is_jump(what))
}

/// For another path through the function: all its jumps. In a loop they need not be between the places.
fn jumps(error: &Diagnostic, places: &[(&Place, &Written<'_>)]) -> BTreeSet<u32> {
    let other_way = OF_OTHER_WAYS.contains(&error.number());
    left_out_in_function(error, places, |_, what| other_way && is_jump(what))
}

/// Whether a statement leaves its block.
fn is_jump(statement: &str) -> bool {
    ["return", "break", "continue"].iter().any(|jump| statement.starts_with(jump))
}

/// The mutants in the error's function that leave a statement out and for which, with that statement, `is` is true.
fn left_out_in_function(
    error: &Diagnostic,
    places: &[(&Place, &Written<'_>)],
    is: impl Fn(&Site, &str) -> bool,
) -> BTreeSet<u32> {
    let in_function = functions(error, places);
    let sites = places.iter().take(1).flat_map(|(_, written)| written.sites.iter());
    let sites = sites.filter(|site| in_function.contains(&site.mutant.number));
    let blamed = sites.filter(|site| {
        let what = site.mutant.name.change.strip_prefix("leave out `");
        site.mutant.kind == Kind::Statement && what.is_some_and(|what| is(site, what))
    });
    blamed.map(|site| site.mutant.number).collect()
}

/// The smallest mutant around the place of the error.
fn innermost(_: &Diagnostic, places: &[(&Place, &Written<'_>)]) -> BTreeSet<u32> {
    places.iter().take(1).flat_map(|place| smallest_around(*place)).collect()
}

/// The smallest mutant around each place that the error names.
fn labels(_: &Diagnostic, places: &[(&Place, &Written<'_>)]) -> BTreeSet<u32> {
    places.iter().flat_map(|place| smallest_around(*place)).collect()
}

/// The smallest mutant around a place. Several mutants of one operator have the same size.
fn smallest_around((place, written): (&Place, &Written<'_>)) -> Vec<u32> {
    let around = |range: &Range<usize>| range.start <= place.byte_start && place.byte_end <= range.end;
    let sizes = written.places.iter().filter(|(_, range)| around(range));
    let sizes: Vec<(usize, u32)> = sizes.map(|(number, range)| (range.len(), *number)).collect();
    let smallest = sizes.iter().map(|(size, _)| *size).min();
    sizes.iter().filter(|(size, _)| Some(*size) == smallest).map(|(_, number)| *number).collect()
}

/// All mutants on the lines that the error names.
fn lines(_: &Diagnostic, places: &[(&Place, &Written<'_>)]) -> BTreeSet<u32> {
    let on = |(place, written): &(&Place, &Written<'_>)| -> Vec<u32> {
        let lines = place.line_start..=place.line_end;
        let sites = written.sites.iter().filter(|site| lines.contains(&site.mutant.line));
        sites.map(|site| site.mutant.number).collect()
    };
    places.iter().flat_map(on).collect()
}

/// All mutants of the function in which the error is.
fn functions(_: &Diagnostic, places: &[(&Place, &Written<'_>)]) -> BTreeSet<u32> {
    let inside = |(place, written): &(&Place, &Written<'_>)| -> Vec<u32> {
        let sites = written.sites.iter().filter(|site| site.function_lines.contains(&place.line_start));
        sites.map(|site| site.mutant.number).collect()
    };
    places.iter().take(1).flat_map(inside).collect()
}
