//! Tasks of operators, which a plan lists among its faults: adding a member, compaction and so on. This file
//! turns each task into a list of steps; [`crate::operators`] carries them out.

use api::Request;
use api::etcdserverpb::{
    AlarmRequest, DefragmentRequest, MemberAddRequest, MemberPromoteRequest, MemberRemoveRequest,
    MemberUpdateRequest, MoveLeaderRequest, alarm_request::AlarmAction,
};
use plan::OperatorTask;
use record::MemberId;

use crate::etcd::{View, peer_url};
use crate::operators::{Operators, Step};

/// etcd's number for the alarm NOSPACE (`AlarmType` in `rpc.proto`).
const NO_SPACE: i32 = 1;

impl Operators {
    /// The steps of a task, which is a fault of the plan and strikes these members.
    pub(crate) fn steps_of(
        &self,
        view: &View<'_>,
        task: &OperatorTask,
        fault: usize,
        members: &[MemberId],
    ) -> Vec<Step> {
        // A task without a target does not use it.
        let target = members.first().copied().unwrap_or(MemberId::new(1));
        // The new member that the plan reserves for this fault.
        let joiner = || self.joiner_of(fault);
        match *task {
            OperatorTask::AddMember { learner, promote } => {
                let joiner = joiner();
                let mut steps = vec![Step::Ask(add(joiner, learner))];
                if learner && promote {
                    steps.push(Step::Ask(MemberPromoteRequest { id: joiner.raft_id() }.into()));
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
                let peer_urls = vec![peer_url(target), format!("http://m{target}.other:2380")];
                vec![Step::Ask(MemberUpdateRequest { id: target.raft_id(), peer_urls }.into())]
            }
            OperatorTask::MoveLeader => {
                vec![Step::AskLeader(MoveLeaderRequest { target_id: target.raft_id() }.into())]
            }
            OperatorTask::Defragment => members.iter().map(|member| defragment(*member)).collect(),
            OperatorTask::Compact { keep, physical } => vec![compact(keep, physical)],
            OperatorTask::ReclaimSpace => {
                let all = view.members();
                let mut steps = vec![compact(0, true)];
                steps.extend(all.iter().map(|member| defragment(*member)));
                steps.extend(all.iter().map(|member| disarm(*member)));
                steps
            }
        }
    }
}

/// The request that adds a member.
fn add(member: MemberId, is_learner: bool) -> Request {
    Request::MemberAdd(MemberAddRequest { peer_urls: vec![peer_url(member)], is_learner })
}

/// The request that removes a member.
fn remove(member: MemberId) -> Request {
    Request::MemberRemove(MemberRemoveRequest { id: member.raft_id() })
}

/// The step that defragments a member.
fn defragment(member: MemberId) -> Step {
    Step::AskMember(member, DefragmentRequest {}.into())
}

/// The step that compacts.
fn compact(keep: u64, physical: bool) -> Step {
    Step::Compact { keep, physical, revision: None }
}

/// The step that disarms the alarm NOSPACE of a member.
fn disarm(member: MemberId) -> Step {
    let action = AlarmAction::Deactivate as i32;
    Step::Ask(AlarmRequest { action, member_id: member.raft_id(), alarm: NO_SPACE }.into())
}
