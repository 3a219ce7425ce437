"""Streaming parser for multipart/form-data: texts go to memory, images to the spool, other parts are dropped.

The field name alone says what a part is, never its filename or Content-Type: published clients send images
without either, with `application/octet-stream`, or with a whole local path.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from smsign.domain import images, signatures
from smsign.domain.media import kinds
from smsign.domain.signatures import Rules
from smsign.errors import ApiError, Code, Problem, Text
from smsign.http.padding import PaddingFilter
from smsign.http.service import Service
from smsign.http.wire import Request, boundary
from smsign.storage.blobs.upload import Upload

TEXT_BYTES = 64 * 1024
"""How much of a text is read: far more than any rule allows, so that the rule reports it as too long."""

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

_BRACKETS = re.compile(r"\[\d*\]$")
"""What axios and PHP add to the name of a field with several values: `images[]`, `images[0]`."""

_UTF_8 = codecs.getincrementaldecoder("utf-8")

_ABSENT = frozenset((b"null", b"undefined"))
"""What clients in Java and JavaScript send for an optional value that is not set; a C# client, 0 as type."""

_IDENTITY_ENCODINGS = frozenset(("binary", "8bit", "7bit"))
"""Values of Content-Transfer-Encoding that published Java clients send (RFC 7578, 4.7, allows no other)."""


class MultipartBody:
    """The texts and images of a body. As a context manager it deletes the uploads that were not stored."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.uploads: list[Upload] = []
        self.problems: list[Problem] = []
        """Errors in the form itself that do not stop the rest of it from being read."""

    def __enter__(self) -> MultipartBody:
        return self

    def __exit__(self, *_: object) -> None:
        for upload in self.uploads:
            upload.discard()


async def read_form(service: Service, request: Request, form: MultipartBody) -> None:
    """Read the body of `request` into `form`, within the limits of the settings.

    Raises: ApiError 50003 for an empty body, 50017 for another media type, 50007 for one that is
    malformed, too large, too slow or has too many parts.
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
    delimiter = delimiter or boundary(request.header(b"content-type"))
    padding = PaddingFilter(delimiter)
    parser = PushMultipartParser(
        delimiter,
        max_segment_count=PARTS_MAX,
        max_header_count=HEAD_LINES,
        max_header_size=HEAD_LINE_BYTES,
        header_charset="latin-1",  # a filename may be a Windows path in GBK
    )
    reader = _Reader(form, rules, service.blobs.spool)
    try:
        with parser:
            await reader.feed(parser, padding.feed(first))
            async for chunk in body:
                await reader.feed(parser, padding.feed(chunk))
            await reader.feed(parser, padding.close())
    except ParserLimitReached as error:
        raise ApiError(Code.INVALID_BODY, [_TOO_MANY_PARTS]) from error
    except MultipartError as error:
        raise ApiError.of(
            Code.INVALID_BODY,
            "body",
            f"malformed: {error}",
            "格式错误，无法解析",
            "send a well-formed multipart/form-data body",
            "请发送格式正确的 multipart/form-data",
        ) from error
    if reader.encoded:
        raise ApiError(Code.INVALID_BODY, reader.encoded)


def body_max(rules: Rules) -> int:
    """Return the limit of a body in bytes: all images at their largest, and the texts."""
    return images.COUNT_MAX * rules.image_bytes + _SLACK_BYTES


