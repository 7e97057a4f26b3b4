//! Members with a network, disks and work that take no time, and the times that their steps take.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::etcdserverpb::{HashKvResponse, WatchRequest};
use api::{Request, Response};
use bytes::Bytes;
use contract::{Boot, Node as _, Now, Store as _, Types as _, Watched as _, Work as _};
use etcdsim_member::backend::Backend;
use etcdsim_member::config::{Peer, Settings};
use etcdsim_member::io::{Ask, Call, Down, Effects, Etcd, Input, Up};
use etcdsim_member::{Config, Member};
use record::MemberId;

use crate::memory::{self, Memory};

/// The time that passes with each step, in nanoseconds.
const STEP: u64 = 20_000;

/// A member, and what its driver holds for it.
struct Host {
    id: MemberId,
    member: Member,
    store: Backend,
    disk: Arc<Memory>,
    wake_at: u64,
}

pub struct Cluster {
    hosts: Vec<Host>,
    now: u64,
    inputs: VecDeque<(usize, Input)>,
    /// No message reaches or leaves this member.
    cut_off: Option<usize>,
    calls: u64,
    streams: u64,
    /// The last hash that a client got.
    pub hash: Option<HashKvResponse>,
    /// How many snapshots followers and operators got.
    pub snapshots: (u32, u32),
    /// The kind of each step, and its time.
    pub steps: Vec<(String, Duration)>,
}

impl Cluster {
    /// Starts members with this state, and waits until one leads.
    pub fn start(members: u32, image: &Bytes, settings: impl Fn(&mut Settings)) -> Cluster {
        let ids: Vec<MemberId> = MemberId::first(members).collect();
        let peer = |id: &MemberId| Peer {
            id: *id,
            name: format!("m{id}").into(),
            peer_urls: [format!("http://m{id}:2380")].into(),
        };
        let peers: Arc<[Peer]> = ids.iter().map(peer).collect();
        let mut cluster = Cluster {
            hosts: Vec::new(),
            now: 0,
            inputs: VecDeque::new(),
            cut_off: None,
            calls: 0,
            streams: 0,
            hash: None,
            snapshots: (0, 0),
            steps: Vec::new(),
        };
        for id in ids {
            let mut config = Config::new(id, peers.clone());
            config.restore = (!image.is_empty()).then(|| image.clone());
            settings(&mut config.settings);
            let disk = Arc::new(Memory::default());
            let (now, mut effects) = (Now::default(), Effects::default());
            let boot = Boot {
                id,
                config,
                incarnation: 1,
                first: true,
                now,
                armed: None,
                steps: false,
                inner: false,
            };
            let (member, store) = Member::start(boot, disk.clone(), &mut effects).expect("a good disk");
            cluster.hosts.push(Host { id, member, store, disk, wake_at: u64::MAX });
            let at = cluster.hosts.len() - 1;
            cluster.carry_out(at, effects);
            cluster.inputs.push_back((at, Input::Recovered));
        }
        cluster.settle();
        while cluster.leader().is_none() {
            cluster.now =
                cluster.hosts.iter().map(|host| host.wake_at).fold(u64::MAX, u64::min).max(cluster.now);
            cluster.settle();
        }
        cluster.steps.clear();
        cluster
    }

    /// The member that all members follow; `None` while they disagree.
    pub fn leader(&self) -> Option<usize> {
        let leader = |host: &Host| host.member.status().map(|status| status.leader);
        let first = leader(self.hosts.first()?)?;
        let agree = self.hosts.iter().all(|host| leader(host) == Some(first));
        self.hosts.iter().position(|host| host.id == first).filter(|_| agree)
    }

    /// The revision of a member's store.
    pub fn revision(&self, at: usize) -> i64 {
        self.hosts[at].member.status().map_or(0, |status| status.revision as i64)
    }

    /// All replicated state of a member.
    pub fn image(&self, at: usize) -> Bytes {
        self.hosts[at].member.image()
    }

    pub fn members(&self) -> usize {
        self.hosts.len()
    }

    /// Cuts a member off from the network; `None` cuts nobody off.
    pub fn cut_off(&mut self, member: Option<usize>) {
        self.cut_off = member;
    }

    /// A client calls a member. The call is handled by [`Cluster::settle`].
    pub fn call(&mut self, at: usize, request: impl Into<Request>) {
        self.calls += 1;
        let request = Ask::with_token(Call::Api(request.into()), None);
        self.inputs.push_back((at, Input::Call { call: self.calls, request }));
    }

