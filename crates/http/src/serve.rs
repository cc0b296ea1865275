//! The thread of the control plane.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hexmq_device::port::{Platform, VendorApi};
use hexmq_observe::Observer;
use tokio::sync::oneshot;

use crate::api::{device_router, router};
use crate::auth::AdminPassword;
use crate::desk::{Desk, THREADS};
use crate::socket::BoundedListener;
use crate::status::Backend;

/// Open requests get so long to finish when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// What the API needs of the server behind it.
pub struct Service {
    /// The server.
    pub backend: Box<dyn Backend>,
    /// What was counted and recorded.
    pub observer: Arc<Observer>,
    /// Who may ask.
    pub admin: AdminPassword,
    /// The device cloud; `None`: there is none.
    pub platform: Option<Arc<dyn Platform>>,
    /// The vendors' own APIs, served where no path of ours is.
    pub vendors: Vec<Arc<dyn VendorApi>>,
}

/// What devices and the vendors' application servers may ask, on a listener of their own: neither the console nor
/// `/api/v1` is there.
pub struct DeviceFace {
    /// The device cloud.
    pub platform: Arc<dyn Platform>,
    /// The vendors' own APIs.
    pub vendors: Vec<Arc<dyn VendorApi>>,
}

impl std::fmt::Debug for DeviceFace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceFace").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

/// A running control plane. It stops when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves on a bound listener, on a thread of its own.
    ///
    /// # Errors
    /// No descriptors or threads are left.
    pub fn start(listener: TcpListener, service: Service) -> io::Result<Server> {
        let desk = Desk::new(service.platform.clone(), service.vendors.clone());
        Server::serve(listener, "hexmq-http", router(Arc::new(service), Arc::new(desk)))
    }

    /// Serves devices on a bound listener, on a thread of its own.
    ///
    /// # Errors
    /// No descriptors or threads are left.
    pub fn start_device_face(listener: TcpListener, face: DeviceFace) -> io::Result<Server> {
        let desk = Desk::new(Some(face.platform), face.vendors);
        Server::serve(listener, "hexmq-devices", device_router(Arc::new(desk)))
    }

    fn serve(listener: TcpListener, name: &str, router: Router) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(THREADS)
            .thread_name("hexmq-http-ask")
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(run(listener, router, stopped));
            runtime.shutdown_timeout(Duration::from_millis(100));
        })?;
        Ok(Server { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn run(listener: tokio::net::TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    let (begin, begun) = oneshot::channel::<()>();
    let graceful = async move {
        // An error means that the sender is gone, which is a reason to stop as well.
        let _ = stopped.await;
        let _ = begin.send(());
    };
    let serving = axum::serve(BoundedListener::new(listener), router).with_graceful_shutdown(graceful);
    let patience = async {
        let _ = begun.await;
        tokio::time::sleep(STOP_PATIENCE).await;
    };
    tokio::select! {
        _ = serving => {}
        () = patience => {}
    }
}
