//! What is simulated, as the command line says it.

use std::path::PathBuf;

use hexmq_client::load::Faults;
use hexmq_wire::{QoS, Version};
use hexmq_workbench::build::SignMethod;

use super::answer::Answer;
use super::pattern::Pattern;
use super::provision::ApiArgs;
use super::random::Random;
use super::secrets;
use super::simulation::{Device, Plan};
use super::value::Property;
use super::words::{Aliyun, Form, Onenet, Plain, Token, Words};
use crate::command::client::{Trouble, qos};
use crate::config::Span;

/// Devices of one process.
const DEVICES_MAX: u64 = 1_000_000;

/// What the devices speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DialectArg {
    /// OneNET, legacy access: $dp, $creq
    Onenet,
    /// OneNET, access by token: $sys/…
    OnenetToken,
    /// Aliyun IoT Platform: signed triples and Alink JSON
    Aliyun,
    /// No cloud: JSON on devices/{device}/…
    Plain,
}

impl DialectArg {
    /// The name that the HTTP API has for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            DialectArg::Onenet => "onenet",
            DialectArg::OnenetToken => "onenet-token",
            DialectArg::Aliyun => "aliyun",
            DialectArg::Plain => "plain",
        }
    }
}

/// Simulate devices: sign-in, values on a schedule, answers to commands, a bad network
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    after_help = "Values: NAME=sine:18..26/60s, ramp:0..100/60s, random:0..1, int:1..6, walk:0..100/0.5, bool, bool:0.1,\n\
                  enum:a|b|c, count, or a constant: a number, text, JSON.\n\
                  Patterns: {n} is the number of a device, {n:05} the same with five digits, {device} its id.\n\
                  Ends with 0 when every post was acknowledged (and answered, where its cloud answers) and nothing\n\
                  failed that was not asked for; with 1 otherwise."
)]
pub(crate) struct Args {
    /// What the devices speak
    #[arg(long, value_enum, default_value_t = DialectArg::Plain)]
    pub(super) dialect: DialectArg,
    /// Product id or ProductKey; without one, plain devices connect without user name
    #[arg(long, value_name = "ID")]
    pub(super) product: Option<String>,
    /// Secret of the product: master API key, access key, ProductSecret
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    pub(super) product_secret: Option<String>,
    /// How many devices [default: 1, or all of the file]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=DEVICES_MAX))]
    pub(super) devices: Option<u64>,
    /// Their ids
    #[arg(long, value_name = "PATTERN", default_value = "dev-{n}")]
    device: Pattern,
    /// Number of the first one
    #[arg(long, value_name = "N", default_value_t = 1)]
    first: u64,
    /// Their secrets: auth info, access key, DeviceSecret [default: that of the product, if there is one]
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true, conflicts_with = "secrets")]
    secret: Option<Pattern>,
    /// Ids and secrets from a CSV or JSON file
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    #[command(flatten)]
    pub(super) api: ApiArgs,

    /// Host of the server; it must be this machine, unless --remote
    #[arg(short = 'h', long, default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Port of the server
    #[arg(short, long, default_value_t = 1883)]
    pub(super) port: u16,
    /// Load a server that is not on this machine: say so only for one that is yours
    #[arg(long)]
    pub(super) remote: bool,
    /// Process of the server on this machine, for its CPU time and memory
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) pid: Option<u32>,
    /// Version of MQTT: 3, 4 or 5
    #[arg(long, value_name = "VERSION", default_value = "4", value_parser = version)]
    mqtt: Version,
    /// QoS of what the devices publish
    #[arg(short, long, default_value = "1", value_parser = qos)]
    qos: QoS,
    /// Keep Alive in seconds; 0 turns it off
    #[arg(short, long, value_name = "SECONDS", default_value_t = 120)]
    keepalive: u16,
    /// Sessions outlive connections
    #[arg(short = 'c', long)]
    durable: bool,
    /// Hash function of signatures: hmacmd5, hmacsha1, hmacsha256
    #[arg(long, value_name = "METHOD", default_value = "hmacsha1", value_parser = method)]
    sign: SignMethod,
    /// Aliyun: the server subscribes for the devices (_ss=1)
    #[arg(long)]
    auto_subscribe: bool,
    /// OneNET legacy: the type of $dp payloads, 1 to 8
    #[arg(long, value_name = "TYPE", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    dp_type: u8,
    /// OneNET by token: which generation of topics
    #[arg(long, value_enum, default_value_t = Form::Dp)]
    form: Form,
    /// Plain: where values go
    #[arg(long, value_name = "PATTERN", default_value = "devices/{device}/properties")]
    topic: Pattern,
    /// Plain: where orders come from, a topic filter; empty for none
    #[arg(long, value_name = "PATTERN", default_value = "devices/{device}/commands/+")]
    order_topic: Pattern,
    /// Plain: where answers go; {id} is the last level of the order's topic
    #[arg(long, value_name = "PATTERN", default_value = "devices/{device}/commands/{id}/reply")]
    answer_topic: String,

    /// A value that each device posts (repeatable) [default: temperature=sine:18..26/60s]
    #[arg(short, long = "value", value_name = "NAME=SOURCE")]
    values: Vec<Property>,
    /// Time from post to post
    #[arg(long, value_name = "TIME", default_value = "10s")]
    every: Span,
    /// A post is up to so much late
    #[arg(long, value_name = "TIME", default_value = "0")]
    jitter: Span,
    /// Posts of each device; then it ends
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// The run ends after this; without it and --messages on Ctrl-C
    #[arg(long = "for", value_name = "TIME")]
    length: Option<Span>,
    /// Devices connect over this time
    #[arg(long, value_name = "TIME", default_value = "0")]
    ramp: Span,
    /// What orders are answered: echo, ok, none, code:NUMBER, value:JSON-or-text
    #[arg(long, value_name = "ANSWER", default_value = "ok")]
    reply: Answer,
    /// How long the answer takes
    #[arg(long, value_name = "TIME", default_value = "0")]
    reply_delay: Span,
    /// Likelihood (0 to 1) that the connection breaks when a post is due
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    drop_rate: f64,
    /// Each device breaks its connection this often and comes back
    #[arg(long, value_name = "TIME")]
    reconnect: Option<Span>,
    /// Packets are cut into TCP segments of at most so many bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    split_segments: Option<u32>,
    /// Packets are gathered so long and leave in one segment
    #[arg(long, value_name = "TIME")]
    coalesce: Option<Span>,
    /// Packets leave so much later
    #[arg(long, value_name = "TIME")]
    delay: Option<Span>,
    /// How long the last posts may wait for their answers
    #[arg(long, value_name = "TIME", default_value = "10s")]
    patience: Span,
    /// The same devices do the same with the same seed
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Do not tell how it goes
    #[arg(long)]
    quiet: bool,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "3" | "3.1" => Ok(Version::V3),
        "4" | "3.1.1" => Ok(Version::V4),
        "5" | "5.0" => Ok(Version::V5),
        _ => Err("expected 3 (MQTT 3.1), 4 (3.1.1) or 5".to_owned()),
    }
}

