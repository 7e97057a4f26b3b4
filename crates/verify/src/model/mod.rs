//! The sequential model of etcd: what one etcd would answer to one request after another.
//!
//! It has the key-value store with all its versions, transactions, compaction, leases, users with their rights, and
//! alarms. It is written from a description of etcd's answers and tested against the recorded answers of a real one
//! (`tests/conformance.rs`). It shares nothing with the store of `member`.
//!
//! Not modelled: time (neither leases nor tokens expire), quotas, watches, membership, maintenance, the size of
//! requests; and the header fields that name a server: cluster, member and term are always 0.
//!
//! Architecture invariant: deterministic, and knows nothing of histories or oracles.

pub mod alarm;
pub mod auth;
mod check;
mod lease;
mod range;
mod store;
mod ties;
mod txn;

use api::etcdserverpb::*;
use api::mvccpb::KeyValue;
use api::{Error, Request, Response};
use bytes::Bytes;

use alarm::Alarms;
use auth::Auth;
pub use check::{MAX_LEASE_TTL, MAX_TXN_OPS, check};
pub use lease::Leases;
use lease::NO_LEASE;
pub use store::FIRST_REVISION;
use store::{Span, Store};
pub use ties::Ties;
pub use txn::{is_read_only, is_serializable};

/// The shortest time to live of a lease, in seconds: one and a half election timeouts. etcd grants a shorter lease for
/// this long.
pub const MIN_LEASE_TTL: i64 = 2;

/// The state of etcd. The default is an empty store.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Model {
    store: Store,
    leases: Leases,
    auth: Auth,
    alarms: Alarms,
}

impl Model {
    /// An empty store that begins at `revision` instead of [`FIRST_REVISION`].
    pub fn starting_at(revision: i64) -> Model {
        let mut model = Model::default();
        model.store.revision = revision;
        model
    }

    /// Sets whether the answers to ranges that ask for keys only (`keys_only`) leave leases out, as etcd does from 3.7
    /// on. By default they include them. This also decides which of two mistakes of a put in a transaction is reported:
    /// the missing lease if leases are left out, otherwise the missing key.
    pub fn leave_leases_out(&mut self, leaves: bool) {
        self.store.leaves_leases_out = leaves;
    }

    /// Where versions differ ([`auth::versions_differ`]), requires the rights of etcd 3.7 of the caller. By default the
    /// model requires those of 3.4.
    pub fn require_rights_of_3_7(&mut self) {
        self.auth.require_rights_of_3_7();
    }

    /// From now on, remembers every change, so that [`Model::changes`] can return it.
    pub fn keep_changes(&mut self) {
        self.store.keep_changes();
    }

    /// The changes since [`Model::keep_changes`], in the order in which they were made; those of one transaction are
    /// in the order of its operations. Each is the pair after the change, and whether the key was deleted. After a
    /// deletion, the pair has only the key and the revision.
    pub fn changes(&self) -> impl Iterator<Item = (KeyValue, bool)> {
        self.store.changes()
    }

    /// The changes of one revision, as [`Model::changes`] has them.
    pub fn changes_at(&self, revision: i64) -> impl Iterator<Item = (KeyValue, bool)> {
        self.store.changes_at(revision)
    }

    /// The keys and values of [`Model::changes`]; the value is empty for a deletion.
    pub fn changed(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.store.changed()
    }

    /// The revisions of the changes after `revision`, in order. A revision with several changes comes several times.
    pub fn changed_after(&self, revision: i64) -> impl Iterator<Item = i64> {
        self.store.changed_after(revision)
    }

    /// The newest revision.
    pub fn revision(&self) -> i64 {
        self.store.revision
    }

    /// Whether the model knows this call.
    pub fn covers(request: &Request) -> bool {
        matches!(
            request,
            Request::Range(_)
                | Request::Put(_)
                | Request::DeleteRange(_)
                | Request::Txn(_)
                | Request::Compact(_)
                | Request::LeaseGrant(_)
                | Request::LeaseRevoke(_)
                | Request::LeaseKeepAlive(_)
                | Request::LeaseTimeToLive(_)
                | Request::LeaseLeases(_)
                | Request::Alarm(_)
        ) || auth::is_about_auth(request)
    }

