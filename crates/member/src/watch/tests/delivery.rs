//! What synced watchers receive, and how it reaches the transport.

use api::etcdserverpb::watch_create_request::FilterType;
use prost::Message as _;
use record::Probe;

use super::*;
use crate::watch::Counts;

#[test]
fn a_watcher_receives_changes_of_its_keys() {
    for (create, expected) in [
        (on("b"), vec!["b=1@3"]),
        (between("b", "d"), vec!["b=1@3", "c=1@4"]),
        (between("b", "\0"), vec!["b=1@3", "c=1@4", "d=1@5"]),
        // An empty key is the smallest one, and an end of zero means every key.
        (between("", "\0"), vec!["a=1@2", "b=1@3", "c=1@4", "d=1@5"]),
        (between("", "b"), vec!["a=1@2"]),
        (on(""), vec![]),
    ] {
        let mut rig = Rig::new();
        rig.create(1, create.clone());
        ["a", "b", "c", "d"].into_iter().for_each(|key| rig.put(key, 1));
        rig.step();
        let events = rig.received.iter().flat_map(|(_, response)| &response.events).map(show_event);
        assert_eq!(events.collect::<Vec<_>>(), expected, "{create:?}");
    }
}

#[test]
fn the_changes_of_a_revision_come_together_and_the_header_says_which() {
    let mut rig = Rig::new();
    rig.create(1, between("a", "c"));
    rig.put("b", 0);
    rig.write(|write| {
        put(write, "a", 1);
        put(write, "x", 1);
        delete(write, "b");
    });
    assert_eq!(rig.seen(), ["0 @1 created", "0 @2 b=0@2", "0 @3 a=1@3 b-@3"]);
}

