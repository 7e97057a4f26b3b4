//! `etcdsim check` on histories of every format, with every engine, and on files that are not histories.

use std::fs;
use std::path::Path;

use crate::common::etcdsim;
use crate::common::folder::Folder;

const STALE_LOG: &str = "crates/linear/tests/data/jepsen-etcd/etcd_000.log";
const GOOD_LOG: &str = "crates/linear/tests/data/jepsen-etcd/etcd_002.log";
const GOOD_STORE: &str = "crates/linear/tests/data/porcupine-kv/c01-ok.txt";
const LARGE_STORE: &str = "crates/linear/tests/data/porcupine-kv/c10-ok.txt";
const BAD_STORE: &str = "crates/linear/tests/data/porcupine-kv/c01-bad.txt";

/// A correct history of a small etcd; one put got no answer.
const ETCD: &str = r#"{"format": "etcdsim-history-2", "server": "etcd", "version": "3.6.1", "members": 1, "clients": 2, "seed": 1}
{"client": 1, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "value": "MQ=="}, "call": 1, "return": 2, "response": {"header": {"revision": "2"}}}
{"client": 2, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "value": "Mg=="}, "call": 3, "return": null}
{"client": 1, "member": 1, "rpc": "Range", "request": {"key": "YQ=="}, "call": 4, "return": 5, "response": {"header": {"revision": "3"}, "kvs": [{"key": "YQ==", "create_revision": "2", "mod_revision": "3", "version": "2", "value": "Mg=="}], "count": "1"}}
{"client": 1, "member": 1, "rpc": "DeleteRange", "request": {"key": "YQ=="}, "call": 6, "return": 7, "response": {"header": {"revision": "4"}, "deleted": "1"}}
"#;

/// A report of two clients: the second client's put got no answer, and only the watch shows that it took effect.
const OPERATIONS: [&str; 2] = [
    r#"{"ClientId":1,"Input":{"Type":"txn","Txn":{"Conditions":null,"OperationsOnSuccess":[{"Type":"put-operation","Put":{"Key":"a","Value":{"Value":"1"}}}]}},"Call":10,"Output":{"Txn":{"Failure":false,"Results":[{"Deleted":0}]},"Revision":2},"Return":20}
{"ClientId":1,"Input":{"Type":"txn","Txn":{"Conditions":[{"Key":"a","ExpectedRevision":2}],"OperationsOnSuccess":[{"Type":"delete-operation","Delete":{"Key":"a"}}]}},"Call":50,"Output":{"Txn":{"Failure":false,"Results":[{"Deleted":1}]},"Revision":4},"Return":60}
"#,
    r#"{"ClientId":2,"Input":{"Type":"txn","Txn":{"Conditions":null,"OperationsOnSuccess":[{"Type":"put-operation","Put":{"Key":"b","Value":{"Value":"2"}}}]}},"Call":30,"Output":{"Error":"etcdserver: request timed out"},"Return":0}
{"ClientId":3,"Input":{"Type":"txn","Txn":{"Conditions":null,"OperationsOnSuccess":[{"Type":"put-operation","Put":{"Key":"b","Value":{"Value":"3"}}}]}},"Call":32,"Output":{"Error":"etcdserver: request timed out"},"Return":0}
"#,
];
const WATCH: &str = r#"{"Request":{"Key":"","Revision":1,"WithPrefix":true},"Responses":[{"Events":[{"Type":"put-operation","Key":"a","Value":{"Value":"1"},"Revision":2,"IsCreate":true},{"Type":"put-operation","Key":"b","Value":{"Value":"2"},"Revision":3,"IsCreate":true},{"Type":"delete-operation","Key":"a","Revision":4}],"Revision":4,"Time":70}]}
"#;

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
    fs::write(&path, text).expect("a file can be written");
    path.to_str().expect("a path of ASCII").to_string()
}

fn report(folder: &Path, operations: [&str; 2]) -> String {
    written(folder, "report/client-1/operations.json", operations[0]);
    written(folder, "report/client-2/operations.json", operations[1]);
    written(folder, "report/client-1/watch.json", WATCH);
    folder.join("report").to_str().expect("a path of ASCII").to_string()
}

