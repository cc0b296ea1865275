//! What each Control Packet is for.

use hexmq_wire::PacketType;

use crate::language::{Text, text};

/// What a packet of this type does in a dialogue.
pub(crate) fn packet_text(packet_type: PacketType) -> Text {
    match packet_type {
        PacketType::Connect => text(
            "The client asks to be let in: who it is, for how long silence is allowed, what to do when it dies. \
             It is the first packet on every connection and is sent once; the answer is CONNACK.",
            "客户端请求接入：我是谁、允许静默多久、异常离线后替我做什么。它是每个连接上的第一个报文，只能发一次；服务端用 CONNACK 回答。",
        ),
        PacketType::Connack => text(
            "The server's answer to CONNECT: let in or refused, and whether it still has a session of this client.",
            "服务端对 CONNECT 的回答：接受还是拒绝，以及是否还保存着这个客户端的会话。",
        ),
        PacketType::Publish => text(
            "A message on its way: a topic that says what it is about, and a payload of any bytes. Clients send it to \
             the server, the server sends it on to everyone who subscribed.",
            "一条消息：主题说明“关于什么”，有效载荷是任意字节。客户端发给服务端，服务端再转发给每个订阅者。",
        ),
        PacketType::Puback => text(
            "\"I have your QoS 1 message.\" With it the sender may forget the message.",
            "“QoS 1 的消息我收到了。”发送方收到它之后才可以丢掉这条消息。",
        ),
        PacketType::Pubrec => text(
            "QoS 2, step 2 of 4 (PUBLISH, PUBREC, PUBREL, PUBCOMP): \"I have the message and remember its identifier.\"",
            "QoS 2 四步中的第 2 步（PUBLISH、PUBREC、PUBREL、PUBCOMP）：“消息已收到，并记住了它的标识符。”",
        ),
        PacketType::Pubrel => text(
            "QoS 2, step 3 of 4: \"I will not send this message again, you may forget its identifier.\" Its first byte \
             is 62, not 60.",
            "QoS 2 四步中的第 3 步：“这条消息我不会再发了，可以忘掉它的标识符。”首字节是 62，不是 60。",
        ),
        PacketType::Pubcomp => text(
            "QoS 2, step 4 of 4: \"done\". The packet identifier is free again.",
            "QoS 2 四步中的第 4 步：“完成”。报文标识符可以再次使用了。",
        ),
        PacketType::Subscribe => text(
            "The client asks to receive what is published to topics that fit its filters. The answer is SUBACK with \
             the same packet identifier. Its first byte is 82, not 80.",
            "客户端请求接收与过滤器相符的主题上的消息。服务端用带相同报文标识符的 SUBACK 回答。首字节是 82，不是 80。",
        ),
        PacketType::Suback => text(
            "The server's answer to SUBSCRIBE: one code per topic filter, in the same order.",
            "服务端对 SUBSCRIBE 的回答：每个主题过滤器对应一个返回码，顺序相同。",
        ),
        PacketType::Unsubscribe => text(
            "The client ends subscriptions. The filters must be spelled exactly as they were subscribed. Its first \
             byte is A2, not A0.",
            "客户端取消订阅。过滤器必须与订阅时逐字相同。首字节是 A2，不是 A0。",
        ),
        PacketType::Unsuback => text(
            "The server's answer to UNSUBSCRIBE: from here on nothing new arrives for these filters.",
            "服务端对 UNSUBSCRIBE 的回答：此后这些过滤器不再收到新消息。",
        ),
        PacketType::Pingreq => text(
            "\"I am alive, are you?\" A client that has nothing to say sends it before its Keep Alive runs out. \
             Always c0 00.",
            "心跳：“我还活着，你呢？”客户端无事可发时，要在保持连接时间到之前发送。永远是 c0 00。",
        ),
        PacketType::Pingresp => text(
            "\"I am alive\": the server's answer to PINGREQ. Always d0 00.",
            "心跳回应：“我还活着”，服务端对 PINGREQ 的回答。永远是 d0 00。",
        ),
        PacketType::Disconnect => text(
            "A good-bye: the last packet before the connection is closed. After it the server does not publish the \
             will. In 3.x only the client sends it; in 5.0 the server may too, and says why.",
            "告别：连接关闭前的最后一个报文。正常告别后服务端不会发布遗嘱。3.x 中只有客户端发送；5.0 中服务端也可以发送并说明原因。",
        ),
        PacketType::Auth => text(
            "One step of an extended login (challenge and response), or the start of a new one. Only in 5.0.",
            "扩展认证（质询与应答）中的一步，或重新认证的开始。仅 5.0 有。",
        ),
    }
}
