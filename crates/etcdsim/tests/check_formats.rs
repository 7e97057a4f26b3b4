//! `etcdsim check` on Jepsen's workloads, and what it says of histories of any model.

use std::fs;

use crate::common::etcdsim;
use crate::common::folder::Folder;

/// An event of EDN.
fn event(process: u32, kind: &str, f: &str, value: &str) -> String {
    format!("{{:type :{kind}, :f :{f}, :value {value}, :process {process}}}\n")
}

/// A call and its answer, with nothing in between.
fn done(process: u32, f: &str, asked: &str, answer: &str) -> String {
    event(process, "invoke", f, asked) + &event(process, "ok", f, answer)
}

fn all(parts: &[String]) -> String {
    parts.concat()
}

/// Judges a file and expects an exit code and texts in the result.
fn judged(name: &str, text: &str, options: &[&str], code: i32, says: &[&str]) {
    let folder = Folder::new();
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file can be written");
    let path = path.to_str().expect("a path of ASCII");
    let ended = etcdsim(&[&["check", path], options].concat()).expect(code);
    for say in says {
        assert!(
            ended.stdout.contains(say) || ended.explains(say),
            "{say:?}: {}{}",
            ended.stdout,
            ended.stderr
        );
    }
}

fn edn(text: &str, options: &[&str], code: i32, says: &[&str]) {
    judged("h.edn", text, options, code, says);
}

#[test]
fn registers_that_do_not_begin_at_nil() {
    let zero = done(0, "read", "nil", "0");
    edn(&zero, &[], 1, &["try --initial 0"]);
    edn(&zero, &["--initial", "0"], 0, &["all held"]);
    edn(&zero, &["--initial", "1"], 1, &["register holds 1"]);
    let keyword = done(0, "read", "nil", ":empty");
    edn(&keyword, &[], 1, &["try --initial :empty"]);
    edn(&keyword, &["--initial", ":empty"], 0, &[]);
    // Every key begins with it.
    let keyed = all(&[done(0, "read", "[1 nil]", "[1 0]"), done(0, "read", "[2 nil]", "[2 0]")]);
    edn(&keyed, &["--initial", "0"], 0, &[]);
    // A compare-and-set that worked shows what was there, too.
    edn(&done(0, "cas", "[0 3]", "[0 3]"), &[], 1, &["try --initial 0"]);
    // No first value mends this.
    let stale = all(&[done(0, "write", "1", "1"), done(0, "write", "2", "2"), done(1, "read", "nil", "1")]);
    let ended_without_hint = |text: &str| {
        let folder = Folder::new();
        let path = folder.path().join("h.edn");
        fs::write(&path, text).expect("a file can be written");
        let ended = etcdsim(&["check", path.to_str().expect("a path of ASCII")]).expect(1);
        assert!(!ended.stdout.contains("--initial"), "{}", ended.stdout);
    };
    ended_without_hint(&stale);
    edn(&done(0, "enqueue", "1", "1"), &["--initial", "0"], 2, &["cannot begin with 0"]);
    edn(&done(0, "add", "1", "1"), &["--start-revision", "7"], 2, &["has no revisions"]);
}

#[test]
fn sets_and_lists_that_show_an_element_twice() {
    let set = |answer: &str| all(&[done(0, "add", "0", "0"), done(1, "read", "nil", answer)]);
    edn(
        &set("[0 0]"),
        &[],
        1,
        &["[0, 0], an element more than once", "this operation cannot be put in order"],
    );
    edn(&set("[0]"), &[], 0, &[]);
    edn(&set("#{0}"), &[], 0, &[]);
    edn(&set("[0 1 1]"), &[], 1, &[]);
    // Even where nothing else is known.
    edn(&done(1, "read", "nil", "[5 5]"), &["--model", "register"], 2, &[]);
    let list = |answer: &str| {
        all(&[
            done(0, "txn", "[[:append :x 0]]", "[[:append :x 0]]"),
            done(1, "txn", "[[:r :x nil]]", &format!("[[:r :x {answer}]]")),
        ])
    };
    edn(&list("[0 0]"), &[], 1, &["read [0, 0] from :x: 0 twice", "read :x -> [0, 0]"]);
    edn(&list("[0]"), &[], 0, &[]);
}

