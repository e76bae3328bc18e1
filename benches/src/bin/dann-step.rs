//! One side of `peers/run.sh`: steps on request, timed.
//!
//! `dann-step NETWORK THREADS` answers every line `K` on its standard input with one line: the
//! milliseconds of each of K steps, then the process's peak memory in KiB.

use std::{
    error::Error,
    io::{BufRead, Write},
    time::Instant,
};

use transduct_benches::{DannStep, peak_kib};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [network, threads] = arguments.as_slice() else {
        return Err("usage: dann-step NETWORK THREADS".into());
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
    // Inside the pool the calling thread works too, instead of waiting for others.
    pool.install(|| answer(network))
}

fn answer(network: &str) -> Result<()> {
    let mut step = DannStep::new(network)?;
    for line in std::io::stdin().lock().lines() {
        let mut answer = String::new();
        for _ in 0..line?.trim().parse()? {
            let start = Instant::now();
            std::hint::black_box(step.run()?);
            answer += &format!("{:.4} ", start.elapsed().as_secs_f64() * 1e3);
        }
        writeln!(std::io::stdout(), "{answer}{}", peak_kib())?;
    }
    Ok(())
}
