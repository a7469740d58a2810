#![no_main]
//! See [`berth_fuzz::cni_args`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| berth_fuzz::cni_args(data));
