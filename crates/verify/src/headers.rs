//! K1, of the headers of answers besides their revision, and of the status of members. It judges runs.
//!
//! In etcd, every header is filled with the id of the cluster, the id of the member that was asked, and the term of the
//! last entry that this member had applied (`server/etcdserver/api/v3rpc/header.go`; `server.go`, `setTerm`, which applying
//! an entry calls). So a header's term is one that the member had at some moment between the call and the answer: known
//! from the entries that it reported. Applied terms never go back while a process lives, so neither do those of headers
//! that one client gets from it, one after another. Headers of watch responses are filled when a response is made, between
//! the opening of the stream and its arrival.
//!
//! A status has an error "no leader" exactly if it names no leader (`v3rpc/maintenance.go`, `Status`), and says that a
//! downgrade is on, and to which version, only if one was asked for.
//!
//! Not judged: answers without a header (which ones have none is K1's); histories from elsewhere, where a client may have
//! asked another member than the history says; the term that a member has before it applies anything.

use api::etcdserverpb::downgrade_request::DowngradeAction;
use api::etcdserverpb::{ResponseHeader, StatusResponse};
use api::{Error, Request, Response};
use record::{EtcdFact, Event, Fact, History, MemberId, Members, Nanos, Operation, Record};

use crate::describe::{self, time};
use crate::oracle::Monitor;
use crate::{Oracle, Sheet, Violation};

/// How many violations are reported one by one.
const REPORTED_MAX: usize = 5;

/// Watches a run for what its headers must say.
#[derive(Clone, Debug)]
pub struct Headers {
    on: bool,
    /// For each member: when the term of its last applied entry changed, and to what; `None` if that is not known.
    terms: Members<Vec<(Nanos, Option<u64>)>>,
}

impl Headers {
    /// For a cluster of at most the members 1 to `members`, including those that join later. It watches nothing before
    /// [`Headers::configure`].
    pub fn new(members: u32) -> Headers {
        Headers { on: false, terms: Members::new(members, |_| Vec::new()) }
    }

    /// From now on it watches a run.
    pub fn configure(&mut self) {
        self.on = true;
    }

    /// A member has applied an entry of this term last.
    #[inline]
    fn applied(&mut self, at: Nanos, member: MemberId, term: Option<u64>) {
        if let Some(terms) = self.terms.get_mut(member)
            && terms.last().is_none_or(|(_, last)| *last != term)
        {
            terms.push((at, term));
        }
    }

    /// Whether a member had this term at some moment between two times.
    fn had(&self, member: MemberId, term: u64, from: Nanos, until: Nanos) -> bool {
        let Some(terms) = self.terms.get(member) else { return true };
        let begin = terms.partition_point(|(at, _)| *at < from).saturating_sub(1);
        let mut held = terms[begin..].iter().take_while(|(at, _)| *at <= until);
        held.any(|(_, held)| held.is_none_or(|held| held == term))
    }

    /// What is wrong with a header of this member, if anything is.
    fn wrong(
        &self,
        header: &ResponseHeader,
        member: MemberId,
        (from, until): (Nanos, Nanos),
        cluster: &mut Option<u64>,
    ) -> Option<String> {
        let known = *cluster.get_or_insert(header.cluster_id);
        if header.cluster_id == 0 || header.cluster_id != known {
            return Some(format!("the cluster {}, where others have {known}", header.cluster_id));
        }
        if header.member_id != member.raft_id() {
            return Some(format!("the member {}", header.member_id));
        }
        let term = header.raft_term;
        (!self.had(member, term, from, until)).then(|| {
            format!(
                "term {term}; between {} and {}, the member did not apply an entry of that term last",
                time(from),
                time(until)
            )
        })
    }

    /// Judges the answers and the watch responses of a history.
    fn judge(&self, history: &History, sheet: &mut Sheet) {
        let (mut cluster, mut looked, mut found) = (None, 0, Vec::new());
        for (number, operation) in history.operations.iter().enumerate() {
            let (Some(at), Some(response)) = (operation.returned(), operation.response()) else { continue };
            let mut says = None;
            if let Some(header) = response.header() {
                looked += 1;
                let wrong = self.wrong(header, operation.member, (operation.call, at), &mut cluster);
                says = wrong
                    .map(|wrong| ("the header of an answer is wrong", format!("The header names {wrong}.")));
            }
            if let Response::Status(status) = response {
                let wrong = wrong_status(status, at, history);
                says = says.or(wrong.map(|wrong| ("a status contradicts itself", wrong)));
            }
            if let Some((title, wrong)) = says {
                let violation = Violation::new(Oracle::K1, at, title)
                    .say(format!(
                        "The answer of member {}: {}.",
                        operation.member,
                        describe::operation(operation)
                    ))
                    .say(wrong);
                found.push(violation.shown_by([number]));
            }
        }
        for (number, stream) in history.watches.iter().enumerate() {
            for (at, response) in &stream.received {
                let Some(header) = &response.header else { continue };
                looked += 1;
                if let Some(wrong) = self.wrong(header, stream.member, (stream.opened, *at), &mut cluster) {
                    let violation = Violation::new(Oracle::K1, *at, "the header of a watch response is wrong")
                        .say(format!("A response to client {} on watch stream {number}, of member {}: its header names {wrong}.", stream.client, stream.member));
                    found.push(violation);
                }
            }
        }
        sheet.checked(Oracle::K1, "headers", looked);
        found.sort_by_key(|one| one.time);
        found.truncate(REPORTED_MAX);
        sheet.add_all(found);
    }
}

