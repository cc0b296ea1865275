//! Plain clients, and payloads and sign-ins of any kind.

use hexmq_workbench::{Dialect, Knowledge, Language, explain};
use proptest::prelude::*;

use super::{checked, codes, connect, dialect, from_client, publish, subscribe};

/// Words of plain clients: no level of a topic and no identifier belongs to a cloud.
fn plain_words() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a-z0-9_./-]{1,20}").expect("a pattern")
}

fn cloud_topics() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![
        "$dp",
        "$creq/e8b6c9b6-225b-57dc-abaa-246ba58761d8",
        "$crsp/1",
        "$sys/1/d/dp/post/json",
        "$sys/1/d/thing/property/post",
        "$sys/1/d/thing/property/set",
        "$sys/1/d/thing/other",
        "/sys/a1TestPk001/d/thing/event/property/post",
        "/sys/a1TestPk001/d/thing/event/property/post_reply",
        "/sys/a1TestPk001/d/thing/service/reboot",
        "/sys/a1TestPk001/d/thing/topo/add",
        "/sys/a1TestPk001/d/rrpc/request/1",
        "/ext/session/a1TestPk001/d/combine/login",
        "/a1TestPk001/d/user/x",
    ])
    .prop_map(str::to_owned)
}

fn cloud_payloads() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(vec![
        "{\"id\":\"1\",\"params\":{\"a\":1},\"method\":\"x\"}",
        "{\"id\":1,\"dp\":{\"a\":[{\"v\":1}]}}",
        "{\"a\":1}",
        "{\"params\":[{\"productKey\":\"p\",\"deviceName\":\"d\",\"clientId\":\"c\",\"sign\":\"00\"}]}",
        "[",
        "{",
        "}",
        "\"",
        ",;a,1",
        "\u{3}\0\u{7}",
        "\u{5}\0\u{5}",
        "\u{7}\0\u{1}\0\u{1}",
    ]);
    prop_oneof![
        proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..24),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn plain_clients_speak_no_dialect(
        client in plain_words(), user in plain_words(), password in plain_words(),
        topic in "(\\$sys/|/|sensors/|/sys/)?[a-z0-9_-]{1,8}(/[a-z0-9_-]{1,8}){0,4}",
        payload in proptest::collection::vec(any::<u8>(), 0..24),
    ) {
        prop_assume!(!client.bytes().all(|byte| byte.is_ascii_digit()));
        for bytes in [connect(&client, &user, &password), publish(&topic, &payload), subscribe(&[&topic])] {
            let explanation = explain(&bytes, &from_client());
            prop_assert_eq!(dialect(&explanation), None);
        }
    }

    #[test]
    fn numbers_for_names_are_never_blamed(client in "[0-9]{4,12}", user in "[0-9]{4,12}", password in "[ -~]{1,20}") {
        let explanation = checked(&connect(&client, &user, &password), &Knowledge::default(), Language::Chinese);
        prop_assert_eq!((dialect(&explanation), codes(&explanation)), (Some(Dialect::OneNet), vec![]));
    }

    #[test]
    fn any_payload_on_any_topic_of_a_cloud_is_explained_inside(topic in cloud_topics(), payload in cloud_payloads()) {
        let bytes = publish(&topic, &payload);
        let explanation = checked(&bytes, &Knowledge { secret: Some("s".to_owned()), now: Some(0) }, Language::Chinese);
        prop_assert!(dialect(&explanation).is_some(), "{}", topic);
    }

    #[test]
    fn any_sign_in_is_explained_inside(
        client in "[a-c]{0,3}\\|?(securemode=[23]|signmethod=hmac[a-z0-9]{0,6}|authType=[a-z]{0,8}|x)?,?[=,|a-c \n]{0,8}",
        user in "[a-c&]{0,8}|a1TestPk001&d",
        password in "[0-9a-f]{0,40}|version=.{0,4}&res=[a-z%/]{0,8}&et=[0-9]{0,4}&method=md5&sign=[A-Za-z=]{0,8}",
    ) {
        checked(&connect(&client, &user, &password), &Knowledge { secret: Some("s".to_owned()), now: Some(0) }, Language::English);
    }
}
