//! The general engine on histories of etcd: the crate `linear`, which needs a history and a sequential model and
//! nothing else.
//!
//! It does not know that answers carry revisions, and takes no evidence. So the revision engine `k1` is compared with
//! it, in two ways:
//!
//! * [`etcd`]: the whole history with the whole [`crate::model`]. This is exact, for histories that are not too long.
//! * [`values`]: each key on its own, as a register of values. This is fast enough for every run, but weaker than
//!   `k1`: what it rejects is wrong, and what it accepts may be wrong too.
//!
//! Not checked: errors and parts of answers that `k1` does not check; serializable reads (K2); users and their
//! rights.

pub mod etcd;
pub mod values;
