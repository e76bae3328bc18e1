//! Batch normalisation, for vectors and for feature maps alike.
//!
//! Ioffe & Szegedy, "Batch Normalization", ICML 2015, Algorithm 1.
//! ```text
//! μ = (1/n) Σ_i x_i      σ² = (1/n) Σ_i (x_i − μ)²      y = φ(γ (x − μ) / √(σ² + ε) + β + r)
//! ```
//! x `(n, c)`; γ, β, μ, σ² `(c,)`; an optional residual r `(n, c)`; φ identity or ReLU. Channels-last
//! maps `(n, h, w, c)` are rows `(n·h·w, c)`. In evaluation μ and σ² are given.

use dfdx::prelude::*;

use super::cpu::{
    batch_norm::{Backward, InputGrad, Moments, Normalise, Sums, moments},
    outputs,
    simd::Isa,
    slices,
};
use super::linear::Activation;
use crate::{Dev, Error, Matrix, Result, Vector};

/// What a batch normalisation is made of, beside its input.
#[derive(Clone, Debug)]
pub struct BatchNorm<D: Device<f32>> {
    /// γ `(c,)`.
    pub scale: Vector<D>,
    /// β `(c,)`.
    pub shift: Vector<D>,
    /// ε > 0.
    pub epsilon: f32,
    /// φ.
    pub activation: Activation,
}

/// y, the batch's mean μ `(c,)` and its biased variance σ² `(c,)`.
pub type Normalised<D, T> = (Matrix<D, T>, Vector<D>, Vector<D>);

/// Normalises by the batch's own statistics, and returns them.
///
/// # Errors
/// [`Error::Shape`] when shapes do not fit or the batch has one row only, [`Error::Device`] when
/// memory is short.
pub fn batch_norm_train<D: Dev, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    norm: &BatchNorm<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Normalised<D, T>> {
    check(x.shape(), norm, residual.as_ref().map(|r| r.shape()))?;
    if x.shape().0 < 2 {
        let got = "1 row, which has no variance";
        return Err(Error::shape("batch_norm", "at least 2 rows in training", got));
    }
    D::batch_norm_train(x, norm, residual)
}

/// Normalises by the given statistics: `mean` and `variance` `(c,)`.
///
/// # Errors
/// [`Error::Shape`] when shapes do not fit, [`Error::Device`] when memory is short.
pub fn batch_norm_eval<D: Dev, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    norm: &BatchNorm<D>,
    mean: Vector<D>,
    variance: Vector<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Matrix<D, T>> {
    check(x.shape(), norm, residual.as_ref().map(|r| r.shape()))?;
    D::batch_norm_eval(x, norm, mean, variance, residual)
}

fn check<D: Device<f32>>(
    x: &(usize, usize),
    norm: &BatchNorm<D>,
    residual: Option<&(usize, usize)>,
) -> Result<()> {
    let c = norm.scale.shape().0;
    if c == 0 {
        return Err(Error::shape("batch_norm", "at least 1 channel", 0));
    }
    if x.1 != c || norm.shift.shape().0 != c || residual.is_some_and(|r| r != x) {
        let got = format!("x {x:?}, shift {:?}, residual {residual:?}", norm.shift.shape());
        return Err(Error::shape("batch_norm", format!("{c} channels everywhere"), got));
    }
    Ok(())
}

/// A device's batch normalisation.
pub trait BatchNormKernel: Device<f32> {
    /// See [`batch_norm_train`].
    ///
    /// # Errors
    /// As [`batch_norm_train`].
    fn batch_norm_train<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        norm: &BatchNorm<Self>,
        residual: Option<Matrix<Self, T>>,
    ) -> Result<Normalised<Self, T>> {
        composed_train(x, norm, residual)
    }

    /// See [`batch_norm_eval`].
    ///
    /// # Errors
    /// As [`batch_norm_eval`].
    fn batch_norm_eval<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        norm: &BatchNorm<Self>,
        mean: Vector<Self>,
        variance: Vector<Self>,
        residual: Option<Matrix<Self, T>>,
    ) -> Result<Matrix<Self, T>> {
        composed_eval(x, norm, mean, variance, residual)
    }
}

