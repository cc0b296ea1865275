//! Which devices: a list in the order of product and id, and how many.
//!
//! A list over all products goes product by product, so that each part is a walk along an index.

use hexmq_device::Device;
use hexmq_device::port::{DeviceQuery, Page, PortResult};

use super::devices::{COLUMNS, read};
use super::{invalid, product_number};
use crate::cursor::{bad_cursor, limit};
use crate::driver::{Cell, Session, cells};

/// Ids that one question may name.
const IDS_MAX: usize = 10_000;
/// How far is counted.
const COUNT_MAX: i64 = 1_000_000;

pub(super) fn page(session: &mut dyn Session, query: &DeviceQuery) -> PortResult<Page<Device>> {
    let filter = Filter::of(query)?;
    let limit = limit(&query.page);
    let (from_product, mut after) = match &query.page.cursor {
        None => (String::new(), String::new()),
        Some(cursor) => {
            let (product, id) = cursor.split_once('/').ok_or_else(bad_cursor)?;
            (product.to_owned(), id.to_owned())
        }
    };
    let products = match &query.product {
        Some(product) if *product >= from_product => {
            vec![(product.clone(), product_number(session, product)?)]
        }
        Some(_) => return Err(bad_cursor()),
        None => products_from(session, &from_product)?,
    };
    let mut items: Vec<Device> = Vec::new();
    for (product, number) in products {
        if product != from_product {
            after.clear();
        }
        loop {
            // One more than is given tells whether there are more.
            let wanted = limit + 1 - items.len();
            let (sql, cells) = filter.devices(number, &after, wanted);
            let answer = session.query(&sql, cells)?;
            for row in answer.rows {
                items.push(read(&product, row)?);
            }
            if items.len() > limit {
                items.truncate(limit);
                let next = items.last().map(|device| device.reference().to_string());
                return Ok(Page { items, next });
            }
            match items.last() {
                Some(device) if answer.cut => after.clone_from(&device.id),
                _ => break,
            }
        }
    }
    Ok(Page { items, next: None })
}

pub(super) fn count(session: &mut dyn Session, query: &DeviceQuery) -> PortResult<u64> {
    let filter = Filter::of(query)?;
    let products = match &query.product {
        Some(product) => vec![(product.clone(), product_number(session, product)?)],
        None => products_from(session, "")?,
    };
    let mut count = 0;
    for (_, number) in products {
        let (sql, cells) = filter.count(number, COUNT_MAX - count);
        if let Some(mut row) = session.query(&sql, cells)?.first() {
            count += row.integer()?;
        }
        if count >= COUNT_MAX {
            break;
        }
    }
    Ok(count.unsigned_abs())
}

fn products_from(session: &mut dyn Session, from: &str) -> PortResult<Vec<(String, i64)>> {
    let rows = session.query("SELECT id, number FROM products WHERE id >= $1 ORDER BY id", cells![from])?;
    rows.rows.into_iter().map(|mut row| Ok((row.text()?, row.integer()?))).collect()
}

/// Conditions on devices of a product; `$1` is its number and `$2` the id before.
struct Filter {
    /// The tables, with what binds them.
    from: &'static str,
    conditions: String,
    cells: Vec<Cell>,
}

impl Filter {
    fn of(query: &DeviceQuery) -> PortResult<Filter> {
        let mut filter = Filter { from: "devices d", conditions: String::new(), cells: Vec::new() };
        if let Some((name, value)) = &query.tag {
            // The walk goes along the tags, which are few, and looks each device up.
            filter.from = "tags t CROSS JOIN devices d";
            filter.add("t.product = $1 AND d.product = t.product AND d.id = t.id AND t.name = ", name.into());
            if let Some(value) = value {
                filter.add("t.value = ", value.into());
            }
        }
        if let Some(text) = query.text.as_ref().filter(|text| !text.is_empty()) {
            let pattern = like(text);
            filter.add("(lower(d.id) LIKE ", Cell::Text(pattern.clone()));
            filter.conditions.push_str(" ESCAPE '!'");
            filter.add_with(" OR lower(d.name) LIKE ", Cell::Text(pattern));
            filter.conditions.push_str(" ESCAPE '!')");
        }
        if let Some(status) = &query.status {
            if !matches!(status.as_str(), "never" | "online" | "offline" | "disabled") {
                return Err(invalid(
                    "bad_status",
                    format!("a status is never, online, offline or disabled, not {status:?}"),
                ));
            }
            filter.add("d.status = ", status.into());
        }
        if let Some(from) = query.created_from_ms {
            filter.add("d.created_ms >= ", from.into());
        }
        if let Some(to) = query.created_to_ms {
            filter.add("d.created_ms < ", to.into());
        }
        if let Some(ids) = &query.ids {
            filter.add_ids(ids)?;
        }
        Ok(filter)
    }

    fn add(&mut self, condition: &str, cell: Cell) {
        self.conditions.push_str(" AND ");
        self.add_with(condition, cell);
    }

    fn add_with(&mut self, condition: &str, cell: Cell) {
        self.cells.push(cell);
        self.conditions.push_str(&format!("{condition}${}", self.cells.len() + 2));
    }

    fn add_ids(&mut self, ids: &[String]) -> PortResult<()> {
        if ids.len() > IDS_MAX {
            return Err(invalid("too_many_ids", format!("at most {IDS_MAX} ids can be asked for at once")));
        }
        let Some(last) = ids.last() else {
            self.conditions.push_str(" AND 1 = 0");
            return Ok(());
        };
        self.conditions.push_str(" AND d.id IN (");
        // Few different lengths make few different statements, which stay prepared.
        let padding = ids.len().next_power_of_two() - ids.len();
        for (index, id) in ids.iter().chain(std::iter::repeat_n(last, padding)).enumerate() {
            self.add_with(if index == 0 { "" } else { ", " }, id.into());
        }
        self.conditions.push(')');
        Ok(())
    }

    fn devices(&self, product: i64, after: &str, limit: usize) -> (String, Vec<Cell>) {
        let mut cells = cells![product, after];
        cells.extend(self.cells.iter().cloned());
        cells.push(Cell::Integer(limit as i64));
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE d.product = $1 AND d.id > $2{} ORDER BY d.id LIMIT ${}",
            self.from,
            self.conditions,
            cells.len()
        );
        (sql, cells)
    }

    fn count(&self, product: i64, limit: i64) -> (String, Vec<Cell>) {
        let mut cells = cells![product, ""];
        cells.extend(self.cells.iter().cloned());
        cells.push(Cell::Integer(limit));
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM {} WHERE d.product = $1 AND d.id > $2{} LIMIT ${}) AS found",
            self.from,
            self.conditions,
            cells.len()
        );
        (sql, cells)
    }
}

/// Contains this, in whatever case the letters of ASCII are.
fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}
