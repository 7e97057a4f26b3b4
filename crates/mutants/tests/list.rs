//! The lists that are checked in, and mistakes in one.

use std::fs;
use std::path::Path;

use etcdsim_mutants::list::{List, draft};
use etcdsim_mutants::mutant::Name;

/// Writes a list and reads it.
fn read(name: &str, text: &str) -> Result<List, String> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    fs::write(&path, text).expect("the folder of tests can be written");
    List::read(&path, "toy").map_err(|error| error.to_string())
}

#[test]
fn all_lists_are_well_formed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lists");
    for entry in fs::read_dir(folder).expect("there is a folder of lists") {
        let path = entry.expect("it can be read").path();
        let package = path.file_stem().expect("a list has a name").to_string_lossy().into_owned();
        List::read(&path, &package).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_draft_is_a_list_but_for_the_reasons() {
    let name = |nth| Name {
        file: "src/lib.rs".into(),
        function: "f".into(),
        change: "`a == \"b\\n\"` to its opposite".into(),
        nth,
    };
    let text = draft("toy", [&name(1), &name(2)]);
    let missing = read("without-reasons", &text).expect_err("a reason is missing");
    assert!(missing.contains("say why"), "{missing}");
    let list =
        read("with-reasons", &text.replace("reason = \"\"", "reason = \"nobody calls it\"")).expect("a list");
    assert_eq!(list.reasons.keys().cloned().collect::<Vec<_>>(), [name(1), name(2)]);
    assert_eq!(list.gone([&name(1)]), [&name(2)]);
}

#[test]
fn mistakes_are_named() {
    let other = read("other", "package = \"other\"").expect_err("another package");
    assert!(other.contains("the list of other, not of toy"), "{other}");
    let entry = "[[mutant]]\nfile = 'a'\nfunction = 'b'\nchange = 'c'\nreason = 'd'\n";
    let twice = read("twice", &format!("package = 'toy'\n{entry}{entry}")).expect_err("an entry twice");
    assert!(twice.contains("a, b: c: it is there twice"), "{twice}");
    let unknown = read("unknown", "package = 'toy'\nfilse = []").expect_err("a field that does not exist");
    assert!(unknown.contains("filse"), "{unknown}");
}
