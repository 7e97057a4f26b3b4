//! The lock and election services, as long as nobody has to wait.

use api::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest, RangeRequest};
use api::v3electionpb::{CampaignRequest, LeaderKey, LeaderRequest, ProclaimRequest, ResignRequest};
use api::v3lockpb::{LockRequest, UnlockRequest};
use api::{Request, Response};
use bytes::Bytes;

use crate::draws::Draws;
use crate::session::Session;

const REQUESTS: usize = 800;
/// The locks and the elections.
const NAMES: &[&str] = &["one", "two", "three"];
/// Who takes part: each lock and each election has its own lease, so that nobody waits for another.
const FIRST_LEASE: i64 = 0x100;

/// Runs the script.
pub async fn run(session: &mut Session<'_>, seed: u64) {
    let mut draws = Draws::new(seed);
    let leases: Vec<i64> = (0..2 * NAMES.len() as i64).map(|nth| FIRST_LEASE + nth).collect();
    let (mut held, mut led) = ([const { Bytes::new() }; 3], [const { None::<LeaderKey> }; 3]);
    for id in &leases {
        let _ = session.ask(LeaseGrantRequest { ttl: 3_600, id: *id }).await;
    }
    for _ in 0..REQUESTS {
        let nth = draws.below(NAMES.len() as u64) as usize;
        let (name, election) = (Bytes::from(NAMES[nth]), Bytes::from(format!("e-{}", NAMES[nth])));
        let (of_lock, of_election) = (leases[nth], leases[NAMES.len() + nth]);
        let nobody = LeaderKey { name: election.clone(), key: "e/none".into(), rev: 7, lease: of_election };
        let leader = led[nth].clone().unwrap_or(nobody);
        let request: Request = match draws.weighted(&[20, 16, 20, 12, 12, 12, 4, 4, 1]) {
            0 => LockRequest { name, lease: of_lock }.into(),
            1 if draws.percent(5) => UnlockRequest { key: "none".into() }.into(),
            1 => UnlockRequest { key: held[nth].clone() }.into(),
            2 => {
                let value = format!("v{}", draws.below(10)).into();
                CampaignRequest { name: election, lease: of_election, value }.into()
            }
            3 => {
                ProclaimRequest { leader: Some(leader), value: format!("p{}", draws.below(10)).into() }.into()
            }
            4 => LeaderRequest { name: if draws.percent(4) { "other".into() } else { election } }.into(),
            5 => ResignRequest { leader: Some(leader) }.into(),
            6 => LeaseRevokeRequest { id: draws.pick(&leases) }.into(),
            7 => LeaseGrantRequest { ttl: 3_600, id: draws.pick(&leases) }.into(),
            _ => RangeRequest { key: "\0".into(), range_end: "\0".into(), ..RangeRequest::default() }.into(),
        };
        match session.ask(request).await {
            Ok(Response::Lock(answer)) => held[nth] = answer.key,
            Ok(Response::Campaign(answer)) => led[nth] = answer.leader,
            _ => {}
        }
    }
}
