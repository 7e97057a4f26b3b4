//! Where the parts of a member put what has happened and what leaves it. [`Out`] fills the effects of one step, and
//! carries what a part needs to know of the step: the time, and the armed failpoint.

use api::etcdserverpb::WatchResponse;
use api::{Error, Response};
use raft::eraftpb::Message;
use record::{EtcdFact as Fact, MemberId, Probe};

use crate::backend::Job;
use crate::disk::DiskJob;
use crate::failpoint::{Action, Armed, Failpoint, Struck};
use crate::io::{Effects, PeerMessage, Stall};
use crate::snapshot_stream::SnapshotStream;

/// The readings of a member's clocks in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    /// The monotonic clock, in nanoseconds. All times and deadlines are readings of it.
    pub(crate) clock: u64,
    /// The wall clock, in nanoseconds since 1970. Only the ids of new members and flaw M-12291 use it.
    pub(crate) wall: i64,
}

/// The effects of one step while it runs, in the order in which they come about.
pub(crate) struct Out<'a> {
    effects: &'a mut Effects,
    armed: &'a mut Option<Armed>,
    pub(crate) now: Now,
}

impl<'a> Out<'a> {
    /// Fills `effects` in a step at `now`. `armed` is the armed failpoint, if any; it is taken when it acts.
    pub(crate) fn new(effects: &'a mut Effects, armed: &'a mut Option<Armed>, now: Now) -> Out<'a> {
        Out { effects, armed, now }
    }

    /// Reports a fact for the trace.
    #[inline]
    pub(crate) fn fact(&mut self, fact: Fact) {
        self.effects.facts.push(fact);
    }

    /// Reports that a probe was reached.
    pub(crate) fn probe(&mut self, probe: Probe) {
        self.fact(Fact::Probe { probe });
    }

    /// Marks this place in the code as a failpoint: it comes after all effects so far, and before all that follow.
    #[inline]
    pub(crate) fn pass(&mut self, point: Failpoint) {
        if self.armed.is_some() {
            self.act(point);
        }
    }

    /// Crashes or pauses the process if the armed failpoint is `point` and has been passed often enough.
    #[cold]
    fn act(&mut self, point: Failpoint) {
        let Some(armed) = self.armed.as_mut().filter(|armed| armed.point == u16::from(point)) else { return };
        if armed.skip > 0 {
            armed.skip -= 1;
            return;
        }
        let action = armed.action;
        *self.armed = None;
        self.fact(Fact::Failpoint { point });
        match action {
            Action::Crash => std::panic::resume_unwind(Box::new(Struck(point.into()))),
            Action::Sleep(time) => {
                let Effects { messages, peers, replies, watch, jobs, backend, .. } = &*self.effects;
                let before = [
                    messages.len(),
                    peers.len(),
                    replies.len(),
                    watch.len(),
                    jobs.len(),
                    usize::from(backend.is_some()),
                ];
                self.effects.stall = Some(Stall { time, before });
            }
        }
    }

    /// Sends raft's messages, each to the member that it names.
    pub(crate) fn send(&mut self, messages: Vec<Message>) {
        self.effects.messages.extend(messages);
    }

    /// Sends another member a message outside raft.
    pub(crate) fn send_peer(&mut self, to: MemberId, message: PeerMessage) {
        self.effects.peers.push((to, message));
    }

    /// Answers a request of the driver's clients.
    pub(crate) fn reply(&mut self, operation: u64, result: Result<Response, Error>) {
        self.effects.replies.push((operation, result));
    }

    /// Sends a response on a client's watch stream.
    pub(crate) fn send_watch(&mut self, stream: u64, response: WatchResponse) {
        self.effects.watch.push((stream, response));
    }

    /// Ends a client's watch stream.
    pub(crate) fn end_watch(&mut self, stream: u64, error: Error) {
        self.effects.watch_ended.push((stream, error));
    }

    /// Sends an operator a snapshot, or the error.
    pub(crate) fn send_snapshot(&mut self, stream: u64, snapshot: Result<SnapshotStream, Error>) {
        self.effects.snapshots.push((stream, snapshot));
    }

    /// Hands out a job for the backend. There is at most one at a time.
    pub(crate) fn store(&mut self, job: Job) {
        self.effects.backend = Some(job);
    }

    /// Hands out a job for the disk.
    pub(crate) fn submit(&mut self, job: DiskJob) {
        self.effects.jobs.push(job);
    }

    /// The member cannot continue: its process ends with this message.
    pub(crate) fn fatal(&mut self, why: String) {
        self.effects.fatal = Some(why);
    }

    /// Whether the process ends with this step because the member cannot continue.
    pub(crate) fn is_fatal(&self) -> bool {
        self.effects.fatal.is_some()
    }

    /// The member has stopped, as requested.
    pub(crate) fn finished(&mut self) {
        self.effects.finished = true;
    }

    /// The member ends because it was removed from the cluster.
    pub(crate) fn removed(&mut self) {
        self.effects.removed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(out: &mut Out<'_>) {
        out.reply(1, Err(Error::Timeout));
    }

    #[test]
    fn a_pause_divides_the_effects() {
        let (point, action) = (Failpoint::RaftBeforeSave, Action::Sleep(5));
        let mut armed = Some(Armed { point: point.into(), skip: 1, action });
        let mut effects = Effects::default();
        let mut out = Out::new(&mut effects, &mut armed, Now::default());
        out.pass(Failpoint::RaftBeforeSave); // skipped
        reply(&mut out);
        out.pass(Failpoint::RaftAfterSaveSnap); // another one
        reply(&mut out);
        out.pass(Failpoint::RaftBeforeSave);
        reply(&mut out);
        out.pass(Failpoint::RaftBeforeSave); // it acts once
        assert_eq!(armed, None);
        assert_eq!(effects.stall, Some(Stall { time: 5, before: [0, 0, 2, 0, 0, 0] }));
        assert_eq!(effects.replies.len(), 3);
        assert_eq!(effects.facts, [Fact::Failpoint { point }]);
    }

    #[test]
    fn a_crash_leaves_the_effects_from_before() {
        let point = Failpoint::RaftBeforeSave;
        let mut armed = Some(Armed { point: point.into(), skip: 0, action: Action::Crash });
        let mut effects = Effects::default();
        let step = std::panic::AssertUnwindSafe(|| {
            let mut out = Out::new(&mut effects, &mut armed, Now::default());
            reply(&mut out);
            out.pass(point);
            reply(&mut out);
        });
        let panic = std::panic::catch_unwind(step).expect_err("the step crashes");
        assert_eq!(panic.downcast_ref(), Some(&Struck(point.into())));
        assert_eq!((effects.replies.len(), armed), (1, None));
    }
}
