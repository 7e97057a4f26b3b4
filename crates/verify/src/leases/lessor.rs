//! L4: the leader is the lessor, and gives each lease the time that it has.
//!
//! Derivation (etcd `lease/lessor.go`; `server/etcdserver/server.go`: `Promote` after the first entry of
//! the term, `Demote` when the role changes).
//!
//! - *Who.* A member becomes the lessor when it leads and applies the first entry of its term: only then does it have
//!   every grant and revocation of earlier terms. It stops being it in the step in which it stops leading.
//! - *Which times.* A new lessor gives each lease what the last checkpoint in the log says, or its whole TTL if there is
//!   none or the last one says 0, and an election timeout (`Promote(extend)`). A grant and a renewal give a lease its
//!   TTL. An expired lease is one whose time is over. The log before the first entry of its term is the same for all
//!   members, so what the last checkpoint says is known from any member that applied it.
//! - *Checkpoints.* A scheduled checkpoint records the time that is left, rounded up to a second, if there is some and it
//!   is less than the TTL (`findDueScheduledCheckpoints`). A checkpoint of 0 comes before a renewal: of a lease that has
//!   not expired, and of which a checkpoint is recorded or on its way (`Renew`).
//!
//! All times are readings of the lessor's own clock, which it reports, so that no rate of a clock matters. What the
//! member reports is what it did (the expiry that it has set, the checkpoint in its log); what that should be is computed
//! here.
//!
//! Premises: for the first part, the member is in its own configuration: one that applies its own removal steps down
//! before it reports that. For the second, the grant was applied in this run.
//!
//! Not judged: when checkpoints are made; how soon an expired lease is found (B8).

use std::collections::{BTreeMap, BTreeSet};

use record::inner::LeaseDeed;
use record::{EtcdFact, Event, Fact, Inner, MemberId, Members, Nanos, Record, Role};

use crate::oracle::Monitor;
use crate::{Oracle, Sheet, Violation, describe};

/// A second, in nanoseconds.
const SECOND: u64 = 1_000_000_000;
/// No member's monotonic clock gets this far: 10 years.
const YEARS: u64 = 10 * 365 * 24 * 3_600 * SECOND;

/// Watches the lessors of a run for L4.
#[derive(Clone, Debug)]
pub struct Lessor {
    /// What a new lessor adds to the time of each lease; `None` until it is told, and then nothing is judged.
    extension: Option<Nanos>,
    members: Members<Process>,
    /// Of each lease: its grants and checkpoints in the log.
    log: BTreeMap<i64, Vec<Entry>>,
    /// Whether some member still has to say that it is no longer the lessor.
    awaited: bool,
    /// What was reported of each member.
    reported: BTreeSet<(MemberId, &'static str)>,
    roles: usize,
    times: usize,
}

/// A grant or a checkpoint of a lease.
#[derive(Clone, Copy, Debug)]
struct Entry {
    index: u64,
    ttl: i64,
    /// What it says is left, in seconds; 0 if it does not say.
    left: i64,
}

/// What is known of a process.
#[derive(Clone, Debug, Default)]
struct Process {
    /// The term that it leads.
    leads: Option<u64>,
    /// Whether it is in its own configuration.
    belongs: bool,
    /// The first entry of that term, if it has applied it.
    first: Option<u64>,
    lessor: bool,
    /// Whether it has become the lessor with the entry that it reports next.
    begins: bool,
    /// Since when it does not lead any more, and is still the lessor.
    owes_end: Option<Nanos>,
    /// Of each lease: its TTL, and when it expires.
    times: BTreeMap<i64, Time>,
    /// Leases with a scheduled checkpoint that it has proposed and not applied.
    in_log: BTreeSet<i64>,
}

/// The time of a lease at its lessor.
#[derive(Clone, Copy, Debug, Default)]
struct Time {
    ttl: i64,
    /// When it expires; `None` if that is not known.
    expiry: Option<u64>,
    /// What the lessor has set.
    set: u64,
    /// What its last checkpoint says, as far as the lessor has applied it.
    left: i64,
}

impl Lessor {
    /// For a cluster of at most the members 1 to `members`, including those that join later. It watches nothing before
    /// [`Lessor::configure`].
    pub fn new(members: u32) -> Lessor {
        Lessor {
            extension: None,
            members: Members::new(members, |_| Process::default()),
            log: BTreeMap::new(),
            awaited: false,
            reported: BTreeSet::new(),
            roles: 0,
            times: 0,
        }
    }

