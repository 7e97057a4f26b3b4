//! What an oracle is: an id, and one of two ways to reach a verdict.
//!
//! * A [`Monitor`] watches the events of a run as it goes.
//! * A [`Judge`] looks at the record when the run is over.
//!
//! Both write into a [`Sheet`]. The project's own oracles are in one table (`table.rs`); others bring an id of their
//! own ([`Oracle::own`]) and write into the same sheet:
//!
//! ```
//! use etcdsim_verify::{Context, Expectations, Oracle, Severity, Sheet, Violation};
//!
//! const QUICK: Oracle = Oracle::own("QUICK", "every operation is answered within 5 s", Severity::Stuck);
//!
//! fn quick(context: &Context<'_>, sheet: &mut Sheet) {
//!     let operations = &context.record.history.operations;
//!     sheet.checked(QUICK, "operations", operations.len());
//!     for (number, operation) in operations.iter().enumerate() {
//!         if operation.returned().is_none_or(|at| at - operation.call > 5_000_000_000) {
//!             let violation = Violation::new(QUICK, operation.call, "an operation took too long");
//!             sheet.add(violation.shown_by([number]));
//!         }
//!     }
//! }
//!
//! let record = record::Record::default();
//! let expectations = Expectations::default();
//! let mut sheet = Sheet::default();
//! quick(&Context::new(&record, &expectations), &mut sheet);
//! assert!(sheet.into_verdict().holds());
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use record::{Event, Inner, MemberId, Nanos, Record, Served, Step};
use serde::{Serialize, Serializer};

use crate::{Context, Sheet};

/// Watches the events of a run, in order, and reports what they break.
///
/// It sees every event of a run, so most events should cost it a match and a return. It must be deterministic: no
/// clock, no randomness, no iteration over hashed collections.
pub trait Monitor {
    /// Takes the next event.
    fn event(&mut self, event: &Event, sheet: &mut Sheet);

    /// Whether it wants to see the steps of the members, too. It is asked once, before the run.
    fn wants_steps(&self) -> bool {
        false
    }

    /// Takes the next step of a member, if it or another monitor wants them.
    fn step(&mut self, time: Nanos, member: MemberId, step: &Step, sheet: &mut Sheet) {
        let _ = (time, member, step, sheet);
    }

    /// A member takes something from its callers, or gives them something.
    fn served(&mut self, time: Nanos, member: MemberId, served: Served, sheet: &mut Sheet) {
        let _ = (time, member, served, sheet);
    }

    /// Takes the next deed of a member ([`Inner::is_deed`]), if it or another monitor wants steps. Those of an input come
    /// after its facts and steps. If somebody else wants to see what happens inside members, it sees all of that.
    fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner, sheet: &mut Sheet) {
        let _ = (time, member, inner, sheet);
    }

    /// Takes the record of the run, which is over.
    fn end(&mut self, record: &Record, sheet: &mut Sheet) {
        let _ = (record, sheet);
    }
}

/// Looks at the record of a run that is over, or at a history from elsewhere, and reports what does not hold.
///
/// A function or a closure of this form is a judge.
pub trait Judge {
    /// Judges one record.
    fn judge(&self, context: &Context<'_>, sheet: &mut Sheet);
}

impl<F: Fn(&Context<'_>, &mut Sheet)> Judge for F {
    fn judge(&self, context: &Context<'_>, sheet: &mut Sheet) {
        self(context, sheet);
    }
}

/// An oracle: its id, what it requires of the system, and how severe its violations are unless they say otherwise.
///
/// The project's own are constants ([`Oracle::K1`] and so on), in the order of the table; they come before all
/// others, which are in the order of their ids.
#[derive(Clone, Copy)]
pub struct Oracle {
    /// Its row in the table; [`ELSEWHERE`] for those that are not in it.
    row: u16,
    id: &'static str,
    /// What it requires of the system, in a few words.
    holds: &'static str,
    /// How severe its violations are, unless they say otherwise.
    severity: Severity,
}

/// The row number of an oracle that is not in the table.
const ELSEWHERE: u16 = u16::MAX;

impl Oracle {
    /// An oracle of the table: the one in this row.
    pub(crate) const fn in_table(
        row: u16,
        id: &'static str,
        holds: &'static str,
        severity: Severity,
    ) -> Oracle {
        Oracle { row, id, holds, severity }
    }

    /// An oracle that is not in the table. `holds` says in a few words what it requires of the system.
    ///
    /// # Panics
    /// If an oracle of the table has this id. In a constant, that is a compile error.
    pub const fn own(id: &'static str, holds: &'static str, severity: Severity) -> Oracle {
        let mut row = 0;
        while row < Oracle::ALL.len() {
            assert!(!same(Oracle::ALL[row].id, id), "the table of oracles has this id already");
            row += 1;
        }
        Oracle { row: ELSEWHERE, id, holds, severity }
    }

    /// Its id, "K1".
    pub const fn id(self) -> &'static str {
        self.id
    }

    /// What it requires of the system, in a few words.
    pub const fn holds(self) -> &'static str {
        self.holds
    }

    /// How severe its violations are unless they say otherwise.
    pub const fn severity(self) -> Severity {
        self.severity
    }
}

/// Whether two texts are equal; usable in constants.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

impl PartialEq for Oracle {
    fn eq(&self, other: &Oracle) -> bool {
        (self.row, self.id) == (other.row, other.id)
    }
}

impl Eq for Oracle {}

impl PartialOrd for Oracle {
    fn partial_cmp(&self, other: &Oracle) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Oracle {
    fn cmp(&self, other: &Oracle) -> Ordering {
        (self.row, self.id).cmp(&(other.row, other.id))
    }
}

impl Hash for Oracle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.row, self.id).hash(state);
    }
}

impl fmt::Debug for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id)
    }
}

impl Serialize for Oracle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

/// How bad a violation is for a user of the cluster; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// What a client was promised is gone, or was done twice.
    Lost,
    /// A client got an answer that is wrong.
    Wrong,
    /// The cluster does not answer, or a process ended.
    Stuck,
    /// Something broke inside that no client has seen yet.
    Inside,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Oracle = Oracle::own("A0", "nothing", Severity::Wrong);

    #[test]
    fn ids_are_unique() {
        for (at, oracle) in Oracle::ALL.iter().enumerate() {
            assert!(Oracle::ALL[at + 1..].iter().all(|other| other.id() != oracle.id()));
        }
    }

    #[test]
    fn the_table_comes_before_all_others() {
        assert!(Oracle::ALL.is_sorted());
        assert!(Oracle::ALL.iter().all(|oracle| *oracle < OWN && *oracle != OWN));
        assert!(OWN < Oracle::own("A1", "nothing", Severity::Wrong));
    }

    #[test]
    #[should_panic(expected = "has this id already")]
    fn nobody_takes_an_id_of_the_table() {
        let id = String::from("K1").leak();
        let _ = Oracle::own(id, "nothing", Severity::Wrong);
    }
}