    /// Executes and answers a request of a client that is logged in as `user` (`None`: not logged in). The reasons to
    /// refuse it are checked in etcd's order: form, alarms, the rights of the user, the state.
    ///
    /// # Panics
    /// As [`Model::apply`].
    pub fn apply_as(&mut self, user: Option<&str>, request: &Request) -> Result<Response, Error> {
        self.apply_noting_as(user, request, &mut Ties::default())
    }

    /// [`Model::apply_as`], noting in `ties` which parts of the answer have no defined order.
    pub fn apply_noting_as(
        &mut self,
        user: Option<&str>,
        request: &Request,
        ties: &mut Ties,
    ) -> Result<Response, Error> {
        if self.auth.is_enabled() {
            // `apply_noting` checks form and alarms too, but these come before the rights.
            check(request)?;
            self.alarms.check(request)?;
            let keys = |id: Option<i64>| match id {
                Some(id) => self.lease_keys(id),
                None => self.leases.iter().flat_map(|(_, lease)| lease.keys.iter().cloned()).collect(),
            };
            self.auth.permits(user, request, &keys)?;
        }
        self.apply_noting(request, ties)
    }

    /// Executes a request without checking rights, as members do with their own requests, and answers it.
    ///
    /// Headers have only the revision. In sorted ranges, keys that are equal by the sort target come in key order,
    /// where etcd promises no order; [`Model::apply_noting`] reports where.
    ///
    /// # Panics
    /// If the model does not [cover](Model::covers) the call.
    pub fn apply(&mut self, request: &Request) -> Result<Response, Error> {
        self.apply_noting(request, &mut Ties::default())
    }

    /// [`Model::apply`], noting in `ties` which parts of the answer have no defined order.
    #[inline]
    pub fn apply_noting(&mut self, request: &Request, ties: &mut Ties) -> Result<Response, Error> {
        ties.clear();
        check(request)?;
        self.alarms.check(request)?;
        match request {
            Request::Range(request) => self.range(request, ties).map(Response::Range),
            Request::Put(request) => self.put(request).map(Response::Put),
            Request::DeleteRange(request) => Ok(Response::DeleteRange(self.delete_range(request))),
            Request::Txn(request) => self.txn(request, ties).map(Response::Txn),
            Request::Compact(request) => self.compact(request).map(Response::Compact),
            Request::LeaseGrant(request) => self.grant(request).map(Response::LeaseGrant),
            Request::LeaseRevoke(request) => self.revoke(request).map(Response::LeaseRevoke),
            Request::LeaseTimeToLive(request) => Ok(Response::LeaseTimeToLive(self.time_to_live(request))),
            Request::LeaseLeases(_) => Ok(Response::LeaseLeases(self.all_leases())),
            Request::LeaseKeepAlive(request) => Ok(Response::LeaseKeepAlive(self.keep_alive(request))),
            Request::Alarm(request) => Ok(Response::Alarm(self.alarms.apply(request))),
            request if auth::is_about_auth(request) => self.auth.apply(request, self.store.revision),
            other => panic!("the model has no {}: ask Model::covers first", other.rpc_name()),
        }
    }

    /// The error that a request would have got when `at` was the newest revision, as far as keys and the newest
    /// revision decide it. What was compacted and which leases existed then is not checked: that is not kept.
    pub fn refused_at(&self, request: &Request, at: i64) -> Result<(), Error> {
        check(request)?;
        match request {
            Request::Range(request) if request.revision > at => Err(Error::FutureRev),
            Request::Put(put)
                if (put.ignore_value || put.ignore_lease) && !self.store.exists(&put.key, at) =>
            {
                Err(Error::KeyNotFound)
            }
            Request::Txn(request) => txn::decide(&self.store, None, request, at).map(|_| ()),
            Request::Compact(request) if request.revision > at => Err(Error::FutureRev),
            _ => Ok(()),
        }
    }

    /// The key at a revision that is not compacted.
    pub fn get(&self, key: &[u8], at: i64) -> Option<KeyValue> {
        self.store.get(key, at)
    }

