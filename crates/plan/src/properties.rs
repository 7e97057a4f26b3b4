//! Tests with random input: nothing makes the readers of this crate panic, and whatever it writes reads back
//! the same.

use std::path::Path;

use api::Request;
use api::etcdserverpb::compare::TargetUnion;
use api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, LeaseGrantRequest, LeaseKeepAliveRequest,
    LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, PutRequest, RangeRequest, RequestOp,
    TxnRequest, request_op,
};
use bytes::Bytes;
use keyed::Draw;
use proptest::prelude::*;

use schedule::Part;
use schedule::field::{Form, Key, Line, Words, keys};
use schedule::kinds::{Lasts, Whom, shapes};
use schedule::sections;
use schedule::units::Unit;

use crate::act::{Add, Follow, Keys, Micro, Session, Start, Verb, Watch, Which, Write};
use crate::workload::{MIX, WORKLOAD};
use crate::{
    Act, Etcd, Failover, NAMES, OperatorTask, Plan, PlannedOperation, Scenario, ScenarioErrors, Source,
};

/// Reads a text in every possible way. It must not panic.
fn read(text: &str, seed: u64) {
    match Source::parse("some.toml", text) {
        Ok(Source::Scenario(scenario)) => {
            let plan = scenario.expand(seed);
            let written = plan.to_toml();
            assert_eq!(Plan::parse("plan.toml", &written).unwrap(), plan, "{written}");
        }
        Ok(Source::Plan(plan)) => assert_eq!(Plan::parse("plan.toml", &plan.to_toml()).unwrap(), *plan),
        Err(errors) => show(&errors),
    }
}

/// Prints mistakes. It must not panic.
fn show(errors: &ScenarioErrors) {
    let mut text = String::new();
    miette::GraphicalReportHandler::new().render_report(&mut text, errors).unwrap();
    assert!(!errors.mistakes().is_empty());
    for mistake in errors.mistakes() {
        assert!(errors.place(mistake) >= (1, 1));
        assert!(!mistake.message.is_empty());
    }
}

/// The texts of all scenario files of the project.
fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Fragments that a user might put into a file by mistake.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    "..",
    "0",
    "-1",
    "99999999999999999999999999",
    "log ",
    "1/0",
    "1e9",
    "%",
    "ms",
    "\n",
    "\0",
    "é",
    "\u{202e}",
    "any",
    "member 0",
    "member 9",
    "members ,",
    "seed = 1\n",
    "plan",
    "swarm = true\n",
    "[fault]\n",
    "[[cluster]]\n",
    "title = 3\n",
    "true",
    "1979-05-27",
    "inf",
    "nan",
    "0x10",
    "\\",
    "*",
    "@",
    "txn if [",
];

/// One edit: where, how much is removed, what is inserted, and whether that is a line of the text itself or
/// one of [`PIECES`].
type Edit = (prop::sample::Index, usize, prop::sample::Index, bool);

/// A text after these edits.
fn edited(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (place, out, piece, from_file) in edits {
        let at = place.index(chars.len() + 1);
        let end = (at + out).min(chars.len());
        let put: Vec<char> = match from_file {
            // A line of the file itself, at another position: doubled keys, keys of another section.
            true => text
                .lines()
                .nth(piece.index(text.lines().count().max(1)))
                .unwrap_or("")
                .chars()
                .chain(['\n'])
                .collect(),
            false => PIECES[piece.index(PIECES.len())].chars().collect(),
        };
        chars.splice(at..end, put);
    }
    chars.into_iter().collect()
}

