//! CMD: equal central moments of source and target features, up to an order.
//!
//! Zellinger et al., "Central Moment Discrepancy (CMD) for Domain-Invariant Representation Learning", ICLR
//! 2017, Sec. 3, Eqs. 3–4. x_s `(n_s, d)` and x_t `(n_t, d)` are features in [a, b]:
//! ```text
//! L = λ [ ‖x̄_s − x̄_t‖ / |b − a|  +  Σ_{k=2}^{K} ‖c_k(x_s) − c_k(x_t)‖ / |b − a|^k ]
//! c_k(x) = (1/n) Σ_i (x_i − x̄)^k      element by element
//! ```
//! → L `()`.
//!
//! Differences from the paper:
//! 1. Its features are bounded by the sigmoid of its last hidden layer. Those of ReLU are ≥ 0; their
//!    hyperbolic tangent is in [0, 1).

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_adapt::align::{Capabilities, DomainLoss, Layer, MethodConfig, Parts, Terms, View};
use transduct_core::{Dev, Error, Method, Recorded, Result, Scalar, Taped, check, taped};

/// The weight and the order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Cmd {
    /// λ, finite and ≥ 0.
    pub(crate) weight: f32,
    /// K ≥ 1.
    pub(crate) order: usize,
}

impl Default for Cmd {
    fn default() -> Self {
        Self { weight: 1.0, order: 5 }
    }
}

impl MethodConfig for Cmd {
    const NAME: &'static str = "cmd";
    const ABOUT: &'static str = "equal central moments of source and target features";
    const PAPER: &'static str = "Zellinger et al., Central Moment Discrepancy (CMD) for \
                                 Domain-Invariant Representation Learning, ICLR 2017";
    const CAPABILITIES: Capabilities = Capabilities { symmetric: true, ..Capabilities::ALIGNMENT };

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

type Row<D> = Tensor<(usize,), f32, D, Recorded<D>>;

/// x̄ and c_2 … c_K of `(n, d)`, each `(d,)`: the first on the tape of x, the others on new ones.
fn moments<D: Dev>(x: Taped<D>, order: usize) -> Result<Vec<Row<D>>> {
    let (x, tape) = x.split_tape();
    let mean = |x: Taped<D>| x.try_mean::<(usize,), Axis<0>>().map_err(Error::device);
    let mut moments = vec![mean(x.clone().put_tape(tape))?];
    for k in 2..=order {
        let moment = mean(taped(&x))?
            .try_broadcast_like::<_, Axis<0>>(x.shape())
            .and_then(|mean| taped(&x).try_sub(mean)?.try_powi(k as i32))
            .and_then(|powers| powers.try_mean::<(usize,), Axis<0>>());
        moments.push(moment.map_err(Error::device)?);
    }
    Ok(moments)
}

/// ‖a − b‖.
fn distance<D: Dev>(a: Row<D>, b: Row<D>) -> Result<Scalar<D>> {
    // The root's slope at 0 is infinite.
    a.try_sub(b)
        .and_then(|gap| gap.try_square()?.try_sum::<Rank0, _>()?.try_add(1e-12)?.try_sqrt())
        .map_err(Error::device)
}

impl<D: Dev> DomainLoss<D> for Cmd {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Features]
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)?;
        check::at_least(Self::NAME, "order", self.order, 1)
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let bounded = |f: Taped<D>| f.try_tanh().map_err(Error::device);
        let [of_source, of_target] = view.features();
        let of_source = moments(bounded(of_source)?, self.order)?;
        let of_target = moments(bounded(of_target)?, self.order)?;
        let mut sum: Option<Scalar<D>> = None;
        for (of_source, of_target) in of_source.into_iter().zip(of_target) {
            let gap = distance(of_source, of_target)?;
            sum = Some(match sum {
                Some(sum) => sum.try_add(gap).map_err(Error::device)?,
                None => gap,
            });
        }
        let Some(sum) = sum else { unreachable!("the order is at least 1") };
        let loss = sum.try_mul(self.weight).map_err(Error::device)?;
        Ok(vec![("moments", loss)])
    }
}
