//! Makes a fresh Debian machine ready: says what is missing, installs it, never asks, and does
//! nothing where everything is there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{cargo, command, run, succeeds};
use crate::pins::{CARGO_DENY, DEBIAN, DebianPackage, NODE, NODE_CLOUD, PYTHON};
use crate::place;
use crate::steps::Outcome;

/// How often a fetch is tried: registries and mirrors fail now and then.
const TRIES: usize = 4;

/// Debian packages that the tests call by name.
pub(crate) fn debian() -> Result<Outcome, String> {
    let missing: Vec<&DebianPackage> = DEBIAN.iter().filter(|package| !succeeds(package.probe)).collect();
    if missing.is_empty() {
        return Ok(Outcome::Done("everything is there".to_owned()));
    }
    for package in &missing {
        println!("    installing {} ({})", package.name, package.purpose);
    }
    if !succeeds(&["apt-get", "--version"]) {
        let names: Vec<_> = missing.iter().map(|package| package.name).collect();
        return Err(format!("no apt-get here; please install what is meant by: {}", names.join(", ")));
    }
    retried("apt-get update", || run(apt().arg("update").arg("-qq")))?;
    retried("apt-get install", || {
        let names = missing.iter().map(|package| package.name);
        run(apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(names))
    })?;
    match missing.iter().find(|package| !succeeds(package.probe)) {
        Some(package) => {
            Err(format!("{} is installed, but `{}` still fails", package.name, package.probe.join(" ")))
        }
        None => Ok(Outcome::Done(format!("{} installed", missing.len()))),
    }
}

fn apt() -> std::process::Command {
    let mut apt = if rustix::process::geteuid().is_root() {
        command("env")
    } else {
        let mut sudo = command("sudo");
        sudo.args(["-n", "env"]);
        sudo
    };
    // The second variable keeps services of installed packages from being started by the old init scripts.
    apt.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]);
    apt
}

/// The Python of a virtual environment.
pub(crate) fn python(environment: &str) -> PathBuf {
    place::tools().join(environment).join("bin/python")
}

/// Clients and device libraries, in virtual environments.
pub(crate) fn python_packages() -> Result<Outcome, String> {
    let mut told = Vec::new();
    for environment in PYTHON {
        let folder = place::tools().join(environment.folder);
        let outcome = installed_once(&folder, environment.packages, || {
            run(command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
            retried("pip install", || {
                run(command(python(environment.folder))
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .args(environment.packages))
            })
        })?;
        told.push(outcome);
    }
    let installed = told.iter().filter(|told| told.ends_with("installed")).count();
    Ok(Outcome::Done(format!("{} environments, {installed} of them new", told.len())))
}

/// The folder whose `node_modules` holds MQTT.js.
pub(crate) fn node_folder() -> PathBuf {
    place::tools().join("node")
}

/// The folder whose `node_modules` holds the device libraries.
pub(crate) fn node_cloud_folder() -> PathBuf {
    place::tools().join("node-cloud")
}

/// MQTT.js and the device libraries, each in a folder of its own.
pub(crate) fn node_packages() -> Result<Outcome, String> {
    let mut told = Vec::new();
    for (folder, packages) in [(node_folder(), NODE), (node_cloud_folder(), NODE_CLOUD)] {
        told.push(installed_once(&folder, packages, || {
            fs::write(folder.join("package.json"), "{\"private\":true}\n")
                .map_err(|error| error.to_string())?;
            retried("npm install", || {
                run(command("npm")
                    .args(["install", "--prefix"])
                    .arg(&folder)
                    .args(["--no-audit", "--no-fund", "--no-save", "--loglevel=error"])
                    .args(packages))
            })
        })?);
    }
    Ok(Outcome::Done(told.join("; ")))
}

/// A cargo-deny, from the machine or built once under the target folder.
pub(crate) fn cargo_deny() -> Result<Outcome, String> {
    if deny_program().is_some() {
        return Ok(Outcome::Done("cargo-deny is there".to_owned()));
    }
    println!("    installing cargo-deny {CARGO_DENY} (a few minutes, once)");
    let installed = retried("cargo install cargo-deny", || {
        run(cargo()
            .args([
                "install",
                "--quiet",
                "--locked",
                "--debug",
                "cargo-deny",
                "--version",
                CARGO_DENY,
                "--root",
            ])
            .arg(place::tools())
            // Line tables would double the time to link.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_TARGET_DIR", place::tools().join("build")))
    });
    // What it was built from is a gigabyte that nobody needs again.
    let _ = fs::remove_dir_all(place::tools().join("build"));
    match installed {
        Ok(()) => Ok(Outcome::Done(format!("cargo-deny {CARGO_DENY} built"))),
        Err(error) => Ok(Outcome::Skipped(format!("cargo-deny cannot be installed here: {error}"))),
    }
}

/// The program to call for the supply-chain check.
pub(crate) fn deny_program() -> Option<PathBuf> {
    let own = place::tools().join("bin/cargo-deny");
    let candidates = [own, PathBuf::from("cargo-deny")];
    candidates.into_iter().find(|program| succeeds(&[&program.to_string_lossy(), "--version"]))
}

/// rustfmt and clippy, which a minimal toolchain lacks.
pub(crate) fn toolchain() -> Result<Outcome, String> {
    let missing: Vec<&str> = [("rustfmt", "fmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(_, subcommand)| !succeeds(&["cargo", subcommand, "--version"]))
        .map(|(component, _)| component)
        .collect();
    if missing.is_empty() {
        return Ok(Outcome::Done("rustfmt and clippy are there".to_owned()));
    }
    println!("    installing {}", missing.join(", "));
    match retried("rustup component add", || run(command("rustup").args(["component", "add"]).args(&missing)))
    {
        Ok(()) => Ok(Outcome::Done(format!("{} installed", missing.join(", ")))),
        Err(error) => Ok(Outcome::Skipped(error)),
    }
}

/// Runs `install` unless a stamp in `folder` says that exactly these pins are there.
fn installed_once(
    folder: &Path,
    pins: &[&str],
    install: impl FnOnce() -> Result<(), String>,
) -> Result<String, String> {
    let stamp = folder.join("pins");
    let wanted = pins.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(format!("{} are there", pins.join(", ")));
    }
    println!("    installing {}", pins.join(", "));
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    install()?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(format!("{} installed", pins.join(", ")))
}

fn retried(what: &str, mut attempt: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    let mut last = String::new();
    for try_number in 1..=TRIES {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) => {
                println!("    {what}: try {try_number} of {TRIES} failed: {error}");
                last = error;
            }
        }
        if try_number < TRIES {
            std::thread::sleep(std::time::Duration::from_secs(5 * try_number as u64));
        }
    }
    Err(last)
}
