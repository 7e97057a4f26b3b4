//! When an element of a set is in the set, if it is added only once. The head of [`super`] defines the words.
//!
//! At first the element is absent, then present, then absent again. It must be added before the first return of an
//! operation that found it present or removed it: let a be the last position at which it can be added. It must not be
//! removed before the last call of an operation that found it present: let r be the first position at which it can be
//! removed. If a < r, it is certainly present in between. Then the operations on this element can be ordered exactly if
//! each one that found it absent returned at r or later, or was called at a or earlier. If a >= r, it can be added and
//! removed at one position, and no operation that found it absent is in the way.

use crate::order::NEVER;

use super::elements::{NONE, Rows};
use super::reason::Reason;

/// What an operation does to one element, or found out about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    Remove,
    /// It found the element in the set.
    Present,
    /// It found that the element is not in the set.
    Absent,
}

/// The time in which an element that is added once is in the set.
pub(super) struct Life {
    element: u32,
    /// The row that added it; [`NONE`] if none did.
    pub(super) add: u32,
    /// The row that removed it; [`NONE`] if none did.
    pub(super) remove: u32,
    /// The last position at which it can be added, and the row whose return that is. [`NEVER`] and [`NONE`] if
    /// nothing added it.
    pub(super) added: (u32, u32),
    /// The first position at which it can be removed, and the row whose call that is. [`NEVER`] and [`NONE`] if
    /// nothing removed it.
    pub(super) removed: (u32, u32),
}

impl Life {
    /// When the element is in the set, as far as is shown by the rows that added, removed or found it. `marks` are
    /// these rows. `missed` says whether a row outside `marks` did not find the element; then a removal of unknown
    /// outcome may have taken effect.
    pub(super) fn new(
        rows: &Rows,
        element: u32,
        marks: &[(u32, Kind)],
        missed: bool,
    ) -> Result<Life, Reason> {
        let mut life =
            Life { element, add: NONE, remove: NONE, added: (NEVER, NONE), removed: (NEVER, NONE) };
        let mut removed_for_sure = NONE;
        // Of the rows that show the element in the set (they found or removed it): the last call and the first
        // return.
        let (mut last_call, mut first_ret) = ((0, NONE), (NEVER, NONE));
        let mut optional = NONE;
        for &(row, kind) in marks {
            match kind {
                Kind::Add => life.add = row,
                Kind::Remove if rows.ret(row) == NEVER => {
                    // If there are several removals of unknown outcome, the one called first can do whatever another
                    // can.
                    optional = optional.min(row);
                }
                Kind::Remove if removed_for_sure != NONE => {
                    return Err(Reason::RemovedTwice { element, removes: [removed_for_sure, row] });
                }
                Kind::Remove => {
                    removed_for_sure = row;
                    first_ret = first_ret.min((rows.ret(row), row));
                }
                Kind::Present => {
                    last_call = last_call.max((rows.call(row), row));
                    first_ret = first_ret.min((rows.ret(row), row));
                }
                Kind::Absent => {}
            }
        }
        if life.add == NONE {
            return match first_ret.1 {
                NONE => Ok(life),
                found => Err(Reason::NeverAdded { element, found }),
            };
        }
        let (call, ret) = (rows.call(life.add), rows.ret(life.add));
        if ret == NEVER && first_ret.1 == NONE {
            // The add has an unknown outcome and no row shows that it took effect. Nothing is lost if it did not.
            life.add = NONE;
            return Ok(life);
        }
        life.added = (ret, life.add).min(first_ret);
        if life.added.0 < call {
            return Err(Reason::FoundEarly { element, add: life.add, found: life.added.1 });
        }
        life.removed = (call, life.add).max(last_call);
        if removed_for_sure != NONE {
            life.remove = removed_for_sure;
            if rows.ret(life.remove) < life.removed.0 {
                let (add, remove, found) = (life.add, life.remove, life.removed.1);
                return Err(Reason::FoundLate { element, add, remove, found });
            }
            life.removed = life.removed.max((rows.call(life.remove), life.remove));
            return Ok(life);
        }
        let absent = |&(row, kind): &(u32, Kind)| kind == Kind::Absent && rows.call(row) > life.added.0;
        if optional != NONE && (missed || marks.iter().any(absent)) {
            life.remove = optional;
            life.removed = life.removed.max((rows.call(optional), optional));
        } else {
            life.removed = (NEVER, NONE);
        }
        Ok(life)
    }

    /// Whether there is a position at which the element is certainly in the set.
    pub(super) fn certain(&self) -> bool {
        self.add != NONE && self.added.0 < self.removed.0
    }

    /// Whether a row that found the element absent can be right.
    pub(super) fn allows_absence(&self, rows: &Rows, row: u32) -> bool {
        !self.certain() || rows.call(row) <= self.added.0 || rows.ret(row) >= self.removed.0
    }

    /// The reason why a row that found the element absent is wrong.
    pub(super) fn there(&self, absent: u32) -> Reason {
        let shown = [self.added.1, self.removed.1];
        Reason::There { element: self.element, add: self.add, remove: self.remove, shown, absent }
    }

    /// Gives positions to all rows in `marks`, as `(position, number, row)`. At the same position, the row with the
    /// lower number comes first.
    pub(super) fn place(
        &self,
        rows: &Rows,
        marks: &[(u32, Kind)],
        placed: &mut Vec<(u32, u32, u32)>,
    ) -> Result<(), Reason> {
        // If the element is nowhere certain, it is added and removed at the same position.
        let (add, remove) = match (self.added.0, self.removed.0) {
            (added, removed) if added >= removed => (removed, removed),
            bounds => bounds,
        };
        for &(row, kind) in marks {
            let (call, ret) = (rows.call(row), rows.ret(row));
            match kind {
                Kind::Add if self.add == NONE => {}
                Kind::Add => placed.push((add, 1, row)),
                Kind::Remove if row == self.remove => placed.push((remove, 3, row)),
                Kind::Remove => {}
                Kind::Present => placed.push((add.max(call), 2, row)),
                Kind::Absent if !self.allows_absence(rows, row) => return Err(self.there(row)),
                Kind::Absent if self.add == NONE => placed.push((call, 0, row)),
                Kind::Absent if call <= add => placed.push((add.min(ret), 0, row)),
                Kind::Absent => placed.push((remove.max(call), 4, row)),
            }
        }
        Ok(())
    }
}
