//! What the rounds of one figure have brought.

use serde_json::Value;

/// Clock ticks of `/proc/PID/stat` in a second.
const TICKS_PER_S: f64 = 100.0;
/// Fewer of them say nothing.
const TICKS_MIN: f64 = 25.0;

/// The runs of one subject under one load, for one figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Runs {
    values: Vec<f64>,
    kernel_s: f64,
    user_s: f64,
}

/// The kernel's share of the CPU time behind a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kernel {
    /// 0 to 1.
    pub(super) share: f64,
    /// Its standard error: the kernel looks at each tick whose the time is.
    pub(super) error: f64,
}

impl Runs {
    /// Takes what a report says about this figure.
    pub(super) fn take(&mut self, key: &str, report: &Value) {
        self.values.extend(report[key].as_f64());
        // `cpu_us_per_message` has `kernel_cpu_s` beside it, `store_cpu_us` has `store_kernel_cpu_s`.
        let Some((stretch, _)) = key.split_once("cpu_us") else { return };
        let seconds = |name: &str| report[format!("{stretch}{name}")].as_f64().unwrap_or_default();
        self.kernel_s += seconds("kernel_cpu_s");
        self.user_s += seconds("user_cpu_s");
    }

    /// Runs that had the figure.
    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    pub(super) fn median(&self) -> Option<f64> {
        median(&self.values)
    }

    /// Of all runs together, if that was time enough to tell.
    pub(super) fn kernel(&self) -> Option<Kernel> {
        let both_s = self.kernel_s + self.user_s;
        let ticks = both_s * TICKS_PER_S;
        if ticks < TICKS_MIN {
            return None;
        }
        let share = self.kernel_s / both_s;
        Some(Kernel { share, error: (share * (1.0 - share) / ticks).sqrt() })
    }
}

impl Kernel {
    /// In per cent.
    pub(super) fn told(self) -> String {
        format!("{:.0}±{:.0}", self.share * 100.0, (self.error * 100.0).ceil())
    }
}

/// The one in the middle, or half-way between the two there.
pub(super) fn median(runs: &[f64]) -> Option<f64> {
    let mut runs = runs.to_vec();
    runs.sort_by(f64::total_cmp);
    let upper = *runs.get(runs.len() / 2)?;
    let lower = *runs.get((runs.len() - 1) / 2)?;
    Some(lower + (upper - lower) / 2.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn the_shares_of_the_kernel_are_added_up_until_there_are_ticks_enough() {
        let report = json!({ "cpu_us_per_message": 1.0, "kernel_cpu_s": 0.16, "user_cpu_s": 0.04,
            "store_cpu_us": 2.0, "store_kernel_cpu_s": 0.0, "store_user_cpu_s": 9.0, "latency_p50_us": 3.0 });
        let runs = |key, rounds| {
            let mut runs = Runs::default();
            (0..rounds).for_each(|_| runs.take(key, &report));
            runs
        };
        let message = runs("cpu_us_per_message", 1);
        assert_eq!((message.median(), message.count(), message.kernel()), (Some(1.0), 1, None));
        let kernel = runs("cpu_us_per_message", 5).kernel().expect("a hundred ticks");
        assert!((kernel.share - 0.8).abs() < 1e-9 && (kernel.error - 0.04).abs() < 1e-9, "{kernel:?}");
        assert_eq!(Kernel { share: 0.784, error: 0.0301 }.told(), "78±4");
        assert_eq!(runs("store_cpu_us", 1).kernel().map(|kernel| kernel.share), Some(0.0));
        assert_eq!(runs("latency_p50_us", 99).kernel(), None);
        assert_eq!(runs("what nobody told", 2).median(), None);
    }
}
