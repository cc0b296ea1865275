//! Certificates made for one test, and their files.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// An authority, a server it vouches for, a client it vouches for, and a folder for their files.
pub(crate) struct House {
    folder: PathBuf,
    authority: Issuer<'static, KeyPair>,
    pub(crate) authority_der: CertificateDer<'static>,
}

/// A certificate and its key.
pub(crate) struct Pair {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: KeyPair,
}

impl Pair {
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key")
    }

    fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64(der).as_bytes().chunks(64) {
        writeln!(text, "{}", String::from_utf8_lossy(line)).expect("written");
    }
    text + &format!("-----END {label}-----\n")
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let whole = three.iter().chain(&[0; 2]).take(3).fold(0, |whole, &byte| whole << 8 | u32::from(byte));
        for n in 0..4 {
            let letter = LETTERS[(whole >> (18 - 6 * n) & 63) as usize];
            text.push(if n > three.len() { '=' } else { letter.into() });
        }
    }
    text
}

impl House {
    pub(crate) fn new() -> House {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("house-{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let authority_der = params.self_signed(&key).expect("an authority").der().clone();
        let house = House { folder, authority: Issuer::new(params, key), authority_der };
        house.file("ca.pem", &pem("CERTIFICATE", &house.authority_der));
        house.write("server", &house.signed("server", 2020, 2090));
        house
    }

    /// A certificate for this machine with this name, from the begin of one year to that of another.
    pub(crate) fn signed(&self, name: &str, from: i32, until: i32) -> Pair {
        let mut params =
            CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.authority).expect("signed").der().clone();
        Pair { certificate, key }
    }

    /// Writes `NAME.pem` and `NAME.key`.
    pub(crate) fn write(&self, name: &str, pair: &Pair) {
        self.file(&format!("{name}.pem"), &pair.pem());
        self.file(&format!("{name}.key"), &pair.key.serialize_pem());
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.folder.join(name), text).expect("written");
        self.path(name)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().expect("text").to_owned()
    }

    /// Flags for the server's certificate.
    pub(crate) fn flags(&self) -> Vec<String> {
        vec!["--tls-cert".into(), self.path("server.pem"), "--tls-key".into(), self.path("server.key")]
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
