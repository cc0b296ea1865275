//! Clients of other people against `hexmq serve`: each suite is a program under `tests/clients` that
//! prints its failures and a count. And tshark, which must read the same from the bytes as we do.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{cargo, command, run as run_command, run_keeping};
use crate::place::{self, Profile};
use crate::provision;
use crate::server::Server;
use crate::steps::{Outcome, Steps};

/// Who may connect with a password, besides the anonymous clients of this machine.
const USER: &str = "alice";
const PASSWORD: &str = "correct horse";

/// One suite: its name and how it is started.
struct Suite {
    name: &'static str,
    script: &'static str,
    /// The virtual environment of a Python suite.
    python: &'static str,
    variables: &'static [(&'static str, &'static str)],
    /// The scheme of the listener it connects to.
    over: &'static str,
}

impl Suite {
    const fn new(name: &'static str, script: &'static str) -> Suite {
        Suite { name, script, python: "python", variables: &[], over: "mqtt" }
    }

    const fn within(self, python: &'static str) -> Suite {
        Suite { python, ..self }
    }

    const fn with(self, variables: &'static [(&'static str, &'static str)]) -> Suite {
        Suite { variables, ..self }
    }

    const fn over(self, over: &'static str) -> Suite {
        Suite { over, ..self }
    }
}

const SUITES: &[Suite] = &[
    Suite::new("paho-mqtt (Python)", "paho_suite.py"),
    Suite::new("aiomqtt (Python)", "aiomqtt_suite.py"),
    Suite::new("MQTT.js (Node)", "mqttjs_suite.mjs"),
    Suite::new("mosquitto clients", "mosquitto_suite.py").with(&[("HEXMQ_TOOLS", "mosquitto")]),
    Suite::new("hexmq pub, sub, rr", "mosquitto_suite.py").with(&[("HEXMQ_TOOLS", "hexmq")]),
    Suite::new("paho-mqtt over TLS", "paho_suite.py").over("mqtts"),
    Suite::new("paho-mqtt over WebSocket", "paho_suite.py").over("ws"),
    Suite::new("paho-mqtt over both", "paho_suite.py").over("wss"),
    Suite::new("MQTT.js over WebSocket", "mqttjs_suite.mjs").over("ws"),
    Suite::new("MQTT.js over WebSocket and TLS", "mqttjs_suite.mjs").over("wss"),
    Suite::new("mosquitto clients over TLS", "mosquitto_suite.py")
        .with(&[("HEXMQ_TOOLS", "mosquitto")])
        .over("auto"),
    Suite::new("tshark agrees", "tshark_suite.py"),
    Suite::new("a page in a browser", "page_suite.mjs"),
    // These start servers of their own.
    Suite::new("device cloud, by bytes", "cloud_suite.py"),
    Suite::new("aliyun-iot-linkkit (Python)", "aliyun_suite.py").within("python-aliyun"),
    Suite::new("linkkit 1.0.0 (Python)", "aliyun_suite.py")
        .within("python-linkkit")
        .with(&[("HEXMQ_LINKKIT", "old")]),
    Suite::new("Aliyun's libraries (Node)", "aliyun_suite.mjs"),
    Suite::new("OneNET's libraries (Python)", "onenet_suite.py").within("python-onenet"),
    Suite::new("data base away", "outage_suite.py"),
];

/// `cargo xtask clients`: what the suites need, a build, the suites.
pub(crate) fn run_alone() -> Result<(), String> {
    let mut steps = Steps::new();
    steps.step("Debian packages", provision::debian);
    steps.step("Python packages", provision::python_packages);
    steps.step("Node packages", provision::node_packages);
    let build = || run_command(cargo().args(["build", "--quiet", "--package", "hexmq", "--locked"]));
    if steps.step("build", || build().map(|()| Outcome::Done(String::new()))) {
        run(&mut steps, Profile::Debug);
    }
    steps.finish()
}

/// Runs every suite against one server, and stops that as an operator would.
pub(crate) fn run(steps: &mut Steps, profile: Profile) {
    let mut running = None;
    steps.step("server for the clients", || {
        running = Some(Site::start(profile)?);
        Ok(Outcome::Done(String::new()))
    });
    let Some(mut site) = running else { return };
    let mut counts = Vec::new();
    for suite in SUITES {
        steps.step(suite.name, || {
            let (result, mut lines) = run_keeping(&mut site.command(suite)?, is_count);
            let count = lines.pop().ok_or_else(|| format!("{} printed no count", suite.script));
            counts.extend(count.clone());
            result.and(count).map(Outcome::Done)
        });
    }
    steps.step("the server stops on SIGTERM", || site.server.stop().map(|()| Outcome::Done(String::new())));
    steps.close_with(counts);
}

