//! The sections `[workload]` and `[workload.mix]`: checks of them, and the clients that they make.

use std::ops::Range;

use keyed::Ratio;
use record::MemberId;
use schedule::choice::{Choice, Dice, Value};
use schedule::field::{HOUR, Words, keys};
use schedule::units::Unit;
use schedule::{Checked, Given, Mistake, OwnSection, OwnSections};

use super::{Endpoints, MIX, MOST_CLIENTS, Mix, Setup, Traffic, WORKLOAD, Workload};
use crate::{Client, Spread};

/// The sections that only files of etcd have.
pub(crate) const SECTIONS: &[OwnSection] = &[OwnSection {
    path: PATH,
    about: "What the clients do.",
    keys: || keys(WORKLOAD).collect(),
    inner: &[OwnSection { path: MIX_PATH, about: "", keys: || keys(MIX).collect(), inner: &[] }],
}];
const PATH: &str = "workload";
const MIX_PATH: &str = "workload.mix";

/// The maximum number of operations of a run. More would not fit into memory.
const MOST_OPERATIONS: i128 = 5_000_000;
/// The maximum number of bytes of all values of a run together.
const MOST_BYTES: i128 = 1 << 30;

/// All clients of the workload with all their operations.
pub(crate) fn clients(given: &Given<'_>) -> Vec<Client> {
    let Some(section) = given.section(PATH) else { return Vec::new() };
    let dice = given.dice().part("workload");
    let mut workload = Workload::default();
    section.draw(WORKLOAD, dice, given.context(), &mut workload);
    let mut mix = Mix::usual();
    if let Some(weights) = given.section(MIX_PATH) {
        mix = Mix::default();
        weights.draw(MIX, dice.part("mix"), given.context(), &mut mix);
        if mix.weights().iter().all(|weight| *weight == 0) {
            mix = Mix::usual();
        }
    }
    let operations = given.dice().part("operations");
    let setup = Setup {
        workload: &workload,
        mix: &mix,
        members: given.members,
        horizon: given.load,
        dice: operations,
    };
    let mut clients = Vec::new();
    for lane in workload.lanes(&setup) {
        // The lanes of one program have the same endpoints, clock and timeouts: those of its first
        // lane.
        let program = lane.part_of.unwrap_or(lane.number);
        let dice = dice.part("client").nth(program.into());
        // Fields with ranges and choices are drawn again for each client.
        let mut fields = workload.clone();
        section.draw(WORKLOAD, dice, given.context(), &mut fields);
        clients.push(Client {
            endpoints: match lane.pinned {
                Some(member) => vec![member],
                None => endpoints(fields.endpoints, program, given.members, dice),
            },
            auto_sync: fields.auto_sync,
            failover: fields.failover,
            timeout: fields.timeout,
            clock_rate: fields.clock.unwrap_or_else(|| given.clock_rate(dice)),
            part_of: lane.part_of,
            user: lane.user.or(fields.user),
            watch_processing: fields.watch_processing,
            keepalive: fields.keepalive,
            keepalive_timeout: fields.keepalive_timeout,
            operations: lane.operations,
        });
    }
    clients
}

/// The members a client knows; its number decides which one comes first.
fn endpoints(which: Endpoints, client: u32, members: u32, dice: Dice) -> Vec<MemberId> {
    let own = MemberId::new(client % members + 1);
    let all = (0..members).map(|at| MemberId::new((client + at) % members + 1));
    match which {
        Endpoints::All => all.collect(),
        Endpoints::One => vec![own],
        Endpoints::Some => {
            let knows = |member: MemberId| {
                member == own || dice.nth(member.raft_id()).field("knows").happens(Ratio::percent(50))
            };
            all.filter(|member| knows(*member)).collect()
        }
        // Until all members are known.
        Endpoints::Joined => Vec::new(),
    }
}

/// The least and the most clients of the workload.
pub(crate) fn how_many_clients(own: &OwnSections) -> (i128, i128) {
    let usual = Workload::default().clients.into();
    own.find(PATH).map_or((0, 0), |workload| workload.bounds("clients", usual, MOST_CLIENTS))
}

