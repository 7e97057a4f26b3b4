//! Each oracle of the history fires on a record written by hand, and not on one that differs in one thing.

mod build;
mod caches;
mod evidence;
mod examples;
mod hash_kv;
mod invariants;
mod k1;
mod k2;
mod k3;
mod k4;
mod leaks;
mod leases;
mod locks;
mod membership;
mod no_evidence;
mod own;
mod refused;
mod rights;
mod run;
mod scope;
mod services;
mod watch;
mod watch_rights;
