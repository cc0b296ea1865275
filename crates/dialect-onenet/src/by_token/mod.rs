//! The accesses by token: data points and commands of the MQTT suite, and the thing model of Studio.
//!
//! Everything lives under `$sys/{product}/{device}/`. A device gets only what it has subscribed to, and what it
//! publishes there is never routed to anybody, itself included.

mod admission;
mod answer;
mod diagnosis;
mod order;
mod params;
pub mod quirk;
mod uplink;

use hexmq_device::{
    Admission, Device, DeviceRef, Diagnosis, Dialect, DialectName, Downlink, Order, OrderError, Outcome,
    Product, Quirk, Receipt, Refused, Registration, Secret, SignIn, Understood, Uplink, UplinkError,
};

use crate::connect::Access;

/// China Mobile OneNET, access by token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnenetToken;

impl Dialect for OnenetToken {
    fn name(&self) -> DialectName {
        DialectName::OnenetToken
    }

    fn quirks(&self) -> &'static [Quirk] {
        &quirk::ALL
    }

    fn claim(&self, sign_in: &SignIn<'_>) -> Option<DeviceRef> {
        crate::connect::identity(sign_in)
    }

    fn recognises(&self, sign_in: &SignIn<'_>) -> bool {
        crate::connect::looks_like(sign_in) == Some(Access::Token)
    }

    fn verify(
        &self,
        sign_in: &SignIn<'_>,
        product: &Product,
        device: Option<&Device>,
        now_ms: i64,
    ) -> Result<Admission, Refused> {
        admission::verify(sign_in, product, device, now_ms)
    }

    fn diagnose(
        &self,
        sign_in: &SignIn<'_>,
        product: Option<&Product>,
        device: Option<&Device>,
        now_ms: i64,
    ) -> Diagnosis {
        diagnosis::diagnose(sign_in, product, device, now_ms)
    }

    fn uplink(&self, uplink: &Uplink<'_>) -> Result<Understood, UplinkError> {
        uplink::understand(uplink)
    }

    /// Never asked for: nobody registers by connecting here, but over HTTP.
    fn registered(&self, sign_in: &SignIn<'_>, _registration: &Registration, _secret: &Secret) -> Downlink {
        crate::connect::no_registration(sign_in)
    }

    fn reply(&self, receipt: &Receipt, outcome: &Outcome) -> Option<Downlink> {
        answer::write(receipt, outcome)
    }

    fn downlink(
        &self,
        _product: &Product,
        device: &DeviceRef,
        order: &Order,
        command: &str,
        number: u32,
    ) -> Result<Downlink, OrderError> {
        order::write(device, order, command, number)
    }
}
