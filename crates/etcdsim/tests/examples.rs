//! Every example runs to its end and prints what it demonstrates.

use std::path::PathBuf;
use std::process::Command;

/// The examples, and a part of their output.
const EXAMPLES: &[(&str, &str)] = &[
    ("chaos_test", "5 seeds held"),
    ("check_history", "K1"),
    ("own_model", "operations [0, 1, 2] contradict each other"),
    ("own_oracle", "violated: {FLAPS}"),
    ("own_workload", "3 seeds held"),
];

/// cargo builds examples next to the folder of the tests.
fn built(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a test knows where it is");
    let folder =
        tests.parent().and_then(|deps| deps.parent()).expect("tests are built in target/PROFILE/deps");
    folder.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION)
}

#[test]
fn examples_run() {
    for (name, shows) in EXAMPLES {
        let file = built(name);
        assert!(
            file.exists(),
            "{} is not built: run `cargo test -p etcdsim`, which builds it",
            file.display()
        );
        let output = Command::new(&file).output().unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = String::from_utf8_lossy(&output.stdout);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} failed:\n{text}\n{complaints}");
        assert!(text.contains(shows), "{name} does not say {shows:?}:\n{text}\n{complaints}");
    }
}

#[test]
fn every_example_is_run() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let files = std::fs::read_dir(folder).expect("there are examples");
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, EXAMPLES.iter().map(|example| example.0).collect::<Vec<_>>());
}
