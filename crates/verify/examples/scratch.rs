use etcdsim_verify::*;
use std::time::Instant;
fn main() {
    for file in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&file).unwrap();
        let t = Instant::now();
        let found = history_file::HistoryFile::read(&file, &text).unwrap_or_else(|e| panic!("{e}"));
        println!("{file}: read {} ops in {:?}", found.history.operations.len(), t.elapsed());
        let (record, expect) = found.into_record();
        let t = Instant::now();
        let verdict = judge(&record, &expect);
        println!("judged in {:?}", t.elapsed());
        for c in &verdict.checks { println!("  {} {}: {}", c.oracle, c.what, c.count); }
        for u in &verdict.undecided { println!("undecided: {u}"); }
        for v in verdict.violations.iter().take(12) {
            println!("{} {:?} {} ({} total)", v.oracle, v.severity, v.title, verdict.violations.len());
            for s in &v.sentences { println!("    {s}"); }
            for o in &v.operations { println!("      {o}: {}", describe::operation(&record.history.operations[*o])); }
        }
    }
}