    /// A client opens a watch stream.
    pub fn watch(&mut self, at: usize, request: WatchRequest) {
        self.streams += 1;
        let item = Ask::with_token(Up::Watch(request), None);
        self.inputs.push_back((at, Input::Item { stream: self.streams, item }));
    }

    /// An operator asks for a snapshot.
    pub fn snapshot(&mut self, at: usize) {
        self.streams += 1;
        self.inputs
            .push_back((at, Input::Item { stream: self.streams, item: Ask::with_token(Up::Snapshot, None) }));
    }

    /// Handles all inputs and what follows from them, then wakes the members that are due.
    pub fn settle(&mut self) {
        loop {
            while let Some((at, input)) = self.inputs.pop_front() {
                self.step(at, input);
            }
            for at in 0..self.hosts.len() {
                if self.hosts[at].wake_at <= self.now {
                    self.inputs.push_back((at, Input::Wake));
                }
            }
            if self.inputs.is_empty() {
                return;
            }
        }
    }

    fn step(&mut self, at: usize, input: Input) {
        self.now += STEP;
        let (kind, now) = (kind_of(&input), Now { clock: self.now, wall: self.now as i64 });
        let mut effects = Effects::default();
        let member = &mut self.hosts[at].member;
        let begun = Instant::now();
        member.step(now, input, &mut effects);
        let time = begun.elapsed();
        self.steps.push((kind, time));
        self.carry_out(at, effects);
    }

    fn carry_out(&mut self, at: usize, effects: Effects) {
        let host = &mut self.hosts[at];
        host.wake_at = effects.wake_at;
        assert_eq!(effects.end, None, "a member has ended");
        if let Some(job) = effects.store {
            self.inputs.push_back((at, Input::StoreDone(host.store.perform(&job))));
        }
        let from = host.id;
        for job in effects.jobs {
            let result = memory::run(&host.disk, &job.ops);
            self.inputs.push_back((at, Input::JobDone { job: job.id, result }));
        }
        for (work, piece) in effects.work {
            self.inputs.push_back((at, Input::WorkDone { work, done: piece.perform() }));
        }
        for (to, message) in effects.messages {
            let Some(receiver) = self.hosts.iter().position(|host| host.id == to) else { continue };
            let arrives = self.cut_off.is_none_or(|cut_off| cut_off != at && cut_off != receiver);
            if Etcd::wants_receipt(&message) {
                self.snapshots.0 += u32::from(arrives);
                self.inputs.push_back((at, Input::Receipt { to, arrived: arrives }));
            }
            if arrives {
                self.inputs.push_back((receiver, Input::Message { from, packet: 0, message }));
            }
        }
        for (stream, item) in effects.items {
            match item {
                Down::Watch(_) => self.inputs.push_back((at, Input::Taken { stream })),
                Down::Snapshot(_) => self.snapshots.1 += 1,
                Down::Range(_) => self.inputs.push_back((at, Input::Taken { stream })),
                Down::End => {}
                Down::Refused(error) => panic!("stream {stream} is refused: {error:?}"),
            }
        }
        for (call, answer) in effects.answers {
            match answer {
                Ok(Response::HashKv(hash)) => self.hash = Some(hash),
                Ok(_) => {}
                Err(error) => panic!("call {call} fails: {error:?}"),
            }
        }
    }
}

/// The kind of an input, as it is printed.
fn kind_of(input: &Input) -> String {
    match input {
        Input::Call { request, .. } => match &request.what {
            Call::Api(request) => format!("call {}", request.rpc_name()),
            Call::Reconfigure(_) => "call Reconfigure".to_string(),
        },
        Input::Message { message, .. } => format!("message {:?}", Etcd::head(message).kind),
        Input::Item { item, .. } => match item.what {
            Up::Watch(_) => "item Watch".to_string(),
            Up::Snapshot => "item Snapshot".to_string(),
            Up::Range(_) => "item Range".to_string(),
            Up::KeepAlive => "item KeepAlive".to_string(),
        },
        Input::WorkDone { .. } => "WorkDone".to_string(),
        Input::JobDone { .. } => "JobDone".to_string(),
        Input::StoreDone(_) => "StoreDone".to_string(),
        Input::Receipt { .. } => "Receipt".to_string(),
        Input::Taken { .. } => "Taken".to_string(),
        Input::Wake => "Wake".to_string(),
        _ => "other".to_string(),
    }
}
