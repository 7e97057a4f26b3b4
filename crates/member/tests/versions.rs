//! What a client sees of etcd 3.7, and of earlier versions.

use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::downgrade_request::DowngradeAction;
use api::etcdserverpb::{
    AlarmRequest, AlarmType, CompactionRequest, DowngradeRequest, HashKvRequest, LeaseGrantRequest,
    PutRequest, RangeRequest, RangeResponse, StatusRequest,
};
use api::{Error, Response};
use etcdsim_member::Config;
use etcdsim_member::config::EtcdVersion;
use etcdsim_member::io::{Ask, Call, Down, Input, Up};
use record::MemberId;

use crate::alone::{self, Alone};
use crate::storage::disk::TestDisk;

fn member(version: EtcdVersion) -> Alone {
    let mut config: Config = alone::config(MemberId::new(1));
    config.settings.etcd_version = version;
    Alone::start(config, TestDisk::new(), 1)
}

fn all() -> RangeRequest {
    RangeRequest { key: "k".into(), range_end: "l".into(), ..RangeRequest::default() }
}

fn put(member: &mut Alone, key: String, lease: i64) {
    member.ask(PutRequest { key: key.into(), value: "v".into(), lease, ..PutRequest::default() });
}

/// Streams a range: the sizes of the chunks, what they are merged, and the error that ended the stream. `between`
/// happens after each chunk.
fn stream(
    member: &mut Alone,
    stream: u64,
    range: RangeRequest,
    mut between: impl FnMut(&mut Alone),
) -> (Vec<usize>, RangeResponse, Option<Error>) {
    let (mut sizes, mut whole) = (Vec::new(), RangeResponse::default());
    let mut items =
        member.settle(Input::Item { stream, item: Ask::with_token(Up::Range(range), None) }).items;
    loop {
        for (of, item) in items {
            assert_eq!(of, stream);
            match item {
                Down::Range(chunk) => {
                    sizes.push(chunk.range_response.as_ref().map_or(0, |chunk| chunk.kvs.len()));
                    api::merge(&mut whole, &chunk);
                }
                Down::End => return (sizes, whole, None),
                Down::Refused(error) => return (sizes, whole, Some(error)),
                other => panic!("{other:?} is no part of a range"),
            }
        }
        between(member);
        items = member.settle(Input::Taken { stream }).items;
        assert!(!items.is_empty(), "the next chunk comes when the last one is taken");
    }
}

#[test]
fn a_streamed_range_is_the_range_of_one_revision() {
    let mut one = member(EtcdVersion::V3_7);
    (0..100).for_each(|nth| put(&mut one, format!("k{nth:03}"), 0));
    let Response::Range(range) = one.ask(all()) else { panic!("a range") };
    for serializable in [false, true] {
        let asked = RangeRequest { serializable, ..all() };
        let mut nth = 0;
        let write = |one: &mut Alone| {
            nth += 1;
            put(one, format!("k{nth}new"), 0);
            put(one, "k099".to_string(), 0);
        };
        let before = match one.ask(all()) {
            Response::Range(range) => range,
            other => panic!("{other:?}"),
        };
        let (sizes, merged, error) = stream(&mut one, 5 + u64::from(serializable), asked, write);
        assert_eq!((&sizes[..3], error), (&[10, 20, 40][..], None));
        assert_eq!(merged, before);
    }
    assert_eq!(range.count, 100);
}

#[test]
fn what_ends_a_streamed_range() {
    let mut one = member(EtcdVersion::V3_7);
    (0..30).for_each(|nth| put(&mut one, format!("k{nth:03}"), 0));
    let compact = |one: &mut Alone| {
        put(one, "x".to_string(), 0);
        one.ask(CompactionRequest { revision: 32, physical: false });
    };
    let (sizes, _, error) = stream(&mut one, 1, all(), compact);
    assert_eq!((sizes, error), (vec![10], Some(Error::Compacted)));
    let sorted = RangeRequest { sort_order: 2, ..all() };
    assert_eq!(stream(&mut one, 2, sorted, |_| {}).2, Some(Error::RangeStreamSort));
    // The client's end of a stream is gone: nothing more is sent.
    let item = Ask::with_token(Up::Range(all()), None);
    assert_eq!(one.settle(Input::Item { stream: 3, item }).items.len(), 1);
    one.settle(Input::Closed { stream: 3 });
    assert!(one.settle(Input::Taken { stream: 3 }).items.is_empty());
    for version in [EtcdVersion::V3_4, EtcdVersion::V3_6] {
        assert_eq!(stream(&mut member(version), 1, all(), |_| {}).2, Some(Error::NoRangeStream));
    }
}

