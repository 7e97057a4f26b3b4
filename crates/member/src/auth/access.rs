//! Which user may make which request. etcd checks twice, and so do we:
//!
//! - [`AuthStore::admit`], on the member that receives the request, before anything is done (`v3rpc`,
//!   `v3_server.go`): requests that need an administrator, requests that need any user, and requests answered
//!   without the log.
//! - [`AuthStore::permit`], on every member when it applies a request, and on the one that answers a read
//!   when it does so (`apply/auth.go`, `doSerialize`): permissions on keys, and changes of users and roles.
//!   Users and roles may have changed since the request was made, so the auth revision is checked too.
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
//! This follows late 3.6; 3.4 checked less (`MemberList`, `Alarm`, `MoveLeader`, `Compact`, nested
//! transactions, the lease and `prev_kv` of a put in a transaction).

use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
use api::{Error, Request};
use bytes::Bytes;
use record::Probe;

use super::AuthStore;
use super::permissions::Need;

/// The user who makes a request, and the auth revision at which that was determined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthInfo {
    /// The user; empty if there is none.
    pub user: String,
    /// The auth revision at that time; 0 without a user.
    pub revision: u64,
}

/// The keys of a lease (none if it does not exist); for 0, the keys of all leases.
pub type LeaseKeys<'a> = &'a dyn Fn(i64) -> Vec<Bytes>;

impl AuthStore {
    /// Checks a request before anything is done about it. See the table at the top of the file.
    ///
    /// # Errors
    /// `UserEmpty` without a user where one is needed; `UserNotFound` if the user is gone;
    /// `PermissionDenied`; `AuthOldRevision`.
    pub fn admit(&self, who: Option<&AuthInfo>, request: &Request, keys: LeaseKeys<'_>) -> Result<(), Error> {
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
            | Request::MemberPromote(_) => self.noted(self.is_admin(user)),
            Request::Alarm(alarm) if alarm.action != get => self.noted(self.is_admin(user)),
            Request::LeaseTimeToLive(request) if request.keys => {
                who.ok_or(Error::UserEmpty)?;
                self.noted(self.all_keys(user, Need::Read, &keys(request.id)))
            }
            Request::LeaseKeepAlive(request) => {
                who.ok_or(Error::UserEmpty)?;
                self.noted(self.all_keys(user, Need::Write, &keys(request.id)))
            }
            Request::LeaseLeases(_) => {
                who.ok_or(Error::UserEmpty)?;
                self.noted(self.all_keys(user, Need::Read, &keys(0)))
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

    /// Checks a request when it is applied, or when a read is answered. See the table at the top of the file.
    /// No user is [`AuthInfo::default`].
    ///
    /// # Errors
    /// `UserEmpty`, `UserNotFound`, `PermissionDenied`, `AuthOldRevision`.
    pub fn permit(&self, who: &AuthInfo, request: &Request, keys: LeaseKeys<'_>) -> Result<(), Error> {
        if !self.is_enabled() {
            return Ok(());
        }
        let result = match request {
            Request::Range(request) => self.keys(who, Need::Read, &request.key, &request.range_end),
            Request::Put(request) => self.put(who, request, keys),
            Request::DeleteRange(request) => self.delete(who, request),
            Request::Txn(request) => self.txn(who, request, keys),
            Request::LeaseRevoke(request) => self.all_keys(who, Need::Write, &keys(request.id)),
            Request::UserGet(request) if request.name == who.user => Ok(()),
            Request::RoleGet(request) if self.has_role(&who.user, &request.role) => Ok(()),
            Request::AuthStatus(_) => Ok(()),
            request if self.covers(request) => self.is_admin(who),
            _ => Ok(()),
        };
        self.noted(result)
    }

    /// Checks a range that a client wants to watch. An empty key is the first key; no user is
    /// [`AuthInfo::default`].
    ///
    /// # Errors
    /// As [`AuthStore::permit`]; etcd cancels the watcher with the error's text.
    pub fn permit_range(&self, who: &AuthInfo, key: &[u8], range_end: &[u8]) -> Result<(), Error> {
        let key = if key.is_empty() { &[0][..] } else { key };
        if self.is_enabled() { self.noted(self.keys(who, Need::Read, key, range_end)) } else { Ok(()) }
    }

    /// Whether users and roles are unchanged since a revision; call this after a read was done for a user
    /// (`doSerialize`). Always true for 0, which stands for no user.
    pub fn is_current(&self, revision: u64) -> bool {
        revision == 0 || revision == self.revision()
    }

    /// Counts denials as probes.
    fn noted(&self, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Err(Error::PermissionDenied) => self.probes.reached(Probe::PermissionDenied),
            Err(Error::AuthOldRevision) => self.probes.reached(Probe::AuthOldRevision),
            _ => {}
        }
        result
    }

    fn put(&self, who: &AuthInfo, request: &PutRequest, keys: LeaseKeys<'_>) -> Result<(), Error> {
        self.keys(who, Need::Write, &request.key, &[])?;
        // A user who may attach a key to a lease can cause the lease's other keys to be deleted with it.
        self.all_keys(who, Need::Write, &lease_keys(request.lease, keys))?;
        if request.prev_kv { self.keys(who, Need::Read, &request.key, &[]) } else { Ok(()) }
    }

    fn delete(&self, who: &AuthInfo, request: &DeleteRangeRequest) -> Result<(), Error> {
        self.keys(who, Need::Write, &request.key, &request.range_end)?;
        if request.prev_kv { self.keys(who, Need::Read, &request.key, &request.range_end) } else { Ok(()) }
    }

    fn txn(&self, who: &AuthInfo, txn: &TxnRequest, keys: LeaseKeys<'_>) -> Result<(), Error> {
        for compare in &txn.compare {
            self.keys(who, Need::Read, &compare.key, &compare.range_end)?;
        }
        let op = |op: &RequestOp| match &op.request {
            Some(Op::RequestRange(request)) => self.keys(who, Need::Read, &request.key, &request.range_end),
            Some(Op::RequestPut(request)) => self.put(who, request, keys),
            Some(Op::RequestDeleteRange(request)) => self.delete(who, request),
            Some(Op::RequestTxn(request)) => self.txn(who, request, keys),
            None => Ok(()),
        };
        txn.success.iter().chain(&txn.failure).try_for_each(op)
    }

    /// `isOpPermitted`.
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

    /// Permission on each of `keys`, or root.
    fn all_keys(&self, who: &AuthInfo, need: Need, keys: &[Bytes]) -> Result<(), Error> {
        if self.is_admin(who).is_ok() {
            return Ok(());
        }
        keys.iter().try_for_each(|key| self.keys(who, need, key, &[]))
    }

    /// `IsAdminPermitted`: does not check the revision.
    fn is_admin(&self, who: &AuthInfo) -> Result<(), Error> {
        if who.user.is_empty() {
            return Err(Error::UserEmpty);
        }
        let user = self.state.users.get(&who.user).ok_or(Error::UserNotFound)?;
        if user.is_root() { Ok(()) } else { Err(Error::PermissionDenied) }
    }

    fn has_role(&self, user: &str, role: &str) -> bool {
        self.state.users.get(user).is_some_and(|user| user.roles.contains(role))
    }
}

/// The keys of the lease that a put attaches to, if any.
fn lease_keys(lease: i64, keys: LeaseKeys<'_>) -> Vec<Bytes> {
    if lease == 0 { Vec::new() } else { keys(lease) }
}
