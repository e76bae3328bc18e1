//! Named tensors that training changes.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use dfdx::prelude::*;

use crate::{
    Dev, Error, Matrix, Result, Vector,
    device::{Maps, Recorded},
};

/// What a parameter is, and so what training may do to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A weight: trained, decayed.
    Weight,
    /// A bias: trained, and decayed unless the optimiser is told to leave it.
    Bias,
    /// Scale or shift of a normalisation: treated as a bias, and all that some methods train.
    Scale,
    /// State that is not trained, such as running statistics. Saved with the rest.
    Buffer,
}

/// Which of a method's networks a parameter belongs to: a path such as `backbone`, `head`, `head.2`,
/// `critic` or `student/backbone`. Followed by `/` and the parameter's own name it is the path by
/// which learning rates, updates and files know the parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Cow<'static, str>);

impl Scope {
    /// The feature extractor that is judged and exported.
    pub const BACKBONE: Self = Self(Cow::Borrowed("backbone"));
    /// Its classifier.
    pub const HEAD: Self = Self(Cow::Borrowed("head"));
    /// What tells the domains apart.
    pub const CRITIC: Self = Self(Cow::Borrowed("critic"));

    /// The scope of this path.
    pub fn new(path: impl Into<Cow<'static, str>>) -> Self {
        Self(path.into())
    }

    /// The scope of the classifier `i`, counted from 0: `head`, `head.2`, `head.3`, …
    pub fn head(i: usize) -> Self {
        if i == 0 { Self::HEAD } else { Self::new(format!("head.{}", i + 1)) }
    }

    /// This scope below `parent`, for a second network of the same kind: `student/backbone`.
    pub fn below(&self, parent: &str) -> Self {
        Self::new(format!("{parent}/{}", self.0))
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the path `path` is `prefix` or lies below it: `backbone` covers `backbone/conv1.weight`,
/// `head` covers `head.2/head.bias` and not `header/x`.
pub fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
}

/// A shared handle of a named tensor: clones are the same parameter. Values lie flat, so that
/// optimisers and checkpoints know one shape; [`Parameter::matrix`] and [`Parameter::filter`] give
/// the tensor its own dimensions at no cost (dfdx keeps the identity of a reshaped tensor, so its
/// gradient is the parameter's).
#[derive(Clone, Debug)]
pub struct Parameter<D: Dev>(Arc<Inner<D>>);

#[derive(Debug)]
struct Inner<D: Dev> {
    name: String,
    kind: Kind,
    dims: Vec<usize>,
    value: RwLock<Vector<D>>,
    /// Counts changes of `value`; written under its lock.
    version: AtomicU64,
    frozen: AtomicBool,
}

impl<D: Dev> Parameter<D> {
    /// A parameter of these values, in row-major order of `dims`. Panics when they do not fill it.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn new(
        dev: &D,
        name: impl Into<String>,
        kind: Kind,
        dims: &[usize],
        values: Vec<f32>,
    ) -> Result<Self> {
        let len = values.len();
        assert_eq!(len, dims.iter().product::<usize>(), "values do not fill {dims:?}");
        let value = dev.try_tensor_from_vec(values, (len,)).map_err(Error::device)?;
        Ok(Self(Arc::new(Inner {
            name: name.into(),
            kind,
            dims: dims.to_vec(),
            value: RwLock::new(value),
            version: AtomicU64::new(0),
            frozen: AtomicBool::new(kind == Kind::Buffer),
        })))
    }

    /// Its name inside its network, for instance `conv1.weight`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its path among all parameters of a method, for instance `backbone/conv1.weight`.
    pub fn path(&self, scope: &Scope) -> String {
        format!("{scope}/{}", self.name())
    }

    /// A parameter of its own with the same name, values and frozenness.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn twin(&self) -> Result<Self> {
        let (value, kind) = (self.vector(), self.kind());
        let twin = Self::new(value.device(), self.name(), kind, self.dims(), self.to_vec())?;
        twin.set_frozen(self.frozen());
        Ok(twin)
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Its dimensions.
    pub fn dims(&self) -> &[usize] {
        &self.0.dims
    }

    /// The number of its values.
    pub fn len(&self) -> usize {
        self.0.dims.iter().product()
    }

