//! What counts depend on besides our own code.

use std::fmt;

use crate::command::{command, output};

/// Compiler, target, vector instructions that are chosen when a program runs, libc, valgrind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conditions(pub(super) String);

impl Conditions {
    /// Those of this machine.
    pub(super) fn here() -> Result<Conditions, String> {
        let version = output(command("rustc").arg("-vV"))?;
        let compiler = version.lines().next().unwrap_or_default();
        let target = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        // valgrind shows programs one of a few processors, by what the real one has; with AVX2 it is
        // always the same.
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let vectors = if cpu.split_whitespace().any(|flag| flag == "avx2") { "avx2" } else { "no avx2" };
        let libc = output(command("getconf").arg("GNU_LIBC_VERSION")).unwrap_or_default();
        let valgrind = output(command("valgrind").arg("--version"))?;
        let mut parts = vec![compiler, target, vectors, libc.trim(), valgrind.trim()];
        let flags =
            ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"].map(|name| std::env::var(name).unwrap_or_default());
        parts.extend(flags.iter().map(String::as_str));
        parts.retain(|part| !part.is_empty());
        Ok(Conditions(parts.join(", ")))
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
