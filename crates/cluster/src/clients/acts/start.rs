//! Starts acts: which state machine carries out which act of a plan.

use plan::Act;
use plan::act::Follow;

use super::list::List;
use super::{ActInput, Command, Context, RunningAct, Step};
use super::{add, append, compactor, election, lock, renew, write};

/// The state machine of an act that is about to begin.
pub(crate) fn start(act: Act) -> Box<dyn RunningAct> {
    match act {
        Act::Request(request) => Box::new(SingleStep(Some(Step::Ask(request)))),
        Act::Forged { index, request } => {
            Box::new(SingleStep(Some(Step::AskWith(format!("forged.{index}").into(), request))))
        }
        Act::Literal(request) => Box::new(SingleStep(Some(Step::AskThis(request)))),
        Act::Stream { range, literal } => Box::new(SingleStep(Some(Step::AskStreamed(range, literal)))),
        Act::Rest(time) => Box::new(SingleStep(Some(Step::Wait(time)))),
        Act::Watch(watch) => Box::new(SingleStep(Some(Step::Stream(Command::Watch(watch))))),
        Act::Cancel { watcher } => Box::new(SingleStep(Some(Step::Stream(Command::Cancel(watcher))))),
        Act::Progress { stream } => Box::new(SingleStep(Some(Step::Stream(Command::Progress(stream))))),
        Act::Close { stream } => Box::new(SingleStep(Some(Step::Stream(Command::Close(stream))))),
        Act::View { keys } => Box::new(SingleStep(Some(Step::View(keys)))),
        Act::Follow(keys) => follow(keys),
        Act::List { keys, page, streamed } => Box::new(List::new(keys, page, streamed)),
        Act::Write(write) => Box::new(write::RunningWrite::new(write)),
        Act::Add(add) => Box::new(add::RunningAdd::new(add)),
        Act::Append(micros) => Box::new(append::RunningAppend::new(micros)),
        Act::Lock(session) => Box::new(lock::RunningLock::new(session)),
        Act::Unlock { name } => Box::new(lock::RunningRelease::lock(name)),
        Act::Campaign(session, value) => Box::new(election::RunningCampaign::new(session, value)),
        Act::Proclaim { name, value } => Box::new(election::RunningProclaim::new(name, value)),
        Act::Resign { name } => Box::new(lock::RunningRelease::leadership(name)),
        Act::Fenced { name, key, value } => Box::new(election::RunningFencedWrite::new(name, key, value)),
        Act::Renew => Box::new(renew::RunningRenewal::default()),
        Act::Compactor { key } => Box::new(compactor::RunningCompactor::new(key)),
    }
}

/// The state machine that lists the keys of a copy, also when they must be listed again because its watch was lost.
pub(crate) fn follow(follow: Follow) -> Box<dyn RunningAct> {
    Box::new(List::follow(follow))
}

/// An act of a single step.
struct SingleStep(Option<Step>);

impl RunningAct for SingleStep {
    fn next(&mut self, _: ActInput<'_>, _: &mut Context<'_>) -> Step {
        self.0.take().unwrap_or(Step::Done)
    }
}
