//! What must not be in the program: the simulator's runtime, and the flaws.

use std::fs;

use etcdsim_member::Flaw;

fn contains(program: &[u8], text: &str) -> bool {
    memchr::memmem::find(program, text.as_bytes()).is_some()
}

#[test]
fn neither_madsim_nor_a_flaw_is_in_it() {
    let program = fs::read(env!("CARGO_BIN_EXE_etcdsim-server")).expect("cargo has built it");
    assert!(contains(&program, "etcd_server_version"), "a text that is in it is found");
    assert!(!contains(&program, "madsim"), "it links madsim");
    let found = Flaw::ALL.iter().map(|flaw| flaw.name()).filter(|name| contains(&program, name));
    assert_eq!(found.collect::<Vec<_>>(), [] as [&str; 0], "flaws are in it");
}
