// Draws the stored curves of clip_explorer and moves its two sliders; it computes nothing.

const PANEL = { width: 310, height: 230, left: [44, 434], top: 30 };
const VIEW = { width: 760, height: 328 };

function nearest(grid, value) {
  let best = 0;
  for (let i = 1; i < grid.length; i++) {
    if (Math.abs(grid[i] - value) < Math.abs(grid[best] - value)) best = i;
  }
  return best;
}

function number(value, digits = 2) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "infinity" : "-infinity";
  const text = value.toFixed(digits).replace("-", "\u2212");
  return Number(value.toFixed(digits)) === 0 ? (0).toFixed(digits) : text;
}

// Where a slider over an evenly spaced grid ends and steps.
function over(grid, value) {
  const [min, max] = [grid[0], grid[grid.length - 1]];
  return { min, max, step: (max - min) / (grid.length - 1), value };
}

function render({ model, el }) {
  const ratios = model.get("ratios");
  const epsilons = model.get("epsilons");
  const advantages = model.get("advantages");
  const [yLow, yHigh] = model.get("y_range");
  const objective = floats(model.get("objective"));
  const slope = floats(model.get("slope"));
  const R = ratios.length;

  const xMax = ratios[R - 1];
  const x = (panel, ratio) => PANEL.left[panel] + (ratio / xMax) * PANEL.width;
  const y = (value) => PANEL.top + ((yHigh - value) / (yHigh - yLow)) * PANEL.height;
  const objectiveAt = (e, a, r) => objective[(e * 2 + a) * R + r];
  const slopeAt = (e, a, r) => slope[(e * 2 + a) * (R - 1) + r];

  const root = document.createElement("div");
  root.className = "course-widget clip-explorer";
  el.append(root);

  const fact = model.get("fact");
  if (fact) {
    const note = document.createElement("p");
    note.className = "fact";
    note.setAttribute("role", "note");
    note.textContent = `One thing is off in this picture. ${fact}`;
    root.append(note);
  }

  const picture = svg("svg", { viewBox: `0 0 ${VIEW.width} ${VIEW.height}`, role: "img" }, root);
  const clipId = `clip-${Math.random().toString(36).slice(2)}`;
  const defs = svg("defs", {}, picture);
  const panels = advantages.map((advantage, a) => {
    const clip = svg("clipPath", { id: `${clipId}-${a}` }, defs);
    svg("rect", { x: PANEL.left[a], y: PANEL.top, width: PANEL.width, height: PANEL.height }, clip);
    const sign = advantage > 0 ? "A > 0" : "A < 0";
    svg("text", { x: PANEL.left[a], y: 18, "font-weight": "bold" }, picture,
      `${sign}  (here A = ${number(advantage, 0)})`);
    const band = svg("rect", { class: "band", y: PANEL.top, height: PANEL.height }, picture);
    const edges = [0, 1].map(() =>
      svg("line", { class: "faint", y1: PANEL.top, y2: PANEL.top + PANEL.height }, picture));
    // Axes: the objective's zero line, ratio marks, values.
    svg("line", { class: "axis", x1: PANEL.left[a], x2: PANEL.left[a] + PANEL.width, y1: y(0), y2: y(0) }, picture);
    svg("line", { class: "axis", x1: PANEL.left[a], x2: PANEL.left[a], y1: PANEL.top, y2: PANEL.top + PANEL.height }, picture);
    for (const mark of [0, 0.5, 1, 1.5, 2]) {
      svg("line", { class: "axis", x1: x(a, mark), x2: x(a, mark), y1: y(0) - 3, y2: y(0) + 3 }, picture);
      svg("text", { x: x(a, mark), y: PANEL.top + PANEL.height + 17, "text-anchor": "middle" }, picture, String(mark));
    }
    for (const value of [-4, -2, 0, 2, 4]) {
      if (value < yLow || value > yHigh) continue;
      svg("text", { x: PANEL.left[a] - 7, y: y(value) + 4, "text-anchor": "end" }, picture, number(value, 0));
    }
    svg("text", { x: x(a, 1), y: PANEL.top + PANEL.height + 36, "text-anchor": "middle" }, picture, "ratio");
    const curves = svg("g", { "clip-path": `url(#${clipId}-${a})` }, picture);
    return {
      band, edges,
      flows: svg("path", { class: "flows" }, curves),
      zero: svg("path", { class: "zero" }, curves),
      reader: svg("line", { class: "reader", y1: PANEL.top, y2: PANEL.top + PANEL.height }, picture),
      dot: svg("circle", { class: "readout", r: 6 }, picture),
    };
  });
  svg("text", { x: 12, y: PANEL.top + PANEL.height / 2, "text-anchor": "middle",
    transform: `rotate(-90 12 ${PANEL.top + PANEL.height / 2})` }, picture, "objective");
  const keyY = VIEW.height - 8;
  svg("line", { class: "flows", x1: 190, x2: 230, y1: keyY - 4, y2: keyY - 4 }, picture);
  svg("text", { x: 238, y: keyY }, picture, "gradient flows");
  svg("line", { class: "zero", x1: 350, x2: 390, y1: keyY - 4, y2: keyY - 4 }, picture);
  svg("text", { x: 398, y: keyY }, picture, "gradient is zero");
  svg("rect", { class: "band", x: 524, y: keyY - 11, width: 24, height: 13 }, picture);
  svg("text", { x: 554, y: keyY }, picture, "1 \u00b1 epsilon");

  const epsilonSlider = slider(root, "epsilon, the width of the band", over(epsilons, model.get("epsilon")));
  const ratioSlider = slider(root, "ratio at which the curves are read", over(ratios, model.get("ratio")));
  const reading = document.createElement("output");
  root.append(reading);

  function path(e, a, wantZero) {
    let d = "";
    let open = false;
    for (let r = 0; r < R - 1; r++) {
      const from = objectiveAt(e, a, r);
      const to = objectiveAt(e, a, r + 1);
      const isZero = Math.abs(slopeAt(e, a, r)) < 1e-6;
      const wanted = isZero === wantZero && Number.isFinite(from) && Number.isFinite(to);
      if (wanted) {
        if (!open) d += `M${x(a, ratios[r]).toFixed(2)} ${y(from).toFixed(2)}`;
        d += `L${x(a, ratios[r + 1]).toFixed(2)} ${y(to).toFixed(2)}`;
      }
      open = wanted;
    }
    return d;
  }

  function slopeText(e, a, r) {
    const left = slopeAt(e, a, Math.max(r - 1, 0));
    const right = slopeAt(e, a, Math.min(r, R - 2));
    if (number(left) === number(right)) return `slope ${number(left)}`;
    return `a corner, slope ${number(left)} to the left and ${number(right)} to the right`;
  }

  function draw() {
    const e = nearest(epsilons, model.get("epsilon"));
    const r = nearest(ratios, model.get("ratio"));
    const epsilon = epsilons[e];
    const ratio = ratios[r];
    panels.forEach((panel, a) => {
      panel.band.setAttribute("x", x(a, 1 - epsilon));
      panel.band.setAttribute("width", x(a, 1 + epsilon) - x(a, 1 - epsilon));
      [1 - epsilon, 1 + epsilon].forEach((edge, i) => {
        panel.edges[i].setAttribute("x1", x(a, edge));
        panel.edges[i].setAttribute("x2", x(a, edge));
      });
      panel.flows.setAttribute("d", path(e, a, false));
      panel.zero.setAttribute("d", path(e, a, true));
      panel.reader.setAttribute("x1", x(a, ratio));
      panel.reader.setAttribute("x2", x(a, ratio));
      const value = objectiveAt(e, a, r);
      const visible = Number.isFinite(value) && value >= yLow && value <= yHigh;
      panel.dot.setAttribute("visibility", visible ? "visible" : "hidden");
      if (visible) {
        panel.dot.setAttribute("cx", x(a, ratio));
        panel.dot.setAttribute("cy", y(value));
      }
    });
    epsilonSlider.name.textContent = `epsilon ${epsilon.toFixed(3)}`;
    ratioSlider.name.textContent = `ratio ${ratio.toFixed(3)}`;
    epsilonSlider.input.value = epsilon;
    ratioSlider.input.value = ratio;
    epsilonSlider.input.setAttribute("aria-valuetext", epsilon.toFixed(3));
    ratioSlider.input.setAttribute("aria-valuetext", ratio.toFixed(3));
    const lines = [`epsilon ${epsilon.toFixed(3)}: the band is ${(1 - epsilon).toFixed(3)} to ${(1 + epsilon).toFixed(3)}. At ratio ${ratio.toFixed(3)}:`];
    advantages.forEach((advantage, a) => {
      lines.push(`${advantage > 0 ? "A > 0" : "A < 0"}: objective ${number(objectiveAt(e, a, r))}, ${slopeText(e, a, r)}`);
    });
    reading.replaceChildren(...lines.map((line) => {
      const row = document.createElement("div");
      row.textContent = line;
      return row;
    }));
    picture.setAttribute("aria-label",
      `Your clipped objective against the ratio, for a positive and a negative advantage. ${lines.join(" ")}`);
  }

  function choose(name, grid, input) {
    // Only the browser's copy of the model changes: no kernel is needed, and every view follows.
    model.set(name, grid[nearest(grid, Number(input.value))]);
  }
  epsilonSlider.input.addEventListener("input", () => choose("epsilon", epsilons, epsilonSlider.input));
  ratioSlider.input.addEventListener("input", () => choose("ratio", ratios, ratioSlider.input));
  model.on("change:epsilon", draw);
  model.on("change:ratio", draw);
  draw();
  return () => {
    model.off("change:epsilon", draw);
    model.off("change:ratio", draw);
  };
}

export default { render };