proptest! {
    #[test]
    fn bytes_of_any_kind_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&String::from_utf8_lossy(&bytes), 1);
    }

    #[test]
    fn text_that_looks_like_toml_does_no_harm(pieces in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let text: String = pieces.iter().map(|piece| PIECES[piece.index(PIECES.len())]).collect();
        read(&format!("title = \"t\"\n{text}"), 1);
    }

    #[test]
    fn edited_scenarios_do_no_harm(
        file in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..8, any::<prop::sample::Index>(), any::<bool>()), 1..6),
        seed in any::<u64>(),
    ) {
        let files = files();
        read(&edited(&files[file.index(files.len())], &edits), seed);
    }

    #[test]
    fn edited_plans_do_no_harm(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..8, any::<prop::sample::Index>(), any::<bool>()), 1..6),
        seed in 0_u64..20,
    ) {
        let scenario = Scenario::parse("t", "title = 't'\nswarm = true\n[workload]\nclients = 2\nrate = '5/s'\n[run]\nchaos = '4s'").unwrap();
        read(&edited(&scenario.expand(seed).to_toml(), &edits), seed);
    }

    #[test]
    fn scenarios_of_any_kind_expand_and_their_plans_read_back(seed in any::<u64>()) {
        let text = some_scenario(Draw(seed));
        let scenario = Scenario::parse("some.toml", &text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        for seed in 0..4 {
            let plan = scenario.expand(seed);
            let written = plan.to_toml();
            let read = Plan::parse("plan.toml", &written).unwrap_or_else(|errors| panic!("{errors:?}\n{text}\n{written}"));
            prop_assert_eq!(&read, &plan, "{}\n{}", text, written);
        }
    }

    #[test]
    fn operations_of_any_kind_read_back(seed in any::<u64>(), at in any::<u64>()) {
        let operation = PlannedOperation { at, act: some_act(Draw(seed)) };
        let text = operation.print();
        prop_assert_eq!(PlannedOperation::parse(&text), Ok(operation), "{}", text);
    }

    #[test]
    fn lines_of_any_kind_do_no_harm(line in "1s (put|get|delete|compact|txn|call|grant|watch|follow|update|remove|add|append|lock|campaign|rest|x) [ -~é]{0,60}") {
        if let Ok(operation) = PlannedOperation::parse(&line) {
            prop_assert_eq!(PlannedOperation::parse(&operation.print()), Ok(operation));
        }
    }
}