#[test]
fn versioned_registers() {
    let written = done(0, "write", "[nil 3]", "[1 3]");
    let read = |answer: &str| all(&[written.clone(), done(1, "read", "[nil nil]", answer)]);
    edn(&read("[1 3]"), &["--model", "versioned-register"], 0, &[]);
    edn(&read("[2 3]"), &[], 1, &["3 at version 2"]);
    edn(&read("[0 nil]"), &[], 1, &[]);
    edn(&read("[nil nil]"), &[], 1, &["null at version 0"]);
    edn(&all(&[written.clone(), done(1, "write", "[nil 4]", "[1 4]")]), &[], 1, &[]);
    edn(&all(&[written.clone(), done(1, "write", "[nil 4]", "[2 4]")]), &[], 0, &[]);
    edn(&all(&[written.clone(), done(1, "cas", "[nil [3 4]]", "[nil [3 4]]")]), &[], 0, &[]);
    // The version of a write that got no answer is counted.
    let lost = all(&[
        event(2, "invoke", "write", "[nil 7]"),
        event(2, "info", "write", "[nil 7]"),
        done(0, "write", "[nil 3]", "[2 3]"),
    ]);
    edn(&lost, &[], 0, &[]);
}

#[test]
fn locks() {
    let acquired = |process| done(process, "acquire", "nil", "nil");
    let released = |process| done(process, "release", "nil", "nil");
    edn(&all(&[acquired(0), released(0), acquired(1)]), &["--model", "lock"], 0, &[]);
    edn(&all(&[acquired(0), acquired(1)]), &[], 1, &["0 owns the lock"]);
    edn(&all(&[released(0)]), &[], 1, &[]);
    edn(&all(&[acquired(0), released(1), acquired(2)]), &[], 0, &[]);
    let refused = event(1, "invoke", "acquire", "nil") + &event(1, "fail", "acquire", "nil");
    edn(&all(&[acquired(0), refused]), &[], 0, &[]);
}

#[test]
fn counters() {
    let added = |number: i64| done(0, "add", &number.to_string(), &number.to_string());
    let read = |number: i64| done(1, "read", "nil", &number.to_string());
    edn(&all(&[added(1), added(1), read(2)]), &["--model", "counter"], 0, &[]);
    edn(&all(&[added(1), added(1), read(3)]), &[], 1, &["at least 2 and at most 2"]);
    edn(&all(&[added(1), read(0)]), &[], 1, &["at least 1 and at most 1"]);
    edn(&all(&[added(5), added(-3), read(2)]), &[], 0, &[]);
    // Additions in flight may count or not, but not for one read and then no more.
    let open = event(2, "invoke", "add", "1");
    edn(&all(&[open.clone(), read(0), read(1)]), &[], 0, &[]);
    edn(&all(&[open.clone(), read(1), read(0)]), &[], 1, &["nothing negative is added"]);
    edn(&all(&[open, read(2)]), &[], 1, &["at least 0 and at most 1"]);
    let failed = event(2, "invoke", "add", "1") + &event(2, "fail", "add", "1");
    edn(&all(&[failed, read(1)]), &[], 1, &["try --initial 1"]);
    edn(&all(&[read(7)]), &["--initial", "7"], 0, &[]);
    // Sums alone do not show this: the numbers in between were never there.
    let odd = all(&[event(2, "invoke", "add", "2"), event(3, "invoke", "add", "2"), read(1)]);
    edn(&odd, &[], 1, &[]);
}

#[test]
fn banks() {
    let read = |balances: &str| done(1, "read", "nil", balances);
    let moved = |amount: i64| {
        let transfer = format!("{{:from 0, :to 1, :amount {amount}}}");
        done(0, "transfer", &transfer, &transfer)
    };
    edn(&all(&[read("{0 10, 1 0}"), moved(4), read("{0 6, 1 4}")]), &["--model", "bank"], 0, &[]);
    edn(&all(&[read("{0 10, 1 0}"), moved(4), read("{0 6, 1 5}")]), &[], 1, &["shows 10 in all", "shows 11"]);
    edn(&all(&[read("{0 10, 1 0}"), moved(4), read("{0 10, 1 0}")]), &[], 1, &["transfer 4 from 0 to 1"]);
    // An account that holds nothing may be left out.
    edn(&all(&[moved(4), read("{0 6, 1 4}"), moved(6), read("{1 10}")]), &[], 0, &[]);
    edn(&read("{0 11, 1 -1}"), &[], 1, &["--negative-balances"]);
    edn(&read("{0 11, 1 -1}"), &["--negative-balances"], 0, &[]);
    edn(&read("{0 11, 1 nil}"), &[], 1, &["without a balance"]);
    // The first read decides what was there, whatever was moved before.
    let transfer = "{:from 0, :to 1, :amount 3}";
    let open = event(0, "invoke", "transfer", transfer);
    edn(&all(&[open.clone(), read("{0 7, 1 3}"), read("{0 4, 1 6}")]), &[], 0, &[]);
    edn(&all(&[open, read("{0 7, 1 3}"), read("{0 4, 1 6}"), read("{0 7, 1 3}")]), &[], 1, &[]);
}

