//! `hexmq bench`: load for a server, every delivery checked.

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use hexmq_client::load::{
    Bystanders, Churn, Crowd, Figure, Flow, Handout, Idle, Ingest, Overload, Part, Queued, Report, Retained,
    Sessions, Shape, Stalled, Subscriptions, Target, Topics,
};
use hexmq_wire::QoS;
use serde_json::{Map, Value, json};

use super::client::qos;

/// Load a server, check every delivery, and say what it cost
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    after_help = "With --pid the CPU time and memory of the server are told as well; from 0.25 s on also the kernel's\n\
                  share of it, which the kernel counts in ticks: of N ticks it is exact to 0.5 / sqrt(N).\n\
                  Ends with 0 when everything arrived that was sent, once and in order; with 1 otherwise."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    scenario: Scenario,
    /// Host of the server; it must be this machine, unless --remote
    #[arg(short = 'h', long, global = true, default_value = "127.0.0.1")]
    host: String,
    /// Port of the server
    #[arg(short, long, global = true, default_value_t = 1883)]
    port: u16,
    /// Load a server that is not on this machine: say so only for one that is yours
    #[arg(long, global = true)]
    remote: bool,
    /// Process of the server on this machine, for its CPU time and memory
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
    /// Print help
    #[arg(long, global = true, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

