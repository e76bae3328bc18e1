//! Fitted maps on disk: one safetensors file of f64 tensors, whose metadata holds a JSON document
//! that says what they are. Reading runs no code and trusts no size.

use std::{collections::HashMap, io::Write as _, path::Path};

use anyhow::{Context, Result, anyhow, bail, ensure};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transduct_adapt::{
    math::gram::Kernel,
    shallow::{Affine, LowRank, Map},
    standard::Standardise,
};

use transduct_core::data::table::{Encoding, Table};

use crate::record::write_atomic;

/// The layout that this program writes. Since 2 it has low-rank maps and copies, since 3 columns'
/// units.
const FORMAT: u32 = 3;

/// The oldest layout that it reads.
const OLDEST: u32 = 1;

/// The metadata key of the document.
const DOCUMENT: &str = "transduct-map";

/// A fitted map and what it was fitted on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MapFile {
    /// The method's name.
    pub(crate) method: String,
    /// All its options.
    pub(crate) options: Value,
    /// How tables become features.
    pub(crate) encoding: Encoding,
    /// The names of the columns that come out, where the features had names.
    pub(crate) outputs: Option<Vec<String>>,
    /// For source rows.
    pub(crate) source: Map,
    /// For target rows.
    pub(crate) target: Map,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    program: String,
    method: String,
    options: Value,
    d: usize,
    encoding: Encoding,
    outputs: Option<Vec<String>>,
    source: Node,
    target: Node,
}

/// A [`Map`] whose arrays are tensors of the file, by name.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Node {
    Identity,
    UnitRows,
    Affine { shift: String, matrix: String, offset: String },
    LowRank { shift: String, scale: f64, left: String, right: String, offset: String },
    Copies { features: usize, factors: String },
    Kernel { kernel: Kernel, anchors: String, offset: String, weights: String },
    Displacement { anchors: String, images: String },
    Standardise { mean: String, deviation: String },
    Restore { mean: String, deviation: String },
    Sequence(Vec<Node>),
}

impl MapFile {
    /// Replaces the file.
    ///
    /// # Errors
    /// A map of a kind that has no place in the file; what the operating system reports.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut tensors = Tensors::default();
        let document = Document {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            method: self.method.clone(),
            options: self.options.clone(),
            d: self.encoding.names().len(),
            encoding: self.encoding.clone(),
            outputs: self.outputs.clone(),
            source: tensors.store("source", &self.source)?,
            target: tensors.store("target", &self.target)?,
        };
        let bytes = tensors.to_bytes(serde_json::to_string(&document)?)?;
        Ok(write_atomic(path, |file| file.write_all(&bytes))?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// One line that names the file: it is no such file, cut short, of another format, or its
    /// arrays do not fit each other or are not finite.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        Self::parse(&bytes).with_context(|| path.display().to_string())
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = |e| anyhow!("not a safetensors file, or damaged: {e}");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(DOCUMENT))
            .context("a safetensors file, but no map that `transduct align --save` wrote")?;
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let unreadable = "its description cannot be read";
        let Format { format } = serde_json::from_str(text).context(unreadable)?;
        ensure!(
            (OLDEST..=FORMAT).contains(&format),
            "format {format}: this program reads formats {OLDEST} to {FORMAT}"
        );
        let document: Document = serde_json::from_str(text).context(unreadable)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let d = document.encoding.names().len();
        ensure!(d == document.d, "{d} columns are described: expected {}", document.d);
        let source = load(&document.source, &tensors)?;
        let target = load(&document.target, &tensors)?;
        let widths = [("source", width(&source, d)?), ("target", width(&target, d)?)];
        if let Some(outputs) = &document.outputs {
            for (domain, k) in widths {
                let n = outputs.len();
                ensure!(k == n, "the {domain} map has {k} columns: expected {n}, as are named");
            }
        }
        Ok(Self {
            method: document.method,
            options: document.options,
            encoding: document.encoding,
            outputs: document.outputs,
            source,
            target,
        })
    }
}

/// Reads a file and maps a row of zeros, as `transduct apply` does with the rows of a table: what a
/// damaged file can do shows here.
///
/// # Errors
/// Those of reading and of applying.
pub fn try_out(path: &Path) -> Result<()> {
    let file = MapFile::read(path)?;
    let table = Table::of_numbers(path, Array2::zeros((1, file.encoding.len())))?;
    let x = file.encoding.apply(&table, &[])?;
    for map in [&file.source, &file.target] {
        map.apply(x.view())?;
    }
    Ok(())
}

