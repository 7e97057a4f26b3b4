//! Input that makes no sense: an error or a verdict, never a panic and never memory without bound.

use revision::{
    Answer, Change, Compare, Evidence, History, Invalid, Keys, Operation, Range, Reason, Relation, Response,
    Seen, Step, Target, Transaction, UNKNOWN, Verdict, Wide, Witness, check, validate,
};

fn reason(history: &History, evidence: &Evidence) -> Reason {
    match check(history, evidence) {
        Verdict::Violation(violation) => {
            assert_eq!(violation.explain(history).len(), violation.operations.len());
            violation.reason
        }
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn what_cannot_be_judged() {
    let mut history = History::new(1);
    assert_eq!(history.try_push(Operation::put(1, 1).during(2, 1)), Err(Invalid::Times));
    let key = u32::MAX;
    assert_eq!(history.try_push(Operation::put(key, 1)), Err(Invalid::Key { key }));
    let put = Step::Put { key, value: Some(1) };
    assert_eq!(history.push_wide(Wide::step(put.clone(), None)), Err(Invalid::Key { key }));
    assert_eq!(history.push_wide(Wide::step(put, None).serializable()), Err(Invalid::Kind));
    let range = Step::Range(Range::new(Keys::all()));
    let misfit = Wide::step(range, Some(Answer::Put(None))).at(2).during(1, 2);
    assert_eq!(history.push_wide(misfit), Err(Invalid::Answers));
    assert!(history.operations().is_empty());
    assert!(!Invalid::Answers.to_string().is_empty());
}

#[test]
fn revisions_beyond_all_bounds() {
    for base in [0, 1, u32::MAX] {
        let mut history = History::new(base);
        history.push(Operation::get(0, Seen::ABSENT).at(base).during(1, 2));
        assert!(matches!(check(&history, &Evidence::default()), Verdict::Linearizable(_)));
        if base == u32::MAX {
            continue;
        }
        history.push(Operation::put(0, 1).at(u32::MAX).during(3, 4));
        assert_eq!(reason(&history, &Evidence::default()), Reason::OutOfRange { revision: u32::MAX });
    }
    let mut history = History::new(1);
    history.push(Operation::get(0, Seen::ABSENT).at(0).during(1, 2));
    assert_eq!(reason(&history, &Evidence::default()), Reason::OutOfRange { revision: 0 });
}

#[test]
fn evidence_beyond_all_bounds() {
    let mut history = History::new(1);
    history.push(Operation::put(0, 1).at(2).during(1, 2));
    history.push(Operation::put(0, 2).during(3, UNKNOWN));
    let late = Evidence::from([Change::put(u32::MAX, 0, 2)]);
    assert_eq!(reason(&history, &late), Reason::OutOfRange { revision: u32::MAX });
    let far = Evidence::from([Change::put(3, u32::MAX, 2)]);
    assert_eq!(reason(&history, &far), Reason::Phantom { revision: 3 });
    let other = Evidence::from([Change::put(2, u32::MAX, 2)]);
    assert_eq!(reason(&history, &other), Reason::Evidence { revision: 2 });
    let twofold = Evidence::from([Change::put(3, 0, 2), Change::delete(3, 0)]);
    assert_eq!(reason(&history, &twofold), Reason::Phantom { revision: 3 });
    let mine = Evidence::from([Change::put(2, 0, 1)]).by_nobody([2]);
    assert_eq!(reason(&history, &mine), Reason::Nobodys { revision: 2 });
}

#[test]
fn a_read_of_the_future() {
    let mut history = History::new(1);
    let future = Range { at: Some(u32::MAX), ..Range::new(Keys::range(7, 3)) };
    let answer = Answer::Range { pairs: vec![], complete: true, count: Some(0), more: Some(false) };
    history.push_wide(Wide::step(Step::Range(future), Some(answer)).at(1).during(1, 2)).expect("it fits");
    assert_eq!(reason(&history, &Evidence::default()), Reason::Refused { revision: 1 });
}

#[test]
fn keys_that_nobody_wrote() {
    let mut history = History::new(1);
    let last = Keys::one(u32::MAX);
    let compares = vec![Compare { keys: last, target: Target::Version(0), relation: Relation::Equal }];
    let success = vec![Step::Range(Range::new(last)), Step::Delete(last), Step::Delete(Keys::all())];
    let range = Answer::Range { pairs: vec![], complete: true, count: Some(0), more: Some(false) };
    let delete = Answer::Delete { deleted: 0, previous: Some(vec![]) };
    let response = Response { succeeded: true, answers: vec![range, delete.clone(), delete] };
    let request = Transaction { compares, success, failure: vec![] };
    let wide = Wide::transaction(request, Some(response)).at(1).during(1, 2);
    history.push_wide(wide.clone()).expect("it fits");
    history.push_wide(wide.during(1, UNKNOWN)).expect("it fits");
    let verdict = check(&history, &Evidence::default());
    assert!(matches!(verdict, Verdict::Linearizable(_)), "{verdict:?}");
}

#[test]
fn a_lease_that_ends() {
    let mut history = History::new(1);
    history.push(Operation::put(0, 1).at(2).during(1, 2));
    history.push(Operation::put(1, 2).at(3).during(3, 4));
    history.push(Operation::get(1, Seen::ABSENT).at(4).during(5, 6));
    let changes = [Change::put(2, 0, 1), Change::put(3, 1, 2), Change::delete(4, 0), Change::delete(4, 1)];
    let evidence = Evidence::from(changes);
    assert_eq!(reason(&history, &evidence), Reason::Phantom { revision: 4 });
    let verdict = check(&history, &evidence.clone().by_nobody([4]));
    assert!(matches!(verdict, Verdict::Linearizable(_)), "{verdict:?}");
    // Or somebody asked for it, and never heard of it.
    history.push_wide(Wide::step(Step::Delete(Keys::all()), None).during(5, UNKNOWN)).expect("it fits");
    let verdict = check(&history, &evidence);
    let Verdict::Linearizable(witness) = verdict else { panic!("{verdict:?}") };
    assert_eq!(witness.made, [(4, 3)]);
}

#[test]
fn a_put_that_changed_nothing() {
    let mut history = History::new(1);
    history.push(Operation { changed: false, ..Operation::put(0, 1) }.at(1).during(1, 2));
    let holds = Seen::ABSENT;
    assert_eq!(reason(&history, &Evidence::default()), Reason::Condition { revision: 1, holds });
}

#[test]
fn an_order_that_leaves_out_what_was_shown_is_refused() {
    let mut history = History::new(1);
    history.push(Operation::update(0, 5, 1, None).during(1, UNKNOWN));
    let evidence = Evidence::from([Change::put(2, 0, 1)]);
    assert!(matches!(check(&history, &evidence), Verdict::Violation(_)));
    assert!(validate::order(&history, &evidence, &Witness::default()).is_err());
}

#[test]
fn an_order_in_which_somebody_makes_what_is_nobodys_is_refused() {
    let mut history = History::new(1);
    history.push(Operation::put(0, 1).at(2).during(1, 3));
    let evidence = Evidence::from([Change::put(2, 0, 1)]).by_nobody([2]);
    assert_eq!(reason(&history, &evidence), Reason::Nobodys { revision: 2 });
    assert!(validate::order(&history, &evidence, &Witness::default()).is_err());
}
