//! Arrays: IDX, NPY, NPZ, MAT.

use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::Result;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use ndarray::{Array, Array1, Array2, Array4, Dimension};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpyExt};
use transduct_core::data::{
    idx, mat, npy,
    read::{LabelSearch, ReadOptions},
};

use super::{at_the_door, choice};
use crate::Reader;

pub(super) const IDX: Reader =
    Reader { name: "idx", file: "input.idx", seeds: idx_seeds, read: read_idx };
pub(super) const NPY: Reader =
    Reader { name: "npy", file: "input.npy", seeds: npy_seeds, read: read_npy };
pub(super) const NPZ: Reader =
    Reader { name: "npz", file: "input.npz", seeds: npz_seeds, read: read_npz };
pub(super) const MAT: Reader =
    Reader { name: "mat", file: "input.mat", seeds: mat_seeds, read: read_mat };

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn idx_seeds() -> Vec<Vec<u8>> {
    let array = |code: u8, width: usize, dims: &[u32]| {
        let n: u32 = dims.iter().product();
        let mut bytes = vec![0, 0, code, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
        bytes.extend((0..n as usize * width).map(|i| (i * 7) as u8 & 0x3f));
        bytes
    };
    let images = array(8, 1, &[3, 4, 4]);
    let labels = array(8, 1, &[5]);
    let others = [(9, 1), (11, 2), (12, 4), (13, 4), (14, 8)];
    let mut seeds = vec![gzip(&images), gzip(&labels), images, labels];
    seeds.extend(others.map(|(code, width)| array(code, width, &[2, 2, 3])));
    seeds
}

fn read_idx(path: &Path) -> Result<()> {
    let array = idx::read(path)?;
    match array.dims.len() {
        1 => drop(idx::read_labels(path)?),
        _ => drop(idx::read_images(path)?),
    }
    Ok(())
}

fn npy<A: WritableElement, D: Dimension>(array: &Array<A, D>) -> Vec<u8> {
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).expect("memory");
    bytes
}

/// A file with this header of a version.
fn npy_of(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn text_array() -> Vec<u8> {
    let data: Vec<u8> = "cat\0dog\0".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    npy_of(1, "{'descr': '<U4', 'fortran_order': False, 'shape': (2,), }\n", &data)
}

fn grid(n: usize, d: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(i, j)| 0.5 * i as f64 - j as f64)
}

fn npy_seeds() -> Vec<Vec<u8>> {
    let x = grid(4, 3);
    let images = Array4::from_shape_fn((2, 1, 3, 4), |(n, _, h, w)| (60 * n + 5 * h + w) as u8);
    let numbers: Vec<u8> = (0..12).map(|i| i * 17).collect();
    vec![
        npy(&x),
        npy(&x.clone().reversed_axes()),
        npy(&x.mapv(|v| v as f32)),
        npy(&x.mapv(|v| v as i64)),
        npy(&x.mapv(|v| v as u8)),
        npy(&x.mapv(|v| v > 0.0)),
        npy(&images),
        npy(&Array1::from(vec![0i64, 1, 1])),
        npy(&Array2::from_elem((3, 1), 2.0f32)),
        text_array(),
        npy_of(1, "{'descr': '|S3', 'fortran_order': False, 'shape': (2, 1), }\n", b"catdog"),
        npy(&images.mapv(|v| f32::from(v) / 255.0)),
        npy(&images.mapv(|v| u16::from(v) * 257)),
        npy_of(2, "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n", &numbers),
        npy_of(3, "{'descr': '<f2', 'fortran_order': False, 'shape': (3L, 2L), }\n", &numbers),
    ]
}

fn read_npy(path: &Path) -> Result<()> {
    let rows = at_the_door(path, &ReadOptions::default(), LabelSearch::Unread);
    // It may be a file of labels too, numbers or text.
    let bytes = std::fs::read(path)?;
    drop(npy::parse_labels(&bytes, path));
    let labels = npy::parse_label_texts(&bytes, path);
    rows.or_else(|_| Ok(labels.map(drop)?))
}

