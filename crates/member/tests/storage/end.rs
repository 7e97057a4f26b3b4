//! How a process can end.

use std::sync::Arc;

use keyed::Ratio;
use proptest::prelude::*;

use super::disk::TestDisk;

/// How a process ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// Killed: what it wrote is in the cache.
    Kill,
    /// This percentage of what was not synced is lost.
    PowerLoss { seed: u64, lost: u32 },
}

impl End {
    /// The disk that the next process finds.
    pub fn of(self, disk: &TestDisk) -> Arc<TestDisk> {
        match self {
            End::Kill => disk.after_kill(),
            End::PowerLoss { seed, lost } => disk.after_power_loss(seed, Ratio::percent(lost)),
        }
    }
}

/// A random end.
pub fn ends() -> impl Strategy<Value = End> {
    let lost = prop_oneof![Just(0_u32), Just(5), Just(50), Just(90), Just(100)];
    prop_oneof![1 => Just(End::Kill), 4 => (any::<u64>(), lost).prop_map(|(seed, lost)| End::PowerLoss { seed, lost })]
}

/// A number of cases, without files of past failures: a failure that matters becomes its own test.
pub fn cases(number: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(number) }
}
