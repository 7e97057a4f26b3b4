//! Checks which user may make which request. There are two checks, as in etcd:
//!
//! - [`AuthStore::admit`] is made by the member that receives a request, before it does anything (`v3rpc`,
//!   `v3_server.go`). It is for requests that need an administrator or just any user, and for requests that
//!   are answered without the log.
//! - [`AuthStore::permit`] is made by every member when it applies a request, and by the member that answers
//!   a read (`apply/auth.go`, `doSerialize`). It is for permissions on keys, and for changes of users and
//!   roles. These may have changed since the request arrived, so this check also compares the auth revision.
//!
//! The table says who passes each check; *root* is a user with the role `root`. An empty cell means that the
//! check lets everybody pass.
//!
//! | | `admit` | `permit` |
//! |---|---|---|
//! | range, put, delete, txn | | keys |
//! | changes of users and roles, their lists | | root |
//! | `UserGet`, `RoleGet` | | root, or the user's own |
//! | `AuthStatus`, `Authenticate` | | |
//! | `LeaseGrant`, `MemberList`, `Status`, `Alarm` (get) | any user | |
//! | `LeaseRevoke` | any user | WRITE on the lease's keys, or root |
//! | `LeaseTimeToLive` | any user; with keys: READ on them, or root | |
//! | `LeaseLeases` | READ on the keys of all leases, or root | |
//! | `LeaseKeepAlive` | WRITE on the lease's keys, or root | |
//! | `Compact`, `Alarm` (others), `Defragment`, `Hash`, `HashKV`, `MoveLeader`, `Downgrade`, members | root | |
//! | locks and elections | | what their own requests need |
//!
//! These are the checks of late etcd 3.6. etcd 3.4 did not check `MemberList`, `Alarm`, `MoveLeader`,
//! `Compact`, nested transactions, or the lease and `prev_kv` of a put in a transaction.

use std::sync::Arc;

use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
use api::{Error, Request};
use bytes::Bytes;
use record::Probe;

use super::AuthStore;
use super::permissions::Need;
use crate::flaw::Flaw;

/// How a client shows who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A token that a login has issued.
    Token(Bytes),
    /// The common name in a certificate that the driver has checked: the name of the user.
    Certificate(Arc<str>),
}

/// The user who makes a request, and the auth revision at which the user's token was looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthInfo {
    /// The user; empty if there is none.
    pub user: String,
    /// The auth revision at that time; 0 without a user.
    pub revision: u64,
}

/// Returns the keys attached to a lease, none if there is no such lease. For 0, it returns those of all
/// leases.
pub type LeaseKeys<'a> = &'a dyn Fn(i64) -> Vec<Bytes>;

impl AuthStore {
    /// The first check, by the member that receives the request. See the table at the top of the file.
    ///
    /// # Errors
    /// `UserEmpty` without a user where one is needed; `UserNotFound` if the user is gone;
    /// `PermissionDenied`; `AuthOldRevision`.
    pub fn admit(
        &self,
        who: Option<&AuthInfo>,
        request: &Request,
        keys_of: LeaseKeys<'_>,
    ) -> Result<(), Error> {
        if !self.is_enabled() {
            return Ok(());
        }
        let nobody = AuthInfo::default();
        let user = who.unwrap_or(&nobody);
        let get = AlarmAction::Get as i32;
        match request {
            Request::Compact(_)
            | Request::Defragment(_)
            | Request::Hash(_)
            | Request::HashKv(_)
            | Request::MoveLeader(_)
            | Request::Downgrade(_)
            | Request::MemberAdd(_)
            | Request::MemberRemove(_)
            | Request::MemberUpdate(_)
            | Request::MemberPromote(_) => self.count_denial(self.is_admin(user)),
            Request::Alarm(alarm) if alarm.action != get => self.count_denial(self.is_admin(user)),
            Request::LeaseTimeToLive(request) if request.keys => {
                who.ok_or(Error::UserEmpty)?;
                self.count_denial(self.all_keys(user, Need::Read, &keys_of(request.id)))
            }
            Request::LeaseKeepAlive(request) => {
                who.ok_or(Error::UserEmpty)?;
                self.count_denial(self.all_keys(user, Need::Write, &keys_of(request.id)))
            }
            Request::LeaseLeases(_) => {
                who.ok_or(Error::UserEmpty)?;
                self.count_denial(self.all_keys(user, Need::Read, &keys_of(0)))
            }
            Request::LeaseGrant(_)
            | Request::LeaseRevoke(_)
            | Request::LeaseTimeToLive(_)
            | Request::MemberList(_)
            | Request::Status(_)
            | Request::Alarm(_) => who.map(|_| ()).ok_or(Error::UserEmpty),
            _ => Ok(()),
        }
    }

    /// The second check, when a request is applied or a read is answered. See the table at the top of the
    /// file. Pass [`AuthInfo::default`] for a request without a user.
    ///
    /// # Errors
    /// `UserEmpty`, `UserNotFound`, `PermissionDenied`, `AuthOldRevision`.
    pub fn permit(&self, who: &AuthInfo, request: &Request, keys_of: LeaseKeys<'_>) -> Result<(), Error> {
        if !self.is_enabled() {
            return Ok(());
        }
        let result = match request {
            Request::Range(request) => self.keys(who, Need::Read, &request.key, &request.range_end),
            Request::Put(request) => self.put(who, request, keys_of),
            Request::DeleteRange(request) => self.delete(who, request),
            Request::Txn(request) => self.txn(who, request, keys_of),
            Request::LeaseRevoke(request) => self.all_keys(who, Need::Write, &keys_of(request.id)),
            Request::UserGet(request) if request.name == who.user => Ok(()),
            Request::RoleGet(request) if self.has_role(&who.user, &request.role) => Ok(()),
            Request::AuthStatus(_) => Ok(()),
            request if self.covers(request) => self.is_admin(who),
            _ => Ok(()),
        };
        self.count_denial(result)
    }

