//! What only plans of etcd have, and those of other nodes do not ([`Part`]): its settings, clients, workloads and
//! tasks, and the names of its kinds of messages and of its failpoints.

use std::fmt::Write;
use std::sync::LazyLock;

use record::{Failpoint, MemberId, MessageKind, Nanos};
use schedule::choice::Value;
use schedule::docs::{fields, left_out, row};
use schedule::field::{Field, FieldType, Form, Key, Names};
use schedule::sections::MEMBERS;
use schedule::units::Unit;
use schedule::{Checked, Given, Mistake, OwnSection, OwnSections, OwnSwarm, Part, TakesWorkload};
use settings::{BackendWrites, Settings};

use crate::client::{CLIENT, machines_added};
use crate::own::Workload;
use crate::workload::{self, MIX, Mix, WORKLOAD, WORKLOADS};
use crate::{Client, Cluster, OperatorTask, Plan, WorkloadContext};

/// The part of etcd's members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Etcd;

impl Part for Etcd {
    type Settings = Settings;
    type Client = Client;
    type Task = OperatorTask;

    const NAMES: Names = NAMES;
    const SECTIONS: &'static [OwnSection] = workload::SECTIONS;

    fn settings() -> &'static [Field<Settings>] {
        static FIELDS: LazyLock<Vec<Field<Settings>>> =
            LazyLock::new(|| settings::ROWS.iter().filter(|row| row.in_scenarios).map(setting).collect());
        &FIELDS
    }

    fn client() -> &'static [Field<Client>] {
        CLIENT
    }

    fn swarm() -> Option<&'static OwnSwarm<Etcd>> {
        static SWARM: LazyLock<OwnSwarm<Etcd>> = LazyLock::new(|| OwnSwarm::new(include_str!("swarm.toml")));
        Some(&SWARM)
    }

    fn restart_delay(settings: &Settings) -> Nanos {
        settings.restart_delay
    }

    fn eager_store(settings: &Settings) -> bool {
        settings.backend_writes == BackendWrites::Eager
    }

    fn how_many_clients(own: &OwnSections) -> (i128, i128) {
        workload::how_many_clients(own)
    }

    fn check(given: &Checked<'_>, mistakes: &mut Vec<Mistake>) {
        workload::check(given, mistakes);
    }

    fn clients(given: &Given<'_>) -> Vec<Client> {
        workload::clients(given)
    }

    fn finish(plan: &mut Plan) {
        join(plan);
    }

    fn machines(clients: &[Client]) -> impl Iterator<Item = MemberId> {
        clients
            .iter()
            .flat_map(|client| machines_added(&client.operations).chain(client.endpoints.iter().copied()))
    }

    fn table(name: &str) -> Option<String> {
        match name {
            "cluster" => Some(cluster()),
            "workload" => Some(fields(NAMES, WORKLOAD, &workload::Workload::default())),
            "mix" => Some(fields(NAMES, MIX, &Mix::usual())),
            "workloads" => {
                let mut table = String::from("| name | what its clients do |\n|---|---|\n");
                for workload in WORKLOADS {
                    let _ = writeln!(table, "| `{}` | {} |", workload.word, workload.about);
                }
                Some(table)
            }
            _ => None,
        }
    }
}

impl<W: Workload + 'static> TakesWorkload<W> for Etcd {
    fn clients_of(workload: &W, context: &WorkloadContext) -> Vec<Client> {
        workload.clients(context)
    }
}

/// A setting as a field of the section `[cluster]`.
fn setting(row: &settings::Row) -> Field<Settings> {
    let form = match row.form {
        settings::Form::Number { unit, low, high, zero } => {
            let unit = match unit {
                settings::Unit::Count => Unit::Count,
                settings::Unit::Time => Unit::Time,
                settings::Unit::Size => Unit::Size,
            };
            Form::Number { unit, low: low.into(), high: high.into(), zero }
        }
        settings::Form::Switch => Form::Switch,
        settings::Form::Word(words) => Form::Word(words),
    };
    Field {
        key: Key { name: row.name, form, about: row.about },
        get: |settings, key| Some(Value::Number(row_of(key).get(settings).into())),
        set: |settings, key, value| row_of(key).set(settings, u64::of(value)),
    }
}

