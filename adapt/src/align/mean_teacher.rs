//! Mean Teacher: the average of the network's past says what its present should see in the target.
//!
//! Tarvainen & Valpola, "Mean teachers are better role models: Weight-averaged consistency targets
//! improve semi-supervised deep learning results", NIPS 2017, Sec. 2, Eqs. 1–2, as French et al.,
//! "Self-ensembling for visual domain adaptation", ICLR 2018, Sec. 3, take it to two domains. With p
//! the student's probabilities `(n_t, k)` on one view of the target rows and q the teacher's on another:
//! ```text
//! L = w (1/n_t) Σ_i m_i (1/k) Σ_c (p_ic − q_ic)²  +  w b m̄ Σ_c BCE(p̄_c, 1/k)
//! m_i = [max_c q_ic > τ]        p̄ = (1/n_t) Σ_i p_i
//! θ′ ← α θ′ + (1 − α) θ         after every step: θ the student's parameters, θ′ the teacher's
//! ```
//! beside the student's cross-entropy on the source. What is judged and exported is the teacher. Its
//! running moments are those of the target batches that it sees; the student passes the domains apart.
//!
//! Differences from French et al.:
//! 1. Views move and add noise as the run's `training.augment` says; there are affine maps too.
//! 2. Source rows are not augmented.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Batch, Dev, Error, Kind, Losses, Matrix, Method, Needs, Network, Parameter, Pass, Recording,
    Result, Scalar, Scope, Step, Taped, check,
    ops::{self, CrossEntropy},
    value,
};

use super::{Capabilities, MethodConfig, Parts, Range};

/// The values of French et al., Sec. 3.2–3.4 and their code's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanTeacher {
    /// w, finite and ≥ 0.
    pub weight: f32,
    /// α, 0 ≤ α < 1.
    pub decay: f32,
    /// τ, 0 ≤ τ < 1.
    pub confidence: f32,
    /// b, finite and ≥ 0.
    pub balance: f32,
}

impl Default for MeanTeacher {
    fn default() -> Self {
        Self { weight: 3.0, decay: 0.99, confidence: 0.968, balance: 0.005 }
    }
}

impl MethodConfig for MeanTeacher {
    const NAME: &'static str = "mean-teacher";
    const ABOUT: &'static str = "predictions on the target as an average of the network makes them";
    const PAPER: &'static str =
        "French et al., Self-ensembling for visual domain adaptation, ICLR 2018";
    const CAPABILITIES: Capabilities =
        Capabilities { needs: Needs { views: 2, ..Needs::BOTH }, ..Capabilities::ALIGNMENT };
    const RANGES: &'static [(&'static str, Range)] = &[
        ("weight", Range::Log(0.01, 10.0)),
        ("decay", Range::Linear(0.9, 0.999)),
        ("confidence", Range::Linear(0.5, 0.99)),
    ];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        check::non_negative(Self::NAME, "weight", self.weight)?;
        check::non_negative(Self::NAME, "balance", self.balance)?;
        for (field, value) in [("decay", self.decay), ("confidence", self.confidence)] {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::config(Self::NAME, field, value, "0 ≤ value < 1"));
            }
        }
        let student = parts.network.twin()?;
        Ok(Box::new(Averaged { config: self, teacher: parts.network, student }))
    }
}

/// Both networks.
struct Averaged<D: Dev> {
    config: MeanTeacher,
    teacher: Network<D>,
    student: Network<D>,
}

const STUDENT: &str = "student";

/// Keeps logarithms finite, as in the authors' code.
const EPSILON: f32 = 1e-6;

impl MeanTeacher {
    /// L of the student's logits and the teacher's, both `(n, k)`.
    fn loss<D: Dev>(&self, student: Taped<D>, teacher: Matrix<D>) -> Result<Scalar<D>> {
        let &(n, k) = teacher.shape();
        let q = teacher.try_softmax::<Axis<1>>().map_err(Error::device)?;
        let mut rows = vec![0.0; n * k];
        q.copy_into(&mut rows);
        let sure = |row: &[f32]| row.iter().any(|&q| q > self.confidence);
        let mask: Vec<f32> = rows.chunks(k).map(|row| f32::from(u8::from(sure(row)))).collect();
        let share = mask.iter().sum::<f32>() / n as f32;
        let mask = q.device().try_tensor_from_vec(mask, (n,)).map_err(Error::device)?;

        let p = student.try_softmax::<Axis<1>>().map_err(Error::device)?;
        let mean = p.with_empty_tape().try_mean::<(usize,), Axis<0>>().map_err(Error::device)?;
        let consistency = p
            .try_sub(q)
            .and_then(|gap| gap.try_square())
            .and_then(|gap| gap.try_mean::<(usize,), Axis<1>>())
            .and_then(|gap| gap.try_mul(mask))
            .and_then(|gap| gap.try_mean::<Rank0, _>())
            .map_err(Error::device)?;
        let balance = binary_cross_entropy(mean, 1.0 / k as f32)?
            .try_mul(self.balance * share)
            .map_err(Error::device)?;
        consistency
            .try_add(balance)
            .and_then(|loss| loss.try_mul(self.weight))
            .map_err(Error::device)
    }
}

