//! The messages for mistakes: the underlined position, what was expected, how to fix it.

use etcdsim_plan::{Plan, Scenario, ScenarioErrors};
use miette::{GraphicalReportHandler, GraphicalTheme};

fn render(errors: &ScenarioErrors) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(110);
    handler.render_report(&mut text, errors).unwrap();
    text
}

#[track_caller]
fn compare<T>(read: Result<T, ScenarioErrors>, expected: &str) {
    let Err(errors) = read else { panic!("the file has a mistake, and it was not found") };
    let rendered = render(&errors);
    let lines = |text: &str| text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    if lines(&rendered) != lines(expected) {
        panic!("the message has changed; it is now\n{rendered}");
    }
}

/// Compares the messages for a scenario with mistakes.
#[track_caller]
fn check(text: &str, expected: &str) {
    compare(Scenario::parse("bad.toml", text), expected);
}

/// The same for a plan.
#[track_caller]
fn check_plan(text: &str, expected: &str) {
    compare(Plan::parse("bad.toml", text), expected);
}

#[test]
fn a_file_that_is_not_toml() {
    check(
        r#"
title = "t"
[cluster
members = 3
"#
        .trim_start(),
        r#"
  × bad.toml: not TOML: unclosed table, expected `]`
   ╭─[bad.toml:2:9]
 1 │ title = "t"
 2 │ [cluster
   ·         ▲
   ·         ╰── here
 3 │ members = 3
   ╰────
  help: the format is described in docs/scenarios.md
"#,
    );
}

#[test]
fn an_unknown_key() {
    check(
        r#"
title = "t"
[cluster]
membrs = 3
"#
        .trim_start(),
        r#"
  × bad.toml: [cluster] has no `membrs`
   ╭─[bad.toml:3:1]
 2 │ [cluster]
 3 │ membrs = 3
   · ───┬──
   ·    ╰── unknown
   ╰────
  help: did you mean `members`?
"#,
    );
}

#[test]
fn an_unknown_section() {
    check(
        r#"
title = "t"
[clutser]
members = 3
"#
        .trim_start(),
        r#"
  × bad.toml: a scenario has no `clutser`
   ╭─[bad.toml:2:2]
 1 │ title = "t"
 2 │ [clutser]
   ·  ───┬───
   ·     ╰── unknown
 3 │ members = 3
   ╰────
  help: did you mean `cluster`?
"#,
    );
}

#[test]
fn a_wrong_unit() {
    check(
        r#"
title = "t"
[cluster]
heartbeat-interval = "150mb"
"#
        .trim_start(),
        r#"
  × bad.toml: `mb` is not a unit of time
   ╭─[bad.toml:3:22]
 2 │ [cluster]
 3 │ heartbeat-interval = "150mb"
   ·                      ───┬───
   ·                         ╰── here
   ╰────
  help: did you mean `ms`? write a duration such as `"150ms"`; the units are `ns`, `us`, `ms`, `s`, `m`, `h`
"#,
    );
}

#[test]
fn a_number_without_a_unit() {
    check(
        r#"
title = "t"
[cluster]
heartbeat-interval = 150
"#
        .trim_start(),
        r#"
  × bad.toml: 150 has no unit
   ╭─[bad.toml:3:22]
 2 │ [cluster]
 3 │ heartbeat-interval = 150
   ·                      ─┬─
   ·                       ╰── here
   ╰────
  help: write a duration such as `"150ms"`; the units are `ns`, `us`, `ms`, `s`, `m`, `h`
"#,
    );
}

#[test]
fn a_unit_where_none_belongs() {
    check(
        r#"
title = "t"
[cluster]
members = "3s"
"#
        .trim_start(),
        r#"
  × bad.toml: "s" follows the number: this is a plain count, without a unit
   ╭─[bad.toml:3:11]
 2 │ [cluster]
 3 │ members = "3s"
   ·           ──┬─
   ·             ╰── here
   ╰────
  help: write a whole number such as `5`
"#,
    );
}

#[test]
fn an_amount_that_would_be_rounded() {
    check(
        r#"
title = "t"
[cluster]
wal-segment-bytes = "1.0001KiB"
"#
        .trim_start(),
        r#"
  × bad.toml: 1.0001KiB is finer than a byte
   ╭─[bad.toml:3:21]
 2 │ [cluster]
 3 │ wal-segment-bytes = "1.0001KiB"
   ·                     ─────┬─────
   ·                          ╰── here
   ╰────
  help: write a size such as `"64KiB"`; the units are `B`, `KB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`
"#,
    );
}

#[test]
fn several_mistakes_at_once() {
    check(
        r#"
title = "t"
[cluster]
pre-vote = "yes"
members = 12
[run]
chaos = "30s..10s"
"#
        .trim_start(),
        r#"
  × bad.toml has 3 mistakes

Error:
  × `pre-vote` is `true` or `false`, not a text
   ╭─[bad.toml:3:12]
 2 │ [cluster]
 3 │ pre-vote = "yes"
   ·            ──┬──
   ·              ╰── expected `true` or `false`
 4 │ members = 12
   ╰────

Error:
  × `members` cannot be 12
   ╭─[bad.toml:4:11]
 3 │ pre-vote = "yes"
 4 │ members = 12
   ·           ─┬
   ·            ╰── here
 5 │ [run]
   ╰────
  help: it lies between 1 and 9

Error:
  × the range "30s..10s" goes down
   ╭─[bad.toml:6:9]
 5 │ [run]
 6 │ chaos = "30s..10s"
   ·         ─────┬────
   ·              ╰── here
   ╰────
  help: write `10s..30s`
"#,
    );
}

#[test]
fn a_log_range_from_nothing() {
    check(
        r#"
title = "t"
[workload]
rate = "log 0/s..10/s"
"#
        .trim_start(),
        r#"
  × bad.toml: the range "log 0/s..10/s" begins at 0
   ╭─[bad.toml:3:8]
 2 │ [workload]
 3 │ rate = "log 0/s..10/s"
   ·        ───────┬───────
   ·               ╰── here
   ╰────
  help: a log-uniform range begins above 0
"#,
    );
}

#[test]
fn a_choice_of_nothing() {
    check(
        r#"
title = "t"
[cluster]
members = { any = [] }
"#
        .trim_start(),
        r#"
  × bad.toml: a choice needs a list of values
   ╭─[bad.toml:3:11]
 2 │ [cluster]
 3 │ members = { any = [] }
   ·           ──────┬─────
   ·                 ╰── nothing to choose from
   ╰────
  help: write `{ any = [3, 5] }`
"#,
    );
}

#[test]
fn a_distribution_of_the_wrong_parts() {
    check(
        r#"
title = "t"
[disk]
sync = { floor = "1ms", to = "5ms" }
"#
        .trim_start(),
        r#"
  × bad.toml: `sync` is not a distribution
   ╭─[bad.toml:3:8]
 2 │ [disk]
 3 │ sync = { floor = "1ms", to = "5ms" }
   ·        ──────────────┬──────────────
   ·                      ╰── these fields do not go together
   ╰────
  help: a distribution is one value, or `{ from = …, to = … }` (uniform), or `{ floor = …, mean = … }`
        (exponential above the floor), or `{ usual = …, worst = …, tail = "1%" }` (mostly the usual value,
        sometimes log-uniform up to the worst)
"#,
    );
}

#[test]
fn a_distribution_the_wrong_way_round() {
    check(
        r#"
title = "t"
[disk]
sync = { from = "1ms..8ms", to = "5ms" }
"#
        .trim_start(),
        r#"
  × bad.toml: `from` can be above `to`
   ╭─[bad.toml:3:8]
 2 │ [disk]
 3 │ sync = { from = "1ms..8ms", to = "5ms" }
   ·        ────────────────┬────────────────
   ·                        ╰── the wrong way round
   ╰────
  help: let `to` be at least the largest `from`
"#,
    );
}

#[test]
fn a_file_without_a_title() {
    check(
        r#"
[cluster]
members = 3
"#
        .trim_start(),
        r#"
  × bad.toml: the file has no title
   ╭─[bad.toml:1:1]
 1 │ [cluster]
   · ▲
   · ╰── expected `title = "…"`
 2 │ members = 3
   ╰────
  help: say in a few words what the scenario is about
"#,
    );
}

#[test]
fn a_member_that_does_not_exist() {
    check(
        r#"
title = "t"
[cluster]
members = 5

[[fault]]
kind = "crash"
target = "member 7"
at = "5s"
"#
        .trim_start(),
        r#"
  × bad.toml: there is no member 7
   ╭─[bad.toml:7:10]
 6 │ kind = "crash"
 7 │ target = "member 7"
   ·          ─────┬────
   ·               ╰── does not exist
 8 │ at = "5s"
   ╰────
  help: the cluster has 5 members, numbered from 1; `members` in `[cluster]` sets how many
"#,
    );
}

#[test]
fn a_member_that_may_not_exist() {
    check(
        r#"
title = "t"
[cluster]
members = { any = [3, 5] }

[[fault]]
kind = "crash"
target = "members 1, 4"
at = "5s"
"#
        .trim_start(),
        r#"
  × bad.toml: there is no member 4
   ╭─[bad.toml:7:10]
 6 │ kind = "crash"
 7 │ target = "members 1, 4"
   ·          ───────┬──────
   ·                 ╰── does not exist
 8 │ at = "5s"
   ╰────
  help: the cluster may have only 3 members, numbered from 1; `members` in `[cluster]` sets how many
"#,
    );
}

#[test]
fn a_client_that_does_not_exist() {
    check(
        r#"
title = "t"
[workload]
clients = 2

[[fault]]
kind = "cut"
target = "client 2"
at = "5s"
"#
        .trim_start(),
        r#"
  × bad.toml: there is no client 2
   ╭─[bad.toml:7:10]
 6 │ kind = "cut"
 7 │ target = "client 2"
   ·          ─────┬────
   ·               ╰── does not exist
 8 │ at = "5s"
   ╰────
  help: there are 2 clients, numbered from 0 to 1
"#,
    );
}

#[test]
fn a_member_in_a_condition() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "leader"
when = "member 4 applied 100"
"#
        .trim_start(),
        r#"
  × bad.toml: there is no member 4
   ╭─[bad.toml:5:8]
 4 │ target = "leader"
 5 │ when = "member 4 applied 100"
   ·        ───────────┬──────────
   ·                   ╰── does not exist
   ╰────
  help: the cluster has 3 members, numbered from 1; `members` in `[cluster]` sets how many
"#,
    );
}

