//! The list of mutants that nothing can tell from the original, each with its reason. It is a file that is checked in:
//!
//! ```toml
//! package = "raft"
//! files = ["src/raft.rs", "src/tracker"]     # what is tried by default
//!
//! [[mutant]]
//! file = "src/raft.rs"
//! function = "Raft::step"
//! change = "`a < b` to `<=`"
//! nth = 2                                    # if the function has several of them
//! reason = "both sides are never equal, because …"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::mutant::Name;

/// A list.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The files that are tried by default; none for all.
    pub files: Vec<String>,
    /// The mutants, each with its reason.
    pub reasons: BTreeMap<Name, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    package: String,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    mutant: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    function: String,
    change: String,
    #[serde(default = "first")]
    nth: usize,
    reason: String,
}

fn first() -> usize {
    1
}

impl List {
    /// Reads the list of a package.
    ///
    /// # Errors
    /// If it cannot be read, is of another package, or has an entry twice or without a reason.
    pub fn read(path: &Path, package: &str) -> Result<List, Error> {
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let format = |why: String| Error::Format { path: path.to_path_buf(), why };
        let document: Document = toml::from_str(&text).map_err(|error| format(error.to_string()))?;
        if document.package != package {
            return Err(format(format!("it is the list of {}, not of {package}", document.package)));
        }
        let mut reasons = BTreeMap::new();
        for Entry { file, function, change, nth, reason } in document.mutant {
            let name = Name { file, function, change, nth };
            if reason.trim().is_empty() {
                return Err(format(format!(
                    "{name}: say why nothing can tell this mutant from the original"
                )));
            }
            if reasons.contains_key(&name) {
                return Err(format(format!("{name}: it is there twice")));
            }
            reasons.insert(name, reason);
        }
        Ok(List { files: document.files, reasons })
    }

    /// The entries that name no mutant of the package: their code was changed.
    pub fn gone<'n>(&self, all: impl IntoIterator<Item = &'n Name>) -> Vec<&Name> {
        let all: BTreeSet<&Name> = all.into_iter().collect();
        self.reasons.keys().filter(|name| !all.contains(name)).collect()
    }
}

/// Entries for mutants that lived, in the form of the list and without their reasons.
pub fn draft<'n>(package: &str, names: impl IntoIterator<Item = &'n Name>) -> String {
    let text = |text: &str| toml::Value::from(text).to_string();
    let mut out = format!("package = {}\n", text(package));
    for Name { file, function, change, nth } in names {
        out.push_str(&format!(
            "\n[[mutant]]\nfile = {}\nfunction = {}\nchange = {}\n",
            text(file),
            text(function),
            text(change)
        ));
        if *nth > 1 {
            out.push_str(&format!("nth = {nth}\n"));
        }
        out.push_str("reason = \"\"\n");
    }
    out
}
