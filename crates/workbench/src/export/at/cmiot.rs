//! China Mobile IoT modules: `AT+MQTT…` of the "ML307 series AT command manual" and of the "M5311 AT
//! command manual".

use hexmq_wire::{Connect, ControlPacket, Publish, Version};

use super::{Builder, ExportError, Script, as_text, payload_within, plain_quoted, without_properties};
use crate::hex::plain_hex;

/// Bytes of the longest payload of either.
const PAYLOAD_MAX: usize = 1024;

/// The 4G modules ML305 and ML307.
#[derive(Debug)]
pub(super) struct Ml307;

/// The narrow-band modules M5310 and M5311, and the ML302.
#[derive(Debug)]
pub(super) struct M5311;

impl Builder for Ml307 {
    fn versions(&self) -> &'static [Version] {
        &[Version::V4]
    }

    fn connect(
        &self,
        script: &mut Script,
        (host, port): (&str, u16),
        connect: &Connect<'_>,
    ) -> Result<(), ExportError> {
        script.command("AT+MQTTCFG=\"version\",0,4", "OK");
        script.command(&format!("AT+MQTTCFG=\"keepalive\",0,{}", connect.keep_alive_s), "OK");
        script.command(&format!("AT+MQTTCFG=\"clean\",0,{}", u8::from(connect.clean_start)), "OK");
        if let Some(will) = &connect.will {
            let topic = plain_quoted("will topic", will.topic)?;
            let message = plain_quoted("will message", as_text("will message", will.payload)?)?;
            let (qos, retain) = (will.qos as u8, u8::from(will.retain));
            script.command(&format!("AT+MQTTCFG=\"willoption\",0,1,{qos},{retain}"), "OK");
            script.command(&format!("AT+MQTTCFG=\"willpayload\",0,{topic},{message}"), "OK");
        }
        let mut command = format!(
            "AT+MQTTCONN=0,{},{port},{}",
            plain_quoted("host", host)?,
            plain_quoted("client identifier", connect.client_identifier)?
        );
        if connect.user_name.is_some() || connect.password.is_some() {
            let password = as_text("password", connect.password.unwrap_or_default())?;
            let user_name = plain_quoted("user name", connect.user_name.unwrap_or_default())?;
            command += &format!(",{user_name},{}", plain_quoted("password", password)?);
        }
        script.command(&command, "OK, +MQTTURC: \"conn\",0,0");
        Ok(())
    }

    fn packet(&self, script: &mut Script, packet: &ControlPacket<'_>) -> Option<Result<(), ExportError>> {
        Some(match packet {
            ControlPacket::Publish(publish) => (|| {
                let (topic, qos, retain, dup) = publish_words(publish)?;
                let length = publish.payload.len();
                // Without the message the module asks for it, and takes any bytes.
                script.command(&format!("AT+MQTTPUB=0,{topic},{qos},{retain},{dup},{length}"), ">");
                script.data(publish.payload, "+MQTTPUB: 0,…, OK");
                Ok(())
            })(),
            ControlPacket::Subscribe(subscribe) => (|| {
                let mut command = "AT+MQTTSUB=0".to_owned();
                for one in subscribe.subscriptions.iter() {
                    let filter = plain_quoted("topic filter", one.topic_filter)?;
                    command += &format!(",{filter},{}", one.options.qos as u8);
                }
                script.command(&command, "+MQTTSUB: 0,…, OK, +MQTTURC: \"suback\",0,…");
                Ok(())
            })(),
            ControlPacket::Unsubscribe(unsubscribe) => (|| {
                let mut command = "AT+MQTTUNSUB=0".to_owned();
                for filter in unsubscribe.topic_filters.iter() {
                    command += &format!(",{}", plain_quoted("topic filter", filter)?);
                }
                script.command(&command, "+MQTTUNSUB: 0,…, OK, +MQTTURC: \"unsuback\",0,…");
                Ok(())
            })(),
            ControlPacket::Disconnect(_) => {
                script.command("AT+MQTTDISC=0", "OK, +MQTTURC: \"conn\",0,2");
                Ok(())
            }
            _ => return None,
        })
    }
}

impl Builder for M5311 {
    fn versions(&self) -> &'static [Version] {
        &[Version::V4]
    }

    fn connect(
        &self,
        script: &mut Script,
        (host, port): (&str, u16),
        connect: &Connect<'_>,
    ) -> Result<(), ExportError> {
        let user_name = plain_quoted("user name", connect.user_name.unwrap_or_default())?;
        let password = plain_quoted("password", as_text("password", connect.password.unwrap_or_default())?)?;
        script.command(
            &format!(
                "AT+MQTTCFG={},{port},{},{},{user_name},{password},{}",
                plain_quoted("host", host)?,
                plain_quoted("client identifier", connect.client_identifier)?,
                connect.keep_alive_s,
                u8::from(connect.clean_start)
            ),
            "OK",
        );
        // User name, password and will flags, Will Retain, Will QoS, will topic, will message.
        let flags = (u8::from(connect.user_name.is_some()), u8::from(connect.password.is_some()));
        let (will, retain, qos, topic, message) = match &connect.will {
            Some(will) => {
                let message = plain_quoted("will message", as_text("will message", will.payload)?)?;
                let topic = plain_quoted("will topic", will.topic)?;
                (1, u8::from(will.retain), will.qos as u8, topic, message)
            }
            None => (0, 0, 0, "\"\"".to_owned(), "\"\"".to_owned()),
        };
        script.command(
            &format!("AT+MQTTOPEN={},{},{will},{retain},{qos},{topic},{message}", flags.0, flags.1),
            "OK, +MQTTOPEN:OK",
        );
        Ok(())
    }

    fn packet(&self, script: &mut Script, packet: &ControlPacket<'_>) -> Option<Result<(), ExportError>> {
        Some(match packet {
            ControlPacket::Publish(publish) => (|| {
                let (topic, qos, retain, dup) = publish_words(publish)?;
                let (length, hex) = (publish.payload.len(), plain_hex(publish.payload));
                // With a length above 0 the message is in hex, so that it may be any bytes.
                let command = format!("AT+MQTTPUB={topic},{qos},{retain},{dup},{length},\"{hex}\"");
                script.command(&command, "OK");
                Ok(())
            })(),
            ControlPacket::Subscribe(subscribe) => subscribe.subscriptions.iter().try_for_each(|one| {
                let filter = plain_quoted("topic filter", one.topic_filter)?;
                script.command(&format!("AT+MQTTSUB={filter},{}", one.options.qos as u8), "OK");
                Ok(())
            }),
            ControlPacket::Unsubscribe(unsubscribe) => {
                unsubscribe.topic_filters.iter().try_for_each(|filter| {
                    let filter = plain_quoted("topic filter", filter)?;
                    script.command(&format!("AT+MQTTUNSUB={filter}"), "OK");
                    Ok(())
                })
            }
            ControlPacket::Disconnect(_) => {
                script.command("AT+MQTTDISC", "OK");
                Ok(())
            }
            _ => return None,
        })
    }
}

/// What both put into their command.
fn publish_words(publish: &Publish<'_>) -> Result<(String, u8, u8, u8), ExportError> {
    without_properties(publish.properties)?;
    payload_within(publish.payload, PAYLOAD_MAX)?;
    let topic = plain_quoted("topic", publish.topic_name)?;
    Ok((topic, publish.qos() as u8, u8::from(publish.retain), u8::from(publish.dup)))
}