/// Σ_c −(t log p_c + (1 − t) log(1 − p_c)) of p `(k,)`.
fn binary_cross_entropy<D: Dev, T: Tape<f32, D> + Merge<T>>(
    p: Tensor<(usize,), f32, D, T>,
    t: f32,
) -> Result<Tensor<Rank0, f32, D, T>> {
    let yes = p.with_empty_tape().try_add(EPSILON).and_then(|p| p.try_ln()?.try_mul(-t));
    let no = p.try_negate().and_then(|p| p.try_add(1.0 + EPSILON)?.try_ln()?.try_mul(t - 1.0));
    yes.and_then(|yes| no?.try_add(yes)?.try_sum::<Rank0, _>()).map_err(Error::device)
}

impl<D: Dev> Averaged<D> {
    /// θ′ ← α θ′ + (1 − α) θ.
    fn average(&self) -> Result<()> {
        let alpha = self.config.decay;
        let pairs = self.teacher.parameters().into_iter().zip(self.student.parameters());
        for ((_, teacher), (_, student)) in pairs {
            if teacher.kind() == Kind::Buffer {
                continue;
            }
            let kept = teacher.vector().try_mul(alpha).map_err(Error::device)?;
            let new = student.vector().try_mul(1.0 - alpha).and_then(|new| new.try_add(kept));
            let new = new.map_err(Error::device)?;
            teacher.update(|value| *value = new);
        }
        Ok(())
    }
}

impl<D: Dev> Method<D> for Averaged<D> {
    fn needs(&self) -> Needs {
        MeanTeacher::CAPABILITIES.needs
    }

    fn step(&mut self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        let (source, target) = batch.both(MeanTeacher::NAME, 1)?;
        let [for_student, for_teacher] = target.views else {
            return Err(Error::shape("mean-teacher", "2 views", target.views.len()));
        };
        let Recording { logits, tape, .. } =
            self.student.record(source.x, Pass::train(step.rng))?;
        let classification =
            ops::cross_entropy(logits.put_tape(tape), source.y, CrossEntropy::default())?;
        let Recording { logits, tape, .. } =
            self.student.record(for_student, Pass::train(step.rng))?;
        let teacher = self.teacher.outputs_in(for_teacher, &mut Pass::train(step.rng))?;
        let consistency = self.config.loss(logits.put_tape(tape), teacher.logits)?;
        let terms = [value(&classification), value(&consistency)];
        let total = classification.try_add(consistency).map_err(Error::device)?;
        let l_total = value(&total);
        step.descend_in(total, &[STUDENT])?;
        self.average()?;
        Ok(Losses(vec![
            ("total", l_total),
            ("classification", terms[0]),
            ("consistency", terms[1]),
        ]))
    }

    fn network(&self) -> &Network<D> {
        &self.teacher
    }

    fn own(&self) -> Vec<(Scope, Parameter<D>)> {
        self.student.parameters_below(STUDENT)
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{
        InputShape, Recorded, Stream,
        backbone::{Mlp, MlpConfig},
        cpu, rng,
    };

    use super::{super::testing::built, *};

    /// Two rows, k = 2. The teacher is sure of the first, (0.99, 0.01), and not of the second. The
    /// student says (½, ½) and (¾, ¼).
    #[test]
    fn the_loss_by_hand() {
        let teacher: Matrix<_> = cpu().tensor([[99f32.ln(), 0.0], [0.1, 0.0]]).realize();
        let student: Matrix<_> = cpu().tensor([[0.0, 0.0], [3f32.ln(), 0.0]]).realize();
        let config = MeanTeacher { weight: 2.0, balance: 0.5, ..MeanTeacher::default() };
        let loss = config.loss(student.put_tape(Recorded::<Cpu>::default()), teacher).unwrap();
        // Of the masked rows' mean: (0.49² + 0.49²)/2 / 2.
        let consistency = 0.49f32.powi(2) / 2.0;
        // p̄ = (⅝, ⅜), against ½ each; half of the rows are sure.
        let bce = |p: f32| -0.5 * (p.ln() + (1.0 - p).ln());
        let expected = 2.0 * (consistency + 0.5 * 0.5 * (bce(0.625) + bce(0.375)));
        assert!((loss.array() - expected).abs() < 1e-5, "{} for {expected}", loss.array());
    }

    #[test]
    fn the_teacher_is_the_average_of_the_students() {
        let (dev, mut init) = (cpu(), rng(3, Stream::Init));
        let input = InputShape::Features { d: 2 };
        let mlp = MlpConfig { hidden: vec![3], dropout: 0.0 };
        let backbone = Box::new(Mlp::new(&dev, input, &mlp, &mut init).unwrap());
        let parts = Parts::new(&dev, backbone, &Default::default(), (2, 3), &mut init).unwrap();
        let student = parts.network.twin().unwrap();
        let config = MeanTeacher { decay: 0.75, ..MeanTeacher::default() };
        let method = Averaged { config, teacher: parts.network, student };
        let before = method.teacher.head().parameters()[0].to_vec();
        let head = method.student.head().parameters().remove(0);
        head.set(&vec![8.0; head.len()]).unwrap();
        method.average().unwrap();
        let after = method.teacher.head().parameters()[0].to_vec();
        for (before, after) in before.iter().zip(after) {
            assert!((after - (0.75 * before + 2.0)).abs() < 1e-6);
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        let message = |config: MeanTeacher| built(config, vec![4]).err().unwrap().to_string();
        let decay = MeanTeacher { decay: 1.0, ..MeanTeacher::default() };
        assert_eq!(message(decay), "mean-teacher.decay = 1: expected 0 ≤ value < 1");
    }
}
