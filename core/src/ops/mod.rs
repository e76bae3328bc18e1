//! Operations that dfdx lacks or that are slow there.

pub(crate) mod cpu;
