"""The headings of an import: column names in any case, with spaces, or in Chinese."""

from __future__ import annotations

import re
import unicodedata

from smsign.client import Fields, Sign
from smsign.client.multipart import SLOTS

TEXTS = tuple(Fields.__annotations__)
COLUMNS = ("sign", *TEXTS, *SLOTS)

IGNORED = frozenset(Sign.__struct_fields__) - {"sign"}
"""Columns that only an export has."""

_CHINESE = {
    "sign": "签名 签名内容 签名名称 短信签名 簽名 簽名內容 簽名名稱 簡訊簽名",
    "type": "类型 签名类型 類型 簽名類型",
    "remark": "备注 申请说明 说明 備註 申請說明 說明",
    "legalPersonName": "法人姓名 法定代表人 法定代表人姓名",
    "legalPersonIdNumber": "法人身份证号 法人身份证号码 法定代表人身份证号",
    "socialCreditCode": "统一社会信用代码 社会信用代码",
    "thirdPartyCompanyName": "第三方公司名称 第三方企业名称",
    "image0": "图片 图片0",
    "image1": "图片1",
    "image2": "图片2",
    "image3": "图片3",
    "idCardImage": "身份证 身份证图片 身份证照片",
    "businessLicenseImage": "营业执照 营业执照图片",
    "icpAppScreenshot": "备案截图 ICP备案截图",
    "trademarkImage": "商标 商标图片 商标注册证",
    "thirdPartyAuthImage": "授权书 第三方授权书",
    "otherImage": "其他图片 其他 其它图片",
}


def column(heading: str) -> str:
    """Return the column that a heading means; an unknown heading is returned without outer spaces."""
    return _KNOWN.get(_normal(heading)) or heading.strip("\ufeff \t\r\n\u3000\u00a0")


def _normal(heading: str) -> str:
    text = unicodedata.normalize("NFKC", heading).casefold()
    return re.sub(r"\(.*?\)|【.*?】|[\s*:_\ufeff\u200b-]", "", text)


_KNOWN = {_normal(name): name for name in (*COLUMNS, *IGNORED)} | {
    _normal(heading): name for name, headings in _CHINESE.items() for heading in headings.split()
}
