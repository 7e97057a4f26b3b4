//! The table of the oracles: one row each, with everything there is to say about an oracle.
//!
//! The table determines which judges there are and in which order they run, which monitors watch a run, and what
//! `docs/oracles.md` says about each oracle (`tests/docs.rs` makes its tables from this one). A new oracle is a row
//! here and a file of its own; `tests/oracles/examples.rs` then requires one record that violates it and one that does
//! not.
//!
//! The oracles whose violations one judge reports are together under that judge. The order of the rows is the order of
//! the oracles ([`Oracle`]'s `Ord`): of two violations of equal severity and time, it decides which comes first.

use record::{Event, Inner, MemberId, Nanos, Record, Served, Step};

use crate::headers::Headers;
use crate::invariants::Invariants;
use crate::leases::Lessor;
use crate::musts::Musts;
use crate::oracle::Monitor;
use crate::specification::Specification;
use crate::{
    Context, Oracle, Severity, Sheet, agreement, caches, ends, hash_kv, k1, k2, k3, k4, leaks, leases, locks,
    membership, progress, refused, watch, watch_rights,
};

/// How the oracles of a part of the table are evaluated: they judge the record or watch events.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// This judge of the record reports them.
    Record(fn(&Context<'_>, &mut Sheet)),
    /// One of the [`Monitors`] reports them.
    Events,
    /// One of the [`Monitors`] reports them, from the steps of the members.
    Steps,
    /// They compare two runs, and the code that makes both runs reports them.
    Runs,
}

/// A chapter of `docs/oracles.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chapter {
    /// What clients saw of the store.
    Clients,
    /// What watchers received.
    Watchers,
    /// Leases, locks, members.
    Services,
    /// How a run ends.
    Ends,
    /// Invariants, checked at the event that breaks them.
    Invariants,
    /// What must happen, within a bound.
    Musts,
}

/// A part of the table: one judge or all monitors, and their oracles.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// How they are evaluated.
    pub kind: Kind,
    /// Its rows. A judge without rows of its own adds to other oracles.
    pub rows: &'static [Row],
}

/// What the documentation says about an oracle.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which oracle.
    pub oracle: Oracle,
    /// Where the documentation has it.
    pub chapter: Chapter,
    /// What exactly it requires; Markdown.
    pub exactly: &'static str,
    /// What it does not check; Markdown. Empty if nothing is left out.
    pub not_checked: &'static str,
    /// What else it does not check in a history without evidence; Markdown. Empty if nothing else is left out, or if
    /// it judges only runs.
    pub without_evidence: &'static str,
}

impl Oracle {
    /// Whether it watches the steps of the members.
    pub fn watches_steps(self) -> bool {
        let by_steps = |part: &&Part| matches!(part.kind, Kind::Steps);
        TABLE.iter().filter(by_steps).flat_map(|part| part.rows).any(|row| row.oracle == self)
    }
}

macro_rules! oracles {
    ($($chapter:ident, $kind:expr => {
        $($id:ident, $severity:ident: $holds:literal, exactly: $exactly:literal,
            not_checked: $not_checked:literal $(, without_evidence: $without:literal)?;)*
    })+) => {
        /// The numbers of the rows, from 0.
        #[derive(Clone, Copy)]
        enum RowNumber {
            $($($id,)*)+
        }

        /// The oracles of the table.
        impl Oracle {
            $($(
                #[doc = concat!("`", stringify!($id), "`: ", $holds, ".")]
                pub const $id: Oracle =
                    Oracle::in_table(RowNumber::$id as u16, stringify!($id), $holds, Severity::$severity);
            )*)+

            /// All oracles of the table, in its order.
            pub const ALL: &'static [Oracle] = &[$($(Oracle::$id,)*)+];
        }

        /// The table, part by part. The judges run in this order.
        pub const TABLE: &[Part] = &[$(Part {
            kind: $kind,
            rows: &[$(Row {
                oracle: Oracle::$id,
                chapter: Chapter::$chapter,
                exactly: $exactly,
                not_checked: $not_checked,
                without_evidence: concat!($($without)?),
            },)*],
        },)+];
    };
}

