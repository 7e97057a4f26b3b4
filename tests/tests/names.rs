//! Checks that everything a comment or a page names exists: files, links, sections, ids of oracles, rules and flaws,
//! names of probes and scenarios.
//!
//! It reads all Rust comments and all Markdown, except code blocks and generated code. A file name ends with one of
//! [`ENDINGS`], so etcd's own sources (`.go`) are ignored. An id is a letter and a number, where the letter is one that
//! ids of oracles or rules begin with; a flaw's id may begin with `M-`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use member::Flaw;
use record::Probe;
use verify::Oracle;

/// Endings of file names that must exist here.
const ENDINGS: &[&str] =
    &[".md", ".rs", ".toml", ".json", ".txt", ".tsv", ".yml", ".proto", ".py", ".sh", ".edn", ".log"];

/// File names that need not exist here: examples of files that a user writes, one of raft's, and two of Jepsen's.
const ELSEWHERE: &[&str] = &["scenario.toml", "plan.toml", "raft.rs", "history.txt", "jepsen.log"];

pub fn trials() -> Vec<Trial> {
    let check = |name: &str, dangling: fn(&Repository, &Line<'_>) -> Vec<String>| {
        Trial::test(format!("names::{name}"), move || check_all(dangling))
    };
    vec![
        check("files", Repository::dangling_files),
        check("links", Repository::dangling_links),
        check("sections", Repository::dangling_sections),
        check("ids", Repository::dangling_ids),
        check("probes-and-scenarios", Repository::dangling_names),
        Trial::test("names::missing-names-are-found", || {
            canary();
            Ok(())
        }),
    ]
}

/// Runs one check on every line.
fn check_all(dangling: fn(&Repository, &Line<'_>) -> Vec<String>) -> Result<(), Failed> {
    let repository = Repository::read();
    let mut found = Vec::new();
    for file in &repository.files {
        let generated = file.starts_with("crates/api/src/gen/");
        if !generated && (file.ends_with(".rs") || file.ends_with(".md")) {
            let text = fs::read_to_string(repository.root.join(file)).expect("a file that was listed");
            for line in lines(file, &text) {
                let of_line = |name| format!("{}:{}: {name}", line.file, line.number);
                found.extend(dangling(&repository, &line).into_iter().map(of_line));
            }
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
}

/// A line of prose.
struct Line<'a> {
    file: &'a str,
    number: usize,
    text: &'a str,
}

/// The lines of a page, or of the comments in a program, without code blocks.
fn lines<'a>(file: &'a str, text: &'a str) -> Vec<Line<'a>> {
    let (mut lines, mut code) = (Vec::new(), false);
    for (at, line) in text.lines().enumerate() {
        let prose = if file.ends_with(".md") { Some(line.trim()) } else { comment(line) };
        let Some(text) = prose else {
            code = false;
            continue;
        };
        if text.starts_with("```") {
            code = !code;
        } else if !code {
            lines.push(Line { file, number: at + 1, text });
        }
    }
    lines
}

/// The comment in a line of a program.
fn comment(line: &str) -> Option<&str> {
    let trimmed = line.trim_start();
    if let Some(whole) = trimmed.strip_prefix("//") {
        return Some(whole.trim_start_matches(['/', '!']).trim());
    }
    line.split_once(" // ").map(|(_, after)| after.trim())
}

/// The word before a name, and whether such a name exists.
type Kind<'a> = (&'a str, &'a dyn Fn(&str) -> bool);

/// Everything that can be named.
struct Repository {
    root: PathBuf,
    /// Relative to the root, with `/`.
    files: BTreeSet<String>,
    ids: BTreeSet<String>,
    /// The letters that ids begin with.
    letters: BTreeSet<char>,
}

impl Repository {
    fn read() -> Repository {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the repository");
        let mut files = BTreeSet::new();
        list(root, root, &mut files);
        let mut ids: BTreeSet<String> = Oracle::ALL.iter().map(|oracle| oracle.id().to_string()).collect();
        ids.extend(Flaw::ALL.iter().map(|flaw| flaw.id().to_string()));
        // The rules, and the ids of flaws that are not implemented.
        ids.extend(rows(root, "ARCHITECTURE.md", "- **"));
        ids.extend(rows(root, "docs/flaws.md", "| "));
        let letters = ids.iter().filter(|id| numbered(id)).filter_map(|id| id.chars().next()).collect();
        Repository { root: root.to_path_buf(), files, ids, letters }
    }

    /// Whether a file has this path, or a path that ends with it.
    fn has(&self, name: &str) -> bool {
        let name = name.trim_start_matches("../").trim_start_matches("./");
        let ends = |file: &String| {
            file.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        self.files.iter().any(ends)
    }

    fn dangling_files(&self, line: &Line<'_>) -> Vec<String> {
        let names = file_names(line.text).into_iter().map(|(name, _)| name);
        let names = names.filter(|name| !name.contains('*') && !ELSEWHERE.contains(name));
        names.filter(|name| !self.has(name)).map(String::from).collect()
    }

    /// Links in pages: the file and the heading must exist.
    fn dangling_links(&self, line: &Line<'_>) -> Vec<String> {
        if !line.file.ends_with(".md") {
            return Vec::new();
        }
        let folder = self.root.join(line.file).parent().expect("a file is in a folder").to_path_buf();
        let targets = line.text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let dangles = |target: &&str| {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { self.root.join(line.file) } else { folder.join(path) };
            let heading = || headings(&file).iter().any(|heading| slug(heading) == anchor);
            !file.exists() || (!anchor.is_empty() && !heading())
        };
        let web = |target: &&str| target.starts_with("http") || target.starts_with("mailto:");
        targets.filter(|target| !web(target)).filter(dangles).map(String::from).collect()
    }

    /// A page followed by a comma and a number refers to a heading that begins with the number.
    fn dangling_sections(&self, line: &Line<'_>) -> Vec<String> {
        let mut dangling = Vec::new();
        for (name, end) in file_names(line.text) {
            let rest = line.text[end..].trim_start_matches('`');
            let Some(rest) = rest.strip_prefix(", ").filter(|_| name.ends_with(".md")) else { continue };
            let number = |c: &char| c.is_ascii_digit() || *c == '.';
            let section: String = rest.chars().take_while(number).collect();
            let section = section.trim_end_matches('.');
            let begins = |heading: &String| {
                heading.split(' ').next().map(|word| word.trim_end_matches('.')) == Some(section)
            };
            let file = self.files.iter().find(|file| file.ends_with(name));
            let known = file.is_some_and(|file| headings(&self.root.join(file)).iter().any(begins));
            if !section.is_empty() && !known {
                dangling.push(format!("{name}, {section}"));
            }
        }
        dangling
    }

    fn dangling_ids(&self, line: &Line<'_>) -> Vec<String> {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '/';
        let words = line.text.split(|c: char| !inner(c)).map(|word| word.trim_matches(['-', '/']));
        let looks = |word: &&str| {
            let letter = word.chars().next().is_some_and(|letter| self.letters.contains(&letter));
            (letter && numbered(word)) || (word.starts_with("M-") && word.len() > 2)
        };
        words.filter(looks).filter(|word| !self.ids.contains(*word)).map(String::from).collect()
    }

    /// The word "probe", "scenario" or "flaw", and then a name in backticks.
    fn dangling_names(&self, line: &Line<'_>) -> Vec<String> {
        let scenario = |name: &str| self.files.contains(&format!("scenarios/{name}.toml"));
        let flaw = |name: &str| name.parse::<Flaw>().is_ok();
        let known: [Kind<'_>; 3] = [
            ("robe `", &|name: &str| Probe::named(name).is_some()),
            ("cenario `", &scenario),
            ("law `", &flaw),
        ];
        let mut dangling = Vec::new();
        for (before, known) in known {
            for rest in line.text.split(before).skip(1) {
                let name = rest.split('`').next().unwrap_or_default();
                let kebab = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
                if kebab && !known(name) {
                    dangling.push(name.to_string());
                }
            }
        }
        dangling
    }
}

/// Whether a word is a letter and a number, such as "K1".
fn numbered(word: &str) -> bool {
    let mut chars = word.chars();
    let letter = chars.next().is_some_and(|letter| letter.is_ascii_uppercase());
    letter && matches!(word.len(), 2 | 3) && chars.all(|c| c.is_ascii_digit())
}

/// The ids at the beginning of lines of a page, after `before`.
fn rows(root: &Path, page: &str, before: &str) -> Vec<String> {
    let text = fs::read_to_string(root.join(page)).expect("a page of the repository");
    let rest = text.lines().filter_map(|line| line.strip_prefix(before));
    let ids = rest.filter_map(|rest| rest.split([' ', '*']).next()).filter(|id| numbered(id));
    ids.map(String::from).collect()
}

/// The file names in a line, and where each ends.
fn file_names(text: &str) -> Vec<(&str, usize)> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '*');
    let (mut names, mut start) = (Vec::new(), 0);
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if inner(c) {
            continue;
        }
        // A sentence may end with a name.
        let name = text[start..at].trim_end_matches(['.', '-', '/']);
        if ENDINGS.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending)) {
            names.push((name, start + name.len()));
        }
        start = at + c.len_utf8();
    }
    names
}

