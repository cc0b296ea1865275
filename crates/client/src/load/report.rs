//! What a run has found.

use std::time::Instant;

use super::Target;
use super::process::{Process, Ticks, ticks_per_s};

/// Fewer clock ticks than these, 10 ms each, say nothing about whose the time is.
const TICKS_MIN: u64 = 25;

/// One figure of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A number of things, or bytes.
    Count(u64),
    /// A measure; its name ends with the unit.
    Measure(f64),
    /// A word.
    Text(&'static str),
}

/// The figures of one run, in the order in which they are to be read. What needs the process of the
/// server is missing when that is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Name and value.
    pub figures: Vec<(&'static str, Figure)>,
}

impl Report {
    pub(super) fn new(scenario: &'static str) -> Report {
        Report { figures: vec![("scenario", Figure::Text(scenario))] }
    }

    pub(super) fn count(&mut self, name: &'static str, count: impl TryInto<u64>) -> &mut Report {
        self.figures.push((name, Figure::Count(count.try_into().unwrap_or(u64::MAX))));
        self
    }

    pub(super) fn measure(&mut self, name: &'static str, value: f64) -> &mut Report {
        self.figures.push((name, Figure::Measure(value)));
        self
    }

    /// A measure that was told before.
    pub(super) fn get(&self, key: &str) -> Option<f64> {
        self.figures.iter().find_map(|(name, figure)| match figure {
            Figure::Measure(value) if *name == key => Some(*value),
            _ => None,
        })
    }

    pub(super) fn measure_if_known(&mut self, name: &'static str, value: Option<f64>) -> &mut Report {
        value.into_iter().for_each(|value| {
            self.measure(name, value);
        });
        self
    }

    /// Whose the CPU time of a stretch was: the kernel's share, and both parts, so that those of several runs
    /// can be added up.
    pub(super) fn halves(&mut self, names: &Halves, taken: &Taken) -> &mut Report {
        self.measure_if_known(names.share, taken.kernel_share())
            .measure_if_known(names.kernel_s, taken.kernel_s)
            .measure_if_known(names.user_s, taken.user_s)
    }
}

/// The names of what [`Report::halves`] tells.
#[derive(Debug)]
pub(super) struct Halves {
    share: &'static str,
    kernel_s: &'static str,
    user_s: &'static str,
}

/// Of a run that measures one stretch.
pub(super) const HALVES: Halves =
    Halves { share: "kernel_share", kernel_s: "kernel_cpu_s", user_s: "user_cpu_s" };
/// Of messages that are stored.
pub(super) const STORE_HALVES: Halves =
    Halves { share: "store_kernel_share", kernel_s: "store_kernel_cpu_s", user_s: "store_user_cpu_s" };
/// Of retained messages that are fetched.
pub(super) const FETCH_HALVES: Halves =
    Halves { share: "fetch_kernel_share", kernel_s: "fetch_kernel_cpu_s", user_s: "fetch_user_cpu_s" };
/// Of queues that are drained.
pub(super) const DRAIN_HALVES: Halves =
    Halves { share: "drain_kernel_share", kernel_s: "drain_kernel_cpu_s", user_s: "drain_user_cpu_s" };

/// A stretch of a run: its time, and the CPU time and memory the server needs meanwhile.
#[derive(Debug)]
pub struct Stretch {
    server: Option<Process>,
    begun: Instant,
    cpu_ns: u64,
    ticks: Ticks,
    own_cpu_ns: u64,
    resident_bytes: u64,
}

/// What a stretch took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Time in seconds.
    pub wall_s: f64,
    /// CPU time of the server in microseconds.
    pub cpu_us: Option<f64>,
    /// Seconds of it in the kernel, as the kernel counts them: in clock ticks.
    pub kernel_s: Option<f64>,
    /// Seconds of it in the server's own code, counted in the same way.
    pub user_s: Option<f64>,
    /// CPU time of the load generator in microseconds.
    pub own_cpu_us: f64,
    /// Growth of the server's resident memory in bytes.
    pub bytes: Option<f64>,
    /// The same at its largest meanwhile, where the kernel tells.
    pub peak_bytes: Option<f64>,
}

