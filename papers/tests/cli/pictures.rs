//! Folders of pictures, and pictures in arrays.

use std::{fs, path::Path};

use image::{ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage, codecs::png::PngEncoder};

use super::{Place, json, text};

/// A picture of 10 × 8 pixels about a grey level, its left half brighter.
fn picture(level: u8, seed: u32) -> RgbImage {
    RgbImage::from_fn(10, 8, |x, y| {
        let noise = ((x * 31 + y * 17 + seed * 7) % 40) as u8;
        Rgb([level + noise + if x < 5 { 20 } else { 0 }; 3])
    })
}

fn save(picture: &RgbImage, path: &Path, format: ImageFormat) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save_with_format(path, format).unwrap();
}

/// Two classes in the folder `name`, a file of each class under every one of `names`, which have `#`
/// for a number.
fn folder(place: &Place, name: &str, names: &[&str], copies: u32) {
    for (class, level) in [("cat", 60), ("dog", 170)] {
        for copy in 0..copies {
            for file in names {
                let path =
                    place.path(&format!("{name}/{class}/{}", file.replace('#', &copy.to_string())));
                let format = match path.extension().unwrap().to_str().unwrap() {
                    "jfif" => ImageFormat::Jpeg,
                    _ => ImageFormat::from_path(&path).unwrap(),
                };
                save(&picture(level, copy), &path, format);
            }
        }
    }
}

fn run(source: &str, target: &str, out: &str) -> String {
    format!(
        "run --source {source} --target {target} --size 16x16 --method source-only --seeds 1 \
         --batch-size 4 --steps 12 --evaluate-every 12 --out {out}"
    )
}

fn rows(place: &Place, out: &str) -> (u64, u64) {
    let record = json(&text(place.path(out).join("run.json")));
    let count = |domain: &str, rows: &str| record[domain][rows].as_u64().unwrap();
    (
        count("source", "training_rows") + count("source", "evaluation_rows"),
        count("target", "training_rows"),
    )
}

/// Rows of a CSV file, without its header.
fn lines(place: &Place, name: &str) -> Vec<String> {
    text(place.path(name)).lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn every_format_counts_and_what_does_not_is_told() {
    let place = Place::new();
    let names = ["#.png", "#.JPG", "#.jfif", "#.bmp", "#.webp", "#.tif", "#.ppm", "#.tga", "#.qoi"];
    folder(&place, "s", &names, 2);
    folder(&place, "t", &names, 2);
    for litter in ["s/.DS_Store", "s/cat/Thumbs.db", "s/dog/._1.png", "s/__MACOSX/cat/._1.png"] {
        place.write(litter, "litter");
    }
    place.write("t/cat/photo.heic", "not read");
    let output = place.command(&run("s", "t", "runs/a")).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert_eq!(rows(&place, "runs/a"), (36, 36));
    assert!(
        told.contains("1 .heic, a format of pictures that is not read (cat/photo.heic)"),
        "{told}"
    );
    assert!(told.contains("(__MACOSX, cat/Thumbs.db)"), "{told}");
    let record = json(&text(place.path("runs/a/run.json")));
    assert_eq!(record["target"]["skipped"][0]["examples"][0], "cat/photo.heic");
    assert_eq!(record["source"]["skipped"][1]["count"], 2);
    place.succeed("predict --run runs/a --input t --out p.csv");
    assert_eq!(lines(&place, "p.csv").len(), 36);
}

#[test]
fn every_command_walks_to_the_same_pictures() {
    let place = Place::new();
    folder(&place, "s", &["#.png", "cam1/#.png", "cam2/day/#.png"], 4);
    folder(&place, "t", &["in/#.png"], 5);
    place.succeed(&run("s", "t", "runs/a"));
    assert_eq!(rows(&place, "runs/a"), (24, 10));
    place.succeed(&format!("{} --target-labels none", run("t", "s", "runs/b")));
    assert_eq!(rows(&place, "runs/b"), (10, 24));
    place.succeed("predict --run runs/a --input s --out p.csv");
    let names: Vec<_> =
        lines(&place, "p.csv").iter().map(|l| l.split(',').next().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 24);
    assert_eq!(&names[3..6], ["cat/3.png", "cat/cam1/0.png", "cat/cam1/1.png"]);
}

#[test]
fn a_picture_that_ends_early_is_refused_by_its_path() {
    let place = Place::new();
    for (i, extension) in ["png", "jpg", "webp", "bmp", "tif"].into_iter().enumerate() {
        let (s, name) = (format!("s{i}"), format!("#.{extension}"));
        folder(&place, &s, &[&name], 5);
        if i == 0 {
            folder(&place, "t", &[&name], 5);
            place.succeed(&run("t", "s0", "runs/whole"));
        }
        let path = place.path(&format!("{s}/dog/3.{extension}"));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() * 3 / 4]).unwrap();
        let line = place.refusal(&run(&s, "t", "runs/cut"));
        assert!(line.contains(&format!("dog/3.{extension}: ")), "{line}");
        let line = place.refusal(&format!("predict --run runs/whole --input {s}"));
        assert!(line.contains(&format!("dog/3.{extension}: ")), "{line}");
    }
}

#[test]
fn a_run_goes_on_with_its_own_pictures_alone() {
    let place = Place::new();
    folder(&place, "s", &["#.png"], 6);
    folder(&place, "t", &["#.png"], 6);
    place.succeed(&run("s", "t", "runs/a"));
    let refused = |what: &str| {
        let line = place.refusal("run --out runs/a --resume");
        assert!(line.contains(what), "{line}");
    };
    let (one, another) = (place.path("t/cat/2.png"), place.path("t/cat/1a.png"));
    let bytes = fs::read(&one).unwrap();
    save(&picture(90, 5), &one, ImageFormat::Png);
    refused("cat/2.png of ");
    refused("t, of the target, has changed since the run began");
    fs::remove_file(&one).unwrap();
    refused("cat/2.png of ");
    refused("was there when the run began");
    fs::write(&one, &bytes).unwrap();
    fs::write(&another, &bytes).unwrap();
    refused("cat/1a.png of ");
    refused("was not there when the run began");
    fs::remove_file(&another).unwrap();
    place.succeed("run --out runs/a --resume");
}

