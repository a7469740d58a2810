#![no_main]
//! See [`berth_fuzz::http_headers`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| berth_fuzz::http_headers(data));
