//! Properties of every input: no panic, and mistakes within the input. And of every history: it is read back as it
//! was written.

use histories::edn::Syntax;
use histories::scan::{Cursor, each_line, each_line_of};
use histories::{
    Error, Operations, Recorded, RegisterValue, Value, detect, edn, general, jepsen_log, robustness,
};
use linear::models::{bank, container, counter, keyed, list, lock, register, set, text, versioned};
use linear::{History, Operation, Outcome};
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Number),
        any::<String>().prop_map(|text| Value::Text(text.into()))
    ]
}

fn held() -> impl Strategy<Value = RegisterValue> {
    prop::option::of(value()).prop_map(RegisterValue)
}

/// Inputs with outputs that fit.
type Asked<I, O> = BoxedStrategy<(I, O)>;

fn history<I: Clone + std::fmt::Debug + 'static, O: Clone + std::fmt::Debug + 'static>(
    asked: impl Strategy<Value = (I, O)> + 'static,
) -> BoxedStrategy<History<I, O>> {
    let operation = (any::<u32>(), asked, any::<u64>(), any::<u64>(), 0..3).prop_map(
        |(client, (input, output), one, two, end)| {
            let (call, at) = (one.min(two), one.max(two));
            let outcome = match end {
                0 => Outcome::Answered { output, at },
                1 => Outcome::Failed { at },
                _ => Outcome::Unknown,
            };
            Operation { client, input, call, outcome }
        },
    );
    let history = |operations| History::from_operations(operations).expect("no return before a call");
    prop::collection::vec(operation, 0..12).prop_map(history).boxed()
}

fn operations<I: Clone + std::fmt::Debug + 'static, O: Clone + std::fmt::Debug + 'static>(
    asked: Asked<I, O>,
) -> impl Strategy<Value = Operations<I, O>> {
    let with_key =
        (value(), asked.clone()).prop_map(|(key, (input, output))| (keyed::Input { key, input }, output));
    prop_oneof![history(asked).prop_map(Operations::Single), history(with_key).prop_map(Operations::Keyed)]
}

fn registers(cas: bool) -> Asked<register::Input<RegisterValue>, register::Output<RegisterValue>> {
    use register::{Input, Output};
    let plain = prop_oneof![
        held().prop_map(|seen| (Input::Read, Output::Value(seen))),
        held().prop_map(|new| (Input::Write(new), Output::Written)),
    ];
    if !cas {
        return plain.boxed();
    }
    let cas =
        (held(), held(), any::<bool>()).prop_map(|(old, new, set)| (Input::Cas(old, new), Output::Set(set)));
    prop_oneof![plain, cas].boxed()
}

fn recorded() -> impl Strategy<Value = Recorded> {
    let register = (any::<bool>(), held()).prop_flat_map(|(cas, initial)| {
        operations(registers(cas)).prop_map(move |operations| {
            let initial = initial.clone();
            Recorded::Register { cas, initial, operations }
        })
    });
    let store = prop_oneof![
        any::<String>().prop_map(|seen| (text::Input::Get, text::Output::Text(seen))),
        any::<String>().prop_map(|new| (text::Input::Put(new), text::Output::Done)),
        any::<String>().prop_map(|new| (text::Input::Append(new), text::Output::Done)),
        any::<(String, String, bool)>()
            .prop_map(|(old, new, set)| (text::Input::Cas(old, new), text::Output::Set(set))),
        Just((text::Input::Delete, text::Output::Done)),
    ];
    let store =
        (any::<String>(), store).prop_map(|(key, (input, output))| (keyed::Input { key, input }, output));
    let container = || {
        prop_oneof![
            value().prop_map(|new| (container::Input::Insert(new), container::Output::Inserted)),
            prop::option::of(value())
                .prop_map(|seen| (container::Input::Take, container::Output::Taken(seen))),
        ]
    };
    let set = prop_oneof![
        (value(), any::<bool>())
            .prop_map(|(new, changed)| (set::Input::Add(new), set::Output::Changed(changed))),
        (value(), any::<bool>())
            .prop_map(|(old, changed)| (set::Input::Remove(old), set::Output::Changed(changed))),
        prop::collection::vec(value(), 0..5).prop_map(|seen| (set::Input::Read, set::Output::of(seen))),
    ];
    let lock = prop_oneof![
        any::<(u32, bool)>()
            .prop_map(|(owner, granted)| (lock::Input::Acquire(owner), lock::Output(granted))),
        any::<(u32, bool)>()
            .prop_map(|(owner, granted)| (lock::Input::Release(owner), lock::Output(granted))),
    ];
    let list = prop_oneof![
        value().prop_map(|new| (list::Input::Append(new), list::Output::Appended)),
        prop::collection::vec(value(), 0..5)
            .prop_map(|seen| (list::Input::Read, list::Output::Elements(seen))),
    ];
    prop_oneof![
        register,
        sums(),
        history(store).prop_map(Recorded::KeyValue),
        operations(container().boxed()).prop_map(Recorded::Queue),
        operations(container().boxed()).prop_map(Recorded::Stack),
        operations(container().boxed()).prop_map(Recorded::PriorityQueue),
        operations(container().boxed()).prop_map(Recorded::Bag),
        operations(set.boxed()).prop_map(Recorded::Set),
        operations(lock.boxed()).prop_map(Recorded::Lock),
        operations(list.boxed()).prop_map(Recorded::List),
    ]
}

