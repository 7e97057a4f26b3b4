//! Histories: what clients asked of the store, what it answered, and when. The head of the crate has examples.

use crate::wide::{Step, Wide};

/// The return of an operation whose outcome is unknown: it took effect at some time after its call, or never.
pub const UNKNOWN: u64 = u64::MAX;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads a key.
    Get,
    /// Reads a key from one member's own state, which may be old.
    GetSerializable,
    /// A [`Wide`] operation that writes nothing.
    Range,
    /// A [`Wide`] operation that writes nothing and reads one member's own state, which may be old.
    RangeSerializable,
    /// Sets a key.
    Put,
    /// Deletes a key.
    Delete,
    /// Sets a key if the revision of its last change is the expected one, otherwise reads it.
    Update,
    /// A [`Wide`] operation that may write.
    Transaction,
}

/// What an answer shows of a key. All fields are 0 for a key that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The value, as a number that the recorder chose.
    pub value: u32,
    /// The revision of the last change; 0 for a key that does not exist.
    pub modified: u32,
    /// The revision of the creation.
    pub created: u32,
    /// The number of changes since the creation; the creation counts as the first.
    pub version: u32,
}

impl Seen {
    /// A key that does not exist.
    pub const ABSENT: Seen = Seen { value: 0, modified: 0, created: 0, version: 0 };

    /// A key with these fields.
    pub fn new(value: u32, modified: u32, created: u32, version: u32) -> Seen {
        Seen { value, modified, created, version }
    }

    /// Whether the key does not exist: the first change of a store makes a revision above 0.
    #[inline]
    pub fn is_absent(self) -> bool {
        self.modified == 0
    }

    /// What a key that holds `self` will hold once this revision has set it, or deleted it if there is no value.
    #[inline]
    pub(crate) fn after(self, revision: u32, value: Option<u32>) -> Seen {
        // Masks instead of branches, because processors predict these cases badly.
        let if_set = if value.is_some() { u32::MAX } else { 0 };
        let if_new = if self.is_absent() { u32::MAX } else { 0 };
        let created = self.created | (revision & if_new);
        Seen {
            value: value.unwrap_or(0) & if_set,
            modified: revision & if_set,
            created: created & if_set,
            version: self.version.wrapping_add(1) & if_set,
        }
    }
}

/// One operation of a client. 56 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// When it was called. Only the order of times matters; equal times have no order.
    pub call: u64,
    /// When it returned; [`UNKNOWN`] if its outcome is unknown.
    pub returned: u64,
    /// The revision of the answer: the one that the operation made, or the newest that it saw. 0 without an answer.
    pub revision: u32,
    /// The key's number in the order in which the store sorts keys; 0 for a [`Wide`] operation.
    pub key: u32,
    /// The value to set. For a [`Wide`] operation it is set by [`History::push_wide`] and says where that is stored.
    pub value: u32,
    /// For [`Kind::Update`]: the revision that the key's last change must have.
    pub expected: u32,
    /// What the answer shows; [`Seen::ABSENT`] if it shows nothing.
    pub seen: Seen,
    /// What it does.
    pub kind: Kind,
    /// Whether the answer says that something changed: a key was deleted, or an update was made. Always true for puts.
    pub changed: bool,
}

impl Operation {
    /// An operation of this kind, without times, revision and values.
    fn new(kind: Kind, key: u32) -> Operation {
        let (call, returned, revision, value, expected) = (0, UNKNOWN, 0, 0, 0);
        Operation { call, returned, revision, key, value, expected, seen: Seen::ABSENT, kind, changed: false }
    }

    /// A read of a key, and what its answer shows.
    pub fn get(key: u32, seen: Seen) -> Operation {
        Operation { seen, ..Operation::new(Kind::Get, key) }
    }

    /// A read of a key from one member's own state, which may be old.
    pub fn get_serializable(key: u32, seen: Seen) -> Operation {
        Operation { seen, ..Operation::new(Kind::GetSerializable, key) }
    }