    /// The keys from `key` to `range_end`, which mean what they mean in a Range, at a revision that is not compacted.
    pub fn scan(&self, key: &[u8], range_end: &[u8], at: i64) -> impl Iterator<Item = KeyValue> + use<'_> {
        self.store.scan(Span::new(key, range_end), at)
    }

    /// The keys attached to a lease, in order; none if it does not exist.
    pub fn lease_keys(&self, id: i64) -> Vec<Bytes> {
        self.leases.get(id).map(|lease| lease.keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// The time to live of a lease in seconds, as granted; `None` if it does not exist.
    pub fn lease_ttl(&self, id: i64) -> Option<i64> {
        self.leases.get(id).map(|lease| lease.ttl)
    }

    /// The leases as they are now, for [`Model::set_leases`].
    pub fn leases(&self) -> Leases {
        self.leases.clone()
    }

    /// Restores earlier leases, because [`Model::rewind`] does not: call this after it, with the leases of that
    /// revision.
    pub fn set_leases(&mut self, leases: Leases) {
        self.leases = leases;
    }

    /// The users and their rights.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// The leases that have keys.
    pub fn leases_with_keys(&self) -> impl Iterator<Item = i64> {
        self.leases.iter().filter(|(_, lease)| !lease.keys.is_empty()).map(|(id, _)| id)
    }

    /// Every key that exists, the revision of its last change, and its value.
    pub fn newest(&self) -> impl Iterator<Item = (&Bytes, i64, &Bytes)> {
        self.store.newest()
    }

    /// Forgets the past values of keys, so that copies of the model stay small. Nothing may be read at a revision
    /// afterwards.
    pub fn forget_past(&mut self) {
        self.store.forget_past();
    }

    /// Makes `revision` the newest, as if nothing had changed in the revisions up to it.
    pub fn skip_to(&mut self, revision: i64) {
        self.store.revision = revision;
    }

    /// Goes back to an earlier revision, in time that grows with the number of keys. Nothing may have been compacted
    /// since. Grants and revocations of leases since then are not undone, nor are changes of users and alarms.
    pub fn rewind(&mut self, revision: i64) {
        self.store.rewind(revision);
        let keys = self.store.scan(Span::From(b""), revision).filter(|kv| kv.lease != NO_LEASE);
        self.leases.reattach(keys.map(|kv| (kv.key, kv.lease)));
    }

    /// Answers a range.
    fn range(&self, request: &RangeRequest, ties: &mut Ties) -> Result<RangeResponse, Error> {
        let newest = self.store.revision;
        range::check_revision(&self.store, request, newest)?;
        let mut response = range::range(&self.store, request, newest, ties);
        response.header = header(newest);
        Ok(response)
    }

    /// Carries out a put.
    fn put(&mut self, request: &PutRequest) -> Result<PutResponse, Error> {
        if request.lease != NO_LEASE && self.leases.get(request.lease).is_none() {
            return Err(Error::LeaseNotFound);
        }
        if (request.ignore_value || request.ignore_lease)
            && !self.store.exists(&request.key, self.store.revision)
        {
            return Err(Error::KeyNotFound);
        }
        let mut writer = Writer::new(&mut self.store, &mut self.leases);
        let response = writer.put(request);
        writer.finish();
        Ok(response)
    }

    fn delete_range(&mut self, request: &DeleteRangeRequest) -> DeleteRangeResponse {
        let mut writer = Writer::new(&mut self.store, &mut self.leases);
        let response = writer.delete_range(request);
        writer.finish();
        response
    }

    fn txn(&mut self, request: &TxnRequest, ties: &mut Ties) -> Result<TxnResponse, Error> {
        let path = txn::decide(&self.store, Some(&self.leases), request, self.store.revision)?;
        let mut writer = Writer::new(&mut self.store, &mut self.leases);
        let mut response = txn::run(&mut writer, request, &mut path.into_iter(), ties);
        response.header = header(writer.finish());
        Ok(response)
    }

    /// Carries out a compaction.
    fn compact(&mut self, request: &CompactionRequest) -> Result<CompactionResponse, Error> {
        if request.revision <= self.store.compacted {
            return Err(Error::Compacted);
        }
        if request.revision > self.store.revision {
            return Err(Error::FutureRev);
        }
        self.store.compact(request.revision);
        Ok(CompactionResponse { header: header(self.store.revision) })
    }

    /// Grants a lease.
    fn grant(&mut self, request: &LeaseGrantRequest) -> Result<LeaseGrantResponse, Error> {
        let id = if request.id == NO_LEASE { self.leases.free_id() } else { request.id };
        if self.leases.get(id).is_some() {
            return Err(Error::LeaseExists);
        }
        let ttl = request.ttl.max(MIN_LEASE_TTL);
        self.leases.grant(id, ttl);
        Ok(LeaseGrantResponse { header: header(self.store.revision), id, ttl, error: String::new() })
    }

    /// Deletes the keys of the lease in one revision, in key order.
    fn revoke(&mut self, request: &LeaseRevokeRequest) -> Result<LeaseRevokeResponse, Error> {
        let lease = self.leases.revoke(request.id).ok_or(Error::LeaseNotFound)?;
        let mut writer = Writer::new(&mut self.store, &mut self.leases);
        for key in &lease.keys {
            writer.delete(key, request.id);
        }
        Ok(LeaseRevokeResponse { header: header(writer.finish()) })
    }

    /// Answers that all the granted time is left, because the model has no time.
    fn time_to_live(&self, request: &LeaseTimeToLiveRequest) -> LeaseTimeToLiveResponse {
        let mut response = LeaseTimeToLiveResponse {
            header: header(self.store.revision),
            id: request.id,
            ttl: -1,
            ..LeaseTimeToLiveResponse::default()
        };
        if let Some(lease) = self.leases.get(request.id) {
            (response.ttl, response.granted_ttl) = (lease.ttl, lease.ttl);
            if request.keys {
                response.keys = lease.keys.iter().cloned().collect();
            }
        }
        response
    }

    /// A lease that does not exist is not an error, but has no time left.
    fn keep_alive(&self, request: &LeaseKeepAliveRequest) -> LeaseKeepAliveResponse {
        let ttl = self.lease_ttl(request.id).unwrap_or(0);
        LeaseKeepAliveResponse { header: header(self.store.revision), id: request.id, ttl }
    }

    fn all_leases(&self) -> LeaseLeasesResponse {
        let leases = self.leases.iter().map(|(id, _)| LeaseStatus { id }).collect();
        LeaseLeasesResponse { header: header(self.store.revision), leases }
    }
}

fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..ResponseHeader::default() })
}

