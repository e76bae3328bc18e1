//! Transductive transfer: methods that adapt a model to a domain without labels, and validators
//! that choose among models without them.
//!
//! | name | method | paper |
//! |---|---|---|
//! | `source-only` | [`align::SourceOnly`] | – |
//! | `dann` | [`align::Dann`] | Ganin et al., JMLR 2016 |
//! | `cdan` | [`align::Cdan`] | Long et al., NeurIPS 2018 |
//! | `bsp` | [`align::BspConfig`] | Chen et al., ICML 2019 |
//! | `adda` | [`align::Adda`] | Tzeng et al., CVPR 2017 |
//! | `mcd` | [`align::Mcd`] | Saito et al., CVPR 2018 |
//! | `mdd` | [`align::Mdd`] | Zhang et al., ICML 2019 |
//! | `deep-coral` | [`align::DeepCoral`] | Sun & Saenko, ECCV Workshops 2016 |
//! | `dan` | [`align::Dan`] | Long et al., ICML 2015 |
//! | `jan` | [`align::Jan`] | Long et al., ICML 2017 |
//! | `deep-jdot` | [`align::DeepJdot`] | Damodaran et al., ECCV 2018 |
//! | `afn` | [`align::Afn`] | Xu et al., ICCV 2019 |
//! | `mcc` | [`align::Mcc`] | Jin et al., ECCV 2020 |
//! | `bnm` | [`align::Bnm`] | Cui et al., CVPR 2020 |
//! | `entropy-minimisation` | [`align::EntropyMinimisation`] | Grandvalet & Bengio, NIPS 2004 |
//! | `pseudo-labels` | [`align::PseudoLabels`] | Lee, ICML Workshops 2013 |
//! | `fixmatch` | [`align::FixMatch`] | Sohn et al., NeurIPS 2020 |
//! | `mean-teacher` | [`align::MeanTeacher`] | French et al., ICLR 2018 |
//! | `shot` | [`align::Shot`] | Liang et al., ICML 2020 |
//! | `tent` | [`align::Tent`] | Wang et al., ICLR 2021 |
//! | `adabn` | [`align::AdaBn`] | Li et al., ICLR Workshops 2017 |
//!
//! On host arrays, in double precision:
//!
//! | name | aligner | paper |
//! |---|---|---|
//! | `pca` | [`shallow::Pca`] | Pearson, 1901: the baseline of the tables |
//! | `subspace-alignment` | [`shallow::SubspaceAlignment`] | Fernando et al., ICCV 2013 |
//! | `gfk` | [`shallow::GeodesicFlow`] | Gong et al., CVPR 2012 |
//! | `coral` | [`shallow::Coral`] | Sun, Feng & Saenko, AAAI 2016 |
//! | `linear-monge` | [`shallow::LinearMonge`] | Flamary et al., 2019 |
//! | `location-scale-mmd` | [`shallow::LocationScaleMmd`] | Zhang et al., ICML 2013 |
//! | `tca`, `sstca` | [`shallow::Tca`], [`shallow::SemiSupervisedTca`] | Pan et al., TNN 2011 |
//! | `jda` | [`shallow::Jda`] | Long et al., ICCV 2013 |
//! | `bda` | [`shallow::Bda`] | Wang et al., ICDM 2017 |
//! | `tjm` | [`shallow::Tjm`] | Long et al., CVPR 2014 |
//! | `ot-emd`, `ot-sinkhorn`, `ot-class`, `ot-laplace` | [`shallow::OtEmd`] … | Courty et al., TPAMI 2017 |
//! | `ot-unbalanced` | [`shallow::OtUnbalanced`] | Chizat et al., 2018 |
//! | `feature-augmentation` | [`shallow::FeatureAugmentation`] | Daumé III, ACL 2007 |
//!
//! | name | adapting classifier | paper |
//! |---|---|---|
//! | `meda` | [`shallow::Meda`] | Wang et al., ACM Multimedia 2018 |
//! | `jdot` | [`shallow::Jdot`] | Courty et al., NIPS 2017 |
//! | `jcpot` | [`shallow::Jcpot`] | Redko et al., AISTATS 2019 |
//!
//! | name | weighting | paper |
//! |---|---|---|
//! | `gaussian` | [`reweight::GaussianRatio`] | Shimodaira, JSPI 2000 |
//! | `kde` | [`reweight::KdeRatio`] | Silverman, 1986 |
//! | `ulsif` | [`reweight::Ulsif`] | Kanamori et al., JMLR 2009 |
//! | `rulsif` | [`reweight::Rulsif`] | Yamada et al., NIPS 2011 |
//! | `kliep` | [`reweight::Kliep`] | Sugiyama et al., AISM 2008 |
//! | `kmm` | [`reweight::Kmm`] | Huang et al., NIPS 2006 |
//! | `logistic`, `discriminative` | [`reweight::LogisticRatio`], [`reweight::Discriminative`] | Bickel et al., JMLR 2009 |
//! | `nearest-neighbour` | [`reweight::NearestNeighbour`] | Loog, MLSP 2012 |
//! | `bbse` | [`reweight::Bbse`] | Lipton et al., ICML 2018 |
//! | `rlls` | [`reweight::Rlls`] | Azizzadenesheli et al., ICLR 2019 |
//! | `mmd-tars` | [`reweight::MmdTars`] | Zhang et al., ICML 2013 |
//! | `selection-bias` | [`reweight::SelectionBias`] | Zadrozny, ICML 2004; Cortes et al., ALT 2008 |
//!
//! Learners that take weights are in [`learn`], methods that want a few target labels in
//! [`inductive`], tests of which kind of shift there is in [`diagnose`].
//!
//! | name | validator | paper |
//! |---|---|---|
//! | `dev` | [`validate::DeepEmbedded`] | You et al., ICML 2019 |
//! | `entropy` | [`validate::Entropy`] | Morerio et al., ICLR 2018 |
//! | `im` | [`validate::InformationMaximisation`] | Hu et al., ICML 2017; Musgrave et al., 2022 |
//! | `iwcv` | [`validate::ImportanceWeighted`] | Sugiyama et al., JMLR 2007 |
//! | `snd` | [`validate::SoftNeighbourhoodDensity`] | Saito et al., ICCV 2021 |
//! | `source-accuracy` | [`validate::SourceAccuracy`] | – |

pub mod align;
pub mod catalogue;
pub mod certificate;
mod check;
pub mod diagnose;
pub mod domains;
pub mod error;
pub mod gap;
pub mod inductive;
pub mod kernel;
pub mod learn;
pub mod math;
pub mod mmd;
pub mod ot;
pub mod progress;
pub mod registry;
pub mod reweight;
pub mod shallow;
pub mod sparse_domains;
pub mod standard;
pub mod validate;
pub mod wild;

pub use transduct_core::{dfdx, ndarray};
