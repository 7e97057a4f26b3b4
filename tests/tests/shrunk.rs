//! A sample of shrunk plans, of flaws of every area: each still fails in the way that its head says, with the trace hash of
//! the build that shrank it (rule R4), and not without any one of its faults and operations.

use std::fs;
use std::path::{Path, PathBuf};

use etcdsim::{Shrinker, Signature, run_plan};
use libtest_mimic::{Failed, Trial};
use plan::Plan;

/// One test for each plan in `tests/shrunk`.
pub fn trials() -> Vec<Trial> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shrunk");
    let entries = fs::read_dir(&folder).expect("the folder is a part of the repository");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    let name = |file: &Path| file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into());
    files
        .into_iter()
        .map(|file| Trial::test(format!("shrunk::{}", name(&file)), move || check(&file)))
        .collect()
}

fn check(file: &Path) -> Result<(), Failed> {
    let text = fs::read_to_string(file)?;
    let head = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.ok_or_else(|| Failed::from(format!("it has no line {name:?}")))
    };
    let signature: Signature = head("# signature: ")?.parse()?;
    let plan = Plan::parse(&file.to_string_lossy(), &text)?;
    let hash = run_plan(&plan)?.record.trace_hash.to_string();
    if hash != head("# trace hash: ")? {
        return Err(format!("its trace hash is {hash}").into());
    }
    let shrinker = Shrinker::new(1);
    let fails = |plan: &Plan| shrinker.signature_of(plan).is_ok_and(|found| found == signature);
    if !fails(&plan) {
        return Err(format!("{:?} instead of {signature}", shrinker.signature_of(&plan)).into());
    }
    for nth in 0..plan.faults.len() {
        let mut without = plan.clone();
        without.faults.remove(nth);
        if fails(&without) {
            return Err(format!("fault {nth} is not needed").into());
        }
    }
    for client in 0..plan.clients.len() {
        for nth in 0..plan.clients[client].operations.len() {
            let mut without = plan.clone();
            without.clients[client].operations.remove(nth);
            if fails(&without) {
                return Err(format!("operation {nth} of client {client} is not needed").into());
            }
        }
    }
    Ok(())
}
