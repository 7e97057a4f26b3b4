//! Reads the objects of a report. Fields with an unknown name are skipped and noted.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use super::UnknownField;
use crate::error::{Mistake, Scan};
use crate::scan::Cursor;

/// Fields that no known version of the report has, by name: each with the place where it first occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unknown(BTreeMap<String, UnknownField>);

impl Unknown {
    /// Notes a field, unless its name is known already.
    pub(super) fn add(&mut self, file: &str, name: &str, (line, column): (usize, usize)) {
        if !self.0.contains_key(name) {
            let field = UnknownField { name: name.to_owned(), file: file.to_owned(), line, column };
            self.0.insert(name.to_owned(), field);
        }
    }

    /// All of them, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = &UnknownField> {
        self.0.values()
    }
}

/// A cursor whose objects may have unknown fields.
pub(super) struct Fields<'a, 'c> {
    pub(super) cursor: &'a mut Cursor<'c>,
    pub(super) unknown: &'a mut Unknown,
    pub(super) file: &'a str,
}

impl<'c> Deref for Fields<'_, 'c> {
    type Target = Cursor<'c>;

    fn deref(&self) -> &Cursor<'c> {
        self.cursor
    }
}

impl<'c> DerefMut for Fields<'_, 'c> {
    fn deref_mut(&mut self) -> &mut Cursor<'c> {
        self.cursor
    }
}

/// The index of a name among the known ones. As in Go, the case of letters makes no difference.
pub(super) fn known(known: &[&str], name: &str) -> Option<usize> {
    let exact = known.iter().position(|one| *one == name);
    exact.or_else(|| known.iter().position(|one| one.eq_ignore_ascii_case(name)))
}

/// Reads an object. `field` reads the fields with a name in `known`, and gets that name. A field that is `null` counts
/// as missing; one with another name is skipped.
pub(super) fn object<'a, 'c>(
    fields: &mut Fields<'a, 'c>,
    known: &[&str],
    mut field: impl FnMut(&mut Fields<'a, 'c>, &str) -> Scan<()>,
) -> Scan<()> {
    fields.object()?;
    let (mut seen, mut next) = (0u32, 0);
    while let Some(name) = fields.next_field()? {
        // Go writes the fields in the order of `known`.
        let in_order = known.get(next).is_some_and(|known| *known == name);
        let Some(index) = (if in_order { Some(next) } else { self::known(known, name) }) else {
            let place = fields.place(fields.name_offset());
            fields.unknown.add(fields.file, name, place);
            fields.skip_value()?;
            continue;
        };
        if seen >> index & 1 == 1 {
            return Err(twice(fields, known[index]));
        }
        seen |= 1 << index;
        next = index + 1;
        if !fields.null() {
            field(fields, known[index])?;
        }
    }
    Ok(())
}

/// The mistake to report if a field occurs twice.
#[cold]
fn twice(fields: &Fields<'_, '_>, name: &str) -> Box<Mistake> {
    let expected = format!("\"{name}\" only once");
    fields.mistake(fields.name_offset(), expected, "leave one of the two out")
}

/// Reads an array whose items `item` reads.
pub(super) fn array<'a, 'c, T>(
    fields: &mut Fields<'a, 'c>,
    mut item: impl FnMut(&mut Fields<'a, 'c>) -> Scan<T>,
) -> Scan<Vec<T>> {
    fields.array()?;
    // Most arrays of a report have one item, and a report has many of them.
    let mut items = Vec::new();
    while fields.next_item()? {
        if items.is_empty() {
            items.reserve_exact(1);
        }
        items.push(item(fields)?);
    }
    Ok(items)
}

/// Reads a text.
pub(super) fn text(cursor: &mut Cursor<'_>) -> Scan<String> {
    Ok(cursor.string()?.to_cow().into_owned())
}

/// An error's text. Go writes the empty text for no error.
pub(super) fn error(cursor: &mut Cursor<'_>) -> Scan<Option<String>> {
    Ok(Some(text(cursor)?).filter(|text| !text.is_empty()))
}