    /// Checks whether a user may watch a range. An empty key stands for the smallest key. Pass
    /// [`AuthInfo::default`] for a request without a user.
    ///
    /// # Errors
    /// Those of [`AuthStore::permit`]. etcd refuses the watcher with the text of the error.
    pub fn permit_range(&self, who: &AuthInfo, key: &[u8], range_end: &[u8]) -> Result<(), Error> {
        let key = if key.is_empty() { &[0][..] } else { key };
        // Flaw M-xg4h: a user who may read a key may watch all keys from that key on.
        let from_key = range_end == [0] && self.flaws.has(Flaw::WatchFromKeyUnchecked);
        let range_end = if from_key { &[][..] } else { range_end };
        if self.is_enabled() { self.count_denial(self.keys(who, Need::Read, key, range_end)) } else { Ok(()) }
    }

    /// Whether users and roles are unchanged since an auth revision. Call this after a read was done for a
    /// user (`doSerialize`). Always true for 0, which means that there is no user.
    pub fn is_current(&self, revision: u64) -> bool {
        revision == 0 || revision == self.revision()
    }

    /// Records a probe if the result is a denial, and returns the result.
    fn count_denial(&self, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Err(Error::PermissionDenied) => self.probes.reached(Probe::PermissionDenied),
            Err(Error::AuthOldRevision) => self.probes.reached(Probe::AuthOldRevision),
            _ => {}
        }
        result
    }

    /// Whether the user may execute this put.
    fn put(&self, who: &AuthInfo, request: &PutRequest, keys_of: LeaseKeys<'_>) -> Result<(), Error> {
        self.keys(who, Need::Write, &request.key, &[])?;
        // A user who attaches a key to a lease may let the lease expire, which deletes its other keys, too.
        self.all_keys(who, Need::Write, &lease_keys(request.lease, keys_of))?;
        if request.prev_kv { self.keys(who, Need::Read, &request.key, &[]) } else { Ok(()) }
    }

    /// Whether the user may execute this deletion.
    fn delete(&self, who: &AuthInfo, request: &DeleteRangeRequest) -> Result<(), Error> {
        self.keys(who, Need::Write, &request.key, &request.range_end)?;
        if request.prev_kv { self.keys(who, Need::Read, &request.key, &request.range_end) } else { Ok(()) }
    }

    /// Whether the user may execute all branches of this transaction.
    fn txn(&self, who: &AuthInfo, txn: &TxnRequest, keys_of: LeaseKeys<'_>) -> Result<(), Error> {
        for compare in &txn.compare {
            self.keys(who, Need::Read, &compare.key, &compare.range_end)?;
        }
        let op = |op: &RequestOp| match &op.request {
            Some(Op::RequestRange(request)) => self.keys(who, Need::Read, &request.key, &request.range_end),
            // Flaw M-21681: for a put in a transaction, only the key is checked.
            Some(Op::RequestPut(request)) if self.flaws.has(Flaw::TxnPutHalfChecked) => {
                self.keys(who, Need::Write, &request.key, &[])
            }
            Some(Op::RequestPut(request)) => self.put(who, request, keys_of),
            Some(Op::RequestDeleteRange(request)) => self.delete(who, request),
            Some(Op::RequestTxn(_)) if self.flaws.has(Flaw::NestedTxnUnchecked) => Ok(()), // flaw M-rfx7
            Some(Op::RequestTxn(request)) => self.txn(who, request, keys_of),
            None => Ok(()),
        };
        txn.success.iter().chain(&txn.failure).try_for_each(op)
    }

    /// Whether the user has the permission for all keys of a range (etcd's `isOpPermitted`).
    fn keys(&self, who: &AuthInfo, need: Need, key: &[u8], range_end: &[u8]) -> Result<(), Error> {
        if who.revision == 0 {
            return Err(Error::UserEmpty);
        }
        if who.revision < self.revision() {
            return Err(Error::AuthOldRevision);
        }
        let user = self.state.users.get(&who.user).ok_or(Error::PermissionDenied)?;
        let cached = self.cache.get(&who.user);
        if user.is_root() || cached.is_some_and(|mine| mine.allow(need, key, range_end)) {
            return Ok(());
        }
        Err(Error::PermissionDenied)
    }

    /// Whether the user has the permission for each of `keys`, or is root.
    fn all_keys(&self, who: &AuthInfo, need: Need, keys: &[Bytes]) -> Result<(), Error> {
        if self.is_admin(who).is_ok() {
            return Ok(());
        }
        keys.iter().try_for_each(|key| self.keys(who, need, key, &[]))
    }

    /// Whether the user is root (etcd's `IsAdminPermitted`). Does not compare the auth revision.
    fn is_admin(&self, who: &AuthInfo) -> Result<(), Error> {
        if who.user.is_empty() {
            return Err(Error::UserEmpty);
        }
        let user = self.state.users.get(&who.user).ok_or(Error::UserNotFound)?;
        if user.is_root() { Ok(()) } else { Err(Error::PermissionDenied) }
    }

    /// Whether the user exists and has this role.
    fn has_role(&self, user: &str, role: &str) -> bool {
        self.state.users.get(user).is_some_and(|user| user.roles.contains(role))
    }
}

/// The keys of the lease to which a put attaches its key; none if the put has no lease.
fn lease_keys(lease: i64, keys_of: LeaseKeys<'_>) -> Vec<Bytes> {
    if lease == 0 { Vec::new() } else { keys_of(lease) }
}
