//! Everything the workshop fetches from outside, with its version. Rust crates are pinned by
//! `Cargo.lock`; Debian's packages are whatever the release carries.

/// A Debian package and how to see that what we need of it is there already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DebianPackage {
    /// Name for `apt-get install`.
    pub(crate) name: &'static str,
    /// A command line that succeeds where the package (or an equal) is present.
    pub(crate) probe: &'static [&'static str],
    /// What it is for, said when it is installed.
    pub(crate) purpose: &'static str,
}

/// What the tests call by name. The `mosquitto` server is not among them: installing it starts a
/// service on port 1883, and only `cargo xtask bench` compares with it.
pub(crate) const DEBIAN: &[DebianPackage] = &[
    DebianPackage { name: "gcc", probe: &["cc", "--version"], purpose: "links Rust programs" },
    DebianPackage {
        name: "libc6-dev",
        probe: &["test", "-f", "/usr/include/stdlib.h"],
        purpose: "links Rust programs",
    },
    DebianPackage {
        name: "mosquitto-clients",
        probe: &["sh", "-c", "command -v mosquitto_rr"],
        purpose: "mosquitto_pub, mosquitto_sub and mosquitto_rr against our server",
    },
    DebianPackage {
        name: "tshark",
        probe: &["tshark", "--version"],
        purpose: "a second decoder to agree with",
    },
    DebianPackage { name: "python3", probe: &["python3", "--version"], purpose: "paho-mqtt and aiomqtt" },
    DebianPackage {
        name: "python3-venv",
        probe: &["python3", "-c", "import venv, ensurepip"],
        purpose: "paho-mqtt and aiomqtt, without touching the system's Python",
    },
    DebianPackage { name: "nodejs", probe: &["node", "--version"], purpose: "MQTT.js" },
    DebianPackage { name: "npm", probe: &["npm", "--version"], purpose: "fetches MQTT.js" },
    DebianPackage {
        name: "chromium",
        probe: &["chromium", "--version"],
        purpose: "opens the page of a recording",
    },
    DebianPackage {
        name: "openssl",
        probe: &["openssl", "version"],
        purpose: "a certificate for the device libraries",
    },
    DebianPackage {
        name: "postgresql",
        probe: &["sh", "-c", "ls /usr/lib/postgresql/*/bin/postgres"],
        purpose: "the registry in PostgreSQL, and what happens without it",
    },
    DebianPackage {
        name: "valgrind",
        probe: &["valgrind", "--version"],
        purpose: "counts the instructions of the hot paths",
    },
    DebianPackage {
        name: "ca-certificates",
        probe: &["test", "-d", "/etc/ssl/certs"],
        purpose: "pip and npm over TLS",
    },
];

/// Python packages that live together, in a virtual environment of this name under `target/`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PythonPackages {
    /// Name of the environment's folder.
    pub(crate) folder: &'static str,
    /// What is installed.
    pub(crate) packages: &'static [&'static str],
}

/// What speaks MQTT to us in Python. The device libraries of the clouds want an old paho-mqtt, and two of them
/// are called `linkkit`.
pub(crate) const PYTHON: &[PythonPackages] = &[
    PythonPackages { folder: "python", packages: &["paho-mqtt==2.1.0", "aiomqtt==2.5.1"] },
    PythonPackages { folder: "python-aliyun", packages: &["aliyun-iot-linkkit==1.2.13", "paho-mqtt==1.6.1"] },
    PythonPackages { folder: "python-linkkit", packages: &["linkkit==1.0.0", "paho-mqtt==1.6.1"] },
    PythonPackages {
        folder: "python-onenet",
        packages: &["onenetapi==0.4", "pyonenet==0.0.1", "requests==2.32.5"],
    },
];

/// Node packages, installed under `target/`; playwright-core drives the Chromium of Debian and brings none.
pub(crate) const NODE: &[&str] = &["mqtt@5.16.0", "playwright-core@1.64.1"];

/// The device libraries for Node, which bring an MQTT.js of their time.
pub(crate) const NODE_CLOUD: &[&str] = &["alibabacloud-iot-device-sdk@1.2.8", "aliyun-iot-device-sdk@1.0.1"];

/// The supply-chain check.
pub(crate) const CARGO_DENY: &str = "0.20.2";