/// k of a map of rows `(n, d)`.
fn width(map: &Map, d: usize) -> Result<usize> {
    // Copies of copies are short to write down.
    let most = 1 << 21;
    let wide = |features: usize, times: usize| {
        let k = features.saturating_mul(times);
        ensure!(k <= most, "its copies have {k} columns: expected at most {most}");
        Ok(k)
    };
    if let Map::Copies { features, factors } = map {
        ensure!(*features == d, "its copies are of {features} columns: expected {d}");
        return wide(d, factors.len());
    }
    if let Map::Sequence(maps) = map {
        return maps.iter().try_fold(d, |d, map| width(map, d));
    }
    Ok(map.apply(Array2::zeros((1, d)).view())?.ncols())
}

/// Arrays by name, with their shape and bytes.
#[derive(Default)]
struct Tensors(Vec<(String, Vec<usize>, Vec<u8>)>);

impl Tensors {
    fn store(&mut self, place: &str, map: &Map) -> Result<Node> {
        Ok(match map {
            Map::Identity => Node::Identity,
            Map::UnitRows => Node::UnitRows,
            Map::Affine(Affine { shift, matrix, offset }) => Node::Affine {
                shift: self.vector(place, "shift", shift),
                matrix: self.matrix(place, "matrix", matrix.view()),
                offset: self.vector(place, "offset", offset),
            },
            Map::LowRank(LowRank { shift, scale, left, right, offset }) => Node::LowRank {
                shift: self.vector(place, "shift", shift),
                scale: *scale,
                left: self.matrix(place, "left", left.view()),
                right: self.matrix(place, "right", right.view()),
                offset: self.vector(place, "offset", offset),
            },
            Map::Copies { features, factors } => {
                let factors = Array1::from(factors.clone());
                Node::Copies {
                    features: *features,
                    factors: self.vector(place, "factors", &factors),
                }
            }
            Map::Kernel { kernel, anchors, offset, weights } => Node::Kernel {
                kernel: *kernel,
                anchors: self.matrix(place, "anchors", anchors.view()),
                offset: self.vector(place, "offset", offset),
                weights: self.matrix(place, "weights", weights.view()),
            },
            Map::Displacement { anchors, images } => Node::Displacement {
                anchors: self.matrix(place, "anchors", anchors.view()),
                images: self.matrix(place, "images", images.view()),
            },
            Map::Standardise(Standardise { mean, deviation }) => Node::Standardise {
                mean: self.vector(place, "mean", mean),
                deviation: self.vector(place, "deviation", deviation),
            },
            Map::Restore(Standardise { mean, deviation }) => Node::Restore {
                mean: self.vector(place, "mean", mean),
                deviation: self.vector(place, "deviation", deviation),
            },
            Map::Sequence(maps) => {
                let store = |(i, map)| self.store(&format!("{place}.{i}"), map);
                Node::Sequence(maps.iter().enumerate().map(store).collect::<Result<_>>()?)
            }
        })
    }

    fn matrix(&mut self, place: &str, part: &str, x: ArrayView2<'_, f64>) -> String {
        let name = format!("{place}.{part}");
        let bytes = x.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.0.push((name.clone(), x.shape().to_vec(), bytes));
        name
    }

    fn vector(&mut self, place: &str, part: &str, x: &Array1<f64>) -> String {
        let name = self.matrix(place, part, x.view().insert_axis(Axis(0)));
        if let Some((_, shape, _)) = self.0.last_mut() {
            *shape = vec![x.len()];
        }
        name
    }

    fn to_bytes(&self, document: String) -> Result<Vec<u8>> {
        let mut views = Vec::with_capacity(self.0.len());
        for (name, shape, bytes) in &self.0 {
            views.push((name.as_str(), TensorView::new(Dtype::F64, shape.clone(), bytes)?));
        }
        let metadata = HashMap::from([(DOCUMENT.to_owned(), document)]);
        Ok(safetensors::serialize(views, Some(metadata))?)
    }
}

