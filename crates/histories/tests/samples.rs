//! Whole files: the samples, and the histories in the tests of `linear`.

use std::fs;
use std::path::Path;

use histories::edn::{Jepsen, Step};
use histories::robustness::{self, Answer, Op, Request, Value as Stored};
use histories::{
    Format, Operations, Recorded, RegisterValue, Value, detect, detect_path, edn, general, jepsen_log,
};
use linear::Outcome;
use linear::models::register::Output;

fn data(name: &str) -> Vec<u8> {
    fs::read(Path::new("tests/data").join(name)).expect("a sample")
}

#[test]
fn every_sample_is_detected() {
    let samples = [
        ("general-register.jsonl", Format::General),
        ("general-lock.jsonl", Format::General),
        ("register.edn", Format::Edn),
        ("txn.edn", Format::Edn),
        ("set.edn", Format::Edn),
        ("operations.json", Format::RobustnessOperations),
        ("watch.json", Format::RobustnessWatch),
    ];
    for (name, format) in samples {
        assert_eq!(detect_path(&Path::new("tests/data").join(name)).expect(name), format, "{name}");
    }
    let etcdsim = br#"{"server": "etcd", "version": "3.4.23", "members": 3, "clients": 8, "seed": 1}"#;
    assert_eq!(detect("h", etcdsim).expect("a history"), Format::Etcdsim(1));
    let second = br#"{"format": "etcdsim-history-2", "server": "etcd", "members": 3}"#;
    assert_eq!(detect("h", second).expect("a history"), Format::Etcdsim(2));
    assert_eq!(detect("h", b"INFO  jepsen.util - 1 :invoke :read nil").expect("a log"), Format::JepsenLog);
}

#[test]
fn general_samples_are_read_and_written() {
    for name in ["general-register.jsonl", "general-lock.jsonl", "general-bank.jsonl"] {
        let recorded = general::read(name, &data(name)).expect(name);
        let mut written = Vec::new();
        general::write(&recorded, &mut written).expect("a Vec takes every byte");
        assert_eq!(general::read(name, &written).expect(name), recorded);
        assert_eq!(general::read_from(name, written.as_slice()).expect(name), recorded);
    }
}

#[test]
fn keyed_register_in_edn() {
    let Jepsen::Recorded(Recorded::Register { cas: true, operations: Operations::Keyed(history), .. }) =
        edn::read("register.edn", &data("register.edn")).expect("a history")
    else {
        panic!("not a keyed register");
    };
    let operations = history.operations();
    assert_eq!(operations.len(), 3);
    assert_eq!((operations[0].call, operations[0].returned()), (1, Some(5)));
    assert_eq!(operations[1].input.key, Value::Number(2));
    assert_eq!(operations[2].outcome, Outcome::Unknown);
}

#[test]
fn transactions_and_sets_in_edn() {
    let Jepsen::ListAppend(transactions) = edn::read("txn.edn", &data("txn.edn")).expect("a history") else {
        panic!("not transactions");
    };
    assert_eq!(transactions[0].steps[1], Step::Read(Value::Number(1), Some(vec![Value::Number(2)])));
    assert_eq!(transactions[1].outcome, Outcome::Failed { at: 4 });
    let Jepsen::Recorded(Recorded::Set(set)) = edn::read("set.edn", &data("set.edn")).expect("a history")
    else {
        panic!("not a set");
    };
    assert_eq!(set.len(), 2);
}

#[test]
fn key_value_histories_of_porcupine() {
    for (name, operations) in
        [("c01-bad.txt", 38), ("c01-ok.txt", 58), ("c10-ok.txt", 337), ("c50-bad.txt", 2024)]
    {
        let text = fs::read(Path::new("../linear/tests/data/porcupine-kv").join(name)).expect(name);
        let Jepsen::Recorded(Recorded::KeyValue(history)) = edn::read(name, &text).expect(name) else {
            panic!("{name}: not a store of texts");
        };
        assert_eq!(history.len(), operations, "{name}");
        assert!(history.operations().iter().all(|operation| operation.output().is_some()), "{name}");
    }
}

#[test]
fn a_log_of_an_early_etcd() {
    let text = fs::read("../linear/tests/data/jepsen-etcd/etcd_000.log").expect("a log");
    let log = jepsen_log::read("etcd_000.log", &text).expect("a log");
    assert_eq!(log.len(), 85);
    let count = |is: fn(&Outcome<Output<RegisterValue>>) -> bool| {
        log.operations().iter().filter(|operation| is(&operation.outcome)).count()
    };
    assert_eq!(count(|outcome| matches!(outcome, Outcome::Failed { .. })), 0);
    assert_eq!(count(|outcome| matches!(outcome, Outcome::Unknown)), 16);
    // A failed comparison is an answer.
    assert_eq!(log.operation(39).output(), Some(&Output::Set(false)));
}

#[test]
fn reports_of_the_robustness_tests() {
    let operations = robustness::read("operations.json", &data("operations.json")).expect("a report");
    let Some(Answer::Range(found)) = &operations[0].response.answer else { panic!("not a range") };
    assert_eq!(found.kvs[1].value, Stored::Hash(77));
    let Request::Txn { success, failure, .. } = &operations[1].request else { panic!("not a transaction") };
    assert_eq!(success[0], Op::Put { key: "a".into(), value: Stored::Text("<y>".into()), lease: 9 });
    assert_eq!(failure[0], Op::Delete("a".into()));
    assert_eq!(operations[1].response.persisted, Some(8));
    assert_eq!(operations[2].request, Request::Compact(7));
    assert_eq!(operations[2].response.error.as_deref(), Some("etcdserver: request timed out"));

    let watches = robustness::read_watches("watch.json", &data("watch.json")).expect("a report");
    assert!(watches[0].responses[0].events[1].deleted);
    assert!(watches[0].responses[0].events[1].previous.is_some());
    assert!(watches[0].responses[1].is_progress_notify);
}

#[test]
fn what_edn_gives_can_be_written_in_the_general_format() {
    for name in ["register.edn", "set.edn"] {
        let Jepsen::Recorded(recorded) = edn::read(name, &data(name)).expect(name) else { panic!("{name}") };
        let mut written = Vec::new();
        general::write(&recorded, &mut written).expect("a Vec takes every byte");
        assert_eq!(general::read(name, &written).expect(name), recorded);
    }
}
