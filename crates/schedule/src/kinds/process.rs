//! Faults of a member's process: crashes, power losses, pauses, slowness. The head of [`super`] says what a row
//! contains. (VOPR, in the sources, is TigerBeetle's simulator.)

use trace::{FaultEffect, Nanos};

use super::{Alone, Lasts, TIMES, Whom};

use crate::field::{Form, MS, SECOND, Words, count, time, words};

/// What happens at a failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointAction {
    /// The process is killed there and started again after the fault's duration.
    Crash,
    /// The machine loses power there.
    PowerLoss,
    /// The process pauses there for the fault's duration.
    Pause,
}

words!(PointAction: "crash" = PointAction::Crash, "power-loss" = PointAction::PowerLoss, "pause" = PointAction::Pause);

family! {
    /// Faults of a member's process.
    Process: ProcessFault {
        "The process is asked to stop, finishes what it must, and is started again."
        GracefulRestart => {
            number: 26,
            name: "graceful-restart",
            whom: Whom::Members,
            lasts: Lasts::Down,
            alone: Alone::Down,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Our own: a rolling restart.",
            fields: &[],
            new: |_| ProcessFault::GracefulRestart,
        }

        "The process is killed (kill -9) and started again. What it wrote to files stays."
        Crash => {
            number: 27,
            name: "crash",
            whom: Whom::Members,
            lasts: Lasts::Down,
            alone: Alone::Down,
            members: 1,
            effect: FaultEffect::NONE,
            source: "VOPR: a crash in 14 simulated hours a replica, ten times as often while it writes. Here crashes are far more frequent, because long runs with few crashes find little.",
            fields: &[],
            new: |_| ProcessFault::Crash,
        }

        "The machine loses power and starts again. Any subset of what was not synced is lost, by sector."
        PowerLoss => {
            number: 28,
            name: "power-loss",
            whom: Whom::Members,
            lasts: Lasts::Down,
            alone: Alone::Down,
            members: 1,
            effect: FaultEffect::NONE,
            source: "FoundationDB's AsyncFileNonDurable: per 4 KiB page and 512 B sector. VOPR: 80 to 100 % of crashes tear a write.",
            fields: &[],
            new: |_| ProcessFault::PowerLoss,
        }

        "The process is stopped (SIGSTOP) and continued. Its clocks go on."
        Pause => {
            number: 29,
            name: "pause",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::Running,
            members: 1,
            effect: FaultEffect::NONE,
            source: "VOPR: a paused replica's clock still ticks, as in a migration of a virtual machine.",
            fields: &[],
            new: |_| ProcessFault::Pause,
        }

        "Every step of the process takes this long."
        SlowCpu { step: Nanos } => {
            number: 30,
            name: "slow-cpu",
            whom: Whom::Members,
            lasts: Lasts::Span,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Our own: a noisy neighbour, 0.1 to 50 ms a step.",
            fields: of! {
                "step" time(1, 60 * SECOND) => ProcessFault::SlowCpu { step } => *step, "How long. Left out: 1ms.";
            },
            new: |_| ProcessFault::SlowCpu { step: MS as u64 },
        }

        "The process crashes at disk operation number `nth` from now on."
        CrashAtDiskOp { nth: u64, power: bool } => {
            number: 31,
            name: "crash-at-disk-op",
            whom: Whom::Members,
            lasts: Lasts::Down,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "etcd's gofail points around WAL and backend; SQLite's crash tests.",
            fields: of! {
                "nth" TIMES => ProcessFault::CrashAtDiskOp { nth, .. } => *nth, "The number of the operation, from 1. Left out: 1.";
                "power" Form::Switch => ProcessFault::CrashAtDiskOp { power, .. } => *power, "Whether it loses power. Left out: false.";
            },
            new: |_| ProcessFault::CrashAtDiskOp { nth: 1, power: false },
        }

        "The process crashes, and crashes again at disk operation number `nth` during its recovery."
        CrashInRecovery { nth: u64, power: bool } => {
            number: 32,
            name: "crash-in-recovery",
            whom: Whom::Members,
            lasts: Lasts::Down,
            alone: Alone::Down,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Our own: recovery is the code that runs least.",
            fields: of! {
                "nth" TIMES => ProcessFault::CrashInRecovery { nth, .. } => *nth, "The number of the operation, from 1. Left out: 1.";
                "power" Form::Switch => ProcessFault::CrashInRecovery { power, .. } => *power, "Whether it loses power. Left out: false.";
            },
            new: |_| ProcessFault::CrashInRecovery { nth: 1, power: false },
        }

        "The process crashes, loses power or pauses at a named point of its code. The names are etcd's own."
        Failpoint { point: u16, skip: u32, does: PointAction } => {
            number: 33,
            name: "failpoint",
            whom: Whom::Members,
            lasts: Lasts::Struck,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "etcd's gofail points (tests/robustness/failpoint/gofail.go): panic and sleep at each.",
            fields: of! {
                "point" Form::Point => ProcessFault::Failpoint { point, .. } => *point, "Where.";
                "skip" count(0, 1_000_000) => ProcessFault::Failpoint { skip, .. } => *skip, "How many times the process passes the point first. Left out: 0.";
                "do" Form::Word(PointAction::NAMES) => ProcessFault::Failpoint { does, .. } => *does, "What happens there. Left out: `crash`.";
            },
            new: |usual| ProcessFault::Failpoint { point: usual.point, skip: 0, does: PointAction::Crash },
        }
    }
}
