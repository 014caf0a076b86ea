export const $ = (id) => document.getElementById(id);

// h makes an element: properties, data-* under data, text and elements inside.
export function h(tag, properties = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(element.dataset, value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...inside.filter((i) => i !== null && i !== undefined));
  return element;
}

// say writes only what changed: a screen reader says every write again.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const drawn = new WeakMap();

// redraw replaces what is inside only when what it is made of has changed, so
// that a selection and a scroll position survive.
export function redraw(element, of, make) {
  const key = JSON.stringify(of);
  if (drawn.get(element) === key) return;
  drawn.set(element, key);
  element.replaceChildren(...make());
}

// colour is a custom property of the style sheet as a colour that a canvas takes.
export function colour(name, share = 1) {
  const probe = $("announce");
  probe.style.color = `var(--${name})`;
  const solid = getComputedStyle(probe).color;
  probe.style.color = "";
  return share === 1 ? solid : solid.replace("rgb(", "rgba(").replace(")", `, ${share})`);
}