#[test]
fn an_orientation_in_the_metadata_is_applied() {
    let place = Place::new();
    folder(&place, "s", &["#.png"], 6);
    place.succeed(&run("s", "s", "runs/a"));
    let upright = picture(110, 3);
    save(&upright, &place.path("t/a.png"), ImageFormat::Png);
    // Stored turned to the left, to be shown turned back to the right: orientation 6.
    let turned = image::imageops::rotate270(&upright);
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&turned, 8, 10, ExtendedColorType::Rgb8).unwrap();
    fs::write(place.path("t/b.png"), bytes).unwrap();
    save(&turned, &place.path("t/c.png"), ImageFormat::Png);
    place.succeed("predict --run runs/a --input t --out p.csv");
    let lines = lines(&place, "p.csv");
    let values = |i: usize| lines[i].split_once(',').unwrap().1.to_owned();
    assert_eq!(values(0), values(1));
    assert_ne!(values(0), values(2));
}

#[test]
fn threads_and_cache_change_nothing() {
    let place = Place::new();
    folder(&place, "s", &["#.png", "#.jpg"], 6);
    folder(&place, "t", &["#.webp"], 7);
    for (out, options) in
        [("a", ""), ("b", " --cache 0 --threads 3"), ("c", " --cache 3K --threads 1")]
    {
        place.succeed(&format!("{}{options}", run("s", "t", &format!("runs/{out}"))));
    }
    for file in ["metrics.jsonl", "model-final.safetensors"] {
        let bytes = |out: &str| {
            fs::read(place.path(&format!("runs/{out}/source-only/seed-0/{file}"))).unwrap()
        };
        assert!(bytes("a") == bytes("b") && bytes("a") == bytes("c"), "{file}");
    }
}

/// An array of numbers of one type as NumPy writes it.
fn npy(place: &Place, name: &str, descr: &str, shape: &str, data: Vec<u8>) {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.into_bytes());
    bytes.extend(data);
    fs::write(place.path(name), bytes).unwrap();
}

#[test]
fn pictures_in_arrays_are_the_same_whatever_their_type() {
    let place = Place::new();
    let pixels: Vec<u8> = (0..24)
        .flat_map(|n: usize| {
            (0..256).map(move |i| {
                (if n.is_multiple_of(2) { 60 } else { 170 }) + ((i * 7 + n) % 80) as u8
            })
        })
        .collect();
    let labels = || (0..24).map(|n| n % 2).collect::<Vec<u8>>();
    let array = |name: &str, descr: &str, data: Vec<u8>| {
        npy(&place, &format!("{name}.npy"), descr, "(24, 1, 16, 16)", data);
        npy(&place, &format!("{name}_labels.npy"), "|u1", "(24,)", labels());
    };
    array("bytes", "|u1", pixels.clone());
    let of = |f: &dyn Fn(u8) -> Vec<u8>| pixels.iter().flat_map(|&v| f(v)).collect::<Vec<u8>>();
    let types: [(&str, &str, Vec<u8>, bool); 5] = [
        ("i64", "<i8", of(&|v| i64::from(v).to_le_bytes().to_vec()), true),
        ("f32", "<f4", of(&|v| f32::from(v).to_le_bytes().to_vec()), true),
        ("f64", "<f8", of(&|v| f64::from(v).to_le_bytes().to_vec()), true),
        ("unit", "<f4", of(&|v| (f32::from(v) / 255.0).to_le_bytes().to_vec()), false),
        ("u16", "<u2", of(&|v| (u16::from(v) * 257).to_le_bytes().to_vec()), false),
    ];
    for (name, descr, data, _) in &types {
        array(name, descr, data.clone());
    }
    place.succeed(&run("bytes.npy", "bytes.npy", "runs/bytes"));
    place.succeed("predict --run runs/bytes --input bytes.npy --out bytes.csv");
    for (name, _, _, judged) in &types {
        let output = place
            .command(&run("bytes.npy", &format!("{name}.npy"), &format!("runs/{name}")))
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        assert_eq!(told.contains("255 is taken for white; --value-range"), *judged, "{told}");
        let model = |out: &str| {
            fs::read(place.path(&format!("runs/{out}/source-only/seed-0/metrics.jsonl"))).unwrap()
        };
        assert!(model(name) == model("bytes"), "{name}");
        place.succeed(&format!("predict --run runs/bytes --input {name}.npy --out {name}.csv"));
        assert_eq!(lines(&place, &format!("{name}.csv")), lines(&place, "bytes.csv"));
    }
    // Dark pictures alone look like numbers from 0 to 1; the run remembers what its target was.
    let dark: Vec<u8> = (0..24 * 256).flat_map(|i| ((i % 2) as f32).to_le_bytes()).collect();
    let black: Vec<u8> = (0..24 * 256).map(|i| (i % 2) as u8).collect();
    npy(&place, "dark.npy", "<f4", "(24, 1, 16, 16)", dark);
    npy(&place, "black.npy", "|u1", "(24, 1, 16, 16)", black);
    for name in ["dark", "black"] {
        place.succeed(&format!("predict --run runs/f32 --input {name}.npy --out {name}.csv"));
    }
    assert_eq!(lines(&place, "dark.csv"), lines(&place, "black.csv"));
}
