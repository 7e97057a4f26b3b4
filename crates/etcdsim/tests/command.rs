//! The command from end to end: its output and its exit code.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::folder::Folder;
use crate::common::{Ended, command, end, etcdsim};

const POWER_LOSS: &str = "scenarios/power-loss.toml";
const STEADY: &str = "scenarios/steady.toml";

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// Writes a scenario to a temporary file and returns its path.
fn scenario(folder: &Folder, content: &str) -> String {
    let file = folder.path().join("mine.toml");
    fs::write(&file, content).expect("a temporary folder can be written");
    text(&file).to_string()
}

#[test]
fn a_run_in_which_all_holds_ends_with_0_and_a_table() {
    let ended = etcdsim(&["run", STEADY, "--seeds", "2"]).expect(0);
    assert!(ended.stdout.contains("steady"), "{}", ended.stdout);
    assert!(ended.stdout.contains("2 seeds of 1 scenario:"), "{}", ended.stdout);
    assert!(ended.stdout.contains("no failure."), "{}", ended.stdout);
    let intent = ended.stderr.strip_prefix("Running 2 seeds of 1 scenario on ").unwrap_or_default();
    assert_eq!(intent.lines().count(), 1, "a short run prints only what it will do:\n{}", ended.stderr);
}

/// Runs the scenario `power-loss` until a seed fails. The flaw R2 makes it fail: members acknowledge entries before
/// these are on disk.
fn first_failure(failures: &Folder) -> Ended {
    let folder = text(failures.path());
    let arguments = ["run", POWER_LOSS, "--seeds", "60", "--fail-fast", "--flaw", "R2", "--save-dir", folder];
    etcdsim(&arguments).expect(1)
}

#[test]
fn a_failure_shows_the_cause_and_its_last_line_replays_it() {
    let failures = Folder::new();
    let ended = first_failure(&failures);
    // I6 is the oracle that an acknowledged entry is on disk.
    assert!(ended.stdout.contains("I6"), "the cause is shown:\n{}", ended.stdout);

    // The line starts with the path of the binary, so it can be pasted into a shell.
    let words: Vec<&str> = ended.last_line().split(' ').collect();
    assert_eq!(words[1], "replay");
    let again = etcdsim(&words[1..]).expect(1);
    assert_eq!(again.trace_hash(), ended.trace_hash());
    assert!(again.stdout.contains("same trace hash as recorded"), "{}", again.stdout);

    // A page of the run is beside the plan.
    let page = fs::read_to_string(Path::new(words[2]).with_extension("html")).expect("there is a page");
    assert!(page.contains("violated</span>") && page.contains(words[2]), "{page:.3000}");

    // The plan without its flaw is a different run, in which everything holds.
    let plan = fs::read_to_string(words[2]).expect("the failing plan was saved");
    let mended: String =
        plan.lines().filter(|line| !line.starts_with("flaws")).flat_map(|line| [line, "\n"]).collect();
    fs::write(words[2], mended).expect("the saved plan can be written");
    let held = etcdsim(&words[1..]).expect(5);
    assert!(held.stdout.contains("did not reproduce"), "{}", held.stdout);
}

#[test]
fn the_worst_failure_shows_which_write_was_lost_and_how() {
    let ended = etcdsim(&["run", POWER_LOSS, "--seeds", "60", "--flaw", "R2", "--save", "0"]).expect(1);
    let failure = ended.stdout.split("Failure 2 of").next().unwrap_or_default();
    for part in
        ["an acknowledged write", "How it went on", "before it was on disk; it lost power at", "loses power"]
    {
        assert!(failure.contains(part), "{part:?} in:\n{failure}");
    }
}