#[test]
fn histories_recorded_elsewhere_are_judged() {
    let good = etcdsim(&["check", GOOD_LOG, GOOD_STORE]).expect(0);
    assert_eq!(good.stdout.matches("all held").count(), 2, "{}", good.stdout);
    let bad = etcdsim(&["check", STALE_LOG, BAD_STORE]).expect(1);
    assert_eq!(bad.stdout.matches("not linearizable").count(), 2, "{}", bad.stdout);
    assert!(bad.stdout.contains("cannot be next"), "{}", bad.stdout);
}

#[test]
fn a_history_of_etcd_by_both_engines() {
    let folder = Folder::new();
    let good = written(folder.path(), "good.jsonl", ETCD);
    // The read shows the old value at a revision that only the put without an answer can have made.
    let wrong = written(
        folder.path(),
        "wrong.jsonl",
        &ETCD.replace(r#""version": "2", "value": "Mg==""#, r#""version": "2", "value": "MQ==""#),
    );
    for engine in ["revision", "general"] {
        etcdsim(&["check", "--engine", engine, "--model", "etcd", &good]).expect(0);
        etcdsim(&["check", "--engine", engine, &wrong]).expect(1);
    }
}

#[test]
fn a_report_of_etcds_robustness_tests() {
    let folder = Folder::new();
    let good = etcdsim(&["check", &report(folder.path(), OPERATIONS)]).expect(0);
    assert!(good.stdout.contains("4 operations, all held"), "{}", good.stdout);

    // The transaction compares with a revision other than 2.
    let wrong = OPERATIONS[0].replace(r#""ExpectedRevision":2"#, r#""ExpectedRevision":1"#);
    let bad = etcdsim(&["check", &report(folder.path(), [&wrong, OPERATIONS[1]])]).expect(1);
    assert!(bad.stdout.contains("K1"), "{}", bad.stdout);

    // Without the second client no known write made revision 3, but another client may have.
    let alone = written(folder.path(), "alone/operations.json", OPERATIONS[0]);
    etcdsim(&["check", &alone]).expect(3);
    let watches = written(folder.path(), "watches/watch.json", WATCH);
    let refused = etcdsim(&["check", &watches]).expect(2);
    assert!(refused.explains("only what watchers saw"), "{}", refused.stderr);
}

#[test]
fn transactions_on_lists() {
    let folder = Folder::new();
    let events = |read: &str| {
        format!(
            "{{:type :invoke, :f :txn, :value [[:append 1 1]], :process 0}}
{{:type :ok, :f :txn, :value [[:append 1 1]], :process 0}}
{{:type :invoke, :f :txn, :value [[:r 1 nil]], :process 1}}
{{:type :ok, :f :txn, :value [[:r 1 {read}]], :process 1}}\n"
        )
    };
    let good = written(folder.path(), "good.edn", &events("[1]"));
    etcdsim(&["check", "--model", "list-append", &good]).expect(0);
    let stale = written(folder.path(), "stale.edn", &events("[]"));
    let ended = etcdsim(&["check", &stale]).expect(1);
    assert!(ended.stdout.contains("in a circle"), "{}", ended.stdout);
}

#[test]
fn a_written_history_gets_the_same_verdict() {
    let folder = Folder::new();
    for (history, code) in [(STALE_LOG, 1), (GOOD_STORE, 0)] {
        let copy = folder.path().join("copy.jsonl");
        let copy = copy.to_str().expect("a path of ASCII");
        etcdsim(&["check", history, "--write", copy]).expect(code);
        assert!(fs::read_to_string(copy).expect("it was written").contains("etcdsim-general-1"));
        etcdsim(&["check", "--format", "general", copy]).expect(code);
    }
}

#[test]
fn a_malformed_line_is_shown_with_its_position() {
    let folder = Folder::new();
    for (name, text, place) in [
        (
            "a.jsonl",
            "{\"format\": \"etcdsim-general-1\", \"model\": \"register\"}\n{\"client\": 1, \"op\": \"raed\"}\n",
            "a.jsonl:2:",
        ),
        ("b.edn", "{:type :invoke, :f :read, :process 0}\n{:type :ok, :f :write, :process 0}\n", "b.edn:2:"),
        (
            "c.log",
            "INFO  jepsen.util - 0 :invoke :read nil\nINFO  jepsen.util - 0 :okay :read nil\n",
            "c.log:2:23",
        ),
        ("d.jsonl", &ETCD.replace("\"rpc\": \"Range\"", "\"rpc\": \"Rnage\""), "d.jsonl:4:"),
        ("e.json", "{\"ClientId\":1,\"Input\":{}}\n", "e.json:1:"),
        ("f.txt", "what is this?\n", "f.txt:1:1"),
    ] {
        let path = written(folder.path(), name, text);
        let ended = etcdsim(&["check", &path]).expect(2);
        let flat: String = ended.stderr.split_whitespace().collect();
        assert!(flat.contains(place), "{name}: {}", ended.stderr);
        assert!(ended.explains("help:"), "{name}: {}", ended.stderr);
    }
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let refused = etcdsim(&["check", "--model", "queue", GOOD_LOG]).expect(2);
    assert!(refused.explains("--model cas-register"), "{}", refused.stderr);
    etcdsim(&["check", "--engine", "revision", GOOD_LOG]).expect(2);
    etcdsim(&["check", GOOD_LOG, GOOD_STORE, "--write", "nowhere"]).expect(2);
    etcdsim(&["check", "there/is/no/such.file"]).expect(2);
    etcdsim(&["check"]).expect(2);
    etcdsim(&["check", "--clients", "3", GOOD_LOG]).expect(2);
}

#[test]
fn a_budget_ends_undecided() {
    let ended = etcdsim(&["check", "--together", "--steps", "2000", LARGE_STORE]).expect(3);
    assert!(ended.stdout.contains("it used up its steps"), "{}", ended.stdout);
}

#[test]
fn the_bench_reports_time_and_memory() {
    let ended = etcdsim(&[
        "check",
        "--bench",
        "--operations",
        "2000",
        "--clients",
        "5",
        "--keys",
        "3",
        "--unknown",
        "20",
        "--samples",
        "1",
        "--json",
    ])
    .expect(0);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).expect("one JSON object");
    let cells = json["cells"].as_array().expect("a list");
    assert_eq!(cells.len(), 4, "two engines, good and stale");
    // If the peak can be reset, it can be measured.
    let measures_memory = fs::write("/proc/self/clear_refs", "5").is_ok();
    for cell in cells {
        assert!(cell["verdict_ns"].as_u64() > Some(0), "{cell}");
        assert_eq!(cell["conflict"].as_u64() > Some(0), cell["stale"] == true, "{cell}");
        assert_eq!(cell["peak_bytes"].is_u64(), measures_memory, "{cell}");
    }
}

/// A pipe can be read only once: format detection must not consume its beginning.
#[cfg(unix)]
#[test]
fn a_pipe_is_read_once() {
    let folder = Folder::new();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo can be run").success());
    let log = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(STALE_LOG)).expect("a log");
    #[allow(
        clippy::disallowed_methods,
        reason = "the test writes into the pipe while the command reads from it"
    )]
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, log)
    });
    let ended = etcdsim(&["check", pipe.to_str().expect("a path of ASCII")]).expect(1);
    assert!(ended.stdout.contains("85 operations"), "{}", ended.stdout);
    writer.join().expect("the writer ends").expect("the pipe takes all");
}

