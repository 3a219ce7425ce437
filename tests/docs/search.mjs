// Ask the search of a built site: node search.mjs WORKER INDEX, queries as a JSON array on standard input.
// Prints the locations of the hits of each query, in the order in which the page shows them.
import { readFileSync } from "node:fs";

const [worker, index] = process.argv.slice(2);
const data = JSON.parse(readFileSync(index, "utf8"));
let receive;
globalThis.self = { postMessage: (message) => receive(message) };
(0, eval)(readFileSync(worker, "utf8")); // the worker's own tokenizer, ranking and index
const post = (type, data) =>
  new Promise((resolve) => {
    receive = resolve;
    self.onmessage({ data: { type, data } });
  });

await post(0, structuredClone(data));
const found = {};
for (const input of JSON.parse(readFileSync(0, "utf8"))) {
  const { data: result } = await post(2, { input });
  found[input] = result.items.map((item) => data.items[item.id].location);
}
console.log(JSON.stringify(found));
