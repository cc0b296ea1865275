//! OneNET, access by token: data points or the thing model on `$sys/{product}/{device}/…`.

use hexmq_workbench::build::SignIn as Cloud;
use serde_json::json;

use super::{Command, Heard, Kind, Map, Message, SignIn, SignMethod, Speaker, Value, Words, kind, outputs};
use crate::command::simulate::answer::Answer;

/// How long a token lives that a device makes for itself: it makes a new one with each connection.
const TOKEN_LIFE_S: i64 = 24 * 3600;

/// Which of the two generations of topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::command::simulate) enum Form {
    /// Data points: `dp/post/json`, `cmd/request`
    Dp,
    /// The thing model: `thing/property/post`, `thing/property/set` …
    Thing,
}

/// Devices of one product.
#[derive(Debug)]
pub(in crate::command::simulate) struct Token {
    pub(in crate::command::simulate) product: String,
    pub(in crate::command::simulate) method: SignMethod,
    pub(in crate::command::simulate) form: Form,
}

impl Token {
    fn prefix(&self, speaker: Speaker<'_>) -> String {
        format!("$sys/{}/{}/", self.product, speaker.device)
    }

    fn hear_points(&self, path: &str, prefix: &str, payload: &[u8]) -> Heard {
        if let Some(id) = path.strip_prefix("cmd/request/") {
            return Heard::Command(Command {
                topic: format!("{prefix}cmd/response/{id}"),
                id: Value::Null,
                kind: Kind::Call,
                payload: payload.to_vec(),
            });
        }
        let verdict = path.strip_prefix("dp/post/json/");
        let json: Value = serde_json::from_slice(payload).unwrap_or_default();
        match (verdict, json["id"].as_u64().and_then(|id| u32::try_from(id).ok())) {
            (Some("accepted"), Some(number)) => Heard::Reply { number, refusal: None },
            (Some("rejected"), Some(number)) => Heard::Reply { number, refusal: Some(json.to_string()) },
            _ => Heard::Nothing,
        }
    }

    fn hear_thing(&self, path: &str, prefix: &str, payload: &[u8]) -> Heard {
        let Some(path) = path.strip_prefix("thing/") else { return Heard::Nothing };
        let json: Value = serde_json::from_slice(payload).unwrap_or_default();
        if path == "property/post/reply" {
            let number = json["id"].as_str().and_then(|id| id.parse().ok());
            let refusal = (json["code"] != 200).then(|| json.to_string());
            return number.map_or(Heard::Nothing, |number| Heard::Reply { number, refusal });
        }
        let is_order = matches!(path, "property/set" | "property/get")
            || (path.starts_with("service/") && path.ends_with("/invoke"));
        if !is_order {
            return Heard::Nothing;
        }
        Heard::Command(Command {
            topic: format!("{prefix}thing/{path}_reply"),
            id: json["id"].clone(),
            kind: kind(path, json.get("params")),
            payload: payload.to_vec(),
        })
    }
}

impl Words for Token {
    fn sign_in(&self, speaker: Speaker<'_>, now_s: i64) -> SignIn {
        let cloud = Cloud::OneNetToken {
            product: self.product.clone(),
            device: speaker.device.to_owned(),
            key: speaker.secret.to_owned(),
            expiry: now_s.saturating_add(TOKEN_LIFE_S),
            method: self.method,
        };
        cloud.credentials().into()
    }

    fn filters(&self, speaker: Speaker<'_>) -> Vec<String> {
        let prefix = self.prefix(speaker);
        match self.form {
            Form::Dp => vec![format!("{prefix}dp/post/json/+"), format!("{prefix}cmd/request/+")],
            Form::Thing => vec![format!("{prefix}thing/#")],
        }
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
        let prefix = self.prefix(speaker);
        let each = |form: fn(&Value) -> Value| -> Map<String, Value> {
            values.iter().map(|(name, value)| (name.clone(), form(value))).collect()
        };
        let (path, payload) = match self.form {
            Form::Dp => ("dp/post/json", json!({"id": number, "dp": each(|value| json!([{"v": value}]))})),
            Form::Thing => (
                "thing/property/post",
                json!({
                    "id": number.to_string(),
                    "version": "1.0",
                    "params": each(|value| json!({"value": value})),
                }),
            ),
        };
        Ok(Message { topic: format!("{prefix}{path}"), payload: payload.to_string().into_bytes() })
    }

    fn hear(&self, speaker: Speaker<'_>, topic: &str, payload: &[u8]) -> Heard {
        let prefix = self.prefix(speaker);
        match (topic.strip_prefix(&prefix), self.form) {
            (None, _) => Heard::Nothing,
            (Some(path), Form::Dp) => self.hear_points(path, &prefix, payload),
            (Some(path), Form::Thing) => self.hear_thing(path, &prefix, payload),
        }
    }

