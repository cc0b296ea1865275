//! The server put together: listeners, shards, users, logs and the control plane.
//!
//! stdout carries one line for each bound listener and then `ready`; everything else goes to
//! stderr, so that a script can wait for the server without a sleep.

mod backend;
mod cloud;
mod log;
mod notify;
mod signals;
pub(crate) mod store;
mod tap;
mod tls;
mod users;

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use hexmq_http::{AdminPassword, DeviceFace, Server, Service};
use hexmq_node::{Node, Placement, Setup, StoreSetup};
use hexmq_observe::Observer;
use hexmq_observe::recorder::Recorder;
use hexmq_platform::Cloud;
use hexmq_store::Keeper;
use hexmq_transport::{Listener, descriptor_limit, raise_descriptor_limit};

use crate::command::serve::Args;
use crate::config::{Config, HttpAddress};
use backend::NodeBackend;
use cloud::{CloudTap, CloudUpstairs, Doorkeeper, ShardFleet};
use signals::Signal;
use tap::ObserverTap;
use users::Users;

/// How often it is looked whether a shard has died.
const WATCH: Duration = Duration::from_secs(1);
/// Bytes on their way from one shard to another.
const LANE_BYTES_MAX: usize = 4 << 20;
/// Descriptors kept for everything that is no client.
const RESERVED_DESCRIPTORS: u64 = 64;

/// Serves until a signal ends it. The error is for people.
pub(crate) fn run(args: &Args, config: &Config) -> Result<(), String> {
    let log = log::start(config.log).map_err(|error| format!("cannot start logging: {error}"))?;
    let signals = signals::listen().map_err(|error| format!("cannot listen for signals: {error}"))?;
    if let Err(error) = raise_descriptor_limit() {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
    let (listeners, shown) = tls::listen(config)?;
    let http = bind_http(config.http, "http")?;
    let device_http = bind_http(config.cloud.device_http, "device-http")?;
    let password = match &config.admin_password {
        Some(password) => password.0.clone(),
        None => generated_password().map_err(|error| format!("no randomness: {error}"))?,
    };
    let users = Arc::new(Users::new(config, &password).map_err(|error| format!("no randomness: {error}"))?);
    let urls = listeners.iter().map(|listener| listener.url().into_boxed_str()).collect();
    let observer = Arc::new(Observer::new(Recorder::new(config.recorder, urls)));
    let seed = getrandom::u64().map_err(|error| format!("no randomness: {error}"))?;
    let (store, keeper) = store::open(config, seed, &observer)?.unzip();
    let cloud = cloud::start(config, device_url(device_http.as_ref().or(http.as_ref())))?;
    let node = start_node(config, seed, store, &users, &observer, &cloud, &listeners)?;
    cloud.attach(Arc::new(ShardFleet(node.handle())));
    let keeper = keeper.and_then(|keeper| keeper.get().cloned());
    let control = match http {
        Some(http) => Some(start_http(http, config, &node, &observer, &cloud, keeper.clone(), &password)?),
        None => None,
    };
    let device_face = match device_http {
        Some(listener) => Some(start_device_face(listener, &cloud)?),
        None => None,
    };
    announce(config, &listeners, control.as_ref(), device_face.as_ref(), &password)
        .map_err(|error| format!("stdout: {error}"))?;
    notify::tell("READY=1");
    let outcome = watch(args, config, &signals, &node, &users, &shown, &log);
    notify::tell("STOPPING=1");
    tracing::info!("stopping");
    // First the doors, then the guests. Who listens to a live stream would stay.
    observer.recorder.end_followers();
    drop((control, device_face));
    drop(listeners);
    node.stop();
    // Behind the shards: who was here has gone by now, and that is written down.
    cloud.stop();
    if let Some(keeper) = keeper
        && let Err(error) = keeper.stop()
    {
        tracing::error!("the store could not be closed: {error}; what was not acknowledged may be lost");
    }
    tracing::info!("stopped");
    log.flush();
    outcome
}

/// Checks what the configuration names besides itself. Returns what an operator should know.
pub(crate) fn check(config: &Config) -> Result<Vec<String>, String> {
    let identities = tls::Identities::load(config)?;
    Ok(identities.warnings().into_iter().map(str::to_owned).collect())
}

fn bind_http(address: HttpAddress, flag: &str) -> Result<Option<TcpListener>, String> {
    match address {
        HttpAddress::Off => Ok(None),
        HttpAddress::On(address) => TcpListener::bind(address).map(Some).map_err(|error| {
            format!("cannot listen on http://{address}: {error}\n  choose another address with --{flag}, or --{flag} off")
        }),
    }
}

/// How devices reach an HTTP listener, as far as its address says so.
fn device_url(listener: Option<&TcpListener>) -> Option<String> {
    let address = listener?.local_addr().ok()?;
    (!address.ip().is_unspecified()).then(|| format!("http://{address}"))
}

fn start_node(
    config: &Config,
    seed: u64,
    store: Option<StoreSetup>,
    users: &Arc<Users>,
    observer: &Arc<Observer>,
    cloud: &Arc<Cloud>,
    listeners: &[Listener],
) -> Result<Node, String> {
    let by_descriptors = {
        let descriptors = descriptor_limit();
        descriptors - RESERVED_DESCRIPTORS.min(descriptors / 8)
    };
    let clients_max = config.clients.map_or(by_descriptors, u64::from);
    let setup = Setup {
        shards: config.shards.get(),
        placement: Placement::default(),
        limits: Arc::new(config.limits.clone()),
        clients_max: usize::try_from(clients_max).unwrap_or(usize::MAX),
        write_timeout: config.write_timeout,
        lane_bytes_max: LANE_BYTES_MAX,
        seed,
        authority_threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(4)),
        authority: Arc::new(Doorkeeper::new(Arc::clone(users), Arc::clone(cloud))),
        tap: Arc::new(CloudTap { observer: ObserverTap(Arc::clone(observer)), cloud: Arc::clone(cloud) }),
        upstairs: Some(Arc::new(CloudUpstairs(Arc::clone(cloud)))),
        store,
    };
    Node::start(setup, listeners).map_err(|error| format!("cannot start the shards: {error}"))
}

