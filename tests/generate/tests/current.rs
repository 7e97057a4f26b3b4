//! The files in `crates/api/src/gen/` are generated from `proto/`; they are committed so that a build needs neither a
//! compiler nor a build script. After a change in `proto/`: `UPDATE_GEN=1 cargo test -p etcdsim-generate`.

use std::fs;
use std::path::Path;

use etcdsim_generate::{contents, generate};

const HOW_TO_UPDATE: &str = "UPDATE_GEN=1 cargo test -p etcdsim-generate";

#[test]
fn generated_files_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/api");
    let committed = root.join("src/gen");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gen");
    _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).expect("a directory for the fresh files");
    generate(&root.join("proto"), &fresh);

    if std::env::var_os("UPDATE_GEN").is_some() {
        for name in contents(&committed).keys() {
            fs::remove_file(committed.join(name)).expect("an old file is removed");
        }
        for (name, text) in contents(&fresh) {
            fs::write(committed.join(name), text).expect("a new file is written");
        }
    }

    let (committed, fresh) = (contents(&committed), contents(&fresh));
    assert_eq!(
        committed.keys().collect::<Vec<_>>(),
        fresh.keys().collect::<Vec<_>>(),
        "update with: {HOW_TO_UPDATE}"
    );
    for (name, text) in fresh {
        let differs = committed[&name].lines().zip(text.lines()).position(|(old, new)| old != new);
        assert!(
            committed[&name] == text,
            "src/gen/{name} does not match proto/ (line {differs:?} from 0); update with: {HOW_TO_UPDATE}"
        );
    }
}