fn method(text: &str) -> Result<SignMethod, String> {
    SignMethod::from_name(text).ok_or_else(|| "the methods are hmacmd5, hmacsha1 and hmacsha256".into())
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "a number from 0 to 1".into())
}

impl Args {
    /// The devices, in order.
    pub(super) fn fleet(&self) -> Result<Vec<Device>, Trouble> {
        if let Some(path) = &self.secrets {
            let listed = secrets::read(path)?;
            let wanted = self.devices.unwrap_or(listed.len() as u64);
            if wanted > listed.len() as u64 {
                return Err(Trouble::new(
                    format!("{wanted} devices are wanted"),
                    format!("{} names {}", path.display(), listed.len()),
                    "fewer --devices, or none to take all of the file",
                ));
            }
            let numbered = (self.first..).zip(listed).take(usize::try_from(wanted).unwrap_or(usize::MAX));
            return Ok(numbered.map(|(number, (id, secret))| Device { number, id, secret }).collect());
        }
        let count = self.devices.unwrap_or(1);
        if count > 1 && !self.device.varies() {
            return Err(Trouble::new(
                format!("{count} devices cannot all be called {}", self.device),
                "each connection would end the one before",
                "--device 'dev-{n}'",
            ));
        }
        let device = |number: u64| {
            let id = self.device.fill(number, "");
            let secret = self.secret_of(number, &id);
            Device { number, id, secret }
        };
        Ok((self.first..self.first.saturating_add(count)).map(device).collect())
    }

