//! How often or how long each must was judged, and for which premises it was skipped; for people.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use record::MustCounts;

use super::numbers;

/// A table of the musts; nothing if they were off.
pub fn table(musts: &BTreeMap<String, MustCounts>) -> String {
    if musts.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["must", "judged", "for", "skipped, by the premise that did not hold"]);
    for (id, counts) in musts {
        let span = |nanos: u64| numbers::span(Duration::from_nanos(nanos));
        let times = counts.skipped.iter().map(|(name, count)| format!("{name} {}", numbers::count(*count)));
        let spans = counts.skipped_ns.iter().map(|(name, nanos)| format!("{name} {}", span(*nanos)));
        let judged = if counts.judged == 0 { String::new() } else { numbers::count(counts.judged) };
        let long = if counts.judged_ns == 0 { String::new() } else { span(counts.judged_ns) };
        table.add_row([id.clone(), judged, long, times.chain(spans).collect::<Vec<_>>().join(", ")]);
    }
    for column in 1..3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_must_says_how_long_it_was_judged_and_why_not() {
        let mut counts = MustCounts { judged: 3, judged_ns: 2_000_000_000, ..MustCounts::default() };
        counts.skipped.insert("health".to_string(), 4);
        let text = table(&BTreeMap::from([("B6".to_string(), counts)]));
        assert!(text.contains("B6") && text.contains("health 4"), "{text}");
        assert_eq!(table(&BTreeMap::new()), "");
    }
}
