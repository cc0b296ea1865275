//! What is measured: our server with one and two shards, the relay, mosquitto, rumqttd. Each run has a fresh one.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::peer::{Mosquitto, Rumqttd};
use crate::command::{command, output};
use crate::place::{self, Profile};
use crate::server::Server;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Relay,
    /// The relay at the QoS of the load.
    AnsweringRelay,
    Mosquitto,
    Rumqttd,
    OneShard,
    TwoShards,
}

impl Subject {
    pub(super) const ALL: [Subject; 6] = [
        Subject::Relay,
        Subject::AnsweringRelay,
        Subject::Mosquitto,
        Subject::Rumqttd,
        Subject::OneShard,
        Subject::TwoShards,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Subject::Relay => "relay",
            Subject::AnsweringRelay => "floor",
            Subject::Mosquitto => "mosquitto",
            Subject::Rumqttd => "rumqttd",
            Subject::OneShard => "hexmq_1",
            Subject::TwoShards => "hexmq_2",
        }
    }

    /// Done with a batched load in a fifth of a second.
    pub(super) fn is_quick(self) -> bool {
        !matches!(self, Subject::Mosquitto | Subject::Rumqttd)
    }

    pub(super) fn is_ours(self) -> bool {
        matches!(self, Subject::OneShard | Subject::TwoShards)
    }

    /// Puts this load on a fresh server.
    pub(super) fn measure(self, flags: &[&str]) -> Result<Value, String> {
        if self == Subject::Mosquitto {
            let server = Mosquitto::start(None)?;
            return load(Profile::Release, &server.address, server.pid(), flags);
        }
        if self == Subject::Rumqttd {
            let server = Rumqttd::start()?;
            return load(Profile::Release, &server.address, server.pid(), flags);
        }
        let mut server = match self {
            Subject::Relay | Subject::AnsweringRelay => relay()?,
            Subject::OneShard => serve(Profile::Release, 1)?,
            _ => serve(Profile::Release, 2)?,
        };
        let result = load(Profile::Release, server.address("mqtt")?, server.pid(), flags)?;
        if self.is_ours() {
            server.stop()?;
        }
        Ok(result)
    }
}

/// Our server on a free port.
pub(super) fn serve(profile: Profile, shards: u64) -> Result<Server, String> {
    serve_with(profile, shards, &[])
}

/// The same with more settings.
pub(super) fn serve_with(profile: Profile, shards: u64, more: &[&str]) -> Result<Server, String> {
    let shards = format!("--shards={shards}");
    let usual = ["--listen=mqtt://127.0.0.1:0", "--http=off", "--log=warn", "--ephemeral", &shards];
    let arguments: Vec<String> = usual.iter().chain(more).map(|&word| word.to_owned()).collect();
    fs::create_dir_all(place::tools()).map_err(|error| error.to_string())?;
    Server::start(&place::program("hexmq", profile), &arguments, &place::tools().join("bench-server.log"))
}

fn relay() -> Result<Server, String> {
    let program = place::program("hexmq-bench", Profile::Release);
    let arguments = ["--listen=127.0.0.1:0".to_owned()];
    Server::start_as(&program, "relay", &arguments, &place::tools().join("bench-relay.log"))
}

/// Runs the load generator; its report.
pub(super) fn load(profile: Profile, address: &str, pid: u32, flags: &[&str]) -> Result<Value, String> {
    let (host, port) = address.rsplit_once(':').ok_or_else(|| format!("no port in {address:?}"))?;
    let mut generator = command(place::program("hexmq", profile));
    generator.arg("bench").args(flags).args(["-h", host, "-p", port, "--json", "--pid", &pid.to_string()]);
    let printed = output(&mut generator)?;
    serde_json::from_str(&printed).map_err(|error| format!("hexmq bench printed {printed:?}: {error}"))
}

/// The brokers of others on this machine, with what they say about themselves.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) mosquitto: Option<String>,
    pub(super) rumqttd: Option<String>,
}

impl Peers {
    pub(super) fn installed() -> Peers {
        Peers { mosquitto: mosquitto_version(), rumqttd: first_line("rumqttd", "--version") }
    }

    /// For the head of a table.
    pub(super) fn told(&self) -> String {
        let told = |version: &Option<String>, name: &str| {
            version.clone().unwrap_or_else(|| format!("{name} is not installed"))
        };
        format!("{}; {}", told(&self.mosquitto, "mosquitto"), told(&self.rumqttd, "rumqttd"))
    }
}

/// The first line of what the installed mosquitto says about itself.
pub(super) fn mosquitto_version() -> Option<String> {
    first_line("mosquitto", "-h")
}

fn first_line(program: &str, flag: &str) -> Option<String> {
    let said = command(program).arg(flag).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(said.stdout).ok()?.lines().next().map(str::to_owned)
}
