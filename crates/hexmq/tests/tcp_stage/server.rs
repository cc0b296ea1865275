//! The real binary with the settings of a case.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params};
use hexmq_notation::{Head, Setting, parse_duration};

/// A running `hexmq serve`. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    config: PathBuf,
    data: PathBuf,
}

/// What makes two cases want the same server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wish {
    arguments: Vec<String>,
    users: Vec<(String, String)>,
}

impl Wish {
    pub(crate) fn of(head: &Head) -> Wish {
        let mut arguments = vec![format!("--shards={}", head.shards())];
        let settings = head.server_settings();
        if !settings.iter().any(|setting| setting.name == "sys_interval") {
            arguments.push("--sys-interval=0".to_owned());
        }
        for setting in settings {
            arguments.push(format!("--{}={}", setting.name.replace('_', "-"), value(setting)));
        }
        let users = head.users.iter().map(|user| (user.name.clone(), user.password.clone())).collect();
        Wish { arguments, users }
    }

    /// A user that may connect, if there are users.
    pub(crate) fn user(&self) -> Option<&(String, String)> {
        self.users.first()
    }

    /// The users as a configuration file. Their hashes are cheap: what they cost is not tested here.
    fn config(&self) -> String {
        let params = Params::new(Params::MIN_M_COST, 1, 1, None).expect("parameters");
        let hasher = Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params);
        let mut config = String::new();
        for (name, password) in &self.users {
            let hash = hasher.hash_password(password.as_bytes()).expect("hashed").to_string();
            config.push_str(&format!("[[user]]\nname = {name:?}\npassword_hash = {hash:?}\n\n"));
        }
        config
    }
}

/// Times of a transcript may be plain seconds; the command line wants a unit.
fn value(setting: &Setting) -> String {
    let is_time = matches!(
        setting.name.as_str(),
        "connect_timeout" | "session_expiry_max" | "keep_alive_max" | "sys_interval"
    );
    match parse_duration(&setting.value) {
        Some(time) if is_time => format!("{}ms", time.as_millis()),
        _ => setting.value.clone(),
    }
}

impl Server {
    pub(crate) fn start(wish: &Wish) -> Result<Server, String> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("transcripts-{}-{number}.toml", std::process::id()));
        std::fs::write(&config, wish.config()).map_err(|error| format!("{}: {error}", config.display()))?;
        // A session that outlives its connection is on disk when CONNACK says so, and the transcript goes on as if
        // it were in memory.
        let data = config.with_extension("data");
        let mut child = Command::new(env!("CARGO_BIN_EXE_hexmq"))
            .args(["serve", "--listen=mqtt://0.0.0.0:0", "--http=off", "--admin-password=pw", "--log=off"])
            .arg("--config")
            .arg(&config)
            .arg("--data")
            .arg(&data)
            .args(&wish.arguments)
            .env_remove("NOTIFY_SOCKET")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the server does not start: {error}"))?;
        let mut port = None;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix("listening mqtt://") {
                port = address.rsplit(':').next().and_then(|port| port.parse().ok());
            }
            if line == "ready" {
                break;
            }
        }
        match port {
            Some(port) => Ok(Server { child, port, config, data }),
            None => {
                let _ = child.kill();
                let output = child.wait_with_output().map(|output| output.stderr).unwrap_or_default();
                let said = String::from_utf8_lossy(&output).into_owned();
                Err(format!("the server did not say where it listens ({:?}): {said}", wish.arguments))
            }
        }
    }

    /// Where a client connects to come from a loopback address, or from another one, which a
    /// machine without a network has not.
    pub(crate) fn address(&self, loopback: bool) -> Option<SocketAddr> {
        let ip = if loopback { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { outer_address()? };
        Some(SocketAddr::new(ip, self.port))
    }

    /// Asks it to stop gracefully.
    pub(crate) fn stop(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config);
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// An address of this machine that is not loopback. Nothing is sent to find it.
pub(crate) fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address for documentation; connecting a datagram socket only chooses a route.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}
