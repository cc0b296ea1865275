//! Durations by size, in constant memory.

/// Bits of a value that are kept: a bucket is at most 1/64 of its value wide.
const PRECISION_BITS: u32 = 6;

/// Counts values in buckets whose width grows with the value, so that a quantile is right to 1.6 %
/// whether it is a microsecond or a minute.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    maximum: u64,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        let bucket = bucket_of(value);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.total += 1;
        self.maximum = self.maximum.max(value);
    }

    /// How many values were counted.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The largest value, exactly.
    pub fn maximum(&self) -> u64 {
        self.maximum
    }

    /// The value that this share of all values (0 to 1) does not exceed, rounded up to the end of
    /// its bucket; `None` when nothing was counted.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let wanted = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(last_of(bucket).min(self.maximum))
    }
}

fn bucket_of(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    ((u64::from(shift) << PRECISION_BITS) + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn last_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> PRECISION_BITS).saturating_sub(1);
    let first = bucket - (shift << PRECISION_BITS);
    // Wide enough for the end of the last bucket of all.
    ((u128::from(first + 1) << shift) - 1) as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_values_are_exact() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=100).for_each(|value| histogram.record(value));
        assert_eq!(histogram.len(), 100);
        assert_eq!(histogram.quantile(0.0), Some(1));
        assert_eq!(histogram.quantile(0.5), Some(50));
        assert_eq!(histogram.quantile(0.99), Some(99));
        assert_eq!(histogram.quantile(1.0), Some(100));
    }

    #[test]
    fn the_largest_value_has_a_bucket() {
        let mut histogram = Histogram::default();
        histogram.record(u64::MAX);
        assert_eq!(histogram.quantile(0.5), Some(u64::MAX));
        assert_eq!(histogram.maximum(), u64::MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_bucket_holds_its_values_and_is_narrow(value in any::<u64>(), shift in 0..64_u32) {
            let value = value >> shift;
            let bucket = bucket_of(value);
            prop_assert!(last_of(bucket) >= value);
            prop_assert!(bucket == 0 || last_of(bucket - 1) < value);
            prop_assert!((last_of(bucket) - value) as f64 <= value as f64 / 64.0);
        }

        #[test]
        fn quantiles_agree_with_a_sorted_list(
            mut values in prop::collection::vec(0..10_000_000_u64, 1..300),
            share in 0.0..=1.0_f64,
        ) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            values.sort_unstable();
            let place = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len());
            let (right, told) = (values[place - 1], histogram.quantile(share).unwrap());
            prop_assert!(told >= right && (told - right) as f64 <= right as f64 / 64.0);
        }
    }
}
