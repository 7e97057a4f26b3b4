//! Watches: every field of a watcher, watchers that begin in the past and in the future, that are refused, cancelled by
//! their client or by a compaction, and what each receives of the changes of keys and leases.

use api::Request;
use api::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest, WatchCreateRequest};
use bytes::Bytes;

use super::keys::{self, Seen};
use crate::draws::Draws;
use crate::session::Session;

const REQUESTS: usize = 1_200;
/// How many streams the client has.
const STREAMS: u64 = 3;
/// How many watchers it has at most.
const WATCHERS_MAX: usize = 12;

fn watcher(draws: &mut Draws, seen: Seen) -> WatchCreateRequest {
    let key = keys::key(draws);
    let range_end = match draws.weighted(&[30, 30, 30, 10]) {
        0 => Bytes::new(),
        1 => api::key_range::prefix_end(&key),
        2 => Bytes::from_static(b"\0"),
        _ => keys::range_end(draws, &key),
    };
    WatchCreateRequest {
        key,
        range_end,
        start_revision: match draws.weighted(&[45, 35, 6, 8, 3]) {
            0 => 0,
            1 => draws.within(seen.compacted + 1, seen.revision + 1),
            2 => draws.within(1, seen.compacted.max(1)),
            3 => seen.revision + draws.within(2, 30),
            _ => -draws.within(1, 3),
        },
        progress_notify: draws.percent(10),
        filters: match draws.weighted(&[80, 8, 8, 4]) {
            0 => vec![],
            1 => vec![0],
            2 => vec![1],
            _ => vec![0, 1],
        },
        prev_kv: draws.percent(50),
        watch_id: if draws.percent(85) { 0 } else { draws.within(1, 6) },
        fragment: draws.percent(20),
    }
}

/// Runs the script.
pub async fn run(session: &mut Session<'_>, seed: u64) {
    let mut draws = Draws::new(seed);
    keys::grant(session).await;
    for _ in 0..REQUESTS {
        let seen = Seen::by(session);
        let open = session.open_watchers();
        let request: Request = match draws.weighted(&[100, 9, 3, 1, 1, 2, 2]) {
            1 if open.len() < WATCHERS_MAX => {
                let stream = draws.below(STREAMS) as u32;
                let watcher = watcher(&mut draws, seen);
                session.watch(None, stream, watcher).await;
                continue;
            }
            2 if !open.is_empty() => {
                session.cancel(draws.pick(&open)).await;
                continue;
            }
            3 => {
                session.close(draws.below(STREAMS) as u32).await;
                continue;
            }
            4 => keys::compaction(&mut draws, seen).into(),
            5 => LeaseRevokeRequest { id: draws.pick(keys::LEASES) }.into(),
            6 => LeaseGrantRequest { ttl: 3_600, id: draws.pick(&keys::LEASES[..3]) }.into(),
            _ => match draws.weighted(&[60, 15, 25]) {
                0 => keys::put(&mut draws).into(),
                1 => keys::delete(&mut draws).into(),
                _ => keys::txn(&mut draws, seen, 0).into(),
            },
        };
        let _ = session.ask(request).await;
    }
}
