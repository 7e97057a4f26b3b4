//! Runs all judges over one record.

use record::{MemberId, Nanos, Record, WatchStream};

use crate::model::FIRST_REVISION;
use crate::table::{Kind, TABLE};
use crate::{Context, Limits, Sheet, Verdict, failed_writes, leaks, scope};

/// What else is required of a run (for example, how many operations must be answered), and what is known about it
/// besides the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectations {
    /// The lowest number of operations that must have been answered.
    pub answered: u64,
    /// The longest allowed time without an answer while some client asks, from the first fault to the end of the chaos
    /// phase; `None` if nothing is expected (V3).
    pub progress: Option<Nanos>,
    /// The revision of the store when the history began.
    pub start_revision: i64,
    /// Watches besides the streams of the history. They are evidence and are not judged themselves.
    pub watched: Vec<WatchStream>,
    /// Whether a validator also checks the orders that were found, which takes about as long as all other judging
    /// together.
    pub validate: bool,
    /// Whether anyone besides the clients of the history wrote. If so, a revision that nothing explains proves nothing.
    pub open_world: bool,
    /// When each process was started, the first start included, in any order. Needed only if the record keeps no
    /// events; if it is empty, K2 does not compare reads with earlier ones of their member.
    pub starts: Vec<(MemberId, Nanos)>,
    /// Rates of the slowest and the fastest clock of any member, in millionths of true time; the slowest is not 0.
    pub clock_rates: (u32, u32),
    /// Whether the rates are known. If not, whether a lease ended too early is left open.
    pub clocks_known: bool,
    /// Whether members may compact on their own. Needed only if the record does not have what they applied.
    pub compacts_itself: bool,
    /// How long a lease may outlive its TTL in a healthy cluster.
    pub lease_bound: Nanos,
    /// What a new leader adds to the time of every lease: an election timeout.
    pub lease_extension: Nanos,
    /// How often the remaining time of leases is checkpointed and kept across changes of leader; `None` if it is not.
    pub lease_checkpoint: Option<Nanos>,
    /// When a member was the lessor ([`Lessors::spans`](crate::leases::Lessors::spans)). Needed only if the record
    /// keeps no events.
    pub lessors: Vec<(Nanos, Nanos)>,
    /// The settings of the members on which the bounds of Z depend.
    pub bounds: leaks::Limits,
    /// Whether any member can run out of space. If not, no request may be refused for lack of space.
    pub quota: bool,
    /// The settings on which refusals depend, if they are known.
    pub limits: Option<Limits>,
}

impl Default for Expectations {
    fn default() -> Self {
        Expectations {
            answered: 0,
            progress: None,
            start_revision: FIRST_REVISION,
            watched: Vec::new(),
            validate: true,
            open_world: false,
            starts: Vec::new(),
            clock_rates: (1_000_000, 1_000_000),
            clocks_known: true,
            compacts_itself: false,
            lease_bound: 10_000_000_000,
            lease_extension: 1_000_000_000,
            lease_checkpoint: None,
            lessors: Vec::new(),
            bounds: leaks::Limits::default(),
            quota: true,
            limits: None,
        }
    }
}

/// Judges a record by every oracle of the table that needs nothing but the record.
///
/// Those that watch the run as it goes are in [`Monitors`](crate::Monitors), and D1 needs two runs; the code that
/// runs a plan adds what they report.
pub fn judge(record: &Record, expectations: &Expectations) -> Verdict {
    let mut sheet = Sheet::default();
    judge_all(&Context::new(record, expectations), &mut sheet);
    sheet.into_verdict()
}

/// As [`judge`], but writes into a sheet that has other reports too. These make no difference to the judges.
pub fn judge_all(context: &Context<'_>, sheet: &mut Sheet) {
    let mut own = Sheet::default();
    for part in TABLE {
        if let Kind::Record(judge) = part.kind {
            judge(context, &mut own);
        }
    }
    scope::judge(context, &mut own);
    failed_writes::explain(context, &mut own);
    sheet.append(own);
}