#[test]
fn drains() {
    let put = |number: i64| done(0, "enqueue", &number.to_string(), &number.to_string());
    let drained = |answer: &str| done(1, "drain", "nil", answer);
    edn(&all(&[put(1), put(2), drained("[1 2]")]), &["--model", "queue"], 0, &[]);
    edn(&all(&[put(1), put(2), drained("[2 1]")]), &[], 1, &[]);
    edn(&all(&[put(1), drained("[1 1]")]), &[], 1, &[]);
    edn(&all(&[put(1), drained("[]"), drained("[1]")]), &[], 0, &[]);
    // The dequeue took what nobody had put in.
    edn(&all(&[put(1), done(1, "dequeue", "nil", "2"), drained("[1]")]), &[], 1, &["was never put in"]);
    let lost = event(1, "invoke", "drain", "nil") + &event(1, "info", "drain", "nil");
    edn(&all(&[put(1), put(2), lost, done(2, "dequeue", "nil", "nil")]), &[], 0, &[]);
    edn(&all(&[put(1), event(1, "invoke", "peek", "nil")]), &[], 2, &["h.edn:3:1", "not :peek"]);
}

#[test]
fn watchers() {
    let saw = |process, log: &str| done(process, "watch", "nil", &format!("{{:revision 9, :log {log}}}"));
    let wrote = |number: i64| done(0, "write", &number.to_string(), &number.to_string());
    edn(
        &all(&[wrote(0), wrote(1), saw(5, "[0 1]"), saw(6, "[0]"), saw(6, "[1]")]),
        &["--model", "list"],
        0,
        &[],
    );
    // A gap, a wrong order, an event that nobody wrote, an event twice, two orders.
    edn(&all(&[wrote(0), wrote(1), wrote(2), saw(5, "[0 2]")]), &[], 1, &[]);
    edn(&all(&[wrote(0), wrote(1), saw(5, "[1 0]")]), &[], 1, &[]);
    edn(&all(&[wrote(0), saw(5, "[0 7]")]), &[], 1, &[]);
    edn(&all(&[wrote(0), saw(5, "[0 0]")]), &[], 1, &[]);
    let both = event(0, "invoke", "write", "0") + &event(1, "invoke", "write", "1");
    edn(&all(&[both.clone(), saw(5, "[0 1]"), saw(6, "[1 0]")]), &[], 1, &[]);
    edn(&all(&[both, saw(5, "[0 1]"), saw(6, "[0 1]")]), &[], 0, &[]);
    let complaint = event(5, "invoke", "watch", "nil")
        + "{:type :fail, :f :watch, :process 5, :error [:nonmonotonic-watch \"oh\"]}\n";
    edn(&all(&[wrote(0), complaint]), &[], 1, &["in the wrong order of their revisions"]);
}

