//! Defects of real systems, as switches. Each sits at its site as one readable line; off is the
//! default. The ids are those of the bug zoo (`docs/flaws.md`).

use std::fmt;
use std::str::FromStr;

macro_rules! flaws {
    ($($(#[doc = $doc:literal])+ $variant:ident = $id:literal, $name:literal;)+) => {
        /// One defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Flaw {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Flaw {
            /// Every flaw.
            pub const ALL: &[Flaw] = &[$(Flaw::$variant),+];

            /// Its id in the zoo, as `--flaw` takes it.
            pub const fn id(self) -> &'static str {
                match self { $(Flaw::$variant => $id,)+ }
            }

            /// Its name in the zoo.
            pub const fn name(self) -> &'static str {
                match self { $(Flaw::$variant => $name,)+ }
            }

            /// What the flawed code does, in a sentence or two.
            pub const fn describe(self) -> &'static str {
                match self { $(Flaw::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }
        }
    };
}

flaws! {
    /// Votes leave, and elections are entered, before term and vote are durable.
    VoteNotPersisted = "R1", "vote-not-persisted";
    /// A follower acknowledges entries before they are durable.
    AppendAckBeforeFsync = "R2", "append-ack-before-fsync";
    /// A leader counts its own copy of an entry before it is durable.
    LeaderSelfAckBeforeFsync = "R3", "leader-self-ack-before-fsync";
    /// Linearizable reads are answered from local state without asking a quorum.
    StaleReadNoQuorum = "R5", "stale-read-no-quorum";
    /// A read is answered once its read index is confirmed, not when that index is applied.
    ReadIndexNoApplyWait = "R7", "readindex-no-apply-wait";
    /// The consistent index is not committed together with the data, so entries are applied again
    /// after a restart.
    ApplyTwiceAfterRestart = "R19", "apply-twice-after-restart";
    /// A leader proposes a forwarded request once for every copy of the message that reaches it.
    ProposalTwiceOnForward = "R37", "proposal-dup-on-forward";
    /// A single member applies and answers before its log is durable (etcd issue 14370).
    AckBeforeFsyncSingle = "M-14370", "ack-before-fsync-single";
    /// The consistent index moves before the entry is applied, so a commit between the two makes a
    /// restart skip the entry (etcd issue 13766).
    ConsistentIndexBeforeApply = "M-13766", "ci-before-apply";
}

/// A set of flaws.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flaws(u64);

impl Flaws {
    /// Adds one.
    pub fn insert(&mut self, flaw: Flaw) {
        self.0 |= 1 << flaw as u32;
    }

    /// Whether `flaw` is switched on.
    #[inline]
    pub fn has(self, flaw: Flaw) -> bool {
        self.0 & 1 << flaw as u32 != 0
    }

    /// Those switched on.
    pub fn iter(self) -> impl Iterator<Item = Flaw> {
        Flaw::ALL.iter().copied().filter(move |flaw| self.has(*flaw))
    }
}

impl fmt::Debug for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Flaw::id)).finish()
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Flaw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |flaw: &&Flaw| flaw.id().eq_ignore_ascii_case(text) || flaw.name() == text;
        Flaw::ALL.iter().find(known).copied().ok_or_else(|| {
            let ids: Vec<_> = Flaw::ALL.iter().map(|flaw| flaw.id()).collect();
            format!("there is no flaw {text:?}; there are {}", ids.join(", "))
        })
    }
}
