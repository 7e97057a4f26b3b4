//! The replicated state of one member: keys and leases, the membership with its alarms, users and roles. It
//! changes only when an entry of the log is applied, or when a snapshot replaces it.
//!
//! The permission of a request is checked here even if it was checked when the request arrived, because users
//! and roles may have changed since (etcd's `apply_auth.go`). All members must come to the same result, so
//! applying depends only on the entry and on this state.

use api::etcdserverpb::{Member as Listed, MemberListResponse, ResponseHeader};
use api::{Error, Request, Response};
use bytes::Bytes;
use raft::eraftpb::ConfState;
use record::inner::{AppliedEntry, Loaded, State};
use record::{Inner, MemberId};
use xxhash_rust::xxh3::xxh3_64;

use crate::apply;
use crate::auth::{AuthInfo, AuthStore};
use crate::cluster::{Change, Cluster};
use crate::config::{Config, EtcdVersion};
use crate::envelope::Command;
use crate::failpoint::Failpoint;
use crate::flaw::Flaws;
use crate::image::{self, Image, Parts};
use crate::mvcc::{Compaction, Store};
use crate::out::Out;

/// The replicated state.
pub(crate) struct Replica {
    pub(crate) store: Store,
    pub(crate) cluster: Cluster,
    pub(crate) auth: AuthStore,
    /// Index and term of the last applied entry.
    applied: (u64, u64),
    /// The ids of the cluster and of this member, for response headers.
    ids: (u64, u64),
    flaws: Flaws,
    version: EtcdVersion,
}

/// The outcome of an applied entry.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// The answer to the client, without the header's cluster, member and term.
    pub(crate) result: Result<Response, Error>,
    /// Whether the entry made a revision.
    pub(crate) mutated: bool,
    /// What happened to a lease.
    pub(crate) news: Option<LeaseNews>,
    /// Whether this member finds that the request needed more space than there is.
    pub(crate) lacks_space: bool,
}

/// What an entry did to a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseNews {
    /// It was granted, for `ttl` seconds.
    Granted { id: i64, ttl: i64 },
    /// It was to be revoked, whether or not the lease existed.
    Revoked(i64),
}

impl From<Result<Response, Error>> for Outcome {
    fn from(result: Result<Response, Error>) -> Outcome {
        Outcome { result, mutated: false, news: None, lacks_space: false }
    }
}

impl Replica {
    /// This state, which holds the effects of all entries up to `applied`, an index and its term.
    pub(crate) fn new(
        config: &Config,
        mut store: Store,
        cluster: Cluster,
        auth: AuthStore,
        applied: (u64, u64),
    ) -> Replica {
        let ids = (config.cluster_id, config.id.raft_id());
        let version = config.settings.etcd_version;
        store.set_version(version);
        Replica { store, cluster, auth, applied, ids, flaws: config.flaws, version }
    }

    /// The index of the last applied entry.
    pub(crate) fn applied(&self) -> u64 {
        self.applied.0
    }

    /// The term of the last applied entry.
    pub(crate) fn term(&self) -> u64 {
        self.applied.1
    }

    // ---- applying entries -------------------------------------------------------------------------

    /// The entry at this index is applied next.
    pub(crate) fn advance(&mut self, index: u64, term: u64) {
        let (before, _) = std::mem::replace(&mut self.applied, (index, term));
        assert_eq!(
            index,
            before + 1,
            "entry {index} follows applied entry {before}: raft skipped or repeated one"
        );
    }

