//! Signals as messages.

use std::io;
use std::sync::mpsc::{Receiver, channel};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Listens on a thread of its own. Who asks twice to stop does not want to wait.
pub(crate) fn listen() -> io::Result<Receiver<Signal>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (sender, receiver) = channel();
    std::thread::Builder::new().name("hexmq-signals".to_owned()).spawn(move || {
        let mut stopping = false;
        for signal in signals.forever() {
            let told = match signal {
                SIGHUP => sender.send(Signal::Reload),
                _ if stopping => std::process::exit(128 + signal),
                _ => {
                    stopping = true;
                    sender.send(Signal::Stop)
                }
            };
            if told.is_err() && !stopping {
                return;
            }
        }
    })?;
    Ok(receiver)
}
