//! Tests that a verdict says what it covers: an oracle that could not judge something reports that.

use api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use api::v3lockpb::{UnlockRequest, UnlockResponse};
use etcdsim_verify::history_file::HistoryFile;
use etcdsim_verify::{Missing, Oracle, Verdict, judge};

use super::build::*;
use super::evidence::{grant, granted, header};

/// The verdict on a history of `tests/data`.
fn judged(file: &str) -> Verdict {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the file is there");
    let (record, expectations) = HistoryFile::read(file, &text).expect("it is a history").into_record();
    judge(&record, &expectations)
}

/// Violations as oracle and title.
fn violations(verdict: &Verdict) -> Vec<(Oracle, &str)> {
    verdict.violations.iter().map(|one| (one.oracle, &one.title[..])).collect()
}

#[test]
fn reported_histories_have_the_right_verdict() {
    assert_eq!(
        violations(&judged("F7-lock2.jsonl")),
        [(Oracle::M1, "a lock was given while it was still held")]
    );
    let verdict = judged("F7-ser-back.jsonl");
    assert!(verdict.violations.is_empty(), "{verdict:#?}");
    assert!(verdict.undecided[0].contains("went back (K2)"), "{verdict:#?}");
    assert_eq!(
        violations(&judged("watch-leak.jsonl")),
        [(Oracle::K1, "a watcher was created for keys that its user may not read")]
    );
}

#[test]
fn a_read_that_goes_back_is_undecided_without_the_starts() {
    let story = |second: i64| {
        let (one, two) = (kv("a", "1", 2, 2, 1), kv("a", "2", 2, 3, 2));
        let state = |revision| found(revision, &[if revision == 2 { one.clone() } else { two.clone() }]);
        Story::default()
            .ok(1, put("a", "1"), (1, 2), done(2))
            .ok(1, put("a", "2"), (3, 4), done(3))
            .ok(2, serializable("a"), (5, 6), state(3))
            .ok(2, serializable("a"), (9, 10), state(second))
    };
    // If nothing goes back, no restart is needed to excuse it.
    story(3).holds(Oracle::K2);
    let verdict = story(2).verdict();
    assert!(verdict.violations.is_empty() && verdict.undecided.len() == 1, "{verdict:#?}");
    story(2).by(3).holds(Oracle::K2);
    story(2).starts(&[]).breaks(Oracle::K2, "went back");
}

#[test]
fn an_oracle_that_looked_at_nothing_says_so() {
    let said = |story: Story, oracle, missing| {
        let verdict = story.verdict();
        let found = verdict.not_judged.iter().any(|one| (one.oracle, one.missing) == (oracle, missing));
        assert!(found, "{oracle} says nothing: {verdict:#?}");
    };
    let write = || Story::default().ok(1, put("a", "1"), (1, 2), done(2));
    said(write(), Oracle::K4, Missing::QuietRead);
    said(write(), Oracle::K4, Missing::AppliedEntries);
    let kept = LeaseKeepAliveResponse { header: header(1), id: 7, ttl: 10 };
    let lease = Story::default().ok(1, grant(7, 10), (1, 2), granted(7, 10));
    said(lease, Oracle::L2, Missing::Run);
    let back = UnlockResponse { header: header(2) };
    let unlock = UnlockRequest { key: "l/1".into() };
    said(Story::default().ok(1, unlock.into(), (1, 2), back.into()), Oracle::M1, Missing::AppliedEntries);
    let stream = Stream::default().at(1).create(from("a", "", 0)).created(0, 1);
    said(Story::default().watch(stream), Oracle::W11, Missing::Run);
    // A keep-alive is looked at, or it is said that it is not.
    let story = Story::default().ok(1, LeaseKeepAliveRequest { id: 7 }.into(), (3, 4), kept.into());
    let verdict = story.verdict();
    let looked = verdict.count(Oracle::L3) > 0 || !verdict.violations.is_empty();
    assert!(looked || verdict.not_judged.iter().any(|one| one.oracle == Oracle::L3), "{verdict:#?}");
    // With a read of everything at the end, K4 judges the write.
    let quiet = found(2, &[kv("a", "1", 2, 2, 1)]);
    let story = write().ok(1, everything(), (3, 4), quiet);
    assert!(story.verdict().not_judged.iter().all(|one| one.missing != Missing::QuietRead));
}

#[test]
fn a_read_of_a_value_whose_write_failed_says_so() {
    let story = |error| {
        Story::default().error(1, put("a", "1"), (1, 2), error).ok(
            2,
            get("a"),
            (3, 4),
            found(2, &[kv("a", "1", 2, 2, 1)]),
        )
    };
    let violation = story(api::Error::TooManyRequests).breaks(Oracle::K1, "nobody made revision 2");
    let said = violation.sentences.last().expect("a sentence");
    assert!(said.contains("was reported as failed (\"etcdserver: too many requests\")"), "{said}");
    assert_eq!(violation.operations, [1, 0]);
    // After this error it may have taken effect.
    story(api::Error::Timeout).holds(Oracle::K1);
}
