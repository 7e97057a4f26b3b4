//! A report for CI servers: JUnit's XML. A suite for each scenario, a test case for each seed.
//!
//! A violation is a failure; what is the harness's own fault is an error.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::report::{CaseReport, End, Report, SeedRun};
use crate::show::human;

/// Gives the line that shows a run again.
type Replay<'a> = &'a dyn Fn(&CaseReport, &SeedRun) -> String;

/// The report as XML. `replay` gives the line that shows a run again.
pub fn report(report: &Report, replay: Replay<'_>) -> String {
    let mut text = String::new();
    write(&mut text, report, replay).expect("a String takes everything");
    text
}

fn write(out: &mut String, report: &Report, replay: Replay<'_>) -> fmt::Result {
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    let runs = report.runs().map(|(_, run)| run);
    writeln!(out, r#"<testsuites name="etcdsim"{}>"#, figures(runs, report.wall))?;
    for case in &report.cases {
        let figures = figures(case.runs.iter(), case.wall());
        writeln!(out, r#"    <testsuite name="{}"{figures}>"#, escaped(&case.case.name))?;
        for run in &case.runs {
            test_case(out, case, run, replay)?;
        }
        writeln!(out, "    </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

/// The attributes that count runs.
fn figures<'a>(runs: impl Iterator<Item = &'a SeedRun>, wall: Duration) -> String {
    let (mut tests, mut errors, mut failures) = (0, 0, 0);
    for run in runs {
        tests += 1;
        match run.end {
            End::Held => {}
            End::Violated(_) => failures += 1,
            End::Undecided(_) | End::Diverged(_) | End::Collapsed(_) => errors += 1,
        }
    }
    let time = wall.as_secs_f64();
    format!(r#" tests="{tests}" skipped="0" errors="{errors}" failures="{failures}" time="{time:.3}""#)
}

fn test_case(out: &mut String, case: &CaseReport, run: &SeedRun, replay: Replay<'_>) -> fmt::Result {
    let (class, time) = (escaped(&case.case.name), run.wall.as_secs_f64());
    writeln!(
        out,
        r#"        <testcase name="seed {}" classname="etcdsim.{class}" time="{time:.3}">"#,
        run.seed
    )?;
    writeln!(out, "            <properties>")?;
    writeln!(out, r#"                <property name="trace_hash" value="{}"/>"#, run.trace_hash)?;
    writeln!(out, "            </properties>")?;
    if let Some(Wrong { tag, kind, message, text }) = wrong(run) {
        let (kind, message) = (escaped(kind), escaped(&message));
        let text = escaped(&anstream::adapter::strip_str(&text).to_string());
        writeln!(out, r#"            <{tag} message="{message}" type="{kind}">{text}</{tag}>"#)?;
        writeln!(out, "            <system-out>{}</system-out>", escaped(&replay(case, run)))?;
    }
    writeln!(out, "        </testcase>")
}

/// What is wrong with a run, in JUnit's terms.
struct Wrong<'a> {
    tag: &'static str,
    kind: &'a str,
    message: String,
    text: String,
}

fn wrong(run: &SeedRun) -> Option<Wrong<'_>> {
    let error = |kind, message: &str, text| Wrong { tag: "error", kind, message: message.to_string(), text };
    Some(match &run.end {
        End::Held => return None,
        End::Violated(failure) => {
            let mut text = String::new();
            human::failure(&mut text, failure).expect("a String takes everything");
            let worst = failure.worst();
            Wrong { tag: "failure", kind: worst.oracle.id(), message: worst.title.clone(), text }
        }
        End::Undecided(sentences) => error("undecided", "the judge could not decide", sentences.join("\n")),
        End::Diverged(divergence) => error("D1", "not deterministic", human::divergence(divergence)),
        End::Collapsed(said) => error("harness", "the simulator itself failed", said.clone()),
    })
}

/// A text as XML holds it, in an element or an attribute, without the characters that XML cannot hold.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'.. => {
                escaped.push(character)
            }
            _ => {}
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_escaped_or_left_out() {
        assert_eq!(escaped("a<b>&\"c\"\n\u{1b}[1m\0é\u{FFFF}💥"), "a&lt;b&gt;&amp;&quot;c&quot;\n[1mé💥");
    }
}
