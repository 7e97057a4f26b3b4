//! Numbers that no other member and no other incarnation of this one has: ids of requests, contexts of
//! ReadIndex, and the keys of draws for secrets.

use keyed::{Domain, Keyed};

use crate::config::Config;

/// The name under which salts and tokens are drawn.
const SECRETS: Domain = Domain::new("member salts and tokens");

/// Makes the ids of one incarnation. An id has 16 bits of the member id, 16 bits of the incarnation and a
/// 32-bit counter. etcd's `idutil` has the wall clock in place of the incarnation, so its ids can repeat when
/// that clock is set back (flaw R39).
#[derive(Debug)]
pub(crate) struct Ids {
    /// The member id and the incarnation, in the upper 32 bits.
    prefix: u64,
    /// The counter in the last id.
    last: u32,
    secrets: Keyed,
}

impl Ids {
    pub(crate) fn new(config: &Config) -> Ids {
        Ids {
            prefix: config.id.raft_id() << 48 | u64::from(config.incarnation & 0xffff) << 32,
            last: 0,
            secrets: Keyed::new(config.seed, SECRETS),
        }
    }

    /// From now on, draws use the configuration's new seed.
    pub(crate) fn reseed(&mut self, config: &Config) {
        self.secrets = Keyed::new(config.seed, SECRETS);
    }

    /// A new id.
    pub(crate) fn fresh(&mut self) -> u64 {
        self.last = self.last.checked_add(1).expect("2^32 requests in one incarnation");
        self.prefix | u64::from(self.last)
    }

    /// A keyed draw for a salt or a token (rule R2 of ARCHITECTURE.md).
    pub(crate) fn random(&mut self) -> u64 {
        let nth = self.fresh();
        self.secrets.draw(nth, 0).below(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record::MemberId;

    use super::*;

    #[test]
    fn ids_differ_between_members_and_incarnations() {
        let ids = |member, incarnation| {
            let config = Config { incarnation, ..Config::new(MemberId::new(member), Arc::new([])) };
            let mut ids = Ids::new(&config);
            [ids.fresh(), ids.fresh()]
        };
        assert_eq!(ids(1, 2), [1 << 48 | 2 << 32 | 1, 1 << 48 | 2 << 32 | 2]);
        assert_eq!(ids(3, 0x1_0002)[0], 3 << 48 | 2 << 32 | 1, "16 bits of the incarnation");
    }

    #[test]
    fn a_draw_takes_an_id() {
        let mut ids = Ids::new(&Config::new(MemberId::new(1), Arc::new([])));
        let (first, second) = (ids.random(), ids.random());
        assert_ne!(first, second);
        assert_eq!(ids.fresh() & 0xffff_ffff, 3);
    }
}
