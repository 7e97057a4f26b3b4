//! The errors in full: where, what was expected, what was found, and how to mend it.

use histories::{Error, detect, edn, general, jepsen_log, robustness};

fn shown<T: std::fmt::Debug>(read: Result<T, Error>) -> String {
    read.expect_err("a mistake").to_string()
}

const REGISTER: &str = "{\"format\":\"etcdsim-general-1\",\"model\":\"register\"}\n";

fn general_error(line: &str) -> String {
    shown(general::read("h.jsonl", format!("{REGISTER}{line}").as_bytes()))
}

#[test]
fn general_histories() {
    let cases = [
        (
            r#"{"client":1,"op":"write","value":3,"call":10,"return":20"#,
            "h.jsonl:2:57: expected `,` or `}`, found the end of the line\n  hint: the file ends in the middle of this line, so it was cut off: remove the line, or record the history again",
        ),
        (
            r#"{"client":1,"op":"cas","value":3,"call":10,"return":20}"#,
            "h.jsonl:2:18: expected \"read\" or \"write\", found `\"cas\"`\n  hint: check \"op\", or the model that line 1 names",
        ),
        (
            r#"{"client":1,"op":"write","call":10,"return":20}"#,
            "h.jsonl:2:47: expected the field \"value\", found `}`\n  hint: add \"value\" before the closing brace",
        ),
        (
            r#"{"client":1,"op":"read","call":10,"return":9,"result":1}"#,
            "h.jsonl:2:44: expected a return at 10 or later, found `9`\n  hint: both are times of one clock; an unknown outcome has \"return\": null",
        ),
        (
            r#"{"client":1,"op":"read","call":10,"return":null,"result":1}"#,
            "h.jsonl:2:58: expected no \"result\" here, found `1`\n  hint: leave \"result\" out: this operation has none, failed, or did not return",
        ),
        (
            r#"{"client":1,"op":"read","call":1.5,"return":null}"#,
            "h.jsonl:2:32: expected a whole number, found `1.5`\n  hint: write it without a fraction and without an exponent",
        ),
        (
            r#"{"client":1,"client":1}"#,
            "h.jsonl:2:22: expected \"client\" only once, found `1`\n  hint: leave one of the two out",
        ),
        (
            "{\"client\":1,\"op\":\"re\\qd\"}",
            "h.jsonl:2:21: expected an escape that JSON has, found `\\\\`\n  hint: write a backslash as \\\\, and both halves of a surrogate pair",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(general_error(line), expected);
    }
    let colour = general_error(r#"{"client":1,"colour":2}"#);
    assert!(colour.starts_with("h.jsonl:2:13: expected client, op, key, "), "{colour}");
    assert_eq!(
        shown(general::read("h.jsonl", b"\n")),
        "h.jsonl:1:1: expected a header, found no line at all\n  hint: line 1 is {\"format\": \"etcdsim-general-1\", \"model\": …}"
    );
    assert_eq!(
        shown(general::read("h.jsonl", br#"{"format":"etcdsim-general-1","model":"tree"}"#)),
        "h.jsonl:1:39: expected a known model, found `\"tree\"`\n  hint: the models are register, cas-register, versioned-register, counter, bank, key-value, queue, stack, priority-queue, bag, set, lock, list"
    );
}

#[test]
fn edn_histories() {
    let cases = [
        (
            "[{:type :invoke, :f :read, :process 0}",
            "h.edn:1:39: expected a form, found the end of the file\n  hint: the file was cut off: a bracket or a string is still open at its end",
        ),
        (
            "{:type :ok, :f :read, :process 0}",
            "h.edn:1:1: expected an :invoke of process 0 before this, found `{`\n  hint: only an :invoke begins an operation; any other event ends the one in flight",
        ),
        (
            "{:type :invoke, :f :fly, :process 0}",
            "h.edn:1:1: expected a function that some model has, not :fly, found `{`\n  hint: they are :read and :write, with :cas, :watch or :final-watch; :add and :read; :transfer and :read; :enqueue, :dequeue and :drain; :acquire and :release; :txn; or :get, :put and :append",
        ),
        (
            "{:type :invoke, :f :write,\n :value {}, :process 0}",
            "h.edn:2:9: expected a number, a string or a keyword, found `{`\n  hint: this cannot be nil or have parts",
        ),
        (
            "{:type :begin, :f :write, :process 0}",
            "h.edn:1:8: expected a :type, found `:`\n  hint: :type is :invoke, :ok, :fail or :info; :f a keyword; :process a number from 0 or :nemesis",
        ),
        (
            "{:type :invoke, :type :ok}",
            "h.edn:1:17: expected every key once, found `:`\n  hint: leave one of the two out",
        ),
    ];
    for (file, expected) in cases {
        assert_eq!(shown(edn::read("h.edn", file.as_bytes())), expected);
    }
}

#[test]
fn robustness_reports() {
    assert_eq!(
        shown(robustness::read("operations.json", b"{\n \"ClientId\":1,\n \"Colour\":2\n}")),
        "operations.json:4:1: expected the field \"Input\", found `}`\n  hint: an operation has \"Input\"; is this an operations.json of the robustness tests?"
    );
    assert_eq!(
        shown(robustness::read("operations.json", br#"{"ClientId":1,"clientid":2}"#)),
        "operations.json:1:15: expected \"ClientId\" only once, found `\"clientid\"`\n  hint: leave one of the two out"
    );
    assert_eq!(
        shown(robustness::read("operations.json", b"{\"ClientId\":1,\"Input\":{\n{\"ClientId\":1}\n")),
        "operations.json:2:1: expected a string, found `{`\n  hint: put it in double quotes"
    );
    assert_eq!(
        shown(robustness::read(
            "operations.json",
            br#"{"ClientId":1,"Input":{"Type":"txn","Compact":{"Revision":1}}}"#
        )),
        "operations.json:1:31: expected the type of the one request that is not null, found `\"txn\"`\n  hint: \"Type\" must match the one request that is not null: range, txn, leaseGrant, leaseRevoke, defragment or compact"
    );
    assert_eq!(
        shown(robustness::read_watches("watch.json", b"{}")),
        "watch.json:1:2: expected the field \"Request\", found `}`\n  hint: is this a watch.json of the robustness tests?"
    );
    assert_eq!(
        shown(robustness::read_watches(
            "watch.json",
            b"{\"Request\": {\"Key\": \"a\"},\n \"Responses\": [\n {\"Revision\": 1},\n {\"Revision\": x}]}"
        )),
        "watch.json:4:15: expected a whole number, found `x`\n  hint: write numbers without quotes, as 12"
    );
}

#[test]
fn unknown_formats() {
    let error = shown(detect("notes.txt", b"Dear diary"));
    assert!(
        error.starts_with("notes.txt:1:1: expected the beginning of a known format, found `Dear`"),
        "{error}"
    );
    assert!(error.contains("hint: the formats are etcdsim-history-1 and -2, etcdsim-general-1"), "{error}");
    let error = shown(detect("h.jsonl", br#"{"format": "etcdsim-history-9"}"#));
    assert!(error.starts_with("h.jsonl:1:12: expected the name of a known format"), "{error}");
}

#[test]
fn logs_of_an_early_etcd() {
    let cases: [(&[u8], &str); 5] = [
        (
            b"INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:write\t3\n",
            "h.log:2:27: expected the end of what was called, found `:`\n  hint: the operation that process 0 called is another one",
        ),
        (
            b"INFO  jepsen.util - 0\t:invoke\t:increment\t1\n",
            "h.log:1:31: expected `:read`, `:write` or `:cas`, found `:`\n  hint: a line is `INFO  jepsen.util - PROCESS TYPE F VALUE`",
        ),
        (
            b"INFO  jepsen.util - 7 :ok :read nil",
            "h.log:1:27: expected an :invoke of process 7 before this, found `:`\n  hint: only an :invoke begins an operation; any other event ends the one in flight",
        ),
        (
            b"INFO  jepsen.util - 7 :invoke :cas [1 x]",
            "h.log:1:39: expected a number, found `x`\n  hint: numbers are below 4294967296",
        ),
        (
            b"INFO  jepsen.util - \xff",
            "h.log:1:21: expected UTF-8, found the end of the line\n  hint: save the file as UTF-8",
        ),
    ];
    for (log, expected) in cases {
        assert_eq!(shown(jepsen_log::read("h.log", log)), expected);
    }
}
