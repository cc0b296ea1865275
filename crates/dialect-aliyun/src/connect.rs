//! What a CONNECT says of a device.
//!
//! The client identifier is `{clientId}|name=value,name=value,…|`, the user name
//! `{deviceName}&{productKey}`, the password a signature. The extension reaches from the first to the
//! last `|`: one library puts more of them inside. Another puts line feeds and blanks around its
//! names, so white space there does not count.

use hexmq_device::Span;
use hexmq_device::mac::{HashName, from_hex};

use crate::sign::{connect_content, method_named, register_content, verify};

/// `name=value` in the extension of a client identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The name, without white space around it.
    pub name: &'a str,
    /// The value, without white space around it; empty where there is no `=`.
    pub value: &'a str,
    /// Where name, `=` and value stand.
    pub span: Span,
    /// Where the value stands; empty where there is none.
    pub value_span: Span,
}

/// A client identifier taken apart. Nothing is refused here: see [`Connect::faults`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentifier<'a> {
    /// All of it.
    pub text: &'a str,
    /// The part before the first `|`: it takes part in the signature.
    pub client_id: &'a str,
    /// From the first `|` to the last, both included; `None` if there is no `|`.
    pub extension: Option<Span>,
    /// Whether the last `|` is missing: there is just one.
    pub is_open: bool,
    /// What stands behind the last `|`.
    pub surplus: Span,
    /// What the extension says.
    pub parameters: Vec<Parameter<'a>>,
}

impl<'a> ClientIdentifier<'a> {
    /// Takes a client identifier apart.
    pub fn parse(text: &'a str) -> ClientIdentifier<'a> {
        let Some(first) = text.find('|') else {
            let surplus = Span::new(text.len(), 0);
            return ClientIdentifier {
                text,
                client_id: text,
                extension: None,
                is_open: false,
                surplus,
                parameters: Vec::new(),
            };
        };
        let last = text.rfind('|').unwrap_or(first);
        let is_open = last == first;
        let (inside, end) =
            if is_open { (first + 1..text.len(), text.len()) } else { (first + 1..last, last + 1) };
        let from = inside.start;
        ClientIdentifier {
            text,
            client_id: text.get(..first).unwrap_or_default(),
            extension: Some(Span::between(first, end)),
            is_open,
            surplus: Span::between(end, text.len()),
            parameters: parameters(text.get(inside).unwrap_or_default(), from),
        }
    }

    /// The first parameter of this name, in any letter case.
    pub fn parameter(&self, name: &str) -> Option<&Parameter<'a>> {
        self.parameters.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
    }

    /// The value of the first parameter of this name.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.parameter(name).map(|parameter| parameter.value)
    }

    /// Whether the platform subscribes the system topics for the device: `_ss=1`.
    pub fn wants_subscriptions(&self) -> bool {
        self.value("_ss") == Some("1")
    }
}

fn parameters(inside: &str, mut offset: usize) -> Vec<Parameter<'_>> {
    let mut parameters = Vec::new();
    for pair in inside.split(',') {
        let start = offset;
        offset += pair.len() + 1;
        let bare = pair.trim();
        if bare.is_empty() {
            continue;
        }
        let start = start + pair.len() - pair.trim_start().len();
        let (name, value) = bare.split_once('=').unwrap_or((bare, ""));
        let value_start = start + bare.len() - value.trim_start().len();
        let value = value.trim();
        parameters.push(Parameter {
            name: name.trim(),
            value,
            span: Span::new(start, bare.len()),
            value_span: Span::new(value_start, value.len()),
        });
    }
    parameters
}

/// `{deviceName}&{productKey}`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserName<'a> {
    /// Before the `&`.
    pub device_name: &'a str,
    /// Behind it.
    pub product_key: &'a str,
}

impl<'a> UserName<'a> {
    /// Both names; `None` unless there are two with one `&` in between.
    pub fn parse(text: &'a str) -> Option<UserName<'a>> {
        let (device_name, product_key) = text.split_once('&')?;
        let whole = !device_name.is_empty() && !product_key.is_empty() && !product_key.contains('&');
        whole.then_some(UserName { device_name, product_key })
    }
}

/// How a client signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignIn {
    /// With the signature of its own secret.
    Secret,
    /// With that of its product's secret, to be told its own (`authType=register`).
    Register,
    /// The same for a device nobody has registered (`authType=regnwl`).
    RegisterUnlisted,
    /// With the token it was given then (`authType=connwl`).
    Token,
}

