//! No cloud: JSON on HexMQ's own topics, or on those of the user's choice.

use serde_json::json;

use super::{Command, Heard, Kind, Map, Message, Pattern, SignIn, Speaker, Value, Words, kind, outputs};
use crate::command::simulate::answer::Answer;

/// Devices of one product, or anybody.
#[derive(Debug)]
pub(in crate::command::simulate) struct Plain {
    /// Without one, the clients are anonymous.
    pub(in crate::command::simulate) product: Option<String>,
    /// Where values go.
    pub(in crate::command::simulate) topic: Pattern,
    /// Where orders come from: a topic filter; none without.
    pub(in crate::command::simulate) orders: Option<Pattern>,
    /// Where answers go; `{id}` stands for the last level of the order's topic.
    pub(in crate::command::simulate) answers: String,
}

impl Words for Plain {
    fn sign_in(&self, speaker: Speaker<'_>, _now_s: i64) -> SignIn {
        SignIn {
            client_identifier: speaker.device.to_owned(),
            user_name: self.product.clone(),
            password: self.product.as_ref().map(|_| speaker.secret.to_owned()),
        }
    }

    fn filters(&self, speaker: Speaker<'_>) -> Vec<String> {
        self.orders.iter().map(|orders| orders.fill(speaker.number, speaker.device)).collect()
    }

    fn is_answered(&self) -> bool {
        false
    }

    fn post(
        &self,
        speaker: Speaker<'_>,
        _number: u32,
        values: &Map<String, Value>,
    ) -> Result<Message, String> {
        let payload = Value::Object(values.clone()).to_string().into_bytes();
        Ok(Message { topic: self.topic.fill(speaker.number, speaker.device), payload })
    }

    /// Whatever comes is an order: nothing else is subscribed to.
    fn hear(&self, speaker: Speaker<'_>, topic: &str, payload: &[u8]) -> Heard {
        let id = topic.rsplit('/').next().unwrap_or_default();
        let answers: Result<Pattern, _> = self.answers.replace("{id}", id).parse();
        let json: Value = serde_json::from_slice(payload).unwrap_or_default();
        let service = json["service"].as_str().map(|service| format!("property/{service}"));
        let asked = service.as_deref().map_or(Kind::Call, |service| kind(service, json.get("params")));
        match answers {
            Ok(answers) => Heard::Command(Command {
                topic: answers.fill(speaker.number, speaker.device),
                id: json["id"].clone(),
                kind: asked,
                payload: payload.to_vec(),
            }),
            // An id with braces in it is none that we could answer.
            Err(_) => Heard::Nothing,
        }
    }

    fn answer(&self, command: &Command, answer: &Answer, values: &Map<String, Value>) -> Option<Message> {
        let is_json = command.id.is_string();
        let payload = match answer {
            Answer::None => return None,
            _ if is_json => {
                let data = outputs(command, answer, values);
                json!({"code": answer.code(), "data": data}).to_string().into_bytes()
            }
            _ => answer.bytes(&command.payload)?,
        };
        Some(Message { topic: command.topic.clone(), payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEAKER: Speaker<'_> = Speaker { number: 7, device: "d7", secret: "s" };

    fn words(product: Option<&str>) -> Plain {
        Plain {
            product: product.map(str::to_owned),
            topic: "devices/{device}/properties".parse().expect("a pattern"),
            orders: Some("devices/{device}/commands/+".parse().expect("a pattern")),
            answers: "devices/{device}/commands/{id}/reply".to_owned(),
        }
    }

    #[test]
    fn who_has_no_product_is_anonymous() {
        let sign_in = words(None).sign_in(SPEAKER, 0);
        assert_eq!((sign_in.user_name, sign_in.password), (None, None));
        let sign_in = words(Some("p")).sign_in(SPEAKER, 0);
        assert_eq!((sign_in.user_name.as_deref(), sign_in.password.as_deref()), (Some("p"), Some("s")));
    }

    #[test]
    fn orders_are_answered() {
        let words = words(Some("p"));
        assert_eq!(words.filters(SPEAKER), ["devices/d7/commands/+"]);
        let hear = |payload: &str| match words.hear(SPEAKER, "devices/d7/commands/c1", payload.as_bytes()) {
            Heard::Command(command) => command,
            other => panic!("a command was expected, not {other:?}"),
        };
        let answered = |payload: &str, answer: Answer| {
            let message = words.answer(&hear(payload), &answer, &Map::new()).expect("an answer");
            assert_eq!(message.topic, "devices/d7/commands/c1/reply");
            String::from_utf8(message.payload).expect("text")
        };
        assert_eq!(answered("led:1", Answer::Echo), "led:1");
        let set = r#"{"id":"c1","service":"set","params":{"a":1}}"#;
        assert!(matches!(hear(set).kind, Kind::Set(values) if values["a"] == 1));
        assert_eq!(answered(set, Answer::Ok), r#"{"code":200,"data":{}}"#);
        let call = r#"{"id":"c1","service":"blink","params":{"n":3}}"#;
        assert_eq!(answered(call, Answer::Echo), r#"{"code":200,"data":{"n":3}}"#);
        assert_eq!(answered(call, Answer::Code(500)), r#"{"code":500,"data":{}}"#);
    }
}