impl BatchNormKernel for Cpu {
    fn batch_norm_train<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        norm: &BatchNorm<Self>,
        residual: Option<Matrix<Self, T>>,
    ) -> Result<Normalised<Self, T>> {
        let (n, c) = *x.shape();
        let x = slices::contiguous(x)?;
        let moments = moments(Isa::best(), slices::read(&x), c);
        let dev = x.device().clone();
        let vector = |v: &[f32]| dev.try_tensor_from_vec(v.to_vec(), (c,)).map_err(Error::device);
        let (mean, variance) = (vector(&moments.mean)?, vector(&moments.var)?);
        // The statistics depend on every row, which the backward pass must undo.
        let y = normalise(x, norm, moments, residual, Some(n))?;
        Ok((y, mean, variance))
    }

    fn batch_norm_eval<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        norm: &BatchNorm<Self>,
        mean: Vector<Self>,
        variance: Vector<Self>,
        residual: Option<Matrix<Self, T>>,
    ) -> Result<Matrix<Self, T>> {
        let moments = Moments { mean: mean.as_vec(), var: variance.as_vec() };
        normalise(slices::contiguous(x)?, norm, moments, residual, None)
    }
}

/// φ(γ (x − μ) / √(σ² + ε) + β + r) in one pass, and its backward pass. `rows` is given where μ and
/// σ² are those of the rows of x.
///
/// With g the gradient at φ's input and x̂ the normalised x,
/// ```text
/// dβ = Σ g    dγ = Σ g x̂    dr = g    dx = γ / √(σ² + ε) · (g − [dβ + x̂ dγ] / n)
/// ```
/// where the bracket is there for the rows' own statistics only.
fn normalise<T: Tape<f32, Cpu>>(
    x: Matrix<Cpu, T>,
    norm: &BatchNorm<Cpu>,
    Moments { mean, var }: Moments,
    residual: Option<Matrix<Cpu, T>>,
    rows: Option<usize>,
) -> Result<Matrix<Cpu, T>> {
    let isa = Isa::best();
    let relu = norm.activation == Activation::Relu;
    let inverse: Vec<f32> = var.iter().map(|v| 1.0 / (v + norm.epsilon).sqrt()).collect();
    let slope: Vec<f32> = norm.scale.as_vec().iter().zip(&inverse).map(|(g, i)| g * i).collect();
    let shift = norm.shift.as_vec();
    let shift: Vec<f32> = (0..mean.len()).map(|j| shift[j] - mean[j] * slope[j]).collect();

    let (x, mut tape) = x.split_tape();
    let residual = match residual {
        Some(residual) => {
            let (residual, of_residual) = slices::contiguous(residual)?.split_tape();
            tape = tape.merge(of_residual);
            Some(residual)
        }
        None => None,
    };
    let mut y = outputs::new(x.device(), *x.shape())?;
    {
        let residual = residual.as_ref().map(slices::read);
        let of = Normalise { x: slices::read(&x), scale: &slope, shift: &shift, residual, relu };
        of.forward(isa, slices::write(&mut y));
    }
    if !T::OWNS_TAPE {
        return Ok(y.put_tape(tape));
    }

    let output = y.ghost();
    let kept = relu.then(|| y.clone());
    let (scale, shift) = (norm.scale.clone(), norm.shift.clone());
    tape.add_backward_op(move |grads| {
        let dy = slices::take_grad(grads.get_or_alloc_mut(&output)?);
        let relu = kept.as_ref().map(slices::read);
        let of = Backward { x: slices::read(&x), mean: &mean, dy: &dy, relu };
        let Sums { first: g, second: gx } = of.sums(isa);
        add(grads.get_or_alloc_mut(&shift)?, g.iter().copied());
        add(grads.get_or_alloc_mut(&scale)?, gx.iter().zip(&inverse).map(|(gx, i)| gx * i));

        let mut slope = slope;
        let (mut curve, mut offset) = (vec![0.0; mean.len()], vec![0.0; mean.len()]);
        if let Some(n) = rows {
            for j in 0..mean.len() {
                curve[j] = -slope[j] * inverse[j] * inverse[j] * gx[j] / n as f32;
                offset[j] = -slope[j] * g[j] / n as f32;
            }
        }
        let Some(residual) = residual else {
            let dx = grads.get_or_alloc_mut(&x)?;
            let coefficients = InputGrad { slope: &slope, curve: &curve, offset: &offset };
            of.input_grad(isa, coefficients, dx, None);
            outputs::give(dy);
            return Ok(());
        };
        // Both gradients are written in one pass, so one of them leaves its place meanwhile.
        let mut dr = slices::take_grad(grads.get_or_alloc_mut(&residual)?);
        let dx = grads.get_or_alloc_mut(&x)?;
        if dx.is_empty() {
            // x is its own residual: g comes on top.
            slope.iter_mut().for_each(|s| *s += 1.0);
            let coefficients = InputGrad { slope: &slope, curve: &curve, offset: &offset };
            of.input_grad(isa, coefficients, &mut dr, None);
        } else {
            let coefficients = InputGrad { slope: &slope, curve: &curve, offset: &offset };
            of.input_grad(isa, coefficients, dx, Some(&mut dr));
        }
        **grads.get_or_alloc_mut(&residual)? = dr;
        outputs::give(dy);
        Ok(())
    });
    Ok(y.put_tape(tape))
}

