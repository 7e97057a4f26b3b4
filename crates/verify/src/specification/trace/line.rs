//! The lines of etcd-io/raft's trace, with its names (`state_trace.go`, build tag `with_tla`).
//!
//! A line is a JSON object with the event under `event`; a logger may add fields of its own, such as a time. Lines
//! without an event, and those whose `tag` is not `trace`, belong to other logs and are skipped, as etcd-io/raft's own
//! `Traceetcdraft.tla` does. Ids are texts in decimal.

use std::fmt;

use record::MemberId;
use serde::{Deserialize, Serialize};

use crate::history_file::FileError;

/// A line of the trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// `trace`, in lines of the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// When, in seconds. What it counts from depends on the logger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<serde_json::Number>,
    /// What happened.
    pub event: TracedEvent,
}

/// One event of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedEvent {
    /// What happened.
    pub name: Name,
    /// The member.
    #[serde(with = "decimal")]
    pub nid: MemberId,
    /// Its hard state at that moment.
    pub state: TracedState,
    /// Its role.
    pub role: TracedRole,
    /// The index of its last entry.
    pub log: u64,
    /// Its voters, and in a joint configuration the old voters.
    #[serde(with = "decimal::pair")]
    pub conf: [Vec<MemberId>; 2],
    /// The message that it sends or receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg: Option<TracedMessage>,
    /// What only some events have.
    #[serde(default, skip_serializing_if = "Properties::is_empty")]
    pub prop: Properties,
}

/// The names of events. The library writes all but the last two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the library's own")]
pub enum Name {
    InitState,
    BecomeCandidate,
    BecomeFollower,
    BecomeLeader,
    Commit,
    Replicate,
    ChangeConf,
    ApplyConfChange,
    Ready,
    SendAppendEntriesRequest,
    ReceiveAppendEntriesRequest,
    SendAppendEntriesResponse,
    ReceiveAppendEntriesResponse,
    SendRequestVoteRequest,
    ReceiveRequestVoteRequest,
    SendRequestVoteResponse,
    ReceiveRequestVoteResponse,
    SendSnapshot,
    ReceiveSnapshot,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The hard state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedState {
    /// The term.
    pub term: u64,
    /// The vote in that term; 0 for none.
    #[serde(with = "decimal")]
    pub vote: MemberId,
    /// The commit index.
    pub commit: u64,
}

/// The roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TracedRole {
    /// It follows.
    #[serde(rename = "StateFollower")]
    Follower,
    /// It asks for pre-votes. The trace has no event for that; the role shows in the events that come next.
    #[serde(rename = "StatePreCandidate")]
    PreCandidate,
    /// It asks for votes.
    #[serde(rename = "StateCandidate")]
    Candidate,
    /// It leads.
    #[serde(rename = "StateLeader")]
    Leader,
}

/// A message. Fields that a kind of message does not have are 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TracedMessage {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: TracedKind,
    /// The sender's term.
    pub term: u64,
    /// The sender.
    #[serde(with = "decimal")]
    pub from: MemberId,
    /// The receiver.
    #[serde(with = "decimal")]
    pub to: MemberId,
    /// How many entries it has; of a snapshot: its index.
    pub entries: u64,
    /// The term of the entry at `index`.
    #[serde(rename = "logTerm")]
    pub log_term: u64,
    /// As in raft's messages.
    pub index: u64,
    /// The commit index.
    pub commit: u64,
    /// Not used by the library.
    #[serde(with = "decimal")]
    pub vote: MemberId,
    /// Whether it refuses.
    pub reject: bool,
    /// Of a refused append: where the logs may agree.
    #[serde(rename = "rejectHint")]
    pub reject_hint: u64,
}

/// The kinds of messages that a trace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the library's own")]
pub enum TracedKind {
    MsgApp,
    MsgAppResp,
    MsgVote,
    MsgVoteResp,
    MsgSnap,
    MsgHeartbeat,
    MsgHeartbeatResp,
}

/// What only some events have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Properties {
    /// Of `ChangeConf` and `ApplyConfChange`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cc: Option<TracedChange>,
    /// Of a sent append: the leader's match index for itself.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matched: Option<u64>,
    /// Of a sent append: the leader's own next index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

