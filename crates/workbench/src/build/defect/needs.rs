//! What a packet needs so that a mistake can be made in it.

use crate::Text;
use crate::language::text;

pub(super) const ANY: Text = text("any packet", "任何报文");
pub(super) const NOT_PUBLISH: Text = text("any packet but PUBLISH", "除 PUBLISH 外的任何报文");
pub(super) const BODY: Text =
    text("a packet with at least two bytes behind its fixed header", "固定报头之后至少有两个字节的报文");
pub(super) const TWO_DIGITS: Text = text("a Remaining Length from 10 to 79", "剩余长度在 10 到 79 之间");
pub(super) const LARGE: Text = text("a Remaining Length from 128 to 255", "剩余长度在 128 到 255 之间");
pub(super) const CLOSED: Text = text(
    "a packet whose last field is fixed: CONNECT, CONNACK, PINGREQ or PINGRESP, in 3.x acknowledgements and DISCONNECT too",
    "末尾字段固定的报文：CONNECT、CONNACK、PINGREQ、PINGRESP，3.x 中还有各种确认和 DISCONNECT",
);
pub(super) const CONNECT: Text = text("a CONNECT", "CONNECT");
pub(super) const CONNECT_NOT_V3: Text = text("a CONNECT of 3.1.1 or 5.0", "3.1.1 或 5.0 的 CONNECT");
pub(super) const CONNECT_CLEAN: Text =
    text("a CONNECT with Clean Session or Clean Start", "清理会话或全新开始置 1 的 CONNECT");
pub(super) const CONNECT_5: Text = text(
    "a CONNECT or CONNACK of 5.0 without Authentication Method",
    "没有认证方法的 5.0 CONNECT 或 CONNACK",
);
pub(super) const USER: Text = text(
    "a CONNECT with a user name other than its client identifier",
    "带用户名且与客户端标识不同的 CONNECT",
);
pub(super) const USER_PASSWORD: Text =
    text("a CONNECT with a user name and another password", "用户名与密码不同的 CONNECT");
pub(super) const USER_PASSWORD_3: Text =
    text("a CONNECT of 3.x with user name and password", "带用户名和密码的 3.x CONNECT");
pub(super) const PASSWORD: Text = text("a CONNECT with a password", "带密码的 CONNECT");
pub(super) const PASSWORD_NOT_V3: Text =
    text("a CONNECT of 3.1.1 or 5.0 with a password", "带密码的 3.1.1 或 5.0 CONNECT");
pub(super) const WILL: Text = text("a CONNECT with a will", "带遗嘱的 CONNECT");
pub(super) const NO_WILL: Text = text("a CONNECT without a will", "没有遗嘱的 CONNECT");
pub(super) const CONNACK_NOT_V3: Text = text("a CONNACK of 3.1.1 or 5.0", "3.1.1 或 5.0 的 CONNACK");
pub(super) const STRING: Text = text(
    "a CONNECT with a client identifier, or a packet with a topic or filter",
    "带客户端标识的 CONNECT，或带主题、过滤器的报文",
);
pub(super) const TOPIC: Text = text("a packet with a topic or a filter", "带主题或过滤器的报文");
pub(super) const TOPIC_NAME: Text = text(
    "a PUBLISH without Topic Alias, or a CONNECT with a will",
    "没有主题别名的 PUBLISH，或带遗嘱的 CONNECT",
);
pub(super) const TEN: Text = text("a string of 10 to 79 bytes", "10 到 79 字节的字符串");
pub(super) const WIDE: Text = text("a string with characters beyond ASCII", "含有 ASCII 以外字符的字符串");
pub(super) const IDENTIFIER: Text = text("a packet with a Packet Identifier", "带报文标识符的报文");
pub(super) const PUBLISH: Text = text("a PUBLISH", "PUBLISH");
pub(super) const PUBLISH_5: Text = text("a PUBLISH of 5.0", "5.0 的 PUBLISH");
pub(super) const PUBLISH_QOS: Text = text("a PUBLISH of QoS 1 or 2", "QoS 1 或 2 的 PUBLISH");
pub(super) const PUBLISH_QOS0: Text = text("a PUBLISH of QoS 0", "QoS 0 的 PUBLISH");
pub(super) const SUBSCRIBE: Text = text("a SUBSCRIBE", "SUBSCRIBE");
pub(super) const SUBSCRIBE_5: Text = text("a SUBSCRIBE of 5.0", "5.0 的 SUBSCRIBE");
pub(super) const SHARED: Text = text(
    "a SUBSCRIBE of 5.0 whose first filter begins with $share/",
    "首个过滤器以 $share/ 开头的 5.0 SUBSCRIBE",
);
pub(super) const LIST: Text = text(
    "a SUBSCRIBE, SUBACK or UNSUBSCRIBE, or an UNSUBACK of 5.0",
    "SUBSCRIBE、SUBACK、UNSUBSCRIBE，或 5.0 的 UNSUBACK",
);
pub(super) const UNSUBSCRIBE: Text = text("an UNSUBSCRIBE", "UNSUBSCRIBE");
pub(super) const CODE: Text = text("a packet with a code", "带返回码的报文");
pub(super) const NO_PROPERTIES: Text = text(
    "a packet of 5.0 with an empty property section that may not be left out",
    "属性为空但不能省略的 5.0 报文",
);
pub(super) const PROPERTIES: Text = text("a packet of 5.0 that may have properties", "可以带属性的 5.0 报文");
pub(super) const RANGED: Text = text(
    "a packet of 5.0 that may have a property with a range and lacks one",
    "可以带有取值范围的属性且还没带的 5.0 报文",
);
