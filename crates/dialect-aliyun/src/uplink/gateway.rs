//! What a gateway says of the devices behind it.

use hexmq_device::json::Node;
use hexmq_device::{Ask, DeviceRef, SubDevice, SubSign, UplinkError};

use super::Reading;
use super::message::{Message, device_of};
use crate::codes::{ITSELF, SIGN_METHOD};
use crate::reply;
use crate::subdevice::{method_name, signed_device};

/// One object, an array, or an object with the array under one of these names.
fn listed<'m>(message: &'m Message<'_>) -> &'m [Node<'m>] {
    let params = message.params();
    let inner = ["deviceList", "proxieds"].iter().find_map(|name| params.member(name)?.elements());
    inner.or(params.elements()).unwrap_or(std::slice::from_ref(params))
}

fn named(message: &Message<'_>, node: &Node<'_>) -> Result<DeviceRef, UplinkError> {
    device_of(node)
        .ok_or_else(|| message.wrong("alink_device", node.span, "productKey and deviceName are missing"))
}

/// Devices without signatures.
pub(super) fn devices(message: &Message<'_>, ask: fn(Vec<DeviceRef>) -> Ask) -> Reading {
    let devices: Result<Vec<_>, _> = listed(message).iter().map(|node| named(message, node)).collect();
    let devices = devices?;
    let meaning = format!("{}: {}", what(message), names(&devices));
    asked(message, ask(devices.clone()), &devices, meaning)
}

/// Devices that are to be bound, each with its signature.
pub(super) fn topology_add(message: &Message<'_>) -> Reading {
    let subs = signed(message, false)?;
    if let Some(node) = listed(message).iter().find(|node| device_of(node).as_ref() == Some(&message.device))
    {
        let text = "a gateway cannot be behind itself";
        return Err(message.wrong_as(ITSELF, "alink_gateway_itself", node.span, text));
    }
    proven(message, subs, Ask::TopologyAdd)
}

/// Devices that sign in.
pub(super) fn login(message: &Message<'_>) -> Reading {
    let subs = signed(message, false)?;
    proven(message, subs, Ask::SubLogin)
}

/// Devices that are registered already and ask for their secrets.
pub(super) fn register(message: &Message<'_>) -> Reading {
    let devices: Result<Vec<_>, _> = listed(message).iter().map(|node| named(message, node)).collect();
    let subs = devices?.into_iter().map(|device| SubDevice { device, sign: None }).collect();
    proven(message, subs, Ask::SubRegister)
}

/// Devices that register with the secret of their product.
pub(super) fn product_register(message: &Message<'_>) -> Reading {
    let subs = signed(message, true)?;
    proven(message, subs, Ask::SubRegister)
}

fn proven(message: &Message<'_>, subs: Vec<SubDevice>, ask: fn(Vec<SubDevice>) -> Ask) -> Reading {
    let devices: Vec<_> = subs.iter().map(|sub| sub.device.clone()).collect();
    let meaning = format!("{}: {}", what(message), names(&devices));
    asked(message, ask(subs), &devices, meaning)
}

/// The answer names the devices again, so the receipt does.
fn asked(message: &Message<'_>, ask: Ask, devices: &[DeviceRef], meaning: String) -> Reading {
    let receipt = message.receipt().map(|mut receipt| {
        receipt.more = devices.iter().map(reply::identity).collect();
        receipt
    });
    message.ask_with(ask, receipt, meaning)
}

fn signed(message: &Message<'_>, with_product_secret: bool) -> Result<Vec<SubDevice>, UplinkError> {
    let of_all = method_name(message.params());
    let mut subs = Vec::new();
    for node in listed(message) {
        let device = named(message, node)?;
        let signed = signed_device(node, of_all).ok_or_else(|| {
            let text = if with_product_secret {
                "random and sign are needed"
            } else {
                "clientId and sign are needed"
            };
            message.wrong("alink_device", node.span, text)
        })?;
        let method = signed.method().ok_or_else(|| {
            let text = "the sign method is none of hmacmd5, hmacsha1 and hmacsha256";
            message.wrong_as(SIGN_METHOD, "alink_sign_method", node.span, text)
        })?;
        let sign = SubSign {
            content: signed.content,
            method,
            sign: signed.sign.to_owned(),
            with_product_secret,
            base64_key: false,
        };
        subs.push(SubDevice { device, sign: Some(sign) });
    }
    Ok(subs)
}

fn what(message: &Message<'_>) -> &'static str {
    match message.entry.name {
        "topology_add" => "to be bound",
        "topology_delete" => "to be unbound",
        "list_found" => "found",
        "sub_login" | "sub_batch_login" => "sign in",
        "sub_logout" | "sub_batch_logout" => "sign out",
        _ => "register",
    }
}

fn names(devices: &[DeviceRef]) -> String {
    const SHOWN: usize = 5;
    let mut names: Vec<_> = devices.iter().take(SHOWN).map(DeviceRef::to_string).collect();
    if devices.len() > SHOWN {
        names.push(format!("and {} more", devices.len() - SHOWN));
    }
    names.join(", ")
}
