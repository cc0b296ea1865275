//! Lines in, bytes out, until there are no more lines.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::input::{Input, Inputs};
use super::line::{Auto, Awaited, Line, Variables, What, parse};
use super::session::{Arrived, Session};
use crate::command::connection::poll_until;
use crate::command::explain::WRONG_USAGE;

/// An expectation was not met.
const NOT_MET: u8 = 1;

/// How long `expect nothing` listens when the line does not say.
const SILENCE: Duration = Duration::from_secs(1);

/// Lines held while one is being waited for.
const WAITING_MAX: usize = 64;

/// How lines are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// A person is there: what goes wrong is told and the session goes on.
    pub(super) interactive: bool,
    /// How long to wait for answers when the lines have ended.
    pub(super) wait: Duration,
    /// How long `wait` and `expect` wait.
    pub(super) patience: Duration,
}

/// What keeps the next line waiting.
enum Pending {
    Sleep {
        until: Instant,
    },
    Await {
        awaited: Awaited,
        until: Instant,
        in_order: bool,
    },
    /// The lines have ended.
    Ending {
        until: Instant,
    },
}

/// What to do after a line.
enum Next {
    Go,
    Quit,
}

/// Takes lines and does what they ask for.
pub(super) struct Engine {
    session: Session,
    inputs: Inputs,
    style: Style,
    variables: Variables,
    /// Lines that came while another was being waited for.
    waiting: VecDeque<Input>,
    pending: Option<Pending>,
    /// The line that is being done.
    line: usize,
}

impl Engine {
    pub(super) fn new(session: Session, inputs: Inputs, style: Style) -> Engine {
        Engine {
            session,
            inputs,
            style,
            variables: Variables::new(),
            waiting: VecDeque::new(),
            pending: None,
            line: 0,
        }
    }

    /// Until the lines have ended; the exit code.
    pub(super) fn run(mut self) -> u8 {
        let code = loop {
            self.session.exchange();
            self.session.ping_if_due();
            match self.advance() {
                Ok(Next::Go) => {}
                Ok(Next::Quit) => break 0,
                Err(code) => break code,
            }
            if let Err(error) = self.sleep() {
                eprintln!("hexmq raw: {error}");
                break super::NO_CONNECTION;
            }
        };
        self.session.close();
        code
    }

    /// Does lines until one has to wait, or there are none.
    fn advance(&mut self) -> Result<Next, u8> {
        self.inputs.settle();
        loop {
            self.gather();
            if self.pending.is_some() && !self.settle()? {
                return Ok(Next::Go);
            }
            if matches!(self.pending, Some(Pending::Ending { .. })) {
                return Ok(Next::Quit);
            }
            self.pending = None;
            let Some(input) = self.waiting.pop_front() else { return Ok(Next::Go) };
            match input {
                Input::Line { number, text } => {
                    self.line = number;
                    if matches!(self.obey(&text)?, Next::Quit) {
                        return Ok(Next::Quit);
                    }
                }
                Input::Interrupt => self.session.say("-- Ctrl-D ends"),
                Input::Failed(problem) => {
                    eprintln!("hexmq raw: {problem}");
                    return Err(WRONG_USAGE);
                }
                Input::End if self.style.interactive => return Ok(Next::Quit),
                Input::End => self.pending = Some(Pending::Ending { until: after(self.style.wait) }),
            }
        }
    }

    /// Takes in what has been typed; an interruption ends the waiting.
    fn gather(&mut self) {
        while self.waiting.len() < WAITING_MAX && !matches!(self.waiting.back(), Some(Input::End)) {
            match self.inputs.take() {
                None => return,
                Some(Input::Interrupt) if self.pending.is_some() => {
                    self.pending = None;
                    self.waiting.clear();
                    self.session.say("-- no longer waiting");
                }
                Some(input) => self.waiting.push_back(input),
            }
        }
    }

    /// Whether what was waited for is over.
    fn settle(&mut self) -> Result<bool, u8> {
        let now = Instant::now();
        let session = &mut self.session;
        match &self.pending {
            None => Ok(true),
            Some(Pending::Sleep { until }) => Ok(*until <= now),
            Some(Pending::Ending { until }) => {
                if session.link().is_none() || session.outstanding.is_settled() {
                    return Ok(true);
                }
                let due = session.outstanding.describe();
                if *until <= now && !due.is_empty() {
                    eprintln!("hexmq raw: no answer within {:?}: {due}", self.style.wait);
                }
                Ok(*until <= now)
            }
            Some(Pending::Await { awaited, until, in_order }) => {
                let verdict = judge(awaited, *in_order, *until <= now, session);
                match verdict {
                    None => Ok(false),
                    Some(Ok(())) => Ok(true),
                    Some(Err(problem)) => {
                        let word = if *in_order { "expected" } else { "waited for" };
                        let problem = format!("{word} {}: {problem}", awaited.text);
                        self.fail(NOT_MET, &problem).map(|()| true)
                    }
                }
            }
        }
    }

