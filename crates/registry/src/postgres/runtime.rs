//! The thread on which the client of PostgreSQL runs.

use std::future::Future;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

pub(super) struct Runtime {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    pub(super) fn start() -> Result<Runtime, String> {
        let failed =
            |error: std::io::Error| format!("the thread of the data base cannot be started: {error}");
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("hexmq-postgres".to_owned())
            .spawn(move || {
                // An error is the other end gone: the same as being told.
                let _ = runtime.block_on(stopped);
            })
            .map_err(failed)?;
        Ok(Runtime { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// What the future comes to; `None`: not by the deadline, and it is given up.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        deadline: Instant,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        let task = self.handle.spawn(async move {
            // Nobody waits any more if this fails.
            let _ = answer.send(future.await);
        });
        let left = deadline.saturating_duration_since(Instant::now());
        let result = answered.recv_timeout(left).ok();
        if result.is_none() {
            task.abort();
        }
        result
    }

    /// Does this beside everything else, and gives it up after a time.
    pub(super) fn start_within(&self, patience: Duration, future: impl Future<Output = ()> + Send + 'static) {
        // The clock is the runtime's: it is only known within.
        self.handle.spawn(async move { tokio::time::timeout(patience, future).await });
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
