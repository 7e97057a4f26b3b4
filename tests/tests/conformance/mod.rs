//! A whole member answers exactly what a real etcd answered.
//!
//! Each file of `tests/data/conformance` is a history of one client with a fresh single-member etcd. Here the clients of
//! the simulator send the same requests, one after another, to a single-member cluster, through raft, log, disk,
//! apply, leases and the network. The test compares the answers with the recorded ones, and what each watcher was told,
//! and every oracle judges the run itself.
//!
//! Not compared, besides what `same` says: the order of a lease's keys and of the leases in a list, into how many messages
//! the events of a watcher were divided, and which token a user got. The order of ties in a sorted range is compared up to twelve
//! pairs, where etcd's sort keeps them in the order of their keys; with more, that order is open, and so is which of them a
//! limit leaves out (the judge K1 looks at that). It is the same with the permissions of a role that have the same first key.
//! Intended differences are rows of `tests/data/divergences.toml`.

mod recording;
mod same;
mod script;
mod table;

use std::collections::BTreeSet;

use libtest_mimic::Trial;

use self::recording::{Step, recordings};
use self::same::{only_what_may_differ_may_differ, same};
use self::script::{Script, received};
use self::table::Table;

/// The tests, by name.
pub fn trials() -> Vec<Trial> {
    let test = |name: &str, run: fn()| {
        Trial::test(format!("conformance::{name}"), move || {
            run();
            Ok(())
        })
    };
    vec![
        test("a_whole_member_answers_like_the_recorded_etcd", a_whole_member_answers_like_the_recorded_etcd),
        test("only_what_may_differ_may_differ", only_what_may_differ_may_differ),
        test(
            "a_row_means_one_kind_of_request_and_one_difference",
            table::a_row_means_one_kind_of_request_and_one_difference,
        ),
    ]
}

fn a_whole_member_answers_like_the_recorded_etcd() {
    let table = Table::load();
    let (mut needed, mut failures, mut compared) = (BTreeSet::new(), Vec::new(), 0);
    for recording in recordings() {
        let script = Script::new(&recording);
        let (ids, outcome) = script.run();
        failures.extend(
            outcome.verdict.violations.iter().map(|violation| format!("{}: {violation:?}", recording.name)),
        );
        assert_eq!(outcome.record.unsettled, Vec::<String>::new(), "{}", recording.name);
        let history = &outcome.record.history;
        let mut watcher = 0;
        for (nth, line) in recording.lines.iter().enumerate() {
            let (ours, etcds, asked) = match &line.step {
                Step::Ask(asked) => {
                    let operation = script.operation(history, nth);
                    let operation = operation.unwrap_or_else(|| panic!("{}: it was not sent", line.place));
                    let request = ids.ours_in(asked.request.clone());
                    assert_eq!(operation.request, request, "{}: it was sent as it was recorded", line.place);
                    let ours = same::answer(operation, recording.version);
                    let ours = ours.unwrap_or_else(|| panic!("{}: no answer", line.place));
                    let slack = script.slack(nth);
                    if same(&asked.request, &ids.etcds_in(ours.clone()), &asked.answer, ids.own, slack) {
                        compared += 1;
                        continue;
                    }
                    (ours, asked.answer.clone(), asked)
                }
                Step::Watch { create, .. } => {
                    let ours = received(history, script.slot(nth), script.end());
                    let ours = ours.unwrap_or_else(|| panic!("{}: no watcher", line.place));
                    let etcds = &recording.received[watcher];
                    watcher += 1;
                    compared += 1 + etcds.events.len();
                    if ours != *etcds {
                        failures.push(format!(
                            "{}: {create:?}\n  ours:   {ours:?}\n  etcd's: {etcds:?}",
                            line.place
                        ));
                    }
                    continue;
                }
                _ => continue,
            };
            compared += 1;
            match table.explains(&asked.rpc, &asked.json, &ours, &etcds) {
                Some(row) => drop(needed.insert(row.to_string())),
                None => failures.push(format!(
                    "{}: {} {}\n  ours:   {ours:?}\n  etcd's: {etcds:?}",
                    line.place, asked.rpc, asked.json
                )),
            }
        }
    }
    let shown = failures.iter().take(25).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {compared} answers differ, first\n{shown}", failures.len());
    let needed = needed.iter().map(String::as_str).collect();
    assert_eq!(table.unneeded(&needed), Vec::<&str>::new(), "no recorded request needs these rows");
    println!("{compared} answers are the same");
}