/// What a CONNECT says, as far as it can be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The client identifier.
    pub client_identifier: ClientIdentifier<'a>,
    /// The user name; `None` if it is not of the form.
    pub user_name: Option<UserName<'a>>,
    /// The password as text; `None` if there is none or it is not UTF-8.
    pub password: Option<&'a str>,
}

/// A broken rule of the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectFault {
    /// Which rule.
    pub rule: ConnectRule,
    /// In which field.
    pub place: Place,
    /// Where in the text of that field; empty where something is missing.
    pub span: Span,
}

/// The fields that the dialect fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The client identifier.
    ClientIdentifier,
    /// The user name.
    UserName,
    /// The password.
    Password,
}

/// The rules of the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectRule {
    /// The extension is between two `|`.
    ExtensionOpen,
    /// Nothing stands behind the last `|`.
    ExtensionSurplus,
    /// Every parameter has a name, `=` and a value.
    Parameter,
    /// `signmethod` is hmacmd5, hmacsha1 or hmacsha256.
    SignMethod,
    /// `timestamp` is digits.
    Timestamp,
    /// A registration has a `random`.
    Random,
    /// The user name is `{deviceName}&{productKey}`.
    UserName,
    /// There is a password.
    PasswordMissing,
    /// The password is hexadecimal.
    PasswordHex,
    /// The password is as long as the sign method makes it.
    PasswordLength,
}

impl ConnectRule {
    /// The stable name in snake_case.
    pub const fn name(self) -> &'static str {
        match self {
            ConnectRule::ExtensionOpen => "client_id_not_closed",
            ConnectRule::ExtensionSurplus => "client_id_surplus",
            ConnectRule::Parameter => "client_id_parameter",
            ConnectRule::SignMethod => "sign_method",
            ConnectRule::Timestamp => "timestamp",
            ConnectRule::Random => "random_missing",
            ConnectRule::UserName => "user_name_form",
            ConnectRule::PasswordMissing => "password_missing",
            ConnectRule::PasswordHex => "password_not_hex",
            ConnectRule::PasswordLength => "password_length",
        }
    }
}

/// A known way to make a wrong signature from the right secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// Another hash function than `signmethod` names.
    OtherMethod(HashName),
    /// The timestamp of the extension was not signed.
    TimestampLeftOut,
    /// The whole client identifier was signed, extension and all.
    WholeClientIdentifier,
    /// Device name and product key were signed in each other's place.
    NamesSwapped,
    /// The secret was used in other letter case.
    SecretCase,
    /// Blanks or line ends around the secret were signed with.
    SecretBlanks,
}

impl<'a> Connect<'a> {
    /// What these fields say.
    pub fn read(client_identifier: &'a str, user_name: Option<&'a str>, password: Option<&'a [u8]>) -> Self {
        Connect {
            client_identifier: ClientIdentifier::parse(client_identifier),
            user_name: user_name.and_then(UserName::parse),
            password: password.and_then(|password| std::str::from_utf8(password).ok()),
        }
    }

    /// Whether the client identifier is meant for this platform: it says something that only this
    /// platform asks for. It is a guess for whoever reads the bytes without knowing the product.
    pub fn is_meant(client_identifier: &str) -> bool {
        let lower = client_identifier.to_ascii_lowercase();
        ["securemode=", "signmethod=", "authtype="].iter().any(|name| lower.contains(name))
    }

    /// How the client signs in.
    pub fn sign_in(&self) -> SignIn {
        match self.client_identifier.value("authType") {
            Some("register") => SignIn::Register,
            Some("regnwl") => SignIn::RegisterUnlisted,
            Some("connwl") => SignIn::Token,
            _ => SignIn::Secret,
        }
    }

    /// The hash function; `None` if the extension names an unknown one. HMAC-MD5 if it names none.
    pub fn method(&self) -> Option<HashName> {
        self.client_identifier.value("signmethod").map_or(Some(HashName::Md5), method_named)
    }

    /// What is signed; `None` for a token, which is no signature, and without the names.
    pub fn content(&self) -> Option<String> {
        let UserName { device_name, product_key } = self.user_name?;
        let client = &self.client_identifier;
        match self.sign_in() {
            SignIn::Secret => {
                Some(connect_content(client.client_id, device_name, product_key, client.value("timestamp")))
            }
            SignIn::Register | SignIn::RegisterUnlisted => {
                Some(register_content(device_name, product_key, client.value("random")?))
            }
            SignIn::Token => None,
        }
    }

    /// Whether the password is the signature under `secret`: the device's, or the product's for a
    /// registration. `None` where nothing is signed or the signature cannot be computed.
    pub fn is_signed_with(&self, secret: &str) -> Option<bool> {
        Some(verify(self.method()?, secret, &self.content()?, self.password?))
    }