/// What is wrong with a status, if anything is.
fn wrong_status(status: &StatusResponse, at: Nanos, history: &History) -> Option<String> {
    let says_none = status.errors.iter().any(|error| error == Error::NoLeader.text());
    if says_none != (status.leader == 0) {
        let leader = MemberId::from_raft(status.leader);
        return Some(format!(
            "The status names the leader {leader}, and has the errors {:?}.",
            status.errors
        ));
    }
    let downgrade = status.downgrade_info.as_ref()?;
    if downgrade.enabled == downgrade.target_version.is_empty() {
        return Some(format!("The status says of a downgrade: {downgrade:?}."));
    }
    let asked = |operation: &Operation| {
        matches!(&operation.request, Request::Downgrade(request)
            if request.action == DowngradeAction::Enable as i32 && operation.call <= at)
    };
    let unasked = downgrade.enabled && !history.operations.iter().any(asked);
    unasked.then(|| {
        format!(
            "The status says that a downgrade is on, to {}; nobody had asked for one.",
            downgrade.target_version
        )
    })
}

impl Monitor for Headers {
    #[inline]
    fn event(&mut self, event: &Event, _: &mut Sheet) {
        if !self.on {
            return;
        }
        let Fact::Own(own) = &event.fact else { return };
        match own {
            EtcdFact::Applied { term, .. } | EtcdFact::SnapshotInstalled { term, .. } => {
                self.applied(event.time, event.member, Some(*term));
            }
            EtcdFact::Recovered { consistent_index, before, entries, .. } => {
                let before = (*consistent_index == before.0).then_some(before.1);
                let entry = entries.iter().find(|entry| entry.index == *consistent_index);
                self.applied(event.time, event.member, entry.map(|entry| entry.term).or(before));
            }
            _ => {}
        }
    }

    fn end(&mut self, record: &Record, sheet: &mut Sheet) {
        if self.on {
            self.judge(&record.history, sheet);
        }
    }
}

#[cfg(test)]
mod tests {
    use api::etcdserverpb::{DowngradeInfo, DowngradeRequest, PutRequest, PutResponse, StatusRequest};
    use record::Outcome;

    use super::*;

    /// What is wrong with this answer of member 2, called at 20 and answered at 40, of which it applied entries of term 3
    /// from 10 on, of term 5 from 30 on, and of term 6 from 50 on.
    fn wrong(request: Request, response: Response, others: &[Operation]) -> bool {
        let mut headers = Headers::new(3);
        headers.configure();
        let two = MemberId::new(2);
        for (at, term) in [(10, 3), (30, 5), (50, 6)] {
            headers.applied(at, two, Some(term));
        }
        let outcome = Outcome::Answer { at: 40, response };
        let operation =
            Operation { client: 1, member: two, user: None, request, streamed: false, call: 20, outcome };
        let operations = [others, &[operation]].concat();
        let record = Record { history: History { operations, ..History::default() }, ..Record::default() };
        let mut sheet = Sheet::default();
        headers.end(&record, &mut sheet);
        !sheet.into_verdict().holds()
    }

    fn header(cluster_id: u64, member_id: u64, raft_term: u64) -> Option<ResponseHeader> {
        Some(ResponseHeader { cluster_id, member_id, revision: 1, raft_term })
    }

    #[test]
    fn a_header_names_cluster_member_and_a_term_of_the_call() {
        let put =
            |header| wrong(PutRequest::default().into(), PutResponse { header, prev_kv: None }.into(), &[]);
        assert!(!put(header(9, 2, 3)) && !put(header(9, 2, 5)) && !put(None));
        assert!(put(header(9, 2, 6)), "the term is from the future");
        assert!(put(header(9, 2, 4)), "it never applied an entry of that term");
        assert!(put(header(9, 1, 5)), "another member");
        assert!(put(header(0, 2, 5)), "no cluster");
        assert!(put(header(0, 0, 0)));
    }

    #[test]
    fn a_status_agrees_with_itself() {
        let status = |leader: u64, errors: &[&str], downgrade: Option<(bool, &str)>, others: &[Operation]| {
            let errors = errors.iter().map(|error| error.to_string()).collect();
            let downgrade_info = downgrade
                .map(|(enabled, version)| DowngradeInfo { enabled, target_version: version.to_string() });
            let response = StatusResponse {
                header: header(9, 2, 3),
                leader,
                errors,
                downgrade_info,
                ..StatusResponse::default()
            };
            wrong(StatusRequest::default().into(), response.into(), others)
        };
        let none = Error::NoLeader.text();
        assert!(!status(3, &[], None, &[]) && !status(0, &[none], Some((false, "")), &[]));
        assert!(status(0, &[], None, &[]) && status(3, &[none], None, &[]));
        assert!(status(3, &[], Some((true, "")), &[]) && status(3, &[], Some((true, "3.6.0")), &[]));
        let request = DowngradeRequest { action: DowngradeAction::Enable as i32, version: "3.6".to_string() };
        let asked = Operation {
            client: 3,
            member: MemberId::new(1),
            user: None,
            request: request.into(),
            streamed: false,
            call: 5,
            outcome: Outcome::Unknown { gave_up: 9 },
        };
        assert!(!status(3, &[], Some((true, "3.6.0")), &[asked]));
    }
}
