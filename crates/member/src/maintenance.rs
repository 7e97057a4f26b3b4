//! What operators ask of one member (its status, hashes, transfers of leadership), and the member's own
//! check: the comparison of all members' hashes by the leader.

use api::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmType, DowngradeInfo, HashKvRequest, HashKvResponse, HashResponse,
    MoveLeaderResponse, StatusResponse, alarm_request::AlarmAction,
};
use api::{Error, Response};
use record::MemberId;

use crate::backend::Size;
use crate::config::{Config, EtcdVersion, Settings};
use crate::envelope::Command;
use crate::ids::Ids;
use crate::keeps::{Count, count};
use crate::node::Node;
use crate::punctual;
use crate::replica::Replica;
use crate::version;
use crate::want::{Want, Wants};

/// The bit of operation numbers that belong to the member's own comparisons of hashes.
const OWN: u64 = 1 << 61;

/// The response to a status request.
pub(crate) fn status(replica: &Replica, node: &Node, size: Size, settings: &Settings) -> StatusResponse {
    let mut errors = Vec::new();
    if node.leader().is_none() {
        errors.push(Error::NoLeader.text().to_string());
    }
    errors.extend(replica.cluster.alarms().map(|alarm| alarm_text(&alarm, settings.etcd_version)));
    let since_3_6 = match settings.etcd_version >= EtcdVersion::V3_6 {
        true => StatusResponse {
            storage_version: replica.cluster_version().to_string(),
            // A negative quota means no quota.
            db_size_quota: settings.quota_bytes().map_or(-1, |quota| quota as i64),
            downgrade_info: Some(DowngradeInfo {
                enabled: replica.cluster.downgrade().is_some(),
                target_version: replica.cluster.downgrade().unwrap_or_default().to_string(),
            }),
            ..StatusResponse::default()
        },
        false => StatusResponse::default(),
    };
    StatusResponse {
        header: replica.header(),
        version: version::server(settings.etcd_version).to_string(),
        db_size: size.total as i64,
        leader: node.leader().raft_id(),
        raft_index: node.committed(),
        raft_term: node.term(),
        raft_applied_index: replica.applied(),
        errors,
        db_size_in_use: size.in_use as i64,
        is_learner: node.is_learner(),
        ..since_3_6
    }
}

/// An alarm as Go prints the message: without the fields that are zero. Up to 3.6, a space follows each field; later,
/// there is one space between fields (or two: Go's library chooses one or the other when it is compiled).
fn alarm_text(alarm: &AlarmMember, version: EtcdVersion) -> String {
    let mut fields = Vec::new();
    if alarm.member_id != 0 {
        fields.push(format!("memberID:{}", alarm.member_id));
    }
    if alarm.alarm != 0 {
        fields.push(format!("alarm:{}", alarm.alarm().as_str_name()));
    }
    let end = if version >= EtcdVersion::V3_7 || fields.is_empty() { "" } else { " " };
    fields.join(" ") + end
}

/// The hash of the whole store. It can only be compared with those of our members, not with etcd's.
pub(crate) fn hash(replica: &Replica) -> Response {
    let revision = replica.store.revision();
    let hash = replica.store.hash_at(revision).unwrap_or(0);
    HashResponse { header: replica.header(), hash }.into()
}

/// The hash of the store up to a revision. If the store was compacted to that revision, this is the hash from before
/// that compaction.
pub(crate) fn hash_kv(replica: &Replica, request: HashKvRequest) -> Result<HashKvResponse, Error> {
    let store = &replica.store;
    if request.revision < 0 {
        // There is nothing up to this revision.
        return Ok(HashKvResponse {
            header: replica.header(),
            hash: 0,
            compact_revision: store.compact_revision(),
            hash_revision: request.revision,
        });
    }
    let revision = if request.revision == 0 { store.revision() } else { request.revision };
    if let Some(kept) = store.kept_hash(revision).filter(|_| store.version() >= EtcdVersion::V3_5) {
        let (hash, compact_revision) = (kept.hash, kept.compact_revision);
        return Ok(HashKvResponse {
            header: replica.header(),
            hash,
            compact_revision,
            hash_revision: revision,
        });
    }
    // etcd 3.4 does not answer at the compact revision itself.
    if store.version() == EtcdVersion::V3_4 && revision == store.compact_revision() {
        return Err(Error::Compacted);
    }
    let hash = store.hash_at(revision)?;
    let compact_revision = store.compact_revision();
    Ok(HashKvResponse { header: replica.header(), hash, compact_revision, hash_revision: revision })
}