#[test]
fn a_client_may_name_every_member_that_faults_add() {
    let text = "title = \"x\"\n[cluster]\nmembers = 3\n[workload]\nclients = 1\nendpoints = \"joined\"\n\
        [[fault]]\nkind = \"add-member\"\nevery = \"100ms\"\ntimes = 15\n";
    let scenario = Scenario::parse("many.toml", text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    let plan = scenario.expand(0);
    assert_eq!(plan.most_members(), 18);
    let written = plan.to_toml();
    assert!(written.contains("18]"), "the client names the last one: {written}");
    assert_eq!(Plan::parse("plan.toml", &written).ok(), Some(plan));
}

// The numbers in `draw.then(…)` below only keep one draw apart from another.

/// A scenario with a bit of everything, generated from the tables of fields.
fn some_scenario(draw: Draw) -> String {
    let mut text = format!(
        "title = \"some \\\" title\"\n{}",
        if draw.then(1).below(3) == 0 { "swarm = true\n" } else { "" }
    );
    text += &some_section(draw.then(2), "[cluster]", keys(Etcd::settings()), &[]);
    text += "members = { any = [3, 5, \"5..7\"] }\n";
    text += &some_section(draw.then(3), "[network]", keys(sections::NETWORK), &[]);
    text += &some_section(draw.then(4), "[network.peers]", keys(sections::LINK), &[]);
    text += &some_section(draw.then(5), "[network.clients]", keys(sections::LINK), &[]);
    text += &some_section(draw.then(6), "[disk]", keys(sections::DISK), &[]);
    text += &some_section(draw.then(7), "[clocks]", keys(sections::CLOCKS), &[]);
    // With any value in these fields, a plan could become huge. They get small values below, or none.
    let bounded = ["clients", "rate", "operations", "value-bytes", "traffic", "nodes", "speed"];
    text += &some_section(draw.then(8), "[workload]", keys(WORKLOAD), &bounded);
    text += "clients = \"1..5\"\nrate = \"1/s..50/s\"\nvalue-bytes = { usual = \"0\", worst = \"1KiB\", tail = \"5%\" }\n";
    text += &some_section(draw.then(9), "[workload.mix]", keys(MIX), &["put"]);
    text += "put = 1\n";
    for nth in 0..draw.then(10).below(6) {
        text += &some_fault(draw.then(11).then(nth));
    }
    text + "[run]\nchaos = \"5s..10s\"\n"
}

/// A section of a file, with values for some of these fields, but for none that `not` names.
fn some_section(
    draw: Draw,
    head: &str,
    keys: impl IntoIterator<Item = &'static Key>,
    not: &[&str],
) -> String {
    let mut text = format!("{head}\n");
    for (nth, key) in keys.into_iter().enumerate().filter(|(_, key)| !not.contains(&key.name)) {
        let draw = draw.then(nth as u64);
        if draw.below(2) == 0 {
            text += &format!("{} = {}\n", key.name, some_value(draw.then(1), key.form));
        }
    }
    text
}

/// A fault of any kind.
fn some_fault(draw: Draw) -> String {
    let all = shapes::<OperatorTask>(NAMES);
    let shape = draw.then(0).pick(&all);
    let kind = shape.kind;
    let mut text = some_section(draw.then(1), "[[fault]]", shape.keys.iter().copied(), &["to"]);
    text += &format!("kind = \"{}\"\n", kind.name);
    let to = ["all", "random", "follower", "minority", "member 3", "members 1, 2"];
    if shape.keys.iter().any(|key| key.name == "to") {
        text += &format!("to = \"{}\"\n", draw.then(2).pick(&to));
    }
    let targets: &[&str] = match kind.whom {
        Whom::Nobody => &[],
        Whom::One | Whom::Minority => &["leader", "follower", "random", "member 2", "fixed-member"],
        Whom::Part => &["leader", "followers", "minority", "majority", "members 1, 3", "fixed-minority"],
        Whom::Members => &["leader", "all", "followers", "majority", "leader-majority", "members 1, 2, 3"],
        Whom::Ends => &["clients", "client 0", "leader", "random", "all"],
    };
    if !targets.is_empty() {
        let any = [draw.then(3).pick(targets), draw.then(4).pick(targets)];
        text += &format!("target = {{ any = [\"{}\", \"{}\"] }}\n", any[0], any[1]);
    }
    let conditions = [
        "leader",
        "no leader",
        "election 1..3",
        "applied log 10..100",
        "member 3 applied 5",
        "snapshot 2",
        "operations 50",
    ];
    text += &match draw.then(5).below(4) {
        0 => "at = \"1s..3s\"\ntimes = \"1..3\"\n".to_string(),
        1 => "every = \"log 100ms..2s\"\nfrom = \"500ms\"\nuntil = \"4s\"\n".to_string(),
        2 => "about-every = \"1s..4s\"\ntimes = 5\nchance = \"50%\"\n".to_string(),
        _ => format!(
            "when = \"{}\"\nafter = \"0..1s\"\nabout-every = \"2s\"\n",
            draw.then(6).pick(&conditions)
        ),
    };
    if kind.lasts != Lasts::Instant && draw.then(7).below(2) == 0 {
        text += "for = \"log 1ms..2s\"\n";
    }
    text
}

/// A value, a range or a choice for a field of this form.
fn some_value(draw: Draw, form: Form) -> String {
    let amount = |draw: Draw, unit: Unit, low: i128, high: i128| {
        let number = |draw: Draw| low + i128::from(draw.below((high - low).min(1 << 40) as u64 + 1));
        let (a, b) = (number(draw.then(1)), number(draw.then(2)));
        match draw.below(4) {
            0 => format!("\"{}..{}\"", unit.print(a.min(b)), unit.print(a.max(b))),
            1 if a.min(b) > 0 => format!("\"log {}..{}\"", unit.print(a.min(b)), unit.print(a.max(b))),
            2 => format!("{{ any = [\"{}\", \"{}\"] }}", unit.print(a), unit.print(b)),
            _ => format!("\"{}\"", unit.print(a)),
        }
    };
    match form {
        Form::Number { unit, low, high, zero: None } => amount(draw, unit, low, high),
        Form::Number { zero: Some(word), .. } if draw.then(9).below(3) == 0 => format!("\"{word}\""),
        Form::Number { unit, .. } => amount(draw, unit, 0, 1_000_000),
        Form::Word(_) | Form::Message | Form::Point => {
            let words: Vec<&str> = NAMES.words(form).map(|(_, word)| word).collect();
            format!("{{ any = [\"{}\", \"{}\"] }}", draw.then(1).pick(&words), draw.then(2).pick(&words))
        }
        Form::Switch => (*draw.pick(&["true", "false", "{ any = [true, false] }"])).to_string(),
        Form::Text => "'some text'".to_string(),
        Form::Spread { unit, .. } => {
            let part = |nth: u64, low: i128, high: i128| amount(draw.then(nth), unit, low, high);
            match draw.then(9).below(4) {
                0 => format!("{{ from = {}, to = {} }}", part(1, 0, 1_000), part(2, 1_000, 9_000)),
                1 => format!("{{ floor = {}, mean = {} }}", part(1, 0, 1_000), part(2, 0, 9_000)),
                2 => format!(
                    "{{ usual = {}, worst = {}, tail = \"0.5%\" }}",
                    part(1, 0, 1_000),
                    part(2, 1_000, 9_000)
                ),
                _ => part(1, 0, 100_000),
            }
        }
        other => unreachable!("no section that is made here has a field of the form {other:?}"),
    }
}

/// An act of any kind.
fn some_act(draw: Draw) -> Act {
    let bytes = |nth: u64| some_bytes(draw.then(nth));
    let small = |nth: u64| *draw.then(nth).pick(&[0, 0, 1, 17, u32::MAX]);
    let on = |nth: u64| draw.then(nth).below(2) == 0;
    let keys = || Keys { key: bytes(31), end: if on(32) { Bytes::new() } else { bytes(33) } };
    let session =
        || Session { name: bytes(34), lease: some_number(draw.then(35)), ttl: some_number(draw.then(36)) };
    match draw.then(30).below(23) {
        0 => Act::Watch(Watch {
            keys: keys(),
            from: *draw.then(37).pick(&[
                Start::Now,
                Start::Last,
                Start::At(-3),
                Start::At(9),
                Start::Seen(-9),
                Start::Seen(0),
            ]),
            prev_kv: on(38),
            progress: on(39),
            no_put: on(40),
            no_delete: on(41),
            fragment: on(42),
            id: some_number(draw.then(43)),
            name: small(44),
            stream: small(45),
            skip: on(46),
        }),
        1 => Act::Follow(Follow {
            keys: keys(),
            page: small(37),
            streamed: on(40),
            name: small(38),
            stream: small(39),
        }),
        2 => Act::Cancel { watcher: small(37) },
        3 => Act::Progress { stream: small(37) },
        4 => Act::Close { stream: small(37) },
        5 => Act::List { keys: keys(), page: small(37), streamed: on(38) },
        6 => Act::View { keys: keys() },
        7 => Act::Write(Write {
            verb: *draw.then(37).pick(&[Verb::Create, Verb::Update, Verb::Remove]),
            which: if on(38) {
                Which::Key(bytes(31))
            } else {
                Which::Nth { keys: keys(), pick: draw.then(39).0 }
            },
            value: bytes(40),
            lease: some_number(draw.then(41)),
            new: bytes(42),
            about: small(43),
            tries: small(44),
        }),
        8 => Act::Add(Add {
            key: bytes(37),
            value: bytes(38),
            lock: on(39).then(session),
            // Shifted, so that times of every length occur.
            hold: draw.then(40).0 >> draw.then(41).below(64),
            fenced: on(42),
            outside: on(43),
        }),
        9 => {
            let micro = |nth: u64| match draw.then(50 + nth).below(3) {
                // A key that looks like the word `get` in the text of an act.
                0 => Micro::Append("get".into(), bytes(60 + nth)),
                1 => Micro::Append(bytes(70 + nth), bytes(60 + nth)),
                _ => Micro::Get(bytes(70 + nth)),
            };
            Act::Append((0..draw.then(37).below(4)).map(micro).collect())
        }
        10 => Act::Lock(session()),
        11 => Act::Unlock { name: bytes(37) },
        12 => Act::Campaign(session(), bytes(37)),
        13 => Act::Proclaim { name: bytes(37), value: bytes(38) },
        14 => Act::Resign { name: bytes(37) },
        15 => Act::Fenced { name: bytes(37), key: bytes(38), value: bytes(39) },
        16 => Act::Renew,
        17 => Act::Compactor { key: bytes(37) },
        18 => Act::Rest(draw.then(37).0),
        19 => Act::Literal(some_request(draw)),
        20 => Act::Stream { range: some_range(draw), literal: on(37) },
        21 => Act::Forged { index: draw.then(37).0, request: some_request(draw) },
        _ => Act::Request(some_request(draw)),
    }
}

/// A request, often of a kind that should never be sent.
fn some_request(draw: Draw) -> Request {
    match draw.then(0).below(10) {
        0 => some_range(draw).into(),
        1 => some_put(draw).into(),
        2 => some_delete(draw).into(),
        3 => CompactionRequest { revision: some_number(draw.then(1)), physical: draw.then(2).below(2) == 0 }
            .into(),
        4 => LeaseGrantRequest { ttl: some_number(draw.then(1)), id: some_number(draw.then(2)) }.into(),
        5 => LeaseRevokeRequest { id: some_number(draw.then(1)) }.into(),
        6 => LeaseKeepAliveRequest { id: some_number(draw.then(1)) }.into(),
        7 => {
            LeaseTimeToLiveRequest { id: some_number(draw.then(1)), keys: draw.then(2).below(2) == 0 }.into()
        }
        8 => LeaseLeasesRequest {}.into(),
        _ => some_txn(draw, 3).into(),
    }
}

fn some_bytes(draw: Draw) -> Bytes {
    let pick: &[&'static [u8]] = &[
        b"",
        b"k1",
        b"k",
        b"\0",
        b"\xff",
        b"a b",
        b"\"\\",
        b"c1o2......",
        b"...",
        b"*",
        b"k..",
        b"k,]",
        b"\xc3\xa9",
        b"seen",
    ];
    let bytes: &'static [u8] = draw.pick::<&[u8]>(pick);
    Bytes::from_static(bytes)
}

fn some_number(draw: Draw) -> i64 {
    *draw.pick(&[0, 0, 0, 1, -1, 17, -40, i64::MAX, i64::MIN])
}

fn some_range(draw: Draw) -> RangeRequest {
    let number = |nth: u64| some_number(draw.then(nth));
    RangeRequest {
        key: some_bytes(draw.then(1)),
        range_end: some_bytes(draw.then(2)),
        limit: number(3),
        revision: number(4),
        sort_order: draw.then(5).below(5) as i32 - 1,
        sort_target: draw.then(6).below(7) as i32 - 1,
        serializable: draw.then(7).below(2) == 0,
        keys_only: draw.then(8).below(2) == 0,
        count_only: draw.then(9).below(2) == 0,
        min_mod_revision: number(10),
        max_mod_revision: number(11),
        min_create_revision: number(12),
        max_create_revision: number(13),
    }
}

fn some_put(draw: Draw) -> PutRequest {
    PutRequest {
        key: some_bytes(draw.then(1)),
        value: some_bytes(draw.then(2)),
        lease: some_number(draw.then(3)),
        prev_kv: draw.then(4).below(2) == 0,
        ignore_value: draw.then(5).below(2) == 0,
        ignore_lease: draw.then(6).below(2) == 0,
    }
}

fn some_delete(draw: Draw) -> DeleteRangeRequest {
    let (key, range_end) = (some_bytes(draw.then(1)), some_bytes(draw.then(2)));
    DeleteRangeRequest { key, range_end, prev_kv: draw.then(3).below(2) == 0 }
}

/// A transaction; others may be nested in it, `deep` levels deep.
fn some_txn(draw: Draw, deep: u64) -> TxnRequest {
    let several = |nth: u64| 0..draw.then(nth).below(3);
    let op = |draw: Draw| {
        let request = match draw.then(0).below(5) {
            0 => Some(request_op::Request::RequestRange(some_range(draw))),
            1 => Some(request_op::Request::RequestPut(some_put(draw))),
            2 => Some(request_op::Request::RequestDeleteRange(some_delete(draw))),
            3 if deep > 0 => Some(request_op::Request::RequestTxn(some_txn(draw.then(20), deep - 1))),
            _ if draw.then(21).below(8) == 0 => None,
            _ => Some(request_op::Request::RequestPut(some_put(draw))),
        };
        RequestOp { request }
    };
    TxnRequest {
        compare: several(1).map(|nth| some_compare(draw.then(2).then(nth))).collect(),
        success: several(3).map(|nth| op(draw.then(4).then(nth))).collect(),
        failure: several(5).map(|nth| op(draw.then(6).then(nth))).collect(),
    }
}

fn some_compare(draw: Draw) -> Compare {
    let number = some_number(draw.then(1));
    let target_union = match draw.then(2).below(6) {
        0 => Some(TargetUnion::Version(number)),
        1 => Some(TargetUnion::CreateRevision(number)),
        2 => Some(TargetUnion::ModRevision(number)),
        3 => Some(TargetUnion::Value(some_bytes(draw.then(3)))),
        4 => Some(TargetUnion::Lease(number)),
        _ => None,
    };
    let number = |nth: u64| draw.then(nth).below(6) as i32;
    Compare {
        result: number(4),
        target: number(5),
        key: some_bytes(draw.then(6)),
        range_end: some_bytes(draw.then(7)),
        target_union,
    }
}

#[test]
fn every_word_is_of_one_value() {
    fn check<T: Words + std::fmt::Debug>() {
        assert_eq!(T::NAMES.len(), T::ALL.len());
    }
    check::<Failover>();
    check::<crate::workload::Name>();
    check::<crate::workload::Traffic>();
    check::<crate::Files>();
    check::<crate::DiskCall>();
}

#[test]
fn operations_are_short_lines() {
    for line in [
        "1.25s put k3 c0o17",
        "0s put k3 c0o17*64 prev",
        "1ms get k3",
        "1ms get k* @-3 serializable keys-only descend=mod limit=5 min-mod=4",
        "1s get k3..k7 count-only",
        "1s get k3.. by=value",
        "1s get *",
        "1s delete k3..k7 prev",
        "1s compact -5 physical",
        "1s compact seen",
        "1s txn if [mod k3 = seen, value k* != \"a b\", create k1 > 4] then [put k3 c0o1, txn if [] then [get k1] else []] else [get k3]",
        "1s put \"\" \"\\x00\\\"\"",
        "1s call UserAdd {\"name\":\"alice\",\"password\":\"a\"}",
        "1s put k3 c0o17 lease=seen",
        "1s get k3 @seen",
        "1s grant 1000000001 ttl=10",
        "1s grant 0 ttl=10",
        "1s revoke seen",
        "1s keep-alive 7",
        "1s time-to-live seen keys",
        "1s leases",
        "1s watch k*",
        "1s watch /registry/pods/* from=seen+1 prev progress no-delete fragment id=3 as=2 stream=1 skip",
        "1s watch w from=last",
        "1s watch w from=5",
        "1s follow /registry/pods/* page=7 as=1 stream=2",
        "1s cancel 2",
        "1s progress 0",
        "1s close 1",
        "1s list /registry/pods/* page=500",
        "1s view /registry/pods/*",
        "1s update /registry/leases/kube-node-lease/node-1 c0o1 lease=5 tries=5",
        "1s create /registry/pods/*#17 c0o1 new=/registry/pods/default/p1 about=10",
        "1s remove /registry/pods/*#17 c0o1",
        "1s add a-set c0o1",
        "1s add a-set c0o1 lock=foo lease=1000000001 ttl=2 hold=500ms fenced",
        "1s add a-set c0o1 lock=foo lease=1000000001 ttl=2 outside",
        "1s append [l1 += c0o1, get l2, get += c0o1-1]",
        "1s lock foo lease=1000000001 ttl=2",
        "1s unlock foo",
        "1s campaign app/leader c0o1 lease=1 ttl=4",
        "1s proclaim app/leader c0o2",
        "1s resign app/leader",
        "1s fenced app/leader app/data c0o3*64",
        "1s renew",
        "1s compactor compact_rev_key",
        "1s rest 500ms",
    ] {
        assert_eq!(PlannedOperation::parse(line).unwrap().print(), line);
    }
}
