//! Renames what is left: clients and faults are numbered without gaps, keys are a, b, c, values v1, v2, v3.

use std::collections::BTreeMap;

use plan::{FaultKind, NetworkFault, Plan, PlannedOperation, Target};

use super::draws::SEEDS;
use crate::shrink::trial::Trial;

pub(super) fn names(trial: &mut Trial<'_>) {
    for client in (0..trial.best().clients.len()).rev() {
        // This changes the draws of the clients after it, so the failure may need another seed.
        trial.first(1 + SEEDS, &|plan, nth| {
            let mut plan = without_client(plan, client)?;
            plan.seed = plan.seed.wrapping_add(nth as u64);
            Some(plan)
        });
    }
    let mut numbered = trial.best().clone();
    for (fault, id) in numbered.faults.iter_mut().zip(1..) {
        fault.id = id;
    }
    trial.accepts(numbered);
    for rename in [keys as fn(&Plan) -> BTreeMap<String, String>, values] {
        let names = rename(trial.best());
        if let Some(candidate) = renamed(trial.best(), &names) {
            trial.accepts(candidate);
        }
    }
}

/// The plan without a client that does nothing. `None` if it does something, or lends another its memory.
fn without_client(plan: &Plan, gone: usize) -> Option<Plan> {
    let mut plan = plan.clone();
    let number = gone as u32;
    let idle = plan.clients.remove(gone).operations.is_empty();
    let after = |client: u32| client - u32::from(client > number);
    for client in &mut plan.clients {
        if client.part_of == Some(number) {
            return None;
        }
        client.part_of = client.part_of.map(after);
    }
    let renumber = |target: &mut Target| {
        if let Target::Clients(clients) = target {
            clients.retain(|client| *client != number);
            clients.iter_mut().for_each(|client| *client = after(*client));
        }
    };
    for fault in &mut plan.faults {
        renumber(&mut fault.target);
        match &mut fault.kind {
            FaultKind::Network(
                NetworkFault::Link { to, .. } | NetworkFault::Cut { to, .. } | NetworkFault::Clog { to },
            ) => renumber(to),
            FaultKind::Network(NetworkFault::Rule(rule)) => renumber(&mut rule.to),
            _ => {}
        }
    }
    idle.then_some(plan)
}

/// Words before a key.
const BEFORE_KEYS: &[&str] = &[
    "put",
    "get",
    "delete",
    "watch",
    "follow",
    "list",
    "view",
    "create",
    "update",
    "remove",
    "add",
    "lock",
    "unlock",
    "campaign",
    "proclaim",
    "resign",
    "fenced",
    "compactor",
    "mod",
    "version",
    "value",
];

/// New names for the keys, in the order of the keys, so that a range has the same keys as before.
fn keys(plan: &Plan) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for operation in plan.clients.iter().flat_map(|client| &client.operations) {
        let text = operation.to_string();
        let words = words(&text);
        for (nth, word) in words.iter().enumerate() {
            let follows = |gap: usize| nth.checked_sub(gap).map_or("", |before| words[before]);
            if BEFORE_KEYS.contains(&follows(2)) && follows(1).starts_with(' ') && is_word(word) {
                found.insert((*word).to_string(), String::new());
                // The end of a range.
                if words.get(nth + 1).is_some_and(|between| *between == "..")
                    && let Some(end) = words.get(nth + 2).filter(|word| is_word(word))
                {
                    found.insert((*end).to_string(), String::new());
                }
            }
        }
    }
    let letters = ('a'..='z').map(String::from);
    found.into_keys().zip(letters).collect()
}

/// New names for the values that a workload made, such as `c2o17`, in the order in which they occur.
fn values(plan: &Plan) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for operation in plan.clients.iter().flat_map(|client| &client.operations) {
        for word in words(&operation.to_string()) {
            let made =
                word.strip_prefix('c').and_then(|rest| rest.split_once('o')).is_some_and(|(client, rest)| {
                    let digits =
                        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                    digits(client) && rest.split('-').all(digits)
                });
            if made && !names.contains_key(word) {
                names.insert(word.to_string(), format!("v{}", names.len() + 1));
            }
        }
    }
    names
}

/// The plan with these words of its operations replaced. `None` if an operation cannot be read then.
fn renamed(plan: &Plan, names: &BTreeMap<String, String>) -> Option<Plan> {
    let mut plan = plan.clone();
    for operation in plan.clients.iter_mut().flat_map(|client| &mut client.operations) {
        let text = operation.to_string();
        let replaced: String =
            words(&text).into_iter().map(|word| names.get(word).map_or(word, String::as_str)).collect();
        *operation = replaced.parse::<PlannedOperation>().ok()?;
    }
    Some(plan)
}

/// Whether it is a word and not what stands between words.
fn is_word(text: &str) -> bool {
    text.starts_with(in_word)
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | ':')
}

/// A text as words and what stands between them, in order; together they are the text.
fn words(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = in_word(first);
        let end = rest.find(|c| in_word(c) != kind).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        all.push(word);
        rest = after;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::Client;

    #[test]
    fn keys_keep_their_order_and_values_get_short() {
        let lines =
            ["1s put k7 c2o17*40", "2s get k1..k7", "3s txn if [mod k3 = 4] then [put k3 c1o5] else []"];
        let operations = lines.iter().map(|line| line.parse().unwrap()).collect();
        let plan = Plan { clients: vec![Client { operations, ..Client::default() }], ..Plan::default() };
        let names = [keys(&plan), values(&plan)].into_iter().flatten().collect();
        let plan = renamed(&plan, &names).unwrap();
        let lines: Vec<String> = plan.clients[0].operations.iter().map(PlannedOperation::to_string).collect();
        assert_eq!(lines, ["1s put c v1*40", "2s get a..c", "3s txn if [mod b = 4] then [put b v2] else []"]);
    }
}
