//! Prints the report of `etcdsim run` for GitHub Actions: an annotation for each group of failures, and a summary in
//! Markdown.
//!
//! The commands and their escapes:
//! `docs.github.com/actions/reference/workflow-commands-for-github-actions`.

use std::fmt::Write;

use crate::report::{CaseReport, End, Report, SeedRun};
use crate::show::{human, numbers};

/// Annotations, one per line. `replay` gives the line that replays a run.
pub fn report(report: &Report, replay: &dyn Fn(&CaseReport, &SeedRun) -> String) -> String {
    let mut text = String::new();
    for group in report.groups() {
        let (run, failure) = group.runs[0];
        let worst = failure.worst();
        let seeds: Vec<u64> = group.runs.iter().map(|(run, _)| run.seed).collect();
        let title = format!("{} {}: {}", group.case.case.name, worst.oracle, worst.title);
        let message = format!(
            "{}\nSeeds: {}\n{}",
            worst.sentences.join("\n"),
            numbers::seeds(&seeds, 12),
            replay(group.case, run)
        );
        text.push_str(&annotation(&group.case.case.file, (1, 1), &title, &message));
    }
    for (case, run) in report.runs() {
        if matches!(run.end, End::Undecided(_) | End::Diverged(_) | End::Collapsed(_)) {
            let mut trouble = String::new();
            human::trouble(&mut trouble, case, run).expect("a String takes everything");
            let message = anstream::adapter::strip_str(trouble.trim()).to_string();
            text.push_str(&annotation(&case.case.file, (1, 1), "etcdsim itself", &message));
        }
    }
    text
}

/// One `::error` command with a file, line and column (from 1), a title and a message.
pub fn annotation(file: &str, (line, column): (usize, usize), title: &str, message: &str) -> String {
    let (file, title) = (property(file), property(title));
    format!("::error file={file},line={line},col={column},title={title}::{}\n", data(message))
}

/// For `$GITHUB_STEP_SUMMARY`: the table and the failures in Markdown.
pub fn summary(report: &Report, replay: &dyn Fn(&CaseReport, &SeedRun) -> String) -> String {
    let mut text =
        "### etcdsim\n\n| scenario | seeds | virtual | × real | failures |\n|---|--:|--:|--:|--:|\n"
            .to_string();
    for case in &report.cases {
        let total = &case.total;
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            case.case.name,
            numbers::count(case.runs.len() as u64),
            numbers::span(std::time::Duration::from_nanos(total.virtual_ns)),
            numbers::speed(total.virtual_ns, case.wall()),
            numbers::count(case.failures().count() as u64),
        )
        .expect("a String takes everything");
    }
    for group in report.groups() {
        let (run, failure) = group.runs[0];
        let worst = failure.worst();
        writeln!(
            text,
            "\n**{}**, {}: {}. {}\n\n```\n{}\n```",
            group.case.case.name,
            failure.oracles(),
            worst.title,
            worst.sentences.join(" "),
            replay(group.case, run)
        )
        .expect("a String takes everything");
    }
    text
}

/// Escapes the text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_escaped() {
        assert_eq!(
            annotation("a,b.toml", (3, 9), "K4: lost", "50% gone\r\nsee: x, y"),
            "::error file=a%2Cb.toml,line=3,col=9,title=K4%3A lost::50%25 gone%0D%0Asee: x, y\n"
        );
    }
}
