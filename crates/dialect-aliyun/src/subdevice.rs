//! How a gateway signs for the devices behind it: `thing/topo/add`, `combine/login` and their kind.
//!
//! The content is that of a CONNECT, except that the client id is signed as it is, with a `|…|` tail if
//! it has one.

use hexmq_device::Span;
use hexmq_device::json::Node;
use hexmq_device::mac::HashName;

use crate::sign::{connect_content, method_named, register_content, verify};

/// One device that a gateway names, with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDevice<'a> {
    /// `productKey`
    pub product_key: &'a str,
    /// `deviceName`
    pub device_name: &'a str,
    /// The sign method as it is written; `None` if there is none.
    pub method_name: Option<&'a str>,
    /// What is signed.
    pub content: String,
    /// `sign`
    pub sign: &'a str,
    /// Where the signature stands, quotes included.
    pub sign_span: Span,
}

impl SignedDevice<'_> {
    /// The hash function; HMAC-MD5 if none is named.
    pub fn method(&self) -> Option<HashName> {
        self.method_name.map_or(Some(HashName::Md5), method_named)
    }

    /// Whether it is signed with this secret: the device's, or the product's for a registration.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        self.method().is_some_and(|method| verify(method, secret, &self.content, self.sign))
    }
}

/// The signed devices in `params`: one object, an array of them, or an object with `deviceList` or
/// `proxieds`, whose sign method may stand beside the list.
pub fn signed_devices<'n>(params: &'n Node<'_>) -> Vec<SignedDevice<'n>> {
    let of_all = method_name(params);
    let list = ["deviceList", "proxieds"].iter().find_map(|name| params.member(name)?.elements());
    match list.or(params.elements()) {
        Some(list) => list.iter().filter_map(|device| signed_device(device, of_all)).collect(),
        None => signed_device(params, None).into_iter().collect(),
    }
}

/// The sign method beside a list of devices, or of one of them.
pub(crate) fn method_name<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    let members = node.members()?;
    members.iter().find(|member| member.name.eq_ignore_ascii_case("signMethod"))?.value.text()
}

/// One signed device; `None` if a part of it is missing.
pub(crate) fn signed_device<'n>(device: &'n Node<'_>, of_all: Option<&'n str>) -> Option<SignedDevice<'n>> {
    let product_key = device.member("productKey")?.text()?;
    let device_name = device.member("deviceName")?.text()?;
    let sign = device.member("sign")?;
    let content = match device.member("random") {
        Some(random) => register_content(device_name, product_key, random.text()?),
        None => {
            // One library writes the timestamp as a number: it is signed as it is written.
            let timestamp = device.member("timestamp").and_then(Node::text_or_number);
            connect_content(device.member("clientId")?.text()?, device_name, product_key, timestamp)
        }
    };
    Some(SignedDevice {
        product_key,
        device_name,
        method_name: method_name(device).or(of_all),
        content,
        sign: sign.text()?,
        sign_span: sign.span,
    })
}
