//! The HTML around the data. The verdict and the story are text of the document, so that they can be read, searched and
//! printed without the picture.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use crate::BYTES_MAX;
use crate::fit::Data;
use crate::input::{Input, Paragraph, Violation};

const STYLES: &str = include_str!("../assets/page.css");
/// The program, in the order in which its parts need each other.
const PROGRAM: [&str; 6] = [
    include_str!("../assets/data.js"),
    include_str!("../assets/run.js"),
    include_str!("../assets/lanes.js"),
    include_str!("../assets/paint.js"),
    include_str!("../assets/panel.js"),
    include_str!("../assets/main.js"),
];

/// Forbids the browser to load anything: what a page shows stays on the machine.
const POLICY: &str =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

/// Controls of the tool bar: the program's name for each, its label, and what it does.
const CONTROLS: [(&str, &str, &str); 7] = [
    ("out", "−", "Zoom out (key -)"),
    ("in", "+", "Zoom in (key +)"),
    ("whole", "Whole run", "Show the whole run (key 0)"),
    ("violation", "Violation", "Back to where the page opened (key v)"),
    ("types", "Show…", "Choose which messages and events are shown (key f)"),
    ("theme", "◐", "Light or dark (key t)"),
    ("help", "?", "How to use this page (key ?)"),
];

/// What the keys do, for the help.
const KEYS: [(&str, &str); 12] = [
    ("n, p", "next and previous step of the story"),
    ("← →", "move through time"),
    ("↑ ↓", "scroll through the lanes"),
    ("+ −", "zoom; the mouse wheel zooms at the pointer"),
    ("drag", "move the picture; with Shift, zoom to what is marked"),
    ("Alt and wheel", "scroll through the lanes; so does the wheel over their names"),
    ("click", "what is under the pointer, and the state of the members at that moment"),
    ("0, v", "the whole run; the violation"),
    ("/", "search: an operation (#12), a moment (3.25 s), a key, a fault, an entry (index 57), any text"),
    ("Enter", "in the search: next match; with Shift, the previous one"),
    ("f, t", "what is shown; light or dark"),
    ("Esc", "close, and forget what is selected"),
];

/// JSON that can stand in an element `script`: nothing in it can end the element.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers can be written").replace('<', "\\u003c")
}

/// The page.
pub(crate) fn document(input: &Input<'_>, data: &Data) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (heading(input)) " · etcdsim" }
                style { (PreEscaped(STYLES)) }
            }
            body {
                (bar(input))
                main {
                    (picture())
                    (panel(input, data))
                }
                (help())
                script type="application/json" id="data" { (PreEscaped(json(data))) }
                script { (PreEscaped("\"use strict\";\n")) @for part in PROGRAM { (PreEscaped(part)) } }
            }
        }
    };
    page.into_string()
}

/// What the page is about, in a few words.
fn heading(input: &Input<'_>) -> String {
    match input.violations.first() {
        Some(violation) => violation.title.clone(),
        None if input.undecided.is_empty() => "Everything held".to_string(),
        None => "Not decided".to_string(),
    }
}

fn bar(input: &Input<'_>) -> Markup {
    let verdict = match input.violations.first() {
        Some(violation) => ("violated", format!("✕ {} violated", violation.oracle)),
        None if input.undecided.is_empty() => ("held", "✓ held".to_string()),
        None => ("undecided", "? undecided".to_string()),
    };
    html! {
        header {
            span.verdict.(verdict.0) { (verdict.1) }
            div.titles {
                h1 { (heading(input)) }
                p { (input.title) }
            }
            div.tools role="toolbar" aria-label="Picture" {
                label.search {
                    span.hidden { "Search" }
                    input id="search" type="search" placeholder="Search: #12, 3.25 s, key…" autocomplete="off"
                        spellcheck="false" aria-describedby="found";
                    output id="found" {}
                }
                @for (name, label, title) in CONTROLS {
                    button type="button" data-do=(name) title=(title) aria-label=(title) { (label) }
                }
            }
        }
    }
}

fn picture() -> Markup {
    html! {
        section.picture aria-label="Picture of the run" {
            canvas id="overview" role="img" aria-label="The whole run, with the part that is shown below" {}
            div id="lanes" tabindex="0" {
                canvas id="picture" role="img" aria-describedby="now" {}
                div id="height" {}
            }
            p.hidden id="now" aria-live="polite" {}
            div id="types" hidden {}
            div id="card" hidden aria-live="polite" {}
            noscript { p { "The picture needs JavaScript. The story beside it does not." } }
        }
    }
}

