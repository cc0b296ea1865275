//! A PostgreSQL server of its own for a test: in a directory of its own, on a socket there, without TCP.
//!
//! It ends with the test: dropped, it is told to stop; and a guard, a shell that waits for the end of a pipe
//! that only the test holds, stops it when the test is killed.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use hexmq_registry::{Database, Location, open};

use crate::place::Directory;

pub(crate) struct Server {
    programs: PathBuf,
    directory: Directory,
    guard: Option<Guard>,
    databases: u32,
    fsync: bool,
}

struct Guard {
    shell: Child,
    /// It closes when the test ends, however that is.
    _held: ChildStdin,
}

/// Who the server runs as: it refuses to run for root.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Server {
    /// `None`: there is no PostgreSQL on this machine, and that is said.
    pub(crate) fn start() -> Option<Server> {
        Server::start_with(false)
    }

    /// As in service, where what is kept is kept when the power goes.
    #[allow(dead_code, reason = "for the example that measures")]
    pub(crate) fn start_syncing() -> Option<Server> {
        Server::start_with(true)
    }

    fn start_with(fsync: bool) -> Option<Server> {
        let Some(programs) = programs() else {
            println!("SKIPPED: no PostgreSQL server is installed (apt-get install postgresql)");
            return None;
        };
        let directory = Directory::new();
        let mut server = Server { programs, directory, guard: None, databases: 0, fsync };
        if let Some(user) = other_user() {
            std::os::unix::fs::chown(&server.directory.0, Some(user.uid), Some(user.gid)).unwrap();
        }
        let made = server
            .program("initdb")
            .args(["--no-sync", "--auth=trust", "--username=hexmq", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(server.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.run();
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.directory.0.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(&self.directory.0).env("LC_ALL", "C");
        if let Some(user) = other_user() {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Starts it, on what is there, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let server = self.programs.join("postgres");
        // The shell that waits is the parent of the server. What it reads ends when the test does.
        let script = format!(
            "'{}' -D '{}' -k '{}' -c listen_addresses= -c fsync={} -c max_connections=50 -c logging_collector=off \
             >>'{}' 2>&1 & server=$!; echo $server >'{}'; cat >/dev/null; \
             kill -INT $server 2>/dev/null; kill -CONT $server $(cat /proc/$server/task/$server/children) 2>/dev/null; \
             wait $server",
            server.display(),
            self.data().display(),
            self.directory.0.display(),
            if self.fsync { "on" } else { "off" },
            self.directory.0.join("log").display(),
            self.directory.0.join("pid").display(),
        );
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).current_dir(&self.directory.0).env("LC_ALL", "C").stdin(Stdio::piped());
        if let Some(user) = other_user() {
            command.uid(user.uid).gid(user.gid);
        }
        // A signal to the test's group does not reach the guard.
        command.process_group(0);
        let mut shell = command.spawn().unwrap();
        let held = shell.stdin.take().unwrap();
        self.guard = Some(Guard { shell, _held: held });
        let patience = Instant::now() + Duration::from_secs(60);
        while !self.psql("SELECT 1") {
            assert!(Instant::now() < patience, "it has not started: {}", self.log());
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.0.join("log")).unwrap_or_default()
    }

    fn psql(&self, sql: &str) -> bool {
        let mut psql = self.program("psql");
        psql.args(["-q", "-X", "-U", "hexmq", "-d", "postgres", "-h"])
            .arg(&self.directory.0)
            .args(["-c", sql]);
        psql.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    /// The process, while it runs.
    fn pid(&self) -> i32 {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        text.lines().next().unwrap().trim().parse().unwrap()
    }

    /// Ends it at once, as a crash would, and waits until it is gone with all its processes.
    pub(crate) fn kill(&mut self) {
        let processes = self.processes();
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        self.end_of_guard();
        let patience = Instant::now() + Duration::from_secs(60);
        while processes.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
            assert!(Instant::now() < patience, "its processes do not end");
            std::thread::yield_now();
        }
    }

    /// Keeps it from doing anything, as a machine that hangs, until what is returned is dropped.
    pub(crate) fn hold(&self) -> Held {
        let held = Held(self.processes());
        held.tell(rustix::process::Signal::STOP);
        held
    }

    /// The server and its children.
    fn processes(&self) -> Vec<i32> {
        let main = self.pid();
        let path = format!("/proc/{main}/task/{main}/children");
        let children = std::fs::read_to_string(path).unwrap();
        std::iter::once(main).chain(children.split_whitespace().map(|pid| pid.parse().unwrap())).collect()
    }

    fn end_of_guard(&mut self) {
        if let Some(Guard { mut shell, _held: held }) = self.guard.take() {
            drop(held);
            shell.wait().unwrap();
        }
    }

    /// An empty place on it: a schema is as good as a data base, and made much faster.
    pub(crate) fn location(&mut self) -> Location {
        self.databases += 1;
        let name = format!("s{}", self.databases);
        assert!(self.psql(&format!("CREATE SCHEMA {name}")), "{}", self.log());
        let host = self.directory.0.display().to_string().replace('/', "%2F");
        let url = format!("postgres://hexmq@{host}/postgres?options=-c%20search_path%3D{name}");
        Location::parse(&url).unwrap()
    }

    pub(crate) fn open(&mut self) -> Database {
        open(&self.location()).unwrap()
    }
}

/// Processes that do nothing.
pub(crate) struct Held(Vec<i32>);

impl Held {
    fn tell(&self, signal: rustix::process::Signal) {
        for pid in self.0.iter().filter_map(|pid| rustix::process::Pid::from_raw(*pid)) {
            // One that has ended needs not be told.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.tell(rustix::process::Signal::CONT);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end_of_guard();
    }
}

/// Where the server's programs are: Debian keeps them out of the path, by version.
fn programs() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let here = |place: &Path| ["postgres", "initdb"].iter().all(|name| place.join(name).exists());
    places.into_iter().rev().find(|place| here(place) && place.join("psql").exists())
}

/// For root: the user `postgres`, or `nobody`.
fn other_user() -> Option<User> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    Some(find("postgres").or_else(|| find("nobody")).unwrap())
}
