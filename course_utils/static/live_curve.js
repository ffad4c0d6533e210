// Draws the learning curve whose points (step, mean return) arrive while training runs.

const VIEW = { width: 760, height: 250 };
const BOX = { left: 58, right: 744, top: 28, bottom: 208 };

// The next of 1, 2, 5, 10, 20, 50, ... so that the axis changes rarely.
function roundUp(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  for (const factor of [1, 2, 5, 10]) if (factor * unit >= value) return factor * unit;
  return value;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "course-widget live-curve";
  el.append(root);
  const picture = svg("svg", { viewBox: `0 0 ${VIEW.width} ${VIEW.height}`, role: "img" }, root);
  const total = model.get("total_steps");
  const goal = model.get("goal");
  const title = model.get("title");

  svg("text", { x: BOX.left, y: 16, "font-weight": "bold" }, picture, title);
  svg("line", { class: "axis", x1: BOX.left, x2: BOX.left, y1: BOX.top, y2: BOX.bottom }, picture);
  svg("line", { class: "axis", x1: BOX.left, x2: BOX.right, y1: BOX.bottom, y2: BOX.bottom }, picture);
  const x = (step) => BOX.left + Math.min(step / total, 1) * (BOX.right - BOX.left);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    svg("text", { x: x(share * total), y: BOX.bottom + 17, "text-anchor": share === 1 ? "end" : "middle" },
      picture, Math.round(share * total).toLocaleString("en-US"));
  }
  svg("text", { x: x(total / 2), y: BOX.bottom + 36, "text-anchor": "middle" }, picture,
    `environment steps; mean return of the last ${model.get("window")} episodes`);
  const marks = [0, 1].map(() => svg("text", { x: BOX.left - 7, "text-anchor": "end" }, picture));
  const goalLine = svg("line", { class: "goal", x1: BOX.left, x2: BOX.right }, picture);
  const goalText = svg("text", { x: BOX.left + 8 }, picture);
  const curve = svg("path", { class: "flows" }, picture);
  const last = svg("circle", { class: "readout", r: 5 }, picture);

  function draw() {
    const points = floats(model.get("points"));
    let low = 0;
    let high = goal === null ? 1 : Math.max(goal, 0);
    for (let i = 1; i < points.length; i += 2) {
      if (!Number.isFinite(points[i])) continue;
      low = Math.min(low, points[i]);
      high = Math.max(high, points[i]);
    }
    high = high > 0 ? roundUp(high) : 0;
    low = low < 0 ? -roundUp(-low) : 0;
    const y = (value) => BOX.bottom - ((value - low) / (high - low || 1)) * (BOX.bottom - BOX.top);
    [low, high].forEach((value, i) => {
      marks[i].setAttribute("y", y(value) + 4);
      marks[i].textContent = String(value);
    });
    if (goal !== null) {
      goalLine.setAttribute("y1", y(goal));
      goalLine.setAttribute("y2", y(goal));
      goalText.setAttribute("y", y(goal) + 16);
      goalText.textContent = `goal ${goal}`;
    }
    let d = "";
    for (let i = 0; i + 1 < points.length; i += 2) {
      if (!Number.isFinite(points[i + 1])) continue;
      d += `${d ? "L" : "M"}${x(points[i]).toFixed(1)} ${y(points[i + 1]).toFixed(1)}`;
    }
    curve.setAttribute("d", d);
    last.setAttribute("visibility", d ? "visible" : "hidden");
    let label = `Learning curve${title ? ` of ${title}` : ""}: no episode has finished yet.`;
    if (d) {
      const [step, mean] = points.slice(-2);
      last.setAttribute("cx", x(step));
      last.setAttribute("cy", y(mean));
      label = `Learning curve${title ? ` of ${title}` : ""}: mean return ${mean.toFixed(1)} after ${step} steps.`;
    }
    picture.setAttribute("aria-label", label);
  }

  model.on("change:points", draw);
  draw();
  return () => model.off("change:points", draw);
}

export default { render };
