//! What operators ask: members, alarms, status, hashes, defragmentation, leadership, downgrades.
//!
//! Members are only added as learners: a second voter would leave the only one without a majority.

use api::etcdserverpb::*;
use api::{Request, Response};

use super::keys::{self, Seen};
use crate::draws::Draws;
use crate::session::Session;

const REQUESTS: usize = 700;
/// A member that does not exist.
const NOBODY: u64 = 77;

/// The number in the first address; the one before it is nobody's.
const FIRST: u64 = 5;

/// Runs the script.
pub async fn run(session: &mut Session<'_>, seed: u64) {
    let mut draws = Draws::new(seed);
    keys::grant(session).await;
    let Ok(Response::MemberList(list)) = session.ask(MemberListRequest::default()).await else { return };
    let own = list.members.first().map_or(0, |member| member.id);
    let mut members = vec![own, NOBODY];
    let mut next = FIRST;
    for _ in 0..REQUESTS {
        let seen = Seen::by(session);
        let id = draws.pick(&members);
        // The id of a member follows from its address in the simulator, so each new one has its own.
        let url = format!("http://m{}:2380", next - u64::from(draws.percent(20)));
        let request: Request = match draws.weighted(&[30, 3, 3, 2, 5, 3, 6, 3, 3, 6, 3, 4, 6]) {
            0 => keys::any(&mut draws, seen),
            1 => {
                let peer_urls = if draws.percent(5) { vec![] } else { vec![url] };
                MemberAddRequest { peer_urls, is_learner: true }.into()
            }
            2 => MemberRemoveRequest { id }.into(),
            // Its own address stays: others would no longer be the ones of this run.
            3 if id != own => {
                MemberUpdateRequest { id, peer_urls: vec![format!("http://m4:{}", draws.within(1, 9))] }
                    .into()
            }
            3 | 4 => MemberListRequest { linearizable: draws.percent(50) }.into(),
            5 if id != own => MemberPromoteRequest { id }.into(),
            5 | 6 => AlarmRequest {
                action: draws.weighted(&[40, 25, 35]) as i32,
                member_id: draws.pick(&[0, 7, 8]),
                alarm: draws.weighted(&[15, 80, 5]) as i32,
            }
            .into(),
            7 => StatusRequest {}.into(),
            8 => DefragmentRequest {}.into(),
            9 => HashKvRequest { revision: draws.within(-1, seen.revision + 1) }.into(),
            10 => MoveLeaderRequest { target_id: draws.pick(&[own, NOBODY]) }.into(),
            11 => {
                let version = draws.pick(&["3.6", "3.6.5", "3.5", "3.7", "3.8", "4.0", "x", ""]).into();
                DowngradeRequest { action: draws.pick(&[0, 0, 2]), version }.into()
            }
            _ => keys::compaction(&mut draws, seen).into(),
        };
        match session.ask(request).await {
            Ok(Response::MemberAdd(answer)) => {
                members.extend(answer.member.map(|member| member.id));
                next += 1;
            }
            Ok(Response::MemberRemove(_)) => members.retain(|member| *member != id || id == NOBODY),
            _ => {}
        }
    }
}