fn start_http(
    listener: TcpListener,
    config: &Config,
    node: &Node,
    observer: &Arc<Observer>,
    cloud: &Arc<Cloud>,
    keeper: Option<Arc<Keeper>>,
    password: &str,
) -> Result<Server, String> {
    let service = Service {
        backend: Box::new(NodeBackend::new(node.handle(), config, keeper)),
        observer: Arc::clone(observer),
        admin: AdminPassword::new(password),
        platform: Some(cloud.platform()),
        vendors: cloud::vendors(),
    };
    Server::start(listener, service).map_err(|error| format!("cannot start the HTTP API: {error}"))
}

fn start_device_face(listener: TcpListener, cloud: &Arc<Cloud>) -> Result<Server, String> {
    let face = DeviceFace { platform: cloud.platform(), vendors: cloud::vendors() };
    Server::start_device_face(listener, face)
        .map_err(|error| format!("cannot start the devices' HTTP server: {error}"))
}

/// Letters and digits that cannot be taken for one another.
const PASSWORD_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// 120 random bits.
fn generated_password() -> Result<String, getrandom::Error> {
    let mut random = [0_u8; 24];
    getrandom::fill(&mut random)?;
    let letter = |byte: &u8| char::from(PASSWORD_LETTERS[usize::from(byte % 32)]);
    Ok(random.iter().map(letter).collect())
}

/// Says what a newcomer needs on stderr, and what a script needs on stdout.
fn announce(
    config: &Config,
    listeners: &[Listener],
    control: Option<&Server>,
    device_face: Option<&Server>,
    password: &str,
) -> std::io::Result<()> {
    eprintln!(
        "hexmq {}: durability {} ({}), {} shards",
        env!("CARGO_PKG_VERSION"),
        config.durability,
        config.durability.promise(),
        config.shards
    );
    let anonymous = if config.allow_anonymous { "from anywhere" } else { "from this machine only" };
    eprintln!("clients without credentials: {anonymous}; users: {}", config.users.len());
    if let Some(url) = listeners.iter().map(Listener::url).find(|url| url.starts_with("mqtt://"))
        && let Some((host, port)) = url.trim_start_matches("mqtt://").rsplit_once(':')
    {
        let host = match host {
            "0.0.0.0" | "[::]" => "127.0.0.1",
            other => other.trim_start_matches('[').trim_end_matches(']'),
        };
        eprintln!("try: hexmq sub -h {host} -p {port} -t '#' -v");
    }
    if let Some(control) = control
        && config.admin_password.is_none()
    {
        eprintln!(
            "HTTP API at http://{}: user admin, password {password} (shown only now)",
            control.address()
        );
    }
    let mut stdout = std::io::stdout().lock();
    for listener in listeners {
        writeln!(stdout, "listening {}", listener.url())?;
    }
    if let Some(control) = control {
        writeln!(stdout, "listening http://{}", control.address())?;
    }
    if let Some(device_face) = device_face {
        // A name of its own, so that a script does not take it for the API.
        writeln!(stdout, "listening device-http://{}", device_face.address())?;
    }
    writeln!(stdout, "ready")?;
    stdout.flush()
}

/// Waits for signals, and looks after the shards meanwhile.
fn watch(
    args: &Args,
    config: &Config,
    signals: &Receiver<Signal>,
    node: &Node,
    users: &Users,
    shown: &tls::Shown,
    log: &log::Log,
) -> Result<(), String> {
    let mut config = config.clone();
    loop {
        match signals.recv_timeout(WATCH) {
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(Signal::Reload) => match read_again(args) {
                Ok((new, identities)) => {
                    shown.replace(&new, &identities);
                    reload(&config, &new, node, users, log);
                    config = new;
                }
                Err(error) => tracing::error!("not reloaded, everything stays as it was: {error}"),
            },
            Err(RecvTimeoutError::Timeout) if node.has_failed() => {
                return Err("a shard has died; see the message above".to_owned());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// The configuration and the certificates as they are now; nothing changes where one of them is wrong.
fn read_again(args: &Args) -> Result<(Config, tls::Identities), String> {
    let config = args.resolve().map_err(|error| error.to_string())?;
    let identities = tls::Identities::read(&config)?;
    Ok((config, identities))
}

/// Applies what can change live and names what cannot.
fn reload(old: &Config, new: &Config, node: &Node, users: &Users, log: &log::Log) {
    users.replace(new);
    log.set_level(new.log);
    node.handle().set_limits(&Arc::new(new.limits.clone()));
    let fixed = old.needs_restart(new);
    if fixed.is_empty() {
        tracing::info!("reloaded: users, certificates, log level, limits");
    } else {
        tracing::warn!(
            "reloaded: users, certificates, log level, limits; these need a restart: {}",
            fixed.join(", ")
        );
    }
}