/// `name: N passed, N failed`
fn is_count(line: &str) -> bool {
    line.ends_with(" failed") && line.contains(" passed, ")
}

/// A server with a user, and a folder for its files.
struct Site {
    server: Server,
    program: PathBuf,
    socket: PathBuf,
}

impl Site {
    fn start(profile: Profile) -> Result<Site, String> {
        let program = place::program("hexmq", profile);
        let folder = place::tools().join("site");
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let config = folder.join("hexmq.toml");
        let user = format!("[[user]]\nname = {USER:?}\npassword_hash = {:?}\n", hash(&program)?);
        fs::write(&config, user).map_err(|error| format!("{}: {error}", config.display()))?;
        // The path of a socket is short everywhere, the path of a repository is not.
        let socket = std::env::temp_dir().join(format!("hexmq-{}.sock", std::process::id()));
        let data = folder.join("data");
        if data.exists() {
            fs::remove_dir_all(&data).map_err(|error| format!("{}: {error}", data.display()))?;
        }
        certificate(&folder)?;
        let arguments = [
            format!("--config={}", config.display()),
            format!("--data={}", data.display()),
            "--listen=mqtt://127.0.0.1:0".to_owned(),
            format!("--listen=unix://{}", socket.display()),
            "--listen=mqtts://127.0.0.1:0".to_owned(),
            "--listen=auto://127.0.0.1:0".to_owned(),
            "--listen=ws://127.0.0.1:0/mqtt".to_owned(),
            "--listen=wss://127.0.0.1:0/mqtt".to_owned(),
            format!("--tls-cert={}", folder.join("server.pem").display()),
            format!("--tls-key={}", folder.join("server.key").display()),
            "--http=off".to_owned(),
            "--sys-interval=1s".to_owned(),
        ];
        let server = Server::start(&program, &arguments, &folder.join("server.log"))?;
        Ok(Site { server, program, socket })
    }

    fn command(&self, suite: &Suite) -> Result<Command, String> {
        let script = place::root().join("tests/clients").join(suite.script);
        let interpreter = if suite.script.ends_with(".py") {
            provision::python(suite.python)
        } else {
            PathBuf::from("node")
        };
        let mut started = command(interpreter);
        started
            .arg(script)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .env("HEXMQ_HOST", "127.0.0.1")
            .env("HEXMQ_PORT", self.server.port_of(suite.over)?.to_string())
            .env("HEXMQ_OVER", suite.over)
            .env("HEXMQ_CAFILE", place::tools().join("site/server.pem"))
            .env("HEXMQ_UNIX", &self.socket)
            .env("HEXMQ_TEST_USER", USER)
            .env("HEXMQ_TEST_PASSWORD", PASSWORD)
            .env("HEXMQ_PROGRAM", &self.program)
            .env("HEXMQ_NODE_FOLDER", provision::node_folder())
            .env("HEXMQ_NODE_CLOUD_FOLDER", provision::node_cloud_folder())
            .env("HEXMQ_SITE", place::tools().join("site"))
            .envs(suite.variables.iter().copied());
        Ok(started)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// A certificate for this machine, and its key.
fn certificate(folder: &Path) -> Result<(), String> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made =
        rcgen::generate_simple_self_signed(names).map_err(|error| format!("a certificate: {error}"))?;
    for (name, text) in [("server.pem", made.cert.pem()), ("server.key", made.signing_key.serialize_pem())] {
        fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

/// The password as `hexmq user hash` prints it.
fn hash(program: &PathBuf) -> Result<String, String> {
    let mut child = command(program)
        .args(["user", "hash"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(PASSWORD.as_bytes()));
    written.unwrap_or(Ok(())).map_err(|error| format!("hexmq user hash: {error}"))?;
    let output = child.wait_with_output().map_err(|error| format!("hexmq user hash: {error}"))?;
    let hash = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && hash.starts_with("$argon2id$") {
        Ok(hash)
    } else {
        Err(format!("hexmq user hash ended with {} and printed {hash:?}", output.status))
    }
}
