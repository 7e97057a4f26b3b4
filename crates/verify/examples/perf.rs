#[path = "../tests/support/mod.rs"]
mod support;
use api::etcdserverpb::*;
use api::*;
use etcdsim_verify::*;
use std::time::Instant;
fn steady(n: usize, keys: u64, clients: u64) -> record::Record {
    let mut r = support::Random(7);
    let mut model = model::Model::default();
    let mut ops = Vec::new();
    let mut applied = Vec::new();
    let mut free = vec![0u64; clients as usize];
    // points in global order
    let mut evs: Vec<(u64, usize, u64, u64, Request)> = Vec::new();
    for i in 0..n {
        let c = (i as u64 % clients) as usize;
        let call = free[c] + 1 + r.below(100);
        let point = call + 200 + r.below(3000);
        let ret = point + 200 + r.below(3000);
        free[c] = ret;
        let key = bytes::Bytes::from(format!("key-{:06}", r.below(keys)));
        let req: Request = if r.below(2) == 0 {
            PutRequest { key, value: bytes::Bytes::from(format!("{:064}", i)), ..Default::default() }.into()
        } else {
            RangeRequest { key, ..Default::default() }.into()
        };
        evs.push((point, c, call, ret, req));
    }
    evs.sort_by_key(|e| e.0);
    for (i, (point, c, call, ret, req)) in evs.into_iter().enumerate() {
        let before = model.revision();
        let resp = model.apply(&req).unwrap();
        let lost = r.below(100) < 2;
        let at = if lost { record::Outcome::Unknown { gave_up: ret } } else { record::Outcome::Answer { at: ret, response: resp } };
        if matches!(req, Request::Put(_)) {
            applied.push((i, record::Applied { index: i as u64 + 1, operation: None, revision: model.revision() as u64, mutated: model.revision() > before, time: point }));
        }
        ops.push((i, record::Operation { client: c as u32, member: 1, request: req, call, outcome: at }));
    }
    ops.sort_by_key(|(_, o)| o.call);
    let mut to = vec![0u64; n];
    for (new, (old, _)) in ops.iter().enumerate() { to[*old] = new as u64; }
    let applied = applied.into_iter().map(|(old, mut a)| { a.operation = Some(to[old]); a }).collect();
    // quiet read
    let all = bytes::Bytes::from_static(b"\0");
    let req: Request = RangeRequest { key: all.clone(), range_end: all, ..Default::default() }.into();
    let resp = model.apply(&req).unwrap();
    let end = free.iter().max().unwrap() + 10000;
    let mut operations: Vec<_> = ops.into_iter().map(|(_, o)| o).collect();
    operations.push(record::Operation { client: 0, member: 1, request: req, call: end, outcome: record::Outcome::Answer { at: end + 5, response: resp } });
    record::Record { history: record::History { operations }, applied, ..Default::default() }
}
fn main() {
    for (n, keys) in [(6_000, 20), (200_000, 1_000), (200_000, 10), (1_000_000, 1000)] {
        let record = steady(n, keys, 16);
        for _ in 0..3 {
            let t = Instant::now();
            let v = judge(&record, &Expectations::default());
            let d = t.elapsed();
            println!("steady {n} ops {keys} keys: {d:?} {} ns/op  holds {} {:?}", d.as_nanos() / n as u128, v.holds(), v.violations.first());
        }
        let t = Instant::now();
        let p = k1::Premises { applied: Some(&record.applied), ..Default::default() };
        let f = k1::check(&record.history, &p);
        println!("   k1 alone {:?} {}", t.elapsed(), f.violations.len());
        let t = Instant::now();
        let f = k4::check(&record.history, &record.applied);
        println!("   k4 alone {:?} {}", t.elapsed(), f.violations.len());
    }
    for n in [6_000, 50_000] {
        let mut r = support::Random(3);
        let shape = support::Shape { operations: n, clients: 8, keys: 20, unknown: 2, compactions: false, leases: true, delay: 10 };
        let (history, applied) = support::history(&mut r, &shape);
        let record = record::Record { history, applied, ..Default::default() };
        for _ in 0..2 {
            let t = Instant::now();
            let v = judge(&record, &Expectations::default());
            let d = t.elapsed();
            println!("mixed {n}: {d:?} {} ns/op holds {} {:?}", d.as_nanos() / n as u128, v.holds(), v.violations.first());
        }
    }
}
