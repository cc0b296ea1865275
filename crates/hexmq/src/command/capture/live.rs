//! Packets straight from an interface of this machine (Linux).
//!
//! A packet socket hears all interfaces; a filter in the kernel lets those of one through. Nothing is sent,
//! and the interface is not made promiscuous: what this machine sends and receives is seen.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hexmq_workbench::capture::{Capture, LinkType, Sink};
use hexmq_workbench::recording::Timestamp;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::Refusal;

/// All protocols, in the byte order of the network.
const EVERY_PROTOCOL: u16 = 0x0003_u16.to_be();
/// What the kernel may hold while we print.
const KERNEL_BUFFER: usize = 16 << 20;
/// The largest packet: what the network card puts together is below 256 KiB.
const PACKET_MAX: usize = 256 * 1024;
/// So often it is looked whether Ctrl-C was pressed.
const PAUSE: Duration = Duration::from_millis(100);

/// An interface that is listened to.
pub(super) struct Live {
    socket: Socket,
    link: LinkType,
}

impl Live {
    /// Begins to listen.
    pub(super) fn open(interface: &str) -> Result<Live, Refusal> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(EVERY_PROTOCOL))))
            .map_err(|error| refusal(interface, &error))?;
        let index = rustix::net::netdevice::name_to_index(&socket, interface)
            .map_err(|_| format!("there is no interface {interface}; ip -brief link lists them"))?;
        let kind = std::fs::read_to_string(format!("/sys/class/net/{interface}/type")).unwrap_or_default();
        let (link, loopback) = match kind.trim() {
            "1" => (LinkType::Ethernet, false),
            "772" => (LinkType::Ethernet, true),
            // Tunnels without a link layer, PPP.
            "65534" | "512" | "768" | "776" => (LinkType::Raw, false),
            other => return Err(format!("{interface} is of type {other}, which is not read here")),
        };
        let prepared = socket
            .attach_filter(&only(index, loopback))
            .and_then(|()| socket.set_nonblocking(true))
            .and_then(|()| drain(&socket))
            .and_then(|()| socket.set_nonblocking(false))
            .and_then(|()| socket.set_read_timeout(Some(PAUSE)));
        prepared.map_err(|error| refusal(interface, &error))?;
        // Less is no reason not to begin.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        Ok(Live { socket, link })
    }

    /// Reads until Ctrl-C, or for so long. `pause` is called when nothing comes.
    ///
    /// # Errors
    /// The interface is gone.
    pub(super) fn read<S: Sink>(
        mut self,
        capture: &mut Capture,
        sink: &mut S,
        limit: Option<Duration>,
        mut pause: impl FnMut(&mut S),
    ) -> io::Result<()> {
        let stopped = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stopped))?;
        }
        let started = Instant::now();
        let mut buffer = vec![0; PACKET_MAX];
        while !stopped.load(Ordering::Relaxed) && limit.is_none_or(|limit| started.elapsed() < limit) {
            match self.socket.read(&mut buffer) {
                Ok(length) => {
                    capture.packet(self.link, now(), buffer.get(..length).unwrap_or_default(), sink);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => pause(sink),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What came in before the filter was there is not of this interface.
fn drain(socket: &Socket) -> io::Result<()> {
    let mut socket = socket;
    let mut buffer = [0; 1];
    loop {
        match socket.read(&mut buffer) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Lets the packets of one interface through; on the loopback each packet passes twice, and only the
/// second time counts.
fn only(interface: u32, loopback: bool) -> [SockFilter; 6] {
    /// Where the kernel's own facts about a packet begin (linux/filter.h).
    const FACTS: u32 = 0xFFFF_F000;
    const PACKET_TYPE: u32 = FACTS + 4;
    const INTERFACE: u32 = FACTS + 8;
    const OUTGOING: u32 = 4;
    const NONE: u32 = 0xFF;
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    [
        SockFilter::new(LOAD, 0, 0, INTERFACE),
        SockFilter::new(EQUAL, 0, 3, interface),
        SockFilter::new(LOAD, 0, 0, PACKET_TYPE),
        SockFilter::new(EQUAL, 1, 0, if loopback { OUTGOING } else { NONE }),
        SockFilter::new(RETURN, 0, 0, PACKET_MAX as u32),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn refusal(interface: &str, error: &io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return format!(
            "listening on {interface} needs the right to open packet sockets (CAP_NET_RAW).\n\
             Run it as root: sudo hexmq capture --live {interface}\n\
             or let tcpdump do that part: sudo tcpdump -i {interface} -U -w - tcp | hexmq capture --packets -"
        );
    }
    format!("cannot listen on {interface}: {error}")
}
