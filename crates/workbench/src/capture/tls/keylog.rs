//! Key logs as browsers and TLS libraries write them (SSLKEYLOGFILE, RFC 9850): a label, the Client
//! Random of the connection, and a secret per line.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Connections whose secrets are kept at most.
const CONNECTIONS_MAX: usize = 1 << 20;

/// The secrets of connections, by their Client Random.
#[derive(Clone, Default)]
pub struct KeyLog {
    connections: HashMap<[u8; 32], Secrets, FixedState>,
}

/// What is known of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    /// TLS 1.2: the master secret.
    pub(crate) master: Option<Box<[u8]>>,
    /// TLS 1.3: the first application traffic secret of client and server.
    pub(crate) traffic: [Option<Box<[u8]>>; 2],
}

/// A line that is none of a key log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLogError {
    /// Its number, from 1.
    pub line: usize,
}

impl std::fmt::Display for KeyLogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "line {} is none of a key log: a label, 64 hex digits and a secret in hex were expected",
            self.line
        )
    }
}

impl std::error::Error for KeyLogError {}

// Secrets do not belong into logs.
impl std::fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyLog({} connections)", self.connections.len())
    }
}

impl KeyLog {
    /// Takes in the lines of a key log. Comments, empty lines and labels that are not needed pass.
    ///
    /// # Errors
    /// The first line that does not have the form; the others are taken in all the same.
    pub fn read(&mut self, text: &[u8]) -> Result<(), KeyLogError> {
        let mut wrong = None;
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            if self.line(line.trim_ascii()).is_none() {
                wrong = wrong.or(Some(KeyLogError { line: index + 1 }));
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    /// Whether there is no secret in it.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        if line.is_empty() || line.starts_with(b"#") {
            return Some(());
        }
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (label, random, secret) = (words.next()?, hex(words.next()?)?, hex(words.next()?)?);
        if words.next().is_some() || secret.is_empty() || secret.len() > 64 {
            return None;
        }
        // Early forms name the connection by something else than the Client Random.
        let random: [u8; 32] = match random.try_into() {
            Ok(random) => random,
            Err(_) if label == b"RSA" || label == b"PMS_CLIENT_RANDOM" => return Some(()),
            Err(_) => return None,
        };
        let place = match label {
            b"CLIENT_RANDOM" => 2,
            b"CLIENT_TRAFFIC_SECRET_0" => 0,
            b"SERVER_TRAFFIC_SECRET_0" => 1,
            _ => return Some(()),
        };
        if self.connections.len() >= CONNECTIONS_MAX && !self.connections.contains_key(&random) {
            return Some(());
        }
        let secrets = self.connections.entry(random).or_default();
        let [client, server] = &mut secrets.traffic;
        *match place {
            0 => client,
            1 => server,
            _ => &mut secrets.master,
        } = Some(secret.into());
        Some(())
    }

    pub(crate) fn secrets(&self, client_random: &[u8; 32]) -> Option<&Secrets> {
        self.connections.get(client_random)
    }
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_kind_are_taken_or_named() {
        let random = "aB".repeat(32);
        let mut log = KeyLog::default();
        let text = format!(
            "# made by hand\r\n\nCLIENT_RANDOM {random} {}\nEXPORTER_SECRET {random} 00\n\
             SERVER_TRAFFIC_SECRET_0 {random} {}\nRSA 0102030405060708 00\n",
            "01".repeat(48),
            "02".repeat(32),
        );
        assert_eq!(log.read(text.as_bytes()), Ok(()));
        let secrets = log.secrets(&[0xAB; 32]).expect("known");
        assert_eq!(secrets.master.as_deref(), Some([1; 48].as_slice()));
        assert_eq!(secrets.traffic[1].as_deref(), Some([2; 32].as_slice()));
        assert!(secrets.traffic[0].is_none() && log.secrets(&[0; 32]).is_none());
        for wrong in ["CLIENT_RANDOM", "CLIENT_RANDOM 00 00", &format!("CLIENT_RANDOM {random} 0g")] {
            assert_eq!(log.read(format!("\n{wrong}").as_bytes()), Err(KeyLogError { line: 2 }), "{wrong}");
        }
    }
}
