//! The real binary as a server, and clients that speak bytes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing here takes this long; it only keeps a failing test from hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running `hexmq serve`. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it runs, and keeps its data unless it is told otherwise.
    folder: PathBuf,
    /// The lines of stdout before `ready`.
    pub(crate) listening: Vec<String>,
    log: Receiver<String>,
}

impl Server {
    /// Starts with these arguments besides a listener and an API on any free port.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hexmq"));
        command.args(["serve", "--listen", "mqtt://127.0.0.1:0", "--http", "127.0.0.1:0"]);
        command.args(["--admin-password", "pw"]).args(arguments);
        Server::spawn(command)
    }

    /// Starts a command that ends up as a server.
    pub(crate) fn spawn(mut command: Command) -> Server {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Relaxed);
        let folder =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("serve-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        command.env_remove("HEXMQ_ADMIN_PASSWORD").current_dir(&folder);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server starts");
        let (sender, log) = channel();
        let stderr = child.stderr.take().expect("stderr");
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let mut listening = Vec::new();
        let mut ready = false;
        for line in stdout.lines().map_while(Result::ok) {
            ready = line == "ready";
            if ready {
                break;
            }
            listening.push(line);
        }
        let server = Server { child, folder, listening, log };
        assert!(ready, "{:?} {:?}", server.listening, server.log.iter().collect::<Vec<_>>());
        server
    }

    /// The addresses behind `listening SCHEME://`.
    pub(crate) fn addresses(&self, scheme: &str) -> Vec<String> {
        let prefix = format!("listening {scheme}://");
        self.listening.iter().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
    }

    /// The first MQTT address.
    pub(crate) fn address(&self) -> String {
        self.addresses("mqtt").first().expect("an MQTT listener").clone()
    }

    /// A client on the first MQTT address.
    pub(crate) fn client(&self) -> Client {
        Client::to(self.address())
    }

    /// Waits for a line of the log that contains `part`.
    pub(crate) fn logged(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {part:?} in {seen:#?}")
                }
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("signalled");
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("ended")
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("a status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
        kib.expect("a number") * 1024
    }

    /// One request to the API, with the administrator's credentials if wanted: status and body.
    pub(crate) fn http(&self, method: &str, path: &str, admin: bool, body: &str) -> (u16, String) {
        let address = self.addresses("http").first().expect("an HTTP listener").clone();
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        // admin:pw
        let credentials = if admin { "Authorization: Basic YWRtaW46cHc=\r\n" } else { "" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/json\r\n{credentials}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("written");
        // The server may refuse a large body before it has read all of it.
        let _ = stream.write_all(body.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).expect("text");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status, body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A client that speaks bytes.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
}

impl Client {
    pub(crate) fn to(address: impl ToSocketAddrs) -> Client {
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.set_nodelay(true).expect("set");
        Client { stream }
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, bytes: &[u8]) -> &mut Self {
        self.stream.write_all(bytes).expect("written");
        self
    }

    /// The next packet.
    pub(crate) fn packet(&mut self) -> Vec<u8> {
        let mut packet = vec![0; 2];
        self.stream.read_exact(&mut packet).expect("a packet");
        let (mut length, mut shift) = (usize::from(packet[1] & 0x7F), 7);
        while packet.last().is_some_and(|byte| byte & 0x80 != 0) {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("a length");
            length |= usize::from(byte[0] & 0x7F) << shift;
            shift += 7;
            packet.push(byte[0]);
        }
        let start = packet.len();
        packet.resize(start + length, 0);
        self.stream.read_exact(&mut packet[start..]).expect("a body");
        packet
    }

    /// Expects exactly this packet.
    pub(crate) fn expect(&mut self, packet: &[u8]) -> &mut Self {
        assert_eq!(self.packet(), packet);
        self
    }

    /// Expects that the server closes, and returns what it said before.
    pub(crate) fn closed(&mut self) -> Vec<u8> {
        let mut last = Vec::new();
        match self.stream.read_to_end(&mut last) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("not closed: {error}"),
        }
        last
    }

    /// Connects with MQTT 3.1.1, a clean session and no credentials.
    pub(crate) fn connect(&mut self, id: &str) -> &mut Self {
        self.send(&connect(4, id, 0, &[])).expect(CONNACK)
    }

    pub(crate) fn subscribe(&mut self, filter: &str, qos: u8) -> &mut Self {
        self.send(&subscribe(filter, qos)).expect(&[0x90, 3, 0, 1, qos])
    }
}

/// CONNACK of 3.x: accepted, no session.
pub(crate) const CONNACK: &[u8] = &[0x20, 2, 0, 0];
pub(crate) const PINGREQ: &[u8] = &[0xC0, 0];
pub(crate) const PINGRESP: &[u8] = &[0xD0, 0];

/// A packet with its Remaining Length.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    loop {
        let more = if length > 127 { 0x80 } else { 0 };
        packet.push((length & 0x7F) as u8 | more);
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    packet.extend_from_slice(body);
    packet
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text);
}

/// CONNECT with Clean Session; `credentials` are user name and password.
pub(crate) fn connect(level: u8, id: &str, keep_alive: u16, credentials: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, b"MQTT");
    body.push(level);
    body.push(0x02 | if credentials.is_empty() { 0 } else { 0xC0 });
    body.extend_from_slice(&keep_alive.to_be_bytes());
    if level == 5 {
        body.push(0);
    }
    string(&mut body, id.as_bytes());
    for text in credentials {
        string(&mut body, text.as_bytes());
    }
    packet(0x10, &body)
}

/// SUBSCRIBE with packet identifier 1, for 3.x.
pub(crate) fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    string(&mut body, filter.as_bytes());
    body.push(qos);
    packet(0x82, &body)
}

/// PUBLISH with QoS 0, for 3.x.
pub(crate) fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, topic.as_bytes());
    body.extend_from_slice(payload);
    packet(0x30, &body)
}
