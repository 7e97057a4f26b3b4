//! What a server refuses before it proposes a membership change: etcd's `mayAddMember`, `mayRemoveMember`,
//! `mayPromoteMember` and `isLearnerReady` (`server/etcdserver/server.go`), in their order, with the rule for
//! additions of 3.5.30 and late 3.6.
//!
//! These checks use one server's view at one moment. What must hold for all members is decided when the
//! change is applied (`change`): an id or URL that is in use, too many learners.

use std::collections::BTreeMap;

use api::Error;
use api::etcdserverpb::{
    Member, MemberAddRequest, MemberPromoteRequest, MemberRemoveRequest, MemberUpdateRequest,
};
use record::{MemberId, Probe};

use super::change::Change;
use super::{Cluster, Members, id_of_member, identity};

/// How long a connection must have been up to count, in nanoseconds (`server.go`, `HealthInterval`).
pub const HEALTH_INTERVAL: u64 = 5_000_000_000;

/// What a server knows about its connections. Times are nanoseconds of its own clock.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// The member id of the server itself.
    pub own: MemberId,
    /// The current time.
    pub now: u64,
    /// Since when each other member has been connected; absent if it is not.
    pub connected: BTreeMap<MemberId, u64>,
}

/// What a leader knows about logs, as match indexes.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The leader's own durable index.
    pub leader: u64,
    /// The match index of the member in question; `None` if raft does not know it.
    pub member: Option<u64>,
}

impl Health {
    /// How many of `members` are the server itself or have been connected for [`HEALTH_INTERVAL`].
    fn active<'a>(&self, members: impl Iterator<Item = &'a Member>) -> usize {
        let stands = |id: MemberId| match self.connected.get(&id) {
            Some(since) => since.saturating_add(HEALTH_INTERVAL) < self.now,
            None => false,
        };
        members.map(id_of_member).filter(|id| *id == self.own || stands(*id)).count()
    }
}

/// The smallest majority of `members`.
fn quorum(members: usize) -> usize {
    members / 2 + 1
}

/// A member counts as started once its name is known.
fn is_started(member: &&Member) -> bool {
    !member.name.is_empty()
}

impl Members {
    /// How many members vote and how many of those are started, without `id`.
    fn voting(&self, without: Option<MemberId>) -> (usize, usize) {
        let voters = || self.voters().filter(|member| Some(id_of_member(member)) != without);
        (voters().count(), voters().filter(is_started).count())
    }
}

impl Cluster {
    /// The change to propose to add a member. `second` is the wall clock in seconds since 1970: part of a
    /// hashed id.
    ///
    /// # Errors
    /// `MemberBadUrls`; `NotEnoughStartedMembers` if, with one more voter, fewer than a quorum would be
    /// started; `Unhealthy` if this server is connected to fewer than a quorum of that.
    pub fn check_add(
        &self,
        request: &MemberAddRequest,
        second: u64,
        health: &Health,
    ) -> Result<Change, Error> {
        let peer_urls = identity::peer_urls(&request.peer_urls)?;
        let id = identity::id_of_new(self.rules.ids, &request.peer_urls, second)?;
        let is_learner = request.is_learner;
        if self.rules.strict_reconfig {
            let (voters, started) = self.members.voting(None);
            // A single started member may be extended: that is how a cluster is restored from one survivor.
            let grows_from_one = voters == 1 && started == 1;
            if !is_learner && !grows_from_one && started < quorum(voters + 1) {
                return Err(Error::NotEnoughStartedMembers);
            }
            let active = health.active(self.members.voters());
            if voters != 1 && active < quorum(voters + 1) {
                self.probes.reached(Probe::ChangeRefusedUnhealthy);
                return Err(Error::Unhealthy);
            }
        }
        Ok(Change::Add(Member { id, peer_urls, is_learner, ..Member::default() }))
    }

    /// The change to propose to remove a member.
    ///
    /// # Errors
    /// `NotEnoughStartedMembers` if fewer than a quorum of the remaining members would be started;
    /// `Unhealthy` if the member is up and too few of the others are connected to this server.
    pub fn check_remove(&self, request: &MemberRemoveRequest, health: &Health) -> Result<Change, Error> {
        let id = MemberId::from_raft(request.id);
        let is_learner = self.member(id).is_some_and(|member| member.is_learner);
        if self.rules.strict_reconfig && !is_learner {
            let (others, started) = self.members.voting(Some(id));
            if started < quorum(others) {
                return Err(Error::NotEnoughStartedMembers);
            }
            // A member that is down does not belong to the active quorum.
            let is_down = id != health.own && !health.connected.contains_key(&id);
            let voters = self.members.voters().count();
            let active = health.active(self.members.voters());
            if !is_down && active.saturating_sub(1) < quorum(voters.saturating_sub(1)) {
                self.probes.reached(Probe::ChangeRefusedUnhealthy);
                return Err(Error::Unhealthy);
            }
        }
        Ok(Change::Remove(id))
    }

    /// The change to propose to replace a member's peer URLs.
    ///
    /// # Errors
    /// `MemberBadUrls`. etcd proposes bad URLs unchecked, and every member that applies the change panics
    /// (`rafthttp/transport.go`, `UpdatePeer`).
    pub fn check_update(&self, request: &MemberUpdateRequest) -> Result<Change, Error> {
        Ok(Change::Update(MemberId::from_raft(request.id), identity::peer_urls(&request.peer_urls)?))
    }

    /// The change to propose to promote a learner. `progress` is `None` on a server that does not lead.
    ///
    /// # Errors
    /// `NotLeader` (the server then asks the leader); `MemberNotFound` if raft does not know the member;
    /// `LearnerNotReady` below nine tenths of the leader's log; `NotEnoughStartedMembers`.
    pub fn check_promote(
        &self,
        request: &MemberPromoteRequest,
        progress: Option<Progress>,
    ) -> Result<Change, Error> {
        let Progress { leader, member } = progress.ok_or(Error::NotLeader)?;
        // etcd 3.4.23 treated a learner that raft does not know as ready.
        let learner = member.ok_or(Error::MemberNotFound)?;
        if u128::from(learner) * 10 < u128::from(leader) * 9 {
            self.probes.reached(Probe::PromotionRefusedNotReady);
            return Err(Error::LearnerNotReady);
        }
        if self.rules.strict_reconfig {
            let (voters, started) = self.members.voting(None);
            // The learner counts as started, since it has the log.
            if started + 1 < quorum(voters + 1) {
                return Err(Error::NotEnoughStartedMembers);
            }
        }
        Ok(Change::Promote(MemberId::from_raft(request.id)))
    }
}