/// The map that a node describes. Its parts fit each other, so that applying it cannot fail on
/// finite rows of its d.
fn load(node: &Node, tensors: &SafeTensors<'_>) -> Result<Map> {
    let fits = |fits: bool| match fits {
        true => Ok(()),
        false => Err(anyhow!("the shapes of its tensors do not fit each other")),
    };
    Ok(match node {
        Node::Identity => Map::Identity,
        Node::UnitRows => Map::UnitRows,
        Node::Affine { shift, matrix, offset } => {
            let (shift, offset) = (vector(shift, tensors)?, vector(offset, tensors)?);
            let matrix = matrix_of(matrix, tensors)?;
            fits(matrix.dim() == (shift.len(), offset.len()))?;
            Map::Affine(Affine { shift, matrix, offset })
        }
        Node::LowRank { shift, scale, left, right, offset } => {
            ensure!(scale.is_finite(), "its low-rank map has the scale {scale}");
            let (shift, offset) = (vector(shift, tensors)?, vector(offset, tensors)?);
            let (left, right) = (matrix_of(left, tensors)?, matrix_of(right, tensors)?);
            let d = shift.len();
            fits(left.nrows() == d && right.ncols() == d && offset.len() == d)?;
            fits(left.ncols() == right.nrows())?;
            Map::LowRank(LowRank { shift, scale: *scale, left, right, offset })
        }
        Node::Copies { features, factors } => {
            let factors = vector(factors, tensors)?.to_vec();
            fits(!factors.is_empty())?;
            Map::Copies { features: *features, factors }
        }
        Node::Kernel { kernel, anchors, offset, weights } => {
            if let Kernel::Gaussian { sigma } = kernel {
                ensure!(sigma.is_finite() && *sigma > 0.0, "its kernel has the width {sigma}");
            }
            let (anchors, weights) = (matrix_of(anchors, tensors)?, matrix_of(weights, tensors)?);
            let offset = vector(offset, tensors)?;
            fits(anchors.nrows() == offset.len() && weights.nrows() == offset.len())?;
            Map::Kernel { kernel: *kernel, anchors, offset, weights }
        }
        Node::Displacement { anchors, images } => {
            let (anchors, images) = (matrix_of(anchors, tensors)?, matrix_of(images, tensors)?);
            fits(anchors.dim() == images.dim() && anchors.nrows() > 0)?;
            Map::Displacement { anchors, images }
        }
        Node::Standardise { mean, deviation } => Map::Standardise(units(mean, deviation, tensors)?),
        Node::Restore { mean, deviation } => Map::Restore(units(mean, deviation, tensors)?),
        Node::Sequence(nodes) => {
            Map::Sequence(nodes.iter().map(|node| load(node, tensors)).collect::<Result<_>>()?)
        }
    })
}

fn units(mean: &str, deviation: &str, tensors: &SafeTensors<'_>) -> Result<Standardise> {
    let (mean, deviation) = (vector(mean, tensors)?, vector(deviation, tensors)?);
    ensure!(mean.len() == deviation.len(), "its columns have not as many means as deviations");
    ensure!(deviation.iter().all(|&s| s > 0.0), "a deviation of its columns is not above 0");
    Ok(Standardise { mean, deviation })
}

fn values(name: &str, tensors: &SafeTensors<'_>) -> Result<(Vec<usize>, Vec<f64>)> {
    let view = tensors.tensor(name).map_err(|_| anyhow!("no tensor `{name}`"))?;
    ensure!(view.dtype() == Dtype::F64, "tensor `{name}`: expected F64, got {:?}", view.dtype());
    let (words, _) = view.data().as_chunks::<8>();
    let values: Vec<f64> = words.iter().map(|word| f64::from_le_bytes(*word)).collect();
    if values.iter().any(|value| !value.is_finite()) {
        bail!("tensor `{name}` holds NaN or infinite values");
    }
    Ok((view.shape().to_vec(), values))
}

fn matrix_of(name: &str, tensors: &SafeTensors<'_>) -> Result<Array2<f64>> {
    match values(name, tensors)? {
        (shape, values) if shape.len() == 2 => {
            Ok(Array2::from_shape_vec((shape[0], shape[1]), values)?)
        }
        (shape, _) => bail!("tensor `{name}`: expected a matrix, got shape {shape:?}"),
    }
}

