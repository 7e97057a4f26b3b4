//! What clients asked and saw.

use std::fmt;

use crate::wide::{Step, Wide};

/// The return of an operation whose outcome is unknown: it may take effect at any time after its call, or never.
pub const UNKNOWN: u64 = u64::MAX;

/// What an operation asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The value of a key.
    Get,
    /// The value of a key as some member has it, which may be an old one.
    GetSerializable,
    /// A [`Wide`] operation that writes nothing.
    Range,
    /// A [`Wide`] operation that writes nothing and reads what some member has, which may be old.
    RangeSerializable,
    /// Sets a key.
    Put,
    /// Removes a key.
    Delete,
    /// Sets a key if its last change is the expected one, else reads it.
    Update,
    /// A [`Wide`] operation that may write.
    Transaction,
}

/// What an answer shows of a key: its value, and the revisions of its last change and of its creation, and how many
/// changes it has seen since then. All are 0 for a key that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The value, by a number of the recorder's choice.
    pub value: u32,
    /// Revision of the last change; 0 for a key that does not exist.
    pub modified: u32,
    /// Revision of the creation.
    pub created: u32,
    /// Changes since the creation, which is the first.
    pub version: u32,
}

impl Seen {
    /// No such key.
    pub const ABSENT: Seen = Seen { value: 0, modified: 0, created: 0, version: 0 };

    /// A key as it was shown.
    pub fn new(value: u32, modified: u32, created: u32, version: u32) -> Seen {
        Seen { value, modified, created, version }
    }

    /// Whether the key does not exist: the first change of a store makes a revision above 0.
    #[inline]
    pub fn is_absent(self) -> bool {
        self.modified == 0
    }

    /// What the key holds when this revision has set it, or removed it.
    #[inline]
    pub(crate) fn after(self, revision: u32, value: Option<u32>) -> Seen {
        // Which case it is cannot be foreseen; all of it is worked out without a branch.
        let kept = if value.is_some() { u32::MAX } else { 0 };
        let new = if self.is_absent() { u32::MAX } else { 0 };
        let created = self.created | (revision & new);
        Seen {
            value: value.unwrap_or(0) & kept,
            modified: revision & kept,
            created: created & kept,
            version: self.version.wrapping_add(1) & kept,
        }
    }
}

/// One operation of a client. 56 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// When it was asked. Only the order of times matters; equal times are no order.
    pub call: u64,
    /// When it was answered; [`UNKNOWN`] if it never was.
    pub ret: u64,
    /// The revision of the answer: the one it made, or else the newest it saw. 0 without an answer.
    pub revision: u32,
    /// The key, by its number in the order in which the store sorts keys; 0 for a [`Wide`] operation.
    pub key: u32,
    /// The value it sets; for a [`Wide`] operation its number in [`History::wide`].
    pub value: u32,
    /// For [`Kind::Update`]: the revision that the key's last change must have.
    pub expected: u32,
    /// What the answer shows; [`Seen::ABSENT`] where it shows nothing.
    pub seen: Seen,
    /// What it asks.
    pub kind: Kind,
    /// Whether the answer says that it changed something: a key was deleted, an update was made. Always for puts.
    pub changed: bool,
}

impl Operation {
    fn new(kind: Kind, key: u32) -> Operation {
        let (call, ret, revision, value, expected) = (0, UNKNOWN, 0, 0, 0);
        Operation { call, ret, revision, key, value, expected, seen: Seen::ABSENT, kind, changed: false }
    }

    /// A read.
    pub fn get(key: u32, seen: Seen) -> Operation {
        Operation { seen, ..Operation::new(Kind::Get, key) }
    }

    /// A read of one member's own state.
    pub fn get_serializable(key: u32, seen: Seen) -> Operation {
        Operation { seen, ..Operation::new(Kind::GetSerializable, key) }
    }

    /// A write.
    pub fn put(key: u32, value: u32) -> Operation {
        Operation { value, changed: true, ..Operation::new(Kind::Put, key) }
    }

    /// A removal, and whether there was something to remove.
    pub fn delete(key: u32, changed: bool) -> Operation {
        Operation { changed, ..Operation::new(Kind::Delete, key) }
    }

    /// A write on condition. `otherwise` is what it shows if the condition does not hold.
    pub fn update(key: u32, expected: u32, value: u32, otherwise: Option<Seen>) -> Operation {
        let (changed, seen) = (otherwise.is_none(), otherwise.unwrap_or_default());
        Operation { expected, value, changed, seen, ..Operation::new(Kind::Update, key) }
    }

    /// Answered with this revision.
    pub fn at(self, revision: u32) -> Operation {
        Operation { revision, ..self }
    }

    /// Asked and answered at these times.
    pub fn during(self, call: u64, ret: u64) -> Operation {
        Operation { call, ret, ..self }
    }

    /// Whether it may change the store.
    pub fn is_write(&self) -> bool {
        self.kind as u8 >= Kind::Put as u8
    }

    /// Whether it is one of several keys.
    #[inline]
    pub fn is_wide(&self) -> bool {
        matches!(self.kind, Kind::Range | Kind::RangeSerializable | Kind::Transaction)
    }

    /// Whether it must see all that was answered before it was asked.
    #[inline]
    pub fn is_bound(&self) -> bool {
        !matches!(self.kind, Kind::GetSerializable | Kind::RangeSerializable)
    }

