//! Takes the steps of a case, one by one, and compares.

use std::collections::BTreeMap;
use std::fmt;

use hexmq_notation::{Action, Case, Expectation, Origin, Step, print_bytes};
use hexmq_wire::Version;

use super::Stage;

/// Longest line of a message that is shown whole, in characters.
const LINE_MAX: usize = 400;

/// Why a case failed: the place, what was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file, as it was named.
    pub file: String,
    /// Line of the step, from 1.
    pub line: usize,
    /// The name of the case.
    pub case: String,
    /// What was expected and what came, in the notation; several lines.
    pub message: String,
}

impl Failure {
    /// A case that could not even begin.
    pub fn before(file: &str, case: &Case, message: impl Into<String>) -> Failure {
        Failure { file: file.to_owned(), line: case.line, case: case.name.clone(), message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.case)?;
        self.message.lines().try_for_each(|line| match line.char_indices().nth(LINE_MAX) {
            Some((at, _)) => {
                write!(f, "\n    {}… ({} bytes)", line.get(..at).unwrap_or_default(), line.len())
            }
            None => write!(f, "\n    {line}"),
        })
    }
}

impl std::error::Error for Failure {}

/// Plays one case. `file` is only for messages.
pub fn play(file: &str, case: &Case, stage: &mut impl Stage) -> Result<(), Failure> {
    let mut player = Player { stage, case, known: BTreeMap::new() };
    let failed = |line, message| Failure { file: file.to_owned(), line, case: case.name.clone(), message };
    let mut at = 0;
    while let Some(step) = case.steps.get(at) {
        at += player.step(step, at).map_err(|message| failed(step.line, message))?;
    }
    let last = case.steps.last().map_or(case.line, |step| step.line);
    player.end().map_err(|message| failed(last, message))
}

struct Player<'a, S> {
    stage: &'a mut S,
    case: &'a Case,
    known: BTreeMap<String, Known>,
}

/// What the transcript knows of an open connection.
struct Known {
    /// How packets on it are printed.
    version: Version,
    /// The client has said DISCONNECT: the server may close.
    disconnecting: bool,
}

