//! The kinds of faults, one file for each family. Everything about a kind is in its row: its variant of the
//! family's enum, its name and number, its fields, its possible targets, what its duration means, its lasting
//! effects, and the sources of its ranges. The documentation and the schema are generated from the rows.
//!
//! To add a kind, add its row. The compiler then asks for its implementation: an arm in its family's file in
//! `world/src/faults/`, or for a disk in `world/src/disk/faults.rs`. To add it to the swarm, add an entry to
//! `swarm.toml`; `UPDATE_DOCS=1 cargo test -p etcdsim-plan` writes the documentation and the schema.
//!
//! Not here: what a fault does to a cluster (`world/src/faults/`), how often the swarm draws a fault
//! (`swarm.toml`).

use record::FaultEffect;

use crate::field::{Field, Form, HOUR, MS, count, time};
use crate::{Link, Target};

/// One kind of fault.
pub(crate) struct Kind {
    /// Its number in the trace hash; never reused, never changed.
    pub number: u64,
    /// Its name in files.
    pub name: &'static str,
    pub family: Family,
    /// Which targets it may have.
    pub whom: Whom,
    /// What its duration means.
    pub lasts: Lasts,
    /// Which faults cannot affect one member at the same time.
    pub alone: Alone,
    /// The number of members of the smallest cluster in which it makes sense.
    pub members: u32,
    /// What remains of it after it ends.
    pub effect: FaultEffect,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Where the ranges of scenarios and of the swarm come from.
    pub source: &'static str,
    /// Its own fields in files, besides those that all faults have.
    pub fields: &'static [Field<FaultKind>],
    /// Makes the fault with its defaults.
    pub new: fn(Usual) -> FaultKind,
}

/// What the defaults of faults depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual {
    /// The fields that a `link` fault leaves out are those of this link.
    pub link: Link,
    /// The point of a `failpoint` that names none.
    pub point: u16,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A group of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Network,
    Disk,
    Clock,
    Process,
    Operator,
}

/// The possible targets of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Any members.
    Members,
    /// One member.
    One,
    /// Some members, but not all.
    Part,
    /// At most a minority.
    Minority,
    /// Members or clients: an end of a link.
    Ends,
    /// None: it affects the whole cluster.
    Nobody,
}

/// What the duration of a fault, its field `for`, means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// How long the fault lasts.
    Span,
    /// The time until the process is restarted.
    Down,
    /// The time until the process is restarted, after it was struck. The fault first waits for something, such
    /// as a failpoint, before it strikes.
    Struck,
    /// Nothing: the fault is over at once.
    Instant,
}

/// Which faults cannot affect one member at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// This fault excludes no other.
    No,
    /// This fault ends the process. While the process is down, no fault that needs a running process can
    /// strike, and this fault cannot strike again.
    Down,
    /// This fault needs a running process, and two of the same kind cannot overlap.
    Running,
    /// Two of the same kind cannot overlap.
    Itself,
}

/// What goes wrong: a fault of one of the families. See `docs/faults.md` for each of them with its ranges.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Links and partitions.
    Network(NetworkFault),
    /// A member's disk.
    Disk(DiskFault),
    /// A clock.
    Clock(ClockFault),
    /// A member's process.
    Process(ProcessFault),
    /// Not a fault of a machine, but a task of an operator.
    Operator(OperatorTask),
}

/// Every kind, in the order of the documentation.
pub(crate) fn kinds() -> impl Iterator<Item = &'static Kind> {
    [network::ROWS, disk::ROWS, clocks::ROWS, process::ROWS, operators::ROWS].into_iter().flatten()
}

/// The kind with this name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    kinds().find(|kind| kind.name == name)
}

