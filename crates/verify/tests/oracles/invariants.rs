//! The script of events that the tests of the invariants use themselves.

use etcdsim_verify::invariants::Invariants;
use etcdsim_verify::{Monitor, Oracle, Sheet, Violation, describe};

#[allow(dead_code, reason = "the invariants' own tests use all of it")]
#[path = "../../src/invariants/script.rs"]
pub(super) mod script;
