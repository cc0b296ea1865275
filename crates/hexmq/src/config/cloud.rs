//! The settings of the device cloud.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::units::Span;
use super::{ConfigError, HttpAddress, Settings};

/// The device cloud, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cloud {
    /// Where products, devices and history are kept; `None`: in a file under `data`, or in memory if nothing
    /// is kept.
    pub(crate) registry: Option<RegistryUrl>,
    /// Where devices and application servers find what their vendor's HTTP servers offer.
    pub(crate) device_http: HttpAddress,
    /// Begins the links that devices are sent; without a slash at its end.
    pub(crate) public_url: Option<String>,
    /// How long the lines of the devices' logs are kept.
    pub(crate) device_log_time: Duration,
    /// How many lines are kept for each device.
    pub(crate) device_log_lines: u32,
}

/// A data base for the registry: `postgres://USER:PASSWORD@HOST:PORT/NAME`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RegistryUrl(pub(crate) String);

impl FromStr for RegistryUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(RegistryUrl(text.to_owned()));
        }
        Err("is neither `sqlite` nor postgres://USER:PASSWORD@HOST:PORT/NAME".to_owned())
    }
}

impl fmt::Display for RegistryUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str("postgres://…") };
        // A password may contain an `@`, a host may not.
        match rest.rsplit_once('@') {
            Some((who, host)) => {
                let user = who.split(':').next().unwrap_or_default();
                // The rest of a query may carry a password, too.
                let host = host.split('?').next().unwrap_or_default();
                write!(f, "{scheme}://{user}@{host}")
            }
            None => write!(f, "{scheme}://{}", rest.split('?').next().unwrap_or_default()),
        }
    }
}

impl fmt::Debug for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryUrl({self})")
    }
}

/// `sqlite`, or the URL of a data base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RegistryPlace {
    /// A file under `data`.
    Sqlite,
    /// There.
    At(RegistryUrl),
}

impl FromStr for RegistryPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sqlite" => Ok(RegistryPlace::Sqlite),
            url => url.parse().map(RegistryPlace::At),
        }
    }
}

/// The longest time that is kept track of: a hundred years.
const LOG_TIME_MAX_MS: u64 = 100 * 365 * 24 * 3600 * 1000;

impl Cloud {
    /// Checks what was given and fills in the defaults.
    pub(super) fn resolve(given: &Settings) -> Result<Cloud, ConfigError> {
        let week = Span(Duration::from_secs(7 * 24 * 3600));
        let log_time = given.device_log_time.unwrap_or(week);
        if log_time.as_ms() > LOG_TIME_MAX_MS {
            return Err(ConfigError::key("device_log_time", format!("{log_time} is too long")));
        }
        Ok(Cloud {
            registry: match &given.registry {
                Some(RegistryPlace::At(url)) => Some(url.clone()),
                Some(RegistryPlace::Sqlite) | None => None,
            },
            device_http: given.device_http.unwrap_or(HttpAddress::Off),
            public_url: given.public_url.as_deref().map(public_url).transpose()?,
            device_log_time: log_time.0,
            device_log_lines: given.device_log_lines.unwrap_or(10_000),
        })
    }
}

fn public_url(url: &str) -> Result<String, ConfigError> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    match rest.map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() && !host.contains(['?', '#', ' ']) => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err(ConfigError::key("public_url", format!("`{url}` is not a URL that a path can follow"))
            .hint("write http://HOST:PORT as devices reach it")),
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.registry {
            None => writeln!(f, "registry = \"sqlite\"")?,
            Some(url) => writeln!(f, "registry = \"{url}\" # password not shown")?,
        }
        writeln!(f, "device_http = \"{}\"", self.device_http)?;
        if let Some(url) = &self.public_url {
            writeln!(f, "public_url = {url:?}")?;
        }
        writeln!(f, "device_log_time = \"{}\"", Span(self.device_log_time))?;
        writeln!(f, "device_log_lines = {}", self.device_log_lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            ("postgres://hexmq:s3cr@et@db:5432/fleet", "postgres://hexmq@db:5432/fleet"),
            ("postgresql://db/fleet?user=a&password=b", "postgresql://db/fleet"),
            ("postgres://hexmq@db/fleet", "postgres://hexmq@db/fleet"),
        ] {
            let parsed: RegistryUrl = url.parse().expect("a URL");
            assert_eq!(parsed.to_string(), shown);
        }
        assert!("mysql://db/fleet".parse::<RegistryPlace>().is_err());
        assert_eq!("sqlite".parse(), Ok(RegistryPlace::Sqlite));
    }

    #[test]
    fn a_public_url_is_one_that_a_path_can_follow() {
        assert_eq!(public_url("http://10.0.0.2:8080/"), Ok("http://10.0.0.2:8080".to_owned()));
        for wrong in ["10.0.0.2:8080", "http://", "https:///", "http://a b", "http://a?x=1", "ftp://a"] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
    }
}
