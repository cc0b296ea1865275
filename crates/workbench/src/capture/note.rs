//! What a capture tells besides packets.

use hexmq_wire::PacketType;

use crate::language::say;
use crate::recording::Timestamp;
use crate::{Language, Side};

/// Something to know about a connection that is no packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// The packet of the capture at which it was noticed, from 1.
    pub packet: u64,
    /// Whose bytes it is about; `None`: both sides'.
    pub from: Option<Side>,
    /// What it is.
    pub kind: NoteKind,
}

/// What a note is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteKind {
    /// Bytes of the stream are not in the capture.
    Gap {
        /// How many.
        bytes: u64,
    },
    /// An MQTT packet lacks bytes that are not in the capture; it is not shown.
    Incomplete {
        /// Its type; `None` for the reserved type 0.
        packet_type: Option<PacketType>,
        /// Its bytes, as far as its header tells.
        length: u64,
    },
    /// An MQTT packet is larger than what is kept; it is not shown.
    TooLarge {
        /// Its type; `None` for the reserved type 0.
        packet_type: Option<PacketType>,
        /// Its bytes.
        length: u64,
    },
    /// No MQTT packet can begin with these bytes.
    Stray {
        /// The first of them, 16 at most.
        bytes: Vec<u8>,
    },
    /// Packets are read again.
    Resumed {
        /// Bytes that were passed over.
        passed: u64,
    },
    /// Bytes at the end belong to no whole packet.
    LeftOver {
        /// How many.
        bytes: u64,
    },
    /// TLS that cannot be read.
    Encrypted(Encrypted),
    /// A rule of WebSocket is broken, or something of it cannot be read.
    WebSocket(WebSocketTrouble),
}

/// Why TLS cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encrypted {
    /// The key log has no secret for it, or there is none.
    NoKey,
    /// The handshake is not in the capture.
    NoHandshake,
    /// A cipher suite that is not read here.
    CipherSuite {
        /// Its number.
        code: u16,
    },
    /// A protocol version before TLS 1.2.
    Version {
        /// Its number: `0x0301` is TLS 1.0.
        code: u16,
    },
    /// A record does not decrypt: bytes are missing or the key is wrong.
    Broken,
}

/// What is wrong with the WebSocket that carries MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketTrouble {
    /// The server did not agree to the upgrade.
    Refused {
        /// The status of its answer; 0 if that is none.
        status: u16,
    },
    /// The server did not confirm the subprotocol `mqtt`.
    SubprotocolMissing,
    /// The heads of request or answer are too long or no HTTP.
    Head,
    /// The client must mask its frames, the server must not.
    Mask,
    /// MQTT goes in binary frames.
    NotBinary,
    /// Compressed frames cannot be read here.
    Compressed,
    /// An opcode or a control frame that does not exist.
    Frame,
    /// Bytes are missing inside: frames cannot be told apart any more.
    Gap,
}

impl NoteKind {
    /// The stable name.
    pub const fn name(&self) -> &'static str {
        match self {
            NoteKind::Gap { .. } => "gap",
            NoteKind::Incomplete { .. } => "incomplete_packet",
            NoteKind::TooLarge { .. } => "packet_too_large",
            NoteKind::Stray { .. } => "stray_bytes",
            NoteKind::Resumed { .. } => "resumed",
            NoteKind::LeftOver { .. } => "left_over",
            NoteKind::Encrypted(_) => "encrypted",
            NoteKind::WebSocket(_) => "websocket",
        }
    }

    /// For a person.
    pub fn text(&self, language: Language) -> String {
        match self {
            NoteKind::Gap { bytes } => {
                say!(language, "{bytes} bytes are not in the capture", "抓包中缺少 {bytes} 个字节")
            }
            NoteKind::Incomplete { packet_type, length } => {
                let name = packet_type.map_or("RESERVED", PacketType::name);
                say!(
                    language,
                    "a {name} of {length} bytes lacks some of them in the capture and is left out",
                    "一个 {length} 字节的 {name} 在抓包中不完整，已略过",
                )
            }
            NoteKind::TooLarge { packet_type, length } => {
                let name = packet_type.map_or("RESERVED", PacketType::name);
                say!(
                    language,
                    "a {name} of {length} bytes is larger than what is kept and is left out",
                    "一个 {length} 字节的 {name} 超出缓存上限，已略过",
                )
            }
            NoteKind::Stray { bytes } => {
                let hex = crate::spaced_hex(bytes);
                say!(
                    language,
                    "no MQTT packet begins with {hex}; looking for the next one",
                    "{hex} 不是 MQTT 报文的开头，正在寻找下一个报文",
                )
            }
            NoteKind::Resumed { passed } => say!(
                language,
                "packets are read again after {passed} bytes that were passed over",
                "略过 {passed} 个字节后恢复解析",
            ),
            NoteKind::LeftOver { bytes } => say!(
                language,
                "{bytes} bytes at the end belong to no whole packet",
                "末尾 {bytes} 个字节不属于任何完整报文",
            ),
            NoteKind::Encrypted(why) => why.text(language),
            NoteKind::WebSocket(trouble) => trouble.text(language),
        }
    }
}

