//! The two messages of a handshake that travel in the clear: ClientHello and ServerHello.

/// The version number of TLS 1.2.
pub(super) const TLS_1_2: u16 = 0x0303;
/// The version number of TLS 1.3.
pub(super) const TLS_1_3: u16 = 0x0304;

/// What a ClientHello tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub(super) random: [u8; 32],
    pub(super) server_name: Option<Box<str>>,
}

/// What a ServerHello tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) random: [u8; 32],
    pub(super) version: u16,
    pub(super) cipher_suite: u16,
}

/// Reads from the front of bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Bytes behind a length of one byte or two.
    fn short(&mut self) -> Option<&'a [u8]> {
        let [length] = self.array()?;
        self.take(usize::from(length))
    }

    fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}

/// The value of an extension.
fn extension(extensions: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut reader = Reader(extensions);
    loop {
        let (kind, value) = (reader.u16()?, reader.long()?);
        if kind == wanted {
            return Some(value);
        }
    }
}

/// Reads the body of a ClientHello.
pub(super) fn client_hello(body: &[u8]) -> Option<ClientHello> {
    let mut reader = Reader(body);
    let (_version, random) = (reader.u16()?, reader.array()?);
    let (_session, _suites, _compression) = (reader.short()?, reader.long()?, reader.short()?);
    let server_name = reader.long().and_then(|extensions| server_name(extension(extensions, 0)?));
    Some(ClientHello { random, server_name })
}

fn server_name(value: &[u8]) -> Option<Box<str>> {
    let mut list = Reader(Reader(value).long()?);
    let [kind] = list.array()?;
    let name = std::str::from_utf8(list.long()?).ok()?;
    let shown = kind == 0 && name.len() <= 255 && !name.chars().any(char::is_control);
    shown.then(|| name.into())
}

/// Reads the body of a ServerHello. `None` too for a HelloRetryRequest: the real one comes later.
pub(super) fn server_hello(body: &[u8]) -> Option<ServerHello> {
    const RETRY: [u8; 4] = [0xCF, 0x21, 0xAD, 0x74];
    let mut reader = Reader(body);
    let (legacy, random): (u16, [u8; 32]) = (reader.u16()?, reader.array()?);
    if random.starts_with(&RETRY) {
        return None;
    }
    let (_session, cipher_suite, [_compression]) = (reader.short()?, reader.u16()?, reader.array()?);
    let chosen = reader.long().and_then(|extensions| Reader(extension(extensions, 43)?).u16());
    Some(ServerHello { random, version: chosen.unwrap_or(legacy), cipher_suite })
}
