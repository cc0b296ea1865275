//! OneNET, legacy access: `$dp` up, `$creq` down, `$crsp` up.

use hexmq_workbench::build::{SignIn as Cloud, dp};

use super::{Command, Heard, Kind, Map, Message, SignIn, Speaker, Value, Words};
use crate::command::simulate::answer::Answer;

/// Devices of one product.
#[derive(Debug)]
pub(in crate::command::simulate) struct Onenet {
    pub(in crate::command::simulate) product: String,
    /// The type of `$dp` payloads, 1 to 8.
    pub(in crate::command::simulate) data_type: u8,
}

impl Words for Onenet {
    fn sign_in(&self, speaker: Speaker<'_>, _now_s: i64) -> SignIn {
        let cloud = Cloud::OneNet {
            product: self.product.clone(),
            device: speaker.device.to_owned(),
            secret: speaker.secret.to_owned(),
        };
        cloud.credentials().into()
    }

    /// Commands come without.
    fn filters(&self, _speaker: Speaker<'_>) -> Vec<String> {
        Vec::new()
    }

    fn is_answered(&self) -> bool {
        false
    }

    fn post(
        &self,
        _speaker: Speaker<'_>,
        _number: u32,
        values: &Map<String, Value>,
    ) -> Result<Message, String> {
        let payload =
            dp(self.data_type, &Value::Object(values.clone()), None).map_err(|error| error.to_string())?;
        Ok(Message { topic: "$dp".to_owned(), payload })
    }

    fn hear(&self, _speaker: Speaker<'_>, topic: &str, payload: &[u8]) -> Heard {
        match topic.strip_prefix("$creq/") {
            Some(id) => Heard::Command(Command {
                topic: format!("$crsp/{id}"),
                id: Value::Null,
                kind: Kind::Call,
                payload: payload.to_vec(),
            }),
            None => Heard::Nothing,
        }
    }

    fn answer(&self, command: &Command, answer: &Answer, _values: &Map<String, Value>) -> Option<Message> {
        let payload = answer.bytes(&command.payload)?;
        Some(Message { topic: command.topic.clone(), payload })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SPEAKER: Speaker<'_> = Speaker { number: 0, device: "901505824", secret: "123456" };

    #[test]
    fn the_tutorial_is_spoken() {
        let words = Onenet { product: "491644".to_owned(), data_type: 3 };
        let sign_in = words.sign_in(SPEAKER, 0);
        assert_eq!(sign_in.client_identifier, "901505824");
        assert_eq!(sign_in.user_name.as_deref(), Some("491644"));
        assert_eq!(sign_in.password.as_deref(), Some("123456"));
        let values = json!({"Red_Led": 1, "Green_Led": 1, "Yellow_Led": 1, "Blue_Led": 1});
        let post = words.post(SPEAKER, 1, values.as_object().expect("an object")).expect("a post");
        assert_eq!(post.topic, "$dp");
        assert_eq!(&post.payload[..3], [3, 0, 0x37]);
        assert!(post.payload.ends_with(br#"{"Red_Led":1,"Green_Led":1,"Yellow_Led":1,"Blue_Led":1}"#));
        let Heard::Command(command) = words.hear(SPEAKER, "$creq/e8b6c9b6", b"redled:0") else {
            panic!("a command was expected")
        };
        let answer = words.answer(&command, &Answer::Echo, &Map::new()).expect("an answer");
        assert_eq!((&*answer.topic, &*answer.payload), ("$crsp/e8b6c9b6", &b"redled:0"[..]));
        assert_eq!(words.answer(&command, &Answer::None, &Map::new()), None);
        assert_eq!(words.hear(SPEAKER, "app/x", b""), Heard::Nothing);
    }
}
