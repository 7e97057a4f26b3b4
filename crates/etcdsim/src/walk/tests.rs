use record::MemberId;
use verify::{Oracle, Violation};

use super::*;

fn event(time: Nanos, member: u32, fact: Fact) -> Event {
    Event { time, member: MemberId::new(member), fact }
}

fn committed(time: Nanos, member: u32, index: u64) -> Event {
    event(time, member, Fact::Own(EtcdFact::Committed { index, term: 1 }))
}

fn leads(time: Nanos, member: u32, term: u64) -> Event {
    let id = MemberId::new(member);
    event(time, member, Fact::Own(EtcdFact::State { term, vote: id, role: Role::Leader, leader: id }))
}

/// Two members; the first leads term 2 and commits up to 10,000, one entry a nanosecond.
fn walk() -> Walk {
    let mut events = vec![event(0, 1, Fact::Started { incarnation: 1 }), leads(5, 1, 2)];
    events.extend((1..=10_000).map(|index| committed(10 + index, 1, index)));
    events.push(event(20_000, 2, Fact::Paused));
    let violations = [Violation::new(Oracle::K1, 500, "lost"), Violation::new(Oracle::I1, 12, "two leaders")];
    Walk::new(events, &violations, 2)
}

#[test]
fn the_states_are_the_same_from_either_side() {
    let mut walk = walk();
    let mut seen = Vec::new();
    for position in [0, 1, 2, 5000, 8191, 8192, 8193, 10_003] {
        walk.go_to(position);
        seen.push((position, walk.states().clone()));
    }
    for (position, states) in seen.iter().rev() {
        walk.go_to(*position);
        assert_eq!(walk.states(), states, "{position}");
    }
    walk.go_to(5000);
    assert_eq!(walk.states().0[MemberId::new(1)].commit, 4998);
    walk.go_to(usize::MAX);
    assert_eq!((walk.position(), walk.time()), (10_003, 20_000));
}

#[test]
fn it_goes_to_the_next_and_the_last_of_a_kind() {
    let mut walk = walk();
    assert!(walk.next(Goal::Election));
    assert_eq!(walk.time(), 5);
    assert!(!walk.next(Goal::Election) && walk.time() == 5);
    assert!(walk.next(Goal::Violation));
    assert_eq!((walk.time(), walk.violations_here().collect::<Vec<_>>()), (12, vec!["I1: two leaders"]));
    assert!(walk.next(Goal::Violation) && walk.time() == 500);
    assert!(walk.next(Goal::Fault) && walk.time() == 20_000);
    assert!(walk.previous(Goal::Commit) && walk.time() == 10_010);
    assert!(walk.previous(Goal::Election) && walk.time() == 5);
    assert!(!walk.previous(Goal::Violation));
    assert!(walk.previous(Goal::Event) && walk.previous(Goal::Event) && !walk.previous(Goal::Event));
    assert_eq!(walk.position(), 0);
}

#[test]
fn a_time_is_after_all_its_events() {
    let mut walk = walk();
    walk.go_to_time(4);
    assert_eq!(walk.position(), 1);
    walk.go_to_time(5);
    assert_eq!(walk.states().0[MemberId::new(1)].role_text(), "LEADER");
    walk.go_to_time(0);
    assert_eq!(walk.position(), 1);
}

#[test]
fn the_table_has_a_column_for_each_member() {
    let mut walk = walk();
    walk.go_to_time(500);
    let table = walk.states().table();
    let line =
        |name: &str| table.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
    assert!(line("role").contains("LEADER") && line("process").contains("not started"), "{table}");
    assert!(line("commit").contains("490"), "{table}");
}
