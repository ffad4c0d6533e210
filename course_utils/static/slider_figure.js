// Draws the stored frame that the sliders point at; every number comes from Python.

const BOX = { height: 210, top: 28, gap: 62, left: 56, right: 8, bottom: 46, width: 760 };
const DASHES = ["", "9 5", "12 4 2 4", "2 4", "8 3 2 3 2 3", "2 2"];

function render({ model, el }) {
  const { sliders, panels, reading, fact, description } = model.get("spec");
  const numbers = floats(model.get("numbers"));
  const ends = sliders.map((one) => one.texts.length);

  const root = document.createElement("div");
  root.className = "course-widget slider-figure";
  el.append(root);
  if (fact) {
    const note = document.createElement("p");
    note.className = "fact";
    note.setAttribute("role", "note");
    note.textContent = fact;
    root.append(note);
  }
  const columns = Math.min(panels.length, 2);
  const rows = Math.ceil(panels.length / columns);
  const rowHeight = BOX.top + BOX.height + BOX.bottom;
  const width = (BOX.width - BOX.left - BOX.right - (columns - 1) * BOX.gap) / columns;
  const picture = svg("svg", { viewBox: `0 0 ${BOX.width} ${rows * rowHeight}`, role: "img" }, root);
  const defs = svg("defs", {}, picture);
  const clip = `slider-figure-${Math.random().toString(36).slice(2)}`;

  const style = (color, kind) => {
    const filled = kind === "bars" || kind === "band";
    const name = kind === "band" ? "area" : kind === "steps" ? "line" : kind;
    const paint = `${filled ? "fill" : "stroke"}: var(--c${color})`;
    return { class: name, style: kind === "marks" ? "stroke: currentColor" : paint,
      ...(name === "line" ? { "stroke-dasharray": DASHES[color] } : {}) };
  };

  const drawn = [];
  panels.forEach((panel, p) => {
    const left = BOX.left + (p % columns) * (width + BOX.gap);
    const top = BOX.top + Math.floor(p / columns) * rowHeight;
    const bottom = top + BOX.height;
    const scale = panel.y_log ? Math.log10 : (value) => value;
    const [xLow, xHigh] = panel.x_range;
    const [yLow, yHigh] = panel.y_range.map(scale);
    const x = (value) => left + ((value - xLow) / (xHigh - xLow)) * width;
    const y = (value) => bottom - ((scale(value) - yLow) / (yHigh - yLow)) * BOX.height;
    svg("text", { x: left, y: top - 12, "font-weight": "bold" }, picture, panel.title);
    svg("path", { class: "axis", d: `M${left} ${top}V${bottom}H${left + width}` }, picture);
    for (const [value, text] of panel.x_ticks) {
      svg("line", { class: "axis", x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4 }, picture);
      svg("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, picture, text);
    }
    for (const [value, text] of panel.y_ticks) {
      svg("line", { class: "faint", x1: left, x2: left + width, y1: y(value), y2: y(value) }, picture);
      svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, picture, text);
    }
    svg("text", { x: left + width / 2, y: bottom + 38, "text-anchor": "middle" }, picture, panel.x_label);
    svg("text", { x: left - 44, y: (top + bottom) / 2, "text-anchor": "middle",
      transform: `rotate(-90 ${left - 44} ${(top + bottom) / 2})` }, picture, panel.y_label);
    const inside = svg("clipPath", { id: `${clip}-${p}` }, defs);
    svg("rect", { x: left, y: top, width, height: BOX.height }, inside);
    const group = svg("g", { "clip-path": `url(#${clip}-${p})` }, picture);
    for (const series of panel.series) {
      const path = svg("path", style(series.color, series.kind), group);
      drawn.push({ ...series, path, toX: x, toY: y, top, bottom, width });
    }
  });

  const key = document.createElement("ul");
  key.className = "key";
  const named = new Set();
  for (const { label, color, kind } of drawn) {
    if (!label || named.has(label)) continue;
    named.add(label);
    const item = document.createElement("li");
    const swatch = svg("svg", { viewBox: "0 0 34 12", "aria-hidden": "true" }, item);
    const shape = { bars: "M8 1h18v10h-18z", band: "M0 1h34v10h-34z", points: "M17 6h0", marks: "M17 0v12" };
    svg("path", { ...style(color, kind), d: shape[kind] || "M0 6h34" }, swatch);
    item.append(label);
    key.append(item);
  }
  root.append(key);

  const inputs = sliders.map((one, i) =>
    slider(root, one.label, { min: 0, max: ends[i] - 1, step: 1, value: model.get("at")[i] }));
  const words = document.createElement("output");
  root.append(words);

  // The values of one array in one frame: [start, length, the same for all frames?].
  const values = ([start, length, fixed], frame) => {
    const from = start + (fixed ? 0 : frame * length);
    return numbers.subarray(from, from + length);
  };

  function shape(one, frame) {
    const xs = values(one.x, frame);
    if (one.kind === "marks") {
      return Array.from(xs, (v) => `M${one.toX(v)} ${one.top}V${one.bottom}`).join("");
    }
    const ys = values(one.y, frame);
    const at = (i) => [one.toX(xs[i]), one.toY(ys[i])];
    const fine = (i) => Number.isFinite(xs[i]) && at(i).every(Number.isFinite);
    let d = "";
    if (one.kind === "band") {
      const highs = values(one.high, frame);
      const back = [];
      for (let i = 0; i < xs.length; i++) {
        const high = one.toY(highs[i]);
        if (!fine(i) || !Number.isFinite(high)) continue;
        d += `${d ? "L" : "M"}${at(i).map((v) => v.toFixed(1)).join(" ")}`;
        back.unshift(`L${at(i)[0].toFixed(1)} ${high.toFixed(1)}`);
      }
      return d && `${d}${back.join("")}Z`;
    }
    const wide = xs.length > 1 ? Math.abs(one.toX(xs[1]) - one.toX(xs[0])) : one.width / 4;
    const zero = Math.min(Math.max(one.toY(0), one.top), one.bottom);
    let open = false;
    for (let i = 0; i < xs.length; i++) {
      if (!fine(i)) {
        open = false;
        continue;
      }
      const [px, py] = at(i).map((v) => v.toFixed(1));
      if (one.kind === "points") d += `M${px} ${py}h0`;
      else if (one.kind === "bars") {
        const base = Number.isFinite(zero) ? zero : one.bottom;
        d += `M${(px - 0.38 * wide).toFixed(1)} ${base.toFixed(1)}V${py}h${(0.76 * wide).toFixed(1)}V${base.toFixed(1)}Z`;
      } else if (one.kind === "steps" && open) d += `H${px}V${py}`;
      else d += `${open ? "L" : "M"}${px} ${py}`;
      open = true;
    }
    return d;
  }

  function draw() {
    const at = model.get("at");
    const frame = at.reduce((sum, index, i) => sum * ends[i] + index, 0);
    for (const one of drawn) one.path.setAttribute("d", shape(one, frame));
    sliders.forEach((one, i) => {
      inputs[i].input.value = at[i];
      inputs[i].input.setAttribute("aria-valuetext", one.texts[at[i]]);
      inputs[i].name.textContent = `${one.name} ${one.texts[at[i]]}`;
    });
    words.textContent = reading[frame] || "";
    picture.setAttribute("aria-label", `${description} ${words.textContent}`.trim());
  }

  inputs.forEach(({ input }, i) => input.addEventListener("input", () => {
    // Only the browser's copy of the model changes: no kernel is needed, and every view follows.
    const at = [...model.get("at")];
    at[i] = Number(input.value);
    model.set("at", at);
  }));
  model.on("change:at", draw);
  draw();
  return () => model.off("change:at", draw);
}

export default { render };