#[test]
fn the_first_line_of_a_history_of_etcd_is_no_operation() {
    let folder = Folder::new();
    let (_, operations) = ETCD.split_once('\n').expect("several lines");
    let headless = written(folder.path(), "headless.jsonl", operations);
    let refused = etcdsim(&["check", &headless]).expect(2);
    assert!(refused.explains("not the set-up"), "{}", refused.stderr);
}

#[test]
fn a_revision_far_beyond_all_others_takes_no_longer() {
    let folder = Folder::new();
    let far = r#"{"format": "etcdsim-history-2"}
{"client": 1, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "value": "MQ=="}, "call": 1, "return": 2, "response": {"header": {"revision": "2"}}}
{"client": 1, "member": 1, "rpc": "Put", "request": {"key": "Yg==", "value": "MQ=="}, "call": 3, "return": 4, "response": {"header": {"revision": "9000000000000000000"}}}
{"client": 2, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "ignore_value": true}, "call": 3, "return": 6, "error": {"message": "etcdserver: key not found", "code": 5}}
"#;
    let far = written(folder.path(), "far.jsonl", far);
    let ended = etcdsim(&["check", &far]).expect(1);
    assert!(ended.stdout.contains("nobody made revision 3"), "{}", ended.stdout);
}

#[test]
fn a_report_with_a_return_before_its_call_is_refused() {
    let folder = Folder::new();
    let early = OPERATIONS[0].replace("\"Return\":20", "\"Return\":5");
    let refused = etcdsim(&["check", &report(folder.path(), [&early, OPERATIONS[1]])]).expect(2);
    assert!(refused.explains("a return at 10 or later"), "{}", refused.stderr);
}

