//! Flaws by name: `R2` on every member, `R2@3` on member 3.

use member::Flaw;
use plan::{FlawAt, Plan};

use crate::error::Error;

/// How many seeds tell how many members a scenario can have.
const PLANS_LOOKED_AT: u64 = 16;

/// Reads `ID` or `ID@MEMBER`. The id may be a flaw's id or its name in the zoo.
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
            whose: String::new(),
            name: text.to_string(),
            help: format!("after the @ stands a member's number, such as `{}@3`", flaw.id()),
        }),
        (None, _) => Err(unknown(name, String::new())),
    }
}

/// Refuses flaws that do not exist, and members that no plan has. How many members a scenario has may
/// be left to the seed, so a few plans are looked at.
pub fn check(flaws: &[FlawAt], file: &str, plan: &dyn Fn(u64) -> Plan) -> Result<(), Error> {
    for FlawAt { flaw, member } in flaws {
        if known(flaw).is_none() {
            return Err(unknown(flaw, format!("{file}: ")));
        }
        let Some(member) = *member else { continue };
        let members = (0..PLANS_LOOKED_AT).map(|seed| plan(seed).cluster.members).max().unwrap_or(0);
        if !(1..=members).contains(&member) {
            return Err(Error::FlawNowhere { file: file.to_string(), flaw: flaw.clone(), member, members });
        }
    }
    Ok(())
}

/// As `--flaw` takes it.
pub fn name(flaw: &FlawAt) -> String {
    match flaw.member {
        Some(member) => format!("{}@{member}", flaw.flaw),
        None => flaw.flaw.clone(),
    }
}

fn known(name: &str) -> Option<Flaw> {
    name.parse().ok()
}

fn unknown(name: &str, whose: String) -> Error {
    let far = |flaw: &Flaw| {
        let of = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
        of(flaw.id()).min(of(flaw.name()))
    };
    let nearest = Flaw::ALL.iter().copied().min_by_key(far).filter(|flaw| far(flaw) <= 1 + name.len() / 3);
    let list: Vec<String> =
        Flaw::ALL.iter().map(|flaw| format!("  {:<8} {}", flaw.id(), flaw.name())).collect();
    let near =
        nearest.map_or(String::new(), |near| format!("did you mean `{}` ({})? ", near.id(), near.name()));
    Error::UnknownFlaw {
        whose,
        name: name.to_string(),
        help: format!("{near}there are\n{}", list.join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, Option<u32>), String> {
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
        assert_eq!(read("r2@3"), Ok(("R2".into(), Some(3))));
        assert_eq!(read("append-ack-before-fsync@m1"), Ok(("R2".into(), Some(1))));
    }

    #[test]
    fn mistakes_name_what_there_is() {
        assert!(read("M-1437").unwrap_err().starts_with("did you mean `M-14370`"));
        assert!(read("nonsense-at-all").unwrap_err().starts_with("there are\n"));
        assert!(read("R2@leader").unwrap_err().contains("`R2@3`"));
    }
}
