//! The digit models outside a browser, to compare with.
//!
//! `native-digits logits` prints `[{model, domain, index, logits}]` of some pictures as JSON;
//! `native-digits time SECONDS` prints the median microseconds of a prediction, of one picture at a time,
//! with the instruction set that `TRANSDUCT_SIMD` names.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use transduct_wasm_demo::digits::{Collections, DigitModel, Domain};

const MODELS: [(&str, &[u8]); 2] = [
    ("source-only", include_bytes!("../www/models/source-only.safetensors")),
    ("adapted", include_bytes!("../www/models/adapted.safetensors")),
];

/// Pictures of each collection.
const PICTURES: usize = 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["logits"] => println!("{}", logits()?),
        ["time", seconds] => {
            transduct_core::device::instruction_set()?;
            let seconds = seconds.parse().context("SECONDS: expected a number")?;
            println!("{:.1}", time(Duration::try_from_secs_f64(seconds)?)?);
        }
        _ => bail!("usage: native-digits logits | native-digits time SECONDS"),
    }
    Ok(())
}

fn logits() -> Result<Value> {
    let collections = Collections::new()?;
    let mut all = Vec::new();
    for (name, bytes) in MODELS {
        let model = DigitModel::new(name, bytes)?;
        for (domain, word) in [(Domain::Source, "source"), (Domain::Target, "target")] {
            for index in 0..PICTURES {
                let (pixels, _) = collections.picture(domain, index)?;
                let logits = model.logits(&pixels)?;
                all.push(json!({"model": name, "domain": word, "index": index, "logits": logits}));
            }
        }
    }
    Ok(all.into())
}

fn time(limit: Duration) -> Result<f64> {
    let collections = Collections::new()?;
    let model = DigitModel::new(MODELS[1].0, MODELS[1].1)?;
    let (pixels, _) = collections.picture(Domain::Target, 0)?;
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < limit || times.len() < 10 {
        let begun = Instant::now();
        std::hint::black_box(model.predict(&pixels)?);
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