#[test]
fn an_unknown_kind() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crush"
target = "leader"
at = "5s"
"#
        .trim_start(),
        r#"
  × bad.toml: there is no fault "crush"
   ╭─[bad.toml:3:8]
 2 │ [[fault]]
 3 │ kind = "crush"
   ·        ───┬───
   ·           ╰── unknown kind
 4 │ target = "leader"
   ╰────
  help: did you mean `crash`?
"#,
    );
}

#[test]
fn a_field_of_another_kind() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "leader"
at = "5s"
loss = "5%"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `crash` has no `loss`
   ╭─[bad.toml:6:1]
 5 │ at = "5s"
 6 │ loss = "5%"
   · ──┬─
   ·   ╰── unknown
   ╰────
  help: one of `name`, `id`, `target`, `at`, `every`, `about-every`, `times`, `when`, `after`, `from`,
        `until`, `for`, `chance`, `kind`
"#,
    );
}

#[test]
fn an_unknown_target() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "leeder"
at = "5s"
"#
        .trim_start(),
        r#"
  × bad.toml: "leeder" is not a target
   ╭─[bad.toml:4:10]
 3 │ kind = "crash"
 4 │ target = "leeder"
   ·          ────┬───
   ·              ╰── here
 5 │ at = "5s"
   ╰────
  help: did you mean `leader`? a target is `leader`, `follower`, `followers`, `random`, `majority`,
        `minority`, `leader-majority`, `all`, `fixed-member`, `fixed-minority`, `member 3`, `members 1, 3`,
        `clients` or `client 0`
