//! From the secrets of a key log to what opens records (RFC 5246, RFC 8446).

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384};

/// The hash of a cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aead {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

/// A cipher suite that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CipherSuite {
    aead: Aead,
    hash: Hash,
}

impl CipherSuite {
    /// The suite with this number. How the key was agreed on does not matter: the key log has it.
    pub(super) const fn from_code(code: u16) -> Option<CipherSuite> {
        let (aead, hash) = match code {
            0x1301 | 0x009C | 0x009E | 0x00A8 | 0x00AA | 0xC02B | 0xC02F | 0xD001 => {
                (Aead::Aes128Gcm, Hash::Sha256)
            }
            0x1302 | 0x009D | 0x009F | 0x00A9 | 0x00AB | 0xC02C | 0xC030 | 0xD002 => {
                (Aead::Aes256Gcm, Hash::Sha384)
            }
            0x1303 | 0xCCA8..=0xCCAE => (Aead::ChaCha20Poly1305, Hash::Sha256),
            _ => return None,
        };
        Some(CipherSuite { aead, hash })
    }

    const fn key_length(self) -> usize {
        match self.aead {
            Aead::Aes128Gcm => 16,
            Aead::Aes256Gcm | Aead::ChaCha20Poly1305 => 32,
        }
    }

    /// TLS 1.2: bytes of the nonce that come from the key; GCM sends the others with each record.
    const fn salt_length(self) -> usize {
        match self.aead {
            Aead::Aes128Gcm | Aead::Aes256Gcm => 4,
            Aead::ChaCha20Poly1305 => 12,
        }
    }
}

enum Cipher {
    Aes128(Box<Aes128Gcm>),
    Aes256(Box<Aes256Gcm>),
    ChaCha(Box<ChaCha20Poly1305>),
}

/// Opens the records of one direction.
pub(super) struct Opener {
    cipher: Cipher,
    nonce: [u8; 12],
    /// Bytes of the nonce in front of each record: 8 with GCM in TLS 1.2, else 0.
    explicit: usize,
}

impl Opener {
    fn new(suite: CipherSuite, key: &[u8], nonce: [u8; 12], explicit: usize) -> Option<Opener> {
        let cipher = match suite.aead {
            Aead::Aes128Gcm => Cipher::Aes128(Box::new(Aes128Gcm::new_from_slice(key).ok()?)),
            Aead::Aes256Gcm => Cipher::Aes256(Box::new(Aes256Gcm::new_from_slice(key).ok()?)),
            Aead::ChaCha20Poly1305 => Cipher::ChaCha(Box::new(ChaCha20Poly1305::new_from_slice(key).ok()?)),
        };
        Some(Opener { cipher, nonce, explicit })
    }

    /// TLS 1.3: from a traffic secret.
    pub(super) fn from_traffic_secret(suite: CipherSuite, secret: &[u8]) -> Option<Opener> {
        let mut key = [0; 32];
        let key = key.get_mut(..suite.key_length())?;
        expand_label(suite.hash, secret, "key", key)?;
        let mut nonce = [0; 12];
        expand_label(suite.hash, secret, "iv", &mut nonce)?;
        Opener::new(suite, key, nonce, 0)
    }

    /// TLS 1.2: client and server, from the master secret.
    pub(super) fn pair_from_master(
        suite: CipherSuite,
        master: &[u8],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
    ) -> Option<[Opener; 2]> {
        let (key, salt) = (suite.key_length(), suite.salt_length());
        let mut block = vec![0; 2 * (key + salt)];
        let seed = [b"key expansion".as_slice(), server_random, client_random].concat();
        expand_master(suite.hash, master, &seed, &mut block)?;
        let (client_key, rest) = block.split_at_checked(key)?;
        let (server_key, rest) = rest.split_at_checked(key)?;
        let (client_salt, server_salt) = rest.split_at_checked(salt)?;
        let opener = |key, salt: &[u8]| {
            let mut nonce = [0; 12];
            nonce.get_mut(..salt.len())?.copy_from_slice(salt);
            Opener::new(suite, key, nonce, if salt.len() == 4 { 8 } else { 0 })
        };
        Some([opener(client_key, client_salt)?, opener(server_key, server_salt)?])
    }

    /// Opens a record into `clear`. `associated` makes the associated data from the length of the
    /// clear text. `None`: it is not what was sealed with this key and number.
    pub(super) fn open(
        &self,
        sequence: u64,
        body: &[u8],
        associated: impl FnOnce(usize) -> [u8; 13],
        associated_skip: usize,
        clear: &mut Vec<u8>,
    ) -> Option<()> {
        const TAG: usize = 16;
        let (explicit, sealed) = body.split_at_checked(self.explicit)?;
        let length = sealed.len().checked_sub(TAG)?;
        let mut nonce = self.nonce;
        if explicit.is_empty() {
            let [_, _, _, _, counted @ ..] = &mut nonce;
            for (byte, number) in counted.iter_mut().zip(sequence.to_be_bytes()) {
                *byte ^= number;
            }
        } else {
            nonce.get_mut(4..)?.copy_from_slice(explicit);
        }
        clear.clear();
        clear.extend_from_slice(sealed);
        let associated = associated(length);
        let associated = associated.get(associated_skip..)?;
        match &self.cipher {
            Cipher::Aes128(cipher) => cipher.decrypt_in_place(&nonce.into(), associated, clear),
            Cipher::Aes256(cipher) => cipher.decrypt_in_place(&nonce.into(), associated, clear),
            Cipher::ChaCha(cipher) => cipher.decrypt_in_place(&nonce.into(), associated, clear),
        }
        .ok()
    }
}

/// TLS 1.3: the traffic secret after a KeyUpdate.
pub(super) fn next_traffic_secret(suite: CipherSuite, secret: &[u8]) -> Option<Box<[u8]>> {
    let mut next = vec![0; secret.len()];
    expand_label(suite.hash, secret, "traffic upd", &mut next)?;
    Some(next.into())
}

/// HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
fn expand_label(hash: Hash, secret: &[u8], label: &str, out: &mut [u8]) -> Option<()> {
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_length = u8::try_from(label.len() + 6).ok()?;
    let info = [&length[..], &[label_length], b"tls13 ", label.as_bytes(), &[0]].concat();
    match hash {
        Hash::Sha256 => Hkdf::<Sha256>::from_prk(secret).ok()?.expand(&info, out).ok(),
        Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret).ok()?.expand(&info, out).ok(),
    }
}

/// P_hash (RFC 5246, 5).
fn expand_master(hash: Hash, secret: &[u8], seed: &[u8], out: &mut [u8]) -> Option<()> {
    let mut link = keyed(hash, secret, &[seed])?;
    let mut rest = out;
    while !rest.is_empty() {
        let block = keyed(hash, secret, &[&link, seed])?;
        let taken = block.len().min(rest.len());
        let (part, behind) = rest.split_at_mut(taken);
        part.copy_from_slice(block.get(..taken)?);
        rest = behind;
        link = keyed(hash, secret, &[&link])?;
    }
    Some(())
}

fn keyed(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    fn of<M: Mac + hmac::KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
        let mut mac = <M as hmac::KeyInit>::new_from_slice(key).ok()?;
        for part in parts {
            mac.update(part);
        }
        Some(mac.finalize().into_bytes().to_vec())
    }
    match hash {
        Hash::Sha256 => of::<Hmac<Sha256>>(key, parts),
        Hash::Sha384 => of::<Hmac<Sha384>>(key, parts),
    }
}
