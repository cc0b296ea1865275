//! `HOST:PORT` and the URLs that mean the same.

use std::fmt;
use std::str::FromStr;

use hexmq_transport::Endpoint;

/// The port of MQTT over TLS.
const MQTTS_PORT: u16 = 8883;

/// A server as written on the command line: `HOST[:PORT]`, `mqtt://…`, `mqtts://…`, `unix:///path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    /// Whether the URL asks for TLS.
    pub(crate) tls: bool,
}

impl Target {
    /// With TLS, and on its port if none was named.
    pub(crate) fn over_tls(text: &str) -> Result<Target, String> {
        let rest = text.strip_prefix("mqtts://").unwrap_or(text);
        let mut target = rest.parse::<Target>()?;
        target.tls = true;
        if let Endpoint::Tcp { port, .. } = &mut target.endpoint
            && !names_port(rest)
        {
            *port = MQTTS_PORT;
        }
        Ok(target)
    }
}

/// Whether the authority has a port: a `:` that is no part of an IPv6 address.
fn names_port(text: &str) -> bool {
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    authority.rsplit(']').next().is_some_and(|rest| rest.contains(':'))
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        if text.starts_with("mqtts://") {
            return Target::over_tls(text);
        }
        let url = if text.contains("://") { text.to_owned() } else { format!("mqtt://{text}") };
        let endpoint = url.parse::<Endpoint>().map_err(|error| error.to_string())?;
        if matches!(endpoint, Endpoint::Tcp { port: 0, .. }) {
            return Err("nobody listens on port 0".to_owned());
        }
        Ok(Target { endpoint, tls: false })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.endpoint.to_string();
        match url.strip_prefix("mqtt://") {
            Some(authority) if self.tls => write!(f, "mqtts://{authority}"),
            Some(authority) => f.write_str(authority),
            None => f.write_str(&url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Target>().map_or_else(|error| error, |target| target.to_string())
    }

    #[test]
    fn hosts_ports_and_urls_are_understood() {
        assert_eq!(shown("h"), "h:1883");
        assert_eq!(shown("h:7"), "h:7");
        assert_eq!(shown("[::1]:7"), "[::1]:7");
        assert_eq!(shown("mqtt://h"), "h:1883");
        assert_eq!(shown("mqtts://h"), "mqtts://h:8883");
        assert_eq!(shown("mqtts://[::1]"), "mqtts://[::1]:8883");
        assert_eq!(shown("mqtts://h:7"), "mqtts://h:7");
        assert_eq!(shown("unix:///run/x"), "unix:///run/x");
        assert_eq!(shown("h:0"), "nobody listens on port 0");
        assert!(shown("h:x").contains("is not a port"));
        let over_tls = |text| Target::over_tls(text).map(|target| target.to_string());
        assert_eq!(over_tls("h"), Ok("mqtts://h:8883".to_owned()));
        assert_eq!(over_tls("mqtt://h:1"), Ok("mqtts://h:1".to_owned()));
    }
}
