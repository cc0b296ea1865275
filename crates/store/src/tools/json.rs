//! Records as JSON, one object a line; see `docs/store.md`.

use std::num::{NonZeroU16, NonZeroU32};

use hexmq_broker::{Destination, Message, Namespace, QueuedTerms, Record, Serial, ShardId};
use hexmq_session::Wall;
use hexmq_wire::{QoS, RetainHandling, SubscriptionOptions};
use serde_json::{Map, Value, json};

/// A record as a JSON object.
pub(super) fn from_record(record: &Record<'_>) -> Value {
    match *record {
        Record::Session { session, namespace, identifier, expiry_s, ends_at } => json!({
            "record": "session", "session": session.0, "namespace": namespace.0, "identifier": identifier,
            "expiry_s": expiry_s, "ends_at": ends_at.map(|at| at.0),
        }),
        Record::Subscribed { session, filter, options, identifier } => json!({
            "record": "subscribed", "session": session.0, "filter": filter, "qos": options.qos as u8,
            "no_local": options.no_local, "retain_as_published": options.retain_as_published,
            "retain_handling": options.retain_handling as u8, "identifier": identifier,
        }),
        Record::Message { serial, message } => from_message(serial, &message),
        Record::Queued { session, place, message, ref terms, sent } => json!({
            "record": "queued", "session": session.0, "place": place, "message": message.0, "qos": terms.qos as u8,
            "retain": terms.retain, "group": terms.group,
            "subscription_identifiers": terms.subscription_identifiers, "sent": sent,
        }),
        Record::TakenOver { session, place } => {
            json!({"record": "taken_over", "session": session.0, "place": place})
        }
        Record::Incoming { session, identifier } => {
            json!({"record": "incoming", "session": session.0, "identifier": identifier})
        }
        Record::Retained { version, message, publisher } => {
            json!({"record": "retained", "version": version, "message": message.0, "publisher": publisher})
        }
        Record::Forwarded { message, to } => json!({
            "record": "forwarded", "message": message.0, "shard": to.shard.0, "shards": to.shards, "group": to.group,
        }),
        Record::Will { session, message, delay_s, due, expiry_s } => json!({
            "record": "will", "session": session.0, "message": message.0, "delay_s": delay_s,
            "due": due.map(|due| due.0), "expiry_s": expiry_s,
        }),
        // What takes away has done so in what is exported.
        _ => Value::Null,
    }
}

fn from_message(serial: Serial, message: &Message<'_>) -> Value {
    let mut object = Map::new();
    object.insert("record".into(), "message".into());
    object.insert("message".into(), serial.0.into());
    object.insert("namespace".into(), message.namespace.0.into());
    object.insert("topic".into(), message.topic.into());
    object.insert("qos".into(), (message.qos as u8).into());
    object.insert("retain".into(), message.retain.into());
    object.insert("expires_at".into(), message.expires_at.map(|at| at.0).into());
    object.insert("properties_hex".into(), hex(message.properties).into());
    match str::from_utf8(message.payload) {
        Ok(text) => object.insert("payload".into(), text.into()),
        Err(_) => object.insert("payload_hex".into(), hex(message.payload).into()),
    };
    Value::Object(object)
}

