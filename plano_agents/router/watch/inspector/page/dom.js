// Elements, made without a line of HTML: what is shown comes from requests and is never markup.

/**
 * Make an element. `on…` properties are listeners, null and false leave an attribute out, true sets it empty.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return element;
}

/** A term and its value, for a `dl`. */
export const pair = (term, ...value) => h("div", {}, h("dt", {}, term), h("dd", {}, ...value));

/** Write text where it is another than what stands there, so that nothing is drawn or read out twice. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