    fn secret_of(&self, number: u64, id: &str) -> String {
        match (&self.secret, &self.product_secret) {
            (Some(secret), _) => secret.fill(number, id),
            // The same again at the next run, when they are registered already.
            (None, _) if self.api.provision => {
                let mut random = Random::new(self.seed ^ number.wrapping_mul(0xA24B_AED4_963E_E407));
                format!("{:016x}{:016x}", random.next(), random.next())
            }
            (None, Some(secret)) => secret.clone(),
            (None, None) => String::new(),
        }
    }

    /// What they do.
    pub(super) fn plan(&self) -> Result<Plan, Trouble> {
        let default = || "temperature=sine:18..26/60s".parse().into_iter().collect();
        let properties = if self.values.is_empty() { default() } else { self.values.clone() };
        if self.every.0.is_zero() {
            return Err(Trouble::new("--every 0", "there would be no end of posts", "--every 1s"));
        }
        Ok(Plan {
            words: self.words()?,
            version: self.mqtt,
            qos: self.qos,
            clean: !self.durable,
            keep_alive_s: self.keepalive,
            properties,
            every: self.every.0,
            jitter: self.jitter.0,
            messages: self.messages,
            length: self.length.map(|length| length.0),
            ramp: self.ramp.0,
            answer: self.reply.clone(),
            answer_delay: self.reply_delay.0,
            drop_rate: self.drop_rate,
            reconnect: self.reconnect.map(|period| period.0).filter(|period| !period.is_zero()),
            patience: self.patience.0,
            tells: !self.quiet && !self.json,
        })
    }

    fn words(&self) -> Result<Box<dyn Words>, Trouble> {
        let product = || {
            self.product.clone().ok_or_else(|| {
                Trouble::new(
                    format!("which product are these {} devices of?", self.dialect.name()),
                    "their sign-in names it",
                    "--product ID",
                )
            })
        };
        Ok(match self.dialect {
            DialectArg::Onenet => Box::new(Onenet { product: product()?, data_type: self.dp_type }),
            DialectArg::OnenetToken => {
                Box::new(Token { product: product()?, method: self.sign, form: self.form })
            }
            DialectArg::Aliyun => {
                Box::new(Aliyun { product: product()?, method: self.sign, subscribed: self.auto_subscribe })
            }
            DialectArg::Plain => {
                let orders = self.order_topic.to_string();
                Box::new(Plain {
                    product: self.product.clone(),
                    topic: self.topic.clone(),
                    orders: (!orders.is_empty()).then(|| self.order_topic.clone()),
                    answers: self.answer_topic.clone(),
                })
            }
        })
    }

    /// What the network does to them.
    pub(super) fn faults(&self) -> Faults {
        let some = |span: Option<Span>| span.map(|span| span.0).filter(|length| !length.is_zero());
        Faults {
            segment_max: self.split_segments.map(|bytes| bytes as usize),
            coalesce: some(self.coalesce),
            delay: some(self.delay),
        }
    }

    /// Whether connections are broken on purpose.
    pub(super) fn breaks(&self) -> bool {
        self.drop_rate > 0.0 || self.reconnect.is_some()
    }
}
