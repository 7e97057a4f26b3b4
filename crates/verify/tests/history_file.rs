//! Histories as files: what is written is read back, and errors point at what is malformed.

use crate::support::{self, Random, Shape};
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::*;
use api::mvccpb::{Event, KeyValue};
use etcdsim_verify::history_file::{FileError, HistoryFile, Setup};
use record::{Applied, CacheView, History, MemberId, Outcome, StreamEnd, WatchStream};

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
        let written = HistoryFile { setup, history, applied, starts: vec![(MemberId::new(2), 17)] };
        let mut text = Vec::new();
        written.write(&mut text).expect("a vector takes everything");
        let text = String::from_utf8(text).expect("JSON is text");
        assert_eq!(HistoryFile::read("run.jsonl", &text), Ok(written));
    }
}

/// Streams with everything that can be on them.
fn streams() -> Vec<WatchStream> {
    let request = |request| WatchRequest { request_union: Some(request) };
    let create = WatchCreateRequest {
        key: "a".into(),
        range_end: "\0".into(),
        start_revision: -3,
        filters: vec![1, 7],
        prev_kv: true,
        watch_id: 9,
        ..WatchCreateRequest::default()
    };
    let sent = vec![
        (3, request(RequestUnion::CreateRequest(create))),
        (3, request(RequestUnion::ProgressRequest(WatchProgressRequest {}))),
        (7, request(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: 0 }))),
        (9, request(RequestUnion::CreateRequest(WatchCreateRequest::default()))),
    ];
    let kv = KeyValue { key: "a".into(), value: vec![0, 255].into(), lease: i64::MIN, ..KeyValue::default() };
    let event = Event { r#type: 1, kv: Some(kv.clone()), prev_kv: Some(kv) };
    let header = Some(ResponseHeader { revision: 7, member_id: u64::MAX, ..ResponseHeader::default() });
    let reason = "mvcc: watcher range is empty".to_string();
    let received = vec![
        (
            4,
            WatchResponse {
                created: true,
                canceled: true,
                cancel_reason: reason,
                ..WatchResponse::default()
            },
        ),
        (
            4,
            WatchResponse {
                header,
                watch_id: -1,
                fragment: true,
                events: vec![event],
                ..WatchResponse::default()
            },
        ),
        (8, WatchResponse { compact_revision: 5, ..WatchResponse::default() }),
    ];
    let ends = [
        None,
        Some((10, StreamEnd::Closed)),
        Some((10, StreamEnd::Broken)),
        Some((10, StreamEnd::Refused(api::Error::NoLeader))),
    ];
    let stream = |ended| WatchStream {
        client: 3,
        member: MemberId::new(2),
        opened: 2,
        sent: sent.clone(),
        received: received.clone(),
        ended,
    };
    ends.into_iter().map(stream).collect()
}

