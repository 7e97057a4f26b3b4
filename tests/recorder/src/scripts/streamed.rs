//! Streamed ranges over more keys than the first chunk has, and the same range without chunks.

use api::Request;
use api::etcdserverpb::{DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest};
use bytes::Bytes;

use super::keys::{Seen, compaction};
use crate::draws::Draws;
use crate::session::Session;

const REQUESTS: usize = 1_300;
/// How many keys there are: some chunks of 10, 20, ….
const KEYS: u64 = 45;
/// A lease that some of the pairs have.
const LEASE: i64 = 11;

fn key(draws: &mut Draws) -> Bytes {
    format!("s/{:02}", draws.below(KEYS)).into()
}

fn range(draws: &mut Draws, seen: Seen) -> RangeRequest {
    let key = if draws.percent(40) { "s/".into() } else { key(draws) };
    let range_end = match draws.weighted(&[6, 50, 20, 24]) {
        0 => Bytes::new(),
        1 => "s0".into(),
        2 => Bytes::from_static(b"\0"),
        _ => format!("s/{:02}", draws.below(KEYS)).into(),
    };
    RangeRequest {
        key: if draws.percent(1) { Bytes::new() } else { key },
        range_end,
        limit: if draws.percent(50) { 0 } else { draws.within(1, 40) },
        revision: match draws.weighted(&[70, 24, 3, 3]) {
            0 => 0,
            1 => draws.within(seen.compacted.max(1), seen.revision),
            2 => draws.within(1, seen.compacted.max(1)),
            _ => seen.revision + draws.within(1, 3),
        },
        sort_order: draws.weighted(&[70, 26, 3, 1]) as i32,
        sort_target: draws.weighted(&[93, 1, 1, 1, 1, 1]) as i32,
        serializable: draws.percent(20),
        keys_only: draws.percent(60),
        count_only: draws.percent(8),
        min_mod_revision: i64::from(draws.percent(1)),
        max_create_revision: i64::from(draws.percent(1)),
        ..RangeRequest::default()
    }
}

/// Runs the script.
pub async fn run(session: &mut Session<'_>, seed: u64) {
    let mut draws = Draws::new(seed);
    let _ = session.ask(LeaseGrantRequest { ttl: 3_600, id: LEASE }).await;
    for _ in 0..REQUESTS {
        let seen = Seen::by(session);
        let request: Request = match draws.weighted(&[30, 8, 1, 50]) {
            0 => {
                let lease = if draws.percent(20) { LEASE } else { 0 };
                let value = format!("{}", draws.below(100)).into();
                PutRequest { key: key(&mut draws), value, lease, ..PutRequest::default() }.into()
            }
            1 => DeleteRangeRequest { key: key(&mut draws), ..DeleteRangeRequest::default() }.into(),
            2 => compaction(&mut draws, seen).into(),
            _ => {
                let range = range(&mut draws, seen);
                // A target without an order sorts each chunk by itself: etcd's answer to that is no range (we have it
                // as a flaw).
                let orderless = range.sort_order == 0 && range.sort_target != 0;
                if !orderless && draws.percent(70) {
                    let _ = session.ask_streamed(None, range).await;
                    continue;
                }
                range.into()
            }
        };
        let _ = session.ask(request).await;
    }
}
