//! Goes through the parts of a request, whether it is a transaction or a single operation: [`Request::parts`] yields
//! all comparisons and operations, [`Response::pairs`] all key-value pairs in the answer.

use std::slice::Iter;

use crate::etcdserverpb::request_op::Request as Op;
use crate::etcdserverpb::response_op::Response as Answer;
use crate::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, ResponseOp, TxnRequest,
};
use crate::mvccpb::KeyValue;
use crate::{Request, Response};

/// A comparison of a transaction, or an operation on the store, which may be alone or part of a transaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part<'a> {
    /// A comparison.
    Compare(&'a Compare),
    /// A read.
    Range(&'a RangeRequest),
    /// A put.
    Put(&'a PutRequest),
    /// A deletion.
    DeleteRange(&'a DeleteRangeRequest),
}

/// The parts of a request; see [`Request::parts`].
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// The request, if it is not a transaction.
    alone: Option<Part<'a>>,
    /// The lists of the current transaction and of those around it that are still to be visited; the next one is last.
    todo: Vec<Todo<'a>>,
}

/// The rest of a list of a transaction.
#[derive(Clone, Debug)]
enum Todo<'a> {
    Compares(Iter<'a, Compare>),
    Ops(Iter<'a, RequestOp>),
}

impl Request {
    /// All parts of the request. For a transaction these are its comparisons and the operations of both branches, including those of nested
    /// transactions, in the order in which they are written. For a read, a put or a deletion it is the request itself. Other requests have none.
    pub fn parts(&self) -> Parts<'_> {
        let alone = match self {
            Request::Range(range) => Part::Range(range),
            Request::Put(put) => Part::Put(put),
            Request::DeleteRange(delete) => Part::DeleteRange(delete),
            Request::Txn(txn) => return txn.parts(),
            _ => return Parts { alone: None, todo: Vec::new() },
        };
        Parts { alone: Some(alone), todo: Vec::new() }
    }
}

impl TxnRequest {
    /// All parts of the transaction, as for [`Request::parts`].
    pub fn parts(&self) -> Parts<'_> {
        let mut parts = Parts { alone: None, todo: Vec::new() };
        parts.enter(self);
        parts
    }
}

impl<'a> Parts<'a> {
    /// Makes the lists of a transaction the next ones to visit.
    fn enter(&mut self, txn: &'a TxnRequest) {
        self.todo.extend([
            Todo::Ops(txn.failure.iter()),
            Todo::Ops(txn.success.iter()),
            Todo::Compares(txn.compare.iter()),
        ]);
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if let Some(alone) = self.alone.take() {
            return Some(alone);
        }
        loop {
            let op = match self.todo.last_mut()? {
                Todo::Compares(compares) => match compares.next() {
                    Some(compare) => return Some(Part::Compare(compare)),
                    None => None,
                },
                Todo::Ops(ops) => ops.next(),
            };
            let Some(op) = op else {
                self.todo.pop();
                continue;
            };
            match &op.request {
                Some(Op::RequestRange(range)) => return Some(Part::Range(range)),
                Some(Op::RequestPut(put)) => return Some(Part::Put(put)),
                Some(Op::RequestDeleteRange(delete)) => return Some(Part::DeleteRange(delete)),
                Some(Op::RequestTxn(txn)) => self.enter(txn),
                None => {}
            }
        }
    }
}

/// The pairs of an answer; see [`Response::pairs`].
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    /// The rest of the current operation's pairs.
    pairs: Iter<'a, KeyValue>,
    /// The rest of the answers of the current transaction and of those around it; the current one is last.
    todo: Vec<Iter<'a, ResponseOp>>,
}

impl Response {
    /// Every pair in the answer: those that were read, and those that a put or a deletion replaced. A pair has no value if
    /// the request asked for keys only.
    pub fn pairs(&self) -> Pairs<'_> {
        let pairs = match self {
            Response::Range(range) => range.kvs.iter(),
            Response::Put(put) => put.prev_kv.as_slice().iter(),
            Response::DeleteRange(delete) => delete.prev_kvs.iter(),
            Response::Txn(txn) => return Pairs { pairs: [].iter(), todo: vec![txn.responses.iter()] },
            _ => [].iter(),
        };
        Pairs { pairs, todo: Vec::new() }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = &'a KeyValue;

