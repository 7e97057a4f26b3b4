//! Plans of a node that is no etcd: a register. They are written, read, expanded from a scenario, checked and made
//! shorter, with settings, a task, a section, names and a swarm of their own.

use std::sync::LazyLock;

use etcdsim_schedule as schedule;
use schedule::field::{Field, Form, Key, Names, count, keys};
use schedule::kinds::{Alone, Lasts, Whom};
use schedule::words::{BadWords, bad};
use schedule::{
    Checked, Client, ClientPart, FaultKind, Given, Mistake, NoTask, Operation, OwnSection, OwnSections,
    OwnSwarm, Part, Planned, ProcessFault, ScenarioErrors, TakesWorkload, Target, Trigger, WorkloadContext,
    family, fields, turns,
};
use trace::{FaultEffect, MemberId, Nanos};

#[derive(Clone, Debug, PartialEq)]
enum Ask {
    Read,
    Write(u64),
}

impl Operation for Ask {
    fn print(&self) -> String {
        match self {
            Ask::Read => "read".into(),
            Ask::Write(value) => format!("write {value}"),
        }
    }

    fn parse(text: &str) -> Result<Ask, BadWords> {
        let write = || text.strip_prefix("write ")?.trim().parse().ok().map(Ask::Write);
        let ask = if text == "read" { Some(Ask::Read) } else { write() };
        ask.ok_or_else(|| bad(format!("{text:?} is not an operation"), "write `read` or `write 5`"))
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Settings {
    early_ack: bool,
}

family! {
    /// What the register's operators do.
    Task: Upkeep {
        "An operator adds a replica."
        Grow { by: u32 } => {
            number: 100,
            name: "grow",
            whom: Whom::Nobody,
            lasts: Lasts::Instant,
            alone: Alone::No,
            members: 1,
            effect: FaultEffect::NONE,
            source: "Our own.",
            fields: schedule::of! {
                "by" count(1, 3) => Upkeep::Grow { by } => *by, "By how many. Left out: 1.";
            },
            new: |_| Upkeep::Grow { by: 1 },
        }
    }
}

struct Register;

/// The section `[load]`.
struct Load {
    clients: u32,
}

static LOAD: &[Field<Load>] = &fields! {
    "clients" count(0, 10) => clients, "How many clients.";
};

impl Part for Register {
    type Settings = Settings;
    type Client = Client<Ask>;
    type Task = Upkeep;

    const NAMES: Names =
        Names { messages: &["ask", "", "store"], points: &["", "before-save"], usual_point: 1 };
    const SECTIONS: &'static [OwnSection] = &[OwnSection {
        path: "load",
        about: "What the clients do.",
        keys: || keys(LOAD).collect(),
        inner: &[],
    }];

    fn settings() -> &'static [Field<Settings>] {
        static FIELDS: &[Field<Settings>] = &fields! {
            "early-ack" Form::Switch => early_ack, "Whether it answers before it has saved.";
        };
        FIELDS
    }

    fn client() -> &'static [Field<Client<Ask>>] {
        Client::FIELDS
    }

    fn swarm() -> Option<&'static OwnSwarm<Register>> {
        static SWARM: LazyLock<OwnSwarm<Register>> = LazyLock::new(|| {
            OwnSwarm::new(
                "title = 'all'\n[cluster]\nmembers = 5\n[load]\nclients = 2\n[[fault]]\nkind = \"grow\"\nat = '1s'\n",
            )
        });
        Some(&SWARM)
    }

    fn restart_delay(_: &Settings) -> Nanos {
        1_000_000_000
    }

    fn how_many_clients(own: &OwnSections) -> (i128, i128) {
        own.find("load").map_or((0, 0), |load| load.bounds("clients", 1, 10))
    }

    fn check(given: &Checked<'_>, mistakes: &mut Vec<Mistake>) {
        let clients = given.written.find("load").and_then(|load| load.find("clients"));
        if let Some(clients) = clients.filter(|clients| clients.choice.bounds().1 == 0) {
            mistakes.push(Mistake::at(clients.span.clone(), "nobody asks", "no client"));
        }
    }

    fn clients(given: &Given<'_>) -> Vec<Client<Ask>> {
        let Some(section) = given.section("load") else { return Vec::new() };
        let dice = given.dice().part("load");
        let mut load = Load { clients: 1 };
        section.draw(LOAD, dice, given.context(), &mut load);
        let client = |number: u32| {
            let mut client = Client::new(
                MemberId::first(given.members).collect(),
                given.clock_rate(dice.nth(number.into())),
            );
            let turns = turns(dice, given.load, number, 1_000_000_000);
            client.operations =
                turns.map(|turn| Planned { at: turn.at, what: Ask::Write(turn.draw.below(10)) }).collect();
            client
        };
        (0..load.clients).map(client).collect()
    }
}

