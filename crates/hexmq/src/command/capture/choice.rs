//! Which connections and packets are wanted.

use hexmq_workbench::capture::Connection;
use hexmq_workbench::recording::Timestamp;

use super::time::Moment;

/// What is wanted. Nothing named: everything.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) connections: Vec<u64>,
    pub(super) client_ids: Vec<String>,
    pub(super) from: Option<Moment>,
    pub(super) to: Option<Moment>,
}

impl Choice {
    /// Whether this connection is wanted. `None`: its Client Identifier would tell, but is not known yet.
    #[inline]
    pub(super) fn connection(&self, connection: &Connection) -> Option<bool> {
        if !self.connections.is_empty() && !self.connections.contains(&connection.number) {
            return Some(false);
        }
        if self.client_ids.is_empty() {
            return Some(true);
        }
        let id = connection.client_identifier.as_deref()?;
        Some(self.client_ids.iter().any(|wanted| wanted == id))
    }

    /// Whether this time is wanted.
    #[inline]
    pub(super) fn time(&self, at: Timestamp, start: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from.in_capture(start))
            && self.to.is_none_or(|to| at <= to.in_capture(start))
    }

    /// Whether connections are picked by their Client Identifier.
    pub(super) fn needs_client_id(&self) -> bool {
        !self.client_ids.is_empty()
    }
}
