//! Oracle S in whole runs: it sees every step, finds nothing in a correct build, and changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use etcdsim::step::Call;
use etcdsim::{Additions, Case, Etcd, Event, Fact, MemberId, Nanos, Observer, Oracle, Step};

/// Counts the steps that it sees.
struct Watcher(Arc<AtomicU64>);

impl Observer<Etcd> for Watcher {
    fn event(&mut self, _: &Event) {}

    fn wants_steps(&self) -> bool {
        true
    }

    fn step(&mut self, _: Nanos, _: MemberId, _: &Step) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_run_is_the_same_whether_or_not_its_steps_are_watched() {
    for scenario in ["swarm", "member-churn", "power-loss", "stale-reads"] {
        let path = format!("{}/../../scenarios/{scenario}.toml", env!("CARGO_MANIFEST_DIR"));
        let case = Case::load(path.as_ref()).expect("a scenario");
        for seed in 0..3 {
            let plan = case.plan(seed);
            let watched = Additions::default().run(&plan).expect("the simulator runs");
            let found: Vec<_> =
                watched.verdict.violations.iter().filter(|one| one.oracle == Oracle::S).collect();
            assert!(found.is_empty(), "{scenario} {seed}: {found:#?}");
            let steps = watched.verdict.count(Oracle::S);
            assert!(steps > 0, "{scenario} {seed}: no step was judged");

            let mut off = Additions::default();
            off.without_specification();
            let unwatched = off.run(&plan).expect("the simulator runs");
            assert_eq!(unwatched.record.trace_hash, watched.record.trace_hash, "{scenario} {seed}");
            assert_eq!(unwatched.verdict.count(Oracle::S), 0);
            assert!(unwatched.record.stats.specification.is_empty());

            let seen = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&seen);
            off.observer(move |_| Watcher(Arc::clone(&count)));
            let observed = off.run(&plan).expect("the simulator runs");
            assert_eq!(observed.record.trace_hash, watched.record.trace_hash, "{scenario} {seed}");
            assert_eq!(seen.load(Ordering::Relaxed), steps, "{scenario} {seed}");
        }
    }
}

/// Checks the numbers of packets, and counts the steps that name one.
struct Packets {
    sent: u64,
    delivered: BTreeSet<(MemberId, u64)>,
    named: Arc<AtomicU64>,
}

impl Observer<Etcd> for Packets {
    fn event(&mut self, event: &Event) {
        match event.fact {
            Fact::Sent { packet, .. } => {
                self.sent += 1;
                assert_eq!(packet, self.sent);
            }
            Fact::Delivered { packet, .. } => {
                assert!((1..=self.sent).contains(&packet), "{event:?}");
                self.delivered.insert((event.member, packet));
            }
            Fact::Dropped { packet, .. } => assert!((1..=self.sent).contains(&packet), "{event:?}"),
            _ => {}
        }
    }

    fn wants_steps(&self) -> bool {
        true
    }

    fn step(&mut self, _: Nanos, member: MemberId, step: &Step) {
        if let Call::Receive(message) = &step.call {
            assert!(self.delivered.contains(&(member, message.number)), "{step:?}");
            self.named.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_step_names_the_packet_that_brought_its_message() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/swarm.toml");
    let case = Case::load(path.as_ref()).expect("a scenario");
    for seed in 0..3 {
        let named = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&named);
        let mut additions = Additions::default();
        additions.observer(move |_| Packets {
            sent: 0,
            delivered: BTreeSet::new(),
            named: Arc::clone(&count),
        });
        additions.run(&case.plan(seed)).expect("the numbers are right");
        assert!(named.load(Ordering::Relaxed) > 0, "seed {seed}");
    }
}
