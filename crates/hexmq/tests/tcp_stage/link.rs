//! One TCP connection of a transcript.

use std::collections::{BTreeSet, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use hexmq_sim::transcript::Inbox;
use hexmq_wire::{
    ControlPacket, Frame, FrameStatus, Leniency, NoTrace, PacketType, REMAINING_LENGTH_MAX, Version, decode,
    scan_frame,
};
use socket2::SockRef;

/// Something that came from the server.
pub(crate) enum Arrival {
    Bytes(Vec<u8>),
    Closed,
}

/// What the cases leave behind on a server.
#[derive(Default)]
pub(crate) struct Traces {
    /// Client identifiers with a session, perhaps.
    pub(crate) identifiers: BTreeSet<String>,
    /// Topics with a retained message, perhaps.
    pub(crate) retained: BTreeSet<String>,
}

pub(crate) struct Link {
    pub(crate) number: u64,
    pub(crate) inbox: Inbox,
    stream: TcpStream,
    reader: Option<JoinHandle<()>>,
    /// Bytes of packets that are not whole yet, in both directions.
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    version: Version,
    established: bool,
    disconnecting: bool,
    /// PINGREQs that wait for their answer; true for the stage's own.
    pings: VecDeque<bool>,
}

impl Link {
    pub(crate) fn open(
        address: SocketAddr,
        number: u64,
        arrivals: Sender<(u64, Arrival)>,
    ) -> Result<Link, String> {
        let told = |error: std::io::Error| format!("connecting to {address}: {error}");
        let stream = TcpStream::connect(address).map_err(told)?;
        stream.set_nodelay(true).map_err(told)?;
        let theirs = stream.try_clone().map_err(told)?;
        let reader = std::thread::spawn(move || read(theirs, number, &arrivals));
        Ok(Link {
            number,
            inbox: Inbox::default(),
            stream,
            reader: Some(reader),
            incoming: Vec::new(),
            outgoing: Vec::new(),
            version: Version::V4,
            established: false,
            disconnecting: false,
            pings: VecDeque::new(),
        })
    }

    /// Sends bytes of the transcript. What a server that has closed does not take is lost.
    pub(crate) fn send(&mut self, bytes: &[u8], traces: &mut Traces) {
        self.outgoing.extend_from_slice(bytes);
        while let Ok(FrameStatus::Whole { length }) = scan_frame(&self.outgoing, REMAINING_LENGTH_MAX) {
            let rest = self.outgoing.split_off(length);
            let packet = std::mem::replace(&mut self.outgoing, rest);
            self.note(&packet, traces);
        }
        let _ = self.stream.write_all(bytes);
    }

    fn note(&mut self, packet: &[u8], traces: &mut Traces) {
        match decode(Frame::new(packet), self.version, &Leniency::default(), &mut NoTrace) {
            Ok(ControlPacket::Connect(connect)) => {
                self.version = connect.version;
                traces.identifiers.insert(connect.client_identifier.to_owned());
                let retained = connect.will.filter(|will| will.retain);
                traces.retained.extend(retained.map(|will| will.topic.to_owned()));
            }
            Ok(ControlPacket::Publish(publish)) if publish.retain => {
                traces.retained.insert(publish.topic_name.to_owned());
            }
            Ok(ControlPacket::Pingreq) => self.pings.push_back(false),
            Ok(ControlPacket::Disconnect(_)) => self.disconnecting = true,
            _ => {}
        }
    }

    /// Asks for a sign of life, if the connection is in a state where the answer will come.
    pub(crate) fn ping(&mut self) -> bool {
        let possible =
            self.established && !self.disconnecting && !self.inbox.closed && self.outgoing.is_empty();
        let sent = possible && self.stream.write_all(&[0xC0, 0]).is_ok();
        if sent {
            self.pings.push_back(true);
        }
        sent
    }

    /// Whether an answer to [`Link::ping`] is still to come.
    pub(crate) fn waits_for_ping(&self) -> bool {
        !self.inbox.closed && self.pings.contains(&true)
    }

    pub(crate) fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Closed => self.inbox.closed = true,
            Arrival::Bytes(bytes) => {
                self.incoming.extend_from_slice(&bytes);
                while let Ok(FrameStatus::Whole { length }) = scan_frame(&self.incoming, REMAINING_LENGTH_MAX)
                {
                    let rest = self.incoming.split_off(length);
                    let packet = std::mem::replace(&mut self.incoming, rest);
                    self.packet(packet);
                }
            }
        }
    }

    fn packet(&mut self, packet: Vec<u8>) {
        let own_ping = match Frame::new(&packet).packet_type() {
            Some(PacketType::Connack) => {
                self.established |= packet.get(3) == Some(&0);
                false
            }
            Some(PacketType::Pingresp) => self.pings.pop_front().unwrap_or(false),
            _ => false,
        };
        if !own_ping {
            self.inbox.packets.push_back(packet);
        }
    }

    /// Leaves in a way that the server sees as a failed network: closing sends a reset.
    pub(crate) fn drop_dead(self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Ends the client's side of the stream.
    pub(crate) fn end(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

impl Drop for Link {
    /// The socket is closed when this returns: the reader's handle on it is gone as well.
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Read);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn read(mut stream: TcpStream, number: u64, arrivals: &Sender<(u64, Arrival)>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let arrival = match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => Arrival::Closed,
            Ok(length) => Arrival::Bytes(buffer[..length].to_vec()),
        };
        let last = matches!(arrival, Arrival::Closed);
        if arrivals.send((number, arrival)).is_err() || last {
            return;
        }
    }
}
