//! Tokens: `version=2018-10-31&res=products%2F1%2Fdevices%2Fd&et=1893456000&method=sha1&sign=…`
//!
//! The sign is the base64 of an HMAC, keyed with the decoded access key, over the values of `et`,
//! `method`, `res` and `version` in this order with line feeds in between.
//!
//! Tokens made by hand leave out some escapes; that is let pass. A `+` is a `+`, never a blank.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hexmq_device::Span;
use hexmq_device::mac::HashName;
use hexmq_device::percent::decoded;

/// The version of tokens of devices and products.
pub const VERSION: &str = "2018-10-31";

/// Standard base64 that forgives missing padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One `name=value` of a token, right or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The name as it is written.
    pub name: &'a str,
    /// The value without its escapes; as it is written where an escape is wrong.
    pub value: Cow<'a, str>,
    /// Where the name stands.
    pub name_span: Span,
    /// Where the value stands, escapes and all.
    pub value_span: Span,
    /// Whether a `%` is followed by something else than two hexadecimal digits, or by bytes that
    /// are not UTF-8.
    pub escape_is_wrong: bool,
}

/// The parameters of a text, split at `&` and at the first `=`.
pub fn parameters(text: &str) -> impl Iterator<Item = Parameter<'_>> {
    let mut offset = 0;
    text.split('&').map(move |pair| {
        let start = offset;
        offset += pair.len() + 1;
        let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(raw);
        let value_offset = start + pair.len() - raw.len();
        Parameter {
            name,
            escape_is_wrong: value.is_none(),
            value: value.unwrap_or(Cow::Borrowed(raw)),
            name_span: Span::new(start, name.len()),
            value_span: Span::new(value_offset, raw.len()),
        }
    })
}

/// The escapes of the vendor's table.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '+' | ' ' | '/' | '?' | '%' | '#' | '&' | '=' => escaped += &format!("%{:02X}", u32::from(c)),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Whether `text` is meant as a token: it has the names of one.
pub fn is_meant(text: &str) -> bool {
    let names = ["version", "res", "et", "method", "sign"];
    let found = names.iter().filter(|name| parameters(text).any(|parameter| parameter.name == **name));
    found.count() >= 3
}

/// A token whose parameters are all there and can be read. That says nothing about its sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// `2018-10-31` for devices and products.
    pub version: Cow<'a, str>,
    /// What it gives access to, without escapes.
    pub resource: Cow<'a, str>,
    /// When it expires, in Unix seconds.
    pub expiry: i64,
    /// The hash function.
    pub method: HashName,
    /// The HMAC.
    pub sign: Vec<u8>,
    /// `et` and `method` as they are written: so they are signed.
    signed_expiry: Cow<'a, str>,
    signed_method: Cow<'a, str>,
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenError {
    /// Which rule.
    pub rule: TokenRule,
    /// The parameter.
    pub parameter: &'static str,
    /// Where in the text; empty where something is missing.
    pub span: Span,
}

/// The rules of a token's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenRule {
    /// Every parameter is there.
    Missing,
    /// `%` is followed by two hexadecimal digits.
    Escape,
    /// `et` is a number of seconds.
    Expiry,
    /// `method` is md5, sha1 or sha256.
    Method,
    /// `sign` is base64.
    Sign,
}

impl TokenRule {
    /// The stable name in snake_case.
    pub const fn name(self) -> &'static str {
        match self {
            TokenRule::Missing => "token_missing",
            TokenRule::Escape => "token_escape",
            TokenRule::Expiry => "token_expiry",
            TokenRule::Method => "token_method",
            TokenRule::Sign => "token_sign",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.rule {
            TokenRule::Missing => "is missing",
            TokenRule::Escape => "has a % without two hexadecimal digits behind it",
            TokenRule::Expiry => "is no number of seconds",
            TokenRule::Method => "is none of md5, sha1 and sha256",
            TokenRule::Sign => "is not base64",
        };
        write!(f, "byte {}: {} {what}", self.span.offset, self.parameter)
    }
}

impl std::error::Error for TokenError {}

/// What a token gives access to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// `products/{product}/devices/{device}`
    Device {
        /// Product id.
        product: &'a str,
        /// Device name.
        device: &'a str,
    },
    /// `products/{product}`
    Product {
        /// Product id.
        product: &'a str,
    },
    /// `userid/{user}`
    User {
        /// User id.
        user: &'a str,
    },
}

/// Why a token does not let a device in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It expired before now.
    Expired,
    /// It is for something else than this device or its product.
    Resource,
    /// No key fits the sign.
    Sign,
}

impl<'a> Token<'a> {
    /// Reads a token.
    pub fn parse(text: &'a str) -> Result<Token<'a>, TokenError> {
        let find = |name: &'static str| {
            let missing =
                TokenError { rule: TokenRule::Missing, parameter: name, span: Span::new(text.len(), 0) };
            let found = parameters(text).find(|parameter| parameter.name == name).ok_or(missing)?;
            let wrong = TokenError { rule: TokenRule::Escape, parameter: name, span: found.value_span };
            if found.escape_is_wrong { Err(wrong) } else { Ok((found.value, found.value_span)) }
        };
        let (version, _) = find("version")?;
        let (resource, _) = find("res")?;
        let (signed_expiry, span) = find("et")?;
        let wrong = TokenError { rule: TokenRule::Expiry, parameter: "et", span };
        let digits = signed_expiry.bytes().all(|byte| byte.is_ascii_digit());
        let expiry = signed_expiry.parse().ok().filter(|_| digits).ok_or(wrong)?;
        let (signed_method, span) = find("method")?;
        let wrong = TokenError { rule: TokenRule::Method, parameter: "method", span };
        let method = method_named(&signed_method).ok_or(wrong)?;
        let (sign, span) = find("sign")?;
        let wrong = TokenError { rule: TokenRule::Sign, parameter: "sign", span };
        let sign = BASE64.decode(sign.as_bytes()).map_err(|_| wrong)?;
        Ok(Token { version, resource, expiry, method, sign, signed_expiry, signed_method })
    }

