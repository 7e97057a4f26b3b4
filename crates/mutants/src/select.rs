//! Which mutants are tried: a sample, a shard.

use std::str::FromStr;

use keyed::{Domain, Draw, Keyed};
use serde::{Deserialize, Serialize};

use crate::mutant::{Mutant, Name};

const SAMPLE: Domain = Domain::new("mutants: the sample");

/// A sample of this many mutants, drawn with a seed.
///
/// A mutant is drawn by its name, not by its number: where the code did not change, a sample drawn later has the same
/// mutants, and a larger sample has all those of a smaller one with the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// How many.
    pub count: usize,
    /// The seed.
    pub seed: u64,
}

/// One of several equal parts of the mutants, for several machines: part `nth` of `of`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part.
    pub nth: usize,
    /// Of how many.
    pub of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/').and_then(|(nth, of)| Some((nth.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((nth, of)) if nth >= 1 && nth <= of => Ok(Shard { nth, of }),
            _ => Err("write which part of how many, such as `1/4` to `4/4`".to_string()),
        }
    }
}

/// The mutants of a sample and a shard, in the order of their numbers.
pub fn select(mut mutants: Vec<&Mutant>, sample: Option<Sample>, shard: Option<Shard>) -> Vec<&Mutant> {
    if let Some(Sample { count, seed }) = sample {
        mutants.sort_by_cached_key(|mutant| (rank(&mutant.name, seed), mutant.number));
        mutants.truncate(count);
        mutants.sort_by_key(|mutant| mutant.number);
    }
    let Shard { nth, of } = shard.unwrap_or(Shard { nth: 1, of: 1 });
    mutants.into_iter().skip(nth - 1).step_by(of).collect()
}

/// Where a mutant stands in the order of a seed.
fn rank(name: &Name, seed: u64) -> u64 {
    let start = Keyed::new(seed, SAMPLE).draw(0, 0);
    let Draw(rank) = name.to_string().bytes().fold(start, |draw, byte| draw.then(u64::from(byte)));
    rank
}
