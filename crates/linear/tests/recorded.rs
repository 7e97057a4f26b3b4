//! Histories that others recorded and judged. `data/README.md` says where they come from.

use crate::common::{files, judge};
use linear::models::keyed::Keyed;
use linear::models::text::Text;

/// File names, and whether the history is linearizable.
fn verdicts(folder: &str) -> Vec<(String, bool)> {
    let table = files::text(&format!("{folder}/verdicts.tsv"));
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
        assert_eq!(judge(&files::REGISTER, &files::log(&file)), linearizable, "{file}");
    }
}

#[test]
fn the_key_value_histories() {
    for (file, linearizable) in verdicts("porcupine-kv") {
        assert_eq!(judge(&Keyed::new(Text), &files::store(&file)), linearizable, "{file}");
    }
}

#[test]
fn a_key_value_history_without_its_keys() {
    assert!(judge(&Keyed::together(Text), &files::store("porcupine-kv/c01-ok.txt")));
}
