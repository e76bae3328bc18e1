//! A multilayer perceptron for feature vectors.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Backbone, Stage, Stages, recorded};
use crate::{
    Dev, Error, Input, InputShape, Matrix, Pass, Result, Rng, Taped,
    layer::{Linear, PerceptronConfig, Size},
    ops::{self, Activation},
};

/// By default a bottleneck of 256 ReLU units with dropout 0.5: what is usual on features of a
/// pre-trained network (TLlib's DAN; 256 units also in the code of Long et al., "Conditional
/// Adversarial Domain Adaptation", NeurIPS 2018). Without dropout adversarial methods are unsteady
/// there. The DANN paper has 100 units without dropout for feature vectors (Ganin et al., JMLR
/// 2016, Sec. 5.1): `hidden = [100], dropout = 0`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Widths of the layers, each followed by ReLU; the last gives the features. Without any, the
    /// features are the inputs, and a linear head on them is a linear probe.
    pub hidden: Vec<usize>,
    /// Dropout after each layer, 0 ≤ p < 1; without layers there is none.
    pub dropout: f32,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { hidden: vec![256], dropout: 0.5 }
    }
}

impl MlpConfig {
    pub(super) fn size(&self, input: InputShape) -> Size {
        Size::of_input(input.len()).with_linear(&self.hidden)
    }
}

/// Layers `fc1`, `fc2`, … of ReLU units. Images are taken as vectors of their pixels.
#[derive(Clone, Debug)]
pub struct Mlp<D: Dev> {
    input: InputShape,
    layers: Vec<Linear<D>>,
    dropout: f32,
}

impl<D: Dev> Mlp<D> {
    /// A new network for rows of shape `input`.
    ///
    /// # Errors
    /// [`Error::Config`] for values out of range, [`Error::Device`] when memory is short.
    pub fn new(dev: &D, input: InputShape, config: &MlpConfig, rng: &mut Rng) -> Result<Self> {
        PerceptronConfig { hidden: config.hidden.clone(), dropout: config.dropout }.check("mlp")?;
        let mut d_in = input.len();
        let mut layers = Vec::with_capacity(config.hidden.len());
        for (i, &d_out) in config.hidden.iter().enumerate() {
            let name = format!("fc{}", i + 1);
            layers.push(Linear::new(dev, &name, (d_in, d_out), Activation::Relu, rng)?);
            d_in = d_out;
        }
        Ok(Self { input, layers, dropout: config.dropout })
    }

    fn run<T: Tape<f32, D>>(
        &self,
        mut x: Matrix<D, T>,
        pass: &mut Pass<'_>,
    ) -> Result<Matrix<D, T>> {
        let mut stages = Stages::new();
        for layer in &self.layers {
            x = stages.run(&layer.parameters(), x, pass, |x, pass| {
                let y = layer.forward(x, pass)?;
                match pass.rng() {
                    Some(rng) => ops::dropout(y, self.dropout, rng),
                    None => Ok(y),
                }
            })?;
        }
        Ok(x)
    }

    fn rows(&self, x: &Input<D>) -> Result<Matrix<D>> {
        if x.row_shape() != self.input {
            return Err(Error::shape("mlp", self.input, x.row_shape()));
        }
        match x {
            Input::Features(x) => Ok(x.clone()),
            Input::Images(images) => images
                .clone()
                .try_reshape_like(&(x.rows(), self.input.len()))
                .map_err(Error::device),
        }
    }
}

impl<D: Dev> Backbone<D> for Mlp<D> {
    fn name(&self) -> &'static str {
        "mlp"
    }

    fn input(&self) -> InputShape {
        self.input
    }

    fn features(&self) -> usize {
        self.layers.last().map_or(self.input.len(), Linear::d_out)
    }

    fn stages(&self) -> Vec<Stage<D>> {
        let stage = |(i, layer): (usize, &Linear<D>)| Stage {
            name: format!("fc{}", i + 1),
            about: "linear, ReLU".to_owned(),
            output: vec![layer.d_out()],
            parameters: layer.parameters().to_vec(),
        };
        self.layers.iter().enumerate().map(stage).collect()
    }

    fn forward(&self, x: &Input<D>, pass: &mut Pass<'_>) -> Result<Matrix<D>> {
        self.run(self.rows(x)?, pass)
    }

    fn record(&self, x: &Input<D>, pass: &mut Pass<'_>) -> Result<Taped<D>> {
        self.run(recorded(self.rows(x)?), pass)
    }

    fn twin(&self) -> Result<Box<dyn Backbone<D>>> {
        let layers = self.layers.iter().map(Linear::twin).collect::<Result<_>>()?;
        Ok(Box::new(Self { layers, ..self.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Stream,
        backbone::{Freeze, Head, Summary},
        cpu, rng,
    };

    fn identity(input: InputShape) -> Mlp<Cpu> {
        let config = MlpConfig { hidden: vec![], ..MlpConfig::default() };
        Mlp::new(&cpu(), input, &config, &mut rng(0, Stream::Init)).unwrap()
    }

    #[test]
    fn without_layers_the_features_are_the_inputs() {
        let dev = cpu();
        let images = InputShape::Images { c: 2, h: 1, w: 2 };
        for input in [InputShape::Features { d: 4 }, images] {
            let mlp = identity(input);
            assert_eq!((mlp.features(), mlp.stages().len(), mlp.parameters().len()), (4, 0, 0));
            let values: Vec<f32> = (0..8).map(|i| i as f32 - 3.0).collect();
            let rows = Input::from_values(&dev, input, values.clone()).unwrap();
            assert_eq!(mlp.forward(&rows, &mut Pass::eval()).unwrap().as_vec(), values);
            let taped = mlp.record(&rows, &mut Pass::eval()).unwrap();
            assert_eq!(taped.as_vec(), values);
        }
    }

    #[test]
    fn without_layers_freezing_and_the_summary_know_the_head_alone() {
        let mlp = identity(InputShape::Features { d: 4 });
        mlp.freeze(&Freeze::Everything).unwrap();
        let message = mlp.freeze(&Freeze::UpTo("fc1".into())).unwrap_err().to_string();
        assert_eq!(message, "unknown stage `fc1`");
        let mut init = rng(0, Stream::Init);
        let head = Head::new(&cpu(), (4, 3), &Default::default(), &mut init).unwrap();
        let summary = Summary::of(&mlp, &[head]);
        assert_eq!((summary.rows.len(), summary.parameters()), (1, 4 * 3 + 3));
    }
}
