//! Firmware: which one runs, whether there is a newer one, how far it has come.

use hexmq_device::Ask;
use hexmq_device::json::Node;

use super::Reading;
use super::message::Message;
use crate::reply;

/// Of a device that does not name a module.
const DEFAULT: &str = "default";

fn module(message: &Message<'_>) -> String {
    let module = message.params().member("module").and_then(Node::text);
    module.filter(|module| !module.is_empty()).unwrap_or(DEFAULT).to_owned()
}

/// `{"id":…,"params":{"version":…,"module":…}}`; there is no answer to it.
pub(super) fn inform(message: &Message<'_>) -> Reading {
    let params = message.params();
    let Some(version) = params.member("version").and_then(Node::text_or_number) else {
        return Err(message.wrong("ota_version", params.span, "version is missing or no text"));
    };
    let module = module(message);
    let meaning = format!("firmware {version} of module {module}");
    message.ask_with(Ask::FirmwareIs { module, version: version.to_owned() }, None, meaning)
}

/// `{"id":…,"params":{"step":"50","desc":…}}`; there is no answer to it.
pub(super) fn progress(message: &Message<'_>) -> Reading {
    let params = message.params();
    let step = params.member("step").and_then(Node::text_or_number).and_then(|step| step.parse().ok());
    let Some(step) = step else {
        return Err(message.wrong("ota_step", params.span, "step is missing or no whole number"));
    };
    let text = params.member("desc").and_then(Node::text).unwrap_or_default().to_owned();
    let meaning = match step {
        -1 => "update failed".to_owned(),
        -2 => "download failed".to_owned(),
        -3 => "verification failed".to_owned(),
        -4 => "writing failed".to_owned(),
        step => format!("update at {step} %"),
    };
    message.ask_with(Ask::FirmwareProgress { module: module(message), step, text }, None, meaning)
}

/// The newer form is answered on its `_reply`, the older one like an announcement.
pub(super) fn get(message: &Message<'_>) -> Reading {
    let receipt = message.receipt().map(|receipt| {
        if message.entry.name != "ota_request" {
            return receipt;
        }
        let topic = format!("/ota/device/upgrade/{}/{}", message.device.product, message.device.device);
        reply::receipt(topic, receipt.id, None, receipt.form)
    });
    message.ask_with(Ask::FirmwareGet { module: module(message) }, receipt, "firmware asked for")
}
