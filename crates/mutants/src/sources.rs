//! The source files of a library, found by following its `mod` lines, and their mutants.

use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item, ItemMod, Meta};

use crate::cargo::Package;
use crate::error::Error;
use crate::find::{find, is_test};
use crate::mutant::Site;

/// A source file with all its mutants.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path from the folder of the package, with `/` between folders.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Its mutants.
    pub sites: Vec<Site>,
}

impl Source {
    /// Whether it is one of the files that were asked for; if none was named, every file is. `src/tracker` stands for
    /// every path that begins with it.
    pub fn is_among(&self, only: &[String]) -> bool {
        only.is_empty()
            || only.iter().any(|beginning| self.file.starts_with(beginning.trim_start_matches("./")))
    }
}

/// All files of a package's library, in the order in which `mod` lines name them. Their mutants are numbered from 1.
///
/// # Errors
/// If the package has no library, or a file does not parse.
pub fn sources(package: &Package) -> Result<Vec<Source>, Error> {
    let root = package.library.as_ref().ok_or_else(|| Error::NoLibrary(package.name.clone()))?;
    let mut reader = Reader { folder: &package.folder, next: 1, sources: Vec::new() };
    let inside = root.parent().unwrap_or(Path::new("")).to_path_buf();
    reader.read(root, &inside)?;
    Ok(reader.sources)
}

struct Reader<'p> {
    folder: &'p Path,
    next: u32,
    sources: Vec<Source>,
}

impl Reader<'_> {
    /// Reads a file, and the files of its modules, which are in the folder `inside`.
    fn read(&mut self, path: &Path, inside: &Path) -> Result<(), Error> {
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let parsed =
            syn::parse_file(&text).map_err(|error| Error::Source { file: path.to_path_buf(), error })?;
        let relative = path.strip_prefix(self.folder).unwrap_or(path);
        let file = relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        let sites = find(&file, &text, &parsed, &mut self.next);
        self.sources.push(Source { file, text, sites });
        self.modules(&parsed.items, path, inside)
    }

    /// Reads the files of the modules among `items`.
    fn modules(&mut self, items: &[Item], path: &Path, inside: &Path) -> Result<(), Error> {
        for item in items {
            let Item::Mod(module) = item else { continue };
            if is_test(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let below = inside.join(&name);
            if let Some((_, items)) = &module.content {
                self.modules(items, path, &below)?;
            } else if let Some((file, below)) = file_of(module, path, inside, &below) {
                self.read(&file, &below)?;
            }
        }
        Ok(())
    }
}

/// The file of a module, and the folder of the modules in it. `None` if the file is not there, for example because the
/// module is for another system.
fn file_of(module: &ItemMod, path: &Path, inside: &Path, below: &Path) -> Option<(PathBuf, PathBuf)> {
    if let Some(named) = path_attribute(&module.attrs) {
        let file = path.parent()?.join(named);
        let folder = file.parent()?.to_path_buf();
        return file.is_file().then_some((file, folder));
    }
    let name = module.ident.to_string();
    let candidates = [inside.join(format!("{name}.rs")), below.join("mod.rs")];
    let file = candidates.into_iter().find(|file| file.is_file())?;
    Some((file, below.to_path_buf()))
}

/// The file that an attribute `#[path = "…"]` names.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(literal) => match &literal.lit {
                syn::Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