/// The row of the table of settings from which a field was made.
fn row_of(key: &Key) -> &'static settings::Row {
    settings::row(key.name).expect("the field was made of a row")
}

/// The table of the fields of the cluster; for a setting also etcd's default and its source.
fn cluster() -> String {
    let mut table = String::from("| field | value | left out | in etcd | meaning |\n|---|---|---|---|---|\n");
    for field in MEMBERS {
        let usual = Cluster::default().members;
        row(&mut table, NAMES, &field.key, &[left_out(NAMES, field, &usual), String::new()]);
    }
    let (usual, etcd) = (Settings::default(), Settings::etcd());
    for field in Etcd::settings() {
        let source = settings::row(field.key.name).and_then(|row| row.etcd);
        let etcd =
            source.map_or(String::new(), |source| format!("{}: {source}", left_out(NAMES, field, &etcd)));
        row(&mut table, NAMES, &field.key, &[left_out(NAMES, field, &usual), etcd]);
    }
    table
}

/// Fills in the endpoints of clients that know only the members that join during the run; if none joins,
/// these clients know the first members.
fn join(plan: &mut Plan) {
    let (initial, most) = (plan.cluster.members, plan.most_members());
    let known = if most > initial { initial + 1..=most } else { 1..=initial };
    for client in plan.clients.iter_mut().filter(|client| client.endpoints.is_empty()) {
        client.endpoints = known.clone().map(MemberId::new).collect();
    }
}

/// The names for the numbers in a plan of etcd.
pub(crate) const NAMES: Names =
    Names { messages: MESSAGES, points: POINTS, usual_point: Failpoint::RaftBeforeSave.number() as u16 };

/// Only raft's messages have names: a rule cannot match others.
const MESSAGES: &[&str] = &{
    let mut names = [""; MessageKind::Other as usize + 1];
    names[MessageKind::Append as usize] = "append";
    names[MessageKind::AppendResponse as usize] = "append-response";
    names[MessageKind::RequestVote as usize] = "vote";
    names[MessageKind::RequestVoteResponse as usize] = "vote-response";
    names[MessageKind::RequestPreVote as usize] = "pre-vote";
    names[MessageKind::RequestPreVoteResponse as usize] = "pre-vote-response";
    names[MessageKind::Heartbeat as usize] = "heartbeat";
    names[MessageKind::HeartbeatResponse as usize] = "heartbeat-response";
    names[MessageKind::Snapshot as usize] = "snapshot";
    names[MessageKind::Propose as usize] = "propose";
    names[MessageKind::TransferLeader as usize] = "transfer-leader";
    names[MessageKind::TimeoutNow as usize] = "timeout-now";
    names[MessageKind::ReadIndex as usize] = "read-index";
    names[MessageKind::ReadIndexResponse as usize] = "read-index-response";
    names[MessageKind::Other as usize] = "other";
    names
};

/// The numbers of failpoints begin at 1.
const POINTS: &[&str] = &{
    let mut names = [""; Failpoint::ALL.len() + 1];
    let mut at = 0;
    while at < Failpoint::ALL.len() {
        names[Failpoint::ALL[at].number() as usize] = Failpoint::ALL[at].name();
        at += 1;
    }
    names
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_at_the_place_of_its_number() {
        for point in Failpoint::ALL {
            let number = u16::from(*point);
            assert_eq!(POINTS[usize::from(number)], point.name());
            assert_eq!(Failpoint::try_from(number), Ok(*point));
        }
        assert_eq!(MESSAGES.iter().filter(|name| !name.is_empty()).count(), 15);
        assert_eq!(MESSAGES[MessageKind::ReadIndex as usize], "read-index");
    }
}
