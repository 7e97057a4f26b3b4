//! One step of a client. Most steps are one request; the others are a few requests that depend on what the
//! client saw before. Everything is a function of the plan and of the answers.
//!
//! What they leave behind for later acts (revisions, copies of parts of the store, leases, locks, watchers)
//! is the client's *memory*. Clients of one program share one ([`crate::Client::part_of`]).
//!
//! Their text form is in `operation`, their requests are in `world/src/clients`.

use api::Request;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest};
use bytes::Bytes;
use record::Nanos;

use crate::PlannedOperation;

/// As the mod revision of a compare (like any value below 0): the mod revision of the compare's key as this
/// client last saw it in an answer, 0 if it saw none. This makes a compare-and-swap of a txn that was planned
/// before the revision could be known.
pub const SEEN: i64 = -1;

/// As the revision of a range: the newest revision this client has seen. As a lease of a put, a keep-alive, a
/// revocation or a time-to-live: the lease this client was granted last, 0 if there was none.
pub const LAST: i64 = i64::MIN;

/// One step of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// One request. A revision of -1, -2, … in a Range or Compact means "that many below the newest revision
    /// this client has seen"; [`SEEN`] and [`LAST`] are placeholders too.
    Request(Request),
    /// One request, taken literally: even a negative revision means itself.
    Literal(Request),
    /// Opens a watcher.
    Watch(Watch),
    /// Lists keys, then keeps a copy of them up to date by a watch, as a reflector of Kubernetes does.
    /// If history was compacted, it lists again.
    Follow(Follow),
    /// Cancels a watcher, by the name it was opened with. Does nothing if there is none.
    Cancel {
        /// The watcher.
        watcher: u32,
    },
    /// Requests progress on a stream. Does nothing if it is not open.
    Progress {
        /// The stream, by the client's own number.
        stream: u32,
    },
    /// Closes a stream with all its watchers. Does nothing if it is not open.
    Close {
        /// The stream, by the client's own number.
        stream: u32,
    },
    /// Lists keys page by page, all pages at the revision of the first, into the copy of these keys.
    /// If that revision is compacted meanwhile, it starts over.
    List {
        /// The keys to list.
        keys: Keys,
        /// Pairs per page; 0 for all in one.
        page: u32,
    },
    /// Records what the copy of these keys holds.
    View {
        /// The copy.
        keys: Keys,
    },
    /// Creates, updates or removes an object as Kubernetes does: a txn guarded by the mod revision
    /// that the client's copy shows.
    Write(Write),
    /// Adds a value to a list of values in one key, or outside etcd.
    Add(Add),
    /// Reads and appends to lists in one txn. Keys that are appended to are read first, and the txn is
    /// guarded by their mod revisions (Jepsen's `append`).
    Append(Vec<Micro>),
    /// Takes a lock with a lease of its own.
    Lock(Session),
    /// Releases a lock and revokes its lease. Does nothing if it is not held.
    Unlock {
        /// The lock.
        name: Bytes,
    },
    /// Campaigns in an election with a lease of its own.
    Campaign(Session, Bytes),
    /// Proclaims a value as leader. Does nothing if the client does not believe that it leads.
    Proclaim {
        /// The election.
        name: Bytes,
        /// The value.
        value: Bytes,
    },
    /// Resigns and revokes the lease. Does nothing if the client does not believe that it leads.
    Resign {
        /// The election.
        name: Bytes,
    },
    /// Puts a value if the lock or leadership that the client believes it holds is still there: the txn
    /// compares the create revision of its key. Does nothing if the client believes it holds none.
    Fenced {
        /// The lock or the election.
        name: Bytes,
        /// The key to put.
        key: Bytes,
        /// The value.
        value: Bytes,
    },
    /// Renews every lease of a lock, a leadership or an attempt at one, one after the other.
    Renew,
    /// One round of a Kubernetes compactor: the compactor that advances this key compacts to the revision of
    /// its previous round (`apiserver/pkg/storage/etcd3/compact.go`).
    Compactor {
        /// The key the compactors race for.
        key: Bytes,
    },
    /// Does nothing for this long, by the client's clock.
    Rest(Nanos),
}

/// A key, or keys from one to another, as in a range request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keys {
    /// The first key.
    pub key: Bytes,
    /// The end; empty for one key.
    pub end: Bytes,
}

/// Where a watcher starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// After its creation.
    Now,
    /// At this revision.
    At(i64),
    /// At this distance from the newest revision the client has seen; never before revision 1.
    Seen(i64),
    /// After the last revision that a watcher of this name has seen; at the first revision if there was none.
    Last,
}

