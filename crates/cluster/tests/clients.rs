//! Tests clients that do more than send requests: they continue their watchers at other members, keep copies of keys,
//! use locks, and act as users.

use etcdsim_cluster as cluster;
use plan::Scenario;
use record::{History, MemberId, Outcome, Record, StreamEnd};

/// Runs a scenario with seed 1.
fn run(text: &str) -> Record {
    let scenario = Scenario::parse("test.toml", &format!("title = 't'\n{text}"));
    let plan = scenario.unwrap_or_else(|errors| panic!("{errors:?}")).expand(1);
    let record = cluster::run(&plan, &mut (), world::Options::default());
    assert_eq!(record.surprises, []);
    assert_eq!(record.unsettled, Vec::<String>::new());
    record
}

/// A client that puts `count` values, one every 50 ms, and does not give up a member.
fn putter(count: u64) -> String {
    let lines: String =
        (0..count).map(|nth| format!("\"{}ms put k{} c0o{nth}\",\n", 500 + 50 * nth, nth % 3)).collect();
    format!("[[client]]\nendpoints = [1, 2]\ntimeout = '100ms'\noperations = [\n{lines}]\n")
}

/// The revisions of all events of a client's streams, in the order in which they came.
fn revisions(history: &History, client: u32) -> Vec<i64> {
    let streams = history.watches.iter().filter(|stream| stream.client == client);
    let responses = streams.flat_map(|stream| &stream.received).map(|(_, response)| response);
    responses
        .flat_map(|response| &response.events)
        .map(|event| event.kv.as_ref().unwrap().mod_revision)
        .collect()
}

/// The revisions that the cluster made, whether or not their clients know it.
fn written(record: &Record) -> Vec<i64> {
    record.applied.iter().filter(|entry| entry.mutated).map(|entry| entry.revision as i64).collect()
}

#[test]
fn a_watch_loses_and_repeats_nothing_over_a_bad_link() {
    let bad = "[network.clients]\nloss = '20%'\nduplicate = '20%'\nreorder = '20%'\n[run]\nchaos = '12s'\n";
    let watch =
        "[[client]]\nendpoints = [3]\nfailover = 'pinned'\noperations = ['450ms watch k* from=1 prev']\n";
    let record = run(&format!("{}{watch}{bad}", putter(100)));
    let seen = revisions(&record.history, 1);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    // Whatever was answered was written; the last few may still have been under way at the end.
    let last = *seen.last().unwrap();
    assert!(seen.len() >= 40, "{seen:?}");
    assert!(written(&record).iter().filter(|put| **put <= last).all(|put| seen.contains(put)), "{seen:?}");
    assert!(record.stats.faults["watch-message-sent-again"] > 0);
}

#[test]
fn a_stream_to_a_machine_without_power_is_noticed_and_goes_on_elsewhere() {
    let power =
        "[[fault]]\nkind = 'power-loss'\ntarget = 'member 3'\nat = '3s'\nfor = '5s'\n[run]\nchaos = '12s'\n";
    let watch = "[[client]]\nendpoints = [3, 2]\nkeepalive = '500ms'\nkeepalive-timeout = '500ms'\noperations = ['450ms watch k* from=1']\n";
    let record = run(&format!("{}{watch}{power}", putter(100)));
    let streams = &record.history.watches;
    let (at, end) = streams[0].ended.unwrap();
    assert_eq!((streams[0].member, end), (MemberId::new(3), StreamEnd::Broken));
    assert!((3_900_000_000..4_600_000_000).contains(&at), "{at}");
    assert_eq!(streams.last().unwrap().member, MemberId::new(2));
    assert_eq!(revisions(&record.history, 1), written(&record));
    assert!(record.stats.work["watches-resumed"] >= 1);
}

#[test]
fn a_killed_process_is_noticed_at_once() {
    let crash =
        "[[fault]]\nkind = 'crash'\ntarget = 'member 3'\nat = '3s'\nfor = '5s'\n[run]\nchaos = '12s'\n";
    let watch = "[[client]]\nendpoints = [3, 2]\noperations = ['450ms watch k* from=1']\n";
    let record = run(&format!("{}{watch}{crash}", putter(100)));
    let (at, end) = record.history.watches[0].ended.unwrap();
    assert_eq!(end, StreamEnd::Broken);
    assert!((3_000_000_000..3_100_000_000).contains(&at), "{at}");
    assert_eq!(revisions(&record.history, 1), written(&record));
}

