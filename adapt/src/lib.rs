//! Transductive transfer: methods that adapt a model to a domain without labels, and validators
//! that choose among models without them.
//!
//! | name | method | paper |
//! |---|---|---|
//! | `source-only` | [`align::SourceOnly`] | – |
//! | `dann` | [`align::Dann`] | Ganin et al., JMLR 2016 |
//! | `deep-coral` | [`align::DeepCoral`] | Sun & Saenko, ECCV Workshops 2016 |
//! | `dan` | [`align::Dan`] | Long et al., ICML 2015 |
//! | `entropy-minimisation` | [`align::EntropyMinimisation`] | Grandvalet & Bengio, NIPS 2004 |
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
pub mod diagnose;
pub mod domains;
pub mod error;
pub mod inductive;
pub mod kernel;
pub mod learn;
pub mod math;
pub mod mmd;
pub mod ot;
pub mod registry;
pub mod reweight;
pub mod shallow;
pub mod validate;

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
