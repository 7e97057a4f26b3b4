//! What clients asked and saw, and what a watch showed.

/// The return of an operation whose outcome is unknown: it may take effect at any time after its call, or never.
pub const UNKNOWN: u64 = u64::MAX;

/// What an operation asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The value of a key.
    Get,
    /// The value of a key as some member has it, which may be an old one.
    GetSerializable,
    /// Sets a key.
    Put,
    /// Removes a key.
    Delete,
    /// Sets a key if its last change is the expected one, else reads it.
    Update,
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
    /// The key, by a number of the recorder's choice, below [`History::keys`].
    pub key: u32,
    /// The value it sets.
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
        matches!(self.kind, Kind::Put | Kind::Delete | Kind::Update)
    }

    /// Whether it has an answer.
    pub fn is_answered(&self) -> bool {
        self.ret != UNKNOWN
    }
}

/// What clients saw of a store.
#[derive(Clone, Debug)]
pub struct History {
    /// The revision before the first change; the store is empty then.
    base: u32,
    operations: Vec<Operation>,
    keys: u32,
}

impl History {
    /// A history that begins at this revision, with an empty store: 1 for a new etcd.
    pub fn new(base: u32) -> History {
        History { base, operations: Vec::new(), keys: 0 }
    }

    /// Adds an operation. Their order does not matter; near the order of calls is fastest.
    ///
    /// # Panics
    /// If it returns before its call, or if there are 2^32 - 1 operations already.
    pub fn push(&mut self, operation: Operation) {
        assert!(operation.call <= operation.ret, "an operation returns before it is called: {operation:?}");
        assert!(self.operations.len() < u32::MAX as usize - 1, "too many operations for this engine");
        self.keys = self.keys.max(operation.key.saturating_add(1));
        self.operations.push(operation);
    }

    /// The revision before the first change.
    pub fn base(&self) -> u32 {
        self.base
    }

    /// All operations, in the order they were added.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// One more than the highest number of a key.
    pub fn keys(&self) -> u32 {
        self.keys
    }
}

/// What a revision did to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The revision.
    pub revision: u32,
    /// The key.
    pub key: u32,
    /// The value that was set; `None` for a removal.
    pub value: Option<u32>,
}

impl Change {
    /// A key was set.
    pub fn put(revision: u32, key: u32, value: u32) -> Change {
        Change { revision, key, value: Some(value) }
    }

    /// A key was removed.
    pub fn delete(revision: u32, key: u32) -> Change {
        Change { revision, key, value: None }
    }
}

/// What is known of revisions from elsewhere: a watch of everything from the first revision, or a log.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// By revision, one each.
    changes: Vec<Change>,
}

impl Evidence {
    /// What each revision did.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}

impl<I: IntoIterator<Item = Change>> From<I> for Evidence {
    /// Of two changes of one revision the first is kept.
    fn from(changes: I) -> Evidence {
        let mut changes: Vec<Change> = changes.into_iter().collect();
        if !changes.is_sorted_by_key(|change| change.revision) {
            changes.sort_by_key(|change| change.revision);
        }
        changes.dedup_by_key(|change| change.revision);
        Evidence { changes }
    }
}
