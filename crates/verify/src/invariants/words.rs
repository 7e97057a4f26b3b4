//! Small pieces of sentences that several invariants use.

/// "57", "56 and 57", "50 to 57".
pub(super) fn indexes(first: u64, last: u64) -> String {
    match last.saturating_sub(first) {
        0 => last.to_string(),
        1 => format!("{first} and {last}"),
        _ => format!("{first} to {last}"),
    }
}

/// Member `id`, or "nobody" for 0.
pub(super) fn who(id: u64) -> String {
    if id == 0 { "nobody".to_string() } else { format!("member {id}") }
}
