//! Which layer the instructions of a profile belong to.
//!
//! - Code belongs to the layer of its source file, even where it was inlined into another crate's function.
//! - All other code (the standard library, `prost`, hashing) works for its callers: its instructions are divided among
//!   them in proportion to what their calls cost. The cost of allocation and copying is divided in the same way, but
//!   counted apart. A function with several callers is divided by their costs, not by what each call did: like `gprof`,
//!   and with the same error where equal calls cost differently.

use super::callgrind::{Function, Profile};

/// A part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The raft library and its messages.
    Raft,
    /// A member, without its backend.
    Member,
    /// The backend: redb and what drives it.
    Backend,
    /// The simulated world around the members, and the record of the run.
    World,
    /// Everything that judges: monitors during the run, judges after it.
    Oracles,
    /// The rest: the runner, and code without a known caller.
    Other,
}

impl Layer {
    /// All, in the order of the table.
    pub const ALL: [Layer; 6] =
        [Layer::Raft, Layer::Member, Layer::Backend, Layer::World, Layer::Oracles, Layer::Other];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Raft => "raft",
            Layer::Member => "member",
            Layer::Backend => "backend",
            Layer::World => "world",
            Layer::Oracles => "oracles",
            Layer::Other => "other",
        }
    }
}

/// The layers of crates, or of files and folders below their `src/`. The first row that fits counts.
const HOMES: &[(&str, &str, Layer)] = &[
    ("raft", "", Layer::Raft),
    ("raft-proto", "", Layer::Raft),
    ("protobuf", "", Layer::Raft),
    ("redb", "", Layer::Backend),
    ("member", "backend", Layer::Backend),
    ("member", "", Layer::Member),
    ("api", "", Layer::Member),
    ("settings", "", Layer::Member),
    ("world", "", Layer::World),
    ("cluster", "", Layer::World),
    ("record", "", Layer::World),
    ("trace", "", Layer::World),
    ("contract", "", Layer::World),
    ("plan", "", Layer::World),
    ("schedule", "", Layer::World),
    ("keyed", "", Layer::World),
    ("madsim", "", Layer::World),
    ("verify", "", Layer::Oracles),
    ("linear", "", Layer::Oracles),
    ("revision", "", Layer::Oracles),
    ("histories", "", Layer::Oracles),
    ("etcdsim", "", Layer::Other),
];

/// The layer of a source file; `None` if it works for its callers.
pub fn layer(path: &str) -> Option<Layer> {
    let (name, inner) = home(path)?;
    let fits = |(of, below, _): &&(&str, &str, Layer)| *of == name && inner.starts_with(below);
    HOMES.iter().find(fits).map(|(_, _, layer)| *layer)
}

/// The crate of a source file and the path below its sources: `…/redb-4.6.0/src/tree_store/…` is `tree_store/…` of
/// `redb`, and `…/build/raft-proto-0123456789abcdef/out/protos/…`, from a build script, is `protos/…` of `raft-proto`.
fn home(path: &str) -> Option<(&str, &str)> {
    let (before, inner) = path.rsplit_once("/src/").or_else(|| path.rsplit_once("/out/"))?;
    let folder = before.rsplit('/').next()?;
    let suffix = |(_, suffix): &(&str, &str)| {
        suffix.starts_with(|c: char| c.is_ascii_digit()) || (suffix.len() == 16 && !path.contains("/src/"))
    };
    let name = folder.rsplit_once('-').filter(suffix).map_or(folder, |(name, _)| name);
    Some((name, inner))
}

/// What a function of the C library or of Rust's runtime does for others, if it is one of those counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `malloc`, `free` and what they use.
    Allocation,
    /// `memcpy`, `memmove`, `memset`.
    Copying,
}

/// The service of a function by its symbol and the file it begins in.
pub fn service(symbol: &str, file: &str) -> Option<Service> {
    let rust = symbol.starts_with("_ZN") || symbol.starts_with("_R");
    let any = |names: &[&str]| names.iter().any(|name| symbol.contains(name));
    let allocates = if rust {
        any(&["___rust_alloc", "___rust_dealloc", "___rust_realloc", "___rdl_"])
    } else {
        file.contains("/malloc/")
            || any(&["alloc", "free", "mmap", "munmap", "mremap", "brk", "unlink_chunk"])
    };
    if allocates {
        return Some(Service::Allocation);
    }
    (!rust && any(&["memcpy", "memmove", "mempcpy", "memset"])).then_some(Service::Copying)
}

/// The instructions of a layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// In its own code, and in other code that worked for it.
    pub own: f64,
    /// In allocating and freeing memory for it.
    pub allocation: f64,
    /// In copying and filling memory for it.
    pub copying: f64,
}

impl Spent {
    /// All of it.
    pub fn all(&self) -> f64 {
        self.own + self.allocation + self.copying
    }
}

/// For each layer, a share of something.
type Shares = [f64; Layer::ALL.len()];

/// What each layer spent, in the order of [`Layer::ALL`].
pub fn spent(profile: &Profile) -> [Spent; Layer::ALL.len()] {
    let files: Vec<Option<Layer>> = profile.files.iter().map(|path| layer(path)).collect();
    let shares = shares(profile, &files);
    let mut spent = [Spent::default(); Layer::ALL.len()];
    for (Function { name, file, own }, shares) in profile.functions.iter().zip(&shares) {
        let service = service(name, &profile.files[*file]);
        for (file, instructions) in own {
            let shares = files[*file].map_or(*shares, wholly);
            for (spent, share) in spent.iter_mut().zip(shares) {
                let instructions = *instructions as f64 * share;
                match service {
                    None => spent.own += instructions,
                    Some(Service::Allocation) => spent.allocation += instructions,
                    Some(Service::Copying) => spent.copying += instructions,
                }
            }
        }
    }
    spent
}

/// How the instructions of each function without a layer are divided among the layers. Calls between functions without
/// a layer make this a system of equations; each round brings it closer to the solution.
fn shares(profile: &Profile, files: &[Option<Layer>]) -> Vec<Shares> {
    /// Chains of calls through functions without a layer are not longer than this, or cost too little to matter.
    const ROUNDS: usize = 60;
    let own = |function: &Function| files[function.file].map(wholly);
    let settled: Vec<Option<Shares>> = profile.functions.iter().map(own).collect();
    let mut shares: Vec<Shares> = settled.iter().map(|shares| shares.unwrap_or_default()).collect();
    for _ in 0..ROUNDS {
        let mut sums = vec![(Shares::default(), 0.0); shares.len()];
        for ((caller, file, callee), instructions) in &profile.calls {
            if caller == callee || settled[*callee].is_some() {
                continue;
            }
            let of_caller = files[*file].map_or(shares[*caller], wholly);
            let (sum, calls) = &mut sums[*callee];
            sum.iter_mut().zip(of_caller).for_each(|(sum, share)| *sum += share * *instructions as f64);
            *calls += *instructions as f64;
        }
        for (function, (sum, calls)) in sums.into_iter().enumerate() {
            if calls > 0.0 {
                shares[function] = sum.map(|sum| sum / calls);
            }
        }
    }
    for shares in &mut shares {
        shares[Layer::Other as usize] += (1.0 - shares.iter().sum::<f64>()).max(0.0);
    }
    shares
}

/// All of it is one layer's.
fn wholly(layer: Layer) -> Shares {
    let mut shares = Shares::default();
    shares[layer as usize] = 1.0;
    shares
}