impl TakesWorkload<Vec<Ask>> for Register {
    fn clients_of(workload: &Vec<Ask>, context: &WorkloadContext<Register>) -> Vec<Client<Ask>> {
        let mut client = context.client(0);
        client.operations = workload.iter().map(|what| Planned { at: 0, what: what.clone() }).collect();
        vec![client]
    }
}

type Plan = schedule::Plan<Register>;
type Scenario = schedule::Scenario<Register>;

const FILE: &str = r#"
title = "A register"
[cluster]
early-ack = true
[load]
clients = 2
[[client]]
operations = ["1s write 7", "2s read"]
[[fault]]
kind = "grow"
by = { any = [2, 3] }
at = "3s"
[[fault]]
kind = "failpoint"
target = "member 2"
every = "2s..3s"
[[fault]]
kind = "rule"
message = "store"
target = "leader"
at = "1s"
[run]
chaos = "10s"
"#;

fn mistakes<T>(read: Result<T, ScenarioErrors>) -> Vec<String> {
    let Err(errors) = read else { return Vec::new() };
    errors.mistakes().iter().map(|mistake| mistake.message.clone()).collect()
}

#[test]
fn a_scenario_expands_and_its_plan_reads_back() {
    let scenario = Scenario::parse("register", FILE).unwrap();
    for seed in 0..20 {
        let plan = scenario.expand(seed);
        assert_eq!(plan, scenario.expand(seed));
        assert_eq!(Plan::parse("plan", &plan.to_toml()).unwrap(), plan);
        assert!(plan.cluster.settings.early_ack);
        assert_eq!(plan.clients.len(), 3);
        assert_eq!(plan.clients[0].operations.len(), 10);
        assert_eq!(plan.clients[2].operations[0].what, Ask::Write(7));
        let grow = plan.faults.iter().find(|fault| fault.kind.name() == "grow").unwrap();
        assert!(matches!(grow.kind, FaultKind::Task(Upkeep::Grow { by: 2 | 3 })));
        let points = plan.faults.iter().filter(|fault| {
            matches!(fault.kind, FaultKind::Process(ProcessFault::Failpoint { point: 1, .. }))
        });
        assert!(points.count() >= 3);
        assert_eq!(plan.why_idle(), None);
    }
    assert_ne!(scenario.expand(1), scenario.expand(2));
}

#[test]
fn a_plan_is_text() {
    let mut plan = Plan { title: "One write".into(), seed: 5, ..Plan::default() };
    let mut client = Client::new(vec![MemberId::new(2)], 1_000_000);
    client.operations.push(Planned { at: 1_500_000_000, what: Ask::Write(3) });
    plan.clients.push(client);
    plan.faults.push(schedule::Fault {
        id: 4,
        when: Trigger::At(2_000_000_000),
        duration: None,
        target: Target::All,
        kind: FaultKind::Task(Upkeep::Grow { by: 2 }),
    });
    let text = plan.to_toml();
    assert!(text.contains("\n[cluster]\nmembers = 3\nearly-ack = false\n"), "{text}");
    let fault = "\n[[fault]]\nkind = \"grow\"\nid = 4\nat = \"2s\"\ntarget = \"all\"\nby = 2\n";
    assert!(text.contains(fault), "{text}");
    let client = "\n[[client]]\nendpoints = [2]\ntimeout = \"2s\"\nclock = \"100%\"\noperations = [\n    \"1.5s write 3\",\n]\n";
    assert!(text.ends_with(client), "{text}");
    assert_eq!(Plan::parse("plan", &text).unwrap(), plan);
    plan.noise = vec![schedule::Noise { from: 3_000_000_000, key: 7 }];
    for text in [plan.to_toml(), plan.to_short_toml()] {
        assert!(text.contains("\n[[noise]]\nfrom = \"3s\"\nkey = 7\n"), "{text}");
        assert_eq!(Plan::parse("plan", &text).unwrap(), plan);
    }
}

#[test]
fn a_plan_can_be_made_shorter() {
    let mut plan = Scenario::parse("register", FILE).unwrap().expand(3);
    plan.faults.retain(|fault| matches!(fault.kind, FaultKind::Task(_)));
    for client in &mut plan.clients {
        client.operations_mut().truncate(1);
    }
    plan.clients.remove(0);
    let read = Plan::parse("plan", &plan.to_toml()).unwrap();
    assert_eq!(read, plan);
    assert_eq!((read.faults.len(), read.clients.len()), (1, 2));
    plan.clients.iter_mut().for_each(|client| client.operations_mut().clear());
    assert_eq!(plan.why_idle(), Some("no client has an operation"));
}

