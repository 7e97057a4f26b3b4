//! The scenarios, the canaries and the comparison with a real etcd, as one program whose tests are rows of tables.

mod canaries;
mod conformance;
mod scenarios;

use libtest_mimic::Arguments;

fn main() {
    let arguments = Arguments::from_args();
    let trials =
        [scenarios::trials(), canaries::trials(), conformance::trials()].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, trials).exit();
}
