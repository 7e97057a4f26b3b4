//! For every oracle of the table, one example in which it fires, and one that differs only a little in which
//! everything holds. A row of the table without its two examples fails these tests.

use etcdsim_verify::table::{Kind, TABLE};
use etcdsim_verify::{Oracle, Verdict};
use record::{EtcdFact, Fact, MemberId, MessageKind, Stop};

use super::build::*;
use super::evidence::revoke;
use super::invariants::script::Script;
use super::{leaks, leases, locks, membership, refused, watch};

/// Two examples of an oracle.
#[expect(clippy::large_enum_variant, reason = "a few of them, in a test")]
enum Examples {
    /// One that judges the record.
    Record { fires: Story, holds: Story },
    /// One that watches events.
    Events { fires: Script, holds: Script },
    /// One that compares two runs, or watches steps. Its tests are elsewhere: the file, from the root, and their names.
    Runs { file: &'static str, fires: &'static str, holds: &'static str },
}

fn examples(oracle: Oracle) -> Examples {
    match oracle.id().as_bytes()[0] {
        b'W' => of_watchers(oracle),
        b'I' => of_invariants(oracle),
        _ => of_records(oracle),
    }
}

fn of_records(oracle: Oracle) -> Examples {
    let put_once = || Story::default().ok(1, put("a", "1"), (1, 2), done(2));
    let pair = kv("a", "1", 2, 2, 1);
    let (fires, holds) = match oracle.id() {
        "K1" => {
            let read = |call| put_once().ok(2, get("a"), (call, 4), found(1, &[]));
            (read(3), read(2))
        }
        "K2" => {
            let read = |second: i64| {
                let kvs = [kv("a", "2", 2, 3, 2)];
                let second = if second == 2 { found(2, std::slice::from_ref(&pair)) } else { found(3, &kvs) };
                let story = put_once().ok(1, put("a", "2"), (3, 4), done(3));
                let story = story.ok(2, serializable("a"), (5, 6), found(3, &kvs));
                story.ok(2, serializable("a"), (7, 8), second).starts(&[])
            };
            (read(2), read(3))
        }
        "K3" => {
            let read = |revision| {
                let story = put_once().ok(1, put("a", "2"), (3, 4), done(3));
                story.ok(1, get_at("a", revision), (5, 6), found(3, std::slice::from_ref(&pair)))
            };
            (read(3), read(2))
        }
        "K4" => {
            let quiet = |kvs| put_once().ok(9, everything(), (50, 51), found(2, kvs));
            (quiet(&[]), quiet(&[pair]))
        }
        "C1" => {
            let copy = |pairs| put_once().copy(2, 3, 2, pairs);
            (copy(&[]), copy(&[("a", 2)]))
        }
        "L1" => {
            let ended = |at| leases::one().own(revoke(7), 1, false).at(at);
            (ended(11), ended(12))
        }
        "L2" => (leases::one().healed(5, 27), leases::one().healed(5, 26)),
        "L3" => {
            let kept = |ttl| leases::one().ok(1, leases::keep(7), (4, 5), leases::kept(7, ttl));
            (kept(9), kept(10))
        }
        "M1" => (locks::guarded(4), locks::guarded(5)),
        "M2" => (membership::added_unseen(), membership::joined()),
        "N1" => (refused::of_no_key(false), refused::of_no_key(true)),
        "N2" => (refused::of_nobody(false), refused::of_nobody(true)),
        "N3" => (refused::of_a_learner(false), refused::of_a_learner(true)),
        "V1" => {
            let mut unsettled = Story::default().end(1, 9, 1);
            unsettled.record.unsettled.push("No member leads after 10 s.".to_string());
            (unsettled, Story::default().end(1, 9, 1))
        }
        "V2" => {
            let mut surprised = put_once();
            surprised.record.surprises.push((
                7,
                MemberId::new(2),
                Stop::Panic("index out of range".to_string()),
            ));
            (surprised, put_once())
        }
        "V3" => {
            // A fault at 1 s; answers at 2 s and at `next`; the chaos phase ends at 20 s.
            let answered = |next| {
                let mut story = put_once().ok(1, put("a", "2"), (3, next), done(3)).settled(20, 20, 3);
                story.record.strikes.push((1_000_000_000, "isolate"));
                story.expectations.progress = Some(17_500_000_000);
                story
            };
            (answered(20), answered(19))
        }
        "Z" => (leaks::kept(&[("progress", 2)]), leaks::kept(&[("progress", 1)])),
        "B1" | "B2" | "B3" | "B4" | "B5" | "B6" | "B7" | "B8" => {
            let file = "crates/verify/src/musts/tests.rs";
            let test = match oracle.id() {
                "B1" => "b1_a_leader_without_answers_steps_down",
                "B2" => "b2_a_transfer_is_given_up_after_an_election_timeout",
                "B3" => "b3_nobody_disturbs_a_leader_that_is_heard",
                "B4" => "b4_a_lost_leader_is_replaced",
                "B5" => "b5_a_leader_sends_no_more_than_it_needs_to",
                "B6" => "b6_every_request_is_answered",
                "B7" => "b7_a_read_index_is_confirmed",
                _ => "b8_a_watcher_is_told",
            };
            return Examples::Runs { file, fires: test, holds: test };
        }
        "L4" => {
            let file = "crates/verify/src/leases/lessor.rs";
            let test = "l4_a_leader_is_the_lessor_from_its_first_entry_on";
            return Examples::Runs { file, fires: test, holds: test };
        }
        "S" => {
            let file = "crates/verify/src/specification/tests.rs";
            let fires = "every_rule_is_broken_by_a_step";
            let holds = "no_rule_is_broken_by_a_right_step";
            return Examples::Runs { file, fires, holds };
        }
        "D1" => {
            let file = "crates/etcdsim/src/determinism.rs";
            let fires = "traces_diverge_at_the_first_difference";
            let holds = "equal_traces_do_not_diverge";
            return Examples::Runs { file, fires, holds };
        }
        other => panic!("{other} has no examples: add a record in which it fires and one in which it holds"),
    };
    Examples::Record { fires, holds }
}

fn of_watchers(oracle: Oracle) -> Examples {
    let [one, two, three, four, five] = watch::events();
    let stream = |start| Stream::default().at(11).create(from("a", "c", start)).created(0, 6).at(12);
    let watched = |stream: Stream| watch::written().watch(stream);
    let all = || watched(stream(2).receives(0, 6, &watch::events().concat()));
    let received = |events: &[&[_]]| watched(stream(2).receives(0, 6, &events.concat()));
    let (fires, holds) = match oracle.id() {
        "W1" => {
            let story = |key| {
                let created = Stream::default().at(11).create(from(key, "", 2)).created(0, 6).at(12);
                watched(created.receives(0, 2, &one))
            };
            (story("b"), story("a"))
        }
        "W2" => (received(&[&one, &three, &two, &four, &five]), all()),
        "W3" => (received(&[&one, &two, &two, &three, &four, &five]), all()),
        "W4" => (received(&[&one, &two, &three, &four, &five[..1]]), all()),
        "W5" => {
            let story = |progress| {
                let stream = stream(2).receives(0, 2, &one).receives(0, 3, &two).progress(0, progress);
                watched(stream.receives(0, 6, &[three.clone(), four.clone(), five.clone()].concat()))
            };
            (story(4), story(3))
        }
        "W6" => {
            let story = |start| watched(stream(start).receives(0, 6, &[four.clone(), five.clone()].concat()));
            (story(4), story(5))
        }
        "W7" => (received(&[&one, &three, &four, &five]), all()),
        "W8" => {
            let story = |value| {
                let request = api::etcdserverpb::WatchCreateRequest { prev_kv: true, ..from("a", "", 3) };
                let event = after(two[0].clone(), kv("a", value, 2, 2, 1));
                watched(Stream::default().at(11).create(request).created(0, 6).at(12).receives(
                    0,
                    3,
                    &[event],
                ))
            };
            (story("2"), story("1"))
        }
        "W9" => {
            let mut changed = two.clone();
            changed[0].kv.as_mut().expect("a pair").create_revision = 3;
            (received(&[&one, &changed]), received(&[&one, &two]))
        }
        "W10" => {
            let story = |revision| {
                let created = Stream::default().at(5).create(from("a", "c", 0)).created(0, revision).at(12);
                watched(created.receives(0, 6, &[four.clone(), five.clone()].concat()))
            };
            (story(3), story(4))
        }
        "W11" => {
            let short = watched(stream(2).receives(0, 5, &[one, two, three, four].concat()));
            (short.settled(20, 30, 6), all().settled(20, 30, 6))
        }
        "W12" => {
            let story = |start| {
                let created = Stream::default().at(14).create(from("a", "c", start)).created(0, 6);
                watch::compacted_to(5).watch(created.cancelled(0, 5))
            };
            (story(5), story(4))
        }
        other => panic!("{other} has no examples: add a stream in which it fires and one in which it holds"),
    };
    Examples::Record { fires, holds }
}

fn of_invariants(oracle: Oracle) -> Examples {
    let run = |members, facts: &dyn Fn(&mut Script)| {
        let mut run = Script::new(members);
        facts(&mut run);
        run
    };
    let two = |facts: &dyn Fn(&mut Script, bool), members| {
        (run(members, &|run| facts(run, true)), run(members, &|run| facts(run, false)))
    };
    let (fires, holds) = match oracle.id() {
        "I1" => two(
            &|run, fires| {
                run.leads(1, 5);
                run.leads(3, if fires { 5 } else { 6 });
            },
            3,
        ),
        "I2" => two(
            &|run, fires| {
                run.append(1, &[(1, 1), (2, 1), (3, 3)]);
                run.append(2, &[(1, 1), (2, if fires { 2 } else { 1 })]);
                run.append(2, &[(3, 3)]);
            },
            3,
        ),
        "I3" => two(
            &|run, fires| {
                run.leads(1, 1);
                (1..=2).for_each(|member| run.write(member, &[(1, 1), (2, 1)]));
                run.commit(1, 2, 1);
                run.leads(if fires { 3 } else { 2 }, 2);
            },
            3,
        ),
        "I4" => two(
            &|run, fires| {
                applied_by_one(run);
                if !fires {
                    run.stop(1, Stop::Crash);
                    run.start(1, 1);
                }
                run.apply(1, 2, 1);
            },
            2,
        ),
        "I5" => two(
            &|run, fires| {
                run.leads(1, 1);
                run.append(1, &[(1, 1)]);
                let job = run.save(1);
                if !fires {
                    run.sync(1, job);
                }
                run.commit(1, 1, 1);
            },
            1,
        ),
        "I6" => two(
            &|run, fires| {
                run.votes(3, 2, 1);
                run.append(3, &[(1, 2)]);
                let job = run.save(3);
                if !fires {
                    run.sync(3, job);
                }
                run.send(3, 1, MessageKind::AppendResponse, 2, 1);
            },
            3,
        ),
        "I7" => two(
            &|run, fires| {
                run.votes(1, 3, 3);
                run.votes(1, if fires { 2 } else { 4 }, 0);
            },
            3,
        ),
        "I8" => two(
            &|run, fires| {
                applied_by_one(run);
                let (revision, state_hash) = (if fires { 3 } else { 2 }, 1_002);
                run.report(
                    2,
                    Fact::Own(EtcdFact::SnapshotInstalled { index: 2, term: 1, revision, state_hash }),
                );
            },
            2,
        ),
        "I9" => two(
            &|run, fires| {
                run.report(1, Fact::Own(EtcdFact::ReadIndexAsked { context: 16 }));
                run.report(2, Fact::Own(EtcdFact::ReadIndexAsked { context: if fires { 16 } else { 17 } }));
            },
            2,
        ),
        "I10" => two(
            &|run, fires| {
                (1..=3).for_each(|member| run.configure(member, 0, &[1, 2, 3], &[], &[]));
                run.configure(1, 4, if fires { &[1, 4, 5] } else { &[1, 2, 3, 4] }, &[], &[]);
            },
            5,
        ),
        other => panic!("{other} has no examples: add events by which it fires and some by which it holds"),
    };
    Examples::Events { fires, holds }
}

/// Both members have entries 1 and 2 on disk, and they are committed; member 1 applied them.
fn applied_by_one(run: &mut Script) {
    for member in 1..=2 {
        run.votes(member, 1, 1);
        run.write(member, &[(1, 1), (2, 1)]);
    }
    (1..=2).for_each(|member| run.commit(member, 2, 1));
    (1..=2).for_each(|index| run.apply(1, index, 1));
}

/// The examples of a row are of its kind; in one it fires, in the other everything holds.
fn test(kind: Kind, oracle: Oracle) {
    let fires = |verdict: &Verdict| verdict.violations.iter().any(|one| one.oracle == oracle);
    match (kind, examples(oracle)) {
        (Kind::Record(_), Examples::Record { fires: one, holds: other }) => {
            assert!(fires(&one.verdict()), "{oracle} does not fire: {:#?}", one.verdict());
            let verdict = other.verdict();
            assert!(verdict.holds(), "{oracle} has no example in which all holds: {verdict:#?}");
            // V2 counts only what it finds.
            let looked = verdict.count(oracle) > 0 || oracle == Oracle::V2;
            assert!(looked, "{oracle} looked at nothing where it holds");
        }
        (Kind::Events, Examples::Events { fires: one, holds: other }) => {
            let found = one.sheet.violations().iter().map(|one| one.oracle).collect::<Vec<_>>();
            assert!(found.contains(&oracle), "{oracle} does not fire, but {found:?}");
            other.finds_nothing();
        }
        (Kind::Runs | Kind::Steps, Examples::Runs { file, fires, holds }) => {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
            let text = std::fs::read_to_string(path).expect("the file with the tests is there");
            for name in [fires, holds] {
                let test = |indent: &str| format!("#[test]\n{indent}fn {name}()");
                let has = ["", "    "].iter().any(|indent| text.contains(&test(indent)));
                assert!(has, "{file} has no test {name}");
            }
        }
        (kind, _) => panic!("{oracle} has examples of another kind than {kind:?}"),
    }
}

#[test]
fn every_oracle_fires_and_holds() {
    for part in TABLE {
        part.rows.iter().for_each(|row| test(part.kind, row.oracle));
    }
}
