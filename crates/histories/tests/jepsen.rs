//! Jepsen's histories in every syntax, and of every workload.

use std::fs;
use std::path::Path;

use histories::edn::{Indices, Jepsen, Syntax, registers::Step};
use histories::{Format, Operations, Recorded, RegisterValue, Value, detect, detect_path, edn};
use linear::models::{bank, counter, list, lock, queue, set, versioned};
use linear::{Operation, Outcome};

fn data(name: &str) -> Vec<u8> {
    fs::read(Path::new("tests/data").join(name)).expect("a sample")
}

fn recorded(name: &str, syntax: Syntax) -> Recorded {
    match edn::read_as(name, &data(name), syntax).expect(name).history {
        Jepsen::Recorded(recorded) => recorded,
        other => panic!("{name}: {other:?}"),
    }
}

fn events(text: &str) -> Jepsen {
    edn::read("h.edn", text.as_bytes()).expect("a history")
}

fn held(number: i64) -> RegisterValue {
    RegisterValue(Some(Value::Number(number)))
}

#[test]
fn every_syntax_is_detected() {
    for (name, format) in [
        ("versioned.edn", Format::Edn),
        ("lock.edn", Format::Edn),
        ("watch.edn", Format::Edn),
        ("drain.edn", Format::Edn),
        ("bank.json", Format::JepsenJson),
        ("counter.txt", Format::JepsenLines),
        ("wr.log", Format::JepsenLines),
    ] {
        assert_eq!(detect_path(&Path::new("tests/data").join(name)).expect(name), format, "{name}");
    }
    for (text, format) in [
        ("\n\n[\n  {\n    \"type\": \"invoke\",", Format::JepsenJson),
        ("{\"process\": 1,\n \"type\": \"invoke\"}", Format::JepsenJson),
        ("{\"index\": 0, \"time\": 1, \"type\": \"invoke\"}", Format::JepsenJson),
        ("[\n{:type :invoke", Format::Edn),
        ("{\n:type :invoke", Format::Edn),
        ("\u{feff}{:type :invoke", Format::Edn),
        ("\u{feff}[{\"type\": \"invoke\"}]", Format::JepsenJson),
        ("\u{feff}{\"format\": \"etcdsim-general-1\", \"model\": \"set\"}", Format::General),
        (":nemesis\t:info\t:start\tnil", Format::JepsenLines),
        ("INFO\t[jepsen worker 1] jepsen.util: 1\t:invoke\t:read\tnil", Format::JepsenLines),
        (
            "INFO [2020-01-31 15:20:11,123] jepsen worker 1 - jepsen.util 1\t:invoke\t:read\tnil",
            Format::JepsenLines,
        ),
        ("INFO  jepsen.util - 1\t:invoke\t:read\tnil", Format::JepsenLog),
    ] {
        assert_eq!(detect("h", text.as_bytes()).expect(text), format, "{text}");
    }
}

#[test]
fn versions_are_read_with_values() {
    let Recorded::Versioned { initial, operations: Operations::Keyed(history) } =
        recorded("versioned.edn", Syntax::Edn)
    else {
        panic!("not versioned");
    };
    assert_eq!(initial, RegisterValue(None));
    let outputs: Vec<_> = history.operations().iter().map(Operation::output).collect();
    assert_eq!(
        outputs,
        [
            Some(&versioned::Output::Updated(Some(1))),
            Some(&versioned::Output::Updated(Some(2))),
            Some(&versioned::Output::Value(Some(1), held(3))),
        ]
    );
    // What does not exist has no version; and without a key, a compare-and-set is one all the same.
    let Jepsen::Recorded(Recorded::Versioned { operations: Operations::Single(history), .. }) = events(
        "{:type :invoke, :f :cas, :value [nil [1 2]], :process 0} {:type :invoke, :f :read, :value [nil nil], :process 1}
         {:type :ok, :f :read, :value [nil nil], :process 1}",
    ) else {
        panic!("not versioned");
    };
    let absent = versioned::Output::Value(Some(0), RegisterValue(None));
    assert_eq!(history.operation(1).output(), Some(&absent));
    // A compare-and-set of a keyed register whose old value is nil is not versioned.
    let plain = events("{:type :invoke, :f :cas, :value [5 [nil 2]], :process 0}");
    assert!(matches!(plain, Jepsen::Recorded(Recorded::Register { operations: Operations::Keyed(_), .. })));
}

