//! The shard loop: readiness, lobby, mailboxes around the deciding core.