#[test]
fn transactions_on_registers() {
    let txn = |process, asked: &str, answer: &str| done(process, "txn", asked, answer);
    let wrote = |process, text: &str| txn(process, text, text);
    let good = all(&[wrote(0, "[[:w :x 1]]"), txn(1, "[[:r :x nil] [:w :y 2]]", "[[:r :x 1] [:w :y 2]]")]);
    edn(&good, &["--model", "rw-register"], 0, &["all held"]);
    edn(&txn(0, "[[:r :x nil]]", "[[:r :x 3]]"), &[], 1, &["which nobody wrote", "try --initial 3"]);
    edn(&all(&[wrote(0, "[[:w :x 1]]"), txn(1, "[[:r :x nil]]", "[[:r :x nil]]")]), &[], 1, &["in a circle"]);
    // A write that failed, one that its own transaction replaced, and what does not fit the own steps.
    let failed = event(0, "invoke", "txn", "[[:w :x 1]]") + &event(0, "fail", "txn", "[[:w :x 1]]");
    edn(&all(&[failed, txn(1, "[[:r :x nil]]", "[[:r :x 1]]")]), &[], 1, &["was reported as failed"]);
    let twice = wrote(0, "[[:w :x 1] [:w :x 2]]");
    edn(&all(&[twice, txn(1, "[[:r :x nil]]", "[[:r :x 1]]")]), &[], 1, &["replaced itself"]);
    edn(&txn(0, "[[:w :x 1] [:r :x nil]]", "[[:w :x 1] [:r :x 2]]"), &[], 1, &["its own earlier steps"]);
    // Write skew.
    let skew = all(&[
        event(0, "invoke", "txn", "[[:r :x nil] [:w :y 1]]"),
        event(1, "invoke", "txn", "[[:r :y nil] [:w :x 1]]"),
        event(0, "ok", "txn", "[[:r :x nil] [:w :y 1]]"),
        event(1, "ok", "txn", "[[:r :y nil] [:w :x 1]]"),
    ]);
    edn(&skew, &[], 1, &["in a circle"]);
    // Only a search shows that these reads see two writes in different orders.
    let both = event(0, "invoke", "txn", "[[:w :x 1] [:w :y 1]]")
        + &event(1, "invoke", "txn", "[[:w :x 2] [:w :y 2]]");
    let mixed = all(&[both.clone(), txn(2, "[[:r :x nil] [:r :y nil]]", "[[:r :x 1] [:r :y 2]]")]);
    edn(&mixed, &[], 1, &[]);
    edn(&all(&[both, txn(2, "[[:r :x nil] [:r :y nil]]", "[[:r :x 2] [:r :y 2]]")]), &[], 0, &[]);
    // A value that is written twice does not show who wrote it, but the search knows.
    let again =
        all(&[wrote(0, "[[:w :x 1]]"), wrote(1, "[[:w :x 1]]"), txn(2, "[[:r :x nil]]", "[[:r :x 1]]")]);
    edn(&again, &[], 0, &[]);
    let stale = all(&[again.clone(), wrote(0, "[[:w :x 2]]"), txn(2, "[[:r :x nil]]", "[[:r :x 1]]")]);
    edn(&stale, &[], 1, &[]);
}

#[test]
fn histories_in_json_and_as_lines() {
    let json = r#"[{"type":"invoke","f":"txn","value":[["w","x",2]],"process":0,"index":1},
{"type":"ok","f":"txn","value":[["w","x",2]],"process":0,"index":2},
{"type":"invoke","f":"txn","value":[["r","x",null]],"process":0,"index":3},
{"type":"ok","f":"txn","value":[["r","x",3]],"process":0,"index":4}]"#;
    judged("h.json", json, &[], 1, &["which nobody wrote", ":index 3, 4"]);
    judged("h.json", &json.replace("\"x\",3", "\"x\",2"), &[], 0, &[]);
    judged(
        "h.json",
        &json.replace("},\n{", "}\n{").replace(['[', ']'], ""),
        &["--format", "jepsen-json"],
        2,
        &[],
    );
    let lines = "0\t:invoke\t:write\t1\n0\t:ok\t:write\t1\n1\t:invoke\t:read\tnil\n1\t:ok\t:read\tnil\n";
    judged("history.txt", lines, &[], 1, &["register holds 1"]);
    judged("history.txt", lines, &["--format", "jepsen-text"], 1, &[]);
    let log: String = lines
        .lines()
        .map(|line| format!("2024-01-31 15:20:12,001{{GMT}}\tINFO\t[jepsen worker 0] jepsen.util: {line}\n"))
        .collect();
    judged("jepsen.log", &log, &[], 1, &["register holds 1"]);
    judged("jepsen.log", &log, &["--model", "queue"], 2, &[]);
    // A failed compare-and-set says nothing here, as in every Jepsen history of today.
    let failed = "0\t:invoke\t:cas\t[1 2]\n0\t:fail\t:cas\t[1 2]\n";
    judged("history.txt", failed, &[], 0, &[]);
}

#[test]
fn operations_are_cited_as_jepsen_does() {
    let numbered = "{:type :invoke, :f :write, :value 1, :process 0, :index 10}
{:type :info, :f :kill, :process :nemesis, :index 11}
{:type :ok, :f :write, :value 1, :process 0, :index 12}
{:type :invoke, :f :read, :value nil, :process 1, :index 13}
{:type :ok, :f :read, :value 2, :process 1, :index 14}";
    edn(numbered, &[], 1, &["(:index 13, 14)"]);
}

