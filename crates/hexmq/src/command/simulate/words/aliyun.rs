//! Aliyun: signed triples and Alink JSON on `/sys/{product}/{device}/thing/…`.

use hexmq_workbench::build::{SignIn as Cloud, alink, alink_topic};
use serde_json::json;

use super::{Command, Heard, Map, Message, SignIn, SignMethod, Speaker, Value, Words, kind, outputs};
use crate::command::simulate::answer::Answer;

const POST: &str = "thing.event.property.post";

/// Devices of one product.
#[derive(Debug)]
pub(in crate::command::simulate) struct Aliyun {
    pub(in crate::command::simulate) product: String,
    pub(in crate::command::simulate) method: SignMethod,
    /// The server subscribes for the devices (`_ss=1`).
    pub(in crate::command::simulate) subscribed: bool,
}

impl Aliyun {
    fn prefix(&self, speaker: Speaker<'_>) -> String {
        format!("/sys/{}/{}/", self.product, speaker.device)
    }
}

impl Words for Aliyun {
    fn sign_in(&self, speaker: Speaker<'_>, now_s: i64) -> SignIn {
        let cloud = Cloud::Aliyun {
            product_key: self.product.clone(),
            device_name: speaker.device.to_owned(),
            secret: speaker.secret.to_owned(),
            client_id: None,
            method: self.method,
            timestamp: Some(now_s.saturating_mul(1000).to_string()),
            secure_mode: 3,
        };
        let mut sign_in: SignIn = cloud.credentials().into();
        if self.subscribed {
            // Before the closing bar; what stands there is not signed.
            sign_in.client_identifier.pop();
            sign_in.client_identifier.push_str(",_ss=1|");
        }
        sign_in
    }

    fn filters(&self, speaker: Speaker<'_>) -> Vec<String> {
        if self.subscribed {
            return Vec::new();
        }
        let prefix = self.prefix(speaker);
        ["thing/event/property/post_reply", "thing/service/property/set", "thing/service/+", "rrpc/request/+"]
            .map(|path| format!("{prefix}{path}"))
            .to_vec()
    }

    fn is_answered(&self) -> bool {
        true
    }

    fn post(
        &self,
        speaker: Speaker<'_>,
        number: u32,
        values: &Map<String, Value>,
    ) -> Result<Message, String> {
        Ok(Message {
            topic: alink_topic(&self.product, speaker.device, POST),
            payload: alink(POST, &Value::Object(values.clone()), &number.to_string()),
        })
    }

    fn hear(&self, speaker: Speaker<'_>, topic: &str, payload: &[u8]) -> Heard {
        let prefix = self.prefix(speaker);
        let Some(path) = topic.strip_prefix(&prefix) else { return Heard::Nothing };
        let json: Value = serde_json::from_slice(payload).unwrap_or_default();
        if path == "thing/event/property/post_reply" {
            let number = json["id"].as_str().and_then(|id| id.parse().ok());
            let refusal = (json["code"] != 200).then(|| json.to_string());
            return number.map_or(Heard::Nothing, |number| Heard::Reply { number, refusal });
        }
        // A synchronous call says what it calls in its method only.
        let (answer, what) = match (path.strip_prefix("rrpc/request/"), path.strip_prefix("thing/service/")) {
            (Some(id), _) => {
                let method = json["method"].as_str().unwrap_or_default();
                let what = method.strip_prefix("thing.service.").unwrap_or_default().replace('.', "/");
                (format!("{prefix}rrpc/response/{id}"), what)
            }
            (_, Some(what)) if !what.ends_with("_reply") => (format!("{topic}_reply"), what.to_owned()),
            _ => return Heard::Nothing,
        };
        Heard::Command(Command {
            topic: answer,
            id: json["id"].clone(),
            kind: kind(&what, json.get("params")),
            payload: payload.to_vec(),
        })
    }

