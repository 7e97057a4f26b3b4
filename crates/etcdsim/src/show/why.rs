//! Shows when a failure became certain: a curve and its numbers, the largest rise with the events near it, and what was
//! needed.

use std::fmt::{self, Write};

use owo_colors::OwoColorize;
use record::Nanos;
use serde::Serialize;
use verify::describe;

use crate::report::Ended;
use crate::show::numbers;
use crate::why::{Instant, LeftOut, Need, Why};

/// The name and version of the format in JSON. The version changes when a field changes its meaning or is removed.
const SCHEMA: &str = "etcdsim.why/1";
/// Columns of the curve.
const COLUMNS: usize = 64;
/// Lines of the curve.
const LINES: usize = 6;
/// The most operations and faults that are listed.
const LISTED: usize = 20;

/// As one JSON object.
pub fn json(why: &Why) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        #[serde(flatten)]
        why: &'a Why,
    }
    let document = Document { schema: SCHEMA, why };
    serde_json::to_string_pretty(&document).expect("it has only string keys and no failing parts") + "\n"
}

/// For people.
pub fn human(file: &str, seed: u64, why: &Why) -> String {
    let mut text = String::new();
    write(&mut text, file, seed, why).expect("a String takes everything");
    text
}

fn write(out: &mut String, file: &str, seed: u64, why: &Why) -> fmt::Result {
    writeln!(out, "{file}, seed {seed}: {}, visible at {}", why.failure.bold(), time(why.violated_ns))?;
    writeln!(out)?;
    writeln!(out, "{}", headline(why))?;
    for moment in &why.events {
        let member = if moment.member == 0 { "-".to_string() } else { format!("m{}", moment.member) };
        writeln!(out, "  {}  {member:<3} {}", describe::moment(moment.at_ns), moment.what)?;
    }
    if why.curve.len() > 1 {
        writeln!(out, "\nHow many of {} futures fail if they are drawn from a given time on:\n", why.draws)?;
        curve(out, why)?;
        numbers_of(out, why)?;
    }
    left_out(out, "fault", &why.faults)?;
    left_out(out, "operation", &why.operations)?;
    let drawn = numbers::counted(why.runs, "run");
    match why.ended {
        Ended::Interrupted => writeln!(out, "\nInterrupted after {drawn}: the rest is not known."),
        Ended::TimeBudget => writeln!(out, "\nThe time ran out after {drawn}: the rest is not known."),
        _ => writeln!(out, "\n{drawn}."),
    }
}

/// The answer in a sentence or two.
fn headline(why: &Why) -> String {
    let draws = why.draws;
    let start = match why.from_start {
        Some(failed) if why.curve.first().is_some_and(|first| first.failed > failed + draws / 5) => format!(
            " (If even the start is drawn again, with other first election timeouts, only {failed} of {draws} fail.)"
        ),
        _ => String::new(),
    };
    if why.always {
        let fewest = why.curve.iter().map(|instant| instant.failed).min().unwrap_or_default();
        return format!(
            "It fails whatever is drawn: at any time, at least {fewest} of {draws} futures fail in the same way. The faults and operations of the plan decide it.{start}"
        );
    }
    let Some(jump) = &why.jump else {
        return "It is not known yet when it became certain.".to_string();
    };
    let (before, after) = (why.percent(&jump.from), why.percent(&jump.to));
    format!(
        "It became likely between {} and {}: from {before} % of all futures to {after} %.{start} What happened there:",
        time(jump.from.at_ns),
        time(jump.to.at_ns)
    )
}

/// The curve over the time, in block characters. Below it, `^` is where a needed fault begins, `!` the violation.
fn curve(out: &mut String, why: &Why) -> fmt::Result {
    let end = why.curve.last().map_or(1, |last| last.at_ns).max(1);
    let column_of = |at: Nanos| (u128::from(at) * (COLUMNS as u128 - 1) / u128::from(end)) as usize;
    // Between two instants the curve is a straight line; a column is as high as the curve is where the column begins.
    let height = |column: usize| {
        let at = (column as u128 * u128::from(end) / (COLUMNS as u128 - 1)) as Nanos;
        let next = why.curve.partition_point(|instant| instant.at_ns < at).min(why.curve.len() - 1);
        let (before, after) = (why.curve[next.saturating_sub(1)], why.curve[next]);
        between(before, after, at) * LINES * 8 / (why.draws.max(1) * UNIT)
    };
    let heights: Vec<usize> = (0..COLUMNS).map(height).collect();
    for line in (0..LINES).rev() {
        let label = match line + 1 {
            LINES => "100 %",
            line if line == LINES / 2 => " 50 %",
            _ => "     ",
        };
        let blocks: String =
            heights.iter().map(|height| BLOCKS[height.saturating_sub(line * 8).min(8)]).collect();
        writeln!(out, "  {label} │{}", blocks.trim_end())?;
    }
    let mut marks = vec![' '; COLUMNS];
    for fault in why.faults.iter().filter(|fault| fault.need != Need::None) {
        marks[column_of(fault.at_ns)] = '^';
    }
    marks[column_of(why.violated_ns)] = '!';
    writeln!(out, "    0 % └{}", "─".repeat(COLUMNS))?;
    let marks: String = marks.into_iter().collect();
    writeln!(out, "         {}", marks.trim_end())?;
    writeln!(out, "         0 s{:>1$}", time(end), COLUMNS - 3)?;
    writeln!(
        out,
        "         ! the violation{}\n",
        if why.faults.iter().any(|fault| fault.need != Need::None) {
            "   ^ a fault without which it does not fail"
        } else {
            ""
        }
    )
}