#[test]
fn a_slow_consumer_gets_everything_late() {
    let watch =
        "[[client]]\nendpoints = [3]\nwatch-processing = '120ms'\noperations = ['450ms watch k* from=1']\n";
    let record = run(&format!("{}{watch}[run]\nchaos = '16s'\n", putter(100)));
    assert_eq!(revisions(&record.history, 1), written(&record));
    let (last, _) = record.history.watches[0].received.last().unwrap();
    assert!(*last > 12_000_000_000, "{last}");
}

#[test]
fn closing_and_cancelling_end_what_they_name() {
    let watch = "[[client]]\nendpoints = [3]\noperations = ['450ms watch k* as=1 stream=1', '450ms watch k1 as=2 stream=2', '2s cancel 1', '3s close 2']\n";
    let record = run(&format!("{}{watch}[run]\nchaos = '8s'\n", putter(100)));
    let [one, two] = &record.history.watches[..] else { panic!("{:?}", record.history.watches) };
    let (at, last) = one.received.last().unwrap();
    assert!(last.canceled && (2_000_000_000..2_100_000_000).contains(at), "{at} {last:?}");
    assert_eq!(one.ended, None);
    assert!(matches!(two.ended, Some((3_000_000_000..=3_001_000_000, StreamEnd::Closed))), "{:?}", two.ended);
}

#[test]
fn a_copy_is_what_the_store_was_at_its_revision() {
    let faults =
        "[[fault]]\nkind = 'crash'\ntarget = 'random'\nevery = '2s'\nfor = '300ms'\n[run]\nchaos = '10s'\n";
    let record = run(&format!(
        "[workload]\nname = 'kubernetes-cluster'\nrate = '20/s'\nspeed = 20\nkeepalive = '1s'\nkeepalive-timeout = '1s'\n{faults}"
    ));
    let work = &record.stats.work;
    assert!(work["objects-created"] > 10 && work["objects-updated"] > 50, "{work:?}");
    assert!(work["pages"] > work["lists"] && work["compactions"] > 0, "{work:?}");
    assert!(record.history.caches.len() > 20, "{}", record.history.caches.len());
    // The quiet read at the end shows what every copy of that revision holds.
    let quiet = record.history.operations.last().unwrap().response().unwrap();
    let api::Response::Range(quiet) = quiet else { panic!("{quiet:?}") };
    let mut compared = 0;
    for view in &record.history.caches {
        let inside = |key: &bytes::Bytes| *key >= view.keys.0 && *key < view.keys.1;
        let now: Vec<_> = (quiet.kvs.iter().filter(|kv| inside(&kv.key)))
            .map(|kv| (kv.key.clone(), kv.mod_revision))
            .collect();
        // A copy without events since its revision is compared with the end.
        if now.iter().all(|(_, revision)| *revision <= view.revision) && view.at > record.healed {
            assert_eq!(view.pairs, now, "{view:?}");
            compared += 1;
        }
    }
    assert!(compared > 3, "{compared}");
}

#[test]
fn a_lock_with_a_fence_loses_no_addition() {
    let record = run(
        "[workload]\nname = 'lock-etcd-set'\nclients = 3\nrate = '6/s'\ntimeout = '4s'\n[run]\nchaos = '15s'\n",
    );
    let work = &record.stats.work;
    assert!(work["adds"] > 3 && work["locks"] >= work["adds"] && work["renewals"] > 5, "{work:?}");
    let quiet = record.history.operations.last().unwrap().response().unwrap();
    let api::Response::Range(quiet) = quiet else { panic!("{quiet:?}") };
    let set = quiet.kvs.iter().find(|kv| kv.key == "a-set").unwrap();
    assert_eq!(set.value.split(|byte| *byte == b',').count() as u64, work["adds"]);
}