    /// What was done differently to get this password with this secret; `None` if it is right, or if
    /// nothing that is known to happen explains it.
    pub fn slip(&self, secret: &str) -> Option<Slip> {
        let (content, password) = (self.content()?, self.password?);
        let fits = |hash, secret: &str, content: &str| verify(hash, secret, content, password);
        let hash = self.method().or_else(|| HashName::of_length(password.len() / 2))?;
        if self.method().is_some() && fits(hash, secret, &content) {
            return None;
        }
        if let Some(other) = HashName::ALL.into_iter().find(|&other| fits(other, secret, &content)) {
            return Some(Slip::OtherMethod(other));
        }
        let UserName { device_name, product_key } = self.user_name?;
        let client = &self.client_identifier;
        let timestamp = client.value("timestamp");
        if self.sign_in() == SignIn::Secret {
            let id = client.client_id;
            for (slip, content) in [
                (Slip::TimestampLeftOut, connect_content(id, device_name, product_key, None)),
                (
                    Slip::WholeClientIdentifier,
                    connect_content(client.text, device_name, product_key, timestamp),
                ),
                (Slip::NamesSwapped, connect_content(id, product_key, device_name, timestamp)),
            ] {
                if fits(hash, secret, &content) {
                    return Some(slip);
                }
            }
        }
        for other in [secret.to_lowercase(), secret.to_uppercase()] {
            if fits(hash, &other, &content) {
                return Some(Slip::SecretCase);
            }
        }
        let around =
            [format!("{secret}\n"), format!("{secret}\r\n"), format!("{secret} "), format!(" {secret}")];
        let blanks = around.iter().map(String::as_str).chain([secret.trim()]);
        blanks.into_iter().any(|other| fits(hash, other, &content)).then_some(Slip::SecretBlanks)
    }

    /// Every rule of the form that is broken, in the order of the fields.
    pub fn faults(&self) -> Vec<ConnectFault> {
        let mut faults = Vec::new();
        self.client_identifier_faults(&mut faults);
        if self.user_name.is_none() {
            faults.push(fault(ConnectRule::UserName, Place::UserName, Span::default()));
        }
        self.password_fault(&mut faults);
        faults
    }

    fn client_identifier_faults(&self, faults: &mut Vec<ConnectFault>) {
        let client = &self.client_identifier;
        let mut found = |rule, span| faults.push(fault(rule, Place::ClientIdentifier, span));
        match client.extension {
            Some(extension) if client.is_open => {
                found(ConnectRule::ExtensionOpen, Span::new(extension.end(), 0))
            }
            None => found(ConnectRule::ExtensionOpen, Span::new(0, client.client_id.len())),
            Some(_) => {}
        }
        for parameter in &client.parameters {
            let is = |name| parameter.name.eq_ignore_ascii_case(name);
            if parameter.name.is_empty() || parameter.value.is_empty() {
                found(ConnectRule::Parameter, parameter.span);
            } else if is("signmethod") && method_named(parameter.value).is_none() {
                found(ConnectRule::SignMethod, parameter.value_span);
            } else if is("timestamp") && !parameter.value.bytes().all(|byte| byte.is_ascii_digit()) {
                found(ConnectRule::Timestamp, parameter.value_span);
            }
        }
        if client.surplus.length > 0 {
            found(ConnectRule::ExtensionSurplus, client.surplus);
        }
        let registers = matches!(self.sign_in(), SignIn::Register | SignIn::RegisterUnlisted);
        if let Some(extension) = client.extension.filter(|_| registers && client.value("random").is_none()) {
            found(ConnectRule::Random, extension);
        }
    }

    fn password_fault(&self, faults: &mut Vec<ConnectFault>) {
        let Some(password) = self.password.filter(|password| !password.is_empty()) else {
            return faults.push(fault(ConnectRule::PasswordMissing, Place::Password, Span::default()));
        };
        let span = Span::new(0, password.len());
        if self.sign_in() == SignIn::Token {
            return;
        }
        let digits = password.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits < password.len() {
            let span = Span::new(digits, 1);
            return faults.push(fault(ConnectRule::PasswordHex, Place::Password, span));
        }
        let length = from_hex(password.as_bytes()).map_or(0, |mac| mac.len());
        if self.method().is_some_and(|method| method.length() != length) {
            faults.push(fault(ConnectRule::PasswordLength, Place::Password, span));
        }
    }
}

const fn fault(rule: ConnectRule, place: Place, span: Span) -> ConnectFault {
    ConnectFault { rule, place, span }
}