"#,
    );
}

#[test]
fn an_unknown_condition() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "leader"
when = "elections 2"
"#
        .trim_start(),
        r#"
  × bad.toml: "elections 2" is not a condition
   ╭─[bad.toml:5:8]
 4 │ target = "leader"
 5 │ when = "elections 2"
   ·        ──────┬──────
   ·              ╰── here
   ╰────
  help: did you mean `election`? a condition is `leader`, `no leader`, `election 2`, `applied 500`, `member
        2 applied 500`, `snapshot 2`, `member 2 snapshot 2` or `operations 100`
"#,
    );
}

#[test]
fn an_unknown_word() {
    check(
        r#"
title = "t"
[[fault]]
kind = "disk-error"
target = "leader"
at = "1s"
call = "fsync"
"#
        .trim_start(),
        r#"
  × bad.toml: `call` cannot be "fsync"
   ╭─[bad.toml:6:8]
 5 │ at = "1s"
 6 │ call = "fsync"
   ·        ───┬───
   ·           ╰── unknown word
   ╰────
  help: did you mean `sync`?
"#,
    );
}

#[test]
fn a_fault_without_a_time() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "leader"
for = "2s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `crash` has no time
   ╭─[bad.toml:2:1]
 1 │ title = "t"
 2 │ [[fault]]
   · ────┬────
   ·     ╰── when?
 3 │ kind = "crash"
   ╰────
  help: add `at = "10s"`, `every = "5s..10s"`, `about-every = "10s"` or `when = "leader"`
"#,
    );
}

#[test]
fn a_fault_without_a_target() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
at = "2s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `crash` has no target
   ╭─[bad.toml:2:1]
 1 │ title = "t"
 2 │ [[fault]]
   · ────┬────
   ·     ╰── whom?
 3 │ kind = "crash"
   ╰────
  help: add `target`: a target is `leader`, `follower`, `followers`, `random`, `majority`, `minority`,
        `leader-majority`, `all`, `fixed-member`, `fixed-minority`, `member 3`, `members 1, 3`, `clients` or
        `client 0`
"#,
    );
}

#[test]
fn two_times() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "leader"
at = "2s"
every = "5s"
"#
        .trim_start(),
        r#"
  × bad.toml: `at` and `every` exclude each other
   ╭─[bad.toml:5:6]
 4 │ target = "leader"
 5 │ at = "2s"
   ·      ──┬─
   ·        ╰── it is set here
 6 │ every = "5s"
   ·         ──┬─
   ·           ╰── and here
   ╰────
  help: `at` strikes once, `every` and `about-every` repeatedly