/// Checks that the workload has neither too many operations nor too many bytes.
pub(crate) fn check(given: &Checked<'_>, mistakes: &mut Vec<Mistake>) {
    let mut report = |span: Range<usize>, message: &str, label: &str, help: &str| {
        mistakes.push(Mistake::at(span, message, label).help(help));
    };
    if let Some(mix) = given.written.find(MIX_PATH)
        && mix.unread.is_empty()
        && mix.sets.iter().all(|set| set.choice.bounds().1 == 0)
    {
        let at = given.text.find("[workload.mix]").unwrap_or(0);
        let span = mix.sets.first().map_or(at..at + "[workload.mix]".len(), |set| set.span.clone());
        report(
            span,
            "every weight of the mix is 0",
            "nothing to ask",
            "give at least one kind of operation a weight above 0, or leave the section out",
        );
    }
    let Some(workload) = given.own.find(PATH) else { return };
    if !workload.unread.is_empty() || !given.run_is_valid {
        return;
    }
    let usual = Workload::default();
    let traffic = workload.choice("traffic").map(Choice::bounds);
    let rate = match traffic {
        Some((low, high)) => {
            let of = |at: i128| i128::from(Traffic::ALL[at as usize].rate());
            (of(low), of(high))
        }
        None => workload.bounds("rate", usual.rate, 0),
    };
    // The limit on the operations of one client; 0 for none.
    let each = workload.bounds("operations", usual.operations, 0);
    let span = |name: &str| workload.find(name).map_or(0..0, |set| set.span.clone());
    if rate.0 == 0 && each.0 == 0 {
        let help = "set `operations`, the maximum for each client";
        report(span("rate"), "an unthrottled workload never ends", "as fast as answers come", help);
        return;
    }
    // Operations per hour, times nanoseconds, divided by nanoseconds per hour.
    let throttled = rate.1 * given.load.1 / HOUR + given.clients.1;
    let most = if each.0 == 0 {
        throttled
    } else if rate.0 == 0 {
        each.1 * given.clients.1
    } else {
        throttled.min(each.1 * given.clients.1)
    };
    if most > MOST_OPERATIONS {
        let message = format!("the clients would send up to {most} operations");
        let place = if each.1 == 0 { "rate" } else { "operations" };
        report(
            span(place),
            &message,
            "too many",
            &format!("a run holds at most {MOST_OPERATIONS}; lower the rate or shorten the chaos phase"),
        );
        return;
    }
    let bytes = workload.choice("value-bytes").map_or(0, mean);
    if most * bytes > MOST_BYTES {
        let message = format!("the values would take up to {} together", Unit::Size.print(most * bytes));
        report(
            span("value-bytes"),
            &message,
            "too large",
            &format!("a run holds at most {}", Unit::Size.print(MOST_BYTES)),
        );
    }
}

/// The approximate mean of a choice. It may be too large, but not much too small.
fn mean(choice: &Choice) -> i128 {
    match choice {
        Choice::Fixed(Value::Spread(spread)) => mean_of(spread),
        Choice::Any(choices) => choices.iter().map(mean).max().unwrap_or(0),
        Choice::Made(make, parts) => {
            let largest: Vec<i128> = parts.iter().map(|part| part.bounds().1).collect();
            match make(&largest) {
                Value::Spread(spread) => mean_of(&spread),
                _ => 0,
            }
        }
        Choice::Fixed(_) | Choice::Range { .. } => choice.bounds().1,
    }
}

/// The mean of a distribution.
fn mean_of(spread: &Spread) -> i128 {
    match *spread {
        Spread::Constant(value) => value.into(),
        Spread::Uniform { low, high } => (i128::from(low) + i128::from(high)) / 2,
        Spread::Exponential { floor, mean } => i128::from(floor) + i128::from(mean),
        Spread::HeavyTail { usual, worst, ratio } => {
            i128::from(usual) + i128::from(worst) * i128::from(ratio.parts()) / 1_000_000
        }
    }
}
