//! A copy of the workspace in which one package is rewritten. The user's own files stay as they are. A file of the copy
//! is written only if its content differs, so that cargo rebuilds only what it must.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo::{Package, Workspace};
use crate::error::Error;

/// The package of the switch.
pub const SWITCH: &str = "etcdsim-mutants-switch";

/// The copy.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The copy of the workspace.
    pub root: PathBuf,
    /// The copy of the rewritten package.
    pub package: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
}

impl Mirror {
    /// Copies the workspace to a folder below `work`, with `rewritten` (path in the package, text) in place of files
    /// of the package.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn write(
        workspace: &Workspace,
        package: &Package,
        work: &Path,
        rewritten: &BTreeMap<String, String>,
    ) -> Result<Mirror, Error> {
        let root = work.join("workspace");
        let switch = &workspace.package(SWITCH)?.folder;
        let switch = match switch.strip_prefix(&workspace.root) {
            Ok(inside) => root.join(inside),
            Err(_) => switch.clone(),
        };
        let manifest_path = package.folder.join("Cargo.toml");
        let manifest = fs::read_to_string(&manifest_path).map_err(Error::file("read", &manifest_path))?;
        // A path may contain characters that must be escaped in a TOML string.
        let quoted = |path: &Path| toml::Value::from(path.to_string_lossy().into_owned()).to_string();
        let manifest = format!("{manifest}\n[dependencies.{SWITCH}]\npath = {}\n", quoted(&switch));

        let mut instead: BTreeMap<PathBuf, String> = BTreeMap::new();
        let folder = match package.folder.strip_prefix(&workspace.root) {
            Ok(inside) if package.is_member => root.join(inside),
            _ => {
                let folder = work.join("package");
                // cargo takes the package from there instead of from its registry.
                let root_manifest = workspace.root.join("Cargo.toml");
                let text = fs::read_to_string(&root_manifest).map_err(Error::file("read", &root_manifest))?;
                let patch =
                    format!("{text}\n[patch.crates-io.{}]\npath = {}\n", package.name, quoted(&folder));
                instead.insert(root_manifest, patch);
                folder
            }
        };
        instead.insert(manifest_path, manifest);
        for (file, text) in rewritten {
            instead.insert(package.folder.join(file), text.clone());
        }
        let lock = workspace.root.join("Cargo.lock");
        let copy = Copy { instead: &instead, leave_out: &[&workspace.target, work, &lock] };
        copy.folder(&workspace.root, &root)?;
        copy_lock(&lock, &root.join("Cargo.lock"), &work.join("lock-of-workspace"))?;
        if !folder.starts_with(&root) {
            copy.folder(&package.folder, &folder)?;
        }
        Ok(Mirror { root, package: folder, target: work.join("target") })
    }
}

/// Copies the workspace's lock file if it is not the one that was copied last. cargo then adds the rewritten package to
/// the copy.
fn copy_lock(from: &Path, to: &Path, last: &Path) -> Result<(), Error> {
    let now = fs::read(from).map_err(Error::file("read", from))?;
    if to.exists() && fs::read(last).is_ok_and(|last| last == now) {
        return Ok(());
    }
    for file in [to, last] {
        fs::write(file, &now).map_err(Error::file("write", file))?;
    }
    Ok(())
}

struct Copy<'a> {
    /// Texts that take the place of files, by the path of the file that is not copied.
    instead: &'a BTreeMap<PathBuf, String>,
    leave_out: &'a [&'a Path],
}

impl Copy<'_> {
    /// Makes the folder `to` the same as `from`, except for the files that are replaced by other texts.
    fn folder(&self, from: &Path, to: &Path) -> Result<(), Error> {
        fs::create_dir_all(to).map_err(Error::file("make", to))?;
        let names = |folder: &Path| -> Result<Vec<PathBuf>, Error> {
            let entries = fs::read_dir(folder).map_err(Error::file("read", folder))?;
            let paths = entries.map(|entry| Ok(entry.map_err(Error::file("read", folder))?.path()));
            paths.collect()
        };
        let mut wanted = Vec::new();
        for path in names(from)? {
            let Some(name) = path.file_name() else { continue };
            let text = name.to_string_lossy();
            // What git and cargo keep, and what other builds left behind.
            let other = text == ".git" || text == "target" || text.starts_with("target-");
            if other || self.leave_out.contains(&path.as_path()) {
                continue;
            }
            let copy = to.join(name);
            if path.is_dir() {
                self.folder(&path, &copy)?;
            } else if path.is_file() {
                self.file(&path, &copy)?;
            } else {
                continue;
            }
            wanted.push(copy);
        }
        for path in names(to)?.into_iter().filter(|path| !wanted.contains(path)) {
            // It is copied on its own.
            if path.file_name().is_some_and(|name| name == "Cargo.lock") {
                continue;
            }
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(Error::file("remove", &path))?;
        }
        Ok(())
    }

    fn file(&self, from: &Path, to: &Path) -> Result<(), Error> {
        let content = match self.instead.get(from) {
            Some(text) => text.clone().into_bytes(),
            None => fs::read(from).map_err(Error::file("read", from))?,
        };
        if fs::read(to).is_ok_and(|there| there == content) {
            return Ok(());
        }
        fs::write(to, content).map_err(Error::file("write", to))
    }
}
