# pip install smsign fastapi uvicorn; uvicorn fastapi_receiver:app --port 9000
import os

from fastapi import FastAPI, Request, Response
from smsign.client import WebhookVerificationError, verify_standard

app = FastAPI()


@app.post("/webhook")
async def receive(request: Request) -> Response:
    try:
        event = verify_standard(request.headers, await request.body(), os.environ["WEBHOOK_SECRET"])
    except WebhookVerificationError:
        return Response(status_code=400)
    print(event.type, event.data.sign_id, event.data.seq, flush=True)
    return Response(status_code=204)