"#,
    );
}

#[test]
fn a_time_that_means_nothing() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "leader"
at = "2s"
after = "1s"
"#
        .trim_start(),
        r#"
  × bad.toml: `after` has no effect here
   ╭─[bad.toml:6:9]
 5 │ at = "2s"
 6 │ after = "1s"
   ·         ──┬─
   ·           ╰── needs `when`
   ╰────
  help: add `when`, or remove it
"#,
    );
}

#[test]
fn a_fault_after_the_end() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "leader"
at = "40s"

[run]
chaos = "30s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `crash` comes after the chaos phase
   ╭─[bad.toml:5:6]
 4 │ target = "leader"
 5 │ at = "40s"
   ·      ──┬──
   ·        ╰── never strikes
 6 │
   ╰────
  help: the chaos phase ends at 30s, set by `chaos` in `[run]`
"#,
    );
}

#[test]
fn a_length_for_what_is_over_at_once() {
    check(
        r#"
title = "t"
[[fault]]
kind = "bit-rot"
target = "random"
at = "4s"
for = "3s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `bit-rot` is over at once
   ╭─[bad.toml:6:7]
 5 │ at = "4s"
 6 │ for = "3s"
   ·       ──┬─
   ·         ╰── has no effect here
   ╰────
  help: remove it
"#,
    );
}

#[test]
fn clients_where_members_are_meant() {
    check(
        r#"
title = "t"
[workload]

[[fault]]
kind = "crash"
target = "clients"
at = "4s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `crash` cannot have this target
   ╭─[bad.toml:6:10]
 5 │ kind = "crash"
 6 │ target = "clients"
   ·          ────┬────
   ·              ╰── clients
 7 │ at = "4s"
   ╰────
  help: only `link`, `cut` and `clog` can target clients
"#,
    );
}

#[test]
fn a_split_of_all() {
    check(
        r#"
title = "t"
[[fault]]
kind = "split"
target = "all"
at = "4s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `split` cannot have this target
   ╭─[bad.toml:4:10]
 3 │ kind = "split"
 4 │ target = "all"
   ·          ──┬──
   ·            ╰── all members
 5 │ at = "4s"
   ╰────
  help: the target is one of two sides; write `minority`, `leader` or `members 1, 2`
"#,
    );
}

#[test]
fn a_bridge_of_several() {
    check(
        r#"
title = "t"
[[fault]]
kind = "bridge"
target = "minority"
at = "4s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `bridge` cannot have this target
   ╭─[bad.toml:4:10]
 3 │ kind = "bridge"
 4 │ target = "minority"
   ·          ─────┬────
   ·               ╰── more than one member
 5 │ at = "4s"
   ╰────
  help: write one member: `leader`, `follower`, `random`, `fixed-member` or `member 3`
"#,
    );
}

#[test]
fn a_majority_of_lost_disks() {
    check(
        r#"
title = "t"
[[fault]]
kind = "lost-disk"
target = "majority"
at = "4s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `lost-disk` cannot have this target
   ╭─[bad.toml:4:10]
 3 │ kind = "lost-disk"
 4 │ target = "majority"
   ·          ─────┬────
   ·               ╰── more than a minority
 5 │ at = "4s"
   ╰────
  help: a cluster that loses more than a minority of its disks cannot keep what it promised; write `random`,
        `fixed-member` or `member 3`
"#,
    );
}

#[test]
fn a_ring_of_two() {
    check(
        r#"
title = "t"
[cluster]
members = 2

[[fault]]
kind = "majorities-ring"
at = "4s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `majorities-ring` needs 3 members
   ╭─[bad.toml:5:1]
 4 │
 5 │ [[fault]]
   · ────┬────
   ·     ╰── cannot happen
 6 │ kind = "majorities-ring"
   ╰────
  help: the cluster has 2 members
"#,
    );
}

#[test]
fn followers_in_a_cluster_of_one() {
    check(
        r#"
title = "t"
[cluster]
members = 1

[[fault]]
kind = "crash"
target = "follower"
at = "4s"
"#
        .trim_start(),
        r#"
  × bad.toml: the fault `crash` cannot have this target
   ╭─[bad.toml:7:10]
 6 │ kind = "crash"
 7 │ target = "follower"
   ·          ─────┬────
   ·               ╰── the only member is none of these
 8 │ at = "4s"
   ╰────
  help: a cluster of one has neither followers nor a minority; write `all` or `member 1`
"#,
    );
}

#[test]
fn a_crash_of_a_member_that_is_down() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "member 2"
at = "5s"
for = "10s"

