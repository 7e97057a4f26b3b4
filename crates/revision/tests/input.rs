//! Input that makes no sense. It must lead to an error or a verdict, never to a panic or to unbounded use of memory.

use revision::{
    Answer, Change, Compare, Evidence, History, Invalid, Keys, Operation, Range, Reason, Relation, Reply,
    Response, Seen, Step, Stream, StreamError, Target, Transaction, UNKNOWN, Verdict, Violation, Wide,
    Witness, check, validate,
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
    let early = Invalid::ReturnBeforeCall { index: 0, call: 2, returned: 1 };
    assert_eq!(history.push(Operation::put(1, 1).during(2, 1)), Err(early));
    let key = u32::MAX;
    assert_eq!(history.push(Operation::put(key, 1)), Err(Invalid::KeyTooLarge { key }));
    let put = Step::Put { key, value: Some(1) };
    assert_eq!(history.push_wide(Wide::step(put.clone(), None)), Err(Invalid::KeyTooLarge { key }));
    assert_eq!(history.push_wide(Wide::step(put, None).serializable()), Err(Invalid::SerializableWrite));
    let range = Step::Range(Range::new(Keys::all()));
    let misfit = Wide::step(range, Some(Answer::Put(None))).at(2).during(1, 2);
    assert_eq!(history.push_wide(misfit), Err(Invalid::AnswersDoNotFit));
    assert!(history.operations().is_empty());
}

#[test]
fn a_stream_refuses_events_out_of_order() {
    let mut stream = Stream::new(1);
    let put = stream.call(5, Operation::put(0, 1)).expect("it is on one key");
    let late = Invalid::OutOfOrder { now: 5, time: 4 };
    assert_eq!(stream.until(4), Err(late));
    assert_eq!(stream.call(4, Operation::put(0, 1)).unwrap_err(), late);
    assert_eq!(stream.answer(put, 4, Reply::made(2)), Err(StreamError::Invalid(late)));
}

#[test]
fn a_violation_of_another_history_is_refused() {
    let violation = Violation { operations: vec![7], reason: Reason::OutOfRange { revision: 9 } };
    assert!(validate::violation(&History::new(1), &Evidence::default(), &violation).is_err());
    assert!(violation.explain(&History::new(1)).is_empty());
}

#[test]
fn revisions_beyond_all_bounds() {
    for base in [0, 1, u32::MAX] {
        let mut history = History::new(base);
        history.push(Operation::get(0, Seen::ABSENT).at(base).during(1, 2)).expect("it is valid");
        assert!(matches!(check(&history, &Evidence::default()), Verdict::Linearizable(_)));
        if base == u32::MAX {
            continue;
        }
        history.push(Operation::put(0, 1).at(u32::MAX).during(3, 4)).expect("it is valid");
        assert_eq!(reason(&history, &Evidence::default()), Reason::OutOfRange { revision: u32::MAX });
    }
    let mut history = History::new(1);
    history.push(Operation::get(0, Seen::ABSENT).at(0).during(1, 2)).expect("it is valid");
    assert_eq!(reason(&history, &Evidence::default()), Reason::OutOfRange { revision: 0 });
}

#[test]
fn evidence_beyond_all_bounds() {
    let mut history = History::new(1);
    history.push(Operation::put(0, 1).at(2).during(1, 2)).expect("it is valid");
    history.push(Operation::put(0, 2).during(3, UNKNOWN)).expect("it is valid");
    let late = Evidence::from([Change::put(u32::MAX, 0, 2)]);
    assert_eq!(reason(&history, &late), Reason::OutOfRange { revision: u32::MAX });
    let far = Evidence::from([Change::put(3, u32::MAX, 2)]);
    assert_eq!(reason(&history, &far), Reason::Phantom { revision: 3 });
    let other = Evidence::from([Change::put(2, u32::MAX, 2)]);
    assert_eq!(reason(&history, &other), Reason::Evidence { revision: 2 });
    let twofold = Evidence::from([Change::put(3, 0, 2), Change::delete(3, 0)]);
    assert_eq!(reason(&history, &twofold), Reason::Phantom { revision: 3 });
    let mine = Evidence::from([Change::put(2, 0, 1)]).made_by_store([2]);
    assert_eq!(reason(&history, &mine), Reason::MadeByStore { revision: 2 });
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
    history.push(Operation::put(0, 1).at(2).during(1, 2)).expect("it is valid");
    history.push(Operation::put(1, 2).at(3).during(3, 4)).expect("it is valid");
    history.push(Operation::get(1, Seen::ABSENT).at(4).during(5, 6)).expect("it is valid");
    let changes = [Change::put(2, 0, 1), Change::put(3, 1, 2), Change::delete(4, 0), Change::delete(4, 1)];
    let evidence = Evidence::from(changes);
    assert_eq!(reason(&history, &evidence), Reason::Phantom { revision: 4 });
    let verdict = check(&history, &evidence.clone().made_by_store([4]));
    assert!(matches!(verdict, Verdict::Linearizable(_)), "{verdict:?}");
    // Or a client asked for it, and its outcome is unknown.
    history.push_wide(Wide::step(Step::Delete(Keys::all()), None).during(5, UNKNOWN)).expect("it fits");
    let verdict = check(&history, &evidence);
    let Verdict::Linearizable(witness) = verdict else { panic!("{verdict:?}") };
    assert_eq!(witness.made, [(4, 3)]);
}

#[test]
fn a_put_that_changed_nothing() {
    let mut history = History::new(1);
    history
        .push(Operation { changed: false, ..Operation::put(0, 1) }.at(1).during(1, 2))
        .expect("it is valid");
    let holds = Seen::ABSENT;
    assert_eq!(reason(&history, &Evidence::default()), Reason::Condition { revision: 1, holds });
}

#[test]
fn an_order_that_leaves_out_what_was_shown_is_refused() {
    let mut history = History::new(1);
    history.push(Operation::update(0, 5, 1, None).during(1, UNKNOWN)).expect("it is valid");
    let evidence = Evidence::from([Change::put(2, 0, 1)]);
    assert!(matches!(check(&history, &evidence), Verdict::Violation(_)));
    assert!(validate::order(&history, &evidence, &Witness::default()).is_err());
}

#[test]
fn an_order_in_which_an_operation_makes_a_revision_of_the_store_is_refused() {
    let mut history = History::new(1);
    history.push(Operation::put(0, 1).at(2).during(1, 3)).expect("it is valid");
    let evidence = Evidence::from([Change::put(2, 0, 1)]).made_by_store([2]);
    assert_eq!(reason(&history, &evidence), Reason::MadeByStore { revision: 2 });
    assert!(validate::order(&history, &evidence, &Witness::default()).is_err());
}