class _Reader:
    """Adds the parts that a parser finds to a form."""

    def __init__(self, form: MultipartBody, rules: Rules, spool: Path) -> None:
        self._form = form
        self._rules = rules
        self._spool = spool
        self._name = ""
        self._filename: str | None = None
        self._text = bytearray()
        """The text of the part, or the first bytes of its image."""
        self._upload: Upload | None = None
        self._encoding = ""
        self.encoded: list[Problem] = []
        """Errors for encoded texts. Their content is unknown, so no other error is reported with them."""

    async def feed(self, parser: PushMultipartParser, chunk: bytes) -> None:
        if not chunk or parser.closed:
            return
        for event in parser.parse(chunk):
            if isinstance(event, MultipartSegment):
                self._name = _field(event.name or "")
                self._filename = event.filename
                self._text.clear()
                self._upload = None
                more = len(event.headerlist) > 1  # most parts have Content-Disposition alone
                self._encoding = event.header("Content-Transfer-Encoding", "").lower() if more else ""
            elif event is None:
                self._end_part()
            elif self._name in images.FIELDS:
                await self._write_image(bytes(event))
            elif self._name in signatures.FIELDS:
                self._text += event[: TEXT_BYTES - len(self._text)]
            elif len(self._text) < kinds.HEAD_BYTES:
                self._text += event[: kinds.HEAD_BYTES - len(self._text)]

    async def _write_image(self, chunk: bytes) -> None:
        if self._upload is None:  # created at the first byte: an empty part counts as absent
            self._upload = Upload(self._name, self._spool, at_most=self._rules.image_bytes)
            self._form.uploads.append(self._upload)
        self._text += chunk[: kinds.HEAD_BYTES - len(self._text)]
        await self._upload.write(chunk)

    def _end_part(self) -> None:
        if not self._text:
            return
        if self._upload is not None:
            self._end_image(self._upload)
        elif self._name in signatures.FIELDS:
            self._end_text()
        elif _is_image(bytes(self._text), self._filename):
            self._form.problems.append(_unknown_image(self._name))

    def _end_image(self, upload: Upload) -> None:
        is_encoded = bool(self._encoding) and self._encoding not in _IDENTITY_ENCODINGS
        if is_encoded:
            self._form.problems.append(_encoded_image(self._name, self._encoding))
        if is_encoded or (upload.size_bytes == len(self._text) and bytes(self._text) in _ABSENT):
            self._form.uploads.remove(upload)
            upload.discard()

    def _end_text(self) -> None:
        text = bytes(self._text)
        if self._name != "sign" and (text in _ABSENT or (self._name, text) == ("type", b"0")):
            return
        if self._encoding and self._encoding not in _IDENTITY_ENCODINGS:
            self.encoded.append(_encoded(self._name, self._encoding))
            return
        if self._name in self._form.fields:
            problem = signatures.sent_twice(self._name)
            if problem not in self._form.problems:
                self._form.problems.append(problem)
            return
        # Bytes that are not UTF-8 become surrogates, which the rules report. Half a character at the end of a
        # truncated text must not become one.
        whole = len(self._text) < TEXT_BYTES
        self._form.fields[self._name] = _UTF_8("surrogateescape").decode(self._text, final=whole)


def _field(name: str) -> str:
    """Return the field that a name means: brackets count for nothing behind the name of an image.

    A published C# client sends the image of a new signature as `image`.
    """
    bare = _BRACKETS.sub("", name)
    if bare in images.FIELDS:
        return bare
    return images.UNNUMBERED if bare == "image" else name


def _is_image(head: bytes, filename: str | None) -> bool:
    kind = kinds.name(head)
    return kind in ("PNG", "JPEG") or (bool(filename) and kind in kinds.IMAGES)


def _unknown_image(name: str) -> Problem:
    return images.problem(
        name[:100],
        "not a field for an image",
        "不是图片字段",
        f"send it as {', '.join(images.NUMBERED)} or {images.UNNUMBERED}, or as {', '.join(images.NAMED)}",
        f"请使用字段 {'、'.join(images.NUMBERED)} 或 {images.UNNUMBERED}，或 {'、'.join(images.NAMED)}",
    )


def _encoded_image(name: str, encoding: str) -> Problem:
    return images.problem(
        name,
        f"encoded as {encoding[:20]}, which is not supported in a form",
        f"使用了表单不支持的编码 {encoding[:20]}",
        "send the bytes of the image as they are, without Content-Transfer-Encoding",
        "请直接发送图片的原始字节，不带 Content-Transfer-Encoding",
    )


def _encoded(name: str, encoding: str) -> Problem:
    return Problem.of(
        Code.INVALID_BODY,
        name,
        f"encoded as {encoding[:20]}, which is not supported in a form",
        f"使用了表单不支持的编码 {encoding[:20]}",
        "send the text as it is, without Content-Transfer-Encoding or with binary, 8bit or 7bit",
        "请直接发送原文，不带 Content-Transfer-Encoding，或使用 binary、8bit、7bit",
    )
