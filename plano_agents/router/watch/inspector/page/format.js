// Numbers and times, as they are read. What is not known is a dash.

export const UNKNOWN = "–";
export const NO_PRICE = "price unknown";

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value) => whole.format(value);
export const brief = (value) => (value < 10_000 ? whole.format(value) : short.format(value));
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
export const percent = (part, all) => (all > 0 ? `${Math.round((100 * part) / all)} %` : UNKNOWN);

/** Milliseconds, with as many digits as mean something. */
export function ms(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value < 1) return `${value.toFixed(2)} ms`;
  if (value < 10) return `${value.toFixed(1)} ms`;
  if (value < 1_000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${(value / 1_000).toFixed(value < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(value / 60_000)} min ${Math.round((value % 60_000) / 1_000)} s`;
}

/** Dollars, two digits that mean something at least; "≤" where it may have been less. */
export function usd(value, isMost) {
  if (value === null || value === undefined) return UNKNOWN;
  const digits = value >= 1 || value === 0 ? 2 : Math.min(7, 1 - Math.floor(Math.log10(value)));
  return `${isMost ? "≤ " : ""}$${value.toFixed(Math.max(2, digits))}`;
}

const clockFormat = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dateFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const clock = (seconds) => clockFormat.format(seconds * 1_000);
export const date = (seconds) => dateFormat.format(seconds * 1_000);

/** How long ago, roughly. */
export function ago(seconds, now = Date.now() / 1_000) {
  const passed = Math.max(0, now - seconds);
  if (passed < 5) return "just now";
  if (passed < 60) return `${Math.floor(passed / 5) * 5} s ago`;
  if (passed < 3_600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86_400) return `${Math.floor(passed / 3_600)} h ago`;
  return `${Math.floor(passed / 86_400)} d ago`;
}
