//! Named tensors and one JSON document in one safetensors file: what checkpoints and models are.
//!
//! The document travels in the file's metadata, so that tensors and the rest can never be of
//! different moments.

use std::collections::{BTreeMap, HashMap};

use half::f16;
use ndarray::{ArrayD, IxDyn};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Dev, Error, Parameter, Result, Scope};

/// Tensors by name.
pub type Tensors = BTreeMap<String, ArrayD<f32>>;

/// The numbers of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32 bits: what training computes in.
    #[default]
    Single,
    /// 16 bits, half the size: each number keeps 11 binary digits.
    Half,
}

/// The metadata key of the document.
const DOCUMENT: &str = "transduct";

/// The values of these parameters and buffers by name, for instance `backbone/conv1.weight`.
pub fn values<D: Dev>(parameters: &[(Scope, Parameter<D>)]) -> Tensors {
    let array = |p: &Parameter<D>| {
        ArrayD::from_shape_vec(IxDyn(p.dims()), p.to_vec()).expect("values fill their dimensions")
    };
    parameters.iter().map(|(scope, p)| (p.path(scope), array(p))).collect()
}

/// Gives the parameters the values of these names.
///
/// # Errors
/// [`Error::File`] that names `path` and the first tensor that is missing, of another shape, or not
/// finite; no parameter has changed then.
pub fn restore<D: Dev>(
    path: &str,
    tensors: &Tensors,
    parameters: &[(Scope, Parameter<D>)],
) -> Result<()> {
    let wrong = |reason: String| Error::File { path: path.to_owned(), reason };
    let mut found = Vec::with_capacity(parameters.len());
    for (scope, parameter) in parameters {
        let name = parameter.path(scope);
        let array = tensors.get(&name).ok_or_else(|| wrong(format!("no tensor `{name}`")))?;
        if array.shape() != parameter.dims() {
            let (expected, got) = (parameter.dims(), array.shape());
            return Err(wrong(format!(
                "tensor `{name}`: expected shape {expected:?}, got {got:?}"
            )));
        }
        if array.iter().any(|v| !v.is_finite()) {
            return Err(wrong(format!("tensor `{name}` holds NaN or infinite values")));
        }
        found.push(array);
    }
    for ((_, parameter), array) in parameters.iter().zip(found) {
        parameter.set(&array.iter().copied().collect::<Vec<_>>())?;
    }
    Ok(())
}

/// The numbers in row-major order, little-endian.
fn encoded(array: &ArrayD<f32>, precision: Precision) -> Vec<u8> {
    match precision {
        Precision::Single => array.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Precision::Half => array.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
    }
}

/// The bytes of a file.
///
/// # Errors
/// [`Error::File`] when the document cannot be written as JSON, or a number is beyond the precision.
pub(crate) fn to_bytes(
    document: &impl Serialize,
    tensors: &Tensors,
    precision: Precision,
) -> Result<Vec<u8>> {
    let wrong = |e: &dyn std::fmt::Display| Error::File {
        path: "safetensors".to_owned(),
        reason: e.to_string(),
    };
    let json = serde_json::to_string(document).map_err(|e| wrong(&e))?;
    if precision == Precision::Half {
        let largest = f16::MAX.to_f32();
        for (name, array) in tensors {
            if let Some(v) = array.iter().find(|v| v.abs() > largest) {
                let reason = format!("tensor `{name}` holds {v}: half precision ends at {largest}");
                return Err(wrong(&reason));
            }
        }
    }
    let dtype = match precision {
        Precision::Single => Dtype::F32,
        Precision::Half => Dtype::F16,
    };
    let bytes: Vec<Vec<u8>> = tensors.values().map(|a| encoded(a, precision)).collect();
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, array), bytes) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(dtype, array.shape().to_vec(), bytes);
        views.push((name.as_str(), view.map_err(|e| wrong(&e))?));
    }
    let metadata = HashMap::from([(DOCUMENT.to_owned(), json)]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| wrong(&e))
}

