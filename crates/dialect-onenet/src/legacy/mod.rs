//! The legacy access: a device of numbers and an auth info, which uploads to `$dp` and is told things on
//! `$creq`.
//!
//! Rules and quirks are those of the vendor's document "device access protocol 4, MQTT" V2.3 and of the
//! firmware that was written for it. There are no application-level acknowledgements: a PUBACK is the only
//! answer to an upload, also to one that cannot be read, since firmware would send it again for ever.

mod admission;
mod diagnosis;
pub mod quirk;
mod uplink;

use hexmq_device::{
    Admission, Device, DeviceRef, Diagnosis, Dialect, DialectName, Downlink, Order, OrderError, Outcome,
    Product, Quirk, Receipt, Refused, Registration, Secret, SignIn, Understood, Uplink, UplinkError,
};

pub(crate) use self::uplink::new_points;
use crate::connect::Access;

/// China Mobile OneNET, legacy access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Onenet;

impl Dialect for Onenet {
    fn name(&self) -> DialectName {
        DialectName::Onenet
    }

    fn quirks(&self) -> &'static [Quirk] {
        &quirk::ALL
    }

    fn claim(&self, sign_in: &SignIn<'_>) -> Option<DeviceRef> {
        crate::connect::identity(sign_in)
    }

    fn recognises(&self, sign_in: &SignIn<'_>) -> bool {
        crate::connect::looks_like(sign_in) == Some(Access::Legacy)
    }

    fn verify(
        &self,
        sign_in: &SignIn<'_>,
        product: &Product,
        device: Option<&Device>,
        _now_ms: i64,
    ) -> Result<Admission, Refused> {
        admission::verify(sign_in, product, device)
    }

    fn diagnose(
        &self,
        sign_in: &SignIn<'_>,
        product: Option<&Product>,
        device: Option<&Device>,
        _now_ms: i64,
    ) -> Diagnosis {
        diagnosis::diagnose(sign_in, product, device)
    }

    fn uplink(&self, uplink: &Uplink<'_>) -> Result<Understood, UplinkError> {
        uplink::understand(uplink)
    }

    /// Never asked for: nobody registers by connecting here, but over HTTP.
    fn registered(&self, sign_in: &SignIn<'_>, _registration: &Registration, _secret: &Secret) -> Downlink {
        crate::connect::no_registration(sign_in)
    }

    fn reply(&self, _receipt: &Receipt, _outcome: &Outcome) -> Option<Downlink> {
        None
    }

    /// The vendor sets no limit to how long a device may think about its answer.
    fn answer_wait_ms(&self) -> Option<i64> {
        None
    }

    fn downlink(
        &self,
        _product: &Product,
        _device: &DeviceRef,
        order: &Order,
        command: &str,
        _number: u32,
    ) -> Result<Downlink, OrderError> {
        match order {
            // Firmware reckons with QoS 0 and an identifier of 36 characters (Q7), and needs no subscription.
            Order::Raw(payload) => Ok(Downlink {
                topic: format!("$creq/{command}"),
                payload: payload.clone(),
                qos: 0,
                if_subscribed: false,
                correlation: Some(command.to_owned()),
                meaning: format!("command, {} bytes", payload.len()),
            }),
            Order::Publish { topic, payload, qos } => crate::connect::publish(topic, payload, *qos),
            Order::Set(_) | Order::Get(_) | Order::Invoke { .. } | Order::Shadow(_) => Err(OrderError {
                code: "no_thing_model",
                message: "OneNET's legacy access has no properties and services to address: send the bytes \
                          that the firmware expects as a command (`payload` or `payload_hex`)"
                    .into(),
            }),
            Order::Firmware(_) | Order::Config(_) => Err(OrderError {
                code: "no_files",
                message:
                    "OneNET's legacy access does not tell devices of files: send the address as a command \
                          that the firmware understands"
                        .into(),
            }),
            Order::TopologyNotify(_) | Order::TopologyChange(..) | Order::Lifecycle(_) => Err(OrderError {
                code: "not_said",
                message: "OneNET's legacy access has no message for this; nothing is sent".into(),
            }),
        }
    }
}
