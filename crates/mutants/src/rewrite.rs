//! Writes mutants into the text of a file. It edits the text instead of printing the syntax tree, and writes no line
//! breaks. So every line keeps its number in the messages of panics and of the compiler.

use std::cmp::Reverse;
use std::ops::Range;

use crate::mutant::{Edit, Site};

/// A file with its mutants.
#[derive(Clone, Debug, Default)]
pub struct Rewritten {
    /// The text.
    pub text: String,
    /// Where each mutant stands in it: its number, and the range from its first edit to its last, in bytes.
    pub places: Vec<(u32, Range<usize>)>,
}

/// A text to write, before which `skipped` bytes of the source are left out.
struct Piece<'a> {
    at: usize,
    order: Order,
    text: &'a str,
    skipped: usize,
    site: usize,
}

/// The order of pieces at one position: first the ends of the wraps before it, inner ones first; then what is inserted
/// there; then the beginnings of the wraps after it, outer ones first. If two sites wrap the same range, the later site
/// is the inner one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    After(Reverse<usize>, Reverse<usize>),
    Between(usize),
    Before(Reverse<usize>, usize),
}

/// Writes the mutants of `sites` into `source`. An outer site comes before those inside it.
pub fn rewrite<'s>(source: &str, sites: impl IntoIterator<Item = &'s Site>) -> Rewritten {
    let sites: Vec<&Site> = sites.into_iter().collect();
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (nth, site) in sites.iter().enumerate() {
        let mut add = |at, order, text, skipped| pieces.push(Piece { at, order, text, skipped, site: nth });
        for edit in &site.edits {
            match edit {
                Edit::Wrap { range, before, after } => {
                    add(range.start, Order::Before(Reverse(range.end), nth), before, 0);
                    add(range.end, Order::After(Reverse(range.start), Reverse(nth)), after, 0);
                }
                Edit::Insert { at, text } => add(*at, Order::Between(nth), text, 0),
                Edit::Replace { range, text } => add(range.start, Order::Between(nth), text, range.len()),
            }
        }
    }
    pieces.sort_by(|one, other| (one.at, &one.order).cmp(&(other.at, &other.order)));

    let mut text = String::with_capacity(source.len() * 3);
    let mut places: Vec<Option<Range<usize>>> = vec![None; sites.len()];
    let mut copied = 0;
    for piece in &pieces {
        text.push_str(&source[copied..piece.at]);
        copied = piece.at + piece.skipped;
        let begin = text.len();
        text.push_str(piece.text);
        let place = &mut places[piece.site];
        let first = place.as_ref().map_or(begin, |place| place.start);
        *place = Some(first..text.len());
    }
    text.push_str(&source[copied..]);
    let places = sites.iter().zip(places);
    let places = places.filter_map(|(site, place)| Some((site.mutant.number, place?))).collect();
    Rewritten { text, places }
}
