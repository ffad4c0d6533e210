// Shared by the course's widgets, before each one's own script: SVG, numbers, sliders.

const NS = "http://www.w3.org/2000/svg";

function svg(tag, attributes, parent, text) {
  const node = document.createElementNS(NS, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

function floats(view) {
  // A copy, because the view need not start at a multiple of four bytes.
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
  return new Float32Array(bytes.buffer);
}

function slider(parent, label, { min, max, step, value }) {
  const row = document.createElement("label");
  const name = document.createElement("span");
  const input = document.createElement("input");
  input.type = "range";
  Object.assign(input, { min, max, step, value });
  input.setAttribute("aria-label", label);
  // Without this JupyterLab's command mode takes the arrow keys.
  input.setAttribute("data-lm-suppress-shortcuts", "true");
  row.append(name, input);
  parent.append(row);
  return { input, name };
}
