//! What the connection of a device may publish and subscribe.
//!
//! Topics of the cloud end at the platform: a device never sees what another one reports. Its own topics are
//! routed among those of its product as well.

use hexmq_device::{DeviceRef, Reach, TopicRule};

/// Rules of a device, and of the devices that are signed in behind it.
pub(crate) fn rules(own: &DeviceRef, behind: &[DeviceRef]) -> Vec<TopicRule> {
    let devices = || std::iter::once(own).chain(behind);
    let mut rules = Vec::with_capacity(12 + 7 * behind.len());
    // What is most published comes first: the rules are tried in order.
    rules.extend(devices().map(|device| both(format!("/sys/{}/{}/#", device.product, device.device))));
    for DeviceRef { product, device } in devices() {
        rules.push(both(format!("/ext/ntp/{product}/{device}/#")));
        rules.push(both(format!("/ota/device/+/{product}/{device}")));
        rules.push(both(format!("/shadow/+/{product}/{device}")));
        rules.push(TopicRule { reach: Reach::Both, ..both(format!("/{product}/{device}/#")) });
    }
    rules.push(both(format!("/ext/session/{}/{}/#", own.product, own.device)));
    // One library subscribes for the devices behind it all that it subscribes for itself.
    rules
        .extend(behind.iter().map(|sub| subscribe(format!("/ext/session/{}/{}/#", sub.product, sub.device))));
    rules.push(both("/ext/rrpc/#".to_owned()));
    rules.push(subscribe(format!("/ext/error/{}/{}", own.product, own.device)));
    let mut products: Vec<&str> = devices().map(|device| &*device.product).collect();
    products.sort_unstable();
    products.dedup();
    rules.extend(products.into_iter().map(|product| subscribe(format!("/broadcast/{product}/#"))));
    rules.extend(registration());
    rules
}

/// Rules of a connection that only registers.
pub(crate) fn registration() -> [TopicRule; 2] {
    [subscribe("/ext/register".to_owned()), subscribe("/ext/regnwl".to_owned())]
}

fn both(filter: String) -> TopicRule {
    TopicRule { filter, publish: true, subscribe: true, reach: Reach::Platform }
}

fn subscribe(filter: String) -> TopicRule {
    TopicRule { filter, publish: false, subscribe: true, reach: Reach::Topics }
}
