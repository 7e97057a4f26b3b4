//! The requests that members have taken, and when each was over for its member: an answer, the first chunk of a
//! streamed range, or the end of the process. The world shows them ([`Served`]), so it does not matter whether the client
//! still waits.

use record::{MemberId, Nanos, Operation, Served};

/// A request that a member has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The member.
    pub member: MemberId,
    /// When.
    pub at: Nanos,
    /// When it was over; `None` if it is not.
    pub over: Option<Nanos>,
    /// When the member learned that its client no longer waits.
    pub cancelled: Option<Nanos>,
    /// How many committed entries the member had not applied when it took the request, or when it answered, if they were
    /// more then.
    pub gap: u64,
}

/// The requests of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    /// By the number of the operation.
    all: Vec<Option<Taken>>,
}

impl Requests {
    /// The request of this operation, if a member took it.
    pub fn get(&self, operation: usize) -> Option<Taken> {
        self.all.get(operation).copied().flatten()
    }

    /// A member takes or gives something; it has not applied so many committed entries. Returns false if it answers what
    /// is over.
    #[inline]
    pub fn served(&mut self, time: Nanos, member: MemberId, served: Served, gap: u64) -> bool {
        match served {
            Served::Takes(call) => {
                self.takes(call, Taken { member, at: time, over: None, cancelled: None, gap })
            }
            Served::Answers(call) => return self.over(call, time, gap),
            Served::Cancelled(call) => {
                if let Some(taken) = self.of(call) {
                    taken.cancelled = Some(time);
                }
            }
            Served::TakesItem(stream) => {
                if let Some(call) = range_of(stream) {
                    self.takes(call, Taken { member, at: time, over: None, cancelled: None, gap });
                }
            }
            Served::SendsItem(stream) | Served::Closed(stream) => {
                if let Some(call) = range_of(stream) {
                    self.over(call, time, gap);
                }
            }
        }
        true
    }

    fn takes(&mut self, call: u64, taken: Taken) {
        let call = call as usize;
        if self.all.len() <= call {
            self.all.resize(call + 1, None);
        }
        self.all[call] = Some(taken);
    }

    fn of(&mut self, call: u64) -> Option<&mut Taken> {
        self.all.get_mut(call as usize)?.as_mut()
    }

    /// A request is over, unless it was before.
    fn over(&mut self, call: u64, time: Nanos, gap: u64) -> bool {
        let Some(taken) = self.of(call).filter(|taken| taken.over.is_none()) else { return false };
        taken.over = Some(time);
        taken.gap = taken.gap.max(gap);
        true
    }

    /// A process has ended, and its requests with it.
    pub fn stopped(&mut self, time: Nanos, member: MemberId) {
        let open = |taken: &&mut Taken| taken.member == member && taken.over.is_none();
        for taken in self.all.iter_mut().flatten().filter(open) {
            taken.over = Some(time);
        }
    }
}

/// The operation whose range has this stream, if one has.
fn range_of(stream: u64) -> Option<u64> {
    (stream >> Operation::RANGE.trailing_zeros() == 1).then_some(stream ^ Operation::RANGE)
}
