//! The documentation and the schema are up to date. `UPDATE_DOCS=1 cargo test -p etcdsim-plan` updates them.

use std::path::Path;

fn keep_up_to_date(name: &str, make: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let made = make(&text);
    if text == made {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, made).unwrap();
        return;
    }
    panic!("docs/{name} is out of date: run `UPDATE_DOCS=1 cargo test -p etcdsim-plan`");
}

#[test]
fn the_tables_of_the_documentation_are_up_to_date() {
    keep_up_to_date("scenarios.md", etcdsim_plan::document);
    keep_up_to_date("faults.md", etcdsim_plan::document);
}

#[test]
fn the_schema_is_up_to_date() {
    keep_up_to_date("scenario.schema.json", |_| {
        serde_json::to_string_pretty(&etcdsim_plan::schema()).unwrap() + "\n"
    });
}

#[test]
fn the_examples_of_the_documentation_are_good_files() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios.md"))
        .unwrap();
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 2);
    for block in blocks {
        let title = if block.contains("title = ") { "" } else { "title = \"example\"\n" };
        // Only plans have noise, and only they have a seed.
        let seed = if block.contains("[[noise]]") { "seed = 1\n" } else { "" };
        if let Err(errors) = etcdsim_plan::Source::parse("example", &format!("{title}{seed}{block}")) {
            panic!("{errors:?}");
        }
    }
}