#[test]
fn a_lock_belongs_to_its_process() {
    let Recorded::Lock(Operations::Single(history)) = recorded("lock.edn", Syntax::Edn) else {
        panic!("not a lock");
    };
    let inputs: Vec<lock::Input> = history.operations().iter().map(|operation| operation.input).collect();
    assert_eq!(inputs, [lock::Input::Acquire(0), lock::Input::Release(1), lock::Input::Release(0)]);
    // If others release it, too, it has no owner.
    let Jepsen::Recorded(Recorded::Lock(Operations::Single(history))) = events(
        "{:type :invoke, :f :acquire, :process 3} {:type :ok, :f :acquire, :process 3}
         {:type :invoke, :f :release, :process 4} {:type :ok, :f :release, :process 4}",
    ) else {
        panic!("not a lock");
    };
    assert_eq!(history.operation(1).input, lock::Input::Release(0));
    assert_eq!(history.operation(0).input, lock::Input::Acquire(0));
}

#[test]
fn what_watchers_saw_is_a_list() {
    let Recorded::List(Operations::Single(history)) = recorded("watch.edn", Syntax::Edn) else {
        panic!("not a list");
    };
    let seen = |numbers: &[i64]| {
        list::Output::Elements(numbers.iter().map(|number| Value::Number(*number)).collect())
    };
    assert_eq!(history.operation(2).outcome, Outcome::Unknown);
    assert_eq!(history.operation(1).output(), Some(&seen(&[0])));
    // Logs of one process continue each other, and a watch may lag.
    assert_eq!((history.operation(3).output(), history.operation(3).call), (Some(&seen(&[0, 1])), 0));
    let complains = "{:type :invoke, :f :watch, :process 1} {:type :fail, :f :watch, :process 1, :error [:nonmonotonic-watch \"5\"]}";
    let read = edn::read_as("h.edn", complains.as_bytes(), Syntax::Edn).expect("a history");
    assert_eq!(read.reported.len(), 1);
}

#[test]
fn banks_in_json() {
    let Recorded::Bank(Operations::Single(history)) = recorded("bank.json", Syntax::Json) else {
        panic!("not a bank");
    };
    let account = Value::Number;
    let transfer = bank::Input::Transfer { from: account(0), to: account(1), amount: 4 };
    assert_eq!(history.operation(1).input, transfer);
    let balances = [(account(0), Some(6)), (account(1), Some(4))].into_iter().collect();
    assert_eq!(history.operation(2).output(), Some(&bank::Output::Balances(balances)));
    let indices = edn::read_as("bank.json", &data("bank.json"), Syntax::Json).expect("a bank").indices;
    assert_eq!(indices[1], Indices { invoke: Some(3), end: Some(4) });
}

#[test]
fn counters_in_a_history_txt() {
    let Recorded::Counter { initial: 0, operations: Operations::Single(history) } =
        recorded("counter.txt", Syntax::Lines)
    else {
        panic!("not a counter");
    };
    assert_eq!(history.operation(0).outcome, Outcome::Unknown);
    assert_eq!(history.operation(1).output(), Some(&counter::Output::Value(0)));
    // What decides is what a read shows: elements are those of a set.
    let set = "{:type :invoke, :f :add, :value 1, :process 0} {:type :invoke, :f :read, :process 1}
               {:type :ok, :f :read, :value [1 2], :process 1}";
    assert!(matches!(events(set), Jepsen::Recorded(Recorded::Set(_))));
    let keyed = "{:type :invoke, :f :read, :value [:k nil], :process 1} {:type :ok, :f :read, :value [:k 5], :process 1}
                 {:type :invoke, :f :add, :value [:k 1], :process 0}";
    assert!(matches!(
        events(keyed),
        Jepsen::Recorded(Recorded::Counter { operations: Operations::Keyed(_), .. })
    ));
}

#[test]
fn transactions_on_registers_in_a_jepsen_log() {
    let read = edn::read_as("wr.log", &data("wr.log"), Syntax::Lines).expect("a log");
    let Jepsen::Registers(transactions) = read.history else { panic!("not registers") };
    assert_eq!(transactions.len(), 2);
    assert_eq!(
        transactions[0].steps,
        [Step::Write(Value::Number(1), held(5)), Step::Read(Value::Number(2), Some(RegisterValue(None)))]
    );
    assert_eq!(transactions[1].steps, [Step::Read(Value::Number(1), Some(held(5)))]);
}

#[test]
fn a_drain_is_several_dequeues() {
    let Recorded::Queue(Operations::Single(history)) = recorded("drain.edn", Syntax::Edn) else {
        panic!("not a queue");
    };
    let dequeued = |number: i64| queue::Output::Taken(Some(Value::Number(number)));
    assert_eq!(history.operation(2).output(), Some(&dequeued(1)));
    assert_eq!(history.operation(3).output(), Some(&dequeued(2)));
    // Nothing came between, so they left one after the other.
    assert!(history.operation(2).returned() < Some(history.operation(3).call));
    // A drain of unknown outcome may have taken all that was ever put in.
    assert_eq!(history.len(), 6);
    assert!(history.operations()[4..].iter().all(|operation| operation.outcome == Outcome::Unknown));
}