#[test]
fn a_deletion_has_a_key_and_a_revision_and_nothing_else() {
    let mut rig = Rig::new();
    rig.put("a", 1);
    rig.create(1, on("a"));
    rig.delete("a");
    rig.step();
    let event = &rig.received[1].1.events[0];
    let kv = api::mvccpb::KeyValue { key: "a".into(), mod_revision: 3, ..Default::default() };
    assert_eq!(*event, Event { r#type: EventType::Delete as i32, kv: Some(kv), prev_kv: None });
}

#[test]
fn watchers_of_one_stream_are_notified_in_the_order_of_their_ids() {
    let mut rig = Rig::new();
    for id in [9, 3] {
        rig.create(1, WatchCreateRequest { watch_id: id, ..between("a", "\0") });
        rig.create(1, on("a"));
    }
    rig.put("a", 1);
    assert_eq!(rig.seen()[4..], ["0 @2 a=1@2", "1 @2 a=1@2", "3 @2 a=1@2", "9 @2 a=1@2"]);
}

#[test]
fn filtered_events_are_left_out_and_an_empty_response_is_not_sent() {
    let filters = |filters: &[FilterType]| WatchCreateRequest {
        filters: filters.iter().map(|filter| *filter as i32).collect(),
        ..on("a")
    };
    let mut rig = Rig::new();
    rig.create(1, filters(&[FilterType::Noput]));
    rig.create(1, filters(&[FilterType::Nodelete]));
    rig.create(1, filters(&[FilterType::Noput, FilterType::Nodelete]));
    rig.put("a", 1);
    rig.delete("a");
    assert_eq!(rig.seen()[3..], ["1 @2 a=1@2", "0 @3 a-@3"]);
    // The same from the history.
    rig.create(2, from(1, filters(&[FilterType::Noput])));
    rig.wait(100 * MS);
    assert_eq!(rig.seen(), ["0 @3 created", "0 @3 a-@3"]);
}

#[test]
fn the_previous_pair_is_sent_if_it_exists_and_is_requested() {
    let mut rig = Rig::new();
    rig.create(1, WatchCreateRequest { prev_kv: true, ..on("a") });
    rig.create(1, on("a"));
    rig.put("a", 1);
    rig.put("a", 2);
    rig.delete("a");
    rig.put("a", 3);
    let of = |id: &str, seen: &[String]| -> Vec<String> {
        seen.iter().filter(|text| text.starts_with(id)).skip(1).cloned().collect()
    };
    let seen = rig.seen();
    assert_eq!(of("0", &seen), ["0 @2 a=1@2", "0 @3 a=2@3^1", "0 @4 a-@4^2", "0 @5 a=3@5"]);
    assert_eq!(of("1", &seen), ["1 @2 a=1@2", "1 @3 a=2@3", "1 @4 a-@4", "1 @5 a=3@5"]);
}

#[test]
fn the_previous_pair_is_read_when_the_response_is_sent() {
    let mut rig = Rig::with(|config| config.settings.watch_window = 1);
    rig.put("a", 1);
    rig.create(1, WatchCreateRequest { prev_kv: true, ..on("a") });
    rig.stall(1);
    rig.step();
    rig.put("a", 2);
    rig.put("a", 3);
    rig.compact(3);
    rig.resume(1);
    // The compaction removed the pair of revision 2 and kept that of revision 3.
    assert_eq!(rig.seen(), ["0 @2 created", "0 @3 a=2@3", "0 @4 a=3@4^2"]);
    assert_eq!(rig.probes(), [Probe::WatchPrevKvCompacted]);
}

#[test]
fn a_future_watcher_is_silent_until_its_revision() {
    let mut rig = Rig::new();
    rig.create(1, from(4, on("a")));
    for value in 2..=4 {
        rig.put("a", value);
    }
    assert_eq!(rig.seen(), ["0 @1 created", "0 @4 a=4@4"]);
    assert_eq!(rig.probes(), [Probe::WatchFutureReached]);
}

#[test]
fn large_responses_are_split_on_request() {
    const LIMIT: u64 = 200;
    let mut rig = Rig::with(|config| config.settings.watch_fragment_bytes = LIMIT);
    rig.create(1, WatchCreateRequest { fragment: true, ..between("a", "z") });
    rig.create(1, between("a", "z"));
    rig.write(|write| (0..9).for_each(|n| put(write, &format!("k{n}"), "v".repeat(20))));
    rig.step();
    let of = |rig: &Rig, id: i64| -> Vec<WatchResponse> {
        let own = rig.received.iter().filter(|(_, response)| response.watch_id == id && !response.created);
        own.map(|(_, response)| response.clone()).collect()
    };
    let (split, whole) = (of(&rig, 0), of(&rig, 1));
    assert_eq!(whole.len(), 1);
    assert!(whole[0].encoded_len() as u64 > LIMIT && !whole[0].fragment);
    assert_eq!(split.concat_events(), whole.concat_events());
    let (last, others) = split.split_last().unwrap();
    assert!(others.len() >= 2 && others.iter().all(|part| part.fragment) && !last.fragment);
    for part in &split {
        let mut sent = part.clone();
        let header = sent.header.as_mut().unwrap();
        (header.cluster_id, header.member_id, header.raft_term) = (u64::MAX, u64::MAX, u64::MAX);
        assert!((sent.encoded_len() as u64) < LIMIT, "{} bytes", sent.encoded_len());
        assert_eq!(header_revision(part), 2);
    }
    assert_eq!(rig.probes(), [Probe::WatchFragmented]);
}

#[test]
fn an_event_is_not_split() {
    let mut rig = Rig::with(|config| config.settings.watch_fragment_bytes = 10);
    rig.create(1, WatchCreateRequest { fragment: true, ..between("a", "z") });
    rig.put("a", "long enough");
    rig.write(|write| ["b", "c"].into_iter().for_each(|key| put(write, key, "long enough")));
    let expected =
        ["0 @1 created", "0 @2 a=long enough@2", "0 @3 b=long enough@3 ...", "0 @3 c=long enough@3"];
    assert_eq!(rig.seen(), expected);
}

#[test]
fn at_most_a_window_is_in_flight_and_fragments_count() {
    let mut rig = Rig::with(|config| {
        config.settings.watch_window = 2;
        config.settings.watch_fragment_bytes = 10;
    });
    rig.create(1, WatchCreateRequest { fragment: true, ..between("a", "z") });
    rig.stall(1);
    rig.write(|write| ["b", "c"].into_iter().for_each(|key| put(write, key, 1)));
    // A control response goes before the channel, but not between the fragments of a response.
    assert_eq!(rig.seen(), ["0 @1 created", "0 @2 b=1@2 ..."]);
    rig.put("d", 1);
    rig.create(1, on("x"));
    assert_eq!(rig.seen(), [""; 0]);
    assert_eq!(rig.hub.wake_at(), u64::MAX);
    rig.hub.taken(1);
    assert_eq!(rig.hub.wake_at(), rig.now, "there is something to drain");
    assert_eq!(rig.seen(), ["0 @2 c=1@2"]);
    rig.hub.taken(1);
    assert_eq!(rig.seen(), ["1 @3 created"]);
    rig.hub.taken(1);
    assert_eq!(rig.seen(), ["0 @3 d=1@3"]);
}

#[test]
fn a_watcher_whose_channel_is_full_is_a_victim_until_there_is_room() {
    let mut rig = Rig::with(|config| {
        config.settings.watch_window = 1;
        config.settings.watch_buffer = 2;
    });
    rig.create(1, on("a"));
    rig.create(2, on("a"));
    rig.step();
    rig.stall(1);
    for value in 2..=6 {
        rig.put("a", value);
        rig.step();
    }
    // The transport has one, the channel has two, the victim holds the fourth.
    assert_eq!(rig.hub.counts(), Counts { streams: 2, synced: 1, unsynced: 0, victims: 1 });
    assert_eq!(rig.wait(1000 * MS), 0, "no room, nothing to do");
    rig.received.clear();
    rig.resume(1);
    rig.step();
    assert_eq!(rig.seen(), ["0 @3 a=3@3", "0 @4 a=4@4"]);
    rig.wait(10 * MS);
    assert_eq!(rig.seen(), ["0 @5 a=5@5"]);
    assert_eq!(rig.hub.counts(), Counts { streams: 2, synced: 1, unsynced: 1, victims: 0 });
    rig.wait(100 * MS);
    assert_eq!(rig.seen(), ["0 @6 a=6@6"]);
    assert_eq!(rig.hub.counts().synced, 2);
    assert_eq!(rig.probes(), [Probe::WatchVictim, Probe::WatchVictimStillLags]);
}

#[test]
fn a_victim_may_be_cancelled() {
    let mut rig = Rig::with(|config| {
        config.settings.watch_window = 1;
        config.settings.watch_buffer = 1;
    });
    rig.create(1, on("a"));
    rig.step();
    rig.stall(1);
    for value in 2..=4 {
        rig.put("a", value);
        rig.step();
    }
    assert_eq!(rig.hub.counts().victims, 1);
    rig.cancel(1, 0);
    rig.received.clear();
    rig.resume(1);
    assert_eq!(rig.seen(), ["0 @4 canceled"]);
    assert_eq!(rig.hub.counts(), Counts { streams: 1, ..Counts::default() });
}

fn header_revision(response: &WatchResponse) -> i64 {
    response.header.as_ref().unwrap().revision
}

trait ConcatEvents {
    fn concat_events(&self) -> Vec<Event>;
}

impl ConcatEvents for [WatchResponse] {
    fn concat_events(&self) -> Vec<Event> {
        self.iter().flat_map(|response| response.events.clone()).collect()
    }
}
