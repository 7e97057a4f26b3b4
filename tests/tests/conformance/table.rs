//! The table of intended differences, `tests/data/divergences.toml`.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::recording::Answer;

/// All rows.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(default)]
    divergence: Vec<Row>,
}

/// One intended difference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    rpc: String,
    /// Fields that the request must have, and their values.
    #[serde(default)]
    request: Map<String, Value>,
    ours: String,
    etcds: String,
    reason: String,
}

impl Table {
    /// The table of the repository.
    pub fn load() -> Table {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/divergences.toml");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Table::parse(&text)
    }

    fn parse(text: &str) -> Table {
        let table: Table = toml::from_str(text).unwrap_or_else(|error| panic!("divergences.toml: {error}"));
        let ids: BTreeSet<&str> = table.divergence.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids.len(), table.divergence.len(), "two rows of divergences.toml have the same id");
        for row in &table.divergence {
            assert!(!row.reason.is_empty(), "the row {} of divergences.toml gives no reason", row.id);
        }
        table
    }

    /// The row that explains this difference.
    pub fn explains(&self, rpc: &str, request: &Value, ours: &Answer, etcds: &Answer) -> Option<&str> {
        let row = self.divergence.iter().find(|row| {
            row.rpc == rpc
                && row.request.iter().all(|(field, value)| request.get(field) == Some(value))
                && (row.ours.as_str(), row.etcds.as_str()) == (said(ours), said(etcds))
        });
        row.map(|row| row.id.as_str())
    }

    /// The rows that are not in `needed`.
    pub fn unneeded(&self, needed: &BTreeSet<&str>) -> Vec<&str> {
        self.divergence.iter().map(|row| row.id.as_str()).filter(|id| !needed.contains(id)).collect()
    }
}

fn said(answer: &Answer) -> &str {
    match answer {
        Ok(_) => "an answer",
        Err((_, text)) => text,
    }
}

pub fn a_row_means_one_kind_of_request_and_one_difference() {
    let table = Table::parse(
        "[[divergence]]\nid = 'sorts'\nrpc = 'Range'\nrequest = { sort_target = 'MOD' }\nours = 'no'\n\
         etcds = 'an answer'\nreason = 'for the test'\n",
    );
    let no: Answer = Err((3, "no".into()));
    let yes: Answer = Ok(api::Response::Range(Default::default()));
    let request = |target: &str| serde_json::json!({"key": "YQ==", "sort_target": target});
    assert_eq!(table.explains("Range", &request("MOD"), &no, &yes), Some("sorts"));
    assert_eq!(table.explains("Range", &request("KEY"), &no, &yes), None);
    assert_eq!(table.explains("Put", &request("MOD"), &no, &yes), None);
    assert_eq!(table.explains("Range", &request("MOD"), &yes, &no), None);
    assert_eq!(table.unneeded(&BTreeSet::new()), ["sorts"]);
    assert_eq!(table.unneeded(&BTreeSet::from(["sorts"])), Vec::<&str>::new());
}
