//! A running `hexmq serve` for the tests: on free ports, ready when it says so, stopped when dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::command::command;

/// How long a start or a stop may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server and where it listens.
pub(crate) struct Server {
    /// Taken out when it is asked to stop.
    child: Option<Child>,
    /// What stood after `listening`, one per listener.
    listeners: Vec<String>,
}

impl Server {
    /// Starts the program with `serve` and these arguments; its log goes to `log`.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path) -> Result<Server, String> {
        Server::start_as(program, "serve", arguments, log)
    }

    /// Starts the program with another subcommand that says the same things when it is ready.
    pub(crate) fn start_as(
        program: &Path,
        subcommand: &str,
        arguments: &[String],
        log: &Path,
    ) -> Result<Server, String> {
        let log_file = std::fs::File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut child = command(program)
            .arg(subcommand)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let stdout = child.stdout.take();
        let mut server = Server { child: Some(child), listeners: Vec::new() };
        let (lines, arriving) = mpsc::channel();
        thread::spawn(move || {
            for line in
                stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()).map_while(Result::ok)
            {
                let _ = lines.send(line);
            }
        });
        loop {
            match arriving.recv_timeout(PATIENCE) {
                Ok(line) if line == "ready" => return Ok(server),
                Ok(line) => server.listeners.extend(line.strip_prefix("listening ").map(str::to_owned)),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("not ready in time; see {}", log.display()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let said = std::fs::read_to_string(log).unwrap_or_default();
                    return Err(format!("the server ended before it was ready:\n{said}"));
                }
            }
        }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// The address after the scheme of the first listener with this scheme (`mqtt`, `unix`, `wss`, `http`).
    pub(crate) fn address(&self, scheme: &str) -> Result<&str, String> {
        self.listeners
            .iter()
            .find_map(|url| url.strip_prefix(scheme)?.strip_prefix("://"))
            .ok_or_else(|| format!("no {scheme} listener among {:?}", self.listeners))
    }

    /// The port of the first listener with this scheme.
    pub(crate) fn port_of(&self, scheme: &str) -> Result<u16, String> {
        let address = self.address(scheme)?;
        let authority = address.split('/').next().unwrap_or_default();
        let port = authority.rsplit(':').next().and_then(|port| port.parse().ok());
        port.ok_or_else(|| format!("no port in {address:?}"))
    }

    /// Asks it to stop with SIGTERM: it must drain and exit 0.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        let pid =
            i32::try_from(self.pid()).ok().and_then(Pid::from_raw).ok_or("the server has no process id")?;
        kill_process(pid, Signal::TERM).map_err(|error| format!("cannot signal the server: {error}"))?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let (done, waited) = mpsc::channel();
        thread::spawn(move || {
            let _ = done.send(child.wait());
        });
        match waited.recv_timeout(PATIENCE) {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("after SIGTERM the server ended with {status}, not with 0")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                let _ = kill_process(pid, Signal::KILL);
                Err("the server did not stop within 30 s of SIGTERM".to_owned())
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