    /// From now on it watches a run in which a new lessor adds this to the time of each lease.
    pub fn configure(&mut self, extension: Nanos) {
        self.extension = Some(extension);
    }

    /// A member does what it should not do. Each such thing is reported once of each member.
    #[cold]
    fn wrong(&mut self, time: Nanos, member: MemberId, title: &'static str, says: String, sheet: &mut Sheet) {
        if self.reported.insert((member, title)) {
            sheet.add(Violation::new(Oracle::L4, time, format!("member {member} {title}")).say(says));
        }
    }

    /// A member reports its role.
    fn role(&mut self, time: Nanos, member: MemberId, term: u64, role: Role) {
        let process = &mut self.members[member];
        if role != Role::Leader {
            process.leads = None;
            if process.lessor {
                process.owes_end = Some(time);
                self.awaited = true;
            }
        } else if process.leads != Some(term) {
            (process.leads, process.first) = (Some(term), None);
        }
    }

    /// A member says that it is the lessor now, or that it is not.
    fn lessor(&mut self, time: Nanos, member: MemberId, primary: bool, sheet: &mut Sheet) {
        self.roles += 1;
        let process = &mut self.members[member];
        let leads = process.leads;
        process.lessor = primary;
        if primary {
            process.begins = true;
            if leads.is_none() {
                let says = format!("Member {member} became the lessor, but it does not lead.");
                self.wrong(time, member, "is the lessor without leading", says, sheet);
            }
            return;
        }
        process.owes_end = None;
        process.times.clear();
        process.in_log.clear();
        if let Some(term) = leads.filter(|_| process.belongs) {
            let says = format!("Member {member} stopped being the lessor, but it leads term {term}.");
            self.wrong(time, member, "leads without being the lessor", says, sheet);
        }
    }

    /// A member has applied an entry. If it became the lessor with it, it has said so before.
    #[inline]
    fn applied(&mut self, time: Nanos, member: MemberId, (index, term): (u64, u64), sheet: &mut Sheet) {
        let process = &mut self.members[member];
        let is_first = process.leads == Some(term) && process.first.is_none();
        if !is_first && !process.begins {
            return;
        }
        let began = std::mem::take(&mut process.begins);
        if is_first {
            process.first = Some(index);
            if !began && process.belongs {
                let says = format!(
                    "Member {member}, which leads term {term}, applied the first entry of that term, number {index}, and did not \
                     become the lessor."
                );
                self.wrong(time, member, "leads without being the lessor", says, sheet);
            }
        } else {
            let says = format!(
                "Member {member} became the lessor with entry {index} of term {term}, which is not the first entry of the term \
                 that it leads."
            );
            self.wrong(time, member, "becomes the lessor at the wrong entry", says, sheet);
        }
    }

    /// A member was to say in an earlier step that it is no longer the lessor.
    #[cold]
    fn look_for_end(&mut self, time: Nanos, member: MemberId, sheet: &mut Sheet) {
        let Some(process) = self.members.get_mut(member) else { return };
        if let Some(since) = process.owes_end.filter(|since| *since < time) {
            process.owes_end = None;
            self.awaited = false;
            let says = format!(
                "Member {member} does not lead any more since {}, and is still the lessor.",
                crate::describe::time(since)
            );
            self.wrong(time, member, "stays the lessor", says, sheet);
        }
    }