impl Stretch {
    /// Begins now.
    ///
    /// # Errors
    /// No such process.
    pub fn begin(target: &Target) -> Result<Stretch, String> {
        let server = target.pid.map(Process);
        if let Some(server) = server {
            server.reset_peak();
        }
        Ok(Stretch {
            server,
            resident_bytes: server.map_or(Ok(0), Process::resident_bytes)?,
            own_cpu_ns: Process::own().cpu_ns()?,
            ticks: server.map_or(Ok(Ticks::default()), Process::ticks)?,
            cpu_ns: server.map_or(Ok(0), Process::cpu_ns)?,
            begun: Instant::now(),
        })
    }

    /// The server's resident memory at the beginning.
    pub(super) fn resident_bytes(&self) -> Option<f64> {
        self.server.map(|_| self.resident_bytes as f64)
    }

    /// What it took until now.
    ///
    /// # Errors
    /// The process is gone.
    pub fn end(&self) -> Result<Taken, String> {
        let wall_s = self.begun.elapsed().as_secs_f64();
        let us = |now: u64, before: u64| now.saturating_sub(before) as f64 / 1000.0;
        let growth = |now: u64| now.saturating_sub(self.resident_bytes) as f64;
        let mut taken = Taken { wall_s, ..Taken::default() };
        if let Some(server) = self.server {
            taken.cpu_us = Some(us(server.cpu_ns()?, self.cpu_ns));
            let ticks = server.ticks()?.since(self.ticks);
            taken.kernel_s = Some(ticks.kernel as f64 / ticks_per_s());
            taken.user_s = Some(ticks.user as f64 / ticks_per_s());
            taken.bytes = Some(growth(server.resident_bytes()?));
            taken.peak_bytes = server.peak_bytes().ok().map(growth);
        }
        taken.own_cpu_us = us(Process::own().cpu_ns()?, self.own_cpu_ns);
        Ok(taken)
    }
}

impl Taken {
    /// CPU time of the server for each of `count` things, in microseconds.
    pub(super) fn cpu_us_each(&self, count: u64) -> Option<f64> {
        self.cpu_us.map(|us| us / count.max(1) as f64)
    }

    /// The share of the kernel in the CPU time of the server, 0 to 1, where there were ticks enough to tell.
    pub(super) fn kernel_share(&self) -> Option<f64> {
        let (kernel_s, both_s) = (self.kernel_s?, self.kernel_s? + self.user_s?);
        (both_s * ticks_per_s() >= TICKS_MIN as f64).then(|| kernel_s / both_s)
    }

    /// Memory of the server for each of `count` things.
    pub(super) fn bytes_each(&self, count: u64) -> Option<f64> {
        self.bytes.map(|bytes| bytes / count.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_the_kernel_is_told_where_there_were_ticks_enough() {
        let taken = |kernel_s: f64, user_s: f64| Taken {
            kernel_s: Some(kernel_s),
            user_s: Some(user_s),
            ..Taken::default()
        };
        assert_eq!(taken(3.0, 1.0).kernel_share(), Some(0.75));
        assert_eq!(taken(0.0, 0.25).kernel_share(), Some(0.0));
        assert_eq!(taken(0.12, 0.12).kernel_share(), None, "24 ticks");
        assert_eq!(taken(0.0, 0.0).kernel_share(), None);
        assert_eq!(Taken::default().kernel_share(), None, "the server's process is not known");
        let mut report = Report::new("test");
        report.halves(&HALVES, &taken(0.01, 0.03));
        assert_eq!((report.get("kernel_share"), report.get("kernel_cpu_s")), (None, Some(0.01)));
    }
}
