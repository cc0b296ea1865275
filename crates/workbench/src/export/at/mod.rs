//! AT commands that make a module send a packet.
//!
//! Two kinds of modules: those that carry bytes over TCP, which can send anything, wrong packets
//! too; and those that build MQTT packets themselves from parameters. The commands are those of the
//! vendors' manuals, which are named at each family.
//!
//! A script is text, a line per step: lines that begin with `AT` are sent with CR LF at the end;
//! `text` and `hex` lines are sent as they are, without line end, after the module's prompt; lines
//! that begin with `#` say what the module answers or what to know.

mod cmiot;
mod esp;
mod luat;
mod quectel;
mod script;
mod simcom;
mod tcp;

use hexmq_wire::{Connect, ControlPacket, Frame, PacketType, Properties, Version};

use super::session::{anonymous, read};
use super::{ExportError, Session};
use crate::Text;
use crate::language::text;
use script::Script;
use tcp::Tcp;

/// A family of modules that understand the same commands.
#[derive(Debug)]
pub struct AtModule {
    /// The name it is asked for by.
    pub name: &'static str,
    /// Other names: modules with the same commands.
    pub aliases: &'static [&'static str],
    /// Which commands it is.
    pub about: Text,
    kind: Kind,
}

/// What a module does with a packet.
#[derive(Debug)]
enum Kind {
    /// It sends the bytes it is given.
    Tcp(&'static Tcp),
    /// It builds the packet.
    Mqtt(&'static dyn Builder),
}

/// A family that builds packets itself.
trait Builder: Sync + std::fmt::Debug {
    /// The versions it speaks.
    fn versions(&self) -> &'static [Version];
    /// Commands up to the CONNACK.
    fn connect(
        &self,
        script: &mut Script,
        server: (&str, u16),
        connect: &Connect<'_>,
    ) -> Result<(), ExportError>;
    /// Commands for what follows; `None` if it has none for this packet.
    fn packet(&self, script: &mut Script, packet: &ControlPacket<'_>) -> Option<Result<(), ExportError>>;
}

static MODULES: [AtModule; 13] = [
    AtModule {
        name: "esp8266",
        aliases: &["esp32", "esp-at"],
        about: text(
            "Espressif ESP-AT over TCP: AT+CIPSTART, AT+CIPSEND",
            "乐鑫 ESP-AT 的 TCP 指令：AT+CIPSTART、AT+CIPSEND",
        ),
        kind: Kind::Tcp(&tcp::ESP_AT),
    },
    AtModule {
        name: "esp8266-mqtt",
        aliases: &["esp32-mqtt", "esp-mqtt"],
        about: text(
            "Espressif ESP-AT with its own MQTT: AT+MQTTUSERCFG, AT+MQTTCONN, AT+MQTTPUBRAW",
            "乐鑫 ESP-AT 自带的 MQTT：AT+MQTTUSERCFG、AT+MQTTCONN、AT+MQTTPUBRAW",
        ),
        kind: Kind::Mqtt(&esp::EspAt),
    },
    AtModule {
        name: "sim800",
        aliases: &["sim800c", "sim800l", "sim900", "sim900a"],
        about: text(
            "SIMCom 2G over TCP: AT+CIPSTART, AT+CIPSEND",
            "SIMCom 2G 的 TCP 指令：AT+CIPSTART、AT+CIPSEND",
        ),
        kind: Kind::Tcp(&tcp::SIM800),
    },
    AtModule {
        name: "sim7600",
        aliases: &["a7600", "a7670", "a7680", "sim7500"],
        about: text(
            "SIMCom 4G with its own MQTT: AT+CMQTTCONNECT, AT+CMQTTPUB",
            "SIMCom 4G 自带的 MQTT：AT+CMQTTCONNECT、AT+CMQTTPUB",
        ),
        kind: Kind::Mqtt(&simcom::Simcom),
    },
    AtModule {
        name: "sim7600-tcp",
        aliases: &["a7600-tcp", "a7670-tcp"],
        about: text(
            "SIMCom 4G over TCP: AT+CIPOPEN, AT+CIPSEND",
            "SIMCom 4G 的 TCP 指令：AT+CIPOPEN、AT+CIPSEND",
        ),
        kind: Kind::Tcp(&tcp::SIM7600),
    },
    AtModule {
        name: "ec20",
        aliases: &["ec200", "ec600", "ec800", "ec25", "bc26", "quectel"],
        about: text(
            "Quectel with its own MQTT: AT+QMTOPEN, AT+QMTCONN, AT+QMTPUBEX",
            "移远自带的 MQTT：AT+QMTOPEN、AT+QMTCONN、AT+QMTPUBEX",
        ),
        kind: Kind::Mqtt(&quectel::Quectel),
    },
    AtModule {
        name: "ec20-tcp",
        aliases: &["ec200-tcp", "ec600-tcp", "ec800-tcp", "quectel-tcp"],
        about: text("Quectel over TCP: AT+QIOPEN, AT+QISEND", "移远的 TCP 指令：AT+QIOPEN、AT+QISEND"),
        kind: Kind::Tcp(&tcp::QUECTEL),
    },
    AtModule {
        name: "air724",
        aliases: &["air720", "air780", "luat"],
        about: text(
            "Luat (AirM2M) with its own MQTT: AT+MCONFIG, AT+MCONNECT, AT+MPUBEX",
            "合宙自带的 MQTT：AT+MCONFIG、AT+MCONNECT、AT+MPUBEX",
        ),
        kind: Kind::Mqtt(&luat::Luat),
    },
    AtModule {
        name: "air724-tcp",
        aliases: &["air720-tcp", "air780-tcp", "luat-tcp"],
        about: text(
            "Luat (AirM2M) over TCP: AT+CIPSTART, AT+CIPSEND",
            "合宙的 TCP 指令：AT+CIPSTART、AT+CIPSEND",
        ),
        kind: Kind::Tcp(&tcp::LUAT),
    },
    AtModule {
        name: "ml307",
        aliases: &["ml305", "ml307r", "ml307a"],
        about: text(
            "China Mobile ML307 with its own MQTT: AT+MQTTCFG, AT+MQTTCONN, AT+MQTTPUB",
            "中移 ML307 自带的 MQTT：AT+MQTTCFG、AT+MQTTCONN、AT+MQTTPUB",
        ),
        kind: Kind::Mqtt(&cmiot::Ml307),
    },
    AtModule {
        name: "ml307-tcp",
        aliases: &["ml305-tcp"],
        about: text(
            "China Mobile ML307 over TCP: AT+MIPOPEN, AT+MIPSEND",
            "中移 ML307 的 TCP 指令：AT+MIPOPEN、AT+MIPSEND",
        ),
        kind: Kind::Tcp(&tcp::ML307),
    },
    AtModule {
        name: "m5311",
        aliases: &["m5310", "mn316", "m6315"],
        about: text(
            "China Mobile M5311 (NB-IoT) with its own MQTT: AT+MQTTCFG, AT+MQTTOPEN, AT+MQTTPUB",
            "中移 M5311（NB-IoT）自带的 MQTT：AT+MQTTCFG、AT+MQTTOPEN、AT+MQTTPUB",
        ),
        kind: Kind::Mqtt(&cmiot::M5311),
    },
    AtModule {
        name: "ml302",
        aliases: &[],
        about: text(
            "China Mobile ML302 with its own MQTT; the commands of the M5311",
            "中移 ML302 自带的 MQTT，指令与 M5311 相同",
        ),
        kind: Kind::Mqtt(&cmiot::M5311),
    },
];

impl AtModule {
    /// All families.
    pub fn all() -> &'static [AtModule] {
        &MODULES
    }

    /// The family with this name, or with a module of this name.
    pub fn from_name(name: &str) -> Option<&'static AtModule> {
        let name = name.to_ascii_lowercase();
        let known = |module: &&AtModule| module.name == name || module.aliases.contains(&name.as_str());
        MODULES.iter().find(known)
    }

    /// Whether the module sends any bytes, wrong packets too.
    pub fn carries_bytes(&self) -> bool {
        matches!(self.kind, Kind::Tcp(_))
    }

    /// The script that makes the module send `packets`, with a connection in front if the session
    /// knows its CONNECT, or if the first packet is one.
    ///
    /// # Errors
    /// What the module cannot say: packets of the server, and for one that builds packets itself
    /// wrong packets, MQTT 5 and whatever it has no parameter for.
    pub fn script(&self, packets: &[Vec<u8>], session: &Session<'_>) -> Result<String, ExportError> {
        let types = packets.iter().filter_map(|packet| Frame::new(packet).packet_type());
        if let Some(packet_type) = types.clone().find(|packet_type| is_servers(*packet_type)) {
            return Err(ExportError::new(format!(
                "{} comes from the server; a module never sends it",
                packet_type.name()
            )));
        }
        let mut script = Script::default();
        let begins = types.clone().next() == Some(PacketType::Connect);
        match self.kind {
            Kind::Tcp(tcp) => {
                tcp.open(&mut script, session.host, session.port)?;
                if let Some(connect) = session.connect.filter(|_| !begins) {
                    tcp.send(&mut script, connect);
                    script.note("the server answers with CONNACK: 20 02 00 00");
                }
                packets.iter().for_each(|packet| tcp.send(&mut script, packet));
            }
            Kind::Mqtt(builder) => self.build(builder, &mut script, packets, session)?,
        }
        Ok(script.into_text())
    }

    fn build(
        &self,
        builder: &dyn Builder,
        script: &mut Script,
        packets: &[Vec<u8>],
        session: &Session<'_>,
    ) -> Result<(), ExportError> {
        let mut connected = false;
        for packet in packets {
            let packet = read(packet, session.version).map_err(|error| self.refuse(&error.message))?;
            let connect = match &packet {
                ControlPacket::Connect(connect) => Some(*connect),
                _ => session.connect()?,
            };
            if !connected {
                connected = true;
                self.begin(builder, script, connect, session)?;
            }
            if matches!(packet, ControlPacket::Connect(_)) {
                continue;
            }
            let name = packet.packet_type().name();
            let refused =
                || self.refuse(&format!("the module sends {name} by itself and has no command for it"));
            builder.packet(script, &packet).ok_or_else(refused)??;
        }
        Ok(())
    }

    /// The connection, or a note where it is not known.
    fn begin(
        &self,
        builder: &dyn Builder,
        script: &mut Script,
        connect: Option<Connect<'_>>,
        session: &Session<'_>,
    ) -> Result<(), ExportError> {
        let version = connect.unwrap_or(anonymous(session.version)).version;
        if !builder.versions().contains(&version) {
            let name = crate::render::version_name(version);
            return Err(self.refuse(&format!("the module does not speak {name}")));
        }
        match &connect {
            Some(connect) => builder.connect(script, (session.host, session.port), connect),
            None => {
                script.note("the module is connected; give -i, -u and -P to see how");
                Ok(())
            }
        }
    }

    /// An error that points to the commands that can do it.
    fn refuse(&self, why: &str) -> ExportError {
        let tcp = AtModule::from_name(&format!("{}-tcp", self.name)).or(MODULES.first());
        let other = tcp.map_or("esp8266", |module| module.name);
        ExportError::new(format!("{why}; `--at {other}` sends the bytes themselves"))
    }
}

/// Whether only the server sends this packet.
fn is_servers(packet_type: PacketType) -> bool {
    matches!(
        packet_type,
        PacketType::Connack | PacketType::Suback | PacketType::Unsuback | PacketType::Pingresp
    )
}

/// A parameter in double quotes for modules that know no escape.
fn plain_quoted(what: &str, value: &str) -> Result<String, ExportError> {
    if value.contains('"') || value.chars().any(char::is_control) {
        return Err(ExportError::new(format!(
            "the {what} has a quotation mark or a control character, and the module knows no escape for it"
        )));
    }
    Ok(format!("\"{value}\""))
}

/// Binary fields where a module takes text.
fn as_text<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, ExportError> {
    std::str::from_utf8(bytes)
        .map_err(|_| ExportError::new(format!("the {what} is no text, and the module takes only text")))
}

/// No parameter of any family says properties.
fn without_properties(properties: Properties<'_>) -> Result<(), ExportError> {
    match properties.is_empty() {
        true => Ok(()),
        false => Err(ExportError::new("the module has no parameters for properties")),
    }
}

/// A payload within what a command takes.
fn payload_within(payload: &[u8], most: usize) -> Result<(), ExportError> {
    match payload.len() {
        0 => Err(ExportError::new("the module cannot publish an empty payload")),
        length if length > most => {
            Err(ExportError::new(format!("the payload has {length} bytes, and the command takes {most}")))
        }
        _ => Ok(()),
    }
}
