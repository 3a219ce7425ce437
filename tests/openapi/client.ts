// Uses a server through the types that openapi-typescript generated.
// Arguments: URL, appKey, masterSecret, a PNG in base64.
import createClient from "openapi-fetch";
import type { components, paths, webhooks } from "./api.d.ts";

declare const process: { argv: string[] };

type Submission = components["schemas"]["Submission"];
type Event = webhooks["event"]["post"]["requestBody"]["content"]["application/json"];

const [url = "", appKey, masterSecret, png = ""] = process.argv.slice(2);
const client = createClient<paths>({
  baseUrl: url,
  headers: { Authorization: `Basic ${btoa(`${appKey}:${masterSecret}`)}` },
});

function check(condition: boolean, found: unknown): asserts condition {
  if (!condition) throw new Error(JSON.stringify(found));
}

function form(body: Submission): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(body)) {
    for (const each of Array.isArray(value) ? value : [value]) data.append(name, each);
  }
  return data;
}

// The generated types have files as strings.
const image = new Blob([Uint8Array.from(atob(png), (char) => char.charCodeAt(0))]) as unknown as string;

const created = await client.POST("/v1/sign", {
  body: { sign: "测试模糊", type: "2", image0: image },
  bodySerializer: form,
});
check(created.data !== undefined, created.error);
const path = { id: created.data.sign_id };

const refused = await client.GET("/v1/sign/{id}", { params: { path } });
check(refused.data?.status === 2 && refused.data.refuse_reason !== undefined, refused);

const modified = await client.PUT("/v1/sign/{id}", {
  params: { path },
  body: { sign: "极光推送", images: [image, image] },
  bodySerializer: form,
});
check(modified.data?.sign_id === path.id, modified);

const detail = await client.GET("/v1/signs/{id}", { params: { path } });
check(detail.data?.versions[1]?.images.length === 2, detail);
const kinds: components["schemas"]["TimelineKind"][] = detail.data.timeline.map((event) => event.kind);
check(kinds.at(-1) === "signature.passed", kinds);

const page = await client.GET("/v1/signs", { params: { query: { status: 1, limit: 10 } } });
check(page.data?.signs.length === 1 && page.data.next === null, page);

const unknown = await client.GET("/v1/sign/{id}", { params: { path: { id: 999999 } } });
check(unknown.error?.error.code === 50102, unknown);

const callback = await client.POST("/v1/callbacks", { body: { url: `${url}/hook`, format: "standard" } });
check(callback.data?.secret !== null && callback.data?.state === "active", callback);

// Types only: what a receiver gets.
export const isPassed = (event: Event): boolean => event.type === "signature.passed" && event.data.status === 1;
