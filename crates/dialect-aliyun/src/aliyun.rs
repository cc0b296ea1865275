//! The dialect as the platform sees it.

use hexmq_device::{
    Admission, Device, DeviceRef, Diagnosis, Dialect, DialectName, Downlink, Order, OrderError, Outcome,
    Product, Quirk, Receipt, Refused, Registration, Secret, SignIn, TopicRule, Understood, Uplink,
    UplinkError,
};

use crate::connect::Connect;
use crate::{diagnosis, downlink, quirks, reply, rules, sign_in, uplink};

/// Aliyun IoT Platform: triples and Alink JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aliyun;

impl Dialect for Aliyun {
    fn name(&self) -> DialectName {
        DialectName::Aliyun
    }

    fn quirks(&self) -> &'static [Quirk] {
        &quirks::QUIRKS
    }

    fn claim(&self, sign_in: &SignIn<'_>) -> Option<DeviceRef> {
        sign_in::claim(sign_in)
    }

    fn recognises(&self, sign_in: &SignIn<'_>) -> bool {
        Connect::is_meant(sign_in.client_identifier)
    }

    fn verify(
        &self,
        sign_in: &SignIn<'_>,
        product: &Product,
        device: Option<&Device>,
        _now_ms: i64,
    ) -> Result<Admission, Refused> {
        sign_in::verify(sign_in, product, device)
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
        uplink::read(uplink)
    }

    fn registered(&self, sign_in: &SignIn<'_>, registration: &Registration, secret: &Secret) -> Downlink {
        sign_in::registered(sign_in, registration, secret)
    }

    fn reply(&self, receipt: &Receipt, outcome: &Outcome) -> Option<Downlink> {
        reply::reply(receipt, outcome)
    }

    fn downlink(
        &self,
        product: &Product,
        device: &DeviceRef,
        order: &Order,
        _command: &str,
        number: u32,
    ) -> Result<Downlink, OrderError> {
        downlink::downlink(product, device, order, number)
    }

    fn gateway_rules(
        &self,
        _product: &Product,
        gateway: &DeviceRef,
        behind: &[DeviceRef],
    ) -> Option<Vec<TopicRule>> {
        Some(rules::rules(gateway, behind))
    }

    fn signed_out(&self, gateway: &DeviceRef, device: &DeviceRef, reason: &str) -> Option<Downlink> {
        reply::signed_out(gateway, device, reason)
    }
}