    fn answer(&self, command: &Command, answer: &Answer, values: &Map<String, Value>) -> Option<Message> {
        let payload = match (self.form, answer) {
            (_, Answer::None) => return None,
            (Form::Dp, _) => answer.bytes(&command.payload)?,
            (Form::Thing, _) => {
                let code = answer.code();
                let message = if code == 200 { "success" } else { "refused" };
                let data = outputs(command, answer, values);
                json!({"id": command.id, "code": code, "msg": message, "data": data}).to_string().into_bytes()
            }
        };
        Some(Message { topic: command.topic.clone(), payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEAKER: Speaker<'_> =
        Speaker { number: 0, device: "mydev", secret: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" };

    fn words(form: Form) -> Token {
        Token { product: "123123".to_owned(), method: SignMethod::SHA1, form }
    }

    fn values() -> Map<String, Value> {
        json!({"temp": 23.5, "on": true}).as_object().expect("an object").clone()
    }

    #[test]
    fn a_token_is_made_for_each_connection() {
        let sign_in = words(Form::Dp).sign_in(SPEAKER, 1_893_456_000 - TOKEN_LIFE_S);
        assert_eq!(
            sign_in.password.as_deref(),
            Some(
                "version=2018-10-31&res=products%2F123123%2Fdevices%2Fmydev&et=1893456000&method=sha1\
                 &sign=XD9Ur0pz3k9sMMzeAqP33zzCTPo%3D"
            )
        );
    }

    #[test]
    fn data_points_are_accepted_or_rejected() {
        let words = words(Form::Dp);
        let post = words.post(SPEAKER, 7, &values()).expect("a post");
        assert_eq!(post.topic, "$sys/123123/mydev/dp/post/json");
        assert_eq!(post.payload, br#"{"id":7,"dp":{"temp":[{"v":23.5}],"on":[{"v":true}]}}"#);
        let hear =
            |path: &str, payload: &[u8]| words.hear(SPEAKER, &format!("$sys/123123/mydev/{path}"), payload);
        assert_eq!(hear("dp/post/json/accepted", br#"{"id":7}"#), Heard::Reply { number: 7, refusal: None });
        assert!(matches!(
            hear("dp/post/json/rejected", br#"{"id":7,"err_code":2305}"#),
            Heard::Reply { number: 7, refusal: Some(_) }
        ));
        assert_eq!(hear("dp/post/json/accepted", b"?"), Heard::Nothing);
        let Heard::Command(command) = hear("cmd/request/c1", b"go") else { panic!("a command was expected") };
        let answer = words.answer(&command, &Answer::Ok, &values()).expect("an answer");
        assert_eq!((&*answer.topic, &*answer.payload), ("$sys/123123/mydev/cmd/response/c1", &b"ok"[..]));
    }

    #[test]
    fn the_thing_model_is_answered() {
        let words = words(Form::Thing);
        let post = words.post(SPEAKER, 7, &values()).expect("a post");
        assert_eq!(post.topic, "$sys/123123/mydev/thing/property/post");
        let hear =
            |path: &str, payload: &[u8]| words.hear(SPEAKER, &format!("$sys/123123/mydev/{path}"), payload);
        let reply = hear("thing/property/post/reply", br#"{"id":"7","code":200,"msg":"success"}"#);
        assert_eq!(reply, Heard::Reply { number: 7, refusal: None });
        let Heard::Command(set) = hear("thing/property/set", br#"{"id":"9","params":{"on":false}}"#) else {
            panic!("a command was expected")
        };
        assert_eq!(set.kind, Kind::Set(json!({"on": false}).as_object().expect("an object").clone()));
        let answer = words.answer(&set, &Answer::Echo, &values()).expect("an answer");
        assert_eq!(answer.topic, "$sys/123123/mydev/thing/property/set_reply");
        assert_eq!(answer.payload, br#"{"id":"9","code":200,"msg":"success","data":{}}"#);
        let Heard::Command(get) = hear("thing/property/get", br#"{"id":"10","params":["temp"]}"#) else {
            panic!("a command was expected")
        };
        let answer = words.answer(&get, &Answer::Echo, &values()).expect("an answer");
        assert_eq!(answer.payload, br#"{"id":"10","code":200,"msg":"success","data":{"temp":23.5}}"#);
        let Heard::Command(call) = hear("thing/service/reboot/invoke", br#"{"id":"11","params":{"d":1}}"#)
        else {
            panic!("a command was expected")
        };
        let answer = words.answer(&call, &Answer::Echo, &values()).expect("an answer");
        assert_eq!(answer.topic, "$sys/123123/mydev/thing/service/reboot/invoke_reply");
        assert!(answer.payload.ends_with(br#""data":{"d":1}}"#));
    }
}
