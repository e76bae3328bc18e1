/** One network's answer: the digit, how it stands to the truth, and a bar a class. */
import { element, percent } from "../dom.js";

/** @param {string} title @param {string[]} classes */
export function createAnswer(title, classes) {
  const verdict = element("p", { className: "verdict" });
  const bars = classes.map((name) => {
    const fill = element("span", { className: "fill" });
    const share = element("span", { className: "percent" });
    const row = element("li", {}, name, element("span", { className: "track" }, fill), share);
    return { row, fill, share };
  });
  const box = element(
    "div",
    { className: "answer" },
    element("h4", {}, title),
    verdict,
    element(
      "ul",
      { className: "bars", "aria-label": `Probabilities, ${title}` },
      ...bars.map(({ row }) => row),
    ),
  );

  return {
    box,
    /**
     * @param {import("../types.js").Answer | undefined} answer none while nothing is drawn
     * @param {number | undefined} truth the sample's label, none for a drawing
     */
    show(answer, truth) {
      verdict.replaceChildren(
        element("b", {}, answer ? classes[answer.label] : "–"),
        ...judgement(answer, truth),
      );
      bars.forEach(({ row, fill, share }, i) => {
        const probability = answer?.probabilities[i] ?? 0;
        row.classList.toggle("best", answer?.label === i);
        fill.style.width = `${100 * probability}%`;
        share.textContent = answer ? percent(probability) : "";
      });
    },
    /** @param {string} message */
    fail(message) {
      box.replaceChildren(element("h4", {}, title), element("p", { className: "problem" }, message));
    },
  };
}

/** @param {import("../types.js").Answer | undefined} answer @param {number | undefined} truth */
function judgement(answer, truth) {
  if (!answer || truth === undefined) return [];
  return answer.label === truth
    ? [element("span", { className: "right" }, "✓ right")]
    : [element("span", { className: "wrong" }, "✗ wrong")];
}
