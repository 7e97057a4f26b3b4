//! How the sources of `member` and `world` hang together: what the simulator's kernel knows of etcd, how many files name
//! the one struct that has everything, and how many files use each other in a circle.
//!
//! Each number has a constant here. A test fails if its number is higher, and also if it is lower: then lower the
//! constant, so that what was gained stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

/// Lines of `world` that name etcd, its API or its member: it is a kernel for any node.
const ETCD_IN_WORLD: usize = 0;
/// What such a line contains.
const ETCD: [&str; 3] = ["etcd", "api::", "member::"];

/// Files that name `Member`. The goal is 5.
const FILES_WITH_MEMBER: usize = 5;
/// Files that name `World`. The goal is 5.
const FILES_WITH_WORLD: usize = 5;

/// Files of `member` in the longest circle. The goal is 6.
const CIRCLE_IN_MEMBER: usize = 5;
/// Files of `world` in the longest circle. The goal is 6.
const CIRCLE_IN_WORLD: usize = 2;

pub fn trials() -> Vec<Trial> {
    let trial =
        |name: &str, check: fn() -> Result<(), Failed>| Trial::test(format!("structure::{name}"), check);
    vec![
        trial("etcd-in-world", || compare(ETCD_IN_WORLD, lines_with("world", &ETCD))),
        trial("files-with-member", || compare(FILES_WITH_MEMBER, Modules::of("member").that_name("Member"))),
        trial("files-with-world", || compare(FILES_WITH_WORLD, Modules::of("world").that_name("World"))),
        trial("circle-in-member", || compare(CIRCLE_IN_MEMBER, Modules::of("member").longest_circle())),
        trial("circle-in-world", || compare(CIRCLE_IN_WORLD, Modules::of("world").longest_circle())),
        trial("a-circle-is-found", || {
            canary();
            Ok(())
        }),
    ]
}

fn compare(allowed: usize, found: Vec<String>) -> Result<(), Failed> {
    match found.len() {
        count if count == allowed => Ok(()),
        count if count < allowed => {
            Err(format!("only {count} of {allowed} are left; lower the constant in structure.rs").into())
        }
        count => Err(format!("{count} instead of {allowed}:\n{}", found.join("\n")).into()),
    }
}

/// The lines of a crate's sources, comments aside, that contain one of these texts.
fn lines_with(name: &str, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in sources(name) {
        let lines = text.lines().map(without_comment).enumerate();
        let lines = lines.filter(|(_, line)| texts.iter().any(|text| line.contains(text)));
        found.extend(lines.map(|(at, line)| format!("{file}:{}: {}", at + 1, line.trim())));
    }
    found
}

/// The source files of a crate, each with its text.
fn sources(name: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(name).join("src");
    let (mut sources, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder that can be read") {
            let path = entry.expect("an entry that can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let file = path.strip_prefix(&root).expect("it is below the root").to_string_lossy();
                let text = fs::read_to_string(&path).expect("a file that was listed");
                sources.push((file.replace('\\', "/"), text));
            }
        }
    }
    sources.sort();
    sources
}

/// A line without its comment. The slashes of an address such as `http://` begin none.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
    &line[..comment.map_or(line.len(), |(at, _)| at)]
}

/// The modules of a crate that have files of their own, each with its code: no comments, no tests. The name of the
/// crate's root is empty.
struct Modules(BTreeMap<String, String>);

impl Modules {
    fn of(name: &str) -> Modules {
        Modules::new(&sources(name))
    }

    fn new(sources: &[(String, String)]) -> Modules {
        let (mut modules, mut tests) = (BTreeMap::new(), Vec::new());
        for (file, text) in sources {
            let name = file.trim_end_matches(".rs").replace('/', "::");
            let name = if name == "lib" { "" } else { name.strip_suffix("::mod").unwrap_or(&name) };
            let (code, of_tests) = without_tests(text);
            tests.extend(of_tests.iter().map(|child| join(name, child)));
            modules.insert(name.to_string(), code);
        }
        let is_test = |name: &str| {
            let inside =
                |test: &String| name.strip_prefix(&test[..]).is_some_and(|rest| rest.starts_with("::"));
            tests.iter().any(|test| test == name || inside(test))
        };
        modules.retain(|name, _| !is_test(name));
        Modules(modules)
    }

