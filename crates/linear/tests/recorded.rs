//! Histories that others recorded, with the verdicts that others gave. `data/README.md` says whence they are.

mod common;

use common::judge;
use linear::models::keyed::Keyed;
use linear::models::text::Text;
use linear::readers::{jepsen, porcupine};

fn data(file: &str) -> String {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// File names, and whether the history is linearizable.
fn verdicts(folder: &str) -> Vec<(String, bool)> {
    let table = data(&format!("{folder}/verdicts.tsv"));
    let row = |line: &str| {
        let (file, verdict) = line.split_once('\t').expect("two columns");
        (format!("{folder}/{file}"), verdict == "linearizable")
    };
    table.lines().map(row).collect()
}

#[test]
fn the_logs_of_an_early_etcd() {
    let verdicts = verdicts("jepsen-etcd");
    assert_eq!(verdicts.len(), 52);
    for (file, linearizable) in verdicts {
        let history = jepsen::read(&data(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(judge(&jepsen::MODEL, &history), linearizable, "{file}");
    }
}

#[test]
fn the_key_value_histories() {
    for (file, linearizable) in verdicts("porcupine-kv") {
        let history = porcupine::read(&data(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(judge(&Keyed::new(Text), &history), linearizable, "{file}");
    }
}

#[test]
fn a_key_value_history_without_its_keys() {
    let history = porcupine::read(&data("porcupine-kv/c01-ok.txt")).expect("a history");
    assert!(judge(&Keyed::together(Text), &history));
}

#[test]
fn errors_name_line_and_column() {
    let log = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:write\t3\n";
    let error = jepsen::read(log).expect_err("another operation ends than was called");
    assert_eq!((error.line, error.column), (2, 35));
    let error =
        jepsen::read("INFO  jepsen.util - 0\t:invoke\t:increment\t1\n").expect_err("no such operation");
    assert_eq!(error.to_string(), "line 1, column 31: expected `:read`, `:write` or `:cas`");
    let error =
        porcupine::read("{:process 1, :type :ok, :f :get, :key \"0\", :value \"\"}").expect_err("no call");
    assert_eq!(error.line, 1);
    let error = porcupine::read("{:process 1, :type :invoke, :f :get, :key \"0\"}").expect_err("no value");
    assert_eq!((error.line, error.column), (1, 46));
}