#[derive(Debug, clap::Subcommand)]
#[command(disable_help_flag = true, disable_help_subcommand = true)]
enum Scenario {
    /// One publisher and one subscriber for each topic [clients: 50]
    Pairs(FlowArgs),
    /// Many publishers, one subscriber [clients: 100]
    FanIn(FlowArgs),
    /// One publisher, many subscribers [clients: 100]
    FanOut(FlowArgs),
    /// Pairs with one message on the way each, so that nothing can be batched [clients: 500]
    W1(FlowArgs),
    /// Pairs at a fixed rate, with latencies [clients: 50, rate: 20000]
    Fixed(FlowArgs),
    /// Clients that come and go
    Connect {
        /// Clients at once
        #[arg(long, default_value_t = 50, value_parser = positive)]
        clients: usize,
        /// Connections in all
        #[arg(long, default_value_t = 10_000, value_parser = positive)]
        connections: usize,
        /// Other connections, with a subscription each, held meanwhile
        #[arg(long, default_value_t = 0)]
        held: usize,
    },
    /// Connections with one subscription each and no traffic: memory
    Idle {
        /// Connections
        #[arg(long, default_value_t = 5000, value_parser = positive)]
        clients: usize,
    },
    /// Retained messages: stored, fetched by one subscriber, cleared
    Retained {
        /// Messages
        #[arg(long, default_value_t = 100_000, value_parser = positive)]
        messages: usize,
        /// Bytes of a payload, 8 at least
        #[arg(long, default_value_t = 64)]
        size: usize,
        /// Store them and leave them there
        #[arg(long)]
        keep: bool,
    },
    /// Sessions that outlive their clients, with a subscription each; they are left there
    Sessions {
        /// Sessions
        #[arg(long, default_value_t = 10_000, value_parser = positive)]
        sessions: usize,
    },
    /// Latency of pairs before and after two subscribers take nothing any more, with full queues
    Stalled {
        /// Pairs
        #[arg(long, default_value_t = 50, value_parser = positive)]
        pairs: usize,
        /// Messages per second of all pairs together
        #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
        /// Messages of each measurement
        #[arg(long, default_value_t = 25_000)]
        messages: u64,
        /// Messages that fill the queues of the two
        #[arg(long, default_value_t = 30_000)]
        filling: u64,
        /// Bytes of a payload, 20 at least
        #[arg(long, default_value_t = 64)]
        size: usize,
    },
    /// Latency of pairs before and while a subscriber to # is handed many retained messages
    Handout {
        /// Retained messages
        #[arg(long, default_value_t = 100_000, value_parser = positive)]
        messages: usize,
        /// Bytes of a payload, 8 at least
        #[arg(long, default_value_t = 64)]
        size: usize,
        #[command(flatten)]
        bystanders: BystanderArgs,
    },
    /// Publishers at full speed to a topic whose subscriber stops reading: memory, drops, latency of pairs beside
    Overload {
        /// Publishers
        #[arg(long, default_value_t = 100, value_parser = positive)]
        publishers: usize,
        /// Messages in all
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
        messages: u64,
        /// QoS of messages and subscription: 0 or 1
        #[arg(short, long, default_value = "0", value_parser = zero_or_one)]
        qos: QoS,
        /// Messages of QoS 1 of each publisher on the way at once
        #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..))]
        window: u64,
        /// Bytes of a payload, 12 at least
        #[arg(long, default_value_t = 64)]
        size: usize,
        #[command(flatten)]
        bystanders: BystanderArgs,
    },
    /// QoS 1 messages for sessions off line: stored, drained
    Queued {
        /// Stored sessions
        #[arg(long, default_value_t = 100, value_parser = positive)]
        sessions: usize,
        /// Messages for each session
        #[arg(long, default_value_t = 1000)]
        messages: u64,
        /// Bytes of a payload, 8 at least
        #[arg(long, default_value_t = 64)]
        size: usize,
        /// Clients that publish
        #[arg(long, default_value_t = 10, value_parser = positive)]
        publishers: usize,
        /// Messages of each of them on the way at once
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
        window: u64,
        /// Store the messages and leave them there
        #[arg(long)]
        keep: bool,
        /// Drain what --keep left
        #[arg(long, conflicts_with = "keep")]
        drain: bool,
    },
    /// Many subscriptions of which two or three match each message
    Subscriptions {
        /// Subscriptions
        #[arg(long, default_value_t = 100_000, value_parser = positive)]
        filters: usize,
        /// Messages published
        #[arg(long, default_value_t = 50_000)]
        messages: u64,
        /// Publish to so many of the topics only
        #[arg(long, value_parser = positive)]
        hot: Option<usize>,
        /// Publish each message to a topic that no other had; one filter matches it
        #[arg(long, conflicts_with = "hot")]
        fresh: bool,
    },
    /// Publishers to ever new topics among many subscriptions, of which each hundredth message is delivered
    Ingest {
        /// Publishers
        #[arg(long, default_value_t = 100, value_parser = positive)]
        publishers: usize,
        /// Subscriptions with wildcards, about
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(8..=10_000_000))]
        filters: u32,
        /// Seconds at full speed before it is measured, so that the server has all threads it wants
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(..=60))]
        warm_up: u32,
        /// Seconds that are measured
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=600))]
        seconds: u32,
    },
    /// Clients of all versions that all subscribe and publish at every QoS
    Crowd {
        /// Clients
        #[arg(long, default_value_t = 10_000, value_parser = positive)]
        clients: usize,
    },
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct FlowArgs {
    /// Pairs, publishers or subscribers
    #[arg(long, value_parser = positive)]
    clients: Option<usize>,
    /// QoS of messages and subscriptions
    #[arg(short, long, default_value = "0", value_parser = qos)]
    qos: QoS,
    /// Messages of each publisher on the way at once [default: 16; w1: 1; fixed: 1000]
    #[arg(long, value_parser = positive)]
    window: Option<usize>,
    /// Messages per second of all publishers together; prints latencies
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Deliveries in all [default: 200000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Bytes of a payload, 20 at least
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Sessions of subscribers outlive their connections, so that the server has to store what they get
    #[arg(long)]
    durable: bool,
}

/// Pairs that have nothing to do with the load.
#[derive(Clone, Copy, Debug, clap::Args)]
struct BystanderArgs {
    /// Pairs beside the load
    #[arg(long, default_value_t = 20, value_parser = positive)]
    pairs: usize,
    /// Messages per second of all pairs together
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Messages of the pairs before the load
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    before: u64,
}

impl From<BystanderArgs> for Bystanders {
    fn from(args: BystanderArgs) -> Bystanders {
        Bystanders { pairs: args.pairs, rate: args.rate, messages: args.before }
    }
}

fn zero_or_one(text: &str) -> Result<QoS, String> {
    qos(text).ok().filter(|qos| *qos != QoS::ExactlyOnce).ok_or_else(|| "0 or 1".to_owned())
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "a whole number above 0".to_owned())
}

impl FlowArgs {
    fn flow(self, shape: fn(usize) -> Shape, clients: usize) -> Flow {
        // At a fixed rate a late answer must not hold the next message back.
        let window = if self.rate.is_some() { 1000 } else { 16 };
        Flow {
            shape: shape(self.clients.unwrap_or(clients)),
            qos: self.qos,
            window: self.window.unwrap_or(window),
            rate: self.rate,
            deliveries: self.messages.unwrap_or(200_000),
            size: self.size,
            durable: self.durable,
        }
    }
}

