//! Where the parts of a member put what has happened and what leaves it. [`Out`] fills the effects of one
//! step, and carries what a part needs to know of the step: the time, and the armed failpoint.

use api::etcdserverpb::{RangeStreamResponse, WatchResponse};
use api::{Error, Response};
use contract::{Action, Armed, End, Now, Reused, Stall, Struck};
use raft::eraftpb::Message as RaftMessage;
use record::{EtcdFact as Fact, MemberId, Probe, Step};

use crate::backend::Job;
use crate::boxes::Boxes;
use crate::disk::DiskJob;
use crate::failpoint::Failpoint;
use crate::inner;
use crate::io::{Down, Effects, Message, PeerMessage};
use crate::snapshot_stream::SnapshotStream;
use crate::work::Work;

/// The effects of one step while it runs, in the order in which they come about, with two exceptions: of all messages,
/// raft's come first, and of all items, the refusals come last.
pub(crate) struct Out<'a> {
    effects: &'a mut Effects,
    armed: &'a mut Option<Armed>,
    pub(crate) now: Now,
    /// How many messages are raft's. They stand before those of the member itself.
    raft: usize,
    /// How many items are not refusals. They stand before the refusals.
    served: usize,
}

impl<'a> Out<'a> {
    /// Fills `effects` in a step at `now`. `armed` is the armed failpoint, if any; it is taken when it acts.
    pub(crate) fn new(effects: &'a mut Effects, armed: &'a mut Option<Armed>, now: Now) -> Out<'a> {
        Out { effects, armed, now, raft: 0, served: 0 }
    }

    /// Reports a fact for the trace.
    #[inline]
    pub(crate) fn fact(&mut self, fact: Fact) {
        self.effects.facts.push(fact);
    }

    /// Where calls into raft are reported.
    #[inline]
    pub(crate) fn steps(&mut self) -> &mut Reused<Step> {
        &mut self.effects.steps
    }

    /// Reports that a probe was reached.
    pub(crate) fn probe(&mut self, probe: Probe) {
        self.fact(Fact::Probe { probe });
    }

    /// Marks this place in the code as a failpoint: it comes after all effects so far, and before all that
    /// follow.
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
                let mut before = std::mem::take(self.effects);
                self.effects.items = before.items.split_off(self.served);
                self.effects.end = before.end.take();
                self.effects.stall = Some(Box::new(Stall { time, before }));
                (self.raft, self.served) = (0, 0);
            }
        }
    }

    /// Sends raft's messages, each to the member that it names, in these boxes as long as there are any. The list is empty
    /// afterwards.
    pub(crate) fn send(&mut self, messages: &mut Vec<RaftMessage>, boxes: &mut Boxes) {
        let at = self.raft;
        self.raft += messages.len();
        let messages = messages.drain(..).map(|message| {
            let to = MemberId::from_raft(message.to);
            (to, Message::Raft(boxes.fill(message)))
        });
        if at == self.effects.messages.len() {
            self.effects.messages.extend(messages);
        } else {
            self.effects.messages.splice(at..at, messages);
        }
    }

    /// Sends another member a message outside raft.
    pub(crate) fn send_peer(&mut self, to: MemberId, message: PeerMessage) {
        self.effects.messages.push((to, Message::Peer(Box::new(message))));
    }

    /// Answers a request of the driver's clients.
    pub(crate) fn reply(&mut self, operation: u64, result: Result<Response, Error>) {
        self.effects.answers.push((operation, result));
    }

    /// Sends a response on a client's watch stream.
    pub(crate) fn send_watch(&mut self, stream: u64, response: WatchResponse) {
        self.serve(stream, Down::Watch(response));
    }

    /// Sends an operator a snapshot.
    pub(crate) fn send_snapshot(&mut self, stream: u64, snapshot: SnapshotStream) {
        self.serve(stream, Down::Snapshot(snapshot));
    }

    /// Sends a chunk of a streamed range.
    pub(crate) fn send_range(&mut self, stream: u64, chunk: RangeStreamResponse) {
        self.serve(stream, Down::Range(chunk));
    }

    fn serve(&mut self, stream: u64, item: Down) {
        self.effects.items.insert(self.served, (stream, item));
        self.served += 1;
    }

    /// Ends a client's stream, on which nothing more is to come.
    pub(crate) fn end_stream(&mut self, stream: u64) {
        self.effects.items.push((stream, Down::End));
    }

    /// Ends a client's stream with an error.
    pub(crate) fn refuse(&mut self, stream: u64, error: Error) {
        self.effects.items.push((stream, Down::Refused(error)));
    }

    /// Hands out a job for the backend. There is at most one at a time.
    pub(crate) fn store(&mut self, job: Job) {
        self.effects.store = Some(job);
    }

    /// Hands out a job for the disk.
    pub(crate) fn submit(&mut self, job: DiskJob) {
        self.effects.jobs.push(job);
    }

    /// Hands out something to be computed.
    pub(crate) fn work(&mut self, number: u64, work: Work) {
        self.effects.work.push((number, work));
    }

    /// The member cannot continue: its process ends with this message.
    pub(crate) fn fatal(&mut self, why: String) {
        self.effects.end = Some(End::Fatal(why));
    }

    /// Whether the process ends with this step because the member cannot continue.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self.effects.end, Some(End::Fatal(_)))
    }

    /// The member has stopped, as requested.
    pub(crate) fn finished(&mut self) {
        self.effects.end.get_or_insert(End::Finished);
    }

    /// The member ends because it was removed from the cluster.
    pub(crate) fn removed(&mut self) {
        if !self.is_fatal() {
            self.effects.end = Some(End::Removed);
        }
    }

    /// The step is over; `wake_at` says when the member must be woken.
    pub(crate) fn over(&mut self, wake_at: u64) {
        self.effects.wake_at = wake_at;
        inner::end(&mut self.effects.inner);
        if let Some(stall) = &mut self.effects.stall {
            // What has happened is reported before the pause. A process that ends does not wait for the end of its
            // pause.
            stall.before.facts.append(&mut self.effects.facts);
            stall.before.steps.append(&mut self.effects.steps);
            stall.before.inner.append(&mut self.effects.inner);
            stall.before.end = self.effects.end.take();
            stall.before.wake_at = wake_at;
        }
    }

    /// Whether the process ends with this step.
    pub(crate) fn is_end(&self) -> bool {
        self.effects.end.is_some()
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
        out.send_peer(MemberId::new(2), PeerMessage::Hello);
        out.refuse(7, Error::Stopped);
        out.send(&mut vec![RaftMessage::default()], &mut Boxes::default());
        out.pass(Failpoint::RaftAfterSaveSnap); // another one
        reply(&mut out);
        out.pass(Failpoint::RaftBeforeSave);
        reply(&mut out);
        out.send_watch(8, WatchResponse::default());
        out.probe(Probe::BackendDefragmented);
        out.steps().next(Step::default);
        out.fatal("why".to_string());
        out.pass(Failpoint::RaftBeforeSave); // it acts once
        out.over(9);
        assert_eq!(armed, None);
        let Stall { time, before } = *effects.stall.expect("it has paused");
        assert_eq!((time, before.wake_at, before.end), (5, 9, Some(End::Fatal("why".to_string()))));
        assert_eq!((before.answers.len(), effects.answers.len()), (2, 1));
        let raft_first = [Message::Raft(Box::default()), Message::Peer(Box::new(PeerMessage::Hello))];
        assert_eq!(before.messages.into_iter().map(|(_, message)| message).collect::<Vec<_>>(), raft_first);
        let probe = Fact::Probe { probe: Probe::BackendDefragmented };
        assert_eq!((before.facts, effects.facts), (vec![Fact::Failpoint { point }, probe], vec![]));
        assert_eq!((&*before.steps, &*effects.steps), (&[Step::default()][..], &[][..]));
        // Refusals come last in a step.
        assert!(before.items.is_empty());
        assert!(matches!(effects.items[..], [(8, Down::Watch(_)), (7, Down::Refused(Error::Stopped))]));
        assert_eq!((effects.end, effects.wake_at), (None, 9));
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
        assert_eq!((effects.answers.len(), armed), (1, None));
    }
}
