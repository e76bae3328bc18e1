//! Semi-supervised TCA: TCA whose components also depend on the source labels and keep neighbours
//! together.
//!
//! Pan, Tsang, Kwok & Yang, "Domain Adaptation via Transfer Component Analysis", IEEE Trans. Neural
//! Networks 2011, Sec. IV.
//! ```text
//! min_W tr(Wᵀ K L K W) + μ tr(Wᵀ W) + λ/n² tr(Wᵀ K 𝓛 K W)   subject to   Wᵀ K H K̃_yy H K W = I
//! K̃_yy = γ K_l + (1 − γ) I,   (K_l)_ij = 1 for labelled rows of one class, else 0
//! 𝓛 = D − M,   M_ij = exp(−‖x_i − x_j‖² / 2σ²) where one is among the k nearest of the other, else 0
//! ```
//! K `(n, n)` over the n = n_s + n_t rows (X `(n, d)` in the primal form); L and H as in TCA; D the
//! row sums of M. γ weighs dependence on labels against variance, λ the manifold. "Semi-supervised"
//! is the paper's word: labels are those of the source rows.
//!
//! Time O(n³) in the kernel form: a dense decomposition, since 𝓛 has full rank.
//!
//! Differences from the paper:
//! 1. Columns of W have unit length; `relative` and `landmarks` are TCA's.
//! 2. The graph's σ is the median distance of neighbours, which is ours.

use ndarray::{Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::{
    Align, Alignment,
    mmd_projection::{Anchors, Representation, Rows, check_options, factor, marginal},
};
use crate::{
    catalogue::{Described, Needs},
    check,
    domains::Domains,
    error::{Error, Result},
    math::{
        gram::median,
        linalg::{dot, self_dot},
        nearest::nearest_within,
        unit::Unit,
    },
};

/// The options of semi-supervised TCA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SemiSupervisedTca {
    /// k ≥ 1; fewer where the problem has fewer. 30 is ours.
    pub components: usize,
    /// μ > 0. 1 is ours.
    pub regularisation: f64,
    /// γ in [0, 1]. 0.5 weighs both alike.
    pub dependence: f64,
    /// λ ≥ 0. 1000 is ours.
    pub manifold: f64,
    /// Neighbours in the graph ≥ 1. 10 is ours.
    pub neighbours: usize,
    /// Whether μ is relative: L is divided by its Frobenius norm.
    pub relative: bool,
    /// The primal form or a kernel; the Gaussian one by default.
    pub representation: Representation,
    /// Whether images are scaled to unit length.
    pub normalise_output: bool,
    /// Rows that kernels are taken with; all by default.
    pub landmarks: Option<usize>,
    /// Of the landmarks.
    pub seed: u64,
}

impl Default for SemiSupervisedTca {
    fn default() -> Self {
        Self {
            components: 30,
            regularisation: 1.0,
            dependence: 0.5,
            manifold: 1e3,
            neighbours: 10,
            relative: false,
            representation: Representation::Gaussian { sigma: None },
            normalise_output: false,
            landmarks: None,
            seed: 0,
        }
    }
}

impl Described for SemiSupervisedTca {
    const NAME: &'static str = "sstca";
    const ABOUT: &'static str = "TCA that keeps source classes apart and neighbours together";
    const PAPER: &'static str = "Pan, Tsang, Kwok & Yang, Domain Adaptation via Transfer Component \
                                 Analysis, IEEE Trans. Neural Networks 2011, Sec. IV";
    const NEEDS: Needs =
        Needs { source_labels: true, moves_target: true, least_rows: 1, ..Needs::ROWS };
}

impl Align for SemiSupervisedTca {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        self.check()?;
        let labels = domains.need_labels(Self::NAME)?;
        let anchors = Anchors { landmarks: self.landmarks, seed: self.seed };
        let rows = Rows::new(Self::NAME, domains, self.representation, anchors)?;
        let phi = rows.centred();
        let (n, m) = phi.dim();

