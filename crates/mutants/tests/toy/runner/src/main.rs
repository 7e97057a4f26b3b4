//! Runs the account with some seeds. It takes the arguments of the simulator's runner, and reads only the first.

use std::panic::catch_unwind;

use etcdsim_mutants_switch::{Answer, Ending, serve};

fn main() -> std::io::Result<()> {
    let seeds = std::env::args().find_map(|word| word.strip_prefix("--seeds=")?.parse().ok()).unwrap_or(1);
    let names: Vec<String> = (0..seeds).map(|seed: u64| format!("seed {seed}")).collect();
    serve(&names, |seed| match catch_unwind(|| run(seed as u64)) {
        Ok(answer) => answer,
        Err(_) => answer(Ending::Panicked, "", "P1"),
    })
}

fn run(seed: u64) -> Answer {
    let mut account = toy::Account::new(10);
    account.pay(seed + 1);
    account.save(3);
    let is_right = account.balance == 12 - seed && account.last() == account.balance;
    let is_right = is_right && toy::depth(2) == 2;
    let name = toy::strange(seed, "n".to_string());
    let trace = format!("{} {:?} {} {name}", account.balance, account.paid, account.is_rich());
    answer(if is_right { Ending::Held } else { Ending::Caught }, &trace, if is_right { "" } else { "SUM" })
}

fn answer(ending: Ending, trace: &str, by: &str) -> Answer {
    Answer { ending, trace: trace.into(), by: by.into(), verdict: by.into(), says: by.into() }
}