    /// The text that is signed.
    pub fn string_to_sign(&self) -> String {
        string_to_sign(&self.signed_expiry, &self.signed_method, &self.resource, &self.version)
    }

    /// Whether the sign was made with this access key.
    pub fn is_signed_with(&self, access_key: &str) -> bool {
        let (key, _) = key_bytes(access_key);
        self.method.verify(&key, self.string_to_sign().as_bytes(), &self.sign)
    }

    /// What it is for; `None` for a resource of another form.
    pub fn resource(&self) -> Option<Resource<'_>> {
        resource(&self.resource)
    }

    /// Whether it lets `device` of `product` in at `now` (Unix seconds), signed with any of `keys`:
    /// the device's and the product's. The vendor gives both keys out for either resource.
    pub fn admits(&self, product: &str, device: &str, keys: &[&str], now: i64) -> Result<(), Denied> {
        let fits = match self.resource() {
            Some(Resource::Device { product: of, device: named }) => of == product && named == device,
            Some(Resource::Product { product: of }) => of == product,
            Some(Resource::User { .. }) | None => false,
        };
        if !fits {
            Err(Denied::Resource)
        } else if self.expiry < now {
            Err(Denied::Expired)
        } else if keys.iter().any(|key| self.is_signed_with(key)) {
            Ok(())
        } else {
            Err(Denied::Sign)
        }
    }

    /// What was done differently to get this sign with this access key; `None` if it is signed as
    /// it should be, or if nothing that is known to happen explains it.
    pub fn slip(&self, access_key: &str) -> Option<Slip> {
        if self.is_signed_with(access_key) {
            return None;
        }
        let (key, _) = key_bytes(access_key);
        let fits =
            |hash: HashName, key: &[u8], message: &str| hash.verify(key, message.as_bytes(), &self.sign);
        let right = self.string_to_sign();
        if fits(self.method, access_key.as_bytes(), &right) {
            return Some(Slip::KeyNotDecoded);
        }
        if let Some(hash) = HashName::ALL.into_iter().find(|&hash| fits(hash, &key, &right)) {
            return Some(Slip::OtherMethod(hash));
        }
        let (et, method, resource) = (&self.signed_expiry, &self.signed_method, &self.resource);
        if fits(self.method, &key, &string_to_sign(et, method, &escaped(resource), &self.version)) {
            return Some(Slip::ResourceEscaped);
        }
        if fits(self.method, &key, &format!("{right}\n")) {
            return Some(Slip::LineFeedAtEnd);
        }
        let by_names = format!("{et}{method}{resource}{}", self.version);
        fits(self.method, &key, &by_names).then_some(Slip::NoLineFeeds)
    }
}

/// A known way to make a wrong sign from the right key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// The key's text was used instead of the bytes it stands for in base64.
    KeyNotDecoded,
    /// Another hash function than the token names.
    OtherMethod(HashName),
    /// The resource was signed with its escapes.
    ResourceEscaped,
    /// A line feed behind the last value was signed too.
    LineFeedAtEnd,
    /// The line feeds between the values were left out.
    NoLineFeeds,
}

/// The token for a resource, signed with `access_key`, escaped as the vendor does.
pub fn sign(access_key: &str, version: &str, resource: &str, expiry: i64, method: HashName) -> String {
    let (key, _) = key_bytes(access_key);
    let message = string_to_sign(&expiry.to_string(), method.name(), resource, version);
    let sign = BASE64.encode(method.hmac(&key, message.as_bytes()));
    let (version, resource, sign) = (escaped(version), escaped(resource), escaped(&sign));
    format!("version={version}&res={resource}&et={expiry}&method={}&sign={sign}", method.name())
}

fn string_to_sign(expiry: &str, method: &str, resource: &str, version: &str) -> String {
    format!("{expiry}\n{method}\n{resource}\n{version}")
}

/// Bytes in base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The bytes of an access key, and whether it is base64 as it should be. One that is not is taken
/// as it is.
pub fn key_bytes(access_key: &str) -> (Vec<u8>, bool) {
    match BASE64.decode(access_key) {
        Ok(key) => (key, true),
        Err(_) => (access_key.as_bytes().to_vec(), false),
    }
}

fn method_named(name: &str) -> Option<HashName> {
    HashName::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))
}

fn resource(text: &str) -> Option<Resource<'_>> {
    let mut parts = text.split('/');
    let found = match (parts.next()?, parts.next()?, parts.next(), parts.next()) {
        ("products", product, None, None) => Resource::Product { product },
        ("products", product, Some("devices"), Some(device)) => Resource::Device { product, device },
        ("userid", user, None, None) => Resource::User { user },
        _ => return None,
    };
    parts.next().is_none().then_some(found)
}
