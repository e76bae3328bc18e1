//! `transduct-bindgen INPUT.wasm OUT_DIR`: writes the JavaScript module and the WebAssembly that a
//! page loads, for the web target.

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, out] = arguments.as_slice() else {
        anyhow::bail!("usage: transduct-bindgen INPUT.wasm OUT_DIR");
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).web(true)?.typescript(false).remove_producers_section(true).remove_name_section(true);
    bindgen.generate(out).with_context(|| format!("{input}: no bindings"))
}
