//! A membership change: how a log entry encodes it, and how it changes the list of members.
//!
//! Whether a change may be proposed is decided in `check`, by one member. The rules here are applied by every member
//! when it applies the entry. They use only the replicated membership, so all members decide the same.

use std::slice;

use api::Error;
use api::etcdserverpb::Member;
use bytes::Buf;
use prost::Message as _;
use record::MemberId;

use super::{Members, Rules, id_of_member};
use crate::flaw::Flaw;

/// A membership change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds a member, as a learner or a voter.
    Add(Member),
    /// Removes a member. Its id can never be used again.
    Remove(MemberId),
    /// Replaces a member's peer URLs.
    Update(MemberId, Vec<String>),
    /// Makes a learner a voter.
    Promote(MemberId),
    /// Several changes, of which all or none take effect, in this order. This is our extension; etcd's API
    /// has only single changes.
    Joint(Vec<Change>),
}

/// The version of the encoding.
const VERSION: u32 = 1;

/// A change as it is encoded: a list of single changes. `joint` tells a single change from a joint one that consists
/// of one change.
#[derive(Clone, PartialEq, prost::Message)]
struct Context {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bool, tag = "2")]
    joint: bool,
    #[prost(message, repeated, tag = "3")]
    steps: Vec<Step>,
}

/// A single change.
#[derive(Clone, PartialEq, prost::Message)]
struct Step {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Add(Member),
    #[prost(uint64, tag = "2")]
    Remove(u64),
    /// Of the member, only the id and the peer URLs are used.
    #[prost(message, tag = "3")]
    Update(Member),
    #[prost(uint64, tag = "4")]
    Promote(u64),
}

impl Change {
    /// The single changes of which this change consists, in order.
    pub fn steps(&self) -> &[Change] {
        match self {
            Change::Joint(steps) => steps,
            single => slice::from_ref(single),
        }
    }

    /// Encodes the change for the context of a log entry.
    ///
    /// # Panics
    /// If a joint change contains another one.
    pub fn encode(&self) -> Vec<u8> {
        let kind = |step: &Change| match step {
            Change::Add(member) => Kind::Add(member.clone()),
            Change::Remove(id) => Kind::Remove(id.raft_id()),
            Change::Update(id, urls) => {
                Kind::Update(Member { id: id.raft_id(), peer_urls: urls.clone(), ..Member::default() })
            }
            Change::Promote(id) => Kind::Promote(id.raft_id()),
            Change::Joint(_) => panic!("a joint change within {self:?}: the caller must flatten it"),
        };
        let joint = matches!(self, Change::Joint(_));
        let steps = self.steps().iter().map(|step| Step { kind: Some(kind(step)) }).collect();
        Context { version: VERSION, joint, steps }.encode_to_vec()
    }

    /// Decodes what [`Change::encode`] returned.
    ///
    /// # Errors
    /// What is wrong with the bytes, if they are not such an encoding.
    pub fn decode(bytes: impl Buf) -> Result<Change, String> {
        let context = Context::decode(bytes).map_err(|error| format!("not a membership change: {error}"))?;
        if context.version != VERSION {
            return Err(format!("a membership change in version {}, not {VERSION}", context.version));
        }
        let change = |step: Step| match step.kind {
            Some(Kind::Add(member)) => Ok(Change::Add(member)),
            Some(Kind::Remove(id)) => Ok(Change::Remove(MemberId::from_raft(id))),
            Some(Kind::Update(member)) => Ok(Change::Update(id_of_member(&member), member.peer_urls)),
            Some(Kind::Promote(id)) => Ok(Change::Promote(MemberId::from_raft(id))),
            None => Err("a membership change without a kind".to_string()),
        };
        let mut steps: Vec<Change> = context.steps.into_iter().map(change).collect::<Result<_, _>>()?;
        match (context.joint, steps.len()) {
            (true, _) => Ok(Change::Joint(steps)),
            (false, 1) => Ok(steps.remove(0)),
            (false, length) => Err(format!("a single membership change with {length} steps")),
        }
    }
}

impl Members {
    /// The members after a change. Errors are those of [`super::Cluster::apply_change`].
    pub(super) fn after(&self, change: &Change, rules: &Rules) -> Result<Members, Error> {
        let mut members = self.clone();
        change.steps().iter().try_for_each(|step| members.apply(step, rules))?;
        if members.voters().next().is_none() {
            return Err(Error::NotEnoughStartedMembers);
        }
        Ok(members)
    }

    /// Applies a single change.
    fn apply(&mut self, step: &Change, rules: &Rules) -> Result<(), Error> {
        match step {
            Change::Add(member) => {
                let id = id_of_member(member);
                self.check_not_removed(id)?;
                if self.current.contains_key(&id) {
                    return Err(Error::MemberExists);
                }
                self.check_urls_unused(&member.peer_urls, id)?;
                let learners = self.current.values().filter(|member| member.is_learner).count();
                // Flaw M-any-learners: learners are not counted.
                let any = rules.flaws.has(Flaw::AnyLearners);
                if member.is_learner && learners as u64 >= u64::from(rules.max_learners) && !any {
                    return Err(Error::TooManyLearners);
                }
                self.current.insert(id, member.clone());
            }
            Change::Remove(id) => {
                self.check_not_removed(*id)?;
                self.current.remove(id).ok_or(Error::MemberNotFound)?;
                self.removed.insert(*id);
            }
            Change::Update(id, urls) => {
                self.check_not_removed(*id)?;
                if !self.current.contains_key(id) {
                    return Err(Error::MemberNotFound);
                }
                self.check_urls_unused(urls, *id)?;
                let member = self.current.get_mut(id).ok_or(Error::MemberNotFound)?;
                member.peer_urls.clone_from(urls);
                // Flaw M-21737: the update replaces the whole member, and an update does not say whether the
                // member is a learner, so it becomes a voter.
                if rules.flaws.has(Flaw::MemberUpdatePromotesLearner) {
                    member.is_learner = false;
                }
            }
            Change::Promote(id) => {
                self.check_not_removed(*id)?;
                let member = self.current.get_mut(id).ok_or(Error::MemberNotFound)?;
                if !member.is_learner {
                    return Err(Error::MemberNotLearner);
                }
                member.is_learner = false;
            }
            Change::Joint(_) => panic!("a joint change within a joint change: `decode` rejects those"),
        }
        Ok(())
    }

    /// The voters, by id.
    pub(super) fn voters(&self) -> impl Iterator<Item = &Member> {
        self.current.values().filter(|member| !member.is_learner)
    }

    /// Checks that `id` is not the id of a removed member.
    fn check_not_removed(&self, id: MemberId) -> Result<(), Error> {
        if self.removed.contains(&id) { Err(Error::MemberNotFound) } else { Ok(()) }
    }

    /// Checks that no member other than `id` has one of `urls`.
    fn check_urls_unused(&self, urls: &[String], id: MemberId) -> Result<(), Error> {
        let mut others = self.current.values().filter(|member| id_of_member(member) != id);
        match others.any(|member| member.peer_urls.iter().any(|url| urls.contains(url))) {
            true => Err(Error::PeerUrlExists),
            false => Ok(()),
        }
    }
}
