//! Sentences about bytes that are no packet, or not a whole one.

use hexmq_wire::Frame;

use crate::explanation::Options;
use crate::language::say;
use crate::lint::{LintRule, Remark};

/// Bytes that a packet before them claims.
pub(crate) fn forgotten_reason(length: usize, options: &Options) -> String {
    say!(
        options.language,
        "{length} bytes that belong to the packet before: its Remaining Length is too small or left out",
        "这 {length} 个字节属于前一个报文：它的剩余长度写小了或漏写了",
    )
}

/// Bytes between packets.
pub(crate) fn garbage_reason(length: usize, options: &Options) -> String {
    say!(
        options.language,
        "{length} bytes that are no MQTT packet; reading goes on behind them, where a packet begins",
        "这 {length} 个字节不是 MQTT 报文；从其后的报文开头继续解析",
    )
}

/// Bytes at the end.
pub(crate) fn unknown_reason(options: &Options) -> String {
    say!(options.language, "no MQTT packet begins here", "这里不是 MQTT 报文的开头")
}

/// How many bytes are missing: exactly, once the Remaining Length is there.
pub(crate) fn needs_reason(frame: &[u8], needs: usize, options: &Options) -> String {
    let bytes = if needs == 1 { "byte" } else { "bytes" };
    match Frame::new(frame).header() {
        Some(_) => say!(options.language, "needs {needs} more {bytes}", "还缺 {needs} 个字节"),
        None => say!(options.language, "needs at least {needs} more {bytes}", "至少还缺 {needs} 个字节"),
    }
}

/// The other way to see it.
pub(crate) fn or_too_large(remark: &Remark, needs: usize, options: &Options) -> String {
    let is_total = matches!(
        remark.rule,
        LintRule::RemainingLengthTooLarge
            | LintRule::RemainingLengthCountsHeader
            | LintRule::RemainingLengthInDecimal
            | LintRule::RemainingLengthInHexDigits
    );
    if is_total {
        say!(
            options.language,
            "; or the Remaining Length is {needs} too large: with a smaller one the packet is whole",
            "；也可能是剩余长度多写了 {needs}：改小后报文就是完整的",
        )
    } else {
        let code = remark.rule.name();
        say!(options.language, "; or a length is wrong ({code})", "；也可能是长度写错了（{code}）")
    }
}
