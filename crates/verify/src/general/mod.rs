//! The general engine on histories of etcd: `linear`, which needs a history and a model and nothing else.
//!
//! It does not know that answers carry revisions, and takes no evidence. So `k1` is compared with it:
//!
//! * [`etcd`]: the whole history against the whole [`crate::model`]. Exact; for histories that are not too long.
//! * [`values`]: each key on its own, as a register of values. Fast enough for every run, and sound, but weaker: what
//!   it rejects is wrong, what it accepts may be wrong too.
//!
//! Not checked: what `k1` does not check of answers and errors, serializable reads (K2), users and their rights.

pub mod etcd;
pub mod values;