[[fault]]
kind = "power-loss"
target = "members 2, 3"
at = "8s"
"#
        .trim_start(),
        r#"
  × bad.toml: `power-loss` strikes member 2 while it is down
    ╭─[bad.toml:5:6]
  4 │ target = "member 2"
  5 │ at = "5s"
    ·      ──┬─
    ·        ╰── the first strikes here
  6 │ for = "10s"
  7 │
  8 │ [[fault]]
  9 │ kind = "power-loss"
 10 │ target = "members 2, 3"
 11 │ at = "8s"
    ·      ──┬─
    ·        ╰── the second strikes here
    ╰────
  help: member 2 is down from `crash` until it starts again; let the second come later, or take another
        member
"#,
    );
}

#[test]
fn a_crash_of_a_member_that_is_down_for_good() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "member 2"
at = "20s"

[[fault]]
kind = "crash"
target = "member 2"
at = "5s..8s"
"#
        .trim_start(),
        r#"
  × bad.toml: `crash` strikes member 2 while it is down
    ╭─[bad.toml:5:6]
  4 │ target = "member 2"
  5 │ at = "20s"
    ·      ──┬──
    ·        ╰── the second strikes here
  6 │
  7 │ [[fault]]
  8 │ kind = "crash"
  9 │ target = "member 2"
 10 │ at = "5s..8s"
    ·      ────┬───
    ·          ╰── the first strikes here
    ╰────
  help: member 2 is down from `crash` until the chaos phase ends (the first has no `for`); let the second
        come later, or take another member
"#,
    );
}

#[test]
fn a_pause_of_a_member_that_is_paused() {
    check(
        r#"
title = "t"
[[fault]]
kind = "pause"
target = "member 2"
at = "5s"
for = "10s"

[[fault]]
kind = "pause"
target = "member 2"
at = "8s"
"#
        .trim_start(),
        r#"
  × bad.toml: two faults `pause` hold member 2 at the same time
    ╭─[bad.toml:5:6]
  4 │ target = "member 2"
  5 │ at = "5s"
    ·      ──┬─
    ·        ╰── the first strikes here
  6 │ for = "10s"
  7 │
  8 │ [[fault]]
  9 │ kind = "pause"
 10 │ target = "member 2"
 11 │ at = "8s"
    ·      ──┬─
    ·        ╰── the second strikes here
    ╰────
  help: let the second come after the first is over, or take another member
"#,
    );
}

#[test]
fn a_pause_of_a_member_that_is_down() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "member 2"
at = "5s"
for = "10s"

[[fault]]
kind = "pause"
target = "member 2"
at = "8s"
"#
        .trim_start(),
        r#"
  × bad.toml: `pause` strikes member 2 while it is down
    ╭─[bad.toml:5:6]
  4 │ target = "member 2"
  5 │ at = "5s"
    ·      ──┬─
    ·        ╰── the first strikes here
  6 │ for = "10s"
  7 │
  8 │ [[fault]]
  9 │ kind = "pause"
 10 │ target = "member 2"
 11 │ at = "8s"
    ·      ──┬─
    ·        ╰── the second strikes here
    ╰────
  help: member 2 is down from `crash` until it starts again; let the second come later, or take another
        member
"#,
    );
}

#[test]
fn a_fault_that_comes_again_before_it_is_over() {
    check(
        r#"
title = "t"
[[fault]]
kind = "pause"
target = "member 2"
every = "1s..2s"
for = "3s"
"#
        .trim_start(),
        r#"
  × bad.toml: `pause` of member 2 strikes again before it is over
   ╭─[bad.toml:5:9]
 4 │ target = "member 2"
 5 │ every = "1s..2s"
   ·         ────┬───
   ·             ╰── strikes again within this time
 6 │ for = "3s"
   ·       ──┬─
   ·         ╰── lasts at least this long
   ╰────
  help: make the gap longer than the fault
"#,
    );
}

#[test]
fn weights_that_are_all_zero() {
    check(
        r#"
title = "t"
[workload.mix]
put = 0
get = 0
"#
        .trim_start(),
        r#"
  × bad.toml: every weight of the mix is 0
   ╭─[bad.toml:4:7]
 3 │ put = 0
 4 │ get = 0
   ·       ┬
   ·       ╰── nothing to ask
   ╰────
  help: give at least one kind of operation a weight above 0, or leave the section out
"#,
    );
}

#[test]
fn a_workload_without_an_end() {
    check(
        r#"
title = "t"
[workload]
rate = "unthrottled"
"#
        .trim_start(),
        r#"
  × bad.toml: an unthrottled workload never ends
   ╭─[bad.toml:3:8]
 2 │ [workload]
 3 │ rate = "unthrottled"
   ·        ──────┬──────
   ·              ╰── as fast as answers come
   ╰────
  help: set `operations`, the maximum for each client
"#,
    );
}

