// Making and filling elements, and nothing that knows what they mean.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function makeSvg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** A template's content and its parts by their `data-part`. */
export function fromTemplate(id) {
  const content = document.getElementById(id).content.cloneNode(true);
  return { content, parts: partsOf(content) };
}

export function partsOf(root) {
  const found = {};
  for (const node of root.querySelectorAll("[data-part]")) found[node.dataset.part] = node;
  return found;
}

/** Sets a text where it differs: a text that is set anew is laid out anew and may be read out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
