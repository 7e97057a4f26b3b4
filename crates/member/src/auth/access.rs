//! Who may ask for what. etcd looks twice, and so do we:
//!
//! - [`AuthStore::admit`], by the member that is asked, before it does anything (`v3rpc`, `v3_server.go`):
//!   what only an administrator may ask, what needs a user but no more, and what is answered without the
//!   log.
//! - [`AuthStore::permit`], by every member when it applies a request, and by the one that answers a read
//!   once it may (`apply/auth.go`, `doSerialize`): permissions by keys, and who changes users and roles.
//!   Users and roles may have changed since the request was made, so that its revision is looked at, too.
//!
//! | | `admit` | `permit` |
//! |---|---|---|
//! | range, put, delete, txn | | keys |
//! | changes of users and roles, their lists | | root |
//! | `UserGet`, `RoleGet` | | root, or one's own |
//! | `AuthStatus`, `Authenticate` | | |
//! | `LeaseGrant`, `MemberList`, `Status`, `Alarm` (get) | a user | |
//! | `LeaseRevoke` | a user | WRITE on the lease's keys, or root |
//! | `LeaseTimeToLive` | a user; with keys: READ on them, or root | |
//! | `LeaseLeases` | READ on the keys of all leases, or root | |
//! | `LeaseKeepAlive` | WRITE on the lease's keys, or root | |
//! | `Compact`, `Alarm` (others), `Defragment`, `Hash`, `HashKV`, `MoveLeader`, `Downgrade`, members | root | |
//! | locks and elections | | what their own requests need |
//!
//! This is how late 3.6 has it; 3.4 let more through (`MemberList`, `Alarm`, `MoveLeader`, `Compact`,
//! nested transactions, the lease and `prev_kv` of a put in a transaction).

use api::etcdserverpb::alarm_request::AlarmAction;
use api::etcdserverpb::request_op::Request as Op;
use api::etcdserverpb::{DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
use api::{Error, Request};
use bytes::Bytes;
use record::Probe;

use super::AuthStore;
use super::permissions::Need;

/// On whose behalf a request is made, and when that was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthInfo {
    /// The user; empty for nobody.
    pub user: String,
    /// The revision of users and roles at that time; 0 for nobody.
    pub revision: u64,
}

/// The keys of a lease, none for one that does not exist; for 0, the keys of all leases.
pub type LeaseKeys<'a> = &'a dyn Fn(i64) -> Vec<Bytes>;

impl AuthStore {
    /// Looks at a request before anything is done about it. See the table at the head of the file.
    ///
    /// # Errors
    /// `UserEmpty` without a user where one is needed; `UserNotFound` for one that is gone;
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
            | Request::MemberPromote(_) => self.told(self.is_admin(user)),
            Request::Alarm(alarm) if alarm.action != get => self.told(self.is_admin(user)),
            Request::LeaseTimeToLive(request) if request.keys => {
                who.ok_or(Error::UserEmpty)?;
                self.told(self.all_keys(user, Need::Read, &keys(request.id)))
            }
            Request::LeaseKeepAlive(request) => {
                who.ok_or(Error::UserEmpty)?;
                self.told(self.all_keys(user, Need::Write, &keys(request.id)))
            }
            Request::LeaseLeases(_) => {
                who.ok_or(Error::UserEmpty)?;
                self.told(self.all_keys(user, Need::Read, &keys(0)))
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

    /// Looks at a request when it is applied, or when a read is answered. See the table at the head of
    /// the file. Nobody is [`AuthInfo::default`].
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
        self.told(result)
    }

    /// Looks at a range that is to be watched. An empty key is the first one, nobody is
    /// [`AuthInfo::default`].
    ///
    /// # Errors
    /// As [`AuthStore::permit`]; etcd cancels the watcher with the error's text.
    pub fn permit_range(&self, who: &AuthInfo, key: &[u8], range_end: &[u8]) -> Result<(), Error> {
        let key = if key.is_empty() { &[0][..] } else { key };
        if self.is_enabled() { self.told(self.keys(who, Need::Read, key, range_end)) } else { Ok(()) }
    }

    /// Whether users and roles are still as they were at a revision; to be asked once a read was done on
    /// behalf of a user (`doSerialize`). 0 is nobody's and always is.
    pub fn is_current(&self, revision: u64) -> bool {
        revision == 0 || revision == self.revision()
    }

    /// Notes what is worth it.
    fn told(&self, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Err(Error::PermissionDenied) => self.probes.reached(Probe::PermissionDenied),
            Err(Error::AuthOldRevision) => self.probes.reached(Probe::AuthOldRevision),
            _ => {}
        }
        result
    }

    fn put(&self, who: &AuthInfo, request: &PutRequest, keys: LeaseKeys<'_>) -> Result<(), Error> {
        self.keys(who, Need::Write, &request.key, &[])?;
        // Whoever may attach a key to a lease may make the lease's other keys go with it.
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

    /// Each of `keys`, or root.
    fn all_keys(&self, who: &AuthInfo, need: Need, keys: &[Bytes]) -> Result<(), Error> {
        if self.is_admin(who).is_ok() {
            return Ok(());
        }
        keys.iter().try_for_each(|key| self.keys(who, need, key, &[]))
    }

    /// `IsAdminPermitted`: the revision is not looked at.
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

/// The keys of the lease of a put, if it has one.
fn lease_keys(lease: i64, keys: LeaseKeys<'_>) -> Vec<Bytes> {
    if lease == 0 { Vec::new() } else { keys(lease) }
}
