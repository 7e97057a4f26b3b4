//! Each oracle of the history fires on a record written by hand, and is silent on one that differs in one thing.

mod build;
mod caches;
mod k1;
mod k2;
mod k3;
mod k4;
mod run;
mod watch;
