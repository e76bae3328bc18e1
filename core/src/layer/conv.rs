//! Convolutional layers.

use std::sync::{Arc, Mutex, PoisonError};

use dfdx::prelude::*;

use super::{he_normal, uniform_fan_in};
use crate::{
    Dev, Kind, Maps, Parameter, Pass, Result, Rng,
    ops::{self, Conv2d, PreparedBlock},
};

/// A convolution without bias, as it stands before a batch normalisation. Initial values: He
/// normal over k_h k_w c_out (the "fan out" of the ResNet paper's code).
#[derive(Clone, Debug)]
pub struct Conv<D: Dev> {
    filter: Parameter<D>,
    config: Conv2d,
}

impl<D: Dev> Conv<D> {
    /// A new layer with a square kernel, whose parameter is `name.weight`.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when memory is short.
    pub fn new(
        dev: &D,
        name: &str,
        kernel: usize,
        (c_in, c_out): (usize, usize),
        config: Conv2d,
        rng: &mut Rng,
    ) -> Result<Self> {
        let dims = [kernel, kernel, c_in / config.groups, c_out];
        let values = he_normal(dims.iter().product(), kernel * kernel * c_out, rng);
        let filter = Parameter::new(dev, format!("{name}.weight"), Kind::Weight, &dims, values)?;
        Ok(Self { filter, config })
    }

    /// Its parameter.
    pub fn parameters(&self) -> [Parameter<D>; 1] {
        [self.filter.clone()]
    }

    /// A layer of its own with the same values.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when memory is short.
    pub fn twin(&self) -> Result<Self> {
        Ok(Self { filter: self.filter.twin()?, config: self.config })
    }

    /// x `(n, h, w, c_in)` → y `(n, h_out, w_out, c_out)`.
    ///
    /// # Errors
    /// As [`ops::conv2d()`].
    pub fn forward<T: Tape<f32, D>>(
        &self,
        x: Maps<D, T>,
        pass: &mut Pass<'_>,
    ) -> Result<Maps<D, T>> {
        let y = ops::conv2d(x, self.filter.filter(), None, self.config, pass.input_gradient())?;
        pass.passed_trained_layer();
        Ok(y)
    }
}

/// Convolution with bias, ReLU and 2×2 max pooling. Initial values: U(−1/√f, 1/√f) with
/// f = k² c_in.
#[derive(Clone, Debug)]
pub struct ConvReluPool<D: Dev> {
    filter: Parameter<D>,
    bias: Parameter<D>,
    prepared: Arc<Mutex<Option<Prepared<D>>>>,
}

/// The block of the parameters at these versions.
#[derive(Clone, Debug)]
struct Prepared<D: Dev> {
    versions: [u64; 2],
    block: Arc<PreparedBlock<D>>,
}

impl<D: Dev> ConvReluPool<D> {
    /// A new layer with a square kernel, whose parameters are `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when memory is short.
    pub fn new(
        dev: &D,
        name: &str,
        kernel: usize,
        (c_in, c_out): (usize, usize),
        rng: &mut Rng,
    ) -> Result<Self> {
        let dims = [kernel, kernel, c_in, c_out];
        let fan_in = kernel * kernel * c_in;
        let filter = uniform_fan_in(fan_in * c_out, fan_in, rng);
        let bias = uniform_fan_in(c_out, fan_in, rng);
        Ok(Self {
            filter: Parameter::new(dev, format!("{name}.weight"), Kind::Weight, &dims, filter)?,
            bias: Parameter::new(dev, format!("{name}.bias"), Kind::Bias, &[c_out], bias)?,
            prepared: Arc::default(),
        })
    }

    /// Its parameters.
    pub fn parameters(&self) -> [Parameter<D>; 2] {
        [self.filter.clone(), self.bias.clone()]
    }

    /// A layer of its own with the same values.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when memory is short.
    pub fn twin(&self) -> Result<Self> {
        let (filter, bias) = (self.filter.twin()?, self.bias.twin()?);
        Ok(Self { filter, bias, prepared: Arc::default() })
    }

    /// x `(n, h, w, c_in)` → y `(n, ⌊(h − k + 1) / 2⌋, ⌊(w − k + 1) / 2⌋, c_out)`.
    ///
    /// # Errors
    /// As [`ops::conv_relu_pool()`].
    pub fn forward<T: Tape<f32, D>>(
        &self,
        x: Maps<D, T>,
        pass: &mut Pass<'_>,
    ) -> Result<Maps<D, T>> {
        if !T::OWNS_TAPE {
            let (x, tape) = x.split_tape();
            let &(_, h, w, c) = x.shape();
            let y = self.prepared((h, w, c))?.apply(x)?;
            pass.passed_trained_layer();
            return Ok(y.put_tape(tape));
        }
        let (filter, bias) = (self.filter.filter(), self.bias.vector());
        let y = ops::conv_relu_pool(x, filter, bias, pass.input_gradient())?;
        pass.passed_trained_layer();
        Ok(y)
    }

    /// The block for samples of this size with the parameters as they are: prediction runs it many
    /// times between two changes.
    fn prepared(&self, input: (usize, usize, usize)) -> Result<Arc<PreparedBlock<D>>> {
        // Read before the values: a change in between makes the block obsolete, not wrong.
        let versions = [&self.filter, &self.bias].map(Parameter::version);
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Prepared { versions: known, block }) = &*prepared
            && (*known, block.input()) == (versions, input)
        {
            return Ok(block.clone());
        }
        let block = PreparedBlock::new(input, self.filter.filter(), self.bias.vector())?;
        let block = Arc::new(block);
        *prepared = Some(Prepared { versions, block: block.clone() });
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recorded, Stream, cpu, rng};

    #[test]
    fn prediction_follows_the_weights_and_the_size_of_the_input() {
        let dev = cpu();
        let mut init = rng(1, Stream::Init);
        let layer = ConvReluPool::new(&dev, "conv", 5, (1, 8), &mut init).unwrap();
        let image = |n: usize, h: usize| -> Maps<Cpu> {
            let values = (0..n * h * 12).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
            dev.tensor_from_vec(values, (n, h, 12, 1))
        };
        let predicted = |x: Maps<Cpu>| layer.forward(x, &mut Pass::eval()).unwrap().as_vec();
        let trained = |x: Maps<Cpu>| {
            let x = x.put_tape(Recorded::<Cpu>::default());
            layer.forward(x, &mut Pass::eval()).unwrap().as_vec()
        };
        let before = predicted(image(2, 12));
        assert_eq!(before, trained(image(2, 12)));
        assert_eq!(predicted(image(1, 12)), before[..before.len() / 2]);
        for parameter in layer.parameters() {
            let values: Vec<_> = parameter.to_vec().iter().map(|w| 1.0 - w).collect();
            parameter.set(&values).unwrap();
            assert_eq!(predicted(image(2, 12)), trained(image(2, 12)), "{}", parameter.name());
        }
        assert_ne!(predicted(image(2, 12)), before);
        assert_eq!(predicted(image(2, 16)), trained(image(2, 16)));
    }
}