/// A write in progress: all its changes get the revision after `base`.
struct Writer<'a> {
    store: &'a mut Store,
    leases: &'a mut Leases,
    /// The revision before the write.
    base: i64,
    /// Whether something has changed so far.
    changed: bool,
}

impl<'a> Writer<'a> {
    fn new(store: &'a mut Store, leases: &'a mut Leases) -> Writer<'a> {
        let base = store.revision;
        Writer { store, leases, base, changed: false }
    }

    /// The newest revision as the write itself sees it.
    fn newest(&self) -> i64 {
        self.base + i64::from(self.changed)
    }

    /// Makes the revision, if anything changed, and returns the newest.
    fn finish(self) -> i64 {
        self.store.revision = self.newest();
        self.store.revision
    }

    /// Puts a key. If the key must exist, that has been checked; but an earlier delete of the same transaction can
    /// have removed it, if the delete has no end, because such a delete does not conflict with puts (`check`). etcd
    /// crashes then; here the old value is empty.
    fn put(&mut self, request: &PutRequest) -> PutResponse {
        let key = &request.key;
        let wanted =
            request.ignore_value || request.ignore_lease || request.prev_kv || !self.leases.is_empty();
        let old = if wanted { self.store.get(key, self.newest()) } else { None };
        let old_lease = old.as_ref().map_or(NO_LEASE, |old| old.lease);
        let value = match &old {
            Some(old) if request.ignore_value => old.value.clone(),
            _ => request.value.clone(),
        };
        let lease = if request.ignore_lease { old_lease } else { request.lease };
        self.store.put(key, value, lease, self.base + 1);
        self.leases.attach(key, old_lease, lease);
        self.changed = true;
        PutResponse { header: header(self.base + 1), prev_kv: old.filter(|_| request.prev_kv) }
    }

    fn delete_range(&mut self, request: &DeleteRangeRequest) -> DeleteRangeResponse {
        let span = Span::new(&request.key, &request.range_end);
        let found: Vec<KeyValue> = match span {
            Span::Key(key) => self.store.get(key, self.newest()).into_iter().collect(),
            span => self.store.scan(span, self.newest()).collect(),
        };
        for kv in &found {
            self.delete(&kv.key, kv.lease);
        }
        let deleted = found.len() as i64;
        let prev_kvs = if request.prev_kv { found } else { Vec::new() };
        DeleteRangeResponse { header: header(self.newest()), deleted, prev_kvs }
    }

    /// Deletes a key and detaches it from its lease.
    fn delete(&mut self, key: &bytes::Bytes, lease: i64) {
        self.store.delete(key, self.base + 1);
        self.leases.attach(key, lease, NO_LEASE);
        self.changed = true;
    }
}
