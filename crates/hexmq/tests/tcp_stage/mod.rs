//! The stage with sockets: the real server, and a TCP connection for each name.
//!
//! Nothing sleeps. A step that needs what earlier steps caused on other connections is preceded
//! by PINGREQs of the stage's own, whose answers are taken out of what arrives: a connection is
//! answered in order, so what came before has been handled.

mod link;
mod server;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use hexmq_notation::{Departure, Origin, parse_packet};
use hexmq_sim::transcript::{Inbox, Stage};
use hexmq_wire::Version;

use link::{Arrival, Link, Traces};
pub(crate) use server::{Server, Wish, outer_address};

/// Nothing expected takes this long; it only keeps a failing case from hanging.
const PATIENCE: Duration = Duration::from_secs(10);
/// What one shard causes on another has arrived after so many rounds of questions and answers.
const ROUNDS: usize = 3;

pub(crate) struct Tcp<'a> {
    server: &'a Server,
    links: BTreeMap<String, Link>,
    arrivals: Receiver<(u64, Arrival)>,
    sender: Sender<(u64, Arrival)>,
    opened: u64,
    /// The connection that was written to last.
    last_sender: Option<String>,
    /// Time that passes while the next packet is waited for.
    passing: Duration,
    traces: Traces,
    nobody: Inbox,
}

impl Tcp<'_> {
    pub(crate) fn new(server: &Server) -> Tcp<'_> {
        let (sender, arrivals) = channel();
        Tcp {
            server,
            links: BTreeMap::new(),
            arrivals,
            sender,
            opened: 0,
            last_sender: None,
            passing: Duration::ZERO,
            traces: Traces::default(),
            nobody: Inbox::default(),
        }
    }

    /// Takes what arrives next, until `deadline`. `false`: nothing did.
    fn take(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((number, arrival)) = self.arrivals.recv_timeout(left) else { return false };
        if let Some(link) = self.links.values_mut().find(|link| link.number == number) {
            link.arrived(arrival);
        }
        true
    }

    /// Returns when the server has handled what was sent on these connections.
    fn sync(&mut self, names: &[String]) -> Result<(), String> {
        for name in names {
            self.links.get_mut(name).map(Link::ping);
        }
        let deadline = Instant::now() + PATIENCE;
        for name in names {
            while self.links.get(name).is_some_and(Link::waits_for_ping) {
                if !self.take(deadline) {
                    return Err(format!("the server does not answer PINGREQ on connection {name}"));
                }
            }
        }
        Ok(())
    }

    /// What another connection sent before comes first.
    fn sync_last_sender(&mut self, except: Option<&str>) -> Result<(), String> {
        match self.last_sender.take() {
            Some(last) if Some(last.as_str()) != except => self.sync(&[last]),
            last => {
                self.last_sender = last;
                Ok(())
            }
        }
    }

    /// Makes the server as good as new. An error: it is not.
    pub(crate) fn clean(mut self, wish: &Wish) -> Result<(), String> {
        self.links.clear();
        let traces = std::mem::take(&mut self.traces);
        let credentials =
            wish.user().map(|(name, password)| format!(" user_name={name:?} password={password:?}"));
        let mut identifiers: Vec<String> =
            traces.identifiers.into_iter().filter(|id| !id.is_empty()).collect();
        identifiers.push("cleaner".to_owned());
        for identifier in identifiers {
            let template = format!(
                "CONNECT v4 id=x clean_start keep_alive=60{}",
                credentials.as_deref().unwrap_or_default()
            );
            let connect = with_identifier(&template, &identifier)?;
            self.open("cleaner", Origin::Loopback)?;
            self.send("cleaner", &connect)?;
            self.answered("cleaner")?;
            if identifier == "cleaner" {
                for topic in traces.retained.iter().filter(|topic| !topic.is_empty()) {
                    self.send("cleaner", &clear(topic)?)?;
                }
                self.sync(&["cleaner".to_owned()])?;
            }
            self.send("cleaner", &[0xE0, 0])?;
            while !self.inbox("cleaner").closed && self.wait(&["cleaner".to_owned()]) {}
            self.forget("cleaner");
        }
        Ok(())
    }

    fn answered(&mut self, name: &str) -> Result<(), String> {
        while self.inbox(name).packets.is_empty() && !self.inbox(name).closed && self.wait(&[name.to_owned()])
        {
        }
        match self.inbox(name).packets.pop_front() {
            Some(connack) if connack == [0x20, 2, 0, 0] => Ok(()),
            other => Err(format!("the server does not let the cleaner in: {other:02x?}")),
        }
    }
}

