//! `etcdsim` on the inputs of bug reports and on their neighbours: variations that a tester tries next. The rows are
//! in `tests/data/cases`; [`Case`] says what the fields of a row mean.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::common::etcdsim;
use crate::common::folder::Folder;

/// Files of rows.
const TABLES: [&str; 4] = ["robustness", "etcd", "general", "scenarios"];
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cases");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Case>,
}

/// A file, a command, and what must come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Case {
    /// The input that this is, or whose neighbour it is: a file or folder beside the tables.
    of: String,
    /// Another file to use.
    file: Option<String>,
    /// The whole text of the file; then `file` is the name that it gets.
    text: Option<String>,
    /// Replacements in the file, all occurrences of each, one replacement after the other.
    #[serde(default)]
    change: Vec<[String; 2]>,
    /// Lines that contain this are left out.
    #[serde(default)]
    drop: Vec<String>,
    /// Lines to put at the end.
    #[serde(default)]
    add: Vec<String>,
    /// The command's arguments. In these, `FILE` is the file, `HISTORY` a file that an earlier step has written, and
    /// `BARE` the same without the applied entries.
    run: String,
    /// The expected exit code.
    code: i32,
    /// Texts that the output has; white space and lines of tables do not count.
    #[serde(default)]
    says: Vec<String>,
    /// Texts that it does not have.
    #[serde(default)]
    never: Vec<String>,
    /// What is done next.
    #[serde(default)]
    then: Vec<Step>,
    /// Why this is the right outcome.
    why: String,
    /// The command is known to do something else, for this reason.
    known_wrong: Option<String>,
}

/// A command after the first.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    run: String,
    code: i32,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    never: Vec<String>,
}

impl Case {
    /// Whether the file is as it was reported.
    fn is_unchanged(&self) -> bool {
        self.text.is_none() && self.change.is_empty() && self.drop.is_empty() && self.add.is_empty()
    }

    fn steps(&self) -> Vec<Step> {
        let (run, says, never) = (self.run.clone(), self.says.clone(), self.never.clone());
        let first = Step { run, code: self.code, says, never };
        [&[first], &self.then[..]].concat()
    }

    /// The worst exit code of its steps.
    fn verdict(&self) -> i32 {
        self.then.iter().map(|step| step.code).fold(self.code, i32::max)
    }

    /// The path of its file, which is written into the folder if it is not one of the reported files.
    fn prepare(&self, folder: &Path) -> PathBuf {
        let file = self.file.as_ref().unwrap_or(&self.of);
        let source = Path::new(DATA).join(file);
        if self.is_unchanged() {
            return source;
        }
        let mut texts = match &self.text {
            Some(text) => BTreeMap::from([(PathBuf::from(file), text.clone())]),
            None => read(&source),
        };
        for [from, to] in &self.change {
            self.assert_some_contain(&texts, from);
            texts.values_mut().for_each(|text| *text = text.replace(from, to));
        }
        for part in &self.drop {
            self.assert_some_contain(&texts, part);
            let without =
                |text: &str| text.split_inclusive('\n').filter(|line| !line.contains(part)).collect();
            texts.values_mut().for_each(|text| *text = without(text));
        }
        for (name, mut text) in texts {
            if !self.add.is_empty() && !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.extend(self.add.iter().map(|line| format!("{line}\n")));
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
            fs::write(path, text).expect("a file can be written");
        }
        folder.join(file)
    }

    fn assert_some_contain(&self, texts: &BTreeMap<PathBuf, String>, part: &str) {
        let contains = texts.values().any(|text| text.contains(part));
        assert!(contains, "{}: {part:?} is not there. The row: {}", self.of, self.why);
    }