    fn answer(&self, command: &Command, answer: &Answer, values: &Map<String, Value>) -> Option<Message> {
        if *answer == Answer::None {
            return None;
        }
        let data = outputs(command, answer, values);
        let code = answer.code();
        let message = if code == 200 { "success" } else { "refused" };
        let payload = json!({"id": command.id, "code": code, "data": data, "message": message});
        Some(Message { topic: command.topic.clone(), payload: payload.to_string().into_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::simulate::words::Kind;

    const SPEAKER: Speaker<'_> =
        Speaker { number: 0, device: "camera1", secret: "0123456789abcdef0123456789abcdef" };

    fn words(subscribed: bool) -> Aliyun {
        Aliyun { product: "gukv3BQLi1G".to_owned(), method: SignMethod::SHA1, subscribed }
    }

    #[test]
    fn the_triple_is_signed() {
        let sign_in = words(true).sign_in(SPEAKER, 1_663_601_981);
        assert_eq!(
            sign_in.client_identifier,
            "gukv3BQLi1G.camera1|securemode=3,signmethod=hmacsha1,timestamp=1663601981000,_ss=1|"
        );
        assert_eq!(sign_in.user_name.as_deref(), Some("camera1&gukv3BQLi1G"));
        assert_eq!(sign_in.password.map(|password| password.len()), Some(40));
        assert!(words(true).filters(SPEAKER).is_empty());
        assert_eq!(words(false).filters(SPEAKER).len(), 4);
    }

    #[test]
    fn orders_are_answered_on_their_own_topics() {
        let words = words(false);
        let hear = |path: &str, payload: &str| {
            let topic = format!("/sys/gukv3BQLi1G/camera1/{path}");
            match words.hear(SPEAKER, &topic, payload.as_bytes()) {
                Heard::Command(command) => command,
                other => panic!("a command was expected, not {other:?}"),
            }
        };
        let set = r#"{"method":"thing.service.property.set","id":"1993907181","params":{"test111":0}}"#;
        let command = hear("thing/service/property/set", set);
        assert!(matches!(&command.kind, Kind::Set(values) if values["test111"] == 0));
        let answer = words.answer(&command, &Answer::Echo, &Map::new()).expect("an answer");
        assert_eq!(answer.topic, "/sys/gukv3BQLi1G/camera1/thing/service/property/set_reply");
        assert_eq!(answer.payload, br#"{"id":"1993907181","code":200,"data":{},"message":"success"}"#);
        let call = hear("rrpc/request/77", r#"{"method":"thing.service.add","id":"3","params":{"a":1}}"#);
        let answer = words.answer(&call, &Answer::Value(json!({"sum": 2})), &Map::new()).expect("an answer");
        assert_eq!(answer.topic, "/sys/gukv3BQLi1G/camera1/rrpc/response/77");
        assert!(answer.payload.starts_with(br#"{"id":"3","code":200,"data":{"sum":2}"#));
        let refused = words.answer(&call, &Answer::Code(460), &Map::new()).expect("an answer");
        assert!(String::from_utf8_lossy(&refused.payload).contains("460"));
    }

    #[test]
    fn a_reply_finds_its_post() {
        let words = words(false);
        let values = json!({"PowerSwitch": 1});
        let post = words.post(SPEAKER, 12, values.as_object().expect("an object")).expect("a post");
        assert_eq!(post.topic, "/sys/gukv3BQLi1G/camera1/thing/event/property/post");
        let topic = "/sys/gukv3BQLi1G/camera1/thing/event/property/post_reply";
        let reply = br#"{"id":"12","code":200,"data":{},"message":"success"}"#;
        assert_eq!(words.hear(SPEAKER, topic, reply), Heard::Reply { number: 12, refusal: None });
        let refused = br#"{"id":"12","code":460,"data":{},"message":"no"}"#;
        assert!(matches!(words.hear(SPEAKER, topic, refused), Heard::Reply { refusal: Some(_), .. }));
        assert_eq!(words.hear(SPEAKER, "/ext/ntp/x", b"{}"), Heard::Nothing);
    }
}
