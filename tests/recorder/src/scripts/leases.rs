//! Leases: grants, renewals, revocations, what they say of themselves, and the end of those whose time has passed.

use std::time::Duration;

use api::Request;
use api::etcdserverpb::{
    DeleteRangeRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseLeasesRequest, LeaseRevokeRequest,
    LeaseTimeToLiveRequest, PutRequest, RangeRequest,
};
use bytes::Bytes;

use crate::draws::Draws;
use crate::session::Session;

const REQUESTS: usize = 1_500;
/// How often leases end by themselves.
const ENDS: usize = 6;
/// How long the script then waits: longer than the shortest lease and the time within which etcd notices.
const WAIT: Duration = Duration::from_secs(5);
/// The longest time to live that etcd grants.
const LONGEST: i64 = 9_000_000_000;
/// The lease that ends by itself.
const SHORT: i64 = 50;

fn id(draws: &mut Draws) -> i64 {
    match draws.weighted(&[90, 4, 3, 3]) {
        0 => draws.within(1, 8),
        1 => 77,
        2 => i64::MAX,
        _ => -draws.within(1, 2),
    }
}

fn key(draws: &mut Draws) -> Bytes {
    format!("l{}", draws.below(12)).into()
}

fn request(draws: &mut Draws) -> Request {
    match draws.weighted(&[22, 16, 14, 18, 4, 20, 4, 6]) {
        0 => {
            let ttl = match draws.weighted(&[86, 4, 4, 3, 3]) {
                0 => draws.within(600, 10_000),
                1 => LONGEST,
                2 => LONGEST + 1,
                3 => i64::MAX,
                _ => 100_000_000,
            };
            LeaseGrantRequest { ttl, id: id(draws) }.into()
        }
        1 => LeaseRevokeRequest { id: id(draws) }.into(),
        2 => LeaseKeepAliveRequest { id: id(draws) }.into(),
        3 => LeaseTimeToLiveRequest { id: id(draws), keys: draws.percent(60) }.into(),
        4 => LeaseLeasesRequest {}.into(),
        5 => PutRequest {
            key: key(draws),
            value: "v".into(),
            lease: if draws.percent(20) { 0 } else { id(draws) },
            prev_kv: draws.percent(30),
            ignore_lease: draws.percent(4),
            ..PutRequest::default()
        }
        .into(),
        6 => DeleteRangeRequest { key: key(draws), prev_kv: true, ..DeleteRangeRequest::default() }.into(),
        _ => RangeRequest { key: "l".into(), range_end: "m".into(), ..RangeRequest::default() }.into(),
    }
}

/// Runs the script.
pub async fn run(session: &mut Session<'_>, seed: u64) {
    let mut draws = Draws::new(seed);
    for nth in 0..REQUESTS {
        let asked = request(&mut draws);
        let _ = session.ask(asked).await;
        if nth % (REQUESTS / ENDS) == REQUESTS / ENDS - 1 {
            // Shorter than the shortest: etcd grants that one.
            let ttl = draws.pick(&[-5, 0, 1, 2]);
            let _ = session.ask(LeaseGrantRequest { ttl, id: SHORT }).await;
            for _ in 0..3 {
                let put = PutRequest { key: key(&mut draws), lease: SHORT, ..PutRequest::default() };
                let _ = session.ask(put).await;
            }
            let _ = session.ask(LeaseTimeToLiveRequest { id: SHORT, keys: true }).await;
            session.wait(WAIT).await;
            let _ = session.ask(LeaseTimeToLiveRequest { id: SHORT, keys: true }).await;
            let _ = session.ask(LeaseKeepAliveRequest { id: SHORT }).await;
            let _ = session.ask(LeaseLeasesRequest {}).await;
            let all = RangeRequest { key: "l".into(), range_end: "m".into(), ..RangeRequest::default() };
            let _ = session.ask(all).await;
        }
    }
}