/// The command that raises an alarm for a member. Once its entry is applied, the alarm restricts the whole cluster.
pub(crate) fn raise(member: MemberId, alarm: AlarmType) -> Command {
    let member_id = member.raft_id();
    let request = AlarmRequest { action: AlarmAction::Activate as i32, member_id, alarm: alarm as i32 };
    Command::Request(request.into())
}

/// Transfers of leadership that clients wait for. Times are on the member's clock.
#[derive(Debug)]
pub(crate) struct Transfers {
    waiting: Vec<Transfer>,
    request_timeout: u64,
}

/// A transfer of leadership that a client waits for.
#[derive(Debug)]
struct Transfer {
    operation: u64,
    to: MemberId,
    /// When the client gets a timeout.
    deadline: u64,
}

impl Transfers {
    /// No transfers.
    pub(crate) fn new(config: &Config) -> Transfers {
        Transfers { waiting: Vec::new(), request_timeout: config.settings.request_timeout }
    }

    /// Raft begins to transfer leadership to a member, as a client requested.
    pub(crate) fn begin(&mut self, operation: u64, to: MemberId, now: u64) {
        let deadline = now + self.request_timeout;
        self.waiting.push(Transfer { operation, to, deadline });
    }

    /// Answers the clients whose transfer has succeeded or timed out. `leader` is the current leader, or
    /// none.
    pub(crate) fn due(&mut self, leader: MemberId, now: u64, wants: &mut Wants) {
        let ended = self.waiting.extract_if(.., |transfer| transfer.to == leader || transfer.deadline <= now);
        wants.extend(ended.map(|Transfer { operation, to, deadline }| {
            if to != leader {
                punctual::was_due("the end of a transfer", deadline);
            }
            let done = MoveLeaderResponse { header: None }.into();
            Want::Reply(operation, if to == leader { Ok(done) } else { Err(Error::TimeoutLeaderTransfer) })
        }));
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 1] {
        [count("transfers", self.waiting.len())]
    }

    /// When the next transfer times out.
    pub(crate) fn wake_at(&self) -> u64 {
        self.waiting.iter().map(|transfer| transfer.deadline).min().unwrap_or(u64::MAX)
    }
}

/// The leader's comparison of all members' hashes. Times are on the member's clock.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// The time between two comparisons; `None` if there are none.
    interval: Option<u64>,
    /// When the next comparison starts.
    next: u64,
    /// The leader's own hash.
    own: HashKvResponse,
    /// The requests to other members that are not answered yet: operation and member.
    unanswered: Vec<(u64, MemberId)>,
}

impl Comparison {
    /// The comparison of a member that has just started.
    pub(crate) fn new(config: &Config) -> Comparison {
        let interval = config.settings.corrupt_checks();
        Comparison { interval, next: 0, own: HashKvResponse::default(), unanswered: Vec::new() }
    }

    /// When the next comparison starts.
    pub(crate) fn wake_at(&self, leads: bool) -> u64 {
        if self.interval.is_some() && leads { self.next } else { u64::MAX }
    }

    /// Whether a comparison is due and this member leads. If so, the next one is due after the interval.
    pub(crate) fn starts(&mut self, leads: bool, now: u64) -> bool {
        match self.interval {
            Some(interval) if leads && self.next <= now => {
                self.next = now + interval;
                true
            }
            _ => false,
        }
    }

    /// Requests the hash at the revision of this member's own hash from all other members (`corrupt.go`,
    /// `PeriodicCheck`).
    pub(crate) fn begin(
        &mut self,
        own: HashKvResponse,
        others: impl Iterator<Item = MemberId>,
        ids: &mut Ids,
        wants: &mut Wants,
    ) {
        let request = HashKvRequest { revision: own.hash_revision };
        self.own = own;
        self.unanswered.clear();
        for member in others {
            // The mask clears the high bits, some of which mark other operations.
            let operation = OWN | ids.fresh() & 0xffff_ffff;
            self.unanswered.push((operation, member));
            wants.push(Want::AskMember(member, operation, request.into()));
        }
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 1] {
        [count("hashes-asked-for", self.unanswered.len())]
    }