fn panel(input: &Input<'_>, data: &Data) -> Markup {
    let mut step = 0;
    html! {
        aside aria-label="Story" {
            @if !input.story.is_empty() {
                div.steps {
                    button type="button" data-do="previous" title="Previous step (key p)" { "‹ Back" }
                    span id="where" {}
                    button type="button" data-do="next" title="Next step (key n)" { "Next ›" }
                }
            }
            @for paragraph in &input.story {
                (self::paragraph(paragraph, &mut step))
            }
            @for sentence in &input.undecided { p { (sentence) } }
            @if let Some(first) = input.violations.first() {
                (proof(input, first))
            }
            @for violation in input.violations.iter().skip(1) { (other(violation)) }
            details id="faults" hidden { summary { "Faults" } }
            @if !data.left_out.is_empty() { (left_out(data)) }
            details open[input.violations.is_empty()] {
                summary { @if input.members > 0 { "This run" } @else { "This history" } }
                dl { @for (name, value) in &input.about { dt { (name) } dd { (value) } } }
            }
            @if !input.replay.is_empty() {
                div.replay {
                    p { "To see it again:" }
                    code id="replay" { (input.replay) }
                    button type="button" data-do="copy" { "Copy" }
                }
            }
        }
    }
}

/// A part of the story. Sentences are numbered consecutively across all parts, as in the picture.
fn paragraph(paragraph: &Paragraph, step: &mut usize) -> Markup {
    html! {
        section.paragraph {
            @if !paragraph.heading.is_empty() { h2 { (paragraph.heading) } }
            ol.story {
                @for sentence in &paragraph.sentences {
                    @let place = { let place = *step; *step += 1; place };
                    li data-step=(place) {
                        @if sentence.time.is_some() || sentence.operation.is_some() || sentence.member.is_some() {
                            button type="button" { (with_code(&sentence.text)) }
                        } @else {
                            span { (with_code(&sentence.text)) }
                        }
                    }
                }
            }
        }
    }
}

/// A sentence, with the text between backticks as code.
fn with_code(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    // Without its partner, a backtick is only a backtick.
    let paired = parts.len() % 2 == 1;
    html! {
        @for (at, part) in parts.iter().enumerate() {
            @if paired && at % 2 == 1 { code { (part) } } @else if paired { (part) }
        }
        @if !paired { (text) }
    }
}

/// The operations and events that prove the first violation.
fn proof(input: &Input<'_>, violation: &Violation) -> Markup {
    html! {
        @if !violation.operations.is_empty() {
            section.paragraph {
                h2 { "Operations that prove it" }
                ul.proof {
                    @for number in &violation.operations {
                        @if let Some(operation) = input.operations.get(*number) {
                            li { button type="button" data-operation=(number) {
                                b { "#" (number) } " client " (operation.client) ": " (brief(&operation.request))
                            } }
                        }
                    }
                }
            }
        }
        @if !violation.events.is_empty() {
            details {
                summary { "Events that prove it" }
                ul.lines { @for line in &violation.events { li { (line) } } }
            }
        }
        @if violation.others > 0 { p.dim { "And " (violation.others) " more of " (violation.oracle) "." } }
    }
}

/// The beginning of a text.
fn brief(text: &str) -> String {
    /// The most characters of an operation in a list.
    const MOST: usize = 120;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

/// A violation besides the first.
fn other(violation: &Violation) -> Markup {
    html! {
        details {
            summary { b { (violation.oracle) } " " (violation.title) }
            @if let Some(time) = violation.time { button type="button" data-at=(time) { "Go there" } }
            @for sentence in &violation.sentences { p { (with_code(sentence)) } }
            @if !violation.operations.is_empty() {
                ul.proof { @for number in &violation.operations {
                    li { button type="button" data-operation=(number) { b { "#" (number) } } }
                } }
            }
            @if violation.others > 0 { p.dim { "And " (violation.others) " more of " (violation.oracle) "." } }
        }
    }
}

/// A number with a comma before every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Says what the page does not have.
fn left_out(data: &Data) -> Markup {
    let part =
        |(name, out, of): &(&str, usize, usize)| format!("{} of {} {name}", grouped(*out), grouped(*of));
    let parts: Vec<String> = data.left_out.iter().map(part).collect();
    html! {
        section.left id="left" {
            h2 { "Left out" }
            p {
                "A page has at most " (BYTES_MAX / 1_000_000) " MB, so it does not show what is farthest in time from "
                "the violation, or from the beginning if there is none: " (parts.join(", ")) ". "
                span id="kept" {}
            }
        }
    }
}

fn help() -> Markup {
    html! {
        dialog id="help" aria-label="How to use this page" {
            h2 { "How to use this page" }
            p {
                "Time runs from left to right. Members are lanes on top, with their role and term; below are clients "
                "with their operations as bars, watch streams and leases. Messages are lines between lanes. The story "
                "is on the right: each step moves the picture to the moment it describes."
            }
            dl { @for (key, what) in KEYS { dt { kbd { (key) } } dd { (what) } } }
            div id="legend" {}
            form method="dialog" { button { "Close" } }
        }
    }
}
