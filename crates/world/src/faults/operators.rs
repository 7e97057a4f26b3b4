//! The operators' tasks: each task of a plan as a list of steps. `operators.rs` carries them out.

use api::Request;
use api::etcdserverpb::{
    AlarmRequest, DefragmentRequest, MemberAddRequest, MemberPromoteRequest, MemberRemoveRequest,
    MemberUpdateRequest, MoveLeaderRequest, alarm_request::AlarmAction,
};
use plan::OperatorTask;

use super::Strike;
use super::begun::Begun;
use crate::operators::{Step, peer_url};
use crate::world::World;

/// `NOSPACE`, etcd's number for this kind of alarm.
const NO_SPACE: i32 = 1;

impl World<'_> {
    pub(super) fn begin_operator(&mut self, task: &OperatorTask, strike: &Strike<'_>) -> Begun {
        let steps = self.steps_of(task, strike);
        self.begin_task(steps, strike.draw);
        Begun::Nothing
    }

    fn steps_of(&self, task: &OperatorTask, strike: &Strike<'_>) -> Vec<Step> {
        let target = strike.members.first().copied().unwrap_or(0);
        let joiner = || self.joiner_of(strike.fault as usize);
        match *task {
            OperatorTask::AddMember { learner, promote } => {
                let joiner = joiner();
                let mut steps = vec![Step::Ask(add(joiner, learner))];
                if learner && promote {
                    steps.push(Step::Ask(MemberPromoteRequest { id: id(joiner) }.into()));
                }
                steps
            }
            OperatorTask::RemoveMember => vec![Step::Ask(remove(target))],
            OperatorTask::ReplaceMember { joint: false } => {
                vec![Step::Ask(remove(target)), Step::Ask(add(joiner(), false))]
            }
            OperatorTask::ReplaceMember { joint: true } => {
                vec![Step::Reconfigure(vec![add(joiner(), false), remove(target)])]
            }
            OperatorTask::UpdateMember => {
                let peer_urls = vec![peer_url(target), format!("http://m{}.other:2380", target + 1)];
                vec![Step::Ask(MemberUpdateRequest { id: id(target), peer_urls }.into())]
            }
            OperatorTask::MoveLeader => {
                vec![Step::AskLeader(MoveLeaderRequest { target_id: id(target) }.into())]
            }
            OperatorTask::Defragment => strike.members.iter().map(|member| defragment(*member)).collect(),
            OperatorTask::Compact { keep, physical } => vec![compact(keep, physical)],
            OperatorTask::ReclaimSpace => {
                let all = self.members();
                let mut steps = vec![compact(0, true)];
                steps.extend(all.iter().map(|member| defragment(*member)));
                steps.extend(all.iter().map(|member| disarm(*member)));
                steps
            }
        }
    }
}

/// The id of a member, given its index.
fn id(member: usize) -> u64 {
    member as u64 + 1
}

fn add(member: usize, is_learner: bool) -> Request {
    Request::MemberAdd(MemberAddRequest { peer_urls: vec![peer_url(member)], is_learner })
}

fn remove(member: usize) -> Request {
    Request::MemberRemove(MemberRemoveRequest { id: id(member) })
}

fn defragment(member: usize) -> Step {
    Step::AskMember(member, DefragmentRequest {}.into())
}

fn compact(keep: u64, physical: bool) -> Step {
    Step::Compact { keep, physical, revision: None }
}

fn disarm(member: usize) -> Step {
    let action = AlarmAction::Deactivate as i32;
    Step::Ask(AlarmRequest { action, member_id: id(member), alarm: NO_SPACE }.into())
}
