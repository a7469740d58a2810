#![no_main]
//! See [`berth_fuzz::ovsdb_replies`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| berth_fuzz::ovsdb_replies(data));