    fn next(&mut self) -> Option<&'a KeyValue> {
        loop {
            if let Some(pair) = self.pairs.next() {
                return Some(pair);
            }
            let Some(op) = self.todo.last_mut()?.next() else {
                self.todo.pop();
                continue;
            };
            match &op.response {
                Some(Answer::ResponseRange(range)) => self.pairs = range.kvs.iter(),
                Some(Answer::ResponsePut(put)) => self.pairs = put.prev_kv.as_slice().iter(),
                Some(Answer::ResponseDeleteRange(delete)) => self.pairs = delete.prev_kvs.iter(),
                Some(Answer::ResponseTxn(txn)) => self.todo.push(txn.responses.iter()),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcdserverpb::{DeleteRangeResponse, PutResponse, RangeResponse, TxnResponse};

    fn ask(op: Op) -> RequestOp {
        RequestOp { request: Some(op) }
    }

    fn range(key: &'static str) -> RangeRequest {
        RangeRequest { key: key.into(), ..RangeRequest::default() }
    }

    fn compare(key: &'static str) -> Compare {
        Compare { key: key.into(), ..Compare::default() }
    }

    #[test]
    fn the_parts_of_transactions_come_in_the_order_in_which_they_are_written() {
        let put = PutRequest { key: "p".into(), ..PutRequest::default() };
        let delete = DeleteRangeRequest { key: "d".into(), ..DeleteRangeRequest::default() };
        let inner = TxnRequest {
            compare: vec![compare("inner")],
            success: vec![],
            failure: vec![ask(Op::RequestPut(put.clone()))],
        };
        let nothing = RequestOp { request: None };
        let txn = TxnRequest {
            compare: vec![compare("a"), compare("b")],
            success: vec![ask(Op::RequestRange(range("r"))), ask(Op::RequestTxn(inner)), nothing],
            failure: vec![ask(Op::RequestDeleteRange(delete.clone()))],
        };
        let request = Request::from(txn.clone());
        let parts: Vec<_> = request.parts().collect();
        let (a, b, inner, r) = (compare("a"), compare("b"), compare("inner"), range("r"));
        let expected = [
            Part::Compare(&a),
            Part::Compare(&b),
            Part::Range(&r),
            Part::Compare(&inner),
            Part::Put(&put),
            Part::DeleteRange(&delete),
        ];
        assert_eq!(parts, expected);
        assert!(txn.parts().eq(parts));
        let request = Request::from(range("alone"));
        assert_eq!(request.parts().collect::<Vec<_>>(), [Part::Range(&range("alone"))]);
    }

    #[test]
    fn an_answer_shows_the_pairs_of_all_its_operations() {
        let pair = |key: &'static str| KeyValue { key: key.into(), ..KeyValue::default() };
        let done = |response| ResponseOp { response: Some(response) };
        let read = RangeResponse { kvs: vec![pair("a"), pair("b")], ..RangeResponse::default() };
        let put = PutResponse { prev_kv: Some(pair("c")), ..PutResponse::default() };
        let fresh = PutResponse::default();
        let deleted = DeleteRangeResponse { prev_kvs: vec![pair("d")], ..DeleteRangeResponse::default() };
        let inner = TxnResponse {
            responses: vec![done(Answer::ResponsePut(put)), done(Answer::ResponsePut(fresh))],
            ..TxnResponse::default()
        };
        let txn = TxnResponse {
            responses: vec![
                done(Answer::ResponseRange(read.clone())),
                done(Answer::ResponseTxn(inner)),
                ResponseOp { response: None },
                done(Answer::ResponseDeleteRange(deleted)),
            ],
            ..TxnResponse::default()
        };
        let keys = |response: Response| -> Vec<_> { response.pairs().map(|pair| pair.key.clone()).collect() };
        assert_eq!(keys(txn.into()), ["a", "b", "c", "d"]);
        assert_eq!(keys(read.into()), ["a", "b"]);
    }
}