#[test]
fn a_set_that_shows_an_element_twice_is_read() {
    let set = events(
        "{:type :invoke, :f :read, :process 1} {:type :ok, :f :read, :value [0 0], :process 1}
         {:type :invoke, :f :add, :value 0, :process 0}",
    );
    let Jepsen::Recorded(Recorded::Set(Operations::Single(history))) = set else { panic!("not a set") };
    let twice = set::Output::Repeated(vec![Value::Number(0), Value::Number(0)]);
    assert_eq!(history.operation(0).output(), Some(&twice));
}

#[test]
fn a_byte_order_mark_has_no_meaning() {
    for (name, syntax) in
        [("drain.edn", Syntax::Edn), ("bank.json", Syntax::Json), ("counter.txt", Syntax::Lines)]
    {
        let marked = [&b"\xef\xbb\xbf"[..], &data(name)].concat();
        let read = edn::read_as(name, &marked, syntax).expect(name).history;
        assert_eq!(read, edn::read_as(name, &data(name), syntax).expect(name).history);
    }
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let mistake =
        |text: &str, syntax| edn::read_as("h", text.as_bytes(), syntax).expect_err("a mistake").to_string();
    for (text, syntax, expected) in [
        (
            "{:type :invoke, :f :read, :process -1}",
            Syntax::Edn,
            "h:1:36: expected a :process from 0 to 4294967295, or :nemesis, found `-1`",
        ),
        (
            "[{\"type\": \"invoke\",\n \"f\": \"read\", \"process\": 1.5}]",
            Syntax::Json,
            "h:2:26: expected a :process",
        ),
        (
            "[{\"type\": \"invoke\"},\n {\"type\": truth}]",
            Syntax::Json,
            "h:1:2: expected an event with :process",
        ),
        ("0\t:invoke\t:read\tnil\n0\t:ok\t:write\t1\n", Syntax::Lines, "h:2:1: expected the end of :read"),
        ("0\t:invoke\t:read\tnil\nhello\n", Syntax::Lines, "h:2:1: expected an event, found `hello`"),
        (
            "0\t:invoke\t:read\n0\t:ok\t:read\tnil\n",
            Syntax::Lines,
            "h:1:16: expected a form, found the end of the line",
        ),
        (
            "{:type :invoke, :f :peek, :process 0}",
            Syntax::Edn,
            "h:1:1: expected a function that some model has, not :peek",
        ),
        (
            "{:type :invoke, :f :add, :value 1, :process 0} {:type :invoke, :f :enqueue, :value 1, :process 1}",
            Syntax::Edn,
            "h:1:48: expected the functions of one model, not :add and :enqueue",
        ),
    ] {
        let found = mistake(text, syntax);
        assert!(found.starts_with(expected), "{found}");
    }
}

/// Wherever a file ends too early, it says so.
#[test]
fn a_file_that_was_cut_off_says_so() {
    for (name, syntax) in [("versioned.edn", Syntax::Edn), ("bank.json", Syntax::Json)] {
        let whole = data(name);
        let last_line = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').expect("lines") + 1;
        for end in last_line + 2..whole.len() - 2 {
            let cut = edn::read_as(name, &whole[..end], syntax);
            let text = cut.expect_err("it was cut off").to_string();
            assert!(text.contains("cut off"), "{name}, {end}: {text}");
        }
    }
    let lines = "0\t:invoke\t:read\tnil\n0\t:ok\t:read\t";
    let text = edn::read_as("h", lines.as_bytes(), Syntax::Lines).expect_err("it was cut off").to_string();
    assert!(text.contains("cut off"), "{text}");
}

/// The general format, at every byte of the last line.
#[test]
fn a_general_history_that_was_cut_off_says_so() {
    let head = "{\"format\":\"etcdsim-general-1\",\"model\":\"register\",\"initial\":0}\n";
    let last =
        "{\"client\":2,\"op\":\"read\",\"call\":21,\"return\":30,\"failed\":false,\"result\":\"x\\n\"}";
    let complete = histories::general::read("h", format!("{head}{last}").as_bytes());
    assert_eq!(complete.expect("nothing is missing").len(), 1);
    for end in 1..last.len() {
        let text = format!("{head}{}", &last[..end]);
        let slice = histories::general::read("h", text.as_bytes()).expect_err("it was cut off").to_string();
        assert!(slice.contains("cut off"), "{end}: {slice}");
        let stream = histories::general::read_from("h", text.as_bytes()).expect_err("it was cut off");
        assert_eq!(stream.to_string(), slice);
    }
    // A mistake elsewhere is none of that.
    let wrong = format!("{head}{{\"client\":}}\n{last}");
    let text = histories::general::read("h", wrong.as_bytes()).expect_err("a mistake").to_string();
    assert!(!text.contains("cut off"), "{text}");
}
