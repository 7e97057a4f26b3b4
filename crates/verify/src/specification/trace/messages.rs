//! What members send, and what they do with what they receive (*RequestVote*, *HandleRequestVoteRequest*,
//! *AppendEntries*, *HandleAppendEntriesRequest*, *SendSnapshot*, … in etcd-io/raft's `tla/etcdraft.tla`).
//!
//! A process handles one message at a time: what it does because of a message follows at once in its own events.

use record::MemberId;

use super::Look;
use super::copy::{Duty, Has, UNKNOWN};
use super::events::from_leader;
use super::line::{Name, TracedKind, TracedMessage, TracedRole};
use crate::specification::rule::Rule;

/// The kinds of messages that events of this name have.
pub(super) fn kinds(name: Name) -> &'static [TracedKind] {
    use TracedKind::*;
    match name {
        Name::SendAppendEntriesRequest | Name::ReceiveAppendEntriesRequest => {
            &[MsgApp, MsgHeartbeat, MsgSnap]
        }
        Name::SendAppendEntriesResponse | Name::ReceiveAppendEntriesResponse => {
            &[MsgAppResp, MsgHeartbeatResp]
        }
        Name::SendRequestVoteRequest | Name::ReceiveRequestVoteRequest => &[MsgVote],
        Name::SendRequestVoteResponse | Name::ReceiveRequestVoteResponse => &[MsgVoteResp],
        Name::SendSnapshot | Name::ReceiveSnapshot => &[MsgSnap],
        _ => &[],
    }
}

/// What a member does with an append, as far as the trace shows enough.
struct Appended {
    /// Whether it takes the append; `None` if the trace does not show it.
    taken: Option<bool>,
    /// The index in its answer.
    answer: u64,
    /// Its last index afterwards; `None` if the trace does not show it.
    last: Option<u64>,
    /// Its commit index afterwards.
    commit: u64,
}