    /// Executes the command of the current entry, which `who` requested. `mine` says whether its client still
    /// waits at this member; `room`, whether this member has the space that a request needs.
    pub(crate) fn apply(
        &mut self,
        command: &Command,
        who: Option<&AuthInfo>,
        mine: bool,
        room: bool,
        out: &mut Out<'_>,
    ) -> Outcome {
        match command {
            Command::Request(request) => match self.refuses(request, who) {
                Some(error) => Err(error).into(),
                None => self.execute(request, mine, room, out),
            },
            // No client sees the result of a command that none requested; so it does not matter which error
            // this is.
            Command::Checkpoint(request) => {
                apply::checkpoint(&mut self.store, request);
                Err(Error::NotCapable).into()
            }
            Command::Attributes(request) => {
                if let Some(attributes) = &request.member_attributes {
                    let id = MemberId::from_raft(request.member_id);
                    self.cluster.apply_attributes(id, &attributes.name, &attributes.client_urls);
                }
                Err(Error::NotCapable).into()
            }
            Command::Downgrade(request) => Ok(self.downgraded(request)).into(),
            Command::Version(request) => {
                self.cluster.set_version(&request.ver);
                Err(Error::NotCapable).into()
            }
            Command::Authenticate(request) => {
                let result = self.auth.authenticated(request, self.applied.0, out.now.clock);
                self.headed(result.map(Response::Authenticate)).into()
            }
        }
    }

    /// Executes a request that is not refused.
    fn execute(&mut self, request: &Request, mine: bool, room: bool, out: &mut Out<'_>) -> Outcome {
        if let Request::Alarm(request) = request {
            let mut answer = self.cluster.alarm(request);
            answer.header = self.header().filter(|_| self.version >= EtcdVersion::V3_5);
            return Ok(answer.into()).into();
        }
        if self.auth.covers(request) {
            let result = self.auth.apply(request);
            return self.headed(result).into();
        }
        if let Request::Compact(_) = request {
            out.pass(Failpoint::CompactBeforeCommitScheduledCompact);
        }
        let apply::Applied { mut result, mutated } = apply::apply_as(&mut self.store, request, mine);
        let news = match (request, &result) {
            (Request::LeaseGrant(_), Ok(Response::LeaseGrant(granted))) => {
                Some(LeaseNews::Granted { id: granted.id, ttl: granted.ttl })
            }
            (Request::LeaseRevoke(request), _) => Some(LeaseNews::Revoked(request.id)),
            (Request::Compact(_), _) => {
                out.pass(Failpoint::CompactAfterCommitScheduledCompact);
                None
            }
            _ => None,
        };
        let lacks_space = !room && result.is_ok() && mine;
        if lacks_space {
            // As in etcd, the request takes effect, but its answer is an error (`apply.go`,
            // `quotaApplierV3`).
            result = Err(Error::NoSpace);
        }
        Outcome { result, mutated, news, lacks_space }
    }

    /// Applies a committed change of the membership, if it is still valid, and returns the members after it.
    pub(crate) fn change(&mut self, change: &Change) -> Result<Vec<Listed>, Error> {
        self.cluster.apply_change(self.applied.0, change)
    }

    /// Replaces everything by the state of a leader's snapshot, which has this index and term. Returns the old store.
    pub(crate) fn replace(&mut self, image: Image, applied: (u64, u64)) -> Store {
        let old = std::mem::replace(&mut self.store, image.store);
        self.cluster = image.cluster;
        self.auth.replace(image.auth);
        self.store.set_flaws(self.flaws);
        self.store.set_version(self.version);
        self.applied = applied;
        old
    }

    // ---- permissions ------------------------------------------------------------------------------

    /// The error with which a committed request is refused: by an alarm, or because its user may not make it.
    fn refuses(&self, request: &Request, who: Option<&AuthInfo>) -> Option<Error> {
        self.cluster.refuses(request, self.flaws).or_else(|| match (who, request) {
            // The revocation of an expired lease has no user.
            (None, Request::LeaseRevoke(_)) => None,
            (who, request) => self.permit(who.unwrap_or(&AuthInfo::default()), request).err(),
        })
    }

    /// The first check of a request's permission, when it arrives.
    pub(crate) fn admit(&self, who: Option<&AuthInfo>, request: &Request) -> Result<(), Error> {
        self.auth.admit(who, request, &|id| self.keys_of(id))
    }

    /// The second check of a request's permission, when it is executed.
    pub(crate) fn permit(&self, who: &AuthInfo, request: &Request) -> Result<(), Error> {
        self.auth.permit(who, request, &|id| self.keys_of(id))
    }