    /// Whether an operation belongs to a comparison.
    pub(crate) fn owns(&self, operation: u64) -> bool {
        operation & OWN != 0
    }

    /// A member answered with its hash: raises the alarm CORRUPT for that member if the hash differs.
    pub(crate) fn compared(&mut self, operation: u64, result: Result<Response, Error>, wants: &mut Wants) {
        let Some(at) = self.unanswered.iter().position(|(asked, _)| *asked == operation) else {
            return;
        };
        let (_, member) = self.unanswered.swap_remove(at);
        // A member that lags, or has another compact revision, cannot be compared.
        let Ok(Response::HashKv(other)) = result else { return };
        let own = &self.own;
        if other.compact_revision == own.compact_revision
            && other.hash_revision == own.hash_revision
            && other.hash != own.hash
        {
            wants.push(Want::propose(raise(member, AlarmType::Corrupt)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const OTHERS: [MemberId; 2] = [MemberId::new(2), MemberId::new(3)];

    fn config() -> Config {
        let mut config = Config::new(MemberId::new(1), Arc::new([]));
        config.settings.corrupt_check_interval = 100;
        config
    }

    #[test]
    fn an_alarm_is_printed_without_zeros() {
        let text = |member_id, alarm: AlarmType, version| {
            alarm_text(&AlarmMember { member_id, alarm: alarm as i32 }, version)
        };
        assert_eq!(text(8, AlarmType::Nospace, EtcdVersion::V3_7), "memberID:8 alarm:NOSPACE");
        assert_eq!(text(0, AlarmType::Corrupt, EtcdVersion::V3_7), "alarm:CORRUPT");
        assert_eq!(text(8, AlarmType::Nospace, EtcdVersion::V3_6), "memberID:8 alarm:NOSPACE ");
        assert_eq!(text(0, AlarmType::None, EtcdVersion::V3_6), "");
    }

    #[test]
    fn a_transfer_succeeds_or_times_out() {
        let mut transfers = Transfers::new(&config());
        let deadline = transfers.request_timeout;
        transfers.begin(5, OTHERS[0], 0);
        transfers.begin(6, OTHERS[1], 0);
        let mut due = |leader, now| {
            let mut wants = Wants::new();
            transfers.due(leader, now, &mut wants);
            wants
        };
        assert_eq!(due(MemberId::NONE, deadline - 1), []);
        let done = Ok(MoveLeaderResponse { header: None }.into());
        assert_eq!(due(OTHERS[1], deadline - 1), [Want::Reply(6, done)]);
        assert_eq!(due(OTHERS[1], deadline), [Want::Reply(5, Err(Error::TimeoutLeaderTransfer))]);
        assert_eq!(transfers.wake_at(), u64::MAX);
    }

    #[test]
    fn another_hash_at_the_same_revision_raises_the_alarm() {
        let config = config();
        let (mut comparison, mut ids) = (Comparison::new(&config), Ids::new(&config));
        assert!(!comparison.starts(false, 7) && comparison.starts(true, 7) && !comparison.starts(true, 8));
        assert_eq!((comparison.wake_at(true), comparison.wake_at(false)), (107, u64::MAX));
        let own = HashKvResponse { hash: 1, hash_revision: 4, ..HashKvResponse::default() };
        let mut wants = Wants::new();
        comparison.begin(own, OTHERS.into_iter(), &mut ids, &mut wants);
        let asked: Vec<_> = (wants.drain(..))
            .map(|want| match want {
                Want::AskMember(member, operation, _) if comparison.owns(operation) => (member, operation),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(asked.iter().map(|(member, _)| *member).collect::<Vec<_>>(), OTHERS);
        let lags = HashKvResponse { hash: 2, hash_revision: 3, ..own };
        comparison.compared(asked[0].1, Ok(lags.into()), &mut wants);
        assert_eq!(wants, []);
        for _ in 0..2 {
            comparison.compared(asked[1].1, Ok(HashKvResponse { hash: 2, ..own }.into()), &mut wants);
        }
        assert_eq!(wants, [Want::propose(raise(OTHERS[1], AlarmType::Corrupt))]);
    }
}
