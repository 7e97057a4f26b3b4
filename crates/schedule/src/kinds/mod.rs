//! The kinds of faults, one file for each family. Everything about a kind is in its row: its variant of the
//! family's enum, its name and number, its fields, its possible targets, what its duration means, its lasting
//! effects, and the sources of its ranges. The documentation and the schema are generated from the rows.
//!
//! Four families strike any node: its links, its disk, its clocks and its process. A node's [`Part`](crate::Part)
//! brings a fifth one: tasks, such as adding a member, which are scheduled like faults.
//!
//! To add a kind, add its row. The compiler then asks for its implementation: an arm in its family's file in
//! `world/src/faults/`, or for a disk in `world/src/disk/faults.rs`. To add it to the swarm, add an entry to
//! `swarm.toml`; `UPDATE_DOCS=1 cargo test -p etcdsim-plan` writes the documentation and the schema.
//!
//! Not here: what a fault does to a cluster (`world/src/faults/`), how often the swarm draws a fault
//! (`swarm.toml`).

use trace::FaultEffect;

use crate::choice::Value;
use crate::field::{Field, Form, HOUR, Key, MS, Names, count, time};
use crate::{Link, Target};

/// What is known about a kind, whatever the type of its family.
pub struct Kind {
    /// Its number in the trace hash; never reused, never changed.
    pub number: u64,
    /// Its name in files.
    pub name: &'static str,
    /// Its family.
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
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The row of a kind in the table of its family, whose type is `F`.
pub struct Row<F: 'static> {
    /// What is known about the kind.
    pub kind: Kind,
    /// Its own fields in files, besides those that all faults have.
    pub fields: &'static [Field<F>],
    /// Makes the fault with its defaults.
    pub new: fn(Usual) -> F,
}

/// A family of kinds. The macro [`family!`](crate::family!) implements it.
pub trait Kinds: Clone + std::fmt::Debug + PartialEq + Sized + 'static {
    /// The rows of the family, in the order of its faults.
    fn rows() -> &'static [Row<Self>];
    /// The row of this fault.
    fn row(&self) -> &'static Row<Self>;
}

/// What the defaults of faults depend on.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    /// The fields that a `link` fault leaves out are those of this link.
    pub link: Link,
    /// The point of a `failpoint` that names none.
    pub point: u16,
}

/// A group of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Faults of links.
    Network,
    /// Faults of disks.
    Disk,
    /// Faults of clocks.
    Clock,
    /// Faults of processes.
    Process,
    /// Tasks, which a node's part brings.
    Task,
}

/// The possible targets of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
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
pub enum Lasts {
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
pub enum Alone {
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

/// What goes wrong: a fault of one of the families, or a task `T` of the node's part. See `docs/faults.md` for each
/// of them with its ranges.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind<T> {
    /// Links and partitions.
    Network(NetworkFault),
    /// A member's disk.
    Disk(DiskFault),
    /// A clock.
    Clock(ClockFault),
    /// A member's process.
    Process(ProcessFault),
    /// Not a fault of a machine, but a task, such as those of operators.
    Task(T),
}

/// The tasks of a node that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTask {}

impl Kinds for NoTask {
    fn rows() -> &'static [Row<NoTask>] {
        &[]
    }

    fn row(&self) -> &'static Row<NoTask> {
        match *self {}
    }
}

/// A kind, with its own fields in files.
#[derive(Debug)]
pub struct Shape {
    /// The kind.
    pub kind: &'static Kind,
    /// The fields that only this kind has.
    pub keys: Vec<&'static Key>,
}

/// Every kind that a plan with the tasks `T` may have, in the order of the documentation. A node that names no points
/// in its code has no faults at such points.
pub fn shapes<T: Kinds>(names: Names) -> Vec<Shape> {
    fn of<F: Kinds>() -> impl Iterator<Item = Shape> {
        let keys = |row: &'static Row<F>| row.fields.iter().map(|field| &field.key).collect();
        F::rows().iter().map(move |row| Shape { kind: &row.kind, keys: keys(row) })
    }
    let all = of::<NetworkFault>().chain(of::<DiskFault>()).chain(of::<ClockFault>());
    let all = all.chain(of::<ProcessFault>()).chain(of::<T>());
    all.filter(|shape| !names.points.is_empty() || !shape.keys.iter().any(|key| key.form.is_point()))
        .collect()
}

/// The values of a fault's own fields.
fn values<F: Kinds>(fault: &F) -> Vec<(&'static Key, Option<Value>)> {
    fault.row().fields.iter().map(|field| (&field.key, field.get(fault))).collect()
}

