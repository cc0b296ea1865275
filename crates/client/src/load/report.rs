//! What a run has found.

use std::time::Instant;

use super::Target;
use super::process::Process;

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
}

/// A stretch of a run: its time, and the CPU time and memory the server needs meanwhile.
#[derive(Debug)]
pub struct Stretch {
    server: Option<Process>,
    begun: Instant,
    cpu_ns: u64,
    own_cpu_ns: u64,
    resident_bytes: u64,
}

/// What a stretch took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Time in seconds.
    pub wall_s: f64,
    /// CPU time of the server in microseconds.
    pub cpu_us: Option<f64>,
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
        let (cpu_us, bytes, peak_bytes) = match self.server {
            Some(server) => (
                Some(us(server.cpu_ns()?, self.cpu_ns)),
                Some(growth(server.resident_bytes()?)),
                server.peak_bytes().ok().map(growth),
            ),
            None => (None, None, None),
        };
        Ok(Taken {
            wall_s,
            cpu_us,
            own_cpu_us: us(Process::own().cpu_ns()?, self.own_cpu_ns),
            bytes,
            peak_bytes,
        })
    }
}

impl Taken {
    /// CPU time of the server for each of `count` things, in microseconds.
    pub(super) fn cpu_us_each(&self, count: u64) -> Option<f64> {
        self.cpu_us.map(|us| us / count.max(1) as f64)
    }

    /// Memory of the server for each of `count` things.
    pub(super) fn bytes_each(&self, count: u64) -> Option<f64> {
        self.bytes.map(|bytes| bytes / count.max(1) as f64)
    }
}