/// Makes a record of a JSON object and appends it to a commit. An error names the field.
pub(super) fn to_record(object: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    let fields = Fields(object);
    let session = || fields.number("session").map(Serial);
    let message = || fields.number("message").map(Serial);
    match fields.text("record")? {
        "session" => Record::Session {
            session: session()?,
            namespace: Namespace(fields.narrow("namespace")?),
            identifier: fields.text("identifier")?,
            expiry_s: fields.maybe("expiry_s")?,
            ends_at: fields.maybe("ends_at")?.map(Wall),
        }
        .encode(out),
        "subscribed" => Record::Subscribed {
            session: session()?,
            filter: fields.text("filter")?,
            options: fields.options()?,
            identifier: fields.maybe("identifier")?.and_then(NonZeroU32::new),
        }
        .encode(out),
        "message" => message_to_record(&fields, message()?, out)?,
        "queued" => {
            let identifiers = fields.numbers("subscription_identifiers")?;
            Record::Queued {
                session: session()?,
                place: fields.number("place")?,
                message: message()?,
                terms: QueuedTerms {
                    qos: fields.qos()?,
                    retain: fields.flag("retain")?,
                    group: fields.number("group")?,
                    subscription_identifiers: &identifiers,
                },
                sent: fields.maybe("sent")?.and_then(NonZeroU16::new),
            }
            .encode(out);
        }
        "taken_over" => Record::TakenOver { session: session()?, place: fields.number("place")? }.encode(out),
        "incoming" => {
            let identifier = NonZeroU16::new(fields.narrow("identifier")?).ok_or("`identifier` is 0")?;
            Record::Incoming { session: session()?, identifier }.encode(out);
        }
        "retained" => Record::Retained {
            version: fields.number("version")?,
            message: message()?,
            publisher: fields.number("publisher")?,
        }
        .encode(out),
        "forwarded" => {
            let to = Destination {
                shard: ShardId(fields.narrow("shard")?),
                shards: fields.narrow("shards")?,
                group: fields.number("group")?,
            };
            Record::Forwarded { message: message()?, to }.encode(out);
        }
        "will" => Record::Will {
            session: session()?,
            message: message()?,
            delay_s: fields.narrow("delay_s")?,
            due: fields.maybe("due")?.map(Wall),
            expiry_s: fields.maybe("expiry_s")?,
        }
        .encode(out),
        other => return Err(format!("there is no record `{other}`")),
    }
    Ok(())
}

fn message_to_record(fields: &Fields<'_>, serial: Serial, out: &mut Vec<u8>) -> Result<(), String> {
    let properties = unhex(fields.text("properties_hex")?).ok_or("`properties_hex` is not hexadecimal")?;
    let hexadecimal;
    let payload = match fields.0.get("payload") {
        Some(_) => fields.text("payload")?.as_bytes(),
        None => {
            hexadecimal = unhex(fields.text("payload_hex")?).ok_or("`payload_hex` is not hexadecimal")?;
            &hexadecimal
        }
    };
    let message = Message {
        namespace: Namespace(fields.narrow("namespace")?),
        topic: fields.text("topic")?,
        properties: &properties,
        payload,
        qos: fields.qos()?,
        retain: fields.flag("retain")?,
        expires_at: fields.maybe("expires_at")?.map(Wall),
        publisher: None,
    };
    Record::Message { serial, message }.encode(out);
    Ok(())
}

fn retain_handling(number: u8) -> Result<RetainHandling, String> {
    match number {
        0 => Ok(RetainHandling::Send),
        1 => Ok(RetainHandling::SendIfNew),
        2 => Ok(RetainHandling::DoNotSend),
        _ => Err("`retain_handling` is neither 0, 1 nor 2".to_owned()),
    }
}

/// The fields of an object; errors name the field.
pub(super) struct Fields<'a>(pub(super) &'a Value);

impl<'a> Fields<'a> {
    fn field(&self, name: &str) -> Result<&'a Value, String> {
        self.0.get(name).ok_or_else(|| format!("`{name}` is missing"))
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, String> {
        self.field(name)?.as_str().ok_or_else(|| format!("`{name}` is not a text"))
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, String> {
        self.field(name)?.as_u64().ok_or_else(|| format!("`{name}` is not a whole number"))
    }

    fn narrow<T: TryFrom<u64>>(&self, name: &str) -> Result<T, String> {
        T::try_from(self.number(name)?).map_err(|_| format!("`{name}` is too large"))
    }

    /// `None` if it is null or missing.
    fn maybe<T: TryFrom<u64>>(&self, name: &str) -> Result<Option<T>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.narrow(name).map(Some),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        self.field(name)?.as_bool().ok_or_else(|| format!("`{name}` is neither true nor false"))
    }

    fn qos(&self) -> Result<QoS, String> {
        QoS::from_bits(self.narrow("qos")?).ok_or_else(|| "`qos` is neither 0, 1 nor 2".to_owned())
    }

    fn options(&self) -> Result<SubscriptionOptions, String> {
        Ok(SubscriptionOptions {
            qos: self.qos()?,
            no_local: self.flag("no_local")?,
            retain_as_published: self.flag("retain_as_published")?,
            retain_handling: retain_handling(self.narrow("retain_handling")?)?,
        })
    }

    fn numbers(&self, name: &str) -> Result<Vec<u32>, String> {
        let wrong = || format!("`{name}` is not a list of numbers");
        let list = self.field(name)?.as_array().ok_or_else(wrong)?;
        list.iter()
            .map(|value| value.as_u64().and_then(|value| value.try_into().ok()).ok_or_else(wrong))
            .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}
