//! What a device of a cloud signs in with, computed from what is registered.

use hexmq_device::mac::HashName;
use hexmq_dialect_aliyun::sign as aliyun;
use hexmq_dialect_onenet::token;

/// How a device signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// Aliyun: the triple of ProductKey, DeviceName and DeviceSecret.
    Aliyun {
        /// ProductKey.
        product_key: String,
        /// DeviceName.
        device_name: String,
        /// DeviceSecret.
        secret: String,
        /// The part of the client identifier that is signed; `None`: `ProductKey.DeviceName`.
        client_id: Option<String>,
        /// Hash function of the signature.
        method: SignMethod,
        /// Signed too where it is given; any text.
        timestamp: Option<String>,
        /// 2: TLS, 3: plain TCP.
        secure_mode: u8,
    },
    /// OneNET, legacy access: the authentication information is the password.
    OneNet {
        /// Product id.
        product: String,
        /// Device id.
        device: String,
        /// Authentication information, or the product's API key.
        secret: String,
    },
    /// OneNET, access by token.
    OneNetToken {
        /// Product id.
        product: String,
        /// Device name.
        device: String,
        /// Access key of the device, in base64.
        key: String,
        /// When the token expires, in seconds since 1970.
        expiry: i64,
        /// Hash function of the signature.
        method: SignMethod,
    },
}

/// The hash function of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignMethod(HashName);

/// The three fields of a CONNECT that say who a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Client Identifier.
    pub client_identifier: String,
    /// User Name.
    pub user_name: String,
    /// Password.
    pub password: String,
}

impl SignMethod {
    /// HMAC-SHA1, what the vendors' libraries use by default.
    pub const SHA1: SignMethod = SignMethod(HashName::Sha1);

    /// The method with this name, `hmacsha1` as well as `sha1`, in either case.
    pub fn from_name(name: &str) -> Option<SignMethod> {
        aliyun::method_named(name).map(SignMethod)
    }
}

impl SignIn {
    /// What the device sends in its CONNECT.
    pub fn credentials(&self) -> Credentials {
        match self {
            SignIn::Aliyun {
                product_key,
                device_name,
                secret,
                client_id,
                method,
                timestamp,
                secure_mode,
            } => {
                let client_id = client_id.clone().unwrap_or_else(|| format!("{product_key}.{device_name}"));
                let timestamp = timestamp.as_deref();
                let content = aliyun::connect_content(&client_id, device_name, product_key, timestamp);
                let method_name = aliyun::method_name(method.0);
                let stamp = timestamp.map_or(String::new(), |timestamp| format!(",timestamp={timestamp}"));
                Credentials {
                    client_identifier: format!(
                        "{client_id}|securemode={secure_mode},signmethod={method_name}{stamp}|"
                    ),
                    user_name: format!("{device_name}&{product_key}"),
                    password: aliyun::sign(method.0, secret, &content),
                }
            }
            SignIn::OneNet { product, device, secret } => Credentials {
                client_identifier: device.clone(),
                user_name: product.clone(),
                password: secret.clone(),
            },
            SignIn::OneNetToken { product, device, key, expiry, method } => Credentials {
                client_identifier: device.clone(),
                user_name: product.clone(),
                password: token::sign(
                    key,
                    TOKEN_VERSION,
                    &format!("products/{product}/devices/{device}"),
                    *expiry,
                    method.0,
                ),
            },
        }
    }
}

/// The version of a token that connects a device.
const TOKEN_VERSION: &str = "2018-10-31";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_ins_of_the_vectors_are_computed() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../../tests/data/vectors.json")).expect("JSON");
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let mut checked = 0;
        for vector in vectors["aliyun_connect"].as_array().expect("a list") {
            let identifier = text(&vector["mqtt_client_id"]);
            let mode = identifier.split("securemode=").nth(1).and_then(|rest| rest.split([',', '|']).next());
            let sign_in = SignIn::Aliyun {
                product_key: text(&vector["product_key"]),
                device_name: text(&vector["device_name"]),
                secret: text(&vector["device_secret"]),
                client_id: Some(text(&vector["client_id_part"])),
                method: SignMethod::from_name(&text(&vector["signmethod"])).expect("a method"),
                timestamp: vector["timestamp"].as_str().map(str::to_owned),
                secure_mode: mode.and_then(|mode| mode.trim().parse().ok()).unwrap_or(3),
            };
            let credentials = sign_in.credentials();
            assert_eq!(credentials.password, vector["mqtt_password"], "{}", vector["id"]);
            assert_eq!(credentials.user_name, vector["mqtt_username"], "{}", vector["id"]);
            // Vendors' libraries put in keys of their own, which are not signed.
            let ours = credentials.client_identifier.trim_end_matches('|');
            if identifier.trim_end_matches('|') == ours {
                checked += 1;
            } else {
                assert!(identifier.contains("_v=") || identifier.contains("lan="), "{ours} for {identifier}");
            }
        }
        assert!(checked >= 4, "{checked}");
        let mut tokens = 0;
        for vector in vectors["onenet_tokens"]["accept"].as_array().expect("a list") {
            let parts: Vec<&str> = vector["res"].as_str().expect("text").split('/').collect();
            let ["products", product, "devices", device] = parts.as_slice() else { continue };
            if vector["version"] != TOKEN_VERSION {
                continue;
            }
            let sign_in = SignIn::OneNetToken {
                product: (*product).to_owned(),
                device: (*device).to_owned(),
                key: text(&vector["access_key_base64"]),
                expiry: vector["et"].as_i64().expect("a number"),
                method: SignMethod::from_name(&text(&vector["method"])).expect("a method"),
            };
            assert_eq!(sign_in.credentials().password, vector["token"], "{}", vector["id"]);
            tokens += 1;
        }
        assert!(tokens >= 3, "{tokens}");
    }
}
