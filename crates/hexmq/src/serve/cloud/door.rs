//! Who may connect: devices by what is registered, everybody else by the users of the configuration.

use std::sync::Arc;

use hexmq_broker::{Answer, Namespace, Permit, Question, SessionKey};
use hexmq_device::SignIn;
use hexmq_node::{Authority, Decision};
use hexmq_platform::{Claimed, Cloud};
use hexmq_wire::{Connect, Version};

use super::terms;
use crate::serve::users::Users;

/// Asks the platform about devices, and the users about everybody else.
pub(crate) struct Doorkeeper {
    users: Arc<Users>,
    cloud: Arc<Cloud>,
}

/// A sign-in that outlives its packet.
struct Kept {
    client_identifier: String,
    user_name: Option<String>,
    password: Option<Vec<u8>>,
    level: u8,
    secure: bool,
    keep_alive_s: u16,
}

impl Doorkeeper {
    pub(crate) fn new(users: Arc<Users>, cloud: Arc<Cloud>) -> Doorkeeper {
        Doorkeeper { users, cloud }
    }

    /// The answer takes as long as the registry does.
    fn ask(&self, kept: Kept, number: u32, device: &str) -> Decision {
        let (cloud, claimed) = (Arc::clone(&self.cloud), Claimed { number, device: device.to_owned() });
        Decision::Later(Box::new(move || match cloud.admit(&kept.sign_in(), &claimed) {
            Ok(admitted) => {
                let terms = terms::terms(&admitted.product, admitted.admission);
                let permit = Permit { device: Some(Arc::new(terms)), ..Permit::default() };
                Answer::Admit { permit, data: None }
            }
            Err(refused) => Answer::Refuse(terms::refusal(refused.code)),
        }))
    }
}

impl Authority for Doorkeeper {
    fn claim(&self, connect: &Connect<'_>) -> Option<SessionKey> {
        let sign_in = SignIn {
            client_identifier: connect.client_identifier,
            user_name: connect.user_name,
            password: connect.password,
            level: level(connect.version),
            secure: false,
            keep_alive_s: connect.keep_alive_s,
        };
        match self.cloud.claim(&sign_in) {
            Some(Claimed { number, device }) => Some(SessionKey {
                namespace: Namespace::of_product(number, false),
                identifier: device.into_boxed_str(),
            }),
            None => hexmq_broker::claim(connect),
        }
    }

    fn decide(&self, question: &Question<'_>) -> Decision {
        let Question::WhoIs { key, client_identifier, user_name, password, version, keep_alive_s, peer } =
            *question
        else {
            return self.users.decide(question);
        };
        let sign_in = SignIn {
            client_identifier,
            user_name,
            password,
            level: level(version),
            secure: peer.secure,
            keep_alive_s,
        };
        if let Some(number) = key.namespace.product() {
            return self.ask(Kept::of(&sign_in), number, &key.identifier);
        }
        // A device with a mistake in its product must hear of it, not be let in as whatever connects from here.
        match self.cloud.stranger(&sign_in) {
            Some(code) if !user_name.is_some_and(|name| self.users.knows(name)) => {
                Decision::Now(Answer::Refuse(terms::refusal(code)))
            }
            _ => self.users.decide(question),
        }
    }
}

impl Kept {
    fn of(sign_in: &SignIn<'_>) -> Kept {
        Kept {
            client_identifier: sign_in.client_identifier.to_owned(),
            user_name: sign_in.user_name.map(str::to_owned),
            password: sign_in.password.map(<[u8]>::to_vec),
            level: sign_in.level,
            secure: sign_in.secure,
            keep_alive_s: sign_in.keep_alive_s,
        }
    }

    fn sign_in(&self) -> SignIn<'_> {
        SignIn {
            client_identifier: &self.client_identifier,
            user_name: self.user_name.as_deref(),
            password: self.password.as_deref(),
            level: self.level,
            secure: self.secure,
            keep_alive_s: self.keep_alive_s,
        }
    }
}

/// The protocol version as CONNECT has it.
fn level(version: Version) -> u8 {
    match version {
        Version::V3 => 3,
        Version::V4 => 4,
        Version::V5 => 5,
    }
}
