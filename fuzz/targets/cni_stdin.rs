#![no_main]
//! See [`berth_fuzz::cni_stdin`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| berth_fuzz::cni_stdin(data));