        // Φᵀ H K̃_yy H Φ: the sums of the classes' rows give K_l.
        let mut classes = Array2::zeros((labels.classes, m));
        for (row, &c) in phi.rows().into_iter().zip(labels.of) {
            let mut sum = classes.row_mut(c);
            sum += &row;
        }
        let gamma = self.dependence;
        let dependence = self_dot(phi) * (1.0 - gamma) + self_dot(&classes) * gamma;

        // Φᵀ (L + λ/n² 𝓛) Φ + μ I; 𝓛 1 = 0, so that centred rows serve.
        let e = marginal(domains.source().nrows(), domains.target().nrows());
        let g = rows.product(&factor(&[e], self.relative));
        let mut penalty = self_dot(&g);
        if self.manifold > 0.0 {
            let smooth = self.laplacian_times(domains, phi)?;
            penalty += &(dot(&phi.t(), &smooth) * (self.manifold / (n as f64).powi(2)));
        }
        let regularisation = rows.regularisation(self.regularisation)?;
        penalty.diag_mut().mapv_inplace(|v| v + regularisation);

        let found = rows.directions_of(&dependence, &penalty, self.components)?;
        let certificate = found.certificate.clone();
        let map = rows.into_map(found, self.normalise_output);
        Alignment::new(Self::NAME, map.clone(), map, certificate)
    }
}

impl SemiSupervisedTca {
    fn check(&self) -> Result<()> {
        check_options(Self::NAME, self.components, self.regularisation)?;
        if !(0.0..=1.0).contains(&self.dependence) {
            let expected = "a number from 0 to 1";
            return Err(Error::config(Self::NAME, "dependence", self.dependence, expected));
        }
        check::non_negative(Self::NAME, "manifold", self.manifold)?;
        check::at_least(Self::NAME, "neighbours", self.neighbours, 1)
    }

    /// 𝓛 Φ `(n, m)`, of the graph of the rows of both domains.
    fn laplacian_times(&self, domains: &Domains<'_>, phi: &Array2<f64>) -> Result<Array2<f64>> {
        let x = concatenate(Axis(0), &[domains.source(), domains.target()])
            .map_err(|e| Error::shape("rows of both domains", "equal columns", e))?;
        // Weights of edges are ratios of distances.
        let x = Unit::of_domains(domains).rows(x.view()).into_owned();
        let mut out = Array2::zeros(phi.dim());
        for (i, j, weight) in self.edges(&x) {
            let change = (&phi.row(i) - &phi.row(j)) * weight;
            let mut row = out.row_mut(i);
            row += &change;
            let mut row = out.row_mut(j);
            row -= &change;
        }
        Ok(out)
    }

    /// Every edge once: i, j, M_ij.
    fn edges(&self, x: &Array2<f64>) -> Vec<(usize, usize, f64)> {
        let near = nearest_within(x.view(), self.neighbours);
        let mut all: Vec<f64> = near.squared_distances.iter().map(|d2| d2.sqrt()).collect();
        let sigma = median(&mut all).filter(|&sigma| sigma > 0.0).unwrap_or(1.0);
        let mut edges = Vec::new();
        for (i, (js, d2s)) in
            near.indices.rows().into_iter().zip(near.squared_distances.rows()).enumerate()
        {
            for (&j, d2) in js.iter().zip(d2s) {
                let mutual = near.indices.row(j).iter().any(|&back| back == i);
                if !mutual || i < j {
                    edges.push((i, j, (-0.5 * d2 / (sigma * sigma)).exp()));
                }
            }
        }
        edges
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;
    use crate::{
        math::linalg::eigh_generalised,
        shallow::{Map, Tca},
    };

    fn rows() -> (Array2<f64>, Vec<usize>, Array2<f64>) {
        let wave = |i: usize, j: usize| ((i * 7 + j * 13) as f64).sin() / (1.0 + j as f64);
        let xs = Array2::from_shape_fn((12, 3), |(i, j)| wave(i, j));
        let xt = Array2::from_shape_fn((10, 3), |(i, j)| wave(i + 50, j) + 0.2);
        (xs, (0..12).map(|i| i % 3).collect(), xt)
    }

    #[test]
    fn without_labels_and_manifold_it_is_tca() {
        let (xs, ys, xt) = rows();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&ys).unwrap();
        let options = SemiSupervisedTca {
            components: 2,
            dependence: 0.0,
            manifold: 0.0,
            ..SemiSupervisedTca::default()
        };
        let tca = Tca { components: 2, ..Tca::default() };
        let images = [options.fit(&domains), tca.fit(&domains)]
            .map(|fitted| fitted.unwrap().target(xt.view()).unwrap());
        assert_abs_diff_eq!(images[0], images[1], epsilon = 1e-8);
    }

