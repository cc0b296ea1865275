//! Modules that carry bytes over TCP.
//!
//! Espressif "ESP-AT user guide", TCP/IP AT commands; SIMCom "SIM800 series AT command manual" and
//! "SIM7500/SIM7600 series AT command manual"; Quectel "TCP/IP application note"; Luat "AirM2M AT
//! command manual"; China Mobile "ML307 series AT command manual".

use super::{ExportError, Script, plain_quoted};

/// The commands of a family. `{host}` (in quotes), `{port}` and `{length}` are put in.
#[derive(Debug)]
pub(super) struct Tcp {
    /// What has to be there before.
    before: &'static str,
    /// Commands that open the connection, each with its answer.
    open: &'static [(&'static str, &'static str)],
    /// The command that announces bytes.
    send: &'static str,
    /// What the module says when it has them.
    sent: &'static str,
    /// Bytes one command takes.
    most: usize,
}

pub(super) static ESP_AT: Tcp = Tcp {
    before: "the module has joined a network: AT+CWMODE=1, AT+CWJAP=\"SSID\",\"PASSWORD\"",
    open: &[("AT+CIPSTART=\"TCP\",{host},{port}", "CONNECT, OK")],
    send: "AT+CIPSEND={length}",
    sent: "SEND OK",
    most: 2048,
};

pub(super) static SIM800: Tcp = Tcp {
    before: "the module is attached: AT+CSTT, AT+CIICR, AT+CIFSR",
    open: &[("AT+CIPSTART=\"TCP\",{host},\"{port}\"", "OK, CONNECT OK")],
    send: "AT+CIPSEND={length}",
    sent: "SEND OK",
    most: 1460,
};

pub(super) static LUAT: Tcp = Tcp {
    before: "the module is attached: AT+CSTT, AT+CIICR, AT+CIFSR",
    open: &[("AT+CIPSTART=\"TCP\",{host},{port}", "OK, CONNECT OK")],
    send: "AT+CIPSEND={length}",
    sent: "SEND OK",
    most: 1460,
};

pub(super) static SIM7600: Tcp = Tcp {
    before: "the module is registered: AT+CREG? answers 0,1",
    open: &[("AT+NETOPEN", "OK, +NETOPEN: 0"), ("AT+CIPOPEN=0,\"TCP\",{host},{port}", "OK, +CIPOPEN: 0,0")],
    send: "AT+CIPSEND=0,{length}",
    sent: "OK, +CIPSEND: 0,{length},{length}",
    most: 1500,
};

pub(super) static QUECTEL: Tcp = Tcp {
    before: "context 1 is active: AT+QIACT=1",
    open: &[("AT+QIOPEN=1,0,\"TCP\",{host},{port},0,0", "OK, +QIOPEN: 0,0")],
    send: "AT+QISEND=0,{length}",
    sent: "SEND OK",
    most: 1460,
};

pub(super) static ML307: Tcp = Tcp {
    before: "the module has an address: AT+MIPCALL=1,1",
    open: &[("AT+MIPOPEN=0,\"TCP\",{host},{port}", "OK, +MIPOPEN: 0,0")],
    send: "AT+MIPSEND=0,{length}",
    sent: "+MIPSEND: 0,{length}, OK",
    most: 1460,
};

impl Tcp {
    /// Opens the connection.
    pub(super) fn open(&self, script: &mut Script, host: &str, port: u16) -> Result<(), ExportError> {
        let host = plain_quoted("host", host)?;
        script.note(self.before);
        for (command, answer) in self.open {
            let command = command.replace("{host}", &host).replace("{port}", &port.to_string());
            script.command(&command, answer);
        }
        Ok(())
    }

    /// Sends bytes, in as many pieces as the command needs.
    pub(super) fn send(&self, script: &mut Script, bytes: &[u8]) {
        for piece in bytes.chunks(self.most) {
            let length = piece.len().to_string();
            script.command(&self.send.replace("{length}", &length), ">");
            script.hex(piece, &self.sent.replace("{length}", &length));
        }
    }
}