#[test]
fn more_operations_than_fit() {
    check(
        r#"
title = "t"
[workload]
rate = "100000/s"

[run]
chaos = "10m"
"#
        .trim_start(),
        r#"
  × bad.toml: the clients would send up to 60000005 operations
   ╭─[bad.toml:3:8]
 2 │ [workload]
 3 │ rate = "100000/s"
   ·        ─────┬────
   ·             ╰── too many
 4 │
   ╰────
  help: a run holds at most 5000000; lower the rate or shorten the chaos phase
"#,
    );
}

#[test]
fn more_bytes_than_fit() {
    check(
        r#"
title = "t"
[workload]
rate = "100/s"
value-bytes = "1MiB"
"#
        .trim_start(),
        r#"
  × bad.toml: the values would take up to 3005MiB together
   ╭─[bad.toml:4:15]
 3 │ rate = "100/s"
 4 │ value-bytes = "1MiB"
   ·               ───┬──
   ·                  ╰── too large
   ╰────
  help: a run holds at most 1GiB
"#,
    );
}

#[test]
fn a_core_that_is_no_quorum() {
    check(
        r#"
title = "t"
[cluster]
members = 5

[run]
core = 2
"#
        .trim_start(),
        r#"
  × bad.toml: a core of 2 is not a quorum
   ╭─[bad.toml:6:8]
 5 │ [run]
 6 │ core = 2
   ·        ┬
   ·        ╰── too few
   ╰────
  help: a quorum of 5 members is 3; a smaller core can never have a leader
"#,
    );
}

#[test]
fn operations_that_are_none() {
    check(
        r#"
title = "t"
[[client]]
operations = [
    '1s pat k v',
    '1 put k v',
    '1s get k limt=3',
    '1s txn if [] then [put k] else []',
]
"#
        .trim_start(),
        r#"
  × bad.toml has 4 mistakes

Error:
  × "pat" is not an operation
   ╭─[bad.toml:4:5]
 3 │ operations = [
 4 │     '1s pat k v',
   ·     ──────┬─────
   ·           ╰── here
 5 │     '1 put k v',
   ╰────
  help: did you mean `put`?

Error:
  × an operation begins with its time, not "1"
   ╭─[bad.toml:5:5]
 4 │     '1s pat k v',
 5 │     '1 put k v',
   ·     ─────┬─────
   ·          ╰── here
 6 │     '1s get k limt=3',
   ╰────
  help: write it as in `1.25s put k3 v`

Error:
  × "limt=3" is not an option here
   ╭─[bad.toml:6:5]
 5 │     '1 put k v',
 6 │     '1s get k limt=3',
   ·     ────────┬────────
   ·             ╰── here
 7 │     '1s txn if [] then [put k] else []',
   ╰────
  help: did you mean `limit=`?

Error:
  × a key or a value is missing before "] else []"
   ╭─[bad.toml:7:5]
 6 │     '1s get k limt=3',
 7 │     '1s txn if [] then [put k] else []',
   ·     ─────────────────┬─────────────────
   ·                      ╰── here
 8 │ ]
   ╰────
  help: write letters, digits, `_`, `-`, `/` and `:`, or put it in double quotes
"#,
    );
}

#[test]
fn an_id_in_a_scenario() {
    check(
        r#"
title = "t"
[[fault]]
kind = "crash"
target = "leader"
at = "2s"
id = 4
"#
        .trim_start(),
        r#"
  × bad.toml: `id` belongs to a plan
   ╭─[bad.toml:6:6]
 5 │ at = "2s"
 6 │ id = 4
   ·      ┬
   ·      ╰── not in a scenario
   ╰────
  help: remove it; `name` gives a fault draws of its own
"#,
    );
}

#[test]
fn a_range_in_a_plan() {
    check_plan(
        r#"
title = "t"
seed = 7
[cluster]
backend-interval = "1s..2s"
"#
        .trim_start(),
        r#"
  × bad.toml: `backend-interval` is left open in a plan
   ╭─[bad.toml:4:20]
 3 │ [cluster]
 4 │ backend-interval = "1s..2s"
   ·                    ────┬───
   ·                        ╰── not decided
   ╰────
  help: a plan has one value; a range or a choice belongs to a scenario, which has no `seed`
"#,
    );
}

#[test]
fn a_workload_in_a_plan() {
    check_plan(
        r#"
title = "t"
seed = 7
[workload]
clients = 3
"#
        .trim_start(),
        r#"
  × bad.toml: a plan has no [workload]
   ╭─[bad.toml:3:2]
 2 │ seed = 7
 3 │ [workload]
   ·  ────┬───
   ·      ╰── left to the seed
 4 │ clients = 3
   ╰────
  help: list what each client does under `[[client]]`; `etcdsim plan` does so
"#,
    );
}

