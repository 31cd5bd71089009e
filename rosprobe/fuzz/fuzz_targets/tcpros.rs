#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rosprobe_fuzz::run("tcpros", bytes));
