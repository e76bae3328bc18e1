#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| transduct_fuzz::try_out("map", bytes));