/// The document and the tensors of a file. `path` is for messages.
///
/// # Errors
/// [`Error::File`] for anything but what [`to_bytes`] wrote.
pub(crate) fn from_bytes<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<(T, Tensors)> {
    let wrong = |reason: String| Error::File { path: path.to_owned(), reason };
    let damaged = |e| wrong(format!("not a safetensors file, or damaged: {e}"));
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let document = header
        .metadata()
        .as_ref()
        .and_then(|m| m.get(DOCUMENT))
        .ok_or_else(|| wrong("a safetensors file, but not one of Transduct's".to_owned()))?;
    let document = serde_json::from_str(document)
        .map_err(|e| wrong(format!("its description cannot be read: {e}")))?;
    let mut tensors = Tensors::new();
    for (name, view) in SafeTensors::deserialize(bytes).map_err(damaged)?.tensors() {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => {
                data.chunks_exact(4).map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]])).collect()
            }
            Dtype::F16 => {
                data.chunks_exact(2).map(|w| f16::from_le_bytes([w[0], w[1]]).to_f32()).collect()
            }
            other => {
                return Err(wrong(format!("tensor `{name}`: expected F32 or F16, got {other:?}")));
            }
        };
        let array = ArrayD::from_shape_vec(IxDyn(view.shape()), values)
            .map_err(|e| wrong(format!("tensor `{name}`: {e}")))?;
        tensors.insert(name, array);
    }
    Ok((document, tensors))
}

/// Replaces the file at `path` by these bytes; see [`replace_file`].
///
/// # Errors
/// [`Error::File`] when the system refuses; the old content is intact then.
#[cfg(feature = "files")]
pub fn write_atomically(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;

    replace_file(path, |file| file.write_all(bytes))
        .map_err(|e| Error::File { path: path.display().to_string(), reason: e.to_string() })
}

/// Replaces the file at `path` by what `write` writes: whoever reads it, or a crash at any moment,
/// finds the old content or the new one, whole, and the new one is on disk when this returns.
///
/// # Errors
/// What the system or `write` reports, a full disk for instance; the old content is intact then.
#[cfg(feature = "files")]
pub fn replace_file(
    path: &std::path::Path,
    write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => std::path::Path::new("."),
    };
    // In the same folder: a rename does not cross file systems.
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    // As any other new file: by default a temporary one is its owner's alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The rename itself is durable once the folder is.
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}

/// The bytes of the file at `path`.
///
/// # Errors
/// [`Error::File`] when the system refuses.
#[cfg(feature = "files")]
pub fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|e| Error::File { path: path.display().to_string(), reason: e.to_string() })
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    fn file() -> (Tensors, Vec<u8>) {
        let tensors = Tensors::from([
            ("a".to_owned(), arr2(&[[1.0f32, 2.0], [3.0, 4.0]]).into_dyn()),
            ("b".to_owned(), ArrayD::zeros(IxDyn(&[0]))),
        ]);
        let bytes = to_bytes(&"document", &tensors, Precision::Single).unwrap();
        (tensors, bytes)
    }

    #[test]
    fn a_file_round_trips() {
        let (tensors, bytes) = file();
        assert_eq!(from_bytes::<String>("f", &bytes).unwrap(), ("document".to_owned(), tensors));
    }

    #[test]
    fn half_precision_keeps_eleven_binary_digits() {
        let tensors = Tensors::from([("a".to_owned(), arr2(&[[0.1f32, -3.0, 1e-5]]).into_dyn())]);
        let bytes = to_bytes(&0, &tensors, Precision::Half).unwrap();
        let (_, read) = from_bytes::<u8>("f", &bytes).unwrap();
        for (a, b) in tensors["a"].iter().zip(&read["a"]) {
            assert!((a - b).abs() <= a.abs() * 2f32.powi(-11) + 2f32.powi(-25), "{a} {b}");
        }
        let tensors = Tensors::from([("a".to_owned(), arr2(&[[7e4f32]]).into_dyn())]);
        let message = to_bytes(&0, &tensors, Precision::Half).unwrap_err().to_string();
        assert!(message.ends_with("tensor `a` holds 70000: half precision ends at 65504"));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let (_, bytes) = file();
        for end in 0..bytes.len() {
            let error = from_bytes::<String>("f", &bytes[..end]).unwrap_err().to_string();
            assert!(error.starts_with("f: "), "{error}");
        }
    }

    #[test]
    fn another_tools_file_is_named_as_such() {
        let bytes = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
        let error = from_bytes::<String>("f", &bytes).unwrap_err().to_string();
        assert_eq!(error, "f: a safetensors file, but not one of Transduct's");
    }

    #[cfg(feature = "files")]
    #[test]
    fn a_refused_write_keeps_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode();
            let ordinary = folder.path().join("ordinary");
            std::fs::write(&ordinary, b"").unwrap();
            assert_eq!(mode(&path), mode(&ordinary));
            std::fs::remove_file(&ordinary).unwrap();
        }
        let nowhere = folder.path().join("missing").join("x");
        assert!(write_atomically(&nowhere, b"new").is_err());
    }
}