/// Counters, banks and versioned registers.
fn sums() -> impl Strategy<Value = Recorded> {
    let counter = prop_oneof![
        any::<i64>().prop_map(|number| (counter::Input::Add(number), counter::Output::Added)),
        any::<i64>().prop_map(|seen| (counter::Input::Read, counter::Output::Value(seen))),
    ];
    let counter = (any::<i64>(), operations(counter.boxed()))
        .prop_map(|(initial, operations)| Recorded::Counter { initial, operations });
    let bank = prop_oneof![
        (value(), value(), any::<i64>()).prop_map(|(from, to, amount)| {
            (bank::Input::Transfer { from, to, amount }, bank::Output::Transferred)
        }),
        prop::collection::btree_map(value(), prop::option::of(any::<i64>()), 0..4)
            .prop_map(|seen| (bank::Input::Read, bank::Output::Balances(seen))),
    ];
    let version = || prop::option::of(any::<u64>());
    let versioned = prop_oneof![
        (version(), held())
            .prop_map(|(version, seen)| (versioned::Input::Read, versioned::Output::Value(version, seen))),
        (version(), held())
            .prop_map(|(version, new)| (versioned::Input::Write(new), versioned::Output::Updated(version))),
        (version(), held(), held()).prop_map(|(version, old, new)| {
            (versioned::Input::Cas(old, new), versioned::Output::Updated(version))
        }),
        (held(), held())
            .prop_map(|(old, new)| (versioned::Input::Cas(old, new), versioned::Output::NotEqual)),
    ];
    let versioned = (held(), operations(versioned.boxed()))
        .prop_map(|(initial, operations)| Recorded::Versioned { initial, operations });
    prop_oneof![counter, operations(bank.boxed()).prop_map(Recorded::Bank), versioned]
}

/// Every mistake is in a line of the input, at a column at most one past that line's end.
fn within<T>(bytes: &[u8], read: Result<T, Error>) -> Result<(), TestCaseError> {
    let Err(error) = read else { return Ok(()) };
    let Some(mistake) = error.mistake() else { return Ok(()) };
    let line = bytes.split(|&byte| byte == b'\n').nth(mistake.line.wrapping_sub(1));
    let Some(line) = line else { return Err(TestCaseError::fail(format!("no such line: {error}"))) };
    prop_assert!((1..=line.len() + 1).contains(&mistake.column), "{}", error);
    prop_assert!(!mistake.expected.is_empty() && !mistake.found.is_empty() && !mistake.hint.is_empty());
    Ok(())
}

fn all(bytes: &[u8]) -> Result<(), TestCaseError> {
    within(bytes, general::read("f", bytes))?;
    within(bytes, general::read_from("f", bytes))?;
    within(bytes, edn::read("f", bytes))?;
    within(bytes, edn::read_as("f", bytes, Syntax::Json))?;
    within(bytes, edn::read_as("f", bytes, Syntax::Lines))?;
    within(bytes, jepsen_log::read("f", bytes))?;
    within(bytes, robustness::read("f", bytes))?;
    within(bytes, robustness::read_watches("f", bytes))?;
    within(bytes, detect("f", bytes))?;
    within(bytes, each_line_of("f", bytes, Cursor::skip_value))?;
    within(bytes, each_line("f", bytes, |cursor| cursor.skip_value()))
}

const SAMPLES: [&[u8]; 15] = [
    include_bytes!("data/general-register.jsonl"),
    include_bytes!("data/general-lock.jsonl"),
    include_bytes!("data/general-bank.jsonl"),
    include_bytes!("data/register.edn"),
    include_bytes!("data/txn.edn"),
    include_bytes!("data/set.edn"),
    include_bytes!("data/versioned.edn"),
    include_bytes!("data/lock.edn"),
    include_bytes!("data/watch.edn"),
    include_bytes!("data/drain.edn"),
    include_bytes!("data/bank.json"),
    include_bytes!("data/counter.txt"),
    include_bytes!("data/wr.log"),
    include_bytes!("data/operations.json"),
    include_bytes!("data/watch.json"),
];

/// Bytes, of which those that matter to a scanner are more frequent.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]()\"\\:,#;_-.eE0123456789nulltrue \n\0"[..])]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(recorded in recorded()) {
        let mut file = Vec::new();
        general::write(&recorded, &mut file).expect("a history of its model");
        prop_assert_eq!(general::read("f", &file).expect("what was written"), recorded.clone());
        prop_assert_eq!(general::read_from("f", file.as_slice()).expect("what was written"), recorded);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(byte(), 0..80)) {
        all(&bytes)?;
    }

    #[test]
    fn no_damage_panics(
        sample in prop::sample::select(&SAMPLES[..]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), byte(), 0..3), 1..4),
    ) {
        let mut bytes = sample.to_vec();
        for (index, byte, way) in damage {
            let at = index.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match way {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        all(&bytes)?;
    }
}

#[test]
fn nothing_is_too_deep_for_the_stack() {
    for open in ["[", "{\"a\":", "{", "(", "#{", "#a ", "#_", "#_#_ "] {
        all(open.repeat(100_000).as_bytes()).expect("a mistake within the input");
    }
}

#[test]
fn lines_do_not_depend_on_how_they_are_read() {
    /// Reads one byte at a time.
    struct Slow<'a>(&'a [u8]);
    impl std::io::Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(buffer.len()).min(1);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    for sample in &SAMPLES[..2] {
        let whole = general::read("f", sample).expect("a sample");
        assert_eq!(general::read_from("f", Slow(sample)).expect("a sample"), whole);
    }
}
