//! The special cases of the JSON form that do not occur in the recordings of `conformance`.

use etcdsim_api::etcdserverpb::{
    MemberAddResponse, RangeRequest, RequestOp, TxnRequest, WatchCreateRequest, WatchRequest, compare,
    request_op, watch_request,
};
use etcdsim_api::{JsonError, Request, Response};
use serde_json::{Value, from_value, json, to_value};

fn range(value: Value) -> Result<RangeRequest, serde_json::Error> {
    from_value(value)
}

#[test]
fn enum_numbers_without_a_name_are_kept() {
    let request = range(json!({"key": "YQ==", "sort_order": 2, "sort_target": 9})).unwrap();
    assert_eq!((request.sort_order, request.sort_target), (2, 9));
    assert_eq!(
        to_value(&request).unwrap(),
        json!({"key": "YQ==", "sort_order": "DESCEND", "sort_target": 9})
    );

    let create: WatchCreateRequest = from_value(json!({"filters": ["NODELETE", 0, -7]})).unwrap();
    assert_eq!(create.filters, [1, 0, -7]);
    assert_eq!(to_value(&create).unwrap(), json!({"filters": ["NODELETE", "NOPUT", -7]}));
}

#[test]
fn null_is_absent() {
    let nothing = json!({"key": null, "limit": null, "sort_order": null, "serializable": null});
    assert_eq!(range(nothing).unwrap(), RangeRequest::default());
    let nothing: WatchRequest = from_value(json!({"create_request": null, "cancel_request": null})).unwrap();
    assert_eq!(nothing, WatchRequest::default());
    let nothing: TxnRequest = from_value(json!({"compare": null, "success": [{}]})).unwrap();
    assert_eq!(nothing.success, [RequestOp { request: None }]);
    let nothing: MemberAddResponse =
        from_value(json!({"header": null, "member": {"peerURLs": null}})).unwrap();
    assert_eq!(nothing.member, Some(Default::default()));
    assert_eq!(
        Request::from_json("MemberList", &Value::Null).unwrap(),
        Request::MemberList(Default::default())
    );
}

#[test]
fn lenient_forms_are_read() {
    let strict = range(
        json!({"key": "+/8=", "range_end": "AA==", "limit": "-1", "max_mod_revision": "9223372036854775807"}),
    )
    .unwrap();
    let lenient = range(
        json!({"key": "-_8", "rangeEnd": "AA", "limit": -1, "maxModRevision": 9223372036854775807_i64}),
    )
    .unwrap();
    assert_eq!(strict, lenient);
    assert_eq!(strict.key, &b"\xfb\xff"[..]);
}

#[test]
fn etcds_own_spelling_is_kept() {
    let response = json!({"header": {}, "member": {"ID": "18446744073709551615", "peerURLs": ["http://a"], "clientURLs": ["http://b"], "isLearner": true}});
    let read = Response::from_json("MemberAdd", &response).unwrap();
    assert_eq!(read.to_json(), response);
    let Response::MemberAdd(MemberAddResponse { member: Some(member), .. }) = read else {
        panic!("a member")
    };
    assert_eq!((member.id, member.peer_urls.len(), member.client_urls.len()), (u64::MAX, 1, 1));

    for (rpc, response) in [
        ("LeaseTimeToLive", json!({"ID": "7", "TTL": "-1", "grantedTTL": "10", "keys": ["YQ==", "Yg=="]})),
        (
            "Status",
            json!({"dbSize": "1", "raftIndex": "2", "raftAppliedIndex": "2", "dbSizeInUse": "1", "storageVersion": "3.6.0", "downgradeInfo": {"targetVersion": "3.5"}}),
        ),
        ("HashKV", json!({"hash": 4294967295_u32, "compact_revision": "-1"})),
        ("Alarm", json!({"alarms": [{"memberID": "1", "alarm": "NOSPACE"}]})),
        ("RoleGet", json!({"perm": [{"permType": "READWRITE", "key": "YQ=="}]})),
    ] {
        assert_eq!(Response::from_json(rpc, &response).unwrap().to_json(), response);
    }
}

#[test]
fn a_oneof_keeps_its_zero() {
    let txn: TxnRequest =
        from_value(json!({"compare": [{"key": "YQ==", "target": "CREATE", "create_revision": "0"}]}))
            .unwrap();
    assert_eq!(txn.compare[0].target_union, Some(compare::TargetUnion::CreateRevision(0)));
    assert_eq!(
        to_value(&txn).unwrap(),
        json!({"compare": [{"key": "YQ==", "target": "CREATE", "create_revision": "0"}]})
    );

    let watch: WatchRequest = from_value(json!({"progressRequest": {}})).unwrap();
    assert_eq!(watch.request_union, Some(watch_request::RequestUnion::ProgressRequest(Default::default())));
}

#[test]
fn mistakes_are_told_wherever_they_are() {
    for (mistake, said) in [
        (json!({"kee": "YQ=="}), "unknown field `kee`"),
        (json!({"key": "?"}), "\"?\" is not base64"),
        (json!({"limit": "many"}), "invalid value: string \"many\""),
        (json!({"limit": "9223372036854775808"}), "invalid value"),
        (json!({"sort_order": "SIDEWAYS"}), "unknown variant `SIDEWAYS`"),
        (json!({"sort_order": 2147483648_u32}), "invalid value"),
        (json!({"key": "YQ==", "keys_only": 1}), "invalid type"),
    ] {
        for (rpc, request) in
            [("Range", mistake.clone()), ("Txn", json!({"success": [{"request_range": mistake}]}))]
        {
            let message = Request::from_json(rpc, &request).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
            assert!(message.starts_with(&format!("not a {rpc} request: ")), "{message}");
        }
    }
    for (operation, said) in [
        (json!({"request_rnge": {}}), "unknown variant `request_rnge`"),
        (json!({"request_range": {}, "request_put": {}}), "excludes another field"),
    ] {
        let message = from_value::<RequestOp>(operation).unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }
    assert!(
        matches!(Request::from_json("Rnge", &json!({})), Err(JsonError::UnknownRpc(name)) if name == "Rnge")
    );
}

#[test]
fn every_call_has_an_empty_request_and_response() {
    for rpc in Request::RPC_NAMES {
        let request = Request::from_json(rpc, &json!({})).unwrap();
        assert_eq!((request.rpc_name(), request.to_json()), (*rpc, json!({})));
        assert_eq!(to_value(&request).unwrap(), json!({"rpc": rpc, "request": {}}));
        let mut response = Response::from_json(rpc, &json!({})).unwrap();
        assert_eq!((response.rpc_name(), response.header()), (*rpc, None));
        assert_eq!(to_value(&response).unwrap(), json!({"rpc": rpc, "response": {}}));
        response.header_mut().get_or_insert_default().revision = 5;
        assert_eq!(response.to_json(), json!({"header": {"revision": "5"}}));
    }
}

#[test]
fn nested_transactions_are_read_at_any_depth() {
    let mut txn = TxnRequest::default();
    for _ in 0..8 {
        txn = TxnRequest {
            success: vec![RequestOp { request: Some(request_op::Request::RequestTxn(txn)) }],
            ..Default::default()
        };
    }
    let request = Request::from(txn);
    assert_eq!(Request::from_json("Txn", &request.to_json()).unwrap(), request);
}
