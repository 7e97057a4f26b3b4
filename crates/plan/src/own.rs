//! Workloads that users of this crate write in Rust, instead of choosing one by name.

use crate::{Client, WorkloadContext};

/// Makes clients and all their operations: your own workload.
///
/// It is called once per plan and must be a pure function of what [`WorkloadContext`] offers: the same seed
/// must always give the same clients, or a failing seed cannot be replayed. Take all randomness from
/// [`WorkloadContext::draw`](schedule::WorkloadContext::draw) or
/// [`WorkloadContext::turns`](schedule::WorkloadContext::turns).
///
/// Any function from a context to clients is a workload.
pub trait Workload: Send + Sync {
    /// The clients of this plan.
    fn clients(&self, context: &WorkloadContext) -> Vec<Client>;
}

impl<F: Fn(&WorkloadContext) -> Vec<Client> + Send + Sync> Workload for F {
    fn clients(&self, context: &WorkloadContext) -> Vec<Client> {
        self(context)
    }
}
