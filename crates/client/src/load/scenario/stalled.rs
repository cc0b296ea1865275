//! Whether subscribers that take nothing make others wait: latency before and after.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hexmq_wire::{
    Connect, ControlPacket, PacketIdentifier, Properties, QoS, Subscribe, SubscriptionOptions,
    SubscriptionsBuf, Version,
};

use super::LIMIT;
use super::churn::Visits;
use super::flow::{Flow, Shape};
use crate::load::fleet::Fleet;
use crate::load::{Report, Target};

/// Identifiers are made from it; the first never reads, the second is off line.
const NAME: &str = "stalled";
/// The server has as long for its CONNACK and SUBACK.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pairs at a fixed rate, and two subscribers to all of it: one does not read, one is away.
#[derive(Clone, Copy, Debug)]
pub struct Stalled {
    /// Pairs.
    pub pairs: usize,
    /// Messages per second, of QoS 1.
    pub rate: u32,
    /// Messages of each measurement.
    pub messages: u64,
    /// Messages for the two before the second measurement: enough to fill their queues.
    pub filling: u64,
    /// Bytes of a payload.
    pub size: usize,
}

impl Stalled {
    /// Measures, fills the queues of the two, and measures again.
    ///
    /// # Errors
    /// The text says what did not go as expected.
    pub fn run(&self, target: &Target) -> Result<Report, String> {
        let fixed = Flow {
            shape: Shape::Pairs(self.pairs),
            qos: QoS::AtLeastOnce,
            window: 1000,
            rate: Some(self.rate),
            deliveries: self.messages,
            size: self.size,
            durable: false,
        };
        let before = fixed.run(target)?;
        let reads_nothing = subscribe(target.address, 0)?;
        drop(subscribe(target.address, 1)?);
        let filling = Flow { rate: None, window: 16, deliveries: self.filling, ..fixed };
        filling.run(target)?;
        let after = fixed.run(target)?;
        drop(reads_nothing);
        Fleet::new(target.address, 2, LIMIT)?.run(&mut Visits::new(NAME, 2, 2))?;
        let mut report = Report::new("stalled");
        report.count("pairs", self.pairs).count("rate", self.rate).count("filling", self.filling);
        for (name_before, name_after, key) in [
            ("latency_p50_before_us", "latency_p50_after_us", "latency_p50_us"),
            ("latency_p99_before_us", "latency_p99_after_us", "latency_p99_us"),
            ("latency_max_before_us", "latency_max_after_us", "latency_max_us"),
        ] {
            report
                .measure_if_known(name_before, before.get(key))
                .measure_if_known(name_after, after.get(key));
        }
        let ratio = after
            .get("latency_p99_us")
            .zip(before.get("latency_p99_us"))
            .map(|(after, before)| after / before.max(1.0));
        report.measure_if_known("latency_p99_after_to_before", ratio);
        Ok(report)
    }
}

/// A durable session that is subscribed to everything the pairs send, on a connection nobody reads.
fn subscribe(address: SocketAddr, client: usize) -> Result<TcpStream, String> {
    let failed = |error: std::io::Error| format!("a subscriber that takes nothing: {error}");
    let mut bytes = Vec::new();
    let identifier = format!("bench-{NAME}-{client}");
    let connect = Connect {
        version: Version::V4,
        clean_start: false,
        keep_alive_s: 0,
        client_identifier: &identifier,
        will: None,
        user_name: None,
        password: None,
        properties: Properties::EMPTY,
    };
    let mut subscriptions = SubscriptionsBuf::new();
    let options = SubscriptionOptions::with_qos(QoS::AtLeastOnce);
    subscriptions.push("bench/#", options, Version::V4).map_err(|error| error.to_string())?;
    let subscribe = Subscribe {
        packet_identifier: PacketIdentifier::MIN,
        properties: Properties::EMPTY,
        subscriptions: subscriptions.as_subscriptions(),
    };
    for packet in [ControlPacket::Connect(connect), ControlPacket::Subscribe(subscribe)] {
        packet.encode(Version::V4, &mut bytes).map_err(|error| error.to_string())?;
    }
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.write_all(&bytes).map_err(failed)?;
    // CONNACK and SUBACK.
    let mut answers = [0; 9];
    stream.read_exact(&mut answers).map_err(failed)?;
    match answers {
        [0x20, 2, _, 0, 0x90, 3, 0, 1, 1] => Ok(stream),
        other => Err(format!("a subscriber that takes nothing was answered {other:02x?}")),
    }
}
