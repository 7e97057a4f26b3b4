//! A write transaction of the store. All its changes have the same main revision.

use std::ops::Deref;

use api::Error;
use api::mvccpb::KeyValue;
use bytes::Bytes;

use super::index::Modification;
use super::key_range::KeyRange;
use super::lease::Terms;
use super::revision::Revision;
use super::{Store, row};

/// A write transaction. Its first change makes a new main revision, which all its changes share. Without any
/// change, there is no new revision. Reads through it see the changes made so far.
///
/// There is no rollback: the caller must check beforehand that all changes can be made.
#[derive(Debug)]
pub struct Write<'a> {
    store: &'a mut Store,
    /// The revision of the next change.
    next: Revision,
}

impl Deref for Write<'_> {
    type Target = Store;

    fn deref(&self) -> &Store {
        self.store
    }
}

impl Store {
    /// Begins a write transaction.
    pub fn write(&mut self) -> Write<'_> {
        let next = Revision::first_of(self.revision + 1);
        Write { store: self, next }
    }

    /// Grants lease `id`, with a TTL in seconds, whose limits the caller enforces. Makes no revision.
    ///
    /// # Errors
    /// `LeaseExists`.
    pub fn grant(&mut self, id: i64, ttl: i64) -> Result<(), Error> {
        if self.leases.get(id).is_some() {
            return Err(Error::LeaseExists);
        }
        self.leases.insert(id, Terms { ttl, remaining: 0 });
        self.unsaved.leases.insert(id);
        Ok(())
    }

    /// Records that `remaining` seconds are left of lease `id`; 0 removes an earlier record, because the
    /// lease was renewed. Makes no revision. Does nothing if there is no such lease, since it may have been
    /// revoked while the checkpoint was in the log.
    pub fn checkpoint(&mut self, id: i64, remaining: i64) {
        if self.leases.checkpoint(id, remaining) {
            self.unsaved.leases.insert(id);
        }
    }
}

impl Write<'_> {
    /// Puts a pair and attaches the key to `lease`, which must exist. With 0, the key has no lease.
    pub fn put(&mut self, key: &Bytes, value: Bytes, lease: i64) {
        let at = self.advance();
        let store = &mut *self.store;
        let index = store.index.entry(key);
        let before = index.last();
        let (create_revision, version, old_lease) = match index.current().and_then(|at| store.rows.get(at)) {
            Some(before) => (before.create_revision, before.version, before.lease),
            None => (at.main, 0, 0),
        };
        store.leases.attach(key, old_lease, lease);
        let row = KeyValue {
            key: key.clone(),
            create_revision,
            mod_revision: at.main,
            version: version + 1,
            value,
            lease,
        };
        let digest = row::digest(at, &row);
        index.push(Modification { at, tombstone: false, digest });
        store.unsaved.add(at, &row);
        store.add_row(at, row, digest, before);
    }

    /// Deletes the keys of a range, in key order, and returns how many there were.
    pub fn delete(&mut self, range: KeyRange<'_>) -> i64 {
        let puts: Vec<Revision> = self.store.live(range, self.store.revision).collect();
        for put in &puts {
            self.delete_key(*put);
        }
        puts.len() as i64
    }

    /// Removes lease `id` and deletes its keys, in key order.
    ///
    /// # Errors
    /// `LeaseNotFound`.
    pub fn revoke(&mut self, id: i64) -> Result<(), Error> {
        let lease = self.store.leases.remove(id).ok_or(Error::LeaseNotFound)?;
        self.store.unsaved.leases.insert(id);
        for key in lease.keys() {
            self.delete(KeyRange::Single(key));
        }
        Ok(())
    }

    /// Writes a tombstone for the key whose current pair was put at `put`.
    fn delete_key(&mut self, put: Revision) {
        let at = self.advance();
        let store = &mut *self.store;
        let KeyValue { key, lease, .. } = store.row(put);
        let (key, lease) = (key.clone(), *lease);
        let row = KeyValue { key: key.clone(), mod_revision: at.main, ..KeyValue::default() };
        let digest = row::digest(at, &row);
        let index = store.index.get_mut(&key).expect("the index refers to a row of this key");
        let before = index.last();
        index.push(Modification { at, tombstone: true, digest });
        store.leases.attach(&key, lease, 0);
        store.unsaved.add(at, &row);
        store.add_row(at, row, digest, before);
    }

    /// Begins the next change: returns its revision.
    fn advance(&mut self) -> Revision {
        let at = self.next;
        self.next.sub += 1;
        self.store.revision = at.main;
        at
    }
}
