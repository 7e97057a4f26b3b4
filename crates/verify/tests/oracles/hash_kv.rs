//! The answers to `HashKV`: members that hash the same revision get the same hash (oracle I8), and a refusal has a
//! reason.

use api::etcdserverpb::*;
use api::{Error, Request};
use etcdsim_verify::Oracle;

use super::build::*;

fn hash_at(revision: i64) -> Request {
    HashKvRequest { revision }.into()
}

fn hash(revision: i64, compact_revision: i64, hash: u32) -> api::Response {
    HashKvResponse { header: None, hash, compact_revision, hash_revision: revision }.into()
}

#[test]
fn one_revision_has_one_hash() {
    let story = |other| {
        Story::default().ok(1, hash_at(0), (1, 2), hash(5, -1, 7)).ok(
            2,
            hash_at(5),
            (3, 4),
            hash(5, -1, other),
        )
    };
    story(7).holds(Oracle::I8);
    assert_eq!(story(8).breaks(Oracle::I8, "two hashes of the keys at revision 5").operations, [0, 1]);
    // Compacted up to different revisions, or of another revision, they may differ.
    let story =
        Story::default().ok(1, hash_at(0), (1, 2), hash(5, -1, 7)).ok(2, hash_at(5), (3, 4), hash(5, 3, 8));
    story.ok(1, hash_at(6), (5, 6), hash(6, -1, 9)).holds(Oracle::I8);
    // A negative revision is not the newest one.
    let nothing = |hash| -> api::Response {
        let header = Some(ResponseHeader { revision: 1, ..Default::default() });
        HashKvResponse { header, hash, compact_revision: -1, hash_revision: -1 }.into()
    };
    let story =
        Story::default().ok(1, hash_at(0), (1, 2), hash(1, -1, 7)).ok(1, hash_at(-1), (3, 4), nothing(0));
    story.holds(Oracle::I8);
}

#[test]
fn a_hash_is_refused_for_a_reason() {
    let story = || {
        Story::default()
            .ok(1, put("a", "1"), (1, 2), done(2))
            .ok(1, put("a", "2"), (3, 4), done(3))
            .ok(1, compact(3), (5, 6), compacted(3))
            .starts(&[])
    };
    story()
        .error(1, hash_at(2), (7, 8), Error::Compacted)
        .ok(1, get_at("a", 3), (9, 10), found(3, &[kv("a", "2", 2, 3, 2)]))
        .holds(Oracle::K3);
    story().error(1, hash_at(3), (7, 8), Error::Compacted).breaks(Oracle::K3, "refused as compacted");
    story().error(1, hash_at(3), (7, 8), Error::FutureRev).breaks(Oracle::K3, "refused as of the future");
    story()
        .error(2, hash_at(3), (7, 8), Error::FutureRev)
        .ok(1, get_at("a", 3), (9, 10), found(3, &[kv("a", "2", 2, 3, 2)]))
        .holds(Oracle::K3);
}
