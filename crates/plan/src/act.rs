//! Acts: the steps of a client. Most acts are one request. The others are several requests that depend on what
//! the client saw before, such as "take this lock".
//!
//! A client has a *memory*: revisions that it saw, copies of parts of the store, leases, locks and watchers.
//! Acts fill it and later acts use it. Clients of one program share a memory ([`crate::Client::part_of`]). What
//! an act does depends only on the plan and on the answers that the client received.
//!
//! Not here: how acts are written in files (`operation`), which requests they send (`cluster/src/clients`).

use api::Request;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest};
use bytes::Bytes;
use record::Nanos;

use crate::PlannedOperation;

/// A placeholder for the mod revision in a compare: the mod revision of the compared key as this client last
/// saw it, or 0 if it never did. (Every number below 0 means this.) With it, a plan can contain a
/// compare-and-swap although the revision is not known yet.
pub const SEEN: i64 = -1;

/// A placeholder. As the revision of a range it means the newest revision that this client has seen. As the
/// lease of a put, a keep-alive, a revocation or a time-to-live request it means the lease that this client was
/// granted last, or 0 if there was none.
pub const LAST: i64 = i64::MIN;

/// One step of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// One request. It may contain the placeholders [`SEEN`] and [`LAST`]. A revision of -1, -2, … in a Range
    /// or Compact means one, two, … below the newest revision that this client has seen.
    Request(Request),
    /// One request in which all numbers mean themselves, even negative revisions.
    Literal(Request),
    /// One request with a token that no login has issued, whoever the client is. It has the placeholders of
    /// [`Act::Request`].
    Forged {
        /// The number at the end of the token: the index of the log entry that would have issued it. A member that has
        /// not applied that entry yet lets the request wait for it.
        index: u64,
        /// The request.
        request: Request,
    },
    /// Requests a range in chunks (`RangeStream`).
    Stream {
        /// The range, with the placeholders of [`Act::Request`].
        range: RangeRequest,
        /// Whether all numbers mean themselves, as in [`Act::Literal`].
        literal: bool,
    },
    /// Opens a watcher.
    Watch(Watch),
    /// Lists keys into a copy, and keeps the copy up to date with a watch, as a reflector of Kubernetes does.
    /// If the watch needs revisions that were compacted, it lists again.
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
    /// Lists keys page by page into the copy of these keys. All pages are read at the revision of the first. If
    /// that revision is compacted in between, it starts over.
    List {
        /// The keys to list.
        keys: Keys,
        /// Pairs per page; 0 for all in one.
        page: u32,
        /// Whether each page is a streamed range.
        streamed: bool,
    },
    /// Writes what the copy of these keys contains into the history.
    View {
        /// The copy.
        keys: Keys,
    },
    /// Creates, updates or removes an object as Kubernetes does: a transaction that changes it only if its mod
    /// revision is the one that the client knows, from its copy or from a read just before.
    Write(Write),
    /// Adds a value to a list of values in one key, or outside etcd.
    Add(Add),
    /// Reads lists and appends to lists in one transaction. It first reads the keys that it appends to, and
    /// writes only if their mod revisions are still the same (Jepsen's `append`).
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
    /// Puts a value if the lock or leadership that the client believes it has still exists: the transaction
    /// compares the create revision of its key. Does nothing if the client believes that it has none.
    Fenced {
        /// The lock or the election.
        name: Bytes,
        /// The key to put.
        key: Bytes,
        /// The value.
        value: Bytes,
    },
    /// Renews the client's leases, one after the other: those of the locks and leaderships that it has, and
    /// of its attempts at them.
    Renew,
    /// One round of a Kubernetes compactor. Several compactors try to change one key; the one that succeeds
    /// compacts to the revision of its previous round (`apiserver/pkg/storage/etcd3/compact.go`).
    Compactor {
        /// The key that the compactors try to change.
        key: Bytes,
    },
    /// Does nothing for this long, by the client's clock.
    Rest(Nanos),
}

/// One key, or a range of keys, as in a range request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keys {
    /// The first key.
    pub key: Bytes,
    /// The `range_end`; empty for one key.
    pub end: Bytes,
}

/// Where a watcher starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first change after its creation.
    Now,
    /// At this revision.
    At(i64),
    /// At this distance from the newest revision that the client has seen, but not before revision 1.
    Seen(i64),
    /// After the last revision that a watcher with this name has seen; at the first revision if there was no
    /// such watcher.
    Last,
}

/// A watcher to open.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// The keys to watch.
    pub keys: Keys,
    /// Where to start.
    pub from: Start,
    /// Whether events contain the pair before the change.
    pub prev_kv: bool,
    /// Whether it asks for progress notifications when nothing changes.
    pub progress: bool,
    /// Whether puts are left out.
    pub no_put: bool,
    /// Whether deletions are left out.
    pub no_delete: bool,
    /// Whether large responses may be split.
    pub fragment: bool,
    /// The watcher's id on its stream; 0 lets the server choose.
    pub id: i64,
    /// The client's own name for the watcher, for later acts. If a newer watcher has the same name, the name
    /// means that one.
    pub name: u32,
    /// The stream, by the client's own number. It is opened if it is not open.
    pub stream: u32,
    /// What the client does if revisions that the watcher needs are compacted: true to continue after them,
    /// false to give the watcher up.
    pub skip: bool,
}

/// Keys to keep a copy of.
#[derive(Clone, Debug, PartialEq)]
pub struct Follow {
    /// The keys.
    pub keys: Keys,
    /// Pairs per page of the list; 0 for all in one.
    pub page: u32,
    /// Whether the list is one streamed range. Only if the member does not support that, it has pages.
    pub streamed: bool,
    /// The client's own name for the watcher.
    pub name: u32,
    /// Its stream.
    pub stream: u32,
}

/// The object that a write changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Which {
    /// The object with this key.
    Key(Bytes),
    /// Object number `pick` of the copy of these keys, modulo the number of objects in it.
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
    /// The desired number of objects. If the copy has fewer than half as many, an object is created, and if it
    /// has more than one and a half times as many, one is removed, whatever the verb says
    /// (`tests/robustness/traffic/kubernetes.go` of etcd). 0: the verb always counts. It also does if the
    /// plan names the object by its key.
    pub about: u32,
    /// The maximum number of attempts. Each one after the first uses the revision that the failed transaction
    /// returned.
    pub tries: u32,
}

/// A value to add to a list of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Add {
    /// The key that holds the list.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// The lock to take for it. Without a lock, the value is added by compare-and-swap, which is repeated until
    /// it succeeds, at most ten times in all.
    pub lock: Option<Session>,
    /// How long the client waits between reading the list and writing it.
    pub hold: Nanos,
    /// Under a lock: write only if the lock's key is still there with its create revision.
    pub fenced: bool,
    /// Whether the list is in the memory of the clients instead of etcd. There, no comparison can protect it.
    pub outside: bool,
}

/// A lock or an election, and the lease to take part with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The lock or the election.
    pub name: Bytes,
    /// The id of the lease. It is granted at the start of the act, and revoked when the client releases the
    /// lock or resigns.
    pub lease: i64,
    /// Its time to live in seconds.
    pub ttl: i64,
}

/// One operation of an [`Act::Append`].
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
