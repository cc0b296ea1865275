//! Who may connect: the users of the configuration, the administrator, and clients without credentials.
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
    /// Of the password of the HTTP API, with which `admin` may also connect, unless a user has that name.
    admin: [u8; 32],
}

/// The administrator's User Name.
const ADMIN: &str = "admin";

struct Table {
    known: HashMap<Box<str>, Known>,
    allow_anonymous: bool,
}

/// A user of the configuration.
#[derive(Clone)]
struct Known {
    hash: Arc<PasswordHash>,
    permit: Permit,
}

struct Remembered {
    /// Random, so that what is remembered tells nobody anything.
    secret: [u8; 32],
    digests: Mutex<HashSet<[u8; 32]>>,
}

impl Users {
    pub(crate) fn new(config: &Config, admin_password: &str) -> Result<Users, Box<dyn std::error::Error>> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let nobody: PasswordHash = Argon2::default().hash_password(&secret)?;
        let remembered = Remembered { secret, digests: Mutex::default() };
        Ok(Users {
            table: RwLock::new(Arc::new(Table::new(config))),
            admin: remembered.digest(&[admin_password.as_bytes()]),
            remembered: Arc::new(remembered),
            nobody: Arc::new(nobody),
        })
    }

    /// Other users from now on; who is connected stays.
    pub(crate) fn replace(&self, config: &Config) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Table::new(config));
    }

    /// Whether somebody of this name is configured.
    pub(crate) fn knows(&self, user_name: &str) -> bool {
        self.table.read().unwrap_or_else(PoisonError::into_inner).known.contains_key(user_name)
    }

    fn who_is(&self, user_name: Option<&str>, password: Option<&[u8]>, loopback: bool) -> Decision {
        let table = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        let anonymous_allowed = loopback || table.allow_anonymous;
        let Some(user_name) = user_name else {
            return Decision::Now(match anonymous_allowed {
                true => admit(Permit::default()),
                false => Answer::Refuse(Refusal::AnonymousNotAllowed),
            });
        };
        let password = password.unwrap_or_default();
        let known = table.known.get(user_name).cloned();
        if known.is_none() && user_name == ADMIN && password.len() <= REMEMBERED_PASSWORD_MAX {
            // Digests are compared: their time tells nothing of the password.
            return Decision::Now(match self.remembered.digest(&[password]) == self.admin {
                true => admit(Permit { admin: true, ..Permit::default() }),
                false => Answer::Refuse(Refusal::BadUserNameOrPassword),
            });
        }
        // Without users there is nothing to compare with: credentials then count as none.
        if table.known.is_empty() && anonymous_allowed {
            return Decision::Now(admit(Permit::default()));
        }
        self.verify(user_name, password, known)
    }

    /// Verifies a password, unless the same one was verified before.
    fn verify(&self, user_name: &str, password: &[u8], known: Option<Known>) -> Decision {
        let digest = known.as_ref().filter(|_| password.len() <= REMEMBERED_PASSWORD_MAX).map(|known| {
            // With the hash: another password in the configuration forgets the old one.
            let hash = known.hash.to_string();
            self.remembered.digest(&[user_name.as_bytes(), password, hash.as_bytes()])
        });
        if let (Some(digest), Some(known)) = (&digest, &known)
            && self.remembered.contains(digest)
        {
            return Decision::Now(admit(known.permit.clone()));
        }
        let hash = Arc::clone(known.as_ref().map_or(&self.nobody, |known| &known.hash));
        let (password, remembered) = (password.to_vec(), Arc::clone(&self.remembered));
        Decision::Later(Box::new(move || {
            let right = Argon2::default().verify_password(&password, &*hash).is_ok();
            let Some(known) = known.filter(|_| right) else {
                return Answer::Refuse(Refusal::BadUserNameOrPassword);
            };
            if let Some(digest) = digest {
                remembered.insert(digest);
            }
            admit(known.permit)
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

fn admit(permit: Permit) -> Answer {
    Answer::Admit { permit, data: None }
}

impl Table {
    fn new(config: &Config) -> Table {
        let known = |user: &crate::config::User| {
            let grants = user.grants.iter().map(|grant| grant.as_str().into()).collect();
            let permit = Permit { admin: user.admin, grants, device: None };
            (user.name.as_str().into(), Known { hash: Arc::new(user.password_hash.clone()), permit })
        };
        Table { known: config.users.iter().map(known).collect(), allow_anonymous: config.allow_anonymous }
    }
}

impl Remembered {
    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut digest = Blake2s256::new();
        digest.update(self.secret);
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
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
        Users::new(&config, "s3cret").expect("users")
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

    fn admitted() -> Answer {
        admit(Permit::default())
    }

    const BAD: Answer = Answer::Refuse(Refusal::BadUserNameOrPassword);

    #[test]
    fn nobody_without_credentials_comes_from_outside() {
        for users in [users(""), with_user(b"x")] {
            assert_eq!(ask(&users, None, None, true), (admitted(), false));
            let refused = Answer::Refuse(Refusal::AnonymousNotAllowed);
            assert_eq!(ask(&users, None, None, false), (refused, false));
        }
        assert_eq!(ask(&users("allow_anonymous = true"), None, None, false), (admitted(), false));
    }

    #[test]
    fn without_users_credentials_count_as_none_where_none_are_needed() {
        let users = users("");
        assert_eq!(ask(&users, Some("u"), Some(b"p"), true), (admitted(), false));
        assert_eq!(ask(&users, Some("u"), Some(b"p"), false).0, BAD);
    }

    #[test]
    fn a_right_password_is_remembered_and_a_wrong_one_costs_the_same_as_an_unknown_user() {
        let users = with_user(b"right");
        assert_eq!(ask(&users, Some("u"), Some(b"right"), false), (admitted(), true));
        assert_eq!(ask(&users, Some("u"), Some(b"right"), false), (admitted(), false));
        for (name, password) in [("u", Some(&b"wrong"[..])), ("u", None), ("v", Some(b"right")), ("", None)] {
            for _ in 0..2 {
                assert_eq!(ask(&users, Some(name), password, true), (BAD, true), "{name}");
            }
        }
    }

    #[test]
    fn admin_comes_with_the_password_of_the_http_api() {
        for users in [users(""), with_user(b"x")] {
            let admin = admit(Permit { admin: true, ..Permit::default() });
            assert_eq!(ask(&users, Some("admin"), Some(b"s3cret"), false), (admin, false));
            for loopback in [false, true] {
                assert_eq!(ask(&users, Some("admin"), Some(b"s3creT"), loopback).0, BAD);
                assert_eq!(ask(&users, Some("admin"), None, loopback).0, BAD);
            }
        }
        let hash: PasswordHash = Argon2::default().hash_password(b"own").expect("a hash");
        let own = users(&format!("[[user]]\nname = \"admin\"\npassword_hash = \"{hash}\"\n"));
        assert_eq!(ask(&own, Some("admin"), Some(b"s3cret"), true).0, BAD, "the user of that name is meant");
        assert_eq!(ask(&own, Some("admin"), Some(b"own"), true).0, admitted());
    }

    #[test]
    fn a_user_may_be_granted_topics_of_the_server() {
        let hash: PasswordHash = Argon2::default().hash_password(b"p").expect("a hash");
        let user = format!("[[user]]\nname = \"u\"\npassword_hash = \"{hash}\"\n");
        let granted = users(&format!("{user}grants = [\"$hexmq/7/#\"]\n"));
        let Answer::Admit { permit, .. } = ask(&granted, Some("u"), Some(b"p"), false).0 else {
            panic!("refused")
        };
        assert!(permit.may_subscribe("$hexmq/7/raw/a") && !permit.may_subscribe("$hexmq/8/raw/a"));
        let admin = users(&format!("{user}admin = true\n"));
        let Answer::Admit { permit, .. } = ask(&admin, Some("u"), Some(b"p"), false).0 else {
            panic!("refused")
        };
        assert!(permit.may_subscribe("$hexmq/#"));
        let wrong =
            ConfigFile::parse(&format!("{user}grants = [\"a/#\"]\n"), Path::new("x.toml")).expect("a file");
        let error = Config::resolve(Settings::default(), wrong).expect_err("no topic of the server");
        assert!(error.to_string().contains("a/#"), "{error}");
    }

    #[test]
    fn another_hash_forgets_what_was_remembered() {
        let users = with_user(b"right");
        assert_eq!(ask(&users, Some("u"), Some(b"right"), true).0, admitted());
        *users.table.write().expect("unpoisoned") =
            Arc::clone(&with_user(b"new").table.read().expect("unpoisoned"));
        assert_eq!(ask(&users, Some("u"), Some(b"right"), true), (BAD, true));
        assert_eq!(ask(&users, Some("u"), Some(b"new"), true).0, admitted());
    }
}
