//! Code that nobody calls.

/// Not reached.
#[allow(dead_code)]
pub fn refund(amount: u64) -> u64 {
    amount * 2
}
