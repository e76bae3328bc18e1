//! Transduct.
