//! The interface between the search and the kinds of rows that it can put in order: those of a register, and
//! those of any model.

/// What rows do to states. States are numbers.
pub(crate) trait Moves {
    /// Whether the row never changes the state.
    fn is_read(&self, row: u32) -> bool;

    /// The state after the row; `None` if the row is wrong in this state.
    fn after(&mut self, state: u32, row: u32) -> Option<u32>;

    /// A quick test whether the row is worth trying. It may return false if [`after`](Moves::after) is `None`,
    /// or if no complete order can continue from the state after the row.
    fn possible(&self, _state: u32, _row: u32) -> bool {
        true
    }

    /// The number of the row's class. Rows of one class do the same. `u32::MAX` if no other row does the same.
    fn class(&self, _row: u32) -> u32 {
        u32::MAX
    }

    /// One more than the greatest class.
    fn classes(&self) -> u32 {
        0
    }

    /// Whether the row is spare: it need not take effect, it does the same as all other spare rows, and it
    /// helps only rows for which [`wants_spare`](Moves::wants_spare) is true.
    fn spare(&self, _row: u32) -> bool {
        false
    }

    /// Whether the row, a read that is wrong in the current state, would be right after a spare row.
    fn wants_spare(&self, _row: u32) -> bool {
        false
    }

    /// Whether it depends on the state before the row if the row is right, or what it leads to. False for a
    /// plain write.
    fn looks_at_state(&self, _row: u32) -> bool {
        true
    }

    /// Is called when the row is appended to the order, in the state `before`.
    fn lift(&mut self, _row: u32, _before: u32) {}

    /// Is called when the row, which is the last one, is removed from the order. `before` is the state before
    /// it.
    fn unlift(&mut self, _row: u32, _before: u32) {}

    /// From now on, the state that [`lift`](Moves::lift) gets may be a wrong one, because rows of earlier
    /// segments are counted without their order. Is called when no row is in the order.
    fn relax(&mut self) {}

    /// How many bytes the calls of [`after`](Moves::after) have read since this was last asked.
    fn take_work(&mut self) -> u64 {
        0
    }

    /// How many bytes the states take.
    fn bytes(&self) -> usize {
        0
    }

    /// Forgets all states except these, which get new numbers.
    fn keep_only(&mut self, _states: &mut [u32]) {}
}