impl Properties {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Properties::default()
    }
}

/// A change of the configuration: what is proposed, or the voters after it was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedChange {
    /// The proposed changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<SingleChange>,
    /// The new voters.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "decimal::list")]
    pub newconf: Vec<MemberId>,
}

/// A change of one member's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SingleChange {
    /// The member.
    #[serde(with = "decimal")]
    pub nid: MemberId,
    /// What becomes of it.
    pub action: Action,
}

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// It becomes a voter.
    AddNewServer,
    /// It leaves.
    RemoveServer,
    /// It becomes a learner.
    AddLearner,
}

impl Line {
    /// Reads a line; `None` if it belongs to another log. `number` counts from 1.
    ///
    /// # Errors
    /// If it is not JSON, or its event does not belong to a trace of raft.
    pub fn read(file: &str, number: usize, text: &str) -> Result<Option<Line>, FileError> {
        /// What distinguishes a line of the trace from others.
        #[derive(Deserialize)]
        struct Marks {
            #[serde(default)]
            tag: Option<serde_json::Value>,
            #[serde(default)]
            event: Option<serde::de::IgnoredAny>,
        }
        let mistake = |error: &serde_json::Error, what: String| FileError {
            file: file.to_string(),
            line: number,
            column: error.column().max(1),
            what,
        };
        // The position in the line is reported separately.
        let said = |error: &serde_json::Error| {
            let text = error.to_string();
            text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_string())
        };
        if text.trim().is_empty() {
            return Ok(None);
        }
        let marks: Marks = serde_json::from_str(text)
            .map_err(|error| mistake(&error, format!("the line is no JSON object: {}", said(&error))))?;
        let other = marks.tag.is_some_and(|tag| tag != "trace");
        if other || marks.event.is_none() {
            return Ok(None);
        }
        let line = serde_json::from_str(text);
        line.map(Some).map_err(|error| mistake(&error, format!("not an event of raft: {}", said(&error))))
    }
}

/// Ids as texts in decimal.
mod decimal {
    use std::fmt;

    use record::MemberId;
    use serde::de::{Error, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// An id.
    #[derive(Clone, Copy)]
    struct Id(MemberId);

    impl Serialize for Id {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&self.0)
        }
    }

    impl<'de> Deserialize<'de> for Id {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
            struct Text;
            impl Visitor<'_> for Text {
                type Value = Id;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an id as a text in decimal, such as \"1\"")
                }

                fn visit_str<E: Error>(self, text: &str) -> Result<Id, E> {
                    let id = text
                        .parse()
                        .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
                    Ok(Id(MemberId::from_raft(id)))
                }
            }
            deserializer.deserialize_str(Text)
        }
    }

    pub fn serialize<S: Serializer>(id: &MemberId, serializer: S) -> Result<S::Ok, S::Error> {
        Id(*id).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MemberId, D::Error> {
        Id::deserialize(deserializer).map(|id| id.0)
    }

    /// Lists of ids.
    pub mod list {
        use super::*;

        pub fn serialize<S: Serializer>(ids: &[MemberId], serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(ids.iter().map(|id| Id(*id)))
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<MemberId>, D::Error> {
            let ids = Option::<Vec<Id>>::deserialize(deserializer)?;
            Ok(ids.unwrap_or_default().into_iter().map(|id| id.0).collect())
        }
    }

    /// Two lists of ids.
    pub mod pair {
        use super::*;

        pub fn serialize<S: Serializer>(ids: &[Vec<MemberId>; 2], serializer: S) -> Result<S::Ok, S::Error> {
            let of = |ids: &Vec<MemberId>| ids.iter().map(|id| Id(*id)).collect::<Vec<_>>();
            serializer.collect_seq(ids.iter().map(of))
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<[Vec<MemberId>; 2], D::Error> {
            let both: [Vec<Id>; 2] = Deserialize::deserialize(deserializer)?;
            Ok(both.map(|ids| ids.into_iter().map(|id| id.0).collect()))
        }
    }
}
