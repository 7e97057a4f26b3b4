//! One of this crate's workloads, for a scenario that is built in code.

use std::fmt;
use std::time::Duration;

use schedule::choice::Value;
use schedule::write::{print, quote};
use schedule::{Open, toml};

use super::WORKLOAD;
use crate::{NAMES, Spread};

/// One of the workloads of this crate, for a scenario that is built in code. `docs/scenarios.md` lists them
/// with their fields.
///
/// ```
/// use std::time::Duration;
/// use etcdsim_plan::{NamedWorkload, ProcessFault, Scenario, ScenarioFault, Target};
///
/// let scenario = Scenario::builder("The leader is killed now and then")
///     .members(3)
///     .workload(NamedWorkload::new("register").clients(4).rate(50))
///     .fault(
///         ScenarioFault::new(ProcessFault::Crash)
///             .on(Target::Leader)
///             .every(Duration::from_secs(2)..=Duration::from_secs(5))
///             .lasting(Duration::from_millis(500)),
///     )
///     .chaos(Duration::from_secs(20))
///     .build()?;
/// assert_eq!(scenario.expand(1), scenario.expand(1));
/// # Ok::<(), etcdsim_plan::ScenarioErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct NamedWorkload {
    /// Fields of `[workload]`, with their values as TOML text.
    fields: Vec<(String, String)>,
    /// Kinds of operations, with their weights.
    mix: Vec<(String, u32)>,
}

impl NamedWorkload {
    /// The workload of this name, such as `mixed`, `register` or `kubernetes`.
    pub fn new(name: &str) -> NamedWorkload {
        NamedWorkload { fields: vec![("name".into(), quote(name))], mix: Vec::new() }
    }

    /// How many clients. Left out: 5.
    #[must_use]
    pub fn clients(self, clients: impl Into<Open<u32>>) -> NamedWorkload {
        self.set("clients", &toml(&clients.into()))
    }

    /// Operations a second of all clients together. Left out: 20.
    #[must_use]
    pub fn rate(self, a_second: u32) -> NamedWorkload {
        self.set("rate", &quote(&format!("{a_second}/s")))
    }

    /// Every client sends this many operations, each as soon as the one before is answered.
    #[must_use]
    pub fn unthrottled(self, operations: impl Into<Open<u64>>) -> NamedWorkload {
        self.set("rate", "\"unthrottled\"").set("operations", &toml(&operations.into()))
    }

    /// How many keys; few keys cause conflicts. Left out: 5.
    #[must_use]
    pub fn keys(self, keys: impl Into<Open<u32>>) -> NamedWorkload {
        self.set("keys", &toml(&keys.into()))
    }

    /// Length of a value in bytes, drawn for each.
    #[must_use]
    pub fn value_bytes(self, bytes: Spread) -> NamedWorkload {
        let key = WORKLOAD.iter().find(|field| field.key.name == "value-bytes");
        let form = key.expect("the workload's table has the length of values").key.form;
        self.set("value-bytes", &print(NAMES, form, &Value::Spread(bytes)))
    }

    /// How long a client waits for an answer, drawn for each. Left out: 2 s.
    #[must_use]
    pub fn timeout(self, timeout: impl Into<Open<Duration>>) -> NamedWorkload {
        self.set("timeout", &toml(&timeout.into()))
    }

    /// The weight of a kind of operation in the workload `mixed`. As soon as one kind is named, the others
    /// are left out.
    #[must_use]
    pub fn mix(mut self, operation: &str, weight: u32) -> NamedWorkload {
        self.mix.push((operation.to_string(), weight));
        self
    }

    /// Any field of `[workload]`, with its value as in a file: `.set("endpoints", r#""one""#)`.
    #[must_use]
    pub fn set(mut self, field: &str, toml: &str) -> NamedWorkload {
        self.fields.retain(|(name, _)| name != field);
        self.fields.push((field.to_string(), toml.to_string()));
        self
    }
}

/// Prints as the sections `[workload]` and `[workload.mix]` of a file.
impl fmt::Display for NamedWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[workload]")?;
        for (name, value) in &self.fields {
            writeln!(f, "{name} = {value}")?;
        }
        if !self.mix.is_empty() {
            writeln!(f, "\n[workload.mix]")?;
        }
        for (name, weight) in &self.mix {
            writeln!(f, "{name} = {weight}")?;
        }
        Ok(())
    }
}
