//! What a value is changed to. Each says whether it was changed.

use etcdsim::record::MemberId;

/// One more.
pub fn more(number: &mut u64) -> bool {
    *number += 1;
    true
}

/// One less, if there is one.
pub fn less(number: &mut u64) -> bool {
    let some = *number > 0;
    *number = number.saturating_sub(1);
    some
}

/// The opposite.
pub fn turned(truth: &mut bool) -> bool {
    *truth = !*truth;
    true
}

/// The next of the members 1 to 3.
pub fn another(member: &mut MemberId) -> bool {
    *member = MemberId::from_raft(member.raft_id() % 3 + 1);
    true
}