impl<S: Stage> Player<'_, S> {
    /// Takes the step at `at`; gives how many steps were taken.
    fn step(&mut self, step: &Step, at: usize) -> Result<usize, String> {
        match &step.action {
            Action::Open { connection, origin } => self.open(connection, *origin)?,
            Action::Send { connection, bytes, version, .. } => self.send(connection, bytes, *version)?,
            Action::Expect { connections, any_order: false, expected } => {
                self.expect(connections, expected, step)?
            }
            Action::Expect { connections, any_order: true, .. } => return self.expect_group(connections, at),
            Action::Nothing { connection } => self.nothing(connection)?,
            Action::Anything { connection } => {
                self.stage.settle()?;
                self.opened(connection)?;
                self.stage.inbox(connection).packets.clear();
            }
            Action::Closed { connection } => self.closed(connection)?,
            Action::Leave { connection, departure } => {
                self.opened(connection)?;
                self.leftovers(connection)?;
                self.known.remove(connection);
                self.stage.leave(connection, *departure)?;
            }
            Action::Reading { connection, on } => {
                self.opened(connection)?;
                self.stage.set_reading(connection, *on)?;
            }
            Action::Wait(time) => {
                let next = self.case.steps.get(at + 1).map(|step| &step.action);
                let before_packet = matches!(next, Some(Action::Expect { .. } | Action::Closed { .. }));
                self.stage.advance(*time, before_packet)?;
            }
            Action::StopServer => self.stage.stop_server()?,
        }
        Ok(1)
    }

    fn opened(&self, connection: &str) -> Result<(), String> {
        match self.known.contains_key(connection) {
            true => Ok(()),
            false => Err(format!("the transcript has no open connection {connection} here")),
        }
    }

    fn open(&mut self, connection: &str, origin: Origin) -> Result<(), String> {
        if self.known.remove(connection).is_some() {
            self.leftovers(connection)?;
            self.stage.forget(connection);
        }
        self.stage.open(connection, origin)?;
        let version = self.case.head.version();
        self.known.insert(connection.to_owned(), Known { version, disconnecting: false });
        Ok(())
    }

    fn send(&mut self, connection: &str, bytes: &[u8], version: Version) -> Result<(), String> {
        if !self.known.contains_key(connection) || self.is_over(connection) {
            self.open(connection, Origin::Loopback)?;
        }
        if let Some(known) = self.known.get_mut(connection) {
            known.version = version;
            known.disconnecting |= bytes.first().is_some_and(|first| first >> 4 == 14);
        }
        let piece = self.case.head.segment().unwrap_or(bytes.len()).max(1);
        bytes.chunks(piece).try_for_each(|bytes| self.stage.send(connection, bytes))
    }

    /// The client had said DISCONNECT, and the server has closed.
    fn is_over(&mut self, connection: &str) -> bool {
        if !self.known.get(connection).is_some_and(|known| known.disconnecting) {
            return false;
        }
        while !self.stage.inbox(connection).closed && self.stage.wait(&[connection.to_owned()]) {}
        self.stage.inbox(connection).closed
    }

    fn show(&self, connection: &str, packet: &[u8]) -> String {
        let version = self.known.get(connection).map_or(Version::V4, |known| known.version);
        format!("{connection} < {}", print_bytes(packet, version))
    }

    fn expect(&mut self, connections: &[String], expected: &Expectation, step: &Step) -> Result<(), String> {
        connections.iter().try_for_each(|connection| self.opened(connection))?;
        loop {
            let mut got = String::new();
            let mut over = true;
            for connection in connections {
                let inbox = self.stage.inbox(connection);
                over &= inbox.closed || !inbox.packets.is_empty();
                let closed = inbox.closed;
                match inbox.packets.front().cloned() {
                    Some(packet) => match expected.matches(&packet) {
                        Ok(()) => {
                            self.stage.inbox(connection).packets.pop_front();
                            return Ok(());
                        }
                        Err(why) => {
                            got.push_str(&format!("\ngot       {}\n{why}", self.show(connection, &packet)))
                        }
                    },
                    None if closed => got.push_str(&format!("\ngot       {connection} ! closed")),
                    None => got.push_str(&format!("\ngot       {connection} < nothing")),
                }
            }
            if over || !self.stage.wait(connections) {
                return Err(format!("expected  {step}{got}"));
            }
        }
    }

    /// Takes the neighbouring `<~` steps of one connection together.
    fn expect_group(&mut self, connections: &[String], at: usize) -> Result<usize, String> {
        let steps = self.case.steps.get(at..).unwrap_or_default();
        let in_group = |step: &&Step| match &step.action {
            Action::Expect { connections: others, any_order: true, .. } => others == connections,
            _ => false,
        };
        let group: Vec<&Step> = steps.iter().take_while(in_group).collect();
        let mut missing = group.clone();
        while !missing.is_empty() {
            let packet = self.next_packet(connections, &missing)?;
            let fits = |step: &&Step| match &step.action {
                Action::Expect { expected, .. } => expected.matches(&packet).is_ok(),
                _ => false,
            };
            match missing.iter().position(fits) {
                Some(found) => drop(missing.remove(found)),
                None => {
                    let connection = connections.first().map_or("", String::as_str);
                    return Err(format!(
                        "{}got       {}",
                        expected_lines(&missing),
                        self.show(connection, &packet)
                    ));
                }
            }
        }
        Ok(group.len())
    }

    fn next_packet(&mut self, connections: &[String], missing: &[&Step]) -> Result<Vec<u8>, String> {
        connections.iter().try_for_each(|connection| self.opened(connection))?;
        loop {
            for connection in connections {
                if let Some(packet) = self.stage.inbox(connection).packets.pop_front() {
                    return Ok(packet);
                }
            }
            let closed = connections.iter().all(|connection| self.stage.inbox(connection).closed);
            if closed || !self.stage.wait(connections) {
                let got = if closed { "the connection closed" } else { "nothing" };
                return Err(format!("{}got       {got}", expected_lines(missing)));
            }
        }
    }

    fn nothing(&mut self, connection: &str) -> Result<(), String> {
        self.opened(connection)?;
        self.stage.settle()?;
        self.leftovers(connection)?;
        match self.stage.inbox(connection).closed {
            true => Err(format!("expected  {connection} < nothing\ngot       {connection} ! closed")),
            false => Ok(()),
        }
    }

    fn leftovers(&mut self, connection: &str) -> Result<(), String> {
        let packets: Vec<Vec<u8>> = self.stage.inbox(connection).packets.drain(..).collect();
        match packets.is_empty() {
            true => Ok(()),
            false => {
                let got: Vec<String> = packets.iter().map(|packet| self.show(connection, packet)).collect();
                Err(format!("expected  {connection} < nothing\ngot       {}", got.join("\n          ")))
            }
        }
    }

    fn closed(&mut self, connection: &str) -> Result<(), String> {
        self.opened(connection)?;
        loop {
            if let Some(packet) = self.stage.inbox(connection).packets.front().cloned() {
                return Err(format!(
                    "expected  {connection} ! closed\ngot       {}",
                    self.show(connection, &packet)
                ));
            }
            if self.stage.inbox(connection).closed {
                self.known.remove(connection);
                self.stage.forget(connection);
                return Ok(());
            }
            if !self.stage.wait(&[connection.to_owned()]) {
                return Err(format!("expected  {connection} ! closed\ngot       {connection} still open"));
            }
        }
    }

    /// Nothing may be left over.
    fn end(&mut self) -> Result<(), String> {
        self.stage.settle().map_err(|message| format!("at the end of the case: {message}"))?;
        for (connection, disconnecting) in
            self.known.iter().map(|(name, known)| (name.clone(), known.disconnecting)).collect::<Vec<_>>()
        {
            self.leftovers(&connection).map_err(|message| format!("at the end of the case\n{message}"))?;
            if self.stage.inbox(&connection).closed && !disconnecting {
                return Err(format!(
                    "at the end of the case\nexpected  {connection} open\ngot       {connection} ! closed"
                ));
            }
        }
        Ok(())
    }
}

fn expected_lines(steps: &[&Step]) -> String {
    steps.iter().map(|step| format!("expected  {step}\n")).collect()
}