#[test]
fn a_write_that_was_reported_as_failed_is_named() {
    let failed = event(0, "invoke", "write", "3") + &event(0, "fail", "write", "3");
    let read = done(1, "read", "nil", "3");
    edn(
        &all(&[failed.clone(), read.clone()]),
        &[],
        1,
        &["#1 shows what #0, write(3), wrote, which was reported as failed"],
    );
    let put = event(0, "invoke", "enqueue", "3") + &event(0, "fail", "enqueue", "3");
    edn(&all(&[put, done(1, "dequeue", "nil", "3")]), &[], 1, &["was reported as failed"]);
    let add = event(0, "invoke", "add", "3") + &event(0, "fail", "add", "3");
    edn(&all(&[add, done(1, "read", "nil", "#{3}")]), &[], 1, &["was reported as failed"]);
    // If somebody else wrote it, too, that one may have been seen.
    let other = done(2, "write", "3", "3");
    edn(&all(&[failed, other, read]), &[], 0, &[]);
}

#[test]
fn the_explanation_of_a_queue_is_true() {
    let text = r#"{"format": "etcdsim-general-1", "model": "queue"}
{"client": 1, "op": "enqueue", "call": 1, "return": 2, "value": 1}
{"client": 2, "op": "dequeue", "call": 3, "return": 4, "result": 1}
{"client": 2, "op": "dequeue", "call": 5, "return": 6, "result": 1}
"#;
    judged("h.jsonl", text, &[], 1, &["#1 answered 1, and so did #2, but only #0 enqueue(1) put it in"]);
}

#[test]
fn a_bad_file_does_not_stop_the_others() {
    let folder = Folder::new();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file can be written");
        path.to_str().expect("a path of ASCII").to_string()
    };
    let broken = file("broken.edn", "{:type :invoke");
    let other = file("other.edn", "what is this?");
    let good = file("good.edn", &done(0, "write", "1", "1"));
    let bad = file("bad.edn", &done(0, "read", "nil", "1"));
    let ended = etcdsim(&["check", &broken, &good, &other, &bad]).expect(2);
    assert!(ended.stdout.contains("good.edn: 1 operation of a register, all held"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("bad.edn: 1 operation of a register, not linearizable"),
        "{}",
        ended.stdout
    );
    assert!(ended.explains("broken.edn:1:15") && ended.explains("other.edn:1:1"), "{}", ended.stderr);
    let ended = etcdsim(&["check", "--json", &broken, &good]).expect(2);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(json["histories"].as_array().map(Vec::len), Some(1), "{json}");
    assert_eq!(json["mistakes"].as_array().map(Vec::len), Some(1), "{json}");
    etcdsim(&["check", &good, &bad]).expect(1);
}

/// A store that was in use before the history began.
#[test]
fn a_start_revision_is_inferred_and_taken() {
    let text = r#"{"format": "etcdsim-history-2", "server": "etcd", "members": 1}
{"client": 1, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "value": "MQ=="}, "call": 1, "return": 2, "response": {"header": {"revision": "58"}}}
{"client": 1, "member": 1, "rpc": "Range", "request": {"key": "YQ=="}, "call": 4, "return": 5, "response": {"header": {"revision": "58"}, "kvs": [{"key": "YQ==", "create_revision": "58", "mod_revision": "58", "version": "1", "value": "MQ=="}], "count": "1"}}
"#;
    judged("h.jsonl", text, &[], 1, &["try --start-revision 57"]);
    judged("h.jsonl", text, &["--start-revision", "57"], 0, &["all held"]);
    let wrong = text.replace("\"value\": \"MQ==\"}], \"count\"", "\"value\": \"Mg==\"}], \"count\"");
    judged("h.jsonl", &wrong, &["--start-revision", "57"], 1, &["K1"]);
    judged("h.jsonl", text, &["--start-revision", "0"], 2, &[]);
}

