// A jasmine helper: specs of the skip list are marked as such, with their reason.
import fs from "node:fs";

const skips = JSON.parse(fs.readFileSync(process.env.CONFORMANCE_SKIPS, "utf8"));
// What no spec has taken is a mistake in the list.
export const unused = new Set(Object.keys(skips));
const trail = [];
const realDescribe = globalThis.describe;
const realIt = globalThis.it;

globalThis.describe = (name, body) =>
  realDescribe(name, function () {
    trail.push(name);
    try {
      return body.apply(this, arguments);
    } finally {
      trail.pop();
    }
  });

globalThis.it = (name, body, limit) => {
  const full = [...trail, name].join(" ");
  if (!(full in skips)) return realIt(name, body, limit);
  unused.delete(full);
  return realIt(name, () => pending(skips[full]));
};
