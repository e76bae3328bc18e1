//! Domains that tests of several methods share.

use ndarray::Array2;

/// Two classes on a line, one above the other; the target is moved along the line, and a class
/// is three times as frequent: X_s, y_s, X_t, y_t.
pub(super) fn clusters() -> (Array2<f64>, Vec<usize>, Array2<f64>, Vec<usize>) {
    let spread = |i: usize| 0.1 * ((i * 5) % 7) as f64;
    let row = |i: usize, class: usize, shift: f64, j: usize| match j {
        0 => spread(i) + shift + class as f64,
        1 => 4.0 * class as f64 + spread(i + 3),
        _ => spread(i * i),
    };
    let classes = |n: usize, every: usize| -> Vec<usize> {
        (0..n).map(|i| usize::from(i % every == 0)).collect()
    };
    let (ys, yt) = (classes(20, 2), classes(24, 4));
    let xs = Array2::from_shape_fn((20, 3), |(i, j)| row(i, ys[i], 0.0, j));
    let xt = Array2::from_shape_fn((24, 3), |(i, j)| row(i, yt[i], 2.5, j));
    (xs, ys, xt, yt)
}

/// Indicators of all levels of a category, of so many rows each.
pub(super) fn levels(rows: &[usize]) -> Array2<f64> {
    let of: Vec<usize> =
        rows.iter().enumerate().flat_map(|(level, &n)| std::iter::repeat_n(level, n)).collect();
    Array2::from_shape_fn((of.len(), rows.len()), |(i, j)| f64::from(u8::from(of[i] == j)))
}