    /// A lessor, or a member that applies an entry, does something with a lease.
    fn deed(
        &mut self,
        time: Nanos,
        (member, id): (MemberId, i64),
        what: LeaseDeed,
        clock: u64,
        sheet: &mut Sheet,
    ) {
        let Some(extension) = self.extension else { return };
        if !self.members.contains(member) {
            return;
        }
        match what {
            LeaseDeed::Created { index, ttl } => {
                add(self.log.entry(id).or_default(), Entry { index, ttl, left: 0 });
            }
            LeaseDeed::Recorded { index, left } => {
                if let Some(entries) = self.log.get_mut(&id) {
                    let ttl = entries.last().map_or(0, |entry| entry.ttl);
                    add(entries, Entry { index, ttl, left });
                }
                let process = &mut self.members[member];
                process.in_log.remove(&id);
                if let Some(known) = process.times.get_mut(&id) {
                    known.left = left;
                }
            }
            LeaseDeed::Timed { expiry } => self.members[member].times.entry(id).or_default().set = expiry,
            LeaseDeed::TakenOver { .. } => {
                let process = &mut self.members[member];
                process.in_log.remove(&id);
                let until = process.first.unwrap_or(0);
                let entries = self.log.get(&id).map_or(&[][..], Vec::as_slice);
                let Some(entry) = entries.iter().rfind(|entry| entry.index <= until).copied() else {
                    process.times.remove(&id);
                    return;
                };
                let left = if entry.left > 0 { entry.left } else { entry.ttl };
                let expiry = after(clock, left).saturating_add(extension);
                let known = process.times.entry(id).or_default();
                (known.ttl, known.left) = (entry.ttl, entry.left);
                self.expires(
                    time,
                    (member, id),
                    expiry,
                    || {
                        let last = if entry.left > 0 {
                            "the last checkpoint says so"
                        } else {
                            "no checkpoint says less"
                        };
                        format!(
                            "took it over with {left} s ({last}) and an election timeout at {}",
                            describe::time(clock)
                        )
                    },
                    sheet,
                );
            }
            LeaseDeed::Granted { ttl } => {
                let process = &mut self.members[member];
                process.in_log.remove(&id);
                let known = process.times.entry(id).or_default();
                (known.ttl, known.left) = (ttl, 0);
                let says = || format!("granted it for {ttl} s at {}", describe::time(clock));
                self.expires(time, (member, id), after(clock, ttl), says, sheet);
            }
            LeaseDeed::Renewed { ttl } => {
                let process = &mut self.members[member];
                process.in_log.remove(&id);
                if process.times.get(&id).is_some_and(|known| known.expiry.is_some()) {
                    let says = || format!("renewed it for {ttl} s at {}", describe::time(clock));
                    self.expires(time, (member, id), after(clock, ttl), says, sheet);
                }
            }
            LeaseDeed::Expired { since } => {
                let Some(expiry) = self.members[member].times.get(&id).and_then(|known| known.expiry) else {
                    return;
                };
                self.times += 1;
                if clock < expiry || clock - expiry != since {
                    let says = format!(
                        "Member {member}, the lessor, found at {} by its clock that lease {id} expired {since} ns before. By its \
                         grant, its last renewal or the last change of the lessor, it expires at {}.",
                        describe::time(clock),
                        describe::time(expiry)
                    );
                    self.wrong(time, member, "finds a lease expired at the wrong time", says, sheet);
                }
            }
            LeaseDeed::Checkpoints { left } => self.checkpoints(time, (member, id), left, clock, sheet),
            LeaseDeed::Confirmed | LeaseDeed::Revokes | LeaseDeed::Answered { .. } => {}
        }
    }

    /// A lessor has set when a lease expires.
    fn expires(
        &mut self,
        time: Nanos,
        (member, id): (MemberId, i64),
        expiry: u64,
        why: impl FnOnce() -> String,
        sheet: &mut Sheet,
    ) {
        self.times += 1;
        let known = self.members[member].times.entry(id).or_default();
        known.expiry = Some(expiry);
        let set = known.set;
        if set != expiry {
            let says = format!(
                "Member {member}, the lessor, {}: by its monotonic clock, lease {id} expires at {}, and not at {}{}.",
                why(),
                describe::time(expiry),
                describe::time(set),
                if set > YEARS { ", as a wall clock may say" } else { "" }
            );
            self.wrong(time, member, "gives a lease the wrong time", says, sheet);
        }
    }