    /// Whether its answer, if it has one, says that it made a revision.
    #[inline]
    pub fn is_change(&self) -> bool {
        self.changed & self.is_write()
    }

    /// What it sets its key to, if it changes it; `None` for a removal.
    pub(crate) fn sets(&self) -> Option<u32> {
        (self.kind != Kind::Delete).then_some(self.value)
    }

    /// Whether it has an answer.
    pub fn is_answered(&self) -> bool {
        self.ret != UNKNOWN
    }
}

/// What clients saw of a store. Requests that were refused, and are certain to have had no effect, are left out.
#[derive(Clone, Debug)]
pub struct History {
    /// The revision before the first change; the store is empty then.
    base: u32,
    operations: Vec<Operation>,
    wide: Vec<Wide>,
    keys: u32,
    /// The highest revision of an answer; the base without any.
    newest: u32,
    reads_past: bool,
}

impl History {
    /// Keys are numbered below this, since there is a place for each number up to the highest.
    pub const MOST_KEYS: u32 = 1 << 24;

    /// A history that begins at this revision, with an empty store: 1 for a new etcd.
    pub fn new(base: u32) -> History {
        let (operations, wide) = (Vec::new(), Vec::new());
        History { base, operations, wide, keys: 0, newest: base, reads_past: false }
    }

    /// Adds an operation on one key. Their order does not matter; near the order of calls is fastest.
    ///
    /// # Panics
    /// Where [`History::try_push`] has an error.
    pub fn push(&mut self, operation: Operation) {
        if let Err(invalid) = self.try_push(operation) {
            panic!("{invalid}: {operation:?}");
        }
    }

    /// Adds an operation on one key.
    ///
    /// # Errors
    /// If it is none that can be judged.
    pub fn try_push(&mut self, operation: Operation) -> Result<(), Invalid> {
        if operation.is_wide() {
            return Err(Invalid::Kind);
        }
        self.add(operation, operation.key)
    }

    /// Adds an operation on several keys.
    ///
    /// # Errors
    /// If it is none that can be judged.
    pub fn push_wide(&mut self, wide: Wide) -> Result<(), Invalid> {
        let is_answered = wide.ret != UNKNOWN;
        let kind = match (wide.request.is_write(), wide.serializable) {
            (true, true) => return Err(Invalid::Kind),
            (true, false) => Kind::Transaction,
            (false, true) => Kind::RangeSerializable,
            (false, false) => Kind::Range,
        };
        if is_answered && !wide.response.fits(&wide.request) {
            return Err(Invalid::Answers);
        }
        let mut highest = wide.response.highest_key().filter(|_| is_answered).unwrap_or(0);
        wide.request.each(&mut |step| {
            if let Step::Put { key, .. } = step {
                highest = highest.max(*key);
            }
        });
        let operation = Operation {
            call: wide.call,
            ret: wide.ret,
            revision: wide.revision,
            value: self.wide.len() as u32,
            changed: is_answered && wide.response.changed(),
            ..Operation::new(kind, 0)
        };
        self.add(operation, highest)?;
        self.reads_past |= wide.request.reads_past();
        self.wide.push(wide);
        Ok(())
    }

    fn add(&mut self, operation: Operation, highest_key: u32) -> Result<(), Invalid> {
        if operation.call > operation.ret {
            return Err(Invalid::Times);
        }
        if self.operations.len() >= u32::MAX as usize - 1 {
            return Err(Invalid::TooMany);
        }
        if highest_key >= History::MOST_KEYS {
            return Err(Invalid::Key { key: highest_key });
        }
        self.keys = self.keys.max(highest_key + 1);
        if operation.is_answered() {
            self.newest = self.newest.max(operation.revision);
        }
        self.operations.push(operation);
        Ok(())
    }

    /// The revision before the first change.
    pub fn base(&self) -> u32 {
        self.base
    }

    /// All operations, in the order they were added.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// What an operation on several keys asks and was answered; `None` for one on a single key.
    pub fn wide(&self, operation: &Operation) -> Option<&Wide> {
        if operation.is_wide() { self.wide.get(operation.value as usize) } else { None }
    }

    /// The highest revision of an answer; the base without any.
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// One more than the highest number of a key that is written or shown.
    pub fn keys(&self) -> u32 {
        self.keys
    }

    /// Whether some range reads an old revision.
    pub fn reads_past(&self) -> bool {
        self.reads_past
    }
}

/// Why an operation cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It returns before its call.
    Times,
    /// There are 2^32 - 2 operations already.
    TooMany,
    /// The number of a key is not below [`History::MOST_KEYS`].
    Key {
        /// The key.
        key: u32,
    },
    /// A wide operation was added as one on a single key, or a serializable one writes.
    Kind,
    /// The answers are not those to the steps of the branch taken.
    Answers,
}

impl fmt::Display for Invalid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::Times => write!(out, "the operation returns before it is called"),
            Invalid::TooMany => write!(out, "there are more operations than this engine can count"),
            Invalid::Key { key } => {
                write!(out, "key {key} is not below {}: number keys from 0 without gaps", History::MOST_KEYS)
            }
            Invalid::Kind => {
                write!(
                    out,
                    "add wide operations with `push_wide`; only those that write nothing are serializable"
                )
            }
            Invalid::Answers => write!(out, "the answers are not those to the steps of the branch taken"),
        }
    }
}

impl std::error::Error for Invalid {}