fn vector(name: &str, tensors: &SafeTensors<'_>) -> Result<Array1<f64>> {
    match values(name, tensors)? {
        (shape, values) if shape.len() == 1 => Ok(values.into()),
        (shape, _) => bail!("tensor `{name}`: expected a vector, got shape {shape:?}"),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn file(document: impl FnOnce(&str) -> String) -> Vec<u8> {
        let mut tensors = Tensors::default();
        let source = tensors.store("source", &chain()).unwrap();
        let document_text = serde_json::to_string(&Document {
            format: FORMAT,
            program: "0".into(),
            method: "m".into(),
            options: Value::Null,
            d: 2,
            encoding: encoding(),
            outputs: None,
            source,
            target: Node::UnitRows,
        })
        .unwrap();
        tensors.to_bytes(document(&document_text)).unwrap()
    }

    fn encoding() -> Encoding {
        let json = r#"{"named": true, "columns": [{"name": "a", "levels": null},
            {"name": "b", "levels": null}], "positions": [0, 1], "width": 2, "excluded": []}"#;
        serde_json::from_str(json).unwrap()
    }

    fn chain() -> Map {
        let affine = Affine {
            shift: array![0.1, 0.2],
            matrix: array![[1.0, 0.0, 1.0 / 3.0], [0.0, 2.0, 4.0]],
            offset: array![1.0, 2.0, 3.0],
        };
        let kernel = Map::Kernel {
            kernel: Kernel::Gaussian { sigma: 0.5 },
            anchors: array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
            offset: array![0.5, 0.25],
            weights: array![[1.0, 2.0], [3.0, 4.0]],
        };
        let moved = Map::Displacement { anchors: array![[0.0, 1.0]], images: array![[1.0, 1.0]] };
        let low_rank = LowRank {
            shift: array![0.1, 0.2],
            scale: 1.0 / 7.0,
            left: array![[1.0], [2.0]],
            right: array![[0.3, -4.0]],
            offset: array![0.0, 5.0],
        };
        let units = Standardise { mean: array![1.0, -0.1], deviation: array![1.0 / 3.0, 7.0] };
        Map::Sequence(vec![
            Map::UnitRows,
            Map::Affine(affine),
            kernel,
            Map::Identity,
            moved,
            Map::LowRank(low_rank),
            Map::Copies { features: 2, factors: vec![1.0] },
            Map::Standardise(units.clone()),
            Map::Restore(units),
        ])
    }

    #[test]
    fn every_kind_of_map_comes_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.safetensors");
        let written = MapFile {
            method: "m".into(),
            options: serde_json::json!({"regularisation": 0.1}),
            encoding: encoding(),
            outputs: Some(vec!["a".into(), "b".into()]),
            source: chain(),
            target: Map::Identity,
        };
        written.write(&path).unwrap();
        assert_eq!(MapFile::read(&path).unwrap(), written);
    }

    #[test]
    fn files_of_the_formats_before_are_read() {
        for format in ["\"format\":1", "\"format\":2"] {
            let old = file(|text| text.replace("\"format\":3", format));
            assert_eq!(MapFile::parse(&old).unwrap().source, chain());
        }
    }

    #[test]
    fn damaged_and_foreign_files_are_refused() {
        let good = file(str::to_owned);
        assert_eq!(MapFile::parse(&good).unwrap().source, chain());
        for end in 0..good.len() {
            assert!(MapFile::parse(&good[..end]).is_err(), "{end} of {} bytes", good.len());
        }
        let message = |change: &dyn Fn(&str) -> String| {
            format!("{:#}", MapFile::parse(&file(|text| change(text))).unwrap_err())
        };
        let other = message(&|text| text.replace("\"format\":3", "\"format\":7"));
        assert_eq!(other, "format 7: this program reads formats 1 to 3");
        let lost = message(&|text| text.replace("source.1.shift", "source.9.shift"));
        assert_eq!(lost, "no tensor `source.9.shift`");
        let shapes = message(&|text| text.replace("source.2.weights", "source.4.images"));
        assert_eq!(shapes, "the shapes of its tensors do not fit each other");
        let shapes = message(&|text| text.replace("source.5.right", "source.5.left"));
        assert_eq!(shapes, "the shapes of its tensors do not fit each other");
        let units = message(&|text| text.replace("source.7.deviation", "source.7.mean"));
        assert_eq!(units, "a deviation of its columns is not above 0");
        // Each step is short to write down and doubles the columns.
        let copies = |n: usize| {
            let step = |i: u32| {
                let features = 2 * 2u64.pow(i);
                format!(r#"{{"copies":{{"features":{features},"factors":"source.5.offset"}}}}"#)
            };
            let steps: Vec<String> = (0..n as u32).map(step).collect();
            let map = format!(r#""target":{{"sequence":[{}]}}"#, steps.join(","));
            message(&|text| text.replace(r#""target":"unit-rows""#, &map))
        };
        assert_eq!(copies(50), "its copies have 4194304 columns: expected at most 2097152");
        let position =
            message(&|text| text.replace(r#""positions":[0,1]"#, r#""positions":[0,9]"#));
        assert!(
            position.starts_with("its description cannot be read: column 9 of 2"),
            "{position}"
        );
        let foreign = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
        let message = MapFile::parse(&foreign).unwrap_err().to_string();
        assert!(message.starts_with("a safetensors file, but no map"), "{message}");
    }
}
