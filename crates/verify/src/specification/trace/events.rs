//! What each event does to a member (*Restart*, *Timeout*, *BecomeLeader*, *ClientRequest*, *AdvanceCommitIndex*,
//! *ApplySimpleConfChange* in etcd-io/raft's `tla/etcdraft.tla`). Messages are in `messages`.

use record::MemberId;
use record::step::Configuration;

use super::Look;
use super::copy::{Copy, Has, Joint, UNKNOWN, configuration};
use super::line::{Action, Name, SingleChange, TracedKind, TracedMessage, TracedRole};
use crate::specification::quorum::{self, Outcome};
use crate::specification::rule::Rule;
use crate::specification::text::who;

impl Look<'_> {
    /// Judges the event. `before` is what was known of the member's last process, if another one starts.
    pub(super) fn perform(&mut self, message: Option<&TracedMessage>, before: Option<&Copy>) {
        let name = self.event.name;
        if self.copy.starting {
            let goes_on = matches!(name, Name::InitState | Name::BecomeFollower | Name::ApplyConfChange);
            if goes_on {
                return self.start(before);
            }
            self.started();
        }
        self.due_before(name, message);
        match (name, message) {
            (Name::BecomeCandidate, _) => self.become_candidate(),
            (Name::BecomeFollower, _) => self.become_follower(),
            (Name::BecomeLeader, _) => self.become_leader(),
            (Name::Replicate, _) => self.propose(None),
            (Name::ChangeConf, _) => self.propose_change(),
            (Name::ApplyConfChange, _) => self.apply_change(),
            (Name::Commit, _) => self.commit(),
            (_, Some(message)) => self.message(message),
            // A ready changes nothing that the trace shows.
            (_, None) => self.compare(Rule::Frame, Rule::Frame),
        }
    }

    /// What a process starts with.
    fn start(&mut self, before: Option<&Copy>) {
        let event = self.event;
        let follows = event.role == TracedRole::Follower;
        self.holds(Rule::Restart, follows, |_| format!("It starts as {:?}.", event.role));
        if event.name == Name::InitState
            && let Some(before) = before
        {
            let (log, most) = (event.log, before.log.last());
            let sound = log <= most || before.cut < u64::MAX || before.starting;
            self.holds(Rule::Restart, sound, |_| {
                format!("Its log ends at {log} after a restart, and ended at {most} before.")
            });
        }
        let shown = event.state;
        (self.copy.term, self.copy.vote) = (shown.term, shown.vote);
        // A new cluster puts its first members into the log without any message.
        let term = shown.term;
        self.copy.log.truncate(event.log);
        self.copy.log.extend(event.log, term);
        self.commits(Rule::CommitKnown, self.copy.commit, shown.commit);
        self.copy.configuration = configuration(event);
        if let (Name::ApplyConfChange, Some(change)) = (event.name, &event.prop.cc) {
            self.copy.configuration.voters = sorted(&change.newconf);
        }
    }

    /// The first event of a process after its start.
    fn started(&mut self) {
        self.copy.starting = false;
        self.copy.configuration.outgoing = configuration(self.event).outgoing;
        self.trace.unseen = self.trace.unseen.max(self.copy.log.last());
    }

    fn become_candidate(&mut self) {
        let (own, term, role) = (self.event.nid, self.copy.term, self.copy.role);
        self.holds(Rule::RoleChanges, role != TracedRole::Leader, |_| {
            format!("It becomes a candidate, although it led term {term}.")
        });
        let voter = self.copy.configuration.has_voter(own);
        self.holds(Rule::CampaignVotersOnly, voter, |_| "It campaigns, but it is no voter.".to_string());
        if let Some(applied) = self.copy.applied.filter(|_| !self.trace.changes_unclear) {
            let open = self.trace.change(&self.copy.log, applied, self.copy.commit).map(|(index, _)| index);
            self.holds(Rule::CampaignGuard, open.is_none(), |_| {
                format!(
                    "It campaigns, while the change of the configuration in entry {} is committed and not applied.",
                    open.unwrap_or(0)
                )
            });
        }
        self.copy.begin(term + 1, TracedRole::Candidate);
        self.copy.vote = own;
        self.copy.to_ask = self.copy.configuration.all_voters().into_iter().filter(|id| *id != own).collect();
        self.compare(Rule::Frame, Rule::Frame);
    }

    fn become_follower(&mut self) {
        let (term, role, now) = (self.copy.term, self.copy.role, self.event.state.term);
        let duty = self.copy.duty.as_mut().filter(|duty| duty.follow);
        let asked = duty.map(|duty| {
            // It took the message, so it answers.
            (duty.follow, duty.optional) = (false, false);
            duty.message.clone()
        });
        if now > term {
            // Messages that the trace does not have carry terms, too. But some member must have had that term.
            let known = match &asked {
                Some(message) => message.term == now,
                None => self.trace.leads_or_had(now, self.event.nid),
            };
            self.holds(Rule::TermMoves, known, |_| {
                format!("It goes from term {term} to {now}, which no message brought.")
            });
        } else if asked.is_none() && role == TracedRole::Candidate {
            let lost = quorum::outcome(&self.copy.configuration, &self.copy.votes) == Outcome::Lost;
            // A commit index that came with a refused vote may have committed a change (raft 0.7.0; CampaignGuard).
            let (offered, applied) = (self.copy.offered_commit, self.copy.applied.unwrap_or(0));
            let stops =
                offered > self.copy.commit && self.trace.change(&self.copy.log, applied, offered).is_some();
            self.holds(Rule::WonByQuorum, lost || stops, |look| {
                format!("It gives up its candidacy for term {term} with the answers {}.", look.votes())
            });
        }
        self.copy.begin(now.max(term), TracedRole::Follower);
        if let Some(message) = asked.filter(|message| message.term == now) {
            self.copy.heard_leader = from_leader(message.kind);
        }
        self.compare(Rule::Frame, Rule::Frame);
    }

    fn become_leader(&mut self) {
        let (own, term, role) = (self.event.nid, self.copy.term, self.copy.role);
        self.holds(Rule::RoleChanges, role == TracedRole::Candidate, |_| {
            format!("It becomes the leader of term {term}, and was {role:?}.")
        });
        let won = quorum::outcome(&self.copy.configuration, &self.copy.votes) == Outcome::Won;
        self.holds(Rule::WonByQuorum, won, |look| {
            format!("It becomes the leader of term {term} with the answers {}.", look.votes())
        });
        let other = self.trace.leaders.get(&term).map(|(leader, _)| *leader).filter(|leader| *leader != own);
        self.holds(Rule::OneLeader, other.is_none(), |_| {
            format!("It leads term {term}, and so does {}.", who(other.unwrap_or_default()))
        });
        let last = self.copy.log.last();
        self.copy.begin(term, TracedRole::Leader);
        self.copy.begun = false;
        self.copy.acknowledged.insert(own, last);
        // Whoever leads has all that is committed (paper, 5.4).
        for index in 1..=self.trace.committed.last() {
            let known = self.trace.committed.at(index);
            if known != UNKNOWN && known < term && self.copy.log.has(index, known) == Has::No {
                self.holds(Rule::VoteUpToDate, false, |look| {
                    format!(
                        "It leads term {term} with a log up to {last}, which lacks entry {index} of term {}, which is committed.",
                        look.trace.committed.at(index)
                    )
                });
                break;
            }
        }
        self.trace.leaders.insert(term, (own, self.copy.log.clone()));
        self.compare(Rule::Frame, Rule::Frame);
    }

    /// The answers that a candidate has received, as text.
    fn votes(&self) -> String {
        let one = |(voter, granted): &(MemberId, bool)| {
            format!("{} from member {voter}", if *granted { "yes" } else { "no" })
        };
        let all: Vec<String> = self.copy.votes.iter().map(one).collect();
        if all.is_empty() { "of nobody".to_string() } else { all.join(", ") }
    }

    /// A leader takes a proposal. It is in the log by the time the leader acknowledges its own entries.
    fn propose(&mut self, change: Option<Vec<SingleChange>>) {
        let role = self.copy.role;
        self.holds(Rule::LeaderAppends, role == TracedRole::Leader, |_| {
            format!("It takes a proposal, although it is {role:?}.")
        });
        self.copy.proposed.push(change);
        self.compare(Rule::Frame, Rule::LeaderAppends);
    }

    fn propose_change(&mut self) {
        let change = self.event.prop.cc.clone().unwrap_or_default();
        if let Some(applied) = self.copy.applied.filter(|_| !self.trace.changes_unclear) {
            let open =
                self.trace.change(&self.copy.log, applied, self.copy.log.last()).map(|(index, _)| index);
            self.holds(Rule::OneChangeAtATime, open.is_none(), |_| {
                format!(
                    "It takes a change of the configuration, but has not applied the one in entry {}.",
                    open.unwrap_or(0)
                )
            });
        }
        self.propose(Some(change.changes));
    }

    /// A leader's log has grown to `last`.
    pub(super) fn append(&mut self, last: u64) {
        let (term, before) = (self.copy.term, self.copy.log.last());
        let proposed = std::mem::take(&mut self.copy.proposed);
        let (added, least) =
            (last.saturating_sub(before), proposed.iter().filter(|one| one.is_none()).count());
        // An entry that leaves a joint configuration is added without an event of its own.
        let leaves = self.copy.configuration.is_joint() && added > proposed.len() as u64;
        let fits = last >= before && added >= least as u64 && (added <= proposed.len() as u64 || leaves);
        self.holds(Rule::LeaderAppends, fits, |_| {
            format!(
                "Its log grows from {before} to {last}, and it has taken {} proposals since it last grew.",
                proposed.len()
            )
        });
        if !std::mem::replace(&mut self.copy.begun, true) {
            self.holds(Rule::LeaderBegins, added == 1 && least == 1, |_| {
                format!("It begins to lead term {term} with {added} new entries.")
            });
        }
        let changes = proposed.iter().filter(|one| one.is_some()).count();
        match &proposed[..] {
            [] if leaves && added == 1 => _ = self.trace.changes.insert((last, term), Vec::new()),
            [Some(change)] if added == 1 => _ = self.trace.changes.insert((last, term), change.clone()),
            _ => self.trace.changes_unclear |= changes > 0 || leaves,
        }
        self.copy.log.truncate(last);
        self.copy.log.extend(last, term);
        if let Some((leader, log)) = self.trace.leaders.get_mut(&term)
            && *leader == self.event.nid
        {
            log.truncate(last);
            log.extend(last, term);
        }
    }

    fn apply_change(&mut self) {
        let change = self.event.prop.cc.clone().unwrap_or_default();
        let new = sorted(&change.newconf);
        let snapshot = self.copy.duty.as_ref().filter(|duty| duty.message.kind == TracedKind::MsgSnap);
        if let Some(index) = snapshot.map(|duty| duty.message.entries) {
            return self.install(index, new);
        }
        self.compare(Rule::Frame, Rule::Frame);
        let before = self.copy.configuration.clone();
        self.judge_change(&before, &new);
        let joint = before.is_joint();
        self.copy.joint = if joint { Joint::Known } else { Joint::Perhaps(before.voters.clone()) };
        self.copy.configuration = Configuration { voters: new, ..Configuration::default() };
        self.copy.reconfigured = true;
    }

    /// A change is applied: it must be the next one of the log, and have its effect.
    fn judge_change(&mut self, before: &Configuration, new: &[MemberId]) {
        let Some(applied) = self.copy.applied.filter(|_| !self.trace.changes_unclear) else { return };
        let found = self.trace.change(&self.copy.log, applied, self.copy.commit);
        let found = found.map(|(index, changes)| (index, changes.clone()));
        // Changes from before the trace are not known.
        let unseen = applied < self.trace.unseen;
        let Some((index, changes)) = found else {
            let commit = self.copy.commit;
            self.holds(Rule::ConfigurationApplied, unseen, |_| {
                format!("It applies a change, but up to its commit index {commit} its log has none after {applied}.")
            });
            return;
        };
        let mut due = before.voters.clone();
        for change in &changes {
            due.retain(|voter| *voter != change.nid);
            if change.action == Action::AddNewServer {
                due.push(change.nid);
            }
        }
        due.sort_unstable();
        if unseen && new != due {
            return;
        }
        // A host may refuse a change: it then applies one that changes nothing.
        self.holds(Rule::ConfigurationApplied, new == due || new == before.voters, |_| {
            format!(
                "After the change in entry {index} its voters are {}, where {} were due.",
                list(new),
                list(&due)
            )
        });
        self.copy.applied = Some(index);
        self.agree(index, new);
    }

    /// All members must have the same voters after the entry at `index`.
    fn agree(&mut self, index: u64, voters: &[MemberId]) {
        let known = self.trace.configurations.entry(index).or_insert_with(|| voters.to_vec()).clone();
        self.holds(Rule::ConfigurationsAgree, known == voters, |_| {
            format!("Its voters after entry {index} are {}, and others have {}.", list(voters), list(&known))
        });
    }

    /// A snapshot up to `index` replaces the log.
    fn install(&mut self, index: u64, voters: Vec<MemberId>) {
        let (commit, has) = (self.copy.commit, self.copy.log.has(index, self.leader_term_at(index)));
        self.holds(Rule::SnapshotTaken, index > commit && has != Has::Yes, |look| {
            format!(
                "It takes a snapshot up to {index}, with the commit index {commit} and a log up to {}.",
                look.copy.log.last()
            )
        });
        let term = self.copy.term;
        let terms = self.trace.leaders.get(&term).map(|(_, log)| log.after(0, index));
        self.copy.log.truncate(0);
        terms.into_iter().flatten().for_each(|term| self.copy.log.push(term));
        self.copy.log.extend(index, UNKNOWN);
        self.commits(Rule::SnapshotTaken, index, index);
        self.copy.applied = Some(index);
        self.copy.cut = 1;
        // The new voters are in force only after the event.
        self.copy.configuration = configuration(self.event);
        self.compare(Rule::SnapshotTaken, Rule::SnapshotTaken);
        let known = self.trace.configurations.range(..=index).next_back().map(|(_, known)| known.clone());
        if let Some(known) = known.filter(|_| !self.trace.changes_unclear) {
            self.holds(Rule::ConfigurationsAgree, known == voters, |_| {
                format!(
                    "The snapshot up to {index} has the voters {}, and others have {}.",
                    list(&voters),
                    list(&known)
                )
            });
        }
        self.copy.configuration = Configuration { voters, ..Configuration::default() };
        self.copy.joint = Joint::Unknown;
    }

    fn commit(&mut self) {
        let (from, to, term, role) =
            (self.copy.commit, self.event.state.commit, self.copy.term, self.copy.role);
        self.holds(Rule::CommitQuorum, role == TracedRole::Leader, |_| {
            format!("It counts a quorum, although it is {role:?}.")
        });
        let acknowledged = |look: &Look<'_>, id| look.copy.acknowledged.get(&id).copied().unwrap_or(0);
        // Whether the configuration is joint must be known first.
        if let Joint::Perhaps(outgoing) = &self.copy.joint
            && configuration(self.event).outgoing == *outgoing
        {
            self.copy.configuration.outgoing.clone_from(outgoing);
        }
        if to > from {
            let has = quorum::has(&self.copy.configuration, |id| acknowledged(self, id) >= to);
            self.holds(Rule::CommitQuorum, has, |look| {
                let one = |id: &MemberId| format!("member {id} up to {}", acknowledged(look, *id));
                let all: Vec<String> = look.copy.configuration.all_voters().iter().map(one).collect();
                format!("Its commit index moves from {from} to {to}; acknowledged is: {}.", all.join(", "))
            });
            let of = self.copy.log.at(to);
            if of != UNKNOWN {
                self.holds(Rule::CommitOwnTerm, of == term, |_| {
                    format!(
                        "Its commit index moves to {to}, an entry of term {of}, although it leads term {term}."
                    )
                });
            }
            self.commits(Rule::CommitQuorum, from, to);
        } else if !self.copy.reconfigured {
            let due = quorum::matched(&self.copy.configuration, |id| acknowledged(self, id));
            let late = due > from && due <= self.copy.log.last() && self.copy.log.at(due) == term;
            self.holds(Rule::CommitDue, !late, |_| {
                format!(
                    "It leaves its commit index at {from}, although a quorum has acknowledged up to {due}."
                )
            });
        }
        self.compare(Rule::CommitQuorum, Rule::Frame);
    }

    /// The term of an entry in the log of the leader of the current term.
    pub(super) fn leader_term_at(&self, index: u64) -> u64 {
        self.trace.leaders.get(&self.copy.term).map_or(UNKNOWN, |(_, log)| log.at(index))
    }
}

impl super::Trace {
    /// Whether another member had this term already.
    fn leads_or_had(&self, term: u64, own: MemberId) -> bool {
        self.leaders.contains_key(&term)
            || self.members.iter().any(|(id, copy)| *id != own && copy.term >= term)
            || self.sent.iter().any(|message| message.term >= term && message.from != own)
    }
}

/// Whether only a leader sends messages of this kind.
pub(super) fn from_leader(kind: TracedKind) -> bool {
    matches!(kind, TracedKind::MsgApp | TracedKind::MsgHeartbeat | TracedKind::MsgSnap)
}

/// The voters, sorted.
fn sorted(voters: &[MemberId]) -> Vec<MemberId> {
    let mut voters = voters.to_vec();
    voters.sort_unstable();
    voters
}

/// `1, 2, 3`.
fn list(voters: &[MemberId]) -> String {
    let all: Vec<String> = voters.iter().map(MemberId::to_string).collect();
    if all.is_empty() { "none".to_string() } else { all.join(", ") }
}
