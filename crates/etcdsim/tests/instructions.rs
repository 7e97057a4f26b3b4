//! The parts of the bench `instructions` that can be tested without valgrind, and its plans.

#[path = "../benches/instructions/callgrind.rs"]
mod callgrind;
#[path = "../benches/instructions/layers.rs"]
mod layers;

use callgrind::Profile;
use layers::{Layer, Service, layer, service, spent};

/// A member encodes an entry with `prost` (100 instructions of the member's, 30 inlined from redb, 10 from the standard
/// library) and an oracle encodes with it, too, for a third of the cost. `prost` allocates; the C library copies.
const PROFILE: &str = "\
# callgrind format
version: 1
creator: callgrind-3.19.0
cmd: instructions --run a=b.toml

positions: line
events: Ir
summary: 385

ob=(1) /target/instructions
fl=(1) crates/member/src/persist.rs
fn=(1) _ZN6member7persist6encode17h0000000000000000E
10 60
+2 40
fi=(2) /registry/src/index/redb-4.6.0/src/table.rs
5 30
fi=(3) /rustc/0000/library/core/src/option.rs
7 10
fe=(1)
cfi=(4) /registry/src/index/prost-0.14.1/src/message.rs
cfn=(2) _ZN5prost7Message6encode17h0000000000000000E
calls=2 100
* 150
-3

fl=(5) crates/verify/src/k4.rs
fn=(3) _ZN6verify2k46encode17h0000000000000000E
1 5
cfi=(4)
cfn=(2)'2
calls=1 100
* 50

fl=(4)
fn=(2)
100 80
cfn=(2)'2
calls=1 100
+1 500
cob=(2) /lib/libc.so.6
cfi=(6) ???
cfn=(4) malloc
calls=3 0
* 120

ob=(2)
fl=(6)
fn=(4)
0 80
cfn=(5) __memcpy_avx_unaligned_erms
calls=1 0
0 40

fn=(5)
0 40

fn=(6) (below main)
0 40

totals: 385
";

#[test]
fn a_profile_is_read() {
    let profile = Profile::read(PROFILE).expect("it is callgrind's");
    assert_eq!(profile.total(), 385);
    let names: Vec<&str> = profile.functions.iter().map(|function| &function.name[..]).collect();
    assert_eq!(names[3..], ["malloc", "__memcpy_avx_unaligned_erms", "(below main)"]);
    let own = &profile.functions[0].own;
    let of_file = |name: &str| own[&profile.files.iter().position(|file| file.ends_with(name)).unwrap()];
    assert_eq!([of_file("persist.rs"), of_file("table.rs"), of_file("option.rs")], [100, 30, 10]);
    let calls: Vec<_> = profile.calls.iter().map(|((from, _, to), cost)| (*from, *to, *cost)).collect();
    assert_eq!(calls, [(0, 1, 150), (1, 1, 500), (1, 3, 120), (2, 1, 50), (3, 4, 40)]);
}

#[test]
fn what_is_not_callgrinds_is_an_error() {
    let error = |text: &str| Profile::read(text).expect_err("a mistake");
    assert_eq!(error("events: Ir\nfn=main\n"), "line 2 is not callgrind's: fn=main");
    assert_eq!(error("events: Ir Dr\n"), "line 1 is not callgrind's: events: Ir Dr");
    let cut = PROFILE.replace("totals: 385", "totals: 386");
    assert_eq!(error(&cut), "read 385 instructions where callgrind counted 386");
}

#[test]
fn instructions_belong_to_layers() {
    let spent = spent(&Profile::read(PROFILE).expect("it is callgrind's"));
    let row = |layer: Layer| {
        let spent = spent[layer as usize];
        (layer.name(), [spent.own, spent.allocation, spent.copying].map(|part| part.round() as u64))
    };
    // That prost calls itself counts for nobody.
    let expected = [
        ("raft", [0, 0, 0]),
        ("member", [100 + 10 + 60, 60, 30]),
        ("backend", [30, 0, 0]),
        ("world", [0, 0, 0]),
        ("oracles", [5 + 20, 20, 10]),
        ("other", [40, 0, 0]),
    ];
    assert_eq!(Layer::ALL.map(row), expected);
    assert_eq!(spent.iter().map(|spent| spent.all().round()).sum::<f64>(), 385.0);
}

#[test]
fn files_and_symbols_are_recognised() {
    let layers = [
        ("/home/me/etcdsim/crates/member/src/backend/file.rs", Some(Layer::Backend)),
        ("crates/member/src/persist.rs", Some(Layer::Member)),
        ("/registry/src/index.crates.io-1949cf8c6b5b557f/raft-0.7.0/src/raft_log.rs", Some(Layer::Raft)),
        ("/target/release/build/raft-proto-0123456789abcdef/out/protos/eraftpb.rs", Some(Layer::Raft)),
        ("/registry/src/index.crates.io-1949cf8c6b5b557f/raft-engine-0.4.2/src/lib.rs", None),
        ("/rustc/59807616/library/alloc/src/vec/mod.rs", None),
        ("???", None),
    ];
    for (path, expected) in layers {
        assert_eq!(layer(path), expected, "{path}");
    }
    let services = [
        ("_int_free", "./malloc/./malloc/malloc.c", Some(Service::Allocation)),
        ("_RNvCsfLfy6EI15iL_7___rustc12___rust_alloc", "???", Some(Service::Allocation)),
        ("__memset_avx2_unaligned_erms", "???", Some(Service::Copying)),
        ("__memcmp_avx2_movbe", "???", None),
        ("_ZN5alloc3vec6memcpy17h0000000000000000E", "???", None),
    ];
    for (symbol, file, expected) in services {
        assert_eq!(service(symbol, file), expected, "{symbol}");
    }
}

/// A plan has no choices left, so it stays the same when scenarios or the swarm change.
#[test]
fn the_fixed_plans_are_plans() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/bench/plans");
    for name in ["steady", "chaos", "swarm"] {
        let file = folder.join(name).with_extension("toml");
        let plan = etcdsim::Simulation::from_file(&file).unwrap_or_else(|error| panic!("{error:?}"));
        let [one, other] = [0, 1].map(|seed| plan.expand(seed));
        assert_eq!(one, other, "{} is not a plan", file.display());
    }
}