macro_rules! monitors {
    ($($(#[doc = $doc:literal])+ $name:ident: $monitor:ty,)+) => {
        /// All monitors of the table.
        #[derive(Clone, Debug)]
        pub struct Monitors {
            $($(#[doc = $doc])+ pub $name: $monitor,)+
        }

        impl Monitors {
            /// For a cluster of at most the members 1 to `members`, including those that join later.
            pub fn new(members: u32) -> Monitors {
                Monitors { $($name: <$monitor>::new(members),)+ }
            }
        }

        impl Monitor for Monitors {
            #[inline]
            fn event(&mut self, event: &Event, sheet: &mut Sheet) {
                $(self.$name.event(event, sheet);)+
            }

            fn wants_steps(&self) -> bool {
                false $(|| self.$name.wants_steps())+
            }

            #[inline]
            fn step(&mut self, time: Nanos, member: MemberId, step: &Step, sheet: &mut Sheet) {
                $(self.$name.step(time, member, step, sheet);)+
            }

            #[inline]
            fn served(&mut self, time: Nanos, member: MemberId, served: Served, sheet: &mut Sheet) {
                $(self.$name.served(time, member, served, sheet);)+
            }

            #[inline]
            fn inner(&mut self, time: Nanos, member: MemberId, inner: &Inner, sheet: &mut Sheet) {
                $(self.$name.inner(time, member, inner, sheet);)+
            }

            fn end(&mut self, record: &Record, sheet: &mut Sheet) {
                $(self.$name.end(record, sheet);)+
            }
        }
    };
}

monitors! {
    /// I1 to I10.
    invariants: Invariants,
    /// S.
    specification: Specification,
    /// B1 to B8.
    musts: Musts,
    /// L4.
    lessor: Lessor,
    /// The headers and the status of K1.
    headers: Headers,
}

oracles! {
    Clients, Kind::Record(k1::judge) => {
        K1, Wrong: "the key-value history is strictly serializable, revisions and errors included",
            exactly: "The history is strictly serializable against the sequential model of etcd (keys, transactions, \
                compaction, leases, users with their rights, alarms): every acknowledged write has the one revision \
                that its answer names, in real time, and every field of every answer is what the model answers at \
                that revision. Operations without an answer stay open to the end; what the members applied says which \
                of them took effect, and where. What a member proposed itself is replayed with the rest: an entry \
                that made a revision must explain it. Users could do what they did, watching included, and were \
                refused only what they had no right to. No answer of any kind names a revision that cannot have \
                existed yet. In a run, every header names the cluster, the member that was asked, and a term of which \
                that member had applied an entry last at some moment of the call; so do the headers of watch responses. A \
                status says that there is no leader exactly if it names none, and a downgrade only if one was asked for.",
            not_checked: "What time does to a lease (L1 to L4). The order of lease operations among each \
                other. Operations whose outcome is unknown and that no member applied. Order among reads of \
                one revision (they commute). That the revision in the header of a `Compact` or \
                of an answer about leases or hashes is not too old. Errors of size, load and quota, except \
                that they have no effect. Rights to a lease that depend on its keys, except for revocations \
                and puts; the age and the revision of tokens; requests for which etcd's versions require \
                different rights; that a watcher is not refused.",
            without_evidence: "Alarms, and users and their rights, except the rights of watchers if the changes of \
                users and rights do not overlap; writes without an answer, ends of leases and writes of the lock and \
                election services, except for whether any explanation of all that was seen exists.";
    }
    Clients, Kind::Record(k2::judge) => {
        K2, Wrong: "serializable reads return a state of the past, never going back on one member",
            exactly: "A serializable read returns a state of the past, and never goes back on one member between two \
                of its starts. No linearizable operation sees an older state than one that such a read, or a \
                watcher's event, had shown before the operation's call.",
            not_checked: "How old the state is; going back over a restart, which is allowed.",
            without_evidence: "Without the times of the members' starts, a read that goes back on its member is undecided.";
    }
    Clients, Kind::Record(k3::judge) => {
        K3, Wrong: "reads at a revision return that revision, or the exact error",
            exactly: "A read at a revision returns that revision; a compacted or future one gives the exact error, in \
                serializable transactions too.",
            not_checked: "A serializable read at a revision that its lagging member has not compacted yet. Which \
                branch a refused serializable transaction would have run: its reads at a revision count in both.",
            without_evidence: "Without the times of the members' starts, whether a revision was in the future for a member.";
    }
    Clients, Kind::Record(k4::judge) => {
        K4, Lost: "no acknowledged write is lost, no operation takes effect twice",
            exactly: "No acknowledged write is lost: when all is quiet, each key still holds its newest acknowledged \
                write or something newer. No operation takes effect twice.",
            not_checked: "Writes that were overwritten before the end (K1 sees those missing); puts with a \
                lease; keys that a lease or a delete without an answer may have removed.",
            without_evidence: "Whether anything took effect twice. Without a linearizable read of everything at the end, losses (K1 sees \
                those that a read shows).";
    }
    // Checks the rights of users who watch. It has no oracle of its own: it reports violations of K1.
    Clients, Kind::Record(watch_rights::judge) => {}
    // Compares K1 with the crates `revision` and `linear`, if no violation was found so far. It adds what they
    // checked to the checks of K1.
    Clients, Kind::Record(agreement::judge) => {}
    Watchers, Kind::Record(watch::judge) => {
        W1, Wrong: "watchers receive only the keys and kinds they asked for",
            exactly: "A watcher receives only its keys, and no kind of change that it filtered out.",
            not_checked: "";
        W2, Wrong: "watchers receive changes in the order in which they happened",
            exactly: "Changes come in the order in which they happened, those of a transaction in the order of its \
                operations.",
            not_checked: "Any order between two watchers: there is none.";
        W3, Wrong: "no watcher receives a change twice",
            exactly: "No change comes twice.",
            not_checked: "What a client asks for again on another stream.";
        W4, Wrong: "all changes of one revision reach a watcher together",
            exactly: "All changes of one revision come in one response, or in its fragments, one right after another, \
                if the watcher asked for fragments.",
            not_checked: "How large a response must be to be split.";
        W5, Wrong: "after a progress response no event of its revision or before comes",
            exactly: "After a progress response of revision R no event of R or before comes; progress does not \
                go back, nor behind an event, nor below the watcher's first revision less one; headers name \
                revisions that were made, and none below their events'.",
            not_checked: "That progress is reported, and in time. The header of a response with events \
                promises nothing: when it catches up, etcd sends 1000 revisions at once under the newest.";
        W6, Wrong: "a watcher from a revision receives everything from there on, and nothing before",
            exactly: "A watcher from a revision receives everything from there on and nothing before.",
            not_checked: "Negative revisions, if they are accepted.";
        W7, Wrong: "watchers receive every change, and each as it was",
            exactly: "Between two events none is missing; each is of a change that happened, and that a client had \
                already requested, with its value, version and lease.",
            not_checked: "",
            without_evidence: "Events of revisions that no answer explains: only their order is checked (of W6, W8, W9 and W10, too).";
        W8, Wrong: "an event has the pair as it was before, if that was asked for",
            exactly: "With `prev_kv` an event has the pair as it was one revision before; none if it creates \
                the key, or if it was not asked for.",
            not_checked: "If it is missing and can have been compacted, whether it was.";
        W9, Wrong: "an event says of the first put of a key, and of no other, that it creates the key",
            exactly: "The create revision is that of the first put since the last delete.",
            not_checked: "";
        W10, Wrong: "a watcher from now on misses nothing after its creation",
            exactly: "A watcher from now on misses nothing after the revision that the answer to its creation names.",
            not_checked: "";
        W11, Stuck: "every change that a watcher must receive arrives after healing",
            exactly: "A stream that is open at the end, to a member that is alive and in the healed part, has brought \
                every change up to that member's revision, or the news that it is compacted; creations on it are \
                answered. Changes of the last 2 s are excused.",
            not_checked: "",
            without_evidence: "Everything: only a run shows what its members had at the end.";
        W12, Wrong: "watchers are created and cancelled in order, and for the right reasons",
            exactly: "Creations are answered in order with the ids that follow from what was sent, refused for \
                etcd's reasons only; no response is for a watcher that does not exist; a cancellation was \
                asked for, or names a revision that was compacted to and that the watcher needed; a watcher \
                that needs compacted revisions is cancelled and does not skip them.",
            not_checked: "That a cancellation is answered; who may watch what (K1), except that no user is refused \
                while authentication cannot be on.";
    }
    Watchers, Kind::Record(caches::judge) => {
        C1, Wrong: "a client's copy of a part of the store equals that part at its revision",
            exactly: "A client's copy of a part of the store (listed once, kept by a watch) has exactly the keys and \
                modification revisions of its revision, and never goes back.",
            not_checked: "Values; how old a copy is.",
            without_evidence: "Views of revisions that no answer explains.";
    }
    Services, Kind::Record(leases::judge) => {
        L1, Lost: "no lease ends before its time by the fastest clock",
            exactly: "No lease expires before its TTL is over by the fastest clock of the plan, counted from its \
                grant or from the call of the last keep-alive that was confirmed.",
            not_checked: "",
            without_evidence: "Leases whose end no revision shows, because they had no keys.";
        L2, Stuck: "no lease stays after its time by the slowest clock and the bound",
            exactly: "After healing no lease stays longer than its TTL by the slowest clock, counted from the last \
                moment at which it may have been renewed or a new leader became the lessor, plus what a new leader \
                adds (an election timeout) and a bound of 10 s.",
            not_checked: "Late expiry before healing; leases that the lock and election services made for \
                themselves; leases whose id no answer names; leases that have to go when the alarm CORRUPT may be on.",
            without_evidence: "Everything: only a run shows when its faults are over.";
        L3, Wrong: "what answers say about leases is true",
            exactly: "A keep-alive is confirmed only while the lease exists, with the time it was granted for; it \
                shows no time left only if the lease was absent at some moment of the call or may have expired. A \
                time-to-live answer is about a lease that exists, and has its granted time, its keys, and no more \
                time left than the granted time plus what a new leader adds; until the cluster is healed, it may \
                describe a moment in the past, because a leader does not confirm its leadership for this answer. A \
                list has the leases that the member had at the revision of its answer.",
            not_checked: "That the time left is right to the second; answers of a leader that may be deposed that a \
                lease does not exist, although it does; the order of lists.",
            without_evidence: "Lists of leases; the keys of a lease; how much time is left, unless it is far more than the \
                lease was granted for; that a lease has no time left; answers about leases \
                that may be from before the history began, or that a request without an answer may have made.";
    }
    Services, Kind::Steps => {
        L4, Inside: "the leader is the lessor, and gives each lease the time that it has",
            exactly: "A member becomes the lessor exactly when it leads and applies the first entry of its term, and stops \
                being it in the step in which it stops leading. A new lessor gives each lease what the last applied \
                checkpoint of it says, or its whole TTL if there is none, and an election timeout; a grant and a renewal \
                give it its TTL; a lease is found expired no sooner than that time is over. All of that to the nanosecond \
                of the member's clock. A checkpoint records the time that is left, which is more than nothing and less than \
                the TTL, or forgets what an earlier one recorded, for a lease that is to be renewed.",
            not_checked: "When a checkpoint is made, and how soon an expired lease is found (B8). Leases that a lessor takes \
                over without having a grant of theirs in the run.",
            without_evidence: "Everything: only a run shows what a lessor does.";
    }
    Services, Kind::Record(locks::judge) => {
        M1, Wrong: "whoever holds a lock or leads an election is first in its queue",
            exactly: "Locks and elections exclude each other by their fencing tokens (the create revision of the key \
                in the queue): the holder that an answer names for a lock is first in its queue, so is the leader \
                that an answer names for an election, and a transaction that is guarded by a token succeeds only for \
                the first. Queues are those of the services and those that clients keep by the same recipe.",
            not_checked: "Writes without a guard: a lease may end while its holder is slow. How often two clients held \
                one lock at once by the clock is counted and is no violation; neither are the `lost-adds` of the \
                workload `lock-set`. That a queue moves on (V1, L2).",
            without_evidence: "The answers of the services are compared with each other instead of with the store: \
                whoever was in a queue must be able to have left it before a later one has its turn, and a leader \
                must have campaigned. Whether the key of an answered `Unlock` is gone; locks against elections of one \
                name; when a lease ends if its grant is not seen; guarded writes at revisions that only the services \
                can have made.";
    }
    Services, Kind::Record(membership::judge) => {
        M2, Wrong: "what answers say about the members is true",
            exactly: "What the Cluster service says about the members is true, in real time: an answer shows the \
                change that it acknowledges; a linearizable list shows every member that an answer had shown before \
                its call and that was not removed, none that was gone, and the peer URLs that were set last; a \
                learner votes only once its promotion was requested, and never becomes a learner again; of two \
                removals or two promotions of one member, only one is acknowledged; an update of a member that is \
                there does not fail with \"member not found\".",
            not_checked: "\"can only promote a learner\"; names and client URLs; errors because members are not \
                healthy, not started or lag too far; \"not found\" for promotions and removals; members whose addition the history does not show (a joint \
                change is in the history as its removal); that lists which are not linearizable never go back in \
                time.";
    }
    Services, Kind::Record(refused::judge) => {
        N1, Wrong: "what no state allows is refused, by etcd's error, and no error is unearned",
            exactly: "A request that must be refused because of its form or its size, whatever the state is, is \
                refused, by etcd's own error: empty keys, too many operations, keys written twice, values and leases \
                given besides `ignore_value` and `ignore_lease`, unknown sort options, streamed ranges that are \
                sorted or bounded, TTLs that are too long, peer URLs that are invalid, names and permissions that are \
                missing, targets of a downgrade that are not a version, requests of more bytes than \
                `max-request-bytes`. No request gets an error that its form cannot earn; none is refused because of \
                its user before authentication can be on, nor as a request to a learner before there can be a \
                learner.",
            not_checked: "Which of two reasons comes first, if the state decides one of them. Errors because \
                of load, alarms and time. Watchers (W12).",
            without_evidence: "The size of requests.";
        N2, Wrong: "nobody is served by a token that is not valid, and valid tokens are taken",
            exactly: "While authentication is certainly on, a request with a token that no login has issued, or that \
                was used at its member before but then not for its whole TTL, is refused as invalid: a linearizable \
                read by just that error; what goes through the log may also be refused as a request without a user, \
                because the member may not have known yet that authentication is on. A token that its member has \
                taken is not called invalid there within its TTL, unless the process has ended since, its user was \
                deleted or got another password, or authentication was disabled.",
            not_checked: "Requests whose rights a member checks only on receipt (leases, members, \
                maintenance). Expiry where the client watches by that member too, or where a clock may stand \
                still. That a member takes a token for the first time. Passwords and rights (K1).",
            without_evidence: "Expired tokens.";
        N3, Wrong: "changes of the members that must be refused are, and learners serve nothing else",
            exactly: "No list has more learners than `max-learners`, nor two members with one peer URL. With \
                `strict-reconfig`, no voter is added or removed if then too few of the voters had started; no member \
                that never ran is promoted; leadership is moved to no learner and to nobody. A learner that has shown \
                that it has a part of the log answers serializable ranges and its status, and refuses everything else \
                by etcd's error.",
            not_checked: "How many members are healthy; how far a learner has caught up, unless it never ran; changes \
                before which the same process had not returned a list, or alongside which others were made.",
            without_evidence: "All of it: only a run shows the limits and when members started.";
    }
    // Checks the answers to HashKV requests, that is, hashes of the keys. It reports violations of I8, and for errors
    // of K3.
    Services, Kind::Record(hash_kv::judge) => {}
    Invariants, Kind::Events => {
        I1, Inside: "at most one leader a term",
            exactly: "Election safety: at most one leader a term.",
            not_checked: "Whether votes were counted right (I3 sees the consequences). The only voter is excused, as \
                long as no other member heard of it (I6): see findings, about raft.";
        I2, Inside: "log matching",
            exactly: "Log matching: the same index and term mean the same entry and the same log before it.",
            not_checked: "Entries below the last 100,000.";
        I3, Inside: "leader completeness",
            exactly: "Leader completeness: a new leader has every entry committed in earlier terms.",
            not_checked: "Entries it has only in a snapshot (I4 and I8 compare those).";
        I4, Inside: "the same entry at the same index everywhere, applied once",
            exactly: "State machine safety: the same entry at the same index everywhere; each index applied once and \
                in order, also over restarts.",
            not_checked: "What the entries do to the store (I8).";
        I5, Inside: "a committed entry is durable on a quorum",
            exactly: "A committed entry is durable, at the moment it is first committed, on a quorum of the \
                configuration in force: the one that the committing member uses, or its leader; in a joint \
                configuration on a quorum of each half.",
            not_checked: "That the leader knew of the quorum; whether the configuration was the right one \
                (I10). If no configuration was reported, all members vote.";
        I6, Inside: "durable before promised",
            exactly: "Durable before promised: votes and append answers leave only when what they promise is on disk, \
                and what only a leader sends when its own vote is.",
            not_checked: "What a member promises of a log it read back from the page cache, until it is lost (I7).";
        I7, Inside: "term, vote, commit, applied and consistent index never go back, nor ahead of what is durable",
            exactly: "Term, vote, commit, applied and consistent index never go back, nor ahead of what is durable; \
                what was durable is there after a restart.",
            not_checked: "Members whose disks the plan damages, after that.";
        I8, Inside: "equal applied index, equal state",
            exactly: "Equal applied index, equal revision and equal hash of everything that is replicated: keys, \
                leases, membership, alarms, users and roles.",
            not_checked: "Which of two states is the wrong one. The time that leases have left and tokens, which are \
                no part of the state. Entries passed but not executed in a replay.";
        I9, Inside: "each ReadIndex context is used once",
            exactly: "Each ReadIndex context is used once, was asked for by this member since its last start, and its \
                index covers what was committed when it was asked.",
            not_checked: "That a read waits for its index, and that it asks at all: K1 sees both.";
        I10, Inside: "one configuration an index, and each a step from the one before",
            exactly: "The members agree on the configuration after each index, and each is a step from the one \
                before: one voter more or less, or into a joint configuration whose outgoing half is the voters of \
                the one before, or out of one, to its incoming half. So no two in succession have quorums without a \
                common voter. A leader puts a change into its log only once all earlier ones are in force at that \
                leader, and neither a restart nor a snapshot makes a configuration.",
            not_checked: "Learners, beyond being the same everywhere; whether a change was allowed, and who asked for \
                it (M2); configurations older than the last 256; a snapshot of the very next index.";
    }
    Invariants, Kind::Steps => {
        S, Inside: "every step of every member is allowed by the specification of Raft",
            exactly: "Every call into raft does what an executable specification of Raft allows: the state after it, \
                and every message that it puts out; and the host lets messages go only when what they promise is \
                durable. The rules and their sources are in [specification.md](specification.md). Where the published \
                crate is known to break a rule, the breach is counted.",
            not_checked: "The content of entries (I2, I4); what a restart must find (I7); how long anything takes. \
                Only the first breach of each rule by each member is reported.";
    }
    Musts, Kind::Steps => {
        B1, Stuck: "a leader without a quorum steps down",
            exactly: "With check-quorum on, a leader to which no answers from a quorum were delivered in the last 2 e \
                of its ticks no longer leads (e: the shortest election timeout). During faults, too.",
            not_checked: "Without check-quorum. An order to transfer leadership and a change of the configuration \
                restart the count.";
        B2, Stuck: "an ordered transfer takes place or is given up, and who is told to stop ends",
            exactly: "A leader gives a transfer up within e of its ticks, during faults too. A transfer between \
                members that are well and have caught up takes place within e, if 5 l + 8 d is less (l: the longest \
                that a message took in that time; d: the longest save). A member that is told to stop ends within e + \
                10 d + 5 s, whatever happens to the others; if it leads a cluster in which another voter is well and \
                has caught up, it ends within e only when another member leads.",
            not_checked: "That a transfer takes place: if links between members are not perfect, or if another order \
                comes. Stops of a process with another fault of its own, its disk or its clock.";
        B3, Stuck: "no election disturbs a leader that a quorum hears",
            exactly: "With pre-vote and check-quorum on and 4 l + 2 d < e by the fastest clock, as long as a leader \
                of the highest term has a quorum that is well and follows it: no member asks for votes or is in a \
                higher term, the leader stays leader, and no member that is well and follows it asks for pre-votes.",
            not_checked: "If links between members lose messages; after an order of transfer and a change of the \
                configuration, for 2 e; if a member that runs uses a configuration with a quorum outside of the \
                members that are well.";
        B4, Stuck: "a lost leader is replaced, and a member that lags catches up",
            exactly: "While all members that run are well and have a quorum and none leads: one campaigns within 2 e \
                + h + l + d, and one leads within a number of rounds that all fail only once in a million times. A member \
                (a learner, too) that is well and belongs to the configuration of a leader that stays has applied \
                what the leader had applied, within a round trip for each window of appends, and three seconds for a \
                snapshot.",
            not_checked: "If links between members lose messages; if more than one round in two may be split; if a second \
                snapshot is installed.";
        B5, Inside: "a member sends and commits only what it needs to, and a leader streams",
            exactly: "While all members of a configuration are well and have caught up, a leader sends each follower at most an \
                append for each entry, each move of its commit index and each heartbeat, and a heartbeat for each tick and \
                each ReadIndex; and it probes none for longer than two probes take while it has entries to send. A follower \
                asks its leader once for each request that only a leader can serve, and again after 200 ms. A member that is \
                well commits its backend once in each `backend-interval`, and for each `backend-limit` and `snapshot-count` \
                entries. At any time, what a member proposes on its own can change something: no cluster version that it has \
                applied, no name that it has applied, and no name twice within a request timeout. A member that does not lead \
                asks for a ReadIndex only if a request that needs one waits.",
            not_checked: "Messages: if links between members are not perfect, or there are learners. Commits: while \
                snapshots are sent or installed, or somebody waits for a physical compaction or a defragmentation. What \
                one step may send (S).";
        B6, Stuck: "every request is answered, once and in time",
            exactly: "Whether its client still waits or not, a request that a member takes is answered once. A member that is \
                well, has caught up, and follows a leader with a quorum that is well, answers within (14 + 2 r) l + (21 + 2 r) \
                d and a tick (r: how many windows of appends hold a request of each client); a keep-alive may take 1 s and 8 l \
                + 14 d longer. An error that says that it took too long or that there is no leader is no answer then. Any \
                member whose process, disk and clock are well gives a request up after a request timeout for each time that it \
                waits, and answers a serializable read at once. It says that there are too many requests, or that the cluster \
                is too unhealthy for another member, only if that may be so, and takes no member if it is so. A write that it never \
                proposed, because it knew no leader, is not said to be late.",
            not_checked: "The bound in peace: if links lose messages; for `read-index-retry` after the member has caught up; \
                what may take long by its nature: locks and elections, physical compactions, defragmentations, transfers, \
                changes of the membership. Waits for locks and in elections. All but the first chunk of a range in chunks. \
                Refused removals and promotions.";
        B7, Stuck: "a ReadIndex ends within a round trip to a quorum",
            exactly: "A member that is well, has caught up, and follows a leader with a quorum that is well, has the answer to \
                a ReadIndex within 4 l + 7 d.",
            not_checked: "If links between members lose messages.";
        B8, Stuck: "a watcher is told in time, a lease ends in time, and the backend is written in time",
            exactly: "While nothing that it needs is broken, a watcher from now on receives a change within (1 + 2 r) l + (3 + \
                2 r) d, a tick, two intervals between passes, 10 ms and two ways of the client; and a lease is gone within the \
                time that is left of it by the slowest clock, an election timeout, 1 s, a tick and (8 + 2 r) l + (14 + 2 r) d. \
                What is left is what the checkpoints of earlier lessors (`lease-checkpoint-interval`) must have taken off. \
                While a member's process runs freely, whatever becomes of the others: passes take the watchers that lag \
                in turn, each within so many intervals as those that lag need passes, one more, a tick and 2 d; a synced \
                watcher that asked for progress is sent some within an interval of it, after events within two, and then \
                not within one; and it writes to its backend what has to be there: changes when they are `backend-interval` \
                old, a leader's snapshot and the end of a compaction for which a client waits at once. It answers that \
                client then, and pauses after each `compaction-batch` rows. At any time: no response has more revisions \
                than a batch, one that waited for room names the revision up to which its watcher was sent everything, and \
                none has a pair of a revision that is compacted when it leaves.",
            not_checked: "Changes: if links lose messages; watchers from a revision, of slow clients, or with a full window. \
                Progress: with a full window; of watchers that start in the future. How soon a response that waited is \
                sent (its member panics if it does not wake for that). Leases that somebody may have renewed without an \
                answer, or that end without a steady leader. Changes that never arrive (W11). How long commits and \
                defragmentations take, and the backend during a defragmentation.";
    }
    Ends, Kind::Record(ends::judge) => {
        V1, Stuck: "liveness after healing",
            exactly: "After healing, within the bound of the scenario: enough voters run, no configuration is joint, \
                all agree on a leader, every operation has ended, no lease of up to 20 s is left that no client \
                renews, a linearizable read of everything is answered, every open watch stream has shown everything \
                that it must and every copy that had to be listed again has been, and applied indexes and states are \
                equal. Two excuses: for members that a leader outside of the healed core does not hear (the reasons \
                are in `world/src/settle.rs`), and for clients that cannot reach their member, ask a learner, or ask \
                all their members in turn and cannot reach one of them.",
            not_checked: "How long it took within the bound. Leases of more than 20 s, and all leases while the \
                alarm CORRUPT is on, because etcd then refuses to revoke any.";
        V2, Stuck: "no panic and no unexpected end",
            exactly: "No panic, no process that ends itself without a disk error, no refusal to start without \
                damage. No request is refused because space ran out if no member's space is bounded and no \
                client raised an alarm; one that takes no space is never refused for that.",
            not_checked: "If space is bounded, when it runs out.";
    }
    Ends, Kind::Record(progress::judge) => {
        V3, Stuck: "progress while faults last",
            exactly: "If the scenario names a bound (`progress` in `[expect]`): from the first fault to the end of \
                the chaos phase, no time longer than the bound passes without an answer to some client, if a client \
                asks within the bound. Errors and serializable reads are no answers: a member gives them alone.",
            not_checked: "Which client is answered: one that is cut off may wait. Anything, without a bound.";
    }
    Ends, Kind::Record(leaks::judge) => {
        Z, Inside: "what a member keeps is bounded by what is alive",
            exactly: "When a run is over, and at the end of the calm phase if there is one, each member of the core keeps \
                no more of anything than can be alive by the history, the applied entries and the settings: requests, \
                reads, watchers, leases, tokens, entries and files of the log, rows. The counts and their bounds are in \
                [leaks.md](leaks.md).",
            not_checked: "How long anything is kept while it is alive; members outside of the core; a run that did not \
                settle, at its end (V1).";
    }
    Ends, Kind::Runs => {
        D1, Inside: "same plan, same trace hash",
            exactly: "The same plan gives the same trace hash. Checked by `run --check-determinism`, by the tests \
                (twice in one process, two processes, one job and two), and by every replay of a saved plan.",
            not_checked: "";
    }
}
