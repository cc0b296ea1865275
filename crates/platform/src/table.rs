//! The products, in memory: every CONNECT is looked at here.

use std::collections::HashMap;
use std::sync::Arc;

use hexmq_device::model::Model;
use hexmq_device::{Dialect, Product};

/// A product with what belongs to it.
pub(crate) struct Row {
    pub(crate) product: Product,
    pub(crate) dialect: Arc<dyn Dialect>,
    pub(crate) model: Option<Arc<Model>>,
}

/// All products; it is replaced as a whole.
#[derive(Clone, Default)]
pub(crate) struct Table {
    by_id: HashMap<String, Arc<Row>>,
    by_number: HashMap<u32, Arc<Row>>,
}

impl Table {
    pub(crate) fn by_id(&self, id: &str) -> Option<&Arc<Row>> {
        self.by_id.get(id)
    }

    pub(crate) fn by_number(&self, number: u32) -> Option<&Arc<Row>> {
        self.by_number.get(&number)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn products(&self) -> Vec<Product> {
        let mut products: Vec<Product> = self.by_id.values().map(|row| row.product.clone()).collect();
        products.sort_by(|a, b| a.id.cmp(&b.id));
        products
    }

    pub(crate) fn put(&mut self, row: Row) {
        self.remove(&row.product.id.clone());
        let row = Arc::new(row);
        self.by_number.insert(row.product.number, Arc::clone(&row));
        self.by_id.insert(row.product.id.clone(), row);
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(row) = self.by_id.remove(id) {
            self.by_number.remove(&row.product.number);
        }
    }
}