#[test]
fn a_value_that_is_appended_twice_is_no_violation() {
    let folder = Folder::new();
    let once = "{:type :invoke, :f :txn, :value [[:append 1 2]], :process 0}
{:type :ok, :f :txn, :value [[:append 1 2]], :process 0}\n";
    let twice = written(folder.path(), "twice.edn", &once.repeat(2));
    let ended = etcdsim(&["check", &twice]).expect(3);
    assert!(ended.stdout.contains("appended twice"), "{}", ended.stdout);
}

#[test]
fn a_history_that_cannot_be_written_leaves_the_file_alone() {
    let folder = Folder::new();
    let lists = "{:type :invoke, :f :txn, :value [[:append 1 2]], :process 0}\n";
    let alone = written(folder.path(), "alone/operations.json", OPERATIONS[0]);
    for history in [written(folder.path(), "lists.edn", lists), alone] {
        let before = fs::read(&history).expect("it is there");
        etcdsim(&["check", &history, "--write", &history]).expect(2);
        assert_eq!(fs::read(&history).expect("it is there"), before);
    }
}

/// Columns count bytes, also after multi-byte characters; a line that is too long to read is not shown.
#[test]
fn the_expected_input_is_always_named() {
    let folder = Folder::new();
    for (length, place) in [(8, "2:74:"), (100_000, "2:200058:")] {
        let text = format!(
            "{{\"format\":\"etcdsim-general-1\",\"model\":\"register\"}}\n{{\"client\":1,\"op\":\"read\",\"call\":1,\"return\":2,\"result\":\"{}\", \"x\":1}}\n",
            "é".repeat(length)
        );
        let path = written(folder.path(), "letters.jsonl", &text);
        let refused = etcdsim(&["check", &path]).expect(2);
        assert!(refused.explains(place), "{}", refused.stderr);
        assert!(refused.explains("expected client, op, key"), "{}", refused.stderr);
        assert!(refused.stderr.len() < 4000, "{}", refused.stderr.len());
    }
}

/// etcd's report has the store's text of the error, without the service's name in front.
#[test]
fn a_refused_compaction_in_a_report_was_refused() {
    let folder = Folder::new();
    let judge = |name: &str, compacted: i64| {
        let compaction = |revision: i64, call: i64, output: &str| {
            format!(
                "{{\"ClientId\":1,\"Input\":{{\"Type\":\"compact\",\"Compact\":{{\"Revision\":{revision}}}}},\"Call\":{call},\"Output\":{{{output}}},\"Return\":{}}}\n",
                call + 1
            )
        };
        let refused = compaction(2, 80, r#""ClientError":"mvcc: required revision has been compacted""#);
        let accepted = compaction(compacted, 70, r#""Compact":{},"Revision":-1"#);
        let (put, _) = OPERATIONS[0].split_once('\n').expect("several lines");
        written(
            folder.path(),
            &format!("{name}/client-1/operations.json"),
            &format!("{put}\n{accepted}{refused}"),
        );
        etcdsim(&["check", folder.path().join(name).to_str().expect("a path of ASCII")])
    };
    judge("reason", 2).expect(0);
    let ended = judge("none", 1).expect(1);
    assert!(ended.stdout.contains("K3"), "{}", ended.stdout);
}

#[test]
fn results_before_a_mistake_are_printed() {
    let folder = Folder::new();
    let empty = written(folder.path(), "empty.edn", "");
    let ended = etcdsim(&["check", STALE_LOG, "--format", "jepsen-log", &empty]).expect(2);
    assert!(ended.stdout.contains("not linearizable"), "{}", ended.stdout);
    assert!(ended.explains("empty.edn:1:1"), "{}", ended.stderr);
    let ended = etcdsim(&["check", STALE_LOG, "no-such-file", "--json"]).expect(2);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(json["histories"].as_array().map(Vec::len), Some(1), "{json}");
    assert!(ended.explains("no-such-file"), "{}", ended.stderr);

    let path = folder.path().to_str().expect("a path of ASCII");
    let ended = etcdsim(&["check", path, "--format", "edn"]).expect(2);
    assert!(ended.explains("is a folder"), "{}", ended.stderr);
    etcdsim(&["check", "--bench", "--clients", "0"]).expect(2);
}
