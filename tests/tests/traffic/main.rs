//! Traffic counters, in real network namespaces and with the kernel's own programs.

mod engine;