/// Eighths of a block.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Parts of a future, for heights between two instants.
const UNIT: usize = 1_000;

/// How many futures, in parts of [`UNIT`], fail at a time between two instants.
fn between(before: Instant, after: Instant, at: Nanos) -> usize {
    let width = after.at_ns.saturating_sub(before.at_ns);
    if width == 0 || at >= after.at_ns {
        return after.failed * UNIT;
    }
    let (from, to) = (before.failed as i128 * UNIT as i128, after.failed as i128 * UNIT as i128);
    let passed = i128::from(at.saturating_sub(before.at_ns));
    (from + (to - from) * passed / i128::from(width)) as usize
}

/// The numbers of the curve.
fn numbers_of(out: &mut String, why: &Why) -> fmt::Result {
    for (nth, instant) in why.curve.iter().enumerate() {
        let last = nth + 1 == why.curve.len();
        let jumps = why.jump.is_some_and(|jump| jump.to == *instant);
        let note = match (jumps, last) {
            (true, _) => "  ◀ the largest rise",
            (false, true) => "  nothing is left to draw",
            (false, false) => "",
        };
        let percent = why.percent(instant);
        writeln!(
            out,
            "  {:>12}  {:>3} of {:<3} {percent:>3} %{note}",
            time(instant.at_ns),
            instant.failed,
            why.draws
        )?;
    }
    Ok(())
}

/// The parts that were left out: those that are needed, one a line, and how many are not.
fn left_out(out: &mut String, noun: &str, all: &[LeftOut]) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    let of = |need: Need| all.iter().filter(move |left_out| left_out.need == need);
    writeln!(out)?;
    let needed = of(Need::Necessary).count();
    if needed > 0 {
        writeln!(out, "Without each of these it does not fail, whatever is drawn:")?;
    }
    for LeftOut { what, at_ns, drawn, .. } in of(Need::Necessary).take(LISTED) {
        writeln!(out, "  {:>12}  {what}  (0 of {drawn} futures fail)", time(*at_ns))?;
    }
    if needed > LISTED {
        writeln!(out, "  and {} more", needed - LISTED)?;
    }
    let timing = of(Need::Timing).count();
    if timing > 0 {
        let these = if timing == 1 { "it" } else { "one of them" };
        writeln!(
            out,
            "Of {}, only the timing matters: without {these} this run does not fail, but other futures do.",
            numbers::counted(timing, &if needed == 0 { noun.to_string() } else { format!("other {noun}") }),
        )?;
    }
    let others = of(Need::None).count();
    if others > 0 {
        let group = if noun == "operation" { " or group of them" } else { "" };
        writeln!(
            out,
            "It fails as well without any single other {noun}{group} ({others} left out, one at a time)."
        )?;
    }
    Ok(())
}

/// A time in seconds, to the millisecond.
fn time(at: Nanos) -> String {
    format!("{}.{:03} s", at / 1_000_000_000, at / 1_000_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::why::Rise;

    fn why() -> Why {
        let instant = |at: u64, failed| Instant { at_ns: at * 1_000_000_000, failed };
        let curve = vec![instant(0, 5), instant(5, 6), instant(6, 45), instant(12, 50)];
        let left = |what: &str, at: u64, need| LeftOut {
            what: what.to_string(),
            at_ns: at * 1_000_000_000,
            need,
            drawn: 50,
            failed: 0,
            fault: Some(1),
            operations: None,
        };
        let failure = "K1 / a stale read".parse().unwrap();
        Why {
            jump: Some(Rise { from: curve[1], to: curve[2] }),
            faults: vec![left("crash of leader", 4, Need::Necessary), left("pause of random", 2, Need::None)],
            curve,
            ..Why::begun(&failure, 9_000_000_000, 50)
        }
    }

    #[test]
    fn the_curve_rises_at_the_jump() {
        let text = anstream::adapter::strip_str(&human("p.toml", 7, &why())).to_string();
        for part in [
            "between 5.000 s and 6.000 s: from 12 % of all futures to 90 %",
            "  45 of 50   90 %  ◀ the largest rise",
            "4.000 s  crash of leader",
            "without any single other fault (1 left out",
        ] {
            assert!(text.contains(part), "{part:?} in:\n{text}");
        }
        let top = text.lines().find(|line| line.contains("100 % │")).unwrap();
        assert!(top.trim_start_matches("  100 % │").starts_with("                    "), "{text}");
        assert!(top.ends_with('█'), "{text}");
    }

    #[test]
    fn heights_between_instants_lie_on_a_line() {
        let instant = |at_ns, failed| Instant { at_ns, failed };
        assert_eq!(between(instant(0, 10), instant(10, 20), 5), 15 * UNIT);
        assert_eq!(between(instant(0, 20), instant(10, 10), 5), 15 * UNIT);
        assert_eq!(between(instant(3, 4), instant(3, 4), 3), 4 * UNIT);
    }
}