#[test]
fn noise_in_a_scenario() {
    check(
        r#"
title = "t"
[[noise]]
from = "12s"
key = 7
"#
        .trim_start(),
        r#"
  × bad.toml: a scenario has no `[[noise]]`
   ╭─[bad.toml:2:1]
 1 │ title = "t"
 2 │ [[noise]]
   · ────┬────
   ·     ╰── only in plans
 3 │ from = "12s"
   ╰────
  help: every seed draws everything anew; for one seed, make a plan of it with `etcdsim plan`
"#,
    );
}

#[test]
fn noise_that_is_incomplete_or_out_of_order() {
    check_plan(
        r#"
title = "t"
seed = 7
[[noise]]
from = "12s"
key = 7
[[noise]]
from = "12s"
key = 8
[[noise]]
from = "13s"
kee = 8
[[noise]]
key = "often"
"#
        .trim_start(),
        r#"
  × bad.toml has 5 mistakes

Error: 
  × the previous noise begins no earlier
   ╭─[bad.toml:7:8]
 6 │ [[noise]]
 7 │ from = "12s"
   ·        ──┬──
   ·          ╰── out of order
 8 │ key = 8
   ╰────
  help: list them in the order of time, each with a time of its own

Error: 
  × the noise has no `key`
    ╭─[bad.toml:9:1]
  8 │ key = 8
  9 │ [[noise]]
    · ────┬────
    ·     ╰── incomplete
 10 │ from = "13s"
    ╰────
  help: write it as `from = "12s"` and `key = 7`

Error: 
  × [[noise]] has no `kee`
    ╭─[bad.toml:11:1]
 10 │ from = "13s"
 11 │ kee = 8
    · ─┬─
    ·  ╰── unknown
 12 │ [[noise]]
    ╰────
  help: did you mean `key`?

Error: 
  × the noise has no `from`
    ╭─[bad.toml:12:1]
 11 │ kee = 8
 12 │ [[noise]]
    · ────┬────
    ·     ╰── incomplete
 13 │ key = "often"
    ╰────
  help: write it as `from = "12s"` and `key = 7`

Error: 
  × "often" is not a whole number such as `5`
    ╭─[bad.toml:13:7]
 12 │ [[noise]]
 13 │ key = "often"
    ·       ───┬───
    ·          ╰── here
    ╰────
  help: write a whole number such as `5`
"#,
    );
}

#[test]
fn repetition_in_a_plan() {
    check_plan(
        r#"
title = "t"
seed = 7
[[fault]]
kind = "crash"
target = "leader"
every = "2s"
"#
        .trim_start(),
        r#"
  × bad.toml: `every` in a plan
   ╭─[bad.toml:6:9]
 5 │ target = "leader"
 6 │ every = "2s"
   ·         ──┬─
   ·           ╰── not decided
   ╰────
  help: a plan lists each strike as a fault of its own
"#,
    );
}

#[test]
fn a_scenario_for_a_plan() {
    check_plan(
        r#"
title = "t"
"#
        .trim_start(),
        r#"
  × bad.toml: this is a scenario, but a plan was expected
   ╭─[bad.toml:1:1]
 1 │ title = "t"
   · ▲
   · ╰── it has no `seed`
   ╰────
  help: turn it into a plan with a seed: `etcdsim plan`
"#,
    );
}

#[test]
fn a_file_that_cannot_be_read() {
    let errors = etcdsim_plan::Source::load(std::path::Path::new("no/such/file.toml")).unwrap_err();
    assert!(errors.to_string().starts_with("no/such/file.toml: cannot read the file: "), "{errors}");
    assert_eq!(errors.place(&errors.mistakes()[0]), (1, 1));
}

#[test]
fn a_place_has_a_line_and_a_column() {
    let errors = Scenario::parse("bad.toml", "title = \"ü\"\n\n[cluster]\nmembers = 0\n").unwrap_err();
    assert_eq!(errors.place(&errors.mistakes()[0]), (4, 11));
}

#[test]
fn a_limit_of_zero_is_not_taken_for_no_limit() {
    let fields = [
        ("[network.peers]", "bandwidth", "'0B/s'", "unlimited"),
        ("[network.clients]", "queue", "0", "unlimited"),
        ("[network.peers]", "queue", "'0..10'", "unlimited"),
        ("[disk]", "capacity", "'0B'", "unlimited"),
        ("[cluster]", "quota", "'0B'", "unlimited"),
        ("[workload]", "operations", "0", "unlimited"),
        ("[workload]", "rate", "'0/s'", "unthrottled"),
        ("[[fault]]\nkind = 'link'\nat = '2s'\ntarget = 'all'", "bandwidth", "'0B/s'", "unlimited"),
    ];
    for (section, field, value, word) in fields {
        let text = format!("title = 't'\n{section}\n{field} = {value}\n");
        let errors = Scenario::parse("bad.toml", &text).expect_err(&text);
        let message = render(&errors);
        assert!(message.contains(&format!("`{field}` of 0 would mean {word}")), "{message}");
        let other = if section == "[workload]" && field == "rate" { "operations = 5\n" } else { "" };
        let text = format!("title = 't'\n{section}\n{field} = '{word}'\n{other}");
        Scenario::parse("good.toml", &text).unwrap_or_else(|errors| panic!("{}", render(&errors)));
    }
    // Where 0 switches something off, it may be written.
    Scenario::parse("good.toml", "title = 't'\n[cluster]\nauto-compaction-period = '0s'\n").unwrap();
}