    /// The modules that define this struct or name it by a path.
    fn that_name(&self, what: &str) -> Vec<String> {
        let definition = format!("struct {what}");
        let defines = |code: &String| {
            let mut after = code.split(&definition).skip(1);
            after.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        let home: BTreeSet<&str> =
            self.0.iter().filter(|(_, code)| defines(code)).map(|(name, _)| &name[..]).collect();
        let names = |module: &str, code: &str| {
            let mut paths = paths(code).into_iter();
            paths.any(|path| {
                self.resolved(module, &path).is_some_and(|(owner, item)| {
                    item == what && (owner.is_empty() || home.contains(&owner[..]))
                })
            })
        };
        let found = self.0.iter().filter(|(name, code)| home.contains(&name[..]) || names(name, code));
        found.map(|(name, _)| if name.is_empty() { "lib".to_string() } else { name.clone() }).collect()
    }

    /// The largest set of modules in which each uses each other one, directly or through others of the set.
    fn longest_circle(&self) -> Vec<String> {
        let reached: BTreeMap<&str, BTreeSet<String>> =
            self.0.keys().map(|name| (&name[..], self.reached_from(name))).collect();
        let circle = |name: &str| -> Vec<String> {
            let back = |other: &&String| reached.get(&other[..]).is_some_and(|all| all.contains(name));
            reached[name].iter().filter(back).cloned().collect()
        };
        reached.keys().map(|name| circle(name)).max_by_key(Vec::len).unwrap_or_default()
    }

    /// All modules that a module uses, directly or through others.
    fn reached_from(&self, name: &str) -> BTreeSet<String> {
        let (mut reached, mut open) = (BTreeSet::new(), vec![name.to_string()]);
        while let Some(module) = open.pop() {
            for path in paths(&self.0[&module]) {
                let used = self.resolved(&module, &path).map(|(used, _)| used);
                // What the root re-exports says nothing about which file is used.
                open.extend(
                    used.filter(|used| !used.is_empty() && *used != module && reached.insert(used.clone())),
                );
            }
        }
        reached
    }

    /// The module of this crate that a path leads to, and the next name in the path.
    fn resolved(&self, module: &str, path: &str) -> Option<(String, String)> {
        let own: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
        let parts: Vec<&str> = path.split("::").collect();
        let ups = parts.iter().take_while(|part| **part == "super").count();
        let (base, rest) = match parts[0] {
            "crate" => (0, &parts[1..]),
            "self" => (own.len(), &parts[1..]),
            "super" => (own.len().checked_sub(ups)?, &parts[ups..]),
            child if self.0.contains_key(&join(module, child)) => (own.len(), &parts[..]),
            _ => return None,
        };
        let parts = [&own[..base], rest].concat();
        let length =
            (0..=parts.len()).rev().find(|length| self.0.contains_key(&parts[..*length].join("::")))?;
        let item = parts.get(length).copied().unwrap_or_default();
        Some((parts[..length].join("::"), item.to_string()))
    }
}

fn join(module: &str, child: &str) -> String {
    if module.is_empty() { child.to_string() } else { format!("{module}::{child}") }
}

/// Code without comments and without items that only tests have, and the names of the modules among those.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let (mut code, mut modules) = (String::new(), Vec::new());
    let mut lines = text.lines().map(without_comment);
    while let Some(line) = lines.next() {
        let Some(indent) = line.strip_suffix("#[cfg(test)]") else {
            code.extend([line, "\n"]);
            continue;
        };
        // rustfmt puts the end of an item where the item begins.
        for line in lines.by_ref() {
            let Some(item) = line.strip_prefix(indent).map(str::trim_end) else { continue };
            if let Some(name) = item.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                modules.push(name.to_string());
            }
            if !item.starts_with(' ') && item.ends_with([';', '}', ',']) {
                break;
            }
        }
    }
    (code, modules)
}

/// All paths in a module's code, those in `use` without braces.
fn paths(code: &str) -> Vec<String> {
    let inner = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let (mut paths, mut rest) = (Vec::new(), code);
    while let Some(start) = rest.find(inner) {
        let end = rest[start..].find(|c: char| !inner(c)).map_or(rest.len(), |length| start + length);
        let word = &rest[start..end];
        rest = &rest[end..];
        if word == "use" && rest.starts_with(' ') {
            let (tree, after) = rest.split_once(';').unwrap_or((rest, ""));
            expand("", tree, &mut paths);
            rest = after;
        } else if word.trim_matches(':').contains("::") {
            paths.push(word.trim_matches(':').to_string());
        }
    }
    paths
}

/// The paths in the tree of a `use`: `a::{b, c::{self, d}}` has `a::b`, `a::c` and `a::c::d`.
fn expand(before: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((head, branches)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        let path =
            if name == "self" { before.trim_end_matches(':').to_string() } else { format!("{before}{name}") };
        paths.extend((!name.is_empty()).then_some(path));
        return;
    };
    let before = format!("{before}{}", head.trim());
    let branches = branches.trim_end().strip_suffix('}').unwrap_or(branches);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in branches.char_indices().chain([(branches.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&before, &branches[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// A check that cannot fail is a defect.
fn canary() {
    let sources = [
        ("lib.rs", "mod a;\nmod b;\npub use a::{Whole, other};\n#[cfg(test)]\nmod tests;\n"),
        (
            "a.rs",
            "use crate::b::{self, c::Part as P};\npub struct Whole {}\n// use super::d;\nstruct WholeNot;\n",
        ),
        ("b/mod.rs", "mod c;\nfn f() { c::g() }\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n"),
        ("b/c.rs", "use super::super::a::Whole;\nuse std::fmt;\n"),
        ("d.rs", "use crate::a::WholeNot;\nfn f(whole: &crate::Whole) {}\n"),
        ("e.rs", "use api::Whole;\nuse crate::d;\n"),
        ("tests.rs", "use crate::a::Whole;\n"),
    ];
    let modules = Modules::new(&sources.map(|(file, text)| (file.to_string(), text.to_string())));
    assert_eq!(modules.longest_circle(), ["a", "b", "b::c"]);
    assert_eq!(modules.that_name("Whole"), ["lib", "a", "b::c", "d"]);
    assert_eq!(without_comment("let url = \"http://m4\"; // etcd's"), "let url = \"http://m4\"; ");
    assert!(compare(1, Vec::new()).is_err() && compare(0, vec![String::new()]).is_err());
}