    /// Runs all steps, and says how the first one that does not end as it must has ended.
    fn mistake(&self) -> Option<String> {
        let folder = Folder::new();
        let file = self.prepare(folder.path());
        let (history, bare) = (folder.path().join("history.jsonl"), folder.path().join("bare.jsonl"));
        let places = [("FILE", &file), ("HISTORY", &history), ("BARE", &bare)];
        for step in self.steps() {
            if step.run.contains("BARE") {
                let text = fs::read_to_string(&history).expect("an earlier step has written it");
                let lines = text.split_inclusive('\n').filter(|line| !line.contains("\"applied\""));
                fs::write(&bare, lines.collect::<String>()).expect("a file can be written");
            }
            let argument = |word: &str| {
                let place = places.iter().find_map(|(name, path)| Some((path, word.strip_prefix(name)?)));
                place.map_or_else(|| word.to_string(), |(path, rest)| format!("{}{rest}", path.display()))
            };
            let arguments: Vec<String> = step.run.split(' ').map(argument).collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let ended = etcdsim(&arguments);
            let output = bare_text(&(ended.stdout.clone() + &ended.stderr));
            let says = |part: &&String| output.contains(&bare_text(part));
            let missing: Vec<&String> = step.says.iter().filter(|part| !says(part)).collect();
            let wrong: Vec<&String> = step.never.iter().filter(says).collect();
            if ended.code != step.code || !missing.is_empty() || !wrong.is_empty() {
                return Some(format!(
                    "`{}` ended with {}, not {}; missing: {missing:?}; wrong: {wrong:?}\n{}{}",
                    arguments.join(" "),
                    ended.code,
                    step.code,
                    ended.stdout,
                    ended.stderr
                ));
            }
        }
        None
    }

    /// What is wrong with this row, if anything is.
    fn complaint(&self) -> Option<String> {
        match (self.mistake(), &self.known_wrong) {
            (None, None) => None,
            (Some(_), Some(why)) => {
                println!("still wrong, because {why}: {}. {}", self.of, self.why);
                None
            }
            (None, Some(_)) => {
                Some(format!("{}: no longer wrong, remove `known-wrong`. {}", self.of, self.why))
            }
            (Some(mistake), None) => Some(format!("{}: {}\n{mistake}", self.of, self.why)),
        }
    }
}

/// A file, or all files of a folder, by their names beside the tables.
fn read(path: &Path) -> BTreeMap<PathBuf, String> {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder can be read");
        return entries.flat_map(|entry| read(&entry.expect("an entry of a folder").path())).collect();
    }
    let name = path.strip_prefix(DATA).expect("it is beside the tables").to_path_buf();
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    BTreeMap::from([(name, text)])
}

/// A text without white space and lines of tables and frames, which depend on what else is shown and on the terminal.
fn bare_text(text: &str) -> String {
    text.chars().filter(|&character| !character.is_whitespace() && !"│┆|".contains(character)).collect()
}

fn table(name: &str) -> Vec<Case> {
    let path = Path::new(DATA).join(format!("{name}.toml"));
    let text = fs::read_to_string(&path).expect("the table is there");
    let table: Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}.toml: {error}"));
    table.case
}

/// All rows of a table.
#[track_caller]
fn hold(name: &str) {
    let complaints: Vec<String> = table(name).iter().filter_map(Case::complaint).collect();
    assert!(complaints.is_empty(), "{} rows are wrong:\n\n{}", complaints.len(), complaints.join("\n\n"));
}

#[test]
fn reports_of_robustness_tests() {
    hold("robustness");
}

#[test]
fn histories_of_etcd() {
    hold("etcd");
}

#[test]
fn histories_of_any_model() {
    hold("general");
}

#[test]
fn scenarios_and_their_histories() {
    hold("scenarios");
}

#[test]
fn every_input_has_neighbours() {
    let cases: Vec<Case> = TABLES.into_iter().flat_map(table).collect();
    let mut inputs: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in &cases {
        inputs.entry(&case.of).or_default().push(case);
    }
    assert_eq!(inputs.len(), 27);
    for (name, cases) in inputs {
        let (input, neighbours) = cases.split_first().expect("a row");
        assert!(input.is_unchanged() && input.file.is_none(), "{name}: the first row is the input itself");
        assert!(neighbours.len() >= 3, "{name} has few neighbours");
        let other = neighbours.iter().any(|case| case.verdict() != input.verdict());
        assert!(other, "no neighbour of {name} has another verdict");
    }
}
