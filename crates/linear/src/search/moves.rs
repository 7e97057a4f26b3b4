//! The interface between the search and what it searches: what the operations, as rows, do to states. It is
//! implemented for the operations of a register, of a container, of a set that is read as a whole, and of any other
//! model. (The head of `search/mod.rs` explains rows, classes and spare rows.)

/// What rows do to states. A row is the number of an operation; states are numbered, too.
pub(crate) trait Moves {
    /// Whether the row never changes the state.
    fn is_read(&self, row: u32) -> bool;

    /// The state after the row; `None` if the row is wrong in this state.
    fn after(&mut self, state: u32, row: u32) -> Option<u32>;

    /// Whether the row is right in this state and leaves it as it is, so that no order is lost if the row comes now.
    fn joins(&mut self, state: u32, row: u32) -> bool {
        self.is_read(row) && self.after(state, row).is_some()
    }

    /// Whether this state is too late: no row that must return by `until` can follow it.
    fn late(&self, _state: u32, _until: u32) -> bool {
        false
    }

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

    /// Whether the state before the row matters, either for whether the row is right, or for the state after it.
    /// False for a plain write.
    fn looks_at_state(&self, _row: u32) -> bool {
        true
    }

    /// The search calls this when it appends the row to the order. `before` is the state before the row.
    fn lift(&mut self, _row: u32, _before: u32) {}

    /// The search calls this when it removes the row from the end of the order. `before` is the state before the row.
    fn unlift(&mut self, _row: u32, _before: u32) {}

    /// From now on, the state that [`lift`](Moves::lift) gets may be a wrong one: a search by segments
    /// (`segments.rs`) appends all rows of the earlier segments without their states. Called when no row is in the
    /// order.
    fn relax(&mut self) {}

    /// How many bytes the calls of [`after`](Moves::after) have read since this was last asked.
    fn take_work(&mut self) -> u64 {
        0
    }

    /// How many bytes the states take.
    fn bytes(&self) -> usize {
        0
    }

    /// Forgets all states except these. They get new numbers, which replace the old ones in the slice.
    fn keep_only(&mut self, _states: &mut [u32]) {}
}