    /// A write of a key.
    pub fn put(key: u32, value: u32) -> Operation {
        Operation { value, changed: true, ..Operation::new(Kind::Put, key) }
    }

    /// A deletion of a key, and whether its answer says that there was one to delete.
    pub fn delete(key: u32, changed: bool) -> Operation {
        Operation { changed, ..Operation::new(Kind::Delete, key) }
    }

    /// A write on the condition that the key's last change was at the revision `expected`. `found` is what the answer
    /// shows if the condition did not hold, and `None` if it held.
    pub fn update(key: u32, expected: u32, value: u32, found: Option<Seen>) -> Operation {
        let (changed, seen) = (found.is_none(), found.unwrap_or_default());
        Operation { expected, value, changed, seen, ..Operation::new(Kind::Update, key) }
    }

    /// The operation, answered with this revision.
    pub fn at(self, revision: u32) -> Operation {
        Operation { revision, ..self }
    }

    /// The operation, with these times.
    pub fn during(self, call: u64, returned: u64) -> Operation {
        Operation { call, returned, ..self }
    }

    /// Whether it may change the store.
    pub fn is_write(&self) -> bool {
        // The kinds that may write are the last ones of the enum.
        self.kind as u8 >= Kind::Put as u8
    }

    /// Whether it is on several keys: a [`Wide`] operation.
    #[inline]
    pub fn is_wide(&self) -> bool {
        matches!(self.kind, Kind::Range | Kind::RangeSerializable | Kind::Transaction)
    }

    /// Whether it must see everything that was acknowledged before its call. Serializable reads need not.
    #[inline]
    pub fn is_bound(&self) -> bool {
        !matches!(self.kind, Kind::GetSerializable | Kind::RangeSerializable)
    }

    /// Whether it made a revision. If it has an answer, that says so; a put without one is taken to make one.
    #[inline]
    pub fn is_change(&self) -> bool {
        self.changed & self.is_write()
    }

    /// What it sets its key to, if it changes it; `None` for a deletion.
    pub(crate) fn sets(&self) -> Option<u32> {
        (self.kind != Kind::Delete).then_some(self.value)
    }

    /// Whether it has an answer.
    pub fn is_answered(&self) -> bool {
        self.returned != UNKNOWN
    }
}

/// The operations of one run. Refused requests, which had no effect, are left out.
#[derive(Clone, Debug)]
pub struct History {
    /// The revision before the first change; the store is empty then.
    base: u32,
    operations: Vec<Operation>,
    wide: Vec<Wide>,
    /// One more than the highest number of a key.
    keys: u32,
    /// The highest revision of an answer; the base if there is none.
    newest: u32,
    /// Whether some range reads an old revision.
    reads_past: bool,
}

impl History {
    /// All numbers of keys must be below this, because the check has a table with an entry for each.
    pub const KEYS_MAX: u32 = 1 << 24;

    /// A history that begins with an empty store at this revision, the base. For a new etcd it is 1.
    pub fn new(base: u32) -> History {
        let (operations, wide) = (Vec::new(), Vec::new());
        History { base, operations, wide, keys: 0, newest: base, reads_past: false }
    }

    /// Adds an operation on one key and returns its index. The order of operations does not matter; an order close
    /// to that of the calls is fastest.
    ///
    /// # Errors
    /// If the operation cannot be judged. The history is then as it was.
    pub fn push(&mut self, operation: Operation) -> Result<u32, Invalid> {
        if operation.is_wide() {
            return Err(Invalid::Wide);
        }
        self.add(operation, operation.key)
    }

