//! The arrays of a run directory, as NPZ files that any tool can read.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::Path,
};

use ndarray::{Array, Array1, Array2, Array4, Dimension};
use ndarray_npy::{NpzReader, NpzWriter, ReadNpzError, ReadableElement, WritableElement};

use super::{RecordError, files::write_atomic};

/// `outputs.npz`: what the final model says of the rows that score it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelOutputs {
    /// The source validation rows.
    pub source: DomainOutputs,
    /// The target test rows.
    pub target: DomainOutputs,
}

/// The outputs on one domain of n rows. Only m ≤ n of them, drawn with the seed, have their
/// features kept.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainOutputs {
    /// `(m, d)`.
    pub features: Array2<f32>,
    /// `(m,)`: which of the n rows these are, ascending.
    pub feature_rows: Vec<usize>,
    /// `(n,)` predicted class indices.
    pub predictions: Vec<usize>,
    /// `(n,)` true class indices, for the report, none for a row without a label; none at all for a
    /// domain without labels. A class that the source lacks is one behind its classes.
    pub labels: Option<Vec<Option<usize>>>,
}

/// `samples.npz`: a few images of each domain, as they are before normalisation.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleImages {
    /// `(n_s, c, h, w)`, black 0, white 255.
    pub source: Array4<u8>,
    /// `(n_s,)`: which rows of the source validation set these are.
    pub source_index: Vec<usize>,
    /// `(n_t, c, h, w)`.
    pub target: Array4<u8>,
    /// `(n_t,)`: which rows of the target test set these are.
    pub target_index: Vec<usize>,
}

impl ModelOutputs {
    /// Replaces the file.
    ///
    /// # Errors
    /// What the operating system reports.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        write_npz(path, |npz| {
            for (name, domain) in [("source", &self.source), ("target", &self.target)] {
                npz.array(&format!("{name}_features"), &domain.features)?;
                npz.rows(&format!("{name}_index"), &domain.feature_rows)?;
                npz.rows(&format!("{name}_predictions"), &domain.predictions)?;
                if let Some(labels) = &domain.labels {
                    // Where some rows have none, the file says which rows have one.
                    let present: Vec<usize> = labels.iter().copied().flatten().collect();
                    npz.rows(&format!("{name}_labels"), &present)?;
                    if present.len() < labels.len() {
                        let rows = (0..labels.len()).filter(|&row| labels[row].is_some());
                        npz.rows(&format!("{name}_label_rows"), &rows.collect::<Vec<_>>())?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// The file or an array in it is missing, of another type, or the lengths do not agree.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let mut npz = Npz::open(path)?;
        let mut domain = |name: &str| {
            let labels = format!("{name}_labels");
            let label_rows = format!("{name}_label_rows");
            let labels = if npz.has(&labels) { Some(npz.rows(&labels)?) } else { None };
            let label_rows = if npz.has(&label_rows) { Some(npz.rows(&label_rows)?) } else { None };
            let mut outputs = DomainOutputs {
                features: npz.array(&format!("{name}_features"))?,
                feature_rows: npz.rows(&format!("{name}_index"))?,
                predictions: npz.rows(&format!("{name}_predictions"))?,
                labels: None,
            };
            let n = outputs.predictions.len();
            let fits = match (&labels, label_rows) {
                (Some(labels), Some(rows)) => {
                    let mut all = vec![None; n];
                    let fits = rows.len() == labels.len() && rows.iter().all(|&row| row < n);
                    if fits {
                        rows.iter().zip(labels).for_each(|(&row, &label)| all[row] = Some(label));
                    }
                    outputs.labels = Some(all);
                    fits
                }
                (Some(labels), None) => {
                    outputs.labels = Some(labels.iter().copied().map(Some).collect());
                    labels.len() == n
                }
                (None, _) => true,
            };
            if outputs.features.nrows() != outputs.feature_rows.len()
                || outputs.feature_rows.iter().any(|&row| row >= n)
                || !fits
            {
                let reason = format!("the `{name}` arrays do not agree in length");
                return Err(RecordError::malformed(path, reason));
            }
            Ok(outputs)
        };
        Ok(Self { source: domain("source")?, target: domain("target")? })
    }
}

impl SampleImages {
    /// Replaces the file.
    ///
    /// # Errors
    /// What the operating system reports.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        write_npz(path, |npz| {
            npz.array("source", &self.source)?;
            npz.rows("source_index", &self.source_index)?;
            npz.array("target", &self.target)?;
            npz.rows("target_index", &self.target_index)
        })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// The file or an array in it is missing, of another type, or the lengths do not agree.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let mut npz = Npz::open(path)?;
        let samples = Self {
            source: npz.array("source")?,
            source_index: npz.rows("source_index")?,
            target: npz.array("target")?,
            target_index: npz.rows("target_index")?,
        };
        let fits = |images: &Array4<u8>, index: &[usize]| images.dim().0 == index.len();
        if fits(&samples.source, &samples.source_index)
            && fits(&samples.target, &samples.target_index)
        {
            return Ok(samples);
        }
        Err(RecordError::malformed(path, "the images and their indices do not agree in number"))
    }
}