impl Look<'_> {
    /// A member sends or receives a message.
    pub(super) fn message(&mut self, message: &TracedMessage) {
        use Name::*;
        match self.event.name {
            SendAppendEntriesRequest | SendSnapshot => self.send_append(message),
            SendAppendEntriesResponse => self.send_answer(message),
            SendRequestVoteRequest => self.ask_for_vote(message),
            SendRequestVoteResponse => self.send_vote(message),
            _ => return self.receive(message),
        }
        self.trace.sent.insert(message.clone());
    }

    // ---- what must come next ---------------------------------------------------------------------

    /// What the last message asks of the member must come before anything else.
    pub(super) fn due_before(&mut self, name: Name, message: Option<&TracedMessage>) {
        let asks = name == Name::SendRequestVoteRequest || name == Name::SendRequestVoteResponse;
        if !asks && !self.copy.to_ask.is_empty() {
            let left = std::mem::take(&mut self.copy.to_ask);
            self.holds(Rule::CampaignAsks, false, |_| {
                let left: Vec<String> = left.iter().map(MemberId::to_string).collect();
                format!("It campaigns, and does not ask {}.", left.join(", "))
            });
        }
        let Some(duty) = self.copy.duty.clone() else { return };
        let about = &duty.message;
        let follows = name == Name::BecomeFollower;
        let installs = name == Name::ApplyConfChange && about.kind == TracedKind::MsgSnap;
        let answers =
            message.is_some_and(|sent| sent.to == about.from && is_answer(name, sent.kind, about.kind));
        if follows || installs || answers && !duty.follow {
            return;
        }
        self.copy.duty = None;
        if duty.optional {
            return;
        }
        let (rule, lacks) = match (duty.follow, about.kind) {
            (true, _) if about.term > self.copy.term => (Rule::TermMoves, "go to its term"),
            (true, _) => (Rule::FollowsLeader, "follow its sender"),
            (false, _) if !duty.answer => return,
            (false, TracedKind::MsgVote) => (Rule::VoteAnswered, "answer it"),
            (false, TracedKind::MsgHeartbeat) => (Rule::HeartbeatAnswered, "answer it"),
            (false, TracedKind::MsgSnap) => (Rule::SnapshotAnswered, "answer it"),
            (false, _) => (Rule::AppendAnswered, "answer it"),
        };
        self.holds(rule, false, |_| {
            format!(
                "It received a {:?} of term {} from member {} (line {}), and did not {lacks}.",
                about.kind, about.term, about.from, duty.line
            )
        });
    }

    // ---- receiving -------------------------------------------------------------------------------

    fn receive(&mut self, message: &TracedMessage) {
        self.compare(Rule::Frame, Rule::Frame);
        self.copy.offered_commit = 0;
        let known = self.trace.members.contains_key(&message.from) || message.from == self.event.nid;
        let sent = self.trace.sent.contains(message);
        self.holds(Rule::Unasked, sent || !known, |_| {
            format!(
                "It receives a {:?} of member {}, which that member did not send.",
                message.kind, message.from
            )
        });
        let (term, role) = (self.copy.term, self.copy.role);
        let leads = from_leader(message.kind);
        let vote = message.kind == TracedKind::MsgVote;
        if message.term < term {
            // It may be answered with the current term.
            *self.trace.judged.entry(Rule::StaleChangesNothing).or_default() += 1;
            if leads {
                self.owe(message, false, true, true);
            }
            return;
        }
        if leads && message.term == term && role == TracedRole::Leader {
            self.holds(Rule::OneLeader, false, |_| {
                format!("It leads term {term}, and so does member {}.", message.from)
            });
            return;
        }
        if leads {
            let other = self.trace.leaders.get(&message.term).map(|(leader, _)| *leader);
            let other = other.filter(|leader| *leader != message.from);
            self.holds(Rule::OneLeader, other.is_none(), |_| {
                format!(
                    "Member {} leads term {}, but member {} was elected in it.",
                    message.from,
                    message.term,
                    other.unwrap_or_default()
                )
            });
        }
        if matches!(message.kind, TracedKind::MsgVote | TracedKind::MsgVoteResp) {
            self.copy.offered_commit = message.commit;
        }
        if message.term > term {
            // A member that hears from a leader may ignore requests for votes; the trace does not show whether it does.
            self.owe(message, true, leads || vote, vote);
            return;
        }
        match message.kind {
            TracedKind::MsgVote => self.owe(message, false, true, false),
            TracedKind::MsgApp | TracedKind::MsgHeartbeat | TracedKind::MsgSnap => {
                // The trace may not show yet that a follower asks for pre-votes.
                let follow = role == TracedRole::Candidate || role == TracedRole::PreCandidate;
                self.owe(message, follow, true, false);
                self.copy.heard_leader = true;
            }
            TracedKind::MsgVoteResp if role == TracedRole::Candidate => {
                *self.trace.judged.entry(Rule::VotesCounted).or_default() += 1;
                if !self.copy.votes.iter().any(|(voter, _)| *voter == message.from) {
                    self.copy.votes.push((message.from, !message.reject));
                }
            }
            TracedKind::MsgAppResp if role == TracedRole::Leader && !message.reject => {
                let last = self.copy.log.last();
                self.holds(Rule::AcknowledgedExists, message.index <= last, |_| {
                    format!(
                        "Member {} acknowledges entry {}, and its log ends at {last}.",
                        message.from, message.index
                    )
                });
                let acknowledged = self.copy.acknowledged.entry(message.from).or_default();
                *acknowledged = message.index.max(*acknowledged);
            }
            _ => {}
        }
    }

    /// The member must do this next.
    fn owe(&mut self, message: &TracedMessage, follow: bool, answer: bool, optional: bool) {
        let (message, line) = (message.clone(), self.line);
        self.copy.duty = Some(Duty { message, line, follow, answer, optional });
    }

    // ---- sending: votes --------------------------------------------------------------------------

    fn ask_for_vote(&mut self, message: &TracedMessage) {
        let (role, term) = (self.copy.role, self.copy.term);
        let (last, of) = (self.copy.log.last(), self.copy.log.at(self.copy.log.last()));
        let due = self.copy.to_ask.remove(&message.to);
        let log = message.index == last && (of == UNKNOWN && last > 0 || message.log_term == of);
        let sound = due && role == TracedRole::Candidate && message.term == term && log;
        self.holds(Rule::CampaignAsks, sound, |_| {
            format!(
                "It asks member {} for a vote in term {}, naming entry {} of term {} as its last, as {role:?} of term {term} with a log up to entry {last} of term {of}.",
                message.to, message.term, message.index, message.log_term
            )
        });
        self.copy.log.learn(message.index, message.log_term);
        self.compare(Rule::Frame, Rule::Frame);
    }

    fn send_vote(&mut self, message: &TracedMessage) {
        if message.to == self.event.nid {
            let own =
                self.copy.role == TracedRole::Candidate && message.term == self.copy.term && !message.reject;
            self.holds(Rule::CampaignAsks, own, |look| {
                format!(
                    "It votes for itself in term {}, as {:?} of term {}.",
                    message.term, look.copy.role, look.copy.term
                )
            });
            return self.compare(Rule::Frame, Rule::Frame);
        }
        let asked = self.copy.duty.take().filter(|duty| {
            duty.message.kind == TracedKind::MsgVote && duty.message.from == message.to && !duty.follow
        });
        let Some(Duty { message: request, .. }) = asked else {
            self.holds(Rule::Unasked, false, |_| {
                format!("It answers a request for a vote of member {}, which it did not receive.", message.to)
            });
            return self.compare(Rule::Frame, Rule::Frame);
        };
        let (term, vote) = (self.copy.term, self.copy.vote);
        self.holds(Rule::VoteAnswered, message.term == term, |_| {
            format!("It answers a request of term {term} in term {}.", message.term)
        });
        let last = self.copy.log.last();
        let of = self.copy.log.at(last);
        let seen = of != UNKNOWN || last == 0;
        let fresh = (request.log_term, request.index) >= (of, last);
        let free = vote == request.from || vote.is_none() && !self.copy.heard_leader;
        if !message.reject {
            self.holds(Rule::VoteOnce, vote.is_none() || vote == request.from, |_| {
                format!("It votes for member {} in term {term}, after member {vote}.", request.from)
            });
            let candidate =
                format!("a candidate whose log ends at entry {} of term {}", request.index, request.log_term);
            self.holds(Rule::VoteUpToDate, fresh || !seen, |_| {
                format!("It votes for {candidate}, and its own log ends at entry {last} of term {of}.")
            });
            // The event shows the vote before it or after it.
            if self.event.state.vote == request.from {
                self.copy.vote = request.from;
            }
            self.compare(Rule::Frame, Rule::Frame);
            self.copy.vote = request.from;
            return;
        }
        self.holds(Rule::VoteUpToDate, !(fresh && seen && free), |_| {
            format!(
                "It refuses its vote to member {}, whose log ends at entry {} of term {}; its own ends at entry {last} of term {of}, and it has not voted in term {term}.",
                request.from, request.index, request.log_term
            )
        });
        self.compare(Rule::Frame, Rule::Frame);
    }

    // ---- sending: appends ------------------------------------------------------------------------

    fn send_append(&mut self, message: &TracedMessage) {
        let (role, term, commit) = (self.copy.role, self.copy.term, self.copy.commit);
        let last = self.copy.log.last();
        let leads = role == TracedRole::Leader && message.term == term;
        let said =
            || format!("It sends a {:?} of term {}, as {role:?} of term {term}", message.kind, message.term);
        match message.kind {
            TracedKind::MsgHeartbeat => {
                let known = self.copy.acknowledged.get(&message.to).copied().unwrap_or(0);
                let most = commit.min(known);
                self.holds(Rule::HeartbeatTrue, leads && message.commit <= most, |_| {
                    format!(
                        "{}, with the commit index {}, where at most {most} is allowed.",
                        said(),
                        message.commit
                    )
                });
            }
            TracedKind::MsgSnap => {
                self.holds(Rule::SnapshotTrue, leads && message.entries <= commit, |_| {
                    format!("{}, up to entry {}, with the commit index {commit}.", said(), message.entries)
                });
            }
            _ => {
                let has = self.copy.log.has(message.index, message.log_term);
                let reaches = message.index + message.entries <= last;
                let sound = leads && has != Has::No && reaches && message.commit == commit;
                self.holds(Rule::AppendTrue, sound, |look| {
                    format!(
                        "{}, with {} entries after entry {} of term {} and the commit index {}; its log ends at {last}, entry {} has term {}, and its commit index is {commit}.",
                        said(),
                        message.entries,
                        message.index,
                        message.log_term,
                        message.commit,
                        message.index,
                        look.copy.log.at(message.index)
                    )
                });
                self.copy.log.learn(message.index, message.log_term);
                if let Some((_, log)) = self.trace.leaders.get_mut(&term).filter(|_| leads) {
                    log.learn(message.index, message.log_term);
                }
                if let Some(matched) = self.event.prop.matched {
                    let own = self.copy.acknowledged.get(&self.event.nid).copied().unwrap_or(0);
                    self.holds(Rule::MatchMoves, matched == own, |_| {
                        format!(
                            "It counts its own entries up to {matched} as acknowledged, where {own} was due."
                        )
                    });
                }
            }
        }
        self.compare(Rule::Frame, Rule::Frame);
    }

    fn send_answer(&mut self, message: &TracedMessage) {
        if message.to == self.event.nid {
            self.append(message.index);
            return self.compare(Rule::Frame, Rule::LeaderAppends);
        }
        let asked = self.copy.duty.take().filter(|duty| {
            duty.message.from == message.to
                && is_answer(self.event.name, message.kind, duty.message.kind)
                && !duty.follow
        });
        let Some(Duty { message: request, .. }) = asked else {
            self.holds(Rule::Unasked, false, |_| {
                format!("It sends a {:?} to member {}, which nothing asked for.", message.kind, message.to)
            });
            return self.compare(Rule::Frame, Rule::Frame);
        };
        let term = self.copy.term;
        if request.term < term {
            let plain = (message.term, message.index, message.reject) == (term, 0, false);
            self.holds(Rule::StaleChangesNothing, plain, |_| {
                format!(
                    "It answers a message of term {} with entry {}, in term {term}.",
                    request.term, message.index
                )
            });
            return self.compare(Rule::Frame, Rule::Frame);
        }
        match request.kind {
            TracedKind::MsgHeartbeat => {
                self.follow_commit(request.commit);
                self.compare(Rule::FollowerCommit, Rule::Frame);
            }
            TracedKind::MsgSnap => self.answer_snapshot(&request, message),
            _ => self.answer_append(&request, message),
        }
    }

    /// The commit index becomes at least this.
    fn follow_commit(&mut self, commit: u64) {
        let (from, to) = (self.copy.commit, self.copy.commit.max(commit));
        self.holds(Rule::CommitKnown, to <= self.copy.log.last(), |look| {
            format!(
                "Its leader names the commit index {commit}, and its log ends at {}.",
                look.copy.log.last()
            )
        });
        self.commits(Rule::FollowerCommit, from, to);
    }

    fn answer_snapshot(&mut self, request: &TracedMessage, message: &TracedMessage) {
        let (index, commit) = (request.entries, self.copy.commit);
        // It may have all of the snapshot without taking it.
        let jumps = self.event.state.commit == index
            && index > commit
            && self.copy.log.has(index, self.leader_term_at(index)) != Has::No;
        if jumps {
            self.commits(Rule::SnapshotTaken, commit, index);
        }
        let due = self.copy.commit;
        self.holds(Rule::SnapshotAnswered, message.index == due && !message.reject, |_| {
            format!("It answers a snapshot up to {index} with entry {}, where {due} was due.", message.index)
        });
        self.compare(Rule::SnapshotTaken, Rule::SnapshotTaken);
    }

    fn answer_append(&mut self, request: &TracedMessage, message: &TracedMessage) {
        let (index, log_term) = (request.index, request.log_term);
        let due = self.take_append(request, message);
        if let Some(taken) = due.taken {
            self.holds(Rule::AppendConsistent, taken != message.reject, |look| {
                format!(
                    "It {} an append after entry {index} of term {log_term}; its own entry there has term {}, and its log ended at {}.",
                    if message.reject { "refuses" } else { "takes" },
                    look.copy.log.at(index),
                    look.copy.log.last()
                )
            });
        }
        if message.reject {
            let most = index.min(self.copy.log.last());
            let hint = message.reject_hint;
            let sound = message.index == index
                && hint <= most
                && (message.log_term == 0 || self.copy.log.has(hint, message.log_term) != Has::No);
            self.holds(Rule::AppendAnswered, sound, |_| {
                format!(
                    "It refuses entry {} with the hint {hint} of term {}.",
                    message.index, message.log_term
                )
            });
            return self.compare(Rule::Frame, Rule::Frame);
        }
        self.holds(Rule::AppendAnswered, message.index == due.answer, |_| {
            format!("It acknowledges entry {}, where {} was due.", message.index, due.answer)
        });
        let (from, shown) = (self.copy.commit, self.event.log);
        if due.last.is_none() {
            // The trace does not show what it had after the new entries.
            self.copy.log.truncate(shown);
            self.copy.log.extend(shown, UNKNOWN);
        }
        self.commits(Rule::FollowerCommit, from, due.commit);
        let cut = due.last.is_some_and(|last| shown < last);
        let rule = if cut { Rule::CutAtConflict } else { Rule::AppendTaken };
        self.compare(Rule::FollowerCommit, rule);
    }

    /// Advances the log by an append.
    fn take_append(&mut self, request: &TracedMessage, answer: &TracedMessage) -> Appended {
        let (index, commit) = (request.index, self.copy.commit);
        let last = Some(self.copy.log.last());
        if index < commit {
            return Appended { taken: Some(true), answer: commit, last, commit };
        }
        let has = self.copy.log.has(index, request.log_term);
        let taken = match has {
            Has::Yes => true,
            Has::No => false,
            Has::Perhaps => !answer.reject,
        };
        let shows = (has != Has::Perhaps).then_some(taken);
        if !taken {
            return Appended { taken: shows, answer: answer.index, last, commit };
        }
        self.copy.log.learn(index, request.log_term);
        let terms = match self.trace.leaders.get(&request.term) {
            Some((_, log)) => log.after(index, request.entries),
            None => vec![UNKNOWN; request.entries as usize],
        };
        let end = index + request.entries;
        let mut shown = true;
        for (at, term) in (index + 1..).zip(terms) {
            match self.copy.log.has(at, term) {
                Has::Yes => {}
                Has::Perhaps => {
                    shown = false;
                    self.copy.log.learn(at, term);
                }
                Has::No => {
                    let replaces = at <= self.copy.log.last();
                    self.holds(Rule::CutAtConflict, !replaces || at > commit, |_| {
                        format!("An append replaces entry {at}, with the commit index {commit}.")
                    });
                    if replaces {
                        self.copy.cut = self.copy.cut.min(at);
                    }
                    self.copy.log.truncate(at - 1);
                    self.copy.log.push(term);
                }
            }
        }
        let commit = commit.max(request.commit.min(end));
        Appended { taken: shows, answer: end, last: shown.then(|| self.copy.log.last()), commit }
    }
}

/// Whether a message of this kind answers one of that kind.
fn is_answer(name: Name, kind: TracedKind, asked: TracedKind) -> bool {
    use TracedKind::*;
    match asked {
        MsgVote => name == Name::SendRequestVoteResponse,
        // An append answer also answers a heartbeat of a lower term.
        MsgHeartbeat => {
            matches!(kind, MsgHeartbeatResp | MsgAppResp) && name == Name::SendAppendEntriesResponse
        }
        MsgApp | MsgSnap => kind == MsgAppResp && name == Name::SendAppendEntriesResponse,
        _ => false,
    }
}