impl<T: Kinds> FaultKind<T> {
    /// What is known about its kind.
    pub(crate) fn kind(&self) -> &'static Kind {
        match self {
            FaultKind::Network(fault) => &fault.row().kind,
            FaultKind::Disk(fault) => &fault.row().kind,
            FaultKind::Clock(fault) => &fault.row().kind,
            FaultKind::Process(fault) => &fault.row().kind,
            FaultKind::Task(task) => &task.row().kind,
        }
    }

    /// The values of the fields that only its kind has.
    pub(crate) fn values(&self) -> Vec<(&'static Key, Option<Value>)> {
        match self {
            FaultKind::Network(fault) => values(fault),
            FaultKind::Disk(fault) => values(fault),
            FaultKind::Clock(fault) => values(fault),
            FaultKind::Process(fault) => values(fault),
            FaultKind::Task(task) => values(task),
        }
    }

    /// A fault of the same kind with its defaults.
    pub(crate) fn with_defaults(&self, usual: Usual) -> FaultKind<T> {
        match self {
            FaultKind::Network(fault) => (fault.row().new)(usual).into(),
            FaultKind::Disk(fault) => (fault.row().new)(usual).into(),
            FaultKind::Clock(fault) => (fault.row().new)(usual).into(),
            FaultKind::Process(fault) => (fault.row().new)(usual).into(),
            FaultKind::Task(task) => FaultKind::Task((task.row().new)(usual)),
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
}

impl<T> FaultKind<T> {
    /// The target of its field `to`, the other end of a link, if it has one.
    pub(crate) fn to(&self) -> Option<&Target> {
        match self {
            FaultKind::Network(fault) => fault.to(),
            FaultKind::Disk(_) | FaultKind::Clock(_) | FaultKind::Process(_) | FaultKind::Task(_) => None,
        }
    }
}

impl<T> From<NetworkFault> for FaultKind<T> {
    fn from(fault: NetworkFault) -> FaultKind<T> {
        FaultKind::Network(fault)
    }
}

impl<T> From<DiskFault> for FaultKind<T> {
    fn from(fault: DiskFault) -> FaultKind<T> {
        FaultKind::Disk(fault)
    }
}

impl<T> From<ClockFault> for FaultKind<T> {
    fn from(fault: ClockFault) -> FaultKind<T> {
        FaultKind::Clock(fault)
    }
}

impl<T> From<ProcessFault> for FaultKind<T> {
    fn from(fault: ProcessFault) -> FaultKind<T> {
        FaultKind::Process(fault)
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
#[macro_export]
macro_rules! of {
    ($($name:literal $form:expr => $pattern:pat => $place:expr, $about:literal;)*) => {
        &[$($crate::field::Field {
            key: $crate::field::Key { name: $name, form: $form, about: $about },
            get: |it, _| match it {
                $pattern => $crate::field::FieldType::value(&$place),
                #[allow(unreachable_patterns, reason = "a family may have a single kind")]
                other => unreachable!("{other:?} has no field {:?}", $name),
            },
            set: |it, _, value| match it {
                $pattern => $place = $crate::field::FieldType::of(value),
                #[allow(unreachable_patterns, reason = "a family may have a single kind")]
                other => unreachable!("{other:?} has no field {:?}", $name),
            },
        },)*]
    };
}

/// A family: its faults as values of a plan, and the row of each. A row is a description, its value, and the
/// columns of [`Kind`](crate::kinds::Kind) and [`Row`](crate::kinds::Row).
#[macro_export]
macro_rules! family {
    (
        $(#[$meaning:meta])*
        $family:ident: $faults:ident {
            $($about:literal $fault:ident $({ $($field:ident: $type:ty),+ })? $(($inner:ty))? => {
                number: $number:expr,
                name: $name:expr,
                whom: $whom:expr,
                lasts: $lasts:expr,
                alone: $alone:expr,
                members: $members:expr,
                effect: $effect:expr,
                source: $source:expr,
                fields: $fields:expr,
                new: $new:expr $(,)?
            })+
        }
    ) => {
        $(#[$meaning])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each variant is described; its fields are named after what they are")]
        pub enum $faults {
            $(#[doc = $about] $fault $({ $($field: $type),+ })? $(($inner))?,)+
        }

        impl $crate::kinds::Kinds for $faults {
            fn rows() -> &'static [$crate::kinds::Row<$faults>] {
                static ROWS: &[$crate::kinds::Row<$faults>] = &[$($crate::kinds::Row {
                    kind: $crate::kinds::Kind {
                        number: $number,
                        name: $name,
                        family: $crate::kinds::Family::$family,
                        whom: $whom,
                        lasts: $lasts,
                        alone: $alone,
                        members: $members,
                        effect: $effect,
                        about: $about,
                        source: $source,
                    },
                    fields: $fields,
                    new: $new,
                },)+];
                ROWS
            }

            fn row(&self) -> &'static $crate::kinds::Row<$faults> {
                #[derive(Clone, Copy)]
                enum Place { $($fault),+ }
                let place = match self {
                    $($faults::$fault { .. } => Place::$fault,)+
                };
                &<$faults as $crate::kinds::Kinds>::rows()[place as usize]
            }
        }
    };
}

mod clocks;
mod disk;
mod network;
mod process;

pub use clocks::ClockFault;
pub use disk::{DiskCall, DiskFault, Files};
pub use network::{MessageRule, NetworkFault, RuleAction};
pub use process::{PointAction, ProcessFault};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_makes_its_own_kind() {
        fn check<F: Kinds>() {
            for row in F::rows() {
                let made = (row.new)(Usual { link: Link::default(), point: 0 });
                assert!(std::ptr::eq(made.row(), row), "the row {:?} makes {made:?}", row.kind);
            }
        }
        check::<NetworkFault>();
        check::<DiskFault>();
        check::<ClockFault>();
        check::<ProcessFault>();
    }
}