struct Arrays<'f>(NpzWriter<BufWriter<&'f mut File>>);

impl Arrays<'_> {
    fn array<A: WritableElement, D: Dimension>(
        &mut self,
        name: &str,
        array: &Array<A, D>,
    ) -> io::Result<()> {
        self.0.add_array(name, array).map_err(io::Error::other)
    }

    fn rows(&mut self, name: &str, rows: &[usize]) -> io::Result<()> {
        self.array(name, &rows.iter().map(|&row| row as i64).collect::<Array1<_>>())
    }
}

fn write_npz(
    path: &Path,
    write: impl FnOnce(&mut Arrays<'_>) -> io::Result<()>,
) -> Result<(), RecordError> {
    write_atomic(path, |file| {
        let mut arrays = Arrays(NpzWriter::new_compressed(BufWriter::new(file)));
        write(&mut arrays)?;
        arrays.0.finish().map_err(io::Error::other)?.flush()
    })
}

struct Npz<'p> {
    path: &'p Path,
    reader: NpzReader<BufReader<File>>,
    names: Vec<String>,
}

impl<'p> Npz<'p> {
    fn open(path: &'p Path) -> Result<Self, RecordError> {
        let file = File::open(path).map_err(|e| RecordError::io(path, e))?;
        let malformed = |e: ReadNpzError| RecordError::malformed(path, e);
        let mut reader = NpzReader::new(BufReader::new(file)).map_err(malformed)?;
        let names = reader.names().map_err(malformed)?;
        Ok(Self { path, reader, names })
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    fn array<A: ReadableElement, D: Dimension>(
        &mut self,
        name: &str,
    ) -> Result<Array<A, D>, RecordError> {
        self.reader
            .by_name(name)
            .map_err(|e| RecordError::malformed(self.path, format!("array `{name}`: {e}")))
    }

    fn rows(&mut self, name: &str) -> Result<Vec<usize>, RecordError> {
        let rows: Array1<i64> = self.array(name)?;
        let index = |&row: &i64| {
            usize::try_from(row).map_err(|_| {
                RecordError::malformed(self.path, format!("array `{name}`: {row} is no index"))
            })
        };
        rows.iter().map(index).collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn outputs() -> ModelOutputs {
        let source = DomainOutputs {
            features: array![[1.0, 2.0], [3.0, 4.0]],
            feature_rows: vec![0, 2],
            predictions: vec![0, 1, 1],
            labels: Some(vec![Some(0), None, Some(1)]),
        };
        ModelOutputs { target: DomainOutputs { labels: None, ..source.clone() }, source }
    }

    #[test]
    fn outputs_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outputs.npz");
        outputs().write(&path).unwrap();
        assert_eq!(ModelOutputs::read(&path).unwrap(), outputs());
    }

    #[test]
    fn samples_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.npz");
        let samples = SampleImages {
            source: Array4::from_shape_fn((2, 1, 3, 3), |(n, _, i, j)| (100 * n + 3 * i + j) as u8),
            source_index: vec![4, 7],
            target: Array4::zeros((1, 1, 3, 3)),
            target_index: vec![0],
        };
        samples.write(&path).unwrap();
        assert_eq!(SampleImages::read(&path).unwrap(), samples);
    }

    #[test]
    fn reading_errors_name_file_and_array() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outputs.npz");
        let mut wrong = outputs();
        wrong.source.feature_rows = vec![0, 3];
        wrong.write(&path).unwrap();
        let message = ModelOutputs::read(&path).unwrap_err().to_string();
        assert!(message.ends_with("outputs.npz: the `source` arrays do not agree in length"));
        let message = SampleImages::read(&path).unwrap_err().to_string();
        assert!(message.contains("outputs.npz: array `source`: "), "{message}");
        std::fs::write(&path, b"no zip").unwrap();
        assert!(ModelOutputs::read(&path).is_err());
    }
}
