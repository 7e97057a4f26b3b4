//! Histories as files: what is written is read back, what is malformed is shown where it is.

mod support;

use etcdsim_verify::history_file::{FileError, HistoryFile, Setup};
use record::{History, Outcome};
use support::{Random, Shape};

const SETUP: &str = r#"{"server": "etcd", "version": "3.4.23", "members": 3, "clients": 8, "seed": 1}"#;

fn read(lines: &str) -> Result<HistoryFile, FileError> {
    HistoryFile::read("run.jsonl", &format!("{SETUP}\n{lines}\n"))
}

#[test]
fn what_is_written_is_read_back() {
    for seed in 0..200 {
        let shape = Shape { operations: 30, leases: true, ..Shape::default() };
        let (history, applied) = support::history(&mut Random(seed), &shape);
        let setup = Setup { server: "etcdsim".to_string(), members: 5, clients: 3, seed, ..Setup::default() };
        let written = HistoryFile { setup, history, applied, starts: vec![(2, 17)] };
        let mut text = Vec::new();
        written.write(&mut text).expect("a vector takes everything");
        let text = String::from_utf8(text).expect("JSON is text");
        assert_eq!(HistoryFile::read("run.jsonl", &text), Ok(written));
    }
}

#[test]
fn foreign_histories_are_read_in_any_order() {
    let file = read(concat!(
        r#"{"client": 1, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "value": "MQ=="}, "call": 20, "return": 30, "response": {"header": {"revision": "3"}}}"#, "\n",
        r#"{"fault": "kill", "member": 0, "at": 21}"#, "\n",
        r#"{"fault": "restart", "member": 0, "at": 22}"#, "\n",
        r#"{"client": 0, "member": 0, "rpc": "Range", "request": {"key": "YQ=="}, "call": 10, "error": {"code": -1, "message": "RemoteDisconnected"}, "return": null}"#, "\n",
        r#"{"client": 2, "member": 0, "rpc": "Range", "request": {"key": "YQ==", "revision": "9"}, "call": 15, "return": 16, "error": {"code": 11, "message": "etcdserver: mvcc: required revision is a future revision"}}"#,
    ))
    .expect("a good file");
    assert_eq!((file.setup.members, &file.starts[..]), (3, &[(0, 22)][..]));
    let History { operations, .. } = &file.history;
    assert_eq!(operations.iter().map(|one| one.call).collect::<Vec<_>>(), [10, 15, 20]);
    assert!(matches!(operations[0].outcome, Outcome::Unknown { gave_up: 10 }));
    assert!(matches!(operations[1].outcome, Outcome::Error { at: 16, error: api::Error::FutureRev }));
}

#[test]
fn a_malformed_line_is_shown_where_it_is() {
    let good = r#"{"client": 1, "member": 1, "rpc": "Put", "request": {"key": "YQ=="}, "call": 20, "return": 30, "response": {}}"#;
    let cases = [
        (r#"{"client": 1, "#.to_string(), "run.jsonl:2:14: EOF while parsing a value"),
        (r#"{"hello": 1}"#.to_string(), "run.jsonl:2:1: expected an operation"),
        (good.replace("Put", "Pot"), "run.jsonl:2:39: unknown variant `Pot`, expected one of `Range`, `Put`"),
        (good.replace("\"key\"", "\"kee\""), "run.jsonl:2:58: unknown field `kee`, expected one of `key`"),
        (good.replace("YQ==", "!"), "run.jsonl:2:"),
        (good.replace("30", "10"), "run.jsonl:2:82: it returns before it is called"),
        (good.replace("30", "null"), "run.jsonl:2:82: a response without the time"),
        (good.replace(r#", "response": {}"#, ""), "run.jsonl:2:82: this Put returned with nothing"),
        (good.replace("\"call\": 20, ", ""), "run.jsonl:2:"),
        (
            format!(
                "{good}\n{}",
                r#"{"applied": {"index": 1, "operation": 1, "revision": 2, "mutated": true, "time": 5}}"#
            ),
            "run.jsonl:3:26: there is no operation 1: the file has 1",
        ),
    ];
    for (lines, expected) in cases {
        let error = read(&lines).expect_err(&lines).to_string();
        assert!(error.starts_with(expected), "{error}\nshould start with\n{expected}\nfor {lines}");
    }
    let error = HistoryFile::read("run.jsonl", "").expect_err("an empty file");
    assert_eq!((error.line, error.column), (1, 1));
}
