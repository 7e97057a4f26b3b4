//! What the member has handed out to be computed, and what follows when it is done.

use api::Request;
use api::etcdserverpb::AuthenticateRequest;
use raft::eraftpb::Snapshot;

use crate::auth::AuthInfo;
use crate::keeps::{Count, count};
use crate::out::Out;
use crate::work::{Discarded, Piece, Work};

/// What the member does with a result.
#[derive(Debug)]
pub(crate) enum Then {
    /// It offers raft this snapshot, whose data is the result.
    Offer(Box<Snapshot>),
    /// It sends a snapshot on an operator's stream.
    Send(u64),
    /// It gives raft the message that brought a leader's snapshot.
    Receive {
        packet: u64,
    },
    /// It proposes a login, if the password is right. The users are those of this auth revision.
    LogIn {
        operation: u64,
        request: AuthenticateRequest,
        revision: u64,
    },
    /// It puts the hash of a password into this request, and proposes that.
    Propose {
        operation: u64,
        request: Request,
        who: Option<AuthInfo>,
    },
    Nothing,
}

/// All that is being computed.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// How many numbers were handed out.
    numbers: u64,
    /// By number.
    open: Vec<(u64, Then)>,
}

impl Pending {
    /// Hands out a piece of work. Returns its number.
    pub(crate) fn hand_out(&mut self, piece: Piece, then: Then, out: &mut Out<'_>) -> u64 {
        self.numbers += 1;
        self.open.push((self.numbers, then));
        out.work(self.numbers, Work(piece));
        self.numbers
    }

    /// Frees what is not needed any more, outside of this step.
    pub(crate) fn discard(&mut self, what: impl Send + 'static, out: &mut Out<'_>) {
        self.hand_out(Piece::Discard(Discarded::new(what)), Then::Nothing, out);
    }

    /// A piece of work is done. Returns what follows; `None` if nobody waits for it any more.
    pub(crate) fn done(&mut self, work: u64) -> Option<Then> {
        let at = self.open.iter().position(|(number, _)| *number == work)?;
        Some(self.open.remove(at).1)
    }

    /// A stream is closed.
    pub(crate) fn closed(&mut self, stream: u64) {
        self.open.retain(|(_, then)| !matches!(then, Then::Send(of) if *of == stream));
    }

    /// Counts of what it keeps.
    pub(crate) fn kept(&self) -> [Count; 1] {
        [count("work", self.open.len())]
    }

    /// Gives up all requests of clients, and returns their operations.
    pub(crate) fn take_all(&mut self) -> Vec<u64> {
        let operation = |then: &Then| match then {
            Then::LogIn { operation, .. } | Then::Propose { operation, .. } => Some(*operation),
            _ => None,
        };
        let given_up = self.open.extract_if(.., |(_, then)| operation(then).is_some());
        given_up.filter_map(|(_, then)| operation(&then)).collect()
    }
}

#[cfg(test)]
mod tests {
    use contract::Now;

    use super::*;
    use crate::io::Effects;

    #[test]
    fn what_nobody_waits_for_has_no_consequence() {
        let (mut effects, mut armed) = (Effects::default(), None);
        let mut out = Out::new(&mut effects, &mut armed, Now::default());
        let mut pending = Pending::default();
        let mut hand_out = |pending: &mut Pending, then| {
            pending.hand_out(Piece::Discard(Discarded::new(())), then, &mut out)
        };
        let login =
            |operation| Then::LogIn { operation, request: AuthenticateRequest::default(), revision: 1 };
        let stream = hand_out(&mut pending, Then::Send(5));
        let [first, second] = [7, 8].map(|operation| hand_out(&mut pending, login(operation)));
        assert!(matches!(pending.done(first), Some(Then::LogIn { operation: 7, .. })));
        pending.closed(5);
        assert_eq!(pending.take_all(), [8]);
        assert!([stream, first, second].iter().all(|work| pending.done(*work).is_none()));
        assert_eq!(effects.work.iter().map(|(work, _)| *work).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