#[test]
fn answers_differ_by_version() {
    use EtcdVersion::{V3_4, V3_5, V3_6, V3_7};
    for version in [V3_4, V3_5, V3_6, V3_7] {
        let mut one = member(version);
        one.ask(LeaseGrantRequest { id: 7, ttl: 60 });
        put(&mut one, "k".to_string(), 7);
        for (sort_target, kept) in [(0, version < V3_7), (4, true)] {
            let Response::Range(range) = one.ask(RangeRequest { keys_only: true, sort_target, ..all() })
            else {
                panic!("a range");
            };
            assert_eq!(range.kvs[0].lease, if kept { 7 } else { 0 }, "{version:?} {sort_target}");
        }
        let alarm = AlarmRequest {
            action: AlarmAction::Get as i32,
            alarm: AlarmType::Nospace as i32,
            ..AlarmRequest::default()
        };
        let Response::Alarm(answer) = one.ask(alarm) else { panic!("an alarm") };
        assert_eq!(answer.header.map(|header| header.revision), (version >= V3_5).then_some(2));
        let Response::Status(status) = one.ask(StatusRequest {}) else { panic!("a status") };
        assert!(status.version.starts_with(version.word()), "{version:?}: {}", status.version);
        let quota = if version >= V3_6 { 2 << 30 } else { 0 };
        assert_eq!((status.downgrade_info.is_some(), status.db_size_quota), (version >= V3_6, quota));
        assert_eq!(status.storage_version.is_empty(), version < V3_6);
        let HashAt { hash, compacted, revision } = hash_kv(&mut one, 2).expect("not compacted");
        assert_eq!((compacted, revision), (-1, if version >= V3_6 { 2 } else { 0 }));
        one.ask(CompactionRequest { revision: 2, physical: false });
        match hash_kv(&mut one, 2) {
            // The hash that was kept of the compaction, with the compact revision before.
            Ok(kept) => assert_eq!((kept.hash, kept.compacted), (hash, -1)),
            Err(error) => assert_eq!((version, error), (V3_4, Error::Compacted)),
        }
    }
}

struct HashAt {
    hash: u32,
    compacted: i64,
    revision: i64,
}

fn hash_kv(one: &mut Alone, revision: i64) -> Result<HashAt, Error> {
    match one.try_ask(HashKvRequest { revision }) {
        Ok(Response::HashKv(answer)) => Ok(HashAt {
            hash: answer.hash,
            compacted: answer.compact_revision,
            revision: answer.hash_revision,
        }),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    }
}

#[test]
fn a_downgrade_begins_once_and_ends_when_it_is_cancelled() {
    let mut one = member(EtcdVersion::V3_7);
    let ask = |one: &mut Alone, action: DowngradeAction, version: &str| {
        let answer = one.try_ask(DowngradeRequest { action: action as i32, version: version.to_string() });
        answer.map(|answer| match answer {
            Response::Downgrade(answer) => answer.version,
            other => panic!("{other:?}"),
        })
    };
    let status = |one: &mut Alone| {
        let Response::Status(status) = one.ask(StatusRequest {}) else { panic!("a status") };
        let info = status.downgrade_info.expect("since 3.6");
        (status.storage_version, info.enabled, info.target_version)
    };
    use DowngradeAction::{Cancel, Enable, Validate};
    assert_eq!(ask(&mut one, Validate, "3.x"), Err(Error::WrongDowngradeVersionFormat));
    assert_eq!(ask(&mut one, Validate, "3.5"), Err(Error::InvalidDowngradeTargetVersion));
    assert_eq!(ask(&mut one, Validate, "3.6.4").as_deref(), Ok("3.7"));
    assert_eq!(status(&mut one), ("3.7.0".to_string(), false, String::new()));
    assert_eq!(ask(&mut one, Enable, "3.6").as_deref(), Ok("3.7"));
    assert_eq!(status(&mut one), ("3.6.0".to_string(), true, "3.6.0".to_string()));
    assert_eq!(ask(&mut one, Enable, "3.5"), Err(Error::DowngradeInProcess));
    assert!(ask(&mut one, Cancel, "").is_ok());
    assert!(!status(&mut one).1);
    assert!(ask(&mut one, Cancel, "").is_ok(), "from 3.6 on, there need be none");
    assert_eq!(ask(&mut member(EtcdVersion::V3_5), Cancel, ""), Err(Error::NoInflightDowngrade));
}

#[test]
fn a_request_that_lacks_space_is_refused_once_the_alarm_is_raised() {
    let mut config: Config = alone::config(MemberId::new(1));
    config.settings.quota = 1;
    let mut one = Alone::start(config, TestDisk::new(), 1);
    let put = PutRequest { key: "k".into(), value: "v".into(), ..PutRequest::default() };
    let request = Ask::with_token(Call::Api(put.clone().into()), None);
    let effects = one.step(Input::Call { call: 100, request });
    assert!(
        effects.answers.is_empty(),
        "who reads that there is no space sees the alarm: {:?}",
        effects.answers
    );
    let answers = one.follow(effects).answers;
    assert_eq!(answers, [(100, Err(Error::NoSpace))]);
    let alarms =
        AlarmRequest { action: AlarmAction::Get as i32, member_id: 0, alarm: AlarmType::None as i32 };
    let Response::Alarm(listed) = one.ask(alarms) else { panic!("a list of alarms") };
    assert_eq!(listed.alarms.len(), 1, "{listed:?}");
    assert_eq!(one.try_ask(put), Err(Error::NoSpace));
}
