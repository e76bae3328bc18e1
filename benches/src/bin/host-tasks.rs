//! One side of `peers/host.sh`: methods on host arrays, on request, timed.
//!
//! `host-tasks TASK THREADS FOLDER` reads the task's arrays from the folder and answers every line
//! `K` on its standard input with one line: the milliseconds of each of K runs, then the process's
//! peak memory in KiB. `save FILE` writes the last answer as NPY.

use std::{
    error::Error,
    io::{BufRead, Write},
    path::Path,
    time::Instant,
};

use ndarray::{Array1, Array2, ArrayD, Axis, concatenate};
use serde_json::json;
use transduct_adapt::{
    domains::Domains,
    ot::{Emd, Problem, Sinkhorn, emd, sinkhorn},
    reweight::reweighter,
    shallow::aligner,
};
use transduct_benches::peak_kib;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A task with its data, ready to run.
type Task = Box<dyn Fn() -> Result<ArrayD<f64>> + Send>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, threads, folder] = arguments.as_slice() else {
        return Err("usage: host-tasks TASK THREADS FOLDER".into());
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
    // Inside the pool the calling thread works too, instead of waiting for others.
    pool.install(|| answer(&make(task, Path::new(folder))?))
}

fn answer(task: &Task) -> Result<()> {
    let mut last = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut out = std::io::stdout().lock();
        if let Some(file) = line.strip_prefix("save ") {
            ndarray_npy::write_npy(file, last.as_ref().ok_or("nothing to save")?)?;
            writeln!(out, "saved")?;
        } else {
            for _ in 0..line.trim().parse()? {
                let start = Instant::now();
                last = Some(task()?);
                write!(out, "{:.4} ", start.elapsed().as_secs_f64() * 1e3)?;
            }
            writeln!(out, "{}", peak_kib())?;
        }
        out.flush()?;
    }
    Ok(())
}

fn make(task: &str, folder: &Path) -> Result<Task> {
    let rows = |name: &str| -> Result<Array2<f64>> {
        Ok(ndarray_npy::read_npy(folder.join(format!("{name}.npy")))?)
    };
    let number = |name: &str| -> Result<f64> {
        let all: Array1<f64> = ndarray_npy::read_npy(folder.join(format!("{name}.npy")))?;
        Ok(all[0])
    };
    let (x_s, x_t) = (rows("x_s")?, rows("x_t")?);
    Ok(match task {
        "coral" => {
            let method = (aligner("coral")?.build)(&json!({ "regularisation": 0.0 }))?;
            Box::new(move || {
                let fitted = method.fit(&Domains::new(x_s.view(), x_t.view())?)?;
                Ok(fitted.source(x_s.view())?.into_dyn())
            })
        }
        "tca" | "jda" => {
            let kernel = json!({ "gaussian": { "sigma": number("sigma")? } });
            let mut options =
                json!({ "components": 20, "regularisation": 1.0, "representation": kernel });
            if task == "jda" {
                // Its rounds are 10 by default.
                options["normalise_output"] = json!(false);
            }
            let method = (aligner(task)?.build)(&options)?;
            let labels: Array1<i64> = ndarray_npy::read_npy(folder.join("y_s.npy"))?;
            let labels: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
            Box::new(move || {
                let domains = Domains::new(x_s.view(), x_t.view())?.with_labels(&labels)?;
                let fitted = method.fit(&domains)?;
                let both = [fitted.source(x_s.view())?, fitted.target(x_t.view())?];
                Ok(concatenate(Axis(0), &both.each_ref().map(|x| x.view()))?.into_dyn())
            })
        }
        "ulsif" | "kmm" => {
            let options = match task {
                "kmm" => json!({ "kernel": { "gaussian": { "sigma": number("sigma")? } } }),
                _ => json!(null),
            };
            let method = (reweighter(task)?.build)(&options)?;
            Box::new(move || {
                let fitted = method.fit(&Domains::new(x_s.view(), x_t.view())?)?;
                Ok(fitted.weights.into_dyn())
            })
        }
        "emd" => {
            let cost = rows("cost")?;
            Box::new(move || {
                let exact = emd(&Problem::uniform(cost.view())?, &Emd::default())?;
                Ok(exact.plan.dense().into_dyn())
            })
        }
        "sinkhorn" => {
            let cost = rows("cost")?;
            let options = Sinkhorn {
                epsilon: number("epsilon")?,
                // The largest violation; POT looks at the norm of all of them.
                tolerance: 1e-9 / (x_t.nrows() as f64).sqrt(),
                max_rounds: 100_000,
            };
            Box::new(move || {
                Ok(sinkhorn(&Problem::uniform(cost.view())?, &options)?.plan.into_dyn())
            })
        }
        _ => return Err(format!("unknown task `{task}`").into()),
    })
}
