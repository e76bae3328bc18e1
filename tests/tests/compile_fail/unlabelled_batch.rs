use transduct_core::{Dev, Unlabelled};

fn step<D: Dev>(target: Unlabelled<'_, D>) -> &[usize] {
    target.y
}

fn main() {}
