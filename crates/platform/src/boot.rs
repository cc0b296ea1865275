//! What is loaded at the beginning, and what is done now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hexmq_device::model::Model;
use hexmq_device::port::PortResult;
use hexmq_device::{Dialect, DialectName, Product};
use serde_json::Value as Json;

use crate::core::{Core, is_passing};
use crate::table::{Row, Table};

/// Commands of the data base whose time is over are looked for so often.
const OVERDUE_MS: i64 = 5_000;
/// Drafts are kept so often.
const DRAFTS_MS: i64 = 30_000;
/// What is too old is looked for so often.
const PRUNE: Duration = Duration::from_secs(60);

impl Core {
    pub(crate) fn is_booted(&self) -> bool {
        self.booted.load(Ordering::Acquire)
    }

    /// Loads the products and whatever else is always in memory. Nobody is here at the beginning.
    pub(crate) fn boot(&self) -> PortResult<()> {
        let mut models: HashMap<String, Arc<Model>> = HashMap::new();
        for (owner, document) in self.registry.documents("tsl")? {
            let json: Option<Json> = serde_json::from_str(&document.text).ok();
            match json.as_ref().map(Model::parse) {
                Some(Ok(model)) => drop(models.insert(owner.product, Arc::new(model))),
                _ => {
                    tracing::error!(product = owner.product, "its thing model cannot be read and is left out")
                }
            }
        }
        let mut table = Table::default();
        for product in self.registry.products()? {
            let Some(dialect) = self.dialect(product.dialect) else {
                tracing::error!(product = product.id, dialect = %product.dialect, "nobody speaks its dialect");
                continue;
            };
            let model = models.remove(&product.id);
            table.put(Row { product, dialect, model });
        }
        self.load_keys()?;
        self.load_file_key()?;
        self.registry.all_offline(self.now_ms(), "server_restarted")?;
        self.load_webhooks()?;
        self.change_table(|now| *now = table);
        self.booted.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn dialect(&self, name: DialectName) -> Option<Arc<dyn Dialect>> {
        self.dialects.iter().find(|dialect| dialect.name() == name).cloned()
    }

    /// The life of the thread that looks at the clock.
    pub(crate) fn watch_time(self: &Arc<Self>) {
        let (mut overdue, mut drafts) = (Round::new(OVERDUE_MS), Round::new(DRAFTS_MS));
        while !self.bell.has_rung() {
            if !self.is_booted() {
                if self.bell.rings_within(Duration::from_millis(500)) {
                    return;
                }
                match self.boot() {
                    Ok(()) => tracing::info!("the registry answers"),
                    Err(error) if is_passing(&error) => {}
                    Err(error) => tracing::error!(%error, "the registry cannot be read"),
                }
                continue;
            }
            let now_ms = self.now_ms();
            self.watch_commands(now_ms);
            if overdue.is_due(now_ms) {
                self.commands.tidy(now_ms);
                if let Err(error) = self.end_overdue(now_ms) {
                    tracing::debug!(%error, "overdue commands are ended later");
                }
            }
            if drafts.is_due(now_ms) {
                self.keep_drafts();
            }
            self.await_agenda();
        }
        self.keep_drafts();
    }

    /// The life of the thread that forgets what is too old.
    pub(crate) fn prune(self: &Arc<Self>) {
        while !self.bell.rings_within(PRUNE) {
            loop {
                let now_ms = self.now_ms();
                let log_from_ms = now_ms.saturating_sub(self.settings.log_ms);
                match self.history.prune(now_ms, log_from_ms, self.settings.log_lines) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::debug!(%error, "what is too old is forgotten later");
                        break;
                    }
                }
                // Others want the data base, too.
                if self.bell.rings_within(Duration::from_millis(50)) {
                    return;
                }
            }
        }
    }

    /// What is fixed of a product does not change, whatever is asked.
    pub(crate) fn changed_product(stored: &Product, wanted: Product) -> Product {
        Product {
            id: stored.id.clone(),
            dialect: stored.dialect,
            number: stored.number,
            created_at_ms: stored.created_at_ms,
            ..wanted
        }
    }
}

/// Something that is done now and then.
struct Round {
    every_ms: i64,
    last_ms: i64,
}

impl Round {
    fn new(every_ms: i64) -> Round {
        Round { every_ms, last_ms: i64::MIN }
    }

    /// Also when the clock was set back: nobody knows how long it has been then.
    fn is_due(&mut self, now_ms: i64) -> bool {
        let since_ms = now_ms.saturating_sub(self.last_ms);
        let is_due = since_ms < 0 || since_ms >= self.every_ms;
        if is_due {
            self.last_ms = now_ms;
        }
        is_due
    }
}
