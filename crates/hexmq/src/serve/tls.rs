//! The certificates of the listeners: read when the server starts, and again when it is told to.

use std::sync::Arc;

use hexmq_transport::{ListenUrl, Listener, TlsIdentity, TlsServer};

use crate::config::Config;

/// What the listeners of a configuration show, by their place in it.
pub(crate) struct Identities(Vec<Option<TlsIdentity>>);

impl Identities {
    /// Reads all files. The error names the one that cannot be used.
    pub(crate) fn load(config: &Config) -> Result<Identities, String> {
        let load = |files| TlsIdentity::load(files).map_err(|error| error.to_string());
        let identities = config.listen.iter().map(|listen| listen.tls.as_ref().map(load).transpose());
        identities.collect::<Result<_, _>>().map(Identities)
    }

    /// As [`Identities::load`], with a line in the log for what an operator should know.
    pub(crate) fn read(config: &Config) -> Result<Identities, String> {
        let identities = Identities::load(config)?;
        for warning in identities.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(identities)
    }

    /// What an operator should know of them.
    pub(crate) fn warnings(&self) -> Vec<&str> {
        let all = self.0.iter().flatten().flat_map(TlsIdentity::warnings);
        let mut warnings: Vec<&str> = all.map(String::as_str).collect();
        // Several listeners may show the same file.
        warnings.sort_unstable();
        warnings.dedup();
        warnings
    }
}

/// The listeners that show a certificate.
#[derive(Default)]
pub(crate) struct Shown(Vec<(ListenUrl, Arc<TlsServer>)>);

/// Binds every listener of a configuration. The error is for people.
pub(crate) fn listen(config: &Config) -> Result<(Vec<Listener>, Shown), String> {
    let identities = Identities::read(config)?;
    let urls: Vec<ListenUrl> = config.listen.iter().map(|listen| listen.url.clone()).collect();
    let (mut listeners, mut shown) = (Vec::new(), Shown::default());
    for (url, identity) in urls.iter().zip(&identities.0) {
        let server = identity.as_ref().map(|identity| Arc::new(TlsServer::new(identity)));
        for mut listener in Listener::bind(url, &urls).map_err(|error| error.to_string())? {
            listener.set_packet_max(config.limits.maximum_packet_size);
            if let Some(server) = &server {
                listener.show(Arc::clone(server));
            }
            listeners.push(listener);
        }
        shown.0.extend(server.map(|server| (url.clone(), server)));
    }
    Ok((listeners, shown))
}

impl Shown {
    /// Shows what a new configuration has for these listeners, from the next handshake on.
    pub(crate) fn replace(&self, config: &Config, identities: &Identities) {
        let mut new: Vec<_> = config.listen.iter().zip(&identities.0).collect();
        for (url, server) in &self.0 {
            // Listeners on any free port have the same URL: the first new one is for the first of them.
            let Some(place) = new.iter().position(|(listen, _)| listen.url == *url) else { continue };
            if let (_, Some(identity)) = new.remove(place) {
                server.replace(identity);
            }
        }
    }
}
