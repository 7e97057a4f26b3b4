//! The whole tool on a small workspace whose mutants are known.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The toy workspace in a folder of its own, which is kept from run to run because building it takes a while.
struct Toy {
    root: PathBuf,
    work: PathBuf,
}

impl Toy {
    fn new(name: &str) -> Toy {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = folder.join("workspace");
        copy(&here.join("tests/toy"), &root);
        copy(&here.join("switch"), &root.join("switch"));
        let work = folder.join("work");
        for journal in ["journal.jsonl", "journal-1-of-2.jsonl", "journal-2-of-2.jsonl"] {
            let _ = fs::remove_file(work.join(journal));
        }
        Toy { root, work }
    }

    fn tool(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etcdsim-mutants"));
        command.args(words).arg("--workspace").arg(&self.root).arg("--work-dir").arg(&self.work);
        command.output().expect("the tool starts")
    }

    fn run(&self, words: &[&str]) -> Output {
        let usual = ["run", "toy", "--runner", "toy-runner", "--time-limit", "2", "--format", "json"];
        self.tool(&[&usual, words].concat())
    }

    /// The report of a call that must succeed.
    fn report(&self, output: &Output) -> Value {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("the report is JSON")
    }
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder of tests can be written");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let to = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("it can be copied");
        }
    }
}

/// The fate of the mutant of a function with this change; `None` if there is none.
fn fate<'r>(report: &'r Value, function: &str, change: &str) -> Option<&'r str> {
    let mutants = report["mutants"].as_array()?;
    let found = mutants.iter().find(|one| one["function"] == function && one["change"] == change)?;
    found["fate"].as_str()
}

