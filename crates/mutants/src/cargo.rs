//! What cargo knows: the packages of a workspace and where their sources are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::Error;

/// A workspace with all packages that it is built from.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    packages: Vec<Package>,
}

/// A package.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The root file of its library.
    pub library: Option<PathBuf>,
    /// Whether the workspace owns it. Others come from a registry.
    pub is_member: bool,
}

/// The part of cargo's answer that matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    workspace_members: Vec<String>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    id: String,
    name: String,
    version: String,
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    kind: Vec<String>,
    src_path: PathBuf,
}

/// The `cargo` that started this program, if one did, or else the one in the search path.
pub fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    command
}

impl Workspace {
    /// Reads the workspace that `folder` is in. With `locked`, cargo may not change its lock file.
    ///
    /// # Errors
    /// If cargo cannot.
    pub fn read(folder: &Path, locked: bool) -> Result<Workspace, Error> {
        let mut command = cargo(folder);
        command.args(["metadata", "--format-version", "1"]);
        command.arg(if locked { "--locked" } else { "--offline" });
        let output =
            command.output().map_err(|error| Error::Start { program: "cargo".to_string(), error })?;
        let failed = |said: String| Error::Cargo {
            command: "metadata".to_string(),
            folder: folder.to_path_buf(),
            said,
        };
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
        let package = |package: MetadataPackage| {
            let is_library = |target: &&MetadataTarget| {
                target.kind.iter().any(|kind| matches!(kind.as_str(), "lib" | "rlib" | "dylib"))
            };
            Package {
                library: package.targets.iter().find(is_library).map(|target| target.src_path.clone()),
                folder: package.manifest_path.parent().unwrap_or(Path::new("/")).to_path_buf(),
                is_member: metadata.workspace_members.contains(&package.id),
                name: package.name,
                version: package.version,
            }
        };
        Ok(Workspace {
            packages: metadata.packages.into_iter().map(package).collect(),
            root: metadata.workspace_root,
            target: metadata.target_directory,
        })
    }

    /// The package of this name (`raft`, or `raft@0.7.0` if there are several), or the member of the workspace in a
    /// folder of this name (`member`).
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn package(&self, asked: &str) -> Result<&Package, Error> {
        let (name, version) = match asked.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (asked, None),
        };
        let named: Vec<&Package> = (self.packages.iter())
            .filter(|package| {
                package.name == name && version.is_none_or(|version| version == package.version)
            })
            .collect();
        let in_folder = |package: &&Package| {
            package.is_member && package.folder.file_name().is_some_and(|folder| folder == asked)
        };
        match named[..] {
            [one] => Ok(one),
            [] => self.packages.iter().find(in_folder).ok_or_else(|| self.no_package(asked, &[])),
            _ => Err(self.no_package(asked, &named)),
        }
    }

    fn no_package(&self, name: &str, several: &[&Package]) -> Error {
        let several =
            several.iter().map(|package| format!("`{}@{}`", package.name, package.version)).collect();
        Error::NoPackage { name: name.to_string(), root: self.root.clone(), several }
    }
}
