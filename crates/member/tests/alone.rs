//! A cluster of one member, and the simplest driver that there can be: its disk answers at once.

use std::collections::VecDeque;
use std::sync::Arc;

use api::{Error, Request, Response};
use contract::{Boot, Node as _, Now, Store as _, Work as _};
use etcdsim_member::backend::Backend;
use etcdsim_member::config::Peer;
use etcdsim_member::io::{Ask, Call, Effects, Input};
use etcdsim_member::{Config, Member};
use record::MemberId;

use crate::storage::disk::TestDisk;

/// What such a member is told.
pub fn config(id: MemberId) -> Config {
    let peers = [Peer { id, name: "one".into(), peer_urls: [format!("http://m{id}:2380")].into() }];
    Config::new(id, Arc::new(peers))
}

/// A member, and what its driver holds for it.
pub struct Alone {
    pub member: Member,
    store: Backend,
    pub disk: Arc<TestDisk>,
    now: u64,
    calls: u64,
}

impl Alone {
    /// Starts it. The first incarnation of a disk has the number 1.
    pub fn start(config: Config, disk: Arc<TestDisk>, incarnation: u32) -> Alone {
        let first = incarnation == 1;
        let boot = Boot {
            id: config.id,
            config,
            incarnation,
            first,
            now: Now::default(),
            armed: None,
            steps: false,
            inner: false,
        };
        let (member, store) =
            Member::start(boot, disk.clone(), &mut Effects::default()).expect("a good disk");
        let mut alone = Alone { member, store, disk, now: 0, calls: 0 };
        alone.settle(Input::Recovered);
        alone
    }

    /// Handles an input, and nothing that follows from it. Takes a millisecond.
    pub fn step(&mut self, input: Input) -> Effects {
        let mut effects = Effects::default();
        self.now += 1_000_000;
        self.member.step(Now { clock: self.now, wall: 0 }, input, &mut effects);
        effects
    }

    /// Handles an input and all that follows from it. Returns the facts, and the effects for clients.
    pub fn settle(&mut self, input: Input) -> Effects {
        let effects = self.step(input);
        self.follow(effects)
    }

    /// Carries out the effects of a step and all that follows from them. Returns the facts, and the effects for clients.
    pub fn follow(&mut self, effects: Effects) -> Effects {
        let mut collected = Effects::default();
        let mut inputs = VecDeque::new();
        let mut next = Some(effects);
        while let Some(effects) = next {
            for job in effects.jobs {
                inputs.push_back(Input::JobDone { job: job.id, result: self.disk.run(&job.ops) });
            }
            for (work, piece) in effects.work {
                inputs.push_back(Input::WorkDone { work, done: piece.perform() });
            }
            if let Some(job) = effects.store {
                inputs.push_back(Input::StoreDone(self.store.perform(&job)));
            }
            collected.facts.extend(effects.facts);
            collected.answers.extend(effects.answers);
            collected.items.extend(effects.items);
            next = inputs.pop_front().map(|input| self.step(input));
        }
        collected
    }

    /// Calls it, and returns the answer or the error.
    pub fn try_ask(&mut self, request: impl Into<Request>) -> Result<Response, Error> {
        self.try_call(request).0
    }

    fn try_call(&mut self, request: impl Into<Request>) -> (Result<Response, Error>, Effects) {
        self.calls += 1;
        let request = Ask::with_token(Call::Api(request.into()), None);
        let mut collected = self.settle(Input::Call { call: self.calls, request });
        let (call, answer) = collected.answers.pop().expect("a cluster of one answers at once");
        assert_eq!((call, collected.answers.len()), (self.calls, 0), "a call has one answer");
        (answer, collected)
    }

    /// Calls it. Returns the answer, and all effects.
    pub fn call(&mut self, request: impl Into<Request>) -> (Response, Effects) {
        let (answer, effects) = self.try_call(request);
        (answer.expect("a good request"), effects)
    }

    /// Calls it, and returns the answer.
    pub fn ask(&mut self, request: impl Into<Request>) -> Response {
        self.call(request).0
    }
}
