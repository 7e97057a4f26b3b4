//! One program for the scenarios, the canaries, the comparison with a real etcd, the trace hashes written down, the
//! names in comments and the structure of the sources. Its tests are rows of tables.

mod backend_writes;
mod canaries;
mod conformance;
mod explanations;
mod hashes;
mod names;
mod page;
mod scenarios;
mod shrunk;
mod structure;
mod without_evidence;

use libtest_mimic::Arguments;

fn main() {
    let arguments = Arguments::from_args();
    let trials = [
        backend_writes::trials(),
        names::trials(),
        page::trials(),
        scenarios::trials(),
        shrunk::trials(),
        canaries::trials(),
        conformance::trials(),
        explanations::trials(),
        hashes::trials(),
        structure::trials(),
        without_evidence::trials(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&arguments, trials).exit();
}
