//! Other brokers, on free ports, with their data in a folder of ours, stopped by their process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::command;

/// A start that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn free_port() -> Result<u16, String> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    port.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

/// A mosquitto on a free port.
pub(super) struct Mosquitto {
    child: Child,
    pub(super) address: String,
}

impl Mosquitto {
    /// With a folder it keeps everything there, and writes it after every change.
    pub(super) fn start(data: Option<&Path>) -> Result<Mosquitto, String> {
        let port = free_port()?;
        let config = std::env::temp_dir().join(format!("hexmq-bench-{}.conf", std::process::id()));
        // Without these bounds lifted it would drop messages that the run expects.
        let mut text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
        );
        if let Some(data) = data {
            text += &format!(
                "persistence true\npersistence_location {}/\nautosave_on_changes true\nautosave_interval 1\n\
                 user root\n",
                data.display()
            );
        }
        fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        let mut child = command("mosquitto")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start mosquitto: {error}"))?;
        let log = child.stderr.take();
        let server = Mosquitto { child, address: format!("127.0.0.1:{port}") };
        let (ready, waiting) = mpsc::channel();
        thread::spawn(move || {
            for line in log.into_iter().flat_map(|log| BufReader::new(log).lines()).map_while(Result::ok) {
                if line.ends_with(" running") {
                    let _ = ready.send(());
                }
            }
        });
        let started = waiting.recv_timeout(Duration::from_secs(10));
        let _ = fs::remove_file(&config);
        started.map(|()| server).map_err(|_| "mosquitto did not start".to_owned())
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A rumqttd on a free port: the broker of the rumqtt project, from the registry.
pub(super) struct Rumqttd {
    child: Child,
    pub(super) address: String,
}

impl Rumqttd {
    /// Starts it with the settings it comes with, but for its bounds and its listeners.
    pub(super) fn start() -> Result<Rumqttd, String> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let config = std::env::temp_dir().join(format!("hexmq-bench-rumqttd-{}.toml", std::process::id()));
        let text = format!(
            "id = 0\n[router]\nid = 0\nmax_connections = 20000\nmax_outgoing_packet_count = 200\n\
             max_segment_size = 104857600\nmax_segment_count = 10\n\
             [v4.1]\nname = \"v4-1\"\nlisten = \"{address}\"\nnext_connection_delay_ms = 1\n\
             [v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 1048576\n\
             max_inflight_count = 100\ndynamic_filters = true\n"
        );
        fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        let child = command("rumqttd")
            .arg("-q")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start rumqttd: {error}"))?;
        let mut server = Rumqttd { child, address };
        let started = answers("rumqttd", &mut server.child, &server.address);
        let _ = fs::remove_file(&config);
        started.map(|()| server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Rumqttd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a server that says nothing accepts connections.
fn answers(name: &str, child: &mut Child, address: &str) -> Result<(), String> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("{name} ended with {status}"));
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{name} did not start"));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// RabbitMQ of Debian with its MQTT plugin: a node of our own.
pub(super) struct Rabbit {
    child: Child,
    epmd_port: u16,
    pub(super) address: String,
}

impl Rabbit {
    /// Starts a node with everything in this folder.
    pub(super) fn start(folder: &Path) -> Result<Rabbit, String> {
        let (port, dist_port, epmd_port) = (free_port()?, free_port()?, free_port()?);
        let config = folder.join("rabbitmq.conf");
        let text = format!(
            "listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:{port}\nmqtt.allow_anonymous = true\n\
             mqtt.default_user = guest\nmqtt.default_pass = guest\nmqtt.prefetch = 1000\n"
        );
        let plugins = folder.join("enabled_plugins");
        fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        fs::write(&plugins, "[rabbitmq_mqtt].\n")
            .map_err(|error| format!("{}: {error}", plugins.display()))?;
        let log = fs::File::create(folder.join("rabbitmq.log")).map_err(|error| error.to_string())?;
        let child = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server")
            .current_dir(folder)
            .env("HOME", folder)
            .env("RABBITMQ_NODENAME", format!("hexmqbench{port}@localhost"))
            .env("RABBITMQ_MNESIA_BASE", folder)
            .env("RABBITMQ_LOG_BASE", folder)
            .env("RABBITMQ_CONFIG_FILE", &config)
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", &plugins)
            .env("RABBITMQ_DIST_PORT", dist_port.to_string())
            .env("ERL_EPMD_PORT", epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // The script becomes the server, so that its process is the server's.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            // Its shell reads from there, and ends the node with the input.
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start RabbitMQ (Debian's rabbitmq-server): {error}"))?;
        let mut server = Rabbit { child, epmd_port, address: format!("127.0.0.1:{port}") };
        answers("RabbitMQ", &mut server.child, &server.address)
            .map_err(|error| format!("{error}; see {}", folder.display()))?;
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The port mapper that came with the node stays otherwise.
        let mut epmd = command("epmd");
        let _ = epmd.args(["-port", &self.epmd_port.to_string(), "-kill"]).stdout(Stdio::null()).status();
    }
}