impl Scenario {
    fn run(&self, target: &Target) -> Result<Report, String> {
        match *self {
            Scenario::Pairs(flow) => flow.flow(Shape::Pairs, 50).run(target),
            Scenario::FanIn(flow) => flow.flow(Shape::FanIn, 100).run(target),
            Scenario::FanOut(flow) => flow.flow(Shape::FanOut, 100).run(target),
            Scenario::W1(flow) => {
                let flow = FlowArgs { window: flow.window.or(Some(1)), ..flow };
                flow.flow(Shape::Pairs, 500).run(target)
            }
            Scenario::Fixed(flow) => {
                let flow = FlowArgs { rate: flow.rate.or(Some(20_000)), ..flow };
                flow.flow(Shape::Pairs, 50).run(target)
            }
            Scenario::Connect { clients, connections, held } => {
                Churn { clients, connections, held }.run(target)
            }
            Scenario::Idle { clients } => Idle { clients }.run(target),
            Scenario::Retained { messages, size, keep } => Retained { messages, size, keep }.run(target),
            Scenario::Sessions { sessions } => Sessions { sessions }.run(target),
            Scenario::Stalled { pairs, rate, messages, filling, size } => {
                Stalled { pairs, rate, messages, filling, size }.run(target)
            }
            Scenario::Handout { messages, size, bystanders } => {
                Handout { messages, size, bystanders: bystanders.into() }.run(target)
            }
            Scenario::Overload { publishers, messages, qos, window, size, bystanders } => {
                let bystanders = bystanders.into();
                Overload { publishers, messages, qos, window, size, bystanders }.run(target)
            }
            Scenario::Queued { sessions, messages, size, publishers, window, keep, drain } => {
                let part = match (keep, drain) {
                    (true, _) => Part::Store,
                    (_, true) => Part::Drain,
                    _ => Part::Whole,
                };
                Queued { sessions, messages, size, publishers, window, part }.run(target)
            }
            Scenario::Subscriptions { filters, messages, hot, fresh } => {
                let topics = match (hot, fresh) {
                    (Some(hot), _) => Topics::Hot(hot),
                    (None, true) => Topics::Fresh,
                    (None, false) => Topics::Spread,
                };
                Subscriptions { filters, messages, topics }.run(target)
            }
            Scenario::Ingest { publishers, filters, warm_up, seconds } => {
                let [warm_up, length] = [warm_up, seconds].map(|s| Duration::from_secs(s.into()));
                Ingest { publishers, filters: filters as usize, warm_up, length }.run(target)
            }
            Scenario::Crowd { clients } => Crowd { clients }.run(target),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    let result = address_of(&args.host, args.port, args.remote, args.pid)
        .and_then(|address| args.scenario.run(&Target { address, pid: args.pid }))
        .map(|report| if args.json { as_json(&report).to_string() } else { as_text(&report) });
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hexmq bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the load goes. Ten thousand connections are no joke for a machine of somebody else.
pub(crate) fn address_of(
    host: &str,
    port: u16,
    remote: bool,
    pid: Option<u32>,
) -> Result<SocketAddr, String> {
    let mut addresses = (host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let address = addresses.next().ok_or_else(|| format!("{host} has no address"))?;
    if !address.ip().is_loopback() && !remote {
        return Err(format!("{} is not this machine; --remote if you may load it", address.ip()));
    }
    if !address.ip().is_loopback() && pid.is_some() {
        return Err("--pid is a process of this machine, --host is not".to_owned());
    }
    Ok(address)
}

fn as_json(report: &Report) -> Value {
    let figures = report.figures.iter().map(|(name, figure)| {
        let value = match figure {
            Figure::Count(count) => json!(count),
            Figure::Measure(measure) => json!(measure),
            Figure::Text(text) => json!(text),
        };
        ((*name).to_owned(), value)
    });
    Value::Object(figures.collect::<Map<_, _>>())
}

fn as_text(report: &Report) -> String {
    let lines: Vec<String> = report
        .figures
        .iter()
        .map(|(name, figure)| match figure {
            Figure::Count(count) => format!("{name:<30} {count:>12}"),
            Figure::Measure(measure) => format!("{name:<30} {measure:>12.2}"),
            Figure::Text(text) => format!("{name:<30} {text:>12}"),
        })
        .collect();
    lines.join("\n")
}
