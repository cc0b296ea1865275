//! What devices of a cloud say and understand: one module for each dialect.

mod aliyun;
mod onenet;
mod plain;
mod token;

use hexmq_workbench::build::{Credentials, SignMethod};
use serde_json::{Map, Value};

use super::answer::Answer;
use super::pattern::Pattern;

pub(super) use aliyun::Aliyun;
pub(super) use onenet::Onenet;
pub(super) use plain::Plain;
pub(super) use token::{Form, Token};

/// What a device signs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignIn {
    pub(super) client_identifier: String,
    pub(super) user_name: Option<String>,
    pub(super) password: Option<String>,
}

impl From<Credentials> for SignIn {
    fn from(credentials: Credentials) -> SignIn {
        SignIn {
            client_identifier: credentials.client_identifier,
            user_name: Some(credentials.user_name),
            password: Some(credentials.password),
        }
    }
}

/// Something to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    pub(super) number: u64,
    pub(super) device: &'a str,
    pub(super) secret: &'a str,
}

/// What a message from the server means to a device.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// The answer to the post of this number, and what is wrong if it was refused.
    Reply { number: u32, refusal: Option<String> },
    /// An order that wants an answer.
    Command(Command),
    /// Nothing that is to be answered.
    Nothing,
}

/// An order to a device.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    /// Where the answer goes.
    pub(super) topic: String,
    /// The id to be given back, in the JSON of the clouds that have one.
    pub(super) id: Value,
    /// What is asked.
    pub(super) kind: Kind,
    /// The order as it came.
    pub(super) payload: Vec<u8>,
}

/// What an order asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// To set these values.
    Set(Map<String, Value>),
    /// To tell the values of these names; all if empty.
    Get(Vec<String>),
    /// Anything else.
    Call,
}

/// One dialect.
pub(super) trait Words {
    /// What the device signs in with; `now_s` in seconds since 1970.
    fn sign_in(&self, speaker: Speaker<'_>, now_s: i64) -> SignIn;

    /// What it subscribes to.
    fn filters(&self, speaker: Speaker<'_>) -> Vec<String>;

    /// Whether a post is answered by a message.
    fn is_answered(&self) -> bool;

    /// Values as the device posts them.
    fn post(&self, speaker: Speaker<'_>, number: u32, values: &Map<String, Value>)
    -> Result<Message, String>;

    /// What a message means.
    fn hear(&self, speaker: Speaker<'_>, topic: &str, payload: &[u8]) -> Heard;

    /// The answer to an order; `values` are the device's own.
    fn answer(&self, command: &Command, answer: &Answer, values: &Map<String, Value>) -> Option<Message>;
}

/// The values an order asks for.
fn asked(names: &[String], values: &Map<String, Value>) -> Value {
    let wanted = values.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
    Value::Object(wanted.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// What `params` of an order on this topic asks.
fn kind(what: &str, params: Option<&Value>) -> Kind {
    let params = params.unwrap_or(&Value::Null);
    match what {
        "property/set" => Kind::Set(params.as_object().cloned().unwrap_or_default()),
        "property/get" => {
            let names = params.as_array().into_iter().flatten();
            Kind::Get(names.filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => Kind::Call,
    }
}

/// The outputs that an answer returns: values that were asked for, or what the user wants.
fn outputs(command: &Command, answer: &Answer, values: &Map<String, Value>) -> Value {
    let params = || serde_json::from_slice::<Value>(&command.payload).ok()?.get("params").cloned();
    match (&command.kind, answer) {
        (Kind::Get(names), _) => asked(names, values),
        (Kind::Call, Answer::Echo) => params().filter(Value::is_object).unwrap_or_else(empty),
        (Kind::Call, Answer::Value(value)) => value.clone(),
        _ => empty(),
    }
}

fn empty() -> Value {
    Value::Object(Map::new())
}
