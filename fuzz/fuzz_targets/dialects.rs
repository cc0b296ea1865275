#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hexmq_fuzz::dialects(input));