impl FaultKind {
    /// Its row.
    pub(crate) fn kind(&self) -> &'static Kind {
        match self {
            FaultKind::Network(fault) => fault.kind(),
            FaultKind::Disk(fault) => fault.kind(),
            FaultKind::Clock(fault) => fault.kind(),
            FaultKind::Process(fault) => fault.kind(),
            FaultKind::Operator(task) => task.kind(),
        }
    }

    /// The kind's name in a scenario; also its key in the counts of a run.
    pub fn name(&self) -> &'static str {
        self.kind().name
    }

    /// The number of the kind in the trace hash.
    pub fn number(&self) -> u64 {
        self.kind().number
    }

    /// What remains of the fault after it ends.
    pub fn effect(&self) -> FaultEffect {
        self.kind().effect
    }

    /// Whether the fault first waits for something, so that its duration counts only from when it strikes.
    pub fn lasts_from_its_strike(&self) -> bool {
        self.kind().lasts == Lasts::Struck
    }

    /// The target of its field `to`, the other end of a link, if it has one.
    pub(crate) fn to(&self) -> Option<&Target> {
        match self {
            FaultKind::Network(fault) => fault.to(),
            FaultKind::Disk(_) | FaultKind::Clock(_) | FaultKind::Process(_) | FaultKind::Operator(_) => None,
        }
    }
}

/// How often something happens.
const TIMES: Form = count(1, 1_000_000);
/// How long something lasts.
const SPAN: Form = time(MS, 24 * HOUR);
/// How late a delayed message is by default: 100 ms.
const LATE: u64 = 100 * MS as u64;

/// A table of fields of a kind. A row is `"name" form => pattern of the fault => where in it the value is,
/// "Meaning.";`.
macro_rules! of {
    ($family:ident: $($name:literal $form:expr => $pattern:pat => $place:expr, $about:literal;)*) => {
        &[$($crate::field::Field {
            key: $crate::field::Key { name: $name, form: $form, about: $about },
            get: |it, _| match it {
                $crate::FaultKind::$family($pattern) => $crate::field::FieldType::value(&$place),
                other => unreachable!("{:?} has no field {:?}", other.name(), $name),
            },
            set: |it, _, value| match it {
                $crate::FaultKind::$family($pattern) => $place = $crate::field::FieldType::of(value),
                other => unreachable!("{:?} has no field {:?}", other.name(), $name),
            },
        },)*]
    };
}

/// A family: its faults as values of a plan, and the row of each. A row is a description, its value, and the
/// columns of [`Kind`].
macro_rules! family {
    (
        $(#[$meaning:meta])*
        $family:ident: $faults:ident {
            $($about:literal $fault:ident $({ $($field:ident: $type:ty),+ })? $(($inner:ty))? => {
                $($column:ident: $value:expr),+ $(,)?
            })+
        }
    ) => {
        $(#[$meaning])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each variant is described; its fields are named after what they are")]
        pub enum $faults {
            $(#[doc = $about] $fault $({ $($field: $type),+ })? $(($inner))?,)+
        }

        /// The rows of the family, in the order of its faults.
        pub(super) static ROWS: &[$crate::kinds::Kind] = &[$($crate::kinds::Kind {
            family: $crate::kinds::Family::$family,
            about: $about,
            $($column: $value),+
        },)+];

        impl $faults {
            /// Its row.
            pub(crate) fn kind(&self) -> &'static $crate::kinds::Kind {
                #[derive(Clone, Copy)]
                enum Row { $($fault),+ }
                let row = match self {
                    $($faults::$fault { .. } => Row::$fault,)+
                };
                &ROWS[row as usize]
            }
        }

        impl From<$faults> for $crate::FaultKind {
            fn from(fault: $faults) -> $crate::FaultKind {
                $crate::FaultKind::$family(fault)
            }
        }
    };
}

mod clocks;
mod disk;
mod network;
mod operators;
mod process;

pub use clocks::ClockFault;
pub use disk::{DiskCall, DiskFault, Files};
pub use network::{MessageRule, NetworkFault, RuleAction};
pub use operators::OperatorTask;
pub use process::{PointAction, ProcessFault};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_makes_its_own_kind() {
        for kind in kinds() {
            let made = (kind.new)(Usual { link: Link::default(), point: 0 });
            assert!(std::ptr::eq(made.kind(), kind), "the row {:?} makes {:?}", kind.name, made.name());
        }
    }

    #[test]
    fn no_two_kinds_share_a_number_or_a_name() {
        let numbers: BTreeSet<u64> = kinds().map(|kind| kind.number).collect();
        let names: BTreeSet<&str> = kinds().map(|kind| kind.name).collect();
        assert_eq!((numbers.len(), names.len()), (kinds().count(), kinds().count()));
    }
}
