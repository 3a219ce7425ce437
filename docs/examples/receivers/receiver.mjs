// npm install express; node receiver.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import express from "express";

const key = Buffer.from(process.env.WEBHOOK_SECRET.replace("whsec_", ""), "base64");

function isSigned(request) {
  const id = request.get("webhook-id");
  const time = request.get("webhook-timestamp");
  const hmac = createHmac("sha256", key).update(`${id}.${time}.`).update(request.body);
  const expected = Buffer.from(`v1,${hmac.digest("base64")}`);
  const signatures = (request.get("webhook-signature") ?? "").split(" ").map((each) => Buffer.from(each));
  return (
    Math.abs(Date.now() / 1000 - time) <= 300 &&
    signatures.some((each) => each.length === expected.length && timingSafeEqual(each, expected))
  );
}

const app = express();
app.use(express.text({ type: "*/*" })); // the signature covers the body as it was sent, so no express.json()
app.post("/webhook", (request, response) => {
  if (typeof request.body !== "string" || !isSigned(request)) {
    return response.sendStatus(400);
  }
  const event = JSON.parse(request.body);
  console.log(event.type, event.data.sign_id, event.data.seq);
  response.sendStatus(204);
});
app.listen(9000);
