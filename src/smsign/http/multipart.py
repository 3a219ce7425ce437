"""The form of a submission, streamed: texts into memory, images into the spool, nothing else kept.

What a part is depends on its field name alone, never on a filename or a Content-Type: published clients
send images without either, with `application/octet-stream`, or with a whole local path.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from smsign.domain import images, signatures
from smsign.domain.signatures import Rules
from smsign.errors import ApiError, Code, Problem, Text
from smsign.http.service import Service
from smsign.http.wire import Request, boundary
from smsign.storage.blobs.upload import Upload

TEXT_BYTES = 64 * 1024
"""What is kept of a text: far more than any rule allows, so that the rule refuses it."""

PARTS_MAX = 64
HEAD_LINES, HEAD_LINE_BYTES = 8, 4224
_SLACK_BYTES = 256 * 1024
_FEWER = Text("send fewer or smaller images", "请减少图片数量或缩小图片")

_TOO_MANY_PARTS = Problem.of(
    Code.INVALID_BODY,
    "body",
    f"more than {PARTS_MAX} parts, or one with more than {HEAD_LINES} header lines,"
    f" or with more than {HEAD_LINE_BYTES:,} bytes in a line",
    f"超过 {PARTS_MAX} 个部分，或某一部分的头部超过 {HEAD_LINES} 行或单行超过 {HEAD_LINE_BYTES:,} 字节",
    "send only the fields that the calls have",
    "请只提交接口定义的字段",
)

_ALIASES = {"image": images.UNNUMBERED}
"""A published C# client sends the image of a new signature as `image`."""

_UTF_8 = codecs.getincrementaldecoder("utf-8")

_ABSENT = {"type": b"0", "remark": b"null"}
"""What two published clients (C#, Java) send for a value that was not set."""

_AS_IT_IS = frozenset(("binary", "8bit", "7bit"))
"""What published Java clients say of a part (RFC 7578, 4.7, knows no other in a form)."""


class MultipartBody:
    """What a body held; when left, it removes the images that were not kept."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.uploads: list[Upload] = []
        self.problems: list[Problem] = []
        """What is wrong with the form itself, and does not keep the rest of it from being read."""

    def __enter__(self) -> MultipartBody:
        return self

    def __exit__(self, *_: object) -> None:
        for upload in self.uploads:
            upload.discard()


async def read_form(service: Service, request: Request, form: MultipartBody) -> None:
    """Read the body of `request` into `form`, within the bounds that the settings name.

    Raises: Refusal 50003 for an empty body, 50017 for another media type, 50007 for one that is
    unreadable, too large, too slow or has too many parts.
    """
    delimiter = boundary(request.header(b"content-type")) if request.content_length else b""
    rules = service.rules
    body = request.body(at_most=body_max(rules), timeout_s=service.settings.body_timeout, hint=_FEWER)
    try:
        first = await anext(body)
    except StopAsyncIteration:
        raise ApiError.of(
            Code.MISSING_BODY,
            "body",
            "empty",
            "为空",
            "send the signature as a multipart form",
            "请以 multipart 表单提交签名",
        ) from None
    parser = PushMultipartParser(
        delimiter or boundary(request.header(b"content-type")),
        max_segment_count=PARTS_MAX,
        max_header_count=HEAD_LINES,
        max_header_size=HEAD_LINE_BYTES,
        header_charset="latin-1",  # a Windows path in GBK is no reason to refuse a form
    )
    reader = _Reader(form, rules, service.blobs.spool)
    try:
        with parser:
            await reader.take(parser, first)
            async for chunk in body:
                if not parser.closed:
                    await reader.take(parser, chunk)
    except ParserLimitReached as error:
        raise ApiError(Code.INVALID_BODY, [_TOO_MANY_PARTS]) from error
    except MultipartError as error:
        raise ApiError.of(
            Code.INVALID_BODY,
            "body",
            f"unreadable: {error}",
            "无法解析",
            "send a well-formed multipart/form-data body",
            "请发送格式正确的 multipart/form-data",
        ) from error
    if reader.encoded:
        raise ApiError(Code.INVALID_BODY, reader.encoded)


def body_max(rules: Rules) -> int:
    """Return how many bytes a body may have: all images at their largest, and the texts."""
    return images.COUNT_MAX * rules.image_bytes + _SLACK_BYTES


class _Reader:
    """Sorts a parser's events into a form."""

    def __init__(self, form: MultipartBody, rules: Rules, spool: Path) -> None:
        self._form = form
        self._rules = rules
        self._spool = spool
        self._name = ""
        self._text = bytearray()
        self._upload: Upload | None = None
        self._encoding = ""
        self.encoded: list[Problem] = []
        """The texts that came encoded: what they say is not known, so nothing else is said of the form."""

    async def take(self, parser: PushMultipartParser, chunk: bytes) -> None:
        for event in parser.parse(chunk):
            if isinstance(event, MultipartSegment):
                self._name = _ALIASES.get(event.name or "", event.name or "")
                self._text.clear()
                self._upload = None
                more = len(event.headerlist) > 1  # than the field's name, which is all that most parts have
                self._encoding = event.header("Content-Transfer-Encoding", "").lower() if more else ""
            elif event is None:
                self._end_part()
            elif self._name in images.FIELDS:
                await self._take_image(bytes(event))
            elif self._name in signatures.FIELDS:
                self._text += event[: TEXT_BYTES - len(self._text)]

    async def _take_image(self, chunk: bytes) -> None:
        if self._upload is None:  # made at the first byte: an empty part is an absent one
            self._upload = Upload(self._name, self._spool, at_most=self._rules.image_bytes)
            self._form.uploads.append(self._upload)
        await self._upload.write(chunk)

    def _end_part(self) -> None:
        if not self._text or bytes(self._text) == _ABSENT.get(self._name):
            return
        if self._encoding and self._encoding not in _AS_IT_IS:
            self.encoded.append(_encoded(self._name, self._encoding))
            return
        if self._name in self._form.fields:
            problem = signatures.sent_twice(self._name)
            if problem not in self._form.problems:
                self._form.problems.append(problem)
            return
        # Bytes that are not UTF-8 become surrogates, which the rules refuse by name; half a character where a
        # text was cut is none of them.
        whole = len(self._text) < TEXT_BYTES
        self._form.fields[self._name] = _UTF_8("surrogateescape").decode(self._text, final=whole)


def _encoded(name: str, encoding: str) -> Problem:
    told = encoding[:20]
    return Problem.of(
        Code.INVALID_BODY,
        name,
        f"encoded as {told}, which a form cannot be",
        f"使用了表单不支持的编码 {told}",
        "send the text itself, without Content-Transfer-Encoding or with binary, 8bit or 7bit",
        "请直接发送原文，不带 Content-Transfer-Encoding，或使用 binary、8bit、7bit",
    )
