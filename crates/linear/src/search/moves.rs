//! The interface between the search and what it searches over.

/// What rows do to states. States are numbers.
pub(crate) trait Moves {
    /// Whether the row never changes the state.
    fn is_read(&self, row: u32) -> bool;

    /// The state after the row; `None` if the row is wrong in this state.
    fn after(&mut self, state: u32, row: u32) -> Option<u32>;

    /// Whether the row can join the order now and leaves the state as it is, so that nothing is lost if it does.
    fn joins(&mut self, state: u32, row: u32) -> bool {
        self.is_read(row) && self.after(state, row).is_some()
    }

    /// Whether nothing that must return by `until` can follow in this state.
    fn late(&self, _state: u32, _until: u32) -> bool {
        false
    }

    /// A quick test that may say no where [`after`](Moves::after) is `None`, and where the state after the row
    /// can never lead to the end.
    fn possible(&self, _state: u32, _row: u32) -> bool {
        true
    }

    /// The number of the class of rows that do the same as this row; `u32::MAX` if no other row does.
    fn class(&self, _row: u32) -> u32 {
        u32::MAX
    }

    /// One more than the greatest class.
    fn classes(&self) -> u32 {
        0
    }

    /// Whether the row is spare: it need not take effect, it does the same as all other spare rows, and it is of
    /// use only to rows for which [`wants_spare`](Moves::wants_spare) is true.
    fn spare(&self, _row: u32) -> bool {
        false
    }

    /// Whether the row, a read that is wrong in the current state, would be right after a spare row.
    fn wants_spare(&self, _row: u32) -> bool {
        false
    }

    /// Whether the state decides if the row is right, or what it leads to.
    fn looks_at_state(&self, _row: u32) -> bool {
        true
    }

    /// The row joins the order, in this state.
    fn lift(&mut self, _row: u32, _before: u32) {}

    /// The row leaves the order, which it had joined in this state.
    fn unlift(&mut self, _row: u32, _before: u32) {}

    /// From now on the state that [`lift`](Moves::lift) gets may be any. No row is in the order.
    fn relax(&mut self) {}

    /// How many bytes were gone through since this was last asked.
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
