//! Judges a history that was recorded elsewhere with all oracles.
//!
//! `cargo run --release --example check_history FILE`; without a file, it judges a history in which a read does not
//! see the put before it.

use std::error::Error;

use etcdsim::{NotJudged, check_history, check_history_file};

/// docs/histories.md describes the format: keys and values are in base64, times in nanoseconds.
const LOST: &str = r#"{"format": "etcdsim-history-2", "server": "etcd", "version": "3.6.1", "members": 1, "clients": 1, "seed": 0}
{"client": 0, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "value": "MQ=="}, "call": 10, "return": 20, "response": {"header": {"revision": "2"}}}
{"client": 0, "member": 1, "rpc": "Range", "request": {"key": "YQ=="}, "call": 30, "return": 40, "response": {"header": {"revision": "2"}}}
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let checked = match std::env::args().nth(1) {
        Some(file) => check_history_file(file)?,
        None => check_history("lost.jsonl", LOST)?,
    };
    for violation in checked.failure().iter().flat_map(|failure| &failure.violations) {
        println!("{} {}", violation.oracle, violation.title);
        violation.sentences.iter().for_each(|sentence| println!("   {sentence}"));
        violation.operations.iter().for_each(|operation| println!("   {operation}"));
    }
    for sentence in &checked.verdict.undecided {
        println!("not decided: {sentence}");
    }
    for NotJudged { oracle, what, count, missing } in &checked.verdict.not_judged {
        println!("not judged: {oracle}, {what}: {count}, because {}", missing.why());
    }
    if checked.holds() {
        println!("all that was judged held");
    }
    Ok(())
}
