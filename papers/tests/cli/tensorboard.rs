//! Event files, read back.

use std::{collections::BTreeMap, fs, process::Command};

use super::{Place, TABLES, json, text};

const FILE: &str = "events.out.tfevents.0.transduct";

/// (step, value) by tag.
type Series = BTreeMap<String, Vec<(u64, f32)>>;

/// CRC-32C bit by bit, masked.
fn masked(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1));
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The data of the records of a file, whose lengths and checksums must be right.
fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(rest[8..12], masked(&rest[..8]).to_le_bytes());
        let data = &rest[12..12 + length];
        assert_eq!(rest[12 + length..16 + length], masked(data).to_le_bytes());
        records.push(data);
        rest = &rest[16 + length..];
    }
    records
}

/// The fields of a message, as (number, bytes): of a varint its 8 bytes.
fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(data: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = data[0];
            *data = &data[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let length = match key & 7 {
            0 => {
                let value = varint(&mut data);
                fields.push((key >> 3, value.to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut data) as usize,
            5 => 4,
            wire => panic!("wire type {wire}"),
        };
        fields.push((key >> 3, data[..length].to_vec()));
        data = &data[length..];
    }
    fields
}

fn series(bytes: &[u8]) -> Series {
    let mut series = Series::new();
    let records = records(bytes);
    let first = fields(records[0]);
    assert_eq!(first.last().unwrap(), &(3, b"brain.Event:2".to_vec()));
    for record in &records[1..] {
        let event: BTreeMap<_, _> = fields(record).into_iter().collect();
        let step = u64::from_le_bytes(event[&2].as_slice().try_into().unwrap());
        let time = f64::from_le_bytes(event[&1].as_slice().try_into().unwrap());
        assert_eq!(time, step as f64);
        for (number, value) in fields(&event[&5]) {
            assert_eq!(number, 1);
            let value: BTreeMap<_, _> = fields(&value).into_iter().collect();
            let tag = String::from_utf8(value[&1].clone()).unwrap();
            let number = f32::from_le_bytes(value[&2].as_slice().try_into().unwrap());
            series.entry(tag).or_default().push((step, number));
        }
    }
    series
}

/// What the metrics say.
fn expected(metrics: &str) -> Series {
    let mut series = Series::new();
    for line in metrics.lines().map(json) {
        let step = line["step"].as_u64().unwrap();
        let mut add = |tag: String, value: &serde_json::Value| {
            series.entry(tag).or_default().push((step, value.as_f64().unwrap() as f32));
        };
        for (group, key) in
            [("loss", "losses"), ("validator", "validators"), ("reading", "readings")]
        {
            for (name, value) in line[key].as_object().into_iter().flatten() {
                add(format!("{group}/{name}"), value);
            }
        }
        for (tag, value) in [
            ("training/rate", &line["rate"]),
            ("training/gradient-norm", &line["gradient_norm"]),
            ("accuracy/source-validation", &line["source_validation_accuracy"]),
            ("oracle/target-accuracy", &line["oracle"]["target_accuracy"]),
        ] {
            if value.is_number() {
                add(tag.to_owned(), value);
            }
        }
    }
    series
}

#[test]
fn event_files_hold_what_the_metrics_say() {
    let place = Place::new();
    place.succeed(&format!(
        "{TABLES} --seeds 2 --set training.clip=1 --evaluate-every 10 --out runs/a"
    ));
    let exported = json(&place.succeed("tensorboard runs/a --out logs/a --json"));
    assert_eq!(exported["files"].as_array().unwrap().len(), 4);
    for method in ["source-only", "dann"] {
        for seed in 0..2 {
            let part = format!("{method}/seed-{seed}");
            let bytes = fs::read(place.path(&format!("logs/a/{part}/{FILE}"))).unwrap();
            let series = series(&bytes);
            assert_eq!(
                series,
                expected(&text(place.path(&format!("runs/a/{part}/metrics.jsonl"))))
            );
            assert!(
                series.contains_key("loss/total") && series.contains_key("oracle/target-accuracy")
            );
            assert!(series.contains_key("training/gradient-norm"));
            assert_eq!(series.contains_key("reading/critic-accuracy"), method == "dann");
        }
    }
    // The same again, byte for byte.
    let file = place.path(&format!("logs/a/dann/seed-1/{FILE}"));
    let before = fs::read(&file).unwrap();
    place.succeed("tensorboard runs/a --out logs/a");
    assert!(before == fs::read(&file).unwrap());
    // An unfinished part has events too, up to a line that was cut.
    fs::remove_file(place.path("runs/a/dann/seed-1/done.json")).unwrap();
    let metrics = place.path("runs/a/dann/seed-1/metrics.jsonl");
    let whole = text(&metrics);
    fs::write(&metrics, &whole[..whole.len() - 20]).unwrap();
    let told = place.succeed("tensorboard runs/a --out logs/a");
    assert!(told.contains("note: dann/seed-1/metrics.jsonl: line "), "{told}");
    assert!(fs::read(&file).unwrap().len() < before.len());
}

#[test]
fn a_run_without_metrics_and_no_run_are_refused() {
    let place = Place::new();
    let line = place.refusal("tensorboard nowhere --out logs");
    assert_eq!(line, "nowhere: no run is recorded there: run.json is missing");
    place.succeed(&format!("{TABLES} --out runs/a"));
    for method in ["source-only", "dann"] {
        fs::remove_dir_all(place.path(&format!("runs/a/{method}"))).unwrap();
    }
    let line = place.refusal("tensorboard runs/a --out logs");
    assert_eq!(line, "runs/a: the run has no metrics yet");
}

/// TensorBoard's own reader, where Python has it.
#[test]
fn tensorboard_reads_them() {
    let python = std::env::var("TRANSDUCT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: {python} has no package `tensorboard`");
        return;
    }
    let place = Place::new();
    place.succeed(&format!("{TABLES} --method dann --out runs/a"));
    place.succeed("tensorboard runs/a --out logs");
    let program = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0})
events.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']}))
";
    let folder = place.path("logs/dann/seed-0");
    let output = Command::new(&python).args(["-c", program]).arg(folder).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let read: Series = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read, expected(&text(place.path("runs/a/dann/seed-0/metrics.jsonl"))));
}
