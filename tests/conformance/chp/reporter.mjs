// Each result of jasmine's as a line for tests/run.py. A name ends at ": ", where
// the reason begins.
import { unused } from "./helper.mjs";

const isFiltered = Boolean(process.env.CONFORMANCE_FILTER);
const short = (text) => text.replace(/: /g, " - ").replace(/\s+/g, " ");
const firstLines = (failures) => failures.map((f) => f.message.split("\n")[0]).join(" | ");

export default class {
  specDone(result) {
    const name = short(result.fullName);
    if (result.status === "passed") console.log(`ok ${name}`);
    else if (result.status === "pending") console.log(`skip ${name}: ${result.pendingReason}`);
    else if (result.status === "failed") console.log(`not ok ${name}: ${firstLines(result.failedExpectations)}`);
  }

  suiteDone(result) {
    if (result.failedExpectations.length)
      console.log(`not ok ${short(result.fullName)}: ${firstLines(result.failedExpectations)}`);
  }

  jasmineDone(info) {
    if (info.failedExpectations.length) console.log(`not ok the whole suite: ${firstLines(info.failedExpectations)}`);
    if (!isFiltered) {
      if (info.overallStatus === "incomplete") console.log(`not ok the whole suite: ${info.incompleteReason}`);
      for (const name of unused) console.log(`not ok the skip list: there is no spec "${name}"`);
    }
    console.log("conformance: the end");
  }
}
