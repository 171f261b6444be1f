#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ie_container::fuzz::runtime_spec(data));
