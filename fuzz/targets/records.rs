#![no_main]
//! See [`berth_fuzz::records`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| berth_fuzz::records(data));
