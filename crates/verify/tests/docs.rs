//! The tables of `docs/oracles.md` are those of the table of oracles, and those of `docs/specification.md` those of the
//! specification of Raft. `UPDATE_DOCS=1 cargo test -p etcdsim-verify docs` updates them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use etcdsim_verify::specification::known::KNOWN;
use etcdsim_verify::specification::reached::Reached;
use etcdsim_verify::specification::rule::Rule;
use etcdsim_verify::table::{Chapter, TABLE};
use serde_json::Value;

const BEGINS: &str = "<!-- made: ";
const ENDS: &str = "<!-- end -->";

/// The page, with what is between `<!-- made: NAME -->` and `<!-- end -->` made again.
fn document(page: &str, table: impl Fn(&str) -> String) -> String {
    let mut made = String::new();
    let mut rest = page;
    while let Some(begin) = rest.find(BEGINS) {
        let after = &rest[begin + BEGINS.len()..];
        let (Some((name, _)), Some(end)) = (after.split_once(" -->"), after.find(ENDS)) else { break };
        made += &rest[..begin];
        write!(made, "{BEGINS}{name} -->\n\n{}\n{ENDS}", table(name)).unwrap();
        rest = &after[end + ENDS.len()..];
    }
    made + rest
}

fn table(chapter: &str) -> String {
    let from_elsewhere = ["clients", "watchers", "services"].contains(&chapter);
    let chapter = match chapter {
        "clients" => Chapter::Clients,
        "watchers" => Chapter::Watchers,
        "services" => Chapter::Services,
        "ends" => Chapter::Ends,
        "invariants" => Chapter::Invariants,
        "musts" => Chapter::Musts,
        other => panic!("there is no chapter {other:?}"),
    };
    let mut table = match from_elsewhere {
        true => "| id | holds | not checked | nor without evidence |\n|---|---|---|---|\n".to_string(),
        false => "| id | holds | not checked |\n|---|---|---|\n".to_string(),
    };
    for row in TABLE.iter().flat_map(|part| part.rows).filter(|row| row.chapter == chapter) {
        let or_dash = |text: &'static str| if text.is_empty() { "–" } else { text };
        write!(table, "| {} | {} | {} |", row.oracle, row.exactly, or_dash(row.not_checked)).unwrap();
        if from_elsewhere {
            write!(table, " {} |", or_dash(row.without_evidence)).unwrap();
        }
        table.push('\n');
    }
    table
}

#[test]
fn the_tables_of_the_documentation_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/oracles.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let made = document(&page, table);
    for row in TABLE.iter().flat_map(|part| part.rows) {
        assert!(made.contains(&format!("\n| {} | ", row.oracle)), "no table of the page has {}", row.oracle);
    }
    update(&path, &page, made);
}

/// How often each way through an action was reached, in seeds of the swarm and in the scenarios.
type Counts = BTreeMap<String, [u64; 2]>;

/// The counts that a page has.
fn counts_of(page: &str) -> Counts {
    let count = |line: &str| -> Option<(String, [u64; 2])> {
        let [_, _, _, name, swarm, scenarios, ..] = line.split('|').map(str::trim).collect::<Vec<_>>()[..]
        else {
            return None;
        };
        Some((name.to_string(), [swarm.parse().ok()?, scenarios.parse().ok()?]))
    };
    page.lines().filter_map(count).collect()
}

/// The counts of two reports of `etcdsim run --format json`, whose files have these names.
fn counts_in(reports: &str) -> Counts {
    let mut counts = Counts::new();
    for (at, file) in reports.split_whitespace().enumerate() {
        let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for scenario in report["scenarios"].as_array().into_iter().flatten() {
            for (name, count) in scenario["specification"].as_object().into_iter().flatten() {
                counts.entry(name.clone()).or_default()[at] += count.as_u64().unwrap_or(0);
            }
        }
    }
    counts
}

/// A table of the specification.
fn specification(name: &str, counts: &Counts) -> String {
    let or_dash = |text: &'static str| if text.is_empty() { "–" } else { text };
    let mut table = String::new();
    match name {
        "rules" => {
            table += "| rule | requires | source |\n|---|---|---|\n";
            for rule in Rule::ALL {
                writeln!(table, "| {} | {} | {} |", rule.name(), rule.says(), rule.source()).unwrap();
            }
        }
        "actions" => {
            table += "| action | what happens | name | swarm | scenarios | why runs need not reach it |\n";
            table += "|---|---|---|--:|--:|---|\n";
            for way in Reached::ALL {
                let (name, why) = (way.name(), or_dash(way.seldom()));
                let [swarm, scenarios] = counts.get(name).copied().unwrap_or_default();
                writeln!(
                    table,
                    "| {} | {} | {name} | {swarm} | {scenarios} | {why} |",
                    way.action(),
                    way.what()
                )
                .unwrap();
            }
        }
        "known" => {
            table += "| rule | breach |\n|---|---|\n";
            for known in KNOWN {
                writeln!(table, "| {} | {} |", known.rule.name(), known.what).unwrap();
            }
        }
        other => panic!("there is no table {other:?}"),
    }
    table
}

#[test]
fn the_tables_of_the_specification_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/specification.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let counts = match std::env::var("REPORTS") {
        Ok(reports) => counts_in(&reports),
        Err(_) => counts_of(&page),
    };
    let made = document(&page, |name| specification(name, &counts));
    for name in ["rules", "actions", "known"] {
        assert!(made.contains(&format!("{BEGINS}{name} -->")), "the page has no table {name}");
    }
    update(&path, &page, made);
}

/// Writes a page that was made again, if that is asked for, and fails if it must be and is not.
fn update(path: &Path, page: &str, made: String) {
    if page == made {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "{} is out of date: run `UPDATE_DOCS=1 cargo test -p etcdsim-verify docs`",
        path.display()
    );
    std::fs::write(path, made).unwrap();
}
