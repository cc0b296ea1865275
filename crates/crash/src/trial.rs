//! A few clients in a scripted order, on a disk that misbehaves on command.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hexmq_wire::{Frame, Leniency, NoTrace, QoS, ReasonCode, Version, decode};

use crate::checker::Checker;
use crate::device::{Device, Heard, Io};
use crate::disk::Disk;
use crate::history::{ClientId, Event, Keeps, MessageId};
use crate::link::Link;
use crate::server::{Recipe, Server};

/// What takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client and what it has heard since it was last asked.
struct Client {
    device: Device,
    link: Option<Link>,
    heard: Vec<Heard>,
    number: u32,
}

/// Server, disk and clients.
pub(crate) struct Trial {
    pub(crate) disk: Disk,
    pub(crate) checker: Checker,
    recipe: Recipe,
    server: Option<Server>,
    folder: PathBuf,
    address: SocketAddr,
    clients: Vec<Client>,
    begun: Instant,
}

impl Trial {
    /// Starts the server on the disk, with these clients, which are not connected.
    pub(crate) fn new(
        disk: Disk,
        recipe: Recipe,
        port: u16,
        folder: &Path,
        clients: &[(&str, Version)],
    ) -> Result<Trial, String> {
        let names: Vec<&str> = clients.iter().map(|(name, _)| *name).collect();
        let client = |(place, (name, version)): (usize, &(&str, Version))| Client {
            device: Device::new(ClientId(place as u16), name, *version, Keeps::Forever),
            link: None,
            heard: Vec::new(),
            number: 0,
        };
        let mut trial = Trial {
            checker: Checker::new(&names),
            clients: clients.iter().enumerate().map(client).collect(),
            disk,
            recipe,
            server: None,
            folder: folder.to_path_buf(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            begun: Instant::now(),
        };
        trial.start()?;
        Ok(trial)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Starts the server.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let log = crate::run::log_of(&self.folder);
        let mut server =
            Server::start(&self.recipe, crate::ground::Ground::data(&self.disk), self.address, &log)?;
        let begun = Instant::now();
        while !server.poll_ready()? {
            if begun.elapsed() > PATIENCE {
                return Err("the server did not become ready".to_owned());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.server = Some(server);
        let now_ms = self.now_ms();
        self.checker.tell(now_ms, &Event::Ready);
        Ok(())
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        if let Some(server) = self.server.take() {
            server.kill()?;
        }
        let now_ms = self.now_ms();
        self.checker.tell(now_ms, &Event::Killed);
        for client in &mut self.clients {
            client.link = None;
            client.device.lost();
            client.heard.clear();
        }
        Ok(())
    }

    /// Something a client does on its connection.
    fn does(&mut self, client: usize, act: impl FnOnce(&mut Device, &mut Io<'_>)) {
        let now_ms = self.now_ms();
        let Some(client) = self.clients.get_mut(client) else { return };
        let mut nowhere = Vec::new();
        let out = client.link.as_mut().map_or(&mut nowhere, |link| &mut link.output);
        act(&mut client.device, &mut Io { out, checker: &mut self.checker, now_ms });
        if let Some(link) = &mut client.link {
            link.flush();
        }
    }

    /// Opens a connection and sends CONNECT.
    pub(crate) fn begin_connect(&mut self, client: usize) -> Result<(), String> {
        let link = Link::open(self.address).ok_or("nobody listens")?;
        if let Some(client) = self.clients.get_mut(client) {
            client.link = Some(link);
        }
        self.does(client, |device, io| device.connect(false, None, io));
        Ok(())
    }

    /// Connects and waits for CONNACK.
    pub(crate) fn connect(&mut self, client: usize) -> Result<(), String> {
        self.begin_connect(client)?;
        self.until("CONNACK", |trial| trial.take(client, |heard| matches!(heard, Heard::Connected { .. })))
    }

    /// Subscribes and waits for SUBACK.
    pub(crate) fn subscribe(&mut self, client: usize, filter: &str, qos: QoS) -> Result<(), String> {
        self.does(client, |device, io| device.subscribe(&[(filter.to_owned(), qos)], io));
        self.until("SUBACK", |trial| trial.take(client, |heard| matches!(heard, Heard::Granted(_))))
    }

    /// Closes the connection without a word.
    pub(crate) fn drop_connection(&mut self, client: usize) {
        let now_ms = self.now_ms();
        if let Some(client) = self.clients.get_mut(client) {
            client.link = None;
            client.device.lost();
            client.heard.clear();
            self.checker.tell(now_ms, &Event::Lost { client: client.device.id });
        }
    }

    /// Sends one message.
    pub(crate) fn publish(&mut self, client: usize, topic: &str, qos: QoS) -> MessageId {
        let number = self.clients.get_mut(client).map_or(0, |client| {
            client.number += 1;
            client.number - 1
        });
        let message = MessageId { publisher: ClientId(client as u16), number };
        self.does(client, |device, io| device.publish(message, topic, qos, (false, false), io));
        message
    }

    /// Sends so many messages and waits until all are acknowledged.
    pub(crate) fn publish_all(
        &mut self,
        client: usize,
        topic: &str,
        qos: QoS,
        count: u32,
    ) -> Result<(), String> {
        (0..count).for_each(|_| {
            self.publish(client, topic, qos);
        });
        self.until("acknowledgements", |trial| trial.in_flight(client) == 0)
    }

    /// Messages without an answer.
    pub(crate) fn in_flight(&self, client: usize) -> usize {
        self.clients.get(client).map_or(0, |client| client.device.in_flight())
    }

    /// Makes a subscriber take one message at a time, and each of them slowly.
    pub(crate) fn narrow(&mut self, client: usize) {
        if let Some(client) = self.clients.get_mut(client) {
            client.device.receive_maximum = 1;
            client.device.slowness_ms = 100;
        }
    }

    /// Whether the server has closed the connection.
    pub(crate) fn is_closed(&self, client: usize) -> bool {
        self.clients.get(client).is_none_or(|client| client.link.is_none())
    }

    /// Messages this client must still get.
    pub(crate) fn owed(&self, client: usize) -> usize {
        self.checker.backlog_of(ClientId(client as u16))
    }

    /// Forgets what the client has heard up to the first that fits; whether there was one.
    pub(crate) fn take(&mut self, client: usize, fits: impl Fn(&Heard) -> bool) -> bool {
        let Some(client) = self.clients.get_mut(client) else { return false };
        match client.heard.iter().position(fits) {
            Some(place) => {
                client.heard.drain(..=place);
                true
            }
            None => false,
        }
    }

    /// Whether a refusal with this reason came.
    pub(crate) fn take_refusal(&mut self, client: usize, reason: ReasonCode) -> bool {
        self.take(client, |heard| matches!(heard, Heard::Refused(_, code) if *code == reason))
    }

    /// Serves the network until this is so.
    pub(crate) fn until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Trial) -> bool,
    ) -> Result<(), String> {
        let begun = Instant::now();
        while !done(self) {
            if begun.elapsed() > PATIENCE {
                return Err(format!("waited in vain for {what}"));
            }
            if let Some(server) = &mut self.server {
                server.poll_alive()?;
            }
            let busy = (0..self.clients.len()).filter(|&place| self.serve(place)).count();
            if busy == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// Reads and writes for one client; whether anything came.
    fn serve(&mut self, place: usize) -> bool {
        let now_ms = self.now_ms();
        let Some(client) = self.clients.get_mut(place) else { return false };
        let Some(link) = &mut client.link else { return false };
        let mut alive = link.fill();
        let mut any = false;
        while let Ok(Some(frame)) = link.next_packet() {
            any = true;
            let version = client.device.version;
            let mut io = Io { out: &mut link.output, checker: &mut self.checker, now_ms };
            match decode(Frame::new(&frame), version, &Leniency::default(), &mut NoTrace) {
                Ok(packet) => client.heard.push(client.device.receive(&packet, &mut io)),
                Err(fault) => {
                    let what = format!("a packet it cannot read: {fault} in {}", hex(&frame));
                    io.tell(&Event::Nonsense { client: client.device.id, what: &what });
                }
            }
        }
        client.device.tick(&mut Io { out: &mut link.output, checker: &mut self.checker, now_ms });
        alive &= link.flush();
        if !alive {
            client.link = None;
            client.device.lost();
            self.checker.tell(now_ms, &Event::Lost { client: client.device.id });
        }
        any
    }
}

/// The start of a packet, for people.
fn hex(frame: &[u8]) -> String {
    let shown: Vec<String> = frame.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
    shown.join(" ")
}