fn add(to: &mut [f32], terms: impl Iterator<Item = f32>) {
    to.iter_mut().zip(terms).for_each(|(to, term)| *to += term);
}
#[cfg(feature = "cuda")]
impl BatchNormKernel for Cuda {}

/// Broadcasts and reductions of dfdx.
///
/// # Errors
/// As [`batch_norm_train`].
pub fn composed_train<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    norm: &BatchNorm<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Normalised<D, T>> {
    let shape = *x.shape();
    let mean = x.retaped::<T>().try_mean::<(usize,), Axis<0>>().map_err(Error::device)?;
    let mu = mean.retaped::<NoneTape>();
    let centred = x
        .try_sub(mean.try_broadcast_like::<_, Axis<0>>(&shape).map_err(Error::device)?)
        .map_err(Error::device)?;
    let variance = centred
        .retaped::<T>()
        .try_square()
        .and_then(|s| s.try_mean::<(usize,), Axis<0>>())
        .map_err(Error::device)?;
    let sigma2 = variance.retaped::<NoneTape>();
    let deviation = variance
        .try_add(norm.epsilon)
        .and_then(|v| v.try_sqrt())
        .and_then(|s| s.try_broadcast_like::<_, Axis<0>>(&shape))
        .map_err(Error::device)?;
    let y = centred.try_div(deviation).map_err(Error::device)?;
    Ok((affine(y, norm, residual)?, mu, sigma2))
}

/// Broadcasts of dfdx.
///
/// # Errors
/// As [`batch_norm_eval`].
pub fn composed_eval<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    norm: &BatchNorm<D>,
    mean: Vector<D>,
    variance: Vector<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Matrix<D, T>> {
    let shape = *x.shape();
    let deviation = variance
        .try_add(norm.epsilon)
        .and_then(|v| v.try_sqrt())
        .and_then(|s| s.try_broadcast_like::<_, Axis<0>>(&shape))
        .map_err(Error::device)?;
    let mean = mean.try_broadcast_like::<_, Axis<0>>(&shape).map_err(Error::device)?;
    let y = x.try_sub(mean).and_then(|x| x.try_div(deviation)).map_err(Error::device)?;
    affine(y, norm, residual)
}

