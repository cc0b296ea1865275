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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{ConfigFile, Settings};

    fn users(text: &str) -> Users {
        let file = ConfigFile::parse(text, Path::new("x.toml")).expect("a file");
        let config = Config::resolve(Settings::default(), file).expect("a configuration");
        Users::new(&config).expect("users")
    }

    fn with_user(password: &[u8]) -> Users {
        let hash: PasswordHash = Argon2::default().hash_password(password).expect("a hash");
        users(&format!("[[user]]\nname = \"u\"\npassword_hash = \"{hash}\"\n"))
    }

    /// The answer, and whether it took long work.
    fn ask(
        users: &Users,
        user_name: Option<&str>,
        password: Option<&[u8]>,
        loopback: bool,
    ) -> (Answer, bool) {
        match users.who_is(user_name, password, loopback) {
            Decision::Now(answer) => (answer, false),
            Decision::Later(work) => (work(), true),
        }
    }

    const BAD: Answer = Answer::Refuse(Refusal::BadUserNameOrPassword);

    #[test]
    fn nobody_without_credentials_comes_from_outside() {
        for users in [users(""), with_user(b"x")] {
            assert_eq!(ask(&users, None, None, true), (admit(), false));
            let refused = Answer::Refuse(Refusal::AnonymousNotAllowed);
            assert_eq!(ask(&users, None, None, false), (refused, false));
        }
        assert_eq!(ask(&users("allow_anonymous = true"), None, None, false), (admit(), false));
    }

    #[test]
    fn without_users_credentials_count_as_none_where_none_are_needed() {
        let users = users("");
        assert_eq!(ask(&users, Some("u"), Some(b"p"), true), (admit(), false));
        assert_eq!(ask(&users, Some("u"), Some(b"p"), false).0, BAD);
    }

    #[test]
    fn a_right_password_is_remembered_and_a_wrong_one_costs_the_same_as_an_unknown_user() {
        let users = with_user(b"right");
        assert_eq!(ask(&users, Some("u"), Some(b"right"), false), (admit(), true));
        assert_eq!(ask(&users, Some("u"), Some(b"right"), false), (admit(), false));
        for (name, password) in [("u", Some(&b"wrong"[..])), ("u", None), ("v", Some(b"right")), ("", None)] {
            for _ in 0..2 {
                assert_eq!(ask(&users, Some(name), password, true), (BAD, true), "{name}");
            }
        }
    }

    #[test]
    fn another_hash_forgets_what_was_remembered() {
        let users = with_user(b"right");
        assert_eq!(ask(&users, Some("u"), Some(b"right"), true).0, admit());
        *users.table.write().expect("unpoisoned") =
            Arc::clone(&with_user(b"new").table.read().expect("unpoisoned"));
        assert_eq!(ask(&users, Some("u"), Some(b"right"), true), (BAD, true));
        assert_eq!(ask(&users, Some("u"), Some(b"new"), true).0, admit());
    }
}
