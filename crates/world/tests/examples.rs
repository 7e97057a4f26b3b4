//! The example of a node that is no etcd: it runs, and it is short.

use std::path::Path;
use std::process::Command;

/// The lines that a node may take, with its bug, its faults and its judge.
const LINES_MAX: usize = 200;

#[test]
fn the_register_holds_and_its_flaw_is_found() {
    // cargo builds the examples of a crate next to the folder of its tests.
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.parent().and_then(Path::parent).expect("tests are built in target/PROFILE/deps");
    let example = folder.join("examples/register").with_extension(std::env::consts::EXE_EXTENSION);
    assert!(example.exists(), "{}: `cargo test -p etcdsim-world` builds it", example.display());
    let output = Command::new(&example).output().expect("a program that runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("200 seeds held"), "{text}");
}

#[test]
fn the_register_is_short() {
    let source = include_str!("../examples/register.rs");
    assert!(source.lines().count() <= LINES_MAX, "{} lines", source.lines().count());
}