    /// Whether it has no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether training leaves it alone; always so for a buffer.
    pub fn frozen(&self) -> bool {
        self.0.frozen.load(Ordering::Relaxed)
    }

    /// Tells training to leave it alone, or not. A buffer stays frozen.
    pub fn set_frozen(&self, frozen: bool) {
        self.0.frozen.store(frozen || self.0.kind == Kind::Buffer, Ordering::Relaxed);
    }

    /// The tensor as it lies, `(len,)`.
    pub fn vector(&self) -> Vector<D> {
        self.0.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The tensor `(rows, columns)`. Panics unless the parameter has two dimensions.
    pub fn matrix(&self) -> Matrix<D> {
        let &[rows, columns] = self.dims() else { panic!("{} is no matrix", self.name()) };
        self.vector().reshape_like(&(rows, columns))
    }

    /// The tensor `(k_h, k_w, c_in / groups, c_out)`. Panics unless the parameter has four
    /// dimensions.
    pub fn filter(&self) -> Maps<D> {
        let &[h, w, i, o] = self.dims() else { panic!("{} is no filter", self.name()) };
        self.vector().reshape_like(&(h, w, i, o))
    }

    /// A number that differs from all former ones after every change of the values: what was made
    /// from the values is good while it is the same, if it was read before them.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Lets `change` write to the values in place.
    pub fn update<R>(&self, change: impl FnOnce(&mut Vector<D>) -> R) -> R {
        let mut value = self.0.value.write().unwrap_or_else(PoisonError::into_inner);
        // Before the change, which may panic half-way.
        self.0.version.fetch_add(1, Ordering::Release);
        change(&mut value)
    }

    /// The values on the host, in row-major order.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.len()];
        self.vector().copy_into(&mut values);
        values
    }

    /// Replaces the values.
    ///
    /// # Errors
    /// [`Error::Shape`] when the number of values differs.
    pub fn set(&self, values: &[f32]) -> Result<()> {
        if values.len() != self.len() {
            let expected = format!("{} values for `{}`", self.len(), self.name());
            return Err(Error::shape("parameter", expected, values.len()));
        }
        self.update(|value| value.copy_from(values));
        Ok(())
    }

    /// The gradient of the last backward pass, zeros where the loss does not depend on it.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn gradient(&self, grads: &mut Gradients<f32, D>) -> Result<Vector<D>> {
        let value = self.vector();
        grads.get_or_alloc_mut(&value).map_err(Error::device)?;
        Ok(grads.get(&value))
    }

    /// The tensor on a new tape, for losses on the parameters themselves.
    pub fn recorded(&self) -> Vector<D, Recorded<D>> {
        self.vector().put_tape(Default::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu;

    #[test]
    fn a_path_covers_what_is_below_it() {
        assert!(covers("head", "head") && covers("head", "head/head.bias"));
        assert!(covers("head", "head.2/head.bias") && covers("head.2", "head.2/head.bias"));
        assert!(!covers("head", "header/x") && !covers("head.2", "head/head.bias"));
        assert!(covers("backbone/layer3", "backbone/layer3.1.conv1.weight"));
        assert!(!covers("backbone/layer3", "backbone/layer31.weight"));
        assert_eq!(Scope::head(1).below("student").path(), "student/head.2");
    }

    #[test]
    fn a_twin_has_values_of_its_own() {
        let p = Parameter::new(&cpu(), "p", Kind::Weight, &[2], vec![1.0, 2.0]).unwrap();
        p.set_frozen(true);
        let twin = p.twin().unwrap();
        assert_eq!((twin.name(), twin.kind(), twin.frozen()), ("p", Kind::Weight, true));
        twin.set(&[3.0, 4.0]).unwrap();
        assert_eq!((p.to_vec(), twin.to_vec()), (vec![1.0, 2.0], vec![3.0, 4.0]));
        // A gradient of the one is none of the other.
        let mut gradients = p.recorded().powi(2).sum::<Rank0, _>().backward();
        assert_eq!(p.gradient(&mut gradients).unwrap().as_vec(), [2.0, 4.0]);
        assert_eq!(twin.gradient(&mut gradients).unwrap().as_vec(), [0.0, 0.0]);
    }
}
