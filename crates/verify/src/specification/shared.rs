//! What the specification knows of the whole cluster: who led each term, and the configuration after each change.

use std::collections::BTreeMap;

use record::MemberId;
use record::step::Configuration;

/// How many terms and configurations are kept.
const KEPT: usize = 256;

/// What the specification knows of the whole cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    leaders: BTreeMap<u64, MemberId>,
    /// The term and the leader that were named last; most messages name them again.
    last_named: (u64, MemberId),
    /// The configuration after the entry at an index.
    configurations: BTreeMap<u64, Configuration>,
    /// Configurations below this index are forgotten, and reports of them are ignored.
    forgotten: u64,
}

impl Shared {
    /// A member leads a term. Returns another one that did.
    #[inline]
    pub fn leads(&mut self, term: u64, leader: MemberId) -> Option<MemberId> {
        if self.last_named == (term, leader) { None } else { self.leads_now(term, leader) }
    }

    /// As [`Shared::leads`], of another term or leader than the last one.
    fn leads_now(&mut self, term: u64, leader: MemberId) -> Option<MemberId> {
        if let Some(known) = self.leaders.get(&term) {
            if *known != leader {
                return Some(*known);
            }
            self.last_named = (term, leader);
            return None;
        }
        self.leaders.insert(term, leader);
        self.last_named = (term, leader);
        if self.leaders.len() > KEPT {
            self.leaders.pop_first();
        }
        None
    }

    /// A member has this configuration after the entry at `index`. Returns another configuration that was reported
    /// there.
    pub fn configured(&mut self, index: u64, configuration: &Configuration) -> Option<&Configuration> {
        if index < self.forgotten {
            return None;
        }
        if self.configurations.len() >= KEPT
            && let Some((oldest, _)) = self.configurations.pop_first()
        {
            self.forgotten = oldest + 1;
        }
        let known = self.configurations.entry(index).or_insert_with(|| configuration.clone());
        (known != configuration).then_some(known)
    }

    /// A member has this configuration after everything up to `index`, from its disk or from a snapshot. Returns another
    /// configuration that is in force there.
    pub fn found(&mut self, index: u64, configuration: &Configuration) -> Option<&Configuration> {
        if self.configuration_at(index).is_none() {
            return self.configured(index, configuration);
        }
        self.configuration_at(index).filter(|known| *known != configuration)
    }

    /// The configuration that is in force after the entry at `index`, as far as it was reported.
    pub fn configuration_at(&self, index: u64) -> Option<&Configuration> {
        self.configurations.range(..=index).next_back().map(|(_, configuration)| configuration)
    }
}