#[test]
fn streams_copies_and_users_are_read_back() {
    let mut written = HistoryFile::default();
    let shape = Shape { operations: 5, ..Shape::default() };
    (written.history, written.applied) = support::history(&mut Random(1), &shape);
    written.history.operations[0].user = Some("alice".into());
    written.history.watches = streams();
    let keys = ("a".into(), "\0".into());
    let pairs = vec![("a".into(), 3), (vec![0, 255].into(), i64::MAX)];
    written.history.caches.push(CacheView { client: 1, at: 5, keys: keys.clone(), revision: 3, pairs });
    written.history.caches.push(CacheView { client: 1, at: 6, keys, revision: 3, pairs: Vec::new() });
    let internal = Some(Box::new(CompactionRequest { revision: 2, physical: false }.into()));
    written.applied.push(Applied {
        index: 99,
        operation: None,
        internal,
        revision: 9,
        mutated: false,
        time: 7,
    });
    let mut text = Vec::new();
    written.write(&mut text).expect("a vector takes everything");
    let text = String::from_utf8(text).expect("JSON is text");
    assert!(text.starts_with(r#"{"format":"etcdsim-history-2","#), "{text}");
    assert_eq!(HistoryFile::read("run.jsonl", &text), Ok(written));
}

#[test]
fn a_malformed_stream_is_shown_where_it_is() {
    let opened = r#"{"stream": 4, "client": 1, "member": 1, "opened": 5}"#;
    let sent = r#"{"stream": 4, "at": 6, "sent": {"create_request": {"key": "YQ=="}}}"#;
    let cases = [
        (sent.to_string(), "run.jsonl:2:2: this stream was not opened"),
        (format!("{opened}\n{opened}"), "run.jsonl:3:2: this stream was opened before"),
        (format!("{opened}\n{}", sent.replace("6", "4")), "run.jsonl:3:"),
        (format!("{opened}\n{}", sent.replace("\"at\": 6", "\"at\": 4")), "run.jsonl:3:15: this is earlier"),
        (format!("{opened}\n{}", sent.replace("create_request", "creat_request")), "run.jsonl:3:"),
        (format!("{opened}\n{}", r#"{"stream": 4, "at": 6}"#), "run.jsonl:3:2: expected one of \"opened\""),
        (
            format!("{opened}\n{}", r#"{"stream": 4, "at": 6, "ended": "gone"}"#),
            "run.jsonl:3:24: expected \"closed\"",
        ),
        (r#"{"cache": {"client": 1, "at": 2}}"#.to_string(), "run.jsonl:2:"),
    ];
    for (lines, expected) in cases {
        let error = read(&lines).expect_err(&lines).to_string();
        assert!(error.starts_with(expected), "{error}\nshould start with\n{expected}\nfor {lines}");
    }
    let file = format!(
        "{opened}\n{sent}\n{}",
        r#"{"stream": 4, "at": 6, "ended": "refused", "error": {"message": "gone"}}"#
    );
    let read = read(&file).expect("a good file");
    assert_eq!(read.history.watches[0].ended, Some((6, StreamEnd::Broken)), "the transport's own words");
    let error =
        HistoryFile::read("run.jsonl", r#"{"format": "etcdsim-history-9"}"#).expect_err("a later one");
    assert!(error.to_string().starts_with("run.jsonl:1:2: unknown format"), "{error}");
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
    assert_eq!((file.setup.members, &file.starts[..]), (3, &[(MemberId::NONE, 22)][..]));
    let History { operations, .. } = &file.history;
    assert_eq!(operations.iter().map(|one| one.call).collect::<Vec<_>>(), [10, 15, 20]);
    assert!(matches!(operations[0].outcome, Outcome::Unknown { gave_up: 10 }));
    assert!(matches!(operations[1].outcome, Outcome::Error { at: 16, error: api::Error::FutureRev }));
}

#[test]
fn a_range_may_be_streamed() {
    let line = r#"{"client": 1, "member": 1, "rpc": "Range", "request": {"key": "YQ=="}, "streamed": true, "call": 20, "return": 30, "response": {"header": {"revision": "1"}}}"#;
    let file = read(line).expect("a good file");
    assert!(file.history.operations[0].streamed);
    let mut written = Vec::new();
    file.write(&mut written).expect("memory takes everything");
    assert!(String::from_utf8(written).unwrap().contains(r#""streamed":true"#));
    let put = line.replace("Range", "Put");
    assert!(read(&put).unwrap_err().what.contains("only a Range can be streamed"));
}

#[test]
fn numbers_of_members_own_requests_are_nobodys() {
    let entry = |operation: u64| {
        format!(
            r#"{{"applied": {{"index": 1, "operation": {operation}, "revision": 2, "mutated": true, "time": 5}}}}"#
        )
    };
    for own in [1 << 61, 1 << 62, u64::MAX] {
        assert_eq!(read(&entry(own)).expect("a good file").applied[0].operation, None);
    }
    assert!(read(&entry((1 << 61) - 1)).is_err());
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

#[test]
fn a_mark_at_the_beginning_has_no_meaning() {
    let text = format!("\u{feff}{SETUP}\n");
    assert_eq!(HistoryFile::read("run.jsonl", &text), HistoryFile::read("run.jsonl", &format!("{SETUP}\n")));
    let wrong = HistoryFile::read("run.jsonl", "\u{feff}{x").expect_err("not JSON");
    let plain = HistoryFile::read("run.jsonl", "{x").expect_err("not JSON");
    assert_eq!((wrong.line, wrong.column), (1, plain.column + 3));
}

#[test]
fn a_file_that_was_cut_off_says_so() {
    let last = r#"{"client": 1, "member": 1, "rpc": "Put", "request": {"key": "YQ=="}, "call": 20, "return": 30, "response": {}}"#;
    for end in 1..last.len() {
        let text = format!("{SETUP}\n{}", &last[..end]);
        let error = HistoryFile::read("run.jsonl", &text).expect_err("it was cut off").to_string();
        assert!(error.starts_with("run.jsonl:2:") && error.contains("cut off"), "{end}: {error}");
    }
    // If lines follow, something else is wrong.
    let error = read(&format!("{}\n{last}", &last[..40])).expect_err("a mistake").to_string();
    assert!(!error.contains("cut off"), "{error}");
}
