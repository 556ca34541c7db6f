// A model's colour and mark: the same wherever it is shown, and the same in every browser that knows the same models.
//
// Seven colours that colour-blind eyes tell apart (Okabe and Ito), each with a letter; further models take them again
// with a pattern. A name asks for the place that its hash gives, and takes the next free one; names are placed in
// alphabetical order, those of the configuration first.

import { h } from "./dom.js";

const COLOURS = 7;
const PATTERNS = 4;
const places = new Map();

function hash(name) {
  let value = 0x811c9dc5;
  for (const character of name) value = Math.imul(value ^ character.codePointAt(0), 0x01000193) >>> 0;
  return (value ^ (value >>> 15)) >>> 0;
}

/** Give the models that are not placed yet their places. */
export function place(names) {
  for (const name of [...new Set(names)].filter((each) => !places.has(each)).sort()) {
    const turn = Math.floor(places.size / COLOURS);
    const taken = new Set([...places.values()].filter((each) => each.turn === turn).map((each) => each.colour));
    let colour = hash(name) % COLOURS;
    while (taken.has(colour)) colour = (colour + 1) % COLOURS;
    places.set(name, { colour, turn });
  }
}

function find(name) {
  if (!places.has(name)) place([name]);
  return places.get(name);
}

/** The class that colours something of a model. */
export function paint(name) {
  if (!name) return "m-none";
  const { colour, turn } = find(name);
  return `m${colour} p${turn % PATTERNS}`;
}

/** The model's letter, with a number after the first seven models. */
export function mark(name) {
  if (!name) return "?";
  const { colour, turn } = find(name);
  return "ABCDEFG"[colour] + (turn > 0 ? turn + 1 : "");
}

/** The name without its provider. */
export const shorten = (name) => (name ? name.slice(name.indexOf("/") + 1) : "no model");

/** A swatch with the model's letter, and its name. */
export const label = (name, text = name ?? "no model") =>
  h("span", { class: "model" }, h("i", { class: `swatch ${paint(name)}`, "aria-hidden": "true" }, mark(name)), h("span", {}, text));