#[test]
fn mistakes_have_their_positions() {
    let errors = Scenario::parse("register", "title = 't'\n[[client]]\noperations = ['1s read', '2s red']\n");
    let errors = errors.unwrap_err();
    assert_eq!(errors.mistakes()[0].message, "\"red\" is not an operation");
    assert_eq!(errors.place(&errors.mistakes()[0]), (3, 26));
    let read = |text: &str| mistakes(Scenario::parse("register", &format!("title = 't'\n{text}")));
    assert_eq!(read("[load]\nclients = 0\n"), ["nobody asks"]);
    assert_eq!(read("[workload]\n"), ["a scenario has no `workload`"]);
    assert_eq!(read("[cluster]\npre-vote = true\n"), ["[cluster] has no `pre-vote`"]);
    assert_eq!(read("[[fault]]\nkind = 'add-member'\nat = '1s'\n"), ["there is no fault \"add-member\""]);
    let rule = "[[fault]]\nkind = 'rule'\ntarget = 'leader'\nat = '1s'\nmessage = 'append'\n";
    assert_eq!(read(rule), ["`message` cannot be \"append\""]);
    assert_eq!(read("[[client]]\nendpoints = [9]\noperations = ['1s read']\n"), ["there is no member 9"]);
    let plan = "title = 't'\nseed = 1\n[load]\nclients = 1\n";
    assert_eq!(mistakes(Plan::parse("plan", plan)), ["a plan has no [load]"]);
    // A number without a name cannot be written.
    let mut plan = Plan { title: "t".into(), ..Plan::default() };
    let kind = ProcessFault::Failpoint { point: 9, skip: 0, does: schedule::PointAction::Crash }.into();
    let (when, target) = (Trigger::At(0), Target::All);
    plan.faults.push(schedule::Fault { id: 1, when, duration: None, target, kind });
    assert_eq!(mistakes(plan.validate()), ["`point` cannot be \"9\""]);
}

#[test]
fn the_swarm_adds_what_the_file_leaves_out() {
    let scenario =
        Scenario::parse("s", "title = 't'\n[cluster]\nmembers = 1\n[swarm]\ndensity = '100%'\n").unwrap();
    let plan = scenario.expand(1);
    assert_eq!((plan.cluster.members, plan.clients.len(), plan.faults.len()), (1, 2, 1));
}

#[test]
fn workloads_and_scenarios_are_built_in_code() {
    let built = Scenario::builder("Built")
        .settings(|settings| settings.early_ack = true)
        .workload("\n[load]\nclients = 1\n")
        .own_workload(vec![Ask::Read, Ask::Write(1)])
        .fault(schedule::ScenarioFault::new(Upkeep::Grow { by: 3 }).at(std::time::Duration::from_secs(1)))
        .build()
        .unwrap();
    let plan = built.expand(1);
    assert!(built.has_own_workloads() && plan.cluster.settings.early_ack);
    assert_eq!((plan.clients.len(), plan.clients[1].operations.len(), plan.faults.len()), (2, 2, 1));
}

impl From<Upkeep> for FaultKind<Upkeep> {
    fn from(task: Upkeep) -> FaultKind<Upkeep> {
        FaultKind::Task(task)
    }
}

/// A node that brings nothing but its clients.
struct Bare;

impl Part for Bare {
    type Settings = ();
    type Client = Client<Ask>;
    type Task = NoTask;

    fn settings() -> &'static [Field<()>] {
        &[]
    }

    fn client() -> &'static [Field<Client<Ask>>] {
        Client::FIELDS
    }

    fn restart_delay((): &()) -> Nanos {
        1_000_000_000
    }
}

#[test]
fn a_node_may_bring_nothing() {
    let read = |text: &str| schedule::Scenario::<Bare>::parse("bare", &format!("title = 't'\n{text}"));
    let crash =
        "[[client]]\noperations = ['1s read']\n[[fault]]\nkind = 'crash'\ntarget = 'random'\nat = '1s'\n";
    let plan = read(crash).unwrap().expand(1);
    assert_eq!(schedule::Plan::<Bare>::parse("plan", &plan.to_toml()).unwrap(), plan);
    assert_eq!(mistakes(read("swarm = true\n")), ["these nodes have no swarm"]);
    let point = "[[fault]]\nkind = 'failpoint'\ntarget = 'random'\nat = '1s'\n";
    assert_eq!(mistakes(read(point)), ["there is no fault \"failpoint\""]);
}

#[test]
fn the_documentation_and_the_schema_follow_from_the_tables() {
    let page = schedule::document::<Register>("<!-- made: cluster -->\n<!-- end -->");
    assert!(page.contains("| `early-ack` | `true`, `false` | `false` |"), "{page}");
    let tasks = schedule::document::<Register>("<!-- made: operator-faults -->\n<!-- end -->");
    assert!(tasks.contains("### `grow`") && tasks.contains("kind = \"grow\""), "{tasks}");
    let schema = schedule::schema::<Register>();
    assert!(schema["properties"]["load"]["properties"]["clients"].is_object());
    let kinds = schema["$defs"]["fault"]["properties"]["kind"]["enum"].as_array().unwrap();
    assert!(kinds.iter().any(|kind| kind == "grow") && !kinds.iter().any(|kind| kind == "add-member"));
    let keys: Vec<&Key> = keys(Client::<Ask>::FIELDS).collect();
    assert_eq!(keys.last().unwrap().name, "operations");
}