    /// Does what a line asks for.
    fn obey(&mut self, text: &str) -> Result<Next, u8> {
        let line = match parse(text, &self.variables, self.session.version()) {
            Ok(line) => line,
            Err(problem) => return self.fail(WRONG_USAGE, &problem).map(|()| Next::Go),
        };
        let patience = self.style.patience;
        let done = match line {
            Line::Nothing => Ok(()),
            Line::Quit => return Ok(Next::Quit),
            Line::Send(bytes) => self.session.send(&bytes),
            Line::Set { name, value } => {
                self.variables.insert(name, value);
                Ok(())
            }
            Line::ShowVariables => {
                for (name, value) in &self.variables {
                    self.session.say(&format!("   {name}={value}"));
                }
                Ok(())
            }
            Line::Wait(awaited) => {
                let until = after(awaited.patience.unwrap_or(patience));
                self.pending = Some(Pending::Await { awaited, until, in_order: false });
                Ok(())
            }
            Line::Expect(awaited) => {
                let usual = if awaited.what == What::Nothing { SILENCE } else { patience };
                let until = after(awaited.patience.unwrap_or(usual));
                self.pending = Some(Pending::Await { awaited, until, in_order: true });
                Ok(())
            }
            Line::Sleep(time) => {
                self.pending = Some(Pending::Sleep { until: after(time) });
                Ok(())
            }
            Line::Explain(number) => self.session.explain(number),
            Line::Auto { what, on } => {
                match what {
                    Auto::Ping => self.session.manner.auto_ping = on,
                    Auto::Ack => self.session.manner.auto_ack = on,
                }
                Ok(())
            }
            Line::Version(version) => {
                self.session.set_version(version);
                Ok(())
            }
            Line::Connect => self.session.connect().map_err(|error| format!("cannot connect: {error}")),
            Line::Close => {
                self.session.close();
                Ok(())
            }
            Line::Help => {
                self.session.say(HELP);
                Ok(())
            }
        };
        match done {
            Ok(()) => Ok(Next::Go),
            Err(problem) => self.fail(NOT_MET, &problem).map(|()| Next::Go),
        }
    }

    /// Tells what went wrong; without a person to decide, that is the end.
    fn fail(&mut self, code: u8, problem: &str) -> Result<(), u8> {
        self.session.note(problem);
        if self.style.interactive {
            self.session.say(&format!("!! {problem}"));
            return Ok(());
        }
        eprintln!("hexmq raw: line {}: {problem}", self.line);
        Err(code)
    }

    /// Until bytes or lines come, or something is due.
    fn sleep(&mut self) -> io::Result<()> {
        let pending = match &self.pending {
            Some(Pending::Sleep { until } | Pending::Await { until, .. } | Pending::Ending { until }) => {
                Some(*until)
            }
            None => None,
        };
        let until = pending.into_iter().chain(self.session.ping_due()).min();
        let mut descriptors = vec![PollFd::from_borrowed_fd(self.inputs.fd(), PollFlags::IN)];
        if let Some(link) = self.session.link() {
            descriptors.push(PollFd::from_borrowed_fd(link.fd(), link.interest()));
        }
        poll_until(&mut descriptors, until)
    }
}

fn after(time: Duration) -> Instant {
    let now = Instant::now();
    // Longer than anybody waits.
    now.checked_add(time).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365))
}

/// Whether what is awaited has come; `None`: it may still come.
fn judge(
    awaited: &Awaited,
    in_order: bool,
    too_late: bool,
    session: &mut Session,
) -> Option<Result<(), String>> {
    if in_order {
        session.arrived.retain(|arrived| !arrived.unasked);
    }
    match &awaited.what {
        What::Nothing => match session.arrived.pop_front() {
            Some(arrived) => Some(Err(format!("{} came", name(&arrived)))),
            None => too_late.then_some(Ok(())),
        },
        What::Closed => {
            if session.link().is_none() {
                return Some(Ok(()));
            }
            let unasked = session.arrived.front().filter(|_| in_order).map(name);
            match unasked {
                Some(name) => Some(Err(format!("{name} came"))),
                None => too_late.then(|| Err("the connection is still open".to_owned())),
            }
        }
        What::Type(_) | What::Packet(_) => {
            if in_order {
                if let Some(arrived) = session.arrived.pop_front() {
                    return Some(difference(&awaited.what, &arrived).map_or(Ok(()), Err));
                }
            } else {
                // The others stay for those who ask for them.
                let arrived = &mut session.arrived;
                if let Some(at) = arrived.iter().position(|it| difference(&awaited.what, it).is_none()) {
                    arrived.remove(at);
                    return Some(Ok(()));
                }
            }
            if session.link().is_none() {
                return Some(Err("the connection is closed".to_owned()));
            }
            too_late.then(|| Err("it did not come in time".to_owned()))
        }
    }
}

/// How a packet is not as expected.
fn difference(what: &What, arrived: &Arrived) -> Option<String> {
    match what {
        What::Type(packet_type) if arrived.packet_type == Some(*packet_type) => None,
        What::Packet(expectation) => {
            let problem = expectation.matches(&arrived.bytes).err()?;
            Some(format!("{problem} (in {})", name(arrived)))
        }
        _ => Some(format!("{} came", name(arrived))),
    }
}

fn name(arrived: &Arrived) -> String {
    arrived.packet_type.map_or_else(|| "a packet of type 0".to_owned(), |it| it.name().to_owned())
}

const HELP: &str = "\
   10 25 00 04 …            hex, written in any way: sent as it is
   CONNECT v4 id=dev1 …     a packet in the notation (docs/notation.md)
   hex 30 len( str(\"t\") )   bytes with lengths worked out
   explain [N]              every byte of the last packet, or of packet N
   wait PACKET [TIME]       until such a packet has come; others stay
   expect PACKET [TIME]     the next packet must be such a one
                            PACKET: a name, a packet with * A..B ..., hex bytes, closed, nothing
   sleep TIME               500ms, 2s
   set NAME=VALUE, vars     variables: $NAME or ${NAME} in any line, $$ for $
   auto ping|ack on|off     PINGREQ in time; acknowledge QoS 1 and 2
   version 3|4|5            how packets are read and written; a CONNECT says its own
   close, connect           end the connection, open it anew
   quit                     or Ctrl-D; Ctrl-C ends a wait
";