#[test]
fn a_plan_and_its_scenario_with_the_seed_are_the_same_run() {
    let folder = Folder::new();
    let plan = etcdsim(&["plan", POWER_LOSS, "--seed", "3"]).expect(0).stdout;
    let file = scenario(&folder, &plan);
    let trace = folder.path().join("trace");
    let history = folder.path().join("history");
    let (trace, history) = (text(&trace), text(&history));
    let replayed = etcdsim(&["replay", &file, "--trace-file", trace, "--history", history]).expect(0);
    let seeded = etcdsim(&["replay", POWER_LOSS, "--seed", "3", "--trace"]).expect(0);
    assert_eq!(replayed.trace_hash(), seeded.trace_hash());

    let trace = fs::read_to_string(trace).expect("the trace was written");
    assert!(seeded.stdout.starts_with(&trace), "the printed trace is that of the file");
    assert!(trace.lines().any(|line| line.contains("m1   starts, start 1")), "{trace:.2000}");
    assert!(trace.lines().any(|line| line.contains("loses power")), "{trace:.2000}");

    let judged = etcdsim(&["check", history]).expect(0);
    assert!(judged.stdout.contains("all held"), "{}", judged.stdout);
}

#[test]
fn pages_are_written_for_runs_and_histories() {
    let folder = Folder::new();
    let path = |name: &str| text(&folder.path().join(name)).to_string();
    let page = |name: &str| fs::read_to_string(path(name)).expect("the page was written");
    etcdsim(&["run", STEADY, "--seed", "4", "--page", text(folder.path())]).expect(0);
    assert!(page("steady-4.html").contains("held</span>"));
    let (history, of_run, of_history) = (path("history"), path("run.html"), path("history.html"));
    etcdsim(&["replay", STEADY, "--seed", "4", "--history", &history, "--page", &of_run]).expect(0);
    etcdsim(&["check", &history, "--page", &of_history]).expect(0);
    for name in ["run.html", "history.html"] {
        let page = page(name);
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page:.300}");
    }
}

#[test]
fn the_log_shows_virtual_time_and_the_member() {
    let ended =
        etcdsim(&["replay", "scenarios/single-member.toml", "--seed", "1", "--log", "debug"]).expect(0);
    let of_member = |line: &str| line.split_whitespace().nth(1) == Some("m1");
    assert!(ended.stderr.lines().any(of_member), "{:.2000}", ended.stderr);
    // What the runtime around the run says of itself is of no interest.
    assert!(!ended.stderr.contains("madsim"), "{:.2000}", ended.stderr);
}

#[test]
fn json_has_the_documented_fields() {
    let ended = etcdsim(&["run", STEADY, POWER_LOSS, "--seeds", "4..6", "--format", "json"]).expect(0);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("one JSON object");
    assert_eq!(report["exit_code"], 0);
    let scenarios = report["scenarios"].as_array().expect("a list");
    let names: Vec<_> = scenarios.iter().map(|scenario| scenario["scenario"].as_str()).collect();
    assert_eq!(names, [Some("steady"), Some("power-loss")]);
    for scenario in scenarios {
        let numbers = [
            "seeds",
            "virtual_ns",
            "wall_ns",
            "events",
            "messages",
            "operations",
            "check_ns",
            "peak_rss_bytes",
        ];
        for name in numbers {
            assert!(scenario[name].as_u64().is_some_and(|number| number > 0), "{name} of {scenario:#}");
        }
        assert_eq!(scenario["failures"], 0);
        let hashes = scenario["trace_hashes"].as_object().expect("an object");
        assert_eq!(hashes.keys().collect::<Vec<_>>(), ["4", "5"]);
    }
    assert!(scenarios[1]["faults"]["power-loss"].as_u64() > Some(0), "{:#}", scenarios[1]["faults"]);
}

