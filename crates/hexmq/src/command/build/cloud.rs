//! The sign-in of a cloud and its payloads from the command line.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use hexmq_workbench::build::{SignIn, SignMethod, alink, alink_topic, dp};
use serde_json::Value;

use super::wrong;
use crate::command::client::Trouble;

/// Seconds until a token expires if nothing else is asked for: a year.
const TOKEN_LIFE_S: i64 = 365 * 24 * 3600;

#[derive(Debug, Args)]
pub(super) struct CloudArgs {
    /// Sign in to Aliyun as a device of this ProductKey, with --device and --secret
    #[arg(long, value_name = "PRODUCT_KEY", group = "cloud", requires_all = ["device", "secret"])]
    aliyun_product: Option<String>,
    /// Sign in to OneNET (legacy access) as a device of this product, with --device and --secret
    #[arg(long, value_name = "PRODUCT", group = "cloud", requires_all = ["device", "secret"])]
    onenet: Option<String>,
    /// Sign in to OneNET by token as a device of this product, with --device and --key
    #[arg(long, value_name = "PRODUCT", group = "cloud", requires_all = ["device", "key"])]
    onenet_token: Option<String>,
    /// DeviceName, device id
    #[arg(long, value_name = "DEVICE", requires = "cloud")]
    device: Option<String>,
    /// DeviceSecret, authentication information
    #[arg(long, value_name = "SECRET", requires = "cloud", allow_hyphen_values = true)]
    secret: Option<String>,
    /// Access key in base64
    #[arg(long, value_name = "BASE64", requires = "cloud")]
    key: Option<String>,
    /// Hash function of the signature: hmacmd5, hmacsha1, hmacsha256
    #[arg(long, alias = "method", value_name = "METHOD", default_value = "hmacsha1", value_parser = method)]
    sign: SignMethod,
    /// Aliyun: a timestamp to be signed too
    #[arg(long, value_name = "TIMESTAMP")]
    timestamp: Option<String>,
    /// Aliyun: 2 announces TLS, 3 plain TCP
    #[arg(long, value_name = "2|3", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=3))]
    securemode: u8,
    /// OneNET token: when it expires, in seconds since 1970; by default a year from now
    #[arg(long, value_name = "SECONDS")]
    et: Option<i64>,
    /// The payload is a $dp upload of this type (1 to 8) with --json-values; the topic is $dp
    #[arg(long, value_name = "TYPE", requires = "json_values", group = "payload")]
    onenet_dp: Option<u8>,
    /// The payload is an Alink request of this method with --json-values as params; the topic follows
    #[arg(long, value_name = "METHOD", requires = "json_values", group = "payload")]
    alink: Option<String>,
    /// Values of data points, or params: a JSON object
    #[arg(long, value_name = "JSON", requires = "payload")]
    json_values: Option<String>,
    /// The time of the data points: 2024-05-01 12:30:00
    #[arg(long, value_name = "TIME", requires = "onenet_dp")]
    dp_time: Option<String>,
    /// The id of the Alink request
    #[arg(long, value_name = "ID", default_value = "1")]
    alink_id: String,
}

fn method(text: &str) -> Result<SignMethod, String> {
    SignMethod::from_name(text).ok_or_else(|| "the methods are hmacmd5, hmacsha1 and hmacsha256".into())
}

/// A payload of a cloud.
pub(super) struct CloudPayload {
    pub(super) bytes: Vec<u8>,
    /// The topic it belongs to, where that is known.
    pub(super) topic: Option<String>,
}

impl CloudArgs {
    /// Who signs in, and where; `id` is the part of Aliyun's client identifier that is signed.
    pub(super) fn sign_in(&self, id: Option<&str>) -> Option<SignIn> {
        let device = self.device.clone().unwrap_or_default();
        let secret = self.secret.clone().unwrap_or_default();
        if let Some(product_key) = &self.aliyun_product {
            return Some(SignIn::Aliyun {
                product_key: product_key.clone(),
                device_name: device,
                secret,
                client_id: id.map(str::to_owned),
                method: self.sign,
                timestamp: self.timestamp.clone(),
                secure_mode: self.securemode,
            });
        }
        if let Some(product) = &self.onenet {
            return Some(SignIn::OneNet { product: product.clone(), device, secret });
        }
        let product = self.onenet_token.clone()?;
        let key = self.key.clone().unwrap_or_default();
        let expiry = self.et.unwrap_or_else(|| now_s().saturating_add(TOKEN_LIFE_S));
        Some(SignIn::OneNetToken { product, device, key, expiry, method: self.sign })
    }

    /// The payload, if one is asked for.
    pub(super) fn payload(&self) -> Result<Option<CloudPayload>, Trouble> {
        let Some(text) = &self.json_values else { return Ok(None) };
        let values: Value = serde_json::from_str(text)
            .map_err(|error| wrong("--json-values is no JSON", error, "--json-values '{\"t\":23.5}'"))?;
        if let Some(number) = self.onenet_dp {
            let payload = dp(number, &values, self.dp_time.as_deref());
            let payload = payload.map_err(|error| wrong("no $dp payload", error, "another type or value"))?;
            return Ok(Some(CloudPayload { bytes: payload, topic: Some("$dp".to_owned()) }));
        }
        let Some(method) = &self.alink else { return Ok(None) };
        let topic = match (&self.aliyun_product, &self.device) {
            (Some(product_key), Some(device)) => Some(alink_topic(product_key, device, method)),
            _ => None,
        };
        Ok(Some(CloudPayload { bytes: alink(method, &values, &self.alink_id), topic }))
    }
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