    #[test]
    fn the_laplacian_is_that_of_the_symmetric_graph() {
        let x = array![[0.0], [1.0], [3.0], [3.5]];
        let domains = Domains::new(x.slice(ndarray::s![..2, ..]), x.slice(ndarray::s![2.., ..]));
        let options = SemiSupervisedTca { neighbours: 1, ..SemiSupervisedTca::default() };
        // Neighbours 0–1 at distance 1, 2–3 at ½: the median distance is ¾.
        let (far, near) = ((-8.0f64 / 9.0).exp(), (-2.0f64 / 9.0).exp());
        let expected = array![
            [far, -far, 0.0, 0.0],
            [-far, far, 0.0, 0.0],
            [0.0, 0.0, near, -near],
            [0.0, 0.0, -near, near]
        ];
        let got = options.laplacian_times(&domains.unwrap(), &Array2::eye(4)).unwrap();
        assert_abs_diff_eq!(got, expected, epsilon = 1e-12);
    }

    #[test]
    fn the_pairs_solve_the_papers_equation() {
        let (xs, ys, xt) = rows();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&ys).unwrap();
        let representation = Representation::Primal;
        let options = SemiSupervisedTca { components: 2, representation, ..Default::default() };
        let fitted = options.fit(&domains).unwrap();
        assert!(fitted.certificate.converged, "{:?}", fitted.certificate);

        // The same with every n × n matrix written out.
        let x = concatenate![Axis(0), xs, xt];
        let n = x.nrows();
        let h = Array2::<f64>::eye(n) - 1.0 / n as f64;
        let same = |i: usize, j: usize| f64::from(u8::from(i < 12 && j < 12 && i % 3 == j % 3));
        let k_yy =
            Array2::from_shape_fn((n, n), |(i, j)| same(i, j)) * 0.5 + Array2::<f64>::eye(n) * 0.5;
        let e = marginal(12, 10).insert_axis(Axis(1));
        let laplacian = options.laplacian_times(&domains, &Array2::eye(n)).unwrap();
        let inner = e.dot(&e.t()) + laplacian * (1e3 / (n * n) as f64);
        let a = x.t().dot(&h).dot(&k_yy).dot(&h).dot(&x);
        let b = x.t().dot(&inner).dot(&x) + Array2::<f64>::eye(3);
        let best = eigh_generalised(&a, &b).unwrap();
        let Map::Affine(map) = &fitted.source else { panic!("the primal form is linear") };
        for (j, w) in map.matrix.columns().into_iter().enumerate() {
            let gap = a.dot(&w) - b.dot(&w) * best.values[2 - j];
            assert!(gap.iter().all(|g| g.abs() < 1e-9), "{gap}");
        }
    }

    #[test]
    fn labels_are_needed_and_options_checked() {
        let (xs, ys, xt) = rows();
        let unlabelled = Domains::new(xs.view(), xt.view()).unwrap();
        let error = SemiSupervisedTca::default().fit(&unlabelled).unwrap_err();
        assert!(matches!(error, Error::NoLabels { .. }), "{error}");
        let domains = unlabelled.with_labels(&ys).unwrap();
        let bad = SemiSupervisedTca { dependence: 1.5, ..SemiSupervisedTca::default() };
        let message = bad.fit(&domains).unwrap_err().to_string();
        assert_eq!(message, "sstca.dependence = 1.5: expected a number from 0 to 1");
    }
}