/// φ(γ x̂ + β + r).
fn affine<D: Device<f32>, T: Tape<f32, D>>(
    y: Matrix<D, T>,
    norm: &BatchNorm<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Matrix<D, T>> {
    let shape = *y.shape();
    let scale =
        norm.scale.clone().try_broadcast_like::<_, Axis<0>>(&shape).map_err(Error::device)?;
    let shift =
        norm.shift.clone().try_broadcast_like::<_, Axis<0>>(&shape).map_err(Error::device)?;
    let y = y.try_mul(scale).and_then(|y| y.try_add(shift)).map_err(Error::device)?;
    let y = match residual {
        Some(residual) => y.try_add(residual).map_err(Error::device)?,
        None => y,
    };
    match norm.activation {
        Activation::Identity => Ok(y),
        Activation::Relu => y.try_relu().map_err(Error::device),
    }
}

#[cfg(test)]
mod tests {
    use dfdx::tensor_ops::Backward as _;
    use proptest::prelude::*;

    use super::*;
    use crate::ops::testing::{assert_close, assert_gradient, values};

    #[derive(Clone, Debug)]
    struct Case {
        shape: (usize, usize),
        relu: bool,
        residual: bool,
        seed: u64,
    }

    fn cases() -> impl Strategy<Value = Case> {
        let rows = prop_oneof![2..9usize, 2000..2100usize];
        let c = prop_oneof![1..10usize, 14..40usize];
        (rows, c, any::<bool>(), any::<bool>(), any::<u32>()).prop_map(
            |(n, c, relu, residual, seed)| Case {
                shape: (n, c),
                relu,
                residual,
                seed: u64::from(seed),
            },
        )
    }

    /// x, γ, β, r: x around 3, γ around 1.
    fn inputs(case: &Case) -> [Vec<f32>; 4] {
        let (n, c) = case.shape;
        let mut all =
            [(n * c, 0), (c, 1), (c, 2), (n * c, 3)].map(|(len, i)| values(len, case.seed + i));
        all[0].iter_mut().for_each(|x| *x += 3.0);
        all[1].iter_mut().for_each(|g| *g = 1.0 + *g / 2.0);
        all
    }

    /// μ and σ² of the evaluation.
    fn given(c: usize) -> [Vec<f32>; 2] {
        [(0..c).map(|j| 3.0 + j as f32 / 50.0).collect(), vec![0.4; c]]
    }

    type Tape = OwnedTape<f32, Cpu>;
    type Run = fn(
        Matrix<Cpu, Tape>,
        &BatchNorm<Cpu>,
        Option<Matrix<Cpu, Tape>>,
    ) -> Result<Normalised<Cpu, Tape>>;

    const EVAL: Run = |x, norm, residual| {
        let [mean, var] =
            given(x.shape().1).map(|v| crate::cpu().tensor_from_vec(v.clone(), (v.len(),)));
        Ok((batch_norm_eval(x, norm, mean.clone(), var.clone(), residual)?, mean, var))
    };
    const COMPOSED_EVAL: Run = |x, norm, residual| {
        let [mean, var] =
            given(x.shape().1).map(|v| crate::cpu().tensor_from_vec(v.clone(), (v.len(),)));
        Ok((composed_eval(x, norm, mean.clone(), var.clone(), residual)?, mean, var))
    };

    /// y, μ, σ², then the gradients of Σ y · s for x, γ, β and r, with s from U(−1, 1).
    fn all(run: Run, case: &Case, inputs: &[Vec<f32>; 4]) -> [Vec<f32>; 7] {
        let dev = crate::cpu();
        let vector = |v: &[f32]| dev.tensor_from_vec(v.to_vec(), (v.len(),));
        let matrix = |v: &[f32]| dev.tensor_from_vec(v.to_vec(), case.shape);
        let [x, scale, shift, residual] = inputs;
        let (x, residual) = (matrix(x), matrix(residual));
        let activation = if case.relu { Activation::Relu } else { Activation::Identity };
        let (scale, shift) = (vector(scale), vector(shift));
        let norm =
            BatchNorm { scale: scale.clone(), shift: shift.clone(), epsilon: 1e-3, activation };
        let with = case.residual.then(|| residual.leaky_trace());
        let (y, mean, var) = run(x.leaky_trace(), &norm, with).unwrap();
        let out = y.as_vec();
        let s = matrix(&values(out.len(), case.seed + 9));
        let mut grads = (y * s).sum().backward();
        grads.get_or_alloc_mut(&residual).unwrap();
        let [dx, dr] = [&x, &residual].map(|t| grads.get(t).as_vec());
        let [dscale, dshift] = [&scale, &shift].map(|t| grads.get(t).as_vec());
        [out, mean.as_vec(), var.as_vec(), dx, dscale, dshift, dr]
    }

    fn compare(fast: Run, oracle: Run, case: &Case) {
        let names = ["y", "mean", "variance", "dx", "dscale", "dshift", "dresidual"];
        let inputs = inputs(case);
        let got = all(fast, case, &inputs);
        for ((what, got), expected) in names.iter().zip(&got).zip(&all(oracle, case, &inputs)) {
            // Sums over rows may cancel, their rounding errors do not.
            let terms = if matches!(*what, "dscale" | "dshift") { case.shape.0 } else { 1 };
            assert_close(what, got, expected, 1e-4 * (terms as f32 / 100.0).sqrt().max(1.0));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn training_equals_the_composed_version(mut case in cases()) {
            // At a kink of the ReLU rounding decides which side an output is on: keep clear of it.
            let reference = all(composed_train, &case, &inputs(&case));
            case.relu &= reference[0].iter().all(|y| *y == 0.0 || *y > 1e-3);
            compare(batch_norm_train, composed_train, &case);
        }

        #[test]
        fn evaluation_equals_the_composed_version(mut case in cases()) {
            let reference = all(COMPOSED_EVAL, &case, &inputs(&case));
            case.relu &= reference[0].iter().all(|y| *y == 0.0 || *y > 1e-3);
            compare(EVAL, COMPOSED_EVAL, &case);
        }

        #[test]
        fn gradients_equal_differences(mut case in cases()) {
            case.relu = false;
            case.shape.0 = case.shape.0 % 50 + 8;
            let at = inputs(&case);
            let [y, _, _, dx, dscale, dshift, dr] = all(batch_norm_train, &case, &at);
            let s = values(y.len(), case.seed + 9);
            let loss = |i: usize, v: &[f32]| -> f64 {
                let mut moved = at.clone();
                moved[i] = v.to_vec();
                let y = &all(batch_norm_train, &case, &moved)[0];
                y.iter().zip(&s).map(|(y, s)| f64::from(y * s)).sum()
            };
            for (i, (what, gradient)) in
                [("dx", dx), ("dscale", dscale), ("dshift", dshift), ("dr", dr)].iter().enumerate()
            {
                let along = values(gradient.len(), case.seed + 5);
                assert_gradient(what, |v| loss(i, v), &at[i], gradient, &along, (1e-2, 5e-3));
            }
        }
    }

    #[cfg(feature = "threads")]
    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let case = Case { shape: (5000, 33), relu: true, residual: true, seed: 2 };
        let inputs = inputs(&case);
        crate::ops::testing::assert_same_on_any_threads(|| {
            all(batch_norm_train, &case, &inputs).to_vec()
        });
    }

    #[test]
    fn a_tensor_can_be_its_own_residual() {
        let dev = crate::cpu();
        let x = dev.tensor_from_vec(values(60, 1), (12, 5));
        let ones = dev.ones_like(&(5,));
        let norm = BatchNorm {
            scale: ones.clone(),
            shift: ones,
            epsilon: 1e-5,
            activation: Activation::Identity,
        };
        let s = dev.tensor_from_vec(values(60, 2), (12, 5));
        let gradient = |run: Run| {
            let (y, _, _) = run(x.leaky_trace(), &norm, Some(x.leaky_trace())).unwrap();
            (y * s.clone()).sum().backward().get(&x).as_vec()
        };
        assert_close("dx", &gradient(batch_norm_train), &gradient(composed_train), 1e-5);
    }

    #[test]
    fn a_large_mean_does_not_spoil_the_variance() {
        let dev = crate::cpu();
        let x: Vec<f32> = values(40_000, 3).iter().map(|x| x + 1000.0).collect();
        let exact = {
            let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / 40_000.0;
            x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / 40_000.0
        };
        let norm = BatchNorm {
            scale: dev.ones_like(&(1,)),
            shift: dev.zeros_like(&(1,)),
            epsilon: 1e-5,
            activation: Activation::Identity,
        };
        let (_, _, var) =
            batch_norm_train(dev.tensor_from_vec(x, (40_000, 1)), &norm, None).unwrap();
        approx::assert_relative_eq!(f64::from(var.as_vec()[0]), exact, max_relative = 1e-5);
    }

    #[test]
    fn no_rows_stay_none_and_no_channels_are_an_error() {
        let dev = crate::cpu();
        let run = |n: usize, c: usize| {
            let ones = dev.ones_like(&(c,));
            let [scale, shift, mean, variance] = [0; 4].map(|_| ones.clone());
            let norm = BatchNorm { scale, shift, epsilon: 1e-5, activation: Activation::Relu };
            batch_norm_eval(dev.zeros_like(&(n, c)), &norm, mean, variance, None)
        };
        assert_eq!(run(0, 3).unwrap().shape(), &(0, 3));
        let error = run(3, 0).err().unwrap().to_string();
        assert!(error.contains("at least 1 channel"), "{error}");
    }

    #[test]
    fn one_row_is_an_error_in_training() {
        let dev = crate::cpu();
        let ones = dev.ones_like(&(2,));
        let norm = BatchNorm {
            scale: ones.clone(),
            shift: ones,
            epsilon: 1e-5,
            activation: Activation::Identity,
        };
        let error = batch_norm_train(dev.zeros_like(&(1, 2)), &norm, None).err().unwrap();
        assert!(error.to_string().contains("at least 2 rows"), "{error}");
    }
}