#[test]
fn every_mutant_meets_its_fate() {
    let toy = Toy::new("fates");
    let first = toy.run(&["--seeds", "4"]);
    let report = toy.report(&first);
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    let expected = [
        ("Account::pay", "`self.balance -= amount` to `+=`", "caught"),
        ("Account::pay", "leave out `self.paid.push(amount)`", "lived"),
        ("Account::pay", "leave out `self.hint = amount`", "no-difference"),
        ("Account::save", "leave out `times -= 1`", "hung"),
        ("Account::last", "`0` to `1`", "panicked"),
        ("Account::is_rich", "`self.balance > 1_000_000` to `>=`", "no-difference"),
        ("Account::is_rich", "`self.balance > 1_000_000` to its opposite", "lived"),
        ("depth", "`n == 0` to `false`", "died"),
        ("refund", "`amount * 2` to `/`", "not-reached"),
        ("strange", "`name + label` to `-`", "does not compile"),
        ("strange", "leave out `label = \"even\"`", "does not compile"),
        ("strange", "leave out `return String::new()`", "does not compile"),
        ("strange", "`n & 1` to `|`", "lived"),
    ];
    for (function, change, expected) in expected {
        let fate = fate(&report, function, change).unwrap_or("does not compile");
        assert_eq!(fate, expected, "{function}: {change}\n{said}");
    }
    let caught = &report["by_oracle"];
    assert!(caught["SUM"].as_u64() > Some(0) && caught["P1"].as_u64() > Some(0), "{caught}");
    let unused = &report["by_file"]["src/unused.rs"];
    assert_eq!(unused["mutants"], unused["not_reached"], "{unused}");
    // The score again, from the parts.
    let total = |name: &str| report["total"][name].as_u64().unwrap_or(0) as f64;
    let caught = total("verdict") + total("panic") + total("hang") + total("died");
    let score = report["score"].as_f64().expect("there is a score");
    assert!((score - caught / (caught + total("lived"))).abs() < 1e-4, "{}", report["total"]);
    assert_eq!((total("broken"), report["complete"].as_bool()), (0.0, Some(true)));
    let survivors = report["survivors"].as_array().expect("there are survivors");
    assert!(survivors.iter().any(|survivor| survivor["code"] == "self.paid.push(amount);"));

    // An interruption loses nothing: half a journal and a torn line.
    let journal = toy.work.join("journal.jsonl");
    let whole = fs::read_to_string(&journal).expect("there is a journal");
    let lines: Vec<&str> = whole.lines().collect();
    let half = format!("{}\n{}", lines[..lines.len() / 2].join("\n"), &lines[lines.len() / 2][..20]);
    fs::write(&journal, &half).expect("the journal can be written");
    let refused = toy.run(&["--seeds", "4"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("Continue it with `--resume`"), "{said}");
    let other = toy.run(&["--seeds", "3", "--resume"]);
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(other.status.code() == Some(2) && said.contains("it is for other scenarios or seeds"), "{said}");
    let resumed = toy.report(&toy.run(&["--seeds", "4", "--resume"]));
    assert_eq!(resumed, report);

    // Two shards are one whole.
    for shard in ["1/2", "2/2"] {
        let part = toy.report(&toy.run(&["--seeds", "4", "--shard", shard]));
        let (some, all) = (part["total"]["mutants"].as_u64(), report["total"]["mutants"].as_u64());
        assert!(some < all && part["complete"] == true, "{some:?} of {all:?}");
    }
    let shards = ["journal-1-of-2.jsonl", "journal-2-of-2.jsonl"].map(|name| toy.work.join(name));
    let [one, two] = shards.each_ref().map(|path| path.to_str().expect("a path of a test is a text"));
    let both = toy.tool(&["report", "toy", "--format", "json", "--journal", one, "--journal", two]);
    assert_eq!(toy.report(&both)["mutants"], report["mutants"]);

    // As something that judges, it is caught only by its verdict, and what could have changed it lives.
    let verdicts = toy.report(&toy.run(&["--seeds", "4", "--compare", "verdict"]));
    let fates = [("`self.balance -= amount` to `+=`", "caught"), ("leave out `self.hint = amount`", "lived")];
    for (change, expected) in fates {
        assert_eq!(fate(&verdicts, "Account::pay", change), Some(expected), "{change}");
    }

    // A sample is a part of each larger one. The list takes a mutant out of the score.
    let sample = |count: &str| -> Vec<u64> {
        let _ = fs::remove_file(&journal);
        let report = toy.report(&toy.run(&["--seeds", "1", "--sample", count, "--sample-seed", "7"]));
        let mutants = report["mutants"].as_array().expect("mutants").iter();
        mutants.map(|one| one["number"].as_u64().expect("a number")).collect()
    };
    let (small, large) = (sample("5"), sample("9"));
    assert_eq!((small.len(), large.len()), (5, 9));
    assert!(small.iter().all(|number| large.contains(number)), "{small:?} {large:?}");

    let list = toy.work.join("list.toml");
    let entry = "package = 'toy'\n[[mutant]]\nfile = 'src/lib.rs'\nfunction = 'Account::pay'\n\
                 change = 'leave out `self.paid.push(amount)`'\nreason = 'no oracle looks at it'\n\
                 [[mutant]]\nfile = 'src/lib.rs'\nfunction = 'Account::pay'\nchange = 'something else'\nreason = 'x'\n";
    fs::write(&list, entry).expect("the list can be written");
    let list = list.to_str().expect("a path of a test is a text");
    let with = toy.report(&toy.run(&["--seeds", "4", "--list", list]));
    assert_eq!(with["total"]["listed"], 1);
    assert!(with["score"].as_f64() > report["score"].as_f64());
    assert_eq!(with["list"]["gone"][0]["change"], "something else");
}

#[test]
fn tests_are_jobs_too() {
    let toy = Toy::new("tests");
    let report = toy.report(&toy.tool(&["run", "toy", "--tests", "--time-limit", "2", "--format", "json"]));
    assert_eq!(report["jobs"], 2);
    let fate = |function, change| fate(&report, function, change);
    assert_eq!(fate("Account::pay", "`self.balance -= amount` to `+=`"), Some("caught"));
    assert_eq!(fate("Account::pay", "leave out `self.paid.push(amount)`"), Some("lived"));
    assert_eq!(fate("Account::save", "leave out `times -= 1`"), Some("not-reached"));
    assert_eq!(report["by_oracle"]["tests::depth_is_counted"].as_u64().map(|count| count > 0), Some(true));
}

#[test]
fn mistakes_say_what_to_do() {
    let toy = Toy::new("mistakes");
    let cases: [(&[&str], &str); 4] = [
        (&["list", "toys"], "there is no package `toys`"),
        (&["list", "toy", "--only", "src/nothing"], "there are no mutants in src/nothing"),
        (&["list", "toy-runner"], "has no library"),
        (&["run", "toy", "--shard", "3/2"], "write which part of how many"),
    ];
    for (words, expected) in cases {
        let output = toy.tool(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(expected), "{words:?}: {said}");
    }
    let list = toy.tool(&["list", "toy", "--only", "src/unused.rs"]);
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(text.contains("src/unused.rs:6\trefund\tarithmetic\t`amount * 2` to `/`"), "{text}");
}
