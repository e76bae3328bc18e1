//! Mathematics on ndarray that several methods share. Everything is in double precision and gives
//! the same bits at any number of threads.

pub mod active_set;
pub(crate) mod distances;
pub mod gram;
pub mod landmarks;
pub mod lbfgs;
pub mod leading;
pub mod linalg;
pub(crate) mod log_sum;
pub mod moments;
pub mod nearest;
pub mod nearest_sparse;
pub(crate) mod parallel;
pub mod qp;
pub mod shrinkage;
pub(crate) mod unit;
