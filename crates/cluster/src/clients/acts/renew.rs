//! The act `Renew`: sends one keep-alive for each lease that the client's program wants to keep.

use api::Response;
use api::etcdserverpb::LeaseKeepAliveRequest;

use super::{ActInput, Context, RunningAct, Step};

/// The renewal of all leases, under way.
#[derive(Default)]
pub(super) struct RunningRenewal {
    /// Leases still to renew, the next one last; `None` before the act begins.
    left: Option<Vec<i64>>,
    /// The lease of the last request.
    asked: i64,
}

impl RunningAct for RunningRenewal {
    fn next(&mut self, input: ActInput<'_>, context: &mut Context<'_>) -> Step {
        let alive = context.memory.alive.iter().rev().copied();
        let left = self.left.get_or_insert_with(|| alive.collect());
        if let ActInput::Answer(Response::LeaseKeepAlive(answer)) = input {
            context.count("renewals");
            // A time to live of 0 means that the lease no longer exists.
            if answer.ttl <= 0 {
                context.count("leases-lost");
                context.memory.stop_renewing(self.asked);
            }
        }
        while let Some(lease) = left.pop() {
            // Another client of the same program shares these leases, and may have given this one up meanwhile.
            if context.memory.alive.contains(&lease) {
                self.asked = lease;
                return Step::Ask(LeaseKeepAliveRequest { id: lease }.into());
            }
        }
        Step::Done
    }
}
