//! The server under test, as a process of the operating system.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use crate::link::Link;

/// How to start it.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// Program and arguments; `{data}` and `{port}` are replaced.
    pub(crate) words: Vec<String>,
    /// It prints `ready`; one that does not is ready when it accepts a connection.
    pub(crate) says_ready: bool,
}

impl Recipe {
    /// Our own server.
    pub(crate) fn hexmq(program: &Path, durability: &str, shards: u16, more: &[String]) -> Recipe {
        let mut words = vec![program.display().to_string()];
        let shards = shards.to_string();
        words.extend(
            ["serve", "--listen", "mqtt://127.0.0.1:{port}", "--http", "off", "--log", "info"]
                .into_iter()
                .chain(["--data", "{data}", "--durability", durability, "--shards", &shards])
                .map(str::to_owned),
        );
        words.extend_from_slice(more);
        Recipe { words, says_ready: true }
    }

    /// A mosquitto that writes its snapshot after every change, and drops nothing for lack of room.
    pub(crate) fn mosquitto(folder: &Path, data: &Path, port: u16) -> Result<Recipe, String> {
        let config = folder.join("mosquitto.conf");
        let data = data.display();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n\
             persistence true\npersistence_location {data}/\nautosave_on_changes true\nautosave_interval 1\nuser root\n"
        );
        std::fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        let words = ["mosquitto".to_owned(), "-c".to_owned(), config.display().to_string()];
        Ok(Recipe { words: words.to_vec(), says_ready: false })
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    says_ready: bool,
    address: SocketAddr,
    is_ready: bool,
}

impl Server {
    /// Starts it; what it says on stderr is appended to `log`.
    pub(crate) fn start(
        recipe: &Recipe,
        data: &Path,
        address: SocketAddr,
        log: &Path,
    ) -> Result<Server, String> {
        let log = OpenOptions::new().create(true).append(true).open(log);
        let log: File = log.map_err(|error| format!("the log of the server: {error}"))?;
        let fill = |word: &String| {
            word.replace("{data}", &data.display().to_string()).replace("{port}", &address.port().to_string())
        };
        let mut words = recipe.words.iter().map(fill);
        let program = PathBuf::from(words.next().unwrap_or_default());
        let mut child = Command::new(&program)
            .args(words)
            .env_remove("HEXMQ_ADMIN_PASSWORD")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let (sender, lines) = channel();
        let stdout = child.stdout.take();
        std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Server { child, lines, says_ready: recipe.says_ready, address, is_ready: false })
    }

    /// Whether it is ready by now.
    ///
    /// # Errors
    /// It has ended by itself.
    pub(crate) fn poll_ready(&mut self) -> Result<bool, String> {
        self.poll_alive()?;
        if !self.is_ready {
            self.is_ready = if self.says_ready {
                loop {
                    match self.lines.try_recv() {
                        Ok(line) if line == "ready" => break true,
                        Ok(_) => {}
                        Err(TryRecvError::Empty | TryRecvError::Disconnected) => break false,
                    }
                }
            } else {
                Link::open(self.address).is_some()
            };
        }
        Ok(self.is_ready)
    }

    /// An error if it has ended by itself.
    pub(crate) fn poll_alive(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the server ended by itself with {status}")),
            Err(error) => Err(format!("cannot ask for the server: {error}")),
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Result<(), String> {
        self.child.kill().map_err(|error| format!("cannot kill the server: {error}"))?;
        self.child.wait().map(|_| ()).map_err(|error| format!("cannot wait for the server: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
