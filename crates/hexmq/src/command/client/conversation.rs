//! One conversation with a server, across reconnections: the driver, signals, and what is told on
//! stderr meanwhile.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use hexmq_client::{Client, Direction, Driver, Event, Loss, Options, Step};
use hexmq_transport::Dial;
use hexmq_wire::{Connack, Disconnect, Frame, Properties, PropertiesBuf, ReasonCode, Version};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::options::wrong_property;
use super::{Command, ConnectionArgs, NeedsV5, Trouble};

/// How long a client that has all it wants waits for the end of QoS 2 exchanges.
const PARTING: Duration = Duration::from_secs(1);

/// What [`Conversation::step`] has waited for.
pub(crate) enum Happened<'a> {
    /// Nothing the command has to act on.
    Nothing,
    /// A packet of the server.
    Event(Event<'a>),
    /// The descriptor the command waits for is readable.
    Woken,
    /// The time given has come.
    TimedOut,
    /// SIGINT or SIGTERM.
    Interrupted,
}

/// A client command's side of the conversation.
pub(crate) struct Conversation {
    pub(crate) driver: Driver,
    version: Version,
    signals: UnixStream,
    /// A server has accepted us once; from then on a loss is repaired.
    accepted: bool,
    lost: bool,
    quiet: bool,
    disconnect_properties: PropertiesBuf,
}

impl Conversation {
    /// Connects. `default` is the version to speak when the user asks for none.
    pub(crate) fn open(
        args: &ConnectionArgs,
        default: Version,
        needs: NeedsV5,
        change: impl FnOnce(&mut Options),
    ) -> Result<Conversation, Trouble> {
        let version = args.speaks(default, needs)?;
        let random = random();
        let mut options = args.options(version, random)?;
        change(&mut options);
        let disconnect_properties = args.properties().of(Command::Disconnect).map_err(wrong_property)?;
        let address = args.address()?;
        let mut driver = Driver::new(address.clone(), Client::new(options), random);
        if args.hex || args.debug {
            driver.observe(observer(args.hex, args.debug, version));
        }
        driver.connect().map_err(|loss| unreachable_server(&address, &loss))?;
        // Not before: until now there is nothing to leave properly, and a signal may just end it.
        let signals =
            signals().map_err(|error| Trouble::new("signals cannot be watched", error, "try again"))?;
        Ok(Conversation {
            driver,
            version,
            signals,
            accepted: false,
            lost: false,
            quiet: args.quiet,
            disconnect_properties,
        })
    }

    /// The version that is spoken.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Whether CONNACK has come and the connection stands.
    pub(crate) fn is_connected(&self) -> bool {
        self.driver.client().is_connected()
    }

    /// Waits for the next thing. A lost connection is repaired on the way.
    pub(crate) fn step(
        &mut self,
        wake: Option<BorrowedFd<'_>>,
        until: Option<Instant>,
    ) -> Result<Happened<'_>, Trouble> {
        let mut descriptors = vec![self.signals.as_fd()];
        descriptors.extend(wake);
        if self.lost {
            // Only a signal counts: what else the command waits for can do without a server.
            match self.driver.reconnect(&descriptors[..1], until) {
                Ok(true) => self.lost = false,
                Ok(false) if drained(&self.signals) => return Ok(Happened::Interrupted),
                Ok(false) => return Ok(Happened::TimedOut),
                Err(loss) => tell(self.quiet, &format!("cannot connect yet: {loss}")),
            }
            return Ok(Happened::Nothing);
        }
        match self.driver.next(&descriptors, until) {
            Ok(Step::Event(Event::Connected(connack))) => {
                self.accepted = true;
                Ok(Happened::Event(Event::Connected(connack)))
            }
            Ok(Step::Event(Event::Refused(connack))) => Err(refused(&connack, self.version)),
            Ok(Step::Event(Event::Disconnected(disconnect))) => {
                self.lost = true;
                if is_final(disconnect.reason_code) {
                    return Err(disconnected(&disconnect));
                }
                tell(self.quiet, &format!("{}; connecting again", why(&disconnect)));
                Ok(Happened::Nothing)
            }
            Ok(Step::Event(event)) => Ok(Happened::Event(event)),
            Ok(Step::Woken(0)) if drained(&self.signals) => Ok(Happened::Interrupted),
            Ok(Step::Woken(_)) => Ok(Happened::Woken),
            Ok(Step::Drained) => Ok(Happened::Nothing),
            Ok(Step::TimedOut) => Ok(Happened::TimedOut),
            Err(loss) if !self.accepted => Err(Trouble::new(
                "the connection was lost before the server accepted it",
                loss,
                "look at the server's log; a server of another MQTT version may close at once (-V)",
            )),
            Err(Loss::Failure(failure)) => Err(Trouble::new(
                "the conversation ended",
                failure,
                "--hex shows the bytes, and `hexmq explain` what they mean",
            )),
            Err(loss) => {
                self.lost = true;
                tell(self.quiet, &format!("connection lost ({loss}); connecting again"));
                Ok(Happened::Nothing)
            }
        }
    }

    /// Leaves: finishes QoS 2 exchanges that have begun, for a moment, and disconnects.
    pub(crate) fn leave(mut self) {
        self.driver.take_no_more();
        let deadline = Instant::now() + PARTING;
        while self.driver.client().unreleased() > 0 && self.is_connected() && Instant::now() < deadline {
            if self.step(None, Some(deadline)).is_err() {
                return;
            }
        }
        self.driver.disconnect(ReasonCode::NormalDisconnection, self.disconnect_properties.as_properties());
    }
}

