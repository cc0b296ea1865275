//! Bytes, payloads and topics of any kind: nothing panics, and faults lie inside of what was sent.

mod support;

use proptest::prelude::*;
use support::{product, sent, sent_by, sys};

const TOPICS: &[&str] = &[
    "thing/event/property/post",
    "thing/event/alarm/post",
    "thing/event/property/batch/post",
    "thing/event/property/pack/post",
    "thing/event/property/history/post",
    "thing/service/property/set_reply",
    "thing/property/desired/get",
    "thing/property/desired/delete",
    "thing/deviceinfo/update",
    "thing/topo/add",
    "thing/sub/register",
    "thing/model/up_raw",
    "thing/config/log/get",
    "rrpc/response/7",
    "thing/ota/firmware/get",
    "thing/nothing",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Bytes of any kind, on any topic: nothing panics, errors lie inside.
    #[test]
    fn any_bytes_on_any_topic(payload in prop::collection::vec(any::<u8>(), 0..64), at in 0..TOPICS.len()) {
        if let Err(error) = sent_by(&product("a1TestPk001"), &sys(TOPICS[at]), &payload) {
            prop_assert!(error.offset + error.length <= payload.len());
        }
    }

    /// The same with what looks like Alink.
    #[test]
    fn anything_like_alink_on_any_topic(
        params in "[{}\\[\\]\":,a-z0-9]{0,24}",
        id in "[\"0-9a-z\\\\]{0,6}",
        at in 0..TOPICS.len(),
        other in 0..5_usize,
    ) {
        let payload = format!(
            "{{\"id\":{id},\"method\":\"update\",\"state\":{{\"reported\":{params}}},\"version\":1,\
             \"identity\":{{\"productKey\":\"a\",\"deviceName\":\"b\"}},\"params\":{params}}}"
        );
        let others = ["/shadow/update/", "/ext/ntp/", "/ota/device/inform/", "/ota/device/progress/", "/ota/device/request/"];
        for topic in [sys(TOPICS[at]), format!("{}a1TestPk001/dev01", others[other])] {
            match sent(&topic, &payload) {
                Err(error) => prop_assert!(error.offset + error.length <= payload.len()),
                Ok(understood) => prop_assert!(!understood.meaning.is_empty()),
            }
        }
    }

    /// A topic of any kind is never a panic either.
    #[test]
    fn any_topic(topic in "[/a-z0-9_+#]{0,40}") {
        let _ = sent(&topic, r#"{"id":"1","params":{}}"#);
        let _ = sent(&format!("/sys/a1TestPk001/dev01{topic}"), r#"{"id":"1","params":{}}"#);
    }
}