    /// A lessor proposes a checkpoint of a lease.
    fn checkpoints(
        &mut self,
        time: Nanos,
        (member, id): (MemberId, i64),
        left: i64,
        clock: u64,
        sheet: &mut Sheet,
    ) {
        let process = &mut self.members[member];
        let recorded = process.in_log.contains(&id);
        let Some(Time { ttl, expiry: Some(expiry), left: last, .. }) = process.times.get(&id).copied() else {
            return;
        };
        self.times += 1;
        let over = expiry.saturating_sub(clock);
        let wrong = if left > 0 {
            process.in_log.insert(id);
            let rounded = i64::try_from(over.div_ceil(SECOND)).unwrap_or(i64::MAX);
            (left != rounded || left >= ttl).then(|| format!("{over} ns were left of its {ttl} s"))
        } else if over == 0 {
            Some("it had expired".to_string())
        } else {
            (last <= 0 && !recorded).then(|| "no checkpoint of it was recorded or on its way".to_string())
        };
        if let Some(wrong) = wrong {
            let says = format!(
                "Member {member}, the lessor, proposed at {} by its clock to record that lease {id} has {left} s left, where \
                 {wrong}.",
                describe::time(clock)
            );
            self.wrong(time, member, "proposes a wrong checkpoint", says, sheet);
        }
    }
}

/// Adds an entry, unless a member has reported it before.
fn add(entries: &mut Vec<Entry>, entry: Entry) {
    if entries.last().is_none_or(|last| last.index < entry.index) {
        entries.push(entry);
    }
}

/// The time `seconds` after `time`.
fn after(time: u64, seconds: i64) -> u64 {
    time.saturating_add(u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND))
}

impl Monitor for Lessor {
    #[inline]
    fn event(&mut self, event: &Event, sheet: &mut Sheet) {
        if self.extension.is_none() {
            return;
        }
        let (time, member) = (event.time, event.member);
        if self.awaited {
            self.look_for_end(time, member, sheet);
        }
        match &event.fact {
            Fact::Started { .. } | Fact::Stopped(_) if self.members.contains(member) => {
                self.members[member] = Process::default();
            }
            Fact::Own(own) if self.members.contains(member) => match own {
                EtcdFact::Applied { index, term, .. } => self.applied(time, member, (*index, *term), sheet),
                EtcdFact::State { term, role, .. } => self.role(time, member, *term, *role),
                EtcdFact::Configuration { voters, outgoing, .. } => {
                    self.members[member].belongs = voters.contains(&member) || outgoing.contains(&member);
                }
                EtcdFact::Lessor { primary } => self.lessor(time, member, *primary, sheet),
                _ => {}
            },
            _ => {}
        }
    }

    fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner, sheet: &mut Sheet) {
        if let Inner::Lease { id, what, clock } = inner {
            self.deed(time, (member, *id), *what, *clock, sheet);
        }
    }

    fn end(&mut self, _: &Record, sheet: &mut Sheet) {
        if self.extension.is_some() {
            sheet.checked(Oracle::L4, "changes of the lessor", self.roles);
            sheet.checked(Oracle::L4, "times and checkpoints of leases", self.times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cluster of three, written by hand.
    struct Scene {
        lessor: Lessor,
        sheet: Sheet,
        now: Nanos,
    }

    fn one() -> MemberId {
        MemberId::new(1)
    }

    impl Scene {
        /// Member 1 leads term 2 and has applied nothing of it. Lease 7 of 20 s was granted by entry 3.
        fn led() -> Scene {
            let mut lessor = Lessor::new(3);
            lessor.configure(SECOND);
            let mut scene = Scene { lessor, sheet: Sheet::default(), now: 1 };
            let voters: Vec<MemberId> = MemberId::first(3).collect();
            scene.own(EtcdFact::Configuration {
                index: 0,
                voters,
                outgoing: Vec::new(),
                learners: Vec::new(),
            });
            scene.deed(LeaseDeed::Created { index: 3, ttl: 20 }, 0);
            scene.state(Role::Leader);
            scene
        }

        /// The same, and member 1 has taken over lease 7 at 10 s by its clock.
        fn leading(set: u64) -> Scene {
            let mut scene = Scene::led();
            scene.own(EtcdFact::Lessor { primary: true });
            scene.applies(9, 2);
            scene.deed(LeaseDeed::Timed { expiry: set * SECOND }, 10);
            scene.deed(LeaseDeed::TakenOver { ttl: 20, checkpoint: 0, left: 20 }, 10);
            scene
        }

        fn own(&mut self, fact: EtcdFact) {
            let event = Event { time: self.now, member: one(), fact: Fact::Own(fact) };
            self.lessor.event(&event, &mut self.sheet);
        }

        fn state(&mut self, role: Role) {
            self.own(EtcdFact::State { term: 2, vote: one(), role, leader: one() });
        }

        fn applies(&mut self, index: u64, term: u64) {
            let (digest, request, revision, state_hash) = (0, 0, 1, 0);
            let (mutated, executed) = (false, true);
            self.own(EtcdFact::Applied {
                index,
                term,
                digest,
                request,
                revision,
                state_hash,
                mutated,
                executed,
            });
        }

        /// A deed at so many seconds of the clock.
        fn deed(&mut self, what: LeaseDeed, clock: u64) {
            let inner = Inner::Lease { id: 7, what, clock: clock * SECOND };
            self.lessor.inner(self.now, one(), &inner, &mut self.sheet);
        }

        /// What was found.
        fn found(self) -> Vec<String> {
            self.sheet.into_verdict().violations.into_iter().map(|one| one.title).collect()
        }
    }

    #[test]
    fn l4_a_leader_is_the_lessor_from_its_first_entry_on() {
        assert_eq!(Scene::leading(31).found(), [""; 0]);
        let mut late = Scene::led();
        late.applies(9, 2);
        assert_eq!(late.found(), ["member 1 leads without being the lessor"]);
        let mut early = Scene::led();
        early.own(EtcdFact::Lessor { primary: true });
        early.applies(8, 1);
        assert_eq!(early.found()[0], "member 1 becomes the lessor at the wrong entry");
        let mut follower = Scene::led();
        follower.state(Role::Follower);
        follower.own(EtcdFact::Lessor { primary: true });
        follower.applies(8, 1);
        assert_eq!(follower.found()[0], "member 1 is the lessor without leading");
    }

    #[test]
    fn l4_a_lessor_ends_with_its_leadership() {
        for ends in [true, false] {
            let mut scene = Scene::leading(31);
            scene.state(Role::Follower);
            if ends {
                scene.own(EtcdFact::Lessor { primary: false });
            }
            scene.now += 1;
            scene.applies(10, 2);
            let found = scene.found();
            assert_eq!(found.is_empty(), ends, "{found:?}");
        }
        let mut leads = Scene::leading(31);
        leads.own(EtcdFact::Lessor { primary: false });
        assert_eq!(leads.found(), ["member 1 leads without being the lessor"]);
    }

    #[test]
    fn l4_a_new_lessor_continues_from_the_last_checkpoint() {
        for (set, holds) in [(16, true), (31, false), (15, false)] {
            let mut scene = Scene::led();
            scene.deed(LeaseDeed::Recorded { index: 4, left: 9 }, 0);
            scene.deed(LeaseDeed::Recorded { index: 5, left: 5 }, 0);
            // It is in the log after the first entry of the term.
            scene.deed(LeaseDeed::Recorded { index: 11, left: 3 }, 0);
            scene.own(EtcdFact::Lessor { primary: true });
            scene.applies(9, 2);
            scene.deed(LeaseDeed::Timed { expiry: set * SECOND }, 10);
            scene.deed(LeaseDeed::TakenOver { ttl: 20, checkpoint: 5, left: 5 }, 10);
            assert_eq!(scene.found().is_empty(), holds, "{set}");
        }
    }

    #[test]
    fn l4_a_lease_expires_when_its_time_is_over() {
        for (since, at, holds) in [(0, 35, true), (1, 36, true), (0, 34, false), (5, 36, false)] {
            let mut scene = Scene::leading(31);
            scene.deed(LeaseDeed::Timed { expiry: 35 * SECOND }, 15);
            scene.deed(LeaseDeed::Renewed { ttl: 20 }, 15);
            scene.deed(LeaseDeed::Expired { since: since * SECOND }, at);
            assert_eq!(scene.found().is_empty(), holds, "{since} {at}");
        }
    }

    #[test]
    fn l4_a_checkpoint_records_what_is_left() {
        for (left, at, holds) in [(19, 12, true), (18, 12, false), (20, 11, false), (-1, 12, false)] {
            let mut scene = Scene::leading(31);
            scene.deed(LeaseDeed::Checkpoints { left }, at);
            assert_eq!(scene.found().is_empty(), holds, "{left} {at}");
        }
        // It is forgotten for a renewal.
        for (recorded, at, holds) in [(true, 20, true), (false, 20, false), (true, 31, false)] {
            let mut scene = Scene::leading(31);
            if recorded {
                scene.deed(LeaseDeed::Checkpoints { left: 16 }, 15);
            }
            scene.deed(LeaseDeed::Checkpoints { left: 0 }, at);
            assert_eq!(scene.found().is_empty(), holds, "{recorded} {at}");
        }
    }
}
