//! What `etcdsim check` prints about histories of etcd: what was judged, what was not, and why.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::etcdsim;
use crate::common::folder::Folder;

const HEAD: &str = r#"{"format": "etcdsim-history-2", "server": "etcd", "version": "3.6.1", "members": 3}"#;
/// Two clients hold one lock.
const TWO_HOLDERS: &str = "crates/verify/tests/data/F7-lock2.jsonl";
/// A serializable read goes back on its member.
const READ_BACK: &str = "crates/verify/tests/data/F7-ser-back.jsonl";
/// A user watches keys that it may not read.
const LEAK: &str = "crates/verify/tests/data/watch-leak.jsonl";

/// The administrator gives al the right to read the key a, and enables auth.
const USERS: &str = r#"
seed = 1
title = "A user who watches more than it may read"
[cluster]
members = 1
[run]
chaos = "5s"
[[client]]
user = "root:r"
operations = [
    '300ms call UserAdd {"name": "root", "password": "r"}',
    '350ms call RoleAdd {"name": "root"}',
    '400ms call UserGrantRole {"user": "root", "role": "root"}',
    '450ms call UserAdd {"name": "al", "password": "a"}',
    '500ms call RoleAdd {"name": "one"}',
    '550ms call RoleGrantPermission {"name": "one", "perm": {"permType": "READ", "key": "YQ=="}}',
    '600ms call UserGrantRole {"user": "al", "role": "one"}',
    '800ms call AuthEnable {}',
    '3s put c secret',
]
[[client]]
user = "al:a"
operations = ['1s get a', '2s watch WATCHED']
"#;

fn written(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file can be written");
    path.to_str().expect("a path of ASCII").to_string()
}

/// The result for one history, as JSON.
fn result(file: &str, code: i32) -> Value {
    let ended = etcdsim(&["check", "--json", file]).expect(code);
    let mut all: Value = serde_json::from_str(&ended.stdout).expect("one JSON object");
    all["histories"][0].take()
}

#[test]
fn a_verdict_says_what_was_judged_and_what_was_not() {
    let ended = etcdsim(&["check", TWO_HOLDERS]).expect(1);
    for part in ["2 operations, M1", "a lock was given while it was still held", "10 ns", "judged"] {
        assert!(ended.stdout.contains(part), "{part:?} in:\n{}", ended.stdout);
    }
    let ended = etcdsim(&["check", READ_BACK]).expect(3);
    for part in ["not decided", "went back (K2)", "\"fault\": \"restart\"", "not judged", "K4   acknowledged"]
    {
        assert!(ended.stdout.contains(part), "{part:?} in:\n{}", ended.stdout);
    }
    let folder = Folder::new();
    let unlock = r#"{"client": 1, "member": 1, "rpc": "Unlock", "request": {"key": "TC9hMQ=="}, "call": 10, "return": 20, "response": {"header": {"revision": "2"}}}"#;
    let nothing = written(&folder, "unlock.jsonl", &format!("{HEAD}\n{unlock}\n"));
    let ended = etcdsim(&["check", &nothing]).expect(3);
    assert!(ended.stdout.contains("not decided. Nothing in it could be judged."), "{}", ended.stdout);
    let put = r#"{"client": 1, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "value": "MQ=="}, "call": 1, "return": 2, "response": {"header": {"revision": "2"}}}"#;
    let held = written(&folder, "put.jsonl", &format!("{HEAD}\n{put}\n"));
    let ended = etcdsim(&["check", &held]).expect(0);
    assert!(ended.stdout.contains("1 operation, all held (K1); not judged in full: K4"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("because no linearizable read of everything comes after"),
        "{}",
        ended.stdout
    );
}

#[test]
fn json_says_the_same() {
    let history = result(READ_BACK, 3);
    assert_eq!(history["verdict"], "undecided");
    let quiet = history["not_judged"].as_array().expect("a list").iter();
    let quiet: Vec<_> = quiet.filter(|one| one["missing"] == "quiet-read").collect();
    assert_eq!((&quiet[0]["oracle"], &quiet[0]["count"]), (&"K4".into(), &2.into()), "{quiet:?}");
    assert!(quiet[0]["why"].as_str().is_some_and(|why| why.contains("read of everything")), "{quiet:?}");
    let checks = history["checks"].as_array().expect("a list");
    assert!(checks.iter().any(|one| one["oracle"] == "K1" && one["count"].as_u64() > Some(0)), "{checks:?}");
}

#[test]
fn the_general_engine_says_what_it_leaves_out() {
    let ended = etcdsim(&["check", "--engine", "general", READ_BACK]).expect(0);
    for part in
        ["all held (K1); not judged in full: K2", "serializable answers: 2, because the general engine"]
    {
        assert!(ended.stdout.contains(part), "{part:?} in:\n{}", ended.stdout);
    }
}

#[test]
fn a_watch_that_the_rights_forbid_is_refused_by_our_member_and_seen_by_the_judge() {
    let leak = etcdsim(&["check", LEAK]).expect(1);
    let title = "a watcher was created for keys that its user may not read";
    assert!(leak.stdout.contains(title), "{}", leak.stdout);
    let folder = Folder::new();
    // Only the key itself may be watched.
    for (watched, refused) in [("a", false), ("a..", true), ("a..b", true), ("b", true), ("all", true)] {
        let plan = written(&folder, "plan.toml", &USERS.replace("WATCHED", watched));
        let history = folder.path().join("history.jsonl");
        let history = history.to_str().expect("a path of ASCII");
        etcdsim(&["replay", &plan, "--history", history]).expect(0);
        let text = fs::read_to_string(Path::new(history)).expect("it was written");
        let creation = text.lines().find(|line| line.contains("\"created\"")).expect("an answer");
        assert_eq!(creation.contains("permission denied"), refused, "{watched}: {creation}");
        etcdsim(&["check", history]).expect(0);
        if refused {
            // Had the member accepted it, the judge would say so, also without the applied entries.
            let leaked = text.replacen(creation, &accepted(creation), 1);
            let without: String = leaked
                .lines()
                .filter(|line| !line.contains("{\"applied\""))
                .map(|line| format!("{line}\n"))
                .collect();
            for (name, text) in [("leaked.jsonl", leaked), ("without.jsonl", without)] {
                let ended = etcdsim(&["check", &written(&folder, name, &text)]).expect(1);
                assert!(ended.stdout.contains(title), "{watched}: {}", ended.stdout);
            }
        }
    }
}

#[test]
fn a_member_that_does_not_run_has_a_reason() {
    let folder = Folder::new();
    let plan = written(
        &folder,
        "full.toml",
        r#"
title = "A disk that is too small"
[cluster]
members = 1
[disk]
capacity = "256KiB"
[workload]
clients = 2
rate = "50/s"
value-bytes = "8KiB"
[run]
chaos = "10s"
"#,
    );
    let ended = etcdsim(&["run", &plan, "--seeds", "1", "--save", "0"]).expect(1);
    let line =
        ended.stdout.lines().find(|line| line.contains("Member 1 does not run: it ")).unwrap_or_default();
    assert!(line.contains("no space left on device"), "{}", ended.stdout);
}

/// The line of a stream with the answer to a creation, as if it had not been refused.
fn accepted(line: &str) -> String {
    let mut line: Value = serde_json::from_str(line).expect("JSON");
    let received = line["received"].as_object_mut().expect("a response");
    for field in ["canceled", "cancel_reason", "watch_id"] {
        received.remove(field);
    }
    line.to_string()
}