    /// The keys attached to a lease; for 0, those of all leases.
    fn keys_of(&self, lease: i64) -> Vec<Bytes> {
        let of = |(_, lease): (i64, &crate::mvcc::Lease)| lease.keys().cloned().collect::<Vec<_>>();
        match lease {
            0 => self.store.leases().flat_map(of).collect(),
            id => self.store.lease(id).map(|lease| of((id, lease))).unwrap_or_default(),
        }
    }

    // ---- what it shows ----------------------------------------------------------------------------

    /// Executes a read.
    pub(crate) fn read(&mut self, request: &Request) -> Result<Response, Error> {
        let applied = apply::apply(&mut self.store, request);
        debug_assert!(!applied.mutated, "a read changed the store: {request:?}");
        applied.result
    }

    /// Fills in the cluster, the member and the term of a response header.
    pub(crate) fn stamp(&self, header: &mut ResponseHeader) {
        (header.cluster_id, header.member_id) = self.ids;
        header.raft_term = self.applied.1;
    }

    /// The same for the header of a result, if it has one.
    pub(crate) fn stamped(&self, mut result: Result<Response, Error>) -> Result<Response, Error> {
        if let Ok(response) = &mut result
            && let Some(header) = response.header_mut()
        {
            self.stamp(header);
        }
        result
    }

    /// A result from a part that does not know the store, with the store's revision in its header.
    fn headed(&self, mut result: Result<Response, Error>) -> Result<Response, Error> {
        if let Ok(response) = &mut result {
            *response.header_mut() = self.header();
        }
        result
    }

    /// A response header with the store's revision.
    pub(crate) fn header(&self) -> Option<ResponseHeader> {
        apply::header(&self.store)
    }

    /// The members as this one knows them.
    pub(crate) fn member_list(&self) -> Response {
        MemberListResponse { header: Some(ResponseHeader::default()), members: self.cluster.list() }.into()
    }

    /// Whether a member was removed from the cluster and has no part in raft's configuration any more. A member of the
    /// outgoing half of a joint configuration still has a part: its vote counts until the leader leaves the joint
    /// configuration.
    pub(crate) fn has_left(&self, id: MemberId, conf_state: &ConfState) -> bool {
        let parts = [&conf_state.voters, &conf_state.voters_outgoing, &conf_state.learners];
        self.cluster.is_removed(id) && !parts.iter().any(|part| part.contains(&id.raft_id()))
    }

    /// A hash over all replicated state. Its cost does not depend on the store's size.
    pub(crate) fn hash(&self) -> u64 {
        let parts = [self.store.state_hash(), self.cluster.hash(), self.auth.hash()];
        let mut bytes = [0_u8; 24];
        for (place, part) in bytes.chunks_exact_mut(8).zip(parts) {
            place.copy_from_slice(&part.to_le_bytes());
        }
        xxh3_64(&bytes)
    }

    // ---- what it reports to the code that explains a run ------------------------------------------

    /// Its state after the last entry.
    pub(crate) fn state(&self) -> Inner {
        Inner::State(Box::new(State {
            index: self.applied.0,
            revision: self.store.revision(),
            compacted: self.store.compact_revision(),
            leases: self.store.leases().len(),
            members: self.cluster.roles(),
            users: self.auth.revision(),
            hashes: [self.store.state_hash(), self.cluster.hash(), self.auth.hash()],
        }))
    }

    /// The content of its store, which a start or a snapshot has loaded.
    pub(crate) fn loaded(&self, by_start: bool) -> Inner {
        let Compaction { scheduled, finished } = self.store.compaction();
        Inner::Loaded(Box::new(Loaded {
            by_start,
            index: self.applied.0,
            revision: self.store.revision(),
            compaction: (scheduled, finished),
            rows: self.store.told_since(0),
        }))
    }

    /// The last entry, which was applied at the revision `before`.
    pub(crate) fn applied_entry(
        &self,
        request: u64,
        command: record::inner::Command,
        user: String,
        mine: bool,
        error: Option<Error>,
        before: i64,
    ) -> Inner {
        Inner::Applied(Box::new(AppliedEntry {
            index: self.applied.0,
            request,
            command,
            user,
            mine,
            error,
            revisions: (before, self.store.revision()),
            rows: self.store.told_since(before + 1),
        }))
    }

