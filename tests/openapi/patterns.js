// Every pattern of the document has the same meaning with and without the flag u, which code generators differ in.
import { readFileSync } from "node:fs";

const text = readFileSync("openapi.json", "utf8");
const samples = ["极光推送", "极光A1", "a b", "【极光】", "极光！", "2026-11-25T08:00:00.000000Z", "https://a.example/b?c=d", "v1,a/+="];
let count = 0;
JSON.parse(text, (name, value) => {
  if (name === "pattern" && typeof value === "string") {
    const [plain, unicode] = [new RegExp(value), new RegExp(value, "u")];
    for (const sample of samples) {
      if (plain.test(sample) !== unicode.test(sample)) throw new Error(`${value}: ${sample}`);
    }
    count += 1;
  }
  return value;
});
if (count < 10) throw new Error(`${count} patterns`);