impl Encrypted {
    /// For a person, with what to do.
    pub fn text(&self, language: Language) -> String {
        match self {
            Encrypted::NoKey => say!(
                language,
                "encrypted with TLS; to read it, let the client or the server write a key log \
                 (SSLKEYLOGFILE) and give it with --keylog FILE",
                "TLS 加密；要读取内容，请让客户端或服务端写出密钥日志（SSLKEYLOGFILE），再用 --keylog FILE 指定",
            ),
            Encrypted::NoHandshake => say!(
                language,
                "encrypted with TLS, and its handshake is not in the capture: begin capturing before the \
                 client connects",
                "TLS 加密，且抓包中没有握手过程：请在客户端连接之前开始抓包",
            ),
            Encrypted::CipherSuite { code } => say!(
                language,
                "encrypted with TLS cipher suite 0x{code:04x}, which is not read here; AES-GCM and \
                 ChaCha20-Poly1305 are",
                "TLS 密码套件 0x{code:04x} 无法在此解密；支持 AES-GCM 与 ChaCha20-Poly1305",
            ),
            Encrypted::Version { code } => say!(
                language,
                "encrypted with protocol version 0x{code:04x}; TLS 1.2 and 1.3 are read here",
                "加密协议版本 0x{code:04x} 无法在此解密；支持 TLS 1.2 与 1.3",
            ),
            Encrypted::Broken => say!(
                language,
                "a TLS record does not decrypt: bytes are missing in the capture, or the key log is of \
                 another connection; the rest cannot be read",
                "TLS 记录无法解密：抓包缺少字节，或密钥日志不属于此连接；其余内容无法读取",
            ),
        }
    }
}

impl WebSocketTrouble {
    /// For a person.
    pub fn text(&self, language: Language) -> String {
        match self {
            WebSocketTrouble::Refused { status } => say!(
                language,
                "the server did not accept the WebSocket: HTTP status {status} in place of 101",
                "服务端没有接受 WebSocket：HTTP 状态 {status}，应为 101",
            ),
            WebSocketTrouble::SubprotocolMissing => say!(
                language,
                "the server did not confirm the subprotocol mqtt; browsers close the connection then",
                "服务端没有确认子协议 mqtt；浏览器会因此关闭连接",
            ),
            WebSocketTrouble::Head => {
                say!(language, "the HTTP head is too long or no HTTP", "HTTP 头过长或不是 HTTP")
            }
            WebSocketTrouble::Mask => say!(
                language,
                "a WebSocket frame is masked wrongly: the client must mask, the server must not",
                "WebSocket 帧掩码错误：客户端必须加掩码，服务端不得加掩码",
            ),
            WebSocketTrouble::NotBinary => say!(
                language,
                "MQTT in a text frame; it must be binary",
                "MQTT 放在了文本帧中，必须使用二进制帧",
            ),
            WebSocketTrouble::Compressed => say!(
                language,
                "compressed WebSocket frames cannot be read here; the rest is passed over",
                "无法读取压缩的 WebSocket 帧，其余内容已略过",
            ),
            WebSocketTrouble::Frame => say!(
                language,
                "a WebSocket frame that does not exist; the rest is passed over",
                "不存在的 WebSocket 帧，其余内容已略过",
            ),
            WebSocketTrouble::Gap => say!(
                language,
                "bytes are missing inside the WebSocket; the rest of this direction cannot be read",
                "WebSocket 中缺少字节，此方向其余内容无法读取",
            ),
        }
    }
}
