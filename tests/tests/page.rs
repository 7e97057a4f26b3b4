//! Pages in a real browser: headless Chromium opens them from disk. They must report no mistake, open at the
//! violation, and draw. Where there is no Chromium, the tests say "skipped" and pass.
//!
//! The program of a page writes what the tests need to know into attributes of its root element.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use etcdsim::{Case, Options, Plan, page_of_run, run_plan_observed};
use etcdsim_tests::{explained, scenarios};
use libtest_mimic::{Failed, Trial};

/// Names of the browser.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What lets it work in a container, without a screen and without a network.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1000",
    "--dump-dom",
];

/// Ten virtual minutes of chaos, some 500,000 facts.
const LONG: &str = r#"
title = "Ten minutes"

[workload]
clients = 3
rate = "24/s"

[[fault]]
kind = "crash"
target = "random"
every = "3s..9s"
for = "1s"

[[fault]]
kind = "isolate"
target = "minority"
every = "5s..20s"
for = "2s"

[run]
chaos = "10m"
"#;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("page::opens_at_the_violation", opens_at_the_violation),
        Trial::test("page::a_long_run_opens_and_is_drawn", a_long_run_opens_and_is_drawn),
    ]
}

/// The first browser on the path.
fn browser() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let all = BROWSERS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|path| path.is_file())
}

/// The attributes of a page's root element after it opened.
struct Opened(String);

impl Opened {
    fn attribute(&self, name: &str) -> Result<&str, Failed> {
        let (_, rest) = self.0.split_once(&format!("data-{name}=\"")).ok_or_else(|| {
            Failed::from(format!("the page did not get so far that it wrote `{name}`: {}", self.0))
        })?;
        Ok(rest.split('"').next().unwrap_or_default())
    }

    fn number(&self, name: &str) -> Result<u64, Failed> {
        Ok(self.attribute(name)?.parse()?)
    }
}

/// Opens a page in the browser. `None`: there is no browser.
#[allow(clippy::disallowed_methods, reason = "the browser needs a folder of its own; it is removed")]
fn open(page: &str, name: &str) -> Result<Option<Opened>, Failed> {
    let Some(browser) = browser() else {
        eprintln!("skipped: no chromium");
        return Ok(None);
    };
    let folder = env::temp_dir().join(format!("etcdsim-page-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = folder.join("page.html");
    fs::write(&file, page)?;
    let out = Command::new(browser)
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}#measure", file.display()))
        .output();
    fs::remove_dir_all(&folder)?;
    let dom = String::from_utf8_lossy(&out?.stdout).into_owned();
    let root = dom.find("<html").map_or("", |at| &dom[at..]);
    let root = root.split('>').next().unwrap_or_default();
    if root.contains("data-error=") {
        return Err(format!("the page's program failed: {root}").into());
    }
    Ok(Some(Opened(root.to_string())))
}

fn page(plan: &Plan) -> Result<(String, Option<u64>), Failed> {
    let outcome = run_plan_observed(plan, &mut (), Options { keep_events: true })?;
    eprintln!("{} events", outcome.record.events.len());
    let page = page_of_run(plan, &outcome, "");
    assert!(page.len() <= 2_000_000, "{} bytes", page.len());
    let violated = outcome.verdict.violations.first().map(|violation| violation.time);
    Ok((page, violated))
}

fn opens_at_the_violation() -> Result<(), Failed> {
    scenarios("scenarios");
    for (scenario, flaw) in [("pause-leader", "R5"), ("issue-18089", "M-18089")] {
        let file = Path::new("scenarios").join(scenario).with_extension("toml");
        let plan = Case::load(&file).map_err(explained)?.plan(0).with_flaws([flaw]);
        let (page, violated) = page(&plan)?;
        let violated = violated.ok_or("the flaw is not found")?;
        let Some(opened) = open(&page, scenario)? else { return Ok(()) };
        // In microseconds: these runs last more than a second.
        let (from, to) = opened.attribute("opened")?.split_once(' ').ok_or("two moments")?;
        let (from, to): (i64, i64) = (from.parse()?, to.parse()?);
        let violated = (violated / 1_000) as i64;
        if !(from..=to).contains(&violated) {
            return Err(format!("it shows {from} to {to}, but the violation is at {violated}").into());
        }
        if opened.attribute("step")?.is_empty() {
            return Err("no step of the story is current".into());
        }
    }
    Ok(())
}

fn a_long_run_opens_and_is_drawn() -> Result<(), Failed> {
    let case = Case::parse("page.toml", LONG).map_err(explained)?;
    let (long, _) = page(&case.plan(0))?;
    let Some(opened) = open(&long, "long")? else { return Ok(()) };
    // A busy machine is slow, so the times are shown and not compared.
    let (painted, slowest) = (opened.number("painted")?, opened.number("slowest")?);
    eprintln!("drawn after {painted} ms, slowest window {slowest} ms");
    Ok(())
}