/// A watcher to open.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// The keys to watch.
    pub keys: Keys,
    /// Where to start.
    pub from: Start,
    /// Include the pair before each change.
    pub prev_kv: bool,
    /// Ask for progress notifications when nothing changes.
    pub progress: bool,
    /// Leave puts out.
    pub no_put: bool,
    /// Leave deletions out.
    pub no_delete: bool,
    /// Let large answers be split.
    pub fragment: bool,
    /// The id on its stream; 0 lets the server choose.
    pub id: i64,
    /// The client's own name for it, for later acts. A newer watcher takes over the name.
    pub name: u32,
    /// Its stream, by the client's own number; opened if it is not open.
    pub stream: u32,
    /// Continue after a compaction that overtook it. Otherwise it is given up.
    pub skip: bool,
}

/// Keys to keep a copy of.
#[derive(Clone, Debug, PartialEq)]
pub struct Follow {
    /// The keys.
    pub keys: Keys,
    /// Pairs per page of the list; 0 for all in one.
    pub page: u32,
    /// The client's own name for the watcher.
    pub name: u32,
    /// Its stream.
    pub stream: u32,
}

/// The object of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Which {
    /// This object.
    Key(Bytes),
    /// Object number `pick` of the copy of these keys, wrapping around.
    Nth {
        /// The copy.
        keys: Keys,
        /// The object's number.
        pick: u64,
    },
}

/// What to do with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Create [`Write::new`].
    Create,
    /// Give it another value.
    Update,
    /// Remove it.
    Remove,
}

/// A write as Kubernetes does it.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The kind of write.
    pub verb: Verb,
    /// The object.
    pub which: Which,
    /// The value.
    pub value: Bytes,
    /// The lease of the value.
    pub lease: i64,
    /// The key to create, if an object is created.
    pub new: Bytes,
    /// The desired number of objects: below half of it one is created, above one and a half times it one is
    /// removed, whatever the verb (`tests/robustness/traffic/kubernetes.go` of etcd). 0: always the verb.
    pub about: u32,
    /// The most attempts; each one after the first uses the revision from the failed txn.
    pub tries: u32,
}

/// A value to add to a list of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Add {
    /// The key that holds the list.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// The lock to hold; without a lock the value is added by compare-and-swap, repeated until it succeeds.
    pub lock: Option<Session>,
    /// How long the client thinks between the read and the write.
    pub hold: Nanos,
    /// Under a lock: write only if the lock's key is still there with its create revision.
    pub fenced: bool,
    /// The list is not in etcd but in the clients' own memory, which no lock service can guard.
    pub outside: bool,
}

/// A lock or an election, and the lease to take part with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The lock or the election.
    pub name: Bytes,
    /// The id of the lease, granted at the start of the act and revoked at its end.
    pub lease: i64,
    /// Its time to live in seconds.
    pub ttl: i64,
}

/// One operation of an append txn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Micro {
    /// Read a list.
    Get(Bytes),
    /// Append a value to a list.
    Append(Bytes, Bytes),
}

impl Keys {
    /// All keys with this prefix.
    pub fn prefix(prefix: impl Into<Bytes>) -> Keys {
        let key = prefix.into();
        let end = api::key_range::prefix_end(&key);
        Keys { key, end }
    }

    /// Whether a key is one of these keys.
    pub fn contains(&self, key: &[u8]) -> bool {
        if self.end.is_empty() {
            return key == self.key;
        }
        key >= &self.key[..] && (self.end == "\0" || key < &self.end[..])
    }
}

impl Act {
    /// Puts a value.
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Act {
        Act::Request(PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }.into())
    }

    /// Reads a key.
    pub fn get(key: impl Into<Bytes>) -> Act {
        Act::Request(RangeRequest { key: key.into(), ..RangeRequest::default() }.into())
    }

    /// Deletes a key.
    pub fn delete(key: impl Into<Bytes>) -> Act {
        Act::Request(DeleteRangeRequest { key: key.into(), ..DeleteRangeRequest::default() }.into())
    }

    /// Plans the act: not before this time, and not before the previous act has ended.
    pub fn at(self, at: Nanos) -> PlannedOperation {
        PlannedOperation { at, act: self }
    }
}

impl Default for Watch {
    fn default() -> Watch {
        Watch {
            keys: Keys { key: Bytes::new(), end: Bytes::new() },
            from: Start::Now,
            prev_kv: false,
            progress: false,
            no_put: false,
            no_delete: false,
            fragment: false,
            id: 0,
            name: 0,
            stream: 0,
            skip: false,
        }
    }
}

impl Write {
    /// An update of one object, which creates it if it does not exist.
    pub fn update(key: impl Into<Bytes>, value: Bytes) -> Write {
        Write {
            verb: Verb::Update,
            which: Which::Key(key.into()),
            value,
            lease: 0,
            new: Bytes::new(),
            about: 0,
            tries: 1,
        }
    }
}

impl From<Request> for Act {
    fn from(request: Request) -> Act {
        Act::Request(request)
    }
}
