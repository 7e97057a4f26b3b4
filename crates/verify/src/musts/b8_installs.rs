//! B8, of snapshots: the content of a leader's snapshot replaces that of the backend as soon as it can.
//!
//! Derivation. Until it does, the backend holds a state from before the snapshot, and a start has to install the snapshot
//! from its file again (`docs/member.md`). Nothing is worth waiting for: the installation is handed to the backend in the
//! step that installs the snapshot, or in the one in which the backend's commit under way is durable. A marker that is
//! being written to the log comes before it (two saves, 2 d). A second, our choice, and 2 d more are allowed.
//!
//! Premises: no fault of the member, its disk or its clock is active from the installation until the bound. The member
//! works on no defragmentation, whose copies are in no fact.

use api::Request;
use record::{MemberId, Members, Nanos, Record};

use super::cluster::Cluster;
use super::counts::{Premise, Tally};
use super::requests::Requests;
use super::setup::Setup;
use super::speed::Speed;
use crate::describe::time;
use crate::{Oracle, Sheet, Violation};

/// How long a member may take to look after it: our choice.
const LOOKS: Nanos = 1_000_000_000;

/// A snapshot that a member has installed.
#[derive(Clone, Copy, Debug)]
struct Install {
    member: MemberId,
    at: Nanos,
    /// When no commit was under way any more; `None` if one still is.
    ready: Option<Nanos>,
    /// When the next commit began, with which it replaces the backend's content; `None` if none has.
    began: Option<Nanos>,
}

/// What is known of a member's backend.
#[derive(Clone, Copy, Debug, Default)]
struct Backend {
    /// Whether a commit is under way.
    commits: bool,
    /// The first snapshot that is installed and has not begun to replace the content.
    waits: Option<Install>,
}

/// The must.
#[derive(Clone, Debug)]
pub(super) struct Installs {
    members: Members<Backend>,
    over: Vec<Install>,
}

impl Installs {
    pub fn new(members: u32) -> Installs {
        Installs { members: Members::new(members, |_| Backend::default()), over: Vec::new() }
    }

    /// A member has installed a leader's snapshot.
    pub fn installed(&mut self, at: Nanos, member: MemberId) {
        let Some(backend) = self.members.get_mut(member) else { return };
        let ready = (!backend.commits).then_some(at);
        backend.waits.get_or_insert(Install { member, at, ready, began: None });
    }

    /// A member's commit begins.
    pub fn commits(&mut self, at: Nanos, member: MemberId) {
        let Some(backend) = self.members.get_mut(member) else { return };
        backend.commits = true;
        self.over.extend(backend.waits.take().map(|install| Install { began: Some(at), ..install }));
    }

    /// It is durable.
    #[inline]
    pub fn durable(&mut self, at: Nanos, member: MemberId) {
        let Some(backend) = self.members.get_mut(member) else { return };
        backend.commits = false;
        if let Some(install) = &mut backend.waits {
            install.ready.get_or_insert(at);
        }
    }

    /// A process has ended: its next start installs the snapshot from its file.
    pub fn stopped(&mut self, member: MemberId, tally: &mut Tally) {
        let Some(backend) = self.members.get_mut(member) else { return };
        if std::mem::take(backend).waits.is_some() {
            tally.skipped(Premise::Health);
        }
    }

    /// Judges all snapshots.
    pub fn judge(
        &self,
        record: &Record,
        requests: &Requests,
        (setup, cluster, speed): (&Setup, &Cluster, &Speed),
        tally: &mut Tally,
        sheet: &mut Sheet,
    ) {
        let over = record.stats.virtual_ns;
        let mut late = None;
        for install in
            self.over.iter().chain(self.members.values().filter_map(|backend| backend.waits.as_ref()))
        {
            let Install { member, at, ready: Some(ready), began } = *install else {
                tally.skipped(Premise::Patience);
                continue;
            };
            let end = began.unwrap_or(over);
            let bound = setup.longest_of(LOOKS) + 4 * speed.worst(at, end).saves;
            let due = ready + bound;
            if began.is_none() && end <= due {
                tally.skipped(Premise::Patience);
            } else if cluster.free_until(member, at).is_none_or(|until| until < end.min(due)) {
                tally.skipped(Premise::Health);
            } else if defragments(record, requests, member, at, end) {
                tally.skipped(Premise::Nature);
            } else {
                tally.judged();
                if end > due {
                    late.get_or_insert_with(|| violation(*install, ready, bound));
                }
            }
        }
        sheet.add_all(late);
    }
}

/// Whether a member works on a defragmentation between two times.
fn defragments(record: &Record, requests: &Requests, member: MemberId, from: Nanos, to: Nanos) -> bool {
    let asked = record.history.operations.iter().enumerate();
    let mut all = asked.filter(|(_, one)| matches!(one.request, Request::Defragment(_)));
    all.any(|(number, _)| {
        let taken = requests.get(number).filter(|taken| taken.member == member && taken.at <= to);
        taken.is_some_and(|taken| taken.over.is_none_or(|over| over >= from))
    })
}

fn violation(Install { member, at, began, .. }: Install, ready: Nanos, bound: Nanos) -> Violation {
    let was = match began {
        Some(began) => format!("it began to at {}", time(began)),
        None => "it never began to".to_string(),
    };
    let sentence = format!(
        "Member {member} installed a leader's snapshot at {}, and from {} on nothing kept it from writing it to its backend; \
         it ran freely and had to begin within {}, but {was}.",
        time(at),
        time(ready),
        time(bound)
    );
    let title = format!("member {member} keeps its backend behind a leader's snapshot");
    Violation::new(Oracle::B8, ready + bound, title).say(sentence)
}
