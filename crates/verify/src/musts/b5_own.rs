//! B5, of what a member proposes on its own: it can change something.
//!
//! Derivation. The leader looks every few seconds whether the cluster must speak another version, and proposes that
//! version if it is not the one that holds (`server/etcdserver/version/monitor.go`, `UpdateClusterVersionIfNeeded`). A
//! member proposes its name and client URLs until it has applied them, and waits for each attempt for the request timeout
//! (`server/etcdserver/server.go`, `publishV3`). So no member proposes a version that holds in the state that it has
//! applied, nor a name that is known there; and between two attempts of one process to publish lies a request timeout, by
//! its own clock.
//!
//! What holds is known from the members, which report the entries that they apply. A process that starts, or installs a
//! snapshot, has what the log says up to there.
//!
//! Premises: none, as both are about the proposer's own state.
//!
//! Not judged: the version that holds before any is set; compactions of a leader, which may come after those of a client
//! (etcd takes "compacted" for success); alarms, revocations (L4, B8) and checkpoints (L4).

use std::collections::BTreeMap;

use record::inner::Own;
use record::{MemberId, Members, Nanos};

use super::counts::Tally;
use super::setup::Setup;
use crate::{Oracle, Sheet, Violation};

/// The must.
#[derive(Clone, Debug)]
pub(super) struct OwnProposals {
    members: Members<Process>,
    /// The versions in the log, by their index.
    versions: BTreeMap<u64, String>,
    /// The names in the log, by their index.
    names: BTreeMap<u64, Own>,
    reported: bool,
}

/// What a process has applied and proposed.
#[derive(Clone, Debug, Default)]
struct Process {
    version: Option<String>,
    name: Option<Own>,
    /// When it last proposed its name, by its clock.
    published: Option<u64>,
}

impl OwnProposals {
    pub fn new(members: u32) -> OwnProposals {
        OwnProposals {
            members: Members::new(members, |_| Process::default()),
            versions: BTreeMap::new(),
            names: BTreeMap::new(),
            reported: false,
        }
    }

    /// A process starts.
    pub fn started(&mut self, member: MemberId) {
        if let Some(process) = self.members.get_mut(member) {
            *process = Process::default();
        }
    }

    /// A process has the state after this entry, without having applied it.
    pub fn loaded(&mut self, member: MemberId, index: u64) {
        let Some(process) = self.members.get_mut(member) else { return };
        process.version = self.versions.range(..=index).next_back().map(|(_, version)| version.clone());
        let of_it = |own: &&Own| matches!(own, Own::Name { member: of, .. } if *of == member);
        process.name = self.names.range(..=index).rev().map(|(_, own)| own).find(of_it).cloned();
    }

    /// A member applies what some member has proposed on its own.
    pub fn applies(&mut self, member: MemberId, index: u64, what: &Own) {
        match what {
            Own::Version(version) => {
                self.versions.entry(index).or_insert_with(|| version.clone());
                if let Some(process) = self.members.get_mut(member) {
                    process.version = Some(version.clone());
                }
            }
            Own::Name { member: of, .. } => {
                self.names.entry(index).or_insert_with(|| what.clone());
                if let Some(process) = self.members.get_mut(member).filter(|_| *of == member) {
                    process.name = Some(what.clone());
                }
            }
        }
    }

    /// A member proposes something on its own.
    pub fn proposes(
        &mut self,
        time: Nanos,
        (member, clock): (MemberId, u64),
        what: &Own,
        setup: &Setup,
        tally: &mut Tally,
        sheet: &mut Sheet,
    ) {
        let Some(process) = self.members.get_mut(member) else { return };
        tally.judged();
        let wrong = match what {
            Own::Version(version) if version.is_empty() => {
                Some("proposed a cluster version without a number".to_string())
            }
            Own::Version(version) => (process.version.as_ref() == Some(version))
                .then(|| format!("proposed the cluster version {version}, which it has applied")),
            Own::Name { .. } => {
                let last = process.published.replace(clock);
                if process.name.as_ref() == Some(what) {
                    Some("published its name and client URLs, which it has applied".to_string())
                } else {
                    let since = last.map(|last| clock.saturating_sub(last));
                    since.filter(|since| *since < setup.request_timeout).map(|since| {
                        format!("published its name {since} ns after it had done so, by its clock; it waits for {} ns", setup.request_timeout)
                    })
                }
            }
        };
        if let Some(wrong) = wrong.filter(|_| !std::mem::replace(&mut self.reported, true)) {
            let title = format!("member {member} proposes what can change nothing");
            sheet.add(Violation::new(Oracle::B5, time, title).say(format!("Member {member} {wrong}.")));
        }
    }
}