/// A line on stderr.
pub(crate) fn tell(quiet: bool, line: &str) {
    if !quiet {
        say(line);
    }
}

/// A line on stderr, whether or not anybody reads it.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A seed for client identifiers and back-off.
fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()))
}

fn signals() -> io::Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    for signal in [SIGINT, SIGTERM] {
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(reader)
}

/// Whether a signal was waiting.
fn drained(mut signals: &UnixStream) -> bool {
    signals.read(&mut [0; 16]).is_ok_and(|count| count > 0)
}

fn observer(hex: bool, debug: bool, version: Version) -> hexmq_client::Observer {
    Box::new(move |direction: Direction, frame: Frame<'_>| {
        let arrow = match direction {
            Direction::Out => '>',
            Direction::In => '<',
        };
        if debug {
            say(&format!("{arrow} {}", hexmq_notation::print_bytes(frame.bytes, version)));
        }
        if hex {
            let name = frame.packet_type().map_or("?", |packet_type| packet_type.name());
            let bytes = hexmq_notation::print_hex(frame.bytes);
            say(&format!("{arrow} {name} {}", bytes.trim_start_matches("hex ")));
        }
    })
}

fn unreachable_server(address: &Dial, loss: &Loss) -> Trouble {
    Trouble::new(
        format!("cannot connect to {address}"),
        loss,
        "is the server running and listening there? -h HOST, -p PORT or --unix PATH names another one",
    )
}

fn refused(connack: &Connack<'_>, version: Version) -> Trouble {
    let reason_code = connack.reason_code;
    let code = match version {
        Version::V5 => reason_code.as_u8(),
        Version::V3 | Version::V4 => reason_code.return_code().unwrap_or(1),
    };
    let remedy = match reason_code {
        ReasonCode::BadUserNameOrPassword => "check -u and -P",
        ReasonCode::NotAuthorized => "-u NAME -P PASSWORD; or ask the server's owner what this client may do",
        ReasonCode::ClientIdentifierNotValid => "another client identifier: -i NAME",
        ReasonCode::UnsupportedProtocolVersion => "another MQTT version: -V 5, -V 311 or -V 31",
        _ => "try later, or look at the server's log",
    };
    let why = match version {
        Version::V5 => reason(reason_code, connack.properties),
        Version::V3 | Version::V4 => format!("{} (return code {code})", reason_code.name()),
    };
    Trouble::new("the server refused the connection", why, remedy).with_code(code)
}

/// Whether coming back would be pointless, or a fight.
fn is_final(reason_code: ReasonCode) -> bool {
    !matches!(
        reason_code,
        ReasonCode::NormalDisconnection
            | ReasonCode::UnspecifiedError
            | ReasonCode::ServerBusy
            | ReasonCode::ServerShuttingDown
            | ReasonCode::KeepAliveTimeout
            | ReasonCode::ConnectionRateExceeded
            | ReasonCode::MaximumConnectTime
    )
}

fn disconnected(disconnect: &Disconnect<'_>) -> Trouble {
    let remedy = match disconnect.reason_code {
        ReasonCode::SessionTakenOver => "give each client an identifier of its own: -i NAME",
        _ => "--hex shows what was sent before; the server's log may say more",
    };
    Trouble::new(
        "the server ended the connection",
        reason(disconnect.reason_code, disconnect.properties),
        remedy,
    )
    .with_code(disconnect.reason_code.as_u8())
}

fn why(disconnect: &Disconnect<'_>) -> String {
    format!("the server ended the connection: {}", reason(disconnect.reason_code, disconnect.properties))
}

/// A reason code in words, with the server's own words if it sent some.
pub(crate) fn reason(reason_code: ReasonCode, properties: Properties<'_>) -> String {
    let code = format!("{} (0x{:02X})", reason_code.name(), reason_code.as_u8());
    match properties.reason_string() {
        Some(words) => format!("{code}: {words}"),
        None => code,
    }
}
