//! What the kernel knows about a process, and the descriptors we need ourselves.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A process of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process(pub(super) u32);

impl Process {
    /// This one.
    pub(super) fn own() -> Process {
        Process(std::process::id())
    }

    /// Resident memory in bytes.
    pub(super) fn resident_bytes(self) -> Result<u64, String> {
        self.memory("VmRSS:")
    }

    /// Resident memory at its largest since [`Process::reset_peak`].
    pub(super) fn peak_bytes(self) -> Result<u64, String> {
        self.memory("VmHWM:")
    }

    /// Lets the kernel measure the peak from now on. Where it may not, the peak is that of the whole life.
    pub(super) fn reset_peak(self) {
        let _ = fs::write(format!("/proc/{}/clear_refs", self.0), "5");
    }

    fn memory(self, name: &str) -> Result<u64, String> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let kibibytes: Option<u64> = line.trim().strip_suffix("kB").and_then(|size| size.trim().parse().ok());
        kibibytes.map(|size| size * 1024).ok_or_else(|| format!("process {} has no memory", self.0))
    }

    /// CPU time of all its threads, user and system, in nanoseconds: from the scheduler where the
    /// kernel keeps such statistics, otherwise in ticks of 10 ms.
    pub(super) fn cpu_ns(self) -> Result<u64, String> {
        self.scheduled_ns().map_or_else(|| self.ticks_ns(), Ok)
    }

    fn scheduled_ns(self) -> Option<u64> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0)).ok()? {
            let schedstat = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            total += schedstat.split_whitespace().next()?.parse::<u64>().ok()?;
        }
        (total > 0).then_some(total)
    }

    fn ticks_ns(self) -> Result<u64, String> {
        let stat = self.read("stat")?;
        // The name in brackets may hold spaces; fields 14 and 15 are counted from before it.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
        let ticks: Vec<u64> =
            fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        match ticks[..] {
            [user, system] => Ok((user + system) * (1_000_000_000 / rustix::param::clock_ticks_per_second())),
            _ => Err(format!("process {} has no CPU time", self.0)),
        }
    }

    fn read(self, name: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{name}", self.0);
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    }
}

/// Each client is a descriptor: asks for as many as the machine gives.
pub(super) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn our_own_process_uses_memory_and_time() {
        let own = Process::own();
        assert!(own.resident_bytes().unwrap() > 4096);
        let mut sum = 0_u64;
        while own.cpu_ns().unwrap() == 0 || own.ticks_ns().unwrap() == 0 {
            sum = (0..100_000).fold(sum, |sum, number| sum.rotate_left(7) ^ number);
        }
        assert!(own.ticks_ns().unwrap() > 0, "{sum}");
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Process(u32::MAX).cpu_ns().is_err());
        assert!(Process(u32::MAX).resident_bytes().is_err());
    }
}