/// What was there before the history began is not in the file, so it counts as a violation; the hint says so.
#[test]
fn keys_and_leases_from_before_the_history() {
    let first = r#"{"format": "etcdsim-history-2", "server": "etcd", "members": 1}"#;
    let old = r#"{"client": 1, "member": 1, "rpc": "Range", "request": {"key": "Yg=="}, "call": 1, "return": 2, "response": {"header": {"revision": "57"}, "kvs": [{"key": "Yg==", "create_revision": "12", "mod_revision": "40", "version": "3", "value": "MQ=="}], "count": "1"}}"#;
    let put = r#"{"client": 1, "member": 1, "rpc": "Put", "request": {"key": "YQ==", "value": "MQ=="}, "call": 3, "return": 4, "response": {"header": {"revision": "58"}}}"#;
    let stale = r#"{"client": 1, "member": 1, "rpc": "Range", "request": {"key": "YQ=="}, "call": 5, "return": 6, "response": {"header": {"revision": "58"}}}"#;
    let begun = ["--start-revision", "57"];
    let hint = "--start-revision 57 takes the store for empty at revision 57, without keys and leases, but";
    let key = format!("{hint} an answer shows the key b, created at revision 12.");
    judged("h.jsonl", &format!("{first}\n{old}\n{put}\n"), &begun, 1, &["K1", &key]);
    let general = ["--start-revision", "57", "--engine", "general"];
    judged("h.jsonl", &format!("{first}\n{old}\n{put}\n"), &general, 1, &[&key]);
    let leased = put.replace(r#""MQ=="}"#, r#""MQ==", "lease": "7"}"#);
    let lease = format!("{hint} #0 uses lease 7, which nobody granted in the file.");
    judged("h.jsonl", &format!("{first}\n{leased}\n"), &begun, 1, &["K1", &lease]);
    // Without the option, it is no way out, and the hint says that.
    let found = "the first answers are of revision 57";
    judged("h.jsonl", &format!("{first}\n{old}\n{put}\n"), &[], 1, &["K1", found, "for empty"]);
    // A violation that nothing from before explains has no such hint, nor has a history from the beginning.
    let from_start = format!("{first}\n{put}\n{stale}\n").replace("58", "2");
    for (text, arguments) in [(format!("{first}\n{put}\n{stale}\n"), &begun[..]), (from_start, &[][..])] {
        let folder = Folder::new();
        let path = folder.path().join("h.jsonl");
        fs::write(&path, text).expect("a file can be written");
        let path = path.to_str().expect("a path of ASCII");
        let ended = etcdsim(&[&["check", path], arguments].concat()).expect(1);
        assert!(!ended.stdout.contains("for empty"), "{}", ended.stdout);
    }
}

#[test]
fn a_stream_that_ended_has_no_more_lines() {
    let text = r#"{"format": "etcdsim-history-2"}
{"stream": 0, "client": 1, "member": 1, "opened": 5}
{"stream": 0, "at": 6, "ended": "closed"}
{"stream": 0, "at": 7, "ended": "closed"}
"#;
    judged("h.jsonl", text, &[], 2, &["this stream ended in a line above"]);
}

#[test]
fn every_model_can_be_written_in_the_general_format() {
    let folder = Folder::new();
    let transfer = "{:from 0, :to 1, :amount 4}";
    for (name, text, code) in [
        ("counter", all(&[done(0, "add", "2", "2"), done(1, "read", "nil", "2")]), 0),
        ("counter", all(&[done(0, "add", "2", "2"), done(1, "read", "nil", "1")]), 1),
        ("bank", all(&[done(1, "read", "nil", "{0 9}"), done(0, "transfer", transfer, transfer)]), 0),
        ("bank", all(&[done(1, "read", "nil", "{0 9}"), done(1, "read", "nil", "{0 5, 1 5}")]), 1),
        ("versioned-register", all(&[done(0, "write", "[nil 1]", "[1 1]")]), 0),
        ("versioned-register", all(&[done(0, "write", "[nil 1]", "[2 1]")]), 1),
        ("lock", all(&[done(0, "acquire", "nil", "nil"), done(1, "acquire", "nil", "nil")]), 1),
        ("set", all(&[done(0, "read", "nil", "[3 3]"), event(1, "invoke", "add", "3")]), 1),
    ] {
        let (history, copy) = (folder.path().join("h.edn"), folder.path().join("copy.jsonl"));
        fs::write(&history, text).expect("a file can be written");
        let path = |path: &std::path::Path| path.to_str().expect("a path of ASCII").to_string();
        etcdsim(&["check", &path(&history), "--write", &path(&copy)]).expect(code);
        let ended = etcdsim(&["check", &path(&copy), "--model", name, "--format", "general"]).expect(code);
        assert!(ended.stdout.contains(&format!("of a {name}")), "{}", ended.stdout);
    }
}
