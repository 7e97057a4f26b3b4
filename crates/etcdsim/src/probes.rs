//! Counts the probes that can be seen only in the history of a run, such as errors that clients received. Also
//! generates `docs/coverage.md`. A probe is an interesting state that the tests must reach.
//!
//! The registry of all probes is [`record::probe`]. Members report most of the others; the monitors of the invariants
//! and the simulated clients report the rest.

use std::fmt::Write;

use api::Error;
pub use record::Probe;
use record::probe::{Area, Counts};
use record::{Outcome, Record, StreamEnd};

/// Errors that a client received, and the probe for each.
const ERRORS: &[(Error, Probe)] = &[
    (Error::InvalidAuthToken, Probe::AnsweredInvalidAuthToken),
    (Error::AuthFailed, Probe::AnsweredAuthenticationFailed),
    (Error::UserEmpty, Probe::AnsweredUserNameIsEmpty),
    (Error::NoSpace, Probe::AnsweredNoSpace),
    (Error::Compacted, Probe::AnsweredCompacted),
    (Error::FutureRev, Probe::AnsweredFutureRevision),
    (Error::LeaseNotFound, Probe::AnsweredLeaseNotFound),
    (Error::LeaderChanged, Probe::AnsweredLeaderChanged),
    (Error::Timeout, Probe::AnsweredRequestTimedOut),
    (Error::TimeoutDueToLeaderFail, Probe::AnsweredTimedOutAfterLeaderFailure),
    (Error::Stopped, Probe::AnsweredServerStopped),
    (Error::NotSupportedForLearner, Probe::AnsweredNotSupportedForLearner),
];

/// Adds what the monitors counted and what the history shows to the counts in a run's record.
pub fn count(record: &mut Record, monitors: &Counts) {
    let counts = &mut record.stats.probes;
    counts.add(monitors);
    for operation in &record.history.operations {
        let probe = match operation.outcome {
            Outcome::Answer { .. } => None,
            Outcome::Unknown { .. } => Some(Probe::AnsweredNothing),
            Outcome::Error { error, .. } => {
                ERRORS.iter().find(|(known, _)| *known == error).map(|(_, probe)| *probe)
            }
        };
        if let Some(probe) = probe {
            counts[probe] += 1;
        }
    }
    let broken = |end: &Option<_>| matches!(end, Some((_, StreamEnd::Broken)));
    let streams = record.history.watches.iter().filter(|stream| broken(&stream.ended)).count();
    counts[Probe::WatchStreamsBroken] += streams as u64;
}

/// The text of `docs/coverage.md`.
pub fn document() -> String {
    let required = Probe::all().filter(|probe| probe.required()).count();
    let mut text = HEAD.replace("COUNT", &required.to_string());
    let of = |area: Area| Probe::all().filter(move |probe| probe.area() == area && probe.required());
    let tables = Area::ALL.iter().try_for_each(|area| {
        let mut title = area.title().to_string();
        title[..1].make_ascii_uppercase();
        write!(text, "\n## {title}\n\n{}\n\n| probe | what happened | why |\n|---|---|---|\n", area.about())?;
        of(*area).try_for_each(|probe| writeln!(text, "| `{probe}` | {} | {} |", probe.means(), probe.why()))
    });
    let beyond = |text: &mut String| {
        text.push_str(BEYOND);
        Probe::all().filter_map(|probe| Some((probe, probe.unless()?))).try_for_each(|(probe, unless)| {
            writeln!(text, "| `{probe}` | {} | {} | {unless} |", probe.means(), probe.why())
        })
    };
    tables.and_then(|()| beyond(&mut text)).expect("a String takes everything");
    text
}

const HEAD: &str = "\
# Coverage

A search that finds nothing says little unless it has been where bugs live. The COUNT probes below are counted in every
run (`stats.probes` of a record). `etcdsim run --coverage` shows at its end how often each was reached, and in how many
seeds; `--require-coverage` ends with 1 if one was never reached. In JSON every scenario has `probes`.

```sh
cargo run --release -- run scenarios/swarm.toml --seeds 5000 --require-coverage
```

is the check: none is zero. A probe that a change makes unreachable shows there.

This page is made from the registry in `crates/record/src/probe/rows.rs` (`UPDATE_DOCS=1 cargo test -p etcdsim --lib
probes`).
";

const BEYOND: &str = "
## Not required

Counted, too, but `--require-coverage` does not ask for them.

| probe | what happened | why | why the swarm need not reach it |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/coverage.md");
        let made = document();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            page == made,
            "docs/coverage.md is out of date: UPDATE_DOCS=1 cargo test -p etcdsim --lib probes"
        );
    }
}
