//! Reads and checks the names of flaws: `R2` is a flaw on every member, `R2@3` the flaw on member 3. A flaw is a defect
//! of a real system that a run can switch on.

use member::Flaw;
use plan::{FlawAt, Plan};

use crate::error::Error;

/// How many seeds are expanded to find out how many members a scenario can have; our choice.
const PLANS_LOOKED_AT: u64 = 16;

/// Reads `ID` or `ID@MEMBER`. The id may be a flaw's id or its name.
pub fn parse(text: &str) -> Result<FlawAt, Error> {
    let (name, member) = match text.split_once('@') {
        Some((name, member)) => {
            (name, member.strip_prefix('m').unwrap_or(member).parse().map(Some).map_err(|_| ()))
        }
        None => (text, Ok(None)),
    };
    match (known(name), member) {
        (Some(flaw), Ok(member)) => Ok(FlawAt { flaw: flaw.id().to_string(), member }),
        (Some(flaw), Err(())) => Err(Error::UnknownFlaw {
            prefix: String::new(),
            name: text.to_string(),
            help: format!("write a member id after the @, such as `{}@3`", flaw.id()),
        }),
        (None, _) => Err(unknown(name, String::new())),
    }
}

/// Refuses flaws that do not exist and members that no plan has. The seed may decide how many members a
/// scenario has, so this expands a few seeds.
pub fn check(flaws: &[FlawAt], file: &str, plan: &dyn Fn(u64) -> Plan) -> Result<(), Error> {
    for FlawAt { flaw, member } in flaws {
        if known(flaw).is_none() {
            return Err(unknown(flaw, format!("{file}: ")));
        }
        let Some(member) = *member else { continue };
        let members = (0..PLANS_LOOKED_AT).map(|seed| plan(seed).cluster.members).max().unwrap_or(0);
        if !member.is_among_first(members) {
            return Err(Error::FlawNowhere { file: file.to_string(), flaw: flaw.clone(), member, members });
        }
    }
    Ok(())
}

/// The flaw as `--flaw` accepts it.
pub fn name(flaw: &FlawAt) -> String {
    match flaw.member {
        Some(member) => format!("{}@{member}", flaw.flaw),
        None => flaw.flaw.clone(),
    }
}

/// The flaw with this id or name.
fn known(name: &str) -> Option<Flaw> {
    name.parse().ok()
}

/// The error for a name that is no flaw, with the nearest one as advice.
fn unknown(name: &str, prefix: String) -> Error {
    let distance = |flaw: &Flaw| {
        let of = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
        of(flaw.id()).min(of(flaw.name()))
    };
    let nearest = Flaw::ALL.iter().copied().min_by_key(distance);
    let nearest = nearest.filter(|flaw| distance(flaw) <= 1 + name.len() / 3);
    let list: Vec<String> =
        Flaw::ALL.iter().map(|flaw| format!("  {:<8} {}", flaw.id(), flaw.name())).collect();
    let near =
        nearest.map_or(String::new(), |near| format!("did you mean `{}` ({})? ", near.id(), near.name()));
    Error::UnknownFlaw {
        prefix,
        name: name.to_string(),
        help: format!("{near}the flaws are\n{}", list.join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::sync::LazyLock;

    use member::FlawArea;
    use record::MemberId;

    use super::*;

    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));

    fn read(text: &str) -> Result<(String, Option<MemberId>), String> {
        match parse(text) {
            Ok(flaw) => Ok((flaw.flaw, flaw.member)),
            Err(error) => {
                Err(miette::Diagnostic::help(&error).map_or(String::new(), |help| help.to_string()))
            }
        }
    }

    #[test]
    fn ids_names_and_members_are_read() {
        assert_eq!(read("R2"), Ok(("R2".into(), None)));
        assert_eq!(read("r2@3"), Ok(("R2".into(), Some(MemberId::new(3)))));
        assert_eq!(read("append-ack-before-fsync@m1"), Ok(("R2".into(), Some(MemberId::new(1)))));
    }

    #[test]
    fn mistakes_list_the_flaws() {
        assert!(read("M-1437").unwrap_err().starts_with("did you mean `M-14370`"));
        assert!(read("nonsense-at-all").unwrap_err().starts_with("the flaws are\n"));
        assert!(read("R2@leader").unwrap_err().contains("`R2@3`"));
    }

    #[test]
    fn every_flaw_has_an_existing_scenario_and_existing_oracles() {
        for flaw in Flaw::ALL {
            let file = ROOT.join("scenarios").join(flaw.scenario()).with_extension("toml");
            assert!(file.is_file(), "{flaw}: there is no scenario {}", flaw.scenario());
            for id in flaw.oracles() {
                assert!(
                    verify::Oracle::ALL.iter().any(|oracle| oracle.id() == *id),
                    "{flaw}: no oracle {id}"
                );
            }
        }
    }

    const BEGIN: &str = "<!-- begin: made from the rows of `crates/member/src/flaw.rs`; what was measured is from `cargo bench -p etcdsim --bench flaws` -->\n";
    const END: &str = "<!-- end -->\n";

    /// The last three cells of each flaw's row in the page: the measurements, which are not in the code.
    fn measured(tables: &str) -> BTreeMap<String, String> {
        let cells = |line: &str| {
            let cells: Vec<&str> = line.split(" | ").collect();
            (cells.len() == 6)
                .then(|| (cells[0].trim_start_matches("| ").to_string(), cells[3..].join(" | ")))
        };
        tables.lines().filter_map(cells).collect()
    }

    /// The tables, with the measurements from before.
    fn tables(before: &str) -> String {
        let measured = measured(before);
        let mut text = String::new();
        for area in FlawArea::ALL {
            text += &format!(
                "\n## {}\n\n| id | name | scenario | seeds that failed, of 30 | caught by (seeds) | first in virtual time (seeds) |\n|---|---|---|---|---|---|\n",
                area.title()
            );
            for flaw in Flaw::ALL.iter().filter(|flaw| flaw.area() == *area) {
                let measured = measured.get(flaw.id()).map_or("not measured | | |", String::as_str);
                text += &format!("| {flaw} | {} | `{}` | {measured}\n", flaw.name(), flaw.scenario());
            }
        }
        text + "\n"
    }

    #[test]
    fn the_page_is_up_to_date() {
        let path = ROOT.join("docs/flaws.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = page.split_once(BEGIN).expect("the page has a place for the tables");
        let (before, tail) = rest.split_once(END).expect("the place ends");
        let made = [head, BEGIN, &tables(before), END, tail].concat();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(
            page == made,
            "docs/flaws.md is out of date: UPDATE_DOCS=1 cargo test -p etcdsim --lib flaws"
        );
    }
}