fn npz_seeds() -> Vec<Vec<u8>> {
    type Writer = NpzWriter<Cursor<Vec<u8>>>;
    let archive = |packed: bool, fill: &dyn Fn(&mut Writer)| {
        let to = Cursor::new(Vec::new());
        let mut npz = if packed { NpzWriter::new_compressed(to) } else { NpzWriter::new(to) };
        fill(&mut npz);
        npz.finish().expect("memory").into_inner()
    };
    let ints = |values: &[i64]| Array1::from(values.to_vec());
    let data = Array1::from(vec![1.5f64, 2.0, -3.0]);
    let labelled = |npz: &mut Writer| {
        npz.add_array("x", &grid(3, 2)).expect("memory");
        npz.add_array("y", &ints(&[0, 1, 1])).expect("memory");
    };
    let images = |npz: &mut Writer| {
        npz.add_array("x", &Array4::<u8>::from_elem((2, 3, 4, 4), 9)).expect("memory");
        npz.add_array("y", &Array2::<f32>::ones((2, 1))).expect("memory");
    };
    let rows = |npz: &mut Writer| {
        npz.add_array("data", &data).expect("memory");
        npz.add_array("indices", &ints(&[2, 0, 1])).expect("memory");
        npz.add_array("indptr", &ints(&[0, 1, 3])).expect("memory");
        npz.add_array("shape", &ints(&[2, 3])).expect("memory");
    };
    let places = |npz: &mut Writer| {
        npz.add_array("s_data", &data).expect("memory");
        npz.add_array("s_row", &ints(&[1, 0, 1])).expect("memory");
        npz.add_array("s_col", &ints(&[0, 2, 1])).expect("memory");
        npz.add_array("s_shape", &ints(&[2, 4])).expect("memory");
    };
    let of_scipy = ["csr", "csc", "coo", "dia"].map(|kind| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../core/src/data/npy/sparse");
        (kind != "dia").then(|| std::fs::read(format!("{folder}/{kind}.npz")).ok()).flatten()
    });
    let stored = |files: &[(&str, Vec<u8>)]| zip(files);
    let mut seeds = vec![
        archive(false, &labelled),
        archive(true, &labelled),
        archive(true, &images),
        archive(false, &rows),
        archive(true, &places),
        stored(&[("x.npy", npy(&grid(2, 2))), ("y.npy", text_array())]),
        stored(&[
            ("data.npy", npy(&data)),
            ("indices.npy", npy(&ints(&[1, 0, 1]))),
            ("indptr.npy", npy(&ints(&[0, 1, 3]))),
            ("shape.npy", npy(&ints(&[3, 2]))),
            (
                "format.npy",
                npy_of(1, "{'descr': '|S3', 'fortran_order': False, 'shape': (), }\n", b"csc"),
            ),
        ]),
    ];
    seeds.extend(of_scipy.into_iter().flatten());
    seeds
}

/// An archive of stored files: `NpzWriter` takes no text.
fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in files {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let mut entry = Vec::new();
        entry.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        entry.extend(crc.sum().to_le_bytes());
        entry.extend((data.len() as u32).to_le_bytes());
        entry.extend((data.len() as u32).to_le_bytes());
        entry.extend((name.len() as u16).to_le_bytes());
        entry.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&entry);
        directory.extend([0; 10]);
        directory.extend((bytes.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&entry);
        bytes.extend(name.as_bytes());
        bytes.extend(data);
    }
    let at = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    let n = (files.len() as u16).to_le_bytes();
    bytes.extend([n, n].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn read_npz(path: &Path) -> Result<()> {
    // The other entrances, for registered data sets; the door's answer counts.
    let bytes = std::fs::read(path)?;
    match choice(path, 4)? {
        0 => drop(npy::parse_npz(&bytes, path)),
        1 => drop(npy::parse_npz_sparse(&bytes, path)),
        _ => {}
    }
    at_the_door(path, &ReadOptions::default(), LabelSearch::Default)
}

fn mat_seeds() -> Vec<Vec<u8>> {
    let file = |big: bool, packed: bool, variables: &[Vec<u8>]| {
        let mut bytes = vec![b' '; 124];
        bytes[..19].copy_from_slice(b"MATLAB 5.0 MAT-file");
        bytes.extend(if big { *b"\x01\x00MI" } else { *b"\x00\x01IM" });
        for variable in variables {
            match packed {
                true => {
                    let data = zlib(variable);
                    bytes.extend(word(big, 15));
                    bytes.extend(word(big, data.len() as u32));
                    bytes.extend(data);
                }
                false => bytes.extend(variable),
            }
        }
        bytes
    };
    let pair = |big: bool| {
        let numbers = grid(3, 2).reversed_axes();
        let doubles: Vec<u8> = numbers
            .iter()
            .flat_map(|v| if big { v.to_be_bytes() } else { v.to_le_bytes() })
            .collect();
        [
            variable(big, "fts", (6, 9), &[3, 2], &doubles),
            variable(big, "labels", (9, 2), &[3, 1], &[1, 2, 1]),
        ]
    };
    let small = variable(false, "fts", (6, 2), &[2, 3], &[1, 2, 3, 4, 5, 6]);
    let text = variable(false, "note", (4, 16), &[1, 2], b"hi");
    let cube = variable(false, "cube", (9, 2), &[1, 2, 2], &[1, 2, 3, 4]);
    let others = [small, text, cube];
    vec![
        file(false, false, &pair(false)),
        file(true, false, &pair(true)),
        file(false, true, &pair(false)),
        file(true, true, &pair(true)),
        file(false, false, &others),
        file(false, true, &others),
    ]
}

fn word(big: bool, v: u32) -> [u8; 4] {
    if big { v.to_be_bytes() } else { v.to_le_bytes() }
}

/// A matrix of this class, whose values are of this type.
fn variable(
    big: bool,
    name: &str,
    (class, kind): (u32, u32),
    dims: &[u32],
    values: &[u8],
) -> Vec<u8> {
    let element = |kind: u32, data: &[u8]| {
        let mut bytes = [word(big, kind), word(big, data.len() as u32)].concat();
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let dims: Vec<u8> = dims.iter().flat_map(|&d| word(big, d)).collect();
    let flags = [word(big, class), word(big, 0)].concat();
    let parts =
        [element(6, &flags), element(5, &dims), element(1, name.as_bytes()), element(kind, values)];
    element(14, &parts.concat())
}

fn read_mat(path: &Path) -> Result<()> {
    if choice(path, 4)? == 0 {
        // The entrance for registered data sets.
        drop(mat::read(path));
    }
    at_the_door(path, &ReadOptions::default(), LabelSearch::Default)
}
