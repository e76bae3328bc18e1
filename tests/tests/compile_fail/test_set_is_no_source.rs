use transduct_core::data::{LabelledDomain, TestSet};

fn train(_source: &LabelledDomain) {}

fn cheat(test: &TestSet) {
    train(test)
}

fn main() {}