    /// All of it except the store, as the backend keeps it next to the rows.
    pub(crate) fn rest(&self) -> Bytes {
        image::encode_rest(&self.cluster, &self.auth)
    }

    /// All of it as it is now, to be encoded in one piece for a follower or an operator.
    pub(crate) fn parts(&self) -> Parts {
        Parts { rest: self.rest(), store: self.store.freeze() }
    }
}

#[cfg(test)]
impl Replica {
    /// The state of a cluster without members, keys and users.
    pub(crate) fn empty(config: &Config, applied: (u64, u64)) -> Replica {
        let (cluster, auth) = (Cluster::bootstrap(&[], config), AuthStore::new(config));
        Replica::new(config, Store::new(), cluster, auth, applied)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::etcdserverpb::alarm_request::AlarmAction;
    use api::etcdserverpb::{
        AlarmRequest, AlarmType, LeaseGrantRequest, LeaseRevokeRequest, PutRequest, RangeRequest,
    };

    use super::*;
    use crate::io::Effects;
    use contract::Now;

    fn replica() -> Replica {
        Replica::empty(&Config::new(MemberId::new(1), Arc::new([])), (0, 1))
    }

    /// Applies a request as the next entry.
    fn apply(replica: &mut Replica, request: impl Into<Request>, mine: bool, room: bool) -> Outcome {
        replica.advance(replica.applied() + 1, 1);
        let (mut effects, mut armed) = (Effects::default(), None);
        let mut out = Out::new(&mut effects, &mut armed, Now::default());
        replica.apply(&Command::Request(request.into()), None, mine, room, &mut out)
    }

    fn put() -> PutRequest {
        PutRequest { key: "k".into(), value: "v".into(), ..PutRequest::default() }
    }

    #[test]
    fn a_request_without_room_takes_effect_and_ends_in_an_error() {
        let mut replica = replica();
        let outcome = apply(&mut replica, put(), true, false);
        assert_eq!((outcome.result, outcome.mutated, outcome.lacks_space), (Err(Error::NoSpace), true, true));
        // The other members do not look at their own space, or they would come to different results.
        let outcome = apply(&mut replica, put(), false, false);
        assert!(outcome.result.is_ok() && !outcome.lacks_space);
        assert_eq!((replica.store.revision(), replica.applied()), (3, 2));
        let range = RangeRequest { key: "k".into(), ..RangeRequest::default() };
        assert!(replica.read(&range.into()).is_ok());
    }

    #[test]
    fn leases_make_news() {
        let mut replica = replica();
        let news = apply(&mut replica, LeaseGrantRequest { id: 7, ttl: 9 }, false, true).news;
        assert_eq!(news, Some(LeaseNews::Granted { id: 7, ttl: 9 }));
        let again = apply(&mut replica, LeaseGrantRequest { id: 7, ttl: 9 }, false, true);
        assert_eq!((again.result, again.news), (Err(Error::LeaseExists), None));
        for _ in 0..2 {
            let news = apply(&mut replica, LeaseRevokeRequest { id: 7 }, false, true).news;
            assert_eq!(news, Some(LeaseNews::Revoked(7)));
        }
    }

    #[test]
    fn an_alarm_refuses_what_it_covers() {
        let mut replica = replica();
        let (action, alarm) = (AlarmAction::Activate as i32, AlarmType::Corrupt as i32);
        assert!(
            apply(&mut replica, AlarmRequest { action, alarm, member_id: 1 }, false, true).result.is_ok()
        );
        let before = replica.hash();
        let refused = apply(&mut replica, LeaseRevokeRequest { id: 7 }, false, true);
        assert_eq!(refused, Outcome::from(Err(Error::Corrupt)));
        assert_eq!(replica.hash(), before);
    }

    #[test]
    fn an_image_holds_everything() {
        let config = Config::new(MemberId::new(1), Arc::new([]));
        let (mut from, mut to) = (replica(), replica());
        apply(&mut from, put(), false, true);
        to.replace(Image::decode(from.parts().encode(), &config).unwrap(), (9, 2));
        assert_eq!((to.hash(), to.applied(), to.term()), (from.hash(), 9, 2));
    }
}