/// The headings of a page.
fn headings(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap_or_default();
    let heading = |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_string());
    text.lines().filter_map(heading).collect()
}

/// A heading as the anchor of a link.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The files below a folder, except build output and hidden files.
fn list(root: &Path, folder: &Path, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry that can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir()
            && name != "target"
            && (!name.starts_with('.') || [".cargo", ".ci"].contains(&&name[..]))
        {
            list(root, &path, files);
        } else if path.is_file() {
            let relative = path.strip_prefix(root).expect("it is below the root");
            files.insert(relative.to_string_lossy().replace('\\', "/"));
        }
    }
}

/// A check that cannot fail is a defect.
fn canary() {
    let repository = Repository::read();
    let line = |text| Line { file: "docs/nowhere.md", number: 1, text };
    let files = |text| repository.dangling_files(&line(text));
    assert_eq!(files("see `nowhere/at-all.md` and docs/flaws.md."), ["nowhere/at-all.md"]);
    assert_eq!(files("etcd's `mvcc/watchable_store.go`, `proto/*.proto`"), [""; 0]);
    assert_eq!(repository.dangling_sections(&line("`checker.md`, 99.1:")), ["checker.md, 99.1"]);
    assert_eq!(repository.dangling_ids(&line("K1 and K99, R1, R98, M-1, I/O")), ["K99", "R98", "M-1"]);
    assert_eq!(
        repository.dangling_links(&line("[a](faults.md) [b](faults.md#no-such) [c](no.md)")),
        ["faults.md#no-such", "no.md"]
    );
    assert_eq!(
        repository.dangling_names(&line("probe `commits`, probe `no-such`, scenario `gone`")),
        ["no-such", "gone"]
    );
    let program = "let a = 1; // of `b`\n/// ```\n/// code\n/// ```\n//! after";
    let texts: Vec<_> = lines("a.rs", program).iter().map(|line| line.text).collect();
    assert_eq!(texts, ["of `b`", "after"]);
}
