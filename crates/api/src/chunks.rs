//! The chunks of a streamed range.

use crate::etcdserverpb::{RangeResponse, RangeStreamResponse};

/// Merges the next chunk of a streamed range into those before it, as protobuf merges messages. After the last chunk,
/// `whole` is the answer that `Range` gives.
pub fn merge(whole: &mut RangeResponse, chunk: &RangeStreamResponse) {
    let Some(RangeResponse { header, kvs, more, count }) = &chunk.range_response else { return };
    whole.header = header.or(whole.header);
    whole.kvs.extend_from_slice(kvs);
    whole.more |= more;
    if *count != 0 {
        whole.count = *count;
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::etcdserverpb::ResponseHeader;
    use crate::mvccpb::KeyValue;

    #[test]
    fn chunks_merge_as_protobuf_does() {
        let pair = |key: &'static str| KeyValue { key: key.into(), ..KeyValue::default() };
        let header = Some(ResponseHeader { revision: 7, ..ResponseHeader::default() });
        let chunks = [
            RangeResponse { kvs: vec![pair("a"), pair("b")], ..RangeResponse::default() },
            RangeResponse { kvs: vec![pair("c")], ..RangeResponse::default() },
            RangeResponse { header, kvs: vec![pair("d")], more: true, count: 9 },
        ]
        .map(|chunk| RangeStreamResponse { range_response: Some(chunk) });
        let (mut whole, mut bytes) = (RangeResponse::default(), Vec::new());
        for chunk in &chunks {
            merge(&mut whole, chunk);
            chunk.encode(&mut bytes).unwrap();
        }
        merge(&mut whole, &RangeStreamResponse::default());
        assert_eq!(RangeStreamResponse::decode(&bytes[..]).unwrap().range_response, Some(whole));
    }
}
