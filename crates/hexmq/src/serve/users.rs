//! Who may connect: the users of the configuration, and clients without credentials.
//!
//! A password is verified with argon2id on the node's deciding threads. A user nobody knows costs
//! the same time as a known one, so that time tells nothing. What was verified once is remembered
//! under a keyed hash, bounded, since fleets reconnect all at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use blake2::{Blake2s256, Digest};
use hexmq_broker::{Answer, Permit, Question, Refusal};
use hexmq_node::{Authority, Decision};

use crate::config::Config;

/// Verified credentials that are remembered.
const REMEMBERED_MAX: usize = 50_000;
/// Longer passwords are not remembered: hashing them belongs on the other threads too.
const REMEMBERED_PASSWORD_MAX: usize = 1024;

/// The users of a server.
pub(crate) struct Users {
    table: RwLock<Arc<Table>>,
    remembered: Arc<Remembered>,
    /// Verified in place of the hash a user nobody knows does not have.
    nobody: Arc<PasswordHash>,
}

struct Table {
    hashes: HashMap<Box<str>, Arc<PasswordHash>>,
    allow_anonymous: bool,
}

struct Remembered {
    /// Random, so that what is remembered tells nobody anything.
    secret: [u8; 32],
    digests: Mutex<HashSet<[u8; 32]>>,
}

impl Users {
    pub(crate) fn new(config: &Config) -> Result<Users, Box<dyn std::error::Error>> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let nobody: PasswordHash = Argon2::default().hash_password(&secret)?;
        Ok(Users {
            table: RwLock::new(Arc::new(Table::new(config))),
            remembered: Arc::new(Remembered { secret, digests: Mutex::default() }),
            nobody: Arc::new(nobody),
        })
    }

    /// Other users from now on; who is connected stays.
    pub(crate) fn replace(&self, config: &Config) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Table::new(config));
    }

    fn who_is(&self, user_name: Option<&str>, password: Option<&[u8]>, loopback: bool) -> Decision {
        let table = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        let anonymous_allowed = loopback || table.allow_anonymous;
        let Some(user_name) = user_name else {
            return Decision::Now(match anonymous_allowed {
                true => admit(),
                false => Answer::Refuse(Refusal::AnonymousNotAllowed),
            });
        };
        // Without users there is nothing to compare with: credentials then count as none.
        if table.hashes.is_empty() && anonymous_allowed {
            return Decision::Now(admit());
        }
        let password = password.unwrap_or_default();
        let known = table.hashes.get(user_name).map(Arc::clone);
        let digest = known.as_ref().and_then(|hash| self.remembered.digest(user_name, password, hash));
        if digest.is_some_and(|digest| self.remembered.contains(&digest)) {
            return Decision::Now(admit());
        }
        let hash = Arc::clone(known.as_ref().unwrap_or(&self.nobody));
        let (is_known, password, remembered) =
            (known.is_some(), password.to_vec(), Arc::clone(&self.remembered));
        Decision::Later(Box::new(move || {
            let right = Argon2::default().verify_password(&password, &*hash).is_ok();
            if !(right && is_known) {
                return Answer::Refuse(Refusal::BadUserNameOrPassword);
            }
            if let Some(digest) = digest {
                remembered.insert(digest);
            }
            admit()
        }))
    }
}

impl Authority for Users {
    fn decide(&self, question: &Question<'_>) -> Decision {
        match question {
            Question::WhoIs { user_name, password, peer, .. } => {
                self.who_is(*user_name, *password, peer.loopback)
            }
            // No method is known here. [V5 MQTT-4.12.0-1]
            Question::Authenticate { .. } => Decision::Now(Answer::Refuse(Refusal::BadAuthenticationMethod)),
        }
    }
}

fn admit() -> Answer {
    Answer::Admit { permit: Permit::default(), data: None }
}

impl Table {
    fn new(config: &Config) -> Table {
        let hash_of =
            |user: &crate::config::User| (user.name.as_str().into(), Arc::new(user.password_hash.clone()));
        Table { hashes: config.users.iter().map(hash_of).collect(), allow_anonymous: config.allow_anonymous }
    }
}

impl Remembered {
    /// Depends on the hash as well: another password in the configuration forgets the old one.
    fn digest(&self, user_name: &str, password: &[u8], hash: &PasswordHash) -> Option<[u8; 32]> {
        if password.len() > REMEMBERED_PASSWORD_MAX {
            return None;
        }
        let mut digest = Blake2s256::new();
        digest.update(self.secret);
        for part in [user_name.as_bytes(), password, hash.to_string().as_bytes()] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Some(digest.finalize().into())
    }

    fn contains(&self, digest: &[u8; 32]) -> bool {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    fn insert(&self, digest: [u8; 32]) {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        // Forgetting costs a verification, no more.
        if digests.len() >= REMEMBERED_MAX {
            digests.clear();
        }
        digests.insert(digest);
    }
}
