//! Parts of sentences that the violations of several invariants use.

use record::MemberId;

/// "57", "56 and 57", "50 to 57".
pub(super) fn indexes(first: u64, last: u64) -> String {
    match last.saturating_sub(first) {
        0 => last.to_string(),
        1 => format!("{first} and {last}"),
        _ => format!("{first} to {last}"),
    }
}

/// "member 2", or "nobody".
pub(super) fn who(id: MemberId) -> String {
    if id.is_none() { "nobody".to_string() } else { format!("member {id}") }
}
