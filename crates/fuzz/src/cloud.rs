//! The dialects as the platform asks them: whoever connects is let in or refused, whatever is sent is understood
//! or refused at a place inside, and every request can be answered.

use hexmq_device::{
    Device, DeviceRef, Dialect, Outcome, Plain, Presence, Problem, ProblemKind, Product, Secret, SignIn,
    Uplink, Validation,
};
use hexmq_dialect_aliyun::Aliyun;
use hexmq_dialect_onenet::{Onenet, OnenetToken};

const NAME: &str = "a1TestPk001";
const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";
const NOW_MS: i64 = 1_795_382_825_586;

fn dialects() -> [&'static dyn Dialect; 4] {
    [&Onenet, &OnenetToken, &Aliyun, &Plain]
}

fn product(dialect: &dyn Dialect) -> Product {
    Product {
        id: NAME.to_owned(),
        name: String::new(),
        dialect: dialect.name(),
        secret: Some(Secret(SECRET.to_owned())),
        number: 1,
        created_at_ms: 0,
        zone_minutes: 480,
        validation: Validation::Report,
        dynamic_registration: true,
        history_days: None,
        switches: std::collections::BTreeMap::new(),
    }
}

fn device() -> Device {
    Device {
        product: NAME.to_owned(),
        id: "dev01".to_owned(),
        name: String::new(),
        secret: Some(Secret(SECRET.to_owned())),
        password: None,
        tags: std::collections::BTreeMap::new(),
        disabled: false,
        created_at_ms: 0,
        activated_at_ms: None,
        presence: Presence::default(),
        extra: Default::default(),
    }
}

/// The door and the doctor agree, and the doctor does not tell the secret.
pub(crate) fn sign_in(client_identifier: &str, user_name: &str, password: &[u8]) {
    let sign_in = SignIn {
        client_identifier,
        user_name: Some(user_name),
        password: Some(password),
        level: 4,
        secure: false,
        keep_alive_s: 60,
    };
    let device = device();
    for dialect in dialects() {
        let product = product(dialect);
        let _ = (dialect.claim(&sign_in), dialect.recognises(&sign_in));
        for device in [None, Some(&device)] {
            let admitted = dialect.verify(&sign_in, &product, device, NOW_MS);
            let diagnosis = dialect.diagnose(&sign_in, Some(&product), device, NOW_MS);
            assert!(
                !diagnosis.admitted || admitted.is_ok(),
                "{:?} {sign_in:?} {diagnosis:?}",
                dialect.name()
            );
            assert_eq!(diagnosis.admitted, diagnosis.code == "ok", "{diagnosis:?}");
            if let Some(registration) = admitted.ok().and_then(|admission| admission.registration) {
                let _ = dialect.registered(&sign_in, &registration, &Secret("s3cret".to_owned()));
            }
        }
    }
}

/// What is refused is refused inside; what is understood can be answered, whatever comes of it.
pub(crate) fn message(topic: &str, payload: &[u8]) {
    let own = DeviceRef::new(NAME, "dev01");
    let refused = Outcome::Refused(Problem::new(ProblemKind::Unavailable, "away"));
    for dialect in dialects() {
        let product = product(dialect);
        let uplink =
            Uplink { product: &product, device: &own, topic, payload, qos: 1, received_at_ms: NOW_MS };
        match dialect.uplink(&uplink) {
            Err(error) => {
                assert!(error.offset.saturating_add(error.length) <= payload.len(), "{topic} {error:?}");
                assert!(!error.message.is_empty(), "{error:?}");
            }
            Ok(understood) => {
                for request in &understood.requests {
                    let Some(receipt) = &request.receipt else { continue };
                    for outcome in [&Outcome::Done, &Outcome::Posted(Vec::new()), &refused] {
                        let answer = dialect.reply(receipt, outcome);
                        assert!(answer.is_none_or(|answer| !answer.topic.is_empty()), "{topic}");
                    }
                }
            }
        }
    }
}
