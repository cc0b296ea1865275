//! PEM files, block by block, so that what is wrong can be told with its line.

use std::fs;
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A file with PEM blocks.
#[derive(Debug)]
pub(crate) struct Pem {
    text: String,
    blocks: Vec<Block>,
}

/// One block of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Counted from 1.
    pub(crate) line: usize,
    /// What stands between `-----BEGIN ` and `-----`.
    pub(crate) label: String,
    /// Bytes of the text, from BEGIN to behind END.
    range: std::ops::Range<usize>,
}

const CERTIFICATE: &str = "CERTIFICATE";

impl Pem {
    /// Reads a file. The error is what is wrong with it, without its name.
    pub(crate) fn read(path: &Path) -> Result<Pem, String> {
        let bytes = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
        if bytes.first() == Some(&0x30) {
            return Err(
                "is DER, not PEM; turn it into PEM with `openssl x509 -inform der` (a certificate) or \
                        `openssl pkey -inform der` (a key)"
                    .to_owned(),
            );
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| format!("is not PEM: byte {} is no text", error.utf8_error().valid_up_to()))?;
        Pem::parse(text)
    }

    fn parse(text: String) -> Result<Pem, String> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open: Option<Block> = None;
        let mut start = 0;
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            let end = start + line.len();
            let marker = |kind: &str| line.trim().strip_prefix(kind)?.strip_suffix("-----");
            if let Some(label) = marker("-----BEGIN ") {
                if let Some(open) = open {
                    return Err(open.without_end());
                }
                open = Some(Block { line: number, label: label.to_owned(), range: start..end });
            } else if let Some(label) = marker("-----END ") {
                let Some(mut block) = open.take() else {
                    return Err(format!("line {number}: -----END {label}----- without its BEGIN"));
                };
                if block.label != label {
                    return Err(block.without_end());
                }
                block.range.end = end;
                blocks.push(block);
            }
            start = end;
        }
        match open {
            Some(open) => Err(open.without_end()),
            None => Ok(Pem { text, blocks }),
        }
    }

    fn text(&self, block: &Block) -> &[u8] {
        self.text.as_bytes().get(block.range.clone()).unwrap_or_default()
    }

    /// What there is, for messages.
    fn holds(&self) -> String {
        let labels: Vec<&str> = self.blocks.iter().map(|block| block.label.as_str()).collect();
        if labels.is_empty() { "no PEM block at all".to_owned() } else { labels.join(", ") }
    }

    /// The certificates and their blocks; at least one.
    pub(crate) fn certificates(&self) -> Result<Vec<(Block, CertificateDer<'static>)>, String> {
        let mut certificates = Vec::new();
        for (number, block) in (1..).zip(self.blocks.iter().filter(|block| block.label == CERTIFICATE)) {
            let certificate = CertificateDer::from_pem_slice(self.text(block)).map_err(|error| {
                format!("line {}: certificate {number} cannot be read: {error}", block.line)
            })?;
            certificates.push((block.clone(), certificate));
        }
        if certificates.is_empty() {
            let swapped = self.blocks.iter().any(|block| block.label.ends_with("PRIVATE KEY"));
            let hint = if swapped { "; perhaps certificate and key were swapped" } else { "" };
            return Err(format!(
                "no certificate in it (-----BEGIN CERTIFICATE-----); it holds {}{hint}",
                self.holds()
            ));
        }
        Ok(certificates)
    }

    /// The first private key and its block.
    pub(crate) fn private_key(&self) -> Result<(Block, PrivateKeyDer<'static>), String> {
        let Some(block) = self.blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")) else {
            return Err(format!(
                "no private key in it (-----BEGIN PRIVATE KEY-----); it holds {}",
                self.holds()
            ));
        };
        let text = self.text(block);
        let encrypted = block.label.contains("ENCRYPTED")
            || text.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"Proc-Type: 4,ENCRYPTED"));
        if encrypted {
            return Err(format!(
                "line {}: the private key is encrypted, and nobody is there to type its password; store it \
                 without one (`openssl pkey -in FILE -out KEY`) where only the server can read it",
                block.line
            ));
        }
        PrivateKeyDer::from_pem_slice(text).map(|key| (block.clone(), key)).map_err(|error| {
            format!("line {}: the private key ({}) cannot be read: {error}", block.line, block.label)
        })
    }
}

impl Block {
    fn without_end(&self) -> String {
        format!(
            "line {}: -----BEGIN {}----- has no END; the file is cut off or mixed up",
            self.line, self.label
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Pem {
        Pem::parse(text.to_owned()).expect("PEM")
    }

    #[test]
    fn blocks_have_lines_and_text_around_them_does_not_matter() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let pem = parsed(&format!("subject: us\n\n{certificate}\r\nwords\n{certificate}{key}"));
        let lines: Vec<usize> =
            pem.certificates().expect("two").iter().map(|(block, _)| block.line).collect();
        assert_eq!(lines[0], 3);
        assert_eq!(lines[1], 3 + certificate.lines().count() + 2);
        assert_eq!(pem.private_key().expect("a key").0.label, "PRIVATE KEY");
        let windows = parsed(&certificate.replace('\n', "\r\n"));
        assert_eq!(windows.certificates().expect("one").len(), 1);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let error = |text: &str| Pem::parse(text.to_owned()).expect_err("wrong");
        assert!(
            error("x\n-----BEGIN CERTIFICATE-----\nAAAA\n").starts_with("line 2: -----BEGIN CERTIFICATE")
        );
        assert!(error("-----END X-----\n").contains("without its BEGIN"));
        let broken = parsed("\n-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
        assert!(broken.certificates().expect_err("no base64").starts_with("line 2: certificate 1"));
        assert!(broken.private_key().expect_err("none").contains("it holds CERTIFICATE"));
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(parsed(locked).private_key().expect_err("locked").contains("openssl pkey"));
        assert!(parsed(locked).certificates().expect_err("none").contains("swapped"));
        assert!(parsed("").certificates().expect_err("none").contains("no PEM block at all"));
    }
}
