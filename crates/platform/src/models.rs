//! Thing models of products, and drafts learnt from what their devices send.

use std::collections::BTreeMap;
use std::sync::Arc;

use hexmq_device::model::{Draft, Model};
use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use hexmq_device::{DeviceRef, NewEvent, NewPoint, Order};
use serde_json::Value as Json;

use crate::core::{Core, invalid, lock};
use crate::table::Row;

/// What was learnt since the drafts were kept last, by product.
#[derive(Default)]
pub(crate) struct Drafts {
    fresh: BTreeMap<String, Draft>,
}

impl Core {
    /// Learns from what a device of the product has sent.
    pub(crate) fn learn(&self, product: &str, points: &[NewPoint], events: &[NewEvent]) {
        if points.is_empty() && events.is_empty() {
            return;
        }
        let mut drafts = lock(&self.drafts);
        if !drafts.fresh.contains_key(product) {
            drafts.fresh.insert(product.to_owned(), Draft::default());
        }
        if let Some(draft) = drafts.fresh.get_mut(product) {
            points.iter().for_each(|point| draft.learn_point(point));
            events.iter().for_each(|event| draft.learn_event(event));
        }
    }

    /// Adds what was learnt to what is kept.
    pub(crate) fn keep_drafts(&self) {
        let fresh = std::mem::take(&mut lock(&self.drafts).fresh);
        for (product, draft) in fresh {
            if self.row(&product).is_err() {
                continue;
            }
            let owner = DeviceRef::new(&*product, "");
            let kept = self.edit_document(&owner, "draft", |json| {
                let mut whole = json.and_then(Draft::of_json).unwrap_or_default();
                whole.merge(&draft);
                Ok((whole.to_json(), ()))
            });
            if let Err(error) = kept {
                tracing::debug!(%error, product, "a draft is kept later");
                lock(&self.drafts).fresh.entry(product).or_default().merge(&draft);
            }
        }
    }

    pub(crate) fn draft(&self, product: &str) -> PortResult<Json> {
        self.row(product)?;
        let stored = self.json_document(&DeviceRef::new(product, ""), "draft")?;
        let mut draft = stored.as_ref().and_then(Draft::of_json).unwrap_or_default();
        if let Some(fresh) = lock(&self.drafts).fresh.get(product) {
            draft.merge(fresh);
        }
        Ok(draft.to_tsl(product))
    }

    pub(crate) fn tsl(&self, product: &str) -> PortResult<Option<Json>> {
        self.row(product)?;
        self.json_document(&DeviceRef::new(product, ""), "tsl")
    }

    pub(crate) fn set_tsl(&self, product: &str, tsl: Option<Json>) -> PortResult<()> {
        let row = self.row(product)?;
        let model = match &tsl {
            Some(tsl) => Some(Model::parse(tsl).map_err(|error| {
                invalid(
                    "bad_model",
                    format!("the thing model cannot be taken: {}: {}", error.path, error.message),
                )
            })?),
            None => None,
        };
        let _edit = lock(&self.edits);
        let text = tsl.as_ref().map(Json::to_string);
        let owner = DeviceRef::new(product, "");
        self.registry.put_document(&owner, "tsl", text.as_deref(), None, self.now_ms())?;
        let (product, dialect) = (row.product.clone(), Arc::clone(&row.dialect));
        self.change_table(|table| table.put(Row { product, dialect, model: model.map(Arc::new) }));
        Ok(())
    }

    /// Whether the thing model has anything against an order.
    pub(crate) fn check_order(&self, row: &Row, order: &Order) -> PortResult<()> {
        let faults = row.model.as_ref().map(|model| model.judge_order(order)).unwrap_or_default();
        match faults.first() {
            Some(fault) => {
                let message = format!("{}: {}", fault.identifier, fault.message);
                Err(PortError::new(PortErrorKind::Invalid, "model_fault", message))
            }
            None => Ok(()),
        }
    }
}
