/**
 * Shapes of the JSON that the compiled program hands out. Types only: nothing here runs.
 *
 * @typedef {"source" | "target"} Domain
 * @typedef {[number, number]} Point
 *
 * @typedef {object} ModelCard
 * @property {string} backbone
 * @property {number} parameters
 * @property {string} input
 * @property {string[]} classes
 * @property {Record<string, unknown>} provenance
 *
 * @typedef {object} Answer
 * @property {number} label index of the most probable class
 * @property {number[]} probabilities one a class, summing to 1
 *
 * @typedef {object} EmbeddedDomain
 * @property {Point[]} points
 * @property {number[]} labels
 * @property {number[]} predictions
 *
 * @typedef {object} Embedding
 * @property {EmbeddedDomain} source
 * @property {EmbeddedDomain} target
 * @property {Record<Domain, number>} accuracy from 0 to 1
 *
 * @typedef {object} LabelledPoints
 * @property {Point[]} points
 * @property {number[]} labels 0 or 1
 *
 * @typedef {Record<Domain, LabelledPoints>} MoonPoints
 *
 * @typedef {object} LearnerState
 * @property {string} method
 * @property {Record<string, number>} losses none before the first step
 * @property {number} source_accuracy
 * @property {number} target_accuracy
 * @property {Record<string, number>} readings what the method tells of itself, as `critic-accuracy`
 *
 * @typedef {object} MoonsState
 * @property {number} step
 * @property {number} steps
 * @property {number} progress
 * @property {boolean} done
 * @property {[LearnerState, LearnerState]} learners source-only, then the method
 *
 * @typedef {object} MoonsView everything that a training step can move
 * @property {MoonsState} state
 * @property {[Float32Array, Float32Array]} fields P(class 1) on a square grid, top row first
 *
 * @typedef {object} MoonsScene everything that a new target can move
 * @property {MoonPoints} points
 * @property {[number, number, number, number]} bounds x_min, x_max, y_min, y_max
 *
 * @typedef {object} ShiftScene
 * @property {number[]} x training inputs
 * @property {number[]} y training outputs
 * @property {number[]} target_x inputs that the model will meet
 * @property {number[]} grid
 * @property {number[]} truth
 * @property {number[]} source_density
 * @property {number[]} target_density
 * @property {{curve: number[], error: number}} unweighted
 *
 * @typedef {object} ShiftFit
 * @property {string} method
 * @property {number[]} weights
 * @property {number} effective_sample_size
 * @property {number} largest
 * @property {boolean} collapsed
 * @property {boolean} converged
 * @property {string} certificate
 * @property {string[]} notes
 * @property {number[]} curve
 * @property {number} error
 *
 * @typedef {{name: string, title?: string, about: string}} Method
 */
export {};