#[test]
fn a_user_logs_in_first_and_is_named() {
    let root = r#"
[[client]]
user = "root:pw"
operations = [
    '1s call UserAdd {"name":"root","password":"pw"}',
    '1s call RoleAdd {"name":"root"}',
    '1s call UserGrantRole {"user":"root","role":"root"}',
    '1s call AuthEnable {}',
    '2s put k c0o4',
]
[[client]]
operations = ['3s put k c1o0']
[run]
chaos = '4s'
"#;
    let record = run(root);
    let of =
        |client: u32| record.history.operations.iter().filter(move |operation| operation.client == client);
    assert_eq!(of(0).next().unwrap().request.rpc_name(), "Authenticate");
    let put = of(0).last().unwrap();
    assert_eq!(put.user.as_deref(), Some("root"));
    assert!(put.response().is_some(), "{put:?}");
    // It learned that it had to log in, did so, and repeated the request.
    assert_eq!(record.stats.work["logins"], 2);
    let stranger = of(1).last().unwrap();
    assert!(matches!(stranger.outcome, Outcome::Error { error: api::Error::UserEmpty, .. }), "{stranger:?}");
}

/// The known-unsafe demonstration: a lock with a time-out and without a fence guards nothing.
#[test]
fn a_lock_without_a_fence_loses_additions_at_times() {
    let file = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/jepsen-lock-set.toml"),
    )
    .unwrap();
    let scenario = Scenario::parse("jepsen-lock-set.toml", &file).unwrap();
    let lost = (0..40).map(|seed| {
        let record = cluster::run(&scenario.expand(seed), &mut (), world::Options::default());
        record.stats.work["lost-adds"]
    });
    let lost: Vec<u64> = lost.collect();
    assert!(lost.iter().any(|lost| *lost > 0), "{lost:?}");
    assert!(lost.contains(&0), "{lost:?}");
}

#[test]
fn a_member_without_a_machine_only_counts_as_one_that_is_down() {
    let add = r#"7s call MemberAdd {"peerURLs": ["http://10.0.0.77:2380"], "isLearner": true}"#;
    let client = format!("[[client]]\noperations = ['{add}', '8s put k v']\n");
    let remove = "[[fault]]\nkind = 'remove-member'\ntarget = 'member 3'\nat = '9s'\n";
    let record = run(&format!("{client}{remove}[run]\nchaos = '16s'\n"));
    let answered = |operation: &&record::Operation| matches!(operation.outcome, Outcome::Answer { .. });
    assert!(record.history.operations.iter().take(2).all(|operation| answered(&operation)));
}

#[test]
fn clients_follow_the_member_list() {
    let joins = "[[fault]]\nkind = 'add-member'\nat = '2s'\nlearner = false\n[[fault]]\nkind = 'remove-member'\nat = '6s'\ntarget = 'member 1'\n[run]\nchaos = '15s'\n";
    let lines: String = (0..100).map(|nth| format!("\"{}ms put a v{nth}\",\n", 500 + 140 * nth)).collect();
    let client =
        format!("[[client]]\nfailover = 'round-robin'\nauto-sync = '1s'\noperations = [\n{lines}]\n");
    let record = run(&format!("{client}{joins}"));
    assert!(record.stats.work["endpoint-syncs"] >= 10);
    let asked = |member: u32, from: u64, to: u64| {
        let within = from * 1_000_000_000..to * 1_000_000_000;
        let operations = record.history.operations.iter();
        operations
            .filter(|one| {
                one.client == 0 && one.member == MemberId::new(member) && within.contains(&one.call)
            })
            .count()
    };
    assert_eq!(asked(4, 0, 2), 0);
    assert!(asked(4, 4, 15) > 10, "the member that joined is asked");
    assert!(asked(1, 0, 6) > 5);
    assert_eq!(asked(1, 9, 15), 0, "the member that left is not");
}

#[test]
fn a_client_adds_a_member_whose_machine_the_plan_has_because_of_it() {
    let add = "[[client]]\nendpoints = [1]\ntimeout = '5s'\noperations = ['1s call MemberAdd {\"peerURLs\":[\"http://m2:2380\"],\"isLearner\":true}', '2s put k v']\n";
    let reads = "[[client]]\nendpoints = [2]\noperations = ['4s get k serializable']\n";
    let record = run(&format!("[cluster]\nmembers = 1\n{add}{reads}[run]\nchaos = '6s'\n"));
    assert_eq!(record.members.len(), 2);
    assert!(record.members.iter().all(|member| member.running && member.applied > 0), "{:?}", record.members);
    // Any other machine never comes.
    let elsewhere = add.replace("m2", "10.0.0.9");
    let record = run(&format!("[cluster]\nmembers = 1\n{elsewhere}[run]\nchaos = '6s'\n"));
    assert_eq!(record.members.len(), 1);
    assert!(record.history.operations.iter().all(|one| matches!(one.outcome, Outcome::Answer { .. })));
}
