//! What a kind of node adds to plans and their text. etcd's part is in the crate `plan`.

use std::fmt::Debug;

use trace::{MemberId, Nanos};

use crate::Plan;
use crate::choice::{Context, Dice};
use crate::field::{Field, Key, Names, Section};
use crate::kinds::Kinds;
use crate::mistakes::Mistake;
use crate::own::WorkloadContext;
use crate::scenario::Sections;
use crate::swarm::OwnSwarm;

/// What the plans of one kind of node have and those of other kinds do not.
///
/// The names in its tables are also the keys of draws: renaming a field changes what a seed stands for.
pub trait Part: Sized + 'static {
    /// The settings of every node. Their fields follow `members` in the section `[cluster]`.
    type Settings: Clone + Debug + PartialEq + Default + 'static;
    /// A client, the section `[[client]]`.
    type Client: ClientPart;
    /// Tasks, more kinds of `[[fault]]`; [`NoTask`](crate::NoTask) if there are none.
    type Task: Kinds;

    /// The names of kinds of messages, for rules on messages, and of points in the code, for failpoints.
    const NAMES: Names = Names::NONE;
    /// Sections that only files of this part have. They are left to the seed, so that no plan has them.
    const SECTIONS: &'static [OwnSection] = &[];

    /// The fields of the settings.
    fn settings() -> &'static [Field<Self::Settings>];
    /// The fields of a client.
    fn client() -> &'static [Field<Self::Client>];
    /// What `swarm = true` may choose; `None` if there is no swarm.
    fn swarm() -> Option<&'static OwnSwarm<Self>> {
        None
    }
    /// The time between the end of a process and its next start, where no fault says otherwise.
    fn restart_delay(settings: &Self::Settings) -> Nanos;
    /// Whether a node's store is written when the node asks for it, and not only when somebody can see it.
    fn eager_store(_settings: &Self::Settings) -> bool {
        true
    }
    /// The least and the most clients that its own sections make.
    fn how_many_clients(_own: &OwnSections) -> (i128, i128) {
        (0, 0)
    }
    /// Checks its own sections.
    fn check(_given: &Checked<'_>, _mistakes: &mut Vec<Mistake>) {}
    /// The clients that its own sections make.
    fn clients(_given: &Given<'_>) -> Vec<Self::Client> {
        Vec::new()
    }
    /// Decides what depends on the rest of the plan.
    fn finish(_plan: &mut Plan<Self>) {}
    /// The members that these clients name, or add to the cluster with a machine of their own.
    fn machines(_clients: &[Self::Client]) -> impl Iterator<Item = MemberId> {
        std::iter::empty()
    }
    /// A table of the documentation that is the part's own, or replaces the usual one.
    fn table(_name: &str) -> Option<String> {
        None
    }
}

/// A client of a plan.
pub trait ClientPart: Clone + Debug + PartialEq + Default + 'static {
    /// An operation, with its time.
    type Operation: Clone + Debug + PartialEq;
    /// A client that knows these members, in the order in which it tries them, and whose clock runs at this rate, in
    /// parts per million of true time.
    fn new(endpoints: Vec<MemberId>, clock_rate: u32) -> Self;
    /// What it does, in order.
    fn operations(&self) -> &[Self::Operation];
    /// The same, to change it.
    fn operations_mut(&mut self) -> &mut Vec<Self::Operation>;
    /// When the operation asks the cluster for something, at the earliest; `None` if it asks for nothing.
    fn asks_at(operation: &Self::Operation) -> Option<Nanos>;
}

/// A part that takes workloads of the type `W`, which are written in code instead of a file.
pub trait TakesWorkload<W>: Part {
    /// The clients of the workload.
    fn clients_of(workload: &W, context: &WorkloadContext<Self>) -> Vec<Self::Client>;
}

/// A section that only files of one part have.
pub struct OwnSection {
    /// Its name as in a file: `workload`, or for a section in it, `workload.mix`.
    pub path: &'static str,
    /// What it is for, for the schema; empty for a section in another.
    pub about: &'static str,
    /// Its fields.
    pub keys: fn() -> Vec<&'static Key>,
    /// The sections in it.
    pub inner: &'static [OwnSection],
}

impl OwnSection {
    /// Its name in the section or file that it is in.
    pub(crate) fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }
}

/// The sections of a file that only files of its part have.
#[derive(Clone, Debug, Default)]
pub struct OwnSections(pub(crate) Vec<(&'static str, Section)>);

impl OwnSections {
    /// The section with this path, if the file has it.
    pub fn find(&self, path: &str) -> Option<&Section> {
        self.0.iter().find(|(own, _)| *own == path).map(|(_, section)| section)
    }

    /// These sections, with what `added` has and they leave out: field by field, but a section within another one only
    /// as a whole.
    pub(crate) fn or(&self, added: &OwnSections) -> OwnSections {
        let mut all = self.clone();
        for (path, section) in &added.0 {
            match all.0.iter_mut().find(|(own, _)| own == path) {
                Some((_, own)) if !path.contains('.') => *own = std::mem::take(own).or(section),
                Some(_) => {}
                None => all.0.push((path, section.clone())),
            }
        }
        all
    }
}

/// What the clients of a part's own sections may depend on.
pub struct Given<'a> {
    pub(crate) sections: &'a Sections,
    pub(crate) dice: Dice,
    pub(crate) context: &'a Context,
    /// The number of members that the cluster begins with.
    pub members: u32,
    /// For how long clients begin operations: the length of the chaos phase and of the calm phase together.
    pub load: Nanos,
}

impl<'a> Given<'a> {
    /// The part's section with this path, if the file has it.
    pub fn section(&self, path: &str) -> Option<&'a Section> {
        self.sections.own.find(path)
    }

    /// All draws of the seed.
    pub fn dice(&self) -> Dice {
        self.dice
    }

    /// What values may depend on besides their draws.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// The rate of a client's clock, from the section `[clocks]`.
    pub fn clock_rate(&self, dice: Dice) -> u32 {
        self.sections.clocks(dice, self.context).clients
    }
}

/// What a part's own checks of a file look at. Pairs of numbers are the smallest and the largest value that a seed can
/// draw.
pub struct Checked<'a> {
    /// The text of the file.
    pub text: &'a str,
    /// The part's own sections as the file has them.
    pub written: &'a OwnSections,
    /// The same sections with what the swarm adds.
    pub own: &'a OwnSections,
    /// The number of clients.
    pub clients: (i128, i128),
    /// For how long clients begin operations: the length of the chaos phase and of the calm phase together.
    pub load: (i128, i128),
    /// Whether all fields of the section `[run]` have valid values.
    pub run_is_valid: bool,
}