#[test]
fn a_link_from_a_member_to_itself() {
    let cut = |members: u32, ends: &str| {
        let text = format!(
            "title = 't'\n[cluster]\nmembers = {members}\n[[fault]]\nkind = 'cut'\nat = '2s'\n{ends}\n"
        );
        Scenario::parse("bad.toml", &text).map_err(|errors| render(&errors))
    };
    for (members, ends) in [
        (1, "target = 'all'"),
        (1, "target = 'leader'\nto = 'random'"),
        (3, "target = 'member 2'\nto = 'member 2'"),
    ] {
        let message = cut(members, ends).expect_err(ends);
        assert!(message.contains("the fault `cut` has the same member at both ends"), "{message}");
    }
    // An end that cannot be read is one mistake, not two.
    let message = cut(1, "target = 'all'\nto = 'mars'").expect_err("no such member");
    assert!(!message.contains("has the same member at both ends"), "{message}");
    for (members, ends) in [
        (1, "target = 'all'\nto = 'clients'"),
        (1, "target = 'clients'"),
        (3, "target = 'member 2'"),
        (1, "target = 'all'\n[[fault]]\nkind = 'add-member'\nat = '1s'"),
    ] {
        assert!(cut(members, ends).is_ok(), "{ends}");
    }
}

#[test]
fn a_client_without_operations() {
    let text = |client: &str| format!("title = 't'\n[[client]]\nendpoints = [1]\n{client}");
    for (client, line) in [("", 2), ("operations = []\n", 4)] {
        let errors = Scenario::parse("bad.toml", &text(client)).unwrap_err();
        let [mistake] = errors.mistakes() else { panic!("{errors:?}") };
        assert_eq!(mistake.message, "a client without operations");
        assert_eq!(errors.place(mistake).0, line, "{errors:?}");
    }
    // In an operation that cannot be read, only that is a mistake.
    let errors = Scenario::parse("bad.toml", &text("operations = ['1s pat k v']\n")).unwrap_err();
    assert_eq!(errors.mistakes().len(), 1, "{errors:?}");
    assert!(Scenario::parse("test.toml", &text("operations = ['1s get k']\n")).is_ok());
    // Whoever shortens a plan may leave such a client behind.
    assert!(Plan::parse("plan.toml", &format!("seed = 1\n{}", text(""))).is_ok());
}

#[test]
fn why_nobody_asks_anything() {
    let why = |rest: &str| {
        Scenario::parse("test.toml", &format!("title = 't'\n{rest}")).unwrap().expand(1).why_idle()
    };
    let no_client = Some("there is no client (`[workload]` and `[[client]]` make them)");
    assert_eq!(why(""), no_client);
    assert_eq!(why("[workload]\nclients = 0\n"), no_client);
    assert_eq!(why("[[client]]\noperations = ['1s rest 5s']\n"), Some("no client has an operation"));
    let late = "[run]\nchaos = '2s'\n[[client]]\noperations = ['3s get k', '4s put k v']\n";
    assert_eq!(why(late), Some("all operations come after the end of the load"));
    assert_eq!(why(&late.replace("4s", "1s")), None);
    assert_eq!(why("[[client]]\noperations = ['1s watch k']\n"), None);
    assert_eq!(why("[workload]\n"), None);
}

#[test]
fn members_that_may_join_can_be_named() {
    let client = "[[client]]\nendpoints = [4]\noperations = ['1s get a']\n";
    let parse = |rest: &str| Scenario::parse("test.toml", &format!("title = 't'\n{client}{rest}"));
    let message = render(&parse("").unwrap_err());
    assert!(message.contains("there is no member 4"), "{message}");
    let joins = "[[fault]]\nkind = 'add-member'\nat = '1s'\n";
    let plan = parse(joins).unwrap().expand(1);
    assert_eq!((plan.most_members(), plan.clients[0].endpoints.len()), (4, 1));
    let adds = "[[client]]\nendpoints = [1]\noperations = ['1s call MemberAdd {\"peerURLs\":[\"http://m4:2380\"]}']\n";
    assert_eq!(parse(adds).unwrap().expand(1).most_members(), 4);
    // Nobody has such a machine.
    let elsewhere = adds.replace("m4", "10.0.0.4");
    assert!(parse(&elsewhere).is_err());
    // A fault may strike a member that joins.
    let struck = format!("{joins}[[fault]]\nkind = 'pause'\nat = '4s'\nfor = '1s'\ntarget = 'member 4'\n");
    assert!(parse(&struck).is_ok());
}
