//! Quorums of a configuration: a majority of its voters; of each half, if it is joint (paper, section 6). Learners
//! never count.

use record::MemberId;
use record::step::Configuration;

/// What the answers so far mean for a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Won,
    Lost,
    Open,
}

/// Both halves; the second one is empty unless the configuration is joint. An empty half agrees to everything.
fn halves(configuration: &Configuration) -> [&[MemberId]; 2] {
    [&configuration.voters, &configuration.outgoing]
}

/// Whether these members are a quorum.
pub(super) fn has(configuration: &Configuration, is_in: impl Fn(MemberId) -> bool) -> bool {
    halves(configuration).iter().all(|half| {
        let count = half.iter().filter(|member| is_in(**member)).count();
        half.is_empty() || 2 * count > half.len()
    })
}

/// What these votes mean.
pub(super) fn outcome(configuration: &Configuration, votes: &[(MemberId, bool)]) -> Outcome {
    let vote = |member| votes.iter().find(|(voter, _)| *voter == member).map(|(_, granted)| *granted);
    if has(configuration, |member| vote(member) == Some(true)) {
        Outcome::Won
    } else if has(configuration, |member| vote(member) != Some(false)) {
        Outcome::Open
    } else {
        Outcome::Lost
    }
}

/// The largest index that a quorum has; `u64::MAX` if nobody votes.
pub(super) fn matched(configuration: &Configuration, at: impl Fn(MemberId) -> u64) -> u64 {
    let mut least = u64::MAX;
    for half in halves(configuration).into_iter().filter(|half| !half.is_empty()) {
        // A majority has the k-th largest index, with k = n / 2 + 1.
        let mut indexes: Vec<u64> = half.iter().map(|member| at(*member)).collect();
        indexes.sort_unstable();
        least = least.min(indexes[(half.len() - 1) / 2]);
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joint(voters: &[u32], outgoing: &[u32]) -> Configuration {
        let ids = |all: &[u32]| all.iter().copied().map(MemberId::new).collect();
        Configuration { voters: ids(voters), outgoing: ids(outgoing), ..Configuration::default() }
    }

    fn votes(all: &[(u32, bool)]) -> Vec<(MemberId, bool)> {
        all.iter().map(|(id, granted)| (MemberId::new(*id), *granted)).collect()
    }

    #[test]
    fn both_halves_must_agree() {
        let three = joint(&[1, 2, 3], &[]);
        assert_eq!(outcome(&three, &votes(&[(1, true)])), Outcome::Open);
        assert_eq!(outcome(&three, &votes(&[(1, true), (3, true)])), Outcome::Won);
        assert_eq!(outcome(&three, &votes(&[(2, false), (3, false)])), Outcome::Lost);
        let both = joint(&[1, 2, 3], &[1, 4, 5]);
        assert_eq!(outcome(&both, &votes(&[(1, true), (2, true), (3, true)])), Outcome::Open);
        assert_eq!(outcome(&both, &votes(&[(1, true), (2, true), (4, true)])), Outcome::Won);
        assert_eq!(outcome(&both, &votes(&[(1, true), (4, false), (5, false)])), Outcome::Lost);
        // A learner's vote counts for nothing.
        assert_eq!(outcome(&three, &votes(&[(1, true), (9, true)])), Outcome::Open);
    }

    #[test]
    fn the_index_of_a_quorum_is_the_smaller_half_s() {
        let index = |member: MemberId| [0, 9, 7, 5, 3, 2][member.raft_id() as usize];
        assert_eq!(matched(&joint(&[1, 2, 3], &[]), index), 7);
        assert_eq!(matched(&joint(&[1, 2, 3, 4], &[]), index), 5);
        assert_eq!(matched(&joint(&[1, 2, 3], &[3, 4, 5]), index), 3);
        assert_eq!(matched(&joint(&[], &[]), index), u64::MAX);
    }
}
