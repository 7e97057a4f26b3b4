//! The scripts, a row for each file.
//!
//! A script asks only for what one client of one node can ask and whose answer depends on nothing but what was asked
//! before: no time-outs, no sizes, no requests at the same time.

mod keys;
mod leases;
mod operators;
mod rights;
mod services;
mod streamed;
mod watches;

use std::pin::Pin;

use crate::session::Session;

/// A script that runs.
type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A script with a seed.
pub struct Script {
    /// The end of its file's name.
    pub name: &'static str,
    /// Its seed.
    pub seed: u64,
    /// Runs it.
    pub run: for<'a> fn(&'a mut Session<'_>, u64) -> Running<'a>,
}

macro_rules! scripts {
    ($($name:literal $seed:literal $run:path;)+) => {
        /// All of them.
        pub const ALL: &[Script] = &[$(
            Script { name: $name, seed: $seed, run: |session, seed| Box::pin($run(session, seed)) },
        )+];
    };
}

scripts! {
    "keys1" 1 keys::run;
    "keys2" 2 keys::run;
    "keys3" 3 keys::run;
    "streamed1" 4 streamed::run;
    "streamed2" 5 streamed::run;
    "leases1" 6 leases::run;
    "leases2" 7 leases::run;
    "rights1" 8 rights::run;
    "rights2" 9 rights::run;
    "rights3" 10 rights::run;
    "watches1" 11 watches::run;
    "watches2" 12 watches::run;
    "services1" 13 services::run;
    "operators1" 14 operators::run;
}