    /// Adds an operation on several keys and returns its index.
    ///
    /// # Errors
    /// If the operation cannot be judged. The history is then as it was.
    pub fn push_wide(&mut self, wide: Wide) -> Result<u32, Invalid> {
        let is_answered = wide.returned != UNKNOWN;
        let kind = match (wide.request.is_write(), wide.serializable) {
            (true, true) => return Err(Invalid::SerializableWrite),
            (true, false) => Kind::Transaction,
            (false, true) => Kind::RangeSerializable,
            (false, false) => Kind::Range,
        };
        if is_answered && !wide.response.fits(&wide.request) {
            return Err(Invalid::AnswersDoNotFit);
        }
        let mut highest = wide.response.highest_key().filter(|_| is_answered).unwrap_or(0);
        wide.request.each(&mut |step| {
            if let Step::Put { key, .. } = step {
                highest = highest.max(*key);
            }
        });
        let operation = Operation {
            call: wide.call,
            returned: wide.returned,
            revision: wide.revision,
            value: self.wide.len() as u32,
            changed: is_answered && wide.response.changed(),
            ..Operation::new(kind, 0)
        };
        let index = self.add(operation, highest)?;
        self.reads_past |= wide.request.reads_past();
        self.wide.push(wide);
        Ok(index)
    }

    /// Adds an operation if its times and keys are possible. `highest_key` is the highest number of a key in it.
    fn add(&mut self, operation: Operation, highest_key: u32) -> Result<u32, Invalid> {
        let Operation { call, returned, .. } = operation;
        if self.operations.len() >= u32::MAX as usize - 1 {
            return Err(Invalid::TooManyOperations);
        }
        let index = self.operations.len() as u32;
        if call > returned {
            return Err(Invalid::ReturnBeforeCall { index, call, returned });
        }
        if highest_key >= History::KEYS_MAX {
            return Err(Invalid::KeyTooLarge { key: highest_key });
        }
        self.keys = self.keys.max(highest_key + 1);
        if operation.is_answered() {
            self.newest = self.newest.max(operation.revision);
        }
        self.operations.push(operation);
        Ok(index)
    }

    /// The revision before the first change.
    pub fn base(&self) -> u32 {
        self.base
    }

    /// All operations, in the order they were added.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The request and the response of an operation on several keys; `None` for one on a single key.
    pub fn wide(&self, operation: &Operation) -> Option<&Wide> {
        if operation.is_wide() { self.wide.get(operation.value as usize) } else { None }
    }

    /// The highest revision of an answer; the base if there is none.
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// One more than the highest number of a key that an operation writes or shows.
    pub fn keys(&self) -> u32 {
        self.keys
    }

    /// Whether some range reads an old revision.
    pub fn reads_past(&self) -> bool {
        self.reads_past
    }
}

/// Why an operation cannot be part of a history or a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// It returns before its call.
    #[error(
        "operation {index} returns at {returned}, before its call at {call}: do the times come from two clocks?"
    )]
    ReturnBeforeCall {
        /// The index that the operation would have had.
        index: u32,
        /// When it was called.
        call: u64,
        /// When it returned.
        returned: u64,
    },
    /// The history is full.
    #[error("a history holds at most 4294967294 operations")]
    TooManyOperations,
    /// The number of a key is not below [`History::KEYS_MAX`].
    #[error("key {key} is not below {}: number keys from 0 without gaps", History::KEYS_MAX)]
    KeyTooLarge {
        /// The number of the key.
        key: u32,
    },
    /// It is on several keys.
    #[error("an operation on several keys goes through `History::push_wide`, and not into a stream")]
    Wide,
    /// It writes and is serializable.
    #[error("only operations that write nothing can be serializable")]
    SerializableWrite,
    /// The answers do not belong to the steps of the branch that was taken: there are too many or too few, or one is of
    /// another kind.
    #[error("the answers are not those to the steps of the branch taken")]
    AnswersDoNotFit,
    /// A stream got an event that is earlier than a previous one.
    #[error("a stream gets events in the order of time, but {time} is before {now}")]
    OutOfOrder {
        /// The latest time so far.
        now: u64,
        /// The time of the event.
        time: u64,
    },
}
