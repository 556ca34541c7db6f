// A model's colour and initials: the same wherever it is shown, and the same in every browser that knows the same models.
//
// Seven colours that colour-blind eyes tell apart (Okabe and Ito); further models take them again with a pattern. A name
// asks for the colour that its hash gives, and takes the next free one. Initials are two characters of its name that no
// other model has. Names are placed in alphabetical order, those of the configuration first.

import { h } from "./dom.js";

const COLOURS = 7;
const PATTERNS = 4;
const places = new Map();

function hash(name) {
  let value = 0x811c9dc5;
  for (const character of name) value = Math.imul(value ^ character.codePointAt(0), 0x01000193) >>> 0;
  return (value ^ (value >>> 15)) >>> 0;
}

/** Find initials that are not taken: `gpt-4o` is G4, `gpt-4o-mini` then GM, `claude-sonnet-4-6` CS. */
function abbreviate(name, taken) {
  const words = shorten(name).split(/[^\p{L}\p{N}]+/u).filter(Boolean).map((word) => word.toUpperCase());
  const [first = "?", ...rest] = words;
  const seconds = [...rest.slice(0, 1), ...rest.slice(-1), ...rest, first.slice(1)].map((word) => word.charAt(0));
  const found = seconds.map((second) => first.charAt(0) + second).find((each) => !taken.has(each));
  if (found) return found;
  let number = 2;
  while (taken.has(first.charAt(0) + number)) number += 1;
  return first.charAt(0) + number;
}

/** Give the models that are not placed yet their places. */
export function place(names) {
  for (const name of [...new Set(names)].filter((each) => !places.has(each)).sort()) {
    const turn = Math.floor(places.size / COLOURS);
    const placed = [...places.values()];
    const taken = new Set(placed.filter((each) => each.turn === turn).map((each) => each.colour));
    let colour = hash(name) % COLOURS;
    while (taken.has(colour)) colour = (colour + 1) % COLOURS;
    places.set(name, { colour, turn, initials: abbreviate(name, new Set(placed.map((each) => each.initials))) });
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

/** The model's initials. */
export const mark = (name) => (name ? find(name).initials : "?");

/** The name without its provider. */
export const shorten = (name) => (name ? name.slice(name.indexOf("/") + 1) : "no model");

/** A swatch with the model's initials, and its name. */
export const label = (name, text = name ?? "no model") =>
  h("span", { class: "model" }, h("i", { class: `swatch ${paint(name)}`, "aria-hidden": "true" }, mark(name)), h("span", {}, text));