fn with_identifier(template: &str, identifier: &str) -> Result<Vec<u8>, String> {
    let escaped: String = identifier.chars().map(|c| format!("\\u{{{:x}}}", u32::from(c))).collect();
    encode(&template.replace("id=x", &format!("id=\"{escaped}\"")))
}

fn clear(topic: &str) -> Result<Vec<u8>, String> {
    let escaped: String = topic.chars().map(|c| format!("\\u{{{:x}}}", u32::from(c))).collect();
    encode(&format!("PUBLISH retain topic=\"{escaped}\""))
}

fn encode(line: &str) -> Result<Vec<u8>, String> {
    let record = parse_packet(line, Version::V4).map_err(|error| error.to_string())?;
    record.encode().map_err(|error| error.to_string())
}

impl Stage for Tcp<'_> {
    fn open(&mut self, connection: &str, origin: Origin) -> Result<(), String> {
        self.sync_last_sender(None)?;
        let address =
            self.server.address(origin == Origin::Loopback).ok_or("this machine has no outer address")?;
        self.opened += 1;
        let link = Link::open(address, self.opened, self.sender.clone())?;
        self.links.insert(connection.to_owned(), link);
        Ok(())
    }

    fn send(&mut self, connection: &str, bytes: &[u8]) -> Result<(), String> {
        self.sync_last_sender(Some(connection))?;
        let link = self.links.get_mut(connection).ok_or_else(|| format!("no connection {connection}"))?;
        link.send(bytes, &mut self.traces);
        self.last_sender = Some(connection.to_owned());
        Ok(())
    }

    fn leave(&mut self, connection: &str, departure: Departure) -> Result<(), String> {
        self.sync(&[connection.to_owned()])?;
        self.sync_last_sender(None)?;
        let link = self.links.remove(connection).ok_or_else(|| format!("no connection {connection}"))?;
        match departure {
            Departure::Drop => link.drop_dead(),
            Departure::Close => link.end(),
        }
        Ok(())
    }

    fn forget(&mut self, connection: &str) {
        self.links.remove(connection);
    }

    fn set_reading(&mut self, _connection: &str, _on: bool) -> Result<(), String> {
        Err("only the core can stall a client".to_owned())
    }

    fn advance(&mut self, time: Duration, before_packet: bool) -> Result<(), String> {
        self.passing = time;
        if !before_packet {
            let deadline = Instant::now() + std::mem::take(&mut self.passing);
            while self.take(deadline) {}
        }
        Ok(())
    }

    fn stop_server(&mut self) -> Result<(), String> {
        self.server.stop();
        Ok(())
    }

    fn inbox(&mut self, connection: &str) -> &mut Inbox {
        self.links.get_mut(connection).map_or(&mut self.nobody, |link| &mut link.inbox)
    }

    fn wait(&mut self, connections: &[String]) -> bool {
        let heard = |tcp: &Tcp<'_>| -> Vec<(usize, bool)> {
            let links = connections.iter().filter_map(|name| tcp.links.get(name));
            links.map(|link| (link.inbox.packets.len(), link.inbox.closed)).collect()
        };
        let before = heard(self);
        let deadline = Instant::now() + PATIENCE + self.passing;
        while self.take(deadline) {
            if heard(self) != before {
                self.passing = Duration::ZERO;
                return true;
            }
        }
        false
    }

    fn settle(&mut self) -> Result<(), String> {
        let names: Vec<String> = self.links.keys().cloned().collect();
        (0..ROUNDS).try_for_each(|_| self.sync(&names))
    }
}
