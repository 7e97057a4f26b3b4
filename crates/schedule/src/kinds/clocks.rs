//! Faults of clocks: of a member's monotonic clock, which its timeouts use, and of its wall clock. The head of
//! [`super`] says what a row contains. (VOPR, in the sources, is TigerBeetle's simulator.)

use trace::{FaultEffect, Nanos};

use super::{Alone, LATE, Lasts, SPAN, Whom};

use crate::field::{HOUR, SECOND, time};
use crate::sections::CLOCK_RATE;

family! {
    /// Faults of clocks.
    Clock: ClockFault {
        "The clock runs at this rate, relative to true time."
        Rate { rate: u32 } => {
            number: 21,
            name: "clock-rate",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Crystals drift by 10 to 200 ppm; a virtual machine's clock by much more. VOPR's tests: up to 10 %.",
            fields: of! {
                "rate" CLOCK_RATE => ClockFault::Rate { rate } => *rate, "`100%` is exact. Left out: 110%.";
            },
            new: |_| ClockFault::Rate { rate: 1_100_000 },
        }

        "The wall clock jumps."
        Step { by: i64 } => {
            number: 22,
            name: "clock-step",
            whom: Whom::Members,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Jepsen's bump: powers of two from 4 ms to 262 s, both ways. VOPR's tests: −5 days.",
            fields: of! {
                "by" time(-10_000 * HOUR, 10_000 * HOUR) => ClockFault::Step { by } => *by, "How far; negative values go back. Left out: 1s.";
            },
            new: |_| ClockFault::Step { by: SECOND as i64 },
        }

        "The wall clock jumps forwards and backwards every `period`."
        Strobe { by: u64, period: Nanos } => {
            number: 23,
            name: "clock-strobe",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Jepsen's strobe: by 4 ms to 262 s, every 1 ms to 1 s, for up to 32 s.",
            fields: of! {
                "by" time(1, HOUR) => ClockFault::Strobe { by, .. } => *by, "How far. Left out: 1s.";
                "period" SPAN => ClockFault::Strobe { period, .. } => *period, "How often. Left out: 100ms.";
            },
            new: |_| ClockFault::Strobe { by: SECOND as u64, period: LATE },
        }

        "The wall clock swings around true time."
        Sine { by: u64, period: Nanos } => {
            number: 24,
            name: "clock-sine",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "VOPR's periodic offset: ±1 s.",
            fields: of! {
                "by" time(1, HOUR) => ClockFault::Sine { by, .. } => *by, "How far to each side. Left out: 1s.";
                "period" SPAN => ClockFault::Sine { period, .. } => *period, "How long a swing takes. Left out: 10s.";
            },
            new: |_| ClockFault::Sine { by: SECOND as u64, period: 10 * SECOND as u64 },
        }

        "The monotonic clock stands still while the process keeps running."
        Freeze => {
            number: 25,
            name: "clock-freeze",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::Itself,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Our own: a virtual machine whose time source stops.",
            fields: &[],
            new: |_| ClockFault::Freeze,
        }
    }
}
