// JSON without loss: keeps the spelling of numbers that JavaScript would round, if the browser supports that.

const exact = typeof JSON.rawJSON === "function";

/**
 * Parses a JSON text.
 * @param {string} text
 * @returns {*} The value. A number that `Number` would spell differently keeps its spelling.
 * @throws {SyntaxError} If the text is not JSON.
 */
export function parse(text) {
  return JSON.parse(text, (_, value, context) =>
    exact && typeof value === "number" && context.source !== String(value) ? JSON.rawJSON(context.source) : value);
}

/**
 * Parses a JSON object that a person has typed; a blank text is an empty one.
 * @param {string} text
 * @returns {Object<string, *>}
 * @throws {Error} If it is not an object; the message is for that person.
 */
export function parseObject(text) {
  let value;
  try {
    value = text.trim() === "" ? {} : parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}`);
  }
  if (!isObject(value)) throw new Error('This must be a JSON object, such as {"city": "Ulm"}.');
  return value;
}

/** The JSON text of a value, indented for people. */
export const pretty = (value) => JSON.stringify(value, null, 2);

/** Whether a value is a JSON object, and not an array or a simple value. */
export const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(exact && JSON.isRawJSON(value));

/**
 * Computes the merge patch that turns one object into another (RFC 7396).
 * @param {Object<string, *>} from
 * @param {Object<string, *>} to
 * @returns {Object<string, *>} The patch; it is empty if nothing differs but the order of members.
 * @throws {Error} If a member is to become null, which a merge patch cannot express.
 */
export function mergePatch(from, to) {
  // Without a prototype, so that a member may have any name, even `__proto__`.
  const patch = Object.create(null);
  for (const name of Object.keys(from)) {
    if (!Object.hasOwn(to, name)) patch[name] = null;
  }
  for (const [name, value] of Object.entries(to)) {
    const before = Object.hasOwn(from, name) ? from[name] : undefined;
    if (JSON.stringify(before) === JSON.stringify(value)) continue;
    if (value === null) throw new Error(`“${name}” cannot be set to null: a patch would remove it. Leave it out instead.`);
    if (!isObject(value)) {
      patch[name] = value;
      continue;
    }
    const inner = mergePatch(isObject(before) ? before : {}, value);
    if (!isObject(before) || Object.keys(inner).length > 0) patch[name] = inner;
  }
  return patch;
}