#[test]
fn junit_has_a_test_case_for_each_seed() {
    let failures = Folder::new();
    let ended = etcdsim(&["run", STEADY, "--seeds", "2", "--format", "junit"]).expect(0);
    assert!(ended.stdout.contains(r#"<testsuite name="steady" tests="2""#), "{}", ended.stdout);
    let arguments = ["run", POWER_LOSS, "--seeds", "60", "--fail-fast", "--flaw", "R2", "--format", "junit"];
    let ended = end(command().args(arguments).args(["--save-dir", text(failures.path())])).expect(1);
    assert!(ended.stdout.contains("<failure "), "{}", ended.stdout);
    assert!(ended.stdout.contains(" replay "), "{}", ended.stdout);
}

#[test]
fn github_gets_annotations_and_a_summary() {
    let folder = Folder::new();
    let summary = folder.path().join("summary.md");
    let arguments = ["run", POWER_LOSS, "--seeds", "60", "--fail-fast", "--flaw", "R2", "--format", "github"];
    let mut command = command();
    command.args(arguments).args(["--save", "0"]).env("GITHUB_STEP_SUMMARY", &summary);
    let ended = end(&mut command).expect(1);
    assert!(ended.stdout.starts_with("::error file=scenarios/power-loss.toml,line=1,"), "{}", ended.stdout);
    assert!(ended.last_line().contains("replay scenarios/power-loss.toml --seed "), "{}", ended.last_line());
    assert!(ended.last_line().ends_with("--flaw R2"), "{}", ended.last_line());
    let summary = fs::read_to_string(summary).expect("the summary was written");
    assert!(summary.contains("| power-loss |"), "{summary}");

    let file = scenario(&folder, "title = \"t\"\n[cluster]\nmembrs = 3\n");
    let ended = etcdsim(&["run", &file, "--format", "github"]).expect(2);
    assert!(ended.stdout.starts_with(&format!("::error file={file},line=3,col=1,")), "{}", ended.stdout);
}

#[test]
fn mistakes_in_a_file_are_shown_with_their_position() {
    let folder = Folder::new();
    let file = scenario(
        &folder,
        "title = \"t\"\n[cluster]\nmembrs = 3\n\n[[fault]]\nkind = \"crash\"\ntarget = \"member 9\"\nat = \"5 parsecs\"\n",
    );
    let ended = etcdsim(&["run", &file]).expect(2);
    assert_eq!(ended.stdout, "");
    for part in ["membrs", "did you mean `members`?", "mine.toml:3:1", "5 parsecs"] {
        assert!(ended.explains(part), "{part:?} in:\n{}", ended.stderr);
    }
}

#[test]
fn mistakes_on_the_command_line_are_explained() {
    let explained = |arguments: &[&str], parts: &[&str]| {
        let ended = etcdsim(arguments).expect(2);
        parts.iter().for_each(|part| assert!(ended.explains(part), "{part:?} in:\n{}", ended.stderr));
    };
    explained(&["run", STEADY, "--flaw", "M-14371"], &["did you mean `M-14370`", "append-ack-before-fsync"]);
    explained(&["run", STEADY, "--flaw", "R2@12"], &["member 12", "`R2@N`"]);
    explained(&["run", STEADY, "--seeds", "9..3"], &["40..60"]);
    explained(&["run", STEADY, "--time-budget", "5"], &["`5m`"]);
    explained(&["run", "scenarios/no-such.toml"], &["scenarios/no-such.toml"]);
    explained(&["replay", STEADY], &["--seed N"]);
    let empty = Folder::new();
    explained(&["run", &empty.path().display().to_string()], &["no scenario"]);
}

#[test]
fn lists_are_complete() {
    let scenarios = etcdsim(&["scenarios"]).expect(0).stdout;
    assert!(scenarios.contains(POWER_LOSS) && !scenarios.contains("scenarios/bench"), "{scenarios}");
    let flaws = etcdsim(&["flaws"]).expect(0).stdout;
    assert!(flaws.contains("M-13766") && flaws.contains("ci-before-apply"), "{flaws}");
    let schema: serde_json::Value =
        serde_json::from_str(&etcdsim(&["schema"]).expect(0).stdout).expect("JSON");
    assert!(schema["properties"]["cluster"].is_object(), "{schema:#}");
}

#[test]
fn a_time_budget_ends_a_run_early_and_says_so() {
    let ended =
        etcdsim(&["run", STEADY, "--seeds", "100000", "--jobs", "1", "--time-budget", "1ms"]).expect(0);
    assert!(ended.stdout.contains("of 100,000 seeds."), "{}", ended.stdout);
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_a_run_cleanly() {
    let mut command = command();
    command.args(["run", STEADY, "--seeds", "100000", "--jobs", "1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let pid = child.id().to_string();
    while !catches_interrupts(&pid) {
        std::thread::yield_now();
    }
    let killed = Command::new("kill").args(["-INT", &pid]).status().expect("there is a kill");
    assert!(killed.success());
    let output = child.wait_with_output().expect("the command ends");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{stdout}");
    assert!(stdout.contains("Interrupted after "), "{stdout}");
}

/// Whether the process handles SIGINT (signal 2) yet: bit 1 of its mask of caught signals.
#[cfg(target_os = "linux")]
fn catches_interrupts(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("Linux shows the mask");
    u64::from_str_radix(mask.trim(), 16).expect("it is a hexadecimal number") & 1 << 1 != 0
}

#[test]
fn probes_never_reached_show_and_can_be_required() {
    let run = ["run", "scenarios/steady.toml", "--seeds", "1", "--save", "0"];
    let shown = etcdsim(&[&run[..], &["--coverage"]].concat()).expect(0).stdout;
    assert!(shown.contains("leaders-elected") && shown.contains("never"), "{shown}");
    etcdsim(&[&run[..], &["--require-coverage"]].concat()).expect(1);
    let json = etcdsim(&[&run[..], &["--format", "json"]].concat()).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
    let probes = &json["scenarios"][0]["probes"];
    assert_eq!(
        (probes["leaders-elected"].as_u64(), probes["leaders-elected-in-joint"].as_u64()),
        (Some(1), Some(0))
    );
}

#[test]
fn a_scenario_in_which_nobody_asks_anything_has_a_warning() {
    let folder = Folder::new();
    let path = folder.path().join("idle.toml");
    let path = path.to_str().expect("a path of ASCII");
    let run = |text: &str, format: &str| {
        fs::write(path, format!("title = \"idle\"\n{text}\n[run]\nchaos = \"2s\"\n"))
            .expect("a file can be written");
        etcdsim(&["run", path, "--seeds", "2", "--save", "0", "--format", format]).expect(0)
    };
    let human = run("", "human").stdout;
    assert!(human.contains("idle.toml: no client asked anything, because there is no client"), "{human}");
    let late = "[[client]]\noperations = [\"3s put k v\"]";
    let human = run(late, "human").stdout;
    assert!(human.contains("because all operations come after the end of the load"), "{human}");
    let ended = run("", "junit");
    assert!(ended.explains("warning: ") && !ended.stdout.contains("warning"), "{}", ended.stderr);
    let json: serde_json::Value = serde_json::from_str(&run("", "json").stdout).expect("one JSON object");
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(1), "{json}");
    let replayed = etcdsim(&["replay", path, "--seed", "1"]).expect(0).stdout;
    assert!(replayed.contains("no client asked anything"), "{replayed}");
    let busy = run("[[client]]\noperations = [\"1s put k v\"]", "human").stdout;
    assert!(!busy.contains("warning"), "{busy}");
}

#[test]
fn counts_of_client_programs_are_shown_on_request() {
    let run = ["run", "scenarios/kubernetes-cluster.toml", "--seeds", "1", "--save", "0"];
    let counts = |stdout: &str| {
        let mut lines = stdout.lines().map(str::to_string);
        lines.find(|line| line.starts_with("kubernetes-cluster: objects"))
    };
    assert_eq!(counts(&etcdsim(&run).stdout), None);
    let line = counts(&etcdsim(&[&run[..], &["--counts"]].concat()).stdout).unwrap_or_default();
    for word in ["watches ", "relists ", "conflicts ", "compactions "] {
        assert!(line.contains(word), "{word:?} is not in {line:?}");
    }
}
